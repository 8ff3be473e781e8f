"""From tokens back to a size: within the budget, as large as can be, and never scaled by the model again."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pixtrim.errors import UsageError
from pixtrim.tokens import Rule, fit_size, largest_size, models, parse_budget, resolve
from pixtrim.tokens.budget import BudgetError

RULES = [(rule, detail) for rule in models() for detail in rule.details or (None,)]
# One of each kind of formula: the others differ by numbers only.
KINDS = list(
    {
        (type(formula := rule.formula(detail)), rule.kind, getattr(formula, "small", None)): (rule, detail)
        for rule, detail in RULES
    }.values()
)
rules = st.sampled_from(RULES)
sides = st.one_of(st.integers(1, 400), st.integers(1, 5000))
budgets = st.one_of(st.integers(1, 300), st.integers(1, 12_000))


def shaped(width: int, height: int, long: int) -> tuple[int, int]:
    """The definition: the longer side given, the shorter rounded half to even, exactly."""
    if width >= height:
        return long, max(1, round(Fraction(long * height, width)))
    return max(1, round(Fraction(long * width, height))), long


def sizes(case: tuple[Rule, str | None], width: int, height: int) -> list[tuple[int, int]]:
    """The sizes that may be sent: none that the model scales down, or enlarges in another shape than the picture's."""
    formula = case[0].formula(case[1])
    whole = [shaped(width, height, long) for long in range(1, max(width, height) + 1)]
    whole = whole[: next(n for n in range(len(whole), 0, -1) if not formula.scales_down(*whole[n - 1]))]
    return [
        size
        for size in whole
        if not formula.scales_down(*size)
        and (
            size == whole[-1]
            or not formula.enlarges(*size)
            or (Fraction(*size) == Fraction(width, height) and min(size) >= formula.cell)
        )
    ]


def inverse(
    rule: Rule, width: int, height: int, budget: int, detail: str | None, stretch: float = 0.0
) -> tuple[int, int] | None:
    try:
        return largest_size(rule, width, height, budget, detail, stretch)
    except UsageError:
        return None


@pytest.mark.parametrize(
    ("model", "sent", "budget", "size"),
    [
        ("claude-sonnet-4-5", (1920, 1080), 1568, (1456, 819)),
        ("claude-opus-4-7", (3840, 2160), 4784, (2576, 1449)),
        ("claude-opus-4-7", (560, 560), 100, (280, 280)),
        ("gpt-5.5", (2048, 2048), 1229, (1024, 1024)),
        ("gpt-4o", (4096, 4096), 765, (768, 768)),
        ("gpt-4o", (4096, 4096), 764, (512, 512)),
        ("gpt-4o", (1920, 1080), 255, (512, 288)),
        ("gemini-2.5-flash", (1920, 1080), 258, (384, 216)),
        ("pixtral", (2000, 2000), 4160, (1024, 1024)),
        ("llama-4", (2000, 2000), 144, (336, 336)),
        ("llama-4", (2000, 2000), 724, (672, 672)),
        ("grok-4", (2000, 2000), 1280, (896, 896)),
        ("nova-lite", (2000, 2000), 1300, (900, 900)),
    ],
)
def test_known_sizes(model: str, sent: tuple[int, int], budget: int, size: tuple[int, int]) -> None:
    assert largest_size(resolve(model), *sent, budget) == size


@given(rules, sides, sides, budgets, st.sampled_from([0.0, 0.0, 0.01, 0.03, 0.2]))
def test_within_budget_size_and_sight(
    case: tuple[Rule, str | None], width: int, height: int, budget: int, stretch: float
) -> None:
    rule, detail = case
    size = inverse(rule, width, height, budget, detail, stretch)
    if size is None:
        return
    assert rule.count(*size, detail) <= budget
    assert 1 <= size[0] <= width
    assert 1 <= size[1] <= height
    if rule.saves_by_pixels(detail):
        assert not rule.formula(detail).scales_down(*size)
        seen = rule.seen(*size, detail)
        grid = rule.cell(detail) if rule.kind == "smart_resize" else 0
        assert seen[0] >= size[0] - grid / 2
        assert seen[1] >= size[1] - grid / 2


