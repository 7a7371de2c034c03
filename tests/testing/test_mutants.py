"""The kit is proven by plugins that are broken on purpose: each is caught by the check that should catch it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hashzoo.testing import CHECKS, check_component, check_method, write_distribution


@dataclass(frozen=True)
class Mutant:
    """What is replaced in the healthy plugin, which check must fail, and a word of its message."""

    check: str
    says: str
    model: dict[str, str] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    more: str = ""


FORWARD = "        relaxed = self.linear(features)\n"
TERMS = '        return {"classification": classification, "quantization": quantization}'
STRUCTURE = """
        f, c = F.normalize(output.features), F.normalize(output.codes)
        classification = (f @ f.T - c @ c.T).square().mean()
"""
SUPERVISED = "        classification = F.cross_entropy(self.classifier(output.codes), targets)\n"
UNSUPERVISED = {
    "        self.classifier = nn.Linear(problem.bits, problem.num_classes, bias=False)": "        pass",
    "        targets = labels / labels.sum(1, keepdim=True).clamp_min(1)\n": "",
    SUPERVISED: STRUCTURE,
}
NO_CODES = {"self.classifier(output.codes)": "self.classifier(output.relaxed)"}

MUTANTS = {
    "no_straight_through": Mutant(
        "gradient_reaches_every_parameter",
        "No gradient reaches model.hash_layers.image.linear.weight",
        {" + (relaxed - relaxed.detach())": "", TERMS: '        return {"c": classification}'},
    ),
    "detached_classification": Mutant(
        "learns_the_toy_problem",
        "After 30 epochs the mAP",
        {"self.classifier(output.codes)": "self.classifier(output.codes.detach())"},
    ),
    "batch_statistics": Mutant(
        "encoding_ignores_batching",
        "batch statistics or dropout at test time",
        {FORWARD: FORWARD + "        relaxed = relaxed - relaxed.mean(0, keepdim=True)\n"},
    ),
    "dropout_at_test_time": Mutant(
        "encoding_ignores_batching",
        "when the same items are encoded",
        {FORWARD: "        relaxed = F.dropout(self.linear(features), 0.2)\n"},
    ),
    "fixed_bits": Mutant(
        "shapes_for_every_bit_length",
        "relaxed has the shape (6, 16) with 12 bits",
        {"Layer(feature_dim, problem.bits)": "Layer(feature_dim, 16)"},
    ),
    "flipped_codes_in_training": Mutant(
        "shapes_for_every_bit_length",
        "codes are not the sign of relaxed with 12 bits, modality image, in train mode",
        {"torch.where(relaxed >= 0, 1.0, -1.0)": "torch.where((relaxed >= 0) != self.training, 1.0, -1.0)"},
    ),
    "lost_in_training": Mutant(
        "shapes_for_every_bit_length",
        "relaxed is not finite with 12 bits, modality image, in train mode",
        {FORWARD: FORWARD + "        relaxed = relaxed * (float('nan') if self.training else 1.0)\n"},
    ),
    "no_length_at_all": Mutant(
        "shapes_for_every_bit_length",
        "Every number of bits from 12 to 128 is refused: Some other number, please.",
        {
            "from hashzoo.training.loop": "from hashzoo import UsageError\nfrom hashzoo.training.loop",
            "        self.linear =": "        raise UsageError('Some other number, please.')\n        self.linear =",
        },
    ),
    "zero_codes": Mutant(
        "zero_input_gives_a_code",
        "codes are not all -1 or +1 on inputs that are zero",
        {
            "torch.where(relaxed >= 0, 1.0, -1.0)": "torch.sign(relaxed)",
            "nn.Linear(feature_dim, bits)": "nn.Linear(feature_dim, bits, bias=False)",
        },
    ),
    "zero_norm": Mutant(
        "zero_input_gives_a_code",
        "The gradient of model.hash_layers.image.linear.weight is not finite on inputs that are zero",
        {
            "nn.Linear(feature_dim, bits)": "nn.Linear(feature_dim, bits, bias=False)",
            TERMS: TERMS.replace("quantization}", "quantization + 0.01 * output.relaxed.norm(dim=1).pow(0.5).mean()}"),
        },
    ),
    "dead_parameter": Mutant(
        "gradient_reaches_every_parameter",
        "No gradient reaches loss.unused",
        {"        self.classifier": "        self.unused = nn.Parameter(torch.ones(3))\n        self.classifier"},
    ),
    "flipped_sign": Mutant(
        "learns_the_toy_problem",
        "After 30 epochs the mAP",
        {"classification = F.cross": "classification = -0.1 * F.cross"},
    ),
    "order_dependent": Mutant(
        "loss_ignores_batch_order",
        "in another order",
        {
            TERMS: '        neighbour = (output.relaxed[1:] - output.relaxed[:-1]).square().sum() / len(labels)\n'
            + TERMS.replace("quantization}", 'quantization, "neighbour": 0.01 * neighbour}')
        },
    ),
    "unreduced": Mutant(
        "loss_terms_are_finite_scalars",
        "Loss term 'quantization' has the shape (32,)",
        {".abs().mean()": ".abs().mean(1)"},
    ),
    "hidden_randomness": Mutant(
        "same_seed_gives_the_same_codes",
        "same seed give different outputs",
        {"import torch.nn": "import numpy as np\nimport torch.nn",
         TERMS: "        noise = 1 + np.random.default_rng().random()\n"
         + TERMS.replace("quantization}", "quantization * noise}")},
    ),
    "plain_tensor": Mutant(
        "tensors_follow_the_module",
        "leaves a tensor of shape (16,), met in",
        {
            "        self.linear =": "        self.turn = torch.randn(bits)\n        self.linear =",
            FORWARD: "        relaxed = self.linear(features) + self.turn\n",
        },
    ),
    "plain_loss_tensor": Mutant(
        "tensors_follow_the_module",
        "leaves a tensor of shape (4,), met in",
        {
            "        self.classifier =": "        self.offset = torch.randn(4)\n        self.classifier =",
            "self.classifier(output.codes)": "self.classifier(output.codes) + self.offset",
        },
    ),
    "plain_tensor_behind_a_value": Mutant(
        "tensors_follow_the_module",
        "Loss leaves offset, of shape (4,)",
        {
            "        self.classifier =": "        self.offset = torch.randn(4)\n        self.classifier =",
            "        labels = batch.labels\n": "        labels = batch.labels\n        assert labels.sum() >= 0\n",
            "self.classifier(output.codes)": "self.classifier(output.codes) + self.offset",
        },
    ),
    "plain_number": Mutant(
        "state_survives_a_round_trip",
        "neither parameter nor buffer",
        {
            "        self.linear =": "        self.turn = float(torch.randn(()))\n        self.linear =",
            FORWARD: "        relaxed = self.linear(features) + self.turn\n",
        },
    ),
    "plain_loss_number": Mutant(
        "state_survives_a_round_trip",
        "Loss term 'quantization' changes",
        {
            "        self.classifier =": "        self.weight = float(torch.rand(()))\n        self.classifier =",
            "quantization = 0.1 *": "quantization = 0.1 * self.weight *",
        },
    ),
    "sign_of_zero": Mutant(
        "zero_input_gives_a_code",
        "codes are not all -1 or +1 where all parameters are zero",
        {"torch.where(relaxed >= 0, 1.0, -1.0)": "torch.sign(relaxed)"},
    ),
    "seeded_by_hash": Mutant(
        "a_fresh_process_gives_the_same",
        "Does it depend on hash() of a text",
        {
            "        self.classifier =": "        draw = torch.Generator().manual_seed(hash('centers') % 2**31)\n"
            "        centers = torch.randn(problem.num_classes, problem.bits, generator=draw)\n"
            "        self.register_buffer('centers', centers)\n        self.classifier =",
            TERMS: "        centered = (targets @ self.centers - output.relaxed).square().mean()\n"
            "        quantization = quantization + 0.01 * centered\n"
            + TERMS,
        },
    ),
    "cached_centers": Mutant(
        "a_fresh_process_gives_the_same",
        "loss.centers is another one in a fresh process with the same seed",
        {
            "class Layer": "CENTERS = {}\n\n\nclass Layer",
            "        self.classifier =": "        key = (problem.num_classes, problem.bits)\n"
            "        if key not in CENTERS:\n            CENTERS[key] = torch.randn(key)\n"
            "        self.register_buffer('centers', CENTERS[key].clone())\n        self.classifier =",
            TERMS: "        centered = (targets @ self.centers - output.relaxed).square().mean()\n"
            "        quantization = quantization + 0.01 * centered\n"
            + TERMS,
        },
    ),
    "fixed_roles": Mutant(
        "names_of_roles_do_not_matter",
        "fails where the method's roles have other names: KeyError: 'image'",
        {
            "        labels = batch.labels\n": "        from hashzoo import HashOutput\n"
            '        both = [output["image"], output["text"]]\n'
            "        stacked = [torch.cat([getattr(one, part) for one in both]) for part in"
            " ('features', 'relaxed', 'codes')]\n"
            "        output, labels = HashOutput(*stacked), batch.labels.repeat(2, 1)\n",
        },
        more='modalities=("image", "text")',
    ),
    "fixed_role_of_the_inputs": Mutant(
        "names_of_roles_do_not_matter",
        "KeyError: 'image'",
        {TERMS: '        quantization = quantization + 0.0 * batch.inputs["image"].mean()\n' + TERMS},
    ),
    "first_label_only": Mutant(
        "every_label_counts",
        "an argmax over multi-hot labels?",
        {
            "        targets = labels / labels.sum(1, keepdim=True).clamp_min(1)\n":
            "        targets = F.one_hot(labels.argmax(1), labels.shape[1]).float()\n",
        },
    ),
    "broken_on_several_labels": Mutant(
        "every_label_counts",
        "WorkError: the targets are lost",
        {
            "from hashzoo.training.loop": "from hashzoo.errors import WorkError\nfrom hashzoo.training.loop",
            "class Trainer(GradientTrainer):\n    pass": "class Trainer(GradientTrainer):\n"
            "    def begin(self, job):\n        if job.problem.multilabel:\n"
            "            raise WorkError('the targets are lost')\n        super().begin(job)\n",
        },
    ),
    "codes_that_drift": Mutant(
        "codes_are_signs_after_training",
        "codes are not the sign of relaxed after training",
        {
            "        self.linear =": "        self.shift = nn.Parameter(torch.zeros(bits))\n        self.linear =",
            "        return relaxed, torch.where(relaxed >= 0, 1.0, -1.0) + (relaxed - relaxed.detach())":
            "        shifted = relaxed + self.shift\n"
            "        return relaxed, torch.where(shifted >= 0, 1.0, -1.0) + (shifted - shifted.detach())",
        },
    ),
    "several_labels_changed_in_place": Mutant(
        "inputs_are_left_alone",
        "changed the batch's labels or index in place where items have several labels",
        {
            "        labels = batch.labels\n": "        labels = batch.labels\n"
            "        labels[labels.sum(1) > 1] *= 0.5\n"
        },
    ),
    "unfilled_template": Mutant(
        "paper_is_cited",
        "The paper's title is still the template's 'Title of the paper'",
        hooks={'"A title"': '"Title of the paper"'},
    ),
    "forgotten_optimizer": Mutant(
        "training_resumes_where_it_stopped",
        "ends elsewhere than an unbroken one",
        {"    pass": """    def _restore(self):
        found = self.job.checkpoints.latest()
        if found is None:
            return 0, ()
        names = {n: v for n, v in found.tensors.items() if n.startswith(("model.", "loss."))}
        self.objective.load_state_dict(names)
        return found.epoch, found.history"""},
    ),
    "no_checkpoint": Mutant(
        "training_resumes_where_it_stopped",
        "The trainer keeps no checkpoint",
        {"    pass": "    def _save(self, *args):\n        pass"},
    ),
    "silent_trainer": Mutant(
        "training_resumes_where_it_stopped",
        "never reported epoch 1",
        {"    pass": """    def fit(self, job):
        job.report = lambda epoch, terms: None
        super().fit(job)"""},
    ),
    "peeking_trainer": Mutant(
        "queries_never_reach_the_trainer",
        "depends on the queries",
        {"    pass": """    def fit(self, job):
        super().fit(job)
        seen = torch.from_numpy(next(iter(job.data._inputs.values()))).mean(0)
        with torch.no_grad():
            next(iter(job.model.hash_layers.values())).linear.weight += 0.001 * seen"""},
    ),
    "label_leak": Mutant(
        "unsupervised_methods_never_see_labels",
        "depends on the labels",
        {
            **UNSUPERVISED,
            TERMS: "        agree = (labels[:, :1] > 0).float().mean()\n"
            + TERMS.replace("quantization}", 'quantization * (1 + 0.1 * agree)}'),
        },
        more='supervision="unsupervised"',
    ),
    "label_use": Mutant(
        "unsupervised_methods_never_see_labels",
        "depends on the labels",
        more='supervision="unsupervised"',
    ),
    "unlabelled": Mutant(
        "unlabelled_images_are_accepted",
        "not finite on a batch with four items without labels",
        {".clamp_min(1)": ""},
    ),
    "one_class": Mutant(
        "one_class_batches_are_accepted",
        "not finite on a batch of one class",
        {TERMS: "        other = (labels @ labels.T == 0).float()\n        pairs = output.codes @ output.codes.T\n"
         '        apart = 0.001 * (pairs * other).sum() / other.sum()\n'
         + TERMS.replace("quantization}", 'quantization, "apart": apart}')},
    ),
    "batch_of_one": Mutant(
        "a_batch_of_one_is_accepted",
        "not finite on a batch of one item",
        {TERMS: "        spread = (labels @ labels.T).sum() / (len(labels) - 1)\n"
         + TERMS.replace("quantization}", "quantization + 0.001 * spread}")},
    ),
    "overflow": Mutant(
        "large_inputs_stay_finite",
        "not finite on inputs times 10000",
        {TERMS: TERMS.replace("quantization}", 'quantization + 0.001 * output.relaxed.abs().exp().log().mean()}')},
    ),
    "half_precision": Mutant(
        "bf16_stays_finite",
        "under bfloat16 autocast",
        {TERMS: "        pairs = output.relaxed @ output.relaxed.T\n"
         "        close = -torch.log(1 + 1e-4 - (pairs.dtype == torch.bfloat16) * pairs.abs().clamp(2)).mean()\n"
         + TERMS.replace("quantization}", 'quantization, "close": 0.001 * close}')},
    ),
    "changed_in_place": Mutant(
        "inputs_are_left_alone",
        "changed the batch's labels",
        {"        labels = batch.labels\n": "        labels = batch.labels\n        labels *= 0.9\n"},
    ),
    "single_label_only": Mutant(
        "loss_terms_are_finite_scalars",
        "RuntimeError",
        {"        labels = batch.labels\n": "        labels = batch.labels\n"
         "        if (labels.sum(1) > 1).any():\n            raise RuntimeError('one label each, please')\n"},
    ),
    "swallowed_options": Mutant(
        "options_are_explicit",
        "takes **options; name its options",
        {"problem, gamma=1.0": "problem, **options"},
    ),
    "unknown_option": Mutant(
        "options_are_explicit",
        "The method sets loss.gamme; accepted are ['gamma']",
        more='options={"loss": {"gamme": 2.0}}',
    ),
    "no_paper": Mutant("paper_is_cited", "The paper has no authors", hooks={"A. Author": " "}),
    "wrong_key": Mutant("paper_is_cited", "does not end in its year", hooks={'"A venue", 2020': '"A venue", 2021'}),
    "no_source": Mutant("reported_values_have_sources", "has no source", hooks={'source="the paper"': 'source=""'}),
    "percent": Mutant("reported_values_have_sources", "values are shares", hooks={"0.75": "75.0"}),
    "other_name": Mutant(
        "names_agree", "The method is called 'fancy'", hooks={'Method("@name@"': 'Method("fancy"'}
    ),
    "unknown_knob": Mutant(
        "search_space_is_sound",
        "The space has 'loss.gamme'; 'unknownknob' accepts ['gamma']",
        hooks={"loss.gamma": "loss.gamme"},
    ),
    "knob_without_source": Mutant("search_space_is_sound", "has no source", hooks={'source="by hand"': 'source=" "'}),
    "own_left_out": Mutant(
        "search_space_is_sound",
        "leaves out 1.0, the method's own in the setting 'finetune'",
        hooks={"0.1, 10.0": "2.0, 10.0"},
    ),
    "upside_down": Mutant("search_space_is_sound", "state the lower first", hooks={"0.1, 10.0": "10.0, 0.1"}),
    "logarithm_of_zero": Mutant("search_space_is_sound", "has no logarithm", hooks={"0.1, 10.0": "0.0, 10.0"}),
    "whole_numbers": Mutant("search_space_is_sound", "write 2.0 for a float", hooks={"0.1, 10.0": "1, 10"}),
    "knob_of_cost": Mutant(
        "search_space_is_sound", "it stays fixed", hooks={'"loss.gamma": Range(0.1, 10.0': '"epochs": Range(1, 10'}
    ),
    "knob_of_a_variant": Mutant(
        "search_space_is_sound", "which the method's own options fix at 2.0", more='options={"loss": {"gamma": 2.0}}'
    ),
    "one_choice": Mutant(
        "search_space_is_sound", "needs two choices", hooks={"0.1, 10.0, log=True": "choices=(1.0,)"}
    ),
    "refused_end": Mutant(
        "search_space_can_be_tried",
        "With loss.gamma=10.0: gamma is at most 5",
        {"    return Loss(problem)": "    if gamma > 5:\n        raise UsageError('gamma is at most 5')\n"
         "    return Loss(problem)",
         "from hashzoo.training.loop": "from hashzoo import UsageError\nfrom hashzoo.training.loop"},
    ),
    "heavy_listing": Mutant(
        "import_has_no_side_effects", "imports torch when it is only listed", hooks={"PAPER =": "import torch\nPAPER ="}
    ),
    "seeding_import": Mutant(
        "import_has_no_side_effects",
        "draws from torch's generator when its builders are imported",
        {"class Layer": "torch.manual_seed(0)\n\n\nclass Layer"},
    ),
    "calling_home": Mutant(
        "import_has_no_side_effects",
        "uses the network; printed to stdout at import: 'welcome'",
        hooks={"PAPER =": "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 9), 0.1)\n"
               "except OSError:\n    print('welcome')\nPAPER ="},
    ),
}  # fmt: skip


FIT = """
import torch
from hashzoo import Component, Method, Paper, hookimpl

