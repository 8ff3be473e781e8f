"""What the hooks in other people's programs share: rewrite() with settings, a memory, and somebody who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from pixtrim.errors import UsageError
from pixtrim.gateway.cache import Cache
from pixtrim.gateway.formats.places import as_data_url
from pixtrim.gateway.pictures import Job, Outcome, reduced
from pixtrim.gateway.rewrite import RewriteReport, Rewritten, rewrite
from pixtrim.gateway.settings import Settings

__all__ = ["DEFAULTS", "Hook", "Loose", "OnReport"]

Body = TypeVar("Body", bytes, dict[str, Any])
OnReport = Callable[[RewriteReport], object]
"""Is told what became of each request whose format is known; what it raises, it raises in the caller's program."""

DEFAULTS: Final = Settings()
MEMORY: Final = 128 * 2**20
"""Bytes of outcomes that are kept: an agent sends the screenshots of its last turns again and again."""


class Loose(NamedTuple):
    """An image by itself: base64, its media type, and the level of detail that is asked for it."""

    text: str
    media_type: str
    detail: str | None = None


class Hook:
    """Makes the images of requests smaller before they are sent; any thread may use it.

    Parameters
    ----------
    settings : Settings
        What is done.
    on_report : callable, optional
        Is told what became of each request.

    Raises
    ------
    UsageError
        If clicks are to be mapped: they are in responses, which a hook does not see.

    Examples
    --------
    >>> hook = Hook(on_report=lambda report: print(report.model, report.changed))
    >>> hook(b'{"model": "gpt-5.5", "messages": []}', "openai-chat")
    gpt-5.5 0
    b'{"model": "gpt-5.5", "messages": []}'
    """

    def __init__(self, settings: Settings = DEFAULTS, on_report: OnReport | None = None) -> None:
        if not isinstance(settings, Settings):
            raise UsageError(f"settings are {settings!r}: give pixtrim.gateway.Settings(...)")
        if settings.computer_use == "map":
            raise UsageError(
                "computer_use is 'map': clicks come back in responses, which a hook in the program does not see: "
                "choose 'keep', or send the requests through 'pixtrim gateway'"
            )
        self.settings, self._on_report = settings, on_report
        self._kept = Cache(MEMORY)

    def __call__(self, body: Body, wire_format: str, *, model: str | None = None) -> Body:
        """Return the body with smaller images; the very same where nothing is to be changed, or something goes wrong.

        Parameters
        ----------
        body : bytes or dict
            As for `pixtrim.gateway.rewrite`.
        wire_format : str
            One of `pixtrim.gateway.formats.FORMATS`.
        model : str, optional
            Its name, where the body does not have it.
        """
        try:
            done = rewrite(body, wire_format, self.settings, model=model, reduce=self._reduce)
        except Exception as error:  # a request is worth more than its images
            note = f"a fault of pixtrim: {type(error).__name__}: {error}"
            done = Rewritten(body, RewriteReport(wire_format, model, note=note))
        if self._on_report is not None:
            self._on_report(done.report)
        smaller: Body = done.body
        return smaller

    def images(
        self, images: Sequence[Loose], model: str | None, tools: Sequence[Any] = ()
    ) -> list[tuple[str, str] | str | None]:
        """Make images smaller that are in a request of a form which `rewrite` does not know.

        Parameters
        ----------
        images : sequence of Loose
            All of the request, in the order in which the model sees them.
        model : str or None
            Its name.
        tools : sequence
            Those of the request: where one points at places, images stay as they are.

        Returns
        -------
        list of (str, str), str or None
            For each image, media type and base64 of the smaller one, or the text that stands in its place, or None
            where it stays.

        Examples
        --------
        >>> Hook().images([Loose("iVBO", "image/png")], "gpt-5.5")
        [None]
        """
        urls = [{"url": as_data_url(image.text, image.media_type)} for image in images]
        details = [{"detail": image.detail} if image.detail else {} for image in images]
        blocks: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": url | detail} for url, detail in zip(urls, details, strict=True)
        ]
        body: dict[str, Any] = {"messages": [{"role": "user", "content": blocks}], "tools": list(tools)}
        found = self(body, "openai-chat", model=model)["messages"][0]["content"]
        return [None if new is old else _loose(new) for old, new in zip(blocks, found, strict=True)]

    def _reduce(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        for job in jobs:
            key = job.key
            outcome = self._kept.get(key)
            if outcome is None:
                outcome = reduced(job)
                self._kept.put(key, outcome)
            yield outcome


def _loose(block: dict[str, Any]) -> tuple[str, str] | str:
    if block["type"] == "text":
        return str(block["text"])
    head, _, text = block["image_url"]["url"].partition(",")
    return head.removeprefix("data:").removesuffix(";base64"), text
