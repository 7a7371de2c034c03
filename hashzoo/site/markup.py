"""What is done to a page as text: code between backticks, fewer bytes."""

from __future__ import annotations

import re

_CLOSING = re.compile(r"\s*</(?:td|th|tr|li|dt|dd|option|tbody|thead)>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([\w.:#/%,+-]+)"(?=[\s>])')
_ENTITIES = {"&#177;": "\N{PLUS-MINUS SIGN}", "&minus;": "\N{MINUS SIGN}", "&ndash;": "\N{EN DASH}"}
_SCOPE = re.compile(r'(<th) scope="(?:row|col)"')
"""Of a header beside data cells, and of one among headers: what such a header has without saying so."""

_KEPT = re.compile(r"(<pre.*?</pre>|<script.*?</script>|<textarea.*?</textarea>)", re.DOTALL)

_VERBATIM = re.compile(r"(<head>.*?</head>|<pre.*?</pre>|<code.*?</code>|<script.*?</script>|<[^<>]*>)", re.DOTALL)
_TICKED = re.compile(r"`([^`]+)`")


def code_marks(text: str) -> str:
    """Return a page in which text between backticks is marked as code; attributes and code stay as they are.

    >>> code_marks('<p title="`a`">see `b`, <code>`c`</code></p>')
    '<p title="`a`">see <code>b</code>, <code>`c`</code></p>'
    """
    parts = _VERBATIM.split(text)
    parts[::2] = [_TICKED.sub(r"<code>\1</code>", part) for part in parts[::2]]
    return "".join(parts)


def compact(text: str) -> str:
    """Return a page without indentation, and without closing tags, quotes and scopes that HTML does not need.

    >>> compact('<ul class="a b">\\n  <li class="c"><a href="x.html#b16">1</a></li>\\n</ul>\\n')
    '<ul class="a b"><li class=c><a href=x.html#b16>1</a></ul>\\n'
    """
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    parts = _KEPT.split(text)
    for number in range(0, len(parts), 2):
        short = re.sub(r">\s*\n\s*<", "><", parts[number])
        short = _SCOPE.sub(r"\1", _CLOSING.sub("", re.sub(r"\s*\n\s*", " ", short)))
        parts[number] = re.sub(r"<[a-z][^<>]*>", lambda tag: _ATTRIBUTE.sub(r"\1=\2", tag[0]), short)
    return "".join(parts).strip() + "\n"
