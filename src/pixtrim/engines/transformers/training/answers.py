"""Where the answers of a conversation are: in its text, and among the ids of its prompt, where pictures take room."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from pixtrim.errors import InputError, UsageError

__all__ = ["answer_places", "answer_spans"]

Span = tuple[int, int]
GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


def answer_spans(processor: Any, messages: Sequence[Any], answers: tuple[str, str] | None) -> tuple[str, list[Span]]:
    """Write a conversation as text and find its answers: all that a model says, the token that ends its turn included.

    The chat template says it if it has ``{% generation %}``. If not, the conversation is written up to each answer and
    with it, and the answer is the difference.

    Parameters
    ----------
    processor : ProcessorMixin
        With the chat template.
    messages : sequence of dict
        One conversation.
    answers : (str, str) or None
        What stands before and after each answer, in place of the above; the latter is a part of the answer.

    Returns
    -------
    text : str
        The conversation, with one placeholder for each picture.
    spans : list of (int, int)
        Start and end of each answer in the text.

    Raises
    ------
    UsageError
        If the template writes answers anew when others follow them, so that they cannot be found by difference.
    InputError
        If there are no answers.
    """
    text = processor.apply_chat_template(messages, tokenize=False)
    template = processor.chat_template
    if answers is not None:
        before, after = map(re.escape, answers)
        spans = [found.span(1) for found in re.finditer(f"{before}(.*?(?:{after}|$))", text, re.DOTALL)]
    elif isinstance(template, str) and GENERATION.search(template):
        spans = _marked(processor, messages, template)
    else:
        spans = _differences(processor, messages, text)
    if not spans:
        raise InputError(
            "an example has no answer to learn: give messages of the role assistant, or answers=(before, after) that "
            "stand in the text of the chat template"
        )
    return text, spans


def _marked(processor: Any, messages: Sequence[Any], template: str) -> list[Span]:
    from transformers.utils.chat_template_utils import render_jinja_template

    found: Any = render_jinja_template(
        [list(messages)],
        chat_template=template,
        return_assistant_tokens_mask=True,
        **processor.tokenizer.special_tokens_map,
    )
    return [(start, end) for start, end in found[1][0]]


def _differences(processor: Any, messages: Sequence[Any], text: str) -> list[Span]:
    spans: list[Span] = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = processor.apply_chat_template(messages[:number], tokenize=False, add_generation_prompt=True)
        after = processor.apply_chat_template(messages[: number + 1], tokenize=False)
        if not text.startswith(after) or not after.startswith(before):
            raise UsageError(
                f"the chat template writes answer {len(spans) + 1} of a conversation unlike it asks for it: "
                'say what stands around answers, such as answers=("<|im_start|>assistant\\n", "<|im_end|>")'
            )
        spans.append((len(before), len(after.rstrip())))
    return spans


def answer_places(processor: Any, text: str, spans: Sequence[Span], ids: Sequence[int]) -> list[bool]:
    """Say which ids of a prompt are those of answers.

    The prompt has more ids than its text has tokens, since pictures take up many places. From the end, answers are at
    the same place in both if no picture follows them; else they are looked for, with all that stands between the
    picture before them and their end.

    Parameters
    ----------
    processor : ProcessorMixin
    text, spans
        From `answer_spans`.
    ids : sequence of int
        The prompt, without padding.

    Returns
    -------
    list of bool
        One for each id.

    Raises
    ------
    UsageError
        If the tokenizer cannot tell where its tokens are in the text.
    InputError
        If the prompt does not have the answers of the text.
    """
    tokenizer = processor.tokenizer
    if not tokenizer.is_fast:
        raise UsageError(
            f"{type(tokenizer).__name__} does not tell where tokens are in a text: give processed examples"
        )
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens, starts = list(found["input_ids"]), [start for start, _ in found["offset_mapping"]]
    names = (getattr(processor, f"{kind}_token", None) for kind in ("image", "video"))
    pictures = {tokenizer.convert_tokens_to_ids(name) for name in names if name}
    ids, learned = list(ids), [False] * len(ids)
    end_token, end_id = len(tokens), len(ids)
    for start, stop in reversed(spans):
        first, last = bisect_left(starts, start), bisect_left(starts, stop)
        before = next((place + 1 for place in range(first - 1, -1, -1) if tokens[place] in pictures), 0)
        wanted = tokens[before:last]
        latest = end_id - (end_token - last)
        earliest = latest if pictures.isdisjoint(tokens[last:end_token]) else len(wanted)
        ends = range(latest, earliest - 1, -1)
        end_id = next((end for end in ends if ids[end - len(wanted) : end] == wanted), -1)
        if end_id < 0:
            raise InputError(
                f"the prompt does not have the answer {text[start:stop]!r}: give processed examples with labels"
            )
        learned[end_id - (last - first) : end_id] = [True] * (last - first)
        end_token = last
    return learned
