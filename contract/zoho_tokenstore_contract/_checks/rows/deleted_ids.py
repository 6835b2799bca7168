"""DEL-5: the id of a deleted row is never given again."""

from __future__ import annotations

from collections.abc import Sequence

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import ANN, BOB, NAMED, person
from .acts import bring_rows, clear_all, remove_row

TURNS = 260
"""Deletions after which a list of 64 or 100 ids, and a counter of two digits or one byte, has begun again."""


@check("DEL-5")
def the_id_of_a_deleted_row_is_never_given_again(workspace: Workspace) -> None:
    orders = (slice(None, None, -1), slice(None), slice(-1, None), slice(0, 1), slice(1, None))
    for store, order in workspace.each(orders):
        gone = store.showing([store.save(row) for row in NAMED])[order]
        _gives_new_ids(store, _deleted(store, gone))


@check("DEL-5")
def an_id_is_not_given_again_when_deleting_and_saving_take_turns(workspace: Workspace) -> None:
    store = workspace.open()
    id = store.holding(ANN, BOB)[1].id
    gone = {id}
    for number in range(TURNS):
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
        gone |= {saved.passed_after.id for saved in _gives_new_ids(store, gone)}


@check("DEL-5")
def an_id_that_a_token_brought_is_not_given_after_its_row_is_deleted(workspace: Workspace) -> None:
    for store, clears in workspace.each((False, True)):
        store.holding(ANN, BOB)
        brought = bring_rows(store, _next_ids(store))
        _gives_new_ids(store, _deleted(store, [] if clears else brought))


@check("DEL-5", persistent=True)
def the_id_of_a_deleted_row_is_not_given_after_opening_again(workspace: Workspace) -> None:
    cases = [(clears, brings) for clears in (False, True) for brings in (False, True)]
    for store, (clears, brings) in workspace.each(cases):
        store.holding(*NAMED)
        if brings:
            bring_rows(store, _next_ids(store))
        gone = _deleted(store, [] if clears else store.kept[:1:-1])
        _gives_new_ids(workspace.reopen(store), gone)


def _deleted(store: StoreHandle, rows: Sequence[Row]) -> set[str]:
    """Arrange: these rows are deleted, or all at once where none is named; their ids."""
    ids = {row.id for row in rows or store.kept}
    for row in rows:
        remove_row(store, row)
    if not rows:
        clear_all(store)
    return ids


def _next_ids(store: StoreHandle) -> list[str]:
    """Ids that a store which counts would give next, and soon after."""
    numbers = [int(row.id) for row in store.kept if isinstance(row.id, str) and row.id.isdecimal()]
    last = max(numbers, default=0)
    return [id for step in (1, 2, 5) if len(id := str(last + step)) <= 10]


def _gives_new_ids(store: StoreHandle, gone: set[str]) -> list[TokenCall]:
    """Other users get none of these ids."""
    passed = []
    for number in range(max(8, len(gone) + 2)):
        passed.append(store.save(person(f"later{number}")))
        _is_new(store, passed[-1], gone)
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
