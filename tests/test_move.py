"""``zoho-tokenstore move``: every token of one store in another, read back, and nothing lost by a kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import mariadb, moto_server, published, servers
from tests.sql_stores import KINDS
from tests.stores.catalogue import sut_for
from tests.stores_in_use import (
    CLIENT,
    FUTURE,
    HEADER,
    PAST,
    Listed,
    command,
    file_of,
    filled,
    line,
    rows,
    user,
)
from zoho_reference_stores import DynamoDBStore, ListStore, RedisStore, SQLiteFileStore
from zoho_reference_stores.dynamodb_store import create_table
from zoho_tokenstore_contract._drivers.zoho.sdk_session import Flow
from zoho_tokenstore_contract._drivers.zoho.server import TOKEN
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._migration.move import BATCH, CHANGED, look_at_target, move
from zoho_tokenstore_contract._migration.plan import Plan, plan
from zoho_tokenstore_contract._migration.reading import SourceRecord, StoreReader
from zoho_tokenstore_contract._spec.tokens import Row, to_row

pytestmark = pytest.mark.once

ANN, BOB, CLEO = user(1), user(2), user(3)
UNNAMED = user(7, user_name=None)
BY_ACCESS = Row(id="8", access_token="1000.access.alone", expires_in=FUTURE)
WITHOUT_KEY = Row(id="9", refresh_token="1000.refresh.without.client")
EVERY_KIND = (ANN, BOB, UNNAMED, BY_ACCESS, WITHOUT_KEY)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> ListStore:
    """A target in memory, which the command knows as ``target:store``."""
    return _named(monkeypatch, "target", ListStore())


S = TypeVar("S")


def _named(monkeypatch: pytest.MonkeyPatch, name: str, store: S) -> S:
    module = types.ModuleType(name)
    module.store = lambda: store  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    return store


def source(monkeypatch: pytest.MonkeyPatch, *given: Row) -> str:
    """The address of a source with these rows."""
    _named(monkeypatch, "source", Listed(*given))
    return "source:store"


# What is written


def test_every_row_arrives_with_its_id(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """Rows with and without a user, and such as only their id finds, are the same in the target."""
    assert command("move", source(monkeypatch, *EVERY_KIND), "target:store") == 0

    assert rows(target) == list(EVERY_KIND)


def test_running_it_again_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, target: ListStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there already is recognised, also rows without a key and rows whose id has changed."""
    given = [*EVERY_KIND, CLEO.but(id="1"), Row(refresh_token="1000.neither.id.nor.client")]
    for _ in range(2):
        assert command("move", source(monkeypatch, *given), "target:store") == 0
        assert len(rows(target)) == len(given)

    assert "7  there before" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the plan with every decision, and does not even make the target."""
    address = file_of(
        tmp_path / "tokens.csv", line(ANN), HEADER, *(line(ANN.but(id=str(n))) for n in range(20, 30))
    )

    assert command("move", address, f"sqlite:{tmp_path / 'tokens.db'}", "--dry-run") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.csv"]
    told = capsys.readouterr().out
    assert "1  of them to be in the target" in told
    assert told.count("is written") == 10


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([ANN, ANN.but(id="5", expires_in="99999999999999")], "5"),
        ([ANN, ANN.but(id="5", expires_in=PAST)], "1"),
        ([ANN.but(expires_in=PAST), ANN.but(id="5", refresh_token=None)], "1"),
        ([ANN.but(client_id=None), ANN.but(id="5", expires_in=PAST)], "5"),
        ([ANN, ANN.but(id="5", redirect_url="other")], "5"),
        ([ANN.but(expires_in=PAST), ANN.but(id="5", user_name=None)], "1"),
        ([ANN.but(user_name=None), ANN.but(id="5")], "5"),
        ([UNNAMED, UNNAMED.but(id="5", expires_in=PAST, access_token="1000.older")], "7"),
        ([BY_ACCESS, BY_ACCESS.but(id="5", expires_in=PAST)], "8"),
    ],
    ids=[
        "newer",
        "older",
        "newer, cannot renew",
        "newer, without client",
        "same age: the last",
        "without a name, newer",
        "without a name, first",
        "both without a name",
        "by access token alone",
    ],
)
def test_of_several_rows_of_a_login_the_newest_that_can_renew_is_written(
    given: list[Row], expected: str, monkeypatch: pytest.MonkeyPatch, target: ListStore
) -> None:
    """The others would only change it, or be found in place of it."""
    assert command("move", source(monkeypatch, *given, BOB), "target:store") == 0

    assert rows(target) == [*(row for row in given if row.id == expected), BOB]


def test_users_who_share_a_credential_stay_apart(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """A user name outranks everything else, so that both rows are written."""
    shared = BOB.but(refresh_token=ANN.refresh_token, access_token=ANN.access_token)
    assert command("move", source(monkeypatch, ANN, shared), "target:store") == 0

    assert rows(target) == [ANN, shared]


def test_ids_that_change_are_told(
    monkeypatch: pytest.MonkeyPatch, target: ListStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An application that holds an id of a row that was not kept learns under which one the login is now."""
    given = [ANN, ANN.but(id="5", expires_in=PAST), BOB.but(id="1"), CLEO.but(id=None)]
    assert command("move", source(monkeypatch, *given), "target:store", "--report", tmp_path / "m.json") == 0

    by_user = {row.user_name: row.id for row in rows(target)}
    assert by_user[ANN.user_name] == "1"
    assert len(set(by_user.values())) == 3
    ids = json.loads((tmp_path / "m.json").read_text())["ids"]
    assert ids == {"5": "1", "1": by_user[BOB.user_name]}
    assert "'5' -> '1'" in capsys.readouterr().out


