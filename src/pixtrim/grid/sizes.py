"""The size that a picture gets before it is cut into patches."""

from __future__ import annotations

from typing import cast

from pixtrim.errors import InputError, UsageError
from pixtrim.tokens import Rule
from pixtrim.tokens.formulas import SmartResize

__all__ = ["fitted_size"]

Size = tuple[int, int]


def fitted_size(rule: Rule, width: int, height: int, fit: str, frames: int) -> Size:
    """Return the width and height, whole tokens, that a picture gets; see `PatchGrid.for_model`.

    Parameters
    ----------
    rule : Rule
        Of a model whose grid is known.
    width, height : int
        Size of the picture, or of each frame.
    fit : {"resize", "pad"}
        How it gets the other size.
    frames : int
        More than 1 for a clip.

    Raises
    ------
    UsageError
        If a padded picture would have more pixels than the model takes, or frames are not whole tokens.
    InputError
        If the processor refuses the picture's shape.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> rule = resolve("qwen3-vl")
    >>> fitted_size(rule, 1900, 1080, "resize", 1), fitted_size(rule, 1900, 1080, "pad", 1)
    ((1888, 1088), (1920, 1088))
    """
    if frames > 1:
        return _clip(rule, width, height, fit)
    if fit == "pad":
        return _padded(rule, width, height)
    _check_shape(rule, width, height)
    return rule.seen(width, height)


def _whole_tokens(width: int, height: int, side: int) -> Size:
    """Return the smallest size in whole tokens that holds another."""
    return -(-width // side) * side, -(-height // side) * side


def _padded(rule: Rule, width: int, height: int) -> Size:
    """Return the smallest size that holds a picture, and that the processor leaves as it is."""
    formula = cast(SmartResize, rule.formula())  # that of all models with a grid
    across, down = _whole_tokens(width, height, formula.cell)
    _check_shape(rule, across, down)
    if formula.scales_down(across, down):
        _check_shape(rule, width, height)
        seen = formula.seen(width, height)
        raise UsageError(
            f"a picture of {width}x{height} padded to {across}x{down} is above the limit of {rule.name}, "
            f"{formula.max_pixels} pixels: use fit='resize', which makes it {seen[0]}x{seen[1]}"
        )
    # A size below the model's least area is asked for larger: that one holds the picture, and is left alone.
    return formula.seen(across, down)


def _clip(rule: Rule, width: int, height: int, fit: str) -> Size:
    """Return the size of frames, which are padded but not scaled."""
    side = rule.cell()
    size = _whole_tokens(width, height, side)
    if fit == "resize" and size != (width, height):
        raise UsageError(
            f"frames of {width}x{height} are not whole tokens of {side}x{side}: give them as the video processor of "
            f"{rule.name} sizes them, or use fit='pad'"
        )
    return size


def _check_shape(rule: Rule, width: int, height: int) -> None:
    """Refuse a picture that is too long for its width, as the processor does."""
    most = rule.limits.max_aspect
    if most is not None and max(width, height) > most * min(width, height):
        raise InputError(
            f"a picture of {width}x{height} is longer than {most} to 1, which the processor of {rule.name} refuses: "
            "cut it into parts"
        )
