"""What is wrong with a request to the REST interface is told in one line, within bounds, and never written to a log."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import socket
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from served import page, png, serving

from pixtrim.errors import UsageError
from pixtrim.gateway.rest import Limits, make_rest
from pixtrim.gateway.rest.errors import STATUS, RequestError
from pixtrim.gateway.rest.fields import PruneFields, ShrinkFields, TokensFields, read
from pixtrim.gateway.rest.limits import MOST_VALUES

FILE = png(page(200, 200))
TEXT = base64.b64encode(FILE).decode()
PATHS = ("/v1/shrink", "/v1/tokens", "/v1/prune")


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with serving(make_rest()) as url, httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield client


def error(response: httpx2.Response) -> dict[str, Any]:
    """Check the shape of an answer that is an error, and return it."""
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}
    found: dict[str, Any] = response.json()["error"]
    assert found.keys() == {"message", "type", "param"}
    assert STATUS[found["type"]] == response.status_code
    assert 0 < len(found["message"]) < 1000
    assert found["message"].isprintable()
    return found


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that claims to be very large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "changes", "param", "words"),
    [
        ("/v1/shrink", {"image": None}, "image", "image"),
        ("/v1/shrink", {"image": ...}, "image", "image is missing: give image, model"),
        ("/v1/shrink", {"image": "!!"}, "image", "not base64"),
        ("/v1/shrink", {"image": 7}, "image", "7"),
        ("/v1/shrink", {"model": ...}, "model", "model is missing"),
        ("/v1/shrink", {"model": "gpt-99"}, "model", "the nearest are gpt-5"),
        ("/v1/shrink", {"model": "x" * 5000}, "model", "200"),
        ("/v1/shrink", {"model": ["gpt-5.5"]}, "model", "list"),
        ("/v1/shrink", {"budget": -1}, "budget", "-1"),
        ("/v1/shrink", {"budget": 0}, "budget", "0"),
        ("/v1/shrink", {"budget": 1.5}, "budget", "1.5"),
        ("/v1/shrink", {"budget": True}, "budget", "True"),
        ("/v1/shrink", {"budget": "all"}, "budget", "all"),
        ("/v1/shrink", {"budget": 10**400}, "budget", "999999999999"),
        ("/v1/shrink", {"budget": {"a": 1}}, "budget", "800"),
        ("/v1/shrink", {"operator": "warp+fold"}, "operator", "in this order"),
        ("/v1/shrink", {"operator": "x" * 5000}, "operator", "100"),
        ("/v1/shrink", {"operator": "warp", "computer_use": True}, None, "computer use"),
        ("/v1/shrink", {"computer_use": "yes"}, "computer_use", "'yes'"),
        ("/v1/shrink", {"computer_use": 1}, "computer_use", "1"),
        ("/v1/shrink", {"detail": "tiny"}, "detail", "tiny"),
        ("/v1/shrink", {"format": "gif"}, "format", "'png', 'webp' or 'jpeg'"),
        ("/v1/shrink", {"protect": [[0, 0, 10]]}, "protect", "required"),
        ("/v1/shrink", {"protect": [[0, 0, 500, 10]]}, None, "not inside the picture"),
        ("/v1/shrink", {"protect": [["0", 0, 10, 10]]}, "protect", "protect[0]"),
        ("/v1/shrink", {"protect": [[0, 0, 9, 9]] * 1001}, "protect", "1000"),
        ("/v1/shrink", {"budjet": 5}, "budjet", "choose from image, model, budget"),
        ("/v1/tokens", {"models": []}, "models", "at least 1"),
        ("/v1/tokens", {"models": ["gpt-5.5", "?"]}, "models", "'?'"),
        ("/v1/tokens", {"sizes": []}, None, "give sizes or images"),
        ("/v1/tokens", {"sizes": [[0, 5]]}, "sizes", "0"),
        ("/v1/tokens", {"sizes": [[10**9, 5]]}, "sizes", "1000000"),
        ("/v1/tokens", {"sizes": [[5.5, 5]]}, "sizes", "5.5"),
        ("/v1/tokens", {"sizes": [[5, 5]] * 101}, "sizes", "100"),
        ("/v1/tokens", {"detail": "high", "models": ["gpt-5.5", "qwen3-vl"]}, "detail", "qwen3-vl"),
        ("/v1/prune", {"model": "gpt-4o"}, "model", "qwen3-vl"),
        ("/v1/prune", {"threshold": 256}, "threshold", "255"),
        ("/v1/prune", {"threshold": -0.5}, "threshold", "-0.5"),
        ("/v1/prune", {"selector": "best"}, "selector", "pred_2d"),
        ("/v1/prune", {"metric": "rms"}, "metric", "'rms'"),
        ("/v1/prune", {"fit": "crop"}, "fit", "'crop'"),
        ("/v1/prune", {"reference": "%"}, "reference", "not base64"),
    ],
)
def test_wrong_arguments_are_named(
    http: httpx2.Client, path: str, changes: dict[str, Any], param: str | None, words: str
) -> None:
    plain: dict[str, Any] = {
        "/v1/shrink": {"image": TEXT, "model": "gpt-5.5"},
        "/v1/tokens": {"models": ["gpt-5.5"], "sizes": [[8, 8]]},
        "/v1/prune": {"image": TEXT},
    }[path]
    body = {name: value for name, value in {**plain, **changes}.items() if value is not ...}
    response = http.post(path, json=body)
    found = error(response)
    assert (response.status_code, found["param"]) == (400, param)
    assert words in found["message"]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"model": "gpt-5.5", "budget": "nan"}, "budget", "nan"),
        ({"model": ["gpt-5.5", "gpt-5"]}, "model", "2 times"),
        ({"model": "gpt-5.5", "computer_use": "perhaps"}, "computer_use", "perhaps"),
        ({"model": "gpt-5.5", "protect": "1,2,nan,4"}, "protect", "protect[0]"),
        ({"model": "gpt-5.5", "protect": "1;2"}, "protect", "protect[0]"),
        ({"model": "gpt-5.5", "a" * 500: "1"}, "a" * 40, "there is no field"),
    ],
)
def test_wrong_fields_of_forms_are_named(http: httpx2.Client, fields: dict[str, Any], param: str, words: str) -> None:
    response = http.post("/v1/shrink", data=fields, files={"image": FILE})
    assert (response.status_code, error(response)["param"]) == (400, param)
    assert words in error(response)["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"image"',
        b"{" * 10_000,
        b"[" * 90_000,
        b'{"image":' * 5_000,
        b'{"image": "' + b"A" * 1000,
        b'{"model": "gpt-5.5", "models": ["gpt-5.5"], "budget": NaN, "threshold": Infinity}',
        b'{"image": "AAAA", "model": "gpt-5.5", "budget": NaN}',
        b'{"image": "AAAA", "model": "gpt-5.5", "budget": 1' + b"0" * 10_000 + b"}",
        b'{"image": "\\ud800", "model": "gpt-5.5"}',
        b'{"image": "AAAA", "model": "\\u0000\\u001b[31m"}',
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_json_that_is_none_is_refused(http: httpx2.Client, path: str, body: bytes) -> None:
    response = http.post(path, content=body, headers={"content-type": "application/json"})
    assert error(response)["type"] == "usage_error"


def test_json_of_very_many_values_is_refused_before_it_is_parsed(http: httpx2.Client) -> None:
    body = b'{"sizes": [' + b",".join([b"[1,1]"] * MOST_VALUES) + b"]}"
    response = http.post("/v1/tokens", content=body, headers={"content-type": "application/json"})
    assert error(response)["type"] == "too_large"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png", None])
def test_other_types_of_bodies_are_refused(http: httpx2.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    response = http.post("/v1/shrink", content=FILE, headers=headers)
    assert error(response)["type"] == "unsupported_media_type"
    assert "multipart/form-data or application/json" in error(response)["message"]


def test_compressed_bodies_are_refused(http: httpx2.Client) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert error(http.post("/v1/shrink", content=b"x", headers=headers))["type"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx'),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"a: b\r\n" * 100_000),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"a" * 2**22),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 3000 + b"--b--\r\n",
        ),
    ],
)
def test_forms_that_are_none_are_refused(http: httpx2.Client, kind: str, body: bytes) -> None:
    response = http.post("/v1/shrink", content=body, headers={"content-type": kind})
    assert error(response)["type"] == "usage_error"


@pytest.mark.parametrize(
    ("method", "path", "type"),
    [
        ("GET", "/v1/shrink", "method_not_allowed"),
        ("DELETE", "/v1/pixtrim/models", "method_not_allowed"),
        ("GET", "/v1/nothing", "not_found"),
        ("GET", "/v1/models", "not_found"),
    ],
)
def test_other_paths_and_methods_are_told_in_the_same_shape(
    http: httpx2.Client, method: str, path: str, type: str
) -> None:
    assert error(http.request(method, path))["type"] == type


@pytest.mark.parametrize(
    ("accept", "fields"),
    [("text/html", {}), ("image/gif", {}), ("image/*;q=0", {}), ("image/webp", {"format": "png"}), ("image/*;q=x", {})],
)
def test_what_there_is_not_is_not_answered(http: httpx2.Client, accept: str, fields: dict[str, str]) -> None:
    data = {"model": "gpt-5.5", **fields}
    response = http.post("/v1/shrink", data=data, files={"image": FILE}, headers={"accept": accept})
    assert error(response)["type"] == "not_acceptable"


# --- images ----------------------------------------------------------------------------------------------------------


def animated() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("L", (8, 8), level) for level in (0, 255)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


BAD_IMAGES = {
    "empty": b"",
    "text": b"hello, this is no image at all",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "truncated": FILE[: len(FILE) // 2],
    "header only": FILE[:33],
    "bomb": bomb(30_000, 30_000),
    "bomb within the limit": bomb(6_000, 6_000),
    "very long strip": bomb(2_000_000_000, 1),
    "no pixels": bomb(0, 0),
    "animated": animated(),
    "jpeg that ends": b"\xff\xd8\xff\xe0\x00\x10JFIF",
}


@pytest.mark.parametrize("name", BAD_IMAGES)
@pytest.mark.parametrize("path", PATHS)
def test_images_that_cannot_be_used_are_told(http: httpx2.Client, path: str, name: str) -> None:
    text = base64.b64encode(BAD_IMAGES[name]).decode()
    body = {"models": ["gpt-5.5"], "images": [TEXT, text]} if path == "/v1/tokens" else {"image": text}
    response = http.post(path, json=body | ({"model": "gpt-5.5"} if path == "/v1/shrink" else {}))
    found = error(response)
    assert found["type"] == "input_error"
    assert found["param"] == ("images" if path == "/v1/tokens" else "image")
    assert found["message"].startswith("images[1]: " if path == "/v1/tokens" else "image: ")


def test_a_reference_that_cannot_be_used_is_told_apart_from_the_image(http: httpx2.Client) -> None:
    found = error(http.post("/v1/prune", files={"image": FILE, "reference": b"no image"}))
    assert (found["type"], found["param"]) == ("input_error", "reference")


def test_a_strip_is_worked_on_or_refused(http: httpx2.Client) -> None:
    strip = png(np.random.default_rng(2).integers(0, 256, (4, 50_000, 3), np.uint8))
    for path, data in (("/v1/shrink", {"model": "claude-opus-4-7", "budget": "50%"}), ("/v1/prune", {})):
        response = http.post(path, data=data, files={"image": strip})
        assert response.status_code == 200 or error(response)["type"] in ("usage_error", "input_error")
    wide = http.post("/v1/shrink", data={"model": "gpt-5.5", "format": "webp"}, files={"image": strip})
    assert wide.status_code == 200 or error(wide)["param"] == "format"


def test_what_follows_an_image_is_no_part_of_a_new_one(http: httpx2.Client) -> None:
    polyglot = FILE + b"<script>alert(1)</script>%PDF-1.7"
    response = http.post(
        "/v1/shrink",
        data={"model": "gpt-5.5", "budget": "50%", "operator": "resize"},
        files={"image": ("a.html", polyglot, "text/html")},
        headers={"accept": "image/*"},
    )
    assert response.headers["content-type"] == "image/png"
    assert b"script" not in response.content


@given(st.binary(max_size=200), st.integers(0, len(FILE)))
@examples(max_examples=40)
def test_any_bytes_are_answered(http: httpx2.Client, data: bytes, at: int) -> None:
    response = http.post("/v1/shrink", data={"model": "gpt-5.5"}, files={"image": FILE[:at] + data + FILE[at:]})
    assert response.status_code == 200 or error(response)["type"] == "input_error"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("gpt-5.5") | st.just(TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", [ShrinkFields, TokensFields, PruneFields])
@given(data=st.data())
@examples(max_examples=80)
def test_any_json_is_read_or_refused(kind: Any, data: st.DataObject) -> None:
    names = st.sampled_from([*kind.model_fields, "other"])
    body = data.draw(st.dictionaries(names, VALUES, max_size=8))
    refused = None
    try:
        read(kind, json.dumps(body).encode())
    except RequestError as found:
        refused = found
    assert refused is None or (refused.type == "usage_error" and len(refused.message) < 1000)


UNFINISHED = (
    b'POST /v1/shrink HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"image"'
)


# --- limits ----------------------------------------------------------------------------------------------------------


def test_bodies_over_the_limit_are_refused_however_they_come() -> None:
    limits = Limits(max_bytes=10_000)

    def pieces(start: bytes) -> Iterator[bytes]:
        yield start
        for _ in range(100):
            yield b"x" * 1000

    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    kinds = {"application/json": b'{"image": "', "multipart/form-data; boundary=b": part}
    with serving(make_rest(limits=limits)) as url, httpx2.Client(base_url=url, trust_env=False) as http:
        for kind, start in kinds.items():
            for content in (start + b"x" * 10_000, pieces(start)):
                found = error(http.post("/v1/shrink", content=content, headers={"content-type": kind}))
                assert found["type"] == "too_large"
                assert "10000" in found["message"]
        assert http.post("/v1/tokens", json={"models": ["gpt-5.5"], "sizes": [[8, 8]]}).status_code == 200


def test_images_over_the_limit_are_refused() -> None:
    with serving(make_rest(limits=Limits(max_pixels=39_999))) as url, httpx2.Client(trust_env=False) as http:
        for path, data in (("/v1/shrink", {"model": "gpt-5.5"}), ("/v1/prune", {})):
            found = error(http.post(url + path, data=data, files={"image": FILE}))
            assert (found["type"], found["param"]) == ("input_error", "image")
            assert "39999" in found["message"]


def test_work_that_takes_too_long_is_given_up_and_others_are_asked_to_wait() -> None:
    begun, end = threading.Event(), threading.Event()

    async def run(function: Any, *arguments: Any) -> Any:
        import anyio

        begun.set()
        await anyio.to_thread.run_sync(end.wait, abandon_on_cancel=True)
        return function(*arguments)

    body = {"models": ["gpt-5.5"], "sizes": [[8, 8]]}
    found: list[httpx2.Response] = []
    with serving(make_rest(run, Limits(requests=1, seconds=2))) as url, httpx2.Client(trust_env=False) as http:
        first = threading.Thread(target=lambda: found.append(http.post(url + "/v1/tokens", json=body)))
        first.start()
        assert begun.wait(30)
        second = httpx2.post(url + "/v1/tokens", json=body, trust_env=False)
        assert error(second)["type"] == "overloaded"
        assert "too many" in error(second)["message"]
        assert second.headers["retry-after"] == "1"
        assert http.get(url + "/v1/pixtrim/models").status_code == 200
        first.join(30)
        assert "2 seconds" in error(found[0])["message"]
        end.set()
        assert http.post(url + "/v1/tokens", json=body).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with serving(make_rest(limits=Limits(seconds=0.3))) as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        with socket.create_connection((host, port), timeout=30) as connection:
            head = (
                "POST /v1/shrink HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
            )
            connection.sendall(head.encode() + b'{"image"')
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_those_who_go_leave_room_for_others(caplog: pytest.LogCaptureFixture) -> None:
    with serving(make_rest(limits=Limits(requests=2))) as url, httpx2.Client(trust_env=False) as http:
        for _ in range(5):
            with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as connection:
                connection.sendall(UNFINISHED)
            body = {"models": ["gpt-5.5"], "sizes": [[8, 8]]}
            assert http.post(url + "/v1/tokens", json=body).status_code in (200, 503)
        assert http.post(url + "/v1/tokens", json=body).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_no_image_is_written_to_a_disk(http: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    large = png(np.random.default_rng(3).integers(0, 256, (900, 900, 3), np.uint8))
    assert len(large) > 2**21
    monkeypatch.setattr(tempfile, "tempdir", "/there/is/no/such/folder")
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    response = http.post("/v1/prune", files={"image": large})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "limits", [{"max_bytes": 0}, {"max_pixels": 1.5}, {"seconds": float("inf")}, {"requests": True}, {"seconds": -1}]
)
def test_limits_that_are_none_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(limits))} is .*above 0"):
        Limits(**limits)


# --- logs ------------------------------------------------------------------------------------------------------------


def test_a_fault_is_told_without_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    secret = "the image of " + TEXT[:50]

    async def run(function: Any, *arguments: Any) -> Any:
        raise RuntimeError(secret)

    with serving(make_rest(run)) as url, httpx2.Client(trust_env=False) as http, caplog.at_level(logging.DEBUG):
        response = http.post(url + "/v1/shrink", json={"image": TEXT, "model": "gpt-5.5"})
    assert (response.status_code, error(response)["type"]) == (500, "internal_error")
    own = [record for record in caplog.records if record.name.startswith(("pixtrim", "uvicorn"))]
    (message,) = (record.getMessage() for record in own)
    assert re.fullmatch(r"a fault of pixtrim: RuntimeError at test_rest_bad\.py:\d+", message)
    assert secret not in response.text + caplog.text
