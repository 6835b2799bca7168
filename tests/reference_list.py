"""The reference stores and where each of them is run, for the table and the benchmark."""

from __future__ import annotations

import base64
import contextlib
import functools
import importlib.metadata
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import redis
import sqlalchemy as sql

from tests import django_stores, dynamodb_stores, moto_server, redis_server, sql_stores
from tests.servers import Server
from zoho_reference_stores import (
    DjangoTokenStore,
    DynamoDBStore,
    EncryptedStore,
    FallbackStore,
    RedisStore,
    SecretsManagerStore,
    SingleFlightStore,
    SQLAlchemyStore,
    SQLiteFileStore,
)
from zoho_reference_stores.dynamodb_store import create_table
from zoho_tokenstore_contract._harness.source import lookup

REDIS, AWS = "TOKENSTORE_SERVER_REDIS", dynamodb_stores.AWS
"""The environment variables that tell this process and its children where the servers are."""


@dataclass(frozen=True)
class Place:
    """A reference store and where it keeps its tokens.

    Attributes:
        name: Its name in the table.
        factory: What opens it, as ``--tokenstore`` takes it; it is called with the location.
        options: Further options of the kit.
        server: Starts the server that it needs, and tells this process and its children where it is.
        through: Opens it on storage of its own, with connections of its own that go through another
            port; closes it afterwards. Without it, round trips are not counted.
    """

    name: str
    factory: str
    options: tuple[str, ...] = ()
    server: Callable[[], AbstractContextManager[Server]] | None = None
    through: Callable[[int], AbstractContextManager[Any]] | None = None

    @property
    def open(self) -> Callable[[Path], Any]:
        """What opens the store on a location; other processes can import it."""
        module, _, function = self.factory.partition(":")
        opens: Callable[[Path], Any] = lookup(module, function)
        return opens


def _on_sql(kind: sql_stores.Kind) -> Callable[[int], AbstractContextManager[Any]]:
    @contextlib.contextmanager
    def through(port: int) -> Iterator[Any]:
        engine = sql.create_engine(kind.url(user=kind.server().user, port=port), **sql_stores.OPTIONS)
        try:
            yield SQLAlchemyStore(engine, f"own_{secrets.token_hex(8)}")
        finally:
            engine.dispose()

    return through


def _on_django(kind: sql_stores.Kind) -> Callable[[int], AbstractContextManager[Any]]:
    @contextlib.contextmanager
    def through(port: int) -> Iterator[Any]:
        name = f"own_{secrets.token_hex(8)}"
        django_stores.make_database(kind, name)
        django_stores.add_database(name, **django_stores.on_server(kind, name, PORT=port))
        with contextlib.closing(DjangoTokenStore(name)) as store:
            yield store

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


@contextlib.contextmanager
def _aws() -> Iterator[Server]:
    with moto_server.running() as running:
        settings = {**moto_server.environment(), AWS: running.url}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            version = f"moto {importlib.metadata.version('moto')}"
            yield Server("127.0.0.1", running.port, "", "", version, Path())
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@functools.cache
def _aws_client(url: str) -> Any:
    """The client that stores of one process share, as in an application."""
    return boto3.client("secretsmanager", endpoint_url=url)


def secrets_manager_store(location: Path) -> SecretsManagerStore:
    """Open `SecretsManagerStore` under a prefix that belongs to the location."""
    return SecretsManagerStore(_aws_client(os.environ[AWS]), prefix=location.name)


@contextlib.contextmanager
def _on_aws(port: int) -> Iterator[DynamoDBStore]:
    client, table = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}"), secrets.token_hex(8)
    create_table(client, table)
    yield DynamoDBStore(client, table)
    client.close()


def single_flight_store(location: Path) -> SingleFlightStore:
    """Open `SingleFlightStore` around a `RedisStore`, which has leases."""
    return SingleFlightStore(redis_store(location))


def encrypted_store(location: Path) -> EncryptedStore:
    """Open `EncryptedStore` around an `SQLiteFileStore`."""
    return EncryptedStore(SQLiteFileStore(location), [base64.urlsafe_b64encode(bytes(range(32))).decode()])


def fallback_store(location: Path) -> FallbackStore:
    """Open `FallbackStore` over an `SQLiteFileStore` and an old one without rows."""
    return FallbackStore(SQLiteFileStore(location), SQLiteFileStore(location / "old.db"))


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
        Place(
            "DjangoTokenStore on PostgreSQL",
            "tests.django_stores:postgresql_store",
            server=sql_stores.POSTGRESQL.serving,
            through=_on_django(sql_stores.POSTGRESQL),
        ),
        Place(
            "DjangoTokenStore on MariaDB",
            "tests.django_stores:mariadb_store",
            server=sql_stores.MARIADB.serving,
            through=_on_django(sql_stores.MARIADB),
        ),
        Place("DjangoTokenStore on SQLite", "tests.django_stores:sqlite_store"),
        Place("RedisStore", "tests.reference_list:redis_store", server=_redis, through=_on_redis),
        Place("SecretsManagerStore", "tests.reference_list:secrets_manager_store", server=_aws),
        Place("DynamoDBStore", "tests.dynamodb_stores:dynamodb_store", server=_aws, through=_on_aws),
        Place(
            "SingleFlightStore around RedisStore", "tests.reference_list:single_flight_store", server=_redis
        ),
        Place("EncryptedStore around SQLiteFileStore", "tests.reference_list:encrypted_store"),
        Place("FallbackStore over SQLiteFileStore", "tests.reference_list:fallback_store"),
    )
}
