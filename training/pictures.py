"""Pictures and masks for training, read from folders, without those that are kept for measuring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}
SIDE = 320  # pictures are kept as squares of this many pixels; training crops and stretches them anyway
THUMBNAIL = 16
ALIKE = 6.0  # mean difference of two thumbnails, in levels, below which they show the same picture

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A picture as a square, with its aspect (width / height) and its mask, if there is one."""

    path: Path
    pixels: Pixels
    aspect: float
    mask: Pixels | None


def files(folders: Iterable[Path]) -> list[Path]:
    """List the pictures below folders, by name; masks that lie beside their pictures are none."""
    found = (path for folder in folders for path in sorted(folder.rglob("*")))
    return [p for p in found if p.suffix.lower() in SUFFIXES and not p.stem.endswith(("_mask", "_labels"))]


def thumbnail(picture: Image.Image) -> NDArray[np.float32]:
    """Return what tells pictures apart, whatever their size and encoding: float32 (16, 16, 3), in levels."""
    small = picture.convert("RGB").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def thumbnails(folders: Sequence[Path]) -> NDArray[np.float32]:
    """Return the thumbnails of all pictures below folders: float32 (n, 16, 16, 3)."""
    found = []
    for path in files(folders):
        with Image.open(path) as picture:
            found.append(thumbnail(picture))
    return np.stack(found) if found else np.zeros((0, THUMBNAIL, THUMBNAIL, 3), np.float32)


def read(folders: Sequence[Path], masks: Sequence[Path], excluded: NDArray[np.float32]) -> tuple[list[Picture], int]:
    """Read the pictures of folders that are not among the excluded thumbnails.

    Parameters
    ----------
    folders : sequence of path
        Where pictures are.
    masks : sequence of path
        Folders with a PNG for a picture of the same stem, white where the salient object is.
    excluded : ndarray
        float32 (n, 16, 16, 3), of `thumbnails`.

    Returns
    -------
    pictures : list of Picture
    left_out : int
        How many were left out, as they look like an excluded one.
    """
    kept, left_out = [], 0
    for path in files(folders):
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
        if len(excluded) and np.abs(excluded - thumbnail(rgb)).mean(axis=(1, 2, 3)).min() < ALIKE:
            left_out += 1
            continue
        square = np.asarray(rgb.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        kept.append(Picture(path, square, rgb.width / rgb.height, _mask(path, masks)))
    return kept, left_out


def _mask(path: Path, folders: Sequence[Path]) -> Pixels | None:
    for folder in folders:
        file = folder / f"{path.stem}.png"
        # Stems such as "1" are common: a mask is only for pictures of the folder's own parent.
        if file.is_file() and path.parent.parent == folder.parent:
            with Image.open(file) as picture:
                return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    return None
