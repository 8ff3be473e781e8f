"""The model's side: the vision encoder is given kept tokens alone, and the text model the places that they had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vllm.model_executor.layers.attention.mm_encoder_attention import MMEncoderAttention

from pixtrim.engines.vllm.processor import KEEP

__all__ = ["PruningModel"]


class PruningModel:
    """Mixed into a model of vLLM: where pictures say which of their tokens are kept, it encodes these alone."""

    visual: Any

    def _parse_and_validate_image_input(self, **kwargs: Any) -> Any:
        keep = kwargs.pop(KEEP, None)
        images = super()._parse_and_validate_image_input(**kwargs)  # type: ignore[misc]
        if keep is not None:
            setattr(images, KEEP, keep)
        return images

    def _process_image_input(self, image_input: Any) -> tuple[Tensor, ...]:
        keep = image_input.get(KEEP)
        if keep is None:
            return super()._process_image_input(image_input)  # type: ignore[misc,no-any-return]
        grids = image_input["image_grid_thw"].tolist()
        merge = self.visual.spatial_merge_size
        counts = [int(part.sum()) for part in keep.split([h * w // merge**2 for _, h, w in grids])]
        metadata = encoder_metadata(self.visual, grids, keep, counts)
        found = self.visual(image_input["pixel_values"], grids, encoder_metadata=metadata)
        parts: tuple[Tensor, ...] = found.split(counts)
        return parts

    def get_mrope_input_positions(self, input_tokens: list[int], mm_features: Sequence[Any]) -> tuple[Tensor, int]:
        """Number the places of the whole prompt, and leave out those of dropped tokens."""
        tokens: list[int] = []
        columns: list[Tensor] = []
        features, done = [], 0
        for feature in sorted(mm_features, key=lambda feature: feature.mm_position.offset):
            place = feature.mm_position
            shift = len(tokens) - done
            if feature.data is None or KEEP not in feature.data:
                features.append(replace(feature, mm_position=replace(place, offset=place.offset + shift)))
                continue
            keep = feature.data[KEEP].data
            before = input_tokens[done : place.offset]
            tokens += before + [input_tokens[place.offset]] * len(keep)
            columns += [torch.ones(len(before), dtype=torch.bool), keep]
            features.append(replace(feature, mm_position=replace(place, offset=place.offset + shift, length=len(keep))))
            done = place.offset + place.length
        rest = input_tokens[done:]
        kept = torch.cat([*columns, torch.ones(len(rest), dtype=torch.bool)])
        positions, delta = super().get_mrope_input_positions(tokens + rest, features)  # type: ignore[misc]
        return positions[:, kept], delta + len(kept) - int(kept.sum())


def encoder_metadata(visual: Any, grids: list[list[int]], keep: Tensor, counts: list[int]) -> dict[str, Any]:
    """Compute what the encoder knows of places on the full grids, and of that give it the rows of kept tokens."""
    unit = visual.spatial_merge_size**2
    metadata: dict[str, Any] = visual.prepare_encoder_metadata(grids)
    rows = (keep.nonzero() * unit + torch.arange(unit)).ravel().to(visual.device)
    for name in ("pos_embeds", "rotary_pos_emb_cos", "rotary_pos_emb_sin"):
        metadata[name] = metadata[name][rows]
    bounds = np.cumsum([0, *counts], dtype=np.int32) * unit
    backend, device = visual.attn_backend, visual.device
    metadata["sequence_lengths"] = MMEncoderAttention.maybe_compute_seq_lens(backend, bounds, device)
    metadata["max_seqlen"] = torch.tensor(MMEncoderAttention.compute_max_seqlen(backend, bounds), dtype=torch.int32)
    metadata["cu_seqlens"] = MMEncoderAttention.maybe_recompute_cu_seqlens(
        backend,
        bounds,
        visual.hidden_size,
        visual.tp_size,
        device,
        fp8_padded_hidden_size=visual.fp8_padded_hidden_size,
    )
    return metadata
