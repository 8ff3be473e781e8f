"""Loading: anything that holds a picture becomes ``uint8 (H, W, 3)``, or one clear error.

Encoded pictures are decoded by Pillow, through the decoders of the supported formats alone, so that no other
parser ever meets a hostile file. The pixel count is read from the header and checked before anything is decoded.
Nothing global is changed, in Pillow or elsewhere: ``ImageFile.LOAD_TRUNCATED_IMAGES`` is taken to be False, its
default, under which a truncated picture is an error.
"""

from __future__ import annotations

import importlib
import io
import math
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, PixtrimError, UsageError
from pixtrim.pixels import pixels_of, pixels_of_array, without_bomb_warning

__all__ = ["FORMATS", "MAX_ENCODED_BYTES", "MAX_PIXELS", "Loaded", "Source", "load"]

MAX_PIXELS = 100_000_000
"""The default cap on width x height."""

MAX_ENCODED_BYTES = 256 * 2**20
"""The largest encoded file that is read: 256 MiB."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PDF")
"""The encoded formats that are read; PDF needs the extra ``[pdf]``."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any]
"""What `load` accepts."""

_ARRAYS = "give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), as uint8, bool, uint16 or float in [0, 1]"

_SUPPORTED = "supported are PNG, JPEG, WebP, GIF, BMP, TIFF and PDF"

_DECODERS = {
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
}

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)

_MOST_PAGES = 10_000  # counting stops here: a hostile TIFF can chain millions of empty pages


@dataclass(frozen=True, eq=False)
class Loaded:
    """A picture as the other modules take it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, C-contiguous, upright. It may share memory with an array that was given, and may be read-only.
    source : str
        The input's name in messages: ``"statement.png"``, ``"<bytes>"``, ``"<array>"``, ``"<PIL image>"``.
    format : str or None
        One of `FORMATS`; for a PIL image whatever it says itself; None for arrays.
    data : bytes or None
        The encoded bytes, where there are some that decode to a picture by themselves; None for arrays, PIL images
        and PDF pages.
    notes : tuple of str
        What was done to the picture, in words.
    pristine : bool
        True where `data` shows exactly `pixels` to any decoder, so that it may stand for them: no orientation, alpha,
        reduction to 8 bits, colour space, colour profile or page had to be chosen on the way.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    source: str
    format: str | None = None
    data: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    pristine: bool = False


def load(
    source: Source,
    *,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    dpi: float = 150,
    name: str | None = None,
) -> Loaded:
    """Load a picture from a path, bytes, a binary file object, a PIL image or an array.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object, PIL.Image.Image or ndarray
        A path may carry a page: ``"statement.pdf#page=3"``; a file of that literal name wins. A file object is read
        from its position to its end and is not closed. Of a PIL image with several frames the current one is taken.
        Arrays are ``(H, W)`` or ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGB with alpha, of dtype uint8,
        bool, uint16 (0 to 65535) or float in [0, 1].
    max_pixels : int
        The largest width x height, checked before decoding.
    page : int or None
        The page of a PDF or TIFF, from 1; None is the first.
    dpi : float
        Pixels per inch at which a PDF page is rendered.
    name : str or None
        What messages call the input, instead of the path or ``"<bytes>"`` and the like.

    Returns
    -------
    Loaded

    Raises
    ------
    UsageError
        If an argument has a wrong type or range, or an array a wrong dtype or shape.
    InputError
        If the picture cannot be read: missing, empty, too large, of another format, damaged, truncated, animated.
    MissingExtraError
        If the input is a PDF and the extra ``[pdf]`` is not installed.

    Notes
    -----
    Transparency is composited on white. 16-bit samples are scaled to 8 bits and rounded where Pillow hands all bits
    over (grey PNG and TIFF, arrays), and cut to their upper 8 bits where it does not (colour, grey with alpha): at most
    one level apart. Float pictures must lie in [0, 1]. 32-bit integer pictures are refused, for their range is not
    known. CMYK becomes RGB by the plain formula; in JPEG it is taken as inverted, as Adobe's programs write it. Colour
    profiles are not applied.

    Examples
    --------
    >>> import numpy as np
    >>> loaded = load(np.full((2, 3), 0.5))
    >>> loaded.pixels.shape, loaded.pixels[0, 0].tolist(), loaded.source
    ((2, 3, 3), [128, 128, 128], '<array>')
    """
    _check_settings(max_pixels, page, dpi)
    if isinstance(source, Image.Image):
        return _from_picture(source, _shown(name or "<PIL image>"), max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), _shown(name or "<bytes>"), max_pixels, page, dpi)
    if isinstance(source, str | os.PathLike):
        path, page = _split_page(os.fsdecode(source), page)
        label = _shown(name or os.fsdecode(source))
        return _from_bytes(_read_path(path, label), label, max_pixels, page, dpi)
    if hasattr(source, "read"):
        own_name = getattr(source, "name", None)
        label = _shown(name or (own_name if isinstance(own_name, str) else "<file>"))
        return _from_bytes(_read_stream(source, label), label, max_pixels, page, dpi)
    if hasattr(source, "__array__"):
        return _from_array(source, _shown(name or "<array>"), max_pixels)
    raise UsageError(
        f"cannot load a picture from {type(source).__name__}; "
        "give a path, bytes, a binary file object, a PIL image or an array"
    )


def _check_settings(max_pixels: object, page: object, dpi: object) -> None:
    if not isinstance(max_pixels, int) or isinstance(max_pixels, bool) or max_pixels < 1:
        raise UsageError(f"max_pixels must be a whole number from 1, not {_shown(repr(max_pixels))}")
    if page is not None and (not isinstance(page, int) or isinstance(page, bool) or page < 1):
        raise UsageError(f"page must be a whole number from 1, not {_shown(repr(page))}")
    if not isinstance(dpi, int | float) or isinstance(dpi, bool) or not (math.isfinite(dpi) and dpi > 0):
        raise UsageError(f"dpi must be a number above 0, not {_shown(repr(dpi))}")


def _shown(text: str, limit: int = 160) -> str:
    """Make a text fit for one line of a message: unprintable characters escaped, the middle of a long one left out."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}...{text[-limit // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


