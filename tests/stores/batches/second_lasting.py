"""The second batch: mistakes that show in another store, thread, process or outage."""

from __future__ import annotations

import datetime
import fcntl
import itertools
import json
import locale
import logging
import os
import queue
import secrets
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..catalogue import fault
from . import second_designs as core
from .second_designs import (
    CODE,
    FIELDS,
    HOOKS,
    CacheCore,
    CsvCore,
    Damaged,
    DictView,
    DirCore,
    JsonCore,
    LogCore,
    MemCore,
    NormCore,
    SnapCore,
    SqlCore,
    State,
)

LOG = logging.getLogger("tokenstore")


# ISO, PERSIST
@fault("ISO-1", says="what one store saved is not in the other", persistent=False)
class SharedClassRows(MemCore):
    """The rows are a class attribute: all stores of the process share them."""

    _state = State()

    def _prepare(self, work: Any, write: Any) -> None:
        pass

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            return work(DictView(type(self)._state))


@fault("ISO-1", says="no token of a store on another location")
class ModuleWideCache(SqlCore):
    """A cache by user name of the whole module answers where the location has no such user."""

    _by_name: Any = {}

    def _save_row(self, view: Any, t: Any) -> Any:
        row = super()._save_row(view, t)
        if row["user_name"]:
            self._by_name[row["user_name"]] = row
        return row

    def _find_row(self, view: Any, t: Any) -> Any:
        return super()._find_row(view, t) or self._by_name.get(t["user_name"])

    def _drop(self, view: Any, id: Any) -> None:
        row = view.get(id)
        if row is not None:
            self._by_name.pop(row["user_name"], None)
        view.drop(id)

    def delete_tokens(self) -> None:
        for token in self.get_tokens():
            if token.get_user_signature() is not None:
                self._by_name.pop(token.get_user_signature().get_name(), None)
        super().delete_tokens()


@fault("PERSIST-1", "SAVE-22", says="a store opened again has every row, as it was")
class OpeningMigrates(JsonCore):
    """Opening migrates: rows without a user name are left out of the rewritten file."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)

        def migrate(view: Any) -> None:
            for row in view.rows():
                if row["user_name"] is None:
                    view.drop(row["id"])

        self._work(migrate, True)


@fault("PERSIST-1", says="the store opens")
class EmptyIsDamaged(LogCore):
    """A store that was left empty is taken for damaged when it is opened."""

    def _prepare(self, work: Any, write: Any) -> None:
        fresh = not (self._where / "head").exists()
        super()._prepare(work, write)
        if not fresh and not self._state.rows:
            raise Damaged


@fault("PERSIST-2", says="that was looked for before")
class SnapshotNowAndThen(SnapCore):
    """Snapshots are written at every fifth change and when closing."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._pending = 0
        super()._prepare(work, write)

    def _snapshot(self, state: Any) -> None:
        self._pending += 1
        if self._stamp is None or self._pending >= 5:
            self._pending = 0
            super()._snapshot(state)
        else:
            self._state = state

    def close(self) -> None:
        with self._mutex:
            if self._pending:
                self._pending = 0
                super()._snapshot(self._state)


@fault("PERSIST-2", says="that was looked for before")
class ReadOnceJson(JsonCore):
    """The file is read when the store is opened, and never again."""

    def _load(self) -> Any:
        if self._state is None:
            self._state = super()._load()
        return self._state

    def _store(self, state: Any) -> None:
        super()._store(state)
        self._state = state.copy()


@fault("PERSIST-2", says="the other store finds an update of a token that was found")
class WholeSeconds(JsonCore):
    """The cache is trusted while size and modification time in whole seconds stay the same."""

    def _load(self) -> Any:
        known = os.stat(self._file)
        facts = int(known.st_mtime), known.st_size
        if self._state is None or facts != getattr(self, "_facts", None):
            super()._load()
            self._facts = facts
        return self._state

    def _store(self, state: Any) -> None:
        super()._store(state)
        self._state: Any = None


