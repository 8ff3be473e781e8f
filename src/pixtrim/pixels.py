"""From every colour mode of Pillow and every kind of array to ``uint8 (H, W, 3)`` RGB, for `pixtrim.image`."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError

__all__ = ["composite_on_white", "pixels_of", "pixels_of_array", "to_8_bits", "without_bomb_warning"]

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what shows the picture upright."""

_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0112, 0x0102, 0x0106  # tags of TIFF and EXIF

_BAND = 2**20  # samples converted at a time, so that the wide intermediate type costs little memory

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of an interlaced PNG: first column and row, and the steps."""

_PLAIN = ("1", "L", "P", "RGB", "RGBX")  # modes whose colours leave no choice

_COMPOSITED = "alpha composited on white"

_SRGB_GAMMA = 0.45455  # what a gAMA chunk says for sRGB: 1 / 2.2

_QUIET = threading.Lock()

Pixels = tuple[NDArray[np.uint8], tuple[str, ...]]


def pixels_of(picture: Image.Image, label: str, data: bytes | None) -> Pixels:
    """Load the pixels of a PIL image of any mode and turn it upright.

    Parameters
    ----------
    picture : PIL.Image.Image
        It is not changed, save that a lazy one is loaded.
    label : str
        The name of the input in messages.
    data : bytes or None
        The encoded picture where it is at hand: Pillow forgets the bit depth of a PNG.

    Returns
    -------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, C-contiguous.
    notes : tuple of str
        What was done, in words; empty where any decoder shows these pixels.

    Raises
    ------
    InputError
        If the mode has no known range (32-bit integers), float samples lie outside [0, 1], or a PNG lacks rows.
    Exception
        Almost anything that Pillow raises on damaged data.
    """
    stated = _tags(picture).get(_ORIENTATION)  # Pillow turns a TIFF by itself as it loads, and forgets this tag
    _load(picture)
    if data is not None and data[12:16] == b"IHDR":
        _check_all_rows(picture, data, label)
    orientation, notes = _orientation(picture)
    bits = _bit_depth(picture, data)
    inverted = _tags(picture).get(_PHOTOMETRIC) == 0  # white is 0; Pillow sees to it up to 8 bits
    if orientation in _TURNS:
        picture = picture.transpose(_TURNS[orientation])
    elif stated in _TURNS:
        notes.append(f"EXIF orientation {stated} applied")
    pixels, more = _rgb_of(picture, label, bits, inverted)
    return pixels, (*notes, *more)


def pixels_of_array(array: NDArray[Any], label: str) -> Pixels:
    """Convert an array, which must have one of the shapes and dtypes that `pixtrim.image.load` lists.

    Returns
    -------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, C-contiguous; the array itself where it is that already.
    notes : tuple of str
        What was done, in words.

    Raises
    ------
    InputError
        If float samples lie outside [0, 1].
    """
    notes: tuple[str, ...] = ()
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # in any byte order
        array, notes = to_8_bits(array, 65535, label), ("16-bit samples reduced to 8 bits",)
    elif array.dtype.kind in "bf":
        array = to_8_bits(array, 1.0, label)
    if array.ndim == 3 and array.shape[2] == 4:
        pixels, more = composite_on_white(Image.fromarray(np.ascontiguousarray(array)))
        return pixels, (*notes, *more)
    return _rgb(array), notes


def to_8_bits(values: NDArray[Any], top: float, label: str) -> NDArray[np.uint8]:
    """Scale samples from [0, `top`] to [0, 255] and round.

    Parameters
    ----------
    values : ndarray, shape (H, ...)
        Real samples of any dtype.
    top : float
        The value that becomes 255.
    label : str
        The name of the input in messages.

    Returns
    -------
    ndarray of uint8, of the same shape

    Raises
    ------
    InputError
        If a sample lies outside [0, `top`] or is not a number.

    Examples
    --------
    >>> to_8_bits(np.array([[0, 128, 129, 65535]], np.uint16), 65535, "example").tolist()
    [[0, 0, 1, 255]]
    """
    scaled = np.empty(values.shape, np.uint8)
    step = max(1, _BAND // values[0].size)
    for start in range(0, len(values), step):
        band = values[start : start + step].astype(np.float64)
        low, high = float(band.min()), float(band.max())
        if not (low >= 0 and high <= top):  # written so that a NaN fails as well
            raise InputError(
                f"{label}: samples from {low:g} to {high:g} are outside [0, {top:g}]; scale or clip the picture first"
            )
        band *= 255 / top
        band += 0.5
        scaled[start : start + step] = band  # the cast cuts off the fraction
    return scaled


@contextmanager
def without_bomb_warning() -> Iterator[None]:
    """Silence Pillow's warning about its own, lower cap; ours has been or will be checked.

    The warning filters belong to the whole process, so this is entered only where that warning can be raised.
    """
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def composite_on_white(picture: Image.Image) -> Pixels:
    """Lay an RGBA picture on white: ``round((colour * alpha + 255 * (255 - alpha)) / 255)``.

    Returns
    -------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, C-contiguous.
    notes : tuple of str
        Empty where every pixel is opaque.
    """
    alpha = picture.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return np.asarray(picture.convert("RGB")), ()
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture.convert("RGB"), mask=alpha)
    return np.asarray(white), (_COMPOSITED,)


def _load(picture: Image.Image) -> None:
    cap = Image.MAX_IMAGE_PIXELS
    if cap is not None and picture.width * picture.height > cap:
        with without_bomb_warning():
            picture.load()
    else:
        picture.load()


def _orientation(picture: Image.Image) -> tuple[int, list[str]]:
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata is no reason to refuse the picture
        return 1, ["EXIF data unreadable, no orientation applied"]
    if orientation in _TURNS:
        return orientation, [f"EXIF orientation {orientation} applied"]
    return 1, []


def _check_all_rows(picture: Image.Image, data: bytes, label: str) -> None:
    """Refuse a PNG whose header promises more rows than its stream holds; Pillow leaves those at 0 without a word.

    Inflating twice is dear, so only a picture whose last row is all 0, or whose rows come interlaced, is looked at.
    """
    width, height, depth, colour, interlaced = struct.unpack(">IIBB2xB", data[16:29])
    last = picture.crop((0, height - 1, width, height))
    if not interlaced and last.getbbox(alpha_only=False) is not None:
        return
    bits = depth * _PNG_CHANNELS[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for x, y, step_x, step_y in passes:
        columns, rows = -((x - width) // step_x), -((y - height) // step_y)
        expected += rows * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
    found = _inflated_size(data, expected)
    if found < expected:
        raise InputError(
            f"{label}: the PNG is {width} x {height} by its header, but holds {found} of {expected} bytes of pixels; "
            "export it again"
        )


def _inflated_size(data: bytes, enough: int) -> int:
    stream, size, at = zlib.decompressobj(), 0, 8
    while size < enough and at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        rest = data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        while rest and size < enough and not stream.eof:
            size += len(stream.decompress(rest, _BAND))
            rest = stream.unconsumed_tail
        at += 12 + length
    return size


def _tags(picture: Image.Image) -> Mapping[int, Any]:
    return getattr(picture, "tag_v2", {})


def _bit_depth(picture: Image.Image, data: bytes | None) -> int:
    """Bits per sample in the file, which Pillow's mode does not always tell."""
    if data is not None and data[12:16] == b"IHDR":
        return data[24]
    depths = _tags(picture).get(_BITS_PER_SAMPLE)
    if depths:
        return int(max(depths)) if isinstance(depths, tuple) else int(depths)
    return 16 if picture.mode.startswith("I;16") else 8


