"""Loading of bad input: whatever it is, it costs one clear line, little memory and no hang."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pixtrim import image as image_module
from pixtrim.errors import InputError, PixtrimError, UsageError
from pixtrim.image import load

KINDS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]
NOISE = np.random.default_rng(3).integers(0, 256, (24, 31, 3), dtype=np.uint8)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, body: bytes, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def refuse(source: Any, *parts: str, error: type[PixtrimError] = InputError, **options: Any) -> str:
    """Load without success: exactly that error, on one printable line, which holds `parts`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(PixtrimError) as caught:
            load(source, **options)
    message = str(caught.value)
    assert type(caught.value) is error, message
    assert message.isprintable()
    assert len(message) < 700
    for part in parts:
        assert part in message
    return message


# --- files ---------------------------------------------------------------------------------------------------------


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    refuse(tmp_path / "none.png", "none.png", "no such file")
    refuse(str(tmp_path), "is a folder")
    (tmp_path / "empty.png").touch()
    refuse(tmp_path / "empty.png", "is empty (0 bytes)")
    refuse(b"", "<bytes>", "is empty (0 bytes)")
    refuse("", "no such file")
    refuse("a\0b.png", "a\\x00b.png", "cannot be read")
    refuse(tmp_path / ("x" * 5000), "cannot be read", "...")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    refuse(tmp_path / "pipe.png", "is not a regular file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")
    path.chmod(0)
    refuse(path, "permission denied")


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
@pytest.mark.parametrize(
    "hostile", ["two\nlines.png", "\x1b[31mred.png", "‮gnp.exe", b"\xff\xfe.png".decode(errors="surrogateescape")]
)
def test_hostile_names_stay_on_one_printable_line(tmp_path: Path, hostile: str) -> None:
    (tmp_path / hostile).write_bytes(b"not a picture")
    refuse(tmp_path / hostile, "is no picture").encode("utf-8")
    refuse(b"not a picture", name=hostile).encode("utf-8")


def test_encoded_size_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as stream:
        stream.truncate(image_module.MAX_ENCODED_BYTES + 1)
    refuse(path, "268435456 bytes (256 MiB)")

    class Endless(io.RawIOBase):
        def read(self, size: int | None = -1, /) -> bytes:
            return bytes(size or 1)

    monkeypatch.setattr(image_module, "MAX_ENCODED_BYTES", 2**22)  # else this would fill the memory first
    refuse(Endless(), "larger than the limit of 4194304 bytes")


def test_file_objects_that_do_not_give_bytes() -> None:
    refuse(io.StringIO("text"), "read() gave str", "binary mode", error=UsageError)
    refuse(io.BytesIO(), "nothing to read", "seek(0)")
    closed = io.BytesIO(b"x")
    closed.close()
    refuse(closed, "cannot be read")


