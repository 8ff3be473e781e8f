"""Gemini's generateContent, and the counting of its tokens: parts with ``inlineData`` or ``fileData`` of an image.

Keys may be spelt ``inlineData`` or ``inline_data``, and a list of one thing may be that thing. The name of the model is
in the URL, not in the body. What is not declared as ``image/...`` is no image: documents, sound and films.

Gemini's own computer use gives places in thousandths of the image's sides, so that scaling alone needs no mapping, but
folding would. These are not told apart: the models that have it, and of which the rule is known, bill all sizes alike.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats import places as shared
from pixtrim.gateway.formats.places import Place, one_or_more, text_of, web_url
from pixtrim.gateway.formats.pointing import pointing

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS: Final = (b"inlineData", b"inline_data", b"fileData", b"file_data")

WRAPPERS: Final = ("generateContentRequest", "generate_content_request")


def model(body: Mapping[str, Any]) -> str | None:
    """Return the name of the model, which a request to count tokens may have."""
    return shared.model(_request(body)[1]) or shared.model(body)


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of the instructions and of all contents."""
    root, request = _request(body)
    resolution = _get(_get(request, "generationConfig"), "mediaResolution")
    alone = not _get(request, "cachedContent")  # in which there may be images that the request does not have
    system = _key(request, "systemInstruction")
    for key in (system, "contents"):
        for path, content in one_or_more(request.get(key), *root, key):
            for at, part in one_or_more(content.get("parts"), *path, "parts"):
                for place in _part(at, part, _level(resolution)):
                    yield place if alone else replace(place, notable=False)


def note(text: str, block: Mapping[str, Any]) -> dict[str, str]:
    """Return a part of text."""
    return {"text": text}


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a tool is for a computer, or a function takes places."""
    return any(pointing(tool) for _, tool in one_or_more(_request(body)[1].get("tools")))


def _request(body: Mapping[str, Any]) -> tuple[Path, Mapping[str, Any]]:
    """Return what is sent to the model, with its path: a request to count tokens may wrap it."""
    for key in WRAPPERS:
        if isinstance(inner := body.get(key), Mapping):
            return (key,), inner
    return (), body


def _part(path: Path, part: Mapping[str, Any], detail: str | None) -> Iterator[Place]:
    """Yield the image of a part, or those that a function has answered with."""
    inline, file, answer = (_key(part, key) for key in ("inlineData", "fileData", "functionResponse"))
    signed = bool(_get(part, "thoughtSignature"))  # the model's own image, which must come back as it was
    detail = _level(_get(part, "mediaResolution")) or detail
    if inline in part:
        blob, declared = part[inline], _key(part[inline], "mimeType")
        if _is_image(blob) and isinstance(blob.get("data"), str):

            def embed(text: str, media_type: str) -> tuple[Edit, ...]:
                return Edit((*path, inline, "data"), text), Edit((*path, inline, declared), media_type)

            yield Place(path, embed, blob["data"], detail=detail, fixed=signed)
    elif file in part:
        if _is_image(part[file]):

            def enclose(text: str, media_type: str) -> tuple[Edit, ...]:
                kept = {key: value for key, value in part.items() if key != file}
                return (Edit(path, {**kept, "inlineData": {"mimeType": media_type, "data": text}}),)

            yield Place(path, enclose, url=web_url(_get(part[file], "fileUri")), detail=detail, fixed=signed)
    elif isinstance(response := part.get(answer), Mapping):
        for at, inner in one_or_more(response.get("parts"), *path, answer, "parts"):
            if _key(inner, "functionResponse") not in inner:
                yield from (replace(place, notable=False) for place in _part(at, inner, detail))  # no text fits there


def _is_image(value: Any) -> bool:
    declared = _get(value, "mimeType")
    return isinstance(declared, str) and declared.lower().startswith("image/")


def _level(value: Any) -> str | None:
    """Return a resolution under the name that it has elsewhere.

    Examples
    --------
    >>> _level("MEDIA_RESOLUTION_HIGH"), _level({"level": "MEDIA_RESOLUTION_UNSPECIFIED"})
    ('high', None)
    """
    name = text_of(value, "level") if isinstance(value, Mapping) else value
    level = name.lower().removeprefix("media_resolution_") if isinstance(name, str) else None
    return None if level == "unspecified" else level


def _key(value: Any, name: str) -> str:
    """Return the spelling of a key that an object has: as it is documented, or with underscores."""
    other = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return other if isinstance(value, Mapping) and name not in value and other in value else name


def _get(value: Any, name: str) -> Any:
    return value.get(_key(value, name)) if isinstance(value, Mapping) else None
