"""The pytest front of the kit, and the core's own methods and components under it."""

from __future__ import annotations

import pytest

from hashzoo.errors import UsageError
from hashzoo.plugins import registry
from hashzoo.testing import (
    CHECKS,
    COMPONENT_CHECKS,
    CheckFailed,
    NotApplicable,
    check_component,
    check_method,
    conformance,
    write_distribution,
)
from hashzoo.testing.toy import toy_splits

pytest_plugins = "pytester"

BUILTIN_METHODS = [n for n in registry().names("methods") if registry().owner("methods", n).builtin]
BUILTIN_COMPONENTS = [
    ("hash_layers", "linear"),
    ("hash_layers", "tanh"),
    ("hash_layers", "projection"),
    ("fitters", "center"),
    ("fitters", "lsh"),
    ("hash_layers", "random-codes"),
    ("trainers", "gradient"),
    ("evaluators", "retrieval"),
    ("evaluators", "code_quality"),
    ("backbones", "identity"),
    ("backbones", "smallcnn"),
    ("backbones", "pixels"),
    ("datasets", "digits"),
    ("datasets", "digits-halves"),
    ("engines", "local"),
]


@pytest.mark.parametrize("method", BUILTIN_METHODS)
def test_builtin_methods_conform(method):
    found = check_method(method)
    assert {r.check: r.message for r in found if r.status == "failed"} == {}
    assert sum(r.status == "passed" for r in found) >= 9


@pytest.mark.parametrize(("kind", "name"), BUILTIN_COMPONENTS)
def test_builtin_components_conform(kind, name):
    found = check_component(kind, name)
    assert {r.check: r.message for r in found if r.status == "failed"} == {}
    assert all(r.status == "passed" for r in found)


def test_builtin_paper_tables_conform():
    for name in registry().names("paper_tables"):
        (result,) = check_component("paper_tables", name, only=["values_have_sources"])
        assert result.status == "passed", result.message


# A component that breaks its rule, by kind, check and a word of the message.
BAD_COMPONENTS = {
    ("backbones", "features_have_the_stated_width"): (
        "class B(nn.Module):\n    preprocessing, feature_dim = None, 8\n    def forward(self, x): return x.float()\n"
        "def build(in_features): return B()",
        "by `.feature_dim` it is (6, 8)",
    ),
    ("backbones", "features_ignore_batching"): (
        "class B(nn.Module):\n    preprocessing, feature_dim = None, 16\n    def forward(self, x): return x - x[:1]\n"
        "def build(in_features): return B()",
        "Features change with the batch",
    ),
    ("backbones", "gradients_reach_the_backbone"): (
        "class B(nn.Module):\n    preprocessing, feature_dim = None, 4\n"
        "    def __init__(self):\n        super().__init__()\n        self.linear = nn.Linear(16, 4)\n"
        "    @torch.no_grad()\n    def forward(self, x): return self.linear(x)\n"
        "def build(in_features): return B()",
        "No gradient reaches linear.weight, linear.bias: is forward under torch.no_grad",
    ),
    ("fitters", "fitting_repeats_itself"): (
        "class F:\n    def __init__(self, problem): self.bits = problem.bits\n"
        "    def fit(self, features, labels, seed):\n        draw = np.random.default_rng()\n"
        "        return {role: {'mean': x.mean(0), 'weight': torch.from_numpy(draw.random((16, self.bits))),\n"
        "                'bias': torch.zeros(self.bits)} for role, x in features.items()}\nbuild = F",
        "Two fits with one seed give other states for image",
    ),
    ("evaluators", "figures_are_numbers"): (
        "def build(protocol):\n    return lambda r: {'odd': float('nan')}",
        "gives 'odd' = nan, which is no finite number",
    ),
    ("datasets", "splits_keep_their_promises"): (
        "from hashzoo.testing.toy import toy_splits\nfrom dataclasses import replace\nimport numpy as np\n"
        "def load(protocol, root):\n    s = toy_splits()\n    return replace(s, train=np.arange(399, 401))",
        "1 queries are also training items",
    ),
    ("trainers", "training_changes_the_model"): (
        "class T:\n    def fit(self, job): pass\ndef build(): return T()",
        "left the model as it was",
    ),
    ("trainers", "large_batches_are_refused_or_trained"): (
        "class T:\n    def fit(self, job): job.data.batch(__import__('torch').arange(job.recipe.batch_size))\n"
        "def build(): return T()",
        "IndexError",
    ),
    ("losses", "options_have_names"): (
        "def build(problem, **options): return None",
        "takes **options",
    ),
    ("paper_tables", "values_have_sources"): ("", "has no source"),
    ("engines", "every_task_has_an_outcome"): (
        "from hashzoo import Outcome\nclass E:\n    def run(self, tasks):\n        yield Outcome(9)\n"
        "def build(): return E()",
        "an engine yields one outcome for each task",
    ),
}
HOOKS = {
    "datasets": "Dataset('odd', {'image': 'vector'}, (Protocol('odd', 'odd', (80, 2, 400)),), 'hashzoo_odd_code:load')",
    "paper_tables": "PaperTable('odd-2020-t', Paper('odd-2020', 't', 'a', 'v', 2020), 't', 'map',\n"
    "        (PaperRow('odd', 'd', 16, 0.5, '', 'read'),))",
    "backbones": "Component('odd', 'hashzoo_odd_code:build', accepts='vector')",
    "evaluators": "Component('odd', 'hashzoo_odd_code:build', metrics=('odd',))",
}
METRICS = """
@hookimpl
def hashzoo_register_metrics():
    return [Metric('odd', range=(0.0, 1.0))]
"""


