"""What an operator can get wrong without any measure of fidelity showing it: tokens, sizes, places, sharpness.

A map that is wrong by three pixels makes every click miss small buttons and leaves recall of text untouched; a blurred
picture is paid for and not used. So each reduced picture is compared with what it should be. Small textured patches of
the original are scaled plainly to the patch's own scale in the reduced picture and back; the same patches are cut from
the reduced picture through its coordinate map. The two are to lie in the same place and to be equally sharp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.restore import restore_values
from pixtrim.evaluation.samples import Sample
from pixtrim.evaluation.sampling import bilinear

__all__ = ["CHECKS", "Finding", "check"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

CHECKS: Final = ("picture", "size", "tokens", "budget", "misaligned", "blurred")
"""The names of all checks, in the order in which they are made."""

REACH: Final = 16
"""Pixels of the original by which misplaced content is searched for, in each direction."""

WINDOWS: Final = 14
"""Windows across and down that are looked at for texture; their number does not depend on the picture's size."""

PATCHES: Final = 4
"""Parts across and down, each of which gives its most textured window."""

SIDES: Final = (48, 128)
"""Pixels of a window's side, at the least and at the most; in between, it is `REDUCED_SIDE` on the reduced picture."""

REDUCED_SIDE: Final = 28

TEXTURE: Final = 25.0
"""Levels squared: the least energy of gradients, in the direction in which a window has less of it."""

CONTRAST: Final = 3.0
"""Levels of standard deviation that a window must keep at the reduced scale to show where it lies."""

MATCH: Final = 0.6
"""The least correlation with which content counts as found."""

CLEARER: Final = 0.5
"""Content is misplaced where at most this share of what does not match in its own place does not match elsewhere."""

MISPLACED: Final = 0.25
"""The share of patches with content elsewhere, or nowhere, from which a map is called wrong; two at the least."""

EVEN: Final = 0.05
"""How far the scale between two pixels may be from that of their patch, as a share of it, where nothing is dropped."""

BENT: Final = 1.5
"""Pixels of the original by which a map may bend in a patch, if nothing is dropped, to be held against a plain one."""

WHOLE: Final = 0.1
"""The least share of a patch that has to be whole before its detail is judged."""

SHARP: Final = 0.6
"""The least energy of detail, as a share of the plain resize's at the same scale, that does not count as blurred.

Between what is meant and what is not, on one picture of each kind of the evaluation data: bilinear scaling has 0.64 to
0.77, the operators of pixtrim 0.95 and more, and a Gaussian blur of 0.7 reduced pixels has 0.16 to 0.36.
"""


class Finding(NamedTuple):
    """What is wrong: the name of the check that found it, one of `CHECKS`, and one line with figures."""

    check: str
    what: str


def check(sample: Sample, reduced: Reduced, counted: int, budget: int, baseline: Reduced) -> list[Finding]:
    """Look for faults in a reduced picture.

    Parameters
    ----------
    sample : Sample
        The original.
    reduced : Reduced
        What an operator made of it.
    counted : int
        What the reduced picture costs by the model's rule.
    budget : int
        What it was allowed to cost.
    baseline : Reduced
        The plain resize at equal tokens. Its own sharpness, measured in the same way, is the scale for that of
        `reduced`; no operator is called blurred on patches where the plain resize seems so, too.

    Returns
    -------
    list of Finding
        Empty where nothing is wrong, or nothing can be told: pictures without texture show no displacement.

    Examples
    --------
    >>> import io
    >>> pixels = np.zeros((64, 96, 3), np.uint8)
    >>> file = io.BytesIO()
    >>> Image.fromarray(pixels).save(file, "PNG")
    >>> sample = Sample("dark.png", "photo", file.getvalue)
    >>> same = Reduced(pixels, CoordinateMap.identity(96, 64), tokens=20)
    >>> check(sample, same, counted=21, budget=20, baseline=same)[0].what
    'it says 20 tokens, and costs 21 (+5%)'
    """
    found = _picture(reduced.image) or _sizes(sample.pixels, reduced)
    if reduced.tokens != counted:
        share = f" ({100 * (counted / reduced.tokens - 1):+.0f}%)" if reduced.tokens > 0 else ""
        found.append(Finding("tokens", f"it says {reduced.tokens} tokens, and costs {counted}{share}"))
    if counted > budget:
        found.append(Finding("budget", f"it costs {counted} tokens, {counted - budget} over the budget of {budget}"))
    if found and found[0].check in ("picture", "size"):
        return found  # there is no telling where anything is
    return found + _places(sample.pixels, reduced, baseline)


