"""A token store in one SQLite file, for the Zoho CRM Python SDK.

``zoho-tokenstore copy sqlite my_store.py`` copies this module, and those beside it that it imports. They
need the SDK and the standard library, nothing else::

    Initializer.initialize(environment, token, store=SQLiteFileStore("tokens.db"))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import threading
import time
import weakref
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .token_fields import (
    FIELDS,
    Fields,
    Way,
    fill_token,
    id_to_insert,
    new_token,
    present,
    read_token,
    read_token_to_save,
    refusal,
    ways_to_find,
    ways_to_update,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Query: TypeAlias = tuple[str, tuple[str, ...]]  # a statement, and the columns of its parameters

_FILE_NAME = "zohooauth.db"
_PATIENCE = 60.0  # seconds to wait for another process: contention is no error [PROC-1]

# ---------------------------------------------------------------------------------------------
# The table. Only `id` and `user_name` are unique: named users may share a token [SAVE-5], and two
# unnamed rows may come to hold the same one [SAVE-9]. No row is doubled all the same, because a save
# looks and writes in one `BEGIN IMMEDIATE`. Columns compare byte by byte, SQLite's default [VALUE-6].

_APPLICATION = 0x5A6F686F  # "Zoho", in the file's header: whose database this is
_VERSION = 1
_SCHEMA = (
    # AUTOINCREMENT never gives a number twice, and an id that the store makes is such a number [DEL-5].
    """CREATE TABLE oauthtoken (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        user_name TEXT UNIQUE,
        client_id TEXT,
        client_secret TEXT,
        refresh_token TEXT,
        access_token TEXT,
        grant_token TEXT,
        expires_in TEXT,
        redirect_url TEXT,
        api_domain TEXT
    )""",
    "CREATE INDEX by_access ON oauthtoken (access_token) WHERE access_token IS NOT NULL",
    "CREATE INDEX by_grant ON oauthtoken (grant_token) WHERE grant_token IS NOT NULL",
    "CREATE INDEX by_refresh ON oauthtoken (refresh_token) WHERE refresh_token IS NOT NULL",
    # The ids that callers brought, also of rows long deleted: never given to others [DEL-5].
    "CREATE TABLE brought (id TEXT PRIMARY KEY) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)
# The table of the published SQLite sample: the same columns, one of them under another name.
_LEGACY_COLUMNS = tuple("expiry_time" if column == "expires_in" else column for column in FIELDS)

# ---------------------------------------------------------------------------------------------
# Which row a token speaks of: the first way in which some row matches, and of several such rows the
# oldest. Ways for which the token lacks a field are left out; the others are one statement, so that a
# reader beside a writer never sees two states of the table [THREAD-5].


@functools.cache
def _query(ways: tuple[Way, ...]) -> Query:
    """The query for the row that matches in the first of these ways."""
    rows = [
        "FROM oauthtoken WHERE "
        + " AND ".join([f"{field} = ?" for field in way.fields] + ["user_name IS NULL"] * way.unnamed)
        + " ORDER BY number LIMIT 1"
        for way in ways
    ]
    if len(rows) == 1:
        text = f"SELECT * {rows[0]}"
    else:
        numbers = [*(f"(SELECT number {row})" for row in rows), "NULL", "NULL"]  # it takes two at least
        text = f"SELECT * FROM oauthtoken WHERE number = coalesce({', '.join(numbers)})"  # noqa: S608 (constants)
    return text, tuple(field for way in ways for field in way.fields)


_BY_ID = "SELECT * FROM oauthtoken WHERE id = ?"
_INSERT = (
    f"INSERT INTO oauthtoken (number, {', '.join(FIELDS)})"  # noqa: S608 (constants)
    f" VALUES (:number, {', '.join(f':{column}' for column in FIELDS)})"
)
_REMEMBER = "INSERT OR IGNORE INTO brought VALUES (:id)"


class SQLiteFileStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in an SQLite file that threads and processes of one machine share.

    A call that has returned is on the disk: the write-ahead log is flushed (``synchronous=FULL``)
    before it ends. So what it did survives the end of the process at any moment, and a power loss as
    far as the disk keeps its word on a flush. A save cut short leaves the row as it was.

    The file and what SQLite writes beside it are closed to group and others from the moment they
    exist. Keep it on a local disk: the log needs memory that all its users share.

    A file that is no token database, or has another version of the table, is refused with
    `SDKException` and left alone. The database of the published SQLite sample is taken over, with its
    rows, unless these contradict one another. When the file is moved, deleted or replaced while the
    store is open, every call raises, instead of going on with a file that nobody will find again.

    What the contract leaves open: deleting an unknown id is silent; ids are decimal text and never
    given twice; `get_tokens` answers in the order of insertion. A token with the name of a stored
    user and the id of another row updates the user's row alone; with the id of another user's row
    and a new name it becomes a row of its own, under a new id.

    Args:
        path: The database file, or a directory that then holds ``zohooauth.db``.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the storage fails.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Absolute, so that the store stays where it is when the process changes directory [PERSIST-4].
        # Resolved too, for SQLite puts its log beside the file and not beside a link to it [SECRET-1].
        location = Path(os.path.realpath(path))
        is_directory = os.path.isdir(location)  # noqa: PTH112 (Path.is_dir raises where it may not look)
        self._path = location / _FILE_NAME if is_directory else location
        self._lock = threading.RLock()  # one call at a time
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        with _OPENING, _Surfaced(f"Cannot open the token database {self._path}"):
            _create(self._path)
            self._identity = _identity(self._path)
            self._connection = self._connect()
            _STORES.add(self)

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        with _Surfaced(Constants.GET_TOKEN_DB_ERROR), self._lock:
            connection = self._ready()
            if not isinstance(token, OAuthToken):
                return None
            fields = read_token(token)
            query, columns = _query(ways_to_find(present(fields)))
            row = connection.execute(query, [_matchable(fields[column]) for column in columns]).fetchone()
            return None if row is None else fill_token(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        with _Surfaced(Constants.SAVE_TOKEN_DB_ERROR), self._lock, self._change() as connection:
            fields = read_token_to_save(token)
            query, columns = _query(ways_to_update(present(fields)))
            row = connection.execute(query, [fields[column] for column in columns]).fetchone()
            row_id = _insert(connection, fields) if row is None else _update(connection, row, fields)
        # Only now, so that a save that failed leaves the token as it was.
        token.set_id(row_id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with _Surfaced(Constants.DELETE_TOKEN_DB_ERROR), self._lock, self._change() as connection:
            connection.execute("DELETE FROM oauthtoken WHERE id = ?", (_matchable(id),))

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with _Surfaced(Constants.GET_TOKENS_DB_ERROR), self._lock:
            connection = self._ready()
            rows = connection.execute("SELECT * FROM oauthtoken ORDER BY number")
            return [new_token(row) for row in rows]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with _Surfaced(Constants.DELETE_TOKENS_DB_ERROR), self._lock, self._change() as connection:
            connection.execute("DELETE FROM oauthtoken")

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with _Surfaced(Constants.GET_TOKEN_DB_ERROR), self._lock:
            connection = self._ready()
            row = connection.execute(_BY_ID, (_matchable(id),)).fetchone()
        return None if row is None else new_token(row)

    def close(self) -> None:
        """Close the file. Every later call of another method raises."""
        self._closed = True
        self._disconnect()

    def __enter__(self) -> SQLiteFileStore:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> sqlite3.Connection:
        """The connection, to the file that was opened."""
        if self._closed:
            raise refusal("the store is closed")
        self._check_location()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One call that looks and writes in one step: nobody comes between [THREAD-3, PROC-1]."""
        connection = self._ready()
        with _transaction(connection):
            yield connection
            # Asked again, since the transaction may have waited for another process: what is
            # acknowledged is in the file that the next one will open [CRASH-4].
            self._check_location()

    def _check_location(self) -> None:
        if _identity(self._path) != self._identity:
            raise refusal(f"{self._path} is no longer the file that was opened")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",  # never creates a file
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,  # transactions begin where this module says so
            check_same_thread=False,  # the lock keeps threads apart [THREAD-1]
        )
        connection.row_factory = sqlite3.Row  # its repr has no values, which are secret [SECRET-2]
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: a flush reaches the disk itself
            self._check_location()
            with _transaction(connection):
                _prepare(connection, self._path)
            _write_ahead(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def break_storage(store: SQLiteFileStore, location: Path) -> None:
    """Put an open store's files out of reach, for the tests of what it does then [CRASH-4]."""
    del store
    location.rename(location.with_name(f"{location.name}-out-of-reach"))


# ---------------------------------------------------------------------------------------------
# Rows.


def _matchable(value: object) -> str | bytes | None:
    """The value as a parameter that matches what equals it, and nothing where nothing can.

    Text with a lone surrogate cannot be stored, so none is equal to it: it becomes a BLOB, which
    SQLite never holds equal to text. A number would match its digits, so it becomes NULL [BYID-3].
    """
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="surrogatepass")
    return value


