"""A client of the gateway's REST interface: what `pixtrim` does, done elsewhere."""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from numpy.typing import ArrayLike, NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import InputError, PixtrimError, UsageError, require
from pixtrim.image import Source, load
from pixtrim.operators.prune import KeepPlan
from pixtrim.result import Report, file_of
from pixtrim.tokens.records import TokenCost

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Client", "Counted", "RemoteShrunk", "ServerError"]

_TIMING = re.compile(r"\bimage;dur=([0-9.]+)")


class ServerError(PixtrimError):
    """The server cannot be reached, is overloaded, or failed; the same request may succeed later."""


@dataclass(frozen=True)
class RemoteShrunk:
    """An image that the server made cheaper.

    Attributes
    ----------
    data : bytes
        The image, as a file.
    media_type : str
        Of the file: ``"image/png"``.
    report : Report
        What was done, and what it saves.
    coordinates : CoordinateMap
        Maps points, boxes, polygons and masks between the two images.
    """

    data: bytes = field(repr=False)
    media_type: str
    report: Report
    coordinates: CoordinateMap


@dataclass(frozen=True)
class Counted:
    """What an image or a size costs one model.

    Attributes
    ----------
    input : str or None
        ``"images[0]"`` and so on; None for a size.
    requested_model : str
        The name that was given.
    cost : TokenCost
    """

    input: str | None
    requested_model: str
    cost: TokenCost


