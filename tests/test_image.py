"""Loading of good pictures: every source, format and colour mode, with exact values."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from pixtrim.errors import InputError
from pixtrim.image import Loaded, load

RNG = np.random.default_rng(7)
COLOURS: NDArray[np.uint8] = RNG.integers(0, 256, (11, 17, 3), dtype=np.uint8)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG by hand, for what Pillow cannot write; `rows` are the unfiltered bytes of all rows."""
    step = len(rows) // height
    filtered = b"".join(b"\0" + rows[i * step : (i + 1) * step] for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def check(loaded: Loaded, expected: NDArray[Any]) -> None:
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels.flags.c_contiguous
    np.testing.assert_array_equal(loaded.pixels, expected)


# --- sources -------------------------------------------------------------------------------------------------------


def test_every_source_gives_the_same_pixels(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(COLOURS), "PNG")
    path = tmp_path / "statement.png"
    path.write_bytes(data)
    sources: list[Any] = [
        path,
        str(path),
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        Image.fromarray(COLOURS),
        COLOURS,
    ]
    for source in sources:
        check(load(source), COLOURS)
        if isinstance(source, io.BytesIO):
            source.seek(0)
    for loaded in (load(str(path)), load(data), load(io.BytesIO(data))):
        assert (loaded.format, loaded.data, loaded.notes, loaded.pristine) == ("PNG", data, (), True)
    names = [load(source).source for source in sources]
    assert names == [str(path), str(path), "<bytes>", "<bytes>", "<bytes>", "<file>", "<PIL image>", "<array>"]
    assert load(data, name="upload 7").source == "upload 7"


def test_file_object_is_read_from_its_position_and_left_open(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(COLOURS), "PNG")
    path = tmp_path / "with-prefix.bin"
    path.write_bytes(b"12345" + data)
    with path.open("rb") as stream:
        stream.seek(5)
        loaded = load(stream)
        assert not stream.closed
    check(loaded, COLOURS)
    assert loaded.source == str(path)


def test_short_reads_of_a_stream_are_joined() -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(7)

    check(load(Drip(encoded(Image.fromarray(COLOURS), "PNG"))), COLOURS)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files through /proc")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_no_file_stays_open(tmp_path: Path, kind: str) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    data = encoded(Image.fromarray(COLOURS), kind)
    good.write_bytes(data)
    bad.write_bytes(data[: len(data) // 2])
    before = set(os.listdir("/proc/self/fd"))
    load(good)
    with pytest.raises(InputError):
        load(bad)
    assert set(os.listdir("/proc/self/fd")) == before


def test_repr_leaves_out_pixels_and_bytes() -> None:
    assert repr(load(encoded(Image.fromarray(COLOURS), "PNG"))) == (
        "Loaded(source='<bytes>', format='PNG', notes=(), pristine=True)"
    )


def test_threads_load_at_once() -> None:
    pictures = [RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(8)]
    files = [encoded(Image.fromarray(p), kind) for p in pictures for kind in ("PNG", "TIFF", "BMP")]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for index, loaded in enumerate(pool.map(load, files)):
                check(loaded, pictures[index // 3])


# --- formats and modes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats(kind: str) -> None:
    loaded = load(encoded(Image.fromarray(COLOURS), kind))
    check(loaded, COLOURS)
    assert (loaded.format, loaded.pristine) == (kind, True)


def test_webp_lossless_and_jpeg_close() -> None:
    check(load(encoded(Image.fromarray(COLOURS), "WEBP", lossless=True)), COLOURS)
    flat = np.full((16, 16, 3), (200, 90, 30), np.uint8)
    loaded = load(encoded(Image.fromarray(flat), "JPEG", quality=95))
    assert np.abs(loaded.pixels.astype(int) - flat).max() <= 3
    assert loaded.pristine


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_palette_and_one_bit_are_pristine(kind: str, mode: str) -> None:
    grey = COLOURS[:, :, 0]
    if mode == "1":
        picture, expected = Image.fromarray(grey > 127), np.repeat(np.where(grey > 127, 255, 0)[..., None], 3, 2)
    elif mode == "L":
        picture, expected = Image.fromarray(grey), np.repeat(grey[..., None], 3, 2)
    else:
        indices = grey % 5
        palette = np.array([[255, 0, 0], [0, 255, 0], [1, 2, 3], [250, 251, 252], [9, 99, 199]], np.uint8)
        picture = Image.fromarray(indices).convert("L")
        picture.putpalette(palette.tobytes())
        expected = palette[indices]
    loaded = load(encoded(picture, kind))
    check(loaded, expected)
    assert (loaded.notes, loaded.pristine) == ((), True)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_low_bit_grey_png_fills_the_range(depth: int) -> None:
    top = 2**depth - 1
    values = np.arange(8) % (top + 1)
    bits = "".join(f"{v:0{depth}b}" for v in values)
    rows = int(bits, 2).to_bytes(len(bits) // 8, "big")
    check(load(png(8, 1, depth, 0, rows)), np.repeat((values * 255 // top)[None, :, None], 3, 2))
    for key in range(top + 1):
        cleared = np.where(values == key, 255, values * 255 // top)
        loaded = load(png(8, 1, depth, 0, rows, (b"tRNS", struct.pack(">H", key))))
        check(loaded, np.repeat(cleared[None, :, None], 3, 2))
        assert loaded.pristine == (key not in values)


def test_cmyk_tiff_and_jpeg() -> None:
    inks = np.array([[(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255), (255, 255, 0, 0)]])
    colours = np.array([(255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0), (0, 0, 0), (0, 0, 255)])
    picture = Image.frombytes("CMYK", (6, 1), inks.astype(np.uint8).tobytes())
    loaded = load(encoded(picture, "TIFF"))
    check(loaded, colours[None])
    assert loaded.notes == ("CMYK converted to RGB",)
    assert not loaded.pristine
    large = picture.resize((96, 16), Image.Resampling.NEAREST)
    for data in (encoded(large, "JPEG", quality=100), encoded(large, "TIFF")):
        pixels = load(data).pixels
        np.testing.assert_allclose(pixels[8, 8::16].astype(int), colours, atol=4)


def test_ycck_jpeg_has_the_right_colours() -> None:
    # Adobe transform 2 says that the first three planes are the YCbCr of the inks. Write those planes as if they were
    # inks themselves, then change the marker. Adobe stores all planes but these inverted, so black is 255 - K.
    rgb = np.array([(255, 0, 0), (0, 128, 0), (30, 60, 200)], np.uint8)
    ycc = np.asarray(Image.fromarray(255 - rgb[None]).convert("YCbCr"))[0]
    planes = np.concatenate([ycc, np.full((3, 1), 255, np.uint8)], axis=1)  # inverted: 255 is no black ink
    picture = Image.frombytes("CMYK", (3, 1), (255 - planes).astype(np.uint8).tobytes())  # Pillow inverts on writing
    data = bytearray(encoded(picture.resize((48, 16), Image.Resampling.NEAREST), "JPEG", quality=100))
    at = data.index(b"Adobe")
    assert data[at + 11] == 0
    data[at + 11] = 2
    np.testing.assert_allclose(load(bytes(data)).pixels[8, 8::16].astype(int), rgb, atol=5)


# --- alpha ---------------------------------------------------------------------------------------------------------


def on_white(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    exact = (colour.astype(float) * alpha + 255.0 * (255 - alpha)) / 255
    rounded: NDArray[np.uint8] = np.floor(exact + 0.5).astype(np.uint8)
    return rounded


def test_alpha_is_composited_exactly_for_every_value_and_alpha() -> None:
    colour, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    rgba = np.stack([colour, colour[::-1], 255 - colour, alpha], axis=2)
    expected = on_white(rgba[:, :, :3], alpha[:, :, None])
    for source in (rgba, Image.fromarray(rgba), encoded(Image.fromarray(rgba), "PNG"), rgba[::-1][::-1]):
        loaded = load(source)
        check(loaded, expected)
        assert loaded.notes == ("alpha composited on white",)
        assert not loaded.pristine


def test_grey_with_alpha() -> None:
    grey, alpha = COLOURS[:, :, 0], COLOURS[:, :, 1]
    picture = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    check(load(encoded(picture, "PNG")), np.repeat(on_white(grey, alpha)[..., None], 3, 2))


def test_opaque_alpha_is_pristine() -> None:
    rgba = np.dstack([COLOURS, np.full(COLOURS.shape[:2], 255, np.uint8)])
    loaded = load(encoded(Image.fromarray(rgba), "PNG"))
    check(loaded, COLOURS)
    assert (loaded.notes, loaded.pristine) == ((), True)


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 128])])
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_transparency(kind: str, transparency: int | bytes) -> None:
    if kind == "GIF" and isinstance(transparency, bytes):
        pytest.skip("GIF has one transparent index")
    palette = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    indices = np.array([[0, 1, 2, 0]], np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(palette.tobytes())
    alphas = np.array([255, 0, 255]) if transparency == 1 else np.frombuffer(bytes([255, 0, 128]), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load(encoded(picture, kind, transparency=transparency))
    check(loaded, on_white(palette[indices], alphas[indices][..., None]))
    assert loaded.notes == ("alpha composited on white",)


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 8, 9))])
def test_transparent_colour(mode: str, key: Any) -> None:
    picture = Image.new(mode, (4, 1), 0)
    picture.putpixel((2, 0), key)
    loaded = load(encoded(picture, "PNG", transparency=key))
    assert loaded.pixels[0, :, 0].tolist() == [0, 0, 255, 0]
    assert not loaded.pristine


# --- 16 bits and floats --------------------------------------------------------------------------------------------


ALL_16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)
ROUNDED = np.floor(ALL_16 / 257 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_rounded(kind: str) -> None:
    loaded = load(encoded(Image.fromarray(ALL_16), kind))
    check(loaded, np.repeat(ROUNDED[..., None], 3, 2))
    assert loaded.notes == ("16-bit samples reduced to 8 bits",)
    assert not loaded.pristine


def test_16_bit_big_endian_picture_and_array() -> None:
    expected = np.repeat(ROUNDED[..., None], 3, 2)
    check(load(Image.frombytes("I;16B", (256, 256), ALL_16.astype(">u2").tobytes())), expected)
    check(load(ALL_16.astype(">u2")), expected)


def test_16_bit_grey_tiff_where_zero_is_white() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    data = bytearray(encoded(Image.fromarray(ALL_16), "TIFF", tiffinfo=tags))
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    data[entry + 8 : entry + 10] = b"\0\0"
    check(load(bytes(data)), np.repeat(255 - ROUNDED[..., None], 3, 2))


def test_16_bit_colour_png_keeps_the_upper_byte() -> None:
    values = RNG.integers(0, 65536, (5, 4, 3)).astype(">u2")
    loaded = load(png(4, 5, 16, 2, values.tobytes()))
    check(loaded, values >> 8)
    assert loaded.notes == ("16-bit samples reduced to 8 bits",)
    expanded = (COLOURS.astype(np.uint16) * 257).astype(">u2")  # 8-bit values widened the exact way come back exactly
    check(load(png(17, 11, 16, 2, expanded.tobytes())), COLOURS)


def test_16_bit_transparent_colours() -> None:
    grey = np.array([[1000, 1001, 65535]], ">u2")
    loaded = load(png(3, 1, 16, 0, grey.tobytes(), (b"tRNS", struct.pack(">H", 1000))))
    assert loaded.pixels[0, :, 0].tolist() == [255, 4, 255]
    assert "alpha composited on white" in loaded.notes
    rgb = np.array([[(0x1234, 0x5678, 0x9ABC), (0x2234, 0x5678, 0x9ABC)]], ">u2")
    loaded = load(png(2, 1, 16, 2, rgb.tobytes(), (b"tRNS", struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))))
    assert loaded.pixels[0].tolist() == [[255, 255, 255], [0x22, 0x56, 0x9A]]


def test_16_bit_alpha_png() -> None:
    rgba = np.array([[(257 * 200, 257 * 100, 0, 257 * 128)]], ">u2")
    loaded = load(png(1, 1, 16, 6, rgba.tobytes()))
    check(loaded, on_white(np.array([[[200, 100, 0]]]), np.array([[[128]]])))
    assert loaded.notes == ("16-bit samples reduced to 8 bits", "alpha composited on white")


def test_float_tiff_in_the_unit_range() -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    loaded = load(encoded(Image.fromarray(values), "TIFF"))
    check(loaded, np.repeat(np.arange(256).reshape(16, 16)[..., None], 3, 2))
    assert not loaded.pristine


# --- arrays --------------------------------------------------------------------------------------------------------


def test_array_shapes() -> None:
    grey = COLOURS[:, :, 0]
    for array in (grey, grey[:, :, None], np.asfortranarray(grey)):
        check(load(array), np.repeat(grey[..., None], 3, 2))
    for array in (COLOURS[:, ::-1], COLOURS[:, :, ::-1], COLOURS.transpose(1, 0, 2), np.asfortranarray(COLOURS)):
        check(load(array), array)
    loaded = load(COLOURS)
    assert np.shares_memory(loaded.pixels, COLOURS)
    assert (loaded.format, loaded.data, loaded.notes, loaded.pristine) == (None, None, (), False)


def test_bool_and_uint16_arrays() -> None:
    mask = COLOURS[:, :, 0] > 100
    check(load(mask), np.repeat(np.where(mask, 255, 0)[..., None], 3, 2))
    wide = RNG.integers(0, 65536, (6, 5, 4), dtype=np.uint16)
    eight = np.floor(wide / 257 + 0.5)
    loaded = load(wide)
    check(loaded, on_white(eight[:, :, :3], eight[:, :, 3:]))
    assert loaded.notes == ("16-bit samples reduced to 8 bits", "alpha composited on white")


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40), st.sampled_from(["f4", "f8", ">f8"]))
@settings(max_examples=60, deadline=None)
def test_float_arrays_round_to_the_nearest_level(values: list[float], dtype: str) -> None:
    array = np.array([values], dtype)
    pixels = load(array).pixels
    assert np.abs(pixels[:, :, 0] - array.astype(float) * 255).max() <= 0.5 + 1e-9
    check(load(pixels[:, :, 0] / 255.0), pixels)


# --- orientation ---------------------------------------------------------------------------------------------------

# What each EXIF orientation asks for, in NumPy's words: from the stored rows to the upright picture.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    blocks = RNG.integers(0, 256, (2, 3), dtype=np.uint8)  # six different greys of 8 x 8: exact enough for JPEG
    stored = np.repeat(np.kron(blocks, np.ones((8, 8), np.uint8))[..., None], 3, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    loaded = load(encoded(Image.fromarray(stored), kind, exif=exif, **options))
    expected = UPRIGHT[orientation](stored)
    np.testing.assert_allclose(loaded.pixels.astype(int), expected, atol=2 if kind == "JPEG" else 0)
    assert loaded.pixels.flags.c_contiguous
    assert loaded.notes == (() if orientation == 1 else (f"EXIF orientation {orientation} applied",))
    assert loaded.pristine == (orientation == 1)


def test_orientation_of_a_pil_image_and_the_image_is_left_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(encoded(Image.fromarray(COLOURS), "PNG", exif=exif))) as picture:
        check(load(picture), np.rot90(COLOURS, -1))
        assert picture.size == (17, 11)
        assert picture.getexif()[0x0112] == 6


@pytest.mark.parametrize("value", [0, 9, 4000])
def test_orientation_out_of_range_means_upright(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    loaded = load(encoded(Image.fromarray(COLOURS), "PNG", exif=exif))
    check(loaded, COLOURS)
    assert loaded.pristine


# --- what stops the bytes from standing for the pixels ---------------------------------------------------------------


def test_colour_profiles_are_left_alone_but_said() -> None:
    loaded = load(encoded(Image.fromarray(COLOURS), "PNG", icc_profile=b"\0" * 128 + b"Display P3"))
    check(loaded, COLOURS)
    assert (loaded.notes, loaded.pristine) == (("ICC profile not applied",), False)
    for name in (b"sRGB IEC61966-2.1", "sRGB".encode("utf-16-be")):
        assert load(encoded(Image.fromarray(COLOURS), "PNG", icc_profile=b"\0" * 128 + name)).pristine


def test_gamma_that_is_not_srgb_is_said() -> None:
    row = COLOURS[:1].tobytes()
    assert load(png(17, 1, 8, 2, row, (b"gAMA", struct.pack(">I", 45455)))).pristine
    loaded = load(png(17, 1, 8, 2, row, (b"gAMA", struct.pack(">I", 100000))))
    assert (loaded.notes, loaded.pristine) == (("gamma 1 not applied",), False)
    srgb = load(png(17, 1, 8, 2, row, (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000))))
    assert srgb.pristine


def test_pages_of_a_tiff() -> None:
    pages = [Image.new("RGB", (5 + i, 4), (i, 0, 0)) for i in range(3)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    first = load(data)
    assert (first.notes, first.pristine, first.data) == (("first of 3 pages",), False, data)
    third = load(data, page=3)
    assert third.pixels.shape == (4, 7, 3)
    assert third.pixels[0, 0].tolist() == [2, 0, 0]
    assert third.notes == ("page 3 of 3",)
    with pytest.raises(InputError, match=r"page 4 is out of range; it has 3 pages"):
        load(data, page=4)


def test_the_second_picture_in_a_jpeg_is_not_shown() -> None:
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    loaded = load(encoded(pages[0], "MPO", save_all=True, append_images=pages[1:]))
    assert loaded.format == "JPEG"
    assert loaded.pixels[4, 4, 0] > 240


def test_text_beside_the_pixels_does_not_matter() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 5000, zip=True)
    loaded = load(encoded(Image.fromarray(COLOURS), "PNG", pnginfo=info))
    assert loaded.pristine


def test_real_pictures_load(shared_data: Path) -> None:
    files = sorted(p for p in shared_data.rglob("*") if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})
    assert files
    for path in files[:: max(1, len(files) // 25)]:
        loaded = load(path)
        with Image.open(path) as picture:
            assert loaded.pixels.shape[0] * loaded.pixels.shape[1] == picture.width * picture.height
