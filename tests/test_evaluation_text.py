"""Measures of text: hand-made answers, properties, and what two real engines read."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.judges.ocr import ENGINES, Engine, absent, engine_named
from pixtrim.evaluation.measures import Measure, measure_named, measure_names
from pixtrim.evaluation.measures.text import character_recall, edit_similarity, word_recall, words
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Sample, Truth

Pixels = NDArray[np.uint8]

LINES = [
    "Delivery note 4711",
    "Eighteen boxes of green apples",
    "Three crates with lemons and limes",
    "Total weight 236 kilograms",
    "Signed by the driver on Monday",
]
TEXT = "\n".join(LINES)
KINDS = ("word-recall", "character-recall", "edit-similarity")
engines = pytest.mark.parametrize("engine", list(ENGINES))


@cache
def page() -> Pixels:
    """A page with `LINES` on it."""
    image = Image.new("RGB", (720, 330), "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(LINES):
        draw.text((40, 30 + 56 * row), line, "black", ImageFont.load_default(30))
    return np.asarray(image)


def sample_of(pixels: Pixels, text: str | None, kind: str = "document page") -> Sample:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Sample("made.png", kind, stream.getvalue, Truth(text=text))


def scaled(pixels: Pixels, scale: float) -> Reduced:
    width, height = (round(side * scale) for side in pixels.shape[1::-1])
    image = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
    return Reduced(image, CoordinateMap.scale(pixels.shape[1::-1], (width, height)), 0)


def reading(name: str) -> Engine:
    if absence := ENGINES[name].missing():
        pytest.skip(absence)
    return engine_named(name)


def measure(name: str) -> Measure:
    kind = measure_named(name)
    if absence := kind.missing():
        pytest.skip(absence)
    return kind()


def score(one: Measure, sample: Sample, reduced: Reduced) -> float | None:
    assert one.applies(sample)
    return one.score(sample, reduced, json.loads(json.dumps(one.prepare(sample))))


# What a text is


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The 12 cats, the CAT-flap", ["the", "12", "cats", "the", "cat", "flap"]),
        ("$1,204.50 snake_case", ["1", "204", "50", "snake", "case"]),
        ("of\ufb01ce \uff21\uff22 Stra\u00dfe", ["office", "ab", "strasse"]),
        ("re\u0301sume\u0301", ["résumé"]),
        ("合计 12元 カタ abc表def", ["合", "计", "12", "元", "カ", "タ", "abc", "表", "def"]),
        ("Привет, мир", ["привет", "мир"]),
        (" \n\t-- ", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("read", "truth", "by_words", "by_letters", "by_edits"),
    [
        ("one two three", "one two three", 1, 1, 1),
        ("three one two", "one two three", 1, 1, 2 / 13),
        ("", "one two three", 0, 0, 0),
        ("one one one", "one two three", 1 / 3, 3 / 11, 6 / 13),
        ("one two", "one two two", 2 / 3, 6 / 9, 7 / 11),
        ("one twe three", "one two three", 2 / 3, 10 / 11, 12 / 13),
        ("one two three four", "one two three", 1, 1, 13 / 18),
        ("onetwo", "one two", 0, 3 / 6, 6 / 7),  # half of it is "one"
        ("letters", "setters lettuce", 0, 6 / 14, 6 / 15),  # the nearest word takes it, and the other has none
        ("xyz", "one two three", 0, 0, 0),
    ],
)
def test_known_scores(read: str, truth: str, by_words: float, by_letters: float, by_edits: float) -> None:
    pytest.importorskip("rapidfuzz", reason='needs rapidfuzz: pip install "pixtrim[evaluate]"')
    pair = read.split(), truth.split()
    assert word_recall(*pair) == pytest.approx(by_words)
    assert character_recall(*pair) == pytest.approx(by_letters)
    assert edit_similarity(*pair) == pytest.approx(by_edits)


def edits(one: str, other: str) -> int:
    """The Levenshtein distance, as textbooks define it."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(row[-1] + 1, above[j] + 1, above[j - 1] + (a != b)))
    return row[-1]


