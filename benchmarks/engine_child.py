"""Measure the published PixelPrune in an environment of its own, for engine_published.py, which starts it.

They talk in lines of JSON: the first says what to load and is answered with versions; each later one names a page and
is answered with figures. The published code is switched by an environment variable, which it reads in every call.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine_models as qwen
import torch
import transformers

SWITCH = "PIXELPRUNE_ENABLED"
STAGE_ROUNDS = 8


class Published:
    """A stock model of an earlier transformers, with the published code in its classes."""

    def __init__(self, path: str, size: str, depth: float, dtype: str, device: str) -> None:
        sys.path.insert(0, path)
        import pixelprune
        from pixelprune.patches import qwen3_vl_hf

        pixelprune.apply_pixelprune(model="qwen3_vl")
        self.code, self.device = qwen3_vl_hf, device
        self.model = qwen.make_model(size, depth, dtype, device)
        self.processor = qwen.make_processor()
        self.bench = qwen.Bench(self.model)

    def first_token(self, page: Path) -> dict[str, Callable[[], qwen.Record]]:
        """Return the ways to the first token."""
        messages = qwen.question(page)

        def way(switch: str) -> qwen.Record:
            os.environ[SWITCH] = switch
            return self.bench.first_token(lambda: qwen.processed(self.processor, messages).to(self.device))

        return {"full": lambda: way("false"), "pruned": lambda: way("true")}

    def steps(self, page: Path) -> dict[str, Callable[[], qwen.Record]]:
        """Return the ways of a step of training.

        The published classes leave labels as they are, which then do not fit, so the loss is taken of labels that do.
        """
        inputs = qwen.processed(self.processor, qwen.question(page))
        labels = inputs["input_ids"].masked_fill(inputs["input_ids"] == self.model.config.image_token_id, -100)
        kept = torch.ones_like(labels, dtype=torch.bool)
        kept[inputs["input_ids"] == self.model.config.image_token_id] = False
        kept[0, kept[0].logical_not().nonzero()[:, 0][self.selected(inputs)]] = True
        inputs, optimiser = inputs.to(self.device), qwen.tuned(self.model)

        def way(switch: str, labels: torch.Tensor) -> qwen.Record:
            os.environ[SWITCH] = switch

            def loss(model: Any) -> torch.Tensor:
                logits = model(**inputs, use_cache=False).logits
                return model.loss_function(logits=logits, labels=labels, vocab_size=model.config.text_config.vocab_size)

            return self.bench.step(loss, optimiser)

        left = labels[kept][None].to(self.device)
        return {"full": lambda: way("false", labels.to(self.device)), "pruned": lambda: way("true", left)}

    def selected(self, inputs: Any) -> torch.Tensor:
        """Return the tokens that are kept, as its forward pass finds them."""
        levels = self.code.normalize_pixel_values_for_selector(inputs["pixel_values"])
        return self.code.compute_merged_keep_indices(levels, inputs["image_grid_thw"])[0]

    def selector(self, page: Path) -> tuple[qwen.Record, float]:
        """Time its selector, alone, and with what it is given and what is made of it; return the share kept as well."""
        inputs = qwen.processed(self.processor, qwen.question(page)).to(self.device)
        alone, whole = [], []
        for _ in range(STAGE_ROUNDS):
            start = qwen.settled()
            levels = self.code.normalize_pixel_values_for_selector(inputs["pixel_values"])
            begin = qwen.settled()
            found = self.code.compute_merged_keep_indices(levels, inputs["image_grid_thw"])
            end = qwen.settled()
            self.code.merged_indices_to_patch_indices(found, 4, inputs["pixel_values"].device)
            alone.append((end - begin) * 1000)
            whole.append((qwen.settled() - start) * 1000)
        share = len(found[0]) * 4 / int(inputs["image_grid_thw"].prod())
        return {"selector": statistics.median(alone[1:]), "selection": statistics.median(whole[1:])}, share


def measured(published: Published, page: Path, rounds: int, steps: int) -> qwen.Record:
    """Measure a page."""
    spent, share = published.selector(page)
    found = qwen.in_turn(published.first_token(page), rounds)
    full, pruned = found["full"]["total"], found["pruned"]["total"]
    record = {"kept": share, **found, "full / pruned": full / pruned, "stages": spent}
    record |= {"selector share": spent["selector"] / pruned, "selection share": spent["selection"] / pruned}
    if steps:
        published.model.train()
        taken = qwen.in_turn(published.steps(page), steps)
        published.model.eval()
        record["training"] = {**taken, "full / pruned": taken["full"]["total"] / taken["pruned"]["total"]}
    return record


def main() -> None:
    """Answer line by line."""
    settings = json.loads(sys.stdin.readline())
    published = Published(**settings)
    about = {"transformers": transformers.__version__, "torch": torch.__version__}
    print(json.dumps({**about, "numpy": importlib.metadata.version("numpy")}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        print(json.dumps(measured(published, Path(task["page"]), task["rounds"], task["steps"])), flush=True)


if __name__ == "__main__":
    main()