def install(site, kind: str, item: str, code: str) -> None:
    source = "from hashzoo import *\n\nhashzoo_api = 2\n\n"
    source += f"@hookimpl\ndef hashzoo_register_{kind}():\n    return [{item}]\n{METRICS}"
    imports = "import numpy as np\nimport torch\nfrom torch import nn\n"
    write_distribution(site, "hashzoo-odd", source, extra={"hashzoo_odd_code": f"{imports}{code}\n"})


def judged(kind: str, check: str, says: str) -> None:
    """Require that a check of the component `odd` fails in these words, or passes where there are none."""
    (result,) = check_component(kind, "odd", only=[check])
    assert result.status == ("failed" if says else "passed"), result.message
    assert says in result.message


@pytest.mark.parametrize(("kind", "check"), BAD_COMPONENTS)
def test_a_bad_component_is_caught(site, kind, check):
    code, says = BAD_COMPONENTS[kind, check]
    item = HOOKS.get(kind, "Component('odd', 'hashzoo_odd_code:build')")
    install(site, kind, item, code)
    name = "odd-2020-t" if kind == "paper_tables" else "odd"
    (result,) = check_component(kind, name, only=[check])
    assert result.status == "failed"
    assert says in result.message


EVALUATORS = {
    "{'odd': 0.5}": "",
    "{'odd': None, 'odd@5': [0.0, 1.0], 'a note': 'it is one'}": "",
    "{}": "The evaluator returned nothing",
    "{'odd': 0.5, 'even': 0.5}": "gives 'even', which it does not declare",
    "{'odd': 1.5}": "outside of the metric's range of 0.0 to 1.0",
    "{'odd': {'a': 0.5}}": "which is no finite number and no list of such",
    "{'odd': np.concatenate([np.zeros(999), np.random.rand(9), np.zeros(999)])}": "gives other figures",
    "{'odd': np.random.rand()}": "gives other figures",
    "{'odd': float(r.query.relaxed.sort() is None) / 2}": "sort array is read-only",
}


@pytest.mark.parametrize("given", EVALUATORS)
def test_an_evaluator_is_held_to_what_a_run_accepts(site, given):
    install(site, "evaluators", HOOKS["evaluators"], f"def build(protocol):\n    return lambda r: {given}")
    judged("evaluators", "figures_are_numbers", EVALUATORS[given])


BACKBONE = """
class B(nn.Module):
    preprocessing, feature_dim = None, 4

    def __init__(self):
        super().__init__()
        self.linear, self.other = nn.Linear(16, 4), nn.Linear(4, 4)
        FROZEN

    def forward(self, x):
        x = self.linear(x)
        return RETURNED


def build(in_features):
    return B()
"""
BACKBONES = {
    ("pass", "self.other(x)"): "",
    ("self.linear.requires_grad_(False)", "self.other(x)"): "",
    ("self.requires_grad_(False)", "self.other(x)"): "",
    ("pass", "self.other(x.detach())"): "No gradient reaches linear.weight, linear.bias: is forward",
    ("pass", "x"): "No gradient reaches other.weight, other.bias: is forward",
    ("pass", "self.other(x).detach()"): "No gradient reaches linear.weight, linear.bias, other.weight and 1 more: is",
    ("pass", "self.other(x) / (not self.training)"): "Features are not finite in train mode",
    ("self.requires_grad_(False)", "self.other(x) / (not self.training)"): "Features are not finite in train mode",
    ("pass", "self.other(0 * x).abs().sqrt() if not self.training else (0 * self.other(x)).abs().sqrt()"):
    "The gradient of linear.weight, linear.bias, other.weight is not finite in train mode",
}  # fmt: skip


