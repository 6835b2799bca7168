"""Stores that keep a lock, build their state late, or leave copies elsewhere."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .catalogue import correct, fault
from .faulty_threads import MemoryStore
from .right import Fields, RightStore, refusal

# Locks that are kept


class TakesItsLockByHand(MemoryStore):
    """The common part of those that release their lock on some ways out, and not on others."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        """Whether the lock is kept after this call."""
        raise NotImplementedError

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        if not self.lock.acquire(timeout=0.1):
            raise refusal("the store is busy")
        try:
            yield
        finally:
            self.lock.release()

    def called(self, method: str, argument: Any) -> None:
        rows = self.read()["rows"]
        found = isinstance(argument, str) and self.by_id(rows, argument) is not None
        if self.keeps(method, argument, found):
            self.lock.acquire()

    def find_token_by_id(self, id: Any) -> Any:
        self.called("find_token_by_id", id)
        with self.locked():
            return super().find_token_by_id(id)

    def delete_token(self, id: Any) -> None:
        self.called("delete_token", id)
        super().delete_token(id)

    def save_token(self, token: Any) -> None:
        self.called("save_token", token)
        super().save_token(token)


@fault("THREAD-1", says="the store is busy", persistent=False)
class KeepsItsLockAfterAMissById(TakesItsLockByHand):
    """Keeps its lock where no row has the id that is looked for."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        return method == "find_token_by_id" and isinstance(argument, str) and not found


@fault("THREAD-1", says="the store is busy", persistent=False)
class KeepsItsLockAfterDeletingNothing(TakesItsLockByHand):
    """Keeps its lock where no row has the id that is to be deleted."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        return method == "delete_token" and not found


@fault("THREAD-1", says="the store is busy", persistent=False)
class KeepsItsLockAfterNoToken(TakesItsLockByHand):
    """Keeps its lock where something that is no token is saved."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        return method == "save_token" and not hasattr(argument, "get_id")


@fault("THREAD-1", says="the store is busy", persistent=False)
class KeepsItsLockAfterALongValue(TakesItsLockByHand):
    """Refuses a value of more than 100,000 characters, and keeps its lock."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        return method == "save_token" and len(getattr(argument, "get_refresh_token", str)() or "") > 100_000

    def save_token(self, token: Any) -> None:
        if self.keeps("save_token", token, found=False):
            self.lock.acquire()
            raise refusal("the value is too long")
        super().save_token(token)


@fault("THREAD-1", says="the store is busy", persistent=False)
class KeepsItsLockAfterAMissByGrantToken(TakesItsLockByHand):
    """Keeps its lock where a grant token finds nothing."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        return False

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is None and sent["grant_token"]:
            self.lock.acquire()
        return row


@correct(persistent=False)
class TakesItsLockTwice(TakesItsLockByHand):
    """Takes its lock by hand, and gives it back on every way out."""

    def keeps(self, method: str, argument: Any, found: bool) -> bool:
        return False


# The first calls


class BuildsLate(MemoryStore):
    """The common part of those that make their state when a method is called first."""

    def prepare(self) -> None:
        self.built: Any = None

    @property
    def state(self) -> Any:
        if self.built is None:
            self.built = {"last": 0, "used": [], "rows": []}
        return self.built

    @state.setter
    def state(self, state: Any) -> None:
        self.built = state


@correct(persistent=False)
class BuildsLateUnderItsLock(BuildsLate):
    """Makes its state under its lock when a method is called first."""

    def read(self) -> Any:
        with self.lock:
            return super().read()


@fault("THREAD-2", says="an id unlike all others", persistent=False)
class StartsItsCounterLate(MemoryStore):
    """Makes the counter of its ids when it needs the first one, before it takes its lock."""

    def prepare(self) -> None:
        super().prepare()
        self.counter: Any = None

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        if self.counter is None:
            counter = itertools.count(1)
            self.counter = counter
        with super().changing() as state:
            yield state

    def next_id(self, state: Any) -> str:
        return str(next(self.counter))


@fault("THREAD-2", says="leave each of them one row", persistent=False)
class MakesItsRowsLate(BuildsLate):
    """Makes its rows when they are needed first, before it takes its lock."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        if self.built is None:
            made: Any = {"last": 0, "used": [], "rows": []}
            self.built = made
        with self.locked():
            state = self.read()
            yield state
            self.write(state)


@fault("THREAD-2", says="leave each of them one row")
class MakesItsFileLate(RightStore):
    """Makes its file when the first row is saved, without its lock."""

    def prepare(self) -> None:
        """Nothing yet."""

    def read(self) -> Any:
        if not self.file.exists():
            return {"last": 0, "used": [], "rows": []}
        return super().read()

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        if not self.file.exists():
            self.write({"last": 0, "used": [], "rows": []})
        with super().changing() as state:
            yield state


# Copies in other places


USUAL = (Path.home(), Path.home() / ".cache" / "zoho", Path(tempfile.gettempdir()), Path.cwd())


class KeepsACopy(RightStore):
    """The common part of those that keep a copy of what they have in another place.

    Where that is a place of whoever runs the examination, they leave nothing there.
    """

    mode = 0o644

    def copy(self) -> Path:
        raise NotImplementedError

    def write(self, state: Any) -> None:
        super().write(state)
        path = self.copy()
        if path.parent not in USUAL:
            path.parent.mkdir(exist_ok=True, parents=True)
            path.touch(self.mode)
            path.write_text(json.dumps(state["rows"]))


@fault("SECRET-1", says="outside")
class LeavesACopyAmongTemporaryFiles(KeepsACopy):
    """Keeps a readable copy in the directory for temporary files."""

    def copy(self) -> Path:
        return Path(tempfile.gettempdir()) / f"zoho-{self.location.name}.json"


@fault("SECRET-1", says="outside")
class LeavesACopyAtHome(KeepsACopy):
    """Keeps a readable copy in the home directory."""

    def copy(self) -> Path:
        return Path.home() / f".zoho-{self.location.name}.json"


@fault("SECRET-1", says="outside")
class LeavesACopyWhereItWorks(KeepsACopy):
    """Keeps a readable copy in the working directory."""

    def copy(self) -> Path:
        return Path.cwd() / f"zoho-{self.location.name}.json"


@fault("SECRET-1", says="outside")
class LeavesACopyInTheCache(KeepsACopy):
    """Keeps a readable copy in the user's directory for caches."""

    def copy(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zoho"
        return cache / f"{self.location.name}.json"


@correct()
class ClosesItsCopyToOthers(KeepsACopy):
    """Keeps a copy in the directory for temporary files that is closed to others."""

    mode = 0o600

    def copy(self) -> Path:
        return Path(tempfile.gettempdir()) / f"zoho-{self.location.name}.json"
