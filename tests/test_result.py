"""What shrink() returns: encoding, saving whole or not at all, the report as JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixtrim import Shrunk, UsageError, shrink
from pixtrim.result import ENCODERS, SUFFIXES, write_whole

MODEL = "claude-opus-4-7"
RNG = np.random.default_rng(0)
SMALL = RNG.integers(0, 256, (40, 60, 3), np.uint8)
LARGE = np.kron(RNG.integers(0, 256, (60, 80, 1), np.uint8), np.ones((10, 10, 3), np.uint8))


def png_file(path: Path, pixels: np.ndarray = LARGE) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture
def reduced() -> Shrunk:
    return shrink(LARGE, MODEL, 0.5, "resize")


# --- encoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "format"),
    [(None, "PNG"), ("png", "PNG"), ("PNG", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG"), ("jpg", "JPEG")],
)
def test_the_format_is_the_one_that_is_asked_for(reduced: Shrunk, asked: str | None, format: str) -> None:
    data = reduced.encode(asked)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == format
        assert picture.size == (reduced.report.width, reduced.report.height)
        assert picture.mode == "RGB"
    exact = format != "JPEG"
    difference = np.abs(decoded(data).astype(int) - reduced.image)
    assert difference.max() <= (0 if exact else 60)
    assert difference.mean() < (0.1 if exact else 4)
    assert data == reduced.encode(asked)


@pytest.mark.parametrize("wrong", ["gif", "", "PN", "png "])
def test_another_format_is_refused(reduced: Shrunk, wrong: str) -> None:
    with pytest.raises(UsageError, match=f"format is '{wrong}': choose one of png, webp, jpeg"):
        reduced.encode(wrong)


@pytest.mark.parametrize(("format", "longest"), [("webp", 16383), ("jpeg", 65500)])
def test_a_picture_too_large_for_its_format_is_refused(format: str, longest: int) -> None:
    largest = shrink(np.zeros((1, longest, 3), np.uint8), "gemini-3-pro")
    with Image.open(io.BytesIO(largest.encode(format))) as picture:
        assert picture.size == (longest, 1)
    over = shrink(np.zeros((longest + 1, 2, 3), np.uint8), "gemini-3-pro")
    with pytest.raises(UsageError, match=f"2x{longest + 1} is too large for {format.upper()}.* {longest} pixels.*png"):
        over.encode(format)
    assert decoded(over.encode("png")).shape == (longest + 1, 2, 3)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_bytes_of_an_unchanged_picture_come_back(format: str, tmp_path: Path) -> None:
    grey = SMALL[..., :1].repeat(3, axis=2)
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, format)
    data = stream.getvalue()
    shrunk = shrink(data, MODEL)
    assert shrunk.unchanged
    assert shrunk.encode() == data
    if format in ENCODERS:
        assert shrunk.encode(format) == data
        suffix = next(suffix for suffix, known in SUFFIXES.items() if known == format)
        assert shrunk.save(tmp_path / f"out{suffix}").read_bytes() == data
    else:
        np.testing.assert_array_equal(decoded(shrunk.save(tmp_path / "out.png").read_bytes()), shrunk.original)


def test_the_bytes_do_not_come_back_where_decoders_disagree_on_them() -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(SMALL).save(stream, "PNG", exif=exif)
    shrunk = shrink(stream.getvalue(), MODEL)
    assert shrunk.unchanged
    assert shrunk.encode() != stream.getvalue()
    np.testing.assert_array_equal(decoded(shrunk.encode()), shrunk.original)
    assert shrunk.original.shape == (60, 40, 3)


def test_the_bytes_do_not_come_back_of_what_was_reduced() -> None:
    stream = io.BytesIO()
    Image.fromarray(LARGE).save(stream, "PNG")
    shrunk = shrink(stream.getvalue(), MODEL, 0.5)
    assert decoded(shrunk.encode()).shape == shrunk.image.shape != LARGE.shape


# --- saving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".webp", ".jpg", ".jpeg", ".JPG"])
def test_the_suffix_decides(reduced: Shrunk, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    assert reduced.save(str(target)) == target
    assert target.read_bytes() == reduced.encode(SUFFIXES[suffix.lower()])
    assert os.listdir(tmp_path) == [target.name]


@pytest.mark.parametrize("name", ["out", "out.gif", "out.png.bak", "out.tiff", ".png"])
def test_an_unknown_suffix_is_refused(reduced: Shrunk, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"suffix says the format: choose one of \.png, \.webp, \.jpg, \.jpeg"):
        reduced.save(tmp_path / name)
    assert not os.listdir(tmp_path)


def test_an_older_file_is_replaced(reduced: Shrunk, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    reduced.save(target)
    assert target.read_bytes() == reduced.encode()


def test_a_new_file_has_the_usual_permissions(reduced: Shrunk, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    reduced.save(tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("budget", ["fit", 0.5])
@pytest.mark.parametrize("spelling", ["same", "dots", "relative", "symlink", "hard link", "folder link"])
def test_the_input_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str, budget: float | str
) -> None:
    (tmp_path / "sub").mkdir()
    source = png_file(tmp_path / "in.png")
    before = source.read_bytes()
    shrunk = shrink(source, MODEL, budget)
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "other.png"
    if spelling == "symlink":
        target.symlink_to(source)
    elif spelling == "hard link":
        os.link(source, target)
    elif spelling == "folder link":
        (tmp_path / "link").symlink_to(tmp_path)
    spelled = {
        "same": source,
        "dots": tmp_path / "sub" / ".." / "in.png",
        "relative": Path("in.png"),
        "symlink": target,
        "hard link": target,
        "folder link": tmp_path / "link" / "in.png",
    }[spelling]
    with pytest.raises(UsageError, match="is the input: choose another name"):
        shrunk.save(spelled)
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["in.png#page=1", "a#page=2.png", "x#page=1.png"])
def test_an_input_with_a_page_in_its_name_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """A name may look as if it named a page; a file of the literal name wins when it is read."""
    source = tmp_path / name
    source.write_bytes(png_file(tmp_path / "made.png").read_bytes())
    shrunk = shrink(str(source), MODEL, 0.5)
    link = tmp_path / "link.png"
    link.symlink_to(source)
    with pytest.raises(UsageError, match="is the input"):
        shrunk.save(link)


@pytest.mark.parametrize("folder", ["", "a#page=7b"])
def test_the_file_of_a_page_is_not_overwritten(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    source = tmp_path / folder / "in.tiff"
    pages = [Image.fromarray(LARGE), Image.fromarray(LARGE[:300])]
    pages[0].save(source, save_all=True, append_images=pages[1:])
    shrunk = shrink(f"{source}#page=2", MODEL, 0.5)
    assert shrunk.original.shape[0] == 300
    link = tmp_path / "link.png"
    link.symlink_to(source)
    with pytest.raises(UsageError, match="is the input"):
        shrunk.save(link)


def test_the_name_of_an_input_that_is_gone_is_free(tmp_path: Path) -> None:
    source = png_file(tmp_path / "in.png")
    shrunk = shrink(source, MODEL, 0.5)
    source.unlink()
    assert shrunk.save(source).read_bytes() == shrunk.encode()


def test_where_nothing_can_be_written_nothing_is_left(reduced: Shrunk, tmp_path: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        reduced.save(tmp_path / "missing" / "out.png")
    (tmp_path / "out.png").mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        reduced.save(tmp_path / "out.png")
    assert os.listdir(tmp_path) == ["out.png"]


FULL_DISK = """
import resource, sys
import numpy as np
from pixtrim import shrink
pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
shrunk = shrink(pixels, "claude-opus-4-7", 0.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    shrunk.save(sys.argv[1])
except OSError as error:
    print("OSError", len(shrunk.encode()) > 1000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources")
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path, old: bytes | None) -> None:
    target = tmp_path / "out.png"
    if old is not None:
        target.write_bytes(old)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(target)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "OSError True"), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ([] if old is None else ["out.png"])
    assert old is None or target.read_bytes() == old


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / f"{'é' * 120}.png"
    write_whole(target, b"data")
    assert target.read_bytes() == b"data"


