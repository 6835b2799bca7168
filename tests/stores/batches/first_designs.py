"""The correct stores that the first batch is made from: memory, a JSON file, a log, a folder, SQLite."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import correct
from ..right import break_storage, mend_storage

HOOKS: dict[str, Any] = {"break_storage": break_storage, "mend_storage": mend_storage}


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
PLAIN = tuple(f for f in FIELDS if f not in ("id", "user_name"))


def refuse(text: Any) -> Any:
    return SDKException("TOKEN_STORE", text)


def row_of(token: Any) -> Any:
    row = {f: getattr(token, "get_" + f)() or None for f in FIELDS if f != "user_name"}
    sig = token.get_user_signature()
    row["user_name"] = sig.get_name() or None if sig is not None else None
    return row


def fill(token: Any, row: Any) -> Any:
    token.set_id(row["id"])
    if token.get_user_signature() is None or not token.get_user_signature().get_name():
        token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
    for f in PLAIN:
        if not getattr(token, "get_" + f)():
            getattr(token, "set_" + f)(row[f])
    return token


def build(row: Any) -> Any:
    token = OAuthToken(id=row["id"])
    for f in PLAIN:
        getattr(token, "set_" + f)(row[f])
    if row["user_name"]:
        token.set_user_signature(UserSignature(row["user_name"]))
    return token


def first(rows: Any, **want: Any) -> Any:
    for r in rows:
        if all((r[k] == v for k, v in want.items())):
            return r
    return None


def by_key(rows: Any, row: Any) -> Any:
    """The row that the key of *row* matches (grant before refresh), or None."""
    rows = list(rows)
    if row["user_name"]:
        return first(rows, user_name=row["user_name"])
    c, s = (row["client_id"], row["client_secret"])
    if row["access_token"] and (not c) and (not s):
        return first(rows, access_token=row["access_token"])
    hit = None
    if c and s:
        if row["grant_token"]:
            hit = first(rows, grant_token=row["grant_token"], client_id=c, client_secret=s)
        if hit is None and row["refresh_token"]:
            hit = first(rows, refresh_token=row["refresh_token"], client_id=c, client_secret=s)
        if hit is None and row["access_token"] and (not row["grant_token"]) and (not row["refresh_token"]):
            hit = first(rows, access_token=row["access_token"], client_id=c, client_secret=s)
    return hit


def unnamed_sibling(rows: Any, row: Any) -> Any:
    rows = [r for r in rows if not r["user_name"]]
    return (
        by_key(rows, dict(row, user_name=None))
        if row["client_id"] and row["client_secret"] and (row["grant_token"] or row["refresh_token"])
        else None
    )


def merge(old: Any, new: Any) -> Any:
    return dict(old, **{f: v for f, v in new.items() if v and f != "id"})


class Core(TokenStore):  # type: ignore[misc]
    """The logic over a state {"next": int, "rows": {id: row}}; a subclass gives _tx(write)."""

    def _row(self, token: Any) -> Any:
        return row_of(token)

    def _fill(self, token: Any, row: Any) -> Any:
        return fill(token, row)

    def _build(self, row: Any) -> Any:
        return build(row)

    def _merge(self, old: Any, new: Any) -> Any:
        return merge(old, new)

    def _key(self, rows: Any, row: Any) -> Any:
        return by_key(rows, row)

    def _new_id(self, state: Any) -> str:
        while True:
            new = str(state["next"])
            state["next"] += 1
            if new not in state["rows"]:
                return new

    def _note_id(self, state: Any, given: Any) -> None:
        if given.isascii() and given.isdigit() and (len(given) < 15):
            state["next"] = max(state["next"], int(given) + 1)

    def _locate(self, state: Any, row: Any) -> Any:
        rows = state["rows"]
        hit = self._key(rows.values(), row)
        held = rows.get(row["id"]) if row["id"] else None
        if hit is None and row["user_name"]:
            if held is not None and (not held["user_name"]):
                hit = held
            elif held is None:
                hit = unnamed_sibling(rows.values(), row)
        elif hit is None and held is not None:
            if held["user_name"] and any(row[f] for f in ("grant_token", "refresh_token", "access_token")):
                raise refuse("the id belongs to a named user")
            hit = held
        return hit

    def _check_insert(self, row: Any) -> None:
        if (row["id"] or row["user_name"]) and (
            not any(row[f] for f in ("grant_token", "refresh_token", "access_token"))
        ):
            raise refuse("a token without a credential cannot be stored")

    def _insert(self, state: Any, row: Any) -> Any:
        self._check_insert(row)
        if not row["id"] or row["id"] in state["rows"]:
            row["id"] = self._new_id(state)
        else:
            self._note_id(state, row["id"])
        state["rows"][row["id"]] = row
        return row

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            raise refuse("not an OAuthToken")
        row = self._row(token)
        with self._tx(True) as state:
            hit = self._locate(state, row)
            if hit is None:
                new = self._insert(state, dict(row))
            else:
                new = state["rows"][hit["id"]] = self._merge(hit, row)
        self._fill(token, new)

    def _find(self, state: Any, row: Any) -> Any:
        hit = self._key(state["rows"].values(), row)
        if hit is None and row["id"]:
            hit = state["rows"].get(row["id"])
            if hit is not None and row["user_name"] and hit["user_name"]:
                hit = None
        return hit

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = self._row(token)
        with self._tx(False) as state:
            hit = self._find(state, row)
        return None if hit is None else self._fill(token, hit)

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str):
            return None
        with self._tx(False) as state:
            hit = state["rows"].get(id)
        return None if hit is None else self._build(hit)

    def get_tokens(self) -> list[Any]:
        with self._tx(False) as state:
            rows = list(state["rows"].values())
        return [self._build(r) for r in rows]

    def delete_token(self, id: Any) -> None:
        if isinstance(id, str):
            with self._tx(True) as state:
                state["rows"].pop(id, None)

    def delete_tokens(self) -> None:
        with self._tx(True) as state:
            state["rows"].clear()

    def close(self) -> None:
        pass


@correct(persistent=False)
class MemStore(Core):
    """Rows in memory, copied on write, under one lock."""

    def __init__(self, location: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._state: Any = {"next": 1, "rows": {}}

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self._lock:
            if not write:
                yield self._state
                return
            new = {"next": self._state["next"], "rows": dict(self._state["rows"])}
            yield new
            self._state = new


@correct(**HOOKS)
class JsonStore(Core):
    """One JSON file rewritten by rename under flock."""

    NAME = "tokens.json"

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        self.file = self.dir / self.NAME
        with self._tx(False):
            pass

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        f = os.fdopen(os.open(self.dir / "tokens.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        try:
            fcntl.flock(f, fcntl.LOCK_EX)
            yield
        finally:
            try:
                fcntl.flock(f, fcntl.LOCK_UN)
            finally:
                f.close()

    def _encode(self, state: Any) -> Any:
        return json.dumps(state).encode("ascii")

    def _decode(self, data: Any) -> Any:
        return json.loads(data)

    def _load(self) -> Any:
        if not self.file.exists():
            if not self.dir.is_dir():
                raise refuse("the storage is out of reach")
            return {"next": 1, "rows": {}}
        data = self.file.read_bytes()
        try:
            state = self._decode(data)
            (state["next"], state["rows"].values())
            return state
        except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
            pass
        raise refuse("the token file is damaged")

    def _dump(self, state: Any) -> None:
        tmp = self.dir / f".tokens.{uuid.uuid4().hex}.tmp"
        try:
            fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(self._encode(state))
            os.replace(tmp, self.file)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(tmp)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        try:
            with self._locked():
                state = self._load()
                yield state
                if write:
                    self._dump(state)
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None


@correct(**HOOKS)
class LogStore(Core):
    """An append-only log of JSON lines with check sums; its committed length beside it."""

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        self.file = self.dir / "tokens.log"
        self.mark = self.dir / "tokens.len"
        with self._tx(False):
            pass

    _locked = JsonStore._locked

    def _line(self, record: Any) -> Any:
        body = json.dumps(record)
        return ("%08x %s\n" % (zlib.crc32(body.encode()), body)).encode("ascii")

    def _split(self, data: Any) -> Any:
        return data.split(b"\n")[:-1]

    def _parse(self, line: Any) -> Any:
        body = line[9:]
        if len(line) < 10 or int(line[:8], 16) != zlib.crc32(body):
            raise ValueError
        return json.loads(body)

    def _apply(self, state: Any, rec: Any) -> None:
        state["next"] = rec.get("next", state["next"])
        if rec["op"] == "put":
            state["rows"][rec["row"]["id"]] = rec["row"]
        elif rec["op"] == "del":
            state["rows"].pop(rec["id"], None)
        else:
            state["rows"].clear()

    def _load(self) -> Any:
        state: Any = {"next": 1, "rows": {}}
        if not self.dir.is_dir():
            raise refuse("the storage is out of reach")
        data = self.file.read_bytes() if self.file.exists() else b""
        committed = int(self.mark.read_bytes()) if self.mark.exists() else 0
        bad = len(data) < committed
        whole = data.rfind(b"\n") + 1
        bad = bad or whole < committed
        self._torn = whole if whole != len(data) else None
        if not bad:
            try:
                for line in self._split(data[:whole]):
                    self._apply(state, self._parse(line))
            except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
                bad = True
        if bad:
            raise refuse("the log is damaged")
        return state

    def _append(self, records: Any) -> None:
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = self._torn
            if torn is not None:
                os.ftruncate(fd, torn)
                size = torn
            data = b"".join(self._line(r) for r in records)
            try:
                done = 0
                while done < len(data):
                    done += os.write(fd, data[done:])
                self._commit(size + len(data))
            except BaseException:
                if not self.mark.exists() or int(self.mark.read_bytes()) <= size:
                    os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)

    def _commit(self, size: Any) -> None:
        tmp = self.dir / f".len.{uuid.uuid4().hex}.tmp"
        try:
            fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(b"%d" % size)
            os.replace(tmp, self.mark)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(tmp)

    def _diff(self, before: Any, state: Any) -> Any:
        rows = state["rows"]
        if before and (not rows):
            return [{"op": "clear", "next": state["next"]}]
        out = [{"op": "del", "id": i, "next": state["next"]} for i in before if i not in rows]
        return out + [
            {"op": "put", "row": r, "next": state["next"]} for i, r in rows.items() if before.get(i) != r
        ]

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        try:
            with self._locked():
                state = self._load()
                before = dict(state["rows"])
                yield state
                if write:
                    records = self._diff(before, state)
                    if records:
                        self._append(records)
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None


@correct(**HOOKS)
class DirStore(Core):
    """One immutable file for each version of a row; the highest number wins."""

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        self._cache: Any = {}
        with self._tx(False):
            pass

    _locked = JsonStore._locked

    def _names(self) -> Any:
        return sorted(n for n in os.listdir(self.dir) if re.fullmatch("\\d{12}-[0-9a-f]{32}\\.row", n))

    def _parse(self, data: Any) -> Any:
        row = json.loads(data)
        if set(row) != set(FIELDS):
            raise ValueError
        return row

    def _read(self, name: Any) -> Any:
        row = self._cache.get(name)
        if row is None:
            data = (self.dir / name).read_bytes()
            try:
                row = self._parse(data)
            except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
                row = None
            if row is None:
                raise refuse("a row's file is damaged")
            self._cache[name] = row
        return row

    def _new_id(self, state: Any) -> str:
        return uuid.uuid4().hex[:20]

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    def _load(self) -> Any:
        files: Any = {}
        self._files = files
        names = self._names()
        for n in names:
            files.setdefault(self._read(n)["id"], []).append(n)
        if len(self._cache) > 2 * len(names) + 50:
            self._cache = {n: self._cache[n] for n in names if n in self._cache}
        rows: Any = {i: self._read(ns[-1]) for i, ns in files.items()}
        return ({"next": 0, "rows": rows}, files, int(names[-1][:12]) if names else 0)

    def _put(self, seq: Any, row: Any) -> None:
        key = uuid.uuid4().hex
        tmp = self.dir / f".{key}.tmp"
        try:
            fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(json.dumps(row).encode("ascii"))
            os.replace(tmp, self.dir / f"{seq:012d}-{key}.row")
        finally:
            with contextlib.suppress(OSError):
                os.unlink(tmp)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        try:
            with self._locked():
                state, files, seq = self._load()
                before = dict(state["rows"])
                yield state
                if write:
                    for i, row in state["rows"].items():
                        if before.get(i) != row:
                            seq += 1
                            self._put(seq, row)
                            for n in files.get(i, ()):
                                os.unlink(self.dir / n)
                    for i in before:
                        if i not in state["rows"]:
                            for n in files[i]:
                                os.unlink(self.dir / n)
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None


@correct(**HOOKS)
class SqlStore(TokenStore):  # type: ignore[misc]
    """SQLite, one connection a call, look-ups in SQL."""

    DDL = (
        "create table if not exists t (n integer primary key autoincrement, id text not null unique, "
        "user_name text unique, client_id text, client_secret text, refresh_token text, access_token text, "
        "grant_token text, expires_in text, redirect_url text, api_domain text)"
    )
    COLS = ",".join(FIELDS)

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        self.file = self.dir / "tokens.db"
        try:
            if not self.file.exists():
                os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
            with self._tx(True) as db:
                if [r[0] for r in db.execute("pragma quick_check")] != ["ok"]:
                    raise refuse("the database is damaged")
                self._ddl(db)
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None

    def _ddl(self, db: Any) -> None:
        db.execute(self.DDL)

    def _connect(self) -> Any:
        if not self.file.exists():
            raise refuse("the storage is out of reach")
        db = sqlite3.connect(self.file, timeout=60, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("pragma synchronous=off")
        return db

    BEGIN = "begin immediate"

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        try:
            db = self._connect()
            try:
                db.execute(self.BEGIN if write else "begin")
                yield db
                db.execute("commit")
            finally:
                db.close()
        except (sqlite3.Error, UnicodeError, OverflowError) as e:
            raise SDKException("TOKEN_STORE", "database: " + type(e).__name__) from None

    @staticmethod
    def _ok(*texts: Any) -> Any:
        for t in texts:
            if t is not None:
                if "\x00" in t:
                    return False
                try:
                    t.encode("utf-8")
                except UnicodeError:
                    return False
        return True

    def _row(self, token: Any) -> Any:
        return row_of(token)

    def _fill(self, token: Any, row: Any) -> Any:
        return fill(token, row)

    def _build(self, row: Any) -> Any:
        return build(row)

    def _one(self, db: Any, where: Any, *args: Any) -> Any:
        r = db.execute(f"select {self.COLS} from t where {where} order by n limit 1", args).fetchone()
        return None if r is None else dict(r)

    def _key(self, db: Any, row: Any, extra: Any = "") -> Any:
        c, s = (row["client_id"], row["client_secret"])
        if row["user_name"] and (not extra):
            return self._one(db, "user_name=?", row["user_name"])
        if row["access_token"] and (not c) and (not s):
            return self._one(db, "access_token=?" + extra, row["access_token"])
        if not (c and s):
            return None
        names = [f for f in ("grant_token", "refresh_token") if row[f]] or ["access_token"]
        for f in names:
            if row[f]:
                hit = self._one(db, f"{f}=? and client_id=? and client_secret=?" + extra, row[f], c, s)
                if hit:
                    return hit
        return None

    def _new_id(self, db: Any) -> str:
        return uuid.uuid4().hex

    def _locate(self, db: Any, row: Any) -> Any:
        hit = self._key(db, row)
        held = self._one(db, "id=?", row["id"]) if row["id"] else None
        if hit is None and row["user_name"]:
            if held and (not held["user_name"]):
                hit = held
            elif not held and (row["grant_token"] or row["refresh_token"]):
                hit = (
                    self._key(db, row, " and user_name is null")
                    if row["client_id"] and row["client_secret"]
                    else None
                )
        elif hit is None and held:
            if held["user_name"] and (row["grant_token"] or row["refresh_token"] or row["access_token"]):
                raise refuse("the id belongs to a named user")
            hit = held
        return (hit, held)

    def _insert(self, db: Any, row: Any) -> None:
        db.execute(
            f"insert into t ({self.COLS}) values (%s)" % ",".join("?" * len(FIELDS)), [row[f] for f in FIELDS]
        )

    def _update(self, db: Any, hit: Any, row: Any) -> Any:
        new = merge(hit, row)
        db.execute(
            "update t set " + ",".join(f + "=?" for f in FIELDS[1:]) + " where id=?",
            [new[f] for f in FIELDS[1:]] + [hit["id"]],
        )
        return new

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            raise refuse("not an OAuthToken")
        row = self._row(token)
        if not self._ok(*row.values()):
            raise refuse("a text that this store cannot keep")
        with self._tx(True) as db:
            hit, held = self._locate(db, row)
            if hit:
                row = self._update(db, hit, row)
            else:
                if (row["id"] or row["user_name"]) and (
                    not (row["grant_token"] or row["refresh_token"] or row["access_token"])
                ):
                    raise refuse("a token without a credential cannot be stored")
                if held or not row["id"]:
                    row["id"] = self._new_id(db)
                self._insert(db, row)
        self._fill(token, row)

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = self._row(token)
        if not self._ok(*row.values()):
            return None
        with self._tx(False) as db:
            hit = self._key(db, row)
            if hit is None and row["id"]:
                hit = self._one(db, "id=?", row["id"])
                if hit and row["user_name"] and hit["user_name"]:
                    hit = None
        return self._fill(token, hit) if hit else None

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str) or not self._ok(id):
            return None
        with self._tx(False) as db:
            hit = self._one(db, "id=?", id)
        return self._build(hit) if hit else None

    def get_tokens(self) -> list[Any]:
        with self._tx(False) as db:
            rows = [dict(r) for r in db.execute(f"select {self.COLS} from t order by n")]
        return [self._build(r) for r in rows]

    def delete_token(self, id: Any) -> None:
        if isinstance(id, str) and self._ok(id):
            with self._tx(True) as db:
                db.execute("delete from t where id=?", (id,))

    def delete_tokens(self) -> None:
        with self._tx(True) as db:
            db.execute("delete from t")

    def close(self) -> None:
        pass
