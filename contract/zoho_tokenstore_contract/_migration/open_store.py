"""From an address to the store: to be read alone, or to be written to."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .._spec.clause_results import UsageError
from .._spec.sdk import SDKMissing, load
from .addresses import DYNAMODB, FACTORY, FILE, MYSQL, REDIS, SQLITE, Address, database
from .file_store_reader import FileReader
from .readers import CannotRead, Changed, Reader, StoreReader, TableReader

_DRIVERS = {
    "mysql": (
        # MySQL's own one comes behind it: SQLAlchemy lets it fetch a whole table at once.
        (("pymysql", "cryptography"), "mysql+pymysql"),
        (("mysql.connector",), "mysql+mysqlconnector"),
        (("pymysql",), "mysql+pymysql"),
    ),
    "postgresql": (
        (("psycopg",), "postgresql+psycopg"),
        (("psycopg2",), "postgresql+psycopg2"),
    ),
}
"""For each kind of server the modules that a driver needs, and its name in SQLAlchemy; the best one first."""

_PASSWORD = {"mysql": "MYSQL_PWD", "postgresql": "PGPASSWORD", "redis": "REDISCLI_AUTH"}
"""Where a password that the address does not have is looked for, as the server's own client does."""

_SQLITE_TABLE = "oauthtoken"


@contextlib.contextmanager
def opened(address: Address) -> Iterator[Reader]:
    """Open a store to be read and nothing else.

    Args:
        address: Where it is.

    Yields:
        What reads it.

    Raises:
        UsageError: There is no such store, or a library that it needs is missing.
    """
    with opened_if_there(address) as reader:
        if reader is None:
            raise UsageError(f"{address.text}: there is no such {'table' if address.url else 'file'}")
        yield reader


@contextlib.contextmanager
def opened_if_there(address: Address) -> Iterator[Reader | None]:
    """Open a target to be read and nothing else; ``None`` where there is no file or table yet."""
    reader = _reader(address)
    try:
        yield reader
    finally:
        if reader is not None:
            reader.close()


@contextlib.contextmanager
def opened_to_write(address: Address) -> Iterator[Any]:
    """Open a store to be written to; it is made where there is none.

    Yields:
        The store.

    Raises:
        UsageError: It cannot be opened.
    """
    with _explained(address):
        store = _store(address)
    try:
        yield store
    finally:
        _close(store)


@contextlib.contextmanager
def _explained(address: Address) -> Iterator[None]:
    try:
        yield
    except UsageError:
        raise
    except SDKMissing as error:
        raise UsageError(str(error)) from error
    except CannotRead as error:
        raise UsageError(f"{address.text}: {error}") from error
    except ModuleNotFoundError as error:
        raise UsageError(f"{address.text} cannot be opened: there is no module {error.name!r}") from error
    except (Exception, SystemExit) as error:
        # Of a server or a factory not the text: drivers quote the address, and with it the password.
        why = type(error).__name__
        if address.url:
            why += "; is the server there, and are user, password and database right?"
        elif address.kind != FACTORY or isinstance(error, ImportError):
            why = str(error).removeprefix("Caused By: TOKEN_STORE - ")  # as the SDK has it
        raise UsageError(f"{address.text} cannot be opened: {why}") from error


# ---------------------------------------------------------------------------------------------
# To be read.


def _reader(address: Address) -> Reader | None:
    with _explained(address):
        load()
        if address.kind == FILE:
            return FileReader(address.place) if _is_file(address) else None
        if address.kind == SQLITE:
            return _sqlite_reader(address.place) if _is_file(address) else None
        if address.kind in _DRIVERS:
            return _sql_reader(address)
        store = _store(address)
        return StoreReader(store, lambda: _close(store))


def _is_file(address: Address) -> bool:
    path = Path(address.place)
    if not path.parent.is_dir():
        raise UsageError(f"{address.text}: there is no directory {path.parent}")
    if path.exists() and not path.is_file():
        raise UsageError(f"{address.text} is no file")
    return path.exists()


