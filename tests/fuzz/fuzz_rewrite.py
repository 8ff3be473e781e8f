"""Feed mutated requests of all wire formats to `rewrite` and insist that nothing but images ever changes.

    python tests/fuzz/fuzz_rewrite.py --runs 100000 --seed 0 [--seconds N] [--workers 2] [--replay INDEX]

Bodies are mutated as trees (types swapped, keys dropped, doubled and renamed, parts moved from one request to another,
strings cut, images damaged) and written as JSON in odd ways. For each: no exception; the same result for the text and
for the parsed body; outside the blocks of images not a byte changed; inside them only the image and what says its
type. Input number `i` depends on the seed and `i` alone, so that any run can be repeated.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import multiprocessing
import os
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath
from random import Random
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(FilePath(__file__).resolve().parents[2] / "src"))
sys.path.insert(0, str(FilePath(__file__).resolve().parents[1] / "gateway"))
sys.path.insert(0, str(FilePath(__file__).resolve().parent))

from fuzz_loader import limit_memory, mutate_picture
from wire import BODIES, file_of, masked, opened, photo, remembered, requests, text_of

from pixtrim.gateway import Rewritten, Settings, rewrite
from pixtrim.gateway.formats import FORMATS

Path = tuple[str | int, ...]

URLS = ("https://example.com/a.png", "https://example.com/b.png", "https://example.com/c.png")
BOMB = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\2\0\0\0\x1a\xf3\xa5\xd2"


TOOLS = (
    [{"type": "computer_20251124", "name": "computer", "display_width_px": 40, "display_height_px": 30}],
    [{"type": "computer_use_preview", "display_width": 40, "display_height": 30, "environment": "browser"}],
    [{"type": "computer_toolset_20260801"}, {"type": "computer"}],
    [{"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}],
    [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {}, "y": {}}}}}],
)


class Pairs(list[Any]):
    """An object as a list of pairs, so that it can have a key twice."""


# --- images ----------------------------------------------------------------------------------------------------------


@cache
def good() -> tuple[str, ...]:
    """Small images that can be made smaller."""
    files = [file_of(photo(40, 30, seed), kind) for seed in range(4) for kind in ("PNG", "JPEG", "WEBP", "GIF")]
    return tuple(map(text_of, files))


@cache
def bad() -> tuple[str, ...]:
    """What is to go through untouched, or might be: damaged, animated, transparent, far too large, or no image."""
    frames = [Image.fromarray(photo(20, 15, seed)) for seed in range(2)]
    clear = Image.fromarray(np.dstack([photo(20, 15), np.full((15, 20), 90, np.uint8)]))
    files = [BOMB, b"", b"%PDF-1.7\n", b"text", file_of(clear), file_of(photo(40, 30))[:-30]]
    files.append(file_of(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0))
    mutated = (mutate_picture(Random(f"image/{number}")) for number in range(200))
    files += [file for file in mutated if len(file) < 3000]
    return tuple(map(text_of, files))


def damaged(rng: Random, text: str) -> str:
    """Spoil base64, or write it in another way that some decoders take."""
    at = rng.randrange(len(text) + 1)
    match rng.randrange(8):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + rng.choice("!=\n -_+/é\ud800\0") + text[at:]
        case 2:
            return text.translate(str.maketrans("+/", "-_"))
        case 3:
            return text.rstrip("=")
        case 4:
            return "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
        case 5:
            return f"data:image/png;base64,{text}"
        case 6:
            return text.partition(",")[2]
        case _:
            return text[:at] + text[at:].swapcase()


def image(rng: Random) -> str:
    return rng.choice(good() if rng.random() < 0.7 else bad())


# --- trees -----------------------------------------------------------------------------------------------------------


@cache
def keys() -> tuple[str, ...]:
    """The keys, and the strings that say what something is, of all requests."""
    found: dict[str, None] = {}

    def look(value: Any) -> None:
        if isinstance(value, dict):
            found.update(dict.fromkeys(value))
            found.update({s: None for s in value.values() if isinstance(s, str) and len(s) < 40})
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            look(inner)

    for request in requests(lambda: "iVBO"):
        look(request.body)
    return tuple(found)


def tree_of(value: Any) -> Any:
    if isinstance(value, dict):
        return Pairs([key, tree_of(inner)] for key, inner in value.items())
    return [tree_of(inner) for inner in value] if isinstance(value, list) else value


def nodes(tree: Any) -> list[tuple[Any, int]]:
    """Return each place where a value is: a list, or a pair of an object, and a number in it."""
    found: list[tuple[Any, int]] = []
    left = [tree]  # not by recursion: trees can be deep
    while left:
        value = left.pop()
        if isinstance(value, list):
            inside = (
                [(pair, 1) for pair in value] if isinstance(value, Pairs) else [(value, n) for n in range(len(value))]
            )
            found += inside
            left += [holder[at] for holder, at in inside]
    return found


def scalar(rng: Random) -> Any:
    return rng.choice(
        [None, True, 0, -1, 1.5, 10**40, float("nan"), "", "image", "\ud83d", "é\u2028", rng.choice(keys())]
    )


def mutate(rng: Random, tree: Any) -> None:
    """Change one thing."""
    places = nodes(tree)
    if not places:
        return
    holder, at = rng.choice(places)
    value = holder[at]
    match rng.randrange(12):
        case 0:
            holder[at] = rng.choice(
                [scalar(rng), [], Pairs(), [scalar(rng)], Pairs([[rng.choice(keys()), scalar(rng)]])]
            )
        case 1:
            holder[at] = [value]
        case 2 if isinstance(value, list) and value:
            del value[rng.randrange(len(value))]
        case 3 if isinstance(value, list) and value:
            again = rng.choice(value)
            value.insert(rng.randrange(len(value) + 1), again)
        case 4 if isinstance(value, Pairs) and value:
            rng.choice(value)[0] = rng.choice(keys())
        case 5 if isinstance(value, list):
            rng.shuffle(value)
        case 6:  # of keys that are alike, the last one counts
            for other, number in places:
                pairs = other[number]
                if isinstance(pairs, Pairs) and pairs and rng.random() < 0.3:
                    junk = rng.choice([scalar(rng), [], Pairs(), [[5]], Pairs([[rng.choice(keys()), 5]])])
                    pairs.insert(0, [rng.choice(pairs)[0], junk])
        case 7:
            other = rng.choice(nodes(tree_of(rng.choice(list(BODIES.values()))(lambda: image(rng)))))
            holder[at] = other[0][other[1]]
        case 8 if isinstance(value, str):
            holder[at] = value[: rng.randrange(len(value) + 1)] if rng.random() < 0.5 else damaged(rng, value)
        case 9:
            for _ in range(rng.choice((1, 20, 20, 400, 980))):
                holder[at] = [holder[at]] if rng.random() < 0.5 else Pairs([["content", holder[at]]])
        case 10:
            holder[at] = image(rng)
        case _:
            strings = [(h, n) for h, n in places if isinstance(h[n], str) and len(h[n]) > 100]
            if strings:
                holder, at = rng.choice(strings)
                holder[at] = damaged(rng, holder[at])


def written(rng: Random, value: Any, odd: float) -> Iterator[str]:
    """Write a tree as JSON, with blanks and escapes as often as `odd` says."""
    left: list[Any] = [value]  # not by recursion: trees can be deep
    while left:
        node = left.pop()
        blank = rng.choice((" ", "\n", "\t ", "\r\n")) if rng.random() < odd else ""
        if isinstance(node, _Raw):
            yield node + blank
        elif isinstance(node, list):
            inner: list[Any] = []
            for number, item in enumerate(node):
                inner += [_Raw(",")] if number else []
                inner += [item[0], _Raw(":"), item[1]] if isinstance(node, Pairs) else [item]
            start, end = "{}" if isinstance(node, Pairs) else "[]"
            left += [_Raw(end), *reversed(inner), _Raw(start)]
        elif isinstance(node, str) and rng.random() < odd:
            text = json.dumps(node).replace("/", "\\/")
            yield f'"\\u{ord(node[0]):04x}{json.dumps(node[1:])[1:]}' if node[:1].isalpha() and node.isascii() else text
        else:
            yield json.dumps(node, ensure_ascii=rng.random() < 0.5 or not _encodable(node)) + blank


class _Raw(str):
    """Text as it is."""


def _encodable(value: Any) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


# --- one input -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """A body and how it is rewritten."""

    body: bytes
    wire_format: str
    settings: Settings
    model: str | None
    fetched: dict[str, bytes]


def make_input(seed: int, index: int) -> Input:
    rng = Random(f"{seed}/{index}")
    one = image(rng)
    wire_format = rng.choice(list(BODIES))
    tree = tree_of(BODIES[wire_format]((lambda: one) if rng.random() < 0.3 else lambda: image(rng)))
    if rng.random() < 0.1:
        tree += [["tools", tree_of(rng.choice(TOOLS))]]
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 8))):
        mutate(rng, tree)
    body = "".join(written(rng, tree, rng.choice((0, 0, 0.1, 0.5)))).encode()
    if rng.random() < 0.02:
        at = rng.randrange(len(body) + 1)
        body = rng.choice(
            [b"\xef\xbb\xbf" + body, body[:at], body[:at] + b"\xff" + body[at:], body.decode().encode("utf-16")]
        )
    settings = Settings(
        budget=rng.choice(("fit", 0.5, 0.5, 0.5, 0.1)),
        operator=rng.choice(("lossless-first", "resize")),
        minimum_saving=rng.choice((0, 0.05)),
        model=rng.choice(("claude-sonnet-4-5",) * 4 + (None, "gpt-4.1", "qwen3-vl")),
        computer_use=rng.choice(("keep", "keep", "keep", "map")),
        repeats=rng.choice(("keep", "shrink", "note", "note")),
        max_pixels=2_000_000,
    )
    fetched = {url: base64.b64decode(image(rng)) for url in URLS if rng.random() < 0.3}
    return Input(body, wire_format, settings, rng.choice((None, "gemini-2.5-flash", "unknown")), fetched)


def check(holds: bool, complaint: str) -> None:
    if not holds:
        raise AssertionError(complaint)


def run(case: Input) -> str:
    """Rewrite a body, as text and parsed, check what became of it, and answer with a word for the statistics."""
    options: dict[str, Any] = {"model": case.model, "fetched": case.fetched, "reduce": remembered}
    found = rewrite(case.body, case.wire_format, case.settings, **options)
    for item in found.report.images:
        check("fault of pixtrim" not in item.outcome.reason, item.outcome.reason)
    try:
        old = json.loads(case.body.decode())
    except (ValueError, RecursionError):
        old = None
    if not isinstance(old, dict):
        check(found.body is case.body and found.report.note is not None, "what is no object was changed")
        return "unreadable"
    with deep():
        before = json.dumps(old)
    again = rewrite(old, case.wire_format, case.settings, **options)
    with deep():
        check(json.dumps(old) == before, "the dict that was given was changed")
    if found.report.note in ("the body is nested too deeply", "the body is not a JSON object"):
        check(found.body is case.body, "a body nested too deeply was changed")
        check(depth(old) > 800, "a body that is not deep was taken for one")
        return "deep"
    check(found.report == again.report, f"the reports differ:\n{found.report}\n{again.report}")
    with deep():
        return judged(case, old, found, again)


def depth(value: Any) -> int:
    """Return how many lists and objects are around what is innermost."""
    level, count = [value], 0
    while level := [
        x for v in level if isinstance(v, (dict, list)) for x in (v.values() if isinstance(v, dict) else v)
    ]:
        count += 1
    return count


@contextmanager
def deep() -> Iterator[None]:
    """Let the checks, but not what is checked, go as deep as they need to."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def judged(case: Input, old: Any, found: Rewritten, again: Rewritten) -> str:
    new = json.loads(found.body)
    check(json.dumps(new) == json.dumps(again.body), "the text and the value became different ones")
    changed = [item for item in found.report.images if item.outcome.reason in ("changed", "repeated")]
    if not changed and found.report.screen is None:
        check(found.body is case.body and again.body is old, "another body, though no image is said to have changed")
        return "untouched"
    if found.report.screen is not None:
        return "mapped"
    paths = tuple(item.path for item in changed)
    check(json.dumps(masked(old, paths)) == json.dumps(masked(new, paths)), "something else than an image was changed")
    check(
        outside(case.body.decode(), paths) == outside(found.body.decode(), paths), "bytes outside images were changed"
    )
    for item in changed:
        check_block(case, old, new, item.path, item.outcome.reason)
    return "noted" if any(item.outcome.reason == "repeated" for item in changed) else "changed"


