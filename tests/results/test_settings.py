"""A row is the method as its plugin sets it up; whatever departs from that is named."""

from __future__ import annotations

from typing import Any

import pytest

from hashzoo.errors import UsageError
from hashzoo.plugins import Plugin, Registry
from hashzoo.results.boards import accept, check_boards, write_boards
from hashzoo.results.collect import collect
from hashzoo.results.commands import load
from hashzoo.results.known import Known
from hashzoo.results.measure import tidy
from hashzoo.results.render import render
from hashzoo.results.settings import own_settings, row_names
from hashzoo.results.table import boards, leaderboard
from hashzoo.specs import Component, Method, Paper, Recipe, Schedule, Setting

P = "cifar10-5k-disjoint"


def build_wave(problem: object, gamma: float = 20.0, power: int = 2) -> None:
    """A loss with two options."""


FROZEN = Setting(Recipe(60, 128, 0.1, weight_decay=0.01, schedule=Schedule("cosine")), {"loss": {"gamma": 5.0}})
WAVE = Method("wave", Paper("wave-2030", "Waves", "A. Author", "CVPR", 2030), "wave", "tanh", FROZEN.recipe,
              settings={"frozen": FROZEN})  # fmt: skip
REGISTRY = Registry([
    Plugin("wave", "hashzoo-wave", "1.0", "wave = wave",
           items={"methods": (WAVE,), "losses": (Component("wave", build_wave),)})
])  # fmt: skip
RECIPE = {"epochs": 60, "batch_size": 128, "lr": 0.1, "optimizer": "sgd", "backbone_lr_scale": 1.0, "momentum": 0.9,
          "nesterov": False, "weight_decay": 0.01,
          "schedule": {"name": "cosine", "every": 0, "gamma": 1.0, "unit": "epoch"}}  # fmt: skip


@pytest.fixture
def wave(make_record):
    """A record of the method's own frozen setting, with parts of its configuration changed."""

    def build(seed: int = 0, value: float = 0.5, options: Any = None, recipe: Any = None, **changed: Any):
        config = {
            "method": "wave", "loss": {"name": "wave", "options": {"gamma": 5.0, **(options or {})}},
            "hash_layer": {"name": "tanh", "options": {}}, "trainer": {"name": "gradient", "options": {}},
            "recipe": {**RECIPE, **(recipe or {})}, "freeze_backbone": True, "precision": "fp32",
            "backbones": {"image": {"name": "alexnet", "options": {"interpolation": "bilinear"}}}, **changed,
        }  # fmt: skip
        return make_record("wave", seed=seed, config=config, regime="frozen", frozen=True, metrics={"map": value})

    return build


def named(*records) -> list[tuple[str, str]]:
    """Method and settings of each record's row, against the plugin."""
    return [(row.method, row.settings) for row in row_names(records, own_settings(records, REGISTRY))]


def test_the_own_setting_has_no_name_even_alone_and_in_older_records(wave):
    assert named(wave()) == [("wave", "")]  # fields that recipes got later (warmup, clip) are at their defaults


@pytest.mark.parametrize(
    ("changed", "settings"),
    [
        ({"recipe": {"lr": 1e-3}}, "recipe.lr=0.001"),
        ({"recipe": {"warmup": 5}}, "recipe.warmup=5"),
        ({"recipe": {"schedule": {**RECIPE["schedule"], "name": "step"}}}, "schedule.name=step"),
        ({"options": {"gamma": 7.0}}, "loss.gamma=7.0"),
        ({"options": {"power": 3}}, "loss.power=3"),
        ({"options": {"power": 2}}, ""),  # given, and what it is anyway
        ({"hash_layer": {"name": "tanh", "options": {"std": 0.1}}}, "hash_layer.std=0.1"),
    ],
)
def test_a_changed_setting_is_named_though_nothing_stands_beside_it(wave, changed, settings):
    assert named(wave(**changed)) == [("wave", settings)]


def test_what_the_record_leaves_out_is_the_default_and_not_the_methods_own(wave):
    assert named(wave(loss={"name": "wave", "options": {}})) == [("wave", "loss.gamma=20.0")]


def test_another_part_makes_another_row_with_what_was_given_to_it(wave):
    other = wave(
        loss={"name": "hashnet", "options": {"gamma": 5.0}}, hash_layer={"name": "greedyhash", "options": {}},
        recipe={"lr": 1e-3},
    )  # fmt: skip
    assert named(other) == [("wave with loss hashnet, hash layer greedyhash", "loss.gamma=5.0, recipe.lr=0.001")]


def test_a_changed_method_is_no_row_of_the_method_on_a_board(wave):
    records = [wave(), wave(value=0.9, loss={"name": "hashnet", "options": {}})]
    known = Known(own_settings(records, REGISTRY))
    text = render(boards(records, known=known), "markdown")
    assert "| wave | 0.5000 |" in text
    assert "| wave with loss hashnet |" in text
    assert list(leaderboard(records, known=known).index.get_level_values("method")) == [
        "wave with loss hashnet", "wave",
    ]  # fmt: skip


