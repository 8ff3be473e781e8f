"""Where reading breaks down: word recall by the height of the scaled lines.

Run: python benchmarks/legibility.py [--data DIR] [--save]

Typeset pages are scaled by several factors; the height of their lines, as pixtrim.legibility finds it, times the factor
is what they are read at. LEAST_HEIGHT, below which `shrink` warns, stands where recall breaks down.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import fmean

import kinds
from common import SHARED_DATA, Record, arguments, give_up, heading, pixels_of, save, table
from ocr import read, recall, tesseract_version
from recall import parallel

from pixtrim.legibility import LEAST_HEIGHT, text_height
from pixtrim.operators.fold.changes import Changes, measure_noise
from pixtrim.operators.resize import resize

SCALES = (0.35, 0.42, 0.5, 0.6, 0.7, 0.8, 1.0)
EDGES = (0, 5, 6, 7, 8, 9, 10, 12, 14, 100)


def measure(task: tuple[Path, float]) -> Record | None:
    """Scale a page and read it; None where the height of its lines is not known."""
    path, scale = task
    pixels = pixels_of(path)
    lines = text_height(Changes(pixels, measure_noise(pixels)))
    if lines is None:
        return None
    height, width = pixels.shape[:2]
    scaled = resize(pixels, (round(width * scale), round(height * scale)))
    return {"page": path.stem, "height": lines * scale, "recall": recall(read(scaled), kinds.text_layer(path))}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], "legibility")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    options = parser.parse_args()
    pages = sorted((options.data / "documents" / "pdf").glob("*.png"))
    if not pages:
        give_up(f"{options.data} has no documents/pdf/*.png: name the evaluation data with --data DIR")
    tesseract_version()
    heading()
    tasks = [(path, scale) for path in pages for scale in SCALES]
    records = [record for record in parallel(tasks, measure) if record]
    rows = []
    for low, high in pairwise(EDGES):
        found = [record["recall"] for record in records if low <= record["height"] < high]
        if found:
            lines = f"{low} to {high}" if high < EDGES[-1] else f"{low} and more"
            rows.append({"lines, px": lines, "pages": len(found), "recall": fmean(found), "worst": min(found)})
    table(rows)
    print(f"\nshrink warns below {LEAST_HEIGHT:g} pixels")
    if options.save:
        save("legibility", rows, least_height=LEAST_HEIGHT)


if __name__ == "__main__":
    main()
