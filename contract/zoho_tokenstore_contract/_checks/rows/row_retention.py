"""SAVE-22: a row stays until it is deleted, whatever its access token's age."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from ..._harness.calls import CallRecord
from ..._harness.row_acts import inserts, require, updates
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    EXPIRED,
    GRANT,
    GUS,
    LATE_ACCESS,
    ONE_OF_EVERY_KIND,
    REFRESH,
    key_of,
    newcomer,
)
from ..storage_faults import files_in

PAST = (EXPIRED, "1600000000", "1")
"""Expiry times that are over: 2020 in milliseconds and, as some stores read it, in seconds; the epoch."""
FUTURE = "1900000000050"
AGE = 400 * 24 * 3600.0  # seconds
KINDS = (ANN, ACCESS, GRANT, REFRESH)


@check("SAVE-22")
def a_row_stays_when_its_access_token_has_expired(workspace: Workspace) -> None:
    because = "a row stays when its access token has expired"
    for store, expiry in workspace.each(PAST):
        store.holding(*KINDS, GUS)
        for row in KINDS:
            sent = key_of(row).but(expires_in=FUTURE)
            wanted = store.stored(row).updated_by(sent)
            store.save(sent)
            require(workspace, wanted in store.rows(), "a stored row is updated")
            store.expect(changed=[(store.stored(row), wanted)], because=because)
            updates(store, row, sent.but(expires_in=expiry), because)
        _outlive_other_calls(store, f"with expires_in {format_value(expiry)}")


@check("SAVE-22")
def a_row_that_is_saved_with_an_expired_access_token_stays(workspace: Workspace) -> None:
    for store, expiry in workspace.each(PAST):
        age = f"expires_in {format_value(expiry)}"
        store.holding(BOB, LATE_ACCESS)
        for row in KINDS:
            because = f"one new row, though its access token has expired: {age}"
            inserts(store, row.but(expires_in=expiry), because)
        _outlive_other_calls(store, f"with {age}")


@check("SAVE-22", persistent=True)
def a_row_stays_however_long_ago_it_was_saved(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    store = workspace.reopen(store)
    require(workspace, {*store.rows()} == {*before}, "a store opened again has every row")
    workspace.close(store)
    _backdate(store.location)
    with _later():
        workspace.calls.append(
            CallRecord(1, "other", note="400 days go by: files are older, the clock is ahead")
        )
        store = workspace.open(store.location)
        store.kept = before
        _outlive_other_calls(store, "saved 400 days ago")


def _outlive_other_calls(store: StoreHandle, age: str) -> None:
    """No call but a deletion makes a row go."""
    calls: dict[str, Callable[[], object]] = {
        "listing": lambda: store.call("get_tokens"),
        "finding": lambda: [store.find_quietly(key_of(row)) for row in store.kept],
        "finding by id": lambda: [store.call("find_token_by_id", row.id) for row in store.kept],
        "looking for an unknown token": lambda: store.find_quietly(Row(user_name="nobody@example.com:77")),
    }
    for what, act in calls.items():
        act()
        store.expect(because=f"{what} removes no row {age}")
    store.try_save(newcomer("newcomer"))
    [new] = store.expect(new=1, because=f"saving another user's token removes no row {age}")
    store.try_save(Row(**CLIENT, refresh_token="1000.beside.refresh"))
    store.expect(new=1, because=f"saving another token removes no row {age}")
    store.call("delete_token", new.id)
    store.expect(gone=[new], because=f"deleting another row removes no row {age}")
    if store.workspace.sut.persistent:
        again = store.workspace.reopen(store)
        again.expect(store.kept, because=f"opening the store again removes no row {age}")


def _backdate(location: Path) -> None:
    """Make the files of a store older than they are."""
    then = time.time() - AGE
    for path in files_in(location):
        with contextlib.suppress(OSError):
            os.utime(path, (then, then))


@contextlib.contextmanager
def _later() -> Iterator[None]:
    """Let the clock that Python's `time` module tells be ahead."""
    seconds, nanoseconds = time.time, time.time_ns
    with mock.patch.multiple(
        time, time=lambda: seconds() + AGE, time_ns=lambda: nanoseconds() + int(AGE * 1e9)
    ):
        yield
