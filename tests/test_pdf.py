"""PDF pages: which page, at which size, with what colours, and every way in which a PDF can be wrong."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pixtrim.errors import InputError, MissingExtraError, PixtrimError, UsageError
from pixtrim.image import load

RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """Put numbered objects, the first of them the catalogue, into a file."""
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + start


def document(drawings: Sequence[bytes], box: bytes = b"0 0 72 36", extra: bytes = b"", trailer: bytes = b"") -> bytes:
    """One page for each drawing; each page is 72 x 36 points (1 x 0.5 inches) where `box` says nothing else."""
    kids = b" ".join(b"%d 0 R" % (3 + 2 * i) for i in range(len(drawings)))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(drawings))]
    for i, drawing in enumerate(drawings):
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents %d 0 R %s >>" % (box, 4 + 2 * i, extra))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing))
    return pdf(objects, trailer)


THREE = document([b"%s rg 0 0 36 36 re f" % colour for colour in (b"1 0 0", b"0 1 0", b"0 0 1")])


def refuse(source: object, *parts: str, error: type[PixtrimError] = InputError, **options: object) -> None:
    with pytest.raises(PixtrimError) as caught:
        load(source, **options)  # type: ignore[arg-type]
    assert type(caught.value) is error, caught.value
    assert str(caught.value).isprintable()
    for part in parts:
        assert part in str(caught.value)


@pytest.fixture(autouse=True)
def _needs_pdfium(request: pytest.FixtureRequest) -> None:
    if "missing" not in request.node.name:
        pytest.importorskip("pypdfium2", reason="the extra [pdf] is not installed")


def test_a_missing_extra_answers_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pypdfium2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refuse(), *sys.meta_path])
    refuse(THREE, "<bytes>: reading a PDF page needs pypdfium2", 'pip install "pixtrim[pdf]"', error=MissingExtraError)


class Refuse:
    """An import hook by which one package is not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pypdfium2":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


# --- pages ---------------------------------------------------------------------------------------------------------


def test_first_page_by_default_at_150_dpi() -> None:
    loaded = load(THREE)
    assert loaded.pixels.shape == (75, 150, 3)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels.flags.c_contiguous
    assert loaded.pixels[40, 30].tolist() == RED
    assert loaded.pixels[40, 120].tolist() == WHITE
    assert (loaded.format, loaded.data, loaded.pristine) == ("PDF", None, False)
    assert loaded.notes == ("page 1 of 3 rendered at 150 dpi",)


@pytest.mark.parametrize(("page", "colour"), [(1, RED), (2, GREEN), (3, BLUE)])
def test_pages_by_argument_and_by_path(tmp_path: Path, page: int, colour: list[int]) -> None:
    path = tmp_path / "statement.pdf"
    path.write_bytes(THREE)
    for loaded in (load(path, page=page), load(f"{path}#page={page}"), load(f"{path}#page={page}", page=page)):
        assert loaded.pixels[10, 10].tolist() == colour
        assert loaded.notes == (f"page {page} of 3 rendered at 150 dpi",)
    assert load(f"{path}#page={page}").source == f"{path}#page={page}"


def test_every_source(tmp_path: Path) -> None:
    path = tmp_path / "no-suffix"
    path.write_bytes(THREE)
    expected = load(THREE).pixels
    np.testing.assert_array_equal(load(path).pixels, expected)
    np.testing.assert_array_equal(load(io.BytesIO(THREE)).pixels, expected)
    np.testing.assert_array_equal(load(b"junk before the header\n" + THREE).pixels, expected)


