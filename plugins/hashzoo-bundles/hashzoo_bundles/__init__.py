"""The cross-modal bundles in circulation: images (or features), texts and labels in files of arrays."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

_PAIRS = (("image", "text"), ("text", "image"))
_ORDER = "holds for the bundle's own row order, which no file proves"

_TORCHCMH = "torchcmh (WangGodder/deep-cross-modal-hashing): one permutation of the rows with a fixed seed"
_MITH = "Liu et al. (MITH), ACM MM 2023: one permutation of the rows with seed 1"
_UCCH = "Hu et al. (UCCH), TPAMI 2022, feature loader: the last rows query all others, which are also trained on"
_DADH = "Bai et al. (DADH), ICMR 2020: rows in order"

# id, queries, train, database, sha256, source, aliases
_PIXELS = (
    (
        "mirflickr-bow-first", (2000, 10000, 18015),
        "8f6efc7f3906b4427982fea240228b15748e1564a8c70bea54850ca5354d30aa",
        "DCMH's TensorFlow code: the first 2,000 rows query the others, of which the first 10,000 are trained on",
        ("dcmh-tensorflow-flickr",),
    ),
    (
        "mirflickr-bow-torchcmh", (2000, 10000, 18015),
        "822658b2ab72d72baed09f9f3c1ab430f0479ea2efa9bc92f160852fc2277c8c", _TORCHCMH, ("torchcmh-mirflickr",),
    ),
    (
        "nuswide21-bow-torchcmh", (2100, 10500, 193734),
        "e2bfc0f47d6704d693b0b0e857052f6cf597fe7c75e67702f7740472b0bd67a5", _TORCHCMH, ("torchcmh-nuswide",),
    ),
    (
        "iaprtc12-bow-torchcmh", (2000, 10000, 18000),
        "cb4f7776d1f50e19b3464fdf4b9502d80bd8545202152ceb43e82b0d843a0f89", _TORCHCMH, ("torchcmh-iapr",),
    ),
    (
        "coco-bow-torchcmh", (5000, 10000, 117218),
        "97efd3dd6cd54395c6717296b37e02f652b92fca28d82e33a5bcf5580bd58826", _TORCHCMH, ("torchcmh-coco",),
    ),
    (
        "mirflickr-bow-mith", (2000, 10000, 18015),
        "a1bfbabaad9cd27454b05f74af880b3f6e06bc6185db5db432ecfd3ad641a445", _MITH, ("mith-flickr",),
    ),
    (
        "nuswide21-bow-mith", (2100, 10500, 188321),
        "24c117453a8d9c89c279bd9eaaa949f306be46971cb029171016190984c37b3a", _MITH, ("mith-nuswide",),
    ),
    (
        "coco-captions-mith", (5000, 10000, 117218),
        "7787c8fc4400d02a7d023863ea087648145953f5354b0f1de7bf2c804a93b19d", _MITH, ("mith-coco",),
    ),
)  # fmt: skip
_VECTORS = (
    (
        "mirflickr-vector-ucch", (2000, 18015, 18015),
        "d37a0138a1f9f855af3c14d7d0b848c70f100f92610357785c0be4e685dac356", _UCCH, ("ucch-flickr",),
    ),
    (
        "nuswide10-vector-ucch", (2100, 184477, 184477),
        "1159904f08cbd1794edae29eccc17a6680055724db4bbc14fa16567e00b6b9ac", _UCCH, ("ucch-nuswide",),
    ),
    (
        "mirflickr-vector-dadh", (2000, 10000, 18015),
        "306b55d8c49526b71f9863ac8074e33695e761dab58686fb7452f8c53c8dac36", _DADH, ("dadh-flickr",),
    ),
    (
        "nuswide21-vector-dadh", (2100, 10000, 193734),
        "94ab0955504f3b1b7ff1edc293db5016f50b453b7792096fb3684371073f9398", _DADH, ("dadh-nuswide",),
    ),
)  # fmt: skip


def _dataset(name: str, kind: str, backbone: str, pinned: tuple[tuple, ...], summary: str) -> Dataset:
    own = Protocol(
        id=name,
        dataset=name,
        sizes=(0, 0, 0),
        pairs=_PAIRS,
        bits=(16, 32, 64),
        source="the user's own",
        summary="the file's own parts, or drawn from its rows by sha256",
    )
    rules = tuple(
        Protocol(
            id=identifier,
            dataset=name,
            sizes=sizes,
            sha256=sha256,
            pairs=_PAIRS,
            bits=(16, 32, 64),
            aliases=aliases,
            source=source,
            summary="rows of the bundle by a published rule",
            status="published rule",
            flaws=_ORDER,
        )
        for identifier, sizes, sha256, source, aliases in pinned
    )
    return Dataset(
        name=name,
        modalities={"image": kind, "text": "vector"},
        protocols=(own, *rules),
        load=f"hashzoo_bundles.loader:load_{'images' if kind == 'image' else 'features'}",
        backbones={"image": backbone, "text": "mlp"},
        multilabel=True,
        summary=summary,
    )


BUNDLE = _dataset(
    "bundle", "image", "efficientnet_lite0", _PIXELS, "your copy of a cross-modal bundle of images: path=FILE or FOLDER"
)
BUNDLE_FEATURES = _dataset(
    "bundle-features", "vector", "mlp", _VECTORS, "your copy of a cross-modal bundle of features: path=FILE or FOLDER"
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return the bundles of images and those of features."""
    return (BUNDLE, BUNDLE_FEATURES)