def _rgb_of(picture: Image.Image, label: str, bits: int, inverted: bool) -> Pixels:
    notes = _colour_notes(picture)
    if picture.mode == "F":
        return _rgb(to_8_bits(np.asarray(picture), 1.0, label)), (*notes, "float samples in [0, 1] scaled to 8 bits")
    if picture.mode == "I":
        raise InputError(f"{label}: 32-bit integer samples have no known range; convert it to 8 or 16 bits first")
    if bits > 8:
        notes.append(f"{bits}-bit samples reduced to 8 bits")
    if picture.mode.startswith("I;16"):
        pixels, more = _deep_grey(picture, label, bits, inverted)
        return pixels, (*notes, *more)
    if picture.has_transparency_data:
        pixels, more = composite_on_white(_with_key_in_8_bits(picture, bits).convert("RGBA"))
        return pixels, (*notes, *more)
    if picture.mode not in _PLAIN:
        notes.append(f"{picture.mode} converted to RGB")
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB")), tuple(notes)


def _deep_grey(picture: Image.Image, label: str, bits: int, inverted: bool) -> Pixels:
    values = np.asarray(picture)
    grey = to_8_bits(values, 2**bits - 1, label)
    if inverted:
        grey = 255 - grey
    clear = values == picture.info["transparency"] if "transparency" in picture.info else np.zeros(1, bool)
    if clear.any():
        grey[clear] = 255
    return _rgb(grey), (_COMPOSITED,) if clear.any() else ()


def _rgb(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give grey three channels; leave RGB as it is."""
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.shape[2] == 1:
        array = np.broadcast_to(array, (*array.shape[:2], 3))
    return np.ascontiguousarray(array)


def _with_key_in_8_bits(picture: Image.Image, bits: int) -> Image.Image:
    """Bring a transparent colour, which PNG states at the file's bit depth, to the 8 bits of the pixels."""
    key = picture.info.get("transparency")
    scaled: Any
    if picture.mode == "1" and isinstance(key, int):
        picture, scaled = picture.convert("L"), 255 if key else 0
    elif picture.mode == "L" and bits in (2, 4) and isinstance(key, int):
        picture, scaled = picture.copy(), key * 255 // (2**bits - 1)
    elif picture.mode == "RGB" and bits == 16 and isinstance(key, tuple):
        picture, scaled = picture.copy(), tuple(sample >> 8 for sample in key)
    else:
        return picture
    picture.info["transparency"] = scaled
    return picture


def _colour_notes(picture: Image.Image) -> list[str]:
    """Name what a colour-managed decoder would show otherwise."""
    profile, gamma = picture.info.get("icc_profile"), picture.info.get("gamma")
    if profile and b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile:
        return ["ICC profile not applied"]
    if gamma and not profile and "srgb" not in picture.info and abs(gamma - _SRGB_GAMMA) > 0.01:
        return [f"gamma {gamma:g} not applied"]
    return []
