"""The nouns of hashzoo: frozen, without behaviour, importable without torch.

Letters used in every docstring: N batch, D feature width, K bits, C classes, Q queries, M database size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Lt

if TYPE_CHECKING:
    import numpy as np
    import torch

    from hashzoo.evaluation.codes import Codes

API_VERSION = 2
"""Version of the plugin interface; a plugin module may state `hashzoo_api = 2` (docs/plugins.md)."""

Count = Annotated[int, Ge(1)]
AtLeastZero = Annotated[float, Ge(0), Lt(float("inf"))]


@dataclass(frozen=True)
class Problem:
    """All that a loss, hash layer or fitter may know when it is built; never data or labels.

    `modalities` are the method's roles, whatever the dataset calls them.
    """

    bits: int
    num_classes: int
    num_train: int
    multilabel: bool = False
    modalities: tuple[str, ...] = ("image",)


@dataclass(frozen=True)
class Batch:
    """One training batch: inputs by role, multi-hot float labels (N, C), rows of the train split (N,)."""

    inputs: Mapping[str, torch.Tensor]
    labels: torch.Tensor
    index: torch.Tensor


@dataclass(frozen=True)
class HashOutput:
    """What backbone and hash layer give: features (N, D), relaxed (N, K), codes (N, K) in {-1, +1}.

    `relaxed` is the paper's u or z; `codes` is what the loss treats as b (with the gradient the method gives it).
    """

    features: torch.Tensor
    relaxed: torch.Tensor
    codes: torch.Tensor


@dataclass(frozen=True)
class Schedule:
    """Learning-rate schedule.

    `constant`; `step`: times `gamma` after every `every` units; `cosine`: to zero over the run;
    `geometric`: from lr to lr * gamma over the run. `unit` is "epoch" or "step".
    """

    name: Literal["constant", "step", "cosine", "geometric"] = field(default="constant", metadata={"kind": "schedule"})
    every: Annotated[int, Ge(0)] = 0
    gamma: AtLeastZero = 1.0
    unit: Literal["epoch", "step"] = field(default="epoch", metadata={"kind": "unit of a schedule"})


@dataclass(frozen=True)
class Recipe:
    """Numbers of the training loop. `lr` is that of the new layers; the backbone's is lr * backbone_lr_scale.

    `backbone_lr_scale` 0 trains no weight of the backbone, and batch normalisations keep the statistics that came with
    weights (a new layer, which has none, gathers them).
    `bias_lr_scale` and `bias_decay` are the habit of Caffe nets: biases learn at twice the rate and do not decay.
    `warmup`: epochs in which the rate rises evenly from 0. `clip`: largest norm of the gradient (0: any).
    """

    epochs: Count
    batch_size: Count
    lr: AtLeastZero
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "sgd"
    backbone_lr_scale: AtLeastZero = 1.0
    momentum: AtLeastZero = 0.9  # sgd only
    nesterov: bool = False  # sgd only
    weight_decay: AtLeastZero = 0.0
    schedule: Schedule = Schedule()
    warmup: Annotated[int, Ge(0)] = 0
    clip: AtLeastZero = 0.0
    bias_lr_scale: AtLeastZero = 1.0
    bias_decay: bool = True


@dataclass(frozen=True)
class Setting:
    """A recipe for one situation, and options there; `source` says how they were chosen.

    The method's own `options` win over these, so that a variant stays what it is in every situation. Closed-form
    methods have no recipe.
    """

    recipe: Recipe | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class Paper:
    """Where a method or table was published; `key` is `<firstauthor or method>-<year>`."""

    key: str
    title: str
    authors: str
    venue: str
    year: int
    url: str = ""


@dataclass(frozen=True)
class Range:
    """What may be tried of an option when a method is tuned: from `low` to `high` (`log`: evenly in the logarithm).

    `choices` in place of the two for what is no number. `source` says why these.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str | int | float | bool, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Method:
    """A published method by names and numbers only, so that a run's configuration is its JSON.

    `training` says how the hash function is found: "gradient" (`loss`, `recipe` and `trainer`), "fit" (a closed form:
    `fitter`) or "none" (the hash layer as it is built). `loss`, `hash_layer`, `trainer` and `fitter` are names of
    registered components. `recipe` is the paper's, for fine-tuning a pretrained backbone; `settings["frozen"]` is for
    frozen features, `settings["scratch"]` for a backbone without pretrained weights. `options` maps "loss",
    "hash_layer", "trainer" and "fitter" to keyword options of those components. `modalities` are the method's roles,
    which the modalities of a dataset take in their order; `backbones` maps a role to the paper's backbone.
    `supervision` says which labels are seen: "supervised", or "unsupervised" (labels never reach loss or fitter).
    `database` says what training sees of the database: "hidden", "inputs", or "labels" (both), for asymmetric methods.
    `space` maps options as `--set` names them ("loss.gamma") to what tuning may try of them, beside learning rate and
    weight decay; what is not in it stays as the method has it.
    `ranking`: "hamming", "inner_product" or "cosine". `floor` marks baselines that stay on every board.
    `coded=False`: no codes, the features themselves are ranked.
    """

    name: str
    paper: Paper
    loss: str = ""
    hash_layer: str = "linear"
    recipe: Recipe | None = None
    modalities: tuple[str, ...] = ("image",)
    trainer: str = "gradient"
    supervision: Literal["supervised", "unsupervised"] = "supervised"
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    backbones: Mapping[str, str] = field(default_factory=dict)
    ranking: Literal["hamming", "inner_product", "cosine"] = "hamming"
    summary: str = ""
    floor: bool = False
    coded: bool = True
    training: Literal["gradient", "fit", "none"] = "gradient"
    fitter: str = ""
    database: Literal["hidden", "inputs", "labels"] = "hidden"
    space: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True)
