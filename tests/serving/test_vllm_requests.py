"""Policies of engines and requests, what caches make of them, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine import Reference, Said, ask, asked, differ, request, saved, started
from pictures import page

NOISE = np.random.default_rng(3).integers(0, 256, (150, 200, 3), np.uint8)
POLICIES = ["off", {}, {"threshold": 40}, {"selector": "raster"}, {"threshold": 40, "metric": "mae"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("qwen3_vl", tmp_path_factory.mktemp("qwen3_vl") / "model")


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder, "float32")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Any]:
    with started(folder, hf_overrides={"pixtrim": {"threshold": 0}}) as found:
        yield found


def transformers_says(reference: Reference, images: list[Any], policy: Any) -> Said:
    return reference(*images) if policy == "off" or not images else reference(*images, **{"threshold": 0, **policy})


def same(ours: Said, theirs: Said) -> bool:
    return (ours.prompt, ours.tokens) == (theirs.prompt, theirs.tokens) and differ(ours, theirs) < 1e-3


def test_policies_of_one_picture_never_meet_in_a_cache(engine: Any, reference: Reference) -> None:
    picture = page(seed=5)
    prompt = reference.prompt(picture)
    expected = [transformers_says(reference, [picture], policy) for policy in POLICIES]
    assert len({said.prompt for said in expected}) > 2
    for names in (None, {"image": ["one name for all policies"]}):
        fields = {} if names is None else {"multi_modal_uuids": names}
        for _ in range(2):  # the second time all of it is cached
            for policy, theirs in zip(POLICIES, expected, strict=True):
                assert same(ask(engine, prompt, picture, policy=policy, **fields), theirs), policy


def test_cached_and_uncached_answers_are_equal(engine: Any, reference: Reference) -> None:
    prompt = reference.prompt(page(seed=6))
    first = ask(engine, prompt, page(seed=6))
    cached = ask(engine, prompt, page(seed=6))
    assert engine.reset_prefix_cache()
    engine.reset_mm_cache()
    assert first.tokens == cached.tokens == ask(engine, prompt, page(seed=6)).tokens


def test_many_requests_of_all_kinds_at_once(engine: Any, reference: Reference) -> None:
    kinds = [
        ([], "off"),
        ([page(seed=7)], {}),
        ([page(seed=7), NOISE], {"threshold": 40}),
        ([page(seed=8)], "off"),
        ([NOISE, page(300, 200), page(seed=7)], {}),
    ]
    expected = [transformers_says(reference, images, policy) for images, policy in kinds]
    requests = [request(reference.prompt(*images), images, policy if images else None) for images, policy in kinds]
    answers = asked(engine, requests * 10)
    assert len(answers) == 50
    for ours, theirs in zip(answers, expected * 10, strict=True):
        assert (ours.prompt, ours.tokens) == (theirs.prompt, theirs.tokens)


def test_memory_is_measured_with_pictures_of_which_all_is_kept(engine: Any) -> None:
    from vllm.multimodal import MULTIMODAL_REGISTRY

    processor = MULTIMODAL_REGISTRY.create_processor(engine.model_config)
    found = processor.get_dummy_mm_inputs({"image": 2})
    most = processor.info.get_mm_max_tokens_per_item(2048, {"image": 2})["image"]
    assert [place.length for place in found["mm_placeholders"]["image"]] == [most, most]
    assert all(item["image_keep"].data.all() for item in found["mm_kwargs"]["image"])


def test_what_a_request_asks_in_vain(engine: Any, reference: Reference) -> None:
    prompt = reference.prompt(page())
    for policy, message in (
        ("on", 'give settings, such as {"threshold": 0}, or "off"'),
        ({"treshold": 1}, "unknown setting 'treshold' .* choose from threshold, selector"),
        ({"threshold": 256}, "threshold is 256"),
        ({"selector": "best"}, "best"),
    ):
        with pytest.raises(ValueError, match=message):
            ask(engine, prompt, page(), policy=policy)
    assert same(ask(engine, prompt, page()), reference(page(), threshold=0))


# What follows starts engines of its own, after which the one above is no more.


def test_pictures_that_the_processor_normalises(folder: Path, reference: Reference) -> None:
    prompt = reference.prompt(page(), NOISE)
    with started(folder, hf_overrides={"pixtrim": {}}, mm_device_do_normalize=False) as engine:
        for policy in POLICIES:
            theirs = transformers_says(reference, [page(), NOISE], policy)
            assert same(ask(engine, prompt, page(), NOISE, policy=policy), theirs), policy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hf_overrides": {"pixtrim": {"threshold": -1}}}, "threshold is -1"),
        ({"hf_overrides": {"pixtrim": True}}, "pixtrim is True in hf_overrides"),
        ({"mm_encoder_tp_mode": "data"}, "--mm-encoder-tp-mode weights"),
        ({"video_pruning_rate": 0.5}, "video_pruning_rate is 0.5"),
        ({"mm_processor_kwargs": {"pixtrim": {}}}, "give it as --hf-overrides"),
        ({"compilation_config": {"cudagraph_mm_encoder": True}}, "cudagraph_mm_encoder is on"),
    ],
)
def test_engines_that_do_not_start(folder: Path, settings: dict[str, Any], message: str) -> None:
    with (
        pytest.raises(Exception, match=message),
        started(folder, **{"hf_overrides": {"pixtrim": {}}, **settings}),
    ):
        pass


STOCK = """
import conftest, json, sys
from dataclasses import asdict
from pathlib import Path
from engine import asked, request, started
import numpy as np

prompts, pixels = json.loads(Path(sys.argv[2]).read_text()), np.load(sys.argv[3])
with started(Path(sys.argv[1])) as engine:
    said = asked(engine, [request(prompts[0], [pixels]), request(prompts[1], [])])
print("said", json.dumps([asdict(one) for one in said]))
"""


def test_without_a_policy_the_engine_is_the_stock_one(folder: Path, reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text(json.dumps([reference.prompt(page()), reference.prompt()]))
    np.save(tmp_path / "page.npy", page())
    arguments = [str(folder), str(tmp_path / "prompts.json"), str(tmp_path / "page.npy")]
    found = subprocess.run(
        [sys.executable, "-c", STOCK, *arguments],
        env={**os.environ, "VLLM_PLUGINS": "", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    lines = [line for line in found.stdout.splitlines() if line.startswith("said ")]
    assert lines, found.stderr
    stock = json.loads(lines[0].removeprefix("said "))
    with started(folder) as engine:
        ours = asked(engine, [request(reference.prompt(page()), [page()]), request(reference.prompt(), [])])
        with pytest.raises(ValueError, match="the engine was started without it: start it with --hf-overrides"):
            ask(engine, reference.prompt(page()), page(), policy={"threshold": 4})
    assert json.loads(json.dumps([asdict(one) for one in ours])) == stock
