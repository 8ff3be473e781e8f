"""rewrite(): a request with smaller images, and nothing else of it changed.

It is a function of its arguments alone: the same image becomes the same bytes in every turn of a conversation, so that
what providers have cached of earlier turns stays valid. Whatever goes wrong with an image, the original goes through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeVar

from pixtrim.errors import UsageError
from pixtrim.gateway.edits import Edit, Path, Plain, applied, spliced
from pixtrim.gateway.formats import Place, WireFormat, format_named
from pixtrim.gateway.pictures import Job, Outcome, encoded, reduced
from pixtrim.gateway.screens import Screen, plan
from pixtrim.gateway.settings import Settings
from pixtrim.tokens import Rule, resolve

__all__ = ["ImageReport", "RewriteReport", "Rewritten", "rewrite"]

Body = TypeVar("Body", bytes, dict[str, Any])
Reduce = Callable[[Sequence[Job]], Iterable[Outcome]]

REPEATED_SHARE: Final = 0.25
"""What is left of the tokens of a repeated image that is shrunk."""

NOTE_TOKENS: Final = 16
"""What the line costs, about, that stands in place of a repeated image; cheaper images stay."""

DEFAULTS: Final = Settings()


@dataclass(frozen=True)
class ImageReport:
    """What became of one image.

    Attributes
    ----------
    path : tuple of str or int
        Of its block in the body.
    outcome : Outcome
        What was done, or why nothing was.
    repeats : tuple of str or int or None
        The path of the earlier image that this one repeats.
    """

    path: Path
    outcome: Outcome
    repeats: Path | None = None


@dataclass(frozen=True)
class RewriteReport:
    """What became of a request.

    Attributes
    ----------
    wire_format : str
        As it was given.
    model : str or None
        As the request has it.
    rule : str or None
        The rule by which tokens were counted; None where none is known.
    images : tuple of ImageReport
        In the order in which the model sees them.
    note : str or None
        Why nothing could be looked at, if so.
    screen : Screen or None
        The screen that the model sees smaller; if there is one, the answer must go through
        `pixtrim.gateway.screens.response_mapper`.
    """

    wire_format: str
    model: str | None = None
    rule: str | None = None
    images: tuple[ImageReport, ...] = ()
    note: str | None = None
    screen: Screen | None = None

    @property
    def tokens(self) -> tuple[int, int]:
        """Estimated tokens of the images that could be read, before and after."""
        known = [image.outcome.tokens for image in self.images if image.outcome.tokens]
        return sum(before for before, _ in known), sum(after for _, after in known)

    @property
    def changed(self) -> int:
        """How many images are others now."""
        return sum(image.outcome.reason in ("changed", "repeated") for image in self.images)


class Rewritten(NamedTuple):
    """A body of the kind that was given, the very same where nothing changed, and what became of it."""

    body: Any
    report: RewriteReport


def rewrite(
    body: Body,
    wire_format: str,
    settings: Settings = DEFAULTS,
    *,
    model: str | None = None,
    fetched: Mapping[str, bytes] | None = None,
    reduce: Reduce | None = None,
) -> Rewritten:
    """Make the images of a request smaller.

    Parameters
    ----------
    body : bytes or dict
        The request as it is sent, in JSON, or parsed. Bytes outside image blocks stay as they are; a dict is not
        changed, and what is not an image is shared with the one that is returned.
    wire_format : str
        One of `pixtrim.gateway.formats.FORMATS`.
    settings : pixtrim.gateway.Settings
        What is done.
    model : str, optional
        Its name, where the body does not have it.
    fetched : mapping of str to bytes, optional
        The files behind URLs; images whose URLs are not in it stay URLs.
    reduce : callable, optional
        What does the work for all images at once, in the order given: a cache, or several threads.

    Returns
    -------
    body : bytes or dict
    report : RewriteReport

    Raises
    ------
    UsageError
        If there is no such wire format; nothing else.

    Examples
    --------
    >>> body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "no image"}]}
    >>> rewrite(body, "openai-chat").body is body
    True
    """
    found = format_named(wire_format)
    try:
        text = body.decode() if isinstance(body, bytes) else None
        parsed = json.loads(text) if text is not None else body
        if not isinstance(parsed, Mapping):
            raise ValueError("not an object")
    except (ValueError, RecursionError):
        return Rewritten(body, RewriteReport(wire_format, model, note="the body is not a JSON object"))
    named = found.model(parsed) or model
    places = list(found.places(parsed))
    report = RewriteReport(wire_format, named)
    if not places and (settings.computer_use == "keep" or not found.points(parsed)):
        return Rewritten(body, report)
    try:
        rule = resolve(settings.model or named or "")
    except UsageError as error:
        return Rewritten(body, replace(report, images=_kept(places, "no token rule"), note=str(error)))
    report = replace(report, rule=rule.name)
    if found.points(parsed):
        report, edits = _on_screen(parsed, places, rule, settings, fetched or {}, reduce or _one_by_one, report)
    else:
        images, edits = _reduced(parsed, found, places, rule, settings, fetched or {}, reduce or _one_by_one)
        report = replace(report, images=tuple(images))
    if not edits:
        return Rewritten(body, report)
    try:
        return Rewritten(spliced(text, edits).encode() if text is not None else applied(body, edits), report)
    except RecursionError:
        kept = _kept(places, "the body is nested too deeply")
        return Rewritten(body, replace(report, images=kept, note="the body is nested too deeply", screen=None))


def _one_by_one(jobs: Sequence[Job]) -> Iterator[Outcome]:
    return map(reduced, jobs)


def _kept(places: Iterable[Place], reason: str) -> tuple[ImageReport, ...]:
    return tuple(ImageReport(place.path, Outcome(None, None, reason)) for place in places)


def _on_screen(
    body: Mapping[str, Any],
    places: Sequence[Place],
    rule: Rule,
    settings: Settings,
    fetched: Mapping[str, bytes],
    reduce: Reduce,
    report: RewriteReport,
) -> tuple[RewriteReport, list[Edit]]:
    """Make the screen smaller on which a tool points at places, or leave all as it is."""
    kept = replace(report, images=_kept(places, "a tool points at places of the screen"))
    texts = [_text(place, fetched) for place in places]
    found = plan(body, report.wire_format, places, texts, rule, settings) if settings.computer_use == "map" else None
    if found is None:
        return kept, []
    jobs = {
        number: Job(text, rule, _detail(places[number], rule), settings, scaled=found.screen.reduced)
        for number, text in enumerate(texts)
        if text is not None and number in found.scaled
    }
    outcomes = _done(jobs, reduce)
    sizes = {(*found.screen.display, *found.screen.reduced), *(outcome.size for outcome in outcomes.values())}
    if len(sizes) > 1:  # some image is not what its header says, or was not to be read
        return kept, []
    images, edits = [], list(found.edits)
    for number, place in enumerate(places):
        outcome = outcomes.get(number) or Outcome(None, None, "not a screenshot of the whole screen")
        if outcome.data is not None and outcome.media_type is not None:
            edits += place.embed(Plain(encoded(outcome.data, place.text or "")), outcome.media_type)
        images.append(ImageReport(place.path, outcome))
    return replace(report, images=tuple(images), screen=found.screen), edits


def _done(jobs: Mapping[int, Job], reduce: Reduce) -> dict[int, Outcome]:
    """Do jobs, those that are alike once."""
    each_once = list(dict.fromkeys(jobs.values()))
    done = dict(zip(each_once, reduce(each_once), strict=True))
    return {number: done[job] for number, job in jobs.items()}


def _detail(place: Place, rule: Rule) -> str | None:
    """Return a level of detail that the rule knows.

    Another one is taken as the model's default: a provider that does not know it either takes that or refuses the
    request, and the image is not to suffer for it.
    """
    return place.detail if place.detail in rule.details else None


def _reduced(
    body: Mapping[str, Any],
    wire_format: WireFormat,
    places: Sequence[Place],
    rule: Rule,
    settings: Settings,
    fetched: Mapping[str, bytes],
    reduce: Reduce,
) -> tuple[list[ImageReport], list[Edit]]:
    """Decide what is done to each image by itself and those before it, and do it."""
    details = [_detail(place, rule) for place in places]
    texts = [_text(place, fetched) for place in places]
    earlier = _repeats(list(zip(texts, details, strict=True)))
    jobs = {
        number: Job(text, rule, details[number], _settings_for(settings, earlier[number]), len(places))
        for number, text in enumerate(texts)
        if text is not None
    }
    done = _done(jobs, reduce)
    images: list[ImageReport] = []
    edits: list[Edit] = []
    seen: list[int] = []  # of the first images up to each one, how many are there for the model to see
    for number, place in enumerate(places):
        first = earlier[number]
        outcome = done[number] if number in done else Outcome(None, None, _absent(place))
        if first is not None and settings.repeats == "shrink":
            outcome = _cheaper(outcome, done[first])
        line = ""
        if first is not None and settings.repeats == "note" and place.notable:
            line = f"[This image is the same as image {seen[first]} of this conversation.]"
        if line and outcome.tokens and outcome.tokens[0] > NOTE_TOKENS:
            edits.append(Edit(place.path, wire_format.note(line, _at(body, place.path))))
            outcome = Outcome(
                None, None, "repeated", "none", (outcome.tokens[0], NOTE_TOKENS), None, (outcome.bytes[0], len(line))
            )
        elif outcome.data is not None and outcome.media_type is not None:
            edits += place.embed(Plain(encoded(outcome.data, place.text or "")), outcome.media_type)
        seen.append((seen[-1] if seen else 0) + (outcome.reason != "repeated"))
        images.append(ImageReport(place.path, outcome, None if first is None else places[first].path))
    return images, edits


def _text(place: Place, fetched: Mapping[str, bytes]) -> str | None:
    if place.fixed:
        return None
    if place.url is not None and place.url in fetched:
        return encoded(fetched[place.url], "")
    return place.text


def _absent(place: Place) -> str:
    return "the request wants it as it is" if place.fixed else "not in the request itself"


def _repeats(images: Sequence[tuple[str | None, str | None]]) -> list[int | None]:
    """Return for each image, with its level of detail, the first one that is the same; only earlier ones decide."""
    first: dict[tuple[str | None, str | None], int] = {}
    found: list[int | None] = []
    for number, image in enumerate(images):
        place = number if image[0] is None else first.setdefault(image, number)
        found.append(None if place == number else place)
    return found


def _settings_for(settings: Settings, first: int | None) -> Settings:
    if first is None or settings.repeats != "shrink":
        return settings
    return replace(settings, budget=REPEATED_SHARE, minimum_saving=0.0)


def _cheaper(outcome: Outcome, first: Outcome) -> Outcome:
    """Return what the first image became, where a quarter of its tokens is not to be had, or is more."""
    if outcome.data is None or outcome.tokens is None:
        return first
    return first if first.data and first.tokens and first.tokens[1] <= outcome.tokens[1] else outcome


def _at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body
