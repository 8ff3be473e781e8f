"""What a picture has to become, and what it has become so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.importance import Source, confidence, importance_of, protected, source_named
from pixtrim.tokens import Rule, largest_size
from pixtrim.tokens.budget import BudgetError

__all__ = ["DEFAULT_IMPORTANCE", "Guide", "Part", "SourceLike", "Task"]

Pixels = NDArray[np.uint8]
Importance = NDArray[np.float32]
Mask = NDArray[np.bool_]
Boxes = NDArray[np.int64]

SourceLike = str | Source | ArrayLike

DEFAULT_IMPORTANCE: Final = "text+saliency"
"""The source that is asked where the caller names none."""

STRETCH: Final = 0.03
"""How far the aspect ratio may change to use the pixels of cells that are paid for anyway."""


class Guide:
    """Where the content of a picture is, worked out when it is first asked for.

    Attributes
    ----------
    source : str, array or callable
        As `pixtrim.importance.importance_of` takes it.
    """

    def __init__(self, pixels: Pixels, source: SourceLike) -> None:
        self._pixels, self.source = pixels, source
        if isinstance(source, str) and source != DEFAULT_IMPORTANCE:
            source_named(source)  # a wrong name is told even where nobody comes to ask

    @property
    def name(self) -> str:
        """What a report calls the source."""
        if isinstance(self.source, str):
            return self.source
        return "array" if isinstance(self.source, np.ndarray) else getattr(self.source, "__name__", "callable")

    def prefer(self, source: str, importance: Importance) -> None:
        """Go by this map from now on, unless the caller named a source."""
        if isinstance(self.source, str) and self.source == DEFAULT_IMPORTANCE:
            self.source = source
            self.__dict__["importance"] = importance

    @property
    def used(self) -> bool:
        """Whether anybody asked."""
        return "importance" in self.__dict__

    @cached_property
    def importance(self) -> Importance:
        """float32 (H, W) in [0, 1]."""
        return importance_of(self._pixels, self.source)

    @cached_property
    def confidence(self) -> float:
        """How sure the map is, 0 to 1."""
        return confidence(self.importance)


@dataclass(frozen=True)
class Task:
    """A picture and what it has to become.

    Attributes
    ----------
    protect : ndarray
        int (N, 4), boxes (x0, y0, x1, y1) on the picture.
    """

    pixels: Pixels
    rule: Rule
    detail: str | None
    tokens: int
    threads: int
    protect: Boxes
    guide: Guide
    _fitted: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict, init=False, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def native(self) -> bool:
        """Whether the budget holds the picture as it is."""
        return self.fitted(*self.size) == self.size

    def count(self, width: int, height: int) -> int:
        return self.rule.count(width, height, self.detail)

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """The size at which the budget holds a picture of this shape; several steps ask for the same ones."""
        if (width, height) not in self._fitted:
            self._fitted[width, height] = self._largest(width, height)
        return self._fitted[width, height]

    def _largest(self, width: int, height: int) -> tuple[int, int]:
        if largest_size(self.rule, width, height, self.tokens, self.detail) == (width, height):
            return width, height  # not to be stretched to a grid, for what is not scaled stays sharp
        return largest_size(self.rule, width, height, self.tokens, self.detail, STRETCH)

    def scale(self, width: int, height: int) -> float:
        try:
            across, down = self.fitted(width, height)
        except BudgetError:  # folds can have a shape that the model bills more for, at any size
            return 1e-9
        return min(across / width, down / height)


@dataclass(frozen=True)
class Part:
    """The picture after some steps.

    Attributes
    ----------
    steps : tuple of str
        What was done, in order.
    scale : float
        The smallest scale of anything on it.
    """

    steps: tuple[str, ...]
    image: Pixels
    coordinates: CoordinateMap
    scale: float

    @classmethod
    def whole(cls, pixels: Pixels) -> Part:
        """Nothing was done yet."""
        return cls((), pixels, CoordinateMap.identity(pixels.shape[1], pixels.shape[0]), 1.0)

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    @property
    def operator(self) -> str:
        """The steps in one word; a resize that only ends them is not told."""
        told = [step for step in self.steps if step != "resize"]
        return "+".join(told) or (self.steps[0] if self.steps else "none")

    def then(self, step: str, image: Pixels, coordinates: CoordinateMap, scale: float = 1.0) -> Part:
        """Return the picture after one more step, which `coordinates` describes."""
        return replace(
            self,
            steps=(*self.steps, step),
            image=image,
            coordinates=self.coordinates.then(coordinates),
            scale=self.scale * scale,
        )

    def importance(self, guide: Guide) -> Importance:
        """The importance of what is left of the original."""
        importance = guide.importance
        return np.ascontiguousarray(self.coordinates.to_reduced(mask=importance)) if self.steps else importance

    def protected(self, boxes: Boxes) -> Mask | None:
        """The protected pixels of what is left of the original, if there are any."""
        if not len(boxes):
            return None
        return protected(self.coordinates.to_reduced(boxes=boxes.astype(np.float64)), self.size)
