"""The second batch: correct stores with unusual habits."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import queue
import random
import secrets
import sqlite3
import threading
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..catalogue import correct
from . import second_designs as core
from .second_designs import (
    CODE,
    HOOKS,
    CacheCore,
    CsvCore,
    DirCore,
    JsonCore,
    LogCore,
    MemCore,
    NormCore,
    SnapCore,
    SqlCore,
)


@correct(**HOOKS)
class EmojiIdsJson(JsonCore):
    """Ids are words in several scripts."""

    class VIEW(core.DictView):
        def new_id(self) -> Any:
            return "№ \U0001f98a/é%" + super().new_id()


@correct(**HOOKS)
class LongIdsNorm(NormCore):
    """Ids of 300 characters."""

    class VIEW(core.NormView):
        def new_id(self) -> Any:
            return "x" * 290 + super().new_id()


@correct(**HOOKS)
class BlankEdgedIdsSql(SqlCore):
    """Ids begin and end with white space."""

    class VIEW(core.SqlView):
        def new_id(self) -> Any:
            # As its author wrote it, the count gave an id twice: the kit said so under PERSIST-3.
            return f" \t{secrets.token_hex(5)}\n"


@correct(**HOOKS)
class ReverseListingSql(SqlCore):
    """The youngest row first."""

    class VIEW(core.SqlView):
        def rows(self) -> Any:
            return super().rows()[::-1]


class TokenList(list[Any]):
    __slots__ = ("total",)

    def __init__(self, items: Any) -> None:
        super().__init__(items)
        self.total = len(self)

    def __repr__(self) -> str:
        return "<%d tokens>" % self.total


@correct(**HOOKS)
class ShuffledListDir(DirCore):
    """Another order with each call, in a list of its own class."""

    def get_tokens(self) -> Any:
        tokens = super().get_tokens()
        random.shuffle(tokens)
        return TokenList(tokens)


class StoredToken(OAuthToken):  # type: ignore[misc]
    """A token that knows where it is from."""

    origin = ""

    def __repr__(self) -> str:
        return "<StoredToken>"


@correct(**HOOKS)
class SubclassTokensLog(LogCore):
    """Gives out a subclass of OAuthToken."""

    def _make(self, row: Any) -> Any:
        token = StoredToken(id=row["id"])
        self._fill(token, row)
        token.origin = type(self).__name__
        return token


class UnknownToken(SDKException):  # type: ignore[misc]
    pass


@correct(**HOOKS)
class DeleteUnknownRaisesCsv(CsvCore):
    """Deleting what is not there raises, with a subclass of SDKException."""

    def _drop(self, view: Any, id: Any) -> None:
        if view.get(id) is None:
            raise UnknownToken(CODE, "no such id")
        view.drop(id)


@correct(**HOOKS)
class TakenNameRefusedCache(CacheCore):
    """A name learned later that another row has already is refused (SAVE-14: fails cleanly)."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if t["user_name"] and t["id"]:
            own, named = view.get(t["id"]), view.first(user_name=t["user_name"])
            if own is not None and named is not None and own["id"] != named["id"] and not own["user_name"]:
                raise SDKException(CODE, "the name is taken")
        return super()._save_row(view, t)


@correct(**HOOKS)
class ForeignIdNewRowJson(JsonCore):
    """User b saved under the id of a's row gets a row and an id of b's own (SAVE-11)."""

    def _foreign_id(self, view: Any, t: Any) -> Any:
        if not t["user_name"]:
            return super()._foreign_id(view, t)
        return self._insert(view, dict(t, id=None))


