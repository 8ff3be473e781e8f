"""Whole conversations: an agent clicks on a screen that the model, behind the gateway, sees smaller.

The client knows nothing of the gateway. It keeps the conversation as it has seen it and sends it again in each turn.
The model looks for a button in the last screenshot, in the pixels of that picture, and says where it is.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from desktop import Target, claude_content, claude_stream, drawn, events, found, openai_stream, remembering, target

from pixtrim.gateway import Settings, rewrite
from pixtrim.gateway.screens import Screen, response_mapper

TURNS = 7


class Gateway:
    """Between them: it keeps what the model was sent, and nothing else from one turn to the next."""

    def __init__(self, wire_format: str, options: Settings, streamed: bool) -> None:
        self.wire_format, self.options, self.streamed = wire_format, options, streamed
        self.sent: list[bytes] = []
        self.screens: set[Screen | None] = set()

    def post(self, body: dict[str, Any], model: Any) -> bytes:
        before = json.dumps(body).encode()
        after, report = rewrite(before, self.wire_format, self.options, reduce=remembering)
        self.sent.append(after)
        self.screens.add(report.screen)
        answer, content_type = model(json.loads(after)), "text/event-stream" if self.streamed else "application/json"
        if report.screen is None:
            return answer
        mapper = response_mapper(report.screen, self.wire_format, content_type)
        step = 1 + len(self.sent) % 7
        parts = [mapper.feed(answer[at : at + step]) for at in range(0, len(answer), step)]
        return b"".join(parts) + mapper.end()


def prefixes(sent: list[bytes], key: str) -> None:
    """Check that what was sent in one turn is how the next one begins, byte for byte."""
    for earlier, later in itertools.pairwise(sent):
        head, _, messages = earlier.partition(f'"{key}": [{{"role"'.encode())
        assert messages.endswith(b"}]}")
        assert later.startswith(head + f'"{key}": [{{"role"'.encode() + messages[:-2])


# --- Anthropic -------------------------------------------------------------------------------------------------------


def claude(request: dict[str, Any], turn: int, toolset: bool) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return what the model says, and the coordinates that it names, in its own pixels."""
    shots = [
        block["content"][0]["source"]["data"]
        for message in request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    if not shots:
        wanted: dict[str, Any] = {"action": "screenshot"}
    else:
        size, (x, y) = found(shots[-1])
        declared = request["tools"][0]
        if not toolset:
            assert size == (declared["display_width_px"], declared["display_height_px"])
        region = [max(0, x - 30), max(0, y - 20), min(size[0], x + 30), min(size[1], y + 20)]
        wanted = [
            {"action": "left_click", "coordinate": [x, y]},
            {"action": "left_click_drag", "start_coordinate": [x, y], "coordinate": [x, y]},
            {"action": "zoom", "region": region},
            {"action": "scroll", "coordinate": [x, y], "scroll_direction": "down", "scroll_amount": 3},
        ][turn % 4]
    call: dict[str, Any] = {"type": "tool_use", "id": f"call_{turn}", "name": "computer", "input": wanted}
    if toolset:
        call = {**call, "toolset_name": "computer", "name": wanted["action"]}
        call["input"] = {key: value for key, value in wanted.items() if key != "action"}
    said = [{"type": "text", "text": f"Turn {turn}: I see it at {wanted.get('coordinate')}."}, call]
    return said, [wanted.get("coordinate"), wanted.get("start_coordinate"), wanted.get("region")]


def clicked(button: Target, arguments: dict[str, Any]) -> None:
    """Check that what the client does is done to the button."""
    for key in ("coordinate", "start_coordinate"):
        if key in arguments:
            assert all(type(value) is int for value in arguments[key])
            assert button.holds(*arguments[key])
    if "region" in arguments:
        left, top, right, bottom = arguments["region"]
        assert left <= button.left
        assert top <= button.top
        assert button.left + button.width <= right
        assert button.top + button.height <= bottom


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("toolset", [False, True])
@pytest.mark.parametrize(
    ("model", "display", "budget"),
    [
        ("claude-sonnet-4-5", (1920, 1080), "fit"),
        ("claude-opus-4-7", (1366, 769), 500),
        ("claude-opus-4-7", (999, 1601), 0.3),
    ],
)
def test_an_agent_on_anthropics_api_hits_what_the_model_sees(
    streamed: bool, toolset: bool, model: str, display: tuple[int, int], budget: Any
) -> None:
    gateway = Gateway("anthropic", Settings(computer_use="map", budget=budget), streamed)
    declared: dict[str, Any] = {"type": "computer_20251124", "name": "computer", "enable_zoom": True}
    declared |= {"display_width_px": display[0], "display_height_px": display[1]}
    tools = [{"type": "computer_toolset_20260801"} if toolset else declared]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Click on the button."}]
    named: list[Any] = []

    def answered(request: dict[str, Any]) -> bytes:
        told = [
            b["input"] for m in request["messages"] if m["role"] == "assistant" for b in m["content"] if "input" in b
        ]
        coordinates = [[call.get(key) for key in ("coordinate", "start_coordinate", "region")] for call in told]
        assert coordinates == named  # the model reads what it has said
        said, places = claude(request, turn, toolset)
        named.append(places)
        return claude_stream(said) if streamed else json.dumps({"role": "assistant", "content": said}).encode()

    for turn in range(TURNS):
        body = {"model": model, "max_tokens": 99, "stream": streamed, "tools": tools, "messages": messages}
        answer = gateway.post(body, answered)
        content = claude_content(answer) if streamed else json.loads(answer)["content"]
        call = content[-1]
        if turn:
            clicked(target(display, turn - 1), call["input"])
        zoomed = "region" in call["input"]
        shot = drawn((512, 340) if zoomed else display, Target(200, 100, 90, 60) if zoomed else target(display, turn))
        source = {"type": "base64", "media_type": "image/png", "data": shot}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "image", "source": source}]}
        if zoomed:  # a model that has looked closer looks at the whole again
            after = {"type": "tool_use", "id": f"again_{turn}", "name": call["name"], "input": {"action": "screenshot"}}
            if toolset:
                after |= {"name": "screenshot", "toolset_name": "computer", "input": {}}
            content = [*content, after]
            source = {**source, "data": drawn(display, target(display, turn))}
            again = {**result, "tool_use_id": after["id"], "content": [{"type": "image", "source": source}]}
            named.append([None, None, None])
            messages = [
                *messages,
                {"role": "assistant", "content": content},
                {"role": "user", "content": [result, again]},
            ]
        else:
            messages = [*messages, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert len(gateway.screens - {None}) == 1
    assert (None in gateway.screens) == toolset  # of which the first turn shows no screen
    prefixes(gateway.sent, "messages")


# --- OpenAI ----------------------------------------------------------------------------------------------------------


def places_of(action: dict[str, Any]) -> list[tuple[int, int]]:
    own = [(action["x"], action["y"])] if "x" in action else []
    return own + [(station["x"], station["y"]) for station in action.get("path", ())]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize(("display", "budget"), [((2560, 1440), "fit"), ((1024, 768), 300)])
def test_an_agent_on_openais_api_hits_what_the_model_sees(
    streamed: bool, declared: bool, display: tuple[int, int], budget: Any
) -> None:
    gateway = Gateway("openai-responses", Settings(computer_use="map", budget=budget), streamed)
    size = {"display_width": display[0], "display_height": display[1], "environment": "linux"}
    tools = [{"type": "computer_use_preview", **size} if declared else {"type": "computer"}]
    items: list[dict[str, Any]] = [{"role": "user", "content": "Click on the button."}]
    named: list[Any] = []

    def answered(request: dict[str, Any]) -> bytes:
        assert [item["actions"] for item in request["input"] if item.get("type") == "computer_call"] == named
        shots = [item["output"]["image_url"] for item in request["input"] if item.get("type") == "computer_call_output"]
        actions: list[dict[str, Any]] = [{"type": "screenshot"}]
        if shots:
            picture, (x, y) = found(shots[-1].partition(",")[2])
            if declared:
                assert picture == (request["tools"][0]["display_width"], request["tools"][0]["display_height"])
            actions = [
                {"type": "move", "x": x, "y": y},
                {"type": "click", "button": "left", "x": x, "y": y},
                {"type": "drag", "path": [{"x": x, "y": y}, {"x": x, "y": y}]},
                {"type": "scroll", "x": x, "y": y, "scroll_x": 0, "scroll_y": picture[1]},
            ]
        named.append(actions)
        call = {
            "type": "computer_call",
            "id": f"i{turn}",
            "call_id": f"c{turn}",
            "status": "completed",
            "actions": actions,
        }
        response = {"id": f"r{turn}", "object": "response", "tools": request["tools"], "output": [call]}
        return openai_stream(response) if streamed else json.dumps(response).encode()

    for turn in range(TURNS):
        body = {"model": "gpt-5.4", "store": False, "stream": streamed, "tools": tools, "input": items}
        answer = gateway.post(body, answered)
        if streamed:
            *_, done, completed = events(answer)
            [call] = completed["response"]["output"]
            assert call == done["item"]
            assert completed["response"]["tools"] == tools
        else:
            [call] = json.loads(answer)["output"]
            assert json.loads(answer)["tools"] == tools
        for action in call["actions"]:
            for place in places_of(action):
                assert target(display, turn - 1).holds(*place)
            if "scroll_y" in action:
                assert action["scroll_y"] == display[1]  # a whole screen for the client, too
        shot = f"data:image/png;base64,{drawn(display, target(display, turn))}"
        output = {"type": "computer_screenshot", "image_url": shot}
        items = [*items, call, {"type": "computer_call_output", "call_id": call["call_id"], "output": output}]
    assert len(gateway.screens - {None}) == 1
    assert (None in gateway.screens) != declared
    prefixes(gateway.sent, "input")
