"""A gate before Zoho's answers: it opens when every thread has asked, or is not going to."""

from __future__ import annotations

import threading
import time

from .sdk_session import Flow


class Gate:
    """Holds back Zoho's answers until every thread has asked, or is not going to.

    A thread that has neither asked nor ended waits in the store, if it does so for good. Whether it
    does, only time can tell: so the answers come when nothing at all has happened for a while. A
    store that lets each thread ask for itself never gets there, and is not judged by time.
    """

    QUIET = 0.4
    LIMIT = 10.0

    def __init__(self, flow: Flow, threads: int) -> None:
        """A closed gate.

        Args:
            flow: The SDK at work.
            threads: How many threads there are.
        """
        self._flow = flow
        self._threads = threads
        self._opened = threading.Event()
        self._asked = 0
        self._lock = threading.Lock()
        self._state: object = None
        self._since = time.monotonic()

    def wait(self) -> None:
        """Called by the server for each token request."""
        with self._lock:
            self._asked += 1
        self._opened.wait(self.LIMIT)

    def look(self, ended: set[str]) -> None:
        """Called by the check now and then: open where it is time.

        Args:
            ended: The names of the threads that have ended.
        """
        done = self._asked + len(ended)
        inside = len(self._flow.recorder.inside)
        state = (done, inside, len(self._flow.workspace.calls))
        if state != self._state:
            self._state, self._since = state, time.monotonic()
        quiet = time.monotonic() - self._since > self.QUIET
        if done == self._threads or (quiet and done + inside == self._threads):
            self.open()

    def open(self) -> None:
        """Let everybody pass from now on."""
        self._opened.set()
