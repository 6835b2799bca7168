"""The reference stores and where each of them is run, for the table and the benchmark."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import redis
import sqlalchemy as sql

from tests import aws_stores, django_stores, redis_stores, sql_stores
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
from zoho_reference_stores.sqlite_file import break_storage, mend_storage
from zoho_tokenstore_contract._harness.store_source import lookup

__all__ = ["PLACES", "Place", "break_storage", "encrypted_store", "fallback_store", "mend_storage"]


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
def _on_redis(port: int) -> Iterator[RedisStore]:
    with redis.Redis(port=port) as client:
        yield RedisStore(client, prefix=secrets.token_hex(8))


@contextlib.contextmanager
def _single_flight_on_redis(port: int) -> Iterator[SingleFlightStore]:
    with _on_redis(port) as inner:
        yield SingleFlightStore(inner)


@contextlib.contextmanager
def _on_dynamodb(port: int) -> Iterator[DynamoDBStore]:
    client, table = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}"), secrets.token_hex(8)
    create_table(client, table)
    yield DynamoDBStore(client, table)
    client.close()


@contextlib.contextmanager
def _on_secrets_manager(port: int) -> Iterator[SecretsManagerStore]:
    client = boto3.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{port}")
    yield SecretsManagerStore(client, prefix=secrets.token_hex(8))
    client.close()


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
            "SQLAlchemyStore on PostgreSQL (psycopg2)",
            "tests.sql_stores:psycopg2_store",
            server=sql_stores.PSYCOPG2.serving,
            through=_on_sql(sql_stores.PSYCOPG2),
        ),
        Place(
            "SQLAlchemyStore on PostgreSQL (pg8000)",
            "tests.sql_stores:pg8000_store",
            server=sql_stores.PG8000.serving,
            through=_on_sql(sql_stores.PG8000),
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
        Place("RedisStore", "tests.redis_stores:redis_store", server=redis_stores.serving, through=_on_redis),
        Place(
            "SecretsManagerStore",
            "tests.aws_stores:secrets_manager_store",
            server=aws_stores.serving,
            through=_on_secrets_manager,
        ),
        Place(
            "DynamoDBStore",
            "tests.aws_stores:dynamodb_store",
            server=aws_stores.serving,
            through=_on_dynamodb,
        ),
        Place(
            "SingleFlightStore around RedisStore",
            "tests.redis_stores:single_flight_store",
            server=redis_stores.serving,
            through=_single_flight_on_redis,
        ),
        Place("EncryptedStore around SQLiteFileStore", "tests.reference_list:encrypted_store"),
        Place("FallbackStore over SQLiteFileStore", "tests.reference_list:fallback_store"),
    )
}
