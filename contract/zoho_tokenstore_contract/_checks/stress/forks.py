"""PROC-2: a store that was opened before a fork works on in parent and child, or refuses in the child."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._drivers.processes.children import Processes
from ..._drivers.processes.pipe import Pipe
from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.sdk import load
from ..._spec.tokens import Row, to_token
from ..registry import check
from ..sample_tokens import person
from .concurrent_processes import BESIDE, each_has_one_row, keeps_apart, rows_with
from .process_rounds import MOMENTS, PROCESSES, Board, Round, Saver, held_up, plans_of, run_free, saves_of


@check("PROC-2", persistent=True)
def a_store_that_was_opened_before_a_fork_works_on_when_the_child_closes_first(workspace: Workspace) -> None:
    _fork(workspace, closes_first=1)


@check("PROC-2", persistent=True)
def a_store_that_was_opened_before_a_fork_works_on_when_the_parent_closes_first(workspace: Workspace) -> None:
    _fork(workspace, closes_first=0)


def _fork(workspace: Workspace, closes_first: int) -> None:
    users = active().fitting(PROCESSES * 3, len(BESIDE) + 1) // PROCESSES
    rounds = [run_free(users, "free"), *(held_up(f"pause{number}", number) for number in range(MOMENTS))]
    for number in range(MOMENTS):
        rounds.append(Round(saves_of(f"same{number}", "new"), (number, MOMENTS)))
        rounds.append(Round(saves_of(f"same{number}", "again"), (number, MOMENTS)))
    for some in plans_of(rounds):
        workspace.fresh_examples()
        _goes_on_after_a_fork(workspace, closes_first, some)


def _goes_on_after_a_fork(workspace: Workspace, closes_first: int, rounds: Sequence[Round]) -> None:
    """Parent and child save what the rounds say, and the rows are as they should be then."""
    last = person("last")
    with Processes(workspace) as processes:
        store = workspace.open()
        before = store.holding(*BESIDE)
        workspace.close(store)
        workspace.remember([last, *(row for done in rounds for row in done.saves)])
        payload = {
            "board": Board.new(workspace),
            "rounds": [done.packed() for done in rounds],
            "closes_first": closes_first,
            "last": asdict(last),
        }
        child = processes.start(open_and_fork, store.location, payload).ready()
        parent, forked = (child.receive("save_token in a process that has forked") for _ in range(2))
        child.end()
        note = "a process opens the store, reads, and forks; both save at once, and close one after another"
        workspace.calls.append(CallRecord(1, "other", note=note))
        refuses = bool(forked["refused"])
        for who, told in (("the parent", parent), ("the forked process", forked)):
            if told["errors"] or (told["refused"] and (told is parent or told["calls"] > told["refused"])):
                workspace.fail(
                    f"a store that was opened before a fork works on in {who}"
                    + ("" if told is parent else ", or refuses every call there"),
                    (told["errors"] or ["it refuses some calls, and answers others"])[0],
                )
        store = workspace.open(store.location)
        rows = rows_with(store, [row.id for row in before])
        wanted: dict[Any, list[Row]] = {}
        for done in rounds:
            for own in done.rows[: 1 if refuses else 2]:
                for row in own:
                    same = row.user_name.startswith("same")
                    kept = wanted.get(row.user_name, []) if same and own is not done.rows[0] else []
                    wanted[row.user_name] = [*kept, row]
        if not (refuses and closes_first == 0):
            wanted[last.user_name] = [last]
        try:
            what = "a store that was opened before a fork leaves each user one row"
            each_has_one_row(workspace, before, rows, wanted, what)
        except Violation:
            # Rows that processes lose which opened the store for themselves are the matter of PROC-1.
            if keeps_apart(workspace, BESIDE, rounds):
                raise


def open_and_fork(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a process with an open store: read, fork, save in both, close in both.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the rows that each of the two saves.
    """
    store.get_tokens()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    own = 0 if pid else 1
    line = Pipe(ours if pid else theirs)
    told = _save(store, own, payload, line)
    if not pid:
        line.send(told)
        os._exit(0)
    theirs.close()
    pipe.send(told)
    with contextlib.suppress(EOFError):
        pipe.send(line.receive())
    os.waitpid(pid, 0)


def _save(store: Any, own: int, payload: Any, line: Pipe) -> dict[str, Any]:
    """Save what the rounds say; then one process closes, and the other saves once more."""
    saver = Saver(own, Board(payload["board"], own))
    for turn, done in enumerate(payload["rounds"]):
        saver.save(store, (0, turn), done["rows"][own], done["pause"])
    calls = sum(len(done["rows"][own]) for done in payload["rounds"])
    refused = saver.refused
    errors = [error for _, _, error in saver.errors if not error.startswith("SDKException")]
    if own == payload["closes_first"]:
        _close(store)
        line.send("closed")
    else:
        line.receive()
        calls += 1
        try:
            store.save_token(to_token(Row(**payload["last"])))
        except load().SDKException:
            refused += 1
        except Exception as error:
            errors.append(format_exception(error))
        _close(store)
    return {"errors": errors, "refused": refused, "calls": calls}


def _close(store: Any) -> None:
    close = getattr(store, "close", None)
    if callable(close):
        with contextlib.suppress(load().SDKException):
            close()
