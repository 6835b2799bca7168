"""A process that is forked from this one, as an object like that of `subprocess`."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable

_POLL = 0.01  # seconds between two looks whether it has ended


class ForkedProcess:
    """A process that runs one function and ends; in a session of its own, so that Ctrl-C is not for it.

    Attributes:
        pid: Its process id.
        status: How it ended, as `subprocess` has it; ``None`` while that is not known.
    """

    def __init__(self, live: Callable[[], None]) -> None:
        """Forks it.

        Args:
            live: What it does. What this raises is printed, and its status is then 1.
        """
        self.status: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                atexit._clear()  # what this process has to do at its end is not the other's
                os.setsid()
                nothing = os.open(os.devnull, os.O_RDWR)
                os.dup2(nothing, 0)
                os.close(nothing)
                live()
                _end_as_an_interpreter()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(Exception):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(status)

    def poll(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Args:
            timeout: For how many seconds at most.

        Returns:
            How it ended: its status, or the number of the signal that ended it with a minus.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if until is None:
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            elif time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            else:
                time.sleep(_POLL)
        assert self.status is not None
        return self.status

    def send(self, number: int) -> None:
        """Send it a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, with the processes that it has left."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has no group of its own yet
                os.killpg(self.pid, signal.SIGKILL)
        self.send(signal.SIGKILL)


def _end_as_an_interpreter() -> None:
    """Do what Python does at its end: wait for threads, and call what was registered since the fork."""
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
