"""BYID-1 to BYID-3, LIST-1, LIST-2: what ``find_token_by_id`` and ``get_tokens`` give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..._harness.messages import format_rows
from ..._harness.row_acts import bring_rows, demand, reads_alike, require, same_fields
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import SPARE, active, batches
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, absent, format_row, format_value
from ..registry import Case, check, check_each
from ..sample_tokens import (
    ACCESS,
    ANN,
    CROWD_TEXTS,
    GUS,
    LATE_REFRESH,
    ONE_OF_EVERY_KIND,
    guests,
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
ALIKE = (*BROUGHT, "ABC", "abc ", " abc", "7.0", "07", "e\u0301")
"""The same, and ids that a loose store takes for one of them or for one another."""


@dataclass(frozen=True)
class Reading(Case):
    """A way of reading all rows, looked at after each save.

    Attributes:
        shows: Sees that the way shows these rows, and no others.
    """

    shows: Callable[[StoreHandle, Sequence[Row]], None]


def _each_is_given(store: StoreHandle, wanted: Sequence[Row]) -> None:
    for row in wanted:
        require(store.workspace, not absent(row.id), "a saved token carries its id", format_row(row))
        found = store.found_by_id(row.id)
        expected = f"find_token_by_id({format_value(row.id)}) returns {format_row(row)}"
        demand(store.workspace, found is not None, expected, "it returned None")
        given = (found or Row()).plain()
        if given != row and not _is_stored_so(store, given, row):
            same_fields(store.workspace, "a token", given, row)


def _lists(store: StoreHandle, wanted: Sequence[Row]) -> None:
    """Exactly these rows are listed, in whatever order."""
    listed = [row.plain() for row in store.listed()]
    for row in wanted:
        # An id that the token did not get is the matter of SAVE-2.
        same = [one for one in listed if one == row or (absent(row.id) and one.but(id=row.id) == row)]
        same = same or [one for one in listed if _is_stored_so(store, one, row)]
        if not same:
            store.workspace.fail(f"one of the tokens is {format_row(row)}", format_rows(listed))
        listed.remove(same[0])
    if not all(_is_stored_so(store, one, one) for one in listed):
        store.workspace.fail(f"{len(wanted)} tokens, one for each row", f"beside them {format_rows(listed)}")


def _is_stored_so(store: StoreHandle, read: Row, saved: Row) -> bool:
    """Whether both ways of reading agree on another row than was saved: no reading is at fault."""
    same = key_of(read) == key_of(saved) if absent(saved.id) else read.id == saved.id
    return same and reads_alike(store, read)


READINGS = (
    Reading("BYID-1", "a stored id gives its token", _each_is_given),
    Reading("LIST-1", "every row is listed once and as it is", _lists),
)


@check_each(READINGS)
def _rows_read_as_they_are(workspace: Workspace, case: Reading) -> None:
    store = workspace.open()
    passed, rows = [], []
    for row in (*ONE_OF_EVERY_KIND, *pool(ANN.but(user_name="twin@example.com:77"))):
        passed.append(store.save(row))
        rows.append(passed[-1].inserted)
        case.shows(store, rows)
    store.expect(store.showing(passed), because="reading changes nothing stored")
    for number, row in enumerate(pool(ANN, LATE_REFRESH, GUS)):
        place = ONE_OF_EVERY_KIND.index(row)
        sent = key_of(row).but(access_token=f"1000.renewed.{number}", expires_in="1900000000666")
        store.save(sent)
        rows[place] = rows[place].updated_by(sent)
        case.shows(store, rows)


@check("BYID-1")
def an_id_that_its_token_brought_gives_it(workspace: Workspace) -> None:
    for store, ids in workspace.each((BROUGHT[:6], BROUGHT[6:])):  # a store may have room for ten rows
        store.holding(ANN, ACCESS)
        _each_is_given(store, bring_rows(store, guests(*ids)))


@check("LIST-1")
def many_rows_are_all_listed(workspace: Workspace) -> None:
    for store, rows in workspace.each(batches([person(f"user{number}") for number in range(120)])):
        _lists(store, [store.save(row).inserted for row in rows])


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
    if active().room is not None:  # up to the last row: ids of two digits are read otherwise than of one
        spare = active().fitting(SPARE, len(store.kept))
        store.holding(*(newcomer(f"spare{number}") for number in range(spare)))
    ids = [row.id for row in store.kept]
    _are_apart(store, [*ids[:2], *ids[-4:]], ids)
    for text in CROWD_TEXTS:  # what another field holds is no id
        if text not in ids:
            _finds_nothing(store, text, ", which no row has as its id, returns None")


@check("BYID-3")
def an_id_that_is_nearly_one_that_was_brought_finds_nothing(workspace: Workspace) -> None:
    for store, ids in workspace.each((BROUGHT[:6], BROUGHT[6:])):
        store.holding(ANN, ACCESS)
        brought = [row.id for row in bring_rows(store, guests(*ids))]
        _are_apart(store, brought, [*(row.id for row in store.kept), *brought])


def _are_apart(store: StoreHandle, ids: list[Any], stored: list[Any]) -> None:
    """These ids find something, and their neighbours nothing, as far as those are not stored."""
    some = [id for id in ids if isinstance(id, str) and id]
    require(store.workspace, some or not ids, "a stored row has an id that is a text", "none has")
    for turn, id in enumerate(some):
        finds = store.found_by_id(id) is not None
        require(store.workspace, finds, f"the stored id {format_value(id)} finds its token")
        for other in store.workspace.sut.pace.in_turn(near_ids(id), turn):
            if other not in stored:
                _finds_nothing(store, other, f" does not find the id {format_value(id)}")


def _finds_nothing(store: StoreHandle, id: str, expected: str) -> None:
    # Raising is no answer either, nor is a row for whatever id; BYID-2 speaks of both.
    answer = store.call("find_token_by_id", id)
    if answer.returned is not None and store.quietly("find_token_by_id", "unknown").returned is None:
        store.workspace.fail(f"find_token_by_id({format_value(id)}){expected}", str(answer))


@check("BYID-3")
def ids_that_are_nearly_equal_find_each_its_own(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS)
    _each_is_given(store, bring_rows(store, guests(*ALIKE)))


@check("LIST-2")
def an_empty_store_lists_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    _lists_nothing(store)
    store.call("find_token_by_id", "unknown")
    store.find_quietly(ANN)
    _lists_nothing(store)
    for row in pool(ANN, ACCESS):
        saved = store.save(row)
        require(workspace, store.listed(), "the saved token is listed", "no tokens")
        store.call("delete_token", saved.passed_after.id)
        answer = store.call("get_tokens")
        if isinstance(answer.returned, list) and answer.returned:
            return  # delete_token does not work: DEL-1 says so
        _lists_nothing(store)


def _lists_nothing(store: StoreHandle) -> None:
    answer = store.call("get_tokens")
    lists_none = isinstance(answer.returned, list) and not answer.returned
    demand(store.workspace, lists_none, "get_tokens returns []", f"it {answer}")
