"""Calls, timed: in this thread, in several threads, in several processes."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.contenders import Batch, Contender, Handle, Row


@dataclass
class Timing:
    """How long calls took.

    Attributes:
        seconds: From the start of the first to the end of the last.
        calls: How many there were.
        wrong: How many raised, or were not answered rightly.
        inserted: For each caller, the ids of the rows that it made.
    """

    seconds: float
    calls: int
    wrong: int
    inserted: list[list[str]] = field(default_factory=list)


@dataclass
class _Run:
    began: float
    ended: float
    calls: int
    wrong: int
    inserted: list[str]


def _run(batch: Batch) -> _Run:
    call, pending, answers = batch.call, iter(batch.arguments), []
    began = time.perf_counter()
    while True:
        try:
            for argument in pending:
                answers.append(call(argument))  # noqa: PERF401 (goes on after a failure)
        except Exception as error:
            answers.append(error)
        else:
            break
    ended = time.perf_counter()
    wrong = sum(
        isinstance(answer, Exception) or not batch.right(argument, answer)
        for argument, answer in zip(batch.arguments, answers, strict=True)
    )
    return _Run(began, ended, len(answers), wrong, batch.inserted())


def _together(runs: Sequence[_Run]) -> Timing:
    return Timing(
        max(run.ended for run in runs) - min(run.began for run in runs),
        sum(run.calls for run in runs),
        sum(run.wrong for run in runs),
        [run.inserted for run in runs],
    )


def alone(handle: Handle, operation: str, rows: Sequence[Row], size: int) -> Timing:
    """Make one call for each row, in this thread."""
    return _together([_run(handle.batch(operation, rows, size))])


def in_threads(handles: Sequence[Handle], operation: str, rows: Sequence[Sequence[Row]], size: int) -> Timing:
    """Make one call for each row, in one thread for each handle; all start at once."""
    batches = [handle.batch(operation, own, size) for handle, own in zip(handles, rows, strict=True)]
    start = threading.Barrier(len(batches))
    runs: list[_Run] = []

    def work(batch: Batch) -> None:
        start.wait()
        runs.append(_run(batch))

    threads = [threading.Thread(target=work, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(runs) != len(batches):
        raise RuntimeError("a thread ended before its time")
    return _together(sorted(runs, key=lambda run: run.began))


class Workers:
    """Processes that open contenders for themselves and make calls at the same time."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(number):
            pipe, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(pipe)
            self._processes.append(process)

    def __enter__(self) -> Workers:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()

    def __len__(self) -> int:
        return len(self._pipes)

    def run(self, contender: Contender, operation: str, rows: Sequence[Sequence[Row]]) -> Timing:
        """Make one call for each row, in one process for each sequence; all start at once."""
        for pipe, own in zip(self._pipes, rows, strict=True):
            pipe.send((contender, operation, own))
        self._expect("ready")
        for pipe in self._pipes:
            pipe.send("go")
        return _together([pipe.recv() for pipe in self._pipes])

    def _expect(self, word: str) -> None:
        answers = [pipe.recv() for pipe in self._pipes]
        if answers != [word] * len(answers):
            raise RuntimeError(f"a worker says {answers}")


def _serve(pipe: Connection) -> None:
    handles: dict[Any, Handle] = {}
    while True:
        try:
            contender, operation, rows = pipe.recv()
        except EOFError:
            return
        if contender.place not in handles:
            (handles[contender.place],) = contender.open()
        batch = handles[contender.place].batch(operation, rows, contender.size)
        pipe.send("ready")
        pipe.recv()
        pipe.send(_run(batch))
