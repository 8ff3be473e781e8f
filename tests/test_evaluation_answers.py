"""Answers of a model are asked for, kept and graded: with a real server, on this machine."""

from __future__ import annotations

import base64
import io
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.evaluation.measures import measure_named
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Question, Sample, Truth
from pixtrim.operators.resize import resize

pytest.importorskip("httpx2", reason="asking a model needs httpx2")
pytest.importorskip("rapidfuzz", reason="grading answers needs rapidfuzz")

from pixtrim.evaluation.judges.endpoint import INSTRUCTION, Asker, Endpoint, EndpointError, asker_of, read_key
from pixtrim.evaluation.measures.answers import AnlsAnswers, RelaxedAnswers, anls, measures, relaxed_accuracy

KEY = "sk-for-this-test-alone"

Reply = tuple[int, dict[str, str], Any]


def completion(text: Any) -> Reply:
    return 200, {}, {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


class Server(ThreadingHTTPServer):
    """A server with OpenAI's protocol; `respond` gives status, headers and body for each request."""

    daemon_threads = True

    def __init__(self) -> None:
        self.respond: Callable[[dict[str, Any]], Reply] = lambda body: completion("yes")
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.busy, self.busiest, self.lock = 0, 0, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.requests.append(body)
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
        try:
            status, headers, answer = server.respond(body)
        finally:
            with server.lock:
                server.busy -= 1
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def picture_of(body: dict[str, Any]) -> Image.Image:
    """The picture of a request, as a server decodes it."""
    (message,) = body["messages"]
    address = message["content"][0]["image_url"]["url"]
    assert address.startswith("data:image/png;base64,")
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def question_of(body: dict[str, Any]) -> str:
    text: str = body["messages"][0]["content"][1]["text"]
    question, _, instruction = text.partition("\n")
    assert instruction == INSTRUCTION
    return question


def sample_of(pixels: np.ndarray, *questions: Question) -> Sample:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Sample("chart.png", "chart", stream.getvalue, Truth(questions=questions))


def scaled(sample: Sample, size: tuple[int, int]) -> Reduced:
    height, width = sample.pixels.shape[:2]
    return Reduced(resize(sample.pixels, size), CoordinateMap.scale((width, height), size), 0)


PIXELS = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)


# Grades


@pytest.mark.parametrize(
    ("answer", "truths", "grade"),
    [
        ("coca cola", ["coca cola"], 1),
        ("  Coca\n COLA ", ["coca cola"], 1),
        ("coca cola company", ["coca cola"], 1 - 8 / 17),
        ("coca", ["coca cola"], 0),  # 4 of 9 letters: below one half
        ("coca cola", ["Coca-Cola", "pepsi", "coca-cola"], 1 - 1 / 9),  # the nearest counts
        ("ab", ["ax"], 0.5),  # the edge belongs to the right answers
        ("", ["7"], 0),
        ("7", ["7"], 1),
        ("T.F. Riehl", ["T. F. Riehl"], 1 - 1 / 11),
        ("kitten", ["sitting"], 1 - 3 / 7),
        ("été", ["ete"], 0),
    ],
)
def test_anls(answer: str, truths: list[str], grade: float) -> None:
    assert anls(answer, truths) == pytest.approx(grade)


@given(st.text(max_size=12), st.lists(st.text(max_size=12), min_size=1, max_size=3))
def test_anls_is_a_grade_and_full_for_the_right_answer(answer: str, truths: list[str]) -> None:
    assert anls(answer, truths) == 0 or 0.5 <= anls(answer, truths) <= 1
    assert anls(truths[0], truths) == 1
    assert anls(answer, [*truths, answer]) == 1


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("105", "100", True),
        ("95", "100", True),
        ("105.1", "100", False),
        ("94.9", "100", False),
        ("-105", "-100", True),
        ("100", "-100", False),
        ("0.7", "67.72", False),
        ("69", "67.72", True),
        ("12%", "12%", True),
        ("0.12", "12%", True),
        ("12", "12%", False),  # as published: the sign is a hundredth
        ("0", "0", True),
        ("0.0", "0", False),  # as published: zero is compared as text
        ("Daifuku", "daifuku", True),
        ("Daifuku.", "Daifuku", False),
        ("2018", "2018", True),
        ("1,234", "1234", False),  # as published: no separators
        ("nan", "nan", True),
        ("inf", "12", False),
        ("", "12", False),
        (" yes ", "Yes", True),
    ],
)
def test_relaxed_accuracy(answer: str, truth: str, right: bool) -> None:
    assert relaxed_accuracy(answer, [truth]) == right
    assert relaxed_accuracy(answer, ["something else", truth]) == right


