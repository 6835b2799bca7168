"""A token store in an SQLite database in memory, for the Zoho CRM Python SDK.

Copy this module into your project: it needs the SDK and the standard library, nothing else::

    Initializer.initialize(environment, token, store=SQLiteMemoryStore())

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
from typing import TYPE_CHECKING, NamedTuple

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    Fields: TypeAlias = dict[str, str | None]  # a token's, by column; absent is None
    Columns: TypeAlias = tuple[str, ...]
    Query: TypeAlias = tuple[str, Columns]  # a statement, and the columns of its parameters
    Row: TypeAlias = tuple[Any, ...]  # of the table: the number, then the values of `_COLUMNS`

# ---------------------------------------------------------------------------------------------
# The table. Only `id` and `user_name` are unique: named users may share a token [SAVE-5], and two
# unnamed rows may come to hold the same one [SAVE-9]. No row is doubled all the same, because one
# call at a time looks and writes. Columns compare byte by byte, SQLite's default [VALUE-6].

_COLUMNS = (
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
_SCHEMA = """
    -- AUTOINCREMENT never gives a number twice, and an id that the store makes is such a number [DEL-5].
    CREATE TABLE oauthtoken (
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
    );
    CREATE INDEX by_access ON oauthtoken (access_token) WHERE access_token IS NOT NULL;
    CREATE INDEX by_grant ON oauthtoken (grant_token) WHERE grant_token IS NOT NULL;
    CREATE INDEX by_refresh ON oauthtoken (refresh_token) WHERE refresh_token IS NOT NULL;
    -- The ids that callers brought, also of rows long deleted: never given to others [DEL-5].
    CREATE TABLE brought (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""

# ---------------------------------------------------------------------------------------------
# Which row a token speaks of: the first way in which some row matches, and of several such rows the
# oldest. Ways for which the token lacks a field are left out; the others are one statement.


_CREDENTIALS = {"grant_token", "refresh_token", "access_token"}


class _Way(NamedTuple):
    """Columns in which the row has what the token has; `unnamed`: and it has no user."""

    columns: tuple[str, ...]
    unnamed: bool = False


_USER = _Way(("user_name",))
_ACCESS = _Way(("access_token",))
_GRANT = _Way(("grant_token", "client_id", "client_secret"))
_REFRESH = _Way(("refresh_token", "client_id", "client_secret"))
_ID = _Way(("id",))
_UNNAMED_GRANT, _UNNAMED_REFRESH, _UNNAMED_ID = (
    _Way(way.columns, unnamed=True) for way in (_GRANT, _REFRESH, _ID)
)


@functools.cache
def _to_find(has: Columns) -> Query:
    """The query for the row that is found by a token that has these fields."""
    # A name outranks everything else: whoever names a user reaches no row of another [SAVE-5, FIND-8].
    return _first(has, (_USER, _UNNAMED_ID) if "user_name" in has else _without_name(has, _ID))


@functools.cache
def _to_update(has: Columns) -> Query:
    """The query for the row that is updated when a token is saved that has these fields."""
    if "user_name" in has:
        # A new name goes to the unnamed row that the token was saved as before its user was known
        # [SAVE-14, SAVE-15].
        return _first(has, (_USER, _UNNAMED_ID, _UNNAMED_GRANT, _UNNAMED_REFRESH))
    # Without a name, another credential under the id of a user's row may be anybody's: no match.
    return _first(has, _without_name(has, _ID if _CREDENTIALS.isdisjoint(has) else _UNNAMED_ID))


def _without_name(has: Columns, by_id: _Way) -> tuple[_Way, ...]:
    if "client_id" not in has and "client_secret" not in has:
        return _ACCESS, by_id
    # Beside client credentials, an access token counts when nothing else says whose it is.
    at_last = {"client_id", "client_secret", "access_token"}.issubset(has) and not (
        {"grant_token", "refresh_token", "id"}.intersection(has)
    )
    return (_ACCESS,) if at_last else (_GRANT, _REFRESH, by_id)


def _first(has: Columns, ways: tuple[_Way, ...]) -> Query:
    known = [way for way in ways if set(way.columns).issubset(has)]
    rows = [
        "FROM oauthtoken WHERE "
        + " AND ".join([f"{column} = ?" for column in way.columns] + ["user_name IS NULL"] * way.unnamed)
        + " ORDER BY number LIMIT 1"
        for way in known
    ]
    if len(rows) == 1:
        text = f"SELECT * {rows[0]}"
    else:
        numbers = [*(f"(SELECT number {row})" for row in rows), "NULL", "NULL"]  # it takes two at least
        text = f"SELECT * FROM oauthtoken WHERE number = coalesce({', '.join(numbers)})"  # noqa: S608 (constants)
    return text, tuple(column for way in known for column in way.columns)


_BY_ID = "SELECT * FROM oauthtoken WHERE id = ?"
_INSERT = (
    f"INSERT INTO oauthtoken (number, {', '.join(_COLUMNS)})"  # noqa: S608 (constants)
    f" VALUES (:number, {', '.join(f':{column}' for column in _COLUMNS)})"
)


class SQLiteMemoryStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in an SQLite database in memory.

    They last until the store is closed or forgotten; each store has a database of its own, and so
    has a process that forks off. Any thread may use it, also another than made it [THREAD-1]: SQLite
    would allow that to one thread alone, so its check is switched off, and a lock lets one call at a
    time through, for readers too [THREAD-4, THREAD-5]. A save that fails leaves every row as it was.

    What the contract leaves open: deleting an unknown id is silent; ids are decimal text and never
    given twice; `get_tokens` answers in the order of insertion. A token with the name of a stored
    user and the id of another row updates the user's row alone; with the id of another user's row
    and a new name it becomes a row of its own, under a new id.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the database fails or
            the store is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # one call at a time
        self._closed = False
        with _Surfaced("Cannot open a database in memory"):
            self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._connection.executescript(_SCHEMA)

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        with _Surfaced(Constants.GET_TOKEN_DB_ERROR), self._lock:
            connection = self._ready()
            if not isinstance(token, OAuthToken):
                return None
            fields = _read(token)
            query, columns = _to_find(_present(fields))
            row = connection.execute(query, [_matchable(fields[column]) for column in columns]).fetchone()
            return None if row is None else _fill(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        with _Surfaced(Constants.SAVE_TOKEN_DB_ERROR), self._lock:
            connection = self._ready()
            if not isinstance(token, OAuthToken):
                raise _refusal("only an OAuthToken can be saved")
            fields = _read(token)
            if any(not isinstance(value, str | None) for value in fields.values()):
                raise _refusal("every field of a token is text")
            with _transaction(connection):
                query, columns = _to_update(_present(fields))
                row = connection.execute(query, [fields[column] for column in columns]).fetchone()
                row_id = _insert(connection, fields) if row is None else _update(connection, row, fields)
        # Only now, so that a save that failed leaves the token as it was.
        token.set_id(row_id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with _Surfaced(Constants.DELETE_TOKEN_DB_ERROR), self._lock:
            connection = self._ready()
            connection.execute("DELETE FROM oauthtoken WHERE id = ?", (_matchable(id),))

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with _Surfaced(Constants.GET_TOKENS_DB_ERROR), self._lock:
            connection = self._ready()
            rows = connection.execute("SELECT * FROM oauthtoken ORDER BY number")
            return [_new_token(row) for row in rows]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with _Surfaced(Constants.DELETE_TOKENS_DB_ERROR), self._lock:
            connection = self._ready()
            connection.execute("DELETE FROM oauthtoken")

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with _Surfaced(Constants.GET_TOKEN_DB_ERROR), self._lock:
            connection = self._ready()
            row = connection.execute(_BY_ID, (_matchable(id),)).fetchone()
        return None if row is None else _new_token(row)

    def close(self) -> None:
        """Forget every token. Every later call of another method raises."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def __enter__(self) -> SQLiteMemoryStore:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> sqlite3.Connection:
        if self._closed:
            raise _refusal("the store is closed")
        return self._connection


# ---------------------------------------------------------------------------------------------
# Tokens and rows.


def _read(token: OAuthToken) -> Fields:
    """The token's fields by column. Absent is ``None`` or ``""`` in a token, NULL in the table."""
    signature = token.get_user_signature()
    return {
        "id": token.get_id() or None,
        "user_name": (signature.get_name() or None) if signature is not None else None,
        "client_id": token.get_client_id() or None,
        "client_secret": token.get_client_secret() or None,
        "refresh_token": token.get_refresh_token() or None,
        "access_token": token.get_access_token() or None,
        "grant_token": token.get_grant_token() or None,
        "expires_in": token.get_expires_in() or None,
        "redirect_url": token.get_redirect_url() or None,
        "api_domain": token.get_api_domain() or None,
    }


def _present(fields: Fields) -> Columns:
    return tuple([column for column, value in fields.items() if value])


def _fill(token: OAuthToken, row: Row) -> OAuthToken:
    """Give the token the row's id, and of the row's other fields those that it lacks."""
    _, id, user_name, client_id, secret, refresh, access, grant, expires_in, redirect_url, api_domain = row
    token.set_id(id)
    signature = token.get_user_signature()
    if signature is None or not signature.get_name():
        token.set_user_signature(UserSignature(user_name) if user_name else None)
    if not token.get_client_id():
        token.set_client_id(client_id)
    if not token.get_client_secret():
        token.set_client_secret(secret)
    if not token.get_refresh_token():
        token.set_refresh_token(refresh)
    if not token.get_access_token():
        token.set_access_token(access)
    if not token.get_grant_token():
        token.set_grant_token(grant)
    if not token.get_expires_in():
        token.set_expires_in(expires_in)
    if not token.get_redirect_url():
        token.set_redirect_url(redirect_url)
    if not token.get_api_domain():
        token.set_api_domain(api_domain)
    return token


def _new_token(row: Row) -> OAuthToken:
    # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5].
    return _fill(OAuthToken(id=row[1]), row)


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


def _update(connection: sqlite3.Connection, row: Row, fields: Fields) -> str:
    """Replace the values that the token has anew; others, and their indexes, are not touched [SAVE-13]."""
    number, row_id, *values = row
    changed = [
        f"{column} = :{column}"
        for column, value in zip(_COLUMNS[1:], values, strict=True)
        if fields[column] not in (None, value)
    ]
    if changed:
        connection.execute(
            f"UPDATE oauthtoken SET {', '.join(changed)} WHERE number = :number",  # noqa: S608 (constants)
            {**fields, "number": number},
        )
    return str(row_id)


def _insert(connection: sqlite3.Connection, fields: Fields) -> str:
    if _CREDENTIALS.isdisjoint(_present(fields)) and (fields["id"] or fields["user_name"]):
        raise _refusal(Constants.GET_TOKEN_DB_ERROR1)  # [SAVE-16]
    if fields["id"] and connection.execute("SELECT 1 FROM oauthtoken WHERE id = :id", fields).fetchone():
        if not fields["user_name"]:
            raise _refusal("the id is that of a user's row, whom this token does not name")
        fields = {**fields, "id": None}  # another user's row: this user gets one of their own [SAVE-11]
    if fields["id"]:
        connection.execute("INSERT OR IGNORE INTO brought VALUES (:id)", fields)
        number = None
    else:
        number = _unused_number(connection)
        fields = {**fields, "id": str(number)}
    connection.execute(_INSERT, {**fields, "number": number})
    return str(fields["id"])


def _unused_number(connection: sqlite3.Connection) -> int:
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'oauthtoken'").fetchone()
    number = 1 + (last[0] if last else 0)
    while connection.execute("SELECT 1 FROM brought WHERE id = ?", (str(number),)).fetchone():
        number += 1
    return int(number)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


# ---------------------------------------------------------------------------------------------
# Failures.


def _refusal(message: str) -> SDKException:
    return SDKException(code=Constants.TOKEN_STORE, message=message)


class _Surfaced:
    """Lets every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (sqlite3.Error, UnicodeError, OverflowError)):
            # A text that cannot be encoded is quoted in the error, and may be a token.
            cause = None if isinstance(error, UnicodeError) else error
            text = (
                self._message if cause is None else f"{self._message}: "
            )  # the SDK writes the cause behind it
            raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause
