"""``pixtrim mcp``: its options, and the server that it starts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from pixtrim.cli.options import examples
from pixtrim.errors import require

__all__ = ["add_mcp", "run"]


def add_mcp(commands: Any) -> ArgumentParser:
    """Add the command to the grammar."""
    command: ArgumentParser = commands.add_parser(
        "mcp",
        help="offer tools for pictures to agents, by the Model Context Protocol",
        description="Speak the Model Context Protocol over stdin and stdout, for an agent that starts this command. "
        "The tools are shrink_image, count_image_tokens and map_coordinates; they read pictures, and write nothing.",
        epilog=examples(
            "claude mcp add pixtrim -- pixtrim mcp --allow ~/Pictures",
            "pixtrim mcp --allow screenshots/ --allow pages/",
        ),
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--allow",
        action="append",
        metavar="FOLDER",
        help="a folder in which pictures may be read, with those in it; links that lead out of it are refused; may be "
        "repeated (default: the current folder)",
    )
    return command


def run(arguments: Namespace) -> int:
    """Serve until the agent ends."""
    require("mcp", "mcp", "pixtrim mcp")
    from pixtrim.gateway.mcp import server

    server([Path(folder) for folder in arguments.allow or ["."]]).run()
    return 0
