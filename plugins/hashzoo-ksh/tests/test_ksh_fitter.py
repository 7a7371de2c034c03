"""KSH against values worked by hand, stored similarities, differences, and its greedy objective."""

from __future__ import annotations

import itertools

import pytest
import torch
from hashzoo_ksh.fitter import KSHFitter, Residue, refine, smooth_objective

from hashzoo import Problem, UsageError
from hashzoo.fitting import generator, squared_distances
from hashzoo.losses import share_label, sign
from hashzoo.models.hash_layers import Anchors, Projection
from hashzoo.testing.fits import Part, Parts, digits, fitted, mean_average_precision

ROWS = torch.tensor(
    [[2, 0, 1], [1, 2, 0], [3, 1, -1], [0, 3, 2], [-1, 4, 0], [-2, -1, 1], [-3, 0, -2], [0, -3, -1]],
    dtype=torch.float64,
)
CLASSES = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])).double()


def kernel_of_eight() -> torch.Tensor:
    squares = squared_distances(ROWS, ROWS[[0, 3, 5, 7]])
    assert float(squares.mean()) == pytest.approx(18.875)
    kernel = (-squares / (2 * squares.mean())).exp()
    wanted = torch.tensor([0.697447, 0.654726, 0.649559, 0.567122], dtype=torch.float64)
    assert torch.allclose(kernel.mean(0), wanted, atol=1e-6)
    return kernel - kernel.mean(0)


def stored(labels: torch.Tensor, bits: int, found: torch.Tensor) -> torch.Tensor:
    return bits * (2 * share_label(labels, labels) - 1) - found @ found.T


def test_eight_rows_by_hand() -> None:
    kernel = kernel_of_eight()
    wanted = torch.tensor([0.302553, 0.035414, -0.012142, 0.070295], dtype=torch.float64)
    assert torch.allclose(kernel[0], wanted, atol=1e-6)
    weight, codes = KSHFitter(Problem(3, 3, 8)).bits_of(kernel, CLASSES)
    columns = [
        [3.957764, -0.472757, -1.771429, -2.314281],
        [6.860908, -4.807455, 0.836957, -4.254444],
        [-4.049338, 5.706641, -3.305582, 2.685515],
    ]
    assert torch.allclose(weight.T, torch.tensor(columns, dtype=torch.float64), atol=2e-5)
    rows = ["+++++---", "+++-----", "-+-++---"]
    assert ["".join("+" if bit > 0 else "-" for bit in column) for column in codes.T] == rows
    left = [float(stored(CLASSES, 3, codes[:, :k]).square().sum()) for k in range(4)]
    assert left == [576, 400, 256, 208]
    assert left[3] / 9 == pytest.approx(23.111111, abs=1e-6)


def test_the_descent_of_each_bit_by_hand() -> None:
    kernel = kernel_of_eight()
    weight, codes = KSHFitter(Problem(3, 3, 8)).bits_of(kernel, CLASSES)
    residue = Residue(CLASSES, 3)
    wanted = [(-28.388352, -119.491096, 120), (-19.785873, -102.919274, 104), (-14.033909, -55.312978, 56)]
    for k, (start, end, form) in enumerate(wanted):
        assert smooth_objective(kernel @ weight[:, k], residue)[0] == pytest.approx(start, abs=1e-3)
        refined = refine(weight[:, k], kernel, residue)
        assert smooth_objective(kernel @ refined, residue)[0] == pytest.approx(end, abs=1e-2)
        assert residue.form(codes[:, k]) == pytest.approx(form) == residue.form(sign(kernel @ refined))
        residue.take(codes[:, k])


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_residue_is_that_of_stored_similarities(multilabel: bool) -> None:
    draws = generator(0)
    hot = (torch.rand(30, 4, generator=draws) > 0.6).double()
    hot[:, 0] += (hot.sum(1) == 0).double()
    labels = hot if multilabel else torch.eye(4, dtype=torch.float64)[torch.randint(4, (30,), generator=draws)]
    residue, found = Residue(labels, 5), sign(torch.randn(30, 2, generator=draws, dtype=torch.float64))
    for k in range(2):
        residue.take(found[:, k])
    v = torch.randn(30, 3, generator=draws, dtype=torch.float64)
    matrix = stored(labels, 5, found)
    assert torch.allclose(residue.times(v), matrix @ v, atol=1e-10)
    assert residue.form(v[:, 0]) == pytest.approx(float(v[:, 0] @ matrix @ v[:, 0]))


def random_case() -> tuple[torch.Tensor, torch.Tensor]:
    draws = generator(2)
    kernel = torch.randn(40, 6, generator=draws, dtype=torch.float64)
    return kernel - kernel.mean(0), torch.eye(3, dtype=torch.float64)[torch.randint(3, (40,), generator=draws)]


