"""Work on images: done once, within limits of number and time, and never at the request's cost."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from asking import CHAT, Wire, chat, page, png
from gateways import running
from PIL import Image
from upstream import Upstream

from pixtrim.gateway import RewriteReport, Settings, rewrite
from pixtrim.gateway.cache import Cache
from pixtrim.gateway.metrics import Metrics
from pixtrim.gateway.pictures import Outcome
from pixtrim.gateway.policies import Limits, Policy
from pixtrim.gateway.work import Work


def fit(model: str | None) -> Settings:
    return Settings()


def changed(done: tuple[bytes, RewriteReport | None]) -> int:
    assert done[1] is not None
    return done[1].changed


class HeldCache(Cache):
    """A cache that lets nothing in until the test says so: whoever works on an image waits there."""

    def __init__(self) -> None:
        super().__init__(10**9)
        self.arrived = threading.Semaphore(0)
        self.open = threading.Event()
        self.puts = 0

    def put(self, key: str, outcome: Outcome) -> None:
        self.puts += 1
        self.arrived.release()
        assert self.open.wait(30)
        super().put(key, outcome)


class Bench:
    """What a `Work` is made of."""

    def __init__(self, cache: Cache | None = None, **limits: Any) -> None:
        self.complaints: list[str] = []
        self.metrics = Metrics()
        self.work = Work(Limits(**limits), cache or Cache(10**9), self.metrics, self.complaints.append)

    def looked_up(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("pixtrim_cache_total", {"result": result}) or 0.0


def run(scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario(), 60))


async def arrived(cache: HeldCache, number: int = 1) -> None:
    for _ in range(number):
        assert await asyncio.to_thread(cache.arrived.acquire, timeout=30)


def test_it_does_what_rewrite_does() -> None:
    bench = Bench()
    body = chat(page(0), page(1), page(0), b"no image")
    got = run(lambda: bench.work.rewrite(body, "openai-chat", fit))
    assert got == rewrite(body, "openai-chat")
    assert (bench.looked_up("miss"), bench.looked_up("hit")) == (3, 0)
    again = run(lambda: bench.work.rewrite(body, "openai-chat", fit))
    assert again == got
    assert (bench.looked_up("miss"), bench.looked_up("hit")) == (3, 3)
    run(lambda: bench.work.rewrite(body, "openai-chat", lambda model: Settings(budget="30%")))
    assert bench.looked_up("miss") == 6
    bench.work.close()


def test_the_same_image_in_two_requests_is_worked_on_once() -> None:
    cache = HeldCache()
    bench = Bench(cache)

    async def scenario() -> None:
        first = asyncio.create_task(bench.work.rewrite(chat(page()), "openai-chat", fit))
        await arrived(cache)
        others = [asyncio.create_task(bench.work.rewrite(chat(page(), n=n), "openai-chat", fit)) for n in range(3)]
        while bench.looked_up("joined") < 3:
            await asyncio.sleep(0.01)
        cache.open.set()
        done = [await task for task in (first, *others)]
        assert [report and report.changed for _, report in done] == [1] * 4

    run(scenario)
    assert cache.puts == 1
    bench.work.close()


def test_what_takes_too_long_goes_through_and_is_there_the_next_time() -> None:
    cache = HeldCache()
    bench = Bench(cache, image_seconds=0.05, workers=1)
    body = chat(page(), page(1))

    async def scenario() -> None:
        got, report = await bench.work.rewrite(body, "openai-chat", fit)
        assert got is body
        assert (report.note, report.images) == ("its images took too long", ())
        cache.open.set()
        while bench.metrics.registry.get_sample_value("pixtrim_waiting"):
            await asyncio.sleep(0.01)

    run(scenario)
    assert cache.puts <= 2  # what nobody waited for any more was not begun, unless it was next already
    patient = Bench(cache)
    got = run(lambda: patient.work.rewrite(chat(page()), "openai-chat", fit))
    assert got == rewrite(chat(page()), "openai-chat")
    assert patient.looked_up("hit") == 1
    bench.work.close()
    patient.work.close()


def test_a_request_that_is_given_up_takes_no_one_elses_image_along() -> None:
    cache = HeldCache()
    bench = Bench(cache, workers=1)

    async def scenario() -> None:
        busy = asyncio.create_task(bench.work.rewrite(chat(page(7)), "openai-chat", fit))
        await arrived(cache)
        first = asyncio.create_task(bench.work.rewrite(chat(page()), "openai-chat", fit))  # waits for the worker
        while bench.looked_up("miss") < 2:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(bench.work.rewrite(chat(page()), "openai-chat", fit))
        while bench.looked_up("joined") < 1:
            await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        cache.open.set()
        assert changed(await second) == 1
        assert changed(await busy) == 1

    run(scenario)
    bench.work.close()


def test_with_too_many_requests_or_images_the_next_goes_through() -> None:
    cache = HeldCache()
    bench = Bench(cache, waiting=1, images=2)

    async def scenario() -> None:
        first = asyncio.create_task(bench.work.rewrite(chat(page()), "openai-chat", fit))
        await arrived(cache)
        body = chat(page(1))
        got, report = await bench.work.rewrite(body, "openai-chat", fit)
        assert got is body
        assert report.note == "too many requests with images at once"
        cache.open.set()
        assert changed(await first) == 1
        while bench.metrics.registry.get_sample_value("pixtrim_waiting"):
            await asyncio.sleep(0.01)
        assert changed(await bench.work.rewrite(body, "openai-chat", fit)) == 1
        body = chat(page(1), page(2), page(3))
        got, report = await bench.work.rewrite(body, "openai-chat", fit)
        assert got is body
        assert report.note == "more than 2 images"

    run(scenario)
    bench.work.close()


def test_settings_are_chosen_by_the_model_that_the_request_is_for() -> None:
    bench, asked = Bench(), []

    def choose(model: str | None) -> Settings | None:
        asked.append(model)
        return None

    for body, model in ((chat(page()), None), (chat(page(), tools=[{"model": "x"}]), None), (b"{}", "in-the-path")):
        assert run(lambda body=body, model=model: bench.work.rewrite(body, "openai-chat", choose, model=model)) == (
            body,
            None,
        )
    assert asked == ["claude-sonnet-4-5", "claude-sonnet-4-5", "in-the-path"]
    bench.work.close()


def test_addresses_are_found_each_once() -> None:
    bench = Bench()
    body = chat("https://a.test/1", page(), "https://a.test/2", "https://a.test/1")
    assert run(lambda: bench.work.urls(body, "openai-chat", fit)) == ["https://a.test/1", "https://a.test/2"]
    assert run(lambda: bench.work.urls(body, "openai-chat", lambda model: None)) == []
    for bad in (b"", b"[1]", b"\xff", b'"image_url"', b"[" * 100_000):
        assert run(lambda bad=bad: bench.work.urls(bad, "openai-chat", fit)) == []
    bench.work.close()


def bomb() -> bytes:
    """20,000 x 20,000 pixels in some kilobytes."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    return stream.getvalue()


def test_hostile_images_go_through_as_they_came() -> None:
    strip = png(np.zeros((2, 50_000, 3), np.uint8))
    frames = io.BytesIO()
    Image.new("RGB", (50, 50)).save(frames, "GIF", save_all=True, append_images=[Image.new("RGB", (50, 50), "red")])
    whole = page(0, 400, 300)
    bad = [bomb(), whole[:200], frames.getvalue(), b"%PDF-1.7\n" + b"0" * 500, b"\0" * 1000]
    body = chat(*bad, strip, model="gpt-5.5")
    with Upstream() as upstream, running(upstream, policy=Policy(limits=Limits(workers=2))) as gateway:
        with Wire(gateway.url) as wire:
            wire.post(CHAT, body)
            status, headers, _ = wire.answer()
        assert status == 200
        assert headers["x-pixtrim"].startswith(f"images={len(bad) + 1}, ")
        sent = json.loads(upstream.request().body)["messages"][0]["content"]
        came = json.loads(body)["messages"][0]["content"]
        assert sent[: len(bad)] == came[: len(bad)]
        reasons = gateway.log.line(0)["kept"]
        assert sum(reasons.values()) >= len(bad)
        assert not gateway.log.getvalue().count("fault of pixtrim")
