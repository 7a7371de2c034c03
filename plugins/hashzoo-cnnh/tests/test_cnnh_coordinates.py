"""Stage 1 of CNNH against worked values, a dense oracle and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hashzoo_cnnh.coordinates import Coordinates, _lowest, hash_targets

from hashzoo.testing.processes import same_in_another_process

H0 = [[0.5, -0.25], [0.1, 0.8], [-0.6, 0.3], [0.2, -0.7]]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]


def similarity(labels: torch.Tensor) -> np.ndarray:
    n = len(labels)
    S = -np.ones((n, n))
    for i in range(n):
        for j in range(n):
            if i == j or any(a and b for a, b in zip(labels[i].tolist(), labels[j].tolist(), strict=True)):
                S[i, j] = 1.0
    return S


def dense(H: np.ndarray, S: np.ndarray) -> float:
    return float(((H @ H.T - H.shape[1] * S) ** 2).sum())


def random_case(n: int, K: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    labels = (torch.rand(n, 70, generator=draw) < 0.02).float()  # more than one word; some rows without a label
    return 2.0 * torch.rand(n, K, generator=draw, dtype=torch.float64) - 1.0, labels


@pytest.mark.parametrize(
    ("labels", "exact", "values"),
    [
        (SINGLE, True, [50.223106, 38.431700, 31.389200, 30.701200, 23.805200, 21.952908, 21.485049, 19.295011]),
        (SINGLE, False, [53.456856, 53.456856, 53.456856, 52.801456, 52.801456, 52.225890, 52.225890, 52.180063]),
        (SEVERAL, True, [47.343106, 35.551700, 35.287697, 32.283475, 26.749305, 25.265358, 24.608803, 19.984498]),
        (SEVERAL, False, [50.576856, 50.576856, 50.576856, 48.961456, 48.961456, 39.151306, 39.151306, 35.965756]),
    ],
)
def test_worked_values(labels: object, exact: bool, values: list[float]) -> None:
    found = Coordinates(torch.tensor(H0, dtype=torch.float64), torch.tensor(labels))
    trace = []
    for place in range(8):
        found.descend(np.array([place]), exact)
        trace.append(found.value())
    assert trace == pytest.approx(values, abs=1e-6)


def test_codes_of_the_worked_example() -> None:
    found = Coordinates(torch.tensor(H0, dtype=torch.float64), torch.tensor(SINGLE))
    found.descend(np.arange(8))
    assert pytest.approx(np.array([[1, 1], [1, 1], [-1, -0.439621], [-0.191442, -1]]), abs=1e-6) == found.H


@pytest.mark.parametrize("exact", [True, False])
def test_steps_equal_those_on_the_dense_matrix(exact: bool) -> None:
    H, labels = random_case(25, 8)
    S, oracle = similarity(labels), H.numpy().copy()
    order = torch.randperm(25 * 8, generator=torch.Generator().manual_seed(1)).numpy()
    found = Coordinates(H, labels)
    assert found.value() == pytest.approx(dense(oracle, S))
    found.descend(order, exact)
    L = oracle @ oracle.T - 8 * S
    for place in order:
        i, j = divmod(int(place), 8)
        h = oracle[i, j]
        a = (oracle[:, j] ** 2).sum() - h * h
        slope, curvature = L[i] @ oracle[:, j], a + L[i, i] + 2 * h * h
        if exact:
            roots = np.roots([1.0, 3.0 * h, curvature, slope])
            inside = [r.real for r in roots if abs(r.imag) < 1e-9 and -1 - h <= r.real <= 1 - h]
            steps = [0.0, -1.0 - h, 1.0 - h, *inside]
            d = min(steps, key=lambda d: slope * d + curvature * d * d / 2 + h * d**3 + d**4 / 4)
        else:
            d = float(np.clip(-slope / curvature, -1 - h, 1 - h)) if curvature > 0 else 0.0
        L[i] += d * oracle[:, j]
        L[:, i] += d * oracle[:, j]
        L[i, i] += d * d
        oracle[i, j] += d
    assert pytest.approx(oracle, abs=1e-9) == found.H
    assert found.value() == pytest.approx(dense(oracle, S), rel=1e-12)


def test_what_is_kept_up_to_date_equals_what_is_computed_anew() -> None:
    H, labels = random_case(40, 12, 3)
    found = Coordinates(H, labels)
    found.descend(torch.randperm(480).numpy())
    kept = [found.gram.copy(), found.total.copy(), found.near.copy()]
    found.refresh()
    for old, new in zip(kept, (found.gram, found.total, found.near), strict=True):
        assert old == pytest.approx(new, abs=1e-10)


@pytest.mark.parametrize(("n", "K"), [(6, 12), (30, 48), (60, 8)])
def test_exact_steps_never_raise_the_objective(n: int, K: int) -> None:
    H, labels = random_case(n, K, n)
    S, found = similarity(labels), Coordinates(H, labels)
    before = dense(found.H, S)
    for place in torch.randperm(n * K, generator=torch.Generator().manual_seed(2)).tolist():
        found.descend(np.array([place]))
        after = dense(found.H, S)
        assert after <= before * (1 + 1e-12)
        before = after


def test_a_sweep_of_newtons_steps_that_raised_the_objective_is_taken_back() -> None:
    labels = torch.eye(3)[torch.arange(9) % 3]
    draws = torch.Generator().manual_seed(0)
    start = 2.0 * torch.rand(9, 24, generator=draws, dtype=torch.float64) - 1.0
    after = Coordinates(start, labels)
    after.descend(torch.randperm(216, generator=draws).numpy(), exact=False)
    kept = hash_targets(labels, 24, torch.Generator().manual_seed(0), 1, exact=False)
    lower = after.value() < Coordinates(start, labels).value()
    expected = after.H if lower else start.numpy()
    assert np.array_equal(kept.numpy(), np.where(expected >= 0, 1, -1))


def test_the_lowest_point_against_brute_force() -> None:
    grid = np.linspace(-1.0, 1.0, 20001)
    draw = np.random.default_rng(0)
    for p, q in [*draw.uniform(-4, 4, (300, 2)), (0.0, 0.5), (0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (-3.0, 2.0)]:
        x = _lowest(p, q, 0.3)
        value = x**4 / 4 + p * x**2 / 2 + q * x
        assert -1.0 <= x <= 1.0
        assert value <= (grid**4 / 4 + p * grid**2 / 2 + q * grid).min() + 1e-9


def test_a_point_that_is_lowest_already_stays() -> None:
    x = _lowest(2.0, 0.7, 0.1)
    assert _lowest(2.0, 0.7, x) == x


def test_unlabelled_items_are_similar_to_themselves_alone() -> None:
    labels = torch.zeros(5, 3)
    H, _ = random_case(5, 4)
    assert Coordinates(H, labels).value() == pytest.approx(dense(H.numpy(), 2 * np.eye(5) - np.ones((5, 5))))


def test_targets_of_a_class_are_one_code_and_classes_are_apart() -> None:
    labels = torch.eye(10)[torch.arange(300) % 10]
    codes = hash_targets(labels, 16, torch.Generator().manual_seed(0), 10, exact=True).float()
    for c in range(10):
        assert len(torch.unique(codes[c::10], dim=0)) == 1
    distance = (16 - codes[:10] @ codes[:10].T) / 2
    assert distance[~torch.eye(10, dtype=torch.bool)].min() >= 5
    assert codes.abs().eq(1).all()


def test_another_process_finds_the_same_targets() -> None:
    assert same_in_another_process(
        "import torch; from hashzoo_cnnh.coordinates import hash_targets; "
        "labels = torch.eye(10)[torch.arange(200) % 10]; "
        "codes = hash_targets(labels, 24, torch.Generator().manual_seed(5), 3, True); "
        "print(codes.numpy().tobytes().hex())"
    )
