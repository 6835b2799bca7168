"""CLEAR-1, CLEAR-2: ``delete_tokens``."""

from __future__ import annotations

from ..._harness.observer import Observer
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, absent, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    CLEO,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WITH_CLIENT,
    by_each_token,
    key_of,
    person,
    pool,
)
from .deleting import bring_rows, remove_row


@check("CLEAR-1")
def delete_tokens_removes_every_row(workspace: Workspace) -> None:
    for rows in (ONE_OF_EVERY_KIND, pool(ANN), pool(ACCESS), pool(WITH_CLIENT, CLEO)):
        store = workspace.open()
        kept = store.holding(*rows)
        _clears(store, kept)
        workspace.fresh_examples()


@check("CLEAR-1")
def rows_that_were_updated_or_brought_their_ids_are_removed_too(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    bring_rows(store, rows, ("abc", "x'y", "0"))
    store.try_save(Row(user_name=ANN.user_name, access_token="1000.new.access"))
    _clears(store, store.rows())


@check("CLEAR-1")
def delete_tokens_is_no_error_on_an_empty_store(workspace: Workspace) -> None:
    store = workspace.open()
    _clears(store, [])
    _clears(store, [])
    kept = store.holding(ANN)
    _clears(store, kept)
    _clears(store, [])


@check("CLEAR-1")
def a_store_emptied_one_by_one_can_be_cleared(workspace: Workspace) -> None:
    store = workspace.open()
    for row in store.holding(ANN, REFRESH):
        remove_row(store, row)
    _clears(store, [])


def _clears(store: StoreHandle, rows: list[Row]) -> None:
    answer = store.clear()
    if answer.raised is not None:
        store.workspace.fail("delete_tokens removes every row", str(answer))
    store.expect(rows, gone=rows, because="no row is left after delete_tokens")
    for row in rows:
        found = store.call("find_token_by_id", row.id)
        if found.returned is not None:
            store.workspace.fail(
                f"no token has the id {format_value(row.id)} after delete_tokens", str(found)
            )
        by_name = [] if absent(row.user_name) else [row.only("user_name")]
        for asked in (*by_name, *by_each_token(row)):
            if (answer := store.find_quietly(asked)).returned is not None:
                store.workspace.fail(f"{format_row(asked)} finds nothing after delete_tokens", str(answer))


@check("CLEAR-1")
def what_was_found_before_delete_tokens_is_found_no_more(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    observer = Observer(store, rows)
    _clears(store, rows)
    observer.look([], "after delete_tokens")


@check("CLEAR-2")
def the_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    old = store.holding(*ONE_OF_EVERY_KIND)
    finds = store.find_quietly(key_of(ANN)).returned is not None
    for _ in range(2):
        rows = _cleared(store)
        if rows:  # CLEAR-1 tells it; then nobody else's save may fail
            _takes_a_new_user(store, rows)
            continue
        for sent, was in list(zip(ONE_OF_EVERY_KIND, old, strict=True))[::-1]:
            store.save(sent)
            new = store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
            if new[0].but(id=None) != was.but(id=None):
                workspace.fail(f"a row like {format_row(was)}, as before", format_row(new[0]))
            rows += new
        if len({row.id for row in rows}) != len(rows):
            workspace.fail("an id of its own for each row", ", ".join(format_value(row.id) for row in rows))
        if finds and store.found(key_of(ANN)) is None:
            workspace.fail("a user saved after delete_tokens is found", "find_token returned None")


@check("CLEAR-2")
def an_empty_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    for _ in range(2):
        rows = _cleared(store)
    for row in ONE_OF_EACH_KEY:
        store.save(row)
        rows += store.expect(rows, new=1, because=f"one new row for {format_row(row)}")


def _cleared(store: StoreHandle) -> list[Row]:
    """Call ``delete_tokens``, whatever it does: what is stored then, nothing in most stores."""
    store.clear()
    return store.rows()


def _takes_a_new_user(store: StoreHandle, rows: list[Row]) -> None:
    """A user who has no row can be saved and found."""
    sent = person(f"after{len(rows)}")
    store.save(sent)
    store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
