"""CRASH-1, CRASH-2: a process that is killed loses nothing, and a full disk costs no row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..._drivers.processes.children import Processes
from ..._drivers.processes.crash_points import chosen, position_of
from ..._drivers.processes.cut_short import (
    RETURNED,
    Kill,
    KilledSaves,
    Moments,
    in_brief,
    moments_of_saves,
    needs_file_size_limits,
    saves_on_a_full_disk,
)
from ..._drivers.storage_faults import main_file
from ..._harness.calls import CallRecord
from ..._harness.row_fates import Fate, hold_to, rows_left
from ..._harness.store_handle import StoreHandle
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
        state = Storage(workspace, processes)
        saves, _ = state.measured()
        times = workspace.effort.times
        for save, (kind, most) in zip(saves, MOMENTS.items(), strict=False):
            wanted = times(OTHERS if save.changed else most)
            for moment in chosen(save.names, wanted, save.changed, times(CHANGES)):
                called = save.names[moment] if moment < len(save.names) else "its return"
                kill = Kill(state.row(kind), position_of(save.names, moment))
                state.survives(kill, f"before {called}, moment {moment + 1} of it")


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_time_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        state = Storage(workspace, processes)
        _, duration = state.measured()
        times = workspace.effort.times(TIMED)
        for number in range(times):
            after = 1.25 * duration * (number + 1) / times  # some saves take longer
            row = state.row("insert" if number % 2 else "update")
            state.survives(Kill(row, after=after), f"{after * 1000:.2f} ms after it began")
        for kind in ("update", "insert") * workspace.effort.times(2):
            state.survives(Kill(state.row(kind)))


class Storage:
    """A location with rows, and what it has to hold after each kill."""

    def __init__(self, workspace: Workspace, processes: Processes) -> None:
        self.workspace = workspace
        self._processes = processes
        store = workspace.open()
        self.location = store.location
        self._turn = 0
        self.users, self.rows = _arranged(store, MOMENTS["name"] + 2)
        self._kinds = [*MOMENTS] if self._takes_names(store) else ["update", "insert"]
        workspace.close(store)
        self._arranged = list(workspace.calls)
        self._kills = 0
        # A server may still finish what a killed process had asked of it, any time later.
        self._flying: list[Row] = []
        self._killed = KilledSaves(processes, self.location)

    def _takes_names(self, store: StoreHandle) -> bool:
        """Whether a row without a name takes one: where it does not, that is SAVE-14."""
        named = self.row("name")
        store.try_save(named)
        self.rows = store.rows()
        return bool(named.id) and named in self.rows

    def measured(self) -> tuple[list[Moments], float]:
        """The moments of each kind of save, and how long a save takes, in seconds."""
        rows = [self.row(kind) for kind in ("update", "insert", *self._kinds)]
        self.workspace.remember(rows)
        measured = moments_of_saves(self._processes, self.location, rows)
        store = self.workspace.open(self.location)
        self.rows = store.listed()
        self.workspace.close(store)
        return measured

    def row(self, kind: str) -> Row:
        """What is saved next: a user's row with new fields, a new user's, or a name for a row without one."""
        self._turn += 1
        unnamed = [row for row in self.rows if row.user_name is None and row.refresh_token]
        if kind == "name" and unnamed:
            return unnamed[0].but(user_name=f"named{self._turn}")
        if kind == "insert" and active().fitting(1, len(self.rows) + len(self._flying)):
            return _wide(f"new{self._turn}", self._turn)
        return _wide(f"user{self._turn % self.users}", self._turn)

    def survives(self, kill: Kill, when: str = RETURNED) -> bool:
        """Have one save acknowledged and be killed in the next; everything must be there.

        Args:
            kill: The row that is saved, and the moment at which the process dies.
            when: What is said of the save before it.

        Returns:
            Whether the kill came in the middle of the save.
        """
        workspace = self.workspace
        rows = [self.row("insert" if self._turn % 2 else "update"), kill.row]
        workspace.remember(rows)
        workspace.calls[:] = self._arranged
        if self._kills:
            killed = f"(before, the kit killed {self._kills} processes as they saved: no row was lost)"
            workspace.calls.append(CallRecord(1, "other", note=killed))
        self._kills += 1
        ids = self._killed.save(rows, kill, when)
        self._flying += rows[len(ids) : len(ids) + 1]
        found = rows_left(workspace, self.location, [row.id for row in self.rows] + ids)
        promise = "after the kill, every save that had returned is there, whole"
        nothing_else = "after the kill, no row but those that were saved"
        fates = _fates(_after(self.rows, rows, ids), self._flying, promise, nothing_else)
        hold_to(fates, found, nothing_else, workspace.fail)
        self.rows = found
        return len(ids) < len(rows)


@check("CRASH-2", persistent=True)
def a_full_disk_makes_saving_raise_and_costs_no_row(workspace: Workspace) -> None:
    needs_file_size_limits()
    with Processes(workspace) as processes:
        store = workspace.open()
        users, before = _arranged(store)
        main_file(store)
        workspace.close(store)
        arranged, raised = list(workspace.calls), False
        for turn, room in enumerate(EXTRA):
            workspace.calls[:] = arranged
            most = 0 if turn % 2 else active().fitting(FILL + 6, len(before))
            rows = [_filling(turn, number, users, new=number < most) for number in range(FILL + 6)]
            workspace.remember(rows)
            ids, failed = saves_on_a_full_disk(processes, store.location, rows, room)
            raised |= failed is not None
            promise = "save_token raises where it could not write, and what it stored is there"
            if failed is not None:
                promise = "every earlier row is still there when the limit is gone"
            found = rows_left(workspace, store.location, [row.id for row in before] + ids)
            flying = [] if failed is None else [failed]
            nothing_else = "no row but those that were saved when the limit is gone"
            fates = _fates(_after(before, rows, ids), flying, promise, nothing_else)
            hold_to(fates, found, nothing_else, workspace.fail)
            before = found
        if not raised:
            not_applicable(
                "the process that saves never had to write beyond a limit just above its largest file"
            )


def _filling(turn: int, number: int, users: int, *, new: bool) -> Row:
    name = f"full{turn}-{number}" if new else f"user{number % users}"
    row = _wide(name, f"{turn}-{number}")
    if number < FILL:
        return row
    return row.but(
        **{name: value.ljust(LARGE, "y") for name, value in row.present().items() if name.endswith("_token")}
    )


def _arranged(store: StoreHandle, unnamed: int = 0) -> tuple[int, list[Row]]:
    """Save users and others, so many that there is room for new ones, too: how many users, and all rows."""
    users = max(1, active().fitting(USERS, 2 + SPARE))
    more = active().fitting(unnamed, users + 2 + SPARE)
    others = (REFRESH.but(refresh_token=f"{REFRESH.refresh_token}.{number}") for number in range(more))
    return users, store.holding(
        *(_wide(f"user{number}") for number in range(users)), *Pool((ACCESS, REFRESH, *others))
    )


def _addresses(sent: Row, row: Row) -> bool:
    """Whether a save of these rows is of that row: it has the name, or the id where a name is given."""
    return sent.user_name == row.user_name or (sent.id is not None and sent.id == row.id)


def _wide(name: str, turn: object = "") -> Row:
    """A user's row with fields as long as they may be, so that writes fill buffers, all of this turn."""
    row = person(name)
    text = {
        field: f"{value}.{turn}.".ljust(WIDTH, "x")
        for field, value in row.present().items()
        if field not in ("user_name", "expires_in", "api_domain")
    }
    return row.but(**text, expires_in=f"19{sum(map(ord, str(turn))):011d}")


def _after(rows: Iterable[Row], saved: Sequence[Row], ids: Sequence[Any]) -> list[Row]:
    """What some rows are after saves that returned, and that gave their tokens these ids."""
    wanted = list(rows)
    for sent, id in zip(saved, ids, strict=False):
        old = next((row for row in wanted if _addresses(sent, row)), None)
        if old is None:
            wanted.append(sent.but(id=id))
        else:
            wanted[wanted.index(old)] = old.updated_by(sent)
    return wanted


def _fates(wanted: Sequence[Row], flying: Sequence[Row], promise: str, nothing_else: str) -> list[Fate]:
    """Every row is there; a save in flight was stored as a whole, or not at all."""
    fates = [
        Fate((one,), nothing_else, optional=True, new=True)
        for one in flying
        if not any(_addresses(one, row) for row in wanted)
    ]
    for row in wanted:
        updates = [row.updated_by(one) for one in flying if _addresses(one, row)]
        fates.append(Fate((row, *updates), f"{promise}: {in_brief(row)}"))
    return fates