@correct(**HOOKS)
class ForeignIdRefusedEvenKnownSql(SqlCore):
    """User b saved under the id of a's row is refused, also where b has a row."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if t["id"] and t["user_name"]:
            own = view.get(t["id"])
            if own is not None and own["user_name"] and own["user_name"] != t["user_name"]:
                raise SDKException(CODE, "the id belongs to another user's token")
        return super()._save_row(view, t)


@correct(**HOOKS)
class ShortIdsOnlySnap(SnapCore):
    """An id of more than ten characters is refused, and so are values of more than 4,096."""

    def _row(self, token: Any, strict: Any) -> Any:
        row = super()._row(token, strict)
        if strict:
            if row["id"] and len(row["id"]) > 10:
                raise SDKException(CODE, "the id is too long")
            if any(value and len(value) > 4096 for value in row.values()):
                raise SDKException(CODE, "a value is too long")
        return row


@correct(**HOOKS)
class LazyJson(JsonCore):
    """Nothing is opened or made before the first call."""

    def __init__(self, location: Path) -> None:
        self._where: Any = Path(location)
        self._mutex = core.new_mutex()
        self._opening = core.new_mutex()
        self._opened = False

    def _run(self, work: Any, write: Any, how: Any = None) -> Any:
        if how is None:
            with self._opening:
                if not self._opened:
                    super()._run(None, True, self._prepare)
                    self._opened = True
        return super()._run(work, write, how)


@correct()
class ThreadConfinedSql(SqlCore):
    """A connection for each thread (and process), open as long as the thread; the thread alone uses it."""

    _inherited: Any = []

    def _prepare(self, work: Any, write: Any) -> None:
        self._own = threading.local()
        super()._prepare(work, write)

    def _connection(self) -> Any:
        own = self._own
        if getattr(own, "pid", None) != os.getpid():
            if getattr(own, "connection", None) is not None:
                self._inherited.append(own.connection)
            own.connection = None
            own.connection = sqlite3.connect(str(self._file), timeout=60, isolation_level=None)
            own.connection.execute("PRAGMA synchronous = OFF")
            own.pid = os.getpid()
        return own.connection

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            connection = self._connection()
            try:
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                answer = work(self.VIEW(connection))
                connection.execute("COMMIT")
                return answer
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        own = self._own
        if getattr(own, "connection", None) is not None and own.pid == os.getpid():
            own.connection.close()
        own.connection = own.pid = None


@correct(**HOOKS)
class OnePerLocation(SnapCore):
    """One object in the process for a location, however often it is opened."""

    _all: Any = {}
    _guard = core.new_mutex()
    _ready: bool

    def __new__(cls, location: Path) -> Any:
        with cls._guard:
            store = cls._all.get(str(location))
            if store is None:
                store = cls._all[str(location)] = super().__new__(cls)
                store._users = 0
                store._ready = False
            store._users += 1
            return store

    def __init__(self, location: Path) -> None:
        with self._guard:
            if self._ready:
                return
            try:
                super().__init__(location)
                self._ready = True
            finally:
                if not self._ready:
                    self._all.pop(str(location), None)

    def close(self) -> None:
        with self._guard:
            self._users -= 1
            if self._users <= 0:
                for where, store in list(self._all.items()):
                    if store is self:
                        del self._all[where]


@correct(**HOOKS)
class NoForeignAttributes(NormCore):
    """Refuses attributes that it does not know, and shows none."""

    __slots__ = ("_file", "_mutex", "_where")

    def __setattr__(self, name: Any, value: Any) -> None:
        if name not in NoForeignAttributes.__slots__:
            raise AttributeError("a store has no attribute %r" % name)
        object.__setattr__(self, name, value)

    def __dir__(self) -> Any:
        return []


@correct(**HOOKS)
class FalsyCountingDir(DirCore):
    """Len() counts rows, so an empty store is false."""

    def __len__(self) -> int:
        return len(self.get_tokens())


@correct(**HOOKS)
class NeverTrueCsv(CsvCore):
    """Always false, always of length 0, equal to nothing, not hashable."""

    __hash__: Any = None

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return False


@correct(**HOOKS)
class Proxy(TokenStore):  # type: ignore[misc]
    """Wraps any store; all but the six methods by __getattr__."""

    def __init__(self, location: Path) -> None:
        self._inner: Any = LogCore(location)

    def __getattr__(self, name: Any) -> Any:
        if name.startswith("__") or name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def find_token(self, *a: Any) -> Any:
        return self._inner.find_token(*a)

    def save_token(self, *a: Any) -> Any:
        return self._inner.save_token(*a)

    def delete_token(self, *a: Any) -> Any:
        return self._inner.delete_token(*a)

    def get_tokens(self, *a: Any) -> Any:
        return self._inner.get_tokens(*a)

    def delete_tokens(self, *a: Any) -> Any:
        return self._inner.delete_tokens(*a)

    def find_token_by_id(self, *a: Any) -> Any:
        return self._inner.find_token_by_id(*a)


class _Job:
    __slots__ = ("answer", "done", "dropped", "error", "work", "write")

    def __init__(self, work: Any, write: Any) -> None:
        self.work, self.write, self.done = work, write, threading.Event()
        self.answer = self.error = None
        self.dropped = False


@correct(**HOOKS)
class WriterThreadSql(SqlCore):
    """A thread of its own does the work, also in a forked child."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._pid: Any = None
        self._jobs: Any = None
        self._starting = core.new_mutex()
        super()._prepare(work, write)

    def _work(self, work: Any, write: Any) -> Any:
        if getattr(self, "_file", None) is None or not self._ready():
            return super()._work(work, write)
        with self._starting:
            if self._pid != os.getpid():
                self._jobs = queue.SimpleQueue()
                threading.Thread(
                    target=self._serve, args=(weakref.ref(self), self._jobs), daemon=True
                ).start()
                self._pid = os.getpid()
            job = _Job(work, write)
            self._jobs.put(job)
        job.done.wait()
        if job.error is not None:
            error, job.error = job.error, None
            raise error
        return job.answer

    def _ready(self) -> Any:
        return True

    @staticmethod
    def _serve(store: Any, jobs: Any) -> None:
        while True:
            job = jobs.get()
            if job is None:
                return
            alive = store()
            try:
                job.answer = SqlCore._work(alive, job.work, job.write)
            except BaseException as error:
                job.error = error.with_traceback(None)
            finally:
                del alive
                job.done.set()

    def close(self) -> None:
        with self._starting:
            if self._pid == os.getpid():
                self._jobs.put(None)
            self._pid = None


