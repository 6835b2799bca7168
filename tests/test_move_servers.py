"""``zoho-tokenstore move`` from and to tables and servers, and the SDK over the new store."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests import mariadb, moto_server, published, servers
from tests.sql_stores import KINDS
from tests.stores.catalogue import sut_for
from tests.stores_in_use import (
    ANN,
    BOB,
    CLEO,
    CLIENT,
    EVERY_KIND,
    HEADER,
    PAST,
    UNNAMED,
    command,
    file_of,
    filled,
    line,
    rows,
    user,
)
from zoho_reference_stores import DynamoDBStore, RedisStore, SQLiteFileStore
from zoho_reference_stores.dynamodb_store import create_table
from zoho_tokenstore_contract._drivers.zoho.data_centre import TOKEN
from zoho_tokenstore_contract._drivers.zoho.sdk_session import Flow
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._spec.tokens import Row

pytestmark = pytest.mark.once


# Servers


@pytest.fixture(params=["pymysql", "mysql.connector"])
def dbstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a table of `DBStore` on MariaDB, with a double of a user, read with each driver."""
    if request.param == "mysql.connector":
        monkeypatch.setitem(sys.modules, "pymysql", None)
    servers.skip_or_fail(mariadb.missing())
    with published.serving() as server:
        filled(published.db_store(tmp_path), ANN, BOB, UNNAMED)
        with published._cursor() as (_, cursor):
            cursor.execute(f"use {tmp_path.name}")
            values = vars(ANN.but(id="20", expires_in=PAST, access_token="1000.older")).values()
            cursor.execute("insert into oauthtoken values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)", tuple(values))
        monkeypatch.setenv("MYSQL_PWD", server.password)
        yield f"mysql://{server.user}@{server.host}:{server.port}/{tmp_path.name}"


def test_a_table_of_dbstore_is_moved_beside_itself(dbstore: str, tmp_path: Path) -> None:
    """To another table of the same database, of which the old one is left as it was."""
    assert command("move", dbstore, f"{dbstore}?table=tokens", "--report", tmp_path / "m.json") == 0
    assert command("move", dbstore, f"{dbstore}?table=tokens") == 0
    assert command("move", f"{dbstore}?table=tokens", f"sqlite:{tmp_path / 'tokens.db'}") == 0

    assert json.loads((tmp_path / "m.json").read_text())["ids"] == {"20": "1"}
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        assert sorted(rows(store), key=lambda row: int(row.id)) == [ANN, BOB, UNNAMED]
    assert len(rows(published.db_store(tmp_path))) == 4


