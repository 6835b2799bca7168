"""The first batch: mistakes of stores that keep one file."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import locale
import os
import pickle
import random
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import fault
from .first_designs import FIELDS, HOOKS, PLAIN, Core, JsonStore, by_key, merge, refuse, row_of


@fault("PROC-1", says="no such row")
class JsonUnlinksLockFile(JsonStore):
    """The lock file is deleted after use: one may hold the old file's lock, another the new one's."""

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        path = self.dir / "tokens.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


@fault("PERSIST-2", says="is seen at once by the store that did not save it")
class JsonMtimeInSeconds(JsonStore):
    """The parsed file is cached for as long as its modification time, in whole seconds, stays the same."""

    _seen: Any = None

    def _load(self) -> Any:
        if self.file.exists():
            stamp = int(self.file.stat().st_mtime)
            if self._seen and self._seen[0] == stamp:
                return json.loads(self._seen[1])
            state = super()._load()
            self._seen = (stamp, json.dumps(state))
            return state
        return super()._load()

    def _dump(self, state: Any) -> None:
        super()._dump(state)
        self._seen = (int(self.file.stat().st_mtime), json.dumps(state))


@fault("PERSIST-2", says="the other store finds an update of a token that was found")
class JsonCacheBySize(JsonStore):
    """The parsed file is cached for as long as the file keeps its size."""

    _seen: Any = None

    def _load(self) -> Any:
        if self.file.exists():
            size = self.file.stat().st_size
            if self._seen and self._seen[0] == size:
                return json.loads(self._seen[1])
            state = super()._load()
            self._seen = (size, json.dumps(state))
            return state
        return super()._load()

    def _dump(self, state: Any) -> None:
        super()._dump(state)
        self._seen = (self.file.stat().st_size, json.dumps(state))


@fault("CRASH-2", says="the store opens")
class JsonWritesInPlace(JsonStore):
    """The file is cut and written in place, so a write that fails or is killed loses the rows."""

    def _dump(self, state: Any) -> None:
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(self._encode(state))


@fault("PERSIST-5", says="the store opens in another process")
class JsonPreferredEncoding(JsonStore):
    """The text is written unescaped in the encoding that the process prefers."""

    def _encode(self, state: Any) -> Any:
        try:
            return json.dumps(state, ensure_ascii=False).encode(locale.getpreferredencoding(False))
        except UnicodeError:
            pass
        raise refuse("a text that cannot be encoded")

    def _decode(self, data: Any) -> Any:
        return json.loads(data.decode(locale.getpreferredencoding(False)))


@fault("VALUE-9", says="came back as 'a?b'")
class JsonReplacesSurrogates(JsonStore):
    """Characters that UTF-8 cannot carry are written as question marks."""

    def _encode(self, state: Any) -> Any:
        return json.dumps(state, ensure_ascii=False).encode("utf-8", "replace")


@fault("CRASH-3", says="a file is refused when its first")
class JsonDamagedStartsEmpty(JsonStore):
    """A file that does not parse counts as empty, and the next save overwrites it."""

    def _load(self) -> Any:
        try:
            return super()._load()
        except SDKException:
            if not self.dir.is_dir():
                raise
            return {"next": 1, "rows": {}}


@fault("VALUE-2", "VALUE-5", says="expires_in comes back as")
class JsonExpiryAsFloat(JsonStore):
    """expires_in is kept as a float of seconds and turned back into milliseconds."""

    def _row(self, token: Any) -> Any:
        row = row_of(token)
        if row["expires_in"]:
            with contextlib.suppress(ValueError, OverflowError):
                row["expires_in"] = str(int(float(row["expires_in"]) / 1000 * 1000))
        return row


@fault("PERSIST-4", says="in another working directory")
class JsonRelativePath(JsonStore):
    """The location is remembered relative to the working directory at opening."""

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(os.path.relpath(location))
        self.file = self.dir / self.NAME
        with self._tx(False):
            pass


@fault("SECRET-1", says="tokens.json.bak has mode 0644")
class JsonBackupForAll(JsonStore):
    """Before each write the file is copied to tokens.json.bak, whose mode comes from the umask."""

    def _dump(self, state: Any) -> None:
        if self.file.exists():
            with open(self.dir / "tokens.json.bak", "wb") as f:
                f.write(self.file.read_bytes())
        super()._dump(state)


@fault("SECRET-1", says="tokens.json has mode 0644")
class JsonModeAtFirstWriteOnly(JsonStore):
    """The file is closed to others when it is made; rewriting replaces it by one with the umask's mode."""

    def _dump(self, state: Any) -> None:
        fresh = not self.file.exists()
        tmp = self.dir / f".tokens.{uuid.uuid4().hex}.tmp"
        try:
            with open(tmp, "wb") as f:
                f.write(self._encode(state))
            if fresh:
                os.chmod(tmp, 0o600)
            os.replace(tmp, self.file)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(tmp)


