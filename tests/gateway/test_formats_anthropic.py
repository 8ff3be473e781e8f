"""Anthropic's messages: sources, media types, what stands beside images, and the tools that point."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire import file_of, opened, photo, remembered, text_of

from pixtrim.gateway import Rewritten, Settings, rewrite
from pixtrim.gateway.formats import anthropic

HALF = Settings(budget=0.5, operator="resize", minimum_saving=0)
PNG = text_of(file_of(photo()))


def image(data: str = PNG, media_type: Any = "image/png", **more: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}, **more}


def body(*content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": list(content)}], **more}


def shrunk(request: dict[str, Any], settings: Settings = HALF, **options: Any) -> Rewritten:
    return rewrite(request, "anthropic", settings, reduce=remembered, **options)


@pytest.mark.parametrize(("kind", "declared"), [("PNG", "image/jpeg"), ("JPEG", "image/png"), ("GIF", "image/gif")])
def test_the_media_type_says_what_the_image_is_now(kind: str, declared: str) -> None:
    source = shrunk(body(image(text_of(file_of(photo(), kind)), declared))).body["messages"][0]["content"][0]["source"]
    assert source["media_type"] == {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/png"}[kind]
    assert opened(source["data"]).format == source["media_type"][6:].upper()


def test_what_stands_beside_an_image_stays() -> None:
    beside = {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "transformations": {"oversized_image": "downsize"}}
    given = image(**beside)
    given["source"]["more"] = 1.50
    found = shrunk(body(given)).body["messages"][0]["content"][0]
    assert found["source"]["data"] != PNG
    assert {**found, "source": {**found["source"], "data": PNG}} == given


def test_an_image_that_must_not_be_scaled_is_not() -> None:
    wanted = image(transformations={"oversized_image": "error"})
    found = shrunk(body(wanted, image()))
    assert [image.outcome.reason for image in found.report.images] == ["the request wants it as it is", "changed"]
    assert found.body["messages"][0]["content"][0] is wanted


def test_a_body_to_count_tokens_is_one_like_any_other() -> None:
    given = body(image(), system="Be brief.")
    assert json.loads(rewrite(json.dumps(given).encode(), "anthropic", HALF).body) == shrunk(given).body


@pytest.mark.parametrize(
    "block",
    [
        {"type": "redacted_thinking", "data": PNG},
        {"type": "web_fetch_tool_result", "content": {"type": "web_fetch_result", "content": image()}},
        {"type": "mcp_tool_result", "tool_use_id": "t", "content": [image()]},
        {"type": "tool_use", "id": "t", "name": "n", "input": image()},
        {"type": "something_new", "content": [image()]},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": PNG}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PNG}},
        {"type": "tool_result", "tool_use_id": "t", "content": PNG},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_result", "content": [image()]}]},
        {"type": "image", "source": {"type": "base64", "data": PNG}},
        {"type": "image", "source": {"type": "base64", "media_type": 5, "data": PNG}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": [PNG]}},
        {"type": "image", "source": {"type": "new", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": PNG},
        {"type": "image"},
    ],
)
def test_other_blocks_are_left_alone(block: dict[str, Any]) -> None:
    given = body(block)
    found = shrunk(given)
    assert found.body is given
    assert found.report.images == ()


def test_system_prompts_hold_no_images() -> None:
    given = body("text", system=[image()])
    assert shrunk(given).body is given


def test_a_fetched_image_has_a_source_of_its_own() -> None:
    given = body({"type": "image", "source": {"type": "url", "url": "https://a.example/x"}, "cache_control": {"a": 1}})
    found = shrunk(given, fetched={"https://a.example/x": file_of(photo(), "JPEG")}).body["messages"][0]["content"][0]
    assert found.pop("cache_control") == {"a": 1}
    assert opened(found["source"].pop("data")).format == "JPEG"
    assert found == {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg"}}


def test_a_file_is_never_fetched() -> None:
    given = body({"type": "image", "source": {"type": "file", "file_id": "https://a.example/x", "url": "https://a"}})
    assert shrunk(given, fetched={"https://a.example/x": file_of(photo()), "https://a": file_of(photo())}).body is given


@pytest.mark.parametrize(
    ("tools", "points"),
    [
        ([{"type": "computer_20241022", "name": "computer", "display_width_px": 1}], True),
        ([{"type": "computer_20250124", "name": "computer"}], True),
        ([{"type": "computer_20251124", "name": "computer"}], True),
        ([{"type": "computer_toolset_20260801"}], True),
        ([{"type": "bash_20250124", "name": "bash"}, {"type": "browser_toolset_20260801"}], True),
        ([{"name": "click", "input_schema": {"properties": {"coordinate": {"type": "array"}}}}], True),
        (
            [
                {
                    "name": "drag",
                    "input_schema": {"properties": {"steps": {"items": {"properties": {"x": {}, "y": {}}}}}},
                }
            ],
            True,
        ),
        ([{"name": "browser_click", "input_schema": {"properties": {"element": {}, "ref": {}}}}], False),
        ([{"type": "bash_20250124", "name": "bash"}, {"type": "web_search_20250305", "name": "web_search"}], False),
        ([{"type": ["computer"]}, "computer", None], False),
        ({"type": "computer_20250124"}, False),
    ],
)
def test_tools_that_point(tools: Any, points: bool) -> None:
    assert anthropic.points(body(image(), tools=tools)) is points


def test_a_tool_that_comes_in_the_middle_points_too() -> None:
    tool = {"type": "tool_definition", "definition": {"type": "computer_20251124", "name": "computer"}}
    assert anthropic.points(body({"type": "tool_addition", "tool": tool}))
    assert not anthropic.points(
        body({"type": "tool_addition", "tool": {"type": "tool_reference", "name": "computer_x"}})
    )


def test_a_note_keeps_the_mark_for_the_cache() -> None:
    given = body(image(), image(cache_control={"type": "ephemeral"}))
    found = shrunk(given, Settings(operator="resize", repeats="note", model="claude-opus-4-7", budget=0.9))
    small = found.report.images[1].outcome.tokens
    assert small is not None
    assert anthropic.note("x", image(cache_control={"type": "ephemeral"})) == {
        "type": "text",
        "text": "x",
        "cache_control": {"type": "ephemeral"},
    }
    assert anthropic.note("x", image(transformations={})) == {"type": "text", "text": "x"}
