"""Plots as SVG, written by hand.

A plotting library would draw every letter and marker as paths, ten times as many bytes, and with its own colours. Here
text stays text, lines take the colours of the page, light or dark, and a point knows what to say when it is pointed at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pixtrim.evaluation.report.words import MINUS

__all__ = ["STYLES", "Line", "Point", "Scale", "plot", "swatch"]

WIDTH, HEIGHT = 340, 224
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 38  # pixels around the panel
NARROWEST = 0.2
"""The least width of an axis of tokens, as a share of the most tokens: pictures that cost nearly the same look so."""
APART = 9
"""Pixels between the points of two lines that have one each: at equal tokens they would lie above one another."""
STYLES = 6
"""How many styles of lines there are beside the baseline's, which is style 0; more operators use them again."""

_DASHES = ("4 4", "", "7 4", "2 3", "10 3 2 3", "6 2", "1 4")
_MARKERS = ("bar", "circle", "square", "triangle", "diamond", "circle", "square")


@dataclass(frozen=True)
class Point:
    """A mean at a number of tokens, its interval (not finite where there is none), and what it says when pointed at."""

    tokens: float
    mean: float
    low: float
    high: float
    says: str = ""


@dataclass(frozen=True)
class Line:
    """What one operator does to the pictures of one kind; style 0 is the baseline's."""

    style: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Scale:
    """From values to positions: `low` and `high` are the ends, `ticks` are where it is labelled."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return min(1.0, max(0.0, (value - low) / (high - low)))

    @classmethod
    def of_scores(cls, values: Sequence[float]) -> Scale:
        """Return a scale for scores: it ends at round figures, and at 0 and 1 where scores do.

        Examples
        --------
        >>> Scale.of_scores([0.31, 0.97])
        Scale(low=0.2, high=1.0, ticks=(0.2, 0.4, 0.6, 0.8, 1.0), logarithmic=False)
        """
        values = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(values), max(values)
        if high - low < 0.02 * max(1.0, abs(high)):
            middle, half = (low + high) / 2, 0.01 * max(1.0, abs(high))
            low, high = min(low, middle - half), max(high, middle + half)
        if min(values) >= 0 and max(values) <= 1:
            low, high = max(0.0, low), min(1.0, high)
        step = _step(high - low, 4)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(first * step, last * step, tuple(round(k * step, 9) for k in range(first, last + 1)))

    @classmethod
    def of_tokens(cls, values: Sequence[float]) -> Scale:
        """Return a scale for numbers of tokens, logarithmic where the largest is many times the smallest.

        Examples
        --------
        >>> Scale.of_tokens([250, 500, 750]).ticks
        (400.0, 600.0)
        >>> Scale.of_tokens([100, 400, 1600]).ticks
        (100.0, 200.0, 500.0, 1000.0)
        """
        low, high = max(1.0, min(values)), max(1.0, *values)
        if high / low > 6:
            margin = (high / low) ** 0.06
            low, high = low / margin, high * margin
            rounds = [m * 10.0**e for e in range(9) for m in (1, 2, 5)]
            return cls(low, high, tuple(r for r in rounds if low <= r <= high), logarithmic=True)
        margin = max(0.08 * (high - low), (NARROWEST * high - (high - low)) / 2)
        low, high = low - margin, high + margin
        step = max(1.0, _step(high - low, 5))
        first, last = math.ceil(low / step), math.floor(high / step)
        return cls(low, high, tuple(k * step for k in range(first, last + 1)))


def plot(lines: Sequence[Line], tokens: Scale, scores: Scale, label: str) -> str:
    """Return the SVG of one panel.

    Parameters
    ----------
    lines : sequence of Line
        The later ones lie above.
    tokens, scores : Scale
        Of the horizontal and the vertical axis.
    label : str
        What it shows, for those who hear it.

    Returns
    -------
    str
        Markup; its classes are coloured by the style sheet of the page.
    """
    parts = [f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for tick in scores.ticks:
        y = _y(scores, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{_tick(tick)}</text>')
    bottom = HEIGHT - BOTTOM
    for tick, text in _spaced(tokens):
        x = _x(tokens, tick)
        parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end">tokens per picture</text>')
    drawn = [(line.style, sorted(line.points, key=lambda point: point.tokens)) for line in lines if line.points]
    aside = _aside([points for _, points in drawn], tokens)
    for draw in (_band, _path, _markers):
        for offset, (style, points) in zip(aside, drawn, strict=True):
            markup = draw(style, points, tokens, scores)
            parts.append(f'<g transform="translate({offset:g})">{markup}</g>' if offset else markup)
    return "".join([*parts, "</svg>"])


def _aside(lines: Sequence[Sequence[Point]], tokens: Scale) -> list[float]:
    """Return by how many pixels each line is moved: single points of about equal tokens stand beside one another."""
    places = [_x(tokens, point.tokens) for points in lines for point in points]
    if len(places) > len(lines) or not places or max(places) - min(places) > APART * len(lines):
        return [0.0] * len(lines)
    middle = sum(places) / len(places) - APART * (len(lines) - 1) / 2
    return [round(middle + APART * number - place, 1) for number, place in enumerate(places)]


def swatch(style: int) -> str:
    """Return the SVG of a short piece of a line, for a legend."""
    line = f'<path class="line" d="M2 8H34" stroke-dasharray="{_DASHES[style]}"/>'
    return f'<svg class="swatch s{style}" viewBox="0 0 36 16" aria-hidden="true">{line}{_shape(style, 18, 8)}</svg>'


def _x(scale: Scale, value: float) -> float:
    return round(LEFT + scale.at(value) * (WIDTH - LEFT - RIGHT), 1)


def _y(scale: Scale, value: float) -> float:
    return round(TOP + (1 - scale.at(value)) * (HEIGHT - TOP - BOTTOM), 1)


def _band(style: int, points: Sequence[Point], tokens: Scale, scores: Scale) -> str:
    """Draw the intervals: an area, or where there is one point only, a bar."""
    known = [point for point in points if math.isfinite(point.low) and math.isfinite(point.high)]
    if not known:
        return ""
    upper = [f"{_x(tokens, p.tokens)} {_y(scores, p.high)}" for p in known]
    lower = [f"{_x(tokens, p.tokens)} {_y(scores, p.low)}" for p in reversed(known)]
    if len(known) == 1:
        return f'<path class="whisker s{style}" d="M{upper[0]}L{lower[0]}"/>'
    return f'<path class="band s{style}" d="M{"L".join(upper + lower)}Z"/>'


def _path(style: int, points: Sequence[Point], tokens: Scale, scores: Scale) -> str:
    places = "L".join(f"{_x(tokens, p.tokens)} {_y(scores, p.mean)}" for p in points)
    return f'<path class="line s{style}" d="M{places}" stroke-dasharray="{_DASHES[style]}"/>'


def _markers(style: int, points: Sequence[Point], tokens: Scale, scores: Scale) -> str:
    return "".join(_marker(style, point, tokens, scores) for point in points)


def _marker(style: int, point: Point, tokens: Scale, scores: Scale) -> str:
    x, y = _x(tokens, point.tokens), _y(scores, point.mean)
    target = f'<circle class="target" cx="{x}" cy="{y}" r="11"/>'
    return f'<g class="s{style}" data-says="{escape(point.says)}">{target}{_shape(style, x, y)}</g>'


def _shape(style: int, x: float, y: float) -> str:
    match _MARKERS[style]:
        case "circle":
            return f'<circle class="point" cx="{x}" cy="{y}" r="3.8"/>'
        case "square":
            return f'<rect class="point" x="{x - 3.4:.1f}" y="{y - 3.4:.1f}" width="6.8" height="6.8"/>'
        case "triangle":
            return f'<path class="point" d="M{x} {y - 4.6:.1f}l4.4 7.6h-8.8Z"/>'
        case "diamond":
            return f'<path class="point" d="M{x} {y - 4.8:.1f}l4.8 4.8l-4.8 4.8l-4.8 -4.8Z"/>'
        case _:
            return f'<rect class="point" x="{x - 4:.1f}" y="{y - 1.8:.1f}" width="8" height="3.6" rx="1.2"/>'


def _spaced(scale: Scale) -> list[tuple[float, str]]:
    """Return the ticks of tokens with their text, without those that would touch the one before."""
    kept: list[tuple[float, str]] = []
    free = 0.0
    for tick in scale.ticks:
        text = f"{tick:,.0f}"
        half, x = 3.2 * len(text), _x(scale, tick)
        if x - half >= free and x + half <= WIDTH:
            kept.append((tick, text))
            free = x + half + 8
    return kept


def _tick(value: float) -> str:
    return f"{value:.6g}".replace("-", MINUS)


def _step(length: float, parts: int) -> float:
    """Return the round number (1, 2, 2.5 or 5 times a power of ten) that divides a length into about so many parts."""
    rough = length / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough * 0.999)
