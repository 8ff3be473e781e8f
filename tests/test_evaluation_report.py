"""The report: what it says, that it needs nothing else, and that no name of a file gets the better of it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.evaluation.records import Fault, Record, Run
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.report import write_report
from pixtrim.evaluation.report.cases import Case, cases_of, chosen
from pixtrim.evaluation.report.pairs import detail_box, map_grid, wanted
from pixtrim.evaluation.report.plots import STYLES, Line, Point, Scale, plot
from pixtrim.evaluation.statistics import summarise
from pixtrim.tokens import resolve

MODEL, BUDGETS, REDUCERS, MEASURES = "qwen3-vl", ("25%", "50%"), ("resize", "fold"), ("words left", "errors made")
SAMPLES = tuple(f"pages/{number}.png" for number in range(6))
VOID = {"meta", "link", "img", "input", "br", "hr"}


def page(name: str) -> NDArray[np.uint8]:
    """Draw a page: a few lines of "text", and much paper."""
    rng = np.random.default_rng([ord(letter) for letter in name])
    pixels = np.full((640, 512, 3), 255, np.uint8)
    for top in rng.choice(np.arange(1, 19), 5, replace=False) * 32:
        pixels[top : top + 12, 64:440] = np.repeat(rng.integers(0, 2, (12, 376, 1), np.uint8) * 200, 3, axis=2)
    return pixels


@cache
def pictures(sample: str, reducer: str, budget: str) -> Reduced | None:
    """Return a picture as the runner makes it."""
    pixels = page(sample)
    height, width = pixels.shape[:2]
    original = resolve(MODEL).count(width, height)
    tokens = int(original * float(budget[:-1]) / 100) if budget.endswith("%") else int(budget)
    if tokens >= original:
        return Reduced(pixels, CoordinateMap.identity(width, height), original)
    return reducer_named(reducer).reduce(pixels, MODEL, tokens)


def records(samples: Sequence[str] = SAMPLES, kinds: Sequence[str] = ("typeset page", "receipt")) -> list[Record]:
    """Return records with the tokens of real reductions; fold reads better by much at 25%, and a bit worse at 50%."""
    found = []
    for number, name in enumerate(samples):
        for budget in BUDGETS:
            for reducer in REDUCERS:
                reduced = pictures(name, reducer, budget)
                assert reduced is not None
                gain = (0.4 + number / 100 if budget == "25%" else -0.05 - number / 100) * (reducer == "fold")
                for measure, sign in zip(MEASURES, (1, -1), strict=True):
                    found.append(
                        Record(
                            sample=name,
                            kind=kinds[0] if number < 5 else kinds[-1],
                            group=name,
                            digest=f"{number:064x}",
                            reducer=reducer,
                            budget=budget,
                            tokens_original=320,
                            tokens=reduced.tokens,
                            tokens_claimed=reduced.tokens,
                            measure=measure,
                            score=0.5 + sign * gain,
                            baseline_tokens=reduced.tokens - 2,
                            baseline_score=0.5,
                            seconds=0.002 * (number + 1),
                        )
                    )
    return found


def run_of(found: list[Record] | None = None, **changes: Any) -> Run:
    run = Run(MODEL, BUDGETS, REDUCERS, MEASURES, "toys/", records() if found is None else found, seconds=61.0)
    run.versions = {"pixtrim": "1.2.3", "machine": "a small one"}
    run.questions, run.lower_is_better = {MEASURES[1]: "How many words were misread?"}, [MEASURES[1]]
    for name, value in changes.items():
        setattr(run, name, value)
    return run


class Page(HTMLParser):
    """What a browser would make of the page: its elements, its text by element, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text += data

    def addresses(self) -> list[str]:
        return [
            value for _, attrs in self.elements for name, value in attrs.items() if name in {"src", "href"} and value
        ]


def written(tmp_path: Path, run: Run, name: str = "report.html", **options: Any) -> Page:
    path = tmp_path / name
    write_report(run, summarise(run, resamples=200), path, options.pop("pictures", pictures), **options)
    found = Page(path.read_text(encoding="utf-8"))
    assert found.open == []
    return found


# The page


