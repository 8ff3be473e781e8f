"""The pictures of a report: every pair as files beside it, and those of the chosen cases inside it."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap
from pixtrim.evaluation.reducers import BASELINE, Reduced
from pixtrim.evaluation.report.cases import Case
from pixtrim.result import ENCODERS, LONGEST_SIDE, file_of, write_whole

__all__ = ["Exhibit", "Gallery", "Pair", "Pictures", "Shot", "detail_box", "map_grid", "wanted"]

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
Pictures = Callable[[str, str, str], Reduced | None]
"""From a sample's name, a reducer's, and a budget to the picture; None where there is none."""

PREVIEW: Final = 1000  # pixels: the longest side of a picture inside the report
LOSSLESS: Final = 50_000  # bytes up to which a picture inside the report is kept as it is
DETAIL: Final = 0.28  # of the width of the original: the spot that is shown enlarged
GRID: Final = 13  # spots along each side, by which the viewer finds the same place in a folded picture
STRONG: Final = 48.0  # levels: a stronger edge counts no more, so that letters count for more than bars
SHAPE: Final = 1.7  # how much taller or wider than it was a detail may come out
ENLARGED: Final = 400  # pixels: a detail of less width is drawn with its pixels visible


@dataclass(frozen=True)
class Pair:
    """Where the pictures of a case lie, as addresses that are relative to the report.

    `same` says that the operator's picture is the plain resize, pixel for pixel. `grid` says where the original's spots
    are in the operator's picture, as `map_grid` gives it.
    """

    case: Case
    original: str
    baseline: str
    reduced: str
    same: bool
    grid: str

    @property
    def addresses(self) -> tuple[str, str, str]:
        """The original, the plain resize and the operator's picture."""
        return self.original, self.baseline, self.reduced


@dataclass(frozen=True)
class Shot:
    """One picture of an exhibit: what it is, its size in pixels, and itself and a detail of it as data addresses."""

    title: str
    tokens: int
    width: int
    height: int
    preview: str
    detail: str
    enlarged: bool
    address: str


@dataclass(frozen=True)
class Exhibit:
    """A case with its three pictures."""

    case: Case
    pair: Pair
    shots: tuple[Shot, ...]


