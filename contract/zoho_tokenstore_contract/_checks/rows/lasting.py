"""SAVE-22: a row stays until it is deleted, whatever its access token's age."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from ..._harness.calls import CallRecord
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
    person,
)
from ..storage_faults import files_in

PAST = (EXPIRED, "1600000000", "1")
"""Expiry times that are over: 2020 in milliseconds and, as some stores read it, in seconds; the epoch."""
FUTURE = "1900000000050"
AGE = 400 * 24 * 3600.0  # seconds
KINDS = (ANN, ACCESS, GRANT, REFRESH)


@check("SAVE-22")
def a_row_stays_when_its_access_token_has_expired(workspace: Workspace) -> None:
    for expiry in PAST:
        store = workspace.open()
        before = store.holding(*KINDS, GUS)
        for place, row in enumerate(KINDS):
            _updated(store, before, place, key_of(row).but(expires_in=FUTURE), arranging=True)
            _updated(store, before, place, key_of(row).but(expires_in=expiry))
        _outlive_other_calls(store, before, f"with expires_in {format_value(expiry)}")
        workspace.fresh_examples()


@check("SAVE-22")
def a_row_that_is_saved_with_an_expired_access_token_stays(workspace: Workspace) -> None:
    for expiry in PAST:
        store = workspace.open()
        before = store.holding(BOB, LATE_ACCESS)
        for row in KINDS:
            store.save(row.but(expires_in=expiry))
            because = f"one new row, though its access token has expired: expires_in {format_value(expiry)}"
            before += store.expect(before, new=1, because=because)
        _outlive_other_calls(store, before, f"with expires_in {format_value(expiry)}")
        workspace.fresh_examples()


@check("SAVE-22", persistent=True)
def a_row_stays_however_long_ago_it_was_saved(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    store = workspace.reopen(store)
    if {*store.rows()} != {*before}:
        workspace.fail("a store opened again has every row", "it has not", precondition_failed=True)
    workspace.close(store)
    _backdate(workspace, store.location)
    with _later():
        workspace.calls.append(
            CallRecord(1, "other", note="400 days go by: files are older, the clock is ahead")
        )
        store = workspace.open(store.location)
        _outlive_other_calls(store, before, "saved 400 days ago")


def _updated(
    store: StoreHandle, before: list[Row], place: int, sent: Row, *, arranging: bool = False
) -> None:
    """The row takes an expiry time, and stays."""
    wanted = before[place].updated_by(sent)
    store.save(sent)
    if arranging and wanted not in store.rows():
        store.workspace.fail("a stored row is updated", "it is not", precondition_failed=True)
    store.expect(
        before,
        changed=[(before[place], wanted)],
        because="a row stays when its access token has expired",
    )
    before[place] = wanted


def _outlive_other_calls(store: StoreHandle, before: list[Row], age: str) -> None:
    """No call but a deletion makes a row go; `before` is brought up to date."""
    workspace = store.workspace
    calls: dict[str, Callable[[], object]] = {
        "listing": lambda: store.call("get_tokens"),
        "finding": lambda: [store.find_quietly(key_of(row)) for row in before],
        "finding by id": lambda: [store.call("find_token_by_id", row.id) for row in before],
        "looking for an unknown token": lambda: store.find_quietly(Row(user_name="nobody@example.com:77")),
    }
    for what, act in calls.items():
        act()
        store.expect(before, because=f"{what} removes no row {age}")
    store.try_save(person("newcomer"))
    new = store.expect(before, new=1, because=f"saving another user's token removes no row {age}")
    store.try_save(Row(**CLIENT, refresh_token="1000.beside.refresh"))
    new += store.expect([*before, *new], new=1, because=f"saving another token removes no row {age}")
    store.call("delete_token", new[0].id)
    store.expect([*before, new[1]], because=f"deleting another row removes no row {age}")
    before.append(new[1])
    if workspace.sut.persistent:
        store = workspace.reopen(store)
        store.expect(before, because=f"opening the store again removes no row {age}")


def _backdate(workspace: Workspace, location: Path) -> None:
    """Make the files of a store older than they are."""
    then = time.time() - AGE
    for path in files_in(location):
        with contextlib.suppress(OSError):
            os.utime(path, (then, then))


@contextlib.contextmanager
def _later() -> Iterator[None]:
    """Let the clock that Python's `time` module tells be ahead."""
    seconds, nanoseconds = time.time, time.time_ns

    def ahead() -> float:
        return seconds() + AGE

    def ahead_in_nanoseconds() -> int:
        return nanoseconds() + int(AGE * 1e9)

    with (
        mock.patch.object(time, "time", ahead),
        mock.patch.object(time, "time_ns", ahead_in_nanoseconds),
    ):
        yield
