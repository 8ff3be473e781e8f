"""Self-distillation: a model that is given kept tokens learns to say what it says of whole pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Trainer

from pixtrim.engines.transformers.training.examples import IGNORED
from pixtrim.errors import UsageError

__all__ = ["DistillingTrainer", "distillation_loss"]


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    student_labels: Tensor,
    teacher_labels: Tensor,
    temperature: float = 1.0,
) -> Tensor:
    """Return how far what a student says of answers is from what a teacher says.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        (B, L, V) of the pruned prompt, and (B, M, V) of the whole one.
    student_labels, teacher_labels : Tensor
        (B, L) and (B, M): -100 where nothing is learned; the same answers in both.
    temperature : float
        By which logits are divided, above 0.

    Returns
    -------
    Tensor
        float32 (): the Kullback-Leibler divergence from the teacher's distribution, mean over the tokens of answers,
        times the square of the temperature, which keeps the size of its gradients.

    Raises
    ------
    UsageError
        If the labels are not the same answers, or the temperature is not above 0.

    Examples
    --------
    >>> logits, labels = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]), torch.tensor([[-100, 1]])
    >>> float(distillation_loss(logits, logits, labels, labels))
    0.0
    """
    if not temperature > 0:
        raise UsageError(f"temperature is {temperature!r}: give a number above 0")
    student, learned = _of_answers(student_logits, student_labels)
    teacher, taught = _of_answers(teacher_logits, teacher_labels)
    if not torch.equal(learned, taught):
        raise UsageError(
            f"the student's labels have {len(learned)} tokens of answers, and the teacher's {len(taught)} or others: "
            "give both batches of one call of PruningCollator(full=True)"
        )
    told, known = (functional.log_softmax(logits.float() / temperature, -1) for logits in (student, teacher))
    return functional.kl_div(told, known, reduction="batchmean", log_target=True) * temperature**2


def _of_answers(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits that predict answers, and the answers' ids."""
    following = labels[:, 1:].to(logits.device)
    places = following != IGNORED
    return logits[:, :-1][places], following[places]


class DistillingTrainer(Trainer):
    """A trainer whose loss is that of the labels plus the distance to a teacher that sees whole pictures.

    Parameters
    ----------
    *args, **settings
        As for `transformers.Trainer`; the collator is a `PruningCollator` with ``full=True``.
    teacher : PreTrainedModel, optional
        By default the model itself, as it is at each step.
    temperature : float
        See `distillation_loss`.
    weight : float
        How much the distance counts, from 0.

    Raises
    ------
    UsageError
        If a batch has no whole pictures.
    """

    def __init__(
        self, *args: Any, teacher: Any = None, temperature: float = 1.0, weight: float = 1.0, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.teacher, self.temperature, self.weight = teacher, temperature, weight
        if teacher is not None:
            teacher.to(self.args.device).eval()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Add the distance to the loss of the labels."""
        inputs = dict(inputs)
        full = inputs.pop("full", None)
        if full is None:
            raise UsageError("the batch has no whole pictures: give PruningCollator full=True")
        known = _answer(self.teacher or model, {**full, "use_cache": False, "labels": None})
        loss, outputs = super().compute_loss(model, dict(inputs), True, num_items_in_batch)
        distance = distillation_loss(outputs.logits, known, inputs["labels"], full["labels"], self.temperature)
        if self.model_accepts_loss_kwargs and num_items_in_batch is not None:
            distance = (
                distance / self.current_gradient_accumulation_steps
            )  # that loss is a share of all batches' already
        loss = loss + self.weight * distance
        return (loss, outputs) if return_outputs else loss


def _answer(teacher: Any, full: dict[str, Any]) -> Tensor:
    """Ask the teacher, without dropout; without labels it computes no loss."""
    training = [module for module in teacher.modules() if module.training]
    teacher.eval()
    try:
        with torch.no_grad():
            logits: Tensor = teacher(**full).logits
    finally:
        for module in training:
            module.training = True
    return logits
