"""BYID and LIST: what ``find_token_by_id`` and ``get_tokens`` give, and that it is detached."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from ..._harness.calls import CallRecord, TokenCall
from ..._harness.messages import format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_row, to_token
from ..aliasing import OVERWRITTEN, lookups, overwrite, overwrite_all, unchanged
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CROWD_TEXTS,
    GRANT,
    GUS,
    LATE_REFRESH,
    ONE_OF_EVERY_KIND,
    REFRESH,
    key_of,
    near_ids,
    newcomer,
    person,
    pool,
)
from ..tricky_strings import NUMERALS, TRAPS

UNKNOWN_IDS = (
    *("unknown", "0", "-1", "99999", "9999999999", "9" * 20, "1.5", "None", "null", "id", "user_name"),
    *("access_token", "%", "_", "*", "'", "x'y", '"', "\\", ";", "--", "1 or 1=1", "' or '1'='1"),
    *("1; drop table oauthtoken", "é", "a" * 300, ANN.user_name, ANN.access_token, ANN.refresh_token),
)
"""Ids that no row has: unlikely numbers, columns' names, what SQL reads, what other fields hold."""

BROUGHT = ("abc", "A-1", "007", "1e3", "k 1", "x'y", "a_c", "a%c", "é", "id", "0x1F")
"""Ids that tokens bring along, each with neighbours that somebody takes for it."""
ALIKE = ("abc", "ABC", "abc ", " abc", "7.0", "07", "007", "a_c", "a%c", "e\u0301", "é")
"""Ids that a loose store takes for one another."""


@check("BYID-1")
def a_stored_id_gives_its_token(workspace: Workspace) -> None:
    store = workspace.open()
    passed = []
    for row in ONE_OF_EVERY_KIND:
        passed.append(store.save(row))
        for saved in passed:
            _gives(store, saved.inserted)
    store.expect(store.showing(passed), because="finding by id changes nothing stored")


@check("BYID-1")
def a_stored_id_gives_its_token_after_updates(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(ANN, GUS, LATE_REFRESH)):
        sent = key_of(row).but(access_token=f"1000.renewed.{number}", expires_in="1900000000666")
        store.save(sent)
        _gives(store, row.updated_by(sent).but(id=store.stored(row).id))


@check("BYID-1")
def an_id_that_its_token_brought_gives_it(workspace: Workspace) -> None:
    for store, ids in workspace.each((BROUGHT[:6], BROUGHT[6:])):  # a store may have room for ten rows
        store.holding(ANN, ACCESS)
        for row in _brought(store, ids):
            _gives(store, row)


def _gives(store: StoreHandle, wanted: Row) -> None:
    fail = store.workspace.fail
    if absent(wanted.id):
        fail("a saved token carries its id", format_row(wanted), precondition_failed=True)
    found = store.found_by_id(wanted.id)
    if found is None:
        fail(f"find_token_by_id({format_value(wanted.id)}) returns {format_row(wanted)}", "it returned None")
    for name in FIELDS:
        if getattr(found.plain(), name) != getattr(wanted, name):
            fail(
                f"a token with {name}={format_value(getattr(wanted, name))}, as {format_row(wanted)}",
                f"its {name} is {format_value(getattr(found, name))}: {format_row(found)}",
            )


def _brought(store: StoreHandle, ids: Sequence[str]) -> list[Row]:
    """Rows of tokens that brought these ids along, as far as the store takes them."""
    kept = []
    for number, id in enumerate(ids):
        if all(row.id != id for row in store.kept):
            row = newcomer(f"guest{number}", id=id)
            saved = store.try_save(row)
            if saved.answer.raised is None and saved.passed_after.id == id:
                kept.append(row)
    return kept


@check("BYID-2")
def an_unknown_id_gives_none(workspace: Workspace) -> None:
    for store, rows in workspace.each(((), (ANN,), ONE_OF_EVERY_KIND)):
        ids = [row.id for row in store.holding(*rows)]
        near: tuple[str, ...] = ()
        if len(rows) == 1 and isinstance(ids[0], str):
            near = (*near_ids(ids[0]), *NUMERALS, *TRAPS)
        for id in (*UNKNOWN_IDS, *near):
            if id not in ids and (found := store.found_by_id(id)) is not None:
                workspace.fail(f"find_token_by_id({format_value(id)}) returns None", format_row(found))
        store.expect(because="finding by id changes nothing stored")


