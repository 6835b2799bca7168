"""Stores with one mistake that shows when an exception comes from outside in the middle of a call."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .catalogue import correct, fault
from .faulty_threads import InPlaceStore, MemoryStore
from .right import Fields, RightStore, refusal


@fault("CRASH-6", says="the store is busy")
class KeepsTheLockAfterAnException(RightStore):
    """Takes a lock for each change, and gives it back where all went well."""

    def __init__(self, location: Path) -> None:
        self.turn = threading.Lock()
        super().__init__(location)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        if not self.turn.acquire(timeout=0.3):
            raise refusal("the store is busy")
        try:
            with super().changing() as state:
                yield state
        except type(refusal("")):
            self.turn.release()
            raise
        self.turn.release()


@fault("CRASH-6", says="comes out of the call as it is")
class TurnsExceptionsIntoItsOwn(RightStore):
    """Takes every exception in a save for a failure of its storage."""

    def save_token(self, token: Any) -> None:
        try:
            super().save_token(token)
        except Exception as error:
            raise refusal("the token cannot be saved", error) from error


@fault("CRASH-6", says="comes out of the call as it is")
class FindsNothingWhenInterrupted(RightStore):
    """Answers None for whatever goes wrong while it looks for an id."""

    def find_token_by_id(self, id: Any) -> Any:
        try:
            return super().find_token_by_id(id)
        except BaseException:
            return None


@fault("CRASH-6", says="after the exception", persistent=False)
class UpdatesFieldByField(InPlaceStore):
    """Changes a stored row in place, one field after another."""


@fault("CRASH-6", says="after the exception")
class ReplacesARowInTwoSteps(RightStore):
    """Writes without the old row first, and then with the new one."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        state = self.read()
        state["rows"] = [other for other in state["rows"] if other["id"] != row["id"]]
        self.write(state)


class Connection:
    """Asks a server one thing after another; answers come back in the order of the questions."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def send(self, answer: Any) -> None:
        self.answers.append(answer)

    def receive(self) -> Any:
        return self.answers.pop(0)


@fault("CRASH-6", says="answers what was asked", persistent=False)
class LeavesAnswersUnread(MemoryStore):
    """Takes its connection back as it is where a lookup by id ended early: an answer is still on its way."""

    def prepare(self) -> None:
        super().prepare()
        self.connection = Connection()

    def find_token_by_id(self, id: Any) -> Any:
        with self.lock:
            self.connection.send(super().find_token_by_id(id))
            return self.connection.receive()


@fault("CRASH-6", says="after the exception", persistent=False)
class RollsBackForExceptionsAlone(InPlaceStore):
    """Restores its rows for an Exception, but not for what Ctrl-C raises."""

    undone: type[BaseException] = Exception

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.locked():
            before = copy.deepcopy(self.state)
            try:
                yield self.state
            except self.undone:
                self.state = before
                raise


@correct(persistent=False)
class RollsBackForAnything(RollsBackForExceptionsAlone):
    """Changes its rows in place, and restores them whatever was raised."""

    undone = BaseException


@correct(persistent=False)
class DropsItsConnection(LeavesAnswersUnread):
    """Makes a new connection where a lookup ended early."""

    def find_token_by_id(self, id: Any) -> Any:
        try:
            return super().find_token_by_id(id)
        except BaseException:
            self.connection = Connection()
            raise
