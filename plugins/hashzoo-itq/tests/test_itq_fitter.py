"""ITQ and ITQ-CCA against values worked by hand, invariants, and the updates that are known to be wrong."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hashzoo_itq.fitter import ITQCCAFitter, ITQFitter, learn_rotation, quantization_error, random_rotation

from hashzoo import Problem, UsageError
from hashzoo.fitting import canonical_axes, generator, principal_axes
from hashzoo.losses import sign
from hashzoo.models.hash_layers import Projection
from hashzoo.testing.fits import Part, digits, fitted, mean_average_precision

ROWS = torch.tensor(
    [[2, 0, 1], [1, 2, 0], [3, 1, -1], [0, 3, 2], [-1, 4, 0], [-2, -1, 1], [-3, 0, -2], [0, -3, -1]],
    dtype=torch.float64,
)
CLASSES = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])).double()
EYE = torch.eye(2, dtype=torch.float64)


def scores() -> torch.Tensor:
    mean, axes, _ = principal_axes(ROWS, 2)
    return (ROWS - mean) @ axes


def turn(angle: float) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def half_steps(v: torch.Tensor, rotation: torch.Tensor, rounds: int) -> list[float]:
    """Errors after each step for codes and each step for the rotation."""
    values = []
    for _ in range(rounds):
        codes = sign(v @ rotation)
        values.append(float((codes - v @ rotation).square().sum()))
        rotation = learn_rotation(v, rotation, 1)
        values.append(float((codes - v @ rotation).square().sum()))
    return values


def gaussian(seed: int) -> torch.Tensor:
    scales = torch.linspace(3, 0.5, 16, dtype=torch.float64)
    return torch.randn(500, 16, generator=generator(seed), dtype=torch.float64) * scales


def test_eight_rows_from_two_starts() -> None:
    v = scores()
    assert half_steps(v, EYE, 2) == pytest.approx([23.730521, 22.009034, 22.009034, 22.009034], abs=1e-5)
    wanted = torch.tensor([[0.971148, -0.238477], [0.238477, 0.971148]], dtype=torch.float64)
    assert torch.allclose(learn_rotation(v, EYE, 50), wanted, atol=1e-6)
    start = turn(math.radians(36))
    errors = [24.004357, 23.534752, 22.970952, 22.242223, 22.242223, 22.242223]
    assert half_steps(v, start, 3) == pytest.approx(errors, abs=1e-5)
    first = torch.tensor([[0.877038, -0.480421], [0.480421, 0.877038]], dtype=torch.float64)
    assert torch.allclose(learn_rotation(v, start, 1), first, atol=1e-6)
    last = torch.tensor([[0.941286, -0.337610], [0.337610, 0.941286]], dtype=torch.float64)
    assert torch.allclose(learn_rotation(v, start, 50), last, atol=1e-6)


def test_the_square_reaches_error_zero_at_45_degrees() -> None:
    v = math.sqrt(2) * torch.cat([EYE, -EYE])
    assert quantization_error(v, turn(0.3)) == pytest.approx(1.848172, abs=1e-6)
    assert quantization_error(v, learn_rotation(v, turn(0.3), 1)) < 1e-25


@pytest.mark.parametrize("seed", range(5))
def test_no_half_step_raises_the_error(seed: int) -> None:
    v = gaussian(seed)
    start = random_rotation(16, generator(seed))
    values = half_steps(v, start, 20)
    assert all(after <= before + 1e-8 for before, after in itertools.pairwise(values))
    rotation = learn_rotation(v, start, 50)
    assert torch.allclose(rotation.T @ rotation, torch.eye(16, dtype=torch.float64), atol=1e-12)
    balance = 500 * 16 + float(v.square().sum()) - 2 * float((v @ rotation).abs().sum())
    assert quantization_error(v, rotation) == pytest.approx(balance)


@pytest.mark.parametrize("wrong", [lambda u, wh: u @ wh, lambda u, wh: u @ wh.T, lambda u, wh: wh @ u.T])
def test_the_known_wrong_updates_raise_the_error_within_20_rounds(wrong: object) -> None:
    v = gaussian(0)
    rotation = random_rotation(16, generator(0))
    errors = []
    for _ in range(20):
        u, _, wh = torch.linalg.svd(sign(v @ rotation).T @ v, full_matrices=False)
        rotation = wrong(u, wh)  # type: ignore[operator] # pytest hands a lambda on as an object
        errors.append(quantization_error(v, rotation))
    assert any(after > before + 1e-6 for before, after in itertools.pairwise(errors))


def test_a_tall_rotation_is_the_square_one_with_columns_of_zeros() -> None:
    v = gaussian(1)[:, :5]
    start = random_rotation(8, generator(1))
    padded = torch.cat([v, torch.zeros(500, 3, dtype=torch.float64)], 1)
    rotation = learn_rotation(v, start[:5], 4)
    assert torch.allclose(rotation @ rotation.T, torch.eye(5, dtype=torch.float64), atol=1e-12)
    wide = start
    for _ in range(4):
        u, _, wh = torch.linalg.svd(sign(padded @ wide).T @ padded)
        wide = wh.T @ u.T
    assert torch.equal(sign(v @ rotation), sign(padded @ wide))


def test_cca_of_eight_rows() -> None:
    found = canonical_axes(ROWS, CLASSES, 2, 1e-4)
    scaled = found.weight_x * found.correlations
    wanted = torch.tensor([[0.285919, 0.311609, 0.083137], [0.319514, -0.169699, -0.201848]], dtype=torch.float64)
    assert torch.allclose(scaled.T, wanted, atol=1e-6)
    v = (ROWS - found.mean_x) @ scaled
    assert half_steps(v, EYE, 2) == pytest.approx([2.310040, 2.207061, 2.207061, 2.207061], abs=1e-5)
    weight = scaled @ learn_rotation(v, EYE, 50)
    wanted = torch.tensor([[0.255637, 0.344222], [0.325766, -0.140620], [0.101171, -0.193440]], dtype=torch.float64)
    assert torch.allclose(weight, wanted, atol=1e-6)
    codes = sign((ROWS - found.mean_x) @ weight).int().tolist()
    assert codes == [[1, 1]] * 3 + [[1, -1]] * 2 + [[-1, -1]] * 2 + [[-1, 1]]


def test_axes_of_cca_do_not_depend_on_rows_without_label() -> None:
    extra = torch.cat([ROWS, 100 * ROWS[:2]])
    labels = torch.cat([CLASSES, torch.zeros(2, 3, dtype=torch.float64)])
    fitter = ITQCCAFitter(Problem(2, 3, 10))
    one = fitter.fit({"image": extra}, labels, 0)["image"]
    other = fitter.fit({"image": ROWS}, CLASSES, 0)["image"]
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in other)


def test_itq_is_pca_and_a_rotation_and_does_not_move_with_the_rows() -> None:
    x = gaussian(2).float()
    state = ITQFitter(Problem(8, 2, 500)).fit({"image": x}, None, 0)["image"]
    weight = state["weight"].double()
    assert torch.allclose(weight.T @ weight, torch.eye(8, dtype=torch.float64), atol=1e-6)
    shuffled = x[torch.randperm(500, generator=generator(5))]
    again = ITQFitter(Problem(8, 2, 500)).fit({"image": shuffled}, None, 0)["image"]
    assert torch.allclose(weight, again["weight"].double(), atol=1e-5)
    assert not torch.equal(weight, ITQFitter(Problem(8, 2, 500)).fit({"image": x}, None, 1)["image"]["weight"].double())


def test_multi_label_and_more_bits_than_classes() -> None:
    y = (torch.rand(500, 5, generator=generator(4)) > 0.5).float()
    x = y @ torch.randn(5, 16, generator=generator(5)) + 0.1 * torch.randn(500, 16, generator=generator(6))
    layer = fitted(ITQCCAFitter(Problem(16, 5, 500, multilabel=True)), Projection(16, Problem(16, 5, 500)), Part(x, y))
    assert torch.isfinite(layer(x)[0]).all()


@pytest.mark.parametrize("build", [ITQFitter, ITQCCAFitter])
def test_more_bits_than_features_and_bad_options_are_refused(build: type[ITQFitter]) -> None:
    with pytest.raises(UsageError, match="one bit for each feature: 4 bits"):
        build(Problem(4, 3, 8)).fit({"image": ROWS}, CLASSES, 0)
    with pytest.raises(UsageError, match="iterations"):
        build(Problem(2, 3, 8), iterations=-1)
    with pytest.raises(UsageError, match="regularization"):
        ITQCCAFitter(Problem(2, 3, 8), regularization=0.0)


@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize(("build", "least"), [(ITQFitter, 0.55), (ITQCCAFitter, 0.7)])
def test_ahead_of_random_hyperplanes_on_digits(build: type[ITQFitter], least: float, bits: int) -> None:
    parts = digits()
    problem = Problem(bits, 10, 500)
    reached = mean_average_precision(fitted(build(problem), Projection(64, problem), parts.train), parts)
    plain = Projection(64, problem)
    plain.mean.copy_(parts.train.features.mean(0))
    plain.weight.copy_(torch.randn(64, bits, generator=generator(0)))
    assert reached > max(least, mean_average_precision(plain, parts))
