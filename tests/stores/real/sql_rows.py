"""Stores in a SQL table, as the SDK's SQLite samples: statements are put together from texts.

Ids are the greatest text plus one, an update leaves no id in the token, and a look-up without a key selects
the whole table.
"""

# ruff: noqa: S608 (that texts become SQL is what these stores are about)

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore

from .fields import (
    failure,
    fill,
    has_client,
    lacks_client,
    lacks_credentials,
    name_of,
    unmade_token,
    values_of,
)

COLUMNS = (
    "id",
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expiry_time",
    "redirect_url",
    "api_domain",
)
TABLE = "create table oauthtoken (" + ", ".join(
    f"{name} varchar({10 if name == 'id' else 255})" for name in COLUMNS
)
TABLE += ", primary key (id))"

Condition = tuple[str, str] | None
"""A column and the text that it has to have; ``None`` for no condition."""


class SqlRows(TokenStore):  # type: ignore[misc]
    """A table whose rows have an id, and no other key."""

    def connected(self) -> contextlib.AbstractContextManager[Any]:
        """A connection for one call."""
        raise NotImplementedError

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return token
        try:
            with self.connected() as connection:
                cursor = connection.cursor()
                cursor.execute(f"select * from oauthtoken{_where(_condition_to_find(token))} limit 1")
                row = cursor.fetchone()
                if row is None:
                    return None
                fill(token, row)
        except Exception as error:
            raise failure("find_token", error) from error
        return token

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        try:
            with self.connected() as connection:
                cursor = connection.cursor()
                try:
                    self.update_or_insert(cursor, token)
                finally:
                    connection.commit()
        except Exception as error:
            raise failure("save_token", error) from error

    def update_or_insert(self, cursor: Any, token: Any) -> None:
        """Update what the token's key matches; where that changes nothing, insert."""
        condition = _condition_to_save(token)
        fields = _assignments(token) if condition else ""
        chosen = (
            f" where rowid in (select rowid from oauthtoken{_where(condition)} limit 1)" if condition else ""
        )
        cursor.execute(f"update oauthtoken set {fields}{chosen}")
        if cursor.rowcount > 0:
            return
        if (token.get_id() is not None or token.get_user_signature() is not None) and lacks_credentials(
            token
        ):
            raise failure("no credential")
        if token.get_id() is None:
            token.set_id(str(self.next_id()))
        marks = ",".join(["?"] * len(COLUMNS))
        cursor.execute(f"insert into oauthtoken values ({marks})", values_of(token))

    def delete_token(self, id: Any) -> None:
        self.change("delete from oauthtoken where id= " + id + ";")

    def delete_tokens(self) -> None:
        self.change("delete from oauthtoken;")

    def change(self, statement: str) -> None:
        """Run a statement and commit."""
        try:
            with self.connected() as connection:
                connection.cursor().execute(statement)
                connection.commit()
        except sqlite3.Error as error:
            raise failure("deleting", error) from error

    def get_tokens(self) -> list[Any]:
        try:
            with self.connected() as connection:
                cursor = connection.cursor()
                cursor.execute("select * from oauthtoken;")
                return [unmade_token(row) for row in cursor.fetchall()]
        except sqlite3.Error as error:
            raise failure("get_tokens", error) from error

    def find_token_by_id(self, id: Any) -> Any:
        where = " where id='" + id + "'"
        try:
            with self.connected() as connection:
                cursor = connection.cursor()
                cursor.execute(f"select * from oauthtoken{where}")
                rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise failure("find_token_by_id", error) from error
        if not rows:
            raise failure("the id is invalid")
        return unmade_token(rows[0])

    def next_id(self) -> int:
        """One more than the greatest id, which is the greatest text."""
        with self.connected() as connection:
            cursor = connection.cursor()
            cursor.execute("select max(id) from oauthtoken;")
            [greatest] = cursor.fetchone()
            return 1 if greatest is None else int(greatest) + 1


def _where(condition: Condition) -> str:
    """A condition as SQL."""
    return "" if condition is None else f" where {condition[0]}='{condition[1]}'"


def _assignments(token: Any) -> str:
    """What an update sets: the fields that are not ``None``."""
    values = zip(COLUMNS[1:], values_of(token)[1:], strict=True)
    return ",".join(f"{name}='{value}'" for name, value in values if value is not None)


def _condition_to_find(token: Any) -> Condition:
    if token.get_user_signature() is not None:
        name = name_of(token)
        return ("user_name", name) if name else None
    if token.get_access_token() is not None and lacks_client(token):
        return "access_token", token.get_access_token()
    if token.get_refresh_token() is not None or (token.get_grant_token() is not None and has_client(token)):
        return _grant_or_refresh(token)
    return None


def _condition_to_save(token: Any) -> Condition:
    if token.get_user_signature() is not None:
        name = name_of(token)
        return ("user_name", name) if name else None
    if token.get_access_token() and lacks_client(token):
        return "access_token", token.get_access_token()
    return _grant_or_refresh(token) if has_client(token) else None


def _grant_or_refresh(token: Any) -> Condition:
    if token.get_grant_token():
        return "grant_token", token.get_grant_token()
    return ("refresh_token", token.get_refresh_token()) if token.get_refresh_token() else None


class SqliteSample(SqlRows):
    """As the SDK's SQLite sample: a file in the current directory, opened anew in each call."""

    def __init__(self) -> None:
        self.file = "zohooauth.db"
        if not self.has_a_row():
            with self.connected() as connection:
                connection.execute(TABLE)

    def has_a_row(self) -> bool:
        """What it takes for the question whether there is a table [PERSIST-1]."""
        try:
            with self.connected() as connection:
                return connection.execute("select * from oauthtoken limit 1").fetchone() is not None
        except sqlite3.Error:
            return False

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        connection = sqlite3.connect(self.file)
        try:
            yield connection
        finally:
            connection.close()

    def delete_tokens(self) -> None:
        with self.connected() as connection:
            connection.cursor().execute("delete from oauthtoken;")
            self.connection.commit()


class MemorySample(SqlRows):
    """As the SDK's sample in memory: one connection, which works in the thread that made it."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.execute(TABLE)

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        yield self.connection

    def close(self) -> None:
        """The sample has no such method; here its connection is closed without a warning."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
