"""Processes that share the work of a run, forked before the store is imported.

The process of the command collects the tests, hands them out, and tells what became of them in the order of a
run in one process. The workers inherit the SDK, the kit and Hypothesis, which take seconds to import, but no
store: each imports and opens it for itself, as the workers of pytest-xdist do.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import NoReturn

import pytest

from .._checks.registry import checks_of
from .._drivers.processes import fork_server
from .._drivers.processes.forked_process import ForkedProcess
from .._runner.contract_class import CHECK
from .._spec.clauses import CLAUSES
from .._spec.sdk import SDKMissing, load
from .pytest_isolation import environment

FIRST = 6
"""Tests of a store that one process makes alone: by then it is seen whether two locations share a storage."""
TOGETHER = ("test_PERSIST_5", "test_PROC_1")
"""What one worker takes: each starts a Python in other surroundings, which imports everything anew."""
LONGEST = (
    *("test_THREAD_5", "test_PROC_1", "test_PERSIST_5", "test_CRASH_1", "test_MODEL_1"),
    *("test_CRASH_6", "test_THREAD_4", "test_PROC_2", "test_FLOW_2", "test_CRASH_2"),
)
"""What takes longest, or waits longest: begun last, it would leave the other workers with nothing to do."""
LATER, NO_MORE = "later", "no more"
_GRACE = 7.0  # seconds that a worker gets to remove its files, when it is asked to end
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Worker:
    """A worker, seen from the process that hands out the tests.

    Attributes:
        line: What it is told and tells by.
        asked: The numbers of the tests that it has and has not finished, in their order.
    """

    def __init__(self, others: Sequence[Worker]) -> None:
        """Forks it.

        Args:
            others: The workers that were forked before it.
        """
        self.line, theirs = Pipe()
        self.asked: deque[int] = deque()

        def live() -> None:
            for other in others:
                other.line.close()
            self.line.close()
            _work(theirs)

        self.process = ForkedProcess(live)
        theirs.close()

    def ask(self, number: int) -> None:
        """Give it a test."""
        self.asked.append(number)
        self.tell(number)

    def tell(self, what: int | str) -> None:
        """Answer what comes next: the number of a test, or `LATER`, or `NO_MORE`."""
        with contextlib.suppress(OSError):  # that it has ended is seen when it is listened to
            self.line.send(what)


def start(*, share: bool) -> list[Worker]:
    """Import what every process needs, and fork one worker for each processor, and the fork server.

    Args:
        share: Whether to fork workers at all.

    Returns:
        The workers, which wait; none where there is one processor, or where nothing can be forked. To be
        called before a store is imported and while no thread runs.
    """
    if not fork_server.CAN_FORK or sys.platform == "darwin" or threading.active_count() > 1:
        return []
    try:
        load()
    except SDKMissing:
        return []  # said where the store is imported
    checks_of(next(iter(CLAUSES)))
    gc.freeze()  # no collection looks at all that again, in no process
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers: list[Worker] = []
    if share and number > 1:
        for _ in range(number):
            workers.append(Worker(workers))
    fork_server.fork_now([worker.line for worker in workers])
    return workers


def end(workers: Sequence[Worker], *, at_once: bool = False) -> None:
    """End the workers, when they have removed their files; a second call does nothing.

    Args:
        workers: The workers.
        at_once: Interrupt those that work.
    """
    for worker in workers:
        worker.line.close()
        if at_once:
            worker.process.send(signal.SIGTERM)
    for worker in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(_GRACE)
        worker.process.kill()
        worker.process.wait()


class Sharing:
    """A plugin for the process that hands out the tests."""

    def __init__(self, workers: Sequence[Worker], options: Sequence[str]) -> None:
        """Has the workers begin.

        Args:
            workers: The workers.
            options: What they call pytest with.
        """
        self._workers = list(workers)
        for worker in self._workers:
            worker.line.send(options)  # they collect while this process does

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Have the workers make the tests, where that is worth it and every store has its own storage."""
        items = session.items
        classes = [item.cls for item in items if isinstance(item, pytest.Function)]
        if (
            session.testsfailed
            or session.config.option.collectonly
            or len(classes) < len(items)
            or not all(getattr(cls, "own_storage", False) for cls in classes)
        ):
            return None
        with _endings_passed_on(self._workers):
            try:
                _Handing(session, self._workers).run()
            except BaseException:
                end(self._workers, at_once=True)
                raise
        return True


