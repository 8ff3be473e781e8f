"""What users give the engine, as one thing: the ids of a prompt, and its pictures as the processor sizes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pixtrim.engines.families import Family
from pixtrim.engines.mrope import TYPES, runs
from pixtrim.engines.pixels import frames_of, levels
from pixtrim.errors import InputError, UsageError
from pixtrim.grid import PatchGrid

__all__ = ["Picture", "Prompt", "is_conversation", "is_text", "processed", "read_prompt"]

VALUES = {"image": "pixel_values", "video": "pixel_values_videos"}
GRIDS = {"image": "image_grid_thw", "video": "video_grid_thw"}
PARTS = {"image": "image_processor", "video": "video_processor"}
RAW = {"do_rescale": False, "do_normalize": False}
ROPE = ("image_grid_thw", "video_grid_thw", "second_per_grid_ts")


@dataclass(frozen=True)
class Picture:
    """One picture or clip of a prompt.

    Attributes
    ----------
    modality : {"image", "video"}
    grid : PatchGrid
    frames : ndarray
        uint8 (frames, fitted_height, fitted_width, 3); one frame for a picture.
    row : int
        The sample of the batch that it belongs to.
    """

    modality: str
    grid: PatchGrid
    frames: NDArray[np.uint8]
    row: int


@dataclass(frozen=True)
class Prompt:
    """A batch of prompts with all of their placeholders.

    Attributes
    ----------
    fields : dict of str to Tensor
        ``input_ids``, ``attention_mask``, ``mm_token_type_ids`` and whatever else has one value for each token, such as
        ``labels``: (B, L).
    pictures : list of Picture
        All images in the order of their placeholders, then all clips.
    rope : dict of str to Tensor
        What the model needs besides to number positions.
    """

    fields: dict[str, Tensor]
    pictures: list[Picture] = field(default_factory=list)
    rope: dict[str, Tensor] = field(default_factory=dict)

    def of(self, modality: str) -> list[Picture]:
        """Return the pictures of one modality."""
        return [picture for picture in self.pictures if picture.modality == modality]


def read_prompt(
    processor: Any, family: Family, source: Any, images: Any = None, videos: Any = None, **settings: Any
) -> Prompt:
    """Run a processor, except for its normalisation, on whatever a user has.

    Parameters
    ----------
    processor : ProcessorMixin
        The model's processor.
    family : Family
        The model's family.
    source : messages, str, list of str, or mapping
        A conversation, or a list of them; texts with placeholders; or what the processor returned.
    images, videos
        Pictures and clips for placeholders that hold none, as the processor takes them.
    **settings
        For the processor, such as ``images_kwargs`` and ``videos_kwargs``; ``add_generation_prompt`` for its template.

    Raises
    ------
    UsageError
        If the source is none of these.
    InputError
        If ids and pixels do not belong together.
    """
    if isinstance(source, Mapping) or hasattr(source, "data"):
        if images is not None or videos is not None:
            raise UsageError("a processor's output and pictures: give one of them; the output has its pictures")
        return _assembled(processor, family, dict(source), normalised=True)
    settings = dict(settings)
    for name in ("images_kwargs", "videos_kwargs"):
        settings[name] = {**settings.get(name, {}), **RAW}
    found = processed(processor, source, images, videos, **settings)
    return _assembled(processor, family, dict(found), normalised=False)


def processed(processor: Any, source: Any, images: Any = None, videos: Any = None, **settings: Any) -> Any:
    """Run a processor on messages, a text or a list of either; parameters and errors are those of `read_prompt`."""
    settings = {"padding": True, **settings}
    template: dict[str, Any] = {
        name: settings.pop(name)
        for name in ("chat_template", "tools", "documents", "continue_final_message")
        if name in settings
    }
    template["add_generation_prompt"] = settings.pop(
        "add_generation_prompt", not template.get("continue_final_message", False)
    )
    if is_text(source):
        return processor(text=source, images=images, videos=videos, return_tensors="pt", **settings)
    if not is_conversation(source):
        raise UsageError(
            f"the prompt is {type(source).__name__}: give messages, a text, a list of either, or a processor's output"
        )
    if images is not None or videos is not None:
        text = processor.apply_chat_template(source, tokenize=False, **template)
        return processor(text=text, images=images, videos=videos, return_tensors="pt", **settings)
    return processor.apply_chat_template(
        source, tokenize=True, return_dict=True, return_tensors="pt", processor_kwargs=settings, **template
    )


def _assembled(processor: Any, family: Family, found: dict[str, Any], normalised: bool) -> Prompt:
    ids = found.get("input_ids")
    if not isinstance(ids, Tensor) or ids.ndim != 2:
        raise UsageError('the prompt has no tensor input_ids (B, L): call the processor with return_tensors="pt"')
    found.setdefault("attention_mask", (ids == ids).long())
    has_pictures = any(found.get(name) is not None for name in VALUES.values())
    if has_pictures and found.get("mm_token_type_ids") is None:
        raise UsageError(
            "the prompt has pictures, but no mm_token_type_ids: call the processor with return_mm_token_type_ids=True"
        )
    fields = {name: value for name, value in found.items() if isinstance(value, Tensor) and value.shape == ids.shape}
    rope = {name: found[name] for name in ROPE if found.get(name) is not None}
    pictures: list[Picture] = []
    for modality, name in VALUES.items():
        if found.get(name) is not None:
            part = getattr(processor, PARTS[modality])
            pictures += _pictures(modality, found[name], found[GRIDS[modality]], part, family, fields, normalised)
    return Prompt(fields, pictures, rope)


def _pictures(
    modality: str, values: Tensor, grids: Tensor, part: Any, family: Family, fields: dict[str, Tensor], normalised: bool
) -> list[Picture]:
    sizes = [int(grid.prod()) for grid in grids]
    if sum(sizes) != len(values):
        raise InputError(
            f"{VALUES[modality]} has {len(values)} patches, {GRIDS[modality]} makes {sum(sizes)}: "
            "give both as one call of the processor made them"
        )
    made = [
        PatchGrid.from_thw(
            grid.tolist(),
            patch_size=part.patch_size,
            spatial_merge_size=part.merge_size,
            temporal_patch_size=part.temporal_patch_size,
            order=family.order,
            video=modality == "video",
        )
        for grid in grids
    ]
    places = (fields["mm_token_type_ids"] == TYPES[modality]) & fields["attention_mask"].bool()
    if sum(grid.tokens for grid in made) != int(places.sum()):
        raise InputError(
            f"the prompt has {int(places.sum())} placeholders for {modality}s, whose pictures have "
            f"{sum(grid.tokens for grid in made)} tokens: give ids and pixels as one call of the processor made them"
        )
    rows = runs([grid.tokens for grid in made], places.sum(1).tolist())
    raw = levels(values, part, normalised)
    return [
        Picture(modality, grid, frames_of(patches, grid), row)
        for grid, patches, row in zip(made, raw.split(sizes), rows, strict=True)
    ]


def is_text(source: Any) -> bool:
    """Say whether it is a text or a list of texts."""
    return isinstance(source, str) or (
        isinstance(source, Sequence) and bool(source) and all(isinstance(item, str) for item in source)
    )


def is_conversation(source: Any) -> bool:
    """Say whether it is a list of messages, or of such lists."""
    if not isinstance(source, Sequence) or isinstance(source, (str, bytes)) or not source:
        return False
    return all(isinstance(item, Mapping) or is_conversation(item) for item in source)
