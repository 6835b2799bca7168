"""Threads whose calls of a store meet, and go through its code line by line, each waiting for the others.

Threads that do the same do it at the same moments then: all read before one of them writes, unless a lock
of the store holds them back.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from .pause_points import PlaceTracer

_MEETING = 2.0
"""Seconds that a thread waits for the others to call the store, too: they may wait for it in the store."""
_STEP = 0.05
"""Seconds without a step after which a thread counts as held back, until it makes one."""

Answered = TypeVar("Answered")


class Lockstep:
    """Makes the calls of some threads meet."""

    def __init__(self, number: int) -> None:
        """Prepares for so many threads."""
        self._door = threading.Barrier(number, timeout=_MEETING)
        self._changed = threading.Condition()
        self._inside: set[int] = set()
        self._arrived: set[int] = set()
        self._held_back: set[int] = set()
        self._turn = 0

    def run(self, call: Callable[[], Answered]) -> Answered:
        """Make a call in this thread once each of the others is about to make one.

        Args:
            call: Calls the store.

        Returns:
            What the call returns.
        """
        with self._changed:
            self._inside.add(threading.get_ident())
        with contextlib.suppress(threading.BrokenBarrierError):
            self._door.wait()
        tracer = PlaceTracer(None, self._step, each=True)
        tracer.other = sys.gettrace()
        sys.settrace(tracer)
        try:
            return call()
        finally:
            sys.settrace(tracer.other)
            with self._changed:
                for threads in (self._inside, self._arrived, self._held_back):
                    threads.discard(threading.get_ident())
                self._go_on_if_all_are_here()

    def _step(self) -> None:
        """Wait until all others have come by a place, too, or are held back."""
        with self._changed:
            self._held_back.discard(threading.get_ident())
            self._arrived.add(threading.get_ident())
            turn = self._turn
            self._go_on_if_all_are_here()
            if not self._changed.wait_for(lambda: self._turn != turn, _STEP):
                self._held_back |= self._inside - self._arrived
                self._go_on_if_all_are_here()

    def _go_on_if_all_are_here(self) -> None:
        if self._inside <= self._arrived | self._held_back:
            self._arrived.clear()
            self._turn += 1
            self._changed.notify_all()
