"""Before and after: both pictures and, on the original, what became of each place, on one sheet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap, PieceStage, SeamStage
from pixtrim.draw.mask import TINT, dropped, overlay
from pixtrim.draw.panels import Panels, size_note
from pixtrim.draw.paper import (
    NOTE_SIZE,
    SOFT,
    Colour,
    Pixels,
    by,
    check_max_side,
    check_pixels,
    percent,
    resized,
    scaled,
    write,
)
from pixtrim.draw.scale import LARGER, SMALLER, by_scale, relative_scale
from pixtrim.errors import UsageError

__all__ = ["before_after", "check_pair"]

BLOCK: Colour = (36, 104, 196)
EVEN = 1.02  # scales whose largest is up to so many times the smallest are those of a plain resize


def before_after(
    original: Pixels,
    reduced: Pixels,
    coordinates: CoordinateMap,
    *,
    title_before: str = "",
    title_after: str = "",
    max_side: int = 1600,
) -> Image.Image:
    """Return one picture with three panels: before, after, and what became of each place.

    The panels stand side by side, or below each other where they get clearly larger so. The reduced picture is drawn
    at the scale of the original, in a faint frame of the original's size, so that one sees how much smaller it is;
    where it would be too small to see it is enlarged, and its caption says by how much. In the third panel the dropped
    rows, columns, areas and seams are tinted, and the blocks are outlined where the map has several. Where nothing was
    dropped and places were scaled by different factors, as by a warp, it is tinted by these: orange what got smaller
    than in a plain resize, and blue what got larger.

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
    check_pair(original, reduced, coordinates)
    check_max_side(max_side)
    gone = dropped(coordinates)
    sheet = Panels(coordinates.original_size, coordinates.reduced_size, max_side)
    sheet.panel(0, original, title_before or "Before", size_note(original), sheet.scale)
    sheet.after(1, reduced, title_after or "After")
    scales = None if gone.any() else relative_scale(coordinates)
    if scales is not None and scales.min() > 0 and scales.max() > EVEN * scales.min():
        small = np.asarray(resized(original, scaled(coordinates.original_size, sheet.scale)))
        sheet.panel(2, by_scale(small, scales), "How it was scaled", "", 1)
        _scale_legend(sheet, 2, float(scales.min()), float(scales.max()))
        return sheet.image
    blocks = _blocks(coordinates)
    sheet.panel(2, overlay(original, gone), _what(coordinates), "", sheet.scale)
    _outline(sheet, 2, blocks)
    _legend(sheet, 2, gone, len(blocks))
    return sheet.image


def check_pair(original: Pixels, reduced: Pixels, coordinates: CoordinateMap) -> None:
    """Raise UsageError where two pictures are none, or not of the sizes of a map between them."""
    for pixels, size, name in (
        (original, coordinates.original_size, "original"),
        (reduced, coordinates.reduced_size, "reduced"),
    ):
        check_pixels(pixels, f"the {name} picture")
        if pixels.shape[1::-1] != size:
            raise UsageError(
                f"the {name} picture is {by(pixels.shape[1::-1])}, but the map's {name} side is {by(size)}"
            )


def _what(coordinates: CoordinateMap) -> str:
    """Title the panel that shows what was dropped."""
    seams = any(isinstance(stage, SeamStage) and stage.removed.any() for stage in coordinates.stages)
    return "What was carved" if seams else "What was folded"


def _outline(sheet: Panels, at: int, boxes: NDArray[np.float64]) -> None:
    """Draw boxes, edges in pixels of the original, over a panel."""
    x, y = sheet.layout.corner(at)
    width, height = scaled(sheet.original, sheet.scale)
    for box in boxes:
        x0, y0, x1, y1 = (round(v) for v in (box * sheet.scale).tolist())
        right, bottom = min(max(x1 - 1, x0), width - 1), min(max(y1 - 1, y0), height - 1)
        sheet.draw.rectangle((x + min(x0, right), y + min(y0, bottom), x + right, y + bottom), outline=BLOCK)


def _legend(sheet: Panels, at: int, gone: NDArray[np.bool_], blocks: int) -> None:
    """Say below the panel's title what its colours mean."""
    left, y = sheet.layout.corner(at)
    right = left + sheet.layout.slot[0]
    if gone.any():
        swatch = overlay(np.full((12, 12, 3), 255, np.uint8), np.ones((12, 12), np.bool_))
        sheet.image.paste(Image.fromarray(swatch), (left, y - 24))
        sheet.draw.rectangle((left, y - 24, left + 11, y - 13), outline=TINT)
        left += 18
        text = f"dropped, {percent(gone)} of the pixels"
        left += write(sheet.draw, (left, y - 13), text, NOTE_SIZE, SOFT, right - left) + 20
    else:
        left += write(sheet.draw, (left, y - 13), "nothing was dropped", NOTE_SIZE, SOFT, right - left) + 20
    if blocks and right - left > 80:
        sheet.draw.rectangle((left, y - 24, left + 11, y - 13), outline=BLOCK)
        write(sheet.draw, (left + 18, y - 13), f"{blocks} blocks", NOTE_SIZE, SOFT, right - left - 18)


def _scale_legend(sheet: Panels, at: int, least: float, most: float) -> None:
    """Say below the panel's title how far scales are from the mean, and in which colours."""
    left, y = sheet.layout.corner(at)
    right = left + sheet.layout.slot[0]
    for colour, text in ((SMALLER, f"{least:.2f}"), (LARGER, f"{most:.2f} of the mean scale")):
        sheet.draw.rectangle((left, y - 24, left + 11, y - 13), colour)
        left += 18
        left += write(sheet.draw, (left, y - 13), text, NOTE_SIZE, SOFT, right - left) + 14


def _blocks(coordinates: CoordinateMap) -> NDArray[np.float64]:
    """Return the pieces that were kept, as boxes (N, 4) on the original, for every stage that has several."""
    found = [np.zeros((0, 4))]
    for at, stage in enumerate(coordinates.stages):
        if isinstance(stage, PieceStage) and len(stage.pieces) > 1:
            kept = [p.original for p in stage.pieces if p.reduced[0] < p.reduced[2] and p.reduced[1] < p.reduced[3]]
            upstream = CoordinateMap(coordinates.original_size, coordinates.stages[:at])
            found.append(upstream.to_original(boxes=np.array(kept, np.float64).reshape(-1, 4)))
    return np.concatenate(found)
