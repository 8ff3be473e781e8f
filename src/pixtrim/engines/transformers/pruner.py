"""TransformersPruner: prompts in, inputs of ``model.generate`` with fewer visual tokens out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixtrim.engines import mrope
from pixtrim.engines.transformers.after import reduce_outputs
from pixtrim.engines.transformers.after.attention import blocks_of, received_attention
from pixtrim.engines.transformers.choice import Chosen, choose
from pixtrim.engines.transformers.config import PruneConfig
from pixtrim.engines.transformers.encoder import Geometry, base_of, encode
from pixtrim.engines.transformers.kept import kept_fields, kept_patches, pad_id
from pixtrim.engines.transformers.outcome import Outcome
from pixtrim.engines.transformers.prompt import PARTS, Prompt, read_prompt
from pixtrim.engines.transformers.smaller import PictureReducer, SmallerPictures, tiled_part
from pixtrim.engines.transformers.versions import check_version
from pixtrim.errors import UsageError

__all__ = ["Pruned", "TransformersPruner"]


@dataclass(frozen=True)
class Pruned(Outcome):
    """What became of the last prompt.

    Attributes
    ----------
    pictures : tuple of Chosen
        Each picture and clip of the prompt: its plans, and what was kept of it.
    prompt_tokens : tuple of int
        Tokens of each row of the prompt, text and pictures, before.
    kept_prompt_tokens : tuple of int
        The same after.
    """

    pictures: tuple[Chosen, ...]
    prompt_tokens: tuple[int, ...]
    kept_prompt_tokens: tuple[int, ...]

    @property
    def plans(self) -> list[Any]:
        """The `KeepPlan` of every picture, and of every slot of a clip."""
        return [plan for picture in self.pictures for plan in picture.plans]


class TransformersPruner:
    """Leave visual tokens out before a transformers model sees them; the model and its class stay as they are.

    Parameters
    ----------
    model : PreTrainedModel
        A model of a known family, on any device, compiled or not. Of models that cut pictures into fixed tiles no token
        can be left out; what they are given are pictures that cost fewer, and `note` says why.
    processor : ProcessorMixin
        Its processor.
    config : PruneConfig, optional
        Which tokens go; or its fields by name.
    **settings
        Fields of `PruneConfig`.

    Attributes
    ----------
    last : Pruned, SmallerPictures or None
        What became of the last prompt.
    note : str or None
        Why no token can be left out; None where that can be done.

    Raises
    ------
    UsageError
        If transformers has a version, or the model an architecture, that is not known.
    """

    def __init__(self, model: Any, processor: Any, config: PruneConfig | None = None, **settings: Any) -> None:
        check_version()
        self.config = PruneConfig.of(config, settings)
        self.processor = processor
        self.last: Pruned | SmallerPictures | None = None
        self.note: str | None = None
        self._reducer: PictureReducer | None = None
        tiled = tiled_part(model)
        if tiled is not None:
            self._reducer = PictureReducer(*tiled, processor, self.config)
            self.note = self._reducer.note
            return
        if self.config.budget is not None:
            raise UsageError(
                f"budget is {self.config.budget!r}, which is for models of fixed tiles: give this one a threshold, "
                "or a second stage (after) with a budget of its own"
            )
        self._base = base_of(model)
        self._geometry = Geometry.of(self._base)

    def __call__(
        self, source: Any, images: Any = None, videos: Any = None, *, past_key_values: Any = None, **settings: Any
    ) -> Any:
        """Make the inputs of ``model.generate`` or of the model itself.

        Parameters
        ----------
        source : messages, str, list of either, or a processor's output
            Conversations with their pictures; texts with placeholders; or what the processor returned, with
            ``return_tensors="pt"``.
        images, videos
            Pictures and clips of placeholders that hold none.
        past_key_values : Cache, optional
            Of an earlier turn of the same conversation: pictures whose tokens it holds are not encoded again. Give it
            to ``generate`` as well.
        **settings
            For the processor.

        Returns
        -------
        BatchFeature
            ``input_ids``, ``attention_mask``, ``position_ids`` (4, B, L) and, where there are pictures,
            ``mm_encoder_outputs``; beam search changes the latter, so make inputs anew for each call. For models of
            fixed tiles, what the processor makes of the smaller pictures.

        Raises
        ------
        UsageError, InputError
            If the prompt cannot be used.
        """
        from transformers import BatchFeature

        if self._reducer is not None:
            inputs, self.last = self._reducer(source, images, videos, past_key_values=past_key_values, **settings)
            return inputs
        prompt = read_prompt(self.processor, self._geometry.family, source, images, videos, **settings)
        chosen = choose(prompt, self.config)
        if self.config.after is not None and past_key_values is not None:
            raise UsageError("past_key_values and after: a second stage needs all pictures; use one of them")
        past = 0 if past_key_values is None else past_key_values.get_seq_length()
        with torch.set_grad_enabled(self._base.training and torch.is_grad_enabled()):
            outputs, chosen = self._encoded(prompt, chosen, past)
        fields = self._dropped(prompt, chosen)
        self.last = Pruned(
            tuple(chosen),
            tuple(prompt.fields["attention_mask"].sum(1).tolist()),
            tuple(fields["attention_mask"].sum(1).tolist()),
        )
        fields.pop("mm_token_type_ids", None)
        result = BatchFeature({name: value.to(self._base.device) for name, value in fields.items()})
        if outputs:
            result["mm_encoder_outputs"] = outputs
        return result

    def _encoded(self, prompt: Prompt, chosen: list[Chosen], past: int) -> tuple[dict[str, Any], list[Chosen]]:
        """Encode the pictures that the cache does not hold; a second stage chooses among their tokens."""
        outputs: dict[str, Any] = {}
        left = list(chosen)
        new = self._uncached(prompt, chosen, past) if past else range(len(chosen))
        for modality in PARTS:
            numbers = [number for number in new if chosen[number].modality == modality]
            if not numbers:
                continue
            grids, keeps = [chosen[n].grid for n in numbers], [chosen[n].keep for n in numbers]
            values = kept_patches([prompt.pictures[n] for n in numbers], [chosen[n] for n in numbers], self.processor)
            reducer = self.config.after
            layers = () if reducer is None else reducer.layers(len(blocks_of(self._base.visual)))
            with received_attention(self._base.visual, layers) as attention:
                outputs[modality] = encode(self._base, self._geometry, modality, values, grids, keeps)
            if reducer is not None:
                scores = attention.by_picture(self._geometry, grids, keeps)
                for number, keep in zip(
                    numbers, reduce_outputs(reducer, outputs[modality], scores, grids, keeps), strict=True
                ):
                    left[number] = chosen[number].reduced(keep)
        return outputs, left

    def _uncached(self, prompt: Prompt, chosen: list[Chosen], past: int) -> list[int]:
        """Return the numbers of the pictures whose tokens lie behind the part of the prompt that a cache holds."""
        types = self._dropped(prompt, chosen)["mm_token_type_ids"]
        numbers = []
        for modality in PARTS:
            mine = [number for number, picture in enumerate(chosen) if picture.modality == modality]
            known = mrope.cached([chosen[number].kept for number in mine], types, modality, past)
            numbers += [number for number, held in zip(mine, known, strict=True) if not held]
        return numbers

    def _dropped(self, prompt: Prompt, chosen: list[Chosen]) -> dict[str, Tensor]:
        """Leave out the placeholders of tokens that are not kept, and tell the model how far positions are ahead."""
        if not prompt.pictures:
            return dict(prompt.fields)
        fields = kept_fields(prompt, chosen, self._base.get_rope_index, pad_id(self.processor))
        positions = fields["position_ids"]
        self._base.rope_deltas = mrope.rope_deltas(positions, fields["attention_mask"]).to(self._base.device)
        fields["position_ids"] = mrope.with_text_row(positions, fields["attention_mask"])
        return fields
