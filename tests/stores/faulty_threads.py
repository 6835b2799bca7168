"""Stores with one mistake that only threads meet, and the right ones that they are made from."""

from __future__ import annotations

import contextlib
import copy
import signal
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

from .catalogue import correct, fault
from .right import CREDENTIALS, OTHERS, Fields, RightStore, refusal


@correct(persistent=False)
class MemoryStore(RightStore):
    """Keeps its rows in memory: each change works on a copy that replaces them as a whole."""

    def prepare(self) -> None:
        self.state: Any = {"last": 0, "used": [], "rows": []}

    def read(self) -> Any:
        return copy.deepcopy(self.state)

    def write(self, state: Any) -> None:
        self.state = state

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self.lock:
            yield


@correct(persistent=False)
class InPlaceStore(MemoryStore):
    """Changes its rows in place, and reads them under the same lock."""

    def read(self) -> Any:
        with self.lock:
            return copy.deepcopy(self.state)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.locked():
            yield self.state


@correct(persistent=False)
class SpinningStore(InPlaceStore):
    """Waits for its lock by trying again and again."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        while not self.lock.acquire(blocking=False):
            pass
        try:
            yield
        finally:
            self.lock.release()


# One thread alone


@fault("THREAD-1", says="find_token", persistent=False)
class EachThreadHasItsOwn(MemoryStore):
    """Keeps its rows for each thread apart."""

    def prepare(self) -> None:
        self.threads = threading.local()

    @property
    def state(self) -> Any:
        if not hasattr(self.threads, "state"):
            self.threads.state = {"last": 0, "used": [], "rows": []}
        return self.threads.state

    @state.setter
    def state(self, state: Any) -> None:
        self.threads.state = state


@fault("THREAD-1", says="SQLite objects created in a thread", persistent=False)
class ConnectionOfOneThread(MemoryStore):
    """Keeps its rows in a database whose connection belongs to the thread that made it."""

    def prepare(self) -> None:
        super().prepare()
        self.connection = sqlite3.connect(":memory:")

    def read(self) -> Any:
        self.connection.execute("SELECT 1")
        return super().read()

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()


@fault("THREAD-1", says="delete_token removes rows", persistent=False)
class DeletesInItsOwnThreadAlone(MemoryStore):
    """Reads and saves anywhere, but deletes in the thread that made it alone."""

    def prepare(self) -> None:
        super().prepare()
        self.maker = threading.get_ident()

    def delete_token(self, id: Any) -> None:
        if threading.get_ident() != self.maker:
            raise RuntimeError("delete_token was called in the wrong thread")
        super().delete_token(id)


@fault("THREAD-1", says="get_tokens shows", persistent=False)
class DiesWithItsThread(MemoryStore):
    """Shows nothing any more once the thread that made it has ended."""

    def prepare(self) -> None:
        super().prepare()
        self.maker = threading.current_thread()

    def get_tokens(self) -> list[Any]:
        return super().get_tokens() if self.maker.is_alive() else []


# Saves that meet


@fault("THREAD-2", "THREAD-5", says="one row", persistent=False)
class NoLock(MemoryStore):
    """Reads, changes and writes without a lock."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        yield


@fault("THREAD-2", "THREAD-5", says="one row", persistent=False)
class LocksOnlyWriting(MemoryStore):
    """Has a lock around writing, but reads before it."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        state = self.read()
        yield state
        with self.lock:
            self.write(state)


@fault("THREAD-2", "THREAD-5", says="one row", persistent=False)
class LetsGoInBetween(MemoryStore):
    """Reads under the lock, lets it go, and writes under it again."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.lock:
            state = self.read()
        yield state
        with self.lock:
            self.write(state)


@fault("THREAD-2", "SAVE-3", says="id", persistent=False)
class CountsWithoutALock(InPlaceStore):
    """Counts its ids before it takes the lock."""

    def save_token(self, token: Any) -> None:
        self.state["last"] += 1
        number = str(self.state["last"])
        with self.locked():
            self.number = number
            super().save_token(token)

    def next_id(self, state: Any) -> str:
        return self.number


@fault("THREAD-2", "THREAD-5", "SAVE-3", says="save_token works", persistent=False)
class CountsRows(InPlaceStore):
    """Takes the number of rows for an unused id, before it takes the lock."""

    def save_token(self, token: Any) -> None:
        if token.get_id() is None and self.by_user(self.state["rows"], self.fields_of(token)) is None:
            token.set_id(str(len(self.state["used"]) + 1))
        super().save_token(token)

    def id_is_taken(self, row: Fields) -> None:
        raise refusal("the id is taken")


