"""A call that comes back twice: in this process, and in one that the store has forked and does not end."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable
from typing import Any

from .exit_guard import end_process

_PATIENCE = 1.0  # seconds; a process that comes back does so at once


class ForkedCopies:
    """Ends processes that come back out of a call, and remembers the call. One for each store under test.

    Such a process is a copy of the whole run. A pipe that is made at each fork in a call tells this process
    of it: the copy writes, and a process that ends in the store closes it. One that goes on, as a worker of
    the store does, is waited for once, and then no more.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._in_call: Callable[[], str] = str
        self._patience = _PATIENCE
        self._lines: list[tuple[str, int]] = []
        self._to_origin = -1
        self._pipe: tuple[int, int] | None = None

    def watch(self, in_call: Callable[[], str]) -> None:
        """Begin to watch, in this process.

        Args:
            in_call: The method of the store that is being called; "" for none.
        """
        self._process = os.getpid()
        self._in_call = in_call
        _watching.append(self)

    def end_if_copy(self, method: str, say: Callable[[str], None]) -> None:
        """End this process where it is a copy.

        Args:
            method: What has come back.
            say: Tells it on standard error.
        """
        if os.getpid() == self._process:
            return
        with contextlib.suppress(OSError):
            os.write(self._to_origin, b"!")
        say(
            f"\ntokenstore: {method} came back a second time, in a process that the store has forked; "
            "that process was ended\n"
        )
        end_process(1)

    def stop(self) -> str:
        """End the watching.

        Returns:
            The method that came back in another process, too; "" where none did.
        """
        if self in _watching:
            _watching.remove(self)
        came_back = ""
        for method, line in self._lines:
            ready, _, _ = select.select([line], [], [], self._patience)
            if not ready:
                self._patience = 0
            elif os.read(line, 1):
                came_back = came_back or method
            os.close(line)
        self._lines.clear()
        return came_back

    def before_fork(self) -> None:
        """Make a pipe, where a method of the store is being called."""
        self._pipe = os.pipe() if self._in_call() else None

    def after_in_parent(self) -> None:
        """Keep the end that is read from."""
        if self._pipe is not None:
            reads, writes = self._pipe
            os.close(writes)
            self._lines.append((self._in_call(), reads))
            self._pipe = None

    def after_in_child(self) -> None:
        """Keep the end that is written to."""
        if self._pipe is not None:
            reads, self._to_origin = self._pipe
            os.close(reads)
            self._pipe = None


_watching: list[ForkedCopies] = []


def _tell(hook: str) -> Callable[[], Any]:
    return lambda: getattr(_watching[-1], hook)() if _watching else None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_tell("before_fork"),
        after_in_parent=_tell("after_in_parent"),
        after_in_child=_tell("after_in_child"),
    )
