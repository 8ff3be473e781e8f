"""prune() and Session: from pictures as users have them to plans of the tokens that a model needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid
from pixtrim.image import MAX_PIXELS, Source, load
from pixtrim.operators.prune import KeepPlan, TokenPicture, Tolerance
from pixtrim.operators.prune.choose import choose

__all__ = ["Session", "Settings", "fitted", "prune", "prune_clip"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Settings:
    """How tokens are chosen; checked when it is made.

    Attributes
    ----------
    threshold : float
        Levels, 0 to 255, by which a token may differ from what it is predicted to be.
    selector : str
        ``"pred_2d"`` is PixelPrune's; `pixtrim.operators.prune.selector_names` lists all.
    metric : {"max", "mae", "rmse", "exact"}
        How a difference is measured: see `pixtrim.operators.prune.Tolerance`.
    anchored : bool
        Predict from reconstructed neighbours, so that errors do not add up; False: from the neighbours as they are.
    seed : int
        For the selector ``"random"``.
    skip_ratio : float, optional
        The share that ``"conncomp"`` drops of each component.

    Raises
    ------
    UsageError
        If a setting is out of its range.
    """

    threshold: float = 0.0
    selector: str = "pred_2d"
    metric: str = "max"
    anchored: bool = True
    seed: int = 0
    skip_ratio: float | None = None

    def __post_init__(self) -> None:
        from pixtrim.operators.prune.selectors import selector_named

        selector_named(self.selector)
        Tolerance(self.metric, self.threshold)  # type: ignore[arg-type]
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise UsageError(f"seed is {self.seed!r}: give a whole number from 0")

    def plans(
        self, grid: PatchGrid, pixels: Pixels, reference: Pixels | None = None, motion: bool = True
    ) -> tuple[KeepPlan, KeepPlan]:
        """Plan a fitted picture alone, and with a reference: see `pixtrim.operators.prune.choose`."""
        picture = TokenPicture(
            pixels=pixels,
            token_shape=grid.token_shape,
            tolerance=Tolerance(self.metric, self.threshold),  # type: ignore[arg-type]
            anchored=self.anchored,
            reference=reference,
            seed=int(self.seed),
            skip_ratio=self.skip_ratio,
        )
        return choose(picture, grid, self.selector, motion)


def prune(
    image: Source,
    model: str | PatchGrid = "qwen3-vl",
    *,
    threshold: float = 0.0,
    selector: str = "pred_2d",
    metric: str = "max",
    anchored: bool = True,
    fit: str = "resize",
    reference: Source | None = None,
    seed: int = 0,
    skip_ratio: float | None = None,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> KeepPlan:
    """Choose which visual tokens of a picture a model needs.

    Each token is predicted from the ones before it, as PixelPrune [1]_ does; those that are as predicted are dropped.
    The picture can be rebuilt from the others and the plan.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image or array
        As `pixtrim.load` takes it.
    model : str or PatchGrid
        A model that one runs oneself, ``"qwen3-vl"`` or ``"Qwen/Qwen2.5-VL-7B-Instruct"``; or the grid itself.
    threshold, selector, metric, anchored, seed, skip_ratio
        See `Settings`. The threshold is in levels: 255 times that of the paper.
    fit : {"resize", "pad"}
        How a picture gets a size that the grid allows: as the model's processor resizes it, or padded to the right and
        below, which leaves repeats exact. Not used where the grid is given.
    reference : as image, optional
        A picture that the model has seen before, such as the previous screenshot. What it has at the same place, or
        scrolled or panned by any number of pixels, is dropped, too.
    max_pixels : int
        Largest picture that is decoded.
    name : str, optional
        What errors call the picture.

    Returns
    -------
    KeepPlan
        ``plan.keep``, ``plan.indices``, ``plan.decode(...)``; with a reference it never keeps more tokens than without.

    Raises
    ------
    UsageError
        If a setting is out of its range, or nobody can drop tokens in that model.
    InputError
        If a picture cannot be used.

    References
    ----------
    .. [1] N. Wang, Z. Jin, C. Chen, H. Lu, "PixelPrune: Pixel-Level Adaptive Visual Token Reduction via Predictive
       Coding", arXiv:2604.00886, 2026.

    Examples
    --------
    >>> page = np.full((1056, 800, 3), 255, np.uint8)
    >>> page[100:900:40, 100:700] = 0
    >>> plan = prune(page, "qwen3-vl")
    >>> plan.grid.grid_thw, plan.tokens, plan.kept
    ((1, 66, 50), 825, 86)
    >>> pixels = plan.grid.fit_pixels(page)
    >>> bool((plan.decode(plan.take(pixels)) == pixels).all())
    True
    """
    settings = Settings(threshold, selector, metric, anchored, seed, skip_ratio)
    grid, pixels = fitted(image, model, fit, max_pixels=max_pixels, name=name)
    other = None
    if reference is not None:
        _, other = fitted(reference, model, fit, max_pixels=max_pixels)
    return settings.plans(grid, pixels, other)[1]


def fitted(
    image: Source, model: str | PatchGrid, fit: str = "resize", *, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> tuple[PatchGrid, Pixels]:
    """Load a picture and give it the size at which a model sees it.

    Parameters
    ----------
    image, model, fit, max_pixels, name
        As for `prune`.

    Returns
    -------
    grid : PatchGrid
    pixels : ndarray
        uint8 (fitted height, fitted width, 3), C-contiguous.

    Raises
    ------
    UsageError, InputError
        As `prune`.
    """
    pixels = load(image, max_pixels=max_pixels, name=name).pixels
    height, width = pixels.shape[:2]
    grid = model if isinstance(model, PatchGrid) else PatchGrid.for_model(model, width, height, fit)
    return grid, np.ascontiguousarray(grid.fit_pixels(pixels))


class Session:
    """A sequence of pictures, such as the screenshots of one task, each pruned against the one before it.

    Parameters
    ----------
    model : str
        As for `prune`.
    fit : {"resize", "pad"}
        As for `prune`.
    key_every : int, optional
        After so many pictures one is planned on its own (a key frame), so that whoever joins or forgets can start
        there; by default only where `refresh` asks for it.
    refresh : float
        A picture whose reference saves less than ``1 - refresh`` of the tokens that it needs alone is planned on its
        own: most of it has changed.
    settings : Settings, optional
        How tokens are chosen.

    Attributes
    ----------
    pictures, tokens, kept : int
        How many pictures were added, and the tokens that they have and keep.

    Examples
    --------
    >>> screen = np.random.default_rng(0).integers(0, 256, (256, 320, 3), np.uint8)
    >>> session = Session("qwen3-vl")
    >>> session.add(screen).kept
    80
    >>> screen[40:50, 70:80] = 255
    >>> plan = session.add(screen)
    >>> plan.kept, plan.key
    (1, False)
    """

    def __init__(
        self,
        model: str = "qwen3-vl",
        *,
        fit: str = "resize",
        key_every: int | None = None,
        refresh: float = 0.9,
        settings: Settings | None = None,
    ) -> None:
        whole = isinstance(key_every, (int, np.integer)) and not isinstance(key_every, bool)
        if key_every is not None and (not whole or key_every < 1):
            raise UsageError(f"key_every is {key_every!r}: give a whole number of pictures from 1, or None")
        if isinstance(refresh, bool) or not isinstance(refresh, (int, float)) or not 0 <= refresh <= 1:
            raise UsageError(f"refresh is {refresh!r}: give a share from 0 to 1")
        self.model, self.fit, self.key_every, self.refresh = model, fit, key_every, refresh
        self.settings = settings or Settings()
        self.pictures = self.tokens = self.kept = 0
        self._since_key = 0
        self._canvas: Pixels | None = None

    def add(self, image: Source, *, max_pixels: int = MAX_PIXELS, name: str | None = None) -> KeepPlan:
        """Plan the next picture.

        Parameters
        ----------
        image, max_pixels, name
            As for `prune`.

        Returns
        -------
        KeepPlan
            Where it is no `key`, its reference is the picture before it, as a decoder rebuilt that one. A picture that
            cannot be used raises and leaves the session as it was.
        """
        grid, pixels = fitted(image, self.model, self.fit, max_pixels=max_pixels, name=name)
        return self.add_fitted(grid, pixels)

    def add_fitted(self, grid: PatchGrid, pixels: Pixels, motion: bool = True) -> KeepPlan:
        """Plan the next picture, which has been fitted to a grid: see `fitted`."""
        due = self.key_every is not None and self._since_key >= self.key_every
        alone, plan = self.settings.plans(grid, pixels, None if due else self._canvas, motion)
        if plan.kept > self.refresh * alone.kept:
            plan = alone
        # What a decoder has, not the picture itself: so errors of a threshold do not add up from picture to picture.
        canvas = pixels if plan.bound == 0 else plan.decode(plan.take(pixels), None if plan.key else self._canvas)
        self._canvas = canvas.copy() if canvas is pixels else canvas
        self._since_key = 1 if plan.key else self._since_key + 1
        self.pictures += 1
        self.tokens += plan.tokens
        self.kept += plan.kept
        return plan

    def restart(self) -> None:
        """Forget the picture before: the next one is a key frame."""
        self._canvas = None


def prune_clip(
    frames: Pixels, model: str | PatchGrid = "qwen3-vl", *, settings: Settings | None = None
) -> list[KeepPlan]:
    """Choose the tokens of a clip, each of which holds a place in a few frames.

    Parameters
    ----------
    frames : ndarray
        uint8 (T, H, W, 3): the frames that the model is to see, after sampling.
    model : str or PatchGrid
        A model, for which the frames are padded to whole tokens where they are none; or the clip's grid.
    settings : Settings, optional
        How tokens are chosen.

    Returns
    -------
    list of KeepPlan
        One for each slot of frames, with the slot before it as reference; at least one token of each slot is kept.
        ``grid.patch_indices(np.stack([plan.keep for plan in plans]))`` are the rows of the whole clip.

    Raises
    ------
    UsageError
        If the frames are not of that shape, or their size does not suit the grid.

    Examples
    --------
    >>> frames = np.zeros((4, 256, 256, 3), np.uint8)
    >>> frames[2:, 100:120, 100:120] = 255
    >>> [plan.kept for plan in prune_clip(frames)]
    [1, 1]
    """
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        found = f"{frames.dtype} {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise UsageError(f"the frames are {found}: uint8 (T, H, W, 3) is needed")
    count, height, width = frames.shape[:3]
    grid = model if isinstance(model, PatchGrid) else PatchGrid.for_model(model, width, height, "pad", frames=count)
    session = Session(refresh=1.0, settings=settings)
    whole = frames.shape[1:3] == (grid.fitted_height, grid.fitted_width)
    sized = frames if whole else np.stack([grid.fit_pixels(frame) for frame in frames])
    return [session.add_fitted(grid.slot, pixels, motion=False) for pixels in grid.stack(sized)]
