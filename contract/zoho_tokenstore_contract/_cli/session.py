"""One pytest run for the command line: the named stores alone, with a line for each group that is done.

The project around it does not take part: not its pytest.ini with whatever options and warnings as
errors it has, not its conftest.py, and no plugin but the kit's own, Hypothesis's and pytest-xdist's.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from .._report.verdict import StoreVerdict
from .._spec.clauses import CLAUSES
from .._spec.outcomes import Outcome
from .._spec.sdk import load
from .._spec.selection import named_clauses
from ..plugin import ATTACHED, VERDICTS

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_ALONE = (
    f"--config-file={os.devnull}",
    "--rootdir=.",
    "--noconftest",
    *("-p", "no:cacheprovider"),
    *("-p", "zoho_tokenstore"),
    *("-p", "hypothesispytest"),
)
_LOOKS = ("-q", "--override-ini=console_output_style=classic")
_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None}


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
    options: Sequence[str], *, processes: str | None = None, one_by_one: bool = False, quiet: bool = False
) -> SessionResult:
    """Run pytest in this process.

    Args:
        options: What is checked and how, as options of the plugin.
        processes: How many processes share the work, as pytest-xdist's ``-n`` takes it.
        one_by_one: The stores have one storage, so that each is checked by one process.
        quiet: Print nothing but the progress, and that on standard error.

    Returns:
        The exit status and the verdicts. What pytest has to say stands on standard output, and wrong
        options on standard error.
    """
    shared: tuple[str, ...] = ()
    if processes is not None:
        distribution = "loadscope" if one_by_one else "worksteal"
        shared = ("-p", "xdist", "--numprocesses", processes, "--dist", distribution)
    progress = Progress(sys.stderr if quiet else None)
    with _environment(), _silence() if quiet else contextlib.nullcontext():
        status = pytest.main([*_ALONE, *_LOOKS, *shared, *options], plugins=[progress])
    return SessionResult(int(status), progress.stores)


class Progress:
    """A plugin: in place of a letter for each test, a line for each group of each store that is done.

    Args:
        stream: Where the lines go; to pytest's terminal by default.

    Attributes:
        stores: At the end, what the run knows of each store.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self.stores: list[StoreVerdict] = []
        self._outcomes: dict[tuple[str, str], _Group] = {}
        self._done = 0

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember what the hooks below are not given."""
        self._config = config
        self._targets = list(dict.fromkeys(config.getoption("tokenstore")))
        entries = config.getoption("tokenstore_only")
        only = named_clauses(entries, "--only") if entries else CLAUSES
        self._sizes = Counter(CLAUSES[clause].group for clause in only)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Say what begins: the first line of a slow store may be minutes away."""
        sdk = load()
        clauses, groups = self._sizes.total(), len(self._sizes)
        self._line(
            f"Checking {', '.join(self._targets)}: {clauses} clauses in {groups} groups, "
            f"with {sdk.distribution} {sdk.version}"
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, Any], tuple[str, str, Any]]:
        """Leave the letters out; pytest counts as ever."""
        category, letter, word = yield
        return (category, letter, word) if getattr(report, ATTACHED, None) is None else (category, "", "")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a clause, whichever process checked it, and tell its group if that was the last."""
        record = getattr(report, ATTACHED, None)
        if record is None or "result" not in record:
            return
        clause = CLAUSES[record["result"]["clause"]]
        group = self._outcomes.setdefault((record["key"], clause.group), _Group())
        group.outcomes[clause.id] = Outcome(record["result"]["outcome"])
        group.fails = group.fails or report.failed
        if not group.told and len(group.outcomes) == self._sizes[clause.group]:
            group.told = True
            self._tell(record["target"], clause.group, group)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Take what the run found out."""
        verdicts = config.stash.get(VERDICTS, None)
        self.stores = [] if verdicts is None else list(verdicts.stores.values())

    def _tell(self, target: str, name: str, group: _Group) -> None:
        self._done += 1
        whole = len(self._sizes) * len(self._targets)
        line = f"[{self._done:{len(str(whole))}}/{whole}] {name:7} {group}"
        if len(self._targets) > 1:
            line += f"  ({target})"
        self._line(line, red=group.fails)

    def _line(self, line: str, **markup: bool) -> None:
        if self._stream is not None:
            print(line, file=self._stream, flush=True)
            return
        terminal: TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(line, **markup)
            terminal.flush()  # a log shows it now, not when its buffer is full


@dataclass
class _Group:
    """What is known of one group of one store."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    fails: bool = False
    told: bool = False

    def __str__(self) -> str:
        counts = Counter(self.outcomes.values())
        words = (f"{counts[one]} {one.value.replace('-', ' ')}" for one in Outcome if counts[one])
        return ", ".join(words)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    # As `python -m pytest` has it: what lies in the current directory can be imported.
    sys.path.insert(0, os.getcwd())
    _set(_ENVIRONMENT)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
