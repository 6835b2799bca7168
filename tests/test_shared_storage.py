"""A store with one storage for all locations: the kit leaves it as it found it, empty."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.smoke_check import diagnose, first_look
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

    result = check_clause(clause, sut, Effort())

    assert result.outcome in (Outcome.KEPT, Outcome.NOT_APPLICABLE)
    assert shared(tmp_path).get_tokens() == []


def test_a_store_that_shows_nothing_once_it_is_closed_gets_a_verdict(tmp_path: Path) -> None:
    """What it left in the storage is removed through another store."""
    path = tmp_path / "shared.db"
    sut = sut_for(lambda _: SQLiteFileStore(path), own_storage=False, disposable=False)

    result = check_clause("SECRET-2", sut, Effort())

    assert result.outcome is Outcome.KEPT
    with contextlib.closing(SQLiteFileStore(path)) as store:
        assert store.get_tokens() == []


def test_rows_that_the_kit_did_not_save_are_never_removed(tmp_path: Path, shared: type[RightStore]) -> None:
    """A storage that somebody else fills meanwhile is left alone."""
    store = shared(tmp_path)
    with store.changing() as state:
        store.insert(state, _somebody())

    sut = sut_for(shared, own_storage=False, disposable=False)

    result = check_clause("VALUE-9", sut, Effort())

    assert result.outcome is Outcome.ERROR
    assert len(store.get_tokens()) == 1


def _somebody() -> dict[str, str | None]:
    names = ("id", "client_id", "client_secret", "refresh_token", "grant_token", "redirect_url", "api_domain")
    return {**dict.fromkeys(names), "user_name": "somebody", "access_token": "a", "expires_in": "1"}


class HidesAtFirst(RightStore):
    """Lists nothing for its first lists, as a cache that is not filled yet."""

    lists = 0
    left = 0
    each = False
    """Whether each store object has a cache of its own."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        if self.each:
            self.left = self.lists

    def get_tokens(self) -> Any:
        holder: Any = self if self.each else type(self)
        holder.left -= 1
        return [] if holder.left >= 0 else super().get_tokens()


@pytest.mark.parametrize("each", [False, True], ids=["one-cache", "cache-of-each-store"])
@pytest.mark.parametrize("lists", range(1, 12))
def test_a_row_behind_a_cold_cache_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: int, each: bool
) -> None:
    """Nothing is deleted before a list has shown a row of the kit's own, and nobody else's."""
    theirs = RightStore(tmp_path)
    with theirs.changing() as state:
        theirs.insert(state, _somebody())

    class Shared(HidesAtFirst):
        def __init__(self, _: Path) -> None:
            super().__init__(tmp_path)

    for clauses in (("smoke", "DEL-1", "CLEAR-1"), ("CLEAR-2",), ("DEL-3",), ("SAVE-3",), ("THREAD-1",)):
        monkeypatch.setattr(HidesAtFirst, "lists", lists)
        monkeypatch.setattr(HidesAtFirst, "left", lists)
        monkeypatch.setattr(HidesAtFirst, "each", each)
        sut = sut_for(Shared, own_storage=False, disposable=False)
        first_look(sut)
        for clause in clauses:
            if clause == "smoke":
                diagnose(sut)
            else:
                check_clause(clause, sut, Effort())

        assert "somebody" in [row["user_name"] for row in theirs.read()["rows"]]


@pytest.mark.parametrize("clause", ["CLEAR-2", "SAVE-3", "DEL-3", "THREAD-1"])
def test_a_clause_that_deletes_before_it_saves_is_checked(
    shared: type[RightStore], tmp_path: Path, clause: str
) -> None:
    """Whether a list tells what is stored is seen by a row that the kit saves and deletes first."""
    result = check_clause(
        clause, sut_for(shared, own_storage=False, disposable=False), Effort(), search=CALLS
    )

    assert result.outcome is Outcome.KEPT
    assert shared(tmp_path).get_tokens() == []
