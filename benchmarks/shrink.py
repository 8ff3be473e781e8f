"""Time the whole of `shrink`, from the bytes of a 1920x1080 PNG to the bytes of the reduced one, on one core.

Run: python benchmarks/shrink.py [--budget 800] [--save]

Beside it stands what people do today: Pillow opens the file, resizes it to the same size with its Lanczos filter, and
saves it with its default settings. The stages are the work of `shrink` in pieces, and should add up to it: `overhead`
is the part that they do not explain. Pictures of other sizes are the other examples.
"""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from common import ROUNDS, Record, Stopwatch, arguments, examples, heading, interleaved, noise, save, stages, table
from PIL import Image

from pixtrim import load, shrink
from pixtrim.inspection import inspect
from pixtrim.legibility import COMFORTABLE_HEIGHT, text_height
from pixtrim.operators.fold import Analysis, gap_for
from pixtrim.operators.fold.changes import Changes, measure_noise
from pixtrim.operators.resize import resize
from pixtrim.pipeline import STRETCH, WORTH_FOLDING
from pixtrim.result import file_of
from pixtrim.tokens import largest_size, resolve

MODEL = "claude-opus-4-7"
STAGES = ("decode", "changes", "inspect", "text height", "plan", "apply", "resize", "encode")


def whole(data: bytes, budget: int) -> bytes:
    """Do what is timed."""
    return shrink(data, MODEL, budget).encode()


def pillow(data: bytes, size: tuple[int, int]) -> bytes:
    """Do the same by plain resizing."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize(size, Image.Resampling.LANCZOS).save(stream, "PNG")
    return stream.getvalue()


def in_stages(data: bytes, budget: int) -> tuple[Stopwatch, bytes]:
    """Do the same as `shrink` in pieces, and time them."""
    rule = resolve(MODEL)

    def fitted(width: int, height: int) -> tuple[int, int]:
        return largest_size(rule, width, height, budget, stretch=STRETCH)

    def scale_of(width: int, height: int) -> float:
        across, down = fitted(width, height)
        return min(across / width, down / height)

    watch = Stopwatch()
    pixels = np.ascontiguousarray(load(data).pixels)
    height, width = pixels.shape[:2]
    watch("decode")
    changes = Changes(pixels, measure_noise(pixels))
    watch("changes")
    inspection = inspect(pixels, changes=changes)
    watch("inspect")
    lines = text_height(changes)
    watch("text height")
    scaled = scale_of(width, height)
    enough = min(COMFORTABLE_HEIGHT / lines, 1.0) if lines else 1.0
    plan = None
    if inspection.foldable and scaled < enough:
        analysis = Analysis(changes.protected(inspection.plots))
        gap = gap_for(analysis, scale_of, enough)
        worth = scale_of(*analysis.size(gap)) >= WORTH_FOLDING * scaled
        plan = analysis.plan(gap) if worth else None
    watch("plan")
    reduced = plan.apply(pixels) if plan else pixels
    watch("apply")
    size = fitted(reduced.shape[1], reduced.shape[0])
    reduced = reduced if size == reduced.shape[1::-1] else resize(reduced, size)
    watch("resize")
    file = file_of(reduced, "PNG")
    watch("encode")
    return watch, file


def measure(name: str, data: bytes, budget: int) -> Record:
    """Time one picture."""
    shrunk = shrink(data, MODEL, budget)
    report = shrunk.report
    size = report.width, report.height
    assert in_stages(data, budget)[1] == shrunk.encode(), f"{name}: the stages are no longer those of shrink"
    runs: list[Stopwatch] = []
    ms = interleaved(
        {
            "pixtrim": partial(whole, data, budget),
            "Pillow": partial(pillow, data, size),
            "stages": lambda: runs.append(in_stages(data, budget)[0]),
        }
    )
    pieces = stages(runs)
    return {
        "picture": name,
        "size": f"{report.original_width}x{report.original_height}",
        "reduced": "{}x{}".format(*size),
        "operator": report.operator,
        "KiB": len(shrunk.encode()) / 1024,
        "Pillow KiB": len(pillow(data, size)) / 1024,
        "pixtrim ms": ms["pixtrim"],
        "Pillow ms": ms["Pillow"],
        "Pillow / pixtrim": ms["Pillow"] / ms["pixtrim"],
        **pieces,
        "overhead": ms["pixtrim"] - sum(pieces.values()),
    }


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments("Time the whole of shrink, beside Pillow.", "shrink")
    parser.add_argument("--budget", type=int, default=800, help="in tokens (default: 800)")
    options = parser.parse_args()
    stream = io.BytesIO()
    Image.fromarray(noise()).save(stream, "PNG")
    heading()
    print(f"milliseconds, medians of {ROUNDS} rounds in turn; {MODEL}, {options.budget} tokens\n")
    files = {"dashboard": b"", **examples(), "noise": stream.getvalue()}
    figures = [measure(name, data, options.budget) for name, data in files.items()]
    table(figures, [column for column in figures[0] if column not in (*STAGES, "overhead")])
    table(figures, ["picture", *STAGES, "overhead"])
    if options.save:
        save("shrink", figures, rounds=ROUNDS, model=MODEL, budget=options.budget)


if __name__ == "__main__":
    main()
