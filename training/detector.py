"""Where text is in photos that were found, not made: as a text detector sees it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pictures import SIDE
from PIL import Image, ImageDraw
from rapidocr import RapidOCR

LONGEST = 640
SETTINGS = {
    "Global.log_level": "error",
    "Det.limit_side_len": LONGEST,
    "Det.limit_type": "max",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
SURE = 0.7  # confidence of the reading from which on a box counts as text


def texts(paths: list[str]) -> NDArray[np.uint8]:
    """Return maps of the boxes that are read with some confidence: uint8 (n, side, side), 255 inside."""
    engine = RapidOCR(params=SETTINGS)
    maps = np.zeros((len(paths), SIDE, SIDE), np.uint8)
    for number, path in enumerate(paths):
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
        rgb.thumbnail((LONGEST, LONGEST))
        found = engine(np.ascontiguousarray(np.asarray(rgb)[..., ::-1]), use_cls=False)
        if found.boxes is None:
            continue
        mask = Image.new("L", rgb.size)
        for box, score, word in zip(found.boxes, found.scores, found.txts, strict=True):
            if score >= SURE and len(word) > 1:
                ImageDraw.Draw(mask).polygon([tuple(map(float, corner)) for corner in box], fill=255)
        maps[number] = np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.BOX))
    return maps
