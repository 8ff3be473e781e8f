"""What requests to the REST interface say, and how it is checked before any work."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from pixtrim.errors import PixtrimError, UsageError
from pixtrim.gateway.formats.places import data_url
from pixtrim.gateway.pictures import decoded
from pixtrim.gateway.rest.bodies import Given
from pixtrim.gateway.rest.errors import RequestError
from pixtrim.gateway.rest.limits import MOST_VALUES
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune.selectors import selector_named
from pixtrim.pipeline.steps import parse_operator
from pixtrim.tokens import parse_budget, resolve

__all__ = ["PruneFields", "ShrinkFields", "TokensFields", "read"]

LONGEST_SHOWN: Final = 40
MOST_TOKENS: Final = 10**12 - 1


# --- values ----------------------------------------------------------------------------------------------------------


def _file(value: Any) -> Any:
    """Decode base64, bare or in a data URL; the file of a form is bytes already."""
    if not isinstance(value, str):
        return value
    try:
        return decoded(data_url(value) or value)
    except ValueError:
        raise UsageError("the image is not base64: encode the file as base64, or send it in a form") from None


def _known(name: str) -> str:
    resolve(name)
    return name


def _prunable(name: str) -> str:
    PatchGrid.for_model(name, 512, 512)
    return name


def _operator(text: str) -> str:
    parse_operator(text)
    return text


def _budget(value: Any) -> Any:
    if isinstance(value, int) and value > MOST_TOKENS:
        raise UsageError(f"budget is above {MOST_TOKENS} tokens: give fit for no budget")
    parse_budget(value, before=MOST_TOKENS)  # what it comes to is known when the image is
    return value


def _selector(name: str) -> str:
    selector_named(name)
    return name


def _numbers(value: Any) -> Any:
    """Take several numbers apart that a form has in one field: ``1920x1080`` or ``0,0,64,64``."""
    if isinstance(value, str):
        return tuple(re.split("[x,]", value))
    return tuple(value) if isinstance(value, list) else value


Image = Annotated[
    bytes,
    BeforeValidator(_file),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "description": "A file, or a data URL of one."}),
]
Word = Annotated[str, StringConstraints(max_length=100)]
Model = Annotated[str, StringConstraints(max_length=200), AfterValidator(_known)]
Side = Annotated[int, Field(ge=1, le=1_000_000)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_numbers)]
Box = Annotated[tuple[float, float, float, float], BeforeValidator(_numbers)]


# --- requests --------------------------------------------------------------------------------------------------------


class Fields(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, protected_namespaces=())


class ShrinkFields(Fields):
    """An image that is to be made cheaper for a model; all but the image as for `pixtrim.shrink`."""

    image: Image
    model: Model = Field(description="A name as people type it; /v1/pixtrim/models lists them.")
    budget: Annotated[int | float | str, BeforeValidator(_budget)] = Field(
        "fit", description="Tokens (800), a share of what the image costs now (0.5 or 50%), or fit."
    )
    operator: Annotated[Word, AfterValidator(_operator)] = Field(
        "auto", description="auto, or steps joined by + in this order: crop, fold, and one of resize, warp and carve."
    )
    detail: Word | None = Field(None, description="The model's level of detail; by default its own.")
    computer_use: bool = Field(False, description="Nothing but uniform scaling and folding is done.")
    protect: list[Box] = Field(
        [], max_length=1000, description="Boxes x0, y0, x1, y1 in which nothing is cropped, folded or carved."
    )
    format: Literal["png", "webp", "jpeg"] | None = Field(
        None, description="By default PNG, or the file that was sent where nothing was changed."
    )

    @field_validator("detail")
    @classmethod
    def _has_level(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _levelled(value, [info.data.get("model")])


class TokensFields(Fields):
    """Images or sizes that are to be counted for models."""

    models: list[Model] = Field(min_length=1, max_length=200)
    sizes: list[Size] = Field([], max_length=100, description="Widths and heights, in pixels.")
    images: list[Image] = Field([], max_length=100)
    detail: Word | None = Field(None, description="The level of detail, which each of the models must have.")

    @field_validator("detail")
    @classmethod
    def _have_level(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _levelled(value, info.data.get("models") or [])


class PruneFields(Fields):
    """An image of which the tokens are to be chosen that a model needs; as for `pixtrim.prune`."""

    image: Image
    model: Annotated[Model, AfterValidator(_prunable)] = Field(
        "qwen3-vl", description="One whose grid is known; /v1/pixtrim/models says so."
    )
    threshold: float = Field(
        0.0, ge=0, le=255, description="Levels by which a token may differ from what it is predicted to be."
    )
    selector: Annotated[Word, AfterValidator(_selector)] = Field("pred_2d", description="How tokens are predicted.")
    metric: Literal["max", "mae", "rmse", "exact"] = Field("max", description="How a difference is measured.")
    anchored: bool = Field(True, description="Predict from what a decoder has, so that errors do not add up.")
    fit: Literal["resize", "pad"] = Field("resize", description="How the image gets a size that the grid allows.")
    reference: Image | None = Field(None, description="An image that the model has seen before.")
    plan: bool = Field(False, description="Answer with the plan itself, too, encoded and in base64.")


def _levelled(value: str | None, names: list[str | None]) -> str | None:
    for name in names:
        if name is not None:  # a wrong one is told by itself
            resolve(name).level(value)
    return value


# --- reading ---------------------------------------------------------------------------------------------------------

F = TypeVar("F", bound=Fields)


def read(kind: type[F], given: Given) -> F:
    """Check what was given.

    Raises
    ------
    RequestError
        If something is missing, unknown or wrong; it tells the first of these.
    """
    try:
        if isinstance(given, bytes):
            return kind.model_validate_json(_few_values(given), strict=True)
        return kind.model_validate({name: _values(kind, name, values) for name, values in given.items()})
    except ValidationError as error:
        raise _refused(kind, error) from None


def _few_values(body: bytes) -> bytes:
    """Refuse JSON of very many values before it is parsed; an image is one value, however large."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise RequestError(f"the JSON has more than {MOST_VALUES} values", "too_large")
    return body


