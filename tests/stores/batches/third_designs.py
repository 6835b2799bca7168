"""The third batch: right stores of five kinds, from which the others are made."""

# mypy: ignore-errors
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
import urllib.parse
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import correct


def break_storage(store: Any, location: Path) -> None:
    store.break_storage()


def mend_storage(store: Any, location: Path) -> None:
    store.mend_storage()


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


PLAIN = tuple(name for name in FIELDS if name != "user_name")


CREDENTIALS = ("grant_token", "refresh_token", "access_token")


def refused(message: Any) -> Any:
    """The exception for whatever the store will not do. It never carries values of a token."""
    return SDKException("TOKEN STORE", message)


def user_of(token: Any) -> Any:
    signature = token.get_user_signature()
    return None if signature is None else signature.get_name()


def fields_of(token: Any) -> Any:
    """The row that a token describes; empty texts count as absent."""
    row = {name: getattr(token, "get_" + name)() or None for name in PLAIN}
    row["user_name"] = user_of(token) or None
    return row


def make_token(row: Any) -> Any:
    """A whole OAuthToken, by its constructor."""
    token = OAuthToken(
        id=row["id"],
        client_id=row["client_id"],
        client_secret=row["client_secret"],
        grant_token=row["grant_token"],
        refresh_token=row["refresh_token"],
        redirect_url=row["redirect_url"],
        access_token=row["access_token"],
        user_signature=UserSignature(row["user_name"]) if row["user_name"] else None,
        api_domain=row["api_domain"],
    )
    token.set_expires_in(row["expires_in"])
    return token


def fill_token(token: Any, row: Any) -> Any:
    """Give the token what it lacks, and the row's id."""
    for name in PLAIN:
        if not getattr(token, "get_" + name)():
            getattr(token, "set_" + name)(row[name])
    if not user_of(token):
        token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
    token.set_id(row["id"])


def same_client(row: Any, new: Any) -> Any:
    return row["client_id"] == new["client_id"] and row["client_secret"] == new["client_secret"]


def first(rows: Any, test: Any) -> Any:
    for row in rows:
        if test(row):
            return row
    return None


def private(path: Any, flags: Any) -> Any:
    """An opener for open(): new files are closed to group and others."""
    return os.open(path, flags, 0o600)


