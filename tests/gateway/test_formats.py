"""What holds for all wire formats: every image is found, in order, and nothing else of a request changes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from wire import Path, Request, at, different_pictures, masked, opened, remembered, requests

from pixtrim.errors import UsageError
from pixtrim.gateway import Rewritten, Settings, rewrite
from pixtrim.gateway.formats import FORMATS, format_named
from pixtrim.gateway.formats.pointing import takes_places

HALF = Settings(budget=0.5, operator="resize", model="claude-sonnet-4-5", minimum_saving=0)
EACH = pytest.mark.parametrize("request_", requests(), ids=lambda request: request.wire_format)

POINTING_SCHEMA = {"type": "object", "properties": {"at": {"properties": {"x": {"type": "integer"}, "y": {}}}}}


def shrunk(body: Any, wire_format: str, **options: Any) -> Rewritten:
    return rewrite(body, wire_format, HALF, reduce=remembered, **options)


def written(body: Any, form: str) -> str:
    if form == "compact":
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    if form == "wide":
        return "\n\t" + json.dumps(body, indent=3) + "  \r\n"
    return json.dumps(body).replace("/", "\\/").replace('"type"', '"\\u0074ype"')


def without(text: str, strings: list[str]) -> str:
    for string in strings:
        form = string if string in text else string.replace("/", "\\/").replace("image\\/png", "image/png")
        assert text.count(form) == 1
        text = text.replace(form, "...")
    return text


def test_every_format_is_tried_here() -> None:
    assert [request.wire_format for request in requests()] == list(FORMATS)


@EACH
def test_every_image_becomes_smaller_and_nothing_else_changes(request_: Request) -> None:
    body, report = shrunk(request_.body, request_.wire_format)
    assert report.changed == len(request_.images) >= 3
    assert masked(body, request_.images) == masked(request_.body, request_.images)
    for path in request_.images:
        old, new = opened(at(request_.body, path)), opened(at(body, path))
        assert old.size == (60, 45)
        assert new.format == "PNG"
        assert new.width < 60
        assert new.width / new.height == pytest.approx(4 / 3, rel=0.1)


@EACH
def test_a_dict_is_left_as_it_is(request_: Request) -> None:
    before = json.dumps(request_.body)
    assert shrunk(request_.body, request_.wire_format).body != request_.body
    assert json.dumps(request_.body) == before


@EACH
@pytest.mark.parametrize("form", ["compact", "wide", "escaped"])
def test_bytes_around_images_are_the_same(request_: Request, form: str) -> None:
    text = written(request_.body, form)
    result = shrunk(text.encode(), request_.wire_format).body.decode()
    new = json.loads(result)
    assert new == shrunk(request_.body, request_.wire_format).body
    old_strings = [at(request_.body, path) for path in request_.images]
    new_strings = [at(new, path) for path in request_.images]
    if form == "escaped":  # a media type that was written with an escape is written anew, inside the image's block
        text, result = text.replace("image\\/png", "image/png"), result.replace("image\\/png", "image/png")
    assert without(result, new_strings) == without(text, old_strings)


@EACH
def test_images_are_reported_in_the_order_in_which_the_model_sees_them(request_: Request) -> None:
    report = shrunk(request_.body, request_.wire_format).report
    changed = [image.path for image in report.images if image.outcome.reason == "changed"]
    for block, path in zip(changed, request_.images, strict=True):
        assert path[: len(block)] == block


@EACH
def test_what_is_elsewhere_is_reported_as_such(request_: Request) -> None:
    report = shrunk(request_.body, request_.wire_format).report
    others = {image.outcome.reason for image in report.images if image.outcome.reason != "changed"}
    assert others <= {"not in the request itself", "the request wants it as it is"}
    assert ("not in the request itself" in others) == (request_.wire_format != "ollama")


@EACH
def test_without_its_mark_a_body_has_no_image(request_: Request) -> None:
    marks = FORMATS[request_.wire_format].MARKS
    assert any(mark in json.dumps(request_.body).encode() for mark in marks)
    text = json.dumps(request_.body)
    for mark in marks:
        text = text.replace(mark.decode(), '"picture"' if mark.startswith(b'"') else "picture")
    body = json.loads(text)
    assert shrunk(body, request_.wire_format).report.images == ()


@EACH
def test_a_fetched_image_is_put_into_the_request(request_: Request) -> None:
    urls = {place.url for place in FORMATS[request_.wire_format].places(request_.body) if place.url}
    if request_.wire_format == "ollama":
        assert not urls
        return
    (url,) = urls
    assert url.startswith("https://example.com/")
    (path,) = [p for p in strings(request_.body) if at(request_.body, p) == url]
    file = base64.b64decode(different_pictures(90, 60)())
    body, report = shrunk(request_.body, request_.wire_format, fetched={url: file})
    assert report.changed == len(request_.images) + 1
    assert url not in json.dumps(body)
    (image,) = [image for image in report.images if image.path == path[: len(image.path)]]
    block = at(body, image.path)
    (text,) = [found for inner in strings(block) if len(found := at(block, inner)) > 200]
    assert opened(text).width < 90
    again = shrunk(json.dumps(request_.body).encode(), request_.wire_format, fetched={url: file}).body
    assert json.loads(again) == body


def strings(value: Any, path: Path = ()) -> list[Path]:
    if isinstance(value, str):
        return [path]
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, inner in steps for found in strings(inner, (*path, step))]


@EACH
def test_a_tool_that_takes_places_keeps_all_images(request_: Request) -> None:
    body = json.loads(json.dumps(request_.body).replace('"look"', '"click"'))
    tool = {"name": "click", "parameters": POINTING_SCHEMA}
    body["tools"] = {
        "openai-chat": [{"type": "function", "function": tool}],
        "ollama": [{"type": "function", "function": tool}],
        "openai-responses": [{"type": "namespace", "name": "n", "tools": [{"type": "function", **tool}]}],
        "anthropic": [{"name": "click", "input_schema": POINTING_SCHEMA}],
        "gemini": [{"functionDeclarations": [{"name": "see"}, tool]}],
        "gemini-interactions": [{"type": "function", **tool}],
    }[request_.wire_format]
    found = shrunk(body, request_.wire_format)
    assert found.body is body
    assert {image.outcome.reason for image in found.report.images} == {"a tool points at places of the screen"}


@EACH
@pytest.mark.parametrize("junk", [None, 5, "text", [], {}, [None], [[]], [5, "x"], {"content": [{}]}, {"type": {}}])
def test_what_is_not_as_documented_is_passed_over(request_: Request, junk: Any) -> None:
    for path in [(key,) for key in request_.body] + list(parents(request_.body, request_.images)):
        body = masked(request_.body, (path,), junk)
        assert shrunk(body, request_.wire_format).report.note is None
        assert json.loads(shrunk(json.dumps(body).encode(), request_.wire_format).body)


def parents(body: Any, images: tuple[Path, ...]) -> set[Path]:
    """Return the ways to some images, and each place on them."""
    return {path[:length] for path in images[:3] for length in range(1, len(path))}


@pytest.mark.parametrize("names", ["x y", "startX startY endX endY", "start_coordinate", "x0 y0 x1 y1 color"])
def test_names_of_places(names: str) -> None:
    assert takes_places({"properties": {name: {"type": "number"} for name in names.split()}})


@pytest.mark.parametrize("names", ["", "x", "y", "X Y", "width height", "lat lon", "element ref", "startX endX"])
def test_names_that_are_no_places(names: str) -> None:
    assert not takes_places({"properties": {name: {"type": "number"} for name in names.split()}})


def test_schemas_can_be_deeper_than_the_stack() -> None:
    schema: Any = {"properties": {"x": {}, "y": {}}}
    for _ in range(50_000):
        schema = {"items": [schema]}
    assert takes_places(schema)


def test_an_unknown_format_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="wire format is 'telegram': choose one of openai-chat, "):
        format_named("telegram")
