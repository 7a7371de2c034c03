"""The pieces of pairwise losses against plain loops, and where formulas break."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hashzoo.errors import UsageError
from hashzoo.losses import (
    PAIRS,
    LastOutputs,
    PairOutputs,
    class_weights,
    cosine,
    cosine_structure,
    jaccard,
    label_cross_entropy,
    log_cosh,
    mean_labelled,
    mean_over,
    off_diagonal,
    pair_logistic,
    share_label,
    sign,
    take_shapes,
    trainable_codes,
    two_roles,
    unit,
    widen,
)
from hashzoo.specs import Batch, HashOutput, Problem


def labels(seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    found = (torch.rand(7, 5, generator=draw) < 0.3).float()
    found[3] = 0.0
    return found


@pytest.mark.parametrize("seed", range(3))
def test_share_label_and_jaccard_are_those_of_sets(seed: int) -> None:
    y = labels(seed)
    owned = [{c for c in range(5) if row[c]} for row in y]
    similar, index = share_label(y, y), jaccard(y)
    for i in range(7):
        for j in range(7):
            union = owned[i] | owned[j]
            assert similar[i, j].item() == float(bool(owned[i] & owned[j]))
            assert index[i, j].item() == pytest.approx(len(owned[i] & owned[j]) / len(union) if union else 0.0)


@given(st.floats(-1e4, 1e4), st.sampled_from([0.0, 1.0]))
@settings(max_examples=60, deadline=None)
def test_pair_logistic_is_softplus_less_the_logit(theta: float, s: float) -> None:
    logit = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    value = pair_logistic(logit, torch.tensor(s, dtype=torch.float64))
    softplus = max(theta, 0.0) + math.log1p(math.exp(-abs(theta)))
    assert value.item() == pytest.approx(softplus - s * theta, abs=1e-9)
    (gradient,) = torch.autograd.grad(value, logit)
    sigma = 1.0 / (1.0 + math.exp(-theta)) if theta > -700 else 0.0
    assert gradient.item() == pytest.approx(sigma - s, abs=1e-12)


@given(st.floats(-300, 300))
@settings(max_examples=60, deadline=None)
def test_log_cosh_and_its_derivative(x: float) -> None:
    value = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    out = log_cosh(value)
    assert out.item() == pytest.approx(math.log(math.cosh(x)), abs=1e-9)
    (gradient,) = torch.autograd.grad(out, value)
    assert gradient.item() == pytest.approx(math.tanh(x), abs=1e-9)


def test_log_cosh_does_not_overflow() -> None:
    assert log_cosh(torch.tensor(1e30)).item() == pytest.approx(1e30)


@pytest.mark.parametrize("weights", ["two_sided", "one_sided", "none"])
@pytest.mark.parametrize("diagonal", [True, False])
def test_weighted_means_are_means_of_each_side(weights: str, diagonal: bool) -> None:
    y = labels(1)
    similar = share_label(y, y)
    counted = torch.ones(7, 7, dtype=torch.bool) if diagonal else off_diagonal(7, y.device)
    values = torch.rand(7, 7, generator=torch.Generator().manual_seed(0))
    sides: dict[bool, list[float]] = {True: [], False: []}
    for i in range(7):
        for j in range(7):
            if diagonal or i != j:
                sides[bool(similar[i, j])].append(values[i, j].item())
    alike, unlike = (sum(sides[s]) / len(sides[s]) for s in (True, False))
    total = len(sides[True]) + len(sides[False])
    expected = {
        "two_sided": alike + unlike,
        "one_sided": alike + len(sides[False]) / total * unlike,
        "none": (sum(sides[True]) + sum(sides[False])) / total,
    }[weights]
    got = mean_over(class_weights(similar, counted, weights) * values, counted)
    assert got.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights", ["two_sided", "one_sided"])
def test_pairs_are_counted_by_a_mask_by_numbers_or_all(weights: str) -> None:
    similar = torch.eye(4)
    mask = off_diagonal(4, similar.device)
    mask[0] = True
    assert torch.equal(class_weights(similar, mask, weights), class_weights(similar, mask.float(), weights))
    everything = torch.ones(4, 4, dtype=torch.bool)
    assert torch.equal(class_weights(similar, everything, weights), class_weights(similar, None, weights))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_side_gets_weight_one(value: float) -> None:
    similar = torch.full((3, 3), value)
    counted = torch.ones(3, 3, dtype=torch.bool)
    assert torch.equal(class_weights(similar, counted), torch.ones(3, 3))
    assert mean_over(similar, torch.zeros(3, 3, dtype=torch.bool)).item() == 0.0


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int8, torch.int64]
)
def test_a_sign_is_one_or_minus_one_in_the_numbers_own_type(dtype: torch.dtype) -> None:
    x = torch.tensor([[-2.0, -0.0, 0.0], [3.0, -1.0, 7.0]], dtype=dtype)
    for numbers, wanted in ((x, [[-1, 1, 1], [1, -1, 1]]), (x.T, [[-1, 1], [1, -1], [1, 1]])):
        found = sign(numbers)
        assert found.dtype == dtype
        assert found.tolist() == wanted
    assert x[0, 0] == -2  # what was given is not written to


def test_a_sign_has_no_gradient_and_no_third_value() -> None:
    x = torch.tensor([math.nan, math.inf, -math.inf, 5e-324, -5e-324], dtype=torch.float64, requires_grad=True)
    assert sign(x).tolist() == [-1, 1, -1, 1, -1]
    assert not sign(x).requires_grad


def test_hidden_labels_are_shared_by_nothing() -> None:
    assert share_label(torch.full((2, 3), math.nan), torch.eye(3)[:2]).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weights", ["two_sided", "one_sided", "none"])
def test_weights_are_the_two_numbers_to_the_last_bit(dtype: torch.dtype, weights: str) -> None:
    similar = (torch.arange(7)[:, None] % 3 == torch.arange(7) % 3).to(dtype) * 0.3  # any number above 0 is similar
    found = class_weights(similar, off_diagonal(7, similar.device), weights)
    alike = float(similar[~torch.eye(7, dtype=torch.bool)].sum())
    w1 = float(torch.tensor(42.0, dtype=dtype) / max(alike, 1.0)) if weights != "none" else 1.0
    w0 = float(torch.tensor(42.0, dtype=dtype) / (42.0 - alike)) if weights == "two_sided" else 1.0
    assert found.dtype == dtype
    assert found.tolist() == [
        [pytest.approx(w1 if i % 3 == j % 3 else w0, rel=1e-6) for j in range(7)] for i in range(7)
    ]
    assert len(found.unique()) == (1 if weights == "none" else 2)


def test_an_unknown_weighting_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'two_sided'"):
        class_weights(torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool), "two-sided")


def test_a_zero_vector_has_no_direction() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-6, 0.0]], requires_grad=True)
    assert unit(x).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0], [0.0, 0.0]]
    assert cosine(x, x)[0].tolist() == pytest.approx([1.0, 0.0, 0.0])
    (gradient,) = torch.autograd.grad(unit(x).sum(), x)
    assert torch.isfinite(gradient).all()
    assert not gradient[1:].any()


def test_half_precision_is_widened_and_double_kept() -> None:
    assert widen(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert widen(torch.zeros(1, dtype=torch.float16)).dtype == torch.float32
    assert widen(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_label_cross_entropy_is_the_mean_over_the_labels_present() -> None:
    draw = torch.Generator().manual_seed(4)
    logits = torch.randn(5, 4, generator=draw, dtype=torch.float64).requires_grad_()
    y = torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0, 1, 0, 1]])
    values = []
    for row, present in zip(logits.tolist(), y.tolist(), strict=True):
        total = math.log(sum(math.exp(v) for v in row))
        own = [total - v for v, one in zip(row, present, strict=True) if one]
        if own:
            values.append(sum(own) / len(own))
    assert label_cross_entropy(logits, y).item() == pytest.approx(sum(values) / len(values), rel=1e-12)
    nothing = label_cross_entropy(logits, torch.zeros(5, 4))
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert nothing.item() == 0.0
    assert not gradient.any()


def test_mean_labelled_leaves_out_what_has_no_label() -> None:
    values = torch.tensor([1.0, math.inf, 5.0])
    y = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    assert mean_labelled(values, y).item() == 3.0
    assert mean_labelled(values, torch.zeros(3, 2)).item() == 0.0


def test_last_outputs_keep_rows_by_index_without_gradient() -> None:
    last = LastOutputs(Problem(bits=2, num_classes=3, num_train=5))
    u = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    found = last.remember(u, Batch({}, torch.eye(3)[:2], torch.tensor([4, 1])))
    assert found.tolist() == [[0, 0], [3, 4], [0, 0], [0, 0], [1, 2]]
    assert not found.requires_grad
    assert last.labels.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    last.prepare(torch.ones(5, 3))
    assert last.labels.all()
    assert set(last.state_dict()) == {"outputs", "labels"}


def test_two_roles_or_a_sentence() -> None:
    assert two_roles(Problem(4, 2, 3, modalities=("image", "text")), "Loss 'toy'") == ("image", "text")
    for modalities in (("image",), ("a", "b", "c")):
        with pytest.raises(UsageError, match=rf"^Loss 'toy' needs two modalities; got {len(modalities)}: choose"):
            two_roles(Problem(4, 2, 3, modalities=modalities), "Loss 'toy'")


def test_codes_without_gradient_are_refused() -> None:
    u = torch.ones(2, 3, requires_grad=True)
    assert torch.equal(trainable_codes(HashOutput(u, u, u.detach().requires_grad_()), "Toy", "toy"), u)
    assert trainable_codes(HashOutput(u, u.detach(), u.detach()), "Toy", "toy").dtype == torch.float32  # evaluation
    with pytest.raises(UsageError, match=r"Toy's loss reaches .* use --hash-layer toy"):
        trainable_codes(HashOutput(u, u, sign(u)), "Toy", "toy")


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("pairs", PAIRS)
def test_cosine_structure_by_plain_loops(pairs: str, center: bool) -> None:
    draws = torch.Generator().manual_seed(0)
    codes, features = (torch.randn(5, k, generator=draws, dtype=torch.float64) for k in (4, 7))
    x = features - features.mean(0) if center else features
    listed = [(0, 2), (1, 3)] if pairs == "halves" else [(i, j) for i in range(5) for j in range(5) if i != j]
    errors = [
        (F.cosine_similarity(codes[i], codes[j], dim=0) - F.cosine_similarity(x[i], x[j], dim=0)) ** 2
        for i, j in listed
    ]
    assert cosine_structure(codes, features, pairs, center).item() == pytest.approx(float(sum(errors)) / len(listed))


def test_buffers_take_the_shape_of_a_state() -> None:
    class Toy(torch.nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.register_buffer("kept", torch.ones(2, width, dtype=torch.float16))
            take_shapes(self, "kept")

    whole = torch.nn.ModuleDict({"loss": Toy(0)})
    whole.load_state_dict(torch.nn.ModuleDict({"loss": Toy(3)}).state_dict())
    assert torch.equal(whole["loss"].kept, torch.ones(2, 3, dtype=torch.float16))
    with pytest.raises(RuntimeError, match=r"Missing key.*kept"):
        whole.load_state_dict({})


def test_outputs_of_both_roles_are_kept_by_row() -> None:
    pair = PairOutputs(Problem(2, 3, 4, modalities=("image", "text")), "Loss 'toy'")
    pair.remember("text", torch.tensor([[1.0, 2.0]], requires_grad=True), torch.tensor([3]))
    assert pair.outputs("text")[3].tolist() == [1.0, 2.0]
    assert pair.outputs("image").abs().sum() == 0
    assert (pair.other("text"), list(pair.state_dict())) == ("image", ["outputs_0", "outputs_1"])
    torch.manual_seed(0)
    drawn = PairOutputs(Problem(2, 3, 4, modalities=("image", "text")), "Loss 'toy'", "normal")
    torch.manual_seed(0)
    assert torch.equal(drawn.outputs_0, torch.randn(4, 2))
    assert torch.equal(drawn.outputs_1, torch.randn(4, 2))
