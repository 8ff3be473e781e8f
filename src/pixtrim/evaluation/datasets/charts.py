"""Pictures with questions: charts, as in ChartQA, and whatever people ask about pictures of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pixtrim.evaluation.datasets.adapters import pictures_in, read_json, register, sample, text_field, truth_of
from pixtrim.evaluation.datasets.kinds import UNKNOWN, kind_of
from pixtrim.evaluation.samples import Question, Sample, Truth

__all__ = ["charts"]

_FILE = "qa.json"


@register(
    "charts",
    "charts and others: pictures, and qa.json with image, question and answer",
    lambda r: (r / _FILE).is_file(),
)
def charts(root: Path) -> Iterator[Sample]:
    """Yield pictures with all questions about each; an answer is a text, or a list of those that count as right.

    They are charts, unless the folder's name, or one of the two above it, says another kind.
    """
    path = root / _FILE
    questions = _questions(path) if path.is_file() else {}
    named = kind_of(*(above.name for above in (root, *root.parents[:2])))
    kind = "chart" if named == UNKNOWN else named
    for picture in pictures_in(root):
        yield sample(root, picture, kind, Truth(questions=tuple(questions.get(picture.name, ()))))


def _questions(path: Path) -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    with truth_of(path, "a list of questions about pictures"):
        for entry in read_json(path):
            answers = entry["answer"] if isinstance(entry["answer"], list) else [entry["answer"]]
            if not all(isinstance(answer, str) for answer in answers):
                raise TypeError(f"{entry['answer']!r} is no text or list of texts")
            question = Question(text_field(entry, "question"), tuple(answers))
            found.setdefault(text_field(entry, "image"), []).append(question)
    return found
