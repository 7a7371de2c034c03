"""What a request is resolved to: regime, recipe, options, backbones."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hashzoo.errors import UsageError
from hashzoo.plugins import Plugin, Registry
from hashzoo.plugins.option_docs import option_docs
from hashzoo.plugins.options import accepted_options
from hashzoo.results.settings import changes
from hashzoo.runner.plan import Plan, check_component, resolve
from hashzoo.runner.request import RunRequest
from hashzoo.specs import Recipe, Schedule
from hashzoo.training.default_recipes import FROZEN as DEFAULT_FROZEN
from hashzoo.training.default_recipes import SCRATCH as DEFAULT_SCRATCH

PAPER_RECIPE = Recipe(10, 64, 1e-5, backbone_lr_scale=0.1, schedule=Schedule("step", 5, 0.5))
OWN_FROZEN = Recipe(3, 20, 0.01, "adam")


def plan(reg: Registry, method: str = "toy", **options: object) -> Plan:
    return resolve(RunRequest(method, **options), reg)  # type: ignore[arg-type] # by keyword


@pytest.mark.parametrize(
    ("options", "regime", "recipe"),
    [
        ({"backbone": "toy-pretrained"}, "finetune", PAPER_RECIPE),
        ({"backbone": "toy-family/any"}, "finetune", PAPER_RECIPE),
        ({"backbone": "toy-pretrained", "weights": "random"}, "scratch", DEFAULT_SCRATCH),
        ({"backbone": "toy-family/any", "weights": "random"}, "scratch", DEFAULT_SCRATCH),
        ({"backbone": "smallcnn"}, "scratch", DEFAULT_SCRATCH),
        ({"backbone": "smallcnn", "weights": "some.safetensors"}, "finetune", PAPER_RECIPE),
        ({"backbone": "smallcnn", "freeze_backbone": True}, "frozen", OWN_FROZEN),
        ({"dataset": "arrays", "backbone": "identity"}, "frozen", OWN_FROZEN),  # vectors as they are
    ],
)
def test_the_recipe_follows_from_how_the_backbone_is_used(
    reg: Registry, options: dict[str, object], regime: str, recipe: Recipe
) -> None:
    found = plan(reg, **options)
    assert found.config.regime == regime
    assert found.config.recipe == recipe


def test_a_method_without_a_setting_for_frozen_features_gets_the_default(reg: Registry) -> None:
    assert plan(reg, "toy-blind", freeze_backbone=True).config.recipe == DEFAULT_FROZEN


def test_the_setting_s_options_come_on_top_of_the_method_s_and_the_user_s_on_top_of_both(reg: Registry) -> None:
    assert plan(reg).config.loss.model_dump() == {"name": "toy", "options": {"gamma": 0.5}}
    frozen = plan(reg, freeze_backbone=True)
    assert frozen.config.loss.options == {"gamma": 0.5, "margin": 7}
    asked = plan(reg, freeze_backbone=True, settings={"loss.gamma": 2, "loss.hard": True})
    assert asked.config.loss.options == {"gamma": 2, "margin": 7, "hard": True}


def test_recipe_fields_are_changed_one_by_one(reg: Registry) -> None:
    settings = {"epochs": 4, "recipe.lr": 1e-3, "schedule.every": 2, "backbone_lr_scale": 1}
    found = plan(reg, backbone="toy-pretrained", settings=settings).config.recipe
    assert found == Recipe(4, 64, 1e-3, backbone_lr_scale=1, schedule=Schedule("step", 2, 0.5))


def test_another_loss_takes_none_of_the_method_s_loss_options(reg: Registry) -> None:
    found = plan(reg, freeze_backbone=True, loss="other", settings={"loss.delta": 3})
    assert found.config.loss.model_dump() == {"name": "other", "options": {"delta": 3}}
    assert plan(reg, loss="toy").config.loss.options == {"gamma": 0.5}  # naming its own changes nothing


def test_a_name_with_its_distribution_is_the_same_run_as_the_name_alone(reg: Registry) -> None:
    for short, long in (
        ({"backbone": "pixels"}, {"backbone": "hashzoo:pixels"}),
        ({"backbone": "toy-family/any"}, {"backbone": "hashzoo-toy:toy-family/any"}),
        ({"loss": "toy"}, {"loss": "hashzoo-toy:toy"}),
        ({"hash_layer": "linear"}, {"hash_layer": "hashzoo:linear"}),
    ):
        assert plan(reg, **long).config == plan(reg, **short).config
    assert plan(reg, backbone="hashzoo:pixels").config.regime == "frozen"
    assert plan(reg, loss="hashzoo-toy:toy").config.loss.options == {"gamma": 0.5}


def test_a_name_that_two_bring_keeps_its_distribution(reg: Registry) -> None:
    items = {"backbones": (replace(reg.get("backbones", "toy-family/any"), summary="another"),)}
    both = reg.extended(Plugin("other", "hashzoo-other", "1.0", "other = hashzoo_other", items=items))
    found = plan(both, backbone="hashzoo-other:toy-family/any")
    assert found.config.backbones["image"].name == "hashzoo-other:toy-family/any"
    assert not set(found.name) & set(":/")


def test_what_was_changed_is_named_against_the_method_s_own_setting(reg: Registry) -> None:
    def changed(method: str = "toy", **options: object) -> dict[str, object]:
        return changes(plan(reg, method, **options).config, reg)

    assert changed() == changed(freeze_backbone=True) == changed(backbone="toy-pretrained") == {}
    assert changed(freeze_backbone=True, settings={"lr": 0.5, "loss.margin": 1}) == {"lr": 0.5, "loss.margin": 1}
    assert changed("toy-blind", freeze_backbone=True) == {}  # no setting of its own: the default is compared
    assert changed("toy-blind", freeze_backbone=True, settings={"lr": 0.5, "schedule.name": "cosine"}) == {
        "lr": 0.5, "schedule.name": "cosine",
    }  # fmt: skip
    assert changed(settings={"loss.margin": 1}) == {}  # its default, said aloud
    assert changed(loss="other")["loss"] == "other"


def test_backbones_and_their_options_are_chosen_for_each_modality(reg: Registry) -> None:
    options = {"dataset": "toy-pair", "settings": {"backbone.image.width": 8, "backbone.text.hidden": 5}}
    found = plan(reg, "toy-pair", backbone={"text": "mlp"}, **options)
    assert {m: part.model_dump() for m, part in found.config.backbones.items()} == {
        "image": {"name": "smallcnn", "options": {"width": 8}},
        "text": {"name": "mlp", "options": {"hidden": 5}},
    }
    plain = plan(reg, "toy-pair", dataset="toy-pair", weights="random").config.backbones
    assert plain["image"].model_dump() == {"name": "smallcnn", "options": {"weights": "random"}}
    assert plain["text"].model_dump() == {"name": "identity", "options": {}}  # vectors have no weights to choose


def test_frozen_vectors_are_taken_as_they_are_and_not_through_a_random_network(reg: Registry) -> None:
    assert plan(reg, dataset="arrays").config.backbones["vector"].name == "mlp"
    assert plan(reg, dataset="arrays", freeze_backbone=True).config.backbones["vector"].name == "identity"
    asked = plan(reg, dataset="arrays", backbone="mlp", freeze_backbone=True)
    assert asked.config.backbones["vector"].name == "mlp"


def test_the_dataset_s_backbone_goes_before_the_method_s(reg: Registry) -> None:
    assert plan(reg, dataset="digits").config.backbones["image"].name == "smallcnn"
    assert plan(reg, dataset="imagefolder", backbone="toy-pretrained").config.backbones["image"].name == (
        "toy-pretrained"
    )


def test_the_run_s_name_depends_on_what_is_trained_and_not_on_how_it_is_evaluated(reg: Registry) -> None:
    base = plan(reg)
    assert plan(reg, bits=(8,), seeds=(3,), metrics=("map",), ties="worst", convention="csq").name == base.name
    others = [{"settings": {"lr": 1}}, {"loss": "other"}, {"freeze_backbone": True}, {"validation": 0.2}]
    names = {plan(reg, **other).name for other in others}
    assert len({*names, base.name}) == 5


def test_uncoded_features_are_one_cell_whatever_bits_and_seeds_are_asked(reg: Registry) -> None:
    found = plan(reg, "uncoded", bits=(16, 32), seeds=(2, 3))
    assert (found.bits, found.seeds) == ((0,), (2,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"loss.gamma": "abc"}}, r"'gamma' of 'toy' must be a number \(its default is 0.01\); got 'abc'"),
        ({"settings": {"loss.gamma": True}}, "'gamma' of 'toy' must be a number"),
        ({"settings": {"loss.hard": 1}}, "'hard' of 'toy' must be true or false"),
        ({"settings": {"loss.kind": 1}}, "'kind' of 'toy' must be a text"),
        ({"settings": {"loss.gamma": float("nan")}}, "loss.gamma must be a finite number"),
        ({"settings": {"loss.gama": 1}}, "did you mean 'gamma'.*Accepted: gamma=0.01, margin=1"),
        ({"settings": {"schedule.name": "cosin"}}, "did you mean 'cosine'"),
        ({"settings": {"optimizer": "adm"}}, "did you mean 'adam'"),
        ({"settings": {"data.progress": 1}}, "no option"),
        ({"metrics": ("map@0",)}, "at least 1"),
        ({"metrics": ("mapp",)}, "There is no metric 'mapp'"),
        ({"convention": "cqs"}, "did you mean 'csq'"),
        ({"ties": "worse"}, "did you mean 'worst'"),
        ({"method": "lsh", "loss": "toy"}, "is not trained by gradients, so it takes no loss"),
        ({"dataset": "arrays", "backbone": "smallcnn"}, "takes image inputs"),
        (
            {"backbone": "smallcnn", "freeze_backbone": True, "settings": {"backbone.augment": "flip"}},
            "computed once, so augment=flip of 'smallcnn' would change no training step",
        ),
        ({"method": "lsh", "backbone": "smallcnn", "settings": {"backbone.augment": "crop"}}, "augment=crop"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(reg: Registry, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(reg, **{"method": "toy", **options})  # type: ignore[arg-type] # by keyword


class Annotated:
    """Builder whose annotations say more than its defaults."""

    def __init__(
        self, problem: object, sweeps: int = 3, alpha: float | None = None, size: int | str = "a", any=None
    ) -> None: ...


@pytest.mark.parametrize(
    ("option", "refused", "taken", "words"),
    [
        ("sweeps", (2.5, True, "3", None), (4,), "a whole number (its default is 3)"),
        ("alpha", ("abc", True, [1]), (None, 1, 0.5), "a number (its default is None)"),
        ("size", (2.5, None), (2, "b"), "a whole number or a text (its default is 'a')"),
        ("any", (), (None, "abc", 1, True), ""),
    ],
)
def test_options_are_told_by_their_annotations(
    reg: Registry, monkeypatch: pytest.MonkeyPatch, option: str, refused: tuple, taken: tuple, words: str
) -> None:
    monkeypatch.setattr(reg, "check_options", lambda *_: None)
    monkeypatch.setattr(reg, "option_docs", lambda *_: option_docs(Annotated, accepted_options(Annotated, 1)))
    for value in taken:
        check_component(reg, "losses", "toy", {option: value})
    for value in refused:
        with pytest.raises(UsageError, match=re.escape(f"Option {option!r} of 'toy' must be {words}; got {value!r}.")):
            check_component(reg, "losses", "toy", {option: value})


def test_another_evaluator_may_have_metrics_of_its_own(reg: Registry) -> None:
    found = plan(reg, evaluators=("code_quality",), metrics=("entropy",))
    assert found.config.evaluation.metrics == ("entropy",)
