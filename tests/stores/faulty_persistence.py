"""Stores that mix up their locations, or that forget, cache or lose what they keep."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from .catalogue import fault
from .faulty_saving import TrustsItsCounter
from .right import OTHERS, ChangesWhenOpened, Fields, RightStore, refusal

# ISO-1


@fault("ISO-1", says="begins empty")
class TakesItsLocationForAUrl(RightStore):
    """Takes what stands behind a number sign or a question mark in its location for no part of the path."""

    def __init__(self, location: Path) -> None:
        own = Path(urlsplit(f"file://{location}").path)
        own.mkdir(mode=0o700, exist_ok=True)
        super().__init__(own)


@fault("ISO-1", says="begins empty")
class DecodesItsLocation(RightStore):
    """Takes a percent sign in its location for the beginning of a character of a URL."""

    def __init__(self, location: Path) -> None:
        super().__init__(Path(unquote(str(location))))


@fault("ISO-1", says="is not in the other", persistent=False)
class OneListForAll(RightStore):
    """Keeps its rows in a list of the class."""

    state: ClassVar[Any] = {"last": 0, "used": [], "rows": []}

    def prepare(self) -> None:
        """The class has it all."""

    def read(self) -> Any:
        return json.loads(json.dumps(type(self).state))

    def write(self, state: Any) -> None:
        type(self).state = state


@fault("ISO-1", says="is not in the other")
class OneFileForAll(RightStore):
    """Keeps its file beside the location instead of in it."""

    def __init__(self, location: Path) -> None:
        super().__init__(Path(location).parent)


@fault("ISO-1", says="one new row in this store")
class OneCacheOfUsers(RightStore):
    """Looks users up in a cache of the class: a user of another location is updated there."""

    cache: ClassVar[dict[str, Path]] = {}

    def insert(self, state: Any, sent: Fields) -> Fields:
        home = self.cache.setdefault(sent["user_name"], self.location) if sent["user_name"] else self.location
        if home == self.location or not home.exists():
            return super().insert(state, sent)
        other = RightStore(home)
        with other.changing() as there:
            row = other.match_to_save(there["rows"], sent)
            if row is None:
                return super().insert(state, sent)
            other.update(row, sent)
        return dict(row)


@fault("ISO-1", says="no token of a store on another location")
class OneIndexOfIds(RightStore):
    """Looks for ids that it does not have among those of every other store of the process."""

    known: ClassVar[dict[str, Fields]] = {}

    def next_id(self, state: Any) -> str:
        # Unlike in every location, or the index would never be asked; no number, which a token might bring.
        return f"i{self.location.name[-6:]}{super().next_id(state)}"

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        self.known[row["id"]] = dict(row)
        return row

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is None and id in self.known:
            return self.new_token(self.known[id])
        return token


@fault("ISO-1", says="delete_tokens of the other store deletes nothing here")
class ClearsEveryLocation(RightStore):
    """``delete_tokens`` clears every location that was opened in this process."""

    opened: ClassVar[set[Path]] = set()

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.opened.add(self.location)

    def delete_tokens(self) -> None:
        for location in self.opened:
            if (location / "rows.json").exists():
                with RightStore(location).changing() as state:
                    state["rows"].clear()


@fault("ISO-1", says="deleting in one store deletes nothing in the other")
class DeletesInEveryLocation(RightStore):
    """``delete_token`` deletes the row with the id in every location that was opened in this process."""

    opened: ClassVar[set[Path]] = set()

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.opened.add(self.location)

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        for location in self.opened - {self.location}:
            if (location / "rows.json").exists():
                RightStore(location).delete_token(id)


@fault("ISO-1", says="begins empty")
class BeginsAsTheLastLocation(RightStore):
    """Begins on a new location with the rows of the one that the process opened last."""

    before: ClassVar[Path | None] = None

    def prepare(self) -> None:
        new, before = not self.file.exists(), type(self).before
        super().prepare()
        type(self).before = self.location
        if new and before is not None and before.exists():
            with self.changing() as state:
                state["rows"] = RightStore(before).read()["rows"]


@fault("ISO-1", says="each location has its own rows after opening again")
class RecoversWhatWasWrittenLast(RightStore):
    """Opened again, adds what the process wrote last and it has not, whichever store that was of."""

    latest: ClassVar[list[Fields]] = []

    def write(self, state: Any) -> None:
        super().write(state)
        type(self).latest = json.loads(json.dumps(state["rows"]))

    def prepare(self) -> None:
        again, latest = self.file.exists(), self.latest
        super().prepare()
        if again:
            with self.changing() as state:
                state["rows"] += [row for row in latest if row not in state["rows"]]


# PERSIST-1


@fault("PERSIST-1", "DEL-5", says="has every row")
class StartsOver(RightStore):
    """Begins with nothing whenever it is opened."""

    def prepare(self) -> None:
        with self.locked():
            self.write({"last": 0, "used": [], "rows": []})


@fault("PERSIST-1", says="the store opens")
class CannotOpenWhenEmpty(RightStore):
    """Reads the highest id of its rows when it is opened, also where there are none."""

    def prepare(self) -> None:
        fresh = not self.file.exists()
        super().prepare()
        if not fresh:
            max(row["id"] for row in self.read()["rows"])


@fault("PERSIST-1", says="though the first was not closed")
class WritesWhenClosed(RightStore):
    """Writes its rows when it is closed, which the SDK never does."""

    def __init__(self, location: Path) -> None:
        self.state: Any = None
        super().__init__(location)

    def read(self) -> Any:
        if self.state is None:
            self.state = super().read()
        return json.loads(json.dumps(self.state))

    def write(self, state: Any) -> None:
        if self.state is None:
            super().write(state)
        self.state = state

    def close(self) -> None:
        super().write(self.state)


@fault("PERSIST-1", says="has every row")
class LosesTheLastRowWhenOpened(ChangesWhenOpened):
    """Takes the last line of its file for an unfinished one, and leaves it out."""

    def opened(self, state: Any) -> None:
        if len(state["rows"]) > 10:
            state["rows"].pop()


@fault("PERSIST-1", "DEL-4", says="reads as it did before")
class ForgetsDeletions(RightStore):
    """Deletes in memory alone: what was deleted is there when the store is opened again."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.deleted: list[str] = []

    def read(self) -> Any:
        state = super().read()
        if deleted := getattr(self, "deleted", []):
            state["rows"] = [row for row in state["rows"] if row["id"] not in deleted]
        return state

    def write(self, state: Any) -> None:
        if not getattr(self, "deleted", []):
            super().write(state)

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is not None:
            self.deleted.append(id)


