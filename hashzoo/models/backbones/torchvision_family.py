"""torchvision's classification networks, cut before their last layer, as the papers cut theirs."""

from __future__ import annotations

from typing import Any

from torch import nn

from hashzoo.errors import UsageError, unknown_name
from hashzoo.models.backbones.image import ImageBackbone, measure_feature_dim
from hashzoo.models.preprocessing import INTERPOLATIONS, Preprocessing
from hashzoo.models.weights import fetch_failed, load_weights
from hashzoo.torchvision_compat import import_torchvision


def build_torchvision(
    model: str,
    weights: str = "pretrained",
    size: int = 0,
    interpolation: str = "",
    augment: str = "none",
    resize: int = 0,
) -> ImageBackbone:
    """Build torchvision's `model` without its last layer.

    Pretrained weights are IMAGENET1K_V1, those the papers used, and where a model lacks them torchvision's
    default. Mean, standard deviation, and where not given size and interpolation are those that belong to
    the weights; nothing is cropped unless `resize` or `augment` says so.
    """
    models = import_torchvision().models
    known = models.list_models(module=models)
    if model not in known:
        raise unknown_name("torchvision model", model, known)
    published = models.get_model_weights(model)
    chosen = published.IMAGENET1K_V1 if "IMAGENET1K_V1" in published.__members__ else published.DEFAULT
    preset = chosen.transforms()
    own = preset.interpolation.value
    size = size or int(preset.crop_size[0])
    if weights == "pretrained":
        network = _fetch(models, model, chosen)
    else:
        network = models.get_model(model, weights=None, **_untrained(model, size))
    network, head = _cut(_without_auxiliaries(network), model)
    if weights not in ("pretrained", "random"):
        load_weights(network, weights, head=head)
    preprocessing = Preprocessing(
        size,
        interpolation or (own if own in INTERPOLATIONS else "bilinear"),
        tuple(preset.mean),
        tuple(preset.std),
        augment,
        resize,
    )
    return ImageBackbone(network, measure_feature_dim(network, size, f"torchvision/{model}"), preprocessing)


def build_alexnet(
    weights: str = "pretrained",
    size: int = 224,
    interpolation: str = "bilinear",
    augment: str = "none",
    resize: int = 0,
) -> ImageBackbone:
    """Build torchvision's AlexNet up to fc7 and its ReLU, D = 4096; it is not CaffeNet."""
    return build_torchvision("alexnet", weights, size, interpolation, augment, resize)


def build_vgg16(
    weights: str = "pretrained",
    size: int = 224,
    interpolation: str = "bilinear",
    augment: str = "none",
    resize: int = 0,
) -> ImageBackbone:
    """Build torchvision's VGG16 with the first 6 modules of its classifier (GreedyHash's cut), D = 4096."""
    return build_torchvision("vgg16", weights, size, interpolation, augment, resize)


def build_resnet50(
    weights: str = "pretrained",
    size: int = 224,
    interpolation: str = "bilinear",
    augment: str = "none",
    resize: int = 0,
) -> ImageBackbone:
    """Build torchvision's ResNet50 up to its average pool, D = 2048."""
    return build_torchvision("resnet50", weights, size, interpolation, augment, resize)


def _fetch(models: Any, model: str, published: Any) -> nn.Module:
    try:
        network: nn.Module = models.get_model(model, weights=published)
    except Exception as error:
        raise fetch_failed(f"torchvision/{model}", error) from error
    return network


def _untrained(model: str, size: int) -> dict[str, Any]:
    if model.startswith("vit_"):
        return {"image_size": size}
    if model in ("googlenet", "inception_v3"):
        return {"init_weights": True}
    return {}


def _without_auxiliaries(network: Any) -> nn.Module:
    """GoogLeNet and Inception have classifiers beside the main one, for training only."""
    if hasattr(network, "aux_logits"):
        network.aux_logits = False
        network.AuxLogits = network.aux1 = network.aux2 = None
    module: nn.Module = network
    return module


def _cut(network: nn.Module, model: str) -> tuple[nn.Module, str]:
    """Replace the last layer by nothing; return the network and the layer's name in a state_dict."""
    parts: Any = network
    if isinstance(getattr(parts, "fc", None), nn.Linear):  # ResNet, ResNeXt, RegNet, ShuffleNet, GoogLeNet, Inception
        parts.fc = nn.Identity()
        return network, "fc"
    if isinstance(getattr(parts, "head", None), nn.Linear):  # Swin
        parts.head = nn.Identity()
        return network, "head"
    if hasattr(parts, "heads"):  # ViT
        parts.heads = nn.Identity()
        return network, "heads"
    last: Any = parts.classifier
    if isinstance(last, nn.Linear):  # DenseNet
        parts.classifier = nn.Identity()
        return network, "classifier"
    if isinstance(last[-1], nn.Linear):  # AlexNet, VGG, MobileNet, EfficientNet, ConvNeXt, MNASNet, MaxViT
        parts.classifier = last[:-1]
        return network, f"classifier.{len(last) - 1}"
    if isinstance(last[1], nn.Conv2d):  # SqueezeNet: the last convolution has one channel per class
        parts.classifier = last[-1]
        return network, "classifier.1"
    raise UsageError(f"Where to cut torchvision's {model!r} is not known; use timm/{model} if timm has it.")