@given(st.sampled_from(KINDS), st.integers(1, 700), st.integers(1, 700), budgets)
def test_largest_by_trying_all(case: tuple[Rule, str | None], width: int, height: int, budget: int) -> None:
    rule, detail = case
    assume(rule.saves_by_pixels(detail))
    fitting = [size for size in sizes(case, width, height) if rule.count(*size, detail) <= budget]
    assert inverse(rule, width, height, budget, detail) == (fitting[-1] if fitting else None)


@given(st.sampled_from(KINDS), st.integers(1, 700), st.integers(1, 700))
def test_the_least_named_is_the_least(case: tuple[Rule, str | None], width: int, height: int) -> None:
    rule, detail = case
    assume(rule.saves_by_pixels(detail))
    costs = [rule.count(*size, detail) for size in sizes(case, width, height)]
    if min(costs) > 1:
        with pytest.raises(UsageError, match=f"give at least {min(costs)}$"):
            largest_size(rule, width, height, min(costs) - 1, detail)


def test_sizes_are_plain_integers() -> None:
    size = largest_size(resolve("nova-2-lite"), np.int64(100), np.uint16(50), np.int32(230))  # type: ignore[arg-type]
    assert [type(side) for side in size] == [int, int]


@given(rules, sides, sides, budgets)
def test_next_larger_does_not_fit(case: tuple[Rule, str | None], width: int, height: int, budget: int) -> None:
    rule, detail = case
    assume(rule.monotone(detail) and rule.saves_by_pixels(detail))
    size = inverse(rule, width, height, budget, detail)
    if size is not None and size != (width, height):
        larger = shaped(width, height, max(size) + 1)
        assert rule.count(*larger, detail) > budget or rule.formula(detail).scales_down(*larger)


@given(rules, sides, sides, budgets, st.sampled_from([0.005, 0.03, 0.1]))
def test_stretch_is_kept_and_pays(
    case: tuple[Rule, str | None], width: int, height: int, budget: int, stretch: float
) -> None:
    rule, detail = case
    plain = inverse(rule, width, height, budget, detail)
    size = inverse(rule, width, height, budget, detail, stretch)
    assert (plain is None) == (size is None)
    if plain is None or size is None or size == plain:
        return
    aspect = Fraction(size[0] * height, size[1] * width)
    assert 1 - Fraction(stretch) <= aspect <= 1 + Fraction(stretch)

    def scale(size: tuple[int, int]) -> float:
        across, down = map(min, size, rule.seen(*size, detail))
        return min(across / width, down / height)

    assert scale(size) >= scale(plain)


@given(st.integers(1, 900), st.integers(1, 900), st.integers(1, 400))
def test_stretch_finds_the_best_of_all_grids(width: int, height: int, budget: int) -> None:
    rule = resolve("claude-opus-4-7")
    size = inverse(rule, width, height, budget, None, 0.05)
    assert size is not None
    best = max(
        min(min(across * 28 / width, down * 28 / height), 1.0)
        for across in range(1, 34)
        for down in range(1, 34)
        if across * down <= budget
    )
    # Whole pixels: the best scale is missed by less than one pixel of either side.
    assert min(size[0] / width, size[1] / height) > best - max(1 / width, 1 / height)


def test_stretch_fills_the_cells() -> None:
    rule = resolve("claude-opus-4-7")
    assert largest_size(rule, 1920, 1080, 800) == (1046, 588)
    assert largest_size(rule, 1920, 1080, 800, stretch=0.03) == (1064, 588)
    assert largest_size(rule, 1920, 1080, 800, stretch=0.005) == (1050, 588)
    assert rule.count(1064, 588) == rule.count(1046, 588) == 798
    # A grid that rounds instead of padding: exactly its lines, so that the model does not resample.
    qwen = resolve("qwen2.5-vl")
    size = largest_size(qwen, 1920, 1080, 800, stretch=0.03)
    assert qwen.seen(*size) == size


