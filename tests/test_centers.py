"""Class centres against what defines them: orthogonality, distances, plain loops, two processes."""

from __future__ import annotations

import itertools

import pytest
import torch

from hashzoo.errors import UsageError
from hashzoo.losses import CENTERS, center_distances, class_centers, hadamard, majority_targets
from hashzoo.testing.processes import same_in_another_process

PALEY_12 = (
    "++++++++++++ -+-+---+++-+ -++-+---+++- --++-+---+++ -+-++-+---++ -++-++-+---+ "
    "-+++-++-+--- --+++-++-+-- ---+++-++-+- ----+++-++-+ -+---+++-++- --+---+++-++"
)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def differ(a: torch.Tensor, b: torch.Tensor) -> int:
    return sum(x != y for x, y in zip(a.tolist(), b.tolist(), strict=True))


@pytest.mark.parametrize("size", [1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 64, 72, 96, 128])
def test_rows_of_a_hadamard_matrix_are_orthogonal(size: int) -> None:
    matrix = hadamard(size)
    assert set(matrix.flatten().tolist()) <= {-1.0, 1.0}
    assert torch.equal(matrix @ matrix.T, size * torch.eye(size))


def test_sylvesters_and_paleys_matrices_are_the_known_ones() -> None:
    matrix = hadamard(16)
    for i, j in itertools.product(range(16), repeat=2):
        assert matrix[i, j] == (-1) ** (i & j).bit_count()
    rows = ["".join("+" if value > 0 else "-" for value in row) for row in hadamard(12).tolist()]
    assert " ".join(rows) == PALEY_12


@pytest.mark.parametrize("size", [0, 3, 6, 10, 52, 92])
def test_sizes_without_a_construction_are_refused(size: int) -> None:
    with pytest.raises(UsageError, match="No Hadamard matrix"):
        hadamard(size)


@pytest.mark.parametrize(("classes", "bits"), [(10, 16), (32, 16), (21, 64), (20, 12), (100, 64)])
def test_hadamard_centers_differ_in_half_their_bits_or_in_all(classes: int, bits: int) -> None:
    for kind in ("hadamard", "hadamard-random"):
        if kind == "hadamard-random" and classes > 2 * bits - 2:
            continue
        centers = class_centers(classes, bits, kind, drawn(0))
        assert centers.shape == (classes, bits)
        for a, b in itertools.combinations(centers, 2):
            assert differ(a, b) in (bits // 2, bits)
    assert torch.equal(class_centers(3, 4), torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]))


@pytest.mark.parametrize(
    ("bits", "classes", "columns", "constant"),
    [(64, 10, 16, 4), (128, 10, 16, 8), (32, 10, 16, 2), (64, 21, 32, 2), (64, 80, 64, 0), (16, 21, 16, 0)],
)
def test_first_rows_repeat_bits_and_random_rows_hardly_do(bits: int, classes: int, columns: int, constant: int) -> None:
    centers = class_centers(classes, bits)
    assert len({tuple(column) for column in centers.T.tolist()}) == columns
    assert sum(len(set(column)) == 1 for column in centers.T.tolist()) == constant
    if classes < bits:
        counts = [
            len({tuple(c) for c in class_centers(classes, bits, "hadamard-random", drawn(s)).T.tolist()})
            for s in range(20)
        ]
        assert sum(counts) / 20 > columns * 1.2


def test_balanced_rows_have_as_many_ones_as_zeros_and_stay_apart() -> None:
    for seed in range(5):
        centers = class_centers(10, 48, "balanced", drawn(seed))
        assert not centers.sum(dim=1).any()
        smallest, mean = center_distances(centers)
        assert smallest > 12
        assert mean >= 24


def test_distances_equal_a_plain_loop() -> None:
    centers = class_centers(7, 20, "bernoulli", drawn(3))
    found = [differ(a, b) for a, b in itertools.combinations(centers, 2)]
    assert center_distances(centers) == (min(found), pytest.approx(sum(found) / len(found)))
    assert center_distances(centers[:1]) == (20.0, 20.0)


def test_distant_centers_are_farther_apart_than_free_ones() -> None:
    for seed in range(3):
        far, free = (
            center_distances(class_centers(100, 64, kind, drawn(seed)))[0] for kind in ("distant", "bernoulli")
        )
        assert far >= 24
        assert free <= 20
    with pytest.raises(UsageError, match=r"100 centres of 4 bits .* more bits"):
        class_centers(100, 4, "distant", drawn(0))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"centres for 32 classes and the data have 33"):
        class_centers(33, 16)
    with pytest.raises(UsageError, match="30 classes"):
        class_centers(31, 16, "hadamard-random")
    with pytest.raises(UsageError, match="Known: "):
        class_centers(3, 16, "random")


@pytest.mark.parametrize("kind", CENTERS)
def test_the_seed_alone_decides_the_centers(kind: str) -> None:
    torch.manual_seed(5)
    first = class_centers(10, 16, kind)
    torch.manual_seed(5)
    assert torch.equal(first, class_centers(10, 16, kind))
    with torch.device("meta"):  # draws stay on the CPU, wherever modules are built
        torch.manual_seed(5)
        again = class_centers(10, 16, kind)
    assert again.tolist() == first.tolist()
    if kind != "hadamard":
        torch.manual_seed(6)
        assert not torch.equal(first, class_centers(10, 16, kind))


def test_another_process_has_the_same_centers() -> None:
    assert same_in_another_process(
        "import torch; from hashzoo.losses import CENTERS, class_centers; torch.manual_seed(1); "
        "print([class_centers(12, 32, kind).tolist() for kind in CENTERS])"
    )


def test_majority_targets_by_hand() -> None:
    centers = class_centers(3, 4)
    filler = torch.tensor([1.0, -1, 1, -1])
    labels = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]])
    expected = [[1.0, -1, 1, -1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, 1, -1]]
    assert majority_targets(labels, centers, filler).tolist() == expected
    every = majority_targets(torch.ones(1, 3), centers, filler)
    assert every.tolist() == [[1.0, 1, 1, -1]]  # three labels: sums 3, 1, 1, -1, no tie
