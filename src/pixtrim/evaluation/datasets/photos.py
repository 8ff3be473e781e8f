"""Photos: ImageNet with classes, BSDS with segmentations, ECSSD with masks of the salient object, ICDAR with words."""

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
    box,
    first_truth,
    lines,
    pairs,
    pictures_in,
    read_bytes,
    read_text,
    register,
    sample,
    truth_of,
)
from pixtrim.evaluation.samples import Box, Sample, Truth
from pixtrim.image import load

__all__ = ["are_frames", "bsds", "ecssd", "icdar", "imagenet", "read_mask"]

# Beside one another, and as it is published.
_BSDS: Final = (
    Layout("", "", ".mat"),
    *(Layout(f"images/{part}", f"groundTruth/{part}", ".mat") for part in ("train", "val", "test")),
)
_ECSSD: Final = (Layout("", "", "_mask.png"), Layout("images", "ground_truth_mask", ".png"))

_ICDAR: Final = (
    ("", ""),
    *((f"ch4_{part}_images", f"ch4_{part}_localization_transcription_gt") for part in ("training", "test")),
)

_LABELS: Final = "labels.csv"
_CORNERS: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:-?\d+,){8}")
_UNREADABLE: Final = "###"  # the word of what nobody could read, in ICDAR


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


def _words_of(root: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield the pictures of a folder in ICDAR's layout, each with its file of words; None where there is none."""
    for folder, words in _ICDAR:
        if (root / folder).is_dir() and any((root / words).glob("gt_*.txt")):
            for picture in pictures_in(root / folder):
                path = root / words / f"gt_{picture.stem}.txt"
                yield picture, path if path.is_file() else None


def _is_icdar(root: Path) -> bool:
    path = next((path for _, path in _words_of(root) if path is not None), None)
    return path is not None and _CORNERS.match(beginning(path)) is not None


@register(
    "icdar", "photos with words, as ICDAR 2015: x.jpg, gt_x.txt with four corners and the text of each word", _is_icdar
)
def icdar(root: Path) -> Iterator[Sample]:
    """Yield photos with words in them; an element is the box around a word, and its label is the word.

    The text is that of all words in the order of the file. Words marked as unreadable are left out.
    """
    for picture, path in _words_of(root):
        words = _words(path) if path else ()
        truth = Truth(text=lines(word.label for word in words), elements=words or None)
        yield sample(root, picture, "scene text", truth)


def _words(path: Path) -> tuple[Box, ...]:
    with truth_of(path, "a list of the words of a photo"):
        parts = [line.split(",", 8) for line in read_text(path).splitlines() if line.strip()]
        for number, part in enumerate(parts, 1):
            if len(part) < 9 or not all(re.fullmatch(r"\s*-?\d+\s*", value) for value in part[:8]):
                raise ValueError(f"line {number} does not hold eight coordinates and a text")
        words = [(*_around([int(value) for value in part[:8]]), part[8].strip()) for part in parts]
        found = [box(*word) for word in words if word[4] not in ("", _UNREADABLE)]
    return tuple(found)


def _around(corners: list[int]) -> tuple[int, int, int, int]:
    """Return the upright box around four corners."""
    x, y = corners[::2], corners[1::2]
    return min(x), min(y), max(x), max(y)
