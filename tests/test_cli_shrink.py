"""`pixtrim shrink` as people use it, most of it in a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixtrim.cli import main
from pixtrim.cli.inputs import Input
from pixtrim.cli.outputs import Job
from pixtrim.cli.show import complain
from pixtrim.cli.shrink import do
from pixtrim.coordinates import CoordinateMap
from pixtrim.tokens import resolve

MODEL = "claude-opus-4-7"
NEEDED = {"input", "output", "operator", "width", "height", "tokens_before", "tokens_after", "seconds", "schema"}


def pixtrim(
    *words: str | bytes, cwd: Path, stdin: bytes | None = None, limit: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command; `limit` is the largest file, in bytes, that it may write."""

    def before() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails like a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "pixtrim", *words]
    feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(command, cwd=cwd, capture_output=True, preexec_fn=before, timeout=120, check=False, **feed)


def lines(data: bytes | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def page(width: int = 700, height: int = 500, seed: int = 0) -> Image.Image:
    """Bars like lines of text, of which no two are alike, with white between them."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    rng = np.random.default_rng(seed)
    for y in range(40, height - 40, 60):
        pixels[y : y + 12, 50 : width - 50] = rng.integers(0, 2, (12, width - 100, 1), np.uint8) * 255
    return Image.fromarray(pixels)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with pictures in it and in a folder below."""
    monkeypatch.chdir(tmp_path)
    page(seed=1).save("a.png")
    page(seed=2).save("b.png")
    Path("shots/deep").mkdir(parents=True)
    page(seed=3).save("shots/c.png")
    page(seed=4).save("shots/deep/d.jpg")
    Path("shots/readme.txt").write_text("no picture")
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


# --- the main paths, as a process ----------------------------------------------------------------------------------


def test_one_file_gets_cheaper_and_stays_itself(here: Path) -> None:
    before = Path("a.png").read_bytes()
    answer = pixtrim("shrink", "a.png", "--model", MODEL, "--budget", "200", cwd=here)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert Path("a.png").read_bytes() == before
    with Image.open("a.pixtrim.png") as result:
        assert resolve(MODEL).count(*result.size) <= 200
    assert b"a.png" in answer.stdout
    assert sorted(path.name for path in here.iterdir()) == ["a.pixtrim.png", "a.png", "b.png", "shots"]


def test_a_folder_keeps_its_layout_and_json_is_all_there_is_on_stdout(here: Path) -> None:
    answer = pixtrim(
        "shrink", "shots/", "--model", "gpt-5.5", "--budget", "50%", "-o", "out/", "-r", "--json", cwd=here
    )
    assert answer.returncode == 0
    records = lines(answer.stdout)
    assert [record["input"] for record in records] == ["shots/c.png", "shots/deep/d.jpg"]
    assert [record["output"] for record in records] == ["out/c.png", "out/deep/d.png"]
    for record in records:
        assert record.keys() >= NEEDED
        assert record["tokens_after"] <= record["tokens_before"] / 2
        with Image.open(record["output"]) as result:
            assert result.size == (record["width"], record["height"])


def test_stdin_to_stdout_is_the_same_as_a_file(here: Path) -> None:
    given = Path("a.png").read_bytes()
    piped = pixtrim("shrink", "-", "--model", MODEL, "--budget", "0.5", "-o", "-", cwd=here, stdin=given)
    assert piped.returncode == 0
    assert b"saved" in piped.stderr
    assert pixtrim("shrink", "a.png", "-m", MODEL, "-b", "0.5", "-o", "x.png", cwd=here).returncode == 0
    assert piped.stdout == Path("x.png").read_bytes()
    default = pixtrim("shrink", "-", "-m", MODEL, "-b", "0.5", "-q", cwd=here, stdin=given)
    assert (default.stdout, default.stderr) == (piped.stdout, b"")


def test_the_bytes_do_not_depend_on_workers_threads_or_the_process(here: Path) -> None:
    words = ("shrink", "a.png", "b.png", "shots/c.png", "-m", MODEL, "-b", "50%", "--json")
    for workers, threads in (("1", "1"), ("2", "2")):
        answer = pixtrim(*words, "--workers", workers, "--threads", threads, "-o", f"out{workers}", cwd=here)
        assert [record["input"] for record in lines(answer.stdout)] == ["a.png", "b.png", "shots/c.png"]
    for name in ("a.png", "b.png", "c.png"):
        assert Path("out1", name).read_bytes() == Path("out2", name).read_bytes()


def test_one_bad_file_does_not_stop_the_others(here: Path) -> None:
    Path("bad.png").write_bytes(Path("a.png").read_bytes()[:500])
    answer = pixtrim("shrink", "a.png", "bad.png", "gone.png", "b.png", "-m", MODEL, "-o", "out", "--json", cwd=here)
    assert answer.returncode == 3
    first, bad, gone, last = lines(answer.stdout)
    assert (first["input"], last["input"]) == ("a.png", "b.png")
    assert bad.keys() == gone.keys() == {"schema", "input", "error", "exit_code"}
    assert (bad["exit_code"], gone["exit_code"]) == (3, 3)
    errors = answer.stderr.decode().splitlines()
    assert len(errors) == 2
    assert all(line.startswith("pixtrim: error: ") for line in errors)
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "b.png"]


