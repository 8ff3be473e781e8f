"""Pictures on their way into an engine: which of their tokens are kept, and what is left of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vllm.multimodal.hasher import MultiModalHasher
from vllm.multimodal.inputs import MultiModalFieldConfig

from pixtrim.engines.families import family_of
from pixtrim.engines.pixels import frames_of, layout_of, strips
from pixtrim.engines.vllm.policy import Policy, engine_policy, split_kwargs
from pixtrim.grid import PatchGrid

__all__ = ["KEEP", "PruningProcessor"]

KEEP = "image_keep"
"""The field of a picture that says which of its tokens are kept: bool (tokens,), in the order of its placeholders."""

RAW = {"do_rescale": False, "do_normalize": False}


class PruningProcessor:
    """Mixed into a processor of vLLM: images lose the patches of tokens that a policy drops, and keep their full grid.

    With an engine that has no policy it does what the other class does.
    """

    info: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._enabled, self._policy = engine_policy(self.info.get_hf_config())
        self._family = family_of(self.info.get_hf_config().model_type)

    def _split(self, kwargs: Mapping[str, Any]) -> tuple[Policy, dict[str, Any]]:
        return split_kwargs(self._enabled, self._policy, kwargs)

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
        policy, rest = self._split(hf_kwargs)
        if policy is None:
            return super()._apply_hf_processor_main(mm_items, rest)  # type: ignore[misc]
        scoped = {**rest.get("images_kwargs", {}), **RAW}
        found = super()._apply_hf_processor_main(mm_items, {**rest, "images_kwargs": scoped})  # type: ignore[misc]
        if "pixel_values" in found:
            part = self.info.get_image_processor(**rest)
            found["pixel_values"], found[KEEP] = self._pruned(
                found["pixel_values"], found["image_grid_thw"], part, policy
            )
        return found

    def _pruned(self, values: Tensor, grids: Tensor, part: Any, policy: Any) -> tuple[Tensor, Tensor]:
        """Return the patches of kept tokens, as the model expects them, and the flags of all tokens."""
        raw = values.to(torch.uint8)
        tokens, layouts, rows, keeps = [], [], [], []
        sizes = grids.prod(-1).tolist()
        for number, (patches, thw) in enumerate(zip(raw.split(sizes), grids.tolist(), strict=True)):
            grid = PatchGrid.from_thw(
                thw, patch_size=part.patch_size, spatial_merge_size=part.merge_size, order=self._family.order
            )
            frame = frames_of(patches, grid)[0]
            plan = policy.plans(grid, frame)[1]
            keeps.append(torch.from_numpy(plan.keep.ravel().copy()))
            rows.append(plan.patch_indices + sum(sizes[:number]))
            tokens.append(plan.take(frame))
            layouts.append(layout_of(grid, plan.keep))
        if self.info.ctx.get_mm_config().mm_device_do_normalize:
            kept = raw[torch.from_numpy(np.concatenate(rows))]  # the model normalises them
        else:
            kept = strips(tokens, layouts, part).to(self.info.ctx.model_config.dtype)
        return kept, torch.cat(keeps)

    def _get_mm_fields_config(
        self, hf_inputs: Mapping[str, Any], hf_processor_mm_kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        _, rest = self._split(hf_processor_mm_kwargs)
        fields = dict(super()._get_mm_fields_config(hf_inputs, rest))  # type: ignore[misc]
        if KEEP in hf_inputs:
            merge = self.info.get_hf_config().vision_config.spatial_merge_size
            tokens = hf_inputs["image_grid_thw"].prod(-1) // merge**2
            kept = torch.stack([keep.sum() for keep in hf_inputs[KEEP].split(tokens.tolist())])
            fields["pixel_values"] = MultiModalFieldConfig.flat_from_sizes("image", kept * merge**2)
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
                item = out_mm_kwargs["image"][number]
                if KEEP not in item:
                    return update.replacement(number)
                return [update.target[0]] * int(item[KEEP].data.sum())

            return replace(update, replacement=content)

        return [shorter(update) if update.modality == "image" else update for update in updates]
