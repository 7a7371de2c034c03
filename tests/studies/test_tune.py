"""Equal tuning: the same number of trials for each method, resumed, independent of workers, and used by a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hashzoo.cli import main
from hashzoo.errors import UsageError, WorkError
from hashzoo.plugins import registry
from hashzoo.results.commands import frame
from hashzoo.results.known import installed
from hashzoo.results.measure import Selection
from hashzoo.results.record import read_record
from hashzoo.results.settings import row_names
from hashzoo.runner.plan import resolve
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run
from hashzoo.specs import Range
from hashzoo.studies.local import LocalEngine
from hashzoo.studies.request import study_of
from hashzoo.studies.space import own_point, space_of
from hashzoo.studies.task import Outcome
from hashzoo.studies.tune import ROUND, Tuned, Tuning, tune
from hashzoo.testing import write_distribution

pytest.importorskip("optuna", reason="the extra tune is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # Optuna and what it brings warn of their own future


def asked(*methods: str) -> list[RunRequest]:
    return [
        RunRequest(name, protocol="digits-1k", bits=(8,), validation=0.2, settings={"epochs": 1}) for name in methods
    ]


def tuned(folder: Path, trials: int, *methods: str, engine: object = None) -> Path:
    return searched(folder, trials, *methods, engine=engine).path


def searched(folder: Path, trials: int, *methods: str, engine: object = None) -> Tuned:
    return tune(asked(*methods), Tuning(trials, "map", folder), engine or LocalEngine(), registry())  # type: ignore[arg-type] # a test's engine


def test_every_method_gets_the_same_trials_and_a_run_uses_what_was_chosen(tmp_path: Path) -> None:
    path = tuned(tmp_path / "t", 3, "dch", "greedyhash")
    study = json.loads(path.read_text())
    assert sorted(study["methods"]) == ["dch", "greedyhash"]
    for found in study["methods"].values():
        assert [trial["number"] for trial in found["trials"]] == [0, 1, 2]
        assert found["trials"][0]["options"] == {}
        means = [trial["mean"] for trial in found["trials"]]
        assert found["chosen"]["mean"] == max(means)
        assert {"lr", "weight_decay"} <= set(found["space"])
        assert found["space"]["lr"]["source"].startswith("our default")
    assert "digits-1k-validation" in {p.name.split("_")[0] for p in (tmp_path / "t" / "runs").iterdir()}
    again = path.read_bytes()
    assert tuned(tmp_path / "t", 3, "dch", "greedyhash") == path
    assert path.read_bytes() == again

    own = run(RunRequest("dch", protocol="digits-1k", bits=(8,), out=tmp_path / "runs"))
    best = run(RunRequest("dch", protocol="digits-1k", bits=(8,), tuned=path, out=tmp_path / "runs"))
    assert best[0].config.tuned == "3 trials"
    assert best[0].config.recipe is not None
    assert best[0].config.recipe.epochs == 1
    assert "3 trials by map on digits-1k-validation" in best[0].config.settings_source
    records = [*own, *best]
    names = row_names(records, installed(records).own)
    assert [name.settings for name in names] == ["", "tuned, 3 trials"]
    assert len(frame(records, Selection())) == 2
    assert own[0].config.config_hash != best[0].config.config_hash
    assert "tuned" not in own[0].config.upstream()


def test_a_study_is_the_same_whichever_method_is_named_first(tmp_path: Path) -> None:
    """A closed form has no epochs; what all trials share is not what the first method of the command has."""

    def command(*methods: str, epochs: int) -> dict[str, object]:
        requests, _ = study_of(
            {"method": list(methods), "protocol": "digits-1k", "bits": (8,), "validation": 0.2,
             "settings": {"epochs": epochs}},
            registry(),
        )  # fmt: skip
        found = tune(requests, Tuning(1, "map", tmp_path), LocalEngine(), registry())
        study = json.loads(found.path.read_text())
        return {"file": found.path, "shared": study["options"]["settings"], **study["methods"]["dch"]["chosen"]}

    first = command("itq", "dch", epochs=1)
    assert first["shared"] == {"epochs": 1}
    assert command("dch", "itq", epochs=1) == first
    other = command("itq", "dch", epochs=3)
    assert other["file"] != first["file"]
    assert other["mean"] != first["mean"]
    for method in ("itq", "dch"):
        path = first["file"]
        assert isinstance(path, Path)
        config = resolve(RunRequest(method, protocol="digits-1k", tuned=path), registry()).config
        assert (config.recipe.epochs if config.recipe else None) == {"itq": None, "dch": 1}[method]


def test_what_is_given_is_shared_by_all_trials_and_not_tried(tmp_path: Path) -> None:
    (request,) = asked("dch")
    given = replace(request, settings={"epochs": 1, "lr": 0.02, "loss.gamma": 7.0})
    found = tune([given], Tuning(3, "map", tmp_path), LocalEngine(), registry())
    dch = json.loads(found.path.read_text())["methods"]["dch"]
    assert not {"lr", "loss.gamma"} & set(dch["space"])
    assert "weight_decay" in dch["space"]
    assert all(not {"lr", "loss.gamma"} & set(trial["options"]) for trial in dch["trials"])
    config = resolve(RunRequest("dch", protocol="digits-1k", tuned=found.path), registry()).config
    assert config.recipe is not None
    assert config.loss is not None
    assert (config.recipe.lr, config.loss.options["gamma"]) == (0.02, 7.0)


def test_what_is_chosen_depends_on_neither_workers_nor_interruptions(tmp_path: Path) -> None:
    class Stops(LocalEngine):
        def run(self, tasks):  # type: ignore[no-untyped-def] # a generator that stops
            yield from super().run(tasks[:2])
            raise KeyboardInterrupt

    trials = 4
    whole = tuned(tmp_path / "a", trials, "greedyhash")
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "b", trials, "greedyhash", engine=Stops())
    resumed = tuned(tmp_path / "b", trials, "greedyhash", engine=LocalEngine(workers=2))
    assert whole.read_bytes() == resumed.read_bytes()
    assert trials <= ROUND


def test_methods_of_a_later_command_join_the_file(tmp_path: Path) -> None:
    first = tuned(tmp_path, 1, "greedyhash")
    kept = json.loads(first.read_text())["methods"]["greedyhash"]
    request = RunRequest("greedyhash", protocol="digits-1k", tuned=first)
    before = resolve(request, registry()).config.settings_source
    assert tuned(tmp_path, 1, "dch") == first
    assert resolve(request, registry()).config.settings_source == before  # it is of the method's own trials
    study = json.loads(first.read_text())
    assert study["methods"]["greedyhash"] == kept
    assert set(study["methods"]) == {"greedyhash", "dch"}


def test_a_closed_form_without_a_space_has_one_trial(tmp_path: Path) -> None:
    requests = [RunRequest("itq", protocol="digits-1k", bits=(8,), validation=0.2)]
    path = tune(requests, Tuning(5, "map", tmp_path), LocalEngine(), registry()).path
    found = json.loads(path.read_text())["methods"]["itq"]
    assert found["space"] == {}
    assert len(found["trials"]) == 1
    assert run(replace(requests[0], validation=0.0, tuned=path, out=tmp_path))[0].config.tuned == "1 trial"


def test_the_sampler_learns_from_the_own_setting_where_it_lies_in_the_space(tmp_path: Path) -> None:
    import optuna

    path = tuned(tmp_path, 1, "greedyhash")
    plan = resolve(asked("greedyhash")[0], registry())
    own = own_point(plan, space_of(plan), registry())
    assert plan.config.recipe is not None
    assert own == {"lr": plan.config.recipe.lr, "loss.quantization_weight": 0.1}  # its weight decay of 0 is outside
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(path.with_suffix(".journal")))
    )
    first = optuna.load_study(study_name="greedyhash", storage=storage).trials[0]
    assert first.params == own
    trial = json.loads(path.read_text())["methods"]["greedyhash"]["trials"][0]
    assert trial["options"] == {}
    assert trial["mean"] == first.value


def test_an_interruption_while_trials_are_drawn_changes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    requests = [RunRequest("sdh", protocol="digits-1k", bits=(8,), validation=0.2)]

    def search(folder: Path) -> Path:
        return tune(requests, Tuning(ROUND + 3, "map", folder), LocalEngine(), registry()).path

    whole = search(tmp_path / "a")
    own, draws = optuna.Trial.suggest_float, []

    def stops(self: optuna.Trial, *args: object, **options: object) -> float:
        draws.append(self.number)
        if len(draws) in (1, 5, 3 * ROUND + 9):  # the first trial, the first round, a trial after it
            raise KeyboardInterrupt
        return own(self, *args, **options)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(optuna.Trial, "suggest_float", stops)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "b")
    assert search(tmp_path / "b").read_bytes() == whole.read_bytes()
    assert draws[-1] == ROUND + 2


def test_a_half_line_that_a_full_disk_left_costs_nothing_but_itself(tmp_path: Path) -> None:
    path = tuned(tmp_path, 2, "greedyhash")
    chosen, journal = json.loads(path.read_text()), path.with_suffix(".journal")
    journal.write_bytes(journal.read_bytes()[:-20])
    for _ in range(2):  # the second command reads what the first wrote behind the half line
        assert json.loads(tuned(tmp_path, 2, "greedyhash").read_text()) == chosen
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_two_commands_do_not_tune_a_method_at_once(tmp_path: Path) -> None:
    class Again(LocalEngine):
        def run(self, tasks):  # type: ignore[no-untyped-def] # as above
            with pytest.raises(WorkError, match="greedyhash is being tuned by another process"):
                tuned(tmp_path, 1, "greedyhash")
            tuned(tmp_path, 1, "dch")
            yield from super().run(tasks)

    study = json.loads(tuned(tmp_path, 1, "greedyhash", engine=Again()).read_text())
    assert sorted(study["methods"]) == ["dch", "greedyhash"]


def test_a_trial_that_fails_by_its_setting_counts_and_says_why(tmp_path: Path) -> None:
    class Diverges(LocalEngine):
        def run(self, tasks):  # type: ignore[no-untyped-def] # as above
            yield from (Outcome(task.number, f"no; see {task.folder}", fault="not finite") for task in tasks)

    done = searched(tmp_path, 2, "dch", engine=Diverges())
    found = json.loads(done.path.read_text())["methods"]["dch"]
    assert [trial["error"] for trial in found["trials"]] == ["not finite"] * 2
    assert (found["chosen"], done.unfinished) == (None, {})
    with pytest.raises(WorkError, match=r"all 2 trials of dch failed, the first with: not finite.*another --out"):
        resolve(RunRequest("dch", protocol="digits-1k", tuned=done.path), registry())


def test_a_trial_that_fails_by_anything_else_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(LocalEngine):
        def run(self, tasks):  # type: ignore[no-untyped-def] # as above
            yield from super().run(tasks[:1])
            yield from (Outcome(task.number, "the node is gone") for task in tasks[1:])

    monkeypatch.setattr("hashzoo.studies.tune.ROUND", 2)
    done = searched(tmp_path / "a", 4, "greedyhash", engine=Gone())
    found = json.loads(done.path.read_text())["methods"]["greedyhash"]
    assert done.unfinished == {"greedyhash": "trial 1: the node is gone"}
    assert [trial["number"] for trial in found["trials"]] == [0]  # and none of the second round was drawn
    with pytest.raises(WorkError, match="greedyhash has 1 of 4 trials; repeat hashzoo tune"):
        resolve(RunRequest("greedyhash", protocol="digits-1k", tuned=done.path), registry())
    again = searched(tmp_path / "a", 4, "greedyhash")
    assert again.unfinished == {}
    assert again.path.read_bytes() == tuned(tmp_path / "b", 4, "greedyhash").read_bytes()


def test_values_that_are_not_finite_are_the_settings_fault_with_no_place_in_it(tmp_path: Path) -> None:
    def diverging(folder: Path, workers: int) -> Path:
        request = replace(asked("dch")[0], settings={"epochs": 2, "lr": 1e30})
        done = tune([request], Tuning(1, "map", folder), LocalEngine(workers=workers), registry())
        assert done.unfinished == {}
        return done.path

    one, two = diverging(tmp_path / "a", 1), diverging(tmp_path / "b", 2)
    assert one.read_bytes() == two.read_bytes()
    error = json.loads(one.read_text())["methods"]["dch"]["trials"][0]["error"]
    assert "finite" in error
    assert "heckpoint" not in error
    assert str(tmp_path) not in error


def command(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["tune", "-m", "dch", "-p", "digits-1k", "--trials", "1", "--bits", "8", "--set", "epochs=1", *args])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--validation", "0.999"], 2, "A validation fraction of 0.999"),
        (["--metric", "mapp"], 2, "no metric to tune by 'mapp'; did you mean 'map'"),
        (["--metric", "map:best"], 2, "no metric to tune by 'map:best'. Known: map."),
        (["--metric", "constant_bits"], 2, "no metric to tune by 'constant_bits'"),
        (["--metric", "image-to-text/map"], 2, "no metric to tune by 'image-to-text/map'"),
        (["--set", "batch_size=5000"], 2, "The batch size 5000 is larger than the train split"),
        (["-p", "cifar10-5k"], 1, "cifar"),
    ],
)
def test_what_is_wrong_with_every_trial_is_said_before_the_first(
    args: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HASHZOO_DATA", str(tmp_path / "none"))
    assert command(*args, "--out", str(tmp_path / "t")) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "uses what was chosen" not in shown.out
    assert not list(tmp_path.glob("t/*"))


def test_the_command_ends_with_1_where_a_method_has_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hashzoo.runner.run.run_cell", lambda *_: (_ for _ in ()).throw(WorkError("The disk is full.")))
        assert command("--out", str(tmp_path)) == 1
    shown = capsys.readouterr()
    assert "uses what was chosen" not in shown.out
    assert "0 of 1 trials are done; trial 0: The disk is full." in shown.out
    assert "There is no choice for dch; the same command tries what is open again" in shown.err
    assert command("--out", str(tmp_path)) == 0
    shown = capsys.readouterr()
    assert "uses what was chosen" in shown.out
    assert "trial 0 of dch: map 0." in shown.err
    assert "; best so far 0." in shown.err


def test_a_metric_of_which_less_is_better_is_minimised(
    tmp_path: Path, spaced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path / "late", "hashzoo-late", LATE)
    monkeypatch.syspath_prepend(str(tmp_path / "late"))
    request = RunRequest("spaced", protocol="digits-1k", bits=(8,), validation=0.2, evaluators=("retrieval", "late"))
    done = tune([request], Tuning(4, "lateness", tmp_path / "t"), LocalEngine(), registry())
    study = json.loads(done.path.read_text())
    assert done.unfinished == {}
    found = study["methods"]["spaced"]
    means = [trial["mean"] for trial in found["trials"]]
    assert len(set(means)) > 1
    assert found["chosen"]["mean"] == min(means)
    assert "the trial with the lowest mean" in study["rule"]


LATE = """
    import numpy as np

    from hashzoo import Component, Metric, hookimpl


    class Late:
        def __init__(self, protocol=None):
            del protocol

        def __call__(self, task):
            return {"lateness": float(np.mean(task.query.relaxed ** 2))}


    @hookimpl
    def hashzoo_register_metrics():
        return [Metric("lateness", higher_is_better=False, range=(0.0, None), on_board=True)]


    @hookimpl
    def hashzoo_register_evaluators():
        return [Component("late", Late, metrics=("lateness",))]
