"""Pictures, measures and operators for the tests of the evaluation, in a module as others write them."""

import io
import os
import time
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.reducers import register as register_reducer


def encoded(seed, width=640, height=480):
    # coarse noise with a white band
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    pixels = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    pixels[height // 3 : height // 2] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def undecodable():
    return b"no picture"


class Toy(Measure):
    """Writes down all that it is asked to do, if it has a file for it."""

    name = "toy-mean"
    question = "How bright is the picture?"

    def __init__(self, log=None):
        self.log = log

    def note(self, what, sample):
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{what} {sample.name} {os.getpid()}\n")

    def applies(self, sample):
        return sample.kind != "void"

    def prepare(self, sample):
        self.note("prepare", sample)
        return {"mean": float(sample.pixels.mean())}

    def score(self, sample, reduced, prepared):
        self.note("score", sample)
        return abs(float(reduced.image.mean()) - prepared["mean"])


register(Toy)


@register
class Area(Toy):
    name = "toy-area"
    question = "How large is the picture?"

    def prepare(self, sample):
        return np.zeros(3)

    def score(self, sample, reduced, prepared):
        assert prepared.shape == (3,)
        return None if sample.kind == "unscored" else reduced.image.size // 3


@register
class Picky(Toy):
    name = "toy-picky"
    question = "What if a measure fails?"
    higher_is_better = False

    def score(self, sample, reduced, prepared):
        if sample.name.startswith("b"):
            raise ArithmeticError("no\nb")
        return float("nan") if sample.name.startswith("c") else 1


@register
class Telling(Toy):
    name = "toy-telling"
    question = "What if a measure only describes?"
    describes = True

    def score(self, sample, reduced, prepared):
        return 1.0


@register
class Unmade(Toy):
    name = "toy-unmade"
    question = "What if it cannot be made?"

    def __init__(self):
        raise FileNotFoundError("no weights")


@register
class Absent(Toy):
    name = "toy-absent"
    question = "What if something is not installed?"

    @classmethod
    def missing(cls):
        return "needs atoys: pip install atoys"


@register
class Deadly(Toy):
    name = "toy-deadly"
    question = "What if an engine takes the process with it?"

    def score(self, sample, reduced, prepared):
        if sample.name.startswith("b"):
            os.kill(os.getpid(), 9)
        return 1.0


@register
class Slow(Toy):
    name = "toy-slow"
    question = "What if it takes long?"

    def score(self, sample, reduced, prepared):
        time.sleep(0.25)
        return 1.0


def same(pixels, model, tokens):
    return reducer_named("resize").reduce(pixels, model, tokens)


def greedy(pixels, model, tokens):
    reduced = reducer_named("resize").reduce(pixels, model, int(1.3 * tokens))
    return Reduced(reduced.image, reduced.coordinates, tokens)


def vandal(pixels, model, tokens):
    pixels[:] = 0
    return same(pixels, model, tokens)


def fickle(pixels, model, tokens):
    reduced = same(pixels, model, tokens)
    return Reduced(reduced.image ^ np.uint8(time.monotonic_ns() % 251), reduced.coordinates, reduced.tokens)


def floating(pixels, model, tokens):
    reduced = same(pixels, model, tokens)
    return Reduced(reduced.image / 255, reduced.coordinates, reduced.tokens)


def square(pixels, model, tokens):
    # of another shape, which costs less than any plain resize of the picture
    reduced = same(pixels, model, tokens)
    return Reduced(np.zeros((256, 256, 3), np.uint8), reduced.coordinates, 64)


def narrow(pixels, model, tokens):
    # of a shape that costs more, whatever its size
    return same(np.ascontiguousarray(pixels[:102]), model, tokens)


for reduce in (square, narrow, same, greedy, vandal, fickle, floating):
    register_reducer(f"toy_{reduce.__name__}", reduce)


class Finding(NamedTuple):
    check: str
    what: str


def check(sample, reduced, counted, budget, baseline):
    return [Finding("tokens", f"{counted} not {reduced.tokens}")] if counted != reduced.tokens else []
