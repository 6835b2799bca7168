"""The third batch: correct stores with unusual habits."""

# mypy: ignore-errors
from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import queue
import random
import re
import secrets
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
import weakref
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore

from ..catalogue import correct
from .third_designs import (
    FIELDS,
    FORK_GUARD,
    HOOKS,
    HomeStore,
    JsonStore,
    LogStore,
    RowStore,
    SqliteStore,
    encodable,
    fields_of,
    fill_token,
    private,
    refused,
    seal,
    unseal,
)


class LoudDelete:
    """Deleting an unknown id raises (left open)."""

    def remove(self, state: Any, wanted: Any) -> Any:
        if not any(row["id"] == wanted for row in state["rows"]):
            raise refused("no token has this id")
        super().remove(state, wanted)


@correct(**HOOKS)
class XmlStore(LoudDelete, JsonStore):
    """An XML file, a row an element, values as JSON strings in attributes; deleting an unknown id raises.

    The list is ordered from new to old.
    """

    FOLDER = "xml"

    def encode(self, state: Any) -> Any:
        root = ElementTree.Element("tokens", last=str(state["last"]))
        for row in state["rows"]:
            ElementTree.SubElement(
                root, "token", {name: json.dumps(value) for name, value in row.items() if value is not None}
            )
        return ElementTree.tostring(root)

    def decode(self, body: Any) -> Any:
        root = ElementTree.fromstring(body)
        rows = []
        for element in root:
            rows.append({name: json.loads(element.get(name, "null")) for name in FIELDS})
        return {"rows": rows, "last": int(root.get("last"))}

    def get_tokens(self) -> Any:
        return super().get_tokens()[::-1]


@correct(**HOOKS)
class PercentStore(JsonStore):
    """Tab-separated lines of percent-encoded texts; `-` is absent. Ids are `t` and a number in base 36.

    Lone surrogates are refused.
    """

    FOLDER = "percent"
    DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

    def check(self, new: Any) -> Any:
        if not all(value is None or encodable(value) for value in new.values()):
            raise refused("this text cannot be kept")

    def encode(self, state: Any) -> Any:
        lines = [str(state["last"])]
        for row in state["rows"]:
            lines.append(
                "\t".join(
                    "-" if row[name] is None else "+" + urllib.parse.quote(row[name], safe="")
                    for name in FIELDS
                )
            )
        return "\n".join(lines).encode("ascii")

    def decode(self, body: Any) -> Any:
        last, *lines = body.decode("ascii").split("\n")
        rows = []
        for line in lines:
            values = [
                None if cell == "-" else urllib.parse.unquote(cell[1:], errors="strict")
                for cell in line.split("\t")
            ]
            rows.append(dict(zip(FIELDS, values)))
        return {"rows": rows, "last": int(last)}

    def base36(self, number: Any) -> Any:
        text = ""
        while number:
            number, digit = divmod(number, 36)
            text = self.DIGITS[digit] + text
        return "t" + text

    def new_id(self, state: Any) -> Any:
        taken = {row["id"] for row in state["rows"]}
        while True:
            state["last"] += 1
            if self.base36(state["last"]) not in taken:
                return self.base36(state["last"])

    def note_id(self, state: Any, given: Any) -> Any:
        if re.fullmatch("t[1-9a-z][0-9a-z]{0,11}", given):
            state["last"] = max(state["last"], int(given[1:], 36))


@correct(**HOOKS)
class SealedStore(JsonStore):
    """The whole file is encrypted (SHAKE-256 key stream.

    HMAC over it) with a key that lies in a file beside it.
    """

    FOLDER = "sealed"

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        path = self.home / "key"
        if not path.exists():
            mine = self.home / ("key." + uuid.uuid4().hex)
            with open(mine, "xb", opener=private) as handle:
                handle.write(secrets.token_bytes(32))
            try:
                os.link(mine, path)
            except FileExistsError:
                pass
            finally:
                mine.unlink()
        self._key = path.read_bytes()

    def cover(self, nonce: Any, data: Any) -> Any:
        stream = hashlib.shake_256(self._key + nonce).digest(len(data))
        return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")

    def encode(self, state: Any) -> Any:
        nonce = secrets.token_bytes(16)
        data = nonce + self.cover(nonce, json.dumps(state).encode("ascii"))
        return hmac.digest(self._key, data, "sha256") + data

    def decode(self, body: Any) -> Any:
        if not hmac.compare_digest(body[:32], hmac.digest(self._key, body[32:], "sha256")):
            raise refused("the file was sealed with another key")
        return json.loads(self.cover(body[32:48], body[48:]))


