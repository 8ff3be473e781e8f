"""What an engine has to know about a family of models before it can leave tokens out; data only, no framework."""

from __future__ import annotations

from dataclasses import dataclass

from pixtrim.errors import UsageError

__all__ = ["FAMILIES", "TILED", "Family", "Tiling", "family_of"]


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


@dataclass(frozen=True)
class Tiling:
    """How the models of one architecture cut a picture into squares of one size.

    Attributes
    ----------
    model_type : str
        As in the configuration of a checkpoint.
    title : str
        What people call it.
    layout : {"grid", "canvas", "crops", "square"}
        ``"grid"``: the picture is stretched to rows and columns of tiles. ``"canvas"``: it is scaled into the best of a
        list of sizes, and tokens of the padding are left out. ``"crops"``: it is one square, and if it is long and that
        is asked for, its parts are more of them. ``"square"``: it is one square.
    one_picture : bool
        Whether it is cut only if it is the only picture of a conversation.
    """

    model_type: str
    title: str
    layout: str
    one_picture: bool = False

    @property
    def why(self) -> str:
        """Why no token can be left out."""
        if self.layout == "square":
            return f"{self.title} scales every picture to one square"
        if self.layout == "crops":
            return f"{self.title} scales every picture, or crop of one, to one square"
        return f"{self.title} cuts pictures into tiles of one size and gives each its own positions"


TILED = {
    tiling.model_type: tiling
    for tiling in (
        Tiling("internvl", "InternVL", "grid"),
        Tiling("aya_vision", "Aya Vision", "grid"),
        Tiling("idefics3", "Idefics3", "grid"),
        Tiling("smolvlm", "SmolVLM", "grid"),
        Tiling("llava_next", "LLaVA-NeXT", "canvas"),
        Tiling("llava_onevision", "LLaVA-OneVision", "canvas", one_picture=True),
        Tiling("gemma3", "Gemma 3", "crops"),
        Tiling("llava", "LLaVA", "square"),
    )
}
"""Families whose encoders take fixed tiles, by their ``model_type``: no token of a tile can be left out before them."""


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
        why = TILED[model_type].why
        raise UsageError(f"{why}: no token can be left out before the encoder, only the picture be smaller")
    raise UsageError(
        f"model_type is {model_type!r}: tokens can be left out in {', '.join(FAMILIES)}; "
        f"pictures be made smaller for {', '.join(TILED)}, and for any model by pixtrim.shrink"
    )
