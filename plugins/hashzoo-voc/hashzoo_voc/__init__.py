"""PASCAL VOC 2012 with the lists of DeepHash-pytorch. The images are the user's."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

VOC2012 = Dataset(
    name="voc2012",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="voc2012-4k",
            dataset="voc2012",
            sizes=(1000, 4000, 6540),
            sha256="1331374e6e4e33184bd2165bb0b5384e6b40e39a2c8ed5d03b1014e0bb7d8482",
            aliases=("deephash-pytorch-voc2012",),
            source="lists of swuxyj/DeepHash-pytorch (data/voc2012)",
            summary="three disjoint parts of the 11,540 trainval images of the classification task",
            status="published list",
            flaws="drawn without a seed; objects marked as difficult do not count as labels",
        ),
    ),
    load="hashzoo_voc.loader:load",
    backbones={"image": "efficientnet_lite0"},
    multilabel=True,
    summary="PASCAL VOC 2012: 11,540 photographs with 20 labels (your own copy)",
    homepage="http://host.robots.ox.ac.uk/pascal/VOC/voc2012",
    files=("voc2012",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return PASCAL VOC 2012."""
    return (VOC2012,)