@correct(**HOOKS)
class ShardedStore(HomeStore):
    """Rows are spread over seven files by their id.

    A manifest names the files that count, and a change writes new files and then replaces the manifest. Ids
    are random letters, never given twice in practice.
    """

    FOLDER = "shards"
    SHARDS = 7

    def shard_of(self, row: Any) -> Any:
        return str(zlib.crc32(row["id"].encode("utf-8", "surrogatepass")) % self.SHARDS)

    def load(self) -> Any:
        try:
            manifest = json.loads(unseal((self.home / "manifest").read_bytes()))
        except FileNotFoundError:
            manifest = {"turn": 0, "files": {}}
        rows = []
        for name in manifest["files"].values():
            rows += json.loads(unseal((self.home / name).read_bytes()))
        rows.sort(key=lambda row: row["order"])
        return {"rows": rows, "manifest": manifest}

    def store(self, state: Any, before: Any) -> Any:
        manifest = state["manifest"]
        touched = set()
        for row in state["rows"]:
            if row is not before.get(row["id"]):
                row.setdefault("order", manifest["turn"])
                touched.add(self.shard_of(row))
        kept = {row["id"] for row in state["rows"]}
        touched |= {self.shard_of(row) for id, row in before.items() if id not in kept}
        files = dict(manifest["files"])
        turn = manifest["turn"] + 1
        for shard in touched:
            rows = [row for row in state["rows"] if self.shard_of(row) == shard]
            files.pop(shard, None)
            if rows:
                files[shard] = "shard-%s-%d" % (shard, turn)
                self.replace_file(self.home / files[shard], seal(json.dumps(rows).encode("ascii")))
        self.replace_file(self.home / "manifest", seal(json.dumps({"turn": turn, "files": files}).encode()))
        for path in self.home.glob("shard-*"):
            if path.name not in files.values():
                path.unlink()

    def new_id(self, state: Any) -> Any:
        return "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(20))

    def note_id(self, state: Any, given: Any) -> Any:
        pass


@correct(**HOOKS)
class JournalStore(LoudDelete, LogStore):
    """Log-structured: an append-only log with a hash chain.

    Compacted when it has more than twenty lines and is three times as long as its rows; deleting an unknown
    id raises.
    """

    FOLDER = "journal"
    COMPACT = 20


@correct(**HOOKS)
class UuidStore(JsonStore):
    """A JSON file, ids are UUIDs; a user saved under another user's id gets a row of their own."""

    FOLDER = "uuid"

    def new_id(self, state: Any) -> Any:
        return str(uuid.uuid4())

    def note_id(self, state: Any, given: Any) -> Any:
        pass

    def put(self, state: Any, new: Any) -> Any:
        if new["user_name"] and new["id"]:
            row = self.by_id(state["rows"], new["id"])
            if row is not None and row["user_name"] and row["user_name"] != new["user_name"]:
                new = {**new, "id": None}
        return super().put(state, new)


@correct(**HOOKS)
class CachedStore(JsonStore):
    """A JSON file with a cache of its rows.

    Which counts only while the checksum in the file is the same.
    """

    FOLDER = "cached"

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self._cache = (None, None)

    def load(self) -> Any:
        try:
            with open(self.path, "rb") as handle:
                head = handle.readline()
                known, state = self._cache
                size = os.fstat(handle.fileno()).st_size
                if known != (head, size):
                    state = json.loads(unseal(head + handle.read()))
                    self._cache = ((head, size), state)
        except FileNotFoundError:
            return {"rows": [], "last": 0}
        return {"rows": list(state["rows"]), "last": state["last"]}


