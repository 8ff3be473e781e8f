"""Draw words on photos as signs, labels and captions: text in scenes, of which every word and its place are known.

Run: python benchmarks/scenes.py [FOLDER] [--data DIR] [--most N] [--seed N]

Takes photos of the evaluation data, brings their longer side to at least 1000 pixels, and writes NAME.png and
gt_NAME.txt in the layout of ICDAR 2015, which `pixtrim evaluate` knows as "icdar". They go into FOLDER,
benchmarks/.cache/scenes if none is named, and are not for passing on: many of the photos are for research only. The
same photos, seed, fonts and Pillow give the same bytes.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from common import ROOT, SHARED_DATA, give_up
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

FOLDER = ROOT / "benchmarks" / ".cache" / "scenes"
SOURCES = ("kodak", "retarget", "bsds", "imagenet", "ecssd")
PICTURES = (".png", ".jpg", ".jpeg")
MOST = 40  # photos
LEAST_SIDE = 390  # pixels of the longer side of a photo that is taken
LONG_SIDE = 1000  # pixels: smaller photos are enlarged to it

CAPITALS = 15, 44  # pixels: how high a capital letter is; every word has one, and none is higher than 60
SMALL = 1.8  # the higher, the more words are near the lower end
ENOUGH = 11  # words of a photo, from which no other place gets any
PLACES = 6  # of a photo, at most
TRIES = 80  # to find room for a place
APART = 14  # pixels between places, and to the rim
TURN = 1.0  # degrees that a place is turned by, at most
SLANT = 0.02  # of its sides, by which a corner of a place is moved at most
FINE = 3  # times finer is everything drawn, and averaged

FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "DejaVuSansCondensed-Bold.ttf",
    "DejaVuSansMono-Bold.ttf",
    "LiberationSans-Regular.ttf",
    "LiberationSans-Bold.ttf",
    "LiberationSans-BoldItalic.ttf",
    "LiberationSerif-Regular.ttf",
    "LiberationSerif-Bold.ttf",
    "LiberationSansNarrow-Bold.ttf",
)
"""Those that are installed are used; where none is, the one that Pillow brings."""

PLATES = (
    ((250, 250, 246), (24, 26, 30)),
    ((246, 208, 58), (22, 22, 22)),
    ((22, 66, 142), (250, 250, 250)),
    ((8, 98, 66), (250, 250, 250)),
    ((170, 26, 34), (252, 250, 246)),
    ((30, 32, 36), (248, 226, 150)),
    ((240, 230, 206), (74, 40, 20)),
    ((206, 212, 216), (20, 40, 84)),
)
"""What stands on what: colours of a plate and of its letters."""

_WORDS = """
airport almond anchor antique apple arrival autumn avenue bakery balcony bamboo bank barber basket beach bicycle
birch blanket boat bookshop border bottle bread breakfast bridge bronze butcher butter cabin camera campus candle
canyon carpet castle central cheese cherry chimney cinema circle clinic closed coast coffee college copper corner
cotton country cream crossing danger delivery dentist departure desert dinner doctor dragon eagle early east editor
engine entrance evening exit express factory farmer festival field fish flower forest fountain fresh fruit galaxy
gallery garage garden gate ginger glacier grand granite grocery guitar hammer harbour harvest heaven hidden history
holiday honey horizon hospital hotel island jacket january jungle junction kitchen ladder lantern laundry lemon
library lighthouse limit listen lobster lunch machine magnet maple marble market meadow medicine melody metro milk
minute mirror modern monday morning mountain museum music narrow nature needle north notice ocean office olive open
orange orchard organic palace paper parade parking pepper pharmacy piano picnic pilot planet platform pocket police
post potato private public purple rabbit radio railway rainbow ranger reception repair rescue ribbon river rocket
round sailing salmon saturday school season secret service shelter silver slow smooth south special spring square
station steel stone stop storage street studio sugar summer sunday sunset supply tailor temple theatre ticket tiger
timber tower traffic travel tunnel umbrella valley vanilla village violin visitor walnut warning water wedding west
whisper window winter wonder wooden yellow yoghurt
"""
WORDS = tuple(_WORDS.split())

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Word:
    """A word, and its four corners on the picture in pixels, from the upper left one clockwise."""

    text: str
    corners: tuple[Point, ...]


@dataclass(frozen=True)
class Tile:
    """What is to be placed, drawn `FINE` times finer: RGBA, and the boxes of its words."""

    image: Image.Image
    words: tuple[tuple[str, Box], ...]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where the pictures go")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="the folder of the evaluation data")
    parser.add_argument("--most", type=int, default=MOST, help=f"how many photos are taken at most ({MOST})")
    parser.add_argument("--seed", type=int, default=0, help="another one draws other words at other places (0)")
    options = parser.parse_args(arguments)
    photos = photos_of(options.data, options.most)
    if not photos:
        give_up(f"found no photos of {LEAST_SIDE} pixels in {options.data}/photos: name the data with --data DIR")
    options.folder.mkdir(parents=True, exist_ok=True)
    names = {path: name_of(path) for path in photos}
    written = {file for name in names.values() for file in (f"{name}.png", f"gt_{name}.txt")}
    if others := sorted(path.name for path in options.folder.iterdir() if path.name not in written):
        give_up(f"{options.folder} holds other files, as {others[0]}: remove it or name another folder")
    count = 0
    for path, name in names.items():
        with Image.open(path) as photo:
            picture, words = scene(photo.convert("RGB"), f"{options.seed} {name}")
        picture.save(options.folder / f"{name}.png")
        (options.folder / f"gt_{name}.txt").write_text("".join(map(line, words)), encoding="utf-8")
        count += len(words)
    print(f"{len(photos)} pictures with {count} words in {options.folder}")
    return 0


def photos_of(data: Path, most: int) -> list[Path]:
    """List the photos that are taken, of every source in turn, in a fixed order."""
    found = [sorted(_large(data / "photos" / source)) for source in SOURCES]
    in_turn = chain.from_iterable(zip_longest(*found))
    return [path for path in in_turn if path is not None][:most]


def _large(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*"):
        if path.suffix.lower() in PICTURES and not path.stem.endswith("_mask"):
            with Image.open(path) as picture:
                if max(picture.size) >= LEAST_SIDE:
                    yield path


def name_of(path: Path) -> str:
    """Name a picture by its source and its file.

    >>> name_of(Path("photos/imagenet/n03992509_potter's_wheel.JPEG"))
    'imagenet_n03992509_potter_s_wheel'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "_", f"{path.parent.name}_{path.stem}")


