"""What a run says of its stores on the terminal: a table, and each broken clause once.

pytest would show the message of a failed test twice more, under FAILURES and, on a build server, in the
short summary. `FoldedReports` keeps those to a line while the terminal is written; the reports that other
plugins read (JUnit, editors) stay complete.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._spec.clauses import CLAUSES, GROUPS
from .._spec.outcomes import ClauseResult, Finding, Outcome
from .scripts import named, reason_script_missing
from .verdict import CONFORMS, StoreVerdict, Verdicts

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_WIDEST = 100
_CALLS_FIRST, _CALLS_LAST = 2, 8
"""Calls of a finding that are shown where there are many."""
_NOT_REACHED = "what their checks arrange fails already; repair what is broken first"
_PRINTED = 20
"""Lines that are shown of what a test printed."""
_LABELS = {
    Outcome.KEPT: "kept",
    Outcome.BROKEN: "broken",
    Outcome.NOT_REACHED: "n/r",
    Outcome.ALLOWED: "allowed",
    Outcome.NOT_APPLICABLE: "n/a",
    Outcome.UNKNOWN: "unknown",
    Outcome.ERROR: "error",
    Outcome.NOT_RUN: "not run",
}
_COLOURS = {
    Outcome.KEPT: {"green": True},
    Outcome.BROKEN: {"red": True},
    Outcome.NOT_REACHED: {"yellow": True},
    Outcome.ALLOWED: {"yellow": True},
    Outcome.UNKNOWN: {"yellow": True},
    Outcome.ERROR: {"red": True},
}
_ALWAYS = (Outcome.KEPT, Outcome.BROKEN, Outcome.ALLOWED, Outcome.NOT_APPLICABLE)


class FoldedReports:
    """The terminal's reports of clauses, out of the way while the summary tells them.

    Args:
        terminal: Whose reports they are.
        attached: The attribute of a report that holds what its test found out.
    """

    def __init__(self, terminal: TerminalReporter, attached: str) -> None:
        self._attached = attached
        self._stats: dict[str, list[Any]] = terminal.stats
        self._full = {name: list(self._stats.get(name, ())) for name in ("failed", "xfailed")}

    def hide(self) -> None:
        """Leave the other tests' reports alone to pytest's FAILURES."""
        self._show(lambda report: None if self._told(report) else report)

    def shorten(self) -> None:
        """Bring them back, each as one line."""
        self._show(self._shortened)

    def restore(self) -> None:
        """Bring them back as they were."""
        self._show(lambda report: report)

    def captured(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """What was printed and logged by each test of a clause, by its class's node id and the clause."""
        return {
            (record["key"], record["result"]["clause"]): report.sections
            for reports in self._full.values()
            for report in reports
            if (record := self._told(report)) and record.get("result")
        }

    def _show(self, one: Callable[[Any], Any]) -> None:
        for name, reports in self._full.items():
            if reports:
                self._stats[name] = [made for report in reports if (made := one(report)) is not None]

    def _told(self, report: Any) -> dict[str, Any] | None:
        """What the test of a clause, or the smoke test, found out, if it is the summary that tells it."""
        record: dict[str, Any] | None = getattr(report, self._attached, None)
        if record is None or report.when != "call" or not (record.get("result") or record.get("cause")):
            return None
        return record

    def _shortened(self, report: Any) -> Any:
        record = self._told(report)
        if record is None:
            return report
        made = copy.copy(report)
        if result := record.get("result"):
            clause = CLAUSES[result["clause"]]
            made.longrepr = f"{clause.id} ({clause.level.value}): {Outcome(result['outcome']).words}"
        else:
            made.longrepr = f"Root cause: {record['cause']}"
        if hasattr(made, "wasxfail"):
            made.wasxfail = made.longrepr
        return made


def summarize(
    terminal: TerminalReporter,
    verdicts: Verdicts,
    retold: FoldedReports | None = None,
    scripts: Path | None = None,
) -> None:
    """Print the verdict on each store, the table, and each broken clause.

    Args:
        terminal: Where to print; its options ``-v`` and ``--tb`` say how much.
        verdicts: What the run found out.
        retold: The reports of the run, for what the tests printed.
        scripts: Where a script for each broken clause was written.
    """
    _Summary(terminal, verdicts, retold, scripts).show()


