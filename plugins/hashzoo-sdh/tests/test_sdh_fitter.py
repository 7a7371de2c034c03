"""SDH against values worked by hand, its monotone objective, and the gradients that its regressions leave."""

from __future__ import annotations

import itertools

import pytest
import torch
from hashzoo_sdh import ANCHORS
from hashzoo_sdh.fitter import SDHFitter

from hashzoo import Problem, UsageError
from hashzoo.fitting import generator, rbf, unit_rows
from hashzoo.losses import sign
from hashzoo.models.hash_layers import Anchors, Projection
from hashzoo.testing.fits import Part, digits, fitted, mean_average_precision

ROWS = torch.tensor(
    [[2, 0, 1], [1, 2, 0], [3, 1, -1], [0, 3, 2], [-1, 4, 0], [-2, -1, 1], [-3, 0, -2], [0, -3, -1]],
    dtype=torch.float64,
)
CLASSES = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])).double()


def codes_of(*rows: str) -> torch.Tensor:
    return torch.tensor([[1.0 if bit == "+" else -1.0 for bit in row] for row in rows], dtype=torch.float64)


def case() -> tuple[torch.Tensor, torch.Tensor]:
    x = unit_rows(ROWS)
    phi = torch.cat([rbf(x, x[[0, 3, 5]], 1 / (2 * 0.4**2)), torch.ones(8, 1, dtype=torch.float64)], 1)
    return phi, codes_of("+-+", "++-", "-++", "+--", "--+", "-+-", "+++", "---")


def fitter(rounds: int, **options: float) -> SDHFitter:
    return SDHFitter(Problem(3, 3, 8), rounds=rounds, **options)  # type: ignore[arg-type] # options by name


def near(found: torch.Tensor, wanted: list[list[float]]) -> bool:
    return torch.allclose(found, torch.tensor(wanted, dtype=torch.float64), atol=2e-6)


def test_eight_rows_by_hand() -> None:
    phi, codes = case()
    assert near(phi[[1, 4]], [[0.023518, 0.202160, 0.000020, 1], [0.000498, 0.299706, 0.000560, 1]])
    start = fitter(0).solve(phi, CLASSES, codes)
    assert near(
        start.labels_from_codes,
        [[0.111111, 0, -0.111111], [0.111111, -0.222222, 0.111111], [0.111111, 0, -0.111111]],
    )
    assert near(
        start.codes_from_kernel,
        [
            [1.210499, -1.210834, 0.799190],
            [1.195366, -1.423104, -1.141020],
            [-0.639145, 0.639651, -1.233155],
            [-0.318834, 0.361904, 0.260420],
        ],
    )
    assert fitter(0).objective(phi, CLASSES, start) == pytest.approx(6.889036, abs=1e-5)
    once = fitter(1).solve(phi, CLASSES, codes)
    assert torch.equal(once.codes, codes_of("+++", "+++", "+++", "+--", "--+", "-+-", "-+-", "-+-"))
    assert fitter(1).objective(phi, CLASSES, once) == pytest.approx(2.786441, abs=1e-5)
    assert near(
        once.labels_from_codes,
        [[0.230769, 0, -0.230769], [0.333333, -0.222222, 0.333333], [0.230769, 0, -0.230769]],
    )
    assert near(
        once.codes_from_kernel,
        [
            [1.533043, 0.212611, 0.990260],
            [1.276465, -2.067623, -0.606464],
            [-0.639947, 0.168879, -1.155428],
            [-0.380965, 0.837640, 0.121375],
        ],
    )
    many = fitter(5).solve(phi, CLASSES, codes)
    assert torch.equal(many.codes_from_kernel, once.codes_from_kernel)
    deployed = codes_of("+++", "-++", "-++", "+--", "++-", "-+-", "-++", "-++")
    assert torch.equal(sign(phi @ many.codes_from_kernel), deployed)


@pytest.mark.parametrize("fit_weight", [1e-5, 1.0])
def test_no_round_raises_the_objective_and_the_regressions_have_no_gradient_left(fit_weight: float) -> None:
    draws = generator(0)
    x = unit_rows(torch.randn(60, 5, generator=draws, dtype=torch.float64))
    y = (torch.rand(60, 6, generator=draws) > 0.7).double()  # multi-label
    phi = torch.cat([rbf(x, x[:20], 3.0), torch.ones(60, 1, dtype=torch.float64)], 1)
    start = sign(torch.randn(60, 3, generator=draws, dtype=torch.float64))
    values = []
    for rounds in range(6):
        run = fitter(rounds, fit_weight=fit_weight)
        found = run.solve(phi, y, start)
        values.append(run.objective(phi, y, found))
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(values))
    b, w, p = found.codes, found.labels_from_codes, found.codes_from_kernel
    assert torch.allclose(b.T @ (b @ w - y) + w, torch.zeros_like(w), atol=1e-8)
    assert torch.allclose(phi.T @ (phi @ p - b) + 1e-2 * p, torch.zeros_like(p), atol=1e-8)


def test_the_layer_gives_the_codes_of_the_kernel_regression() -> None:
    problem = Problem(8, 3, 8)
    layer = fitted(SDHFitter(problem), Anchors(3, problem, anchors=ANCHORS), Part(ROWS.float(), CLASSES.float()))
    assert isinstance(layer, Anchors)
    x = unit_rows(ROWS)
    phi = rbf(x, layer.anchors.double(), 1 / (2 * 0.4**2))
    wanted = phi @ layer.weight.double() + layer.bias.double()
    assert torch.allclose(layer(7 * ROWS.float())[0].double(), wanted, atol=1e-4)  # length means nothing


def test_gaussian_classes_far_apart_are_found() -> None:
    draws = generator(1)
    y = torch.arange(400) % 3
    x = 20 * torch.eye(10)[y] + torch.randn(400, 10, generator=draws)
    parts = [Part(x[rows], torch.eye(3)[y[rows]]) for rows in (slice(0, 300), slice(300, 400), slice(0, 300))]
    problem = Problem(16, 3, 300)
    layer = fitted(SDHFitter(problem, anchors=30), Anchors(10, problem, anchors=30), parts[0])
    from hashzoo.testing.fits import Parts

    assert mean_average_precision(layer, Parts(*parts)) == pytest.approx(1.0)


def test_options_and_missing_labels_are_refused() -> None:
    for name in ("sigma", "label_weight_decay", "kernel_ridge"):
        with pytest.raises(UsageError, match=name):
            fitter(5, **{name: 0.0})
    with pytest.raises(UsageError, match="fit_weight"):
        fitter(5, fit_weight=-1.0)
    with pytest.raises(UsageError, match="anchors"):
        fitter(5, anchors=0)
    with pytest.raises(UsageError, match="supervised"):
        fitter(5).fit({"image": ROWS}, None, 0)


@pytest.mark.parametrize("bits", [16, 64])
def test_far_ahead_of_random_hyperplanes_on_digits(bits: int) -> None:
    parts, problem = digits(), Problem(bits, 10, 500)
    reached = mean_average_precision(
        fitted(SDHFitter(problem), Anchors(64, problem, anchors=ANCHORS), parts.train), parts
    )
    plain = Projection(64, problem)
    plain.mean.copy_(parts.train.features.mean(0))
    plain.weight.copy_(torch.randn(64, bits, generator=generator(0)))
    assert reached > max(0.94, mean_average_precision(plain, parts))
