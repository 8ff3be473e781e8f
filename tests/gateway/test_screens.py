"""A smaller screen: its numbers, which requests get one, and what becomes of them."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from desktop import drawn, remembering, target
from hypothesis import given, settings
from hypothesis import strategies as st

from pixtrim.gateway import Rewritten, Settings, rewrite
from pixtrim.gateway.formats import FORMATS
from pixtrim.gateway.screens import Screen
from pixtrim.gateway.screens.plan import reduced_size
from pixtrim.tokens import resolve

MAP = Settings(computer_use="map")
DISPLAY, REDUCED = (1920, 1080), (1456, 819)
SCREEN = Screen(DISPLAY, REDUCED)
MODEL = "claude-sonnet-4-5"

SIDES = st.integers(1, 9000).flatmap(lambda side: st.tuples(st.just(side), st.integers(1, side)))


# --- numbers ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SIDES)
def test_every_pixel_of_the_smaller_screen_comes_back_and_is_on_the_display(sides: tuple[int, int]) -> None:
    display, reduced = sides
    screen = Screen((display, 1), (reduced, 1))
    outward, inward = screen.outward, screen.inward
    before = -1
    for x in range(reduced):
        there = outward.place(x, 0)
        assert type(there) is int
        assert before < there < display
        assert inward.place(there, 0) == x
        before = there


def test_every_pair_of_small_sides_comes_back_by_place_and_by_length() -> None:
    for display in range(1, 40):
        for reduced in range(1, display + 1):
            screen = Screen((1, display), (1, reduced))
            for y in range(-reduced, 2 * reduced):
                assert screen.inward.place(screen.outward.place(y, 1), 1) == y
                assert screen.inward.length(screen.outward.length(y, 1), 1) == y
            assert screen.outward.length(0, 1) == 0
            assert screen.outward.length(reduced, 1) == display


@given(SIDES, st.integers(-(10**9), 10**9))
def test_what_is_outside_stays_outside(sides: tuple[int, int], x: int) -> None:
    display, reduced = sides
    there, _ = Screen((display, 1), (reduced, 1)).to_display(x, 0)
    assert (0 <= there < display) == (0 <= x < reduced)


@given(SIDES)
def test_a_place_goes_where_its_centre_lies(sides: tuple[int, int]) -> None:
    display, reduced = sides
    screen = Screen((display, 1), (reduced, 1))
    for x in {0, reduced // 3, reduced - 1}:
        there = screen.outward.place(x, 0)
        assert there <= (x + 0.5) * display / reduced < there + 1 + 1e-6


@given(SIDES, st.decimals(0, 9000, places=3))
def test_fractions_of_a_pixel_stay_fractions_and_come_back(sides: tuple[int, int], value: Any) -> None:
    screen = Screen((sides[0], 1), (sides[1], 1))
    there = screen.outward.place(float(value), 0)
    assert type(there) is float
    assert screen.inward.place(there, 0) == float(value)


@pytest.mark.parametrize("value", [None, True, "7", [], {}, float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_number_of_pixels_stays(value: Any) -> None:
    assert repr(SCREEN.outward.place(value, 0)) == repr(value)
    assert repr(SCREEN.inward.length(value, 1)) == repr(value)


# --- the size of the smaller screen ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [MODEL, "claude-opus-4-7", "gpt-5.4", "gpt-4o", "qwen3-vl"])
@pytest.mark.parametrize("budget", ["fit", 700, 0.5])
def test_the_model_takes_the_smaller_screen_as_it_is(model: str, budget: Any) -> None:
    rule = resolve(model)
    for display in ((1920, 1080), (2560, 1440), (1280, 800), (3840, 2160), (1080, 1920)):
        width, height = reduced_size(display, rule, Settings(budget=budget))
        assert width <= display[0]
        assert height <= display[1]
        if (width, height) != display:
            longest = rule.limits.many_images_side or 10**6
            assert max(width, height) <= longest
            assert rule.count(width, height) <= rule.count(*display)
            assert abs(width / display[0] - height / display[1]) < 1 / min(width, height)


def test_where_nothing_is_saved_or_nothing_fits_the_screen_is_the_display() -> None:
    assert reduced_size((1280, 800), resolve(MODEL), MAP) == (1280, 800)
    assert reduced_size(DISPLAY, resolve("gemini-3-pro"), MAP) == DISPLAY
    assert reduced_size(DISPLAY, resolve("gpt-4o"), Settings(budget=3)) == DISPLAY
    assert reduced_size((2**31 - 1, 1), resolve(MODEL), MAP)[1] == 1


# --- requests --------------------------------------------------------------------------------------------------------


def tool(**more: Any) -> dict[str, Any]:
    width, height = DISPLAY
    size = {"display_width_px": width, "display_height_px": height}
    return {"type": "computer_20250124", "name": "computer", **size, **more}


TOOLSET = {"type": "computer_toolset_20260801"}


def image(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


SHOT, OTHER_SHOT, PART = drawn(DISPLAY, target(DISPLAY, 9)), drawn((1280, 720)), drawn((640, 360))


def turn(arguments: dict[str, Any], *answer: Any, name: str = "computer", **more: Any) -> list[dict[str, Any]]:
    """A call and its result."""
    call = {"type": "tool_use", "id": f"call-{len(answer)}-{arguments}", "name": name, "input": arguments, **more}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": list(answer)}
    return [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]


def asked(*messages: Any, tools: Any = None, **more: Any) -> dict[str, Any]:
    task = {"role": "user", "content": "Book a table."}
    return {"model": MODEL, "max_tokens": 99, "tools": tools or [tool()], "messages": [task, *messages], **more}


def mapped(body: dict[str, Any], wire_format: str = "anthropic", options: Settings = MAP) -> Rewritten:
    """Rewrite in both forms, which must agree, and change nothing that was given."""
    before = copy.deepcopy(body)
    found = rewrite(body, wire_format, options, reduce=remembering)
    text = json.dumps(body, indent=1).encode()
    in_text = rewrite(text, wire_format, options, reduce=remembering)
    assert body == before
    assert json.loads(in_text.body) == found.body
    assert in_text.report == found.report
    assert any(mark in text for mark in FORMATS[wire_format].MARKS)
    if found.report.screen is None:
        assert in_text.body is text
        assert found.body is body
    return found


def test_the_display_and_the_screenshots_become_smaller_and_everything_else_stays() -> None:
    body = asked(*turn({"action": "screenshot"}, {"type": "text", "text": "1920x1080"}, image(SHOT)))
    found = mapped(body)
    assert found.report.screen == SCREEN
    assert [picture.outcome.size for picture in found.report.images] == [(*DISPLAY, *REDUCED)]
    shown = found.body["tools"][0]
    assert (shown["display_width_px"], shown["display_height_px"]) == REDUCED
    again = copy.deepcopy(found.body)
    again["tools"] = body["tools"]
    again["messages"][2]["content"][0]["content"][1] = image(SHOT)
    assert again == body


def test_with_keep_nothing_is_changed() -> None:
    found = mapped(asked(*turn({"action": "screenshot"}, image(SHOT))), options=Settings())
    assert found.report.screen is None
    assert found.report.changed == 0


def test_the_first_turn_has_no_screenshot_and_is_told_of_the_smaller_screen_already() -> None:
    found = mapped(asked())
    assert found.report.screen == SCREEN
    assert found.report.images == ()
    assert found.body["tools"][0]["display_width_px"] == REDUCED[0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"action": "left_click", "coordinate": [923, 528]}, {"coordinate": [700, 400]}),
        ({"action": "mouse_move", "coordinate": [1919, 1079]}, {"coordinate": [1455, 818]}),
        ({"action": "scroll", "coordinate": [923, 528], "scroll_amount": 5}, {"coordinate": [700, 400]}),
        (
            {"action": "left_click_drag", "start_coordinate": [0, 0], "coordinate": [923, 528]},
            {"start_coordinate": [0, 0], "coordinate": [700, 400]},
        ),
        ({"action": "zoom", "region": [0, 0, 1920, 1080]}, {"region": [0, 0, 1456, 819]}),
        ({"action": "left_click", "coordinate": [960.0, 540.0]}, {"coordinate": [728.0, 409.5]}),
        ({"action": "left_click", "coordinate": "[923, 528]"}, {"coordinate": "[700, 400]"}),
        ({"action": "left_click", "coordinate": {"x": 923, "y": 528}}, {"coordinate": {"x": 700, "y": 400}}),
        ({"action": "left_click", "coordinate": [923]}, {"coordinate": [700]}),
        ({"action": "left_click", "coordinate": None}, {}),
        ({"action": "left_click", "coordinate": ["923", True, {}]}, {}),
        ({"action": "type", "text": "[923, 528]"}, {}),
        ({"action": "key", "text": "ctrl+s"}, {}),
        ({"action": "wait", "duration": 923}, {}),
    ],
)
@pytest.mark.parametrize("toolset", [False, True])
def test_what_the_model_has_said_is_told_to_it_in_its_own_pixels(
    said: dict[str, Any], told: dict[str, Any], toolset: bool
) -> None:
    if toolset:
        arguments = {key: value for key, value in said.items() if key != "action"}
        history = turn(arguments, image(SHOT), name=said["action"], toolset_name="computer")
        if said["action"] == "zoom":
            history += turn({}, image(SHOT), name="screenshot", toolset_name="computer")
        found = mapped(asked(*history, tools=[TOOLSET]))
        assert found.body["tools"] == [TOOLSET]
    else:
        arguments = said
        found = mapped(asked(*turn(said, image(SHOT))))
    assert found.report.screen == SCREEN
    assert found.body["messages"][1]["content"][0]["input"] == arguments | told
    assert list(found.body["messages"][1]["content"][0]["input"]) == list(arguments)


def test_examples_of_arguments_are_in_the_same_pixels() -> None:
    example = {"action": "left_click", "coordinate": [923, 528]}
    found = mapped(asked(tools=[tool(input_examples=[example, {"action": "screenshot"}])]))
    assert found.body["tools"][0]["input_examples"][0]["coordinate"] == [700, 400]


@pytest.mark.parametrize("text", ["X=923,Y=528", '{"x": 923, "y": 528}', "(923, 528)"])
def test_where_the_cursor_is_is_told_in_the_pixels_of_the_model(text: str) -> None:
    at = {"type": "text", "text": text}
    found = mapped(asked(*turn({"action": "cursor_position"}, at)))
    told = found.body["messages"][2]["content"][0]["content"][0]["text"]
    assert told == text.replace("923", "700").replace("528", "400")
    plain = asked(*turn({"action": "cursor_position"}, at))
    plain["messages"][2]["content"][0]["content"] = text
    assert mapped(plain).body["messages"][2]["content"][0]["content"] == told


def test_where_the_cursor_is_cannot_be_read_out_of_any_text() -> None:
    at = {"type": "text", "text": "X=923,Y=528 on screen 1"}
    assert mapped(asked(*turn({"action": "cursor_position"}, at))).report.screen is None
    failed = asked(*turn({"action": "cursor_position"}, at))
    failed["messages"][2]["content"][0]["is_error"] = True
    assert mapped(failed).report.screen == SCREEN


def test_parts_of_the_screen_and_other_pictures_are_kept() -> None:
    body = asked(
        *turn({"action": "screenshot"}, image(SHOT)),
        *turn({"action": "zoom", "region": [0, 0, 9, 9]}, image(PART)),
        *turn({"action": "zoom", "region": [0, 0, 8, 9]}, image(SHOT)),
        {"role": "user", "content": [image(OTHER_SHOT), image(SHOT)]},
    )
    sizes = [picture.outcome.size for picture in mapped(body).report.images]
    assert sizes == [(*DISPLAY, *REDUCED), None, None, None, (*DISPLAY, *REDUCED)]


POINTING = {"name": "tap", "input_schema": {"type": "object", "properties": {"x": {}, "y": {}}}}
HARMLESS = [
    {"name": "search", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}}},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "custom", "name": "shop", "input_schema": {"type": "object"}},
]
SHOWN = turn({"action": "screenshot"}, image(SHOT))


def test_tools_that_point_at_nothing_are_no_hindrance() -> None:
    assert mapped(asked(*SHOWN, tools=[*HARMLESS, tool()])).report.screen == SCREEN


@pytest.mark.parametrize(
    "body",
    [
        asked(*SHOWN, tools=[tool(), POINTING]),
        asked(*SHOWN, tools=[tool(), TOOLSET]),
        asked(*SHOWN, tools=[tool(), {"type": "browser_toolset_20260801"}]),
        asked(*SHOWN, tools=[tool(), {"type": "mcp_toolset", "mcp_server_name": "a"}]),
        asked(*SHOWN, tools=[tool(), {"type": "of_tomorrow_20270101", "name": "a"}]),
        asked(*SHOWN, tools=[tool(type="computer_20270101")]),
        asked(*SHOWN, tools=[tool(display_width_px="1920")]),
        asked(*SHOWN, tools=[tool(display_width_px=0)]),
        asked(*SHOWN, tools=[TOOLSET, {"name": "computer", "input_schema": {"type": "object"}}]),
        asked(*SHOWN, mcp_servers=[{"type": "url", "name": "a", "url": "https://example.com"}]),
        asked(*SHOWN, {"role": "user", "content": [{"type": "tool_addition", "tool": {"definition": POINTING}}]}),
        asked(*turn({"action": "screenshot"}, image(OTHER_SHOT))),  # as of a display of many pixels to the point
        asked(*SHOWN, *turn({"action": "wait"}, image(OTHER_SHOT))),
        asked(*turn({"action": "screenshot"}, image("AAAA"))),
        asked(*turn({"action": "screenshot"}, image(SHOT[: len(SHOT) // 2]))),
        asked(
            *turn({"action": "screenshot"}, {"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}})
        ),
        asked(*turn({"action": "screenshot"}, {"type": "image", "source": {"type": "file", "file_id": "f"}})),
        asked(*turn({"action": "screenshot"}, {**image(SHOT), "transformations": {"oversized_image": "error"}})),
        asked(tools=[TOOLSET]),
        asked(
            *turn({}, image(SHOT), name="screenshot", toolset_name="computer"),
            *turn({}, image(OTHER_SHOT), name="screenshot", toolset_name="computer"),
            tools=[TOOLSET],
        ),
    ],
)
def test_what_is_not_understood_in_full_is_left_as_it_is(body: dict[str, Any]) -> None:
    found = mapped(body)
    assert found.report.screen is None
    assert found.body is body


def test_an_image_behind_a_url_is_a_screenshot_once_it_is_fetched() -> None:
    at = "https://example.com/shot.png"
    body = asked(*turn({"action": "screenshot"}, {"type": "image", "source": {"type": "url", "url": at}}))
    found = rewrite(body, "anthropic", MAP, fetched={at: base64.b64decode(SHOT)})
    assert found.report.screen == SCREEN
    assert found.report.changed == 1


def test_a_display_that_is_as_the_model_sees_it_is_left_alone() -> None:
    small = tool(display_width_px=1280, display_height_px=800)
    assert (
        mapped(asked(*turn({"action": "screenshot"}, image(drawn((1280, 800)))), tools=[small])).report.screen is None
    )


def test_other_wire_formats_keep_their_images() -> None:
    parts = [{"text": "Go."}, {"inlineData": {"mimeType": "image/png", "data": SHOT}}]
    body = {"contents": [{"parts": parts}], "tools": [{"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}]}
    found = rewrite(body, "gemini", MAP, model="gemini-2.5-flash")
    assert found.body is body
    assert found.report.screen is None
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{SHOT}"}}
    click = {"type": "function", "function": {"name": "click", "parameters": POINTING["input_schema"]}}
    chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": [url]}], "tools": [click]}
    assert rewrite(chat, "openai-chat", MAP).body is chat


# --- OpenAI's responses ----------------------------------------------------------------------------------------------

DECLARED = {"type": "computer_use_preview", "display_width": 2560, "display_height": 1440, "environment": "browser"}
WIDE, NARROW = (2560, 1440), (2048, 1152)
WIDE_SHOT = drawn(WIDE)


def call(**action: Any) -> dict[str, Any]:
    return {"type": "computer_call", "id": "i", "call_id": "c", "pending_safety_checks": [], "action": action}


def output(data: str = WIDE_SHOT, **more: Any) -> dict[str, Any]:
    shot = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{data}", **more}
    return {"type": "computer_call_output", "call_id": "c", "output": shot}


def responding(*items: Any, tools: Any = None, **more: Any) -> dict[str, Any]:
    task = {"role": "user", "content": "Book a table."}
    return {"model": "gpt-5.4", "input": [task, *items], "tools": tools or [DECLARED], **more}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"type": "click", "button": "left", "x": 1000, "y": 500}, {"x": 800, "y": 400}),
        ({"type": "double_click", "x": 2559, "y": 1439}, {"x": 2047, "y": 1151}),
        ({"type": "move", "x": 0, "y": 0}, {}),
        (
            {"type": "scroll", "x": 1000, "y": 500, "scroll_x": 0, "scroll_y": -500},
            {"x": 800, "y": 400, "scroll_y": -400},
        ),
        (
            {"type": "drag", "path": [{"x": 0, "y": 0}, {"x": 1000, "y": 500}, [1000, 500]]},
            {"path": [{"x": 0, "y": 0}, {"x": 800, "y": 400}, [800, 400]]},
        ),
        ({"type": "drag", "path": None}, {}),
        ({"type": "type", "text": "1000"}, {}),
        ({"type": "keypress", "keys": ["CTRL", "S"]}, {}),
        ({"type": "wait"}, {}),
        ({"type": "screenshot"}, {}),
    ],
)
def test_all_actions_of_openai_are_told_in_the_pixels_of_the_model(said: dict[str, Any], told: dict[str, Any]) -> None:
    found = mapped(responding(call(**said), output()), "openai-responses")
    assert found.report.screen == Screen(WIDE, NARROW)
    assert found.body["input"][1]["action"] == said | told
    assert (found.body["tools"][0]["display_width"], found.body["tools"][0]["display_height"]) == NARROW
    several = {**call(), "action": None, "actions": [said, {"type": "wait"}, said]}
    found = mapped(responding(several, output(), tools=[{"type": "computer"}], store=False), "openai-responses")
    assert found.report.screen == Screen(WIDE, NARROW)
    assert found.body["input"][1]["actions"] == [said | told, {"type": "wait"}, said | told]


def test_what_openai_keeps_of_earlier_turns_is_no_hindrance_where_the_display_is_declared() -> None:
    for more in ({}, {"previous_response_id": "r"}, {"conversation": "c"}):
        found = mapped(responding(output(), **more), "openai-responses")
        assert found.report.screen == Screen(WIDE, NARROW)


def test_the_level_of_detail_counts_where_no_size_is_declared() -> None:
    plain = {"tools": [{"type": "computer"}], "store": False}
    for detail in ("original", "low", "of-tomorrow"):
        found = mapped(responding(output(detail=detail), output(detail=detail)), "openai-responses")
        assert found.report.screen == Screen(WIDE, NARROW)
        found = mapped(responding(output(detail=detail), **plain), "openai-responses")
        assert found.report.screen == (None if detail == "original" else Screen(WIDE, NARROW))


@pytest.mark.parametrize(
    "body",
    [
        responding(output(), tools=[{"type": "computer"}]),
        responding(output(), tools=[{"type": "computer"}], store=True),
        responding(output(), tools=[{"type": "computer"}], store=False, previous_response_id="r"),
        responding(output(), tools=[{"type": "computer"}], store=False, conversation={"id": "c"}),
        responding(output(), output(OTHER_SHOT), tools=[{"type": "computer"}], store=False),
        responding(tools=[{"type": "computer"}], store=False),
        responding(output(), background=True),
        responding(output(), prompt={"id": "p"}),
        responding(output(), tools=[DECLARED, {"type": "mcp", "server_label": "a"}]),
        responding(output(), tools=[DECLARED, {"type": "custom", "name": "a"}]),
        responding(output(), tools=[DECLARED, {"type": "function", "parameters": POINTING["input_schema"]}]),
        responding(output(), {"type": "additional_tools", "tools": [{"type": "mcp"}]}),
        responding(output(), output(OTHER_SHOT)),
        responding({"type": "computer_call_output", "output": {"type": "computer_screenshot", "file_id": "f"}}),
        responding(output(), output(detail="low"), tools=[{"type": "computer"}], store=False),
    ],
)
def test_what_openai_keeps_or_hides_is_left_as_it_is(body: dict[str, Any]) -> None:
    found = mapped(body, "openai-responses")
    assert found.report.screen is None
    assert found.body is body


# --- hostile bodies --------------------------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800 1, 2", "1,2"])
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "input", "content", "coordinate", "region", "x", "path", "text", "source", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for step, part in inner for deeper in places_in(part, (*path, step)))]


ANTHROPIC = asked(
    *SHOWN,
    *turn({"action": "left_click_drag", "start_coordinate": [1, 2], "coordinate": [3, 4]}, image(SHOT)),
    *turn({"action": "cursor_position"}, {"type": "text", "text": "X=923,Y=528"}),
)
OPENAI = responding(call(type="drag", path=[{"x": 1, "y": 2}], scroll_y=3), output())


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_no_body_makes_it_raise(data: Any) -> None:
    wire_format, whole = data.draw(st.sampled_from([("anthropic", ANTHROPIC), ("openai-responses", OPENAI)]))
    body = copy.deepcopy(whole)
    path = data.draw(st.sampled_from([path for path in places_in(body) if path]))
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(JUNK)
    found = rewrite(body, wire_format, MAP, reduce=remembering)
    in_text = rewrite(json.dumps(body).encode(), wire_format, MAP, reduce=remembering)
    assert in_text.report.screen == found.report.screen
