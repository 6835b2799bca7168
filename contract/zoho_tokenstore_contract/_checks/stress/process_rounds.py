"""PROC: rounds of saves, and the processes that make them at the same time."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._drivers.processes.crash_points import CrashPoints, chosen
from ..._drivers.processes.pipe import Pipe
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, to_token
from ..sample_tokens import CLIENT, person

PROCESSES = 2
ROUND = "round"  # what a process says at the end of each
MOMENTS = 14
_PATIENCE = (0.005, 0.03)  # seconds, at least and at most, that one process stands still for the other


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

    def packed(self) -> dict[str, Any]:
        """What a process is sent of it."""
        return {"rows": [[asdict(row) for row in own] for own in self.rows], "pause": self.pause}


def run_free(users: int, name: str) -> Round:
    """Each process saves so many users of its own.

    Args:
        users: How many users each process saves.
        name: What makes them unlike those of other rounds.

    Returns:
        The round.
    """
    return Round(
        tuple(
            tuple(person(f"{name}-{process}-{number}") for number in range(users))
            for process in range(PROCESSES)
        )
    )


def held_up(name: str, moment: int) -> Round:
    """The first process stands still in a save and saves once more right after it, the second saves.

    Args:
        name: What makes its users unlike those of other rounds.
        moment: The moment of the save at which the first process stands still.

    Returns:
        The round.
    """
    first, second = (person(f"{name}-{process}-0") for process in range(PROCESSES))
    return Round(((first, person(f"{name}-0-1")), (second,)), (moment, MOMENTS))


def saves_of(name: str, turn: str) -> tuple[tuple[Row, ...], ...]:
    """Each process saves the same user, each with every field of its own.

    Args:
        name: The user.
        turn: What makes the values unlike those of other rounds.

    Returns:
        For each process the rows that it saves.
    """
    return tuple(
        (
            person(
                f"{name}.{turn}.{process}",
                user_name=f"{name}@example.com:77",
                client_id=f"{CLIENT['client_id']}.{process}",
                client_secret=f"{CLIENT['client_secret']}.{process}",
                expires_in=f"19{process:011d}",
            ),
        )
        for process in range(PROCESSES)
    )


def plans_of(rounds: list[Round]) -> list[list[Round]]:
    """All rounds on one location, or each on one of its own where the store has room for a few rows."""
    return [rounds] if active().room is None else [[one] for one in rounds]


class Board:
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

    def read(self, process: int) -> int:
        """The number of a process."""
        return int(struct.unpack_from("=q", self._page, 8 * process)[0])


def until(reached: Callable[[], bool], limit: float | None = None) -> bool:
    """Wait for what another process does, awake at first, so that both go on in the same moment.

    Args:
        reached: Whether it has happened.
        limit: Seconds to wait; by default without end.

    Returns:
        Whether it happened within the limit.
    """
    deadline = None if limit is None else time.monotonic() + limit
    turns = 0
    while not reached():
        turns += 1
        if turns > 200:
            time.sleep(0.0001)
        if deadline is not None and time.monotonic() > deadline:
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
    saver = Saver(payload["number"], Board(payload["board"], payload["number"]))
    pipe.receive()
    for place, plan in enumerate(payload["plans"]):
        if place:
            store = pipe.open(Path(plan["location"]))
        saver.known.clear()
        for turn, done in enumerate(plan["rounds"]):
            saver.save(store, (place, turn), done["rows"][saver.own], done["pause"])
            pipe.send(ROUND)
    pipe.send([saver.errors, saver.ids])


class Saver:
    """One of the two processes, round after round."""

    def __init__(self, own: int, board: Board) -> None:
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
        self._board.post(begun)
        until(lambda: self._others() >= begun)
        for place, fields in enumerate(rows):
            row = Row(**fields)
            again = row.user_name in self.known
            self.known.add(row.user_name)
            stop = -1
            if pause is not None and not place:
                if self.own:
                    until(lambda: self._others() >= still)
                else:
                    moment, of = pause
                    moments = self._moments.get(again, range(of))
                    stop = moments[moment * (len(moments) - 1) // (of - 1)]

            def stand_still(moment: int, stop: int = stop) -> None:
                if moment == stop:
                    self._board.post(still)
                    # The other may be locked out until this one goes on: then less time will do.
                    free = until(lambda: self._others() >= saved, self._patience)
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

    def _others(self) -> int:
        return self._board.read(1 - self.own)