def test_a_file_whose_name_holds_the_mark_wins(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(THREE)
    (tmp_path / "a.pdf#page=2").write_bytes(document([b"0 0 1 rg 0 0 72 36 re f"]))
    assert load(str(tmp_path / "a.pdf#page=2")).pixels[10, 10].tolist() == BLUE
    assert load(str(tmp_path / "a.pdf#page=2#page=1")).pixels[10, 10].tolist() == BLUE
    assert load(str(tmp_path / "a.pdf#page=3")).pixels[10, 10].tolist() == BLUE
    refuse(str(tmp_path / "a.pdf#page=2"), "page 2 is out of range; the PDF has 1 page", page=2)


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1.5", "99999999999", "²", "1-3"])
def test_page_marks_that_are_no_number(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.pdf").write_bytes(THREE)
    refuse(f"{tmp_path / 'a.pdf'}#page={text}", "the page must be a whole number from 1", error=UsageError)


def test_pages_that_do_not_exist_or_disagree(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(THREE)
    refuse(f"{path}#page=4", "a.pdf#page=4: page 4 is out of range; the PDF has 3 pages")
    refuse(path, "page 999999999 is out of range", page=999_999_999)
    refuse(f"{path}#page=2", "name different pages", error=UsageError, page=3)
    refuse(f"{tmp_path / 'none.pdf'}#page=2", "no such file")


# --- size ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dpi", "shape"), [(72, (36, 72)), (100, (50, 100)), (300, (150, 300)), (10.5, (6, 11)), (1, (1, 1))]
)
def test_size_follows_the_dpi(dpi: float, shape: tuple[int, int]) -> None:
    loaded = load(THREE, dpi=dpi)
    assert loaded.pixels.shape == (*shape, 3)
    assert loaded.notes == (f"page 1 of 3 rendered at {dpi:g} dpi",)


def test_rotation_of_the_page_is_applied() -> None:
    assert load(document([b""], extra=b"/Rotate 90"), dpi=72).pixels.shape == (72, 36, 3)


def test_pixel_cap_is_checked_before_rendering() -> None:
    refuse(THREE, "300 x 150 is 45000 pixels, over the limit of 44999", "lower the dpi", dpi=300, max_pixels=44_999)
    assert load(THREE, dpi=300, max_pixels=45_000).pixels.shape == (150, 300, 3)
    refuse(THREE, "over the limit of 100000000", dpi=1e6)
    refuse(THREE, dpi=1e300)
    refuse(document([b""], box=b"0 0 9999999 9999999"), "over the limit")


# --- content -------------------------------------------------------------------------------------------------------


def test_transparency_lies_on_white() -> None:
    extra = b"/Resources << /ExtGState << /G << /ca 0.5 >> >> >>"
    pixel = load(document([b"/G gs 0 0 0 rg 0 0 72 36 re f"], extra=extra), dpi=72).pixels[18, 36]
    np.testing.assert_allclose(pixel.astype(int), 128, atol=1)


def test_annotations_and_filled_form_fields_are_drawn() -> None:
    def appearance(colour: bytes) -> bytes:
        return (
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 10 10] /Length %d >>\nstream\n%s rg 0 0 10 10 re f\nendstream"
            % (
                len(colour) + 18,
                colour,
            )
        )

    data = pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 36] /Annots [4 0 R 5 0 R] >>",
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (x) /Rect [0 0 20 36] /F 4 /AP << /N 6 0 R >> >>",
            b"<< /Type /Annot /Subtype /Stamp /Rect [52 0 72 36] /F 4 /AP << /N 7 0 R >> >>",
            appearance(b"1 0 0"),
            appearance(b"0 0 1"),
        ]
    )
    pixels = load(data, dpi=72).pixels
    assert pixels[18, 36].tolist() == WHITE
    assert pixels[18, 62].tolist() == BLUE
    assert pixels[18, 10].tolist() != WHITE


# --- wrong in every way --------------------------------------------------------------------------------------------


def test_encrypted() -> None:
    locked = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> /ID [<00> <00>]" % (
        b"41" * 32,
        b"42" * 32,
    )
    refuse(document([b""], trailer=locked), "<bytes>: the PDF is encrypted", "without a password")


@pytest.mark.parametrize("data", [b"%PDF-1.7", b"%PDF-1.7\n" + b"\0" * 500, THREE[:40], b"%PDF-" + bytes(range(256))])
def test_broken(data: bytes) -> None:
    refuse(data, "<bytes>: the PDF is damaged or has no pages", "export it again")


def test_without_pages() -> None:
    refuse(
        pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]), "damaged or has no pages"
    )


def test_a_page_that_is_no_page() -> None:
    lying = pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [9 0 R] /Count 5 >>"])
    refuse(lying, "<bytes>: the PDF", page=2)


def test_truncation_at_every_length_is_answered() -> None:
    for length in range(5, len(THREE), 7):
        try:
            shape = load(THREE[:length], dpi=72).pixels.shape
        except InputError:
            continue
        assert len(shape) == 3  # PDFium rebuilds a lost table of objects


def test_threads_take_turns() -> None:
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda i: load(THREE, page=1 + i % 3, dpi=50).pixels[5, 5].tolist(), range(24)))
    assert pages == [RED, GREEN, BLUE] * 8


def test_pixels_outlive_the_document() -> None:
    loaded = [load(THREE, dpi=72).pixels for _ in range(20)]
    gc.collect()
    for pixels in loaded:
        assert pixels.flags.owndata
        np.testing.assert_array_equal(pixels, loaded[0])
