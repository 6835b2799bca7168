"""One pytest run for the command line: its progress, and what each clause costs."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from .._checks.registry import checks_of
from .._report.verdict import StoreVerdict
from .._report.wording import wrapped
from .._runner.contract_class import CALLS_MADE
from .._spec.clause_results import Outcome
from .._spec.clause_selection import named_clauses
from .._spec.clauses import CLAUSES
from .._spec.sdk import load
from .._spec.short_wording import several
from ..plugin.gathering import COMMAND, VERDICTS, record_of
from .pytest_isolation import ALONE, environment
from .worker_processes import Sharing, Worker, end

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_LOOKS = ("-q", "--override-ini=console_output_style=classic")


@dataclass(frozen=True)
class SessionResult:
    """What a run came to.

    Attributes:
        status: The exit status of pytest.
        stores: What it knows of each store; none where it did not get that far.
    """

    status: int
    stores: Sequence[StoreVerdict]

    @property
    def misused(self) -> bool:
        """Whether pytest refused an option; it has said why."""
        return self.status == pytest.ExitCode.USAGE_ERROR

    @property
    def whole(self) -> bool:
        """Whether the run came to its end."""
        return self.status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)

    @property
    def conforms(self) -> bool:
        """Whether every store was checked against what was asked for, and keeps what it must keep."""
        kept = [store.keeps_what_was_asked for store in self.stores]
        return self.status == pytest.ExitCode.OK and bool(kept) and all(kept)


def run(
    options: Sequence[str],
    *,
    processes: str | None = None,
    one_by_one: bool = False,
    quiet: bool = False,
    workers: Sequence[Worker] = (),
    durations: bool = False,
) -> SessionResult:
    """Run pytest in this process.

    Args:
        options: What is checked and how, as options of the plugin.
        processes: How many processes share the work, as pytest-xdist's ``-n`` takes it.
        one_by_one: The stores have one storage, so that each is checked by one process.
        quiet: Print nothing but the progress, and that on standard error.
        workers: Processes that make the tests, where each store has its own storage. They have ended then.
        durations: Print what each clause took, in calls and in seconds.

    Returns:
        The exit status and the verdicts. What pytest has to say stands on standard output, and wrong
        options on standard error.
    """
    shared: tuple[str, ...] = ()
    if processes is not None:
        distribution = "loadscope" if one_by_one else "worksteal"
        shared = ("-p", "xdist", "--numprocesses", processes, "--dist", distribution)
    progress = Progress(sys.stderr if quiet else None)
    plugins: list[object] = [progress]
    if durations:
        plugins.append(Durations())
    if workers:
        plugins.append(Sharing(workers, [*ALONE, *options]))
    try:
        with environment(), _silence() if quiet else contextlib.nullcontext():
            status = pytest.main([*ALONE, *_LOOKS, *shared, *options], plugins=plugins)
    finally:
        end(workers)
    return SessionResult(int(status), progress.stores)


class Progress:
    """A plugin: in place of a letter for each test, what is being done.

    A terminal has one line that changes: the clause, how many are done, the seconds since the start, and the
    slowest so far. A log has a line for each group that is done, or for each store where there are many.

    Args:
        stream: Where the lines go; to pytest's terminal by default.

    Attributes:
        stores: At the end, what the run knows of each store.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self.stores: list[StoreVerdict] = []
        self._outcomes: dict[tuple[str, str], _Group] = {}
        self._running: dict[str, float] = {}
        self._told_slow: set[str] = set()
        self._slowest = (0.0, "")
        self._done = 0
        self._live = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember what the hooks below are not given."""
        self._config = config
        self._targets = list(dict.fromkeys(config.getoption("tokenstore")))
        entries = config.getoption("tokenstore_only")
        only = named_clauses(entries, "--only") if entries else CLAUSES
        self._sizes = Counter(CLAUSES[clause].group for clause in only)
        self._whole = self._sizes.total() * len(self._targets)
        config.stash[COMMAND] = shlex.join(["zoho-tokenstore", *sys.argv[1:]])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Say what begins: the first line of a slow store may be minutes away."""
        sdk = load()
        clauses = f"{total} clauses" if (total := self._sizes.total()) > 1 else "1 clause"
        groups = f"{len(self._sizes)} groups" if len(self._sizes) > 1 else "1 group"
        self._live = self._file() is not None and self._file().isatty()
        self._line(
            f"Checking {several(self._targets)}: {clauses} in {groups}, with {sdk.distribution} {sdk.version}"
        )
        threading.Thread(target=self._watch, daemon=True, name="tokenstore-progress").start()

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, Any], tuple[str, str, Any]]:
        """Leave the letters out; pytest counts as ever."""
        category, letter, word = yield
        return (category, letter, word) if record_of(report) is None else (category, "", "")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remember since when a clause is checked."""
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Remember how long a clause took."""
        took = time.monotonic() - self._running.pop(nodeid, time.monotonic())
        self._slowest = max(self._slowest, (took, _clause_in(nodeid)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a clause, whichever process checked it, and tell its group if that was the last."""
        record = record_of(report)
        if record is None or record.result is None:
            return
        clause = CLAUSES[record.result.clause]
        name, size = clause.group, self._sizes[clause.group]
        if len(self._targets) > _FEW_STORES:
            name, size = "", self._sizes.total()
        group = self._outcomes.setdefault((record.key, name), _Group())
        group.outcomes[clause.id] = record.result.outcome
        group.fails = group.fails or report.failed
        group.seconds += report.duration
        self._done += 1
        if not group.told and len(group.outcomes) == size:
            group.told = True
            self._tell(record.target, name, group)

    def pytest_sessionfinish(self) -> None:
        """Take the live line away before pytest tells how it ended."""
        self._ended.set()
        self._clear()

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Take what the run found out."""
        self._ended.set()
        verdicts = config.stash.get(VERDICTS, None)
        self.stores = [] if verdicts is None else list(verdicts.stores.values())

    def _tell(self, target: str, name: str, group: _Group) -> None:
        line = f"[{self._done:{len(str(self._whole))}}/{self._whole}] {f'{name:7} ' if name else ''}{group}"
        if len(self._targets) > 1:
            line += f"  ({target})"
        self._line(line, red=group.fails)

    def _watch(self) -> None:
        """Say what is slow, and on a terminal what is done, until the run ends."""
        while not self._ended.wait(_TICK):
            now = time.monotonic()
            running = dict(self._running)
            for nodeid, began in running.items():
                clause = _clause_in(nodeid)
                if now - began > _SLOW and clause not in self._told_slow:
                    self._told_slow.add(clause)
                    self._line(f"{clause} has taken more than {_SLOW:g} s")
            if self._live:
                self._refresh(now, running)

    def _refresh(self, now: float, running: dict[str, float]) -> None:
        words = f"{self._done}/{self._whole} clauses, {now - self._began:.0f} s"
        if running:
            names = [f"{_clause_in(nodeid)} {now - began:.0f} s" for nodeid, began in running.items()]
            words += f"; now {', '.join(names[:3])}"
        if self._slowest[0] >= 1:
            words += f"; slowest {self._slowest[1]} {self._slowest[0]:.0f} s"
        width = shutil.get_terminal_size().columns - 1
        self._write(f"\r{words[:width]}\x1b[K")

    def _clear(self) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        file = self._file()
        if file is not None:
            with self._lock:
                file.write(text)
                file.flush()

    def _file(self) -> Any:
        if self._stream is not None:
            return self._stream
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        return None if terminal is None else self._config.get_terminal_writer()._file

    def _line(self, line: str, **markup: bool) -> None:
        self._clear()
        lines = wrapped(line, shutil.get_terminal_size().columns, hang="  ")
        if self._stream is not None:
            print(*lines, sep="\n", file=self._stream, flush=True)
            return
        terminal: TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            with self._lock:
                for one in lines:
                    terminal.write_line(one, **markup)
                terminal.flush()  # a log shows it now, not when its buffer is full


_SLOW = 10.0
"""Seconds after which a clause is said to take long."""
_TICK = 0.5
"""Seconds between two looks at what is running."""
_FEW_STORES = 3
"""Of more stores, a log has a line for each, and not one for each of their groups."""


def _clause_in(nodeid: str) -> str:
    return nodeid.rpartition("::test_")[2].replace("_", "-")


@dataclass
class _Group:
    """What is known of one group of one store, or of a whole store."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    fails: bool = False
    told: bool = False

    def __str__(self) -> str:
        counts = Counter(self.outcomes.values())
        words = (f"{counts[one]} {one.value.replace('-', ' ')}" for one in Outcome if counts[one])
        return f"{', '.join(words)}, {self.seconds:.1f} s"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


class Durations:
    """A plugin that gathers what every test of a clause took, and prints it by seconds."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, tuple[int, float]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one clause, whichever process checked it."""
        record = record_of(report)
        if record is not None and record.result is not None:
            properties: dict[str, Any] = dict(report.user_properties)
            taken = self._taken.setdefault(record.target, {})
            taken[record.result.clause] = (properties.get(CALLS_MADE, 0), report.duration)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print a table for each store."""
        for target, taken in self._taken.items():
            terminalreporter.section(f"calls and seconds of {target}")
            for line in _table(taken):
                terminalreporter.write_line(line)


def _table(taken: dict[str, tuple[int, float]]) -> list[str]:
    """The lines of the table, the slowest clause first: its calls in the test process, and its seconds."""
    rows = sorted(taken.items(), key=lambda row: -row[1][1])
    lines = [f"{'clause':10} checks   calls  seconds"]
    lines += [
        f"{clause:10} {len(checks_of(clause)):6} {calls:7,} {seconds:8.2f}"
        for clause, (calls, seconds) in rows
    ]
    checks = sum(len(checks_of(clause)) for clause in taken)
    calls, seconds = (sum(column) for column in zip(*taken.values(), strict=True))
    return [*lines, f"{'all':10} {checks:6} {calls:7,} {seconds:8.2f}"]
