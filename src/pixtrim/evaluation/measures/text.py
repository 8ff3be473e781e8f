"""How much of the text of a picture can still be read, by engines that read.

Each measure exists for each engine, and twice: against the text that somebody wrote down (``word-recall-tesseract``),
and, for pictures where nobody did, against what the same engine reads in the original (``word-recall-tesseract-self``).
The latter says how much of its own reading survives, and nothing about text that it misses in the original as well.

Text is compared as words, which `words` defines: neither case nor punctuation counts. Pictures whose text has fewer
than five words have no score.
"""

from __future__ import annotations

import re
import unicodedata
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from pixtrim.errors import UsageError, require
from pixtrim.evaluation.judges.ocr import ENGINES, Engine, Pixels, absent, engine_named
from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Sample

__all__ = [
    "CharacterRecall",
    "EditSimilarity",
    "OfEngine",
    "TextMeasure",
    "WordRecall",
    "character_recall",
    "edit_similarity",
    "word_recall",
    "words",
]

FEWEST_WORDS: Final = 5
SURE: Final = 0.6  # confidence from which a word that was read in the original counts as its text
ALIKE: Final = 0.5  # similarity from which a word counts as another that was misread, as in ANLS
WITHOUT_TEXT: Final = frozenset({"photo", "video frame"})
"""Kinds in which nobody looks for text: what engines read there is mostly leaves and bricks."""

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(f"[{_CJK}]|[^\\W_{_CJK}]+")
_DISTANCES: Final = "comparing letters"


