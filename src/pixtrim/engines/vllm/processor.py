"""Pictures on their way into an engine: which of their tokens are kept, and what is left of prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vllm.multimodal.hasher import MultiModalHasher
from vllm.multimodal.inputs import MultiModalFieldConfig
from vllm.utils.cache import LRUCache

from pixtrim.engines.families import family_of
from pixtrim.engines.pixels import frames_of, layout_of, levels, strips
from pixtrim.engines.vllm.counts import count
from pixtrim.engines.vllm.dummies import WORST
from pixtrim.engines.vllm.policy import Policy, check_engine, engine_policy, split_kwargs
from pixtrim.grid import PatchGrid
from pixtrim.pruning import Settings

__all__ = ["KEEP", "PruningProcessor"]

KEEP = "image_keep"
"""The field of a picture that says which of its tokens are kept: bool (tokens,), in the order of its placeholders."""

RAW = {"do_rescale": False, "do_normalize": False}
REMEMBERED = 65536
"""Pictures whose tokens are remembered, to be counted again when vLLM's cache holds the rest of them."""


class PruningProcessor:
    """Mixed into a processor of vLLM: images lose the patches of tokens that a policy drops, and keep their full grid.

    With an engine that has no policy it does what the other class does.
    """

    info: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config = self.info.get_hf_config()
        self._enabled, self._policy = engine_policy(config)
        if self._enabled:
            check_engine(self.info.ctx.get_mm_config())
            self._order = family_of(config.model_type).order
            self._merge = config.vision_config.spatial_merge_size
            self._tokens: Any = LRUCache(REMEMBERED)

    def _split(self, kwargs: Mapping[str, Any]) -> tuple[Policy, dict[str, Any]]:
        return split_kwargs(self._enabled, self._policy, kwargs)

    # The hooks of vLLM's processors, in the order in which they are called for a request.

    def get_dummy_inputs(self, *args: Any, **kwargs: Any) -> Any:
        """Keep all of the pictures by which memory is measured, see `NoisyDummies`."""
        inputs = super().get_dummy_inputs(*args, **kwargs)  # type: ignore[misc]
        return replace(inputs, hf_processor_mm_kwargs=WORST) if self._enabled else inputs

    def apply(self, inputs: Any, timing_ctx: Any) -> Any:
        """Process a request as vLLM does, and count its tokens."""
        found = super().apply(inputs, timing_ctx)  # type: ignore[misc]
        if self._enabled and inputs.hf_processor_mm_kwargs is not WORST:
            count(self._counts(found))
        return found

    def _get_mm_hashes(self, inputs: Any) -> dict[str, list[str]]:
        """Give each policy hashes of its own, by which all caches tell pictures apart."""
        policy, rest = self._split(inputs.hf_processor_mm_kwargs)
        hashes = dict(super()._get_mm_hashes(replace(inputs, hf_processor_mm_kwargs=rest)))  # type: ignore[misc]
        if policy is not None and "image" in hashes:
            algorithm = self.info.ctx.get_mm_config().mm_hasher_algorithm
            hashes["image"] = [
                MultiModalHasher.hash_kwargs(algorithm, image=value, pixtrim=repr(policy)) for value in hashes["image"]
            ]
        return hashes

    def _apply_hf_processor_main(self, mm_items: Any, hf_kwargs: Mapping[str, Any]) -> Any:
        """Let the processor size pictures without normalising them, and prune what it returns."""
        policy, rest = self._split(hf_kwargs)
        if policy is None:
            return super()._apply_hf_processor_main(mm_items, rest)  # type: ignore[misc]
        raw = {**rest, "images_kwargs": {**rest.get("images_kwargs", {}), **RAW}}
        found = super()._apply_hf_processor_main(mm_items, raw)  # type: ignore[misc]
        if "pixel_values" in found:
            part = self.info.get_image_processor(**rest)
            found["pixel_values"], found[KEEP] = self._pruned(
                found["pixel_values"], found["image_grid_thw"].tolist(), part, policy
            )
        return found

    def _get_mm_fields_config(
        self, hf_inputs: Mapping[str, Any], hf_processor_mm_kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Tell where the patches and flags of one picture end, and the next one's begin."""
        _, rest = self._split(hf_processor_mm_kwargs)
        fields = dict(super()._get_mm_fields_config(hf_inputs, rest))  # type: ignore[misc]
        if KEEP in hf_inputs:
            tokens = hf_inputs["image_grid_thw"].prod(-1) // self._merge**2
            kept = torch.stack([keep.sum() for keep in hf_inputs[KEEP].split(tokens.tolist())])
            fields["pixel_values"] = MultiModalFieldConfig.flat_from_sizes("image", kept * self._merge**2)
            fields[KEEP] = MultiModalFieldConfig.flat_from_sizes("image", tokens, keep_on_cpu=True)
        return fields

    def _get_prompt_updates(
        self, mm_items: Any, hf_processor_mm_kwargs: Mapping[str, Any], out_mm_kwargs: Any
    ) -> Sequence[Any]:
        """Put a placeholder into the prompt for each token that is kept."""
        _, rest = self._split(hf_processor_mm_kwargs)
        updates = super()._get_prompt_updates(mm_items, rest, out_mm_kwargs)  # type: ignore[misc]

        def shorter(update: Any) -> Any:
            def content(number: int) -> Any:
                item, full = out_mm_kwargs["image"][number], update.replacement(number)
                return full[: int(item[KEEP].data.sum())] if KEEP in item else full

            return replace(update, replacement=content)

        return [shorter(update) if update.modality == "image" else update for update in updates]

    def _pruned(
        self, values: Tensor, grids: Sequence[Sequence[int]], part: Any, policy: Settings
    ) -> tuple[Tensor, Tensor]:
        """Return the patches of kept tokens as the model expects them, and the flags of all tokens."""
        raw = levels(values, part, normalised=False)
        sizes = [t * h * w for t, h, w in grids]
        rows, keeps, tokens, layouts = [], [], [], []
        for start, patches, thw in zip(np.cumsum([0, *sizes]), raw.split(sizes), grids, strict=False):
            grid = PatchGrid.from_thw(
                thw, patch_size=part.patch_size, spatial_merge_size=self._merge, order=self._order
            )
            frame = frames_of(patches, grid)[0]
            plan = policy.plans(grid, frame)[1]
            rows.append(plan.patch_indices + start)
            keeps.append(torch.from_numpy(plan.keep.ravel()))
            tokens.append(plan.take(frame))
            layouts.append(layout_of(grid, plan.keep))
        keep = torch.cat(keeps)
        if self.info.ctx.get_mm_config().mm_device_do_normalize:  # the model does that, and expects levels
            return raw[torch.from_numpy(np.concatenate(rows))], keep
        return strips(tokens, layouts, part).to(self.info.ctx.model_config.dtype), keep

    def _counts(self, found: Any) -> Iterator[tuple[int, int]]:
        """Yield the tokens of each picture of a request, and those that are left of it."""
        images = [found.get(name, {}).get("image", []) for name in ("mm_hashes", "mm_kwargs", "mm_placeholders")]
        for name, item, place in zip(*images, strict=True):
            if item is not None:
                self._tokens[name] = len(item[KEEP].data) if KEEP in item else place.length
            tokens = self._tokens.get(name)
            if tokens is not None:
                yield tokens, place.length
