"""Data sets: what is typed to name them, videos, rows of Hugging Face, and what is chosen of them."""

from __future__ import annotations

import io
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import FORM, one, picture, write
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.datasets import limit, of_kinds, open_dataset, open_datasets
from pixtrim.evaluation.datasets.huggingface import Rows, parse
from pixtrim.evaluation.datasets.videos import FRAMES
from pixtrim.evaluation.samples import Question, Sample

# --- what is typed -------------------------------------------------------------------------------------------------


def test_names_and_groups_that_data_sets_share_are_told_apart(tmp_path: Path) -> None:
    for place in ("a/pages/1.png", "a/pages/2.png", "b/pages/1.png", "c/pages/1.png"):
        picture(tmp_path / place)
    specs = [str(tmp_path / name / "pages") for name in "abc"]
    samples = open_datasets(specs)
    names = ["pages/1.png", "pages/2.png", f"{specs[1]}: pages/1.png", f"{specs[2]}: pages/1.png"]
    assert [sample.name for sample in samples] == names
    assert [sample.group for sample in samples] == names
    assert [sample.read() for sample in samples] == [
        (tmp_path / place).read_bytes()
        for place in ("a/pages/1.png", "a/pages/2.png", "b/pages/1.png", "c/pages/1.png")
    ]


def test_a_picture_that_two_data_sets_hold_is_taken_once_and_groups_stay_whole(tmp_path: Path) -> None:
    for number in (1, 2):
        picture(tmp_path / f"d/pages/{number}.png")
    whole, inner, file = (str(tmp_path / place) for place in ("d", "d/pages", "d/pages/2.png"))
    assert [sample.name for sample in open_datasets([whole, inner, file])] == ["d/pages/1.png", "d/pages/2.png"]
    assert [sample.name for sample in open_datasets([file, whole])] == ["pages/2.png", "d/pages/1.png"]


def test_plain_folders_say_their_kind_by_their_names(tmp_path: Path) -> None:
    places = ("photos/kodak/1.png", "photos/a.b/2.jpg", "misc/3.png", "gui/app/10.png", "gui/app/9.png", "charts/4.png")
    for place in places:
        picture(tmp_path / "d" / place)
    samples = {sample.name: sample for sample in open_dataset(str(tmp_path / "d"))}
    assert list(samples) == [
        "d/charts/4.png",
        "d/gui/app/9.png",
        "d/gui/app/10.png",
        "d/misc/3.png",
        "d/photos/a.b/2.jpg",
        "d/photos/kodak/1.png",
    ]
    kinds = Counter(sample.kind for sample in samples.values())
    assert kinds == {"photo": 2, "chart": 1, "picture": 1, "app screenshot": 2}
    assert samples["d/gui/app/9.png"].group == "d/gui/app"
    assert samples["d/misc/3.png"].group == "d/misc/3.png"


