"""The pictures of the evaluation data, by kind, with the words that they show where somebody wrote them down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ocr import Words, words

STEPS = 4  # of each sequence of screenshots
CHARTS = 16


@dataclass(frozen=True)
class Kind:
    """Pictures of one kind.

    Attributes
    ----------
    name : str
    pattern : str
        Their paths inside the folder of the data.
    truth : callable, optional
        Takes the path of a picture and returns its words; None where nobody wrote them down.
    most : int, optional
        How many pictures of each folder are taken, the first by name.
    """

    name: str
    pattern: str
    truth: Callable[[Path], Words] | None = None
    most: int | None = None

    def pictures(self, data: Path) -> list[Path]:
        """List the pictures."""
        found = sorted(data.glob(self.pattern))
        taken: dict[Path, list[Path]] = {}
        for path in found:
            taken.setdefault(path.parent, []).append(path)
        return [path for paths in taken.values() for path in paths[: self.most]]


def text_layer(path: Path) -> Words:
    """Words of a PDF page's text layer."""
    return words(path.with_suffix(".txt").read_text(encoding="utf-8"))


def funsd(path: Path) -> Words:
    """Words of a FUNSD form."""
    form = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["form"]
    return words("\n".join(field["text"] for field in form))


def sroie(path: Path) -> Words:
    """Words of an SROIE receipt: each line holds eight coordinates and the text."""
    lines = path.with_suffix(".csv").read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return words("\n".join(line.split(",", 8)[-1] for line in lines))


PDF = Kind("PDF pages", "documents/pdf/*.png", text_layer)
TEXTS = (
    Kind("FUNSD forms", "documents/funsd/*.png", funsd),
    Kind("SROIE receipts", "documents/sroie/*.jpg", sroie),
    Kind("OmniDocBench", "documents/omnidoc/*.jpg"),
    Kind("web", "gui_single/web/*.png"),
    Kind("desktop", "gui_single/desktop/*.png"),
    Kind("JupyterLab", "gui_sequences/jupyterlab/*.png"),
    Kind("Slack", "gui_sequences/slack_env/*.png"),
    Kind("WebVoyager", "gui_sequences/webvoyager/*/step_*.png", most=STEPS),
    Kind("Android", "gui_sequences/android/*/*.png"),
    Kind("charts", "charts/*.png", most=CHARTS),
)
PHOTOS = (
    Kind("Kodak", "photos/kodak/*.png"),
    Kind("BSDS", "photos/bsds/*.jpg"),
    Kind("ECSSD", "photos/ecssd/*.jpg"),
    Kind("ImageNet", "photos/imagenet/*.JPEG"),
    Kind("RetargetMe", "photos/retarget/*.jpg"),
)
