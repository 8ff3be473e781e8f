"""What a plan keeps, and where the other tokens come from: one picture with tints, arrows and a legend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixtrim.draw.arrows import along, askew
from pixtrim.draw.frame import BETWEEN, SWATCH, Frame
from pixtrim.draw.mask import overlay
from pixtrim.draw.paper import (
    INK,
    NOTE_SIZE,
    PAPER,
    SOFT,
    Colour,
    Pixels,
    Size,
    by,
    check_max_side,
    check_pixels,
    font_of,
    resized,
    write,
)
from pixtrim.errors import UsageError
from pixtrim.operators.prune import KeepPlan, Origin

__all__ = ["plan_picture"]

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Edges = NDArray[np.int64]
Direction = tuple[int, int]

# Chosen so that they differ, laid on paper, by 9 or more in CIELAB to normal, protan, deutan and tritan vision alike.
TINTS: Final[dict[int, Colour]] = {
    Origin.LEFT: (86, 146, 235),
    Origin.ABOVE: (238, 112, 58),
    Origin.ABOVE_LEFT: (250, 215, 70),
    Origin.ELSEWHERE: (165, 75, 150),
    Origin.REFERENCE: (172, 175, 181),
    Origin.REFERENCE + 1: (70, 215, 145),
}
FADE, TINTED = 0.65, 0.52
"""How far a dropped token goes towards paper, and then towards its tint; what was on it stays to be guessed."""

LABELS: Final[dict[int, str]] = {
    Origin.KEPT: "kept",
    Origin.LEFT: "as on the left",
    Origin.ABOVE: "as above",
    Origin.ABOVE_LEFT: "as above left or right",
    Origin.ELSEWHERE: "as elsewhere",
    Origin.REFERENCE: "as in the reference",
    Origin.REFERENCE + 1: "in the reference, moved",
}

DIRECTIONS: Final[dict[int, Direction]] = {
    Origin.LEFT: (0, 1),
    Origin.ABOVE: (1, 0),
    Origin.ABOVE_LEFT: (1, 1),
    Origin.ABOVE_RIGHT: (1, -1),
}
"""Where the pixels of a token go from its source: (dy, dx)."""

ARROWS, GRID = 14, 7  # pixels: tokens drawn smaller than this get no arrows, and no grid


def plan_picture(pixels: Pixels, plan: KeepPlan, *, title: str = "", max_side: int = 1600) -> Image.Image:
    """Return a picture of what a plan keeps: kept tokens as they are, the others faded and tinted by their origin.

    Arrows say which neighbour a dropped token repeats, and which way it has moved since the reference; they are left
    out where tokens would be drawn smaller than 14 pixels. The legend counts the tokens of each origin.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB: the picture as `PatchGrid.fit_pixels` fitted it.
    plan : KeepPlan
        From `pixtrim.prune`.
    title : str
        What stands above the picture, for instance a file name. What is too long is cut with an ellipsis.
    max_side : int, 400 to 20,000
        The longest side that the result may have, in pixels.

    Returns
    -------
    PIL.Image.Image
        RGB, at most `max_side` pixels wide and high.

    Raises
    ------
    UsageError
        If the picture is not uint8 (H, W, 3) of the size that the plan is for, or `max_side` is out of its range.

    Examples
    --------
    >>> from pixtrim.pruning import fitted, prune
    >>> page = np.full((200, 300, 3), 255, np.uint8)
    >>> _, pixels = fitted(page, "qwen3-vl")
    >>> plan_picture(pixels, prune(page, "qwen3-vl"), title="blank").mode
    'RGB'
    """
    check_pixels(pixels, "the picture")
    rows, columns = plan.sources.shape
    size = columns * plan.grid.token_shape[1], rows * plan.grid.token_shape[0]
    if pixels.shape[1::-1] != size:
        raise UsageError(
            f"the picture is {by(pixels.shape[1::-1])}, but the plan is for {by(size)}: fit it to the grid"
        )
    check_max_side(max_side)
    entries = list(_legend(plan))
    frame = Frame.fit(size, [entry.width for entry in entries], max_side)
    share = f"{plan.ratio:.1%}" if plan.ratio >= 0.001 else "under 0.1%"
    kept = f"{plan.kept:,} of {plan.tokens:,} tokens kept ({share})"
    image = frame.sheet(_tinted(pixels, plan, frame.drawn), title, kept, _notes(plan))
    draw = ImageDraw.Draw(image)
    for at, entry in enumerate(entries):
        _write_entry(image, draw, entry, frame.places[at], frame.room(at))
    return image


# --- the picture ---------------------------------------------------------------------------------------------------


def _tinted(pixels: Pixels, plan: KeepPlan, size: Size) -> Image.Image:
    """Return the picture at a size, with its tokens tinted, a grid, and arrows."""
    groups = _groups(plan.origins)
    across, down = (_edges(length, count) for length, count in zip(size, groups.shape[::-1], strict=True))
    whose = np.ix_(
        np.repeat(np.arange(len(down) - 1), np.diff(down)), np.repeat(np.arange(len(across) - 1), np.diff(across))
    )
    drawn = groups[whose]
    kept = drawn == Origin.KEPT
    picture = overlay(np.asarray(resized(pixels, size)), ~kept, PAPER, FADE)
    for group, tint in TINTS.items():
        picture = overlay(picture, drawn == group, tint, TINTED)
    token = min(size[0] / groups.shape[1], size[1] / groups.shape[0])
    if token >= GRID:
        lines = np.zeros(kept.shape, np.bool_)
        lines[down[1:-1]] = lines[:, across[1:-1]] = True
        picture = overlay(picture, lines & ~kept, PAPER, 0.45)
        picture = overlay(picture, lines & kept, (128, 128, 128), 0.14)
    picture = overlay(picture, _beside(kept) & ~kept, INK, 0.55)
    image = Image.fromarray(picture)
    if token >= ARROWS:
        _arrows(image, plan, across, down)
    return image


def _groups(origins: Codes) -> Codes:
    """Take together what has one tint: both diagonals, and all shifts of the reference."""
    groups = np.minimum(origins, Origin.REFERENCE + 1).astype(np.uint8)
    groups[groups == Origin.ABOVE_RIGHT] = Origin.ABOVE_LEFT
    return groups


def _edges(length: int, count: int) -> Edges:
    """Return where tokens begin and end along a side that is drawn so long."""
    edges: Edges = np.rint(np.arange(count + 1) * (length / count)).astype(np.int64)
    return edges


def _beside(mask: Mask) -> Mask:
    """Return the mask and the pixels around it."""
    framed = np.pad(mask, 1)
    wide = framed[:, :-2] | framed[:, 1:-1] | framed[:, 2:]
    return wide[:-2] | wide[1:-1] | wide[2:]


def _arrows(image: Image.Image, plan: KeepPlan, across: Edges, down: Edges) -> None:
    """Draw one arrow along each run that goes right or down, and one on each token that comes from askew."""
    origins = plan.origins
    for row, start, end in _runs(origins == Origin.LEFT):
        y = int(down[row] + down[row + 1]) // 2
        along(image, (int(across[start]), y), (int(across[end]), y), _shade(Origin.LEFT))
    for column, start, end in _runs((origins == Origin.ABOVE).T):
        x = int(across[column] + across[column + 1]) // 2
        along(image, (x, int(down[start])), (x, int(down[end])), _shade(Origin.ABOVE))
    length = min(15, int(across[1] - across[0]) * 3 // 5)
    for code, direction in _askew(plan).items():
        colour = _shade(min(code, Origin.REFERENCE + 1) if code > Origin.REFERENCE else Origin.ABOVE_LEFT)
        for row, column in np.argwhere(origins == code).tolist():
            centre = int(across[column] + across[column + 1]) // 2, int(down[row] + down[row + 1]) // 2
            askew(image, centre, direction, length, colour)


def _askew(plan: KeepPlan) -> dict[int, Direction]:
    """Return the directions of diagonals and of shifts of the reference, by origin."""
    found: dict[int, Direction] = {code: DIRECTIONS[code] for code in (Origin.ABOVE_LEFT, Origin.ABOVE_RIGHT)}
    shifts = {Origin.REFERENCE + k: (-dy, -dx) for k, (dy, dx) in enumerate(plan.offsets.tolist()) if dy or dx}
    return {**found, **shifts}


def _runs(mask: Mask) -> Iterator[tuple[int, int, int]]:
    """Yield the line, start and end of each run of True along the rows of a mask."""
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    for (line, start), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True):
        yield line, start, end


def _tint(group: int) -> Colour:
    """Return what paper looks like under a tint."""
    red, green, blue = (round(255 * (1 - TINTED) + level * TINTED) for level in TINTS[group])
    return red, green, blue


def _shade(group: int) -> Colour:
    """Return a darker tint, for lines on the tint."""
    red, green, blue = (int(level * 0.58) for level in TINTS[group])
    return red, green, blue


# --- the legend ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """One line of the legend: what has this tint, how many tokens, and the direction of its arrow."""

    group: int
    label: str
    count: int
    direction: Direction | None = None

    @property
    def width(self) -> int:
        """Pixels that it takes, with the gap to the next one."""
        return SWATCH + 8 + int(font_of(NOTE_SIZE).getlength(f"{self.label} {self.count:,}")) + BETWEEN


def _legend(plan: KeepPlan) -> Iterator[_Entry]:
    """Yield an entry for the kept tokens and for each origin that tokens have."""
    counts = np.bincount(_groups(plan.origins).ravel(), minlength=len(LABELS) + 1).tolist()
    for group, label in LABELS.items():
        if not counts[group]:
            continue
        direction = DIRECTIONS.get(group)
        if group > Origin.REFERENCE:
            used = [k for k in range(1, len(plan.offsets)) if (plan.origins == Origin.REFERENCE + k).any()]
            dy, dx = plan.offsets[used[0]].tolist()
            direction = -dy, -dx
            label = f"{label} {_way(-dy, -dx)}" if len(used) == 1 else f"{label} {len(used)} ways"
        yield _Entry(group, label, counts[group], direction)


def _way(dy: int, dx: int) -> str:
    """Say in words how far something has moved.

    Examples
    --------
    >>> _way(-120, 3)
    '120 px up and 3 px right'
    """
    parts = [f"{abs(dy)} px {'up' if dy < 0 else 'down'}"] if dy else []
    parts += [f"{abs(dx)} px {'left' if dx < 0 else 'right'}"] if dx else []
    return " and ".join(parts)


def _notes(plan: KeepPlan) -> list[str]:
    """Say how tokens were chosen."""
    rows, columns = plan.sources.shape
    tolerance = f"threshold {plan.tolerance.threshold:g} ({plan.tolerance.metric})"
    height, width = plan.grid.token_shape
    sides = f"{width}" if width == height else f"{width} x {height}"
    notes = [plan.selector, tolerance, f"{columns} x {rows} tokens of {sides} px"]
    if not (plan.anchored or plan.tolerance.exact):
        notes.insert(1, "sliding")
    return notes


def _write_entry(image: Image.Image, draw: ImageDraw.ImageDraw, entry: _Entry, at: Size, room: int) -> None:
    x, y = at
    fill, line = (PAPER, INK) if entry.group == Origin.KEPT else (_tint(entry.group), _shade(entry.group))
    draw.rectangle((x, y, x + SWATCH - 1, y + SWATCH - 1), fill, line)
    if entry.direction is not None:
        askew(image, (x + SWATCH // 2, y + SWATCH // 2), entry.direction, 11, _shade(entry.group))
    room -= SWATCH + 8
    number = f"{entry.count:,}"
    length = int(font_of(NOTE_SIZE).getlength(f" {number}"))
    x += SWATCH + 8
    x += write(draw, (x, y + 13), entry.label, NOTE_SIZE, SOFT, room - length)
    write(draw, (x + 5, y + 13), number, NOTE_SIZE, INK, length + 5)
