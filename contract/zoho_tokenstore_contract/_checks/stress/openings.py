"""PROC-1: a process opens the store while another one opens it, too, and saves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..._drivers.processes.children import Processes
from ..._drivers.processes.crash_points import chosen
from ..._drivers.processes.openings import NO_MOMENT, Openings, remove_content
from ..._harness.row_fates import Fate, hold_to, rows_left
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, person

MOMENTS = 8
"""At how many moments of its opening a process stands still."""
_EARLY, _LATE = person("early"), person("late")


@check("PROC-1", persistent=True)
def a_process_that_opens_an_unused_store_costs_no_row(workspace: Workspace) -> None:
    if workspace.sut.own_storage and active().fitting(2) == 2:
        _open_beside_a_save(workspace, ())


@check("PROC-1", persistent=True)
def a_process_that_opens_a_store_with_rows_costs_none(workspace: Workspace) -> None:
    if active().fitting(5) == 5:
        _open_beside_a_save(workspace, (ANN, ACCESS, BOB))


def _open_beside_a_save(workspace: Workspace, first: Sequence[Row]) -> None:
    """One process stands still as it opens the store, until the other has opened it and saved."""
    workspace.remember([_EARLY, _LATE])
    with Processes(workspace) as processes:
        elsewhere = workspace.open()
        openings = Openings(processes, elsewhere.location)
        workspace.leave(elsewhere)
        names = _open(workspace, openings, first)
        for moment in chosen(names, workspace.sut.pace.affordable(MOMENTS)):
            if moment < len(names):
                _open(workspace, openings, first, moment, names[moment])


def _open(
    workspace: Workspace, openings: Openings, first: Sequence[Row], moment: int = NO_MOMENT, called: str = ""
) -> list[str]:
    """Have two processes open a new location with some rows and save; what one calls as it opens it.

    Args:
        workspace: The workspace of the check.
        openings: The processes.
        first: The rows.
        moment: The moment at which one of them is held up.
        called: What it calls then.
    """
    workspace.calls.clear()
    store = workspace.open()
    before = store.holding(*first)
    workspace.close(store)
    if not first:
        remove_content(store.location)
    late, early = openings.open(store.location, _LATE, _EARLY, moment, called)
    held_up = bool(late["held_up"])
    for told in (early, late):
        if told["raised"]:
            workspace.fail(
                "processes that open the store at once, and save, do not hinder one another",
                told["answer"],
                precondition_failed=not held_up,
            )
    rows = rows_left(workspace, store.location, [row.id for row in before] + [early["id"], late["id"]])
    promise = "opening the store costs no row"
    fates = [
        Fate((row,), f"{promise}: {format_row(row)} is there", new=row not in before)
        for row in (*before, _EARLY, _LATE)
    ]
    hold_to(fates, rows, promise, partial(workspace.fail, precondition_failed=not held_up))
    return list(late["names"])
