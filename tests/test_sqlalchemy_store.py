"""`SQLAlchemyStore`: the whole contract on each server, and what it promises beyond."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import published, servers, sql_stores
from tests.proxy import Proxy
from tests.sql_stores import KINDS, OPTIONS, Kind
from zoho_reference_stores.sqlalchemy_leases import LeasingSQLAlchemyStore
from zoho_reference_stores.sqlalchemy_store import SQLAlchemyStore, _quotes
from zoho_reference_stores.sqlalchemy_takeover import take_over_dbstore
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

pytestmark = pytest.mark.once

CLIENT = {"client_id": "client", "client_secret": "secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="ann.refresh", access_token="ann.access")
BOB = Row(user_name="bob", **CLIENT, refresh_token="bob.refresh", access_token="bob.access")


class OnServer(TokenStoreContract):
    strict = True

    def break_storage(self, store: Any, location: Path) -> None:
        sql_stores.break_storage(store, location)


@pytest.mark.usefixtures("postgresql")
class TestOnPostgreSQL(OnServer):
    def open_store(self, location: Path) -> Any:
        return sql_stores.postgresql_store(location)


@pytest.mark.usefixtures("mariadb")
class TestOnMariaDB(OnServer):
    def open_store(self, location: Path) -> Any:
        return sql_stores.mariadb_store(location)


class TestOnSQLite(OnServer):
    def open_store(self, location: Path) -> Any:
        return sql_stores.sqlite_store(location)


_tables = (f"own_{number}" for number in itertools.count())


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of server, running."""
    request.getfixturevalue(request.param)
    kind = KINDS[request.param]
    sql_stores.let_in(kind)
    return kind


@pytest.fixture
def line(kind: Kind) -> Iterator[Proxy]:
    """A line to the server that counts round trips and can be cut."""
    with Proxy(kind.server().port, resets=False) as line:
        yield line


@pytest.fixture
def table() -> str:
    """The name of a table that is not there yet."""
    return next(_tables)


@pytest.fixture
def node(kind: Kind, table: str) -> Iterator[Callable[..., SQLAlchemyStore]]:
    """Opens the store as a further node does: with an engine, and so with connections, of its own."""
    engines = []

    def open_node(port: int = 0, **options: Any) -> SQLAlchemyStore:
        engines.append(sql.create_engine(kind.url(port=port), **{**OPTIONS, **options}))
        return SQLAlchemyStore(engines[-1], table)

    yield open_node
    for engine in engines:
        engine.dispose()


def save(store: SQLAlchemyStore, row: Row) -> str:
    token = to_token(row)
    store.save_token(token)
    return str(token.get_id())


def rows(store: SQLAlchemyStore) -> list[Row]:
    return [to_row(token) for token in store.get_tokens()]


