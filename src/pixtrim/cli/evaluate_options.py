"""The options of ``pixtrim evaluate``, part of the grammar in `pixtrim.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser

from pixtrim.cli import evaluate, values

__all__ = ["add_options"]


def add_options(command: ArgumentParser) -> None:
    """Add all that can be said to the command."""
    add = command.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="DATA",
        help="a folder, a file or a glob, whose layout is recognised; NAME:PATH, as funsd:forms/, to read it as that "
        "data set; or hf:NAME[/CONFIG]:SPLIT, rows of a data set of Hugging Face",
    )
    add("-m", "--model", help="the model whose tokens are counted; 'pixtrim models' lists them")
    add(
        "-b",
        "--budget",
        type=values.checked(values.compared_budget),
        action="extend",
        nargs="+",
        help="shares of what the original costs (50%%), at least one token, or tokens (800); 100%% is the original "
        "itself (default: 25%% 50%% 75%%)",
    )
    add(
        "--operator",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="operators; the plain resize is always among them (default: all that there are)",
    )
    add(
        "--metric",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="measures (default: all that can run, and apply to the data)",
    )
    add(
        "--encoder",
        action="extend",
        nargs="+",
        metavar="SPEC",
        help="vision encoders for the measures that need one: weights of a ViT (.npz), or names in timm or in "
        "Transformers",
    )
    add(
        "--detector",
        action="extend",
        nargs="+",
        metavar="FILE",
        help="detectors for the measures that need one (.onnx)",
    )
    add(
        "--endpoint",
        metavar="URL",
        help="a model that answers questions about the pictures, for the measures that need one: the base address of a "
        "server that speaks OpenAI's protocol (http://localhost:8000/v1)",
    )
    add("--endpoint-model", metavar="NAME", help="the model's name there")
    add("--api-key-file", metavar="FILE", help="a file that holds the key for the endpoint, and nothing else")
    add("--list-metrics", action="store_true", help="list the measures, what each answers, and what it needs; then end")
    add("--kind", action="extend", nargs="+", help="only pictures of this kind, as 'web screenshot'")
    add("--limit", type=values.count, metavar="N", help="at most N pictures of each kind, spread over the data")
    add(
        "--quick",
        action="store_true",
        help=f"a first look: {evaluate.QUICK_LIMIT} pictures of each kind at {evaluate.QUICK_BUDGET}%, with one OCR "
        "engine, unless --limit, --budget and --metric say otherwise",
    )
    add("--workers", type=values.threads, metavar="N", help="processes (default: one per processor)")
    add(
        "--cache",
        default=evaluate.CACHE,
        metavar="DIR",
        help="where results are kept, so that a run goes on where another was interrupted, and does only what is new "
        f"(default: {evaluate.CACHE})",
    )
    add("--no-cache", action="store_true", help="keep nothing, and look nothing up")
    add("--html", metavar="FILE", help="write a report to look at, and a folder beside it with the pairs of pictures")
    add("--pairs", type=values.count, metavar="N", help="at most N pairs of pictures beside the report (default: all)")
    add(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write all scores and their summary (docs/json.md): to a file, or to stdout in place of the table",
    )
    add(
        "--plugin",
        action="append",
        metavar="MODULE",
        help="a Python module, or a file of one, that registers operators or measures of your own; may be repeated",
    )
    add("-q", "--quiet", action="store_true", help="print errors only")
