"""Intervals that hold what they say, by simulation, and verdicts that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixtrim import UsageError
from pixtrim.evaluation import statistics
from pixtrim.evaluation.records import Record, Run, Summary
from pixtrim.evaluation.statistics import ENOUGH, interval, summarise

Draw = Callable[[np.random.Generator, int, int], NDArray[np.float64]]

SIMULATIONS = 1500


def covered(draw: Draw, count: int, truth: float, groups: Sequence[int] | None = None) -> float:
    """Return in which share of simulated data sets of `count` values the interval holds the true mean."""
    values = draw(np.random.default_rng(count), count, SIMULATIONS)
    found = np.array(statistics._intervals(values, groups or list(range(count)), 4000))
    return float(((found[:, 1] <= truth) & (truth <= found[:, 2])).mean())


def normal(generator: np.random.Generator, count: int, times: int) -> NDArray[np.float64]:
    return generator.normal(0.3, 2, (count, times))


def sparse(generator: np.random.Generator, count: int, times: int) -> NDArray[np.float64]:
    """Most pictures are left to the plain resize: the difference is zero."""
    return generator.normal(0, 1, (count, times)) * (generator.random((count, times)) < 0.5)


def agreement(generator: np.random.Generator, count: int, times: int) -> NDArray[np.float64]:
    """Labels that are right or wrong, before and after."""
    return generator.choice([-1.0, 0.0, 1.0], (count, times), p=[0.1, 0.8, 0.1])


@pytest.mark.parametrize("count", [5, 8, 12, 20, 50])
@pytest.mark.parametrize(("draw", "truth", "least"), [(normal, 0.3, 0.90), (sparse, 0.0, 0.90), (agreement, 0.0, 0.94)])
def test_95_percent_of_the_intervals_hold_the_truth(draw: Draw, truth: float, least: float, count: int) -> None:
    assert covered(draw, count, truth) >= least
    if draw is normal:
        assert covered(draw, count, truth) <= 0.98


@pytest.mark.parametrize("count", [8, 20])
def test_the_pictures_of_a_group_are_no_independent_witnesses(count: int) -> None:
    groups = [group for group in range(count) for _ in range(1 + group % 5)]

    def draw(generator: np.random.Generator, count: int, times: int) -> NDArray[np.float64]:
        whole = generator.normal(0, 1, (count, times))
        return whole[groups] + generator.normal(0, 0.3, (len(groups), times))

    assert covered(draw, count, 0.0, groups) >= 0.90
    assert covered(draw, count, 0.0, list(range(len(groups)))) <= 0.82  # what is wrong with taking them for such


def test_plain_percentiles_are_too_narrow_for_few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_tail", lambda count: 0.025)
    assert covered(normal, 5, 0.3) < 0.87
    assert covered(normal, 50, 0.3) > 0.92


@pytest.mark.parametrize("count", [5, 8, 20])
def test_where_nothing_differs_verdicts_are_rare(count: int) -> None:
    assert 1 - covered(sparse, count, 0.0) <= 0.1
    assert 1 - covered(agreement, count, 0.0) <= 0.06


@pytest.mark.parametrize(
    ("share", "degrees", "quantile"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 4, 2.7764),
        (0.975, 30, 2.0423),
        (0.975, 999, 1.9623),
        (0.9, 7, 1.4149),
    ],
)
def test_students_quantiles_are_those_of_the_tables(share: float, degrees: int, quantile: float) -> None:
    assert statistics._student(share, degrees) == pytest.approx(quantile, abs=1e-4)


# --- intervals -----------------------------------------------------------------------------------------------------


def test_an_interval_is_around_the_mean_and_the_same_each_time() -> None:
    values = np.random.default_rng(3).normal(5, 1, 60)
    mean, low, high = interval(values)
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 2.0010 * values.std(ddof=1) / math.sqrt(60), rel=0.05)  # Student's
    assert interval(values) == (mean, low, high)
    statistics._weights.cache_clear()
    assert interval(values) == (mean, low, high)
    assert interval(values + 1) == pytest.approx((mean + 1, low + 1, high + 1))


def test_many_groups_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).normal(0, 1, 50)
    whole = interval(values)
    monkeypatch.setattr(statistics, "_MOST", 50 * 999)
    statistics._weights.cache_clear()
    assert interval(values) == pytest.approx(whole, abs=0.02)
    statistics._weights.cache_clear()


def test_copies_of_a_group_make_no_interval_narrower() -> None:
    values = [0.1, 0.5, 0.2, 0.9, 0.4, 0.3]
    assert interval(np.repeat(values, 7), np.repeat(list("abcdef"), 7).tolist()) == pytest.approx(interval(values))


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert interval([0.25] * 6) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("values", "settings"),
    [([], {}), ([math.nan, 1], {}), ([1, 2], {"groups": ["a"]}), ([1, 2], {"resamples": 10})],
)
def test_what_has_no_interval_is_refused(values: list[float], settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        interval(values, **settings)


# --- verdicts ------------------------------------------------------------------------------------------------------


def record(number: int, score: float | None, baseline: float | None, **other: Any) -> Record:
    name = f"p{number}"
    made = Record(name, "page", name, "", "fold", "50%", 200, 100, 100, "m", score, 99, baseline, 0.1)
    return replace(made, **other)


def summaries(records: Sequence[Record], higher: bool = True, **settings: Any) -> list[Summary]:
    budgets, reducers, measures = ("25%", "50%"), ("resize", "fold"), ("m", "n")
    run = Run("gpt-5.5", budgets, reducers, measures, "toys", list(records), lower_is_better=[] if higher else ["m"])
    return summarise(run, **settings)


def pairs(count: int, difference: float, **other: Any) -> list[Record]:
    noise = np.random.default_rng(7).normal(0, 0.01, count)
    return [record(n, 0.5 + difference + noise[n], 0.5, **other) for n in range(count)]


def test_a_difference_that_is_clear_gets_a_verdict_and_its_sign_says_who_is_better() -> None:
    (better,), (worse,) = summaries(pairs(12, 0.2)), summaries(pairs(12, 0.2), higher=False)
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.difference == pytest.approx(-worse.difference)
    assert better.difference_low == pytest.approx(-worse.difference_high, abs=1e-3)
    assert better.difference_low < better.difference < better.difference_high
    assert (better.mean, better.baseline_mean) == (worse.mean, worse.baseline_mean)
    assert better.difference == pytest.approx(better.mean - better.baseline_mean)
    assert (better.pictures, better.tokens) == (12, 100)
    assert better.low < better.mean < better.high


def test_a_measure_that_describes_gets_figures_and_no_verdict() -> None:
    run = Run("gpt-5.5", ("50%",), ("resize", "fold"), ("m",), "toys", pairs(12, -0.2))
    (judged,) = summarise(run)
    run.describing = ["m"]
    (described,) = summarise(run)
    assert judged.verdict == "worse"
    assert described == replace(judged, verdict="")
    run.lower_is_better = ["m"]  # no side is the better one, so that the sign is as it falls
    assert summarise(run) == [described]


def test_there_is_no_verdict_where_the_interval_holds_zero_or_groups_are_few() -> None:
    (unclear,) = summaries(pairs(12, 0.001))
    assert unclear.difference_low < 0 < unclear.difference_high
    assert unclear.verdict == ""
    assert summaries(pairs(ENOUGH - 1, 0.2))[0].verdict == ""
    assert summaries(pairs(ENOUGH, 0.2))[0].verdict == "better"
    together = [replace(one, group=f"g{number % 4}") for number, one in enumerate(pairs(12, 0.2))]
    assert summaries(together)[0].verdict == ""
    assert (summaries(together)[0].pictures, summaries(together)[0].groups) == (12, 4)
    (alone,) = summaries([replace(one, group="g") for one in pairs(12, 0.2)])
    assert alone.verdict == ""
    assert math.isnan(alone.difference_low)


def test_equal_pictures_are_neither_better_nor_worse() -> None:
    (equal,) = summaries([record(n, n / 7, n / 7) for n in range(30)])
    assert (equal.difference, equal.difference_low, equal.difference_high, equal.verdict) == (0, 0, 0, "")


def test_the_cost_of_both_sides_is_told() -> None:
    (row,) = summaries([replace(one, baseline_tokens=90 + 2 * number) for number, one in enumerate(pairs(6, 0.1))])
    assert (row.tokens, row.baseline_tokens) == (100, 95)


def test_the_baseline_is_not_compared_with_itself() -> None:
    (row,) = summaries(pairs(12, 0.2, reducer="resize"))
    assert row.verdict == ""


def test_only_pairs_of_scores_count() -> None:
    records = [*pairs(6, 0.1), record(10, None, 0.1), record(11, 0.9, None), record(12, None, None, measure="n")]
    (row,) = summaries(records)
    assert row.pictures == 6
    assert row.baseline_mean == pytest.approx(0.5)


def test_rows_stand_in_the_order_of_the_run_and_do_not_depend_on_one_another() -> None:
    records = [
        *pairs(6, 0.2, measure="n"),
        *pairs(7, 0.1, kind="photo", budget="25%"),
        *pairs(6, 0.1, reducer="resize"),
        *pairs(6, 0.3),
        *pairs(6, 0.1, budget="25%"),
    ]
    rows = summaries(records)
    assert [(row.kind, row.measure, row.budget, row.reducer) for row in rows] == [
        ("page", "m", "25%", "fold"),
        ("page", "m", "50%", "resize"),
        ("page", "m", "50%", "fold"),
        ("page", "n", "50%", "fold"),
        ("photo", "m", "25%", "fold"),
    ]
    assert summaries(records[-6:]) == [rows[0]]