def test_where_the_shape_alone_is_billed() -> None:
    rule = resolve("gemini-3-pro")
    assert largest_size(rule, 1920, 1080, 1100) == (1920, 1080)
    with pytest.raises(
        UsageError, match=r"bills 1100 tokens .* at any size, above the budget of 1099: choose .*\(low, medium\)$"
    ):
        largest_size(rule, 1920, 1080, 1099)
    with pytest.raises(UsageError, match="fewer pixels save nothing"):
        largest_size(resolve("nova-2-lite"), 1920, 1080, 229)


@pytest.mark.parametrize(
    ("model", "least"),
    [("gpt-4o", 255), ("claude-opus-4-7", 1), ("gemini-2.5-flash", 258), ("qwen3-vl", 64), ("gpt-5.5", 2)],
)
def test_least_budget_is_named(model: str, least: int) -> None:
    rule = resolve(model)
    assert rule.count(*largest_size(rule, 1600, 1600, least)) == least
    if least > 1:
        with pytest.raises(UsageError, match=f"a budget of {least - 1} tokens .*{model}.*: give at least {least}$"):
            largest_size(rule, 1600, 1600, least - 1)


ENLARGING = [(rule, detail) for rule, detail in RULES if rule.formula(detail).enlarges(9, 12)]


@pytest.mark.parametrize(
    ("model", "sent", "least"),
    [
        ("qwen3-vl", (333, 400), 72),
        ("qwen3-vl", (1999, 1333), 70),
        ("qwen2.5-vl", (333, 400), 4),
        ("glm-4.1v", (333, 400), 9),
        ("glm-ocr", (1333, 1999), 8),
        ("paddleocr-vl", (1001, 700), 192),
    ],
)
def test_no_photo_becomes_a_thumbnail_for_the_sake_of_a_budget(model: str, sent: tuple[int, int], least: int) -> None:
    rule = resolve(model)
    with pytest.raises(BudgetError, match=f"bills for this shape at any size: give at least {least}$"):
        largest_size(rule, *sent, least - 1)
    for stretch in (0.0, 0.03):
        with pytest.raises(BudgetError) as caught:
            largest_size(rule, *sent, 1, stretch=stretch)
        fewest = int(str(caught.value).split()[-1])
        assert fewest == least
        size = largest_size(rule, *sent, fewest, stretch=stretch)
        assert rule.count(*size) == fewest
        assert not rule.formula().enlarges(*size)
        assert abs(Fraction(size[0] * sent[1], size[1] * sent[0]) - 1) < 0.035


@pytest.mark.parametrize(("rule", "detail"), ENLARGING, ids=str)
@given(width=st.integers(1, 2500), height=st.integers(1, 2500), budget=st.integers(1, 300), stretch=st.just(0.03))
def test_what_a_model_enlarges_has_the_shape_of_the_picture(
    rule: Rule, detail: str | None, width: int, height: int, budget: int, stretch: float
) -> None:
    for allowed in (0.0, stretch):
        size = inverse(rule, width, height, budget, detail, allowed)
        if size is not None and rule.formula(detail).enlarges(*size):
            aspect = Fraction(size[0] * height, size[1] * width)
            largest = not rule.formula(detail).scales_down(width, height)
            assert 1 - Fraction(allowed) <= aspect <= 1 + Fraction(allowed) or not largest


@pytest.mark.parametrize(
    ("model", "sent"), [("qwen3-vl", (100, 81)), ("glm-4.1v", (97, 31)), ("paddleocr-vl", (9, 99))]
)
def test_a_small_picture_stays_as_it_is_or_is_refused(model: str, sent: tuple[int, int]) -> None:
    rule = resolve(model)
    cost = rule.count(*sent)
    assert largest_size(rule, *sent, cost) == largest_size(rule, *sent, cost, stretch=0.03) == sent
    with pytest.raises(UsageError, match=f"give at least {cost}$"):
        largest_size(rule, *sent, cost - 1)


