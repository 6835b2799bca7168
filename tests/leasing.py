"""A store in a file that offers leases to `SingleFlightStore`, as the stores on servers do."""

from __future__ import annotations

import time
from pathlib import Path

from zoho_reference_stores import SQLiteFileStore

_TABLE = "CREATE TABLE IF NOT EXISTS lease (key TEXT PRIMARY KEY, owner TEXT NOT NULL, ends REAL NOT NULL)"
_TAKE = (
    "INSERT INTO lease VALUES (:key, :owner, :now + :seconds)"
    " ON CONFLICT (key) DO UPDATE SET owner = :owner, ends = :now + :seconds"
    " WHERE owner = :owner OR ends <= :now"
)


class LeasingSQLiteFileStore(SQLiteFileStore):
    """Keeps the leases in a table beside the tokens; their clock is that of the machine."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._change(lambda connection: connection.execute(_TABLE))

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Whether the owner holds the lease now: it was free, had run out, or was the owner's already."""
        sent = {"key": key, "owner": owner, "seconds": seconds, "now": time.time()}
        return self._change(lambda connection: connection.execute(_TAKE, sent).rowcount == 1)

    def release_lease(self, key: str, owner: str) -> None:
        """Give the lease back, if the owner holds it."""
        self._change(
            lambda connection: connection.execute(
                "DELETE FROM lease WHERE key = ? AND owner = ?", (key, owner)
            )
        )