def test_a_full_disk_leaves_no_half_of_a_file(here: Path) -> None:
    Path("old.png").write_bytes(b"precious")
    answer = pixtrim("shrink", "a.png", "-m", MODEL, "-o", "old.png", cwd=here, limit=200)
    assert answer.returncode == 3
    assert answer.stderr.startswith(b"pixtrim: error: ")
    assert answer.stderr.count(b"\n") == 1
    assert Path("old.png").read_bytes() == b"precious"
    assert sorted(path.name for path in here.iterdir()) == ["a.png", "b.png", "old.png", "shots"]


def test_a_full_disk_leaves_no_half_of_a_preview_or_map(here: Path) -> None:
    Image.new("L", (64, 64)).save("tiny.png")
    answer = pixtrim("shrink", "tiny.png", "-m", MODEL, "-o", "out/", "--preview", cwd=here, limit=500)
    assert answer.returncode == 3
    assert b"tiny.preview.png" in answer.stderr
    assert [path.name for path in Path("out").iterdir()] == ["tiny.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_costs_one_line(here: Path) -> None:
    Path("shut").mkdir(mode=0o555)
    answer = pixtrim("shrink", "a.png", "-m", MODEL, "-o", "shut/", cwd=here)
    assert answer.returncode == 3
    assert answer.stderr.startswith(b"pixtrim: error: shut/")


def test_a_folder_that_is_a_file_costs_one_line(here: Path) -> None:
    answer = pixtrim("shrink", "a.png", "-m", MODEL, "-o", "b.png/x.png", cwd=here)
    assert answer.returncode == 3
    assert answer.stderr.count(b"\n") == 1
    assert b"b.png" in answer.stderr


def test_an_interruption_ends_with_130_and_whole_files(here: Path) -> None:
    for number in range(30):
        page(1600, 1200, number).save(f"shots/{number:02}.png", compress_level=1)
    command = [sys.executable, "-m", "pixtrim", "shrink", "shots", "-m", MODEL, "-o", "out", "--json", "--workers", "2"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # which a shell's background jobs ignore
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=here, preexec_fn=heard, **pipes) as process:
        guard = threading.Timer(100, process.kill)
        guard.start()
        assert process.stdout is not None
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # so small that the command has to wait for its reader before it is done
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        os.read(process.stdout.fileno(), 1)  # the first picture is done
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        guard.cancel()
    assert process.returncode == 130
    assert err == b"pixtrim: error: interrupted\n"
    results = list(Path("out").iterdir())
    assert results
    for path in results:
        with Image.open(path) as picture:
            picture.load()
        assert path.suffix == ".png"


def test_a_reader_that_leaves_ends_the_work_quietly(here: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "pixtrim", "shrink", "a.png", "b.png", "-m", MODEL, "-o", "out", "--json"]
    with os.fdopen(writer, "wb") as pipe:
        answer = subprocess.run(command, cwd=here, stdout=pipe, stderr=subprocess.PIPE, timeout=120, check=False)
    assert (answer.returncode, answer.stderr) == (141, b"")


@pytest.mark.parametrize("name", [b"line\nbreak.png", b"\x1b[31mred.png", b"[red]x.png", b"\xff\xfe.png", b"-x.png"])
def test_hostile_names_break_neither_lines_nor_json(here: Path, name: bytes) -> None:
    os.rename(b"a.png", os.path.join(os.fsencode(here), name))
    answer = pixtrim("shrink", "-m", MODEL, "-o", "out/", "--json", "--", name, cwd=here)
    assert answer.returncode == 0
    assert answer.stdout.count(b"\n") == 1
    (record,) = lines(answer.stdout)
    record["input"].encode("utf-8")  # raises where a lone surrogate came through
    if name != b"\xff\xfe.png":
        assert record["input"].encode() == name
    answer = pixtrim("shrink", "-m", MODEL, "-o", "out/", "--", name, "gone" + os.fsdecode(name), cwd=here)
    assert answer.returncode == 2
    assert answer.stderr.count(b"\n") == 1
    assert b"\x1b" not in answer.stderr


def test_without_stderr_and_stdout_the_work_is_done(here: Path) -> None:
    words = "shrink a.png gone.png -m claude-opus-4-7 -o out/ >&- 2>&-"
    answer = subprocess.run(["sh", "-c", f'"{sys.executable}" -m pixtrim {words}'], cwd=here, timeout=120, check=False)
    assert answer.returncode == 3
    assert Path("out/a.png").is_file()


def test_a_terminal_gets_a_bar_on_stderr_and_untouched_json_on_stdout(here: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pixtrim", "shrink", "a.png", "b.png", "-m", MODEL, "-o", "out", "--json"]
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=follower) as process:
        out, _ = process.communicate(timeout=120)
    os.close(follower)
    told = os.read(leader, 100_000)
    os.close(leader)
    assert process.returncode == 0
    assert [record["input"] for record in lines(out)] == ["a.png", "b.png"]
    assert b"2/2" in told


# --- variations, in this process -----------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line with which a command line is refused before any work."""
    before = snapshot()
    code, out, err = shown(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("pixtrim: error: ")
    assert err.count("\n") == 1
    assert snapshot() == before
    return err


def snapshot() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.png"], "--model"),
        (["--model", MODEL], "INPUT"),
        (["a.png", "-m", "claude-opus-4-77"], "claude-opus-4-7"),
        (["a.png", "-m", MODEL, "--budget", "lots"], "'lots'"),
        (["a.png", "-m", MODEL, "--budget", "0"], "budget"),
        (["a.png", "-m", MODEL, "--budget", "101%"], "101%"),
        (["a.png", "-m", MODEL, "--detail", "high"], "detail"),
        (["a.png", "-m", MODEL, "--operator", "seams"], "seams"),
        (["a.png", "-m", MODEL, "--protect", "1,2,3"], "x0,y0,x1,y1"),
        (["a.png", "-m", MODEL, "--protect", "9,9,3,12"], "empty"),
        (["a.png", "-m", MODEL, "--dpi", "nan"], "dpi"),
        (["a.png", "-m", MODEL, "--dpi", "0"], "dpi"),
        (["a.png", "-m", MODEL, "--workers", "0"], "workers"),
        (["a.png", "-m", MODEL, "--workers", "9999"], "1024"),
        (["a.png", "-m", MODEL, "--max-megapixels", "-1"], "max-megapixels"),
        (["a.png", "-m", MODEL, "--prices", "gone.toml"], "gone.toml"),
        (["a.png", "-m", MODEL, "--mod", "x"], "--mod"),
        (["a.png", "-m", MODEL, "--nonsense\n\x1b"], r"--nonsense\n\x1b"),
        (["a.png", "-m", MODEL, "-o", "x.gif"], ".png"),
        (["a.png", "-m", MODEL, "-o", "x.png", "--format", "webp"], "contradict"),
        (["a.png", "b.png", "-m", MODEL, "-o", "-"], "-o -"),
        (["shots", "-m", MODEL, "-o", "-"], "-o -"),
        (["a.png", "b.png", "-m", MODEL, "-o", "shots/readme.txt"], "folder"),
        (["a.png", "-m", MODEL, "-o", "-", "--json"], "--json"),
        (["-", "-", "-m", MODEL, "-o", "out/"], "more than once"),
        (["-", "-m", MODEL, "-o", "-", "--preview"], "--preview"),
        (["a.png", "-m", MODEL, "--preview", "x.txt"], "--preview"),
        (["a.png", "./a.png", "-m", MODEL], "both"),
        (["a.png", "shots/../a.png", "-m", MODEL, "-o", "out"], "both"),
        (["a.png", "-m", MODEL, "-o", "x.png", "--preview", "./x.png"], "both"),
    ],
)
def test_wrong_usage_stops_before_any_work(
    here: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], says: str
) -> None:
    assert says in refused(capsys, "shrink", *words)


