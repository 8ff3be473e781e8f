"""Plots: where folding would shorten bars or bend an axis.

Three kinds of evidence, each looked for along both axes: bars that share a baseline, gridlines with a label at the end
of each, and axes with evenly spaced labels. What tells a plot from a table or a form is where the text stands: labels
of an axis are centred on its lines and outside, text of a table is between the lines and inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.inspection.segments import Segments, segments, thin
from pixtrim.operators.fold.changes import Axis, Changes
from pixtrim.operators.fold.runs import run_bounds

__all__ = ["find_plots"]

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

BAR = 16  # the least length of a bar that counts, in pixels
THICK = (6, 400)  # of a bar
THINNEST = 0.12  # of a bar, as a share of the step from one to the next
LONGEST = 48  # the least length of the longest bar
LINE = 24  # the least length of a piece of a gridline
DASH = 4  # the widest gap between dashes or dots
FEWEST = 3  # bars, gridlines, labels
MOST_LINES = 100
SPACING = 14  # the least between gridlines
AXIS = 80  # the least length of an axis
MOST_AXES = 16
MEET = 8  # how far from one another two axes may end that meet
SAME = 12  # levels within which two samples are of one colour, at least
STRIPS = (20, 44, 84)  # how far beside the plot its labels may reach
MOST = 6000  # a picture with more straight edges is none that was drawn


def find_plots(pixels: Pixels, changes: Changes) -> Boxes:
    """Find the plots of a picture: bar charts, and whatever has gridlines or axes with labels.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3).
    changes : Changes
        Where that picture changes, without protected boxes.

    Returns
    -------
    ndarray
        int64 (N, 4), boxes (x0, y0, x1, y1) inside the picture, apart from one another, from top to bottom. They hold
        the plots with their labels, in which nothing should fold.

    Examples
    --------
    >>> from pixtrim.operators.fold.changes import Noise
    >>> pixels = np.full((200, 300, 3), 255, np.uint8)
    >>> for number, height in enumerate((60, 120, 90)):
    ...     pixels[160 - height : 160, 60 + 60 * number : 100 + 60 * number] = (40, 90, 200)
    >>> find_plots(pixels, Changes(pixels, Noise())).tolist()
    [[28, 24, 244, 184]]
    """
    found: list[Boxes] = [np.zeros((0, 4), np.int64)]
    bits = changes.down, changes.right
    if changes.noise.specks:  # dots of a gridline are specks
        bits = kernels.change_bits(pixels, changes.noise.threshold)
    upright, level = _Side(pixels, changes, bits, 0), _Side(pixels, changes, bits, 1)
    found += [_bars(upright, level), _bars(level, upright), _grids(upright), _grids(level)]
    found.append(_axes(upright, level, np.concatenate(found)))
    boxes = _reaching(np.concatenate(found), upright.edges, level.edges)
    return _merged(boxes, changes.width, changes.height)


class _Side:
    """A picture seen along one axis: `across` and `along` are x and y for axis 0, y and x for axis 1.

    So what looks for upright bars in the one finds level bars in the other.
    """

    def __init__(self, pixels: Pixels, changes: Changes, bits: tuple[Words, Words], axis: Axis) -> None:
        self.axis = axis
        self.changes = changes
        self.pixels = pixels if axis == 0 else pixels.swapaxes(0, 1)
        self.length, self.breadth = self.pixels.shape[:2]
        self.same = max(SAME, changes.noise.threshold)
        edges = bits[1 - axis]
        #: (across, start, end along): edges that run along
        self.edges = segments(edges, axis, BAR)
        #: thin lines that run along, their dots and dashes joined
        self.lines = segments(thin(edges, axis), axis, LINE, DASH)

    def sample(self, along: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the pixels at some places, clipped to the picture."""
        return self.pixels[np.clip(along, 0, self.length - 1), np.clip(across, 0, self.breadth - 1)].astype(np.int16)

    def differ(self, a: NDArray[np.int16], b: NDArray[np.int16]) -> Flags:
        """Say which samples are of different colours."""
        flags: Flags = (np.abs(a - b) > self.same).any(axis=-1)
        return flags

    def content(self, along: tuple[int, int], across: tuple[int, int]) -> Flags:
        """Say for each place across whether a strip has anything drawn on it; outside of the picture nothing is."""
        a0, a1 = max(along[0], 0), min(along[1], self.length)
        b0, b1 = max(across[0], 0), min(across[1], self.breadth)
        flags = np.zeros(across[1] - across[0], bool)
        if a0 < a1 and b0 < b1:
            box = (a0, a1, b0, b1) if self.axis == 0 else (b0, b1, a0, a1)
            flags[b0 - across[0] : b1 - across[0]] = ~self.changes.uniform(box, 1 if self.axis == 0 else 0)
        return flags

    def box(self, along: tuple[int, int], across: tuple[int, int]) -> Boxes:
        """Return a box as one row of (x0, y0, x1, y1)."""
        first, second = (across, along) if self.axis == 0 else (along, across)
        return np.array([[first[0], second[0], first[1], second[1]]], np.int64)


