"""The report in a real browser: it loads without complaint and without a request, and what it shows is there."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixtrim.coordinates import CoordinateMap
from pixtrim.evaluation.records import Fault, Record, Run
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.report import write_report
from pixtrim.evaluation.statistics import summarise

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(PROGRAM is None or os.name != "posix", reason="there is no Chromium")

# Chromium reads its orders from descriptor 3 and answers on 4; a process of its own puts the pipes there.
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
OPTIONS = "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"
PHONE, DESK = (390, 844), (1280, 900)
HARM = '"><script>window.harm = 1</script><img src=x onerror="window.harm = 1">'


class Browser:
    """One page of a browser without a window, by the DevTools protocol over two pipes."""

    def __init__(self, profile: Path) -> None:
        import fcntl

        pipes = [*os.pipe(), *os.pipe()]
        orders, self.to, self.answers, replies = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipes)
        for end in pipes:
            os.close(end)
        assert PROGRAM is not None
        started = [PROGRAM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        command = [sys.executable, "-c", LAUNCH, str(orders), str(replies), *started]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, pass_fds=(orders, replies), stdout=quiet, stderr=quiet)
        os.close(orders)
        os.close(replies)
        self.rest, self.number, self.events, self.session = b"", 0, [], ""  # type: ignore[var-annotated]
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        self.number += 1
        order = {"id": self.number, "method": method, "params": values}
        os.write(self.to, json.dumps(order | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]  # type: ignore[no-any-return]

    def receive(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            assert select.select([self.answers], [], [], 60)[0], "the browser does not answer"
            read = os.read(self.answers, 1 << 20)
            assert read, "the browser is gone"
            self.rest += read
        line, _, self.rest = self.rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self.events.append(message)
        return message

    def open(self, path: Path, size: tuple[int, int], *, dark: bool = False) -> None:
        width, height = size
        mobile = size == PHONE
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not self.of("Page.loadEventFired"):
            self.receive()

    def run(self, script: str) -> Any:
        """Return what an expression, or the promise of one, comes to."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        end = time.monotonic() + 30
        while not self.run(script):
            assert time.monotonic() < end, script
            time.sleep(0.05)

    def of(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") in methods]

    def close(self) -> None:
        try:
            self.call("Browser.close")
        finally:
            self.process.kill()
            self.process.wait(30)
            os.close(self.to)
            os.close(self.answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def pictures(sample: str, reducer: str, budget: str) -> Reduced:
    """Return a page: whole, at half its size, or without its lower half."""
    noise = np.random.default_rng(len(sample)).integers(0, 256, (60, 40, 3), np.uint8)
    page = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    page[:240] = 255
    if reducer == "fold":
        coordinates = CoordinateMap.keep(range(200, 480), None, (320, 480))
        return Reduced(page[200:], coordinates, 90)
    if budget == "150":
        return Reduced(page, CoordinateMap.identity(320, 480), 150)
    return Reduced(np.ascontiguousarray(page[::2, ::2]), CoordinateMap.scale((320, 480), (160, 240)), 88)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with faults, two kinds, two measures, and names that mean harm."""
    names = [f"page {'q' * number}.png" for number in range(6)] + [f"{HARM}.png"]
    records = [
        Record(name, kind, name, "0" * 64, reducer, budget, 150, 90, 90, measure, score, 88, 0.5, 0.01)
        for number, name in enumerate(names)
        for kind in [HARM if HARM in name else "page"]
        for budget in ("50%", "75%")
        for reducer, score in (("resize", 0.5), ("fold", 0.8 if number else 0.45))
        for measure in ("word-recall", HARM)
    ]
    run = Run("qwen3-vl", ("50%", "75%"), ("resize", "fold"), ("word-recall", HARM), HARM, records)
    run.faults = [Fault(HARM, "fold", "50%", HARM, HARM)]
    run.errors = [(HARM, HARM)]
    run.questions = {"word-recall": "Can the words be read?", HARM: HARM}
    path = tmp_path_factory.mktemp("a folder #1") / "report 100%.html"
    write_report(run, summarise(run, resamples=200), path, pictures, command=HARM)
    return path


def complaints(browser: Browser) -> list[Any]:
    return browser.of("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")


def requests(browser: Browser) -> list[str]:
    asked = [event["request"]["url"] for event in browser.of("Network.requestWillBeSent")]
    return [url for url in asked if not url.startswith("data:")]


LOADED = """Promise.all([...document.images].filter(i => i.getAttribute("src"))
  .map(i => { i.loading = "eager"; return i.decode().then(() => i.naturalWidth > 0) }))"""


@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_it_loads_by_itself_and_fits(browser: Browser, report: Path, size: tuple[int, int], dark: bool) -> None:
    browser.open(report, size, dark=dark)
    images = browser.run(LOADED)
    assert len(images) >= 2 * 6
    assert all(images)
    assert requests(browser) == [report.as_uri()]
    assert complaints(browser) == []
    assert browser.run("window.harm") is None
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    assert browser.run("document.querySelectorAll('.verdicts tbody').length") == 2
    assert browser.run("document.querySelectorAll('svg.plot').length") == 4
    assert browser.run("document.querySelectorAll('#faults li').length") == 1
    light = browser.run("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0] > 128")
    assert light is not dark


CONTRAST = """(selectors => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = colour => [.2126, .7152, .0722].reduce((sum, w, k) => sum + w * linear(numbers(colour)[k] / 255), 0);
  const ground = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour.startsWith("rgb(") ? colour : ground(element.parentElement);
  };
  return selectors.map(selector => {
    const element = document.querySelector(selector);
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
    return [selector, (a + .05) / (b + .05)];
  });
})"""
TEXTS = [
    ".lead",
    "h1",
    "#verdicts p",
    ".cell.better b",
    ".cell.better small",
    ".note",
    ".fault h2",
    ".warn h2",
    "nav a",
]
TEXTS += [".bar .better", ".bar .open", ".key.worse", ".case figcaption", ".loss", ".gain", "dt", ".tag"]


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser: Browser, report: Path, dark: bool) -> None:
    """By 4.5 at least, as the accessibility guidelines for the web ask of small text."""
    browser.open(report, DESK, dark=dark)
    assert [one for one in browser.run(f"{CONTRAST}({json.dumps(TEXTS)})") if one[1] < 4.5] == []


def test_tables_can_be_filtered(browser: Browser, report: Path) -> None:
    browser.open(report, DESK)
    shown = "[...document.querySelectorAll('.verdicts tr[data-kind]')].filter(r => r.offsetParent).length"
    assert browser.run(shown) == 4
    pick = "(s => { const e = document.querySelector(s[0]); e.value = s[1]; e.dispatchEvent(new Event('change')) })"
    browser.run(f"{pick}(['#by-measure', 'word-recall'])")
    assert browser.run(shown) == 2
    browser.run(f"{pick}(['#by-kind', 'page'])")
    assert browser.run(shown) == 1
    find = "document.querySelector('#find')"
    browser.run(f"{find}.value = 'QQQ'; {find}.dispatchEvent(new Event('input'))")
    rows = "[...document.querySelectorAll('.index tbody tr')].filter(r => r.offsetParent).length"
    assert browser.run(rows) == 3  # the names with three x and more


def test_what_is_pointed_at_is_told(browser: Browser, report: Path) -> None:
    browser.open(report, DESK)
    browser.run("document.querySelector('.cell').scrollIntoView({behavior: 'instant', block: 'center'})")
    browser.run("new Promise(requestAnimationFrame)")  # what is told goes away on scrolling
    x, y = browser.run("(r => [r.x + 9, r.y + 9])(document.querySelector('.cell').getBoundingClientRect())")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.until("!document.querySelector('#says').hidden")
    assert "plain resize 0.500" in browser.run("document.querySelector('#says').textContent")


VIEWED = "[...document.querySelectorAll('.pane img')].map(i => [i.naturalWidth, i.naturalHeight])"


def test_the_viewer_shows_three_pictures_at_one_spot(browser: Browser, report: Path) -> None:
    browser.open(report, DESK)
    browser.run("document.querySelector('.shots a').click()")
    browser.until(f"JSON.stringify({VIEWED}) === '[[320,480],[160,240],[320,280]]'")
    assert all(url.startswith(report.parent.as_uri()) for url in requests(browser))
    browser.run("document.querySelector('#v-in').click(); document.querySelector('#v-in').click()")
    x, y = browser.run("(r => [r.x + 50, r.y + 300])(document.querySelector('.pane').getBoundingClientRect())")
    for kind in ("mousePressed", "mouseMoved", "mouseReleased"):  # up by much: the foot of the page
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y if kind == "mousePressed" else y - 2000,
                     button="left", buttons=1, clickCount=1)  # fmt: skip
    below = """[...document.querySelectorAll('.pane')].map(p => p.getBoundingClientRect().bottom
      - p.firstElementChild.getBoundingClientRect().bottom)"""
    assert browser.run(below) == pytest.approx([0, 0, 0], abs=1.5)
    browser.run("document.querySelector('#v-next').click()")
    browser.until("document.querySelector('#v-about').textContent.includes('75%')")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape", windowsVirtualKeyCode=27)
    browser.until("!document.querySelector('#viewer').open")
    assert complaints(browser) == []


def test_without_its_folder_the_viewer_shows_what_is_inside(browser: Browser, report: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.html"
    shutil.copyfile(report, alone)
    browser.open(alone, PHONE)
    browser.run("document.querySelector('.shots a').click()")
    browser.until(f"JSON.stringify({VIEWED}) === '[[320,480],[160,240],[320,280]]'")
    assert browser.run("document.querySelector('.pane img').src").startswith("data:image/webp")


def test_on_paper_nothing_is_folded_up(browser: Browser, report: Path) -> None:
    browser.open(report, DESK)
    closed = "document.querySelectorAll('details:not([open])').length"
    before = browser.run(closed)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert before > browser.run(closed) == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(closed) == before
    assert len(browser.call("Page.printToPDF")["data"]) > 20_000
