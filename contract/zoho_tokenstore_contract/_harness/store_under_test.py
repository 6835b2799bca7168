"""The store under test: how it is opened and closed, and what its author declares of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .forked_copies import ForkedCopies
from .store_limits import Limits
from .store_pace import Pace
from .store_source import StoreSource


@dataclass
class StoreUnderTest:
    """A store under test.

    What a store is, is declared and never guessed.

    Attributes:
        target: Its name in reports.
        open: Opens the store on the directory that is passed.
        close: Closes an open store.
        persistent: Opening the same location again means the same rows.
        thread_safe: One store object may be used by several threads.
        own_storage: Each location has storage of its own; else the kit empties it between checks.
        disposable: Whatever the storage holds may be lost: the kit writes to it also where it cannot see
            that it is empty.
        allowed: Clause id to the reason why this store may break it.
        strict: SHOULD counts as MUST.
        in_location: The location is the current directory while the store is made and used.
        break_storage: Puts the storage of an open store out of reach, where its author says how.
        mend_storage: Puts it in reach again, where its author says how.
        source: Where another process can import what opens the store.
        saved: Every credential and user name that the kit gave to this store: rows that hold
            none of them are somebody else's.
        refusal: Why nothing more is done with this store; "" while it may be checked.
        found_empty: A new location was found empty, so rows on a later one come from a shared storage.
        shown: After a save, a list was seen to hold nobody else's rows.
        proven_in_children: The state of contract classes, and the surroundings, with which another process
            was seen to open the storage that the kit means.
        limits: What it cannot do, once a check has failed and somebody has found out.
        hangs: What never came back so far: a call, as ``save_token``, or the calls that hold each
            other, as ``save_token and delete_token``.
        pace: How quick it has been so far.
        is_large: Too many objects belong to it for the kit to look at, as those of a database's library.
        calls: How many of its methods were called in this process.
        copies: Ends processes that come back out of its calls.
    """

    target: str
    open: Callable[[Path], Any]
    close: Callable[[Any], None]
    source: StoreSource
    persistent: bool = True
    thread_safe: bool = True
    own_storage: bool = True
    disposable: bool = False
    allowed: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    in_location: bool = False
    break_storage: Callable[[Any, Path], None] | None = None
    mend_storage: Callable[[Any, Path], None] | None = None
    saved: set[Any] = field(default_factory=set)
    refusal: str = ""
    found_empty: bool = False
    shown: bool = False
    proven_in_children: set[str] = field(default_factory=set)
    hangs: list[str] = field(default_factory=list)
    limits: Limits | None = None
    pace: Pace = field(default_factory=Pace)
    is_large: bool = False
    calls: int = 0
    copies: ForkedCopies = field(default_factory=ForkedCopies)


def close_by_default(store: Any) -> None:
    """Call ``store.close()`` where the store has one."""
    close = getattr(store, "close", None)
    if callable(close):
        close()