class _Summary:
    def __init__(
        self,
        terminal: TerminalReporter,
        verdicts: Verdicts,
        retold: FoldedReports | None,
        scripts: Path | None,
    ) -> None:
        self.terminal = terminal
        self.stores = verdicts.stores
        self.width = min(shutil.get_terminal_size().columns, _WIDEST)
        self.all = terminal.config.get_verbosity() > 0
        self.details = terminal.config.getoption("tbstyle") not in ("no", "line")
        self.printed = {} if retold is None else retold.captured()
        self.left_out = self.has_scripts = False
        keys = {id(store): key for key, store in self.stores.items()}
        self.scripts: dict[tuple[str, str], Path] = {}
        if scripts is not None:
            for store, result, name in named(verdicts):
                self.scripts[keys[id(store)], result.clause] = scripts / name

    def show(self) -> None:
        self.terminal.section("TokenStore contract")
        for number, store in enumerate(self.stores.values(), 1):
            self._headline(number, store)
        self._tables()
        for key, store in self.stores.items():
            self._reasons(store)
            self._broken(key, store)
        if self.left_out:
            self.terminal.line("(Add -v to see what was left out.)")
        if self.has_scripts:
            self.terminal.line("(Scripts to paste into a bug report: --tokenstore-reproducers DIR)")

    # verdicts

    def _headline(self, number: int, store: StoreVerdict) -> None:
        verdict = store.verdict
        colour = {CONFORMS: {"green": True}, None: {"yellow": True}}.get(verdict, {"red": True})
        words = f"NO VERDICT ({store.reason_no_script})" if verdict is None else verdict.upper()
        prefix = f"[{number}] " if len(self.stores) > 1 else ""
        self.terminal.write_line(f"{prefix}{store.target}: {words}", bold=True, **colour)
        if store.cause:
            self._text(f"Root cause: {store.cause}", indent="  ", bold=True)
            self._calls(store.cause_calls, indent="  ")

    # the table

    def _tables(self) -> None:
        """Groups as rows; as many stores side by side as the width has room for."""
        several = len(self.stores) > 1
        outcomes = [
            outcome
            for outcome in _LABELS
            if (outcome in _ALWAYS and not several)
            or any(store.counts[outcome] for store in self.stores.values())
        ]
        widths = [len(_LABELS[outcome]) + (1 if several else 2) for outcome in outcomes]
        one = sum(widths) + 1
        label = max(map(len, GROUPS)) + 1
        about = max(map(len, GROUPS.values())) + 1
        together = max(1, min(len(self.stores), (self.width - label) // one))
        if label + about + together * one > self.width:
            about = 0
        numbered = list(enumerate(self.stores.values(), 1))
        for start in range(0, len(numbered), together):
            block = numbered[start : start + together]
            self.terminal.line("")
            if several:
                heads = "".join(f"[{number}]".rjust(one) for number, _ in block)
                self.terminal.line(" " * (label + about) + heads)
            heads = " " + "".join(
                _LABELS[outcome].rjust(width) for outcome, width in zip(outcomes, widths, strict=True)
            )
            self.terminal.line(" " * (label + about) + heads * len(block))
            for group, words in GROUPS.items():
                self._row(group.ljust(label) + words.ljust(about)[:about], group, block, outcomes, widths)
            self._row("all".ljust(label + about), None, block, outcomes, widths)
        self.terminal.line("")

    def _row(
        self,
        label: str,
        group: str | None,
        block: Sequence[tuple[int, StoreVerdict]],
        outcomes: Sequence[Outcome],
        widths: Sequence[int],
    ) -> None:
        self.terminal.write(label, bold=group is None)
        for _, store in block:
            self.terminal.write(" ")
            counts = [result.outcome for result in store.all_results if _is_in(result, group)]
            for outcome, width in zip(outcomes, widths, strict=True):
                number = counts.count(outcome)
                colour = _COLOURS.get(outcome, {}) if number else {}
                self.terminal.write((str(number) if number else "-").rjust(width), **colour)
        self.terminal.line("")

    # what is not broken, and not kept

    def _reasons(self, store: StoreVerdict) -> None:
        reasons: dict[tuple[Outcome, str], list[str]] = {}
        for result in store.all_results:
            if result.outcome not in (Outcome.KEPT, Outcome.NOT_RUN, Outcome.BROKEN):
                reason = _NOT_REACHED if result.outcome is Outcome.NOT_REACHED else result.reason
                reasons.setdefault((result.outcome, reason), []).append(result.clause)
        if reasons and len(self.stores) > 1:
            self.terminal.write_line(store.target, bold=True)
        for (outcome, reason), clauses in reasons.items():
            self._text(f"{outcome.words}: {', '.join(clauses)}: {reason}", indent="  ")
        if reasons:
            self.terminal.line("")

    # what is broken

    def _broken(self, key: str, store: StoreVerdict) -> None:
        told = {Outcome.BROKEN}
        if self.all:
            told |= {Outcome.NOT_REACHED, Outcome.ALLOWED}
        results = [result for result in store.all_results if result.outcome in told]
        if store.cause and results and not self.all:
            names = ", ".join(result.clause for result in results)
            self._text(
                f"{store.target} breaks what may all follow from its root cause: {names}. "
                "Repair that first; add -v to see each.",
                indent="",
            )
            self.terminal.line("")
            return
        for result in sorted(results, key=lambda result: not store.weighs(result)):
            self._clause(key, store, result)

    def _clause(self, key: str, store: StoreVerdict, result: ClauseResult) -> None:
        clause = CLAUSES[result.clause]
        words = result.outcome.words
        if result.outcome is Outcome.BROKEN and not store.weighs(result):
            words += ", and does not fail the run"
        whose = f" by {store.target}" if len(self.stores) > 1 else ""
        if not self.details:
            self._text(f"{clause.id} ({clause.level.value}) {words}{whose}: {clause.text}", indent="")
            return
        self.terminal.write_sep(
            "_", f"{clause.id} ({clause.level.value}) {words}{whose}", bold=True, red=True
        )
        self._text(clause.text, indent="")
        self._text(f"Why it matters: {clause.why}", indent="")
        if clause.new:
            self._text(f"It is new, and counts from version {clause.since} of the contract on.", indent="")
        if result.reason:
            self._text(result.reason, indent="")
        for number, finding in enumerate(result.findings):
            self._finding(finding, calls=number == 0 or self.all)
        self._what_was_printed(self.printed.get((key, result.clause), ()))
        self._script(key, result)
        self._text(
            f"The clause: zoho-tokenstore clauses {clause.id}, or docs/contract.md#{clause.id.lower()}",
            indent="",
        )
        self.terminal.line("")

    def _script(self, key: str, result: ClauseResult) -> None:
        if (key, result.clause) in self.scripts:
            self.terminal.line(f"A script that shows it: {self.scripts[key, result.clause]}")
        elif reason := reason_script_missing(result):
            self._text(f"No script shows it: {reason}.", indent="")
        elif not self.scripts:
            self.has_scripts = True  # one is made where it is asked for

    def _finding(self, finding: Finding, *, calls: bool) -> None:
        self.terminal.line("")
        self._text(f"{finding.check.replace('_', ' ')}:", indent="", bold=True)
        if finding.precondition_failed:
            self._text("(This could not be checked: arranging it failed.)", indent="  ")
        if calls:
            self._calls(finding.done, indent="  ")
        elif finding.done:
            self._text(f"({len(finding.done)} calls left out)", indent="  ")
            self.left_out = True
        self._text(f"expected: {finding.expected}", indent="  ", hang="            ")
        self._text(f"seen:     {finding.seen}", indent="  ", hang="            ")

    def _calls(self, calls: Sequence[str], indent: str) -> None:
        numbered = [f"{number}. {call}" for number, call in enumerate(calls, 1)]
        between = len(numbered) - _CALLS_FIRST - _CALLS_LAST
        for number, call in enumerate(numbered):
            if self.all or between <= 1 or not _CALLS_FIRST <= number < len(numbered) - _CALLS_LAST:
                self._text(call, indent=indent, hang=indent + "    ")
            elif number == _CALLS_FIRST:
                self._text(f"... ({between} calls left out)", indent=indent)
                self.left_out = True

    def _what_was_printed(self, sections: Sequence[tuple[str, str]]) -> None:
        """What pytest shows below a failed test: standard output, logs."""
        wanted = self.terminal.config.getoption("showcapture")
        for name, content in sections:
            if wanted == "no" or (wanted != "all" and wanted not in name):
                continue
            lines = content.splitlines()
            self.terminal.line("")
            self.terminal.write_sep("-", name)
            if len(lines) > _PRINTED and not self.all:
                self.terminal.line(f"... ({len(lines) - _PRINTED} lines left out)")
                self.left_out = True
                lines = lines[-_PRINTED:]
            for line in lines:
                self.terminal.line(line)

    def _text(self, text: str, *, indent: str, hang: str | None = None, **markup: bool) -> None:
        for line in wrapped(text, self.width, indent, indent if hang is None else hang):
            self.terminal.write_line(line, **markup)


def wrapped(text: str, width: int, indent: str = "", hang: str = "") -> Iterator[str]:
    """Break a text into lines, with every character of it.

    Args:
        text: The text; line breaks in it stay.
        width: How long a line may be, in characters.
        indent: What the first line begins with.
        hang: What the others begin with.
    """
    for paragraph in text.split("\n"):
        # Words with the space behind them: nothing inside a quoted value is swallowed or doubled.
        line, empty = indent, True
        for word in re.findall(r"\S*[^\S\n]*", paragraph):
            if not empty and len(line) + len(word.rstrip()) > width:
                yield line.rstrip(" ")
                line, empty = hang, True
            left = word
            while empty and len(line) + len(left.rstrip()) > width > len(line):
                room = width - len(line)
                yield line + left[:room]
                left = left[room:]
                line = hang
            line += left
            empty = empty and not left
        yield line.rstrip(" ")
        indent = hang


def _is_in(result: ClauseResult, group: str | None) -> bool:
    return group is None or CLAUSES[result.clause].group == group
