"""Policies: what a file says holds, and what it cannot say is told in one line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pixtrim.cli import main
from pixtrim.errors import UsageError
from pixtrim.gateway import Settings
from pixtrim.gateway.policies import Fetch, Limits, Policy, load_policy, parse_bytes

WHOLE = f"""
[defaults]
budget = 0.5
count_as = "gpt-5.5"

[[rule]]
route = "anthropic"
model = "claude-*"
budget = "fit"
count_as = "claude-sonnet-4-5"

[[rule]]
model = "*-mini"
off = true

[[rule]]
route = "openai"
operator = "resize"

[headers]
allow = ["budget"]
report = false

[fetch]
hosts = ["*.example.com", "images.test:8443"]
schemes = ["https", "http"]
networks = ["10.0.0.0/8"]
seconds = 2
bytes = "5MB"

[limits]
body = "1MiB"
image_seconds = 1.5
workers = 3

[keys]
team-a = "{hashlib.sha256(b"secret").hexdigest()}"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def test_all_of_a_file_holds(path: Path) -> None:
    path.write_text(WHOLE)
    policy = load_policy(path)
    defaults = Settings(budget=0.5, model="gpt-5.5")
    assert policy.defaults == defaults
    assert policy.settings("anthropic", "claude-opus-4-7") == Settings(model="claude-sonnet-4-5")
    assert policy.settings("anthropic", "x-mini") is None
    assert policy.settings("openai", "gpt-5.5") == Settings(budget=0.5, operator="resize", model="gpt-5.5")
    assert policy.settings("openai", None) == Settings(budget=0.5, operator="resize", model="gpt-5.5")
    assert policy.settings("other", "claude-opus-4-7") == defaults
    assert policy.by_model
    assert (policy.askable, policy.reports) == (frozenset({"budget"}), False)
    assert policy.fetch == Fetch(
        ("*.example.com", "images.test:8443"), ("10.0.0.0/8",), ("https", "http"), 2, 5_000_000
    )
    assert policy.limits == Limits(body=2**20, image_seconds=1.5, workers=3)
    assert list(policy.keys.values()) == ["team-a"]


def test_an_empty_file_says_nothing(path: Path) -> None:
    path.write_text("")
    assert load_policy(path) == Policy()
    assert not Policy().by_model
    assert Policy().fetch.hosts == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = [", ["is not TOML"]),
        ("\xff", ["is not TOML"]),
        ("[default]", ["'default'", "section", "defaults"]),
        ("defaults = 3", ["defaults is 3", "[defaults]"]),
        ("[defaults]\nbudgt = 1", ["'budgt'", "[defaults]", "budget"]),
        ("[defaults]\nbudget = 'much'", ["[defaults]", "much"]),
        ("[defaults]\nbudget = []", ["[defaults]"]),
        ("[defaults]\noperator = 'melt'", ["[defaults]", "melt"]),
        ("[defaults]\noperator = 3", ["[defaults]"]),
        ("[defaults]\nminimum_saving = 2", ["minimum_saving is 2", "0 to 1"]),
        ("[defaults]\nmax_pixels = '1'", ["max_pixels is '1'"]),
        ("[defaults]\nrepeats = 'drop'", ["repeats is 'drop'", "note"]),
        ("[defaults]\nmodel = 'x'", ["'model'", "count_as"]),
        ("[rule]\nmodel = 'x'", ["[[rule]]"]),
        ("[[rule]]\nmodel = 3", ["[[rule]] 1", "model is 3"]),
        ("[[rule]]\n[[rule]]\noff = 'yes'", ["[[rule]] 2", "off is 'yes'"]),
        ("[[rule]]\nmodels = 'x'", ["[[rule]] 1", "'models'", "model"]),
        ("[headers]\nallow = ['key']", ["[headers]", "'key'", "budget"]),
        ("[headers]\nallow = 'off'", ["[headers]", "'off'", "list"]),
        ("[headers]\nreport = 1", ["[headers]", "report is 1"]),
        ("[fetch]\nhosts = 'x'", ["[fetch]", "hosts is 'x'"]),
        ("[fetch]\nhosts = [3]", ["[fetch]", "hosts is [3]"]),
        ("[fetch]\nschemes = ['file']", ["[fetch]", "'file'", "https"]),
        ("[fetch]\nnetworks = ['10.0.0.1/8']", ["[fetch]", "10.0.0.1/8"]),
        ("[fetch]\nseconds = 0", ["[fetch]", "seconds is 0"]),
        ("[limits]\nbody = '1 apple'", ["[limits]", "body", "1 apple", "64MiB"]),
        ("[limits]\nbody = -1", ["[limits]", "body is -1"]),
        ("[limits]\nworkers = 1.5", ["[limits]", "workers is 1.5", "whole"]),
        ("[limits]\nwaiting = true", ["[limits]", "waiting is True"]),
        ("[limits]\nread_seconds = inf", ["[limits]", "read_seconds is inf"]),
        ("[limits]\nread_seconds = nan", ["[limits]", "read_seconds is nan"]),
        ("[keys]\nme = 'sk-1234'", ["[keys]", "me", "sha256sum"]),
        ("[keys]\nme = 3", ["[keys]", "me"]),
    ],
)
def test_what_cannot_be_is_told_in_one_line(path: Path, text: str, words: list[str]) -> None:
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        load_policy(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message
    assert "sk-1234" not in message


def test_the_command_shows_what_holds_or_what_is_wrong(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(WHOLE)
    assert main(["gateway", "--check-policy", str(path)]) == 0
    text = capsys.readouterr().out
    for line in ("budget = 0.5", "count_as = 'claude-sonnet-4-5'", "off = True", "body = 1048576", "report = False"):
        assert f"{line}\n" in text
    assert "team-a = " in text
    assert hashlib.sha256(b"secret").hexdigest() not in text
    path.write_text("[limit]")
    assert main(["gateway", "--check-policy", str(path)]) == 2
    line = capsys.readouterr().err
    assert str(path) in line
    assert line.count("\n") == 1
    assert main(["gateway", "--upstream", "a=http://x", "--policy", str(path.parent / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_requests_may_ask_for_what_the_policy_allows() -> None:
    policy = Policy(askable=frozenset({"off", "budget"}))
    assert policy.asked(Settings(), {}) == Settings()
    assert policy.asked(Settings(operator="resize"), {"x-pixtrim-budget": "20%"}) == Settings("20%", "resize")
    assert policy.asked(Settings(), {"x-pixtrim": "off"}) is None
    assert policy.asked(None, {"x-pixtrim-budget": "20%"}) is None
    for name, value in (("-operator", "fold"), ("", "no"), ("-budget", "!"), ("-colour", "red")):
        with pytest.raises(UsageError) as caught:
            policy.asked(Settings(), {f"x-pixtrim{name}": value})
        assert value in str(caught.value) or "is not known" in str(caught.value)


@pytest.mark.parametrize("text", ["", "1.5MB", "-1", "MB", "1 MB B", "1KiBB", "1PB", "9" * 16, "１"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="256MB"):
        parse_bytes(text)
