"""A sheet with several panels of one size, side by side or below each other, each with two lines of text."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

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
    resized,
    scaled,
    write,
)
from pixtrim.errors import UsageError

__all__ = ["LABEL", "Panels", "size_note"]

GAP, LABEL = 28, 58  # pixels: between panels, above a panel for its two lines of text
LEAST_SLOT = 210  # pixels: no panel gets less width, so that its caption has room
LEAST_SIDE = 96  # pixels: a reduced picture whose longer side would be drawn shorter is enlarged to this
ENLARGED = 200  # pixels: pictures smaller than this are enlarged, by a whole factor, up to it


@dataclass(frozen=True)
class _Layout:
    """Where the panels stand: a slot is the room of one panel, below its caption."""

    count: int
    beside: bool
    scale: float
    slot: Size

    @classmethod
    def fit(cls, content: Size, max_side: int, beside: bool, count: int) -> _Layout | None:
        """Return the layout with the largest panels, or None where the captions alone are too large."""
        across, down = (count, 1) if beside else (1, count)
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
        return cls(count, beside, scale, (max(LEAST_SLOT, width), height))

    def corner(self, panel: int) -> Size:
        """Return the upper left corner of a panel's slot."""
        wide, high = (self.slot[0] + GAP, 0) if self.beside else (0, self.slot[1] + LABEL + GAP)
        return MARGIN + panel * wide, MARGIN + LABEL + panel * high

    @property
    def size(self) -> Size:
        """The size of the whole sheet."""
        x, y = self.corner(self.count - 1)
        return x + self.slot[0] + MARGIN, y + self.slot[1] + MARGIN


class Panels:
    """White paper with room for panels and their captions; `image` is what has been drawn on it.

    All panels are drawn at one `scale`, the reduced picture at `scale_after`, which is larger where it would be too
    small to see.
    """

    def __init__(self, original: Size, reduced: Size, max_side: int, count: int = 3) -> None:
        content = max(original[0], reduced[0]), max(original[1], reduced[1])
        row, column = (_Layout.fit(content, max_side, beside, count) for beside in (True, False))
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
        """Draw a picture at a scale, in its thin border below its two lines of text."""
        x, y = self.layout.corner(at)
        if frame:
            self._border(x, y, *scaled(self.original, self.scale), (232, 235, 238))
        picture = resized(pixels, scaled(pixels.shape[1::-1], scale))
        self.image.paste(picture, (x, y))
        self._border(x, y, *picture.size, BORDER)
        write(self.draw, (x, y - 38), title, TITLE_SIZE, INK, self.layout.slot[0])
        write(self.draw, (x, y - 13), note, NOTE_SIZE, SOFT, self.layout.slot[0])

    def after(self, at: int, pixels: Pixels, title: str, note: str = "") -> None:
        """Draw the reduced picture, in a faint frame of the original's size, or enlarged where it were too small."""
        factor = self.scale_after / self.scale
        note = (note or size_note(pixels)) + (f" (enlarged {factor:.3g} times)" if factor > 1 else "")
        self.panel(at, pixels, title, note, self.scale_after, frame=factor == 1)

    def _border(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Draw a line around a picture without covering any of it."""
        self.draw.rectangle((x - 1, y - 1, x + width, y + height), outline=colour)


def size_note(pixels: Pixels) -> str:
    """Write the size of a picture for the line below a title."""
    return f"{pixels.shape[1]:,} x {pixels.shape[0]:,} pixels"