@fault("PERSIST-2", says="the other store finds an update of a token that was found")
class StampFromCount(CacheCore):
    """The cache is checked by the number of rows and the highest row number.

    Updates by another store are not seen.
    """

    def _stamp(self, connection: Any) -> Any:
        return connection.execute("SELECT count(*), max(seq) FROM blobs").fetchone()

    def _changes(self, connection: Any, changes: Any) -> None:
        super()._changes(connection, changes)
        if changes:
            self._cached = None, None

    def _work(self, work: Any, write: Any) -> Any:
        try:
            return super()._work(work, write)
        except BaseException:
            self._cached = None, None
            raise


@fault("PERSIST-3", says="one new row for")
class CounterFromOne(JsonCore):
    """Ids come from a counter that begins at one with each opening."""

    def __init__(self, location: Path) -> None:
        self._numbers = itertools.count(1)
        super().__init__(location)

    def _insert(self, view: Any, t: Any) -> Any:
        return super()._insert(view, t if t["id"] else dict(t, id=str(next(self._numbers))))


@fault("VALUE-8", says="a row for each of")
class ClockIds(DirCore):
    """Ids are the time of day in hundredths of a second: on another day at the same time they come again."""

    clock = staticmethod(time.time)

    def _insert(self, view: Any, t: Any) -> Any:
        return super()._insert(view, t if t["id"] else dict(t, id="t%07d" % (self.clock() * 100 % 8640000)))


@fault("PERSIST-4", says="in another working directory")
class RelativePath(SqlCore):
    """The path is made relative when the store is opened, and breaks with os.chdir."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._where = Path(os.path.relpath(self._where))
        super()._prepare(work, write)


@fault("PERSIST-5", says="finds its row in a process with")
class PythonHashIndex(NormCore):
    """The index has hash(text), which differs from process to process."""

    class VIEW(core.NormView):
        def digest(self, value: Any) -> Any:
            return str(hash(value))


@fault("PERSIST-5", says="the store opens in another process")
class PreferredEncoding(JsonCore):
    """The file is written and read in the preferred encoding of the process."""

    def _body(self, state: Any) -> Any:
        text = json.dumps(
            {"next": state.next, "spent": sorted(state.spent), "rows": list(state.rows.values())},
            ensure_ascii=False,
        )
        try:
            return text.encode(locale.getpreferredencoding(False))
        except UnicodeError:
            pass
        raise Damaged

    def _parse(self, body: Any) -> Any:
        try:
            data = json.loads(body.decode(locale.getpreferredencoding(False)))
        except UnicodeError:
            data = None
        if data is None:
            raise Damaged
        return State({row["id"]: row for row in data["rows"]}, data["next"], data["spent"])


@fault("PERSIST-5", says="the rows as they are, in a process with")
class LocalTimeExpiry(SqlCore):
    """expires_in is kept as a local time without a zone, and read back in the zone of the reader."""

    class VIEW(core.SqlView):
        def put(self, row: Any) -> None:
            value = row["expires_in"]
            if value and value.isascii() and value.isdigit() and len(value) == 13 and value[0] in "12":
                when = datetime.datetime.fromtimestamp(int(value) // 1000)
                if str(int(when.timestamp())) == value[:10]:
                    value = "local %s %s" % (when.isoformat(), value[10:])
            super().put(dict(row, expires_in=value))

        def _all(self, query: Any, values: Any = ()) -> Any:
            rows = super()._all(query, values)
            for row in rows:
                if row["expires_in"] and row["expires_in"].startswith("local "):
                    _, when, rest = row["expires_in"].split()
                    row["expires_in"] = str(int(datetime.datetime.fromisoformat(when).timestamp())) + rest
            return rows


# THREAD
@fault("THREAD-1", says="a new token is stored, also in another thread than the one")
class OneThreadConnection(SqlCore):
    """One connection with check_same_thread: usable in the thread that opened the store only."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._connection = sqlite3.connect(str(self._file), timeout=60, isolation_level=None)

    def _work(self, work: Any, write: Any) -> Any:
        if getattr(self, "_connection", None) is None:
            return super()._work(work, write)
        with self._mutex:
            self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                answer = work(self.VIEW(self._connection))
                self._connection.execute("COMMIT")
                return answer
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