@correct(**HOOKS)
class LazyStore(JsonStore):
    """Touches the disk at its first call, not when it is made; ids count down from -1 (no more reused)."""

    FOLDER = "lazy"

    def __init__(self, location: Any) -> Any:
        self._location = os.path.abspath(location)
        self._ready = False
        self.home = Path(self._location) / self.FOLDER

    def run(self, work: Any, write: Any) -> Any:
        if not self._ready:
            JsonStore.__init__(self, self._location)
            self._ready = True
        return super().run(work, write)

    def break_storage(self) -> Any:
        if not self.home.exists():
            self.get_tokens()
        super().break_storage()

    def new_id(self, state: Any) -> Any:
        taken = {row["id"] for row in state["rows"]}
        while True:
            state["last"] += 1
            if str(-state["last"]) not in taken:
                return str(-state["last"])

    def note_id(self, state: Any, given: Any) -> Any:
        if re.fullmatch("-[1-9][0-9]{0,17}", given):
            state["last"] = max(state["last"], int(given[1:]))


@correct(**HOOKS)
class PackedStore(JsonStore):
    """One file, compressed by zlib and written as base-85 text; fills in the passed token when it saves."""

    FOLDER = "packed"

    def encode(self, state: Any) -> Any:
        return base64.b85encode(zlib.compress(json.dumps(state).encode("ascii"), 1))

    def decode(self, body: Any) -> Any:
        return json.loads(zlib.decompress(base64.b85decode(body)))

    def after_save(self, token: Any, row: Any) -> Any:
        fill_token(token, row)


@correct(**HOOKS)
class BinaryStore(JsonStore):
    """One binary file of length-prefixed texts in UTF-8 with surrogates passed; one id is 12 hex digits."""

    FOLDER = "binary"
    ABSENT = 0xFFFFFFFF

    def encode(self, state: Any) -> Any:
        parts = [struct.pack(">I", len(state["rows"]))]
        for row in state["rows"]:
            for name in FIELDS:
                if row[name] is None:
                    parts.append(struct.pack(">I", self.ABSENT))
                else:
                    data = row[name].encode("utf-8", "surrogatepass")
                    parts += [struct.pack(">I", len(data)), data]
        return b"".join(parts)

    def decode(self, body: Any) -> Any:
        place = 4
        rows = []
        for _ in range(struct.unpack_from(">I", body)[0]):
            row = {}
            for name in FIELDS:
                (size,) = struct.unpack_from(">I", body, place)
                place += 4
                row[name] = None
                if size != self.ABSENT:
                    row[name] = body[place : place + size].decode("utf-8", "surrogatepass")
                    place += size
            rows.append(row)
        return {"rows": rows, "last": 0}

    def new_id(self, state: Any) -> Any:
        taken = {row["id"] for row in state["rows"]}
        while True:
            id = uuid.uuid4().hex[:12]
            if id not in taken:
                return id

    def note_id(self, state: Any, given: Any) -> Any:
        pass


@correct(**HOOKS)
class ObjectsStore(HomeStore):
    """As git does it: each row is an object file named by its hash.

    And a HEAD names the objects that count. Objects never change, so they are cached for good.
    """

    FOLDER = "objects"

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self._objects = {}

    def load(self) -> Any:
        try:
            head = json.loads(unseal((self.home / "HEAD").read_bytes()))
        except FileNotFoundError:
            return {"rows": [], "last": 0, "names": {}}
        rows, names, known, loaded = [], {}, self._objects, {}
        for name in head["objects"]:
            row = known.get(name)
            if row is None:
                data = (self.home / ("object-" + name)).read_bytes()
                if hashlib.sha256(data).hexdigest() != name:
                    raise refused("an object is damaged")
                row = json.loads(data)
            loaded[name] = row
            rows.append(row)
            names[row["id"]] = name
        self._objects = loaded
        return {"rows": rows, "last": head["last"], "names": names}

    def store(self, state: Any, before: Any) -> Any:
        objects = []
        for row in state["rows"]:
            if row is before.get(row["id"]):
                objects.append(state["names"][row["id"]])
                continue
            data = json.dumps(row).encode("ascii")
            name = hashlib.sha256(data).hexdigest()
            self.replace_file(self.home / ("object-" + name), data)
            objects.append(name)
        self.replace_file(
            self.home / "HEAD", seal(json.dumps({"last": state["last"], "objects": objects}).encode())
        )
        kept = {"object-" + name for name in objects}
        for path in self.home.glob("object-*"):
            if path.name not in kept:
                path.unlink()


