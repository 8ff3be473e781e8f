"""The engine's one configuration object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pixtrim.errors import UsageError
from pixtrim.pruning import Settings

if TYPE_CHECKING:
    from pixtrim.engines.transformers.after import Reducer

__all__ = ["PruneConfig"]

REFERENCES = ("none", "previous")


@dataclass(frozen=True)
class PruneConfig(Settings):
    """Which tokens a model is not given; checked when it is made.

    Attributes
    ----------
    threshold, selector, metric, anchored, seed, skip_ratio
        See `pixtrim.pruning.Settings`.
    reference : {"none", "previous"}
        ``"previous"``: a picture is also predicted from the one before it in the same conversation, as the screenshots
        of one task are. What the earlier picture has, at the same place or moved, is left out of the later one.
    after : Reducer, optional
        A second stage, which chooses among the tokens that the encoder made: one of
        `pixtrim.engines.transformers.after`.

    Raises
    ------
    UsageError
        If a setting is out of its range.

    Examples
    --------
    >>> PruneConfig(threshold=2, reference="previous").selector
    'pred_2d'
    """

    reference: str = "none"
    after: Reducer | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference not in REFERENCES:
            raise UsageError(f"reference is {self.reference!r}: choose one of {', '.join(REFERENCES)}")
        if self.after is not None and not callable(getattr(self.after, "reduce", None)):
            raise UsageError(f"after is {self.after!r}: give a reducer of pixtrim.engines.transformers.after, or None")