class Client:
    """Asks a gateway, one request after the other; as a context manager it closes its connections at the end.

    Parameters
    ----------
    base_url : str
        Of the gateway: ``"http://127.0.0.1:8787"``.
    key : str, optional
        The gateway's own, where it asks for one.
    timeout : float
        Seconds that the server may be silent.

    Raises
    ------
    UsageError
        If the address is no URL, or the timeout not above 0.
    MissingExtraError
        If httpx2 is not installed.

    Notes
    -----
    Every method raises UsageError and InputError with the server's own words, where pixtrim itself would raise them,
    and ServerError where there is no answer.
    """

    def __init__(self, base_url: str, key: str | None = None, *, timeout: float = 120.0) -> None:
        if not _is_url(base_url):
            raise UsageError(f"base_url is {base_url!r}: give an address, as in http://127.0.0.1:8787")
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
            raise UsageError(f"timeout is {timeout!r}: give a number of seconds above 0")
        self._httpx = require("httpx2", "gateway", "the client")
        headers = {} if key is None else {"x-pixtrim-key": key}
        self._http = self._httpx.Client(base_url=base_url, headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def shrink(
        self,
        image: Source,
        model: str,
        budget: int | float | str = "fit",
        operator: str = "auto",
        *,
        detail: str | None = None,
        computer_use: bool = False,
        protect: ArrayLike | None = None,
        format: Literal["png", "webp", "jpeg"] | None = None,
    ) -> RemoteShrunk:
        """Make an image cheaper for a model.

        Parameters
        ----------
        image : path, bytes, binary file, PIL image or array
            Files are sent as they are, pixels as PNG.
        model, budget, operator, detail, computer_use, protect
            As for `pixtrim.shrink`.
        format : {"png", "webp", "jpeg"}, optional
            As for `Shrunk.encode`.

        Returns
        -------
        RemoteShrunk
        """
        body: dict[str, Any] = {"image": _base64(image), "model": model, "budget": budget, "operator": operator}
        body |= {"detail": detail, "computer_use": computer_use, "protect": _boxes(protect), "format": format}
        answer, headers = self._post("/v1/shrink", body)
        report = {name: value for name, value in answer["report"].items() if name != "schema"}
        return RemoteShrunk(
            data=b64decode(answer["image"]),
            media_type=answer["media_type"],
            report=Report(**report, seconds=_seconds(headers)),
            coordinates=CoordinateMap.from_dict(answer["coordinates"]),
        )

    def tokens(
        self,
        models: Sequence[str],
        *,
        sizes: Iterable[tuple[int, int]] = (),
        images: Iterable[Source] = (),
        detail: str | None = None,
    ) -> list[Counted]:
        """Count what sizes and images cost models, unchanged.

        Parameters
        ----------
        models : sequence of str
        sizes : iterable of (int, int), optional
            Widths and heights, in pixels.
        images : iterable of path, bytes, binary file, PIL image or array, optional
        detail : str, optional
            The level of detail, which each of the models must have.

        Returns
        -------
        list of Counted
            Sizes first, then images, each for all models.
        """
        files = [_base64(image) for image in images]
        body: dict[str, Any] = {"models": [models] if isinstance(models, str) else list(models), "images": files}
        body |= {"sizes": [list(size) for size in sizes], "detail": detail}
        answer, _ = self._post("/v1/tokens", body)
        return [_counted(count) for count in answer["counts"]]

    def prune(
        self,
        image: Source,
        model: str = "qwen3-vl",
        *,
        threshold: float = 0.0,
        selector: str = "pred_2d",
        metric: Literal["max", "mae", "rmse", "exact"] = "max",
        anchored: bool = True,
        fit: Literal["resize", "pad"] = "resize",
        reference: Source | None = None,
    ) -> KeepPlan:
        """Choose which visual tokens of an image a model needs.

        Parameters
        ----------
        image, model, threshold, selector, metric, anchored, fit, reference
            As for `pixtrim.prune`.

        Returns
        -------
        KeepPlan
            Equal to that of `pixtrim.prune`.
        """
        body: dict[str, Any] = {
            "image": _base64(image),
            "model": model,
            "threshold": threshold,
            "selector": selector,
            "metric": metric,
        }
        body |= {"anchored": anchored, "fit": fit, "plan": True}
        body["reference"] = None if reference is None else _base64(reference)
        answer, _ = self._post("/v1/prune", body)
        return KeepPlan.from_bytes(b64decode(answer["plan"]))

    def models(self) -> list[dict[str, Any]]:
        """Return what is known about each model, as ``pixtrim models --json`` prints it."""
        answer, _ = self._answer("GET", "/v1/pixtrim/models")
        found: list[dict[str, Any]] = answer["models"]
        return found

    def _post(self, path: str, body: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        try:
            content = json.dumps(body, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(f"an argument cannot be sent as JSON: {error}") from None
        return self._answer("POST", path, content=content, headers={"content-type": "application/json"})

    def _answer(self, method: str, path: str, **more: Any) -> tuple[dict[str, Any], Any]:
        try:
            response = self._http.request(method, path, **more)
        except self._httpx.HTTPError as error:
            raise ServerError(f"no answer from {self._http.base_url}: {error or type(error).__name__}") from error
        try:
            answer = response.json()
            if response.is_success and isinstance(answer, dict):
                return answer, response.headers
            message = str(answer["error"]["message"])
        except (ValueError, TypeError, LookupError):
            raise ServerError(f"{self._http.base_url} answered {response.status_code}, and not as a gateway") from None
        if response.status_code in (413, 422):
            raise InputError(message)
        if response.is_client_error and response.status_code != 408:
            raise UsageError(message)
        raise ServerError(message)


def _is_url(text: object) -> bool:
    try:
        parts = urlsplit(text) if isinstance(text, str) else None
        return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _base64(image: Source) -> str:
    """Encode the file of an image; what is none is written as a PNG first."""
    if isinstance(image, (str, os.PathLike)):
        try:
            data = Path(image).read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"{os.fsdecode(image)}: cannot be read ({error})") from error
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
    elif callable(read := getattr(image, "read", None)):
        data = read()
        if not isinstance(data, bytes):
            raise UsageError(f"read() gave {type(data).__name__}, not bytes; open the file in binary mode")
    else:
        data = file_of(load(image).pixels, "PNG")
    return b64encode(data).decode()


def _boxes(boxes: ArrayLike | None) -> list[list[float]]:
    if boxes is None:
        return []
    import numpy as np

    try:
        found: NDArray[np.float64] = np.atleast_2d(np.asarray(boxes, np.float64))
    except (TypeError, ValueError):
        raise UsageError("protect takes boxes of four numbers, (x0, y0, x1, y1), in pixels of the picture") from None
    return found.tolist() if found.size else []


def _counted(count: dict[str, Any]) -> Counted:
    cost = {name: value for name, value in count.items() if name not in ("schema", "input", "requested_model")}
    return Counted(count["input"], count["requested_model"], TokenCost(**cost))


def _seconds(headers: Any) -> float:
    """Return how long the server worked, which is not a part of its answer."""
    found = _TIMING.search(headers.get("server-timing", ""))
    return round(float(found[1]) / 1000, 6) if found else 0.0
