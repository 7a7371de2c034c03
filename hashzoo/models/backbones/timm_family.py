"""Every image model of timm, without its classifier and with its own data configuration."""

from __future__ import annotations

import difflib
from typing import Any

from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.backbones.image import ImageBackbone, measure_feature_dim
from hashzoo.models.preprocessing import INTERPOLATIONS, Preprocessing
from hashzoo.models.weights import fetch_failed, load_weights, no_pretrained
from hashzoo.torchvision_compat import import_torchvision


def build_timm(
    model: str,
    weights: str = "pretrained",
    size: int = 0,
    interpolation: str = "",
    augment: str = "none",
    resize: int = 0,
) -> ImageBackbone:
    """Build timm's `model` (with a tag if wanted: "resnet50.a1_in1k"), num_classes=0, with its own pooling.

    Mean, standard deviation, and where not given size and interpolation are the model's own data
    configuration; nothing is cropped unless `resize` or `augment` says so.
    """
    import_torchvision()
    import timm
    from timm.data.config import resolve_model_data_config

    name = f"timm/{model}"
    base = model.partition(".")[0]
    if not timm.is_model(base):
        near = difflib.get_close_matches(base, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}? T" if near else "t"
        raise UsageError(
            f"timm has no model {model!r}; {hint}o see its list: python -c 'import timm; print(timm.list_models())'."
        )
    network: Any = _create(name, model, weights, {})
    if size and network.pretrained_cfg.get("fixed_input_size"):
        network = _create(name, model, weights, {"img_size": size})
    if weights not in ("pretrained", "random"):
        load_weights(network, weights, head=str(network.pretrained_cfg.get("classifier") or ""))
    config = resolve_model_data_config(network)  # type: ignore[no-untyped-call] # timm has no types here
    if config["input_size"][0] != 3:
        raise UsageError(f"Backbone {name!r} takes {config['input_size'][0]} channels, not 3; choose another.")
    chosen = interpolation or (config["interpolation"] if config["interpolation"] in INTERPOLATIONS else "bilinear")
    size = size or int(config["input_size"][-1])
    preprocessing = Preprocessing(size, chosen, tuple(config["mean"]), tuple(config["std"]), augment, resize)
    return ImageBackbone(network, measure_feature_dim(network, size, name), preprocessing)


def members() -> list[str]:
    """Return the names of timm's models; those with weights may have tags too."""
    import_torchvision()
    import timm

    return [str(name) for name in timm.list_models()]


def _create(name: str, model: str, weights: str, options: dict[str, Any]) -> nn.Module:
    import timm

    pretrained = weights == "pretrained"
    if pretrained and not timm.get_pretrained_cfg(model, allow_unregistered=False):
        raise no_pretrained(name)
    try:
        network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=0, **options)
    except Exception as error:  # timm, its hub client and the HTTP library each raise kinds of their own
        if pretrained:
            raise fetch_failed(name, error) from error
        raise UsageError(f"timm cannot build {name!r}: {error}") from error
    return network