"""


def test_the_file_says_of_what_code_its_trials_are_and_other_code_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashzoo import __version__
    from hashzoo.plugins import plugin_file_hash

    path = tuned(tmp_path, 2, "greedyhash")
    found = json.loads(path.read_text())["methods"]["greedyhash"]
    owner = registry().owner("methods", "greedyhash")
    known = {"version": owner.version, "sha256": plugin_file_hash(owner)}
    assert found["plugins"][owner.distribution] == known
    assert found["plugins"]["hashzoo"]["version"] == __version__
    record = next(read_record(kept) for kept in path.parent.glob("runs/*/*/seed-0/record.json"))
    assert (found["precision"], found["device"]) == (record.config.precision, record.environment["device"])
    assert found["threads"] == 1  # a small model

    class Stops(LocalEngine):
        def run(self, tasks):  # type: ignore[no-untyped-def] # as above
            yield from super().run(tasks[:1])
            yield from (Outcome(task.number, "stopped") for task in tasks[1:])

    searched(tmp_path / "b", 2, "greedyhash", engine=Stops())
    monkeypatch.setattr("hashzoo.runner.workshop.plugin_file_hash", lambda _: "f" * 64)
    with pytest.raises(UsageError, match=r"'greedyhash' so far are of .*file hash .*would go on with.*ffffffff.*--out"):
        tuned(tmp_path / "b", 2, "greedyhash")
    assert tuned(tmp_path, 2, "greedyhash") == path  # where nothing is left to do, nothing is refused


def test_the_committed_study_is_read_and_used() -> None:
    (path,) = (Path(__file__).parents[2] / "leaderboards" / "tuning").glob("digits-1k_*.json")
    plan = resolve(RunRequest("dch", protocol="digits-1k", backbone="pixels", tuned=path), registry())
    assert plan.config.tuned == "20 trials"


def test_options_of_the_study_may_be_said_again(tmp_path: Path) -> None:
    path = tuned(tmp_path, 1, "dch")
    shared = json.loads(path.read_text())["options"]["settings"]
    assert shared
    request = RunRequest("dch", protocol="digits-1k", tuned=path)
    assert resolve(replace(request, settings=shared), registry()).config == resolve(request, registry()).config


def test_a_row_names_what_was_changed_after_tuning(tmp_path: Path) -> None:
    path = tuned(tmp_path / "t", 1, "dch")
    settings = {"loss.gamma": 7.0, "momentum": 0.5}
    request = RunRequest("dch", protocol="digits-1k", bits=(8,), tuned=path, settings=settings, out=tmp_path)
    assert resolve(request, registry()).config.tuned == "1 trial, loss.gamma=7.0, momentum=0.5"
    records = run(request)
    [name] = row_names(records, installed(records).own)
    assert name.settings == "tuned, 1 trial, loss.gamma=7.0, momentum=0.5"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"backbone": "pixels"}, "regime 'scratch'"),
        ({"loss": "hashnet"}, "tuned with the loss 'dch' and this run has 'hashnet'"),
        ({"hash_layer": "greedyhash"}, "tuned with the hash layer 'tanh' and this run has 'greedyhash'"),
    ],
)
def test_other_parts_than_those_that_were_tuned_are_refused(changed: dict[str, str], said: str, tmp_path: Path) -> None:
    path = tuned(tmp_path, 1, "dch")
    with pytest.raises(UsageError, match=said):
        resolve(replace(RunRequest("dch", protocol="digits-1k", tuned=path), **changed), registry())  # type: ignore[arg-type] # names of fields


def test_other_weights_and_another_backbone_of_the_same_regime_are_refused(tmp_path: Path) -> None:
    path = tuned(tmp_path, 1, "dch")
    study = json.loads(path.read_text())
    study |= {"options": {**study["options"], "backbone": "pixels"}}
    study["methods"]["dch"]["regime"] = "frozen"
    path.write_text(json.dumps(study))
    request = RunRequest("dch", protocol="digits-1k", tuned=path, freeze_backbone=True)
    with pytest.raises(UsageError, match="the backbone of image 'pixels' and this run has"):
        resolve(request, registry())
    study |= {"options": {**study["options"], "backbone": "alexnet", "weights": "pretrained"}}
    study["methods"]["dch"]["regime"] = "scratch"
    path.write_text(json.dumps(study))
    request = RunRequest("dch", protocol="digits-1k", tuned=path, backbone="alexnet", weights="random")
    with pytest.raises(UsageError, match="the weights 'pretrained' of 'alexnet' and this run has 'random'"):
        resolve(request, registry())


def test_a_study_that_was_stopped_early_is_to_go_on(tmp_path: Path) -> None:
    path = tuned(tmp_path, 2, "greedyhash")
    study = json.loads(path.read_text())
    del study["methods"]["greedyhash"]["trials"][1]
    path.write_text(json.dumps(study))
    with pytest.raises(WorkError, match="greedyhash has 1 of 2 trials; repeat hashzoo tune"):
        resolve(RunRequest("greedyhash", protocol="digits-1k", tuned=path), registry())


SPACED = """
    import torch

    from hashzoo import Component, Method, Paper, Range, hookimpl

    PAPER = Paper("spaced-2030", "A space of every kind", "A. Author", "", 2030)


    class Spaced:
        def __init__(self, problem, *, scale: float = 1.0, rounds: int = 2, kind: str = "plain"):
            self.bits, self.draw = problem.bits, hash((scale, rounds)) % 2**31 + (kind == "odd")

        def fit(self, features, labels, seed):
            width = features["image"].shape[1]
            weight = torch.randn(width, self.bits, generator=torch.Generator().manual_seed(self.draw))
            return {"image": {"mean": torch.zeros(width), "weight": weight, "bias": torch.zeros(self.bits)}}


    @hookimpl
    def hashzoo_register_fitters():
        return [Component("spaced", Spaced)]


    @hookimpl
    def hashzoo_register_methods():
        space = {
            "fitter.scale": Range(0.1, 10.0, log=True, source="a test"),
            "fitter.rounds": Range(1, 20, source="a test"),
            "fitter.kind": Range(choices=("plain", "odd", "even"), source="a test"),
        }
        return [
            Method("spaced", PAPER, training="fit", fitter="spaced", hash_layer="projection",
                   supervision="unsupervised", space=space)
        ]
