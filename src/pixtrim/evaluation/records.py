"""What an evaluation finds out: one record for each score, all of them in a run, and summaries by kind of picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from pixtrim.errors import InputError

__all__ = ["SCHEMA", "Fault", "Record", "Run", "Summary"]

SCHEMA: Final = 1
"""The number of the form that :meth:`Run.to_dict` gives."""


@dataclass(frozen=True)
class Record:
    """One score: a picture, reduced by one operator to one budget, as one measure sees it.

    Attributes
    ----------
    sample : str
        The name of the sample.
    kind : str
        What it is, as ``"document scan"``.
    group : str
        What it belongs to; its own name where it stands alone.
    digest : str
        SHA-256 of the encoded picture, in hexadecimal.
    reducer : str
        What made it cheaper; ``"resize"`` is the baseline itself.
    budget : str
        As it was asked for: ``"50%"`` of the original's tokens, or a number of tokens (``"800"``).
    tokens_original : int
        What the original costs by the model's rule.
    tokens : int
        What the reduced picture costs, counted by the model's rule from its size.
    tokens_claimed : int
        What the reducer says that it costs.
    measure : str
        The name of the measure.
    score : float or None
        The figure, or None where this picture has none.
    baseline_tokens : int
        What the baseline costs: the plain resize to the largest size that costs at most ``tokens``.
    baseline_score : float or None
        The baseline's figure. For the baseline's own records, the same as ``score``.
    seconds : float
        What the reduction took, without reading the file.
    """

    sample: str
    kind: str
    group: str
    digest: str
    reducer: str
    budget: str
    tokens_original: int
    tokens: int
    tokens_claimed: int
    measure: str
    score: float | None
    baseline_tokens: int
    baseline_score: float | None
    seconds: float


@dataclass(frozen=True)
class Fault:
    """Something that an operator got wrong: a place that moved, detail that is gone, tokens that were not counted.

    Attributes
    ----------
    sample, reducer, budget : str
        As in :class:`Record`.
    what : str
        What is wrong, in one line with figures.
    check : str
        The short name of the check that found it.
    """

    sample: str
    reducer: str
    budget: str
    what: str
    check: str


@dataclass
class Run:
    """All that one evaluation did, found and could not do.

    Attributes
    ----------
    model : str
        The model whose tokens were counted.
    budgets, reducers, measures : tuple of str
        What was asked for, in that order.
    dataset : str
        The data, as they were named.
    records : list of Record
        By sample in the order of the data, then by budget, reducer and measure as above.
    faults : list of Fault
        What the checks of the operators found.
    errors : list of tuple of str
        What failed: the name of a sample, a measure, or the cache, and what went wrong there, in one line.
    notes : list of str
        What was left out by the rules of the comparison, in a line each.
    complete : bool
        False where the run was interrupted; the records then are those of the samples that were finished.
    seconds : float
        How long it took, from start to end.
    versions : dict of str to str
        Of pixtrim, Python, libraries, operators and measures.
    questions : dict of str to str
        What each measure answers, in words.
    lower_is_better : list of str
        The measures of which lower scores are better.
    describing : list of str
        The measures that describe and do not judge: of their figures no verdict is made.
    """

    model: str
    budgets: tuple[str, ...]
    reducers: tuple[str, ...]
    measures: tuple[str, ...]
    dataset: str
    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = True
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)
    lower_is_better: list[str] = field(default_factory=list)
    describing: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as a JSON value.

        Examples
        --------
        >>> run = Run("gpt-4o", ("50%",), ("resize",), ("ssim",), "photos")
        >>> run.to_dict()["schema"], Run.from_dict(run.to_dict()) == run
        (1, True)
        """
        return {
            "schema": SCHEMA,
            **asdict(self),
            "budgets": list(self.budgets),
            "reducers": list(self.reducers),
            "measures": list(self.measures),
            "errors": [list(error) for error in self.errors],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the run that :meth:`to_dict` gave.

        Raises
        ------
        InputError
            If it is none, or of another schema.
        """
        schema = value.get("schema") if isinstance(value, Mapping) else None
        if schema != SCHEMA:
            raise InputError(f"the schema of the run is {schema!r}: this version of pixtrim reads schema {SCHEMA}")
        try:
            return cls(
                model=value["model"],
                budgets=tuple(value["budgets"]),
                reducers=tuple(value["reducers"]),
                measures=tuple(value["measures"]),
                dataset=value["dataset"],
                records=[Record(**record) for record in value["records"]],
                faults=[Fault(**fault) for fault in value["faults"]],
                errors=[(name, message) for name, message in value["errors"]],
                notes=list(value["notes"]),
                complete=value["complete"],
                seconds=value["seconds"],
                versions=dict(value["versions"]),
                questions=dict(value["questions"]),
                lower_is_better=list(value["lower_is_better"]),
                describing=list(value["describing"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a run of pixtrim evaluate: {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class Summary:
    """One row of a table: what one operator at one budget did to the pictures of one kind, by one measure.

    Attributes
    ----------
    kind, measure, reducer, budget : str
        As in :class:`Record`.
    pictures : int
        How many have a score of both operator and baseline.
    groups : int
        How many groups these are of: pictures of one group are no independent witnesses.
    tokens, baseline_tokens : float
        The mean of what the reduced pictures cost, and of what the plain resizes beside them do, counted.
    mean, low, high : float
        The mean of the scores, and its 95% interval.
    baseline_mean : float
        The mean score of the baseline at equal tokens.
    difference, difference_low, difference_high : float
        Operator less baseline, and its 95% interval, with the sign turned where lower scores are better: positive
        always means that the operator is better, unless the measure only describes.
    verdict : str
        ``"better"`` or ``"worse"`` where the measure judges, the interval excludes zero and there are enough pictures,
        otherwise ``""``.
    """

    kind: str
    measure: str
    reducer: str
    budget: str
    pictures: int
    groups: int
    tokens: float
    baseline_tokens: float
    mean: float
    low: float
    high: float
    baseline_mean: float
    difference: float
    difference_low: float
    difference_high: float
    verdict: str
