"""A faulty store of each clause is caught, for the right reason; `tests.exam` asks all of them."""

from __future__ import annotations

import pytest

from tests.stores.catalogue import Fault, faults, sut_for
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES

pytestmark = pytest.mark.once


FIRST = {fault.clauses[0]: fault for fault in reversed(faults())}
"""The first faulty store for each clause."""


@pytest.mark.parametrize("fault", FIRST.values(), ids=str)
def test_a_faulty_store_is_caught(fault: Fault) -> None:
    """The clause that it breaks is reported as broken, for the right reason."""
    result = check_clause(fault.clauses[0], sut_for(fault.store, **fault.declared), Effort())

    assert result.outcome is Outcome.BROKEN
    assert fault.is_told_by(result)


def test_every_clause_has_a_faulty_store() -> None:
    """No clause is in the contract that nothing can break."""
    assert set(CLAUSES) == set(FIRST)
