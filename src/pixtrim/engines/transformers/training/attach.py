"""attach() and detach(): what a model itself must learn before it is trained on the kept tokens of pictures.

For most families that is nothing: their own forward takes all that `PruningCollator` makes. The encoders of GLM-4V
divide by the size of the full grid, and its forward then expects a full picture's tokens from them; so a hook, on this
one model and not on its class, encodes the kept tokens first.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pixtrim.engines.families import family_of
from pixtrim.engines.transformers.encoder import base_of, encode_full
from pixtrim.engines.transformers.prompt import GRIDS, VALUES
from pixtrim.engines.transformers.versions import check_version

__all__ = ["attach", "detach", "is_ready"]

Model = TypeVar("Model")
HANDLE = "_pixtrim_handle"


def attach(model: Model) -> Model:
    """Make a model ready for the batches of `PruningCollator`.

    A model can be attached twice, and wrapped afterwards or before, by PEFT for example. What it computes for other
    batches stays as it was.

    Parameters
    ----------
    model : PreTrainedModel
        A model of a known family, or a wrapper of one.

    Returns
    -------
    PreTrainedModel
        The same.

    Raises
    ------
    UsageError
        If transformers has a version, or the model an architecture, that is not known.
    """
    check_version()
    base = base_of(model)
    if not is_ready(base):
        setattr(base, HANDLE, base.register_forward_pre_hook(_encode_kept, with_kwargs=True))
    return model


def detach(model: Model) -> Model:
    """Undo `attach`: the model is again as it was; one that was not attached stays as it is.

    Raises
    ------
    UsageError
        If the model has an architecture that is not known.
    """
    base = base_of(model)
    family_of(base.config.model_type)
    if hasattr(base, HANDLE):
        getattr(base, HANDLE).remove()
        delattr(base, HANDLE)
    return model


def is_ready(model: Any) -> bool:
    """Say whether a model can be given batches of kept tokens: it needs no `attach`, or has had it.

    Raises
    ------
    UsageError
        If the model has an architecture that is not known.
    """
    base = base_of(model)
    return not family_of(base.config.model_type).full_grid or hasattr(base, HANDLE)


def _encode_kept(base: Any, args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Before a forward: encode pictures whose kept tokens are counted, and give it outputs in place of pixels."""
    outputs = {}
    inputs = dict(inputs)
    for modality, values in VALUES.items():
        counts = inputs.pop(f"{modality}_kept", None)
        if counts is None:
            continue
        grids, start = inputs.pop(GRIDS[modality]), f"{modality}_"
        arguments = {name.removeprefix(start): inputs.pop(name) for name in list(inputs) if name.startswith(start)}
        outputs[modality] = encode_full(base, inputs.pop(values), grids, counts.tolist(), **arguments)
    if outputs:
        inputs["mm_encoder_outputs"] = outputs
    return args, inputs
