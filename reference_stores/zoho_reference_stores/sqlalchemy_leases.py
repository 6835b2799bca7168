"""Leases beside `SQLAlchemyStore`, for `SingleFlightStore`: one node at a time renews a token.

Copy this module beside that of the store::

    Initializer.initialize(environment, token, store=SingleFlightStore(LeasingSQLAlchemyStore(engine)))
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import mysql, postgresql, sqlite

from .sqlalchemy_store import SQLAlchemyStore, surfaced
from .sqlalchemy_tables import TABLE_OPTIONS, make_tables

_NOW = {
    "mysql": "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000000.0",
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}
"""The seconds since 1970 by the server's clock."""


class LeasingSQLAlchemyStore(SQLAlchemyStore):
    """A `SQLAlchemyStore` with a further table: who may renew a token, and until when.

    Args:
        engine: As for `SQLAlchemyStore`.
        table: As for `SQLAlchemyStore`; the further table gets a name that begins with it.
    """

    def __init__(self, engine: sql.Engine, table: str = "oauthtoken") -> None:
        super().__init__(engine, table)
        self._kind = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
        self._leases = leases = sql.Table(
            f"{table}_leases",
            sql.MetaData(),
            sql.Column("name", sql.String(64), primary_key=True),
            sql.Column("owner", sql.String(64), nullable=False),
            sql.Column("until", sql.Double, nullable=False),
            **TABLE_OPTIONS,
        )
        with surfaced(f"Cannot open the table {leases.name}"):
            self.run(lambda connection: make_tables(connection, leases.metadata))

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Take the lease on a key, or go on holding it, for so many seconds by the server's clock.

        Args:
            key: What the lease is on; any text.
            owner: Who asks; any text that no other caller uses.
            seconds: How long the lease lasts, unless it is released.

        Returns:
            Whether the owner holds it now: it was free, had run out, or was the owner's already.
        """
        statements = self._to_acquire(_digest(key), _digest(owner), seconds)

        def acquire(connection: sql.Connection) -> bool:
            is_taken = any(connection.execute(statement).rowcount > 0 for statement in statements)
            connection.commit()
            return is_taken

        with surfaced("Cannot acquire a lease"):
            return self.run(acquire)

    def release_lease(self, key: str, owner: str) -> None:
        """Give up the lease on a key, if this owner holds it."""
        row = self._leases.c
        statement = sql.delete(self._leases).where(row.name == _digest(key), row.owner == _digest(owner))

        def release(connection: sql.Connection) -> None:
            connection.execute(statement)
            connection.commit()

        with surfaced("Cannot release a lease"):
            self.run(release)

    def _to_acquire(self, name: str, owner: str, seconds: float) -> Sequence[Any]:
        """Statements of which one changes a row if the owner gets the lease, tried in their order."""
        row = self._leases.c
        now: Any = sql.literal_column(_NOW[self._kind])
        values = {"owner": owner, "until": now + seconds}
        to_be_had = sql.or_(row.until <= now, row.owner == owner)
        if self._kind == "mysql":
            take = sql.update(self._leases).where(row.name == name, to_be_had).values(values)
            return take, mysql.insert(self._leases).prefix_with("IGNORE").values(name=name, **values)
        insert = sqlite.insert if self._kind == "sqlite" else postgresql.insert
        add = insert(self._leases).values(name=name, **values)
        take_or_add = add.on_conflict_do_update(index_elements=["name"], set_=values, where=to_be_had)
        return (take_or_add.execution_options(preserve_rowcount=True),)


def _digest(text: str) -> str:
    """A text of any length as one of 64 characters, the same for no other."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
