"""DEL-1, DEL-2, DEL-4: which row ``delete_token`` removes."""

from __future__ import annotations

from collections.abc import Iterable

from ..._harness.messages import format_rows
from ..._harness.observer import Observer
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    DAN,
    EVE,
    GRANT,
    GUS,
    LATE_ACCESS,
    LATE_GRANT,
    LATE_REFRESH,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    key_of,
    person,
    pool,
)

BROUGHT_IDS = ("abc", "A-1", "user name", "007", "1e3", "x'y", "%", "_", "id", "é", "None")
"""Ids of at most ten characters that a token may bring, some of which a store may refuse."""


UNKNOWN_IDS = (
    "unknown",
    "999999999",
    "9" * 20,
    "00000000",
    "-5",
    "0",
    "1000.ann.access",
    "ann@example.com:77",
)


@check("DEL-1")
def deleting_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    # The first, the last, then the middle ones, until none is left.
    for row in (rows[0], rows[-1], *rows[1:-1][::2], *rows[2:-1][::2]):
        _delete(store, rows, row)


@check("DEL-1")
def deleting_from_the_end_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    for row in rows[::-1]:
        _delete(store, rows, row)


@check("DEL-1")
def a_row_is_deleted_by_the_id_that_its_token_carries(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EACH_KEY]
    rows = store.showing(passed)
    for saved, row in list(zip(passed, rows, strict=True)):
        if saved.passed_after.id == row.id:  # SAVE-2 says otherwise
            _delete(store, rows, row)


@check("DEL-1")
def rows_with_ids_that_their_tokens_brought_are_deleted(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(ANN, ACCESS)
    brought = bring_rows(store, rows, BROUGHT_IDS)
    for row in brought[1::2] + brought[::2]:
        _delete(store, rows, row)


def _delete(store: StoreHandle, rows: list[Row], row: Row) -> None:
    """Delete one row; `rows` shrinks by it."""
    answer = store.call("delete_token", row.id)
    if answer.raised is not None:
        store.workspace.fail(f"delete_token removes the row with the id {format_value(row.id)}", str(answer))
    store.expect(rows, gone=[row], because=f"the row with the id {format_value(row.id)} is gone and no other")
    rows.remove(row)


def bring_rows(store: StoreHandle, rows: list[Row], ids: Iterable[str]) -> list[Row]:
    """Save a token with each of these ids, as far as the store takes them; `rows` grows by them."""
    brought = []
    for number, id in enumerate(ids):
        if any(row.id == id for row in rows):
            continue  # the store itself gives such ids
        store.try_save(person(f"guest{number}", id=id))
        new = [row for row in store.rows() if row not in rows]
        # Ids that the store refuses or replaces are the matter of SAVE-3.
        brought += [row for row in new if row.id == id]
        rows += new
    return brought


@check("DEL-2")
def an_id_that_is_not_stored_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    computed = [f"{row.id}{rest}" for row in (rows[0], rows[-1]) for rest in ("-0", "+0", "*1")]
    for id in (*UNKNOWN_IDS, *computed):
        if all(row.id != id for row in rows):
            _removes_nothing(store, rows, id)


@check("DEL-2")
def deleting_twice_removes_one_row(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    for row in dict.fromkeys((rows[-1], rows[0], rows[2])):
        store.call("delete_token", row.id)
        if row in store.rows():
            workspace.fail("the row is gone", format_row(row), precondition_failed=True)
        rows.remove(row)
        _removes_nothing(store, rows, row.id)
        _removes_nothing(store, rows, row.id)
    store.clear()
    if left := store.rows():
        workspace.fail("no row after delete_tokens", format_rows(left), precondition_failed=True)
    for row in rows:
        _removes_nothing(store, [], row.id)


@check("DEL-2")
def deleting_from_an_empty_store_is_allowed(workspace: Workspace) -> None:
    store = workspace.open()
    for id in ("1", "unknown"):
        _removes_nothing(store, [], id)
    store.holding(ANN)


def _removes_nothing(store: StoreHandle, rows: list[Row], id: str) -> None:
    answer = store.call("delete_token", id)
    if answer.raised is not None and not answer.refused:
        store.workspace.fail("delete_token returns None or raises SDKException", str(answer))
    if answer.raised is None and answer.returned is not None:
        store.workspace.fail("delete_token returns None or raises SDKException", str(answer))
    store.expect(rows, because=f"no row has the id {format_value(id)}, so none is removed")


@check("DEL-4")
def a_deleted_token_is_found_by_no_lookup(workspace: Workspace) -> None:
    for place in range(len(_LONERS)):
        store = workspace.open()
        rows = store.holding(*_LONERS)
        row = rows[place]
        observer = Observer(store, rows, [row])
        store.call("delete_token", row.id)
        observer.look([other for other in rows if other != row], "after the token is deleted")
        left = [other for other in store.rows() if other.id == row.id or _same_token(other, row)]
        if left:
            workspace.fail("the deleted token is not listed", format_row(left[0]))
        workspace.fresh_examples()


@check("DEL-4")
def a_deleted_user_can_be_saved_again(workspace: Workspace) -> None:
    for deleted in ((ANN,), (GUS,), (DAN, ANN), _LONERS):
        store = workspace.open()
        rows = store.holding(*_LONERS)
        for gone in deleted:
            row = _row_of(workspace, rows, gone)
            remove_row(store, row)
            rows.remove(row)
        for gone in deleted:
            # Less than what was deleted: nothing of the old row may come back.
            sent = key_of(gone)
            if gone.user_name is not None:
                sent = Row(user_name=gone.user_name, refresh_token=f"{gone.refresh_token}.again")
            store.save(sent)
            new = store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
            if extra := [name for name in new[0].but(id=None).present() if name not in sent.present()]:
                workspace.fail(
                    f"nothing but {format_row(sent)} in the new row", f"it has {', '.join(extra)} too"
                )
            rows += new
        workspace.fresh_examples()


@check("DEL-4")
def a_deleted_user_is_one_row_also_when_saved_with_the_deleted_id(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in pool(ANN, GUS, ACCESS, BOB)]
    rows = store.showing(passed)
    for saved, row in list(zip(passed, rows, strict=True)):
        remove_row(store, row)
        rows.remove(row)
        # The very token again: the SDK goes on with the object that it has.
        again = store.try_save_token(saved.token)
        if again.answer.raised is not None:
            workspace.fail("the deleted token can be saved again", str(again.answer))
        new = store.expect(rows, new=1, because=f"one new row for {format_row(saved.sent)}")
        if new[0].but(id=None) != row.but(id=None):
            workspace.fail(f"a row with {format_row(row.but(id=None))}", format_row(new[0]))
        rows += new


_LONERS = (ANN, ACCESS, BOB, GRANT, REFRESH, DAN, EVE, LATE_GRANT, LATE_ACCESS, LATE_REFRESH, GUS)
"""Tokens of every kind, no two of which share what they are found by."""


def _row_of(workspace: Workspace, rows: list[Row], wanted: Row) -> Row:
    row = next((row for row in rows if _same_token(row, wanted)), None)
    if row is None:
        workspace.fail(f"a row of {format_row(key_of(wanted))}", format_rows(rows), precondition_failed=True)
    return row


def _same_token(row: Row, other: Row) -> bool:
    return key_of(row) == key_of(other)


def remove_row(store: StoreHandle, row: Row) -> None:
    """Arrange: the row is deleted."""
    answer = store.call("delete_token", row.id)
    if answer.raised is not None or row in store.rows():
        store.workspace.fail(f"delete_token removes {format_row(row)}", str(answer), precondition_failed=True)