@fault("THREAD-1", says="the call comes back, in another thread too", persistent=False)
class RefusedKeepsLock(MemCore):
    """A refused save leaves the (reentrant) lock taken.

    The same thread goes on, every other one waits for ever.
    """

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._turn = threading.RLock()

    def _work(self, work: Any, write: Any) -> Any:
        self._turn.acquire()
        answer = super()._work(work, write)
        self._turn.release()
        return answer


@fault("THREAD-1", says="the call comes back, in another thread too")
class MissKeepsLock(SnapCore):
    """A look-up that finds nothing returns before it releases the lock."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._turn = threading.RLock()

    def find_token(self, token: Any) -> Any:
        self._turn.acquire()
        try:
            found = super().find_token(token)
        except BaseException:
            self._turn.release()
            raise
        if found is None:
            return None
        self._turn.release()
        return found

    def save_token(self, token: Any) -> None:
        with self._turn:
            super().save_token(token)


class _Pause:
    """Where a proof (or an unlucky moment) can step in."""

    def pause(self, where: Any) -> None:
        pass


@fault("THREAD-2", says="threads that save different users leave each of them one")
class LockOnlyAroundIo(_Pause, JsonCore):
    """The lock is held for reading and for writing the file, but not from one to the other."""

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            self._state: Any = None
            state = self._load().copy()
        view = DictView(state)
        answer = work(view)
        if write and view.changes:
            self.pause("between")
            with self._mutex:
                self._store(state)
        return answer


@fault("THREAD-2", says="threads that save different users leave each of them one", persistent=False)
class IdBeforeLock(_Pause, MemCore):
    """The new id is taken before the lock: two threads get the same."""

    def save_token(self, token: Any) -> None:
        self._next = self._run(self._peek, False)
        mine = self._next
        self.pause("between")
        if not isinstance(token, OAuthToken):
            raise SDKException(CODE, "only an OAuthToken can be saved")
        row = self._row(token, True)

        def work(view: Any) -> Any:
            before = set(view.state.rows)
            kept = self._save_row(view, row)
            if kept["id"] not in before and row["id"] is None:
                view.drop(kept["id"])
                kept = dict(kept, id=mine)
                view.put(kept)
                view.state.next = int(mine) + 1
            return kept

        self._after_save(token, self._run(work, True))

    @staticmethod
    def _peek(view: Any) -> Any:
        return DictView(view.state.copy()).new_id()


@fault("THREAD-3", says="threads that save ann@example.com")
class LookThenInsert(_Pause, SqlCore):
    """Look up in one transaction, insert in the next: two threads that save one user leave two rows."""

    def _work(self, work: Any, write: Any) -> Any:
        connection = self._connect()
        try:
            if write:
                view = _Recorder(connection)
                answer = work(view)
                if view.puts:
                    self.pause("between")
                    connection.execute("BEGIN IMMEDIATE")
                    for what, value in view.puts:
                        getattr(core.SqlView(connection), what)(*value)
                    connection.execute("COMMIT")
                return answer
            connection.execute("BEGIN")
            answer = work(core.SqlView(connection))
            connection.execute("COMMIT")
            return answer
        finally:
            connection.close()


class _Recorder(core.SqlView):
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.puts: Any = []

    def put(self, row: Any) -> None:
        self.puts.append(("put", (row,)))

    def drop(self, id: Any) -> None:
        self.puts.append(("drop", (id,)))

    def clear(self) -> None:
        self.puts.append(("clear", ()))

    def new_id(self) -> Any:
        return secrets.token_hex(5)


@fault("THREAD-4", says="beside a save shows the row")
class FieldByField(_Pause, SqlCore):
    """Each field is written in a transaction of its own.

    Two saves of one user mix, and a reader sees half.
    """

    def _work(self, work: Any, write: Any) -> Any:
        connection = self._connect()
        try:
            if not write:
                connection.execute("BEGIN")
                answer = work(core.SqlView(connection))
                connection.execute("COMMIT")
                return answer
            with self._mutex:
                connection.execute("BEGIN IMMEDIATE")
                view = _Recorder(connection)
                answer = work(view)
                last = None
                for what, value in view.puts:
                    if what == "put" and core.SqlView(connection).get(value[0]["id"]) is not None:
                        last = value[0]
                    else:
                        getattr(core.SqlView(connection), what)(*value)
                connection.execute("COMMIT")
            if last is not None:
                for field in FIELDS[1:]:
                    connection.execute(
                        "UPDATE tokens SET %s = ? WHERE id = ?" % field, (last[field], last["id"])
                    )
                    self.pause(field)
            return answer
        finally:
            connection.close()


@fault("THREAD-4", says="beside a save", persistent=False)
class ReadersTakeNoLock(_Pause, MemCore):
    """A write empties the dict and fills it again, and readers take no lock."""

    def _work(self, work: Any, write: Any) -> Any:
        if not write:
            return work(DictView(State(dict(self._state.rows), self._state.next)))
        with self._mutex:
            state = self._state.copy()
            answer = work(DictView(state))
            self._state.rows.clear()
            self.pause("emptied")
            self._state.rows.update(state.rows)
            self._state.next, self._state.spent = state.next, state.spent
            return answer


@fault("THREAD-5", says="explains every answer")
class ListInSteps(_Pause, DirCore):
    """get_tokens reads the ids, and then each row by itself: a mixture of two moments."""

    def get_tokens(self) -> Any:
        tokens = []
        for row in self._run(lambda view: view.rows(), False):
            self.pause("row")
            token = self.find_token_by_id(row["id"])
            if token is not None:
                tokens.append(token)
        return tokens


@fault("THREAD-5", says="explains every answer")
class ClearInSteps(_Pause, LogCore):
    """delete_tokens deletes row by row, each under the lock, from the list that it read first."""

    def delete_tokens(self) -> None:
        for row in self._run(lambda view: view.rows(), False):
            self.pause("row")
            self.delete_token(row["id"])


@fault("THREAD-4", says="beside a save shows the row")
class ReadsTwice(_Pause, CacheCore):
    """find_token_by_id reads twice, the access token at first and the rest later: a mixture of two saves."""

    def find_token_by_id(self, id: Any) -> Any:
        found = super().find_token_by_id(id)
        if found is None:
            return None
        self.pause("between")
        again = self._run(lambda view: view.get(id), False)
        if again is None:
            return None
        return self._make(dict(again, access_token=found.get_access_token()))


# PROC
@fault("PROC-1", says=("no rows", "while another process saves"))  # both rename one temporary file
class NoProcessLock(_Pause, JsonCore):
    """A lock for threads, none for processes."""

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            view = self.VIEW(self._load().copy())
            answer = work(view)
            if write and view.changes:
                self.pause("between")
                self._store(view.state)
            return answer


@fault("PROC-1", says=("no rows", "while another process saves"))  # both rename one temporary file
class LockfDropped(_Pause, SnapCore):
    """The lock file is opened and closed once more while it is locked with lockf, which drops the lock."""

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex, open(self._lock, "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            self._refresh()
            view = DictView(self._state.copy())
            answer = work(view)
            if write and view.changes:
                with open(self._lock, "rb") as look:
                    look.read()
                self.pause("between")
                self._snapshot(view.state)
            return answer


@fault("PROC-2", says="no such row")
class HiLoIds(JsonCore):
    """A block of ids is reserved when the store is opened: a forked child goes on with the same block."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._block: Any = []
        super()._prepare(work, write)
        self._work(self._reserve, True)

    def _reserve(self, view: Any) -> None:
        view.state.next += 20
        view.changes.append(("reserve", 20))
        self._block = ["h%d" % number for number in range(view.state.next - 20, view.state.next)]

    def _insert(self, view: Any, t: Any) -> Any:
        if not t["id"] and (t["grant_token"] or t["refresh_token"] or t["access_token"]):
            if not self._block:
                self._reserve(view)
            t = dict(t, id=self._block.pop(0))
        return super()._insert(view, t)

    def _work(self, work: Any, write: Any) -> Any:
        try:
            return super()._work(work, write)
        except BaseException:
            self._block = []
            raise