def test_a_text_file_beside_a_picture_is_what_it_says(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / f"{name}.png")
    write(tmp_path / "a.txt", "\ufeffTotal \n\n 12 euros\n")
    write(tmp_path / "b.txt", " \n")
    first, second, third = open_dataset(str(tmp_path))
    assert [sample.truth.text for sample in (first, second, third)] == ["Total\n12 euros", None, None]
    (tmp_path / "c.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"c\.txt: is not in UTF-8"):
        list(open_dataset(str(tmp_path)))


def test_results_and_hidden_files_are_no_data(tmp_path: Path) -> None:
    for name in ("a.png", ".b.png", "a.pixtrim.png", "a.preview.png", ".cache/c.png"):
        picture(tmp_path / name)
    write(tmp_path / "notes.txt", "")
    assert one(tmp_path).name.endswith("/a.png")


def test_files_and_globs_keep_what_is_known_about_them(tmp_path: Path) -> None:
    for number in (1, 2, 11):
        picture(tmp_path / "forms" / f"{number}.png")
        write(tmp_path / "forms" / f"{number}.json", FORM)
    picture(tmp_path / "loose" / "1.png")
    assert one(tmp_path / "forms" / "2.png").truth.text == "Name:\nAda"
    found = list(open_dataset(str(tmp_path / "*" / "1*.png")))
    root = tmp_path.name
    assert [sample.name for sample in found] == [f"{root}/forms/1.png", f"{root}/forms/11.png", f"{root}/loose/1.png"]
    assert [bool(sample.truth.text) for sample in found] == [True, True, False]
    everything = [sample.name for sample in open_dataset(str(tmp_path / "**"))]
    assert sorted(everything) == sorted(set(everything))
    assert len(everything) == 4


def test_a_layout_can_be_forced(tmp_path: Path) -> None:
    picture(tmp_path / "s.png")
    write(tmp_path / "s.json", FORM)
    assert one(f"folder:{tmp_path}").truth.text is None
    assert one(f"funsd:{tmp_path}").truth.text == "Name:\nAda"
    assert one(f"funsd:{tmp_path / 's.png'}").truth.text == "Name:\nAda"
    with pytest.raises(InputError, match=r"annotations.*missing"):
        list(open_dataset(f"web:{tmp_path}"))
    with pytest.raises(InputError, match="nothing in it has the layout"):
        open_dataset(f"videos:{tmp_path}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere", "no such folder or file"),
        ("*.nothing", "no glob that fits"),
        ("funs:folder", "choose one of charts, funsd"),
        ("hf:owner/name", r"write hf:NAME\[/CONFIG\]:SPLIT"),
        ("hf:/nowhere/at/all:train", "there is no folder /nowhere/at/all"),
        ("hf:a/b/c/d:train", "there is no folder a/b/c/d"),
        ("", "no such folder or file"),
    ],
)
def test_what_is_not_there(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_dataset(spec)


def test_an_empty_folder_and_links_in_a_circle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in it"):
        open_dataset(str(tmp_path))
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "circle").symlink_to(tmp_path, target_is_directory=True)
    assert len(list(open_dataset(str(tmp_path)))) == 1


