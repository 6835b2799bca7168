"""The store from which the faulty ones are made keeps the contract, so that each has one mistake."""

from __future__ import annotations

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore, break_storage, mend_storage
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES

pytestmark = pytest.mark.once


@pytest.mark.parametrize("clause", CLAUSES)
def test_the_right_store_keeps_every_clause(clause: str) -> None:
    """`RightStore`, from which the faulty ones are made, keeps the clause; FLOW-10 is not asked of it."""
    result = check_clause(
        clause,
        sut_for(RightStore, break_storage=break_storage, mend_storage=mend_storage),
        Effort(),
        search=CALLS,
    )

    # It lets every thread renew for itself, as all published stores do: single flight is more than
    # a store must do, and `SingleFlightStore` does it.
    expected = Outcome.BROKEN if clause == "FLOW-10" else Outcome.KEPT

    assert result.outcome == expected, result.message()
