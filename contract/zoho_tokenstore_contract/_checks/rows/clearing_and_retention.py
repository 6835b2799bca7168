"""CLEAR-1 to CLEAR-3, SAVE-22: what emptying a store removes, and that nothing else makes a row go."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ..._drivers.storage_faults import files_in, harm_to, main_file
from ..._harness.calls import CallRecord
from ..._harness.observer import Observer, keys_of
from ..._harness.row_acts import (
    bring_rows,
    demand,
    inserts,
    reads_after_opening_again,
    remove_row,
    require,
    updates,
    was_updated,
)
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, absent, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLEO,
    CLIENT,
    EXPIRED,
    GRANT,
    GUS,
    LATE_ACCESS,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WITH_CLIENT,
    guests,
    key_of,
    newcomer,
    pool,
)


@check("CLEAR-1")
def delete_tokens_removes_every_row(workspace: Workspace) -> None:
    for store, rows in workspace.each((ONE_OF_EVERY_KIND, pool(ACCESS), pool(WITH_CLIENT, CLEO))):
        store.holding(*rows)
        _clears(store)


@check("CLEAR-1")
def rows_that_were_updated_or_brought_their_ids_are_removed_too(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    store.try_save(Row(user_name=ANN.user_name, access_token="1000.new.access"))
    bring_rows(store, guests("abc", "x'y", "0"))
    store.kept = store.rows()
    _clears(store)


@check("CLEAR-1")
def delete_tokens_is_no_error_on_an_empty_store(workspace: Workspace) -> None:
    store = workspace.open()
    for rows in ((), (), (ANN,), ()):
        store.holding(*rows)
        _clears(store)
    for row in store.holding(GRANT, REFRESH):  # emptied one by one, with no valid access token
        remove_row(store, row)
    _clears(store)


@check("CLEAR-1")
def what_was_found_before_delete_tokens_is_found_no_more(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    observer = Observer(store, store.kept)
    _clears(store)
    observer.look([], "after delete_tokens")


def _clears(store: StoreHandle) -> None:
    rows = store.kept
    answer = store.clear()
    demand(store.workspace, answer.raised is None, "delete_tokens removes every row", answer)
    store.expect(gone=rows, because="no row is left after delete_tokens")
    for row in rows:
        found = store.call("find_token_by_id", row.id)
        shown = f"no token has the id {format_value(row.id)} after delete_tokens"
        demand(store.workspace, found.returned is None, shown, found)
        for key in keys_of(row):
            found = store.find_quietly(key)
            shown = f"{format_row(key)} finds nothing after delete_tokens"
            demand(store.workspace, found.returned is None, shown, found)


@check("CLEAR-2")
def the_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    # What is not saved as a new row before, either, is not so because of delete_tokens.
    old = {sent: new for sent in ONE_OF_EVERY_KIND[::-1] if (new := _inserted(store, sent))}
    require(workspace, old, "new tokens are new rows", "none of them is")
    finds = store.find_quietly(key_of(ANN)).returned is not None
    for _ in range(2):
        _clear(store)
        if store.kept:  # CLEAR-1 tells it; then nobody else's save may fail
            inserts(store, newcomer(f"after{len(store.kept)}"))
            continue
        for sent in ONE_OF_EVERY_KIND[::-1]:
            if (was := old.get(sent)) is None:
                _inserted(store, sent)
                continue
            new = inserts(store, sent)
            same = new.but(id=None) == was.but(id=None)
            demand(workspace, same, f"a row like {format_row(was)}, as before", format_row(new))
        ids = [row.id for row in store.kept]
        if len({*ids}) != len(ids) and not any(map(absent, ids)):
            workspace.fail("an id of its own for each row", ", ".join(map(format_value, ids)))
        if finds and store.found(key_of(ANN)) is None:
            workspace.fail("a user saved after delete_tokens is found", "find_token returned None")


def _inserted(store: StoreHandle, sent: Row) -> Row | None:
    """The new row of a token; ``None`` where saving it does anything else."""
    try:
        return inserts(store, sent)
    except Violation:
        store.kept = store.rows()
        return None


@check("CLEAR-2")
def an_empty_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    for _ in range(2):
        _clear(store)
    for row in ONE_OF_EACH_KEY:
        inserts(store, row)


def _clear(store: StoreHandle) -> None:
    """Call ``delete_tokens``, whatever it does: in most stores nothing is left."""
    store.clear()
    store.kept = store.rows()


CONTENT = b"Not a token.\n" * 40


@check("CLEAR-3", persistent=True)
def delete_tokens_leaves_other_files_alone(workspace: Workspace) -> None:
    _leaves_other_files(workspace, "delete_tokens", lambda store, _: store.call("delete_tokens"))


@check("CLEAR-3", persistent=True)
def delete_token_leaves_other_files_alone(workspace: Workspace) -> None:
    def delete_each(store: StoreHandle, others: list[str]) -> None:
        # A store with a file for each row may take any name for an id.
        for id in (*others, *(row.id for row in store.kept)):
            store.call("delete_token", id)

    _leaves_other_files(workspace, "delete_token", delete_each)


def _leaves_other_files(
    workspace: Workspace, method: str, delete: Callable[[StoreHandle, list[str]], object]
) -> None:
    rows = pool(ANN, ACCESS, BOB, GRANT, REFRESH)
    store = workspace.holding(*rows)
    main = main_file(store)
    delete(store, [])
    require(workspace, not store.rows(), f"{method} removes the rows")
    for opened_again in (False, True):
        workspace.fresh_examples()
        store = workspace.holding(*rows)
        if opened_again:
            workspace.close(store)
        others = _put_others(store.location, main, store.kept)
        names = [str(path.relative_to(store.location)) for path in others]
        note = f"other files are put under the location: {', '.join(names)}"
        workspace.calls.append(CallRecord(1, "other", note=note))
        if opened_again:
            _, again = workspace.try_open(store.location)
            if again is None:
                return  # it owns up to what it does not know
            again.kept = store.kept
            store = again
        delete(store, names)
        for path in others:
            seen = harm_to(path, CONTENT)
            expected = f"{method} leaves other files under the location alone"
            demand(workspace, not seen, expected, f"{path.name} {seen}")


def _put_others(location: Path, main: Path, rows: list[Row]) -> list[Path]:
    """Files that are not the store's: of other kinds and of its own, named like its file or after an id."""
    ids: list[Any] = [row.id for row in rows[:2]]
    names = [
        *("notes.txt", ".env", "app.log", "uploads/report.pdf"),
        *(f"{main.stem}-of-last-year.txt", f"invoices{main.suffix}.zip", f"notes{main.suffix}"),
        *(f"invoice-{id}.txt" for id in ids if isinstance(id, str) and id.isalnum() and len(id) < 50),
    ]
    paths = [location / name for name in names if not (location / name).exists()]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CONTENT)
    return paths