def test_precision_and_backbone_options_are_the_set_ups_and_named_where_one_differs(wave):
    usual = [wave(seed=seed) for seed in range(3)]
    odd = wave(seed=3, precision="bf16", backbones={"image": {"name": "alexnet", "options": {"interpolation": "area"}}})
    assert named(*usual, odd) == [("wave", "")] * 3 + [("wave", "backbone.interpolation=area, precision=bf16")]


def test_records_of_different_configurations_never_share_a_name(wave):
    same = [wave(seed=0), wave(seed=1, options={"power": 2}), wave(seed=2, ranking="cosine")]
    assert len(set(named(*same))) == 3


def test_what_was_tuned_on_several_protocols_has_one_name(wave):
    here, there = wave(recipe={"lr": 0.3}, tuned="3 trials"), wave(recipe={"lr": 0.2}, tuned="3 trials")
    elsewhere = there.model_copy(update={"protocol": "nus-5k"})
    assert named(here, elsewhere) == [("wave", "tuned, 3 trials")] * 2
    assert len(set(named(here, there))) == 2


def test_records_of_other_protocols_are_not_told_apart(wave):
    """They never stand on one board: a set-up that is usual on each is named on none."""
    options = {"image": {"name": "alexnet", "options": {"interpolation": "area"}}}
    here, elsewhere = wave(backbones=options), wave().model_copy(update={"protocol": "nus-5k"})
    assert named(here, elsewhere) == [("wave", "")] * 2


def test_without_the_plugin_most_records_stand_in_and_the_board_says_so(wave):
    records = [*(wave(seed=seed) for seed in range(3)), wave(seed=3, recipe={"lr": 1e-3})]
    assert [(row.settings, row.judged) for row in row_names(records, {})] == [("", "most")] * 3 + [
        ("recipe.lr=0.001", "most")
    ]
    (board,) = boards(records)
    assert any("own setting of wave is not known here" in note for note in board.notes)
    other = [*records[:3], wave(seed=3, loss={"name": "hashnet", "options": {}})]
    assert row_names(other, {})[3].method == "wave with loss hashnet"


def test_another_loss_is_accepted_only_as_a_row_of_its_own(tmp_path, wave, store):
    records = [wave(), wave(value=0.9, loss={"name": "hashnet", "options": {}})]
    known = Known(own_settings(records, REGISTRY))
    folder = tmp_path / "boards" / "records"
    with pytest.raises(UsageError, match="is wave with loss hashnet, and that is not the method as its"):
        accept(collect([store(*records)]), folder, known=known)
    assert not folder.exists()
    own, other = accept(collect([store(*records)]), folder, known=known, other_parts=True)
    assert own.parent.parent.name == "wave"
    assert other.parent.parent.name == "wave-with-loss-hashnet"
    write_boards(load([folder]), folder.parent, known=known)
    page = (folder.parent / f"{P}_alexnet-frozen_map.md").read_text()
    assert "| wave | 0.5000 |" in page
    assert "| wave with loss hashnet | **0.9000** |" in page


def test_committed_boards_follow_without_the_plugin(tmp_path, wave, store):
    records = [wave(recipe={"lr": 1e-3})]
    known = Known(own_settings(records, REGISTRY))
    folder = tmp_path / "boards" / "records"
    accept(collect([store(*records)]), folder, known=known)
    write_boards(load([folder]), folder.parent, known=known)
    assert "recipe.lr=0.001" in (folder.parent / f"{P}_alexnet-frozen_map.md").read_text()
    assert check_boards(folder, folder.parent) == 5
    write_boards(load([folder]), folder.parent)  # the plugin is gone: what it said stays
    assert check_boards(folder, folder.parent) == 5


def test_rows_that_saw_the_database_stand_apart_and_are_never_best(wave):
    records = [wave(), wave(seed=1, value=0.9, database="labels")]
    (board,) = boards(records, known=Known(own_settings(records, REGISTRY)))
    lines = [line for line in render([board], "markdown").splitlines() if line.startswith("| wave")]
    assert [line.split("|")[1].strip() for line in lines] == ["wave", "wave †"]
    assert ["**" in line for line in lines] == [True, False]
    assert any(note.startswith("† saw the database") for note in board.notes)


def test_the_tidy_frame_has_one_row_per_value(wave):
    frame = tidy([wave(seed=0), wave(seed=1, value=0.75)])
    assert list(frame["value"]) == [0.5, 0.75]
    assert list(frame["seed"]) == [0, 1]
    assert set(frame["protocol"]) == {P}
    assert set(frame["split"]) == {"f" * 64}
