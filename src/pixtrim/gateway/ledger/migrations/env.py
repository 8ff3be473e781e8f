"""What Alembic runs for `migrations.upgrade`."""

from __future__ import annotations

from alembic import context

from pixtrim.gateway.ledger.schema import METADATA, VERSION_TABLE


def run() -> None:
    """Run the migrations on the connection that was handed over."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA, version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name by which Alembic runs this file; who merely imports it wants no migration
    run()
