"""The table that ``check --durations`` prints: what each clause costs, in calls and in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .._checks.registry import checks_of
from .._runner.contract_class import CALLS_MADE
from ..plugin.gathering import record_of

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


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
            for line in table(taken):
                terminalreporter.write_line(line)


def table(taken: dict[str, tuple[int, float]]) -> list[str]:
    """The lines of the table, the slowest clause first.

    Args:
        taken: Clause id to the calls of the store in the test process, its threads included, and seconds.
    """
    rows = sorted(taken.items(), key=lambda row: -row[1][1])
    lines = [f"{'clause':10} checks   calls  seconds"]
    lines += [
        f"{clause:10} {len(checks_of(clause)):6} {calls:7,} {seconds:8.2f}"
        for clause, (calls, seconds) in rows
    ]
    checks = sum(len(checks_of(clause)) for clause in taken)
    calls, seconds = (sum(column) for column in zip(*taken.values(), strict=True))
    return [*lines, f"{'all':10} {checks:6} {calls:7,} {seconds:8.2f}"]
