"""Pictures of models that cut them into fixed tiles: what they cost, and how they come to cost less.

What a picture costs is asked of the processor. For most of these models it depends on the shape of the picture more
than on its size, so that scaling saves little. Folding away rows and columns that repeat changes the shape, as does a
margin, and both leave every letter as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import floor, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import Axis, CoordinateMap, Piece
from pixtrim.engines.families import Tiling
from pixtrim.errors import UsageError
from pixtrim.inspection import inspect
from pixtrim.legibility import COMFORTABLE_HEIGHT, text_height
from pixtrim.operators.fold import Analysis
from pixtrim.operators.fold.changes import Changes, measure_noise
from pixtrim.operators.resize import resize
from pixtrim.pipeline.task import Part
from pixtrim.tokens import parse_budget

__all__ = ["Seen", "Tiles", "reduce"]

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

GAPS = (10, 11, 12, 13, 14, 16, 18, 20, 23, 26, 30, 35, 41, 48, 57, 68, 82, 99)
"""How many rows of a run of repeats may be left, from what keeps lines of text apart to what saves next to nothing."""

MARGINS = tuple(1.06**step for step in range(12))
"""How much longer a side may become by a margin."""

ENOUGH = 0.99
"""The share of the scale of text that has to be left; whole pixels cannot always be met."""

WORTH = 0.95
"""The share of its tokens that a picture may still cost, or it is left as it is."""

SCALES = tuple(0.97**step for step in range(100))
STRETCHES = (1.0, 1.04, 0.96, 1.08, 0.92, 1.12, 0.88)
"""What is tried for a budget: scales of the height, and how much wider or narrower the picture becomes. These models
stretch pictures to the shape of their tiles anyway."""

PAN_AND_SCAN = {
    "do_pan_and_scan": False,
    "pan_and_scan_min_crop_size": 256,
    "pan_and_scan_max_num_crops": 4,
    "pan_and_scan_min_ratio_to_activate": 1.2,
}
"""What Gemma 3's processor tells its image processor if the user does not."""


@dataclass(frozen=True)
class Seen:
    """What a model makes of a picture.

    Attributes
    ----------
    tokens : int
        Placeholders that stand for it in the prompt.
    width, height : float
        The size to which it is scaled before it is cut, in pixels.
    """

    tokens: int
    width: float
    height: float

    def scale(self, width: int, height: int) -> float:
        """Return the scale at which a picture of this size is seen, the smaller of across and down."""
        return min(self.width / width, self.height / height)


