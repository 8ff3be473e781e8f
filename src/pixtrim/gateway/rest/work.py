"""The work of each path: from what was given to the bytes of the answer. None of it touches the event loop."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Final

from pixtrim.errors import InputError, PixtrimError, UsageError
from pixtrim.gateway.rest.bodies import Given
from pixtrim.gateway.rest.errors import RequestError
from pixtrim.gateway.rest.fields import PruneFields, ShrinkFields, TokensFields, read
from pixtrim.image import Loaded, load
from pixtrim.operators.prune.records import plan_record
from pixtrim.pipeline import shrink
from pixtrim.pruning import Settings, fitted
from pixtrim.result import Report, Shrunk
from pixtrim.tokens import models, price_of, resolve
from pixtrim.tokens.records import cost_of, model_record

__all__ = ["Answer", "counted", "known_models", "pruned", "shrunk"]

SCHEMA: Final = Report.SCHEMA
JSON: Final = "application/json"


@dataclass(frozen=True)
class Answer:
    """What is sent back; the same for the same question, but for the time in its headers."""

    content: bytes = field(repr=False)
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def shrunk(given: Given, wanted: str, max_pixels: int) -> Answer:
    """Make an image cheaper; `wanted` is ``"json"``, ``"image"`` or a format."""
    fields = read(ShrinkFields, given)
    if wanted not in ("json", "image") and fields.format not in (None, wanted):
        raise RequestError(
            f"format is {fields.format!r} and Accept asks for image/{wanted}: leave one of them out",
            "not_acceptable",
            "format",
        )
    with _about("image", InputError):
        found = shrink(
            fields.image,
            fields.model,
            fields.budget,
            fields.operator,
            detail=fields.detail,
            protect=fields.protect or None,
            computer_use=fields.computer_use,
            max_pixels=max_pixels,
            name="image",
        )
    asked = fields.format if wanted in ("json", "image") else wanted
    with _about("format", UsageError):
        data = found.encode(asked)
    media_type = f"image/{_format(found, asked)}"
    report = found.report.to_dict()
    timing = _timing(report.pop("seconds"))
    if wanted == "json":
        image = {"media_type": media_type, "image": b64encode(data).decode()}
        return _json({"report": report, **image, "coordinates": found.coordinates.to_dict()}, timing)
    tokens = {"X-Pixtrim-Tokens-Before": str(found.tokens.before), "X-Pixtrim-Tokens-After": str(found.tokens.after)}
    return Answer(data, media_type, {**tokens, "X-Pixtrim-Operator": found.report.operator, **timing})


def _format(found: Shrunk, asked: str | None) -> str:
    """Name the format of what `Shrunk.encode` returns."""
    return asked or (found.format if found.data is not None and found.format else "PNG").lower()


def counted(given: Given, max_pixels: int) -> Answer:
    """Count what sizes and images cost models, as ``pixtrim tokens --json`` does."""
    started = perf_counter()
    fields = read(TokensFields, given)
    if not (fields.sizes or fields.images):
        raise UsageError("there is nothing to count: give sizes or images")
    measured: list[tuple[str | None, int, int, int | None]] = [(None, *size, None) for size in fields.sizes]
    for number, image in enumerate(fields.images):
        loaded = _loaded(image, f"images[{number}]", "images", max_pixels)
        height, width = loaded.pixels.shape[:2]
        measured.append((loaded.source, width, height, None if loaded.data is None else len(loaded.data)))
    counts = []
    for source, width, height, size in measured:
        for model in fields.models:
            cost = cost_of(resolve(model), width, height, fields.detail, size=size, price=price_of(model))
            counts.append({"schema": SCHEMA, "input": source, **asdict(cost), "requested_model": model})
    return _json({"counts": counts}, _timing(perf_counter() - started))


def pruned(given: Given, max_pixels: int) -> Answer:
    """Choose the tokens of an image that a model needs, as ``pixtrim prune --json --indices`` does."""
    started = perf_counter()
    fields = read(PruneFields, given)
    settings = Settings(fields.threshold, fields.selector, fields.metric, fields.anchored)
    loaded = _loaded(fields.image, "image", "image", max_pixels)
    with _about("image", InputError):
        grid, pixels = fitted(loaded.pixels, fields.model, fields.fit, max_pixels=max_pixels, name="image")
    other = None
    if fields.reference is not None:
        reference = _loaded(fields.reference, "reference", "reference", max_pixels)
        with _about("reference", PixtrimError):
            other = fitted(reference.pixels, fields.model, fields.fit, max_pixels=max_pixels, name="reference")[1]
    plan = settings.plans(grid, pixels, other)[1]
    record = {
        "schema": SCHEMA,
        "input": "image",
        **plan_record(plan, fields.model),
        "grid_thw": grid.grid_thw,
        "reference": None if plan.key else "reference",
        "plan": b64encode(plan.to_bytes()).decode() if fields.plan else None,
        "notes": list(loaded.notes),
        "keep_indices": plan.indices.tolist(),
    }
    return _json(record, _timing(perf_counter() - started))


def known_models() -> Answer:
    """List the models, as ``pixtrim models --json`` does."""
    return _json({"models": [{"schema": SCHEMA, **model_record(rule)} for rule in models()]})


def _loaded(image: bytes, name: str, param: str, max_pixels: int) -> Loaded:
    with _about(param, InputError):
        return load(image, max_pixels=max_pixels, name=name)


@contextmanager
def _about(param: str, kind: type[PixtrimError]) -> Iterator[None]:
    """Say of errors of a kind which field they are about."""
    try:
        yield
    except kind as error:
        type = "input_error" if isinstance(error, InputError) else "usage_error"
        raise RequestError(str(error), type, param) from error


def _json(value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Answer(text.encode(), JSON, headers or {})


def _timing(seconds: float) -> dict[str, str]:
    return {"Server-Timing": f"image;dur={1000 * seconds:.3f}"}
