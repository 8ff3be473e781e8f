"""shrink(): the only place where the stages meet. Load, count, inspect, fold, resize, map, report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.image import MAX_PIXELS, Source, load
from pixtrim.inspection import Inspection, inspect
from pixtrim.legibility import COMFORTABLE_HEIGHT, LEAST_HEIGHT, text_height
from pixtrim.operators import fold
from pixtrim.operators.fold.changes import Changes, measure_noise
from pixtrim.operators.resize import resize
from pixtrim.result import Report, Shrunk
from pixtrim.tokens import Price, Rule, largest_size, parse_budget, price_of, resolve
from pixtrim.tokens.budget import BudgetError

__all__ = ["Operator", "shrink"]

Operator = Literal["auto", "fold", "resize"]

STRETCH = 0.03
"""How far the aspect ratio may change to use the pixels of cells that are paid for anyway."""

NATIVE_GAP = 10
"""The gap of a fold that was asked for by name where the budget asks for none."""

MAX_THREADS = 256

WORTH_FOLDING = 1.05
"""Folding has to leave text this much larger than a plain resize does, or the plain resize is chosen."""


@dataclass(frozen=True)
class _Reduced:
    """A candidate: the reduced picture, how it came about, and the smallest scale of anything on it."""

    operator: str
    image: NDArray[np.uint8]
    coordinates: CoordinateMap
    scale: float


@dataclass(frozen=True)
class _Task:
    """A picture and what it has to become."""

    pixels: NDArray[np.uint8]
    rule: Rule
    detail: str | None
    tokens: int
    threads: int

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """The size at which the budget holds a picture of this shape."""
        if largest_size(self.rule, width, height, self.tokens, self.detail) == (width, height):
            return width, height  # not to be stretched to a grid, for what is not scaled stays sharp
        return largest_size(self.rule, width, height, self.tokens, self.detail, STRETCH)

    def scale(self, width: int, height: int) -> float:
        try:
            across, down = self.fitted(width, height)
        except BudgetError:  # folds can have a shape that the model bills more for, at any size
            return 1e-9
        return min(across / width, down / height)


def shrink(
    image: Source,
    model: str,
    budget: int | float | str = "fit",
    operator: Operator = "auto",
    *,
    detail: str | None = None,
    protect: ArrayLike | None = None,
    threads: int = 1,
    page: int | None = None,
    dpi: float = 150,
    max_pixels: int = MAX_PIXELS,
    prices: Mapping[str, Price] | None = None,
    name: str | None = None,
) -> Shrunk:
    """Make a picture cheaper for a named model.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image or array
        As `pixtrim.image.load` takes it; ``"statement.pdf#page=3"`` is a page of a PDF.
    model : str
        A name as people type it: ``"claude-opus-4-7"``, ``"openai/gpt-5.5"``; `pixtrim models` lists them.
    budget : int, float or str
        Tokens (800), a share of what the picture costs now (0.5 or ``"50%"``), or ``"fit"``: what it costs now, but no
        pixels that the model throws away.
    operator : {"auto", "fold", "resize"}
        ``"fold"`` drops rows and columns that repeat their neighbour, ``"resize"`` scales; ``"auto"`` folds documents
        and screenshots where that leaves their text larger, and resizes everything else.
    detail : str, optional
        The model's level of detail; by default the one that it uses itself.
    protect : array_like, optional
        (N, 4), boxes (x0, y0, x1, y1) in pixels of the picture, in which nothing is folded. They are still scaled.
    threads : int
        The most threads that the kernels use; the result does not depend on it.
    page, dpi, max_pixels, name
        As for `pixtrim.image.load`.
    prices : mapping, optional
        From `pixtrim.tokens.load_prices`; by default the dated prices that come with pixtrim.

    Returns
    -------
    Shrunk
        The picture, a map between its coordinates and the original's, and a report. It never costs more than the
        original; where nothing can be saved, it is the original.

    Raises
    ------
    UsageError
        If an argument is out of its range, the model is unknown, or the budget is below what any picture costs.
    InputError
        If the picture cannot be used.

    Examples
    --------
    >>> page = np.full((1650, 1275, 3), 255, np.uint8)
    >>> page[200:1400:40, 150:1100] = 0
    >>> shrunk = shrink(page, model="claude-opus-4-7", budget=800)
    >>> shrunk.tokens.before, shrunk.tokens.after <= 800, shrunk.report.operator
    (2714, True, 'fold')
    """
    started = perf_counter()
    if operator not in get_args(Operator):
        raise UsageError(f"operator is {operator!r}: choose one of {', '.join(get_args(Operator))}")
    if not isinstance(threads, (int, np.integer)) or not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads is {threads!r}: give a whole number from 1 to {MAX_THREADS}")
    rule = resolve(model)
    detail = rule.level(detail)
    loaded = load(image, max_pixels=max_pixels, page=page, dpi=dpi, name=name)
    pixels = np.ascontiguousarray(loaded.pixels)
    height, width = pixels.shape[:2]
    boxes = _protected(protect, width, height)
    before = rule.count(width, height, detail)
    wanted = parse_budget(budget, before)
    task = _Task(pixels, rule, detail, before if wanted is None else min(wanted, before), threads)

    reduced, inspection, lines = _reduce(task, operator, boxes, wanted is None)
    after = rule.count(reduced.image.shape[1], reduced.image.shape[0], detail)
    price = price_of(model, prices)
    report = Report(
        input=loaded.source,
        operator=reduced.operator,
        kind=inspection.kind if inspection else None,
        model=rule.name,
        detail=detail,
        rule_mark=rule.mark,
        rule_source=rule.source,
        original_width=width,
        original_height=height,
        width=reduced.image.shape[1],
        height=reduced.image.shape[0],
        tokens_before=before,
        tokens_after=after,
        budget=wanted,
        usd_before=price.cost(before) if price else None,
        usd_after=price.cost(after) if price else None,
        price_date=price.read or None if price else None,
        text_scale=round(reduced.scale, 4),
        notes=list(loaded.notes),
        warnings=_warnings(task, reduced, lines, wanted, before, after),
        seconds=0.0,
    )
    return Shrunk(
        original=pixels,
        image=reduced.image,
        coordinates=reduced.coordinates,
        report=replace(report, seconds=round(perf_counter() - started, 6)),
        data=loaded.data if loaded.pristine and reduced.operator == "none" else None,
        format=loaded.format,
        path=_path_of(image),
    )


def _reduce(
    task: _Task, operator: Operator, protect: NDArray[np.int64], fit: bool
) -> tuple[_Reduced, Inspection | None, float | None]:
    """Choose and do the work; also return what was found out about the picture, and the height of its text."""
    width, height = task.size
    untouched = _Reduced("none", task.pixels, CoordinateMap.identity(width, height), 1.0)
    if not task.rule.saves_by_pixels(task.detail):
        return untouched, None, None
    native = task.fitted(width, height) == task.size
    if native and not (operator == "fold" and fit):
        return untouched, None, None
    changes = Changes(task.pixels, measure_noise(task.pixels), threads=task.threads)
    inspection = inspect(task.pixels, task.threads, changes=changes)
    lines = None if inspection.kind == "photo" else text_height(changes)
    scaled = task.scale(width, height)
    enough = 1.0 if lines is None or operator == "fold" else min(COMFORTABLE_HEIGHT / lines, 1.0)
    if operator == "fold" or (operator == "auto" and inspection.foldable and scaled < enough):
        analysis = fold.Analysis(changes.protected(np.concatenate([protect, inspection.plots])))
        gap = NATIVE_GAP if native else fold.gap_for(analysis, task.scale, enough)
        folded = analysis.size(gap)
        if native and task.rule.count(*folded, task.detail) >= task.tokens:
            return untouched, inspection, lines
        if operator == "fold" or task.scale(*folded) >= WORTH_FOLDING * scaled:
            return _fold(task, analysis.plan(gap)), inspection, lines
    return _resize(task, task.pixels, "resize", CoordinateMap.identity(width, height)), inspection, lines


def _fold(task: _Task, plan: fold.FoldPlan) -> _Reduced:
    return _resize(task, plan.apply(task.pixels, task.threads), "fold", plan.coordinates)


def _resize(task: _Task, pixels: NDArray[np.uint8], operator: str, coordinates: CoordinateMap) -> _Reduced:
    """Scale to the budget what is to be scaled, and chain the maps."""
    height, width = pixels.shape[:2]
    size = task.fitted(width, height)
    if size == (width, height):
        return _Reduced(operator, pixels, coordinates, 1.0)
    image = resize(pixels, size, threads=task.threads)
    chained = coordinates.then(CoordinateMap.scale((width, height), size))
    return _Reduced(operator, image, chained, min(size[0] / width, size[1] / height))


def _warnings(
    task: _Task, reduced: _Reduced, lines: float | None, wanted: int | None, before: int, after: int
) -> list[str]:
    """Say in words what a user has to know before relying on the result."""
    found = []
    rule, detail = task.rule, task.detail
    if not rule.saves_by_pixels(detail):
        found.append(f"{rule.name} bills {before} tokens for this shape at any size: fewer pixels save nothing")
        if wanted is not None and before > wanted:
            cheaper = [level for level in rule.details if rule.count(*task.size, level) <= wanted]
            remedy = f"choose --detail {cheaper[-1]}" if cheaper else "no level of detail meets it"
            found.append(f"the budget of {wanted} tokens is not met: {remedy}")
    if lines is not None and lines * reduced.scale < LEAST_HEIGHT:
        enough = LEAST_HEIGHT / lines
        remedy = f"about {max(after + 1, round(after * (enough / reduced.scale) ** 2))} tokens would keep it readable"
        found.append(
            f"the budget is too small for the text to stay readable: lines of {lines:.0f} pixels are scaled by "
            f"{reduced.scale:.2f} to {lines * reduced.scale:.1f}; {remedy}"
            if enough < 1
            else f"the text is too small to read reliably even before scaling: lines of {lines:.0f} pixels"
        )
    found += rule.check(reduced.image.shape[1], reduced.image.shape[0], detail)
    return found


def _protected(boxes: ArrayLike | None, width: int, height: int) -> NDArray[np.int64]:
    """Check boxes to protect; whole pixels are protected where a box ends inside one."""
    if boxes is None:
        return np.empty((0, 4), np.int64)
    try:
        given = np.atleast_2d(np.asarray(boxes, np.float64))
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.shape == (1, 0):
        return np.empty((0, 4), np.int64)
    if given.ndim != 2 or given.shape[1] != 4:
        raise UsageError("protect takes boxes of four numbers, (x0, y0, x1, y1), in pixels of the picture")
    inside = (given >= 0) & (given <= (width, height, width, height))
    sound = inside.all(axis=1) & (given[:, 0] < given[:, 2]) & (given[:, 1] < given[:, 3])
    if not sound.all():
        wrong = ", ".join(f"{number:g}" for number in given[~sound][0])
        raise UsageError(
            f"the protected box ({wrong}) is not inside the picture: "
            f"give x0 < x1 up to {width} and y0 < y1 up to {height}"
        )
    return np.concatenate([np.floor(given[:, :2]), np.ceil(given[:, 2:])], axis=1).astype(np.int64)


def _path_of(image: Source) -> Path | None:
    """The file that must not be overwritten, if the input is one."""
    if not isinstance(image, (str, os.PathLike)):
        return None
    path = os.fsdecode(image)
    return Path(path if os.path.lexists(path) else path.rpartition("#page=")[0])
