"""Columns of a prompt: tokens are left out of every row, and the others keep the positions that they had (M-RoPE)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pixtrim.errors import InputError

__all__ = ["TYPES", "cached", "drop_columns", "kept_columns", "rope_deltas", "runs", "with_text_row"]

TYPES = {"image": 1, "video": 2}
"""What ``mm_token_type_ids`` holds for a placeholder of each modality."""


def kept_columns(mm_token_type_ids: Tensor, attention_mask: Tensor, keep: Mapping[str, Tensor]) -> Tensor:
    """Say which places of a prompt stay.

    Parameters
    ----------
    mm_token_type_ids : Tensor
        (B, L): 0 for text, 1 and 2 for placeholders of images and videos.
    attention_mask : Tensor
        (B, L): 0 for padding, which goes.
    keep : mapping of str to Tensor
        By modality, bool: one flag for each of its placeholders, in the order in which they stand, row by row.

    Returns
    -------
    Tensor
        bool (B, L).

    Raises
    ------
    InputError
        If there are more or fewer flags than placeholders.

    Examples
    --------
    >>> types = torch.tensor([[0, 1, 1, 1, 0]])
    >>> kept_columns(types, torch.ones_like(types), {"image": torch.tensor([True, False, True])}).int().tolist()
    [[1, 1, 0, 1, 1]]
    """
    columns = attention_mask.bool().clone()
    for modality, flags in keep.items():
        places = (mm_token_type_ids == TYPES[modality]) & attention_mask.bool()
        if int(places.sum()) != len(flags):
            raise InputError(
                f"the prompt has {int(places.sum())} placeholders for {modality}s, whose pictures have {len(flags)} "
                "tokens: give both as one call of the processor made them"
            )
        columns[places] = flags.to(columns.device)
    return columns


def drop_columns(
    fields: Mapping[str, Tensor], columns: Tensor, fill: Mapping[str, int], padding_side: str = "left"
) -> dict[str, Tensor]:
    """Leave columns out of tensors, row by row, and pad the rows to one length again.

    Parameters
    ----------
    fields : mapping of str to Tensor
        Each (B, L), or (n, B, L) as position_ids are.
    columns : Tensor
        bool (B, L): the places that stay.
    fill : mapping of str to int
        What padding holds, by name; 0 for other names.
    padding_side : {"left", "right"}
        Where padding goes.

    Returns
    -------
    dict of str to Tensor
        The same names, with L as long as the longest row needs.

    Examples
    --------
    >>> ids, columns = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[True, True, False], [False, False, True]])
    >>> drop_columns({"input_ids": ids}, columns, {"input_ids": 9})["input_ids"].tolist()
    [[1, 2], [9, 6]]
    """
    length = int(columns.sum(1).max())
    result = {}
    for name, values in fields.items():
        kept = values.new_full((*values.shape[:-1], length), fill.get(name, 0))
        for row, places in enumerate(columns.to(values.device)):
            found = values[..., row, places]
            at = slice(length - found.shape[-1], None) if padding_side == "left" else slice(found.shape[-1])
            kept[..., row, at] = found
        result[name] = kept
    return result


def with_text_row(position_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Put the row of places in the text before the three of M-RoPE: (3, B, L) becomes (4, B, L).

    That row counts the tokens that are there. Gathered from the full prompt it would have gaps, which transformers
    takes for the bounds of packed sequences.

    Examples
    --------
    >>> with_text_row(torch.tensor([[[0, 1, 5]], [[0, 2, 5]], [[0, 3, 5]]]), torch.tensor([[1, 1, 1]]))[0].tolist()
    [[0, 1, 2]]
    """
    text = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
    return torch.cat([text[None].to(position_ids), position_ids])


def rope_deltas(position_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return by how much the next position is above the number of tokens, int64 (B, 1), from M-RoPE's (3, B, L)."""
    highest = position_ids.masked_fill(~attention_mask.bool().to(position_ids.device), -1).amax(dim=(0, 2))
    return (highest + 1 - attention_mask.sum(-1).to(highest)).unsqueeze(1)


def runs(counts: Sequence[int], per_row: Sequence[int]) -> list[int]:
    """Return the row of a prompt to which each picture belongs, from the tokens of pictures and of rows.

    Raises
    ------
    InputError
        If a picture's tokens would lie in two rows.

    Examples
    --------
    >>> runs([4, 2, 6], [6, 6])
    [0, 0, 1]
    """
    rows, row, left = [], 0, per_row[0] if per_row else 0
    for count in counts:
        while left == 0 and row + 1 < len(per_row):
            row += 1
            left = per_row[row]
        if count > left:
            raise InputError(
                f"a picture of {count} tokens has {left} placeholders in row {row} of the prompt: "
                "give ids and pixels as one call of the processor made them"
            )
        left -= count
        rows.append(row)
    return rows


def cached(counts: Sequence[int], mm_token_type_ids: Tensor, modality: str, past: int) -> list[bool]:
    """Say of each picture whether a cache holds all of its tokens.

    Parameters
    ----------
    counts : sequence of int
        Kept tokens of each picture.
    mm_token_type_ids : Tensor
        (B, L), of the prompt without what is dropped.
    modality : {"image", "video"}
    past : int
        Columns of the prompt that the cache holds.

    Raises
    ------
    InputError
        If it holds a part of a picture.

    Examples
    --------
    >>> cached([2, 1], torch.tensor([[0, 1, 1, 0, 1]]), "image", 4)
    [True, False]
    """
    columns = (mm_token_type_ids == TYPES[modality]).nonzero()[:, 1]
    held = []
    for places in columns.split(list(counts)):
        inside = int((places < past).sum())
        if inside not in (0, len(places)):
            raise InputError(
                f"the cache ends after {past} tokens, {inside} tokens into a picture of {len(places)}: "
                "give the cache of an earlier turn of the same conversation"
            )
        held.append(inside > 0)
    return held