class Gallery:
    """Makes the pictures of a report, once each.

    Parameters
    ----------
    folder : Path
        Where the files go; made when the first is written.
    pictures : callable
        Gives the pictures.
    """

    def __init__(self, folder: Path, pictures: Pictures) -> None:
        self.folder = folder
        self.pictures = pictures
        self.pairs: dict[tuple[str, str, str], Pair] = {}
        self.exhibits: dict[tuple[str, str, str], Exhibit] = {}

    def add(self, cases: Sequence[Case], shown: Iterable[Case], done: Callable[[], object] = lambda: None) -> None:
        """Write the pictures of cases, and keep those of the shown ones for the report.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        exhibited = {_key(case) for case in shown}
        by_sample: dict[str, list[Case]] = defaultdict(list)
        for case in cases:
            by_sample[case.sample].append(case)
        for sample, found in by_sample.items():
            original = self.pictures(sample, BASELINE, str(found[0].tokens_original))
            if original is not None:
                self._sample(original, found, exhibited)
            for _ in found:
                done()

    def _sample(self, original: Reduced, cases: Sequence[Case], exhibited: set[tuple[str, str, str]]) -> None:
        place = f"{_slug(cases[0].sample)}-{cases[0].digest[:8]}"
        written = {"original": self._write(f"{place}/original", original.image)}
        baselines: dict[int, Reduced | None] = {}
        for case in cases:
            if case.tokens not in baselines:
                baseline = self.pictures(case.sample, BASELINE, str(case.tokens))
                baselines[case.tokens] = baseline
                if baseline is not None:
                    written[str(case.tokens)] = self._write(f"{place}/{BASELINE}-{case.tokens}", baseline.image)
            baseline, reduced = baselines[case.tokens], self.pictures(case.sample, case.reducer, case.budget)
            if baseline is not None and reduced is not None:
                same = np.array_equal(baseline.image, reduced.image)
                name = f"{place}/{case.reducer}-{_slug(case.budget.replace('%', 'pct'))}"
                file = written[str(case.tokens)] if same else self._write(name, reduced.image)
                pair = Pair(
                    case, written["original"], written[str(case.tokens)], file, same, map_grid(reduced.coordinates)
                )
                self.pairs[_key(case)] = pair
                if _key(case) in exhibited:
                    self.exhibits[_key(case)] = _exhibit(pair, original, baseline, reduced)

    def _write(self, name: str, pixels: Pixels) -> str:
        """Write a picture without loss; return its address."""
        format = "WEBP" if max(pixels.shape) <= LONGEST_SIDE["WEBP"] else "PNG"
        path = self.folder / f"{name}.{format.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, file_of(pixels, format))
        return f"{quote(self.folder.name)}/{name}.{format.lower()}"


def wanted(cases: Sequence[Case], shown: Sequence[Case], pairs: int | None) -> list[Case]:
    """Return the cases whose pictures are written: the shown ones, and whole samples, kinds in turn, up to `pairs`."""
    if pairs is None:
        return list(cases)
    by_kind: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        by_kind[case.kind][case.sample].append(case)
    kept = {_key(case) for case in shown}
    for turn in zip_longest(*(samples.values() for samples in by_kind.values())):
        for sample in turn:
            more = kept | {_key(case) for case in sample or ()}
            if len(more) <= pairs:
                kept = more
    return [case for case in cases if _key(case) in kept]


def map_grid(coordinates: CoordinateMap) -> str:
    """Return where the spots of a grid over the original are in the reduced picture, for the viewer.

    Returns
    -------
    str
        GRID * GRID positions x, y, row by row, each a byte from 0 to 255 over the width or height of the reduced
        picture, in base64. Empty where the picture was only scaled.
    """
    steps = np.linspace(0, 1, GRID)
    spots = np.stack(np.meshgrid(steps, steps), axis=-1)
    found = coordinates.to_reduced(spots * coordinates.original_size) / coordinates.reduced_size
    if np.abs(found - spots).max() < 1 / 255:
        return ""
    return base64.b64encode(np.clip(np.rint(found * 255), 0, 255).astype(np.uint8).tobytes()).decode("ascii")


def detail_box(original: Pixels, coordinates: CoordinateMap) -> Box:
    """Return the spot that is worth enlarging: full of edges, and still whole in the reduced picture.

    Parameters
    ----------
    original : ndarray
        uint8 (H, W, 3).
    coordinates : CoordinateMap
        From the original to the reduced picture.

    Returns
    -------
    tuple of int
        x0, y0, x1, y1 in pixels of the original.
    """
    height, width = original.shape[:2]
    w = min(width, max(64, round(width * DETAIL)))
    h = min(height, max(32, w // 2))
    edges = _edges(original)
    sums = np.pad(edges.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    corners = [(x, y) for y in _starts(height, h) for x in _starts(width, w)]
    boxes = np.array([(x, y, x + w, y + h) for x, y in corners], np.int64)
    x0, y0, x1, y1 = boxes.T
    energy = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    left = coordinates.to_reduced(boxes=boxes.astype(np.float64))
    across, down = (left[:, 2] - left[:, 0]) / w, (left[:, 3] - left[:, 1]) / h
    whole = (down <= SHAPE * across) & (across <= SHAPE * down)  # not parts of blocks that were laid apart
    best = boxes[int(np.argmax(energy * np.where(whole, across * down + 1e-9, 0) + 1e-9 * energy))]
    return int(best[0]), int(best[1]), int(best[2]), int(best[3])


def _starts(length: int, part: int) -> Iterator[int]:
    """Yield where parts start that overlap by half, the last at the end."""
    yield from range(0, length - part, max(1, part // 2))
    yield length - part


def _edges(pixels: Pixels) -> NDArray[np.float64]:
    """Return how much each pixel differs from the ones to the right and below, at most STRONG: float64 (H, W)."""
    grey: NDArray[np.float64] = pixels.mean(axis=2)
    edges: NDArray[np.float64] = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    edges += np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    np.minimum(edges, STRONG, out=edges)
    return edges


def _exhibit(pair: Pair, original: Reduced, baseline: Reduced, reduced: Reduced) -> Exhibit:
    case = pair.case
    box = detail_box(original.image, reduced.coordinates)
    titles = ("original", "plain resize", case.reducer)
    tokens = (case.tokens_original, case.baseline_tokens, case.tokens)
    shots = []
    for title, cost, picture, address in zip(
        titles, tokens, (original, baseline, reduced), pair.addresses, strict=True
    ):
        detail = _crop(picture, box)
        height, width = picture.image.shape[:2]
        enlarged = detail.width < ENLARGED
        shots.append(Shot(title, cost, width, height, _preview(picture.image), _data(detail), enlarged, address))
    return Exhibit(case, pair, tuple(shots))


def _crop(picture: Reduced, box: Box) -> Image.Image:
    """Return what a reduced picture shows of a box of the original, in its own pixels."""
    height, width = picture.image.shape[:2]
    x0, y0, x1, y1 = picture.coordinates.to_reduced(boxes=np.array(box, np.float64)).tolist()
    left, top = min(int(x0), width - 1), min(int(y0), height - 1)
    right, bottom = max(left + 1, -int(-x1 // 1)), max(top + 1, -int(-y1 // 1))
    return Image.fromarray(np.ascontiguousarray(picture.image[top:bottom, left:right]))


def _preview(pixels: Pixels) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    return _data(picture)


def _data(picture: Image.Image) -> str:
    """Return a picture as a data address, without loss where that is small."""
    exact = _encoded(picture, "WEBP", **ENCODERS["WEBP"])
    lossy = exact if len(exact) <= LOSSLESS else _encoded(picture, "WEBP", quality=80, method=4)
    return "data:image/webp;base64," + base64.b64encode(min(exact, lossy, key=len)).decode("ascii")


def _encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def _slug(name: str) -> str:
    """Return a name that is safe in every file system and address."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in kept.split("-") if part)[-60:].lstrip("-") or "picture"


def _key(case: Case) -> tuple[str, str, str]:
    return case.sample, case.reducer, case.budget