@check("BYID-3")
def an_id_that_is_nearly_another_finds_nothing(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    ids = [row.id for row in store.kept]
    _are_apart(store, [*ids[:2], *ids[-4:]], ids)


@check("BYID-3")
def an_id_that_is_nearly_one_that_was_brought_finds_nothing(workspace: Workspace) -> None:
    for store, ids in workspace.each((BROUGHT[:6], BROUGHT[6:])):
        store.holding(ANN, ACCESS)
        brought = [row.id for row in _brought(store, ids)]
        _are_apart(store, brought, [*(row.id for row in store.kept), *brought])


def _are_apart(store: StoreHandle, ids: list[Any], stored: list[Any]) -> None:
    """These ids find something, and their neighbours nothing, as far as those are not stored."""
    for turn, id in enumerate(ids):
        _finds_something(store, id)
        for other in store.workspace.sut.pace.in_turn(near_ids(id), turn):
            if other not in stored:
                _finds_nothing(store, other, f" does not find the id {format_value(id)}")


@check("BYID-3")
def what_another_field_holds_is_no_id(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    ids = [row.id for row in store.kept]
    _finds_something(store, ids[0])
    for text in CROWD_TEXTS:
        if text not in ids:
            _finds_nothing(store, text, ", which no row has as its id, returns None")


def _finds_something(store: StoreHandle, id: Any) -> None:
    if not isinstance(id, str) or not id or store.found_by_id(id) is None:
        store.workspace.fail(
            f"the stored id {format_value(id)} finds its token", "it finds nothing", precondition_failed=True
        )


def _finds_nothing(store: StoreHandle, id: str, expected: str) -> None:
    # Raising is no answer either, nor is a row for whatever id; BYID-2 speaks of both.
    answer = store.call("find_token_by_id", id)
    if answer.returned is not None and store.quietly("find_token_by_id", "unknown").returned is None:
        store.workspace.fail(f"find_token_by_id({format_value(id)}){expected}", str(answer))


@check("BYID-3")
def ids_that_are_nearly_equal_find_each_its_own(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS)
    for row in _brought(store, ALIKE):
        found = store.found_by_id(row.id)
        if found is None or found.user_name != row.user_name:
            workspace.fail(
                f"the id {format_value(row.id)} returns the token of {format_value(row.user_name)}",
                "it returned None" if found is None else format_row(found),
            )


@check("BYID-4")
def changing_what_was_found_by_id_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS, GRANT, REFRESH, BOB)
    looked = lookups(store)
    for row in [row for row in store.kept for _ in range(2)]:
        token = store.call("find_token_by_id", row.id).returned
        if not isinstance(token, load().OAuthToken):
            workspace.fail(
                f"the stored id {format_value(row.id)} gives its token",
                format_value(token),
                precondition_failed=True,
            )
        overwrite(store, token)
        unchanged(store, looked, "the token that find_token_by_id returned")
    overwrite_all(store, "find_token_by_id")
    unchanged(store, looked, "a token that find_token_by_id returned")


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
    store = workspace.holding(*ROWS)
    looked = lookups(store)
    for place in range(len(ROWS)):
        overwrite(store, _listing(store)[place])
        unchanged(store, looked, "a token that get_tokens returned")
    overwrite_all(store, "get_tokens")
    unchanged(store, looked, "a token that get_tokens returned")


@check("LIST-3")
def changing_the_list_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.holding(*ROWS)
    looked = lookups(store)
    workspace.remember([OVERWRITTEN])
    for method, arguments in (("append", [to_token(OVERWRITTEN)]), ("pop", [0]), ("clear", [])):
        listing = _listing(store)
        note = f"the returned list: {method}()"
        workspace.calls.append(CallRecord(store.number, method, passed=listing, note=note))
        # A list of another kind may refuse to be changed.
        with contextlib.suppress(Exception):
            getattr(listing, method)(*arguments)
        unchanged(store, looked, "the list that get_tokens returned")


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
