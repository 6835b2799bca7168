"""What a run says of its stores on the terminal: one screen first, and the verdict last.

What does not fail the run comes first, a line each. Then each store's verdict, what its users risk, the
broken clauses a line each, grouped by what they share, and a few of them in full. `-v` tells all.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .._spec.clause_results import ClauseResult, Finding, Outcome
from .._spec.clauses import CLAUSES, Level
from .._spec.short_wording import several, shorten
from .._spec.surface import Surface, option, surface
from .diagnosis import Cause
from .hints import REMEDIES, hint
from .report import by_clause, causes_of, counts, not_weighing, risks_of, weighing
from .risks import risk_of
from .script_files import named, reason_script_missing
from .terminal_table import write_table
from .verdict import CONFORMS, WORDS, StoreVerdict, Verdicts
from .wording import (
    calls_of,
    cut,
    expected_and_seen,
    is_timeline,
    one_line,
    sentence,
    short_sentence,
    telling,
    wrapped,
)

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_WIDEST = 100
_FULL = 5
"""Broken clauses that are told in full."""
_ROOM = 44
"""Lines for what is broken, in a line each and in full: the last screen has them."""
_LEAST_FULL = 1
_ENTRY = 3
"""Lines of a text that may go on, such as what was seen."""
_FEW = 8
"""Lines of what is broken, for each of several stores."""
_FEWEST = 6
"""The same where there are many stores."""
_FEW_STORES = 3
"""Of more stores, clauses that do not fail the run are named, and not told."""
_PRINTED = 5
"""Lines that are shown of what a test printed."""
_REASONS = {Outcome.NOT_REACHED: "what their checks arrange fails already; repair what is broken first"}

Printed = Mapping[tuple[str, str], Sequence[tuple[str, str]]]
"""What the tests printed and logged: by the store's key and the clause, sections with a title and a text."""


def summarize(
    terminal: TerminalReporter, verdicts: Verdicts, printed: Printed, scripts: Path | None = None
) -> None:
    """Print what a run found out of each store.

    Args:
        terminal: Where to print; its options ``-v`` and ``--tb`` say how much.
        verdicts: What the run found out.
        printed: What the tests of broken clauses printed.
        scripts: Where a script for each broken clause was written.
    """
    _Summary(terminal, verdicts, printed, scripts).show()


def conclude(terminal: TerminalReporter, verdicts: Verdicts) -> None:
    """Print the verdict and the counts, as the last line of a run.

    Args:
        terminal: Where to print.
        verdicts: What the run found out.
    """
    stores = [store for store in verdicts.stores.values() if _was_checked(store)]
    for store in stores if len(stores) == 1 else ():
        terminal.write_line(f"{_headline(store)}: {counts(store)}", bold=True, **_colour(store))
    if len(stores) > 1:
        words = [WORDS[store.verdict] for store in stores]
        told = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        worst = min(stores, key=lambda store: list(WORDS).index(store.verdict))
        terminal.write_line(f"{len(stores)} stores: {told}", bold=True, **_colour(worst))


def _headline(store: StoreVerdict) -> str:
    said = f"{store.target}: {WORDS[store.verdict]}"
    if store.verdict is None:
        said += f" ({store.reason_undecided})"
    should = [one.clause for one in not_weighing(store) if CLAUSES[one.clause].level is Level.SHOULD]
    if should and store.verdict == CONFORMS:
        said += f" to every MUST clause, but not to {several(should)} (SHOULD)"
    return said


def _colour(store: StoreVerdict) -> dict[str, bool]:
    return {CONFORMS: {"green": True}, None: {"yellow": True}}.get(store.verdict, {"red": True})


def _was_checked(store: StoreVerdict) -> bool:
    return bool(store.results or store.cause)


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST)


