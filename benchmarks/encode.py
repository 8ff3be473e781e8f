"""Measure what each setting of the encoders costs: milliseconds to encode, and bytes to send.

Run: python benchmarks/encode.py [--data DIR] [--share 0.4] [--mbit 20] [--save]

The pictures are what `shrink` makes of the examples, and of pictures of each kind of the evaluation data where they
are. All settings are lossless. The cost of a setting is the time until the picture has arrived: encoding, plus its
bytes over a line of so many Mbit/s. Each picture counts alike: settings are ranked by the geometric mean of their
costs relative to the setting that pixtrim uses. `grey` stores a picture without colour in one channel instead of
three; `palette` stores up to 256 colours as indices, and takes as long as finding that out takes. Where that is
impossible, they are plain. `up` is pixtrim's own writer, which takes every row as differences from the one above;
the others are Pillow's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from math import exp, log
from pathlib import Path
from statistics import fmean

import kinds
import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, examples, heading, interleaved, save, table
from PIL import Image

from pixtrim import shrink
from pixtrim.png import LEVEL, png_of
from pixtrim.result import ENCODERS

MODEL = "claude-opus-4-7"
ROUNDS = 3
EACH = 2  # pictures of each kind
STRATEGIES = {"filtered": 1, "huffman": 2, "rle": 3, "fixed": 4}  # of zlib, which Pillow calls compress_type
Encode = Callable[[], bytes]


def pictures(data: Path, share: float) -> dict[tuple[str, str], Pixels]:
    """Return reduced pictures, by kind and name."""
    files: dict[tuple[str, str], bytes] = {("examples", name): file for name, file in examples().items()}
    for kind in (kinds.PDF, *kinds.TEXTS, *kinds.PHOTOS):
        files |= {(kind.name, path.name): path.read_bytes() for path in kind.pictures(data)[:EACH]}
    return {key: shrink(file, MODEL, share).image for key, file in files.items()}


def encode(picture: Image.Image, name: str, **settings: object) -> bytes:
    """Return a picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, name, **settings)
    return stream.getvalue()


def grey(pixels: Pixels) -> Image.Image:
    """Return a picture, in one channel where it has no colour."""
    red = pixels[..., 0]
    alike = np.array_equal(red, pixels[..., 1]) and np.array_equal(red, pixels[..., 2])
    return Image.fromarray(np.ascontiguousarray(red) if alike else pixels)


def palette(pixels: Pixels) -> Image.Image:
    """Return a picture, as indices where it has 256 colours at most."""
    wide = np.ascontiguousarray(pixels).astype(np.uint32)
    colours, indices = np.unique(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], return_inverse=True)
    if len(colours) > 256:
        return Image.fromarray(pixels)
    picture = Image.fromarray(indices.reshape(pixels.shape[:2]).astype(np.uint8), "L").convert("P")
    picture.putpalette(np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8).tobytes())
    return picture


def settings(pixels: Pixels) -> dict[str, Encode]:
    """List what is measured for a picture."""
    plain = Image.fromarray(pixels)
    every: dict[str, Encode] = {}
    for level in range(10):
        every[f"PNG {level}"] = partial(encode, plain, "PNG", compress_level=level)
    for level in (1, 2, 3, 4, 6):
        every[f"PNG up {level}"] = partial(png_of, pixels, level)
    every["PNG optimize"] = partial(encode, plain, "PNG", optimize=True)
    for name, strategy in STRATEGIES.items():
        for level in (1, 3, 6):
            every[f"PNG {level} {name}"] = partial(encode, plain, "PNG", compress_level=level, compress_type=strategy)
    for level in (1, 3, 6):
        every[f"PNG {level} grey"] = lambda v=level: encode(grey(pixels), "PNG", compress_level=v)
        every[f"PNG {level} grey rle"] = lambda v=level: encode(grey(pixels), "PNG", compress_level=v, compress_type=3)
        every[f"PNG {level} palette"] = lambda v=level: encode(palette(pixels), "PNG", compress_level=v)
    for method in (0, 2, 4):
        for quality in (0, 20, 80):
            name = f"WebP {method} quality {quality}"
            every[name] = partial(encode, plain, "WEBP", lossless=True, method=method, quality=quality)
    return every