@fault("PROC-2", says="had not come back")
class WriterThreadNotInChild(SqlCore):
    """A thread writes, and does not exist in a forked child, whose first save waits for ever."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._jobs: Any = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            work, box, done = self._jobs.get()
            if work is None:
                return
            try:
                box.append((True, super()._work(work, True)))
            except BaseException as error:
                box.append((False, error))
            done.set()

    def _work(self, work: Any, write: Any) -> Any:
        if not write or getattr(self, "_jobs", None) is None:
            return super()._work(work, write)
        box: Any = []
        done = threading.Event()
        self._jobs.put((work, box, done))
        self.wait(done)
        good, answer = box[0]
        if not good:
            raise answer
        return answer

    def wait(self, done: Any) -> None:
        done.wait()

    def close(self) -> None:
        self._jobs.put((None, None, None))


@fault("PROC-2", says="it refuses some calls, and answers others")
class CloseRemovesLock(LogCore):
    """Close() in the parent removes the lock file, which a forked child still needs."""

    def close(self) -> None:
        try:
            os.unlink(self._lock)
        except OSError:
            pass


# CRASH
@fault("CRASH-1", says="no such row")
class DeleteThenInsert(_Pause, SqlCore):
    """An update is a committed DELETE and then an INSERT: a kill between them loses the row."""

    def _work(self, work: Any, write: Any) -> Any:
        if not write or not self._ready():
            return super()._work(work, write)
        with self._mutex:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                view = _Recorder(connection)
                answer = work(view)
                for what, value in view.puts:
                    if what == "put":
                        core.SqlView(connection).drop(value[0]["id"])
                        connection.execute("COMMIT")
                        self.pause("deleted")
                        connection.execute("BEGIN IMMEDIATE")
                    getattr(core.SqlView(connection), what)(*value)
                connection.execute("COMMIT")
                return answer
            finally:
                connection.close()

    def _ready(self) -> Any:
        return self.__dict__.get("_opened", False)

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._opened = True


@fault("CRASH-1", says="the store opens")
class InPlace(_Pause, JsonCore):
    """The file is cut and written in place."""

    def _write_file(self, raw: Any) -> None:
        with open(self._file, "wb", opener=core.private) as file:
            self.pause("cut")
            file.write(raw)


@fault("CRASH-1", says="no such row")
class StaleLockFile(_Pause, CsvCore):
    """The lock is a file made with O_EXCL.

    It stays when the process is killed, and every later call is refused.
    """

    TRIES = 3000

    def _work(self, work: Any, write: Any) -> Any:
        flag = self._where / "tokens.busy"
        with self._mutex:
            for _ in range(self.TRIES):
                try:
                    os.close(os.open(flag, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                    break
                except FileExistsError:
                    time.sleep(0.002)
            else:
                raise Damaged
            try:
                view = self.VIEW(self._load().copy())
                answer = work(view)
                if write and view.changes:
                    self.pause("locked")
                    self._store(view.state)
                return answer
            finally:
                os.unlink(flag)


@fault("CRASH-6", says="every row still reads, also in another thread than the one")
class TornTail(_Pause, LogCore):
    """The log alone says what counts.

    A save that was killed in the middle of its line makes the log unreadable.
    """

    def _read_head(self) -> Any:
        name, _ = super()._read_head()
        return name, os.stat(self._log(name)).st_size

    def _append(self, view: Any) -> None:
        name, length = self._known
        data = b"".join(map(self._line, view.changes))
        with open(self._log(name), "r+b", buffering=0) as log:
            log.seek(length)
            for part in (data[:9], data[9:-1], data[-1:]):
                while part:
                    part = part[log.write(part) :]
                self.pause("written")

    def _replay(self) -> None:
        name, length = self._read_head()
        if length:
            with open(self._log(name), "rb") as log:
                log.seek(length - 1)
                if log.read() != b"\n":
                    raise Damaged
        super()._replay()


@fault("CRASH-2", says="no such row")
class WriteErrorSwallowed(JsonCore):
    """A write error is logged, and the save passes for done."""

    def _write_file(self, raw: Any) -> None:
        try:
            super()._write_file(raw)
        except OSError as error:
            LOG.warning("could not write: %s", type(error).__name__)


@fault("CRASH-2", says="the store opens")
class HalfAppendStays(LogCore):
    """An append that fails half-way is not undone, and the next record begins in the middle of it."""

    def _append(self, view: Any) -> None:
        name, _length = self._known
        data = b"".join(map(self._line, view.changes))
        with open(self._log(name), "ab", buffering=0) as log:
            done = 0
            while done < len(data):
                done += log.write(data[done:])
        self._write_head(name, os.stat(self._log(name)).st_size)


@fault("CRASH-3", says="a file is refused when its first")
class DamagedIsEmpty(JsonCore):
    """A file that cannot be read counts as empty, and the next save replaces it."""

    def _decode(self, raw: Any) -> Any:
        try:
            return super()._decode(raw)
        except Damaged:
            return State()


@fault("CRASH-3", says="a file is refused when its first")
class DamagedIsSkipped(DirCore):
    """A row's file that cannot be read is skipped."""

    def _parse(self, folder: Any, name: Any) -> Any:
        try:
            return super()._parse(folder, name)
        except Damaged:
            return dict.fromkeys(FIELDS)

    def _load(self) -> Any:
        folder, names, rows = super()._load()
        rows.pop(None, None)
        return folder, names, rows


