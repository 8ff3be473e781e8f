"""Arrows: straight lines with smooth heads along runs, and small smooth ones in any direction."""

from __future__ import annotations

from functools import lru_cache
from math import atan2, cos, sin

from PIL import Image, ImageDraw

from pixtrim.draw.paper import Colour, Size

__all__ = ["along", "askew"]

FINER = 4
"""Smooth shapes are drawn so many times finer, and averaged."""

# In units of the length, pointing right from (-0.5, 0) to (0.5, 0).
HEAD = ((0.5, 0.0), (-0.45, 0.36), (-0.45, -0.36))
WHOLE = ((0.5, 0.0), (0.06, 0.33), (0.06, 0.07), (-0.5, 0.07), (-0.5, -0.07), (0.06, -0.07), (0.06, -0.33))

Shape = tuple[tuple[float, float], ...]


def along(image: Image.Image, start: Size, end: Size, colour: Colour) -> None:
    """Draw an arrow that goes right or down, from the start of a run of tokens to its end, both (x, y)."""
    (x0, y0), (x1, y1) = start, end
    across = y0 == y1
    length = 8 if x1 - x0 + y1 - y0 > 18 else 6
    back = length // 2 + 2
    centre = (x1 - back, y1) if across else (x1, y1 - back)
    tail = (x0 + 3, y0) if across else (x0, y0 + 3)
    ImageDraw.Draw(image).line((tail, centre), colour, 1)
    _stamp(image, centre, HEAD, (0, 1) if across else (1, 0), length, colour)


def askew(image: Image.Image, centre: Size, direction: tuple[int, int], length: int, colour: Colour) -> None:
    """Draw a small arrow of a length in pixels that points to a direction (dy, dx)."""
    _stamp(image, centre, WHOLE, direction, length, colour)


def _stamp(
    image: Image.Image, centre: Size, shape: Shape, direction: tuple[int, int], length: int, colour: Colour
) -> None:
    mask = _mask(shape, direction, length)
    image.paste(colour, (centre[0] - mask.width // 2, centre[1] - mask.height // 2), mask)


@lru_cache(maxsize=64)
def _mask(shape: Shape, direction: tuple[int, int], length: int) -> Image.Image:
    side = length | 1  # odd, so that it has a middle pixel
    angle = atan2(*direction)
    corners = [
        (side * FINER * (0.5 + x * cos(angle) - y * sin(angle)), side * FINER * (0.5 + x * sin(angle) + y * cos(angle)))
        for x, y in shape
    ]
    fine = Image.new("L", (side * FINER, side * FINER))
    ImageDraw.Draw(fine).polygon(corners, fill=255)
    return fine.reduce(FINER)
