"""The REST interface answers what pixtrim itself says, in every form of question."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from served import page, png, serving

import pixtrim
from pixtrim.cli import main
from pixtrim.gateway.rest import PATHS, make_rest
from pixtrim.gateway.rest.answers import CountsAnswer, ModelsAnswer, PruneAnswer, ShrinkAnswer
from pixtrim.gateway.rest.work import Answer, shrunk

PAGE = page()
FILE = png(PAGE)
TEXT = base64.b64encode(FILE).decode()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with serving(make_rest()) as url, httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield client


def answer(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    found: dict[str, Any] = response.json()
    return found


def as_json(http: httpx2.Client, path: str, **body: Any) -> dict[str, Any]:
    return answer(http.post(path, json=body))


# --- shrink ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"budget": 300},
        {"budget": 0.5, "operator": "resize"},
        {"budget": "50%", "operator": "fold", "format": "webp"},
        {"budget": "40%", "computer_use": True},
        {"budget": "50%", "operator": "fold", "protect": [[0, 0, 600, 200], [10, 700, 20, 710]]},
        {"budget": "50%", "operator": "crop+warp", "format": "jpeg"},
    ],
)
def test_shrink_is_what_pixtrim_does(http: httpx2.Client, options: dict[str, Any]) -> None:
    found = as_json(http, "/v1/shrink", image=TEXT, model="claude-opus-4-7", **options)
    asked = options.get("format")
    rest = {name: value for name, value in options.items() if name != "format"}
    direct = pixtrim.shrink(FILE, "claude-opus-4-7", name="image", **rest)
    assert base64.b64decode(found["image"]) == direct.encode(asked)
    assert found["media_type"] == f"image/{asked or 'png'}"
    assert pixtrim.CoordinateMap.from_dict(found["coordinates"]) == direct.coordinates
    assert json.dumps(found["coordinates"], separators=(",", ":")) == direct.coordinates.to_json()
    expected = direct.report.to_dict()
    del expected["seconds"]
    assert found["report"] == expected
    ShrinkAnswer.model_validate(found)


def test_a_form_says_the_same_as_json(http: httpx2.Client) -> None:
    options = {"model": "gpt-5.5", "budget": "50%", "operator": "fold", "computer_use": True, "format": "webp"}
    boxes = [[0, 0, 600, 200], [10, 700, 20.5, 710]]
    in_json = http.post("/v1/shrink", json={"image": TEXT, **options, "protect": boxes})
    form = {**options, "computer_use": "true", "protect": ["0,0,600,200", "10,700,20.5,710"]}
    in_form = http.post("/v1/shrink", data=form, files={"image": ("a page.png", FILE)})
    as_url = http.post("/v1/shrink", json={"image": f"data:image/png;base64,{TEXT}", **options, "protect": boxes})
    assert answer(in_json)["report"]["operator"] == "fold"
    assert in_json.content == in_form.content == as_url.content


def test_the_same_question_has_the_same_answer(http: httpx2.Client) -> None:
    contents = {http.post("/v1/shrink", json={"image": TEXT, "model": "gpt-5.5"}).content for _ in range(3)}
    plans = {http.post("/v1/prune", json={"image": TEXT, "plan": True}).content for _ in range(3)}
    assert len(contents) == len(plans) == 1


@pytest.mark.parametrize(
    ("accept", "asked", "media_type"),
    [
        ("image/*", {}, "image/png"),
        ("image/webp", {}, "image/webp"),
        ("application/json;q=0.5, image/jpeg", {}, "image/jpeg"),
        ("image/*", {"format": "jpeg"}, "image/jpeg"),
        ("image/webp", {"format": "webp"}, "image/webp"),
    ],
)
def test_an_image_is_answered_where_one_is_asked_for(
    http: httpx2.Client, accept: str, asked: dict[str, str], media_type: str
) -> None:
    data = {"model": "claude-opus-4-7", "budget": "50%", **asked}
    response = http.post("/v1/shrink", data=data, files={"image": FILE}, headers={"accept": accept})
    direct = pixtrim.shrink(FILE, "claude-opus-4-7", "50%")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    assert response.content == direct.encode(media_type.removeprefix("image/"))
    assert response.headers["x-pixtrim-tokens-before"] == str(direct.tokens.before)
    assert response.headers["x-pixtrim-tokens-after"] == str(direct.tokens.after)
    assert response.headers["x-pixtrim-operator"] == direct.report.operator
    assert response.headers["vary"] == "Accept"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r"image;dur=[0-9.]+", response.headers["server-timing"])


def test_an_image_of_which_nothing_is_saved_comes_back_as_it_was(http: httpx2.Client) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)).save(stream, "BMP")
    response = http.post(
        "/v1/shrink", data={"model": "gpt-5.5"}, files={"image": stream.getvalue()}, headers={"accept": "image/*"}
    )
    assert response.content == stream.getvalue()
    assert response.headers["content-type"] == "image/bmp"
    assert response.headers["x-pixtrim-operator"] == "none"


# --- tokens, prune and models ----------------------------------------------------------------------------------------


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """What a command prints."""
    assert main([*words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_tokens_are_what_the_command_prints(
    http: httpx2.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "b.jpg"
    Image.fromarray(PAGE[:300]).save(other)
    (tmp_path / "a.png").write_bytes(FILE)
    models = ["openai/gpt-5.5", "qwen3-vl", "claude-opus-4-7"]
    words = [word for model in models for word in ("-m", model)]
    printed = lines(capsys, "tokens", str(tmp_path / "a.png"), str(other), *words, "--size", "1920x1080")
    names = {str(tmp_path / "a.png"): "images[0]", str(other): "images[1]", None: None}
    expected = [{**line, "input": names[line["input"]]} for line in printed]
    images = [TEXT, base64.b64encode(other.read_bytes()).decode()]
    found = as_json(http, "/v1/tokens", models=models, sizes=[[1920, 1080]], images=images)
    assert found["counts"] == expected
    CountsAnswer.model_validate(found)
    files = [("images", FILE), ("images", other.read_bytes())]
    form = http.post("/v1/tokens", data={"models": models, "sizes": "1920x1080"}, files=files)
    assert answer(form) == found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": 8, "metric": "mae", "selector": "raster"},
        {"anchored": False, "fit": "pad", "selector": "unique", "model": "Qwen/Qwen2.5-VL-7B-Instruct"},
        {"selector": "conncomp"},
    ],
)
def test_prune_is_what_pixtrim_does(http: httpx2.Client, options: dict[str, Any]) -> None:
    found = as_json(http, "/v1/prune", image=TEXT, plan=True, **options)
    plan = pixtrim.prune(FILE, **options)
    assert pixtrim.KeepPlan.from_bytes(base64.b64decode(found["plan"])) == plan
    assert found["keep_indices"] == plan.indices.tolist()
    assert tuple(found["grid_thw"]) == plan.grid.grid_thw
    assert (found["kept"], found["tokens"], found["bound"]) == (plan.kept, plan.tokens, plan.bound)
    PruneAnswer.model_validate(found)
    form = http.post("/v1/prune", data={"plan": "true", **options}, files={"image": FILE})
    assert answer(form) == found


def test_prune_is_what_the_command_prints(
    http: httpx2.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scrolled = png(np.roll(PAGE, -32, axis=0))
    (tmp_path / "a.png").write_bytes(scrolled)
    (tmp_path / "b.png").write_bytes(FILE)
    words = ("prune", str(tmp_path / "a.png"), "--reference", str(tmp_path / "b.png"), "-m", "qwen3-vl", "--indices")
    (printed,) = lines(capsys, *words)
    found = as_json(http, "/v1/prune", image=base64.b64encode(scrolled).decode(), reference=TEXT)
    assert printed["key"] is found["key"] is False
    own = {"input": "image", "reference": "reference", "grid_thw": found["grid_thw"]}
    assert found == {**{k: v for k, v in printed.items() if k not in ("seconds", "preview")}, **own}


def test_models_are_what_the_command_prints(http: httpx2.Client, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(http.get("/v1/pixtrim/models"))
    assert found["models"] == lines(capsys, "models")
    ModelsAnswer.model_validate(found)


# --- the document ----------------------------------------------------------------------------------------------------


def test_the_document_is_served_and_says_where_everything_is(http: httpx2.Client) -> None:
    document = answer(http.get("/openapi.json"))
    assert {*document["paths"], "/openapi.json"} == set(PATHS)
    assert http.get("/docs").status_code == http.get("/redoc").status_code == 404  # they load scripts from elsewhere
    text = json.dumps(document)
    for name in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', text):
        assert name in document["components"]["schemas"]
    assert '"#/$defs' not in text


def test_the_document_that_is_kept_is_the_one_that_is_served(http: httpx2.Client, repository: Path) -> None:
    kept = (repository / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert answer(http.get("/openapi.json")) == json.loads(kept), "run python docs/generate.py"


@pytest.mark.parametrize(
    ("path", "file", "options"),
    [
        ("/v1/shrink", "image", {"model": "gpt-5.5", "budget": "50%", "protect": ["0,0,10,10.5"], "format": "webp"}),
        ("/v1/prune", "image", {"model": "qwen3-vl", "threshold": "2"}),
        ("/v1/tokens", "images", {"models": ["qwen3-vl"], "sizes": ["1920x1080", "8,8"]}),
    ],
)
def test_a_form_as_the_document_describes_it_is_taken(
    http: httpx2.Client, path: str, file: str, options: dict[str, Any]
) -> None:
    operation = answer(http.get("/openapi.json"))["paths"][path]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert form[file].get("items", form[file])["format"] == "binary"
    assert options.keys() <= form.keys()
    for name in options.keys() & {"protect", "sizes"}:
        assert all(re.fullmatch(form[name]["items"]["pattern"], text) for text in options[name])
    answer(http.post(path, data=options, files={file: FILE}))


# --- the runner ------------------------------------------------------------------------------------------------------


def test_the_work_can_be_done_in_another_process() -> None:
    given = {"image": [FILE], "model": ["gpt-5.5"], "budget": ["50%"]}
    function, arguments = pickle.loads(pickle.dumps((shrunk, (given, "json", 10**7))))
    found = pickle.loads(pickle.dumps(function(*arguments)))
    assert isinstance(found, Answer)
    assert json.loads(found.content)["report"]["tokens_after"] > 0


def test_all_work_goes_through_the_runner_that_was_given() -> None:
    done = []

    async def run(function: Any, *arguments: Any) -> Any:
        done.append(function.__name__)
        return function(*arguments)

    with serving(make_rest(run)) as url, httpx2.Client(base_url=url, trust_env=False) as http:
        as_json(http, "/v1/shrink", image=TEXT, model="gpt-5.5")
        as_json(http, "/v1/tokens", models=["gpt-5.5"], sizes=[[8, 8]])
        as_json(http, "/v1/prune", image=TEXT)
    assert done == ["shrunk", "counted", "pruned"]
