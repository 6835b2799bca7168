"""DEL-5: the id of a deleted row is never given again."""

from __future__ import annotations

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ANN,
    BOB,
    NAMED,
    person,
)
from .deleting import bring_rows, remove_row

TURNS, LEAST_TURNS = 260, 101
"""Deletions after which a list of 64 or 100 ids, and a counter of two digits or one byte, has begun again.

Of a slow store the byte is not tried."""


@check("DEL-5")
def the_id_of_a_deleted_row_is_never_given_again(workspace: Workspace) -> None:
    for order in (slice(None, None, -1), slice(None), slice(-1, None), slice(0, 1), slice(1, None)):
        store = workspace.open()
        passed = [store.save(row) for row in NAMED]
        rows = store.showing(passed)
        gone = rows[order]
        for row in gone:
            remove_row(store, row)
        _gives_new_ids(store, {row.id for row in gone})
        workspace.fresh_examples()


@check("DEL-5")
def an_id_is_not_given_again_when_deleting_and_saving_take_turns(workspace: Workspace) -> None:
    store = workspace.open()
    gone = {store.holding(ANN, BOB)[1].id}
    (id,) = gone
    for number in range(workspace.sut.pace.affordable(TURNS, LEAST_TURNS)):
        answer = store.call("delete_token", id)
        if answer.raised is not None:
            workspace.fail("delete_token removes the row", str(answer), precondition_failed=True)
        gone.add(id)
        saved = store.save(person(f"turn{number}"))
        _is_new(store, saved, gone)
        id = saved.passed_after.id


@check("DEL-5")
def no_id_is_given_again_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    gone = {row.id for row in store.holding(*NAMED)}
    for _ in range(2):
        clear_all(store)
        saved = _gives_new_ids(store, gone)
        gone |= {one.passed_after.id for one in saved}


@check("DEL-5")
def an_id_that_a_token_brought_is_not_given_after_its_row_is_deleted(workspace: Workspace) -> None:
    for clears in (False, True):
        store = workspace.open()
        rows = store.holding(ANN, BOB)
        gone = {row.id for row in bring_rows(store, rows, _next_ids(rows))}
        if clears:
            clear_all(store)
            gone |= {row.id for row in rows}
        else:
            for row in [row for row in rows if row.id in gone]:
                remove_row(store, row)
        _gives_new_ids(store, gone)
        workspace.fresh_examples()


@check("DEL-5", persistent=True)
def the_id_of_a_deleted_row_is_not_given_after_opening_again(workspace: Workspace) -> None:
    for clears in (False, True):
        for brings in (False, True):
            store = workspace.open()
            rows = store.holding(*NAMED)
            if brings:
                bring_rows(store, rows, _next_ids(rows))
            if clears:
                clear_all(store)
                gone = {row.id for row in rows}
            else:
                gone = {row.id for row in rows[2:]}
                for row in rows[:1:-1]:
                    remove_row(store, row)
            store = workspace.reopen(store)
            _gives_new_ids(store, gone)
            workspace.fresh_examples()


def _next_ids(rows: list[Row]) -> list[str]:
    """Ids that a store which counts would give next, and soon after."""
    numbers = [int(row.id) for row in rows if isinstance(row.id, str) and row.id.isdecimal()]
    last = max(numbers, default=0)
    return [id for step in (1, 2, 5) if len(id := str(last + step)) <= 10]


def _gives_new_ids(store: StoreHandle, gone: set[str]) -> list[TokenCall]:
    """Other users get none of these ids."""
    passed = []
    for number in range(max(8, len(gone) + 2)):
        saved = store.save(person(f"later{number}"))
        _is_new(store, saved, gone)
        passed.append(saved)
    for row in store.showing(passed):
        if row.id in gone:
            store.workspace.fail("no id of a deleted row", format_row(row))
    return passed


def _is_new(store: StoreHandle, saved: TokenCall, gone: set[str]) -> None:
    if saved.passed_after.id in gone:
        store.workspace.fail(
            "an id that no deleted row had",
            f"{format_value(saved.passed_after.id)} for {format_row(saved.sent)}",
        )


def clear_all(store: StoreHandle) -> None:
    """Arrange: nothing is stored any more."""
    answer = store.clear()
    if answer.raised is not None or store.rows():
        store.workspace.fail("delete_tokens removes every row", str(answer), precondition_failed=True)