@fault("THREAD-2", "THREAD-5", "SAVE-11", says="one row", persistent=False)
class AppendsByAdding(InPlaceStore):
    """Has a lock for the ids and for each user, but replaces the list of rows beside them."""

    def prepare(self) -> None:
        super().prepare()
        self.users: dict[Any, Any] = defaultdict(threading.RLock)

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        with self.users[sent["user_name"] or sent["access_token"] or sent["refresh_token"]]:
            row = self.match_to_save(self.state["rows"], sent)
            if row is None:
                with self.lock:
                    new: Any = {"last": self.state["last"], "used": self.state["used"], "rows": []}
                    row = self.insert(new, sent)
                    self.state["last"] = new["last"]
                rows = self.state["rows"]
                self.state["rows"] = [*rows, row]
            else:
                with self.lock:
                    self.update(row, sent)
        self.saved(token, row)


@fault("THREAD-2", "THREAD-5", says="one row", persistent=False)
class GivesUpSilently(InPlaceStore):
    """Saves nothing and says nothing where another thread has the lock."""

    def save_token(self, token: Any) -> None:
        if not self.lock.acquire(blocking=False):
            return
        try:
            super().save_token(token)
        finally:
            self.lock.release()


@fault("THREAD-2", "THREAD-5", "SAVE-11", says="one row", persistent=False)
class SwallowsInFinally(MemoryStore):
    """Notices that its rows changed meanwhile, but the `return` in a `finally` swallows the error."""

    def save_token(self, token: Any) -> None:
        try:
            before = self.state
            state = self.read()
            sent = self.fields_of(token)
            row = self.match_to_save(state["rows"], sent)
            if row is None:
                row = self.insert(state, sent)
            else:
                self.update(row, sent)
            with self.lock:
                if self.state is not before:
                    raise refusal("somebody else was quicker")
                self.state = state
            self.saved(token, row)
        finally:
            return  # noqa: B012


@fault("THREAD-3", "THREAD-5", says="one row", persistent=False)
class LooksThenInserts(InPlaceStore):
    """Looks for the row before it takes the lock under which it inserts."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        row = self.match_to_save(self.read()["rows"], sent)
        with self.changing() as state:
            row = self.insert(state, sent) if row is None else self.by_id(state["rows"], row["id"])
            if row is not None:
                self.update(row, sent)
                self.saved(token, row)


class _Pool:
    """Has the threads of a pool save."""

    def __init__(self, location: Path) -> None:
        self.pool = ThreadPoolExecutor(4)
        super().__init__(location)  # type: ignore[call-arg]

    def save_token(self, token: Any) -> None:
        self.pool.submit(super().save_token, token).result()  # type: ignore[misc]


@correct(persistent=False)
class SavesInAPool(_Pool, InPlaceStore):
    """Has the threads of a pool save, one after another."""


@fault("THREAD-3", "THREAD-5", says="one row", persistent=False)
class LooksThenInsertsInAPool(_Pool, LooksThenInserts):
    """Does the same in the threads of a pool."""


@fault("THREAD-3", "THREAD-4", "THREAD-5", says="all its fields from one of the saves", persistent=False)
class TwoSteps(InPlaceStore):
    """Writes an update in two steps, the access token and all the rest, each under the lock."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        with self.changing() as state:
            row = self.match_to_save(state["rows"], sent)
            if row is None:
                row = self.insert(state, sent)
                sent = dict.fromkeys(sent)
            elif sent["access_token"]:
                row["access_token"] = sent["access_token"]
        with self.changing():
            self.update(row, {**sent, "access_token": None})
        self.saved(token, row)


