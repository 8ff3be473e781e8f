"""Where a picture changes: the only part of folding that looks at pixels.

Two bit maps say for each pixel whether it differs from the one above and from the one on the left. Everything that
folding wants to know of a box, such as which of its rows repeat the row before or are of one colour, is a count of
their bits. Two more say where the picture drifts, so that a smooth gradient does not fold away.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.operators.fold.drift import drifted_columns, drifted_rows

__all__ = ["Box", "Changes", "Noise", "measure_noise"]

Box = tuple[int, int, int, int]
"""(y0, y1, x0, x1), half open."""

Axis = Literal[0, 1]
"""0: rows, along the height. 1: columns, along the width."""

Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

CLEAN_THRESHOLD = 2
NOISY_THRESHOLDS = (8, 24)
SAMPLE_ROWS = 64
GREY = 8  # levels between the channels
FLAT = 48  # a larger step between neighbours is an edge, not noise
SPECK_SHARE = 0.008  # of the rows; typeset pages and screenshots stay below .003, scans of forms are above .01
SPECK = 3
SPECK_BAND = 64  # about eight bands of so many rows stand for the whole picture
DRIFT = (8, 3)  # levels, and thresholds, that a pixel may drift without a change: scanners shade paper by about as much
STROKE = 5  # shorter edges are specks on a noisy picture: less than the height of the smallest legible letters


@dataclass(frozen=True)
class Noise:
    """What counts as equal on a picture.

    Attributes
    ----------
    threshold : int
        The largest difference between neighbours, in levels (0 to 255), that is no change.
    specks : int
        Edges shorter than this many pixels do not count either; 0 where every change counts.
    """

    threshold: int = CLEAN_THRESHOLD
    specks: int = 0


def measure_noise(pixels: NDArray[np.uint8]) -> Noise:
    """Tell a clean picture (a rendering, a screenshot) from a noisy one (a scan, a JPEG), and how noisy it is.

    On a clean picture nine tenths of all neighbours that are no edge are equal to the level. Specks count on grey
    pictures alone: in colour, dotted rules and icons look the same.
    """
    sample = np.ascontiguousarray(pixels[:: max(1, len(pixels) // SAMPLE_ROWS)])
    edges = _changing(sample, FLAT)
    most = 0.1 * (sample.shape[0] * sample.shape[1] - edges)
    low, high = 0, FLAT if _changing(sample, 0) - edges > most else 0
    while low < high:  # the smallest level that nine tenths of the flat neighbours stay within
        middle = (low + high) // 2
        if _changing(sample, middle) - edges <= most:
            high = middle
        else:
            low = middle + 1
    noisy = Noise(min(max(3 * low, NOISY_THRESHOLDS[0]), NOISY_THRESHOLDS[1]), STROKE)
    if low > 0:
        return noisy
    red, green, blue = (sample[::4, ::4, channel].astype(np.int16) for channel in range(3))
    grey = bool((np.abs(red - green) <= GREY).all() and (np.abs(green - blue) <= GREY).all())
    return noisy if grey and _speck_rows(pixels) >= SPECK_SHARE else Noise()


def _changing(pixels: NDArray[np.uint8], threshold: int) -> int:
    """Count the pixels that differ from the one on the left."""
    right = kernels.change_bits(pixels, threshold)[1]
    return int(kernels.row_counts(right, 0, len(pixels), 0, pixels.shape[1]).sum())


def _speck_rows(pixels: NDArray[np.uint8]) -> float:
    """Return the share of rows on which nothing but specks change."""
    bands = max(1, len(pixels) // SPECK_BAND // 8)
    rows = [pixels[top : top + SPECK_BAND] for top in range(0, len(pixels), SPECK_BAND * bands)]
    share = 0
    for band in rows:
        down, right = kernels.change_bits(np.ascontiguousarray(band), CLEAN_THRESHOLD)
        kept, _ = _without_specks(down, right, SPECK)
        share += int((down.any(axis=1) & ~kept.any(axis=1)).sum())
    return share / sum(map(len, rows))


class Changes:
    """The changes of a picture, asked for box by box.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3).
    noise : Noise
        What counts as equal.
    protect : ndarray, optional
        int (N, 4), boxes as (x0, y0, x1, y1): everything inside counts as changing, so that nothing folds there.
    threads : int
        The most threads to use.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        noise: Noise,
        protect: NDArray[np.int64] | None = None,
        threads: int = 1,
    ) -> None:
        self.height, self.width = pixels.shape[:2]
        self.noise = noise
        self.down, self.right = kernels.change_bits(pixels, noise.threshold, threads)
        self._drift = _drift(pixels, self.down, self.right, noise, threads)
        if noise.specks:
            shortest = min(noise.specks, *pixels.shape[:2])  # on a strip of a few rows no edge is longer than those
            self.down, self.right = _without_specks(self.down, self.right, shortest)
        if protect is not None:
            self._protect(protect)

    def protected(self, boxes: NDArray[np.int64]) -> Changes:
        """Return the same changes with more boxes protected."""
        more = copy(self)
        more.down, more.right = self.down.copy(), self.right.copy()
        more._protect(boxes)
        return more

    def _protect(self, boxes: NDArray[np.int64]) -> None:
        for x0, y0, x1, y1 in boxes.tolist():
            inside = _word_mask(x0, x1, self.down.shape[1])
            self.down[y0:y1] |= inside
            self.right[y0:y1] |= inside

    @property
    def box(self) -> Box:
        """The whole picture."""
        return 0, self.height, 0, self.width

    def repeated(self, box: Box, axis: Axis) -> Flags:
        """Say for each row (column) of a box whether it repeats the one before; the first one never does."""
        counts = kernels.column_counts if axis else kernels.row_counts
        flags: Flags = counts(self.right if axis else self.down, *box) == 0
        drift = self._drift[axis]
        if drift is not None:
            flags &= counts(drift, *box) == 0
        flags[:1] = False
        return flags

    def uniform(self, box: Box, axis: Axis) -> Flags:
        """Say for each row (column) of a box whether it is of one colour inside the box."""
        y0, y1, x0, x1 = box
        if axis == 0:
            flags: Flags = kernels.row_counts(self.right, y0, y1, min(x0 + 1, x1), x1) == 0
        else:
            flags = kernels.column_counts(self.down, min(y0 + 1, y1), y1, x0, x1) == 0
        return flags