def test_the_report_says_what_was_found(tmp_path: Path) -> None:
    found = written(tmp_path, run_of(), command="pixtrim evaluate toys/ --html report.html")
    words = " ".join(found.text.split())
    for part in (
        "6 pictures of 2 kinds",
        "25%, 50% of the original's tokens",
        "How many words were misread?",
        "lower is better",
        "▲ +0.420",  # the mean of the first five; the sign of errors is turned
        "▼ −0.070",
        "2 better, 2 worse, 4 without a verdict",  # the one receipt is too few
        "n = 1, too few for a verdict",
        "pixtrim evaluate toys/ --html report.html",
        "1.2.3",
        "a small one",
        "1 min 1 s",
        "All pairs lie in the folder",
    ):
        assert part in words, part
    places = [words.index(heading) for heading in ("Verdicts Is", "Fidelity against tokens", "Where an operator lost")]
    assert places == sorted(places)
    for absent in ("interrupted", "found in the operators", "could not be done"):
        assert absent not in words


def test_the_report_needs_nothing_but_itself_and_its_folder(tmp_path: Path) -> None:
    found = written(tmp_path, run_of(), "my report #1.html")
    links = {address for address in found.addresses() if not address.startswith(("data:", "#"))}
    assert len(links) > 12
    for link in links:
        assert link.startswith("my%20report%20%231-pictures/")
        with Image.open(tmp_path / unquote(link)) as picture:
            picture.load()
    assert not re.search(r"url\(|@import|https?:", (tmp_path / "my report #1.html").read_text(encoding="utf-8"))