@correct(**HOOKS)
class ChildRefuses(CacheCore):
    """In a forked child every call is refused, every time (PROC-2 allows it)."""

    def __init__(self, location: Path) -> None:
        self._pid = os.getpid()
        super().__init__(location)

    def _run(self, work: Any, write: Any, how: Any = None) -> Any:
        if os.getpid() != self._pid:
            raise SDKException(CODE, "this store was opened by another process: open your own")
        return super()._run(work, write, how)

    def save_token(self, token: Any) -> Any:
        if os.getpid() != self._pid:
            raise SDKException(CODE, "this store was opened by another process: open your own")
        return super().save_token(token)

    def find_token(self, token: Any) -> Any:
        if os.getpid() != self._pid:
            raise SDKException(CODE, "this store was opened by another process: open your own")
        return super().find_token(token)

    def find_token_by_id(self, id: Any) -> Any:
        if os.getpid() != self._pid:
            raise SDKException(CODE, "this store was opened by another process: open your own")
        return super().find_token_by_id(id)


@correct(**HOOKS)
class GeneratorStore(JsonCore):
    """Can be iterated, indexed by id and used in a with statement; listing collects a generator."""

    def __iter__(self) -> Iterator[Any]:
        yield from (self._make(row) for row in self._run(lambda view: view.rows(), False))

    def __contains__(self, id: Any) -> Any:
        return self.find_token_by_id(id) is not None

    def __getitem__(self, id: Any) -> Any:
        token = self.find_token_by_id(id)
        if token is None:
            raise KeyError("no such id")
        return token

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_tokens(self) -> Any:
        return list(iter(self))


@correct(**HOOKS)
class OddSignatures(SnapCore):
    """The parameters have other names, and are positional only."""

    def save_token(self, oauth: Any, /) -> Any:
        return super().save_token(oauth)

    def find_token(self, *args: Any) -> Any:
        (partial,) = args
        return super().find_token(partial)

    def find_token_by_id(self, key: Any, /) -> Any:
        return super().find_token_by_id(key)

    def delete_token(self, key: Any, /) -> Any:
        return super().delete_token(key)

    def get_tokens(self, /, *, _limit: Any = None) -> Any:
        return super().get_tokens()


@correct(**HOOKS)
class NoneRaisesTypeError(NormCore):
    """delete_token(None) is a TypeError, find_token_by_id(None) an SDKException."""

    def delete_token(self, id: Any) -> None:
        if id is None:
            raise TypeError("an id is a text")
        super().delete_token(id)

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str):
            raise SDKException(CODE, "an id is a text")
        return super().find_token_by_id(id)

    def save_token(self, token: Any) -> None:
        if isinstance(token, OAuthToken):
            super().save_token(token)

    def find_token(self, token: Any) -> Any:
        return super().find_token(token) if isinstance(token, OAuthToken) else token


@correct(**HOOKS)
class WalSql(SqlCore):
    """SQLite's write-ahead log."""

    NAME = "wal.sqlite3"

    def _connect(self) -> Any:
        connection = super()._connect()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            raise
        return connection


@correct(**HOOKS)
class PackedJson(JsonCore):
    """Compressed and in base64, so that nothing in the file is readable."""

    NAME = "packed.b64"

    def _body(self, state: Any) -> Any:
        return base64.b85encode(zlib.compress(super()._body(state)))

    def _parse(self, body: Any) -> Any:
        return super()._parse(zlib.decompress(base64.b85decode(body)))


