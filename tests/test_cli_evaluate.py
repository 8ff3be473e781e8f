"""`pixtrim evaluate` as people use it: real files, real processes, operators of their own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from pixtrim.cli import evaluate as command
from pixtrim.cli import main
from pixtrim.cli.arguments import parse
from pixtrim.cli.evaluate import CACHE
from pixtrim.evaluation import measures, reducers
from pixtrim.evaluation.cache import FILE
from pixtrim.evaluation.catalogue import load_measures
from pixtrim.evaluation.records import Run
from pixtrim.tokens import resolve

MODEL = "qwen3-vl"

PLUGIN = '''
"""Operators that do what they should not, and measures that are quick."""

import time

import numpy as np
from PIL import Image, ImageFilter

from pixtrim.coordinates import CoordinateMap
from pixtrim.evaluation.measures import Measure, register as measure
from pixtrim.evaluation.reducers import Reduced, reducer_named, register


def plain(pixels, model, tokens):
    return reducer_named("resize").reduce(pixels, model, tokens)


def shifted(pixels, model, tokens):
    """All content is 3 pixels of the original to the right of where the map says."""
    moved = np.concatenate([pixels[:, :1].repeat(3, axis=1), pixels[:, :-3]], axis=1)
    return plain(np.ascontiguousarray(moved), model, tokens)


def blurred(pixels, model, tokens):
    reduced = plain(pixels, model, tokens)
    image = Image.fromarray(reduced.image).filter(ImageFilter.GaussianBlur(1.2))
    return Reduced(np.asarray(image), reduced.coordinates, reduced.tokens)


def greedy(pixels, model, tokens):
    reduced = plain(pixels, model, tokens)
    return Reduced(reduced.image, reduced.coordinates, round(reduced.tokens / 1.05))


for reduce in (shifted, blurred, greedy):
    register(f"cli_{reduce.__name__}", reduce)


@measure
class Detail(Measure):
    name = "cli-detail"
    question = "How much detail is there?"

    def applies(self, sample):
        return True

    def score(self, sample, reduced, prepared):
        return float(np.abs(np.diff(reduced.image.astype(float), axis=1)).mean())


@measure
class Slow(Detail):
    name = "cli-slow"
    question = "How long does it take?"

    def score(self, sample, reduced, prepared):
        time.sleep(0.2)
        return super().score(sample, reduced, prepared)


@measure
class Failing(Detail):
    name = "cli-failing"
    question = "What if it fails?"

    def score(self, sample, reduced, prepared):
        raise ArithmeticError("nothing\\nadds up")


@measure
class Lacking(Detail):
    name = "cli-lacking"
    question = "What if something is missing?"

    @classmethod
    def missing(cls):
        return "cli-lacking needs a clock: pip install clock"
'''


def page(seed: int, width: int = 960, height: int = 1200) -> Image.Image:
    """Dark marks of random shape in lines, like text, with white between them."""
    generator = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 255, np.uint8)
    for y in range(60, height - 60, 40):
        marks = generator.integers(0, 2, (6, (width - 120) // 3, 1), np.uint8) * 255
        pixels[y : y + 18, 60 : width - 60] = np.kron(marks, np.ones((3, 3, 1), np.uint8))
    return Image.fromarray(pixels)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with pages, and a module of operators and measures."""
    monkeypatch.chdir(tmp_path)
    Path("pages").mkdir()
    for seed in range(6):
        page(seed).save(f"pages/{seed}.png", compress_level=1)
    Path("cli_parts.py").write_text(PLUGIN)
    path, before = list(sys.path), (set(measures.measure_names()), set(reducers.reducer_names()))
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("cli_parts", None)
    for registry, known in zip((measures._REGISTRY, reducers._REGISTRY), before, strict=True):
        for name in set(registry) - known:
            if name.startswith("cli"):
                del registry[name]  # type: ignore[attr-defined]


