"""Documents: FUNSD forms, SROIE receipts, OmniDocBench pages, and pages of PDFs with their text layer."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pixtrim.evaluation.datasets.adapters import (
    Layout,
    beginning,
    first_truth,
    has_key,
    lines,
    pairs,
    pictures_in,
    read_json,
    read_text,
    register,
    sample,
    text_field,
    truth_of,
)
from pixtrim.evaluation.samples import Question, Sample, Truth

__all__ = ["funsd", "omnidocbench", "pdfpages", "sroie"]

# Beside one another, and as it is published.
_FUNSD: Final = (Layout("", "", ".json"), Layout("images", "annotations", ".json"))
_SROIE: Final = (Layout("", "", ".csv"), Layout("img", "box", ".csv"))
_PDF_WORDS: Final = (Layout("", "", ".bbox.html"),)

_RECEIPT_QUESTIONS: Final = {
    "company": "Which company issued this receipt?",
    "date": "What is the date on this receipt?",
    "address": "What is the address of the company on this receipt?",
    "total": "What is the total amount on this receipt?",
}


def _is_funsd(root: Path) -> bool:
    found = first_truth(root, _FUNSD)
    return found is not None and has_key(found[1], "form")


@register("funsd", "FUNSD forms: x.png, x.json with the fields and words", _is_funsd)
def funsd(root: Path) -> Iterator[Sample]:
    """Yield the forms of FUNSD; the text is that of the fields, in the order of the file."""
    for picture, path in pairs(root, _FUNSD):
        yield sample(root, picture, "document scan", Truth(text=_form_text(path) if path else None))


def _form_text(path: Path) -> str | None:
    with truth_of(path, "a FUNSD form"):
        texts = [text_field(entry, "text") for entry in read_json(path)["form"]]
    return lines(texts)


def _is_sroie(root: Path) -> bool:
    found = first_truth(root, _SROIE)
    return found is not None and re.match(rb"(?:\xef\xbb\xbf)?(?:\d+,){8}", beginning(found[1])) is not None


@register(
    "sroie", "SROIE receipts: x.jpg, x.csv with the lines of text, x.key.json with what was bought where", _is_sroie
)
def sroie(root: Path) -> Iterator[Sample]:
    """Yield the receipts of SROIE; the four fields of its third task become questions."""
    for picture, path in pairs(root, _SROIE):
        truth = Truth(text=_receipt_text(path) if path else None, questions=_receipt_questions(root, picture))
        yield sample(root, picture, "receipt", truth)


def _receipt_text(path: Path) -> str | None:
    with truth_of(path, "a list of the lines of an SROIE receipt"):
        parts = [line.split(",", 8) for line in read_text(path).splitlines() if line.strip()]
        for number, part in enumerate(parts, 1):
            if len(part) < 9 or not all(re.fullmatch(r"\s*-?\d+\s*", value) for value in part[:8]):
                raise ValueError(f"line {number} does not hold eight coordinates and a text")
    return lines(part[8] for part in parts)


def _receipt_questions(root: Path, picture: Path) -> tuple[Question, ...]:
    beside, published = picture.with_suffix(".key.json"), root / "key" / f"{picture.stem}.json"
    path = beside if beside.is_file() else published
    if not path.is_file():
        return ()
    with truth_of(path, "the key of an SROIE receipt"):
        key: dict[str, Any] = read_json(path)
        found = {name: text_field(key, name, "").strip() for name in _RECEIPT_QUESTIONS}
    return tuple(Question(_RECEIPT_QUESTIONS[name], (answer,)) for name, answer in found.items() if answer)


_OMNIDOC_FILES: Final = ("annotations.json", "OmniDocBench.json")


def _omnidoc_file(root: Path) -> Path | None:
    return next((path for path in (root / name for name in _OMNIDOC_FILES) if path.is_file()), None)


def _is_omnidoc(root: Path) -> bool:
    path = _omnidoc_file(root)
    return path is not None and has_key(path, "layout_dets")


@register("omnidocbench", "OmniDocBench pages: annotations.json or OmniDocBench.json, and their pictures", _is_omnidoc)
def omnidocbench(root: Path) -> Iterator[Sample]:
    """Yield the pages of OmniDocBench that are there; pages of one document belong together.

    The text is that of the blocks in reading order, then of headers, footers and page numbers. Tables are read cell by
    cell; formulas are left out, for nobody reads their LaTeX in the picture.
    """
    path = _omnidoc_file(root)
    if path is None:
        return
    texts: dict[str, str | None] = {}
    with truth_of(path, "a list of OmniDocBench pages"):
        for page in read_json(path):
            texts[text_field(page["page_info"], "image_path")] = _page_text(page["layout_dets"])
    for folder in (root, root / "images"):
        for picture in pictures_in(folder) if folder.is_dir() else ():
            if picture.name in texts:
                document = re.sub(r"(\.pdf)_\d+$", r"\1", picture.stem)
                yield sample(root, picture, "document page", Truth(text=texts[picture.name]), document)


def _page_text(blocks: list[dict[str, Any]]) -> str | None:
    shown = [block for block in blocks if not block.get("ignore")]
    shown.sort(key=lambda block: block["order"] if block.get("order") is not None else float("inf"))
    return lines(_block_text(block) for block in shown)


def _block_text(block: dict[str, Any]) -> str:
    if "html" in block:
        return _without_formulas(html.unescape(re.sub(r"<[^>]*>", " ", text_field(block, "html"))))
    return _without_formulas(text_field(block, "text", ""))


def _without_formulas(text: str) -> str:
    r"""Take out what stands between dollars, one or two at each side, or in LaTeX's brackets.

    >>> _without_formulas(r"an area of $ km^{2} $ or \(x_1\) acres")
    'an area of   or   acres'
    """
    return re.sub(r"\$\$.*?\$\$|\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]", " ", text, flags=re.DOTALL)


def _is_pdf(root: Path) -> bool:
    return first_truth(root, _PDF_WORDS) is not None


@register("pdfpages", "pages of PDFs: x.png, x.txt with the text layer, or x.bbox.html as pdftotext writes it", _is_pdf)
def pdfpages(root: Path) -> Iterator[Sample]:
    """Yield pages of PDFs; ``NAME_p3`` is the third page of a document, whose pages belong together."""
    for picture, words in pairs(root, _PDF_WORDS):
        plain = picture.with_suffix(".txt")
        text = read_text(plain) if plain.is_file() else _words(words) if words else ""
        truth = Truth(text=lines(text.splitlines()))
        yield sample(root, picture, "typeset page", truth, re.sub(r"_p\d+$", "", picture.stem))


def _words(path: Path) -> str:
    found = re.findall(r"<word\b[^>]*>(.*?)</word>", read_text(path), flags=re.DOTALL)
    return " ".join(html.unescape(word) for word in found)
