"""What is measured: the reference stores, the SDK's own, and bare SQLite as the limit.

A contender is one of them with a number of rows. It is filled in bulk, in the layout that it would have
given the rows itself, and then opened as often as threads and processes need it.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from tests import published
from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_reference_stores.list_store import _Record
from zoho_tokenstore_contract._rows import FIELDS

Row: TypeAlias = tuple[str, ...]

# What is measured, and the column that a row is found by.
FINDS = {
    "find by user name": 1,
    "find by access token": 5,
    "find by grant token": 6,
    "find by refresh token": 4,
    "find by id": 0,
}
UPDATE, INSERT, DELETE, LIST = "save an existing", "save a new", "delete", "list"
OPERATIONS = (*FINDS, UPDATE, INSERT, DELETE, LIST)

FIRST_ID = 1_000_001
"""Ids of one length, for the SDK's `DBStore` takes the greatest text for the greatest number."""

# Those of one application, so they are the same objects in all its tokens.
_CLIENT, _SECRET = "1000.EMZGH7A2VHXLPCEQ9JSTKR41NDW8YB", "b7d5c3e1f09a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
_EXPIRES, _REDIRECT, _DOMAIN = (
    "1900000000000",
    "https://example.com/oauth2callback",
    "https://www.zohoapis.com",
)


def row(number: int) -> Row:
    """One row, always the same for a number: the texts of `FIELDS`, tokens in the form of Zoho's."""
    chance = hashlib.shake_256(str(number).encode()).hexdigest(104)
    refresh, access, grant = (
        f"1000.{chance[at : at + 32]}.{chance[at + 32 : at + 64]}" for at in (0, 64, 128)
    )
    user = f"{chance[192:]}@example.com:{number}"
    return (
        str(FIRST_ID + number),
        user,
        _CLIENT,
        _SECRET,
        refresh,
        access,
        grant,
        _EXPIRES,
        _REDIRECT,
        _DOMAIN,
    )


def token_of(values: Row, *, with_id: bool = True) -> Any:
    """The row as a token of the SDK."""
    id, user, client, secret, refresh, access, grant, expires, redirect, domain = values
    token = OAuthToken(client, secret, grant, refresh, redirect, access_token=access)
    token.set_user_signature(UserSignature(user))
    token.set_expires_in(expires)
    token.set_api_domain(domain)
    if with_id:
        token.set_id(id)
    return token


@dataclass
class Batch:
    """Calls to be timed, one after another, and how to tell a right answer.

    Attributes:
        call: Makes one call.
        arguments: What it is called with, one for each call; the calls may change them.
        right: Says whether a call was answered rightly, given its argument and the answer.
        inserted: The ids of the rows that the calls made, after they were made.
    """

    call: Callable[[Any], Any]
    arguments: Sequence[Any]
    right: Callable[[Any, Any], bool]
    inserted: Callable[[], list[str]] = list


