"""PERSIST-5: processes with another zone, locale, encoding and hash seed share the rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..._drivers.processes.child_environments import EAST, WEST, Surroundings
from ..._drivers.processes.children import Processes
from ..._drivers.processes.fork_server import get_ready
from ..._drivers.processes.reading import told_of_rows
from ..._harness.calls import CallRecord
from ..._harness.row_acts import demand
from ..._harness.row_fates import Fate, hold_to
from ..._harness.store_limits import active, batches
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, DOMAIN, EXPIRED, GRANT, GUS, REFRESH, key_of, person

EXPIRIES = (
    "1793511000000",  # 2026-11-01 05:10 UTC: an hour that New York has twice
    "1793514600000",  # an hour later, with the same clock time there
    "1805009400000",  # 2027-03-14, near the hour that New York skips
    EXPIRED,
)
TEXTS = ("jos\u00e9", "\u5c71\u7530", "\U0001f511", "\u20ac", "e\u0301")
NATIVE = tuple(
    person(
        f"user{number}", user_name=f"{text}@example.com:77", client_secret=text, refresh_token=f"1000.{text}"
    )
    for number, text in enumerate(TEXTS)
)
TIMED = tuple(person(f"timed{number}", expires_in=expiry) for number, expiry in enumerate(EXPIRIES))
KNOWN = (ANN, ACCESS, GRANT, REFRESH, GUS, *TIMED)


@check("PERSIST-5", persistent=True)
def a_process_in_other_surroundings_reads_finds_and_updates_the_rows(workspace: Workspace) -> None:
    for surroundings in (EAST, WEST):
        for some in batches((*KNOWN, *NATIVE)):
            workspace.fresh_examples()
            _is_shared_with_a_process(workspace, surroundings, some)


def _is_shared_with_a_process(workspace: Workspace, surroundings: Surroundings, known: Sequence[Row]) -> None:
    """Rows of this process are read, found and updated in another one, and here again then."""
    with Processes(workspace) as processes:
        get_ready(WEST)
        store = workspace.open()
        rows = store.holding(*known)
        workspace.close(store)
        rows = _visit(processes, store.location, rows, surroundings, turn=1)
        store = workspace.open(store.location)
        store.expect(rows, because=f"rows that a process with {surroundings} has updated")
        for row in rows:
            found = store.found(key_of(row))
            expected = f"what a process with {surroundings} has saved is found: {format_row(row)}"
            demand(workspace, found == row, expected, found and format_row(found))
            store.save(_renewal(row, 2))
        rows = [row.updated_by(_renewal(row, 2)) for row in rows]
        _are(workspace, store.rows(), rows, "updated in place")
        workspace.close(store)
        _visit(processes, store.location, rows, surroundings)


@check("PERSIST-5", persistent=True)
def what_a_process_in_other_surroundings_saves_is_read_here_and_elsewhere(workspace: Workspace) -> None:
    for some in batches((*KNOWN, *NATIVE)):
        workspace.fresh_examples()
        with Processes(workspace) as processes:
            store = workspace.open()
            location = store.location
            workspace.close(store)
            rows = _visit(processes, location, [], WEST, new=some)
            store = workspace.open(location)
            _are(workspace, store.listed(), rows, f"saved by a process with {WEST}")
            workspace.close(store)
            _visit(processes, location, rows, EAST, turn=1)


def _renewal(row: Row, turn: int) -> Row:
    return key_of(row).but(redirect_url=f"https://example.com/{turn}/\u00e9", api_domain=f"{DOMAIN}/{turn}")


def _visit(
    processes: Processes,
    location: Path,
    rows: list[Row],
    surroundings: Surroundings,
    *,
    turn: int = 0,
    new: Sequence[Row] = (),
) -> list[Row]:
    """A process opens the store, reads and finds the rows, and saves; the rows as they should be then."""
    workspace = processes.workspace
    renewals = [_renewal(row, turn) for row in rows] if turn else []
    workspace.remember([*new, *renewals])
    told = told_of_rows(processes, location, [key_of(row) for row in rows], [*new, *renewals], surroundings)
    note = f"in a process with {surroundings}: get_tokens, find_token of each row, save_token of each"
    workspace.calls.append(CallRecord(1, "other", note=note))
    where = f"in a process with {surroundings}"
    raised = told.get("raised")
    demand(workspace, raised is None, f"{told.get('method')} works {where}", f"raised {raised}")
    _are(workspace, [Row(**one) for one in told["listed"]], rows, f"as they are, {where}")
    for row, found in zip(rows, told["found"], strict=True):
        if active().finds(key := key_of(row)):
            there = None if found is None else Row(**found)
            expected = f"{format_row(key)} finds its row {where}: {format_row(row)}"
            demand(workspace, there == row, expected, there and format_row(there))
    if new:
        wanted = [row.but(id=id) for row, id in zip(new, told["ids"], strict=True)]
    else:
        wanted = [row.updated_by(_renewal(row, turn)) if renewals else row for row in rows]
    _are(workspace, [Row(**one) for one in told["after"]], wanted, f"saved {where}")
    return wanted


def _are(workspace: Workspace, seen: list[Row], wanted: list[Row], what: str) -> None:
    """Exactly these rows are there."""
    fates = [Fate((row,), f"the rows {what}: {format_row(row)}") for row in wanted]
    hold_to(fates, seen, f"{len(wanted)} rows, {what}", workspace.fail)
