"""Engines that read the text of a picture, behind one contract.

There are two, because one engine's taste is not the truth: Tesseract knows printed pages, and RapidOCR, a small neural
network, knows scenes and screens as well. What they read is only ever compared with what the same engine read elsewhere
or with a text that is known, never with each other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, cached_property
from importlib import metadata
from importlib.util import find_spec
from itertools import islice
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import InputError, MissingExtraError, UsageError, require
from pixtrim.evaluation.samples import Box

__all__ = ["ENGINES", "Engine", "RapidOCR", "Tesseract", "Word", "absent", "engine_named"]

Pixels = NDArray[np.uint8]

READINGS_KEPT: Final = 64
"""Pictures whose text an engine remembers, so that several measures of one picture cost one reading."""


_BEYOND_LATIN: Final = "\u0370"
"""The first letter after the Latin ones in Unicode: the Greek begin there."""


class Word(NamedTuple):
    """A word that was read: its text, its place in pixels of the picture, and how sure the engine is, 0 to 1."""

    text: str
    box: Box
    confidence: float


class Engine(ABC):
    """Something that reads pictures. What it reads depends on the pixels and on `version` alone.

    Attributes
    ----------
    name : str
        As in the names of measures: ``"tesseract"``.
    title : str
        As in sentences: ``"Tesseract"``.
    version : str
        The engine's version with that of whatever its readings depend on.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[Word, ...]] = OrderedDict()

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Say what has to be installed before it can read, and how; None where it can."""

    @classmethod
    def knows(cls, text: Sequence[str]) -> bool:
        """Whether it was made for a text, which is given as words."""
        return True

    @property
    @abstractmethod
    def version(self) -> str: ...

    def read(self, pixels: Pixels) -> tuple[Word, ...]:
        """Read a picture.

        Parameters
        ----------
        pixels : ndarray
            uint8 (H, W, 3), C-contiguous.

        Returns
        -------
        tuple of Word
            In the engine's reading order. Boxes are within the picture.

        Raises
        ------
        InputError
            If the engine cannot take the picture.
        MissingExtraError, UsageError
            If the engine is not installed; `missing` says so beforehand.
        """
        key = hashlib.sha256(f"{pixels.shape} ".encode() + pixels.tobytes()).digest()
        if key not in self._kept:
            self._kept[key] = tuple(self._read(pixels))
            if len(self._kept) > READINGS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    @abstractmethod
    def _read(self, pixels: Pixels) -> list[Word]:
        """Read a picture that was not read before."""


class Tesseract(Engine):
    """The program of that name, version 5, with its English model and its own analysis of the page (``--psm 3``).

    It runs in one thread: the evaluation runs several processes.
    """

    name = "tesseract"
    title = "Tesseract"

    _LANGUAGE: Final = "eng"
    _LONGEST: Final = 32767  # pixels of a side that it takes
    _INSTALL: Final = (
        "reading by Tesseract needs the program tesseract, version 5, with English: apt install tesseract-ocr "
        "(Debian, Ubuntu), dnf install tesseract (Fedora), brew install tesseract (macOS)"
    )

    @classmethod
    def missing(cls) -> str | None:
        found, languages = _tesseract()
        if not found:
            return cls._INSTALL
        if not found.lstrip("v").startswith("5."):
            return f"found tesseract {found}, but {cls._INSTALL}"
        if cls._LANGUAGE not in languages:
            return f"tesseract {found} lacks the language {cls._LANGUAGE!r}, but {cls._INSTALL}"
        return None

    @classmethod
    def knows(cls, text: Sequence[str]) -> bool:
        """Whether at least half of the words begin with a Latin letter or a digit.

        >>> Tesseract.knows(["été", "2024", "表"]), Tesseract.knows(["表", "a", "示"])
        (True, False)
        """
        return 2 * sum(word[0] < _BEYOND_LATIN for word in text) >= len(text)

    @property
    def version(self) -> str:
        return f"tesseract {_tesseract()[0]} {self._LANGUAGE}"

    def _read(self, pixels: Pixels) -> list[Word]:
        height, width = pixels.shape[:2]
        if max(height, width) > self._LONGEST:
            raise InputError(f"the picture is {width}x{height}; Tesseract takes sides of up to {self._LONGEST} pixels")
        command = ["tesseract", "stdin", "stdout", "-l", self._LANGUAGE, "--psm", "3", "tsv"]
        picture = f"P6 {width} {height} 255\n".encode() + pixels.tobytes()
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        try:
            done = subprocess.run(command, input=picture, capture_output=True, env=environment, check=False)
        except FileNotFoundError:
            raise UsageError(self._INSTALL) from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").split("\n")[0]
            raise InputError(f"tesseract cannot read a picture of {width}x{height}: {said or done.returncode}")
        return [word for line in done.stdout.decode().splitlines()[1:] if (word := _word_of_tsv(line))]


@cache
def _tesseract() -> tuple[str, frozenset[str]]:
    """Return the version of the program and the languages that it has; an empty one where it is not installed."""
    program = shutil.which("tesseract")
    if not program:
        return "", frozenset()
    about, languages = (
        subprocess.run([program, option], capture_output=True, text=True, check=False).stdout.split()
        for option in ("--version", "--list-langs")
    )
    return (about[1] if len(about) > 1 else ""), frozenset(languages)


def _word_of_tsv(line: str) -> Word | None:
    r"""Return the word of a line of Tesseract's table; None where the line is of a block, or blank.

    >>> _word_of_tsv("5\t1\t1\t1\t1\t1\t10\t20\t30\t8\t96.5\tTotal")
    Word(text='Total', box=Box(x0=10.0, y0=20.0, x1=40.0, y1=28.0, label=''), confidence=0.965)
    """
    level, *_, left, top, width, height, confidence, text = line.split("\t", 11)
    if level != "5" or not text.strip():
        return None
    x, y = float(left), float(top)
    return Word(text, Box(x, y, x + float(width), y + float(height)), float(confidence) / 100)


class RapidOCR(Engine):
    """RapidOCR with the PP-OCRv6 models that its wheel brings; nothing is fetched.

    Lines are read one by one, so that what is read in one does not depend on the others beside it. Words are split
    where the gap between letters is wide; the confidence of a word is that of its line. Pictures with a side of more
    than 2560 pixels are brought to that by the engine itself, whose need of memory grows with the picture.
    Slim ones are filled up with their median colour, at the right or below, to a quarter of their length.
    """

    name = "rapidocr"
    title = "RapidOCR"

    _PARAMETERS: Final = {
        "Global.log_level": "error",
        "Global.max_side_len": 2560,
        "Rec.rec_batch_num": 1,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    _LONGEST: Final = 16384  # pixels of a side that it is given
    _SLIMMEST: Final = 4  # times as long as wide that a picture may be
    _MODULES: Final = ("rapidocr", "onnxruntime")
    _PURPOSE: Final = "reading by RapidOCR"

    @classmethod
    def missing(cls) -> str | None:
        return absent(cls._MODULES, cls._PURPOSE)

    @property
    def version(self) -> str:
        return " ".join(f"{module} {metadata.version(module)}" for module in self._MODULES)

    @cached_property
    def _reader(self) -> Any:
        modules = [require(module, "evaluate", self._PURPOSE) for module in self._MODULES]
        return modules[0].RapidOCR(params=self._PARAMETERS)

    def _read(self, pixels: Pixels) -> list[Word]:
        height, width = pixels.shape[:2]
        if max(height, width) > self._LONGEST:
            raise InputError(
                f"the picture is {width}x{height}; RapidOCR is given sides of up to {self._LONGEST} pixels"
            )
        canvas = _filled_up(pixels, -(-max(height, width) // self._SLIMMEST))
        found = self._reader(np.ascontiguousarray(canvas[:, :, ::-1]), return_word_box=True)  # it takes BGR
        if found.txts is None:
            return []
        words = []
        for text, confidence, pieces in zip(found.txts, found.scores, found.word_results, strict=True):
            for word, corners in _words_of_line(text, pieces):
                at = np.clip(corners, 0, (width, height))
                words.append(Word(word, Box(*at.min(0).tolist(), *at.max(0).tolist()), float(confidence)))
        return words


def _filled_up(pixels: Pixels, least: int) -> Pixels:
    """Return a picture of at least so many pixels in width and height, the new ones being of its median colour.

    RapidOCR enlarges pictures until the short side has 736 pixels: 20 x 2000 would become 736 x 73600.
    """
    height, width = pixels.shape[:2]
    if min(height, width) >= least:
        return pixels
    canvas = np.empty((max(height, least), max(width, least), 3), np.uint8)
    canvas[:] = np.median(pixels, axis=(0, 1)).astype(np.uint8)
    canvas[:height, :width] = pixels
    return canvas


def _words_of_line(text: str, pieces: Sequence[tuple[str, float, Any]]) -> list[tuple[str, NDArray[np.float64]]]:
    """Return the words of a line with all corners of their parts: float64 (n, 2).

    RapidOCR gives words, but the single letters of a line that holds Chinese; those are put together again as the text
    has them. Its confidences of words are left alone: they are those of the first letters of the line.

    >>> corner = [[0, 0], [1, 1]]
    >>> [word for word, _ in _words_of_line("to go", [("to", 1.0, corner), ("go", 1.0, corner)])]
    ['to', 'go']
    >>> [word for word, _ in _words_of_line("表 A4", [(letter, 1.0, corner) for letter in "表A4"])]
    ['表', 'A4']
    """
    if any(len(word) > 1 for word, *_ in pieces):
        return [(word, np.asarray(corners, np.float64)) for word, _, corners in pieces]
    letters = iter(pieces)
    runs = [(run, list(islice(letters, len(run)))) for run in text.split()]
    return [
        (run, np.concatenate([np.asarray(corners, np.float64) for *_, corners in part])) for run, part in runs if part
    ]


def absent(modules: tuple[str, ...], purpose: str) -> str | None:
    """Say which module of the extra ``evaluate`` is not installed, as `pixtrim.errors.require` would; None if all are.

    Nothing is imported for that.

    >>> absent(("json", "no_such_module"), "reading tea leaves")
    'reading tea leaves needs no_such_module: pip install "pixtrim[evaluate]"'
    """
    for module in modules:
        if find_spec(module) is None:
            return str(MissingExtraError(f'{purpose} needs {module}: pip install "pixtrim[evaluate]"'))
    return None


ENGINES: Final[dict[str, type[Engine]]] = {engine.name: engine for engine in (Tesseract, RapidOCR)}


@cache
def engine_named(name: str) -> Engine:
    """Return the engine of that name: one for the whole process, so that measures share what it read.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise UsageError(f"the engine is {name!r}: choose one of {', '.join(ENGINES)}")
    return ENGINES[name]()
