"""Compare with the published PixelPrune: the kept indices of each picture, or the time on one core.

The published code is not part of this repository: clone github.com/OPPO-Mente-Lab/PixelPrune, install torch, and run

    python benchmarks/published.py indices --published PATH [--save]
    python benchmarks/published.py speed --published PATH [--save]
    python benchmarks/published.py golden --published PATH

The first ends with 1 if one index differs. The last writes what the published code keeps of the pictures in examples/
and tests/golden/ to tests/golden/pruned.json, which the tests hold pixtrim to.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from common import ROOT, SHARED_DATA, Pixels, Record, arguments, examples, give_up, heading, interleaved, save, table
from numpy.typing import NDArray

from pixtrim.operators.prune import TokenPicture, Tolerance, select
from pixtrim.pruning import fitted

GOLDEN = ROOT / "tests" / "golden" / "pruned.json"
MODEL = "qwen3-vl"
TOLERANCES = (
    *[("max", threshold) for threshold in (0.0, 2.0, 5.1, 12.75)],
    *[(metric, threshold) for metric in ("mae", "rmse") for threshold in (0.0, 1.0, 2.5)],
    ("exact", 0.0),
)
SHARES = (0.3, 1.0)  # of a connected component that is dropped
ROUNDS = 9

Indices = NDArray[np.int64]
Case = tuple[str, str, float, bool, float | None]  # selector, metric, threshold, anchored, skip_ratio


def cases() -> Iterator[Case]:
    """List what is compared on every picture."""
    for metric, threshold in TOLERANCES:
        for selector in ("pred_2d", "raster", "serpentine"):
            for anchored in (True, False) if threshold else (True,):
                yield selector, metric, threshold, anchored, None
        if (metric, threshold) in (("max", 0.0), ("max", 5.1), ("mae", 2.5), ("rmse", 2.5), ("exact", 0.0)):
            yield from (("conncomp", metric, threshold, True, share) for share in SHARES)


class Published:
    """The published selectors, given whole levels as 64-bit floats, in which no comparison is rounded."""

    def __init__(self, path: Path) -> None:
        if not (path / "pixelprune" / "methods" / "pred_2d.py").exists():
            give_up(f"{path} holds no PixelPrune: clone github.com/OPPO-Mente-Lab/PixelPrune and name its folder")
        sys.path.insert(0, str(path))
        try:
            import torch
        except ModuleNotFoundError:
            give_up("the published code needs torch: pip install torch")
        from pixelprune.dedup import deduplicate_consecutive
        from pixelprune.methods.conncomp import ConnCompSelector
        from pixelprune.methods.pred_2d import Pred2DSelector
        from pixelprune.methods.raster import RasterSelector
        from pixelprune.methods.serpentine import SerpentineSelector

        torch.set_num_threads(1)
        self.torch = torch
        self.runs = deduplicate_consecutive
        self.selectors = {
            "pred_2d": Pred2DSelector,
            "raster": RasterSelector,
            "serpentine": SerpentineSelector,
            "conncomp": ConnCompSelector,
        }

    def values(self, picture: TokenPicture, dtype: str = "float64", unit: float = 1.0) -> object:
        """Lay a picture out as its processor does: one row for each patch of 16 pixels, each frame twice."""
        rows, columns = picture.shape
        patches = picture.pixels.reshape(rows, 2, 16, columns, 2, 16, 3).transpose(0, 3, 1, 4, 6, 2, 5)
        doubled = np.repeat(patches.reshape(rows * columns * 4, 3, 1, 256), 2, axis=2)
        return self.torch.from_numpy(doubled.reshape(rows * columns * 4, -1).astype(dtype) / np.dtype(dtype).type(unit))

    def select(self, picture: TokenPicture, values: object, case: Case, unit: float = 1.0) -> Indices:
        """Return the indices that the published code keeps."""
        selector, metric, threshold, anchored, share = case
        torch = self.torch
        rows, columns = picture.shape
        if selector in ("raster", "serpentine") and not anchored:
            order = torch.arange(rows * columns).reshape(rows, columns)
            if selector == "serpentine":
                order[1::2] = order[1::2].flip(1)
            tokens = values.reshape(rows * columns, -1)[order.ravel()]
            kept, _ = self.runs(tokens, metric, threshold / unit, anchored=False)
            return np.sort(order.ravel()[kept].numpy())
        more = {"pred_2d": {"anchored": anchored}}.get(selector, {})
        if selector == "conncomp":
            more = {"skip_ratio": share, "rand": False, "align_compression": False}
        made = self.selectors[selector](method=metric, threshold=threshold / unit, **more)
        grid = torch.tensor([[1, 2 * rows, 2 * columns]])
        return made.select(values, grid, 2)[0].numpy()


def ours(pixels: Pixels, case: Case) -> TokenPicture:
    """Describe the same task to pixtrim."""
    _, metric, threshold, anchored, share = case
    return TokenPicture(pixels, (32, 32), Tolerance(metric, threshold), anchored, skip_ratio=share)


def kept(picture: TokenPicture, selector: str) -> Indices:
    """Return the indices that pixtrim keeps."""
    sources, _ = select(picture, selector)
    return np.flatnonzero(sources.ravel() == np.arange(picture.count))


def pictures(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """Read the example pictures and all PNG files below a folder, resized as the model's processor does."""
    for name, data in examples().items():
        yield f"examples/{name}.png", fitted(data, MODEL)[1]
    for path in sorted(folder.rglob("*.png")):
        yield path.relative_to(folder).as_posix(), fitted(path, MODEL)[1]


