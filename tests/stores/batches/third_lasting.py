"""The third batch: faulty stores, from DEL to MODEL."""

# mypy: ignore-errors
from __future__ import annotations

import configparser
import fcntl
import io
import itertools
import json
import logging
import os
import random
import shutil
import threading
import time
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import fault
from .third_designs import (
    FIELDS,
    HOOKS,
    FolderStore,
    HomeStore,
    JsonStore,
    LogStore,
    MemoryStore,
    RowStore,
    SqliteStore,
    fields_of,
    first,
    make_token,
    private,
    refused,
)


@fault("DEL-1", says="and no other", **HOOKS)
class GlobDeleteStore(FolderStore):
    """A deletion removes by a pattern that longer ids match too ("1", "12")."""

    def remove(self, state: Any, wanted: Any) -> Any:
        if any(row["id"] == wanted for row in state["rows"]):
            state["rows"][:] = [row for row in state["rows"] if not row["id"].startswith(wanted)]


@fault("DEL-3", says="none is removed", **HOOKS)
class LikeDeleteStore(SqliteStore):
    """A deletion uses LIKE, so `%` deletes everything."""

    def delete(self, db: Any, id: Any) -> Any:
        db.execute("delete from tokens where id like ?", (id,))


@fault("DEL-4", says="one new row for", **HOOKS)
class SoftDeleteStore(JsonStore):
    """Deleted rows are only marked; a save by name updates the marked row, and it stays hidden."""

    def remove(self, state: Any, wanted: Any) -> Any:
        state["rows"][:] = [{**row, "gone": True} if row["id"] == wanted else row for row in state["rows"]]

    def visible(self, row: Any) -> Any:
        return None if row is None or row.get("gone") else row

    def locate(self, rows: Any, new: Any) -> Any:
        return super().locate([row for row in rows if not row.get("gone")], new)

    def find_token_by_id(self, id: Any) -> Any:
        row = self.run(lambda state: self.visible(self.by_id(state["rows"], id)), False) if id else None
        return None if row is None else self.make(row)

    def get_tokens(self) -> Any:
        return [
            self.make(row)
            for row in self.run(lambda state: [row for row in state["rows"] if not row.get("gone")], False)
        ]


@fault("DEL-5", says="no deleted row had", **HOOKS)
class RestartedCounterStore(LogStore):
    """Clearing starts the counter of ids anew."""

    def clear(self, state: Any) -> Any:
        super().clear(state)
        state["last"] = 0


@fault("CLEAR-1", says="delete_tokens removes every row", **HOOKS)
class UnlinkClearStore(JsonStore):
    """Clearing unlinks the file, which is an error where nothing has been saved yet."""

    def clear(self, state: Any) -> Any:
        self.path.unlink()
        super().clear(state)


@fault("CLEAR-3", says="other files under the location", **HOOKS)
class SweepingClearStore(JsonStore):
    """Clearing removes every file that lies in the location, whoever put it there."""

    def delete_tokens(self) -> Any:
        super().delete_tokens()
        for path in self.home.parent.iterdir():
            if path.is_file():
                path.unlink()


@fault("VALUE-1", says="every row still reads", **HOOKS)
class SplitLinesStore(LogStore):
    """It is split by `str.splitlines`, which also splits at U+2028 or U+0085."""

    def line(self, record: Any) -> Any:
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def split(self, data: Any) -> Any:
        return [
            line.encode("utf-8", "surrogatepass")
            for line in data.decode("utf-8", "surrogatepass").splitlines()
        ]

    def records(self) -> Any:
        try:
            return super().records()
        except (SDKException, ValueError):
            raise refused("the log cannot be read") from None


@fault("VALUE-1", says="comes back as", **HOOKS)
class IniStore(JsonStore):
    """The parser strips white space around values."""

    def encode(self, state: Any) -> Any:
        parser = configparser.RawConfigParser()
        parser["store"] = {"last": str(state["last"])}
        for number, row in enumerate(state["rows"]):
            parser["row %d" % number] = {
                name: json.dumps(value)[1:-1] for name, value in row.items() if value is not None
            }
        text = io.StringIO()
        parser.write(text)
        return text.getvalue().encode()

    def decode(self, body: Any) -> Any:
        parser = configparser.RawConfigParser()
        parser.read_string(body.decode())
        rows = []
        for section in parser.sections():
            if section != "store":
                values = {name: json.loads('"%s"' % value) for name, value in parser[section].items()}
                rows.append({name: values.get(name) for name in FIELDS})
        return {"rows": rows, "last": int(parser["store"]["last"])}


