"""What every operator costs in answers, by kind of picture, beside a plain resize at equal tokens.

Run: python benchmarks/evaluate.py [--quick] [--run NAME] [--save] [--data DIR] [--cache DIR] [--html FILE]

It is `pixtrim evaluate` on all of the evaluation data with the options in `RUNS`, for photos also on those that
benchmarks/scenes.py writes words on. Measures that are registered take part by themselves. --quick takes five pictures
of each kind, one budget and one OCR engine. With --save, the time is kept as well where the cache was empty before.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import scenes
from common import RESULTS, ROOT, SHARED_DATA, Record, arguments, give_up, heading, save, table

from pixtrim.cli import main as pixtrim
from pixtrim.cli.show import INTERRUPTED

SCENES = ROOT / "benchmarks" / ".cache" / "scenes"
MOST_SCENES = 40
PLUGIN = "importance_operators"
SOURCES = ("gradient", "text", "saliency", "both", "attention")
MODEL = "claude-opus-4-7"  # takes nearly every picture whole, and bills small ones by their size, too
RUNS = {
    # All measures that need no endpoint.
    "evaluate": ["--operator", "fold", "auto", "--budget", "25%", "50%", "75%"],
    # What needs importance, with each source of it: all that networks see of photos, and the words in scenes.
    "evaluate-photos": [
        *[f"icdar:{SCENES}", "--kind", "photo", "video frame", "scene text"],
        *["--plugin", str(ROOT / "benchmarks" / f"{PLUGIN}.py")],
        *("--operator", "auto", *(f"{operator}-{source}" for operator in ("warp", "carve") for source in SOURCES)),
        *["--metric", "label-agreement", "embedding-cosine", "patch-cosine", "detection-recall-self"],
        *["saliency-mass", "saliency-scale", "word-recall-tesseract", "--budget", "70%", "50%", "30%"],
    ],
    # Where screens begin to lose their parts.
    "evaluate-screens": [
        *("--kind", "web screenshot", "Android screenshot"),
        *["--metric", "element-recall", "click-accuracy", "--budget", "3%", "6%", "12%", "--operator", "fold", "auto"],
    ],
    # TheTileCompany's measures at its budget, -30% of the pixels.
    "evaluate-published": [
        *("--kind", "photo", "video frame"),
        *["--metric", "pixel-cosine", "embedding-cosine", "patch-cosine", "--budget", "70%"],
    ],
}
ENCODER, DETECTOR = "deit_tiny_fp16.npz", "yolox_nano.onnx"
CACHE = ROOT / "benchmarks" / ".cache" / "evaluate"


def evaluated(options: argparse.Namespace, *words: str) -> Record:
    """Run `pixtrim evaluate` with more words; return what it wrote as JSON, and how long the whole command took."""
    weights = options.data / "weights"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = ["evaluate", str(options.data), *words, "--model", MODEL, "--json", str(file)]
        command += ["--encoder", str(weights / ENCODER), "--detector", str(weights / DETECTOR)]
        command += ["--cache", str(options.cache)]
        if options.workers:
            command += ["--workers", str(options.workers)]
        started = time.perf_counter()
        code = pixtrim(command)
        if code == INTERRUPTED or not file.is_file():
            sys.exit(f"pixtrim evaluate ended with {code}")
        found: Record = json.loads(file.read_text(encoding="ascii"))
    found["elapsed"] = round(time.perf_counter() - started)
    return found


def summaries(name: str, found: Record, kinds: list[str] | None) -> list[Record]:
    """Return the rows to save: those of the run, and those that were saved before of kinds that it had not."""
    rows: list[Record] = found["summaries"]
    if not kinds:
        return rows
    before = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"]
    return [row for row in before if row["kind"] not in kinds] + rows


def about(name: str, found: Record, options: argparse.Namespace) -> Record:
    """Return what a run says beside its figures."""
    if options.kind:  # what was said of the others holds for them
        before = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        kept = {key: before[key] for key in before if key not in ("command", "machine", "figures", "versions")}
        return kept | {"anew": {"kinds": options.kind, "versions": found["versions"]}, "versions": before["versions"]}
    pictures = {record["sample"]: record["kind"] for record in found["records"]}
    groups = {(record["kind"], record["group"]) for record in found["records"]}
    faults = [
        f"{fault['sample']}: {fault['reducer']} at {fault['budget']}: {fault['what']}" for fault in found["faults"]
    ]
    errors = [": ".join(error).replace(f"{options.data}/", "") for error in found["errors"]]
    return {
        "model": found["model"],
        "budgets": found["budgets"],
        "operators": found["reducers"],
        "describing": found["describing"],
        "pictures": dict(Counter(pictures.values())),
        "groups": dict(sorted(Counter(kind for kind, _ in groups).items())),
        "faults": faults,
        "errors": errors,
        "notes": found["notes"],
        "versions": found["versions"],
    }


def verdicts(found: Record) -> list[Record]:
    """Return a line for each operator and budget: how its comparisons came out, by the measures that judge."""
    lines = []
    for operator in found["reducers"][1:]:
        for budget in found["budgets"]:
            rows = [row for row in found["summaries"] if (row["reducer"], row["budget"]) == (operator, budget)]
            counts = Counter(row["verdict"] or "none" for row in rows if row["measure"] not in found["describing"])
            shown = {verdict: counts[verdict] for verdict in ("better", "worse", "none")}
            lines.append({"operator": operator, "budget": budget, "comparisons": counts.total(), **shown})
    return lines


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("What operators cost in answers, beside a plain resize at equal tokens.", "evaluate")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument("--quick", action="store_true", help="five pictures of each kind, one budget, one OCR engine")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where results are kept; a new folder times all anew")
    parser.add_argument("--run", choices=RUNS, action="append", help="only this run; may be repeated (default: all)")
    parser.add_argument(
        "--kind", action="append", help="only this kind of pictures; --save leaves the rows of the others as they are"
    )
    parser.add_argument("--html", type=Path, help="write a report of the first run, as well")
    parser.add_argument("--workers", type=int, help="processes (default: one per processor)")
    options = parser.parse_args()
    if options.quick and options.save:
        parser.error("--quick is a first look: its figures are not saved")
    if not (options.data / "weights" / ENCODER).is_file():
        give_up(f"no evaluation data in {options.data}: name their folder with --data")
    heading()
    scenes.main([str(SCENES), "--data", str(options.data), "--most", str(MOST_SCENES)])
    fresh = not options.cache.exists()
    kinds = ["--kind", *options.kind] if options.kind else []
    report = ["--html", str(options.html)] if options.html else []
    runs = {"evaluate": ["--quick", "--operator", "fold", "warp", "auto"]} if options.quick else RUNS
    runs = {name: words for name, words in runs.items() if not options.run or name in options.run}
    found = {
        name: evaluated(options, *words, *kinds, *(report if name == "evaluate" else []))
        for name, words in runs.items()
    }
    for name, result in found.items():
        print(f"\n{name}: {result['elapsed']} s\n")
        table(verdicts(result))
        if options.save:
            save(name, summaries(name, result, options.kind), lines=True, **about(name, result, options))
    if options.save and fresh and not options.run and not options.kind:  # otherwise most results were there already
        save("evaluate-time", [{"run": name, "seconds": result["elapsed"]} for name, result in found.items()])
    if any(result["faults"] for result in found.values()):
        sys.exit("faults of operators were found: what these score says nothing")


if __name__ == "__main__":
    main()
