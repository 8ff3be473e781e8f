"""What pictures are, by the words in the names of the folders that they lie in."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["UNKNOWN", "kind_of"]

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