def test_ids_that_the_target_does_not_keep_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A row is saved under another id rather than not at all."""

    class KeepsNumbers(ListStore):
        def save_token(self, token: Any) -> None:
            if token.get_id() and not token.get_id().isdecimal():
                raise SDKException("TOKEN_STORE", "the id is no number")
            super().save_token(token)

    store = _named(monkeypatch, "target", KeepsNumbers())
    given = source(monkeypatch, ANN.but(id="abc"), BOB)
    assert command("move", given, "target:store", "--report", tmp_path / "m.json") == 0

    ids = {row.user_name: row.id for row in rows(store)}
    assert json.loads((tmp_path / "m.json").read_text())["ids"] == {"abc": ids[ANN.user_name]}


def test_ids_that_the_target_makes_up_are_none_of_the_source(
    monkeypatch: pytest.MonkeyPatch, target: ListStore
) -> None:
    """Rows without an id come last, for the store would give them ids that other rows bring."""
    given = [ANN.but(id=None), BOB.but(id="1"), CLEO.but(id="2")]
    assert command("move", source(monkeypatch, *given), "target:store") == 0

    ids = {row.user_name: row.id for row in rows(target)}
    assert (ids[BOB.user_name], ids[CLEO.user_name]) == ("1", "2")


def test_rows_of_a_damaged_file_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is whole is carried over, what is cut without its last field, and the rest is told: status 1."""
    path = tmp_path / "tokens.csv"
    address = file_of(
        path,
        line(ANN),
        HEADER,
        line(BOB)[:-90],
        line(CLEO)[:60],
        line(user(4)),
        "\0" * 50 + line(user(5))[99:],
    )
    before = path.read_bytes(), path.stat().st_mtime_ns

    assert command("move", address, f"sqlite:{tmp_path / 'tokens.db'}") == 1
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        moved = {row.user_name: row for row in rows(store)}
    assert moved == {
        ANN.user_name: ANN,
        BOB.user_name: BOB.only("id", "user_name", *CLIENT, "refresh_token"),
        user(4).user_name: user(4),
    }
    told = capsys.readouterr().out
    assert "2  not to be carried over" in told
    assert "line 5: it has 5 of 10 fields" in told
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# What else is in the target