# --- not a supported picture ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"hello world, this is text", "starts with 68 65 6c 6c 6f 20 77 6f"),
        (b"\0", "starts with 00"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'/>", "looks like SVG"),
        (b"<!DOCTYPE html><html>404</html>", "HTML"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "looks like HEIC, AVIF"),
        (b"8BPS\0\1", "Photoshop"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, part: str) -> None:
    refuse(data, part, "supported are PNG, JPEG, WebP, GIF, BMP, TIFF and PDF")


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PCX", "SGI", "DDS", "JPEG2000", "EPS"])
def test_parsers_of_other_formats_are_not_reached(kind: str) -> None:
    refuse(encoded(Image.fromarray(NOISE), kind), "supported are PNG")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_are_refused_with_the_remedy(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    refuse(data, f"is an animated {kind}", "export the frame")
    with Image.open(io.BytesIO(data)) as picture:
        picture.seek(1)
        pixel = load(picture).pixels[4, 4]  # the way out: choose the frame
    assert pixel[2] > 240


def test_a_second_page_of_a_single_picture() -> None:
    refuse(encoded(Image.fromarray(NOISE), "PNG"), "page 2 is out of range; it has 1 page", page=2)
    assert load(encoded(Image.fromarray(NOISE), "PNG"), page=1).pristine


# --- damaged pictures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_at_every_length(kind: str) -> None:
    data = encoded(Image.fromarray(NOISE), kind, **({"lossless": True} if kind == "WEBP" else {}))
    whole = load(data).pixels
    accepted = 0
    for length in range(1, len(data), max(1, len(data) // 150)):
        try:
            loaded = load(data[:length])
        except InputError:
            continue
        np.testing.assert_array_equal(loaded.pixels, whole)  # only what follows the pixels may be missing
        accepted += 1
    assert accepted <= 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_alone(kind: str) -> None:
    refuse(encoded(Image.fromarray(NOISE), kind)[:12], f"cannot be decoded as {kind}")


def test_lying_headers() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in NOISE)
    assert load(png(31, 24, zlib.compress(rows))).pixels.shape == NOISE.shape
    refuse(png(31, 25, zlib.compress(rows)), "the PNG is 31 x 25 by its header", "2256 of 2350 bytes")
    refuse(png(62, 24, zlib.compress(rows)), "cannot be decoded as PNG")
    refuse(png(60_000, 60_000, b"x" * 100), "60000 x 60000 is 3600000000 pixels", "over the limit of 100000000")
    refuse(png(2**31 - 1, 2**31 - 1, b""), "2147483647 x 2147483647")
    refuse(png(9_000, 9_000, zlib.compress(bytes(60_000))), "cannot be decoded as PNG")
    for width, height in ((0, 5), (5, 0), (0, 0)):
        refuse(png(width, height, zlib.compress(rows)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_black_pictures_are_whole(mode: str) -> None:
    """A last row of zeros, where missing rows could hide, is looked at closely and passes."""
    for width, height in ((1, 1), (9, 5), (301, 40)):
        assert load(encoded(Image.new(mode, (width, height), 0), "PNG")).pixels.shape == (height, width, 3)


@pytest.mark.parametrize(("depth", "colour", "bits"), [(8, 2, 24), (1, 0, 1), (16, 6, 64), (4, 3, 4)])
def test_interlaced_pngs_need_all_their_rows(depth: int, colour: int, bits: int) -> None:
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for width, height in ((1, 1), (3, 2), (13, 11), (64, 33)):
        stream = b""
        for x, y, step_x, step_y in steps:
            columns, rows = len(range(x, width, step_x)), len(range(y, height, step_y))
            stream += (b"\0" + bytes((columns * bits + 7) // 8)) * (rows if columns else 0)
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 1))
        start = b"\x89PNG\r\n\x1a\n" + header + chunk(b"PLTE", bytes(48)) * (colour == 3)
        whole = start + chunk(b"IDAT", zlib.compress(stream)) + chunk(b"IEND", b"")
        assert load(whole).pixels.shape == (height, width, 3)
        short = start + chunk(b"IDAT", zlib.compress(stream[:-1])) + chunk(b"IEND", b"")
        refuse(short, "PNG")


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "WEBP", "TIFF"])
def test_huge_sizes_in_the_header_of_other_formats(kind: str) -> None:
    data = bytearray(encoded(Image.new("RGB", (8, 8)), kind, **({"lossless": True} if kind == "WEBP" else {})))
    if kind == "BMP":
        data[18:26] = struct.pack("<ii", 60_000, 60_000)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", 60_000, 60_000)
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    elif kind == "WEBP":
        data[21:25] = struct.pack("<I", struct.unpack("<I", data[21:25])[0] | 0x0FFFFFFF)
    else:
        for tag in (256, 257):
            for width in (3, 4):
                at = data.find(struct.pack("<HHI", tag, width, 1))
                if at >= 0:
                    data[at : at + 12] = struct.pack("<HHII", tag, 4, 1, 60_000)
    refuse(bytes(data))


def test_a_gif_frame_larger_than_its_screen() -> None:
    data = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    at = data.index(b",\0\0\0\0\x08\0\x08\0")
    for side in (9_700, 12_000, 60_000):  # Pillow's own cap would be silent, warn, and fail
        data[at + 5 : at + 9] = struct.pack("<HH", side, side)
        refuse(bytes(data), max_pixels=10**6)


def test_pixel_cap_is_checked_before_decoding() -> None:
    data = encoded(Image.new("L", (300, 200)), "PNG")
    refuse(data, "<bytes>", "300 x 200 is 60000 pixels", "limit of 59999", "raise max_pixels", max_pixels=59_999)
    assert load(data, max_pixels=60_000).pixels.shape == (200, 300, 3)
    broken = png(300, 200, b"no pixels at all")
    refuse(broken, "is 60000 pixels", max_pixels=59_999)
    refuse(np.zeros((200, 300), np.uint8), "<array>", "300 x 200", max_pixels=59_999)
    refuse(Image.new("L", (300, 200)), "<PIL image>", "300 x 200", max_pixels=59_999)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF"])
def test_above_the_cap_of_pillow_and_below_ours_nothing_warns(kind: str) -> None:
    """9,500 x 9,500 = 90 megapixels, where Pillow would warn of a decompression bomb."""
    data = encoded(
        Image.new("1" if kind != "GIF" else "P", (9_500, 9_500)),
        kind,
        **({"compression": "group4"} if kind == "TIFF" else {}),
    )
    filters = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(data).pixels.shape == (9_500, 9_500, 3)
    assert list(warnings.filters) == filters
    assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3


def test_text_chunk_bomb() -> None:
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(64 * 2**20), 9))
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in NOISE))
    refuse(png(31, 24, rows, bomb), "cannot be decoded as PNG")
    info = PngImagePlugin.PngInfo()
    for index in range(80):
        info.add_itxt(f"k{index}", "x" * 1_000_000, zip=True)
    refuse(encoded(Image.fromarray(NOISE), "PNG", pnginfo=info), "cannot be decoded as PNG")


