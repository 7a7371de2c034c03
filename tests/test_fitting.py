"""The shared pieces of closed-form methods against values by hand, plain loops and brute force."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    Ridge,
    anchor_count,
    anchors_state,
    as_float64,
    canonical_axes,
    choose_anchors,
    discrete_coordinate_descent,
    eigenvectors,
    fixed_signs,
    generator,
    label_sets,
    labelled_rows,
    only_modality,
    principal_axes,
    projection_state,
    rbf,
    ridge,
    squared_distances,
    unit_rows,
)
from hashzoo.models.hash_layers import Anchors, Projection

ROWS = torch.tensor(
    [[2, 0, 1], [1, 2, 0], [3, 1, -1], [0, 3, 2], [-1, 4, 0], [-2, -1, 1], [-3, 0, -2], [0, -3, -1]],
    dtype=torch.float64,
)
CLASSES = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])).double()


def close(found: torch.Tensor, wanted: object, atol: float = 1e-6) -> bool:
    return torch.allclose(found, torch.tensor(wanted, dtype=found.dtype), rtol=0, atol=atol)


def random_table(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def test_principal_axes_of_eight_rows() -> None:
    mean, axes, variances = principal_axes(ROWS, 3)
    assert close(mean, [0, 0.75, 0])
    assert close(variances, [5.530759, 3.851463, 1.403492])
    wanted = [[0.329617, 0.903552, 0.273765], [0.936749, -0.349145, 0.024481], [-0.117703, -0.248380, 0.961485]]
    assert close(axes.T, wanted)
    scores = (ROWS - mean) @ axes[:, :2]
    assert close(scores[0], [0.255335, 2.159837])
    assert close(scores[7], [-3.662083, 1.284812])


def test_the_entry_of_largest_modulus_is_positive_and_the_first_of_equals() -> None:
    assert fixed_signs(torch.tensor([[1.0, -2.0, -1.0], [-3.0, 2.0, 1.0]])).tolist() == [-1, -1, -1]
    flipped = ROWS * torch.tensor([-1.0, -1.0, -1.0], dtype=torch.float64)
    assert torch.allclose(principal_axes(flipped, 3).axes, principal_axes(ROWS, 3).axes)


def test_eigenvectors_are_those_of_the_matrix_in_falling_order() -> None:
    x = random_table(20, 6)
    matrix = x.T @ x
    values, vectors = eigenvectors(matrix, 4)
    assert torch.allclose(matrix @ vectors, vectors * values)
    assert torch.allclose(vectors.T @ vectors, torch.eye(4, dtype=torch.float64))
    assert values.tolist() == sorted(values.tolist(), reverse=True)
    with pytest.raises(UsageError, match="1 to 6"):
        eigenvectors(matrix, 7)


def test_axes_without_variance_are_left_out() -> None:
    flat = torch.cat([random_table(10, 2), torch.full((10, 2), 7.0, dtype=torch.float64)], 1)
    assert principal_axes(flat, 4).axes.shape == (4, 2)
    assert principal_axes(random_table(3, 5), 5).axes.shape == (5, 2)  # rank n - 1
    with pytest.raises(UsageError, match="are equal"):
        principal_axes(flat[:, 2:], 1)


def test_canonical_axes_of_eight_rows_and_their_classes() -> None:
    found = canonical_axes(ROWS, CLASSES, 3, 1e-4)
    assert close(found.correlations, [0.989876, 0.768776])  # the third is 0: C - 1 axes
    assert close(found.weight_x.T, [[0.288843, 0.314796, 0.083987], [0.415614, -0.220739, -0.262558]])
    assert close(found.mean_x, [0, 0.75, 0])


def test_canonical_weights_have_unit_covariance_and_the_correlations_between_them() -> None:
    x = random_table(60, 5)
    y = x[:, :3] @ random_table(3, 4, 1) + random_table(60, 4, 2)
    rho = 0.3
    found = canonical_axes(x, y, 4, rho)
    cx, cy = x - x.mean(0), y - y.mean(0)
    for weight, centred in ((found.weight_x, cx), (found.weight_y, cy)):
        covariance = centred.T @ centred / 59 + rho * torch.eye(centred.shape[1], dtype=torch.float64)
        identity = torch.eye(weight.shape[1], dtype=torch.float64)
        assert torch.allclose(weight.T @ covariance @ weight, identity, atol=1e-10)
    cross = found.weight_x.T @ (cx.T @ cy / 59) @ found.weight_y
    assert torch.allclose(cross, torch.diag(found.correlations), atol=1e-10)
    assert bool((found.correlations < 1).all())
    with pytest.raises(UsageError, match="same 2 or more rows"):
        canonical_axes(x, y[1:], 2)
    with pytest.raises(UsageError, match="at least 0"):
        canonical_axes(x, y, 2, -1.0)
    with pytest.raises(UsageError, match="not correlated"):
        canonical_axes(x, torch.ones(60, 2, dtype=torch.float64), 2)


def test_columns_that_depend_on_each_other_need_regularization() -> None:
    x = random_table(5, 3)
    twice = torch.cat([x, x], 1)
    with pytest.raises(UsageError, match="larger one"):
        ridge(twice, x, 0.0)
    assert torch.isfinite(ridge(twice, x, 1e-6)).all()


def test_ridge_has_no_gradient_left() -> None:
    x, y = random_table(30, 4), random_table(30, 2, 1)
    w = ridge(x, y, 0.7)
    assert torch.allclose(x.T @ (x @ w - y) + 0.7 * w, torch.zeros_like(w), atol=1e-10)
    assert torch.allclose(ridge(x, y, 0.0), torch.linalg.lstsq(x, y).solution)
    assert torch.equal(Ridge(x, 0.7).solve(y), w)
    with pytest.raises(UsageError, match="at least 0"):
        ridge(x, y, -0.1)


def test_distances_and_kernel_by_plain_loops() -> None:
    x, a = random_table(6, 3), random_table(4, 3, 1)
    squares, kernel = squared_distances(x, a), rbf(x, a, 0.25)
    for i, j in itertools.product(range(6), range(4)):
        wanted = sum((x[i, d].item() - a[j, d].item()) ** 2 for d in range(3))
        assert squares[i, j].item() == pytest.approx(wanted)
        assert kernel[i, j].item() == pytest.approx(math.exp(-0.25 * wanted))
    assert bool((squared_distances(x * 1e8, x * 1e8) >= 0).all())


def test_unit_rows_leave_a_zero_row() -> None:
    rows = unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-9, 0.0]]))
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0], [1.0, 0.0]]


def test_anchors_are_distinct_rows_and_follow_the_seed_alone() -> None:
    x = random_table(10, 2)
    first = choose_anchors(x, 10, generator(3))
    assert torch.equal(first.sort(0).values, x.sort(0).values)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert torch.equal(choose_anchors(x, 4, generator(3)), first[:4])
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(UsageError, match="rows of the train split"):
        choose_anchors(x, 11, generator(3))
    problem = Problem(bits=4, num_classes=2, num_train=7)
    assert [anchor_count(5, problem), anchor_count(50, problem)] == [5, 7]
    with pytest.raises(UsageError, match="at least 1"):
        anchor_count(0, problem)


def test_rows_without_label_are_left_out_and_missing_labels_refused() -> None:
    rows, labels = labelled_rows(torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    assert rows.tolist() == [0, 2]
    assert labels.dtype == torch.float64
    for nothing, words in ((None, "got none"), (torch.zeros(2, 3), "no train item")):
        with pytest.raises(UsageError, match=words):
            labelled_rows(nothing)


def test_label_sets_number_the_distinct_rows() -> None:
    labels = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    number, sets = label_sets(labels)
    assert torch.equal(sets[number], labels)
    assert len(sets) == 2
    label_sets(labels, 2)
    with pytest.raises(UsageError, match=r"Toy keeps .* distinct label sets: 2 are more than 1; train on fewer items"):
        label_sets(labels, 1, "Toy")


def test_what_is_no_table_is_refused() -> None:
    for wrong in (torch.zeros(3), torch.zeros(0, 3)):
        with pytest.raises(UsageError, match="table"):
            as_float64(wrong)
    with pytest.raises(UsageError, match="finite"):
        as_float64(torch.tensor([[float("nan")]]))
    with pytest.raises(UsageError, match="one modality"):
        only_modality({"image": ROWS, "text": ROWS})
    assert only_modality({"text": ROWS.float()})[1].dtype == torch.float64


def descent_objective(B: torch.Tensor, Q: torch.Tensor, P: torch.Tensor) -> float:
    return float((B @ P).square().sum() - 2 * (B * Q).sum())


def test_discrete_descent_never_rises_sweep_by_sweep_and_keeps_its_input() -> None:
    for seed in range(20):
        B, Q, P = random_table(12, 6, seed).sign(), 3 * random_table(12, 6, seed + 50), random_table(6, 4, seed + 90)
        given = B.clone()
        values = [descent_objective(discrete_coordinate_descent(B, Q, P, sweeps), Q, P) for sweeps in range(6)]
        assert all(after <= before + 1e-9 for before, after in itertools.pairwise(values))
        assert torch.equal(B, given)
        assert set(discrete_coordinate_descent(B, Q, P).unique().tolist()) <= {-1.0, 1.0}


def test_no_single_bit_improves_on_the_end_of_the_descent_and_brute_force_bounds_it() -> None:
    for seed in range(10):
        B, Q, P = random_table(3, 4, seed).sign(), 2 * random_table(3, 4, seed + 50), random_table(4, 3, seed + 90)
        found = discrete_coordinate_descent(B, Q, P, 50)
        reached = descent_objective(found, Q, P)
        for i, k in itertools.product(range(3), range(4)):
            other = found.clone()
            other[i, k] *= -1
            assert reached <= descent_objective(other, Q, P) + 1e-9
        codes = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)), dtype=torch.float64)
        best = sum(((codes @ P).square().sum(1) - 2 * codes @ Q[i]).min() for i in range(3))
        assert reached >= float(best) - 1e-9


def test_discrete_descent_is_the_plain_loop() -> None:
    B, Q, P = random_table(5, 4).sign(), random_table(5, 4, 1), random_table(4, 3, 2)
    slow = B.clone()
    for k in range(4):
        for i in range(5):
            rest = sum(slow[i, t] * P[t] for t in range(4) if t != k)
            slow[i, k] = 1.0 if Q[i, k] - rest @ P[k] > 0 else -1.0
    assert torch.equal(discrete_coordinate_descent(B, Q, P, 1), slow)


def test_an_argument_of_zero_keeps_the_bit() -> None:
    B = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    nothing = torch.zeros(2, 2, dtype=torch.float64)
    assert torch.equal(discrete_coordinate_descent(B, nothing, nothing), B)


def test_the_layers_compute_what_their_states_say() -> None:
    problem = Problem(bits=2, num_classes=3, num_train=4)
    x = random_table(5, 3).float()
    mean, weight, bias = torch.tensor([0.5, -1.0, 2.0]), random_table(3, 2, 1), torch.tensor([0.1, -0.2])
    layer = Projection(3, problem)
    layer.load_state_dict(projection_state(mean, weight, bias), strict=True)
    relaxed, codes = layer(x)
    assert torch.allclose(relaxed, (x - mean) @ weight.float() + bias, atol=1e-6)
    assert torch.equal(codes, torch.where(relaxed >= 0, 1.0, -1.0))


@pytest.mark.parametrize("unit", [False, True])
def test_the_anchors_layer_by_plain_loops(unit: bool) -> None:
    problem = Problem(bits=2, num_classes=3, num_train=4)
    x = random_table(5, 3) + 3
    anchors, weight, offset = random_table(4, 3, 1) + 3, random_table(4, 2, 2), random_table(1, 4, 3)[0]
    bias = torch.tensor([0.1, -0.2], dtype=torch.float64)
    layer = Anchors(3, problem, anchors=300)
    assert not layer(x.float())[0].any()
    layer.load_state_dict(anchors_state(anchors, 0.3, weight, offset=offset, bias=bias, unit=unit), strict=True)
    relaxed = layer(x.float())[0]
    for i, k in itertools.product(range(5), range(2)):
        row = x[i] / x[i].norm() if unit else x[i]
        kernel = [math.exp(-0.3 * float((row - anchors[j]).square().sum())) - float(offset[j]) for j in range(4)]
        wanted = sum(kernel[j] * float(weight[j, k]) for j in range(4)) + float(bias[k])
        assert relaxed[i, k].item() == pytest.approx(wanted, abs=1e-5)


def test_features_far_from_zero_cost_the_anchors_layer_no_digits() -> None:
    problem = Problem(bits=3, num_classes=2, num_train=6)
    x, anchors = random_table(8, 4) + 1000, random_table(6, 4, 1) + 1000
    weight = random_table(6, 3, 2)
    layer = Anchors(4, problem)
    layer.load_state_dict(anchors_state(anchors, 0.1, weight))
    exact = rbf(x.float().double(), anchors.float().double(), 0.1) @ weight
    assert torch.allclose(layer(x.float())[0].double(), exact, atol=1e-3)
