"""Words and shapes to be laid over photos: what is drawn says where the text is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 224
SCALE = 3  # drawn three times as large, then reduced, as a photo is for the model
SYSTEM_FONTS = Path("/usr/share/fonts")
SMALLEST, LARGEST = 3.0, 48.0  # height of letters, in pixels of the reduced picture

Layer = NDArray[np.uint8]


def fonts(folder: Path = SYSTEM_FONTS) -> list[Path]:
    """List the fonts of Latin letters on this system; the one that Pillow brings is not among them, and measures."""
    return [path for path in sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")]) if _is_latin(path)]


def _is_latin(path: Path) -> bool:
    try:
        font = ImageFont.truetype(str(path), 20)
    except OSError:
        return False
    shapes = {font.getmask(letter).getbbox() and bytes(font.getmask(letter)) for letter in "aegQRS7"}
    return len(shapes) == 7 and None not in shapes


def layers(count: int, paths: list[Path], rng: np.random.Generator) -> tuple[Layer, Layer, Layer]:
    """Draw layers of words.

    Parameters
    ----------
    count : int
        How many.
    paths : list of path
        Font files.
    rng : Generator
        Source of the randomness.

    Returns
    -------
    ink, panel, where : ndarray
        uint8 (count, 224, 224): the coverage by letters, by the plates behind them, and the boxes of the words.
    """
    drawn = [_layer(paths, rng) for _ in range(count)]
    ink, panel, where = (np.stack(kind) for kind in zip(*drawn, strict=True))
    return ink, panel, where


def _layer(paths: list[Path], rng: np.random.Generator) -> tuple[Layer, Layer, Layer]:
    size = SIDE * SCALE
    pictures = [Image.new("L", (size, size)) for _ in range(3)]
    for _ in range(int(rng.integers(1, 5))):
        _block(pictures, paths, rng)
    reduced = [picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC) for picture in pictures]
    ink, panel, where = (np.asarray(picture) for picture in reduced)
    return ink, panel, where


def _block(pictures: list[Image.Image], paths: list[Path], rng: np.random.Generator) -> None:
    """Draw one to six lines of words, turned by a few degrees at times, onto a plate at times."""
    size = pictures[0].width
    height = SMALLEST * (LARGEST / SMALLEST) ** rng.beta(1.2, 1.6) * SCALE
    font = ImageFont.truetype(str(paths[rng.integers(len(paths))]), max(6, round(height)))
    lines = [_line(rng) for _ in range(1 if height > 20 * SCALE else int(rng.integers(1, 7)))]
    step = height * rng.uniform(1.1, 1.6)
    wide = max(font.getlength(line) for line in lines)
    x, y = rng.uniform(-0.1, 0.9, 2) * size
    x = min(x, size - 0.5 * wide) if rng.random() < 0.7 else x
    turned = [Image.new("L", (size, size)) for _ in range(3)]
    drawn = [ImageDraw.Draw(picture) for picture in turned]
    if rng.random() < 0.4:
        margin = height * rng.uniform(0.2, 1.0)
        plate = (x - margin, y - margin, x + wide + margin, y + step * len(lines) + margin)
        drawn[1].rounded_rectangle(plate, rng.uniform(0, 0.5) * height, fill=255)
    outlined = int(rng.random() < 0.15) * max(1, round(height / 20))
    for number, line in enumerate(lines):
        place = (x, y + number * step)
        if outlined:
            drawn[1].text(place, line, fill=255, font=font, stroke_width=outlined)
        drawn[0].text(place, line, fill=255, font=font)
        left, top, right, bottom = font.getbbox(line)
        drawn[2].rectangle((place[0] + left, place[1] + top, place[0] + right, place[1] + bottom), fill=255)
    angle = float(rng.normal(0, 8)) if rng.random() < 0.35 else 0.0
    for picture, target in zip(turned, pictures, strict=True):
        layer = picture.rotate(angle, Image.Resampling.BILINEAR, center=(x, y)) if angle else picture
        target.paste(255, mask=layer)


def _line(rng: np.random.Generator) -> str:
    """Return a few made-up words, numbers among them."""
    return " ".join(_word(rng) for _ in range(int(rng.integers(1, 6))))


def _word(rng: np.random.Generator) -> str:
    if rng.random() < 0.2:
        return str(rng.integers(0, 10 ** int(rng.integers(1, 6))))
    vowels, consonants = "aeiouy", "bcdfghjklmnprstvwxz"
    letters = [(vowels if i % 2 else consonants)[rng.integers(6 if i % 2 else 19)] for i in range(rng.integers(2, 10))]
    word = "".join(letters)
    return (word, word.capitalize(), word.upper())[rng.choice(3, p=(0.4, 0.3, 0.3))]
