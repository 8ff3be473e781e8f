"""What all sheets are drawn with: colours, letters, and pictures at the size of a panel."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.errors import UsageError

__all__ = [
    "BORDER",
    "INK",
    "MARGIN",
    "NOTE_SIZE",
    "PAPER",
    "SOFT",
    "TITLE_SIZE",
    "Colour",
    "Pixels",
    "Size",
    "averaged",
    "by",
    "check_max_side",
    "check_pixels",
    "font_of",
    "grey",
    "percent",
    "resized",
    "scaled",
    "write",
]

Size = tuple[int, int]
Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Pixels = NDArray[np.uint8]
_T = TypeVar("_T", np.uint8, np.float32)

PAPER: Colour = (255, 255, 255)
INK: Colour = (32, 36, 42)
SOFT: Colour = (104, 112, 122)
BORDER: Colour = (200, 205, 211)

MARGIN = 28  # pixels around a sheet
TITLE_SIZE, NOTE_SIZE = 19, 15
SHEET_LIMITS = 400, 20_000  # pixels: what `max_side` may be


def write(draw: ImageDraw.ImageDraw, at: Size, text: str, size: int, colour: Colour, room: float) -> int:
    """Write a line with its baseline at a position, cut to the room there is; return its length."""
    font = font_of(size)
    text = " ".join(text.split())[:400]
    if font.getlength(text) > room:
        while text and font.getlength(f"{text}…") > room:
            text = text[:-1]
        text = f"{text.rstrip()}…"
    draw.text(at, text, colour, font, anchor="ls")
    return int(font.getlength(text))


@lru_cache
def font_of(size: int) -> Font:
    """Return the font that is built into Pillow, in a size in pixels."""
    return ImageFont.load_default(size)


def resized(pixels: Pixels, size: Size) -> Image.Image:
    """Return a picture at the size of its panel: averaged down, or enlarged with its pixels visible."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.size == size:
        return picture
    enlarged = size[0] >= picture.width and size[1] >= picture.height
    return picture.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS)


def averaged(values: NDArray[_T], size: Size) -> NDArray[_T]:
    """Return a map that lies over a picture, float32 (H, W) or RGBA, at the size of its panel.

    Averaged down without ringing, or enlarged as the pixels are; what is transparent lends its neighbours no colour.
    """
    enlarged = size[0] >= values.shape[1] and size[1] >= values.shape[0]
    how = Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX
    found: NDArray[_T] = np.asarray(Image.fromarray(np.ascontiguousarray(values)).resize(size, how))
    return found


def grey(pixels: Pixels) -> Pixels:
    """Return a picture without its colours, still in three channels."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L").convert("RGB"))


def percent(mask: NDArray[np.bool_]) -> str:
    """Say which share of its pixels a mask has, in words that never call something nothing, or not all of it all.

    Examples
    --------
    >>> percent(np.arange(1000) < 3), percent(np.arange(4) < 1), percent(np.arange(1000) > 0)
    ('less than 1%', '25%', 'more than 99%')
    """
    share = float(mask.mean())
    if 0 < share < 0.01:
        return "less than 1%"
    if 0.99 < share < 1:
        return "more than 99%"
    return f"{share:.0%}"


def scaled(size: Size, scale: float) -> Size:
    """Return a size in pixels, scaled; no side gets less than one."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def check_pixels(pixels: object, name: str) -> None:
    """Raise UsageError where a picture is not uint8 (H, W, 3)."""
    if not isinstance(pixels, np.ndarray):
        raise UsageError(f"{name} is {type(pixels).__name__}; an array of uint8 (H, W, 3) is needed")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UsageError(f"{name} is {pixels.dtype} {pixels.shape}; uint8 (H, W, 3) is needed")


def check_max_side(max_side: object) -> None:
    """Raise UsageError where the longest side of a sheet is out of its range."""
    if isinstance(max_side, bool) or not isinstance(max_side, int):
        raise UsageError(f"max_side is {max_side!r}; a whole number of pixels is needed")
    if not SHEET_LIMITS[0] <= max_side <= SHEET_LIMITS[1]:
        raise UsageError(f"max_side is {max_side}; {SHEET_LIMITS[0]} to {SHEET_LIMITS[1]} pixels are possible")


def by(size: tuple[int, ...]) -> str:
    """Write a size as ``1920x1080``."""
    return f"{size[0]}x{size[1]}"
