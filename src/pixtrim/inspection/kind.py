"""What a picture is: measured, and told in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.inspection.plots import find_plots
from pixtrim.operators.fold.changes import Changes, Noise, measure_noise

__all__ = ["Inspection", "Kind", "inspect"]

Kind = Literal["document", "scan", "screenshot", "chart", "photo"]

Pixels = NDArray[np.uint8]

MOST_COLOURS = 4096
SAMPLE = 96  # rows and columns of the sample of pixels, at most
PATCH = 28  # pixels, the side of a token's patch on many models
PATCH_ROWS = 7  # every so many rows of a patch are compared
BLOCK, BLOCKS = 8, 4  # a textured cell has this many blocks a side, each with changes
BUSY = 8  # changing pixels in a textured block of 64
FINE = 2  # levels: what counts as a change in texture, whatever the noise
CHART_SHARE = 0.4
PHOTO_SHARE = 0.5
PHOTO_COLOURS, PHOTO_COMMON = 0.15, 0.58  # photos have many colours, and none that are common
PHOTO_REPEATED = 0.7  # a screen with a picture behind it has more rows that repeat
STRONG = 64  # levels: what is written or drawn has edges of this height
WRITTEN = 0.03  # share of them among all changes; faint receipts have .07 and more, photos on plain ground .00 to .07
PAPER_LEVEL, PAPER_SHARE, PAPER_NEAR, PAPER_COLOUR = 160, 0.65, 24, 16
MARGIN = 0.02  # of the width, blank on both sides of a page


@dataclass(frozen=True)
class Inspection:
    """What was measured on a picture, and what follows from it.

    Attributes
    ----------
    width, height : int
        In pixels.
    kind : {"document", "scan", "screenshot", "chart", "photo"}
        ``"document"`` is a rendered page, ``"scan"`` noisy paper, ``"chart"`` a picture that is mostly a plot.
    reasons : tuple of str
        Why, in sentences with the measured numbers.
    repeated_rows, repeated_columns : float
        The share, 0 to 1, of rows (columns) of the whole picture that repeat the one before.
    blank_rows, blank_columns : float
        The share that is of one colour.
    repeated_patches : float
        The share of patches of 28x28 pixels that equal the one on the left or above, judged by every seventh row.
    colours : int
        The number of colours in a sample of at most 96x96 pixels, counted up to 4096.
    noise : Noise
        What counts as equal on this picture; shares of repeats are measured with it.
    plots : ndarray
        int64 (N, 4), boxes (x0, y0, x1, y1) that should not fold.
    photo_share : float
        The share of cells of 32x32 pixels that are textured everywhere.
    """

    width: int
    height: int
    kind: Kind
    reasons: tuple[str, ...]
    repeated_rows: float
    repeated_columns: float
    blank_rows: float
    blank_columns: float
    repeated_patches: float
    colours: int
    noise: Noise
    plots: NDArray[np.int64] = field(compare=False)
    photo_share: float

    @property
    def rule(self) -> Literal["repeat", "none"]:
        """The advisable rule for folding."""
        return "none" if self.kind in ("chart", "photo") else "repeat"

    @property
    def foldable(self) -> bool:
        """Whether folding is advisable, outside of the plots."""
        return self.rule != "none"


def inspect(pixels: Pixels, threads: int = 1, *, changes: Changes | None = None) -> Inspection:
    """Measure a picture, find its plots and tell its kind.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    threads : int
        The most threads to use; the result does not depend on it.
    changes : Changes, optional
        Where this picture changes, without protected boxes, if that is known already.

    Returns
    -------
    Inspection

    Examples
    --------
    >>> page = np.full((400, 300, 3), 255, np.uint8)
    >>> page[40:360:20, 30:270] = 0
    >>> found = inspect(page)
    >>> found.kind, found.foldable, round(found.blank_rows, 2)
    ('document', True, 0.96)
    """
    if changes is None:
        changes = Changes(pixels, measure_noise(pixels), None, threads)
    repeated = float(changes.repeated(changes.box, 0).mean()), float(changes.repeated(changes.box, 1).mean())
    sample = _Sample.of(pixels)
    textured = _textured(pixels)
    photo = _photo_reason(sample, textured, repeated[0])
    plots = np.zeros((0, 4), np.int64) if photo else find_plots(pixels, changes)
    rows, columns = changes.uniform(changes.box, 0), changes.uniform(changes.box, 1)
    patches = _repeated_patches(pixels, changes.noise.threshold)
    kind, why = _kind(photo, plots, rows, columns, sample, changes.noise)
    return Inspection(
        width=changes.width,
        height=changes.height,
        kind=kind,
        reasons=(why, *_measured(repeated, patches, plots, changes.noise)),
        repeated_rows=repeated[0],
        repeated_columns=repeated[1],
        blank_rows=float(rows.mean()),
        blank_columns=float(columns.mean()),
        repeated_patches=patches,
        colours=sample.colours,
        noise=changes.noise,
        plots=plots,
        photo_share=textured,
    )


@dataclass(frozen=True)
class _Sample:
    """What a sample of the pixels says of the colours."""

    colours: int
    distinct: float  # colours, as a share of the sample
    common: float  # share of the three most common colours, in steps of 16 levels
    level: int  # most common brightness
    near: float  # share of pixels about as bright
    saturation: float  # mean distance between the channels
    strong: float  # share of strong changes among all, from pixel to pixel along some rows; 1 where nothing changes

    @classmethod
    def of(cls, pixels: Pixels) -> _Sample:
        height, width = pixels.shape[:2]
        rows = pixels[:: -(-height // SAMPLE)]
        changes = _largest(np.maximum(rows[:, 1:], rows[:, :-1]) - np.minimum(rows[:, 1:], rows[:, :-1]))
        changing = np.count_nonzero(changes > FINE)
        some = pixels[:: -(-height // SAMPLE), :: -(-width // SAMPLE)].reshape(-1, 3).astype(np.int64)
        colours = len(np.unique(some @ np.array([1 << 16, 1 << 8, 1])))
        coarse = np.bincount((some >> 4) @ np.array([256, 16, 1]))
        bright = some.sum(axis=1) // 3
        level = int(np.bincount(bright).argmax())
        return cls(
            colours=min(colours, MOST_COLOURS),
            distinct=colours / len(some),
            common=float(np.sort(coarse)[-3:].sum() / len(some)),
            level=level,
            near=float((np.abs(bright - level) <= PAPER_NEAR).mean()),
            saturation=float((_largest(some) + _largest(-some)).mean()),
            strong=np.count_nonzero(changes > STRONG) / changing if changing else 1.0,
        )

    @property
    def light(self) -> bool:
        """Whether most of it is of one light brightness."""
        return self.level >= PAPER_LEVEL and self.near >= PAPER_SHARE

    @property
    def paper(self) -> bool:
        """Whether most of it is light, and little is in colour."""
        return self.light and self.saturation <= PAPER_COLOUR


def _largest(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the largest of three channels, which NumPy finds much faster so than along an axis of three."""
    found: NDArray[Any] = np.maximum(np.maximum(samples[..., 0], samples[..., 1]), samples[..., 2])
    return found


