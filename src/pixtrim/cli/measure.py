"""The size of a picture, from its header where that suffices."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from pixtrim.cli.inputs import STDIN

__all__ = ["Measured", "measure"]


class Measured(NamedTuple):
    """What a picture costs depends on these: its size, upright, in pixels, and its encoded bytes where sent as is."""

    width: int
    height: int
    size: int | None


def measure(source: str, *, dpi: float, max_pixels: int) -> Measured:
    """Find the size of a picture, from its header alone where that suffices.

    Raises
    ------
    PixtrimError
        As `pixtrim.image.load`.
    """
    from pixtrim.image import load

    if source != STDIN and (measured := _by_header(source, max_pixels)) is not None:
        return measured
    name = "<stdin>" if source == STDIN else source
    loaded = load(sys.stdin.buffer if source == STDIN else source, dpi=dpi, max_pixels=max_pixels, name=name)
    height, width = loaded.pixels.shape[:2]
    return Measured(width, height, None if loaded.data is None else len(loaded.data))


def _by_header(path: str, max_pixels: int) -> Measured | None:
    """Read the header of a JPEG, WebP or plain PNG; None where only loading can tell, or tells better what is wrong."""
    from PIL import Image

    from pixtrim.pixels import without_bomb_warning

    try:
        if not os.path.isfile(path):
            return None
        with without_bomb_warning(), Image.open(path, formats=("PNG", "JPEG", "WEBP")) as picture:
            if picture.format == "PNG" and _may_turn(Path(path).read_bytes()):
                return None
            width, height = picture.size
            turned = picture.format != "PNG" and picture.getexif().get(0x0112) in (5, 6, 7, 8)
            if width * height > max_pixels or getattr(picture, "is_animated", False):
                return None
            return Measured(*((height, width) if turned else (width, height)), os.path.getsize(path))
    except Exception:
        return None


def _may_turn(png: bytes) -> bool:
    """Whether a PNG has metadata that can hold an orientation; they may follow the pixels."""
    return any(mark in png for mark in (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp"))
