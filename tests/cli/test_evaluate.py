"""`hashzoo evaluate`: what is printed, what goes together and what does not, parts, and nothing that is a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from hashzoo.cli import main
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes

BITS, CLASSES = 16, 4


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Codes, Codes]:
    """q.npz and d.npz in the present folder, and the codes in them."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    sets = []
    for name, n in (("q", 7), ("d", 97)):
        signs, labels = draw.choice([-1, 1], (n, BITS)), draw.integers(0, CLASSES, n).astype(np.uint8)
        np.savez(f"{name}.npz", codes=signs, labels=labels)
        sets.append(Codes.from_signs(signs, labels, num_classes=CLASSES))
    return sets[0], sets[1]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*args: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", *args])
        shown = capsys.readouterr()
        assert (stop.value.code or 0) == code, shown.err
        assert "Traceback" not in shown.err
        return shown.err if code else shown.out

    return run


PAIR = ("--query", "q.npz", "--database", "d.npz")


def test_json_of_two_files_is_the_metrics_themselves(files: tuple[Codes, Codes], call: Any) -> None:
    found = json.loads(call(*PAIR, "--metrics", "map, precision@5", "--json"))
    assert "" not in found
    expected = evaluate(*files, "map,precision@5")
    assert {name: found[name] for name in expected} == expected
    assert (found["convention"], found["ties"], found["ranking"]) == ("hashzoo", "expected", "hamming")


def test_what_is_printed_is_what_was_asked(files: tuple[Codes, Codes], call: Any) -> None:
    shown = call(*PAIR, "--metrics", "map@h2-reranked,map", code=2)
    assert "no real-valued outputs" in shown
    shown = call(*PAIR, "--metrics", "precision@1000,map,pr_curve")
    assert "note: The list has 97 items, so precision@1000 looks at all of them." in shown
    assert "points (--json lists them)" in shown
    assert "precision@1000" not in call(*PAIR)
    shown = call(*PAIR, "--metrics", "map", "--convention", "dchmt", "--confidence")
    assert re.search(r"map:interval95 +low 0\.\d+, high 0\.\d+", shown)
    np.savez("far.npz", codes=files[0].signs(), labels=np.eye(CLASSES + 1, dtype=np.uint8)[[CLASSES] * len(files[0])])
    np.savez("wide.npz", codes=files[1].signs(), labels=np.pad(files[1].labels, ((0, 0), (0, 1))))
    shown = call("--query", "far.npz", "--database", "wide.npz", "--metrics", "map", "--convention", "dchmt")
    assert re.search(r"map +undefined", shown)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("run", *PAIR), "RUN"),
        (("a", "b"), "Give one RUN, not 2"),
        (("--check",), "Give one RUN, not 0"),
        (("--check", *PAIR), "--query and --database cannot be combined with --check"),
        (("run", "--check", "--metrics", "map"), "--metrics cannot be combined with --check"),
        (("run", "--check", "--ties", "best"), "--ties cannot be combined with --check"),
        (("run", "--bits", "12"), "--bits cannot be combined with RUN"),
        (("run", "--query-labels", "l.npy"), "--query-labels cannot be combined with RUN"),
        ((*PAIR, "--ties", "best", "--convention", "dcmh"), "--convention decides the order of ties"),
        ((*PAIR, "--per-query"), "add --json"),
        ((*PAIR, "--part", "1/2"), "go together"),
        ((*PAIR, "-o", "counts.npz"), "go together"),
        ((*PAIR, "--part", "1/2", "-o", "counts.txt"), "FILE.npz"),
        ((*PAIR, "--part", "1/2", "-o", "c.npz", "--metrics", "map"), "--metrics cannot be combined with --part"),
        ((*PAIR, "--part", "one/two", "-o", "c.npz"), "form I/N"),
        ((*PAIR, "--part", "3/2", "-o", "c.npz"), "1 <= I <= N"),
        ((*PAIR, "--part", "0/2", "-o", "c.npz"), "1 <= I <= N"),
        ((*PAIR, "--workers", "2"), "add --parts N"),
        ((*PAIR, "--engine", "local"), "add --parts N"),
        ((*PAIR, "--parts", "0"), "--parts"),
        ((*PAIR, "--parts", "98"), "1 <= I <= N <= 97"),
        (("--query", "q.npz", "--parts", "2"), "both --query and --database"),
        (("run", "--parts", "2"), "RUN cannot be combined with --parts"),
        ((*PAIR, "--parts", "2", "--part", "1/2"), "--part cannot be combined with --parts"),
        ((*PAIR, "--parts", "2", "--convention", "dcmh"), "--convention cannot be combined with --parts"),
        ((*PAIR, "--parts", "2", "--engine", "lokal"), "did you mean 'local'"),
        ((*PAIR, "--parts", "2", "--engine", "local:workers=2", "--workers", "2"), "given twice"),
        (("--merge",), "needs the files"),
        (("c.npz", "--merge", "--convention", "dcmh"), "--convention cannot be combined with --merge"),
        (("q.npz", "--merge", "--check"), "--merge cannot be combined with --check"),
        ((*PAIR, "--leave-self-out"), "q.npz has no ids"),
        ((*PAIR, "--map", "codes"), "form NAME=NAME"),
        ((*PAIR, "--map", "code=H"), "did you mean 'codes'"),
        ((*PAIR, "--bits", "0"), "--bits"),
        ((*PAIR, "--metrics", ","), "No metric is named"),
        ((*PAIR, "--metrics", "map@99999999999999999999"), "20 digits"),
        ((*PAIR, "--kernel", "cuda"), "no counting kernel"),
        (("--query", "q.npz", "--database", "none.npz"), "none.npz"),
        (("--query", "q.npz", "--database", "."), "none of the files"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    files: tuple[Codes, Codes], call: Any, args: tuple[str, ...], message: str
) -> None:
    assert message in " ".join(call(*args, code=2).split())