def at_once(work: Callable[[int], object], number: int) -> list[Any]:
    """What so many threads return that do something at the same time, each told its number."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, range(number)))


class TestRoundTrips:
    """Counted on the wire: how often the client speaks and waits for the server."""

    def trips(self, line: Proxy, call: Callable[[], object]) -> int:
        call()  # connects, and has the server prepare what it likes
        before = line.turns
        call()
        return line.turns - before

    def test_finding_takes_one(self, line: Proxy, node: Callable[..., SQLAlchemyStore]) -> None:
        """By whatever, found or not."""
        store = node(line.port)
        id = save(store, ANN)

        for row in (ANN, ANN.but(user_name=None), Row(id=id), BOB):
            assert self.trips(line, lambda row=row: store.find_token(to_token(row))) == 1  # type: ignore[misc]
        assert self.trips(line, lambda: store.find_token_by_id(id)) == 1
        assert self.trips(line, store.get_tokens) == 1

    def test_saving_takes_two(self, line: Proxy, node: Callable[..., SQLAlchemyStore]) -> None:
        """A new row and an update alike, begin and commit included."""
        store = node(line.port)
        users = (ANN.but(user_name=f"user {number}") for number in itertools.count())

        assert self.trips(line, lambda: save(store, next(users))) == 2
        assert self.trips(line, lambda: save(store, ANN.but(access_token="new"))) == 2
        assert {"user 0", "user 1", "ann"} == {row.user_name for row in rows(store)}

    def test_it_is_right_without_the_options_that_save_trips(
        self, line: Proxy, node: Callable[..., SQLAlchemyStore]
    ) -> None:
        """With an engine as SQLAlchemy makes it."""
        store = node(line.port, isolation_level=None, skip_autocommit_rollback=False)

        id = save(store, ANN)
        assert save(store, ANN.but(access_token="new")) == id
        store.delete_token(save(store, BOB.but(id="5")))
        assert [ANN.but(id=id, access_token="new")] == rows(store)


class TestCutConnections:
    """What happens when the server or the network hangs up in the middle of a call."""

    @pytest.mark.parametrize("sent", [ANN.but(access_token="new"), BOB, BOB.but(id="brought")])
    def test_an_answer_that_is_lost_costs_nothing(
        self, sent: Row, line: Proxy, node: Callable[..., SQLAlchemyStore]
    ) -> None:
        """The save is made again, at whichever round trip the line was cut: one whole row, and the others."""
        other = node()
        store = node(line.port)
        id = save(store, ANN)
        wanted = {"ann": ANN.but(id=id)}
        for turn in range(1, 20):
            user = f"{sent.user_name} {turn}" if sent.user_name == "bob" else "ann"
            row = sent.but(user_name=user, refresh_token=f"refresh {turn}")
            row = row.but(id=f"brought {turn}") if sent.id else row
            cuts = line.cuts
            line.cut_answer_after(0, turn)
            saved = save(store, row)
            cut = line.cuts > cuts
            wanted[user] = row.but(id=saved)
            assert list(wanted.values()) == rows(other)
            if not cut:
                break
        assert turn > 2
        assert not cut

    def test_a_token_that_nothing_identifies_is_not_saved_twice(
        self, line: Proxy, node: Callable[..., SQLAlchemyStore]
    ) -> None:
        """Nobody could tell a second row from the first: the save raises, and one row is there at most."""
        store, other = node(line.port), node()
        save(store, ANN)
        line.cut_answer_after(0, turn=2)

        with pytest.raises(SDKException, match="TOKEN_STORE"):
            save(store, Row(redirect_url="https://example.com"))
        assert len(rows(other)) == 2
        assert save(store, Row(redirect_url="https://example.com")) == "3"

    def test_two_nodes_whose_connections_are_killed_lose_nothing(
        self, kind: Kind, node: Callable[..., SQLAlchemyStore]
    ) -> None:
        """While the server kills one connection after another, both save the same user and their own."""
        nodes = [node(), node()]
        saved: list[list[Row]] = [[], []]
        tried: list[list[Row]] = [[], []]
        over = threading.Event()

        def work(number: int) -> None:
            for turn in range(25):
                for user in ("both", f"node {number}"):
                    row = ANN.but(
                        user_name=user,
                        client_id=f"{number}.{turn}",
                        refresh_token=f"{number}.{turn}",
                        access_token=f"{number}.{turn}",
                    )
                    tried[number].append(row)
                    with contextlib.suppress(SDKException):
                        save(nodes[number], row)
                        saved[number].append(row)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        killed = 0
        while any(thread.is_alive() for thread in threads):
            killed += sql_stores.kill_one(kind)
            over.wait(0.01)
        for thread in threads:
            thread.join()

        assert killed > 3
        for number in range(2):
            assert len(saved[number]) > 10
            save(nodes[number], ANN.but(user_name=f"after {number}"))
        found = {row.user_name: row.but(id=None) for row in rows(nodes[0])}
        assert {"both", "node 0", "node 1", "after 0", "after 1"} == set(found)
        assert len(rows(nodes[1])) == 5
        for number in range(2):
            own = [row for row in tried[number] if row.user_name == f"node {number}"]
            last = max(own.index(row) for row in saved[number] if row in own)
            assert found[f"node {number}"] in own[last:]
        assert found["both"] in tried[0] + tried[1]

    def test_a_server_that_is_gone_makes_every_call_raise(
        self, line: Proxy, node: Callable[..., SQLAlchemyStore]
    ) -> None:
        """None waits, and none pretends."""
        store = node(line.port)
        id = save(store, ANN)
        line.close()

        for call in (
            lambda: store.find_token(to_token(ANN)),
            lambda: store.save_token(to_token(ANN)),
            lambda: store.find_token_by_id(id),
            store.get_tokens,
            lambda: store.delete_token(id),
            store.delete_tokens,
            lambda: store.acquire_lease("key", "owner", 1),
            lambda: store.release_lease("key", "owner"),
        ):
            with pytest.raises(SDKException, match="TOKEN_STORE"):
                call()


class TestSharing:
    """Several at once."""

    def test_nodes_that_open_a_new_table_at_once_make_one(
        self, kind: Kind, table: str, node: Callable[..., SQLAlchemyStore]
    ) -> None:
        """Each of them works on it."""
        ids = at_once(lambda number: save(node(), ANN.but(user_name=f"user {number}")), 6)

        assert {"1", "2", "3", "4", "5", "6"} == set(ids)
        assert len(rows(node())) == 6

    def test_a_save_that_meets_another_takes_its_turn(
        self, node: Callable[..., SQLAlchemyStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was read before the other wrote decides nothing."""
        first, second = node(), node()
        read = first._state

        def read_before_the_other_saves(*arguments: Any) -> Any:
            monkeypatch.undo()
            state = read(*arguments)
            save(second, ANN)
            return state

        monkeypatch.setattr(first, "_state", read_before_the_other_saves)

        assert save(first, Row(**CLIENT, refresh_token="ann.refresh", access_token="new")) == "1"
        assert [ANN.but(id="1", access_token="new")] == rows(second)