@correct(**HOOKS)
class LoopThread(LogCore):
    """An event loop in a thread does the work; the methods wait for it (IFACE-2)."""

    _inherited: Any = []

    def __init__(self, location: Path) -> None:
        self._loop: Any = None
        self._pid: Any = None
        self._starting = core.new_mutex()
        super().__init__(location)

    def _work(self, work: Any, write: Any) -> Any:
        with self._starting:
            if self._pid != os.getpid():
                self._inherited.append(self._loop)
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._serve, args=(self._loop,), daemon=True).start()
                self._pid = os.getpid()
            answer = asyncio.run_coroutine_threadsafe(self._do(work, write), self._loop)
        return answer.result()

    async def _do(self, work: Any, write: Any) -> Any:
        return LogCore._work(self, work, write)

    @staticmethod
    def _serve(loop: Any) -> None:
        try:
            loop.run_forever()
        finally:
            loop.close()

    def close(self) -> None:
        with self._starting:
            if self._pid == os.getpid():
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._pid = None


@correct(**HOOKS)
class FolderMade0700(JsonCore):
    """Files are open to all by their own mode, in a directory made for the store alone."""

    def __init__(self, location: Path) -> None:
        self._outer: Any = Path(location)
        super().__init__(self._outer / "private" / "v1")

    def _prepare(self, work: Any, write: Any) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._outer / "private", 0o700)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._outer / "private" / "v1", 0o700)
        super()._prepare(work, write)

    def _write_file(self, raw: Any) -> None:
        super()._write_file(raw)
        os.chmod(self._file, 0o644)


@correct(**HOOKS)
class SqliteLockJson(JsonCore):
    """JSON, locked by an exclusive transaction of an (empty) SQLite database."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._lockdb = self._where / "lock.sqlite3"
        os.close(os.open(self._lockdb, os.O_RDWR | os.O_CREAT, 0o600))
        self._file = self._where / self.NAME
        self._raw = self._state = None
        self._locked(lambda: self._load() if self._file.exists() else self._store(core.State()))

    def _locked(self, what: Any) -> Any:
        with self._mutex:
            os.stat(self._lockdb)
            connection = sqlite3.connect(
                str(self._lockdb), timeout=60, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("BEGIN EXCLUSIVE")
                return what()
            finally:
                connection.close()

    def _work(self, work: Any, write: Any) -> Any:
        def what() -> Any:
            view = self.VIEW(self._load().copy())
            answer = work(view)
            if write and view.changes:
                self._store(view.state)
            return answer

        return self._locked(what)


@correct(persistent=False)
class MemorySqlite(SqlCore):
    """SQLite in memory, one connection behind a lock; transient."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._work(lambda view: [view.connection.execute(line) for line in self.SCHEMA], True)

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            connection = self._connection
            try:
                connection.execute("BEGIN")
                answer = work(self.VIEW(connection))
                connection.execute("COMMIT")
                return answer
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        with self._mutex:
            self._connection.close()


@correct(persistent=False)
class SharedTransient(MemCore):
    """Transient; two stores on one location of this process share their rows while both are open."""

    _all: Any = weakref.WeakValueDictionary()
    _guard = core.new_mutex()

    class _Rows:
        pass

    def _prepare(self, work: Any, write: Any) -> None:
        with self._guard:
            self._shared = self._all.get(str(self._where))
            if self._shared is None:
                self._shared = self._all[str(self._where)] = self._Rows()
                self._shared.state = core.State()
                self._shared.mutex = core.new_mutex()
                self._shared.users = 0
            self._shared.users += 1
        self._mutex = self._shared.mutex

    def close(self) -> None:
        with self._guard:
            self._shared.users -= 1
            if self._shared.users == 0 and self._all.get(str(self._where)) is self._shared:
                del self._all[str(self._where)]

    @property
    def _state(self) -> Any:
        return self._shared.state

    @_state.setter
    def _state(self, state: Any) -> None:
        self._shared.state = state


@correct(**HOOKS)
class NeverLooseSql(SqlCore):
    """An access token that comes with client credentials matches no row, as in DBStore; the id does."""

    def _loose(self, view: Any, t: Any) -> None:
        return None


@correct(**HOOKS)
class NewGrantNewRowCsv(CsvCore):
    """A grant token that is not stored is a new row, also with a refresh token that is."""

    def _match(self, view: Any, t: Any) -> Any:
        if not t["user_name"] and t["client_id"] and t["client_secret"] and t["grant_token"]:
            return view.first(
                grant_token=t["grant_token"], client_id=t["client_id"], client_secret=t["client_secret"]
            )
        return super()._match(view, t)


