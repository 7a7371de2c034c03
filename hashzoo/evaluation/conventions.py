"""How other tools compute the same metrics, as data: name a convention to get the figure that tool would print."""

from __future__ import annotations

from dataclasses import dataclass

from hashzoo.errors import unknown_name


@dataclass(frozen=True)
class Convention:
    """What decides a figure beside the codes.

    ties: "expected", "best", "worst", or "stable" (database order, where the tool's own order is
    accidental). divisor of average precision at a cut-off: "retrieved", "min", "all", or "first_relevant"
    (the mean of precision at the first min(N, relevant) relevant items, wherever they stand). left_out, the
    queries that do not enter means of average precision: "" (none), "unretrieved" (nothing relevant in the
    list), "irrelevant" (nothing relevant in the database), "unlabelled" (no label). drop_last: the
    whole-list figure leaves out the last item. interpolated: mean of precision at 11 recall levels instead
    of average precision. ball: average precision within a radius: "hamming" (order of codes) or "reranked"
    (by real-valued outputs; balls that hold items but no relevant one are left out; from radius 10 on,
    precision). micro: precision and recall within a radius pool all pairs. undefined: one query without relevant
    items makes average precision undefined. effect: what this does to the number.
    """

    name: str
    tool: str
    effect: str
    ties: str = "stable"
    divisor: str = "retrieved"
    left_out: str = ""
    drop_last: bool = False
    interpolated: bool = False
    ball: str = "hamming"
    micro: bool = False
    undefined: bool = False


_ALL = (
    Convention(
        "hashzoo",
        "hashzoo",
        "The mean over all orders of equally distant items; a query with nothing relevant counts 0.",
        ties="expected",
    ),
    Convention(
        "deephash-pytorch",
        "swuxyj/DeepHash-pytorch, utils/tools.py",
        "Over the whole list (topK = -1) the last item is not looked at; queries with nothing relevant count 0.",
        drop_last=True,
    ),
    Convention(
        "treezzz",
        "TreezzZ/DSDH_PyTorch and DHN_PyTorch",
        "As deephash-pytorch: the last item of the whole list is not looked at, nothing relevant counts 0.",
        drop_last=True,
    ),
    Convention(
        "greedyhash",
        "ssppp/GreedyHash; also DPSH-pytorch, DFH, Bi-Half, ADSH",
        "Queries with nothing relevant in the list count 0.",
    ),
    Convention(
        "hashnet",
        "thuml/HashNet, PyTorch",
        "Queries with nothing relevant among the first N are left out of the mean, which raises it.",
        left_out="unretrieved",
    ),
    Convention(
        "hashnet-caffe",
        "thuml/HashNet, Caffe",
        "Queries with nothing relevant in the database are left out; with some, but none among the first N, they "
        "count 0.",
        left_out="irrelevant",
    ),
    Convention(
        "hash-caffe",
        "thuml/hash-caffe and zhuhan1236/dhn-caffe, the code of DHN",
        "As hashnet: queries with nothing relevant among the first N are left out of the mean, which raises it.",
        left_out="unretrieved",
    ),
    Convention(
        "thulab",
        "thulab/DeepHash, the value it reports",
        "Queries with nothing relevant among the first N are left out. Within a radius the ball is ranked by "
        "real-valued outputs, empty balls count 0, and balls with items but nothing relevant are left out, which "
        "raises the mean; from radius 10 on it is the precision in the ball.",
        left_out="unretrieved",
        ball="reranked",
    ),
    Convention(
        "thulab-all",
        "thulab/DeepHash, the list printed for every radius",
        "Within a radius the ball keeps the order of the codes and counts 0 when it is empty or has nothing relevant.",
        left_out="unretrieved",
    ),
    Convention(
        "dcmh",
        "jiangqy/DCMH-CVPR2017, MatConvNet",
        "Stable order as MATLAB's sort; nothing relevant counts 0; precision and recall within a radius pool all "
        "pairs, so queries with full balls decide precision, empty balls have no weight in it, and queries with many "
        "relevant items decide recall.",
        micro=True,
    ),
    Convention(
        "torchcmh",
        "WangGodder/deep-cross-modal-hashing; also WendellGul/DCMH",
        "N counts relevant items, not retrieved ones: the mean of precision at the first min(N, relevant) relevant "
        "items wherever they stand. Lower than the usual figure where the first N are mostly relevant, higher where "
        "they hold none.",
        divisor="first_relevant",
    ),
    Convention(
        "djsrh",
        "zs-zhong/DJSRH, calculate_top_map; also JDSH",
        "Reported at 50: precision averaged over the relevant items among the first N; queries with none there count "
        "0. Far above the figure of the whole list, with which it is never comparable.",
    ),
    Convention(
        "ucch",
        "penghu-cs/UCCH, fx_calc_map_multilabel_k",
        "Queries with nothing relevant in the list are left out of the mean, which raises it on multi-label data.",
        left_out="unretrieved",
    ),
    Convention(
        "dchmt",
        "kalenforn/DCHMT, calc_map_k_matrix",
        "N counts relevant items, as in torchcmh; one query with nothing relevant in the database makes the whole "
        "figure undefined (the tool prints nan).",
        divisor="first_relevant",
        undefined=True,
    ),
    Convention(
        "csq",
        "yuanli2333/Hadamard-Matrix-for-hashing",
        "Queries without a label are left out; labelled ones with nothing relevant count 0.",
        left_out="unlabelled",
    ),
    Convention(
        "orthohash",
        "kamwoh/DPN, kamwoh/orthohash; also cisip-FIRe",
        "Queries with nothing relevant count 0; the tool's order of ties follows torch.topk.",
    ),
    Convention(
        "dsdh",
        "liqi-casia/DSDH-HashingCode, Minione/DTSH (calcMAP)",
        "Queries with nothing relevant are left out of the mean, which raises it on multi-label data.",
        left_out="unretrieved",
    ),
    Convention(
        "qsmih",
        "passalis/qsmi",
        "Precision at the ranks whose recall is nearest to 0, 0.1, ..., 1, averaged; recall 0 means rank 1.",
        interpolated=True,
    ),
    Convention(
        "pml",
        "pytorch-metric-learning, AccuracyCalculator",
        "The sum of precision is divided by all relevant items, so a short list scores low; queries with nothing "
        "relevant are left out.",
        divisor="all",
        left_out="irrelevant",
    ),
    Convention(
        "torchmetrics",
        "torchmetrics, RetrievalMAP with positive scores",
        "The usual figure: divided by the relevant items retrieved, 0 where there is none.",
    ),
)

CONVENTIONS = {convention.name: convention for convention in _ALL}


def convention_named(name: str) -> Convention:
    """Return a convention; an unknown name raises UsageError with the nearest ones."""
    if name not in CONVENTIONS:
        raise unknown_name("convention", name, CONVENTIONS)
    return CONVENTIONS[name]


def conventions_table() -> str:
    """Return the Markdown table of all conventions, as it stands in the documentation."""
    lines = [
        "| name | tool | ties | divisor at N | queries left out | within a radius | what it does to the number |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in _ALL:
        ball = ("re-ranked" if c.ball == "reranked" else "by code") + (
            ", precision and recall pooled" if c.micro else ""
        )
        left_out = "none; one makes it undefined" if c.undefined else c.left_out or "none"
        cells = (f"`{c.name}`", c.tool, c.ties, c.divisor, left_out, ball, c.effect)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
