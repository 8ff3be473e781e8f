"""From chosen tokens to a batch: the arguments of a stock model's forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixtrim.engines.mrope import with_text_row
from pixtrim.engines.transformers.choice import Chosen
from pixtrim.engines.transformers.encoder import Geometry
from pixtrim.engines.transformers.kept import kept_fields, kept_patches, pad_id
from pixtrim.engines.transformers.prompt import GRIDS, PARTS, VALUES, Picture, Prompt
from pixtrim.engines.transformers.training.examples import IGNORED
from pixtrim.errors import InputError
from pixtrim.operators.prune import KeepPlan, Tolerance

__all__ = ["batch_of", "everything", "packed"]


def everything(picture: Picture) -> Chosen:
    """Keep all tokens of a picture."""
    slots, grid = picture.grid.grid_thw[0], picture.grid.slot
    own = np.arange(grid.tokens, dtype=np.int32).reshape(grid.grid_h, grid.grid_w)
    none = np.empty((0, 2), np.int32)
    plan = KeepPlan(grid, own, "everything", Tolerance("exact"), anchored=True, bounded=True, offsets=none)
    return Chosen.of(picture, (plan,) * slots)


def batch_of(
    prompt: Prompt,
    chosen: Sequence[Chosen],
    processor: Any,
    geometry: Geometry,
    get_rope_index: Callable[..., Any],
    packing: bool = False,
    max_length: int | None = None,
) -> dict[str, Any]:
    """Make the arguments of a forward.

    Parameters
    ----------
    prompt : Prompt
        From `pixtrim.engines.transformers.training.examples.read_examples`.
    chosen : sequence of Chosen
        What is kept of its pictures.
    processor, geometry, get_rope_index
        Those of the model.
    packing : bool
        Whether examples share rows.
    max_length : int, optional
        The longest row.

    Returns
    -------
    dict of str to Tensor
        ``input_ids``, ``attention_mask``, ``labels`` (B, L) and ``position_ids`` (4, B, L); for each modality its
        patches, the grids that the encoder is told, and the arguments of the encoder under prefixed names, which the
        model itself hands on; where it cannot, the number of kept tokens of each picture, for `attach`.

    Raises
    ------
    InputError
        If an example is longer than a row may be.
    """
    fields = kept_fields(prompt, chosen, get_rope_index, pad_id(processor))
    del fields["mm_token_type_ids"]
    fields["position_ids"] = with_text_row(fields["position_ids"], fields["attention_mask"])
    counts = fields["attention_mask"].sum(1).tolist()
    if max_length is not None and max(counts) > max_length:
        raise InputError(
            f"an example has {max(counts)} tokens with what is kept of its pictures, and max_length is {max_length}: "
            "raise that, or make the pictures smaller"
        )
    batch: dict[str, Any] = packed(fields, max_length, pad_id(processor)) if packing else fields
    for modality in PARTS:
        numbers = [number for number, picture in enumerate(chosen) if picture.modality == modality]
        if not numbers:
            continue
        mine = [chosen[number] for number in numbers]
        grids, keeps = [picture.grid for picture in mine], [picture.keep for picture in mine]
        batch[VALUES[modality]] = kept_patches([prompt.pictures[number] for number in numbers], mine, processor)
        batch[GRIDS[modality]] = geometry.strip_grid(grids, keeps)
        batch |= {f"{modality}_{name}": value for name, value in geometry.arguments(grids, keeps).items()}
        if geometry.family.full_grid:
            batch[f"{modality}_kept"] = torch.tensor([picture.kept for picture in mine])
    return batch


def packed(fields: dict[str, Tensor], max_length: int | None, padding: int) -> dict[str, Any]:
    """Put rows one behind the other.

    Row 0 of the positions starts at 0 for each example: so a model that is given no mask, and makes no cache, tells
    examples apart. Each token that fills a row up is an example of its own, of which nothing is learned.

    Parameters
    ----------
    fields : dict of str to Tensor
        Each (B, L), and ``position_ids`` (4, B, L); the ``attention_mask`` says what is no padding.
    max_length : int or None
        The longest row; None: all examples are in one.
    padding : int
        The id of padding.

    Returns
    -------
    dict
        The same without the mask, and ``use_cache``.

    Examples
    --------
    >>> ids = torch.tensor([[5, 6], [7, 0]])
    >>> places = torch.tensor([[0, 1], [0, 0]]).expand(4, 2, 2)
    >>> fields = {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": ids, "position_ids": places}
    >>> found = packed(fields, None, 0)
    >>> found["input_ids"].tolist(), found["labels"].tolist(), found["position_ids"][0].tolist()
    ([[5, 6, 7]], [[-100, 6, -100]], [[0, 1, 0]])
    """
    there = fields["attention_mask"].bool()
    counts = there.sum(1).tolist()
    rows: list[list[int]] = [[]]
    for number, count in enumerate(counts):
        if max_length is not None and sum(counts[other] for other in rows[-1]) + count > max_length:
            rows.append([])
        rows[-1].append(number)
    used = [sum(counts[number] for number in row) for row in rows]
    fill = {"input_ids": padding, "labels": IGNORED}
    result: dict[str, Any] = {"use_cache": False}
    for name, value in fields.items():
        if name == "attention_mask":
            continue
        laid = value.new_full((*value.shape[:-2], len(rows), max(used)), fill.get(name, 0))
        for at, row in enumerate(rows):
            laid[..., at, : used[at]] = torch.cat([value[..., number, there[number]] for number in row], -1)
        result[name] = laid
    # The last token of one example must not learn the first of the next.
    result["labels"][result["position_ids"][0] == 0] = IGNORED
    return result
