"""torchvision's classification networks, cut before their last layer, as the papers cut theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import nn

from hashzoo.errors import UsageError, WorkError, unknown_name
from hashzoo.files import file_sha256
from hashzoo.models.backbones.image import ImageBackbone, measure_feature_dim
from hashzoo.models.preprocessing import INTERPOLATIONS, Preprocessing
from hashzoo.models.weights import fetch_failed, load_weights, read_weights
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


def members() -> list[str]:
    """Return the names of torchvision's classifiers."""
    models = import_torchvision().models
    return [str(name) for name in models.list_models(module=models)]


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
    """Return the network with torchvision's published weights.

    The file is fetched by torch.hub and then read here: without pickle, and only if its sha256 begins as its name says,
    each time, because anything can be put where torch.hub keeps its files.
    """
    import torch.hub

    file = Path(torch.hub.get_dir()) / "checkpoints" / published.url.rpartition("/")[2]
    if not file.is_file():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(published.url, str(file), published_digest(published.url), progress=False)
        except Exception as error:
            raise fetch_failed(f"torchvision/{model}", error) from error
    if not file_sha256(file).startswith(published_digest(published.url)):
        raise WorkError(
            f"{file} is not the file that torchvision publishes for {model!r} by its sha256; it is not opened. Move it "
            "away and repeat the command, which fetches it again."
        )
    auxiliary = {"aux_logits": True, "transform_input": True, "init_weights": False}
    network: nn.Module = models.get_model(
        model, weights=None, **(auxiliary if model in ("googlenet", "inception_v3") else {})
    )
    network.load_state_dict(read_weights(file))
    return network


def published_digest(url: str) -> str:
    """Return the first digits of a file's sha256, which torchvision writes into its name: resnet50-0676ba61.pth."""
    found = re.search(r"-([a-f0-9]{8,})\.", url)
    if found is None:
        raise WorkError(f"The name of {url} holds no digest, so the file cannot be checked; give --weights PATH.")
    return found[1]


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
