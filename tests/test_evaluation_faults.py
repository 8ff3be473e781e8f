"""Planted faults are found, and the operators that exist have none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pixtrim.coordinates import Axis, CoordinateMap, Piece
from pixtrim.evaluation.faults import CHECKS, check
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.samples import Sample
from pixtrim.operators.resize import resize
from pixtrim.operators.warp import warp
from pixtrim.tokens import largest_size, resolve

Pixels = NDArray[np.uint8]

MODEL = "qwen3-vl"
RULE = resolve(MODEL)
SHARES = (0.25, 0.5, 0.75)
OPERATORS = ("resize", "fold", "warp", "auto")

KINDS = (
    "documents/funsd/*.png",
    "documents/sroie/*.jpg",
    "documents/omnidoc/**/*.jpg",
    "gui_sequences/android/**/*.png",
    "gui_sequences/webvoyager/**/*.png",
    "gui_single/web/*.png",
    "gui_single/desktop/*.png",
    "charts/*.png",
    "photos/kodak/*.png",
    "photos/imagenet/*.JPEG",
    "video/davis/**/*.jpg",
)


def picture(width: int = 720, height: int = 560) -> Pixels:
    """A page with lines of little marks, white gaps to fold, and a photo of coloured noise."""
    rng = np.random.default_rng(7)
    pixels = np.full((height, width, 3), 255, np.uint8)
    for y in range(30, height - 200, 22):
        for x in range(40, width - 60, 9):
            if rng.random() < 0.85:
                pixels[y : y + rng.integers(6, 11), x : x + rng.integers(2, 7)] = rng.integers(0, 90)
    noise = rng.integers(0, 256, (40, 80, 3), np.uint8)
    photo = Image.fromarray(noise).resize((400, 150), Image.Resampling.BICUBIC)
    pixels[height - 170 : height - 20, 60:460] = np.asarray(photo)
    return pixels


def sample_of(pixels: Pixels) -> Sample:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Sample("drawn.png", "document page", stream.getvalue)


def counted(reduced: Reduced) -> int:
    return RULE.count(reduced.image.shape[1], reduced.image.shape[0])


def plain(pixels: Pixels, tokens: int) -> Reduced:
    """The plain resize to the largest size of so many tokens."""
    height, width = pixels.shape[:2]
    before = RULE.count(width, height)
    if before <= tokens:
        return Reduced(pixels, CoordinateMap.identity(width, height), before)
    size = largest_size(RULE, width, height, tokens)
    return Reduced(resize(pixels, size), CoordinateMap.scale((width, height), size), RULE.count(*size))


def checks(sample: Sample, reduced: Reduced, budget: int | None = None) -> list[str]:
    tokens = counted(reduced)
    found = check(sample, reduced, tokens, tokens if budget is None else budget, plain(sample.pixels, tokens))
    for finding in found:
        assert finding.check in CHECKS
        assert "\n" not in finding.what
    return [finding.check for finding in found]


# Planted faults: each makes a wrong reduction of a right one


def moved(dx: float, dy: float) -> Callable[[Pixels, Reduced], Reduced]:
    """The map says places (dx, dy) pixels of the original beside where they are."""

    def plant(pixels: Pixels, reduced: Reduced) -> Reduced:
        height, width = pixels.shape[:2]
        after = reduced.coordinates.reduced_size
        axes = []
        for n, m, d in ((width, after[0], dx), (height, after[1], dy)):
            scale = m / n
            first, last, begin = max(d, 0), n + min(d, 0), max(-d, 0)
            axes.append(Axis([0, first, last, n], [0, begin * scale, (begin + last - first) * scale, m]))
        piece = Piece((0, 0, width, height), (0, 0, *after), *axes)
        return Reduced(reduced.image, CoordinateMap.pieces([piece], (width, height), after), reduced.tokens)

    return plant


def rolled(dx: int, dy: int) -> Callable[[Pixels, Reduced], Reduced]:
    """The picture lies (dx, dy) pixels of the reduced picture beside where the map says."""
    return lambda _, reduced: Reduced(
        np.ascontiguousarray(np.roll(reduced.image, (dy, dx), axis=(0, 1))), reduced.coordinates, reduced.tokens
    )


def blurred(radius: float) -> Callable[[Pixels, Reduced], Reduced]:
    return lambda _, reduced: Reduced(
        np.asarray(Image.fromarray(reduced.image).filter(ImageFilter.GaussianBlur(radius))),
        reduced.coordinates,
        reduced.tokens,
    )


def enlarged(_: Pixels, reduced: Reduced) -> Reduced:
    """Half of the pixels, and twice as many made of them."""
    height, width = reduced.image.shape[:2]
    small = Image.fromarray(reduced.image).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    return Reduced(np.asarray(small.resize((width, height))), reduced.coordinates, reduced.tokens)


def mirrored(_: Pixels, reduced: Reduced) -> Reduced:
    return Reduced(np.ascontiguousarray(reduced.image[:, ::-1]), reduced.coordinates, reduced.tokens)


FAULTS = {
    "map 3 px to the right": (moved(3, 0), "misaligned"),
    "map 3 px up": (moved(0, -3), "misaligned"),
    "map aslant": (moved(2, 2), "misaligned"),
    "map 40 px off": (moved(40, 0), "misaligned"),
    "picture 3 px to the left": (rolled(-3, 0), "misaligned"),
    "picture 3 px down": (rolled(0, 3), "misaligned"),
    "mirrored": (mirrored, "misaligned"),
    "blurred": (blurred(1), "blurred"),
    "blurred a little": (blurred(0.7), "blurred"),
    "enlarged": (enlarged, "blurred"),
}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, share: float) -> None:
    sample = sample_of(picture())
    plant, expected = FAULTS[name]
    reduced = plain(sample.pixels, int(share * RULE.count(720, 560)))
    assert checks(sample, reduced) == []
    assert checks(sample, plant(sample.pixels, reduced)) == [expected]


def test_the_displacement_is_told_in_pixels_of_the_original() -> None:
    sample = sample_of(picture())
    reduced = moved(3, -5)(sample.pixels, plain(sample.pixels, 200))
    (finding,) = check(sample, reduced, reduced.tokens, reduced.tokens, plain(sample.pixels, reduced.tokens))
    x, y = (float(part) for part in finding.what.partition("(")[2].partition(")")[0].split(","))
    assert (x, y) == (pytest.approx(3, abs=0.3), pytest.approx(-5, abs=0.3))


def test_one_pixel_of_the_original_is_no_fault() -> None:
    sample = sample_of(picture())
    assert checks(sample, moved(1, 0)(sample.pixels, plain(sample.pixels, 200))) == []


def test_a_map_that_is_wrong_in_one_half_is_found() -> None:
    """Everything right of the middle is taken for lying 4 px further right than it does."""
    sample = sample_of(picture())
    size = 540, 420
    half = [Piece((0, 0, 360, 560), (0, 0, 270, 420), Axis.scale(360, 270), Axis.scale(560, 420))]
    axis = Axis([0, 4, 360], [0, 0, 267])
    wrong = [*half, Piece((360, 0, 720, 560), (270, 0, 540, 420), axis, Axis.scale(560, 420))]
    right = [*half, Piece((360, 0, 720, 560), (270, 0, 540, 420), Axis.scale(360, 270), Axis.scale(560, 420))]
    for pieces, expected in ((right, []), (wrong, ["misaligned"])):
        map_ = CoordinateMap.pieces(pieces, (720, 560), size)
        assert checks(sample, Reduced(resize(sample.pixels, size), map_, RULE.count(*size))) == expected


def test_a_warp_is_no_fault_and_one_beside_its_map_is_found() -> None:
    sample = sample_of(picture())
    importance = np.zeros((560, 720), np.float32)
    importance[60:200, 80:300] = 1
    for share in (0.3, 0.6):
        size = largest_size(RULE, 720, 560, int(share * RULE.count(720, 560)), None)
        warped = warp(sample.pixels, size, importance)
        reduced = Reduced(warped.image, warped.coordinates, RULE.count(*size))
        assert checks(sample, reduced) == []
        assert checks(sample, moved(5, 0)(sample.pixels, reduced)) == ["misaligned"]
        even = Reduced(warped.image, CoordinateMap.scale((720, 560), size), reduced.tokens)
        assert checks(sample, even) == ["misaligned"]


@pytest.mark.parametrize("filter", [Image.Resampling.BILINEAR, Image.Resampling.BOX, Image.Resampling.LANCZOS])
def test_other_filters_are_no_fault(filter: Image.Resampling) -> None:
    sample = sample_of(picture())
    reduced = plain(sample.pixels, 150)
    image = Image.fromarray(sample.pixels).resize(reduced.coordinates.reduced_size, filter)
    assert checks(sample, Reduced(np.asarray(image), reduced.coordinates, reduced.tokens)) == []


def test_more_tokens_than_it_says() -> None:
    sample = sample_of(picture())
    reduced = plain(sample.pixels, 200)
    says_less = Reduced(reduced.image, reduced.coordinates, round(reduced.tokens / 1.05))
    (finding,) = check(sample, says_less, reduced.tokens, 200, reduced)
    assert finding.check == "tokens"
    assert finding.what == f"it says {says_less.tokens} tokens, and costs {reduced.tokens} (+5%)"


def test_claims_are_exact_and_a_claim_of_nothing_is_told() -> None:
    sample = sample_of(picture())
    reduced = plain(sample.pixels, 200)
    for claim in (0, reduced.tokens - 1, reduced.tokens + 1):
        wrong = Reduced(reduced.image, reduced.coordinates, claim)
        assert [f.check for f in check(sample, wrong, reduced.tokens, 200, reduced)] == ["tokens"]


def test_over_the_budget() -> None:
    sample = sample_of(picture())
    reduced = plain(sample.pixels, 200)
    (finding,) = check(sample, reduced, reduced.tokens, reduced.tokens - 7, reduced)
    assert finding == ("budget", f"it costs {reduced.tokens} tokens, 7 over the budget of {reduced.tokens - 7}")


def test_sizes_that_are_not_the_pictures() -> None:
    sample = sample_of(picture())
    reduced = plain(sample.pixels, 200)
    width, height = reduced.coordinates.reduced_size
    other = Reduced(reduced.image, CoordinateMap.scale((560, 720), (height, width)), reduced.tokens)
    assert checks(sample, other) == ["size", "size"]
    assert "takes the original for 560x720 px; it has 720x560" in check(sample, other, 1, 1, reduced)[0].what


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), None]
)
def test_no_picture(image: object) -> None:
    sample = sample_of(picture())
    reduced = plain(sample.pixels, 200)
    broken = Reduced(image, reduced.coordinates, reduced.tokens)  # type: ignore[arg-type]
    assert [finding.check for finding in check(sample, broken, reduced.tokens, 200, reduced)] == ["picture"]


@pytest.mark.parametrize("size", [(1, 1), (5, 900), (30, 30), (47, 64), (300, 300)])
def test_pictures_that_show_nothing_have_no_faults(size: tuple[int, int]) -> None:
    sample = sample_of(np.full((size[1], size[0], 3), 120, np.uint8))
    half = max(1, size[0] // 2), max(1, size[1] // 2)
    assert (
        checks(sample, Reduced(resize(sample.pixels, half), CoordinateMap.scale(size, half), RULE.count(*half))) == []
    )


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("share", [*SHARES, 1.0])
def test_operators_have_no_faults_on_a_drawn_page(operator: str, share: float) -> None:
    sample = sample_of(picture())
    tokens = int(share * RULE.count(720, 560))
    assert checks(sample, reducer_named(operator).reduce(sample.pixels, MODEL, tokens), tokens) == []


def screen() -> Pixels:
    """An empty screen of a phone: marks at the top, and a black bar with marks at the bottom."""
    pixels = np.full((2400, 1080, 3), 250, np.uint8)
    pixels[:60] = 117
    pixels[2274:] = 0
    for x in (60, 170, 260, 900, 980):
        pixels[18:44, x : x + 34] = (
            np.kron(np.random.default_rng(x).integers(0, 2, (13, 17, 1)), np.ones((2, 2, 3))) * 255
        )
    for x in (220, 520, 820):
        pixels[2317:2357, x : x + 40] = 155
    return pixels


@pytest.mark.parametrize("operator", ["resize", "fold", "auto"])
@pytest.mark.parametrize("tokens", [100, 200, 400, 800, 1600])
def test_an_edge_beside_dropped_rows_is_no_blur(operator: str, tokens: int) -> None:
    sample, model = sample_of(screen()), "claude-opus-4-7"  # which bills as little as 100 for any shape
    reduced = reducer_named(operator).reduce(sample.pixels, model, tokens)
    baseline = reducer_named("resize").reduce(sample.pixels, model, reduced.tokens)
    assert check(sample, reduced, reduced.tokens, tokens, baseline) == []
    for radius in (0.7, 1, 2):
        blur = blurred(radius)(sample.pixels, reduced)
        (finding,) = check(sample, blur, reduced.tokens, tokens, baseline)
        assert finding.check in ("blurred", "misaligned")


@pytest.mark.parametrize("pattern", KINDS)
def test_operators_have_no_faults_on_real_pictures_and_planted_ones_are_found(pattern: str, shared_data: Path) -> None:
    paths = sorted(shared_data.glob(pattern))
    path = paths[len(paths) // 2]
    sample = Sample(path.name, "any", path.read_bytes)
    before = RULE.count(sample.pixels.shape[1], sample.pixels.shape[0])
    for share in SHARES:
        tokens = int(share * before)
        if tokens < 80:  # below what this model bills for any picture
            continue
        for operator in OPERATORS:
            assert checks(sample, reducer_named(operator).reduce(sample.pixels, MODEL, tokens), tokens) == []
        reduced = plain(sample.pixels, tokens)
        assert checks(sample, moved(3, 0)(sample.pixels, reduced)) == ["misaligned"]
        assert checks(sample, blurred(0.7)(sample.pixels, reduced)) == ["blurred"]
