"""The tables of measured data, and of what follows from data in the code, as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pixtrim.engines.families import FAMILIES, TILED
from pixtrim.evaluation.statistics import ENOUGH

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def recall_pdf() -> str:
    rows = results("recall-pdf")["summary"]
    header = ("tokens", "plain resize", "fold", "auto", "Pillow's Lanczos resize")
    keys = ("budget", "resize", "fold", "auto", "Pillow Lanczos")
    return markdown(header, ([shown(row[key]) for key in keys] for row in rows))


def recall_kinds() -> str:
    rows = results("recall-kinds")["summary"]
    header = ("kind", "pictures", "unreduced", "plain resize", "auto", "below plain resize", "by at worst", "chosen")
    keys = ("kind", "n", "unreduced", "resize", "auto", "auto below resize", "worst", "chosen")
    return markdown(header, ([shown(row[key]) for key in keys] for row in rows))


def legibility() -> str:
    return of_records("legibility", ("lines, px", "pages", "recall", "worst"))


def filters() -> str:
    return of_records("filters", ("mean of", "n", "area", "bicubic", "lanczos"))


def fold() -> str:
    parts = ("noise", "changes", "blocks", "plan", "apply")
    keys = ("picture", "size", "fold", *parts, "area, same size", "same size / fold")
    header = ("picture", "size", "fold, ms", *parts, "OpenCV area resize, ms", "OpenCV / fold")
    return markdown(header, ([shown(row[key], 2) for key in keys] for row in results("fold")))


def shrink() -> str:
    parts = ("decode", "changes", "inspect", "plan", "apply", "resize", "encode")
    keys = ("picture", "size", "operator", "pixtrim ms", *parts, "Pillow ms")
    header = ("picture", "size", "operator", "shrink", *parts, "Pillow: open, Lanczos, save")
    return markdown(header, ([shown(row[key], 1) for key in keys] for row in results("shrink")))


def carve() -> str:
    keys = ("from", "to", "what", "ms", "target", "ratio", "MB")
    header = ("from", "to", "what", "ms", "target", "times a gradient carve", "peak MB beside the picture")
    return markdown(
        header, (["" if row[key] is None else shown(row[key], 1) for key in keys] for row in results("carve"))
    )


def carve_quality() -> str:
    keys = ("importance", "energy", "strength", "rounds", "seams_per_pass", "object", "gradient")
    header = (*keys[:4], "seams a pass", "of the object", "of the gradient")
    return markdown(header, ([shown(row[key]) for key in keys] for row in results("carve-quality")))


def tile_company() -> str:
    header = ("measure", "way", "mean", "95% interval", "least", "less plain resize", "its interval")
    lines = []
    for row in sorted(results("tile-company"), key=lambda row: row["measure"]):
        own, other = (f"{row[f'{part}low']:.3f} to {row[f'{part}high']:.3f}" for part in ("", "difference_"))
        figures = [shown(row[key]) for key in ("mean", "least", "difference")]
        lines.append((row["measure"], row["way"], figures[0], own, *figures[1:], other))
    return markdown(header, lines)


def prune_kinds() -> str:
    selectors = ("raster", "serpentine", "pred_2d", "pred_near", "unique")
    header = ("kind", "pictures", "fit", "tokens", *selectors, "hidden by pred_near", "hidden by unique")
    keys = ("kind", "pictures", "fit", "tokens", *selectors, "pred_near hidden", "unique hidden")
    rows = [row for row in results("prune") if not row["threshold"]]
    return markdown(header, ([shown(row[key]) for key in keys] for row in rows))


def prune_thresholds() -> str:
    selectors = ("pred_2d", "pred_near", "unique")
    rows = {(row["kind"], row["threshold"]): row for row in results("prune") if row["fit"] == "resize"}
    thresholds = sorted({threshold for _, threshold in rows})
    header = ("kind", *(f"{selector}, {threshold:g}" for selector in selectors for threshold in thresholds))
    kinds = dict.fromkeys(kind for kind, _ in rows)
    return markdown(
        header,
        ([kind, *(shown(rows[kind, t][selector]) for selector in selectors for t in thresholds)] for kind in kinds),
    )


def prune_sequences() -> str:
    saved = saved_as("prune")["sequences"]
    return markdown(list(saved[0]), ([shown(value) for value in row.values()] for row in saved))


def published() -> str:
    saved = results("published-speed")
    keys = ("picture", "size", "tokens", "kept", "threshold", "pixtrim", "published", "copy")
    ratios = ("published / pixtrim", "pixtrim / copy")
    header = (*keys[:5], "pixtrim, ms", "published, ms", "copy, ms", *ratios)
    rows = ([shown(row[key], 2) for key in keys] + [shown(row[key], 1) for key in ratios] for row in saved)
    return markdown(header, rows)


def evaluated(name: str, *measures: str) -> str:
    """Return a table for each measure: a row for each kind and operator, with a cell for each budget.

    Operators that agree share a row.
    """
    saved = saved_as(name)
    rows = {tuple(row[key] for key in ("measure", "kind", "reducer", "budget")): row for row in saved["figures"]}
    shared: dict[str, dict[tuple[str, ...], list[str]]] = {measure: {} for measure in measures}
    for measure, kind, operator in dict.fromkeys(key[:3] for key in rows):
        if measure in measures and operator != "resize":
            found = [rows.get((measure, kind, operator, budget)) for budget in saved["budgets"]]
            line = (kind, pictures(found), *map(compared, found))
            shared[measure].setdefault(line, []).append(operator)
    header = ("kind", "n", "operator", *saved["budgets"])
    tables = []
    for measure, lines in shared.items():
        cells = [(*line[:2], ", ".join(operators), *line[2:]) for line, operators in lines.items()]
        tables.append(f"`{measure}`\n\n{markdown(header, cells)}")
    return "\n".join(tables)


def pictures(rows: Sequence[Any]) -> str:
    """Write how many pictures there are, and in brackets how many groups these are of, where these are fewer."""
    counts = dict.fromkeys((row["pictures"], row["groups"]) for row in rows if row)
    return " to ".join(unbroken(f"{n} ({groups})") if groups < n else f"{n}" for n, groups in sorted(counts))


def compared(row: Any) -> str:
    """Write the operator's score and the plain resize's with the verdict, and below the interval of the difference.

    Of fewer groups than a verdict needs, an interval would promise too much.
    """
    if not row:
        return "-"
    low, high = row["difference_low"], row["difference_high"]
    if row["difference"] == low == high == 0:
        return unbroken(f"{row['mean']:.3f} =")
    mark = {"better": " ▲", "worse": " ▼"}.get(row["verdict"], "")
    scores = unbroken(f"{row['mean']:.3f} / {row['baseline_mean']:.3f}{mark}")
    return f"{scores}<br>{unbroken(f'{low:+.3f} to {high:+.3f}')}" if row["groups"] >= ENOUGH else scores


def unbroken(text: str) -> str:
    """Keep a narrow text on one line: without zeros before points, and with spaces at which no line ends."""
    return re.sub(r"\b0\.", ".", text).replace(" ", "\N{NO-BREAK SPACE}")


def evaluate_verdicts() -> str:
    """Return how often each operator was better and worse, over all kinds and all measures that judge."""
    saved = saved_as("evaluate")
    lines = []
    for operator in saved["operators"][1:]:
        for budget in saved["budgets"]:
            verdicts = [
                row["verdict"]
                for row in saved["figures"]
                if (row["reducer"], row["budget"]) == (operator, budget) and row["measure"] not in saved["describing"]
            ]
            counts = [str(verdicts.count(verdict)) for verdict in ("better", "worse", "")]
            lines.append((operator, budget, str(len(verdicts)), *counts))
    return markdown(("operator", "budget", "comparisons", "better", "worse", "no verdict"), lines)


def evaluate_losses() -> str:
    """Return every comparison in which `auto` was worse."""
    rows = [row for row in saved_as("evaluate")["figures"] if (row["reducer"], row["verdict"]) == ("auto", "worse")]
    lines = [(row["measure"], row["kind"], pictures([row]), row["budget"], compared(row)) for row in rows]
    return markdown(("measure", "kind", "n", "budget", "auto / plain resize"), lines)


def engine() -> str:
    """Return the times of the transformers engine: a row for each page and size of the model."""
    lines = []
    for path in sorted(RESULTS.glob("engine-[0-9]*.json")):
        saved = json.loads(path.read_text(encoding="utf-8"))
        for row in saved["figures"]:
            first, step = row["first token"], row.get("training")
            ratios = [first["full / pruned"], first["of the encoder"], first["of the prefill"]]
            lines.append(
                (
                    saved["model"].split(",")[0],
                    f"`{Path(row['page']).parent.name}/{Path(row['page']).name}`",
                    str(first["tokens"]),
                    f"{first['kept']:.0%}",
                    *(f"{ratio:.1f}" for ratio in ratios),
                    f"{step['full / pruned']:.1f}" if step else "",
                    f"{first['selector share']:.2%}",
                )
            )
    header = ("model", "page", "tokens", "kept", "first token", "encoder", "prefill", "training step")
    return markdown((*header, "selector"), lines)


def engine_published() -> str:
    """Return the engine beside PixelPrune's published code: a row for each page."""
    lines = []
    for row in results("engine-published"):
        ours, theirs = row["pixtrim"], row["published"]
        lines.append(
            (
                f"`{Path(row['page']).parent.name}/{Path(row['page']).name}`",
                f"{ours['kept']:.0%}, {theirs['kept']:.0%}",
                f"{ours['full / pruned']:.1f}, {theirs['full / pruned']:.1f}",
                f"{ours['stages']['selector']:.1f}, {theirs['stages']['selector']:.1f}",
                f"{ours['selector share']:.2%}, {theirs['selector share']:.2%}",
                f"{ours['added share']:.1%}",
            )
        )
    header = ("page", "kept", "first token", "selector, ms", "share of the selector", "all that pixtrim adds")
    return markdown(header, lines)


