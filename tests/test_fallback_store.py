"""`FallbackStore`: an old store and a new one at once, as one store that keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.stores.catalogue import sut_for
from zoho_reference_stores import FallbackStore, ListStore, SingleFlightStore, SQLiteFileStore, sqlite_file
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import abilities
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, Level
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

pytestmark = pytest.mark.once

CLIENT = {"client_id": "client", "client_secret": "secret"}
ANN = Row(id="1", user_name="ann", **CLIENT, refresh_token="r-ann", access_token="a-ann", expires_in="1")
BOB = Row(user_name="bob", **CLIENT, refresh_token="r-bob", access_token="a-bob")
UNNAMED = Row(id="7", **CLIENT, refresh_token="r-7", access_token="a-7")


def over_files(location: Path) -> FallbackStore:
    return FallbackStore(SQLiteFileStore(location / "new.db"), SQLiteFileStore(location / "old.db"))


def over_sdk_file(location: Path) -> FallbackStore:
    return FallbackStore(SQLiteFileStore(location / "new.db"), FileStore(str(location / "old.csv")))


class RowsBeginInOld(FallbackStore):
    """Every new row is put into the old store, as if it had been there before; updates are saved as ever."""

    def save_token(self, token: Any) -> None:
        before = {row.get_id() for row in self.get_tokens()}
        super().save_token(token)
        row = self.new.find_token_by_id(token.get_id())
        stale = row is not None and self.old.find_token(to_token(to_row(row).but(id=None))) is not None
        if token.get_id() not in before and row is not None and not stale:
            self.new.delete_token(token.get_id())
            self.old.save_token(row)


def begin_in_old(location: Path) -> RowsBeginInOld:
    return RowsBeginInOld(SQLiteFileStore(location / "new.db"), SQLiteFileStore(location / "old.db"))


def break_storage(store: FallbackStore, location: Path) -> None:
    sqlite_file.break_storage(store.new, location)


def mend_storage(store: FallbackStore, location: Path) -> None:
    sqlite_file.mend_storage(store.new, location)


STORES: dict[str, tuple[Callable[[], StoreUnderTest], tuple[Level, ...]]] = {
    "SQLiteFileStore": (
        lambda: sut_for(over_files, break_storage=break_storage, mend_storage=mend_storage),
        (Level.MUST, Level.SHOULD),
    ),
    # Whose file is readable for everybody, and which a kill empties while tokens are deleted.
    "FileStore": (
        lambda: sut_for(over_sdk_file, break_storage=break_storage, mend_storage=mend_storage),
        (Level.MUST,),
    ),
}
"""Old stores without rows, and the levels that are kept over them."""
ONE_CALLER = [
    clause
    for clause, entry in CLAUSES.items()
    if entry.level is not Level.MAY
    and entry.group not in ("THREAD", "PROC", "CRASH", "SECRET")
    # A row of the new store takes the place of a row without a user that has the same refresh token.
    and clause != "SAVE-9"
]
"""Clauses for which it does not matter that `RowsBeginInOld` saves in several steps."""


@pytest.mark.parametrize(
    ("old", "clause"),
    [
        (old, clause)
        for old, (_, levels) in STORES.items()
        for clause, entry in CLAUSES.items()
        if entry.level in levels
    ],
)
def test_the_wrapper_keeps_the_clause(old: str, clause: str) -> None:
    """Over an old store that holds nothing, every MUST clause is kept, and over a safe one every SHOULD."""
    result = check_clause(clause, STORES[old][0](), Effort())

    missing = clause == "FLOW-8" and not abilities().revokes
    assert result.outcome == (Outcome.NOT_APPLICABLE if missing else Outcome.KEPT), result.message()


@pytest.mark.parametrize("clause", ONE_CALLER)
def test_the_clause_is_kept_while_every_row_is_still_in_the_old_store(clause: str) -> None:
    """A reader cannot tell which of the two stores a row is in."""
    result = check_clause(clause, sut_for(begin_in_old), Effort())

    missing = clause == "FLOW-8" and not abilities().revokes
    assert result.outcome == (Outcome.NOT_APPLICABLE if missing else Outcome.KEPT), result.message()


# Beside the contract: what the two stores hold


def stores(*old: Row) -> FallbackStore:
    """An empty new store, and an old one with these rows."""
    store = FallbackStore(ListStore(), ListStore())
    for row in old:
        store.old.save_token(to_token(row))
    return store


def rows(store: Any) -> list[Row]:
    return [to_row(token) for token in store.get_tokens()]


def test_finding_a_row_of_the_old_store_writes_to_neither() -> None:
    """Every way to find and to list leaves both stores as they were."""
    store = stores(ANN, UNNAMED)
    for asked in (ANN.only("user_name"), ANN.only("id"), UNNAMED.only("refresh_token", *CLIENT)):
        assert store.find_token(to_token(asked)) is not None
    assert store.find_token_by_id("7") is not None

    assert rows(store) == [ANN, UNNAMED]
    assert rows(store.new) == []
    assert rows(store.old) == [ANN, UNNAMED]


def test_a_renewed_token_is_taken_over_with_its_id_and_fields() -> None:
    """The row is saved in the new store alone, whole, and hides the state that the old one still has."""
    store = stores(ANN)
    store.save_token(to_token(Row(user_name="ann", access_token="new", expires_in="2")))

    renewed = ANN.but(access_token="new", expires_in="2")
    assert rows(store) == [renewed]
    assert rows(store.new) == [renewed]
    assert rows(store.old) == [ANN]
    assert store.find_token(to_token(ANN.only("access_token"))) is None


def test_a_new_user_never_gets_an_id_of_the_old_store() -> None:
    """Whoever holds an id of the old store gets the row that it had there."""
    store = stores(ANN)
    token = to_token(BOB)
    store.save_token(token)

    assert token.get_id() != "1"
    assert to_row(store.find_token_by_id("1")) == ANN
    assert to_row(store.find_token_by_id(token.get_id())) == BOB.but(id=token.get_id())


def test_a_user_who_logs_out_is_gone_from_both_stores() -> None:
    """An old state of a user does not come back, under whichever id the new store has the user."""
    store = stores(ANN, UNNAMED)
    store.new.save_token(to_token(ANN.but(id="9")))

    store.delete_token("9")
    assert rows(store) == [UNNAMED]
    store.delete_token("7")
    assert rows(store) == rows(store.old) == []


def test_the_old_store_may_be_taken_out_when_all_rows_are_in_the_new_one() -> None:
    """What was found through both is then found in the new store alone."""
    store = stores(ANN, UNNAMED)
    for token in store.get_tokens():
        store.save_token(token)

    assert rows(store.new) == rows(store) == [ANN, UNNAMED]


def test_misses_and_header_lines_of_filestore_are_no_rows(tmp_path: Path) -> None:
    """`FileStore` raises where it finds no id, and finds its own header by the id "id"."""
    old = FileStore(str(tmp_path / "tokens.csv"))
    old.save_token(to_token(ANN))
    with (tmp_path / "tokens.csv").open("a") as file:
        file.write((tmp_path / "tokens.csv").read_text().splitlines()[0] + "\n")
    store = FallbackStore(ListStore(), old)

    assert store.find_token_by_id("2") is None
    assert store.find_token_by_id("id") is None
    assert rows(store) == [ANN]
    assert to_row(store.find_token(to_token(ANN.only("user_name")))) == ANN


def test_a_failure_of_the_old_store_is_no_miss(tmp_path: Path) -> None:
    """Where the old storage cannot be read, a user who may be in it is not taken for unknown."""
    old = FileStore(str(tmp_path / "tokens.csv"))
    store = FallbackStore(ListStore(), old)
    (tmp_path / "tokens.csv").unlink()

    with pytest.raises(SDKException):
        store.find_token_by_id("1")
    with pytest.raises(SDKException):
        store.find_token(to_token(ANN.only("user_name")))


@pytest.mark.parametrize("by", ["user_name", "id"])
def test_a_row_that_is_taken_over_while_it_is_looked_for_is_found(by: str) -> None:
    """A reader beside a writer sees the row before or after the save, and never a miss."""
    new = ListStore()

    class SavedMeanwhile(ListStore):
        def find_token(self, token: Any) -> Any:
            new.save_token(to_token(ANN))
            return super().find_token(token)

        def find_token_by_id(self, id: str) -> Any:
            new.save_token(to_token(ANN))
            return super().find_token_by_id(id)

    store = FallbackStore(new, SavedMeanwhile())
    store.old.save_token(to_token(ANN))
    found = store.find_token_by_id("1") if by == "id" else store.find_token(to_token(ANN.only("user_name")))

    assert to_row(found) == ANN


def test_leases_are_those_of_the_new_store() -> None:
    """A `SingleFlightStore` around it gets them, or none."""

    class Leasing(ListStore):
        def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
            return True

    assert FallbackStore(Leasing(), ListStore()).acquire_lease("1", "me", 1.0)
    assert not hasattr(FallbackStore(ListStore(), ListStore()), "acquire_lease")
    assert SingleFlightStore(stores(ANN)).find_token_by_id("1") is not None
