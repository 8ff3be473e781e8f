"""Answers: ask a model about originals and reduced pictures alike, through any endpoint that speaks OpenAI's protocol.

`pixtrim.evaluation.judges.endpoint` does the asking; here are the two usual ways to grade what comes back, as measures.
They are configured with an endpoint by `measures`; the classes in the registry stand for them in lists of what there
is.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, ClassVar, Final

from pixtrim.errors import UsageError, require
from pixtrim.evaluation.judges.endpoint import Asker, Endpoint, asker_of
from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Sample

__all__ = ["AnlsAnswers", "Answers", "RelaxedAnswers", "anls", "measures", "relaxed_accuracy"]

ANLS_THRESHOLD: Final = 0.5
"""Similarities below are worth nothing: the answer is another one, rather than the right one misspelt."""

TOLERANCE: Final = 0.05
"""How far a number may be from the right one, as a share of it."""

_NEEDS_ENDPOINT: Final = "needs a model to ask: give --endpoint URL and --endpoint-model NAME"


def anls(answer: str, truths: Sequence[str], threshold: float = ANLS_THRESHOLD) -> float:
    """Return the average normalised Levenshtein similarity (ANLS) of one answer, as DocVQA grades.

    One less the edit distance to the right answer that is nearest, as a share of the longer text's length; 0 where that
    is below the threshold. Case, and white space around and between words, do not count. The edge is that of the
    programs that grade for DocVQA: exactly one half is half a point, where the paper gives none.

    Parameters
    ----------
    answer : str
        What the model said.
    truths : sequence of str
        The answers that are right, one at least.
    threshold : float
        The least similarity that is worth something, 0 to 1.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    UsageError
        If there is no right answer, or rapidfuzz is not installed.

    Examples
    --------
    >>> anls("Coca  Cola ", ["coca cola"]), anls("Pepsi", ["coca cola"])
    (1.0, 0.0)
    >>> round(anls("coca cola company", ["coca cola", "fanta"]), 3)  # 8 of 17 letters too many
    0.529
    """
    distance = require("rapidfuzz.distance", "evaluate", "grading answers").Levenshtein
    said = _plain(answer)
    best = max(float(distance.normalized_similarity(said, _plain(truth))) for truth in _some(truths))
    return best if best >= threshold else 0.0


def relaxed_accuracy(answer: str, truths: Sequence[str], tolerance: float = TOLERANCE) -> float:
    """Return 1 for a right answer and 0 for a wrong one, as ChartQA grades.

    Where both are numbers, up to 5% beside is right; everything else has to be the same text, but for its case. As in
    the published rule, ``"12%"`` is the number 0.12, a right answer of zero is compared as text, and neither units nor
    thousands separators are taken away.

    Parameters
    ----------
    answer : str
        What the model said.
    truths : sequence of str
        The answers that are right, one at least.
    tolerance : float
        How far a number may be from the right one, as a share of it.

    Returns
    -------
    float
        1.0 or 0.0.

    Raises
    ------
    UsageError
        If there is no right answer.

    Examples
    --------
    >>> relaxed_accuracy("104.9", ["100"]), relaxed_accuracy("105.1", ["100"]), relaxed_accuracy("Daifuku", ["daifuku"])
    (1.0, 0.0, 1.0)
    """
    return float(any(_right(answer.strip(), truth.strip(), tolerance) for truth in _some(truths)))


def _right(answer: str, truth: str, tolerance: float) -> bool:
    said, meant = _number(answer), _number(truth)
    if said is None or not meant:
        return answer.lower() == truth.lower()
    return abs(said - meant) <= tolerance * abs(meant)


def _number(text: str) -> float | None:
    try:
        value = float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _some(truths: Sequence[str]) -> Sequence[str]:
    if isinstance(truths, str) or not truths:
        raise UsageError(f"the right answers are {truths!r}: give one text at least, in a list")
    return truths


class Answers(Measure):
    """The mean grade of a model's answers to the questions about a picture.

    Parameters
    ----------
    endpoint : Endpoint
        The model that is asked.

    Raises
    ------
    UsageError
        If no endpoint is given, or something that asking needs is not installed.
    """

    configured: ClassVar[bool] = False
    """Whether instances have been given an endpoint; those of `measures` have."""

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        if endpoint is None:
            raise UsageError(f"{self.name} {_NEEDS_ENDPOINT}")
        if (absence := _absent()) is not None:
            raise UsageError(absence)
        self.endpoint = endpoint
        self.version = f"1 {endpoint.identity}"

    @classmethod
    def missing(cls) -> str | None:
        return _absent() or (None if cls.configured else _NEEDS_ENDPOINT)

    def applies(self, sample: Sample) -> bool:
        return any(question.answers for question in sample.truth.questions)

    def score(self, sample: Sample, reduced: Reduced, prepared: Any) -> float | None:
        questions = [question for question in sample.truth.questions if question.answers]
        if not questions:
            return None
        asker: Asker = asker_of(self.endpoint)
        said = asker.answers(reduced.image, [question.text for question in questions])
        grades = [self.grade(answer, question.answers) for answer, question in zip(said, questions, strict=True)]
        return sum(grades) / len(grades)

    @staticmethod
    @abstractmethod
    def grade(answer: str, truths: Sequence[str]) -> float:
        """Return what one answer is worth, 0 to 1."""


@register
class AnlsAnswers(Answers):
    """Answers that may be misspelt: `anls`."""

    name = "answers-anls"
    question = "Does a model still answer questions about the text?"
    grade = staticmethod(anls)


@register
class RelaxedAnswers(Answers):
    """Answers that may be 5% beside the number: `relaxed_accuracy`."""

    name = "answers-relaxed"
    question = "Does a model still read the values of a chart?"
    grade = staticmethod(relaxed_accuracy)


class _AskedAnls(AnlsAnswers):
    configured = True


class _AskedRelaxed(RelaxedAnswers):
    configured = True


def measures(endpoint: Endpoint) -> list[Measure]:
    """Return the measures of answers, which ask this endpoint. They share its answers, and can be pickled.

    Raises
    ------
    UsageError
        If something that asking needs is not installed.
    """
    return [_AskedAnls(endpoint), _AskedRelaxed(endpoint)]


def _absent() -> str | None:
    absent = [module for module in ("httpx2", "rapidfuzz") if find_spec(module) is None]
    return f'asking a model needs {" and ".join(absent)}: pip install "pixtrim[evaluate]"' if absent else None
