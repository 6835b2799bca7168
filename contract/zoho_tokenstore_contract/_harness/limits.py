"""What a store with known faults can hold: checks of other clauses go around what is known to fail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar, overload

from .._spec.outcomes import Violation
from .._spec.tokens import Row

T = TypeVar("T")

SPARE = 2
"""How many rows a check may add to a crowd, in a store with room for a few."""


@dataclass(frozen=True)
class Limits:
    """What a store cannot do, found out once. Each limit is a fault that one clause tells.

    Attributes:
        room: How many rows it holds; ``None`` for as many as there are. [VALUE-8]
        refused: Rows of kinds that it does not store. [SAVE-1, SAVE-20]
        characters: Characters that it cannot keep in a text. [VALUE-1]
        clears: ``delete_tokens`` works. [CLEAR-1]
        deletes: ``delete_token`` works. [DEL-1]
        opens_empty: It opens again on a location where it left nothing. [PERSIST-1]
    """

    room: int | None = None
    refused: frozenset[Row] = frozenset()
    characters: frozenset[str] = frozenset()
    clears: bool = True
    deletes: bool = True
    opens_empty: bool = True

    def beside(self, clause: str) -> Limits:
        """The limits that are faults against other clauses than this one."""
        group = clause.partition("-")[0]
        if group in ("IFACE", "MODEL", "FLOW"):
            # Here every call counts; and the SDK swallows whatever ends a check in the middle of saving.
            return NO_LIMITS
        return replace(
            self,
            room=None if clause == "VALUE-8" else self.room,
            refused=frozenset(row for row in self.refused if _clause_of(row) != clause),
            characters=frozenset() if clause == "VALUE-1" else self.characters,
            clears=self.clears or clause == "CLEAR-1",
            deletes=self.deletes or clause == "DEL-1",
            opens_empty=self.opens_empty or clause == "PERSIST-1",
        )

    def blame(self, method: str, argument: object, stored: Collection[object]) -> str:
        """The clause that tells why a call raises; "" where no limit explains it.

        Args:
            method: The method that raised.
            argument: Its argument: a row for a token, `...` for none.
            stored: The ids of the rows that are stored.
        """
        if method == "delete_tokens":
            return "" if self.clears else "CLEAR-1"
        if isinstance(argument, Row) and self.spoils_a_field(argument):
            return "VALUE-1"
        if method == "save_token" and isinstance(argument, Row):
            if self.refuses(argument):
                return _clause_of(argument)
            return "" if self.fitting(1, len(stored)) else "VALUE-8"
        if method == "delete_token" and not self.deletes and argument in stored:
            return "DEL-1"
        return "VALUE-1" if self.spoils(argument) else ""

    def fitting(self, number: int, beside: int = 0) -> int:
        """How many of so many further rows the store holds beside those that are there."""
        return number if self.room is None else max(0, min(number, self.room - beside))

    def refuses(self, row: Row) -> bool:
        """Whether a row is of a kind that the store does not store."""
        return any(_fields(row) == _fields(other) for other in self.refused)

    def spoils(self, text: object) -> bool:
        """Whether a text has a character that the store cannot keep."""
        return isinstance(text, str) and not self.characters.isdisjoint(text)

    def spoils_a_field(self, row: Row) -> bool:
        """Whether a field of a row has such a character."""
        return any(map(self.spoils, row.present().values()))


_ACCESS_WITH_CLIENT = frozenset(("client_id", "client_secret", "access_token"))
NO_LIMITS = Limits()
_active: list[Limits] = [NO_LIMITS]


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
        if self._crowd is None or limits.room is None:
            return None
        fitting = [item for item in self._crowd if _fits(item, limits)]
        return fitting[: max(1, limits.room - SPARE)]

    def __len__(self) -> int:
        return len(self._shown())

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        return self._shown()[place]


def batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows in as many batches as a store with limits needs for them; all at once for every other store.

    Args:
        rows: The rows; those that the store cannot hold are left out.
    """
    fitting = list(Pool(rows))
    size = active().room or len(fitting)
    for start in range(0, len(fitting), max(1, size)):
        yield fitting[start : start + size]


def _fits(item: object, limits: Limits) -> bool:
    if isinstance(item, Row):
        return not limits.refuses(item) and not limits.spoils_a_field(item)
    return not limits.spoils(item)


def _clause_of(row: Row) -> str:
    """The clause that tells that a row of this kind is not stored."""
    return "SAVE-20" if _fields(row) == _ACCESS_WITH_CLIENT else "SAVE-1"


def _fields(row: Row) -> frozenset[str]:
    """What makes the kind of a row: that it has a user, or else which of its keys and client fields."""
    present = row.present()
    if "user_name" in present:
        return frozenset(("user_name",))
    return frozenset(present) & {"client_id", "client_secret", "grant_token", "refresh_token", "access_token"}
