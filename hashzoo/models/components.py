"""The backbones and hash layers that come with hashzoo, registered through its own hooks."""

from __future__ import annotations

from dataclasses import replace

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Component

hashzoo_api = 2

_BACKBONES = "hashzoo.models.backbones"


def _image(name: str, module: str, builder: str, summary: str, pretrained: bool = True) -> Component:
    return Component(name, f"{_BACKBONES}.{module}:{builder}", summary, accepts="image", pretrained=pretrained)


@hookimpl
def hashzoo_register_backbones() -> list[Component]:
    """Return the image networks, the text network, and those that hand on pixels or features as they are."""
    return [
        _image(
            "alexnet",
            "torchvision_family",
            "build_alexnet",
            "torchvision's AlexNet up to fc7 and its ReLU, D = 4096",
        ),
        _image(
            "vgg16",
            "torchvision_family",
            "build_vgg16",
            "torchvision's VGG16, first 6 classifier modules, D = 4096",
        ),
        _image(
            "resnet50",
            "torchvision_family",
            "build_resnet50",
            "torchvision's ResNet50 to its average pool, D = 2048",
        ),
        _image(
            "efficientnet_lite0",
            "lite0",
            "build_efficientnet_lite0",
            "EfficientNet-Lite0, D = 1280; ImageNet weights from a pip package, works offline",
        ),
        _image(
            "smallcnn",
            "smallcnn",
            "build_smallcnn",
            "small network for tiny images, from scratch, D = 128",
            False,
        ),
        _image("cnn-f", "cnn_f", "build_cnn_f", "CNN-F (VGG-F) up to fc7, D = 4096; DCMH's image network", False),
        replace(
            _image("timm/", "timm_family", "build_timm", "any timm model without its classifier: timm/<model>"),
            members=f"{_BACKBONES}.timm_family:members",
        ),
        replace(
            _image(
                "torchvision/",
                "torchvision_family",
                "build_torchvision",
                "any torchvision classifier without its last layer: torchvision/<model>",
            ),
            members=f"{_BACKBONES}.torchvision_family:members",
        ),
        Component(
            "mlp",
            f"{_BACKBONES}.vector:MLP",
            "DCMH's text network: one layer of 8192 ReLU units",
            "vector",
        ),
        Component("pixels", f"{_BACKBONES}.raw:Pixels", "the pixels of an image as they are", "image"),
        Component("identity", f"{_BACKBONES}.vector:Identity", "the features as they are", "vector"),
    ]


@hookimpl
def hashzoo_register_hash_layers() -> list[Component]:
    """Return the generic hash layers, and those of the floors and the ceiling."""
    return [
        Component(
            "linear",
            "hashzoo.models.hash_layers:LinearHashLayer",
            "linear; codes are the sign, without gradient",
        ),
        Component(
            "tanh",
            "hashzoo.models.hash_layers:TanhHashLayer",
            "linear and tanh; codes are the sign, without gradient",
        ),
        Component("random-codes", "hashzoo.models.floor_layers:RandomCodes", "pseudo-random bits (floor)"),
        Component("projection", "hashzoo.models.hash_layers:Projection", "an affine map that a fitter finds"),
        Component("anchors", "hashzoo.models.hash_layers:Anchors", "an RBF expansion on anchors that a fitter finds"),
        Component("uncoded", "hashzoo.models.floor_layers:Uncoded", "the features themselves (ceiling)"),
    ]
