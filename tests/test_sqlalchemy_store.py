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

    def mend_storage(self, store: Any, location: Path) -> None:
        sql_stores.mend_storage(store, location)


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
def node(kind: Kind, table: str) -> Iterator[Callable[..., Any]]:
    """Opens the store as a further node does: with an engine, and so with connections, of its own."""
    engines = []

    def open_node(port: int = 0, **options: Any) -> Any:
        engines.append(sql.create_engine(kind.url(port=port), **{**OPTIONS, **options}))
        return LeasingSQLAlchemyStore(engines[-1], table)

    yield open_node
    for engine in engines:
        engine.dispose()


def save(store: Any, row: Row) -> str:
    token = to_token(row)
    store.save_token(token)
    return str(token.get_id())


def rows(store: Any) -> list[Row]:
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

    def test_finding_takes_one(self, line: Proxy, node: Callable[..., Any]) -> None:
        """By whatever, found or not."""
        store = node(line.port)
        id = save(store, ANN)

        for row in (ANN, ANN.but(user_name=None), Row(id=id), BOB):
            assert self.trips(line, lambda row=row: store.find_token(to_token(row))) == 1  # type: ignore[misc]
        assert self.trips(line, lambda: store.find_token_by_id(id)) == 1
        assert self.trips(line, store.get_tokens) == 1

    def test_saving_takes_five(self, line: Proxy, node: Callable[..., Any]) -> None:
        """A new row and an update alike: begin, wait for others, look, write, commit."""
        store = node(line.port)
        users = (ANN.but(user_name=f"user {number}") for number in itertools.count())

        assert self.trips(line, lambda: save(store, next(users))) == 5
        assert self.trips(line, lambda: save(store, ANN.but(access_token="new"))) == 5
        assert {"user 0", "user 1", "ann"} == {row.user_name for row in rows(store)}

    def test_it_is_right_without_the_options_that_save_trips(
        self, line: Proxy, node: Callable[..., Any]
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
        self, sent: Row, line: Proxy, node: Callable[..., Any]
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
        self, line: Proxy, node: Callable[..., Any]
    ) -> None:
        """Nothing but the new id tells the row that is there already from a second one."""
        store, other = node(line.port), node()
        save(store, ANN)
        for turn in range(1, 6):
            line.cut_answer_after(0, turn)
            id = save(store, Row(redirect_url=f"https://example.com/{turn}"))
            assert rows(other)[-1] == Row(id=id, redirect_url=f"https://example.com/{turn}")
            assert len(rows(other)) == 1 + turn
        assert line.cuts == 5

    def test_two_nodes_whose_connections_are_killed_lose_nothing(
        self, kind: Kind, node: Callable[..., Any]
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
        killed = seen = 0
        while any(thread.is_alive() for thread in threads):
            # One for each save at most: where a machine is slow, no save would live through more.
            if (saves := len(tried[0]) + len(tried[1])) > seen:
                seen = saves
                killed += sql_stores.kill_one(kind)
            over.wait(0.001)
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
        self, line: Proxy, node: Callable[..., Any]
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
        self, kind: Kind, table: str, node: Callable[..., Any]
    ) -> None:
        """Each of them works on it."""
        ids = at_once(lambda number: save(node(), ANN.but(user_name=f"user {number}")), 6)

        assert len(set(ids)) == 6
        assert len(rows(node())) == 6

    def test_a_save_that_meets_another_takes_its_turn(self, line: Proxy, node: Callable[..., Any]) -> None:
        """A writer that comes in the middle of another's turn waits until that is over."""
        first, second = node(line.port), node()
        save(second, ANN)
        began = threading.Event()
        line.before_answer = lambda _: began.set()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(save, first, ANN.but(access_token="first"))
            assert began.wait(60)
            save(second, ANN.but(access_token="second"))
            done.result()

        (row,) = rows(second)
        assert row.access_token in ("first", "second")


