"""HashModel: one backbone and hash layer per modality, hash layers in float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.backbones.vector import MLP, Identity
from hashzoo.models.hash_layers import LinearHashLayer, TanhHashLayer
from hashzoo.models.hash_model import HashModel
from hashzoo.specs import Problem

PROBLEM = Problem(bits=4, num_classes=2, num_train=8, modalities=("image", "text"))


def two_modalities() -> HashModel:
    return HashModel(
        {"image": Identity(5), "text": MLP(3, hidden=7)},
        {"image": LinearHashLayer(5, PROBLEM), "text": TanhHashLayer(7, PROBLEM)},
    )


def test_shapes_by_modality():
    model = two_modalities()
    image = model("image", torch.randn(2, 5))
    text = model("text", torch.randn(3, 3))
    assert (image.features.shape, image.relaxed.shape, image.codes.shape) == ((2, 5), (2, 4), (2, 4))
    assert (text.features.shape, text.relaxed.shape, text.codes.shape) == ((3, 7), (3, 4), (3, 4))


def test_codes_are_those_of_float32_under_autocast():
    """Relaxed outputs that bfloat16 cannot tell apart keep their sign: 256.0 and 257.0 are one value in bfloat16."""
    model = HashModel(
        {"image": Identity(2)}, {"image": LinearHashLayer(2, Problem(bits=1, num_classes=2, num_train=2))}
    )
    with torch.no_grad():
        model.hash_layers["image"].linear.weight.copy_(torch.tensor([[1.0, -1.0]]))
    inputs = torch.tensor([[256.0, 257.0]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model("image", inputs)
    assert output.relaxed.dtype == torch.float32
    assert output.relaxed.item() == -1.0
    assert output.codes.item() == -1.0


def test_features_of_a_half_precision_backbone_become_float32():
    model = HashModel({"text": MLP(3, hidden=6)}, {"text": LinearHashLayer(6, PROBLEM)})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.backbones["text"](torch.randn(2, 3)).dtype == torch.bfloat16
        output = model("text", torch.randn(2, 3))
    assert {output.features.dtype, output.relaxed.dtype, output.codes.dtype} == {torch.float32}


def test_start_epoch_reaches_the_hash_layers_that_define_it():
    class Schedule(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[int, int]] = []

        def start_epoch(self, epoch: int, epochs: int) -> None:
            self.seen.append((epoch, epochs))

    layer = Schedule()
    model = HashModel({"a": nn.Identity(), "b": nn.Identity()}, {"a": layer, "b": nn.Identity()})
    model.start_epoch(3, 10)
    assert layer.seen == [(3, 10)]


def test_unknown_or_unmatched_modalities_are_refused():
    with pytest.raises(UsageError, match="'audio'"):
        two_modalities()("audio", torch.zeros(1, 5))
    with pytest.raises(UsageError, match="one hash layer per backbone"):
        HashModel({"image": nn.Identity()}, {"text": nn.Identity()})


def test_vector_backbones():
    torch.manual_seed(0)
    network = MLP(50, hidden=2000)
    assert network.feature_dim == 2000
    assert network.linear.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert network.linear.bias.std().item() == pytest.approx(0.01, rel=0.1)
    inputs = torch.randn(3, 50)
    expected = (inputs @ network.linear.weight.T + network.linear.bias).clamp(min=0)
    assert torch.allclose(network(inputs), expected, atol=1e-6)
    assert MLP(10).feature_dim == 8192
    assert torch.equal(Identity(4)(torch.ones(2, 4, dtype=torch.float64)), torch.ones(2, 4))


@pytest.mark.parametrize("build", [MLP, Identity])
def test_vector_backbones_refuse_what_they_were_not_built_for(build):
    with pytest.raises(UsageError, match=r"\(N, 4\)"):
        build(4)(torch.zeros(2, 5))
    with pytest.raises(UsageError, match="in_features"):
        build(0)
