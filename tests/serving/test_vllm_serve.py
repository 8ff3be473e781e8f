"""A server of vLLM with the plugin, asked as its users ask it."""

from __future__ import annotations

import base64
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from engine import STEPS, Reference, saved
from pictures import page
from PIL import Image

NOISE = np.random.default_rng(3).integers(0, 256, (150, 200, 3), np.uint8)
START = 300.0
"""Seconds within which a server must answer."""


@dataclass
class Server:
    """A running server, and where it writes its log."""

    url: str
    log: Path

    def chat(self, *images: Any, policy: Any = None) -> httpx.Response:
        """Send one message with pictures."""
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": as_url(image)}} for image in images]
        body = {
            "model": "tiny",
            "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "what?"}]}],
            "temperature": 0,
            "max_tokens": STEPS,
            "ignore_eos": True,
            "return_token_ids": True,
            **({} if policy is None else {"mm_processor_kwargs": {"pixtrim": policy}}),
        }
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=120)

    def counters(self) -> dict[str, float]:
        """Read what this package adds to the metrics."""
        lines = httpx.get(f"{self.url}/metrics", timeout=60).text.splitlines()
        pairs = [line.split() for line in lines if line.startswith("pixtrim_") and "_total" in line]
        return {name: float(value) for name, value in pairs}


def as_url(image: Any) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def said(answer: httpx.Response) -> tuple[int, list[int]]:
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found["usage"]["prompt_tokens"], found["choices"][0]["token_ids"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("qwen3_vl", tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder, "float32")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, "--distributed-executor-backend", "uni") as found:
        yield found


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Start a server, and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.with_name("log.txt")
    command = [
        *(str(Path(sys.executable).with_name("vllm")), "serve", str(folder), "--served-model-name", "tiny"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"),
        *("--max-model-len", "2048", "--max-num-seqs", "8", *options),
        *("--trust-request-mm-kwargs", "--limit-mm-per-prompt", '{"image": 3, "video": 0}'),
        *("--hf-overrides", '{"pixtrim": {"threshold": 0}}'),
    ]
    environment = {**os.environ, "VLLM_ENABLE_V1_MULTIPROCESSING": "1", "VLLM_LOGGING_LEVEL": "INFO"}
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process:
        try:
            found = Server(f"http://127.0.0.1:{port}", log)
            wait_for(found, process)
            yield found
        finally:
            process.terminate()


def wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(int(START)):
        assert process.poll() is None, server.log.read_text()
        try:
            if httpx.get(f"{server.url}/health", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    raise AssertionError(server.log.read_text())


def test_a_page_in_a_chat_is_pruned(server: Server, reference: Reference) -> None:
    whole, pruned = reference(page()), reference(page(), threshold=0)
    assert said(server.chat(page())) == (pruned.prompt, pruned.tokens)
    assert pruned.prompt < whole.prompt


def test_a_request_has_a_policy_of_its_own(server: Server, reference: Reference) -> None:
    picture = page(seed=4)
    for policy, theirs in (
        ("off", reference(picture)),
        ({"threshold": 40}, reference(picture, threshold=40)),
        (None, reference(picture, threshold=0)),
        ({"selector": "raster"}, reference(picture, threshold=0, selector="raster")),
    ):
        for _ in range(2):  # cached, the second time
            assert said(server.chat(picture, policy=policy)) == (theirs.prompt, theirs.tokens)


@pytest.mark.parametrize(
    ("policy", "remedy"),
    [("on", "give settings"), ({"treshold": 1}, "choose from threshold"), ({"threshold": 300}, "0 to 255")],
)
def test_a_wrong_policy_is_a_bad_request(server: Server, policy: Any, remedy: str) -> None:
    answer = server.chat(page(), policy=policy)
    assert answer.status_code == 400
    assert remedy in answer.json()["error"]["message"]


def test_tokens_are_counted_and_logged(server: Server, reference: Reference) -> None:
    pictures = [page(seed=9), NOISE]
    whole, pruned = reference(*pictures).prompt, reference(*pictures, threshold=0).prompt
    for _ in range(2):  # the second time from caches
        before = server.counters()
        assert said(server.chat(*pictures))[0] == pruned
        found = {name: value - before[name] for name, value in server.counters().items()}
        dropped = found["pixtrim_image_tokens_total"] - found["pixtrim_kept_image_tokens_total"]
        assert found["pixtrim_images_total"] == 2
        assert dropped == whole - pruned > 0
    kept, tokens = (int(found[f"pixtrim_{name}_total"]) for name in ("kept_image_tokens", "image_tokens"))
    assert f"pixtrim: {kept} of {tokens} visual tokens" in server.log.read_text()


def test_fifty_at_once_with_no_one_and_several_pictures(server: Server, reference: Reference) -> None:
    kinds = [
        ((), None),
        ((page(seed=7),), None),
        ((page(seed=7), NOISE), {"threshold": 40}),
        ((page(seed=8),), "off"),
        ((NOISE, page(300, 200), page(seed=7)), None),
    ]
    expected = []
    for images, policy in kinds:
        plain = policy == "off" or not images
        theirs = reference(*images) if plain else reference(*images, **{"threshold": 0, **(policy or {})})
        expected.append((theirs.prompt, theirs.tokens))
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda kind: server.chat(*kind[0], policy=kind[1]), kinds * 10))
    assert [said(answer) for answer in answers] == expected * 10


def test_two_processes_that_receive_requests_count_together(folder: Path) -> None:
    with serving(folder, "--api-server-count", "2") as server:
        with ThreadPoolExecutor(6) as pool:
            prompts = {said(answer)[0] for answer in pool.map(lambda _: server.chat(page()), range(6))}
        assert len(prompts) == 1
        for _ in range(4):  # whichever process answers
            assert server.counters()["pixtrim_images_total"] == 6