@pytest.mark.parametrize(("frozen", "returned"), BACKBONES)
def test_a_backbone_is_tried_in_train_mode(site, frozen, returned):
    code = BACKBONE.replace("FROZEN", frozen).replace("RETURNED", returned)
    install(site, "backbones", HOOKS["backbones"], code)
    judged("backbones", "gradients_reach_the_backbone", BACKBONES[frozen, returned])


FITTERS = {
    "pass": "",
    "draw.manual_seed(int(np.random.default_rng().integers(10**6)))": "Two fits with one seed give other states",
    "draw.seed()": "Two fits with one seed give other states",
    "features['image'] -= features['image'].mean(0)": "The fitter changed the features in place",
    "labels *= 2": "The fitter changed the labels in place",
}


@pytest.mark.parametrize("fault", FITTERS)
def test_a_fitter_repeats_itself_and_leaves_its_inputs_alone(site, fault):
    code = "class F:\n    def __init__(self, problem): self.bits = problem.bits\n"
    code += "    def fit(self, features, labels, seed):\n        draw = torch.Generator().manual_seed(seed)\n"
    code += f"        {fault}\n        weight = torch.randn(16, self.bits, generator=draw)\n"
    code += "        state = {'mean': torch.zeros(16), 'weight': weight, 'bias': torch.zeros(self.bits)}\n"
    install(site, "fitters", "Component('odd', 'hashzoo_odd_code:F')", code + "        return {'image': state}")
    judged("fitters", "fitting_repeats_itself", FITTERS[fault])


DATASET = """
from dataclasses import replace

from hashzoo import Dataset, Protocol, WorkError, hookimpl
from hashzoo.testing.toy import toy_splits


def load(protocol, root{options}):
    if protocol.id in {fails}:
        raise WorkError("the file is damaged")
    return toy_splits()


@hookimpl
def hashzoo_register_datasets():
    protocols = [Protocol(name, "odd", (80, 400, 400), sha256=sha) for name, sha in {protocols}]
    return [Dataset("odd", {{"image": "vector"}}, tuple(protocols), "hashzoo_odd:load", files={files})]
"""
RIGHT = toy_splits().sha256


@pytest.mark.parametrize(
    ("options", "fails", "protocols", "files", "status", "says"),
    [
        ("", (), (("odd", RIGHT), ("odd-2", RIGHT)), (), "passed", ""),
        ("", (), (("odd", RIGHT), ("odd-2", "0" * 64)), (), "failed", f"promises sha256 {'0' * 64} and gives {RIGHT}"),
        # data that are here and cannot be read: embedded ones, and files that exist
        ("", ("odd",), (("odd", RIGHT),), (), "failed", "protocol 'odd' cannot be loaded"),
        (", path=''", ("odd",), (("odd", RIGHT),), ("site",), "failed", "the file is damaged"),
        # data that are not here: missing files, an option without default, a place that the loader alone knows
        ("", (), (("odd", RIGHT),), ("odd.bin",), "n/a", "odd.bin"),
        (", path", (), (("odd", RIGHT),), (), "n/a", "path of the user's own"),
        (", path=''", ("odd",), (("odd", RIGHT),), (), "n/a", "the file is damaged"),
        # one protocol without data hides no mistake in the next
        (", path=''", ("odd",), (("odd", RIGHT), ("odd-2", "0" * 64)), (), "failed", "protocol 'odd-2' promises"),
        (", path=''", ("odd",), (("odd", RIGHT), ("odd-2", RIGHT)), (), "passed", ""),
    ],
)
def test_a_dataset_is_checked_wherever_its_data_are_here(
    site, tmp_path, monkeypatch, options, fails, protocols, files, status, says
):
    monkeypatch.setenv("HASHZOO_DATA", str(tmp_path))
    source = DATASET.format(options=options, fails=fails, protocols=protocols, files=files)
    write_distribution(site, "hashzoo-odd", source)
    (result,) = check_component("datasets", "odd", only=["splits_keep_their_promises"])
    assert result.status == status, result.message
    assert says in result.message


def loaded(changed: str) -> str:
    """Return a data set whose loader changes the toy problem `s`, of which it may draw with numpy's `np.random`."""
    code = f"    s = toy_splits()\n    t = s.table\n    {changed}\n    return s\n"
    source = DATASET.format(options="", fails=(), protocols=(("odd", RIGHT),), files=())
    return source.replace("    return toy_splits()\n", code).replace("\nfrom", "\nimport numpy as np\nfrom", 1)


TABLE = "s = replace(s, table=replace(t, {}))"
BAD_TABLES = {
    "another pairing at each load": (TABLE.format("labels=np.random.permutation(t.labels)"), "gives other labels the"),
    "class numbers": (TABLE.format("labels=t.labels.argmax(1)[:, None]"), "has labels other than 0 and 1"),
    "two class numbers": (TABLE.format("labels=t.labels[:, :2].argmax(1)[:, None]"), "has one column of labels"),
    "class numbers alone": (TABLE.format("labels=t.labels.argmax(1)"), "labels of shape (480,) for 480 items"),
    "counts": (TABLE.format("labels=2 * t.labels"), "has labels other than 0 and 1"),
    "lost labels": (TABLE.format("labels=t.labels * np.nan"), "has labels other than 0 and 1"),
    "no labels": (TABLE.format("labels=0 * t.labels"), "no item of the train part has a label"),
    "a row too few": (TABLE.format("labels=t.labels[1:]"), "labels of shape (479, 4) for 480 items"),
    "inputs too few": (TABLE.format("inputs={'image': t.inputs['image'][1:]}"), "image has 479 rows for 480 items"),
    "equal ids": (TABLE.format("ids=0 * t.ids"), "gives several items one id"),
    "other ids": (TABLE.format("ids=t.ids + np.random.randint(10**6)"), "gives other ids the second time"),
    "a name too few": (TABLE.format("class_names=('a', 'b', 'c')"), "has 3 class names for 4 columns of labels"),
    "a lost number": ("t.inputs['image'][7, 3] = np.nan", "has inputs of 'image' that are not finite"),
    "an infinite number": ("t.inputs['image'][7, 3] = np.inf", "has inputs of 'image' that are not finite"),
    "noise": ("t.inputs['image'][:] += np.random.rand()", "gives other inputs of 'image' the second time"),
    "other fingerprints": (TABLE.format("fingerprint=str(np.random.rand())"), "and '0."),
    "no fingerprint": (TABLE.format("fingerprint=''"), "has the fingerprint ''"),
    "a row outside": ("s.database[3] = 480", "the database part names rows outside the 480 items"),
    "a row before the first": ("s.query[3] = -1", "the query part names rows outside the 480 items"),
    "other rows at each load": (
        "s = replace(s, train=np.random.permutation(s.train))", "gives another split the second time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_a_table_that_is_not_sound_is_caught(site, fault):
    changed, says = BAD_TABLES[fault]
    write_distribution(site, "hashzoo-odd", loaded(changed))
    (result,) = check_component("datasets", "odd", only=["splits_keep_their_promises"])
    assert result.status == "failed"
    assert says in result.message


@pytest.mark.parametrize("changed", ["pass", TABLE.format("class_names=tuple('abcd'), labels=t.labels.astype(bool)")])
def test_a_sound_table_passes_and_a_large_one_is_sampled(site, monkeypatch, changed):
    monkeypatch.setattr("hashzoo.testing.checks_components.SAMPLE", 1000)
    write_distribution(site, "hashzoo-odd", loaded(changed))
    (result,) = check_component("datasets", "odd", only=["splits_keep_their_promises"])
    assert result.status == "passed", result.message


ENGINES = {
    "in turn": ("yield from map(do_task, tasks)", "passed", ""),
    "loses one": ("yield from map(do_task, tasks[:1])", "failed", "Tasks [0, 1, 2] have outcomes of [2]"),
    "does nothing": ("yield from (Outcome(t.number) for t in tasks)", "failed", "left no record in its folder"),
    "hides a failure": ("yield from (Outcome(do_task(t).number) for t in tasks)", "failed", "has the outcome ''"),
    "raises": (
        "for t in tasks:\n            done = do_task(t)\n            assert not done.error\n            yield done",
        "failed",
        "The engine raises where a task fails",
    ),
    "needs one": (
        "yield do_task(tasks[0])\n        yield from map(do_task, tasks[1:])",
        "failed",
        "or where there is none",
    ),
    "no cluster": ("raise WorkError('there is no cluster')\n        yield", "n/a", "there is no cluster"),
}


@pytest.mark.parametrize("kind", ENGINES)
def test_an_engine_yields_an_outcome_for_every_task(site, kind):
    body, status, says = ENGINES[kind]
    source = "from hashzoo import Component, Outcome, WorkError, do_task, hookimpl\n\n\nclass E:\n"
    source += f"    def run(self, tasks):\n        {body}\n\n\n"
    source += "@hookimpl\ndef hashzoo_register_engines():\n    return [Component('odd', E)]\n"
    write_distribution(site, "hashzoo-odd", source)
    (result,) = check_component("engines", "odd", only=["every_task_has_an_outcome"])
    assert result.status == status, result.message
    assert says in result.message


@pytest.mark.parametrize("kind", ["claims", "commands", "metrics"])
def test_a_kind_without_checks_is_refused(kind):
    from hashzoo.plugins import registry

    with pytest.raises(UsageError, match=f"no checks of {kind} by themselves; it has some of methods"):
        check_component(kind, registry().names(kind)[0])


def test_a_distribution_of_which_nothing_is_checked_says_so(site):
    from click.testing import CliRunner

    from hashzoo.cli.main import cli

    source = "from hashzoo import Command, hookimpl\n\n@hookimpl\ndef hashzoo_register_commands():\n"
    source += "    return [Command('odd-command', 'it does', 'hashzoo_odd:command')]\n"
    write_distribution(site, "hashzoo-odd", source)
    done = CliRunner().invoke(cli, ["check", "hashzoo-odd"])
    assert (done.exit_code, done.output) == (0, "hashzoo-odd brings nothing that the kit checks.\n")


def test_every_component_check_has_a_bad_component():
    own = {(kind, check) for kind, checks in COMPONENT_CHECKS.items() for check in checks if check not in CHECKS}
    same = {("hash_layers", "options_have_names"), ("trainers", "options_have_names")}  # as for losses
    assert own - same - {("fitters", "options_have_names")} == set(BAD_COMPONENTS)


def test_checks_cannot_be_removed():
    with pytest.raises(TypeError):
        CHECKS["names_agree"] = lambda name: None  # type: ignore[index] # the point of the test
    with pytest.raises(TypeError):
        del CHECKS["names_agree"]  # type: ignore[attr-defined] # the point of the test
    with pytest.raises(AttributeError):
        CHECKS.pop("names_agree")  # type: ignore[attr-defined] # the point of the test


def test_checks_are_plain_functions_with_documentation():
    for checks in (CHECKS, *COMPONENT_CHECKS.values()):
        for name, check in checks.items():
            assert check.__name__ == name
            assert check.__doc__
    CHECKS["names_agree"]("lsh")
    with pytest.raises(NotApplicable, match="it is a reference point"):
        CHECKS["learns_the_toy_problem"]("lsh")
    assert issubclass(CheckFailed, AssertionError)


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="did you mean 'names_agree'"):
        check_method("lsh", only=["name_agrees"])
    with pytest.raises(UsageError, match=r"There is no method 'lhs'; did you mean .*'lsh'"):
        check_method("lhs")
    with pytest.raises(UsageError, match="did you mean 'names_agree'"):
        conformance("lsh", expected_failures={"names_agreee": "because"})
    with pytest.raises(UsageError, match="needs a reason"):
        conformance("lsh", expected_failures={"names_agree": " "})


def test_results_are_json_ready():
    import json

    (result,) = check_method("lsh", only=["names_agree"])
    assert json.loads(json.dumps(result.as_dict())) == result.as_dict()
    assert result.as_dict()["status"] == "passed"


def test_checks_leave_the_callers_random_state_alone():
    import torch

    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    check_method("random", only=["same_seed_gives_the_same_codes"])
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def run(pytester: pytest.Pytester, body: str, *select: str) -> dict[str, int]:
    pytester.makepyfile(f"from hashzoo.testing import conformance\n\n{body}\n")
    found = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *select).parseoutcomes()
    found.pop("deselected", None)
    return found


