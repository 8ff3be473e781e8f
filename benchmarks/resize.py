"""Time the operator `resize` on one core, beside Pillow and OpenCV.

Run: python benchmarks/resize.py [--save]

`resize` finds its weights in the cache, save the first time for a size; "weights" is what that takes. Pillow gets a
picture that is loaded already, and hands back one of its own. Of OpenCV's filters, only INTER_AREA looks at every pixel
of a picture that shrinks.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
from common import HEIGHT, WIDTH, Record, arguments, heading, interleaved, page, save, table
from PIL import Image

from pixtrim import _native
from pixtrim.kernels.filters import FILTERS, weights
from pixtrim.operators.resize import resize

SIZES = [(1344, 756), (960, 540), (480, 270)]
PILLOW = {"box": Image.Resampling.BOX, "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
OPENCV = {"INTER_AREA": cv2.INTER_AREA, "INTER_CUBIC": cv2.INTER_CUBIC, "INTER_LANCZOS4": cv2.INTER_LANCZOS4}

Calls = dict[tuple[str, str], Callable[[], object]]


def calls(size: tuple[int, int]) -> Calls:
    """List what is timed, by library and filter."""
    pixels = page()
    picture = Image.fromarray(pixels)
    axes = [(HEIGHT, size[1]), (WIDTH, size[0])]
    every: Calls = {}
    for name in FILTERS:
        tables = tuple(array for axis in axes for array in weights(*axis, name))
        every["pixtrim", name] = lambda name=name: resize(pixels, size, filter=name)
        every["pixtrim, weights", name] = lambda name=name: [weights.__wrapped__(*axis, name) for axis in axes]
        for level in _native.levels():
            every[f"kernel, {level}", name] = lambda t=tables, v=level: _native.resample(pixels, *t, level=v)
    for name, filter in PILLOW.items():
        every["Pillow", name] = lambda filter=filter: picture.resize(size, filter)
    for name, filter in OPENCV.items():
        every["OpenCV", name] = lambda filter=filter: cv2.resize(pixels, size, interpolation=filter)
    return every


def measure() -> list[Record]:
    """Return one record for each size, library and filter."""
    return [
        {"from": f"{WIDTH}x{HEIGHT}", "to": "{}x{}".format(*size), "library": library, "filter": filter, "ms": ms}
        for size in SIZES
        for (library, filter), ms in interleaved(calls(size)).items()
    ]


def main() -> None:
    """Print a table; with --save, write the figures into the results as well."""
    options = arguments("Time resize beside Pillow and OpenCV.", "resize").parse_args()
    cv2.setNumThreads(1)
    heading()
    figures = measure()
    table(figures)
    if options.save:
        save("resize", figures)


if __name__ == "__main__":
    main()
