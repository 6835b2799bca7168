"""A thread that talks to the database for others, on a connection of its own.

Django gives each thread a connection. In the caller's own thread four things would go wrong:

- Where an event loop runs, Django refuses to talk to the database at all [IFACE-2].
- Inside the caller's ``atomic`` block (or with ``ATOMIC_REQUESTS``) a save would be undone when the view
  fails later. Zoho's answer, which comes once, would be lost.
- An exception from a signal handler, such as Celery's soft time limit, could come in the middle of a
  statement, and its answer would then be taken for that of the next one [CRASH-6]. Handlers run in the
  main thread alone.
- A connection that the caller broke or closed would break the store.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")
_Calls = SimpleQueue[Any]  # pairs of a call and the queue for its answer; None ends the thread


class Worker:
    """Makes calls, one after another, in a thread that starts with the first of them.

    Args:
        using: The alias of the database, whose connection the thread closes when it ends.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._pid = 0  # of the process that the thread is in
        _WORKERS.add(self)

    def do(self, call: Callable[[], T]) -> T:
        """Make a call and wait for it.

        If the waiting is interrupted, a call that has not begun is not made, and one that has begun is
        finished first: when the exception comes out, nothing of the call is still to come [CRASH-6].

        Returns:
            What it returned.

        Raises:
            Exception: What it raised, without the frames of the thread, which hold secrets [SECRET-2].
        """
        # These queues, and no locks: a signal handler may call in the middle of another call.
        answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        try:
            if self._pid != os.getpid():  # the first call, or the first one after a fork
                self._start()
            self._calls.put((call, answers))
            result, error = answers.get()
        except BaseException:
            answers.put((None, None))  # a call that has its answer is not made any more
            self.pause()()
            raise
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the thread's connection. A later call opens another one."""
        self.pause()()

    def pause(self) -> Callable[[], None]:
        """Wait until no call is being made, and close the connection.

        Returns:
            What makes the thread go on. Until then, calls wait.
        """
        if self._pid != os.getpid():
            return lambda: None
        paused: SimpleQueue[None] = SimpleQueue()
        resumed: SimpleQueue[None] = SimpleQueue()

        def rest() -> None:
            connections[self._using].close()
            paused.put(None)
            resumed.get()

        self._calls.put((rest, SimpleQueue()))
        paused.get()
        return lambda: resumed.put(None)

    def _start(self) -> None:
        self._calls: _Calls = SimpleQueue()
        # The thread ends when no caller is left, and not before: others would wait for ever.
        weakref.finalize(self, self._calls.put, None).atexit = False
        threading.Thread(target=_work, args=(self._using, self._calls), daemon=True).start()
        self._pid = os.getpid()


def _work(using: str, calls: _Calls) -> None:
    while (todo := calls.get()) is not None:
        call, answers = todo
        try:
            if answers.empty():
                answers.put((call(), None))
        except BaseException as error:
            answers.put((None, _without_frames(error)))
        del todo, call, answers  # they hold secrets, and the next call may be hours away
    connections[using].close()


def _without_frames(error: BaseException) -> BaseException:
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error


# ---------------------------------------------------------------------------------------------
# Forks. A connection that two processes share breaks for both, so none is open while a process forks.

_WORKERS: weakref.WeakSet[Worker] = weakref.WeakSet()
_FORKING = threading.RLock()
_RESUME: list[Callable[[], None]] = []


def _before_fork() -> None:
    _FORKING.acquire()
    _RESUME.extend([worker.pause() for worker in list(_WORKERS)])


def _after_in_parent() -> None:
    while _RESUME:
        _RESUME.pop()()
    _FORKING.release()


def _after_in_child() -> None:
    global _FORKING  # noqa: PLW0603 (the parent's lock is held, and by a thread that is not here)
    _FORKING = threading.RLock()
    _RESUME.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
