"""Threads that a store has do its work, as those of a pool: they are traced with the call they work for."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

Tracer = Callable[[FrameType, str, Any], Any]

_tracer: Tracer | None = None
_followed: dict[int, int] = {}
"""The threads that are followed: the system's number of each by Python's."""
_here = threading.local()


class OwnThread(threading.Thread):
    """A thread of the kit's own, which is not followed."""


@contextlib.contextmanager
def following_threads() -> Iterator[None]:
    """Follow the threads that are started meanwhile, unless a debugger or a coverage tool traces them."""
    follows = threading.gettrace() is None
    if follows:
        threading.settrace(_follow)
    try:
        yield
    finally:
        if follows:
            threading.settrace(None)


def trace_followed(tracer: Tracer | None) -> None:
    """Have a trace function see what the followed threads do from now on.

    Args:
        tracer: The trace function; ``None`` for none.
    """
    global _tracer  # noqa: PLW0603 (a trace function belongs to the process)
    _tracer = tracer


def forget_followed() -> None:
    """Another store is opened: a thread counts again once it does something.

    Stores that leave a thread behind may be many, and each look at a thread costs.
    """
    _followed.clear()


def other_followed() -> list[int]:
    """The system's numbers of the followed threads, but of the one that asks."""
    return [number for ident, number in list(_followed.items()) if ident != threading.get_ident()]


def _follow(frame: FrameType, event: str, arg: Any) -> Any:
    if not hasattr(_here, "is_followed"):
        if isinstance(threading.current_thread(), OwnThread):
            sys.settrace(None)
            return None
        _here.is_followed = True
    _followed[threading.get_ident()] = threading.get_native_id()
    return None if _tracer is None else _tracer(frame, event, arg)