# --- reading bytes -------------------------------------------------------------------------------------------------


def _split_page(path: str, page: int | None) -> tuple[str, int | None]:
    stem, mark, text = path.rpartition("#page=")
    if not mark or os.path.lexists(path):
        return path, page
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise UsageError(f"{_shown(path)}: the page must be a whole number from 1, as in statement.pdf#page=3")
    if page is not None and page != int(text):
        raise UsageError(f"{_shown(path)}: the path and page={page} name different pages; give one of them")
    return stem, int(text)


def _read_path(path: str, label: str) -> bytes:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{label}: is a folder; give the pictures in it")
        if not stat.S_ISREG(status.st_mode):  # opening a pipe or device can block for ever
            raise InputError(f"{label}: is not a regular file; open it yourself and give the file object or its bytes")
        _check_encoded_size(status.st_size, label)
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{label}: no such file") from error
    except PermissionError as error:
        raise InputError(f"{label}: permission denied; make the file readable") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise InputError(f"{label}: cannot be read ({_cause(error)})") from error
    except MemoryError as error:
        raise InputError(f"{label}: not enough memory to read it") from error
    _check_encoded_size(len(data), label)
    return data


def _read_stream(stream: Any, label: str) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        try:
            part = stream.read(2**20)
        except (OSError, ValueError) as error:  # ValueError: a closed file
            raise InputError(f"{label}: cannot be read ({_cause(error)})") from error
        if not isinstance(part, bytes | bytearray):
            raise UsageError(f"{label}: read() gave {type(part).__name__}, not bytes; open the file in binary mode")
        if not part:
            break
        total += len(part)
        _check_encoded_size(total, label)
        parts.append(bytes(part))
    if not parts:
        raise InputError(f"{label}: there is nothing to read; seek(0) in the file object if it was just written")
    return b"".join(parts)


def _check_encoded_size(size: int, label: str) -> None:
    if size > MAX_ENCODED_BYTES:
        raise InputError(
            f"{label}: is larger than the limit of {MAX_ENCODED_BYTES} bytes (256 MiB); scale or compress it first"
        )


# --- encoded pictures ----------------------------------------------------------------------------------------------


def _from_bytes(data: bytes, label: str, max_pixels: int, page: int | None, dpi: float) -> Loaded:
    if not data:
        raise InputError(f"{label}: is empty (0 bytes)")
    _check_encoded_size(len(data), label)
    kind = _recognise(data)
    if kind is None:
        raise InputError(f"{label}: {_guess(data)}; {_SUPPORTED}: convert it to one of these")
    if kind == "PDF":
        from pixtrim.pdf import render

        pixels, notes = render(data, label, page, dpi, lambda w, h: _check_pixels(w, h, max_pixels, label))
        return Loaded(pixels, label, kind, None, notes)
    with _decoding(label, kind):
        pixels, notes = _decode(data, kind, label, max_pixels, page)
    return Loaded(pixels, label, kind, data, notes, pristine=not notes)


def _recognise(data: bytes) -> str | None:
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return "PDF" if b"%PDF-" in data[:1024] else None