def test_a_picture_that_went_away_is_named(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    sample = one(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.png: cannot be read"):
        _ = sample.data


# --- videos --------------------------------------------------------------------------------------------------------


@pytest.fixture
def av() -> Any:
    return pytest.importorskip("av", reason='frames of videos need PyAV: pip install "pixtrim[video]"')


def clip(av: Any, path: Path, count: int = 20, rotation: int = 0) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if rotation:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write turned videos")
            stream.set_display_rotation(rotation)
        for number in range(count):
            pixels = np.full((64, 96, 3), number * 12, np.uint8)
            pixels[:24, -24:] = (0, 255, 0)  # the upper right corner
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_frames_are_spread_over_a_clip(av: Any, tmp_path: Path) -> None:
    clip(av, tmp_path / "a.mp4")
    samples = list(open_dataset(str(tmp_path)))
    assert len(samples) == FRAMES
    assert {sample.group for sample in samples} == {f"{tmp_path.name}/a.mp4"}
    assert samples[0].name == f"{tmp_path.name}/a.mp4#t=0.100"
    for sample, number in zip(samples, (1, 3, 6, 8, 11, 13, 16, 18), strict=True):
        assert sample.pixels.shape == (64, 96, 3)
        assert abs(int(sample.pixels[50, 20, 0]) - 12 * number) <= 3
        assert sample.read() == sample.data
    assert [sample.name for sample in open_dataset(f"videos:{tmp_path}")] == [sample.name for sample in samples]


def test_a_turned_clip_is_upright(av: Any, tmp_path: Path) -> None:
    sample = next(iter(open_dataset(str(clip(av, tmp_path / "turned.mp4", rotation=90)))))
    assert sample.pixels.shape == (96, 64, 3)
    assert sample.pixels[5, 5, 1] > 200  # turned against the clock
    assert sample.pixels[-5, -5, 1] < 200


def test_a_gif_is_a_video_where_it_moves(av: Any, tmp_path: Path) -> None:
    shots = [Image.new("RGB", (8, 6), (90 * number, 9, 9)) for number in range(3)]
    shots[0].save(tmp_path / "moves.gif", save_all=True, append_images=shots[1:], duration=100)
    shots[0].save(tmp_path / "stands.gif")
    *moving, still = open_dataset(str(tmp_path))
    assert [sample.kind for sample in moving] == ["video frame"] * 3
    assert still.name == f"{tmp_path.name}/stands.gif"
    assert still.pixels.shape == moving[0].pixels.shape == (6, 8, 3)


def test_damaged_videos_are_named(av: Any, tmp_path: Path) -> None:
    path = clip(av, tmp_path / "a.mp4")
    whole = path.read_bytes()
    sample = next(iter(open_dataset(str(path))))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.mp4: is no video that can be read"):
        open_dataset(str(tmp_path))
    with pytest.raises(InputError, match=r"a\.mp4: is no video that can be read"):
        _ = sample.data


# --- Hugging Face --------------------------------------------------------------------------------------------------


@pytest.fixture
def hf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    datasets = pytest.importorskip("datasets", reason='rows need datasets: pip install "pixtrim[evaluate]"')
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return datasets


def table(datasets: Any) -> Any:
    encoded = []
    for level in (0, 80, 160):
        file = io.BytesIO()
        Image.new("RGB", (8, 6), (level, 9, 9)).save(file, "PNG")
        encoded.append({"bytes": file.getvalue(), "path": None})
    columns = {"image": encoded, "query": ["Who?", "Where?", None], "label": [["Ada", "A."], ["here"], None]}
    features = {"query": datasets.Value("string"), "label": datasets.List(datasets.Value("string"))}
    return datasets.Dataset.from_dict(
        {**columns, "docId": [7, 7, 8]},
        features=datasets.Features({"image": datasets.Image(), **features, "docId": datasets.Value("int64")}),
    )


def saved(datasets: Any, path: Path) -> str:
    table(datasets).save_to_disk(path)
    return f"hf:{path}:train"


def saved_splits(datasets: Any, path: Path) -> str:
    datasets.DatasetDict({"test": table(datasets).select([0]), "train": table(datasets)}).save_to_disk(path)
    return f"hf:{path}:train"


def parquet_folder(datasets: Any, path: Path) -> str:
    path.mkdir()
    table(datasets).to_parquet(path / "train.parquet")
    return f"hf:{path}:train"


def parquet_file(datasets: Any, path: Path) -> str:
    table(datasets).to_parquet(path.with_suffix(".parquet"))
    return f"hf:{path.with_suffix('.parquet')}:train"


@pytest.mark.parametrize("make", [saved, saved_splits, parquet_folder, parquet_file])
def test_rows_of_a_local_data_set(hf: Any, tmp_path: Path, make: Callable[[Any, Path], str]) -> None:
    samples = list(open_dataset(make(hf, tmp_path / "chartqa")))
    assert [sample.name.rpartition("/")[2] for sample in samples] == ["000000", "000001", "000002"]
    assert [sample.kind for sample in samples] == ["chart"] * 3
    assert [int(sample.pixels[0, 0, 0]) for sample in samples] == [0, 80, 160]
    assert samples[0].truth.questions == (Question("Who?", ("Ada", "A.")),)
    assert samples[2].truth.questions == ()
    assert samples[0].group == samples[1].group != samples[2].group
    again = pickle.loads(pickle.dumps(samples[1]))
    assert again.data == samples[1].data


def test_a_folder_of_classes(hf: Any, tmp_path: Path) -> None:
    for level, name in enumerate(("cat", "dog")):
        picture(tmp_path / "pets" / name / "1.png", (level, 0, 0))
    samples = list(open_dataset(f"hf:{tmp_path / 'pets'}:train"))
    assert [(sample.truth.label, sample.truth.questions) for sample in samples] == [("cat", ()), ("dog", ())]
    assert samples[1].data == (tmp_path / "pets" / "dog" / "1.png").read_bytes()
    assert len(list(open_dataset(f"hf:{tmp_path / 'pets'}:train[:1]"))) == 1


def test_a_class_is_no_answer(hf: Any, tmp_path: Path) -> None:
    rows = table(hf).remove_columns("label").add_column("label", [1, 0, -1])
    rows.cast_column("label", hf.ClassLabel(names=["cat", "dog"])).save_to_disk(tmp_path / "pets")
    samples = list(open_dataset(f"hf:{tmp_path / 'pets'}:train"))
    assert [(sample.truth.label, sample.truth.questions) for sample in samples] == [
        ("dog", ()),
        ("cat", ()),
        (None, ()),
    ]


def test_what_is_wrong_with_rows_is_named(hf: Any, tmp_path: Path) -> None:
    for make in (saved_splits, parquet_folder):
        spec = make(hf, tmp_path / make.__name__)
        with pytest.raises(UsageError, match=r"cannot be opened: Unknown split .*nosplit"):
            open_dataset(spec.replace(":train", ":nosplit"))
    hf.Dataset.from_dict({"a": [1]}).save_to_disk(tmp_path / "plain")
    with pytest.raises(InputError, match="has no column of pictures; its columns are a"):
        open_dataset(f"hf:{tmp_path / 'plain'}:train")
    write(tmp_path / "rows.csv", "a\n1\n")
    with pytest.raises(UsageError, match=r"must end in \.parquet or \.arrow"):
        open_dataset(f"hf:{tmp_path / 'rows.csv'}:train")


def test_names_on_the_hub_are_taken_apart() -> None:
    assert parse("mnist:test") == Rows("mnist", None, "test")
    assert parse("HuggingFaceM4/ChartQA:val[:10%]") == Rows("HuggingFaceM4/ChartQA", None, "val[:10%]")
    assert str(parse("lmms-lab/DocVQA/DocVQA:validation")) == "hf:lmms-lab/DocVQA/DocVQA:validation"


# --- what is chosen ------------------------------------------------------------------------------------------------


def samples_of(sizes: dict[tuple[str, str], int]) -> list[Sample]:
    return [
        Sample(f"{kind}/{group}/{n}", kind, bytes, group=group)
        for (kind, group), size in sizes.items()
        for n in range(size)
    ]


@given(
    st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from("uvwxyz")), st.integers(1, 9), max_size=8),
    st.integers(1, 12),
)
def test_a_limit_is_kept_spread_and_nested(sizes: dict[tuple[str, str], int], most: int) -> None:
    samples = samples_of(sizes)
    chosen = limit(samples, most)
    assert chosen == [sample for sample in samples if sample in chosen]
    assert set(map(id, chosen)) <= set(map(id, limit(samples, most + 1)))
    for kind in "ab":
        groups = {group: size for (k, group), size in sizes.items() if k == kind}
        taken = Counter(sample.group for sample in chosen if sample.kind == kind)
        assert sum(taken.values()) == min(most, sum(groups.values()))
        fewest = min((taken[group] for group, size in groups.items() if taken[group] < size), default=most)
        assert all(count <= fewest + 1 for count in taken.values())


def test_a_limit_reaches_over_the_whole() -> None:
    chosen = limit(samples_of({("a", str(group)): 1 for group in range(100)}), 4)
    assert [sample.group for sample in chosen] == ["0", "32", "64", "96"]
    with pytest.raises(UsageError, match="at least 1"):
        limit([], 0)


def test_kinds_are_chosen_by_name() -> None:
    samples = samples_of({("photo", "g"): 2, ("chart", "h"): 1})
    assert [sample.kind for sample in of_kinds(samples, ["chart"])] == ["chart"]
    assert of_kinds(samples, ["chart", "photo"]) == samples
    with pytest.raises(UsageError, match=r"kind is 'photos': the data hold photo, chart"):
        of_kinds(samples, ["photos"])
