"""What several commands have in their grammar."""

from __future__ import annotations

from argparse import ArgumentParser

from pixtrim.cli import values
from pixtrim.image import MAX_PIXELS

__all__ = ["add_budget", "add_inputs", "add_loading", "add_running", "examples"]


def examples(*lines: str) -> str:
    """Return the end of a help text."""
    return "\n  ".join(("examples:", *lines))


def add_loading(command: ArgumentParser) -> None:
    """Add how pictures are loaded."""
    command.add_argument(
        "--dpi", type=values.dpi, default=150, metavar="N", help="pixels per inch of a PDF page (default: 150)"
    )
    command.add_argument(
        "--max-megapixels",
        type=values.megapixels,
        default=MAX_PIXELS,
        metavar="N",
        help=f"refuse larger pictures (default: {MAX_PIXELS / 1e6:g})",
    )


def add_inputs(command: ArgumentParser) -> None:
    """Add the pictures."""
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a file, a folder, a glob, a page (statement.pdf#page=3), or - for stdin",
    )


def add_budget(command: ArgumentParser, what: str) -> None:
    """Add the budget."""
    command.add_argument("-b", "--budget", type=values.checked(values.budget), default="fit", help=what)


def add_running(command: ArgumentParser, each: str = "input") -> None:
    """Add how many pictures are worked on, what is replaced, and what is printed."""
    add = command.add_argument
    add("--workers", type=values.threads, metavar="N", help="pictures worked on at a time (default: one per processor)")
    add("--overwrite", action="store_true", help="replace results that exist already")
    add("-r", "--recursive", action="store_true", help="search the folders in a folder, too")
    add("--json", action="store_true", help=f"print JSON Lines, one object for each {each} (docs/json.md)")
    add("-q", "--quiet", action="store_true", help="print errors only")