@pytest.mark.parametrize("grade", [anls, relaxed_accuracy])
@pytest.mark.parametrize("truths", [[], "yes"])
def test_grades_need_right_answers(grade: Callable[..., float], truths: Any) -> None:
    with pytest.raises(UsageError, match="one text at least"):
        grade("yes", truths)


# Measures


def test_measures_are_listed_and_say_what_they_need() -> None:
    for name, kind in (("answers-anls", AnlsAnswers), ("answers-relaxed", RelaxedAnswers)):
        assert measure_named(name) is kind
        assert kind.missing() == "needs a model to ask: give --endpoint URL and --endpoint-model NAME"
        with pytest.raises(UsageError, match=f"{name} needs a model to ask: give --endpoint"):
            kind()


def test_measures_with_an_endpoint_can_run_anywhere() -> None:
    endpoint = Endpoint("http://localhost:8000/v1", "qwen", key=KEY)
    for measure in measures(endpoint):
        assert type(measure).missing() is None
        sent = pickle.loads(pickle.dumps(measure))
        assert (sent.name, sent.version, sent.endpoint) == (measure.name, measure.version, endpoint)
        assert KEY not in measure.version
        assert "qwen at http://localhost:8000/v1" in measure.version


def test_they_apply_where_there_are_questions_with_answers() -> None:
    (measure, _) = measures(Endpoint("http://localhost:8000/v1", "qwen"))
    assert not measure.applies(sample_of(PIXELS))
    assert not measure.applies(sample_of(PIXELS, Question("How many?", ())))
    assert measure.applies(sample_of(PIXELS, Question("How many?", ("7",))))
    assert measure.score(sample_of(PIXELS), scaled(sample_of(PIXELS), (40, 30)), None) is None


def test_scores_move_with_what_the_model_sees(server: Server) -> None:
    """A model that reads the truth at full size, misspells it at three quarters, and sees nothing below."""
    truths = {"Which company?": "Daifuku", "How much?": "400"}

    def respond(body: dict[str, Any]) -> Reply:
        truth, scale = truths[question_of(body)], picture_of(body).width / 80
        if scale == 1:
            return completion(truth)
        return completion({"Daifuku": "Daituku", "400": "410"}[truth] if scale >= 0.75 else "unclear")

    server.respond = respond
    sample = sample_of(PIXELS, *(Question(text, (truth,)) for text, truth in truths.items()))
    by_anls, relaxed = measures(Endpoint(server.url, "model"))
    scores = [
        (by_anls.score(sample, scaled(sample, s), None), relaxed.score(sample, scaled(sample, s), None))
        for s in ((80, 60), (60, 45), (40, 30))
    ]
    assert scores == [(1, 1), (pytest.approx((6 / 7 + 2 / 3) / 2), 0.5), (0, 0)]
    assert len(server.requests) == 6  # the second measure has the first one's answers


def test_real_questions(server: Server, shared_data: Path) -> None:
    entries = json.loads((shared_data / "charts" / "qa.json").read_text(encoding="utf-8"))[:3]
    answers = {entry["question"]: entry["answer"] for entry in entries}
    server.respond = lambda body: completion(answers[question_of(body)])
    for entry in entries:
        data = (shared_data / "charts" / entry["image"]).read_bytes()
        truth = Truth(questions=(Question(entry["question"], (entry["answer"],)),))
        sample = Sample(entry["image"], "chart", lambda data=data: data, truth)
        for measure in measures(Endpoint(server.url, "model")):
            height, width = sample.pixels.shape[:2]
            assert measure.score(sample, Reduced(sample.pixels, CoordinateMap.identity(width, height), 1), None) == 1


# Asking


