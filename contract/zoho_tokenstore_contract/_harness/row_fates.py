"""What may have become of rows while something went wrong: each is as it was, or as a save would leave it.

A kill, an exception, a fork, a full disk, or callers at the same time leave open which of some saves were
stored. So a row has a few states of which it has to show one, whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._spec.clause_results import Violation
from .._spec.tokens import FIELDS, Row, absent, format_row, to_row
from .messages import describe_mixture, format_rows
from .store_handle import StoreHandle
from .store_limits import active
from .workspace import Workspace


@dataclass(frozen=True)
class Fate:
    """What may have become of one row.

    Attributes:
        states: How it may read now.
        promise: What the clause promises of it, in words.
        optional: It need not be there at all.
        new: It may have any id, but has one.
    """

    states: tuple[Row, ...]
    promise: str
    optional: bool = False
    new: bool = False

    def is_shown_by(self, row: Row) -> bool:
        """Whether a stored row is this one, whole, in one of its states."""
        if self.new:
            return not lacks_id(row) and row.but(id=None) in self.states
        return row in self.states

    def is_near(self, row: Row) -> bool:
        """Whether a stored row has the user of this one, or where it has none, its id."""
        return any(
            one.id == row.id if one.user_name is None else one.user_name == row.user_name
            for one in self.states
        )

    def seen_in(self, rows: Iterable[Row]) -> str:
        """What is there in the place of this row, in words.

        Of a row with other values than any save the first three fields are shown which differ.
        """
        rows = list(rows)
        own = [row for row in rows if self.is_near(row)]
        if not own:
            return f"no such row; {len(rows)} rows in all"
        if len(own) > 1:
            return format_rows([row.only("id", "user_name", "access_token") for row in own])
        wrong = min((_unlike(own[0], state) for state in self.states), key=len)
        shown = format_row(own[0].only("id", "user_name", *wrong[:3]))
        return f"{shown}{', without an id' * lacks_id(own[0])}{describe_mixture(own[0], self.states)}"


def lacks_id(row: Row) -> bool:
    """Whether a row has no id, in a store whose other rows have one; else SAVE-2 tells it."""
    return absent(row.id) and active().gives_ids


def _unlike(row: Row, state: Row) -> list[str]:
    return [name for name in FIELDS if name != "id" and getattr(row, name) != getattr(state, name)]


@dataclass(frozen=True)
class Mishap:
    """A row of which something else has become.

    Attributes:
        expected: What the clause promises.
        seen: What is there instead.
        user: Whose row it is, if it is known.
    """

    expected: str
    seen: str
    user: Any = None


def mishap_in(rows: Sequence[Row], fates: Sequence[Fate], nothing_else: str) -> Mishap | None:
    """Compare what is stored with what may have become of each row.

    Args:
        rows: All rows that are stored.
        fates: What may have become of the rows.
        nothing_else: What is promised of all other rows, in words.

    Returns:
        What is wrong with the first row that is lost, torn, or there twice; ``None`` where each row shows a
        state of its own, or the only row of a store with one slot a state of one that was saved.
    """
    mishap = _first_mishap(rows, fates, nothing_else)
    if mishap is None or not active().one_slot:
        return mishap
    saved = [fate for fate in fates if fate.new] or fates
    states = tuple(state for fate in saved for state in fate.states)
    the_last = replace(saved[0], states=states)
    return mishap if _first_mishap(rows, [the_last], nothing_else) else None


def _first_mishap(rows: Sequence[Row], fates: Sequence[Fate], nothing_else: str) -> Mishap | None:
    rest = list(rows)
    wrong = None
    for fate in fates:
        there = next((row for row in rest if fate.is_shown_by(row)), None)
        if there is not None:
            rest.remove(there)
        elif not fate.optional:
            wrong = wrong or fate
    if wrong is None and rest:
        wrong = next((fate for fate in fates if fate.is_near(rest[0])), None)
    if wrong is not None:
        return Mishap(wrong.promise, wrong.seen_in(rows), wrong.states[0].user_name)
    return Mishap(nothing_else, format_rows(rest)) if rest else None


def hold_to(
    fates: Sequence[Fate], rows: Sequence[Row], nothing_else: str, fail: Callable[[str, str], object]
) -> None:
    """Compare what is stored with what may have become of each row, and fail with the first mishap.

    Args:
        fates: What may have become of the rows.
        rows: All rows that are stored.
        nothing_else: What is promised of all other rows, in words.
        fail: Ends the check with what was expected, and what was seen.
    """
    if (mishap := mishap_in(rows, fates, nothing_else)) is not None:
        fail(mishap.expected, mishap.seen)


def fates_in_a_save(
    before: Sequence[Row], after: Sequence[Row], promise: Callable[[Row], str], nothing_else: str
) -> list[Fate]:
    """What may have become of rows in the middle of a save.

    Args:
        before: The rows as they were before it.
        after: The rows as it would leave them.
        promise: What the clause promises of a row from before, in words.
        nothing_else: What it promises of the others.

    Returns:
        The fates: each row is as before or as after.
    """
    new = [row for row in after if row not in before]
    fates = []
    for row in before:
        states = [row]
        if row not in after:
            alike = [one for one in new if one.id == row.id]
            alike += [one for one in new if one.user_name == row.user_name is not None]
            states += alike[:1]
            new = [one for one in new if one not in states]
        gone = states == [row] and row not in after
        fates.append(Fate(tuple(states), promise(row), optional=gone))
    return [*fates, *(Fate((one,), nothing_else, optional=True) for one in new)]


class TwinIds:
    """Which id here stands for which one at a twin location, where the same calls were made."""

    def __init__(self) -> None:
        self._ids: dict[Any, Any] = {}

    def translated(self, rows: Iterable[Row], here: Sequence[Row]) -> list[Row]:
        """Rows of the twin as they should read here.

        Args:
            rows: The rows of the twin.
            here: The rows that are here: one that is like a new row of the twin has the id that stands
                for that row's.

        Returns:
            The rows; an id for which none stands is ``None``.
        """
        rows = list(rows)
        for row in rows:
            if row.id not in self._ids:
                known, plain = [*self._ids.values()], row.but(id=None)
                like = (one for one in here if one.but(id=None) == plain and one.id not in known)
                new = [one.id for one in like if absent(one.id) == absent(row.id)]
                self._ids.update((row.id, id) for id in new[:1])
        return [row.but(id=self._ids.get(row.id)) for row in rows]


def without_own_id(rows: Sequence[Row]) -> str:
    """Which row has no id, or that of another one, in words; "" where each has its own."""
    for place, row in enumerate(rows):
        twin = next((other for other in rows[:place] if other.id == row.id), None)
        if lacks_id(row):
            return f"{format_row(row)} has none"
        if twin is not None and not absent(row.id):
            return f"{format_row(row)} and {format_row(twin)}"
    return ""


def rows_left(workspace: Workspace, location: Path, ids: Iterable[Any]) -> list[Row]:
    """Open a store and read all rows, also those with these ids that ``get_tokens`` fails to show.

    Args:
        workspace: The workspace of the check.
        location: Where the store is opened, and closed then.
        ids: Ids to ask for beside the list.

    Returns:
        The rows.
    """
    store = workspace.open(location)
    rows = rows_shown(store, ids)
    workspace.close(store)
    return rows


def rows_shown(store: StoreHandle, ids: Iterable[Any]) -> list[Row]:
    """Read all rows, also those with these ids that ``get_tokens`` fails to show.

    What is lost is lost by both ways of reading; a fault of one way alone is another clause's.

    Args:
        store: The open store.
        ids: Ids to ask for beside the list.

    Returns:
        The rows.
    """
    lists = True
    try:
        rows = store.listed()
    except Violation:
        lists, rows = False, []
    for id in dict.fromkeys(ids):
        if not absent(id) and all(row.id != id for row in rows):
            try:
                found = to_row(store.quietly("find_token_by_id", id).returned)
            except Exception:
                if not lists:
                    break  # nothing is readable: each further call may wait for a lock as long as the first
            else:
                rows += [found] if found.id == id else []  # another row is BYID-3's
    return rows
