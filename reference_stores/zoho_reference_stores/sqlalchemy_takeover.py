"""Makes the table of the SDK's ``DBStore`` into one of `SQLAlchemyStore`. Needed once.

Copy this module beside that of the store. Stop the applications that use ``DBStore``, call
`take_over_dbstore` with an engine for its database, and start them again with `SQLAlchemyStore`.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sql

from .sqlalchemy_store import SQLAlchemyStore, surfaced
from .sqlalchemy_tables import Row, Tables
from .token_fields import FIELDS, Fields, present, refusal, ways_to_update


def take_over_dbstore(engine: sql.Engine, table: str = "oauthtoken") -> None:
    """Make the table of the SDK's ``DBStore`` into one of `SQLAlchemyStore`, with its ids and rows.

    The rows are copied into a new table, which then takes the old one's name in one step. The old one
    is left as it was, under a name that ends in ``_dbstore``. Nothing must write to it meanwhile. If this
    is cut short, call it again.

    Args:
        engine: For the MySQL or MariaDB database of ``DBStore``.
        table: The name of its table.

    Raises:
        SDKException: With the code ``TOKEN_STORE``, and the table is as it was: it is not that of
            ``DBStore``, rows of it are of the same user or token, or the server fails.
    """
    if not isinstance(engine, sql.Engine) or engine.dialect.name not in ("mysql", "mariadb"):
        raise refusal("DBStore keeps its table in MySQL or MariaDB: pass an engine for that database")
    with surfaced(f"Cannot take over the table {table}"):
        new = Tables(f"{table}_new")
        with engine.connect() as connection:
            rows = _rows_of_dbstore(connection, table, new.tokens)
            new.metadata.drop_all(connection)
            connection.commit()
        _check_rows(rows)
        SQLAlchemyStore(engine, new.tokens.name)  # makes the new tables
        with engine.begin() as connection:
            if rows:
                connection.execute(sql.insert(new.tokens), rows)
        with engine.begin() as connection:
            moves = [(table, f"{table}_dbstore")]
            moves += [(f"{table}_new{end}", f"{table}{end}") for end in ("", "_lock")]
            quote = engine.dialect.identifier_preparer.quote
            renamed = ", ".join(f"{quote(one)} TO {quote(other)}" for one, other in moves)
            connection.exec_driver_sql(f"RENAME TABLE {renamed}")


def _rows_of_dbstore(connection: sql.Connection, table: str, tokens: sql.Table) -> list[Row]:
    """The rows in the order in which they were saved, as far as their ids tell."""
    columns = [column for column in tokens.columns if column.name != "number"]
    if [column["name"] for column in sql.inspect(connection).get_columns(table)] != [
        column.name for column in columns
    ]:
        raise refusal(f"the table {table} has other columns than that of DBStore")
    old = sql.table(table, *(sql.column(column.name, tokens.c.user_name.type) for column in columns))
    rows = [
        Row({name: answer[place] and str(answer[place]) for place, name in enumerate(FIELDS)})
        for answer in connection.execute(sql.select(old))
    ]
    return sorted(rows, key=lambda row: (len(row["id"] or ""), row["id"] or ""))


def _check_rows(rows: Sequence[Row]) -> None:
    """Refuse rows without an id, and rows of which two are of the same user or token."""
    places: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if not row["id"]:
            raise refusal(f"a row has no id, that of the user {row['user_name']!r}: give it one")
        ways = ways_to_update(present(Fields(row)))
        names = ways[0].fields
        places.setdefault((*names, *(row[name] for name in names)), []).append(row["id"])
    if clashes := [ids for ids in places.values() if len(ids) > 1]:
        listed = "; ".join(", ".join(map(repr, ids)) for ids in clashes)
        raise refusal(f"rows with these ids are of the same user or token, keep one of each: {listed}")