class Component:
    """A named builder: a class or function, or "package.module:attribute" so that listing it imports nothing.

    backbone    build(**options) -> Module, input -> (N, D), with `.feature_dim` and `.preprocessing` (or None)
    hash layer  build(feature_dim, problem, **options) -> Module, (N, D) -> (relaxed (N, K), codes (N, K))
    loss        build(problem, **options) -> Module, (output, batch) -> {term: scalar, already weighted}
    fitter      build(problem, **options) -> object with fit(features, labels, seed) -> {role: {buffer: tensor}}
    trainer     build(**options) -> object with fit(job)
    evaluator   build(protocol) -> callable, Retrieval -> {metric: number or curve}
    engine      build(**options) -> object with run(tasks), which yields an outcome for each

    A loss's `output` is a HashOutput; for methods of several modalities, {role: HashOutput}.
    `accepts` (backbones): "image" for uint8 images, "vector" for (N, D) floats, "any".
    `pretrained` (backbones): comes with pretrained weights unless the option weights="random" is given.
    `requires` maps "loss", "hash_layer" or "trainer" to the name of the one it works with; another is refused.
    `metrics` (evaluators): names of the registered metrics that it gives.
    A name that ends in "/" is a family: "timm/" answers to "timm/<model>" and is built as build("<model>", **options);
    `members`, a function or "package.module:attribute", returns the names after the slash.
    """

    name: str
    build: Callable[..., Any] | str
    summary: str = ""
    accepts: Literal["image", "vector", "any"] = "any"
    pretrained: bool = False
    requires: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    members: Callable[..., Any] | str = ""


@dataclass(frozen=True)
class Metric:
    """A figure that an evaluator gives, by its base name: "map" stands for map, map@5000, map@h2, map:best.

    `range` are the smallest and the largest possible value, None where there is no bound. `higher_is_better` None:
    neither (a count, a statistic). `on_board`: it may head a board and its best is marked. `needs`: "codes",
    "relaxed" where only real-valued outputs give it, or "either" where a ranking by one or the other does; where the
    features themselves are ranked there are no codes, and metrics that need them are left out.
    """

    name: str
    higher_is_better: bool | None = True
    range: tuple[float | None, float | None] = (0.0, 1.0)
    on_board: bool = False
    needs: Literal["codes", "relaxed", "either"] = "codes"
    summary: str = ""


@dataclass(frozen=True)
class Command:
    """A command `hashzoo <name>`; `build` names a click command as "package.module:attribute"."""

    name: str
    summary: str
    build: str


@dataclass(frozen=True)
class Claim:
    """What a paper claims, in a form that a program can check: `better` is ahead of `worse` in `metric`.

    `better` and `worse` are names of methods; `bits` and `protocols` narrow the claim (empty: all). `source` says where
    the paper makes it. `instead` is the metric that judges it where `metric` was not measured of both ("": none).
    """

    text: str
    source: str
    better: str
    worse: str
    metric: str
    bits: tuple[int, ...] = ()
    protocols: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True)