@fault("CRASH-3", says="a file is refused when its first")
class DamagedIsMoved(SqlCore):
    """A damaged database is moved aside and a new one made."""

    def _prepare(self, work: Any, write: Any) -> None:
        try:
            super()._prepare(work, write)
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            os.replace(self._file, str(self._file) + ".bad")
            super()._prepare(work, write)


@fault("CRASH-4", says="returned None", **HOOKS)
class LookupErrorIsNone(SqlCore):
    """A database error while looking up counts as 'not stored'."""

    def find_token(self, token: Any) -> Any:
        try:
            return super().find_token(token)
        except SDKException:
            return None


@fault("CRASH-4", says="returned None", **HOOKS)
class DeleteErrorSwallowed(DirCore):
    """An error while deleting is swallowed."""

    def delete_token(self, id: Any) -> None:
        try:
            super().delete_token(id)
        except SDKException:
            if not isinstance(id, str):
                raise


@fault("CRASH-4", says="find_token raises when the storage is out of reach", **HOOKS)
class StaleWhileAway(CacheCore):
    """While the storage is out of reach, look-ups and lists answer from the cache."""

    def _work(self, work: Any, write: Any) -> Any:
        try:
            return super()._work(work, write)
        except sqlite3.OperationalError:
            if write or self._cached[1] is None:
                raise
            return work(core.RandomIdView(State(self._cached[1])))


