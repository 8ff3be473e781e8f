"""Where a picture is important: as a heat map, and with what is unimportant gone grey and pale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.draw.frame import Frame, bar, bar_width, swatch, swatch_width
from pixtrim.draw.mask import overlay
from pixtrim.draw.paper import INK, PAPER, SOFT, Pixels, averaged, check_max_side, check_pixels, grey, percent, resized
from pixtrim.draw.ramp import HEAT, blended, ramp
from pixtrim.errors import UsageError

__all__ = ["FADE", "OPACITY", "faded", "heat_map"]

Importance = NDArray[np.float32]

OPACITY = 0.68
"""How much a heat map covers of the grey picture below it."""

MIDDLE = 128
"""The level of grey on which the scale bar shows the colours."""

FADE = 0.68
"""How far what is unimportant goes from grey towards paper."""


def heat_map(
    pixels: Pixels, importance: Importance, *, title: str = "", opacity: float = OPACITY, max_side: int = 1600
) -> Image.Image:
    """Return a picture with its importance laid over it as a heat map, with a scale bar from 0 to 1.

    Dark is unimportant and light is important, in steps that look equally far apart. The picture below is grey, so that
    every hue belongs to the map.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB.
    importance : ndarray of float32, shape (H, W)
        0 to 1.
    title : str
        What stands above the picture, for instance a file name. What is too long is cut with an ellipsis.
    opacity : float, 0 to 1
        How much the map covers of the picture.
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
    >>> heat_map(photo, np.linspace(0, 1, 60_000, dtype=np.float32).reshape(200, 300), title="a ramp").mode
    'RGB'
    """
    _check(pixels, importance)
    if isinstance(opacity, bool) or not isinstance(opacity, (int, float)) or not 0 <= opacity <= 1:
        raise UsageError(f"the opacity is {opacity!r}; 0 to 1 is possible")
    check_max_side(max_side)
    label, ends = "importance", ("0", "1")
    frame = Frame.fit(pixels.shape[1::-1], [bar_width(label, *ends)], max_side)
    levels = np.floor(np.clip(averaged(importance, frame.drawn), 0, 1) * 255 + 0.5).astype(np.uint8)
    below = grey(np.asarray(resized(pixels, frame.drawn)))
    picture = Image.fromarray(blended(below, ramp(HEAT)[levels], opacity))
    notes = [f"mean {importance.mean(dtype=np.float64):.2f}", f"above one half: {percent(importance > 0.5)}"]
    image = frame.sheet(picture, title, "Importance", notes)
    shades = blended(np.full((1, 256, 3), MIDDLE, np.uint8), ramp(HEAT)[None], opacity)[0]
    bar(image, frame.places[0], shades, label, ends, frame.room(0))
    return image


def faded(
    pixels: Pixels,
    importance: Importance,
    *,
    threshold: float | None = None,
    share: float | None = None,
    title: str = "",
    max_side: int = 1600,
) -> Image.Image:
    """Return a picture in which what is unimportant is grey and pale, and what is important is as it was.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB.
    importance : ndarray of float32, shape (H, W)
        0 to 1.
    threshold : float, 0 to 1
        The least importance that stays as it was. Give it or `share`.
    share : float, above 0 and up to 1
        The share of the pixels that stays as it was, the most important ones; more of them where several are equally
        important.
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
        If a shape, a type or a value is not as above, or both or none of `threshold` and `share` are given.

    Examples
    --------
    >>> photo = np.full((200, 300, 3), 90, np.uint8)
    >>> importance = np.linspace(0, 1, 60_000, dtype=np.float32).reshape(200, 300)
    >>> faded(photo, importance, share=0.25).mode
    'RGB'
    """
    _check(pixels, importance)
    check_max_side(max_side)
    least = _least(importance, threshold, share)
    below = importance < least
    labels = (f"from {least:.3g} on: {percent(~below)}", f"below: {percent(below)}")
    frame = Frame.fit(pixels.shape[1::-1], [swatch_width(label) for label in labels], max_side)
    shown = np.asarray(resized(pixels, frame.drawn))
    pale = overlay(grey(shown), np.ones(shown.shape[:2], np.bool_), PAPER, FADE)
    picture = Image.fromarray(blended(shown, pale, averaged(below.astype(np.float32), frame.drawn)))
    image = frame.sheet(picture, title, "What is important", ["the rest is grey and pale"])
    swatch(image, frame.places[0], PAPER, INK, labels[0], frame.room(0))
    swatch(image, frame.places[1], (214, 214, 214), SOFT, labels[1], frame.room(1))
    return image


def _least(importance: Importance, threshold: float | None, share: float | None) -> float:
    """Return the least importance of what stays."""
    if (threshold is None) == (share is None):
        raise UsageError("give either the threshold or the share of what stays as it was")
    name, value = ("threshold", threshold) if share is None else ("share", share)
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)) or not 0 <= value <= 1:
        raise UsageError(f"the {name} is {value!r}; 0 to 1 is possible")
    if share is None:
        return float(value)
    if value == 0:
        raise UsageError("the share is 0; something has to stay: give more than 0, and up to 1")
    count = int(np.ceil(float(value) * importance.size))
    return float(np.partition(importance, importance.size - count, axis=None)[importance.size - count])


def _check(pixels: object, importance: object) -> None:
    check_pixels(pixels, "the picture")
    shape = pixels.shape[:2]  # type: ignore[attr-defined]
    if not isinstance(importance, np.ndarray) or importance.dtype != np.float32 or importance.shape != shape:
        found = f"{importance.dtype} {importance.shape}" if isinstance(importance, np.ndarray) else type(importance)
        name = found if isinstance(found, str) else found.__name__
        raise UsageError(f"the importance is {name}; float32 {shape} is needed, as the picture is")
    if not (importance.min() >= 0 and importance.max() <= 1):  # not so with NaN, either
        raise UsageError("the importance has values outside of 0 to 1; scale it to that range")
