"""`pixtrim gateway` under load for minutes: does its memory stay flat, and is every answer right?

Run: python benchmarks/gateway_soak.py [--minutes 10] [--clients 8] [--save]

The cache has 16 MB, which are full soon. Clients ask without a pause: requests without images, with new ones, with ones
that were there before, with broken ones, and requests that they give up half-way. Memory is what the operating system
counts for the gateway's process (Linux). Ends with 1 if an answer was wrong, or memory grew by more than a tenth from
the second quarter to the last.
"""

from __future__ import annotations

import base64
import io
import json
import random
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np
from common import Record, arguments, heading, save, table
from loopback import ANSWER, MODEL, gateway_command, proxy, upstream
from PIL import Image

PATH = "/v1/chat/completions"
SIZES = ((640, 480), (1280, 720), (1920, 1080))
GROWTH = 1.1
"""What memory may grow by, from the second quarter of the time to the last."""


def command(room: Path, port: int, target: int) -> list[str]:
    """Return how the gateway is started: with a cache that is full soon, for it is to grow."""
    return [*gateway_command(room, port, target), "--cache-size", "16MB"]


def chat(*urls: str) -> bytes:
    """Make a request with images."""
    content: list[Record] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": content}]}).encode()


def picture(rng: np.random.Generator) -> str:
    """Draw a page that nobody has seen, as a data URL."""
    width, height = SIZES[rng.integers(len(SIZES))]
    pixels = np.full((height, width, 3), 250, np.uint8)
    for y in range(30, height - 40, 40):
        pixels[y : y + 12, 40 : 40 + int(rng.integers(100, width - 80))] = rng.integers(0, 200, 3)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


class Client(threading.Thread):
    """Asks until told to stop."""

    def __init__(self, port: int, seed: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port, self.stop = port, stop
        self.count: Counter[str] = Counter()
        self._rng, self._dice = np.random.default_rng(seed), random.Random(seed)
        self._known = [picture(self._rng)]

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stop.is_set():
            kind = self._dice.choices(("text", "new", "known", "broken", "given up"), (4, 3, 6, 1, 1))[0]
            try:
                right = self._ask(kind, connection)
            except (OSError, HTTPException):
                connection.close()
                right = False
            self.count[kind if right else "wrong"] += 1

    def _ask(self, kind: str, connection: HTTPConnection) -> bool:
        body = self._body(kind)
        if kind == "given up":
            with socket.create_connection(("127.0.0.1", self.port)) as line:
                head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                line.sendall(head.encode() + body[: self._dice.randrange(len(body))])
            return True
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.read() == ANSWER and answer.status == 200

    def _body(self, kind: str) -> bytes:
        if kind == "text":
            return chat()
        if kind == "broken":
            return chat(self._known[0][: -self._dice.randrange(4, 400)])
        if kind == "new":
            self._known = [*self._known[-5:], picture(self._rng)]
            return chat(self._known[-1])
        return chat(*self._dice.sample(self._known, min(3, len(self._known))))


def memory(process: int) -> float:
    """Return the MiB of main memory that a process has."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def main() -> None:
    """Print what was asked, and the memory over time."""
    parser = arguments(__doc__, "gateway-soak")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--clients", type=int, default=8, help="how many ask at once (default: 8)")
    options = parser.parse_args()
    heading()
    stop, started, samples = threading.Event(), [], []
    with upstream() as target, proxy(command, target, None, started) as port:
        clients = [Client(port, seed, stop) for seed in range(options.clients)]
        for client in clients:
            client.start()
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            time.sleep(min(1.0, options.minutes))
            samples.append(memory(started[0]))
        stop.set()
        for client in clients:
            client.join()
    count = sum((client.count for client in clients), Counter())
    quarters = [statistics.median(part) for part in np.array_split(samples, 4)]
    row: Record = {"minutes": options.minutes, "requests": sum(count.values()), **{k: count[k] for k in sorted(count)}}
    row |= {f"MiB, quarter {number}": value for number, value in enumerate(quarters, 1)}
    table([row])
    if options.save:
        save("gateway-soak", row, clients=options.clients)
    if count["wrong"]:
        sys.exit(f"{count['wrong']} answers were wrong")
    if quarters[-1] > GROWTH * quarters[1]:
        sys.exit(f"memory grew from {quarters[1]:.0f} to {quarters[-1]:.0f} MiB")


if __name__ == "__main__":
    main()
