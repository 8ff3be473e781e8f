"""Where the content of a picture is: sources of importance under one contract.

Importance is ``float32 (H, W)`` in [0, 1], of the picture's size; 1 is to be kept. `importance_of` asks a source by its
name, `register` adds one; `protected` returns what must be left alone, `confidence` how sure a map is.
"""

from __future__ import annotations

from pixtrim.importance.attention import Attention, attention_named
from pixtrim.importance.faces import Faces
from pixtrim.importance.gradient import gradient
from pixtrim.importance.maps import Importance, Pixels, Source, checked_map, combine, confidence, resized_map
from pixtrim.importance.onnx import Objects, Segmentation
from pixtrim.importance.regions import box_map, boxes, mask_file, protected
from pixtrim.importance.sources import Named, importance_of, named_sources, register, source_named, source_names
from pixtrim.importance.spectral import spectral_residual
from pixtrim.importance.text import text

__all__ = [
    "Attention",
    "Faces",
    "Importance",
    "Named",
    "Objects",
    "Pixels",
    "Segmentation",
    "Source",
    "attention_named",
    "box_map",
    "boxes",
    "checked_map",
    "combine",
    "confidence",
    "gradient",
    "importance_of",
    "mask_file",
    "named_sources",
    "protected",
    "register",
    "resized_map",
    "source_named",
    "source_names",
    "spectral_residual",
    "text",
]


def _saliency(pixels: Pixels) -> Importance:
    """Return what the network in the package says; it is loaded when it is asked first."""
    from pixtrim.importance.student import saliency

    return saliency(pixels)


register("gradient", gradient, summary="local contrast: fast, whatever the picture shows")
register("text", text, summary="lines of text, printed or in a scene; no weights")
register("spectral_residual", spectral_residual, summary="what stands out from the rest of its spectrum; no weights")
register("saliency", _saliency, summary="objects that stand out, and text, by a small network in the package")
register(
    "attention",
    attention_named,
    takes="FILE.npz, attention:timm:NAME or attention:transformers:NAME",
    summary="what a vision transformer attends to",
)
register(
    "segmentation", Segmentation, takes="FILE.onnx", summary="what a network segments: salient objects, or classes"
)
register("detector", Objects, takes="FILE.onnx", summary="objects that a YOLOX network finds")
register("faces", Faces, takes="FILE.onnx", summary="faces that YuNet finds")
register("mask", mask_file, takes="FILE.png", summary="a mask drawn by somebody: black 0, white 1")