def test_pairs_are_the_pictures_pixel_for_pixel(tmp_path: Path) -> None:
    written(tmp_path, run_of())
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.webp"))
    assert len(files) == 6 * 5  # an original, and for each budget two
    for record in records():
        if record.reducer == "fold":
            place = tmp_path / "report-pictures" / f"{record.sample.translate(str.maketrans('/.', '--'))}-00000000"
            names = f"resize-{record.tokens}", f"fold-{record.budget[:-1]}pct", "original"
            asked = ("resize", str(record.tokens)), ("fold", record.budget), ("resize", "320")
            for name, arguments in zip(names, asked, strict=True):
                expected = pictures(record.sample, *arguments)
                assert expected is not None
                with Image.open(place / f"{name}.webp") as picture:
                    assert np.array_equal(np.asarray(picture), expected.image)
                    assert resolve(MODEL).count(*picture.size) <= record.tokens or name == "original"


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, run_of())
    first, second = (sorted((tmp_path / name).rglob("*.*")) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_faults_errors_and_an_interruption_come_first(tmp_path: Path) -> None:
    run = run_of(
        complete=False,
        faults=[Fault(SAMPLES[0], "fold", "25%", "shifted by 3.1 px", "misaligned")],
        errors=[("broken.png", "it cannot be read")],
    )
    words = " ".join(written(tmp_path, run).text.split())
    parts = ["This run was interrupted", "1 fault found", "misaligned", "shifted by 3.1 px", "broken.png"]
    places = [words.index(part) for part in [*parts, "Is an operator better"]]
    assert places == sorted(places)


def test_what_was_left_out_is_said_before_the_verdicts(tmp_path: Path) -> None:
    note = "at 25%, 2 of 8 pictures are left out: it is <i>less</i> than the model bills"
    words = " ".join(written(tmp_path, run_of(notes=[note])).text.split())
    assert words.index("What was left out") < words.index(note) < words.index("Is an operator better")
    assert "What was left out" not in written(tmp_path, run_of()).text


def test_measures_that_describe_are_shown_and_judge_nothing(tmp_path: Path) -> None:
    page = written(tmp_path, run_of(describing=[MEASURES[1]], lower_is_better=[]))
    words = " ".join(page.text.split())
    assert "describes, does not judge" in words
    assert "1 better, 1 worse, 2 without a verdict" in words  # of the other measure alone
    verdicts, rest = words.split("Fidelity against tokens", 1)
    assert MEASURES[1] not in verdicts
    assert "How many words were misread?" in rest
    best = rest.split("Where an operator won most", 1)[1]
    assert re.search(rf"{MEASURES[1]}\W*0\.500\W*0\.050 (?![+−])", best)  # its figures, and no difference
    assert "further up is better" not in words
    assert "There is no verdict" in written(tmp_path, run_of(describing=list(MEASURES)), "b.html").text


def test_cases_are_not_ranked_by_measures_that_describe() -> None:
    alone = run_of([record for record in records() if record.measure == MEASURES[0]])
    both = run_of(describing=[MEASURES[1]])
    assert [case.rank for case in cases_of(both)] == [case.rank for case in cases_of(alone)]
    assert {len(case.scores) for case in cases_of(both)} == {2}
    assert {case.rank for case in cases_of(run_of(describing=list(MEASURES)))} == {0.0}


@pytest.mark.parametrize(
    ("found", "reducers", "message"),
    [
        ([], REDUCERS, "the run has no scores"),
        ([r for r in records() if r.reducer == "resize"], ("resize",), "Only the plain resize was run"),
        ([replace(r, score=None) for r in records()], REDUCERS, "No measure has a score"),
    ],
)
def test_a_run_without_comparisons_is_reported(
    tmp_path: Path, found: list[Record], reducers: tuple[str, ...], message: str
) -> None:
    assert message in written(tmp_path, run_of(found, reducers=reducers)).text


def test_an_operator_alone_still_stands_beside_the_plain_resize(tmp_path: Path) -> None:
    found = [record for record in records() if record.reducer == "fold"]
    page = written(tmp_path, run_of(found, reducers=("fold",)))
    assert any("plain resize, " in (attrs.get("data-says") or "") for _, attrs in page.elements)


def test_pictures_that_cannot_be_made_again_are_left_out(tmp_path: Path) -> None:
    def some(sample: str, reducer: str, budget: str) -> Reduced | None:
        return None if sample in SAMPLES[:3] or budget == "25%" else pictures(sample, reducer, budget)

    found = written(tmp_path, run_of(), pictures=some)
    assert "3 of 12 pairs" in found.text
    assert "There are no pictures." not in written(tmp_path, run_of(), pictures=some).text
    assert "There are no pairs to show." in written(tmp_path, run_of(), pictures=lambda *_: None).text


def test_the_number_of_pairs_can_be_limited(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = written(tmp_path, run_of(), pairs=0, progress=lambda done, total: seen.append((done, total)))
    assert "10 of 12 pairs" in found.text  # those that are shown stay
    assert seen == [(n, 10) for n in range(1, 11)]


def test_whole_samples_are_kept_kinds_in_turn() -> None:
    cases = cases_of(run_of())
    assert wanted(cases, [], None) == cases
    assert [(c.sample, c.budget) for c in wanted(cases, [], 5)] == [
        (sample, budget) for sample in (SAMPLES[0], SAMPLES[5]) for budget in BUDGETS
    ]


def test_a_report_is_named_html(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the report is report.pdf: give it a name that ends in \.html"):
        written(tmp_path, run_of(), "report.pdf")


# Names that mean harm

HARM = (
    '"><script>window.harm = 1</script>',
    "'><img src=x onerror=window.harm=1>",
    "</td></table></script><svg onload=window.harm=1>",
    "javascript:window.harm=1",
    "{{ 7 * 7 }}{% endraw %}",
    "../../etc\\..\\passwd\n\r\x00\u202e\ud800<!--",
)


def harmful() -> Run:
    samples = tuple(f"{harm}/{number}.png" for number, harm in enumerate(HARM))
    run = run_of(records(samples, kinds=HARM[:2]), dataset=HARM[0])
    run.faults = [Fault(samples[0], "fold", "25%", HARM[1], HARM[2])]
    run.errors = [(harm, harm) for harm in HARM]
    run.versions = {harm: harm for harm in HARM}
    return run


def test_no_name_breaks_out(tmp_path: Path) -> None:
    plain, page = written(tmp_path, run_of(), "a.html"), written(tmp_path, harmful(), "b.html", command=HARM[0])
    expected = {"window.harm = 1", "7 * 7", "\\n\\r\\x00\\u202e\\ud800<!--", "javascript:window.harm=1"}
    assert all(part in page.text for part in expected)
    tags = [
        sum(tag == name for tag, _ in found.elements) for found in (plain, page) for name in ("script", "svg", "img")
    ]
    assert tags[0] == tags[3] == 2
    assert tags[2] == tags[5]
    known = {name for _, attrs in plain.elements for name in attrs} | {"open"}
    assert {name for _, attrs in page.elements for name in attrs} <= known
    for address in page.addresses():
        assert address.startswith(("data:image/webp;base64,", "data:,", "#", "b-pictures/"))
    inside = tmp_path.resolve() / "b-pictures"
    assert all(inside in path.resolve().parents for path in tmp_path.rglob("*.webp") if "a-pictures" not in str(path))


# Which cases are shown


def case(sample: str, rank: float, reducer: str = "fold", kind: str = "page") -> Case:
    return Case(sample, kind, reducer, "50%", "", 200, 100, 99, (), rank)


def test_differences_count_in_units_of_their_spread_with_the_better_side_up() -> None:
    found = {(c.sample, c.budget): c for c in cases_of(run_of())}
    best = found[SAMPLES[5], "25%"]
    assert [score.difference for score in best.scores] == pytest.approx([0.45, 0.45])
    assert best.rank == pytest.approx(0.45 / np.sqrt(np.mean([r**2 for r in _gains()])))
    assert found[SAMPLES[0], "50%"].rank < 0


def _gains() -> list[float]:
    return [gain for number in range(6) for gain in (0.4 + number / 100, -0.05 - number / 100)]


def test_operators_and_kinds_take_turns_and_a_picture_comes_once() -> None:
    cases = [case(f"page {n}", -9 + n) for n in range(6)]
    cases += [case("page 0", -10, "auto"), case("a photo", -1, "fold", "photo"), case("won", 5)]
    found = chosen(cases, 4, worst=True)
    assert [(c.sample, c.reducer) for c in found] == [
        ("page 0", "auto"),
        ("page 1", "fold"),
        ("page 2", "fold"),
        ("a photo", "fold"),
    ]
    assert [c.sample for c in chosen(cases, 4, worst=False)] == ["won"]
    assert chosen([case("even", 0.0)], 4, worst=True) == []


# Plots

FIGURES = st.floats(-1e3, 1e3, allow_nan=False)
POINTS = st.builds(
    lambda tokens, mean, down, up: Point(tokens, mean, mean - down, mean + up, 'says "<&>"'),
    st.floats(1, 1e6),
    FIGURES,
    st.floats(0, 100) | st.just(float("nan")),
    st.floats(0, 100),
)


@given(st.lists(st.lists(POINTS, max_size=5), min_size=1, max_size=4).filter(any))
def test_plots_are_whole_and_inside_their_frame(lines: list[list[Point]]) -> None:
    drawn = [Line(style % (STYLES + 1), tuple(points)) for style, points in enumerate(lines)]
    points = [point for line in lines for point in line]
    scores = Scale.of_scores([v for p in points for v in (p.mean, p.low, p.high)])
    tokens = Scale.of_tokens([p.tokens for p in points])
    text = plot(drawn, tokens, scores, 'a "label" & <more>')
    root = ElementTree.fromstring(text)
    assert "nan" not in text
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    for path in root.iter("path"):
        if "line" in path.attrib["class"] or "band" in path.attrib["class"]:
            numbers = [float(value) for value in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
            assert all(0 <= x <= width for x in numbers[::2])
            assert all(0 <= y <= height for y in numbers[1::2])
    assert len([group for group in root.iter("g") if "data-says" in group.attrib]) == len(points)
    for group in root.iter("g"):
        moved = float(group.attrib.get("transform", "translate(0)").removeprefix("translate(").rstrip(")"))
        for circle in group.iter("circle"):
            assert 0 <= float(circle.attrib["cx"]) + moved <= width


def markers(lines: list[Line], tokens: Scale) -> list[float]:
    """Where the markers of lines lie from left to right."""
    root = ElementTree.fromstring(plot(lines, tokens, Scale.of_scores([0.2, 0.9]), ""))
    moved = {id(marker): float(group.attrib["transform"][10:-1]) for group in root if group.tag == "g" and
             "transform" in group.attrib for marker in group.iter("g")}  # fmt: skip
    return [
        float(marker.find("circle").attrib["cx"]) + moved.get(id(marker), 0.0)  # type: ignore[union-attr]
        for marker in root.iter("g")
        if "data-says" in marker.attrib
    ]


def test_single_points_of_equal_tokens_stand_side_by_side() -> None:
    lines = [Line(style, (Point(tokens, 0.5, 0.4, 0.6),)) for style, tokens in enumerate((495, 492, 492))]
    tokens = Scale.of_tokens([495, 492, 492])
    first, second, third = markers(lines, tokens)
    assert (third - first, second - first) == (pytest.approx(18, abs=4), pytest.approx(9, abs=4))
    assert tokens.high - tokens.low >= 0.2 * 495  # three tokens more look like next to nothing
    apart = [Line(style, (Point(tokens, 0.5, 0.4, 0.6),)) for style, tokens in enumerate((300, 100))]
    left, right = sorted(markers(apart, Scale.of_tokens([100, 300])))
    assert right - left > 200


@given(st.lists(FIGURES, min_size=1, max_size=6))
def test_a_scale_of_scores_holds_them_between_its_ticks(values: list[float]) -> None:
    scale = Scale.of_scores(values)
    slack = 1e-6 * max(1.0, scale.high - scale.low)
    assert scale.low - slack <= min(values) <= max(values) <= scale.high + slack
    assert 2 <= len(scale.ticks) <= 8
    if all(0 <= value <= 1 for value in values):
        assert 0 <= scale.low < scale.high <= 1


def test_more_is_further_up_and_cheaper_further_left() -> None:
    tokens, scores = Scale.of_tokens([100, 900]), Scale.of_scores([0.2, 0.9])
    assert tokens.at(100) < tokens.at(300) < tokens.at(900)
    assert tokens.logarithmic
    line = Line(1, (Point(900, 0.9, 0.8, 0.95), Point(100, 0.2, 0.1, 0.3)))
    root = ElementTree.fromstring(plot([line], tokens, scores, ""))
    path = next(p for p in root.iter("path") if p.attrib["class"].startswith("line"))
    (x0, y0), (x1, y1) = (map(float, spot.split()) for spot in path.attrib["d"][1:].split("L"))
    assert x0 < x1
    assert y0 > y1


# What is enlarged


def test_the_detail_is_where_the_text_is() -> None:
    pixels = np.full((400, 800, 3), 255, np.uint8)
    pixels[300:340, 500:700] = np.random.default_rng(1).integers(0, 2, (40, 200, 1), np.uint8) * 255
    x0, y0, x1, y1 = detail_box(pixels, CoordinateMap.scale((800, 400), (400, 200)))
    assert 0 <= x0 < x1 <= 800
    assert 0 <= y0 < y1 <= 400
    assert y0 <= 300
    assert y1 >= 340
    assert min(x1, 700) - max(x0, 500) > 150
    assert detail_box(pixels[:1, :1], CoordinateMap.identity(1, 1)) == (0, 0, 1, 1)


def test_the_grid_of_a_fold_says_where_its_spots_are() -> None:
    assert map_grid(CoordinateMap.scale((800, 600), (400, 300))) == ""
    folded = CoordinateMap.keep(range(300, 600), None, (800, 600))  # the upper half is gone
    grid = np.frombuffer(base64.b64decode(map_grid(folded)), np.uint8).reshape(13, 13, 2)
    assert np.abs(grid[..., 0] / 255 - np.linspace(0, 1, 13)).max() < 1 / 255
    assert (grid[:7, :, 1] == 0).all()
    assert np.abs(grid[6:, 0, 1] / 255 - np.linspace(0, 1, 7)).max() < 1 / 255


def test_pictures_inside_the_report_are_small(tmp_path: Path) -> None:
    found = written(tmp_path, run_of())
    inside = [address for address in found.addresses() if address.startswith("data:image")]
    assert len(inside) == 10 * 6
    for address in inside:
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            assert max(picture.size) <= 1000
