"""Stores with a mistake that shows after a certain sequence of calls alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .catalogue import fault
from .right import Fields, RightStore, refusal

# MODEL-1: any sequence of calls


@fault("MODEL-1", says="which updates the row")
class BringsADeletedRowBack(RightStore):
    """Keeps deleted rows until the next insert, and an update after two deletions stores one again."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.deleted: list[Fields] = []

    def remove(self, state: Any, id: Any) -> None:
        self.deleted += [row for row in state["rows"] if row["id"] == id]
        super().remove(state, id)

    def insert(self, state: Any, sent: Fields) -> Fields:
        self.deleted.clear()
        return super().insert(state, sent)

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        if len(self.deleted) > 1:
            with self.changing() as state:
                state["rows"].append(self.deleted.pop(0))


@fault("MODEL-1", says="and fills in the passed token")
class OneWayOfSavingForgetsTheCache(RightStore):
    """Keeps in mind whom it found by name, and forgets it only when the name is saved or the row has gone."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known: dict[str, Fields] = {}

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        name = sent["user_name"]
        known = self.known.get(name)
        if known is not None and self.by_id(rows, known["id"]) is not None:
            return known
        row = super().match_to_find(rows, sent)
        if name and row is not None:
            self.known[name] = row
        return row

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        if sent["user_name"]:
            self.known.pop(row["user_name"], None)


@fault("MODEL-1", "DEL-4", says="inserts one row")
class UsesDeletedRowsAgain(RightStore):
    """A new row takes the place of a deleted one, and has that one's value where it has none itself."""

    def remove(self, state: Any, id: Any) -> None:
        state["free"] = self.by_id(state["rows"], id)
        super().remove(state, id)

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        free = state.pop("free", None) or {}
        row.update({name: free[name] for name in free if row[name] is None})
        return row


@fault("MODEL-1", says="which updates the row")
class HasRoomForTwoUpdates(RightStore):
    """Writes updates with the next insert, and no more than two of them: a third pushes the first out."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.before: dict[str, Fields] = {}

    def insert(self, state: Any, sent: Fields) -> Fields:
        self.before.clear()
        return super().insert(state, sent)

    def update(self, row: Fields, sent: Fields) -> None:
        self.before.setdefault(row["id"], dict(row))
        super().update(row, sent)

    def write(self, state: Any) -> None:
        if len(getattr(self, "before", ())) > 2:
            before = self.before.pop(next(iter(self.before)))
            state["rows"] = [before if row["id"] == before["id"] else row for row in state["rows"]]
        super().write(state)


@fault("MODEL-1", says="no room for another user")
class HasRoomForTenUsers(RightStore):
    """Refuses the eleventh user."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["user_name"] and sum(bool(row["user_name"]) for row in state["rows"]) >= 10:
            raise refusal("no room for another user")
        return super().insert(state, sent)
