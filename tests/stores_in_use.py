"""Files and stores as production leaves them, for the tests of the commands ``audit`` and ``move``."""

from __future__ import annotations

import csv
import io
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from zoho_reference_stores import ListStore
from zoho_tokenstore_contract._cli.commands import main
from zoho_tokenstore_contract._spec.tokens import FIELDS, SECRETS, Row, to_row, to_token

HEADER = (
    "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,"
    "redirect_uri,api_domain"
)
PAST, FUTURE = "1700000000000", "9999999999999"
CLIENT = {"client_id": "1000.QCLIENTQ", "client_secret": "zq8f4d1c7b2a9e35"}


def user(number: int, **fields: Any) -> Row:
    """The row of a user, with every field that an application has."""
    row = Row(
        id=str(number),
        user_name=f"user{number}@example.com:77",
        **CLIENT,
        refresh_token=f"1000.{number:04}refreshq{'5e7c' * 8}",
        access_token=f"1000.{number:04}accessqq{'9b3f' * 8}",
        expires_in=FUTURE,
        redirect_url="https://app.example.com/oauth",
        api_domain="https://www.zohoapis.com",
    )
    return row.but(**fields)


def line(row: Row) -> str:
    """A row as `FileStore` writes it, without the line break."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([getattr(row, name) for name in FIELDS])
    return written.getvalue()


ANN, BOB, CLEO = user(1), user(2), user(3)
UNNAMED = user(7, user_name=None)
BY_ACCESS = Row(id="8", access_token="1000.access.alone", expires_in=FUTURE)
WITHOUT_KEY = Row(id="9", refresh_token="1000.refresh.without.client")
EVERY_KIND = (ANN, BOB, UNNAMED, BY_ACCESS, WITHOUT_KEY)
"""Rows that are found in different ways; the last one by its id alone."""

S = TypeVar("S")


def named(monkeypatch: pytest.MonkeyPatch, name: str, store: S) -> S:
    """Make a store what the command knows as ``NAME:store``."""
    module = types.ModuleType(name)
    module.store = lambda: store  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    return store


def file_of(path: Path, *lines: str, header: str = HEADER, end: str = "\r\n") -> str:
    """Write a file as `FileStore` does, and answer its address."""
    path.write_bytes("".join(text + end for text in (header, *lines)).encode())
    path.chmod(0o600)
    return f"file:{path}"


def secrets_of(rows: Iterable[Row]) -> set[str]:
    """Every piece of eight characters of the secrets of rows."""
    values = {getattr(row, name) for row in rows for name in SECRETS} - {None}
    return {value[start : start + 8] for value in values for start in range(len(value) - 7)}


def command(*arguments: object) -> int:
    """Give the command in this process."""
    return main([str(argument) for argument in arguments])


def rows(store: Any) -> list[Row]:
    """The rows of a store."""
    return [to_row(token) for token in store.get_tokens()]


def filled(store: Any, *given: Row) -> Any:
    """A store with these rows."""
    for row in given:
        store.save_token(to_token(row))
    return store


class Listed(ListStore):
    """A store in use with any rows, also such as no store would take; finds the first of an id."""

    def __init__(self, *given: Row) -> None:
        super().__init__()
        self.given = list(given)

    def get_tokens(self) -> list[Any]:
        return [to_token(row) for row in self.given]

    def find_token_by_id(self, id: str) -> Any:
        return next((to_token(row) for row in self.given if row.id == id), None)
