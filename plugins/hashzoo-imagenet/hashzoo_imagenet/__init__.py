"""ImageNet-100: HashNet's 100 classes of ImageNet, with the lists that the field shares. The images are the user's."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

_HASHNET = "Cao et al., ICCV 2017: lists of thuml/HashNet (pytorch/data/imagenet)"

IMAGENET100 = Dataset(
    name="imagenet100",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="imagenet100-13k",
            dataset="imagenet100",
            sizes=(5000, 13000, 128503),
            sha256="228cc1d17ef2eb3ccc5ba2150213dea326d65a27b9be2118a65a2ed446602c3e",
            headline="map@1000",
            aliases=(
                "hashnet-imagenet",
                "greedyhash-imagenet",
                "deephash-pytorch-imagenet",
                "dhd-imagenet",
                "orthohash-imagenet100",
            ),
            source=_HASHNET,
            summary="HashNet's lists: validation images query the training images; 130 a class are trained on",
            status="published list",
            flaws="130 training images a class; HashNet's text says 100",
        ),
        Protocol(
            id="imagenet100-10k",
            dataset="imagenet100",
            sizes=(5000, 10000, 128503),
            sha256="6b2ab9bc9085bac6e0a766509c6621ca1c75ae12c1c6239242c53a0dfa394218",
            headline="map@1000",
            aliases=("hashnet-imagenet-paper",),
            source="sizes: the text of Cao et al., ICCV 2017; training list drawn here, the others are HashNet's",
            summary="100 training images a class, drawn from HashNet's database; its queries and database",
            status="our draw",
            flaws="not the published draw, which is unknown",
        ),
        Protocol(
            id="imagenet100-13k-4983q-asis",
            dataset="imagenet100",
            sizes=(4983, 13000, 128503),
            sha256="500b7dc18e4d1b03ef8661a4b823736dc4b316403f44e86f78af60754b319999",
            headline="map@1000",
            aliases=("csq-imagenet",),
            source="Yuan et al. (CSQ), CVPR 2020: HashNet's queries up to validation image 49,807",
            summary="the queries of CSQ's list, HashNet's training list and database",
            status="published list",
            flaws="17 queries with numbers above 49,807 are lost; CSQ's own database list is not public",
        ),
    ),
    load="hashzoo_imagenet.loader:load",
    backbones={"image": "efficientnet_lite0"},
    summary="ImageNet-100: 133,503 photographs in 100 classes of ILSVRC 2012 (your own copy)",
    homepage="https://www.image-net.org",
    files=("imagenet100",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return ImageNet-100."""
    return (IMAGENET100,)
