"""shrink(): the only place where the stages meet. Load, count, inspect, reduce, map, report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixtrim.errors import UsageError
from pixtrim.image import MAX_PIXELS, Source, load
from pixtrim.inspection import Inspection, inspect
from pixtrim.legibility import COMFORTABLE_HEIGHT, LEAST_HEIGHT, text_height
from pixtrim.operators import fold
from pixtrim.operators.fold.changes import Changes, measure_noise
from pixtrim.pipeline import policy
from pixtrim.pipeline.steps import PLAIN, carved, cropped, folded, parse_operator, resized, warped
from pixtrim.pipeline.task import DEFAULT_IMPORTANCE, STRETCH, Guide, Part, SourceLike, Task
from pixtrim.result import Report, Shrunk
from pixtrim.tokens import Price, parse_budget, price_of, resolve

__all__ = ["DEFAULT_IMPORTANCE", "STRETCH", "WORTH_FOLDING", "SourceLike", "shrink"]

NATIVE_GAP = 10
"""The gap of a fold that was asked for by name where the budget asks for none."""

MAX_THREADS = 256

WORTH_FOLDING = 1.05
"""Folding has to leave text this much larger than a plain resize does, or the plain resize is chosen."""

ENDS = {"resize": resized, "warp": warped, "carve": carved}


def shrink(
    image: Source,
    model: str,
    budget: int | float | str = "fit",
    operator: str = "auto",
    *,
    detail: str | None = None,
    protect: ArrayLike | None = None,
    importance: SourceLike = DEFAULT_IMPORTANCE,
    computer_use: bool = False,
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
    operator : str
        ``"auto"``, or steps joined by ``+`` in this order. ``"crop"`` cuts off borders without importance, ``"fold"``
        drops rows and columns that repeat their neighbour, and at the end one of ``"resize"`` scales, ``"warp"`` scales
        what is unimportant more, and ``"carve"`` takes out seams. ``"auto"`` folds documents and screenshots where that
        leaves their text larger, and does to photos what the evaluation has shown to be no worse than a plain resize.
    detail : str, optional
        The model's level of detail; by default the one that it uses itself.
    protect : array_like, optional
        (N, 4), boxes (x0, y0, x1, y1) in pixels of the picture, in which nothing is cropped, folded or carved. They are
        still scaled, but by a warp no smaller than by a plain resize.
    importance : str, array or callable
        Where the content is, for crop, warp and carve: a source of `pixtrim.importance`, or float32 (H, W) in [0, 1].
    computer_use : bool
        The model is to point at places of the picture: nothing but uniform scaling and folding is done to it.
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
    steps = parse_operator(operator)
    if computer_use and not PLAIN.issuperset(steps):
        raise UsageError(f"operator is {operator!r}: for computer use choose auto, fold or resize, which keep shapes")
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
    guide = Guide(pixels, importance)
    task = Task(pixels, rule, detail, before if wanted is None else min(wanted, before), threads, boxes, guide)

    reduced, inspection, lines = _reduce(task, steps, wanted is None, computer_use)
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
        importance=guide.name if guide.used else None,
        confidence=round(guide.confidence, 4) if guide.used else None,
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
        importance=guide.importance if guide.used else None,
    )


def _reduce(
    task: Task, steps: tuple[str, ...], fit: bool, computer_use: bool
) -> tuple[Part, Inspection | None, float | None]:
    """Choose and do the work; also return what was found out about the picture, and the height of its text."""
    whole = Part.whole(task.pixels)
    if not task.rule.saves_by_pixels(task.detail):
        return whole, None, None
    if task.native and not (fit and {"crop", "fold"}.intersection(steps)):
        return whole, None, None
    part = cropped(task, whole) if "crop" in steps else whole
    changes = Changes(part.image, measure_noise(part.image), threads=task.threads)
    inspection = inspect(part.image, task.threads, changes=changes)
    lines = None if inspection.kind == "photo" else text_height(changes)
    end = next((step for step in steps if step in ENDS), "resize")
    if "fold" in steps or (not steps and inspection.foldable):
        part = _fold(task, part, changes, inspection, lines, forced=bool(steps), fit=fit)
    elif not steps and not computer_use:
        end = policy.choose(task, inspection)
    if task.native and task.count(*part.size) >= task.tokens:
        return whole, inspection, lines
    return ENDS[end](task, part), inspection, lines


def _fold(
    task: Task, part: Part, changes: Changes, inspection: Inspection, lines: float | None, *, forced: bool, fit: bool
) -> Part:
    """Fold where that was asked for, or leaves text larger than a plain resize does.

    By name and without a budget, all is folded that can be: what the model sees anyway is not to be used up.
    """
    scaled = task.scale(*part.size)
    enough = 1.0 if lines is None or forced else min(COMFORTABLE_HEIGHT / lines, 1.0)
    if not forced and scaled >= enough:
        return part
    protect = part.coordinates.to_reduced(boxes=task.protect.astype(np.float64)).astype(np.int64)
    analysis = fold.Analysis(changes.protected(np.concatenate([protect, inspection.plots])))
    gap = NATIVE_GAP if task.native or (forced and fit) else fold.gap_for(analysis, task.scale, enough)
    size = analysis.size(gap)
    if size != part.size and (forced or task.scale(*size) >= WORTH_FOLDING * scaled):
        return folded(task, part, analysis.plan(gap))
    return part


def _warnings(task: Task, reduced: Part, lines: float | None, wanted: int | None, before: int, after: int) -> list[str]:
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