WORDS = ("pages", "-m", MODEL, "--plugin", "cli_parts.py", "--metric", "cli-detail")


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["evaluate", *words])
    out, err = capsys.readouterr()
    return code, out, err


def pixtrim(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pixtrim", "evaluate", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


# --- the main paths ------------------------------------------------------------------------------------------------


def test_a_table_says_who_is_better_at_equal_tokens(here: Path) -> None:
    answer = pixtrim(*WORDS, "--operator", "fold", "-b", "30%", "600", "--workers", "2", cwd=here)
    assert (answer.returncode, answer.stderr) == (0, "")
    header, *rows = answer.stdout.splitlines()
    assert header.split()[:5] == ["kind", "metric", "budget", "operator", "n"]
    assert [row.split("cli-detail")[1].split()[:3] for row in rows] == [["30%", "fold", "6"], ["600", "fold", "6"]]
    assert all("[" in row for row in rows)
    assert rows[0].split()[-1] == "better"  # white goes first
    assert (here / CACHE).is_dir()


def test_json_holds_the_run_and_its_summary(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, *WORDS, "--operator", "fold", "-b", "50%", "--workers", "1", "--json")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    value = json.loads(out)
    run = Run.from_dict(value)
    assert (run.model, run.dataset, run.reducers, run.budgets) == (MODEL, "pages", ("resize", "fold"), ("50%",))
    assert len(run.records) == 12
    assert {row["reducer"] for row in value["summaries"]} == {"resize", "fold"}
    assert all(row["pictures"] == 6 for row in value["summaries"])
    rule = resolve(MODEL)
    assert all(record.tokens <= rule.count(960, 1200) // 2 for record in run.records)

    again, table, err = shown(
        capsys, *WORDS, "--operator", "fold", "-b", "0.5", "--json", "o/out.json", "--workers", "1"
    )
    assert (again, err) == (0, "")
    assert table.startswith("kind")
    kept = json.loads(Path("o/out.json").read_text())
    assert kept["records"] == value["records"]  # with the times of the first run: from the cache
    assert shown(capsys, *WORDS, "-b", "50%", "-q", "--json", "o/out.json") == (0, "", "")


def test_intervals_that_are_not_known_are_null(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*WORDS, "--operator", "fold", "-b", "50%", "--limit", "1", "--workers", "1")
    value = json.loads(shown(capsys, *words, "--json")[1])
    assert {row["difference_low"] for row in value["summaries"]} == {None}
    assert shown(capsys, *words)[1].splitlines()[1].split()[-1] == "-"


def test_a_report_is_written_with_its_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jinja2")
    words = (*WORDS, "--operator", "fold", "-b", "50%", "--workers", "1", "--html", "look/report.html")
    assert shown(capsys, *words)[0] == 0
    text = Path("look/report.html").read_text()
    assert "pixtrim evaluate pages -m qwen3-vl" in text
    assert any(path.is_file() for path in Path("look/report-pictures").rglob("*.*"))


def test_faults_that_were_planted_are_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    operators = ("cli_shifted", "cli_blurred", "cli_greedy", "fold", "auto", "resize")
    words = (*WORDS, "--operator", *operators, "-b", "40%", "--limit", "2", "--workers", "2")
    code, out, err = shown(capsys, *words, "--json")
    assert code == 0
    found = {(fault["reducer"], fault["check"]) for fault in json.loads(out)["faults"]}
    assert {("cli_shifted", "misaligned"), ("cli_blurred", "blurred"), ("cli_greedy", "tokens")} <= found
    assert {reducer for reducer, _ in found} == {"cli_shifted", "cli_blurred", "cli_greedy"}
    assert err.count("pixtrim: warning: ") == err.count("\n")
    assert "pages/0.png: cli_shifted at 40%: misaligned: " in err
    assert shown(capsys, *words, "-q")[2] == ""


def test_all_operators_and_measures_that_can_run_are_the_default(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in measures.measure_names():
        monkeypatch.delitem(measures._REGISTRY, name)  # type: ignore[arg-type]
    code, out, err = shown(capsys, *WORDS[:5], "--quick", "--limit", "2", "--workers", "1", "--json")
    assert code == 3
    run = Run.from_dict(json.loads(out))
    assert set(run.reducers) == {"resize", "fold", "warp", "carve", "auto", "cli_shifted", "cli_blurred", "cli_greedy"}
    assert run.budgets == ("50%",)
    assert set(run.measures) == {"cli-detail", "cli-slow"}
    assert "left out: cli-lacking (needs a clock: pip install clock)" in err


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_what_fails_is_named_and_the_rest_is_done(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pages/6.png").write_bytes(Path("pages/0.png").read_bytes()[:900])
    words = (*WORDS, "cli-failing", "--operator", "fold", "-b", "50%", "--workers", "2")
    code, out, err = shown(capsys, *words)
    assert code == 3
    assert " 6 " in out.splitlines()[1]
    errors = err.splitlines()
    assert len(errors) == 7
    assert all(line.startswith("pixtrim: error: pages/") for line in errors)
    assert "pixtrim: error: pages/0.png: cli-failing: ArithmeticError: nothing adds up" in errors
    assert "truncated" in errors[-1]


def test_many_errors_are_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        Path(f"pages/bad{number}.png").write_bytes(b"no picture")
    code, _, err = shown(capsys, *WORDS, "-b", "50%", "--operator", "resize", "--workers", "1")
    assert code == 3
    assert err.splitlines()[-1] == "pixtrim: error: and 2 more that could not be done"


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_ctrl_c_ends_with_130_and_what_there_is(here: Path) -> None:
    for seed in range(6, 30):
        page(seed, 480, 600).save(f"pages/{seed}.png")
    words = [*WORDS, "cli-slow", "--operator", "fold", "-b", "50%", "--workers", "2", "--json", "out.json"]
    words += ["--html", "report.html"] if _has("jinja2") else []
    command = [sys.executable, "-m", "pixtrim", "evaluate", *words]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # which a shell's background jobs ignore
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=here, text=True, start_new_session=True, preexec_fn=heard, **pipes) as process:
        guard = threading.Timer(100, process.kill)
        guard.start()
        while process.poll() is None and kept(here / CACHE) < 60:  # of about 14 for each picture
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
        guard.cancel()
    assert process.returncode == 130, err
    assert out.startswith("kind")
    run = Run.from_dict(json.loads(Path("out.json").read_text()))
    assert not run.complete
    done = len({record.sample for record in run.records})
    assert 0 < done < 30
    assert err == (
        f"pixtrim: error: interrupted: {done} of 30 pictures are done; the same command goes on from there\n"
    )
    assert not _has("jinja2") or "report" in Path("report.html").read_text()
    assert not list(here.glob(".*.tmp"))
    before = kept(here / CACHE)
    answer = pixtrim(*words[: words.index("--json") + 2], cwd=here)
    assert answer.returncode == 0
    assert kept(here / CACHE) > before
    assert {record.sample for record in Run.from_dict(json.loads(Path("out.json").read_text())).records} >= {
        record.sample for record in run.records
    }


def kept(folder: Path) -> int:
    """Return how many results a cache holds."""
    if not (folder / FILE).exists():
        return 0
    with closing(sqlite3.connect(folder / FILE, timeout=10)) as connection, suppress(sqlite3.Error):
        return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    return 0


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-m", MODEL], "DATA is missing"),
        (["pages"], "--model is missing"),
        (["pages", "-m", "gpt-17"], "gpt-17"),
        (["pages", "-m", "gemini-3-pro"], "the same at any size"),
        (["nowhere", "-m", MODEL], "nowhere"),
        (["pages", "pages", "-m", MODEL], "given twice"),
        (["pages", "-m", MODEL, "-b", "fit"], "'fit'"),
        (["pages", "-m", MODEL, "-b", "150%"], "150%"),
        (["pages", "-m", MODEL, "--operator", "seams"], "seams"),
        (["pages", "-m", MODEL, "--metric", "beauty"], "beauty"),
        (["pages", "-m", MODEL, "--plugin", "gone.py"], "gone.py is not there"),
        (["pages", "-m", MODEL, "--plugin", "nowhere_at_all"], "nowhere_at_all cannot be imported"),
        (["pages", "-m", MODEL, "--kind", "fresco"], "fresco"),
        (["pages", "-m", MODEL, "--limit", "0"], "--limit"),
        (["pages", "-m", MODEL, "--workers", "0"], "--workers"),
        (["pages", "-m", MODEL, "--html", "report.pdf"], ".html"),
        (["pages", "-m", MODEL, "--html", "pages/"], ".html"),
        (["pages", "-m", MODEL, "--json", "out.txt"], ".json"),
        (["pages", "-m", MODEL, "--json", "truth.json"], "another name"),
        (["pages", "-m", MODEL, "--endpoint", "http://localhost:1/v1"], "--endpoint-model"),
        (["pages", "-m", MODEL, "--api-key-file", "key"], "--endpoint"),
        (["pages", "-m", MODEL, "--encoder", "gone.npz"], "gone.npz"),
    ],
)
def test_wrong_usage_stops_before_any_work(
    here: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], says: str
) -> None:
    Path("truth.json").write_text('{"form": []}')
    code, out, err = shown(capsys, *words)
    assert (code, out) in ((2, ""), (3, "")), err
    assert err.startswith("pixtrim: error: ")
    assert err.count("\n") == 1
    assert says in err
    assert not Path(CACHE).exists()
    assert Path("truth.json").read_text() == '{"form": []}'


