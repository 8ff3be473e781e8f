"""The reduced pictures of a sample: made when they are needed, and known by a digest where they are not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter

import numpy as np

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import PixtrimError, UsageError
from pixtrim.evaluation.budgets import budget_name, tokens_of
from pixtrim.evaluation.cache import Cache, code_of_pictures, key_of
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.samples import Sample
from pixtrim.tokens import largest_size, resolve

__all__ = ["Made", "Pictures", "RunPictures", "reduce"]


def reduce(sample: Sample, model: str, reducer: str, tokens: int) -> Reduced:
    """Reduce a sample to a number of tokens; where these are enough for the original, it stands for itself.

    Raises
    ------
    InputError
        If the picture cannot be used.
    UsageError
        If it cannot be reduced so far, or what the reducer returns is no picture.
    """
    rule = resolve(model)
    height, width = sample.pixels.shape[:2]
    original = rule.count(width, height)
    if tokens >= original:
        return Reduced(sample.pixels, CoordinateMap.identity(width, height), original)
    pixels = sample.pixels.view()
    pixels.setflags(write=False)  # a reducer that draws into the original would spoil it for all others
    reduced = reducer_named(reducer).reduce(pixels, rule.name, tokens)
    image = np.ascontiguousarray(reduced.image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise UsageError(f"the operator returned an array {image.dtype} {image.shape}: a picture is uint8 (h, w, 3)")
    return replace(reduced, image=image)


@dataclass(frozen=True)
class Made:
    """What is known about a reduced picture without having it.

    Attributes
    ----------
    digest : str
        Of its pixels, its coordinate map and its claim.
    tokens : int
        What it costs, counted.
    claimed : int
        What it costs, by the reducer's account.
    seconds : float
        What the reduction took.
    """

    digest: str
    tokens: int
    claimed: int
    seconds: float


class Pictures:
    """All reduced pictures of one sample, by reducer and tokens; equal ones are there once.

    What is known about them is looked up in a cache, and a picture is only made where it is asked for.
    """

    def __init__(self, sample: Sample, model: str, cache: Cache) -> None:
        self._sample, self._model, self._cache = sample, model, cache
        self._made: dict[tuple[str, int], Made | Exception] = {}
        self._pictures: dict[str, Reduced] = {}

    @cached_property
    def original(self) -> int:
        """The tokens that the original costs; raises InputError where it cannot be used."""
        return resolve(self._model).count(*self._size)

    def within_reach(self, tokens: int) -> bool:
        """Whether a plain resize can come down to a number of tokens: models bill small pictures a least number."""
        try:
            largest_size(resolve(self._model), *self._size, tokens)
        except UsageError:
            return False
        return True

    @cached_property
    def _size(self) -> tuple[int, int]:
        key = key_of("size", self._sample.digest, code_of_pictures())
        known = self._cache.get(key)
        if known is None:
            known = self._sample.pixels.shape[1::-1]
            self._cache.put(key, known)
        width, height = known
        return int(width), int(height)

    def made(self, reducer: str, tokens: int) -> Made:
        """Return what is known about a picture; raises what the reducer raises, each time."""
        asked = (reducer, tokens)
        if asked not in self._made:
            try:
                known = self._cache.get(self._key(reducer, tokens))
                self._made[asked] = self._make(reducer, tokens) if known is None else Made(*known)
            except Exception as error:
                self._made[asked] = error
        made = self._made[asked]
        if isinstance(made, Exception):
            raise made
        return made

    def picture(self, made: Made) -> Reduced:
        """Return a picture that something is known about.

        Raises
        ------
        UsageError
            If the reducer now makes another picture than the one that is known.
        """
        if made.digest not in self._pictures:
            reducer, tokens = next(asked for asked, known in self._made.items() if known == made)
            if self._make(reducer, tokens).digest != made.digest:
                raise UsageError(
                    f"the operator {reducer} made another picture than before at {tokens} tokens: it has to depend on "
                    "its arguments alone; raise its version when it changes"
                )
        return self._pictures[made.digest]

    def _make(self, reducer: str, tokens: int) -> Made:
        self._sample.pixels  # noqa: B018 - decoded here, so that it is no part of the time
        started = perf_counter()
        reduced = reduce(self._sample, self._model, reducer, tokens)
        seconds = round(perf_counter() - started, 6)
        height, width = reduced.image.shape[:2]
        counted = resolve(self._model).count(width, height)
        made = Made(_digest(reduced), counted, int(reduced.tokens), seconds)
        self._pictures[made.digest] = reduced
        self._cache.put(self._key(reducer, tokens), [made.digest, made.tokens, made.claimed, made.seconds])
        return made

    def _key(self, reducer: str, tokens: int) -> str:
        version = reducer_named(reducer).version
        return key_of("reduction", self._sample.digest, reducer, version, tokens, self._model, code_of_pictures())


def _digest(reduced: Reduced) -> str:
    digest = hashlib.sha256(repr((reduced.image.shape, int(reduced.tokens))).encode("ascii"))
    digest.update(reduced.image.data)
    digest.update(reduced.coordinates.to_json().encode("ascii"))
    return digest.hexdigest()


class RunPictures:
    """Makes the pictures of a run again, to be looked at.

    Called with the names of a sample, a reducer and a budget, it returns the `Reduced`, or None where it cannot be
    made. Any budget does: ``(name, "resize", str(record.baseline_tokens))`` is the plain resize at equal tokens, and
    ``(name, "resize", "100%")`` the original.
    """

    def __init__(self, samples: Iterable[Sample], model: str) -> None:
        self._samples = {sample.name: sample for sample in samples}
        self._model = model
        self._last: Sample | None = None  # its pixels are kept: the next picture is mostly of the same sample

    def __call__(self, sample: str, reducer: str, budget: str) -> Reduced | None:
        try:
            if self._last is None or self._last.name != sample:
                self._last = replace(self._samples[sample])
            height, width = self._last.pixels.shape[:2]
            tokens = tokens_of(budget_name(budget), resolve(self._model).count(width, height))
            return reduce(self._last, self._model, reducer, tokens)
        except (KeyError, PixtrimError):
            return None