@correct(**HOOKS)
class ThreadConnectionStore(SqliteStore):
    """SQLite with one connection for each thread and process, kept open.

    It is opened anew when the file is another one. An unnamed token never updates the row of a named user
    by id alone (it fails cleanly).
    """

    FOLDER = "connections"

    def __init__(self, location: Any) -> Any:
        self._local = threading.local()
        super().__init__(location)

    def kept(self) -> Any:
        stat = os.stat(self.path)
        which = (os.getpid(), stat.st_dev, stat.st_ino)
        if getattr(self._local, "which", None) != which:
            old = getattr(self._local, "db", None)
            if old is not None and self._local.which[0] == which[0]:
                old.close()
            elif old is not None:
                ABANDONED.append(old)  # a parent's connection: closing it here could drop the parent's locks
            self._local.which = None
            self._local.db = self.connect()
            self._local.which = which
        return self._local.db

    def transact(self, work: Any, write: Any) -> Any:
        try:
            db = self.kept()
            try:
                db.execute("begin immediate" if write else "begin")
                result = work(db)
                db.execute("commit")
                return result
            finally:
                if db.in_transaction:
                    db.execute("rollback")
        except sqlite3.Error as error:
            problem = type(error).__name__
        raise refused("the database failed: " + problem)


ABANDONED = []


@correct(**HOOKS)
class HashedStore(SqliteStore):
    """SQLite, a row a JSON text, looked up by hashes of its keys, so that any text can be kept.

    A passed token that is none is handed back by `find_token` (left open).
    """

    FOLDER = "hashed"

    @staticmethod
    def digest(*parts: Any) -> Any:
        if not all(parts):
            return None
        return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()

    def create(self, db: Any) -> Any:
        db.execute(
            "create table if not exists tokens (seq integer primary key autoincrement, "
            "id_hash text not null unique, user_hash text unique, access_hash text, grant_hash text, "
            "refresh_hash text, body text not null)"
        )
        for name in ("access", "grant", "refresh"):
            db.execute("create index if not exists by_%s on tokens (%s_hash)" % (name, name))
        db.execute("create table if not exists counter (last integer not null)")
        if db.execute("select count(*) from counter").fetchone()[0] == 0:
            db.execute("insert into counter values (0)")

    def hashes(self, row: Any) -> Any:
        return {
            "id_hash": self.digest(row["id"]),
            "user_hash": self.digest(row["user_name"]),
            "access_hash": self.digest(row["access_token"]),
            "grant_hash": self.digest(row["grant_token"], row["client_id"], row["client_secret"]),
            "refresh_hash": self.digest(row["refresh_token"], row["client_id"], row["client_secret"]),
        }

    def pick(self, db: Any, column: Any, digest: Any, unnamed: Any = False) -> Any:
        found = db.execute(
            "select body from tokens where %s=? %s order by seq limit 1"
            % (column, "and user_hash is null" if unnamed else ""),
            (digest,),
        ).fetchone()
        return None if found is None else json.loads(found["body"])

    def by_user(self, db: Any, new: Any) -> Any:
        return self.pick(db, "user_hash", self.digest(new["user_name"]))

    def by_access(self, db: Any, new: Any) -> Any:
        return self.pick(db, "access_hash", self.digest(new["access_token"]))

    def by_grant(self, db: Any, new: Any) -> Any:
        return self.pick(db, "grant_hash", self.hashes(new)["grant_hash"])

    def by_refresh(self, db: Any, new: Any) -> Any:
        return self.pick(db, "refresh_hash", self.hashes(new)["refresh_hash"])

    def by_id(self, db: Any, id: Any) -> Any:
        return self.pick(db, "id_hash", self.digest(id))

    def adopt(self, db: Any, new: Any) -> Any:
        if new["id"]:
            row = self.by_id(db, new["id"])
            if row is not None and row["user_name"]:
                raise refused("this id belongs to another user")
            if row is not None:
                return row
        hashes = self.hashes(new)
        row = self.pick(db, "grant_hash", hashes["grant_hash"], True) if hashes["grant_hash"] else None
        if row is None and hashes["refresh_hash"]:
            row = self.pick(db, "refresh_hash", hashes["refresh_hash"], True)
        return row

    def read_token(self, token: Any) -> Any:
        return fields_of(token)

    def insert(self, db: Any, new: Any) -> Any:
        db.execute(
            "insert into tokens (id_hash, user_hash, access_hash, grant_hash, refresh_hash, body) values "
            "(:id_hash, :user_hash, :access_hash, :grant_hash, :refresh_hash, :body)",
            {**self.hashes(new), "body": json.dumps(new)},
        )

    def update(self, db: Any, row: Any, new: Any) -> Any:
        merged = RowStore.merged(self, row, new)
        db.execute(
            "update tokens set user_hash=:user_hash, access_hash=:access_hash, grant_hash=:grant_hash, "
            "refresh_hash=:refresh_hash, body=:body where id_hash=:id_hash",
            {**self.hashes(merged), "body": json.dumps(merged)},
        )

    def delete(self, db: Any, id: Any) -> Any:
        db.execute("delete from tokens where id_hash=?", (self.digest(id),))

    def all(self, db: Any) -> Any:
        return [json.loads(row["body"]) for row in db.execute("select body from tokens order by seq")]

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return token
        row = self.run(lambda db: self.locate(db, fields_of(token)), False)
        if row is None:
            return None
        self.fill(token, row)
        return token

    def delete_token(self, id: Any) -> Any:
        if id is None:
            raise refused("no id")
        if isinstance(id, str):
            self.run(lambda db: self.delete(db, id), True)

    def find_token_by_id(self, id: Any) -> Any:
        row = self.run(lambda db: self.by_id(db, id), False) if isinstance(id, str) and id else None
        return None if row is None else self.make(row)


