"""Edits of JSON by path: on parsed values, or on the text itself, of which everything else keeps its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]  # in the stub's private part only
from typing import Any, NamedTuple

__all__ = ["Edit", "Path", "Plain", "applied", "spliced"]

Path = tuple[str | int, ...]
"""Keys and places, from the root down."""


class Plain(str):
    """Text that JSON writes as it is, such as base64: to look through an image for what it has not takes a while."""

    __slots__ = ()


class Edit(NamedTuple):
    """A value to be put in place of another.

    Attributes
    ----------
    path : tuple of str or int
        Where the other is.
    value : Any
        What JSON can hold.
    """

    path: Path
    value: Any


class _Leaf(NamedTuple):
    value: Any


def applied(body: Any, edits: Iterable[Edit]) -> Any:
    """Return a parsed body with the edits made; what was given is left as it is, and shared where nothing changed.

    Examples
    --------
    >>> applied({"a": [1, 2]}, [Edit(("a", 0), "x")])
    {'a': ['x', 2]}
    """
    return _applied(body, _tree(edits))


def spliced(text: str, edits: Iterable[Edit]) -> str:
    """Return the text of a JSON document with the edits made, and everything else as it was.

    Parameters
    ----------
    text : str
        A document that `json.loads` accepts.
    edits : iterable of Edit
        Their paths lead to values that are there, and none into another's. Of a key that an object has twice the last
        one is meant, as by `json.loads`.

    Raises
    ------
    RecursionError
        If it is nested almost as deeply as `json.loads` allows.

    Examples
    --------
    >>> spliced('{"a" : [1, 2.00]}', [Edit(("a", 0), "x")])
    '{"a" : ["x", 2.00]}'
    """
    spans: list[tuple[int, int, Any]] = []
    _find(text, _space(text, 0), _tree(edits), spans)
    parts, done = [], 0
    for start, end, value in sorted(spans, key=lambda span: span[0]):
        parts += [text[done:start], _written(value)]
        done = end
    return "".join([*parts, text[done:]])


def _written(value: Any) -> str:
    if isinstance(value, Plain):
        return f'"{value}"'
    return json.dumps(value, separators=(",", ":"))  # ASCII: half a surrogate stays encodable


def _tree(edits: Iterable[Edit]) -> Any:
    root: dict[str | int, Any] = {}
    for path, value in edits:
        node = root
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = _Leaf(value)
    return root


def _applied(value: Any, tree: Any) -> Any:
    if isinstance(tree, _Leaf):
        return str(tree.value) if isinstance(tree.value, Plain) else tree.value  # no types of ours in others' bodies
    if not tree:
        return value
    found = dict(value) if isinstance(value, Mapping) else list(value)
    for step, below in tree.items():
        found[step] = _applied(found[step], below)
    return found


# --- places in the text ----------------------------------------------------------------------------------------------

_skip = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # in C: what has no edits costs little
_BLANKS = re.compile(r"[ \t\n\r]*")


def _space(text: str, at: int) -> int:
    return _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def _find(text: str, at: int, tree: Any, spans: list[tuple[int, int, Any]]) -> int:
    """Collect the spans of the edits in the value that begins at a place; return where it ends."""
    if isinstance(tree, _Leaf):
        end: int = _skip(text, at)[1]
        spans.append((at, end, tree.value))
        return end
    if text[at] not in "{[":  # of keys that are alike, an earlier one, which need not be of the same shape
        return int(_skip(text, at)[1])
    is_object, number = text[at] == "{", 0
    found: dict[str | int, list[tuple[int, int, Any]]] = {}
    at = _space(text, at + 1)
    while text[at] not in "}]":
        key: str | int = number
        if is_object:
            key, at = scanstring(text, at + 1)
            at = _space(text, _space(text, at) + 1)  # over the colon
        if key in tree:
            found[key] = []  # the last of several that are alike
            at = _find(text, at, tree[key], found[key])
        else:
            at = _skip(text, at)[1]
        at = _space(text, at)
        if text[at] == ",":
            at = _space(text, at + 1)
        number += 1
    spans += [span for part in found.values() for span in part]
    return at + 1