@fault("THREAD-3", "THREAD-4", "SAVE-14", says="all its fields from one of the saves", persistent=False)
class FieldByField(InPlaceStore):
    """Updates field by field, with the lock taken anew for each."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        with self.changing() as state:
            row = self.match_to_save(state["rows"], sent)
            if row is None:
                row = self.insert(state, sent)
        for name in OTHERS:
            with self.lock:
                if sent[name]:
                    row[name] = sent[name]
        self.saved(token, row)


# Readers beside writers


@fault("THREAD-4", "THREAD-5", says="before or after it", persistent=False)
class ReadsWithoutTheLock(InPlaceStore):
    """Changes rows in place under the lock, and reads them without it."""

    def read(self) -> Any:
        return copy.deepcopy(self.state)


@fault("THREAD-4", "THREAD-5", says="before or after it", persistent=False)
class ListsWithoutTheLock(InPlaceStore):
    """Takes the lock for every call but `get_tokens`."""

    def get_tokens(self) -> list[Any]:
        return [self.new_token(row) for row in self.state["rows"]]


@fault("THREAD-4", "THREAD-5", says="before or after it", persistent=False)
class DeletesThenInserts(InPlaceStore):
    """Updates by deleting the row and inserting it again, in two steps."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        with self.lock:
            with self.changing() as state:
                row = self.match_to_save(state["rows"], sent)
                if row is None:
                    row = self.insert(state, sent)
                else:
                    state["rows"] = [other for other in state["rows"] if other is not row]
                    self.update(row, sent)
            if row not in self.state["rows"]:
                self.state["rows"] = [*self.state["rows"], row]
        self.saved(token, row)

    def read(self) -> Any:
        return copy.deepcopy(self.state)


@fault("THREAD-4", "THREAD-5", "SAVE-11", "SAVE-4", says="before or after it", persistent=False)
class ListIsMutatedWhileRead(InPlaceStore):
    """Moves an updated row to the end of the list, over which readers go without the lock."""

    def update(self, row: Fields, sent: Fields) -> None:
        rows = self.state["rows"]
        rows[rows.index(row)] = row = {**row, **{name: value for name, value in sent.items() if value}}
        rows.remove(row)
        rows.append(row)

    def read(self) -> Any:
        return {"rows": [row.copy() for row in self.state["rows"]]}


@fault("THREAD-4", "THREAD-5", says="before or after it", persistent=False)
class LockForEachUser(InPlaceStore):
    """Has a lock for each user, so that `get_tokens`, which takes none of them, sees halves."""

    def prepare(self) -> None:
        super().prepare()
        self.users: dict[Any, Any] = defaultdict(threading.RLock)

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        with self.users[sent["user_name"]]:
            row = self.match_to_save(self.state["rows"], sent)
            if row is None:
                super().save_token(token)
            else:
                self.update(row, sent)
                self.saved(token, row)

    def find_token(self, token: Any) -> Any:
        with self.users[self.fields_of(token)["user_name"]]:
            return super().find_token(token)

    def find_token_by_id(self, id: Any) -> Any:
        row = self.by_id(self.state["rows"], id)
        with self.users[None if row is None else row["user_name"]]:
            return super().find_token_by_id(id)


# Calls that are no single step


@fault("THREAD-5", says="cannot be ordered", persistent=False)
class ClearsRowByRow(InPlaceStore):
    """Deletes all tokens one after another."""

    def delete_tokens(self) -> None:
        for row in self.read()["rows"]:
            self.delete_token(row["id"])


@fault("THREAD-5", says="cannot be ordered", persistent=False)
class ListsRowByRow(InPlaceStore):
    """Lists the ids first, then reads each row."""

    def get_tokens(self) -> list[Any]:
        tokens = [self.find_token_by_id(row["id"]) for row in self.read()["rows"]]
        return [token for token in tokens if token is not None]


@fault("THREAD-5", says="cannot be ordered", persistent=False)
class UpdatesWhatItRead(InPlaceStore):
    """Writes back the whole row that it read before it took the lock: one of two updates is lost."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        known = self.match_to_save(self.read()["rows"], sent)
        with self.changing() as state:
            row = self.match_to_save(state["rows"], sent)
            if row is None:
                row = self.insert(state, sent)
            else:
                row.update(known or row)
                self.update(row, sent)
        self.saved(token, row)


@fault("THREAD-5", says="cannot be ordered", persistent=False)
class RemembersInEachThread(InPlaceStore):
    """Has a cache in each thread, which another thread's save does not reach."""

    def prepare(self) -> None:
        super().prepare()
        self.cache = threading.local()

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self.cache.row = self.by_id(self.read()["rows"], self.fields_of(token)["id"])

    def find_token(self, token: Any) -> Any:
        row = getattr(self.cache, "row", None)
        if row is not None and row["user_name"] and row["user_name"] == self.fields_of(token)["user_name"]:
            return self.found(token, row)
        return super().find_token(token)

    def delete_token(self, id: Any) -> None:
        self.cache.row = None
        super().delete_token(id)

    def delete_tokens(self) -> None:
        self.cache.row = None
        super().delete_tokens()


