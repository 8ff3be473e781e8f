"""The grammar of the command line, from which docs/cli.md is generated as well."""

from __future__ import annotations

import math
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pixtrim import __version__
from pixtrim.cli import inspect, models, shrink, tokens
from pixtrim.cli.outputs import FORMATS
from pixtrim.cli.show import one_line
from pixtrim.errors import UsageError
from pixtrim.image import MAX_PIXELS
from pixtrim.tokens import parse_budget

__all__ = ["build", "parse", "parse_box", "parse_size"]

Size = tuple[int, int]
Box = tuple[int, int, int, int]

MOST_THREADS = 1024


class Parser(ArgumentParser):
    """An argument parser whose complaints are errors of ours: one line, exit code 2."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{one_line(message)} (see '{self.prog} --help')")


def parse(words: Sequence[str]) -> Namespace:
    """Parse a command line; `run` of the result is the function that carries it out.

    Raises
    ------
    UsageError
        If it is wrong.
    SystemExit
        With code 0, after ``--help`` and ``--version``.
    """
    parser = build()
    arguments, rest = parser.parse_known_args(words)
    named = getattr(arguments, "inputs", None)
    if rest and named is not None and not any(word.startswith("-") and word != "-" for word in rest):
        named.extend(rest)  # argparse takes inputs in one row only; "a.png --model M b.png" means both
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return arguments


def build() -> Parser:
    """Build the parser of all commands."""
    parser = Parser(
        prog="pixtrim",
        description="Fewer visual tokens, same answer: images made cheaper for vision-language models.",
        epilog="'pixtrim COMMAND --help' explains a command and shows examples.",
    )
    parser.add_argument("--version", action="version", version=f"pixtrim {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for add in (_add_shrink, _add_tokens, _add_models, _add_inspect):
        command = add(commands)
        command.add_argument("--debug", action="store_true", help="show the traceback of a fault of pixtrim")
    return parser


def _examples(*lines: str) -> str:
    return "\n  ".join(("examples:", *lines))


# --- commands ------------------------------------------------------------------------------------------------------


def _add_shrink(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "shrink",
        help="make pictures cheaper for a model",
        description="Make pictures cheaper for a named model. An input is never overwritten.",
        epilog=_examples(
            "pixtrim shrink statement.png --model claude-opus-4-7 --budget 800",
            "pixtrim shrink screenshots/ --model gpt-5.5 --budget 50% -o out/",
            "pixtrim shrink 'statement.pdf#page=3' --dpi 200 --model gemini-2.5-flash -o page3.png --preview",
            "pixtrim shrink - --model qwen3-vl -o - < page.png > smaller.png",
        ),
    )
    command.set_defaults(run=shrink.run)
    add = command.add_argument
    add(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a file, a folder, a glob, a page (statement.pdf#page=3), or - for stdin",
    )
    add("-m", "--model", required=True, help="the model that will look at the pictures; 'pixtrim models' lists them")
    add(
        "-b",
        "--budget",
        type=_checked(_budget),
        default="fit",
        help="tokens for each picture (800), a share of what it costs now (50%% or 0.5), or fit: pay for no pixel that "
        "the model throws away (default: fit)",
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, a folder (for several inputs, or with a trailing slash), or - for stdout; a file named here is "
        "replaced if it exists (default: NAME.pixtrim.png beside the input; stdout for stdin)",
    )
    add(
        "--operator",
        choices=("auto", "fold", "resize"),
        default="auto",
        help="fold drops repeating rows and columns, resize scales, auto decides by the picture (default: auto)",
    )
    add("--detail", help="the detail level of the request, where the model has levels (default: the model's own)")
    add(
        "--protect",
        type=_checked(parse_box),
        action="append",
        metavar="x0,y0,x1,y1",
        help="a box, in pixels of the original, that is not folded; may be repeated",
    )
    _add_loading(command)
    formats = tuple(dict.fromkeys(FORMATS.values()))
    add(
        "--format",
        choices=formats,
        help="the format of results (default: by the name after -o, or png; to stdout, the input's own bytes "
        "where nothing was saved)",
    )
    add("--workers", type=_whole, metavar="N", help="pictures worked on at a time (default: one for each processor)")
    add("--threads", type=_whole, default=1, metavar="N", help="threads for one picture (default: 1)")
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
        "--map",
        nargs="?",
        const="",
        metavar="PATH",
        help="also write the coordinate map as JSON: a file, for several inputs a folder "
        "(default: NAME.map.json beside the result)",
    )
    add("--overwrite", action="store_true", help="replace results that exist already")
    add("-r", "--recursive", action="store_true", help="search the folders in a folder, too")
    add("--json", action="store_true", help="print JSON Lines, one object for each input (docs/json.md)")
    add("-q", "--quiet", action="store_true", help="print errors only")
    return command


def _add_tokens(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "tokens",
        help="count what pictures cost a model",
        description="Count the tokens that pictures cost, without changing them.",
        epilog=_examples(
            "pixtrim tokens --model claude-opus-4-7 --size 1920x1080",
            "pixtrim tokens --model gpt-5.5 --model gemini-2.5-flash screenshots/*.png",
            "pixtrim tokens --model gpt-4o --detail low --size 800x600 --size 1024x1024 --json",
        ),
    )
    command.set_defaults(run=tokens.run)
    add = command.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="a file, a folder, a glob, a page of a PDF, or - for stdin")
    add("-m", "--model", required=True, action="append", help="a model; may be repeated")
    add(
        "--size",
        type=_checked(parse_size),
        action="extend",
        nargs="+",
        metavar="WxH",
        help="a size in pixels, as 1920x1080; may be repeated",
    )
    add("--detail", help="the detail level of the request, where the model has levels (default: the model's own)")
    _add_loading(command)
    add("--prices", metavar="FILE", help="a TOML table of prices that goes before the built-in one")
    add("-r", "--recursive", action="store_true", help="search the folders in a folder, too")
    add("--json", action="store_true", help="print JSON Lines, one object for each picture and model (docs/json.md)")
    return command


def _add_models(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "models",
        help="list the models whose token rules are known",
        description="List the models whose token rules are known, with the mark that says how far to trust a rule: "
        "D official documentation, S read in released source, M measured by a third party, I inferred.",
        epilog=_examples("pixtrim models", "pixtrim models --provider anthropic --json"),
    )
    command.set_defaults(run=models.run)
    command.add_argument("--provider", help="only the models of this provider")
    command.add_argument("--json", action="store_true", help="print JSON Lines, one object for each model")
    return command


def _add_inspect(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "inspect",
        help="explain a picture: its kind, what repeats in it, what it costs",
        description="Explain pictures: their kind, what repeats in them, what they cost several models, and what "
        "'pixtrim shrink' would do. Nothing is written.",
        epilog=_examples(
            "pixtrim inspect statement.png", "pixtrim inspect page.png --model gpt-5.5 --budget 50% --json"
        ),
    )
    command.set_defaults(run=inspect.run)
    add = command.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="a file, a folder, a glob, a page of a PDF, or - for stdin")
    add("-m", "--model", action="append", help=f"a model; may be repeated (default: {', '.join(inspect.USUAL)})")
    add("-b", "--budget", type=_checked(_budget), default="fit", help="the budget of the advice (default: fit)")
    _add_loading(command)
    add("-r", "--recursive", action="store_true", help="search the folders in a folder, too")
    add("--json", action="store_true", help="print JSON Lines, one object for each picture (docs/json.md)")
    return command


def _add_loading(command: ArgumentParser) -> None:
    command.add_argument(
        "--dpi", type=_dpi, default=150, metavar="N", help="pixels per inch of a PDF page (default: 150)"
    )
    command.add_argument(
        "--max-megapixels",
        type=_megapixels,
        default=MAX_PIXELS,
        metavar="N",
        help=f"refuse larger pictures (default: {MAX_PIXELS / 1e6:g})",
    )


# --- values --------------------------------------------------------------------------------------------------------


def _checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Hand the message of a UsageError to argparse, which would put one of its own in its place."""

    def checked(text: str) -> Any:
        try:
            return read(text)
        except UsageError as error:
            raise ArgumentTypeError(str(error)) from None

    return checked


