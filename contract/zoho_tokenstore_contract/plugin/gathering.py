"""What the tests of a run found out, gathered in the process that reports, and told at the end."""

from __future__ import annotations

import shlex
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import options

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from .._report.verdict import Record, Verdicts

VERDICTS = pytest.StashKey["Verdicts"]()
COMMAND = pytest.StashKey[str]()
ATTACHED = "tokenstore"


class Gatherer:
    """Takes what the tests found out, in the process that reports, and tells it at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.began = time.time()
        self.reports: list[tuple[Path, OSError | None]] = []
        self.printed: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.summarized = False
        self.skipped: set[str] = set()
        self.unasked: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what one test found out, and what it printed."""
        record = record_of(report)
        if record is None:
            if report.skipped and report.when == "setup":
                self.skipped.add(report.nodeid.partition("::")[0])
            return
        verdicts_of(self.config).add(record)
        if record.result is not None:
            self.printed[record.key, record.result.clause] = report.sections

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, Any], tuple[str, str, Any]]:
        """Have pytest count clauses by what became of them: the summary tells those that are not kept."""
        category, letter, word = yield
        record = record_of(report)
        if record is None or report.when != "call":
            return category, letter, word
        from .._report.verdict import category_of

        return category_of(record), letter, word

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take in which stores a worker collected, though all their tests were deselected."""
        for key, target, strict in getattr(node, "workeroutput", {}).get("tokenstore", ()):
            verdicts_of(self.config).expect(key, target, strict=strict)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the reports and the scripts before pytest's summary; print the verdict below all of it."""
        self._refuse_endings(session)
        self._write(session)
        self._refuse_success(session)
        result = yield
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if self.summarized and terminal is not None:
            from .._report.terminal import conclude

            conclude(terminal, verdicts_of(self.config))
        return result

    def _refuse_endings(self, session: pytest.Session) -> None:
        """Where a store ended the process outside its methods, there is no verdict, and no success."""
        verdicts = self.config.stash.get(VERDICTS, None)
        if verdicts is None:
            return
        from .._harness.exit_guard import ended_outside_calls

        ended = ended_outside_calls()
        for store in verdicts.stores.values():
            store.ended = ended
        if ended and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, session: pytest.Session) -> None:
        paths = options.report_paths(self.config)
        reproducers = options.reproducers_path(self.config)
        if paths or VERDICTS in self.config.stash:
            verdicts_of(self.config).put_in_order(self.config.getoption("tokenstore"))
        if reproducers is not None:
            from .._report.script_files import write as write_scripts

            write_scripts(verdicts_of(self.config), reproducers)
        if not paths:
            return
        from .._report.report import report_on
        from .._report.report_files import write

        report = report_on(verdicts_of(self.config), self._command(), self.began, time.time() - self.began)
        for path in paths:
            try:
                write(report, path)
            except OSError as error:
                # The verdict is still told; but whoever waits for the file must not see success.
                self.reports.append((path, error))
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            else:
                self.reports.append((path, None))

    def _refuse_success(self, session: pytest.Session) -> None:
        """A run that was told to check a store is no success where something else has taken clauses out.

        What ``-k`` and the like leave out was asked for. A contract class is among the tests of a project:
        what the project skips is told, and is its own affair.
        """
        named = self.config.getoption("tokenstore")
        if not named or session.exitstatus != pytest.ExitCode.OK or self.config.option.collectonly:
            return
        stores = {store.target: store for store in verdicts_of(self.config).stores.values()}
        for target in dict.fromkeys(named):
            store = stores.get(target)
            partial = options.is_partial(self.config)  # it may ask for the smoke check alone
            if store is not None and partial:
                store = replace(store, only=frozenset(store.results))
            kept = store is not None and (store.keeps_what_was_asked if store.results else partial)
            if not kept or target in self.skipped:
                self.unasked.append(target)
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _command(self) -> str:
        arguments = map(str, self.config.invocation_params.args)
        return self.config.stash.get(COMMAND, "") or shlex.join(["pytest", *arguments])

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print what was found out, below the failures of other tests, and where the reports are."""
        verdicts = self.config.stash.get(VERDICTS, None)
        if verdicts is not None and not (verdicts.began or self.config.getoption("tokenstore")):
            # Other tests were asked for.
            terminalreporter.write_line(f"TokenStore contract: no clause was run of {verdicts.names}")
        elif verdicts is not None:
            from .._report.terminal import summarize

            self.summarized = True
            summarize(terminalreporter, verdicts, self.printed, options.reproducers_path(self.config))
        if self.unasked:
            terminalreporter.write_line(
                f"no success: tests of {', '.join(self.unasked)} were skipped, deselected or expected to "
                "fail, and no option asked for that: look at conftest.py and at plugins",
                red=True,
            )
        for path, error in self.reports:
            if error is None:
                terminalreporter.write_line(f"report: {path}")
            else:
                terminalreporter.write_line(f"report: {path} could not be written: {error}", red=True)


def record_of(report: pytest.TestReport) -> Record | None:
    """What a test found out.

    Args:
        report: The report of the test, from whichever process.

    Returns:
        The record; ``None`` where the test is none of a contract class, or found out nothing.
    """
    data = getattr(report, ATTACHED, None)
    if data is None:
        return None
    from .._report.verdict import Record

    return Record.from_dict(data)


def verdicts_of(config: pytest.Config) -> Verdicts:
    """The verdicts of a run.

    Args:
        config: The run.

    Returns:
        What it knows of its stores so far; made at the first call.
    """
    if VERDICTS not in config.stash:
        from .._report.verdict import Verdicts

        config.stash[VERDICTS] = Verdicts(only=options.only(config))
    return config.stash[VERDICTS]
