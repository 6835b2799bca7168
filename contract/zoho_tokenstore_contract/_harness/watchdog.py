"""A watchdog over calls that never come back: it interrupts the main thread with a real signal."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from .exit_guard import end_process

_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What ends a process, and would leave its files behind."""
_GRACE = 5.0  # seconds that a call gets to come back when the process is asked to end


class Watchdog:
    """Watches the call that a workspace waits for, from a thread of its own.

    A real signal is what interrupts a lock or a sleep in the main thread. A call that swallows it is given
    the limit once more; then the process ends with a word and status 1. A process that is asked to end
    (SIGTERM, SIGHUP) does so when the workspace has removed its files; so does a worker of pytest-xdist
    whose master has ended. Where the workspace is not used in the
    main thread, or the system has no `signal.pthread_kill`, nothing is watched.

    It also knows whether a `KeyboardInterrupt` comes from a signal, or the store itself has raised it.

    Attributes:
        limit: After how many seconds a call counts as one that never comes back.
        hung: The method that did not come back, or "" while none is known.
        waiting: The method that is being called, and when the call began (seconds, monotonic clock).
        closing: The workspace is removing its files: a signal that ends the process waits for that.
    """

    def __init__(self, limit: float, clean: Callable[[], None], *, notice: float = math.inf) -> None:
        """Prepares to watch.

        Args:
            limit: After how many seconds a call counts as one that never comes back.
            clean: Removes the files of the workspace; called from any thread before the process ends.
            notice: After how many seconds standard error says what takes long.
        """
        self.limit = limit
        self.hung = ""
        self.waiting: tuple[str, float] | None = None
        self.closing = False
        self._clean = clean
        self._notice = notice
        self._watches = threading.current_thread() is threading.main_thread() and hasattr(
            signal, "pthread_kill"
        )
        self._main = threading.get_ident()
        # A worker of pytest-xdist serves the process that started it, and ends with that one.
        self._master = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else 0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._on_interrupt: Any = None
        self._noted = False
        self._replaced: list[int] = []
        self._ending = 0
        self._asked_at = 0.0

    @staticmethod
    def say(text: str) -> None:
        """Write the last words of a process to standard error; the plugin makes pytest show them."""
        with contextlib.suppress(OSError):
            os.write(2, text.encode(errors="backslashreplace"))

    @property
    def interrupts(self) -> bool:
        """Whether it has interrupted the main thread, or a signal has: what a call returned is void."""
        return bool(self.hung or self._ending)

    def is_of_the_store(self, error: BaseException | None) -> bool:
        """Whether it is a `KeyboardInterrupt` that no signal has raised, so that nobody asked for it.

        Args:
            error: What was raised, if anything.
        """
        if not isinstance(error, KeyboardInterrupt) or self.interrupts or self._noted:
            return False
        # Python runs the handlers of signals in the main thread.
        return self._on_interrupt is not None or threading.current_thread() is not threading.main_thread()

    @property
    def method(self) -> str:
        """What is being called; "" for nothing."""
        waiting = self.waiting
        return waiting[0] if waiting else ""

    def came_back(self, outer: tuple[str, float] | None) -> None:
        """A call has come back. Where the store has reset a signal that ends the process, take it back.

        Args:
            outer: What is waited for from now on.
        """
        self.waiting = outer
        for ending in self._replaced:
            if signal.getsignal(ending) is signal.SIG_DFL:
                signal.signal(ending, self._end)

    def start(self) -> None:
        """Begin to watch."""
        if not self._watches:
            return
        before = signal.getsignal(signal.SIGINT)
        if callable(before) or before is signal.SIG_IGN:
            self._on_interrupt = before
            signal.signal(signal.SIGINT, self._interrupt)
        for ending in _ENDINGS:
            if signal.getsignal(ending) is signal.SIG_DFL:
                signal.signal(ending, self._end)
                self._replaced.append(ending)
        self._thread = threading.Thread(target=self._watch, name="tokenstore-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching; a second call does nothing. Ends the process where that was asked for."""
        if self._thread is None:
            return
        self._done.set()
        self._thread.join()
        self._thread = None
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, self._on_interrupt)
        while self._replaced:
            signal.signal(self._replaced.pop(), signal.SIG_DFL)
        if self._ending:
            os.kill(os.getpid(), self._ending)

    def _watch(self) -> None:
        while not self._done.wait(min(0.5, self.limit)):
            waiting, now = self.waiting, time.monotonic()
            if self._master and os.getppid() != self._master and not self._ending and self._replaced:
                signal.pthread_kill(self._main, self._replaced[0])
            if self._ending and now - self._asked_at > _GRACE:
                self._give_up(waiting[0] if waiting else "the kit", "was asked to end", 128 + self._ending)
            if waiting is not None and now - waiting[1] > self._notice:
                self.say(f"\ntokenstore: {waiting[0]} has taken more than {self._notice:g} s\n")
                self._notice = math.inf
            if waiting is None or now - waiting[1] <= self.limit:
                continue
            if not self.hung:
                self.hung = waiting[0]
                signal.pthread_kill(self._main, signal.SIGINT)
            elif now - waiting[1] > 2 * self.limit:
                self._give_up(waiting[0], f"was interrupted after {self.limit:g} seconds", 1)

    def _give_up(self, method: str, what: str, status: int) -> NoReturn:
        """End the process: a call ignores that it was interrupted."""
        self.say(
            f"\ntokenstore: {method} {what} and does not come back; the run ends here, without a verdict\n"
        )
        self._clean()
        end_process(status)

    def _interrupt(self, number: int, frame: object) -> None:
        # A shell that starts a command with `&` has it ignore the signal; only the watchdog's one counts.
        ignored = self._on_interrupt is signal.SIG_IGN
        self._noted = self._noted or not ignored
        if self.hung:
            raise KeyboardInterrupt
        if not ignored:
            self._on_interrupt(number, frame)

    def _end(self, ending: int, _: object) -> None:
        """The process is asked to end: first the workspace removes its files."""
        self._ending, self._asked_at = ending, time.monotonic()
        if not self.closing:
            raise KeyboardInterrupt
