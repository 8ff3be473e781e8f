"""Photos: ImageNet with classes, BSDS with segmentations, ECSSD with masks of the salient object."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import InputError, require
from pixtrim.evaluation.datasets.adapters import (
    Layout,
    beginning,
    first_truth,
    pairs,
    pictures_in,
    read_bytes,
    read_text,
    register,
    sample,
    truth_of,
)
from pixtrim.evaluation.samples import Sample, Truth
from pixtrim.image import load

__all__ = ["are_frames", "bsds", "ecssd", "imagenet", "read_mask"]

# Beside one another, and as it is published.
_BSDS: Final = (
    Layout("", "", ".mat"),
    *(Layout(f"images/{part}", f"groundTruth/{part}", ".mat") for part in ("train", "val", "test")),
)
_ECSSD: Final = (Layout("", "", "_mask.png"), Layout("images", "ground_truth_mask", ".png"))

_LABELS: Final = "labels.csv"


def _is_imagenet(root: Path) -> bool:
    return {b"file", b"wnid"} <= set(re.split(rb"[^a-z]+", beginning(root / _LABELS).partition(b"\n")[0]))


@register("imagenet", "photos with a class: pictures, and labels.csv with the columns file and wnid", _is_imagenet)
def imagenet(root: Path) -> Iterator[Sample]:
    """Yield photos labelled by the WordNet synset of their class: ``"n01616318"``."""
    path = root / _LABELS
    labels: dict[str, str] = {}
    if path.is_file():
        with truth_of(path, "a table with the columns file and wnid"):
            for row in csv.DictReader(io.StringIO(read_text(path)), strict=True):
                if not re.fullmatch(r"n\d{8}", row["wnid"]):
                    raise ValueError(f"{row['wnid']!r} is no synset such as n01616318")
                labels[row["file"]] = row["wnid"]
    for picture in pictures_in(root):
        yield sample(root, picture, "photo", Truth(label=labels.get(picture.name)))


@register("bsds", "BSDS photos: x.jpg, x.mat with segmentations", lambda r: first_truth(r, _BSDS) is not None)
def bsds(root: Path) -> Iterator[Sample]:
    """Yield photos of the Berkeley segmentation data set."""
    for picture, path in pairs(root, _BSDS):
        yield sample(root, picture, "photo", Truth(segments=partial(_segments, path) if path else None))


def _segments(path: Path) -> NDArray[np.int64]:
    """Return, out of all annotators' segmentations, that with the median number of segments; of two the coarser."""
    scipy = require("scipy.io", "evaluate", f"{path}: reading segmentations")
    data = read_bytes(path)
    try:
        content: dict[str, Any] = scipy.loadmat(io.BytesIO(data))
        drawn = [np.asarray(entry["Segmentation"][0, 0]) for entry in content["groundTruth"].flat]
        drawn.sort(key=lambda segments: int(segments.max()))
        chosen = drawn[(len(drawn) - 1) // 2]
    except Exception as error:  # whatever a damaged file makes of SciPy's reader
        raise InputError(f"{path}: is not a BSDS segmentation ({type(error).__name__}); get the file again") from error
    if chosen.ndim != 2 or chosen.dtype.kind not in "iu":
        raise InputError(f"{path}: holds {chosen.dtype} {chosen.shape}, not numbers of segments; get the file again")
    return chosen.astype(np.int64)


def _is_ecssd(root: Path) -> bool:
    found = first_truth(root, _ECSSD)
    return found is not None and not (found[0].parent == root and are_frames(root))


@register("ecssd", "photos with masks: x.jpg, x_mask.png", _is_ecssd)
def ecssd(root: Path) -> Iterator[Sample]:
    """Yield photos with a mask of the salient object, as those of ECSSD."""
    for picture, path in pairs(root, _ECSSD):
        yield sample(root, picture, "photo", Truth(mask=partial(read_mask, path, picture) if path else None))


def are_frames(root: Path) -> bool:
    """Whether pictures with masks are frames of a clip: ``00000.jpg``, five digits, as in DAVIS."""
    return all(re.fullmatch(r"\d{5}", picture.stem) for picture in pictures_in(root, without="_mask"))


def read_mask(path: Path, picture: Path, above: int = 127) -> NDArray[np.bool_]:
    """Read a mask.

    Parameters
    ----------
    path, picture : Path
        The mask, and the picture that it belongs to.
    above : int
        Where the mask is lighter than this level, the object is.

    Returns
    -------
    ndarray
        bool (H, W).

    Raises
    ------
    InputError
        If one of them cannot be read, or their sizes differ.
    """
    mask, pixels = load(path).pixels, load(picture).pixels
    if mask.shape != pixels.shape:
        sizes = [f"{array.shape[1]} x {array.shape[0]}" for array in (mask, pixels)]
        raise InputError(f"{path}: is {sizes[0]} pixels, its picture {sizes[1]}; get the files again")
    found: NDArray[np.bool_] = mask.max(axis=2) > above
    return found
