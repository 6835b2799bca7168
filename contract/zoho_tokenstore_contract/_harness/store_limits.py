"""What a store with known faults can hold: checks of other clauses go around what is known to fail."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from .._spec.clause_results import Violation
from .._spec.tokens import Row, absent, to_token

T = TypeVar("T")

SPARE = 2
"""How many rows a check may add to a crowd, in a store with room for a few."""


@dataclass(frozen=True)
class Limits:
    """What a store cannot do, found out once. Each limit is a fault that one clause tells.

    Attributes:
        room: How many rows it holds; ``None`` for as many as there are. [VALUE-8]
        refused: Rows of kinds that it does not store. [SAVE-1, SAVE-20]
        apart: Rows of the crowd that it does not hold beside those before them. [SAVE-1]
        one_slot: One row is all that it holds: the next one takes its place. [SAVE-1]
        last_first: Of a crowd that has no room, the last rows are those that it holds. [VALUE-8]
        keeps: Of a user's row, it stores more than the name. [SAVE-1]
        characters: Characters that it cannot keep in a text. [VALUE-1]
        keeps_expired: A row stays once its access token has expired. [SAVE-22]
        across_clients: A user has one row, whichever client its tokens are of. [SAVE-4]
        clears: ``delete_tokens`` works. [CLEAR-1]
        deletes: ``delete_token`` works. [DEL-1]
        deletes_brought: It removes rows whose ids, which their tokens brought, are no numbers. [DEL-1]
        unfound: Rows of which ``find_token`` does not tell whether they are there. [FIND-1 to 4, FIND-6]
        knows_ids: ``find_token_by_id`` returns nothing for an id that no row has. [BYID-2]
        lists: ``get_tokens`` shows the rows of the crowd; else they are read by their ids. [LIST-1]
        reads_by_id: ``find_token_by_id`` gives the rows of the crowd; else ``find_token`` does. [BYID-1]
        lists_nothing: ``get_tokens`` shows that nothing is stored; rows it does show. [LIST-2]
        opens_empty: It opens again on a location where it left nothing. [PERSIST-1]
        counts_the_first: Its first rows get unlike ids; else they do where the first brings one. [SAVE-2]
        gives_ids: Its rows have ids. [SAVE-2]
        goes_on: It saves on beside a row whose id, which its token brought, is no number. [SAVE-3]
        in_threads: It works in other threads than the one that made it. [THREAD-1]
    """

    room: int | None = None
    refused: frozenset[Row] = frozenset()
    apart: frozenset[Row] = frozenset()
    one_slot: bool = False
    last_first: bool = False
    keeps: bool = True
    characters: frozenset[str] = frozenset()
    keeps_expired: bool = True
    across_clients: bool = True
    clears: bool = True
    deletes: bool = True
    deletes_brought: bool = True
    unfound: frozenset[Row] = frozenset()
    knows_ids: bool = True
    lists: bool = True
    reads_by_id: bool = True
    lists_nothing: bool = True
    opens_empty: bool = True
    counts_the_first: bool = True
    gives_ids: bool = True
    goes_on: bool = True
    in_threads: bool = True

    def beside(self, clause: str, *, arranging: bool = True) -> Limits:
        """The limits that are faults against other clauses than this one.

        Args:
            clause: The clause that is checked.
            arranging: The check failed while it arranged. Where it did not, the crowd was there, and which
                rows a save makes one, or a list leaves out, is what most clauses of these groups speak of.
        """
        group = clause.partition("-")[0]
        merges = clause != "SAVE-2" if group == "SAVE" else group == "LIST" and not self.one_slot
        crowd = self.apart if arranging or not merges else frozenset()
        if clause == "SAVE-1":
            crowd = frozenset()
        if not self.one_slot:
            crowd = frozenset(row for row in crowd if _clause_of(row) != clause)
        if clause == "SECRET-2":  # also what raises must not tell a secret
            return replace(self, refused=frozenset(), characters=frozenset()) if arranging else NO_LIMITS
        if group == "FLOW" and not arranging:  # what the SDK itself saves and deletes is what counts
            return replace(
                self, refused=frozenset(), apart=frozenset(), one_slot=False, clears=True, deletes=True
            )
        if group == "IFACE" and arranging:
            return replace(NO_LIMITS, apart=crowd, one_slot=self.one_slot)
        if group in ("IFACE", "MODEL"):  # here every call counts
            return NO_LIMITS
        return replace(
            self,
            room=None if clause == "VALUE-8" else self.room,
            refused=frozenset(row for row in self.refused if _clause_of(row) != clause),
            apart=crowd,
            one_slot=self.one_slot and bool(crowd),
            keeps=self.keeps or clause in ("SAVE-1", "SECRET-1"),
            characters=frozenset() if clause == "VALUE-1" else self.characters,
            keeps_expired=self.keeps_expired or clause == "SAVE-22",
            across_clients=self.across_clients or clause == "SAVE-4",
            clears=self.clears or clause == "CLEAR-1",
            deletes=self.deletes or clause in ("DEL-1", "DEL-4"),
            deletes_brought=self.deletes_brought or clause in ("DEL-1", "DEL-4"),
            unfound=frozenset() if clause in _HITS else self.unfound,
            knows_ids=self.knows_ids or group == "BYID",
            lists=self.lists or group not in _READ_BY_ID or clause == "SAVE-1",
            lists_nothing=self.lists_nothing or clause == "LIST-2",
            opens_empty=self.opens_empty or clause == "PERSIST-1",
            counts_the_first=self.counts_the_first or clause in ("SAVE-2", "VALUE-8"),
            gives_ids=self.gives_ids or clause in ("SAVE-2", "FLOW-4", "FLOW-8"),
            goes_on=self.goes_on or clause == "SAVE-3",
            in_threads=self.in_threads or group == "THREAD",
        )

    def blame(self, method: str, argument: object, stored: Collection[object]) -> str:
        """The clause that tells why a call raises, or deletes nothing; "" where no limit explains it.

        Args:
            method: The method that was called.
            argument: Its argument: a row for a token, `...` for none.
            stored: The ids of the rows that are stored.
        """
        if method == "delete_tokens":
            return "" if self.clears else "CLEAR-1"
        if isinstance(argument, Row) and self.spoils_a_field(argument):
            return "VALUE-1"
        if method == "save_token" and isinstance(argument, Row):
            if told := self.clause_against(argument):
                return told
            if not (self.goes_on or all(map(_is_number, stored))):
                return "SAVE-3"
            return "" if self.one_slot or self.fitting(1, _reached(stored)) else "VALUE-8"
        if argument not in stored and (self.gives_ids or not absent(argument)):
            return ""
        if method == "delete_token" and not (self.deletes and (self.deletes_brought or _is_number(argument))):
            return "DEL-1"
        return "VALUE-1" if self.spoils(argument) else ""

    def fitting(self, number: int, beside: int = 0) -> int:
        """How many of so many further rows the store holds beside those that are there.

        Args:
            number: How many rows a check would like to save.
            beside: How many there are.

        Returns:
            How many it can save.
        """
        return number if self.most is None else max(0, min(number, self.most - beside))

    @property
    def most(self) -> int | None:
        """How many rows it holds at once; ``None`` where no end was found."""
        return 1 if self.one_slot else self.room

    def refuses(self, row: Row) -> bool:
        """Whether a row is of a kind that the store does not store."""
        return any(kind_of(row) == kind_of(other) for other in self.refused)

    def finds(self, key: Row) -> bool:
        """Whether ``find_token`` tells by a key of this kind whether a row is there."""
        return all(kind_of(key) != kind_of(other) for other in self.unfound)

    def clause_against(self, row: Row) -> str:
        """The clause that tells that the store does not hold a row; "" where it does."""
        if self.refuses(row) or row in self.apart:
            return _clause_of(row)
        return "SAVE-22" if self.sweeps(row) else "VALUE-1" if self.spoils_a_field(row) else ""

    def merges(self, row: object) -> bool:
        """Whether the store makes a row of this kind one with others, or has one slot for all."""
        alike = isinstance(row, Row) and any(kind_of(row) == kind_of(other) for other in self.apart)
        return alike or self.one_slot

    def sweeps(self, row: Row) -> bool:
        """Whether the store removes a row because its access token has expired."""
        expiry = row.plain().expires_in
        return not self.keeps_expired and _is_number(expiry) and int(expiry) < time.time() * 1000

    def spoils(self, text: object) -> bool:
        """Whether a text has a character that the store cannot keep."""
        return isinstance(text, str) and not self.characters.isdisjoint(text)

    def spoils_a_field(self, row: Row) -> bool:
        """Whether a field of a row has such a character."""
        return any(map(self.spoils, row.present().values()))


_ACCESS_WITH_CLIENT = frozenset(("client_id", "client_secret", "access_token"))
_READ_BY_ID = ("SAVE", "FIND", "BYID", "DEL", "CLEAR", "VALUE", "PERSIST", "ISO")
"""Groups whose checks save each row themselves, so that its id is known; the others list."""
_HITS = ("FIND-1", "FIND-2", "FIND-3", "FIND-4", "FIND-5")
"""Clauses of `find_token` that speak of what it finds."""
NO_LIMITS = Limits()
_active: list[Limits] = [NO_LIMITS]
_FIRST_IDS = itertools.count(1_000_000, 10_000)
"""Ids that first rows bring: none is brought or, by a store that counts on from it, given twice."""


def active() -> Limits:
    """The limits that checks keep to at the moment."""
    return _active[-1]


@contextmanager
def keeping_to(limits: Limits) -> Iterator[None]:
    """Have pools show, and workspaces do, only what a store with these limits can hold."""
    _active.append(limits)
    try:
        yield
    finally:
        _active.pop()


@contextmanager
def going_around() -> Iterator[None]:
    """One case of several: where a known fault stands in its way, the others go on."""
    try:
        yield
    except Violation as violation:
        if not violation.blame:
            raise


class Pool(Sequence[T]):
    """Sample rows or texts, of which a store with limits sees those that it can hold.

    A crowd, a pool that is stored as a whole, also leaves room for the rows that a check adds.
    """

    def __init__(self, items: Iterable[T], *, crowd: Sequence[T] | None = None) -> None:
        """Make a pool.

        Args:
            items: All rows or texts.
            crowd: The rows in the order in which a store with little room is given them; by default
                only kinds and characters count.
        """
        self._items = tuple(items)
        self._crowd = crowd

    def _shown(self) -> tuple[T, ...]:
        limits = active()
        if limits == NO_LIMITS:
            return self._items
        first = self._first(limits)
        return tuple(item for item in self._items if (first is None or item in first) and _fits(item, limits))

    def _first(self, limits: Limits) -> Sequence[T] | None:
        if self._crowd is None or not limits.most:
            return None
        fitting = [item for item in self._crowd if _fits(item, limits)]
        return fitting[:: -1 if limits.last_first else 1][: max(1, limits.most - SPARE)]

    def __len__(self) -> int:
        return len(self._shown())

    def __iter__(self) -> Iterator[T]:
        return iter(self._shown())

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        shown = self._shown()
        if isinstance(place, int) and not -len(shown) <= place < len(shown) and len(shown) < len(self._items):
            raise _beyond(f"{place + 1 if place >= 0 else -place} rows", "")
        return shown[place]

    def index(self, item: object, start: int = 0, stop: int | None = None) -> int:
        """The place of an item; where the store cannot hold it, that ends the check.

        Args:
            item: What is looked for.
            start: The place at which the search begins.
            stop: The place before which it ends.

        Returns:
            The place.
        """
        shown = self._shown()
        if item in self._items and item not in shown:
            raise _beyond(str(item), _clause_against(item))
        return shown.index(item, start, len(shown) if stop is None else stop)


def _beyond(needed: str, clause: str) -> Violation:
    """What a check needs is more than the store is known to hold."""
    limits = active()
    blame = clause or (
        "VALUE-8" if limits.room is not None else "SAVE-1" if limits.refused or limits.apart else "VALUE-1"
    )
    return Violation(
        expected=f"the store holds {needed}",
        seen=f"it does not: {blame}",
        precondition_failed=True,
        blame=blame,
    )


def _clause_against(item: object) -> str:
    """The clause that tells why the store cannot hold an item by itself; "" for want of room."""
    if isinstance(item, Row):
        return active().clause_against(item)
    return "VALUE-1" if active().spoils(item) else ""


def first_with_an_id(rows: Sequence[Row]) -> Sequence[Row]:
    """Rows that are about to be saved into an empty store.

    Args:
        rows: The rows, without ids.

    Returns:
        The same; the first brings an id where the store gives none, or unlike ones only then.
    """
    limits = active()
    if (limits.counts_the_first and limits.gives_ids) or not rows or rows[0].id is not None:
        return rows
    return [rows[0].but(id=f"{next(_FIRST_IDS)}"), *rows[1:]]


def way_to_read(id: Any, *, by_id: bool | None = None) -> tuple[str, Any]:
    """The method that reads the row with an id where the list cannot be read, and its argument.

    Args:
        id: The id.
        by_id: It is `find_token_by_id`; by default where that gives the rows of the crowd.
    """
    by_id = active().reads_by_id if by_id is None else by_id
    return ("find_token_by_id", id) if by_id else ("find_token", to_token(Row(id=id)))


def batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows in as many batches as a store with limits needs for them; all at once for every other store.

    Args:
        rows: The rows; those that the store cannot hold are left out.
    """
    fitting = list(Pool(rows))
    size = active().most or len(fitting)
    for start in range(0, len(fitting), max(1, size)):
        yield fitting[start : start + size]


