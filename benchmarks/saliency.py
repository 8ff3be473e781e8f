"""How well sources of importance find objects and text in photos, and what they cost.

Run: python benchmarks/saliency.py [--data DIR] [--save]

On pictures that the model behind the source `saliency` was not trained on. "auc" is how often a pixel inside the masks
is rated above one outside; "share" is the importance inside over that of an even map (the mean inside by the mean of
the picture); "error" is the mean absolute difference from the mask. "correlation" is that with the attention of the ViT
that the model learnt from. Words are drawn by Pillow in its own font, which the training does not use. "centre" knows
nothing of the picture: a hill in its middle, which photographers' habits make hard to beat.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from common import (
    SHARED_DATA,
    Pixels,
    Record,
    arguments,
    give_up,
    heading,
    interleaved,
    pixels_of,
    rounded,
    save,
    table,
)
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from threadpoolctl import threadpool_limits

from pixtrim.evaluation.statistics import interval
from pixtrim.importance import importance_of
from pixtrim.importance.attention import Attention

Floats = NDArray[np.float32]

BESIDE = "text+gradient"  # what the model has to beat
TEACHER = "attention, blocks 8-10"  # what the model learnt from
SIZES = ((518, 518), (1080, 1920))
SEED = 20_260_101
SCENES = 4  # of words on each photo
LINES = (
    "Platform 12",
    "OPEN DAILY 9-17",
    "Fresh bread",
    "No entry",
    "Gate B",
    "Museum of Glass",
    "Ring twice",
    "EXIT 4",
)
ROAD_USERS = (6, 8, 9, 10)  # of CamVid's classes: signs, cars, people on foot, people on bicycles
ALIKE = 1e-6

Source = Callable[[Pixels], Floats]


@dataclass(frozen=True)
class Case:
    """A picture, with what is to be found in it: a mask, or None where only attention is compared."""

    set: str
    group: str
    pixels: Pixels
    mask: NDArray[np.bool_] | None


def cases(data: Path) -> Iterator[Case]:
    """Yield the held-out pictures."""
    for path in sorted((data / "photos" / "ecssd").glob("*.jpg")):
        yield Case("salient objects", path.stem, pixels_of(path), _mask(path.with_name(f"{path.stem}_mask.png")) > 127)
    for path in sorted((data / "video" / "davis").glob("*/*.jpg"))[::4]:
        mask = _mask(path.with_name(f"{path.stem}_mask.png")) > 0
        yield Case("objects in videos", path.parent.name, pixels_of(path), mask)
    for path in sorted((data / "video" / "camvid").glob("*_labels.png"))[::2]:
        mask = np.isin(_mask(path), ROAD_USERS)
        yield Case("traffic", "one drive", pixels_of(path.with_name(path.name.replace("_labels", ""))), mask)
    for folder in ("bsds", "kodak", "retarget"):
        for path in sorted((data / "photos" / folder).glob("*.[jp][pn]g")):
            for number in range(SCENES):
                pixels, mask = written(pixels_of(path), f"{SEED} {path.stem} {number}")
                yield Case("words on photos", path.stem, pixels, mask)
    for path in sorted((data / "photos" / "imagenet").glob("*.JPEG")):
        yield Case("photos", path.stem, pixels_of(path), None)


def _mask(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.array(picture if picture.mode in "LP" else picture.convert("L"))


def written(pixels: Pixels, seed: str) -> tuple[Pixels, NDArray[np.bool_]]:
    """Draw one to three lines of words onto a photo; return it with the boxes of the lines."""
    chance = random.Random(seed)
    picture, boxes = Image.fromarray(pixels), Image.new("1", pixels.shape[1::-1])
    draw, mark = ImageDraw.Draw(picture), ImageDraw.Draw(boxes)
    longer = max(picture.size)
    for line in chance.sample(LINES, chance.randint(1, 3)):
        font = ImageFont.load_default(longer * chance.uniform(0.03, 0.09))
        left, top, right, bottom = draw.textbbox((0, 0), line, font=font)
        x, y = (chance.uniform(0, max(1, side - far)) for side, far in zip(picture.size, (right, bottom), strict=True))
        box = (x + left, y + top, x + right, y + bottom)
        ground = np.asarray(picture.crop(tuple(map(round, box)))).mean()
        draw.text((x, y), line, fill=(20, 24, 30) if ground > 127 else (240, 240, 232), font=font)
        mark.rectangle(box, fill=1)
    return np.array(picture), np.array(boxes)


def centre(pixels: Pixels) -> Floats:
    """Return a hill in the middle."""
    axes = [((np.arange(side) + 0.5) / side - 0.5) ** 2 for side in pixels.shape[:2]]
    return np.exp(-(axes[0][:, None] + axes[1]) / (2 * 0.25**2)).astype(np.float32)


def sources(data: Path) -> dict[str, Source]:
    """Return what is compared, by name."""
    names = ("saliency", "text+saliency", "gradient", "text", BESIDE, "spectral_residual")
    weights = str(data / "weights" / "deit_tiny_fp16.npz")
    return {
        **{name: lambda pixels, name=name: importance_of(pixels, name) for name in names},
        "attention": Attention(weights),
        TEACHER: Attention(weights, layers=(7, 8, 9), size=384),
        "centre": centre,
    }


def scores(found: Floats, case: Case, attention: Floats) -> dict[str, float]:
    """Measure one map on one picture."""
    if case.mask is None:
        return {"correlation": _correlation(found, attention)}
    inside = case.mask
    mean = float(found.mean())
    return {
        "auc": _auc(found, inside),
        "share": float(found[inside].mean()) / mean if mean > ALIKE else 1.0,
        "error": float(np.abs(found - inside).mean()),
    }


def _auc(found: Floats, inside: NDArray[np.bool_]) -> float:
    """Return how often a pixel inside is rated above one outside; equal ratings count half."""
    _, places, counts = np.unique(found, return_inverse=True, return_counts=True)
    within = np.bincount(places.ravel()[inside.ravel()], minlength=len(counts))
    without = counts - within
    below = np.cumsum(without) - without
    return float((within * (below + without / 2)).sum() / (within.sum() * without.sum()))


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > ALIKE else 0.0


def measure(data: Path) -> list[Record]:
    """Return one record for each picture and source."""
    every, records = sources(data), []
    for case in cases(data):
        if case.mask is not None and not case.mask.any():
            continue
        maps = {name: source(case.pixels) for name, source in every.items()}
        for name, found in maps.items():
            if case.mask is None and name == TEACHER:
                continue
            figures = scores(found, case, maps[TEACHER])
            records.append({"set": case.set, "group": case.group, "source": name, **figures})
    return records


def summary(records: list[Record]) -> list[Record]:
    """Return means by set and source, and how far the model is ahead of text and gradient, with 95% intervals."""
    rows = []
    for kind in dict.fromkeys(record["set"] for record in records):
        these = [record for record in records if record["set"] == kind]
        measures = [name for name in ("auc", "share", "error", "correlation") if name in these[0]]
        for name in dict.fromkeys(record["source"] for record in these):
            row: Record = {"set": kind, "source": name}
            row |= {m: fmean(r[m] for r in these if r["source"] == name) for m in measures}
            rows.append(row | _ahead(these, name, measures[0]))
    return rows


def _ahead(records: list[Record], name: str, measure: str) -> Record:
    mine, theirs = ([r for r in records if r["source"] == source] for source in (name, BESIDE))
    if name == BESIDE:
        return {"groups": len({r["group"] for r in mine})}
    differences = [a[measure] - b[measure] for a, b in zip(mine, theirs, strict=True)]
    mean, low, high = interval(differences, [r["group"] for r in mine])
    ahead: Record = {"groups": len({r["group"] for r in mine}), "ahead": mean}
    return ahead | ({"from": low, "to": high} if ahead["groups"] > 4 else {})


def times(data: Path) -> list[Record]:
    """Return what each source takes on one core, in milliseconds."""
    photo = pixels_of(data / "photos" / "kodak" / "kodim03.png")
    rows: dict[str, Record] = {name: {"source": name} for name in sources(data)}
    for height, width in SIZES:
        pixels = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
        calls = {name: lambda source=source, pixels=pixels: source(pixels) for name, source in sources(data).items()}
        for name, ms in interleaved(calls).items():
            rows[name][f"ms, {width}x{height}"] = ms
    return list(rows.values())


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], "saliency")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    options = parser.parse_args()
    if not (options.data / "photos" / "ecssd").is_dir():
        give_up(f"{options.data} has no photos/ecssd: name the evaluation data with --data DIR")
    heading()
    with threadpool_limits(1):
        timed = times(options.data)
        table(timed)
        records = measure(options.data)
    rows = summary(records)
    table(rows, ["set", "source", "groups", "auc", "share", "error", "correlation", "ahead", "from", "to"])
    print(
        f'"ahead": by the first measure of the set, of {BESIDE}, with its 95% interval where there are 5 groups or more'
    )
    if options.save:
        save("saliency", rows, lines=True, seed=SEED, times=rounded(timed))


if __name__ == "__main__":
    main()
