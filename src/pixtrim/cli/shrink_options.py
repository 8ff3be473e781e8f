"""The grammar of ``pixtrim shrink``, and of ``pixtrim importance``, which shows what it goes by."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from pixtrim.cli import importance, shrink, values
from pixtrim.cli.options import add_budget, add_inputs, add_loading, add_running, examples
from pixtrim.cli.outputs import FORMATS

__all__ = ["add_importance", "add_shrink"]


def add_shrink(commands: Any) -> ArgumentParser:
    """Add the command."""
    command: ArgumentParser = commands.add_parser(
        "shrink",
        help="make pictures cheaper for a model",
        description="Make pictures cheaper for a named model. An input is never overwritten.",
        epilog=examples(
            "pixtrim shrink statement.png --model claude-opus-4-7 --budget 800",
            "pixtrim shrink screenshots/ --model gpt-5.5 --budget 50% -o out/",
            "pixtrim shrink 'statement.pdf#page=3' --dpi 200 --model gemini-2.5-flash -o page3.png --preview",
            "pixtrim shrink - --model qwen3-vl -o - < page.png > smaller.png",
            "pixtrim shrink photo.jpg --model gpt-5.5 --budget 30% --operator warp --preview --preview-of grid",
        ),
    )
    command.set_defaults(run=shrink.run)
    add = command.add_argument
    add_inputs(command)
    add("-m", "--model", required=True, help="the model that will look at the pictures; 'pixtrim models' lists them")
    add_budget(
        command,
        "tokens for each picture (800), a share of what it costs now (50%% or 0.5), or fit: pay for no pixel that the "
        "model throws away (default: fit)",
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, a folder (for several inputs, or with a trailing slash), or - for stdout; a file named here is "
        "replaced if it exists (default: NAME.pixtrim.png beside the input; stdout for stdin)",
    )
    _add_operator(command)
    add("--detail", help="the detail level of the request, where the model has levels (default: the model's own)")
    add(
        "--protect",
        type=values.checked(values.parse_box),
        action="append",
        metavar="x0,y0,x1,y1",
        help="a box, in pixels of the original, in which nothing is cropped, folded or carved; may be repeated",
    )
    add_loading(command)
    formats = tuple(dict.fromkeys(FORMATS.values()))
    add(
        "--format",
        choices=formats,
        help="the format of results (default: by the name after -o, or png; to stdout, the input's own bytes "
        "where nothing was saved)",
    )
    add("--threads", type=values.threads, default=1, metavar="N", help="threads for one picture (default: 1)")
    add("--prices", metavar="FILE", help="a TOML table of prices that goes before the built-in one")
    add(
        "--preview",
        nargs="?",
        const="",
        metavar="PATH",
        help="also write a picture of before, after and what was folded: a file, for several inputs a folder "
        "(default: NAME.preview.png beside the result)",
    )
    add(
        "--preview-of",
        choices=("sheet", "importance", "faded", "seams", "grid"),
        default="sheet",
        help="what the preview shows: before, after and what went; the importance as a heat map, or with its lesser "
        "half grey and pale; the seams that were taken out; how a grid was bent (default: sheet)",
    )
    add(
        "--map",
        nargs="?",
        const="",
        metavar="PATH",
        help="also write the coordinate map as JSON: a file, for several inputs a folder "
        "(default: NAME.map.json beside the result)",
    )
    add_running(command)
    return command


def _add_operator(command: ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--operator",
        default="auto",
        metavar="STEPS",
        help="auto decides by the picture; else steps joined by + in this order: crop cuts off borders that hold "
        "nothing, fold drops repeating rows and columns, and one of resize (scales evenly), warp (scales what matters "
        "less) and carve (takes out seams), as in fold+warp (default: auto)",
    )
    add(
        "--importance",
        metavar="SOURCE",
        help="where the content is, for crop, warp and carve: a source that 'pixtrim importance --list' names, or "
        "several joined by + for the largest of them (default: text+saliency)",
    )
    add(
        "--computer-use",
        action="store_true",
        help="the model is to point at places: nothing but folding and even scaling is done",
    )


def add_importance(commands: Any) -> ArgumentParser:
    """Add the command."""
    command: ArgumentParser = commands.add_parser(
        "importance",
        help="show where the content of pictures is",
        description="Write a heat map of where the content of a picture is, as 'pixtrim shrink' sees it for crop, warp "
        "and carve. Light is important.",
        epilog=examples(
            "pixtrim importance photo.jpg",
            "pixtrim importance photos/ --source 0.7*text+0.3*gradient -o maps/ --array",
            "pixtrim importance photo.jpg --source attention:deit_tiny.npz --faded 25%",
            "pixtrim importance --list",
        ),
    )
    command.set_defaults(run=importance.run)
    add = command.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="a file, a folder, a glob, a page of a PDF, or - for stdin")
    add(
        "-s",
        "--source",
        default="text+saliency",
        help="who is asked: a name of --list, several joined by + for the largest of them, or weighted, as in "
        "0.7*text+0.3*gradient (default: text+saliency)",
    )
    add(
        "--faded",
        type=values.percent,
        metavar="SHARE",
        help="in the place of a heat map: leave this share of the picture as it is, the most important one (25%% or "
        "0.25), and make the rest grey and pale",
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="a file or, for several inputs, a folder (default: NAME.importance.png beside the input)",
    )
    add("--array", action="store_true", help="also write the map beside it: float32 (H, W) in [0, 1], as NAME.npy")
    add("--list", action="store_true", help="list the sources")
    add_loading(command)
    add_running(command, "picture")
    return command
