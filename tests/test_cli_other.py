"""`pixtrim tokens`, `models` and `inspect`, the grammar, and what the command line imports."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pixtrim
from pixtrim.cli import main
from pixtrim.cli.measure import measure
from pixtrim.cli.show import json_line, one_line, table
from pixtrim.cli.values import parse_box, parse_size
from pixtrim.errors import UsageError
from pixtrim.image import load
from pixtrim.tokens import models, resolve


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def records(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    code, out, _ = shown(capsys, *words, "--json")
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[50:60, 20:380] = np.random.default_rng(0).integers(0, 256, (10, 360, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    return tmp_path


# --- tokens --------------------------------------------------------------------------------------------------------


def test_tokens_of_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records(capsys, "tokens", "--model", "claude-sonnet-4-5", "--size", "1920x1080")
    wanted = {
        "schema": 1,
        "input": None,
        "model": "claude-sonnet-4-5",
        "requested_model": "claude-sonnet-4-5",
        "width": 1920,
        "height": 1080,
        "detail": None,
        "tokens": 1560,
        "seen_width": 1456,
        "seen_height": 819,
        "saves_by_pixels": True,
        "warnings": [],
    }
    assert {key: record[key] for key in wanted} == wanted
    assert record["usd"] == pytest.approx(1560 * 3 / 1e6)


def test_tokens_of_many_sizes_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "gpt-4o", "--model", "openai/gpt-5.5-2026-01-01", "--size", "800x600", "9X7", "--size", "64×64"]
    found = records(capsys, "tokens", *words, "--detail", "low")
    assert [(r["model"], r["width"], r["height"]) for r in found] == [
        (model, *size) for size in ((800, 600), (9, 7), (64, 64)) for model in ("gpt-4o", "gpt-5.5")
    ]
    assert [r["tokens"] for r in found] == [resolve(r["model"]).count(r["width"], r["height"], "low") for r in found]
    assert {r["detail"] for r in found} == {"low"}
    assert found[1]["requested_model"] == "openai/gpt-5.5-2026-01-01"


def test_tokens_of_files_go_by_the_upright_size(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (200, 100))
    for name in ("turned.jpg", "turned.png", "turned.webp", "turned.tiff"):
        picture.save(name, exif=exif)
    found = records(capsys, "tokens", "turned.*", "a.png", "-m", "gpt-5.5")
    assert [(r["input"], r["width"], r["height"]) for r in found] == [
        ("turned.jpg", 100, 200),
        ("turned.png", 100, 200),
        ("turned.tiff", 100, 200),
        ("turned.webp", 100, 200),
        ("a.png", 400, 300),
    ]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_measuring_agrees_with_loading(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture"
    Image.new("RGB", (31, 17)).save(path, kind, **({} if kind in ("GIF", "BMP") else {"exif": exif}))
    pixels = load(path).pixels
    assert measure(str(path), dpi=150, max_pixels=10**6) == (pixels.shape[1], pixels.shape[0], path.stat().st_size)


def test_tokens_of_bad_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_text("no picture")
    code, out, err = shown(capsys, "tokens", "-m", "gpt-5.5", "bad.png", "gone.png", "a.png", "--json")
    assert code == 3
    bad, gone, good = map(json.loads, out.splitlines())
    assert (bad["input"], bad["exit_code"], gone["exit_code"]) == ("bad.png", 3, 3)
    assert good["tokens"] == resolve("gpt-5.5").count(400, 300)
    assert err.count("pixtrim: error: ") == err.count("\n") == 2


def test_tokens_from_stdin(here: Path) -> None:
    with Path("a.png").open("rb") as stream:
        command = [sys.executable, "-m", "pixtrim", "tokens", "-", "-m", "gpt-5.5", "--json"]
        answer = subprocess.run(command, stdin=stream, capture_output=True, timeout=120, check=True)
    assert json.loads(answer.stdout)["width"] == 400


def test_tokens_warn_of_broken_limits(capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records(capsys, "tokens", "-m", "claude-sonnet-4-5", "--size", "9000x10")
    assert "8000" in record["warnings"][0]
    assert "8000" in shown(capsys, "tokens", "-m", "claude-sonnet-4-5", "--size", "9000x10")[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-m", "gpt-4o"], "nothing to count"),
        (["--size", "1x1"], "--model"),
        (["-m", "gtp-4o", "--size", "1x1"], "gpt-4o"),
        (["-m", "gpt-4o", "--size", "0x5"], "0x5"),
        (["-m", "gpt-4o", "--size", "99999999999x1"], "99999999999x1"),
        (["-m", "gpt-4o", "--size", "4294967296x1"], "width"),
        (["-m", "gpt-4o", "--detail", "huge", "--size", "1x1"], "huge"),
        (["-m", "claude-opus-4-7", "--detail", "low", "--size", "1x1"], "detail"),
    ],
)
def test_tokens_refuse_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    code, out, err = shown(capsys, "tokens", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


@given(st.tuples(st.integers(1, 10**10 - 1), st.integers(1, 10**10 - 1)), st.sampled_from("xX×"))
def test_sizes_are_read_back(size: tuple[int, int], times: str) -> None:
    assert parse_size(f"{size[0]}{times}{size[1]}") == size


def read(parse: Callable[[str], Any], text: str) -> Any:
    """Parse a text; None where it was refused in one line."""
    try:
        return parse(text)
    except UsageError as error:
        if not str(error).isprintable():
            raise
        return None


@given(st.text() | st.from_regex(r"[-+0-9. ]{0,12}[xX×][-+0-9. ٣]{0,12}"))
def test_anything_else_is_no_size(text: str) -> None:
    if (size := read(parse_size, text)) is not None:
        assert re.fullmatch(r"[0-9]+[xX×][0-9]+", text)
        assert min(size) > 0


@given(st.text())
def test_boxes_are_read_or_refused(text: str) -> None:
    if (box := read(parse_box, text)) is not None:
        assert 0 <= box[0] < box[2]
        assert 0 <= box[1] < box[3]


# --- models --------------------------------------------------------------------------------------------------------


def test_models_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "models")
    assert [record["model"] for record in found] == [rule.name for rule in models()]
    code, out, _ = shown(capsys, "models")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [rule.name for rule in models()]


def test_models_of_one_provider(capsys: pytest.CaptureFixture[str]) -> None:
    assert {record["provider"] for record in records(capsys, "models", "--provider", "anthropic")} == {"Anthropic"}
    code, _, err = shown(capsys, "models", "--provider", "acme")
    assert code == 2
    assert "Anthropic" in err


# --- inspect -------------------------------------------------------------------------------------------------------


def test_inspect_explains_a_picture(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records(capsys, "inspect", "a.png", "-m", "gpt-5.5", "-m", "gemini-3-pro", "-b", "50%")
    assert (record["width"], record["height"], record["format"]) == (400, 300, "PNG")
    assert 0.9 < record["repeated_rows"] <= 1
    assert [model["model"] for model in record["models"]] == ["gpt-5.5", "gemini-3-pro"]
    assert all(model["advice"] for model in record["models"])
    code, out, _ = shown(capsys, "inspect", "a.png", "a.png")
    assert code == 0
    assert out.count("repeated rows") == 2
    assert "claude-opus-4-7" in out


def test_inspect_goes_on_after_a_bad_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, "inspect", "gone.png", "a.png", "--json")
    assert code == 3
    assert [json.loads(line)["input"] for line in out.splitlines()] == ["gone.png", "a.png"]
    assert err == "pixtrim: error: gone.png: no such file\n"


# --- the command itself --------------------------------------------------------------------------------------------


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, says in (
        (["--version"], f"pixtrim {pixtrim.__version__}\n"),
        (["--help"], "shrink"),
        *(
            ([command, "--help"], f"examples:\n  pixtrim {command}")
            for command in ("shrink", "prune", "tokens", "models", "inspect", "evaluate")
        ),
    ):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 0
        assert says in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["shrunk"], ["--model"], ["shrink", "--\n"], [""]])
def test_a_command_line_that_means_nothing(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = shown(capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--help" in err


@pytest.mark.parametrize("words", [["--help"], ["tokens", "--model", "gpt-5.5", "--size", "10x10"], ["models"]])
def test_light_commands_import_little(tmp_path: Path, words: list[str]) -> None:
    code = (
        f"import sys, pixtrim.cli\ntry: pixtrim.cli.main({words!r})\nexcept SystemExit: pass\n"
        "print(*sorted({n.partition('.')[0] for n in sys.modules}), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    foreign = set(answer.stderr.split()) - set(sys.stdlib_module_names)
    assert "pixtrim" in foreign
    assert not foreign & {"rich", "pypdfium2", "pypdfium2_raw", "torch", "cv2"}


def test_a_full_stdout_is_one_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "pixtrim", "models"]
        answer = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
    assert answer.returncode == 3
    assert answer.stderr.startswith(b"pixtrim: error: stdout: ")
    assert answer.stderr.count(b"\n") == 1


def test_a_poor_terminal_gets_what_it_can_show(here: Path) -> None:
    Path("a.png").rename("ü.png")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "pixtrim", "tokens", "ü.png", "gone→.png", "-m", "gpt-5.5"]
    answer = subprocess.run(command, cwd=here, env=environment, capture_output=True, timeout=120, check=False)
    assert answer.returncode == 3
    assert b"\\xfc.png" in answer.stdout
    assert b"gone\\u2192.png" in answer.stderr


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_tables_show_names_as_they_are() -> None:
    pytest.importorskip("rich")
    for stream in (Terminal(), io.StringIO()):
        table(("input", "tokens"), [("[red]x[/red].png", "5"), (":smile:\x1b", "7")], stream, ("both", "12"))
        out = stream.getvalue()
        assert "[red]x[/red].png" in out
        assert ":smile:\\x1b" in out
        assert "12" in out


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()
    if text.isprintable():
        assert one_line(text) == text


def test_undecodable_names_are_valid_json(capsys: pytest.CaptureFixture[str]) -> None:
    json_line({"input": os.fsdecode(b"\xff\n.png"), "all": [1, "\udcfe", {"x": None}]})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"input": "\\xff\n.png", "all": [1, "\\xfe", {"x": None}]}
