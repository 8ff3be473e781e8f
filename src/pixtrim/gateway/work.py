"""Work on images, away from the event loop, and never without bounds.

Threads do it, not processes: what takes time (Pillow's codecs, zlib, NumPy, our own kernels, SHA-256) lets go of the
interpreter's lock, so that threads use all processors, share one cache, and need no copy of an image to get where it is
worked on. A process could be killed when it takes too long; a thread cannot, but what an image can cost is bounded by
`Settings.max_pixels`, and a request that has waited `Limits.image_seconds` goes on without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from pixtrim.gateway.cache import Cache
from pixtrim.gateway.formats import FORMATS
from pixtrim.gateway.log import where
from pixtrim.gateway.metrics import Metrics
from pixtrim.gateway.peek import model_in
from pixtrim.gateway.pictures import Job, Outcome, reduced
from pixtrim.gateway.policies import Limits
from pixtrim.gateway.rewrite import RewriteReport, rewrite
from pixtrim.gateway.settings import Settings

__all__ = ["Work"]

Result = TypeVar("Result")
Choose = Callable[[str | None], Settings | None]

SMALL: Final = 2**18
"""Bytes of a body that is looked at on the spot: if all its images are in memory, it takes less time than a thread."""

LATE: Final = "its images took too long"


class _GivenUpError(Exception):
    """A request goes on with its images as they are; the text says why."""


class _MissError(Exception):
    """An image is not in memory."""


class Work:
    """The threads, and the limits.

    Two pools: in one, a thread for each request parses, edits and waits; in the other, threads work on images. The
    latter never wait for anything, so that neither can wait for the other forever.

    Parameters
    ----------
    limits : Limits
    cache : Cache
    metrics : Metrics
    complain : callable
        Is told in a line of faults of pixtrim.
    """

    def __init__(self, limits: Limits, cache: Cache, metrics: Metrics, complain: Callable[[str], None]) -> None:
        self._limits, self._cache, self._metrics, self._complain = limits, cache, metrics, complain
        self._requests = ThreadPoolExecutor(max(1, limits.waiting), "pixtrim-request")
        self._images = ThreadPoolExecutor(limits.workers or os.cpu_count() or 1, "pixtrim-image")
        self._flying: dict[str, Future[Outcome]] = {}
        self._lock = threading.Lock()
        self._waiting = 0

    async def rewrite(
        self,
        body: bytes,
        wire_format: str,
        choose: Choose,
        *,
        model: str | None = None,
        fetched: Mapping[str, bytes] | None = None,
    ) -> tuple[bytes, RewriteReport | None]:
        """Do `pixtrim.gateway.rewrite`; what takes too long, or fails, leaves the body as it is, with a note.

        Parameters
        ----------
        body : bytes
        wire_format : str
        choose : callable
            Returns the settings for a model, in a thread; None if nothing is to be done, which has no report.
        model : str, optional
            Where the body does not have it.
        fetched : mapping of str to bytes, optional
            The files behind URLs.
        """
        task = _Task(self, self._limits.image_seconds)

        def work(reduce: Callable[[Sequence[Job]], list[Outcome]]) -> tuple[bytes, RewriteReport | None]:
            settings = choose(model or model_in(body))
            if settings is None:
                return body, None
            done = rewrite(body, wire_format, settings, model=model, fetched=fetched, reduce=reduce)
            return done.body, done.report

        try:
            if len(body) <= SMALL:
                with suppress(_MissError):
                    return work(self._remembered)
            return await self._run(lambda: work(task.reduce), task)
        except _GivenUpError as error:
            note = str(error)
        except Exception as error:
            note = f"a fault of pixtrim: {type(error).__name__}"
            self._complain(f"{note} at {where(error)}")
        return body, RewriteReport(wire_format, model, note=note)

    async def urls(self, body: bytes, wire_format: str, choose: Choose, model: str | None = None) -> list[str]:
        """Return the addresses of a body's images, each one once; none if nothing is to be done."""

        def look() -> list[str]:
            if choose(model or model_in(body)) is None:
                return []
            parsed = json.loads(body)
            places = FORMATS[wire_format].places(parsed) if isinstance(parsed, dict) else ()
            return list(dict.fromkeys(place.url for place in places if place.url is not None))

        try:
            return await self._run(look, _Task(self, self._limits.image_seconds))
        except (_GivenUpError, ValueError, RecursionError):
            return []

    async def _run(self, work: Callable[[], Result], task: _Task) -> Result:
        with self._lock:
            if self._waiting >= self._limits.waiting:
                raise _GivenUpError("too many requests with images at once")
            self._waiting += 1
            self._metrics.waiting.set(self._waiting)
        running = self._requests.submit(work)
        running.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), self._limits.image_seconds)
        except TimeoutError:
            raise _GivenUpError(LATE) from None
        finally:
            task.give_up()

    def _ended(self, _: Future[Result]) -> None:
        with self._lock:
            self._waiting -= 1
            self._metrics.waiting.set(self._waiting)

    def _remembered(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return what memory has, if it has all."""
        self.check(jobs)
        found = []
        for job in jobs:
            outcome = self._cache.get(job.key, on_disk=False)
            if outcome is None:
                raise _MissError
            found.append(outcome)
        self._metrics.cache.labels("hit").inc(len(found))
        return found

    def check(self, jobs: Sequence[Job]) -> None:
        """Give up a request that has too many images."""
        if len(jobs) > self._limits.images:
            raise _GivenUpError(f"more than {self._limits.images} images")

    async def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function in a thread for images."""
        return await asyncio.get_running_loop().run_in_executor(self._images, function, *arguments)

    def find(self, job: Job) -> tuple[Future[Outcome] | Outcome, bool]:
        """Return the outcome for an image, or who works on it, and whether it is the caller who had it begun."""
        key = job.key
        looked_up = self._metrics.cache
        found = self._cache.get(key)
        if found is not None:
            looked_up.labels("hit").inc()
            return found, False
        with self._lock:
            flying = self._flying.get(key)
            if flying is not None and not flying.cancelled():
                looked_up.labels("joined").inc()
                return flying, False
            found = self._cache.get(key, on_disk=False)  # it may have landed between the two looks
            if found is not None:
                looked_up.labels("hit").inc()
                return found, False
            begun = self._flying[key] = self._images.submit(self._reduced, key, job)
        begun.add_done_callback(lambda future: self._landed(key, future))
        looked_up.labels("miss").inc()
        return begun, True

    def _reduced(self, key: str, job: Job) -> Outcome:
        start = time.perf_counter()
        try:
            outcome = reduced(job)
        except Exception as error:
            reason = f"a fault of pixtrim: {type(error).__name__}"
            self._complain(f"{reason} at {where(error)}")
            return Outcome(None, None, reason)
        self._cache.put(key, outcome)
        self._metrics.cached.set(self._cache.bytes)
        self._metrics.work.observe(time.perf_counter() - start)
        return outcome

    def _landed(self, key: str, future: Future[Outcome]) -> None:
        with self._lock:
            if self._flying.get(key) is future:
                del self._flying[key]

    def close(self) -> None:
        """Begin nothing more; what is being worked on ends by itself."""
        self._requests.shutdown(wait=False, cancel_futures=True)
        self._images.shutdown(wait=False, cancel_futures=True)


class _Task:
    """The images of one request: waits for them together, no longer than the request does."""

    def __init__(self, work: Work, seconds: float) -> None:
        self._work = work
        self._until = time.monotonic() + seconds
        self._own: list[Future[Outcome]] = []
        self._given_up = False

    def reduce(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Do all of them at once, as far as there are threads."""
        self._work.check(jobs)
        begun = [self._begin(job) for job in jobs]
        return [self._wait(job, found) for job, found in zip(jobs, begun, strict=True)]

    def _begin(self, job: Job) -> Future[Outcome] | Outcome:
        if self._given_up:
            raise _GivenUpError(LATE)
        found, own = self._work.find(job)
        if own and isinstance(found, Future):
            self._own.append(found)
        return found

    def _wait(self, job: Job, found: Future[Outcome] | Outcome) -> Outcome:
        while isinstance(found, Future):
            try:
                return found.result(max(0.0, self._until - time.monotonic()))
            except CancelledError:  # the other request that had it begun is gone
                found = self._begin(job)
            except TimeoutError:
                raise _GivenUpError(LATE) from None
        return found

    def give_up(self) -> None:
        """Let go of what nobody has begun to work on; harmless after the end."""
        self._given_up = True
        for future in self._own:
            future.cancel()
