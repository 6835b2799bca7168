"""CRASH-5: a store works on when its storage is in reach again."""

from __future__ import annotations

from functools import partial

from ..._drivers.threads.another_thread import in_another_thread
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, REFRESH, key_of, person
from ..storage_faults import mend, out_of_reach
from .outages import METHODS

ROWS = (ANN, ACCESS, BOB, REFRESH)
OUTAGES = 3


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
    rows = store.holding(*ROWS)
    for turn in range(times):
        with out_of_reach(workspace, opened=store):
            for method in methods:
                if from_thread:
                    in_another_thread(workspace, partial(_meets_the_outage, store, method, rows))
                else:
                    _meets_the_outage(store, method, rows)
        mend(workspace, store, location)
        rows = _works_on(store, rows, turn)
        if from_thread:
            rows = in_another_thread(workspace, partial(_works_on, store, rows, times + turn))


def _meets_the_outage(store: StoreHandle, method: str, rows: list[Row]) -> None:
    arguments = {
        "find_token": (to_token(key_of(ANN)),),
        "save_token": (to_token(key_of(ANN).but(expires_in=rows[0].expires_in)),),
        "find_token_by_id": (rows[0].id,),
        "delete_token": (rows[-1].id,),
    }
    if store.call(method, *arguments.get(method, ())).raised is None:
        store.workspace.fail(
            f"{method} raises when the storage is out of reach", "it does not", precondition_failed=True
        )


def _works_on(store: StoreHandle, rows: list[Row], turn: int) -> list[Row]:
    """Every row is there, and every method works; the rows as they are then."""
    workspace = store.workspace
    because = "in reach again, the same store has every row"
    listing = store.call("get_tokens")
    if listing.raised is not None:
        workspace.fail(f"{because}, and works on", f"get_tokens {listing}")
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
        if one.answer.raised is not None:
            workspace.fail("in reach again, save_token stores the token", str(one.answer))
    new = store.expect(
        rows, changed=[(rows[0], rows[0].updated_by(renewed))], new=1, because="saving works on"
    )
    rows = [rows[0].updated_by(renewed), *rows[1:]]
    deleted = store.call("delete_token", new[0].id)
    if deleted.raised is not None:
        workspace.fail("in reach again, delete_token removes the row", str(deleted))
    store.expect(rows, because="deleting works on")
    return rows
