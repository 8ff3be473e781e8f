"""Questions about pictures to a model behind an endpoint that speaks OpenAI's protocol (chat completions).

That is what the providers' own servers, vLLM, SGLang, llama.cpp and Ollama offer. Every answer is kept by the content
of the question: the picture's pixels, the words, the model and how it is asked.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import PixtrimError, UsageError, require
from pixtrim.evaluation.cache import Cache, key_of

__all__ = ["INSTRUCTION", "Asker", "Endpoint", "EndpointError", "asker_of", "read_key"]

INSTRUCTION: Final = "Answer the question using a single word or phrase."
"""What follows each question; grades are meant for short answers."""

PATH: Final = "/chat/completions"

ATTEMPTS: Final = 5

SLOW_ATTEMPTS: Final = 2
"""Attempts where each takes the whole time limit."""

DEAF_ATTEMPTS: Final = 3
"""Attempts where nobody takes the call."""

FIRST_PAUSE: Final = 0.5
"""Seconds before the second attempt; each later one waits twice as long."""

LONGEST_PAUSE: Final = 60.0

PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""States that are worth another attempt."""

LASTING: Final = frozenset({401, 403, 404, 405})
"""States that every later question would meet as well."""


class EndpointError(PixtrimError):
    """The model could not be asked, or did not answer."""


@dataclass(frozen=True)
class Endpoint:
    """A model to ask, and how.

    Parameters
    ----------
    url : str
        The base address, to which ``/chat/completions`` is added: ``"http://localhost:8000/v1"``.
    model : str
        The model's name there.
    key : str
        Sent as a bearer token; none by default. It is never shown or kept.
    timeout : float
        Seconds to wait for an answer, above 0.
    concurrency : int
        How many questions about one picture are asked at a time, 1 to 64. Several pictures are asked about at a time
        by several workers.
    max_tokens : int
        The most tokens of an answer, thoughts included.
    detail : str
        OpenAI's level of detail for the picture; by default none is asked for.
    cache : Path or None
        The folder in which answers are kept from run to run; in one process, they are kept anyway.

    Raises
    ------
    UsageError
        If an argument is out of its range.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout: float = 120.0
    concurrency: int = 4
    max_tokens: int = 1024
    detail: str = ""
    cache: Path | None = None

    def __post_init__(self) -> None:
        parts = _split(self.url)
        if parts is None or parts.username or parts.password:
            shown = "one with a password" if parts is not None else repr(self.url)
            raise UsageError(f"the endpoint is {shown}: give http(s)://HOST/v1, and a key by --api-key-file")
        if not self.model or not self.model.isprintable():
            raise UsageError(f"the endpoint's model is {self.model!r}: give the name that the endpoint knows it by")
        if not (0 < self.timeout <= 3600):
            raise UsageError(f"the time limit is {self.timeout!r}: give seconds, above 0 and up to 3600")
        if not 1 <= self.concurrency <= 64:
            raise UsageError(f"the concurrency is {self.concurrency!r}: give a number from 1 to 64")
        if not 1 <= self.max_tokens <= 1_000_000:
            raise UsageError(f"max_tokens is {self.max_tokens!r}: give a number from 1 to 1000000")

    @property
    def target(self) -> str:
        """Where questions are sent."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        return urlunsplit(parts._replace(path=path, fragment=""))

    @property
    def identity(self) -> str:
        """What answers depend on besides picture and question; without the key."""
        how = key_of(INSTRUCTION, str(self.max_tokens), self.detail)[:8]
        return f"{self.model} at {self.target.removesuffix(PATH)} ({how})"


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except (ValueError, AttributeError):
        return None
    return parts if usable and url.isprintable() and " " not in url else None


def read_key(path: str | Path) -> str:
    """Read an API key from a file that holds nothing else.

    Raises
    ------
    UsageError
        If the file cannot be read, or does not hold one word. The message does not repeat what it holds.
    """
    try:
        key = Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise UsageError(f"the key file {path} cannot be read ({why}): give a file that holds the key alone") from None
    if not key or not key.isprintable() or " " in key:
        raise UsageError(f"the key file {path} does not hold one word: give a file that holds the key alone")
    return key


