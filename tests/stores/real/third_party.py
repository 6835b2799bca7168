"""Stores of the commonest third-party shapes: short, and right for one user in one process."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore

from .fields import NAMES, failure, fill, lacks_client, lacks_credentials, name_of, values_of

Values = list[Any]
"""The ten fields of a row, in the order of `NAMES`."""


def made_token(row: Values) -> Any:
    """A whole token for a row."""
    token = OAuthToken(access_token="made")  # the constructor wants something
    token.set_access_token(None)
    return fill(token, row)


class LookThenInsert(TokenStore):  # type: ignore[misc]
    """Rows of SQLite that are looked for and then inserted or updated, each in a connection of its own."""

    def __init__(self, location: Path) -> None:
        self.file = Path(location).absolute() / "tokens.db"
        with self.connected() as connection:
            connection.execute(f"create table if not exists tokens ({', '.join(NAMES)}, unique (id))")

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection for one statement, which is committed."""
        connection = sqlite3.connect(self.file, timeout=60)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def rows(self) -> list[Values]:
        """All rows, the oldest first."""
        with self.connected() as connection:
            return [list(row) for row in connection.execute("select * from tokens order by rowid")]

    def match(self, token: Any) -> Values | None:
        """The row of a token's user, or else of its access, grant or refresh token, or else of its id."""
        wanted = dict(zip(NAMES, values_of(token), strict=True))
        if wanted["user_name"]:
            keys = [{"user_name"}]
        elif lacks_client(token):
            keys = [{"access_token"}, {"id"}]
        else:
            client = {"client_id", "client_secret"}
            keys = [{"grant_token", *client}, {"refresh_token", *client}, {"id"}]
        for key in keys:
            for row in self.rows():
                stored = dict(zip(NAMES, row, strict=True))
                if all(wanted[name] and wanted[name] == stored[name] for name in key):
                    return row
        return None

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = self.match(token)
        if row is None:
            return None
        for name, value in zip(NAMES, values_of(token), strict=True):
            if value == "" and name != "user_name":
                getattr(token, f"set_{name}")(None)
        return fill(token, row)

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        row = self.match(token)
        values = [value or None for value in values_of(token)]
        if row is not None:
            token.set_id(row[0])
            merged = [new or old for new, old in zip(values[1:], row[1:], strict=True)]
            places = ", ".join(f"{name} = ?" for name in NAMES[1:])
            self.write(f"update tokens set {places} where id = ?", [*merged, row[0]])  # noqa: S608
            return
        if lacks_credentials(token):
            raise failure("no credential")
        if not values[0] or any(values[0] == stored[0] for stored in self.rows()):
            values[0] = uuid.uuid4().hex[:10]
        token.set_id(values[0])
        self.write(f"insert into tokens values ({', '.join('?' * len(NAMES))})", values)  # noqa: S608

    def write(self, statement: str, values: Values) -> None:
        """Run a statement."""
        try:
            with self.connected() as connection:
                connection.execute(statement, values)
        except (sqlite3.Error, UnicodeError) as error:
            raise failure("the storage cannot be written") from error

    def delete_token(self, id: Any) -> None:
        self.write("delete from tokens where id = ?", [id])

    def get_tokens(self) -> list[Any]:
        return [made_token(row) for row in self.rows()]

    def delete_tokens(self) -> None:
        self.write("delete from tokens", [])

    def find_token_by_id(self, id: Any) -> Any:
        return next((made_token(row) for row in self.rows() if row[0] == id), None)


class ErrorsAreNone(LookThenInsert):
    """Errors of its storage become an empty list, ``None``, or a save that seems to have worked."""

    def rows(self) -> list[Values]:
        try:
            return super().rows()
        except sqlite3.Error:
            return []

    def write(self, statement: str, values: Values) -> None:
        try:
            super().write(statement, values)
        except Exception:
            return


class OneSlot(LookThenInsert):
    """One row for whoever comes: the application is thought to have one user."""

    def match(self, token: Any) -> Values | None:
        """The only row."""
        return next(iter(self.rows()), None)


class IdsNeverSet(LookThenInsert):
    """Ids are a matter of the table: no token ever carries one."""

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        before = token.get_id()
        super().save_token(token)
        token.set_id(before)

    def find_token(self, token: Any) -> Any:
        before = token.get_id() if isinstance(token, OAuthToken) else None
        found = super().find_token(token)
        if found is not None:
            found.set_id(before)
        return found

    def get_tokens(self) -> list[Any]:
        return [made_token([None, *row[1:]]) for row in self.rows()]


class FirstRowOnAMiss(LookThenInsert):
    """A look-up that matches nothing falls back on the first row."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        rows = self.rows()
        return fill(token, rows[0]) if found is None and rows and isinstance(token, OAuthToken) else found

    def find_token_by_id(self, id: Any) -> Any:
        found = super().find_token_by_id(id)
        rows = self.rows()
        return made_token(rows[0]) if found is None and rows else found


class PrivateNames(LookThenInsert):
    """A token's private attributes are read by names that Python has changed: no value is ever there."""

    def values_of(self, token: Any) -> Values:
        """Its user's name, by the getter; all else by an attribute that does not exist."""
        values = [getattr(token, f"__{name}", None) for name in NAMES]
        return [values[0], name_of(token), *values[2:]]

    def match(self, token: Any) -> Values | None:
        """The row of the token's user."""
        name = name_of(token)
        return next((row for row in self.rows() if name and row[1] == name), None)

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        row = self.match(token)
        if row is None:
            row = [uuid.uuid4().hex[:10], *self.values_of(token)[1:]]
            self.write(f"insert into tokens values ({', '.join('?' * len(NAMES))})", row)  # noqa: S608
        token.set_id(row[0])  # else there is nothing to update
