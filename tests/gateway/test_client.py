"""The client returns what pixtrim itself does, raises what pixtrim raises, and says all that the document describes."""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served import page, png, serving

import pixtrim
from pixtrim.errors import InputError, MissingExtraError, UnknownModelError, UsageError
from pixtrim.gateway.app import Gateway, Options
from pixtrim.gateway.client import Client, ServerError
from pixtrim.gateway.rest import PATHS, Limits, make_rest
from pixtrim.gateway.routes import parse_upstream
from pixtrim.result import Report
from pixtrim.tokens.records import TokenCost, cost_of

PAGE = page()
FILE = png(PAGE)


class Recorder:
    """Passes requests on to an application, and keeps their paths, headers and bodies."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[tuple[str, str, dict[str, str], list[bytes]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        parts: list[bytes] = []
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}

        async def listen() -> Any:
            message = await receive()
            parts.append(message.get("body", b""))
            return message

        self.seen.append((scope["method"], scope["path"], headers, parts))
        await self.app(scope, listen, send)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder(make_rest())


@pytest.fixture(scope="module")
def client(recorder: Recorder) -> Iterator[Client]:
    with serving(recorder) as url, Client(url) as client:
        yield client


# --- the same as pixtrim ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"budget": 300, "operator": "fold"},
        {"budget": 0.5, "detail": "high", "model": "gpt-5.5"},
        {"budget": "50%", "computer_use": True},
        {"budget": "50%", "operator": "crop+fold", "protect": np.array([[0, 0, 600, 200]])},
        {"budget": "50%", "operator": "carve", "protect": (1, 2, 30, 40.5)},
    ],
)
@pytest.mark.parametrize("format", [None, "webp"])
def test_shrink_returns_what_pixtrim_does(client: Client, options: dict[str, Any], format: Any) -> None:
    options = {"model": "claude-opus-4-7", **options}
    found = client.shrink(FILE, **options, format=format)
    direct = pixtrim.shrink(FILE, name="image", **options)
    assert found.data == direct.encode(format)
    assert found.media_type == f"image/{format or 'png'}"
    assert found.coordinates == direct.coordinates
    assert replace(found.report, seconds=0.0) == replace(direct.report, seconds=0.0)
    assert found.report.seconds > 0


def test_every_source_of_an_image_is_taken(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a page.png"
    path.write_bytes(FILE)
    sources = [path, str(path), FILE, bytearray(FILE), memoryview(FILE), io.BytesIO(FILE), Image.fromarray(PAGE), PAGE]
    expected = pixtrim.shrink(PAGE, "gpt-5.5", "50%").encode("png")
    assert {client.shrink(source, "gpt-5.5", "50%", format="png").data for source in sources} == {expected}


def test_tokens_are_what_the_rules_say(client: Client) -> None:
    models = ["openai/gpt-5.5", "qwen3-vl"]
    found = client.tokens(models, sizes=[(1920, 1080), (8, 8)], images=[FILE, PAGE])
    assert [(count.input, count.requested_model) for count in found] == [
        (input, model) for input in (None, None, "images[0]", "images[1]") for model in models
    ]
    price = pixtrim.tokens.price_of("openai/gpt-5.5")
    assert found[0].cost == cost_of(pixtrim.tokens.resolve("gpt-5.5"), 1920, 1080, price=price)
    assert isinstance(found[0].cost, TokenCost)
    assert client.tokens("qwen3-vl", sizes=[(600, 800)])[0].cost.tokens == found[5].cost.tokens


@pytest.mark.parametrize("options", [{}, {"threshold": 4.5, "metric": "rmse", "fit": "pad", "anchored": False}])
def test_prune_returns_the_plan_that_pixtrim_makes(client: Client, options: dict[str, Any]) -> None:
    plan = client.prune(PAGE, **options)
    assert plan == pixtrim.prune(PAGE, **options)
    assert plan.decode(plan.take(np.ascontiguousarray(plan.grid.fit_pixels(PAGE)))).shape[2] == 3
    scrolled = np.roll(PAGE, -32, axis=0)
    moved = client.prune(scrolled, reference=FILE, **options)
    assert moved == pixtrim.prune(scrolled, reference=FILE, **options)


def test_models_are_listed(client: Client) -> None:
    assert [model["model"] for model in client.models()] == [rule.name for rule in pixtrim.tokens.models()]


# --- the same errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (FILE, {"model": "gpt-99"}),
        (FILE, {"model": "gpt-5.5", "budget": -3}),
        (FILE, {"model": "gpt-5.5", "operator": "squeeze"}),
        (FILE, {"model": "gpt-5.5", "detail": "tiny"}),
        (FILE, {"model": "gpt-5.5", "operator": "warp", "computer_use": True}),
        (FILE, {"model": "gpt-5.5", "protect": [[0, 0, 700, 10]]}),
        (b"no image", {"model": "gpt-5.5"}),
        (FILE[:300], {"model": "gpt-5.5"}),
    ],
)
def test_errors_are_those_of_pixtrim_in_its_own_words(client: Client, image: bytes, options: dict[str, Any]) -> None:
    with pytest.raises((UsageError, InputError)) as direct:
        pixtrim.shrink(image, **options, name="image")
    expected = UsageError if isinstance(direct.value, UnknownModelError) else type(direct.value)
    with pytest.raises(expected) as remote:
        client.shrink(image, **options)
    assert str(remote.value) == str(direct.value)


def test_what_cannot_be_sent_is_told_before(client: Client, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        client.shrink(FILE, "gpt-5.5", budget=object())  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        client.shrink(FILE, "gpt-5.5", budget=float("nan"))
    with pytest.raises(UsageError, match="four numbers"):
        client.shrink(FILE, "gpt-5.5", protect="here")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"gone\.png: cannot be read"):
        client.shrink(tmp_path / "gone.png", "gpt-5.5")
    with pytest.raises(UsageError, match="cannot load a picture"):
        client.shrink(7, "gpt-5.5")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="binary mode"):
        client.shrink(io.StringIO("text"), "gpt-5.5")  # type: ignore[arg-type]


def test_too_large_is_about_the_image_and_overloaded_about_the_server() -> None:
    small = serving(make_rest(limits=Limits(max_bytes=1000)))
    with small as url, Client(url) as client, pytest.raises(InputError, match="larger than 1000 bytes"):
        client.shrink(FILE, "gpt-5.5")

    async def run(function: Any, *arguments: Any) -> Any:
        await asyncio.Event().wait()

    slow = serving(make_rest(run, Limits(seconds=0.1)))
    with slow as url, Client(url) as client, pytest.raises(ServerError, match=r"0\.1 seconds"):
        client.shrink(FILE, "gpt-5.5")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n{"error":"gone"}'[:-1],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"",
        b"no HTTP\r\n\r\n",
    ],
)
def test_answers_of_other_servers_are_no_answers(reply: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = threading.Thread(target=once)
        thread.start()
        with Client(url) as client, pytest.raises(ServerError):
            client.models()
        thread.join(30)
    with Client(url) as client, pytest.raises(ServerError, match="no answer"):
        client.models()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8787", "ftp://a", "http://[", None])
def test_addresses_that_are_none_are_refused(url: Any) -> None:
    with pytest.raises(UsageError, match="base_url"):
        Client(url)


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), True, "5"])
def test_timeouts_that_are_none_are_refused(timeout: Any) -> None:
    with pytest.raises(UsageError, match="timeout"):
        Client("http://127.0.0.1:1", timeout=timeout)


def test_without_httpx2_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pixtrim\[gateway\]"'):
        Client("http://127.0.0.1:1")


def test_a_key_is_sent_and_shown_nowhere(recorder: Recorder) -> None:
    with serving(recorder) as url, Client(url, key="s3cret") as client:
        client.models()
        assert "s3cret" not in repr(client)
    assert recorder.seen[-1][2]["x-pixtrim-key"] == "s3cret"


def test_a_whole_gateway_answers_and_logs_neither_key_nor_image() -> None:
    log = io.StringIO()
    gateway = Gateway(Options((parse_upstream("openai=http://127.0.0.1:1"),), keys=("s3cret",), log=log))
    try:
        with serving(gateway) as url, Client(url, key="s3cret") as client, Client(url, key="other") as stranger:
            assert client.shrink(FILE, "gpt-5.5", "50%").data == pixtrim.shrink(FILE, "gpt-5.5", "50%").encode()
            assert client.prune(FILE) == pixtrim.prune(FILE)
            assert len(client.models()) == len(pixtrim.tokens.models())
            with pytest.raises(UsageError, match="x-pixtrim-key"):
                stranger.models()
    finally:
        gateway.close()
    assert "s3cret" not in log.getvalue()
    assert base64.b64encode(FILE).decode()[:40] not in log.getvalue()


# --- the document ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repository / "docs" / "openapi.json").read_text(encoding="utf-8"))
    return found


METHODS = {"/v1/shrink": Client.shrink, "/v1/tokens": Client.tokens, "/v1/prune": Client.prune}


def test_every_path_has_a_method(document: dict[str, Any]) -> None:
    assert document["paths"].keys() == {*METHODS, "/v1/pixtrim/models"} == {*PATHS} - {"/openapi.json"}


@pytest.mark.parametrize("path", METHODS)
def test_methods_have_the_parameters_and_defaults_of_the_document(document: dict[str, Any], path: str) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    described = content["application/json"]["schema"]
    assert content["multipart/form-data"]["schema"]["properties"].keys() == described["properties"].keys()
    parameters = dict(list(inspect.signature(METHODS[path]).parameters.items())[1:])
    assert parameters.keys() == described["properties"].keys() - {"plan"}  # which is what prune() returns
    for name, parameter in parameters.items():
        required = parameter.default is inspect.Parameter.empty
        assert required == (name in described.get("required", ()))
        if not required:
            default = described["properties"][name].get("default")
            assert (parameter.default or None) == (default or None)


@pytest.mark.parametrize("path", METHODS)
def test_requests_say_all_that_the_document_describes(
    document: dict[str, Any], client: Client, recorder: Recorder, path: str
) -> None:
    call = {
        "/v1/shrink": lambda: client.shrink(FILE, "gpt-5.5"),
        "/v1/tokens": lambda: client.tokens("gpt-5.5", sizes=[(8, 8)]),
        "/v1/prune": lambda: client.prune(FILE, reference=FILE),
    }[path]
    call()
    method, asked, headers, parts = recorder.seen[-1]
    assert (method, asked, headers["content-type"]) == ("POST", path, "application/json")
    described = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert json.loads(b"".join(parts)).keys() == described["properties"].keys()


def test_the_document_describes_what_the_client_reads(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    report = {field.name for field in fields(Report)}
    assert schemas["ShrinkReport"]["properties"].keys() == report - {"seconds"} | {"schema"}
    cost = {field.name for field in fields(TokenCost)}
    assert schemas["Count"]["properties"].keys() == cost | {"schema", "input", "requested_model"}
    assert {"report", "image", "media_type", "coordinates"} == schemas["ShrinkAnswer"]["properties"].keys()
    assert "plan" in schemas["PruneAnswer"]["properties"]
    assert schemas["Fault"]["properties"].keys() == {"message", "type", "param"}
    for path in METHODS:
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "400", "413", "415", "422", "503"} <= responses.keys()
