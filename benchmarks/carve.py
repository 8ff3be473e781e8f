"""Time carving on one core, beside other seam carvers and plain scaling.

Run: python benchmarks/carve.py [--data DIR] [--tile-company DIR] [--slow] [--save]

Each picture loses about 30 % of its pixels. The importance is a blurred ellipse, the same for all who take one.
seam-carving and seamop come from PyPI; ImageMagick's -liquid-rescale is the program `convert`, which reads and writes
PPM files, so that its time has those of a process and of two files in it; --tile-company names a checkout of
https://github.com/DEboy2007/TheTileCompany, whose seams are run on that importance in the place of its attention. What
is not there is left out, with a line that says so. Peers are timed in turn with pixtrim, in few rounds, as they take
seconds; on 1920x1080 only with --slow, once. Memory is what a process of its own needed at its peak above what it
needed before the call, in MB.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from common import ROUNDS, SHARED_DATA, Pixels, Record, arguments, heading, interleaved, pixels_of, save, table
from numpy.typing import NDArray
from PIL import Image

from pixtrim.operators.carve import carve
from pixtrim.operators.warp import warp

TASKS = (((518, 518), (433, 433)), ((1920, 1080), (1606, 903)))
FEW = 3
TARGETS = {"gradient": (6, 60), "importance": (6, 60), "forward, importance": (12, None), "warp, area": (1.5, 8)}  # ms

Call = Callable[[], object]
Importance = NDArray[np.float32]


def picture(data: Path, size: tuple[int, int]) -> Pixels:
    """Return a photo of that size, or smooth noise where the evaluation data are not there."""
    paths = sorted((data / "photos" / "kodak").glob("*.png"))
    if paths:
        return np.array(Image.fromarray(pixels_of(paths[0])).resize(size, Image.Resampling.LANCZOS))
    rough = np.random.default_rng(0).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    return np.array(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC))


def ellipse(size: tuple[int, int]) -> Importance:
    """An importance with one object in the middle."""
    x, y = (np.linspace(-2, 2, length, dtype=np.float32) ** 2 for length in size)
    return np.exp(-(y[:, None] + x[None, :]))


def own(pixels: Pixels, size: tuple[int, int], importance: Importance) -> dict[str, Call]:
    """What pixtrim offers, and plain scaling."""
    image = Image.fromarray(pixels)
    return {
        "gradient": lambda: carve(pixels, size, energy="gradient"),
        "importance": lambda: carve(pixels, size, importance, energy="importance"),
        "gradient, importance": lambda: carve(pixels, size, importance, energy="gradient"),
        "forward": lambda: carve(pixels, size, energy="forward"),
        "forward, importance": lambda: carve(pixels, size, importance, energy="forward"),
        "gradient, one a pass": lambda: carve(pixels, size, energy="gradient", seams_per_pass=1),
        "warp": lambda: warp(pixels, size, importance),
        "warp, area": lambda: warp(pixels, size, importance, filter="area"),
        "Pillow, Lanczos": lambda: image.resize(size, Image.Resampling.LANCZOS),
        "OpenCV, area": lambda: cv2.resize(pixels, size, interpolation=cv2.INTER_AREA),
    }


def peers(pixels: Pixels, size: tuple[int, int], importance: Importance, tiles: Path | None) -> dict[str, Call]:
    """Other seam carvers, as far as they are there."""
    found: dict[str, Call] = {}
    width, height = size
    if importlib.util.find_spec("seam_carving"):
        import seam_carving

        for mode in ("backward", "forward"):
            found[f"seam-carving, {mode}"] = partial(seam_carving.resize, pixels, size, energy_mode=mode)
    if importlib.util.find_spec("seamop"):
        import seamop

        for strategy in seamop.CarvingStrategy:
            name = f"seamop, {strategy.name.lower()}"
            found[name] = partial(seamop.resize, pixels, height=height, width=width, strategy=strategy)
    if shutil.which("convert"):
        found["ImageMagick, liquid-rescale"] = partial(liquid_rescale, pixels, size)
    if tiles:
        theirs = tile_company(tiles)
        image, share = Image.fromarray(pixels), 1 - width * height / (pixels.shape[1] * pixels.shape[0])
        found["TheTileCompany"] = lambda: theirs.seam_carve_image(image, importance, share)
    return found


def liquid_rescale(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Carve with ImageMagick, on one thread."""
    with TemporaryDirectory() as folder:
        before, after = Path(folder, "a.ppm"), Path(folder, "b.ppm")
        Image.fromarray(pixels).save(before)
        command = [
            "convert",
            "-limit",
            "thread",
            "1",
            str(before),
            "-liquid-rescale",
            "{}x{}!".format(*size),
            str(after),
        ]
        subprocess.run(command, check=True)
        return pixels_of(after)


