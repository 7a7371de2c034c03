"""Sign, hash layers and floor layers against hand-computed values and properties."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.errors import UsageError
from hashzoo.losses import sign
from hashzoo.models.floor_layers import RandomCodes, Uncoded
from hashzoo.models.hash_layers import LinearHashLayer, Projection, TanhHashLayer
from hashzoo.specs import Problem
from hashzoo.training.reference_fitters import RandomProjection


def problem(bits: int) -> Problem:
    return Problem(bits=bits, num_classes=3, num_train=10)


def test_sign_has_two_values_and_no_gradient():
    x = torch.tensor([-1e-30, -0.0, 0.0, 1e-30, -5.0, 7.0], requires_grad=True)
    out = sign(x)
    assert out.tolist() == [-1.0, 1.0, 1.0, 1.0, -1.0, 1.0]
    assert not out.requires_grad
    assert sign(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("build", [LinearHashLayer, TanhHashLayer])
def test_initial_values_follow_the_options(build):
    torch.manual_seed(0)
    layer = build(1000, problem(64))
    assert layer.linear.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not layer.linear.bias.any()
    layer = build(1000, problem(256), std=0.5, bias_std=0.01)
    assert layer.linear.weight.std().item() == pytest.approx(0.5, rel=0.05)
    assert layer.linear.bias.std().item() == pytest.approx(0.01, rel=0.3)


def test_linear_and_tanh_by_hand():
    for build, expected in ((LinearHashLayer, [-0.5, 0.0]), (TanhHashLayer, [-np.tanh(0.5), 0.0])):
        layer = build(2, problem(2))
        with torch.no_grad():
            layer.linear.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        relaxed, codes = layer(torch.tensor([[0.5, 1.0]]))
        assert relaxed[0].tolist() == pytest.approx(expected)
        assert codes[0].tolist() == [-1.0, 1.0]
        relaxed.sum().backward()
        assert layer.linear.weight.grad.abs().sum() > 0
        assert not codes.requires_grad


@pytest.mark.parametrize("option", ["std", "bias_std"])
def test_a_negative_deviation_is_refused(option):
    with pytest.raises(UsageError, match=f"{option} must be"):
        LinearHashLayer(4, problem(2), **{option: -1.0})


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 70), st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 1000))
def test_random_codes_do_not_depend_on_the_batch(bits, sizes, seed):
    torch.manual_seed(seed)
    layer = RandomCodes(6, problem(bits))
    features = torch.randn(sum(sizes), 6)
    whole, codes = layer(features)
    parts = torch.cat([layer(part)[0] for part in features.split(sizes)])
    assert torch.equal(whole, parts)
    assert torch.equal(whole, codes)
    assert whole.shape == (sum(sizes), bits)
    assert set(whole.unique().tolist()) <= {-1.0, 1.0}


def test_random_codes_are_the_documented_hash():
    torch.manual_seed(3)
    layer = RandomCodes(2, problem(12))
    row = np.array([1.5, -2.0], dtype="<f4")
    raw = hashlib.shake_256(bytes(layer.seed.tolist()) + row.tobytes()).digest(2)
    bits = f"{int.from_bytes(raw, 'big'):016b}"[:12]
    codes = layer(torch.from_numpy(row)[None])[0][0]
    assert codes.tolist() == [1.0 if bit == "1" else -1.0 for bit in bits]


def test_random_codes_are_balanced_and_change_with_the_seed():
    torch.manual_seed(0)
    features = torch.randn(2000, 4)
    first, second = RandomCodes(4, problem(32)), RandomCodes(4, problem(32))
    a, b = first(features)[0], second(features)[0]
    assert a.mean(0).abs().max() < 0.1  # 4.5 standard deviations of a fair coin
    assert (a * b).mean().abs() < 0.02  # agreement of two seeds is chance
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(features)[0], a)


def lsh(features, bits):
    """The layer `projection` as the fitter of LSH fills it."""
    layer = Projection(features.shape[1], problem(bits))
    layer.load_state_dict(RandomProjection(problem(bits)).fit({"image": features}, None, 0)["image"])
    return layer


def test_lsh_is_centred_by_its_fitter():
    torch.manual_seed(0)
    features = torch.randn(20000, 5) + torch.tensor([100.0, -50.0, 3.0, 0.0, 7.0])
    layer = lsh(features, 8)
    assert (features @ layer.weight >= 0).float().mul(2).sub(1).mean(0).abs().median() > 0.9  # uncentred: constant bits
    np.testing.assert_allclose(layer.mean.numpy(), features.double().mean(0).numpy(), rtol=1e-6)
    relaxed, codes = layer(features)
    assert codes.mean(0).abs().max() < 0.05
    expected = (features - features.mean(0)).double() @ layer.weight.double()
    np.testing.assert_allclose(relaxed.numpy(), expected.numpy(), atol=1e-3)
    assert not list(layer.parameters())
    assert set(layer.state_dict()) == {"mean", "weight", "bias"}


def test_lsh_draws_from_its_seed_alone_and_for_each_role():
    features = {"image": torch.randn(9, 4), "text": torch.randn(9, 4)}
    fitter = RandomProjection(problem(8))
    first = fitter.fit(features, None, 1)
    torch.rand(3)
    again, other = fitter.fit(features, None, 1), fitter.fit(features, None, 2)
    assert torch.equal(first["image"]["weight"], again["image"]["weight"])
    assert not torch.equal(first["image"]["weight"], other["image"]["weight"])
    assert not torch.equal(first["image"]["weight"], first["text"]["weight"])


def test_lsh_collides_as_the_angle_says():
    """Charikar's identity: two vectors at angle t differ in a bit with probability t / pi."""
    pair = torch.tensor([[1.0, 0.0], [0.5, 3**0.5 / 2]])  # 60 degrees
    layer = lsh(torch.cat([pair, -pair]), 20000)  # of mean zero
    codes = layer(pair)[1]
    assert (codes[0] != codes[1]).float().mean().item() == pytest.approx(1 / 3, abs=0.015)


def test_uncoded_hands_the_features_on():
    features = torch.tensor([[0.0, -2.0, 5.0]])
    layer = Uncoded(3, problem(1))
    relaxed, codes = layer(features)
    assert torch.equal(relaxed, features)
    assert codes.tolist() == [[1.0, -1.0, 1.0]]
    layer.load_state_dict({"mean": torch.tensor([1.0, 1.0, 1.0])})
    assert layer(features)[0].tolist() == [[-1.0, -3.0, 4.0]]