def _picture(image: object) -> list[Finding]:
    """Check that there is a picture at all."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return [] if image.size else [Finding("picture", f"the picture has the shape {image.shape}: it is empty")]
    what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    return [Finding("picture", f"the picture is {what}, not uint8 (height, width, 3)")]


def _sizes(pixels: Pixels, reduced: Reduced) -> list[Finding]:
    """Check that the map is one between these two pictures."""
    pairs = (
        ("original", reduced.coordinates.original_size, pixels),
        ("reduced picture", reduced.coordinates.reduced_size, reduced.image),
    )
    return [
        Finding("size", f"the map takes the {name} for {w}x{h} px; it has {picture.shape[1]}x{picture.shape[0]}")
        for name, (w, h), picture in pairs
        if (w, h) != (picture.shape[1], picture.shape[0])
    ]


# Places and sharpness


@dataclass(frozen=True)
class _Evidence:
    """What one patch shows.

    `match` is the correlation in its own place, within a pixel, `misplaced` how far away a much better one is, if any
    (x, y in pixels of the original), `sharpness` its energy of detail as a share of what is expected; nan where too
    little of it is whole.
    """

    match: float
    misplaced: tuple[float, float] | None
    sharpness: float


def _places(pixels: Pixels, reduced: Reduced, baseline: Reduced) -> list[Finding]:
    """Check that content lies where the map says, and then that it is as sharp as its scale allows."""
    view, plain = _View(reduced), _View(baseline)
    windows = _textured(pixels, view.scale)
    evidence = _look(pixels, view, windows)
    away = np.array([found.misplaced for found in evidence if found.misplaced])
    if len(away) >= max(2, MISPLACED * len(evidence)):
        x, y = np.median(away, axis=0).round(1) + 0.0  # no minus before a zero
        places = f"{len(away)} of {len(evidence)} textured places"
        return [Finding("misaligned", f"content is off by ({x:+.1f}, {y:+.1f}) px of the original (x, y) in {places}")]
    lost = sum(found.match < MATCH for found in evidence)
    sharpness = _sharpness(evidence)
    if lost < max(2, MISPLACED * len(evidence)) and sharpness >= SHARP:
        return []
    usual = _look(pixels, plain, windows)
    if len(usual) < 2 or min(float(np.median([found.match for found in usual])), _sharpness(usual)) < SHARP:
        return []  # the plain resize is no better
    if lost >= max(2, MISPLACED * len(evidence)):
        places = f"{lost} of {len(evidence)} textured places"
        return [Finding("misaligned", f"what the map puts in {places} is something else")]
    return [Finding("blurred", f"it has {sharpness:.0%} of the detail that a plain resize has at its scale")]


def _sharpness(evidence: Sequence[_Evidence]) -> float:
    """Return the median sharpness, or 1 where fewer than two patches tell."""
    told = [found.sharpness for found in evidence if math.isfinite(found.sharpness)]
    return float(np.median(told)) if len(told) >= 2 else 1.0


class _Side(NamedTuple):
    """A side of a patch on the reduced picture: where it begins, its scale, and which of its steps have that scale."""

    begins: float
    scale: float
    even: NDArray[np.bool_]

    def whole(self, lag: int) -> NDArray[np.bool_]:
        """Return from which pixels, the first `lag` and the last left out, all is even up to `lag` pixels around."""
        if 2 * lag > len(self.even):
            return np.zeros(0, np.bool_)
        return np.asarray(sliding_window_view(self.even, 2 * lag).all(axis=1))


class _View:
    """A reduced picture, looked at through its map from the original."""

    def __init__(self, reduced: Reduced) -> None:
        self.map: CoordinateMap = reduced.coordinates
        self._image = reduced.image
        (width, height), (w, h) = self.map.original_size, self.map.reduced_size
        self.scale = min(1.0, float(np.sqrt(w * h / (width * height))))

    @cached_property
    def restored(self) -> Floats:
        """What it shows at each place of the original, (H, W)."""
        values = _luma(self._image).astype(np.float32)[..., None]
        return restore_values(values, self.map)[..., 0].astype(np.float64)

    def along(self, x: Floats, y: Floats) -> tuple[_Side, _Side] | None:
        """Return where a patch lies on the reduced picture, for x and for y.

        None where most of it is dropped, or where the map bends so much that no plain scaling looks like it.
        """
        across = self.map.to_reduced(np.stack([x, np.full_like(x, y[len(y) // 2])], axis=1), outside="clip")[:, 0]
        down = self.map.to_reduced(np.stack([np.full_like(y, x[len(x) // 2]), y], axis=1), outside="clip")[:, 1]
        sides = []
        for at in (across, down):
            steps = np.diff(at)
            kept = steps[steps > 1e-3]
            if len(kept) < len(steps) / 2:
                return None
            scale = float(np.median(kept))
            # Not where its first pixel is, which may be dropped: where it would be if the patch were whole.
            starts = at - scale * np.arange(len(at))
            begins = float(np.median(starts))
            if len(kept) == len(steps) and np.abs(starts - begins).max() > BENT * scale:
                return None
            sides.append(_Side(begins, scale, np.abs(steps - scale) <= EVEN * scale))
        return sides[0], sides[1]


def _look(pixels: Pixels, view: _View, windows: list[tuple[int, int, int]]) -> list[_Evidence]:
    return [found for window in windows if (found := _compare(pixels, view, *window))]


def _compare(pixels: Pixels, view: _View, left: int, top: int, side: int) -> _Evidence | None:
    """Hold one patch of the reduced picture against the same patch of the original, scaled plainly; None if unclear."""
    height, width = pixels.shape[:2]
    x, y = left + 0.5 + np.arange(side, dtype=np.float64), top + 0.5 + np.arange(side, dtype=np.float64)
    along = view.along(x, y)
    if along is None:
        return None
    expected = _plain(pixels, left, top, side, along)
    if expected is None or float(expected.std()) < CONTRAST:
        return None
    reach = np.arange(-REACH, side + REACH)
    wide = view.restored[np.ix_((top + reach).clip(0, height - 1), (left + reach).clip(0, width - 1))]
    scores = _correlate(wide, expected)
    inner = slice(REACH, REACH + side)
    lag = max(1, round(1 / min(along[0].scale, along[1].scale)))
    whole = np.ix_(along[1].whole(lag), along[0].whole(lag))
    energy = _detail(expected, lag, whole)
    sharpness = _detail(wide[inner, inner], lag, whole) / energy if energy > 0 else energy + 1.0
    return _Evidence(_nearby(scores), _displacement(scores), sharpness)


def _nearby(scores: Floats) -> float:
    return float(scores[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2].max())


def _displacement(scores: Floats) -> tuple[float, float] | None:
    """Return how far content lies from its place (x, y), or None where its place is as good as any."""
    here = _nearby(scores)
    row, column = (int(at) for at in np.unravel_index(int(scores.argmax()), scores.shape))
    best = float(scores[row, column])
    if best < MATCH or best <= here or 1 - best > CLEARER * (1 - here):
        return None
    return (
        column + _vertex(scores[row, :], column) - REACH,
        row + _vertex(scores[:, column], row) - REACH,
    )


def _vertex(values: Floats, at: int) -> float:
    """Return where between its neighbours the parabola through a largest value has its vertex, -0.5 to 0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(value) for value in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def _correlate(wide: Floats, template: Floats) -> Floats:
    """Return the normalised correlation of a template with every place of a wider patch, -1 to 1."""
    side = template.shape[0]
    n = template.size
    centred = template - template.mean()
    wide = wide - wide.mean()
    shape = wide.shape
    spectrum = np.fft.rfft2(wide) * np.conj(np.fft.rfft2(centred, shape))
    places = wide.shape[0] - side + 1
    product = np.fft.irfft2(spectrum, shape)[:places, :places]
    sums, squares = _box(wide, side), _box(wide * wide, side)
    spread = np.sqrt(np.maximum(squares - sums * sums / n, 1e-9) * float((centred * centred).sum()))
    return np.clip(product / np.maximum(spread, 1e-6 * n), -1, 1)


