"""The first batch: correct stores that do something unusual."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import re
import secrets
import sqlite3
import threading
import time
import uuid
import weakref
import zlib as _z
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..catalogue import correct
from .first_designs import (
    FIELDS,
    HOOKS,
    Core,
    DirStore,
    JsonStore,
    LogStore,
    MemStore,
    SqlStore,
    build,
    by_key,
    fill,
    refuse,
    row_of,
)


@correct(persistent=False)
class OkBracedIds(MemStore):
    """Its ids are UUIDs in braces with a blank and a percent sign."""

    def _new_id(self, state: Any) -> str:
        return "{%s} %%" % uuid.uuid4()

    def _note_id(self, state: Any, given: Any) -> None:
        pass


@correct(persistent=False)
class OkNewestFirst(MemStore):
    """Lists the newest row first, in a subclass of list, and forgets nothing."""

    class Rows(list[Any]):
        __slots__ = ()

    def get_tokens(self) -> list[Any]:
        return self.Rows(reversed(super().get_tokens()))


@correct(persistent=False)
class OkFalsy(MemStore):
    """The store object has a length and is falsy when empty."""

    def __len__(self) -> int:
        return len(self._state["rows"])

    def __iter__(self) -> Any:
        return iter(sorted(self._state["rows"]))


@correct(persistent=False)
class OkDictItself(Core, dict[Any, Any]):
    """The store is a dict of its rows (compares as one, too), with a repr of its own."""

    __hash__ = None

    def __init__(self, location: Path | None = None) -> None:
        dict.__init__(self)
        self.__dict__.update(lock=threading.RLock(), n=0)

    def __repr__(self) -> str:
        return "<OkDictItself of %d rows>" % len(self)

    def _new_id(self, state: Any) -> str:
        return secrets.token_urlsafe(9)

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self.lock:
            rows = dict(self)
            yield {"next": 0, "rows": rows}
            if write:
                for i in [i for i in self if i not in rows]:
                    dict.__delitem__(self, i)
                dict.update(self, rows)


@correct(persistent=False)
class OkListItself(list[Any], TokenStore):  # type: ignore[misc]
    """The store is a list of tuples, searched from end to end by plain loops."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__()
        self.mutex = threading.Lock()
        self.last = 1000

    def __repr__(self) -> str:
        return "OkListItself()"

    __str__ = __repr__

    def _where(self, want: Any) -> Any:
        for i, r in enumerate(self):
            if all((r[FIELDS.index(k)] == v for k, v in want.items())):
                return i
        return None

    def _at(self, r: Any, unnamed: Any = False) -> Any:
        if r["user_name"] and (not unnamed):
            return self._where({"user_name": r["user_name"]})
        more = {"user_name": None} if unnamed else {}
        both = r["client_id"] and r["client_secret"]
        if not r["client_id"] and (not r["client_secret"]):
            return (
                self._where(dict(more, access_token=r["access_token"]))
                if r["access_token"] and (not unnamed)
                else None
            )
        if both:
            more.update(client_id=r["client_id"], client_secret=r["client_secret"])
            for f in ("grant_token", "refresh_token"):
                if r[f]:
                    i = self._where(dict(more, **{f: r[f]}))
                    if i is not None:
                        return i
            if r["access_token"] and (not r["grant_token"]) and (not r["refresh_token"]) and (not unnamed):
                return self._where(dict(more, access_token=r["access_token"]))
        return None

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        r = row_of(token)
        cred = r["grant_token"] or r["refresh_token"] or r["access_token"]
        with self.mutex:
            i = self._at(r)
            held = self._where({"id": r["id"]}) if r["id"] else None
            if i is None and held is not None:
                name = self[held][1]
                if name and cred:
                    raise refuse("the id is another user's")
                if not (name and r["user_name"]):
                    i = held
            if i is None and held is None and r["user_name"]:
                i = self._at(r, True)
            if i is None:
                if (r["id"] or r["user_name"]) and (not cred):
                    raise refuse("no credential")
                if held is not None or not r["id"]:
                    while True:
                        self.last += 7
                        if self._where({"id": f"n{self.last}"}) is None:
                            break
                    r["id"] = f"n{self.last}"
                elif re.fullmatch("n[0-9]{1,9}", r["id"]):
                    self.last = max(self.last, int(r["id"][1:]))
                list.append(self, tuple(r[f] for f in FIELDS))
            else:
                old = dict(zip(FIELDS, self[i]))
                r = dict(old, **{f: v for f, v in r.items() if v and f != "id"})
                self[i] = tuple(r[f] for f in FIELDS)
        fill(token, r)

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return token
        r = row_of(token)
        with self.mutex:
            i = self._at(r)
            if i is None and r["id"]:
                i = self._where({"id": r["id"]})
                if i is not None and r["user_name"] and self[i][1]:
                    i = None
            hit = None if i is None else dict(zip(FIELDS, self[i]))
        return hit and fill(token, hit)

    def find_token_by_id(self, id: Any) -> Any:
        with self.mutex:
            i = self._where({"id": id}) if isinstance(id, str) else None
            return None if i is None else build(dict(zip(FIELDS, self[i])))

    def get_tokens(self) -> list[Any]:
        with self.mutex:
            return [build(dict(zip(FIELDS, r))) for r in self]

    def delete_token(self, id: Any) -> None:
        with self.mutex:
            i = self._where({"id": id}) if isinstance(id, str) else None
            if i is None:
                raise refuse("no such id")
            list.pop(self, i)

    def delete_tokens(self) -> None:
        with self.mutex:
            list.clear(self)


