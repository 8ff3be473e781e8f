"""Every family in vLLM against the transformers engine, and keep-all against the stock model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from engine import Reference, ask, differ, saved, started
from pictures import page

FAMILIES = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "glm4v", "glm4v_moe"]
NOISE = np.random.default_rng(3).integers(0, 256, (150, 200, 3), np.uint8)


@pytest.fixture(scope="module", params=FAMILIES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Reference]]:
    family = request.param
    dtype = "bfloat16" if "3_5" in family else "float32"
    folder = saved(family, tmp_path_factory.mktemp(family) / "model")
    with started(folder, dtype, hf_overrides={"pixtrim": {"threshold": 0}}) as engine:
        yield engine, Reference(folder, dtype)


@pytest.mark.parametrize("threshold", [0, 40])
@pytest.mark.parametrize("images", [[page()], [page(seed=1), NOISE, page(300, 200, seed=2)]], ids=["one", "three"])
def test_what_is_said_equals_the_transformers_engine(both: Any, images: list[Any], threshold: float) -> None:
    engine, reference = both
    theirs = reference(*images, threshold=threshold)
    ours = ask(engine, reference.prompt(*images), *images, policy={"threshold": threshold})
    assert theirs.prompt == ours.prompt < reference(*images).prompt
    exact = reference.model.dtype == torch.float32
    assert differ(ours, theirs) < (1e-3 if exact else 0.1)
    if exact:  # else two ways to round lead to other tokens, with the stock model as well
        assert ours.tokens == theirs.tokens


def test_nothing_pruned_equals_the_stock_model(both: Any) -> None:
    engine, reference = both
    prompt, theirs = reference.prompt(page(), NOISE), reference(page(), NOISE)
    off = ask(engine, prompt, page(), NOISE, policy="off")
    everything = ask(engine, prompt, page(), NOISE, policy={"selector": "keep_everything"})
    assert off == everything
    assert off.prompt == theirs.prompt
    assert differ(off, theirs) < (1e-3 if reference.model.dtype == torch.float32 else 0.1)