def compare(published: Published, folder: Path) -> tuple[list[Record], int]:
    """Compare the indices of every picture and case; return a record for each case, and the differences."""
    count: dict[Case, int] = dict.fromkeys(cases(), 0)
    tokens: dict[Case, int] = dict.fromkeys(cases(), 0)
    different = 0
    for done, (name, pixels) in enumerate(pictures(folder), 1):
        plain = TokenPicture(pixels, (32, 32))
        values = published.values(plain)
        for case in cases():
            theirs = published.select(plain, values, case)
            same = np.array_equal(theirs, kept(ours(pixels, case), case[0]))
            different += not same
            count[case] += 1
            tokens[case] += len(theirs)
            if not same:
                print(f"different: {name} {case}", file=sys.stderr)
        print(f"\r{done} pictures, {different} differences", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    fields = ("selector", "metric", "threshold", "anchored", "skip_ratio")
    return [
        {**dict(zip(fields, case, strict=True)), "pictures": count[case], "kept": tokens[case]} for case in count
    ], different


def timed() -> Iterator[tuple[str, Pixels]]:
    """Name the pictures that are timed: the examples, and 4096 x 4096 pixels of them, of one colour, and of noise."""
    found = {name: fitted(data, MODEL)[1] for name, data in examples().items()}
    yield from found.items()
    wall = np.empty((4096, 4096, 3), np.uint8)
    dashboard = found["dashboard"]
    for y in range(0, 4096, dashboard.shape[0]):
        for x in range(0, 4096, dashboard.shape[1]):
            part = wall[y : y + dashboard.shape[0], x : x + dashboard.shape[1]]
            part[:] = dashboard[: part.shape[0], : part.shape[1]]
    yield "dashboards side by side", wall
    yield "one colour", np.full((4096, 4096, 3), 255, np.uint8)
    yield "noise", np.random.default_rng(0).integers(0, 256, (4096, 4096, 3), np.uint8)


def times(published: Published) -> list[Record]:
    """Time both on one core, beside a copy of the picture; the published code finds its tokens laid out."""
    found = []
    for name, pixels in timed():
        plain = TokenPicture(pixels, (32, 32))
        values = published.values(plain, "float32", 255)
        other = np.empty_like(pixels)
        for case in (("pred_2d", "max", 0.0, True, None), ("pred_2d", "max", 5.1, True, None)):
            calls: dict[str, Callable[[], object]] = {
                "pixtrim": partial(select, ours(pixels, case), "pred_2d"),
                "published": partial(published.select, plain, values, case, 255.0),
                "copy": partial(np.copyto, other, pixels),
            }
            ms = interleaved(calls, ROUNDS)
            about = {"picture": name, "size": f"{pixels.shape[1]}x{pixels.shape[0]}", "tokens": plain.count}
            share = len(kept(plain, "pred_2d")) / plain.count
            ratio = {
                "published / pixtrim": ms["published"] / ms["pixtrim"],
                "pixtrim / copy": ms["pixtrim"] / ms["copy"],
            }
            found.append({**about, "kept": share, "threshold": case[2], **ms, **ratio})
    return found


def golden(published: Published) -> None:
    """Write what the published code keeps of the example pictures, and of those that the repository holds as files."""
    found = {}
    files = {path.name: path.read_bytes() for path in sorted(GOLDEN.parent.glob("*.png"))}
    for name, data in {**examples(), **files}.items():
        pixels = fitted(data, MODEL, "pad" if name in files else "resize")[1]
        plain = TokenPicture(pixels, (32, 32))
        values = published.values(plain)
        runs = []
        for case in cases():
            mask = np.zeros(plain.count, np.bool_)
            mask[published.select(plain, values, case)] = True
            packed = base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode()
            runs.append([*case, int(mask.sum()), packed])
        found[name] = {"pixels": hashlib.sha256(pixels.tobytes()).hexdigest(), "runs": runs}
    text = json.dumps(found, indent=1)
    GOLDEN.write_text(re.sub(r"\[[^][{}]*\]", lambda row: " ".join(row[0].split()), text) + "\n", encoding="utf-8")
    print(f"written to {GOLDEN.relative_to(ROOT)}", file=sys.stderr)


def main() -> int:
    """Do one of the three; return 1 if indices differ."""
    parser: argparse.ArgumentParser = arguments("Compare with the published PixelPrune.", "published-...")
    parser.add_argument("what", choices=("indices", "speed", "golden"), help="what to compare, or golden: to record")
    parser.add_argument("--published", type=Path, required=True, metavar="PATH", help="a clone of PixelPrune")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, metavar="DIR", help="folder of the evaluation data")
    options = parser.parse_args()
    sys.argv = ["PATH" if word == str(options.published) else word for word in sys.argv]  # for the record
    published = Published(options.published)
    heading()
    if options.what == "golden":
        golden(published)
        return 0
    if options.what == "speed":
        figures = times(published)
        table(figures)
        if options.save:
            save("published-speed", figures, rounds=ROUNDS)
        return 0
    figures, different = compare(published, options.data)
    table(figures)
    print(f"{different} differences")
    if options.save:
        save("published-indices", figures, differences=different)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
