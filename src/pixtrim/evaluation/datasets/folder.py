"""Plain folders of pictures and videos: their kind is known from their names, their text where it lies beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pixtrim.evaluation.datasets.adapters import PICTURES, files_in, folders_in, lines, read_text, register, sample
from pixtrim.evaluation.datasets.kinds import kind_of
from pixtrim.evaluation.datasets.videos import frames, is_video
from pixtrim.evaluation.samples import Sample, Truth

__all__ = ["folder", "plain"]

_SEQUENCES: Final = frozenset({"app screenshot", "Android screenshot"})  # a folder of these shows one app


@register(
    "folder", "any folder of pictures and videos, with all folders in it; x.txt is the text of x.png", lambda _: False
)
def folder(root: Path) -> Iterator[Sample]:
    """Yield all pictures in a folder and the folders in it, and frames of the videos."""
    for here, folders, _ in os.walk(root):
        folders[:] = (inner.name for inner in folders_in(Path(here)))
        yield from plain(root, files_in(Path(here)))


def plain(root: Path, files: list[Path]) -> Iterator[Sample]:
    """Yield the pictures among files below `root`, and frames of the videos; other files are passed over.

    The kind is that of which the folder's name, or one of the two above it, has a word; screenshots of one folder show
    one app and belong together. A text file of a picture's name says what is written in the picture.
    """
    for path in files:
        if is_video(path):
            yield from frames(root, path)
        elif path.suffix.lower() in PICTURES | {".pdf"}:
            here = path.parent
            kind = kind_of(*(above.name for above in (here, *here.parents[:2])))
            group = here.relative_to(root).as_posix() if kind in _SEQUENCES else ""
            beside = path.with_suffix(".txt")
            text = lines(read_text(beside).splitlines()) if beside.is_file() else None
            yield sample(root, path, kind, Truth(text=text), group)