def test_extreme_shapes_end() -> None:
    for rule, detail in RULES:
        for sent in ((100_000_000, 1), (1, 100_000_000), (2**31 - 1, 2**31 - 1)):
            size = inverse(rule, *sent, 100_000, detail)
            assert size is None or rule.count(*size, detail) <= 100_000


@given(rules, sides, sides)
def test_fit_never_costs_more_nor_is_scaled(case: tuple[Rule, str | None], width: int, height: int) -> None:
    rule, detail = case
    size = fit_size(rule, width, height, detail)
    assert size[0] <= width
    assert size[1] <= height
    assert rule.count(*size, detail) <= rule.count(width, height, detail)
    if rule.saves_by_pixels(detail):
        assert not rule.formula(detail).scales_down(*size)
        assert fit_size(rule, *size, detail) == size
    else:
        assert size == (width, height)
    if not rule.formula(detail).scales_down(width, height):
        assert size == (width, height)


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-7"])
@given(width=sides, height=sides)
def test_fit_is_what_the_model_sees(model: str, width: int, height: int) -> None:
    rule = resolve(model)
    fit, seen = fit_size(rule, width, height), rule.seen(width, height)
    assert abs(fit[0] - seen[0]) <= 1  # they may round a half differently
    assert abs(fit[1] - seen[1]) <= 1


@pytest.mark.parametrize("budget", [0, -1, 1.5, None, "800", True, float("inf")])
def test_budgets_that_are_none(budget: object) -> None:
    with pytest.raises(UsageError, match=r"a budget of .* tokens: give a whole number, 1 or more"):
        largest_size(resolve("gpt-4o"), 100, 100, budget)  # type: ignore[arg-type]


@pytest.mark.parametrize("stretch", [-0.1, 1.01, float("nan"), "0.1", None])
def test_stretches_that_are_none(stretch: object) -> None:
    with pytest.raises(UsageError, match=r"stretch is .*: give a fraction from 0 to 1"):
        largest_size(resolve("gpt-4o"), 100, 100, 800, stretch=stretch)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("budget", "before", "tokens"),
    [
        (800, 1560, 800),
        (5000, 1560, 5000),
        (np.int64(800), 1560, 800),
        ("800", 1560, 800),
        (" 800 ", 1560, 800),
        ("1", 1560, 1),
        (1, 1560, 1),
        (1.0, 1560, 1560),
        ("1.0", 1560, 1560),
        (0.5, 1561, 780),
        (np.float32(0.5), 1560, 780),
        (0.29, 100, 29),
        ("29%", 100, 29),
        ("0.29", 100, 29),
        (".5", 10, 5),
        ("50%", 1560, 780),
        ("12.5 %", 1000, 125),
        ("100%", 7, 7),
        ("fit", 7, None),
        ("FIT", 7, None),
    ],
)
def test_budgets(budget: int | float | str, before: int, tokens: int | None) -> None:
    assert parse_budget(budget, before) == tokens


@pytest.mark.parametrize(
    "budget",
    [
        0, -1, 0.0, -0.5, 1.0001, 800.0, float("nan"), float("inf"), float("-inf"), True, None, 1j, b"800", [800],
        "", " ", "0", "-5", "+5", "0%", "0.0", "101%", "100.1%", "1.5", "-50%", "nan", "inf", "1e3", "0x10", "1_000",
        "50%%", "%", ".", "half", "50 percent", "\u0661\u0660", "\u00bd", "9" * 5000, "9" * 5000 + "%", "fit!", "0.01%",
        1e-9, 5e-324,
    ],
)  # fmt: skip
def test_budgets_that_make_no_sense(budget: object) -> None:
    with pytest.raises(UsageError, match="budget") as caught:
        parse_budget(budget, 1560)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200
    assert len(str(caught.value).splitlines()) == 1
