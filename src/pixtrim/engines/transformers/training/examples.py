"""Examples as data sets have them, as one batch of prompts with labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pixtrim.engines.families import Family
from pixtrim.engines.mrope import TYPES
from pixtrim.engines.transformers.kept import pad_id
from pixtrim.engines.transformers.prompt import GRIDS, VALUES, Prompt, read_prompt
from pixtrim.engines.transformers.training.answers import answer_places, answer_spans
from pixtrim.errors import InputError, UsageError

__all__ = ["IGNORED", "read_examples"]

IGNORED = -100
"""The label of a token that is not learned, as everywhere in PyTorch."""

PICTURED = {*VALUES.values(), *GRIDS.values(), "second_per_grid_ts"}
"""What a processor returns for pictures, not for tokens."""


def read_examples(
    processor: Any,
    family: Family,
    examples: Sequence[Mapping[str, Any]],
    answers: tuple[str, str] | None = None,
    **settings: Any,
) -> Prompt:
    """Read examples, all of one kind.

    Parameters
    ----------
    processor : ProcessorMixin
        The model's processor.
    family : Family
        The model's family.
    examples : sequence of mapping
        See `PruningCollator`.
    answers : (str, str), optional
        What stands before and after each answer.
    **settings
        For the processor.

    Returns
    -------
    Prompt
        Its fields have ``labels`` and ``mm_token_type_ids``.

    Raises
    ------
    UsageError, InputError
        If the examples cannot be used.
    """
    kinds = {_kind(example) for example in examples}
    if len(kinds) != 1:
        raise UsageError(f"the batch has examples of {len(kinds)} kinds, {', '.join(sorted(kinds))}: give one kind")
    if kinds == {"input_ids"}:
        prompt = read_prompt(processor, family, _stacked(examples, pad_id(processor)))
    else:
        conversations = [conversation_of(example) for example in examples]
        prompt = read_prompt(processor, family, conversations, add_generation_prompt=False, **settings)
        prompt.fields["labels"] = _labels(processor, prompt, conversations, answers)
    prompt.fields.setdefault("mm_token_type_ids", torch.zeros_like(prompt.fields["input_ids"]))
    unseen = (prompt.fields["mm_token_type_ids"] != 0) | (prompt.fields["attention_mask"] == 0)
    prompt.fields["labels"] = prompt.fields["labels"].masked_fill(unseen, IGNORED)
    return prompt


def conversation_of(example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of an example, with each picture at its place in them.

    Pictures beside the messages, ``images`` or ``image``, ``videos`` or ``video``, go to the parts that hold none;
    where no such part exists, to the start of the first message of the user.

    Raises
    ------
    InputError
        If there are more or fewer pictures than places.

    Examples
    --------
    >>> conversation_of({"messages": [{"role": "user", "content": "what?"}], "image": "page.png"})[0]["content"]
    [{'type': 'image', 'image': 'page.png'}, {'type': 'text', 'text': 'what?'}]
    """
    messages = [{**message, "content": _parts(message)} for message in example["messages"]]
    for kind in TYPES:
        one = example.get(kind)
        pictures = list(example.get(f"{kind}s") or ([] if one is None else [one]))
        places = [part for message in messages for part in message["content"] if _is_place(part, kind)]
        user = next((message for message in messages if message["role"] == "user"), None)
        if not places and user is not None:
            places = [{"type": kind} for _ in pictures]
            user["content"][:0] = places
        if len(places) != len(pictures):
            raise InputError(
                f"an example has {len(pictures)} {kind}s, and {len(places)} places for them in its messages: "
                "give as many of both"
            )
        for place, picture in zip(places, pictures, strict=True):
            place[kind] = picture
    return messages


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    # Tables give every part every key, and hold None for those that it does not have.
    return [{name: value for name, value in part.items() if value is not None} for part in content or []]


def _is_place(part: Mapping[str, Any], kind: str) -> bool:
    return part.get("type") == kind and not any(name in part for name in (kind, "url", "path", "base64"))


def _kind(example: Mapping[str, Any]) -> str:
    for name in ("input_ids", "messages"):
        if example.get(name) is not None:
            return name
    raise UsageError(
        f"an example has {', '.join(example) or 'no fields'}: it needs messages, or the input_ids of a processor; "
        "trainers keep these with remove_unused_columns=False"
    )


def _labels(processor: Any, prompt: Prompt, conversations: Sequence[Any], answers: tuple[str, str] | None) -> Tensor:
    """Give the tokens of answers their ids as labels, and all others none."""
    labels = torch.full_like(prompt.fields["input_ids"], IGNORED)
    for row, messages in enumerate(conversations):
        text, spans = answer_spans(processor, messages, answers)
        there = prompt.fields["attention_mask"][row].bool()
        ids = prompt.fields["input_ids"][row, there]
        learned = torch.tensor(answer_places(processor, text, spans, ids.tolist()))
        labels[row, there] = ids.masked_fill(~learned, IGNORED)
    return labels


def _stacked(examples: Sequence[Mapping[str, Any]], padding: int) -> dict[str, Tensor]:
    """Put what a processor made of single examples together: rows are padded to the right, pictures stand in a row."""
    fill = {"input_ids": padding, "labels": IGNORED}
    found: dict[str, list[Tensor]] = {}
    for example in examples:
        if example.get("labels") is None:
            raise UsageError(
                f"a processed example has {', '.join(example)}: it needs labels, {IGNORED} where none is learned"
            )
        values = {name: torch.as_tensor(value) for name, value in example.items() if value is not None}
        length = values["input_ids"].numel()
        values.setdefault("attention_mask", torch.ones(length, dtype=torch.long))
        values.setdefault("mm_token_type_ids", torch.zeros(length, dtype=torch.long))
        for name, value in values.items():
            row = name not in PICTURED and value.numel() == length
            found.setdefault(name, []).append(value.flatten() if row else value)
    return {
        name: torch.cat(values)
        if name in PICTURED
        else pad_sequence(values, batch_first=True, padding_value=fill.get(name, 0))
        for name, values in found.items()
    }
