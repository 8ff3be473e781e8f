"""Computer use through the gateway: the upstream has the smaller screen, the client its own, and nothing waits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import Wire
from desktop import claude_content, claude_stream, drawn, openai_stream, target
from gateways import running
from upstream import Out, Recorded, Upstream, events, fixed, json_answer

from pixtrim.gateway import Settings
from pixtrim.gateway.policies import Policy

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
POLICY = Policy(Settings(computer_use="map"))
DISPLAY, REDUCED = (1920, 1080), (1456, 819)

TOOL = {
    "type": "computer_20250124",
    "name": "computer",
    "display_width_px": DISPLAY[0],
    "display_height_px": DISPLAY[1],
}
TASK = {"role": "user", "content": "Click."}
CALL = {"type": "tool_use", "id": "a", "name": "computer", "input": {"action": "left_click", "coordinate": [700, 400]}}
CLICK = {**CALL, "input": {"action": "left_click", "coordinate": [923, 528]}}
SAID = [{"type": "text", "text": "There."}, CALL]


def asked(*messages: Any, **more: Any) -> bytes:
    return json.dumps({"model": "claude-sonnet-4-5", "tools": [TOOL], "messages": [TASK, *messages], **more}).encode()


def answered() -> list[Any]:
    source = {"type": "base64", "media_type": "image/png", "data": drawn(DISPLAY, target(DISPLAY, 0))}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": source}]}
    return [{"role": "assistant", "content": [CLICK]}, {"role": "user", "content": [result]}]


def test_a_whole_answer_comes_back_in_the_clients_pixels_from_the_first_turn_on() -> None:
    with Upstream() as upstream, running(f"anthropic={upstream.url}", policy=POLICY) as gateway:
        upstream.answers[MESSAGES] = json_answer({"role": "assistant", "content": SAID})
        with Wire(gateway.url) as wire:
            for turn, body in enumerate((asked(), asked(*answered()))):
                wire.post(MESSAGES, body, "Accept-Encoding: gzip, br")
                status, _, answer = wire.answer()
                assert status == 200
                assert json.loads(answer)["content"][1] == CLICK
                request = upstream.request(turn)
                assert request.header("accept-encoding") == b"identity"
                sent = json.loads(request.body)
                assert (sent["tools"][0]["display_width_px"], sent["tools"][0]["display_height_px"]) == REDUCED
        assert sent["messages"][1]["content"] == [CALL]


def test_events_arrive_one_by_one_and_a_call_when_it_is_complete() -> None:
    parts = [part + b"\n\n" for part in claude_stream(SAID, piece=8).split(b"\n\n")[:-1]]
    with Upstream() as upstream, running(f"anthropic={upstream.url}", policy=POLICY) as gateway:
        upstream.answers[MESSAGES] = events(*parts, turns=True)
        with Wire(gateway.url) as wire:
            wire.post(MESSAGES, asked(*answered(), stream=True))
            assert wire.head()[0] == 200
            came = b""
            for part in parts:
                upstream.go()
                if b"input_json_delta" not in part or b'"partial_json": ""' in part:
                    while not came.endswith(part):  # it is there before the next one is sent
                        came += wire.chunk()
            assert wire.chunk() == b""
            assert claude_content(came) == [SAID[0], CLICK]


def test_of_a_call_that_breaks_off_no_place_arrives() -> None:
    whole = claude_stream(SAID, piece=60)
    cut = whole[: whole.index(b"event: content_block_stop", whole.index(b"left_click"))]
    assert b"[700, 400]" in cut

    async def answer(request: Recorded, out: Out) -> None:
        await out.start(200, [(b"Content-Type", b"text/event-stream")])
        await out.chunk(cut)
        await out.end()

    with (
        Upstream() as upstream,
        running(f"anthropic={upstream.url}", policy=POLICY) as gateway,
        Wire(gateway.url) as wire,
    ):
        upstream.answers[MESSAGES] = answer
        wire.post(MESSAGES, asked(*answered(), stream=True))
        _, _, came = wire.answer()
        assert b"[700, 400]" not in came
        assert b"[923, 528]" in came  # all of it was there, but for its end


@pytest.mark.parametrize("status", [400, 529])
def test_errors_come_back_as_they_are(status: int) -> None:
    call = b'{"type":"tool_use","name":"computer","input":{"coordinate":[1,2]}}'
    error = b'{"type":"error",  "error":{"type":"x"},"content":[' + call + b"]}"
    with (
        Upstream() as upstream,
        running(f"anthropic={upstream.url}", policy=POLICY) as gateway,
        Wire(gateway.url) as wire,
    ):
        upstream.answers[MESSAGES] = fixed(status, error, [(b"Content-Type", b"application/json")])
        wire.post(MESSAGES, asked())
        assert wire.answer()[::2] == (status, error)


def test_tokens_are_counted_for_the_smaller_screen() -> None:
    path = MESSAGES + "/count_tokens"
    with (
        Upstream() as upstream,
        running(f"anthropic={upstream.url}", policy=POLICY) as gateway,
        Wire(gateway.url) as wire,
    ):
        upstream.answers[path] = fixed(200, b'{ "input_tokens":7 }', [(b"Content-Type", b"application/json")])
        wire.post(path, asked(*answered()))
        assert wire.answer()[2] == b'{ "input_tokens":7 }'
        assert json.loads(upstream.request().body)["tools"][0]["display_width_px"] == REDUCED[0]


def test_a_conversation_that_openai_keeps_is_mapped_without_a_screenshot_too() -> None:
    tool = {"type": "computer_use_preview", "display_width": 2560, "display_height": 1440, "environment": "mac"}
    body = {
        "model": "gpt-5.4",
        "previous_response_id": "r",
        "tools": [tool],
        "input": "Now the next one.",
        "stream": True,
    }
    item = {"type": "computer_call", "action": {"type": "click", "button": "left", "x": 800, "y": 400}}
    smaller = {**tool, "display_width": 2048, "display_height": 1152}
    said = {"id": "s", "object": "response", "tools": [smaller], "output": [item]}
    done = {**said, "tools": [tool], "output": [{**item, "action": {**item["action"], "x": 1000, "y": 500}}]}
    with Upstream() as upstream, running(upstream, policy=POLICY) as gateway, Wire(gateway.url) as wire:
        upstream.answers[RESPONSES] = events(openai_stream(said))
        wire.post(RESPONSES, json.dumps(body).encode())
        assert wire.answer()[2] == openai_stream(done)
        assert json.loads(upstream.request().body)["tools"] == [smaller]
