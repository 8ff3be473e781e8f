"""`write_report`: puts all parts of a report on one page."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pixtrim.errors import UsageError, require
from pixtrim.evaluation.records import Run, Summary
from pixtrim.evaluation.reducers import BASELINE
from pixtrim.evaluation.report import cases as case_lists
from pixtrim.evaluation.report import tables, words
from pixtrim.evaluation.report.pairs import Gallery, Pair, Pictures, wanted
from pixtrim.evaluation.report.plots import swatch
from pixtrim.evaluation.statistics import ENOUGH
from pixtrim.result import write_whole

__all__ = ["write_report"]

WORST, BEST = 6, 4  # cases that are shown
_HERE: Final = Path(__file__).parent
_MEASURE: Final = "measure "  # before the names of measures among the versions of a run


def write_report(
    run: Run,
    summaries: Sequence[Summary],
    path: Path,
    pictures: Pictures,
    *,
    command: str = "",
    pairs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Write the report of a run: one HTML file, and beside it a folder with its pictures.

    The file holds everything that is read, with the pictures of the cases that it shows; it asks nothing of the
    network, and works from a disk. The folder, ``NAME-pictures`` for ``NAME.html``, holds the pairs at full size,
    without loss, as the links of the report and its viewer open them.

    Parameters
    ----------
    run : Run
        What was found; an interrupted run, or an empty one, is reported as such.
    summaries : sequence of Summary
        The same by kind.
    path : Path
        The HTML file. What is there is replaced, and so are pictures of the same names in the folder.
    pictures : callable
        ``pictures(sample, reducer, budget)`` returns the picture, or None where there is none. It is asked for the
        operators at the run's budgets, for the plain resize at the tokens that each of these costs
        (``("a.png", "resize", "812")``), and for the original as the plain resize to the tokens that it costs itself.
        Calls for one sample follow one another.
    command : str
        What was typed to make it, for those who want to repeat it.
    pairs : int, optional
        How many pairs of pictures are written at most, beside those that are shown; all of them by default.
    progress : callable, optional
        Called with the number of pairs that are done, and of all, after each.

    Raises
    ------
    UsageError
        If the name does not end in .html or .htm.
    MissingExtraError
        If Jinja is not installed.
    OSError
        If a file cannot be written; there is no half of one then.
    """
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"the report is {words.plain(path.name)}: give it a name that ends in .html")
    template = _environment().get_template("page.html.j2")  # before any work, as the extra may be missing
    path.parent.mkdir(parents=True, exist_ok=True)
    found = case_lists.cases_of(run)
    worst, best = (case_lists.chosen(found, n, worst=w) for n, w in ((WORST, True), (BEST, False)))
    gallery = Gallery(path.with_name(f"{path.stem}-pictures"), pictures)
    listed = wanted(found, [*worst, *best], pairs)
    _fill(gallery, listed, [*worst, *best], progress)
    sections = tables.sections(run, summaries)
    page = template.render(
        **_frame(run, summaries, command),
        blocks=tables.verdicts(run, summaries),
        sections=sections,
        upwards=all(section.facts.higher_is_better and not section.facts.describes for section in sections),
        worst=_exhibits(gallery, worst),
        best=_exhibits(gallery, best),
        pairs=list(gallery.pairs.values()),
        all_pairs=len(found),
        index=_index(run, gallery),
        data=[_datum(pair) for pair in gallery.pairs.values()],
        numbers={key: at for at, key in enumerate(gallery.pairs)},
        timings=tables.timings(run),
    )
    write_whole(path, page.encode("utf-8"))


def _fill(gallery: Gallery, listed: Sequence[case_lists.Case], shown: Sequence[case_lists.Case], progress: Any) -> None:
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(listed))

    gallery.add(listed, shown, tell)


def _exhibits(gallery: Gallery, cases: Sequence[case_lists.Case]) -> list[Any]:
    found = (gallery.exhibits.get((case.sample, case.reducer, case.budget)) for case in cases)
    return [exhibit for exhibit in found if exhibit is not None]


def _environment() -> Any:
    jinja = require("jinja2", "evaluate", "the HTML report")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.plain(value) if type(value) is str else value,
    )
    environment.filters |= {name: getattr(words, name) for name in ("capital", "counted", "figure", "signed", "span")}
    return environment


def _frame(run: Run, summaries: Sequence[Summary], command: str) -> dict[str, Any]:
    """Return what the page says around its tables."""
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    operators = [name for name in run.reducers if name != BASELINE]
    tallies = {name: found for name, found in tables.tallies(run, summaries).items() if found[0].all}
    return {
        "run": run,
        "command": command,
        "operators": operators,
        "title": _title(operators),
        "budgets": _budgets(run.budgets),
        "pictures": len({record.sample for record in run.records}),
        "kinds": list(dict.fromkeys(record.kind for record in run.records)),
        "describing_only": bool(operators) and set(run.measures) <= set(run.describing),
        "judged": sum(found[0].all - found[0].few for found in tallies.values()),
        "tallies": tallies,
        "grouped": any(record.group != record.sample for record in run.records),
        "faults": tables.fault_groups(run),
        "enough": ENOUGH,
        "styles": tables.style_of(run.reducers),
        "versions": {name: v for name, v in run.versions.items() if not name.startswith(_MEASURE)},
        "measured": _measured(run),
        "swatch": swatch,
        "style": style,
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    }


def _measured(run: Run) -> dict[str, list[str]]:
    """Return the measures by their versions: most of them share one, as those of an engine do."""
    found: dict[str, list[str]] = {}
    for name, version in run.versions.items():
        if name.startswith(_MEASURE):
            found.setdefault(version, []).append(name.removeprefix(_MEASURE))
    return found


def _title(operators: Sequence[str]) -> str:
    if not operators:
        return "Plain resize"
    if len(operators) > 3:
        return f"{len(operators)} operators beside a plain resize"
    *most, last = operators
    return f"{', '.join(most)} and {last} beside a plain resize" if most else f"{last} beside a plain resize"


def _budgets(budgets: Sequence[str]) -> str:
    shares = [budget for budget in budgets if budget.endswith("%")]
    numbers = [budget for budget in budgets if not budget.endswith("%")]
    parts = [f"{', '.join(shares)} of the original's tokens"] if shares else []
    return " and ".join([*parts, *([f"{', '.join(numbers)} tokens"] if numbers else [])])


def _index(run: Run, gallery: Gallery) -> list[tuple[str, str, int, list[Pair | None]]]:
    """Return a row for each sample: its name, kind and tokens, and its pair for each operator and budget."""
    columns = [(reducer, budget) for reducer in run.reducers if reducer != BASELINE for budget in run.budgets]
    samples = {pair.case.sample: pair.case for pair in gallery.pairs.values()}
    return [
        (name, case.kind, case.tokens_original, [gallery.pairs.get((name, *column)) for column in columns])
        for name, case in samples.items()
    ]


def _datum(pair: Pair) -> dict[str, Any]:
    """Return what the viewer needs of a pair, as a JSON value."""
    case = pair.case
    return {
        "name": words.plain(case.sample),
        "about": f"{case.kind}, {case.reducer} at {case.budget}",
        "titles": ["original", "plain resize", case.reducer],
        "tokens": [case.tokens_original, case.baseline_tokens, case.tokens],
        "files": pair.addresses,
        "grid": pair.grid,
        "scores": [
            [
                score.measure,
                words.figure(score.baseline),
                words.figure(score.score),
                words.signed(score.difference) if score.judges else "",
            ]
            for score in case.scores
            if math.isfinite(score.difference)
        ],
    }
