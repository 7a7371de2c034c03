"""NUS-WIDE: published lists for image retrieval, tags for cross-modal retrieval. Images and labels are the user's."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

_HOMEPAGE = "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html"
_PAIRS = (("image", "text"), ("text", "image"))
_RANDOM = "the published draws are random; ours is fixed"

NUSWIDE = Dataset(
    name="nuswide",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="nuswide21m-10k",
            dataset="nuswide",
            sizes=(2100, 10500, 149736),
            sha256="5d98cfab12f2357b97cd01d1289bd48fbb314b02d56e05eab390f1b587a1c8ff",
            headline="map@5000",
            aliases=("dhn-nuswide", "deephash-pytorch-nuswide_21_m", "dhd-nuswide"),
            source="Zhu et al. (DHN), AAAI 2016: lists of thuml/hash-caffe, in the order of DeepHash-pytorch",
            summary="the images of NUS-WIDE-m with one of the 21 commonest concepts; three disjoint parts",
            status="published list",
            flaws="162,336 images where the text says 195,834; 500 and 100 per concept are minima, not counts",
        ),
        Protocol(
            id="nuswide21-10k",
            dataset="nuswide",
            sizes=(2100, 10500, 193734),
            headline="map@5000",
            aliases=("dpsh-nuswide", "deephash-pytorch-nuswide_21", "orthohash-nuswide"),
            source="lists of swuxyj/DeepHash-pytorch (data/nuswide_21); sizes of Li et al. (DPSH), IJCAI 2016",
            summary="the official images with one of the 21 commonest concepts; the database is all but the queries",
            status="published list",
            flaws="the database is rebuilt by its rule; DeepHash-pytorch's own is said to lack some 2,000 images",
        ),
        Protocol(
            id="nuswide81m-10k",
            dataset="nuswide",
            sizes=(5000, 10000, 0),
            headline="map@5000",
            aliases=("dch-nuswide", "deephash-pytorch-nuswide_81_m"),
            source="Cao et al. (DCH), CVPR 2018: lists of thulab/DeepHash",
            summary="the images of NUS-WIDE-m with one of 81 concepts; the database is all but the queries",
            status="published list",
            flaws="the database is rebuilt by its rule from the images that are there; its published count is unknown",
        ),
        Protocol(
            id="nuswide21m-10k-2040q-asis",
            dataset="nuswide",
            sizes=(2040, 10455, 149736),
            sha256="faeeee1615ca65129f7533f2fba9d9db816fb21ea1cc0b92ee1003fc88683f12",
            headline="map@5000",
            aliases=("csq-nuswide",),
            source="Yuan et al. (CSQ), CVPR 2020: DHN's lists less 60 queries and 45 training images",
            summary="CSQ's queries and training images in DHN's order, DHN's database",
            status="published list",
            flaws="images were lost; CSQ's own database list (149,685 by its text) is not public",
        ),
        Protocol(
            id="nuswide81m-10k-asis",
            dataset="nuswide",
            sizes=(5000, 10000, 0),
            headline="map@5000",
            aliases=("hashnet-nuswide",),
            source="Cao et al., ICCV 2017: lists of thuml/HashNet (pytorch/data/nuswide_81)",
            summary="HashNet's queries and training images; the database are all other images of NUS-WIDE-m",
            status="published list",
            flaws="1,131 queries and 2,185 training images have no label; the database list is rebuilt by its rule",
        ),
    ),
    load="hashzoo_nuswide.loader:load",
    backbones={"image": "efficientnet_lite0"},
    multilabel=True,
    summary="NUS-WIDE: 269,648 photographs with 81 concepts (your own copy, official or NUS-WIDE-m)",
    homepage=_HOMEPAGE,
    files=("nuswide",),
)

NUSWIDE_TAGS = Dataset(
    name="nuswide-tags",
    modalities={"image": "image", "text": "vector"},
    protocols=tuple(
        Protocol(
            id=f"nuswide{concepts}-bow",
            dataset="nuswide-tags",
            sizes=sizes,
            pairs=_PAIRS,
            bits=(16, 32, 64),
            headline=headline,
            aliases=(alias,),
            source=f"sizes: {paper}; lists drawn here",
            summary=f"the images with one of the {concepts} commonest concepts; text are the 1,000 commonest tags",
            flaws=_RANDOM,
        )
        for concepts, sizes, headline, alias, paper in (
            (21, (2100, 10500, 193734), "map", "dcmh-nuswide", "Jiang and Li (DCMH), CVPR 2017"),
            (10, (2000, 5000, 184577), "map@50", "djsrh-nuswide", "Su et al. (DJSRH), ICCV 2019"),
        )
    ),
    load="hashzoo_nuswide.loader:load_tags",
    backbones={"image": "efficientnet_lite0", "text": "mlp"},
    multilabel=True,
    summary="NUS-WIDE with its users' tags as text and 21 or 10 concepts (your own copy)",
    homepage=_HOMEPAGE,
    files=("nuswide",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return NUS-WIDE for image and for cross-modal retrieval."""
    return (NUSWIDE, NUSWIDE_TAGS)