def line(word: Word) -> str:
    """Write a word as ICDAR does: the corners, and the text."""
    return ",".join([*(str(round(value)) for corner in word.corners for value in corner), word.text]) + "\n"


# --- a scene -------------------------------------------------------------------------------------------------------


def scene(photo: Image.Image, seed: str) -> tuple[Image.Image, list[Word]]:
    """Draw words on a photo.

    Parameters
    ----------
    photo : PIL.Image.Image
        RGB.
    seed : str
        What is drawn, and where, depends on it alone.

    Returns
    -------
    picture : PIL.Image.Image
        RGB, with a longer side of at least 1000 pixels.
    words : list of Word
        From top to bottom.
    """
    chance = random.Random(seed)
    scale = max(1.0, LONG_SIDE / max(photo.size))
    size = round(photo.width * scale), round(photo.height * scale)
    picture = photo.resize(size, Image.Resampling.LANCZOS)
    left = chance.sample(WORDS, len(WORDS))
    taken: list[Box] = []
    placed: list[list[Word]] = []
    for _ in range(PLACES):
        if sum(map(len, placed)) >= ENOUGH:
            break
        (kind,) = chance.choices((sign, caption, label, letters), (5, 2, 1.5, 0.5))
        tile = kind(chance, left, picture)
        quad = _room(chance, tile, picture.size, taken, level=kind is caption)
        if quad is None:
            continue
        taken.append(_around(quad))
        placed.append(_put(picture, tile, quad, chance.uniform(0.25, 0.6)))
    placed.sort(key=lambda words: words[0].corners[0][1])
    return picture, [word for words in placed for word in words]


