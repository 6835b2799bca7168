"""A watchdog over calls that never come back: it interrupts the main thread with a real signal."""

from __future__ import annotations

import signal
import threading
import time


class Watchdog:
    """Watches the call that a workspace waits for, from a thread of its own.

    A real signal is what interrupts a lock or a sleep in the main thread. Where the workspace is not used
    in the main thread, or the system has no `signal.pthread_kill`, nothing is watched.

    Attributes:
        limit: After how many seconds a call counts as one that never comes back.
        hung: The method that did not come back, or "" while none is known.
        waiting: The method that is being called, and when the call began (seconds, monotonic clock).
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.hung = ""
        self.waiting: tuple[str, float] | None = None
        self._watches = threading.current_thread() is threading.main_thread() and hasattr(
            signal, "pthread_kill"
        )
        self._main = threading.get_ident()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._was_ignored = False

    def start(self) -> None:
        """Begin to watch."""
        if not self._watches:
            return
        self._was_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        if self._was_ignored:
            # A shell that starts a command with `&` has it ignore the signal; only the watchdog's one counts.
            signal.signal(signal.SIGINT, self._interrupt)
        self._thread = threading.Thread(target=self._watch, name="tokenstore-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching; a second call does nothing."""
        if self._thread is None:
            return
        self._done.set()
        self._thread.join()
        self._thread = None
        if self._was_ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _watch(self) -> None:
        while not self._done.wait(min(0.5, self.limit)):
            waiting = self.waiting
            if waiting is not None and time.monotonic() - waiting[1] > self.limit:
                self.hung = waiting[0]
                signal.pthread_kill(self._main, signal.SIGINT)
                return

    def _interrupt(self, *_: object) -> None:
        if self.hung:
            raise KeyboardInterrupt
