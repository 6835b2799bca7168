"""Stores with one mistake in ``save_token``."""

from __future__ import annotations

from typing import Any

from .catalogue import fault
from .right import Fields, RightStore


@fault("SAVE-4", says="updated in place")
class AppendsKnownUsers(RightStore):
    """Saves a known user as another row."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("SAVE-13", says="the others kept")
class ReplacesWholeRows(RightStore):
    """An update replaces the whole row, so that a renewal loses the refresh token."""

    def update(self, row: Fields, sent: Fields) -> None:
        row.update(sent, id=row["id"])


@fault("SAVE-21", says="the passed token carries the id")
class ForgetsTheIdAfterUpdates(RightStore):
    """Sets the id on inserted tokens alone."""

    def saved(self, token: Any, row: Fields) -> None:
        if len(row["access_token"] or "") and token.get_expires_in() is None:
            super().saved(token, row)
