"""What a request to the REST interface may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pixtrim.errors import UsageError
from pixtrim.gateway.settings import Settings

__all__ = ["MOST_VALUES", "Limits"]

MOST_VALUES: Final = 100_000
"""Values in a JSON body: parsed, each takes many times its bytes."""


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes
    ----------
    max_bytes : int
        Of a body.
    max_pixels : int
        Of each image.
    seconds : float
        For a body to arrive, and again for the work to be done. Work that has begun goes on after that, in its place
        among the workers, and its result is thrown away.
    requests : int
        That are answered at the same time; others are asked to come back.

    Raises
    ------
    UsageError
        If one is not above 0.
    """

    max_bytes: int = 64 * 2**20
    max_pixels: int = Settings().max_pixels
    seconds: float = 60.0
    requests: int = 32

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "seconds", "requests"):
            value = getattr(self, name)
            kinds = (int, float) if name == "seconds" else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
                raise UsageError(f"{name} is {value!r}: give a {'' if name == 'seconds' else 'whole '}number above 0")
