"""The wire formats: where images are in requests, one module for each."""

from __future__ import annotations

from typing import Final, cast

from pixtrim.errors import UsageError
from pixtrim.gateway.formats import anthropic, gemini, gemini_interactions, ollama, openai_chat, openai_responses
from pixtrim.gateway.formats.places import Place, WireFormat

__all__ = ["FORMATS", "Place", "WireFormat", "format_named"]

FORMATS: Final = cast(
    "dict[str, WireFormat]",
    {
        "openai-chat": openai_chat,
        "openai-responses": openai_responses,
        "anthropic": anthropic,
        "gemini": gemini,
        "gemini-interactions": gemini_interactions,
        "ollama": ollama,
    },
)


def format_named(name: str) -> WireFormat:
    """Return a wire format.

    Raises
    ------
    UsageError
        If there is none of this name.
    """
    if name not in FORMATS:
        raise UsageError(f"wire format is {name!r}: choose one of {', '.join(FORMATS)}")
    return FORMATS[name]