def _drift(
    pixels: NDArray[np.uint8], down: Words, right: Words, noise: Noise, threads: int
) -> tuple[Words | None, Words | None]:
    """Return the marks of what drifts along either axis; None where nothing does, and nothing needs to be counted."""
    if noise.threshold == 0:
        return None, None
    limit = min(max(DRIFT[0], DRIFT[1] * noise.threshold), 255)
    rows = drifted_rows(pixels, down, limit, threads)
    columns = drifted_columns(pixels, right, limit, threads)
    if noise.specks:
        rows, columns = _without_specks(rows, columns, noise.specks)
    return rows if rows.any() else None, columns if columns.any() else None


def _without_specks(down: Words, right: Words, length: int) -> tuple[Words, Words]:
    """Keep the changes that belong to an edge of at least `length` pixels, or touch one.

    A stroke of a letter changes to the right along its height, and downwards along its width; a speck does neither for
    long.
    """
    upright, level = right.copy(), down.copy()
    for _ in range(length - 1):  # erode
        upright[:-1] &= upright[1:]
        upright[-1] = 0
        level &= _left(level)
    for _ in range(length - 1):  # dilate
        upright[1:] |= upright[:-1].copy()
        level |= _right(level)
    strokes = upright | level
    strokes[1:] |= (upright | level)[:-1]
    strokes[:-1] |= (upright | level)[1:]
    strokes |= _left(strokes) | _right(strokes)
    return down & strokes, right & strokes


def _left(bits: Words) -> Words:
    """Move every pixel's bit to the pixel on its left."""
    moved = bits >> np.uint64(1)
    moved[:, :-1] |= bits[:, 1:] << np.uint64(63)
    return moved


def _right(bits: Words) -> Words:
    """Move every pixel's bit to the pixel on its right."""
    moved = bits << np.uint64(1)
    moved[:, 1:] |= bits[:, :-1] >> np.uint64(63)
    return moved


def _word_mask(x0: int, x1: int, words: int) -> Words:
    """Return one row of a bit map with the bits x0 to x1 set."""
    bits = np.zeros(64 * words, np.uint8)
    bits[x0:x1] = 1
    return np.packbits(bits, bitorder="little").view("<u8").astype(np.uint64)