class TestLeases:
    """What a wrapper needs that lets one caller renew a token at a time."""

    @pytest.fixture(params=[*KINDS, "sqlite"])
    def stores(self, request: pytest.FixtureRequest, tmp_path: Path) -> list[Any]:
        """The same storage, opened twice."""
        if request.param in KINDS:
            request.getfixturevalue(request.param)
        return [getattr(sql_stores, f"{request.param}_store")(tmp_path) for _ in range(2)]

    def test_one_owner_holds_it_until_it_is_released(self, stores: list[Any]) -> None:
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

    def test_it_runs_out(self, stores: list[Any]) -> None:
        """Who dies with it holds nobody up for longer."""
        one, other = stores

        assert one.acquire_lease("key", "one", 0.0)
        assert other.acquire_lease("key", "other", 60)
        assert not one.acquire_lease("key", "one", 60)
        assert other.acquire_lease("key", "other", -1.0)
        assert one.acquire_lease("key", "one", 60)

    def test_of_many_that_ask_at_once_one_gets_it(self, stores: list[Any]) -> None:
        """A new lease, and one that has run out."""

        def ask(number: int) -> bool:
            return bool(stores[number % 2].acquire_lease("key", f"owner {number}", 60))

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

    def test_a_row_without_a_credential_is_taken_over(self, engine: sql.Engine) -> None:
        """It does no harm; DBStore may have left it behind."""
        with engine.begin() as connection:
            connection.exec_driver_sql("insert into oauthtoken (id, user_name) values ('7', 'ann')")
        take_over_dbstore(engine)

        assert rows(SQLAlchemyStore(engine)) == [Row(id="7", user_name="ann")]

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


# What engines and servers are set to