def tile_company(checkout: Path) -> Any:
    """Load the program's module; what its seams do not need may be missing."""
    for name in ("torch", "requests"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
    path = checkout / "Backend" / "compression_api.py"
    spec = importlib.util.spec_from_file_location("tile_company_peer", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"carve.py: {path} is not there: clone https://github.com/DEboy2007/TheTileCompany")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def missing(tiles: Path | None) -> list[str]:
    """Say what is not there, and how to get it."""
    lines = [
        f"left out: {name} (pip install {name})"
        for name, module in (("seam-carving", "seam_carving"), ("seamop", "seamop"))
        if importlib.util.find_spec(module) is None
    ]
    lines += [] if shutil.which("convert") else ["left out: ImageMagick (apt-get install imagemagick)"]
    lines += [] if tiles else ["left out: TheTileCompany (clone it, and name the folder with --tile-company)"]
    return lines


def peak_of(name: str, task: int, options: argparse.Namespace) -> float | None:
    """Measure the memory of one call in a process of its own, MB; not that of a program that it starts."""
    if name.startswith("ImageMagick"):
        return None
    command = [sys.executable, __file__, "--memory", name, str(task), "--data", str(options.data)]
    command += ["--tile-company", str(options.tile_company)] if options.tile_company else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def memory(name: str, task: int, options: argparse.Namespace) -> None:
    """Print how much more memory a call needs than there was before it."""
    size, new_size = TASKS[task]
    pixels, importance = picture(options.data, size), ellipse(size)
    calls = {**own(pixels, new_size, importance), **peers(pixels, new_size, importance, options.tile_company)}
    call = calls[name]
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is held now
    before = held("VmRSS")
    call()
    print(json.dumps((held("VmHWM") - before) / 1024))


def held(what: str) -> int:
    """Return a figure of this process's memory, KB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def measure(task: int, options: argparse.Namespace) -> list[Record]:
    """Return one record for each way to a size."""
    size, new_size = TASKS[task]
    pixels, importance = picture(options.data, size), ellipse(size)
    mine = own(pixels, new_size, importance)
    others = peers(pixels, new_size, importance, options.tile_company) if task == 0 or options.slow else {}
    ms = interleaved(mine, ROUNDS if task == 0 else ROUNDS // 2)
    if others:
        fast = {key: mine[key] for key in ("gradient", "importance")}
        few = interleaved({**fast, **others}, FEW) if task == 0 else once(others)
        ms |= {name: few[name] for name in others}
    sizes = {"from": "{}x{}".format(*size), "to": "{}x{}".format(*new_size)}
    return [
        {
            **sizes,
            "what": name,
            "ms": taken,
            "target": TARGETS.get(name, (None, None))[task],
            "ratio": taken / ms["gradient"],
            "MB": peak_of(name, task, options),
        }
        for name, taken in ms.items()
    ]


def once(calls: dict[str, Call]) -> dict[str, float]:
    """Time calls that take many seconds a single time, in milliseconds."""
    import time

    taken = {}
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        taken[name] = (time.perf_counter() - start) * 1000
    return taken


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("Time carving on one core, beside other seam carvers.", "carve")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument("--tile-company", type=Path, help="a checkout of TheTileCompany")
    parser.add_argument("--slow", action="store_true", help="run the peers on 1920x1080, too, which takes minutes")
    parser.add_argument("--memory", nargs=2, metavar=("WHAT", "TASK"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.memory:
        memory(options.memory[0], int(options.memory[1]), options)
        return
    heading()
    print("\n".join(missing(options.tile_company)))
    print("milliseconds, medians of rounds in turn; ratio: to carving by gradient; MB: peak above the start\n")
    figures = []
    for task in range(len(TASKS)):
        records = measure(task, options)
        table(records)
        figures += records
    if options.save:
        save("carve", figures, rounds=ROUNDS, rounds_of_peers=FEW)


if __name__ == "__main__":
    main()