"""


@pytest.fixture
def spaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose method has numbers, whole numbers and choices to tune."""
    write_distribution(tmp_path / "site", "hashzoo-spaced", SPACED)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def test_options_of_every_kind_are_searched_and_resumed_beyond_the_first_round(
    tmp_path: Path, spaced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashzoo.studies.tune.ROUND", 2)
    request = RunRequest("spaced", protocol="digits-1k", bits=(8,), validation=0.2)

    def search(folder: Path, engine: LocalEngine) -> dict[str, object]:
        path = tune([request], Tuning(5, "map", folder), engine, registry()).path
        return dict(json.loads(path.read_text())["methods"]["spaced"])

    class Stops(LocalEngine):
        rounds = 0

        def run(self, tasks):  # type: ignore[no-untyped-def] # a generator that stops
            self.rounds += 1
            done = super().run(tasks)
            if self.rounds == 2:
                yield next(done)
                raise KeyboardInterrupt
            yield from done

    whole = search(tmp_path / "a", LocalEngine())
    trials: list[dict[str, dict[str, object]]] = whole["trials"]  # type: ignore[assignment] # as JSON has it
    assert len(trials) == 5
    assert trials[0]["options"] == {}
    for trial in trials[1:]:
        found = trial["options"]
        assert isinstance(found["fitter.scale"], float)
        assert 0.1 <= found["fitter.scale"] <= 10
        assert isinstance(found["fitter.rounds"], int)
        assert 1 <= found["fitter.rounds"] <= 20
        assert found["fitter.kind"] in ("plain", "odd", "even")
    assert len({json.dumps(trial["options"], sort_keys=True) for trial in trials}) == 5
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "b", Stops())
    assert search(tmp_path / "b", LocalEngine()) == whole


