"""The tables of `SQLAlchemyStore`: what they are, what is asked of them, and how they are made.

Copy this module beside that of the store.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError, IntegrityError

from .token_fields import FIELDS, refusal

ID_WIDTH = 255  # characters
COLUMNS = (*FIELDS, "number")
TABLE_OPTIONS: Mapping[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}

_MYSQL = ("mysql", "mariadb")
_SERVERS = ("postgresql", *_MYSQL, "sqlite")
_SHARING_POOLS = (sql.StaticPool, sql.SingletonThreadPool)
_TRIES = 3

# That of the tokens begins with the columns of the SDK's own table, in its order, so that whoever reads
# that one can read this.


class Row(dict[str, Any]):
    """What a statement is given or answers; its `repr` has no values, for they are secret [SECRET-2]."""

    def __repr__(self) -> str:
        return f"<row with {', '.join(self)}>"


class _Hidden(str):
    """A text that does not show itself: SQLAlchemy logs rows at the level DEBUG [SECRET-2]."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _Text(sql.types.TypeDecorator[str]):
    """Text of any length. MySQL without its strict mode cuts what a column is too small for [VALUE-9]."""

    impl = sql.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sql.Dialect) -> Any:
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"))
        return super().load_dialect_impl(dialect)

    def process_result_value(self, value: str | None, dialect: sql.Dialect) -> str | None:
        return None if value is None else _Hidden(value)


_ID = sql.String(ID_WIDTH).with_variant(
    mysql.VARCHAR(ID_WIDTH, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL
)
_NUMBER = sql.BigInteger().with_variant(sql.Integer, "sqlite")  # SQLite counts up no other type
_SEARCHED = ("user_name", "access_token", "grant_token", "refresh_token")


class Tables:
    """The tables, by SQLAlchemy's means, and what is asked of them.

    Attributes:
        tokens: A row for each token. `number` only grows, and so is the order of insertion.
        lock: One row, which every writer changes first: so one at a time looks and writes.
    """

    def __init__(self, name: str) -> None:
        self.metadata = sql.MetaData()
        indexes = [
            # PostgreSQL's other indexes take no text of 4,096 characters [VALUE-3].
            sql.Index(
                f"{name}_by_{column}",
                column,
                postgresql_using="hash",
                mysql_length={column: 64},
                mariadb_length={column: 64},
            )
            for column in _SEARCHED
        ]
        self.tokens = sql.Table(
            name,
            self.metadata,
            sql.Column("id", _ID, nullable=False, unique=True),
            *(
                sql.Column("expiry_time" if field == "expires_in" else field, _Text, key=field)
                for field in FIELDS[1:]
            ),
            sql.Column("number", _NUMBER, primary_key=True, autoincrement=True),
            *indexes,
            **TABLE_OPTIONS,
        )
        self.lock = sql.Table(
            f"{name}_lock",
            self.metadata,
            sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
            sql.Column("turns", sql.BigInteger, nullable=False),
            **TABLE_OPTIONS,
        )
        tokens = self.tokens
        number = tokens.c.number == sql.bindparam("of_number")
        self.all_rows = sql.select(tokens).order_by(tokens.c.number)
        self.take_turn = sql.update(self.lock).values(turns=self.lock.c.turns + 1)
        self.insert = sql.insert(tokens).inline()
        self.update = sql.update(tokens).where(number)
        self.delete = sql.delete(tokens).where(number)
        self.delete_all = sql.delete(tokens)

    @functools.cache  # noqa: B019 (there are few, and they are kept anyway)
    def rows_with(self, columns: tuple[str, ...]) -> sql.Select[Any]:
        """The rows that have one of some ids, or in one of these columns what the parameter says."""
        tokens = self.tokens.c
        by_id = tokens.id.in_(sql.bindparam("ids", expanding=True))
        return self.all_rows.where(sql.or_(by_id, *(tokens[name] == sql.bindparam(name) for name in columns)))


tables_named = functools.lru_cache(maxsize=32)(Tables)  # who opens a store anew does not make them anew


def check_engine(engine: object) -> None:
    """Refuse what cannot work, in a sentence that says what would.

    Args:
        engine: What the store was given.

    Raises:
        SDKException: It is no engine, or one for another server, or its pool shares connections.
    """
    if not isinstance(engine, sql.Engine):
        raise refusal(f"SQLAlchemyStore takes what sqlalchemy.create_engine returns, not {engine!r:.100}")
    if engine.dialect.name not in _SERVERS:
        raise refusal(f"SQLAlchemyStore knows {', '.join(_SERVERS)}, and not {engine.dialect.name}")
    if isinstance(engine.pool, _SHARING_POOLS):
        raise refusal(
            f"{type(engine.pool).__name__} lends one connection to several callers, whose answers get mixed "
            "up: create the engine with another poolclass, or for SQLite in memory take SQLiteMemoryStore"
        )


def prepare(connection: sql.Connection, tables: Tables) -> None:
    """Make what is missing of the tables, on a connection that is fit for it.

    Args:
        connection: On which they are made.
        tables: The tables.

    Raises:
        SDKException: The isolation level is READ UNCOMMITTED, or a table of that name is another's.
    """
    if connection.get_isolation_level() == "READ UNCOMMITTED":
        raise refusal(
            "with READ UNCOMMITTED a token may be found that is never saved: "
            "create the engine with another isolation_level"
        )
    _check_columns(connection, tables.tokens)
    make_tables(connection, tables.metadata)
    if connection.execute(sql.select(tables.lock)).first() is None:
        try:
            connection.execute(sql.insert(tables.lock).values(id=1, turns=0))
            connection.commit()
        except IntegrityError:  # another node was faster
            connection.rollback()


def make_tables(connection: sql.Connection, metadata: sql.MetaData) -> None:
    """Make the tables that are missing. Several nodes may do so at once.

    Args:
        connection: On which they are made.
        metadata: The tables.
    """
    for tries in itertools.count(1):
        try:
            metadata.create_all(connection)
            connection.commit()
        except DBAPIError as error:
            if error.connection_invalidated or tries == _TRIES:
                raise
            connection.rollback()
            time.sleep(random.uniform(0.01, 0.1))
        else:
            return


def _check_columns(connection: sql.Connection, tokens: sql.Table) -> None:
    inspector = sql.inspect(connection)
    if inspector.has_table(tokens.name):
        found = {column["name"] for column in inspector.get_columns(tokens.name)}
        if missing := {column.name for column in tokens.columns} - found:
            raise refusal(
                f"the table {tokens.name} has no column {', '.join(sorted(missing))}. "
                "If it is that of DBStore, call take_over_dbstore first"
            )


def close_to_others(engine: sql.Engine) -> None:
    """Make an empty file where SQLite would make one that is readable by everyone [SECRET-1]."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and path != ":memory:" and not path.startswith("file:"):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise refusal(f"the file {path} cannot be made: {error.strerror}") from error
