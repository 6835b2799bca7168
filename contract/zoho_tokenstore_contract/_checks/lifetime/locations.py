"""ISO-1, PERSIST-4: each location has rows of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from ..._drivers.storage_faults import main_file
from ..._drivers.surroundings import working_elsewhere
from ..._harness.calls import CallRecord
from ..._harness.messages import format_rows
from ..._harness.observer import Observer, lookups_of
from ..._harness.row_acts import demand, inserts, require
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import Pool, active
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, EVE, GRANT, GUS, ONE_OF_EACH_KEY, REFRESH, key_of, person, pool

NEW_ACCESS = "1000.new.access"

_KEYS = ("user_name", "refresh_token", "access_token", "grant_token")

NEARLY_ALIKE = (("it#1", "it#2"), ("it?1", "it?2"), ("it1", "it%31"))
"""Names that are one where a store takes the path for a URL."""

_marks = itertools.count(1)


@check("ISO-1")
def stores_on_different_locations_share_no_rows(workspace: Workspace) -> None:
    others = Pool((EVE, person("elsewhere"), ANN.but(access_token=NEW_ACCESS), REFRESH, ACCESS))
    few, again = _unheard(ONE_OF_EACH_KEY, others)
    one, other = _apart(workspace)
    here = one.holding(*few)
    other.expect([], because="what one store saved is not in the other")
    observer = Observer(one, here)  # what a store keeps in mind of its answers, it has in mind now
    for row in here:
        _is_unknown(other, row)
    # Nor does the first store come to miss what the other one has not.
    observer.look(here, "on the first location")
    # Others, and the same users again, under other ids: neither is taken for a row of the first store.
    there: list[Row] = []
    for row in again:
        other.save(row)
        there += other.expect(there, new=1, because=f"one new row in this store for {format_row(row)}")
        one.expect(here, because="what the other store saved changes nothing here")
    observer.look(here, "on the first location")
    one.save(GUS)
    here += one.expect(here, new=1)
    other.expect(there, because="what one store saved is not in the other")


@check("ISO-1")
def stores_on_different_locations_delete_apart(workspace: Workspace) -> None:
    these, those = _unheard((ANN, ACCESS, BOB), pool(BOB, ANN, GRANT, EVE))
    one, other = _apart(workspace)
    here, there = one.holding(*these), other.holding(*those)
    for row in here[:2]:
        one.call("delete_token", row.id)
        require(workspace, row not in one.rows(), f"{format_row(row)} is gone", "it is still there")
        here.remove(row)
        other.expect(there, because="deleting in one store deletes nothing in the other")
    one.save(Row(user_name=those[0].user_name, access_token=NEW_ACCESS))
    other.expect(there, because="an update in one store changes nothing in the other")
    here = one.rows()
    other.clear()
    left = other.rows()
    require(workspace, not left, "no rows after delete_tokens", format_rows(left))
    one.expect(here, because="delete_tokens of the other store deletes nothing here")


@check("ISO-1")
def a_store_on_another_location_begins_empty(workspace: Workspace) -> None:
    _needs_storage_of_its_own(workspace)
    [few] = _unheard(ONE_OF_EACH_KEY)
    first = workspace.open()
    rows = first.holding(*few)
    # Not emptied by the kit, as new locations otherwise are.
    second = workspace.open(workspace.location())
    second.expect([], because="a store that is opened on another location begins empty")
    first.expect(rows, because="opening another location changes nothing here")
    first.close()
    third = workspace.open(workspace.location())
    third.expect([], because="a store that is opened on another location begins empty")
    for row in rows:
        _is_unknown(third, row)


@check("ISO-1")
def stores_on_locations_with_nearly_the_same_name_share_no_rows(workspace: Workspace) -> None:
    _needs_storage_of_its_own(workspace)
    main_file(workspace.holding(ANN))  # who makes a database of each location takes no such names
    for names in NEARLY_ALIKE:
        parent, [few] = workspace.location(), _unheard((ANN, ACCESS))
        one, other = (_opened_on(workspace, parent / name) for name in names)
        if one and other and all(one.try_save(row).answer.raised is None for row in few):
            note = f"the names of the two locations are {names[0]} and {names[1]}"
            workspace.calls.append(CallRecord(other.number, "other", note=note))
            other.expect([], because="a store that is opened on another location begins empty")
        workspace.fresh_examples()


def _opened_on(workspace: Workspace, location: Path) -> StoreHandle | None:
    """A store on a new location; where the system or the store refuses its name, ``None``."""
    with contextlib.suppress(OSError):  # Windows has no question marks in names
        location.mkdir()
        store = workspace.try_open(location)[1]
        return store if store and store.quietly("get_tokens").returned == [] else None
    return None


@check("ISO-1", persistent=True)
def stores_on_different_locations_are_opened_again_apart(workspace: Workspace) -> None:
    these, those = _unheard((ANN, ACCESS, BOB), pool(BOB, EVE))
    one, other = _apart(workspace)
    here, there = one.holding(*these), other.holding(*those)
    one, other = workspace.reopen(one), workspace.reopen(other)
    for store, rows in ((one, here), (other, there)):
        # What a store loses when it is opened again is another clause's fault.
        lost = [row for row in rows if row not in store.rows()]
        require(workspace, not lost, "a store opened again has its rows", f"{format_rows(lost)} is gone")
        store.expect(rows, because="each location has its own rows after opening again")


def _apart(workspace: Workspace) -> tuple[StoreHandle, StoreHandle]:
    _needs_storage_of_its_own(workspace)
    return workspace.open(), workspace.open()


def _unheard(*groups: Sequence[Row]) -> list[list[Row]]:
    """The rows with keys that this process has never used: whatever a store remembers, it cannot know them.

    A store that keeps users of other locations in mind may have forgotten where those of earlier checks were.
    """
    mark = f".{os.getpid()}.{next(_marks)}"
    return [
        [
            row.but(**{name: value + mark for name, value in row.present().items() if name in _KEYS})
            for row in rows
        ]
        for rows in groups
    ]


def _needs_storage_of_its_own(workspace: Workspace) -> None:
    if not workspace.sut.own_storage:
        not_applicable("the store is declared as having one shared storage for all locations")


def _is_unknown(store: StoreHandle, row: Row) -> None:
    """A row of another store is found by no lookup."""
    for call in lookups_of(row):
        passed = to_token(call.argument) if isinstance(call.argument, Row) else call.argument
        answer = store.call(call.method, passed)
        if answer.returned is not None:
            store.workspace.fail("no token of a store on another location", str(answer))


def row_by_id(store: StoreHandle, id: object) -> Row | None:
    """What ``find_token_by_id`` finds; that it raises is the matter of BYID.

    Args:
        store: The open store.
        id: The id to ask for.

    Returns:
        The row; ``None`` where there is none or the call raises.
    """
    if not active().knows_ids:  # BYID-2 tells it
        return next((row for row in store.rows() if row.id == id), None)
    answer = store.call("find_token_by_id", id)
    return None if answer.raised is not None else store.row_or_none("find_token_by_id", answer)


@check("PERSIST-4", persistent=True)
def an_open_store_stays_on_its_location(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    with working_elsewhere(store):
        store.expect(because="the store has its rows")
        inserts(store, GUS)
        store.save(Row(user_name=ANN.user_name, access_token=NEW_ACCESS))
        rows = store.rows()
    with working_elsewhere(store):
        store.expect(rows, because="the store has its rows")
        store.call("delete_token", rows[1].id)
        rows = store.rows()
        elsewhere = [(store.found(key_of(row)), row_by_id(store, row.id)) for row in rows]
    store.expect(rows, because="back in its working directory, the store has its rows")
    for row, found in zip(rows, elsewhere, strict=True):
        same = found == (store.found(key_of(row)), row_by_id(store, row.id))
        expected = f"{format_row(row)} is found in another working directory as in this one"
        demand(workspace, same, expected, "it is not")
    store = workspace.reopen(store)
    store.expect(rows, because="what was saved in another working directory is on the location")
    with working_elsewhere(store):
        store.clear()
        store.expect([], because="delete_tokens removes every row")
    store = workspace.reopen(store)
    store.expect([], because="what was deleted in another working directory is gone from the location")


@check("PERSIST-4", persistent=True)
def an_empty_store_stays_on_its_location(workspace: Workspace) -> None:
    store = workspace.open()
    with working_elsewhere(store):
        rows = store.holding(ANN, ACCESS)
    store = workspace.reopen(store)
    store.expect(rows, because="what was saved in another working directory is on the location")
