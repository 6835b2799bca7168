"""Rounds of saves that processes make at the same time, and a process that forks with an open store."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, to_token
from .child_environments import WEST
from .children import Processes
from .crash_points import CrashPoints, chosen
from .pipe import Pipe

PROCESSES = 2
MOMENTS = 14
"""At how many moments of a save a process is held up, once at each."""
_ROUND = "round"
"""What a process says at the end of each."""
_PATIENCE = (0.005, 0.03)
"""Seconds, at least and at most, that one process stands still for the other while that one waits, too."""
_LONGEST = 2.0
"""Seconds that it stands still for one that is at work: it may turn round and round for a lock."""


@dataclass(frozen=True)
class Round:
    """What the processes do at the same time.

    Attributes:
        rows: For each process, the tokens that it saves one after another.
        pause: The moment at which the first process stops in its save, so that the second can save
            as a whole: which of the so many moments, or ``None`` where both just run.
    """

    rows: tuple[tuple[Row, ...], ...]
    pause: tuple[int, int] | None = None

    @property
    def saves(self) -> list[Row]:
        """All rows that are saved in it."""
        return [row for own in self.rows for row in own]

    def calls(self, failed: dict[int, str] | None = None) -> list[CallRecord]:
        """The records of its saves.

        Args:
            failed: Which processes failed, and what they raised.
        """
        made = []
        for process, own in enumerate(self.rows):
            for row in own:
                answer = f"raised {failed[process]}" if failed and process in failed else "returned None"
                note = f"at once, in process {process + 1}: {{call}}"
                made.append(CallRecord(process + 1, "save_token", row, answer, note=note))
        if self.pause is not None:
            made[0].answer = (
                f"returned None (it was held up at moment {self.pause[0] + 1} of {self.pause[1]}, "
                "while the other process saved)"
            )
        return made

    def packed(self) -> dict[str, Any]:
        """What a process is sent of it."""
        return {"rows": [[asdict(row) for row in own] for own in self.rows], "pause": self.pause}


@dataclass(frozen=True)
class Saved:
    """What the processes tell of the rounds on one location.

    Attributes:
        ids: The ids that their tokens have got.
        errors: Which process failed, in which round, and what it raised.
    """

    ids: list[Any]
    errors: list[tuple[int, int, str]]


def save_in_rounds(
    processes: Processes, plans: Sequence[tuple[Path, Sequence[Round]]], *, executed: bool = False
) -> list[Saved]:
    """Have processes save what the rounds say, each round at the same time.

    Args:
        processes: The processes of the check.
        plans: Locations, and the rounds on each of them.
        executed: All processes but the first are freshly executed, in other surroundings.

    Returns:
        What they tell, for each location.
    """
    board = _Board.new(processes.workspace)
    work = [{"location": str(place), "rounds": [done.packed() for done in rounds]} for place, rounds in plans]
    children = [
        processes.start(
            save_at_once,
            plans[0][0],
            {"number": number, "board": board, "plans": work},
            WEST if executed and number else None,
        )
        for number in range(PROCESSES)
    ]
    for child in children:
        child.ready()
    for child in children:
        child.send("go")
    saved = [Saved([], []) for _ in plans]
    for process, child in enumerate(children):
        while (told := child.receive("save_token beside the other process")) == _ROUND:
            pass
        errors, given = told
        for place, turn, error in errors:
            saved[place].errors.append((process, turn, error))
        for place, id in given:
            saved[place].ids.append(id)
        child.end()
    return saved


def save_after_a_fork(
    processes: Processes, location: Path, rounds: Sequence[Round], last: Row, closes_first: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have a process open the store and fork; parent and child save, and close one after another.

    Args:
        processes: The processes of the check.
        location: Where the store is opened.
        rounds: What the two save at the same time.
        last: What is saved once one of them has closed.
        closes_first: Which one that is: 0 for the parent, 1 for the child.

    Returns:
        What the parent tells, and the child: its ``errors``, how many calls it made, and how many of them
        were ``refused``.
    """
    payload = {
        "board": _Board.new(processes.workspace),
        "rounds": [done.packed() for done in rounds],
        "closes_first": closes_first,
        "last": asdict(last),
    }
    child = processes.start(open_and_fork, location, payload).ready()
    parent, forked = (child.receive("save_token in a process that has forked") for _ in range(2))
    child.end()
    return parent, forked