@fault("PERSIST-1", says="reads as it did before")
class StripsWhatItLoads(ChangesWhenOpened):
    """Strips the values that it loads when it is opened."""

    def opened(self, state: Any) -> None:
        for row in state["rows"]:
            for name, value in row.items():
                row[name] = value.strip("\t\n ") or None if value else value


@fault("PERSIST-1", "PERSIST-3", says="has every row, as it was")
class TidiesUpWhenClosed(RightStore):
    """Takes rows with one refresh token for one user's, and keeps the last of them when it is closed."""

    def close(self) -> None:
        with self.changing() as state:
            rows = {row["refresh_token"] or row["id"]: row for row in state["rows"]}
            state["rows"] = list(rows.values())


@fault("PERSIST-1", "PERSIST-3", says="reads as it did before")
class NumbersAnewWhenOpened(ChangesWhenOpened):
    """Numbers its rows from one when it is opened, so that those after a deleted row get other ids."""

    def opened(self, state: Any) -> None:
        for number, row in enumerate(state["rows"], 1):
            row["id"] = str(number)


@fault("PERSIST-1", says="reads as it did before")
class RebuildsWithoutUpdates(ChangesWhenOpened):
    """Rebuilds its rows from what was inserted when it is opened, and leaves the updates out."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        state.setdefault("inserted", {})[row["id"]] = dict(row)
        return row

    def opened(self, state: Any) -> None:
        inserted = state.get("inserted", {})
        state["rows"] = [inserted.get(row["id"], row) for row in state["rows"]]


@fault("PERSIST-1", says="the store opens")
class CannotOpenWhenNoIdWasGiven(RightStore):
    """Reads the last id that it gave when it is opened, also where it never gave one."""

    def prepare(self) -> None:
        fresh = not self.file.exists()
        super().prepare()
        if not fresh:
            self.read()["used"][-1]


@fault("PERSIST-1", says="reads as it did before")
class RestoresItsBackupWhenEmpty(RightStore):
    """Takes an empty file for one that was lost when it is opened, and restores the one before."""

    def write(self, state: Any) -> None:
        if self.file.exists() and not state["rows"]:
            shutil.copy(self.file, self.location / "backup")
        super().write(state)

    def prepare(self) -> None:
        super().prepare()
        backup = self.location / "backup"
        if backup.exists() and not self.read()["rows"]:
            backup.replace(self.file)


# PERSIST-2


class Caching(RightStore):
    """The common part of those that keep in memory what they have read."""

    def __init__(self, location: Path) -> None:
        self.cached: Any = None
        self.size: int | None = None
        super().__init__(location)

    def write(self, state: Any) -> None:
        super().write(state)
        self.cached = json.loads(json.dumps(state))


@fault("PERSIST-2", says="at once")
class ReadsOnce(Caching):
    """Reads its file when it is opened, and never again."""

    def read(self) -> Any:
        if self.cached is None:
            self.cached = super().read()
        return json.loads(json.dumps(self.cached))


@fault("PERSIST-2", says="at once")
class ReadsOnceUntilItWrites(Caching):
    """Answers from memory, and reads its file only before it changes it."""

    def get_tokens(self) -> list[Any]:
        state = self.cached if self.cached is not None else self.read()
        return [self.new_token(row) for row in state["rows"]]


@fault("PERSIST-2", says="with the deleted id")
class RemembersIds(Caching):
    """Remembers the rows that it found by id, and finds them when another store deleted them."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known: dict[str, Fields] = {}

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        self.known[row["id"]] = dict(row)
        return row

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        self.known[row["id"]] = dict(row)

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id)
        self.known.pop(id, None)

    def clear(self, state: Any) -> None:
        super().clear(state)
        self.known.clear()

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) or (self.new_token(self.known[id]) if id in self.known else None)