class TestLeases:
    """What a wrapper needs that lets one caller renew a token at a time."""

    @pytest.fixture(params=[*KINDS, "sqlite"])
    def stores(self, request: pytest.FixtureRequest, tmp_path: Path) -> list[SQLAlchemyStore]:
        """The same storage, opened twice."""
        if request.param in KINDS:
            request.getfixturevalue(request.param)
        return [getattr(sql_stores, f"{request.param}_store")(tmp_path) for _ in range(2)]

    def test_one_owner_holds_it_until_it_is_released(self, stores: list[SQLAlchemyStore]) -> None:
        """Others do not get it, nor can they release it; the owner may go on."""
        one, other = stores
        key = "ann's token \0\ud800" * 100

        assert one.acquire_lease(key, "one", 60)
        assert not other.acquire_lease(key, "other", 60)
        assert one.acquire_lease(key, "one", 60)
        other.release_lease(key, "other")
        assert not other.acquire_lease(key, "other", 60)
        assert other.acquire_lease("another key", "other", 60)
        one.release_lease(key, "one")
        assert other.acquire_lease(key, "other", 60)
        assert not one.acquire_lease(key, "one", 60)

    def test_it_runs_out(self, stores: list[SQLAlchemyStore]) -> None:
        """Who dies with it holds nobody up for longer."""
        one, other = stores

        assert one.acquire_lease("key", "one", 0.0)
        assert other.acquire_lease("key", "other", 60)
        assert not one.acquire_lease("key", "one", 60)
        assert other.acquire_lease("key", "other", -1.0)
        assert one.acquire_lease("key", "one", 60)

    def test_of_many_that_ask_at_once_one_gets_it(self, stores: list[SQLAlchemyStore]) -> None:
        """A new lease, and one that has run out."""

        def ask(number: int) -> bool:
            return stores[number % 2].acquire_lease("key", f"owner {number}", 60)

        for _ in range(2):
            assert sorted(at_once(ask, 8)) == [False] * 7 + [True]

            for number in range(8):
                stores[0].release_lease("key", f"owner {number}")
            assert stores[0].acquire_lease("key", "nobody", 0.0)


