"""The model's side: the vision encoder is given kept tokens alone, and the language model the places that they had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vllm.model_executor.layers.attention.mm_encoder_attention import MMEncoderAttention

from pixtrim.engines.vllm.policy import check_engine, engine_policy
from pixtrim.engines.vllm.processor import KEEP
from pixtrim.engines.windows import kept_windows
from pixtrim.errors import UsageError

__all__ = ["PruningModel", "PruningQwen2", "PruningQwen25"]

PLACES = ("pos_embeds", "rotary_pos_emb_cos", "rotary_pos_emb_sin")
Grids = Sequence[Sequence[int]]


class PruningModel:
    """Mixed into a model of vLLM: where pictures say which of their tokens are kept, it encodes these alone.

    vLLM's encoders take all that depends on a token's place as ``encoder_metadata``. It is computed for the full grids
    by the encoder's own method, and of that the rows of kept tokens are given to the encoder.
    """

    visual: Any

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        if engine_policy(vllm_config.model_config.hf_config)[0]:
            check_engine(vllm_config.model_config.multimodal_config)
            if vllm_config.compilation_config.cudagraph_mm_encoder:
                raise UsageError(
                    "cudagraph_mm_encoder is on, whose graphs are made for full grids: with pixtrim, start without it"
                )
        super().__init__(vllm_config=vllm_config, prefix=prefix)  # type: ignore[call-arg]

    def _parse_and_validate_image_input(self, **kwargs: Any) -> Any:
        keep = kwargs.pop(KEEP, None)
        images = super()._parse_and_validate_image_input(**kwargs)  # type: ignore[misc]
        if keep is not None:
            setattr(images, KEEP, keep)
        return images

    def _process_image_input(self, image_input: Any) -> tuple[Tensor, ...]:
        keep = image_input.get(KEEP)
        if keep is None:
            whole: tuple[Tensor, ...] = super()._process_image_input(image_input)  # type: ignore[misc]
            return whole
        grids = image_input["image_grid_thw"].tolist()
        unit = self.visual.spatial_merge_size**2
        counts = [int(part.sum()) for part in keep.split([h * w // unit for _, h, w in grids])]
        bounds = np.cumsum([0, *counts], dtype=np.int32) * unit
        metadata = self._kept_metadata(grids, keep, bounds)
        features = self.visual(image_input["pixel_values"], grids, encoder_metadata=metadata)
        parts: tuple[Tensor, ...] = features.split(counts)
        return parts

    def _kept_metadata(self, grids: Grids, keep: Tensor, bounds: NDArray[np.int32]) -> dict[str, Any]:
        """Compute the encoder's metadata for kept tokens.

        Parameters
        ----------
        grids : sequence of (int, int, int)
            Of the whole pictures.
        keep : Tensor
            bool: a flag for each token of each picture.
        bounds : ndarray
            int32: where the kept patches of each picture begin and end.
        """
        full = self.visual.prepare_encoder_metadata(grids)
        rows = rows_of(keep, self.visual)
        return {**full, **{name: full[name][rows] for name in PLACES}, **sequences(self.visual, bounds)}

    def get_mrope_input_positions(self, input_tokens: list[int], mm_features: Sequence[Any]) -> tuple[Tensor, int]:
        """Number the places of the whole prompt, and leave out those of dropped tokens."""
        tokens: list[int] = []
        kept: list[bool] = []
        features, done = [], 0
        for feature in sorted(mm_features, key=lambda feature: feature.mm_position.offset):
            place = feature.mm_position
            tokens += input_tokens[done : place.offset]
            kept += [True] * (place.offset - done)
            done = place.offset + place.length
            if feature.data is not None and KEEP in feature.data:
                flags = feature.data[KEEP].data.tolist()
                whole = replace(place, offset=len(tokens), length=len(flags))
                tokens += [input_tokens[place.offset]] * len(flags)
            else:
                flags = [True] * place.length
                whole = replace(place, offset=len(tokens))
                tokens += input_tokens[place.offset : done]
            kept += flags
            features.append(replace(feature, mm_position=whole))
        tokens += input_tokens[done:]
        kept += [True] * (len(input_tokens) - done)
        positions, delta = super().get_mrope_input_positions(tokens, features)  # type: ignore[misc]
        return positions[:, torch.tensor(kept)], delta + len(tokens) - len(input_tokens)


class PruningQwen2(PruningModel):
    """For Qwen2-VL, whose encoder takes bounds as they are."""

    def _kept_metadata(self, grids: Grids, keep: Tensor, bounds: NDArray[np.int32]) -> dict[str, Any]:
        full = self.visual.prepare_encoder_metadata(grids)
        rows, ends = rows_of(keep, self.visual), torch.from_numpy(bounds)
        return {
            **{name: full[name][rows] for name in PLACES if name in full},
            "cu_seqlens": ends.to(self.visual.device),
            "max_seqlen": self.visual.compute_attn_mask_seqlen(ends),
        }


class PruningQwen25(PruningModel):
    """For Qwen2.5-VL, whose encoder lists tokens window by window."""

    def _kept_metadata(self, grids: Grids, keep: Tensor, bounds: NDArray[np.int32]) -> dict[str, Any]:
        visual, unit = self.visual, self.visual.spatial_merge_unit
        cos, sin, ends = [], [], [torch.zeros(1, dtype=torch.int32)]
        index: list[Tensor] = []
        for grid in grids:
            tokens, patches = sum(len(part) for part in index), int(ends[-1][-1])
            cos_part, sin_part, index_part, ends_part, _ = visual.get_rope_by_thw(*grid)
            cos.append(cos_part)
            sin.append(sin_part)
            index.append(index_part + tokens)
            ends.append(ends_part + patches)
        order = torch.cat(index)
        window_index, window_bounds = kept_windows(order, torch.cat(ends), keep, unit)
        rows = rows_of(keep[order], visual)
        return {
            "rotary_pos_emb_cos": torch.cat(cos)[rows],
            "rotary_pos_emb_sin": torch.cat(sin)[rows],
            "window_index": window_index.to(visual.device),
            "reverse_indices": visual.invert_permutation(window_index).to(visual.device),
            **renamed(sequences(visual, bounds), "full", "cu_seqlens"),
            **renamed(sequences(visual, window_bounds.numpy()), "window", "cu_window_seqlens"),
        }


def rows_of(keep: Tensor, visual: Any) -> Tensor:
    """Return the patches of kept tokens, where a token's patches follow one another."""
    unit = visual.spatial_merge_size**2
    return (keep.nonzero() * unit + torch.arange(unit)).ravel().to(visual.device)


def sequences(visual: Any, bounds: NDArray[np.int32]) -> dict[str, Any]:
    """Describe sequences of patches, each of which attends to itself, as the encoder's attention wants it."""
    backend, device = visual.attn_backend, visual.device
    padded = getattr(visual, "fp8_padded_hidden_size", None)
    return {
        "sequence_lengths": MMEncoderAttention.maybe_compute_seq_lens(backend, bounds, device),
        "max_seqlen": torch.tensor(MMEncoderAttention.compute_max_seqlen(backend, bounds), dtype=torch.int32),
        "cu_seqlens": MMEncoderAttention.maybe_recompute_cu_seqlens(
            backend, bounds, visual.hidden_size, visual.tp_size, device, fp8_padded_hidden_size=padded
        ),
    }


def renamed(described: dict[str, Any], kind: str, bounds: str) -> dict[str, Any]:
    """Name what `sequences` returns as Qwen2.5-VL does, which has two kinds of them."""
    return {
        f"sequence_lengths_{kind}": described["sequence_lengths"],
        f"max_seqlen_{kind}": described["max_seqlen"],
        bounds: described["cu_seqlens"],
    }