@fault("CRASH-4", says="returned None", **HOOKS)
class ClearOfMissingFile(CsvCore):
    """While the storage is out of reach, delete_tokens passes for done.

    The missing file counts as deleted.
    """

    def delete_tokens(self) -> None:
        if self._file.exists():
            super().delete_tokens()


@fault("CRASH-5", says="in reach again, the same store has every row, and works on", **HOOKS)
class BrokenForGood(LogCore):
    """After one storage error the object counts as closed for good."""

    _broken: Any = False

    def _work(self, work: Any, write: Any) -> Any:
        if self._broken:
            raise Damaged
        try:
            return super()._work(work, write)
        except OSError:
            self._broken = True
            raise


@fault("CRASH-5", says="in reach again, the same store has every row", **HOOKS)
class ErrorEmptiesMemory(SnapCore):
    """A storage error empties the memory but not the stamp.

    In reach again, nothing is there, and the next save makes it so.
    """

    def _work(self, work: Any, write: Any) -> Any:
        try:
            return super()._work(work, write)
        except OSError:
            self._state = State()
            raise


@fault("CRASH-5", says="saving works on", **HOOKS)
class DeletesLater(JsonCore):
    """While the storage is out of reach, deletions are queued and done later, after raising.

    A row that was not deleted goes when the storage is back.
    """

    def _prepare(self, work: Any, write: Any) -> None:
        self._later: Any = []
        super()._prepare(work, write)

    def delete_token(self, id: Any) -> None:
        try:
            super().delete_token(id)
        except SDKException:
            if isinstance(id, str):
                self._later.append(id)
            raise

    def _work(self, work: Any, write: Any) -> Any:
        def also(view: Any) -> Any:
            while write and self._later:
                view.drop(self._later.pop())
            return work(view)

        return super()._work(also, write)


