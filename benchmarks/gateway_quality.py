"""What the gateway's default costs in words that can be read, beside a plain resize to equally many tokens.

Run: python benchmarks/gateway_quality.py [--data DIR] [--each 4] [--models gpt-5.5 claude-sonnet-4-5] [--save]

Each picture goes through the gateway's work on images as it is without settings ("lossless-first"). Then Tesseract and
RapidOCR read three pictures: what the model would see of the original, what it sees after the gateway, and a plain
resize of the original to as many tokens. The recall of words is counted as in recall.py; where nobody wrote the words
down, those that the same engine reads in the whole picture are the truth.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

import kinds
import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, pixels_of, save, table
from ocr import Words, read, recall, tesseract_version, words

from pixtrim import shrink
from pixtrim.evaluation.judges.ocr import RapidOCR
from pixtrim.gateway import Settings
from pixtrim.gateway.pictures import Job, encoded, reduced
from pixtrim.image import load
from pixtrim.operators.resize import resize
from pixtrim.tokens import Rule, resolve

FEWEST_WORDS = 5
WORKERS = 2
LOCAL = threading.local()


def seen(pixels: Pixels, rule: Rule) -> Pixels:
    """Return what the model sees of a picture, if that is less than the picture."""
    height, width = pixels.shape[:2]
    size = rule.seen(width, height)
    return pixels if size[0] >= width or size[1] >= height else resize(pixels, size)


def by_rapidocr(pixels: Pixels) -> Words:
    """Return the words that RapidOCR reads in a picture; each thread has a reader of its own."""
    if not hasattr(LOCAL, "reader"):
        LOCAL.reader = RapidOCR()
    return words("\n".join(word.text for word in LOCAL.reader.read(np.ascontiguousarray(pixels))))


ENGINES = {"Tesseract": read, "RapidOCR": by_rapidocr}


def measure(kind: kinds.Kind, path: Path, rule: Rule) -> Record | None:
    """Read a picture three times with each engine; None where there is too little to read."""
    pixels = pixels_of(path)
    outcome = reduced(Job(encoded(path.read_bytes(), ""), rule, None, Settings()))
    before, after = outcome.tokens or (0, 0)
    smaller = load(outcome.data).pixels if outcome.data else pixels
    plain = shrink(pixels, rule.name, after, "resize").image
    record: Record = {"model": rule.name, "kind": kind.name, "picture": path.name}
    record["done"] = outcome.operator if outcome.data else outcome.reason
    record |= {"tokens before": before, "tokens after": after}
    for engine, reads in ENGINES.items():
        truth: Words = kind.truth(path) if kind.truth else reads(pixels)
        if truth.total() < FEWEST_WORDS:
            return None
        for name, picture in (("original", pixels), ("gateway", smaller), ("resize", plain)):
            record[f"{engine}, {name}"] = recall(reads(seen(picture, rule)), truth)
    return record


def summed_up(records: list[Record]) -> Iterator[Record]:
    """Yield one line for each model and kind."""
    for model, kind in dict.fromkeys((one["model"], one["kind"]) for one in records):
        some = [one for one in records if (one["model"], one["kind"]) == (model, kind)]
        share = fmean(one["tokens after"] / one["tokens before"] for one in some)
        names = [f"{engine}, {name}" for engine in ENGINES for name in ("original", "gateway", "resize")]
        means = {name: fmean(one[name] for one in some) for name in names}
        yield {"model": model, "kind": kind, "pictures": len(some), "tokens left": share, **means}


def main() -> None:
    """Print the table; with --save, write it and the figures of each picture."""
    parser = arguments(__doc__, "gateway-quality")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument("--each", type=int, default=4, help="pictures of each kind, spread over them (default: 4)")
    parser.add_argument("--models", nargs="+", default=["gpt-5.5", "claude-sonnet-4-5"], help="models")
    options = parser.parse_args()
    version = tesseract_version()
    if RapidOCR.missing():
        give_up(str(RapidOCR.missing()))
    if not (options.data / "manifest.csv").exists():
        give_up(f"there are no evaluation data in {options.data}: choose them with --data")
    heading()
    tasks = []
    for model in options.models:
        for kind in (kinds.PDF, *kinds.TEXTS):
            pictures = kind.pictures(options.data)
            step = max(1, len(pictures) // options.each)
            tasks += [(kind, path, resolve(model)) for path in pictures[::step][: options.each]]
    records = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for done, record in enumerate(pool.map(lambda task: measure(*task), tasks), 1):
            records += [record] if record else []
            print(f"\r{done} of {len(tasks)}", end="", file=sys.stderr, flush=True)
    print("\r", end="", file=sys.stderr)
    summary = list(summed_up(records))
    table(summary)
    if options.save:
        save(
            "gateway-quality",
            records,
            lines=True,
            each=options.each,
            engines={"Tesseract": version, "RapidOCR": RapidOCR().version},
            summary=summary,
        )


if __name__ == "__main__":
    main()
