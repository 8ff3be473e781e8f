"""Gemini's generateContent and interactions, and Ollama: spellings, resolutions, and what is no image."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from wire import file_of, opened, photo, remembered, text_of

from pixtrim.gateway import Rewritten, Settings, rewrite
from pixtrim.gateway.formats import gemini, gemini_interactions, ollama

HALF = Settings(budget=0.5, operator="resize", minimum_saving=0)
FILE = file_of(photo(2000, 1600))
PNG = text_of(FILE)
MODEL = "gemini-2.5-flash"


def contents(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}], **more}


def blob(data: str = PNG, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": data}, **more}


def shrunk(request: dict[str, Any], **options: Any) -> Rewritten:
    return rewrite(request, "gemini", HALF, reduce=remembered, **{"model": MODEL, **options})


def test_the_model_comes_with_the_url() -> None:
    found = shrunk(contents(blob()))
    assert found.report.rule == MODEL
    (image,) = found.report.images
    assert image.outcome.tokens == (1032, 258)


def test_without_a_model_nothing_is_done() -> None:
    given = contents(blob())
    found = shrunk(given, model=None)
    assert found.body is given
    assert found.report.images[0].outcome.reason == "no token rule"


def test_a_count_of_tokens_may_wrap_the_request() -> None:
    given = {"generateContentRequest": {"model": "models/gemini-2.5-pro", **contents(blob())}}
    found = shrunk(given, model=None)
    assert found.report.rule == "gemini-2.5-pro"
    assert found.report.images[0].path == ("generateContentRequest", "contents", 0, "parts", 0)
    assert opened(found.body["generateContentRequest"]["contents"][0]["parts"][0]["inlineData"]["data"]).width < 2000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (contents(blob()), None),
        (contents(blob(), generationConfig={"mediaResolution": "MEDIA_RESOLUTION_LOW"}), "low"),
        (contents(blob(), generation_config={"media_resolution": "MEDIA_RESOLUTION_MEDIUM"}), "medium"),
        (contents(blob(mediaResolution={"level": "MEDIA_RESOLUTION_ULTRA_HIGH"})), "ultra_high"),
        (contents(blob(media_resolution={"level": "media_resolution_high"})), "high"),
        (contents(blob(mediaResolution={"level": "MEDIA_RESOLUTION_UNSPECIFIED"})), None),
        (contents(blob(mediaResolution={"numTokens": 300})), None),
        (
            contents(
                blob(mediaResolution={"level": "MEDIA_RESOLUTION_HIGH"}),
                generationConfig={"mediaResolution": "MEDIA_RESOLUTION_LOW"},
            ),
            "high",
        ),
        (contents(blob(mediaResolution=[5]), generationConfig=[5]), None),
    ],
)
def test_resolutions_are_levels_of_detail(given: dict[str, Any], expected: str | None) -> None:
    assert [place.detail for place in gemini.places(given)] == [expected]


@pytest.mark.parametrize(("level", "tokens"), [("low", 64), ("medium", 256), ("ultra_high", 1032), ("new", 1032)])
def test_a_resolution_that_the_model_does_not_have_is_its_default(level: str, tokens: int) -> None:
    given = contents(blob(mediaResolution={"level": f"MEDIA_RESOLUTION_{level.upper()}"}))
    (image,) = shrunk(given).report.images
    assert image.outcome.tokens is not None
    assert image.outcome.tokens[0] == tokens


def test_spellings_stay() -> None:
    snake = {"inline_data": {"data": PNG, "mime_type": "image/png"}}
    (part,) = shrunk(contents(snake)).body["contents"][0]["parts"]
    assert opened(part["inline_data"].pop("data")).width < 2000
    assert part == {"inline_data": {"mime_type": "image/png"}}


def test_the_alphabet_stays() -> None:
    safe = base64.urlsafe_b64encode(FILE).decode()
    assert "-" in safe
    (part,) = shrunk(contents(blob(safe))).body["contents"][0]["parts"]
    assert not set("+/") & set(part["inlineData"]["data"])
    assert set("-_") & set(part["inlineData"]["data"])
    assert opened(part["inlineData"]["data"]).width < 2000


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "application/pdf", "data": PNG}},
        {"inlineData": {"mimeType": "video/mp4", "data": PNG}},
        {"inlineData": {"mimeType": "audio/wav", "data": PNG}},
        {"inlineData": {"data": PNG}},
        {"inlineData": {"mimeType": "image/png", "data": 5}},
        {"inlineData": PNG},
        {"inlineData": None},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"}},
        {"functionResponse": {"name": "f", "response": blob()}},
        {"functionResponse": {"name": "f", "parts": [{"functionResponse": {"parts": [blob()]}}]}},
        {"text": PNG},
        {"executableCode": {"code": PNG}},
    ],
)
def test_what_is_no_image_is_left_alone(part: dict[str, Any]) -> None:
    given = contents(part)
    found = shrunk(given)
    assert found.body is given
    assert found.report.images == ()


def test_what_the_model_has_signed_is_left_alone() -> None:
    found = shrunk(contents(blob(thoughtSignature="AAAA"), blob(thought_signature="AAAA"), blob()))
    assert [image.outcome.reason for image in found.report.images] == ["the request wants it as it is"] * 2 + [
        "changed"
    ]


def test_a_fetched_file_becomes_inline_data() -> None:
    part = {"fileData": {"mimeType": "image/png", "fileUri": "https://a.example/x"}, "mediaResolution": {"level": "x"}}
    (found,) = shrunk(contents(part), fetched={"https://a.example/x": FILE}).body["contents"][0]["parts"]
    assert opened(found["inlineData"].pop("data")).width < 2000
    assert found == {"inlineData": {"mimeType": "image/png"}, "mediaResolution": {"level": "x"}}


def test_a_file_in_a_bucket_is_not_on_the_web() -> None:
    part = {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}}
    (place,) = gemini.places(contents(part))
    assert (place.text, place.url) == (None, None)


def test_nothing_is_saved_where_all_sizes_are_billed_alike() -> None:
    given = contents(blob())
    found = shrunk(given, model="gemini-3-pro")
    assert found.body is given
    assert found.report.images[0].outcome.reason == "billed alike at any size"


@pytest.mark.parametrize(
    ("tools", "points"),
    [
        ([{"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}], True),
        ({"computer_use": {}}, True),
        ([{"functionDeclarations": [{"name": "c", "parameters": {"properties": {"x": {}, "y": {}}}}]}], True),
        (
            [{"function_declarations": [{"name": "c", "parametersJsonSchema": {"properties": {"coordinate": {}}}}]}],
            True,
        ),
        ([{"googleSearch": {}}, {"functionDeclarations": [{"name": "c"}]}], False),
        (None, False),
    ],
)
def test_tools_that_point(tools: Any, points: bool) -> None:
    assert gemini.points(contents(blob(), tools=tools)) is points
    assert gemini.points({"generateContentRequest": contents(blob(), tools=tools)}) is points


def test_no_note_numbers_images_where_the_cache_has_others() -> None:
    assert [place.notable for place in gemini.places(contents(blob()))] == [True]
    assert [place.notable for place in gemini.places(contents(blob(), cachedContent="cachedContents/1"))] == [False]
    response = {"functionResponse": {"name": "f", "parts": [blob()]}}
    assert [place.notable for place in gemini.places(contents(response))] == [False]


# --- interactions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "input_",
    [
        {"type": "image", "data": PNG, "mime_type": "image/png"},
        [{"type": "text", "text": "?"}, {"type": "image", "data": PNG}],
        [{"type": "user_input", "content": [{"type": "image", "data": PNG, "resolution": "high"}]}],
    ],
)
def test_forms_of_the_input(input_: Any) -> None:
    body, report = rewrite({"model": MODEL, "input": input_}, "gemini-interactions", HALF, reduce=remembered)
    assert report.changed == 1
    assert PNG not in str(body)


@pytest.mark.parametrize(
    "step",
    [
        {"type": "model_output", "content": [{"type": "image", "data": PNG}]},
        {"role": "model", "content": [{"type": "image", "data": PNG}]},
        {"type": "user_input", "content": [{"type": "document", "data": PNG, "mime_type": "application/pdf"}]},
        {"type": "function_result", "call_id": "c", "result": {"type": "image", "data": PNG}},
        {"type": "image"},
        {"type": "image", "data": None},
        {"type": ["image"], "data": PNG},
    ],
)
def test_other_steps_are_left_alone(step: dict[str, Any]) -> None:
    given = {"model": MODEL, "input": [step]}
    assert rewrite(given, "gemini-interactions", HALF).body is given


def test_a_fetched_image_loses_its_address() -> None:
    block = {"type": "image", "uri": "https://a.example/x", "resolution": "high"}
    fetched = {"https://a.example/x": FILE}
    body = rewrite({"model": MODEL, "input": block}, "gemini-interactions", HALF, fetched=fetched).body
    assert opened(body["input"].pop("data")).width < 2000
    assert body["input"] == {"type": "image", "resolution": "high", "mime_type": "image/png"}


def test_interactions_that_point_or_go_on() -> None:
    block = {"type": "image", "data": PNG}
    assert gemini_interactions.points({"input": block, "tools": [{"type": "computer_use"}]})
    assert not gemini_interactions.points({"input": block, "tools": [{"type": "google_search"}]})
    (place,) = gemini_interactions.places({"input": block, "previous_interaction_id": "i"})
    assert not place.notable


# --- Ollama ----------------------------------------------------------------------------------------------------------


def test_ollama_generates_from_images_beside_the_prompt() -> None:
    given = {"model": "qwen2.5vl:7b", "prompt": "?", "images": [PNG, "!", None, PNG]}
    body, report = rewrite(given, "ollama", HALF, reduce=remembered)
    assert [image.outcome.reason for image in report.images] == ["changed", "not base64", "changed"]
    assert body["images"][1:3] == ["!", None]
    assert opened(body["images"][0]).width < 2000


def test_no_note_stands_among_the_images_of_ollama() -> None:
    given = {"model": "qwen2.5vl:7b", "messages": [{"role": "user", "content": "?", "images": [PNG, PNG]}]}
    report = rewrite(given, "ollama", Settings(budget=0.5, repeats="note"), reduce=remembered).report
    assert [image.outcome.reason for image in report.images] == ["changed", "changed"]
    assert ollama.note("x", PNG) == PNG
