"""What both kinds of prompts say of their pictures in sum: those that lose tokens, and those whose pictures shrink."""

from __future__ import annotations

from typing import Any

__all__ = ["Outcome"]


class Outcome:
    """What became of a prompt, whose `pictures` each have ``tokens``, before, and ``kept``."""

    pictures: tuple[Any, ...]

    @property
    def tokens(self) -> int:
        """Visual tokens of the prompt, before."""
        return sum(picture.tokens for picture in self.pictures)

    @property
    def kept(self) -> int:
        """Visual tokens that the language model is given."""
        return sum(picture.kept for picture in self.pictures)

    def __str__(self) -> str:
        share = f" ({self.kept / self.tokens:.1%})" if self.tokens else ""
        return f"{self.kept} of {self.tokens} visual tokens{share}"