@fault("CRASH-6", says="the exception comes out of the call as it is")
class EverythingIsSdk(SqlCore):
    """Whatever is raised in the middle of a call, also by a signal handler, comes out as SDKException."""

    def _run(self, work: Any, write: Any, how: Any = None) -> Any:
        try:
            return super()._run(work, write, how)
        except SDKException:
            raise
        except BaseException as error:
            problem = type(error).__name__
        raise SDKException(CODE, "the storage failed: " + problem)


@fault("CRASH-6", says="after the exception")
class NoFinally(JsonCore):
    """Acquire and release without finally: an exception in the middle leaves the lock taken."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._turn = threading.Lock()

    def _store(self, state: Any) -> None:
        if getattr(self, "_turn", None) is None:
            super()._store(state)
            return
        if not self._turn.acquire(timeout=20):
            raise Damaged
        super()._store(state)
        self._turn.release()


@fault("CRASH-6", says="after the exception")
class NoRollback(_Pause, SqlCore):
    """One connection, and no rollback.

    The half of an update that an exception broke off is committed with the next save.
    """

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._connection = self._connect()

    def _work(self, work: Any, write: Any) -> Any:
        if self.__dict__.get("_connection") is None:
            return super()._work(work, write)
        with self._mutex:
            connection = self._connection
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            view = _Recorder(connection)
            try:
                answer = work(view)
                for what, value in view.puts:
                    if what == "put":
                        core.SqlView(connection).drop(value[0]["id"])
                        self.pause("half")
                    getattr(core.SqlView(connection), what)(*value)
            except SDKException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return answer

    def close(self) -> None:
        self._connection.close()


@fault("CRASH-6", says="two stores on the same location")
class MemoryFirst(SnapCore):
    """The memory is changed before the snapshot is written.

    A save that was broken off is listed, and another store does not have it.
    """

    def _snapshot(self, state: Any) -> None:
        self._state = state
        super()._snapshot(state)


# SECRET
@fault("SECRET-1", says="tokens.json has mode 0644")
class OpenToAll(JsonCore):
    """The new file is made with the mode of the process."""

    def _write_file(self, raw: Any) -> None:
        new = str(self._file) + ".new"
        with open(new, "wb") as file:
            file.write(raw)
        os.replace(new, self._file)


@fault("SECRET-1", says="has mode 0644")
class CompactedOpen(LogCore):
    """The log is closed to others, the compacted one is not."""

    EVERY = 12

    def _compact(self, state: Any) -> None:
        super()._compact(state)
        if self._known[0] is not None:
            os.chmod(self._log(self._read_head()[0]), 0o644)


@fault("SECRET-1", says=".bak has mode 0644")
class BackupOpen(SnapCore):
    """A backup copy beside the snapshot is open to all."""

    def _keep(self, data: Any) -> None:
        super()._keep(data)
        with open(str(self._file) + ".bak", "wb") as file:
            file.write(data)


@fault("SECRET-2", says="no secret in what a log or a traceback may show", persistent=False)
class ReprShowsRows(MemCore):
    """repr() of the store shows the rows."""

    def __repr__(self) -> str:
        return "<%s %r>" % (type(self).__name__, list(self._state.rows.values()))


@fault("SECRET-2", says="no secret in what a log or a traceback may show")
class RefusalShowsToken(CsvCore):
    """The refusal of a foreign id has the token's fields in its details."""

    def _foreign_id(self, view: Any, t: Any) -> None:
        raise SDKException(CODE, "the id belongs to another user's token", details=dict(t))


