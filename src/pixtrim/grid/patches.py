"""PatchGrid: where the patches and tokens of a picture or clip lie, in its pixels and in what processors make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.grid.checks import FITS, consistent, described, one_of, picture, three, whole
from pixtrim.grid.layout import padded, resized, stacked
from pixtrim.grid.sizes import fitted_size
from pixtrim.tokens import models, resolve

__all__ = ["PatchGrid"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """A still picture, or a clip, on a model's grid.

    Processors double a still picture to fill the frames of a slot. That copy is never made here: a still picture has
    ``frames = 1``.

    Attributes
    ----------
    width, height : int
        Size of the picture, or of each frame, in pixels, before it is fitted.
    grid_thw : tuple of int
        Time slots, rows and columns, the latter two in patches, as processors return them.
    patch_size : int
        Side of a patch in pixels.
    spatial_merge_size : int
        Patches on the side of a token.
    temporal_patch_size : int
        Frames in a slot.
    order : {"merged", "raster"}
        How the processor lists the patches: token by token, or row by row.
    fit : {"resize", "pad"}
        How the picture gets the fitted size: scaled as the processor does, or padded at the right and below.
    frames : int
        Frames of a clip; 1 for a still picture.

    Raises
    ------
    UsageError
        If a number is out of its range, or they do not fit one another.

    Examples
    --------
    >>> grid = PatchGrid.for_model("qwen3-vl", 1920, 1080)
    >>> grid.grid_thw, (grid.grid_h, grid.grid_w), grid.tokens
    ((1, 68, 120), (34, 60), 2040)
    >>> grid.fitted_width, grid.fitted_height
    (1920, 1088)
    """

    width: int
    height: int
    grid_thw: tuple[int, int, int]
    patch_size: int = 16
    spatial_merge_size: int = 2
    temporal_patch_size: int = 2
    order: str = "merged"
    fit: str = "resize"
    frames: int = 1

    def __post_init__(self) -> None:
        for name in ("width", "height", "patch_size", "spatial_merge_size", "temporal_patch_size", "frames"):
            object.__setattr__(self, name, whole(getattr(self, name), name))
        object.__setattr__(self, "grid_thw", three(self.grid_thw))
        consistent(self)

    @classmethod
    def for_model(cls, model: str, width: int, height: int, fit: str = "resize", frames: int = 1) -> PatchGrid:
        """Return the grid of a picture that is given to a model.

        Parameters
        ----------
        model : str
            A model that one runs oneself, by any name that `pixtrim.tokens.resolve` takes.
        width, height : int
            Size of the picture, or of each frame, in pixels.
        fit : {"resize", "pad"}
            ``"resize"``: the size to which the model's processor scales the picture. ``"pad"``: the smallest that holds
            the picture and that the processor leaves as it is; repeats in the picture stay exact.
        frames : int
            Frames of a clip, after sampling. Frames are never scaled: with ``"resize"`` they must have a size in whole
            tokens, such as the video processor gives them; with ``"pad"`` they are padded to one. What area the video
            processor allows depends on the checkpoint and all frames, and is not looked at.

        Returns
        -------
        PatchGrid

        Raises
        ------
        UsageError
            If nobody can drop tokens in that model, an argument is out of its range, a padded picture would have more
            pixels than the model takes, or frames are not whole tokens.
        InputError
            If the picture is so long and narrow that the processor refuses it.

        Examples
        --------
        >>> PatchGrid.for_model("Qwen/Qwen2.5-VL-7B-Instruct", 1000, 700, fit="pad").grid_thw
        (1, 50, 72)
        """
        rule = resolve(model)
        spec = rule.grid
        if spec is None:
            known = ", ".join(other.name for other in models() if other.grid)
            raise UsageError(
                f"tokens cannot be dropped in {rule.name}, only in models that one runs oneself and whose grid is "
                f"known: choose one of {known}"
            )
        one_of(fit, "fit", FITS)
        width, height, frames = whole(width, "width"), whole(height, "height"), whole(frames, "frames")
        across, down = fitted_size(rule, width, height, fit, frames)
        return cls(
            width=width,
            height=height,
            grid_thw=(-(-frames // spec.temporal_patch_size), down // spec.patch_size, across // spec.patch_size),
            patch_size=spec.patch_size,
            spatial_merge_size=spec.spatial_merge_size,
            temporal_patch_size=spec.temporal_patch_size,
            order=spec.order,
            fit=fit,
            frames=frames,
        )

    @classmethod
    def of(cls, pixels: Pixels, model: str, fit: str = "resize") -> PatchGrid:
        """Return the grid of a picture, uint8 (H, W, 3), that is given to a model: see `for_model`."""
        height, width = picture(pixels).shape[:2]
        return cls.for_model(model, width, height, fit)

    @classmethod
    def from_thw(
        cls,
        grid_thw: Sequence[int] | NDArray[np.integer],
        patch_size: int = 16,
        spatial_merge_size: int = 2,
        temporal_patch_size: int = 2,
        order: str = "merged",
        video: bool = False,
    ) -> PatchGrid:
        """Return the grid that a processor reports, of pictures that have the fitted size already.

        Parameters
        ----------
        grid_thw : sequence of int
            One row of the processor's ``image_grid_thw`` or ``video_grid_thw``.
        patch_size, spatial_merge_size, temporal_patch_size, order
            As the attributes.
        video : bool
            Whether it is a clip, with all slots full; else a still picture, with one slot.

        Returns
        -------
        PatchGrid

        Raises
        ------
        UsageError
            If a number is out of its range, or a still picture has more than one slot.

        Examples
        --------
        >>> grid = PatchGrid.from_thw((1, 34, 60), patch_size=14)
        >>> grid.width, grid.height, grid.tokens
        (840, 476, 510)
        """
        t, h, w = three(grid_thw)
        patch, depth = whole(patch_size, "patch_size"), whole(temporal_patch_size, "temporal_patch_size")
        if t > 1 and not video:
            raise UsageError(f"grid_thw is {(t, h, w)}: a still picture has one slot; for a clip give video=True")
        return cls(
            width=w * patch,
            height=h * patch,
            grid_thw=(t, h, w),
            patch_size=patch,
            spatial_merge_size=spatial_merge_size,
            temporal_patch_size=depth,
            order=order,
            frames=t * depth if video else 1,
        )

    @property
    def grid_h(self) -> int:
        """Rows of tokens in a slot."""
        return self.grid_thw[1] // self.spatial_merge_size

    @property
    def grid_w(self) -> int:
        """Columns of tokens in a slot."""
        return self.grid_thw[2] // self.spatial_merge_size

    @property
    def tokens(self) -> int:
        """Tokens of all slots."""
        return self.grid_thw[0] * self.grid_h * self.grid_w

    @property
    def token_size(self) -> int:
        """Side of a token in a picture or frame, in pixels."""
        return self.patch_size * self.spatial_merge_size

    @property
    def token_shape(self) -> tuple[int, int]:
        """Height and width in pixels of a token, which in a clip holds its place in all frames of a slot."""
        depth = 1 if self.frames == 1 else self.temporal_patch_size
        return self.token_size * depth, self.token_size

    @property
    def fitted_width(self) -> int:
        """Width in pixels of the fitted picture, or of each fitted frame."""
        return self.grid_thw[2] * self.patch_size

    @property
    def fitted_height(self) -> int:
        """Height in pixels of the fitted picture, or of each fitted frame."""
        return self.grid_thw[1] * self.patch_size

    @property
    def slot(self) -> PatchGrid:
        """The grid of one slot of a clip; a still picture's own grid."""
        _, h, w = self.grid_thw
        return self if self.frames == 1 else replace(self, grid_thw=(1, h, w), frames=self.temporal_patch_size)

    def fit_pixels(self, pixels: Pixels) -> Pixels:
        """Give a picture, or one frame, the size at which the model sees it.

        Parameters
        ----------
        pixels : ndarray
            uint8 (height, width, 3), RGB.

        Returns
        -------
        ndarray
            uint8 (fitted_height, fitted_width, 3); `pixels` itself where nothing changes. With ``fit="resize"``, scaled
            by Pillow's bicubic filter, bit for bit as by the processors of transformers that use Pillow; with
            ``fit="pad"``, the last column and row are repeated.

        Raises
        ------
        UsageError
            If the picture is not of that shape and type.

        Examples
        --------
        >>> pixels = np.zeros((260, 300, 3), np.uint8)
        >>> PatchGrid.of(pixels, "qwen3-vl", fit="pad").fit_pixels(pixels).shape
        (288, 320, 3)
        """
        pixels = picture(pixels, (self.height, self.width))
        if pixels.shape[:2] == (self.fitted_height, self.fitted_width):
            return pixels
        return (resized if self.fit == "resize" else padded)(pixels, self.fitted_height, self.fitted_width)

    def view_tokens(self, pixels: Pixels) -> Pixels:
        """Cut a fitted picture, or a slot from `stack`, into tokens, without a copy.

        Parameters
        ----------
        pixels : ndarray
            uint8 (grid_h * token height, grid_w * token width, 3), C-contiguous.

        Returns
        -------
        ndarray
            uint8 (grid_h, grid_w, token height, token width, 3): a view.

        Raises
        ------
        UsageError
            If the picture is not of that shape and type.

        Examples
        --------
        >>> PatchGrid.from_thw((1, 4, 6)).view_tokens(np.zeros((64, 96, 3), np.uint8)).shape
        (2, 3, 32, 32, 3)
        """
        height, width = self.token_shape
        pixels = picture(pixels, (self.grid_h * height, self.grid_w * width))
        if not pixels.flags.c_contiguous:
            raise UsageError("the picture is not C-contiguous: give np.ascontiguousarray(pixels)")
        return pixels.reshape(self.grid_h, height, self.grid_w, width, 3).swapaxes(1, 2)

    def stack(self, frames: Pixels) -> Pixels:
        """Lay out the frames of a clip as one picture for each slot, in which every token is one block.

        Parameters
        ----------
        frames : ndarray
            uint8 (T, fitted_height, fitted_width, 3): all frames of the grid, fitted.

        Returns
        -------
        ndarray
            uint8 (t, grid_h * token height, fitted_width, 3), C-contiguous, a copy: the first row of tokens of each
            frame of the slot, then the second row of each, and so on. Where the last slot is not full, the last frame
            is repeated, as processors do. A still picture is not repeated.

        Raises
        ------
        UsageError
            If the frames are not of that shape and type.

        Examples
        --------
        >>> grid = PatchGrid.from_thw((2, 4, 6), video=True)
        >>> slots = grid.stack(np.zeros((4, 64, 96, 3), np.uint8))
        >>> slots.shape, grid.view_tokens(slots[0]).shape
        ((2, 128, 96, 3), (2, 3, 64, 32, 3))
        """
        needed = (self.frames, self.fitted_height, self.fitted_width, 3)
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.shape != needed:
            raise UsageError(f"the frames are {described(frames)}: the grid is for uint8 {needed}")
        return stacked(frames, self.token_shape[0] // self.token_size, self.token_size)

    def token_indices(self, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the places of kept tokens among the placeholders that the language model has for the picture.

        Parameters
        ----------
        keep : ndarray
            bool (grid_h, grid_w), or for clips (t, grid_h, grid_w): True for tokens that stay.

        Returns
        -------
        ndarray
            int64 (kept,), rising.

        Raises
        ------
        UsageError
            If `keep` has another shape or type.

        Examples
        --------
        >>> PatchGrid.from_thw((1, 4, 4)).token_indices(np.array([[True, False], [False, True]])).tolist()
        [0, 3]
        """
        return np.flatnonzero(self._checked(keep)).astype(np.int64, copy=False)

    def patch_indices(self, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the rows of the processor's ``pixel_values`` that belong to kept tokens.

        Parameters
        ----------
        keep : ndarray
            As for `token_indices`.

        Returns
        -------
        ndarray
            int64 (kept * spatial_merge_size**2,), rising. In the order "merged" the patches of a token stand together;
            in the order "raster" each row of patches runs through the whole picture.

        Raises
        ------
        UsageError
            If `keep` has another shape or type.

        Examples
        --------
        >>> keep = np.array([[True, False], [False, True]])
        >>> PatchGrid.from_thw((1, 4, 4)).patch_indices(keep).tolist()
        [0, 1, 2, 3, 12, 13, 14, 15]
        >>> PatchGrid.from_thw((1, 4, 4), order="raster").patch_indices(keep).tolist()
        [0, 1, 4, 5, 10, 11, 14, 15]
        """
        merge = self.spatial_merge_size
        if self.order == "merged":
            of_token = np.arange(merge * merge, dtype=np.int64)
            return (self.token_indices(keep)[:, None] * len(of_token) + of_token).ravel()
        patches = self._checked(keep).repeat(merge, axis=1).repeat(merge, axis=2)
        return np.flatnonzero(patches).astype(np.int64, copy=False)

    def keep_of(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which tokens stay, from their places: the inverse of `token_indices`.

        Parameters
        ----------
        indices : sequence of int
            Each from 0 to ``tokens - 1``, in any order.

        Returns
        -------
        ndarray
            bool (grid_h, grid_w); for more than one slot (t, grid_h, grid_w).

        Raises
        ------
        UsageError
            If a place does not exist.

        Examples
        --------
        >>> PatchGrid.from_thw((1, 4, 4)).keep_of([0, 3]).tolist()
        [[True, False], [False, True]]
        """
        places = np.asarray(indices)
        if places.ndim != 1 or (places.size and not np.issubdtype(places.dtype, np.integer)):
            raise UsageError(f"the indices are {described(places)}: give whole numbers (n,)")
        if places.size and not 0 <= places.min() <= places.max() < self.tokens:
            raise UsageError(
                f"indices from {places.min()} to {places.max()}: the grid has {self.tokens} tokens, from 0"
            )
        keep = np.zeros(self.tokens, np.bool_)
        keep[places.astype(np.int64)] = True
        slots = self.grid_thw[0]
        return keep.reshape((self.grid_h, self.grid_w) if slots == 1 else (slots, self.grid_h, self.grid_w))

    def _checked(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return `keep` as bool (t, grid_h, grid_w)."""
        shape = (self.grid_thw[0], self.grid_h, self.grid_w)
        allowed = (shape, shape[1:]) if shape[0] == 1 else (shape,)
        if not isinstance(keep, np.ndarray) or keep.dtype != np.bool_ or keep.shape not in allowed:
            raise UsageError(f"keep is {described(keep)}: the grid is for bool {allowed[-1]}")
        return keep.reshape(shape)