def test_a_name_of_two_distributions_is_tuned_under_its_full_name(
    tmp_path: Path, spaced: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["-p", "digits-1k", "--trials", "1", "--bits", "8", "--out", str(tmp_path / "t"), "-q"]

    def command(*args: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(args))
        shown = capsys.readouterr()
        assert ended.value.code == 0, shown.err
        return shown.out

    # one distribution alone: its full name is another word for the plain one
    assert command("tune", "-m", "hashzoo-spaced:spaced", *common).startswith("spaced  map 0.")
    (path,) = (tmp_path / "t").glob("*.json")
    command("run", "-m", "spaced", "-p", "digits-1k", "--bits", "8", "--tuned", str(path))
    write_distribution(tmp_path / "another", "hashzoo-spaced-too", SPACED)
    monkeypatch.syspath_prepend(str(tmp_path / "another"))
    both = "hashzoo-spaced:spaced,hashzoo-spaced-too:spaced"
    lines = command("tune", "-m", both, *common).splitlines()
    assert [line.split()[0] for line in lines[:2]] == both.split(",")
    assert set(json.loads(path.read_text())["methods"]) == {"spaced", *both.split(",")}
    command("run", "-m", "hashzoo-spaced-too:spaced", "-p", "digits-1k", "--bits", "8", "--tuned", str(path))


@pytest.mark.parametrize("metric", ["map@h2", "image-to-text/precision@h2", "map@1000"])
def test_metrics_that_depend_on_the_size_of_the_database_are_refused(metric: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"small database of a validation split.*tune by map"):
        Tuning(3, metric, tmp_path)
    with pytest.raises(UsageError, match="at least 1"):
        Tuning(0, "map", tmp_path)


def test_a_plugin_states_its_space() -> None:
    plan = resolve(RunRequest("dch", protocol="digits-1k"), registry())
    stated = {"recipe.lr": Range(1e-4, 1e-3, log=True, source="here"), "loss.gamma": Range(1.0, 50.0, source="paper")}
    space = space_of(replace(plan, method=replace(plan.method, space=stated)))
    assert list(space) == ["lr", "weight_decay", "loss.gamma"]
    assert space["lr"].source == "here"


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tuned(tmp_path, 1, "greedyhash")
    for request, message in [
        (RunRequest("dch", protocol="digits-1k", tuned=path), "holds no trials of 'dch'"),
        (RunRequest("greedyhash", protocol="cifar10-5k", tuned=path), "tuned on digits-1k"),
        (RunRequest("greedyhash", protocol="digits-1k", tuned=path, freeze_backbone=True), "regime 'scratch'"),
        (
            RunRequest("greedyhash", protocol="digits-1k", tuned=path, settings={"epochs": 2}),
            "epochs is 1 in .* 2 here",
        ),
        (RunRequest("greedyhash", protocol="digits-1k", tuned=tmp_path / "none.json"), "There is no file"),
    ]:
        with pytest.raises(UsageError, match=message):
            resolve(request, registry())
    broken = tmp_path / "broken.json"
    for text, said in [('{"version": 1}', "it lacks 'protocol'"), ("[1]", "its fields are of other kinds")]:
        broken.write_text(text)
        with pytest.raises(WorkError, match=f"not a file of hashzoo tune: {said}; restore it"):
            resolve(RunRequest("dch", protocol="digits-1k", tuned=broken), registry())