def test_rows_are_moved_to_postgresql_and_back(
    postgresql: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a table that the move makes."""
    server = KINDS["postgresql"].server()
    monkeypatch.setenv("PGPASSWORD", server.password)
    table = f"postgresql://{server.user}@{server.host}:{server.port}/store?table=moved_{os.getpid()}"
    address = file_of(tmp_path / "tokens.csv", line(ANN), line(BOB), line(UNNAMED))

    assert command("audit", table) == 2
    assert command("move", address, table) == 0
    assert command("move", address, table) == 0
    assert command("move", table, f"sqlite:{tmp_path / 'tokens.db'}") == 0
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        assert rows(store) == [ANN, BOB, UNNAMED]


def test_rows_are_moved_to_redis_and_back(redis: Any, tmp_path: Path) -> None:
    """Under the prefix that the address names."""
    import redis as library

    address = file_of(tmp_path / "tokens.csv", line(ANN), line(BOB), line(UNNAMED))
    url = f"redis://127.0.0.1:{redis.port}/0?prefix={tmp_path.name}"

    assert command("move", address, url, "--dry-run") == 0
    assert command("move", address, url) == 0
    assert command("audit", url) == 0
    assert command("move", url, f"sqlite:{tmp_path / 'tokens.db'}") == 0
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        assert rows(store) == [ANN, BOB, UNNAMED]
    with library.Redis(port=redis.port) as client:
        assert rows(RedisStore(client, tmp_path.name)) == [ANN, BOB, UNNAMED]


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A table of DynamoDB on moto's server, which an application's own settings lead to; its client."""
    servers.skip_or_fail(moto_server.missing())
    with moto_server.running() as server:
        for name, value in moto_server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it may have been made with other settings
        client = boto3.client("dynamodb")
        create_table(client, "tokens")
        yield client
        client.close()


def test_rows_are_moved_to_dynamodb_and_back(
    dynamodb: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is audited, filled, recognised when it is run again, and read as a source."""
    given = [*EVERY_KIND, CLEO.but(id="abc"), user(4, user_name="jürgen 'o\"brien")]
    address = file_of(tmp_path / "tokens.csv", *map(line, given))

    assert command("move", address, "dynamodb:tokens", "--dry-run") == 0
    assert rows(DynamoDBStore(dynamodb, "tokens")) == []
    assert command("move", address, "dynamodb:tokens") == 0
    assert rows(DynamoDBStore(dynamodb, "tokens")) == given
    assert command("audit", "dynamodb:tokens") == 1
    assert "rows that can be found by nothing but their id" in capsys.readouterr().out
    assert command("move", address, "dynamodb:tokens") == 0
    assert f"{len(given)}  there before" in capsys.readouterr().out
    assert command("move", "dynamodb:tokens", f"sqlite:{tmp_path / 'tokens.db'}") == 0
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        assert rows(store) == given
    assert rows(DynamoDBStore(dynamodb, "tokens")) == given


def test_a_table_of_dynamodb_with_other_tokens_is_refused(dynamodb: Any, tmp_path: Path) -> None:
    """With ``--merge`` the newer row of a login stays, whichever store has it."""
    renewed = ANN.but(expires_in="99999999999999", access_token="1000.renewed")
    filled(DynamoDBStore(dynamodb, "tokens"), renewed, BOB.but(expires_in=PAST, access_token="1000.older"))
    address = file_of(tmp_path / "tokens.csv", line(ANN), line(BOB), line(CLEO))

    assert command("move", address, "dynamodb:tokens") == 2
    assert command("move", address, "dynamodb:tokens", "--merge") == 0
    assert rows(DynamoDBStore(dynamodb, "tokens")) == [renewed, BOB, CLEO]


def test_a_table_of_dynamodb_that_is_not_there_is_told(
    dynamodb: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what makes it: a table costs money, and is not made by the way."""
    address = file_of(tmp_path / "tokens.csv", line(ANN))
    assert command("audit", "dynamodb:none") == command("move", address, "dynamodb:none") == 2

    told = capsys.readouterr()
    assert told.err.count("there is no such table in us-east-1; make it with create_table") == 2
    assert told.out == ""
    assert dynamodb.list_tables()["TableNames"] == ["tokens"]


# The SDK over the new store


def open_store(location: Path) -> SQLiteFileStore:
    return SQLiteFileStore(location / "tokens.db")


def test_nobody_is_logged_out_by_a_move() -> None:
    """The SDK over the new store knows every user by id and by name, and renews the expired token alone."""
    with Workspace(sut_for(open_store), Effort()) as workspace, Flow(workspace) as flow:
        location = flow.store.location
        users = [
            flow.signed_in(name, expired=name == "cleo").but(id=str(number))
            for number, name in enumerate(("ann", "bob", "cleo"), 1)
        ]
        lines = [line(users[0]), HEADER, line(users[1]), line(users[1].but(id="9", expires_in=PAST))]
        address = file_of(location.parent / "tokens.csv", *lines, line(users[2]))
        assert command("move", address, f"sqlite:{location / 'tokens.db'}") == 0

        flow.start(Row(id="1"))
        for name, row in zip(("ann", "bob", "cleo"), users, strict=True):
            for known in (row.only("id"), row.only("user_name"), row.only("refresh_token", *CLIENT)):
                flow.start(known)
                flow.calls_as(name)
        assert [request.form["refresh_token"] for request in flow.zoho.asked(TOKEN)] == [
            users[2].refresh_token
        ]
