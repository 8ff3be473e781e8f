"""Time folding on one core, stage by stage, beside OpenCV's area resize.

Run: python benchmarks/fold.py [--data DIR] [--save]

`fold` is what a caller does: look at the picture, plan for a gap, apply the plan. The stages are the same work in
pieces: measure the noise, find the changes, cut the page into blocks, plan, apply. `gap search` comes on top where
the gap belongs to a budget. Beside them stand a copy of the picture, OpenCV's INTER_AREA to the size that folding
leaves (a copy where nothing folds), and to a half of the tokens. The pages and screenshots of the evaluation data are
taken where they are.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from common import (
    ROUNDS,
    SHARED_DATA,
    Pixels,
    Record,
    Stopwatch,
    arguments,
    blank,
    examples,
    heading,
    interleaved,
    noise,
    pixels_of,
    save,
    stages,
    table,
)
from PIL import Image

from pixtrim.operators.fold import Analysis, FoldPlan, analyse, gap_for
from pixtrim.operators.fold.changes import Changes, measure_noise
from pixtrim.tokens import largest_size, resolve

GAP = 10
MODEL = resolve("claude-opus-4-7")
TARGET_MS = 3.0  # 1920x1080, a dashboard
SHARED = {"web page": "gui_single/web/*.png", "150-dpi page": "documents/pdf/*.png"}


def pictures(data: Path) -> dict[str, Pixels]:
    """Return the pictures by name."""
    drawn = {name: np.array(Image.open(io.BytesIO(file)).convert("RGB")) for name, file in examples().items()}
    found = {"dashboard": drawn["dashboard"], "two columns": drawn["two_columns"]}
    for name, pattern in SHARED.items():
        paths = sorted(data.glob(pattern))
        if paths:
            found[name] = pixels_of(paths[0])
    return {**found, "noise": noise(), "blank": blank()}


def fold(pixels: Pixels) -> Pixels:
    """Fold a picture."""
    return analyse(pixels).plan(GAP).apply(pixels)


def in_stages(pixels: Pixels) -> Stopwatch:
    """Fold a picture, and time the pieces."""
    watch = Stopwatch()
    found = measure_noise(pixels)
    watch("noise")
    changes = Changes(pixels, found)
    watch("changes")
    analysis = Analysis(changes)
    watch("blocks")
    plan: FoldPlan = analysis.plan(GAP)
    watch("plan")
    plan.apply(pixels)
    watch("apply")
    half = MODEL.count(*plan.original_size) // 2
    gap_for(analysis, lambda width, height: largest_size(MODEL, width, height, half)[1] / height)
    watch("gap search")
    return watch


def measure(name: str, pixels: Pixels) -> Record:
    """Time one picture."""
    height, width = pixels.shape[:2]
    folded = fold(pixels).shape[1::-1]
    half = largest_size(MODEL, width, height, MODEL.count(width, height) // 2)
    runs: list[Stopwatch] = []
    ms = interleaved(
        {
            "fold": partial(fold, pixels),
            "stages": lambda: runs.append(in_stages(pixels)),
            "copy": pixels.copy,
            "area, same size": partial(cv2.resize, pixels, folded, interpolation=cv2.INTER_AREA),
            "area, half": partial(cv2.resize, pixels, half, interpolation=cv2.INTER_AREA),
        }
    )
    del ms["stages"]
    sizes = {"size": f"{width}x{height}", "folded": "{}x{}".format(*folded)}
    return {"picture": name, **sizes, **ms, "same size / fold": ms["area, same size"] / ms["fold"], **stages(runs)}


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("Time folding on one core, beside OpenCV's area resize.", "fold")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    heading()
    print(
        f"milliseconds, medians of {ROUNDS} rounds in turn; gap {GAP}; the target for 1920x1080 is {TARGET_MS:g} ms\n"
    )
    figures = [measure(name, pixels) for name, pixels in pictures(options.data).items()]
    parts = ["noise", "changes", "blocks", "plan", "apply", "gap search"]
    table(figures, [column for column in figures[0] if column not in parts])
    table(figures, ["picture", *parts])
    if options.save:
        save("fold", figures, rounds=ROUNDS, gap=GAP, target_ms=TARGET_MS)


if __name__ == "__main__":
    main()
