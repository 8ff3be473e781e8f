"""pixtrim in front of other harnesses' models: their real classes where they are installed, else their call shapes."""

from __future__ import annotations

import copy
import gc
import pickle
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixtrim.errors import InputError, MissingExtraError, UsageError
from pixtrim.evaluation.harnesses import Front, lmms_eval, vlmevalkit
from pixtrim.tokens import resolve

MODEL = "qwen3-vl"
RULE = resolve(MODEL)

needs_lmms_eval = pytest.mark.skipif(find_spec("lmms_eval") is None, reason="lmms-eval is not installed")
needs_vlmevalkit = pytest.mark.skipif(find_spec("vlmeval") is None, reason="VLMEvalKit is not installed")


def picture(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height)).convert(mode)


def size_of(file: str) -> tuple[int, int]:
    with Image.open(file) as found:
        return found.size


# The front


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK"])
def test_pictures_are_reduced_to_the_budget(mode: str) -> None:
    front = Front(MODEL, "50%", "resize")
    reduced = front.picture(picture(mode=mode))
    assert reduced.mode == "RGB"
    assert RULE.count(*reduced.size) <= RULE.count(640, 480) / 2
    assert (front.pictures, front.tokens_before, front.tokens_after) == (1, 300, RULE.count(*reduced.size))


@pytest.mark.parametrize("budget", [300, 5000, "100%"])
def test_pictures_within_the_budget_stay_what_they_are(budget: Any) -> None:
    given, front = picture(mode="RGBA"), Front(MODEL, budget)
    assert front.picture(given) is given
    assert (front.pictures, front.tokens_before, front.tokens_after) == (1, 300, 300)


def test_every_registered_operator_can_be_named() -> None:
    page = Image.new("RGB", (640, 960), "white")
    page.paste(picture(640, 100), (0, 0))
    folded = Front(MODEL, 150, "fold").picture(page)
    assert folded.size[1] / folded.size[0] < 1.2  # most of the white is gone
    with pytest.raises(UsageError, match="operator is 'crop': choose one of resize"):
        Front(MODEL, 150, "crop")


@pytest.mark.parametrize(("model", "budget"), [("no-such-model", "50%"), (MODEL, "fit"), (MODEL, 0), (MODEL, "half")])
def test_fronts_that_are_none(model: str, budget: Any) -> None:
    with pytest.raises(UsageError):
        Front(model, budget)


def test_pictures_are_found_within_values() -> None:
    front, given = Front(MODEL, "50%", "resize"), picture()
    value = {
        "role": "user",
        "content": [{"type": "image", "url": given}, {"type": "text", "text": "What?"}],
        "n": (given,),
    }
    before = copy.copy(value)
    within = front.within(value)
    assert within["content"][0]["url"].size == within["n"][0].size == front.picture(given).size
    assert within["content"][1] == {"type": "text", "text": "What?"}
    assert value == before
    assert value["content"][0]["url"] is given
    for other in (None, "video.mp4", 7, b"", {"text": ["a", "b"]}, [], ()):
        assert front.within(other) == other


def test_fronts_travel_and_count_in_threads() -> None:
    front = pickle.loads(pickle.dumps(Front(MODEL, "50%", "resize")))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(front.picture, [picture()] * 12))
    assert (front.pictures, front.tokens_before) == (12, 3600)
    assert str(front).startswith(f"resize for {MODEL} at 50%: 12 pictures, 3600 -> ")


# lmms-eval


@dataclass
class Request:
    """What lmms-eval hands to models, as `lmms_eval.api.instance.Instance` is shaped."""

    arguments: tuple[Any, ...]
    resps: list[str] = field(default_factory=list)

    @property
    def args(self) -> tuple[Any, ...]:
        return self.arguments


DOC = {"image": picture(), "question": "What?"}


def doc_to_visual(doc: dict[str, Any]) -> list[Image.Image]:
    return [doc["image"]]


def doc_to_messages(doc: dict[str, Any], lmms_eval_specific_kwargs: Any = None) -> list[dict[str, Any]]:
    content = [{"type": "image", "url": doc["image"]}, {"type": "video", "url": "clip.mp4"}]
    return [{"role": "user", "content": [*content, {"type": "text", "text": doc["question"]}]}]


def doc_to_round(doc: dict[str, Any], round_idx: int = 0) -> tuple[Any, ...]:
    return [doc["image"]], f"round {round_idx}", False, ["earlier"], None


