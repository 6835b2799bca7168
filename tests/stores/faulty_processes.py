"""Stores with one mistake that shows when processes save at the same time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from .catalogue import fault
from .faulty_threads import FindsNobodyInAnEmptyStore, LooksBesideOthers
from .right import Fields, RightStore


@fault("PROC-1", says="leave each one row")
class LocksThreadsAlone(RightStore):
    """Its lock is one of threads: processes overwrite one another's rows."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self.lock:
            yield

    def write(self, state: Any) -> None:
        # A draft of its own, so that nothing but the lock is wrong.
        draft = self.location / f"draft-{os.getpid()}"
        self.write_file(draft, self.encoded(state))
        draft.replace(self.file)


@fault("PROC-1", says="leave each one row")
class LocksWritingAlone(RightStore):
    """Reads before it has the lock, and writes what it then makes of the stale rows."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        state = self.read()
        yield state
        with self.locked():
            self.write(state)


@fault("PROC-1", "PERSIST-2", says="leave each one row")
class CachesTheSharedFile(RightStore):
    """Reads the file once and goes on with what it remembers."""

    remembered: Any = None

    def read(self) -> Any:
        if self.remembered is None:
            self.remembered = super().read()
        return self.remembered


@fault("PROC-1", says="ids unlike all others")
class CountsOutsideTheLock(RightStore):
    """Chooses the next id before it has the lock, so that two processes choose the same."""

    def save_token(self, token: Any) -> None:
        self.chosen = super().next_id(self.read())
        super().save_token(token)

    def next_id(self, state: Any) -> str:
        return self.chosen


@fault("PROC-1", "CRASH-1", says="all its fields from one of the saves")
class UpdatesInTwoSteps(RightStore):
    """Writes when the access token of an update expires in a second step."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "expires_in": None})

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        with self.changing() as state:
            sent = self.fields_of(token)
            row = self.by_id(state["rows"], sent["id"])
            if row is not None and sent["expires_in"]:
                row["expires_in"] = sent["expires_in"]


@fault("PROC-1", says="leave one row")
class LooksThenInserts(RightStore):
    """Looks for the user before it has the lock, and inserts under it without a second look."""

    looked: Fields | None = None

    def save_token(self, token: Any) -> None:
        self.looked = super().match_to_save(self.read()["rows"], self.fields_of(token))
        super().save_token(token)

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if self.looked is None else self.by_id(rows, self.looked["id"])


@fault("PROC-1", says="while another process saves")
class RemovesItsLockFile(RightStore):
    """Deletes the lock file after use: who waits for the old one and who makes a new one are both let in."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with super().locked():
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    (self.location / "lock").unlink()


@fault("PROC-1", says="leave each one row")
class LocksOnceThereAreRows(RightStore):
    """Thinks that an empty store has no other user, and takes no lock for the first save."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        state = self.read()
        if state["rows"]:
            with super().changing() as state:
                yield state
        else:
            yield state
            self.write(state)


@fault("PROC-1", says="leave one row")
class LooksForNobodyInAnEmptyFile(FindsNobodyInAnEmptyStore):
    """Inserts without looking for the user where it saw no rows before it had the lock."""


@fault("PROC-1", says="leave one row")
class LooksBesideOthersThenInserts(LooksBesideOthers):
    """Makes the first row under the lock, and looks for the row of a later token before it has it."""
