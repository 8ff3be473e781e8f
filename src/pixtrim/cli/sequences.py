"""Which pictures follow one another, and in what order: what ``--sequence`` means."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from pixtrim.cli.inputs import Input, expand

if TYPE_CHECKING:
    from pixtrim.pruning import Session

__all__ = ["Line", "Turn", "arranged", "natural"]

NAMED = "named"
"""The sequence of the files that are given one by one."""

_NUMBERS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Turn:
    """The place of a picture in its sequence: entered when the one before has left, left for the next one."""

    before: Event | None = None
    done: Event = field(default_factory=Event)

    def __enter__(self) -> None:
        if self.before is not None:
            self.before.wait()

    def __exit__(self, *_: object) -> None:
        self.done.set()


@dataclass
class Line:
    """Pictures that follow one another: their session, and the name of the last picture in it."""

    session: Session
    last: str | None = None


def arranged(words: Sequence[str], *, recursive: bool, without: Path | None) -> list[tuple[Input, object]]:
    """Find the pictures as `expand` does, those of each word in natural order.

    Parameters
    ----------
    words, recursive, without
        As for `expand`.

    Returns
    -------
    list of (Input, object)
        The second is the same for all pictures of a sequence: those of one folder that was found by one word, or those
        that were named.
    """
    found: list[tuple[Input, object]] = []
    for number, word in enumerate(words):
        inputs = expand([word], recursive=recursive, without=without)
        inputs.sort(key=lambda entry: natural(entry.source))
        found += [(entry, (number, os.path.dirname(entry.source)) if entry.found else NAMED) for entry in inputs]
    return found


def natural(path: str) -> list[list[str | tuple[int, str]]]:
    """Return what to sort paths by, so that folders stay together, and numbers go by their value.

    Examples
    --------
    >>> sorted(["a/10.png", "a/9.png", "a-b/1.png"], key=natural)
    ['a/9.png', 'a/10.png', 'a-b/1.png']
    """
    parts = map(_NUMBERS.split, path.split(os.sep))
    return [[_value(piece) if at % 2 else piece for at, piece in enumerate(part)] for part in parts]


def _value(digits: str) -> tuple[int, str]:
    """Return what sorts as the number does, however long it is."""
    significant = digits.lstrip("0")
    return len(significant), significant
