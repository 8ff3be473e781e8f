"""Models that several processes share by tensor parallelism: each has all kept patches, and a part of the weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from engine import Reference, ask, differ, saved, started
from pictures import page


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="vLLM wants a core for each process")
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "glm4v"])
def test_two_processes_say_what_transformers_says(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0|1")  # else it wants a NUMA node for each
    reference = Reference(saved(family, tmp_path / "model"), "float32")
    picture = page()
    prompt = reference.prompt(picture)
    settings: dict[str, Any] = {"tensor_parallel_size": 2, "distributed_executor_backend": "mp"}
    with started(tmp_path / "model", hf_overrides={"pixtrim": {"threshold": 0}}, **settings) as engine:
        pruned, whole = ask(engine, prompt, picture), ask(engine, prompt, picture, policy="off")
    for ours, theirs in ((pruned, reference(picture, threshold=0)), (whole, reference(picture))):
        assert (ours.prompt, ours.tokens) == (theirs.prompt, theirs.tokens)
        assert differ(ours, theirs) < 1e-4
    assert pruned.prompt < whole.prompt
