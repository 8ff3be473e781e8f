"""What all data sets share: the registry of their layouts, and reading of files with one clear error each."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.samples import Box, Sample, Truth

__all__ = ["Adapter", "Layout", "adapter_named", "adapters", "register"]

PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""What is taken for a picture, by the ending of its name."""


Samples = Callable[[Path], Iterator[Sample]]


@dataclass(frozen=True)
class Adapter:
    """A layout of files that holds a data set.

    Attributes
    ----------
    name : str
        As it stands before the colon: ``"funsd"`` in ``funsd:PATH``.
    about : str
        What it reads, in one line.
    recognise : callable
        Whether a folder has the layout. It looks at names and the beginnings of files, and never raises for damaged
        ones: these are for `samples` to name.
    samples : callable
        Yields the samples of a folder, named by their places in it, lazily and without reading a picture. What the
        samples hold can be pickled, for they are sent to other processes. It raises InputError that names the file
        where something that is known to be true is written down in a way that cannot be read.
    """

    name: str
    about: str
    recognise: Callable[[Path], bool]
    samples: Samples


_REGISTRY: Final[dict[str, Adapter]] = {}


def register(name: str, about: str, recognise: Callable[[Path], bool]) -> Callable[[Samples], Samples]:
    """Add a layout; use it as a decorator of the function that yields the samples.

    A folder is read by the first layout that recognises it, in the order of registration.

    Raises
    ------
    UsageError
        If the name is taken, or is not made of two or more lower-case letters and digits.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]+", name) or name == "hf":
        raise UsageError(f"the name of a data set is {name!r}: use two or more lower-case letters and digits, not 'hf'")
    if name in _REGISTRY:
        raise UsageError(f"a data set named {name!r} exists: choose another name")

    def add(samples: Samples) -> Samples:
        _REGISTRY[name] = Adapter(name, about, recognise, samples)
        return samples

    return add


def adapters() -> list[Adapter]:
    """Return all layouts, in the order in which folders are compared with them."""
    return list(_REGISTRY.values())


def adapter_named(name: str) -> Adapter | None:
    """Find a layout; None if there is none of that name."""
    return _REGISTRY.get(name)


# --- files ---------------------------------------------------------------------------------------------------------


def natural(path: Path) -> tuple[object, ...]:
    """Return a key that sorts ``step_2`` before ``step_10``.

    >>> sorted([Path("step_10"), Path("step_2")], key=natural)[0].name
    'step_2'
    """
    parts = re.split(r"([0-9]+)", str(path))
    return *((int(part), "") if part.isdigit() else (-1, part) for part in parts), str(path)


def files_in(folder: Path) -> list[Path]:
    """List the files of a folder in natural order, without hidden ones and the results of pixtrim itself."""
    found = (Path(entry.path) for entry in _entries(folder) if entry.is_file())
    return sorted((p for p in found if not re.search(r"\.pixtrim\.\w+$|\.preview\.png$", p.name)), key=natural)


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder in natural order, without hidden ones."""
    return sorted((Path(entry.path) for entry in _entries(folder) if entry.is_dir()), key=natural)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from error


def pictures_in(folder: Path, *, without: str = "") -> list[Path]:
    """List the pictures of a folder in natural order, leaving out those whose names without suffix end in `without`."""
    found = (path for path in files_in(folder) if path.suffix.lower() in PICTURES)
    return [path for path in found if not without or not path.stem.endswith(without)]


class Layout(NamedTuple):
    """Where pictures and what is known about them lie: two folders below that of the data set, and an ending.

    ``Layout("images", "annotations", ".json")`` puts what is known about ``images/a/1.png`` into
    ``annotations/a/1.json``; two empty names stand for the folder of the data set itself and go no deeper.
    """

    pictures: str
    truths: str
    ending: str


def pairs(root: Path, layouts: Iterable[Layout]) -> Iterator[tuple[Path, Path | None]]:
    """Yield the pictures of a data set, each with the file that belongs to it, or None where there is none."""
    for layout in layouts:
        folder, truths = root / layout.pictures, root / layout.truths
        if not (folder.is_dir() and truths.is_dir()):
            continue
        beside = folder == truths
        for here in [folder] if beside else [folder, *folders_in(folder)]:
            for picture in pictures_in(here, without=layout.ending.rpartition(".")[0] if beside else ""):
                truth = truths / here.relative_to(folder) / (picture.stem + layout.ending)
                yield picture, truth if truth.is_file() else None


def first_truth(root: Path, layouts: Iterable[Layout]) -> tuple[Path, Path] | None:
    """Return the first picture of a data set that has a file beside it, and that file."""
    names = [entry.name for entry in _entries(root)]
    there = [layout for layout in layouts if layout.truths or any(name.endswith(layout.ending) for name in names)]
    return next(((picture, truth) for picture, truth in pairs(root, there) if truth is not None), None)


def beginning(path: Path) -> bytes:
    """Return the first 16 KiB of a file; nothing where it is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(1 << 14)
    except OSError:
        return b""


def has_key(path: Path, key: str) -> bool:
    """Whether a key stands near the beginning of a JSON file, which may be damaged further on."""
    return re.search(rb'"%s"\s*:' % re.escape(key.encode()), beginning(path)) is not None


# --- contents ------------------------------------------------------------------------------------------------------


def read_bytes(path: Path) -> bytes:
    """Read a file; raises InputError where that cannot be done."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make the file readable") from error


def read_text(path: Path) -> str:
    """Read a text file in UTF-8; raises InputError that says where it is none."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not in UTF-8 (byte {error.start}); convert the file") from error


def read_json(path: Path) -> Any:
    """Read a JSON file; raises InputError that says where it is none."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: is not valid JSON (line {error.lineno}: {error.msg}); get the file again") from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise InputError(f"{path}: the JSON cannot be read ({type(error).__name__}); get the file again") from error


@contextmanager
def truth_of(path: Path, form: str) -> Iterator[None]:
    """Turn whatever goes wrong while the contents of a file are taken apart into one InputError.

    Parameters
    ----------
    path : Path
        The file.
    form : str
        What it should hold, as ``"a FUNSD form"``.
    """
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, csv.Error) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: is not {form} ({' '.join(what.split())}); mend or remove the file") from error


def text_field(record: dict[str, Any], key: str, default: str | None = None) -> str:
    """Return a text out of a record; raises KeyError where it is missing, TypeError where it is something else."""
    value = record[key] if default is None else record.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key!r} is {type(value).__name__}, not a text")
    return value


def box(x0: Any, y0: Any, x1: Any, y1: Any, label: str) -> Box:
    """Return a box; raises ValueError where a coordinate is no finite number."""
    for value in (x0, y0, x1, y1):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is no coordinate")
    return Box(float(x0), float(y0), float(x1), float(y1), label)


def lines(parts: Iterable[str]) -> str | None:
    """Join the parts of a text that say something; None where nothing does."""
    return "\n".join(part.strip() for part in parts if part.strip()) or None


def sample(root: Path, path: Path, kind: str, truth: Truth | None = None, group: str = "") -> Sample:
    """Return the sample that a file is, named by its place below `root`."""
    return Sample(path.relative_to(root).as_posix(), kind, partial(read_bytes, path), truth or Truth(), group)
