"""The gateway's server: a socket, uvicorn on it, and what signals do."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import sys
from types import FrameType

import uvicorn

from pixtrim.errors import UsageError
from pixtrim.gateway.app import Gateway
from pixtrim.gateway.log import Log, where

__all__ = ["check_host", "configured", "listen", "serve"]

IDLE_SECONDS = 75
"""How long a client's connection is kept for its next request; longer than clients keep theirs."""


def check_host(host: str, keys: tuple[str, ...]) -> None:
    """Refuse to let others in without a key.

    Raises
    ------
    UsageError
        If the host is not loopback, and there is no key.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not keys:
        raise UsageError(
            f"host is {host!r}, where others can reach the gateway: name a file with a key of your own, --key-file "
            "FILE, or leave it at 127.0.0.1"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    UsageError
        If it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)  # named, or asyncio would not turn off delays (TCP_NODELAY)
    except OSError as error:
        raise UsageError(f"host is {host!r}: {error.strerror or error}") from None
    try:
        if os.name == "posix":  # elsewhere, it would let two servers have one port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(2048)
    except OSError as error:
        found.close()
        raise UsageError(
            f"host {host}, port {port} cannot be listened at: {error.strerror or error}; choose another with --port"
        ) from None
    return found


def serve(gateway: Gateway, listening: socket.socket, grace: int) -> None:
    """Serve until a signal says to end: then responses go on for the grace time; a second signal ends all at once.

    Parameters
    ----------
    gateway : Gateway
        Closed at the end.
    listening : socket
    grace : int
        Seconds.
    """
    logging.basicConfig(handlers=[_ToLog(gateway.log)], level=logging.WARNING, force=True)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    gateway.log.write("info", "listening", address=f"http://{shown}:{port}", pid=os.getpid())
    server = _Server(configured(gateway, grace))
    try:
        server.run(sockets=[listening])
    finally:
        gateway.close(0.5 if server.force_exit else 5.0)
    gateway.log.write("info", "ended", forced=server.force_exit or None)
    if server.force_exit:
        sys.stderr.flush()
        os._exit(1)  # an image that is being worked on would keep the process until it is done


def configured(gateway: Gateway, grace: int) -> uvicorn.Config:
    """Return the settings of the server; it adds nothing to responses, and leaves logging to the gateway."""
    return uvicorn.Config(
        gateway,
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=grace,
    )


class _Server(uvicorn.Server):
    """Ends at once at the second signal, whichever it is, and leaves signals at what they do: ending is a success."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


class _ToLog(logging.Handler):
    """Puts what libraries have to say into the gateway's log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().strip()
        if message.startswith("ASGI callable returned without completing"):
            return  # how the application tells that a response broke off; the request's own line says why
        error = record.exc_info[1] if record.exc_info else None
        shown = f"{type(error).__name__} at {where(error)}" if error is not None else None
        self._log.write(record.levelname.lower(), "server", source=record.name, message=message, error=shown)