@fault("THREAD-5", says="cannot be ordered", persistent=False)
class RevivesWhatWasDeleted(InPlaceStore):
    """An update puts its row back, although it was deleted since it was looked up."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        known = self.match_to_save(self.read()["rows"], sent)
        with self.changing() as state:
            row = self.match_to_save(state["rows"], sent)
            if row is None and known is not None:
                row = known
                state["rows"].append(row)
            if row is None:
                row = self.insert(state, sent)
            self.update(row, sent)
        self.saved(token, row)


class TwoLocks(InPlaceStore):
    """Takes two locks, for saving in one order and for deleting in the other."""

    def __init__(self, location: Path) -> None:
        self.rows_lock = threading.Lock()
        self.file_lock = threading.Lock()
        super().__init__(location)

    def save_token(self, token: Any) -> None:
        with self.rows_lock, self.file_lock:
            super().save_token(token)

    def delete_token(self, id: Any) -> None:
        with self.file_lock, self.rows_lock:
            super().delete_token(id)


@fault("THREAD-1", says="also in another thread")
class KeepsTheLockAfterARefusal(RightStore):
    """Gives the lock back only where nothing was raised: the same thread is let through again, no other."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        if not self.lock.acquire(timeout=0.3):
            raise refusal("the store is busy")
        with super().locked():
            yield
        self.lock.release()


@fault("THREAD-5", says="explains every answer", persistent=False)
class RemembersIdsInEachThread(MemoryStore):
    """Each thread keeps in mind what it found by an id, until it saves or deletes something itself."""

    def __init__(self, location: Path) -> None:
        self.own = threading.local()
        super().__init__(location)

    def by_id(self, rows: list[Fields], id: Any) -> Fields | None:
        known: dict[Any, Fields] = self.own.__dict__.setdefault("known", {})
        if id in known and any(row["id"] == id for row in rows):
            return known[id]
        row = super().by_id(rows, id)
        if row is not None:
            known[id] = dict(row)
        return row

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        self.own.__dict__["known"] = {}
        with super().changing() as state:
            yield state
            self.own.__dict__["known"] = {}


@fault("THREAD-1", says="signal only works in main thread", persistent=False)
class HoldsInterruptsBack(MemoryStore):
    """Holds the interrupt back while it saves, which is a matter of the main thread alone."""

    def save_token(self, token: Any) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            super().save_token(token)
        finally:
            signal.signal(signal.SIGINT, before)


@fault("THREAD-2", says="one row", persistent=False)
class MakesItsListAtTheFirstSave(InPlaceStore):
    """Makes a new list where it sees no rows, before it takes the lock."""

    def save_token(self, token: Any) -> None:
        if not self.state["rows"]:
            self.state["rows"] = []
        super().save_token(token)


@fault("THREAD-2", says="id", persistent=False)
class CountsOnFromTheLastRow(InPlaceStore):
    """Reads the last id before it takes the lock, where there is one."""

    def prepare(self) -> None:
        super().prepare()
        self.own = threading.local()

    def save_token(self, token: Any) -> None:
        self.own.last = self.state["last"] if self.state["rows"] else None
        super().save_token(token)

    def next_id(self, state: Any) -> str:
        if self.own.last is None:
            return super().next_id(state)
        state["last"] = self.own.last + 1
        return str(state["last"])


@fault("THREAD-2", "THREAD-5", says="one row", persistent=False)
class UpdatesACopyOfTheList(InPlaceStore):
    """Puts a list with the updated row in the place of the one that it read before it took the lock."""

    def save_token(self, token: Any) -> None:
        rows = list(self.state["rows"])
        sent = self.fields_of(token)
        row = self.match_to_save(rows, sent)
        if row is None:
            super().save_token(token)
            return
        updated = dict(row)
        self.update(updated, sent)
        with self.lock:
            self.state["rows"] = [updated if other is row else other for other in rows]
        self.saved(token, updated)


class InsertsUnseen(RightStore):
    """The common part of those that decide before they have the lock that a token has no row."""

    def __init__(self, location: Path) -> None:
        self.decided = threading.local()
        super().__init__(location)

    def is_new(self, rows: list[Fields], sent: Fields) -> bool:
        raise NotImplementedError

    def save_token(self, token: Any) -> None:
        self.decided.new = self.is_new(self.read()["rows"], self.fields_of(token))
        super().save_token(token)

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if self.decided.new else super().match_to_save(rows, sent)


class FindsNobodyInAnEmptyStore(InsertsUnseen):
    """The common part of those that look for no user where there are no rows."""

    def is_new(self, rows: list[Fields], sent: Fields) -> bool:
        return not rows


