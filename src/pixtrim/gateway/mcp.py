"""An MCP server whose tools make pictures cheaper, count what they cost, and map places back: `pixtrim mcp`.

It reads pictures in folders that it was told of, and writes nothing. No tool remembers anything: the map between the
coordinates of a picture and its smaller one is handed to the model, which hands it back with the places.
"""

from __future__ import annotations

import functools
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ImageContent, TextContent, ToolAnnotations

from pixtrim import __version__
from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import InputError, PixtrimError, UsageError
from pixtrim.gateway.pictures import MEDIA, lossless_first
from pixtrim.image import Loaded, load
from pixtrim.result import Shrunk
from pixtrim.tokens import resolve
from pixtrim.tokens.records import cost_of

__all__ = ["Tools", "server"]

MAX_BYTES: Final = 50 * 10**6
"""Of a file that is read."""

MAX_PIXELS: Final = 40_000_000
MAX_RESULT: Final = 10 * 10**6
"""Bytes of a picture that is returned; hosts refuse larger ones."""

MAX_PLACES: Final = 10_000

INSTRUCTIONS: Final = (
    "Make pictures smaller before you look at them: shrink_image returns a picture that costs fewer tokens, with a map "
    "of its coordinates. To point at a place of the original picture, give the place on the smaller one, and the map, "
    "to map_coordinates."
)


def server(folders: Sequence[Path]) -> MCPServer:
    """Return the server; `server(...).run()` speaks over stdin and stdout until the client ends.

    Parameters
    ----------
    folders : sequence of Path
        Where pictures may be read, at least one; relative paths begin at the first one.

    Raises
    ------
    UsageError
        If one of them is not a folder.
    """
    tools = Tools(folders)
    made = MCPServer("pixtrim", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    reads = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    for tool in (tools.shrink_image, tools.count_image_tokens, tools.map_coordinates):
        made.add_tool(_telling(tool), annotations=reads, structured_output=False)
    return made


class Tools:
    """What the server offers; the first paragraphs of their descriptions are what models read.

    Parameters
    ----------
    folders : sequence of Path
        As for `server`.

    Raises
    ------
    UsageError
        If one of them is not a folder.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"folder {str(folder)!r} is not there: name one that is")
        self._folders = [folder.resolve() for folder in folders]
        self._one = threading.Lock()  # one picture in memory, however many are asked for at once

    def shrink_image(
        self, path: str, model: str, budget: int | float | str = "fit", detail: str | None = None, page: int = 1
    ) -> list[ImageContent | TextContent]:
        """Return a picture, or a page of a PDF, so small that it costs a vision-language model few tokens.

        model is the one that looks at the picture, as claude-opus-4-7 or gpt-5.5; budget is a number of tokens, a share
        as "50%", or "fit", which takes away only what that model does not see. After the picture comes JSON with its
        tokens before and after, and "map", which map_coordinates takes.
        """
        with self._one:
            found = self._read(path)
            paged = page if found.suffix.lower() in (".pdf", ".tif", ".tiff") else None
            loaded = load(found.read_bytes(), max_pixels=MAX_PIXELS, page=paged, name=found.name)
            return _shown(loaded, lossless_first(loaded.pixels, model, budget, detail))

    def count_image_tokens(
        self,
        model: str,
        path: str | None = None,
        width: int | None = None,
        height: int | None = None,
        detail: str | None = None,
    ) -> str:
        """Count the tokens that a picture in a file, or one of a width and height, costs a vision-language model."""
        rule = resolve(model)
        if path is not None and width is None and height is None:
            with self._one:
                found = self._read(path)
                height, width = load(found.read_bytes(), max_pixels=MAX_PIXELS, name=found.name).pixels.shape[:2]
            size = found.stat().st_size
        elif path is None and width is not None and height is not None:
            size = None
        else:
            raise UsageError("give either path, or width and height")
        return json.dumps(asdict(cost_of(rule, width, height, detail, size=size)))

    def map_coordinates(
        self,
        map: dict[str, Any],
        pixels: list[list[int]] | None = None,
        boxes: list[list[float]] | None = None,
        to: str = "original",
    ) -> str:
        """Map places on a picture of shrink_image to the original picture, or back with to="reduced".

        map is what shrink_image returned; pixels are [x, y], boxes are [x0, y0, x1, y1]. The places come back in order.
        """
        if to not in ("original", "reduced"):
            raise UsageError(f"to is {to!r}: choose original or reduced")
        given: dict[str, list[Any]] = {"pixels": pixels or [], "boxes": boxes or []}
        count = sum(len(places) for places in given.values())
        if count > MAX_PLACES:
            raise UsageError(f"there are {count} places: give at most {MAX_PLACES}")
        between = CoordinateMap.from_dict(map)
        turn: Callable[..., Any] = between.to_original if to == "original" else between.to_reduced
        return json.dumps({kind: turn(**{kind: places}).tolist() for kind, places in given.items() if places})

    def _read(self, path: str) -> Path:
        """Return the file of a path, if it is one that may be read."""
        found = Path(self._folders[0], path).resolve()
        if not any(found.is_relative_to(folder) for folder in self._folders):
            raise InputError(f"{path}: outside the folders that may be read: start pixtrim mcp with --allow FOLDER")
        if not found.is_file():
            raise InputError(f"{path}: there is no such file")
        size = found.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{path}: has {size} bytes, the limit is {MAX_BYTES}: make it smaller first")
        return found


def _shown(loaded: Loaded, shrunk: Shrunk) -> list[ImageContent | TextContent]:
    """Return the picture, as the file itself where nothing was changed, and what there is to know of it."""
    report, kind = shrunk.report, "JPEG" if loaded.format == "JPEG" else "PNG"
    data = shrunk.encode(kind)
    if shrunk.unchanged and loaded.data is not None and loaded.format in MEDIA:
        data, kind = loaded.data, loaded.format
    if len(data) > MAX_RESULT:
        raise InputError(f"the picture has {len(data)} bytes even so, the limit is {MAX_RESULT}: ask for less budget")
    facts = {
        "tokens_before": report.tokens_before,
        "tokens_after": report.tokens_after,
        "model": report.model,
        "operator": report.operator,
        "original_size": [report.original_width, report.original_height],
        "size": [report.width, report.height],
        "warnings": report.warnings,
        "map": shrunk.coordinates.to_dict(),
    }
    image = ImageContent(type="image", data=b64encode(data).decode(), mime_type=MEDIA[kind])
    return [image, TextContent(type="text", text=json.dumps(facts, separators=(",", ":")))]


def _telling(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Have a tool tell the model what was wrong with a call; of other errors the server tells nothing."""

    @functools.wraps(tool)
    def told(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except PixtrimError as error:
            raise ToolError(str(error)) from error

    return told