# Bars.


def _bars(side: _Side, other: _Side) -> Boxes:
    """Find bars along the axis: solid, of one thickness, evenly spaced, from a common baseline.

    Buttons, cards and the stripes of a table look the same: so the bars are of different lengths, or they are upright
    and have labels of an axis beside them.
    """
    boxes = [np.zeros((0, 4), np.int64)]
    if len(side.edges) > MOST:
        return boxes[0]
    for base in (1, 2):  # bars may stand on the baseline, or hang from it
        groups = _groups(side.edges[:, base], FEWEST + 1)
        bars, group = _solid(side, side.edges[groups >= 0], groups[groups >= 0], base)
        for number in np.flatnonzero(np.bincount(group) >= FEWEST):
            some = _alike(bars[group == number])
            if not len(some):
                continue
            along = int(some[:, 2].min()), int(some[:, 3].max())
            across = int(some[:, 0].min()), int(some[:, 1].max())
            lengths = np.unique((some[:, 3] - some[:, 2]) // 3)
            sides = zip(across, (-1, 1), strict=True) if side.axis == 0 else ()
            if len(lengths) >= FEWEST or any(_scaled(other, (place, *along), (sign,)) for place, sign in sides):
                boxes.append(side.box(along, across))
    return np.concatenate(boxes)


def _groups(values: NDArray[np.int64], fewest: int) -> NDArray[np.int64]:
    """Number the values by groups that span 3 at most; -1 for those in groups of too few."""
    distinct, which = np.unique(values, return_inverse=True)
    numbers, first, number = [], -4, -1
    for value in distinct.tolist():
        if value - first > 3:
            first, number = value, number + 1
        numbers.append(number)
    groups = np.array(numbers, np.int64)[which]
    return np.where(np.bincount(groups)[groups] >= fewest, groups, -1) if len(groups) else groups


def _solid(
    side: _Side, edges: Segments, groups: NDArray[np.int64], base: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (left, right, start, end) of what is solid between two neighbouring edges of a group, and the groups."""
    key = groups * (side.breadth + 2 * THICK[0]) + edges[:, 0]
    order = np.argsort(key, kind="stable")
    key, edges, groups = key[order], edges[order], groups[order]
    left = np.arange(len(edges))
    right = np.searchsorted(key, key + THICK[0])
    inside = right < len(edges)
    left, right = left[inside], right[inside]
    near = (groups[left] == groups[right]) & (edges[right, 0] - edges[left, 0] <= THICK[1])
    a, b, groups = edges[left[near]], edges[right[near]], groups[left[near]]
    bars = np.column_stack([a[:, 0], b[:, 0], np.maximum(a[:, 1], b[:, 1]), np.minimum(a[:, 2], b[:, 2])])
    long = bars[:, 3] - bars[:, 2] >= BAR
    bars, groups = bars[long], groups[long]
    if not len(bars):
        return bars, groups
    # Before any pixel is looked at: of letters, the longest strokes are too short.
    longest = np.zeros(int(groups.max()) + 1, np.int64)
    np.maximum.at(longest, groups, bars[:, 3] - bars[:, 2])
    worth = (longest[groups] >= LONGEST) & (np.bincount(groups)[groups] >= FEWEST)
    bars, groups = bars[worth], groups[worth]
    x0, x1, start, end = bars.T
    half = (start + end) // 2
    colour = side.sample(half, x0 + 2)
    apart = side.differ(colour, side.sample(half, x0 - 3)) | side.differ(colour, side.sample(half, x1 + 2))
    tip, step = (start, -1) if base == 2 else (end - 1, 1)
    beyond = side.sample(tip + 3 * step, (x0 + x1) // 2)
    chosen = np.flatnonzero(apart & side.differ(side.sample(tip - 4 * step, x0 + 2), beyond))
    bars, groups = bars[chosen], groups[chosen]
    x0, x1, start, end = bars.T
    along = np.linspace(start + 3, end - 4, 12).astype(np.int64)
    colours = side.sample(along, x0 + 2)
    straight = (~side.differ(colours, side.sample(along, x1 - 3))).mean(axis=0) >= 0.8
    plain = (~side.differ(colours, side.sample(along, (x0 + x1) // 2))).mean(axis=0) >= 0.7
    bars, groups = bars[straight & plain], groups[straight & plain]
    once = np.unique(np.column_stack([groups, bars[:, 1]]), axis=0, return_index=True)[1]
    return bars[once], groups[once]


def _alike(bars: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bars of one thickness if they are enough and evenly spaced; strokes of letters are not."""
    thick = bars[:, 1] - bars[:, 0]
    bars = bars[np.abs(thick - np.median(thick)) <= np.maximum(1, np.median(thick) / 20)]
    if len(bars) < FEWEST or (bars[:, 3] - bars[:, 2]).max() < LONGEST or np.ptp(bars[:, :2]) < LONGEST:
        return bars[:0]
    places = np.sort(bars[:, 0])
    wide = np.median(bars[:, 1] - bars[:, 0]) >= THINNEST * np.median(np.diff(places))
    return bars if wide and _even(places) else bars[:0]


def _even(places: NDArray[np.int64]) -> bool:
    """Say whether most steps between the places come up again: one step, or few in turn where bars stand in groups."""
    steps = np.diff(places)
    again = (np.abs(steps[:, None] - steps[None]) <= np.maximum(1.5, steps / 50)).sum(axis=1) > 1
    multiple = np.abs(steps / steps.min() - np.round(steps / steps.min())) <= 1.5 / steps.min()
    if len(steps) < 2 or (again | multiple).mean() < 0.75:
        return False
    return len(np.unique(steps // 3)) <= 2 + len(steps) // 4


# Gridlines: here the lines of a side run along it, so their labels stand at their starts or ends.


@dataclass(frozen=True)
class _Labels:
    """Pieces of text in a strip: their middles and heights, across."""

    middles: NDArray[np.float64]
    heights: NDArray[np.int64]


def _labels(side: _Side, along: tuple[int, int], across: tuple[int, int]) -> _Labels:
    # Letters of one label stand at most so far apart: along a row of text for axis 0, across it for axis 1.
    gap = 7 if side.axis == 0 else 2
    empty = run_bounds(~side.content(along, across))
    drawn = np.ones(across[1] - across[0], bool)
    for start, end in empty.tolist():
        if end - start > gap or start == 0 or end == len(drawn):
            drawn[start:end] = False
    bounds = run_bounds(drawn)
    return _Labels(bounds.mean(axis=1) + across[0] - 0.5, bounds[:, 1] - bounds[:, 0])


def _grids(side: _Side) -> Boxes:
    """Find gridlines along the axis: they start (or end) at one place, and there is a label at each."""
    boxes = [np.zeros((0, 4), np.int64)]
    if len(side.lines) > MOST:
        return boxes[0]
    for end in (1, 2):
        groups = _groups(side.lines[:, end], FEWEST)
        lines, groups = side.lines[groups >= 0], groups[groups >= 0]
        clear = _clear(side, lines)
        for number in np.unique(groups):
            if clear[groups == number].mean() >= 0.6:  # an axis with bars on it is not
                boxes += _labelled(side, lines[groups == number], end)
    return np.concatenate(boxes)


def _labelled(side: _Side, lines: Segments, end: int) -> list[Boxes]:
    """Return the boxes of gridlines among lines that start or end at one place."""
    apart = np.flatnonzero(np.diff(lines[:, 0]) > 5) + 1
    places = np.array([part[:, 0].mean() - 0.5 for part in np.split(lines, apart)])
    if not FEWEST <= len(places) <= MOST_LINES or np.ptp(places) < AXIS // 2:
        return []
    if (lines[:, 2] - lines[:, 1]).max() < LONGEST or (np.diff(places) >= SPACING).sum() < FEWEST - 1:
        return []
    for reach in STRIPS:
        at = int(np.median(lines[:, end]))
        strip = (at - reach, at - 3) if end == 1 else (at + 3, at + reach)
        labels = _labels(side, strip, (int(places[0]) - 40, int(places[-1]) + 40))
        for first, last in _runs(places, labels):
            first, last = _continued(places, first, last)
            lowest, highest = int(places[first]), int(places[last]) + 1
            within = side.lines[(side.lines[:, 0] >= lowest - 2) & (side.lines[:, 0] <= highest + 2)]
            start, stop = _extent(within, at, end)
            if stop - start >= AXIS and highest - lowest >= AXIS // 2:
                return [side.box((start, stop), (lowest, highest))]
    return []


def _runs(places: NDArray[np.float64], labels: _Labels) -> list[tuple[int, int]]:
    """Return first and last of neighbouring lines that have a label each, at least three."""
    if not len(labels.middles):
        return []
    distance = np.abs(labels.middles[None] - places[:, None])
    nearest = distance.argmin(axis=1)
    height = labels.heights[nearest]
    spacing = float(np.median(np.diff(places)))
    fits = (distance.min(axis=1) <= np.maximum(2.5, 0.25 * height)) & (height <= max(0.8 * spacing, 8)) & (height >= 4)
    runs = []
    for start, end in run_bounds(fits).tolist():
        steps = np.diff(places[start:end])
        if end - start < FEWEST or steps.min() < SPACING:
            continue
        ratios = steps / steps.min()  # lines behind bars may be missing; those of a logarithmic scale come closer
        if ratios.max() > 2.5 and (np.abs(ratios - np.round(ratios)) > 0.1).any():
            continue
        inside = (labels.middles > places[start] - 1) & (labels.middles < places[end - 1] + 1)
        if end - start >= 0.6 * inside.sum():
            runs.append((start, end - 1))
    return runs


def _continued(places: NDArray[np.float64], first: int, last: int) -> tuple[int, int]:
    """Let a run of lines go on over lines at the same step, whose labels were not seen."""
    step = float(np.median(np.diff(places[first : last + 1])))
    while first > 0 and places[first] - places[first - 1] <= 1.1 * step:
        first -= 1
    while last + 1 < len(places) and places[last + 1] - places[last] <= 1.1 * step:
        last += 1
    return first, last


def _clear(side: _Side, lines: Segments) -> Flags:
    """Say of which lines both sides look the same, so that they are no rows of text and no edges of panels."""
    across, start, end = lines.T
    at = np.linspace(start + 2, end - 3, 24).astype(np.int64)
    flags: Flags = side.differ(side.sample(at, across - 3), side.sample(at, across + 5)).mean(axis=0) <= 0.15
    return flags


def _extent(lines: Segments, at: int, end: int) -> tuple[int, int]:
    """Return how far the lines reach that start (or end) at a place, over the bars in front of them."""
    longest = int((lines[:, 2] - lines[:, 1]).max())
    reach = at
    if end == 1:
        for start, stop in sorted(lines[lines[:, 1] >= at - 2, 1:].tolist()):
            if start - reach <= max(60, longest):
                reach = max(reach, stop)
        return at, reach
    for start, stop in sorted(lines[lines[:, 2] <= at + 2, 1:].tolist(), key=lambda line: -line[1]):
        if reach - stop <= max(60, longest):
            reach = min(reach, start)
    return reach, at


# Axes without gridlines.


def _axes(upright: _Side, level: _Side, known: Boxes) -> Boxes:
    """Find an upright and a level line that meet at a corner, with evenly spaced labels outside of both."""
    long = [side.edges[side.edges[:, 2] - side.edges[:, 1] >= AXIS] for side in (upright, level)]
    x, top, bottom = (column[:, None] for column in long[0].T)
    y, start, end = long[1].T
    meets = (np.abs(y - bottom) <= MEET) & (start <= x + MEET) & (end >= x + AXIS)
    x0, y0, x1, y1 = known.T
    inside = ((x >= x0 - MEET) & (x <= x1 + MEET) & (bottom > y0) & (top < y1)).any(axis=1)
    corners = np.flatnonzero(meets.any(axis=1) & ~inside)
    # Both edges of a line, and of a blurred one all three, are one axis.
    corners = corners[np.diff(long[0][corners, 0], prepend=-MEET) > 3]
    boxes = [np.zeros((0, 4), np.int64)]
    lengths = long[0][corners, 2] - long[0][corners, 1]
    for corner in corners[np.argsort(-lengths, kind="stable")[:MOST_AXES]].tolist():
        left, first, last = long[0][corner].tolist()
        right = int(end[meets[corner]].max())
        if _scaled(upright, (last, left, right), (1,)) and _scaled(level, (left, first, last), (-1, 1)):
            boxes.append(np.array([[left, first, right, last]]))
    return np.concatenate(boxes)


def _scaled(side: _Side, axis: tuple[int, int, int], directions: tuple[int, ...]) -> bool:
    """Say whether evenly spaced labels stand beside an axis, (place, start, end)."""
    place, start, end = axis
    for direction in directions:
        for reach in STRIPS:
            strip = (place - reach, place - 3) if direction < 0 else (place + 3, place + reach)
            labels = _labels(side, strip, (start - 20, end + 20))
            if len(labels.middles) < FEWEST:
                continue
            steps, usual = np.diff(labels.middles), np.median(labels.heights)
            step = np.median(steps)
            even = np.abs(steps - step) <= np.maximum(2, 0.05 * step)
            apart = step >= 2 * usual and labels.heights.max() <= 3 * usual and usual >= 4
            if apart and even.mean() >= 0.8 and np.ptp(labels.middles) >= 0.5 * (end - start):
                return True
    return False


def _reaching(boxes: Boxes, upright: Segments, level: Segments) -> Boxes:
    """Let the boxes reach as far as the long edges that cross them: other bars, grids and frames of the plot."""
    across = np.concatenate([upright[:, [0, 1, 0, 2]], level[:, [1, 0, 2, 0]]])  # as boxes without an area
    across = across[(across[:, 2:] - across[:, :2]).max(axis=1) >= LONGEST]
    reaching = boxes.copy()
    for box in reaching:
        crossing = across[(across[:, :2] <= box[2:]).all(axis=1) & (across[:, 2:] >= box[:2]).all(axis=1)]
        if len(crossing):
            box[:2] = np.minimum(box[:2], crossing[:, :2].min(axis=0))
            box[2:] = np.maximum(box[2:], crossing[:, 2:].max(axis=0))
    return reaching


def _merged(boxes: Boxes, width: int, height: int) -> Boxes:
    """Give the boxes room for labels, and join those that meet."""
    room = np.array([-32, -16, 24, 24])
    grown = np.clip(boxes + room, 0, np.array([width, height, width, height]))
    joined: list[list[int]] = []
    for box in grown.tolist():
        meeting = True
        while meeting:
            meeting = False
            for other in joined:
                if box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]:
                    joined.remove(other)
                    box = [*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:])]
                    meeting = True
                    break
        joined.append(box)
    return np.array(sorted(joined, key=lambda box: (box[1], box[0])), np.int64).reshape(-1, 4)