@fault("SECRET-2", says="no secret in what a log or a traceback may show")
class MissLogged(NormCore):
    """Each look-up that finds nothing is logged with what was looked for."""

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if hit is None:
            LOG.warning("not stored: %s", {field: value for field, value in t.items() if value})
        return hit


@fault("SECRET-2", says="no secret in what a log or a traceback may show")
class EncodeErrorAsCause(LogCore):
    """A text that cannot be encoded is refused 'from' the UnicodeEncodeError, which carries the text."""

    def _row(self, token: Any, strict: Any) -> Any:
        if strict:
            for field in FIELDS[2:]:
                value = getattr(token, "get_" + field)()
                if isinstance(value, str):
                    try:
                        value.encode("utf-8")
                    except UnicodeEncodeError as error:
                        raise SDKException(CODE, "cannot be kept: %r" % error.object) from error
        return super()._row(token, strict)


# FLOW, MODEL: what shows in longer stories only
@fault("PERSIST-1", "PERSIST-2", says="after opening again")
class RenewalsStayHere(CacheCore):
    """A renewed access token stays in the memory of the process; the database keeps the first."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._newer: Any = {}
        super()._prepare(work, write)

    def _rows(self, connection: Any) -> Any:
        rows = super()._rows(connection)
        return {
            id: dict(row, access_token=self._newer.get(id, row["access_token"])) for id, row in rows.items()
        }

    def _changes(self, connection: Any, changes: Any) -> None:
        known = super()._rows(connection)
        real = []
        for what, value in changes:
            old = known.get(value["id"]) if what == "put" else None
            if old is not None and old["access_token"] and value["access_token"] != old["access_token"]:
                self._newer[value["id"]] = value["access_token"]
                value = dict(value, access_token=old["access_token"])
            elif what != "put":
                self._newer.pop(value, None)
            real.append((what, value))
        super()._changes(connection, real)


@fault("SAVE-1", says="one new row for")
class OneRowPerClient(SqlCore):
    """At most one row for each client.

    Signing in as a second user of the same client replaces the first user's row.
    """

    def _insert(self, view: Any, t: Any) -> Any:
        row = super()._insert(view, t)
        if row["client_id"] and row["user_name"]:
            for other in view.rows():
                if other["id"] != row["id"] and other["client_id"] == row["client_id"] and other["user_name"]:
                    view.drop(other["id"])
        return row


@fault("SAVE-4", says="the stored user")
class NewGrantSecondRow(DirCore):
    """Signing in again with a new grant token makes a second row of the user."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if t["user_name"] and t["grant_token"] and not t["id"]:
            hit = self._match(view, t)
            if hit is not None and hit["grant_token"] and hit["grant_token"] != t["grant_token"]:
                return self._insert(view, t)
        return super()._save_row(view, t)


@fault("DEL-4", says="save_token stores the token")
class DeletedRefreshRefused(CacheCore):
    """The refresh token of a deleted row is refused for ever."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._dead: Any = set()
        super()._prepare(work, write)

    def _drop(self, view: Any, id: Any) -> None:
        row = view.get(id)
        if row is not None and row["refresh_token"]:
            self._dead.add(row["refresh_token"])
        view.drop(id)

    def _insert(self, view: Any, t: Any) -> Any:
        if t["refresh_token"] in self._dead:
            raise SDKException(CODE, "this refresh token was removed")
        return super()._insert(view, t)