def _guess(data: bytes) -> str:
    start = data[:64].lstrip().lower()
    if data[4:8] == b"ftyp":
        return "looks like HEIC, AVIF or a video"
    if start.startswith((b"<svg", b"<?xml", b"<!doctype", b"<html")):
        return "looks like SVG, XML or HTML, not pixels"
    if data.startswith(b"8BPS"):
        return "looks like a Photoshop document"
    return f"is no picture of a known format (it starts with {data[:8].hex(' ')})"


def _check_pixels(width: int, height: int, max_pixels: int, label: str) -> None:
    if width < 1 or height < 1:
        raise InputError(f"{label}: has no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise InputError(
            f"{label}: {width} x {height} is {width * height} pixels, over the limit of {max_pixels}; "
            "scale it down (a PDF page: lower the dpi) or raise max_pixels"
        )


@contextmanager
def _decoding(label: str, kind: str | None) -> Iterator[None]:
    """Turn whatever a decoder raises into one line: Pillow's raise almost any type on damaged data."""
    what = "" if kind is None else f" as {_shown(kind)}"
    try:
        yield
    except PixtrimError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{label}: too large to be decoded{what} ({_cause(error)}); scale it down first") from error
    except MemoryError as error:
        raise InputError(f"{label}: not enough memory to decode it{what}; scale it down first") from error
    except Exception as error:
        raise InputError(
            f"{label}: cannot be decoded{what}, it is damaged, truncated or of an unsupported kind "
            f"({_cause(error)}); export it again"
        ) from error


def _cause(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _shown(text.strip()) or type(error).__name__


def _decode(
    data: bytes, kind: str, label: str, max_pixels: int, page: int | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    picture = _open(data, kind)
    _check_pixels(*picture.size, max_pixels, label)
    pages = _count_pages(data) if kind == "TIFF" else 1
    if kind != "TIFF" and getattr(picture, "is_animated", False):
        raise InputError(f"{label}: is an animated {kind}; export the frame that matters as a picture of its own")
    number = 1 if page is None else page
    if number > pages:
        raise InputError(f"{label}: page {number} is out of range; it has {pages} page{'s' if pages > 1 else ''}")
    notes = []
    if pages > 1:
        picture.seek(number - 1)
        _check_pixels(*picture.size, max_pixels, label)
        notes.append(f"first of {pages} pages" if number == 1 else f"page {number} of {pages}")
    pixels, more = pixels_of(picture, label, data)
    return pixels, (*notes, *more)


def _open(data: bytes, kind: str) -> Image.Image:
    """Read the header with the one decoder that is meant; ``Image.open`` would add its own pixel cap, with warnings."""
    module, name = _DECODERS[kind]
    decoder = cast("Callable[[IO[bytes]], Image.Image]", getattr(importlib.import_module(f"PIL.{module}"), name))
    if kind == "GIF":  # the one decoder that applies Pillow's cap to a header
        with without_bomb_warning():
            return decoder(io.BytesIO(data))
    return decoder(io.BytesIO(data))


def _count_pages(data: bytes) -> int:
    """Follow the chain of directories of a TIFF; loops and broken links end it."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = data[2:4] in (b"+\0", b"\0+")
    first, link, count, entry = (8, 8, 8, 20) if big else (4, 4, 2, 12)

    def number(at: int, length: int) -> int:
        return int.from_bytes(data[at : at + length], order) if at + length <= len(data) else 0

    seen: set[int] = set()
    at = number(first, link)
    while at and at not in seen and at + count <= len(data) and len(seen) < _MOST_PAGES:
        seen.add(at)
        at = number(at + count + entry * number(at, count), link)
    return max(1, len(seen))


# --- pictures and arrays -------------------------------------------------------------------------------------------


def _from_picture(picture: Image.Image, label: str, max_pixels: int) -> Loaded:
    _check_pixels(*picture.size, max_pixels, label)
    with _decoding(label, picture.format):
        pixels, notes = pixels_of(picture, label, None)
    return Loaded(pixels, label, picture.format, None, notes)


def _from_array(source: Any, label: str, max_pixels: int) -> Loaded:
    try:
        array = np.asarray(source)
    except Exception as error:
        raise UsageError(f"{label}: cannot be read as an array ({_cause(error)}); give a NumPy array") from error
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise UsageError(f"{label}: shape {array.shape} ({array.dtype}) is no picture; {_ARRAYS}")
    if array.dtype.kind not in "bf" and not (array.dtype.kind == "u" and array.dtype.itemsize <= 2):
        raise UsageError(f"{label}: dtype {array.dtype} (shape {array.shape}) is not supported; {_ARRAYS}")
    _check_pixels(array.shape[1], array.shape[0], max_pixels, label)
    pixels, notes = pixels_of_array(array, label)
    return Loaded(pixels, label, None, None, notes)
