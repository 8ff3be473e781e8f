"""How figures and names are written in a report."""

from __future__ import annotations

import math

__all__ = ["capital", "counted", "figure", "interval", "milliseconds", "plain", "signed", "span"]

MINUS = "−"


def plain(text: str) -> str:
    r"""Escape what is not printable: a file's name may hold line breaks, marks of direction and broken characters.

    Examples
    --------
    >>> print(plain("a\nb\u202e\udcff"))
    a\nb\u202e\udcff
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def figure(value: float | None) -> str:
    """Write a score.

    Examples
    --------
    >>> figure(0.72214), figure(-0.0001), figure(1234.5), figure(None)
    ('0.722', '0.000', '1,234.5', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
    return "0.000" if text == "-0.000" else text.replace("-", MINUS)


def signed(value: float | None) -> str:
    """Write a difference, with its sign.

    Examples
    --------
    >>> signed(0.42), signed(-0.42), signed(0.0001), signed(0.0)
    ('+0.420', '−0.420', '+0.000', '0.000')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return figure(value)
    return ("+" if value > 0 else MINUS) + figure(abs(value))


def interval(low: float, high: float) -> str:
    """Write an interval of differences.

    Examples
    --------
    >>> interval(-0.1, 0.25)
    '−0.100 to +0.250'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    return f"{signed(low)} to {signed(high)}"


def counted(number: int, one: str, several: str = "") -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "picture"), counted(1200, "picture")
    ('1 picture', '1,200 pictures')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def milliseconds(seconds: float) -> str:
    """Write a short time.

    Examples
    --------
    >>> milliseconds(0.00312), milliseconds(0.0441), milliseconds(1.234)
    ('3.1 ms', '44 ms', '1,234 ms')
    """
    ms = seconds * 1000
    return f"{ms:.1f} ms" if ms < 10 else f"{ms:,.0f} ms"


def span(seconds: float) -> str:
    """Write a long time.

    Examples
    --------
    >>> span(12.3), span(1834.2), span(7322)
    ('12 s', '30 min 34 s', '2 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def capital(text: str) -> str:
    """Write a sentence's first letter as a capital one, where it is not a name with a hyphen.

    Examples
    --------
    >>> capital("web screenshot")
    'Web screenshot'
    """
    return text[:1].upper() + text[1:]