class TestComingFromDBStore:
    """`take_over_dbstore`, on a table that the SDK's own store has filled."""

    @pytest.fixture
    def engine(self, mariadb: servers.Server) -> Iterator[sql.Engine]:
        """An engine for a database with an empty table of DBStore's."""
        kind = sql_stores.MARIADB
        engine = sql.create_engine(kind.url(user=mariadb.user, database="zohooauth"))
        kind.say("create database zohooauth", database="mysql")
        with engine.begin() as connection:
            connection.exec_driver_sql(published.TABLE)
        yield engine
        engine.dispose()
        kind.say("drop database zohooauth", database="mysql")

    @pytest.fixture
    def dbstore(self, mariadb: servers.Server, engine: sql.Engine) -> Any:
        """The SDK's store on that table."""
        pytest.importorskip("mysql.connector")
        from zohocrmsdk.src.com.zoho.api.authenticator.store.db_store import DBStore

        return DBStore(
            host=mariadb.host,
            database_name="zohooauth",
            user_name=mariadb.user,
            password=mariadb.password,
            port_number=mariadb.port,
        )

    def test_ids_and_rows_stay(self, engine: sql.Engine, dbstore: Any) -> None:
        """In the order in which they were saved; the next id is a new one, and the old table is kept."""
        users = [ANN.but(user_name=f"user {number}", id=str(number)) for number in range(8, 12)]
        for row in (*users, Row(id="x", access_token="access", expires_in="1900000000000")):
            dbstore.save_token(to_token(row))
        before = rows(dbstore)
        take_over_dbstore(engine)
        store = SQLAlchemyStore(engine)

        assert [row.id for row in rows(store)] == ["8", "9", "x", "10", "11"]
        assert sorted(before, key=str) == sorted(rows(store), key=str)
        assert save(store, users[0].but(access_token="new")) == "8"
        assert save(store, BOB) not in {row.id for row in before}
        assert "oauthtoken_dbstore" in sql.inspect(engine).get_table_names()

    def test_the_sdks_store_still_reads_it(self, engine: sql.Engine, dbstore: Any) -> None:
        """Its columns are the first of the new table."""
        dbstore.save_token(to_token(ANN.but(id="1")))
        take_over_dbstore(engine)

        assert [ANN.but(id="1")] == rows(dbstore)

    def test_rows_that_contradict_one_another_are_refused(self, engine: sql.Engine, dbstore: Any) -> None:
        """And nothing is changed; with one of them gone, it works."""
        with engine.begin() as connection:
            for id in ("1", "2"):
                connection.exec_driver_sql(
                    "insert into oauthtoken (id, user_name, access_token) values (%s, 'ann', 'a')", (id,)
                )
        with pytest.raises(SDKException, match="keep one of each: '1', '2'"):
            take_over_dbstore(engine)
        assert sql.inspect(engine).get_table_names() == ["oauthtoken"]

        dbstore.delete_token("1")
        take_over_dbstore(engine)
        assert [row.id for row in rows(SQLAlchemyStore(engine))] == ["2"]

    def test_another_table_is_refused(self, engine: sql.Engine, tmp_path: Path) -> None:
        """One of this store, one on another kind of server."""
        take_over_dbstore(engine)
        with pytest.raises(SDKException, match="other columns"):
            take_over_dbstore(engine)
        elsewhere = sql.create_engine(f"sqlite:///{tmp_path / 'tokens.db'}")
        with pytest.raises(SDKException, match="MySQL or MariaDB"):
            take_over_dbstore(elsewhere)
        elsewhere.dispose()


def test_a_foreign_table_is_refused(tmp_path: Path) -> None:
    """With a word about DBStore's, and it is left as it was."""
    engine = sql.create_engine(f"sqlite:///{tmp_path / 'tokens.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table oauthtoken (id text, user_name text)")
    with pytest.raises(SDKException, match=r"has no column .*number.*take_over_dbstore"):
        SQLAlchemyStore(engine)

    assert sql.inspect(engine).get_table_names() == ["oauthtoken"]
    engine.dispose()


def test_what_a_server_quotes_is_left_out() -> None:
    """A message with eight characters of a parameter in it, and no other."""
    assert _quotes("Incorrect value: '1000.abcd' for column", {"sent_access_token": "1000.abcdefgh"})
    assert not _quotes("Incorrect value for column", {"sent_access_token": "1000.abcdefgh", "number": 1})
    assert not _quotes("no parameters", None)


def test_sqlalchemy_is_imported_when_it_is_needed() -> None:
    """The other stores work without it, and a name that is not there is an error as always."""
    program = """if True:
        import sys, zoho_reference_stores as stores
        stores.ListStore()
        assert "sqlalchemy" not in sys.modules
        assert not hasattr(stores, "NoSuchStore")
        stores.SQLAlchemyStore
        assert "sqlalchemy" in sys.modules
        """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