def parse_size(text: str) -> Size:
    """Read ``1920x1080``; ``X`` and ``×`` do as well.

    Raises
    ------
    UsageError
        If the text is no size, or a side is 0.

    Examples
    --------
    >>> parse_size("1920x1080"), parse_size("8×6")
    ((1920, 1080), (8, 6))
    """
    match = re.fullmatch(r"([0-9]{1,10})[xX×]([0-9]{1,10})", text)
    if match is None or 0 in (size := (int(match[1]), int(match[2]))):
        raise UsageError(f"size {_shown(text)} is not understood: give width x height in pixels, as 1920x1080")
    return size


def parse_box(text: str) -> Box:
    """Read ``x0,y0,x1,y1``: whole pixels, of which the second corner is not in the box.

    Raises
    ------
    UsageError
        If the text is no box, or the box is empty.

    Examples
    --------
    >>> parse_box("0,10,640,90")
    (0, 10, 640, 90)
    """
    match = re.fullmatch(r"([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})", re.sub(r"\s", "", text))
    if match is None:
        raise UsageError(f"box {_shown(text)} is not understood: give x0,y0,x1,y1 in whole pixels, as 0,10,640,90")
    x0, y0, x1, y1 = map(int, match.groups())
    if x0 >= x1 or y0 >= y1:
        raise UsageError(f"box {_shown(text)} is empty: x1 must be above x0, and y1 above y0")
    return x0, y0, x1, y1


def _budget(text: str) -> str:
    parse_budget(text, before=10**9)  # what it comes to is known for each picture later
    return text


def _whole(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,4}", text) is None or not 1 <= int(text) <= MOST_THREADS:
        raise ArgumentTypeError(f"{_shown(text)} is not a whole number from 1 to {MOST_THREADS}")
    return int(text)


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 1e6:  # false for nan as well
        raise ArgumentTypeError(f"{_shown(text)} is not {what} above 0 and below a million")
    return number


def _dpi(text: str) -> float:
    return _number(text, "a number of pixels per inch")


def _megapixels(text: str) -> int:
    return max(1, int(_number(text, "a number of megapixels") * 1e6))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")
