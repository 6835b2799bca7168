"""Stores with one mistake that makes rows go by themselves, or takes other files with them."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from .catalogue import correct, fault
from .right import ChangesWhenOpened, Fields, RightStore

# SAVE-22


def expired(row: Fields) -> bool:
    """Whether the access token of a row has expired."""
    return bool(row["expires_in"]) and int(row["expires_in"]) < time.time() * 1000


@fault("SAVE-22", says="removes no row")
class SweepsWhenItIsOpened(ChangesWhenOpened):
    """Removes the rows of expired access tokens each time it is opened."""

    def opened(self, state: Any) -> None:
        state["rows"][:] = [row for row in state["rows"] if not expired(row)]


@fault("SAVE-22", says="has expired")
class SweepsWithEachSave(RightStore):
    """Removes the rows of expired access tokens whenever it saves one."""

    def write(self, state: Any) -> None:
        state["rows"][:] = [row for row in state["rows"] if not expired(row)]
        super().write(state)


@fault("SAVE-22", "FIND-4", says="removes no row")
class RemovesWhatItFindsExpired(RightStore):
    """Removes a row of nobody when it is looked for and its access token has expired."""

    def find_token(self, token: Any) -> Any:
        row = self.match_to_find(self.read()["rows"], self.fields_of(token))
        if row is not None and expired(row) and not row["user_name"]:
            self.delete_token(row["id"])
            return self.missed(token)
        return super().find_token(token)


@fault("SAVE-22", says="saved 400 days ago")
class KeepsRowsForThirtyDays(RightStore):
    """Gives each row a lifetime of thirty days from its last save."""

    LIFETIME = 30 * 24 * 3600

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        row["saved_at"] = time.time()

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        row["saved_at"] = time.time()
        return row

    def read(self) -> Any:
        state = super().read()
        state["rows"] = [row for row in state["rows"] if row["saved_at"] > time.time() - self.LIFETIME]
        return state


@fault("SAVE-22", says="saved 400 days ago")
class StartsOverFromAnOldFile(RightStore):
    """Takes a file that nobody has written for a year for one that was left behind."""

    def prepare(self) -> None:
        if self.file.exists() and self.file.stat().st_mtime < time.time() - 365 * 24 * 3600:
            self.file.unlink()
        super().prepare()


@correct()
class NotesWhenItSaved(ChangesWhenOpened):
    """Keeps the time of each save and of each opening beside the rows, and makes nothing of it."""

    def opened(self, state: Any) -> None:
        state["opened"] = time.time()

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        row["saved_at"] = time.time()


# CLEAR-3


@fault("CLEAR-3", says="other files under the location")
class RemovesItsDirectory(RightStore):
    """Clears by removing the directory and making it anew."""

    def delete_tokens(self) -> None:
        with self.lock:
            shutil.rmtree(self.location)
            self.location.mkdir()
            self.prepare()


@fault("CLEAR-3", says="other files under the location")
class RemovesFilesNamedAfterTheId(RightStore):
    """Removes every file that has the id of a deleted row in its name."""

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        if isinstance(id, str) and id.isalnum():
            for path in self.location.glob(f"*-{id}*"):
                path.unlink()


@fault("CLEAR-3", says="other files under the location")
class RemovesEveryFileOfItsKind(RightStore):
    """Clears by removing every file with the ending of its own."""

    def delete_tokens(self) -> None:
        super().delete_tokens()
        for path in self.location.glob(f"*{self.file.suffix}"):
            if path != self.file:
                path.unlink()


@fault("CLEAR-3", says="has other content")
class EmptiesTextFiles(RightStore):
    """Clears by emptying every text file beside its own."""

    def delete_tokens(self) -> None:
        super().delete_tokens()
        for path in self.location.glob("*.txt"):
            path.write_bytes(b"")


@correct()
class ClearsADirectoryOfItsOwn(RightStore):
    """Keeps its file in a directory of its own, and clears by emptying that directory."""

    def __init__(self, location: Path) -> None:
        own = Path(location) / "tokens"
        own.mkdir(mode=0o700, exist_ok=True)
        super().__init__(own)

    def delete_tokens(self) -> None:
        with self.locked():
            used = self.read()
            for path in self.location.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if path.name not in ("lock", self.file.name):
                        path.unlink()
            self.write({**used, "rows": []})
