"""Before and after a fold: both pictures and the tinted original on one sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixtrim.coordinates import CoordinateMap, PieceStage
from pixtrim.draw.mask import TINT, dropped, overlay
from pixtrim.draw.paper import (
    BORDER,
    INK,
    MARGIN,
    NOTE_SIZE,
    PAPER,
    SHEET_LIMITS,
    SOFT,
    TITLE_SIZE,
    Colour,
    Pixels,
    Size,
    by,
    check_max_side,
    check_pixels,
    resized,
    scaled,
    write,
)
from pixtrim.errors import UsageError

__all__ = ["before_after"]

BLOCK: Colour = (36, 104, 196)

GAP, LABEL = 28, 58  # pixels: between panels, above a panel for its two lines of text
LEAST_SLOT = 210  # pixels: no panel gets less width, so that its caption has room
LEAST_SIDE = 96  # pixels: a reduced picture whose longer side would be drawn shorter is enlarged to this
ENLARGED = 200  # pixels: pictures smaller than this are enlarged, by a whole factor, up to it


def before_after(
    original: Pixels,
    reduced: Pixels,
    coordinates: CoordinateMap,
    *,
    title_before: str = "",
    title_after: str = "",
    max_side: int = 1600,
) -> Image.Image:
    """Return one picture with three panels: before, after, and what was folded away.

    The panels stand side by side, or below each other where they get clearly larger so. The reduced picture is drawn
    at the scale of the original, in a faint frame of the original's size, so that one sees how much smaller it is;
    where it would be too small to see it is enlarged, and its caption says by how much. In the third panel the dropped
    rows, columns and areas are tinted, and the blocks are outlined where the map has several.

    Parameters
    ----------
    original, reduced : ndarray of uint8, shape (H, W, 3) and (h, w, 3)
        RGB.
    coordinates : CoordinateMap
        From the original to the reduced picture.
    title_before, title_after : str
        What stands above the first two panels, for instance ``"Before: 2,912 tokens"``; "Before" and "After" where
        empty. What is too long is cut with an ellipsis.
    max_side : int, 400 to 20,000
        The longest side that the result may have, in pixels.

    Returns
    -------
    PIL.Image.Image
        RGB, at most `max_side` pixels wide and high.

    Raises
    ------
    UsageError
        If the pictures are not uint8 (H, W, 3), do not have the sizes of the map, or `max_side` is out of its range.

    Examples
    --------
    >>> page = np.full((100, 80, 3), 255, np.uint8)
    >>> folded = CoordinateMap.keep(range(0, 100, 2), None, (80, 100))
    >>> before_after(page, page[::2], folded, max_side=800).mode
    'RGB'
    """
    for pixels, size, name in (
        (original, coordinates.original_size, "original"),
        (reduced, coordinates.reduced_size, "reduced"),
    ):
        check_pixels(pixels, f"the {name} picture")
        if pixels.shape[1::-1] != size:
            raise UsageError(
                f"the {name} picture is {by(pixels.shape[1::-1])}, but the map's {name} side is {by(size)}"
            )
    check_max_side(max_side)
    gone = dropped(coordinates)
    blocks = _blocks(coordinates)
    sheet = _Sheet(coordinates.original_size, coordinates.reduced_size, max_side)
    note, factor = _size_note(reduced), sheet.scale_after / sheet.scale
    if factor > 1:
        note += f" (enlarged {factor:.3g} times)"
    sheet.panel(0, original, title_before or "Before", _size_note(original), sheet.scale)
    sheet.panel(1, reduced, title_after or "After", note, sheet.scale_after, frame=factor == 1)
    sheet.panel(2, overlay(original, gone), "What was folded", "", sheet.scale)
    sheet.outline(2, blocks)
    sheet.legend(2, float(gone.mean()), len(blocks))
    return sheet.image


@dataclass(frozen=True)
class _Layout:
    """Where the three panels stand: a slot is the room of one panel, below its caption."""

    beside: bool
    scale: float
    slot: Size

    @classmethod
    def fit(cls, content: Size, max_side: int, beside: bool) -> _Layout | None:
        """Return the layout with the largest panels, or None where the captions alone are too large."""
        across, down = (3, 1) if beside else (1, 3)
        wide = (max_side - 2 * MARGIN - GAP * (across - 1)) // across
        high = (max_side - 2 * MARGIN - GAP * (down - 1)) // down - LABEL
        if wide < LEAST_SLOT or high < 1:
            return None
        longest = max(content)
        limit = max(1, ENLARGED // longest)
        scale = min(wide / content[0], high / content[1], limit)
        if scale > 1:
            scale = int(scale)
        width, height = scaled(content, scale)
        return cls(beside, scale, (max(LEAST_SLOT, width), height))

    def corner(self, panel: int) -> Size:
        """Return the upper left corner of a panel's slot."""
        wide, high = (self.slot[0] + GAP, 0) if self.beside else (0, self.slot[1] + LABEL + GAP)
        return MARGIN + panel * wide, MARGIN + LABEL + panel * high

    @property
    def size(self) -> Size:
        """The size of the whole sheet."""
        x, y = self.corner(2)
        return x + self.slot[0] + MARGIN, y + self.slot[1] + MARGIN


