"""IAPR TC-12: photographs with English descriptions, and SAIAPR's 255 labels. Images and texts are the user's."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

IAPRTC12 = Dataset(
    name="iaprtc12",
    modalities={"image": "image", "text": "vector"},
    protocols=(
        Protocol(
            id="iaprtc12-bow",
            dataset="iaprtc12",
            sizes=(2000, 10000, 0),
            pairs=(("image", "text"), ("text", "image")),
            bits=(16, 32, 64),
            aliases=("dcmh-iapr",),
            source="sizes: Jiang and Li (DCMH), CVPR 2017; lists drawn here",
            summary="the images with a label and a description, by id; text are the words of the description",
            flaws="DCMH's 2,912 words are not known: the same number of words is taken by document frequency",
        ),
    ),
    load="hashzoo_iaprtc.loader:load",
    backbones={"image": "efficientnet_lite0", "text": "mlp"},
    multilabel=True,
    summary="IAPR TC-12: 20,000 photographs with descriptions and the 255 labels of SAIAPR (your own copy)",
    homepage="https://www.imageclef.org/photodata",
    files=("iaprtc12",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return IAPR TC-12."""
    return (IAPRTC12,)
