"""The example of a hook for Claude Code, started as Claude Code starts it: an event on stdin, an answer on stdout."""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import pixtrim


def page(format: str = "PNG") -> str:
    """A page of which two thirds are empty, as base64."""
    image = Image.new("RGB", (1600, 1200), "white")
    draw = ImageDraw.Draw(image)
    for y in range(40, 400, 30):
        draw.text((60, y), f"a line {y} " * 8, fill="black")
    stream = io.BytesIO()
    image.save(stream, format)
    return base64.b64encode(stream.getvalue()).decode()


def size(text: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        image.load()
        return image.size


def read(text: str) -> dict[str, Any]:
    """What the tool Read says of an image."""
    sides = {"originalWidth": 1600, "originalHeight": 1200, "displayWidth": 1600, "displayHeight": 1200}
    return {"type": "image", "file": {"base64": text, "type": "image/png", "originalSize": 12345, "dimensions": sides}}


@pytest.fixture
def hook(repository: Path) -> list[str]:
    return [sys.executable, str(repository / "examples" / "claude_code" / "shrink_tool_images.py")]


def answer(hook: list[str], event: Any, *words: str) -> subprocess.CompletedProcess[str]:
    given = event if isinstance(event, str) else json.dumps(event)
    environment = {**os.environ, "PYTHONPATH": str(Path(pixtrim.__file__).parents[1])}
    command = [*hook, *words]
    found = subprocess.run(command, input=given, capture_output=True, text=True, env=environment, timeout=60)
    assert found.returncode == 0
    return found


def event(tool: str, response: Any) -> dict[str, Any]:
    return {
        "session_id": "s",
        "transcript_path": "/t.jsonl",
        "cwd": "/c",
        "permission_mode": "default",
        "hook_event_name": "PostToolUse",
        "tool_name": tool,
        "tool_input": {"file_path": "/c/page.png"},
        "tool_response": response,
        "tool_use_id": "toolu_1",
    }


def updated(found: subprocess.CompletedProcess[str]) -> Any:
    output = json.loads(found.stdout)["hookSpecificOutput"]
    assert output.keys() == {"hookEventName", "updatedToolOutput"}
    assert output["hookEventName"] == "PostToolUse"
    return output["updatedToolOutput"]


def test_an_image_that_was_read_is_smaller_and_all_else_as_it_was(hook: list[str]) -> None:
    response = read(page())
    found = updated(answer(hook, event("Read", response)))
    width, height = size(found["file"]["base64"])
    assert width * height < 0.2 * 1600 * 1200
    assert found["file"]["dimensions"] == {
        **response["file"]["dimensions"],
        "displayWidth": width,
        "displayHeight": height,
    }
    rest = {"base64": None, "dimensions": None}
    assert {**found, "file": found["file"] | rest} == {**response, "file": response["file"] | rest}


@pytest.mark.parametrize("wrapped", [False, True])
def test_images_of_mcp_servers_and_of_pages_are_smaller(hook: list[str], wrapped: bool) -> None:
    blocks = [
        {"type": "text", "text": "a screenshot"},
        {"type": "image", "data": page(), "mimeType": "image/png", "annotations": {"audience": ["user"]}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": page()}},
    ]
    pages = {"type": "parts", "file": {"count": 1}, "pages": [{"base64": page(), "mediaType": "image/png"}]}
    found = updated(answer(hook, event("mcp__a__b", {"content": blocks, "isError": False} if wrapped else blocks)))
    first, second, third = found["content"] if wrapped else found
    assert first == blocks[0]
    assert (second | {"data": None}) == (blocks[1] | {"data": None})
    assert size(second["data"]) == size(third["source"]["data"]) < (800, 600)
    found = updated(answer(hook, event("Read", pages)))
    assert size(found["pages"][0]["base64"]) < (800, 600)


def test_a_budget_and_a_model_can_be_given(hook: list[str]) -> None:
    found = updated(answer(hook, event("Read", read(page("JPEG"))), "--model", "claude-sonnet-4-5", "--budget", "20%"))
    width, height = size(found["file"]["base64"])
    assert width * height / 750 < 0.25 * 1600
    assert found["file"]["type"] == "image/jpeg"


@pytest.mark.parametrize(
    "given",
    [
        event("Read", {"type": "text", "file": {"filePath": "/a", "content": "text", "numLines": 1}}),
        event("Bash", {"stdout": "iVBOR", "stderr": "", "interrupted": False}),
        event("Read", read("no image")),
        event("Read", read(base64.b64encode(b"GIF89a").decode())),
        event("x", None),
        event("x", [[[{"data": 3, "mimeType": "image/png"}]]]),
        {"hook_event_name": "PostToolUse"},
        [],
        "",
        "{",
    ],
)
def test_where_nothing_is_to_be_done_or_can_be_done_there_is_no_answer(hook: list[str], given: Any) -> None:
    assert answer(hook, given).stdout == ""


def test_the_settings_name_the_hook(repository: Path) -> None:
    folder = repository / "examples" / "claude_code"
    (rule,) = json.loads((folder / "settings.json").read_text(encoding="utf-8"))["hooks"]["PostToolUse"]
    (named,) = rule["hooks"]
    _, script, *words = shlex.split(named["command"])
    assert (folder / Path(script).name).is_file()
    assert words == ["--model", "claude-opus-4-7"]
