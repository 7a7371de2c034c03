"""A paper as a BibTeX entry."""

from __future__ import annotations

import re

from hashzoo.specs import Paper

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip

_JOURNAL = re.compile(
    r"\b(journal|transactions|letters|TPAMI|TIP|TMM|TNNLS|IJCV|TKDE|JMLR|PAMI)\b|^IEEE T", re.IGNORECASE
)
_NOT_PUBLISHED = re.compile(r"arxiv|preprint|repository|software|^$", re.IGNORECASE)


def bibtex(paper: Paper) -> str:
    r"""Return a paper as a BibTeX entry; the authors, separated by commas in the registry, are joined by "and".

    >>> print(bibtex(Paper("dch-2018", "Deep Cauchy Hashing", "Yue Cao, Mingsheng Long", "CVPR", 2018)), end="")
    @inproceedings{dch-2018,
      title     = {{Deep Cauchy Hashing}},
      author    = {Yue Cao and Mingsheng Long},
      booktitle = {CVPR},
      year      = {2018},
    }
    """
    if _NOT_PUBLISHED.search(paper.venue):
        kind, place = "misc", "howpublished"
    elif _JOURNAL.search(paper.venue):
        kind, place = "article", "journal"
    else:
        kind, place = "inproceedings", "booktitle"
    authors = re.sub(r",? and |, ", " and ", paper.authors).replace(" and others", " and others")
    fields = {
        "title": f"{{{_escaped(paper.title)}}}",
        "author": _escaped(authors),
        place: _escaped(paper.venue),
        "year": str(paper.year),
        "url": re.sub(r"[{}\s]", "", paper.url),
    }
    width = max(map(len, fields))
    lines = [f"  {name:{width}} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{re.sub(r'[^A-Za-z0-9:_-]', '-', paper.key)},", *lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
