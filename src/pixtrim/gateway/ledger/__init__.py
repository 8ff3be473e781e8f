"""The ledger of usage: what each request was estimated to cost before and after, and what the provider billed.

A row a request, in SQLite or PostgreSQL. No image, prompt or key is in it: of keys the label that their owner chose.
Entries are written by a thread of their own, so that a request neither waits for the database nor fails with it.
"""

from __future__ import annotations

from pixtrim.gateway.ledger.database import default_path
from pixtrim.gateway.ledger.entries import Entry
from pixtrim.gateway.ledger.ledger import Ledger
from pixtrim.gateway.ledger.summaries import Row, total_of

__all__ = ["Entry", "Ledger", "Row", "default_path", "total_of"]
