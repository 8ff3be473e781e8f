"""Data sets: from what is typed to samples.

A folder is compared with the known layouts, and so are the folders in it; where none fits, its pictures and videos are
taken as they are. More layouts are added by `register`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import TypeVar

from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.datasets import charts, documents, photos, screens, videos  # noqa: F401  (they register)
from pixtrim.evaluation.datasets.adapters import (
    Adapter,
    adapter_named,
    adapters,
    files_in,
    folders_in,
    natural,
    register,
)
from pixtrim.evaluation.datasets.folder import plain
from pixtrim.evaluation.datasets.huggingface import huggingface
from pixtrim.evaluation.samples import Sample

__all__ = ["Adapter", "dataset_names", "describe", "limit", "of_kinds", "open_dataset", "open_datasets", "register"]

_T = TypeVar("_T")
_Found = Iterator[tuple[Path, Sample]]  # samples, each with the folder that its name starts from


def dataset_names() -> list[str]:
    """Return the names that can stand before the colon, ``hf`` last.

    >>> dataset_names()[:3]
    ['charts', 'funsd', 'sroie']
    """
    return [*(adapter.name for adapter in adapters()), "hf"]


def describe(name: str) -> str:
    """Say in one line what the data sets of a name are; raises UsageError if there is none of that name."""
    adapter = adapter_named(name)
    if adapter is not None:
        return adapter.about
    if name == "hf":
        return "rows of data sets of Hugging Face: hf:NAME[/CONFIG]:SPLIT"
    raise UsageError(f"data set is {name!r}: choose one of {', '.join(dataset_names())}")


def open_dataset(spec: str) -> Iterable[Sample]:
    """Find the samples that are meant; no picture is read before a sample is asked for it.

    Parameters
    ----------
    spec : str
        A folder, a file or a glob; ``NAME:PATH`` to read it by the layout of that name (`dataset_names`) whatever it
        looks like; or ``hf:NAME[/CONFIG]:SPLIT`` for rows of a data set of Hugging Face. A folder that is recognised is
        one data set; of one that is not, the folders in it are searched too.

    Returns
    -------
    iterable of Sample
        To be gone through once, in natural order of the names. These are unique: places below the folder that holds the
        one that was given.

    Raises
    ------
    UsageError
        If `spec` names nothing that is there, or an unknown layout.
    InputError
        If there are no samples, or (also while they are gone through) what is known about them cannot be read.
    MissingExtraError
        If reading them needs an optional dependency.
    """
    adapter, words = _split(spec)
    found = huggingface(words) if adapter == "hf" else _named(words, adapter_named(adapter) if adapter else None)
    first = next(iter(found), None)  # so that what is wrong shows here
    if first is None:
        layout = adapter_named(adapter) if adapter else None
        what = f"nothing in it has the layout {layout.about!r}" if layout else "there are no pictures in it"
        raise InputError(f"{spec}: {what}; give another folder, file or glob")
    return chain([first], found)


def open_datasets(specs: Sequence[str]) -> list[Sample]:
    """Find the samples of several data sets, all of different names.

    Where two data sets have a sample or a group of the same name, the later one's is given what was typed for it as
    well: ``"more/pages: pages/1.png"``. A picture that several of them hold, as a folder and a file in it do, is taken
    once; what lies in one group there stays in one group.

    Parameters
    ----------
    specs : sequence of str
        As for `open_dataset`, which says what is raised.
    """
    found: dict[str, Sample] = {}
    groups: dict[str, str] = {}  # the name of each group by its place
    places: set[str] = set()
    for spec in specs:
        base = _base(spec)
        taken = set(groups.values())
        for sample in open_dataset(spec):
            place, around = (
                os.path.normpath(os.path.join(base, name)) for name in (sample.name, sample.group or sample.name)
            )
            if place in places:
                continue
            places.add(place)
            name = sample.name if sample.name not in found else f"{spec}: {sample.name}"
            group = sample.group or sample.name
            group = groups.setdefault(around, f"{spec}: {group}" if group in taken else group)
            found[name] = replace(sample, name=name, group=group)
    return list(found.values())


def of_kinds(samples: Iterable[Sample], kinds: Sequence[str]) -> list[Sample]:
    """Return the samples of some kinds; raises UsageError where one of the kinds has none.

    Examples
    --------
    >>> photo, chart = Sample("a.png", "photo", bytes), Sample("b.png", "chart", bytes)
    >>> [sample.name for sample in of_kinds([photo, chart], ["chart"])]
    ['b.png']
    """
    listed = list(samples)
    there = dict.fromkeys(sample.kind for sample in listed)
    for kind in kinds:
        if kind not in there:
            raise UsageError(f"kind is {kind!r}: the data hold {', '.join(there) or 'nothing'}")
    return [sample for sample in listed if sample.kind in kinds]


def limit(samples: Iterable[Sample], most: int) -> list[Sample]:
    """Return at most so many samples of each kind, spread over the groups and within them.

    The choice depends on the samples' order alone, and a higher limit keeps all that a lower one takes, so that results
    can be reused.

    Parameters
    ----------
    samples : iterable of Sample
    most : int
        From 1.

    Returns
    -------
    list of Sample
        In the order given.

    Raises
    ------
    UsageError
        If `most` is below 1.

    Examples
    --------
    >>> steps = [Sample(f"{task}/{step}", "task", bytes, group=task) for task in "ab" for step in range(4)]
    >>> [sample.name for sample in limit(steps, 3)]
    ['a/0', 'a/2', 'b/0']
    """
    if most < 1:
        raise UsageError(f"limit is {most}: take at least 1 sample of each kind")
    listed = list(samples)
    kinds: dict[str, dict[str, list[int]]] = {}
    for index, sample in enumerate(listed):
        kinds.setdefault(sample.kind, {}).setdefault(sample.group or sample.name, []).append(index)
    taken: set[int] = set()
    for groups in kinds.values():
        in_turn = [_spread(members) for members in _spread(list(groups.values()))]
        rounds = ((turn, group) for turn in range(max(map(len, in_turn))) for group in in_turn if turn < len(group))
        taken.update(group[turn] for (turn, group), _ in zip(rounds, range(most), strict=False))
    return [listed[index] for index in sorted(taken)]


def _spread(items: list[_T]) -> list[_T]:
    """Order things so that every beginning is spread over the whole: by the reversed bits of their places."""
    bits = max(len(items) - 1, 1).bit_length()
    places = (int(f"{place:0{bits}b}"[::-1], 2) for place in range(1 << bits))
    return [items[place] for place in places if place < len(items)]


# --- what is typed -------------------------------------------------------------------------------------------------


def _split(spec: str) -> tuple[str, str]:
    """Take the name of a layout off, unless a file has that very name; a single letter is a drive of Windows."""
    name, colon, rest = spec.partition(":")
    if not colon or len(name) < 2 or os.path.lexists(spec) or "/" in name or "\\" in name:
        return "", spec
    describe(name)
    return name, rest


def _paths(words: str) -> list[Path]:
    """Return the folders and files that are meant, a file in one of the folders left out."""
    path = os.path.expanduser(words)
    if os.path.exists(path):
        paths = [Path(os.path.abspath(path))]
    elif glob.has_magic(path):
        paths = sorted((Path(os.path.abspath(found)) for found in glob.glob(path, recursive=True)), key=natural)
    else:
        paths = []
    if not paths:
        raise UsageError(f"data set is {words!r}: there is no such folder or file, and no glob that fits one")
    folders = {path for path in paths if path.is_dir()}
    return [path for path in paths if path in folders or folders.isdisjoint(path.parents)]


def _above(paths: Sequence[Path]) -> Path:
    """Return the folder from which samples are named."""
    return Path(os.path.commonpath([path if path.is_dir() else path.parent for path in paths])).parent


def _base(spec: str) -> str:
    """Return what, before a sample's name, makes its place: the same for the same picture in two data sets."""
    adapter, words = _split(spec)
    return spec if adapter == "hf" else str(_above(_paths(words)))