class LooksBesideOthers(InsertsUnseen):
    """The common part of those that look for the user too early where there are rows."""

    def is_new(self, rows: list[Fields], sent: Fields) -> bool:
        return bool(rows) and RightStore.match_to_save(self, rows, sent) is None


@fault("THREAD-3", "THREAD-5", says="one row", persistent=False)
class LooksForNobodyInAnEmptyList(FindsNobodyInAnEmptyStore, InPlaceStore):
    """Inserts without looking for the user where it saw no rows before it took the lock."""


@fault("THREAD-3", "THREAD-5", says="one row", persistent=False)
class LooksBesideOthersThenInserts(LooksBesideOthers, InPlaceStore):
    """Makes the first row under the lock, and looks for the row of a later token before it takes it."""


class FillsLater(InPlaceStore):
    """The common part of those that make a user's row with what it needs, and then add the rest."""

    def is_halved(self, rows: list[Fields], sent: Fields) -> bool:
        raise NotImplementedError

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        if sent["user_name"] and any(sent[name] for name in CREDENTIALS):
            with self.changing() as state:
                if self.is_halved(state["rows"], sent):
                    self.insert(state, {**sent, "expires_in": None})
        super().save_token(token)


@fault("THREAD-4", "THREAD-5", says="before or after it", persistent=False)
class FillsTheFirstRowLater(FillsLater):
    """Makes its first row with what it needs, and adds the rest under the lock taken anew."""

    def is_halved(self, rows: list[Fields], sent: Fields) -> bool:
        return not rows


@fault("THREAD-4", "THREAD-5", says="before or after it", persistent=False)
class FillsALaterRowLater(FillsLater):
    """Makes the row of a later user with what it needs, and adds the rest under the lock taken anew."""

    def is_halved(self, rows: list[Fields], sent: Fields) -> bool:
        return bool(rows) and not sent["id"] and self.match_to_save(rows, sent) is None


@fault("THREAD-5", says="cannot be ordered", persistent=False)
class RevivesWhatWasCleared(InPlaceStore):
    """An update puts its row into an empty list, although it was deleted with all others meanwhile."""

    def save_token(self, token: Any) -> None:
        known = self.match_to_save(self.read()["rows"], self.fields_of(token))
        with self.changing() as state:
            if known is not None and not state["rows"]:
                state["rows"].append(known)
            super().save_token(token)


# Saves that try again where somebody else was quicker


class TriesAgain(RightStore):
    """The common part of those that change a copy, and write it where nobody has written meanwhile."""

    tries = 2

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        sent = self.fields_of(token)
        for left in reversed(range(self.tries)):
            with self.locked():
                state = self.read()
            row: Any = self.match_to_save(state["rows"], sent)
            if row is None:
                row = self.insert(state, sent)
            else:
                self.update(row, sent)
            if self.is_written(state, last=not left):
                break
        self.saved(token, row)

    def is_written(self, state: Any, *, last: bool) -> bool:
        with self.locked():
            if self.read().get("version") != state.get("version"):
                return last and self.gives_up(state)
            self.write(state)
            return True

    def write(self, state: Any) -> None:
        state["version"] = state.get("version", 0) + 1
        super().write(state)

    def gives_up(self, state: Any) -> bool:
        """What becomes of the last try where somebody else was quicker again."""
        raise NotImplementedError


class TriesAgainInMemory(TriesAgain, MemoryStore):
    """The same in memory."""


@fault("THREAD-5", says="explains every answer", persistent=False)
class OverwritesAfterTwoConflicts(TriesAgainInMemory):
    """Writes what it has where somebody else was quicker twice."""

    def gives_up(self, state: Any) -> bool:
        self.write(state)
        return True


@fault("THREAD-5", says="explains every answer", persistent=False)
class GivesUpAfterTwoConflicts(TriesAgainInMemory):
    """Returns without having saved where somebody else was quicker twice."""

    def gives_up(self, state: Any) -> bool:
        return True


@fault("THREAD-5", says="explains every answer")
class LeavesItsFileAfterTwoConflicts(TriesAgain):
    """Returns without having written its file where somebody else was quicker twice."""

    def gives_up(self, state: Any) -> bool:
        return True


@correct(persistent=False)
class TriesUntilItIsWritten(TriesAgainInMemory):
    """Tries again until nobody else was quicker."""

    tries = 1000

    def gives_up(self, state: Any) -> bool:
        raise refusal("somebody else was quicker a thousand times")
