"""Every faulty store is caught under the clauses that it breaks, for the right reason."""

from __future__ import annotations

import pytest

from tests.stores.catalogue import Fault, faults, subject_for
from zoho_tokenstore_contract._bench import Effort
from zoho_tokenstore_contract._clauses import CLAUSES
from zoho_tokenstore_contract._outcomes import Outcome
from zoho_tokenstore_contract._run import check_clause

pytestmark = pytest.mark.once


@pytest.mark.parametrize("fault", faults(), ids=str)
def test_a_faulty_store_is_caught_under_its_clauses(fault: Fault) -> None:
    """Each clause that the store breaks is reported as broken, the first for the right reason."""
    results = [
        check_clause(clause, subject_for(fault.store, **fault.declared), Effort(), scripts=False)
        for clause in fault.clauses
    ]

    assert [(clause, Outcome.BROKEN) for clause in fault.clauses] == [
        (result.clause, result.outcome) for result in results
    ]
    assert fault.says in results[0].message()


def test_every_clause_has_a_faulty_store() -> None:
    """No clause is in the contract that nothing can break."""
    assert set(CLAUSES) == {clause for fault in faults() for clause in fault.clauses}
