"""Data sets: the layouts that are recognised, what they say, and what damaged ones answer."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import FORM, one, picture, write
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.datasets import dataset_names, describe, limit, open_dataset, register
from pixtrim.evaluation.datasets.videos import FRAMES
from pixtrim.evaluation.samples import Box, Question, Sample, Truth

# --- layouts -------------------------------------------------------------------------------------------------------

RECEIPT = "72,25,326,25,326,64,72,64,TAN, WOON\n\n50,82,440,82,440,121,50,121,TOTAL 9.00\n"
KEY = {"company": "TAN", "total": "9.00", "date": ""}
SIGNS = "\ufeff1,1,4,2,4,5,0,4,Bakery\n2,0,3,0,3,1,2,1,###\r\n5,2,7,2,7,4,5,4,Fish, chips\n"
PAGE = {
    "page_info": {"image_path": "a.pdf_3.jpg"},
    "layout_dets": [
        {"category_type": "header", "order": None, "text": "Head"},
        {"category_type": "text_block", "order": 2, "text": r"area $ km^{2} $ of land"},
        {"category_type": "table", "order": 1, "html": "<table><td>a&amp;b</td><td>1</td></table>", "latex": r"\hline"},
        {"category_type": "figure", "order": 3},
        {"category_type": "text_block", "order": 0, "text": "hidden", "ignore": True},
    ],
}
WEB = {"annotations": [{"x": 2, "y": 1, "width": 3, "height": 4, "tag": "button"}]}
QUESTIONS = [
    {"image": "c.png", "question": "How many?", "answer": "4"},
    {"image": "c.png", "question": "Who?", "answer": ["Ada", "A. L."]},
    {"image": "missing.png", "question": "Where?", "answer": "here"},
]


def view(
    bounds: list[list[int]], text: str | None = None, clickable: bool = False, visible: bool = True
) -> dict[str, Any]:
    about = {"text": text, "content_description": None, "clickable": clickable, "visible": visible}
    return {"bounds": bounds, "class": "android.widget.Button", **about}


VIEWS = {
    "width": 100,
    "height": 200,
    "views": [
        view([[0, 0], [100, 200]], "Home"),  # the whole screen
        view([[0, 0], [100, 30]], clickable=True),
        view([[10, 5], [60, 25]], "Save\nall"),  # inside the one before
        view([[0, 40], [100, 42]], "folded"),
        view([[0, 50], [50, 80]], "over"),
        view([[20, 60], [90, 100]], "under"),
        view([[0, 120], [50, 150]], "gone", visible=False),
        view([[50, 190], [100, 210]], "below the screen"),
        view([[0, 160], [20, 180]], "\uf100"),  # a symbol in a font of its own
        view([[30, 160], [50, 180]]),
    ],
}


def test_funsd(tmp_path: Path) -> None:
    picture(tmp_path / "forms" / "1.png")
    picture(tmp_path / "forms" / "2.png")
    write(tmp_path / "forms" / "1.json", FORM)
    first, second = open_dataset(str(tmp_path / "forms"))
    assert (first.name, first.kind, first.group) == ("forms/1.png", "document scan", "forms/1.png")
    assert first.truth.text == "Name:\nAda"
    assert second.truth.text is None
    assert first.pixels.shape == (6, 8, 3)


def test_sroie(tmp_path: Path) -> None:
    picture(tmp_path / "000.jpg")
    write(tmp_path / "000.csv", RECEIPT)
    write(tmp_path / "000.key.json", KEY)
    sample = one(tmp_path)
    assert (sample.kind, sample.truth.text) == ("receipt", "TAN, WOON\nTOTAL 9.00")
    assert [question.answers for question in sample.truth.questions] == [("TAN",), ("9.00",)]


def test_omnidocbench(tmp_path: Path) -> None:
    picture(tmp_path / "a.pdf_3.jpg")
    write(tmp_path / "annotations.json", [PAGE, {**PAGE, "page_info": {"image_path": "elsewhere.jpg"}}])
    sample = one(tmp_path)
    assert (sample.kind, sample.group) == ("document page", f"{tmp_path.name}/a.pdf")
    assert (sample.truth.text or "").split() == ["a&b", "1", "area", "of", "land", "Head"]


def test_pages_of_pdfs(tmp_path: Path) -> None:
    for name in ("a_p1", "a_p2", "b_p1"):
        picture(tmp_path / f"{name}.png")
    write(tmp_path / "a_p1.bbox.html", '<page><word xMin="1">Caf&#233;</word> <word>&amp;</word></page>')
    write(tmp_path / "a_p2.bbox.html", "<word>not this</word>")
    write(tmp_path / "a_p2.txt", "but this\n\f")
    samples = list(open_dataset(str(tmp_path)))
    assert [sample.truth.text for sample in samples] == ["Café &", "but this", None]
    assert [sample.group.rpartition("/")[2] for sample in samples] == ["a", "a", "b"]
    assert {sample.kind for sample in samples} == {"typeset page"}


def test_web_screenshots(tmp_path: Path) -> None:
    picture(tmp_path / "s.png")
    write(tmp_path / "s.json", WEB)
    sample = one(tmp_path)
    assert (sample.kind, sample.truth.elements) == ("web screenshot", (Box(2, 1, 5, 5, "button"),))


def test_android_steps(tmp_path: Path) -> None:
    for step in (10, 2):
        picture(tmp_path / f"step_{step}.png")
    write(tmp_path / "step_2.json", VIEWS)
    second, tenth = open_dataset(str(tmp_path))
    assert second.truth.elements == (
        Box(0, 0, 100, 30, "Button"),
        Box(10, 5, 60, 25, "Save all"),
        Box(0, 160, 20, 180, "Button"),
    )
    assert tenth.truth.elements is None
    assert second.group == tenth.group == tmp_path.name
    assert second.truth.text is None  # a view tree also says what cannot be seen


def test_charts(tmp_path: Path) -> None:
    picture(tmp_path / "c.png")
    write(tmp_path / "qa.json", QUESTIONS)
    sample = one(tmp_path)
    assert sample.kind == "chart"
    assert sample.truth.questions == (Question("How many?", ("4",)), Question("Who?", ("Ada", "A. L.")))


def test_questions_about_pictures_of_ones_own_keep_the_kind_that_the_folder_names(tmp_path: Path) -> None:
    for folder, kind in (("receipts/mine", "receipt"), ("misc", "chart")):
        picture(tmp_path / folder / "c.png")
        write(tmp_path / folder / "qa.json", QUESTIONS)
        (sample,) = open_dataset(str(tmp_path / folder))
        assert (sample.kind, len(sample.truth.questions)) == (kind, 2)


def test_imagenet(tmp_path: Path) -> None:
    picture(tmp_path / "vulture.JPEG")
    picture(tmp_path / "other.JPEG")
    write(tmp_path / "labels.csv", 'file,wnid,index,name\nvulture.JPEG,n01616318,23,"vulture, bird"\n')
    other, vulture = open_dataset(str(tmp_path))
    assert (vulture.kind, vulture.truth.label, other.truth.label) == ("photo", "n01616318", None)


def test_icdar(tmp_path: Path) -> None:
    picture(tmp_path / "1.jpg")
    picture(tmp_path / "2.jpg")
    picture(tmp_path / "3.jpg")
    write(tmp_path / "gt_1.txt", SIGNS)
    write(tmp_path / "gt_2.txt", "2,0,3,0,3,1,2,1,###\n")
    first, second, third = open_dataset(str(tmp_path))
    assert {sample.kind for sample in (first, second, third)} == {"scene text"}
    assert first.truth.text == "Bakery\nFish, chips"
    assert first.truth.elements == (Box(0, 1, 4, 5, "Bakery"), Box(5, 2, 7, 4, "Fish, chips"))
    assert (second.truth, third.truth) == (Truth(), Truth())


def test_text_beside_photos_is_no_icdar(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "1.jpg")
    write(tmp_path / "photos" / "gt_1.txt", "1, 2, some words")
    write(tmp_path / "photos" / "gt_2.txt", SIGNS)
    assert one(tmp_path).kind == "photo"


def test_ecssd_and_davis_differ_by_their_names(tmp_path: Path) -> None:
    for name in ("salient/0034", "clip/00000", "clip/00001"):
        picture(tmp_path / f"{name}.jpg")
        mask = np.zeros((6, 8), np.uint8)
        mask[2:4, 1:5] = 255
        Image.fromarray(mask).save(tmp_path / f"{name}_mask.png")
    first, second, photo = open_dataset(str(tmp_path))
    assert [sample.kind for sample in (first, second, photo)] == ["video frame", "video frame", "photo"]
    assert first.group == second.group == f"{tmp_path.name}/clip"
    assert first.truth.mask is not None
    assert photo.truth.mask is not None
    for mask in (first.truth.mask(), photo.truth.mask()):
        assert mask.dtype == np.bool_
        assert (mask.shape, mask.sum(), mask[3, 4]) == ((6, 8), 8, True)


def test_camvid(tmp_path: Path) -> None:
    picture(tmp_path / "0016E5_07999.png")
    classes = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(classes).save(tmp_path / "0016E5_07999_labels.png")
    sample = one(tmp_path)
    assert (sample.kind, sample.group) == ("video frame", f"{tmp_path.name}/0016E5")
    assert sample.truth.segments is not None
    assert np.array_equal(sample.truth.segments(), classes)


def test_bsds_takes_the_annotator_in_the_middle(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io", reason='segmentations need SciPy: pip install "pixtrim[evaluate]"')
    picture(tmp_path / "1.jpg")
    drawn = np.empty((1, 4), object)
    for place, count in enumerate((9, 2, 5, 7)):
        drawn[0, place] = {"Segmentation": np.full((6, 8), count, np.uint16), "Boundaries": np.zeros((6, 8), np.uint8)}
    scipy.savemat(tmp_path / "1.mat", {"groundTruth": drawn})
    segments = one(tmp_path).truth.segments
    assert segments is not None
    assert (segments() == 5).all()
    assert segments().dtype == np.int64


@pytest.mark.parametrize(
    ("pictures", "truths", "contents", "kind"),
    [
        ("images/1.png", "annotations/1.json", FORM, "document scan"),
        ("img/1.jpg", "box/1.csv", RECEIPT, "receipt"),
        ("images/a.pdf_3.jpg", "OmniDocBench.json", [PAGE], "document page"),
        ("images/0001.jpg", "ground_truth_mask/0001.png", None, "photo"),
        ("images/test/1.jpg", "groundTruth/test/1.mat", "", "photo"),
        ("ch4_test_images/1.jpg", "ch4_test_localization_transcription_gt/gt_1.txt", SIGNS, "scene text"),
        ("val/a_1.png", "valannot/a_1.png", None, "video frame"),
        ("JPEGImages/480p/bear/00000.jpg", "Annotations/480p/bear/00000.png", None, "video frame"),
    ],
)
def test_layouts_as_they_are_published(tmp_path: Path, pictures: str, truths: str, contents: object, kind: str) -> None:
    picture(tmp_path / pictures)
    if contents is None:
        picture(tmp_path / truths)
    else:
        write(tmp_path / truths, contents)
    sample = one(tmp_path)
    assert (sample.name, sample.kind) == (f"{tmp_path.name}/{pictures}", kind)
    truth = sample.truth
    assert truth.text or truth.mask or truth.segments
    named = one(tmp_path / pictures)
    assert (named.kind, named.truth.text) == (kind, truth.text)
    if "bear" in pictures:
        assert sample.group == f"{tmp_path.name}/JPEGImages/480p/bear"


def test_a_layout_that_is_added_is_recognised(tmp_path: Path) -> None:
    name = "marked"
    if name not in dataset_names():

        @register(name, "a folder with a mark", lambda root: (root / "mark").is_file())
        def marked(root: Path) -> Any:
            yield Sample("x", "marked", bytes)

    write(tmp_path / "mark", "")
    assert one(tmp_path).kind == "marked"
    assert describe(name) == "a folder with a mark"
    for taken in (name, "hf", "C", "a b"):
        with pytest.raises(UsageError, match="data set"):
            register(taken, "", lambda _: False)


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("a.json", '{"form": [{"text": "a"', r"a\.json: is not valid JSON \(line 1"),
        ("a.json", '{"form": [{"words": []}]}', r"a\.json: is not a FUNSD form \('text' is missing\)"),
        ("a.json", '{"form": [{"text": 3}]}', r"a\.json: is not a FUNSD form \('text' is int"),
        ("a.json", '{"form": null}', r"a\.json: is not a FUNSD form"),
        ("a.json", '{"form": ' + "[" * 100_000, r"a\.json: .*JSON"),
        ("a.csv", "1,2,3,4,5,6,7,8,ok\n1,2,3", r"a\.csv: is not a list .*line 2"),
        ("annotations.json", '[{"layout_dets": []}]', r"annotations\.json: is not .*'page_info' is missing"),
        ("a.json", '{"annotations": [{"x": 1, "y": 1, "width": 0, "height": 2}]}', r"a\.json: .*0 x 2 pixels"),
        ("a.json", '{"annotations": [{"x": NaN, "y": 1, "width": 1, "height": 2}]}', r"a\.json: .*no coordinate"),
        ("a.json", '{"width": 9, "height": 9, "views": [{"visible": true}]}', r"a\.json: .*'clickable' is missing"),
        ("qa.json", '[{"image": "a.png", "question": "?", "answer": 4}]', r"qa\.json: .*no text or list of texts"),
        ("qa.json", "", r"qa\.json: is not valid JSON"),
        ("gt_a.txt", "1,2,3,4,5,6,7,8,ok\n1,2,3,4,5,6,7,x,no", r"gt_a\.txt: is not a list .*line 2"),
        ("labels.csv", "file,wnid\na.png,vulture\n", r"labels\.csv: .*no synset"),
        ("labels.csv", 'file,wnid\n"a.png,n01616318\n', r"labels\.csv: is not a table"),
        ("labels.csv", "file,wnid\na.png\n", r"labels\.csv: is not a table"),
    ],
)
def test_damaged_truth_is_named_in_one_line(tmp_path: Path, name: str, contents: str, message: str) -> None:
    picture(tmp_path / "a.png")
    write(tmp_path / name, contents)
    with pytest.raises(InputError, match=message) as caught:
        list(open_dataset(str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.json").write_bytes(b'{"form": [{"text": "caf\xe9"}]}')
    with pytest.raises(InputError, match=r"a\.json: is not in UTF-8 \(byte 23\)"):
        list(open_dataset(str(tmp_path)))


def test_damaged_masks_and_labels_are_named_when_they_are_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "m" / "1.jpg")
    picture(tmp_path / "m" / "1_mask.png", size=(8, 7))
    picture(tmp_path / "l" / "1.png")
    picture(tmp_path / "l" / "1_labels.png")
    picture(tmp_path / "b" / "1.jpg")
    write(tmp_path / "b" / "1.mat", "no")
    segmented, labelled, masked = (sample.truth for sample in open_dataset(str(tmp_path)))
    with pytest.raises(InputError, match=r"1_mask\.png: is 8 x 7 pixels, its picture 8 x 6"):
        masked.mask()  # type: ignore[misc]
    with pytest.raises(InputError, match=r"1_labels\.png: has the mode RGB"):
        labelled.segments()  # type: ignore[misc]
    write(tmp_path / "l" / "1_labels.png", "no")
    with pytest.raises(InputError, match=r"1_labels\.png: is not a picture of labels"):
        labelled.segments()  # type: ignore[misc]
    pytest.importorskip("scipy.io", reason='segmentations need SciPy: pip install "pixtrim[evaluate]"')
    with pytest.raises(InputError, match=r"1\.mat: is not a BSDS segmentation"):
        segmented.segments()  # type: ignore[misc]


# --- real data -----------------------------------------------------------------------------------------------------


def test_the_shared_data_are_recognised_as_what_they_are(shared_data: Path) -> None:
    pytest.importorskip("av", reason='frames of videos need PyAV: pip install "pixtrim[video]"')
    samples = list(open_dataset(str(shared_data)))
    assert Counter(sample.kind for sample in samples) == {
        "document scan": 12,
        "receipt": 10,
        "document page": 6,
        "typeset page": 9,
        "web screenshot": 10,
        "Android screenshot": 12,
        "desktop screenshot": 2,
        "app screenshot": 15,
        "browser task": 41,
        "chart": 50,
        "photo": 82,
        "video frame": 50 + 4 * FRAMES,
    }
    assert len({sample.name for sample in samples}) == len(samples)
    known = {sample.kind for sample in samples if sample.truth.text}
    assert known == {"document scan", "receipt", "document page", "typeset page"}
    assert all(sample.truth.text for sample in samples if sample.kind in known)
    assert all(sample.truth.questions for sample in samples if sample.kind in ("chart", "receipt"))
    assert sum(len(sample.truth.elements or ()) for sample in samples if sample.kind == "web screenshot") == 139
    assert sum(sample.truth.label is not None for sample in samples) == 40
    assert sum(sample.truth.mask is not None for sample in samples) == 30 + 40
    assert sum(sample.truth.segments is not None for sample in samples) == 6 + 10
    assert "data" not in vars(samples[0])  # nothing has been read


def test_truth_of_the_shared_data_lies_inside_the_pictures(shared_data: Path) -> None:
    pytest.importorskip("av", reason='frames of videos need PyAV: pip install "pixtrim[video]"')
    pytest.importorskip("scipy.io", reason='segmentations need SciPy: pip install "pixtrim[evaluate]"')
    for sample in pickle.loads(pickle.dumps(limit(open_dataset(str(shared_data)), 4))):
        height, width, _ = sample.pixels.shape
        for element in sample.truth.elements or ():
            assert 0 <= element.x0 < element.x1 <= width
            assert 0 <= element.y0 < element.y1 <= height
        for plane in (sample.truth.mask, sample.truth.segments):
            if plane is not None:
                assert plane().shape == (height, width)
                assert plane().any()
