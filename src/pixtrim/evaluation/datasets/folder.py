"""Plain folders of pictures and videos, about which nothing but their kind is known, and that from their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pixtrim.evaluation.datasets.adapters import PICTURES, files_in, folders_in, register, sample
from pixtrim.evaluation.datasets.videos import frames, is_video
from pixtrim.evaluation.samples import Sample

__all__ = ["folder", "kind_of", "plain"]

UNKNOWN: Final = "picture"
"""The kind of pictures whose names do not say it."""

_KINDS: Final = {
    "receipt": "receipt",
    "invoice": "receipt",
    "scan": "document scan",
    "form": "document scan",
    "doc": "document page",
    "page": "document page",
    "pdf": "typeset page",
    "chart": "chart",
    "plot": "chart",
    "android": "Android screenshot",
    "web": "web screenshot",
    "desktop": "desktop screenshot",
    "screen": "app screenshot",
    "gui": "app screenshot",
    "photo": "photo",
    "frame": "video frame",
}

_SEQUENCES: Final = frozenset({"app screenshot", "Android screenshot"})  # a folder of these shows one app


def kind_of(*names: str) -> str:
    """Say what pictures are, after the first name that has a word for it.

    Parameters
    ----------
    *names : str
        The names of the folder and of those above it, or of a data set.

    Examples
    --------
    >>> kind_of("kodak", "photos"), kind_of("HuggingFaceM4/ChartQA"), kind_of("misc")
    ('photo', 'chart', 'picture')
    """
    for name in names:
        for word in re.findall(r"[a-z]+", name.lower()):
            for start, kind in _KINDS.items():
                if word.startswith(start) and word not in ("webp", "webcam"):
                    return kind
    return UNKNOWN


@register("folder", "any folder of pictures and videos, with all folders in it", lambda _: False)
def folder(root: Path) -> Iterator[Sample]:
    """Yield all pictures in a folder and the folders in it, and frames of the videos."""
    for here, folders, _ in os.walk(root):
        folders[:] = (inner.name for inner in folders_in(Path(here)))
        yield from plain(root, files_in(Path(here)))


def plain(root: Path, files: list[Path]) -> Iterator[Sample]:
    """Yield the pictures among files below `root`, and frames of the videos; other files are passed over.

    The kind is that of which the folder's name, or one of the two above it, has a word; screenshots of one folder show
    one app and belong together.
    """
    for path in files:
        if is_video(path):
            yield from frames(root, path)
        elif path.suffix.lower() in PICTURES | {".pdf"}:
            here = path.parent
            kind = kind_of(*(above.name for above in (here, *here.parents[:2])))
            yield sample(root, path, kind, group=here.relative_to(root).as_posix() if kind in _SEQUENCES else "")