def vllm_serving() -> str:
    """Return what two servers did, stock and pruned: a row for each share of noise in the pictures."""
    rows = results("vllm-serving")
    pairs = [(stock, pruned) for stock, pruned in zip(rows[::2], rows[1::2], strict=True)]
    lines = [
        (
            f"{stock['noise']:.0%}",
            *(f"{stock[name]:g}, {pruned[name]:g}" for name in ("prompt tokens", "requests/s")),
            f"{pruned['times as many']:.1f}",
            f"{stock['first token, median s']:.1f}, {pruned['first token, median s']:.1f}",
        )
        for stock, pruned in pairs
    ]
    header = ("noise in the picture", "prompt tokens", "requests/s", "times as many", "first token, median s")
    return markdown(header, lines)


def gateway() -> str:
    """Return what the gateway adds to requests of several kinds."""
    rows = results("gateway")
    names = [name for name in rows[0] if name.endswith("adds ms")]
    lines = [(row["request"], str(row["KB"]), *(shown(row[name], 2) for name in ("direct ms", *names))) for row in rows]
    return markdown(("request", "KB", "direct, ms", *(name.replace(" ms", ", ms") for name in names)), lines)


def gateway_stages() -> str:
    """Return where the gateway's work on one new image goes, and what Pillow alone would take."""
    stages = {name: value for name, value in saved_as("gateway")["stages"].items() if isinstance(value, float)}
    peer = next(name for name in stages if name.startswith("Pillow"))
    beside = stages.pop(peer)
    values = [*stages.values(), sum(stages.values()), beside]
    return markdown((*stages, "all, ms", f"beside: {peer}"), [[shown(value, 1) for value in values]])


