"""What providers say they billed, read out of real response shapes, split anywhere, compressed, broken and hostile."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.gateway.formats import FORMATS
from pixtrim.gateway.usage import Usage, UsageReader
from pixtrim.gateway.usage.counts import WORDINGS
from pixtrim.gateway.usage.framing import MOST_BYTES

JSON, SSE, NDJSON = "application/json", "text/event-stream; charset=utf-8", "application/x-ndjson"


def events(*messages: Any, named: bool = False, end: str = "\n") -> bytes:
    lines = []
    for message in messages:
        if named:
            lines.append(f"event: {message['type']}")
        lines += [f"data: {message if isinstance(message, str) else json.dumps(message)}", ""]
    return "".join(line + end for line in lines).encode()


CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": 'a "usage" of words'}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 1117,
        "completion_tokens": 46,
        "total_tokens": 1163,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 12},
    },
}
CHAT_STREAM = events(
    {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "He"}}], "usage": None},
    {"object": "chat.completion.chunk", "choices": [{"delta": {"content": '"usage"'}}], "usage": None},
    {"object": "chat.completion.chunk", "choices": [], "usage": CHAT["usage"]},
    "[DONE]",
)
RESPONSE = {
    "object": "response",
    "status": "completed",
    "output": [{"type": "function_call", "arguments": json.dumps({"usage": {"input_tokens": 1}})}],
    "usage": {
        "input_tokens": 328,
        "input_tokens_details": {"cached_tokens": 256},
        "output_tokens": 52,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 380,
    },
}


def response_stream(last: str) -> bytes:
    return events(
        {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "usage": None}},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": last, "response": RESPONSE},
        named=True,
    )


MESSAGE = {
    "type": "message",
    "content": [{"type": "tool_use", "name": "report", "input": {"usage": {"input_tokens": 9}}}],
    "usage": {
        "input_tokens": 21,
        "cache_creation_input_tokens": 188,
        "cache_read_input_tokens": 1800,
        "cache_creation": {"ephemeral_5m_input_tokens": 188},
        "output_tokens": 393,
        "service_tier": "standard",
    },
}
MESSAGE_STREAM = events(
    {
        "type": "message_start",
        "message": {"type": "message", "content": [], "usage": {**MESSAGE["usage"], "output_tokens": 1}},  # type: ignore[dict-item]
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 393}},
    {"type": "message_stop"},
    named=True,
)
GENERATED = {
    "candidates": [{"content": {"parts": [{"text": "ok"}]}}],
    "usageMetadata": {
        "promptTokenCount": 264,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 90,
        "toolUsePromptTokenCount": 36,
        "cachedContentTokenCount": 200,
        "totalTokenCount": 400,
    },
}
GENERATED_FIRST = {
    "candidates": [{"content": {"parts": [{"text": "o"}]}}],
    "usageMetadata": {"promptTokenCount": 264, "candidatesTokenCount": 1, "totalTokenCount": 265},
}
INTERACTION = {
    "object": "interaction",
    "status": "completed",
    "usage": {
        "total_input_tokens": 264,
        "total_tool_use_tokens": 36,
        "total_cached_tokens": 200,
        "total_output_tokens": 10,
        "total_thought_tokens": 90,
        "total_tokens": 400,
    },
}
INTERACTION_STREAM = events(
    {"event_type": "interaction.created", "interaction": {"status": "in_progress"}},
    {"event_type": "step.delta", "delta": {"text": "ok"}},
    {"event_type": "interaction.completed", "interaction": INTERACTION},
    "[DONE]",
)
OLLAMA = {"model": "m", "done": True, "prompt_eval_count": 26, "eval_count": 298, "total_duration": 5191566416}
OLLAMA_STREAM = b"".join(
    json.dumps(line).encode() + b"\n"
    for line in ({"model": "m", "message": {"content": "The"}, "done": False}, {"done": False}, OLLAMA)
)

CASES: dict[str, tuple[str, str, bytes, Usage | None]] = {
    "chat": ("openai-chat", JSON, json.dumps(CHAT).encode(), Usage(1117, 46, 1024)),
    "chat stream": ("openai-chat", SSE, CHAT_STREAM, Usage(1117, 46, 1024)),
    "chat stream that was not asked": ("openai-chat", SSE, events({"choices": [{"delta": {}}]}, "[DONE]"), None),
    "embeddings": ("openai-chat", JSON, b'{"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}', Usage(8)),
    "chat error": ("openai-chat", JSON, b'{"error": {"message": "usage limit", "type": "x"}}', None),
    "responses": ("openai-responses", JSON, json.dumps(RESPONSE).encode(), Usage(328, 52, 256)),
    "responses completed": ("openai-responses", SSE, response_stream("response.completed"), Usage(328, 52, 256)),
    "responses incomplete": ("openai-responses", SSE, response_stream("response.incomplete"), Usage(328, 52, 256)),
    "anthropic": ("anthropic", JSON, json.dumps(MESSAGE).encode(), Usage(2009, 393, 1800)),
    "anthropic stream": ("anthropic", SSE, MESSAGE_STREAM, Usage(2009, 393, 1800)),
    "anthropic count_tokens": ("anthropic", JSON, b'{"input_tokens": 2095}', None),
    "gemini": ("gemini", JSON, json.dumps(GENERATED).encode(), Usage(300, 100, 200)),
    "gemini array": ("gemini", JSON, json.dumps([GENERATED_FIRST, GENERATED], indent=1).encode(), Usage(300, 100, 200)),
    "gemini stream": ("gemini", SSE, events(GENERATED_FIRST, GENERATED, end="\r\n"), Usage(300, 100, 200)),
    "gemini countTokens": ("gemini", JSON, b'{"totalTokens": 31}', None),
    "interactions": ("gemini-interactions", JSON, json.dumps(INTERACTION).encode(), Usage(300, 100, 200)),
    "interactions stream": ("gemini-interactions", SSE, INTERACTION_STREAM, Usage(300, 100, 200)),
    "ollama": ("ollama", "application/json; charset=utf-8", json.dumps(OLLAMA).encode(), Usage(26, 298)),
    "ollama stream": ("ollama", NDJSON, OLLAMA_STREAM, Usage(26, 298)),
}


def br(data: bytes) -> bytes:
    compressed: bytes = pytest.importorskip("brotli").compress(data)
    return compressed


def zstd(data: bytes) -> bytes:
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    compressed: bytes = pytest.importorskip(module).compress(data)
    return compressed


def bare_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


ENCODINGS: dict[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "none": (None, bytes),
    "identity": ("identity", bytes),
    "gzip": ("GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", bare_deflate),
    "br": ("br", br),
    "zstd": ("zstd", zstd),
}


def read(parts: Iterable[bytes], wire_format: str, kind: str | None, encoding: str | None = None) -> Usage | None:
    reader = UsageReader(wire_format, kind, encoding)
    for part in parts:
        reader.feed(part)
    return reader.end()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", CASES)
def test_the_usage_of_every_format_is_read_in_every_encoding(case: str, encoding: str) -> None:
    wire_format, content_type, body, expected = CASES[case]
    name, encode = ENCODINGS[encoding]
    assert read([encode(body)], wire_format, content_type, name) == expected


@given(st.sampled_from(sorted(CASES)), st.sampled_from(sorted(ENCODINGS)), st.data())
def test_where_a_body_is_split_makes_no_difference(case: str, encoding: str, data: st.DataObject) -> None:
    wire_format, content_type, body, expected = CASES[case]
    name, encode = ENCODINGS[encoding]
    sent = encode(body)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    parts = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert read(parts, wire_format, content_type, name) == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", CASES)
def test_byte_by_byte_is_the_same(case: str, encoding: str) -> None:
    wire_format, content_type, body, expected = CASES[case]
    name, encode = ENCODINGS[encoding]
    assert read((bytes([byte]) for byte in encode(body)), wire_format, content_type, name) == expected


FRAMES = (
    b"data:",
    b"data: ",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b":",
    b"event: x",
    b"{",
    b"}",
    b"[DONE]",
    b"\xff",
    b"data: 1",
)
VALUES = (b"1", b"2", b"3", b"-1", b"true", b"1.5", b'"7"', b"1e999", b"9" * 5000, b"[[1")
PIECES = st.lists(
    st.sampled_from(FRAMES) | st.sampled_from(VALUES).map(lambda value: b'{"usage":{"prompt_tokens":%s}}' % value),
    max_size=30,
)


@given(PIECES, st.sampled_from([JSON, SSE, NDJSON, None]), st.data())
def test_rubbish_is_read_alike_however_it_is_split_and_raises_nothing(
    pieces: list[bytes], content_type: str | None, data: st.DataObject
) -> None:
    body = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=10)))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole = read([body], "openai-chat", content_type)
    assert read(parts, "openai-chat", content_type) == whole
    assert whole is None or (whole.input_tokens in {1, 2, 3} and whole.output_tokens is None)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.integers(1, 50))
def test_bytes_that_are_no_compressed_body_have_no_usage(body: bytes, encoding: str, size: int) -> None:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    assert read(parts, "openai-chat", JSON, encoding) is None


def test_a_stream_that_is_cut_off_tells_what_was_said_by_then() -> None:
    start = MESSAGE_STREAM.index(b"event: message_delta")
    assert read([MESSAGE_STREAM[:start]], "anthropic", SSE) == Usage(2009, 1, 1800)
    assert read([gzip.compress(MESSAGE_STREAM)[:-9]], "anthropic", SSE, "gzip") == Usage(2009, 393, 1800)


def test_a_compressed_body_that_is_damaged_has_no_usage_wherever_it_was_split() -> None:
    body = bytearray(gzip.compress(MESSAGE_STREAM))
    body[-6] ^= 0xFF  # in the check sum
    for size in (1, 7, len(body)):
        parts = [bytes(body[i : i + size]) for i in range(0, len(body), size)]
        assert read(parts, "anthropic", SSE, "gzip") is None


def test_every_wire_format_has_its_words() -> None:
    assert WORDINGS.keys() == FORMATS.keys()


@pytest.mark.parametrize(
    ("wire_format", "content_type", "encoding"),
    [
        ("bedrock", JSON, None),
        ("openai-chat", "image/png", None),
        ("openai-chat", "text/html", None),
        ("openai-chat", JSON, "compress"),
        ("openai-chat", JSON, "gzip, br"),
    ],
)
def test_what_is_not_known_is_not_read(wire_format: str, content_type: str, encoding: str | None) -> None:
    assert read([json.dumps(CHAT).encode()], wire_format, content_type, encoding) is None


def test_a_body_without_a_type_is_taken_for_json() -> None:
    assert read([json.dumps(CHAT).encode()], "openai-chat", None) == Usage(1117, 46, 1024)


def test_a_total_that_falls_later_is_the_larger_one() -> None:
    stream = events(
        {"type": "message_start", "message": {"usage": {"input_tokens": 30, "output_tokens": 0}}},
        {"type": "message_delta", "usage": {"input_tokens": 0, "output_tokens": 12}},
    )
    assert read([stream], "anthropic", SSE) == Usage(30, 12)


def test_a_long_document_is_given_up_and_a_long_event_is_passed_over() -> None:
    long = "x" * MOST_BYTES
    assert read([json.dumps({**CHAT, "long": long}).encode()], "openai-chat", JSON) is None
    stream = events({"usage": {"prompt_tokens": 5}, "long": long}, {"usage": {"prompt_tokens": 3}})
    assert read([stream], "openai-chat", SSE) == Usage(3)
    halves = f'data: {{"usage": {{"prompt_tokens": 5}},\ndata: "long":\ndata: "{long[:-20]}"}}\n\n'.encode()
    assert read([halves, events({"usage": {"prompt_tokens": 3}})], "openai-chat", SSE) == Usage(3)


BOMB = textwrap.dedent(
    """
    import resource, sys, zlib
    from pixtrim.gateway.usage import UsageReader

    kind, encoding = sys.argv[1:]
    if encoding == "gzip":
        squeeze = zlib.compressobj(1, wbits=31)
        bomb = squeeze.compress(b'{"usage": {"prompt_tokens": 1}, "x": "')
        bomb += b"".join(squeeze.compress(bytes(2**20)) for _ in range(256)) + squeeze.flush()
    elif encoding == "br":
        import brotli
        squeeze = brotli.Compressor(quality=5)
        bomb = b"".join(squeeze.process(bytes(2**20)) for _ in range(256)) + squeeze.finish()
    else:
        from backports.zstd import ZstdCompressor
        squeeze = ZstdCompressor()
        bomb = b"".join(squeeze.compress(bytes(2**20)) for _ in range(256)) + squeeze.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader = UsageReader("openai-chat", kind, encoding)
    reader.feed(bomb)
    assert reader.end() is None
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in KiB on Linux")
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_what_grows_to_256_mebibytes_costs_little_memory(kind: str, encoding: str) -> None:
    pytest.importorskip({"gzip": "zlib", "br": "brotli", "zstd": "backports.zstd"}[encoding])
    answer = subprocess.run([sys.executable, "-c", BOMB, kind, encoding], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 64 * 1024  # KiB
