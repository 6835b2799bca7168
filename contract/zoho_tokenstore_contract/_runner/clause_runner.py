"""Runs the checks of one clause on one store, and says what became of the clause."""

from __future__ import annotations

from dataclasses import replace

from .._checks.registry import Check, checks_of
from .._harness.messages import format_exception
from .._harness.store_limits import NO_LIMITS, keeping_to
from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort, Workspace
from .._reproduce.minimize import CALLS, reproduce
from .._reproduce.program import Unplayable
from .._spec.clause_results import (
    ClauseResult,
    Finding,
    NotApplicable,
    Outcome,
    StoreUnavailable,
    Undecided,
    Violation,
)
from .._spec.clauses import CLAUSES
from .file_habits import CLAUSES_OF_FILES, how_files_are_written
from .limits_of_a_store import limits_of

HANGS_ENDURED = 3


def check_clause(
    clause_id: str, sut: StoreUnderTest, effort: Effort, *, scripts: bool = True, search: int = CALLS
) -> ClauseResult:
    """Run every check of a clause on a store.

    Args:
        clause_id: The clause.
        sut: The store under test.
        effort: How deep to look.
        scripts: Write a script that shows the first finding, which may take longer than to find it.
        search: How many calls of the store the search for the shortest one may cost.

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
            wanted = scripts and not any(each.script for each in findings)
            findings.append(_finding(one, sut, violation, search if wanted else 0))
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
    if findings and scripts and clause_id in CLAUSES_OF_FILES:
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
        with keeping_to(limits):
            workspace = Workspace(sut, effort)
            try:
                with workspace:
                    one.run(workspace)
            except Violation as violation:
                violation.compared = workspace.compared
                raise
