"""Two processes that open a store at the same time, one of them held up in the middle, and save."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._harness.messages import format_exception
from ..._spec.tokens import Row, to_token
from .children import Processes
from .crash_points import CrashPoints
from .pipe import Pipe

NO_MOMENT = -1
_PATIENCE = (0.02, 0.25)
"""Seconds that a process stands still, at least and at most: the other may be locked out until it goes on."""
_STILL, _GO = "still", "go"


class Openings:
    """Two processes that open one location after another together."""

    def __init__(self, processes: Processes, location: Path) -> None:
        """Starts both.

        Args:
            processes: The processes of the check.
            location: What they open first, before it counts.
        """
        self._late, self._early = (processes.start(open_and_save, location).ready() for _ in range(2))

    def open(
        self, location: Path, late: Row, early: Row, moment: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Have both open a location and save; the first may stand still until the other has saved.

        Args:
            location: What they open.
            late: What the first process saves.
            early: What the second one saves.
            moment: At which moment of its opening the first process stands still; `NO_MOMENT` for none.

        Returns:
            What each of them tells: the ``id`` of its token, the ``answer``, whether it ``raised``, the
            ``names`` of what it called as it opened the store, and whether it was ``held_up``.
        """
        self._late.send({"location": str(location), "row": asdict(late), "moment": moment})
        first = self._late.receive("open")
        self._early.send({"location": str(location), "row": asdict(early), "moment": NO_MOMENT})
        second = self._early.receive("save_token")
        held_up = first == _STILL
        if held_up:
            self._late.send(_GO)
            first = self._late.receive("save_token")
        return {**first, "held_up": held_up}, {**second, "held_up": False}


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
        if told != _GO:  # which may come when it has gone on already
            patience = _open_once(pipe, told, patience)


def _open_once(pipe: Pipe, told: Any, patience: float) -> float:
    """Open the store and save; how long to stand still the next time."""

    def stand_still(moment: int) -> None:
        nonlocal patience
        if moment == told["moment"]:
            pipe.send(_STILL)
            try:
                pipe.receive(patience)
            except TimeoutError:
                patience = max(_PATIENCE[0], patience / 2)

    token = to_token(Row(**told["row"]))
    answer, raised = "returned None", False
    points = CrashPoints(stand_still)
    try:
        with points:
            store = pipe.open(Path(told["location"]))
        store.save_token(token)
    except Exception as error:
        answer, raised = f"raised {format_exception(error)}", True
    pipe.send({"id": token.get_id(), "answer": answer, "raised": raised, "names": points.names})
    return patience
