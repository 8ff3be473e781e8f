"""What the gateway does beside passing on: images, keys, usage, the log and the metrics."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path

from asking import CHAT, Wire, chat, page
from gateways import running
from upstream import Upstream, events, fixed, json_answer

from pixtrim.gateway import Settings, rewrite
from pixtrim.gateway.ledger import Ledger
from pixtrim.gateway.policies import Policy, Rule


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
        wire.post("/metrics", b"", f"X-Pixtrim-Key: {key}", method="GET")
        assert b'pixtrim_requests_total{route="none",status="401"} 12.0' in wire.answer()[2]
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


def _computer(width: int, height: int) -> bytes:
    """A request of Anthropic's computer use, with a screenshot."""
    image = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(page(0, width, height)).decode()}
    call = {"type": "tool_use", "id": "t1", "name": "computer", "input": {"action": "screenshot"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "image", "source": image}]}
    tool = {
        "type": "computer_20250124",
        "name": "computer",
        "display_width_px": width,
        "display_height_px": height,
    }
    messages = [
        {"role": "user", "content": "click"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    return json.dumps({"model": "claude-sonnet-4-5", "tools": [tool], "messages": messages}).encode()


def test_clicks_on_a_smaller_screen_come_back_on_the_clients_own() -> None:
    answer = {"content": [{"type": "tool_use", "name": "computer", "input": {"action": "left_click"}}]}
    answer["content"][0]["input"]["coordinate"] = [100, 50]
    call = {"type": "tool_use", "id": "t2", "name": "computer", "input": {}}
    stream = [
        {"type": "content_block_start", "index": 0, "content_block": call},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"coordin'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": 'ate":[1'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "00,50]}"}},
        {"type": "content_block_stop", "index": 0},
    ]
    parts = [f"event: {item['type']}\ndata: {json.dumps(item)}\n\n".encode() for item in stream]
    policy = Policy(Settings(computer_use="map"))
    body = _computer(2560, 1600)
    with Upstream() as upstream, running(upstream, policy=policy) as gateway, Wire(gateway.url) as wire:
        upstream.answers["/v1/messages"] = json_answer(answer)
        wire.post("/v1/messages", body, "Accept-Encoding: gzip, br")
        status, headers, got = wire.answer()
        assert (status, "changed=1" in headers["x-pixtrim"]) == (200, True)
        request = upstream.request()
        assert [value for name, value in request.headers if name == b"accept-encoding"] == [b"identity"]
        sent = json.loads(request.body)
        display = sent["tools"][0]["display_width_px"], sent["tools"][0]["display_height_px"]
        assert display[0] < 2560
        x, y = json.loads(got)["content"][0]["input"]["coordinate"]
        assert (x * display[0] // 2560, y * display[1] // 1600) == (100, 50)
        upstream.answers["/v1/messages"] = events(*parts)
        wire.post("/v1/messages", body)
        whole = wire.answer()[2].decode()
        assert f"[{x},{y}]" in whole.replace(" ", "")
        assert "100,50" not in whole
        errors = fixed(529, b'{"error":{}}', [(b"Content-Type", b"application/json")])
        upstream.answers["/v1/messages"] = errors
        wire.post("/v1/messages", body)
        status, headers, got = wire.answer()
        assert (status, headers["content-length"], got) == (529, "12", b'{"error":{}}')
        upstream.answers["/v1/messages"] = fixed(200, gzip.compress(b"{}"), [(b"Content-Encoding", b"gzip")])
        wire.post("/v1/messages", body)
        status, message = _error(wire.answer())
        assert (status, "compressed" in message) == (502, True)


def test_images_themselves_are_worked_on_by_rest_at_the_same_address() -> None:
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        wire.post("/v1/tokens", json.dumps({"models": ["gpt-4o"], "sizes": [[512, 512]]}).encode())
        status, _, body = wire.answer()
        assert (status, b"255" in body) == (200, True)
        wire.post("/openapi.json", b"", method="GET")
        status, _, body = wire.answer()
        assert (status, "/v1/shrink" in json.loads(body)["paths"]) == (200, True)
        wire.post("/openai/v1/tokens", b"{}")  # what is meant for an upstream goes there
        assert wire.answer()[0] == 200
        assert [request.target for request in upstream.requests] == ["/v1/tokens"]


def test_rules_of_a_policy_hold_for_models_and_routes() -> None:
    half, nothing = Settings(budget="25%"), Settings(operator="resize")
    policy = Policy(nothing, (Rule("*", "claude-*", half), Rule("two", "*", None)), reports=False)
    body, other = chat(page()), chat(page(), model="gpt-5.5", tools=[{"model": "claude-x"}])
    with Upstream() as upstream:
        with running(f"one={upstream.url}", f"two={upstream.url}", policy=policy) as gateway, Wire(gateway.url) as wire:
            for path, sent in (("/one", body), ("/one", other), ("/two", other), ("/two", body)):
                wire.post(path + CHAT, sent)
                assert "x-pixtrim" not in wire.answer()[1]
        got = [request.body for request in upstream.requests]
    assert got[0] == got[3] == rewrite(body, "openai-chat", half).body != body
    assert got[1] == rewrite(other, "openai-chat", nothing).body
    assert got[2] == other


def test_the_ledger_has_an_entry_for_each_request_of_a_known_format(tmp_path: Path) -> None:
    file = str(tmp_path / "usage.sqlite3")
    usage = {"prompt_tokens": 900, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}}
    key = "sk-of-the-team"
    policy = Policy(keys={hashlib.sha256(key.encode()).hexdigest(): "the-team"})
    report = rewrite(chat(page()), "openai-chat").report
    with Upstream() as upstream, running(upstream, policy=policy, ledger=Ledger.open(file)) as gateway:
        upstream.answers[CHAT] = json_answer({"usage": usage})
        with Wire(gateway.url) as wire:
            counted = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(page()).decode()}
            messages = [{"role": "user", "content": [{"type": "image", "source": counted}]}]
            counting = json.dumps({"model": "claude-opus-4-5", "messages": messages}).encode()
            asked = {CHAT: chat(page()), "/v1/messages/count_tokens": counting, "/v1/files": counting}
            for path, body in asked.items():
                wire.post(path, body, f"Authorization: Bearer {key}")
                assert wire.answer()[0] == 200
    with Ledger.open(file) as ledger:
        rows = {row.model: row for row in ledger.summary(by=("model", "key_label"))}
    assert rows.keys() == {"claude-sonnet-4-5", "claude-opus-4-5"}
    row = rows["claude-sonnet-4-5"]
    assert (row.requests, row.key_label, row.saved) == (1, "the-team", report.tokens[0] - report.tokens[1])
    assert row.billed_input == 900
    row = rows["claude-opus-4-5"]
    assert (row.requests, row.changed, row.saved) == (1, 1, 0)
