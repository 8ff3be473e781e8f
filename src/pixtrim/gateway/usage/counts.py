"""Where each wire format says what was billed, and in which words.

Providers count differently. `Usage` is the same for all: its input is everything that the model read, from a cache or
not, and its output everything that it wrote, thoughts included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

__all__ = ["WORDINGS", "Usage", "Wording", "counts_in", "usage_of"]

MOST_TOKENS: Final = 2**40
"""Counts above are no counts; below, sums of many fit the integers of every database."""


@dataclass(frozen=True)
class Usage:
    """What a provider says about one request.

    Attributes
    ----------
    input_tokens : int or None
        All tokens of the prompt, those read from or written to a cache included.
    output_tokens : int or None
        All tokens that were generated, thoughts included.
    cached_tokens : int or None
        Those of the input that were read from a cache, which most providers bill at a fraction.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True)
class Wording:
    """How a wire format puts it.

    Attributes
    ----------
    mark : bytes
        A JSON text without it says nothing about usage.
    places : tuple of tuple of str
        The keys that lead to the object of counts; none where it is the message itself.
    input, output, cached : tuple of str
        The counts that add up to ours, by their names in that object, dotted where they are deeper.
    """

    mark: bytes
    places: tuple[tuple[str, ...], ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    cached: tuple[str, ...] = ()


WORDINGS: Final[Mapping[str, Wording]] = MappingProxyType(
    {
        # The prompt's tokens include the cached ones. In streams they come last, if stream_options asks for them.
        "openai-chat": Wording(
            b'"usage"',
            (("usage",),),
            ("prompt_tokens",),
            ("completion_tokens",),
            ("prompt_tokens_details.cached_tokens",),
        ),
        # The input includes the cached part. Events wrap the response: response.completed, .incomplete, .failed.
        "openai-responses": Wording(
            b'"usage"',
            (("usage",), ("response", "usage")),
            ("input_tokens",),
            ("output_tokens",),
            ("input_tokens_details.cached_tokens",),
        ),
        # input_tokens leaves out what was read from a cache or written to it. message_start has the input,
        # message_delta the output, as totals so far. The answer of count_tokens, which is not billed, has no "usage".
        "anthropic": Wording(
            b'"usage"',
            (("usage",), ("message", "usage")),
            ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
            ("output_tokens",),
            ("cache_read_input_tokens",),
        ),
        # The prompt includes the cached part, but not what tools gave back; the candidates leave out thoughts. Each
        # part of a stream has the totals so far.
        "gemini": Wording(
            b'"usageMetadata"',
            (("usageMetadata",),),
            ("promptTokenCount", "toolUsePromptTokenCount"),
            ("candidatesTokenCount", "thoughtsTokenCount"),
            ("cachedContentTokenCount",),
        ),
        # The same in other words. Events wrap the interaction: interaction.completed.
        "gemini-interactions": Wording(
            b"usage",
            (("usage",), ("interaction", "usage"), ("metadata", "total_usage")),
            ("total_input_tokens", "total_tool_use_tokens"),
            ("total_output_tokens", "total_thought_tokens"),
            ("total_cached_tokens",),
        ),
        # What of the prompt is still in memory is not evaluated again, and not always counted.
        "ollama": Wording(b"eval_count", ((),), ("prompt_eval_count",), ("eval_count",)),
    }
)


def counts_in(message: object, wording: Wording) -> Iterator[tuple[str, int]]:
    """Yield the counts that a parsed message has, or those of a list of messages, by their names.

    Examples
    --------
    >>> dict(counts_in({"usage": {"prompt_tokens": 7, "completion_tokens": None}}, WORDINGS["openai-chat"]))
    {'prompt_tokens': 7}
    """
    for item in message if isinstance(message, list) else [message]:
        for place in wording.places:
            found = _at(item, place)
            for name in (*wording.input, *wording.output, *wording.cached):
                count = _at(found, name.split("."))
                if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < MOST_TOKENS:
                    yield name, count


def usage_of(counts: Mapping[str, int], wording: Wording) -> Usage | None:
    """Return the sums of counts; None where there are none."""

    def total(names: tuple[str, ...]) -> int | None:
        known = [counts[name] for name in names if name in counts]
        return sum(known) if known else None

    usage = Usage(total(wording.input), total(wording.output), total(wording.cached))
    return None if usage == Usage() else usage


def _at(value: Any, keys: tuple[str, ...] | list[str]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
