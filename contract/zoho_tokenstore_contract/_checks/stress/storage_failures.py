"""CRASH-3 to CRASH-5: a damaged file, a storage that is out of reach, and one that is in reach again."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..._drivers.storage_faults import (
    DAMAGES,
    break_storage,
    damage_main_file,
    harm_to,
    main_file,
    mend_storage,
    needs_break_storage,
)
from ..._drivers.threads.another_thread import in_another_thread
from ..._harness.row_acts import demand, require
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import Pool, active
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, CLIENT, GRANT, GUS, ONE_OF_EVERY_KIND, REFRESH, key_of, person

METHODS = ("find_token", "save_token", "get_tokens", "find_token_by_id", "delete_token", "delete_tokens")
OUTAGES = 3

# A damaged file


@check("CRASH-3", persistent=True)
def a_damaged_file_is_refused_when_it_is_read(workspace: Workspace) -> None:
    _is_refused(workspace, writes=False)


@check("CRASH-3", persistent=True)
def a_damaged_file_is_refused_when_it_is_written(workspace: Workspace) -> None:
    _is_refused(workspace, writes=True)


def _is_refused(workspace: Workspace, *, writes: bool) -> None:
    """A store on a damaged file refuses its first call, or opening, and leaves the file; or has every row."""
    for what, damage in DAMAGES:
        damaged = f"(the kit damaged it while the store was closed: {what})"
        because = f"a file is refused when {what} (by the kit, while closed); or every row is still there"
        before, closed = _closed_store(workspace)
        main, content = damage_main_file(closed, what, damage)
        answer, store = workspace.try_open(closed.location)
        if store is None and not answer.refused:
            workspace.fail(f"SDKException for a damaged file {damaged}", f"opening {answer}")
        if store is not None:
            answer = store.try_save(person("zoe")).answer if writes else store.call("get_tokens")
            if answer.raised is not None and not answer.refused:
                workspace.fail(f"SDKException for a damaged file {damaged}", str(answer))
            # A store of several files may save elsewhere, as long as it owns up to the damage.
            if answer.raised is None and not (writes and store.call("get_tokens").refused):
                store.expect(before, new=int(writes), because=because)
                continue
            workspace.leave(store)
        seen, expected = harm_to(main, content), "a damaged file that is refused is left as it is"
        demand(workspace, not seen, expected, f"{main.name} {seen} {damaged}")


def _closed_store(workspace: Workspace) -> tuple[list[Row], StoreHandle]:
    """A store that was closed after rows were saved in two goes: the rows, and the store."""
    workspace.fresh_examples()
    store = workspace.open()
    *others, first = ONE_OF_EVERY_KIND
    before = store.holding(first)
    workspace.close(store)
    main_file(store)  # before more is asked of a store without files
    store = workspace.open(store.location)
    before += store.holding(*others)
    workspace.close(store)
    store.store = None  # whatever closes itself when it is forgotten
    gc.collect()
    return before, store


# Out of reach


@check("CRASH-4")
def every_method_raises_when_the_storage_is_out_of_reach(workspace: Workspace) -> None:
    for method in METHODS:
        for row in (ANN, person("zoe")) if method in ("find_token", "save_token") else (ANN,):
            workspace.fresh_examples()
            store, rows = _out_of_reach(workspace)
            _raises(store, method, row, rows[0].id)


@check("CRASH-4")
def every_method_raises_one_after_another(workspace: Workspace) -> None:
    store, rows = _out_of_reach(workspace)
    for method in (*METHODS, *METHODS):
        _raises(store, method, ANN, rows[0].id)


@check("CRASH-4")
def every_way_of_asking_raises_when_the_storage_is_out_of_reach(workspace: Workspace) -> None:
    rows = (ANN, ACCESS, GRANT, REFRESH)
    unknown = (
        Row(user_name="zoe@example.com:77"),
        Row(access_token="1000.zoe.access"),
        Row(**CLIENT, grant_token="1000.zoe.grant"),
        Row(**CLIENT, refresh_token="1000.zoe.refresh"),
    )
    store, held = _out_of_reach(workspace, rows, again=True)
    for row in (*map(key_of, rows), *unknown, Row(id=held[0].id), Row(id=held[-1].id)):
        _raises(store, "find_token", row)
    for row in (*(key_of(row).but(expires_in="1900000000999") for row in rows), REFRESH, GUS):
        _raises(store, "save_token", row)
    for row in held:
        _raises(store, "find_token_by_id", ANN, row.id)
        _raises(store, "delete_token", ANN, row.id)


def _out_of_reach(
    workspace: Workspace, rows: Sequence[Row] = (ANN, ACCESS, BOB), *, again: bool = False
) -> tuple[StoreHandle, list[Row]]:
    """A store with rows that have been read, and that it can no longer reach.

    Opened again, it has saved none of them itself, and a further row was deleted before.
    """
    needs_break_storage(workspace)
    store = workspace.open()
    held = store.holding(*Pool(rows))
    if again:
        if active().fitting(1, len(held)):
            held += store.holding(person("gone"))
            store.call("delete_token", held[-1].id)
        store = workspace.reopen(store) if workspace.sut.persistent else store
        store.call("find_token_by_id", "unknown")  # a store may open its storage at its first call
    break_storage(store)
    return store, held


def _raises(store: StoreHandle, method: str, row: Row, id: Any = None, *, arranging: bool = False) -> None:
    """A method that is passed a token, or an id, raises."""
    arguments = {"find_token_by_id": (id,), "delete_token": (id,), "get_tokens": (), "delete_tokens": ()}
    answer = store.call(method, *arguments.get(method, (to_token(row),)))
    hold = require if arranging else demand
    hold(store.workspace, answer.raised, f"{method} raises when the storage is out of reach", answer)


# In reach again


@check("CRASH-5")
def a_store_works_on_after_an_outage_that_no_call_met(workspace: Workspace) -> None:
    _recovers(workspace, ())


@check("CRASH-5")
def a_store_works_on_after_each_method_has_met_an_outage(workspace: Workspace) -> None:
    for method in METHODS:
        _recovers(workspace, (method,))


@check("CRASH-5")
def a_store_works_on_after_outages_that_every_method_met(workspace: Workspace) -> None:
    _recovers(workspace, METHODS * 2, times=OUTAGES)


@check("CRASH-5", thread_safe=True)
def a_store_works_on_in_every_thread_after_an_outage(workspace: Workspace) -> None:
    _recovers(workspace, METHODS, from_thread=True)


def _recovers(
    workspace: Workspace, methods: tuple[str, ...], *, times: int = 1, from_thread: bool = False
) -> None:
    """The storage goes out of reach and comes back: every row is there, and every method works."""
    if workspace.sut.break_storage is None or workspace.sut.mend_storage is None:
        not_applicable("the store does not say how to put its storage out of reach and back (mend_storage)")
    workspace.fresh_examples()
    store = workspace.open()
    location = store.location
    rows = store.holding(ANN, ACCESS, BOB, REFRESH)
    run: Callable[..., Any] = partial(in_another_thread, workspace) if from_thread else lambda act: act()
    for turn in range(times):
        break_storage(store)
        for method in methods:
            run(partial(_meets_the_outage, store, method, rows))
        mend_storage(store, location)
        rows = _works_on(store, rows, turn)
        if from_thread:
            rows = run(partial(_works_on, store, rows, times + turn))


def _meets_the_outage(store: StoreHandle, method: str, rows: list[Row]) -> None:
    known = key_of(ANN) if method == "find_token" else key_of(ANN).but(expires_in=rows[0].expires_in)
    _raises(store, method, known, rows[-1 if method == "delete_token" else 0].id, arranging=True)


def _works_on(store: StoreHandle, rows: list[Row], turn: int) -> list[Row]:
    """Every row is there, and every method works; the rows as they are then."""
    workspace = store.workspace
    because = "in reach again, the same store has every row"
    listing = store.call("get_tokens")
    demand(workspace, listing.raised is None, f"{because}, and works on", f"get_tokens {listing}")
    store.expect(rows, because=because)
    for row in rows:
        for what, found in (
            ("find_token", store.find_quietly(key_of(row))),
            ("find_token_by_id", store.call("find_token_by_id", row.id)),
        ):
            if found.raised is not None or found.returned is None or found.returned.get_id() != row.id:
                workspace.fail(f"in reach again, {what} finds {format_row(row)}", f"it {found}")
    renewed = key_of(rows[0]).but(expires_in=f"18{turn:011d}")
    saved = store.try_save(renewed), store.try_save(person(f"after{turn}"))
    for one in saved:
        stores = one.answer.raised is None
        demand(workspace, stores, "in reach again, save_token stores the token", one.answer)
    new = store.expect(
        rows, changed=[(rows[0], rows[0].updated_by(renewed))], new=1, because="saving works on"
    )
    rows = [rows[0].updated_by(renewed), *rows[1:]]
    deleted = store.call("delete_token", new[0].id)
    demand(workspace, deleted.raised is None, "in reach again, delete_token removes the row", deleted)
    store.expect(rows, because="deleting works on")
    return rows
