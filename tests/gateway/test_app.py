"""The gateway as a proxy: what passes through is what was sent, byte for byte and in time."""

from __future__ import annotations

import json

from gateways import running
from upstream import Upstream, events, fixed


def test_requests_and_responses_pass_byte_for_byte() -> None:
    body = b'{ "model":"gpt-5.5", "messages" : [ {"role":"user","content":"h\\u00e9llo \xc3\xa9"} ],"x":1.00}'
    answer = b'{"error": {"message": "no",\n "type": "x"}}'
    with Upstream() as upstream, running(upstream) as gateway:
        headers = [(b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"x-twice", b"2"), (b"Retry-After", b"7")]
        upstream.answers["/v1/chat/completions"] = fixed(429, answer, headers)
        client = gateway.connect()
        client.putrequest("POST", "/v1/chat/completions?a=%2Fb&c", skip_accept_encoding=True)
        for name, value in (("Authorization", "Bearer sk-1"), ("X-A", "1"), ("OpenAI-Beta", "x"), ("X-A", "2")):
            client.putheader(name, value)
        client.putheader("Content-Type", "application/json")
        client.putheader("Content-Length", str(len(body)))
        client.endheaders(body)
        response = client.getresponse()
        assert response.read() == answer
        assert response.status == 429
        names = [(name.lower(), value) for name, value in response.getheaders()]
        assert names == [*((n.decode().lower(), v.decode()) for n, v in headers), ("content-length", str(len(answer)))]
        request = upstream.request()
        assert request.raw == body
        assert request.target == "/v1/chat/completions?a=%2Fb&c"
        assert [pair for pair in request.headers if pair[0] not in (b"host", b"content-length")] == [
            (b"authorization", b"Bearer sk-1"),
            (b"x-a", b"1"),
            (b"openai-beta", b"x"),
            (b"x-a", b"2"),
            (b"content-type", b"application/json"),
        ]
        assert request.header("host") == upstream.url.removeprefix("http://").encode()
        client.close()


def test_an_event_arrives_before_the_next_one_is_sent() -> None:
    parts = [b"data: %d\n\n" % number for number in range(5)]
    with Upstream() as upstream, running(upstream) as gateway:
        upstream.answers["*"] = events(*parts, turns=True)
        client = gateway.connect()
        client.request("POST", "/v1/chat/completions", json.dumps({"model": "gpt-5.5", "messages": [], "stream": True}))
        response = None
        upstream.go()
        response = client.getresponse()
        for number, part in enumerate(parts):
            assert response.read1() == part
            if number + 1 < len(parts):
                upstream.go()
        assert response.read() == b""
        client.close()
