"""Check a claim: 30% fewer pixels by attention-guided seams, with embeddings that cannot be told apart.

Run: python benchmarks/tile_company.py [--save] [--data DIR]

TheTileCompany squashes a picture to 518x518 pixels and carves it to 433x433. Here every photo and video frame of the
evaluation data is brought from the same 518x518 to the same 433x433 in several ways, and compared with the 518x518:
by the cosine of all pixels after a resize back, which is the program's own measure, and by the class token of
DeiT-Tiny. "carve, theirs" is `pixtrim.operators.carve.tile_company`, which repeats the program's carve; the attention
that guides it is that of DeiT-Tiny, the last block, where the program takes DINOv2's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, save, table
from numpy.typing import NDArray
from PIL import Image

from pixtrim.evaluation.datasets import of_kinds, open_datasets
from pixtrim.evaluation.judges.encoders import encoder_named
from pixtrim.evaluation.statistics import interval
from pixtrim.importance import importance_of
from pixtrim.operators.carve import carve, tile_company
from pixtrim.operators.resize import resize
from pixtrim.operators.warp import warp

SIDE, NEW = 518, 433
KINDS = ("photo", "video frame")
WEIGHTS = "weights/deit_tiny_fp16.npz"

Ways = dict[str, Callable[[], Pixels]]


def ways(squashed: Pixels, attention: NDArray[np.float32]) -> Ways:
    """Return what makes a squashed picture smaller, by name."""
    size = (NEW, NEW)
    own = importance_of(squashed, "text+saliency")
    return {
        "resize": partial(resize, squashed, size),
        "carve, theirs": lambda: tile_company(squashed, attention).image,
        "carve, attention": lambda: carve(squashed, size, attention, energy="forward").image,
        "carve, text+saliency": lambda: carve(squashed, size, own, energy="forward").image,
        "warp, attention": lambda: warp(squashed, size, attention).image,
        "warp, text+saliency": lambda: warp(squashed, size, own).image,
    }


def pixel_cosine(original: Pixels, reduced: Pixels) -> float:
    """Return the cosine of all levels, after a bilinear resize back."""
    back = Image.fromarray(reduced).resize(original.shape[1::-1], Image.Resampling.BILINEAR)
    a, b = (np.asarray(picture, np.float64).ravel() for picture in (original, back))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def pictures(data: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield the group and the pixels of every photo and frame; frames of a film are one group."""
    for sample in of_kinds(open_datasets([str(data)]), KINDS):
        yield sample.group, sample.pixels


def measure(data: Path) -> list[Record]:
    """Return a record for each way and measure, with the difference to a plain resize."""
    encoder = encoder_named(str(data / WEIGHTS))
    scores: dict[tuple[str, str], list[float]] = {}
    groups: list[str] = []
    for group, pixels in pictures(data):
        squashed = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        squashed = np.ascontiguousarray(squashed)
        groups.append(group)
        cls = encoder.embed(squashed).cls
        for name, make in ways(squashed, importance_of(squashed, f"attention:{data / WEIGHTS}")).items():
            reduced = make()
            seen = encoder.embed(reduced).cls
            cosine = float(seen @ cls / (np.linalg.norm(seen) * np.linalg.norm(cls)))
            scores.setdefault((name, "embedding"), []).append(cosine)
            scores.setdefault((name, "pixels"), []).append(pixel_cosine(squashed, reduced))
            same = float(encoder.classify(reduced) == encoder.classify(squashed))
            scores.setdefault((name, "same class"), []).append(same)
    return [record(name, what, scores, groups) for name, what in scores]


def record(name: str, what: str, scores: dict[tuple[str, str], list[float]], groups: list[str]) -> Record:
    """Sum up one measure of one way."""
    values = np.array(scores[name, what])
    difference: Any = interval(values - np.array(scores["resize", what]), groups)
    mean, low, high = interval(values, groups)
    found = {"way": name, "measure": what, "pictures": len(values), "mean": mean, "low": low, "high": high}
    found |= {"least": float(values.min()), "difference": difference[0]}
    return found | {"difference_low": difference[1], "difference_high": difference[2]}


def main() -> None:
    """Print the table; with --save, write it as well."""
    parser = arguments("Check what carving to 433x433 pixels by attention leaves of a picture.", "tile-company")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    options = parser.parse_args()
    if not (options.data / WEIGHTS).is_file():
        give_up(f"no evaluation data in {options.data}: name their folder with --data")
    heading()
    figures = measure(options.data)
    table(figures)
    if options.save:
        save("tile-company", figures)


if __name__ == "__main__":
    main()
