"""Word recall at equal tokens: how much of a text Tesseract still reads, beside plain resizing.

Run: python benchmarks/recall.py [--set pdf | kinds] [--data DIR] [--budgets 400 600 1000 1568] [--share 0.4] [--save]

--set pdf reduces typeset pages to budgets in tokens, with their text layers as truth; beside it stand the figures of
the first prototype and the targets. --set kinds reduces pictures of other kinds to a share of their tokens; where
nobody wrote their words down, what is read in the whole picture is the truth. Recall is the share of the words of
three letters or more, as a multiset; the figures are means over the pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeVar

import kinds
import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, pixels_of, save, table
from ocr import Words, read, recall, tesseract_version
from PIL import Image

from pixtrim import Shrunk, shrink
from pixtrim.tokens import resolve

BUDGETS = [400, 600, 1000, 1568]
PROTOTYPE = {
    400: {"prototype resize": 0.09, "prototype fold": 0.66, "target": 0.72},
    600: {"prototype resize": 0.41, "prototype fold": 0.875, "target": 0.90},
    1000: {"prototype resize": 0.77, "prototype fold": 0.93, "target": 0.96},
    1568: {"prototype resize": 0.92, "prototype fold": 0.95, "target": 0.97},
}
MODELS = {"pdf": "claude-sonnet-4-5", "kinds": "claude-opus-4-7"}  # the latter takes nearly every picture whole
OPERATORS: tuple[Literal["resize", "fold", "auto"], ...] = ("resize", "fold", "auto")
WORKERS = 2
FEWEST_WORDS = 5

Task = TypeVar("Task")


def reduce(pixels: Pixels, model: str, budget: float | int, operator: Literal["resize", "fold", "auto"]) -> Shrunk:
    """Reduce a picture, and check that it is within its budget."""
    shrunk = shrink(pixels, model, budget, operator)
    report = shrunk.report
    counted = resolve(model).count(report.width, report.height)
    assert counted == report.tokens_after <= min(report.tokens_before, report.budget or counted), report
    return shrunk


def described(shrunk: Shrunk) -> Record:
    """Say what an operator did."""
    report = shrunk.report
    size, scale = f"{report.width}x{report.height}", report.text_scale
    return {"operator": report.operator, "size": size, "tokens": report.tokens_after, "text scale": scale}


def page(path: Path, truth: Words, model: str, budget: int) -> Record:
    """Measure a page at a budget: each operator, and Pillow's Lanczos filter at the size of the plain resize."""
    pixels = pixels_of(path)
    record: Record = {"page": path.stem, "budget": budget, "words": truth.total()}
    record["unreduced"] = recall(read(pixels), truth)
    for operator in OPERATORS:
        shrunk = reduce(pixels, model, budget, operator)
        record[operator] = {**described(shrunk), "recall": recall(read(shrunk.image), truth)}
        if operator == "resize":
            size = shrunk.report.width, shrunk.report.height
            lanczos = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
            record["Pillow Lanczos"] = recall(read(lanczos), truth)
    return record


def picture(kind: kinds.Kind, path: Path, model: str, share: float) -> Record | None:
    """Measure a picture at a share of its tokens; None where there is too little to read."""
    pixels = pixels_of(path)
    whole = read(pixels)
    truth = kind.truth(path) if kind.truth else whole
    if truth.total() < FEWEST_WORDS:
        return None
    record: Record = {"kind": kind.name, "picture": path.name, "words": truth.total()}
    record["unreduced"] = recall(whole, truth)
    for operator in ("resize", "auto"):
        shrunk = reduce(pixels, model, share, operator)
        record[operator] = {**described(shrunk), "recall": recall(read(shrunk.image), truth)}
    return record


def photo(kind: kinds.Kind, path: Path, model: str, share: float) -> Record:
    """Compare what `auto` does with a photo to the plain resize."""
    pixels = pixels_of(path)
    plain, auto = (reduce(pixels, model, share, operator) for operator in ("resize", "auto"))
    same = np.array_equal(plain.image, auto.image)
    return {"kind": kind.name, "picture": path.name, "operator": auto.report.operator, "equal": same}


def page_line(record: Record) -> Record:
    """Show a page at a budget: the recall of each operator, and what `auto` did."""
    shown = {key: value for key, value in record.items() if not isinstance(value, dict)}
    recalls = {name: record[name]["recall"] for name in OPERATORS}
    return {**shown, **recalls, **{key: value for key, value in record["auto"].items() if key != "recall"}}


def pages_table(records: Sequence[Record], budgets: Sequence[int]) -> list[Record]:
    """Sum up the pages: one line for each budget."""
    lines = []
    for budget in budgets:
        pages = [record for record in records if record["budget"] == budget]
        line: Record = {"budget": budget, "pages": len(pages)}
        line |= {name: fmean(one[name] for one in pages) for name in ("unreduced", "Pillow Lanczos")}
        line |= {name: fmean(one[name]["recall"] for one in pages) for name in OPERATORS}
        lines.append({**line, **PROTOTYPE.get(budget, {})})
    return lines