def _box(values: Floats, side: int) -> Floats:
    """Return the sums over all windows of a side."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]


def _detail(patch: Floats, lag: int, whole: tuple[NDArray[Any], ...]) -> float:
    """Return the energy of the finest detail that a scale can show: of second differences a reduced pixel apart.

    It is taken where the patch is whole, as what is dropped beside an edge changes that edge; nan where that is little.
    """
    inner = slice(lag, -lag)
    across = (2 * patch[:, inner] - patch[:, 2 * lag :] - patch[:, : -2 * lag])[inner][whole]
    down = (2 * patch[inner] - patch[2 * lag :] - patch[: -2 * lag])[:, inner][whole]
    if across.size < WHOLE * patch.size:
        return math.nan
    return float((across * across).mean() + (down * down).mean())


def _plain(pixels: Pixels, left: int, top: int, side: int, along: tuple[_Side, _Side]) -> Floats | None:
    """Scale a patch of the original plainly and back, on the same grid of reduced pixels as the reduced picture."""
    begins, ends, counts, places = [], [], [], []
    for start, (at, scale, _), limit in zip((left, top), along, pixels.shape[1::-1], strict=True):
        scale = min(scale, 1.0) if abs(scale - 1) > 1e-6 else 1.0
        origin = start + 0.5 - at / scale  # of the reduced grid, on the original
        first = max(np.floor(at) - 4, np.ceil((0 - origin) * scale))
        last = min(np.ceil(at + side * scale) + 4, np.floor((limit - origin) * scale))
        if last - first < 4:
            return None
        begins.append(max(0.0, origin + first / scale))
        ends.append(min(float(limit), origin + last / scale))
        counts.append(int(last - first))
        places.append(at - first + np.arange(side) * scale)
    margin = 32
    x0, y0 = max(0, int(begins[0]) - margin), max(0, int(begins[1]) - margin)
    crop = _luma(pixels[y0 : int(ends[1]) + margin, x0 : int(ends[0]) + margin])
    box = (begins[0] - x0, begins[1] - y0, ends[0] - x0, ends[1] - y0)
    scaled = Image.fromarray(crop.astype(np.float32)).resize((counts[0], counts[1]), Image.Resampling.BICUBIC, box)
    points = np.stack(np.meshgrid(places[0], places[1]), axis=-1)
    return bilinear(np.asarray(scaled, np.float64), points)


def _luma(pixels: Pixels) -> Floats:
    luma: Floats = pixels @ np.array([0.299, 0.587, 0.114])
    return luma


def _textured(pixels: Pixels, scale: float) -> list[tuple[int, int, int]]:
    """Choose windows that show where they lie: left, top and side in pixels; the best of each part of the picture."""
    height, width = pixels.shape[:2]
    side = min(round(np.clip(REDUCED_SIDE / scale, *SIDES)), height, width)
    if side < SIDES[0] // 2:
        return []
    lefts = np.unique(np.linspace(0, width - side, WINDOWS).astype(int))
    tops = np.unique(np.linspace(0, height - side, WINDOWS).astype(int))
    windows = sliding_window_view(pixels[..., 1], (side, side))[np.ix_(tops, lefts)]
    down, across = np.diff(windows.astype(np.float32), axis=2), np.diff(windows.astype(np.float32), axis=3)
    a, b = (across**2).mean(axis=(2, 3)), (down**2).mean(axis=(2, 3))
    c = (across[:, :, 1:] * down[..., 1:]).mean(axis=(2, 3))
    texture = (a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + c**2)  # the energy in the direction that has least
    chosen = []
    for rows in np.array_split(np.arange(len(tops)), min(PATCHES, len(tops))):
        for columns in np.array_split(np.arange(len(lefts)), min(PATCHES, len(lefts))):
            part = texture[np.ix_(rows, columns)]
            row, column = np.unravel_index(int(part.argmax()), part.shape)
            if part[row, column] >= TEXTURE:
                chosen.append((int(lefts[columns[column]]), int(tops[rows[row]]), side))
    return chosen