def check_block(case: Input, old: Any, new: Any, path: Path, reason: str) -> None:
    place = next(place for place in FORMATS[case.wire_format].places(old) if place.path == path)
    for step in path:
        old, new = old[step], new[step]
    if reason == "repeated":
        texts = [new[key] for key in ("text",) if key in new]
        check(len(texts) == 1 and texts[0].startswith("[This image is the same as image "), "a note that is none")
        expected = FORMATS[case.wire_format].note(texts[0], old)
        check(json.dumps(new) == json.dumps(expected), "the note's block is another one")
        return
    pairs = list(differences(old, new))
    texts = [text for _, text in pairs if not text.startswith("image/")]
    if place.url in case.fetched:  # its block has another form now
        texts = [text for _, text in differences(None, new) if len(text) > 100]
    else:
        check(all(isinstance(value, str) for value, _ in pairs), "something else than strings was changed")
    check(len(texts) == 1, f"{len(texts)} images in one block")
    picture = opened(texts[0] + "=" * (-len(texts[0].partition(",")[2] or texts[0]) % 4))
    picture.load()
    check(picture.format in ("PNG", "JPEG", "WEBP"), "an image of another format")


def differences(old: Any, new: Any) -> Iterator[tuple[Any, str]]:
    """Yield the strings of a new value that the old one does not have in their place, with what it has there."""
    if isinstance(new, dict):
        for key in new:
            yield from differences(old.get(key) if isinstance(old, dict) else None, new[key])
    elif isinstance(new, list):
        for number, inner in enumerate(new):
            fits = isinstance(old, list) and number < len(old)
            yield from differences(old[number] if fits else None, inner)
    elif isinstance(new, str) and new != old:
        yield old, new