def test_the_request(server: Server) -> None:
    server.respond = lambda body: completion(" 42 \n")
    endpoint = Endpoint(server.url + "/", "org/model-7b", key=KEY, detail="high", max_tokens=99)
    assert Asker(endpoint).answers(PIXELS, ["How many?"]) == ["42"]
    (body,), (headers,) = server.requests, server.headers
    assert np.array_equal(np.asarray(picture_of(body)), PIXELS)
    assert question_of(body) == "How many?"
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("org/model-7b", 0, 99)
    assert body["messages"][0]["content"][0]["image_url"]["detail"] == "high"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert server.paths == ["/v1/chat/completions"]


def test_no_key_is_sent_where_there_is_none(server: Server) -> None:
    Asker(Endpoint(server.url + "/chat/completions", "model")).answers(PIXELS, ["What?"])
    assert "Authorization" not in server.headers[0]
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("<think>It may be 3.\nOr 4.</think>\n\n4", "4"),
        ([{"type": "text", "text": "4"}, {"type": "text", "text": "2"}], "42"),
        (None, ""),
        ("", ""),
    ],
)
def test_answers_in_other_forms(server: Server, content: Any, answer: str) -> None:
    server.respond = lambda body: completion(content)
    assert Asker(Endpoint(server.url, "model")).answers(PIXELS, ["What?"]) == [answer]


def test_answers_are_kept_by_content(server: Server, tmp_path: Path) -> None:
    server.respond = lambda body: completion(question_of(body)[::-1])
    endpoint = Endpoint(server.url, "model", cache=tmp_path)
    assert Asker(endpoint).answers(PIXELS, ["abc", "de"]) == ["cba", "ed"]
    assert len(server.requests) == 2
    asker = Asker(endpoint)  # as another process has it
    assert asker.answers(PIXELS.copy(), ["de", "abc", "de"]) == ["ed", "cba", "ed"]
    assert len(server.requests) == 2
    other = PIXELS.copy()
    other[0, 0, 0] ^= 1
    asker.answers(other, ["abc"])
    asker.answers(np.ascontiguousarray(PIXELS.reshape(80, 60, 3)), ["abc"])
    Asker(Endpoint(server.url, "another", cache=tmp_path)).answers(PIXELS, ["abc"])
    Asker(Endpoint(server.url, "model", max_tokens=7, cache=tmp_path)).answers(PIXELS, ["abc"])
    assert len(server.requests) == 6
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY.encode() not in kept


def test_one_asker_for_a_process() -> None:
    first, second = (asker_of(Endpoint("http://localhost:1/v1", "model", key=KEY)) for _ in range(2))
    assert first is second


def test_questions_are_asked_at_the_same_time(server: Server) -> None:
    together = threading.Barrier(3)

    def respond(body: dict[str, Any]) -> Reply:
        together.wait(timeout=30)  # nobody is answered before three have asked
        return completion("yes")

    server.respond = respond
    asker = Asker(Endpoint(server.url, "model", concurrency=3))
    assert asker.answers(PIXELS, [f"question {n}" for n in range(6)]) == ["yes"] * 6
    assert server.busiest == 3


# What can go wrong


def test_passing_trouble_is_waited_for(server: Server) -> None:
    replies = [(503, {}, "busy"), (429, {"Retry-After": "0"}, {"error": {"message": "slow down"}}), completion("yes")]
    server.respond = lambda body: replies[len(server.requests) - 1]
    assert Asker(Endpoint(server.url, "model")).answers(PIXELS, ["What?"]) == ["yes"]
    assert len(server.requests) == 3


def test_trouble_that_does_not_pass_is_named(server: Server) -> None:
    server.respond = lambda body: (500, {"Retry-After": "0"}, {"error": {"message": "out of\nmemory"}})
    with pytest.raises(EndpointError, match=r"chat/completions refused \(500 Internal Server Error: out of memory\)"):
        Asker(Endpoint(server.url, "model")).answers(PIXELS, ["What?"])
    assert len(server.requests) == 5


@pytest.mark.parametrize(("status", "remedy"), [(401, "check --api-key-file"), (404, "check --endpoint")])
def test_lasting_trouble_is_met_once(server: Server, status: int, remedy: str) -> None:
    server.respond = lambda body: (status, {}, {"error": {"message": f"no such thing: {KEY}"}})
    asker = Asker(Endpoint(server.url, "model", key=KEY, concurrency=1))
    for _ in range(2):
        with pytest.raises(EndpointError, match=remedy) as caught:
            asker.answers(PIXELS, ["What?", "Why?"])
        assert KEY not in str(caught.value)
    assert len(server.requests) == 1