@fault("VALUE-9", says="comes back as", **HOOKS)
class CutStore(LogStore):
    """Values are cut at 8,192 characters so that a line stays short."""

    def read_token(self, token: Any) -> Any:
        return {name: value[:8192] if value else value for name, value in super().read_token(token).items()}

    def find_token(self, token: Any) -> Any:
        return super().find_token(token)


@fault("VALUE-5", says="expires_in comes back as the str", **HOOKS)
class IntegerExpiryStore(SqliteStore):
    """The expiry is an integer column, and comes back as a number."""

    COLUMNS = SqliteStore.COLUMNS.replace("expires_in text", "expires_in integer")


@fault("VALUE-6", says="no row has exactly", **HOOKS)
class NoCaseStore(SqliteStore):
    """The columns of refresh and grant tokens are `collate nocase`."""

    COLUMNS = SqliteStore.COLUMNS.replace("refresh_token text", "refresh_token text collate nocase").replace(
        "grant_token text", "grant_token text collate nocase"
    )


@fault("VALUE-8", says="an id of its own", persistent=False)
class ShortIdStore(MemoryStore):
    """Ids are two random hex digits, drawn again a few times when taken; beyond that one is reused."""

    def new_id(self, state: Any) -> Any:
        taken = {row["id"] for row in state["rows"]}
        for _ in range(8):
            id = "%02x" % random.randrange(256)
            if id not in taken:
                break
        return id


@fault("ISO-1", says="on another location", **HOOKS)
class ClassCacheStore(JsonStore):
    """The cache is an attribute of the class, so all locations share it."""

    CACHE = {}

    def find_token_by_id(self, id: Any) -> Any:
        if id in self.CACHE:
            return make_token(self.CACHE[id])
        token = super().find_token_by_id(id)
        if token is not None:
            self.CACHE[id] = fields_of(token)
        return token

    def run(self, work: Any, write: Any) -> Any:
        if write:
            self.CACHE.clear()
        return super().run(work, write)