@fault("PERSIST-2", says="is seen at once")
class LooksAtTheSizeAlone(Caching):
    """Reads its file again where its size has changed, and so misses updates of the same length."""

    def read(self) -> Any:
        size = self.file.stat().st_size if self.file.exists() else None
        if self.cached is None or size != self.size:
            self.cached, self.size = super().read(), size
        return json.loads(json.dumps(self.cached))

    def write(self, state: Any) -> None:
        super().write(state)
        self.size = self.file.stat().st_size


class _Remembering(RightStore):
    """Has something in mind until it changes a row itself."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known: dict[Any, Any] = {}

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        self.known.clear()
        with super().changing() as state:
            yield state


@fault("PERSIST-2", says="a token that was looked for before")
class RemembersWhomItDidNotFind(_Remembering):
    """Does not look again for a user whom it did not find."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["user_name"] in self.known:
            return None
        row = super().match_to_find(rows, sent)
        if row is None and sent["user_name"]:
            self.known[sent["user_name"]] = None
        return row


@fault("PERSIST-2", says="by its id")
class RemembersUnknownIds(_Remembering):
    """Does not look again for an id that it did not find."""

    def find_token_by_id(self, id: Any) -> Any:
        if isinstance(id, str) and id in self.known:
            return None
        found = super().find_token_by_id(id)
        if found is None and isinstance(id, str):
            self.known[id] = None
        return found


@fault("PERSIST-2", says="an update of a token that was found before")
class RemembersWhatARefreshTokenFound(_Remembering):
    """Answers a refresh token as it did before."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        key = (sent["client_id"], sent["client_secret"], sent["refresh_token"])
        if sent["user_name"] or sent["grant_token"] or not all(key):
            return super().match_to_find(rows, sent)
        if key not in self.known and (row := super().match_to_find(rows, sent)) is not None:
            self.known[key] = row
        return self.known.get(key)


@fault("PERSIST-2", says="by its id alone")
class RemembersWhatAnIdAloneFound(_Remembering):
    """Answers a token that has an id and nothing else as it did before."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if any(value for name, value in sent.items() if name != "id"):
            return super().match_to_find(rows, sent)
        if sent["id"] not in self.known and (row := super().match_to_find(rows, sent)) is not None:
            self.known[sent["id"]] = row
        return self.known.get(sent["id"])


