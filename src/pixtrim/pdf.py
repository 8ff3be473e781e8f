"""Rendering one page of a PDF, for `pixtrim.image` alone: everything else calls `pixtrim.image.load`.

PDFium comes through the extra ``[pdf]`` (pypdfium2) and is imported only when a PDF is met.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import InputError, PixtrimError, require

__all__ = ["POINTS_PER_INCH", "render"]

POINTS_PER_INCH = 72
"""The unit of PDF page sizes: 1/72 inch."""

_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY of fpdfview.h

_PDFIUM = threading.Lock()  # PDFium is not thread-safe: one call at a time in the whole process


def render(
    data: bytes, source: str, page: int | None, dpi: float, check_size: Callable[[int, int], None]
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Render one page on white, with its annotations and filled form fields.

    Parameters
    ----------
    data : bytes
        The whole PDF.
    source : str
        The name of the input in messages.
    page : int or None
        The page, from 1; None is the first.
    dpi : float
        Pixels per inch of the page, above 0.
    check_size : callable
        Called as ``check_size(width, height)`` in pixels before anything is rendered; it raises where that is too
        large.

    Returns
    -------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, C-contiguous.
    notes : tuple of str
        The page, the page count and the resolution in words.

    Raises
    ------
    InputError
        If the PDF is damaged or encrypted, has no such page, or the page is too large.
    MissingExtraError
        If pypdfium2 is not installed.
    """
    pdfium = require("pypdfium2", "pdf", f"{source}: reading a PDF page")
    with _PDFIUM:
        document = _open(pdfium, data, source)
        try:
            count = len(document)
            number = 1 if page is None else page
            if number > count:
                pages = "1 page" if count == 1 else f"{count} pages"
                raise InputError(f"{source}: page {number} is out of range; the PDF has {pages}")
            pixels = _draw(document, number, dpi, source, check_size)
        except PixtrimError:
            raise
        except MemoryError as error:
            raise InputError(f"{source}: not enough memory to render the page; lower the dpi ({dpi:g})") from error
        except Exception as error:
            raise InputError(f"{source}: the PDF page cannot be rendered; the file may be damaged") from error
        finally:
            document.close()
    return pixels, (f"page {number} of {count} rendered at {dpi:g} dpi",)


def _open(pdfium: Any, data: bytes, source: str) -> Any:
    try:
        return pdfium.PdfDocument(data)
    except Exception as error:
        if getattr(error, "err_code", None) in (_PASSWORD, _SECURITY) or "password" in str(error).lower():
            raise InputError(f"{source}: the PDF is encrypted; save a copy without a password first") from error
        raise InputError(f"{source}: the PDF is damaged or has no pages; export it again") from error


def _draw(
    document: Any, number: int, dpi: float, source: str, check_size: Callable[[int, int], None]
) -> NDArray[np.uint8]:
    document.init_forms()  # without it the values of form fields stay invisible; must precede the first page
    page = document[number - 1]
    scale = dpi / POINTS_PER_INCH
    width, height = (side * scale for side in page.get_size())
    if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
        raise InputError(f"{source}: page {number} has no area ({width:g} x {height:g} pixels); choose another page")
    check_size(math.ceil(width), math.ceil(height))
    try:
        bitmap = page.render(scale=scale, rev_byteorder=True)
        return np.array(bitmap.to_numpy()[:, :, :3], dtype=np.uint8, order="C")
    finally:
        page.close()
