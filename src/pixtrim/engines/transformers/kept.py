"""What is left of a prompt: the patches of the kept tokens, and the places of the text and the kept placeholders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixtrim.engines import mrope
from pixtrim.engines.pixels import layout_of, strips
from pixtrim.engines.transformers.choice import Chosen
from pixtrim.engines.transformers.prompt import PARTS, Picture, Prompt

__all__ = ["kept_fields", "kept_patches", "pad_id"]


def kept_patches(pictures: Sequence[Picture], chosen: Sequence[Chosen], processor: Any) -> Tensor:
    """Let the processor make the patches of the tokens of plans, for pictures of one modality."""
    modality = chosen[0].modality
    tokens = [found.take(picture) for picture, found in zip(pictures, chosen, strict=True)]
    layouts = [layout_of(found.grid, found.keep) for found in chosen]
    depth = chosen[0].grid.temporal_patch_size if modality == "video" else 1
    return strips(tokens, layouts, getattr(processor, PARTS[modality]), depth)


def kept_fields(
    prompt: Prompt, chosen: Sequence[Chosen], get_rope_index: Callable[..., Any], padding: int
) -> dict[str, Tensor]:
    """Leave out the placeholders of tokens that are not kept; the others keep the positions that they had.

    Parameters
    ----------
    prompt : Prompt
        With all of its placeholders.
    chosen : sequence of Chosen
        What is kept of its pictures.
    get_rope_index : callable
        The model's own, which numbers positions of the whole prompt.
    padding : int
        The id of padding.

    Returns
    -------
    dict of str to Tensor
        The fields of the prompt, (B, L) each, and ``position_ids`` (3, B, L).
    """
    fields = dict(prompt.fields)
    mask = fields["attention_mask"]
    fields["position_ids"], _ = get_rope_index(
        fields["input_ids"], mm_token_type_ids=fields["mm_token_type_ids"], attention_mask=mask, **prompt.rope
    )
    keep = {
        modality: torch.from_numpy(np.concatenate([c.keep.ravel() for c in chosen if c.modality == modality]))
        for modality in PARTS
        if any(c.modality == modality for c in chosen)
    }
    columns = mrope.kept_columns(fields["mm_token_type_ids"], mask, keep)
    left = bool((mask[:, -1] == 1).all())
    fill = {"input_ids": padding, "labels": -100}
    return mrope.drop_columns(fields, columns, fill, "left" if left else "right")


def pad_id(processor: Any) -> int:
    """Return the id that padding has, 0 where the tokenizer names none."""
    number = processor.tokenizer.pad_token_id
    return 0 if number is None else int(number)