@correct(**HOOKS)
class RetryStore(SqliteStore):
    """SQLite without a waiting time of its own: a busy database is tried again after a random pause."""

    FOLDER = "retry"
    PATIENCE = 60

    def connect(self) -> Any:
        db = super().connect()
        db.execute("pragma busy_timeout=0")
        return db

    def run(self, work: Any, write: Any) -> Any:
        end = time.monotonic() + self.PATIENCE
        while True:
            try:
                with FORK_GUARD:
                    return self.attempt(work, write, end)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    problem = type(error).__name__
                    break
            except sqlite3.Error as error:
                problem = type(error).__name__
                break
            time.sleep(random.uniform(0.001, 0.01))
        raise refused("the database failed: " + problem)

    def attempt(self, work: Any, write: Any, end: Any) -> Any:
        db = self.connect()
        try:
            db.execute("begin immediate" if write else "begin")
            result = work(db)
            return self.commit(db, result, end)
        finally:
            db.close()

    def commit(self, db: Any, result: Any, end: Any) -> Any:
        """Commit; beside readers this may have to wait, and the transaction stays open meanwhile."""
        while True:
            try:
                db.execute("commit")
                return result
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
            time.sleep(random.uniform(0.0005, 0.003))


@correct(**HOOKS)
class CompareAndSwapStore(RowStore):
    """All rows in one document with a version, in SQLite.

    A change is compare-and-swap, tried again on conflict.
    """

    FOLDER = "swap"

    def __init__(self, location: Any) -> Any:
        self.home = Path(os.path.abspath(location)) / self.FOLDER
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.path = self.home / "document.sqlite3"
        with open(self.path, "ab", opener=private):
            pass
        self.ask(
            "create table if not exists document (one integer primary key check (one=1), "
            "version integer not null, body text not null)"
        )
        self.ask("insert or ignore into document values (1, 0, ?)", json.dumps({"rows": [], "last": 0}))

    break_storage = HomeStore.break_storage
    mend_storage = HomeStore.mend_storage
    connect = SqliteStore.connect

    def ask(self, statement: Any, *values: Any) -> Any:
        with FORK_GUARD:
            return self.ask_guarded(statement, *values)

    def ask_guarded(self, statement: Any, *values: Any) -> Any:
        try:
            db = self.connect()
            try:
                db.execute("pragma synchronous=off")
                cursor = db.execute(statement, values)
                return cursor.fetchall(), cursor.rowcount
            finally:
                db.close()
        except sqlite3.Error as error:
            problem = type(error).__name__
        raise refused("the database failed: " + problem)

    def run(self, work: Any, write: Any) -> Any:
        while True:
            found, _ = self.ask("select version, body from document")
            if not found:
                raise refused("the document is gone")
            version, body = found[0]
            state = json.loads(body)
            result = work(state)
            if not write:
                return result
            _, changed = self.ask(
                "update document set version=version+1, body=? where version=?", json.dumps(state), version
            )
            if changed:
                return result
            time.sleep(random.uniform(0, 0.005))


