"""What the benchmarks share: timing in turn, the description of the machine, pictures, tables and saved results."""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.kernels import BACKEND

Pixels = NDArray[np.uint8]
Record = dict[str, Any]
Key = TypeVar("Key")

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SHARED_DATA = ROOT.parent / "shared" / "data"
HEIGHT, WIDTH = 1080, 1920
ROUNDS = 31
DISTRIBUTIONS = {
    "pixtrim": "pixtrim",
    "numpy": "numpy",
    "pillow": "pillow",
    "opencv": "opencv-python-headless",
    "torch": "torch",
}


# Timing


def interleaved(calls: Mapping[Key, Callable[[], object]], rounds: int = ROUNDS) -> dict[Key, float]:
    """Time calls in turn, so that whatever slows the machine down for a while slows all of them alike.

    Each round has an order of its own, so that none always finds the caches as one other left them. Returns the median
    of the rounds in milliseconds; one round before them warms up.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in calls}
    shuffle = random.Random(0)
    for turn in range(rounds + 1):
        for key in shuffle.sample(list(calls), len(calls)):
            start = time.perf_counter()
            calls[key]()
            if turn:
                seconds[key].append(time.perf_counter() - start)
    return {key: statistics.median(taken) * 1000 for key, taken in seconds.items()}


class Stopwatch:
    """Times the stages of one piece of work; call it at the end of each. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.ms: dict[str, float] = {}
        self._clock = clock
        self._last = clock()

    def __call__(self, stage: str) -> None:
        now = self._clock()
        self.ms[stage] = (now - self._last) * 1000
        self._last = self._clock()


def stages(runs: Sequence[Stopwatch]) -> dict[str, float]:
    """Return the median of each stage in milliseconds, without the first run, which warms up."""
    return {stage: statistics.median(run.ms[stage] for run in runs[1:]) for stage in runs[0].ms}


# Where, and with what


def machine() -> dict[str, str]:
    """Describe what the figures hold for."""
    about = {"cpu": cpu(), "system": f"{platform.system()} {platform.machine()}", "python": platform.python_version()}
    for name, distribution in DISTRIBUTIONS.items():
        try:
            about[name] = version(distribution)
        except PackageNotFoundError:
            continue
    return {**about, "kernels": BACKEND}


def cpu() -> str:
    """Name the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def give_up(why: str) -> NoReturn:
    """End with one line that says what is missing and how to get it, and with exit code 2."""
    print(f"{Path(sys.argv[0]).name}: {why}", file=sys.stderr)
    sys.exit(2)


# Pictures


def noise() -> Pixels:
    """Every pixel differs from its neighbours: the slowest input."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def blank() -> Pixels:
    """One colour: everything folds."""
    return np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def page() -> Pixels:
    """A white page with grey blocks in the place of letters."""
    rng = np.random.default_rng(0)
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for y in range(40, HEIGHT - 40, 24):
        for x in range(100, WIDTH - 200, 10):
            pixels[y : y + 12, x : x + 7] = rng.integers(0, 256, (12, 7, 1), np.uint8)
    return pixels


@cache
def examples() -> dict[str, bytes]:
    """Draw the pictures of examples/make_examples.py; return them as PNG files, by name."""
    with TemporaryDirectory() as folder:
        script = ROOT / "examples" / "make_examples.py"
        subprocess.run([sys.executable, str(script), folder], check=True, stdout=subprocess.DEVNULL)
        return {path.stem: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}


def pixels_of(path: Path) -> Pixels:
    """Read a picture as RGB."""
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


# Results


def arguments(description: str, results: str) -> argparse.ArgumentParser:
    """Return a parser with the option --save, which every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--save", action="store_true", help=f"write the figures to benchmarks/results/{results}.json")
    return parser


def heading() -> None:
    """Print the machine and the versions."""
    print(", ".join(f"{name} {value}" for name, value in machine().items()), end="\n\n")


def table(rows: Iterable[Record], columns: Sequence[str] = ()) -> None:
    """Print records as a table: text to the left, numbers to the right."""
    rows = list(rows)
    columns = columns or list(rows[0])
    cells = [[_shown(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    left = [all(row.get(column) is None or isinstance(row[column], str) for row in rows) for column in columns]
    for line in [list(columns), *cells]:
        parts = [
            cell.ljust(w) if is_text else cell.rjust(w) for cell, w, is_text in zip(line, widths, left, strict=True)
        ]
        print("  ".join(parts).rstrip())
    print()


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def rounded(figures: Any) -> Any:
    """Round the numbers of a record to what was measured."""
    if isinstance(figures, float):
        return round(figures, 4)
    if isinstance(figures, dict):
        return {key: rounded(value) for key, value in figures.items()}
    return [rounded(value) for value in figures] if isinstance(figures, list) else figures


def save(name: str, figures: object, *, lines: bool = False, **more: object) -> None:
    """Write figures with the command, the machine and the versions to benchmarks/results/NAME.json.

    With `lines`, each of a long list of records takes one line.
    """
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    data = {"command": command, "machine": machine(), **more, "figures": [] if lines else rounded(figures)}
    text = json.dumps(data, indent=1, ensure_ascii=False)
    if lines:
        rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rounded(figures))
        text = f"{text.removesuffix('[]' + chr(10) + '}')}[\n{rows}\n ]\n}}"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"written to benchmarks/results/{name}.json", file=sys.stderr)
