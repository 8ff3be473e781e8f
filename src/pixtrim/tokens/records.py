"""What is said about costs and models wherever JSON is written: `docs/json.md` describes each field."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pixtrim.tokens.prices import Price, price_of
from pixtrim.tokens.rules import Rule

__all__ = ["TokenCost", "cost_of", "model_record"]


@dataclass(frozen=True)
class TokenCost:
    """What a picture costs one model, unchanged.

    Attributes
    ----------
    model : str
        Its name in the catalogue.
    width, height : int
        Of the picture, upright, in pixels.
    detail : str or None
        The level of detail that was counted with; None where the model has none.
    tokens : int
        At least 1.
    seen_width, seen_height : int
        What the model sees after its own scaling, in pixels.
    saves_by_pixels : bool
        Whether a smaller picture of this shape can cost less.
    mark : str
        How far to trust the rule: D documentation, S source, M measured, I inferred.
    usd : float or None
        By the price of `price_date`; None where no price is known.
    warnings : list of str
        Limits of the provider that the picture breaks.
    """

    model: str
    width: int
    height: int
    detail: str | None
    tokens: int
    seen_width: int
    seen_height: int
    saves_by_pixels: bool
    mark: str
    usd: float | None
    price_date: str | None
    warnings: list[str]


def cost_of(
    rule: Rule,
    width: int,
    height: int,
    detail: str | None = None,
    *,
    size: int | None = None,
    price: Price | None = None,
) -> TokenCost:
    """Return what a picture costs one model.

    Parameters
    ----------
    rule : Rule
        The model's.
    width, height : int
        Of the picture as it is sent, in pixels.
    detail : str or None
        The level of detail of the request.
    size : int, optional
        Bytes of its file, which some providers limit.
    price : Price, optional
        Of the model's input.

    Raises
    ------
    UsageError
        If a side is not a whole number of pixels, or the model has no such level.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> cost_of(resolve("claude-sonnet-4-5"), 1920, 1080).tokens
    1560
    """
    tokens = rule.count(width, height, detail)
    seen_width, seen_height = rule.seen(width, height, detail)
    return TokenCost(
        model=rule.name,
        width=width,
        height=height,
        detail=rule.level(detail),
        tokens=tokens,
        seen_width=seen_width,
        seen_height=seen_height,
        saves_by_pixels=rule.saves_by_pixels(detail),
        mark=rule.mark,
        usd=None if price is None else price.cost(tokens),
        price_date=None if price is None else price.read,
        warnings=list(rule.check(width, height, detail, size=size)),
    )


def model_record(rule: Rule) -> dict[str, Any]:
    """Return all that is known about a model, for JSON.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> model_record(resolve("qwen3-vl"))["grid"]["patch_size"]
    16
    """
    price = price_of(rule)
    return {
        "model": rule.name,
        "provider": rule.provider,
        "aliases": list(rule.aliases),
        "kind": rule.kind,
        "details": list(rule.details),
        "default_detail": rule.default_detail,
        "saves_by_pixels": rule.saves_by_pixels(),
        "open_weights": rule.open_weights,
        "limits": {name: limit for name, limit in asdict(rule.limits).items() if limit is not None},
        "grid": None if rule.grid is None else asdict(rule.grid),
        "mark": rule.mark,
        "source": rule.source,
        "read": rule.read,
        "note": rule.note,
        "usd_per_million": None if price is None else price.usd_per_million,
        "price_date": None if price is None else price.read,
    }
