"""Stores that go through all their rows, as the SDK's `FileStore` and its list sample.

The row that a token's id names is updated, whosever it is; ids are the greatest number plus one.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .fields import (
    NAMES,
    failure,
    fill,
    has_client,
    lacks_client,
    lacks_credentials,
    name_of,
    unmade_token,
    values_of,
)

Rows = list[list[Any]]


class PlainRows(TokenStore):  # type: ignore[misc]
    """Rows one after another.

    Attributes:
        first: The place of the first row; what is before it is no token.
        failures: What finding and saving turn into `SDKException`.
    """

    first = 0
    failures: tuple[type[Exception], ...] = (Exception,)

    def read(self) -> Rows:
        """Everything that is stored."""
        raise NotImplementedError

    def write(self, rows: Rows) -> None:
        """Replace everything that is stored."""
        raise NotImplementedError

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return token
        try:
            for row in self.read()[self.first :]:
                if _matches(token, row):
                    return fill(token, _with_absent(row))
        except self.failures as error:
            raise failure("find_token", error) from error
        return None

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        try:
            rows = self.read()
            place = next((place for place, row in enumerate(rows) if self.is_meant(token, row)), None)
            if place is None:
                self.insert(rows, token)
            else:
                fill(token, _with_absent(rows[place]))
                rows[place] = self.row_of(token)
            self.write(rows)
        except self.failures as error:
            raise failure("save_token", error) from error

    def is_meant(self, token: Any, row: Sequence[Any]) -> bool:
        """Whether a token updates a row: by its id where it has one, and by nothing else then."""
        if token.get_id() is not None:
            return bool(row[0]) and row[0] == token.get_id()
        return _matches(token, row)

    def insert(self, rows: Rows, token: Any) -> None:
        """Append a row."""
        named = token.get_id() is not None or token.get_user_signature() is not None
        if named and lacks_credentials(token):
            raise failure("no credential")
        if token.get_id() is None:
            # The first line is no row, they say; in a list it is one.
            token.set_id(str(1 + max((int(row[0]) for row in rows[1:] if row[0]), default=0)))
        rows.append(self.row_of(token))

    def row_of(self, token: Any) -> list[Any]:
        """The ten fields of a token as they are stored."""
        values = values_of(token)
        return [values[0], values[1] or "", *values[2:]]

    def delete_token(self, id: Any) -> None:
        try:
            rows = self.read()
            kept = next((place for place, row in enumerate(rows) if row[0] and row[0] == id), None)
            if kept is not None:
                rows.pop(kept)
            self.write(rows)
            if kept is None:
                raise failure("the id is not found")
        except SDKException:
            raise
        except Exception as error:
            raise failure("delete_token", error) from error

    def get_tokens(self) -> list[Any]:
        try:
            return [unmade_token(_with_absent(row)) for row in self.read()[self.first :]]
        except Exception as error:
            raise failure("get_tokens", error) from error

    def find_token_by_id(self, id: Any) -> Any:
        try:
            for row in self.read():
                if row[0] == id:
                    return unmade_token(_with_absent(row))
        except Exception as error:
            raise failure("find_token_by_id", error) from error
        raise failure("the id is invalid")


def _with_absent(row: Sequence[Any]) -> list[Any]:
    """A row with ``None`` where its text is empty."""
    return [row[place] or None for place in range(len(NAMES))]


def _matches(token: Any, row: Sequence[Any]) -> bool:
    if token.get_user_signature() is not None:
        return bool(name_of(token)) and name_of(token) == row[1]
    if token.get_access_token() is not None and lacks_client(token):
        return bool(row[5]) and row[5] == token.get_access_token()
    if has_client(token):
        grant, refresh = token.get_grant_token(), token.get_refresh_token()
        return (bool(grant) and grant == row[6]) or (bool(refresh) and refresh == row[4])
    return False


class ListSample(PlainRows):
    """As the SDK's list sample: the first row does not count when the next id is made."""

    def __init__(self) -> None:
        self.rows: Rows = []

    def read(self) -> Rows:
        return self.rows

    def write(self, rows: Rows) -> None:
        self.rows = rows

    def delete_tokens(self) -> None:
        self.rows = []


class CsvFile(PlainRows):
    """As `FileStore`: a CSV file, written where it is, whose header line is taken for a row."""

    first = 1
    failures = (OSError,)

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with open(path) as file:
                rows = list(csv.reader(file))
        except FileNotFoundError:
            rows = []
        if not rows:
            self.delete_tokens()

    def read(self) -> Rows:
        with open(self.path) as file:
            return [row for row in csv.reader(file) if row]

    def write(self, rows: Rows) -> None:
        with open(self.path, "w", newline="") as file:
            csv.writer(file).writerows(rows)

    def delete_tokens(self) -> None:
        try:
            self.write([[*NAMES[:7], "expiry_time", *NAMES[8:]]])
        except Exception as error:
            raise failure("delete_tokens", error) from error
