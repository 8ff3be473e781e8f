"""Write the golden pictures: what `shrink` makes of a few pages that are drawn by arithmetic alone.

::

    python tests/golden/make_golden.py

writes NAME.png (the reduced picture) and golden.json (what was done) beside this file. Do so when a change of the
result is meant, and look at the pictures before committing them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixtrim import Shrunk, shrink

FOLDER = Path(__file__).parent

Pixels = NDArray[np.uint8]


def _line(page: Pixels, y: int, x0: int, x1: int, height: int = 10) -> None:
    """Set words of letter-like patterns, between two columns."""
    x, word = x0, 0
    while x < x1 - 8:
        wide = min(12 + (7 * word + y) % 29, x1 - x)
        down, across = np.mgrid[:height, :wide]
        ink = (down * down * 3 + across * 7 + down * across * 5 + y + word) % 11 < 5
        ink[0], ink[-1] = across[0] % 3 > 0, across[0] % 4 > 1
        page[y : y + height, x : x + wide][ink] = 25
        x, word = x + wide + 6, word + 1


def _paper(width: int, height: int, level: int = 255) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def letter() -> Pixels:
    """Paragraphs with wide margins, and a rule."""
    page = _paper(620, 800)
    for y in (60, 78, 96, 150, 168, 186, 204, 300, 318, 600):
        _line(page, y, 70, 540 - 3 * (y % 40))
    page[640] = 120
    return page


def two_columns() -> Pixels:
    """Columns of text whose lines do not stand on the same rows."""
    page = _paper(660, 620)
    for y in range(50, 560, 24):
        _line(page, y, 40, 300)
    for y in range(63, 560, 33):
        _line(page, y, 360, 620)
    return page


def table() -> Pixels:
    """A table with a frame, under a title that is coloured."""
    page = _paper(640, 560)
    page[20:70, 40:600] = (30, 60, 120)
    page[40:50, 60:200] = 250
    page[100:500, 40], page[100:500, 599], page[100, 40:600], page[499, 40:600] = 90, 90, 90, 90
    for row in range(12):
        for column, x in enumerate((60, 230, 380, 520)):
            _line(page, 118 + 31 * row, x, x + 30 + 11 * ((3 * row + column) % 4))
    return page


def gradient() -> Pixels:
    """A screen with a panel that shades smoothly, and a label."""
    page = _paper(600, 420, 240)
    page[60:360, 30:570] = (255 - np.arange(300) // 2)[:, None, None]
    _line(page, 20, 30, 260)
    _line(page, 200, 250, 350)
    return page


PAGES: dict[str, tuple[Callable[[], Pixels], dict[str, Any]]] = {
    "letter": (letter, {"model": "claude-opus-4-7", "budget": 200}),
    "two_columns": (two_columns, {"model": "claude-sonnet-4-5", "budget": "50%"}),
    "table": (table, {"model": "qwen2.5-vl", "budget": 0.4}),
    "gradient": (gradient, {"model": "gpt-5.5", "budget": "fit", "operator": "fold"}),
    "scaled": (letter, {"model": "claude-opus-4-7", "budget": 45}),
    "resized": (two_columns, {"model": "gpt-5.5", "budget": 90, "operator": "resize"}),
}


def made(name: str) -> Shrunk:
    """Make one of the golden pictures anew."""
    draw, settings = PAGES[name]
    return shrink(draw(), **settings)


def described(shrunk: Shrunk) -> dict[str, Any]:
    """Return what is to stay the same besides the pixels."""
    report = shrunk.report
    return {
        "operator": report.operator,
        "size": [report.width, report.height],
        "tokens": list(shrunk.tokens),
        "text_scale": report.text_scale,
        "coordinates": json.loads(shrunk.coordinates.to_json()),
    }


def main() -> None:
    """Write all files."""
    described_all = {}
    for name in PAGES:
        shrunk = made(name)
        (FOLDER / f"{name}.png").write_bytes(shrunk.encode("png"))
        described_all[name] = described(shrunk)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in described_all.items())
    (FOLDER / "golden.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
