"""What FastAPI cannot see by itself: bodies, which are read within limits, and errors."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from pixtrim.gateway.rest.answers import ErrorAnswer
from pixtrim.gateway.rest.errors import STATUS

__all__ = ["ERRORS", "IMAGE", "request_body"]

_FILE: Final = {"type": "string", "format": "binary"}

IMAGE: Final[dict[str, Any]] = {
    "description": "The report, the image and the map of coordinates; or, as Accept asks for it, the image itself.",
    "content": {"image/*": {"schema": _FILE}},
    "headers": {
        name: {"description": f"{about}; beside an image only.", "schema": {"type": kind}}
        for name, about, kind in (
            ("X-Pixtrim-Tokens-Before", "What the image cost", "integer"),
            ("X-Pixtrim-Tokens-After", "What it costs now", "integer"),
            ("X-Pixtrim-Operator", "What was done", "string"),
        )
    },
}


def _types(status: int) -> str:
    return " or ".join(f"`{type}`" for type, other in STATUS.items() if other == status)


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer, "description": _types(status)}
    for status in sorted(set(STATUS.values()) - {404, 405})
}


def request_body(kind: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is a form or JSON."""
    schema = kind.model_json_schema()
    form = {**schema, "properties": {name: _in_form(about) for name, about in schema["properties"].items()}}
    content = {"multipart/form-data": {"schema": form}, "application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _in_form(about: dict[str, Any]) -> dict[str, Any]:
    """Describe a field as a form has it: files are files, and several numbers are one text."""
    if about.get("contentEncoding") == "base64":
        return {"description": about["description"], **_FILE} if "description" in about else _FILE
    if "anyOf" in about:
        choices = [_in_form(choice) for choice in about["anyOf"] if choice.get("type") != "null"]
        rest = {name: value for name, value in about.items() if name != "anyOf"}
        return {**rest, **choices[0]} if len(choices) == 1 else {**about, "anyOf": choices}
    if "items" in about:
        return {**about, "items": _in_form(about["items"])}
    if "prefixItems" in about:
        return {"type": "string", "pattern": "[x,]".join(["[0-9.]+"] * len(about["prefixItems"]))}
    return about