@pytest.mark.parametrize("isolation_level", [None, "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_idle_connections_that_the_server_closed_are_nobodys_problem(
    isolation_level: str | None, kind: Kind, table: str
) -> None:
    """Three of them, as after `wait_timeout` or a restart: every method goes on, for any isolation level."""
    options = {} if isolation_level is None else {"isolation_level": isolation_level}
    engine = sql.create_engine(kind.url(), pool_size=3, **options)
    store = LeasingSQLAlchemyStore(engine, table)
    id = save(store, ANN)
    for call in (
        lambda: store.find_token(to_token(ANN)),
        lambda: store.save_token(to_token(ANN)),
        lambda: store.find_token_by_id(id),
        store.get_tokens,
        lambda: store.acquire_lease("key", "owner", 1),
        lambda: store.delete_token(id),
    ):
        held = [engine.connect() for _ in range(3)]
        for connection in held:
            connection.exec_driver_sql("select 1")
            connection.close()
        while sql_stores.kill_one(kind):
            pass
        call()
    engine.dispose()


def test_writers_at_any_isolation_level_lose_nothing(kind: Kind, table: str) -> None:
    """Each node with another level, saving one user and users of its own."""
    levels = ("AUTOCOMMIT", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
    engines = [sql.create_engine(kind.url(), isolation_level=level) for level in levels]
    nodes = [SQLAlchemyStore(engine, table) for engine in engines]

    def work(number: int) -> None:
        for turn in range(10):
            save(nodes[number], ANN.but(access_token=f"{number}.{turn}"))
            save(nodes[number], BOB.but(user_name=f"{number}.{turn}"))

    at_once(work, len(nodes))

    assert {"ann"} | {f"{number}.{turn}" for number in range(4) for turn in range(10)} == {
        row.user_name for row in rows(nodes[0])
    }
    assert len(rows(nodes[0])) == 41
    for engine in engines:
        engine.dispose()


def test_read_uncommitted_is_refused(kind: Kind, table: str) -> None:
    """A token would be found that somebody else's rollback takes away again."""
    engine = sql.create_engine(kind.url(), isolation_level="READ UNCOMMITTED")
    with pytest.raises(SDKException, match="create the engine with another isolation_level"):
        SQLAlchemyStore(engine, table)
    engine.dispose()


def test_no_value_is_cut(mariadb: servers.Server, table: str) -> None:
    """Not without MariaDB's strict mode either, which cuts what a column is too small for."""
    kind = sql_stores.MARIADB
    kind.say("set global max_allowed_packet = 67108864", database="mysql")
    try:
        engine = sql.create_engine(
            kind.url(), connect_args={"init_command": "set sql_mode=''", "max_allowed_packet": 67108864}
        )
        store = SQLAlchemyStore(engine, table)
        id = save(store, ANN.but(access_token="x" * 17_000_000))

        found = store.find_token_by_id(id)
        assert found is not None
        assert len(found.get_access_token()) == 17_000_000
        engine.dispose()
    finally:
        kind.say("set global max_allowed_packet = default", database="mysql")


def test_ids_do_not_come_again_when_the_tables_are_set_back(
    kind: Kind, node: Callable[..., Any], table: str
) -> None:
    """Who still has the id of a row that was lost finds nobody, and no other user."""
    store = node()
    lost = save(store, ANN)
    kind.say(f"drop table {table}", f"drop table {table}_lock")
    later = node()
    others = {save(later, BOB.but(user_name=f"user {number}")) for number in range(20)}

    assert lost not in others
    assert all(len(id) == 10 and id.isdecimal() for id in others)
    assert store.find_token_by_id(lost) is None


@pytest.mark.parametrize("pool", [sql.StaticPool, sql.SingletonThreadPool])
def test_a_pool_that_shares_a_connection_is_refused(pool: Any, tmp_path: Path) -> None:
    """Two threads on one connection get each other's answers, or end the interpreter."""
    engine = sql.create_engine(f"sqlite:///{tmp_path / 'tokens.db'}", poolclass=pool)
    with pytest.raises(SDKException, match=f"{pool.__name__} lends one connection to several callers"):
        SQLAlchemyStore(engine)


@pytest.mark.parametrize("thing", ["sqlite:///tokens.db", None, 7])
def test_what_is_no_engine_is_refused(thing: Any) -> None:
    """In a sentence that says what would be one."""
    with pytest.raises(SDKException, match=r"takes what sqlalchemy.create_engine returns, not "):
        SQLAlchemyStore(thing)


def test_a_connection_is_no_engine(tmp_path: Path) -> None:
    """It would be everybody's."""
    engine = sql.create_engine(f"sqlite:///{tmp_path / 'tokens.db'}")
    with (
        engine.connect() as connection,
        pytest.raises(SDKException, match=r"takes what sqlalchemy.create_engine"),
    ):
        SQLAlchemyStore(connection)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [*KINDS.values(), *sql_stores.OTHER_DRIVERS], ids=lambda kind: kind.driver)
def test_what_a_server_refuses_is_told_with_every_driver(
    kind: Kind, table: str, request: pytest.FixtureRequest
) -> None:
    """The table is gone: every method says so as the SDK's exception, in the server's words."""
    request.getfixturevalue(kind.name)
    engine = sql.create_engine(kind.url(), **OPTIONS)
    store = LeasingSQLAlchemyStore(engine, table)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"drop table {table}")
    calls: tuple[Callable[[], object], ...] = (
        store.get_tokens,
        store.delete_tokens,
        lambda: store.find_token_by_id("1"),
        lambda: store.find_token(to_token(ANN)),
        lambda: store.save_token(to_token(ANN)),
        lambda: store.delete_token("1"),
    )
    for call in calls:
        with pytest.raises(SDKException, match=table):
            call()
    engine.dispose()


@pytest.mark.parametrize(
    "kind", [*KINDS.values(), sql_stores.PSYCOPG2, sql_stores.PG8000], ids=lambda kind: kind.driver
)
def test_a_line_that_is_reset_costs_nothing(kind: Kind, table: str, request: pytest.FixtureRequest) -> None:
    """The save is made again, at whichever round trip it was; a server that is gone raises as promised."""
    request.getfixturevalue(kind.name)
    sql_stores.let_in(kind)
    with Proxy(kind.server().port) as line:
        engine = sql.create_engine(kind.url(port=line.port), **OPTIONS)
        store = LeasingSQLAlchemyStore(engine, table)
        id = save(store, ANN)
        for turn in range(1, 6):
            line.cut_answer_after(0, turn)
            assert save(store, ANN.but(access_token=f"{turn}")) == id
            assert [ANN.but(id=id, access_token=f"{turn}")] == rows(store)
        assert line.cuts == 5
        line.reach(False)
        for call in (store.get_tokens, lambda: save(store, ANN)):
            with pytest.raises(SDKException, match="TOKEN_STORE"):
                call()
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
