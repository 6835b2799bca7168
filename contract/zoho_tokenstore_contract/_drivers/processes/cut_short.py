"""Saves of another process that are cut short: by a kill, or by a disk that takes no more."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception, in_brief
from ..._harness.workspace import not_applicable
from ..._spec.tokens import Row, to_token
from ..storage_faults import files_in, state_of
from .children import Processes
from .crash_points import CrashPoints
from .pipe import Pipe
from .reading import told_of_saves

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

RETURNED = "as soon as it had returned"


@dataclass(frozen=True)
class Moments:
    """The moments of a save at which a process may be killed.

    Attributes:
        names: What is called at each.
        changed: The moments before which a file at the location, or beside it, had changed.
    """

    names: list[str]
    changed: list[int]


@dataclass(frozen=True)
class Kill:
    """One kill and the save in which it comes.

    Attributes:
        row: What is being saved.
        moment: The position of the moment of the save at which the process kills itself.
        after: How much later than the save began, in seconds, the kernel kills it, whatever it does
            then. With neither of the two, and where the save was quicker, it is killed as soon as the
            save has returned.
    """

    row: Row
    moment: tuple[int, int, int] | None = None
    after: float | None = None


def moments_of_saves(
    processes: Processes, location: Path, rows: Sequence[Row]
) -> tuple[list[Moments], float]:
    """Save rows in another process, and see at which moments of that it may be killed.

    Args:
        processes: The processes of the check.
        location: Where the store is opened.
        rows: Two rows that come first, and others whose saves are watched.

    Returns:
        The moments of each of the others, and how long the second save takes, in seconds.

    Raises:
        Violation: A save fails where nothing is killed: another clause speaks of that.
    """
    told = told_of_saves(processes, measure, location, rows)
    return [Moments(**moments) for moments in told["moments"]], told["duration"]


def measure(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save each row, report how long the second one takes and the moments of the others.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the rows to save.
    """
    tokens = [to_token(Row(**fields)) for fields in payload]
    watched, duration = [], 0.0
    try:
        for token in tokens[:2]:
            began = time.perf_counter()
            store.save_token(token)
            duration = time.perf_counter() - began
        for token in tokens[2:]:
            states = {-1: state_of(location.parent)}  # by the moment before which it was so

            def look(moment: int, states: dict[int, int] = states) -> None:
                states[moment] = state_of(location.parent)

            with CrashPoints(look) as points:
                store.save_token(token)
            look(len(points.names))
            changed = [
                moment for before, moment in pairwise(sorted(states)) if states[moment] != states[before]
            ]
            watched.append({"names": points.names, "changed": changed})
    except Exception as error:
        pipe.send({"raised": format_exception(error)})
        return
    pipe.send({"moments": watched, "duration": duration})


class KilledSaves:
    """Processes that save on one location and are killed in the last of their saves, one after another."""

    def __init__(self, processes: Processes, location: Path) -> None:
        self._processes = processes
        self._location = location
        self._next = processes.start(save_and_be_killed, location)

    def save(self, rows: Sequence[Row], kill: Kill, when: str) -> list[Any]:
        """Have the next process save rows, and be killed in the last save; recorded.

        Args:
            rows: The rows, the last of which is that of the kill.
            kill: When the process dies.
            when: The same in words.

        Returns:
            The ids of the tokens whose saves had returned.
        """
        workspace = self._processes.workspace
        child = self._next.ready()
        child.send({"rows": [asdict(row) for row in rows], "moment": kill.moment, "after": kill.after})
        self._next = self._processes.start(save_and_be_killed, self._location)  # imports meanwhile
        said = child.rest("save_token")
        child.end()
        for word in said:
            if "raised" in word:
                workspace.fail("save_token works, also after kills", f"raised {word['raised']}")
        ids = [word["saved"] for word in said]
        for row, id in zip(rows, ids, strict=False):
            workspace.calls.append(_in_child("returned None", row, id))
        if len(ids) < len(rows):
            workspace.calls.append(_in_child(f"was killed by the kit (SIGKILL) {when}", kill.row))
        else:
            workspace.calls.append(
                _in_child(f"the process was killed by the kit (SIGKILL) {RETURNED}", method="kill")
            )
        return ids


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

    def die_at(_: int) -> None:
        if [*points.position] == payload["moment"]:
            die()

    points = CrashPoints(die_at)
    tokens = [to_token(Row(**fields)) for fields in payload["rows"]]
    for token in tokens:
        last = token is tokens[-1]
        try:
            if last and payload["moment"] is not None:
                with points:
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


def needs_file_size_limits() -> None:
    """End the check of a full disk where there is none to be had.

    Raises:
        NotApplicable: The system knows no file-size limits.
    """
    if resource is None:
        not_applicable("file-size limits are a POSIX call, which is missing here")


def saves_on_a_full_disk(
    processes: Processes, location: Path, rows: Sequence[Row], room: int
) -> tuple[list[Any], Row | None]:
    """Have another process save rows, one by one, until its files can grow no more; recorded.

    Args:
        processes: The processes of the check.
        location: Where the store is opened.
        rows: The rows.
        room: How many bytes larger than the largest file one may get.

    Returns:
        The ids of the tokens whose saves had returned, and the row whose save raised; ``None`` for none.
    """
    workspace = processes.workspace
    child = processes.start(
        save_until_full, location, {"rows": [asdict(row) for row in rows], "room": room}
    ).ready()
    limit = child.receive("save_token")
    workspace.calls.append(_in_child(f"no file grows beyond {limit} bytes", method="limit"))
    ids: list[Any] = []
    failed = None
    for row in rows:
        word = child.receive("save_token beyond the file-size limit")
        if "raised" in word:
            failed = row
            workspace.calls.append(_in_child(f"raised {word['raised']}", row))
            break
        ids.append(word["saved"])
        workspace.calls.append(_in_child("returned None", row, word["saved"]))
    child.receive("close")
    child.end()
    workspace.calls.append(_in_child("the limit is gone", method="limit"))
    return ids, failed


def save_until_full(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save under a file-size limit until that fails.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the rows, and the bytes that the files may still grow by.
    """
    assert resource is not None
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails instead
    limit = max(path.stat().st_size for path in files_in(location)) + payload["room"]
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    tokens = [to_token(Row(**fields)) for fields in payload["rows"]]
    pipe.send(limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    for token in tokens:
        try:
            store.save_token(token)
        except Exception as error:
            pipe.send({"raised": format_exception(error)})
            break
        pipe.send({"saved": token.get_id()})
    # What it still tries to write now must not destroy anything either.
    close = getattr(store, "close", None)
    if callable(close):
        with contextlib.suppress(Exception):
            close()
    pipe.send("closed")
    pipe.receive()


def _in_child(answer: str, row: Row | None = None, id: Any = None, method: str = "save_token") -> CallRecord:
    """The record of what another process did; its rows are wide and shown in brief."""
    what = f"{method} ->" if row is None else f"save_token of {in_brief(row)}"
    argument = ... if row is None else row
    return CallRecord(1, method, argument, answer, id, note=f"in another process: {what} {answer}")
