"""Which tokens of a prompt's pictures are encoded, and which of those the language model is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pixtrim.engines.transformers.config import PruneConfig
from pixtrim.engines.transformers.prompt import Picture, Prompt
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune import KeepPlan
from pixtrim.pruning import Session, prune_clip

__all__ = ["Chosen", "choose"]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What is kept of one picture or clip.

    Attributes
    ----------
    modality : {"image", "video"}
    row : int
        The sample of the batch that it belongs to.
    grid : PatchGrid
    plans : tuple of KeepPlan
        One; for a clip one for each slot of frames. These tokens are encoded.
    keep : ndarray
        bool (grid_h, grid_w), or for a clip (slots, grid_h, grid_w): the tokens that the language model is given, which
        are fewer where there is a second stage.
    """

    modality: str
    row: int
    grid: PatchGrid
    plans: tuple[KeepPlan, ...]
    keep: NDArray[np.bool_]

    @classmethod
    def of(cls, picture: Picture, plans: tuple[KeepPlan, ...]) -> Chosen:
        """Keep what plans keep."""
        keep = plans[0].keep if picture.grid.grid_thw[0] == 1 else np.stack([plan.keep for plan in plans])
        return cls(picture.modality, picture.row, picture.grid, plans, keep)

    @property
    def tokens(self) -> int:
        """Tokens of the picture or clip."""
        return self.grid.tokens

    @property
    def encoded(self) -> int:
        """Tokens that the vision encoder is given."""
        return sum(plan.kept for plan in self.plans)

    @property
    def kept(self) -> int:
        """Tokens that the language model is given."""
        return int(self.keep.sum())

    def reduced(self, keep: NDArray[np.bool_]) -> Chosen:
        """Return it with what a second stage keeps."""
        return replace(self, keep=keep)

    def take(self, picture: Picture) -> NDArray[np.uint8]:
        """Cut the tokens of the plans out of the picture: uint8 (encoded, token height, token width, 3)."""
        if self.modality == "image":
            return self.plans[0].take(picture.frames[0])
        slots = self.grid.stack(picture.frames)
        return np.concatenate([plan.take(slot) for plan, slot in zip(self.plans, slots, strict=True)])


def choose(prompt: Prompt, config: PruneConfig) -> list[Chosen]:
    """Plan every picture of a prompt, in the order of `Prompt.pictures`; at least one token of each is kept."""
    chosen = []
    session, row = Session(settings=config), -1
    for picture in prompt.pictures:
        if picture.modality == "video":
            plans = tuple(prune_clip(picture.frames, picture.grid, settings=config))
        elif config.reference == "previous":
            if picture.row != row:
                session, row = Session(settings=config), picture.row
            plans = (session.add_fitted(picture.grid, picture.frames[0]),)
        else:
            plans = (config.plans(picture.grid, picture.frames[0])[1],)
        chosen.append(Chosen.of(picture, plans))
    return chosen
