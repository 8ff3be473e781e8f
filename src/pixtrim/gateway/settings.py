"""What is done to the images of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pixtrim.errors import UsageError
from pixtrim.pipeline.steps import PLAIN, parse_operator
from pixtrim.tokens import parse_budget

__all__ = ["LOSSLESS_FIRST", "Settings"]

LOSSLESS_FIRST = "lossless-first"
"""The operator that folds documents and screenshots and scales the rest, no further than the model does itself."""


@dataclass(frozen=True)
class Settings:
    """How images are reduced; the defaults take away what repeats, and pixels that the model would not see.

    Attributes
    ----------
    budget : int, float or str
        Of each image, as for `pixtrim.shrink`: tokens, a share, or ``"fit"``, which gives up what the model does not
        see anyway. It is ``"fit"`` for images of which no size costs so little.
    operator : str
        ``"lossless-first"``, or as for `pixtrim.shrink`.
    minimum_saving : float
        0 to 1. An image is changed if this share of its tokens is saved, or as many tokens as before in this share of
        bytes less, or if the provider would refuse it as it is.
    model : str or None
        The model whose rule counts, in place of the request's.
    computer_use : {"keep", "map"}
        What is done to the images of requests that have a tool which points at places of the screen: nothing, or they
        are scaled, and the tool's display and clicks with them.
    repeats : {"keep", "shrink", "note"}
        What is done to an image that repeats an earlier one of the same request: nothing special, a quarter of its
        tokens is left, or a line of text stands in its place.
    max_pixels : int
        The largest image that is decoded; larger ones go through untouched.

    Raises
    ------
    UsageError
        If a value is not one of these.
    """

    budget: int | float | str = "fit"
    operator: str = LOSSLESS_FIRST
    minimum_saving: float = 0.05
    model: str | None = None
    computer_use: Literal["keep", "map"] = "keep"
    repeats: Literal["keep", "shrink", "note"] = "keep"
    max_pixels: int = 40_000_000

    def __post_init__(self) -> None:
        if self.operator != LOSSLESS_FIRST:
            parse_operator(self.operator)
        parse_budget(self.budget, 1_000_000)
        if isinstance(self.minimum_saving, bool) or not isinstance(self.minimum_saving, (int, float)):
            raise UsageError(f"minimum_saving is {self.minimum_saving!r}: give a number from 0 to 1")
        if not 0 <= self.minimum_saving <= 1:
            raise UsageError(f"minimum_saving is {self.minimum_saving}: give a number from 0 to 1")
        if self.model is not None and not isinstance(self.model, str):
            raise UsageError(f"model is {self.model!r}: give a model's name")
        for name, choices in (("computer_use", ("keep", "map")), ("repeats", ("keep", "shrink", "note"))):
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        if isinstance(self.max_pixels, bool) or not isinstance(self.max_pixels, int) or self.max_pixels < 1:
            raise UsageError(f"max_pixels is {self.max_pixels!r}: give a whole number from 1")

    @property
    def mappable(self) -> bool:
        """Whether all that may be done to an image is uniform scaling and folding."""
        return self.operator == LOSSLESS_FIRST or self.operator == "auto" or PLAIN.issuperset(self.operator.split("+"))