def sign(chance: random.Random, words: list[str], picture: Image.Image) -> Tile:
    """A plate, with a frame or without, and two or three lines of two or three words."""
    lines = [_take(chance, words, chance.choice((2, 2, 3))) for _ in range(chance.choice((2, 2, 3)))]
    plate, ink = chance.choice(PLATES)
    return _tile(lines, _font(chance, CAPITALS), ink, plate, framed=chance.random() < 0.25)


def label(chance: random.Random, words: list[str], picture: Image.Image) -> Tile:
    """A narrow plate with one line of two or three words."""
    plate, ink = chance.choice(PLATES)
    return _tile([_take(chance, words, chance.choice((2, 3)))], _font(chance, CAPITALS), ink, plate)


def letters(chance: random.Random, words: list[str], picture: Image.Image) -> Tile:
    """A line of one or two words without a plate: light ones with a dark outline, or the reverse."""
    light, dark = chance.choice((((255, 255, 255), (12, 12, 14)), ((255, 226, 64), (20, 16, 8))))
    ink, rim = (light, dark) if chance.random() < 0.7 else (dark, light)
    return _tile([_take(chance, words, chance.choice((1, 2)))], _font(chance, (24, CAPITALS[1])), ink, rim=rim)


def caption(chance: random.Random, words: list[str], picture: Image.Image) -> Tile:
    """A band as wide as the picture with one line of three to five words."""
    line = _take(chance, words, chance.choice((3, 4, 5)))
    plate, ink = chance.choice((PLATES[0], PLATES[5], ((20, 22, 26), (255, 255, 255))))
    font = _font(chance, (CAPITALS[0], 30))
    return _tile([line], font, ink, plate, width=picture.width * FINE, opacity=0.84)


def _take(chance: random.Random, words: list[str], count: int) -> list[str]:
    """Take words that no other place has, all in the same case."""
    case = chance.choice((str.title, str.title, str.upper))
    return [case(words.pop()) for _ in range(count)]


@cache
def _fonts() -> tuple[str, ...]:
    found = []
    for name in FONTS:
        try:
            ImageFont.truetype(name, 10)
        except OSError:
            continue
        found.append(name)
    return tuple(found)


def _font(chance: random.Random, capitals: tuple[int, int]) -> ImageFont.FreeTypeFont:
    """Choose a font, and how high its capital letters are in pixels; low ones are more frequent."""
    name = chance.choice(_fonts() or ("",))
    high = capitals[0] * (capitals[1] / capitals[0]) ** chance.random() ** SMALL * FINE

    def of(size: float) -> ImageFont.FreeTypeFont:
        if name:
            return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
        found = ImageFont.load_default(size)
        if not isinstance(found, ImageFont.FreeTypeFont):
            give_up("needs a Pillow with FreeType, as every wheel of Pillow has it")
        return found

    top, bottom = of(1000).getbbox("H", anchor="ls")[1::2]
    return of(high * 1000 / (bottom - top))


def _tile(
    lines: list[list[str]],
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    plate: Colour | None = None,
    *,
    rim: Colour | None = None,
    framed: bool = False,
    width: int = 0,
    opacity: float = 0.95,
) -> Tile:
    """Draw lines of words in the middle of a plate, or of nothing."""
    capital = -font.getbbox("H", anchor="ls")[1]
    gap, margin, step = capital * 0.6, round(capital * (0.75 if plate else 0.4)), round(capital * 1.9)
    lengths = [sum(map(font.getlength, words)) + gap * (len(words) - 1) for words in lines]
    size = (
        max(width, math.ceil(max(lengths)) + 2 * margin),
        round(capital * 1.35) + step * (len(lines) - 1) + 2 * margin,
    )
    image = Image.new("RGBA", size, (*(plate or rim or ink), 0))
    draw = ImageDraw.Draw(image)
    if plate:
        draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 0 if width else capital // 3, (*plate, 255))
    if framed:
        inset, line = capital // 5, max(2, capital // 14)
        draw.rounded_rectangle((inset, inset, size[0] - 1 - inset, size[1] - 1 - inset), inset, None, ink, line)
    placed: list[tuple[str, Box]] = []
    stroke = round(capital * 0.11) if rim else 0
    for row, (words, length) in enumerate(zip(lines, lengths, strict=True)):
        x, y = (size[0] - length) / 2, margin + capital + row * step
        for word in words:
            draw.text((x, y), word, ink, font, anchor="ls", stroke_width=stroke, stroke_fill=rim)
            placed.append((word, draw.textbbox((x, y), word, font, anchor="ls")))
            x += font.getlength(word) + gap
    image.putalpha(ImageChops.multiply(image.getchannel("A"), Image.new("L", size, round(255 * opacity))))
    return Tile(image, tuple(placed))