def gateway_quality() -> str:
    """Return the words that are left after the gateway's default, by model and kind of picture."""
    rows = saved_as("gateway-quality")["summary"]
    engines, pictures = ("Tesseract", "RapidOCR"), ("original", "gateway", "resize")
    lines = []
    for row in rows:
        words = [", ".join(shown(row[f"{engine}, {name}"], 2) for name in pictures) for engine in engines]
        lines.append((row["model"], row["kind"], str(row["pictures"]), f"{row['tokens left']:.0%}", *words))
    header = ("model", "pictures", "n", "tokens left", *(f"{engine}: original, gateway, resize" for engine in engines))
    return markdown(header, lines)


def engine_families() -> str:
    """Return the models that the engines know, and what becomes of their pictures."""
    whole = "tokens are left out before the encoder"
    rows = [(family.title, f"`{name}`", whole, "yes" if family.video else "no") for name, family in FAMILIES.items()]
    for name, tiling in TILED.items():
        done = "nothing, for all cost the same" if tiling.layout == "square" else "pictures become smaller"
        rows.append((tiling.title, f"`{name}`", f"{tiling.why}: {done}", "as they are"))
    return markdown(("models", "`model_type`", "what is done", "clips"), rows)


READ = tuple(f"word-recall-{engine}{truth}" for truth in ("", "-self") for engine in ("tesseract", "rapidocr"))
PARTS, LABELS = ("element-recall", "click-accuracy"), ("element-text-tesseract", "element-text-rapidocr")
SEEN = ("object-ssim", "saliency-scale", "detection-recall-yolox-nano-self")
ENCODED = tuple(f"{measure}-deit-tiny-fp16" for measure in ("label-agreement", "embedding-cosine", "patch-cosine"))
GUIDED = ("word-recall-tesseract", "saliency-scale", "detection-recall-yolox-nano-self", *ENCODED)
PUBLISHED = ("pixel-cosine", "embedding-cosine-deit-tiny-fp16", "patch-cosine-deit-tiny-fp16")