@correct(persistent=False)
class OkRefusesForeignAttributes(MemStore):
    """It refuses to have any attribute set from outside."""

    _names = frozenset(("_lock", "_state"))

    def __setattr__(self, name: Any, value: Any) -> None:
        if name not in self._names:
            raise AttributeError("no such attribute")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: Any) -> None:
        raise AttributeError("not allowed")


@correct(persistent=False)
class OkStrictDeletion(MemStore):
    """Deleting an unknown id raises SDKException, None a TypeError; parameters have other names."""

    def delete_token(self, key: Any, /) -> None:
        if key is None:
            raise TypeError("an id must be a str")
        with self._tx(True) as state:
            if key not in state["rows"]:
                raise refuse("no row has this id")
            del state["rows"][key]

    def find_token_by_id(self, key: Any, /) -> Any:
        return super().find_token_by_id(key)

    def save_token(self, t: Any, /) -> Any:
        return super().save_token(t)


@correct(**HOOKS)
class OkRefusesWhatItMay(JsonStore):
    """Refuses ids over 10 characters, texts over 5,000, NUL, surrogates, a user under another's id."""

    def _row(self, token: Any) -> Any:
        return row_of(token)

    def _fits(self, row: Any) -> None:
        for f, v in row.items():
            if v and (len(v) > 5000 or "\x00" in v or any("\ud800" <= c <= "\udfff" for c in v)):
                raise refuse(f"{f} cannot be kept")

    def _locate(self, state: Any, row: Any) -> Any:
        self._fits(row)
        return super()._locate(state, row)

    def _insert(self, state: Any, row: Any) -> Any:
        if row["id"] and (row["id"] in state["rows"] or len(row["id"]) > 10):
            raise refuse("the id cannot be used")
        return super()._insert(state, row)


@correct(persistent=False)
class OkProxy(TokenStore):  # type: ignore[misc]
    """A proxy whose six methods are made by a loop and hand on to a store that it holds."""

    __slots__ = ("_inner", "calls")

    def __init__(self, location: Path | None = None) -> None:
        self._inner = MemStore(location)
        self.calls: Any = collections.Counter()

    def __getattr__(self, name: Any) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)

    for _m in ("find_token", "save_token", "delete_token", "get_tokens", "delete_tokens", "find_token_by_id"):
        exec(f"def {_m}(self, *a):\n    self.calls[{_m!r}] += 1\n    return self._inner.{_m}(*a)")
    del _m


@correct(**HOOKS)
class OkLazyJson(JsonStore):
    """Opening touches nothing: the lock file is made at the first call, the file at the first save."""

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        self.file = self.dir / self.NAME


@correct(**HOOKS)
class OkCompressed(JsonStore):
    """The file is zlib-compressed, with a check sum in front."""

    NAME = "tokens.z"

    def _encode(self, state: Any) -> Any:
        body = _z.compress(json.dumps(state).encode("ascii"), 1)
        return b"TKZ1%08x" % _z.crc32(body) + body

    def _decode(self, data: Any) -> Any:
        if data[:4] != b"TKZ1" or int(data[4:12], 16) != _z.crc32(data[12:]):
            raise ValueError
        return json.loads(_z.decompress(data[12:]))


