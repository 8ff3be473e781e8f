"""What pixtrim knows about one model: how it counts, what it really sees, what it refuses, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import index
from typing import Literal

from pixtrim.errors import UsageError
from pixtrim.tokens.formulas import Formula

__all__ = ["MAX_SIDE", "GridSpec", "Limits", "Rule"]

MAX_SIDE = 2**31 - 1
"""The longest side, in pixels, that any picture format can declare."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider refuses; None where no limit is known.

    Attributes
    ----------
    max_bytes : int or None
        Bytes of one encoded picture.
    max_base64_bytes : int or None
        Characters of one picture in base64.
    max_side : int or None
        Pixels of the longer side.
    max_aspect : int or None
        Longer side over shorter side.
    max_patches : int or None
        Cells of the rule's grid, after the model's own scaling.
    max_images : int or None
        Pictures in one request.
    many_images, many_images_side : int or None
        With more pictures than `many_images`, the longer side is limited to `many_images_side` pixels.
    """

    max_bytes: int | None = None
    max_base64_bytes: int | None = None
    max_side: int | None = None
    max_aspect: int | None = None
    max_patches: int | None = None
    max_images: int | None = None
    many_images: int | None = None
    many_images_side: int | None = None


@dataclass(frozen=True, slots=True)
class GridSpec:
    """How a model that one runs oneself cuts a picture into patches, and merges patches into tokens.

    Attributes
    ----------
    patch_size : int
        Side of a patch in pixels.
    spatial_merge_size : int
        Patches on the side of a token.
    temporal_patch_size : int
        Frames in a patch; a still picture is taken that many times.
    order : {"merged", "raster"}
        How the processor's ``pixel_values`` lists the patches: token by token, or row by row of the whole picture.
    """

    patch_size: int
    spatial_merge_size: int
    temporal_patch_size: int
    order: Literal["merged", "raster"]


def _side(value: object, what: str) -> int:
    """Accept an integer (NumPy's too) from 1 to MAX_SIDE; anything else is the caller's mistake."""
    try:
        side = index(value)  # type: ignore[arg-type]  # answers with TypeError, which is the point
    except TypeError:
        side = 0
    if isinstance(value, bool) or not 1 <= side <= MAX_SIDE:
        shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:40] + "..."
        raise UsageError(f"{what} is {shown}: give whole pixels, from 1 to {MAX_SIDE}")
    return side


@dataclass(frozen=True)
class Rule:
    """The token rule of one model.

    Attributes
    ----------
    name : str
        The model's name as the catalogue spells it.
    provider : str
        Who serves or released it.
    aliases : tuple of str
        Other names for exactly this model.
    kind : str
        The kind of formula, for example ``"patch_budget"``.
    mark : str
        How far to trust the rule: D official documentation, S read in released source, M measured by a third
        party against the live API, I inferred.
    source, read, note : str
        Where the rule is written, when that was read (year-month or year-month-day), and what to know about it.
    limits : Limits
        What the provider refuses.
    default_detail : str or None
        The detail level that applies when none is named; None where the model has no levels.
    open_weights : bool
        Whether the model can be run on one's own machine.
    grid : GridSpec or None
        The grid of patches and tokens; None where it is not known, or where nobody could drop a token anyway.
    levels : mapping of str or None to Formula
        One formula per detail level, or a single one under None.
    """

    name: str
    provider: str
    aliases: tuple[str, ...]
    kind: str
    mark: str
    source: str
    read: str
    note: str
    limits: Limits
    default_detail: str | None
    open_weights: bool
    grid: GridSpec | None
    levels: Mapping[str | None, Formula] = field(repr=False, hash=False)

    @cached_property
    def details(self) -> tuple[str, ...]:
        """The names of the detail levels, lowest first; empty where the model has none."""
        return tuple(level for level in self.levels if level is not None)

    def level(self, detail: str | None = None) -> str | None:
        """Return the detail level that a request means; None where the model has no levels.

        Parameters
        ----------
        detail : str or None
            One of `details`; None or ``"auto"`` mean `default_detail`.

        Raises
        ------
        UsageError
            If the model has no such level.

        Examples
        --------
        >>> from pixtrim.tokens import resolve
        >>> resolve("gpt-5.5").level("auto")
        'original'
        """
        if detail is None or (detail == "auto" and self.details):
            return self.default_detail
        if detail not in self.details:
            remedy = f"choose one of {', '.join(self.details)}, auto" if self.details else "leave the detail out"
            raise UsageError(f"{self.name} has no detail level {str(detail)[:40]!r}: {remedy}")
        return detail

    def formula(self, detail: str | None = None) -> Formula:
        """Return the arithmetic of a detail level; raises UsageError if the model has no such level."""
        return self.levels[self.level(detail)]

    def count(self, width: int, height: int, detail: str | None = None) -> int:
        """Return the tokens that a picture costs.

        Parameters
        ----------
        width, height : int
            Size of the picture as it is sent, in pixels, from 1.
        detail : str or None
            Detail level; None or ``"auto"`` mean the model's default.

        Returns
        -------
        int
            Tokens, at least 1. An estimate that is as good as the rule's `mark`.

        Raises
        ------
        UsageError
            If a side is not a whole number of pixels, or the model has no such level.

        Examples
        --------
        >>> from pixtrim.tokens import resolve
        >>> resolve("claude-sonnet-4-5").count(1920, 1080)
        1560
        >>> resolve("gpt-4o").count(1920, 1080)
        1105
        """
        return self.formula(detail).count(_side(width, "width"), _side(height, "height"))

    def seen(self, width: int, height: int, detail: str | None = None) -> tuple[int, int]:
        """Return the size at which the model looks at the picture, (width, height) in pixels, without padding.

        It is the size as sent where the provider does not say, and larger than sent where small pictures are
        enlarged. Parameters and errors are those of `count`.

        Examples
        --------
        >>> from pixtrim.tokens import resolve
        >>> resolve("claude-sonnet-4-5").seen(1920, 1080)
        (1456, 819)
        """
        return self.formula(detail).seen(_side(width, "width"), _side(height, "height"))

    def saves_by_pixels(self, detail: str | None = None) -> bool:
        """Return whether a smaller picture of the same shape can cost less at all.

        Examples
        --------
        >>> from pixtrim.tokens import resolve
        >>> resolve("gemini-3-pro").saves_by_pixels()
        False
        """
        return not self.formula(detail).flat

    def monotone(self, detail: str | None = None) -> bool:
        """Return whether more pixels never cost less, among the sizes that the model does not scale."""
        return self.formula(detail).monotone

    def cell(self, detail: str | None = None) -> int:
        """Return the step of the rule's grid in pixels; 1 where it does not count on a grid."""
        return self.formula(detail).cell

    def check(
        self, width: int, height: int, detail: str | None = None, *, size: int | None = None, images: int = 1
    ) -> tuple[str, ...]:
        """Say in words which of the provider's limits a picture breaks.

        Parameters
        ----------
        width, height, detail
            As for `count`.
        size : int or None
            Bytes of the encoded picture, if known.
        images : int
            Pictures in the same request.

        Returns
        -------
        tuple of str
            One sentence for each broken limit; empty where the picture is fine as far as is known.

        Examples
        --------
        >>> from pixtrim.tokens import resolve
        >>> resolve("claude-sonnet-4-5").check(9000, 600)
        ('claude-sonnet-4-5 refuses a side of 9000 pixels: the limit is 8000',)
        """
        width, height, limits = _side(width, "width"), _side(height, "height"), self.limits
        long, short = max(width, height), min(width, height)
        crowd_side = None
        if limits.many_images is not None and images > limits.many_images:
            crowd_side = limits.many_images_side
        facts = [
            ("a side of {} pixels", long, limits.max_side),
            ("a side of {} pixels among " + f"{images} images", long, crowd_side),
            ("an aspect ratio of {} to 1", -(-long // short), limits.max_aspect),
            ("{} patches", self.formula(detail).cells(width, height), limits.max_patches),
            ("{} images in a request", images, limits.max_images),
            ("{} bytes", size or 0, limits.max_bytes),
            ("{} bytes of base64", -(-(size or 0) // 3) * 4, limits.max_base64_bytes),
        ]
        return tuple(
            f"{self.name} refuses {what.format(value)}: the limit is {limit}"
            for what, value, limit in facts
            if limit is not None and value > limit
        )