def _sqlite_reader(path: str) -> Reader:
    # SQLite would make files beside a database with a write-ahead log that nobody has open, and leave them.
    is_alone = not Path(f"{path}-wal").exists() and _has_write_ahead_log(path)
    uri = f"{Path(path).as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False)

    def select(column: str, values: Sequence[str]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        condition = f" WHERE {column} = ?" if column else " ORDER BY rowid"
        cursor = connection.execute(f"SELECT * FROM {_SQLITE_TABLE}{condition}", values)  # noqa: S608 (names)
        return [entry[0] for entry in cursor.description], rows_of(cursor)

    def rows_of(cursor: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
        try:
            yield from cursor
        except sqlite3.Error as error:
            raise _unreadable(error, path) from error
        if is_alone and Path(f"{path}-wal").exists():
            raise Changed

    try:
        connection.execute("PRAGMA query_only = ON")
        return TableReader(select, connection.close, path=path)
    except sqlite3.Error as error:
        connection.close()
        raise _unreadable(error, path) from error
    except BaseException:
        connection.close()
        raise


def _unreadable(error: sqlite3.Error, path: str) -> CannotRead:
    """What is wrong with a file of SQLite, and what helps."""
    said = str(error)
    if "malformed" in said:
        name = Path(path).name
        return CannotRead(
            f"the file is damaged ({said}): restore it from a backup, or save what still reads with "
            f"`sqlite3 {shlex.quote(name)} .recover | sqlite3 recovered.db`"
        )
    if "not a database" in said:
        return CannotRead(f"it is no SQLite database, or its first bytes are damaged ({said})")
    if "no such table" in said:
        return CannotRead(
            f"it has no table {_SQLITE_TABLE}: it holds other data, or was never used as a store"
        )
    return CannotRead(f"it cannot be read ({said})")


def _has_write_ahead_log(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(20)[18:] == b"\2\2"  # the format versions in the header of SQLite's files


def _sql_reader(address: Address) -> Reader | None:
    sql: Any = importlib.import_module("sqlalchemy")
    engine = sql.create_engine(_sql_url(address), poolclass=sql.NullPool, hide_parameters=True)
    table = sql.table(address.option)

    def select(column: str, values: Sequence[str]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        statement = sql.select(sql.text("*")).select_from(table)
        if column:
            statement = statement.where(sql.column(column) == values[0])
        statement = statement.execution_options(stream_results=True, max_row_buffer=1000)
        connection = engine.connect()
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        answer = connection.execute(statement)
        return list(answer.keys()), _until_closed(connection, answer)

    with engine.connect() as connection:
        if not sql.inspect(connection).has_table(address.option):
            return None
    return TableReader(select, engine.dispose, server=address.kind)


def _until_closed(connection: Any, answer: Any) -> Iterator[Sequence[Any]]:
    with connection:
        yield from answer


def _sql_url(address: Address) -> Any:
    sql: Any = importlib.import_module("sqlalchemy")
    url = address.url
    assert url is not None
    drivers = _DRIVERS[address.kind]
    driver = next((name for modules, name in drivers if all(map(_is_installed, modules))), None)
    if driver is None:
        names = " or ".join(dict.fromkeys(modules[0] for modules, _ in drivers))
        raise UsageError(f"{address.text}: no driver is installed, neither of {names}")
    password = url.password or os.environ.get(_PASSWORD[address.kind])
    return sql.URL.create(driver, url.username, password, url.hostname, url.port, database(url))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# ---------------------------------------------------------------------------------------------
# To be written to.


def _store(address: Address) -> Any:
    load()
    if address.kind == FACTORY:
        return _made_by(address.place)
    return _MAKERS[address.kind](address)


def _made_by(target: str) -> Any:
    module_name, _, qualname = target.partition(":")
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.append(directory)
    factory: Any = importlib.import_module(module_name)
    for name in qualname.split("."):
        factory = getattr(factory, name, None)
    if not callable(factory):
        raise UsageError(f"{target} names nothing that makes a store")
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError):
        raise UsageError(
            f"{target} takes arguments: name a function without any, which opens the store as your "
            "application does"
        ) from None
    store = factory()
    if not isinstance(store, load().TokenStore):
        raise UsageError(f"{target} makes a {type(store).__name__}, which is no TokenStore of the SDK")
    return store


def _file_store(address: Address) -> Any:
    return load().module("src.com.zoho.api.authenticator.store.file_store").FileStore(address.place)


def _sqlite_store(address: Address) -> Any:
    return _reference("sqlite_file", "SQLiteFileStore")(address.place)


def _sql_store(address: Address) -> Any:
    sql: Any = importlib.import_module("sqlalchemy")
    engine = sql.create_engine(
        _sql_url(address), isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, hide_parameters=True
    )
    return _reference("sqlalchemy_store", "SQLAlchemyStore")(engine, address.option)


def _redis_store(address: Address) -> Any:
    redis = importlib.import_module("redis")
    assert address.url is not None
    url = address.url._replace(query="").geturl()
    password = address.url.password or os.environ.get(_PASSWORD[REDIS])
    client = redis.Redis.from_url(url, **({"password": password} if password else {}))
    client.ping()
    return _reference("redis_store", "RedisStore")(client, address.option)


def _dynamodb_store(address: Address) -> Any:
    client = importlib.import_module("boto3").client("dynamodb")
    try:
        client.describe_table(TableName=address.place)
    except client.exceptions.ResourceNotFoundException:
        raise UsageError(
            f"{address.text}: there is no such table in {client.meta.region_name}; "
            "make it with create_table of zoho_reference_stores.dynamodb_store"
        ) from None
    except client.exceptions.ClientError:
        pass  # whoever may read and write tokens need not be allowed to ask that
    return _reference("dynamodb_store", "DynamoDBStore")(client, address.place)


def _reference(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"zoho_reference_stores.{module}"), name)


_MAKERS: dict[str, Callable[[Address], Any]] = {
    FILE: _file_store,
    SQLITE: _sqlite_store,
    MYSQL: _sql_store,
    "postgresql": _sql_store,
    REDIS: _redis_store,
    DYNAMODB: _dynamodb_store,
}


def _close(store: Any) -> None:
    close = getattr(store, "close", None)
    if callable(close):
        close()
