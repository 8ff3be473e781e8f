"""The grammar of the command line, from which docs/cli.md is generated as well."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Any, NoReturn

from pixtrim import __version__
from pixtrim.cli import (
    evaluate,
    evaluate_options,
    gateway,
    inspect,
    ledger,
    mcp,
    models,
    prune,
    shrink_options,
    tokens,
    values,
)
from pixtrim.cli.options import add_budget, add_inputs, add_loading, add_running, examples
from pixtrim.cli.show import one_line
from pixtrim.errors import UsageError

__all__ = ["build", "parse"]


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
    arguments.words = tuple(words)
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
    for add in (
        shrink_options.add_shrink,
        _add_prune,
        _add_tokens,
        _add_models,
        _add_inspect,
        shrink_options.add_importance,
        _add_evaluate,
        gateway.add_gateway,
        ledger.add_ledger,
        mcp.add_mcp,
    ):
        command = add(commands)
        command.add_argument("--debug", action="store_true", help="show the traceback of a fault of pixtrim")
    return parser


# --- commands ------------------------------------------------------------------------------------------------------


def _add_prune(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "prune",
        help="find the visual tokens that a model can do without",
        description="Choose which visual tokens of pictures a model that you run yourself needs: those that are not as "
        "their neighbours, or a picture before, predict them. The pictures stay as they are.",
        epilog=examples(
            "pixtrim prune screen.png --preview screen.tokens.png",
            "pixtrim prune pages/ --model qwen2.5-vl --threshold 2 -o plans/ --json",
            "pixtrim prune after.png --reference before.png",
            "pixtrim prune session/ --sequence --key-every 20 --preview look/",
        ),
    )
    command.set_defaults(run=prune.run)
    add = command.add_argument
    add_inputs(command)
    add(
        "-m",
        "--model",
        default="qwen3-vl",
        help="the model whose tokens are meant; 'pixtrim models' lists those that tokens can be dropped in "
        "(default: qwen3-vl)",
    )
    limit = command.add_mutually_exclusive_group()
    limit.add_argument(
        "-t",
        "--threshold",
        type=values.levels,
        default=0.0,
        metavar="LEVELS",
        help="how far a token may be from its prediction, in levels from 0 to 255 (default: 0, nothing is lost)",
    )
    limit.add_argument(
        "--threshold-unit",
        dest="threshold",
        type=values.unit_levels,
        metavar="T",
        help="the same from 0 to 1, as the paper on PixelPrune gives it: 0.01 is 2.55 levels",
    )
    add(
        "--metric",
        choices=prune.METRICS,
        default="max",
        help="what is held against the threshold: the largest difference, the mean, the root of the mean square; exact "
        "takes no threshold (default: max)",
    )
    add("--selector", default="pred_2d", metavar="NAME", help="how tokens are predicted, see below (default: pred_2d)")
    command.add_argument_group("selectors", "\n".join(f"{n:<12}{what}" for n, what in prune.SELECTORS.items()))
    mode = command.add_mutually_exclusive_group()
    mode.add_argument(
        "--anchored",
        action="store_true",
        default=True,
        help="predict from what a decoder has, so that no error is above the threshold (default)",
    )
    mode.add_argument(
        "--sliding",
        dest="anchored",
        action="store_false",
        help="predict from the picture itself: errors may add up, and slow changes of colour are lost",
    )
    add(
        "--fit",
        choices=("resize", "pad"),
        default="resize",
        help="resize as the model's processor does, or pad at the right and below, so that repeats stay exact "
        "(default: resize)",
    )
    add("--seed", type=values.seed, default=0, metavar="N", help="for the selector random (default: 0)")
    add(
        "--skip-ratio",
        type=values.share,
        metavar="R",
        help="the share of each area that the selector conncomp drops (default: as many tokens as pred_2d drops)",
    )
    add("--reference", metavar="PREVIOUS", help="a picture that the model has seen: what is in it is dropped, too")
    add(
        "--sequence",
        action="store_true",
        help="the inputs are sequences, in which each picture has the one before as its reference: the pictures of a "
        "folder by their names, 2 before 10, and files that are named, in that order",
    )
    add("--key-every", type=values.count, metavar="N", help="in a sequence, plan every Nth picture without reference")
    add(
        "--refresh",
        type=values.share,
        metavar="R",
        help="in a sequence, plan a picture alone unless its reference brings it below this share of the tokens that "
        "it keeps alone (default: 0.9)",
    )
    add(
        "-o",
        "--plans",
        metavar="DIR",
        help="write plans, NAME.pixtrim.plan, to a folder; for one input, a name that ends in .plan is a file",
    )
    add(
        "--preview",
        nargs="?",
        const="",
        metavar="PATH",
        help="also write a picture of the tokens that are kept, and where the others come from: a file, for several "
        "inputs a folder (default: NAME.preview.png beside the input)",
    )
    add("--indices", action="store_true", help="list the kept tokens in the JSON, as keep_indices")
    add_loading(command)
    add_running(command)
    return command


def _add_tokens(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "tokens",
        help="count what pictures cost a model",
        description="Count the tokens that pictures cost, without changing them.",
        epilog=examples(
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
        type=values.checked(values.parse_size),
        action="extend",
        nargs="+",
        metavar="WxH",
        help="a size in pixels, as 1920x1080; may be repeated",
    )
    add("--detail", help="the detail level of the request, where the model has levels (default: the model's own)")
    add_loading(command)
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
        epilog=examples("pixtrim models", "pixtrim models --provider anthropic --json"),
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
        epilog=examples(
            "pixtrim inspect statement.png", "pixtrim inspect page.png --model gpt-5.5 --budget 50% --json"
        ),
    )
    command.set_defaults(run=inspect.run)
    add = command.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="a file, a folder, a glob, a page of a PDF, or - for stdin")
    add("-m", "--model", action="append", help=f"a model; may be repeated (default: {', '.join(inspect.USUAL)})")
    add_budget(command, "the budget of the advice (default: fit)")
    add_loading(command)
    add("-r", "--recursive", action="store_true", help="search the folders in a folder, too")
    add("--json", action="store_true", help="print JSON Lines, one object for each picture (docs/json.md)")
    return command


def _add_evaluate(commands: Any) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        "evaluate",
        help="find out what operators cost in answers",
        description="Find out what is left of pictures after an operator, beside a plain resize at equal tokens: by "
        "kind of picture, with 95% intervals, and a verdict where the difference is clear.",
        epilog=examples(
            "pixtrim evaluate photos/ --model gpt-5.5 --quick",
            "pixtrim evaluate funsd/ screens/ --model qwen3-vl --budget 25% 50% 75% --html report.html",
            "pixtrim evaluate hf:lmms-lab/DocVQA/DocVQA:validation --model qwen3-vl --limit 50 --operator fold",
            "pixtrim evaluate pages/ --model gpt-5.5 --plugin mine.py --operator mine --json mine.json",
            "pixtrim evaluate --list-metrics",
        ),
    )
    command.set_defaults(run=evaluate.run)
    evaluate_options.add_options(command)
    return command
