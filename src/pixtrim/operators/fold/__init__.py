"""fold: drop rows and columns that repeat their neighbour; what is left keeps its native size.

For documents and screenshots. `analyse` looks at the picture once; the `Analysis` answers with the size for any gap,
and with the plan: which pixels stay, a coordinate map, and a reduced picture made of nothing but pixels of the
original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.coordinates import Axis, CoordinateMap, Piece
from pixtrim.errors import UsageError
from pixtrim.operators.fold.blocks import Blocks
from pixtrim.operators.fold.changes import Changes, Noise, measure_noise
from pixtrim.operators.fold.runs import kept

__all__ = ["Analysis", "Cell", "FoldPlan", "Rule", "analyse", "column_gap", "gap_for"]

Rule = Literal["repeat", "blank"]


@dataclass(frozen=True)
class Cell:
    """A block of a plan: the rows and columns of the original that stay, and where the block goes.

    Attributes
    ----------
    box : tuple of int
        (y0, y1, x0, x1) in the original.
    rows, columns : ndarray
        int32, increasing indices into the original, inside the box.
    origin : tuple of int
        (y, x) of the block in the reduced picture.
    """

    box: tuple[int, int, int, int]
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    origin: tuple[int, int]


@dataclass(frozen=True)
class FoldPlan:
    """Which pixels stay, for any picture of the same size.

    Attributes
    ----------
    original_size, reduced_size : tuple of int
        (width, height) before and after.
    cells : tuple of Cell
        The blocks; they tile both pictures.
    gap : int
        How many repeats each run of rows keeps at least.
    """

    original_size: tuple[int, int]
    reduced_size: tuple[int, int]
    cells: tuple[Cell, ...]
    gap: int

    def apply(self, pixels: NDArray[np.uint8], threads: int = 1) -> NDArray[np.uint8]:
        """Fold a picture of the plan's original size.

        Parameters
        ----------
        pixels : ndarray
            uint8 (H, W, 3), C-contiguous.
        threads : int
            The most threads to use; the result does not depend on it.

        Returns
        -------
        ndarray
            uint8 (h, w, 3).

        Raises
        ------
        UsageError
            If the picture has another size.
        """
        height, width = pixels.shape[:2]
        if (width, height) != self.original_size:
            raise UsageError(
                f"the plan is for a picture of {self.original_size[0]}x{self.original_size[1]}, "
                f"this one has {width}x{height}: make a plan of its own"
            )
        reduced = np.empty((self.reduced_size[1], self.reduced_size[0], 3), np.uint8)
        for cell in self.cells:
            kernels.gather(pixels, cell.rows, cell.columns, reduced, *cell.origin, threads)
        return reduced

    @cached_property
    def coordinates(self) -> CoordinateMap:
        """The map between the original and the folded picture."""
        pieces = []
        for cell in self.cells:
            (y0, y1, x0, x1), (y, x) = cell.box, cell.origin
            pieces.append(
                Piece(
                    original=(x0, y0, x1, y1),
                    reduced=(x, y, x + len(cell.columns), y + len(cell.rows)),
                    x=Axis.keep(cell.columns - x0, x1 - x0),
                    y=Axis.keep(cell.rows - y0, y1 - y0),
                )
            )
        return CoordinateMap.pieces(pieces, self.original_size, self.reduced_size)


class Analysis:
    """What can fold in a picture.

    Parameters
    ----------
    changes : Changes
        Where the picture changes.
    rule, blocks
        As for `analyse`.
    """

    def __init__(self, changes: Changes, rule: Rule = "repeat", *, blocks: bool = True) -> None:
        self.noise = changes.noise
        self.original_size = (changes.width, changes.height)
        self._blocks = Blocks(changes, rule, cut=blocks)

    def size(self, gap: int) -> tuple[int, int]:
        """Return the (width, height) of the picture folded with that gap."""
        height, width = self._blocks.size((gap, column_gap(gap)))
        return width, height

    def plan(self, gap: int) -> FoldPlan:
        """Choose the rows and columns that stay if each run of repeated rows keeps `gap` of them.

        Parameters
        ----------
        gap : int
            At least 1.
        """
        if gap < 1:
            raise UsageError(f"the gap is {gap}: give at least 1, the number of repeated rows that stay of each run")
        gaps = (gap, column_gap(gap))
        cells = []
        for leaf in self._blocks.leaves(gaps):
            y0, _, x0, _ = leaf.box
            rows = kept(self._blocks.repeated(leaf.box, 0), gaps[0], leaf.size[0])
            columns = kept(self._blocks.repeated(leaf.box, 1), gaps[1], leaf.size[1])
            cells.append(Cell(leaf.box, rows + np.int32(y0), columns + np.int32(x0), leaf.origin))
        return FoldPlan(self.original_size, self.size(gap), tuple(cells), gap)


def analyse(
    pixels: NDArray[np.uint8],
    *,
    rule: Rule = "repeat",
    threshold: int | None = None,
    protect: NDArray[np.int64] | None = None,
    blocks: bool = True,
    threads: int = 1,
) -> Analysis:
    """Find what repeats in a picture.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    rule : {"repeat", "blank"}
        ``"repeat"``: a row folds where every pixel is within the threshold of the row before. ``"blank"``: the row is
        of one colour, too, so that the insides of plots stay.
    threshold : int, optional
        0 to 255 levels. By default it is measured: 2 on a clean picture, 8 to 24 on a scan or a JPEG, where specks
        smaller than letters do not count, either.
    protect : ndarray, optional
        int (N, 4), boxes (x0, y0, x1, y1) inside the picture, in which nothing folds.
    blocks : bool
        Fold the blocks of the page apart where that is worth it (an X-Y cut); False folds whole rows and columns only.
    threads : int
        The most threads to use; the result does not depend on it.

    Returns
    -------
    Analysis

    Examples
    --------
    >>> page = np.full((40, 60, 3), 255, np.uint8)
    >>> page[10:14, 20:50] = 0
    >>> plan = analyse(page).plan(gap=2)
    >>> plan.reduced_size, plan.apply(page).shape
    ((36, 9), (9, 36, 3))
    """
    if threshold is None:
        noise = measure_noise(pixels)
    elif 0 <= threshold <= 255:
        noise = Noise(threshold)
    else:
        raise UsageError(f"the threshold is {threshold}: give a number of levels from 0 to 255")
    return Analysis(Changes(pixels, noise, protect, threads), rule, blocks=blocks)


def column_gap(gap: int) -> int:
    """Return the gap of columns beside that of rows: gutters cost little and keep columns of text apart."""
    return 4 * gap + 4


def gap_for(analysis: Analysis, scale_of: Callable[[int, int], float], enough: float = 1.0) -> int:
    """Choose the gap for a budget: fold no more than is needed, and not so much that lines of text touch.

    Parameters
    ----------
    analysis : Analysis
    scale_of : callable
        Takes a folded width and height and returns the scale, up to 1, at which the budget holds them.
    enough : float
        The scale, up to 1, that need not be exceeded.

    Returns
    -------
    int
        The widest gap that leaves a scale of `enough`, if there is one. Else the narrowest that is sound: of blank rows
        between lines, about two thirds of a pixel stay after scaling, and at mild scales up to two.
    """
    widest: int = max(analysis.original_size)
    fits, over = 1, widest + 1
    while over - fits > 1:
        gap = (fits + over) // 2
        if scale_of(*analysis.size(gap)) >= enough:
            fits = gap
        else:
            over = gap
    if fits > 1:
        return fits
    for gap in range(1, widest):
        scale = scale_of(*analysis.size(gap))
        if gap >= round(max(2 * scale, 0.5 / scale)):
            return gap
    return widest
