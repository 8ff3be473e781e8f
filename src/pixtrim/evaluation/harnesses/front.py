"""What stands between a harness and its model: every picture is reduced on the way."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from PIL import Image

from pixtrim.errors import UsageError
from pixtrim.evaluation.reducers import reducer_named
from pixtrim.image import load
from pixtrim.tokens import parse_budget, resolve

__all__ = ["Front"]


class Front:
    """Reduces pictures for a model by one operator to one budget, and counts what that saves.

    Parameters
    ----------
    model : str
        The model whose token rule counts, as `pixtrim models` lists them: ``"qwen3-vl"``.
    budget : str, int or float
        Tokens for each picture (800), or a share of what it costs (``"50%"``).
    operator : str
        The name of a registered reducer: ``"auto"``, ``"fold"``, ``"resize"``.

    Attributes
    ----------
    pictures, tokens_before, tokens_after : int
        How many pictures were asked for, and what they cost before and after, by the model's rule. A harness may ask
        for the same picture several times.

    Raises
    ------
    UsageError
        If the model, the budget or the operator is not known.

    Examples
    --------
    >>> front = Front("qwen3-vl", "50%", "resize")
    >>> front.picture(Image.new("RGB", (800, 600))).size
    (576, 431)
    >>> print(front)
    resize for qwen3-vl at 50%: 1 picture, 475 -> 234 tokens
    """

    def __init__(self, model: str, budget: str | int | float = "50%", operator: str = "auto") -> None:
        self.rule = resolve(model)
        self.reducer = reducer_named(operator)
        self.budget = budget
        if parse_budget(budget, 1000) is None:
            raise UsageError(f"the budget is {budget!r}: give tokens (800) or a share (50%)")
        self.model = model
        self.pictures = self.tokens_before = self.tokens_after = 0
        self._lock = threading.Lock()  # harnesses ask models behind an endpoint from several threads

    def picture(self, picture: Image.Image) -> Image.Image:
        """Reduce a picture.

        Returns
        -------
        PIL.Image.Image
            The picture itself, in whatever mode, where it is within the budget; otherwise an RGB picture.

        Raises
        ------
        InputError
            If the picture cannot be used.
        UsageError
            If the budget is below what the model bills for any picture of that shape.
        """
        pixels = np.ascontiguousarray(load(picture).pixels)
        height, width = pixels.shape[:2]
        before = self.rule.count(width, height)
        allowed = parse_budget(self.budget, before)
        after, reduced = before, picture
        if allowed is not None and allowed < before:
            made = self.reducer.reduce(pixels, self.model, allowed)
            reduced = Image.fromarray(made.image)
            after = self.rule.count(*reduced.size)
        with self._lock:
            self.pictures += 1
            self.tokens_before += before
            self.tokens_after += after
        return reduced

    def within(self, value: Any) -> Any:
        """Return a value in which all pictures are reduced: itself, or lists, tuples and dicts of such values.

        What holds no picture is returned as it is; nothing is changed in place.
        """
        if isinstance(value, Image.Image):
            return self.picture(value)
        if isinstance(value, dict):
            return {key: self.within(part) for key, part in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.within(part) for part in value)
        return value

    @property
    def settings(self) -> str:
        """What the reduction depends on."""
        return f"{self.reducer.name} for {self.model} at {self.budget}"

    def __str__(self) -> str:
        pictures = f"{self.pictures} picture{'s' * (self.pictures != 1)}"
        return f"{self.settings}: {pictures}, {self.tokens_before} -> {self.tokens_after} tokens"

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "budget": self.budget, "operator": self.reducer.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
