"""CRASH-1: a process that is killed loses nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._drivers.processes.children import Processes
from ..._drivers.processes.crash_points import CrashPoints, chosen
from ..._drivers.processes.pipe import Pipe
from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception, format_rows
from ..._harness.store_limits import SPARE, Pool, active
from ..._harness.workspace import Workspace
from ..._spec.tokens import FIELDS, Row, format_row, format_value, to_token
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    REFRESH,
    WIDTH,
    person,
)
from .concurrent_processes import rows_with

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


USERS = 8


MOMENTS = 14


TIMED = 8


RETURNED = "as soon as it had returned"


def wide(name: str, turn: object = "") -> Row:
    """A user's row with fields as long as they may be, so that writes fill buffers, all of this turn.

    Args:
        name: The user.
        turn: What makes these values unlike those of other turns.

    Returns:
        The row.
    """
    row = person(name)
    text = {
        field: f"{value}.{turn}.".ljust(WIDTH, "x")
        for field, value in row.present().items()
        if field not in ("user_name", "expires_in", "api_domain")
    }
    return row.but(**text, expires_in=f"19{sum(map(ord, str(turn))):011d}")


@dataclass(frozen=True)
class Kill:
    """One kill and the save in which it comes.

    Attributes:
        row: What is being saved.
        moment: The moment of the save at which the process kills itself.
        after: How much later than the save began, in seconds, the kernel kills it, whatever it does
            then. With neither of the two, and where the save was quicker, it is killed as soon as the
            save has returned.
    """

    row: Row
    moment: int | None = None
    after: float | None = None


def in_child(answer: str, row: Row | None = None, id: Any = None, method: str = "save_token") -> CallRecord:
    """The record of what another process did; its rows are wide and shown in brief.

    Args:
        answer: What the other process told of the call.
        row: The row that it passed, if any.
        id: The id that its token has now.
        method: The method that it called.

    Returns:
        The record.
    """
    what = f"{method} ->" if row is None else f"save_token of {in_brief(row)}"
    argument = ... if row is None else row
    return CallRecord(1, method, argument, answer, id, note=f"in another process: {what} {answer}")


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_moment_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        state = Storage(workspace, processes)
        names, _ = measured(state)
        for turn, kind in enumerate(("update", "insert")):
            for moment in chosen(names[turn], workspace.effort.times(MOMENTS)):
                called = names[turn][moment] if moment < len(names[turn]) else "its return"
                state.survives(Kill(state.row(kind), moment), f"before {called}, moment {moment + 1} of it")


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_time_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        state = Storage(workspace, processes)
        _, duration = measured(state)
        times = workspace.effort.times(TIMED)
        for number in range(times):
            after = 1.25 * duration * (number + 1) / times  # some saves take longer
            row = state.row("insert" if number % 2 else "update")
            state.survives(Kill(row, after=after), f"{after * 1000:.2f} ms after it began")
        for kind in ("update", "insert") * workspace.effort.times(2):
            state.survives(Kill(state.row(kind)))


def measured(state: Storage) -> tuple[list[list[str]], float]:
    """What an update and an insert call at their moments, and how long such a save takes.

    Raises:
        Violation: A save fails where nothing is killed: another clause speaks of that.
    """
    rows = [state.row(kind) for kind in ("update", "insert") * 2]
    state.workspace.remember(rows)
    child = state.processes.start(measure, state.location, [asdict(row) for row in rows]).ready()
    told = child.receive("save_token")
    child.end()
    if "raised" in told:
        state.workspace.fail(
            "save_token works in another process", f"raised {told['raised']}", precondition_failed=True
        )
    state.read()
    return told["names"], told["duration"]


class Storage:
    """A location with rows, and what it has to hold after each kill."""

    def __init__(self, workspace: Workspace, processes: Processes) -> None:
        self.workspace = workspace
        self.processes = processes
        store = workspace.open()
        self.location = store.location
        # In a store with room for a few rows, new ones find some too.
        self.users = active().fitting(USERS, 2 + SPARE)
        others = Pool((ACCESS, REFRESH))
        self.rows = store.holding(*(wide(f"user{number}") for number in range(self.users)), *others)
        workspace.close(store)
        self._arranged = list(workspace.calls)
        self._turn = 0
        self._kills = 0
        # A server may still finish what a killed process had asked of it, any time later.
        self._flying: list[Row] = []
        self._next = processes.start(save_and_be_killed, self.location)

    def read(self) -> None:
        """Take what is there for what has to be there."""
        store = self.workspace.open(self.location)
        self.rows = store.listed()
        self.workspace.close(store)

    def row(self, kind: str) -> Row:
        """What is saved next: a user's row with new fields, or a new user's."""
        self._turn += 1
        if kind == "insert" and active().fitting(1, len(self.rows) + len(self._flying)):
            return wide(f"new{self._turn}", self._turn)
        return wide(f"user{self._turn % self.users}", self._turn)

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
            workspace.calls.append(
                CallRecord(1, "close", answer=f"closed; {self._kills} kills that lost nothing")
            )
        self._kills += 1
        given = self._saved_and_killed(kill, rows)
        for row, id in zip(rows, given, strict=False):
            workspace.calls.append(in_child("returned None", row, id))
        if len(given) < len(rows):
            workspace.calls.append(in_child(f"killed {when}", kill.row))
        else:
            workspace.calls.append(in_child(f"killed {RETURNED}", method="kill"))
        self._compare(rows, given)
        return len(given) < len(rows)

    def _saved_and_killed(self, kill: Kill, rows: list[Row]) -> list[Any]:
        """The ids that the acknowledged saves gave their tokens."""
        payload = {
            "rows": [asdict(row) for row in rows],
            "moment": kill.moment,
            "after": kill.after,
        }
        child = self._next.ready()
        child.send(payload)
        self._next = self.processes.start(save_and_be_killed, self.location)  # imports meanwhile
        said = child.rest("save_token")
        child.end()
        for word in said:
            if "raised" in word:
                self.workspace.fail("save_token works, also after kills", f"raised {word['raised']}")
        return [word["saved"] for word in said if "saved" in word]

    def _compare(self, rows: list[Row], given: list[Any]) -> None:
        workspace = self.workspace
        store = workspace.open(self.location)
        found = rows_with(store, [row.id for row in self.rows] + given)
        workspace.close(store)
        wanted = {row.user_name or row: row for row in self.rows}
        for row, id in zip(rows, given, strict=False):
            old = wanted.get(row.user_name)
            wanted[row.user_name] = row.but(id=id) if old is None else old.updated_by(row)
        self._flying += rows[len(given) : len(given) + 1]
        rest = list(found)
        for key, row in wanted.items():
            accepted = [row, *(row.updated_by(one) for one in self._flying if one.user_name == key)]
            there = next((one for one in rest if one in accepted), None)
            if there is None:
                workspace.fail(
                    f"after the kill, every save that had returned is there, whole: {in_brief(row)}",
                    instead_of(row, found),
                )
            rest.remove(there)
        landed = [row.but(id=None) for row in rest if row.id]
        if len(landed) < len(rest) or len({*landed}) < len(landed) or not {*landed} <= {*self._flying}:
            workspace.fail("after the kill, no row but those that were saved", format_rows(rest))
        self.rows = found


def in_brief(row: Row) -> str:
    """A wide row in as few words as tell it from others."""
    return format_row(row.only("id", "user_name", "access_token", "expires_in"))


def instead_of(row: Row, found: Sequence[Row]) -> str:
    """What is there in the place of a row.

    Args:
        row: The row that should be there.
        found: All rows that are there.

    Returns:
        What a message says of it.
    """
    own = [one for one in found if one.user_name == row.user_name and (row.user_name or one.id == row.id)]
    if not own:
        return f"no such row; {len(found)} rows in all"
    wrong = [name for name in FIELDS if getattr(own[0], name) != getattr(row, name)]
    now = ", ".join(f"{name}={format_value(getattr(own[0], name))}" for name in wrong[:3])
    return f"{len(own)} row(s) of that user, the first with other values in {', '.join(wrong)}: {now}"


def measure(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save each row, report how long the second one takes and what the others then call.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the rows to save.
    """
    tokens = [to_token(Row(**fields)) for fields in payload]
    names, duration = [], 0.0
    try:
        for token in tokens[:2]:
            began = time.perf_counter()
            store.save_token(token)
            duration = time.perf_counter() - began
        for token in tokens[2:]:
            with CrashPoints() as moments:
                store.save_token(token)
            names.append(moments.names)
    except Exception as error:
        pipe.send({"raised": format_exception(error)})
        return
    pipe.send({"names": names, "duration": duration})


def save_and_be_killed(store: Any, location: Path, pipe: Pipe, nothing: Any) -> None:
    """In a child: save each row, tell of each, and die in the last one.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check, which tells what to save and when to die.
        nothing: Not used: the rows are sent once the store is open.
    """
    payload = pipe.receive()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_at(moment: int) -> None:
        if moment == payload["moment"]:
            die()

    tokens = [to_token(Row(**fields)) for fields in payload["rows"]]
    for token in tokens:
        last = token is tokens[-1]
        try:
            if last and payload["moment"] is not None:
                with CrashPoints(die_at):
                    store.save_token(token)
                die()
            if last and payload["after"] is not None:
                # A timer is exact where another process would be late; that of an alarm ends a process.
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, max(payload["after"], 1e-6))
            store.save_token(token)
            if last and payload["after"] is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Exception as error:
            pipe.send({"raised": format_exception(error)})
            return
        pipe.send({"saved": token.get_id()})
    die()
