"""The page of the examination: `tests.exam` itself is an environment of tox."""

from __future__ import annotations

import re

import pytest

from tests import exam
from tests.exam import PAGE, SHARE
from tests.fault_classes import CLASSES, FaultClass, kind_of
from tests.stores.catalogue import correct_stores, faults
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Outcome


def test_the_page_tells_of_every_store() -> None:
    """Each faulty one was caught and each correct one passed, under the clauses that are claimed today."""
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| \w", line) and not line.startswith("| store")
    ]

    assert {row[:3] for row in rows if len(row) > 2} == {
        (str(fault), ", ".join(fault.clauses), "caught") for fault in faults()
    }
    assert {row for row in rows if len(row) == 2} == {(str(store), "passed") for store in correct_stores()}


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.fault)
def test_a_class_of_faults_has_stores_of_three_kinds_and_a_twin(one: FaultClass) -> None:
    """Faulty stores that keep their rows in three kinds of places claim its clauses; its twin is correct."""
    clauses = set(one.clauses.split())
    claiming = {fault.store.__name__: fault.store for fault in faults() if clauses & set(fault.clauses)}

    assert len({kind_of(claiming[name]) for name in one.stores.split()}) >= 3
    assert one.twin in map(str, correct_stores())


def test_a_brief_examination_asks_what_a_faulty_store_breaks_and_a_share_of_a_correct_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each correct store begins at another clause, so that all of them together are asked every one."""
    asked: list[str] = []

    def answer(clause: str, *_: object, **__: object) -> ClauseResult:
        asked.append(clause)
        return ClauseResult(clause, Outcome.KEPT)

    monkeypatch.setattr(exam, "check_clause", answer)
    fault = faults()[0]
    exam.examine_fault(fault, brief=True)
    faulty = tuple(asked)
    asked.clear()
    for place in range(SHARE):
        exam.examine_correct(correct_stores()[0], place, brief=True)
    shares = sorted(asked)
    asked.clear()
    exam.examine_correct(correct_stores()[0], whole=True)

    assert faulty == fault.clauses
    assert shares == sorted(asked)
