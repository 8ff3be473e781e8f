"""What the gateway counts, for Prometheus, in a registry of its own."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
LONG: Final = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Counters; their labels take few values, none of which a client can make up.

    Attributes
    ----------
    requests : Counter
        By route and status.
    images : Counter
        By route and outcome: changed, repeated, kept or failed.
    tokens : Counter
        Estimated for images, by route and when: before and after.
    cache : Counter
        Images looked up, by result: hit, joined (the same image was being worked on) or miss.
    work : Histogram
        Seconds of work on one image.
    added, seconds : Histogram
        Seconds that the gateway has added to a request, and that all of it took, by route.
    waiting, in_flight : Gauge
        Requests whose images are worked on, and all that are not answered in full.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("pixtrim_requests", "Requests", ("route", "status"), registry=own)
        self.images = Counter("pixtrim_images", "Images in requests", ("route", "outcome"), registry=own)
        self.tokens = Counter("pixtrim_image_tokens", "Tokens of images, estimated", ("route", "when"), registry=own)
        self.cache = Counter("pixtrim_cache", "Images looked up in the cache", ("result",), registry=own)
        self.cached = Gauge("pixtrim_cache_bytes", "Bytes of the cache in memory", registry=own)
        self.work = Histogram("pixtrim_image_seconds", "Work on one image", buckets=SECONDS, registry=own)
        self.added = Histogram(
            "pixtrim_added_seconds", "Time that the gateway adds", ("route",), buckets=SECONDS, registry=own
        )
        self.seconds = Histogram(
            "pixtrim_request_seconds", "Time of whole requests", ("route",), buckets=LONG, registry=own
        )
        self.waiting = Gauge("pixtrim_waiting", "Requests whose images are worked on", registry=own)
        self.in_flight = Gauge("pixtrim_in_flight", "Requests not answered in full", registry=own)

    def text(self) -> bytes:
        """Return all of them in the text format."""
        text: bytes = generate_latest(self.registry)
        return text
