"""The arithmetic of the token rules: every published vector, and what must hold for all sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.errors import UsageError
from pixtrim.tokens import Rule, models, resolve
from pixtrim.tokens.formulas import PatchBudget

RULES = [(rule, detail) for rule in models() for detail in rule.details or (None,)]
rules = st.sampled_from(RULES)
sides = st.one_of(st.integers(1, 700), st.integers(1, 9000), st.sampled_from([1, 27, 28, 29, 384, 385, 2048, 65535]))

TOKENS = [
    # OpenAI, patches
    ("gpt-5.5", None, 1024, 1024, 1229),
    ("gpt-5.5", "high", 2048, 2048, 3000),
    # OpenAI, tiles
    ("gpt-4o", None, 1024, 1024, 765),
    ("gpt-4o", None, 2048, 4096, 1105),
    ("gpt-4o", None, 2049, 513, 1445),
    ("gpt-4o", None, 2050, 513, 765),
    ("gpt-4o", "low", 4000, 3000, 85),
    ("gpt-4o", None, 1920, 1080, 1105),
    ("gpt-4.1", None, 1920, 1080, 1105),
    ("gpt-5.1", None, 1920, 1080, 910),
    ("gpt-5", "low", 1920, 1080, 70),
    ("gpt-4o-mini", None, 1920, 1080, 36835),
    ("gpt-4o-mini", "low", 1920, 1080, 2833),
    ("o1", None, 1920, 1080, 975),
    ("o3", "low", 1920, 1080, 75),
    # Anthropic
    ("claude-sonnet-4-5", None, 200, 200, 64),
    ("claude-sonnet-4-5", None, 1092, 1092, 1521),
    ("claude-sonnet-4-5", None, 1920, 1080, 1560),
    ("claude-sonnet-4-5", None, 2000, 1500, 1564),
    ("claude-sonnet-4-5", None, 3840, 2160, 1560),
    ("claude-opus-4-7", None, 200, 200, 64),
    ("claude-opus-4-7", None, 1092, 1092, 1521),
    ("claude-opus-4-7", None, 1920, 1080, 2691),
    ("claude-opus-4-7", None, 2000, 1500, 3888),
    ("claude-opus-4-7", None, 3840, 2160, 4784),
    # Google
    ("gemini-3-pro", None, 1000, 1000, 1089),
    ("gemini-3-pro", None, 1920, 1080, 1100),
    ("gemini-3-pro", None, 1600, 1200, 1064),
    ("gemini-3-pro", "low", 1000, 1000, 256),  # 16 x 16
    ("gemini-3-pro", "medium", 1000, 1000, 529),  # 23 x 23
    ("gemini-3-pro", "ultra_high", 1000, 1000, 2209),  # 47 x 47
    ("gemini-2.5-flash", None, 384, 384, 258),
    ("gemini-2.5-flash", None, 385, 384, 1032),
    ("gemini-2.5-flash", None, 960, 540, 1548),
    ("gemini-2.5-flash", "low", 960, 540, 64),
    # Qwen
    ("qwen2.5-vl", None, 224, 448, 128),
    ("qwen2-vl", None, 1024, 1024, 1369),
    ("qwen2.5-vl-hosted", None, 1024, 1024, 1371),
    ("qwen3-vl", None, 1024, 1024, 1024),
    ("qwen3.5-hosted", None, 1024, 1024, 1026),
    ("qwen3-vl", None, 100, 100, 64),  # enlarged to 256 x 256
    # Z.ai
    ("glm-4.6v", None, 1920, 1080, 69 * 39),
    ("glm-ocr", None, 4000, 3000, 90 * 67),
    ("glm-4.1v", None, 10, 10, 9),  # scaled to 28 x 28, then enlarged to 84 x 84
    ("glm-4.5v", None, 300, 10, 30),  # scaled to 840 x 28
    # PaddlePaddle
    ("paddleocr-vl", None, 1920, 1080, 69 * 39),
    ("paddleocr-vl-1.5", None, 1920, 1080, 47 * 26),
    ("paddleocr-vl", None, 100, 20, 31 * 7),  # made 140 x 28, then enlarged
    # Others
    ("pixtral", None, 1024, 1024, 4160),
    ("pixtral", None, 2048, 1024, 2080),
    ("mistral-small-3.1", None, 1540, 1540, 3080),
    ("llama-4", None, 336, 336, 144),
    ("llama-4", None, 337, 336, 2 * 144 + 2 + 144),
    ("llama-4", None, 1344, 1344, 16 * 144 + 16 + 144),
    ("llama-4", None, 4000, 4000, 16 * 144 + 16 + 144),
    ("llama-4", None, 4000, 100, 12 * 144 + 12 + 144),
    ("llama-4", None, 6000, 250, 16 * 144 + 16 + 144),
    ("grok-4", None, 448, 448, 512),
    ("grok-4", None, 4000, 4000, 1792),
    ("nova-lite", None, 900, 450, 800),
    ("nova-lite", None, 900, 900, 1300),
    ("nova-lite", None, 1400, 900, 1800),
    ("nova-lite", None, 10, 10, 800),
    ("nova-2-lite", None, 1400, 900, 230),
]

MEASURED = [  # gpt-6-astra auto, gpt-6-astra high, gpt-5.5 auto
    (256, 256, 77, 77, 77),
    (512, 512, 308, 308, 308),
    (768, 768, 692, 692, 692),
    (1280, 720, 1104, 1104, 1104),
    (2560, 1440, 4320, 2931, 4320),
    (3840, 2160, 9792, 2931, 9792),
]

SEEN = [
    ("gpt-5.5", "high", (2048, 2048), (1600, 1600)),
    ("gpt-5-mini", None, (1800, 2400), (1056, 1408)),
    ("gpt-5.5", "low", (1024, 512), (512, 256)),
    ("gpt-4o", None, (2048, 4096), (768, 1536)),
    ("gpt-4o", None, (2050, 513), (2048, 512)),
    ("gpt-4o", "low", (1024, 512), (512, 256)),
    ("claude-sonnet-4-5", None, (1092, 1092), (1092, 1092)),
    ("claude-sonnet-4-5", None, (1920, 1080), (1456, 819)),
    ("claude-sonnet-4-5", None, (2000, 1500), (1269, 952)),
    ("claude-sonnet-4-5", None, (3840, 2160), (1456, 819)),
    ("claude-opus-4-7", None, (3840, 2160), (2576, 1449)),
    ("claude-opus-4-7", None, (2160, 3840), (1449, 2576)),
    ("qwen2.5-vl", None, (224, 448), (224, 448)),
    ("qwen2.5-vl", None, (1024, 1024), (1036, 1036)),
    ("qwen3-vl", None, (100, 100), (256, 256)),
    ("glm-4.1v", None, (300, 10), (840, 28)),
    ("glm-4.1v", None, (100, 13), (224, 28)),  # 215.4 x 28
    ("paddleocr-vl", None, (3, 10), (224, 728)),  # 8 x 28, then 28 x 98
    ("paddleocr-vl", None, (10, 3), (700, 224)),  # 93 x 28: the height comes first
    ("pixtral", None, (4096, 2048), (1024, 512)),
    ("llama-4", None, (100, 50), (336, 168)),
    ("llama-4", None, (300, 400), (300, 400)),
    ("llama-4", None, (2688, 2688), (1344, 1344)),
    ("gemini-2.5-flash", None, (4608, 3456), (1536, 1152)),
]


@pytest.mark.parametrize(("model", "detail", "width", "height", "tokens"), TOKENS)
def test_published_counts(model: str, detail: str | None, width: int, height: int, tokens: int) -> None:
    assert resolve(model).count(width, height, detail) == tokens


@pytest.mark.parametrize(("width", "height", "astra", "astra_high", "five"), MEASURED)
def test_measured_counts(width: int, height: int, astra: int, astra_high: int, five: int) -> None:
    assert resolve("gpt-6-astra").count(width, height, "auto") == astra
    assert resolve("gpt-6-astra").count(width, height, "high") == astra_high
    assert resolve("gpt-5.5").count(width, height, "auto") == five


@pytest.mark.parametrize(("model", "detail", "sent", "seen"), SEEN)
def test_sizes_seen(model: str, detail: str | None, sent: tuple[int, int], seen: tuple[int, int]) -> None:
    assert resolve(model).seen(*sent, detail) == seen


def test_patches_at_the_limit() -> None:
    formula = PatchBudget(max_side=2048, max_patches=1536, multiplier=1.2)
    assert formula.cells(1800, 2400) == 1452


def test_coordinates_follow_the_size_seen() -> None:
    width, height = resolve("claude-sonnet-4-5").seen(1075, 1520)
    assert (width, height) == (924, 1307)
    assert (462 * 1075 / width, 653.5 * 1520 / height) == pytest.approx((537.5, 760))


@pytest.mark.parametrize(
    ("model", "per_patch"),
    [("gpt-5-mini", 1.2), ("gpt-5-nano", 1.5), ("gpt-4.1-nano", 2.46), ("o4-mini", 1.72), ("gpt-4.1-mini", 1.62)],
)
def test_price_of_a_patch(model: str, per_patch: float) -> None:
    assert resolve(model).count(320, 320) == round(100 * per_patch)  # 100 patches: no rounding to hide behind
    assert resolve(model).count(1, 1) == int(per_patch) + 1


def test_low_can_cost_more_than_high() -> None:
    rule = resolve("gpt-5.4")
    assert rule.count(2048, 2048, "low") > rule.count(2048, 2048, "high")


@pytest.mark.parametrize(
    ("model", "default", "details"),
    [
        ("gpt-6-astra", "original", ("low", "high", "original")),
        ("gpt-5.6-sol", "original", ("low", "high", "original")),
        ("gpt-5.4-nano", "high", ("low", "high", "original")),
        ("gpt-5.2", "high", ("low", "high")),
        ("o4-mini", "high", ("high",)),
        ("gpt-4o", "high", ("low", "high")),
        ("gemini-3-pro", "high", ("low", "medium", "high", "ultra_high")),
        ("claude-opus-4-7", None, ()),
    ],
)
def test_levels(model: str, default: str | None, details: tuple[str, ...]) -> None:
    rule = resolve(model)
    assert (rule.default_detail, rule.details) == (default, details)
    if details:
        assert rule.level("auto") == rule.level(None) == default


@pytest.mark.parametrize(
    ("model", "detail", "message"),
    [
        ("gpt-5.2", "original", "gpt-5.2 has no detail level 'original': choose one of low, high, auto"),
        ("o4-mini", "low", "choose one of high, auto"),
        ("claude-opus-4-7", "high", "claude-opus-4-7 has no detail level 'high': leave the detail out"),
        ("claude-opus-4-7", "auto", "leave the detail out"),
        ("gpt-5.5", "", "no detail level ''"),
        ("gpt-5.5", 3, "no detail level '3'"),
    ],
)
def test_unknown_levels(model: str, detail: str, message: str) -> None:
    for ask in (resolve(model).count, resolve(model).seen):
        with pytest.raises(UsageError, match=message):
            ask(100, 100, detail)


@pytest.mark.parametrize("side", [0, -1, 1.0, "100", None, True, 2**31, 10**400, float("nan"), np.float32(3)])
def test_sizes_that_are_none(side: Any) -> None:
    rule = resolve("claude-opus-4-7")
    for ask in (rule.count, rule.seen, rule.check):
        with pytest.raises(UsageError, match=r"width is .*: give whole pixels"):
            ask(side, 100)
        with pytest.raises(UsageError, match=r"height is .*: give whole pixels"):
            ask(100, side)


def test_numpy_integers_are_sizes() -> None:
    assert resolve("gpt-4o").count(np.int64(1024), np.uint16(1024)) == 765  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "detail", "saves"),
    [
        ("gemini-3-pro", None, False),
        ("gemini-3-pro", "low", False),
        ("nova-2-lite", None, False),
        ("gpt-4o", "low", False),
        ("gpt-4o", "high", True),
        ("gpt-5.5", "low", True),
        ("gemini-2.5-flash", None, True),
        ("claude-opus-4-7", None, True),
    ],
)
def test_where_fewer_pixels_save(model: str, detail: str | None, saves: bool) -> None:
    assert resolve(model).saves_by_pixels(detail) is saves


@pytest.mark.parametrize(
    ("model", "cell"),
    [("claude-opus-4-7", 28), ("gpt-5.5", 32), ("pixtral", 16), ("gpt-4o", 512), ("qwen3-vl", 32), ("nova-2-lite", 1)],
)
def test_cells(model: str, cell: int) -> None:
    assert resolve(model).cell() == cell


def test_limits_in_words() -> None:
    claude = resolve("claude-opus-4-7")
    assert claude.check(8000, 8000) == ()
    assert claude.check(8001, 1) == ("claude-opus-4-7 refuses a side of 8001 pixels: the limit is 8000",)
    assert claude.check(2001, 1, images=20) == ()
    assert "among 21 images: the limit is 2000" in claude.check(2001, 1, images=21)[0]
    assert claude.check(100, 100, size=7_864_320) == ()  # 10 MiB of base64
    assert "base64: the limit is 10485760" in claude.check(100, 100, size=7_864_321)[0]
    assert len(claude.check(9000, 9000, size=10**8, images=1000)) == 4
    assert resolve("gpt-5.6").check(32 * 300, 32 * 100) == ()
    assert "30100 patches: the limit is 30000" in resolve("gpt-5.6").check(32 * 301, 32 * 100)[0]
    assert resolve("gpt-5.6").check(32 * 301, 32 * 100, "high") == ()
    assert "aspect ratio of 201 to 1" in resolve("qwen3-vl").check(2001, 10)[0]
    assert resolve("nova-2-lite").check(10**6, 1, size=10**9, images=999) == ()


@given(rules, sides, sides)
def test_counts_and_sizes_are_positive(case: tuple[Rule, str | None], width: int, height: int) -> None:
    rule, detail = case
    tokens, seen = rule.count(width, height, detail), rule.seen(width, height, detail)
    assert type(tokens) is int
    assert tokens >= 1
    assert all(type(side) is int and side >= 1 for side in seen)


@given(rules, sides, sides)
def test_shape_is_all_that_matters_when_turned(case: tuple[Rule, str | None], width: int, height: int) -> None:
    rule, detail = case
    if rule.kind == "row_grid":  # rows end with a token, columns do not
        return
    if getattr(rule.formula(detail), "small", None) == "round" and min(width, height) < rule.cell(detail):
        return  # the height is rounded before the width
    assert rule.count(width, height, detail) == rule.count(height, width, detail)
    assert rule.seen(width, height, detail) == rule.seen(height, width, detail)[::-1]


@given(rules, sides, sides)
def test_seen_is_never_larger_unless_the_model_enlarges(case: tuple[Rule, str | None], width: int, height: int) -> None:
    rule, detail = case
    formula = rule.formula(detail)
    grid = formula.cell if rule.kind == "smart_resize" else 0
    if not formula.enlarges(width, height) and min(width, height) >= grid:
        seen = rule.seen(width, height, detail)
        assert seen[0] <= width + grid / 2
        assert seen[1] <= height + grid / 2


@given(rules, sides, sides)
def test_what_is_seen_is_not_scaled_down_again(case: tuple[Rule, str | None], width: int, height: int) -> None:
    rule, detail = case
    formula = rule.formula(detail)
    if rule.kind == "smart_resize" and max(width, height) > 200 * min(width, height):
        return  # refused by the model
    seen = rule.seen(width, height, detail)
    assert not formula.scales_down(*seen)
    if rule.kind not in ("crop_tiles", "token_budget"):  # these count by the shape, which rounding changes
        assert rule.count(*seen, detail) <= rule.count(width, height, detail)


@given(rules, sides, sides, st.integers(0, 3000), st.integers(0, 3000))
def test_monotone_where_the_rule_says_so(
    case: tuple[Rule, str | None], width: int, height: int, more_width: int, more_height: int
) -> None:
    rule, detail = case
    formula = rule.formula(detail)
    large = width + more_width, height + more_height
    if rule.monotone(detail) and not formula.scales_down(*large) and not formula.enlarges(width, height):
        assert not formula.scales_down(width, height)
        assert rule.count(width, height, detail) <= rule.count(*large, detail)


@given(sides, sides, st.sampled_from(["claude-sonnet-4-5", "claude-opus-4-7"]))
def test_padded_grid_picks_the_largest_that_fits(width: int, height: int, model: str) -> None:
    formula = resolve(model).formula()
    edge, most = (1568, 1568) if model == "claude-sonnet-4-5" else (2576, 4784)

    def fits(long: int, short: int) -> bool:
        return -(-long // 28) * 28 <= edge and -(-long // 28) * -(-short // 28) <= most

    long, short = max(width, height), min(width, height)
    best = long, short
    if not fits(long, short):  # by trying all, instead of a binary search
        best = next((n, m) for n in range(min(long, edge), 0, -1) if fits(n, m := max(round(n / (long / short)), 1)))
    assert formula.seen(width, height) == (best if width >= height else best[::-1])