class _Sheet:
    """White paper with room for three panels and their captions."""

    def __init__(self, original: Size, reduced: Size, max_side: int) -> None:
        content = max(original[0], reduced[0]), max(original[1], reduced[1])
        row, column = (_Layout.fit(content, max_side, beside) for beside in (True, False))
        if column is None:
            raise UsageError(f"max_side is {max_side}; at least {SHEET_LIMITS[0]} pixels are needed")
        self.layout = row if row is not None and row.scale * 1.4 >= column.scale else column
        self.scale = self.scale_after = self.layout.scale
        self.original = original
        longest = max(scaled(reduced, self.scale))
        if longest < LEAST_SIDE:
            room = min(self.layout.slot[0] / reduced[0], self.layout.slot[1] / reduced[1])
            self.scale_after = max(self.scale, min(room, LEAST_SIDE / max(reduced)))
        self.image = Image.new("RGB", self.layout.size, PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def panel(self, at: int, pixels: Pixels, title: str, note: str, scale: float, *, frame: bool = False) -> None:
        """Draw a picture in its thin border below its two lines of text."""
        x, y = self.layout.corner(at)
        if frame:
            self._border(x, y, *scaled(self.original, self.scale), (232, 235, 238))
        picture = resized(pixels, scaled(pixels.shape[1::-1], scale))
        self.image.paste(picture, (x, y))
        self._border(x, y, *picture.size, BORDER)
        write(self.draw, (x, y - 38), title, TITLE_SIZE, INK, self.layout.slot[0])
        write(self.draw, (x, y - 13), note, NOTE_SIZE, SOFT, self.layout.slot[0])

    def outline(self, at: int, boxes: NDArray[np.float64]) -> None:
        """Draw boxes, edges in pixels of the original, over a panel."""
        x, y = self.layout.corner(at)
        width, height = scaled(self.original, self.scale)
        for box in boxes:
            x0, y0, x1, y1 = (round(v) for v in (box * self.scale).tolist())
            right, bottom = min(max(x1 - 1, x0), width - 1), min(max(y1 - 1, y0), height - 1)
            self.draw.rectangle((x + min(x0, right), y + min(y0, bottom), x + right, y + bottom), outline=BLOCK)

    def legend(self, at: int, share: float, blocks: int) -> None:
        """Say below the panel's title what its colours mean."""
        x, y = self.layout.corner(at)
        left, right = x, x + self.layout.slot[0]
        if share:
            swatch = overlay(np.full((12, 12, 3), 255, np.uint8), np.ones((12, 12), np.bool_))
            self.image.paste(Image.fromarray(swatch), (left, y - 24))
            self.draw.rectangle((left, y - 24, left + 11, y - 13), outline=TINT)
            text = f"dropped, {_percent(share)}"
            left += 18 + write(self.draw, (left + 18, y - 13), text, NOTE_SIZE, SOFT, right - left - 18) + 20
        else:
            left += write(self.draw, (left, y - 13), "nothing was dropped", NOTE_SIZE, SOFT, right - left) + 20
        if blocks and right - left > 80:
            self.draw.rectangle((left, y - 24, left + 11, y - 13), outline=BLOCK)
            write(self.draw, (left + 18, y - 13), f"{blocks} blocks", NOTE_SIZE, SOFT, right - left - 18)

    def _border(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Draw a line around a picture without covering any of it."""
        self.draw.rectangle((x - 1, y - 1, x + width, y + height), outline=colour)


def _blocks(coordinates: CoordinateMap) -> NDArray[np.float64]:
    """Return the pieces that were kept, as boxes (N, 4) on the original, for every stage that has several."""
    found = [np.zeros((0, 4))]
    for at, stage in enumerate(coordinates.stages):
        if isinstance(stage, PieceStage) and len(stage.pieces) > 1:
            kept = [p.original for p in stage.pieces if p.reduced[0] < p.reduced[2] and p.reduced[1] < p.reduced[3]]
            upstream = CoordinateMap(coordinates.original_size, coordinates.stages[:at])
            found.append(upstream.to_original(boxes=np.array(kept, np.float64).reshape(-1, 4)))
    return np.concatenate(found)


def _size_note(pixels: Pixels) -> str:
    return f"{pixels.shape[1]:,} x {pixels.shape[0]:,} pixels"


def _percent(share: float) -> str:
    """Return a share in words that never call something nothing, or not all of it all."""
    if 0 < share < 0.01:
        return "less than 1%"
    if 0.99 < share < 1:
        return "more than 99%"
    return f"{share:.0%} of the pixels"