class Protocol:
    """Whatever decides a number: which items are query, train and database, and what is measured.

    `sha256` is that of the split's index lists ("" where the user's own data make it known only at run time).
    `pairs` are (query modality, database modality). `sizes` are (query, train, database); 0 = known at run time.
    `queries_in_database` is only for published lists that have this flaw; everywhere else it is refused.
    `status` says where the lists come from: "published list", "published rule", or "our draw" of published sizes;
    `flaws` names in words what is wrong with them. `evaluators` are those that a run on it uses.
    """

    id: str
    dataset: str
    sizes: tuple[int, int, int]
    sha256: str = ""
    pairs: tuple[tuple[str, str], ...] = (("image", "image"),)
    bits: tuple[int, ...] = (16, 32, 48, 64)
    headline: str = "map"
    aliases: tuple[str, ...] = ()
    source: str = ""
    summary: str = ""
    queries_in_database: bool = False
    status: Literal["published list", "published rule", "our draw"] = "our draw"
    flaws: str = ""
    evaluators: tuple[str, ...] = ("retrieval", "code_quality")


@dataclass(frozen=True)
class Table:
    """All items of a dataset, decoded: inputs by modality, labels (n, C) uint8 multi-hot, ids (n,).

    Images are (n, H, W, 3) uint8 (usually memory-mapped), vectors (n, D) float32. `fingerprint` identifies the
    content: two tables with the same one hold the same inputs.
    """

    inputs: Mapping[str, np.ndarray]
    labels: np.ndarray
    ids: np.ndarray
    fingerprint: str
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splits:
    """A table and the rows that are train, query and database (int64 each); `sha256` over the three id lists.

    In a run of a protocol that names no sha256 it is over inputs and labels too (`data.splits.named_by_content`).

    `notes` are sentences on what the loader chose or left out, shown by a run and kept in `split.json`, as are
    `details`, JSON of what else decides the inputs (the vocabulary of a text).
    """

    table: Table
    train: np.ndarray
    query: np.ndarray
    database: np.ndarray
    sha256: str
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A dataset and its protocols; `load(protocol, root, **options) -> Splits` (callable or "module:attribute").

    `modalities` maps each name to "image" or "vector"; `backbones` are the defaults per modality. The first
    protocol is the default one. `files` are the paths under the data root that it needs (none: embedded or the
    user's own); they are looked for before the loader runs, unless it is given another `path` or may download. A
    loader may take `progress` as its third parameter, called as progress(done, total); one with an option `download`
    is able to fetch its files; one with an option `lists_only` gives labels and lists without opening an image.
    """

    name: str
    modalities: Mapping[str, str]
    protocols: tuple[Protocol, ...]
    load: Callable[..., Splits] | str
    backbones: Mapping[str, str] = field(default_factory=dict)
    multilabel: bool = False
    summary: str = ""
    homepage: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retrieval:
    """What an evaluator is given: query and database codes (with labels and relaxed outputs), which it may not change.

    `metrics`: the names asked for among those that the evaluator declares, "default" standing for all that it gives
    unasked; None: nothing was asked. `coded`: False where the features themselves are ranked; then only `relaxed` of
    the two sets means anything.
    """

    query: Codes
    database: Codes
    ranking: str = "hamming"
    metrics: tuple[str, ...] | None = None
    ties: str = "expected"
    convention: str = "hashzoo"
    coded: bool = True


@dataclass(frozen=True)
class PaperRow:
    """One published cell; `method` is our name where we have one, `protocol` our id where the set-up is the same.

    `metric` is our metric name where it is not the table's ("": it is).
    """

    method: str
    dataset: str
    bits: int
    value: float
    source: str
    confidence: str
    protocol: str = ""
    protocol_note: str = ""
    task: str = "image"
    backbone: str = ""
    label: str = ""
    metric: str = ""


@dataclass(frozen=True)
class PaperTable:
    """A published table; `id` is `<paper key>-<table>`, e.g. "dch-2018-table1"; `metric` is our metric name."""

    id: str
    paper: Paper
    title: str
    metric: str
    rows: tuple[PaperRow, ...]
