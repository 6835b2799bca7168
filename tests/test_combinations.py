"""The examination with several faults at once: what it counts as hidden, and what as missed."""

from __future__ import annotations

import pytest

from tests.combinations import combined, composable, is_masked
from tests.stores.catalogue import sut_for
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome


@pytest.mark.parametrize(
    ("clause", "part", "other", "masked"),
    [
        pytest.param(
            *("FIND-9", "faulty_finding.OverwritesTheRedirectByRefreshToken"),
            *("faulty_saving.ReadsPrivateAttributes", True),
            id="what is overwritten is never stored",
        ),
        pytest.param(
            *("FIND-12", "faulty_finding.TakesAnEmptyNameAway"),
            *("faulty_saving.RefreshTokenOutranksTheName", False),
            id="a miss needs no crowd",
        ),
    ],
)
def test_a_clause_is_masked_where_no_proof_of_it_holds(
    clause: str, part: str, other: str, masked: bool
) -> None:
    """A clause that a part breaks counts as hidden only where the calls that show it no longer do."""
    parts = {str(fault): fault for fault in composable() if str(fault) in (part, other)}
    sut = sut_for(combined([parts[part], parts[other]]))
    outcome = check_clause(clause, sut, Effort()).outcome

    assert (masked, not masked) == (is_masked(clause, part, parts, sut), outcome is Outcome.BROKEN)
