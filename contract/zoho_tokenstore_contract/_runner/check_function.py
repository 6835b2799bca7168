"""What ``zoho-tokenstore check`` does, as a function for notebooks and test runners other than pytest."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TextIO

from .._drivers.processes import child_main, fork_server
from .._harness.exit_guard import ProcessEndGuard, ended_outside_calls
from .._harness.workspace import Effort
from .._report.verdict import ClauseVerdict, StoreVerdict, Verdict
from .._spec.clause_results import UsageError
from .._spec.clause_selection import named_clauses, refuse_wrong_allowances
from .._spec.clauses import CLAUSES
from .._spec.junk_answers import show
from .._spec.surface import Surface, called_by
from .clause_runner import StoreCheck
from .contract_class import sut_of
from .targets import Declarations, contract_class_of

_ONE_AT_A_TIME = threading.RLock()
"""Checks change what belongs to the whole process, such as its current directory, and put it back."""


def check(
    factory: Callable[..., Any],
    *,
    persistent: bool = True,
    thread_safe: bool = True,
    own_storage: bool = True,
    disposable: bool = False,
    allowed: Mapping[str, str] | None = None,
    strict: bool = False,
    target: str = "",
    only: Iterable[str] = (),
    thorough: bool = False,
    progress: Callable[[ClauseVerdict], object] | None = None,
) -> Verdict:
    """Check a store against every clause of the contract, in this process and thread.

    Nothing is printed, and what the store prints to ``sys.stdout`` is dropped meanwhile. When it returns, the
    current directory, the SDK and logging are as they were before. Checks in several threads wait for one
    another.

    Some clauses need other processes, which import the factory from the top of its module. For a lambda, or a
    factory that is defined in a notebook or in a function, these clauses are not applicable. A script puts
    the call under ``if __name__ == "__main__":``, because these processes import the script. Outside the main
    thread, a call of the store that never comes back is not interrupted.

    Args:
        factory: A class or function that makes a store. It is called with the `pathlib.Path` of an empty
            directory if it takes an argument, and with nothing otherwise; that directory is the current one
            while the store is made and used. ``break_storage`` and ``mend_storage`` beside it are used. A
            `TokenStoreContract` subclass will do too; it declares itself, and pytest's fixtures take no part.
        persistent: Opening the same location again means the same rows.
        thread_safe: One store object may be used by several threads.
        own_storage: Each location has storage of its own; else the one there is has to be empty, and is
            emptied between checks.
        disposable: Everything in the storage may be lost. Without it, nothing is written to a storage that
            ``get_tokens`` has not shown to be empty.
        allowed: Clause id to the reason why this store may break it.
        strict: SHOULD clauses count as MUST.
        target: The store's name in the verdict; by default ``MODULE:FACTORY``.
        only: Clauses and groups that are checked alone, as ``["SAVE", "FIND-5"]``; then the verdict says that
            it is partial.
        thorough: Look ten times deeper.
        progress: Called with each clause as it is done; `print` will do.

    Returns:
        The verdict, with what became of every clause.

    Raises:
        UsageError: An argument is wrong, or the store cannot be checked: it does not open, its storage is not
            seen to be empty, or there is no SDK. Nothing was written to the storage.
    """
    if child_main.imports_a_store:
        raise UsageError(
            "check() is called as a module is imported: put `if __name__ == '__main__':` around it"
        )
    _refuse_wrong_arguments(factory, allowed, target, progress)
    refuse_wrong_allowances(allowed or {}, "allowed")
    wanted = _wanted(only)
    declared = Declarations(persistent, thread_safe, own_storage, disposable, dict(allowed or {}))
    outside = ProcessEndGuard(successes=True)
    with _ONE_AT_A_TIME, called_by(Surface.FUNCTION), fork_server.ended_afterwards(), outside:
        with _silence():
            sut = sut_of(contract_class_of(factory, declared, target))
        sut.target = target or sut.target
        sut.strict = sut.strict or strict
        return _verdict(StoreCheck(sut, Effort(thorough), every_script=True), wanted, progress)


def _refuse_wrong_arguments(factory: Any, allowed: Any, target: Any, progress: Any) -> None:
    """Refuse arguments of another kind, with a sentence that says what is expected.

    Raises:
        UsageError: With the first that is wrong.
    """
    wrong = (
        (
            callable(factory),
            "factory",
            factory,
            "is not callable: pass a class or function that makes a store",
        ),
        (
            allowed is None or isinstance(allowed, Mapping),
            "allowed",
            allowed,
            "is no dict: pass clause and reason, as {'DEL-5': 'why'}",
        ),
        (isinstance(target, str), "target", target, "is no text: pass the name that the verdict shall have"),
        (
            progress is None or callable(progress),
            "progress",
            progress,
            "is not callable: pass a function that takes the result of a clause, as print",
        ),
    )
    for fits, name, value, says in wrong:
        if not fits:
            raise UsageError(f"{name} = {show(value)[:80]} {says}")


def _wanted(only: Any) -> frozenset[str]:
    """The clauses that are checked alone; none for all."""
    names = [only] if isinstance(only, str) or not isinstance(only, Iterable) else list(only)
    if not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"only = {show(only)[:80]} names no clauses: pass their names, as ['SAVE', 'FIND-5']"
        )
    return named_clauses(names, "only")


def _verdict(
    store: StoreCheck, only: frozenset[str], progress: Callable[[ClauseVerdict], object] | None
) -> Verdict:
    found = StoreVerdict(store.sut.target, store.sut.strict, only=only)
    with _silence():
        diagnosis = store.smoke()
    if diagnosis is not None:
        found.cause, found.cause_calls = diagnosis.cause, diagnosis.done
    expected = diagnosis is None or store.expects_cause
    for clause in CLAUSES:
        if only and clause not in only:
            continue
        with _silence():
            result = store.clause(clause)
        found.results[clause] = result
        if progress is not None:
            progress(ClauseVerdict.of(result))
    found.ended = ended_outside_calls()
    verdict = Verdict.of(found)
    return verdict if expected else replace(verdict, passed=False)


def _silence() -> contextlib.AbstractContextManager[object]:
    """Drop what the store prints."""
    return contextlib.redirect_stdout(_nowhere())


@functools.cache
def _nowhere() -> TextIO:
    """Takes every character. It stays open, for a store may have kept it, as in a handler of a log."""
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")
