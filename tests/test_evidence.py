"""What the committed results of the evaluation say: the claims of the documentation rest on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pixtrim.evaluation.statistics import ENOUGH

PHOTOS = "evaluate-photos"
RUNS = ("evaluate", "evaluate-screens", "evaluate-published", PHOTOS)
SOURCES = ("gradient", "text", "saliency", "both", "attention")
WORSE_BY_CHANCE = 0.025
"""The share of comparisons that come out worse, with 95% intervals, where nothing differs."""
SMALL = 0.03
HOUR = 3600


@pytest.fixture(params=RUNS)
def saved(request: pytest.FixtureRequest, repository: Path) -> dict[str, Any]:
    text = (repository / "benchmarks" / "results" / f"{request.param}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_nothing_went_wrong(saved: dict[str, Any]) -> None:
    """The checks take one in a thousand of strong warps and carves for a fault: none of what pixtrim does by itself."""
    assert saved["errors"] == []
    reductions = sum(saved["pictures"].values()) * len(saved["operators"]) * len(saved["budgets"])
    guided = [fault for fault in saved["faults"] if any(f": {step}-" in fault for step in ("warp", "carve"))]
    assert guided == saved["faults"]
    assert len(guided) <= reductions / 1000


def test_a_full_run_took_less_than_an_hour(repository: Path) -> None:
    text = (repository / "benchmarks" / "results" / "evaluate-time.json").read_text(encoding="utf-8")
    seconds = {row["run"]: row["seconds"] for row in json.loads(text)["figures"]}
    assert set(seconds) == set(RUNS) - {PHOTOS}
    assert sum(seconds.values()) < HOUR


def test_all_operators_were_evaluated_at_all_budgets_on_all_kinds(saved: dict[str, Any]) -> None:
    guided = {f"{operator}-{source}" for operator in ("warp", "carve") for source in SOURCES}
    assert {"resize", "auto"} < set(saved["operators"])
    assert "fold" in saved["operators"] or guided <= set(saved["operators"])
    rows = {(row["kind"], row["reducer"], row["budget"]) for row in saved["figures"]}
    for kind in saved["pictures"]:
        for operator in saved["operators"]:
            assert {(kind, operator, budget) for budget in saved["budgets"]} <= rows


def test_rows_say_how_many_pictures_there_are_and_are_at_equal_tokens(saved: dict[str, Any]) -> None:
    for row in saved["figures"]:
        assert 1 <= row["groups"] <= row["pictures"] <= saved["pictures"][row["kind"]]
        assert row["baseline_tokens"] <= row["tokens"]
        assert row["baseline_tokens"] >= 0.9 * row["tokens"]  # tokens come in rows and columns
        judged = row["verdict"] != ""
        assert not judged or row["groups"] >= ENOUGH
        assert not judged or row["difference_low"] > 0 or row["difference_high"] < 0


def test_auto_is_not_below_a_plain_resize_beyond_chance(saved: dict[str, Any]) -> None:
    auto = [row for row in saved["figures"] if row["reducer"] == "auto" and row["measure"] not in saved["describing"]]
    judged = [row for row in auto if row["groups"] >= ENOUGH]
    worse = [row for row in judged if row["verdict"] == "worse"]
    assert len(worse) <= WORSE_BY_CHANCE * len(judged)
    assert all(row["difference"] > -SMALL for row in worse)


@pytest.fixture
def photos(repository: Path) -> dict[tuple[str, str, str, str], Any]:
    saved = json.loads((repository / "benchmarks" / "results" / f"{PHOTOS}.json").read_text(encoding="utf-8"))
    return {tuple(row[key] for key in ("kind", "measure", "reducer", "budget")): row for row in saved["figures"]}


def test_auto_is_never_below_a_plain_resize_of_photos(photos: dict[tuple[str, str, str, str], Any]) -> None:
    """No verdict at all, not even one that chance explains: what `pixtrim.pipeline.policy` promises."""
    auto = [row for (_, _, reducer, _), row in photos.items() if reducer == "auto"]
    assert len(auto) >= 15
    assert [row for row in auto if row["verdict"] == "worse"] == []


def test_auto_reads_words_in_scenes_better_where_it_warps(photos: dict[tuple[str, str, str, str], Any]) -> None:
    rows = [photos["scene text", "word-recall-tesseract", "auto", budget] for budget in ("50%", "30%")]
    assert all(row["difference"] > 0.05 for row in rows)
    assert rows[1]["verdict"] == "better"


def test_objects_are_shown_larger_by_the_saliency_model(photos: dict[tuple[str, str, str, str], Any]) -> None:
    for operator in ("warp-saliency", "carve-saliency"):
        for budget in ("50%", "30%"):
            assert photos["photo", "saliency-scale", operator, budget]["verdict"] == "better"
