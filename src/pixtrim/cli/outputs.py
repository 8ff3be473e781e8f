"""Where results go: every name is settled, and checked, before any work; every file is written whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pixtrim.cli.inputs import Input
from pixtrim.cli.show import one_line
from pixtrim.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMATS",
    "STDOUT",
    "Checks",
    "Job",
    "Target",
    "Wanted",
    "encoded",
    "is_folder",
    "plan",
    "preview_target",
    "several",
    "write",
    "writing",
]

STDOUT = "-"

FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
"""The formats of results, by suffix; the first suffix of a format is the one that is given."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for beside the pictures; None is not asked for, an empty text means the usual place."""

    output: str | None = None
    format: str | None = None
    preview: str | None = None
    map: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """One input and the files that come of it; an `output` of None is stdout, in `format` if that is not None."""

    input: Input
    output: Path | None
    format: str | None
    preview: Path | None = None
    map: Path | None = None


@dataclass(frozen=True)
class Target:
    """A file that will be written, and whether its very name was typed."""

    path: Path
    typed: bool


def plan(inputs: Sequence[Input], wanted: Wanted) -> list[Job]:
    """Settle all names of all results.

    Raises
    ------
    UsageError
        If a result would replace an input, another result, a folder, or a file that was not named and is not to be
        overwritten, or if the settings do not fit together.
    """
    many = several(inputs)
    if wanted.output == STDOUT and many:
        raise UsageError("-o - writes one picture to stdout, so it takes one that is named; give a folder with -o DIR/")
    check = Checks(inputs, wanted.overwrite)
    jobs = []
    for entry in inputs:
        if entry.problem is not None:
            jobs.append(Job(entry, None, None))
            continue
        job, targets = _job(entry, wanted, many)
        for target in targets:
            check(target, entry)
        jobs.append(job)
    return jobs


def several(inputs: Sequence[Input]) -> bool:
    """Whether a name for a result means a folder: there are several inputs, or as many as a folder or glob has."""
    return len(inputs) > 1 or any(entry.found for entry in inputs)


def is_folder(name: str) -> bool:
    """Whether a name means a folder, by its trailing slash or because it is one."""
    return name.endswith(("/", os.sep)) or os.path.isdir(name)


def _job(entry: Input, wanted: Wanted, many: bool) -> tuple[Job, list[Target]]:
    suffix = next(suffix for suffix, name in FORMATS.items() if name == (wanted.format or "png"))
    to_stdout = wanted.output == STDOUT or (wanted.output is None and entry.path is None)
    output = None
    if not to_stdout:
        ending = f".pixtrim{suffix}" if wanted.output is None else suffix
        output = _target(wanted.output or "", entry, ending, _folder_of(entry), many, "-o")
    beside = _folder_of(entry) if output is None else output.path.parent
    extras = [
        preview_target(wanted.preview, entry, beside, many),
        None if wanted.map is None else _target(wanted.map, entry, ".map.json", beside, many, "--map"),
    ]
    kind = wanted.format if output is None else _format(output.path, wanted.format)
    preview, coordinates = (None if extra is None else extra.path for extra in extras)
    job = Job(entry, None if output is None else output.path, kind, preview, coordinates)
    return job, [target for target in (output, *extras) if target is not None]


def _folder_of(entry: Input) -> Path | None:
    return None if entry.path is None else entry.path.parent


def preview_target(
    name: str | None,
    entry: Input,
    beside: Path | None,
    many: bool,
    ending: str = ".preview.png",
    option: str = "--preview",
) -> Target | None:
    """Settle the name of a picture that shows something; None where none was asked for.

    Raises
    ------
    UsageError
        If it cannot be a picture's name.
    """
    if name is None:
        return None
    target = _target(name, entry, ending, beside, many, option)
    if target.path.suffix.lower() not in FORMATS:
        raise UsageError(f"{option} {one_line(str(target.path))}: name a picture, {_suffixes()}")
    return target


def _target(name: str, entry: Input, ending: str, beside: Path | None, many: bool, option: str) -> Target:
    if not name:
        if beside is None:
            raise UsageError(f"{option} needs a name: the picture comes from stdin, which has none")
        return Target(beside / (os.path.basename(entry.place) + ending), typed=False)
    if "\0" in name:
        raise UsageError(f"{option}: a null byte cannot be in a file name")
    if is_folder(name):
        return Target(Path(name, entry.place + ending), typed=False)
    if many:
        if os.path.lexists(name):
            raise UsageError(f"{option} {one_line(name)} is a file, and there are several inputs: name a folder")
        return Target(Path(name, entry.place + ending), typed=False)
    return Target(Path(name), typed=True)


def _format(path: Path, asked: str | None) -> str:
    by_suffix = FORMATS.get(path.suffix.lower())
    if by_suffix is None:
        raise UsageError(
            f"-o {one_line(str(path))}: the suffix {path.suffix!r} is no format; "
            f"use {_suffixes()}, or a slash at the end for a folder"
        )
    if asked is not None and asked != by_suffix:
        raise UsageError(f"-o {one_line(str(path))} and --format {asked} contradict each other: leave one of them out")
    return by_suffix


def _suffixes() -> str:
    return ", ".join(FORMATS)


class Checks:
    """Remembers what was planned, and refuses what would replace something."""

    def __init__(self, inputs: Sequence[Input], overwrite: bool) -> None:
        self.overwrite = overwrite
        self.inputs = {key: entry.source for entry in inputs if entry.path is not None for key in _keys(entry.path)}
        self.planned: dict[object, str] = {}

    def __call__(self, target: Target, entry: Input) -> None:
        path, shown = target.path, one_line(str(target.path))
        for key in _keys(path):
            if key in self.inputs:
                raise UsageError(f"{shown} is the input {one_line(self.inputs[key])}: an input is never overwritten")
            if key in self.planned:
                raise UsageError(
                    f"{one_line(self.planned[key])} and {one_line(entry.source)} would both become {shown}: "
                    "work on them apart, or give their folder, so that it is kept"
                )
            self.planned[key] = entry.source
        if path.is_dir():
            raise UsageError(f"{shown} is a folder: name a file, or end the name with a slash")
        if os.path.lexists(path) and not target.typed and not self.overwrite:
            raise UsageError(f"{shown} exists: give --overwrite to replace it, or another place with -o")


def _keys(path: Path) -> Iterator[object]:
    """Yield what two paths to one file have in common: the resolved name, and the file itself where there is one."""
    yield os.path.normcase(os.path.realpath(path))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return
    if status.st_ino:
        yield status.st_dev, status.st_ino


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of a file; let an error name the file, not the temporary one, or none at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, and its folder.

    Raises
    ------
    OSError
        If it cannot be written; it names the file.
    """
    from pixtrim.result import write_whole

    with writing(path):
        write_whole(path, data)


def encoded(picture: Image.Image, path: Path) -> bytes:
    """Return a preview in the format that its name says."""
    stream = io.BytesIO()
    picture.save(stream, FORMATS[path.suffix.lower()].upper())
    return stream.getvalue()
