"""CIFAR-10 with the lists of DCH, the only published ones that can be mapped to the official batches."""

from collections.abc import Iterable

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

CIFAR10_LISTS = Dataset(
    name="cifar10-lists",
    modalities={"image": "image"},
    protocols=(
        Protocol(
            id="cifar10-dch",
            dataset="cifar10-lists",
            sizes=(1000, 5000, 54000),
            sha256="2226ac213168759ac195eb73fd7ef037fd301f2f12b1df71f6dd5ecdba0d159c",
            aliases=("dch-cifar10", "dch-cifar10-lists"),
            source="Cao et al. (DCH), CVPR 2018: lists of thulab/DeepHash (data/cifar10)",
            summary="DCH's lists over the pixels and labels of the official batches; three disjoint parts",
            status="published list",
            flaws="the lists hold no labels (CIFAR-10's own are used); DCH's images were JPEG, these are the originals",
        ),
    ),
    load="hashzoo_cifar_lists.loader:load",
    backbones={"image": "efficientnet_lite0"},
    summary="CIFAR-10 from the official batches, with published lists",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    files=("cifar-10-batches-py",),
)


@hookimpl
def hashzoo_register_datasets() -> Iterable[Dataset]:
    """Return CIFAR-10 with published lists."""
    return (CIFAR10_LISTS,)
