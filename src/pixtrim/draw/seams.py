"""Seams on the picture that they leave, coloured by when they go."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap, SeamStage
from pixtrim.draw.frame import Frame, bar, bar_width, swatch, swatch_width
from pixtrim.draw.mask import overlay
from pixtrim.draw.paper import INK, PAPER, Pixels, averaged, check_max_side, check_pixels, grey, percent, resized
from pixtrim.draw.ramp import COOL, WARM, Ramp, blended, ramp
from pixtrim.errors import UsageError

__all__ = ["OPACITY", "seams_picture"]

OPACITY: Final = 0.85
"""How much a seam covers of the grey picture below it."""

PALE: Final = 0.25
"""How far the picture goes towards paper, so that dark seams show on what is dark."""

DIRECTIONS: Final[tuple[tuple[str, Ramp], ...]] = (("vertical", WARM), ("horizontal", COOL))


def seams_picture(
    pixels: Pixels, order: NDArray[Any], direction: NDArray[Any], *, title: str = "", max_side: int = 1600
) -> Image.Image:
    """Return a picture with its seams drawn over it, coloured by the order in which they are removed.

    Vertical seams are red to yellow and horizontal ones blue to cyan, dark the first and light the last. The picture
    below is grey and a little pale.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB: the picture that the seams are taken out of.
    order : ndarray of int, shape (H, W)
        When each pixel is removed: 1 with the first seam, 2 with the second, and so on; 0 where it is kept.
    direction : ndarray of int, shape (H, W)
        1 where a pixel is removed by a vertical seam, one that shortens rows, and 2 where by a horizontal one; whatever
        it is where the pixel is kept. Both are what `Carved.seams` returns.
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
        If a shape, a type or a value is not as above.

    Examples
    --------
    >>> photo = np.full((200, 300, 3), 90, np.uint8)
    >>> order = np.zeros((200, 300), np.int32)
    >>> order[:, 40:80] = np.arange(1, 41)
    >>> seams_picture(photo, order, np.ones((200, 300), np.uint8)).mode
    'RGB'
    """
    check_pixels(pixels, "the picture")
    _check(order, direction, pixels.shape[:2])
    check_max_side(max_side)
    last = int(order.max())
    gone = order > 0
    found: list[tuple[str, Ramp]] = []
    layer = np.zeros((*gone.shape, 4), np.uint8)
    for code, (name, stops) in enumerate(DIRECTIONS, 1):
        mine = gone & (direction == code)
        count = np.count_nonzero(np.bincount(order[mine])) if mine.any() else 0
        if count:
            found.append((f"{count:,} {name}", stops))
            shades = np.insert(ramp(stops), 3, 255, axis=1)
            layer[mine] = shades[(order[mine].astype(np.int64) - 1) * 255 // max(1, last - 1)]
    ends = "1", f"{last:,}"
    widths = [bar_width(label, *ends) for label, _ in found] or [swatch_width("no seams")]
    frame = Frame.fit(pixels.shape[1::-1], widths, max_side)
    below = grey(np.asarray(resized(pixels, frame.drawn)))
    below = overlay(below, np.ones(below.shape[:2], np.bool_), PAPER, PALE)
    shown = averaged(layer, frame.drawn)
    picture = Image.fromarray(blended(below, shown[..., :3], shown[..., 3] * (OPACITY / 255)))
    note = "from the first seam, dark, to the last, light" if found else "every pixel is kept"
    image = frame.sheet(picture, title, "Seams", [f"removed: {percent(gone)} of the pixels", note])
    for at, (label, stops) in enumerate(found):
        bar(image, frame.places[at], ramp(stops), label, ends, frame.room(at))
    if not found:
        swatch(image, frame.places[0], PAPER, INK, "no seams", frame.room(0))
    return image


def removed_by(coordinates: CoordinateMap) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return the pixels of the original that the seams of a map took out, as `seams_picture` takes them.

    Parameters
    ----------
    coordinates : CoordinateMap
        From the original to the reduced picture.

    Returns
    -------
    order : ndarray
        int32 (H, W): 0 for pixels that no seam took, else the number of the stage of seams, from 1 on.
    direction : ndarray
        uint8 (H, W): 0 for those that no seam took, 1 for vertical seams, 2 for horizontal ones.

    Examples
    --------
    >>> from pixtrim.coordinates import SeamStage
    >>> stage = SeamStage((2, 1), "x", np.array([[False, True]]))
    >>> removed_by(CoordinateMap((2, 1), (stage,)))[0].tolist()
    [[0, 1]]
    """
    width, height = coordinates.original_size
    places = np.arange(height * width).reshape(height, width)
    order, direction = np.zeros(height * width, np.int32), np.zeros(height * width, np.uint8)
    number = 0
    for stage in coordinates.stages:
        if isinstance(stage, SeamStage):
            number += 1
            gone = places[stage.removed]
            order[gone], direction[gone] = number, 2 if stage.axis == "y" else 1
        places = stage.map_mask(places, "reduced")
    return order.reshape(height, width), direction.reshape(height, width)


def _check(order: object, direction: object, shape: tuple[int, int]) -> None:
    for name, value in (("order", order), ("direction", direction)):
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu" or value.shape != shape:
            found = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            raise UsageError(f"{name} is {found}; int {shape} is needed, as the picture is")
    assert isinstance(order, np.ndarray)
    assert isinstance(direction, np.ndarray)
    least, most = int(order.min()), int(order.max())
    if least < 0 or most > order.size:
        raise UsageError(f"order has values from {least} to {most}; 0, and 1 to {order.size} are possible")
    removed = direction[order > 0]
    if removed.size and (removed.min() < 1 or removed.max() > 2):
        span = f"{removed.min()} to {removed.max()}"
        raise UsageError(
            f"direction has values from {span}; 1 for vertical seams and 2 for horizontal ones are possible"
        )