def _values(kind: type[Fields], name: str, values: list[str | bytes]) -> Any:
    """Return the one value of a field of a form, or all of them where it may have several."""
    field = kind.model_fields.get(name)
    if field is not None and get_origin(field.annotation) is list:
        return values
    if len(values) > 1:
        raise RequestError(f"{_shown(name)} is given {len(values)} times: give it once", "usage_error", name[:100])
    return values[0]


def _refused(kind: type[Fields], error: ValidationError) -> RequestError:
    """Say in one line what is wrong first; values of which nothing is known are not repeated."""
    first = error.errors(include_url=False)[0]
    where, cause = first["loc"], first.get("ctx", {}).get("error")
    name = str(where[0])[:LONGEST_SHOWN] if where else None
    place = "".join(f"[{step}]" if isinstance(step, int) else "" for step in where[1:2])
    if first["type"] == "missing" and len(where) == 1:
        message = f"{name} is missing: give {', '.join(_needed(kind))}"
    elif first["type"] == "extra_forbidden":
        message = f"there is no field {name!r}: choose from {', '.join(kind.model_fields)}"
    elif isinstance(cause, PixtrimError):
        message = str(cause)
    elif name is None:
        message = f"the body cannot be read: {first['msg']}"
    else:
        message = f"{name}{place} is {_shown(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
    return RequestError(message, "usage_error", name)


def _needed(kind: type[Fields]) -> list[str]:
    return [name for name, field in kind.model_fields.items() if field.is_required()]


def _shown(value: Any) -> str:
    if isinstance(value, (bool, int, float)) or value is None:
        text = repr(value)
    else:
        text = repr(value) if isinstance(value, str) and len(value) < LONGEST_SHOWN else f"a {type(value).__name__}"
    return text if len(text) <= 2 * LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
