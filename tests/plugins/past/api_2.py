"""A plugin as written for plugin interface 2, using every hook. Never edit it: it must load in interface 2 and 3."""

from hashzoo import (
    Claim,
    Command,
    Component,
    Dataset,
    Method,
    Metric,
    Paper,
    PaperRow,
    PaperTable,
    Protocol,
    Range,
    Recipe,
    Schedule,
    Setting,
    hookimpl,
)

hashzoo_api = 2

PAPER = Paper("past-2020", "A title", "A. Author", "A venue", 2020, url="https://example.org")


@hookimpl
def hashzoo_register_losses():
    return [Component("past", "hashzoo_past:build_loss", summary="a loss of old")]


@hookimpl
def hashzoo_register_hash_layers():
    return [Component("past", "hashzoo_past:build_hash_layer")]


@hookimpl
def hashzoo_register_backbones():
    return [Component("past", "hashzoo_past:build_backbone", accepts="vector", pretrained=False)]


@hookimpl
def hashzoo_register_trainers():
    return [Component("past", "hashzoo_past:build_trainer")]


@hookimpl
def hashzoo_register_evaluators():
    return [Component("past", "hashzoo_past:build_evaluator", metrics=("past_share_of_ones",))]


@hookimpl
def hashzoo_register_metrics():
    return [Metric("past_share_of_ones", higher_is_better=None, range=(0.0, 1.0), on_board=False, needs="codes")]


@hookimpl
def hashzoo_register_fitters():
    return [Component("past", "hashzoo_past:Fitter")]


@hookimpl
def hashzoo_register_engines():
    return [Component("past", "hashzoo_past:Engine")]


@hookimpl
def hashzoo_register_claims():
    return [
        Claim("past is better than chance", "section 1", "past", "random", "map", bits=(16,), protocols=("past-1",))
    ]


@hookimpl
def hashzoo_register_commands():
    return [Command("past", "a command of old", "hashzoo_past:command")]


@hookimpl
def hashzoo_register_datasets():
    protocol = Protocol(
        id="past-1",
        dataset="past",
        sizes=(80, 400, 400),
        pairs=(("image", "image"),),
        bits=(16,),
        headline="map",
        aliases=("past-old",),
    )
    backbones = {"image": "identity"}
    return [Dataset("past", {"image": "vector"}, (protocol,), "hashzoo_past:load", backbones, multilabel=False)]


@hookimpl
def hashzoo_register_paper_tables():
    row = PaperRow("past", "CIFAR-10", 16, 0.5, source="the paper", confidence="read", protocol="", task="image")
    return [PaperTable("past-2020-table1", PAPER, "Table 1", "map", (row,))]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=2, batch_size=16, lr=0.01, optimizer="adam", schedule=Schedule("step", every=1, gamma=0.5))
    frozen = Setting(recipe, options={"loss": {"scale": 0.5}}, source="by hand")
    return [
        Method(
            name="past",
            paper=PAPER,
            loss="past",
            hash_layer="past",
            recipe=recipe,
            modalities=("image",),
            trainer="past",
            supervision="supervised",
            options={"loss": {"scale": 2.0}},
            settings={"frozen": frozen},
            backbones={"image": "past"},
            ranking="hamming",
            summary="of old",
            space={"loss.scale": Range(0.1, 10.0, log=True, source="by hand")},
        )
    ]


def build_loss(problem, scale=1.0):
    from torch import nn

    class Loss(nn.Module):
        def forward(self, output, batch):
            targets = batch.labels @ batch.labels.T
            logits = output.relaxed @ output.relaxed.T
            return {"pairwise": scale * nn.functional.binary_cross_entropy_with_logits(logits, targets)}

    return Loss()


def build_hash_layer(feature_dim, problem):
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(feature_dim, problem.bits)

        def forward(self, features):
            relaxed = self.linear(features)
            return relaxed, torch.where(relaxed >= 0, 1.0, -1.0)

        def start_epoch(self, epoch, epochs):
            assert 0 <= epoch < epochs

    return Layer()


def build_backbone(in_features):
    from torch import nn

    class Backbone(nn.Module):
        preprocessing = None
        feature_dim = in_features

        def forward(self, inputs):
            return inputs.float()

    return Backbone()


def build_trainer():
    from torch.optim import Adam

    class Trainer:
        def fit(self, job):
            optimizer = Adam([*job.model.parameters(), *job.loss.parameters()], lr=job.recipe.lr)
            for epoch in range(job.recipe.epochs):
                job.model.start_epoch(epoch, job.recipe.epochs)
                for batch in job.data.batches(job.recipe.batch_size, job.seed, epoch):
                    terms = job.loss(job.model("image", batch.inputs["image"]), batch)
                    job.accelerator.backward(sum(terms.values()))
                    optimizer.step()
                    optimizer.zero_grad()
                job.report(epoch, {name: float(value.detach()) for name, value in terms.items()})

    return Trainer()


class Fitter:
    def __init__(self, problem, shift=0.0):
        self.bits, self.shift = problem.bits, shift

    def fit(self, features, labels, seed):
        import torch

        generator = torch.Generator().manual_seed(seed)
        return {
            role: {
                "mean": x.mean(0) + self.shift,
                "weight": torch.randn(x.shape[1], self.bits, generator=generator),
                "bias": torch.zeros(self.bits),
            }
            for role, x in features.items()
        }


class Engine:
    def run(self, tasks):
        yield from ()


def command():
    import click

    return click.Command("past")


def build_evaluator(protocol):
    def evaluate(retrieval):
        return {"past_share_of_ones": float((retrieval.database.signs() > 0).mean())}

    return evaluate


def load(protocol, root):
    import numpy as np

    from hashzoo import Splits, Table

    draw = np.random.default_rng(0)
    classes = np.arange(480) % 4
    labels = np.eye(4, dtype=np.uint8)[classes]
    inputs = {"image": (3 * labels @ np.eye(4, 8) + draw.standard_normal((480, 8))).astype(np.float32)}
    table = Table(inputs, labels, np.arange(480), fingerprint="past")
    train = np.arange(400)
    return Splits(table, train=train, query=np.arange(400, 480), database=train, sha256="past")
