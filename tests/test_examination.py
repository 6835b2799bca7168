"""The page of the examination: `tests.exam` itself is an environment of tox."""

from __future__ import annotations

import re

import pytest

from tests.exam import PAGE
from tests.fault_classes import CLASSES, FaultClass, kind_of
from tests.stores.catalogue import correct_stores, faults


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
