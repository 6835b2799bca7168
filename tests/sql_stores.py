"""`SQLAlchemyStore` on real servers: factories that the tests, their child processes and the kit can call.

Each server has one user who may do everything, and for each test process one as whom it and its children
connect, and who can be locked out. Each location has tables of its own in one database; those of a location
that is gone are emptied and used again, since making them takes longer than most of what is done with them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from tests import mariadb, postgres
from tests.servers import Server
from zoho_reference_stores.sqlalchemy_leases import LeasingSQLAlchemyStore

DATABASE = "store"
OPTIONS: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
"""What the store's docstring recommends."""

PLACES = sql.table("places", sql.column("location"), sql.column("name"))
MAKING_PLACES = "create table places (location varchar(40) primary key, name varchar(40) not null)"
EMPTYING = ("delete from {0}", "delete from {0}_leases")


@dataclass(frozen=True)
class Kind:
    """A kind of server.

    Attributes:
        name: What SQLAlchemy calls it.
        driver: The driver.
        module: Starts one.
        first_database: Where to connect before there is another.
        making_user: What the first user says to let a further one in.
        locking_out: What the first user says to lock one out, who is not connected any more then.
        letting_in: What undoes that.
        connections: What lists the connections of a user by number.
        killing: What kills one.
    """

    name: str
    driver: str
    module: Any
    first_database: str
    making_user: tuple[str, ...]
    locking_out: tuple[str, ...]
    letting_in: tuple[str, ...]
    connections: str
    killing: str

    @property
    def address(self) -> str:
        """The environment variable that tells this process and its children where the server is."""
        return f"TOKENSTORE_SERVER_{self.name.upper()}"

    @contextlib.contextmanager
    def serving(self) -> Iterator[Server]:
        """Start a server for stores, unless there is one already.

        Raises:
            NoServer: It cannot be started.
        """
        if self.address in os.environ:
            yield self.server()
            return
        running: AbstractContextManager[Server] = self.module.running()
        with running as server:
            os.environ[self.address] = json.dumps(dataclasses.asdict(server), default=str)
            try:
                self.say(f"create database {DATABASE}", database=self.first_database)
                with self.first_user().connect() as connection:
                    connection.exec_driver_sql(MAKING_PLACES)
                yield server
            finally:
                for key in [key for key in _tables if key[0] == self.name]:
                    del _tables[key]
                _locked_out.discard(self.name)
                _dispose()
                del os.environ[self.address]
                os.environ.pop(self._own_user, None)

    def server(self) -> Server:
        """The server that runs."""
        return Server(**json.loads(os.environ[self.address]))

    def user(self) -> str:
        """As whom the stores of this process and its children connect."""
        if self._own_user not in os.environ:
            name = f"store_{os.getpid()}"
            self.say(*self.making_user, user=name, password=self.server().password)
            os.environ[self._own_user] = name
        return os.environ[self._own_user]

    @property
    def _own_user(self) -> str:
        # The workers of pytest-xdist have the environment of the process that started them.
        return f"{self.address}_USER_{os.environ.get('PYTEST_XDIST_WORKER', '')}"

    def url(self, *, user: str | None = None, database: str = DATABASE, port: int = 0) -> sql.URL:
        """Where to connect.

        Args:
            user: As whom; by default as this process does.
            database: To which database.
            port: Through which port; by default the server's own.
        """
        server = self.server()
        return sql.URL.create(
            f"{self.name}+{self.driver}",
            user or self.user(),
            server.password,
            server.host,
            port or server.port,
            database,
        )

    def first_user(self, database: str = DATABASE) -> sql.Engine:
        """An engine for whoever may do everything, and is never locked out."""
        return _engine(self.url(user=self.server().user, database=database))

    def say(self, *statements: str, database: str = DATABASE, **names: str) -> None:
        """Say something as the first user, with names put in."""
        with self.first_user(database).connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.format(**names))


POSTGRESQL = Kind(
    "postgresql",
    "psycopg",
    postgres,
    "postgres",
    ("create role {user} login password '{password}'", "grant all on schema public to {user}"),
    (
        "alter role {user} nologin",
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = '{user}'",
    ),
    ("alter role {user} login",),
    "select pid from pg_stat_activity where usename = '{user}' order by random()",
    "select pg_terminate_backend({})",
)
MARIADB = Kind(
    "mariadb",
    "pymysql",
    mariadb,
    "mysql",
    (
        "create user {user}@127.0.0.1 identified by '{password}'",
        f"grant all on {DATABASE}.* to {{user}}@127.0.0.1",
    ),
    ("alter user {user}@127.0.0.1 account lock", "kill user {user}@127.0.0.1"),
    ("alter user {user}@127.0.0.1 account unlock",),
    "select id from information_schema.processlist where user = '{user}' order by rand()",
    "kill connection {}",
)
KINDS = {kind.name: kind for kind in (POSTGRESQL, MARIADB)}
PSYCOPG2, PG8000 = (dataclasses.replace(POSTGRESQL, driver=driver) for driver in ("psycopg2", "pg8000"))
MYSQLCONNECTOR = dataclasses.replace(MARIADB, driver="mysqlconnector")
OTHER_DRIVERS = (PSYCOPG2, PG8000, MYSQLCONNECTOR)


