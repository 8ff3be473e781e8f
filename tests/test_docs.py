"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from pixtrim.cli import main
from pixtrim.gateway.ledger import Entry, Ledger


@pytest.fixture(scope="module")
def generate(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", repository / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "docs"))  # as when it is run, for tables.py
        spec.loader.exec_module(module)
    return module


GENERATED = (
    "docs/cli.md",
    "docs/models.md",
    "docs/openapi.json",
    "docs/results.md",
    "docs/carving.md",
    "docs/transformers.md",
    "docs/vllm.md",
    "docs/gateway.md",
    "README.md",
)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_current(repository: Path, generate: ModuleType, name: str) -> None:
    assert generate.pages().keys() == set(GENERATED)
    text = (repository / name).read_text(encoding="utf-8")
    assert text == generate.pages()[name], "run python docs/generate.py"


@pytest.fixture
def fields(repository: Path) -> dict[str, dict[str, str]]:
    """The types of the fields that docs/json.md describes, by section."""
    text = (repository / "docs" / "json.md").read_text(encoding="utf-8")
    sections: dict[str, dict[str, str]] = {}
    for section in text.split("\n## ")[1:]:
        title = section.splitlines()[0].removeprefix("pixtrim ")
        rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", section, re.MULTILINE)
        sections[title] = {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
    return sections


TYPES = {
    "int": int,
    "number": (int, float),
    "string": str,
    "bool": bool,
    "object": dict,
    "array of strings": list,
    "array of ints": list,
    "array of arrays": list,
    "array of objects": list,
    "null": type(None),
}


def complaints(record: dict[str, Any], kinds: dict[str, str]) -> list[str]:
    """Say where an object differs from its description."""
    found = [f"{name} is not described" for name in record.keys() - kinds.keys()]
    found += [f"{name} is missing" for name in kinds.keys() - record.keys()]
    for name in record.keys() & kinds.keys():
        allowed = [TYPES[kind] for kind in kinds[name].split(" or ")]
        value = record[name]
        if not any(isinstance(value, kind) for kind in allowed) or (isinstance(value, bool) and bool not in allowed):
            found.append(f"{name} is {value!r}, not {kinds[name]}")
    return found


def record_usage(path: Path) -> None:
    """Write a ledger of two requests, of which one knows next to nothing."""
    ledger = Ledger.open(str(path))
    known = {"route": "openai", "wire_format": "openai-chat", "model": "gpt-5.5", "key_label": "ci", "status": 200}
    counts = {"images": 1, "changed": 1, "tokens_before": 90, "tokens_after": 40, "seconds": 1.5, "added_seconds": 0.1}
    billed = {"billed_input": 60, "billed_output": 9, "billed_cached": 5}
    ledger.record(Entry(at=datetime.now(UTC), **known, **counts, **billed))
    known |= dict.fromkeys(("wire_format", "model", "key_label"))
    ledger.record(Entry(at=datetime.now(UTC), **known, **counts, **dict.fromkeys(billed)))
    ledger.close()


def test_the_json_is_as_documented(
    fields: dict[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (900, 700), "white").save("a.png")

    def records(*words: str) -> list[dict[str, Any]]:
        main([*words, "--json"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    shrunk = ("-m", "gpt-5.5", "-m", "qwen3-vl", "a.png")
    found = {
        "Failures": [records(command, "-m", "gpt-5.5", "gone.png")[0] for command in ("shrink", "tokens", "inspect")]
        + [records("prune", "gone.png")[0]],
        "shrink": [
            *records("shrink", "a.png", "-m", "gpt-5.5", "-b", "50%", "--map", "--preview"),
            *records("shrink", "a.png", "-m", "qwen3-vl", "-o", "b.png"),
            *records("shrink", "a.png", "-m", "gpt-5.5", "-b", "50%", "--operator", "warp", "-o", "w.png"),
        ],
        "importance": [
            *records("importance", "a.png", "--array"),
            *records("importance", "a.png", "--faded", "50%", "-o", "f.png"),
        ],
        "prune": [
            *records("prune", "a.png", "--indices", "--preview", "-o", "plans"),
            *records("prune", "a.png", "--reference", "b.png", "--metric", "mae", "-t", "2", "--overwrite"),
        ],
        "tokens": [*records("tokens", *shrunk), *records("tokens", "-m", "gpt-4o", "--size", "5x5")],
        "models": records("models"),
        "inspect": records("inspect", *shrunk),
        "evaluate": records("evaluate", "a.png", "-m", "gpt-5.5", "-b", "50%", "--metric", "kept-ratio", "-q"),
    }
    record_usage(tmp_path / "usage.db")
    found["ledger"] = [
        record for by in ("day", "model", "key") for record in records("ledger", "--url", "usage.db", "--by", by)
    ]
    found["evaluate: records"] = found["evaluate"][0]["records"]
    found["evaluate: summaries"] = found["evaluate"][0]["summaries"]
    assert found.keys() == fields.keys()
    for section, objects in found.items():
        assert objects
        for record in objects:
            assert complaints(record, fields[section]) == []
    inner = fields["tokens"].keys() - {"schema", "input", "requested_model"} | {"advice"}
    assert all(model.keys() == inner for record in found["inspect"] for model in record["models"])


def test_the_comparison_finds_differences() -> None:
    kinds = {"a": "int", "b": "string or null", "c": "bool"}
    assert complaints({"a": 1, "b": None, "c": True}, kinds) == []
    assert len(complaints({"a": True, "b": 1, "d": 1}, kinds)) == 4
