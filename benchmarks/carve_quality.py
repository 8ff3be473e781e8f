"""What carving keeps of objects, by energy, strength, rounds and seams per pass: what its defaults were chosen by.

Run: python benchmarks/carve_quality.py [--save] [--data DIR]

Every second picture of ECSSD loses half of its pixels. The importance is the object's own mask, blurred (a standard
deviation of 12 pixels) and brought to 0.8, or the spectral residual, or none. Kept are shares of the pixels of the
object, and of the sum of the gradients of the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, pixels_of, save, table
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pixtrim.importance import importance_of
from pixtrim.operators.carve import carve

SHARE = 0.5  # of the pixels that stay
BLUR, LEVEL = 12, 0.8
ENERGIES = ("gradient", "forward")
STRENGTHS = (0.2, 0.5, 1.0)
DEFAULT = {"energy": "forward", "strength": 0.5, "rounds": 1, "seams_per_pass": 1}

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]


def pictures(data: Path) -> list[tuple[Pixels, Mask]]:
    """Return pictures with the masks of their objects."""
    paths = sorted((data / "photos" / "ecssd").glob("*.jpg"))[::2]
    found = []
    for path in paths:
        mask = np.asarray(Image.open(path.with_name(f"{path.stem}_mask.png")).convert("L")) > 127
        found.append((pixels_of(path), mask))
    return found


def blurred(mask: Mask) -> Map:
    """Return a mask as an importance without edges."""
    soft = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(BLUR))
    return np.asarray(soft, np.float32) * np.float32(LEVEL / 255)


def gradients(pixels: Pixels) -> NDArray[np.float64]:
    """Return how much each pixel differs from the one before it, along both axes."""
    grey = pixels.mean(axis=2)
    return np.abs(np.diff(grey, axis=1, prepend=grey[:, :1])) + np.abs(np.diff(grey, axis=0, prepend=grey[:1]))


def settings() -> list[tuple[str, dict[str, Any]]]:
    """List what is compared: the importance, and how it is carved by."""
    every: list[tuple[str, dict[str, Any]]] = [("none", {**DEFAULT, "energy": energy}) for energy in ENERGIES]
    for source in ("mask", "spectral residual"):
        for energy in ENERGIES:
            every += [(source, {**DEFAULT, "energy": energy, "strength": strength}) for strength in STRENGTHS]
        every.append((source, {**DEFAULT, "energy": "importance", "strength": 1.0}))
    every += [("mask", {**DEFAULT, "rounds": rounds}) for rounds in (2, 4, 8)]
    every += [("none", {**DEFAULT, "energy": "gradient", "rounds": rounds}) for rounds in (2, 4, 8)]
    every += [("mask", {**DEFAULT, "seams_per_pass": seams}) for seams in (2, 3, 4)]
    return every


def measure(data: Path) -> list[Record]:
    """Return a record for each setting."""
    given = [(p, m, {"none": None, "mask": blurred(m), "spectral residual": spectral(p)}) for p, m in pictures(data)]
    figures = []
    for source, how in settings():
        kept = []
        for pixels, mask, maps in given:
            side = SHARE**0.5
            size = round(pixels.shape[1] * side), round(pixels.shape[0] * side)
            carved = carve(pixels, size, maps[source], **how)
            stayed = carved.seams()[0] == 0
            weights = gradients(pixels)
            kept.append((mask[stayed].sum() / mask.sum(), weights[stayed].sum() / weights.sum()))
        objects, edges = np.mean(kept, axis=0).tolist()
        figures.append({"importance": source, **how, "pictures": len(kept), "object": objects, "gradient": edges})
    return figures


def spectral(pixels: Pixels) -> Map:
    return importance_of(pixels, "spectral_residual")


def main() -> None:
    """Print the table; with --save, write it as well."""
    parser = arguments("What carving keeps of objects, by its settings.", "carve-quality")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    options = parser.parse_args()
    if not (options.data / "photos" / "ecssd").is_dir():
        give_up(f"no evaluation data in {options.data}: name their folder with --data")
    heading()
    figures = measure(options.data)
    table(figures)
    if options.save:
        save("carve-quality", figures)


if __name__ == "__main__":
    main()
