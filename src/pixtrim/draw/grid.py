"""The grid of a warp: even lines of one picture on the other one, both ways."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixtrim.coordinates import CoordinateMap
from pixtrim.draw.panels import Panels
from pixtrim.draw.paper import Colour, Pixels, Size, check_max_side, scaled
from pixtrim.draw.sheet import check_pair
from pixtrim.errors import UsageError

__all__ = ["warp_grid"]

Floats = NDArray[np.float64]

LINE: Final[Colour] = (255, 226, 64)
EDGE: Final[Colour] = (10, 12, 16)
EDGE_OPACITY: Final = 0.5

MOST_LINES = 200
STEP: Final = 2  # pixels on the sheet from one mapped point of a line to the next
BREAK: Final = 14  # pixels sideways from one point to the next at which a line ends, and begins anew
CELL: Final = 6  # pixels between lines, below which there are fewer of them


def warp_grid(
    original: Pixels,
    reduced: Pixels,
    coordinates: CoordinateMap,
    *,
    lines: int = 16,
    title_before: str = "",
    title_after: str = "",
    max_side: int = 1600,
) -> Image.Image:
    """Return both pictures with the grid of a map on them, on one sheet.

    On the original are the lines that are even on the reduced picture: where they are dense, the picture kept more of
    its size. On the reduced picture are the lines that are even on the original: where they are far apart, it kept
    more. Both grids are mapped point by point, so that they hold for any map; a line breaks where what it runs through
    was moved apart.

    Parameters
    ----------
    original, reduced : ndarray of uint8, shape (H, W, 3) and (h, w, 3)
        RGB.
    coordinates : CoordinateMap
        From the original to the reduced picture.
    lines : int, 2 to 200
        How many cells the longer side of a grid is divided into; as many as have room on small pictures.
    title_before, title_after : str
        What stands above the two pictures; "Before" and "After" where empty. What is too long is cut with an ellipsis.
    max_side : int, 400 to 20,000
        The longest side that the result may have, in pixels.

    Returns
    -------
    PIL.Image.Image
        RGB, at most `max_side` pixels wide and high.

    Raises
    ------
    UsageError
        If the pictures are not uint8 (H, W, 3), do not have the sizes of the map, or a number is out of its range.

    Examples
    --------
    >>> photo = np.full((100, 80, 3), 90, np.uint8)
    >>> warp_grid(photo, photo[::2, ::2], CoordinateMap.scale((80, 100), (40, 50))).mode
    'RGB'
    """
    check_pair(original, reduced, coordinates)
    if isinstance(lines, bool) or not isinstance(lines, int) or not 2 <= lines <= MOST_LINES:
        raise UsageError(f"lines is {lines!r}; a whole number from 2 to {MOST_LINES} is needed")
    check_max_side(max_side)
    sheet = Panels(coordinates.original_size, coordinates.reduced_size, max_side, 2)
    sheet.panel(0, original, title_before or "Before", "lines that are even after: dense is kept large", sheet.scale)
    sheet.after(1, reduced, title_after or "After", "lines that were even before: wide is kept large")
    for at, scale in enumerate((sheet.scale, sheet.scale_after)):
        here, there = coordinates.original_size, coordinates.reduced_size
        map_points = coordinates.to_original
        if at == 1:
            here, there, map_points = there, here, coordinates.to_reduced
        size = scaled(here, scale)
        mapped = [
            _on_panel(map_points(points), here, size, across)
            for points, across in _even(there, lines, max(size) / STEP, max(size) / CELL)
        ]
        _draw(sheet.image, sheet.layout.corner(at), size, [part for parts in mapped for part in parts])
    return sheet.image


def _even(size: Size, lines: int, points: float, most: float) -> list[tuple[Floats, bool]]:
    """Return the inner lines of an even grid, each as points (N, 2), and whether it goes from left to right."""
    cells = max(1, min(lines, int(most)))
    longest, count = max(size), int(points) + 2
    found = []
    for across in (False, True):
        (along, side) = size if across else size[::-1]
        number = max(1, round(cells * side / longest))
        for at in np.arange(1, number) * (side / number):
            places = np.linspace(0, along, count)
            line = np.full(count, at)
            found.append((np.stack((places, line) if across else (line, places), axis=1), across))
    return found


def _on_panel(points: Floats, picture: Size, size: Size, across: bool) -> list[list[tuple[int, int]]]:
    """Return a mapped line in pixels of its panel, in parts where it breaks."""
    places = np.floor(points * np.divide(size, picture)).astype(np.int64)
    places = np.minimum(places, np.subtract(size, 1))
    breaks = np.flatnonzero(np.abs(np.diff(places[:, 1 if across else 0])) > BREAK) + 1
    return [[(x, y) for x, y in part.tolist()] for part in np.split(places, breaks)]


def _draw(image: Image.Image, corner: Size, size: Size, parts: list[list[tuple[int, int]]]) -> None:
    """Draw lines with dark edges over a panel, and over nothing beside it."""
    edge, line = (Image.new("L", size) for _ in range(2))
    for part in parts:
        ImageDraw.Draw(edge).line(part, round(255 * EDGE_OPACITY), 3)
        ImageDraw.Draw(line).line(part, 255, 1)
    image.paste(EDGE, corner, edge)
    image.paste(LINE, corner, line)