def _update(connection: sqlite3.Connection, row: sqlite3.Row, fields: Fields) -> str:
    """Replace the values that the token has anew; others, and their indexes, are not touched [SAVE-13]."""
    changed = [f"{name} = :{name}" for name in FIELDS[1:] if fields[name] not in (None, row[name])]
    if changed:
        connection.execute(
            f"UPDATE oauthtoken SET {', '.join(changed)} WHERE number = :number",  # noqa: S608 (constants)
            {**fields, "number": row["number"]},
        )
    return str(row["id"])


def _insert(connection: sqlite3.Connection, fields: Fields) -> str:
    taken = fields["id"] is not None and connection.execute(_BY_ID, (fields["id"],)).fetchone() is not None
    fields["id"] = id_to_insert(fields, taken=taken)
    number = None
    if fields["id"]:
        connection.execute(_REMEMBER, fields)
    else:
        number = _unused_number(connection)
        fields["id"] = str(number)
    connection.execute(_INSERT, {**fields, "number": number})
    return str(fields["id"])


def _unused_number(connection: sqlite3.Connection) -> int:
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'oauthtoken'").fetchone()
    number = 1 + (last[0] if last else 0)
    while connection.execute("SELECT 1 FROM brought WHERE id = ?", (str(number),)).fetchone():
        number += 1
    return int(number)


