"""Rows of data sets of Hugging Face: on the Hub, in its cache, or in a local folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pixtrim.errors import InputError, UsageError, require
from pixtrim.evaluation.datasets.kinds import kind_of
from pixtrim.evaluation.samples import Question, Sample, Truth

__all__ = ["Rows", "huggingface", "parse"]

FORM: Final = "hf:NAME[/CONFIG]:SPLIT, as hf:HuggingFaceM4/ChartQA:test or hf:/data/receipts:train"

_QUESTION: Final = ("question", "query")
_ANSWERS: Final = ("answers", "answer", "label")
_GROUP: Final = ("group", "doc_id", "docId", "image_id", "ucsf_document_id")


class Rows(NamedTuple):
    """Which rows are meant: a name on the Hub or a local folder or file, a configuration, and a split."""

    name: str
    config: str | None
    split: str

    def __str__(self) -> str:
        return f"hf:{self.name}{'/' + self.config if self.config else ''}:{self.split}"


def parse(text: str) -> Rows:
    """Take apart what stands after ``hf:``.

    A name on the Hub is ``OWNER/NAME``, or ``NAME`` alone for the few that have no owner; what follows is the
    configuration. What is there as a local folder or file, or begins like one, is never looked for on the Hub.

    Raises
    ------
    UsageError
        If there is no name, no split, or a local folder that is not there.

    Examples
    --------
    >>> parse("lmms-lab/DocVQA/InfographicVQA:validation[:10%]")
    Rows(name='lmms-lab/DocVQA', config='InfographicVQA', split='validation[:10%]')
    """
    match = re.fullmatch(r"(.+):([^:\[\]/\\]+(?:\[[^\[\]]*\])?)", text)
    if match is None:
        raise UsageError(f"data set is 'hf:{text}': write {FORM}")
    name, split = match.groups()
    path = os.path.expanduser(name)
    if os.path.exists(path):
        return Rows(path, None, split)
    parts = name.split("/")
    if os.path.isabs(path) or parts[0] in (".", "..") or len(parts) > 3 or not all(parts):
        raise UsageError(f"data set is 'hf:{text}': there is no folder {name}; write {FORM}")
    return Rows("/".join(parts[:2]), parts[2] if len(parts) == 3 else None, split)


def huggingface(text: str) -> Iterator[Sample]:
    """Yield the rows of a data set that has one column of pictures.

    Questions are read from a column ``question`` or ``query``, answers from ``answers``, ``answer`` or ``label``; a
    column ``label`` of classes is the class of the picture. Rows that agree in a column such as ``docId`` belong
    together. The pictures themselves are read when they are asked for.

    Parameters
    ----------
    text : str
        What stands after ``hf:``.

    Raises
    ------
    UsageError
        If `text` has another form, or the data set has no such split or configuration.
    InputError
        If the data set cannot be opened, or has no column of pictures.
    MissingExtraError
        If the library ``datasets`` is not installed.
    """
    rows = parse(text)
    dataset, column = _open(rows)
    about = [name for name in dataset.column_names if name != column]
    label = dataset.features.get("label")
    classes = getattr(label, "names", None)
    kind = kind_of(*reversed(Path(rows.name).parts))
    place = f"{Path(rows.name).name}{'/' + rows.config if rows.config else ''}/{rows.split}"
    for index, row in enumerate(dataset.select_columns(about)) if about else ((i, {}) for i in range(len(dataset))):
        truth = Truth(label=_label(row, classes), questions=_questions(row, classes))
        shared = next((row[name] for name in _GROUP if row.get(name) is not None), None)
        group = "" if shared is None else f"{place}/{shared}"
        yield Sample(f"{place}/{index:06d}", kind, partial(_picture, rows, index), truth, group)


def _label(row: dict[str, Any], classes: list[str] | None) -> str | None:
    number = row.get("label")
    return classes[number] if classes and isinstance(number, int) and number >= 0 else None


def _questions(row: dict[str, Any], classes: list[str] | None) -> tuple[Question, ...]:
    text = next((row[name] for name in _QUESTION if isinstance(row.get(name), str)), None)
    columns = (name for name in _ANSWERS if name != "label" or not classes)
    given = next((row[name] for name in columns if row.get(name) is not None), None)
    answers = tuple(str(answer) for answer in (given if isinstance(given, list) else [given]) if answer is not None)
    return (Question(text, answers),) if text and answers else ()


@lru_cache(maxsize=4)
def _open(rows: Rows) -> tuple[Any, str]:
    """Open a data set, once in each process; return it with its column of pictures, which it does not decode."""
    datasets = require("datasets", "evaluate", f"{rows}: reading data sets of Hugging Face")
    try:
        dataset = _load(datasets, rows)
    except Exception as error:  # the library's own errors, those of its loaders, and of the network
        raise _refused(rows, error) from error
    columns = [name for name, feature in dataset.features.items() if isinstance(feature, datasets.Image)]
    if len(columns) != 1:
        found = f"{len(columns)} columns of pictures" if columns else "no column of pictures"
        raise InputError(f"{rows}: has {found}; its columns are {', '.join(dataset.column_names)}")
    return dataset.cast_column(columns[0], datasets.Image(decode=False)), columns[0]


def _load(datasets: Any, rows: Rows) -> Any:
    path = Path(rows.name)
    saved = [name for name in ("state.json", "dataset_dict.json") if (path / name).is_file()]
    if not saved:
        if path.is_file():
            kind = {".parquet": "parquet", ".arrow": "arrow"}.get(path.suffix.lower())
            if kind is None:
                raise ValueError("a file must end in .parquet or .arrow")
            return datasets.load_dataset(kind, data_files={rows.split: rows.name}, split=rows.split)
        return datasets.load_dataset(rows.name, rows.config, split=rows.split)
    dataset = datasets.load_from_disk(rows.name)
    if saved == ["dataset_dict.json"]:
        if rows.split not in dataset:
            raise ValueError(f"Unknown split {rows.split!r}. Should be one of {list(dataset)}.")
        return dataset[rows.split]
    if dataset.split is not None and str(dataset.split) != rows.split:
        raise ValueError(f"Unknown split {rows.split!r}. Should be one of {[str(dataset.split)]}.")
    return dataset


def _refused(rows: Rows, error: Exception) -> UsageError | InputError:
    what = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (UsageError if isinstance(error, ValueError) else InputError)(f"{rows}: cannot be opened: {what}")


def _picture(rows: Rows, index: int) -> bytes:
    dataset, column = _open(rows)
    cell = dataset[index][column]
    if cell is None:
        raise InputError(f"{rows}: row {index} has no picture")
    if cell["bytes"] is not None:
        return bytes(cell["bytes"])
    try:
        return Path(cell["path"]).read_bytes()
    except OSError as error:
        raise InputError(f"{rows}: the picture of row {index} cannot be read ({error.strerror})") from error