class RowStore(TokenStore):
    PERSISTENT = True

    def run(self, work: Any, write: Any) -> Any:
        raise NotImplementedError

    # -- reading tokens, making tokens

    def read_token(self, token: Any) -> Any:
        return fields_of(token)

    def check(self, new: Any) -> Any:
        """Refuse what cannot be kept."""

    def make(self, row: Any) -> Any:
        return make_token(row)

    def fill(self, token: Any, row: Any) -> Any:
        fill_token(token, row)

    def after_save(self, token: Any, row: Any) -> Any:
        token.set_id(row["id"])

    # -- matching

    def by_id(self, rows: Any, wanted: Any) -> Any:
        return first(rows, lambda row: row["id"] == wanted)

    def by_user(self, rows: Any, new: Any) -> Any:
        return first(rows, lambda row: row["user_name"] == new["user_name"])

    def by_access(self, rows: Any, new: Any) -> Any:
        return first(rows, lambda row: row["access_token"] == new["access_token"])

    def by_grant(self, rows: Any, new: Any) -> Any:
        return first(rows, lambda row: row["grant_token"] == new["grant_token"] and same_client(row, new))

    def by_refresh(self, rows: Any, new: Any) -> Any:
        return first(rows, lambda row: row["refresh_token"] == new["refresh_token"] and same_client(row, new))

    def by_credential(self, rows: Any, new: Any) -> Any:
        """The row that the credentials of an unnamed token match."""
        client = new["client_id"] and new["client_secret"]
        row = None
        if new["access_token"] and not new["client_id"] and not new["client_secret"]:
            return self.by_access(rows, new)
        if client and new["grant_token"]:
            row = self.by_grant(rows, new)
        if row is None and client and new["refresh_token"]:
            row = self.by_refresh(rows, new)
        if client and new["access_token"] and not new["grant_token"] and not new["refresh_token"]:
            row = self.by_access(rows, new)
        return row

    def target(self, rows: Any, new: Any) -> Any:
        """The row that saving `new` updates, or None."""
        if new["user_name"]:
            row = self.by_user(rows, new)
            return self.adopt(rows, new) if row is None else row
        row = self.by_credential(rows, new)
        if row is None and new["id"]:
            row = self.by_id(rows, new["id"])
            if row is not None and row["user_name"] and any(new[name] for name in CREDENTIALS):
                raise refused("this id belongs to a user")
        return row

    def adopt(self, rows: Any, new: Any) -> Any:
        """The unnamed row that takes the name of `new`, or None."""
        if new["id"]:
            row = self.by_id(rows, new["id"])
            if row is not None and row["user_name"]:
                raise refused("this id belongs to another user")
            if row is not None:
                return row
        if new["client_id"] and new["client_secret"]:
            unnamed = [row for row in rows if not row["user_name"]]
            return self.adopt_by_credential(unnamed, new)
        return None

    def adopt_by_credential(self, unnamed: Any, new: Any) -> Any:
        row = self.by_grant(unnamed, new) if new["grant_token"] else None
        if row is None and new["refresh_token"]:
            row = self.by_refresh(unnamed, new)
        return row

    def locate(self, rows: Any, new: Any) -> Any:
        """The row that `new` finds, or None."""
        row = self.by_user(rows, new) if new["user_name"] else self.by_credential(rows, new)
        if row is None and new["id"]:
            row = self.by_id(rows, new["id"])
            if row is not None and new["user_name"] and row["user_name"]:
                return None
        return row

    # -- ids

    def new_id(self, state: Any) -> Any:
        taken = {row["id"] for row in state["rows"]}
        while True:
            state["last"] += 1
            if str(state["last"]) not in taken:
                return str(state["last"])

    def note_id(self, state: Any, given: Any) -> Any:
        """An id that came from outside is not given again."""
        if given.isascii() and given.isdecimal() and len(given) < 19:
            state["last"] = max(state["last"], int(given))

    # -- changing rows

    def merged(self, row: Any, new: Any) -> Any:
        changed = dict(row)
        for name in FIELDS:
            if name != "id" and new[name]:
                changed[name] = new[name]
        return changed

    def put(self, state: Any, new: Any) -> Any:
        rows = state["rows"]
        row = self.target(rows, new)
        if row is not None:
            changed = self.merged(row, new)
            rows[rows.index(row)] = changed
            return dict(changed)
        self.check_insert(new)
        row = dict(new)
        if row["id"]:
            self.note_id(state, row["id"])
        else:
            row["id"] = self.new_id(state)
        rows.append(row)
        return dict(row)

    def check_insert(self, new: Any) -> Any:
        if (new["id"] or new["user_name"]) and not any(new[name] for name in CREDENTIALS):
            raise refused("no credential to store, and no row to update")

    def remove(self, state: Any, wanted: Any) -> Any:
        state["rows"][:] = [row for row in state["rows"] if row["id"] != wanted]

    def clear(self, state: Any) -> Any:
        state["rows"][:] = []

    # -- the six methods

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        new = self.read_token(token)
        row = self.run(lambda state: self.locate(state["rows"], new), False)
        if row is None:
            return None
        self.fill(token, row)
        return token

    def save_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            raise refused("not an OAuthToken")
        new = self.read_token(token)
        self.check(new)
        row = self.run(lambda state: self.put(state, new), True)
        self.after_save(token, row)

    def delete_token(self, id: Any) -> Any:
        if id is None:
            raise refused("no id")
        self.run(lambda state: self.remove(state, id), True)

    def delete_tokens(self) -> Any:
        self.run(self.clear, True)

    def get_tokens(self) -> Any:
        return [self.make(row) for row in self.run(lambda state: list(state["rows"]), False)]

    def find_token_by_id(self, id: Any) -> Any:
        row = self.run(lambda state: self.by_id(state["rows"], id), False) if id else None
        return None if row is None else self.make(row)


@correct(persistent=False)
class MemoryStore(RowStore):
    """Rows in memory, behind one lock."""

    PERSISTENT = False

    def __init__(self, location: Any = None) -> Any:
        self._lock = threading.RLock()
        self._state = {"rows": [], "last": 0}

    def run(self, work: Any, write: Any) -> Any:
        with self._lock:
            return work(self._state)


