"""DCMH's objective, its gradients and its closed-form codes, against plain loops and brute force."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hashzoo_dcmh.losses import DCMHLoss

from hashzoo import Batch, HashOutput, Problem, UsageError

N, BITS, CLASSES = 6, 3, 3


def problem(n: int = N, bits: int = BITS, modalities: tuple[str, ...] = ("image", "text")) -> Problem:
    return Problem(bits=bits, num_classes=CLASSES, num_train=n, multilabel=True, modalities=modalities)


def filled(gamma: float = 0.7, eta: float = 0.3) -> DCMHLoss:
    draw = torch.Generator().manual_seed(1)
    loss = DCMHLoss(problem(), gamma=gamma, eta=eta).double()
    loss.outputs_0.copy_(torch.randn(N, BITS, generator=draw))
    loss.outputs_1.copy_(torch.randn(N, BITS, generator=draw))
    loss.labels.copy_((torch.rand(N, CLASSES, generator=draw) < 0.4).double())
    loss.labels[2] = 0.0  # an unlabelled pair
    loss.update_codes()
    return loss


def similar(a: torch.Tensor, b: torch.Tensor) -> bool:
    return any(x == 1 and y == 1 for x, y in zip(a.tolist(), b.tolist(), strict=True))


def parts(loss: DCMHLoss) -> dict[str, float]:
    """Return the three parts of J over all train pairs, by loops."""
    f, g, b, y = (x.tolist() for x in (loss.outputs_0, loss.outputs_1, loss.codes, loss.labels))
    pairwise = quantization = 0.0
    for i in range(N):
        for j in range(N):
            theta = 0.5 * sum(f[i][k] * g[j][k] for k in range(BITS))
            s = similar(torch.tensor(y[i]), torch.tensor(y[j]))
            pairwise += math.log(1.0 + math.exp(theta)) - s * theta
        for k in range(BITS):
            quantization += (b[i][k] - f[i][k]) ** 2 + (b[i][k] - g[i][k]) ** 2
    balance = sum(sum(row[k] for row in side) ** 2 for side in (f, g) for k in range(BITS))
    return {"pairwise": pairwise, "quantization": 0.7 * quantization, "balance": 0.3 * balance}


def test_over_all_rows_the_terms_are_the_objective() -> None:
    loss = filled()
    expected = parts(loss)
    rows = torch.arange(N)
    image, text = (loss.terms(m, loss.outputs(m), rows, loss.labels) for m in ("image", "text"))
    scale = N * N
    for terms in (image, text):  # every cross-modal pair is in both
        assert terms["pairwise"].item() * scale == pytest.approx(expected["pairwise"], rel=1e-12)
    for name in ("quantization", "balance"):  # each modality has its own half
        assert (image[name] + text[name]).item() * scale == pytest.approx(expected[name], rel=1e-12)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_gradient_of_a_batch_is_the_papers(modality: str) -> None:
    loss = filled()
    index = torch.tensor([4, 0, 2])
    fresh = torch.randn(3, BITS, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    (got,) = torch.autograd.grad(sum(loss.terms(modality, fresh, index, loss.labels[index]).values()), fresh)
    own, across = loss.outputs(modality).clone(), loss.outputs(loss.other(modality))
    own[index] = fresh.detach()
    total = own.sum(dim=0)
    for row, i in enumerate(index.tolist()):
        expected = torch.zeros(BITS, dtype=torch.float64)
        for j in range(N):
            theta = 0.5 * float(own[i] @ across[j])
            s = similar(loss.labels[i], loss.labels[j])
            expected += 0.5 * (1.0 / (1.0 + math.exp(-theta)) - s) * across[j]
        expected += 2.0 * 0.7 * (own[i] - loss.codes[i]) + 2.0 * 0.3 * total
        assert torch.allclose(got[row] * 3 * N, expected, atol=1e-12)


def test_stale_rows_of_the_batch_do_not_count() -> None:
    one, other = filled(), filled()
    index, fresh = torch.tensor([1, 5]), torch.ones(2, BITS, dtype=torch.float64)
    other.remember("image", fresh, index)
    first, second = (x.terms("image", fresh, index, x.labels[index]) for x in (one, other))
    for name, value in first.items():
        assert value.item() == pytest.approx(second[name].item(), rel=1e-12)


def test_codes_are_the_minimum_of_the_objective() -> None:
    draw = torch.Generator().manual_seed(3)
    loss = DCMHLoss(problem(n=3, bits=3))
    loss.outputs_0.copy_(torch.randn(3, 3, generator=draw))
    loss.outputs_1.copy_(torch.randn(3, 3, generator=draw))
    loss.update_codes()
    f, g = loss.outputs_0, loss.outputs_1

    def cost(codes: torch.Tensor) -> float:
        return float(((codes - f) ** 2).sum() + ((codes - g) ** 2).sum())

    every = [torch.tensor(signs).reshape(3, 3) for signs in itertools.product((-1.0, 1.0), repeat=9)]
    best = min(every, key=cost)
    assert torch.equal(loss.codes, best)


def test_first_outputs() -> None:
    zeros = DCMHLoss(problem(), start="zeros")
    assert not zeros.outputs_0.any()
    assert not zeros.codes.any()  # as in the released code: no pull to -1 or +1 in the first epoch
    normal = DCMHLoss(problem(n=2000, bits=16))
    assert normal.outputs_1.mean().item() == pytest.approx(0.0, abs=0.03)
    assert normal.outputs_1.std().item() == pytest.approx(1.0, abs=0.03)
    assert (normal.codes.abs() == 1).all()


def test_joint_call_is_the_mean_of_both_modalities() -> None:
    loss, reference = filled(), filled()
    index = torch.tensor([3, 1])
    draw = torch.Generator().manual_seed(4)
    relaxed = {m: torch.randn(2, BITS, dtype=torch.float64, generator=draw) for m in ("image", "text")}
    output = {m: HashOutput(features=z, relaxed=z, codes=z.sign()) for m, z in relaxed.items()}
    labels = loss.labels[index].clone()
    got = loss(output, Batch({}, labels, index))
    for m, z in relaxed.items():
        reference.remember(m, z, index)
    both = [reference.terms(m, z, index, labels) for m, z in relaxed.items()]
    for name, value in got.items():
        assert value.item() == pytest.approx(0.5 * (both[0][name] + both[1][name]).item(), rel=1e-12)
    assert torch.equal(loss.outputs_0[index], relaxed["image"])
    assert torch.equal(loss.outputs_1[index], relaxed["text"])


def test_large_outputs_stay_finite() -> None:
    loss = DCMHLoss(problem(bits=BITS))
    loss.labels[:] = 1.0
    for dtype in (torch.bfloat16, torch.float32):
        for value in (0.0, 1e4, -1e4):
            fresh = torch.full((2, BITS), value, dtype=dtype, requires_grad=True)
            index = torch.tensor([0, 1])
            loss.remember("text", fresh * 100.0, index)
            total = sum(loss.terms("image", fresh, index, loss.labels[index]).values())
            (gradient,) = torch.autograd.grad(total, fresh)
            assert total.dtype == torch.float32
            assert torch.isfinite(total)
            assert torch.isfinite(gradient).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        DCMHLoss(problem(modalities=("image",)))
    z = torch.zeros(2, BITS)
    one = HashOutput(z, z, z)
    with pytest.raises(UsageError, match="needs the outputs of image and text"):
        DCMHLoss(problem())(one, Batch({}, torch.zeros(2, CLASSES), torch.arange(2)))  # type: ignore[arg-type] # on purpose
    for options in ({"gamma": -1.0}, {"eta": -1.0}, {"start": "ones"}):
        with pytest.raises(UsageError, match=r"at least 0|Known: normal, zeros"):
            DCMHLoss(problem(), **options)
