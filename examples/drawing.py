"""A page to draw on that remembers every word it shows, in Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]
Point = tuple[float, float]

INK = "#1c2126"
GREY = "#66707a"
RULE = "#c9ced3"
WHITE = "#ffffff"

SMOOTH = 4  # shapes are drawn this much larger and averaged, because Pillow draws them without smooth edges


@lru_cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in font, laid out the same way on every machine."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise SystemExit("the examples need a Pillow with FreeType, as every wheel of Pillow has it")
    return found


class Page:
    """A picture and the text on it.

    Parameters
    ----------
    width, height : int
        In pixels.
    paper : str
        The colour of the background.
    """

    def __init__(self, width: int, height: int, paper: str = WHITE) -> None:
        self.image = Image.new("RGB", (width, height), paper)
        self.draw = ImageDraw.Draw(self.image)
        self._lines: list[tuple[float, list[str]]] = []

    @property
    def text(self) -> str:
        """All that is written on the page in the order of writing; what shares a baseline shares a line."""
        return "".join(" ".join(" ".join(parts).split()) + "\n" for _, parts in self._lines)

    def save(self, folder: Path, name: str) -> None:
        """Write ``name.png`` and ``name.txt``."""
        self.image.save(folder / f"{name}.png", optimize=True)
        (folder / f"{name}.txt").write_bytes(self.text.encode())

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 20,
        colour: str = INK,
        *,
        bold: bool = False,
        align: str = "l",
    ) -> float:
        """Write one line with its baseline at y, from x ("l"), around it ("m") or up to it ("r"); return its width."""
        if self._lines and self._lines[-1][0] == y:
            self._lines[-1][1].append(text)
        else:
            self._lines.append((y, [text]))
        length = measured(text, size)
        start = x - length * {"l": 0, "m": 0.5, "r": 1}[align]
        self._words(start, y, text, size, colour, space(size), bold)
        return length

    def _words(self, x: float, y: float, text: str, size: float, colour: str, gap: float, bold: bool = False) -> None:
        for word in text.split():
            self.draw.text((round(x), y), word, colour, font(size), anchor="ls")
            if bold:  # the font has one weight: a second pass, a little to the right, thickens the stems
                self.draw.text((round(x) + max(0.7, size / 30), y), word, colour, font(size), anchor="ls")
            x += font(size).getlength(word) + gap

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        width: float,
        size: float = 20,
        colour: str = INK,
        *,
        leading: float | None = None,
    ) -> float:
        """Write ragged lines no wider than `width`, the first baseline at y; return the baseline after the last."""
        for line in wrapped(text, width, size):
            self.write(x, y, line, size, colour)
            y += leading or size * 1.4
        return y

    def justified(self, x: float, y: float, line: str, width: float, size: float) -> None:
        """Write one line stretched between its words to the full width."""
        gaps = max(1, len(line.split()) - 1)
        self._lines.append((y, [line]))
        self._words(x, y, line, size, INK, space(size) + (width - measured(line, size)) / gaps)

    def rule(self, x0: float, y: float, x1: float, colour: str = RULE, width: int = 1) -> None:
        """Draw a horizontal line of whole pixels, downwards from y."""
        self.draw.rectangle((x0, y, x1 - 1, y + width - 1), fill=colour)

    def panel(self, box: Box, fill: str | None = WHITE, outline: str | None = None, radius: float = 0) -> None:
        """Draw a rectangle, edges (x0, y0, x1, y1), with smooth round corners and a thin outline."""
        x0, y0, x1, y1 = (round(v) for v in box)
        if radius == 0:
            self.draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill, outline)
            return
        if outline:
            self._stamp(_rounded(x1 - x0, y1 - y0, radius), (x0, y0), outline)
            x0, y0, x1, y1, radius = x0 + 1, y0 + 1, x1 - 1, y1 - 1, radius - 1
        self._stamp(_rounded(x1 - x0, y1 - y0, radius), (x0, y0), fill or WHITE)

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        """Draw a filled circle around (x, y)."""
        self.panel((x - radius, y - radius, x + radius, y + radius), colour, radius=radius)

    def line(self, points: Sequence[Point], colour: str = INK, width: float = 2) -> None:
        """Draw a smooth line through points."""
        margin = int(width) + 2
        left, top = (int(min(p[axis] for p in points)) - margin for axis in (0, 1))
        right, bottom = (int(max(p[axis] for p in points)) + margin for axis in (0, 1))
        mask = Image.new("L", ((right - left) * SMOOTH, (bottom - top) * SMOOTH))
        moved = [((x - left) * SMOOTH, (y - top) * SMOOTH) for x, y in points]
        ImageDraw.Draw(mask).line(moved, 255, round(width * SMOOTH), joint="curve")
        self._stamp(mask.reduce(SMOOTH), (left, top), colour)

    def area(self, points: Sequence[Point], colour: str) -> None:
        """Fill a polygon with smooth edges."""
        mask = Image.new("L", (self.image.width * 2, self.image.height * 2))
        ImageDraw.Draw(mask).polygon([(x * 2, y * 2) for x, y in points], 255)
        self._stamp(mask.reduce(2), (0, 0), colour)

    def _stamp(self, mask: Image.Image, corner: tuple[int, int], colour: str) -> None:
        self.image.paste(colour, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)


def space(size: float) -> float:
    """Return the gap between words; the font's own, rounded down to whole pixels, runs small words together."""
    return round(size * 0.27)


def measured(text: str, size: float) -> float:
    """Return the length of a line of text in pixels."""
    words = text.split()
    return sum(font(size).getlength(word) for word in words) + space(size) * max(0, len(words) - 1)


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break a text into the fewest lines no wider than `width`."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and measured(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def scaled(value: float, domain: Sequence[float], span: Sequence[float]) -> float:
    """Return where a value of a plot's domain lies on its axis, in pixels."""
    return span[0] + (value - domain[0]) / (domain[1] - domain[0]) * (span[1] - span[0])


def _rounded(width: int, height: int, radius: float) -> Image.Image:
    mask = Image.new("L", (width * SMOOTH, height * SMOOTH))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius * SMOOTH, 255)
    return mask.reduce(SMOOTH)
