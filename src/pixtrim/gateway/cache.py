"""What became of images, kept so that one that comes again costs nothing: in memory, and on disk if asked."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pixtrim.gateway.pictures import NO_MEMORY, Outcome

__all__ = ["Cache", "DiskCache"]

OVERHEAD: Final = 1024
"""Bytes that an entry takes beside its image."""

QUIET: Final = 60.0
"""Seconds after which it is said again that the folder cannot be used."""

Complain = Callable[[str], None]


class Cache:
    """Outcomes by `Job.key`, the least recently used ones given up first; any thread may use it.

    Parameters
    ----------
    limit : int
        Bytes held in memory, at most; 0 keeps nothing there.
    disk : DiskCache, optional
        Looked at for what memory does not have.

    Examples
    --------
    >>> cache = Cache(5000)
    >>> cache.put("a" * 64, Outcome(None, None, "nothing to save"))
    >>> cache.get("a" * 64).reason
    'nothing to save'
    """

    def __init__(self, limit: int, disk: DiskCache | None = None) -> None:
        self._limit, self._disk = limit, disk
        self._held: OrderedDict[str, Outcome] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: str, *, on_disk: bool = True) -> Outcome | None:
        """Return an outcome, if it is kept."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                return found
        found = self._disk.get(key) if self._disk is not None and on_disk else None
        if found is not None:
            self._hold(key, found)
        return found

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome, but for one that came of want of memory: there may be more next time."""
        if outcome.reason == NO_MEMORY:
            return
        self._hold(key, outcome)
        if self._disk is not None:
            self._disk.put(key, outcome)

    def _hold(self, key: str, outcome: Outcome) -> None:
        size = _size(outcome)
        if size > self._limit:
            return
        with self._lock:
            before = self._held.pop(key, None)
            self.bytes += size - (_size(before) if before is not None else 0)
            self._held[key] = outcome
            while self.bytes > self._limit:
                _, given_up = self._held.popitem(last=False)
                self.bytes -= _size(given_up)


def _size(outcome: Outcome) -> int:
    return OVERHEAD + len(outcome.data or b"")


# --- on disk ---------------------------------------------------------------------------------------------------------

_NAME: Final = re.compile(r"[0-9a-f]{64}\.outcome")
_HALF: Final = re.compile(r"\.pixtrim-[A-Za-z0-9_]+\.half")
_MAGIC: Final = b"pixtrim outcome 1\n"
_OLD: Final = 600.0
"""Seconds after which a half-written file is nobody's any more."""


class DiskCache:
    """Outcomes in a folder, one file each, which is whole or not there.

    A file that is not as it was written, or that something else has put under its name, is removed; files with other
    names are left alone. What the disk does not take, or not give, is complained about and otherwise as if it were not
    there.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    limit : int
        Bytes of all files; the least recently used ones are given up first.
    complain : callable
        Is told in a line what went wrong.
    """

    def __init__(self, folder: Path, limit: int, complain: Complain) -> None:
        self._folder, self._limit, self._complain = folder, limit, complain
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, int] = OrderedDict()
        self._failures: dict[str, float] = {}
        self.bytes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._look()
        except OSError as error:
            self._failed("read", error)

    def get(self, key: str) -> Outcome | None:
        """Return an outcome, if it is kept."""
        name = f"{key}.outcome"
        with self._lock:
            if name not in self._entries:
                return None
            self._entries.move_to_end(name)
        path = self._folder / name
        try:
            file = path.read_bytes()
        except OSError as error:
            self._forget(name)
            if not isinstance(error, FileNotFoundError):
                self._failed("read", error)
            return None
        found = _parsed(file, key)
        if found is None:
            self._complain(f"cache: {name} is damaged, or another program's: removed")
            self._forget(name)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # so that the next start knows the order of use
        return found

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome, if the disk takes it."""
        file = _packed(outcome, key)
        if len(file) > self._limit:
            return
        name = f"{key}.outcome"
        try:
            self._write(self._folder / name, file)
        except OSError as error:
            self._failed("written", error)
            return
        with self._lock:
            self._note(name, len(file))
            surplus = self._surplus()
        for old in surplus:
            with suppress(OSError):
                (self._folder / old).unlink()

    def _write(self, path: Path, file: bytes) -> None:
        handle, half = tempfile.mkstemp(prefix=".pixtrim-", suffix=".half", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(file)
            os.replace(half, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(half)
            raise

    def _look(self) -> None:
        """Find what earlier runs have left."""
        found = []
        for item in os.scandir(self._folder):
            with suppress(OSError):
                status = item.stat(follow_symlinks=False)
                if _NAME.fullmatch(item.name) and item.is_file(follow_symlinks=False):
                    found.append((status.st_mtime, item.name, status.st_size))
                elif _HALF.fullmatch(item.name) and status.st_mtime < time.time() - _OLD:
                    os.unlink(item.path)
        for _, name, size in sorted(found):
            self._note(name, size)
        for old in self._surplus():
            with suppress(OSError):
                (self._folder / old).unlink()

    def _note(self, name: str, size: int) -> None:
        self._drop(name)
        self._entries[name] = size
        self.bytes += size

    def _surplus(self) -> list[str]:
        given_up = []
        while self.bytes > self._limit:
            name, size = self._entries.popitem(last=False)
            self.bytes -= size
            given_up.append(name)
        return given_up

    def _forget(self, name: str) -> None:
        with self._lock:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self.bytes -= self._entries.pop(name, 0)

    def _failed(self, what: str, error: OSError) -> None:
        """Complain, but not about each image of a minute."""
        now = time.monotonic()
        if now - self._failures.get(what, -QUIET) >= QUIET:
            self._failures[what] = now
            self._complain(f"cache: the folder {self._folder} cannot be {what}: {error.strerror or error}")


def _packed(outcome: Outcome, key: str) -> bytes:
    """Return a file: a line that says what it is, a digest of all that follows, a line of JSON, the image."""
    facts = {
        "key": key,
        "media_type": outcome.media_type,
        "reason": outcome.reason,
        "operator": outcome.operator,
        "tokens": outcome.tokens,
        "size": outcome.size,
        "bytes": outcome.bytes,
        "data": outcome.data is not None,
    }
    rest = json.dumps(facts).encode() + b"\n" + (outcome.data or b"")
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def _parsed(file: bytes, key: str) -> Outcome | None:
    start = len(_MAGIC) + 32
    rest = file[start:]
    if file[: len(_MAGIC)] != _MAGIC or hashlib.sha256(rest).digest() != file[len(_MAGIC) : start]:
        return None
    line, _, data = rest.partition(b"\n")
    try:
        facts: dict[str, Any] = json.loads(line)
        if facts["key"] != key:
            return None
        return Outcome(
            data if facts["data"] else None,
            facts["media_type"],
            facts["reason"],
            facts["operator"],
            tuple(facts["tokens"]) if facts["tokens"] else None,
            tuple(facts["size"]) if facts["size"] else None,
            tuple(facts["bytes"]),
        )
    except (ValueError, KeyError, TypeError):  # whole, but of another version
        return None
