"""The ledger: entries go in without waiting, sums come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, delete
from sqlalchemy.exc import DBAPIError

from pixtrim.errors import InputError, PixtrimError
from pixtrim.gateway.ledger.database import Database, default_path, why
from pixtrim.gateway.ledger.entries import Entry, row_of
from pixtrim.gateway.ledger.schema import REQUESTS
from pixtrim.gateway.ledger.summaries import Moment, Row, moment_us, summed
from pixtrim.gateway.ledger.writer import Writer
from pixtrim.tokens import Price

__all__ = ["Ledger"]


class Ledger:
    """A ledger of usage; `Ledger.open` opens one.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    >>> names = ("/v1/messages", "anthropic", "claude-haiku-4-5", "ci")
    >>> entry = Entry(at, *names, 200, 2, 1, 3000, 1800, 2100, 40, 0, seconds=2.5, added_seconds=0.03)
    >>> with tempfile.TemporaryDirectory() as folder, Ledger.open(f"{folder}/usage.sqlite3") as ledger:
    ...     ledger.record(entry)
    ...     written = ledger.flush(30)
    ...     [row] = ledger.summary(by=("day", "model"))
    >>> str(row.day), row.model, row.requests, row.saved, row.share, row.usd_saved
    ('2026-11-28', 'claude-haiku-4-5', 1, 1200, 0.4, 0.0012)
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)

    @classmethod
    def open(cls, url: str | None = None, *, create: bool = True, patient: bool = False) -> Self:
        """Open a ledger, and bring its tables to the newest version; several processes may do so at once.

        Parameters
        ----------
        url : str, optional
            A file, ``sqlite:///FILE`` or ``postgresql://USER@HOST:PORT/DATABASE``; by default `default_path`.
        create : bool
            Whether a file is made where there is none; it can be read by its owner alone.
        patient : bool
            Whether a database that cannot be used now is tried again later, by the thread that writes, which says so
            in the log.

        Raises
        ------
        UsageError
            If the URL is none of a ledger, or its driver is not installed.
        InputError
            If the database cannot be used: it is not there, damaged, or of a later version. If `patient`, never.
        """
        database = Database(str(default_path()) if url is None else url, create)
        try:
            if not patient:
                database.prepare()
        except PixtrimError:
            database.forget()
            raise
        except (OSError, DBAPIError) as error:
            database.forget()
            message = f"ledger {database.name}: cannot be used ({why(error)}): mend that, or choose another ledger"
            raise InputError(message) from error
        return cls(database)

    @property
    def name(self) -> str:
        """The file, or the URL without its password."""
        return self._database.name

    @property
    def dropped(self) -> int:
        """Entries that were never written."""
        return self._writer.dropped

    @property
    def failing(self) -> bool:
        """Whether the last attempt to write failed; more are made."""
        return self._writer.failing

    def record(self, entry: Entry) -> None:
        """Take an entry to be written soon; never waits, and never raises."""
        try:
            row = row_of(entry)
        except (AttributeError, OverflowError, TypeError, ValueError):  # no entry at all
            row = None
        self._writer.put(row)

    def flush(self, timeout: float) -> bool:
        """Wait for as many seconds at most until all entries are written, and say whether they are."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, for as many seconds at most, and let go of the database."""
        self._writer.close(timeout)
        self._database.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- questions ---------------------------------------------------------------------------------------------------

    def summary(
        self,
        by: Sequence[str] = ("day",),
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        model: str | None = None,
        key_label: str | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> list[Row]:
        """Return what was saved.

        Parameters
        ----------
        by : sequence of {"day", "model", "key_label"}
            A row for each of these; none of them for one row at most.
        since, until : date or datetime, optional
            From the first moment up to but without the second; a day stands for its beginning in UTC.
        model, key_label : str, optional
            Only of these.
        prices : mapping of str to Price, optional
            From `pixtrim.tokens.load_prices`; by default the prices that come with pixtrim.

        Returns
        -------
        list of Row
            In the order of `by`.

        Raises
        ------
        UsageError
            If an argument is none of these.
        InputError
            If the database cannot be read.
        """
        table = REQUESTS.c
        conditions: list[ColumnElement[bool]] = []
        if since is not None:
            conditions.append(table.at_us >= moment_us(since, "since"))
        if until is not None:
            conditions.append(table.at_us < moment_us(until, "until"))
        if model is not None:
            conditions.append(table.model == model)
        if key_label is not None:
            conditions.append(table.key_label == key_label)
        try:
            with self._database.connected() as connection:
                return summed(connection, by, conditions, prices)
        except (OSError, DBAPIError) as error:
            raise InputError(
                f"ledger {self.name}: cannot be read ({why(error)}): mend that, or choose another ledger"
            ) from error

    def prune(self, before: Moment) -> int:
        """Delete all entries before a moment, or none, and return how many there were.

        Raises
        ------
        UsageError
            If the moment has no time zone.
        InputError
            If the database cannot be written.
        """
        old = delete(REQUESTS).where(REQUESTS.c.at_us < moment_us(before, "before"))
        try:
            with self._database.connected() as connection:
                return connection.execute(old).rowcount
        except (OSError, DBAPIError) as error:
            raise InputError(f"ledger {self.name}: cannot be written ({why(error)}): nothing was deleted") from error
