"""Time the kernels on one core, at each vector level, beside a plain copy of the same picture.

Run: python benchmarks/kernels.py [--json]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixtrim import _native
from pixtrim.kernels import reference

HEIGHT, WIDTH, THRESHOLD, REPEATS = 1080, 1920, 8, 60
BOX = (0, HEIGHT, 0, WIDTH)


def noise() -> NDArray[np.uint8]:
    """Every pixel differs from its neighbours: the slowest input."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def page() -> NDArray[np.uint8]:
    """A white page with grey blocks in the place of letters."""
    rng = np.random.default_rng(0)
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for y in range(40, HEIGHT - 40, 24):
        for x in range(100, WIDTH - 200, 10):
            pixels[y : y + 12, x : x + 7] = rng.integers(0, 256, (12, 7, 1), np.uint8)
    return pixels


def median_ms(call: Callable[[], object]) -> float:
    """Time a call: the median of the repeats, in milliseconds."""
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000


def measure() -> Iterator[dict[str, object]]:
    """Yield one record for each picture, kernel and level."""
    for kind in (noise, page):
        pixels = kind()
        other = np.empty_like(pixels)
        yield record(kind, "copy", "NumPy", median_ms(lambda other=other, pixels=pixels: np.copyto(other, pixels)))
        down, _ = reference.change_bits(pixels, THRESHOLD)
        for level in _native.levels():
            calls: dict[str, Callable[[], object]] = {
                "change_bits": lambda p=pixels, v=level: _native.change_bits(p, THRESHOLD, level=v),
                "row_counts": lambda d=down, v=level: _native.row_counts(d, *BOX, level=v),
                "column_counts": lambda d=down, v=level: _native.column_counts(d, *BOX, level=v),
            }
            for name, call in calls.items():
                yield record(kind, name, level, median_ms(call))


def record(kind: Callable[[], object], kernel: str, level: str, ms: float) -> dict[str, object]:
    """Describe one measurement."""
    return {"picture": kind.__name__, "kernel": kernel, "level": level, "ms": round(ms, 4)}


def machine() -> dict[str, str]:
    """Describe what the figures hold for."""
    names = [line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("model name")]
    cpu = names[0] if names else platform.processor()
    return {"cpu": cpu, "python": platform.python_version(), "numpy": np.__version__}


def cpu_lines() -> list[str]:
    """Read the description of the processors where the system has one."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def main() -> None:
    """Print a table, or one JSON object a line."""
    parser = argparse.ArgumentParser(description="Time the kernels.")
    parser.add_argument("--json", action="store_true", help="print JSON Lines, the first describes the machine")
    as_json = parser.parse_args().json
    print(json.dumps(machine()) if as_json else ", ".join(machine().values()))
    for one in measure():
        print(json.dumps(one) if as_json else "{picture:6} {kernel:14} {level:9} {ms:8.3f} ms".format(**one))


if __name__ == "__main__":
    main()
