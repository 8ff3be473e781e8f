"""What `pixtrim gateway` adds to a request, and where the time goes.

Run: python benchmarks/gateway.py [--rounds 41] [--save]

An upstream on loopback answers at once. The same bytes are sent to it directly and through the gateway, in turn, each
over a connection that stays open; what the gateway adds is the difference. The gateway has one core for itself, the
upstream and the client share another one. Where LiteLLM's proxy is installed, it stands beside: it passes requests on
and does nothing to images. The last table takes one image apart, in this process, on one core, beside Pillow, which
brings it to the same size.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import Record, Stopwatch, arguments, examples, heading, save, stages, table
from loopback import KEY, MODEL, gateway_command, litellm_command, proxy, upstream
from PIL import Image

from pixtrim.gateway import Settings
from pixtrim.gateway.edits import spliced
from pixtrim.gateway.formats import format_named
from pixtrim.gateway.pictures import decoded, encoded
from pixtrim.image import load
from pixtrim.pipeline import shrink
from pixtrim.result import file_of

PATH = "/v1/chat/completions"
PEER = "Pillow alone: PNG, Lanczos, PNG"


class Connection:
    """A connection that stays open, over which requests go as bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, body: bytes) -> float:
        """Send a request and read the answer; return the milliseconds that it took."""
        fields = {"Host": "x", "Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        lines = [f"{name}: {value}" for name, value in (*fields.items(), ("Content-Length", len(body)))]
        request = "\r\n".join([f"POST {PATH} HTTP/1.1", *lines, "", ""]).encode() + body
        start = time.perf_counter()
        self._socket.sendall(request)
        status = self._file.readline()
        length = None
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length is not None, "an answer without its length"
        self._file.read(length)
        taken = time.perf_counter() - start
        assert b" 200 " in status, status
        return taken * 1000


def chat(*blocks: Record) -> bytes:
    """Make a request of one message."""
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": list(blocks)}]}).encode()


def text(characters: int) -> Record:
    """Make a block of text."""
    return {"type": "text", "text": ("what is on the page? " * (characters // 20 + 1))[:characters]}


def screenshots(number: int) -> list[bytes]:
    """Return requests with a screenshot of 1920x1080, which differ in what a clock shows."""
    rng = np.random.default_rng(0)
    pixels = np.array(Image.open(io.BytesIO(examples()["dashboard"])).convert("RGB"))
    assert pixels.shape == (1080, 1920, 3)
    found = []
    for _ in range(number):
        pixels[4:16, 1800:1880] = rng.integers(0, 2, (12, 80, 1), np.uint8) * 255
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        url = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
        found.append(chat({"type": "image_url", "image_url": {"url": url}}, text(100)))
    return found


def requests(rounds: int) -> dict[str, list[bytes]]:
    """Return what is sent, by kind; the first one of each is not measured."""
    count = rounds + 1
    new, newer = np.array_split(np.array(screenshots(2 * count), object), 2)
    return {
        "no image, 1 KB": [chat(text(1000))] * count,
        "no image, 1 MB": [chat(text(1_000_000))] * count,
        "1080p, first time": list(new),
        "1080p, cached": [new[-1]] * count,
        "ten of 1080p, one new": [chat(*blocks([*new[:9], one])) for one in newer],
    }


def measure(kinds: dict[str, list[bytes]], direct: int, proxied: int) -> Iterator[tuple[float, float, float]]:
    """Send each kind of request to the upstream and through a proxy, in turn: medians, and the slower tenth's start."""
    connections = Connection(direct), Connection(proxied)
    for bodies in kinds.values():
        taken = np.array([[connection.ask(body) for connection in connections] for body in bodies])[1:]
        plain, added = np.median(taken[:, 0]), taken[:, 1] - np.median(taken[:, 0])
        yield float(plain), float(np.median(added)), float(np.quantile(added, 0.9))


def blocks(bodies: list[bytes]) -> list[Record]:
    """Return the images of requests."""
    return [json.loads(body)["messages"][0]["content"][0] for body in bodies]


def taken_apart(rounds: int) -> Record:
    """Time the stages of the work on one new image, in this process."""
    runs = []
    for body in screenshots(rounds + 1):
        watch = Stopwatch()
        source = body.decode()
        parsed = json.loads(source)
        (place,) = format_named("openai-chat").places(parsed)
        watch("JSON, to read")
        data = decoded(place.text or "")
        watch("base64, to bytes")
        pixels = load(data).pixels
        watch("PNG, to pixels")
        image = shrink(pixels, MODEL, Settings().budget, "fold").image
        watch("inspect, fold, resize")
        file = file_of(image, "PNG")
        watch("PNG, to bytes")
        smaller = encoded(file, "")
        watch("base64, to text")
        spliced(source, place.embed(smaller, "image/png")).encode()
        watch("JSON, to splice")
        Image.open(io.BytesIO(data)).convert("RGB").resize(image.shape[1::-1], Image.Resampling.LANCZOS).save(
            io.BytesIO(), "PNG"
        )
        watch(PEER)
        runs.append(watch)
    return {"stage, ms": "median", **stages(runs)}


def main() -> None:
    """Print the tables; with --save, write the figures as well."""
    parser = arguments(__doc__, "gateway")
    parser.add_argument("--rounds", type=int, default=41, help="requests of each kind (default: 41)")
    options = parser.parse_args()
    heading()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[1]})
    own = cores[0] if len(cores) > 1 else None
    proxies = {"pixtrim": gateway_command}
    if Path(sys.executable).with_name("litellm").exists():
        proxies["LiteLLM"] = litellm_command
    kinds = requests(options.rounds)
    rows: list[Record] = [{"request": kind, "KB": round(len(bodies[-1]) / 1000)} for kind, bodies in kinds.items()]
    with upstream() as target:
        for name, command in proxies.items():  # one after the other, so that none has another's leavings in its caches
            with proxy(command, target, own) as port:
                for row, (direct, added, slow) in zip(rows, measure(kinds, target, port), strict=True):
                    row |= {"direct ms": direct, f"{name} adds ms": added, f"{name} adds ms, 90%": slow}
    table(rows)
    apart = taken_apart(options.rounds)
    table([apart])
    if options.save:
        save("gateway", rows, rounds=options.rounds, model=MODEL, stages=apart)


if __name__ == "__main__":
    main()
