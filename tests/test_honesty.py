"""A store that does nothing keeps nothing: no clause is kept by accident."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import abilities
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.smoke_check import diagnose
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES


class Discards(RightStore):
    """Comes back from every save, and stores nothing."""

    def write(self, state: Any) -> None:
        if not state["rows"]:
            super().write(state)


class AnswersNone(RightStore):
    """Every method returns None."""

    def answer(self, *_: Any) -> Any:
        return None

    find_token: Any = answer
    save_token: Any = answer
    delete_token: Any = answer
    get_tokens: Any = answer
    delete_tokens: Any = answer
    find_token_by_id: Any = answer


class Raises(RightStore):
    """Every method raises."""

    def answer(self, *_: Any) -> Any:
        raise KeyError("no")

    find_token: Any = answer
    save_token: Any = answer
    delete_token: Any = answer
    get_tokens: Any = answer
    delete_tokens: Any = answer
    find_token_by_id: Any = answer


@pytest.mark.parametrize(
    ("store", "cause"),
    [
        pytest.param(Discards, "what is saved is gone", id="discards"),
        pytest.param(AnswersNone, "`get_tokens` returned None instead of a list", id="None"),
        pytest.param(Raises, "every method raises: KeyError", id="raises"),
    ],
)
def test_a_store_that_does_nothing_keeps_its_interface_at_most(store: Any, cause: str) -> None:
    """IFACE-1 speaks of arguments alone; whatever else is asked is broken, or cannot even be asked."""
    outcomes = {
        clause: check_clause(clause, sut_for(store), Effort(), search=CALLS).outcome for clause in CLAUSES
    }
    diagnosis = diagnose(sut_for(store))

    assert {"IFACE-1"} == {clause for clause, outcome in outcomes.items() if outcome is Outcome.KEPT}
    assert {"CRASH-4", "CRASH-5"} | (set() if abilities().revokes else {"FLOW-8"}) == {
        clause for clause, outcome in outcomes.items() if outcome is Outcome.NOT_APPLICABLE
    }
    assert {Outcome.KEPT, Outcome.NOT_APPLICABLE, Outcome.BROKEN, Outcome.NOT_REACHED} == set(
        outcomes.values()
    )
    assert diagnosis is not None
    assert cause in diagnosis.cause
