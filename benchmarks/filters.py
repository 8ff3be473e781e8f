"""Which filter to scale with: word recall on folded pages, and what is left of photos.

Run: python benchmarks/filters.py [--data DIR] [--save]

Pages are folded, then scaled to a budget by each filter. Photos are scaled to half their size, and back by Pillow's
bicubic filter, and compared with the original: peak signal to noise ratio in decibels, more is better.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import kinds
import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, pixels_of, save, table
from ocr import read, recall, tesseract_version
from PIL import Image
from recall import parallel

from pixtrim.kernels.filters import FILTERS
from pixtrim.operators.fold import analyse, gap_for
from pixtrim.operators.resize import resize
from pixtrim.tokens import largest_size, resolve

MODEL = "claude-sonnet-4-5"
BUDGETS = (400, 600, 1000)
STRETCH = 0.03


def folded(pixels: Pixels, budget: int) -> tuple[Pixels, tuple[int, int]]:
    """Fold a page for a budget; return it with the size that the budget gives it."""
    rule = resolve(MODEL)

    def scale(width: int, height: int) -> float:
        across, down = largest_size(rule, width, height, budget, stretch=STRETCH)
        return min(across / width, down / height)

    analysis = analyse(pixels)
    image = analysis.plan(gap_for(analysis, scale)).apply(pixels)
    return image, largest_size(rule, image.shape[1], image.shape[0], budget, stretch=STRETCH)


def measure(task: tuple[Path, int]) -> Record:
    """Read a page at a budget, by every filter."""
    path, budget = task
    image, size = folded(pixels_of(path), budget)
    truth = kinds.text_layer(path)
    return {"budget": budget, **{name: recall(read(resize(image, size, filter=name)), truth) for name in FILTERS}}


def decibels(path: Path) -> Record:
    """Scale a photo to half its size and back, by every filter."""
    pixels = pixels_of(path)
    height, width = pixels.shape[:2]
    record: Record = {}
    for name in FILTERS:
        small = Image.fromarray(resize(pixels, (width // 2, height // 2), filter=name))
        back = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float64)
        record[name] = float(10 * np.log10(255**2 / np.mean((back - pixels) ** 2)))
    return record


def mean(of: str, records: list[Record]) -> Record:
    return {"mean of": of, "n": len(records), **{name: fmean(record[name] for record in records) for name in FILTERS}}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], "filters")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    options = parser.parse_args()
    pages = sorted((options.data / "documents" / "pdf").glob("*.png"))
    photos = sorted((options.data / "photos" / "kodak").glob("*.*"))
    if not pages or not photos:
        give_up(f"{options.data} has no documents/pdf or photos/kodak: name the evaluation data with --data DIR")
    tesseract_version()
    heading()
    records = parallel([(path, budget) for path in pages for budget in BUDGETS], measure)
    rows = [mean(f"recall at {budget} tokens", [r for r in records if r["budget"] == budget]) for budget in BUDGETS]
    rows.append(mean("photos, decibels", [decibels(path) for path in photos]))
    table(rows)
    if options.save:
        save("filters", rows)


if __name__ == "__main__":
    main()
