"""What was computed once is kept, in a folder, by what it was computed from: runs go on where they were interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

import pixtrim
from pixtrim.errors import InputError

__all__ = ["Cache", "code_of_pictures", "key_of"]

FILE: Final = "results.sqlite3"

_PATIENCE: Final = 60.0
"""Seconds to wait for another run that is writing; each of its writings takes far less than one."""

_ABOVE: Final = frozenset({"cli", "draw", "evaluation", "__main__.py"})
"""Parts of the package that no reduced picture depends on."""

T = TypeVar("T")


class Cache:
    """JSON values by key, in a SQLite file: each is written whole or not at all, and several runs may share it.

    Once it cannot be read or written any more (a full disk), it keeps nothing and says so in `problem`: results matter
    more than keeping them.

    Parameters
    ----------
    folder : Path or None
        Made if it is not there; None keeps nothing.

    Raises
    ------
    InputError
        If the folder cannot be made or written to, or the file in it is none of ours.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(Path(folder))
    ...     cache.put(key_of("score", "ssim"), [0.9])
    ...     found, missing = cache.get(key_of("score", "ssim")), cache.get(key_of("score", "psnr"))
    ...     cache.close()
    >>> found, missing
    ([0.9], None)
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problem = ""
        self._connection: sqlite3.Connection | None = None
        if folder is None:
            return
        path = folder / FILE
        try:
            _make(folder)
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            # Losing power may damage the file; a crash or a kill of the program does not. Waiting for the disk at each
            # score would cost minutes.
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            self.close()
            remedy = "delete it" if type(error) is sqlite3.DatabaseError else "make it writable"
            raise InputError(f"{path}: cannot keep results ({error}): {remedy}, or choose another folder") from error

    def get(self, key: str) -> Any:
        """Return the value of a key, or None."""
        row = self._attempt(lambda c: c.execute("SELECT value FROM results WHERE key = ?", (key,)).fetchone())
        return None if row is None else json.loads(row[0])

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON value, in place of an earlier one."""
        text = json.dumps(value, allow_nan=False)
        self._attempt(lambda c: c.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (key, text)))

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _attempt(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        if self._connection is None:
            return None
        try:
            return action(self._connection)
        except sqlite3.Error as error:
            self.problem = f"{self.folder}: results are no longer kept ({error})"
            self.close()
            return None


def _make(folder: Path) -> None:
    """Make the folder; version control is told to pass it by."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")


def key_of(*parts: str | int) -> str:
    """Return a key that is different for different parts.

    Examples
    --------
    >>> key_of("a", "b") == key_of("ab"), len(key_of("a", 1))
    (False, 64)
    """
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()


@cache
def code_of_pictures() -> str:
    """Return pixtrim's version with a digest of the code that makes pictures and counts tokens.

    What is kept from before a change of an operator must not pass for what the operator does now.
    """
    package = Path(pixtrim.__file__).parent
    files = [path for path in package.rglob("*") if path.relative_to(package).parts[0] not in _ABOVE]
    native = find_spec("pixtrim._native")
    if native is not None and native.origin is not None:
        files.append(Path(native.origin))
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        if path.suffix in {".py", ".toml", ".so", ".pyd"}:
            digest.update(os.fsencode(path.name) + hashlib.sha256(path.read_bytes()).digest())
    return f"{pixtrim.__version__}+{digest.hexdigest()[:16]}"