TABLES = {
    "evaluate-verdicts": evaluate_verdicts,
    "evaluate-losses": evaluate_losses,
    "evaluate-text": partial(evaluated, "evaluate", *READ),
    "evaluate-labels": partial(evaluated, "evaluate", *LABELS),
    "evaluate-screens": partial(evaluated, "evaluate-screens", *PARTS),
    "evaluate-photos": partial(evaluated, "evaluate", *SEEN, *ENCODED),
    "evaluate-ssim": partial(evaluated, "evaluate", "ssim"),
    "evaluate-kept": partial(evaluated, "evaluate", "kept-ratio"),
    "evaluate-published": partial(evaluated, "evaluate-published", *PUBLISHED),
    "importance-photos": partial(evaluated, "evaluate-photos", *GUIDED),
    "tile-company": tile_company,
    "carve": carve,
    "carve-quality": carve_quality,
    "prune-kinds": prune_kinds,
    "prune-thresholds": prune_thresholds,
    "prune-sequences": prune_sequences,
    "published": published,
    "recall-pdf": recall_pdf,
    "recall-kinds": recall_kinds,
    "legibility": legibility,
    "filters": filters,
    "fold": fold,
    "shrink": shrink,
    "engine": engine,
    "engine-published": engine_published,
    "vllm-serving": vllm_serving,
    "gateway": gateway,
    "gateway-stages": gateway_stages,
    "gateway-quality": gateway_quality,
    "engine-families": engine_families,
}


def results(name: str) -> Any:
    """Return the figures that a benchmark saved."""
    return saved_as(name)["figures"]


def saved_as(name: str) -> Any:
    """Return all that a benchmark saved."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def of_records(name: str, keys: Sequence[str]) -> str:
    return markdown(keys, ([shown(row[key]) for key in keys] for row in results(name)))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shown(value: object, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