@correct(**HOOKS)
class OkKeyValueSql(Core):
    """SQLite as a key-value table with one JSON blob a row."""

    _connect = SqlStore._connect

    def _ddl(self, db: Any) -> None:
        db.execute("create table if not exists kv (n integer primary key, k blob unique, v blob)")

    def _new_id(self, state: Any) -> str:
        return "kv-" + secrets.token_hex(8)

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    @contextlib.contextmanager
    def _raw(self, write: Any) -> Iterator[Any]:
        try:
            db = self._connect()
            try:
                db.execute("begin immediate" if write else "begin")
                yield db
                db.execute("commit")
            finally:
                db.close()
        except sqlite3.Error as e:
            raise SDKException("TOKEN_STORE", "database: " + type(e).__name__) from None

    def __init__(self, location: Path) -> None:
        self._tx = self._raw  # type: ignore[method-assign]
        try:
            SqlStore.__init__(self, location)
        finally:
            del self._tx

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        def enc(i: Any) -> bytes:
            return str(i).encode("utf-8", "surrogatepass")

        with self._raw(write) as db:
            old = {}
            for r in db.execute("select v from kv order by n"):
                row = json.loads(r[0])
                old[row["id"]] = row
            state: Any = {"next": 0, "rows": dict(old)}
            yield state
            if write:
                for i in old:
                    if i not in state["rows"]:
                        db.execute("delete from kv where k=?", (enc(i),))
                for i, r in state["rows"].items():
                    if old.get(i) != r:
                        db.execute(
                            "insert into kv (k, v) values (?, ?) on conflict (k) do update set v=excluded.v",
                            (enc(i), json.dumps(r).encode()),
                        )


@correct(**HOOKS)
class OkConnectionPerThread(SqlStore):
    """Keeps one connection for each thread and process, and gives a forked child new ones."""

    def __init__(self, location: Path) -> None:
        self._mine: Any = threading.local()
        self._io = threading.RLock()
        me = weakref.ref(self)

        def take() -> None:
            if (store := me()) is not None:
                store._io.acquire()

        def give() -> None:
            if (store := me()) is not None:
                store._io.release()

        os.register_at_fork(before=take, after_in_parent=give, after_in_child=give)
        super().__init__(location)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self._io, self._mine_tx(write) as db:
            yield db

    @contextlib.contextmanager
    def _mine_tx(self, write: Any) -> Iterator[Any]:
        m = self._mine
        try:
            if getattr(m, "pid", None) != os.getpid() or getattr(m, "ino", None) != self._ino():
                m.old = [*getattr(m, "old", []), getattr(m, "db", None)]  # a parent's: never closed here
                m.db, m.pid, m.ino = (self._connect(), os.getpid(), self._ino())
            try:
                if m.db.in_transaction:
                    m.db.execute("rollback")
                m.db.execute("begin immediate" if write else "begin")
                yield m.db
                m.db.execute("commit")
            finally:
                if m.db.in_transaction:
                    m.db.execute("rollback")
        except (sqlite3.Error, UnicodeError) as e:
            raise SDKException("TOKEN_STORE", "database: " + type(e).__name__) from None

    def _ino(self) -> Any:
        try:
            return os.stat(self.file).st_ino
        except OSError:
            pass
        raise refuse("the storage is out of reach")


@correct(**HOOKS)
class OkCompactingLog(LogStore):
    """The log is compacted by rename as soon as it has more than 40 records."""

    def _append(self, records: Any) -> None:
        super()._append(records)
        if self.file.read_bytes().count(b"\n") > 40:
            self._compact()

    def _compact(self) -> None:
        state = super()._load()
        tmp = self.dir / f".log.{uuid.uuid4().hex}.tmp"
        try:
            fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(self._line({"op": "clear", "next": state["next"]}))
                for r in state["rows"].values():
                    f.write(self._line({"op": "put", "row": r, "next": state["next"]}))
            self._commit(0)
            os.replace(tmp, self.file)
            self._commit(self.file.stat().st_size)
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                os.unlink(tmp)


@correct(persistent=False)
class OkWorkerThread(MemStore):
    """One daemon thread owns the rows, and every call is a message to it."""

    def __init__(self, location: Path | None = None) -> None:
        self._inner, self._start = MemStore(), threading.Lock()
        self._calls: Any = queue.SimpleQueue()
        self._thread: Any = None

    def __repr__(self) -> str:
        return "OkWorkerThread()"

    def _run(self) -> None:
        while True:
            call = self._calls.get()
            if call is None:
                return
            name, args, answer = call
            try:
                answer.put((True, getattr(self._inner, name)(*args)))
            except BaseException as e:
                answer.put((False, e))
            del call, args, answer

    def _ask(self, name: Any, *args: Any) -> Any:
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        answer: Any = queue.SimpleQueue()
        self._calls.put((name, args, answer))
        ok, value = answer.get()
        if ok:
            return value
        raise value

    def save_token(self, t: Any) -> Any:
        return self._ask("save_token", t)

    def find_token(self, t: Any) -> Any:
        return self._ask("find_token", t)

    def find_token_by_id(self, i: Any) -> Any:
        return self._ask("find_token_by_id", i)

    def get_tokens(self) -> list[Any]:
        return list(self._ask("get_tokens"))

    def delete_token(self, i: Any) -> Any:
        return self._ask("delete_token", i)

    def delete_tokens(self) -> Any:
        return self._ask("delete_tokens")

    def close(self) -> None:
        with self._start:
            if self._thread is not None:
                self._calls.put(None)
                self._thread.join(5)
                self._thread = None