def _textured(pixels: Pixels) -> float:
    """Return the share of cells that are textured everywhere, from about a third of the rows of cells."""
    side = BLOCK * BLOCKS
    height, width = pixels.shape[0] // side, pixels.shape[1] // side
    if not height or not width:
        return 0.0
    cells = []
    for row in range(0, height, 3):
        down, right = kernels.change_bits(pixels[side * row : side * (row + 1)], FINE)
        octets = (down | right).astype("<u8").view(np.uint8)[:, : BLOCKS * width]
        counts = _ONES[octets].reshape(BLOCKS, BLOCK, -1).sum(axis=1)
        cells.append((counts.reshape(BLOCKS, width, BLOCKS) >= BUSY).all(axis=(0, 2)))
    return float(np.mean(cells))


_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


def _repeated_patches(pixels: Pixels, threshold: int) -> float:
    """Return the share of whole patches that equal the one on the left or above."""
    height, width = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
    if not height or not width:
        return 0.0
    rows = np.ascontiguousarray(pixels[PATCH_ROWS // 2 : PATCH * height : PATCH_ROWS, : PATCH * width])
    line = rows.reshape(height, PATCH // PATCH_ROWS, width, 3 * PATCH)
    equal = np.zeros((height, width), bool)
    equal[1:] = _within(line[1:], line[:-1], threshold)
    equal[:, 1:] |= _within(line[:, :, 1:], line[:, :, :-1], threshold)
    return float(equal.mean())


def _within(a: Pixels, b: Pixels, threshold: int) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = (np.maximum(a, b) - np.minimum(a, b)).max(axis=(1, 3)) <= threshold
    return flags


def _photo_reason(sample: _Sample, textured: float, repeated: float) -> str:
    """Say why the picture is a photo; nothing if it is none."""
    if sample.light:
        return ""
    if textured >= PHOTO_SHARE:
        return f"{textured:.0%} of it is textured everywhere, as in photos"
    if sample.strong < WRITTEN:
        return f"{sample.strong:.1%} of the changes from pixel to pixel are strong: nothing is written or drawn in it"
    if repeated <= PHOTO_REPEATED and sample.distinct >= PHOTO_COLOURS and sample.common <= PHOTO_COMMON:
        return (
            f"a sample has {sample.colours} colours, and the three most common cover {sample.common:.0%}, as in photos"
        )
    return ""


def _kind(
    photo: str,
    plots: NDArray[np.int64],
    rows: NDArray[np.bool_],
    columns: NDArray[np.bool_],
    sample: _Sample,
    noise: Noise,
) -> tuple[Kind, str]:
    """Tell the kind and the reason, from which rows and columns are blank."""
    if photo:
        return "photo", photo
    covered = _covered(plots, rows, columns)
    if covered > CHART_SHARE:
        return "chart", f"plots cover {covered:.0%} of what is drawn"
    light = f"{sample.near:.0%} of it is about as bright as level {sample.level}"
    if sample.paper and noise.threshold > Noise().threshold:
        return "scan", f"{light}, with noise: paper that was scanned or photographed"
    drawn = np.flatnonzero(~columns)
    margin = min(int(drawn[0]), len(columns) - 1 - int(drawn[-1])) if drawn.size else 0
    if sample.paper and (margin >= MARGIN * len(columns) or not drawn.size):
        return "document", f"{light}, with blank margins of {margin} pixels on both sides"
    return (
        "screenshot",
        f"it is drawn rather than photographed, but is no page: {light}, and the margin is {margin} pixels",
    )


def _covered(plots: NDArray[np.int64], rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> float:
    """Return which share plots have of the box that holds all that is drawn."""
    y, x = np.flatnonzero(~rows), np.flatnonzero(~columns)
    if not len(plots) or not y.size or not x.size:
        return 0.0
    x0, y0, x1, y1 = plots.T
    x0, x1 = np.maximum(x0, x[0]), np.minimum(x1, x[-1] + 1)
    y0, y1 = np.maximum(y0, y[0]), np.minimum(y1, y[-1] + 1)
    area = (np.maximum(x1 - x0, 0) * np.maximum(y1 - y0, 0)).sum()
    return float(area / ((x[-1] + 1 - x[0]) * (y[-1] + 1 - y[0])))


def _measured(repeated: tuple[float, float], patches: float, plots: NDArray[np.int64], noise: Noise) -> tuple[str, ...]:
    clean = noise.threshold <= Noise().threshold
    lines = [
        f"{repeated[0]:.0%} of the rows and {repeated[1]:.0%} of the columns repeat the one before, "
        f"{patches:.0%} of the patches one beside them",
        f"it is {'clean' if clean else 'noisy'}: differences of up to {noise.threshold} levels do not count"
        + (f", nor do specks of less than {noise.specks} pixels" if noise.specks else ""),
    ]
    if len(plots):
        lines.append(f"{len(plots)} plot{'s' if len(plots) > 1 else ''} found, which must not fold")
    return tuple(lines)
