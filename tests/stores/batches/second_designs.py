"""The correct stores that the second batch is made from, each with a kind of storage of its own."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import pickle
import re
import secrets
import sqlite3
import threading
import time
import urllib.parse
import weakref
import zlib
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import correct
from ..right import break_storage, mend_storage

HOOKS: dict[str, Any] = {"break_storage": break_storage, "mend_storage": mend_storage}
CODE = "TOKEN STORE"
FIELDS = (
    "id",
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expires_in",
    "redirect_url",
    "api_domain",
)
SURROGATE = re.compile("[\ud800-\udfff]")


class Damaged(Exception):
    """What was read back is not what was written."""


# forks: no call of ours is under way while the process forks
_MUTEXES: Any = weakref.WeakSet()
_FORKING = threading.Lock()
_HELD: Any = []


def new_mutex() -> Any:
    mutex = threading.Lock()
    _MUTEXES.add(mutex)
    return mutex


def _before_fork() -> None:
    _FORKING.acquire()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for mutex in sorted(_MUTEXES, key=id):
            if not mutex.acquire(timeout=0.1):
                break
            _HELD.append(mutex)
        else:
            return
        while _HELD:
            _HELD.pop().release()


def _after_fork() -> None:
    while _HELD:
        _HELD.pop().release()
    _FORKING.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def private(path: Any, flags: Any) -> Any:
    return os.open(path, flags, 0o600)


def write_private(path: Any, data: Any) -> None:
    """Puts data into the file in one step: all of it or nothing."""
    new = str(path) + ".new"
    try:
        with open(new, "wb", opener=private) as file:
            file.write(data)
        os.replace(new, path)
    except BaseException:
        try:
            os.unlink(new)
        except OSError:
            pass
        raise


# rules
class Base(TokenStore):  # type: ignore[misc]
    def __init__(self, location: Path) -> None:
        self._where: Any = Path(location)
        self._mutex = new_mutex()
        self._run(None, True, self._prepare)

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        return "<%s at %s>" % (type(self).__name__, self._where)

    # the design's own part
    def _prepare(self, work: Any, write: Any) -> None:
        pass

    def _work(self, work: Any, write: Any) -> None:
        raise NotImplementedError

    def _run(self, work: Any, write: Any, how: Any = None) -> Any:
        try:
            return (how or self._work)(work, write)
        except (OSError, sqlite3.Error, Damaged) as error:
            problem = type(error).__name__
        raise SDKException(CODE, "the storage failed: " + problem)

    # the six methods
    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            raise SDKException(CODE, "only an OAuthToken can be saved")
        row = self._row(token, True)
        kept = self._run(lambda view: self._save_row(view, row), True)
        self._after_save(token, kept)

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = self._row(token, False)
        hit = self._run(lambda view: self._find_row(view, row), False)
        if hit is None:
            return None
        self._fill(token, hit)
        return token

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str) or not id:
            return None
        row = self._run(lambda view: view.get(id), False)
        return None if row is None else self._make(row)

    def get_tokens(self) -> Any:
        return [self._make(row) for row in self._run(lambda view: view.rows(), False)]

    def delete_token(self, id: Any) -> None:
        if not isinstance(id, str):
            raise SDKException(CODE, "an id is a text")
        self._run(lambda view: self._drop(view, id), True)

    def delete_tokens(self) -> None:
        self._run(lambda view: view.clear(), True)

    # tokens and rows
    def _row(self, token: Any, strict: Any) -> Any:
        name = token.get_user_signature()
        if isinstance(name, UserSignature):
            name = name.get_name()
        raw = (
            token.get_id(),
            name,
            token.get_client_id(),
            token.get_client_secret(),
            token.get_refresh_token(),
            token.get_access_token(),
            token.get_grant_token(),
            token.get_expires_in(),
            token.get_redirect_url(),
            token.get_api_domain(),
        )
        row: Any = {}
        for field, value in zip(FIELDS, raw):
            if value is None or value == "":
                row[field] = None
                continue
            if field == "expires_in" and type(value) is int:
                value = str(value)
            if strict and (not isinstance(value, str) or SURROGATE.search(value)):
                raise SDKException(CODE, "the field %s cannot be kept" % field)
            row[field] = value
        return row

    def _make(self, row: Any) -> Any:
        token = OAuthToken(id=row["id"])
        self._fill(token, row)
        return token

    def _fill(self, token: Any, row: Any) -> None:
        token.set_id(row["id"])
        signature = token.get_user_signature()
        if signature is None or not signature.get_name():
            token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
        for field in FIELDS[2:]:
            if not getattr(token, "get_" + field)():
                getattr(token, "set_" + field)(row[field])

    def _after_save(self, token: Any, row: Any) -> None:
        token.set_id(row["id"])

    # matching
    def _match(self, view: Any, t: Any) -> Any:
        if t["user_name"]:
            return view.first(user_name=t["user_name"])
        client, secret = t["client_id"], t["client_secret"]
        if not client and not secret:
            return view.first(access_token=t["access_token"]) if t["access_token"] else None
        hit = None
        if client and secret:
            if t["grant_token"]:
                hit = view.first(grant_token=t["grant_token"], client_id=client, client_secret=secret)
            if hit is None and t["refresh_token"]:
                hit = view.first(refresh_token=t["refresh_token"], client_id=client, client_secret=secret)
        return hit

    def _has_key(self, t: Any) -> Any:
        client, secret = t["client_id"], t["client_secret"]
        return bool(
            t["user_name"]
            or (t["access_token"] and not client and not secret)
            or (client and secret and (t["grant_token"] or t["refresh_token"]))
        )

    def _loose(self, view: Any, t: Any) -> Any:
        """An access token that comes with client credentials, and with nothing else that says whose it is."""
        if t["access_token"] and t["client_id"] and t["client_secret"] and not self._has_key(t):
            return view.first(access_token=t["access_token"])
        return None

    def _adopt(self, view: Any, t: Any) -> Any:
        """The unnamed row that a token with a name, but without id, has its grant or refresh token from."""
        if t["client_id"] and t["client_secret"]:
            for field in ("grant_token", "refresh_token"):
                if t[field]:
                    hit = view.first(
                        **{
                            field: t[field],
                            "client_id": t["client_id"],
                            "client_secret": t["client_secret"],
                            "user_name": None,
                        }
                    )
                    if hit is not None:
                        return hit
        return None

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = self._match(view, t)
        if hit is None and t["id"]:
            hit = view.get(t["id"])
            if hit is not None and t["user_name"] and hit["user_name"]:
                hit = None
        if hit is None:
            hit = self._loose(view, t)
        return hit

    def _save_row(self, view: Any, t: Any) -> Any:
        hit = self._match(view, t)
        if hit is None and t["id"]:
            hit = view.get(t["id"])
            if hit is not None and hit["user_name"] and self._has_key(t):
                return self._foreign_id(view, t)
        if hit is None and not t["id"]:
            hit = self._adopt(view, t) if t["user_name"] else self._loose(view, t)
        if hit is not None:
            row = self._merge(hit, t)
            if row != hit:
                view.put(row)
            return row
        return self._insert(view, t)

    def _foreign_id(self, view: Any, t: Any) -> None:
        raise SDKException(CODE, "the id belongs to another user's token")

    def _insert(self, view: Any, t: Any) -> Any:
        if not (t["grant_token"] or t["refresh_token"] or t["access_token"]):
            raise SDKException(CODE, "there is nothing to keep: no grant, refresh or access token")
        row = dict(t)
        if not row["id"]:
            row["id"] = view.new_id()
        view.put(row)
        return row

    def _merge(self, old: Any, t: Any) -> Any:
        row = dict(old)
        row.update((field, value) for field, value in t.items() if value is not None and field != "id")
        return row

    def _drop(self, view: Any, id: Any) -> None:
        view.drop(id)


# rows in a dict
class State:
    def __init__(self, rows: Any = None, next: Any = 1, spent: Any = ()) -> None:
        self.rows = dict(rows or {})
        self.next = next
        self.spent = set(spent)

    def copy(self) -> Any:
        return State(self.rows, self.next, self.spent)


class DictView:
    """Rows are never changed in place: put() replaces them, so that copies of the dict are enough."""

    def __init__(self, state: Any) -> None:
        self.state = state
        self.changes: Any = []

    def get(self, id: Any) -> Any:
        return self.state.rows.get(id)

    def rows(self) -> Any:
        return list(self.state.rows.values())

    def first(self, **wanted: Any) -> Any:
        for row in self.state.rows.values():
            if all(row[field] == value for field, value in wanted.items()):
                return row
        return None

    def put(self, row: Any) -> None:
        self.state.rows[row["id"]] = dict(row)
        self.changes.append(("put", dict(row)))

    def drop(self, id: Any) -> None:
        if self.state.rows.pop(id, None) is not None:
            self._spend(id)
            self.changes.append(("drop", id))

    def clear(self) -> None:
        for id in self.state.rows:
            self._spend(id)
        self.state.rows.clear()
        self.changes.append(("clear", None))

    def _spend(self, id: Any) -> None:
        """Ids that callers brought and that our own count has still before it."""
        if id.isascii() and id.isdigit() and len(id) < 19 and int(id) >= self.state.next:
            self.state.spent.add(id)

    def new_id(self) -> Any:
        state = self.state
        while str(state.next) in state.rows or str(state.next) in state.spent:
            state.next += 1
        state.next += 1
        return str(state.next - 1)


class RandomIdView(DictView):
    def new_id(self) -> Any:
        while True:
            id = secrets.token_hex(5)
            if id not in self.state.rows:
                return id


# memory only
@correct(persistent=False)
class MemCore(Base):
    """Rows in memory."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._state = State()

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            if not write:
                return work(DictView(self._state))
            state = self._state.copy()
            answer = work(DictView(state))
            self._state = state
            return answer