class HomeStore(RowStore):
    """What the file-backed bases share: a private folder, a lock file in it.

    A place to be put out of reach.
    """

    FOLDER = "tokens"

    def __init__(self, location: Any) -> Any:
        self.home = Path(os.path.abspath(location)) / self.FOLDER
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.lock_path = self.home / "lock"
        with open(self.lock_path, "ab", opener=private):
            pass

    def break_storage(self) -> Any:
        self.home.rename(self.home.with_name(self.FOLDER + ".away"))
        self.home.write_text("")

    def mend_storage(self) -> Any:
        self.home.unlink()
        self.home.with_name(self.FOLDER + ".away").rename(self.home)

    def run(self, work: Any, write: Any) -> Any:
        with open(self.lock_path, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            try:
                state = self.load()
                if not write:
                    return work(state)
                before = {row["id"]: row for row in state["rows"]}
                result = work(state)
                self.store(state, before)
                return result
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)

    def load(self) -> Any:
        raise NotImplementedError

    def store(self, state: Any, before: Any) -> Any:
        raise NotImplementedError

    def replace_file(self, path: Any, data: Any) -> Any:
        """Write a file whole or not at all."""
        fresh = path.with_name(path.name + ".new")
        try:
            with open(fresh, "wb", opener=private) as handle:
                handle.write(data)
            os.replace(fresh, path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise


def seal(body: Any) -> Any:
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unseal(data: Any) -> Any:
    head, newline, body = data.partition(b"\n")
    if not newline or hashlib.sha256(body).hexdigest().encode() != head:
        raise refused("the file of tokens is damaged")
    return body


@correct(**HOOKS)
class JsonStore(HomeStore):
    """All rows in one JSON file with a checksum, replaced whole at each change, under a lock file."""

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self.path = self.home / "tokens.json"

    def encode(self, state: Any) -> Any:
        return json.dumps(state).encode("ascii")

    def decode(self, body: Any) -> Any:
        return json.loads(body)

    def load(self) -> Any:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {"rows": [], "last": 0}
        return self.decode(unseal(data))

    def store(self, state: Any, before: Any) -> Any:
        self.replace_file(self.path, seal(self.encode(state)))


@correct(**HOOKS)
class FolderStore(HomeStore):
    """A file for each row, named by a hash of its id, and a file for the counter."""

    def row_path(self, row: Any) -> Any:
        return self.home / (
            "row-%s.json" % hashlib.sha256(row["id"].encode("utf-8", "surrogatepass")).hexdigest()
        )

    def load(self) -> Any:
        try:
            counters = json.loads(unseal((self.home / "counters").read_bytes()))
        except FileNotFoundError:
            counters = {"last": 0, "seq": 0}
        rows = [json.loads(unseal(path.read_bytes())) for path in self.home.glob("row-*.json")]
        rows.sort(key=lambda row: row["seq"])
        return {"rows": rows, **counters}

    def store(self, state: Any, before: Any) -> Any:
        changed = [row for row in state["rows"] if row is not before.get(row["id"])]
        for row in changed:
            if row.get("seq") is None:
                state["seq"] += 1
                row["seq"] = state["seq"]
        self.replace_file(
            self.home / "counters", seal(json.dumps({"last": state["last"], "seq": state["seq"]}).encode())
        )
        kept = {row["id"] for row in state["rows"]}
        for row in changed:
            self.replace_file(self.row_path(row), seal(json.dumps(row).encode("ascii")))
        for id in before.keys() - kept:
            self.row_path(before[id]).unlink()

    def merged(self, row: Any, new: Any) -> Any:
        return {**super().merged(row, new), "seq": row["seq"]}


@correct(**HOOKS)
class LogStore(HomeStore):
    """An append-only log of changes; a small file says how much of it counts.

    Compacted when it has grown.
    """

    COMPACT = 400

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self.log = self.home / "log"
        self.mark = self.home / "mark"

    def records(self) -> Any:
        """The log's lines that count."""
        try:
            mark = json.loads(unseal(self.mark.read_bytes()))
        except FileNotFoundError:
            return [], {"length": 0, "log": "log-0", "sum": ""}
        data = (self.home / mark["log"]).read_bytes()
        if len(data) < mark["length"]:
            raise refused("the log is damaged")
        lines = self.split(data[: mark["length"]])
        chain = ""
        for line in lines:
            chain = hashlib.sha256(chain.encode() + line).hexdigest()
        if chain != mark["sum"]:
            raise refused("the log is damaged")
        return [json.loads(line) for line in lines], mark

    def split(self, data: Any) -> Any:
        return data.split(b"\n")[:-1]

    def load(self) -> Any:
        records, mark = self.records()
        return {**self.fold(records), "mark": mark, "count": len(records)}

    def fold(self, records: Any) -> Any:
        rows, last = {}, 0
        for record in records:
            last = record.get("last", last)
            if record["do"] == "put":
                rows[record["row"]["id"]] = record["row"]
            elif record["do"] == "drop":
                del rows[record["id"]]
            elif record["do"] == "clear":
                rows.clear()
        return {"rows": list(rows.values()), "last": last}

    def store(self, state: Any, before: Any) -> Any:
        kept = {row["id"] for row in state["rows"]}
        lines = [
            {"do": "put", "row": row, "last": state["last"]}
            for row in state["rows"]
            if row is not before.get(row["id"])
        ]
        if before and not kept:
            lines.append({"do": "clear", "last": state["last"]})
        else:
            lines += [{"do": "drop", "id": id, "last": state["last"]} for id in before if id not in kept]
        mark = dict(state["mark"])
        if state["count"] > max(self.COMPACT, 3 * len(kept)):
            self.compact(state, mark)
        else:
            self.append(lines, mark)

    def line(self, record: Any) -> Any:
        return json.dumps(record).encode("ascii")

    def append(self, records: Any, mark: Any) -> Any:
        data, chain = b"", mark["sum"]
        for record in records:
            line = self.line(record)
            chain = hashlib.sha256(chain.encode() + line).hexdigest()
            data += line + b"\n"
        with open(
            self.home / mark["log"], "r+b" if (self.home / mark["log"]).exists() else "w+b", opener=private
        ) as handle:
            handle.truncate(mark["length"])
            handle.seek(mark["length"])
            handle.write(data)
        self.replace_file(
            self.mark,
            seal(
                json.dumps({"length": mark["length"] + len(data), "log": mark["log"], "sum": chain}).encode()
            ),
        )

    def compact(self, state: Any, mark: Any) -> Any:
        old = self.home / mark["log"]
        fresh = {"length": 0, "log": "log-%d" % (int(mark["log"][4:]) + 1), "sum": ""}
        (self.home / fresh["log"]).unlink(missing_ok=True)
        rows = [{"do": "put", "row": row, "last": state["last"]} for row in state["rows"]]
        self.append(rows or [{"do": "clear", "last": state["last"]}], fresh)
        old.unlink(missing_ok=True)


FORK_GUARD = threading.RLock()


@correct(**HOOKS)
class SqliteStore(TokenStore):
    """A table in an SQLite file. A connection for each call, and real SQL."""

    PERSISTENT = True
    FOLDER = "db"
    COLUMNS = (
        "id text not null unique, user_name text unique, client_id text, client_secret text, refresh_token "
        "text, access_token text, grant_token text, expires_in text, redirect_url text, api_domain text"
    )
    GRANT = "grant_token=:grant_token and client_id=:client_id and client_secret=:client_secret"
    REFRESH = "refresh_token=:refresh_token and client_id=:client_id and client_secret=:client_secret"

    def __init__(self, location: Any) -> Any:
        self.home = Path(os.path.abspath(location)) / self.FOLDER
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.path = self.home / "tokens.sqlite3"
        with open(self.path, "ab", opener=private):
            pass
        self.run(self.create, True)

    break_storage = HomeStore.break_storage
    mend_storage = HomeStore.mend_storage

    def create(self, db: Any) -> Any:
        db.execute(
            "create table if not exists tokens (seq integer primary key autoincrement, %s)" % self.COLUMNS
        )
        db.execute("create table if not exists counter (last integer not null)")
        if db.execute("select count(*) from counter").fetchone()[0] == 0:
            db.execute("insert into counter values (0)")

    def connect(self) -> Any:
        db = sqlite3.connect(
            "file:%s?mode=rw" % urllib.parse.quote(str(self.path)), uri=True, timeout=60, isolation_level=None
        )
        db.row_factory = sqlite3.Row
        return db

    def run(self, work: Any, write: Any) -> Any:
        with FORK_GUARD:
            return self.transact(work, write)

    def transact(self, work: Any, write: Any) -> Any:
        try:
            db = self.connect()
            try:
                db.execute("begin immediate" if write else "begin")
                result = work(db)
                db.execute("commit")
                return result
            finally:
                db.close()
        except sqlite3.Error as error:
            problem = type(error).__name__
        raise refused("the database failed: " + problem)

    def one(self, db: Any, where: Any, new: Any) -> Any:
        row = db.execute("select * from tokens where %s order by seq limit 1" % where, new).fetchone()
        return None if row is None else {name: row[name] for name in FIELDS}

    # -- matching

    def by_user(self, db: Any, new: Any) -> Any:
        return self.one(db, "user_name=:user_name", new)

    def by_access(self, db: Any, new: Any) -> Any:
        return self.one(db, "access_token=:access_token", new)

    def by_grant(self, db: Any, new: Any) -> Any:
        return self.one(db, self.GRANT, new)

    def by_refresh(self, db: Any, new: Any) -> Any:
        return self.one(db, self.REFRESH, new)

    def by_id(self, db: Any, id: Any) -> Any:
        return self.one(db, "id=:id", {"id": id})

    by_credential = RowStore.by_credential
    target = RowStore.target
    locate = RowStore.locate
    check_insert = RowStore.check_insert
    fill = RowStore.fill
    make = RowStore.make
    after_save = RowStore.after_save

    def adopt(self, db: Any, new: Any) -> Any:
        if new["id"]:
            row = self.by_id(db, new["id"])
            if row is not None and row["user_name"]:
                raise refused("this id belongs to another user")
            if row is not None:
                return row
        row = None
        if new["client_id"] and new["client_secret"]:
            if new["grant_token"]:
                row = self.one(db, "user_name is null and " + self.GRANT, new)
            if row is None and new["refresh_token"]:
                row = self.one(db, "user_name is null and " + self.REFRESH, new)
        return row

    # -- changing

    def read_token(self, token: Any) -> Any:
        new = fields_of(token)
        for value in new.values():
            if value is not None and ("\0" in value or not encodable(value)):
                raise refused("this text cannot be kept")
        return new

    def new_id(self, db: Any) -> Any:
        while True:
            db.execute("update counter set last=last+1")
            id = str(db.execute("select last from counter").fetchone()[0])
            if self.by_id(db, id) is None:
                return id

    def note_id(self, db: Any, given: Any) -> Any:
        if given.isascii() and given.isdecimal() and len(given) < 18:
            db.execute("update counter set last=max(last, ?)", (int(given),))

    def insert(self, db: Any, new: Any) -> Any:
        db.execute(
            "insert into tokens (%s) values (%s)"
            % (", ".join(FIELDS), ", ".join(":" + name for name in FIELDS)),
            new,
        )

    def update(self, db: Any, row: Any, new: Any) -> Any:
        given = [name for name in FIELDS if name != "id" and new[name]]
        if given:
            db.execute(
                "update tokens set %s where id=:rowid_"
                % ", ".join("%s=:%s" % (name, name) for name in given),
                {**new, "rowid_": row["id"]},
            )

    def put(self, db: Any, new: Any) -> Any:
        row = self.target(db, new)
        if row is not None:
            self.update(db, row, new)
            return self.by_id(db, row["id"])
        self.check_insert(new)
        new = dict(new)
        if new["id"]:
            self.note_id(db, new["id"])
        else:
            new["id"] = self.new_id(db)
        self.insert(db, new)
        return new

    # -- the six methods

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        new = fields_of(token)
        if not all(value is None or encodable(value) for value in new.values()):
            return None
        row = self.run(lambda db: self.locate(db, new), False)
        if row is None:
            return None
        self.fill(token, row)
        return token

    def save_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            raise refused("not an OAuthToken")
        new = self.read_token(token)
        row = self.run(lambda db: self.put(db, new), True)
        self.after_save(token, row)

    def delete_token(self, id: Any) -> Any:
        if id is None:
            raise refused("no id")
        if isinstance(id, str) and encodable(id):
            self.run(lambda db: self.delete(db, id), True)

    def delete(self, db: Any, id: Any) -> Any:
        db.execute("delete from tokens where id=?", (id,))

    def delete_tokens(self) -> Any:
        self.run(lambda db: db.execute("delete from tokens") and None, True)

    def get_tokens(self) -> Any:
        rows = self.run(self.all, False)
        return [self.make(row) for row in rows]

    def all(self, db: Any) -> Any:
        return [
            {name: row[name] for name in FIELDS} for row in db.execute("select * from tokens order by seq")
        ]

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str) or not encodable(id) or not id:
            return None
        row = self.run(lambda db: self.by_id(db, id), False)
        return None if row is None else self.make(row)


def encodable(text: Any) -> Any:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