@fault("THREAD-2", says="threads that save different users leave each of them one")
class JsonGivesUpWaiting(JsonStore):
    """A lock that is not free after a twentieth of a second is taken for left behind and ignored."""

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        fd = os.open(self.dir / "tokens.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = time.monotonic() + 0.05
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        break
                    time.sleep(0.002)
            yield
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


@fault("PROC-2", says="no such row")
class JsonLockHeldOpenOverFork(JsonStore):
    """The lock file is opened once in the constructor, so parent and child share one lock after a fork."""

    def __init__(self, location: Path) -> None:
        self._guard = threading.RLock()
        self._fd: Any = os.open(Path(location).absolute() / "tokens.lock", os.O_RDWR | os.O_CREAT, 0o600)
        os.register_at_fork(after_in_child=self._renew)
        super().__init__(location)

    def _renew(self) -> None:
        self._guard = threading.RLock()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        with self._guard:
            if self._fd is None:
                raise refuse("closed")
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        with self._guard:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None


@fault("CRASH-4", says="returned None", **HOOKS)
class JsonMissingIsEmpty(JsonStore):
    """Whatever keeps the file from being opened is taken for an empty store by what only reads."""

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        if write:
            with super()._tx(True) as state:
                yield state
            return
        found: Any = {"next": 1, "rows": {}}
        try:
            with contextlib.suppress(OSError):
                found = json.loads(self.file.read_bytes())
        except ValueError:
            raise refuse("the token file is damaged") from None
        yield found


@fault("CRASH-5", says="in reach again, the same store has every row, and works on", **HOOKS)
class JsonBrokenForGood(JsonStore):
    """After one storage error the store object refuses every later call."""

    _dead: Any = False

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        if self._dead:
            raise refuse("the store failed before")
        if not self.dir.is_dir():
            self._dead = True
        with super()._tx(write) as state:
            yield state


@fault("PROC-1", says="opening the store costs no row")
class JsonFirstOpenWrites(JsonStore):
    """Opening looks for the file and, outside the lock, writes an empty one over another opener's row."""

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        self.file = self.dir / self.NAME
        if not self.file.exists():
            self._between()
            self._dump({"next": 1, "rows": {}})
        else:
            with self._tx(False):
                pass

    def _between(self) -> None:
        pass


@fault("PERSIST-1", says="a store opened again has every row, as it was")
class JsonOpeningUnites(JsonStore):
    """Opening "repairs" the file: of rows that share client and refresh token only the newest stays."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        with self._tx(True) as state:
            seen = {}
            for i, r in state["rows"].items():
                key = (r["client_id"], r["refresh_token"]) if r["refresh_token"] else i
                seen[key] = (i, r)
            state["rows"] = dict(seen.values())


@fault("PERSIST-2", "PERSIST-3", says="is seen at once by the store that did not save it")
class JsonCounterFromOpening(JsonStore):
    """Counts ids in the object from what was stored at opening: two open stores give one id twice."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        with self._tx(False) as state:
            self._next = state["next"]

    def _new_id(self, state: Any) -> str:
        new = str(self._next)
        self._next += 1
        state["next"] = max(state["next"], self._next)
        return new

    def _note_id(self, state: Any, given: Any) -> None:
        super()._note_id(state, given)
        self._next = max(self._next, state["next"])


@fault("PERSIST-5", "FLOW-2", says="finds its row in a process with")
class JsonHashedNames(JsonStore):
    """Rows are looked up by hash() of the user name, which differs from process to process."""

    def _insert(self, state: Any, row: Any) -> Any:
        row = super()._insert(state, row)
        self._mark(state, row)
        return row

    def _mark(self, state: Any, row: Any) -> None:
        if row["user_name"]:
            state.setdefault("names", {})[str(hash(row["user_name"]))] = row["id"]

    def _merge(self, old: Any, new: Any) -> Any:
        row = merge(old, new)
        self._mark(self._cur, row)
        return row

    def _key(self, rows: Any, row: Any) -> Any:
        if not row["user_name"]:
            return by_key(rows, row)
        i = self._cur.get("names", {}).get(str(hash(row["user_name"])))
        r = self._cur["rows"].get(i)
        return r if r and r["user_name"] == row["user_name"] else None

    _local = threading.local()

    @property
    def _cur(self) -> Any:
        return self._local.cur

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with super()._tx(write) as state:
            self._local.cur = state
            yield state


@fault("CLEAR-3", says="notes.txt is gone")
class JsonClearsTheFolder(JsonStore):
    """delete_tokens removes the whole folder and makes it anew."""

    def delete_tokens(self) -> None:
        with self._locked():
            state = self._load()
            for p in self.dir.iterdir():
                if p.name == "tokens.lock":
                    continue
                shutil.rmtree(p) if p.is_dir() else p.unlink()
            self._dump({"next": state["next"], "rows": {}})


@fault("SAVE-4", says="the stored user")
class JsonAppendsExtraOnUpdate(JsonStore):
    """An update moves the row under the id that the token brought, a stale one too."""

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            raise refuse("not an OAuthToken")
        row = self._row(token)
        with self._tx(True) as state:
            hit = self._locate(state, row)
            if hit is None:
                new = self._insert(state, dict(row))
            else:
                new = self._merge(hit, row)
                if row["id"] and row["id"] not in state["rows"]:
                    state["rows"].pop(hit["id"])
                    new["id"] = row["id"]
                state["rows"][new["id"]] = new
        self._fill(token, new)


@fault("CRASH-6", says="every row still reads, also in another thread than the one")
class JsonLockLostOnInterrupt(JsonStore):
    """Only SDKException clears the flag of a save: an interrupted call locks out all later ones."""

    _busy: Any = False

    def __init__(self, location: Path) -> None:
        self._cond = threading.Condition()
        super().__init__(location)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self._cond:
            if not self._cond.wait_for(lambda: not self._busy, 10):
                raise refuse("busy for too long")
            self._busy = True
        try:
            with super()._tx(write) as state:
                yield state
        except Exception as e:
            if isinstance(e, (SDKException, OSError)):
                self._free()
            raise
        self._free()

    def _free(self) -> None:
        with self._cond:
            self._busy = False
            self._cond.notify()


@fault("BYID-5", says="Initializer.initialize works")
class PickledTokens(Core):
    """Pickles its rows, and makes the tokens that it hands out with object.__new__ and the setters."""

    NAME = "tokens.pickle"
    __init__, _locked, _load, _dump, _tx = (
        JsonStore.__init__,
        JsonStore._locked,
        JsonStore._load,
        JsonStore._dump,
        JsonStore._tx,
    )

    def _encode(self, state: Any) -> Any:
        return pickle.dumps(state)

    def _decode(self, data: Any) -> Any:
        if not data.endswith(b"."):
            raise ValueError
        return pickle.loads(data)

    def _build(self, row: Any) -> Any:
        t = object.__new__(OAuthToken)
        for f in ("id", *PLAIN):
            getattr(t, "set_" + f)(row[f])
        t.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
        return t


@fault("VALUE-1", says="comes back as '0'")
class CsvSniffsNumbers(JsonStore):
    """A CSV file whose cells are guessed to be numbers: a value of digits loses its leading zeros."""

    NAME = "tokens.csv"

    def _encode(self, state: Any) -> Any:
        def cell(v: Any) -> str:
            return base64.b64encode((v or "").encode("utf-8", "surrogatepass")).decode()

        rows = [",".join(cell(r[f]) for f in FIELDS) for r in state["rows"].values()]
        lines = ["next,%d" % state["next"], *rows]
        return ("\n".join(lines) + "\n").encode("ascii")

    def _decode(self, data: Any) -> Any:
        lines = [x.split(",") for x in data.decode("ascii").split("\n")[:-1]]
        if (
            lines[0][0] != "next"
            or any(len(x) != len(FIELDS) for x in lines[1:])
            or (not data.endswith(b"\n"))
        ):
            raise ValueError
        state: Any = {"next": int(lines[0][1]), "rows": {}}
        for line in lines[1:]:
            r = {f: self._cell(f, v) for f, v in zip(FIELDS, line)}
            state["rows"][r["id"]] = r
        return state

    def _cell(self, f: Any, v: Any) -> Any:
        v = base64.b64decode(v).decode("utf-8", "surrogatepass") or None
        if v and f not in ("id", "expires_in") and v.isascii() and v.isdigit():
            v = v.lstrip("0") or "0"
        return v


@fault("PROC-2", says="no such row")
class JsonForkedDice(JsonStore):
    """Ids come from a random generator seeded at opening: after a fork both sides throw the same."""

    def __init__(self, location: Path) -> None:

        self._dice = random.Random()
        super().__init__(location)

    def _new_id(self, state: Any) -> str:
        return "%016x" % self._dice.getrandbits(64)


@fault("PERSIST-5", says="the rows as they are, in a process with")
class JsonLocalTime(JsonStore):
    """expires_in is written as local time without its zone."""

    FORM = "%Y-%m-%dT%H:%M:%S"

    def _encode(self, state: Any) -> Any:
        rows: Any = {}
        for i, r in state["rows"].items():
            e = r["expires_in"]
            if e and len(e) == 13 and e.isascii() and e.isdigit():
                local = time.strftime(self.FORM, time.localtime(int(e) // 1000))
                if self._millis(local, e[-3:]) == e:
                    rows[i] = dict(r, expires_in=None, expires_at=[local, e[-3:]])
                    continue
            rows[i] = r
        return json.dumps(dict(state, rows=rows)).encode("ascii")

    def _millis(self, local: Any, ms: Any) -> Any:
        return "%d%s" % (time.mktime(time.strptime(local, self.FORM)), ms)

    def _decode(self, data: Any) -> Any:
        state = json.loads(data)
        for r in state["rows"].values():
            if "expires_at" in r:
                r["expires_in"] = self._millis(*r.pop("expires_at"))
        return state