def test_one_question_that_is_refused_does_not_waste_the_others(server: Server) -> None:
    server.respond = lambda body: (400, {}, "no") if question_of(body) == "bad" else completion("yes")
    asker = Asker(Endpoint(server.url, "model"))
    with pytest.raises(EndpointError, match="refused"):
        asker.answers(PIXELS, ["bad", "good"])
    assert asker.answers(PIXELS, ["good"]) == ["yes"]
    assert len(server.requests) == 2


def test_models_that_take_no_temperature_or_max_tokens(server: Server) -> None:
    def respond(body: dict[str, Any]) -> Reply:
        for name in ("max_tokens", "temperature"):
            if name in body:
                return 400, {}, {"error": {"message": f"Unsupported parameter: '{name}' is not supported."}}
        return completion(str(body["max_completion_tokens"]))

    server.respond = respond
    asker = Asker(Endpoint(server.url, "model", max_tokens=77, concurrency=3))
    assert asker.answers(PIXELS, ["a", "b", "c"]) == ["77"] * 3
    asked = len(server.requests)
    assert asker.answers(PIXELS, ["d"]) == ["77"]
    assert len(server.requests) == asked + 1  # it has been learnt


@pytest.mark.parametrize("answer", ["<html>hello</html>", {"choices": []}, {"choices": [{"text": "yes"}]}, [], {}])
def test_what_is_no_chat_completion(server: Server, answer: Any) -> None:
    server.respond = lambda body: (200, {}, answer)
    with pytest.raises(EndpointError, match="gave no chat completion"):
        Asker(Endpoint(server.url, "model")).answers(PIXELS, ["What?"])


def test_a_slow_model_meets_the_limit(server: Server) -> None:
    done = threading.Event()

    def respond(body: dict[str, Any]) -> Reply:
        done.wait(timeout=30)
        return completion("late")

    server.respond = respond
    with pytest.raises(EndpointError, match=r"in 2 attempts \(ReadTimeout.*the limit is 0\.2 seconds"):
        Asker(Endpoint(server.url, "model", timeout=0.2)).answers(PIXELS, ["What?"])
    done.set()


def test_nobody_there(server: Server) -> None:
    url = server.url
    server.shutdown()
    server.server_close()
    asker = Asker(Endpoint(url, "model"))
    with pytest.raises(EndpointError, match=r"did not answer in 3 attempts .*is the server running") as first:
        asker.answers(PIXELS, ["What?"])
    with pytest.raises(EndpointError) as second:
        asker.answers(PIXELS, ["Why?"])
    assert second.value is first.value  # nobody is called again


def test_a_line_that_breaks_is_tried_again(server: Server) -> None:
    def respond(body: dict[str, Any]) -> Reply:
        if len(server.requests) == 1:
            raise ConnectionAbortedError
        return completion("yes")

    server.respond = respond
    assert Asker(Endpoint(server.url, "model")).answers(PIXELS, ["What?"]) == ["yes"]


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8000", "ftp://host/v1", "http://", "http://host:99999/v1", "http://user:pw@host/v1", "http://a b/"],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError, match=r"the endpoint is .*: give http") as caught:
        Endpoint(url, "model")
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"model": ""}, {"timeout": 0}, {"timeout": float("nan")}, {"concurrency": 0}, {"max_tokens": 0}]
)
def test_endpoints_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="give"):
        Endpoint(**{"url": "http://localhost/v1", "model": "model", **wrong})


def test_where_questions_go() -> None:
    assert (
        Endpoint("https://host/openai?api-version=1", "m").target
        == "https://host/openai/chat/completions?api-version=1"
    )


def test_keys_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"  {KEY}\n", encoding="ascii")
    endpoint = Endpoint("http://localhost/v1", "model", key=read_key(file))
    assert endpoint.key == KEY
    assert KEY not in repr(endpoint) + endpoint.identity


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"a\nb", b"\xff\xfe", "schlüssel".encode()])
def test_files_that_hold_no_key(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="give a file that holds the key alone") as caught:
        read_key(file)
    assert "two words" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be read"):
        read_key(tmp_path / "absent")