def test_the_gradient_by_differences() -> None:
    kernel, labels = random_case()
    residue = Residue(labels, 4)
    a = 0.3 * torch.randn(6, generator=generator(3), dtype=torch.float64)
    gradient = -(kernel.T @ smooth_objective(kernel @ a, residue)[1])
    for j in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[j] = 1e-6
        up, down = (smooth_objective(kernel @ (a + s), residue)[0] for s in (step, -step))
        assert float(gradient[j]) == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-5)


def test_each_bit_takes_off_what_it_says_and_refining_never_loses() -> None:
    kernel, labels = random_case()
    _, codes = KSHFitter(Problem(6, 3, 40)).bits_of(kernel, labels)
    norms = []
    for k in range(7):
        matrix = stored(labels, 6, codes[:, :k])
        norms.append(float(matrix.square().sum()))
        if k < 6:
            h = codes[:, k]
            expected = norms[-1] - 2 * float(h @ matrix @ h) + 40**2
            assert float(stored(labels, 6, codes[:, : k + 1]).square().sum()) == pytest.approx(expected)
    assert all(after <= before for before, after in itertools.pairwise(norms))
    _, spectral = KSHFitter(Problem(6, 3, 40), refine=False).bits_of(kernel, labels)
    first = stored(labels, 6, codes[:, :0])
    assert float(codes[:, 0] @ first @ codes[:, 0]) >= float(spectral[:, 0] @ first @ spectral[:, 0])


def test_repeated_anchors_and_rows_without_label() -> None:
    x = torch.cat([ROWS, ROWS, 50 * torch.ones(2, 3, dtype=torch.float64)]).float()
    y = torch.cat([CLASSES, CLASSES, torch.zeros(2, 3, dtype=torch.float64)]).float()
    problem = Problem(12, 3, 18)
    layer = fitted(KSHFitter(problem), Anchors(3, problem), Part(x, y))
    assert torch.isfinite(layer(x)[0]).all()
    assert len(layer(x[:16])[1].unique(dim=0)) > 2


def test_offsets_are_the_means_of_the_train_rows() -> None:
    problem = Problem(4, 3, 8)
    state = KSHFitter(problem, anchors=4).fit({"image": ROWS + 1000}, CLASSES, 0)["image"]
    squares = squared_distances(ROWS + 1000, state["anchors"].double())
    kernel = (-float(state["scale"]) * squares).exp()
    assert float(state["scale"]) == pytest.approx(1 / (2 * float(squares.mean())), rel=1e-5)
    assert torch.allclose(kernel.mean(0).float(), state["offset"], atol=1e-6)


def test_fewer_labelled_rows_keep_the_kernel_of_all() -> None:
    problem = Problem(4, 3, 8)
    some, every = (
        KSHFitter(problem, anchors=8, labelled=count).fit({"image": ROWS}, CLASSES, 0)["image"] for count in (4, 0)
    )
    assert torch.allclose(some["scale"], every["scale"])
    assert torch.allclose(some["offset"].sort().values, every["offset"].sort().values, atol=1e-6)
    assert not torch.allclose(some["weight"], every["weight"])


@pytest.mark.parametrize("bits", [2, 8])
def test_gaussian_classes_far_apart_are_found(bits: int) -> None:
    y = torch.arange(400) % 3
    x = 20 * torch.eye(10)[y] + torch.randn(400, 10, generator=generator(1))
    parts = [Part(x[rows], torch.eye(3)[y[rows]]) for rows in (slice(0, 300), slice(300, 400), slice(0, 300))]
    problem = Problem(bits, 3, 300)
    layer = fitted(KSHFitter(problem, anchors=30), Anchors(10, problem, anchors=30), parts[0])
    assert mean_average_precision(layer, Parts(*parts)) == pytest.approx(1.0)


def test_what_cannot_be_fitted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(4, 3, 8)
    with pytest.raises(UsageError, match="no width"):
        KSHFitter(problem).fit({"image": torch.ones(8, 3)}, CLASSES, 0)
    with pytest.raises(UsageError, match="labelled"):
        KSHFitter(problem, labelled=-1)
    with pytest.raises(UsageError, match="supervised"):
        KSHFitter(problem).fit({"image": ROWS}, None, 0)
    monkeypatch.setattr("hashzoo_ksh.fitter.MAX_LABEL_SETS", 2)
    with pytest.raises(UsageError, match=r"KSH keeps .* are more than 2; train on fewer items"):
        KSHFitter(problem).fit({"image": ROWS}, CLASSES, 0)


@pytest.mark.parametrize(("bits", "refining"), [(16, True), (16, False), (64, False)])
def test_far_ahead_of_random_hyperplanes_on_digits(bits: int, refining: bool) -> None:
    parts, problem = digits(), Problem(bits, 10, 500)
    reached = mean_average_precision(
        fitted(KSHFitter(problem, refine=refining), Anchors(64, problem), parts.train), parts
    )
    plain = Projection(64, problem)
    plain.mean.copy_(parts.train.features.mean(0))
    plain.weight.copy_(torch.randn(64, bits, generator=generator(0)))
    assert reached > max(0.88, mean_average_precision(plain, parts))
