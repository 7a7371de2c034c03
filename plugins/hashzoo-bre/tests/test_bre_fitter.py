"""BRE against values worked by hand, a loop over every candidate, and its falling objective."""

from __future__ import annotations

import itertools

import pytest
import torch
from hashzoo_bre.fitter import BREFitter, State

from hashzoo import Problem, UsageError
from hashzoo.fitting import generator, unit_rows
from hashzoo.models.hash_layers import Projection
from hashzoo.testing.fits import Part, digits, fitted, mean_average_precision

ROWS = torch.tensor(
    [[2, 0, 1], [1, 2, 0], [3, 1, -1], [0, 3, 2], [-1, 4, 0], [-2, -1, 1], [-3, 0, -2], [0, -3, -1]],
    dtype=torch.float64,
)
PAIRS = [(0, 1), (0, 5), (1, 2), (2, 6), (3, 4), (4, 7), (5, 6), (3, 0), (7, 1)]


def eight() -> State:
    x = unit_rows(ROWS - ROWS.mean(0))
    kernel = x @ x.T
    first, second = torch.tensor(PAIRS).T
    target = BREFitter.target(kernel, None)[first, second]
    weights = torch.tensor([[0.5, 0.1], [-0.2, 0.3]], dtype=torch.float64)
    return State(kernel, torch.tensor([[0, 3], [2, 5]]), first, second, target, weights)


def random_state(seed: int, n: int = 30) -> State:
    draws = generator(seed)
    x = unit_rows(torch.randn(n, 4, generator=draws, dtype=torch.float64))
    x[:3] = 0.0  # rows that no weight moves
    x[3:6, 0] = 0.0
    return BREFitter(Problem(4, 3, n), points=5, neighbors=0.5).start(x, None, draws)


def test_eight_rows_by_hand() -> None:
    state = eight()
    wanted = [0.373576, 0.650886, 0.180745, 0.839745, 0.148501, 1, 0.255764, 0.497002, 0.912137]
    assert state.target.tolist() == pytest.approx(wanted, abs=1e-6)
    scores = [0.504401, 0.199075, 0.306574, 0.122007, -0.205225, -0.148659, -0.479447, 0.009671]
    assert state.score[:, 0].tolist() == pytest.approx(scores, abs=1e-6)
    scores = [-0.204246, -0.406849, -0.447720, -0.037893, -0.074016, 0.465146, 0.275462, 0.150413]
    assert state.score[:, 1].tolist() == pytest.approx(scores, abs=1e-6)
    assert state.objective == pytest.approx(0.462812, abs=1e-6)
    weights, values = state.candidates(0, 0)
    walk = [0.462812, 0.288562, 0.180333, 0.127894, 0.175648, 0.410494, 0.330994, 0.506744, 0.462812]
    assert values.tolist() == pytest.approx(walk, abs=1e-6)
    assert weights[3].item() == pytest.approx(-0.074931, abs=1e-6)
    state.update(0, 0)
    assert state.weights[0, 0].item() == pytest.approx(-0.074931, abs=1e-6)
    assert state.ones[:, 0].int().tolist() == [0, 1, 0, 1, 1, 0, 1, 0]
    assert state.objective == pytest.approx(0.127894, abs=1e-6)


def objective_at(state: State, bit: int, q: int, weight: float) -> float:
    """The objective by plain loops with another weight."""
    n, bits = state.score.shape
    weights = state.weights.clone()
    weights[bit, q] = weight
    ones = [
        [sum(float(weights[b, p]) * float(state.kernel[i, state.points[b, p]]) for p in range(weights.shape[1])) > 0
         for b in range(bits)]
        for i in range(n)
    ]  # fmt: skip
    pairs = zip(state.first.tolist(), state.second.tolist(), state.target.tolist(), strict=True)
    return 0.5 * sum((sum(map(int.__ne__, ones[i], ones[j])) / bits - target) ** 2 for i, j, target in pairs)


@pytest.mark.parametrize("seed", range(3))
def test_every_candidate_by_plain_loops(seed: int) -> None:
    state = random_state(seed, 12)
    weights, values = state.candidates(1, 2)
    for weight, value in zip(weights.tolist(), values.tolist(), strict=True):
        if value != float("inf"):
            assert value == pytest.approx(objective_at(state, 1, 2, weight))
    assert float(values.min()) <= state.objective + 1e-9


def test_the_objective_never_rises_and_stays_what_the_weights_say() -> None:
    for seed in range(5):
        state = random_state(seed)
        found = [state.objective]
        for bit, q in itertools.product(range(4), range(5)):
            state.update(bit, q)
            found.append(state.objective)
        assert all(after <= before + 1e-9 for before, after in itertools.pairwise(found))
        again = State(state.kernel, state.points, state.first, state.second, state.target, state.weights)
        assert torch.allclose(again.score, state.score, atol=1e-9)
        assert again.objective == pytest.approx(state.objective)


def test_a_point_that_moves_no_row_changes_nothing() -> None:
    state = random_state(0)
    state.kernel[:, state.points[0, 0]] = 0.0
    state = State(state.kernel, state.points, state.first, state.second, state.target, state.weights)
    before, weight = state.objective, float(state.weights[0, 0])
    state.update(0, 0)
    assert (state.objective, float(state.weights[0, 0])) == (pytest.approx(before), weight)


def test_targets_with_labels_are_0_and_1() -> None:
    labels = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert BREFitter.target(torch.eye(3), labels).tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]


def test_the_layer_gives_the_bits_of_the_sample() -> None:
    train = digits().train
    problem = Problem(6, 10, len(train.features))
    layer = fitted(BREFitter(problem, sample=1000), Projection(64, problem), train)
    x = train.features.double()
    unit = unit_rows(x - x.mean(0))
    assert isinstance(layer, Projection)
    agree = ((unit @ layer.weight.double() >= 0) == (layer(train.features)[1] > 0)).float().mean()
    assert agree > 0.999  # length of a row means nothing


def test_what_cannot_be_fitted_is_refused() -> None:
    problem = Problem(4, 3, 8)
    for name, value in (("points", 0), ("sample", 0), ("passes", 0), ("neighbors", 1.5)):
        with pytest.raises(UsageError, match=name):
            BREFitter(problem, **{name: value})
    with pytest.raises(UsageError, match="nothing to rebuild"):
        BREFitter(problem, neighbors=0.5).fit({"image": torch.ones(8, 3)}, None, 0)
    with pytest.raises(UsageError, match="at least 2"):
        BREFitter(problem).fit({"image": torch.ones(1, 3)}, None, 0)


@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize(("labels", "least"), [(True, 0.54), (False, 0.47)])
def test_ahead_of_random_hyperplanes_on_digits(bits: int, labels: bool, least: float) -> None:
    parts, problem = digits(), Problem(bits, 10, 500)
    layer = fitted(BREFitter(problem, passes=8), Projection(64, problem), parts.train, labels=labels)
    plain = Projection(64, problem)
    plain.mean.copy_(parts.train.features.mean(0))
    plain.weight.copy_(torch.randn(64, bits, generator=generator(0)))
    assert mean_average_precision(layer, parts) > max(least, mean_average_precision(plain, parts))


def test_multi_label_items_and_items_without_label() -> None:
    draws = generator(1)
    x, y = torch.randn(40, 5, generator=draws), (torch.rand(40, 4, generator=draws) > 0.7).float()
    problem = Problem(8, 4, 40, multilabel=True)
    layer = fitted(BREFitter(problem, neighbors=0.5), Projection(5, problem), Part(x, y))
    assert torch.isfinite(layer(x)[0]).all()
