"""What the gateway does beside passing on: images, keys, usage, the log and the metrics."""

from __future__ import annotations

import json

from asking import CHAT, Wire, chat, page
from gateways import running
from upstream import Upstream, json_answer

from pixtrim.gateway import Settings, rewrite


def _error(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    status, _, body = answer
    return status, json.loads(body)["error"]["message"]


def _metrics(wire: Wire) -> str:
    wire.post("/metrics", b"", method="GET")
    status, headers, body = wire.answer()
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return body.decode()


def test_a_gateway_with_a_key_answers_nobody_else() -> None:
    key = "k" * 32
    with Upstream() as upstream, running(upstream, keys=("other" * 5, key)) as gateway, Wire(gateway.url) as wire:
        for headers in ((), ("X-Pixtrim-Key: wrong",), (f"Authorization: Bearer {key}",), ("X-Pixtrim-Key:",)):
            for path in (CHAT, "/metrics", "/v1/tokens"):
                wire.post(path, chat(), *headers)
                assert _error(wire.answer())[0] == 401
        wire.post(CHAT, chat(), f"X-Pixtrim-Key: {key}", "Authorization: Bearer sk-1")
        assert wire.answer()[0] == 200
        wire.post("/healthz", b"", method="GET")
        assert wire.answer()[0] == 200
        assert [name for name, _ in upstream.request().headers if b"pixtrim" in name] == []
        assert upstream.request().header("authorization") == b"Bearer sk-1"
        assert len(upstream.requests) == 1


def test_images_are_those_of_rewrite_and_the_rest_is_as_it_was() -> None:
    body = chat(page(), temperature=0.50)
    expected, report = rewrite(body, "openai-chat")
    assert expected != body
    assert report.tokens[1] < report.tokens[0]
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        for _ in range(2):
            wire.post(CHAT, body)
            _, headers, _ = wire.answer()
            before, after = report.tokens
            assert headers["x-pixtrim"] == f"images=1, changed=1, before={before}, after={after}"
        assert [request.body for request in upstream.requests] == [expected, expected]
        wire.post(CHAT, body, "X-Pixtrim: off", "X-A: 1")
        assert "x-pixtrim" not in wire.answer()[1]
        assert upstream.request(2).body == body
        assert upstream.request(2).header("x-a") == b"1"
        assert upstream.request(2).header("x-pixtrim") is None
        text = _metrics(wire)
        assert 'pixtrim_cache_total{result="hit"} 1.0' in text
        assert 'pixtrim_images_total{outcome="changed",route="openai"} 2.0' in text
        assert f'pixtrim_image_tokens_total{{route="openai",when="before"}} {2.0 * before}' in text
        assert 'pixtrim_requests_total{route="openai",status="200"} 3.0' in text


def test_a_body_that_is_not_understood_passes_as_it_is() -> None:
    bodies = [
        b"",
        b"{",
        b"[]",
        b'"image_url"',
        b"\xff\xfeimage_url",
        chat("data:image/png;base64,AAAA"),
        chat(b"no image"),
    ]
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        for number, body in enumerate(bodies):
            wire.post(CHAT, body)
            assert wire.answer()[0] == 200
            assert upstream.request(number).body == body


def test_the_log_and_the_metrics_hold_no_key_and_no_image() -> None:
    keys = ["sk-secret-1", "sk-secret-2", "AIza-secret-3", "azure-secret-4"]
    image = page()
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        wire.post(CHAT, chat(image, user="mr-smith"), f"Authorization: Bearer {keys[0]}")
        assert wire.answer()[0] == 200
        wire.post("/v1/messages?key=" + keys[2], chat(image), f"x-api-key: {keys[1]}", f"api-key: {keys[3]}")
        assert wire.answer()[0] == 200
        wire.post(f"/v1beta/models/gemini-2.5-flash:generateContent?alt=sse&key={keys[2]}", b"{}")
        assert wire.answer()[0] == 200
        lines = [gateway.log.line(number) for number in range(3)]
        text = gateway.log.getvalue() + _metrics(wire)
        for secret in (*keys, "secret", chat(image)[100:140].decode(), "mr-smith"):
            assert secret not in text
        assert len({line["key"] for line in lines}) == 3
        assert [line["format"] for line in lines] == ["openai-chat", "anthropic", "gemini"]
        assert lines[0]["model"] == "claude-sonnet-4-5"
        assert lines[2]["model"] == "gemini-2.5-flash"
        assert lines[0]["images"] == lines[0]["changed"] == 1
        assert upstream.request(2).target.endswith(f"?alt=sse&key={keys[2]}")


def test_usage_is_read_as_it_passes() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}}
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers[CHAT] = json_answer({"usage": usage})
        wire.post(CHAT, chat())
        assert wire.answer()[0] == 200
        assert gateway.log.line(0)["billed"] == [100, 7, 64]


def test_a_request_may_not_ask_for_what_there_is_not() -> None:
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        for header in ("x-pixtrim: on", "x-pixtrim-budget: much", "x-pixtrim-operator: melt", "x-pixtrim-colour: 1"):
            wire.post(CHAT, chat(page()), header)
            status, message = _error(wire.answer())
            assert status == 400
            assert header.split(":")[1].strip() in message or "not known" in message
        assert not upstream.requests
        wire.post(CHAT, chat(page()), "x-pixtrim-budget: 10%")
        assert wire.answer()[0] == 200
        expected = rewrite(chat(page()), "openai-chat", Settings(budget="10%"))
        assert upstream.request().body == expected.body
        assert 0 < expected.report.tokens[1] <= expected.report.tokens[0] // 10
