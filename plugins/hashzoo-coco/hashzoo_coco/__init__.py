"""MS-COCO: published lists for image retrieval, and captions for cross-modal retrieval. The images are the user's."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

COCO = Dataset(
    name="coco",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="coco-10k",
            dataset="coco",
            sizes=(5000, 10000, 117218),
            sha256="c07e68936d9d68981caf5f02583fdc2035ad36c381a9dd206091ee32266854c8",
            headline="map@5000",
            aliases=("dch-coco", "deephash-pytorch-coco", "dhd-coco"),
            source="Cao et al. (DCH), CVPR 2018: lists of thulab/DeepHash, the same in DeepHash-pytorch and DHD",
            summary="DCH's queries and training images; the database are all other labelled images, training included",
            status="published list",
            flaws="the database is rebuilt by its rule (by name); its published order is unknown",
        ),
        Protocol(
            id="coco-10k-hashnet",
            dataset="coco",
            sizes=(5000, 10000, 107218),
            sha256="4fe89fc63b8d2f60740d85985964946caded931d927f886acb17d2beec7302e0",
            headline="map@5000",
            source="Cao et al., ICCV 2017: lists of thuml/HashNet (pytorch/data/coco), the queries taken out",
            summary="HashNet's lists; its database less the 5,000 queries that stand in it",
            status="published list",
            flaws="deviates from HashNet's database list by 5,000 lines; training images are not searched",
        ),
        Protocol(
            id="coco-10k-hashnet-asis",
            dataset="coco",
            sizes=(5000, 10000, 112218),
            sha256="f8669185f1c767275f30f0a631a174527470bd32ec1a854d8a36409f426bfde3",
            headline="map@5000",
            aliases=("hashnet-coco", "bihalf-coco", "mmhh-coco", "csq-coco"),
            source="Cao et al., ICCV 2017: lists of thuml/HashNet (pytorch/data/coco) as they are",
            summary="HashNet's lists as published; CSQ's training list lacks 8 of these images",
            queries_in_database=True,
            status="published list",
            flaws="all 5,000 queries are in the database, so that each finds itself first; training images are not",
        ),
    ),
    load="hashzoo_coco.loader:load",
    backbones={"image": "efficientnet_lite0"},
    multilabel=True,
    summary="MS-COCO: 122,218 photographs with 80 labels (your own copy of the 2014 or 2017 images)",
    homepage="https://cocodataset.org/#download",
    files=("coco",),
)

COCO_CAPTIONS = Dataset(
    name="coco-captions",
    modalities={"image": "image", "text": "vector"},
    protocols=(
        Protocol(
            id="coco-captions-10k",
            dataset="coco-captions",
            sizes=(5000, 10000, 117218),
            sha256="bca667a46e52fb97cd583e9ded37e2f51c5938d4af7bbcd48185987d3b632ab4",
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            source="sizes: Liu et al. (MITH), ACM MM 2023, and torchcmh; lists drawn here",
            summary="the labelled images in the order of their numbers; the database is all but the queries",
            flaws="published draws depend on row orders that are not public",
        ),
    ),
    load="hashzoo_coco.loader:load_captions",
    backbones={"image": "efficientnet_lite0", "text": "mlp"},
    multilabel=True,
    summary="MS-COCO with the words of the five captions of each image (your own copy)",
    homepage="https://cocodataset.org/#download",
    files=("coco",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return MS-COCO for image and for cross-modal retrieval."""
    return (COCO, COCO_CAPTIONS)