def test_a_measure_that_lacks_something_is_refused_when_it_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = shown(capsys, *WORDS[:-1], "cli-lacking")
    assert (code, err) == (2, "pixtrim: error: cli-lacking needs a clock: pip install clock\n")
    code, _, err = shown(capsys, *WORDS[:3], "--metric", "label-agreement")
    assert code == 2
    assert "needs an encoder" in err


@pytest.mark.parametrize(
    ("source", "says"),
    [("1 / 0", "ZeroDivisionError"), ("import pixtrim.evaluation.reducers as r; r.register('fold', None)", "'fold'")],
)
def test_a_plugin_that_cannot_be_imported_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], source: str, says: str
) -> None:
    Path("cli_broken.py").write_text(source)
    code, _, err = shown(capsys, *WORDS[:3], "--plugin", "cli_broken.py")
    assert code == 2
    assert "cli_broken.py" in err
    assert says in err


def test_a_plugin_with_the_name_of_another_module_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("json.py").write_text("")
    assert "another name" in shown(capsys, *WORDS[:3], "--plugin", "json.py")[2]


# --- choices -------------------------------------------------------------------------------------------------------


def test_names_that_two_data_sets_share_are_told_apart(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("more/pages").mkdir(parents=True)
    page(9).save("more/pages/0.png")
    words = ("more/pages", *WORDS, "-b", "50%", "--operator", "resize", "--workers", "1", "--json")
    names = {record["sample"] for record in json.loads(shown(capsys, *words)[1])["records"]}
    assert names == {"pages/0.png", "pages: pages/0.png", *(f"pages/{number}.png" for number in range(1, 6))}


def test_without_a_cache_nothing_is_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*WORDS, "-b", "50%", "--operator", "resize", "--workers", "1", "-q")
    assert shown(capsys, *words, "--no-cache") == (0, "", "")
    assert not Path(CACHE).exists()
    assert shown(capsys, *words, "--cache", "kept")[0] == 0
    assert sorted(path.name for path in Path("kept").iterdir()) == [".gitignore", "results.sqlite3"]