@fault("PERSIST-2", says="save_token stores the token")
class KeepsTheFilesLockAfterARefusal(RightStore):
    """Gives the lock of the file back only where nothing was raised."""

    handle: Any = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self.lock:
            if self.handle is None:
                self.handle = os.open(self.location / "lock", os.O_RDWR | os.O_CREAT, 0o600)
                self.take(self.handle)
            yield
            os.close(self.handle)
            self.handle = None

    def take(self, handle: int) -> None:
        for _ in range(300):
            with contextlib.suppress(BlockingIOError):
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(0.01)
        raise refusal("the storage is busy")


@fault("PERSIST-2", "THREAD-1", says="save_token stores the token")
class LeavesATransactionOpen(RightStore):
    """Each thread has a connection of its own, whose transaction a refusal leaves open."""

    def __init__(self, location: Path) -> None:
        self.own = threading.local()
        super().__init__(location)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        connection = getattr(self.own, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.location / "lock.db", timeout=0.3, isolation_level=None)
            self.own.connection = connection
        try:
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise refusal("the database is busy", error) from error
        yield
        connection.execute("COMMIT")


@fault("PERSIST-2", "PERSIST-3", says="is seen at once by the store that did not save it")
class ListsOnAfterTheGreatestId(RightStore):
    """Lists of other stores' rows those with an id greater, as text, than all that it knew."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known = {row["id"] for row in self.read()["rows"]}

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.known.add(row["id"])

    def get_tokens(self) -> list[Any]:
        greatest = max(self.known, default="")
        rows = [row for row in self.read()["rows"] if row["id"] in self.known or row["id"] > greatest]
        self.known |= {row["id"] for row in rows}
        return [self.new_token(row) for row in rows]


@fault("PERSIST-2", says="delete_tokens is seen at once")
class CountsEveryChangeButClearing(Caching):
    """Reads its file again where the number of changes is another, which ``delete_tokens`` does not count."""

    def read(self) -> Any:
        state = super().read()
        if self.cached is None or self.cached.get("changes") != state.get("changes"):
            self.cached = state
        return json.loads(json.dumps(self.cached))

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with super().changing() as state:
            state["changes"] = state.get("changes", 0) + 1
            yield state

    def clear(self, state: Any) -> None:
        super().clear(state)
        state["changes"] -= 1


@fault("PERSIST-2", says="four rows for four tokens")
class UpdatesWhatItKnows(RightStore):
    """Updates the rows that it found when it was opened or saved since, and adds any other token."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known = {row["id"] for row in self.read()["rows"]}

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_save([row for row in rows if row["id"] in self.known], sent)

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.known.add(row["id"])


# PERSIST-3


@fault("PERSIST-3", "SAVE-3", says="unlike every other stored id")
class CountsFromOneWhenOpened(ChangesWhenOpened, TrustsItsCounter):
    """Counts from one again when it is opened again."""

    def opened(self, state: Any) -> None:
        state["last"] = 0


@fault("PERSIST-3", "SAVE-3", says="unlike every other stored id")
class CountsItsRowsWhenOpened(ChangesWhenOpened, TrustsItsCounter):
    """Goes on after the number of rows when it is opened, which is wrong once a row has gone."""

    def opened(self, state: Any) -> None:
        state["last"] = len(state["rows"])


