"""Saves that are rehearsed where nothing disturbs them, and made again where something does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from .._spec.tokens import Row, is_token, to_row_as_far_as_it_reads, to_token
from .calls import Answer
from .messages import in_brief
from .row_acts import require
from .row_fates import Fate, TwinIds, fates_in_a_save, hold_to, mishap_in, rows_left, rows_shown
from .workspace import Workspace


class Stage:
    """A newly opened store, with the rows of those that were saved first which it keeps.

    Attributes:
        workspace: The workspace of the check.
        store: The open store.
        arranged: What was saved first.
    """

    def __init__(self, workspace: Workspace, arranged: Sequence[Row]) -> None:
        """Save rows at a new location, as far as the store takes them.

        Args:
            workspace: The workspace of the check, in which another example begins.
            arranged: The rows.
        """
        workspace.fresh_examples()
        self.workspace = workspace
        self.store = workspace.open()
        self.arranged = arranged
        for row in arranged:
            self.store.try_save(row)

    def make(self, method: str, argument: Any) -> Answer:
        """Make a call; any answer will do.

        Args:
            method: The method.
            argument: What it is passed: a row for a new token, `...` for nothing.

        Returns:
            The answer.
        """
        if isinstance(argument, Row):
            self.store.remember(argument)
            argument = to_token(argument)
        return self.store.call(method, *(() if argument is ... else (argument,)))

    def found(self, method: str, argument: Any) -> Any:
        """Look for a row.

        Args:
            method: The method.
            argument: What it is passed, as for `make`.

        Returns:
            The row, ``None`` for a miss, `...` where the call raises.
        """
        answer = self.make(method, argument)
        if answer.raised is not None:
            return ...
        return to_row_as_far_as_it_reads(answer.returned) if is_token(answer.returned) else None


class Rehearsal(Stage):
    """A location where nothing disturbs the saves: what the store makes of each.

    Attributes:
        first: The rows that were arranged, as they are stored.
        rows: The rows that are there now.
    """

    def __init__(self, workspace: Workspace, arranged: Sequence[Row]) -> None:
        """Save rows at a new location, as far as the store takes them.

        Args:
            workspace: The workspace of the check, in which another example begins.
            arranged: The rows.
        """
        super().__init__(workspace, arranged)
        self.first = self.rows = self._read()
        require(workspace, self.rows, "rows are stored")

    def _read(self) -> list[Row]:
        return [row.plain() for row in rows_shown(self.store, self.workspace.ids(self.store.location))]

    def stores(self, row: Row) -> bool:
        """Save a row.

        Args:
            row: The row.

        Returns:
            Whether that works, which other clauses speak of.
        """
        saved = self.store.try_save(row)
        self.rows = self._read()
        return saved.answer.raised is None


class Repetition:
    """Another location, where the same saves are disturbed: the rows have to be as they were rehearsed.

    Attributes:
        workspace: The workspace of the check.
        location: The location.
    """

    def __init__(self, rehearsal: Rehearsal) -> None:
        """Save what was arranged for the rehearsal, and close the store.

        Args:
            rehearsal: What is repeated.
        """
        stage = Stage(rehearsal.workspace, rehearsal.arranged)
        self.workspace = workspace = stage.workspace
        self.location = stage.store.location
        workspace.close(stage.store)
        self._ids = TwinIds()
        self._found = rows_left(workspace, self.location, workspace.ids(self.location))
        self._ids.translated(rehearsal.first, [row.plain() for row in self._found])

    def sent(self, row: Row) -> Row:
        """What is saved here for a row of the rehearsal, which may have an id.

        Args:
            row: The row.
        """
        return row if row.id is None else self._ids.translated([row], [])[0]

    def go_on(self, rows: Sequence[Row]) -> int:
        """Save rows that were rehearsed and are not stored yet.

        Args:
            rows: The rows of the rehearsal.

        Returns:
            How many are saved; the next one is refused, which other clauses speak of.
        """
        store = self.workspace.open(self.location)
        answers = (store.try_save(self.sent(row)).answer for row in rows)
        saved = sum(1 for _ in takewhile(lambda answer: answer.raised is None, answers))
        self.workspace.close(store)
        return saved

    def shows(
        self,
        before: Sequence[Row],
        after: Sequence[Row],
        told: Sequence[Any],
        promise: str,
        nothing_else: str,
    ) -> bool:
        """Compare all rows with those before and after the disturbed save.

        Args:
            before: The rows of the rehearsal before it.
            after: Those after it.
            told: The ids of the tokens that were saved since the last comparison.
            promise: What the clause promises of each row, in words.
            nothing_else: What it promises of others, in words.

        Returns:
            Whether the save was stored.
        """
        ids = [*(row.id for row in self._found), *told]
        self._found = [row.plain() for row in rows_left(self.workspace, self.location, ids)]
        before, after = (self._ids.translated(rows, self._found) for rows in (before, after))
        fates = fates_in_a_save(before, after, lambda row: f"{promise}: {in_brief(row)}", nothing_else)
        hold_to(fates, self._found, nothing_else, self.workspace.fail)
        return mishap_in(self._found, [Fate((row,), promise) for row in after], nothing_else) is None