def measure(kind: str, name: str, pixels: Pixels, mbit: float) -> list[Record]:
    """Time the settings on one picture."""
    every = settings(pixels)
    sizes = {}
    for setting, call in every.items():
        file = call()
        shown = np.array(Image.open(io.BytesIO(file)).convert("RGB"))
        assert np.array_equal(shown, pixels), f"{setting} is not lossless"
        sizes[setting] = len(file)
    return [
        {"kind": kind, "picture": name, "setting": setting, "bytes": sizes[setting], "ms": ms}
        | {"cost": ms + sizes[setting] * 8 / (mbit * 1000)}
        for setting, ms in interleaved(every, ROUNDS).items()
    ]


def used(name: str) -> str:
    """Name the setting that pixtrim uses, as it is named here."""
    chosen = ENCODERS[name]
    return f"PNG up {LEVEL}" if name == "PNG" else f"WebP {chosen['method']} quality {chosen['quality']}"


def ranking(figures: list[Record], baseline: str) -> list[Record]:
    """Sum up the settings, the best one first."""
    costs = {(one["kind"], one["picture"]): one["cost"] for one in figures if one["setting"] == baseline}
    lines = []
    for setting in dict.fromkeys(one["setting"] for one in figures):
        some = [one for one in figures if one["setting"] == setting]
        ratios = [one["cost"] / costs[one["kind"], one["picture"]] for one in some]
        line: Record = {"setting": setting, "KiB": fmean(one["bytes"] for one in some) / 1024}
        line |= {"ms": fmean(one["ms"] for one in some), "cost": fmean(one["cost"] for one in some)}
        lines.append({**line, f"relative to {baseline}": exp(fmean(map(log, ratios))), "worst": max(ratios)})
    return sorted(lines, key=lambda line: line[f"relative to {baseline}"])


def by_kind(figures: list[Record]) -> list[Record]:
    """Show for each kind what the settings that pixtrim uses cost, and the cheapest PNG and WebP."""
    lines = []
    for kind in dict.fromkeys(one["kind"] for one in figures):
        line: Record = {"kind": kind, "pictures": len({one["picture"] for one in figures if one["kind"] == kind})}
        for name, prefix in (("PNG", "PNG"), ("WEBP", "WebP")):
            costs: dict[str, list[float]] = {}
            for one in figures:
                if one["kind"] == kind and one["setting"].startswith(prefix):
                    costs.setdefault(one["setting"], []).append(one["cost"])
            best = min(costs, key=lambda setting: fmean(costs[setting]))
            line |= {
                f"{prefix} used": fmean(costs[used(name)]),
                f"best {prefix}": best,
                f"cost {prefix}": fmean(costs[best]),
            }
        lines.append(line)
    return lines


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("Measure the settings of the encoders.", "encode")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument("--share", type=float, default=0.4, help="share of the tokens (default: 0.4)")
    parser.add_argument("--mbit", type=float, default=20, help="speed of the line in Mbit/s (default: 20)")
    options = parser.parse_args()
    heading()
    print(
        f"cost: milliseconds to encode, and to send over {options.mbit:g} Mbit/s; used: {used('PNG')}, {used('WEBP')}\n"
    )
    figures: list[Record] = []
    for (kind, name), pixels in pictures(options.data, options.share).items():
        figures += measure(kind, name, pixels, options.mbit)
    summary = ranking(figures, used("PNG"))
    table(summary)
    table(by_kind(figures))
    if options.save:
        save("encode", figures, share=options.share, mbit=options.mbit, rounds=ROUNDS, summary=summary)


if __name__ == "__main__":
    main()