class _Board:
    """A page of memory that the processes share, with a number for each."""

    _SIZE = 4096

    def __init__(self, path: str, own: int) -> None:
        with Path(path).open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), self._SIZE)
        self._own = own

    @classmethod
    def new(cls, workspace: Workspace) -> str:
        """The path of a new one, with no number on it."""
        path = workspace.location() / "board"
        path.write_bytes(bytes(cls._SIZE))
        return str(path)

    def post(self, number: int) -> None:
        """Put up one's own number."""
        struct.pack_into("=q", self._page, 8 * self._own, number)

    def of_the_other(self) -> int:
        """The number of the other process."""
        return self._number(1 - self._own)

    def tell_process(self) -> None:
        """Put up which process this is."""
        struct.pack_into("=q", self._page, 8 * (2 + self._own), os.getpid())

    def the_other_works(self) -> bool:
        """Whether the other process is at work, or waits for a processor or a disk: then it is only slow."""
        with contextlib.suppress(OSError):  # only Linux tells it; a thread may end meanwhile
            for task in Path(f"/proc/{self._number(3 - self._own)}/task").iterdir():
                if (task / "stat").read_text().rpartition(")")[2].split()[0] in "RD":
                    return True
        return False

    def _number(self, place: int) -> int:
        return int(struct.unpack_from("=q", self._page, 8 * place)[0])


def _until(reached: Callable[[], bool]) -> None:
    """Wait for what another process does, awake at first, so that both go on in the same moment."""
    turns = 0
    while not reached():
        turns += 1
        if turns > 200:
            time.sleep(0.0001)


class _Saver:
    """One of the two processes, round after round."""

    def __init__(self, own: int, board: _Board) -> None:
        self.own = own
        self.known: set[str] = set()
        self.errors: list[tuple[int, int, str]] = []
        self.ids: list[tuple[int, Any]] = []
        self.refused = 0
        self._board = board
        self._moments: dict[bool, Sequence[int]] = {}  # of the last save that inserted or updated
        self._patience = _PATIENCE[1]
        self._round = 0

    def save(self, store: Any, where: tuple[int, int], rows: list[Any], pause: list[int] | None) -> None:
        """One round: the first process stands still at the pause, until the second has saved.

        Args:
            store: The open store.
            where: The places of the round, for what is told of it.
            rows: The fields of the rows that this process saves.
            pause: The moments at which it stands still, if any.
        """
        # Each round has four numbers: begun, the first stands still, it is saved, and a spare one.
        begun, still, saved = (4 * self._round + step for step in (1, 2, 3))
        self._round += 1
        self._board.tell_process()
        self._board.post(begun)
        _until(lambda: self._board.of_the_other() >= begun)
        for place, fields in enumerate(rows):
            row = Row(**fields)
            again = row.user_name in self.known
            self.known.add(row.user_name)
            stop = -1
            if pause is not None and not place:
                if self.own:
                    _until(lambda: self._board.of_the_other() >= still)
                else:
                    moment, of = pause
                    moments = self._moments.get(again, range(of))
                    stop = moments[moment * (len(moments) - 1) // (of - 1)]

            def stand_still(moment: int, stop: int = stop) -> None:
                if moment == stop:
                    self._board.post(still)
                    # The other may be locked out until this one goes on: then less time will do.
                    free = self._is_reached(saved)
                    self._patience = _PATIENCE[1] if free else max(_PATIENCE[0], self._patience / 2)

            token = to_token(row)
            with CrashPoints(stand_still) as passed:
                try:
                    store.save_token(token)
                except Exception as error:
                    self.refused += isinstance(error, load().SDKException)
                    self.errors.append((*where, f"{type(error).__name__}: {str(error)[:300]}"))
            self.ids.append((where[0], token.get_id()))
            self._moments[again] = chosen(passed.names, MOMENTS)
        self._board.post(saved)

    def _is_reached(self, number: int) -> bool:
        """Stand still until the other has put up a number, as long as it is at work and a little longer."""
        began = last = time.monotonic()
        waited = 0.0
        while self._board.of_the_other() < number:
            time.sleep(0.0001)
            now = time.monotonic()
            if not self._board.the_other_works():
                waited += now - last
            last = now
            if waited > self._patience or now - began > _LONGEST:
                return False
        return True


def save_at_once(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save what the rounds say, each round at once with the other process.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the number of this process, the board that both see, and the rounds.
    """
    saver = _Saver(payload["number"], _Board(payload["board"], payload["number"]))
    pipe.receive()
    for place, plan in enumerate(payload["plans"]):
        if place:
            store = pipe.open(Path(plan["location"]))
        saver.known.clear()
        for turn, done in enumerate(plan["rounds"]):
            saver.save(store, (place, turn), done["rows"][saver.own], done["pause"])
            pipe.send(_ROUND)
    pipe.send([saver.errors, saver.ids])


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
    line = Pipe(ours if pid else theirs)
    told = _save_and_close(store, 0 if pid else 1, payload, line)
    if not pid:
        line.send(told)
        os._exit(0)
    theirs.close()
    pipe.send(told)
    with contextlib.suppress(EOFError):
        pipe.send(line.receive())
    os.waitpid(pid, 0)


def _save_and_close(store: Any, own: int, payload: Any, line: Pipe) -> dict[str, Any]:
    """Save what the rounds say; then one process closes, and the other saves once more."""
    saver = _Saver(own, _Board(payload["board"], own))
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
