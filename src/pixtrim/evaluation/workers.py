"""Samples evaluated by several processes at a time.

The standard library's pools do not fit: a process that dies (an engine that crashes, memory that runs out) breaks a
`ProcessPoolExecutor` as a whole, which then cannot say what it was working on, and neither can be stopped in time.
Here each process is on the other end of a pipe and works on one sample at a time.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pickle import PicklingError
from threading import current_thread, main_thread
from time import monotonic
from typing import Final

from pixtrim.errors import PixtrimError
from pixtrim.evaluation.job import Bench, Outcome, Task, reason
from pixtrim.evaluation.samples import Sample

__all__ = ["outcomes"]

GRACE: Final = 3.0
"""Seconds that a process has to end what it is at, before it is ended."""


def outcomes(samples: Sequence[Sample], task: Task, workers: int) -> Generator[tuple[int, Outcome], None, None]:
    """Evaluate samples, and yield the number of each and what became of it, as they are done.

    Parameters
    ----------
    samples : sequence of Sample
        What is sent to a process: with more than no workers, their functions have to be pickled.
    task : Task
        What is the same for all of them.
    workers : int
        Processes; 0 does the work in this one.

    Raises
    ------
    PixtrimError
        If a process cannot start.
    """
    if workers == 0:
        yield from _in_this_process(samples, task)
        return
    crew = _Crew(samples, task)
    try:
        crew.start(min(workers, len(samples)))
        yield from crew.work()
    finally:
        crew.end()


def _in_this_process(samples: Sequence[Sample], task: Task) -> Iterator[tuple[int, Outcome]]:
    with closing(Bench(task)) as bench:
        for number, sample in enumerate(samples):
            outcome = bench.evaluate(_fresh(sample))
            if outcome is not None:
                yield number, outcome


def _fresh(sample: Sample) -> Sample:
    """Return a sample without the pixels that it may have read by now: they are let go when its work is done."""
    return replace(sample)


# --- on this side of the pipes -------------------------------------------------------------------------------------


@dataclass
class _Worker:
    """A process, and the number of the sample that it works on; it is ready once it has said so."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    number: int | None = None


class _Crew:
    """The processes; each gets the next sample when it is done with one."""

    def __init__(self, samples: Sequence[Sample], task: Task) -> None:
        self.samples, self.task = samples, task
        self.workers: list[_Worker] = []
        self.left = deque(range(len(samples)))

    def start(self, count: int) -> None:
        context = get_context("spawn")
        for _ in range(count):
            pipe, other = context.Pipe()
            process = context.Process(target=_serve, args=(other, self.task), daemon=True)
            with _deaf():
                process.start()
            other.close()  # so that the end of the process is the end of the pipe
            self.workers.append(_Worker(process, pipe))

    def work(self) -> Iterator[tuple[int, Outcome]]:
        while self.workers:
            by_pipe = {worker.pipe: worker for worker in self.workers}
            for pipe in wait(list(by_pipe)):
                worker = by_pipe[pipe]  # type: ignore[index]  # only our pipes come back
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    answer = None
                yield from self._take(worker, answer)

    def _take(self, worker: _Worker, answer: object) -> Iterator[tuple[int, Outcome]]:
        """Take what a process said; None is that it died."""
        if not worker.ready:
            if answer != "ready":
                worker.process.join(GRACE)
                why = answer or f"it ended with exit code {worker.process.exitcode}"
                raise PixtrimError(f"a process for the work could not start: {why}; workers=0 works in this one")
            worker.ready = True
        elif worker.number is not None:
            number, worker.number = worker.number, None
            yield number, self._outcome(worker, number, answer)
        if answer is None:
            self.workers.remove(worker)
            self._let_go(worker)
            self.start(1 if self.left else 0)
        else:
            yield from self._give(worker)

    def _outcome(self, worker: _Worker, number: int, answer: object) -> Outcome:
        if isinstance(answer, Outcome):
            return answer
        if answer is None:
            worker.process.join(GRACE)
            answer = f"the process that worked on it died (exit code {worker.process.exitcode})"
        return Outcome(errors=[(self.samples[number].name, str(answer))])

    def _give(self, worker: _Worker) -> Iterator[tuple[int, Outcome]]:
        """Send the next sample to a process, or let the process go."""
        while self.left:
            number = self.left.popleft()
            sample = self.samples[number]
            try:
                worker.pipe.send(_fresh(sample))
            except (AttributeError, PicklingError, TypeError) as error:
                why = f"cannot be sent to a process ({reason(error)}): use functions of a module, or workers=0"
                yield number, Outcome(errors=[(sample.name, why)])
                continue
            except OSError:
                pass  # the process died: its pipe will say so
            worker.number = number
            return
        self.workers.remove(worker)
        self._let_go(worker)

    def _let_go(self, worker: _Worker) -> None:
        worker.pipe.close()
        worker.process.join(GRACE)

    def end(self) -> None:
        """End all processes: those at work end at the next score, or else are ended."""
        try:
            for worker in self.workers:
                worker.pipe.close()
            limit = monotonic() + GRACE
            for worker in self.workers:
                worker.process.join(max(0.0, limit - monotonic()))
        finally:
            for worker in self.workers:
                if worker.process.is_alive():
                    worker.process.kill()


@contextmanager
def _deaf() -> Iterator[None]:
    """Ignore Ctrl-C while a process is started, and takes that over: it is for this process, which ends the others."""
    if current_thread() is not main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler or signal.SIG_DFL)


# --- on the other side ---------------------------------------------------------------------------------------------


def _serve(pipe: Connection, task: Task) -> None:
    """Evaluate what comes through the pipe, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where that is not taken over from the process that started this one
    try:
        bench = Bench(task)
    except Exception as error:
        pipe.send(reason(error))
        return

    def stopped() -> bool:
        """Whether the pipe has ended: nothing else comes through it before the answer."""
        try:
            return pipe.poll()
        except OSError:
            return True

    try:
        pipe.send("ready")
        while True:
            outcome = _answer(bench, pipe, stopped)
            if outcome is None:
                break
            pipe.send(outcome)
    except (EOFError, OSError):  # the end of the pipe
        pass
    finally:
        bench.close()


def _answer(bench: Bench, pipe: Connection, stopped: Callable[[], bool]) -> Outcome | str | None:
    """Evaluate the next sample; a text is why it could not be received."""
    try:
        sample = pipe.recv()
    except (EOFError, OSError):
        raise
    except Exception as error:
        return f"cannot be received by a process ({reason(error)}): use functions of a module, or workers=0"
    return bench.evaluate(sample, stopped)
