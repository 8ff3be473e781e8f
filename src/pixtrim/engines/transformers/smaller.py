"""Prompts of models that cut pictures into fixed tiles: no token can be left out, so pictures are made smaller."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pixtrim.coordinates import CoordinateMap
from pixtrim.engines.families import TILED, Tiling, family_of
from pixtrim.engines.transformers.config import PruneConfig
from pixtrim.engines.transformers.outcome import Outcome
from pixtrim.engines.transformers.prompt import is_conversation, processed
from pixtrim.engines.transformers.tiles import Tiles, reduce
from pixtrim.errors import UsageError
from pixtrim.image import load

__all__ = ["PictureReducer", "Smaller", "SmallerPictures", "tiled_part"]

Change = Callable[[Any, bool], Any]
"""Takes a picture and whether it is the only one of its conversation, and returns the one to take its place."""

SOURCES = ("image", "url", "path", "base64")
"""Where a message may hold a picture, in the order in which transformers looks."""


@dataclass(frozen=True, eq=False)
class Smaller:
    """What became of one picture.

    Attributes
    ----------
    tokens, kept : int
        Placeholders that stood for it, and that stand for it now.
    operator : str
        ``"none"``, or what was done: ``"fold"``, ``"pad"``, ``"resize"``, joined by ``+``.
    coordinates : CoordinateMap
        Where places of the picture that the model sees are in the original:
        ``coordinates.to_original(boxes=[[x0, y0, x1, y1]])``.
    """

    tokens: int
    kept: int
    operator: str
    coordinates: CoordinateMap


@dataclass(frozen=True, eq=False)
class SmallerPictures(Outcome):
    """What became of the last prompt of a model of fixed tiles.

    Attributes
    ----------
    pictures : tuple of Smaller
        Each picture of the prompt, in the order of their placeholders.
    note : str
        Why no token can be left out, and what is done in its place.
    """

    pictures: tuple[Smaller, ...]
    note: str

    def __str__(self) -> str:
        why = f": {self.note}" if self.tokens and self.kept == self.tokens else ""
        return super().__str__() + why


class PictureReducer:
    """Make the pictures of prompts smaller before a model's own processor cuts them.

    Parameters
    ----------
    model : PreTrainedModel
    tiling : Tiling
        Its family.
    processor : ProcessorMixin
        Its processor.
    config : PruneConfig
        Its ``budget``; what chooses tokens has to be as it is by default.

    Attributes
    ----------
    note : str
        Why no token can be left out, and what is done in its place.

    Raises
    ------
    UsageError
        If the configuration sets what chooses tokens.
    """

    def __init__(self, model: Any, tiling: Tiling, processor: Any, config: PruneConfig) -> None:
        plain = PruneConfig()
        names = [field.name for field in fields(config) if field.name != "budget"]
        idle = [name for name in names if getattr(config, name) != getattr(plain, name)]
        if idle:
            raise UsageError(f"{' and '.join(idle)}: {tiling.why}, so that no token can be chosen; set a budget alone")
        self.model, self.tiling, self.processor, self.budget = model, tiling, processor, config.budget
        self.note = _note(Tiles(tiling, processor, {}))

    def __call__(
        self, source: Any, images: Any = None, videos: Any = None, *, past_key_values: Any = None, **settings: Any
    ) -> tuple[Any, SmallerPictures]:
        """Make the inputs of the model; parameters are those of `TransformersPruner.__call__`.

        Returns
        -------
        (BatchFeature, SmallerPictures)
            What the processor makes of the smaller pictures, on the model's device and in its floating point type.

        Raises
        ------
        UsageError
            If the source is a processor's output, a picture has more than 8 bits, or the budget is below what any
            picture costs.
        """
        if isinstance(source, Mapping) or hasattr(source, "data"):
            raise UsageError(
                f"a processor's output: {self.tiling.why}, and these are cut; give messages, or texts and images"
            )
        if past_key_values is not None:
            raise UsageError(
                f"past_key_values: {self.tiling.title} encodes all pictures of a prompt; leave the cache out"
            )
        pictures: list[Smaller] = []
        tiles = {alone: Tiles(self.tiling, self.processor, settings, alone) for alone in (True, False)}

        def smaller(picture: Any, alone: bool) -> Any:
            image, became = _smaller(picture, tiles[alone], self.budget)
            pictures.append(became)
            return image

        if images is not None:
            images = _in_lists(images, smaller)
        elif is_conversation(source):
            source = _in_messages(source, smaller)
        inputs = processed(self.processor, source, images, videos, **settings)
        became = SmallerPictures(tuple(pictures), _note(tiles[True]))
        if videos is None and not _has_clips(source):
            self._check(inputs, became)
        return inputs.to(self.model.device, dtype=self.model.dtype), became

    def _check(self, inputs: Any, became: SmallerPictures) -> None:
        """Make sure that the rule by which pictures were reduced is the one that the processor follows."""
        config = self.model.config
        token = getattr(config, "image_token_id", None) or config.image_token_index
        count = int((inputs["input_ids"] == token).sum())
        if count != became.kept:
            raise UsageError(
                f"{type(self.processor).__name__} wrote {count} placeholders for pictures that cost {became.kept} by "
                "its rule: it has settings that the engine cannot follow, or a limit on the length; call it by itself"
            )


def tiled_part(model: Any) -> tuple[Any, Tiling] | None:
    """Return the part of a model, inside wrappers, that is of a family of fixed tiles; None if tokens can be left out.

    Raises
    ------
    UsageError
        If its type is not known.
    """
    for module in model.modules():
        model_type = getattr(getattr(module, "config", None), "model_type", None)
        if model_type in TILED:
            return module, TILED[model_type]
        if model_type is not None:
            family_of(model_type)
            return None
    raise UsageError(f"{type(model).__name__} has no configuration with a model_type: give a model of transformers")


def _note(tiles: Tiles) -> str:
    if tiles.fixed:
        return f"{tiles.tiling.why}: each costs the same, and nothing can be saved"
    return f"{tiles.tiling.why}: none of their tokens can be left out, so pictures are folded where that saves tiles"


def _smaller(picture: Any, tiles: Tiles, budget: Any) -> tuple[Any, Smaller]:
    """Return the picture that the processor is given, which is the same object where nothing is saved."""
    given = picture
    if isinstance(picture, (str, os.PathLike)):
        from transformers.image_utils import load_image

        given = os.fspath(picture)
        picture = load_image(given)
        if given.startswith(("http://", "https://")):
            given = picture  # not to be fetched twice
    part = reduce(_pixels(picture), tiles, budget)
    width, height = part.coordinates.original_size
    before, after = tiles.seen(width, height).tokens, tiles.seen(*part.size).tokens
    image = Image.fromarray(part.image) if part.steps else given
    return image, Smaller(before, after, "+".join(part.steps) or "none", part.coordinates)


def _pixels(picture: Any) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3), as the processor sees the picture."""
    if isinstance(picture, Image.Image):
        return np.ascontiguousarray(picture.convert("RGB"))
    array = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else np.asarray(picture)
    if array.dtype != np.uint8:
        raise UsageError(f"a picture is an array of {array.dtype}: give uint8, a PIL image, a path or an address")
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    return np.ascontiguousarray(load(array).pixels)


