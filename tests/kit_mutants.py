"""Mechanical mutants of the kit itself, which its tests must notice: ``python -m tests.kit_mutants``.

A mutant of a module of checks has to get a store of the catalogue wrong: it flags a correct one, or it
misses a faulty one, or names another reason. Mutants of the model and of the search for an order are
noticed by their own tests, too. See ``--help``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from tests.exam import LONG
from tests.mutation import Mutant, forget, judged, mutants_of
from zoho_tokenstore_contract._checks.registry import MODULES

KIT = "zoho_tokenstore_contract"
OWN_TESTS = {
    "_spec.model": ("tests/test_model.py",),
    "_drivers.threads.linearizability": ("tests/test_histories.py",),
    "_harness.row_fates": ("tests/test_row_fates.py",),
}
"""Modules that have tests of their own, and these tests."""
CLAUSES_OF = {
    "_spec.model": ("MODEL-1", "THREAD-5"),
    "_drivers.threads.linearizability": ("THREAD-5",),
    "_harness.row_fates": ("PROC-2", "CRASH-2", "PERSIST-5"),
}
"""The clauses whose checks stand on these modules."""
LEFT_OUT = ("RemoveDecorator", "ZeroIterationForLoop")
"""Changes that leave something out, for which no store is flagged that was not before."""
AS_GOOD = ("NumberReplacer",)
"""Left out: one round or one row more or less is as good a check."""


def noticed_by(mutant: Mutant) -> str:
    """Which test or store notices a mutant; "" for none."""
    module = mutant.module.removeprefix(f"{KIT}.")
    forget("tests.stores")
    if module in OWN_TESTS and pytest.main(["-qx", "-p", "no:cacheprovider", *OWN_TESTS[module]]):
        return OWN_TESTS[module][0]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return next(_wrong_answers(mutant, module), "")
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _wrong_answers(mutant: Mutant, module: str) -> Iterator[str]:
    """What the kit, one module of which is a mutant, gets wrong about the stores of the catalogue."""
    # Imported here, so that they meet the mutant.
    catalogue = importlib.import_module("tests.stores.catalogue")
    right = importlib.import_module("tests.stores.right")
    clauses = importlib.import_module(f"{KIT}._spec.clauses").CLAUSES
    check_clause = importlib.import_module(f"{KIT}._runner.clause_runner").check_clause
    effort = importlib.import_module(f"{KIT}._harness.workspace").Effort()
    # The clause of a removed check, too, of which it may have been the only one.
    removed = re.findall(r'@check\("([A-Z]+-[0-9]+)"', mutant.was)
    asked = CLAUSES_OF.get(module) or list(dict.fromkeys([*removed, *_clauses_of(module, clauses)]))

    def result(store: Any, clause: str) -> Any:
        return check_clause(clause, catalogue.sut_for(store.store, **store.declared), effort)

    twin = catalogue.Correct(right.RightStore, {"break_storage": right.break_storage})
    for clause in asked:
        if clauses[clause].level.value != "MAY" and (what := result(twin, clause).outcome.value) != "kept":
            yield f"{clause} of {twin} is {what}"
    for fault in catalogue.faults():
        for clause in [clause for clause in fault.clauses if clause in asked]:
            told = result(fault, clause)
            if told.outcome.value != "broken":
                yield f"{clause} of {fault} is {told.outcome.value}"
            if clause == fault.clauses[0] and not fault.is_told_by(told):
                yield f"{clause} of {fault} lacks its reason"
    if mutant.operator in LEFT_OUT or any(clause.partition("-")[0] in LONG for clause in asked):
        return
    for store in catalogue.correct_stores():
        for clause in [clause for clause in asked if clauses[clause].level.value == "MUST"]:
            if (what := result(store, clause).outcome.value) not in ("kept", "not-applicable"):
                yield f"{clause} of {store} is {what}"


def _clauses_of(module: str, clauses: Iterable[str]) -> list[str]:
    """The clauses that a module of checks is about."""
    checks_of = importlib.import_module(f"{KIT}._checks.registry").checks_of
    return [
        clause
        for clause in clauses
        if any(check.run.__module__ == f"{KIT}.{module}" for check in checks_of(clause))
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where a mutant is not noticed."""
    modules = [
        *OWN_TESTS,
        *(f"_checks.{module}" for module in MODULES),
    ]
    parser = argparse.ArgumentParser(prog="python -m tests.kit_mutants", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--module", choices=modules, action="append", help="only this one (repeatable)")
    parser.add_argument("--operator", action="append", help="only changes of this kind (repeatable)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth mutant alone")
    arguments = parser.parse_args(words)
    began, unnoticed, sums = time.monotonic(), 0, []
    for module in arguments.module or modules:
        mutants = [
            one
            for one in mutants_of(f"{KIT}.{module}", AS_GOOD)
            if arguments.operator is None or one.operator in arguments.operator
        ][:: arguments.every]
        passed = 0
        for mutant, by in judged(mutants, noticed_by, arguments.processes):
            passed += not by
            place = f"{mutant.operator} {mutant.within}"
            sys.stdout.write(f"{'noticed' if by else 'UNNOTICED'} {place}: {mutant}  {by}\n")
            sys.stdout.flush()
        unnoticed += passed
        sums.append(f"- `{module}`: {len(mutants)} mutants, {len(mutants) - passed} noticed.")
    sys.stdout.write("\n".join([*sums, f"{time.monotonic() - began:.0f} s in all", ""]))
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