def test_two_inputs_of_one_name_stop_before_any_work(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page().save("shots/a.png")
    assert "out/a.png" in refused(capsys, "shrink", "a.png", "shots/a.png", "-m", MODEL, "-o", "out")
    page().save("a.jpg")
    assert "a.pixtrim.png" in refused(capsys, "shrink", "a.png", "a.jpg", "-m", MODEL)


@pytest.mark.parametrize("option", ["-o", "--preview"])
@pytest.mark.parametrize("spelling", ["a.png", "./a.png", "shots/../a.png", "link.png", "hard.png", "folder/a.png"])
def test_an_input_is_never_overwritten(
    here: Path, capsys: pytest.CaptureFixture[str], option: str, spelling: str
) -> None:
    Path("link.png").symlink_to("a.png")
    Path("hard.png").hardlink_to("a.png")
    Path("folder").symlink_to(here)
    says = refused(capsys, "shrink", "a.png", "-m", MODEL, option, spelling, "--overwrite")
    assert "never overwritten" in says


def test_no_other_input_is_overwritten_either(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "never overwritten" in refused(
        capsys, "shrink", "shots/c.png", "a.png", "-m", MODEL, "-o", ".", "--overwrite"
    )
    Path("c.png").symlink_to("shots/c.png")
    assert "never overwritten" in refused(capsys, "shrink", "shots", "-m", MODEL, "-o", ".", "--overwrite")


def test_a_name_that_was_not_typed_is_not_overwritten_without_leave(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.pixtrim.png").write_bytes(b"precious")
    assert "--overwrite" in refused(capsys, "shrink", "a.png", "-m", MODEL)
    assert shown(capsys, "shrink", "a.png", "-m", MODEL, "--overwrite")[0] == 0
    assert Path("a.pixtrim.png").read_bytes()[:4] == b"\x89PNG"


def test_a_dangling_link_counts_as_existing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.pixtrim.png").symlink_to("nowhere.png")
    assert "--overwrite" in refused(capsys, "shrink", "a.png", "-m", MODEL)


def test_globs_folders_and_interleaved_inputs_are_found_by_us(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, "shrink", "*.png", "-m", MODEL, "-o", "out/", "--json", "shots")
    assert code == 0
    assert [record["output"] for record in lines(out)] == ["out/a.png", "out/b.png", "out/c.png"]


def test_a_glob_keeps_the_folders_that_it_matched(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, "shrink", "shots/**/*.[jp][pn]g", "-m", MODEL, "-o", "out", "--json")
    assert code == 0
    assert sorted(record["output"] for record in lines(out)) == ["out/c.png", "out/deep/d.png"]


def test_a_glob_without_a_match_and_an_empty_folder_are_bad_inputs(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    code, out, err = shown(capsys, "shrink", "*.tiff", "empty", "a.png", "-m", MODEL, "-o", "out", "--json")
    assert code == 3
    assert [record.get("exit_code") for record in lines(out)] == [3, 3, None]
    assert "no file matches" in err
    assert "no pictures" in err


def test_names_that_lead_nowhere_are_bad_inputs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("shrink", "", "gone/", "gone.pdf#page=2", "a.png/", "shots/[", "-m", MODEL, "-o", "out/", "--json")
    code, out, err = shown(capsys, *words)
    assert code == 3
    assert [record["exit_code"] for record in lines(out)] == [3] * 5
    assert err.count("\n") == 5


def test_pages_of_a_pdf_have_names_of_their_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pypdfium2")
    page(seed=5).save("two.pdf", save_all=True, append_images=[page(300, 400, seed=6)])
    words = ("shrink", "two.pdf#page=2", "tw*.pdf#page=1", "two.pdf#page=3", "-m", MODEL, "--json", "--dpi", "72")
    code, out, _ = shown(capsys, *words)
    assert code == 3
    second, first, third = lines(out)
    assert (second["output"], first["output"]) == ("two-page2.pixtrim.png", "two-page1.pixtrim.png")
    assert (second["original_width"], second["original_height"]) == (300, 400)
    assert third["exit_code"] == 3
    assert "page" in shown(capsys, "shrink", "two.pdf#page=x", "-m", MODEL, "-o", "x.png")[2]


def test_a_second_run_leaves_out_what_the_first_one_made(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = shown(capsys, "shrink", ".", "-r", "-m", MODEL, "--json", "--preview")
    again = shown(capsys, "shrink", ".", "-r", "-m", MODEL, "--json", "--overwrite", "--preview")
    assert first[0] == again[0] == 0
    assert [r["input"] for r in lines(first[1])] == [r["input"] for r in lines(again[1])]
    inside = ("shrink", ".", "-r", "-m", MODEL, "--json", "-o", "out", "--overwrite")
    assert len(lines(shown(capsys, *inside)[1])) == len(lines(shown(capsys, *inside)[1])) == 4


def test_preview_and_map_lie_beside_the_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(
        capsys, "shrink", "a.png", "-m", MODEL, "-b", "300", "-o", "new/x.png", "--preview", "--map", "--json"
    )
    assert code == 0
    (record,) = lines(out)
    assert (record["preview"], record["map"]) == ("new/a.preview.png", "new/a.map.json")
    coordinates = CoordinateMap.from_json(Path("new/a.map.json").read_text())
    assert coordinates.original_size == (700, 500)
    assert coordinates.reduced_size == (record["width"], record["height"])
    with Image.open("new/a.preview.png") as preview:
        preview.load()


def test_preview_and_map_go_where_they_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = shown(capsys, "shrink", "shots", "-r", "-m", MODEL, "-o", "out", "--preview", "p", "--map", "m")
    assert code == 0
    assert Path("p/c.preview.png").is_file()
    assert Path("p/deep/d.preview.png").is_file()
    assert Path("m/deep/d.map.json").is_file()
    assert (
        shown(capsys, "shrink", "a.png", "-m", MODEL, "-o", "y.png", "--preview", "see.jpg", "--map", "y.json")[0] == 0
    )
    assert Path("see.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert Path("y.json").is_file()


@pytest.mark.parametrize(("name", "kind"), [("x.webp", "WEBP"), ("x.JPG", "JPEG"), ("x.png", "PNG")])
def test_the_suffix_says_the_format(here: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str) -> None:
    assert shown(capsys, "shrink", "a.png", "-m", MODEL, "-b", "50%", "-o", name)[0] == 0
    with Image.open(name) as picture:
        assert picture.format == kind


def test_the_format_says_the_suffix(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "shrink", "a.png", "b.png", "-m", MODEL, "-o", "out", "--format", "webp")[0] == 0
    assert sorted(os.listdir("out")) == ["a.webp", "b.webp"]


def test_a_budget_that_cannot_be_met_is_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, "shrink", "a.png", "-m", "gpt-4o", "-b", "3", "-o", "x.png")
    assert (code, out) == (2, "")
    assert "budget of 3" in err
    assert not Path("x.png").exists()


def test_prices_can_be_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("prices.toml").write_text(f'[models."{MODEL}"]\nusd_per_million = 1000\nread = "2030-01-01"\n')
    code, out, _ = shown(capsys, "shrink", "a.png", "-m", MODEL, "--json", "--prices", "prices.toml")
    (record,) = lines(out)
    assert code == 0
    assert record["usd_before"] == pytest.approx(record["tokens_before"] / 1000)
    assert record["price_date"] == "2030-01-01"


def test_too_many_pixels_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, "shrink", "a.png", "-m", MODEL, "-o", "x.png", "--max-megapixels", "0.1")
    assert code == 3
    assert "over the limit of 100000" in err


def test_protected_boxes_reach_the_operator(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("shrink", "a.png", "-m", MODEL, "--operator", "fold", "-b", "50%", "--json", "-o")
    free = lines(shown(capsys, *words, "x.png")[1])[0]
    held = lines(shown(capsys, *words, "y.png", "--protect", "0,0,700,500")[1])[0]
    assert free["text_scale"] > held["text_scale"]
    code, _, err = shown(capsys, *words, "z.png", "--protect", "0,0,9000,9000")
    assert code == 2
    assert "9000" in err


def test_quiet_says_nothing_but_errors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "shrink", "a.png", "-m", MODEL, "-b", "20", "-q") == (0, "", "")
    assert shown(capsys, "shrink", "gone.png", "-m", MODEL, "-q")[2].count("\n") == 1


def test_the_summary_adds_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, "shrink", "a.png", "b.png", "gone.png", "-m", MODEL, "-b", "50%", "-o", "out")
    assert code == 3
    header, first, second, total = out.splitlines()
    assert header.split()[:2] == ["input", "operator"]
    assert total.startswith("2 of 3, 1 failed ")
    pairs = [re.findall(r" (\d+) -> (\d+) ", line)[-1] for line in (first, second, total)]
    assert [int(pairs[0][i]) + int(pairs[1][i]) for i in (0, 1)] == [int(pairs[2][i]) for i in (0, 1)]


def test_a_fault_of_ours_is_told_apart_and_stops_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(Input("a\n.png", "a"), None, None)
    outcome = do(job, {"nonsense": 1})
    assert outcome.code == 70
    assert "fault of pixtrim" in outcome.error
    complain(outcome.error)
    plain = capsys.readouterr().err
    assert (plain.count("\n"), plain.startswith(r"pixtrim: error: a\n.png: TypeError")) == (1, True)
    complain(outcome.error, outcome.cause)
    assert capsys.readouterr().err.startswith(plain + "Traceback")
