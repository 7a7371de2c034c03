"""Names and numbers as pages show them."""

from __future__ import annotations


def plain(text: str) -> str:
    r"""Return text with everything that does not print (control, direction and surrogate characters) written out.

    Records come from anywhere, and what they hold must not steer a terminal.

    >>> plain("dch\x1b[2J"), plain("naïve")
    ('dch\\x1b[2J', 'naïve')
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def number_text(value: float) -> str:
    """Return a value as boards show it: four decimals, large numbers with fewer.

    >>> [number_text(value) for value in (0.79014, 0.0, 53999.0, 123.456)]
    ['0.7901', '0.0000', '53999', '123.46']
    """
    if abs(value) < 10:
        return f"{value:.4f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"
