"""Gateways for tests: in a thread of this process, or as the command in one of its own."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from upstream import Upstream

import pixtrim
from pixtrim.gateway.app import Gateway, Options
from pixtrim.gateway.policies import Policy
from pixtrim.gateway.routes import parse_upstream
from pixtrim.gateway.serve import configured, listen

WAIT = 30.0


class Lines(io.StringIO):
    """A log whose lines can be waited for, as they are written in another thread."""

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Condition()

    def write(self, text: str) -> int:
        with self._more:
            written = super().write(text)
            self._more.notify_all()
        return written

    def line(self, number: int, event: str = "request") -> dict[str, Any]:
        """Return a line of an event, waiting until it is there."""

        def found() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in self.getvalue().splitlines()]
            return [line for line in lines if line["event"] == event]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) > number, WAIT), self.getvalue()
            return found()[number]


@dataclass
class Running:
    """A gateway that answers."""

    url: str
    log: Lines
    gateway: Gateway

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=WAIT)


@contextmanager
def running(*upstreams: str | Upstream, policy: Policy | None = None, **more: Any) -> Iterator[Running]:
    """Run a gateway in a thread, before upstreams by URL as NAME=URL, or a single one, called openai."""
    named = tuple(parse_upstream(up if isinstance(up, str) else f"openai={up.url}") for up in upstreams)
    log = Lines()
    gateway = Gateway(Options(named, policy or Policy(), log=log, **more))
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(configured(gateway, grace=5))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{listening.getsockname()[1]}", log, gateway)
    finally:
        server.should_exit = True
        thread.join(WAIT)
        listening.close()
        assert not thread.is_alive()


def environment() -> dict[str, str]:
    """What a process needs to find the pixtrim that is tested."""
    source = str(Path(pixtrim.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


class Command:
    """`pixtrim gateway` as a process; `program` is a way to start it other than ``python -m pixtrim``."""

    def __init__(self, *words: str, program: str | None = None) -> None:
        start = ["-m", "pixtrim"] if program is None else ["-c", program]
        self.process = subprocess.Popen(
            [sys.executable, *start, "gateway", "--port", "0", *words],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.lines: list[str] = []
        self._deaf = threading.Event()
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.event("listening")["address"]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._queue.put(line)
            if self._deaf.is_set():
                break
        self._queue.put(None)
        self.process.stderr.close()

    def deafen(self) -> None:
        """Close stderr at our end, once the process writes its next line."""
        self._deaf.set()

    def event(self, name: str) -> dict[str, Any]:
        """Return the next line of an event."""
        while (line := self._queue.get(timeout=WAIT)) is not None:
            if re.match(r"\{.*\}$", line) and (found := json.loads(line))["event"] == name:
                return found
        raise AssertionError(f"no event {name}: {''.join(self.lines)}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end, and return the exit code."""
        code = self.process.wait(WAIT)
        self._reader.join(WAIT)
        return code

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.ended()
