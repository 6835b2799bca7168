"""Runs the checks of a clause on a store, and says what became of it; `StoreCheck` does so clause by clause.

Every way to run the kit uses `StoreCheck`: the tests of a contract class, and with them the plugin and the
command, ask it one clause at a time; the function `check` asks it all of them. So they answer alike.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace

from .._checks.registry import Check, checks_of
from .._checks.sample_tokens import ANN, BOB, KINDS
from .._drivers.storage_faults import main_file
from .._harness.messages import format_exception
from .._harness.store_limits import NO_LIMITS, Limits, keeping_to
from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort, Workspace
from .._reproduce.minimize import CALLS, reproduce
from .._reproduce.program import Unplayable
from .._spec.clause_results import (
    ENDINGS,
    ClauseResult,
    Finding,
    NotApplicable,
    Outcome,
    StoreUnavailable,
    Undecided,
    Violation,
)
from .._spec.clauses import CLAUSES
from .find_limits import limits_of
from .smoke_check import Diagnosis, diagnose

HANGS_ENDURED = 3


def check_clause(clause_id: str, sut: StoreUnderTest, effort: Effort, *, search: int = 0) -> ClauseResult:
    """Run every check of a clause on a store.

    Args:
        clause_id: The clause.
        sut: The store under test.
        effort: How deep to look.
        search: How many calls of the store the search for the shortest script of the first finding may
            cost, which may take longer than to find it; 0: write none.

    Returns:
        What became of the clause. Exceptions of the factory or of the kit itself are the outcome
        `Outcome.ERROR`, never raised.
    """
    findings: list[Finding] = []
    reasons: list[str] = []
    kept, hung = 0, len(sut.hangs)
    blamed: list[Violation] = []
    checks = checks_of(clause_id)
    if not checks:
        return ClauseResult(clause_id, Outcome.ERROR, reason=f"the kit has no check of {clause_id}")
    for one in checks:
        try:
            _run_check(one, sut, effort)
        except Violation as violation:
            if violation.blame:
                blamed.append(violation)
            shown = any(each.script for each in findings)
            findings.append(_finding(one, sut, violation, 0 if shown else search))
            if len(sut.hangs) > hung and not violation.precondition_failed:
                break  # it is broken, and each further check might wait as long
        except NotApplicable as reason:
            reasons.append(str(reason))
        except Undecided as reason:
            return ClauseResult(clause_id, Outcome.UNKNOWN, reason=str(reason))
        except StoreUnavailable as reason:
            return ClauseResult(clause_id, Outcome.ERROR, reason=str(reason))
        except (Exception, SystemExit) as error:
            return ClauseResult(
                clause_id,
                Outcome.ERROR,
                reason=f"the kit itself failed in {one.name}: {format_exception(error)}",
            )
        else:
            kept += 1
    held = sut.limits is None or sut.limits.keeps  # of rows that keep nothing, nothing is known
    if findings and held and len(blamed) == len(findings) and (kept or any(one.compared for one in blamed)):
        # What could not be tried fails for the fault of a clause that tells it; all else is kept.
        findings, kept = [], max(1, kept)
    if findings and search and clause_id in CLAUSES_OF_FILES:
        written = how_files_are_written(sut, effort)
        findings = [replace(one, done=(*one.done, *written)) for one in findings]
    if findings:
        if clause_id in sut.allowed:
            return ClauseResult(
                clause_id, Outcome.ALLOWED, tuple(findings), f"Allowed: {sut.allowed[clause_id]}"
            )
        reached = not all(finding.precondition_failed for finding in findings)
        return ClauseResult(clause_id, Outcome.BROKEN if reached else Outcome.NOT_REACHED, tuple(findings))
    if kept and clause_id in sut.allowed:
        return ClauseResult(
            clause_id,
            Outcome.ERROR,
            reason=f"it is allowed to be broken ({sut.allowed[clause_id]}), but this store keeps it: "
            "take it off the list",
        )
    if not kept:
        return ClauseResult(clause_id, Outcome.NOT_APPLICABLE, reason="; ".join(dict.fromkeys(reasons)))
    return ClauseResult(clause_id, Outcome.KEPT)


def _finding(one: Check, sut: StoreUnderTest, violation: Violation, search: int) -> Finding:
    """What a check found, with a script that shows it where the search may cost any calls."""
    finding = Finding(
        one.name,
        violation.expected,
        violation.seen,
        violation.done,
        violation.precondition_failed,
        difference=violation.difference,
    )
    if not search:
        return finding
    try:
        found = reproduce(sut, one.clause, violation, search)
        return replace(finding, script=found.script, shortest=found.shortest)
    except Unplayable as reason:
        return replace(finding, no_script=str(reason))
    except (Exception, SystemExit) as error:
        return replace(finding, no_script=f"the kit itself failed to write one: {format_exception(error)}")


def fails(result: ClauseResult, sut: StoreUnderTest) -> bool:
    """Whether a result fails the run: a clause that counts is broken, or the check reached no result.

    Args:
        result: What became of the clause.
        sut: The store under test.

    Returns:
        Whether the run fails.
    """
    clause = CLAUSES[result.clause]
    if result.outcome in (Outcome.BROKEN, Outcome.NOT_REACHED):
        return clause.weighs(strict=sut.strict)
    return result.outcome in (Outcome.ERROR, Outcome.UNKNOWN) and not clause.new


def _run_check(one: Check, sut: StoreUnderTest, effort: Effort) -> None:
    if sut.refusal:
        raise StoreUnavailable(sut.refusal)
    if one.persistent and not sut.persistent:
        raise NotApplicable("the store is declared as not persistent")
    if one.thread_safe and not sut.thread_safe:
        raise NotApplicable("the store is declared as not thread-safe")
    if len(sut.hangs) >= HANGS_ENDURED:
        raise Violation(
            expected="calls that come back",
            seen=f"not asked any more, for calls never came back: {', '.join(sut.hangs)}",
            precondition_failed=True,
        )
    try:
        with Workspace(sut, effort) as workspace:
            one.run(workspace)
    except Violation as violation:
        if sut.hangs:
            raise
        if sut.limits is None:
            sut.limits = limits_of(sut, effort)
        limits = sut.limits.beside(one.clause, arranging=violation.precondition_failed)
        if limits == NO_LIMITS:
            raise
        # Again, around what the store is known not to do.
        first = _kept_within(limits, one, sut, effort)
        if first is not None and not first.blame:
            raise first from None
        for other in _with_other_rows(one, limits):
            found = _kept_within(other, one, sut, effort)
            if found is not None and not found.precondition_failed:
                raise found from None
        if first is not None:
            raise first from None


def _kept_within(limits: Limits, one: Check, sut: StoreUnderTest, effort: Effort) -> Violation | None:
    """Run a check around what a store is known not to do; what it finds, ``None`` for nothing."""
    with keeping_to(limits):
        workspace = Workspace(sut, effort)
        try:
            with workspace:
                one.run(workspace)
        except Violation as violation:
            violation.compared = workspace.compared
            return violation
    return None


def _with_other_rows(one: Check, limits: Limits) -> Iterator[Limits]:
    """For a store that has no room for the crowd, where checks of rows ask: what else of it the store holds.

    In one slot that is each row; where there is room for a few, the last ones.
    """
    if not one.clause.startswith(ROWS_COUNT_FOR):
        return
    if limits.room is not None:
        yield replace(limits, last_first=True)
    for row in KINDS if limits.one_slot else ():
        if row in limits.apart and not limits.refuses(row):
            yield replace(limits, apart=frozenset(KINDS) - {row})


ROWS_COUNT_FOR = ("SAVE-", "FIND-", "BYID-", "LIST-")
CLAUSES_OF_FILES = ("PROC-1", "PROC-2", "CRASH-1", "CRASH-2", "CRASH-6")
"""Clauses whose faults come from how a file is written, or locked."""

_SQLITE = b"SQLite format 3\x00"


def how_files_are_written(sut: StoreUnderTest, effort: Effort) -> tuple[str, ...]:
    """Save twice on a location of its own, and look at the store's main file.

    Args:
        sut: The store under test.
        effort: How deep to look.

    Returns:
        One line such as ``(a save writes tokens.csv in place)``; none where the store keeps no files, or
        that cannot be seen.
    """
    with contextlib.suppress(*ENDINGS, OSError), Workspace(sut, effort) as workspace:
        store = workspace.open()
        store.save(ANN)
        file = main_file(store)
        with file.open("rb") as before:  # held open, so that no other file gets its number
            content = before.read()
            if content.startswith(_SQLITE):
                return (f"({file.name} is an SQLite database)",)
            store.save(BOB)
            if not os.path.samestat(os.fstat(before.fileno()), file.stat()):
                return (f"(a save puts a new {file.name} in the place of the old one)",)
            if file.read_bytes() != content:
                return (f"(a save writes {file.name} in place)",)
    return ()


SHOWN = 5
"""For how many broken clauses of a store the shortest program is searched where nobody asked for scripts."""


class StoreCheck:
    """Checks one store. It is kept for the whole check, for the store under test remembers what it saved.

    Attributes:
        sut: The store under test.
    """

    def __init__(self, sut: StoreUnderTest, effort: Effort, *, every_script: bool) -> None:
        """Prepares to check a store; nothing is opened yet.

        Args:
            sut: The store under test.
            effort: How deep to look.
            every_script: Write a script for each broken clause, as reports show it; else for a few.
        """
        self.sut = sut
        self._effort = effort
        self._every_script = every_script
        self._searches = 0

    def smoke(self) -> Diagnosis | None:
        """Make the simplest calls.

        Returns:
            ``None`` where they work, else the one root cause.
        """
        return diagnose(self.sut)

    @property
    def expects_cause(self) -> bool:
        """Whether a root cause may follow from what the store is allowed to break: the clauses will say."""
        return bool(self.sut.allowed) and not self.sut.refusal

    def clause(self, clause_id: str) -> ClauseResult:
        """Run every check of a clause.

        Args:
            clause_id: The clause.

        Returns:
            What became of the clause; `Outcome.NOT_RUN` where the storage must not be touched.
        """
        if self.sut.refusal:
            # What met the reason has told it; a run says it once.
            return ClauseResult(clause_id, Outcome.NOT_RUN, reason=self.sut.refusal)
        search = self._search(CLAUSES[clause_id].weighs(strict=self.sut.strict))
        result = check_clause(clause_id, self.sut, self._effort, search=search)
        self._searches += any(finding.script or finding.no_script for finding in result.findings)
        return result

    def _search(self, weighs: bool) -> int:
        """How many calls the search for the shortest program of a broken clause may cost.

        Reports and scripts tell of each clause, the terminal of a few.
        """
        if self._every_script:
            return CALLS
        return CALLS // 3 if weighs and self._searches < SHOWN else 0