@fault("PERSIST-3", "SAVE-3", says="unlike every other stored id")
class CountsForItself(RightStore):
    """Reads the highest id when it is opened, and then counts without looking at the file."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        numbers = [int(row["id"]) for row in self.read()["rows"] if row["id"].isdecimal()]
        self.last = max(numbers, default=0)

    def next_id(self, state: Any) -> str:
        self.last += 1
        return str(self.last)


@fault("PERSIST-3", "SAVE-3", says="unlike every other stored id")
class NotesTheGreatestOfItsFirstIds(TrustsItsCounter):
    """Notes the greatest id of its first ten rows when it is closed, and goes on from there."""

    def close(self) -> None:
        with self.changing() as state:
            ids = [row["id"] for row in state["rows"][:10]]
            state["last"] = max((int(id) for id in ids if id.isdecimal()), default=state["last"])


@fault("PERSIST-3", "DEL-5", says="unlike every other stored id")
class ForgetsBroughtIdsWhenOpened(ChangesWhenOpened):
    """Passes over the ids that tokens brought until it is opened again."""

    def opened(self, state: Any) -> None:
        state["used"] = []


@fault("PERSIST-3", "DEL-5", says="unlike every other stored id")
class RepairsItsCountWhenOpened(ChangesWhenOpened):
    """Takes a count above that of its rows for wrong when it is opened, and goes on after their number."""

    def opened(self, state: Any) -> None:
        if len(state["rows"]) < state["last"]:
            state["last"], state["used"] = len(state["rows"]), []


# PERSIST-4


@fault("PERSIST-4", says="in another working directory")
class FollowsTheWorkingDirectory(RightStore):
    """Keeps a path that is relative, and refuses where it leads nowhere."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.location = Path(os.path.relpath(location))
        self.file = self.location / "rows.json"


@fault("PERSIST-4", says="in another working directory", in_location=True)
class StartsOverWhereItIs(RightStore):
    """Opens a file of this name in whatever directory is the current one."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.location = Path()
        self.file = Path("rows.json")

    def read(self) -> Any:
        if not self.file.exists():
            return {"last": 0, "used": [], "rows": []}
        return super().read()


@fault("PERSIST-4", says="is on the location", in_location=True)
class DecidesWhereItIsWhenItFirstSaves(RightStore):
    """Settles on the current directory at the first save instead of when it is opened."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.settled = bool(self.read()["rows"])

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        if not self.settled:
            self.settled = True
            self.location = Path.cwd()
            self.file = self.location / "rows.json"
        return row


@fault("PERSIST-4", says="delete_tokens removes every row")
class ClearsWhereverItIs(RightStore):
    """Clears the file by a relative path, and finds nothing to clear where that leads nowhere."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.relative = Path(os.path.relpath(self.file))

    def delete_tokens(self) -> None:
        if self.relative.exists():
            super().delete_tokens()


@fault("PERSIST-4", says="is found in another working directory as in this one")
class FindsWhereverItIs(RightStore):
    """Looks for ids in the file by a relative path, and finds nothing where that leads nowhere."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.relative = Path(os.path.relpath(self.file))

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) if self.relative.exists() else None


@fault("PERSIST-1", says="every row reads as it did before")
class TrimsNamesWhenItIsOpened(ChangesWhenOpened):
    """Takes the blanks off user names when it is opened again."""

    def opened(self, state: Any) -> None:
        for row in state["rows"]:
            if row["user_name"]:
                row["user_name"] = row["user_name"].strip() or row["user_name"]


@fault("ISO-1", says="on the first location, find_token")
class RemembersWhoIsNowhere(RightStore):
    """All stores of the process share whom one of them did not find; saving the user ends that."""

    nowhere: ClassVar[set[Any]] = set()

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = None if sent["user_name"] in self.nowhere else super().by_user(rows, sent)
        if row is None:
            self.nowhere.add(sent["user_name"])
        return row

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        self.nowhere.discard(sent["user_name"])
        return super().match_to_save(rows, sent)

    def saved(self, token: Any, row: Fields) -> None:
        self.nowhere.discard(row["user_name"])
        super().saved(token, row)


@fault("PERSIST-1", says="keeps the rest, also after opening again")
class FillsUpdatesFromMemory(RightStore):
    """An update keeps what this store saved before, and nothing of a row that was there when it opened."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known: set[str] = set()

    def update(self, row: Fields, sent: Fields) -> None:
        if row["id"] not in self.known:
            row.update(dict.fromkeys(OTHERS))
        super().update(row, sent)

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.known.add(row["id"])


@fault("PERSIST-1", says="by its key and by its id, as before")
class IndexesNumbersAloneWhenOpened(RightStore):
    """Builds its index of ids anew when it is opened, and leaves out those that are no numbers."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.missing = {row["id"] for row in self.read()["rows"] if not row["id"].isdecimal()}

    def same_id(self, stored: str, asked: Any) -> bool:
        return super().same_id(stored, asked) and stored not in self.missing
