"""Runs the checks of one clause on one store, and says what became of the clause."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .._checks.registry import Check, checks_of
from .._harness.store_under_test import Subject
from .._harness.workspace import Bench, Effort, shown_exception
from .._reproduce.minimize import reproducer
from .._reproduce.replay import Unplayable
from .._spec.clauses import CLAUSES
from .._spec.outcomes import (
    ClauseResult,
    Finding,
    NotApplicable,
    Outcome,
    StoreUnavailable,
    Undecided,
    Violation,
)

HANGS_ENDURED = 3


def check_clause(clause_id: str, subject: Subject, effort: Effort, *, scripts: bool = True) -> ClauseResult:
    """Run every check of a clause on a store.

    Args:
        clause_id: The clause.
        subject: The store under test.
        effort: How deep to look.
        scripts: Write a script that shows the first finding, which may take longer than to find it.

    Returns:
        What became of the clause. Exceptions of the factory or of the kit itself are the outcome
        `Outcome.ERROR`, never raised.
    """
    findings: list[Finding] = []
    reasons: list[str] = []
    kept = 0
    checks = checks_of(clause_id)
    if not checks:
        return ClauseResult(clause_id, Outcome.ERROR, reason=f"the kit has no check of {clause_id}")
    for one in checks:
        try:
            _run_check(one, subject, effort)
        except Violation as violation:
            shown = not scripts or any(each.script for each in findings)
            findings.append(_finding(one, subject, violation, with_script=not shown))
        except NotApplicable as reason:
            reasons.append(str(reason))
        except Undecided as reason:
            return ClauseResult(clause_id, Outcome.UNKNOWN, reason=str(reason))
        except StoreUnavailable as reason:
            return ClauseResult(clause_id, Outcome.ERROR, reason=str(reason))
        except Exception as error:
            return ClauseResult(
                clause_id,
                Outcome.ERROR,
                reason=f"the kit itself failed in {one.name}: {shown_exception(error)}",
            )
        else:
            kept += 1
    if findings:
        if clause_id in subject.allowed:
            return ClauseResult(
                clause_id, Outcome.ALLOWED, tuple(findings), f"Allowed: {subject.allowed[clause_id]}"
            )
        reached = not all(finding.arranging for finding in findings)
        return ClauseResult(clause_id, Outcome.BROKEN if reached else Outcome.NOT_REACHED, tuple(findings))
    if kept and clause_id in subject.allowed:
        return ClauseResult(
            clause_id,
            Outcome.ERROR,
            reason=f"it is allowed to be broken ({subject.allowed[clause_id]}), but this store keeps it: "
            "take it off the list",
        )
    if not kept:
        return ClauseResult(clause_id, Outcome.NOT_APPLICABLE, reason="; ".join(dict.fromkeys(reasons)))
    return ClauseResult(clause_id, Outcome.KEPT)


def _finding(one: Check, subject: Subject, violation: Violation, *, with_script: bool) -> Finding:
    """What a check found, with a script that shows it where one is wanted."""
    finding = Finding(one.name, violation.expected, violation.seen, violation.done, violation.arranging)
    if not with_script:
        return finding
    try:
        return replace(finding, script=reproducer(subject, one.clause, violation, watched))
    except Unplayable as reason:
        return replace(finding, no_script=str(reason))
    except Exception as error:
        return replace(finding, no_script=f"the kit itself failed to write one: {shown_exception(error)}")


def fails(result: ClauseResult, subject: Subject) -> bool:
    """Whether what became of a clause fails the run: broken in earnest, or not to be trusted."""
    clause = CLAUSES[result.clause]
    if result.outcome in (Outcome.BROKEN, Outcome.NOT_REACHED):
        return clause.weighs(strict=subject.strict)
    return result.outcome in (Outcome.ERROR, Outcome.UNKNOWN) and not clause.new


def _run_check(one: Check, subject: Subject, effort: Effort) -> None:
    if one.persistent and not subject.persistent:
        raise NotApplicable("the store is declared as not persistent")
    if one.thread_safe and not subject.thread_safe:
        raise NotApplicable("the store is declared as not thread-safe")
    if len(subject.hangs) >= HANGS_ENDURED:
        raise Violation(
            expected="calls that come back",
            seen=f"not asked any more, for calls never came back: {', '.join(subject.hangs)}",
            arranging=True,
        )
    with Bench(subject, effort) as bench, watched(bench):
        one.run(bench)


@contextmanager
def watched(bench: Bench) -> Iterator[None]:
    """Turn a call that never comes back into a violation.

    A second thread watches; a real signal is what interrupts a lock or a sleep in the main thread.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_kill"):
        yield
        return
    main = threading.get_ident()
    done = threading.Event()
    hung: list[str] = []

    def interrupt(*_: object) -> None:
        if hung:
            raise KeyboardInterrupt

    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        # So it is in what a shell started with `&`, and so it stays for all signals but the watchdog's.
        signal.signal(signal.SIGINT, interrupt)

    def watch() -> None:
        while not done.wait(0.5):
            waiting = bench.waiting
            if waiting is not None and time.monotonic() - waiting[1] > bench.call_limit:
                hung.append(waiting[0])
                signal.pthread_kill(main, signal.SIGINT)
                return

    watcher = threading.Thread(target=watch, name="tokenstore-watchdog", daemon=True)
    watcher.start()
    try:
        yield
    except KeyboardInterrupt:
        if not hung:
            raise
        bench.subject.hangs.append(hung[0])
        raise Violation(
            expected=f"{hung[0]} comes back",
            seen=f"{hung[0]} had not come back after {bench.call_limit:g} seconds",
            done=tuple(str(call) for call in bench.calls),
        ) from None
    finally:
        done.set()
        watcher.join()
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
