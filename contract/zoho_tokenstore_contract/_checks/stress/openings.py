"""PROC-1: a process opens the store while another one opens it, too, and saves."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._drivers.processes.children import Child, Processes
from ..._drivers.processes.crash_points import CrashPoints, chosen
from ..._drivers.processes.pipe import Pipe
from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception, format_rows
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, person
from .concurrent_processes import rows_with

MOMENTS = 8
"""At how many moments of its opening a process stands still."""


_PATIENCE = (0.02, 0.25)
"""Seconds that it does, at least and at most: the other process may be locked out until it goes on."""


STILL, GO = "still", "go"


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
        opener, other = (processes.start(open_and_save, elsewhere.location).ready() for _ in range(2))
        workspace.leave(elsewhere)
        both = _Both(workspace, first, opener, other)
        names = both.open(-1)
        for moment in chosen(names, workspace.sut.pace.affordable(MOMENTS)):
            if moment < len(names):
                both.open(moment, names[moment])


@dataclass
class _Both:
    """Two processes that open new locations, each of which holds some rows first."""

    workspace: Workspace
    first: Sequence[Row]
    opener: Child
    other: Child

    def open(self, moment: int, called: str = "") -> list[str]:
        """Have both open a location and save, one of them held up as it opens.

        Args:
            moment: At which moment; -1 for none.
            called: What it calls then.

        Returns:
            All that it calls as it opens the store.
        """
        workspace = self.workspace
        workspace.calls.clear()
        store = workspace.open()
        before = store.holding(*self.first)
        workspace.close(store)
        if not self.first:
            _remove_content(store.location)
        self.opener.send({"location": str(store.location), "row": asdict(_LATE), "moment": moment})
        late = self.opener.receive("open")
        self.other.send({"location": str(store.location), "row": asdict(_EARLY), "moment": -1})
        early = self.other.receive("save_token")
        held_up = late == STILL
        if held_up:
            self.opener.send(GO)
            late = self.opener.receive("save_token")
        _record(workspace, early, late, f"held up before {called}" if held_up else "")
        self._judge(store.location, before, (early, late), precondition_failed=not held_up)
        return list(late["names"])

    def _judge(
        self, location: Path, before: list[Row], told: Sequence[Any], *, precondition_failed: bool
    ) -> None:
        """Neither raised, and every row is there."""
        workspace = self.workspace
        for one in told:
            if one["raised"]:
                workspace.fail(
                    "processes that open the store at once, and save, do not hinder one another",
                    one["answer"],
                    precondition_failed=precondition_failed,
                )
        store = workspace.open(location)
        rows = rows_with(store, [row.id for row in before] + [one["id"] for one in told])
        workspace.close(store)
        shown = [row if row in before else row.but(id=None) for row in rows]
        for row in (*before, _EARLY, _LATE):
            if shown.count(row) != 1:
                workspace.fail(
                    f"opening the store costs no row: {format_row(row)} is there",
                    format_rows(rows),
                    precondition_failed=precondition_failed,
                )


def _record(workspace: Workspace, early: Any, late: Any, held_up: str) -> None:
    """What the processes did, in the order in which they did it."""
    if held_up:
        opened = CallRecord(1, "open", answer=held_up, note="in process 1, which opens the store: {call}")
        workspace.calls.append(opened)
    for process, row, told in ((2, _EARLY, early), (1, _LATE, late)):
        note = f"in process {process}, which has opened the store: {{call}}"
        workspace.calls.append(CallRecord(process, "save_token", row, told["answer"], note=note))


def _remove_content(location: Path) -> None:
    """Make a location as if the store had never been opened there."""
    if location.is_symlink():
        not_applicable("the store has put a link in the place of its location")
    for path in location.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def open_and_save(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: open the store where it is told to, and save a row, again and again.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: Not used: each round is sent by itself.
    """
    patience = _PATIENCE[1]
    while (told := pipe.receive()) is not None:
        if told != GO:  # which may come when it has gone on already
            patience = _open_once(pipe, told, patience)


def _open_once(pipe: Pipe, told: Any, patience: float) -> float:
    """Open the store and save; how long to stand still the next time."""

    def stand_still(moment: int) -> None:
        nonlocal patience
        if moment == told["moment"]:
            pipe.send(STILL)
            try:
                pipe.receive(patience)
            except TimeoutError:
                patience = max(_PATIENCE[0], patience / 2)

    token = to_token(Row(**told["row"]))
    answer = "returned None"
    points = CrashPoints(stand_still)
    try:
        with points:
            store = pipe.open(Path(told["location"]))
        store.save_token(token)
    except Exception as error:
        answer = f"raised {format_exception(error)}"
    raised = answer.startswith("raised")
    pipe.send({"id": token.get_id(), "answer": answer, "raised": raised, "names": points.names})
    return patience
