"""The engine's one configuration object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pixtrim.errors import UsageError
from pixtrim.pruning import Settings
from pixtrim.tokens import parse_budget

if TYPE_CHECKING:
    from pixtrim.engines.transformers.after import Reducer

__all__ = ["PruneConfig"]

REFERENCES = ("none", "previous")

ANY_COST = 10**9
"""Tokens: a budget that is a share of this is a share of what any picture costs."""


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
    budget : int, float or str, optional
        For models that cut pictures into fixed tiles, of which no token can be left out, the only setting: the most
        tokens of each picture (800), or the share of what it costs (0.5 or ``"50%"``), to which it is made smaller. By
        default only what repeats is taken out.

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
    budget: int | float | str | None = None

    @classmethod
    def of(cls, config: PruneConfig | None, settings: dict[str, Any]) -> PruneConfig:
        """Return the configuration that a caller gave, or make it of its fields.

        Raises
        ------
        UsageError
            If both are given, or a field is not known.
        """
        if config is not None and settings:
            raise UsageError(f"config and {', '.join(settings)}: give one configuration, or its fields")
        unknown = settings.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            raise UsageError(
                f"unknown setting {', '.join(sorted(unknown))}: choose from {', '.join(cls.__dataclass_fields__)}"
            )
        return config or cls(**settings)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference not in REFERENCES:
            raise UsageError(f"reference is {self.reference!r}: choose one of {', '.join(REFERENCES)}")
        if self.after is not None and not callable(getattr(self.after, "reduce", None)):
            raise UsageError(f"after is {self.after!r}: give a reducer of pixtrim.engines.transformers.after, or None")
        if self.budget is not None:
            parse_budget(self.budget, ANY_COST)
