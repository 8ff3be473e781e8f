"""What an engine has to know about a family of models before it can leave tokens out; data only, no framework."""

from __future__ import annotations

from dataclasses import dataclass

from pixtrim.errors import UsageError

__all__ = ["FAMILIES", "TILED", "Family", "family_of", "tiles_of"]


@dataclass(frozen=True)
class Family:
    """How the models of one architecture see a picture.

    Attributes
    ----------
    model_type : str
        As in the configuration of a checkpoint.
    title : str
        What people call it.
    interpolation : str or None
        The part of the vision encoder, as a dotted path, that holds a learned table of positions which is resampled to
        each picture's grid and takes the samples as arguments; ``""`` is the encoder itself; None: there is none.
    windows : bool
        Whether layers attend within windows of the grid, which are numbered anew for kept tokens.
    full_grid : bool
        Whether the encoder itself divides by the size of the picture's grid. Others are told that the kept tokens are a
        picture one token high, since all that depends on the place of a token is given to them as arguments.
    raster : bool
        Whether patches are listed row by row of the whole picture, not token by token.
    video : bool
        Whether it takes clips.
    linear_attention : bool
        Whether layers of the language model carry a state along the sequence.
    """

    model_type: str
    title: str
    interpolation: str | None = None
    windows: bool = False
    full_grid: bool = False
    raster: bool = False
    video: bool = True
    linear_attention: bool = False

    @property
    def order(self) -> str:
        """How patches are listed, as `pixtrim.grid.PatchGrid` names it."""
        return "raster" if self.raster else "merged"


FAMILIES = {
    family.model_type: family
    for family in (
        Family("qwen2_vl", "Qwen2-VL"),
        Family("qwen2_5_vl", "Qwen2.5-VL", windows=True),
        Family("qwen3_vl", "Qwen3-VL", interpolation=""),
        Family("qwen3_vl_moe", "Qwen3-VL-MoE", interpolation=""),
        Family("qwen3_5", "Qwen3.5", interpolation="", linear_attention=True),
        Family("qwen3_5_moe", "Qwen3.5-MoE", interpolation="", linear_attention=True),
        Family("glm4v", "GLM-4.1V", full_grid=True),
        Family("glm4v_moe", "GLM-4.5V", full_grid=True),
        Family("glm46v", "GLM-4.6V", full_grid=True),
        Family("glm_ocr", "GLM-OCR"),
        Family("paddleocr_vl", "PaddleOCR-VL", interpolation="vision_model.embeddings", raster=True, video=False),
    )
}
"""Families in which tokens can be left out, by their ``model_type``."""

TILED = {
    "internvl": "InternVL cuts pictures into tiles of one size and gives each its own positions",
    "llava": "LLaVA scales every picture to one square",
    "llava_next": "LLaVA-NeXT cuts pictures into tiles of one size and gives each its own positions",
    "llava_onevision": "LLaVA-OneVision cuts pictures into tiles of one size and gives each its own positions",
    "gemma3": "Gemma 3 scales every picture, or crop of one, to one square",
    "smolvlm": "SmolVLM cuts pictures into tiles of one size and gives each its own positions",
    "idefics3": "Idefics3 cuts pictures into tiles of one size and gives each its own positions",
}
"""Families whose encoders take fixed tiles, by their ``model_type``, and why no token of a tile can be left out."""


def family_of(model_type: str) -> Family:
    """Find a family in which tokens can be left out.

    Raises
    ------
    UsageError
        If the models of that type take fixed tiles, or are not known.

    Examples
    --------
    >>> family_of("qwen2_5_vl").windows
    True
    """
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    if model_type in TILED:
        raise UsageError(f"{TILED[model_type]}: no token can be left out before the encoder, only the picture be smaller")
    known = ", ".join(FAMILIES)
    raise UsageError(f"model_type is {model_type!r}: tokens can be left out in {known}; pictures be made smaller for all")


def tiles_of(model_type: str) -> str | None:
    """Say why no token can be left out in models of that type, or None where that can be done or is not known."""
    return TILED.get(model_type)
