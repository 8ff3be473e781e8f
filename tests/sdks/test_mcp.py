"""`pixtrim mcp` as a process, spoken to by the client of MCP's SDK over stdio."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client, StdioServerParameters
from pages import icon, page
from PIL import Image, ImageDraw

import pixtrim
from pixtrim.errors import UsageError
from pixtrim.gateway import mcp
from pixtrim.gateway.mcp import Tools

SOURCE = str(Path(pixtrim.__file__).parents[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that may be read, beside one that may not."""
    found = tmp_path / "pictures"
    (found / "below").mkdir(parents=True)
    (found / "page.png").write_bytes(page("mcp"))
    (found / "below" / "icon.png").write_bytes(icon())
    (tmp_path / "secret.png").write_bytes(icon())
    (tmp_path / "pictures-too").mkdir()
    (tmp_path / "pictures-too" / "secret.png").write_bytes(icon())
    (found / "way-out.png").symlink_to(tmp_path / "secret.png")
    (found / "door").symlink_to(tmp_path)
    (found / "alias.png").symlink_to(found / "below" / "icon.png")
    return found


def talk(folder: Path, say: Callable[[Client], Awaitable[Any]], *words: str) -> Any:
    """Start the command in a folder, and speak with it."""
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    command = ["-m", "pixtrim", "mcp", *words]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=environment, cwd=folder)

    async def run() -> Any:
        async with Client(parameters) as client:
            return await say(client)

    return asyncio.run(run())


