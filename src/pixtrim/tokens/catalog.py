"""The catalogue of models: reads ``catalog.toml`` once, and finds the rule for the name that somebody types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pixtrim.errors import UnknownModelError
from pixtrim.tokens.formulas import FORMULAS, Formula
from pixtrim.tokens.rules import GridSpec, Limits, Rule

__all__ = ["key", "models", "resolve"]

LONGEST_NAME = 200

# What providers and hosts append to a name without changing the model.
_RELEASE = re.compile(
    r"(?: @(?:20\d{6}|latest|default)"  # Vertex
    r"  | \[1m\]"  # context window
    r"  | -v\d(?::\d)?  | :\d"  # Bedrock
    r"  | :(?:latest|free|beta|thinking|nitro|floor|extended|online|exacto)"  # OpenRouter, Ollama
    r"  | -(?:20\d{6}|20\d\d-\d\d-\d\d)"  # a date
    r"  | -(?:preview|exp)(?:-\d\d-\d\d(?:\d\d)?)?"
    r"  | -latest  | -00\d )$",
    re.VERBOSE,
)
# What is appended to open weights only: the size, the training and the number format.
_WEIGHTS = re.compile(
    r"(?: [-:]\d+(?:\.\d+)?b  | -a\d+(?:\.\d+)?b  | -\d+e"
    r"  | -(?:instruct|thinking|base|chat|it|hf)"
    r"  | -(?:fp8|bf16|fp16|nvfp4|mxfp4|int[48]|[48]bit|awq|gptq|gguf|mlx|dynamic)"
    r"  | -q\d(?:-[0-9a-z]+)* )$",
    re.VERBOSE,
)


class _Catalog(NamedTuple):
    rules: tuple[Rule, ...]
    by_key: Mapping[str, Rule]
    hosts: frozenset[str]
    vendors: frozenset[str]
    regions: frozenset[str]
    text_only: frozenset[str]


def key(name: str) -> str:
    """Return the spelling under which names are compared: lower case, and hyphens for dots, blanks and underscores.

    Examples
    --------
    >>> key("Claude_Opus 4.7")
    'claude-opus-4-7'
    """
    return re.sub(r"[-._ ]+", "-", name.strip().lower())


@cache
def _catalog() -> _Catalog:
    import tomllib  # takes a few milliseconds that `import pixtrim` need not spend

    data = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text(encoding="utf-8"))
    rules = tuple(rule for family in data["family"] for rule in _rules(family))
    names = data["names"]
    return _Catalog(
        rules=rules,
        by_key={key(name): rule for rule in rules for name in (rule.name, *rule.aliases)},
        hosts=frozenset(names["hosts"]),
        vendors=frozenset(names["vendors"]),
        regions=frozenset(names["regions"]),
        text_only=frozenset(map(key, names["text_only"])),
    )


def _rules(family: Mapping[str, Any]) -> Iterator[Rule]:
    """Yield one rule for each model of a family in the catalogue's file."""
    levels: Mapping[str | None, Any] = family.get("levels") or {None: {}}
    for name in family["models"]:
        parameters = {**family.get("parameters", {}), **family.get("each", {}).get(name, {})}
        yield Rule(
            name=name,
            provider=family["provider"],
            aliases=tuple(alias for alias, model in family.get("aliases", {}).items() if model == name),
            kind=family["formula"],
            mark=family["mark"],
            source=family["source"],
            read=family["read"],
            note=family.get("note", ""),
            limits=Limits(**family.get("limits", {})),
            default_detail=family.get("default"),
            open_weights=family.get("open_weights", False),
            grid=GridSpec(**family["grid"]) if "grid" in family else None,
            levels={level: _formula(family["formula"], parameters, changes) for level, changes in levels.items()},
        )


