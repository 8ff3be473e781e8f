"""Answers of a model that sees a smaller screen: whole or streamed, split anywhere, cut off, or not as documented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from desktop import claude_content, claude_stream, events, openai_stream, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pixtrim.errors import UsageError
from pixtrim.gateway.screens import Screen, response_mapper

SCREEN = Screen((2560, 1440), (2048, 1152))
SSE = "text/event-stream; charset=utf-8"

CALLS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"action": "left_click", "coordinate": [800, 400]}, {"coordinate": [1000, 500]}),
    (
        {"action": "left_click_drag", "start_coordinate": [0, 0], "coordinate": [2047, 1151]},
        {"coordinate": [2559, 1439]},
    ),
    ({"action": "zoom", "region": [0, 0, 2048, 1152]}, {"region": [0, 0, 2560, 1440]}),
    ({"action": "scroll", "coordinate": [800.5, 400], "scroll_amount": 800}, {"coordinate": [1000.625, 500]}),
    ({"action": "type", "text": 'a "coordinate": [800, 400] — ☕'}, {}),
    ({"action": "screenshot"}, {}),
    ({}, {}),
]
TEXT = {"type": "text", "text": "I click at [800, 400]."}
OTHER = {"type": "tool_use", "id": "o", "name": "search", "input": {"coordinate": [800, 400]}}


def call(arguments: dict[str, Any], toolset: bool = False) -> dict[str, Any]:
    if toolset:
        inner = {key: value for key, value in arguments.items() if key != "action"}
        name = arguments.get("action", "wait")
        return {"type": "tool_use", "id": "t", "name": name, "toolset_name": "computer", "input": inner}
    return {"type": "tool_use", "id": "t", "name": "computer", "input": arguments}


def through(
    data: bytes, content_type: str | None = SSE, wire_format: str = "anthropic", at: int | None = None
) -> bytes:
    """Send an answer through a mapper, in pieces of a size."""
    mapper = response_mapper(SCREEN, wire_format, content_type)
    step = at or max(1, len(data))
    return b"".join(mapper.feed(data[start : start + step]) for start in range(0, len(data), step)) + mapper.end()


# --- whole answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "done"), CALLS)
@pytest.mark.parametrize("toolset", [False, True])
def test_a_whole_message_and_a_streamed_one_say_the_same_to_the_client(
    said: dict[str, Any], done: dict[str, Any], toolset: bool
) -> None:
    content = [TEXT, call(said, toolset), OTHER, call(said, toolset)]
    whole = through(json.dumps({"role": "assistant", "content": content}).encode(), "application/json")
    expected = [TEXT, call(said | done, toolset), OTHER, call(said | done, toolset)]
    assert json.loads(whole)["content"] == expected
    assert claude_content(through(claude_stream(content))) == expected


def test_all_other_bytes_of_a_whole_message_stay() -> None:
    body = (
        b'{ "content":[ {"type":"tool_use","name":"computer","input":{"coordinate":[ 800 ,\n400]}} ] , "n": 1.50e1 }\n'
    )
    assert through(body, "application/json", at=7) == body.replace(b"800", b"1000").replace(b"400", b"500")


NO_ANSWERS = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"content": 7}',
    b'{"content": [1, {"type": []}]}',
    b'{"error": {"type": "overloaded_error"}}',
    b'{"input_tokens": 800}',
    b'{"output": {"type": "computer_call"}}',
    b'{"content": [{"type": "tool_use", "name": "computer", "input": {"coordinate": [1e999, NaN]}}]}',
]


@pytest.mark.parametrize("body", NO_ANSWERS)
@pytest.mark.parametrize("wire_format", ["anthropic", "openai-responses"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None, SSE])
def test_what_is_not_an_answer_goes_on_as_it_came(body: bytes, wire_format: str, content_type: str | None) -> None:
    assert through(body, content_type, wire_format) == body


def test_wire_formats_without_places_are_refused() -> None:
    with pytest.raises(UsageError, match="openai-chat"):
        response_mapper(SCREEN, "openai-chat", None)


# --- streams ---------------------------------------------------------------------------------------------------------

STREAM = claude_stream([TEXT, *(call(said, index % 2 == 1) for index, (said, _) in enumerate(CALLS)), OTHER])
PING = b'event: ping\r\ndata: {"type": "ping"}\r\n\r\n'
CRLF = claude_stream([TEXT, *(call(said) for said, _ in CALLS)], newline=b"\r\n", piece=9).replace(
    b"\r\n\r\nevent: content_block_delta", b"\r\n\r\n" + PING + b"event: content_block_delta"
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([STREAM, CRLF, STREAM.replace(b"\n", b"\r")]), st.lists(st.integers(0, len(STREAM)), max_size=12)
)
def test_where_the_bytes_are_split_changes_nothing(data: bytes, cuts: list[int]) -> None:
    mapper = response_mapper(SCREEN, "anthropic", SSE)
    ends = [*sorted(cuts), len(data)]
    parts = [mapper.feed(data[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert b"".join(parts) + mapper.end() == through(data)


def test_every_byte_by_itself_gives_the_same() -> None:
    for data in (STREAM, CRLF):
        assert through(data, at=1) == through(data)


def test_lines_end_as_they_did() -> None:
    assert b"\n" not in through(CRLF).replace(b"\r\n", b"")
    assert b"\r" not in through(STREAM)


def test_calls_that_name_no_place_and_all_else_keep_their_bytes() -> None:
    content = [TEXT, OTHER, *(call(said) for said, done in CALLS if not done)]
    data = claude_stream(content)
    assert through(data) == data


def test_the_pieces_of_a_call_become_one_and_the_rest_keeps_its_bytes() -> None:
    data = claude_stream([TEXT, call(CALLS[0][0])])
    lines = data.splitlines(keepends=True)
    mapped = through(data).splitlines(keepends=True)
    changed = [line for line in mapped if line not in lines]
    assert len(changed) == 1
    assert json.loads(changed[0].removeprefix(b"data: ")) == {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"action": "left_click", "coordinate": [1000, 500]}'},
    }


def test_each_event_goes_on_at_once_but_for_the_pieces_of_calls() -> None:
    mapper = response_mapper(SCREEN, "anthropic", SSE)
    held = 0
    for event in STREAM.split(b"\n\n")[:-1]:
        there = mapper.feed(event + b"\n\n")
        if b"input_json_delta" in event and b'"partial_json": ""' not in event and there == b"":
            held += 1
        else:
            assert there.endswith(event + b"\n\n")
    assert held > 20
    assert mapper.end() == b""


def test_pings_pass_while_a_call_is_held_back() -> None:
    head, tail = claude_stream([call(CALLS[0][0])], piece=9).split(b"event: content_block_stop")
    mapper = response_mapper(SCREEN, "anthropic", SSE)
    assert b"coordinate" not in mapper.feed(head)
    for ping in (b": keep-alive\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', b"\n\n"):
        assert mapper.feed(ping) == ping
    assert b"[1000, 500]" in mapper.feed(b"event: content_block_stop" + tail)


def test_calls_may_be_mixed_and_an_index_may_come_again() -> None:
    start = {"type": "content_block_start", "content_block": call({})}
    halves = ['{"coordinate": [8', "00, 400]}"]
    pieces = [
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": half}} for half in halves
    ]
    parts = [{**part, "index": index} for part in (start, *pieces) for index in (0, 1)]
    ends = [{"type": "content_block_stop", "index": index} for index in (1, 0)]
    assert [block["input"] for block in claude_content(through(stream_of([*parts, *ends])))] == [
        {"coordinate": [1000, 500]}
    ] * 2
    again = [{**part, "index": 0} for part in (start, *pieces, start, *pieces)]
    mapped = through(stream_of([*again, ends[1]]))
    assert mapped.count(b"[1000, 500]") == 2


def test_a_call_without_an_end_is_complete_when_the_message_is() -> None:
    whole = claude_stream([call(CALLS[0][0])])
    stop = stream_of([{"type": "content_block_stop", "index": 0}])
    assert stop in whole
    mapped = through(whole.replace(stop, b""))
    assert b"[1000, 500]" in mapped
    assert mapped.index(b"[1000, 500]") < mapped.index(b"message_delta")


def test_arguments_that_come_with_the_start_of_a_call_are_mapped() -> None:
    start = {"type": "content_block_start", "index": 0, "content_block": call(CALLS[0][0])}
    stop = {"type": "content_block_stop", "index": 0}
    [block] = claude_content(through(stream_of([start, stop])))
    assert block["input"]["coordinate"] == [1000, 500]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(STREAM)))
def test_a_stream_that_is_cut_off_never_names_a_place_of_the_smaller_screen(end: int) -> None:
    mapped = through(STREAM[:end])
    pieces: dict[int, str] = {}
    others = set()
    for event in events(mapped):
        if event["type"] == "content_block_start" and event["content_block"].get("name") == "search":
            others.add(event["index"])
        elif event["type"] == "content_block_delta" and event["delta"]["type"] == "input_json_delta":
            pieces[event["index"]] = pieces.get(event["index"], "") + event["delta"]["partial_json"]
    for index, text in pieces.items():
        if index not in others and '"text"' not in text:
            assert "80" not in text.replace('"scroll_amount": 800', "")
            assert "2047" not in text
            assert "2048" not in text


def test_a_cut_off_call_without_a_place_and_half_an_event_go_on_as_they_came() -> None:
    typed = claude_stream([TEXT, call({"action": "type", "text": "hello"})])
    for end in range(len(typed)):
        assert through(typed[:end]) == typed[:end]


@pytest.mark.parametrize(
    "text", ['{"action": "left_click", "coordinate": [800, 40', '{"coordinate": [800, 400], "text": "\ud83d']
)
def test_of_a_call_that_is_not_json_no_place_goes_on(text: str) -> None:
    delta = {"type": "input_json_delta", "partial_json": text}
    parts = [
        {"type": "content_block_start", "index": 0, "content_block": call({})},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
    ]
    assert [event["type"] for event in events(through(stream_of(parts)))] == [
        "content_block_start",
        "content_block_stop",
    ]


def test_data_in_several_lines_is_one() -> None:
    data = (
        b'event: content_block_start\nid: 1\ndata: {"type": "content_block_start", "index": 0,\n'
        b'data: "content_block": {"type": "tool_use", "name": "computer", "input":\n'
        b'data:{"coordinate": [800,\ndata: 400]}}}\n\n'
    )
    assert through(data) == data.replace(b"800", b"1000").replace(b"400", b"500")


# --- OpenAI's responses ----------------------------------------------------------------------------------------------

ACTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "click", "button": "left", "x": 800, "y": 400}, {"x": 1000, "y": 500}),
    ({"type": "double_click", "x": 2047, "y": 1151}, {"x": 2559, "y": 1439}),
    ({"type": "move", "x": 0, "y": 0}, {}),
    ({"type": "scroll", "x": 800, "y": 400, "scroll_x": 0, "scroll_y": -400}, {"x": 1000, "y": 500, "scroll_y": -500}),
    (
        {"type": "drag", "path": [{"x": 0, "y": 0}, {"x": 800, "y": 400}]},
        {"path": [{"x": 0, "y": 0}, {"x": 1000, "y": 500}]},
    ),
    ({"type": "type", "text": "800"}, {}),
    ({"type": "keypress", "keys": ["A"]}, {}),
    ({"type": "wait"}, {}),
    ({"type": "screenshot"}, {}),
]


def response(actions: list[dict[str, Any]], size: tuple[int, int]) -> dict[str, Any]:
    single = [{"type": "computer_call", "id": "c", "status": "completed", "action": action} for action in actions]
    several = {"type": "computer_call", "id": "d", "actions": actions}
    message = {"type": "message", "content": [{"type": "output_text", "text": "at 800, 400"}]}
    function = {"type": "function_call", "name": "f", "arguments": '{"x": 800, "y": 400}'}
    tool = {"type": "computer_use_preview", "display_width": size[0], "display_height": size[1], "environment": "mac"}
    return {"id": "r", "object": "response", "tools": [tool], "output": [message, *single, several, function]}


SAID = response([said for said, _ in ACTIONS], SCREEN.reduced)
DONE = response([said | done for said, done in ACTIONS], SCREEN.display)


def test_a_whole_response_is_in_the_pixels_of_the_client() -> None:
    assert json.loads(through(json.dumps(SAID).encode(), "application/json", "openai-responses")) == DONE


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_the_events_of_a_response_are_in_the_pixels_of_the_client(newline: bytes) -> None:
    data = openai_stream(SAID, newline)
    expected = openai_stream(DONE, newline)
    assert list(events(through(data, SSE, "openai-responses"))) == list(events(expected))
    for at in (1, 3, 1000):
        assert through(data, SSE, "openai-responses", at) == through(data, SSE, "openai-responses")


@pytest.mark.parametrize("kind", ["response.in_progress", "response.incomplete", "response.failed", "response.queued"])
def test_a_response_that_ends_otherwise_is_mapped_too(kind: str) -> None:
    data = stream_of([{"type": kind, "response": SAID}])
    assert list(events(through(data, SSE, "openai-responses"))) == [{"type": kind, "response": DONE}]


def test_each_event_of_a_response_goes_on_at_once() -> None:
    mapper = response_mapper(SCREEN, "openai-responses", SSE)
    for event in openai_stream(SAID).split(b"\n\n")[:-1]:
        there = mapper.feed(event + b"\n\n")
        assert there.count(b"\n\n") == 1
        if b"computer" not in event:
            assert there == event + b"\n\n"
    assert mapper.end() == b""


# --- hostile streams -------------------------------------------------------------------------------------------------

CALL = {"type": "tool_use", "name": "computer", "input": 3}
BAD_EVENTS: list[dict[str, Any]] = [
    *({"type": kind, "index": index} for kind in ("content_block_stop", "message_stop") for index in (0, None, [])),
    {"type": "content_block_start", "index": 0, "content_block": CALL},
    {"type": "content_block_delta", "index": 0, "delta": {"partial_json": "{}"}},
    {"type": "content_block_delta"},
    {"item": {"type": "computer_call", "action": {"x": 5, "path": [1, [2, None]]}}, "response": "computer"},
]
WORDS = st.sampled_from(
    [b"data: ", b"data", b"event: x", b":", b"\n", b"\r", b"\r\n", b"\n\n", b"{", b"}", b"\xff", b"content_block_start"]
    + [json.dumps(event).encode() for event in BAD_EVENTS]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS, max_size=30).map(b"".join), st.sampled_from(["anthropic", "openai-responses"]), st.integers(1, 40)
)
def test_no_stream_makes_it_raise(data: bytes, wire_format: str, at: int) -> None:
    whole = through(data, SSE, wire_format)
    assert through(data, SSE, wire_format, at) == whole
    if b"content_block" not in data and b"computer" not in data:
        assert whole == data