def test_damaged_exif_does_not_cost_the_picture() -> None:
    data = encoded(Image.fromarray(NOISE), "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load(data)
    np.testing.assert_array_equal(loaded.pixels, NOISE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a host may make Pillow's warnings errors
        loaded = load(data)
    assert loaded.notes == ("EXIF data unreadable, no orientation applied",)


@pytest.mark.parametrize("loop", ["self", "chain"])
def test_tiff_directories_that_loop_or_never_end(loop: str) -> None:
    data = bytearray(encoded(Image.fromarray(NOISE), "TIFF"))
    first = struct.unpack("<I", data[4:8])[0]
    link = first + 2 + 12 * struct.unpack("<H", data[first : first + 2])[0]
    if loop == "self":
        data[link : link + 4] = struct.pack("<I", first)
        assert load(bytes(data)).notes == ()
    else:
        start = len(data)
        data[link : link + 4] = struct.pack("<I", start)
        for index in range(30_000):
            data += struct.pack("<HI", 0, start + 6 * (index + 1))
        assert load(bytes(data)).notes == ("first of 10000 pages",)


def test_integers_of_32_bits_and_floats_out_of_range() -> None:
    refuse(Image.new("I", (4, 4), 70_000), "32-bit integer samples have no known range")
    refuse(Image.new("F", (4, 4), 255.0), "samples from 255 to 255 are outside [0, 1]")
    refuse(encoded(Image.new("F", (4, 4), float("nan")), "TIFF"), "outside [0, 1]")


def test_a_pil_image_whose_file_is_gone() -> None:
    stream = io.BytesIO(encoded(Image.fromarray(NOISE), "PNG"))
    picture = Image.open(stream)
    stream.close()
    refuse(picture, "<PIL image>", "cannot be decoded as PNG")


# --- arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 1.001, 255.0])
def test_float_arrays_out_of_range(value: float) -> None:
    array = np.full((50, 40, 3), 0.5)
    array[49, 39, 2] = value
    refuse(array, "<array>", "outside [0, 1]", "scale or clip")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4, 3), np.int8),
        np.zeros((4, 4, 3), np.uint32),
        np.zeros((4, 4, 3), np.complex64),
        np.full((4, 4), "x"),
        np.full((4, 4), None),
    ],
)
def test_array_dtypes(array: Any) -> None:
    refuse(array, f"dtype {array.dtype}", f"shape {array.shape}", "uint8", error=UsageError)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4, 4, 3), (3, 20, 30), (4, 4, 2), (4, 4, 0), (4, 4, 5)])
def test_array_shapes(shape: tuple[int, ...]) -> None:
    refuse(np.zeros(shape, np.uint8), f"shape {shape}", "uint8", "(H, W, 3)", error=UsageError)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (0, 0)])
def test_arrays_without_pixels(shape: tuple[int, ...]) -> None:
    refuse(np.zeros(shape, np.uint8), "has no pixels")


@pytest.mark.parametrize("source", [None, 5, 2.5, [1, 2], {"a": 1}, object(), [[1, 2], [3, 4]]])
def test_sources_of_another_type(source: Any) -> None:
    refuse(source, f"cannot load a picture from {type(source).__name__}", error=UsageError)


@pytest.mark.parametrize(
    "options",
    [{"max_pixels": v} for v in (0, -1, 1.5, "9", None, True)]
    + [{"page": v} for v in (0, -2, 1.0, "1", True)]
    + [{"dpi": v} for v in (0, -72, float("nan"), float("inf"), "150", None, True)],
)
def test_settings(options: dict[str, Any]) -> None:
    (name,) = options
    refuse(NOISE, f"{name} must be", error=UsageError, **options)


# --- properties ----------------------------------------------------------------------------------------------------

SIGNATURES = [b"", *(encoded(Image.fromarray(NOISE), kind)[:16] for kind in KINDS), b"%PDF-1.7\n"]


@given(st.sampled_from(SIGNATURES), st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_end_in_pixels_or_one_line(signature: bytes, tail: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            outcome: Any = load(signature + tail, max_pixels=10**6).pixels
        except PixtrimError as error:
            outcome = str(error)
    if isinstance(outcome, str):
        assert outcome.isprintable()
    else:
        assert (outcome.dtype, outcome.shape[2]) == (np.uint8, 3)


def test_the_fuzzer_runs_and_finds_nothing(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="the fuzzer limits memory through the resource module")
    command = [sys.executable, "tests/fuzz/fuzz_loader.py", "--runs", "300", "--seed", "1", "--save", str(tmp_path)]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "300 runs" in result.stdout
    assert list(tmp_path.iterdir()) == []