def _fits(item: object, limits: Limits) -> bool:
    return not (limits.clause_against(item) if isinstance(item, Row) else limits.spoils(item))


def company(*items: T, least: int = 0) -> Sequence[T]:
    """Rows, or users, that are there beside those that a check speaks of.

    Args:
        items: The others, the most telling first.
        least: How many of them a check cannot do without.

    Returns:
        No more than that where the store has one slot; and none that a check can do without where it takes
        one token for another.
    """
    limits = active()
    alone = limits.one_slot or (limits.unfound and not least)
    return items[:least] if alone else items


def _is_number(id: object) -> bool:
    return isinstance(id, str) and id.isdecimal()


def _reached(ids: Collection[object]) -> int:
    """How far a store that counts has come: to so many rows, or to the greatest number that a row brought."""
    return max([len(ids), *(int(id) for id in ids if isinstance(id, str) and id.isdecimal())])


def _clause_of(row: Row) -> str:
    """The clause that tells that a row of this kind is not stored."""
    return "SAVE-20" if kind_of(row) == _ACCESS_WITH_CLIENT else "SAVE-1"


def kind_of(row: Row) -> frozenset[str]:
    """What makes the kind of a row: that it has a user, or else which of its keys and client fields.

    Args:
        row: The row.

    Returns:
        The names of the fields that make it.
    """
    present = row.present()
    if "user_name" in present:
        return frozenset(("user_name",))
    return frozenset(present) & {"client_id", "client_secret", "grant_token", "refresh_token", "access_token"}
