"""The database of a ledger: where it is, how it is opened, and that it is in the newest version."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from pixtrim.errors import InputError, UsageError, require
from pixtrim.gateway.ledger import migrations

__all__ = ["Database", "default_path", "parse_url", "why"]

PATIENCE: Final = 5.0
"""Seconds to wait for another writer, and for a server to answer."""

ADVISORY: Final = 0x7069787472696D  # "pixtrim" in ASCII
"""PostgreSQL's lock by which one process at a time migrates."""

SERVER: Final = {"connect_timeout": int(PATIENCE), "tcp_user_timeout": 30_000}
"""Of libpq, where the URL says nothing else: a server that is gone is noticed."""


def default_path() -> Path:
    """Return where the ledger is if nobody says otherwise: where the platform keeps data of a user's programs.

    ``$XDG_DATA_HOME/pixtrim/ledger.sqlite3`` (``~/.local/share/...`` where that is not set), on macOS in
    ``~/Library/Application Support``, on Windows in ``%LOCALAPPDATA%``.
    """
    home = Path.home()
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        named = Path(os.environ.get("XDG_DATA_HOME", ""))
        folder = named if named.is_absolute() else home / ".local" / "share"  # the convention ignores relative ones
    return folder / "pixtrim" / "ledger.sqlite3"


def parse_url(url: str) -> URL:
    """Read the URL of a ledger.

    Raises
    ------
    UsageError
        If it is none, or of another database than SQLite and PostgreSQL.

    Examples
    --------
    >>> parse_url("usage.sqlite3").database, parse_url("postgresql://host/usage").drivername
    ('usage.sqlite3', 'postgresql+psycopg')
    """
    if not url or "\0" in url:
        raise UsageError(f"the ledger's URL is {url!r}: give a file, sqlite:///FILE, or postgresql://HOST/DATABASE")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", url) is None:  # one letter would be a drive of Windows
        return URL.create("sqlite", database=os.path.expanduser(url))
    kind = url.partition(":")[0]
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(
            f"the ledger's URL, {kind}:..., is no URL: give postgresql://USER@HOST:PORT/DATABASE"
        ) from None
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise UsageError(f"the ledger's URL begins with {kind!r}: give a file, sqlite:///FILE, or postgresql://...")
    if not parsed.database or ":memory:" in parsed.database:
        raise UsageError(f"the ledger's URL is {url!r}, which names no file: give sqlite:///FILE")
    return parsed


def why(error: BaseException) -> str:
    r"""Say in one line what a database complains about, without the statement, which has what was to be written.

    Examples
    --------
    >>> why(ValueError("no such table:  x\n[SQL: SELECT 1]"))
    'no such table: x'
    """
    found: object = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    line = " ".join((str(found).strip() or type(found).__name__).split("\n")[0].split())
    return line[:300]


class Database:
    """Connections to the database of a ledger.

    Parameters
    ----------
    url : str
        See `parse_url`.
    create : bool
        Whether a file is made where there is none.

    Raises
    ------
    UsageError
        If the URL is none of a ledger, or its driver is not installed.
    """

    def __init__(self, url: str, create: bool = True) -> None:
        parsed = parse_url(url)
        self._path = Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
        self.name = str(self._path or parsed.set(query={}).render_as_string())
        """The file, or the URL without its password."""
        self._create = create
        self._inode: tuple[int, int] | None = None
        self._ready = False
        self._one_at_a_time = threading.Lock()
        if self._path is not None:
            self._engine = create_engine(parsed, connect_args={"timeout": PATIENCE})
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            require("psycopg", "postgres", "a ledger in PostgreSQL")
            rest = {key: value for key, value in SERVER.items() if key not in parsed.query}
            self._engine = create_engine(parsed, connect_args=rest)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Connect, in a transaction, to a database in the newest version.

        Raises
        ------
        InputError
            If that cannot be: the file is not there or none of a ledger, or a later pixtrim has written it.
        OSError, sqlalchemy.exc.DBAPIError
            If the file cannot be made, or the database does not let itself be read or written.
        """
        self.prepare()
        with self._engine.begin() as connection:
            yield connection

    def prepare(self) -> None:
        """Make the file and the tables, and migrate, where that has not been done; raises as `connected` does."""
        with self._one_at_a_time:
            if self._path is not None and (self._inode is None or self._inode != _inode(self._path)):
                self.forget()  # a file that was deleted meanwhile would take entries to its grave
                self._make_file(self._path)
            if not self._ready:
                _insist(self._migrate)
                self._inode = None if self._path is None else _inode(self._path)
                self._ready = True

    def forget(self) -> None:
        """Close all connections, and look at everything anew the next time."""
        self._engine.dispose()
        self._ready = False

    def _make_file(self, path: Path) -> None:
        if not self._create and not path.exists():
            raise InputError(f"{path}: there is no ledger")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # SQLite gives its other files the mode of this one
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if migrations.is_newest(connection, self.name):
                return
        with (
            self._engine.connect().execution_options(pixtrim_begin="BEGIN IMMEDIATE") as connection,
            connection.begin(),
        ):
            if self._path is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY})
            if not migrations.is_newest(connection, self.name):  # now that no other process is at it
                migrations.upgrade(connection)


def _insist(action: Callable[[], None]) -> None:
    """Try again while SQLite says that it is locked: in some places it does not wait by itself."""
    end = time.monotonic() + 2 * PATIENCE
    while True:
        try:
            action()
            return
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > end:
                raise
        time.sleep(0.02)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin and end where SQLAlchemy says so, those with DDL too
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for one another
        connection.execute("PRAGMA synchronous = NORMAL")  # losing power may lose the last entries, never the file
    except sqlite3.Error:
        connection.close()  # nobody else would
        raise


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("pixtrim_begin", "BEGIN"))