def test_three_lines_test_a_method(pytester):
    body = "test_conformance = conformance('random')"
    collected = pytester.inline_genitems(pytester.makepyfile(f"from hashzoo.testing import conformance\n\n{body}\n"))
    assert [item.callspec.params["check"] for item in collected[0]] == list(CHECKS)
    assert run(pytester, body, "-k", "names_agree or learns_the_toy_problem") == {"passed": 1, "skipped": 1}


def test_expected_failures_are_strict(pytester, make):
    unused = "        self.unused = nn.Parameter(torch.ones(3))\n"
    name = make("dead", {"        self.classifier": unused + "        self.classifier"})
    dead, absent = "gradient_reaches_every_parameter", "unsupervised_methods_never_see_labels"
    select = ("-k", f"{dead} or names_agree or {absent}")

    def outcome(*expected: str) -> dict[str, int]:
        reasons = dict.fromkeys(expected, "it is kept for a later release")
        return run(pytester, f"test_it = conformance({name!r}, expected_failures={reasons!r})", *select)

    assert outcome() == {"failed": 1, "passed": 1, "skipped": 1}
    assert outcome(dead) == {"xfailed": 1, "passed": 1, "skipped": 1}
    assert outcome(dead, "names_agree") == {"failed": 1, "xfailed": 1, "skipped": 1}
    assert outcome(dead, absent) == {"failed": 1, "xfailed": 1, "passed": 1}


