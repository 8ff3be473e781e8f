"""OpenAI's chat completions and responses: levels of detail, files, screenshots, and what must stay as it is."""

from __future__ import annotations

from typing import Any

import pytest
from wire import file_of, opened, photo, remembered, text_of

from pixtrim.gateway import Rewritten, Settings, rewrite
from pixtrim.gateway.formats import openai_chat, openai_responses

HALF = Settings(budget=0.5, operator="resize", minimum_saving=0)
PNG = text_of(file_of(photo(640, 480)))
URL = f"data:image/png;base64,{PNG}"


def chat(*content: Any, model: str = "gpt-5.5", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": list(content)}], **more}


def responses(*items: Any, model: str = "gpt-5.5", **more: Any) -> dict[str, Any]:
    return {"model": model, "input": list(items), **more}


def shrunk(request: dict[str, Any], settings: Settings = HALF, **options: Any) -> Rewritten:
    return rewrite(request, "openai-chat" if "messages" in request else "openai-responses", settings, reduce=remembered)


def part(url: Any = URL, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


# --- chat completions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "detail", "tokens"),
    [
        ("gpt-4.1", "low", 85),
        ("gpt-4.1", "high", 425),
        ("gpt-4.1", "auto", 425),
        ("gpt-4.1", None, 425),
        ("gpt-4.1", "original", 425),  # a level that this model does not have
        ("gpt-4.1", 5, 425),
        ("claude-sonnet-4-5", "high", 414),  # one that has none at all
        ("qwen3-vl", "low", 300),
    ],
)
def test_levels_of_detail(model: str, detail: Any, tokens: int) -> None:
    (image,) = shrunk(chat(part(detail=detail), model=model)).report.images
    assert image.outcome.tokens is not None
    assert image.outcome.tokens[0] == tokens
    assert "detail" not in image.outcome.reason


def test_a_level_stays_where_it_is() -> None:
    (block,) = shrunk(chat(part(detail="original", more=[1]))).body["messages"][0]["content"]
    assert opened(block["image_url"].pop("url")).width < 640
    assert block == {"type": "image_url", "image_url": {"detail": "original", "more": [1]}}


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;charset=utf-8;base64,{PNG}",
        f"data:;base64,{PNG}",
        f"DATA:IMAGE/PNG;BASE64,{PNG}",
        f"data:image/jpeg;base64,{PNG}",
        f"data:image/png;base64,{PNG.rstrip('=')}",
        "data:image/png;base64," + "\n".join(PNG[at : at + 76] for at in range(0, len(PNG), 76)),
    ],
    ids=["parameter", "no type", "upper case", "wrong type", "no padding", "lines"],
)
def test_odd_data_urls(url: str) -> None:
    (block,) = shrunk(chat(part(url))).body["messages"][0]["content"]
    assert block["image_url"]["url"].startswith("data:image/png;base64,")
    assert opened(block["image_url"]["url"] + "=" * (-len(block["image_url"]["url"].partition(",")[2]) % 4)).width < 640


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data:",
        "data:image/png;base64,",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,é",
        "data:image/svg+xml,%3Csvg%3E",
        "data:image/png;base64;base64," + "A" * 8,
        "data:application/pdf;base64,JVBERi0xLjQ=",
        "file:///etc/passwd",
        "data:image/png" + ";a" * 20_000,
        "\ud800",
        None,
        ["data:image/png;base64," + PNG],
    ],
)
def test_what_is_no_image_stays(url: Any) -> None:
    given = chat(part(url), part())
    found = shrunk(given)
    assert found.body["messages"][0]["content"][0] is given["messages"][0]["content"][0]
    assert found.report.images[-1].outcome.reason == "changed"


