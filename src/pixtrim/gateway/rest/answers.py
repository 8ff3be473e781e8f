"""What the REST interface answers, as its OpenAPI document describes it; `docs/json.md` says what each field means."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CountsAnswer", "ErrorAnswer", "ModelsAnswer", "PruneAnswer", "ShrinkAnswer"]


class Shown(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Fault(Shown):
    """What is wrong, and what to do about it."""

    message: str
    type: str
    param: str | None = Field(description="The field that is wrong, where it is one.")


class ErrorAnswer(Shown):
    """Any answer that is an error."""

    error: Fault


class ShrinkReport(Shown):
    """What was done to an image."""

    schema_: Literal[1] = Field(alias="schema")
    input: str
    output: None
    operator: str
    kind: str | None
    model: str
    detail: str | None
    rule_mark: str
    rule_source: str
    original_width: int
    original_height: int
    width: int
    height: int
    tokens_before: int
    tokens_after: int
    budget: int | None
    usd_before: float | None
    usd_after: float | None
    price_date: str | None
    text_scale: float
    notes: list[str]
    warnings: list[str]
    importance: str | None
    confidence: float | None


class Coordinates(Shown):
    """The map between the two images, as `pixtrim.CoordinateMap.from_dict` reads it."""

    version: Literal[1]
    size: list[int]
    stages: list[dict[str, Any]]


class ShrinkAnswer(Shown):
    """An image made cheaper."""

    report: ShrinkReport
    media_type: str
    image: str = Field(json_schema_extra={"contentEncoding": "base64"})
    coordinates: Coordinates


class Count(Shown):
    """What an image or a size costs one model."""

    schema_: Literal[1] = Field(alias="schema")
    input: str | None
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
    requested_model: str


class CountsAnswer(Shown):
    """Sizes first, then images, each for all models."""

    counts: list[Count]


class PruneAnswer(Shown):
    """Which tokens of an image stay."""

    schema_: Literal[1] = Field(alias="schema")
    input: str
    model: str
    selector: str
    metric: str
    threshold: float
    anchored: bool
    fit: str
    width: int
    height: int
    fitted_width: int
    fitted_height: int
    grid_thw: tuple[int, int, int] = Field(description="As the model's processor says it, in patches.")
    grid_h: int
    grid_w: int
    tokens: int
    tokens_resized: int
    kept: int
    ratio: float
    bound: float | None
    reference: str | None
    key: bool
    offsets: list[tuple[int, int]]
    plan: str | None = Field(
        description="As `KeepPlan.from_bytes` reads it.", json_schema_extra={"contentEncoding": "base64"}
    )
    notes: list[str]
    warnings: list[str]
    keep_indices: list[int]


class Grid(Shown):
    """How a model cuts images."""

    patch_size: int
    spatial_merge_size: int
    temporal_patch_size: int
    order: str


class ModelAnswer(Shown):
    """All that is known about a model."""

    schema_: Literal[1] = Field(alias="schema")
    model: str
    provider: str
    aliases: list[str]
    kind: str
    details: list[str]
    default_detail: str | None
    saves_by_pixels: bool
    open_weights: bool
    limits: dict[str, float]
    grid: Grid | None
    mark: str
    source: str
    read: str
    note: str
    usd_per_million: float | None
    price_date: str | None


class ModelsAnswer(Shown):
    """The models of which the token rules are known."""

    models: list[ModelAnswer]
