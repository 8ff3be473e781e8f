"""Every answer that is an error: one line that says what is wrong and what to do, in one shape."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from pixtrim.errors import InputError, UsageError
from pixtrim.gateway.log import where
from pixtrim.tokens.budget import BudgetError

__all__ = ["STATUS", "RequestError", "refusal"]

STATUS: Final = {
    "usage_error": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "too_slow": 408,
    "too_large": 413,
    "unsupported_media_type": 415,
    "input_error": 422,
    "internal_error": 500,
    "overloaded": 503,
}
"""The types of errors, and the status of each."""

_log = logging.getLogger("pixtrim.gateway.rest")


class RequestError(Exception):
    """A request that is not answered with a result.

    Attributes
    ----------
    message : str
        One line.
    type : str
        One of `STATUS`.
    param : str or None
        The field that is wrong, where it is one.
    """

    def __init__(self, message: str, type: str, param: str | None = None) -> None:
        super().__init__(message, type, param)  # all of them, so that it can be sent from one process to another
        self.message, self.type, self.param = message, type, param


def refusal(error: Exception) -> Response:
    """Return the answer to a request that ended with an error."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=STATUS["too_slow"])  # nobody is there to read it
    refused, headers = _refused(error), getattr(error, "headers", None)
    if refused.type == "overloaded":
        headers = {"Retry-After": "1"}
    return JSONResponse(_body(refused), STATUS[refused.type], headers)


def _body(refused: RequestError) -> dict[str, Any]:
    return {"error": {"message": refused.message, "type": refused.type, "param": refused.param}}


def _refused(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, UsageError):
        return RequestError(str(error), "usage_error", "budget" if isinstance(error, BudgetError) else None)
    if isinstance(error, InputError):
        return RequestError(str(error), "input_error")
    if isinstance(error, MemoryError):
        return RequestError("there is not enough memory for this image: scale it down first", "input_error")
    if isinstance(error, HTTPException):
        known = {status: type for type, status in STATUS.items()}
        hint = "; see /openapi.json" if error.status_code in (404, 405) else ""
        phrase = HTTPStatus(error.status_code).phrase.lower()
        return RequestError(f"{phrase}{hint}", known.get(error.status_code, "usage_error"))
    _log.error("a fault of pixtrim: %s at %s", type(error).__name__, where(error))  # messages may hold what was sent
    return RequestError("this is a fault of pixtrim: please report it", "internal_error")