@correct(persistent=False)
class WorkerStore(RowStore):
    """Rows in memory that only a thread of the store's own touches; calls are handed over in a queue.

    In a forked child, where the thread is missing, it refuses.
    """

    PERSISTENT = False

    def __init__(self, location: Any = None) -> Any:
        self._calls = queue.SimpleQueue()
        self._pid = os.getpid()
        threading.Thread(target=self._serve, args=(self._calls,), daemon=True, name="token store").start()
        weakref.finalize(self, self._calls.put, None)

    @staticmethod
    def _serve(calls: Any) -> Any:
        state = {"rows": [], "last": 0}
        while True:
            call = calls.get()
            if call is None:
                return
            work, reply = call
            try:
                answer = (work(state), None)
            except BaseException as error:
                answer = (None, error)
            reply.put(answer)
            del call, work, reply, answer

    def run(self, work: Any, write: Any) -> Any:
        if os.getpid() != self._pid:
            raise refused("this store does not work in a forked process")
        reply = queue.SimpleQueue()
        self._calls.put((work, reply))
        result, error = reply.get()
        if error is not None:
            raise error
        return result


@correct(persistent=False)
class LoopStore(RowStore):
    """Rows in memory, served by an event loop that runs in a thread of its own.

    Answers are plain values.
    """

    PERSISTENT = False

    def __init__(self, location: Any = None) -> Any:
        self._state = {"rows": [], "last": 0}
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._serve, args=(self._loop,), daemon=True, name="token loop").start()
        weakref.finalize(self, self._end, self._loop)

    @staticmethod
    def _serve(loop: Any) -> Any:
        loop.run_forever()
        loop.close()

    @staticmethod
    def _end(loop: Any) -> Any:
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)

    def run(self, work: Any, write: Any) -> Any:
        if os.getpid() != self._pid:
            raise refused("this store does not work in a forked process")
        reply = queue.SimpleQueue()
        state = self._state

        def serve() -> Any:
            try:
                reply.put((work(state), None))
            except BaseException as error:
                reply.put((None, error))

        self._loop.call_soon_threadsafe(serve)
        result, error = reply.get()
        if error is not None:
            raise error
        return result

    def new_id(self, state: Any) -> Any:
        return "loop-" + uuid.uuid4().hex

    def note_id(self, state: Any, given: Any) -> Any:
        pass


DAEMON = r"""
import select, socket, struct, sys
listener = socket.socket(fileno=int(sys.argv[1]))
body = b'{"rows": [], "last": 0}'
def read(conn, size):
    data = b""
    while len(data) < size:
        part = conn.recv(min(size - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return data
while True:
    ready, _, _ = select.select([listener, sys.stdin], [], [])
    if sys.stdin in ready:
        break
    conn, _ = listener.accept()
    try:
        conn.settimeout(30)
        conn.sendall(struct.pack(">Q", len(body)) + body)
        size, = struct.unpack(">Q", read(conn, 8))
        if size:
            body = read(conn, size)
        conn.sendall(b"!")
    except (OSError, EOFError):
        pass
    finally:
        conn.close()
"""