# --- where it stands -----------------------------------------------------------------------------------------------


def _room(
    chance: random.Random, tile: Tile, size: tuple[int, int], taken: list[Box], *, level: bool
) -> list[Point] | None:
    """Find a place for the four corners of a tile, turned and slanted a little unless it is level."""
    width, height = tile.image.width / FINE, tile.image.height / FINE
    for _ in range(TRIES):
        angle = 0.0 if level else math.radians(chance.uniform(-TURN, TURN))
        corners = []
        for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
            slant = (0.0, 0.0) if level else (chance.uniform(-SLANT, SLANT) / 4, chance.uniform(-SLANT, SLANT))
            across, down = (x + slant[0]) * width, (y + slant[1]) * height
            corners.append(
                (across * math.cos(angle) - down * math.sin(angle), across * math.sin(angle) + down * math.cos(angle))
            )
        x0, y0, x1, y1 = _around(corners)
        rim = 0 if level else APART
        free = size[0] - (x1 - x0) - 2 * rim, size[1] - (y1 - y0) - 2 * rim
        if min(free) < 0:
            continue
        down_by = chance.choice((0.0, free[1])) if level else chance.uniform(0, free[1])
        by = rim - x0 + chance.uniform(0, free[0]), rim - y0 + down_by
        moved = [(x + by[0], y + by[1]) for x, y in corners]
        if not any(_near(_around(moved), other) for other in taken):
            return moved
    return None


def _around(corners: Sequence[Point]) -> Box:
    x, y = zip(*corners, strict=True)
    return min(x), min(y), max(x), max(y)


def _near(a: Box, b: Box) -> bool:
    return a[0] - APART < b[2] and b[0] - APART < a[2] and a[1] - APART < b[3] and b[1] - APART < a[3]


def _put(picture: Image.Image, tile: Tile, quad: list[Point], blur: float) -> list[Word]:
    """Draw a tile into four corners of the picture; return its words where they came to stand."""
    x0, y0, x1, y1 = _around(quad)
    left, top = math.floor(x0), math.floor(y0)
    size = math.ceil(x1) - left, math.ceil(y1) - top
    flat = [(0.0, 0.0), (tile.image.width, 0.0), (tile.image.width, tile.image.height), (0.0, tile.image.height)]
    fine = [((x - left) * FINE, (y - top) * FINE) for x, y in quad]
    layer = tile.image.transform(
        (size[0] * FINE, size[1] * FINE),
        Image.Transform.PERSPECTIVE,
        _projection(fine, flat),
        Image.Resampling.BICUBIC,
    )
    layer = layer.reduce(FINE).filter(ImageFilter.GaussianBlur(blur))
    picture.paste(layer, (left, top), layer)
    forth = _projection(flat, quad)
    return [Word(text, tuple(_projected(forth, corner) for corner in _corners(box))) for text, box in tile.words]


def _corners(box: Box) -> tuple[Point, ...]:
    x0, y0, x1, y1 = box
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def _projection(source: Sequence[Point], target: Sequence[Point]) -> list[float]:
    """Return the eight coefficients of the projective map that takes four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()


def _projected(map_: Sequence[float], point: Point) -> Point:
    """Map a point.

    >>> _projected(_projection([(0, 0), (1, 0), (1, 1), (0, 1)], [(2, 2), (4, 2), (4, 4), (2, 4)]), (0.5, 0.5))
    (3.0, 3.0)
    """
    a, b, c, d, e, f, g, h = map_
    x, y = point
    depth = g * x + h * y + 1
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth


if __name__ == "__main__":
    sys.exit(main())