def test_copies_of_requests_fetch_reduced_pictures() -> None:
    front = Front(MODEL, "50%", "resize")
    size = front.picture(DOC["image"]).size
    simple = Request(("What?", {"until": ["\n"]}, doc_to_visual, 3, "task", "test"))
    chat = Request(("", doc_to_messages, {"until": ["\n"]}, 3, "task", "test"))
    rounds = Request(("What?", {}, doc_to_visual, partial(doc_to_round, round_idx=2), 3, "task", "test"))
    copies = lmms_eval.reduced_requests([simple, chat, rounds], front)
    assert copies[0].args[2](DOC)[0].size == size
    (message,) = copies[1].args[1](DOC, lmms_eval_specific_kwargs={})
    assert [part["type"] for part in message["content"]] == ["image", "video", "text"]
    assert message["content"][0]["url"].size == size
    assert message["content"][1]["url"] == "clip.mp4"
    visuals, *rest = copies[2].args[3](DOC)
    assert visuals[0].size == size
    assert rest == ["round 2", False, ["earlier"], None]
    for original, changed in zip((simple, chat, rounds), copies, strict=True):
        same = [a == b for a, b in zip(original.args, changed.args, strict=True) if not callable(a)]
        assert all(same)
        assert changed.resps is original.resps
    assert simple.arguments[2] is doc_to_visual
    assert doc_to_visual(DOC)[0].size == (640, 480)


@pytest.mark.skipif(find_spec("lmms_eval") is not None, reason="lmms-eval is installed")
def test_lmms_eval_is_asked_for_where_it_is_missing() -> None:
    for use in (lmms_eval.manifest, lambda: lmms_eval.Pixtrim):
        with pytest.raises(MissingExtraError, match="pip install lmms-eval"):
            use()


