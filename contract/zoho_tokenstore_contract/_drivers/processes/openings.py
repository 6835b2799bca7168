"""Two processes that open a store at the same time, one of them held up in the middle, and save."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception
from ..._harness.workspace import not_applicable
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
        self._calls = processes.workspace.calls
        self._late, self._early = (processes.start(open_and_save, location).ready() for _ in range(2))

    def open(
        self, location: Path, late: Row, early: Row, moment: int, called: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Have both open a location and save, recorded; the first may stand still until the other has saved.

        Args:
            location: What they open.
            late: What the first process saves.
            early: What the second one saves.
            moment: At which moment of its opening the first process stands still; `NO_MOMENT` for none.
            called: What it calls then.

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
            note = "in process 1, which opens the store: {call}"
            self._calls.append(CallRecord(1, "open", answer=f"held up before {called}", note=note))
        for process, row, told in ((2, early, second), (1, late, first)):
            note = f"in process {process}, which has opened the store: {{call}}"
            self._calls.append(CallRecord(process, "save_token", row, told["answer"], note=note))
        return {**first, "held_up": held_up}, {**second, "held_up": False}


def remove_content(location: Path) -> None:
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
