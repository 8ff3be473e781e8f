"""`pixtrim gateway` as a process: how it starts, what it refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from asking import CHAT, Wire, chat, page
from gateways import Command
from upstream import Out, Recorded, Upstream, events, fixed

from pixtrim.cli import main
from pixtrim.gateway.ledger import Ledger

KEY = "k" * 32


Failing = Callable[..., str]


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str]) -> Failing:
    """Run the command, which has to refuse in one line, with code 2."""

    def run(*words: str) -> str:
        assert main(["gateway", *words]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    return run


def test_it_refuses_what_would_not_work(failing: Failing) -> None:
    assert "--upstream" in failing()
    assert "NAME=URL" in failing("--upstream", "https://api.openai.com")
    assert "ftp://x" in failing("--upstream", "a=ftp://x")
    assert "--key-file" in failing("--upstream", "a=http://x", "--host", "0.0.0.0", "--ledger", "off")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in failing("--upstream", "a=http://x", "--port", port, "--ledger", "off")


def test_keys_are_read_from_a_file(failing: Failing, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("short\n")
    assert "16 characters" in failing("--upstream", "a=http://x", "--key-file", str(keys))
    assert "cannot be read" in failing("--upstream", "a=http://x", "--key-file", str(tmp_path / "none"))
    keys.write_text(f"{KEY}\n{'j' * 16}\n")
    with Upstream() as upstream:
        words = ("--upstream", f"a={upstream.url}", "--ledger", "off", "--host", "0.0.0.0", "--key-file", str(keys))
        with Command(*words) as command, Wire(command.url.replace("0.0.0.0", "127.0.0.1")) as wire:
            wire.post(CHAT, chat())
            assert wire.answer()[0] == 401
            wire.post(CHAT, chat(), f"X-Pixtrim-Key: {KEY}")
            assert wire.answer()[0] == 200


def test_a_signal_lets_answers_end_and_everything_be_written(tmp_path: Path) -> None:
    ledger = str(tmp_path / "usage.sqlite3")
    parts = [b"data: %d\n\n" % number for number in range(3)]
    with Upstream() as upstream, Command("--upstream", f"a={upstream.url}", "--ledger", ledger) as command:
        upstream.answers["*"] = events(*parts, turns=True)
        with Wire(command.url) as wire, Wire(command.url) as idle:
            wire.post(CHAT, chat(page(), stream=True))
            upstream.go()
            assert wire.head()[0] == 200
            assert wire.chunk() == parts[0]
            command.signal(signal.SIGTERM)
            assert idle.file.read() == b""  # a connection without a request is closed, so the signal has arrived
            with pytest.raises(ConnectionError):
                Wire(command.url)
            upstream.go(2)
            assert [wire.chunk() for _ in range(3)] == [*parts[1:], b""]
        assert command.ended() == 0
    with Ledger.open(ledger) as found:
        (row,) = found.summary(by=("model",))
        assert (row.requests, row.model) == (1, "claude-sonnet-4-5")
        assert row.saved > 0


def test_a_second_signal_ends_all_at_once() -> None:
    async def answer(request: Recorded, out: Out) -> None:
        await out.start()
        await out.chunk(b"1")
        await out.stall()

    with Upstream() as upstream, Command("--upstream", f"a={upstream.url}", "--ledger", "off") as command:
        upstream.answers["*"] = answer
        with Wire(command.url) as wire, Wire(command.url) as idle:
            wire.post(CHAT, chat())
            wire.head()
            assert wire.chunk() == b"1"
            command.signal(signal.SIGTERM)
            assert idle.file.read() == b""
            command.signal(signal.SIGTERM)
            assert command.ended() == 1
            assert upstream.request().gone.wait(30)
            assert wire.file.read() == b""


def test_answers_that_outlast_the_grace_time_are_cut_off(tmp_path: Path) -> None:
    async def answer(request: Recorded, out: Out) -> None:
        await out.start()
        await out.chunk(b"1")
        await out.stall()

    policy = tmp_path / "policy.toml"
    policy.write_text("[limits]\ngrace_seconds = 1\n")
    with Upstream() as upstream:
        words = ("--upstream", f"a={upstream.url}", "--ledger", "off", "--policy", str(policy))
        with Command(*words) as command, Wire(command.url) as wire:
            upstream.answers["*"] = answer
            wire.post(CHAT, chat())
            wire.head()
            assert wire.chunk() == b"1"
            command.signal(signal.SIGTERM)
            assert wire.file.read() == b""
            assert command.event("request")["error"] == "the gateway ends"
            assert command.ended() == 0


def test_killed_in_the_middle_it_starts_again_with_what_it_had(tmp_path: Path) -> None:
    """No half file and no broken ledger stops the next one, and what was finished is still there."""
    ledger, cache = str(tmp_path / "usage.sqlite3"), tmp_path / "cache"
    words = ("--ledger", ledger, "--cache-dir", str(cache))
    with Upstream() as upstream:
        with Command("--upstream", f"a={upstream.url}", *words) as command, Wire(command.url) as wire:
            wire.post(CHAT, chat(page()))
            assert wire.answer()[0] == 200
            wire.post(CHAT, chat(*(page(seed) for seed in range(1, 7))))
            command.signal(signal.SIGKILL)
            assert command.ended() == -signal.SIGKILL
        with Command("--upstream", f"a={upstream.url}", *words) as command, Wire(command.url) as wire:
            wire.post(CHAT, chat(page()))
            assert wire.answer()[0] == 200
            wire.post("/metrics", b"", method="GET")
            assert b'pixtrim_cache_total{result="hit"} 1.0' in wire.answer()[2]
            command.signal(signal.SIGTERM)
            assert command.ended() == 0
        assert upstream.requests[0].body == upstream.requests[-1].body
    with Ledger.open(ledger) as found:
        assert sum(row.requests for row in found.summary(by=("model",))) in (1, 2)


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # no file can be larger: writing fails as on a full disk
sys.argv = ["pixtrim", *sys.argv[1:]]
from pixtrim.cli import main
sys.exit(main())
"""


