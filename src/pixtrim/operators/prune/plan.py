"""What pruning decides: which tokens of a picture stay, and where the others' pixels come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune.metrics import Tolerance
from pixtrim.operators.prune.picture import Pixels, Sources, corners_of, origins

__all__ = ["KeepPlan"]


@dataclass(frozen=True, eq=False)
class KeepPlan:
    """Which merged tokens of a picture to keep, and how to rebuild the picture from them.

    Attributes
    ----------
    grid : PatchGrid
        Where the tokens lie, in the picture and in what the model's processor makes of it.
    sources : ndarray
        int32 (grid_h, grid_w), read-only: each token's own number (row by row) where it is kept; the number of the kept
        token that stands for it; or, for tokens that the reference has at its place displaced by ``offsets[k]``,
        ``grid_h * grid_w * (k + 1)`` plus the number of that place.
    selector : str
        The selector that chose.
    tolerance : Tolerance
        Metric and threshold.
    anchored : bool
        Whether tokens were compared with reconstructed neighbours.
    bounded : bool
        Whether each dropped token is within the tolerance of its source.
    offsets : ndarray
        int32 (K, 2), read-only: displacements (dy, dx) in pixels into the reference; empty without one.
    reference_size : tuple of int or None
        Width and height of the reference; None for a plan that stands on its own (a key frame).

    Examples
    --------
    >>> from pixtrim import prune
    >>> page = np.full((128, 128, 3), 255, np.uint8)
    >>> page[40:50, 40:90] = 0
    >>> plan = prune(page, PatchGrid.from_thw((1, 8, 8)))
    >>> plan.kept, plan.tokens, plan.keep.astype(int).tolist()
    (5, 16, [[1, 0, 0, 0], [0, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    >>> bool((plan.decode(plan.take(page)) == page).all())
    True
    """

    grid: PatchGrid
    sources: Sources
    selector: str
    tolerance: Tolerance
    anchored: bool
    bounded: bool
    offsets: NDArray[np.int32]
    reference_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("sources", "offsets"):
            array = np.array(getattr(self, name), np.int32)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeepPlan):
            return NotImplemented
        return self._scalars() == other._scalars() and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("sources", "offsets")
        )

    def __hash__(self) -> int:
        return hash((self._scalars(), self.sources.tobytes()))

    def _scalars(self) -> tuple[object, ...]:
        return (self.grid, self.selector, self.tolerance, self.anchored, self.bounded, self.reference_size)

    @cached_property
    def keep(self) -> NDArray[np.bool_]:
        """The tokens that stay: bool (grid_h, grid_w), at least one of them True."""
        own = np.arange(self.sources.size, dtype=np.int32).reshape(self.sources.shape)
        keep: NDArray[np.bool_] = self.sources == own
        return keep

    @cached_property
    def origins(self) -> NDArray[np.uint8]:
        """Where each token's pixels come from: uint8 (grid_h, grid_w), see `pixtrim.operators.prune.Origin`."""
        return origins(self.sources)

    @property
    def tokens(self) -> int:
        """Tokens of the picture."""
        return int(self.sources.size)

    @cached_property
    def kept(self) -> int:
        """Tokens that stay, at least 1."""
        return int(self.keep.sum())

    @property
    def ratio(self) -> float:
        """Share of the tokens that stays, above 0 and up to 1."""
        return self.kept / self.tokens

    @property
    def key(self) -> bool:
        """Whether the plan needs no reference picture."""
        return not bool((self.sources >= self.tokens).any())

    @property
    def bound(self) -> float | None:
        """Largest error of a decoded pixel, in levels; None where nothing bounds it."""
        if not self.bounded:
            return None
        if self.tolerance.exact:
            return 0.0
        return self.tolerance.threshold if self.tolerance.metric == "max" else None

    @property
    def indices(self) -> NDArray[np.int64]:
        """Kept tokens, in the order in which the model's processor lays them out: int64 (kept,)."""
        return self.grid.token_indices(self.keep)

    @property
    def patch_indices(self) -> NDArray[np.int64]:
        """Rows of the processor's ``pixel_values`` that belong to kept tokens, in its order: int64 (patches,)."""
        return self.grid.patch_indices(self.keep)

    def take(self, pixels: Pixels) -> Pixels:
        """Cut the kept tokens out of the fitted picture.

        Parameters
        ----------
        pixels : ndarray
            uint8 (H, W, 3): what `PatchGrid.fit_pixels` makes of the picture.

        Returns
        -------
        ndarray
            uint8 (kept, token height, token width, 3).

        Raises
        ------
        UsageError
            If it has another size, or is not C-contiguous.
        """
        return self.grid.view_tokens(pixels)[self.keep]

    def decode(self, tokens: Pixels, reference: Pixels | None = None) -> Pixels:
        """Rebuild the picture from the kept tokens.

        Parameters
        ----------
        tokens : ndarray
            uint8 (kept, token height, token width, 3), from `take`.
        reference : ndarray, optional
            uint8 (H2, W2, 3): the picture that the plan refers to, for plans that are no `key`.

        Returns
        -------
        ndarray
            uint8 (H, W, 3): equal to the fitted picture at threshold 0; else within `bound` of it.

        Raises
        ------
        UsageError
            If the tokens or the reference are not those of the plan.
        """
        height, width = self.grid.token_shape
        needed = (self.kept, height, width, 3)
        if not isinstance(tokens, np.ndarray) or tokens.dtype != np.uint8 or tokens.shape != needed:
            raise UsageError(f"the tokens are {_described(tokens)}: the plan has uint8 {needed}")
        count = self.tokens
        flat = self.sources.ravel()
        rank = np.cumsum(self.keep.ravel()) - 1
        local = flat < count
        found = np.empty((count, height, width, 3), np.uint8)
        found[local] = tokens[rank[flat[local]]]
        if not self.key:
            picture = self._checked_reference(reference)
            windows = sliding_window_view(picture, (height, width), axis=(0, 1))
            offset, place = np.divmod(flat[~local] - count, count)
            corners = corners_of(place, self.sources.shape[1], self.grid.token_shape) + self.offsets[offset]
            found[~local] = windows[corners[:, 0], corners[:, 1]].transpose(0, 2, 3, 1)
        grid = found.reshape(*self.sources.shape, height, width, 3)
        return grid.swapaxes(1, 2).reshape(*self._fitted_shape(), 3)

    def to_bytes(self) -> bytes:
        """Pack the plan: see `pixtrim.operators.prune.packing`."""
        from pixtrim.operators.prune.packing import pack

        return pack(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> KeepPlan:
        """Unpack a plan; raises InputError where the bytes are not one, or are damaged."""
        from pixtrim.operators.prune.packing import unpack

        return unpack(data)

    def _fitted_shape(self) -> tuple[int, int]:
        (rows, columns), (height, width) = self.sources.shape, self.grid.token_shape
        return rows * height, columns * width

    def _checked_reference(self, reference: Pixels | None) -> Pixels:
        size = self.reference_size
        if reference is None:
            raise UsageError("the plan refers to another picture: give it as reference")
        shape = (size[1], size[0], 3) if size else None
        if not isinstance(reference, np.ndarray) or reference.dtype != np.uint8 or reference.shape != shape:
            raise UsageError(f"the reference is {_described(reference)}: the plan was made with uint8 {shape}")
        return reference


def _described(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