# one file, replaced as a whole, beside a lock file
class FileBase(Base):
    NAME = "tokens"
    VIEW: Any = DictView

    def _prepare(self, work: Any, write: Any) -> None:
        self._file = self._where / self.NAME
        self._lock = self._where / (self.NAME + ".lock")
        self._raw = self._state = None
        with self._mutex, open(self._lock, "ab", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if self._file.exists():
                    self._load()
                else:
                    self._store(State())
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex, open(self._lock, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                view = self.VIEW(self._load().copy())
                answer = work(view)
                if write and view.changes:
                    self._store(view.state)
                return answer
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _load(self) -> Any:
        raw = self._read_file()
        known = (self._raw, self._state)
        if raw != known[0] or known[1] is None:
            known = (raw, self._decode(raw))
            self._raw, self._state = known
        return known[1]

    def _read_file(self) -> Any:
        return self._file.read_bytes()

    def _store(self, state: Any) -> None:
        self._write_file(self._encode(state))

    def _write_file(self, raw: Any) -> None:
        write_private(self._file, raw)

    def _encode(self, state: Any) -> Any:
        body = self._body(state)
        return b"%s %08x\n" % (type(self).NAME.encode(), zlib.crc32(body)) + body

    def _decode(self, raw: Any) -> Any:
        head, _, body = raw.partition(b"\n")
        if head != b"%s %08x" % (type(self).NAME.encode(), zlib.crc32(body)):
            raise Damaged
        return self._parse(body)


@correct(**HOOKS)
class JsonCore(FileBase):
    """One JSON file, replaced as a whole, beside a lock file."""

    NAME = "tokens.json"

    def _body(self, state: Any) -> Any:
        return json.dumps(
            {"next": state.next, "spent": sorted(state.spent), "rows": list(state.rows.values())},
            separators=(",", ":"),
        ).encode("ascii")

    def _parse(self, body: Any) -> Any:
        data = json.loads(body)
        return State({row["id"]: row for row in data["rows"]}, data["next"], data["spent"])


@correct(**HOOKS)
class CsvCore(FileBase):
    """The same as CSV."""

    NAME = "tokens.csv"
    VIEW: Any = RandomIdView
    LIMIT = 100000

    def _body(self, state: Any) -> Any:
        text = io.StringIO(newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(FIELDS)
        for row in state.rows.values():
            writer.writerow(["" if row[field] is None else row[field] for field in FIELDS])
        return text.getvalue().encode("utf-8")

    def _parse(self, body: Any) -> Any:
        lines = csv.reader(io.StringIO(body.decode("utf-8"), newline=""))
        next(lines)
        rows: Any = {}
        for cells in lines:
            rows[cells[0]] = {field: cell or None for field, cell in zip(FIELDS, cells)}
        return State(rows)

    def _row(self, token: Any, strict: Any) -> Any:
        row = super()._row(token, strict)
        if strict and any(value is not None and len(value) > self.LIMIT for value in row.values()):
            raise SDKException(CODE, "a field is too long")
        return row


# rows in memory, with a pickled snapshot that says whether they are still right
@correct(**HOOKS)
class SnapCore(Base):
    """Rows in memory beside a pickled snapshot of them."""

    MAGIC = b"snapshot"

    def _prepare(self, work: Any, write: Any) -> None:
        self._file = self._where / "snapshot.pickle"
        self._lock = self._where / "snapshot.lock"
        self._state: Any = None
        self._stamp: Any = None
        with self._mutex, open(self._lock, "ab", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if self._file.exists():
                    self._refresh()
                else:
                    self._snapshot(State())
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex, open(self._lock, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                self._refresh()
                view = DictView(self._state.copy())
                answer = work(view)
                if write and view.changes:
                    self._snapshot(view.state)
                return answer
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _refresh(self) -> None:
        """Head: the magic word, 16 random bytes that are new with each snapshot, the check sum."""
        with open(self._file, "rb") as file:
            head = file.read(28)
            if head == self._stamp:
                return
            body = file.read()
        if head[:8] != self.MAGIC or head[24:] != zlib.crc32(body).to_bytes(4, "big"):
            raise Damaged
        rows, next, spent = pickle.loads(body)
        self._stamp = None
        self._state = State(rows, next, spent)
        self._stamp = head

    def _snapshot(self, state: Any) -> None:
        body = pickle.dumps((state.rows, state.next, sorted(state.spent)))
        head = self.MAGIC + secrets.token_bytes(16) + zlib.crc32(body).to_bytes(4, "big")
        self._keep(head + body)
        self._stamp = None
        self._state = state
        self._stamp = head

    def _keep(self, data: Any) -> None:
        write_private(self._file, data)


# append-only log
@correct(**HOOKS)
class LogCore(Base):
    """A log to which rows are appended; `head` names it and says how much of it counts."""

    EVERY = 200

    def _prepare(self, work: Any, write: Any) -> None:
        self._head = self._where / "head"
        self._lock = self._where / "log.lock"
        self._known = (None, 0)
        self._state = State()
        self._records = 0
        with self._mutex, open(self._lock, "ab", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if self._head.exists():
                    self._replay()
                else:
                    self._compact(State())
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex, open(self._lock, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                self._replay()
                view = RandomIdView(self._state.copy())
                answer = work(view)
                if write and view.changes:
                    if self._records >= self.EVERY:
                        self._compact(view.state)
                    else:
                        self._append(view)
                return answer
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _log(self, name: Any) -> Any:
        return self._where / ("log-%s" % name)

    @staticmethod
    def _line(change: Any) -> Any:
        text = json.dumps(change, separators=(",", ":")).encode("ascii")
        return b"%08x %s\n" % (zlib.crc32(text), text)

    def _read_head(self) -> Any:
        text, _, check = self._head.read_bytes().partition(b"#")
        if check != b"%08x" % zlib.crc32(text):
            raise Damaged
        name, length = text.decode("ascii").split()
        return name, int(length)

    def _write_head(self, name: Any, length: Any) -> None:
        text = b"%s %d" % (name.encode("ascii"), length)
        write_private(self._head, text + b"#%08x" % zlib.crc32(text))

    def _replay(self) -> None:
        name, length = self._read_head()
        if (name, length) == self._known:
            if os.stat(self._log(name)).st_size < length:
                raise Damaged
            return
        start, state, records = 0, State(), 0
        if name == self._known[0] and length > self._known[1]:
            start, state, records = self._known[1], self._state.copy(), self._records
        with open(self._log(name), "rb") as log:
            log.seek(start)
            data = log.read(length - start)
        if len(data) != length - start:
            raise Damaged
        for line in data.split(b"\n")[:-1]:
            if line[:8] != b"%08x" % zlib.crc32(line[9:]):
                raise Damaged
            self._apply(state, json.loads(line[9:]))
            records += 1
        self._known = (None, 0)
        self._state, self._records = state, records
        self._known = (name, length)

    @staticmethod
    def _apply(state: Any, change: Any) -> None:
        what, value = change
        if what == "put":
            state.rows[value["id"]] = value
        elif what == "drop":
            state.rows.pop(value, None)
        else:
            state.rows.clear()

    def _append(self, view: Any) -> None:
        name, length = self._known
        data = b"".join(map(self._line, view.changes))
        with open(self._log(name), "r+b", buffering=0) as log:
            log.truncate(length)
            log.seek(length)
            done = 0
            while done < len(data):
                done += log.write(data[done:])
        self._write_head(name, length + len(data))

    def _compact(self, state: Any) -> None:
        name = secrets.token_hex(4)
        data = b"".join(self._line(("put", row)) for row in state.rows.values())
        old = self._known[0]
        write_private(self._log(name), data)
        self._write_head(name, len(data))
        if old is not None:
            try:
                os.unlink(self._log(old))
            except OSError:
                pass


# one file a row
@correct(**HOOKS)
class DirCore(Base):
    """A file for each version of a row; `current` names the directory that counts."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._lock = self._where / "rows.lock"
        self._current = self._where / "current"
        self._seen: Any = {}
        with self._mutex, open(self._lock, "ab", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if not self._current.exists():
                    self._start()
                self._load()
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex, open(self._lock, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                folder, names, rows = self._load()
                view = RandomIdView(State(rows))
                answer = work(view)
                if write:
                    for what, value in view.changes:
                        if what == "put":
                            self._write(folder, names, value)
                        elif what == "drop":
                            self._remove(folder, names, value)
                        else:
                            self._start()
                            self._sweep(folder)
                return answer
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _start(self) -> None:
        name = "rows-" + secrets.token_hex(4)
        os.mkdir(self._where / name, 0o700)
        text = name.encode("ascii")
        write_private(self._current, text + b"#%08x" % zlib.crc32(text))

    def _folder(self) -> Any:
        text, _, check = self._current.read_bytes().partition(b"#")
        if check != b"%08x" % zlib.crc32(text):
            raise Damaged
        return self._where / text.decode("ascii")

    def _load(self) -> Any:
        folder = self._folder()
        latest: Any = {}
        for name in os.listdir(folder):
            parts = name.split(".")
            if len(parts) == 4 and parts[3] == "row":
                number, version = int(parts[0]), int(parts[1])
                latest.setdefault(number, []).append((version, name))
        names, rows, seen = {}, {}, {}
        for number in sorted(latest):
            versions = sorted(latest[number])
            row = self._parse(folder, versions[-1][1])
            seen[versions[-1][1]] = row
            rows[row["id"]] = row
            names[row["id"]] = (number, versions)
        self._seen = seen
        self._last = max(latest, default=0)
        return folder, names, rows

    def _parse(self, folder: Any, name: Any) -> Any:
        row = self._seen.get(name)
        if row is None:
            raw = (folder / name).read_bytes()
            if raw[:8] != b"%08x" % zlib.crc32(raw[8:]):
                raise Damaged
            row = json.loads(raw[8:])
        return row

    def _write(self, folder: Any, names: Any, row: Any) -> None:
        number, versions = names.get(row["id"], (self._last + 1, []))
        version = versions[-1][0] + 1 if versions else 1
        body = json.dumps(row).encode("ascii")
        write_private(
            folder / ("%d.%d.%s.row" % (number, version, secrets.token_hex(4))),
            b"%08x" % zlib.crc32(body) + body,
        )
        for _, name in versions:
            os.unlink(folder / name)

    def _remove(self, folder: Any, names: Any, id: Any) -> None:
        for _, name in names[id][1]:
            os.unlink(folder / name)

    @staticmethod
    def _sweep(folder: Any) -> None:
        try:
            for name in os.listdir(folder):
                if name.endswith(".row"):
                    os.unlink(folder / name)
            os.rmdir(folder)
        except OSError:
            pass


# SQLite
class SqlView:
    SELECT = "SELECT %s FROM tokens" % ", ".join(FIELDS)

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def _all(self, query: Any, values: Any = ()) -> Any:
        return [dict(zip(FIELDS, found)) for found in self.connection.execute(query, values)]

    def get(self, id: Any) -> Any:
        return self.first(id=id)

    def rows(self) -> Any:
        return self._all(self.SELECT + " ORDER BY seq")

    def first(self, **wanted: Any) -> Any:
        clauses, values = [], []
        for field, value in wanted.items():
            if value is None:
                clauses.append(field + " IS NULL")
            elif not isinstance(value, str) or SURROGATE.search(value):
                return None
            else:
                clauses.append(self.clause(field))
                values.append(value)
        found = self._all(self.SELECT + " WHERE " + " AND ".join(clauses) + " ORDER BY seq LIMIT 1", values)
        return found[0] if found else None

    def clause(self, field: Any) -> Any:
        return field + " = ?"

    def put(self, row: Any) -> None:
        values = [row[field] for field in FIELDS]
        done = self.connection.execute(
            "UPDATE tokens SET %s WHERE id = ?" % ", ".join(f + " = ?" for f in FIELDS), values + [row["id"]]
        )
        if not done.rowcount:
            self.connection.execute(
                "INSERT INTO tokens (%s) VALUES (%s)" % (", ".join(FIELDS), ", ".join("?" * len(FIELDS))),
                values,
            )
            self.connection.execute("INSERT OR IGNORE INTO spent VALUES (?)", (row["id"],))

    def drop(self, id: Any) -> None:
        if not SURROGATE.search(id):
            self.connection.execute("DELETE FROM tokens WHERE id = ?", (id,))

    def clear(self) -> None:
        self.connection.execute("DELETE FROM tokens")

    def new_id(self) -> Any:
        number = self.connection.execute("SELECT count(*) FROM spent").fetchone()[0]
        while True:
            number += 1
            if self.connection.execute("SELECT 1 FROM spent WHERE id = ?", (str(number),)).fetchone() is None:
                return str(number)


@correct(**HOOKS)
class SqlCore(Base):
    """SQLite, a table of rows."""

    NAME = "tokens.db"
    VIEW: Any = SqlView
    SCHEMA: Any = (
        "CREATE TABLE IF NOT EXISTS tokens (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, %s)"
        % ", ".join(field + " TEXT" for field in FIELDS[1:]),
        "CREATE TABLE IF NOT EXISTS spent (id TEXT PRIMARY KEY)",
        "CREATE INDEX IF NOT EXISTS by_name ON tokens (user_name)",
        "CREATE INDEX IF NOT EXISTS by_access ON tokens (access_token)",
        "CREATE INDEX IF NOT EXISTS by_refresh ON tokens (refresh_token)",
    )

    def _prepare(self, work: Any, write: Any) -> None:
        self._file = self._where / self.NAME
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        self._work(lambda view: [view.connection.execute(line) for line in self.SCHEMA], True)

    def _connect(self) -> Any:
        connection = sqlite3.connect(
            "file:%s?mode=rw" % urllib.parse.quote(str(self._file)),
            uri=True,
            timeout=60,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                answer = work(self.VIEW(connection))
                connection.execute("COMMIT")
                return answer
            finally:
                connection.close()


class NormView:
    """A row is a line of `entity`, one of `field` for each value, and one of `lookup` for each key."""

    KEYS = ("user_name", "access_token", "grant_token", "refresh_token")

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def digest(self, value: Any) -> Any:
        return hashlib.sha256(value.encode("utf-8")).hexdigest()

    def _row(self, seq: Any) -> Any:
        row = dict.fromkeys(FIELDS)
        row["id"] = self.connection.execute("SELECT id FROM entity WHERE seq = ?", (seq,)).fetchone()[0]
        row.update(self.connection.execute("SELECT name, value FROM field WHERE seq = ?", (seq,)).fetchall())
        return row

    def _seq(self, id: Any) -> Any:
        if SURROGATE.search(id):
            return None
        found = self.connection.execute("SELECT seq FROM entity WHERE id = ?", (id,)).fetchone()
        return found and found[0]

    def get(self, id: Any) -> Any:
        seq = self._seq(id)
        return None if seq is None else self._row(seq)

    def rows(self) -> Any:
        rows: Any = {}
        for seq, id in self.connection.execute("SELECT seq, id FROM entity ORDER BY seq"):
            rows[seq] = dict.fromkeys(FIELDS)
            rows[seq]["id"] = id
        for seq, name, value in self.connection.execute("SELECT seq, name, value FROM field"):
            rows[seq][name] = value
        return list(rows.values())

    def first(self, **wanted: Any) -> Any:
        for key in self.KEYS:
            if wanted.get(key) is not None:
                break
        value = wanted[key]
        if not isinstance(value, str) or SURROGATE.search(value):
            return None
        for (seq,) in self.connection.execute(
            "SELECT seq FROM lookup WHERE kind = ? AND digest = ? ORDER BY seq", (key, self.digest(value))
        ).fetchall():
            row = self._row(seq)
            if self.same(row, wanted):
                return row
        return None

    def same(self, row: Any, wanted: Any) -> Any:
        return all(row[field] == value for field, value in wanted.items())

    def put(self, row: Any) -> None:
        seq = self._seq(row["id"])
        if seq is None:
            seq = self.connection.execute("INSERT INTO entity (id) VALUES (?)", (row["id"],)).lastrowid
        self.write_fields(seq, row)
        self.index(seq, row)

    def write_fields(self, seq: Any, row: Any) -> None:
        self.connection.execute("DELETE FROM field WHERE seq = ?", (seq,))
        self.connection.executemany(
            "INSERT INTO field VALUES (?, ?, ?)",
            [(seq, field, row[field]) for field in FIELDS[1:] if row[field] is not None],
        )

    def index(self, seq: Any, row: Any) -> None:
        self.connection.execute("DELETE FROM lookup WHERE seq = ?", (seq,))
        self.connection.executemany(
            "INSERT INTO lookup VALUES (?, ?, ?)",
            [(key, self.digest(row[key]), seq) for key in self.KEYS if row[key]],
        )

    def drop(self, id: Any) -> None:
        seq = self._seq(id)
        if seq is not None:
            for table in ("lookup", "field", "entity"):
                self.connection.execute("DELETE FROM %s WHERE seq = ?" % table, (seq,))

    def clear(self) -> None:
        for table in ("lookup", "field", "entity"):
            self.connection.execute("DELETE FROM " + table)

    def new_id(self) -> Any:
        while True:
            id = "n" + secrets.token_hex(4)
            if self._seq(id) is None:
                return id


@correct(**HOOKS)
class NormCore(SqlCore):
    """SQLite, with a line for each value and each key of a row."""

    NAME = "normal.db"
    VIEW: Any = NormView
    SCHEMA: Any = (
        "CREATE TABLE IF NOT EXISTS entity (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)",
        "CREATE TABLE IF NOT EXISTS field (seq INTEGER, name TEXT, value TEXT, PRIMARY KEY (seq, name))",
        "CREATE TABLE IF NOT EXISTS lookup (kind TEXT, digest TEXT, seq INTEGER)",
        "CREATE INDEX IF NOT EXISTS by_digest ON lookup (kind, digest)",
        "CREATE INDEX IF NOT EXISTS by_seq ON lookup (seq)",
    )


@correct(**HOOKS)
class CacheCore(SqlCore):
    """Rows are kept in the process, too; `stamp` changes with them and says whether they still count."""

    NAME = "cached.db"
    SCHEMA: Any = (
        "CREATE TABLE IF NOT EXISTS blobs (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, data TEXT)",
        "CREATE TABLE IF NOT EXISTS stamp (one INTEGER PRIMARY KEY, value TEXT)",
        "INSERT OR IGNORE INTO stamp VALUES (1, 'new')",
    )

    def _prepare(self, work: Any, write: Any) -> None:
        self._cached: Any = (None, None)
        self._file = self._where / self.NAME
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for line in self.SCHEMA:
                connection.execute(line)
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                view = RandomIdView(State(self._rows(connection)))
                answer = work(view)
                if write:
                    self._changes(connection, view.changes)
                connection.execute("COMMIT")
                return answer
            finally:
                connection.close()

    def _stamp(self, connection: Any) -> Any:
        return connection.execute("SELECT value FROM stamp").fetchone()[0]

    def _rows(self, connection: Any) -> Any:
        stamp = self._stamp(connection)
        known, rows = self._cached
        if stamp != known:
            rows = {
                id: json.loads(data)
                for id, data in connection.execute("SELECT id, data FROM blobs ORDER BY seq")
            }
            self._cached = stamp, rows
        return rows

    def _changes(self, connection: Any, changes: Any) -> None:
        for what, value in changes:
            if what == "put":
                connection.execute(
                    "INSERT INTO blobs (id, data) VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET data = excluded.data",
                    (value["id"], json.dumps(value)),
                )
            elif what == "drop":
                connection.execute("DELETE FROM blobs WHERE id = ?", (value,))
            else:
                connection.execute("DELETE FROM blobs")
        if changes:
            connection.execute("UPDATE stamp SET value = ?", (secrets.token_hex(8),))


CORES = (MemCore, JsonCore, CsvCore, SnapCore, LogCore, DirCore, SqlCore, NormCore, CacheCore)