def _formula(kind: str, parameters: Mapping[str, Any], changes: Mapping[str, Any]) -> Formula:
    """Build a formula; a level that names a formula of its own starts from that formula's parameters alone."""
    own = dict(changes)
    other = own.pop("formula", None)
    numbers = own if other else {**parameters, **own}
    return FORMULAS[other or kind](**{name: _frozen(value) for name, value in numbers.items()})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def models() -> list[Rule]:
    """Return the rules of all models, in the order of the catalogue.

    Examples
    --------
    >>> [rule.name for rule in models() if rule.provider == "Amazon"]
    ['nova-lite', 'nova-pro', 'nova-premier', 'nova-2-lite', 'nova-2-pro']
    """
    return list(_catalog().rules)


def resolve(model: str) -> Rule:
    """Find the rule for a model's name.

    Case, dots, blanks and underscores do not matter. Names of hosts and vendors in front (``openrouter/openai/``,
    ``us.anthropic.``), dates and releases behind (``-2024-11-20``, ``@20260301``, ``-v1:0``, ``-preview``), and for
    open weights the size, the training and the number format (``-7B-Instruct-AWQ``) are taken off, one by one,
    until a name of the catalogue is left. Nothing else is: a name is never resolved to a merely similar one.

    Parameters
    ----------
    model : str
        The name as it is written in a request.

    Returns
    -------
    Rule

    Raises
    ------
    UnknownModelError
        If there is no rule; the message suggests the nearest names.

    Examples
    --------
    >>> resolve("openrouter/openai/gpt-4o-2024-11-20").name
    'gpt-4o'
    >>> resolve("us.anthropic.claude-sonnet-4-5-20250929-v1:0").name
    'claude-sonnet-4-5'
    >>> resolve("Qwen/Qwen2.5-VL-7B-Instruct").name
    'qwen2.5-vl'
    """
    catalog = _catalog()
    if not isinstance(model, str) or len(model) > LONGEST_NAME or not model.isascii() or not model.isprintable():
        raise _unknown(model, catalog)
    bare = _without_host(model.strip().lower().replace("_", "-").replace(" ", "-"), catalog)
    for name in _shorter(bare, _RELEASE):
        if key(name) in catalog.text_only:
            raise UnknownModelError(f"{model!r} takes no images: 'pixtrim models' lists the models that do")
        if (rule := catalog.by_key.get(key(name))) is not None:
            return rule
    for name in _shorter(bare, _RELEASE, _WEIGHTS):
        if (rule := catalog.by_key.get(key(name))) is not None and rule.open_weights:
            return rule
    raise _unknown(model, catalog)


def _without_host(name: str, catalog: _Catalog) -> str:
    """Take off the known hosts in front (``openai/``, ``models/``) and Bedrock's region and vendor (``us.amazon.``)."""
    while (cut := name.find("/")) >= 0 and name[:cut] in catalog.hosts:
        name = name[cut + 1 :]
    region, _, rest = name.partition(".")
    if region in catalog.regions:
        name = rest
    vendor, _, rest = name.partition(".")
    return rest if vendor in catalog.vendors else name


def _shorter(name: str, *suffixes: re.Pattern[str]) -> Iterator[str]:
    """Yield the name, then the name with one suffix after the other taken off, until none is left."""
    yield name
    while match := next(filter(None, (suffix.search(name) for suffix in suffixes)), None):
        name = name[: match.start()]
        yield name


def _unknown(model: object, catalog: _Catalog) -> UnknownModelError:
    """Build the error for a name without a rule, with the nearest names where it looks like a name at all."""
    shown = repr(model) if len(repr(model)) <= 60 else repr(model)[:60] + "..."
    near: list[str] = []
    if isinstance(model, str) and len(model) <= LONGEST_NAME:
        import difflib

        bare = key(_without_host(model.strip().lower(), catalog))
        found = difflib.get_close_matches(bare, list(catalog.by_key), n=6, cutoff=0.6)
        near = list(dict.fromkeys(catalog.by_key[match].name for match in found))[:3]
    hint = f"the nearest are {', '.join(near)}; " if near else ""
    return UnknownModelError(f"no token rule for model {shown}: {hint}'pixtrim models' lists all")