class _Summary:
    def __init__(
        self, terminal: TerminalReporter, verdicts: Verdicts, printed: Printed, scripts: Path | None
    ) -> None:
        self.terminal = terminal
        self.stores = {key: store for key, store in verdicts.stores.items() if _was_checked(store)}
        self.causes = {key: causes_of(store) for key, store in self.stores.items()}
        self.skipped = [store for store in verdicts.stores.values() if not _was_checked(store)]
        self.several = len(self.stores) > 1
        self.width = _width()
        self.all = terminal.config.get_verbosity() > 0
        self.details = terminal.config.getoption("tbstyle") not in ("no", "line")
        self.printed = printed
        self.left_out = False
        self.listed = 0
        self.scripts: dict[tuple[int, str], Path] = {}
        if scripts is not None:
            self.scripts = {
                (id(store), result.clause): scripts / name for store, result, name in named(verdicts)
            }

    @property
    def _are_many(self) -> bool:
        return len(self.stores) > _FEW_STORES and not self.all

    def show(self) -> None:
        for store in self.skipped:
            self.terminal.write_line(f"{store.target}: not checked, for no clause of it was run")
        if not self.stores:
            return
        self.terminal.section("TokenStore contract")
        if self.all:
            write_table(self.terminal, list(self.stores.values()), self.width)
        full: list[tuple[str, StoreVerdict, Cause]] = []
        for key, store in self.stores.items():
            causes = self.causes[key]
            if not self.several:
                self._what_does_not_fail(store, causes)
            self._verdict(store, causes)
            full += [(key, store, cause) for cause in self._broken(store, causes)]
            if self.several:
                self._what_does_not_fail(store, causes)
        if self.details and self.all:
            self._all_in_full()
        elif self.details:
            self._in_full(full)
        if self.left_out:
            self.terminal.line(f"({_telling_all()} tells everything)")

    # what does not fail the run

    def _what_does_not_fail(self, store: StoreVerdict, causes: Sequence[Cause]) -> None:
        lines: list[str] = []
        following = {one.clause for cause in causes for one in cause.following}
        light = [result for result in not_weighing(store) if result.clause not in following]
        if not self._are_many:
            lines += [self._light(result, few=len(light) <= _ENTRY) for result in light]
        elif light:
            lines.append(f"not kept, and need not be: {several(result.clause for result in light)}")
        reasons: dict[tuple[Outcome, str], list[str]] = {}
        for result in store.all_results:
            if result.outcome not in (Outcome.KEPT, Outcome.NOT_RUN, Outcome.BROKEN):
                reason = _REASONS.get(result.outcome, result.reason)
                reasons.setdefault((result.outcome, reason), []).append(result.clause)
        for (outcome, reason), clauses in reasons.items():
            if not self._are_many:
                lines.append(f"{outcome.words}: {', '.join(clauses)}: {one_line(reason)}")
            elif outcome is not Outcome.NOT_APPLICABLE:
                lines.append(cut(f"{outcome.words}: {several(clauses)}: {one_line(reason)}", self.width - 2))
        indent = "  " if self.several else ""
        for line in lines:
            self._text(line, indent=indent, hang=f"{indent}  ")
        if lines or self.several:
            self.terminal.line("")

    def _light(self, result: ClauseResult, *, few: bool) -> str:
        clause = CLAUSES[result.clause]
        new = f", new in version {clause.since} of the contract" if clause.new else ""
        said = REMEDIES.get(clause.id) or short_sentence(result)
        line = f"{clause.id} ({clause.level.value}{new}) is not kept: {said}"
        room = _ENTRY * (self.width - 4) if few or clause.id in REMEDIES else self.width
        return line if self.all else cut(line, room)

    # the verdict

    def _verdict(self, store: StoreVerdict, causes: Sequence[Cause]) -> None:
        self.terminal.write_line(_headline(store), bold=True, **_colour(store))
        if store.cause:
            self._text(f"Root cause: {store.cause}", indent="  ", hang="  ", bold=True)
            for number, call in enumerate(store.cause_calls, 1):
                self._text(f"{number}. {one_line(shorten(call)[0])}", indent="  ", hang="     ")
        for words, clauses in risks_of(causes):
            named = several(clauses, 2) if self._are_many else ", ".join(clauses)
            self._text(f"- {words}: {named}", indent="  ", hang="    ")

    # what is broken

    def _broken(self, store: StoreVerdict, groups: Sequence[Cause]) -> list[Cause]:
        """Tell the broken clauses a line each; returns what may be told in full."""
        results = weighing(store)
        name = several if self._are_many else ", ".join
        if results and not self.several:
            self.terminal.line("")
        if store.cause and results and not self.all:
            self._text(
                f"{store.target} breaks what may all follow from its root cause: "
                f"{name([result.clause for result in results])}. "
                f"Repair that first; {_telling_all()} tells each."
            )
            return []
        if results:
            self.terminal.write_line("Broken, and what differs:", bold=True)
        lines = (_FEWEST if self._are_many else _FEW) if self.several else _ROOM
        written = 0
        for number, cause in enumerate(groups):
            if written >= lines and not self.all:
                rest = [result.clause for cause in groups[number:] for result in cause.all]
                self._text(f"  and {name(rest)}", hang="    ")
                self.left_out = True
                break
            written += self._cause(cause)
        self.listed += written
        return sorted(groups, key=lambda cause: (-len(cause.all), *_order(cause.first.clause)))

    def _cause(self, cause: Cause) -> int:
        """Tell a cause: what it is, the clause to begin with, and what follows; returns the lines."""
        lines: list[str] = []
        if cause.words:
            ids = [result.clause for result in cause.results]
            text = f"{', '.join(ids)}: {cause.words}; begin with {cause.first.clause}:"
            lines += wrapped(text, self.width, "  ", "    ")
        entry = f"{'    ' if cause.words else '  '}{cause.first.clause} "
        if self.all:
            lines += wrapped(sentence(cause.first), self.width, entry, "      ")
        else:
            lines.append(cut(entry + short_sentence(cause.first), self.width))
        if cause.following:
            ids = [result.clause for result in cause.following]
            lines += wrapped(
                f"from this follow{'s' * (len(ids) == 1)}: {', '.join(ids)}", self.width, "    ", "      "
            )
        for number, line in enumerate(lines):
            self.terminal.write_line(line, red=True, bold=bool(cause.words) and number == 0)
        return len(lines)

    # in full

    def _all_in_full(self) -> None:
        told = (Outcome.BROKEN, Outcome.NOT_REACHED, Outcome.ALLOWED)
        for key, store in self.stores.items():
            first = weighing(store)
            others = [one for one in store.all_results if one.outcome in told and one not in first]
            groups = by_clause(self.causes[key])
            for result in (*first, *others):
                for line, markup in self._whole(key, store, result, groups.get(result.clause)):
                    self.terminal.write_line(line, **markup)

    def _in_full(self, told: Sequence[tuple[str, StoreVerdict, Cause]]) -> None:
        room = _ROOM - self.listed
        for number, (key, store, cause) in enumerate(told):
            lines = list(self._short(key, store, cause))
            if number >= _FULL or (number >= _LEAST_FULL and len(lines) + 1 > room):
                self.left_out = True
                break
            room -= len(lines) + 1
            if number or not self.several:
                self.terminal.line("")
            for line, markup in lines:
                self.terminal.write_line(line, **markup)

    def _title(self, store: StoreVerdict, result: ClauseResult) -> str:
        clause = CLAUSES[result.clause]
        words = result.outcome.words
        if result.outcome is Outcome.BROKEN and not store.weighs(result):
            words += ", and does not fail the run"
        whose = f" by {store.target}" if self.several else ""
        title = f"{clause.id} ({clause.level.value}) {words}{whose}"
        return f" {cut(title, self.width - 6)} ".center(self.width, "_")

    def _short(self, key: str, store: StoreVerdict, cause: Cause) -> Iterator[tuple[str, dict[str, bool]]]:
        """A clause on a few lines: expected, seen, the fewest calls, why it matters and a hint."""
        result = cause.first
        clause, finding = CLAUSES[result.clause], telling(result)
        yield self._title(store, result), {"bold": True, "red": True}
        if finding is None:
            return
        expected, seen = expected_and_seen(finding)
        yield from self._lines(f"expected: {expected}", hang="          ", most=_ENTRY)
        yield from self._lines(f"seen:     {seen}", hang="          ", most=_ENTRY + 1)
        for line in calls_of(finding):
            if is_timeline(finding) and not finding.shortest:
                yield from self._lines(line, indent=" ", hang=" " * 20, most=2)
            else:
                yield from self._lines(line, indent="    ", hang="        ", most=_ENTRY)
        yield from self._lines(f"why it matters: {clause.why}", hang="  ")
        if advice := hint(result, cause):
            yield from self._lines(f"hint: {advice}", hang="  ")
        yield from self._what_was_printed(self.printed.get((key, result.clause), ()))
        if script := self.scripts.get((id(store), result.clause)):
            yield f"script: {script}", {}
        yield f"more: zoho-tokenstore clauses {clause.id}", {}

    def _whole(
        self, key: str, store: StoreVerdict, result: ClauseResult, cause: Cause | None
    ) -> Iterator[tuple[str, dict[str, bool]]]:
        """A clause with its text and every finding, each with all its calls."""
        clause = CLAUSES[result.clause]
        yield "", {}
        yield self._title(store, result), {"bold": True, "red": True}
        yield from self._lines(clause.text)
        yield from self._lines(f"Why it matters: {clause.why}")
        if clause.new:
            yield f"It is new, and counts from version {clause.since} of the contract on.", {}
        if result.reason:
            yield from self._lines(result.reason)
        if cause is not None and result in cause.following:
            yield f"It follows from {cause.first.clause}.", {}
        elif advice := hint(result, cause):
            yield from self._lines(f"Hint: {advice}")
        for finding in result.findings:
            yield from self._finding(finding)
        yield from self._what_was_printed(self.printed.get((key, result.clause), ()))
        if script := self.scripts.get((id(store), result.clause)):
            yield f"A script that shows it: {script}", {}
        elif reason := reason_script_missing(result):
            yield from self._lines(f"No script shows it: {reason}.")
        yield f"The clause: zoho-tokenstore clauses {clause.id}", {}

    def _finding(self, finding: Finding) -> Iterator[tuple[str, dict[str, bool]]]:
        yield "", {}
        yield from self._lines(f"{finding.words}:", bold=True)
        if finding.precondition_failed:
            yield "  (This could not be checked: arranging it failed.)", {}
        yield from self._lines(f"expected: {finding.expected}", indent="  ", hang="            ")
        yield from self._lines(f"seen:     {finding.seen}", indent="  ", hang="            ")
        for number, call in enumerate(finding.done, 1):
            yield from self._lines(f"{number}. {call}", indent="  ", hang="      ")

    def _what_was_printed(self, sections: Sequence[tuple[str, str]]) -> Iterator[tuple[str, dict[str, bool]]]:
        """What pytest shows below a failed test: standard output, logs."""
        wanted = self.terminal.config.getoption("showcapture")
        for name, content in sections:
            if wanted == "no" or (wanted != "all" and wanted not in name):
                continue
            lines = content.splitlines()
            yield f" {name} ".center(self.width, "-"), {}
            if len(lines) > _PRINTED and not self.all:
                yield f"… ({len(lines) - _PRINTED} lines left out)", {}
                lines = lines[-_PRINTED:]
            for line in lines:
                yield line, {}

    # lines

    def _lines(
        self, text: str, *, indent: str = "", hang: str = "", most: int = 0, **markup: bool
    ) -> Iterator[tuple[str, dict[str, bool]]]:
        lines = list(wrapped(text, self.width, indent, hang))
        if most and len(lines) > most:
            lines = [*lines[: most - 1], cut(lines[most - 1] + "…", self.width)]
            self.left_out = True
        for line in lines:
            yield line, markup

    def _text(self, text: str, *, indent: str = "", hang: str = "", **markup: bool) -> None:
        for line, _ in self._lines(text, indent=indent, hang=hang):
            self.terminal.write_line(line, **markup)


def _telling_all() -> str:
    """What its reader can give to see all that was found out."""
    report = f"{option('report')} report.html"
    return report if surface() is Surface.COMMAND else f"-v, or {report},"


def _order(clause: str) -> tuple[int, int]:
    """How much has to come together for a clause to fail, the plainest first, and then its risk."""
    ranks = {"MODEL": 1, "THREAD": 1, "PROC": 1, "CRASH": 1, "FLOW": 2}
    return ranks.get(CLAUSES[clause].group, 0), risk_of(clause)
