"""``pixtrim models``: the models whose token rules are known."""

from __future__ import annotations

from argparse import Namespace

from pixtrim.cli.show import SCHEMA, json_line, table
from pixtrim.errors import UsageError
from pixtrim.tokens import Limits, Rule, models
from pixtrim.tokens.records import model_record

__all__ = ["limits_in_words", "run"]


def run(arguments: Namespace) -> int:
    """List the rules, of one provider if one was named."""
    rules = models()
    if arguments.provider is not None:
        providers = dict.fromkeys(rule.provider for rule in rules)
        rules = [rule for rule in rules if rule.provider.lower() == arguments.provider.strip().lower()]
        if not rules:
            raise UsageError(f"no provider {arguments.provider[:40]!r}: choose one of {', '.join(providers)}")
    if arguments.json:
        for rule in rules:
            json_line({"schema": SCHEMA, **model_record(rule)})
        return 0
    header = ("model", "provider", "rule", "details", "limits", "prune", "mark", "read")
    rows = [
        (
            rule.name,
            rule.provider,
            rule.kind,
            details(rule),
            limits_in_words(rule.limits),
            "-" if rule.grid is None else f"{rule.cell()} px",
            rule.mark,
            rule.read,
        )
        for rule in rules
    ]
    table(header, rows)
    return 0


def details(rule: Rule) -> str:
    """Name the detail levels, the default one with a star."""
    return " ".join(f"{level}*" if level == rule.default_detail else level for level in rule.details) or "-"


def limits_in_words(limits: Limits) -> str:
    """Say briefly what a provider refuses.

    Examples
    --------
    >>> limits_in_words(Limits(max_bytes=5 * 2**20, max_side=8000))
    '5 MiB, side 8000'
    """
    words = []
    if limits.max_bytes is not None:
        words.append(_size(limits.max_bytes))
    if limits.max_base64_bytes is not None:
        words.append(f"{_size(limits.max_base64_bytes)} in base64")
    if limits.max_side is not None:
        words.append(f"side {limits.max_side}")
    if limits.many_images is not None:
        words.append(f"side {limits.many_images_side} above {limits.many_images} images")
    if limits.max_aspect is not None:
        words.append(f"aspect {limits.max_aspect}:1")
    if limits.max_patches is not None:
        words.append(f"{limits.max_patches} patches")
    if limits.max_images is not None:
        words.append(f"{limits.max_images} images")
    return ", ".join(words) or "-"


def _size(amount: int) -> str:
    for unit, name in ((2**20, "MiB"), (10**6, "MB"), (2**10, "KiB")):
        if amount % unit == 0:
            return f"{amount // unit} {name}"
    return f"{amount} bytes"
