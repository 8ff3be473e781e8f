"""Sources of importance: what they take, where text is, where objects are.

Run: python benchmarks/importance.py [--data DIR] [--encoder SPEC] [--faces FILE] [--save]

Time is on one core. Words are drawn by a fixed lot onto photos of the evaluation data; the settings of the text source
were chosen on one half of the photos, and these are figures of the other. Objects are the masks of ECSSD.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, interleaved, pixels_of, save, table
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from threadpoolctl import threadpool_limits

from pixtrim.errors import MissingExtraError
from pixtrim.importance import confidence, importance_of
from pixtrim.operators.resize import resize

SIZES = ((518, 518), (1920, 1080))
WORDS = [
    "Open",
    "Closed",
    "Hotel",
    "Sale",
    "Stop",
    "Coffee",
    "Exit",
    "Platform",
    "9",
    "Market",
    "Street",
    "Welcome",
    "Tickets",
    "24",
    "Hours",
    "Bakery",
    "1898",
]
DRAWS = 3  # pictures with words that are made of each photo
FOUND = 0.5  # mean importance of a word's box from which it is found


def photos(data: Path) -> list[Path]:
    paths = [
        path
        for folder in ("ecssd", "kodak", "bsds", "retarget")
        for path in sorted((data / "photos" / folder).glob("*"))
    ]
    return [path for path in paths if path.suffix in (".jpg", ".png") and "_mask" not in path.stem]


def with_words(picture: Image.Image, seed: int) -> tuple[Image.Image, list[tuple[int, int, int, int]]]:
    """Draw one to four phrases of contrast at places that do not overlap; return the picture and their boxes."""
    lot, picture, boxes = random.Random(seed), picture.copy(), []
    draw = ImageDraw.Draw(picture)
    for _ in range(lot.randint(1, 4)):
        size = round(10 * (max(12, picture.height / 5) / 10) ** lot.random())
        font = ImageFont.load_default(size)
        words = " ".join(lot.choices(WORDS, k=lot.randint(1, 3)))
        left, top, right, bottom = (round(edge) for edge in draw.textbbox((0, 0), words, font=font))
        if right + 4 > picture.width or bottom + 4 > picture.height:
            continue
        x, y = lot.randint(0, picture.width - right - 1), lot.randint(0, picture.height - bottom - 1)
        box = x + left, y + top, x + right, y + bottom
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes):
            continue
        ground = float(np.asarray(picture.crop(box).convert("L")).mean())
        ink = next(c for c in iter(lambda: tuple(lot.choices(range(256), k=3)), None) if abs(luma(c) - ground) > 80)
        draw.text((x, y), words, ink, font=font)
        boxes.append(box)
    return picture, boxes


def luma(colour: Sequence[int]) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114)))


def about_text(source: str, paths: Sequence[Path]) -> Record:
    """Measure how much of the importance lies in the boxes of words, and how much there is where no word was drawn."""
    share, area, found, clean = [], [], [], []
    for number, path in enumerate(paths):
        with Image.open(path) as file:
            photo = file.convert("RGB")
        clean.append(float(importance_of(np.array(photo), source).mean()))
        for draw in range(DRAWS):
            picture, boxes = with_words(photo, number * DRAWS + draw)
            importance = importance_of(np.array(picture), source)
            inside = np.zeros(importance.shape, bool)
            for x0, y0, x1, y1 in boxes:
                inside[y0:y1, x0:x1] = True
                found.append(importance[y0:y1, x0:x1].mean() > FOUND)
            if boxes:
                share.append(importance[inside].sum() / max(float(importance.sum()), 1e-9))
                area.append(inside.mean())
    return {
        "source": source,
        "mass in words": float(np.mean(share)),
        "area of words": float(np.mean(area)),
        "words found": float(np.mean(found)),
        "mean without words": float(np.mean(clean)),
    }


def about_objects(source: str, paths: Sequence[Path]) -> Record:
    """Measure how well importance tells objects from the ground: area under the ROC curve, share of mass."""
    areas, share, area, sure = [], [], [], []
    for path in paths:
        importance = importance_of(pixels_of(path), source)
        mask = pixels_of(path.with_name(f"{path.stem}_mask.png"))[..., 0] > 127
        areas.append(roc_area(importance, mask))
        share.append(importance[mask].sum() / max(float(importance.sum()), 1e-9))
        area.append(mask.mean())
        sure.append(confidence(importance))
    return {
        "source": source,
        "ROC area": float(np.mean(areas)),
        "mass in objects": float(np.mean(share)),
        "area of objects": float(np.mean(area)),
        "confidence": float(np.mean(sure)),
    }


def roc_area(importance: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return how often a pixel of the object has more importance than one of the ground, ties counting half."""
    _, place, counts = np.unique(importance, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - counts + (counts + 1) / 2)[place.ravel()]
    inside, outside = int(mask.sum()), int((~mask).sum())
    return float((rank[mask.ravel()].sum() - inside * (inside + 1) / 2) / (inside * outside))


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], "importance")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the evaluation data")
    parser.add_argument(
        "--encoder", metavar="SPEC", help="what attention is asked; weights/deit_tiny_fp16.npz by default"
    )
    parser.add_argument("--faces", type=Path, metavar="FILE", help="the .onnx file of YuNet, whose time is then taken")
    options = parser.parse_args()
    paths = photos(options.data)
    if not paths:
        give_up(f"{options.data} has no photos/ecssd: name the evaluation data with --data DIR")
    weights = options.data / "weights"
    encoder = options.encoder or str(weights / "deit_tiny_fp16.npz")
    attention = {"attention": f"attention:{encoder}", "attention, third last layer": f"attention:{encoder}?layers=-3"}
    plain = {name: name for name in ("gradient", "text", "spectral_residual", "saliency")}
    named = {**plain, **attention, "detector": f"detector:{weights / 'yolox_nano.onnx'}"}
    if options.faces:
        named["faces"] = f"faces:{options.faces}"
    heading()

    times: list[Record] = []
    for width, height in SIZES:
        pixels: Pixels = resize(pixels_of(paths[-1]), (width, height))
        calls = {}
        for name, spec in named.items():
            try:
                importance_of(pixels, spec)
            except MissingExtraError as error:
                print(error)
                continue
            calls[name] = lambda spec=spec, pixels=pixels: importance_of(pixels, spec)
        with threadpool_limits(1):
            taken = interleaved(calls, 15)
        for name, ms in taken.items():
            row = next((row for row in times if row["source"] == name), None)
            if row is None:
                times.append(row := {"source": name})
            row[f"ms at {width}x{height}"] = ms
    table(times)

    words = [about_text(spec, paths[1::2]) for spec in ("text", "gradient", "spectral_residual")]
    table(words)
    ecssd = [path for path in paths if path.parent.name == "ecssd"]
    objects = [{**about_objects(spec, ecssd), "source": name} for name, spec in named.items() if name != "faces"]
    table(objects)
    if options.save:
        save("importance", {"time": times, "words": words, "objects": objects}, encoder=Path(encoder).name)


if __name__ == "__main__":
    main()
