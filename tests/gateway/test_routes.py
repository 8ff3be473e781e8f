"""Routes: which upstream, which path there, and which wire format."""

from __future__ import annotations

import pytest

from pixtrim.errors import UsageError
from pixtrim.gateway.formats import FORMATS
from pixtrim.gateway.routes import Router, parse_upstream, wire_format_of

VERTEX = "/v1/projects/p/locations/us-central1/publishers"


@pytest.mark.parametrize(
    ("path", "wire_format", "model"),
    [
        ("/v1/chat/completions", "openai-chat", None),
        ("/api/v1/chat/completions", "openai-chat", None),
        ("/chat/completions", "openai-chat", None),
        ("/openai/deployments/my gpt/chat/completions", "openai-chat", "my gpt"),
        ("/v1/responses", "openai-responses", None),
        ("/openai/v1/responses", "openai-responses", None),
        ("/v1/responses/input_tokens", "openai-responses", None),
        ("/v1/responses/resp_1", None, None),
        ("/v1/responses/resp_1/cancel", None, None),
        ("/v1/messages", "anthropic", None),
        ("/v1/messages/count_tokens", "anthropic", None),
        ("/v1/messages/batches", None, None),
        ("/v1/threads/t/messages", None, None),
        (f"{VERTEX}/anthropic/models/claude-opus-4-7:rawPredict", "anthropic", "claude-opus-4-7"),
        (
            f"{VERTEX}/anthropic/models/claude-opus-4-7@20260101:streamRawPredict",
            "anthropic",
            "claude-opus-4-7@20260101",
        ),
        (f"{VERTEX}/anthropic/models/count-tokens:rawPredict", "anthropic", None),
        (f"{VERTEX}/google/models/gemini-2.5-pro:generateContent", "gemini", "gemini-2.5-pro"),
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini", "gemini-2.5-flash"),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini", "gemini-2.5-flash"),
        ("/v1beta/models/gemini-2.5-flash:countTokens", "gemini", "gemini-2.5-flash"),
        ("/v1beta/models/gemini-2.5-flash:embedContent", None, None),
        ("/v1beta/interactions", "gemini-interactions", None),
        ("/api/chat", "ollama", None),
        ("/api/generate", "ollama", None),
        ("/v1/embeddings", None, None),
        ("/v1/chat/completions/x", None, None),
        ("/", None, None),
        ("", None, None),
    ],
)
def test_wire_formats_by_path(path: str, wire_format: str | None, model: str | None) -> None:
    assert wire_format_of(path) == (wire_format, model)
    assert wire_format is None or wire_format in FORMATS


ROUTER = Router(
    [
        parse_upstream("local=http://127.0.0.1:8000/base"),
        parse_upstream("openai=https://api.openai.com"),
        parse_upstream("anthropic=https://api.anthropic.com"),
        parse_upstream("gemini=https://generativelanguage.googleapis.com"),
    ]
)


@pytest.mark.parametrize(
    ("path", "name", "target"),
    [
        (b"/v1/chat/completions", "openai", b"/v1/chat/completions"),
        (b"/v1/responses/r_1", "openai", b"/v1/responses/r_1"),
        (b"/v1/messages/count_tokens", "anthropic", b"/v1/messages/count_tokens"),
        (b"/v1beta/models/g:generateContent", "gemini", b"/v1beta/models/g:generateContent"),
        (b"/v1/models/g:generateContent", "gemini", b"/v1/models/g:generateContent"),
        (b"/upload/v1beta/files", "gemini", b"/upload/v1beta/files"),
        (b"/v1/models", "local", b"/base/v1/models"),
        (b"/v1/messagesx", "local", b"/base/v1/messagesx"),
        (b"/", "local", b"/base/"),
        (b"/openai", "openai", b"/"),
        (b"/openai/", "openai", b"/"),
        (b"/openai//a%2Fb", "openai", b"//a%2Fb"),
        (b"/openaix/v1", "local", b"/base/openaix/v1"),
        (b"/local/v1/messages", "local", b"/base/v1/messages"),
    ],
)
def test_upstreams_by_path(path: bytes, name: str, target: bytes) -> None:
    route = ROUTER.find(path)
    assert (route.upstream.name, route.target) == (name, target)
    assert ROUTER.find(path, b"a=1&b=%3F").target == target + b"?a=1&b=%3F"


def test_a_key_goes_to_the_provider_whose_headers_come_with_it() -> None:
    assert ROUTER.find(b"/v1/models", b"", [b"anthropic-version"]).upstream.name == "anthropic"
    assert ROUTER.find(b"/v1/files", b"", [b"x-goog-api-key"]).upstream.name == "gemini"
    assert ROUTER.find(b"/openai/v1/models", b"", [b"anthropic-version"]).upstream.name == "openai"


def test_a_single_upstream_gets_everything() -> None:
    router = Router([parse_upstream("x=http://[::1]:80/")])
    for path in (b"/v1/messages", b"/v1beta/x", b"/openai/v1"):
        route = router.find(path, b"", [b"anthropic-version"])
        assert (route.upstream.host, route.target) == (b"[::1]:80", path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "=http://x",
        "X=http://x",
        "v1=http://x",
        "a/b=http://x",
        "healthz=http://x",
        "a=",
        "a=//x",
        "a=ftp://x",
        "a=http://",
        "a=http://x?y",
        "a=http://x#y",
        "a=http://u:p@x",
        "a=http://x:99999",
        "a=http://x:b",
        "a=http://[::1",
    ],
)
def test_what_is_no_upstream(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_upstream(text)
    assert "\n" not in str(caught.value)


def test_upstreams_need_names_of_their_own() -> None:
    with pytest.raises(UsageError, match="'a' is given twice"):
        Router([parse_upstream("a=http://x"), parse_upstream("a=http://y")])
    with pytest.raises(UsageError, match="no upstream"):
        Router([])
