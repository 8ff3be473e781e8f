"""The thread that writes entries, and the queue before it, in which they wait while the database does not take any."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from pixtrim.gateway.ledger.database import Database, why
from pixtrim.gateway.ledger.schema import REQUESTS

__all__ = ["MOST_WAITING", "Writer"]

MOST_WAITING: Final = 10_000
"""Entries that wait for the database at most, a few MiB; those that come when so many do are dropped."""

BATCH: Final = 500
"""Entries that are written in one transaction at most."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds between attempts while the database takes nothing; each pause is twice the one before."""

_log = logging.getLogger("pixtrim.gateway.ledger")

Row = dict[str, Any]


class Writer:
    """Takes rows at once, and writes them by and by.

    Parameters
    ----------
    database : Database
        Where to.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: deque[Row] = deque()
        self._writing = 0  # rows that were taken out of the queue and are not in the database yet
        self._thread: threading.Thread | None = None
        self._closed = False
        self.dropped = 0
        """Entries that were never written: the queue was full, or the database took nothing until the end."""
        self.failing = False
        """Whether the last attempt to write failed."""

    def put(self, row: Row | None) -> None:
        """Take a row, or drop it; None counts as one that cannot be written at all."""
        with self._changed:
            if row is None or self._closed or len(self._waiting) + self._writing >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append(row)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pixtrim-ledger", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put is written; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._writing), timeout)

    def close(self, timeout: float) -> None:
        """Write what waits, if the database takes it, and take nothing more."""
        end = time.monotonic() + timeout
        with self._changed:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(max(0.0, end - time.monotonic()))

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while rows := self._next():
            pause = FIRST_PAUSE
            while not self._written(rows):
                with self._changed:
                    if self._closed:
                        self._give_up()
                        return
                    self._changed.wait_for(lambda: self._closed, pause)  # and then once more, at the least
                pause = min(2 * pause, LONGEST_PAUSE)
            with self._changed:
                self._writing = 0
                self._changed.notify_all()

    def _next(self) -> list[Row]:
        """Wait for rows, and take them; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            rows = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._writing = len(rows)
            return rows

    def _written(self, rows: Sequence[Row]) -> bool:
        """Write rows, all or none, and say whether that is settled."""
        try:
            with self._database.connected() as connection:
                _insert(connection, rows)
        except (DataError, IntegrityError) as error:  # trying again would fail again
            self._fail(error)
            with self._changed:
                self.dropped += len(rows)
            return True
        except Exception as error:  # whatever it is, the requests go on, and so do the attempts
            self._fail(error)
            self._database.forget()
            return False
        if self.failing:
            self.failing = False
            _log.warning("ledger %s: written again; entries that were dropped: %d", self._database.name, self.dropped)
        return True

    def _fail(self, error: Exception) -> None:
        if not self.failing:
            self.failing = True
            _log.error(
                "ledger %s: nothing can be written (%s): requests go on, and up to %d entries wait until it can",
                *(self._database.name, why(error), MOST_WAITING),
            )

    def _give_up(self) -> None:
        self.dropped += self._writing + len(self._waiting)
        self._waiting.clear()
        self._writing = 0
        self._changed.notify_all()
        _log.error("ledger %s: closed; entries that were dropped: %d", self._database.name, self.dropped)


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert rows; those that are in already, from an attempt whose success was not heard of, are left as they are."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(REQUESTS).on_conflict_do_nothing(), list(rows))
