"""``pixtrim gateway``: its options, and what it does with them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixtrim.cli import values
from pixtrim.cli.options import examples
from pixtrim.errors import UsageError, require

if TYPE_CHECKING:
    from pixtrim.gateway.ledger import Ledger

__all__ = ["add_gateway", "run"]

FEWEST = 16
"""Characters that a key of the gateway's own has at least."""


def add_gateway(commands: Any) -> ArgumentParser:
    """Add the command."""
    command: ArgumentParser = commands.add_parser(
        "gateway",
        help="stand between programs and hosted models, and make images smaller on the way",
        description="Pass requests on to hosted models with smaller images, and nothing else of them changed: programs "
        "need another base URL, http://127.0.0.1:8787/v1, and nothing more.",
        epilog=examples(
            "pixtrim gateway --upstream openai=https://api.openai.com --upstream anthropic=https://api.anthropic.com",
            "pixtrim gateway --upstream local=http://127.0.0.1:8000 --policy policy.toml --ledger usage.sqlite3",
            "pixtrim gateway --check-policy policy.toml",
        ),
    )
    command.set_defaults(run=run)
    add = command.add_argument
    add(
        "-u",
        "--upstream",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="where requests go; may be repeated. Paths that begin with /NAME/ go there; so do, to upstreams called "
        "openai, anthropic and gemini, the paths of these providers; all else goes to the first one",
    )
    add(
        "--host",
        default="127.0.0.1",
        help="the address to listen at; any other asks for --key-file (default: 127.0.0.1)",
    )
    add("--port", type=values.port, default=8787, help="the port to listen at; 0 for any that is free (default: 8787)")
    add("--policy", metavar="FILE", help="what is done with which requests, as TOML (docs/gateway.md)")
    add("--check-policy", metavar="FILE", help="say what holds under a policy, and end")
    add(
        "--cache-size",
        type=values.size_in_bytes,
        default="256MB",
        metavar="SIZE",
        help="images kept in memory (default: 256MB)",
    )
    add("--cache-dir", metavar="DIR", help="keep images in a folder as well (default: nowhere)")
    add(
        "--cache-dir-size",
        type=values.size_in_bytes,
        default="1GB",
        metavar="SIZE",
        help="the most that the folder may take (default: 1GB)",
    )
    add(
        "--ledger",
        metavar="URL",
        help="where usage is written: a file, postgresql://HOST/DATABASE, or off (default: a file in the user's data)",
    )
    add(
        "--key-file",
        metavar="FILE",
        help=f"keys, one a line, of at least {FEWEST} characters: requests need one of them in the header "
        "x-pixtrim-key, which is not passed on",
    )
    return command


def run(arguments: Namespace) -> int:
    """Serve until told to end."""
    from pixtrim.gateway.policies import Policy, load_policy, shown
    from pixtrim.gateway.routes import Router, parse_upstream

    if arguments.check_policy is not None:
        print(shown(load_policy(arguments.check_policy)))
        return 0
    if not arguments.upstream:
        raise UsageError("there is no upstream: give at least one, as in --upstream openai=https://api.openai.com")
    upstreams = tuple(parse_upstream(text) for text in arguments.upstream)
    Router(upstreams)  # what it refuses is refused before anything is opened
    policy = load_policy(arguments.policy) if arguments.policy is not None else Policy()
    keys = _keys(arguments.key_file) if arguments.key_file is not None else ()
    for module in ("uvicorn", "httptools", "httpx2", "prometheus_client", "fastapi", "sqlalchemy", "alembic"):
        require(module, "gateway", "the gateway")
    from pixtrim.gateway.app import Gateway, Options
    from pixtrim.gateway.serve import check_host, listen, serve

    check_host(arguments.host, keys)
    listening = listen(arguments.host, arguments.port)
    folder = Path(arguments.cache_dir) if arguments.cache_dir is not None else None
    ledger = _ledger(arguments.ledger)
    options = Options(upstreams, policy, arguments.cache_size, folder, arguments.cache_dir_size, ledger, keys)
    serve(Gateway(options), listening, policy.limits.grace_seconds)
    return 0


def _ledger(url: str | None) -> Ledger | None:
    from pixtrim.gateway.ledger import Ledger

    return None if url == "off" else Ledger.open(url, patient=True)


def _keys(path: str) -> tuple[str, ...]:
    try:
        lines = Path(path).read_text("ascii").split()
    except OSError as error:
        raise UsageError(f"key file {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"key file {path} is not plain ASCII: write a key a line") from None
    if not lines or min(map(len, lines)) < FEWEST:
        raise UsageError(f"key file {path} has no key, or one of less than {FEWEST} characters: write a key a line")
    return tuple(lines)
