"""LIST: what ``get_tokens`` gives."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..._harness.calls import CallRecord, TokenCall
from ..._harness.messages import format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, format_row, to_row, to_token
from ..aliasing import OVERWRITTEN, lookups, overwrite, overwrite_all, unchanged
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    GRANT,
    GUS,
    LATE_REFRESH,
    ONE_OF_EVERY_KIND,
    REFRESH,
    key_of,
    person,
    pool,
)


@check("LIST-1")
def every_row_is_listed_once_and_complete(workspace: Workspace) -> None:
    store = workspace.open()
    passed: list[TokenCall] = []
    for row in (*ONE_OF_EVERY_KIND, ANN.but(user_name="twin@example.com:77")):
        passed.append(store.save(row))
        _lists(store, [saved.inserted for saved in passed])


@check("LIST-1")
def updated_rows_are_listed_once_and_as_they_are(workspace: Workspace) -> None:
    store = workspace.open()
    rows = [store.save(row).inserted for row in ONE_OF_EVERY_KIND]
    for number, row in enumerate(pool(ANN, LATE_REFRESH, GUS)):
        place = ONE_OF_EVERY_KIND.index(row)
        sent = key_of(row).but(access_token=f"1000.renewed.{number}", expires_in="1900000000666")
        store.save(sent)
        rows[place] = rows[place].updated_by(sent)
        _lists(store, rows)


@check("LIST-1")
def many_rows_are_all_listed(workspace: Workspace) -> None:
    store = workspace.open()
    _lists(store, [store.save(person(f"user{number}")).inserted for number in range(120)])


def _lists(store: StoreHandle, wanted: Sequence[Row]) -> None:
    """Exactly these rows are listed, in whatever order."""
    listed = [row.plain() for row in store.listed()]
    for row in wanted:
        if row not in listed:
            store.workspace.fail(f"one of the tokens is {format_row(row)}", format_rows(listed))
        listed.remove(row)
    if listed:
        store.workspace.fail(f"{len(wanted)} tokens, one for each row", f"beside them {format_rows(listed)}")


@check("LIST-2")
def an_empty_store_lists_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    _lists_nothing(store)
    store.call("find_token_by_id", "unknown")
    store.find_quietly(ANN)
    _lists_nothing(store)


@check("LIST-2")
def a_store_whose_last_token_went_lists_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    for row in pool(ANN, ACCESS):
        saved = store.save(row)
        if not store.listed():
            workspace.fail("the saved token is listed", "no tokens", precondition_failed=True)
        store.call("delete_token", saved.passed_after.id)
        answer = store.call("get_tokens")
        if isinstance(answer.returned, list) and answer.returned:
            return  # delete_token does not work: DEL-1 says so
        _lists_nothing(store)


def _lists_nothing(store: StoreHandle) -> None:
    answer = store.call("get_tokens")
    if not isinstance(answer.returned, list) or answer.returned:
        store.workspace.fail("get_tokens returns []", f"it {answer}")


ROWS = (ANN, ACCESS, GRANT, REFRESH, BOB)


@check("LIST-3")
def changing_the_listed_tokens_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ROWS)
    looked = lookups(store, before)
    for place in range(len(ROWS)):
        overwrite(store, _listing(store)[place])
        unchanged(store, before, looked, "a token that get_tokens returned")
    overwrite_all(store, "get_tokens")
    unchanged(store, before, looked, "a token that get_tokens returned")


@check("LIST-3")
def changing_the_list_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ROWS)
    looked = lookups(store, before)
    workspace.remember([OVERWRITTEN])
    for method, arguments in (("append", [to_token(OVERWRITTEN)]), ("pop", [0]), ("clear", [])):
        listing = _listing(store)
        note = f"the returned list: {method}()"
        workspace.calls.append(CallRecord(store.number, method, passed=listing, note=note))
        # A list of another kind may refuse to be changed.
        with contextlib.suppress(Exception):
            getattr(listing, method)(*arguments)
        unchanged(store, before, looked, "the list that get_tokens returned")


def _listing(store: StoreHandle) -> list[object]:
    answer = store.call("get_tokens")
    tokens = answer.returned
    if (
        not isinstance(tokens, list)
        or len(tokens) != len(ROWS)
        or not all(isinstance(token, load().OAuthToken) and to_row(token) for token in tokens)
    ):
        store.workspace.fail(f"get_tokens lists {len(ROWS)} tokens", str(answer), precondition_failed=True)
    return tokens
