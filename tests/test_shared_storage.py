"""A store with one storage for all locations: the kit leaves it as it found it, empty."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome


@pytest.fixture
def shared(tmp_path: Path) -> type[RightStore]:
    """A store that has one storage, whatever its location."""

    class Shared(RightStore):
        def __init__(self, location: Path) -> None:
            super().__init__(tmp_path)

    return Shared


@pytest.mark.parametrize("clause", ["VALUE-9", "PERSIST-1", "PROC-1"])
def test_the_storage_is_empty_after_each_clause(
    tmp_path: Path, shared: type[RightStore], clause: str
) -> None:
    """Also where a check closed the store and left rows behind, so that the next run can begin."""
    sut = sut_for(shared, own_storage=False, disposable=False)

    result = check_clause(clause, sut, Effort(), scripts=False)

    assert result.outcome in (Outcome.KEPT, Outcome.NOT_APPLICABLE)
    assert shared(tmp_path).get_tokens() == []


def test_a_store_that_shows_nothing_once_it_is_closed_gets_a_verdict(tmp_path: Path) -> None:
    """What it left in the storage is removed through another store."""
    path = tmp_path / "shared.db"
    sut = sut_for(lambda _: SQLiteFileStore(path), own_storage=False, disposable=False)

    result = check_clause("SECRET-2", sut, Effort(), scripts=False)

    assert result.outcome is Outcome.KEPT
    with contextlib.closing(SQLiteFileStore(path)) as store:
        assert store.get_tokens() == []


def test_rows_that_the_kit_did_not_save_are_never_removed(tmp_path: Path, shared: type[RightStore]) -> None:
    """A storage that somebody else fills meanwhile is left alone."""
    store = shared(tmp_path)
    with store.changing() as state:
        store.insert(state, _somebody())

    sut = sut_for(shared, own_storage=False, disposable=False)

    result = check_clause("VALUE-9", sut, Effort(), scripts=False)

    assert result.outcome is Outcome.ERROR
    assert len(store.get_tokens()) == 1


def _somebody() -> dict[str, str | None]:
    names = ("id", "client_id", "client_secret", "refresh_token", "grant_token", "redirect_url", "api_domain")
    return {**dict.fromkeys(names), "user_name": "somebody", "access_token": "a", "expires_in": "1"}
