"""Send a page through the gateway with the SDKs of three providers, and print what was saved.

Run: make demo-gateway. Nothing leaves the machine: behind the gateway is an upstream on loopback, which speaks all four
wire formats, and answers with the size of the image that it was sent.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import anthropic
import openai
from google import genai
from google.genai import types
from PIL import Image

from pixtrim.gateway.formats import format_named
from pixtrim.gateway.pictures import decoded
from pixtrim.gateway.routes import wire_format_of
from pixtrim.tokens import resolve

QUESTION = "What is the balance?"
MODELS = {"openai": "gpt-5.5", "anthropic": "claude-opus-4-7", "gemini": "gemini-2.5-flash"}


class Echo(BaseHTTPRequestHandler):
    """Answers each provider's requests in its own format."""

    protocol_version = "HTTP/1.1"
    images: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wire_format, named = wire_format_of(self.path.partition("?")[0])
        (place,) = format_named(wire_format).places(body)
        image = decoded(place.text)
        Echo.images.append(image)
        width, height = Image.open(io.BytesIO(image)).size
        answer = json.dumps(said(wire_format, f"{width}x{height}", counted(body, named, width, height)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def counted(body: dict[str, Any], named: str | None, width: int, height: int) -> int:
    """Count the tokens of an image, as its model's rule does."""
    return resolve(body.get("model") or named or "").count(width, height)


def said(wire_format: str, text: str, tokens: int) -> dict[str, Any]:
    """Make an answer."""
    if wire_format == "openai-chat":
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": tokens, "completion_tokens": 4, "total_tokens": tokens + 4}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [message],
            "usage": usage,
        }
    if wire_format == "openai-responses":
        content = [{"type": "output_text", "text": text, "annotations": []}]
        output = [{"type": "message", "id": "1", "role": "assistant", "status": "completed", "content": content}]
        usage = {"input_tokens": tokens, "output_tokens": 4, "total_tokens": tokens + 4}
        return {"id": "1", "object": "response", "created_at": 0, "model": "m", "output": output, "usage": usage}
    if wire_format == "anthropic":
        usage = {"input_tokens": tokens, "output_tokens": 4}
        content = [{"type": "text", "text": text}]
        return {"id": "1", "type": "message", "role": "assistant", "model": "m", "content": content, "usage": usage}
    usage = {"promptTokenCount": tokens, "candidatesTokenCount": 4, "totalTokenCount": tokens + 4}
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage}


def ask_all(url: str, page: bytes) -> Iterator[tuple[str, str, str]]:
    """Ask with each SDK, of which nothing but the base URL is set; yield it, the model and the answer."""
    text = base64.b64encode(page).decode()
    data_url = f"data:image/png;base64,{text}"
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    model = MODELS["openai"]
    chat = [{"type": "image_url", "image_url": {"url": data_url}}, {"type": "text", "text": QUESTION}]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": chat}])
    yield "openai, chat completions", model, answer.choices[0].message.content

    parts = [{"type": "input_image", "image_url": data_url}, {"type": "input_text", "text": QUESTION}]
    yield (
        "openai, responses",
        model,
        client.responses.create(model=model, input=[{"role": "user", "content": parts}]).output_text,
    )

    source = {"type": "base64", "media_type": "image/png", "data": text}
    blocks = [{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]
    model = MODELS["anthropic"]
    message = anthropic.Anthropic(base_url=url, api_key="none").messages.create(
        model=model, max_tokens=16, messages=[{"role": "user", "content": blocks}]
    )
    yield "anthropic, messages", model, message.content[0].text

    model = MODELS["gemini"]
    gemini = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))
    part = types.Part.from_bytes(data=page, mime_type="image/png")
    yield (
        "google-genai, generateContent",
        model,
        gemini.models.generate_content(model=model, contents=[part, QUESTION]).text,
    )


@contextmanager
def gateway(upstream: str, ledger: Path) -> Iterator[str]:
    """Run the gateway in front of an upstream; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    upstreams = [word for name in MODELS for word in ("--upstream", f"{name}={upstream}")]
    command = [sys.executable, "-m", "pixtrim", "gateway", "--port", str(port), "--ledger", str(ledger), *upstreams]
    log = ledger.with_suffix(".log")
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if process.poll() is not None:
                    sys.exit(log.read_text())
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def main() -> None:
    """Print one line for each SDK, then the ledger."""
    page_file, folder = Path(sys.argv[1]), Path(sys.argv[2])
    page = page_file.read_bytes()
    width, height = Image.open(page_file).size
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / "ledger.db"
    ledger.unlink(missing_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with gateway(f"http://127.0.0.1:{server.server_port}", ledger) as url:
        print(f"{page_file.name}: {width}x{height}, {len(page)} bytes\n")
        print(f"{'SDK':<30}{'model':<20}{'the model sees':<16}tokens")
        for sdk, model, answer in ask_all(url, page):
            seen_width, seen_height = map(int, answer.split("x"))
            before, after = (resolve(model).count(*size) for size in ((width, height), (seen_width, seen_height)))
            print(f"{sdk:<30}{model:<20}{answer:<16}{before} -> {after} ({1 - after / before:.0%} saved)")
    (folder / "gateway-sent.png").write_bytes(Echo.images[0])
    print(f"\nlook at {folder / 'gateway-sent.png'}: the page as it was sent; the ledger says:\n", flush=True)
    subprocess.run([sys.executable, "-m", "pixtrim", "ledger", "--url", str(ledger), "--by", "model"], check=True)


if __name__ == "__main__":
    main()
