"""The tables as they are in the newest version; `migrations` leads there from every earlier one."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table

__all__ = ["METADATA", "REQUESTS", "VERSION_TABLE"]

VERSION_TABLE: Final = "pixtrim_ledger_version"
"""Named so that a database can be shared with other programs."""

METADATA: Final = MetaData()

REQUESTS: Final = Table(
    "pixtrim_requests",
    METADATA,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False, index=True),  # microseconds since 1970, UTC: alike in all databases
    Column("route", String, nullable=False),
    Column("wire_format", String),
    Column("model", String),
    Column("key_label", String),
    Column("status", BigInteger, nullable=False),
    Column("images", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("tokens_before", BigInteger, nullable=False),
    Column("tokens_after", BigInteger, nullable=False),
    Column("billed_input", BigInteger),
    Column("billed_output", BigInteger),
    Column("billed_cached", BigInteger),
    Column("seconds", Double, nullable=False),
    Column("added_seconds", Double, nullable=False),
)