PAST = (EXPIRED, "1600000000", "1")
"""Expiry times that are over: 2020 in milliseconds and, as some stores read it, in seconds; the epoch."""
FUTURE = "1900000000050"
AGE = 400 * 24 * 3600.0  # seconds
AGEING = (ANN, ACCESS, GRANT, REFRESH)


@check("SAVE-22")
def a_row_stays_when_its_access_token_has_expired(workspace: Workspace) -> None:
    because = "a row stays when its access token has expired"
    for store, expiry in workspace.each(PAST):
        store.holding(*AGEING, GUS)
        aged = 0
        for row in AGEING:
            sent = key_of(row).but(expires_in=FUTURE)
            store.save(sent)
            if was_updated(store, row, sent, because):  # else SAVE-4 to SAVE-8 tell it
                updates(store, row, sent.but(expires_in=expiry), because)
                aged += 1
        require(workspace, aged, "a stored row is updated")
        _outlive_other_calls(store, f"with expires_in {format_value(expiry)}")


@check("SAVE-22")
def a_row_that_is_saved_with_an_expired_access_token_stays(workspace: Workspace) -> None:
    for store, expiry in workspace.each(PAST):
        age = f"expires_in {format_value(expiry)}"
        store.holding(BOB, LATE_ACCESS)
        for row in AGEING:
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
        note = "400 days go by: files are older, the clock is ahead"
        workspace.calls.append(CallRecord(1, "other", note=note))
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
        saved = max(0, len(store.rows()) - len(store.kept))  # by what is no save: FIND-6 or LIST-2
        store.expect(new=saved, because=f"{what} removes no row {age}")
    store.try_save(newcomer("newcomer"))
    [new] = store.expect(new=1, because=f"saving another user's token removes no row {age}")
    store.try_save(Row(**CLIENT, refresh_token="1000.beside.refresh"))
    store.expect(new=1, because=f"saving another token removes no row {age}")
    store = reads_after_opening_again(store, f"opening the store again removes no row {age}")
    store.call("delete_token", new.id)
    store.expect(gone=[new], because=f"deleting another row removes no row {age}")


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