def outside(text: str, paths: Sequence[Path]) -> list[str]:
    """Return the pieces of a JSON text between the values at some paths; found in another way than by `spliced`."""
    spans = []
    for path in paths:
        at = skip(text, 0)
        for step in path:
            at = dict(members(text, at))[step]
        spans.append((at, json.JSONDecoder().raw_decode(text, at)[1]))
    pieces, done = [], 0
    for start, end in sorted(spans):
        pieces.append(text[done:start])
        done = end
    return [*pieces, text[done:]]


def members(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """Yield the keys or numbers of what a JSON object or list holds, and where each begins."""
    decoder, is_object, number = json.JSONDecoder(), text[at] == "{", 0
    at = skip(text, at + 1)
    while text[at] not in "}]":
        key: str | int = number
        if is_object:
            key, at = decoder.raw_decode(text, at)
            at = skip(text, skip(text, at) + 1)
        yield key, at
        at = skip(text, decoder.raw_decode(text, at)[1])
        at = skip(text, at + 1) if text[at] == "," else at
        number += 1


def skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


# --- running ---------------------------------------------------------------------------------------------------------


def fuzz(seed: int, indices: range, end: float = float("inf")) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Run inputs until a time; return how many ended in which way, and those that failed, with what went wrong."""
    counts: Counter[str] = Counter()
    failures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index in indices:
            if time.monotonic() > end:
                break
            try:
                counts[run(make_input(seed, index))] += 1
            except Exception:
                counts["FAILED"] += 1
                failures.append((index, traceback.format_exc()))
    return counts, failures


def _fuzz(arguments: tuple[int, range, float]) -> tuple[Counter[str], list[tuple[int, str]]]:
    return fuzz(*arguments)


def _begin() -> None:
    """Set up a worker."""
    logging.disable()
    limit_memory(2048)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes there by itself


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long; 0 is never")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replay", type=int, help="run this one input in this process, and raise what it raises")
    options = parser.parse_args(arguments)
    if options.replay is not None:
        case = make_input(options.seed, options.replay)
        print(case)
        print(run(case))
        return 0
    started = time.monotonic()
    step = max(1, min(1000, options.runs // options.workers or 1))
    tasks = [range(first, min(first + step, options.runs)) for first in range(0, options.runs, step)]
    counts: Counter[str] = Counter()
    failed = 0
    end = started + options.seconds if options.seconds else float("inf")
    with ProcessPoolExecutor(options.workers, multiprocessing.get_context("fork"), _begin) as pool:
        for found, failures in pool.map(_fuzz, [(options.seed, task, end) for task in tasks]):
            counts += found
            failed += len(failures)
            for index, text in failures[:5]:
                print(f"input {index}:\n{text}", flush=True)
            print(f"{counts.total()} runs in {time.monotonic() - started:.0f} s, {failed} failed", flush=True)
    words = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    print(f"{counts.total()} runs of {options.runs} in {time.monotonic() - started:.0f} s: {words}")
    print("no failures" if not failed else f"{failed} FAILURES")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
