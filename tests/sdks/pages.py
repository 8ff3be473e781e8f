"""Pictures that are made smaller, and what a body looks like around them."""

from __future__ import annotations

import base64
import io
import re
from functools import cache

from PIL import Image, ImageDraw
from upstream import Recorded

BASE64 = rb"([A-Za-z0-9+/_-]{200,}={0,2})"


@cache
def page(words: str, size: tuple[int, int] = (1600, 1200)) -> bytes:
    """A page of which two thirds are empty."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for y in range(40, size[1] // 3, 30):
        draw.text((60, y), f"{words} {y} " * 6, fill="black")
    return _file(image)


@cache
def icon() -> bytes:
    """A picture with nothing to save."""
    return _file(Image.effect_noise((24, 24), 90).convert("RGB"))


def _file(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def data_url(file: bytes) -> str:
    return f"data:image/png;base64,{text(file)}"


def images(body: bytes) -> list[bytes]:
    """The files in a body, whatever its format."""
    return [base64.urlsafe_b64decode(found.translate(bytes.maketrans(b"+/", b"-_"))) for found in strings(body)]


def strings(body: bytes) -> list[bytes]:
    return re.findall(BASE64, body)


def around(body: bytes) -> list[bytes]:
    """The bytes before, between and after the files of a body."""
    return re.split(BASE64, body)[::2]


def pixels(file: bytes) -> int:
    with Image.open(io.BytesIO(file)) as image:
        image.load()
        return image.width * image.height


VARYING = {b"connection", b"content-length", b"host"}
"""What a proxy says for itself, and what has to change with the body."""


def headers(request: Recorded) -> list[tuple[bytes, bytes]]:
    """The headers, in their order, without `VARYING`."""
    return [(name, value) for name, value in request.headers if name not in VARYING]