# --- report and preview ----------------------------------------------------------------------------------------------


def test_the_report_is_json(reduced: Shrunk) -> None:
    report = reduced.report.to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["schema"] == 1
    assert report["output"] is None
    needed = {"input", "output", "operator", "width", "height", "tokens_before", "tokens_after", "seconds"}
    assert needed <= report.keys()
    assert reduced.tokens == (report["tokens_before"], report["tokens_after"])
    assert reduced.tokens.before == report["tokens_before"]


def test_every_field_of_the_report_is_documented(reduced: Shrunk, repository: Path) -> None:
    text = (repository / "docs" / "json.md").read_text(encoding="utf-8")
    assert [name for name in reduced.report.to_dict() if f"`{name}`" not in text] == []


def test_the_repr_is_short(reduced: Shrunk) -> None:
    assert len(repr(reduced)) < 2000


@pytest.mark.parametrize("operator", ["fold", "resize"])
def test_the_preview_shows_both(operator: str) -> None:
    page = np.full((300, 300, 3), 255, np.uint8)
    page[100:120, 50:250] = RNG.integers(0, 256, (20, 200, 1), np.uint8)
    shrunk = shrink(page, MODEL, 0.3, operator)  # type: ignore[arg-type]
    preview = shrunk.preview()
    assert preview.mode == "RGB"
    assert preview.width > 300