def _named(words: str, adapter: Adapter | None) -> Iterator[Sample]:
    paths = _paths(words)
    base = _above(paths)
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    seen: set[str] = set()
    found = chain.from_iterable(_below(folder, adapter, seen) for folder in folders)
    return (_placed(root, sample, base) for root, sample in chain(found, _of_files(files, adapter)))


def _placed(root: Path, sample: Sample, base: Path) -> Sample:
    """Name a sample, and its group, by their places below `base` rather than `root`."""
    name, group = (os.path.relpath(root / place, base) for place in (sample.name, sample.group or sample.name))
    return replace(sample, name=Path(name).as_posix(), group=Path(group).as_posix())


def _recognised(folder: Path) -> Adapter | None:
    return next((adapter for adapter in adapters() if adapter.recognise(folder)), None)


def _below(folder: Path, adapter: Adapter | None, seen: set[str]) -> _Found:
    """Yield the samples of a folder by the layout that is given or recognised; without one, search it."""
    real = os.path.realpath(folder)
    if real in seen:  # links can lead in circles, and globs to a folder and to those in it
        return
    seen.add(real)
    adapter = adapter or _recognised(folder)
    if adapter is not None:
        yield from ((folder, sample) for sample in adapter.samples(folder))
        return
    yield from ((folder, sample) for sample in plain(folder, files_in(folder)))
    for inner in folders_in(folder):
        yield from _below(inner, None, seen)


def _of_files(files: list[Path], adapter: Adapter | None) -> _Found:
    """Yield the samples that single files are, with what the data set around each knows about them."""
    for home, members in groupby(files, key=lambda path: path.parent):
        wanted = list(members)
        left = set(wanted)
        for root in (home, *home.parents[:3]):  # as they are published, data sets keep pictures up to 3 folders deep
            layout = adapter or (_recognised(root) if os.access(root, os.R_OK | os.X_OK) else None)
            for sample in layout.samples(root) if layout is not None else ():
                path = root / sample.name.rpartition("#t=")[0] if "#t=" in sample.name else root / sample.name
                if path in wanted:
                    left.discard(path)
                    yield root, sample
            if not left:
                break
        if adapter is None:
            yield from ((home, sample) for sample in plain(home, [path for path in wanted if path in left]))
