"""What every operator costs in answers, by kind of picture, beside a plain resize at equal tokens.

Run: python benchmarks/evaluate.py [--quick] [--save] [--data DIR] [--cache DIR] [--html FILE] [--workers N]

It is `pixtrim evaluate` on all of the evaluation data, twice: at three budgets by all measures that need no endpoint,
and at 70% by the measures that TheTileCompany published, which removes 30% of the pixels. Operators and measures that
are registered take part by themselves. --quick takes five pictures of each kind, one budget and one OCR engine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from common import ROOT, SHARED_DATA, Record, arguments, give_up, heading, save, table

from pixtrim.cli import main as pixtrim

MODEL = "claude-opus-4-7"  # takes nearly every picture whole, and bills small ones by their size, too
BUDGETS = ("25%", "50%", "75%")
ENCODER, DETECTOR = "deit_tiny_fp16.npz", "yolox_nano.onnx"
PUBLISHED = {
    "budget": "70%",
    "kinds": ("photo", "video frame"),
    "metrics": ("pixel-cosine", "embedding-cosine", "patch-cosine"),
}
CACHE = ROOT / "benchmarks" / ".cache" / "evaluate"
INTERRUPTED = 130


def evaluated(options: argparse.Namespace, *words: str) -> Record:
    """Run `pixtrim evaluate` with more words; return what it wrote as JSON, and how long the whole command took."""
    weights = options.data / "weights"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = ["evaluate", str(options.data), "--model", MODEL, "--json", str(file), "--cache", str(options.cache)]
        command += ["--encoder", str(weights / ENCODER), "--detector", str(weights / DETECTOR), *words]
        if options.workers:
            command += ["--workers", str(options.workers)]
        started = time.perf_counter()
        code = pixtrim(command)
        if code == INTERRUPTED or not file.is_file():
            sys.exit(code)
        found: Record = json.loads(file.read_text(encoding="ascii"))
    found["elapsed"] = round(time.perf_counter() - started)
    return found


def first(options: argparse.Namespace) -> Record:
    """All measures at three budgets."""
    words = ["--quick"] if options.quick else ["--budget", *BUDGETS]
    return evaluated(options, *words, *(["--html", str(options.html)] if options.html else []))


def second(options: argparse.Namespace) -> Record:
    """The measures of others, at their budget, on pictures of the world."""
    words = ["--kind", *PUBLISHED["kinds"], "--metric", *PUBLISHED["metrics"], "--budget", PUBLISHED["budget"]]
    return evaluated(options, *words, *(["--quick"] if options.quick else []))


def without_folder(text: str, options: argparse.Namespace) -> str:
    """Take the place of the data out of a line: it says nothing to others."""
    return text.replace(f"{options.data}/", "")


def about(found: Record, options: argparse.Namespace) -> Record:
    """Return what a run says beside its figures."""
    pictures = {record["sample"]: record["kind"] for record in found["records"]}
    kinds = list(dict.fromkeys(pictures.values()))
    return {
        "budgets": found["budgets"],
        "operators": found["reducers"],
        "pictures": {kind: list(pictures.values()).count(kind) for kind in kinds},
        "groups": groups(found),
        "faults": [without_folder(json.dumps(fault), options) for fault in found["faults"]],
        "errors": [without_folder(": ".join(error), options) for error in found["errors"]],
        "notes": found["notes"],
        "seconds": found["elapsed"],
    }


def groups(found: Record) -> dict[str, int]:
    """Count the independent groups of pictures, by kind."""
    named = dict.fromkeys((record["kind"], record["group"]) for record in found["records"])
    kinds = [kind for kind, _ in named]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def shown(found: Record) -> list[Record]:
    """Return one line for each operator and budget: how many of its comparisons came out how."""
    lines = []
    for operator in found["reducers"][1:]:
        for budget in found["budgets"]:
            rows = [
                row
                for row in found["summaries"]
                if (row["reducer"], row["budget"]) == (operator, budget) and row["measure"] not in found["describing"]
            ]
            verdicts = [row["verdict"] or "none" for row in rows]
            counts = {verdict: verdicts.count(verdict) for verdict in ("better", "worse", "none")}
            lines.append({"operator": operator, "budget": budget, "comparisons": len(rows), **counts})
    return lines


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("What operators cost in answers, beside a plain resize at equal tokens.", "evaluate")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument("--quick", action="store_true", help="five pictures of each kind, one budget, one OCR engine")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where results are kept; a new folder times all anew")
    parser.add_argument("--html", type=Path, help="write a report to look at, as well")
    parser.add_argument("--workers", type=int, help="processes (default: one per processor)")
    options = parser.parse_args()
    if options.quick and options.save:
        parser.error("--quick is a first look: its figures are not saved")
    if not (options.data / "weights" / ENCODER).is_file():
        give_up(f"no evaluation data in {options.data}: name their folder with --data")
    heading()
    found, published = first(options), second(options)
    table(shown(found))
    print(f"{found['elapsed']} s and {published['elapsed']} s; all rows are above, faults and errors on stderr")
    if options.save:
        versions = {name: version for name, version in found["versions"].items() if name != "machine"}
        save(
            "evaluate",
            found["summaries"],
            lines=True,
            model=MODEL,
            **about(found, options),
            describing=found["describing"],
            versions=versions,
        )
        save("evaluate-published", published["summaries"], lines=True, model=MODEL, **about(published, options))
    if found["faults"] or published["faults"]:
        sys.exit("faults of operators were found: their figures say nothing")


if __name__ == "__main__":
    main()