TEXTS = st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=8)


@given(read=TEXTS, truth=TEXTS, random=st.randoms(use_true_random=False))
def test_properties_of_scores(read: list[str], truth: list[str], random: object) -> None:
    pytest.importorskip("rapidfuzz", reason='needs rapidfuzz: pip install "pixtrim[evaluate]"')
    shuffled = sorted(read, key=lambda _: random.random())  # type: ignore[attr-defined]
    for recall in (word_recall, character_recall):
        assert 0 <= recall(read, truth) <= 1
        assert recall(truth, truth) == 1
        assert recall(shuffled, truth) == recall(read, truth)
        assert recall([*read, truth[0]], truth) >= recall(read, truth) - (recall is character_recall)
    exact = sum(len(word) * count for word, count in (Counter(read) & Counter(truth)).items())
    assert character_recall(read, truth) >= exact / sum(map(len, truth))
    a, b = " ".join(read), " ".join(truth)
    assert edit_similarity(read, truth) == pytest.approx(1 - edits(a, b) / max(len(a), len(b)))
    assert edit_similarity(read, truth) == pytest.approx(edit_similarity(truth, read))


# The engines


@engines
def test_an_engine_reads_words_at_their_places(engine: str) -> None:
    read = reading(engine).read(page())
    assert words(" ".join(word.text for word in read)) == words(TEXT)
    assert all(0.6 <= word.confidence <= 1 for word in read)
    by_text = {word.text: word.box for word in read}
    at = [(by_text[text].x0 + by_text[text].x1, by_text[text].y0 + by_text[text].y1) for text in ("Delivery", "limes")]
    left, right = ImageFont.load_default(30).getbbox("Delivery"), ImageFont.load_default(30).getbbox(LINES[2])
    assert at[0] == pytest.approx((2 * 40 + left[2], 2 * 30 + left[1] + left[3]), abs=16)
    assert by_text["limes"].x1 == pytest.approx(40 + right[2], abs=10)
    assert 142 <= at[1][1] / 2 <= 178


@engines
def test_what_was_read_is_remembered_and_the_same_elsewhere(engine: str) -> None:
    one = reading(engine)
    first = one.read(page())
    assert one.read(page().copy()) is first
    assert ENGINES[engine]().read(page()) == first
    assert engine_named(engine) is one


@engines
@pytest.mark.parametrize("size", [(1, 1), (2, 40), (20, 20), (3000, 1), (200, 300)])
def test_where_nothing_is_written_nothing_is_read(engine: str, size: tuple[int, int]) -> None:
    assert reading(engine).read(np.full((*size, 3), 255, np.uint8)) == ()


@engines
def test_boxes_lie_within_the_picture(engine: str) -> None:
    cut = np.ascontiguousarray(page()[40:120, 50:400])
    for word in reading(engine).read(cut):
        assert 0 <= word.box.x0 < word.box.x1 <= 350
        assert 0 <= word.box.y0 < word.box.y1 <= 80


@engines
def test_a_slim_picture_is_read_without_more_effort(engine: str) -> None:
    line = np.full((56, 2400, 3), 255, np.uint8)
    line[:, :720] = page()[20:76]
    assert words(" ".join(word.text for word in reading(engine).read(line))) == words(LINES[0])


@pytest.mark.parametrize(("engine", "limit"), [("tesseract", 32767), ("rapidocr", 16384)])
def test_a_picture_that_is_too_long_is_named(engine: str, limit: int) -> None:
    with pytest.raises(InputError, match=rf"is 33000x8; \w+ (takes|is given) sides of up to {limit} pixels"):
        reading(engine).read(np.full((8, 33000, 3), 255, np.uint8))


def test_versions_name_what_readings_depend_on() -> None:
    assert re.fullmatch(r"tesseract 5\.\S+ eng", reading("tesseract").version)
    assert re.fullmatch(r"rapidocr 3\.\S+ onnxruntime \S+", reading("rapidocr").version)
    assert measure("word-recall-tesseract").version != measure("word-recall-rapidocr").version


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(UsageError, match=re.escape("the engine is 'abbyy': choose one of tesseract, rapidocr")):
        engine_named("abbyy")


