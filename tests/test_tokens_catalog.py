"""The catalogue: complete, consistent, and found by the names that people type, never by a similar one."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixtrim.tokens.catalog
from pixtrim.errors import UnknownModelError
from pixtrim.tokens import GridSpec, models, resolve
from pixtrim.tokens.catalog import key

CATALOG: dict[str, Any] = tomllib.loads(
    Path(pixtrim.tokens.catalog.__file__).with_name("catalog.toml").read_text(encoding="utf-8")
)
NAMES = [rule.name for rule in models()]


@pytest.mark.parametrize("rule", models(), ids=NAMES)
def test_every_rule_says_where_it_comes_from(rule: pixtrim.tokens.Rule) -> None:
    assert rule.mark in ("D", "S", "M", "I")
    assert re.fullmatch(r"https://[a-z0-9.-]+/\S+", rule.source)
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])(-[0-3]\d)?", rule.read)
    assert rule.provider
    assert rule.note == rule.note.strip()
    assert (rule.default_detail in rule.details) if rule.details else (rule.default_detail is None)


def test_grids_suit_the_arithmetic() -> None:
    for rule in models():
        assert rule.grid is None or rule.open_weights  # nobody drops tokens in a model that another runs
        if rule.grid is not None:
            assert rule.kind == "smart_resize"
            assert rule.cell() == rule.grid.patch_size * rule.grid.spatial_merge_size
            assert rule.grid.order in ("merged", "raster")
        assert (rule.grid is not None) == (rule.kind == "smart_resize" and rule.open_weights)


def test_grids_of_models() -> None:
    assert resolve("Qwen/Qwen2.5-VL-3B-Instruct").grid == GridSpec(14, 2, 2, "merged")
    assert resolve("Qwen/Qwen3-VL-30B-A3B-Instruct").grid == GridSpec(16, 2, 2, "merged")
    assert resolve("zai-org/GLM-4.5V").grid == GridSpec(14, 2, 2, "merged")
    assert resolve("PaddlePaddle/PaddleOCR-VL").grid == GridSpec(14, 2, 1, "raster")
    assert resolve("gpt-4o").grid is None


def test_names_are_unique() -> None:
    spelled = Counter(key(name) for rule in models() for name in (rule.name, *rule.aliases))
    assert [name for name, times in spelled.items() if times > 1] == []


def test_every_alias_means_a_model_of_its_family() -> None:
    for family in CATALOG["family"]:
        assert set(family.get("aliases", {}).values()) <= set(family["models"])
        assert set(family.get("each", {})) <= set(family["models"])


def test_names_resolve_to_themselves() -> None:
    for rule in models():
        for name in (rule.name, *rule.aliases):
            assert resolve(name) is rule


def test_hosts_are_spelled_as_they_are_compared() -> None:
    for names in CATALOG["names"].values():
        assert names == [name.lower().replace("_", "-") for name in names]


def test_order_is_that_of_the_file() -> None:
    assert [name for family in CATALOG["family"] for name in family["models"]] == NAMES
    models().clear()  # the caller's own list
    assert [rule.name for rule in models()] == NAMES


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("GPT-5.5", "gpt-5.5"),
        ("gpt-5", "gpt-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5.2-2025-12-11", "gpt-5.2"),
        ("gpt-5-chat-latest", "gpt-5"),
        ("gpt-5.6-sol", "gpt-5.6-sol"),
        ("openai/gpt-6-astra", "gpt-6-astra"),
        ("openrouter/openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o:extended", "gpt-4o"),
        ("azure/gpt-4.1", "gpt-4.1"),
        ("claude-opus-4-7@20260301", "claude-opus-4-7"),
        ("claude-opus-4-7[1m]", "claude-opus-4-7"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"),
        ("anthropic/claude-3.7-sonnet:thinking", "claude-3-7-sonnet"),
        ("anthropic/claude-opus-4.7", "claude-opus-4-7"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("bedrock/eu.anthropic.claude-opus-4-7", "claude-opus-4-7"),
        ("vertex_ai/claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("publishers/anthropic/models/claude-opus-4-7", "claude-opus-4-7"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("google/gemini-3-pro-preview", "gemini-3-pro"),
        ("gemini-2.5-flash-lite-preview-06-17", "gemini-2.5-flash-lite"),
        ("gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"),
        ("gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl"),
        ("Qwen/Qwen2.5-VL-72B-Instruct-AWQ", "qwen2.5-vl"),
        ("Qwen/Qwen2-VL-2B-Instruct-GPTQ-Int4", "qwen2-vl"),
        ("Qwen/Qwen3-VL-235B-A22B-Thinking-FP8", "qwen3-vl"),
        ("qwen.qwen3-vl-235b-a22b", "qwen3-vl"),
        ("Qwen/Qwen3.5-397B-A17B", "qwen3.5"),
        ("qwen3-5-27b", "qwen3.5"),
        ("qwen2.5vl:7b", "qwen2.5-vl"),
        ("qwen2.5vl:7b-q4_K_M", "qwen2.5-vl"),
        ("qwen2.5vl:latest", "qwen2.5-vl"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen3-vl"),
        ("Qwen/Qwen3.5-35B-A3B-Base", "qwen3.5"),
        ("zai-org/GLM-4.1V-9B-Thinking", "glm-4.1v"),
        ("THUDM/GLM-4.1V-9B-Base", "glm-4.1v"),
        ("zai-org/GLM-4.5V-FP8", "glm-4.5v"),
        ("openrouter/z-ai/glm-4.5v", "glm-4.5v"),
        ("GLM-4.5V", "glm-4.5v"),
        ("ZhipuAI/GLM-4.6V", "glm-4.6v"),
        ("zai-org/GLM-4.6V-Flash", "glm-4.6v-flash"),
        ("mlx-community/GLM-4.6V-Flash-4bit", "glm-4.6v-flash"),
        ("zai-org/GLM-OCR", "glm-ocr"),
        ("glm-ocr:latest", "glm-ocr"),
        ("PaddlePaddle/PaddleOCR-VL", "paddleocr-vl"),
        ("PaddleOCR-VL-0.9B", "paddleocr-vl"),
        ("PaddlePaddle/PaddleOCR-VL-1.5", "paddleocr-vl-1.5"),
        ("mistralai/Pixtral-12B-2409", "pixtral-12b"),
        ("pixtral-large-latest", "pixtral-large"),
        ("mistral.pixtral-large-2502-v1:0", "pixtral-large"),
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", "mistral-small-3.1"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4-scout"),
        ("us.meta.llama4-maverick-17b-instruct-v1:0", "llama-4-maverick"),
        ("x-ai/grok-4", "grok-4"),
        ("grok-4-0709", "grok-4"),
        ("us.amazon.nova-pro-v1:0", "nova-pro"),
        ("amazon.nova-2-lite-v1:0", "nova-2-lite"),
        ("  claude-opus-4-7 ", "claude-opus-4-7"),
        ("Claude Opus 4.7", "claude-opus-4-7"),
        ("claude_opus_4_7", "claude-opus-4-7"),
    ],
)
def test_typed_names(typed: str, name: str) -> None:
    assert resolve(typed).name == name
    assert resolve(resolve(typed).name) is resolve(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "gpt-5.5-foo",
        "gpt-5.5-pro",
        "gpt-5.5-7b",
        "gpt-5.5-instruct",
        "gpt-5.55",
        "gpt-4",
        "gpt-4-1106-preview",
        "gpt-4o-audio-preview",
        "gpt-4.1-mini-mini",
        "gpt",
        "claude",
        "claude-opus-4-9",
        "claude-opus-4-75",
        "claude-opus",
        "gemini-2.5-flash-image",
        "gemini-4-pro",
        "qwen2.5-7b-instruct",
        "qwen2.5-vl-foo",
        "qwen3-vl-plus",
        "glm-4.5",
        "glm-4.6v-flashx",
        "glm-4v-9b",
        "paddleocr",
        "paddleocr-vl-1.6",
        "mistral-small-2402",
        "llama-3.2-11b-vision",
        "evil/gpt-4o",
        "openai//gpt-4o",
        "gpt-4o/",
        "/gpt-4o",
        "us.gpt.gpt-4o",
        "nova",
    ],
)
def test_similar_names_are_not_enough(typed: str) -> None:
    with pytest.raises(UnknownModelError, match="'pixtrim models' lists all"):
        resolve(typed)


@pytest.mark.parametrize("typed", ["o1-preview", "o1-preview-2024-09-12", "o3-mini", "amazon.nova-micro-v1:0"])
def test_models_without_eyes(typed: str) -> None:
    with pytest.raises(UnknownModelError, match="takes no images"):
        resolve(typed)


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("gpt-5.5-foo", "gpt-5.5"),
        ("claud-opus-4-7", "claude-opus-4-7"),
        ("openrouter/anthropic/claude-sonet-4-5", "claude-sonnet-4-5"),
        ("gemini-3-pr0", "gemini-3-pro"),
        ("qwen3-vl-plus", "qwen3-vl"),
    ],
)
def test_nearest_names_are_suggested(typed: str, near: str) -> None:
    with pytest.raises(UnknownModelError, match=f"the nearest are .*{re.escape(near)}"):
        resolve(typed)


HOSTILE = [
    "",
    " ",
    "/",
    ".",
    "-",
    "../../etc/passwd",
    "models/../gpt-4o",
    "gpt-4o\x00",
    "gpt-4o\n",
    "gpt-4o\u200b",
    "\uff47\uff50\uff54-4o",
    "gro\u212a-4",  # the Kelvin sign, which lowers to k
    "claude-opus-4-7" * 1000,
    "models/" * 5000 + "gpt-4o",
    "gpt-4o" + ":latest" * 5000,
    "a" * 10_000,
    "-" * 200,
    "%s%n{0}",
    None,
    17,
    b"gpt-4o",
    ["gpt-4o"],
]


@pytest.mark.parametrize("typed", HOSTILE, ids=lambda typed: repr(typed)[:20])
def test_hostile_names(typed: object) -> None:
    with pytest.raises(UnknownModelError) as caught:
        resolve(typed)  # type: ignore[arg-type]
    message = str(caught.value)
    assert len(message) < 250
    assert message.isprintable()


@given(st.text(max_size=300))
def test_any_text_resolves_or_is_unknown(text: str) -> None:
    message = None
    try:
        rule = resolve(text)
    except UnknownModelError as error:
        message = str(error)
    if message is None:
        assert resolve(rule.name) is rule
    else:
        assert len(message.splitlines()) == 1


@given(
    st.sampled_from(models()),
    st.lists(st.sampled_from(["openai/", "openrouter/", "models/", "google/", "us.anthropic."]), max_size=3),
    st.lists(st.sampled_from(["-2026-03-01", "@20260301", "-v1:0", ":latest", "-preview", "-latest"]), max_size=3),
    st.booleans(),
)
def test_what_is_added_does_not_change_the_model(
    rule: pixtrim.tokens.Rule, before: list[str], after: list[str], upper: bool
) -> None:
    hosts = [part for part in before if part.endswith("/")] + [part for part in before if part.endswith(".")][:1]
    typed = "".join(hosts) + rule.name + "".join(after)
    assert resolve(typed.upper() if upper else typed) is rule


@given(st.sampled_from(NAMES), st.text("abcxyz", min_size=1, max_size=5))
def test_other_suffixes_do(name: str, suffix: str) -> None:
    if suffix in ("b", "x") or key(f"{name}-{suffix}") in map(key, NAMES):
        return
    with pytest.raises(UnknownModelError):
        resolve(f"{name}-{suffix}")


def test_import_is_lazy() -> None:
    code = "import sys, pixtrim.tokens; print(*{'tomllib', 'difflib'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