def postgresql_store(location: Path) -> LeasingSQLAlchemyStore:
    """Open the store on tables of PostgreSQL that belong to the location."""
    return _store(POSTGRESQL, location)


def mariadb_store(location: Path) -> LeasingSQLAlchemyStore:
    """Open the store on tables of MariaDB that belong to the location."""
    return _store(MARIADB, location)


def psycopg2_store(location: Path) -> LeasingSQLAlchemyStore:
    """Open the store on PostgreSQL with the driver psycopg2."""
    return _store(PSYCOPG2, location)


def pg8000_store(location: Path) -> LeasingSQLAlchemyStore:
    """Open the store on PostgreSQL with the driver pg8000."""
    return _store(PG8000, location)


def sqlite_store(location: Path) -> LeasingSQLAlchemyStore:
    """Open the store on an SQLite file in the location."""
    engine = sql.create_engine(f"sqlite:///{location / 'tokens.db'}", poolclass=sql.NullPool)

    # The machine does not fail in a test, and so much need not be flushed to its disk.
    @sql.event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        connection.execute("pragma synchronous = off")

    return LeasingSQLAlchemyStore(engine)


def break_storage(store: LeasingSQLAlchemyStore, location: Path) -> None:
    """Put the server, or the file, of an open store out of reach."""
    kind = KINDS.get(store._engine.dialect.name)
    if kind is None:
        location.rename(location.with_name(f"{location.name}-gone"))
    else:
        _locked_out.add(kind.name)
        kind.say(*kind.locking_out, user=kind.user())


def mend_storage(store: LeasingSQLAlchemyStore, location: Path) -> None:
    """Put the server, or the file, back into reach of the same store."""
    kind = KINDS.get(store._engine.dialect.name)
    if kind is None:
        location.with_name(f"{location.name}-gone").rename(location)
    else:
        let_in(kind)


def let_in(kind: Kind) -> None:
    """Bring the server back into reach after `break_storage`."""
    if kind.name in _locked_out:
        kind.say(*kind.letting_in, user=kind.user())
        _locked_out.discard(kind.name)


def kill_one(kind: Kind) -> bool:
    """Kill one of the connections of stores, whichever; whether there was one."""
    with kind.first_user().connect() as connection:
        number = connection.exec_driver_sql(kind.connections.format(user=kind.user())).scalar()
        if number is None:
            return False
        with contextlib.suppress(sql.exc.DBAPIError):  # it is gone already
            connection.exec_driver_sql(kind.killing.format(number))
        return True


_engines: dict[sql.URL, sql.Engine] = {}
_locked_out: set[str] = set()
_tables: dict[tuple[str, Path], str] = {}
_made = itertools.count()


def _store(kind: Kind, location: Path) -> LeasingSQLAlchemyStore:
    let_in(kind)
    return LeasingSQLAlchemyStore(_engine(kind.url()), _table_of(kind, location))


def _table_of(kind: Kind, location: Path) -> str:
    """The table of a location, which other processes know as well."""
    if (kind.name, location) in _tables:
        return _tables[kind.name, location]
    with kind.first_user().connect() as connection:
        of_location = sql.select(PLACES.c.name).where(PLACES.c.location == location.name)
        name = connection.execute(of_location).scalar()
        if name is None:
            gone = [key for key in _tables if key[0] == kind.name and not key[1].exists()]
            name = _tables.pop(gone[0]) if gone else f"tokens_{os.getpid()}_{next(_made)}"
            if gone:
                for statement in EMPTYING:
                    connection.exec_driver_sql(statement.format(name))
            connection.execute(sql.insert(PLACES).values(location=location.name, name=name))
    return _tables.setdefault((kind.name, location), name)


def _engine(url: sql.URL) -> sql.Engine:
    """One for all stores of this process, so that what opens a thousand need not connect a thousand times."""
    if url not in _engines:
        _engines[url] = sql.create_engine(url, pool_size=20, max_overflow=40, **OPTIONS)
    return _engines[url]


def _dispose() -> None:
    while _engines:
        _engines.popitem()[1].dispose()
