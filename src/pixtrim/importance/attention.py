"""Importance by what a vision transformer attends to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import UsageError
from pixtrim.importance.heads import Layer, cls_row, column_means, rollout, unlike
from pixtrim.importance.maps import Importance, Pixels, checked_pixels, spread
from pixtrim.importance.networks import FILTERS, Network, network_named

__all__ = ["KINDS", "Attention", "attention_named"]

Floats = NDArray[np.float32]

KINDS: Final = ("auto", "cls", "pool", "column", "rollout", "query", "key", "value")
"""What can be asked of a layer; `Attention` says what each is."""

BATCH: Final = 8  # pictures that a network is shown at a time
LONG: Final = 2.5  # times the median length of a patch's token from which it is an artefact
LONELY: Final = 4.0  # times the highest of its neighbours from which what a patch is given is an artefact
LOW, HIGH = 2.0, 98.0  # the percentiles that are brought to 0 and 1
FLAT: Final = 1e-3  # share of the mean by which values have to differ to mean anything


class Attention:
    """A source of importance: the attention of a network, or what its tokens are like.

    Parameters
    ----------
    spec : str
        As `pixtrim.importance.networks.network_named` takes it. The network is loaded when it is asked first.
    kind : str
        ``"cls"``: what the class token attends to. ``"pool"``: what the pooling head does, as SigLIP has it.
        ``"column"``: how much each patch is attended to by all tokens on average. ``"rollout"``: what reaches the
        class token (without one: the patches on average) through all layers up to the last one named [1]_.
        ``"query"``, ``"key"``, ``"value"``: how like that of the class token each patch's is, by cosine; without a
        class token, how unlike the mean of the patches. ``"auto"``: the first of cls, pool, column that it has.
        Attention is averaged over heads.
    layers : sequence of int
        Which layers, 0 being the first and -1 the last; averaged. No layer beyond the last of them is run.
    size : int, optional
        The side in pixels of a square with as many pixels as what the network is shown; the picture keeps its shape,
        within half a patch. By default as many as the network was trained with.
    mend : bool
        Whether artefacts are mended. Transformers use some patches that show little as a memory of their own [2]_: a
        patch is taken for one if its token is longer than 2.5 times the median as it enters the layer, or if it is
        given more than 4 times what any of its neighbours is. It gets the median of its neighbours that are none.
        Registers and the like, which are no patches, never count.
    device : str
        What PyTorch calls it; ``"auto"`` is a GPU where there is one.

    Raises
    ------
    UsageError
        If a setting is out of range (on the first call, where it depends on the network), or the network cannot be
        loaded.
    InputError, MissingExtraError
        As `pixtrim.importance.networks.network_named` raises them.

    References
    ----------
    .. [1] S. Abnar, W. Zuidema, "Quantifying attention flow in transformers", ACL 2020.
    .. [2] T. Darcet, M. Oquab, J. Mairal, P. Bojanowski, "Vision transformers need registers", ICLR 2024.
    """

    def __init__(
        self,
        spec: str,
        *,
        kind: str = "auto",
        layers: Sequence[int] = (-1,),
        size: int | None = None,
        mend: bool = True,
        device: str = "auto",
    ) -> None:
        if kind not in KINDS:
            raise UsageError(f"kind is {kind!r}: choose one of {', '.join(KINDS)}")
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in layers)
        if isinstance(layers, str) or not len(layers) or not whole:
            raise UsageError(f"layers is {layers!r}: give at least one whole number, -1 for the last layer")
        if size is not None and (not isinstance(size, (int, np.integer)) or not 16 <= size <= 4096):
            raise UsageError(f"size is {size!r}: give 16 to 4096 pixels")
        self._spec, self._device = spec, device
        self._kind, self._asked, self._size, self._mend = kind, tuple(layers), size, mend

    @property
    def settings(self) -> dict[str, Any]:
        """The kind, the layers and the size that were asked for."""
        return {"kind": self._kind, "layers": self._asked, "size": self._size}

    def __call__(self, pixels: Pixels) -> Importance:
        """Return the importance of a picture: uint8 (H, W, 3) to float32 (H, W)."""
        return self.batch([pixels])[0]

    def batch(self, pictures: Sequence[Pixels]) -> list[Importance]:
        """Return the importance of each picture; those of one shape are shown to the network together."""
        sizes = [checked_pixels(pixels) for pixels in pictures]
        return [spread(_unit(values), size) for values, size in zip(self.patches(pictures), sizes, strict=True)]

    def patches(self, pictures: Sequence[Pixels]) -> list[Floats]:
        """Return the plain values of each picture's patches: float32 (rows, columns).

        Attention sums to at most 1 over the patches: what is missing goes to the class token and registers.
        """
        grids: dict[tuple[int, int], list[int]] = {}
        for number, pixels in enumerate(pictures):
            checked_pixels(pixels)
            grids.setdefault(self._grid(pixels), []).append(number)
        found: dict[int, Floats] = {}
        for grid, numbers in grids.items():
            for start in range(0, len(numbers), BATCH):
                part = numbers[start : start + BATCH]
                values = self._values(np.stack([self._view(pictures[n], grid) for n in part]), grid)
                found.update(zip(part, values, strict=True))
        return [found[number] for number in range(len(pictures))]

    @cached_property
    def _network(self) -> Network:
        return network_named(self._spec, self._device)

    @cached_property
    def _plan(self) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
        """The kind, the layers to look at, and what of them."""
        network, kind, depth = self._network, self._kind, self._network.depth
        if kind == "auto":
            kind = "cls" if network.cls is not None else "pool" if network.pools else "column"
        if (kind == "cls" and network.cls is None) or (kind == "pool" and not network.pools):
            what = "class token" if kind == "cls" else "pooling head"
            raise UsageError(f"kind is {kind!r}: {self._spec} has no {what}: choose column")
        wrong = [n for n in self._asked if not -depth <= n < depth]
        if wrong:
            raise UsageError(f"layers has {wrong[0]}: {self._spec} has {depth}, 0 to {depth - 1}, or -{depth} to -1")
        layers = tuple(sorted({int(n) % depth for n in self._asked}))
        if kind == "pool":
            return kind, (depth,), ("cls", "key")
        if kind == "rollout":
            return kind, tuple(range(layers[-1] + 1)), ("query", "key")
        return kind, layers, {"cls": ("cls", "key"), "column": ("query", "key")}.get(kind, (kind,))

    def _grid(self, pixels: Pixels) -> tuple[int, int]:
        """Return the rows and columns of patches that a picture is shown in."""
        network = self._network
        if not network.flexible:
            return network.grid
        height, width = pixels.shape[0] / network.patch[0], pixels.shape[1] / network.patch[1]
        count = network.grid[0] * network.grid[1]
        if self._size is not None:
            count = max(1, self._size**2 // (network.patch[0] * network.patch[1]))
        rows = min(count, max(1, round(math.sqrt(count * height / width))))
        return rows, min(count, max(1, round(rows * width / height))) if rows > 1 else count

    def _view(self, pixels: Pixels, grid: tuple[int, int]) -> Floats:
        network = self._network
        size = grid[1] * network.patch[1], grid[0] * network.patch[0]
        seen = np.asarray(Image.fromarray(pixels).resize(size, FILTERS[network.resample]), np.float32)
        mean, std = (np.array(numbers, np.float32) for numbers in (network.mean, network.std))
        return np.ascontiguousarray(((seen / np.float32(255) - mean) / std).transpose(2, 0, 1))

    def _values(self, pictures: Floats, grid: tuple[int, int]) -> Floats:
        """Return the values of the patches of pictures of one grid: float32 (pictures, rows, columns)."""
        network, (kind, numbers, need) = self._network, self._plan
        layers = network.look(pictures, numbers, need)
        tokens = layers[0].norms.shape[1]
        first = tokens - grid[0] * grid[1]
        if kind == "rollout":
            start = network.xp.zeros_like(layers[0].norms)
            if network.cls is None:
                start[:, first:] = 1 / (tokens - first)
            else:
                start[:, network.cls] = 1
            values = [_numpy(rollout(layers, start, network.xp))]
            layers = layers[-1:]
        else:
            values = [_numpy(self._asks(kind, layer, first)) for layer in layers]
        shape = len(pictures), *grid
        total: Floats = np.zeros(shape, np.float32)
        for found, layer in zip(values, layers, strict=True):
            patches = found[:, first:].reshape(shape)
            if self._mend:
                patches = _mended(patches, _numpy(layer.norms)[:, first:].reshape(shape))
            total += patches
        total /= np.float32(len(values))
        return total

    def _asks(self, kind: str, layer: Layer, first: int) -> Any:
        network = self._network
        if kind in ("cls", "pool"):
            return cls_row(layer, network.xp)
        if kind == "column":
            return column_means(layer, network.xp)
        return unlike(getattr(layer, kind), first, network.cls, network.xp)


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "kind": str,
    "layers": lambda text: tuple(int(number) for number in text.split(",")),
    "size": int,
}


def attention_named(spec: str) -> Attention:
    """Return the source of a spec: what `Attention` takes, and its settings behind a question mark.

    Parameters
    ----------
    spec : str
        ``"deit_tiny.npz"``, ``"timm:NAME?kind=key&layers=-4"``, ``"deit_tiny.npz?layers=-3,-2&size=448"``.

    Raises
    ------
    UsageError
        If a setting is unknown or out of range.

    Examples
    --------
    >>> attention_named("deit_tiny.npz?kind=column&layers=-3,-2").settings
    {'kind': 'column', 'layers': (-3, -2), 'size': None}
    """
    name, _, rest = spec.partition("?")
    settings: dict[str, Any] = {}
    for part in rest.split("&") if rest else []:
        key, _, value = part.partition("=")
        try:
            settings[key] = _READ[key](value)
        except (KeyError, ValueError):
            raise UsageError(
                f"attention is {spec!r}: {part!r} is no setting: give kind=cls, layers=-3,-2 or size=448"
            ) from None
    return Attention(name, **settings)


def _mended(values: Floats, norms: Floats) -> Floats:
    """Give artefacts the median of their neighbours; (pictures, rows, columns)."""
    around = _neighbours(values)
    with np.errstate(invalid="ignore"):
        highest = np.nanmax(np.where(np.isnan(around), -np.inf, around), axis=0)
    artefact = norms > LONG * np.median(norms, axis=(1, 2), keepdims=True)
    artefact |= (highest > 0) & (values > LONELY * highest)
    if not artefact.any():
        return values
    calm = np.where(artefact, np.float32(np.nan), values)
    near = _neighbours(calm)[:, artefact]
    result = values.copy()
    known = ~np.isnan(near).all(axis=0)
    instead = np.empty(near.shape[1], np.float32)
    instead[known] = np.nanmedian(near[:, known], axis=0)
    pictures = np.nonzero(artefact)[0]
    for number in np.unique(pictures[~known]):  # artefacts on all sides: the picture's median
        rest = values[number][~artefact[number]]
        instead[~known & (pictures == number)] = np.median(rest if rest.size else values[number])
    result[artefact] = instead
    return result


def _neighbours(values: Floats) -> Floats:
    """Return the 8 neighbours of each patch, NaN beyond the edges: (8, pictures, rows, columns)."""
    rows, columns = values.shape[1:]
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    steps = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return np.stack([padded[:, y : y + rows, x : x + columns] for y, x in steps])


def _unit(values: Floats) -> Importance:
    """Bring the values of a picture's patches to [0, 1], by percentiles; 0 where they are all the same."""
    low, high = np.percentile(values, (LOW, HIGH))
    if high - low <= FLAT * float(np.abs(values).mean()):
        return np.zeros_like(values)
    scaled: Importance = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return scaled


def _numpy(values: Any) -> Floats:
    found: Floats = values if isinstance(values, np.ndarray) else values.float().cpu().numpy()
    return found