def red_in(image: Image.Image) -> list[int]:
    """The box around what is red."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    rows, columns = np.nonzero((pixels[..., 0] > 128) & (pixels[..., 1:].max(axis=2) < 128))
    return [int(value) for value in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def test_a_page_is_shrunk_and_places_on_it_are_mapped_back(folder: Path) -> None:
    """A red mark is found on the smaller picture, and mapped to where it is on the original."""
    with Image.open(folder / "page.png") as image:
        ImageDraw.Draw(image).rectangle((700, 300, 759, 339), fill="red")
        image.save(folder / "page.png")

    async def say(client: Client) -> Any:
        tools = await client.list_tools()
        shrunk = await client.call_tool("shrink_image", {"path": "page.png", "model": "claude-opus-4-7"})
        picture, facts = shrunk.content
        with Image.open(io.BytesIO(b64decode(picture.data))) as small:
            box = red_in(small)
        told = json.loads(facts.text)
        x, y = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
        places = {"map": told["map"], "boxes": [box], "pixels": [[x, y]]}
        mapped = await client.call_tool("map_coordinates", places)
        there = json.loads(mapped.content[0].text)
        back = await client.call_tool(
            "map_coordinates", {"map": told["map"], "pixels": there["pixels"], "to": "reduced"}
        )
        return tools, picture, told, there, json.loads(back.content[0].text), [x, y]

    tools, picture, told, there, back, centre = talk(folder, say)
    assert {tool.name for tool in tools.tools} == {"shrink_image", "count_image_tokens", "map_coordinates"}
    assert picture.mime_type == "image/png"
    assert told["tokens_after"] < 0.2 * told["tokens_before"]
    assert told["original_size"] == [1600, 1200]
    (x0, y0, x1, y1), (x, y) = there["boxes"][0], there["pixels"][0]
    assert 700 <= x0 < x1 <= 760
    assert 300 <= y0 < y1 <= 340
    assert x in range(700, 760)
    assert y in range(300, 340)
    assert back["pixels"] == [centre]


def test_tokens_of_files_and_of_sizes(folder: Path) -> None:
    async def say(client: Client) -> list[dict[str, Any]]:
        given = ({"path": "page.png"}, {"width": 1600, "height": 1200})
        answers = [await client.call_tool("count_image_tokens", {"model": "gpt-5.5", **more}) for more in given]
        return [json.loads(answer.content[0].text) for answer in answers]

    of_file, of_size = talk(folder, say)
    assert of_file["tokens"] == of_size["tokens"] > 1000
    assert of_file["model"] == "gpt-5.5"


BAD = [
    ({"path": "../secret.png"}, "outside the folders"),
    ({"path": "way-out.png"}, "outside the folders"),
    ({"path": "door/secret.png"}, "outside the folders"),
    ({"path": "../pictures-too/secret.png"}, "outside the folders"),
    ({"path": "/etc/hostname"}, "outside the folders"),
    ({"path": "../no-such-file.png"}, "outside the folders"),
    ({"path": "nothing.png"}, "no such file"),
    ({"path": "below"}, "no such file"),
    ({"path": "below/icon.png", "budget": "-5%"}, "budget"),
    ({"path": "below/icon.png", "model": "no-such-model"}, "no-such-model"),
    ({"path": "text.png"}, "text.png"),
    ({"path": "huge.png"}, "40000000"),
    ({"path": "long.png"}, "50000000"),
]


def test_what_is_wrong_is_told_and_the_server_goes_on(folder: Path) -> None:
    (folder / "text.png").write_text("no picture")
    Image.new("1", (8000, 8000)).save(folder / "huge.png")
    with (folder / "long.png").open("wb") as sparse:
        sparse.truncate(50_000_001)

    async def say(client: Client) -> list[Any]:
        calls = [{"model": "gpt-5.5", **arguments} for arguments, _ in BAD]
        found = [await client.call_tool("shrink_image", arguments) for arguments in calls]
        one = await client.call_tool("shrink_image", {"path": "alias.png", "model": "gpt-5.5"})
        return [*found, one]

    *refused, one = talk(folder, say)
    for (_, words), answer in zip(BAD, refused, strict=True):
        assert answer.is_error, words
        assert words in answer.content[0].text.replace(",", "")
        assert "Traceback" not in answer.content[0].text
    assert not one.is_error
    assert b64decode(one.content[0].data) == icon()


def test_places_are_checked(folder: Path) -> None:
    tools = Tools([folder])
    shrunk = json.loads(tools.shrink_image("page.png", "gpt-5.5")[1].text)
    with pytest.raises(UsageError, match="10000"):
        tools.map_coordinates(shrunk["map"], [[0, 0]] * 10_001)
    with pytest.raises(UsageError, match="sideways"):
        tools.map_coordinates(shrunk["map"], [[0, 0]], to="sideways")
    for wrong in ({}, {"stages": 3}, {**shrunk["map"], "original_size": [-1, 2]}):
        with pytest.raises((UsageError, pixtrim.InputError)):
            tools.map_coordinates(wrong, [[0, 0]])
    with pytest.raises(UsageError, match="path"):
        tools.count_image_tokens("gpt-5.5", width=5)


def test_folders_are_named_one_by_one(folder: Path) -> None:
    async def say(client: Client) -> list[bool]:
        paths = (folder.parent / "secret.png", folder / "below" / "icon.png", folder / "page.png")
        calls = [{"path": str(path), "model": "gpt-5.5"} for path in paths]
        return [(await client.call_tool("shrink_image", arguments)).is_error for arguments in calls]

    assert talk(folder, say, "--allow", "below") == [True, False, True]
    with pytest.raises(UsageError, match="not there"):
        mcp.server([folder / "page.png"])


def test_the_command_ends_with_its_input_and_refuses_a_folder_that_is_not_there(folder: Path) -> None:
    command = [sys.executable, "-m", "pixtrim", "mcp"]
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    run = subprocess.run(command, cwd=folder, input=b"", capture_output=True, env=environment, timeout=60)
    assert (run.returncode, run.stdout) == (0, b"")
    run = subprocess.run([*command, "--allow", "none"], cwd=folder, capture_output=True, env=environment, timeout=60)
    assert run.returncode == 2
    assert b"pixtrim: error: folder 'none' is not there" in run.stderr
