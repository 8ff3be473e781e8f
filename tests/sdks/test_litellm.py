"""LiteLLM's real proxy with the callback in its configuration, before an upstream that keeps what it gets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from apis import CHAT, MESSAGES, RESPONSES, Api, messages_of
from litellm.proxy.types_utils.utils import get_instance_fn
from pages import data_url, images, page, pixels, text
from upstream import Upstream, json_answer

from pixtrim.errors import UsageError
from pixtrim.gateway import Settings
from pixtrim.gateway.litellm import Shrinker

CONFIGURATION = """
model_list:
  - model_name: house-gpt
    litellm_params: {{model: openai/gpt-5.5, api_base: "{url}/v1", api_key: key}}
  - model_name: house-claude
    litellm_params: {{model: anthropic/claude-opus-4-7, api_base: "{url}", api_key: key}}
  - model_name: house-gemini
    litellm_params: {{model: gemini/gemini-2.5-flash, api_base: "{url}", api_key: key}}
general_settings:
  dangerously_permit_weak_or_unset_master_key: true
litellm_settings:
  callbacks: {callback}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        for api in (CHAT, RESPONSES, MESSAGES):
            api.answers(running)
        yield running


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's address; its names for models say nothing of what they stand for."""
    folder = tmp_path_factory.mktemp("litellm")
    callback = "pixtrim.gateway.litellm.shrinker"
    (folder / "config.yaml").write_text(CONFIGURATION.format(url=upstream.url, callback=callback))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("litellm")), "--config", str(folder / "config.yaml")]
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    with (folder / "log").open("wb") as log:
        words = ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        process = subprocess.Popen(
            [*command, *words], cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
    try:
        for _ in range(600):
            try:
                if httpx2.get(f"{address}/health/liveliness", timeout=5).status_code == 200:
                    break
            except httpx2.TransportError:
                assert process.poll() is None, (folder / "log").read_text()[-3000:]
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def send(proxy: str, path: str, body: dict[str, Any]) -> None:
    answer = httpx2.post(proxy + path, json=body, headers={"authorization": "Bearer any"}, timeout=60)
    assert answer.status_code == 200, answer.text


def arrived(upstream: Upstream, path: str, before: int) -> list[bytes]:
    """The images of the one request that has come since."""
    (request,) = upstream.requests[before:]
    assert request.target.startswith(path)
    return images(request.body)


def chat(pictures: list[bytes]) -> dict[str, Any]:
    blocks = [{"type": "image_url", "image_url": {"url": data_url(one), "detail": "high"}} for one in pictures]
    words = {"type": "text", "text": "What is hére?"}
    return {"model": "house-gpt", "messages": [{"role": "user", "content": [words, *blocks]}]}


def responses(pictures: list[bytes]) -> dict[str, Any]:
    first, second = ({"type": "input_image", "image_url": data_url(one), "detail": "high"} for one in pictures)
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": [second]}
    return {"model": "house-gpt", "input": [{"role": "user", "content": [first]}, call, output]}


CALLS = [
    pytest.param(CHAT, chat, 2, id="chat"),
    pytest.param(RESPONSES, responses, 2, id="responses"),
    pytest.param(
        MESSAGES,
        lambda pictures: {"model": "house-claude", "max_tokens": 9, "messages": messages_of(pictures)},
        3,
        id="messages",
    ),
]


@pytest.mark.parametrize(("api", "body", "places"), CALLS)
def test_the_upstream_gets_smaller_images(api: Api, body: Any, places: int, proxy: str, upstream: Upstream) -> None:
    pictures = [page(f"{api.name} {number}") for number in range(places)]
    found = []
    for _ in range(2):
        before = len(upstream.requests)
        send(proxy, api.path, body(pictures))
        found.append(arrived(upstream, api.path, before))
    assert len(found[0]) == places
    for old, new in zip(pictures, found[0], strict=True):
        assert 0 < pixels(new) < 0.2 * pixels(old)
    assert found[1] == found[0]


def test_a_stream_goes_through_with_a_smaller_image(proxy: str, upstream: Upstream) -> None:
    before = len(upstream.requests)
    body = {**chat([page("streamed")]), "stream": True}
    lines = []
    with httpx2.stream("POST", proxy + CHAT.path, json=body, headers={"authorization": "Bearer any"}) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: {")]
    said = [json.loads(line[6:])["choices"][0]["delta"].get("content") for line in lines]
    assert "".join(filter(None, said)) == "one two three"
    (image,) = arrived(upstream, CHAT.path, before)
    assert pixels(image) < 500_000


def test_gemini_calls_are_rewritten_too(proxy: str, upstream: Upstream) -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": text(page("gemini"))}}
    answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": "a page"}]}, "finishReason": "STOP"}]}
    upstream.answers["*"] = json_answer(answer)
    before = len(upstream.requests)
    send(proxy, "/v1beta/models/house-gemini:generateContent", {"contents": [{"role": "user", "parts": [part]}]})
    (image,) = arrived(upstream, "", before)
    assert pixels(image) < 500_000


def test_a_file_beside_the_configuration_can_bring_other_settings(tmp_path: Path) -> None:
    (tmp_path / "images.py").write_text(
        "from pixtrim.gateway import Settings\n"
        "from pixtrim.gateway.litellm import Shrinker\n"
        "seen = []\n"
        "shrinker = Shrinker(Settings(budget=200), on_report=seen.append)\n"
    )
    found = get_instance_fn("images.shrinker", str(tmp_path / "config.yaml"))
    assert "async_pre_call_hook" in vars(type(found))  # where LiteLLM looks for it
    request = {**chat([page("own")]), "model": "gpt-5.5"}
    smaller = asyncio.run(found.async_pre_call_hook(None, None, request, "acompletion"))
    assert smaller.keys() == request.keys()
    assert images(json.dumps(request).encode()) == [page("own")]
    assert pixels(images(json.dumps(smaller).encode())[0]) < 300_000
    for data, kind in ((request, "aembedding"), ({**request, "model": None}, "acompletion"), ({}, "aresponses")):
        assert asyncio.run(found.async_pre_call_hook(None, None, data, kind)) is data
    with pytest.raises(UsageError, match="clicks"):
        Shrinker(Settings(computer_use="map"))
