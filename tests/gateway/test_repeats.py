"""Images that repeat earlier ones: what was sent in one turn stays the same in all later ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import file_of, opened, photo, remembered, text_of

from pixtrim.gateway import RewriteReport, Settings, rewrite

PICTURES = [text_of(file_of(photo(300, 200, seed))) for seed in range(4)]
REPEATS = ("keep", "shrink", "note")


def image(number: int) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURES[number]}}


def turn(numbers: list[int], by_tool: bool = False) -> list[dict[str, Any]]:
    """Return what a client adds to a conversation: images of the user's, or of a tool that the model has called."""
    blocks = [*map(image, numbers), {"type": "text", "text": "?"}]
    if by_tool:
        use = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]}
        return [use, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": blocks}]}]
    return [{"role": "user", "content": blocks}, {"role": "assistant", "content": "I see."}]


def sent(messages: list[Any], options: Settings, model: str = "claude-sonnet-4-5") -> tuple[list[Any], RewriteReport]:
    body, report = rewrite({"model": model, "messages": messages}, "anthropic", options, reduce=remembered)
    return body["messages"], report


def blocks(messages: list[Any]) -> list[Any]:
    """Return the blocks of messages and of tool results that are images, or stand in place of one."""
    found = []
    for message in messages:
        for block in message["content"] if isinstance(message["content"], list) else []:
            inner = block["content"] if block["type"] == "tool_result" else [block]
            found += [part for part in inner if part.get("text") != "?" and part["type"] != "tool_use"]
    return found


CONVERSATIONS = st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=4), st.booleans()), min_size=2, max_size=6)
OPTIONS = st.builds(
    Settings,
    budget=st.sampled_from(["fit", 0.5, 0.1, 60]),
    operator=st.sampled_from(["lossless-first", "resize"]),
    repeats=st.sampled_from(REPEATS),
)


@settings(max_examples=60)
@given(CONVERSATIONS, OPTIONS, st.sampled_from(["claude-sonnet-4-5", "gpt-4.1", "gpt-5.5", "gemini-3-pro"]))
def test_earlier_turns_never_change(conversation: list[tuple[list[int], bool]], options: Settings, model: str) -> None:
    messages: list[Any] = []
    earlier: list[Any] = []
    total = 0
    for numbers, by_tool in conversation:
        messages = messages + turn(numbers, by_tool)
        total += len(numbers)
        now, report = sent(messages, options, model)
        assert total == len(report.images)
        if total <= 20:  # with more images, Anthropic refuses sizes that it took before, whatever they were
            assert json.dumps(now[: len(earlier)]) == json.dumps(earlier)
        earlier = now


@settings(max_examples=40)
@given(CONVERSATIONS)
def test_a_note_names_the_image_that_the_model_sees(conversation: list[tuple[list[int], bool]]) -> None:
    messages = [message for numbers, by_tool in conversation for message in turn(numbers, by_tool)]
    asked = [number for numbers, _ in conversation for number in numbers]
    now, report = sent(messages, Settings(repeats="note", operator="resize"))
    seen: list[int] = []
    for number, block, found in zip(asked, blocks(now), report.images, strict=True):
        if number in seen:
            name = seen.index(number) + 1
            assert block == {"type": "text", "text": f"[This image is the same as image {name} of this conversation.]"}
            assert found.outcome.reason == "repeated"
            assert found.outcome.tokens is not None
            assert found.outcome.tokens[1] < found.outcome.tokens[0]
        else:
            seen.append(number)
            assert block == image(number)
            assert found.outcome.reason == "nothing to save"


def test_what_is_shrunk_has_a_quarter_of_the_tokens() -> None:
    now, report = sent(turn([0, 1, 0, 0]), Settings(repeats="shrink", operator="resize"))
    before, after = zip(*(found.outcome.tokens for found in report.images if found.outcome.tokens), strict=True)
    assert after[:2] == before[:2]
    assert all(4 * tokens <= before[0] for tokens in after[2:])
    assert blocks(now)[2] == blocks(now)[3]
    assert opened(blocks(now)[2]["source"]["data"]).width < 300
    assert [found.repeats is None for found in report.images] == [True, True, False, False]


@pytest.mark.parametrize("model", ["gpt-4.1", "gemini-3-pro", "claude-sonnet-4-5"])
@pytest.mark.parametrize("budget", ["fit", 0.1])
def test_a_repeated_image_never_costs_more_than_the_first(model: str, budget: Any) -> None:
    _, report = sent(turn([0, 0]), Settings(repeats="shrink", budget=budget), model)
    first, second = (found.outcome.tokens for found in report.images)
    assert first is not None
    assert second is not None
    assert second[1] <= first[1]


def test_what_cannot_be_read_is_never_a_repeat() -> None:
    bad = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "é"}}
    other = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "ü"}}
    cut = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURES[0][:400]}}
    messages = [{"role": "user", "content": [bad, other, bad, cut, cut]}]
    now, report = sent(messages, Settings(repeats="note"))
    assert now is messages
    assert report.images[1].repeats is None
    assert report.changed == 0


def test_an_image_at_another_level_of_detail_is_another_one() -> None:
    def part(detail: str) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURES[0]}", "detail": detail}}

    def reasons(*details: str) -> list[str]:
        body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": [*map(part, details)]}]}
        found = rewrite(body, "openai-chat", Settings(repeats="note"), reduce=remembered).report.images
        return [image.outcome.reason for image in found]

    assert reasons("high", "high") == ["nothing to save", "repeated"]
    assert reasons("low", "high") == ["nothing to save", "nothing to save"]
    assert reasons("low", "high", "low")[2] == "repeated"


def test_a_note_is_not_made_where_it_would_cost_more() -> None:
    tiny = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": text_of(file_of(photo(50, 30)))},
    }
    messages = [{"role": "user", "content": [tiny, tiny]}]
    now, report = sent(messages, Settings(repeats="note"))
    assert now is messages
    assert report.changed == 0


@pytest.mark.parametrize("repeats", REPEATS)
def test_results_that_hold_only_certain_blocks_stay_valid(repeats: Any) -> None:
    url = f"data:image/png;base64,{PICTURES[0]}"
    options = Settings(repeats=repeats, model="claude-sonnet-4-5", budget=0.9, operator="resize")
    blob = {"inlineData": {"mimeType": "image/png", "data": PICTURES[0]}}
    answer = {"functionResponse": {"name": "f", "parts": [blob, blob]}}
    body = rewrite({"contents": [{"parts": [blob, answer]}]}, "gemini", options, reduce=remembered).body
    assert all(set(part) == {"inlineData"} for part in body["contents"][0]["parts"][1]["functionResponse"]["parts"])
    result = {"type": "tool_result", "tool_use_id": "t", "toolset_name": "browser", "content": [image(0), image(0)]}
    now, _ = sent([{"role": "user", "content": [image(0), result]}], options)
    assert {block["type"] for block in now[0]["content"][1]["content"]} == {"image"}
    variables = {"what": {"type": "input_image", "image_url": url}}
    message = {"role": "user", "content": [{"type": "input_image", "image_url": url}]}
    given = {"prompt": {"id": "p", "variables": variables}, "input": [message]}
    body = rewrite(given, "openai-responses", options, reduce=remembered).body
    assert body["prompt"]["variables"]["what"]["type"] == "input_image"
    assert (body["input"][0]["content"][0]["type"] == "input_text") == (repeats == "note")


def test_by_default_repeats_are_like_all_others() -> None:
    now, _ = sent(turn([0, 0]), Settings(budget=0.5, operator="resize"))
    assert blocks(now)[0] == blocks(now)[1] != image(0)