@correct(persistent=False)
class OkLockFree(Core):
    """Takes no lock: states are a chain, and a writer wins by dict.setdefault, or tries again."""

    class Node:
        def __init__(self, state: Any) -> None:
            self.state = state

    class Lost(Exception):
        pass

    def __init__(self, location: Path | None = None) -> None:
        self._head = self.Node({"next": 1, "rows": {}})

    def _last(self) -> Any:
        node = self._head
        while (nxt := node.__dict__.get("next")) is not None:
            node = nxt
        self._head = node
        return node

    def _new_id(self, state: Any) -> str:
        return uuid.uuid4().hex

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        node = self._last()
        if not write:
            yield node.state
            return
        new = {"next": 0, "rows": dict(node.state["rows"])}
        yield new
        mine = self.Node(new)
        if node.__dict__.setdefault("next", mine) is not mine:
            raise self.Lost
        self._head = mine

    def _again(self, f: Any, *args: Any) -> Any:
        while True:
            try:
                return f(*args)
            except self.Lost:
                continue

    def save_token(self, t: Any) -> Any:
        return self._again(super().save_token, t)

    def delete_token(self, i: Any) -> Any:
        return self._again(super().delete_token, i)

    def delete_tokens(self) -> Any:
        return self._again(super().delete_tokens)


@correct(**HOOKS)
class OkHexCsv(JsonStore):
    """A CSV file without a header, every cell in hex, None as a dash."""

    NAME = "tokens.csv"

    def _encode(self, state: Any) -> Any:
        def cell(v: Any) -> str:
            return "-" if v is None else str(v).encode("utf-8", "surrogatepass").hex()

        lines = [f"v1,{state['next']},{len(state['rows'])}"]
        lines += [",".join(cell(r[f]) for f in FIELDS) for r in state["rows"].values()]
        return ("\n".join(lines) + "\n").encode("ascii")

    def _decode(self, data: Any) -> Any:
        head, *lines = data.decode("ascii").split("\n")
        v, nxt, count = head.split(",")
        if v != "v1" or lines.pop() != "" or len(lines) != int(count):
            raise ValueError
        rows: Any = {}
        for line in lines:
            cells = [
                None if c == "-" else bytes.fromhex(c).decode("utf-8", "surrogatepass")
                for c in line.split(",")
            ]
            r = dict(zip(FIELDS, cells, strict=True))
            rows[r["id"]] = r
        return {"next": int(nxt), "rows": rows}


@correct(**HOOKS)
class OkSlow(DirStore):
    """Every call takes a few milliseconds more."""

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        time.sleep(0.003)
        with super()._tx(write) as state:
            time.sleep(0.001)
            yield state


@correct(persistent=False)
class OkOtherOpenChoices(MemStore):
    """Chooses otherwise in what is left open: the newest of two rows, and what a find matches."""

    def _key(self, rows: Any, row: Any) -> Any:
        return by_key(list(rows)[::-1], row)

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return token
        if (
            token.get_id() is None
            and token.get_user_signature() is None
            and token.get_client_id()
            and token.get_client_secret()
            and (not token.get_grant_token())
            and (not token.get_refresh_token())
        ):
            return None
        return super().find_token(token)


@correct(**HOOKS)
class OkFillsNothingOnSave(SqlStore):
    """save_token sets nothing but the id on the passed token."""

    _local = threading.local()

    def save_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        keep, self._local.saving = (getattr(self._local, "saving", False), True)
        try:
            return super().save_token(token)
        finally:
            self._local.saving = keep

    def _fill(self, token: Any, row: Any) -> Any:
        if getattr(self._local, "saving", False):
            token.set_id(row["id"])
            return token
        return fill(token, row)


@correct(**HOOKS)
class OkLongIds(LogStore):
    """Ids are long (255 characters), and the listing order is random."""

    def _new_id(self, state: Any) -> str:
        return secrets.token_hex(100) + "-" * 55

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        secrets.SystemRandom().shuffle(tokens)
        return tokens


_open: Any = weakref.WeakValueDictionary()
_open_lock = threading.Lock()


@correct(**HOOKS)
def open_shared(location: Path) -> Any:
    """The same object for the same location while it lives."""
    key = os.path.abspath(location)
    with _open_lock:
        s = _open.get(key)
        if s is None:
            s = _open[key] = JsonStore(location)
        return s
