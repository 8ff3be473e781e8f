"""From what is typed to the pictures that are meant: files, folders, globs, PDF pages and stdin."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixtrim.errors import UsageError

__all__ = ["STDIN", "SUFFIXES", "Input", "check_stdin", "expand"]

STDIN = "-"

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".pdf"})
"""What is taken for a picture in a folder."""

_PAGE = re.compile(r"#page=([0-9]+)$")

_OWN = re.compile(r"(.+)\.(?:pixtrim\.\w+|preview\.png)")


@dataclass(frozen=True)
class Input:
    """One picture to work on.

    Attributes
    ----------
    source : str
        A path, perhaps with ``#page=N``, or `STDIN`.
    place : str
        Its place below an output folder, without suffix: ``"march/statement-page3"``.
    found : bool
        Whether it was found in a folder or by a glob, rather than named.
    problem : str or None
        Why there is nothing to load.
    """

    source: str
    place: str
    found: bool = False
    problem: str | None = None

    @property
    def path(self) -> Path | None:
        """The file; None for stdin."""
        return None if self.source == STDIN else Path(_split(self.source)[0])


def expand(words: Sequence[str], *, recursive: bool = False, without: Path | None = None) -> list[Input]:
    """Find the pictures that are meant, in the order of the words, those of a folder or glob sorted by name.

    Parameters
    ----------
    words : sequence of str
        Files, folders, globs, ``FILE.pdf#page=N`` or ``-``.
    recursive : bool
        Whether folders in folders are searched.
    without : Path or None
        A folder, that of the results, that is never searched.

    Returns
    -------
    list of Input
        A word that leads nowhere becomes an input with a problem, so that it does not stop the others.
    """
    return [found for word in words for found in _expand(word, recursive, without)]


def check_stdin(inputs: Sequence[Input]) -> None:
    """Raise UsageError where stdin is named twice, or is a terminal, on which nobody types a picture."""
    named = sum(entry.source == STDIN for entry in inputs)
    if named > 1:
        raise UsageError("- (stdin) is given more than once")
    if named and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("- reads a picture from stdin, which is a terminal here: redirect a file to it")


def _expand(word: str, recursive: bool, without: Path | None) -> Iterator[Input]:
    stem, page = _split(word)
    if word == STDIN:
        yield Input(STDIN, "stdin")
    elif not word:
        yield Input(word, "", problem="an empty text names no file")
    elif os.path.isdir(word):
        yield from _in_folder(word, recursive, without)
    elif not os.path.lexists(stem) and glob.has_magic(stem):
        yield from _by_glob(word, stem, page, recursive, without)
    else:
        yield Input(word, _place(os.path.basename(os.path.normpath(stem)), page))


def _split(word: str) -> tuple[str, str]:
    """Take the page off a word, unless a file has that very name."""
    match = _PAGE.search(word)
    return (word, "") if match is None or os.path.lexists(word) else (word[: match.start()], match[0])


def _place(relative: str, page: str) -> str:
    return os.path.splitext(relative)[0] + page.replace("#page=", "-page")


def _in_folder(folder: str, recursive: bool, without: Path | None, below: str = "") -> Iterator[Input]:
    broken: list[OSError] = []
    some = False
    for here, folders, files in os.walk(folder, onerror=broken.append):
        folders[:] = sorted(name for name in folders if recursive and not _left_out(os.path.join(here, name), without))
        names = set(files)
        for name in sorted(files):
            if name.startswith(".") or os.path.splitext(name)[1].lower() not in SUFFIXES or _made_of(name, names):
                continue
            some = True
            path = os.path.join(here, name)
            yield Input(path, _place(os.path.join(below, os.path.relpath(path, folder)), ""), found=True)
    for error in broken:
        yield Input(str(error.filename), "", True, f"the folder cannot be read ({error.strerror})")
    if not (some or broken):
        remedy = "" if recursive else "; --recursive searches the folders in it"
        yield Input(folder, "", True, f"there are no pictures in this folder{remedy}")


def _left_out(folder: str, without: Path | None) -> bool:
    same = without is not None and os.path.realpath(folder) == os.path.realpath(without)
    return same or os.path.basename(folder).startswith(".")


def _made_of(name: str, names: set[str]) -> bool:
    """Whether a file bears the name of a result or preview of another file in its folder."""
    match = _OWN.fullmatch(name)
    return match is not None and any(f"{match[1]}{ending}" in names for ending in _spelled())


def _spelled() -> Iterator[str]:
    for suffix in SUFFIXES:
        yield suffix
        yield suffix.upper()


def _by_glob(word: str, stem: str, page: str, recursive: bool, without: Path | None) -> Iterator[Input]:
    found = sorted(glob.glob(stem, recursive=True))
    if not found:
        yield Input(word, "", True, "no file matches")
    base = _fixed_part(stem)
    for path in found:
        relative = os.path.relpath(path, base)
        if relative.startswith(os.pardir):
            relative = os.path.basename(path)
        if not os.path.isdir(path):
            yield Input(path + page, _place(relative, page), found=True)
        elif not _left_out(path, without):
            yield from _in_folder(path, recursive, without, relative)


def _fixed_part(pattern: str) -> str:
    """Return the folder of a pattern in which the first wildcard is."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir
