"""The reference stores and where each of them is run, for the table and the benchmark."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sql

from tests import redis_server, sql_stores
from tests.servers import Server
from zoho_reference_stores import RedisStore, SQLAlchemyStore

REDIS = "TOKENSTORE_SERVER_REDIS"
"""The environment variable that tells this process and its children where the Redis server is."""


@dataclass(frozen=True)
class Place:
    """A reference store and where it keeps its tokens.

    Attributes:
        name: Its name in the table.
        factory: What opens it, as ``--tokenstore`` takes it; it is called with the location.
        options: Further options of the kit.
        server: Starts the server that it needs, and tells this process and its children where it is.
        through: Opens it on storage of its own, with connections of its own that go through another
            port; closes it afterwards.
    """

    name: str
    factory: str
    options: tuple[str, ...] = ()
    server: Callable[[], AbstractContextManager[Server]] | None = None
    through: Callable[[int], AbstractContextManager[Any]] | None = None

    def open(self, location: Path) -> Any:
        """Open the store on a location."""
        import importlib

        module, _, function = self.factory.partition(":")
        return getattr(importlib.import_module(module), function)(location)


def _on_sql(kind: sql_stores.Kind) -> Callable[[int], AbstractContextManager[Any]]:
    @contextlib.contextmanager
    def through(port: int) -> Iterator[Any]:
        engine = sql.create_engine(kind.url(user=kind.server().user, port=port), **sql_stores.OPTIONS)
        try:
            yield SQLAlchemyStore(engine, f"own_{secrets.token_hex(8)}")
        finally:
            engine.dispose()

    return through


@contextlib.contextmanager
def _redis() -> Iterator[Server]:
    with redis_server.running() as running, redis.Redis.from_url(running.url) as client:
        os.environ[REDIS] = running.url
        version = str(client.info("server")["redis_version"])
        try:
            yield Server("127.0.0.1", running.port, "", "", version, Path())
        finally:
            del os.environ[REDIS]


def redis_store(location: Path) -> RedisStore:
    """Open `RedisStore` under a prefix that belongs to the location."""
    return RedisStore(redis.Redis.from_url(os.environ[REDIS]), prefix=location.name)


@contextlib.contextmanager
def _on_redis(port: int) -> Iterator[RedisStore]:
    with redis.Redis(port=port) as client:
        yield RedisStore(client, prefix=secrets.token_hex(8))


PLACES = {
    place.name: place
    for place in (
        Place("SQLiteFileStore", "zoho_reference_stores.sqlite_file:SQLiteFileStore"),
        Place(
            "SQLiteMemoryStore",
            "zoho_reference_stores.sqlite_memory:SQLiteMemoryStore",
            ("--tokenstore-transient",),
        ),
        Place("ListStore", "zoho_reference_stores.list_store:ListStore", ("--tokenstore-transient",)),
        Place(
            "SQLAlchemyStore on PostgreSQL",
            "tests.sql_stores:postgresql_store",
            server=sql_stores.POSTGRESQL.serving,
            through=_on_sql(sql_stores.POSTGRESQL),
        ),
        Place(
            "SQLAlchemyStore on MariaDB",
            "tests.sql_stores:mariadb_store",
            server=sql_stores.MARIADB.serving,
            through=_on_sql(sql_stores.MARIADB),
        ),
        Place("SQLAlchemyStore on SQLite", "tests.sql_stores:sqlite_store"),
        Place("RedisStore", "tests.reference_list:redis_store", server=_redis, through=_on_redis),
    )
}