class Asker:
    """Asks an endpoint, and keeps what it answered. Several questions are asked at the same time, in threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._known: dict[str, str] = {}
        self._without: set[str] = set()  # parameters that the model does not take
        self._broken: EndpointError | None = None

    def answers(self, pixels: NDArray[np.uint8], questions: Sequence[str]) -> list[str]:
        """Ask about a picture.

        Parameters
        ----------
        pixels : ndarray
            uint8 (H, W, 3), RGB; sent as PNG.
        questions : sequence of str
            Each is asked by itself.

        Returns
        -------
        list of str
            An answer to each question; an empty one where the model had nothing to say.

        Raises
        ------
        EndpointError
            If the endpoint cannot be reached, refuses, or answers in another form. Once it is clear that no other
            question would fare better, all fail at once.
        """
        pixels = np.ascontiguousarray(pixels)
        picture = hashlib.sha256(repr(pixels.shape).encode("ascii") + pixels.tobytes()).hexdigest()
        keys = [key_of("answer", self.endpoint.identity, picture, question) for question in questions]
        with closing(Cache(self.endpoint.cache)) as cache:
            for key in keys:
                if key not in self._known and (kept := cache.get(key)) is not None:
                    self._known[key] = kept[0]
            unknown = {key: text for key, text in zip(keys, questions, strict=True) if key not in self._known}
            failure = None
            for key, future in self._asked(pixels, unknown).items():
                try:
                    self._known[key] = future.result()
                    cache.put(key, [self._known[key]])
                except EndpointError as error:  # the other answers are paid for, and kept
                    failure = failure or error
        if failure is not None:
            raise failure
        return [self._known[key] for key in keys]

    def _asked(self, pixels: NDArray[np.uint8], questions: Mapping[str, str]) -> dict[str, Future[str]]:
        """Ask questions about a picture, and wait until all are done."""
        if not questions:
            return {}
        httpx2 = require("httpx2", "evaluate", "asking a model")
        address = _data_url(pixels)
        headers = {"Authorization": f"Bearer {self.endpoint.key}"} if self.endpoint.key else {}
        limit = httpx2.Timeout(self.endpoint.timeout, connect=min(10.0, self.endpoint.timeout))
        threads = min(self.endpoint.concurrency, len(questions))
        with httpx2.Client(headers=headers, timeout=limit) as client, ThreadPoolExecutor(threads) as pool:
            return {key: pool.submit(self._ask, client, address, text) for key, text in questions.items()}

    def _ask(self, client: Any, address: str, question: str) -> str:
        """Ask one question, several times if need be."""
        httpx2 = require("httpx2", "evaluate", "asking a model")
        for attempt in range(1, ATTEMPTS + 1):
            if self._broken is not None:
                raise self._broken
            pause = FIRST_PAUSE * 2 ** (attempt - 1)
            body = self._body(address, question)
            try:
                response = client.post(self.endpoint.target, json=body)
            except httpx2.HTTPError as error:
                failure = self._unreached(error, attempt)
                deaf = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
                slow = isinstance(error, httpx2.TimeoutException)
                last = DEAF_ATTEMPTS if deaf else SLOW_ATTEMPTS if slow else ATTEMPTS
                if deaf and attempt == last:
                    self._broken = failure
            else:
                if response.status_code == 200:
                    return self._read(response)
                if response.status_code == 400 and self._learn(body, response.text):
                    continue  # the same question, in the model's own dialect
                failure = self._refused(response)
                if response.status_code in LASTING:
                    self._broken = failure
                last = ATTEMPTS if response.status_code in PASSING else attempt
                pause = _retry_after(response.headers.get("Retry-After"), pause)
            if attempt >= last:
                raise failure
            time.sleep(min(pause, LONGEST_PAUSE))
        raise EndpointError(f"{self.endpoint.target} takes none of the parameters that it was asked with")

    def _body(self, address: str, question: str) -> dict[str, Any]:
        picture = {"url": address, **({"detail": self.endpoint.detail} if self.endpoint.detail else {})}
        content = [
            {"type": "image_url", "image_url": picture},
            {"type": "text", "text": f"{question}\n{INSTRUCTION}"},
        ]
        body: dict[str, Any] = {"model": self.endpoint.model, "messages": [{"role": "user", "content": content}]}
        if "temperature" not in self._without:
            body["temperature"] = 0
        limit = "max_completion_tokens" if "max_tokens" in self._without else "max_tokens"
        body[limit] = self.endpoint.max_tokens
        return body

    def _learn(self, body: Mapping[str, Any], complaint: str) -> bool:
        """Note which parameter a model complains about: some reasoning models take no temperature or max_tokens."""
        for name in ("max_tokens", "temperature"):
            if name in body and name in complaint:
                self._without.add(name)
                return True
        return False

    def _unreached(self, error: Exception, attempt: int) -> EndpointError:
        what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
        remedy = "is the server running, and the address right?"
        if "Timeout" in type(error).__name__:
            remedy = f"the limit is {self.endpoint.timeout:g} seconds for an answer"
        return EndpointError(f"{self.endpoint.target} did not answer in {attempt} attempts ({what}): {remedy}")

    def _refused(self, response: Any) -> EndpointError:
        said = _complaint(response)
        if self.endpoint.key:
            said = said.replace(self.endpoint.key, "...")  # some servers repeat it
        remedy = {
            401: "check --api-key-file",
            403: "check --api-key-file",
            404: "check --endpoint and --endpoint-model",
        }
        advice = remedy.get(response.status_code, "see the server's log")
        return EndpointError(f"{self.endpoint.target} refused ({response.status_code} {said[:200]}): {advice}")

    def _read(self, response: Any) -> str:
        """Return the words of an answer; thoughts that some servers leave in it are cut off."""
        try:
            content = response.json()["choices"][0]["message"]["content"]
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            text = content or ""
            return str(text.rpartition("</think>")[2]).strip()
        except (ValueError, LookupError, TypeError, AttributeError):
            said = " ".join(response.text[:200].split())
            raise EndpointError(f"{self.endpoint.target} gave no chat completion: {said!r}") from None


@lru_cache(maxsize=8)
def asker_of(endpoint: Endpoint) -> Asker:
    """Return this process's asker of an endpoint: measures that ask the same share its answers and connections."""
    return Asker(endpoint)


def _data_url(pixels: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=3)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _complaint(response: Any) -> str:
    """Return what a server said in one line: the message of its JSON, or the start of its text."""
    try:
        error = json.loads(response.text)
        error = error.get("error", error) if isinstance(error, Mapping) else error
        said = str(error.get("message", error)) if isinstance(error, Mapping) else str(error)
    except ValueError:
        said = response.text[:500]
    return " ".join(f"{response.reason_phrase}: {said}".split()).strip(": ")


def _retry_after(stated: str | None, otherwise: float) -> float:
    try:
        return max(0.0, float(stated or ""))
    except ValueError:
        return otherwise