BATCH_OF_ONE = "a_batch_of_one_is_accepted"


def crashing(crash: str) -> dict[str, str]:
    """Change the healthy plugin so that its loss ends a batch of one in this way."""
    start = "        quantization = 0.1"
    return {start: f"        if len(labels) == 1:\n            {crash}\n{start}"}


@pytest.mark.parametrize("crash", ["raise RuntimeError('lost')", "raise SystemExit(3)"])
def test_an_expected_failure_may_be_a_crash(pytester, make, crash):
    name = make("crash", crashing(crash))
    assert run(pytester, f"test_it = conformance({name!r})", "-k", BATCH_OF_ONE) == {"failed": 1}
    listed = f"test_it = conformance({name!r}, expected_failures={{{BATCH_OF_ONE!r}: 'known'}})"
    assert run(pytester, listed, "-k", BATCH_OF_ONE) == {"xfailed": 1}


@pytest.mark.parametrize(("listed", "code"), [(BATCH_OF_ONE, 0), ("names_agree", 1)])
def test_the_command_knows_the_expected_failures_that_a_plugin_states(pytester, make, listed, code):
    """Stated in the plugin's module, they hold for `hashzoo check` and for pytest."""
    from click.testing import CliRunner

    from hashzoo.cli.main import cli

    stated = f"hashzoo_expected_failures = {{'@name@': {{{listed!r}: 'kept for later'}}}}\n\nPAPER ="
    name = make("stated", crashing("raise SystemExit(3)"), hooks={"PAPER =": stated})
    done = CliRunner().invoke(cli, ["check", name, "--only", f"{BATCH_OF_ONE},names_agree"])
    assert done.exit_code == code, done.output
    assert (f"expected {BATCH_OF_ONE}: kept for later" in done.output) == (code == 0)
    full = CliRunner().invoke(cli, ["check", f"hashzoo-{name}:{name}", "--only", f"{BATCH_OF_ONE},names_agree"])
    assert full.exit_code == code, full.output
    outcome = run(pytester, f"test_it = conformance({name!r})", "-k", f"{BATCH_OF_ONE} or names_agree")
    assert outcome == ({"xfailed": 1, "passed": 1} if code == 0 else {"failed": 2})


def test_the_command_checks_a_whole_distribution(make):
    from click.testing import CliRunner

    from hashzoo.cli.main import cli

    make("whole")
    done = CliRunner().invoke(cli, ["check", "hashzoo-whole", "--only", "import_has_no_side_effects"])
    assert done.exit_code == 0, done.output
    for heading in ("method whole", "loss whole", "hash layer whole", "trainer whole", "paper table whole-2020-table1"):
        assert heading in done.output