def test_a_full_disk_fails_no_request(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    words = ("--cache-dir", str(tmp_path / "cache"), "--cache-size", "0", "--ledger", str(tmp_path / "usage.sqlite3"))
    with Upstream() as upstream, Command("--upstream", f"a={upstream.url}", *words, program=FULL) as command:
        with Wire(command.url) as wire:
            for _ in range(2):
                wire.post(CHAT, chat(page()))
                status, headers, _ = wire.answer()
                assert (status, "changed=1" in headers["x-pixtrim"]) == (200, True)
        assert "cannot be written" in command.event("warning")["message"]
        command.signal(signal.SIGTERM)
        assert command.ended() == 0
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stderr_that_nobody_reads_fails_no_request() -> None:
    with Upstream() as upstream, Command("--upstream", f"a={upstream.url}", "--ledger", "off") as command:
        upstream.answers["*"] = fixed(200, b"ok")
        with Wire(command.url) as wire:
            command.deafen()
            for _ in range(3):
                wire.post(CHAT, chat())
                assert wire.answer()[2] == b"ok"


def test_the_line_of_a_request_is_json_and_complete() -> None:
    with Upstream() as upstream, Command("--upstream", f"a={upstream.url}", "--ledger", "off") as command:
        wire = Wire(command.url)
        wire.post(CHAT, chat(page()), "Authorization: Bearer sk-1")
        assert wire.answer()[0] == 200
        line = command.event("request")
        wire.close()
    fields = {"route": "a", "format": "openai-chat", "status": 200, "images": 1, "changed": 1, "path": CHAT}
    assert fields.items() <= line.items()
    assert line["seconds"] >= line["added_seconds"] >= 0
    assert line["key"].startswith("key-")
    assert "sk-1" not in json.dumps(line)
