"""The versions of the ledger's tables, by Alembic, and the way to the newest.

A change of `schema.py` needs a new file in ``versions``, whose ``down_revision`` is the newest so far; none that was
released is ever edited.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pixtrim.errors import InputError
from pixtrim.gateway.ledger.schema import VERSION_TABLE

__all__ = ["is_newest", "newest", "upgrade", "version_of"]

FOLDER: Final = Path(__file__).parent

_ONE_AT_A_TIME: Final = threading.Lock()
"""Alembic keeps what it is working on in its modules."""


def newest() -> str:
    """Return the newest version that is known here."""
    return ScriptDirectory(str(FOLDER)).get_current_head() or ""


def version_of(connection: Connection) -> str | None:
    """Return the version of a database; None where there is no ledger in it."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def is_newest(connection: Connection, name: str) -> bool:
    """Say whether a database, called so, is in the newest version.

    Raises
    ------
    InputError
        If a later pixtrim has written it.
    """
    version = version_of(connection)
    known = {script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()}
    if version is not None and version not in known:
        raise InputError(
            f"ledger {name}: its tables have version {version[:40]!r}, and the newest that this pixtrim knows is "
            f"{newest()!r}: upgrade pixtrim, or choose another ledger"
        )
    return version == newest()


def upgrade(connection: Connection, version: str = "head") -> None:
    """Bring a database to a version, in the transaction that the connection is in."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, version)