def test_pixtrim_is_announced_to_lmms_eval(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["lmms_eval.models"] == {
        "pixtrim": f"{lmms_eval.__name__}:{lmms_eval.manifest.__name__}"
    }


LOOKING = """
from lmms_eval.api.model import lmms

class Looking(lmms):
    is_simple = {simple}
    seen = []

    def __init__(self, answer="", batch_size=0, **kwargs):
        super().__init__()
        self.answer, self.batch_size = answer, batch_size

    def generate_until(self, requests):
        for request in requests:
            if self.is_simple:
                _, _, fetch, doc_id, task, split = request.args
            else:
                _, fetch, _, doc_id, task, split = request.args
            self.seen.append(fetch(self.task_dict[task][split][doc_id]))
        return [self.answer] * len(requests)

    def loglikelihood(self, requests):
        return []

    def generate_until_multi_round(self, requests):
        return self.generate_until(requests)
"""


@needs_lmms_eval
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("simple", [True, False])
def test_in_front_of_a_model_of_lmms_eval(simple: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmms_eval.api.instance import Instance
    from lmms_eval.api.model import lmms
    from lmms_eval.models import MODEL_REGISTRY_V2, get_model
    from lmms_eval.models.registry_v2 import ModelManifest

    name = f"looking_{simple}".lower()
    (tmp_path / f"{name}.py").write_text(LOOKING.format(simple=simple), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    where = {"simple_class_path" if simple else "chat_class_path": f"{name}.Looking"}
    MODEL_REGISTRY_V2.register_manifest(ModelManifest(name, **where))
    kind = get_model("pixtrim")
    assert issubclass(kind, lmms)
    arguments = f"pixtrim_inner={name},pixtrim_model={MODEL},pixtrim_budget=50%,pixtrim_operator=resize,answer=seven"
    model = kind.create_from_arg_string(arguments, {"batch_size": 1, "device": None})
    assert isinstance(model, lmms)
    assert model.is_simple == simple
    model.task_dict["task"] = {"test": [DOC]}
    fetch = doc_to_visual if simple else doc_to_messages
    parts = ("What?", {}, fetch) if simple else ("What?", fetch, {})
    metadata = {"task": "task", "doc_id": 0, "repeats": 1}
    request = Instance("generate_until", (*parts, 0, "task", "test"), 0, metadata)
    assert model.generate_until([request]) == ["seven"]
    assert fetch in request.arguments
    seen = model.seen[0][0] if simple else model.seen[0][0]["content"][0]["url"]
    assert seen.size == Front(MODEL, "50%", "resize").picture(DOC["image"]).size
    assert (model.rank, model.world_size, model.batch_size) == (0, 1, 1)
    model._rank = 3
    assert model.rank == 3
    assert not hasattr(model, "accelerator")
    model.clean()
    with pytest.raises(UsageError, match="pixtrim_model is missing"):
        kind.create_from_arg_string(f"pixtrim_inner={name}", {})


# VLMEvalKit


class ModelShape:
    """A model as VLMEvalKit uses one, where it is not installed: the methods of its BaseModel that a front meets."""

    is_api = False

    def preproc_content(self, inputs: Any) -> list[dict[str, Any]] | None:
        if isinstance(inputs, str):
            return [{"type": "text", "value": inputs}]
        if isinstance(inputs, dict):
            return [inputs]
        if all(isinstance(part, str) for part in inputs):
            return [{"type": "image" if part.endswith((".png", ".jpg")) else "text", "value": part} for part in inputs]
        return inputs if all(isinstance(part, dict) for part in inputs) else None

    def generate(self, message: Any, dataset: str | None = None) -> str:
        return self.generate_inner(self.preproc_content(message), dataset)

    def chat(self, messages: list[dict[str, Any]], dataset: str | None = None) -> str:
        return self.generate_inner(
            [part for turn in messages for part in self.preproc_content(turn["content"])], dataset
        )


def bases() -> list[Any]:
    shape = pytest.param(lambda: ModelShape, id="call shape")
    local = pytest.param(
        lambda: __import__("vlmeval.vlm.base", fromlist=["BaseModel"]).BaseModel, id="BaseModel", marks=needs_vlmevalkit
    )
    remote = pytest.param(
        lambda: __import__("vlmeval.api.base", fromlist=["BaseAPI"]).BaseAPI, id="BaseAPI", marks=needs_vlmevalkit
    )
    return [shape, local, remote]


def model_of(base: Any) -> Any:
    """A model that tells what it was given: the types of parts, and the sizes of pictures."""

    class Telling(base):  # type: ignore[misc]
        is_api = base.__name__ == "BaseAPI"

        def told(self, message: list[dict[str, Any]]) -> str:
            sizes = {part["value"]: size_of(part["value"]) for part in message if part["type"] == "image"}
            return "; ".join(f"{part['type']} {sizes.get(part['value'], part['value'])}" for part in message)

        def generate_inner(self, message: Any, dataset: str | None = None, **options: Any) -> Any:
            return (0, self.told(message), "") if self.is_api else self.told(message)

        def chat_inner(self, messages: Any, dataset: str | None = None, **options: Any) -> Any:
            told = self.told([part for turn in messages for part in turn["content"]])
            return (0, told, "") if self.is_api else told

        def use_custom_prompt(self, dataset: str) -> bool:
            return dataset == "DocVQA"

    return Telling()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "photo.jpg"
    picture().save(path)
    return str(path)


@pytest.mark.parametrize("base", bases())
@pytest.mark.filterwarnings("default")
def test_in_front_of_a_model_of_vlmevalkit(base: Callable[[], Any], file: str) -> None:
    front = Front(MODEL, "50%", "resize")
    model = vlmevalkit.Fronted(model_of(base()), front)
    size = front.picture(picture()).size
    message = [{"type": "image", "value": file}, {"type": "text", "value": "What?"}]
    before = copy.deepcopy(message)
    expected = f"image {size}; text What?"
    assert model.generate(message=message, dataset="DocVQA") == expected
    assert model.generate([file, "What?"], dataset="DocVQA") == expected
    assert model.generate("What?") == "text What?"
    assert model.chat([{"role": "user", "content": [file, "What?"]}]) == expected
    assert message == before
    assert model.use_custom_prompt("DocVQA")
    assert not hasattr(model, "no_such_thing")
    assert size_of(file) == (640, 480)


def test_a_reduced_picture_is_made_once(file: str, tmp_path: Path) -> None:
    front = Front(MODEL, "50%", "resize")
    model = vlmevalkit.Fronted(model_of(ModelShape), front, tmp_path / "reduced")
    for _ in range(3):
        model.generate([file])
    assert front.pictures == 1
    assert len(list((tmp_path / "reduced").iterdir())) == 1
    other = vlmevalkit.Fronted(model_of(ModelShape), Front(MODEL, "60%", "resize"), tmp_path / "reduced")
    assert other.generate([file]) != model.generate([file])


def test_a_picture_within_the_budget_keeps_its_file(file: str) -> None:
    model = vlmevalkit.Fronted(model_of(ModelShape), Front(MODEL, 1000))
    assert model._reduced([{"type": "image", "value": file}]) == [{"type": "image", "value": file}]


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    model = vlmevalkit.Fronted(model_of(ModelShape), Front(MODEL))
    with pytest.raises(InputError, match=r"absent\.png: cannot be read"):
        model.generate([{"type": "image", "value": str(tmp_path / "absent.png")}])


def test_reduced_pictures_go_away_with_the_model(file: str) -> None:
    model = vlmevalkit.Fronted(model_of(ModelShape), Front(MODEL))
    model.generate([file])
    folder = model.folder
    assert len(list(folder.iterdir())) == 1
    del model
    gc.collect()
    assert not folder.exists()


def test_models_are_added_beside_those_that_there_are(file: str) -> None:
    def make(answer: str, retry: int = 1) -> Any:
        model = model_of(ModelShape)
        model.answer, model.retry = answer, retry
        return model

    models = {"partial": partial(make, "yes", retry=10), "class": lambda **options: make("no", **options)}
    before = dict(models)
    front = Front(MODEL, "50%", "resize")
    assert vlmevalkit.add(models, front) == ["partial-pixtrim", "class-pixtrim"]
    assert vlmevalkit.add(models, front) == []
    assert {name: models[name] for name in before} == before
    models["partial-pixtrim"].keywords["retry"] = 3  # as run.py does from its command line
    made = models["partial-pixtrim"]()
    assert (made.answer, made.retry) == ("yes", 3)
    assert models["partial-pixtrim"].func.__module__ == make.__module__
    assert made.generate([file]) == f"image {front.picture(picture()).size}"
    assert models["class-pixtrim"](retry=4).retry == 4
    assert models["partial"].keywords["retry"] == 10
