"""MIRFLICKR-25K: published lists for image retrieval, tags for cross-modal retrieval. The images are the user's."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

_HOMEPAGE = "https://press.liacs.nl/mirflickr"
_PAIRS = (("image", "text"), ("text", "image"))
_RANDOM = "the published draws are random; ours is fixed"

MIRFLICKR = Dataset(
    name="mirflickr",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="mirflickr38-4k",
            dataset="mirflickr",
            sizes=(1000, 4000, 20000),
            sha256="0fdaaec134f3b97fe30a24ca986d1f783fb230e825bec1ff2e8048f8d0f958cf",
            aliases=("dhn-flickr", "deephash-pytorch-mirflickr"),
            source="lists of swuxyj/DeepHash-pytorch (data/mirflickr); sizes of Zhu et al. (DHN), AAAI 2016",
            summary="three disjoint parts of all 25,000 images; 38 labels, with all but the same relevance as the 24",
            status="published list",
            flaws="19 queries, 72 training images and 328 database images have no label, so that mAP ends at 0.981",
        ),
    ),
    load="hashzoo_mirflickr.loader:load",
    backbones={"image": "efficientnet_lite0"},
    multilabel=True,
    summary="MIRFLICKR-25K: 25,000 photographs with 38 labels (your own copy)",
    homepage=_HOMEPAGE,
    files=("mirflickr25k",),
)

MIRFLICKR_TAGS = Dataset(
    name="mirflickr-tags",
    modalities={"image": "image", "text": "vector"},
    protocols=(
        Protocol(
            id="mirflickr-bow",
            dataset="mirflickr-tags",
            sizes=(2000, 10000, 18015),
            pairs=_PAIRS,
            bits=(16, 32, 64),
            aliases=("dcmh-flickr", "ssah-flickr"),
            source="sizes and items: Jiang and Li (DCMH), CVPR 2017; lists drawn here",
            summary="the 20,015 images with one of the 24 labels and one of the 1,386 tags of at least 20 images",
            flaws=_RANDOM,
        ),
        Protocol(
            id="mirflickr-bow-5k",
            dataset="mirflickr-tags",
            sizes=(2000, 5000, 18015),
            pairs=_PAIRS,
            bits=(16, 32, 64, 128),
            headline="map@50",
            aliases=("djsrh-flickr",),
            source="Su et al. (DJSRH), ICCV 2019: its rule, label by label, without its randomness",
            summary="160 and 80 queries, 400 and 200 training pairs of the first and of every other label",
            flaws=_RANDOM,
        ),
        Protocol(
            id="mirflickr-24581-10k",
            dataset="mirflickr-tags",
            sizes=(5000, 10000, 19581),
            sha256="12edb86fdbfb698957576bc2c63971a53832007b17f9f2086f3903319b39575e",
            pairs=_PAIRS,
            bits=(16, 32, 64),
            aliases=("dchmt-flickr",),
            source="sizes and items: Tu et al. (DCHMT), ACM MM 2022; lists drawn here",
            summary="the 24,581 images with one of the 24 labels; texts may be empty",
            flaws=_RANDOM,
        ),
    ),
    load="hashzoo_mirflickr.loader:load_tags",
    backbones={"image": "efficientnet_lite0", "text": "mlp"},
    multilabel=True,
    summary="MIRFLICKR-25K with its users' tags as text and 24 labels (your own copy)",
    homepage=_HOMEPAGE,
    files=("mirflickr25k",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return MIRFLICKR-25K for image and for cross-modal retrieval."""
    return (MIRFLICKR, MIRFLICKR_TAGS)
