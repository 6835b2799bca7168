"""PROC: processes that each opened the store for themselves, and save at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._drivers.processes.child_environments import WEST
from ..._drivers.processes.children import Processes
from ..._harness.calls import CallRecord
from ..._harness.messages import describe_mixture, format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, absent, format_row, to_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, REFRESH
from .process_rounds import (
    MOMENTS,
    PROCESSES,
    ROUND,
    Board,
    Round,
    held_up,
    plans_of,
    run_free,
    save_at_once,
    saves_of,
)

BESIDE = (ANN, ACCESS, BOB, REFRESH)


@check("PROC-1", persistent=True)
def processes_that_save_different_users_into_an_empty_store(workspace: Workspace) -> None:
    plans = [[held_up("first", number), run_free(3, "more")] for number in range(MOMENTS)]
    _save_at_once(workspace, (), plans, _different_users)


@check("PROC-1", persistent=True)
def processes_that_save_different_users_beside_rows(workspace: Workspace) -> None:
    users = active().fitting(4 * PROCESSES, len(BESIDE)) // PROCESSES
    rounds = [run_free(users, f"free{number}") for number in range(workspace.effort.times(4))]
    rounds += [held_up(f"pause{number}", number) for number in range(MOMENTS)]
    _save_at_once(workspace, BESIDE, plans_of(rounds), _different_users)


@check("PROC-1", persistent=True)
def processes_that_save_one_user_into_an_empty_store(workspace: Workspace) -> None:
    plans = [
        [Round(saves_of("new", "first"), (number, MOMENTS)), Round(saves_of("other", "next"))]
        for number in range(1, MOMENTS, 2)
    ]
    _save_at_once(workspace, (), plans, _one_user_a_round)


@check("PROC-1", persistent=True)
def processes_that_save_one_user_beside_rows(workspace: Workspace) -> None:
    rounds = [Round(saves_of(f"free{number}", "new")) for number in range(workspace.effort.times(10))]
    for number in range(MOMENTS):
        rounds.append(Round(saves_of(f"pause{number}", "new"), (number, MOMENTS)))
        rounds.append(Round(saves_of(f"pause{number}", "again"), (number, MOMENTS)))
    _save_at_once(workspace, BESIDE, plans_of(rounds), _one_user_a_round)


def keeps_apart(workspace: Workspace, known: Sequence[Row], rounds: Sequence[Round]) -> bool:
    """Whether processes that each opened the store for themselves leave what these rounds save.

    Args:
        workspace: Where the store is opened, beside what is open there.
        known: The rows that are stored before.
        rounds: What the processes save.
    """
    calls = list(workspace.calls)
    try:
        _save_at_once(workspace, known, [rounds], _a_row_for_each_user)
    except Violation:
        return False
    finally:
        workspace.calls[:] = calls
    return True


def _a_row_for_each_user(
    workspace: Workspace, before: list[Row], rows: list[Row], rounds: Sequence[Round]
) -> None:
    """Every user has one row, as it was saved last; which of two saves at once is the last is open."""
    last: dict[Any, list[Row]] = {}
    for done in rounds:
        saved = done.saves
        last |= {row.user_name: [one for one in saved if one.user_name == row.user_name] for row in saved}
    each_has_one_row(workspace, before, rows, last, "one row of each user")
    _frame(workspace, before, rows, len(before) + len(last))


def each_has_one_row(
    workspace: Workspace, before: Sequence[Row], rows: list[Row], wanted: dict[Any, list[Row]], what: str
) -> None:
    """Each user has one whole row after a fork, beside those that were there.

    Args:
        workspace: Where it fails.
        before: The rows that were there.
        rows: The rows that are there.
        wanted: For each user the rows of which one has to be there.
        what: What a message says of it.
    """
    for row in before:
        if row not in rows:
            workspace.fail("rows from before the fork stay as they were", f"{format_row(row)} is not there")
    for name, accepted in wanted.items():
        own = [row for row in rows if row.user_name == name]
        if len(own) != 1 or own[0].but(id=None) not in accepted:
            workspace.fail(f"{what}: {name}", f"{format_rows(own)}; {len(rows)} rows in all")
    _unlike_ids(workspace, rows)


def _different_users(
    workspace: Workspace, before: list[Row], rows: list[Row], rounds: Sequence[Round]
) -> None:
    """Every save leaves one row, equal to what was saved, with an id unlike all others."""
    for done in rounds:
        for row in done.saves:
            own = [other for other in rows if other.user_name == row.user_name]
            if len(own) != 1 or own[0].but(id=None) != row:
                _tell(workspace, done)
                workspace.fail(
                    f"processes that save different users at once leave each one row: {format_row(row)}",
                    f"{format_rows(own)}; {len(rows)} rows in all",
                )
    _unlike_ids(workspace, rows)
    wanted = len(before) + sum(len(done.saves) for done in rounds)
    _frame(workspace, before, rows, wanted)


def _one_user_a_round(
    workspace: Workspace, before: list[Row], rows: list[Row], rounds: Sequence[Round]
) -> None:
    """Every round leaves its user one row, all of it from one of the saves."""
    last = {done.rows[0][0].user_name: done for done in rounds}
    for name, done in last.items():
        own = [other for other in rows if other.user_name == name]
        saved = [row for (row,) in done.rows]
        if len(own) != 1 or own[0].but(id=None) not in saved:
            _tell(workspace, done)
            workspace.fail(
                f"processes that save {name} at once leave one row, all its fields from one of the saves",
                format_rows(own) + (describe_mixture(own[0], saved) if len(own) == 1 else ""),
            )
    _unlike_ids(workspace, rows)
    _frame(workspace, before, rows, len(before) + len(last))


@dataclass
class _Plan:
    """What the processes do at one location, which holds some rows."""

    location: Path
    before: list[Row]
    rounds: Sequence[Round]
    calls: list[CallRecord]


def _save_at_once(
    workspace: Workspace,
    first: Sequence[Row],
    plans: Sequence[Sequence[Round]],
    judge: Callable[[Workspace, list[Row], list[Row], Sequence[Round]], None],
) -> None:
    """Have processes save, each plan at a location of its own, and judge what is stored then."""
    with Processes(workspace) as processes:
        # With one storage for all locations, one at a time.
        for group in [plans] if workspace.sut.own_storage else [[plan] for plan in plans]:
            arranged = []
            for rounds in group:
                workspace.calls.clear()
                store = workspace.open()
                before = store.holding(*first)
                workspace.close(store)
                workspace.remember(row for done in rounds for row in done.saves)
                arranged.append(_Plan(store.location, before, rounds, list(workspace.calls)))
            workspace.calls.clear()
            failed, ids = _run(processes, arranged, fresh=len(plans) == 1)
            for number, plan in enumerate(arranged):
                workspace.calls[:] = plan.calls
                for process, (place, turn, error) in failed:
                    if place == number:
                        _tell(workspace, plan.rounds[turn], {process: error})
                        workspace.fail(
                            "save_token works while another process saves",
                            f"in process {process + 1} it raised {error}",
                        )
                store = workspace.open(plan.location)
                rows = rows_with(store, [row.id for row in plan.before] + ids[number])
                workspace.close(store)
                judge(workspace, plan.before, rows, plan.rounds)


def _run(
    processes: Processes, plans: Sequence[_Plan], *, fresh: bool
) -> tuple[list[tuple[int, tuple[int, int, str]]], list[list[Any]]]:
    """Run the plans: which process failed where and how, and the ids that were given."""
    board = Board.new(processes.workspace)
    work = [
        {"location": str(plan.location), "rounds": [done.packed() for done in plan.rounds]} for plan in plans
    ]
    children = [
        processes.start(
            save_at_once,
            plans[0].location,
            {"number": number, "board": board, "plans": work},
            WEST if fresh and number else None,  # freshly executed
        )
        for number in range(PROCESSES)
    ]
    for child in children:
        child.ready()
    for child in children:
        child.send("go")
    failed = []
    ids: list[list[Any]] = [[] for _ in plans]
    for process, child in enumerate(children):
        waiting_for = "save_token beside the other process"
        while (told := child.receive(waiting_for)) == ROUND:
            pass
        errors, given = told
        failed += [(process, tuple(error)) for error in errors]
        for place, id in given:
            ids[place].append(id)
        child.end()
    return failed, ids


def rows_with(store: StoreHandle, ids: Sequence[Any]) -> list[Row]:
    """All rows, also those with these ids that ``get_tokens`` fails to show.

    What is lost is lost by both ways of reading; a fault of one way alone is another clause's.

    Args:
        store: The open store.
        ids: Ids to ask for beside the list.

    Returns:
        The rows.
    """
    try:
        rows = store.listed()
    except Violation:
        rows = []
    for id in dict.fromkeys(ids):
        if not absent(id) and all(row.id != id for row in rows):
            with contextlib.suppress(Exception):
                rows.append(to_row(store.quietly("find_token_by_id", id).returned))
    return rows


def _unlike_ids(workspace: Workspace, rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        twin = next((other for other in rows[:place] if other.id == row.id), None)
        if absent(row.id) or twin is not None:
            workspace.fail(
                "ids unlike all others for the rows that processes saved at once",
                f"{format_row(row)}" + (f" and {format_row(twin)}" if twin is not None else " has none"),
            )


def _frame(workspace: Workspace, before: list[Row], rows: list[Row], wanted: int) -> None:
    for row in before:
        if row not in rows:
            workspace.fail(
                "rows that no process saved stay as they were",
                f"{format_row(row)} is not there any more; {len(rows)} rows in all",
            )
    if len(rows) != wanted:
        workspace.fail(f"{wanted} rows", f"{len(rows)} rows: {format_rows(rows)}")


def _tell(workspace: Workspace, done: Round, failed: dict[int, str] | None = None) -> None:
    """Record the saves of the round that matters."""
    for process, own in enumerate(done.rows):
        for row in own:
            answer = "raised " + failed[process] if failed and process in failed else "returned None"
            note = f"at once, in process {process + 1}: {{call}}"
            workspace.calls.append(CallRecord(process + 1, "save_token", row, answer, note=note))
    if done.pause is not None:
        workspace.calls[-sum(map(len, done.rows))].answer = (
            f"returned None (it was held up at moment {done.pause[0] + 1} of {done.pause[1]}, "
            "while the other process saved)"
        )
