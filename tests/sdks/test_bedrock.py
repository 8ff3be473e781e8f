"""Amazon Bedrock by Anthropic's SDK and by boto3: what arrives is smaller, and its signature holds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import anthropic
import boto3
import pytest
from apis import MESSAGES, messages_of
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from pages import around, icon, images, page, pixels, text
from upstream import Recorded, Upstream, json_answer

from pixtrim.gateway import RewriteReport, Settings
from pixtrim.gateway.bedrock import middleware, register
from pixtrim.gateway.transports import client

KEYS = ("access", "secret")
REGION = "eu-west-1"
MODEL = "anthropic.claude-opus-4-7"


def signed(request: Recorded) -> bool:
    """Say whether a request's signature is that of the bytes that have arrived."""
    sent = (request.header("authorization") or b"").decode()
    names = sent.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: (request.header(name) or b"").decode() for name in names}
    url = f"http://{headers['host']}{request.target}"
    again = AWSRequest(request.method, url, headers, request.body)
    again.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(*KEYS), "bedrock", REGION)
    again.context["signing"] = {"signing_name": "bedrock"}
    to_sign = signer.string_to_sign(again, signer.canonical_request(again))
    return sent.endswith("Signature=" + signer.signature(to_sign, again))


@pytest.fixture
def boto(upstream: Upstream) -> Any:
    made = boto3.client(
        "bedrock-runtime",
        endpoint_url=upstream.url,
        region_name=REGION,
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


def ask(upstream: Upstream, asynchronous: bool, pictures: list[bytes], **more: Any) -> Any:
    kind = anthropic.AsyncAnthropicBedrock if asynchronous else anthropic.AnthropicBedrock
    keys = {"aws_access_key": KEYS[0], "aws_secret_key": KEYS[1], "aws_region": REGION}

    async def run() -> Any:
        made: Any = kind(**keys, base_url=upstream.url, max_retries=0, **more)
        answer = made.messages.create(model=MODEL, max_tokens=9, messages=messages_of(pictures))
        answer = await answer if asynchronous else answer
        await made.close() if asynchronous else made.close()
        return answer

    return asyncio.run(run())


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_anthropics_sdk_signs_the_smaller_images(asynchronous: bool, upstream: Upstream) -> None:
    upstream.answers["*"] = json_answer(MESSAGES.answer)
    pictures = [page(f"bedrock {number}") for number in range(3)]
    ask(upstream, asynchronous, pictures)
    answer = ask(upstream, asynchronous, pictures, middleware=[middleware()])
    sent, arrived = upstream.requests
    assert answer.content[0].text == "a page"
    assert images(sent.body) == pictures
    assert around(arrived.body) == around(sent.body)
    assert all(pixels(image) < 500_000 for image in images(arrived.body))
    assert arrived.target == sent.target == f"/model/{MODEL}/invoke"
    assert signed(sent)
    assert signed(arrived)


def test_an_http_client_leaves_what_is_signed_as_it_is(upstream: Upstream) -> None:
    upstream.answers["*"] = json_answer(MESSAGES.answer)
    pictures = [page(f"bedrock {number}") for number in range(3)]
    with client("anthropic") as http:
        ask(upstream, False, pictures, http_client=http)
    assert images(upstream.request().body) == pictures
    assert signed(upstream.request())


def conversation(pictures: list[bytes]) -> list[dict[str, Any]]:
    first, second = ({"image": {"format": "png", "source": {"bytes": one}}} for one in pictures)
    result = {"toolUseId": "t1", "content": [{"text": "done"}, second], "status": "success"}
    return [
        {"role": "user", "content": [{"text": "What is hére?"}, first]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {"content": 1}}}]},
        {"role": "user", "content": [{"toolResult": result}, {"cachePoint": {"type": "default"}}]},
    ]


def test_converse_signs_the_smaller_images(boto: Any, upstream: Upstream) -> None:
    said = {"role": "assistant", "content": [{"text": "a page"}]}
    upstream.answers["*"] = json_answer({"output": {"message": said}, "stopReason": "end_turn"})
    messages = conversation([page("first"), page("second")])
    reports: list[RewriteReport] = []
    boto.converse(modelId=MODEL, messages=messages)
    register(boto, on_report=reports.append)
    answer = boto.converse(modelId=MODEL, messages=messages)
    sent, arrived = upstream.requests
    assert answer["output"]["message"] == said
    assert messages == conversation([page("first"), page("second")])
    assert images(sent.body) == [page("first"), page("second")]
    assert around(arrived.body) == around(sent.body)
    assert all(pixels(image) < 500_000 for image in images(arrived.body))
    assert signed(sent)
    assert signed(arrived)
    assert not signed(replace(arrived, body=sent.body))
    assert (reports[0].model, reports[0].changed) == (MODEL, 2)


def test_converse_takes_notes_and_leaves_what_is_not_to_be_changed(boto: Any, upstream: Upstream) -> None:
    upstream.answers["*"] = json_answer({"output": {"message": {"role": "assistant", "content": []}}})
    register(boto, Settings(repeats="note"))
    boto.converse(modelId=MODEL, messages=conversation([page("same"), page("same")]))
    boto.converse(modelId=MODEL, messages=conversation([icon(), page("small")]))
    boto.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "no image"}]}])
    schema = {"json": {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}}
    tools = {"tools": [{"toolSpec": {"name": "click", "inputSchema": schema}}]}
    boto.converse(modelId=MODEL, messages=conversation([page("a"), page("b")]), toolConfig=tools)
    repeated, mixed, without, pointing = (request.body for request in upstream.requests)
    assert len(images(repeated)) == 1
    assert b"same as image 1" in repeated
    assert images(mixed)[0] == icon()
    assert pixels(images(mixed)[1]) < 500_000
    assert images(without) == []
    assert images(pointing) == [page("a"), page("b")]


def test_invoke_model_signs_the_smaller_images(boto: Any, upstream: Upstream) -> None:
    upstream.answers["*"] = json_answer(MESSAGES.answer)
    register(boto)
    pictures = [page(f"invoked {number}") for number in range(3)]
    body = json.dumps(
        {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": messages_of(pictures)}, indent=1
    )
    other = json.dumps({"prompt": "what is it?", "images": [text(page("invoked"))]})
    for given in (body, body.encode(), other):
        boto.invoke_model(modelId=MODEL, body=given)["body"].close()
    of_text, of_bytes, unknown = upstream.requests
    assert of_text.body == of_bytes.body
    assert around(of_text.body) == around(body.encode())
    assert all(pixels(image) < 500_000 for image in images(of_text.body))
    assert unknown.body == other.encode()
    assert all(signed(request) for request in upstream.requests)
