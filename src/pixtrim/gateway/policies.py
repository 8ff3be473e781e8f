"""What is done with which requests: one TOML file, checked as a whole before the first request comes.

::

    [defaults]                      # fields of Settings
    budget = "fit"

    [[rule]]                        # the first one that matches a request holds, on top of the defaults
    route = "anthropic"             # the name of the upstream; * and ? stand for anything
    model = "claude-*"
    budget = "50%"                  # or off = true: nothing is done

    [headers]
    allow = ["off"]                 # what a request may ask for itself: off, budget, operator; default: all of them
    report = true                   # whether responses say what was done

    [fetch]                         # images that are URLs; without this, they stay URLs
    hosts = ["*.example.com"]
    schemes = ["https"]

    [limits]
    body = "64MiB"

    [keys]                          # labels for logs, metrics and the ledger, by the SHA-256 of a key
    team-a = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from ipaddress import ip_network
from os import PathLike
from typing import Any, Final, get_origin, get_type_hints

from pixtrim.errors import UsageError
from pixtrim.gateway.settings import Settings

__all__ = ["Fetch", "Limits", "Policy", "Rule", "load_policy", "parse_bytes", "shown"]

ASKABLE: Final = ("off", "budget", "operator")
"""What the headers x-pixtrim, x-pixtrim-budget and x-pixtrim-operator may ask for."""

COUNT_AS: Final = "count_as"


@dataclass(frozen=True)
class Limits:
    """What a request may cost; sizes in bytes.

    Attributes
    ----------
    body : int
        The largest request that is held to look for images. A larger one of a format that can hold them is refused.
    bodies : int
        Of all requests that are held at the same time; beyond it, the next ones are asked to come back.
    images : int
        Of one request; with more of them it goes through untouched.
    image_seconds : float
        How long a request waits for its images to be made smaller; after that it goes through untouched.
    workers : int
        Images worked on at once; 0 for one per processor.
    waiting : int
        Requests whose images wait or are worked on; with more of them, the next one goes through untouched.
    connections : int
        To all upstreams.
    connect_seconds, read_seconds : float
        How long an upstream may take to accept a connection, and to send anything at all.
    client_seconds : float
        How long a client may take to send anything at all of its request, and to take anything of the response.
    grace_seconds : int
        How long responses may go on after the gateway was told to end.
    """

    body: int = 64 * 2**20
    bodies: int = 2**30
    images: int = 200
    image_seconds: float = 20.0
    workers: int = 0
    waiting: int = 64
    connections: int = 1000
    connect_seconds: float = 10.0
    read_seconds: float = 600.0
    client_seconds: float = 300.0
    grace_seconds: int = 30


@dataclass(frozen=True)
class Fetch:
    """Which images that are URLs are fetched, to be made smaller and sent along.

    Attributes
    ----------
    hosts : tuple of str
        Patterns; none by default. A host at another port than the scheme's own is written with it.
    networks : tuple of str
        Networks that may be connected to although they are not public, as ``"10.0.0.0/8"``.
    schemes : tuple of str
        ``"https"``, ``"http"`` or both.
    seconds : float
        For one image, redirects and all.
    bytes : int
        The largest file.
    images : int
        Of one request; further ones stay URLs.
    redirects : int
        The most that are followed; each is checked as the first address was.
    """

    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ("https",)
    seconds: float = 10.0
    bytes: int = 20 * 2**20
    images: int = 20
    redirects: int = 3


@dataclass(frozen=True)
class Rule:
    """Settings for some requests.

    Attributes
    ----------
    route, model : str
        Patterns of the upstream's name and of the model's.
    settings : Settings or None
        None where nothing is to be done.
    """

    route: str
    model: str
    settings: Settings | None


@dataclass(frozen=True)
class Policy:
    """All that the file says; the defaults are those of an empty one.

    Attributes
    ----------
    defaults : Settings
        Where no rule matches.
    rules : tuple of Rule
    askable : frozenset of str
        What a request's headers may ask for.
    reports : bool
        Whether responses get a header that says what was done.
    fetch : Fetch
    limits : Limits
    keys : mapping of str to str
        Labels by the SHA-256 of keys, in hexadecimal digits.
    """

    defaults: Settings = field(default_factory=Settings)
    rules: tuple[Rule, ...] = ()
    askable: frozenset[str] = frozenset(ASKABLE)
    reports: bool = True
    fetch: Fetch = field(default_factory=Fetch)
    limits: Limits = field(default_factory=Limits)
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_model(self) -> bool:
        """Whether the model has to be known to find the settings."""
        return any(rule.model != "*" for rule in self.rules)

    def settings(self, route: str, model: str | None) -> Settings | None:
        """Return the settings for a request; None where nothing is to be done.

        Examples
        --------
        >>> policy = Policy(rules=(Rule("*", "claude-*", None),))
        >>> policy.settings("anthropic", "claude-opus-4-7"), policy.settings("openai", "gpt-5.5") == Settings()
        (None, True)
        """
        for rule in self.rules:
            if fnmatchcase(route, rule.route) and fnmatchcase(model or "", rule.model):
                return rule.settings
        return self.defaults

    def asked(self, settings: Settings | None, headers: Mapping[str, str]) -> Settings | None:
        """Return the settings that hold after a request's own headers.

        Raises
        ------
        UsageError
            If they ask for what the policy does not allow, or for what there is not.

        Examples
        --------
        >>> Policy().asked(Settings(), {"x-pixtrim-budget": "50%"}).budget
        '50%'
        """
        changes: dict[str, Any] = {}
        for name, value in headers.items():
            what = "off" if name == "x-pixtrim" else name.removeprefix("x-pixtrim-")
            if what not in ASKABLE:
                raise UsageError(
                    f"header {name} is not known: there are x-pixtrim: off, x-pixtrim-budget and x-pixtrim-operator"
                )
            if what not in self.askable:
                raise UsageError(f"header {name} is {value!r}, which the gateway's policy does not allow: leave it out")
            if what == "off" and value != "off":
                raise UsageError(f"header x-pixtrim is {value!r}: it can be 'off', or be left out")
            if what == "off":
                return None
            changes[what] = value
        return replace(settings, **changes) if settings is not None and changes else settings


def parse_bytes(text: str) -> int:
    """Read a size.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> parse_bytes("256MB"), parse_bytes("64 MiB"), parse_bytes("1000")
    (256000000, 67108864, 1000)
    """
    match = re.fullmatch(r"([0-9]{1,15}) ?(?:([kKMGT])(i?)B?|B)?", text)
    if match is None:
        raise UsageError(f"size {text[:40]!r} is not understood: give a number of bytes, as 256MB or 64MiB")
    base = 1024 if match[3] else 1000
    power = " KMGT".index(match[2].upper()) if match[2] else 0
    return int(match[1]) * int(base**power)


# --- the file --------------------------------------------------------------------------------------------------------


def load_policy(path: str | PathLike[str]) -> Policy:
    """Read a policy.

    Raises
    ------
    UsageError
        If the file cannot be read, or says what cannot be: the message names the file, the key, the value and what
        would be right.
    """
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"policy {path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"policy {path} is not TOML: {error}") from None
    try:
        return _policy(found)
    except UsageError as error:
        raise UsageError(f"policy {path}: {error}") from None


def _policy(found: Mapping[str, Any]) -> Policy:
    _known(found, ("defaults", "rule", "headers", "fetch", "limits", "keys"), "section")
    defaults = _settings(Settings(), _table(found, "defaults"), "[defaults]")
    rules = found.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise UsageError("rule is no list of tables: write [[rule]]")
    headers = _table(found, "headers")
    _known(headers, ("allow", "report"), "key of [headers]")
    allow, reports = _read(headers, "allow", list(ASKABLE), "[headers]"), _read(headers, "report", True, "[headers]")
    for name in allow:
        if name not in ASKABLE:
            raise UsageError(f"[headers]: allow has {name!r}: choose among {', '.join(ASKABLE)}")
    fetch = _filled(Fetch(), _table(found, "fetch"), "[fetch]")
    for scheme in fetch.schemes:
        if scheme not in ("http", "https"):
            raise UsageError(f"[fetch]: schemes has {scheme!r}: choose among http, https")
    for network in fetch.networks:
        try:
            ip_network(network)
        except ValueError:
            raise UsageError(f"[fetch]: networks has {network!r}: give a network, as 10.0.0.0/8") from None
    return Policy(
        defaults,
        tuple(_rule(rule, defaults, f"[[rule]] {number}") for number, rule in enumerate(rules, 1)),
        frozenset(allow),
        reports,
        fetch,
        _filled(Limits(), _table(found, "limits"), "[limits]"),
        _labels(_table(found, "keys")),
    )


def _rule(found: Mapping[str, Any], defaults: Settings, where: str) -> Rule:
    rest = dict(found)
    route, model = (_read(rest, name, "*", where) for name in ("route", "model"))
    off = _read(rest, "off", False, where)
    for name in ("route", "off", "model"):
        rest.pop(name, None)
    settings = _settings(defaults, rest, where, also=("route", "model", "off"))
    return Rule(route, model, None if off else settings)


def _settings(base: Settings, found: Mapping[str, Any], where: str, also: tuple[str, ...] = ()) -> Settings:
    """Return settings with the values of a table; `Settings` looks at them itself.

    Its field `model` is called count_as here, for in a rule, model is the pattern that requests are held against.
    """
    names = tuple(COUNT_AS if item.name == "model" else item.name for item in fields(Settings))
    _known(found, (*also, *names), f"key of {where}")
    changes = {"model" if name == COUNT_AS else name: value for name, value in found.items()}
    try:
        return replace(base, **changes)
    except (UsageError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from None


def _filled(base: Any, found: Mapping[str, Any], where: str) -> Any:
    """Return a dataclass with the values of a table, each of the type of its default."""
    _known(found, tuple(item.name for item in fields(base)), f"key of {where}")
    hints = get_type_hints(type(base))
    return replace(base, **{key: _typed(key, value, hints[key], where) for key, value in found.items()})


def _typed(name: str, value: Any, hint: Any, where: str) -> Any:
    if hint is int and isinstance(value, str) and name in ("body", "bodies", "bytes"):
        try:
            return parse_bytes(value)
        except UsageError as error:
            raise UsageError(f"{where}: {name}: {error}") from None
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f'{where}: {name} is {value!r}: give a list of texts, as ["..."]')
        return tuple(value)
    whole = hint is int
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not 0 <= value < 1e15:
        raise UsageError(f"{where}: {name} is {value!r}: give a {'whole ' if whole else ''}number from 0")
    least = 0 if name in ("workers", "waiting", "images", "redirects", "grace_seconds") else 1 if whole else 0.001
    if value < least:
        raise UsageError(f"{where}: {name} is {value!r}: give at least {least}")
    return value


def _known(found: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    for name in found:
        if name not in names:
            raise UsageError(f"{name!r} is no {what}: choose among {', '.join(names)}")


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{name} is {table!r}: write it as a table, [{name}]")
    return table


def _read(found: Mapping[str, Any], name: str, default: Any, where: str) -> Any:
    value = found.get(name, default)
    if type(value) is not type(default):
        kind = {str: "a text", bool: "true or false", list: "a list of texts"}[type(default)]
        raise UsageError(f"{where}: {name} is {value!r}: give {kind}")
    return value


def _labels(found: Mapping[str, Any]) -> dict[str, str]:
    labels = {}
    for label, digest in found.items():
        if not isinstance(digest, str) or re.fullmatch(r"[0-9a-f]{64}", digest) is None:
            raise UsageError(
                f"[keys]: {label} is not a SHA-256: give the 64 hexadecimal digits of "
                "printf %s KEY | sha256sum, never the key itself"
            )
        labels[digest] = label
    return labels


def shown(policy: Policy) -> str:
    """Return what holds under a policy, as text to read."""
    parts = ["[defaults]", *_lines(policy.defaults)]
    for rule in policy.rules:
        parts += ["", "[[rule]]", f"route = {rule.route!r}", f"model = {rule.model!r}"]
        parts += ["off = True"] if rule.settings is None else _lines(rule.settings, policy.defaults)
    allow = [name for name in ASKABLE if name in policy.askable]
    parts += ["", "[headers]", f"allow = {allow}", f"report = {policy.reports}"]
    parts += ["", "[fetch]", *_lines(policy.fetch), "", "[limits]", *_lines(policy.limits)]
    parts += ["", "[keys]", *(f"{label} = {digest[:8]}..." for digest, label in policy.keys.items())]
    return "\n".join(parts)


def _lines(value: Any, beside: Any = None) -> list[str]:
    pairs = [(item.name, getattr(value, item.name)) for item in fields(value)]
    return [
        f"{COUNT_AS if name == 'model' else name} = {held!r}"
        for name, held in pairs
        if beside is None or held != getattr(beside, name)
    ]