@fault("PERSIST-1", says="after opening again", **HOOKS)
class OffByOneCompactStore(LogStore):
    """A log of more than 40 lines is compacted when it is opened, and loses the last line."""

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        with open(self.lock_path, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            records, mark = self.records()
            if len(records) > 40:
                self.compact(self.fold(records[:-1]), dict(mark))


@fault("PERSIST-2", says="the other store finds", **HOOKS)
class StampCacheStore(JsonStore):
    """The cache counts as fresh while size and whole-second time are the same."""

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self._cached = (None, None)

    def load(self) -> Any:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return super().load()
        stamp = (int(stat.st_mtime), stat.st_size)
        if self._cached[0] != stamp:
            self._cached = (stamp, json.dumps(super().load()))
        return json.loads(self._cached[1])

    def store(self, state: Any, before: Any) -> Any:
        super().store(state, before)
        self._cached = (None, None)


@fault("PERSIST-3", says="one new row for", **HOOKS)
class CountedIdStore(SqliteStore):
    """The counter of ids lives in the object, and starts at the number of rows when it is opened."""

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self._numbers = itertools.count(self.run(lambda db: len(self.all(db)), False) + 1)

    def new_id(self, db: Any) -> Any:
        return str(next(self._numbers))

    def insert(self, db: Any, new: Any) -> Any:
        db.execute(
            "insert or replace into tokens (%s) values (%s)"
            % (", ".join(FIELDS), ", ".join(":" + name for name in FIELDS)),
            new,
        )


@fault("PERSIST-5", says="in a process with", **HOOKS)
class HashNameStore(JsonStore):
    """The bucket of a name is Python's `hash`, another one in each process."""

    def bucket(self, name: Any) -> Any:
        return hash(name) % 1009

    def by_user(self, rows: Any, new: Any) -> Any:
        bucket = self.bucket(new["user_name"])
        return first(rows, lambda row: row.get("bucket") == bucket and row["user_name"] == new["user_name"])

    def put(self, state: Any, new: Any) -> Any:
        row = super().put(state, new)
        for other in state["rows"]:
            if other["id"] == row["id"]:
                other["bucket"] = self.bucket(row["user_name"]) if row["user_name"] else None
        return row


@fault("THREAD-1", says="in another thread too", persistent=False)
class StuckLockStore(MemoryStore):
    """A refused save leaves without giving the lock back; only the same thread goes on."""

    def run(self, work: Any, write: Any) -> Any:
        self._lock.acquire()
        result = work(self._state)
        self._lock.release()
        return result


@fault("THREAD-3", says="leave one row", **HOOKS)
class LookThenInsertStore(SqliteStore):
    """Looking and inserting are two transactions."""

    COLUMNS = SqliteStore.COLUMNS.replace("user_name text unique", "user_name text")

    def save_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            raise refused("not an OAuthToken")
        new = self.read_token(token)
        row = self.run(lambda db: self.target(db, new), False)
        self.between()
        if row is None:
            self.check_insert(new)
            row = self.run(lambda db: self.put_new(db, new), True)
        else:
            self.run(lambda db: self.update(db, row, new), True)
        token.set_id(row["id"])

    def between(self) -> Any:
        """Nothing; other threads may run here."""

    def put_new(self, db: Any, new: Any) -> Any:
        new = dict(new)
        if new["id"]:
            self.note_id(db, new["id"])
        else:
            new["id"] = self.new_id(db)
        self.insert(db, new)
        return new


@fault("THREAD-5", says="explains every answer", **HOOKS)
class IdsThenRowsStore(SqliteStore):
    """The list is read in two steps, the ids and then row by row; what changes between is mixed in."""

    def get_tokens(self) -> Any:
        ids = self.run(lambda db: [row["id"] for row in self.all(db)], False)
        found = []
        for id in ids:
            self.between()
            token = self.find_token_by_id(id)
            if token is not None:
                found.append(token)
        return found

    def between(self) -> Any:
        """Nothing; writers may run here."""


@fault("PROC-2", says="before a fork", **HOOKS)
class InheritedLockStore(JsonStore):
    """The lock file is opened once; a forked child has the same open file, and so the same lock."""

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self._threads = threading.Lock()
        self._handle = open(self.lock_path, "rb")
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> Any:
        self._threads = threading.Lock()

    def run(self, work: Any, write: Any) -> Any:
        with self._threads:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                state = self.load()
                result = work(state)
                self.between()
                if write:
                    self.store(state, {})
                return result
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def between(self) -> Any:
        """Nothing; a forked process may run here."""

    def replace_file(self, path: Any, data: Any) -> Any:
        fresh = path.with_name("%s.%d" % (path.name, os.getpid()))
        with open(fresh, "wb", opener=private) as handle:
            handle.write(data)
        os.replace(fresh, path)


@fault("CRASH-1", says="every save that had returned is there", **HOOKS)
class InPlaceStore(JsonStore):
    """The file is written in place; a kill in the middle leaves half of it."""

    def replace_file(self, path: Any, data: Any) -> Any:
        with open(path, "wb", opener=private) as handle:
            half = len(data) // 2
            handle.write(data[:half])
            self.midway(handle)
            handle.write(data[half:])

    def midway(self, handle: Any) -> Any:
        """Nothing; the process may be killed here."""


@fault("CRASH-2", says="every earlier row is still there", **HOOKS)
class TornTailStore(HomeStore):
    """When the storage is full, half a line stays, and no later read gets past it."""

    def load(self) -> Any:
        rows, last = {}, 0
        path = self.home / "lines"
        if path.exists():
            for line in path.read_text("ascii").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    raise refused("the log is damaged") from None
                last = record["last"]
                if record["row"] is None:
                    rows.pop(record["id"], None)
                else:
                    rows[record["id"]] = record["row"]
        return {"rows": list(rows.values()), "last": last}

    def store(self, state: Any, before: Any) -> Any:
        kept = {row["id"] for row in state["rows"]}
        records = [
            {"id": row["id"], "row": row, "last": state["last"]}
            for row in state["rows"]
            if row is not before.get(row["id"])
        ]
        records += [{"id": id, "row": None, "last": state["last"]} for id in before if id not in kept]
        if records:
            with open(self.home / "lines", "ab", opener=private, buffering=0) as handle:
                data = "".join(json.dumps(record) + "\n" for record in records).encode("ascii")
                while data:
                    data = data[handle.write(data) :]


@fault("CRASH-3", says="is refused", **HOOKS)
class FreshStartStore(JsonStore):
    """A file that cannot be read counts as an empty store, and the next save writes over it."""

    def load(self) -> Any:
        try:
            return super().load()
        except (SDKException, ValueError):
            return {"rows": [], "last": 0}


@fault("CRASH-4", says="delete_token raises when", **HOOKS)
class QuietDeleteStore(SqliteStore):
    """A deletion that fails is logged, and counts as done."""

    def delete_token(self, id: Any) -> Any:
        try:
            super().delete_token(id)
        except SDKException as error:
            logging.getLogger(__name__).warning("deleting failed: %s", error)


@fault("CRASH-6", says="in another thread too", persistent=False)
class ExceptExceptionStore(MemoryStore):
    """The lock is given back after `except Exception`, which Ctrl-C is not."""

    def __init__(self, location: Any = None) -> Any:
        super().__init__(location)
        self._lock = threading.Lock()

    def run(self, work: Any, write: Any) -> Any:
        self._lock.acquire()
        try:
            result = work(self._state)
        except Exception:
            self._lock.release()
            raise
        self._lock.release()
        return result


@fault("SECRET-1", says="closed to group and others", **HOOKS)
class OpenBackupStore(JsonStore):
    """The backup, outside the private folder, is readable by everyone."""

    def store(self, state: Any, before: Any) -> Any:
        super().store(state, before)
        shutil.copyfile(self.path, self.home.parent / "tokens.bak")


@fault("SECRET-2", says="no secret in what a log", **HOOKS)
class DebugLogStore(SqliteStore):
    """Each statement is logged with its parameters, at level DEBUG."""

    def insert(self, db: Any, new: Any) -> Any:
        logging.getLogger("tokenstore").debug("insert %s", new)
        super().insert(db, new)


@fault("FLOW-9", says="still one row, now named", **HOOKS)
class NoLookupStore(LogStore):
    """Finding answers with a token made with `find_user=False`: its user is never looked up."""

    def find_token(self, token: Any) -> Any:
        if super().find_token(token) is None:
            return None
        row = fields_of(token)
        found = OAuthToken(
            id=row["id"],
            client_id=row["client_id"],
            client_secret=row["client_secret"],
            grant_token=row["grant_token"],
            refresh_token=row["refresh_token"],
            redirect_url=row["redirect_url"],
            access_token=row["access_token"],
            user_signature=UserSignature(row["user_name"]) if row["user_name"] else None,
            api_domain=row["api_domain"],
            find_user=False,
        )
        found.set_expires_in(row["expires_in"])
        return found


@fault("FLOW-3", says="the API call carries", **HOOKS)
class EarlyRenewStore(SqliteStore):
    """Finding holds back an access token "about to expire", with milliseconds taken for seconds.

    So an access token of the next 1,000 hours is never used again.
    """

    MARGIN = 3600 * 1000 * 1000

    def locate(self, db: Any, new: Any) -> Any:
        row = RowStore.locate(self, db, new)
        if (
            row is not None
            and row["expires_in"]
            and row["refresh_token"]
            and row["expires_in"].isdecimal()
            and 0 <= int(row["expires_in"]) - time.time() * 1000 < self.MARGIN
        ):
            row = {**row, "access_token": None}
        return row


@fault("MODEL-1", says="updates the row", persistent=False)
class PositionIndexStore(MemoryStore):
    """Memory with an index from names to positions.

    Mistake: a deletion moves later rows, and the index stays.
    """

    def __init__(self, location: Any = None) -> Any:
        super().__init__(location)
        self._places = {}

    def by_user(self, rows: Any, new: Any) -> Any:
        place = self._places.get(new["user_name"])
        return rows[place] if place is not None and place < len(rows) else None

    def put(self, state: Any, new: Any) -> Any:
        row = super().put(state, new)
        if row["user_name"]:
            self._places[row["user_name"]] = [other["id"] for other in state["rows"]].index(row["id"])
        return row

    def remove(self, state: Any, wanted: Any) -> Any:
        super().remove(state, wanted)
        ids = {row["user_name"] for row in state["rows"]}
        self._places = {name: place for name, place in self._places.items() if name in ids}

    def clear(self, state: Any) -> Any:
        super().clear(state)
        self._places = {}
