from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.errors import UsageError
from hashzoo.runner.request import (
    RunRequest,
    flatten,
    merge,
    parse_assignments,
    parse_numbers,
    parse_value,
    read_config,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("20", 20), ("true", True), ("cosine", "cosine"), ("[1, 2]", [1, 2]), ("'a b'", "a b")],
)
def test_values_are_toml_or_text(text: str, value: object) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize("bad", ["lr", "lr=", "=1", " = "])
def test_an_assignment_needs_key_and_value(bad: str) -> None:
    with pytest.raises(UsageError, match="key=value"):
        parse_assignments((bad,))


def test_a_key_is_given_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_assignments(("lr=1", "lr=2"))


@pytest.mark.parametrize("bad", ["16;32", "16,,32", "a", "", "1.5"])
def test_numbers_are_separated_by_commas(bad: str) -> None:
    with pytest.raises(UsageError, match="separated by commas"):
        parse_numbers(bad, "Bits")


@pytest.mark.parametrize("bits", [(0,), (-16,), (16, 16), ()])
def test_bits_are_positive_and_different(bits: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        RunRequest(method="dch", bits=bits)


@pytest.mark.parametrize(
    "options",
    [{"seeds": (-1,)}, {"seeds": (0, 0)}, {"overwrite": "sometimes"}, {"precision": "fp8"}, {"validation": 1.0}],
)
def test_other_values_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        RunRequest(method="dch", **options)  # type: ignore[arg-type] # wrong on purpose


def test_nested_tables_become_dotted_keys() -> None:
    assert flatten({"lr": 1, "loss": {"gamma": 2, "deep": {"x": 3}}}) == {"lr": 1, "loss.gamma": 2, "loss.deep.x": 3}


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('method = "dch"\nbits = [16, 32]\n[set]\nlr = 0.1\n[set.loss]\ngamma = 5\n')
    request = merge(read_config(file), {"bits": (64,), "settings": {"loss.gamma": 20}, "protocol": None})
    assert request.method == "dch"
    assert request.bits == (64,)
    assert request.settings == {"lr": 0.1, "loss.gamma": 20}


@pytest.mark.parametrize(
    ("content", "message"), [("metod = 'dch'", "did you mean 'method'"), ("method = ", "not valid TOML")]
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        read_config(file)


def test_a_missing_file_and_a_missing_method_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="--method"):
        merge({}, {})