# ---------------------------------------------------------------------------------------------
# Opening.


def _create(path: Path) -> None:
    """Make an empty file where there is none: SQLite itself would make it readable by everyone."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and not (path.exists() and path.stat().st_size):
        # SQLite would delete it, and with it the tokens that were last saved.
        raise refusal(f"the database that {log} belongs to is missing")
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if not path.is_file():
        raise refusal(f"{path} is not a file")


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file, take over those of the sample, refuse anything else."""
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type != 'index' AND name NOT GLOB 'sqlite_*' ORDER BY name"
    ).fetchall()
    names = [name for (name,) in tables]
    columns = tuple(column["name"] for column in connection.execute("PRAGMA table_info(oauthtoken)"))
    if application == _APPLICATION:
        if version != _VERSION:
            raise refusal(f"{path} has version {version} of the table, this store needs {_VERSION}")
        if columns != ("number", *FIELDS):
            raise refusal(f"{path} has other columns than this store made")
        _close_to_others(path)
        return
    legacy = names == ["oauthtoken"] and columns == _LEGACY_COLUMNS
    if application or version or (names and not legacy):
        raise refusal(f"{path} is not a token database")
    rows = _legacy_rows(connection) if legacy else []
    _close_to_others(path)
    if legacy:
        connection.execute("DROP TABLE oauthtoken")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.executemany(_INSERT, rows)
    connection.executemany(_REMEMBER, rows)


def _legacy_rows(connection: sqlite3.Connection) -> list[Fields]:
    """The rows of the published sample's table, unless some of them contradict one another."""
    rows = []
    places: defaultdict[tuple[str | None, ...], list[str | None]] = defaultdict(list)
    for values in connection.execute("SELECT * FROM oauthtoken ORDER BY rowid"):
        if not values[0] or any(not isinstance(value, str | None) for value in values):
            raise refusal(f"the row with id {values[0]!r} has no id, or holds something that is not text")
        row = Fields(number=None)
        row.update((column, value or None) for column, value in zip(FIELDS, values, strict=True))
        rows.append(row)
        places["id", row["id"]].append(row["id"])
        places[_key(row)].append(row["id"])
    clashes = [ids for key, ids in places.items() if key and len(ids) > 1]
    if clashes:
        listed = "; ".join(", ".join(map(repr, ids)) for ids in clashes)
        raise refusal(f"rows with these ids are of the same user or token, keep one of each: {listed}")
    return rows


def _key(row: Fields) -> tuple[str | None, ...]:
    """What identifies a row, as in the queries above; empty where nothing does."""
    client = (row["client_id"], row["client_secret"])
    if row["user_name"]:
        return ("user", row["user_name"])
    if row["access_token"] and not any(client):
        return ("access", row["access_token"])
    if row["grant_token"] and all(client):
        return ("grant", row["grant_token"], *client)
    if row["refresh_token"] and all(client):
        return ("refresh", row["refresh_token"], *client)
    return ()


def _close_to_others(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with contextlib.suppress(FileNotFoundError):
            file = path.with_name(name)
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log: readers and a writer do not wait for one another.

    SQLite does not wait for others here as it does elsewhere, and several may open a new file at once.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise refusal("the file system has no shared memory for a write-ahead log")
        return


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


# ---------------------------------------------------------------------------------------------
# Failures.


class _Surfaced:
    """Lets every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (sqlite3.Error, OSError, UnicodeError, OverflowError)):
            # These two quote the text that they could not encode or decode, which may be a token.
            cause = None if isinstance(error, UnicodeError) or "decode" in str(error) else error
            text = (
                self._message if cause is None else f"{self._message}: "
            )  # the SDK writes the cause behind it
            raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


# ---------------------------------------------------------------------------------------------
# Forks. A child that inherits an open connection believes that it holds its parent's locks, even on
# connections of its own: SQLite counts them by process in memory. When the parent then closes, it
# deletes the log that the child goes on writing to. So nothing is open while a process forks.

_OPENING = threading.RLock()
_STORES: weakref.WeakSet[SQLiteFileStore] = weakref.WeakSet()
_paused: list[SQLiteFileStore] = []


def _before_fork() -> None:
    _OPENING.acquire()
    for store in _STORES:
        store._lock.acquire()
        store._disconnect()
        _paused.append(store)


def _after_fork() -> None:
    while _paused:
        _paused.pop()._lock.release()
    _OPENING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
