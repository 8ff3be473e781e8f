"""A hook of Claude Code: images in what tools return are made smaller before the model sees them.

It reads the event PostToolUse on stdin, and answers with the tool's own output, in which nothing but images is other.
Whatever goes wrong, it answers nothing, and the output stays as it was.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterator
from typing import Any

from pixtrim.gateway import Settings, rewrite

SHAPES = (("base64", "type"), ("base64", "mediaType"), ("data", "mimeType"), ("data", "media_type"))
"""Where tools put an image, and where its media type: Read does it in the first two ways, MCP servers in the others."""


def holders(value: Any) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield the objects that hold an image, with the names of its places, however deep they are."""
    if isinstance(value, list):
        for item in value:
            yield from holders(item)
    elif isinstance(value, dict):
        for data, media in SHAPES:
            if isinstance(value.get(data), str) and str(value.get(media)).startswith("image/"):
                yield value, data, media
                return
        for item in value.values():
            yield from holders(item)


def shrunk(response: Any, model: str, settings: Settings) -> Any:
    """Return a tool's output with smaller images, or None where none is to be changed."""
    found = copy.deepcopy(response)
    places = list(holders(found))
    sources = [{"type": "base64", "media_type": holder[media], "data": holder[data]} for holder, data, media in places]
    content = [{"type": "image", "source": source} for source in sources]
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
    smaller, report = rewrite(body, "anthropic", settings)
    if smaller is body:
        return None
    blocks = smaller["messages"][0]["content"]
    for (holder, data, media), block, image in zip(places, blocks, report.images, strict=True):
        holder[data], holder[media] = block["source"]["data"], block["source"]["media_type"]
        if image.outcome.size is not None and isinstance(holder.get("dimensions"), dict):  # what Read tells beside it
            holder["dimensions"] |= dict(zip(("displayWidth", "displayHeight"), image.outcome.size[2:], strict=True))
    return found


def main() -> None:
    """Answer one event."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="claude-opus-4-7", help="the model that looks at the images")
    parser.add_argument("--budget", default="fit", help="tokens of an image, or a share of them, as 50%%")
    arguments = parser.parse_args()
    try:
        event = json.load(sys.stdin)
        output = shrunk(event["tool_response"], arguments.model, Settings(budget=arguments.budget))
    except Exception as error:
        print(f"shrink_tool_images: {error}", file=sys.stderr)  # Claude Code shows it with --debug
        return
    if output is not None:
        answer = {"hookEventName": "PostToolUse", "updatedToolOutput": output}
        json.dump({"hookSpecificOutput": answer}, sys.stdout)


if __name__ == "__main__":
    main()
