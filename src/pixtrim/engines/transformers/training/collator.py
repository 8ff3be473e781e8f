"""PruningCollator: examples in, batches of the kept tokens out, in any loader and any of its workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixtrim.engines.transformers.choice import choose
from pixtrim.engines.transformers.config import PruneConfig
from pixtrim.engines.transformers.encoder import Geometry, base_of
from pixtrim.engines.transformers.training.attach import is_ready
from pixtrim.engines.transformers.training.batch import batch_of, everything
from pixtrim.engines.transformers.training.examples import read_examples
from pixtrim.engines.transformers.versions import check_version
from pixtrim.errors import UsageError

__all__ = ["PruningCollator"]


@dataclass(frozen=True)
class RopeIndex:
    """A model's own numbering of positions, without the model: it reads the configuration alone.

    Attributes
    ----------
    kind : type
        The class of the model's base.
    config : PretrainedConfig
        Its configuration.
    """

    kind: type
    config: Any

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Number positions."""
        return self.kind.get_rope_index(self, *args, **settings)  # type: ignore[attr-defined]

    def get_vision_position_ids(self, *args: Any, **settings: Any) -> Any:
        """Number the positions of one picture; the method above calls it."""
        return self.kind.get_vision_position_ids(self, *args, **settings)  # type: ignore[attr-defined]


class PruningCollator:
    r"""Make batches for training from examples, with the kept tokens of their pictures only.

    The batch is what the stock model takes: ``model(**batch).loss`` and its gradients, with and without PEFT and
    gradient checkpointing, on any device. It holds neither the model nor weights, and can be sent to a loader's
    workers.

    Parameters
    ----------
    model : PreTrainedModel
        The model that is trained, or a wrapper of it.
    processor : ProcessorMixin
        Its processor.
    config : PruneConfig, optional
        Which tokens go; or its fields by name. It cannot have a second stage, ``after``.
    answers : (str, str), optional
        What stands before and after each answer in the text of the chat template, such as
        ``("<|im_start|>assistant\n", "<|im_end|>")``. By default the template says it by ``{% generation %}``, or it
        is found out from what the template writes for messages of the assistant.
    packing : bool
        Whether examples share rows without padding. Not for models with linear attention, which would mix them.
    max_length : int, optional
        The longest row in tokens after pruning. Packed examples go to as few rows as that needs in their order.
    full : bool
        Whether the batch has, as ``full``, also the batch of the whole pictures: what a teacher is given.
    processor_kwargs : dict, optional
        Settings of the processor, such as ``images_kwargs``.
    **settings
        Fields of `PruneConfig`.

    Raises
    ------
    UsageError
        If a setting is wrong, the model is not known, or it needs `attach` first.

    Notes
    -----
    An example is a dict of one of these kinds:

    - ``messages``, a conversation, with its pictures in the messages or beside them, as ``images`` or ``image``.
      What is learned is the answers.
    - what a processor made, ``input_ids``, ``pixel_values``, ``image_grid_thw``, ``mm_token_type_ids``, and ``labels``.

    Trainers drop fields of examples that they do not know unless told ``remove_unused_columns=False``.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        config: PruneConfig | None = None,
        *,
        answers: tuple[str, str] | None = None,
        packing: bool = False,
        max_length: int | None = None,
        full: bool = False,
        processor_kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        check_version()
        base = base_of(model)
        self.config = PruneConfig.of(config, settings)
        self.processor, self.geometry = processor, Geometry.of(base)
        self.rope_index = RopeIndex(type(base), base.config)
        self.answers, self.packing, self.max_length, self.full = answers, packing, max_length, full
        self.processor_kwargs = dict(processor_kwargs or {})
        family = self.geometry.family
        if not is_ready(base):
            raise UsageError(f"{family.title} cannot be given kept tokens as it is: call attach(model) first")
        if self.config.after is not None:
            raise UsageError("after is set: a second stage needs what the encoder makes; leave it out in training")
        if self.config.budget is not None:
            raise UsageError(f"budget is {self.config.budget!r}, which is for models of fixed tiles: give a threshold")
        if answers is not None and (isinstance(answers, str) or [type(part) for part in answers] != [str, str]):
            raise UsageError(f"answers is {answers!r}: give two strings, what stands before and what after an answer")
        if max_length is not None and (
            isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1
        ):
            raise UsageError(f"max_length is {max_length!r}: give a number of tokens from 1, or None")
        if packing and family.linear_attention:
            raise UsageError(
                f"packing: layers of {family.title} carry a state from one example to the next; leave it out"
            )
        if packing and max_length is not None and "flash" in str(base.config.text_config._attn_implementation):
            raise UsageError(
                "packing with max_length makes several rows, and flash attention takes one: leave max_length out"
            )

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Make a batch.

        Parameters
        ----------
        examples : sequence of mapping
            All of one kind: see the notes of the class.

        Returns
        -------
        dict
            The arguments of the model's forward, on the CPU: ``input_ids`` and ``labels`` (B, L), ``position_ids``
            (4, B, L), ``attention_mask`` where rows are not packed, pixels, and arguments for the encoder.

        Raises
        ------
        UsageError, InputError
            If the examples cannot be used.
        """
        family = self.geometry.family
        prompt = read_examples(self.processor, family, examples, self.answers, **self.processor_kwargs)
        rest = self.processor, self.geometry, self.rope_index, self.packing
        batch = batch_of(prompt, choose(prompt, self.config), *rest, self.max_length)
        if self.full:
            batch["full"] = batch_of(prompt, [everything(picture) for picture in prompt.pictures], *rest)
        return batch
