"""Upstreams over TLS: only those whose certificate is good get a request."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from asking import CHAT, Wire, chat
from gateways import running
from upstream import Upstream

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the program openssl, to make a certificate")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, and its key."""
    file = tmp_path / "certificate.pem"
    command = [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(tmp_path / "only.pem")]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + (tmp_path / "only.pem").read_text())
    return file


def serving(certificate: Path) -> Upstream:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return Upstream(context)


def test_a_certificate_that_nobody_vouches_for_gets_no_request(certificate: Path) -> None:
    with serving(certificate) as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        wire.post(CHAT, chat(), "Authorization: Bearer sk-1")
        status, _, body = wire.answer()
        assert (status, b"certificate" in body.lower()) == (502, True)
        assert upstream.requests == []


def test_one_that_is_trusted_does(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as upstream:
        with running(upstream, f"other=https://localhost:{upstream.port}") as gateway, Wire(gateway.url) as wire:
            wire.post(CHAT, chat())
            assert wire.answer()[0] == 200
            wire.post("/other" + CHAT, chat())  # the same server, by a name for which the certificate is not
            assert wire.answer()[0] == 502
        assert len(upstream.requests) == 1
