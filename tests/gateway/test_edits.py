"""Edits by path: on text they do what they do on values, and change nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import at

from pixtrim.gateway.edits import Edit, Path, applied, spliced

# --- documents, written in every way that JSON allows ----------------------------------------------------------------

BLANKS = st.text(" \t\n\r", max_size=3)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.sampled_from(["0", "-0", "1e5", "1E+5", "2.00", "-1.50e-3", "NaN", "Infinity", "-Infinity", "9" * 400]),
)
LETTERS = st.characters(exclude_categories=["Cs"])
KEYS = st.one_of(st.sampled_from(["a", "b", "a/b", "", "é", "data"]), st.text(LETTERS, max_size=4))


@st.composite
def written(draw: st.DrawFn, text: str) -> str:
    """Write a string as JSON, with escapes that need not be."""
    parts = []
    for letter in text:
        ways = [json.dumps(letter, ensure_ascii=False)[1:-1], json.dumps(letter)[1:-1]]
        if ord(letter) < 0x10000:
            ways.append(f"\\u{ord(letter):04x}")
        if letter == "/":
            ways.append("\\/")
        parts.append(draw(st.sampled_from(ways)))
    return '"' + "".join(parts) + '"'


STRINGS = st.one_of(
    st.text(LETTERS, max_size=8).flatmap(written),
    st.sampled_from(['"\\ud800"', '"\\udc00\\ud800"', '"}]"', '"\\\\\\""', '"{\\"a\\": [1, 2]}"']),
)
SCALARS = st.one_of(NUMBERS, STRINGS, st.sampled_from(["true", "false", "null"]))


@st.composite
def spaced(draw: st.DrawFn, text: str) -> str:
    return draw(BLANKS) + text + draw(BLANKS)


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    values = draw(st.lists(inner.flatmap(spaced), max_size=4))
    return "[" + (",".join(values) or draw(BLANKS)) + "]"


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """Write an object, in which keys may be alike."""
    pairs = draw(st.lists(st.tuples(KEYS.flatmap(written).flatmap(spaced), inner.flatmap(spaced)), max_size=4))
    return "{" + (",".join(f"{key}:{value}" for key, value in pairs) or draw(BLANKS)) + "}"


DOCUMENTS = st.recursive(SCALARS, lambda inner: st.one_of(lists(inner), objects(inner)), max_leaves=20).flatmap(spaced)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


def paths(value: Any, path: Path = ()) -> list[Path]:
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += paths(inner, (*path, step))
    return found


def apart(chosen: list[Path]) -> list[Path]:
    """Leave out the paths into values that are replaced themselves."""
    return [path for path in chosen if not any(path[:length] in chosen for length in range(1, len(path)))]


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    text = draw(DOCUMENTS)
    there = paths(json.loads(text))
    chosen = draw(st.lists(st.sampled_from(there), unique=True, max_size=4)) if there else []
    return text, [Edit(path, draw(VALUES)) for path in apart(chosen)]


# --- properties ------------------------------------------------------------------------------------------------------


def same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)  # NaN is not equal to itself


@given(edited())
def test_text_and_values_are_edited_alike(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    assert same(json.loads(spliced(text, edits)), applied(json.loads(text), edits))


@given(edited())
def test_everything_else_keeps_its_bytes(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    marks = [f"<<mark {number}>>" for number in range(len(edits))]
    if any(mark in text for mark in marks):
        return
    result = spliced(text, [Edit(edit.path, mark) for edit, mark in zip(edits, marks, strict=True)])
    done, rest = 0, result
    for mark in sorted(marks, key=result.index):
        before, rest = rest.split(f'"{mark}"', 1)
        assert text.startswith(before, done)
        value, done = json.JSONDecoder().raw_decode(text, done + len(before))
        assert same(value, at(json.loads(text), edits[marks.index(mark)].path))
    assert text[done:] == rest


@given(edited())
def test_what_was_given_is_left_as_it_is(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    value = json.loads(text)
    applied(value, edits)
    assert same(value, json.loads(text))


@given(DOCUMENTS)
def test_without_edits_nothing_changes(text: str) -> None:
    assert spliced(text, []) == text


def test_what_is_not_edited_is_shared() -> None:
    body = {"a": [{"b": 1}], "c": {"d": [2]}}
    result = applied(body, [Edit(("a", 0, "b"), 3)])
    assert result == {"a": [{"b": 3}], "c": {"d": [2]}}
    assert result["c"] is body["c"]


# --- single cases ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{"a":1,"a":2}', ("a",), '{"a":1,"a":0}'),
        ('{"a":5,"a":{"b":1}}', ("a", "b"), '{"a":5,"a":{"b":0}}'),
        ('{"a":"b","a":[1]}', ("a", 0), '{"a":"b","a":[0]}'),
        ('{"a":null , "\\u0061":[[1]]}', ("a", 0, 0), '{"a":null , "\\u0061":[[0]]}'),
        ('{"a":{"b":1},"a":[7,8]}', ("a", 1), '{"a":{"b":1},"a":[7,0]}'),
        ('{"a":[7,8],"a":{"b":1}}', ("a", "b"), '{"a":[7,8],"a":{"b":0}}'),
        ('{"a":{"b":1,"b":2},"a":{"b":3,"c":4}}', ("a", "b"), '{"a":{"b":1,"b":2},"a":{"b":0,"c":4}}'),
        ('{"x\\/y":1}', ("x/y",), '{"x\\/y":0}'),
        ('{"0":1}', ("0",), '{"0":0}'),
        ("[[],{},[ ],{ },3]", (4,), "[[],{},[ ],{ },0]"),
        (' \n[ 1 , "}" , 2 ]\t', (2,), ' \n[ 1 , "}" , 0 ]\t'),
    ],
)
def test_odd_documents(text: str, path: Path, expected: str) -> None:
    assert spliced(text, [Edit(path, 0)]) == expected


def test_half_a_surrogate_can_be_put_in_place() -> None:
    value = json.loads('"\\ud800"')
    assert spliced("[1]", [Edit((0,), value)]).encode() == b'["\\ud800"]'