def _in_lists(images: Any, change: Change) -> Any:
    """Change pictures in a list, or a list of the pictures of each text; a flat list does not say whose they are."""
    if not isinstance(images, (list, tuple)):
        return change(images, True)
    return [
        [change(picture, len(item) == 1) for picture in item] if isinstance(item, (list, tuple)) else change(item, True)
        for item in images
    ]


def _in_messages(source: Any, change: Change) -> Any:
    """Change the pictures in a conversation, or a list of them; what was given stays as it is."""
    if not isinstance(source[0], Mapping):
        return [_in_messages(conversation, change) for conversation in source]
    alone = sum(_held(part) is not None for message in source for part in _parts(message)) == 1
    return [
        {**message, "content": [_changed(part, change, alone) for part in _parts(message)]}
        if _parts(message)
        else message
        for message in source
    ]


def _changed(part: Any, change: Change, alone: bool) -> Any:
    held = _held(part)
    if held is None:
        return part
    rest = {name: value for name, value in part.items() if name not in (*SOURCES, "image_url")}
    return {**rest, "type": "image", "image": change(held, alone)}


def _held(part: Any) -> Any:
    """Return the picture that a part of a message holds, or None."""
    if part.get("type") == "image_url":
        address = part["image_url"]
        return address["url"] if isinstance(address, Mapping) else address
    if part.get("type") != "image":
        return None
    return next((part[name] for name in SOURCES if part.get(name) is not None), None)


def _parts(message: Any) -> Any:
    """Return the parts of a message; none where it is plain text."""
    content = message.get("content")
    return [] if content is None or isinstance(content, str) else content


def _has_clips(source: Any) -> bool:
    if isinstance(source, Mapping):
        return any(part.get("type") == "video" for part in _parts(source))
    return not isinstance(source, str) and any(_has_clips(item) for item in source)