def kinds_table(records: Sequence[Record]) -> list[Record]:
    """Sum up the kinds: one line each."""
    lines = []
    for kind in kinds.TEXTS:
        found = [record for record in records if record["kind"] == kind.name]
        if not found:
            continue
        gains = [one["auto"]["recall"] - one["resize"]["recall"] for one in found]
        chosen = Counter(one["auto"]["operator"] for one in found)
        lines.append(
            {
                "kind": kind.name,
                "truth": "given" if kind.truth else "read in the whole",
                "n": len(found),
                "unreduced": fmean(one["unreduced"] for one in found),
                "resize": fmean(one["resize"]["recall"] for one in found),
                "auto": fmean(one["auto"]["recall"] for one in found),
                "auto below resize": sum(gain < 0 for gain in gains),
                "worst": min(0.0, *gains),
                "chosen": ", ".join(f"{name} {count}" for name, count in chosen.most_common()),
            }
        )
    return lines


def photos_table(records: Sequence[Record]) -> list[Record]:
    """Sum up the photos: one line for each collection."""
    lines = []
    for kind in kinds.PHOTOS:
        found = [record for record in records if record["kind"] == kind.name]
        chosen = Counter(one["operator"] for one in found)
        if found:
            equal = sum(one["equal"] for one in found)
            names = ", ".join(f"{name} {count}" for name, count in chosen.most_common())
            lines.append({"photos": kind.name, "n": len(found), "auto equals resize": equal, "chosen": names})
    return lines


def losers(records: Sequence[Record], photos: Sequence[Record]) -> list[Record]:
    """List the pictures on which `auto` is below the plain resize, and the photos that it does not leave to it."""
    below = [
        {"below resize": one["kind"], "picture": one["picture"], "words": one["words"]}
        | {name: one[name]["recall"] for name in ("resize", "auto")}
        for one in records
        if one["auto"]["recall"] < one["resize"]["recall"]
    ]
    return below + [{"below resize": one["kind"], "picture": one["picture"]} for one in photos if not one["equal"]]


def parallel(tasks: Iterable[Task], measure: Callable[[Task], Any]) -> list[Any]:
    """Measure on two cores, and show how far that is."""
    tasks = list(tasks)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(measure, task) for task in tasks]
        for done, future in enumerate(as_completed(running), 1):
            future.result()
            print(f"\r{done} of {len(tasks)}", end="", file=sys.stderr, flush=True)
    print("\r", end="", file=sys.stderr)
    return [future.result() for future in running]


def pdf(options: argparse.Namespace) -> Record:
    """Measure the typeset pages and print them."""
    paths = kinds.PDF.pictures(options.data)
    tasks = [(path, kinds.text_layer(path), options.model, budget) for path in paths for budget in options.budgets]
    records = parallel(tasks, lambda task: page(*task))
    summary = pages_table(records, options.budgets)
    table(page_line(record) for record in records)
    table(summary)
    return {"summary": summary, "pages": records}


def other(options: argparse.Namespace) -> Record:
    """Measure the other kinds and print them."""
    tasks = [(kind, path, options.model, options.share) for kind in kinds.TEXTS for path in kind.pictures(options.data)]
    records = [one for one in parallel(tasks, lambda task: picture(*task)) if one]
    tasks = [
        (kind, path, options.model, options.share) for kind in kinds.PHOTOS for path in kind.pictures(options.data)
    ]
    photos = parallel(tasks, lambda task: photo(*task))
    summary = [kinds_table(records), photos_table(photos)]
    for lines in (*summary, losers(records, photos)):
        if lines:
            table(lines)
    return {"summary": summary[0], "photos": summary[1], "pictures": records}


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("Word recall at equal tokens, beside plain resizing.", "recall-SET")
    parser.add_argument("--set", choices=("pdf", "kinds"), default="pdf", help="which pictures (default: pdf)")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument(
        "--model", help="whose tokens count (default: claude-sonnet-4-5; of --set kinds, claude-opus-4-7)"
    )
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="tokens of a page (--set pdf)")
    parser.add_argument("--share", type=float, default=0.4, help="share of the tokens (--set kinds; default: 0.4)")
    options = parser.parse_args()
    options.model = options.model or MODELS[options.set]
    if not kinds.PDF.pictures(options.data):
        give_up(f"no evaluation data in {options.data}: name their folder with --data")
    version = tesseract_version()
    heading()
    print(f"tesseract {version}, tokens of {options.model}\n")
    figures = pdf(options) if options.set == "pdf" else other(options)
    if options.save:
        save(f"recall-{options.set}", figures, tesseract=version, model=options.model)


if __name__ == "__main__":
    main()
