"""What several commands have in their grammar."""

from __future__ import annotations

from argparse import ArgumentParser

from pixtrim.cli import values
from pixtrim.image import MAX_PIXELS

__all__ = ["add_loading", "examples"]


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
