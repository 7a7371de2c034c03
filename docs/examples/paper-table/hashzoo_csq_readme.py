"""A paper table alone: the figures that the released code of CSQ states for ImageNet-100."""

from hashzoo import Paper, PaperRow, PaperTable, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="csq-2020",
    title="Central Similarity Quantization for Efficient Image and Video Retrieval",
    authors="Yuan, Wang, Zhang, Tay, Jie, Liu and Feng",
    venue="CVPR",
    year=2020,
)
SOURCE = "README of the released code, yuanli2333/Hadamard-Matrix-for-hashing @55cab00"
VALUES = {16: 0.851, 32: 0.865, 64: 0.873}


@hookimpl
def hashzoo_register_paper_tables():
    rows = tuple(
        PaperRow("csq", "ImageNet-100", bits, value, SOURCE, "read", backbone="ResNet50", label="CSQ")
        for bits, value in VALUES.items()
    )
    return [PaperTable("csq-2020-readme", PAPER, "README", "map@1000", rows)]
