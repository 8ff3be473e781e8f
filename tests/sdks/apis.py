"""The calls that SDKs make, one `Api` for each wire format; sync and async clients have the same methods."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import anthropic
import httpx2
import openai
from google import genai
from google.genai import types
from pages import data_url, text
from upstream import Upstream, events, json_answer

from pixtrim.gateway.transports import async_client, client

KEY = "key-of-the-tests"
WORDS = ("one ", "two ", "three")
"""What a stream says, an event each."""


@dataclass(frozen=True)
class Api:
    """A call of an SDK.

    `call(client, pictures, stream)` sends pictures in every place that the SDK has for them, in order, as many as
    `places` says; `words` reads the text out of an event of the stream.
    """

    name: str
    sdk: str
    path: str
    streamed_path: str
    places: int
    call: Callable[[Any, Sequence[bytes], bool], Any]
    answer: dict[str, Any]
    stream: tuple[bytes, ...]
    words: Callable[[Any], str | None]
    error: type[Exception]

    @asynccontextmanager
    async def client(self, url: str, asynchronous: bool, retries: int = 0, **hook: Any) -> AsyncIterator[Any]:
        """The SDK's client: with pixtrim's HTTP client if `hook` has arguments for it, else with its own."""
        http = (async_client if asynchronous else client)(self.sdk, **hook) if hook else None
        if http is None and self.sdk == "google-genai":  # which would take aiohttp for what is asynchronous
            http = (httpx2.AsyncClient if asynchronous else httpx2.Client)(follow_redirects=True)
        made = self._client(url, asynchronous, retries, http)
        try:
            yield made.aio if asynchronous and self.sdk == "google-genai" else made
        finally:
            if asynchronous and self.sdk == "google-genai":
                await made.aio.aclose()
            await settled(made.close())
            if http is not None:
                await settled(http.aclose() if asynchronous else http.close())

    def _client(self, url: str, asynchronous: bool, retries: int, http: Any) -> Any:
        if self.sdk == "google-genai":
            options: dict[str, Any] = {("httpx_async_client" if asynchronous else "httpx_client"): http} if http else {}
            options["retry_options"] = types.HttpRetryOptions(attempts=retries + 1, initial_delay=0.01)
            return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, **options))
        module: Any = openai if self.sdk == "openai" else anthropic
        kind = getattr(module, ("Async" if asynchronous else "") + ("OpenAI" if module is openai else "Anthropic"))
        base = url + "/v1" if module is openai else url
        return kind(api_key=KEY, base_url=base, http_client=http, max_retries=retries)

    def answers(self, upstream: Upstream, turns: bool = False) -> None:
        """Let the upstream answer these calls; with `turns`, each event of a stream waits for `upstream.go()`."""
        whole, streamed = json_answer(self.answer), events(*self.stream, turns=turns)

        async def either(request: Any, out: Any) -> None:
            wanted = streamed if '"stream":true' in request.body.decode().replace(" ", "") else whole
            await wanted(request, out)

        upstream.answers[self.path] = whole if self.path != self.streamed_path else either
        if self.path != self.streamed_path:
            upstream.answers[self.streamed_path] = streamed


async def settled(value: Any) -> Any:
    """Return what a call of a sync or an async client returns in the end."""
    return await value if isawaitable(value) else value


async def each(stream: Any) -> AsyncIterator[Any]:
    """Go through a stream of either kind."""
    if hasattr(stream, "__aiter__"):
        async for event in stream:
            yield event
    else:
        for event in stream:
            yield event


def sse(value: Any, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


# --- OpenAI's chat completions ---------------------------------------------------------------------------------------


def _chat(client: Any, pictures: Sequence[bytes], stream: bool) -> Any:
    first, second = ({"type": "image_url", "image_url": {"url": data_url(one), "detail": "high"}} for one in pictures)
    calls = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "What is hére? \U0001f600"}, first]},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "done"}, second]},
    ]
    return client.chat.completions.create(model="gpt-5.5", messages=messages, temperature=0.50, stream=stream)


def _chunk(delta: dict[str, Any], end: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    return sse({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.5", "choices": [choice]})


CHAT = Api(
    "openai-chat",
    "openai",
    "/v1/chat/completions",
    "/v1/chat/completions",
    2,
    _chat,
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5.5",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a page"}}],
    },
    (*(_chunk({"content": word}) for word in WORDS), _chunk({}, "stop") + b"data: [DONE]\n\n"),
    lambda event: event.choices[0].delta.content,
    openai.APIStatusError,
)

# --- OpenAI's responses ----------------------------------------------------------------------------------------------

_RESPONSE = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5.5",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def _responses(client: Any, pictures: Sequence[bytes], stream: bool) -> Any:
    first, second = ({"type": "input_image", "image_url": data_url(one), "detail": "high"} for one in pictures)
    given: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "What is hére?"}, first]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "see"}, second]},
    ]
    return client.responses.create(model="gpt-5.5", input=given, stream=stream)


def _delta(number: int, word: str) -> bytes:
    kind = "response.output_text.delta"
    event = {"type": kind, "sequence_number": number, "item_id": "m", "output_index": 0, "content_index": 0}
    return sse({**event, "delta": word, "logprobs": []}, kind)


RESPONSES = Api(
    "openai-responses",
    "openai",
    "/v1/responses",
    "/v1/responses",
    2,
    _responses,
    _RESPONSE,
    (
        *(_delta(number, word) for number, word in enumerate(WORDS)),
        sse({"type": "response.completed", "sequence_number": 9, "response": _RESPONSE}, "response.completed"),
    ),
    lambda event: getattr(event, "delta", None),
    openai.APIStatusError,
)

# --- Anthropic's messages --------------------------------------------------------------------------------------------

_MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-7",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def messages_of(pictures: Sequence[bytes]) -> Any:
    first, second, third = (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": text(one)}}
        for one in pictures
    )
    document = {"type": "document", "source": {"type": "content", "content": [third]}, "title": "a title"}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "done"}, second]}
    return [
        {"role": "user", "content": [{"type": "text", "text": "What is hére?"}, first]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{**result, "cache_control": {"type": "ephemeral"}}, document]},
    ]


def _messages(client: Any, pictures: Sequence[bytes], stream: bool) -> Any:
    return client.messages.create(model="claude-opus-4-7", max_tokens=10, messages=messages_of(pictures), stream=stream)


def _count_tokens(client: Any, pictures: Sequence[bytes], stream: bool) -> Any:
    assert not stream
    return client.messages.count_tokens(model="claude-opus-4-7", messages=messages_of(pictures))


def _text_delta(word: str) -> bytes:
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    return sse(event, "content_block_delta")


_BEGIN = sse({"type": "message_start", "message": _MESSAGE}, "message_start") + sse(
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start"
)
_END = sse({"type": "content_block_stop", "index": 0}, "content_block_stop") + sse(
    {"type": "message_stop"}, "message_stop"
)

MESSAGES = Api(
    "anthropic",
    "anthropic",
    "/v1/messages",
    "/v1/messages",
    3,
    _messages,
    {**_MESSAGE, "content": [{"type": "text", "text": "a page"}], "stop_reason": "end_turn"},
    (_BEGIN + _text_delta(WORDS[0]), *(_text_delta(word) for word in WORDS[1:]), _END),
    lambda event: event.delta.text if event.type == "content_block_delta" else None,
    anthropic.APIStatusError,
)
COUNT_TOKENS = Api(
    "anthropic-count-tokens",
    "anthropic",
    "/v1/messages/count_tokens",
    "/v1/messages/count_tokens",
    3,
    _count_tokens,
    {"input_tokens": 5},
    (),
    lambda event: None,
    anthropic.APIStatusError,
)

# --- Gemini's generateContent ----------------------------------------------------------------------------------------

_MODEL = "/v1/models/gemini-2.5-flash"


def _generate(client: Any, pictures: Sequence[bytes], stream: bool) -> Any:
    first, second = pictures
    part = types.FunctionResponsePart(inline_data=types.FunctionResponseBlob(mime_type="image/png", data=second))
    response = types.FunctionResponse(name="look", response={"said": "dóne"}, parts=[part])
    contents = [
        types.Content(
            role="user", parts=[types.Part(text="What?"), types.Part.from_bytes(data=first, mime_type="image/png")]
        ),
        types.Content(role="model", parts=[types.Part(function_call=types.FunctionCall(name="look", args={}))]),
        types.Content(role="user", parts=[types.Part(function_response=response)]),
    ]
    call = client.models.generate_content_stream if stream else client.models.generate_content
    return call(model="gemini-2.5-flash", contents=contents, config=types.GenerateContentConfig(temperature=0.5))


def _candidate(word: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": word}]}, "index": 0, **more}]}


GEMINI = Api(
    "gemini",
    "google-genai",
    f"{_MODEL}:generateContent",
    f"{_MODEL}:streamGenerateContent",
    2,
    _generate,
    _candidate("a page", finishReason="STOP"),
    (*(sse(_candidate(word)) for word in WORDS), sse({"candidates": [{"finishReason": "STOP", "index": 0}]})),
    lambda event: event.text,
    genai.errors.APIError,
)


def _interact(client: Any, pictures: Sequence[bytes], stream: bool) -> Any:
    assert not stream
    blocks = [{"type": "image", "data": text(one), "mime_type": "image/png"} for one in pictures]
    words = {"type": "text", "text": "What is hére?"}
    return client.interactions.create(model="gemini-2.5-flash", input=[words, *blocks])


INTERACTIONS = Api(
    "gemini-interactions",
    "google-genai",
    "/v1/interactions",
    "/v1/interactions",
    2,
    _interact,
    {"id": "i1", "status": "completed", "steps": []},
    (),
    lambda event: None,
    genai.errors.APIError,
)

APIS = (CHAT, RESPONSES, MESSAGES, GEMINI)
