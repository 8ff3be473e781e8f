"""What is measured on a reduced picture, and the registry that new measures are added to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from pixtrim.errors import UsageError
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Sample

__all__ = ["Measure", "measure_named", "measure_names", "register"]


class Measure(ABC):
    """One figure about a reduced picture. Instances are made once in each worker process.

    A measure first prepares what it needs of the original picture, once for each sample, and then scores any number of
    reduced pictures against that. Both must depend on their arguments alone: the results are cached.

    Attributes
    ----------
    name : str
        As in tables and on the command line: ``"word-recall-tesseract"``.
    question : str
        The question that it answers, as users would ask it, in one line: ``"Can the text still be read?"``.
    higher_is_better : bool
        Whether larger scores are better.
    describes : bool
        Whether it describes pictures and does not judge them: neither higher nor lower is better. Its figures are
        shown, but no verdict is made of them, and no operator is ranked by them.
    version : str
        Part of what results are cached by: raise it when scores change. Include versions of engines that it calls.
    """

    name: str
    question: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    describes: ClassVar[bool] = False
    version: str = "1"

    @classmethod
    def missing(cls) -> str | None:
        """Say what has to be installed before it can run, and how; None where it can."""
        return None

    @abstractmethod
    def applies(self, sample: Sample) -> bool:
        """Whether it says something about this sample: a cheap test of its kind and truth."""

    def prepare(self, sample: Sample) -> Any:
        """Return what scoring needs of the original (a JSON value, or an array), or None."""
        return None

    @abstractmethod
    def score(self, sample: Sample, reduced: Reduced, prepared: Any) -> float | None:
        """Return the figure, or None where this picture has none (as too few words to count)."""


_REGISTRY: Final[dict[str, type[Measure]]] = {}


def register(measure: type[Measure]) -> type[Measure]:
    """Add a measure; use it as a decorator. Raises UsageError if the name is taken."""
    if measure.name in _REGISTRY:
        raise UsageError(f"a measure named {measure.name!r} exists: choose another name")
    _REGISTRY[measure.name] = measure
    return measure


def measure_names() -> list[str]:
    """Return the names of all measures, in the order of their registration."""
    return list(_REGISTRY)


def measure_named(name: str) -> type[Measure]:
    """Find a measure; raises UsageError if there is none of that name."""
    if name not in _REGISTRY:
        raise UsageError(f"metric is {name!r}: choose one of {', '.join(_REGISTRY)}")
    return _REGISTRY[name]
