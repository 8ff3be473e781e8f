"""Time the kernels on one core, at each vector level, beside a plain copy of the same picture.

The kernels on tokens take the picture without the rows that do not fill a token of 32 x 32 pixels.

Run: python benchmarks/kernels.py [--save]
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from common import HEIGHT, WIDTH, Pixels, Record, arguments, heading, interleaved, noise, page, save, table

from pixtrim import _native
from pixtrim.kernels import reference

THRESHOLD, ROUNDS = 8, 61
BOX = (0, HEIGHT, 0, WIDTH)
TOKEN, RARITY = 32, 64
PRED_2D, UNIQUE, LARGEST, NO_DIFFERENCE, SOME_LEVELS = 2, 4, 0, 0, 2

Calls = dict[tuple[str, str], Callable[[], object]]


def calls(pixels: Pixels) -> Calls:
    """List what is timed, by kernel and level."""
    other = np.empty_like(pixels)
    down, _ = reference.change_bits(pixels, THRESHOLD)
    rows = np.flatnonzero(np.arange(HEIGHT) % 8 < 5).astype(np.int32)
    columns = np.flatnonzero(np.arange(WIDTH) % 64 < 48).astype(np.int32)
    reduced = np.empty((len(rows), len(columns), 3), np.uint8)
    tokens = np.ascontiguousarray(pixels[: HEIGHT // TOKEN * TOKEN, : WIDTH // TOKEN * TOKEN])
    corners = np.ascontiguousarray(np.argwhere(np.ones((HEIGHT // TOKEN, WIDTH // TOKEN))) * TOKEN, np.int32)
    copied = tokens.copy()
    every: Calls = {("copy", "NumPy"): lambda: np.copyto(other, pixels)}
    for level in _native.levels():
        every["change_bits", level] = lambda v=level: _native.change_bits(pixels, THRESHOLD, level=v)
        every["row_counts", level] = lambda v=level: _native.row_counts(down, *BOX, level=v)
        every["column_counts", level] = lambda v=level: _native.column_counts(down, *BOX, level=v)
        for name, selector, limit in (
            ("predict pred_2d", PRED_2D, NO_DIFFERENCE),
            ("predict pred_2d, 2 levels", PRED_2D, SOME_LEVELS),
            ("predict unique", UNIQUE, NO_DIFFERENCE),
        ):
            every[name, level] = lambda s=selector, m=limit, v=level: _native.predict(
                tokens, TOKEN, TOKEN, s, LARGEST, m, level=v
            )
        every["match_blocks", level] = lambda v=level: _native.match_blocks(
            tokens, corners, copied, corners, TOKEN, TOKEN, LARGEST, NO_DIFFERENCE, level=v
        )
        every["landmarks", level] = lambda v=level: _native.landmarks(pixels, RARITY, level=v)
        every["gather", level] = lambda v=level: _native.gather(pixels, rows, columns, reduced, 0, 0, level=v)
    return every


def measure() -> list[Record]:
    """Return one record for each picture, kernel and level."""
    return [
        {"picture": kind.__name__, "kernel": kernel, "level": level, "ms": round(ms, 4)}
        for kind in (noise, page)
        for (kernel, level), ms in interleaved(calls(kind()), ROUNDS).items()
    ]


def main() -> None:
    """Print a table; with --save, write the figures as well."""
    options = arguments("Time the kernels.", "kernels").parse_args()
    heading()
    figures = measure()
    table(figures)
    if options.save:
        save("kernels", figures, rounds=ROUNDS)


if __name__ == "__main__":
    main()
