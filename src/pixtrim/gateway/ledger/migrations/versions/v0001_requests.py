"""One row for each request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "pixtrim_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("route", sa.String, nullable=False),
        sa.Column("wire_format", sa.String),
        sa.Column("model", sa.String),
        sa.Column("key_label", sa.String),
        sa.Column("status", sa.BigInteger, nullable=False),
        sa.Column("images", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("tokens_before", sa.BigInteger, nullable=False),
        sa.Column("tokens_after", sa.BigInteger, nullable=False),
        sa.Column("billed_input", sa.BigInteger),
        sa.Column("billed_output", sa.BigInteger),
        sa.Column("billed_cached", sa.BigInteger),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("added_seconds", sa.Double, nullable=False),
    )
    op.create_index("ix_pixtrim_requests_at_us", "pixtrim_requests", ["at_us"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("pixtrim_requests")
