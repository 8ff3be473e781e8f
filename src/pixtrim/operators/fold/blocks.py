"""The X-Y cut: a page as blocks that fold apart, where folding it as a whole would leave much behind.

Two columns of text seldom share blank rows, and a line across the page keeps the gutters of a table below it from
folding. So a box is cut at rows and columns of one colour, each part is folded by itself, and the parts are stretched
to a common size again: the shorter of two columns keeps more of its gaps. Every pixel of the result is one of the
original, blocks stay where they were relative to one another, and reading order stays.

What belongs together is not cut: side by side, parts whose lines stand on the same rows (a label and its value, the
cells of a table) stay one block; and a cut that makes nothing smaller is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pixtrim.operators.fold.changes import Axis, Box, Changes
from pixtrim.operators.fold.runs import folded_length, run_bounds

__all__ = ["Block", "Blocks", "Leaf"]

Size = tuple[int, int]
"""(height, width)."""

Gutters = NDArray[np.int64]
"""(N, 2), the columns at which gutters start and end."""

MIN_SIDE = 24  # a smaller box holds a line of text or less
MAX_DEPTH = 8
GUTTER = 16  # columns of one colour between two columns of text; the space between two words is narrower
RULE = 4  # pixels; a lower band is a line that is drawn, not one of text
SAME_ROWS = 1.08
ALIGNED_ROWS = 2  # pixels that the tops of lines on one row may differ by
ALIGNED_COLUMNS = 3  # pixels that the edges of one column may differ by from row to row
ALIGNED_SHARE = 0.5
FEWEST_LINES = 3  # too few to tell whether they stand on the same rows: they are kept together
WORTH_WIDTH = 0.95
WORTH_HEIGHT = 0.97
NOMINAL_GAP = 2  # the shape of the tree does not depend on the gap that is asked for later


@dataclass(eq=False)
class Block:
    """A box, and how it is cut: its children lie along `axis` and fill it; without children it folds as a whole."""

    box: Box
    runs: tuple[NDArray[np.int64], NDArray[np.int64]]
    axis: Axis = 0
    children: tuple[Block, ...] = ()
    _smallest: dict[Size, Size] = field(default_factory=dict, repr=False)

    def whole(self, gaps: Size) -> Size:
        """Return the size of the box folded as a whole, with the gaps that rows and columns keep."""
        y0, y1, x0, x1 = self.box
        return folded_length(y1 - y0, self.runs[0], gaps[0]), folded_length(x1 - x0, self.runs[1], gaps[1])

    def smallest(self, gaps: Size) -> Size:
        """Return the smallest size of the box with its cuts."""
        if gaps not in self._smallest:
            sizes = [child.smallest(gaps) for child in self.children]
            self._smallest[gaps] = _stacked(sizes, self.axis) if sizes else self.whole(gaps)
        return self._smallest[gaps]


@dataclass(frozen=True)
class Leaf:
    """A block that folds as a whole: its box in the original, its place and size in the reduced picture."""

    box: Box
    origin: tuple[int, int]
    size: Size


class Blocks:
    """The blocks of a picture, and their sizes for any gap.

    Parameters
    ----------
    changes : Changes
        Where the picture changes.
    rule : {"repeat", "blank"}
        Which rows and columns fold: all that repeat the one before, or of those the ones of one colour.
    cut : bool
        False folds the picture as one block.
    """

    def __init__(self, changes: Changes, rule: str = "repeat", *, cut: bool = True) -> None:
        self.changes = changes
        self.rule = rule
        self.root = self._grow(changes.box, 0) if cut else self._block(changes.box)

    def repeated(self, box: Box, axis: Axis) -> NDArray[np.bool_]:
        """Say which rows (columns) of a box may fold by the rule."""
        flags = self.changes.repeated(box, axis)
        return flags & self.changes.uniform(box, axis) if self.rule == "blank" else flags

    def size(self, gaps: Size) -> Size:
        """Return the folded size of the picture; cuts count where they are worth it."""
        whole, smallest = self.root.whole(gaps), self.root.smallest(gaps)
        return (
            smallest[0] if smallest[0] < WORTH_HEIGHT * whole[0] else max(whole[0], smallest[0]),
            smallest[1] if smallest[1] < WORTH_WIDTH * whole[1] else max(whole[1], smallest[1]),
        )

    def leaves(self, gaps: Size) -> list[Leaf]:
        """Lay out the folded picture: as few blocks as give its size."""
        leaves: list[Leaf] = []
        self._lay_out(self.root, (0, 0), self.size(gaps), gaps, leaves)
        return leaves

    def _block(self, box: Box, axis: Axis = 0, children: tuple[Block, ...] = ()) -> Block:
        rows, columns = (run_bounds(self.repeated(box, either)) for either in (0, 1))
        return Block(box, (rows[:, 1] - rows[:, 0], columns[:, 1] - columns[:, 0]), axis, children)

    # Cutting, from the whole page down.

    def _grow(self, box: Box, depth: int) -> Block:
        block = self._block(box)
        core = self._trimmed(box) if depth < MAX_DEPTH else None
        if core is None:
            return block
        if core != box:
            inner = self._grow(core, depth + 1)
            cut = self._framed(box, inner) if inner.children else block
        else:
            axis: Axis = 1
            cuts = self._columns(box, self._gutters(box))
            if not cuts:
                axis, cuts = 0, self._bands(box)
            parts = tuple(self._grow(part, depth + 1) for part in _split(box, axis, cuts)) if cuts else ()
            cut = Block(box, block.runs, axis, parts)
        gaps = (NOMINAL_GAP, NOMINAL_GAP)
        return cut if cut.children and np.prod(cut.smallest(gaps)) < np.prod(block.whole(gaps)) else block

    def _trimmed(self, box: Box) -> Box | None:
        """Take away margins and frames: rows and columns of one colour at the edges. None where little is left."""
        y0, y1, x0, x1 = box
        for axis in (1, 0, 1, 0):
            if y1 - y0 < MIN_SIDE or x1 - x0 < MIN_SIDE:
                return None
            inside = np.flatnonzero(~self.changes.uniform((y0, y1, x0, x1), axis))
            if not inside.size:
                return None
            first, last = int(inside[0]), int(inside[-1]) + 1
            if axis == 0:
                y0, y1 = y0 + first, y0 + last
            else:
                x0, x1 = x0 + first, x0 + last
        return (y0, y1, x0, x1) if y1 - y0 >= MIN_SIDE and x1 - x0 >= MIN_SIDE else None

    def _framed(self, box: Box, inner: Block) -> Block:
        """Put the margins back around a block."""
        y0, y1, x0, x1 = box
        top, bottom, left, right = inner.box
        row = [
            self._block((top, bottom, x0, left)) if left > x0 else None,
            inner,
            self._block((top, bottom, right, x1)) if x1 > right else None,
        ]
        across = [block for block in row if block]
        middle = self._block((top, bottom, x0, x1), 1, tuple(across)) if len(across) > 1 else inner
        column = [
            self._block((y0, top, x0, x1)) if top > y0 else None,
            middle,
            self._block((bottom, y1, x0, x1)) if y1 > bottom else None,
        ]
        down = [block for block in column if block]
        return self._block(box, 0, tuple(down)) if len(down) > 1 else middle

    def _gutters(self, box: Box) -> Gutters:
        """Find the wide runs of columns of one colour between the content of a box: their starts and ends."""
        x0 = box[2]
        content = run_bounds(~self.changes.uniform(box, 1)) + x0
        between: Gutters = np.column_stack([content[:-1, 1], content[1:, 0]])
        return between[between[:, 1] - between[:, 0] >= GUTTER]

    def _columns(self, box: Box, gutters: Gutters) -> list[int]:
        """Find the gutters at which the box falls into parts whose lines do not stand on the same rows."""
        y0, y1, x0, x1 = box
        edges = [x0, *gutters.ravel().tolist(), x1]
        cuts = []
        left = self._lines((y0, y1, edges[0], edges[1]))
        for start, end in zip(edges[2::2], edges[3::2], strict=True):
            right = self._lines((y0, y1, start, end))
            if _on_same_rows(left, right):
                left = left | right
            else:
                cuts.append(start)
                left = right
        return cuts

    def _lines(self, box: Box) -> NDArray[np.bool_]:
        """Say which rows of a box hold content, inside its frame if it has one."""
        inside = self._trimmed(box) or box
        lines = np.zeros(box[1] - box[0], bool)
        lines[inside[0] - box[0] : inside[1] - box[0]] = ~self.changes.uniform(inside, 0)
        return lines

    def _bands(self, box: Box) -> list[int]:
        """Find the rows at which the box falls into bands.

        Neighbours stay one band if their columns are the same, as in a table, or if they share a gutter at which both
        are to be cut, as two columns of text do. Rules go with what is below them, unless the bands around them are
        one.
        """
        y0, y1, x0, x1 = box
        bands = [(y0 + top, y0 + end) for top, end in run_bounds(~self.changes.uniform(box, 0)).tolist()]
        edges = [y0, *(top for top, _ in bands[1:]), y1]
        cuts: list[int] = []
        first = begin = 0  # of the band, and of the rules above the next one
        common = self._blanks((edges[0], edges[1], x0, x1))
        for i in range(1, len(bands)):
            if bands[i][1] - bands[i][0] <= RULE:
                continue
            own = self._blanks((edges[i], edges[i + 1], x0, x1))
            shared = _overlaps(common, own)
            if _in_same_columns(common, own, x0, x1) or (
                len(_inside(shared, x0, x1))
                and not self._is_row((*bands[i], x0, x1))
                and self._falls_apart((edges[first], edges[i + 1], x0, x1))
            ):
                common = shared
            else:
                cuts.append(edges[begin + 1])
                first, common = begin + 1, own
            begin = i
        return cuts

    def _blanks(self, box: Box) -> Gutters:
        """Find the wide runs of columns of one colour in a box, its margins too."""
        runs: Gutters = run_bounds(self.changes.uniform(box, 1)) + box[2]
        wide: Gutters = runs[(runs[:, 1] - runs[:, 0] >= GUTTER) | (runs[:, 0] == box[2]) | (runs[:, 1] == box[3])]
        return wide

    def _falls_apart(self, box: Box) -> bool:
        gutters = self._gutters(box)
        return bool(len(gutters) and self._columns(box, gutters))

    def _is_row(self, box: Box) -> bool:
        """Say whether a band is one row of a table: a single line in each of two columns or more."""
        y0, y1, x0, x1 = box
        edges = [x0, *self._gutters(box).ravel().tolist(), x1]
        parts = [self._lines((y0, y1, a, b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        return len(parts) > 1 and all(len(run_bounds(part)) == 1 for part in parts)

    # Laying out, into a given size.

    def _lay_out(self, block: Block, origin: tuple[int, int], size: Size, gaps: Size, leaves: list[Leaf]) -> None:
        whole = block.whole(gaps)
        if not block.children or (whole[0] <= size[0] and whole[1] <= size[1]):
            leaves.append(Leaf(block.box, origin, size))
            return
        axis = block.axis
        parts = self._merged(block, size, gaps)
        lengths = [part.smallest(gaps)[axis] for part in parts]
        room = size[axis] - sum(lengths)
        for i in reversed(range(len(parts))):  # the last parts take up what is left over, as far as they are long
            more = min(room, _length(parts[i].box, axis) - lengths[i])
            lengths[i] += more
            room -= more
        y, x = origin
        for part, length in zip(parts, lengths, strict=True):
            self._lay_out(part, (y, x), (length, size[1]) if axis == 0 else (size[0], length), gaps, leaves)
            y, x = (y + length, x) if axis == 0 else (y, x + length)

    def _merged(self, block: Block, size: Size, gaps: Size) -> list[Block]:
        """Join neighbours again where, folded as a whole, they fit into the room that there is."""
        axis = block.axis
        room = size[axis] - sum(child.smallest(gaps)[axis] for child in block.children)
        parts = [block.children[0]]
        for child in block.children[1:]:
            joined = self._block(_joined(parts[-1].box, child.box))
            whole = joined.whole(gaps)
            costs = whole[axis] - parts[-1].smallest(gaps)[axis] - child.smallest(gaps)[axis]
            if whole[1 - axis] <= size[1 - axis] and costs <= room:
                parts[-1] = joined
                room -= costs
            else:
                parts.append(child)
        return parts


def _stacked(sizes: list[Size], axis: Axis) -> Size:
    heights, widths = zip(*sizes, strict=True)
    return (sum(heights), max(widths)) if axis == 0 else (max(heights), sum(widths))


def _split(box: Box, axis: Axis, cuts: list[int]) -> list[Box]:
    y0, y1, x0, x1 = box
    edges = [y0, *cuts, y1] if axis == 0 else [x0, *cuts, x1]
    return [(a, b, x0, x1) if axis == 0 else (y0, y1, a, b) for a, b in pairwise(edges)]


def _joined(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3])


def _length(box: Box, axis: Axis) -> int:
    return box[1] - box[0] if axis == 0 else box[3] - box[2]


def _on_same_rows(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> bool:
    """Say whether the lines of two parts, side by side, stand on rows that they share, as in a table or a list.

    They do if most lines of the part that has fewer begin on the row of one of the other's, or if both together take up
    hardly more rows than the fuller one alone. Of two columns of text, a line stands beside the blank between two
    others.
    """
    few, many = sorted((run_bounds(left)[:, 0], run_bounds(right)[:, 0]), key=len)
    if len(few) < FEWEST_LINES or (left | right).sum() <= SAME_ROWS * max(left.sum(), right.sum()):
        return True
    after = np.searchsorted(many, few)
    next_, last = many[np.minimum(after, len(many) - 1)], many[np.maximum(after - 1, 0)]
    near = np.minimum(np.abs(next_ - few), np.abs(last - few)) <= ALIGNED_ROWS
    return bool(near.mean() >= ALIGNED_SHARE)


def _inside(blanks: Gutters, x0: int, x1: int) -> Gutters:
    """Leave out the margins."""
    return blanks[(blanks[:, 0] > x0) & (blanks[:, 1] < x1)]


def _overlaps(a: Gutters, b: Gutters) -> Gutters:
    """Return the parts that two sets of runs have in common, where they are wide enough for a gutter."""
    starts = np.maximum(a[:, None, 0], b[None, :, 0]).ravel()
    ends = np.minimum(a[:, None, 1], b[None, :, 1]).ravel()
    wide = ends - starts >= GUTTER
    return np.column_stack([starts[wide], ends[wide]])


def _in_same_columns(above: Gutters, below: Gutters, x0: int, x1: int) -> bool:
    """Say whether a band continues the columns of those above it, given where both are blank, between x0 and x1.

    Either it has no more columns and leaves most of their gutters free (a cell that goes on), or most of its gutters
    start or end where theirs do.
    """
    gutters, own = _inside(above, x0, x1), _inside(below, x0, x1)
    if not len(gutters):
        return False
    free = _overlaps(gutters, below)
    if len(own) <= len(gutters) <= len(free) and np.diff(free).sum() >= ALIGNED_SHARE * np.diff(gutters).sum():
        return True
    few, many = (gutters, own) if len(gutters) <= len(own) else (own, gutters)
    if not len(few) or not len(_overlaps(gutters, own)):
        return False
    near = np.abs(few[:, None, :] - many[None, :, :]) <= ALIGNED_COLUMNS
    return bool(near.any(axis=(1, 2)).mean() >= ALIGNED_SHARE)