PAPER = Paper("exact-2020", "A title", "A. Author", "A venue", 2020)


class Fitter:
    def __init__(self, problem):
        self.bits = problem.bits

    def fit(self, features, labels, seed):
        width = features["image"].shape[1]
        weight = torch.randn(width, self.bits, generator=torch.Generator().manual_seed(seed))
        state = {"mean": torch.zeros(width), "weight": weight * FACTOR, "bias": torch.zeros(self.bits)}
        return {"image": state}


@hookimpl
def hashzoo_register_fitters():
    return [Component("exact", Fitter)]


@hookimpl
def hashzoo_register_methods():
    return [Method("exact", PAPER, training="fit", fitter="exact", hash_layer="projection",
                   supervision="unsupervised")]
"""


@pytest.mark.parametrize(("factor", "status"), [("1.0", "passed"), ("(1 + hash('x') % 2**20 / 2**30)", "failed")])
def test_a_closed_form_repeats_itself_bit_for_bit(site, factor, status):
    """A difference of a thousandth, which a training by gradients may have, is one of the seed here."""
    write_distribution(site, "hashzoo-exact", FIT.replace("FACTOR", factor))
    (result,) = check_method("exact", only=["a_fresh_process_gives_the_same"])
    assert result.status == status, result.message
    assert ("fitted.hash_layers.image.weight is another one" in result.message) == (status == "failed")


SLOW = {"import_has_no_side_effects", "a_fresh_process_gives_the_same", "learns_the_toy_problem"}


def test_the_healthy_plugin_passes_every_check(make):
    found = check_method(make("healthy"))
    assert [r.check for r in found] == list(CHECKS)
    assert {r.check: r.message for r in found if r.status == "failed"} == {}
    assert [r.check for r in found if r.status == "n/a"] == ["unsupervised_methods_never_see_labels"]


def test_the_healthy_unsupervised_plugin_passes_every_check(make):
    name = make("quiet", UNSUPERVISED, more='supervision="unsupervised"')
    found = check_method(name, only=[check for check in CHECKS if check != "import_has_no_side_effects"])
    assert {r.check: (r.status, r.message) for r in found if r.status not in ("passed", "n/a")} == {}
    assert {r.check for r in found if r.status == "n/a"} == {"every_label_counts"}


POWERS = {
    "from hashzoo.training.loop": "from hashzoo import UsageError\nfrom hashzoo.training.loop",
    "        self.linear =": "        if bits & (bits - 1):\n"
    "            raise UsageError('The number of bits is a power of two.')\n        self.linear =",
}
DRAWN = {
    FORWARD: FORWARD + "        noise = torch.rand_like(relaxed).logit() if self.training else 0.0\n",
    "torch.where(relaxed >= 0, 1.0, -1.0)": "torch.where(relaxed >= noise, 1.0, -1.0)",
}


@pytest.mark.parametrize("changes", [POWERS, DRAWN, {**POWERS, **DRAWN}])
@pytest.mark.parametrize("kind", ["methods", "hash_layers"])
def test_some_bit_lengths_may_be_refused_and_codes_drawn_in_training(make, kind, changes):
    (result,) = check_component(kind, make("free", changes), only=["shapes_for_every_bit_length"])
    assert result.status == "passed", result.message


def test_a_hash_layer_of_methods_without_codes_is_as_wide_as_the_features():
    (result,) = check_component("hash_layers", "uncoded", only=["shapes_for_every_bit_length"])
    assert result.status == "passed", result.message


@pytest.mark.parametrize("mutant", ["flipped_codes_in_training", "lost_in_training", "no_length_at_all"])
def test_a_broken_hash_layer_alone_is_caught(make, mutant):
    broken = MUTANTS[mutant]
    (result,) = check_component("hash_layers", make("layer", broken.model), only=[broken.check])
    assert result.status == "failed"
    assert broken.says in result.message


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught_by_its_check_and_prints_one_failure(make, mutant):
    broken = MUTANTS[mutant]
    name = make(mutant.replace("_", ""), broken.model, broken.hooks, broken.more)
    name = "fancy" if mutant == "other_name" else name
    found = check_method(name, only=[check for check in CHECKS if check == broken.check or check not in SLOW])
    failed = {r.check: r.message for r in found if r.status == "failed"}
    assert set(failed) == {broken.check}, failed
    assert broken.says in failed[broken.check]
    assert all(r.message == f"not checked: {broken.check} failed" for r in found if r.status == "skipped")


def test_every_check_has_a_mutant():
    assert {broken.check for broken in MUTANTS.values()} == set(CHECKS)