def words(text: str) -> list[str]:
    """Split a text into its words: case-folded runs of letters and digits.

    Compatibility forms are resolved first, as text layers of PDF files hold ligatures. Chinese and Japanese are written
    without spaces, so each of their characters is a word.

    >>> words("The 12 cats, the CAT-flap: \ufb01ne x86")
    ['the', '12', 'cats', 'the', 'cat', 'flap', 'fine', 'x86']
    >>> words("表 1: Résumé")
    ['表', '1', 'résumé']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def word_recall(read: Sequence[str], truth: Sequence[str]) -> float:
    """Return the share of the words of the truth that were read, counted as multisets: 0 to 1.

    >>> word_recall(["a", "b", "b", "b"], ["a", "a", "b", "b"])
    0.75
    """
    return (Counter(read) & Counter(truth)).total() / len(truth)


def character_recall(read: Sequence[str], truth: Sequence[str]) -> float:
    """Return the share of the letters of the truth that were read, wherever their words stand: 0 to 1.

    Words that were read as they are count whole. Each other word of the truth is paired with one of the words that are
    left, the most alike first, and counts the letters that both have in the same order. Two words are paired only where
    at most half of the longer one has to be edited (Levenshtein), since any two words share some letters.

    Parameters
    ----------
    read, truth : sequence of str
        Words, in any order; the truth has at least one.

    Examples
    --------
    >>> character_recall(["word", "ietters"], ["letters", "word"])  # ten letters of eleven
    0.9090909090909091
    >>> character_recall(["zebra"], ["letters", "word"])
    0.0
    """
    same = Counter(read) & Counter(truth)
    found = sum(len(word) * count for word, count in same.items())
    missed, left = (sorted((Counter(side) - same).elements()) for side in (truth, read))
    return (found + _paired(missed, left)) / sum(map(len, truth))


def _paired(missed: Sequence[str], left: Sequence[str]) -> int:
    """Return the letters of missed words that were read in the most similar ones of those that are left."""
    if not missed or not left:
        return 0
    process = require("rapidfuzz.process", "evaluate", _DISTANCES)
    distance = require("rapidfuzz.distance", "evaluate", _DISTANCES)
    likeness = distance.Levenshtein.normalized_similarity
    alike = process.cdist(missed, left, scorer=likeness, score_cutoff=ALIKE, dtype=np.float32)
    pairs = np.argwhere(alike > 0)
    order = np.argsort(-alike[tuple(pairs.T)], kind="stable")
    free = np.ones(len(missed), bool), np.ones(len(left), bool)
    letters = 0
    for wanted, other in pairs[order].tolist():
        if free[0][wanted] and free[1][other]:
            free[0][wanted] = free[1][other] = False
            letters += distance.LCSseq.similarity(missed[wanted], left[other])
    return letters


def edit_similarity(read: Sequence[str], truth: Sequence[str]) -> float:
    """Return 1 less the normalised edit distance between two texts: 0 to 1.

    The edits (Levenshtein) between the words joined by spaces, over the length of the longer text, as in ICDAR's and
    OmniDocBench's NED. Unlike a recall it also counts what was read and is not there, and the order: columns or fields
    that the truth gives in another order cost as much as text that is lost.

    >>> edit_similarity(["one", "too"], ["one", "two"])
    0.8571428571428572
    """
    distance = require("rapidfuzz.distance", "evaluate", _DISTANCES).Levenshtein
    return float(distance.normalized_similarity(" ".join(read), " ".join(truth)))


class OfEngine(Measure):
    """A measure that asks an engine that reads; the classes that are registered name it.

    Attributes
    ----------
    engine : str
        The name of an engine, as in `pixtrim.evaluation.judges.ocr.ENGINES`.
    modules : tuple of str
        What else of the extra ``evaluate`` it needs.

    Raises
    ------
    UsageError
        If what it needs is not installed.
    """

    engine: ClassVar[str]
    modules: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        if absence := self.missing():
            raise UsageError(absence)
        self._engine: Engine = engine_named(self.engine)
        self.version = f"1 {self._engine.version}"

    @classmethod
    def missing(cls) -> str | None:
        return ENGINES[cls.engine].missing() or absent(cls.modules, _DISTANCES)


class TextMeasure(OfEngine):
    """A measure of text; the classes that are registered name an engine and what they compare with.

    Attributes
    ----------
    against_self : bool
        Whether readings are compared with what the engine reads in the original.
    """

    against_self: ClassVar[bool]
    modules: ClassVar[tuple[str, ...]] = ("rapidfuzz",)
    least_confidence: ClassVar[float] = 0.0  # of the words of the reduced picture, where the original's own are chosen

    def applies(self, sample: Sample) -> bool:
        if sample.truth.text is not None:
            text = words(sample.truth.text)
            return not self.against_self and len(text) >= FEWEST_WORDS and ENGINES[self.engine].knows(text)
        return self.against_self and sample.kind not in WITHOUT_TEXT

    def prepare(self, sample: Sample) -> Any:
        """Return the words of the text that readings are compared with."""
        if self.against_self:
            return self._read(sample.pixels, SURE)
        return words(sample.truth.text or "")

    def score(self, sample: Sample, reduced: Reduced, prepared: Any) -> float | None:
        if len(prepared) < FEWEST_WORDS:
            return None
        return self.compared(self._read(reduced.image, self.least_confidence if self.against_self else 0), prepared)

    def _read(self, pixels: Pixels, confidence: float = 0) -> list[str]:
        read = self._engine.read(np.ascontiguousarray(pixels))
        return words(" ".join(word.text for word in read if word.confidence >= confidence))

    @abstractmethod
    def compared(self, read: Sequence[str], truth: Sequence[str]) -> float:
        """Return the figure for what was read, the truth having `FEWEST_WORDS` or more."""


class WordRecall(TextMeasure):
    """The share of the words that are read without a fault: `word_recall`."""

    name = "word-recall"
    question = "Can the words still be read?"
    modules = ()

    def compared(self, read: Sequence[str], truth: Sequence[str]) -> float:
        return word_recall(read, truth)


class CharacterRecall(TextMeasure):
    """The share of the letters that are read, with credit for words that are nearly right: `character_recall`."""

    name = "character-recall"
    question = "How many of the letters can still be read?"

    def compared(self, read: Sequence[str], truth: Sequence[str]) -> float:
        return character_recall(read, truth)


class EditSimilarity(TextMeasure):
    """One less the normalised edit distance, which also counts additions and the order: `edit_similarity`."""

    name = "edit-similarity"
    question = "Does the text still read the same from start to end?"
    least_confidence = SURE  # what counts as added has to be chosen as what was there

    def compared(self, read: Sequence[str], truth: Sequence[str]) -> float:
        return edit_similarity(read, truth)


def _registered(base: type[TextMeasure], engine: type[Engine], against_self: bool) -> None:
    suffix, whose = ("-self", "as in the original, ") if against_self else ("", "")
    members = {
        "engine": engine.name,
        "against_self": against_self,
        "name": f"{base.name}-{engine.name}{suffix}",
        "question": f"{base.question.rstrip('?')} ({whose}by {engine.title})?",
        "__doc__": base.__doc__,
        "__module__": __name__,
    }
    register(type(f"{base.__name__}{engine.__name__}{'Self' * against_self}", (base,), members))


for _engine in ENGINES.values():
    for _against_self in (False, True):
        for _base in (WordRecall, CharacterRecall, EditSimilarity):
            _registered(_base, _engine, _against_self)