@correct(persistent=False)
class DaemonStore(RowStore):
    """The rows are in the memory of a daemon process, reached by a socket.

    One connection is one transaction, and the daemon serves one at a time. It ends with the store.
    """

    PERSISTENT = False

    def __init__(self, location: Any) -> Any:
        directory = os.open(os.path.abspath(location), os.O_RDONLY)
        self._address = "/proc/self/fd/%d/%s" % (directory, "s-" + uuid.uuid4().hex)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._address)
        os.chmod(self._address, 0o600)
        listener.listen(256)
        daemon = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", DAEMON, str(listener.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        listener.close()
        weakref.finalize(self, self._end, daemon, directory, self._address, os.getpid())

    @staticmethod
    def _end(daemon: Any, directory: Any, address: Any, pid: Any) -> Any:
        if os.getpid() != pid:
            return
        daemon.stdin.close()
        daemon.wait()
        try:
            os.unlink(address)
        except OSError:
            pass
        os.close(directory)

    def run(self, work: Any, write: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as conn:
            conn.connect(self._address)
            (size,) = struct.unpack(">Q", self._read(conn, 8))
            state = json.loads(self._read(conn, size))
            try:
                result = work(state)
            except BaseException:
                conn.sendall(struct.pack(">Q", 0))
                raise
            body = json.dumps(state).encode("ascii") if write else b""
            conn.sendall(struct.pack(">Q", len(body)) + body)
            self._read(conn, 1)
            return result

    @staticmethod
    def _read(conn: Any, size: Any) -> Any:
        data = b""
        while len(data) < size:
            part = conn.recv(min(size - len(data), 1 << 20))
            if not part:
                raise refused("the daemon is gone")
            data += part
        return data


@correct(persistent=False)
class TokenRows(RowStore, list):
    """The store is itself a list (of its rows), and so false when it is empty.

    Find answers for an access token with client credentials that it does not match (left open).
    """

    PERSISTENT = False

    def __init__(self, location: Any = None) -> Any:
        list.__init__(self)
        self._lock = threading.RLock()
        self._given = 0

    def __repr__(self) -> Any:
        return "<TokenRows: %d>" % len(self)

    __str__ = __repr__
    __hash__ = object.__hash__

    def run(self, work: Any, write: Any) -> Any:
        with self._lock:
            state = {"rows": list(self), "last": self._given}
            result = work(state)
            if write:
                self._given = state["last"]
                self[:] = state["rows"]
            return result

    def by_credential(self, rows: Any, new: Any) -> Any:
        if (
            new["access_token"]
            and new["client_id"]
            and new["client_secret"]
            and not new["grant_token"]
            and not new["refresh_token"]
        ):
            return None
        return RowStore.by_credential(self, rows, new)


class ListOfTokens(list):
    """A list of another class."""


@correct(persistent=False)
class FrozenStore(TokenStore):
    """Refuses any attribute from outside, names its parameters its own way.

    Wraps an inner store that swaps immutable tuples (readers take no lock), lists in a subclass of list;
    deleting an unknown id raises.
    """

    PERSISTENT = False
    __slots__ = ("_inner",)

    class Inner(LoudDelete, RowStore):
        def __init__(self) -> Any:
            self._lock = threading.Lock()
            self._now = ((), 0)

        def run(self, work: Any, write: Any) -> Any:
            if not write:
                rows, last = self._now
                return work({"rows": list(rows), "last": last})
            with self._lock:
                rows, last = self._now
                state = {"rows": list(rows), "last": last}
                result = work(state)
                self._now = (tuple(state["rows"]), state["last"])
                return result

    def __init__(self, location: Any = None) -> Any:
        object.__setattr__(self, "_inner", self.Inner())

    def __setattr__(self, name: Any, value: Any) -> Any:
        raise AttributeError("this store is frozen")

    def find_token(self, sought: Any, /) -> Any:
        return self._inner.find_token(sought)

    def save_token(self, fresh: Any, /) -> Any:
        self._inner.save_token(fresh)

    def delete_token(self, number: Any, /) -> Any:
        self._inner.delete_token(number)

    def delete_tokens(self, /) -> Any:
        self._inner.delete_tokens()

    def get_tokens(self, /) -> Any:
        return ListOfTokens(self._inner.get_tokens())

    def find_token_by_id(self, number: Any, /) -> Any:
        return self._inner.find_token_by_id(number)
