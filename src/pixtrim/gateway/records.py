"""What is kept of a request once it is answered: a line in the log, counts, and an entry in the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pixtrim.gateway.downstream import Scope
from pixtrim.gateway.ledger import Entry, Ledger
from pixtrim.gateway.log import KeyLabels, Log
from pixtrim.gateway.metrics import Metrics
from pixtrim.gateway.rewrite import RewriteReport
from pixtrim.gateway.usage import Usage

__all__ = ["Record", "Recorder"]

CLIENT_CLOSED: Final = 499
"""The status of a request whose client was gone before there was one, as proxies write it."""

COUNTING: Final = ("/count_tokens", ":countTokens", "/input_tokens", "count-tokens:rawPredict")
"""How the paths of requests end that only count tokens, which costs none."""


@dataclass
class Record:
    """A request while it is handled.

    Attributes
    ----------
    method, path : str
        Of the request line, without the query.
    key_label : str or None
    route, wire_format, model : str or None
        As far as they are known yet.
    report : RewriteReport or None
        What became of its images.
    usage : Usage or None
        What the provider says.
    added : float
        Seconds that the gateway has taken for itself.
    problems : tuple of str
        Why images that are URLs were not fetched.
    error : str or None
        Why it is not answered in full by the upstream.
    """

    method: str
    path: str
    key_label: str | None
    at: datetime
    begun: float
    route: str | None = None
    wire_format: str | None = None
    model: str | None = None
    report: RewriteReport | None = None
    usage: Usage | None = None
    added: float = 0.0
    problems: tuple[str, ...] = ()
    error: str | None = None


class Recorder:
    """Tells the log, the metrics and the ledger; nothing that goes wrong there is the request's concern.

    Parameters
    ----------
    log : Log
    metrics : Metrics
    labels : KeyLabels
    ledger : Ledger, optional
    """

    def __init__(self, log: Log, metrics: Metrics, labels: KeyLabels, ledger: Ledger | None = None) -> None:
        self._log, self._metrics, self._labels, self._ledger = log, metrics, labels, ledger

    def begin(self, scope: Scope) -> Record:
        """Begin with a request."""
        self._metrics.in_flight.inc()
        label = self._labels.label(scope["headers"], scope["query_string"])
        return Record(scope["method"], scope["path"], label, datetime.now(UTC), time.perf_counter())

    def end(self, record: Record, status: int | None) -> None:
        """End with it."""
        seconds = time.perf_counter() - record.begun
        status = status or CLIENT_CLOSED
        self._metrics.in_flight.dec()
        self._count(record, status, seconds)
        report = record.report
        before, after = report.tokens if report is not None else (0, 0)
        count, changed = (len(report.images), report.changed) if report is not None else (0, 0)
        usage = record.usage
        self._log.write(
            "info" if record.error is None else "warning",
            "request",
            method=record.method,
            path=record.path,
            route=record.route,
            format=record.wire_format,
            model=record.model,
            status=status,
            images=count,
            changed=changed,
            tokens=[before, after] if count else None,
            kept=_reasons(report) if report is not None and count else None,
            note=report.note if report is not None else None,
            billed=[usage.input_tokens, usage.output_tokens, usage.cached_tokens] if usage is not None else None,
            seconds=round(seconds, 4),
            added_seconds=round(record.added, 5),
            key=record.key_label,
            not_fetched=record.problems or None,
            error=record.error,
        )
        if self._ledger is not None and record.wire_format is not None:
            if record.path.endswith(COUNTING):
                before = after = 0
            self._ledger.record(
                Entry(
                    at=record.at,
                    route=record.path,
                    wire_format=record.wire_format,
                    model=record.model,
                    key_label=record.key_label,
                    status=status,
                    images=count,
                    changed=changed,
                    tokens_before=before,
                    tokens_after=after,
                    billed_input=usage.input_tokens if usage is not None else None,
                    billed_output=usage.output_tokens if usage is not None else None,
                    billed_cached=usage.cached_tokens if usage is not None else None,
                    seconds=seconds,
                    added_seconds=record.added,
                )
            )

    def _count(self, record: Record, status: int, seconds: float) -> None:
        metrics, route = self._metrics, record.route or "none"
        metrics.requests.labels(route, str(status)).inc()
        metrics.seconds.labels(route).observe(seconds)
        metrics.added.labels(route).observe(record.added)
        if record.report is None or not record.report.images:
            return
        for image in record.report.images:
            reason = image.outcome.reason
            known = reason if reason in ("changed", "repeated") else "kept" if image.outcome.tokens else "unread"
            metrics.images.labels(route, known).inc()
        before, after = record.report.tokens
        metrics.tokens.labels(route, "before").inc(before)
        metrics.tokens.labels(route, "after").inc(after)


def _reasons(report: RewriteReport) -> dict[str, int] | None:
    """Count why images are as they were."""
    found: dict[str, int] = {}
    for image in report.images:
        if image.outcome.reason not in ("changed", "repeated"):
            found[image.outcome.reason] = found.get(image.outcome.reason, 0) + 1
    return found or None
