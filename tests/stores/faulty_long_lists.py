"""Stores that read or clear many rows in pieces, and let others in between two of them."""

from __future__ import annotations

from typing import Any

from .catalogue import fault
from .faulty_threads import InPlaceStore

PIECE = 25


class InPieces(InPlaceStore):
    """The common part: the state as it is at the moment, under the lock."""

    def piece_of(self, start: int) -> list[Any]:
        with self.lock:
            return [dict(row) for row in self.state["rows"][start : start + PIECE]]


@fault("THREAD-5", says="is missing", persistent=False)
class ListsByTheNumbersOfRows(InPieces):
    """Lists 25 rows after another by their numbers, which a deletion changes."""

    def get_tokens(self) -> list[Any]:
        rows: list[Any] = []
        while piece := self.piece_of(len(rows)):
            rows += piece
        return [self.new_token(row) for row in rows]


@fault("THREAD-5", says="of different moments", persistent=False)
class ListsWhatItHasNotListedYet(InPieces):
    """Lists 25 rows after another, each time of those that are not in the list yet."""

    def get_tokens(self) -> list[Any]:
        listed: dict[Any, Any] = {}
        while True:
            with self.lock:
                rest = [dict(row) for row in self.state["rows"] if row["id"] not in listed]
            if not rest:
                return [self.new_token(row) for row in listed.values()]
            listed.update({row["id"]: row for row in rest[:PIECE]})


@fault("THREAD-5", says="of different moments", persistent=False)
class ClearsInPieces(InPieces):
    """Clears the rows that there are, 25 after another."""

    def delete_tokens(self) -> None:
        with self.lock:
            ids = [row["id"] for row in self.state["rows"]]
        for start in range(0, len(ids), PIECE):
            with self.lock:
                rows = self.state["rows"]
                rows[:] = [row for row in rows if row["id"] not in ids[start : start + PIECE]]