def test_names_of_another_tools_arrays(files: tuple[Codes, Codes], call: Any) -> None:
    query, database = files
    arrays = {"B_test": query.signs(), "y_test": query.labels, "rB": database.signs(), "rL": database.labels}
    savemat("both.mat", arrays)
    both = ("--query", "both.mat", "--database", "both.mat", "--metrics", "map", "--json")
    found = json.loads(call(*both, "--map", "query_codes=B_test", "--map", "query_labels=y_test"))
    assert found["map"] == evaluate(query, database, "map")["map"]


def test_parts_merged_are_the_whole(files: tuple[Codes, Codes], call: Any) -> None:
    names = []
    for part in range(1, 6):
        said = json.loads(call(*PAIR, "--part", f"{part}/5", "-o", f"part-{part}.npz", "--json"))
        assert (said["part"], said["queries"], said["of"]) == (f"{part}/5", 7, 97)
        names.append(f"part-{part}.npz")
    whole = json.loads(call(*PAIR, "--json", "--confidence", "--per-query"))
    merged = json.loads(call(*names, "--merge", "--json", "--confidence", "--per-query"))
    whole.pop("warning", None)
    assert merged == whole
    assert "Part 3 of 5 is missing" in call(*names[:2], *names[3:], "--merge", code=2)
    assert "given more than once" in call(*names, names[0], "--merge", code=2)
    assert "d.npz is damaged" in call("d.npz", *names, "--merge", code=1)


def test_parts_by_an_engine_are_the_whole(files: tuple[Codes, Codes], call: Any) -> None:
    whole = json.loads(call(*PAIR, "--json", "--confidence", "--per-query"))
    whole.pop("warning", None)
    asked = (*PAIR, "--parts", "5", "--engine", "local:workers=1", "-o", "kept", "--json", "--confidence")
    assert json.loads(call(*asked, "--per-query")) == whole
    assert sorted(path.name for path in Path("kept").glob("*/*")) == [f"part-{i}-of-5.npz" for i in range(1, 6)]
    assert "map" in call(*PAIR, "--parts", "5")


def test_torchrun_counts_no_parts(files: tuple[Codes, Codes], call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "not by torchrun" in call(*PAIR, "--parts", "2", code=2)


def test_every_kernel_that_can_be_named_gives_the_same(files: tuple[Codes, Codes], call: Any) -> None:
    shown = {call(*PAIR, "--kernel", kernel, "--json") for kernel in ("numpy", "numba", "torch:cpu")}
    assert len(shown) == 1