@pytest.mark.parametrize(
    ("more", "points"),
    [
        ({"tools": [{"type": "function", "function": {"parameters": {"properties": {"x": {}, "y": {}}}}}]}, True),
        ({"tools": [{"type": "computer_20250124", "function": {"name": "computer"}}]}, True),  # as LiteLLM has it
        ({"functions": [{"name": "click", "parameters": {"properties": {"coordinate": {}}}}]}, True),
        ({"tools": [{"type": "function", "function": {"parameters": {"properties": {"x": {}, "name": {}}}}}]}, False),
        ({"tools": [{"type": "function", "function": None}, 5]}, False),
        ({}, False),
    ],
)
def test_functions_that_point(more: dict[str, Any], points: bool) -> None:
    assert openai_chat.points(chat(part(), **more)) is points


# --- responses -------------------------------------------------------------------------------------------------------


def test_screenshots_become_smaller_where_no_tool_points_any_more() -> None:
    output = {"type": "computer_screenshot", "image_url": URL}
    (place,) = openai_responses.places(responses({"type": "computer_call_output", "call_id": "c", "output": output}))
    assert place.text == PNG
    assert not place.notable
    assert [edit.path for edit in place.embed("iVBO", "image/png")] == [("input", 0, "output", "image_url")]
    kept = shrunk(responses({"type": "computer_call_output", "call_id": "c", "output": output}))
    assert kept.report.images[0].outcome.reason == "a tool points at places of the screen"


@pytest.mark.parametrize(
    ("request_", "points"),
    [
        (responses(tools=[{"type": "computer"}]), True),
        (responses(tools=[{"type": "computer_use_preview", "display_width": 1024, "display_height": 768}]), True),
        (responses({"type": "computer_call", "call_id": "c", "action": {"type": "click", "x": 1, "y": 2}}), True),
        (responses({"type": "additional_tools", "role": "developer", "tools": [{"type": "computer"}]}), True),
        (responses(tools=[{"type": "function", "name": "f", "parameters": {"properties": {"x": {}, "y": {}}}}]), True),
        (responses(tools=[{"type": "image_generation"}, {"type": "web_search"}]), False),
        ({"model": "gpt-5.5", "input": "text"}, False),
    ],
)
def test_requests_that_point(request_: dict[str, Any], points: bool) -> None:
    assert openai_responses.points(request_) is points


@pytest.mark.parametrize(
    "item",
    [
        {"type": "image_generation_call", "id": "i", "status": "completed", "result": PNG},
        {"type": "reasoning", "id": "r", "content": [{"type": "input_image", "image_url": URL}]},
        {"type": "code_interpreter_call", "outputs": [{"type": "image", "url": URL}]},
        {"type": "function_call_output", "call_id": "c", "output": URL},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_data": URL}]},
        {"type": "computer_call_output", "call_id": "c", "output": [URL]},
        {"type": ["message"], "content": [{"type": "input_image", "image_url": URL}]},
        {"role": "user", "content": URL},
    ],
)
def test_other_items_are_left_alone(item: dict[str, Any]) -> None:
    given = responses(item)
    assert shrunk(given).body is given


def test_an_input_of_text_is_left_alone() -> None:
    given = {"model": "gpt-5.5", "input": URL}
    assert rewrite(given, "openai-responses", HALF).body is given


@pytest.mark.parametrize("earlier", [{"previous_response_id": "resp_1"}, {"conversation": {"id": "conv_1"}}])
def test_no_note_numbers_images_where_the_server_has_others(earlier: dict[str, Any]) -> None:
    image = {"type": "input_image", "image_url": URL}
    given = responses({"role": "user", "content": [image, image]})
    noted = Settings(operator="resize", repeats="note")
    assert "repeated" in [found.outcome.reason for found in shrunk(given, noted).report.images]
    assert "repeated" not in [found.outcome.reason for found in shrunk({**given, **earlier}, noted).report.images]


def test_notes_keep_the_mark_for_the_cache() -> None:
    mark = {"mode": "explicit"}
    block = {"type": "input_image", "image_url": URL, "detail": "high", "prompt_cache_breakpoint": mark}
    assert openai_responses.note("x", block) == {"type": "input_text", "text": "x", "prompt_cache_breakpoint": mark}
    block = {"type": "image_url", "image_url": {"url": URL}, "cache_control": {"type": "ephemeral"}}
    assert openai_chat.note("x", block) == {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
