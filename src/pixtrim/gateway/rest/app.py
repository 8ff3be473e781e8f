"""The application of the REST interface: its paths, and what is said about them in its OpenAPI document."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from pixtrim import __version__
from pixtrim.gateway.rest.answers import CountsAnswer, ModelsAnswer, PruneAnswer, ShrinkAnswer
from pixtrim.gateway.rest.bodies import received, wanted
from pixtrim.gateway.rest.errors import RequestError, refusal
from pixtrim.gateway.rest.fields import PruneFields, ShrinkFields, TokensFields
from pixtrim.gateway.rest.limits import Limits
from pixtrim.gateway.rest.openapi import ERRORS, IMAGE, request_body
from pixtrim.gateway.rest.work import Answer, counted, known_models, pruned, shrunk

__all__ = ["PATHS", "Run", "make_rest"]

Run = Callable[..., Awaitable[Any]]
"""``await run(function, *arguments)`` does the work of a function outside of the event loop."""

PATHS: Final = ("/v1/shrink", "/v1/tokens", "/v1/prune", "/v1/pixtrim/models", "/openapi.json")

TITLE: Final = "pixtrim"
ABOUT: Final = (
    "Images made cheaper for vision-language models. The same question has the same answer; how long it took is in the "
    "header Server-Timing. Every error is an object `error` with a `message` in one line, a `type` and a `param`."
)


def make_rest(run: Run | None = None, limits: Limits | None = None) -> FastAPI:
    """Return the REST interface to images themselves.

    Parameters
    ----------
    run : callable, optional
        ``await run(function, *arguments)`` calls a function of this package outside of the event loop, in a thread or
        another process, and returns what it does. By default one thread for each processor.
    limits : Limits, optional
        What a request may cost.

    Returns
    -------
    FastAPI
        An ASGI application. In another one it can stand behind ``Route(path, it)`` for each of `PATHS`.

    Examples
    --------
    >>> sorted(make_rest().openapi()["paths"])
    ['/v1/pixtrim/models', '/v1/prune', '/v1/shrink', '/v1/tokens']
    """
    app = FastAPI(title=TITLE, description=ABOUT, version=__version__, docs_url=None, redoc_url=None)
    app.include_router(_router(run or _in_threads(), limits or Limits()))
    app.add_exception_handler(HTTPException, _answer_error)  # a path or method that is not there
    return app


class _Answering(APIRoute):
    """A route that answers every error itself, in one shape, and lets none reach a log with what was sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:
                return refusal(error)

        return answer


async def _answer_error(request: Request, error: Exception) -> Response:
    return refusal(error)


def _router(run: Run, limits: Limits) -> APIRouter:
    router = APIRouter(route_class=_Answering, generate_unique_id_function=lambda route: route.name)
    room = _Room(limits.requests)

    async def work(request: Request, function: Callable[..., Answer], *more: Any) -> Response:
        with room.place():
            given = await received(request, limits)
            try:
                async with asyncio.timeout(limits.seconds):
                    answer = await run(function, given, *more, limits.max_pixels)
            except TimeoutError:
                raise RequestError(
                    f"the work was not done after {limits.seconds:g} seconds: send a smaller image, or try again later",
                    "overloaded",
                ) from None
        return _response(answer)

    @router.post(
        "/v1/shrink",
        response_model=ShrinkAnswer,
        responses={200: IMAGE, **ERRORS},
        openapi_extra=request_body(ShrinkFields),
    )
    async def shrink(request: Request) -> Response:
        """Make an image cheaper for a model. With `Accept: image/*` the answer is the image itself."""
        response = await work(request, shrunk, wanted(request.headers.get("accept")))
        response.headers["Vary"] = "Accept"
        return response

    @router.post("/v1/tokens", response_model=CountsAnswer, responses=ERRORS, openapi_extra=request_body(TokensFields))
    async def tokens(request: Request) -> Response:
        """Count what images or sizes cost models, unchanged."""
        return await work(request, counted)

    @router.post("/v1/prune", response_model=PruneAnswer, responses=ERRORS, openapi_extra=request_body(PruneFields))
    async def prune(request: Request) -> Response:
        """Choose which visual tokens of an image a model needs."""
        return await work(request, pruned)

    @router.get("/v1/pixtrim/models", response_model=ModelsAnswer)
    async def models(request: Request) -> Response:
        """List the models of which the token rules are known."""
        return _response(known_models())

    return router


def _response(answer: Answer) -> Response:
    safe = {"X-Content-Type-Options": "nosniff"}  # a file that was sent may be something else, too
    return Response(answer.content, media_type=answer.media_type, headers={**answer.headers, **safe})


class _Room:
    """Room for some requests; their bodies are in memory."""

    def __init__(self, places: int) -> None:
        self._free = places

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place; raises RequestError if there is none."""
        if self._free < 1:
            raise RequestError("too many requests are being worked on: try again later", "overloaded")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


def _in_threads() -> Run:
    """Do work in one thread for each processor; what nobody waits for any more is not begun."""
    pool = ThreadPoolExecutor(os.cpu_count(), "pixtrim-rest")

    async def run(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

    return run