class Handle:
    """A store that one thread uses, whether alone or with others."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def batch(self, operation: str, rows: Sequence[Row], size: int) -> Batch:
        """Prepare calls, one for each row; all the work that is not the store's is done here.

        Args:
            operation: One of `OPERATIONS`.
            rows: The rows to find, save or insert. To delete, it is enough to have their ids.
            size: How many rows there are, to be listed.
        """
        store = self.store
        if operation == DELETE:
            return Batch(store.delete_token, [values[0] for values in rows], lambda *_: True)
        ids = {values[1]: values[0] for values in rows}
        if operation == "find by id":
            users = {values[0]: values[1] for values in rows}
            return Batch(
                store.find_token_by_id,
                [values[0] for values in rows],
                lambda asked, answer: bool(answer.get_user_signature().get_name() == users[asked]),
            )
        if operation in FINDS:
            asked = [self._asked(operation, values) for values in rows]
            # What is found is filled in.
            return Batch(
                store.find_token,
                asked,
                lambda token, answer: (
                    answer is not None and token.get_id() == ids.get(token.get_user_signature().get_name())
                ),
            )
        if operation == UPDATE:
            return Batch(
                store.save_token,
                [token_of(renewed(values)) for values in rows],
                lambda token, _: bool(token.get_id() == ids[token.get_user_signature().get_name()]),
            )
        if operation == INSERT:
            new = [token_of(values, with_id=False) for values in rows]
            return Batch(
                store.save_token,
                new,
                lambda token, _: bool(token.get_id()),
                lambda: [one.get_id() for one in new],
            )
        return Batch(lambda _: store.get_tokens(), [None], lambda _, answer: len(answer) == size)

    @staticmethod
    def _asked(operation: str, values: Row) -> Any:
        client, secret, refresh, access, grant = values[2:7]
        if operation == "find by user name":
            token = OAuthToken(user_signature=UserSignature(values[1]))
        elif operation == "find by access token":
            token = OAuthToken(access_token=access)
        elif operation == "find by grant token":
            token = OAuthToken(client_id=client, client_secret=secret, grant_token=grant)
        else:
            token = OAuthToken(client_id=client, client_secret=secret, refresh_token=refresh)
        return token


def renewed(values: Row) -> Row:
    """The row after a renewal: another access token, and another expiry."""
    return (
        *values[:5],
        f"1000.{os.urandom(16).hex()}.{os.urandom(16).hex()}",
        values[6],
        "1900003600000",
        *values[8:],
    )


class BareHandle(Handle):
    """SQLite without a store: one statement a call, on a connection of its own."""

    _SELECT: ClassVar = {
        operation: f"SELECT * FROM oauthtoken WHERE {FIELDS[column]} = ?"
        for operation, column in FINDS.items()
    }
    _INSERT = f"INSERT INTO oauthtoken ({', '.join(FIELDS)}) VALUES ({', '.join('?' * len(FIELDS))})"

    def batch(self, operation: str, rows: Sequence[Row], size: int) -> Batch:
        """Prepare statements, one for each row."""
        execute = self.store.execute
        if operation in FINDS:
            query, column = self._SELECT[operation], FINDS[operation]
            return Batch(
                lambda parameters: execute(query, parameters).fetchone(),
                [(values[column],) for values in rows],
                lambda parameters, answer: bool(answer[1 + column] == parameters[0]),
            )
        if operation == UPDATE:
            query = "UPDATE oauthtoken SET access_token = ?, expires_in = ? WHERE user_name = ?"
            changed = [renewed(values) for values in rows]
            return Batch(
                lambda parameters: execute(query, parameters),
                [(values[5], values[7], values[1]) for values in changed],
                lambda _, cursor: bool(cursor.rowcount == 1),
            )
        if operation == INSERT:
            return Batch(
                lambda values: execute(self._INSERT, values),
                rows,
                lambda _, cursor: bool(cursor.rowcount == 1),
                lambda: [values[0] for values in rows],
            )
        if operation == DELETE:
            return Batch(
                lambda parameters: execute("DELETE FROM oauthtoken WHERE id = ?", parameters),
                [(values[0],) for values in rows],
                lambda _, cursor: bool(cursor.rowcount == 1),
            )
        query = "SELECT * FROM oauthtoken ORDER BY number"
        return Batch(lambda _: execute(query).fetchall(), [None], lambda _, answer: len(answer) == size)


class Contender:
    """One kind of storage with a number of rows.

    Attributes:
        name: What it is called in the results.
        shared: Several processes may use it.
    """

    name: ClassVar[str]
    shared: ClassVar[bool] = True

    def __init__(self, base: Path, size: int) -> None:
        self.size = size
        self.place = base / f"{type(self).__name__.lower()}{size}"
        self.place.mkdir(exist_ok=True)

    def fill(self, rows: Iterable[Row]) -> None:
        """Put the rows where the store keeps them. Called once, before anything is opened."""
        raise NotImplementedError

    def open(self, users: int = 1) -> list[Handle]:
        """Open it for so many threads of this process."""
        raise NotImplementedError

    def warm(self) -> None:
        """Have the system read what is on the disk, as it has in an application that runs."""
        for file in self.place.iterdir():
            with file.open("rb") as opened:
                while opened.read(1 << 20):
                    pass

    def restore(self) -> None:
        """Undo what calls at the same time may have done to the rows."""

    def copy_the_file(self, target: sqlite3.Connection) -> None:
        """Copy all that `SQLiteFile` holds of this size, what is in its write-ahead log too."""
        source = sqlite3.connect(self.place.with_name(f"sqlitefile{self.size}") / "tokens.db")
        source.backup(target)
        source.close()


class Bare(Contender):
    """The limit: SQLite on the same table with the same pragmas, asked for one statement."""

    name = "bare SQLite"

    def fill(self, rows: Iterable[Row]) -> None:
        """Copy the file of the store that was filled before."""
        target = sqlite3.connect(self.place / "tokens.db")
        self.copy_the_file(target)
        target.close()

    def open(self, users: int = 1) -> list[Handle]:
        """Connect once for each thread."""
        return [BareHandle(self._connect()) for _ in range(users)]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.place / "tokens.db", timeout=60, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection


class SQLiteFile(Contender):
    """`SQLiteFileStore`."""

    name = "SQLiteFileStore"

    def fill(self, rows: Iterable[Row]) -> None:
        """Insert the rows with as little care as possible."""
        path = self.place / "tokens.db"
        SQLiteFileStore(path).close()
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {statement}")
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''")
        made_after = list(indexes)
        for name, _ in made_after:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("BEGIN")
        # The store's own numbers are the ids that it gives.
        connection.executemany(
            f"INSERT INTO oauthtoken VALUES ({', '.join('?' * 11)})",
            ((int(values[0]), *values) for values in rows),
        )
        connection.execute("COMMIT")
        for _, statement in made_after:
            connection.execute(statement)
        connection.close()

    def open(self, users: int = 1) -> list[Handle]:
        """Open it once for all threads."""
        return [Handle(SQLiteFileStore(self.place / "tokens.db"))] * users


class SQLiteMemory(Contender):
    """`SQLiteMemoryStore`."""

    name = "SQLiteMemoryStore"
    shared = False

    def fill(self, rows: Iterable[Row]) -> None:
        """Copy the file of the store that was filled before: the tables are the same."""
        self._store = SQLiteMemoryStore()
        self.copy_the_file(self._store._writer)

    def open(self, users: int = 1) -> list[Handle]:
        """The one that was filled."""
        return [Handle(self._store)] * users


class InList(Contender):
    """`ListStore`."""

    name = "ListStore"
    shared = False

    def fill(self, rows: Iterable[Row]) -> None:
        """Make the list, and let the store make its index."""
        self._store = ListStore()
        self._store._records = [_Record(values) for values in rows]
        self._store._last_number = FIRST_ID + self.size
        self._store.find_token_by_id("")

    def open(self, users: int = 1) -> list[Handle]:
        """The one that was filled."""
        return [Handle(self._store)] * users


class File(Contender):
    """The SDK's `FileStore`."""

    name = "FileStore (SDK)"

    def fill(self, rows: Iterable[Row]) -> None:
        """Write the file, below the header that the store writes."""
        published.file_store(self.place)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        shutil.copyfile(self._path, self._whole)

    def open(self, users: int = 1) -> list[Handle]:
        """One object for all threads."""
        return [Handle(published.file_store(self.place))] * users

    def restore(self) -> None:
        """It loses rows when threads or processes meet."""
        shutil.copyfile(self._whole, self._path)

    @property
    def _path(self) -> Path:
        return self.place / "tokens.csv"

    @property
    def _whole(self) -> Path:
        return self.place / "whole.csv"


class Server(Contender):
    """The SDK's `DBStore` on a MariaDB server."""

    name = "DBStore (SDK)"

    def fill(self, rows: Iterable[Row]) -> None:
        """Let the server read a file of the rows."""
        file = self.place / "rows.csv"
        with file.open("w", newline="", encoding="utf-8") as opened:
            csv.writer(opened, lineterminator="\n").writerows(rows)
        published.db_store(self.place)
        self._run(
            f"load data infile '{file}' into table oauthtoken character set utf8mb4 fields terminated by ','"
        )
        file.unlink()

    def open(self, users: int = 1) -> list[Handle]:
        """One object for all threads; it connects for every call."""
        return [Handle(published.db_store(self.place))] * users

    def restore(self) -> None:
        """It may insert twice under one id, and then delete the other's row."""
        self._run(f"delete from oauthtoken where id > '{FIRST_ID + self.size - 1}'")

    def _run(self, statement: str) -> None:
        with published._cursor() as (_, cursor):
            cursor.execute(f"use {self.place.name}")
            cursor.execute(statement)


CONTENDERS: tuple[type[Contender], ...] = (SQLiteFile, Bare, SQLiteMemory, InList, File, Server)
"""Those whose files others copy come first."""
