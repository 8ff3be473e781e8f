"""Prices: dated, for models that the catalogue knows, never guessed, and the user's own win."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import pixtrim.tokens.prices
from pixtrim.errors import UsageError
from pixtrim.tokens import Price, load_prices, models, price_of, resolve
from pixtrim.tokens.catalog import key

TABLE = tomllib.loads(Path(pixtrim.tokens.prices.__file__).with_name("prices.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TABLE["models"])
def test_every_price_is_dated_and_sourced(name: str) -> None:
    entry = TABLE["models"][name]
    assert 0 < entry["usd_per_million"] < 1000
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", entry["read"])
    assert entry["source"].startswith("https://")
    rule = resolve(name)
    assert rule.provider in TABLE["pages"]
    assert price_of(name) == Price(**entry)


def test_shipped_prices() -> None:
    price = price_of("openrouter/anthropic/claude-haiku-4.5")
    assert price is not None
    assert price.usd_per_million == 1.0
    assert price.cost(1560) == pytest.approx(0.00156)
    assert price_of(resolve("claude-haiku-4-5")) == price


def test_a_dated_release_has_its_own_price() -> None:
    old, new = price_of("gpt-4o-2024-05-13"), price_of("gpt-4o-2024-11-20")
    assert old is not None
    assert new is not None
    assert (old.usd_per_million, new.usd_per_million) == (5.0, 2.5)
    assert price_of("gpt-4o") == price_of(resolve("gpt-4o")) == new


@pytest.mark.parametrize("model", ["qwen3-vl", "gpt-6-astra", "no-such-model", "", "x" * 10_000])
def test_unknown_is_none(model: str) -> None:
    assert price_of(model) is None


def test_only_known_models_have_prices() -> None:
    priced = {key(rule.name) for rule in models() if price_of(rule) is not None}
    assert priced < {key(rule.name) for rule in models()}


def test_the_users_prices_win(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        '[models."GPT 5.5"]\nusd_per_million = 4\nread = 2026-11-21\n'
        '[models."my-own-model"]\nusd_per_million = 0.0\n'
        '[models."pixtral"]\nusd_per_million = 9.5\nsource = "contract"\n',
        encoding="utf-8",
    )
    table = load_prices(path)
    assert price_of("openai/gpt-5.5", table) == Price(4.0, read="2026-11-21")
    assert price_of("my-own-model", table) == Price(0.0)
    assert price_of(resolve("pixtral"), table) == price_of("pixtral-12b", table) == Price(9.5, source="contract")
    assert price_of("gpt-4o", table) == price_of("gpt-4o")
    assert price_of("gpt-5.5") != price_of("gpt-5.5", table)
    assert price_of("gpt-5.5", {}) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"has no prices: write them as \[models"),
        ("models = 3", "has no prices"),
        ("models = [", "is not TOML"),
        ("x = " + "[" * 10_000, "is not TOML"),
        ("[models.gpt-4o]\n", "give usd_per_million"),
        ("[models]\ngpt-4o = 2.5\n", "model 'gpt-4o': give usd_per_million"),
        ('[models."gpt-4o"]\nusd_per_million = 1.0\nprice = 2\n', "give usd_per_million, and no more"),
        ('[models."gpt-4o"]\nusd_per_million = -1.0\n', "usd_per_million is -1.0"),
        ('[models."gpt-4o"]\nusd_per_million = nan\n', "usd_per_million is nan"),
        ('[models."gpt-4o"]\nusd_per_million = inf\n', "usd_per_million is inf"),
        ('[models."gpt-4o"]\nusd_per_million = true\n', "usd_per_million is True"),
        ('[models."gpt-4o"]\nusd_per_million = "2"\n', "usd_per_million is '2'"),
        ('[models."gpt-4o"]\nusd_per_million = 2\nnote = 3\n', "note is 3"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_prices(path)
    assert "prices.toml" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_prices(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_prices(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not TOML"):
        load_prices(binary)