class Tiles:
    """What pictures cost by a processor's own rule.

    Parameters
    ----------
    tiling : Tiling
        The model's family.
    processor : ProcessorMixin
        Its processor.
    settings : mapping
        What the processor is called with.
    alone : bool
        Whether they are the only ones of their conversations.
    """

    def __init__(self, tiling: Tiling, processor: Any, settings: Mapping[str, Any], alone: bool = True) -> None:
        self.tiling, self.processor, self.part = tiling, processor, processor.image_processor
        self._layout = "one_of_many" if tiling.one_picture and not alone else tiling.layout
        known = {name: value for name, value in settings.items() if name in self.part.valid_kwargs.__annotations__}
        self._given = {**known, **settings.get("images_kwargs", {})}
        self._known: dict[tuple[int, int], Seen] = {}

    @cached_property
    def fixed(self) -> bool:
        """Whether every picture costs the same."""
        if self._layout == "grid":
            cuts = "do_image_splitting" if hasattr(self.part, "do_image_splitting") else "crop_to_patches"
            return not self._setting(cuts, {"crop_to_patches": True})
        if self._layout == "crops":
            return not self._setting("do_pan_and_scan", PAN_AND_SCAN)
        return self._layout != "canvas"

    def seen(self, width: int, height: int) -> Seen:
        """Say what a picture of this size costs, and at which size it is seen."""
        if (width, height) not in self._known:
            self._known[width, height] = getattr(self, f"_{self._layout}")(width, height)
        return self._known[width, height]

    def _setting(self, name: str, defaults: Mapping[str, Any] | None = None) -> Any:
        value = self._given.get(name)
        return value if value is not None else (defaults or {}).get(name, getattr(self.part, name, None))

    def _grid(self, width: int, height: int) -> Seen:
        """Rows and columns of tiles, and beside them one tile of the whole picture."""
        given = {"crop_to_patches": True, **self._given}
        found = self.part.get_number_of_image_patches(height, width, given)
        if isinstance(found, tuple):  # Idefics3: tiles, rows and columns
            count, rows, columns = found
            side = self._setting("max_image_size")["longest_edge"]
            across, down = side, side
        else:
            count = found
            size = self._setting("size")
            across, down = size["width"], size["height"]
            rows, columns = _nearest(max(count - 1, 1), width / height)
        return Seen(max(count, 1) * self._per_tile, max(columns, 1) * across, max(rows, 1) * down)

    @property
    def _per_tile(self) -> int:
        processor = self.processor
        for name in ("image_seq_length", "image_seq_len"):
            if hasattr(processor, name):
                return int(getattr(processor, name))
        return int((processor.img_size // processor.patch_size) ** 2)

    def _canvas(self, width: int, height: int) -> Seen:
        """The best of a list of sizes, without its padding, and beside it one tile of the whole picture."""
        from transformers.image_processing_utils import select_best_resolution

        size = self._setting("size")
        side = size["shortest_edge"] if "shortest_edge" in size else min(size["height"], size["width"])
        tokens = self.processor._get_number_of_features(height, width, side, side)
        if self.processor.vision_feature_select_strategy == "default":
            tokens -= 1
        down, across = select_best_resolution((height, width), self._setting("image_grid_pinpoints"))
        scale = min(across / width, down / height)
        return Seen(int(tokens), width * scale, height * scale)

    def _one_of_many(self, width: int, height: int) -> Seen:
        """One tile, and one token for the end of a row."""
        size = self._setting("size")
        tokens = self.processor.num_image_tokens + (self.processor.vision_feature_select_strategy != "default")
        return Seen(tokens, size["width"], size["height"])

    def _crops(self, width: int, height: int) -> Seen:
        """One square of the whole picture; beside it, of a long one, a few that follow one another."""
        size = self._setting("size")
        active, smallest, most, ratio = (self._setting(name, PAN_AND_SCAN) for name in PAN_AND_SCAN)
        long, short = max(width, height), min(width, height)
        count = min(most, max(2, min(long // smallest, floor(long / short + 0.5))))
        if not active or long / short < ratio or min(short, -(-long // count)) < smallest:
            count = 0
        columns, rows = (count, 1) if width >= height else (1, count)
        return Seen((1 + count) * self._per_tile, max(columns, 1) * size["width"], max(rows, 1) * size["height"])

    def _square(self, width: int, height: int) -> Seen:
        """One square, whatever the picture."""
        size = self._setting("crop_size") or self._setting("size")
        patches = prod(size[side] // self.processor.patch_size for side in ("height", "width"))
        tokens = patches + self.processor.num_additional_image_tokens
        if self.processor.vision_feature_select_strategy == "default":
            tokens -= 1
        return Seen(tokens, size["width"], size["height"])


def _nearest(tiles: int, shape: float) -> tuple[int, int]:
    """Return the rows and columns of so many tiles whose width over height is nearest to a shape."""
    columns = min((n for n in range(1, tiles + 1) if tiles % n == 0), key=lambda n: abs(n / (tiles // n) - shape))
    return tiles // columns, columns


def reduce(pixels: Pixels, tiles: Tiles, budget: int | float | str | None = None) -> Part:
    """Make a picture cost fewer tokens.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3).
    tiles : Tiles
        What pictures cost.
    budget : int, float or str, optional
        Tokens, or a share of what the picture costs now, as for `pixtrim.shrink`. By default the picture is folded, and
        gets a margin, where that saves tokens and leaves text large enough; for a budget it is also scaled, as little
        as possible.

    Returns
    -------
    Part
        Its image, and the map of coordinates; the picture itself where nothing can be saved.

    Raises
    ------
    UsageError
        If the budget is below what a picture of its shape costs.
    """
    whole = Part.whole(pixels)
    before = tiles.seen(*whole.size)
    wanted = before.tokens if budget is None else parse_budget(budget, before.tokens) or before.tokens
    if tiles.fixed:
        return _affordable(whole, before.tokens, wanted, tiles)
    folds = _Folds.of(whole)
    part = whole if folds is None else folds.cheapest(tiles)
    if tiles.seen(*part.size).tokens <= wanted:
        return part
    return _scaled([whole] if folds is None else [folds.fold(GAPS[0]), whole], tiles, wanted)


@dataclass(frozen=True)
class _Folds:
    """What can fold in a picture, and how tall its text is."""

    whole: Part
    analysis: Analysis
    lines: float | None

    @classmethod
    def of(cls, whole: Part) -> _Folds | None:
        """Look at a picture; None for photos and plots."""
        changes = Changes(whole.image, measure_noise(whole.image))
        inspection = inspect(whole.image, changes=changes)
        if not inspection.foldable:
            return None
        return cls(whole, Analysis(changes.protected(inspection.plots)), text_height(changes))

    def cheapest(self, tiles: Tiles) -> Part:
        """Fold to the shape that costs least and leaves text large enough; of equal ones, to that of the largest text.

        Text is large enough if larger text is read no better, or if it is seen as large as without folding.
        """
        before = tiles.seen(*self.whole.size)
        comfortable = 1.0 if self.lines is None else COMFORTABLE_HEIGHT / self.lines
        enough = ENOUGH * min(before.scale(*self.whole.size), comfortable)
        best: tuple[int, float] = floor(WORTH * before.tokens), 1.0
        found: tuple[int, Size] | None = None
        for gap in GAPS:
            width, height = folded = self.analysis.size(gap)
            for margin in MARGINS:
                for size in ((width, round(height * margin)), (round(width * margin), height)):
                    seen = tiles.seen(*size)
                    scale = seen.scale(*size)
                    if scale >= enough and (seen.tokens, -scale) < best:
                        best, found = (seen.tokens, -scale), (gap, size)
            if folded == self.whole.size:
                break
        return self.whole if found is None else _padded(self.fold(found[0]), found[1])

    def fold(self, gap: int) -> Part:
        """Leave so many rows of each run of repeats."""
        plan, whole = self.analysis.plan(gap), self.whole
        if plan.reduced_size == whole.size:
            return whole
        return whole.then("fold", plan.apply(whole.image), plan.coordinates)


def _padded(part: Part, size: Size) -> Part:
    """Add a margin at the right or below, in the colour of that edge."""
    (width, height), (across, down) = part.size, size
    if (width, height) == size:
        return part
    edge = part.image[:, -1] if across > width else part.image[-1]
    image = np.empty((down, across, 3), np.uint8)
    image[:] = np.median(edge, axis=0).astype(np.uint8)
    image[:height, :width] = part.image
    piece = Piece((0, 0, width, height), (0, 0, across, down), Axis.scale(width, width), Axis.scale(height, height))
    return part.then("pad", image, CoordinateMap.pieces([piece], (width, height), size))


def _scaled(parts: list[Part], tiles: Tiles, wanted: int) -> Part:
    """Scale one of some parts to the size within the budget at which it is seen largest."""
    best, found, least = 0.0, None, 0
    for part, scale, stretch in product(parts, SCALES, STRETCHES):
        width, height = part.size
        across, down = min(width, max(1, round(width * scale * stretch))), max(1, round(height * scale))
        seen = tiles.seen(across, down)
        least = min(least or seen.tokens, seen.tokens)
        left = min(across / width, seen.width / width, down / height, seen.height / height)
        if seen.tokens <= wanted and left > best:
            best, found = left, (part, (across, down))
    if found is None:
        return _affordable(parts[-1], least, wanted, tiles)
    part, size = found
    if size == part.size:
        return part
    return part.then("resize", resize(part.image, size), CoordinateMap.scale(part.size, size), best)


def _affordable(part: Part, least: int, wanted: int, tiles: Tiles) -> Part:
    if least > wanted:
        raise UsageError(
            f"a budget of {wanted} tokens is below what {tiles.tiling.title} takes for a picture of "
            f"{part.size[0]}x{part.size[1]}: give at least {least}, or settings of its processor that cut pictures less"
        )
    return part
