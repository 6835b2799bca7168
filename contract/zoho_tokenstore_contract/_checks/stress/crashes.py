"""CRASH-1, CRASH-2: a process that is killed loses nothing, and a full disk costs no row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..._drivers.processes.children import Processes
from ..._drivers.processes.crash_points import chosen, position_of
from ..._drivers.processes.cut_short import (
    RETURNED,
    Kill,
    KilledSaves,
    Moments,
    moments_of_saves,
    needs_file_size_limits,
    saves_on_a_full_disk,
)
from ..._drivers.storage_faults import main_file
from ..._harness.calls import CallRecord
from ..._harness.rehearsal import Rehearsal, Repetition
from ..._harness.row_acts import require
from ..._harness.store_limits import SPARE, Pool, active
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row
from ..registry import check
from ..sample_tokens import ACCESS, REFRESH, WIDTH, person

USERS = 8
MOMENTS = {"update": 14, "insert": 14, "name": 6}
"""At how many moments of each kind of save a process is killed; the last names a row that has no name."""
CHANGES, OTHERS = 14, 6
"""At how many instead where a file changes: of those before which one had changed, and of all at least."""
TIMED = 8
"""How many kills come by the clock."""
FILL = 24
"""Saves on a full disk that may still find room."""
LARGE = 4096
"""Characters a field, for stores whose files do not grow otherwise."""
EXTRA = (1, 16, 700, 4096, 9000)
"""How many bytes more than the largest file has: in the first field of a row, in its middle, a page."""


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_moment_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        moments, _ = Saves(workspace).measured(processes)
        times, plan = workspace.effort.times, []
        for kind, save in moments.items():
            wanted = times(OTHERS if save.changed else MOMENTS[kind])
            for moment in chosen(save.names, wanted, save.changed, times(CHANGES)):
                called = save.names[moment] if moment < len(save.names) else "its return"
                when = f"before {called}, moment {moment + 1} of it"
                plan.append((kind, when, Kill(Row(), position_of(save.names, moment))))
        loses_nothing(processes, plan)


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_time_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        _, duration = Saves(workspace).measured(processes)
        times = workspace.effort.times(TIMED)
        plan = []
        for number in range(times):
            after = 1.25 * duration * (number + 1) / times  # some saves take longer
            kind = "insert" if number % 2 else "update"
            plan.append((kind, f"{after * 1000:.2f} ms after it began", Kill(Row(), after=after)))
        kinds = ("update", "insert") * workspace.effort.times(2)
        plan += [(kind, RETURNED, Kill(Row())) for kind in kinds]
        loses_nothing(processes, plan)


@check("CRASH-2", persistent=True)
def a_full_disk_makes_saving_raise_and_costs_no_row(workspace: Workspace) -> None:
    needs_file_size_limits()
    with Processes(workspace) as processes:
        raised = False
        for turn, room in enumerate(EXTRA):
            rehearsal = Saves(workspace)
            main_file(rehearsal.store)
            rows, states = _rehearsed(rehearsal, turn)
            again = Repetition(rehearsal)
            workspace.remember(rows)
            ids, failed = saves_on_a_full_disk(processes, again.location, rows, room)
            promise = "save_token raises where it could not write, and what it stored is there"
            if failed is not None:
                raised = True
                promise = "every earlier row is still there when the limit is gone"
            nothing_else = "no row but those that were saved when the limit is gone"
            done = len(ids)
            done += again.shows(states[done], states[done + 1], ids, promise, nothing_else)
            after = states[done + again.go_on(rows[done : done + 2])]
            again.shows(after, after, [], promise, nothing_else)
        if not raised:
            not_applicable(
                "the process that saves never had to write beyond a limit just above its largest file"
            )


def loses_nothing(processes: Processes, plan: Sequence[tuple[str, str, Kill]]) -> int:
    """Have saves acknowledged and be killed in the next ones; everything must be there, as rehearsed.

    Args:
        processes: The processes of the check.
        plan: Of each save that is killed the kind, the moment in words, and the moment.

    Returns:
        How many kills came in the middle of a save.
    """
    workspace = processes.workspace
    rehearsal = Saves(workspace)
    steps, rows = [], []
    for number, (kind, when, kill) in enumerate(plan):
        row = rehearsal.row("update" if number % 2 else "insert")
        if rehearsal.stores(row):
            rows.append(row)
        before, row = rehearsal.rows, rehearsal.row(kind)
        if rehearsal.stores(row):
            steps.append(([*rows, row], when, kill, before, rehearsal.rows))
            rows = []
    require(workspace, steps, "saves work")
    again = Repetition(rehearsal)
    saves = KilledSaves(processes, again.location)
    arranged = list(workspace.calls)
    missing: list[Row] = []
    cut_short = 0
    for number, (rows, when, kill, before, after) in enumerate(steps):
        sent = [*missing, *map(again.sent, rows)]
        workspace.remember(sent)
        workspace.calls[:] = arranged
        if number:
            killed = f"(before, the kit killed {number} processes as they saved: no row was lost)"
            workspace.calls.append(CallRecord(1, "other", note=killed))
        ids = saves.save(sent, replace(kill, row=sent[-1]), when)
        promise = "after the kill, every save that had returned is there, whole"
        nothing_else = "after the kill, no row but those that were saved"
        returned = len(ids) == len(sent)
        cut_short += not returned
        stored = again.shows(after if returned else before, after, ids, promise, nothing_else)
        missing = [] if stored else sent[-1:]  # it is saved again, as in the rehearsal
    return cut_short


def _rehearsed(rehearsal: Saves, turn: int) -> tuple[list[Row], list[list[Row]]]:
    """Rows that the store saves, and all rows before and after each; the last of them twice."""
    rows, states = [], [rehearsal.rows]
    most = 0 if turn % 2 else active().fitting(FILL + 6, len(rehearsal.rows))
    for number in range(FILL + 6):
        row = _filling(turn, number, rehearsal.users, new=number < most)
        if rehearsal.stores(row):
            rows.append(row)
            states.append(rehearsal.rows)
    require(rehearsal.workspace, rows, "saves work")
    return rows, [*states, rehearsal.rows]


def _filling(turn: int, number: int, users: int, *, new: bool) -> Row:
    name = f"full{turn}-{number}" if new else f"user{number % users}"
    row = _wide(name, f"{turn}-{number}")
    if number < FILL:
        return row
    return row.but(
        **{name: value.ljust(LARGE, "y") for name, value in row.present().items() if name.endswith("_token")}
    )


class Saves(Rehearsal):
    """Saves of a few kinds beside users and others, so few that there is room for new ones, too."""

    def __init__(self, workspace: Workspace) -> None:
        self.users = max(1, active().fitting(USERS, 2 + SPARE))
        more = active().fitting(MOMENTS["name"] + 2, self.users + 2 + SPARE)
        others = (REFRESH.but(refresh_token=f"{REFRESH.refresh_token}.{number}") for number in range(more))
        users = (_wide(f"user{number}") for number in range(self.users))
        super().__init__(workspace, [*users, *Pool((ACCESS, REFRESH, *others))])
        self._turn = 0

    def row(self, kind: str) -> Row:
        """What is saved next: a user's row with new fields, a new user's, or a name for a row without one."""
        self._turn += 1
        unnamed = [row for row in self.rows if row.user_name is None and row.refresh_token]
        if kind == "name" and unnamed:
            return unnamed[0].but(user_name=f"named{self._turn}")
        if kind == "insert" and active().fitting(1, len(self.rows)):
            return _wide(f"new{self._turn}", self._turn)
        return _wide(f"user{self._turn % self.users}", self._turn)

    def measured(self, processes: Processes) -> tuple[dict[str, Moments], float]:
        """The moments of each kind of save that works, and how long a save takes, in seconds."""
        kinds = [kind for kind in MOMENTS if self.stores(self.row(kind))]
        first = [kind for kind in kinds if kind != "name"]
        require(self.workspace, first, "saves work")
        rows = [self.row(kind) for kind in (first[0], first[-1], *kinds)]
        self.workspace.close(self.store)
        self.workspace.remember(rows)
        moments, duration = moments_of_saves(processes, self.store.location, rows)
        return dict(zip(kinds, moments, strict=True)), duration


def _wide(name: str, turn: object = "") -> Row:
    """A user's row with fields as long as they may be, so that writes fill buffers, all of this turn."""
    row = person(name)
    text = {
        field: f"{value}.{turn}.".ljust(WIDTH, "x")
        for field, value in row.present().items()
        if field not in ("user_name", "expires_in", "api_domain")
    }
    return row.but(**text, expires_in=f"19{sum(map(ord, str(turn))):011d}")