def test_what_is_absent_is_named_with_its_extra() -> None:
    line = 'reading needs no_such_reader: pip install "pixtrim[evaluate]"'
    assert absent(("json", "no_such_reader"), "reading") == line
    assert absent(("json",), "reading") is None


# The measures


def test_every_measure_exists_for_every_engine_and_way() -> None:
    names = {f"{kind}-{engine}{way}" for kind in KINDS for engine in ENGINES for way in ("", "-self")}
    assert names <= set(measure_names())
    for name in names:
        kind = measure_named(name)
        assert kind.name == name
        assert kind.higher_is_better
        assert kind.question.endswith(f"by {ENGINES[kind.engine].title})?")  # type: ignore[attr-defined]
        assert ("original" in kind.question) == name.endswith("-self")


@engines
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["", "-self"])
def test_the_original_reads_like_itself_and_a_thumbnail_does_not(engine: str, kind: str, way: str) -> None:
    one = measure(f"{kind}-{engine}{way}")
    sample = sample_of(page(), None if way else TEXT)
    scores = [score(one, sample, scaled(page(), scale)) for scale in (1, 0.5, 0.1)]
    assert scores[0] == 1
    assert scores[2] is not None
    assert scores[2] < 0.5 < 0.7 <= (scores[1] or 0)


@engines
def test_a_line_that_is_painted_over_costs_its_share(engine: str) -> None:
    painted = page().copy()
    painted[30 + 56 : 30 + 112] = 255  # the line of the apples: 5 of 24 words
    reduced = Reduced(painted, CoordinateMap.identity(*painted.shape[1::-1]), 0)
    for way in ("", "-self"):
        sample = sample_of(page(), None if way else TEXT)
        assert score(measure(f"word-recall-{engine}{way}"), sample, reduced) == pytest.approx(19 / 24)
        letters = sum(map(len, words(TEXT)))
        lost = sum(map(len, words(LINES[1])))
        recall = score(measure(f"character-recall-{engine}{way}"), sample, reduced)
        assert recall == pytest.approx(1 - lost / letters)


@engines
def test_text_that_is_given_goes_before_the_engines_own_reading(engine: str) -> None:
    given_text, own = measure(f"word-recall-{engine}"), measure(f"word-recall-{engine}-self")
    written, unwritten = sample_of(page(), TEXT), sample_of(page(), None)
    assert (given_text.applies(written), own.applies(written)) == (True, False)
    assert (given_text.applies(unwritten), own.applies(unwritten)) == (False, True)
    for kind in ("photo", "video frame"):
        assert not own.applies(sample_of(page(), None, kind))


@engines
def test_fewer_than_five_words_have_no_score(engine: str) -> None:
    few = np.full((120, 500, 3), 255, np.uint8)
    few[:100] = page()[20:120, :500]
    few[70:] = 255  # "Delivery note 4711" is left
    given_text, own = measure(f"word-recall-{engine}"), measure(f"word-recall-{engine}-self")
    assert not given_text.applies(sample_of(few, "Delivery note 4711"))
    assert score(own, sample_of(few, None), scaled(few, 1)) is None


def test_tesseract_is_not_asked_about_chinese() -> None:
    sample = sample_of(page(), "合计金额十二元整 total")
    assert not measure("word-recall-tesseract").applies(sample)
    assert measure("word-recall-rapidocr").applies(sample)


def test_scores_of_a_real_form_fall_with_its_size(shared_data: Path) -> None:
    path = shared_data / "documents" / "funsd" / "0000971160.png"
    fields = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["form"]
    sample = Sample("form", "document scan", path.read_bytes, Truth(text=" ".join(field["text"] for field in fields)))
    for engine in ENGINES:
        for kind in KINDS[:2]:
            one = measure(f"{kind}-{engine}")
            large, small = (score(one, sample, scaled(sample.pixels, scale)) for scale in (1, 0.25))
            assert large is not None
            assert small is not None
            assert small < 0.5 < 0.6 < large