@correct(**HOOKS)
class FindsUnderOtherClientDir(DirCore):
    """Finding by grant or refresh token does not ask for the same client."""

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if hit is None and not t["id"] and not t["user_name"] and t["client_id"] and t["client_secret"]:
            for field in ("grant_token", "refresh_token"):
                if t[field]:
                    hit = hit or view.first(**{field: t[field]})
        return hit


@correct(persistent=False)
class BareRefreshMatchesMem(MemCore):
    """A refresh token without client credentials matches (left open); transient."""

    def _match(self, view: Any, t: Any) -> Any:
        hit = super()._match(view, t)
        if (
            hit is None
            and t["refresh_token"]
            and not (t["id"] or t["user_name"] or t["access_token"] or t["client_id"] or t["client_secret"])
        ):
            hit = view.first(refresh_token=t["refresh_token"])
        return hit


@correct(**HOOKS)
class FillsOnSaveLog(LogCore):
    """save_token fills in the absent fields of the token that was passed (SAVE-17)."""

    EVERY = 3

    def _after_save(self, token: Any, row: Any) -> None:
        self._fill(token, row)


@correct(**HOOKS)
class MirroredJson(JsonCore):
    """Keeps a second copy, from which the rows come when the first one is damaged."""

    def _prepare(self, work: Any, write: Any) -> None:
        self._mirror = self._where / "tokens.mirror"
        super()._prepare(work, write)

    def _write_file(self, raw: Any) -> None:
        core.write_private(self._mirror, raw)
        core.write_private(self._file, raw)

    def _read_file(self) -> Any:
        raw = self._file.read_bytes()
        if raw != self._raw:
            try:
                self._decode(raw)
            except core.Damaged:
                raw = self._mirror.read_bytes()
                self._decode(raw)
                core.write_private(self._file, raw)
        return raw


def traced(method: Any) -> Any:
    def call(self: Any, *args: Any) -> Any:
        self.calls[method.__name__] = self.calls.get(method.__name__, 0) + 1
        return method(self, *args)

    return call


@correct(**HOOKS)
class DecoratedCache(CacheCore):
    """Every method is decorated, without functools.wraps; str() is empty."""

    def __init__(self, location: Path) -> None:
        self.calls: Any = {}
        super().__init__(location)

    def __str__(self) -> str:
        return ""


for _name in ("save_token", "find_token", "find_token_by_id", "get_tokens", "delete_token", "delete_tokens"):
    setattr(DecoratedCache, _name, traced(getattr(CacheCore, _name)))


@correct(**HOOKS)
class GeneratorMatching(TokenStore):  # type: ignore[misc]
    """An inner store keeps the rows, and a chain of generators says which come into question."""

    def __init__(self, location: Path) -> None:
        self._json: Any = JsonCore(location)

    def close(self) -> None:
        self._json.close()

    @staticmethod
    def _text(value: Any) -> Any:
        return value if isinstance(value, str) and value else None

    def _candidates(self, token: Any, rows: Any) -> Iterator[Any]:
        text = self._text
        signature = token.get_user_signature()
        name = signature and text(signature.get_name())
        client, secret = text(token.get_client_id()), text(token.get_client_secret())
        id = text(token.get_id())
        if name:
            yield from (row for row in rows if row["user_name"] == name)
            yield from (row for row in rows if id and row["id"] == id and row["user_name"] is None)
            return
        if client and secret:
            for field, value in (
                ("grant_token", text(token.get_grant_token())),
                ("refresh_token", text(token.get_refresh_token())),
            ):
                yield from (
                    row
                    for row in rows
                    if value
                    and row[field] == value
                    and (row["client_id"], row["client_secret"]) == (client, secret)
                )
        elif not client and not secret:
            access = text(token.get_access_token())
            yield from (row for row in rows if access and row["access_token"] == access)
        yield from (row for row in rows if id and row["id"] == id)

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        for row in self._candidates(token, self._json._run(lambda view: view.rows(), False)):
            self._json._fill(token, row)
            return token
        return None

    def save_token(self, token: Any) -> Any:
        return self._json.save_token(token)

    def get_tokens(self) -> Any:
        return list(map(self._json._make, self._json._run(lambda view: view.rows(), False)))

    def find_token_by_id(self, id: Any) -> Any:
        rows = self._json._run(lambda view: view.rows(), False)
        return next((self._json._make(row) for row in rows if row["id"] == id), None)

    def delete_token(self, id: Any) -> Any:
        return self._json.delete_token(id)

    def delete_tokens(self) -> Any:
        return self._json.delete_tokens()


ALL = [
    value
    for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, TokenStore) and value.__module__ == __name__
]
