"""Requests per second and time to the first token of `vllm serve`, stock against pruned, by the share of tokens kept.

Both servers run side by side, and are asked in turn. The model is Qwen3-VL-2B with random weights and some of its
layers. Needs an environment with vLLM: see `make vllm`.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from common import Record, arguments, heading, save, table
from engine_models import QUESTION, configuration, make_processor
from PIL import Image

SHARES = (0.1, 0.25, 0.5, 1.0)
SIDE = 1024
TOKEN = 32
ANSWER = 8
"""Tokens of an answer."""


@dataclass
class Server:
    """One of the two, and what was measured of it at one share."""

    url: str
    wall: float = 0.0
    first: list[float] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)

    def ask(self, url: str) -> None:
        """Ask about a picture, and take note of when the first token comes."""
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}]
        body = {
            "model": "model",
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": ANSWER,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_token_ids": True,
        }
        start, first = time.perf_counter(), None
        with httpx.stream("POST", f"{self.url}/v1/chat/completions", json=body, timeout=600) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                found = json.loads(line.removeprefix("data: "))
                if first is None and found["choices"] and found["choices"][0].get("token_ids"):
                    first = time.perf_counter() - start
                if found.get("usage"):
                    self.prompts.append(found["usage"]["prompt_tokens"])
        assert first is not None, "an answer without tokens"
        self.first.append(first)

    def load(self, urls: list[str], at_once: int) -> None:
        """Ask about pictures, so many at once."""
        start = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self.ask, urls))
        self.wall += time.perf_counter() - start


@contextmanager
def serve(folder: Path, name: str, *options: str) -> Iterator[Server]:
    """Start a server and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(str(Path(sys.executable).with_name("vllm")), "serve", str(folder), "--served-model-name", "model"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "bfloat16", "--enforce-eager"),
        *("--max-model-len", "4096", "--max-num-seqs", "16", "--distributed-executor-backend", "uni"),
        *("--limit-mm-per-prompt", '{"image": 1, "video": 0}', *options),
    ]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_NO_USAGE_STATS": "1",
    }
    log = folder.with_name(f"{name}.log")
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            while not answers(url):
                if process.poll() is not None:
                    sys.exit(f"{log.read_text()}\nthe server {name} ended")
                time.sleep(1)
            yield Server(url)
        finally:
            process.terminate()


def answers(url: str) -> bool:
    """Say whether a server is there."""
    try:
        return httpx.get(f"{url}/health", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def make(folder: Path, depth: float) -> None:
    """Write a model with random weights, and its processor."""
    import torch
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(configuration("2B", depth), dtype=torch.bfloat16)
    model.save_pretrained(folder)
    make_processor().save_pretrained(folder)


def picture(share: float, rng: np.random.Generator) -> str:
    """Draw a white page of which this share of the tokens is noise, no two of them alike; return it as a data URL."""
    count = (SIDE // TOKEN) ** 2
    noisy = np.zeros(count, bool)
    noisy[rng.permutation(count)[: round(share * count)]] = True
    mask = np.kron(noisy.reshape(SIDE // TOKEN, -1), np.ones((TOKEN, TOKEN))).astype(bool)
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[mask] = rng.integers(0, 256, (int(mask.sum()), 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def measure(servers: dict[str, Server], share: float, requests: int, at_once: int, rounds: int) -> Iterator[Record]:
    """Ask both servers in turn about the same pictures, which neither has seen before."""
    rng, shuffle = np.random.default_rng(int(share * 100)), random.Random(0)
    for server in servers.values():
        server.wall, server.first, server.prompts = 0.0, [], []
    for _ in range(rounds):
        urls = [picture(share, rng) for _ in range(requests)]
        for name in shuffle.sample(list(servers), len(servers)):
            servers[name].load(urls, at_once)
    for name, server in servers.items():
        yield {
            "noise": share,
            "server": name,
            "prompt tokens": statistics.mean(server.prompts),
            "requests/s": requests * rounds / server.wall,
            "first token, median s": statistics.median(server.first),
            "first token, 90% s": float(np.quantile(server.first, 0.9)),
        }


def main() -> None:
    parser = arguments(__doc__, "vllm-serving")
    parser.add_argument("--depth", type=float, default=0.125, help="share of the layers (default: 0.125)")
    parser.add_argument("--requests", type=int, default=4, help="requests of a round (default: 4)")
    parser.add_argument("--at-once", type=int, default=4, help="requests at once (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds for each share (default: 3)")
    options = parser.parse_args()
    heading()
    with TemporaryDirectory() as room, ExitStack() as stack:
        folder = Path(room) / "model"
        make(folder, options.depth)
        overrides = ("--hf-overrides", '{"pixtrim": {"threshold": 0}}')
        servers = {
            "stock": stack.enter_context(serve(folder, "stock")),
            "pruned": stack.enter_context(serve(folder, "pruned", *overrides)),
        }
        warm = [picture(0.5, np.random.default_rng(1)) for _ in range(2)]
        for server in servers.values():
            server.load(warm, 2)
        rows: list[Record] = []
        for share in SHARES:
            pair = list(measure(servers, share, options.requests, options.at_once, options.rounds))
            pair[1]["times as many"] = pair[1]["requests/s"] / pair[0]["requests/s"]
            rows += pair
            print(pair, file=sys.stderr)
    table(rows, list(rows[1]))
    if options.save:
        settings = {"model": f"Qwen3-VL-2B, {options.depth:g} of its layers and words, random weights, bfloat16"}
        settings["picture"] = f"{SIDE}x{SIDE}, {(SIDE // TOKEN) ** 2} tokens"
        save("vllm-serving", rows, **settings, at_once=options.at_once, versions={"vllm": vllm_version()})


def vllm_version() -> str:
    """Return the version of vLLM."""
    from importlib.metadata import version

    return version("vllm")


if __name__ == "__main__":
    main()
