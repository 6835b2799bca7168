"""DEL-1, DEL-2, DEL-4: which row ``delete_token`` removes."""

from __future__ import annotations

from ..._harness.messages import format_rows
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
    pool,
)
from .acts import bring_rows, inserts, remove_row

BROUGHT_IDS = ("abc", "A-1", "user name", "007", "1e3", "x'y", "%", "_", "id", "é", "None")
"""Ids of at most ten characters that a token may bring, some of which a store may refuse."""
UNKNOWN_IDS = (
    *("unknown", "999999999", "9" * 20, "00000000", "-5", "0", "1000.ann.access", "ann@example.com:77"),
)
LONERS = (ANN, ACCESS, BOB, GRANT, REFRESH, DAN, EVE, LATE_GRANT, LATE_ACCESS, LATE_REFRESH, GUS)
"""Tokens of every kind, no two of which share what they are found by."""


@check("DEL-1")
def deleting_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    # The first, the last, then the middle ones, until none is left.
    _are_deleted(store, [rows[0], rows[-1], *rows[1:-1][::2], *rows[2:-1][::2]])


@check("DEL-1")
def deleting_from_the_end_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    store = workspace.open()
    _are_deleted(store, store.holding(*ONE_OF_EVERY_KIND)[::-1])


@check("DEL-1")
def a_row_is_deleted_by_the_id_that_its_token_carries(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EACH_KEY]
    ids = [saved.passed_after.id for saved in passed]
    _are_deleted(store, [row for row in store.showing(passed) if row.id in ids])  # SAVE-2 says otherwise


@check("DEL-1")
def rows_with_ids_that_their_tokens_brought_are_deleted(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(ANN, ACCESS)
    brought = bring_rows(store, BROUGHT_IDS)
    _are_deleted(store, brought[1::2] + brought[::2])


def _are_deleted(store: StoreHandle, rows: list[Row]) -> None:
    """Each of these rows is deleted by its id, one after another."""
    for row in rows:
        answer = store.call("delete_token", row.id)
        shown = format_value(row.id)
        if answer.raised is not None:
            store.workspace.fail(f"delete_token removes the row with the id {shown}", str(answer))
        store.expect(gone=[row], because=f"the row with the id {shown} is gone and no other")


@check("DEL-2")
def an_id_that_is_not_stored_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    ids = {row.id for row in store.holding(*ONE_OF_EVERY_KIND)}
    for id in UNKNOWN_IDS:
        if id not in ids:
            _removes_nothing(store, id)


@check("DEL-2")
def deleting_twice_removes_one_row(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    for row in (rows[-1], rows[0], rows[2]):
        store.call("delete_token", row.id)
        if row in store.rows():
            workspace.fail("the row is gone", format_row(row), precondition_failed=True)
        store.kept.remove(row)
        _removes_nothing(store, row.id)
        _removes_nothing(store, row.id)
    left = store.kept
    store.clear()
    if rows := store.rows():
        workspace.fail("no row after delete_tokens", format_rows(rows), precondition_failed=True)
    store.kept = []
    for row in left:
        _removes_nothing(store, row.id)


@check("DEL-2")
def deleting_from_an_empty_store_is_allowed(workspace: Workspace) -> None:
    store = workspace.open()
    for id in ("1", "unknown"):
        _removes_nothing(store, id)
    store.holding(ANN)


def _removes_nothing(store: StoreHandle, id: str) -> None:
    answer = store.call("delete_token", id)
    if not answer.refused and (answer.raised is not None or answer.returned is not None):
        store.workspace.fail("delete_token returns None or raises SDKException", str(answer))
    store.expect(because=f"no row has the id {format_value(id)}, so none is removed")


@check("DEL-4")
def a_deleted_token_is_found_by_no_lookup(workspace: Workspace) -> None:
    for store, place in workspace.each(range(len(LONERS))):
        row = store.holding(*LONERS)[place]
        store.observe(row, after="the token is deleted")
        store.call("delete_token", row.id)
        store.expect(gone=[row], because="the deleted token is not listed")


@check("DEL-4")
def a_deleted_user_can_be_saved_again(workspace: Workspace) -> None:
    for store, deleted in workspace.each(((ANN,), (GUS,), (DAN, ANN), LONERS)):
        store.holding(*LONERS)
        for gone in deleted:
            remove_row(store, store.stored(gone))
        for gone in deleted:
            # Less than what was deleted: nothing of the old row may come back.
            sent = key_of(gone)
            if gone.user_name is not None:
                sent = Row(user_name=gone.user_name, refresh_token=f"{gone.refresh_token}.again")
            new = inserts(store, sent)
            if extra := [name for name in new.but(id=None).present() if name not in sent.present()]:
                workspace.fail(
                    f"nothing but {format_row(sent)} in the new row", f"it has {', '.join(extra)} too"
                )


@check("DEL-4")
def a_deleted_user_is_one_row_also_when_saved_with_the_deleted_id(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in pool(ANN, GUS, ACCESS, BOB)]
    for saved, row in zip(passed, store.showing(passed), strict=True):
        remove_row(store, row)
        # The very token again: the SDK goes on with the object that it has.
        again = store.try_save_token(saved.token)
        if again.answer.raised is not None:
            workspace.fail("the deleted token can be saved again", str(again.answer))
        [new] = store.expect(new=1, because=f"one new row for {format_row(saved.sent)}")
        if new.but(id=None) != row.but(id=None):
            workspace.fail(f"a row with {format_row(row.but(id=None))}", format_row(new))