def test_a_quick_run_asks_one_of_two_engines(here: Path) -> None:
    load_measures()
    quick, full = (parse(["evaluate", "pages", "-m", MODEL, "-q", *words]) for words in (["--quick"], []))
    assert [len(command._samples(arguments)) for arguments in (quick, full)] == [5, 6]
    few, many = set(command._measures(quick)), set(command._measures(full))
    assert "kept-ratio" in few
    assert few == many or {"tesseract", "rapidocr"} <= {name.split("-")[2] for name in many if "-recall-" in str(name)}
    assert not any("rapidocr" in str(name) for name in few) or few == many


def test_measures_are_listed_with_what_they_need(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, "--list-metrics", "--plugin", "cli_parts.py")
    assert code == 0
    rows = {row.split()[0]: row for row in out.splitlines()}
    assert rows["metric"].split() == ["metric", "question", "needs"]
    assert rows["kept-ratio"].endswith("-")
    assert "needs a clock" in rows["cli-lacking"]
    listed = [json.loads(line) for line in shown(capsys, "--list-metrics", "--json")[1].splitlines()]
    assert {each["name"]: each["better"] for each in listed}["kept-ratio"] is None


def test_measures_that_need_a_network_are_set_up(
    here: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(shared_data / "weights" / "deit_tiny_fp16.npz")
    words = (
        str(shared_data / "photos" / "ecssd"),
        "-m",
        "claude-opus-4-7",
        "-b",
        "30%",
        "--limit",
        "2",
        "--workers",
        "2",
    )
    code, out, err = shown(
        capsys, *words, "--encoder", weights, "--metric", "embedding-cosine", "saliency-mass", "--json"
    )
    assert (code, err) == (0, "")
    run = Run.from_dict(json.loads(out))
    assert run.measures == ("embedding-cosine-deit-tiny-fp16", "saliency-mass")
    assert run.questions["embedding-cosine-deit-tiny-fp16"]
    assert {record.measure for record in run.records} == set(run.measures)
    assert all(
        record.score is not None and 0.5 < record.score <= 1 for record in run.records if "cos" in record.measure
    )


class Oracle(BaseHTTPRequestHandler):
    """Answers every question alike, and keeps what it was asked."""

    asked: ClassVar[list[tuple[str | None, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Authorization"], body))
        answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": "forty-two"}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def test_a_model_is_asked_and_its_key_is_kept_nowhere(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("httpx2")
    pytest.importorskip("rapidfuzz")
    Path("charts").mkdir()
    page(1, 480, 600).save("charts/a.png")
    question = {"image": "a.png", "question": "How many?", "answer": "forty two"}
    Path("charts/qa.json").write_text(json.dumps([question]))
    Path("key.txt").write_text("sk-secret\n")
    Oracle.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Oracle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        words = ("charts", "-m", MODEL, "-b", "100%", "50%", "--operator", "resize", "--workers", "1", "--json")
        words += ("--endpoint", url, "--endpoint-model", "oracle", "--api-key-file", "key.txt")
        code, out, err = shown(capsys, *words, "--metric", "answers-anls")
        again = shown(capsys, *words, "--metric", "answers-anls")
        server.shutdown()
    assert (code, err) == (0, "")
    scores = {record["budget"]: record["score"] for record in json.loads(out)["records"]}
    assert scores == {"100%": pytest.approx(8 / 9), "50%": pytest.approx(8 / 9)}
    assert [key for key, _ in Oracle.asked] == ["Bearer sk-secret"] * 2  # the original and the reduced picture, once
    assert {body["model"] for _, body in Oracle.asked} == {"oracle"}
    assert json.loads(again[1])["records"] == json.loads(out)["records"]
    assert "sk-secret" not in out
    assert all(b"sk-secret" not in path.read_bytes() for path in Path(CACHE).iterdir())
