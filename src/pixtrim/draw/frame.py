"""A sheet with one picture: a title and a line of notes, a legend that flows in lines, and the picture below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixtrim.draw.paper import (
    BORDER,
    INK,
    MARGIN,
    NOTE_SIZE,
    PAPER,
    SOFT,
    TITLE_SIZE,
    Colour,
    Pixels,
    Size,
    font_of,
    scaled,
    write,
)

__all__ = ["BETWEEN", "ENLARGED", "SWATCH", "Frame", "bar", "bar_width", "swatch", "swatch_width"]

ENLARGED = 384  # pixels: pictures smaller than this are enlarged, by a whole factor, up to it
LEAST_WIDTH = 460  # pixels: the header has at least this width
LINE = 25  # pixels: from one line of the legend to the next
SWATCH = 15  # pixels
BETWEEN = 26  # pixels: from one entry of the legend to the next
BAR = 132, 12  # pixels: the size of a scale bar


@dataclass(frozen=True)
class Frame:
    """Where everything stands: the header, the entries of the legend, then the picture.

    Attributes
    ----------
    scale : float
        Pixels on the sheet per pixel of the picture; a whole number where it is above 1.
    width : int
        Pixels of the header.
    size : tuple of int
        The whole sheet.
    corner : tuple of int
        The upper left corner of the picture.
    drawn : tuple of int
        The size at which the picture is drawn.
    places : tuple of (x, y)
        The upper left corners of the entries.
    """

    scale: float
    width: int
    size: Size
    corner: Size
    drawn: Size
    places: tuple[Size, ...]

    @classmethod
    def fit(cls, content: Size, entries: Sequence[int], max_side: int) -> Frame:
        """Return the layout with the largest picture: the fewer lines the legend takes, the larger it is.

        Parameters
        ----------
        content : tuple of int
            The size of the picture.
        entries : sequence of int, one or more
            How wide the entries of the legend are, each with `BETWEEN`.
        max_side : int
            The longest side of the sheet.
        """
        wide, top = max_side - 2 * MARGIN, MARGIN + 56
        for lines in range(1, len(entries) + 1):
            high = max(1, max_side - top - lines * LINE - MARGIN)
            scale = min(wide / content[0], high / content[1], max(1, ENLARGED // max(content)))
            scale = int(scale) if scale > 1 else scale
            drawn = scaled(content, scale)
            width = min(wide, max(LEAST_WIDTH, drawn[0]))
            places = tuple(_flow(entries, width, top))
            if places[-1][1] <= top + (lines - 1) * LINE:
                break
        y = places[-1][1] + LINE
        return cls(scale, width, (width + 2 * MARGIN, y + drawn[1] + MARGIN), (MARGIN, y), drawn, places)

    def sheet(self, picture: Image.Image, title: str, what: str, notes: Sequence[str]) -> Image.Image:
        """Return the sheet with all but its legend: a picture of the size `drawn` in a thin border, and the header."""
        image = Image.new("RGB", self.size, PAPER)
        x, y = self.corner
        image.paste(picture, (x, y))
        draw = ImageDraw.Draw(image)
        draw.rectangle((x - 1, y - 1, x + self.drawn[0], y + self.drawn[1]), outline=BORDER)
        left = self.width - int(font_of(TITLE_SIZE).getlength(what)) - 22
        x = MARGIN
        if title.strip() and left > 40:
            x += write(draw, (x, MARGIN + 16), title, TITLE_SIZE, INK, left) + 22
            draw.line((x - 12, MARGIN + 2, x - 12, MARGIN + 19), BORDER, 1)
        write(draw, (x, MARGIN + 16), what, TITLE_SIZE, INK, MARGIN + self.width - x)
        write(draw, (MARGIN, MARGIN + 41), " · ".join(notes), NOTE_SIZE, SOFT, self.width)
        return image

    def room(self, entry: int) -> int:
        """Return the pixels from an entry of the legend to the end of its line."""
        return MARGIN + self.width - self.places[entry][0]


def _flow(widths: Sequence[int], room: int, top: int) -> Iterator[Size]:
    """Yield the upper left corners of things that stand in lines."""
    x, y = 0, top
    for width in widths:
        if x and x + width - BETWEEN > room:
            x, y = 0, y + LINE
        yield MARGIN + x, y
        x += width


def swatch_width(label: str) -> int:
    """Return the pixels that `swatch` takes, with the gap to the next entry."""
    return SWATCH + 8 + _length(label) + BETWEEN


def swatch(image: Image.Image, at: Size, fill: Colour, line: Colour, label: str, room: int) -> None:
    """Draw an entry of a legend: a colour, and what it means."""
    x, y = at
    draw = ImageDraw.Draw(image)
    draw.rectangle((x, y, x + SWATCH - 1, y + SWATCH - 1), fill, line)
    write(draw, (x + SWATCH + 8, y + 13), label, NOTE_SIZE, SOFT, room - SWATCH - 8)


def bar_width(label: str, first: str, last: str) -> int:
    """Return the pixels that `bar` takes, with the gap to the next entry."""
    return _length(label) + 12 + _length(first) + 6 + BAR[0] + 6 + _length(last) + BETWEEN


def bar(image: Image.Image, at: Size, colours: Pixels, label: str, ends: tuple[str, str], room: int) -> None:
    """Draw an entry of a legend: what colours (N, 3) mean, and the values at the two ends, with a mark half-way."""
    x, y = at
    draw = ImageDraw.Draw(image)
    right = x + room
    x += write(draw, (x, y + 13), label, NOTE_SIZE, SOFT, right - x) + 12
    x += write(draw, (x, y + 13), ends[0], NOTE_SIZE, INK, right - x) + 6
    width, height = min(BAR[0], right - x - 6 - _length(ends[1])), BAR[1]
    if width < 2:
        return
    top = y + 2
    strip = colours[np.arange(width) * (len(colours) - 1) // (width - 1)]
    image.paste(Image.fromarray(strip[None].repeat(height, axis=0)), (x, top))
    draw.rectangle((x - 1, top - 1, x + width, top + height), outline=BORDER)
    draw.line((x + width // 2, top + height - 3, x + width // 2, top + height), PAPER, 1)
    x += width + 6
    write(draw, (x, y + 13), ends[1], NOTE_SIZE, INK, right - x)


def _length(text: str) -> int:
    return int(font_of(NOTE_SIZE).getlength(text)) + 1