@pytest.mark.parametrize("other", [CLEO, ANN.but(access_token="1000.renewed")], ids=["other", "renewed"])
def test_a_target_with_other_tokens_is_refused(
    other: Row, monkeypatch: pytest.MonkeyPatch, target: ListStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and nothing is written, unless somebody says that they are to be merged."""
    filled(target, other)

    assert command("move", source(monkeypatch, ANN, BOB), "target:store") == 2
    assert rows(target) == [other]
    assert "--merge" in capsys.readouterr().err


def test_merging_keeps_what_is_there(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """Other users stay, ids that others have change, and of one login the newest row stays."""
    newer = ANN.but(expires_in="99999999999999", access_token="1000.newer")
    older = BOB.but(expires_in=PAST, access_token="1000.older")
    filled(target, newer, older, user(4, id="3"))

    assert command("move", source(monkeypatch, ANN, BOB, CLEO), "target:store", "--merge") == 0
    moved = {row.user_name: row for row in rows(target)}
    assert moved.pop(CLEO.user_name).but(id="3") == CLEO
    assert list(moved.values()) == [newer, BOB, user(4, id="3")]


def test_a_store_is_not_moved_to_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two spellings of one file are one store."""
    file_of(tmp_path / "tokens.csv", line(ANN))

    assert command("move", f"file:{tmp_path / 'tokens.csv'}", f"file:{tmp_path}/./tokens.csv") == 2
    assert "the same store" in capsys.readouterr().err


# What goes wrong


class Forgets(ListStore):
    """Loses a field of every token."""

    def save_token(self, token: Any) -> None:
        token.set_api_domain(None)
        super().save_token(token)


class FindsByNameAlone(ListStore):
    """Finds nothing by a credential."""

    def find_token(self, token: Any) -> Any:
        return super().find_token(token) if token.get_user_signature() is not None else None


class TakesNothing(ListStore):
    """Raises, and tells the token that it was given."""

    def save_token(self, token: Any) -> None:
        raise SDKException("TOKEN_STORE", f"no room for {token.get_refresh_token()}")


class FindsAnother(ListStore):
    """Finds another row by id."""

    def find_token_by_id(self, id: str) -> Any:
        found = super().find_token_by_id(id)
        if found is not None:
            found.set_access_token("1000.of.another")
        return found


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (Forgets, "read back by its id, it differs in api_domain"),
        (FindsByNameAlone, "read back by its access token, it is not found"),
        (TakesNothing, "save_token raises SDKException"),
        (FindsAnother, "read back by its id, it differs in access_token"),
    ],
)
def test_what_the_target_does_not_keep_is_told(
    store: type[ListStore], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, with the row and the fields, and without a secret."""
    _named(monkeypatch, "target", store())

    assert command("move", source(monkeypatch, ANN), "target:store") == 1
    told = capsys.readouterr().out
    assert says in " ".join(told.split())
    assert ANN.refresh_token not in told


def test_a_source_that_changes_is_noticed(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """A row that was renewed between plan and move is not written in a mixture of both."""
    store = Listed(ANN, BOB)
    reader = StoreReader(store)
    made = plan(reader, Plan())
    look_at_target(StoreReader(target), made)
    store.given[1] = BOB.but(access_token="1000.renewed")
    moved = move(reader, target, made)

    assert moved.broken_off == CHANGED
    assert rows(target) == [ANN]


@pytest.mark.parametrize("given", [ANN, UNNAMED, BY_ACCESS], ids=["user", "refresh token", "access token"])
def test_what_an_application_saves_in_the_target_meanwhile_stays(given: Row, target: ListStore) -> None:
    """A token that was renewed between the look at the target and the save is newer, and is not replaced."""
    source = StoreReader(Listed(given))
    made = plan(source, Plan())
    look_at_target(StoreReader(target), made)
    renewed = given.but(redirect_url="https://renewed.example.com", expires_in="99999999999999")
    filled(target, renewed)
    moved = move(source, target, made)

    assert (moved.newer, moved.written, moved.failed) == (1, 0, [])
    assert rows(target) == [renewed]


def test_it_holds_one_batch_of_rows_at_a_time(target: ListStore) -> None:
    """However many rows there are, the rows of two batches are in memory at most."""
    alive: weakref.WeakSet[Row] = weakref.WeakSet()
    most = 0

    class Streamed(StoreReader):
        def records(self) -> Iterator[SourceRecord]:
            nonlocal most
            for number in range(4 * BATCH):
                row = user(number)
                alive.add(row)
                most = max(most, len(alive))
                yield SourceRecord(f"row {number}", row)

    class Echo(ListStore):
        """Finds what was saved, whatever it is asked with, without keeping rows."""

        def save_token(self, token: Any) -> None:
            tokens[token.get_id()] = token

        def find_token_by_id(self, id: str) -> Any:
            return tokens[id]

        def find_token(self, token: Any) -> Any:
            asked = to_row(token)
            text = asked.user_name or asked.refresh_token or asked.access_token
            return tokens.get(str(int(re.findall("[0-9]+", text.removeprefix("1000."))[0])))

    tokens: dict[str, Any] = {}
    reader = Streamed(target)
    made = plan(reader, Plan())
    look_at_target(None, made)
    moved = move(reader, Echo(), made)

    assert (moved.written, moved.failed, moved.broken_off) == (4 * BATCH, [], "")
    assert most <= 2 * BATCH


# Kills


KILLED = """
import os, signal
from zoho_reference_stores import SQLiteFileStore

class Killed(SQLiteFileStore):
    saves = 0

    def save_token(self, token):
        type(self).saves += 1
        if self.saves == int(os.environ["SAVES"]) and os.environ["MOMENT"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().save_token(token)
        if self.saves == int(os.environ["SAVES"]):
            os.kill(os.getpid(), signal.SIGKILL)

def store():
    return Killed("tokens.db")
"""


@pytest.mark.skipif(os.name != "posix", reason="a process is killed with SIGKILL")
def test_a_move_that_is_killed_again_and_again_ends_in_the_rows_of_the_source(tmp_path: Path) -> None:
    """After each kill, in the middle of a batch, the next run goes on where the last one ended."""
    (tmp_path / "killed.py").write_text(KILLED)
    source = [user(number, id=None if number % 7 == 0 else str(number)) for number in range(1, 60)]
    address = file_of(tmp_path / "tokens.csv", *map(line, source))
    statuses = []
    for saves, moment in ((1, "before"), (1, "after"), (7, "before"), (30, "after"), (5, "after"), (99, "")):
        done = subprocess.run(
            [sys.executable, "-m", "zoho_tokenstore_contract", "move", address, "killed:store"],
            env={**os.environ, "SAVES": str(saves), "MOMENT": moment},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        statuses.append(done.returncode)

    assert statuses == [-signal.SIGKILL] * 5 + [0]
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        moved = rows(store)
    by_user = {row.user_name: row for row in moved}
    assert len(by_user) == len(moved) == len({row.id for row in moved}) == len(source)
    assert [by_user[row.user_name].but(id=row.id) for row in source] == source
    assert all(by_user[row.user_name].id == row.id for row in source if row.id is not None)


# Servers


@pytest.fixture
def dbstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a table of `DBStore` on MariaDB, with a double of a user."""
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


def test_rows_are_moved_to_redis(redis: Any, tmp_path: Path) -> None:
    """Under the prefix that the address names."""
    import redis as library

    address = file_of(tmp_path / "tokens.csv", line(ANN), line(BOB), line(UNNAMED))
    url = f"redis://127.0.0.1:{redis.port}/0?prefix={tmp_path.name}"

    assert command("move", address, url, "--dry-run") == 0
    assert command("move", address, url) == 0
    assert command("audit", url) == 0
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
