"""What several test files make: pictures and files of data sets, and a stage of a coordinate map of another kind."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from pixtrim.coordinates import PieceStage
from pixtrim.evaluation.datasets import open_dataset
from pixtrim.evaluation.samples import Sample, Truth

FORM = {"form": [{"text": "Name:", "box": [1, 1, 5, 5], "words": []}, {"text": " "}, {"text": "Ada"}]}
"""A form of FUNSD."""


def picture(path: Path, colour: tuple[int, int, int] = (200, 90, 30), size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def one(spec: Path | str) -> Sample:
    (sample,) = open_dataset(str(spec))
    return sample


def toy_sample(name: str, kind: str = "page", seed: int | None = None, **truth: Any) -> Sample:
    """A picture of toy_parts.py, other for another first letter of its name; needs the fixture `parts`."""
    read = partial(sys.modules["toy_parts"].encoded, ord(name[0]) if seed is None else seed)
    return Sample(name, kind, read, Truth(**truth))


def strip(record: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key != "seconds"}


@dataclass(frozen=True)
class Upright:
    """A stage that is not made of pieces: it asks one that is, so that only its positions can be looked at."""

    inner: PieceStage

    @property
    def original_size(self) -> tuple[int, int]:
        return self.inner.original_size

    @property
    def reduced_size(self) -> tuple[int, int]:
        return self.inner.reduced_size

    def map_points(self, points: Any, to: Any) -> Any:
        return self.inner.map_points(points, to)

    def map_boxes(self, boxes: Any, to: Any) -> Any:
        return self.inner.map_boxes(boxes, to)

    def map_mask(self, mask: Any, to: Any) -> Any:
        return self.inner.map_mask(mask, to)

    def to_dict(self) -> dict[str, Any]:
        return self.inner.to_dict()
