"""LangChain's real agents and OpenAI's chat model, with the middleware, before an upstream that keeps what it gets."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2
import pytest
from apis import CHAT, KEY
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pages import around, data_url, images, page, pixels, strings, text
from upstream import Upstream, json_answer

from pixtrim.gateway import RewriteReport, Settings
from pixtrim.gateway.langchain import ImageShrinker, _images

FORMS = {
    "langchain": lambda file: {"type": "image", "base64": text(file), "mime_type": "image/png"},
    "langchain-0": lambda file: {
        "type": "image",
        "source_type": "base64",
        "data": text(file),
        "mime_type": "image/png",
    },
    "data-url": lambda file: {"type": "image", "url": data_url(file)},
    "openai": lambda file: {"type": "image_url", "image_url": {"url": data_url(file), "detail": "high"}},
    "anthropic": lambda file: {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": text(file)},
    },
}
OTHERS = (
    {"type": "image", "url": "https://example.com/a.png"},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    {"type": "text", "text": "iVBOR"},
    {"type": "image", "file_id": "f1"},
)


@tool
def look(at: str) -> list[dict[str, Any]]:
    """Look at something."""
    return [{"type": "text", "text": "done"}, FORMS["langchain"](page("tool"))]


@tool
def click(x: int, y: int) -> str:
    """Click at a place of the screen."""
    return "done"


def ask(upstream: Upstream, content: Any, *middleware: Any, asynchronous: bool = False, tools: Any = (look,)) -> Any:
    """Ask an agent, and return the state that it ends with."""

    async def run() -> Any:
        async with httpx2.AsyncClient() as client:
            with httpx2.Client() as other:
                http = {"http_async_client": client, "http_client": other, "max_retries": 0}
                model = ChatOpenAI(model="gpt-5.5", base_url=upstream.url + "/v1", api_key=KEY, **http)
                agent = create_agent(model, tools=list(tools), middleware=middleware)
                asked = {"messages": [HumanMessage(content=content)]}
                return await agent.ainvoke(asked) if asynchronous else agent.invoke(asked)

    return asyncio.run(run())


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@both
@pytest.mark.parametrize("form", FORMS)
def test_the_model_is_asked_with_smaller_images(form: str, asynchronous: bool, upstream: Upstream) -> None:
    CHAT.answers(upstream)
    reports: list[RewriteReport] = []
    content = [{"type": "text", "text": "What is hére?"}, FORMS[form](page("first")), FORMS[form](page("second"))]
    ask(upstream, content, asynchronous=asynchronous)
    end = ask(upstream, content, ImageShrinker(on_report=reports.append), asynchronous=asynchronous)
    sent, arrived = upstream.requests
    assert images(sent.body) == [page("first"), page("second")]
    assert around(arrived.body) == around(sent.body)
    for before, after in zip(images(sent.body), images(arrived.body), strict=True):
        assert 0 < pixels(after) < 0.2 * pixels(before)
    assert end["messages"][0].content == content
    assert (reports[0].model, reports[0].changed) == ("gpt-5.5", 2)


def test_what_a_tool_returns_is_smaller_and_earlier_images_keep_their_bytes(upstream: Upstream) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": [call]}}
    whole = json_answer(CHAT.answer)

    async def first_a_call(request: Any, out: Any) -> None:
        first = len(upstream.requests) == 1
        await (json_answer({**CHAT.answer, "choices": [choice]}) if first else whole)(request, out)

    upstream.answers[CHAT.path] = first_a_call
    ask(upstream, [FORMS["langchain"](page("first"))], ImageShrinker())
    first, second = (request.body for request in upstream.requests)
    assert len(strings(first)) == 1
    assert len(strings(second)) == 2
    assert strings(second)[0] == strings(first)[0]
    assert all(pixels(image) < 500_000 for image in images(second))
    assert json.loads(second)["messages"][-1]["role"] == "tool"


def test_where_a_tool_points_at_places_images_stay(upstream: Upstream) -> None:
    CHAT.answers(upstream)
    reports: list[RewriteReport] = []
    shrinker = ImageShrinker(on_report=reports.append)
    ask(upstream, [FORMS["openai"](page("screen"))], shrinker, tools=[click])
    assert images(upstream.request().body) == [page("screen")]
    assert "places" in reports[0].images[0].outcome.reason


def test_a_repeated_image_can_become_a_note(upstream: Upstream) -> None:
    CHAT.answers(upstream)
    content = [FORMS["anthropic"](page("same"))] * 2
    ask(upstream, content, ImageShrinker(Settings(repeats="note")))
    assert len(images(upstream.request().body)) == 1
    assert b"same as image 1" in upstream.request().body


def test_what_is_no_image_in_the_message_itself_is_passed_over() -> None:
    others = ({"type": "image"}, {"type": "image", "base64": None}, {"type": "image_url", "image_url": {"url": 3}})
    assert list(_images([*OTHERS, *others, "iVBOR", 3, None])) == []
    assert list(_images("iVBOR")) == []


def test_a_result_of_a_tool_inside_a_message_is_looked_at() -> None:
    inner = [{"type": "tool_result", "tool_use_id": "t", "content": [FORMS["anthropic"](page("inner"))]}]
    (image,) = _images([{"type": "text", "text": "a"}, *inner])
    assert base64.b64decode(image.loose.text) == page("inner")