class _Handing:
    """Hands out the tests of a session, and tells their reports in order."""

    def __init__(self, session: pytest.Session, workers: Sequence[Worker]) -> None:
        self._session = session
        self._items = session.items
        self._workers = list(workers)
        self._leading = workers[0]
        self._free: deque[int] = deque()  # what any worker may take
        self._first: dict[type, list[int]] = {}  # of each store, what has to be known to be fine
        self._rest: dict[type, list[int]] = {}
        for number, item in enumerate(self._items):
            assert isinstance(item, pytest.Function)
            first = self._first.setdefault(item.cls, [])
            (first if len(first) < FIRST else self._rest.setdefault(item.cls, [])).append(number)
        self._untried = deque(self._first)
        self._own: dict[Worker, deque[int]] = {worker: deque() for worker in workers}
        self._ended = [False] * len(self._items)
        self._reports: dict[int, list[pytest.TestReport]] = {}
        self._told = 0

    def run(self) -> None:
        try:
            for worker in self._workers:
                self._hand(worker)
            while self._told < len(self._items):
                if self._session.shouldstop:
                    raise self._session.Interrupted(self._session.shouldstop)
                for line in wait([worker.line for worker in self._workers]):
                    self._listen(next(worker for worker in self._workers if worker.line is line))
        finally:
            # What is known is told, also of a run that breaks off.
            for number in sorted(self._reports):
                self._tell(number)

    def _listen(self, worker: Worker) -> None:
        try:
            kind, number, *told = worker.line.recv()
        except (EOFError, OSError):
            if worker.asked:
                self._lost(worker)
            self._workers.remove(worker)
            return
        item = self._items[number]
        hook = item.config.hook
        if kind == "begins":
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            self._hand(worker)  # so that a worker knows what comes next when it ends this one
        elif kind == "report":
            report = hook.pytest_report_from_serializable(config=item.config, data=told[0])
            self._reports.setdefault(number, []).append(report)
        else:
            worker.asked.popleft()
            self._ended[number] = True
            hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            self._judge(worker, item, refused=told[0])
            while self._told < len(self._items) and self._ended[self._told]:
                self._tell(self._told)
                self._told += 1

    def _tell(self, number: int) -> None:
        for report in self._reports.pop(number, []):
            self._session.config.hook.pytest_runtest_logreport(report=report)

    def _judge(self, worker: Worker, item: pytest.Item, *, refused: bool) -> None:
        """When the first tests of a store are made, share the rest, or have it made where they were made."""
        assert isinstance(item, pytest.Function)
        cls = item.cls
        rest = self._rest.get(cls)
        if rest is None or not all(self._ended[number] for number in self._first[cls]):
            return
        del self._rest[cls]
        if refused:
            self._own[worker].extend(rest)
        else:
            self._free.extend(rest)
        for other in self._workers:
            if not other.asked:
                self._hand(other)

    def _hand(self, worker: Worker) -> None:
        """Give a worker its next test, where there is one."""
        number = self._take(worker)
        if number is not None:
            worker.ask(number)
        elif worker.asked:
            # It works, and would know what comes next.
            worker.tell(LATER if self._rest else NO_MORE)

    def _take(self, worker: Worker) -> int | None:
        """The first worker takes tests from the front, and so tells early; the others what takes longest."""
        own = self._own[worker]
        if not own and self._untried:
            own.extend(self._first[self._untried.popleft()])
        if own:
            return own.popleft()
        if not self._free:
            return None
        number = self._free[0] if worker is self._leading else max(self._free, key=self._length)
        self._free.remove(number)
        if self._items[number].name in TOGETHER:
            own.extend(other for other in self._free if self._items[other].name in TOGETHER)
            for other in own:
                self._free.remove(other)
        return number

    def _length(self, number: int) -> tuple[int, int]:
        """How long a test takes, as a rank; of those that take little time, the last comes first."""
        name = self._items[number].name
        return (len(LONGEST) - LONGEST.index(name) if name in LONGEST else 0, number)

    def _lost(self, worker: Worker) -> NoReturn:
        """A worker has ended before its time; so does the run, as it does in one process."""
        name = self._items[worker.asked[0]].name
        pytest.exit(
            f"the process that ran {name} ended with status {worker.process.wait()}",
            pytest.ExitCode.INTERRUPTED,
        )


@contextlib.contextmanager
def _endings_passed_on(workers: Sequence[Worker]) -> Iterator[None]:
    """Where this process is asked to end, have the workers remove their files first."""

    def finish(number: int, _: object) -> None:
        end(workers, at_once=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    replaced = [one for one in _ENDINGS if signal.getsignal(one) is signal.SIG_DFL]
    for one in replaced:
        signal.signal(one, finish)
    try:
        yield
    finally:
        for one in replaced:
            signal.signal(one, signal.SIG_DFL)


# The workers, seen from inside


def _work(line: Connection) -> None:
    """The life of a worker: it waits for the options, and runs pytest with what it is given."""
    fork_server.fork_now([line])
    try:
        options = line.recv()
    except EOFError:
        return  # nothing is shared
    os.dup2(0, 1)  # what a store prints past pytest belongs nowhere
    with environment():
        pytest.main([*options, "-p", "no:terminal"], plugins=[_Working(line)])


class _Working:
    """A plugin for a worker."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._number = -1

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Say what the workers of pytest-xdist say: another process reports."""
        config.workerinput = {"tokenstore_dist": "no"}  # type: ignore[attr-defined]
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Make the tests that are asked for; of each, the next one is known when it ends."""
        number = self._next()
        while isinstance(number, int):
            item = session.items[number]
            self._number = number
            self._line.send(("begins", number))
            following = self._next()
            upcoming = session.items[following] if isinstance(following, int) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=upcoming)
            holder = item.getparent(pytest.Class)
            check = None if holder is None else holder.stash.get(CHECK, None)
            self._line.send(("ended", number, bool(check is not None and check.sut.refusal)))
            number = self._next() if following == LATER else following
        return True

    def _next(self) -> int | str:
        try:
            what: int | str = self._line.recv()
        except EOFError:
            return NO_MORE  # nobody listens any more
        return what

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send what a test reports."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._line.send(("report", self._number, data))
