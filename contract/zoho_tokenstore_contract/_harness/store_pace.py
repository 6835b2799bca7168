"""How quick a store is, seen from its calls: a slow one is asked less often where much is tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

QUICK = 0.001
"""A store whose calls take longer than this is slow (seconds for a call, the quickest of its kind)."""
LEAST_SHARE = 0.15
"""Even the slowest store is asked this share of what a quick one is."""
_METHODS = ("get_tokens", "save_token")
"""Those that reach the storage in each call that works; a lookup may be answered without it."""
_SURE = 3  # calls of a method: the first one connects, and others may have waited for a processor


class Pace:
    """The quickest call of each method so far.

    The quickest, because a busy machine makes many calls slow and no slow store quick.
    """

    def __init__(self) -> None:
        self._quickest = dict.fromkeys(_METHODS, (0, float("inf")))

    def took(self, method: str, seconds: float) -> None:
        """Take in how long one call took.

        Args:
            method: The method that was called.
            seconds: From its begin to its end.
        """
        seen = self._quickest.get(method)
        if seen is not None:
            self._quickest[method] = (seen[0] + 1, min(seen[1], seconds))

    @property
    def seconds(self) -> float:
        """Seconds for a call: the mean of the methods' quickest; 0.0 while too few calls were made."""
        known = [quickest for calls, quickest in self._quickest.values() if calls >= _SURE]
        return sum(known) / len(known) if known else 0.0

    @property
    def share(self) -> float:
        """Which share of the examples, rounds and places of a quick store is tried; 1.0 for a quick one."""
        seconds = self.seconds
        return 1.0 if seconds <= QUICK else max(LEAST_SHARE, QUICK / seconds)

    def affordable(self, number: int, least: int = 1) -> int:
        """How many of so many examples, rounds or places are tried.

        Args:
            number: How many a quick store is asked.
            least: How many every store is asked, where there are as many.
        """
        return min(number, max(least, round(number * self.share)))

    def in_turn(self, items: Sequence[T], turn: int) -> Sequence[T]:
        """Which of some items are tried in one of many turns.

        Args:
            items: All of them; a quick store is asked all of them in each turn.
            turn: The number of the turn. After some turns a slow store was asked each of them, too.
        """
        step = max(1, min(len(items), int(1 / self.share)))
        return items[turn % step :: step]
