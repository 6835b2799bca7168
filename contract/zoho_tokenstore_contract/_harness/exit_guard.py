"""A store that ends the process: ``os._exit`` raises meanwhile, so that no run ends as a success."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, NoReturn

_end = os._exit
_MODULES: tuple[Any, ...] = (os, importlib.import_module(os.name))
"""``os`` has the function from ``posix`` or ``nt``, where stores find it, too."""


class ProcessEndGuard:
    """Used as a context manager, it has ``os._exit`` raise `SystemExit` in this process; it can be nested.

    A process that the store forks ends as ever. What ends a process from C, or becomes another program
    (``os.execv``), is not seen.

    Attributes:
        seen: What the store called first, as ``os._exit(0)``; "" while it did not.
    """

    def __init__(self, *, successes: bool = False) -> None:
        """Prepares to guard.

        Args:
            successes: Let through what ends the process with another status than 0: outside the calls of a
                store it may be a plugin's, and nobody takes it for a success.
        """
        self.seen = ""
        self.process = 0
        self._successes = successes

    def __enter__(self) -> ProcessEndGuard:  # noqa: PYI034 (Self needs Python 3.11)
        self.process = os.getpid()
        _guards.append(self)
        _end_by(_raise_instead)
        return self

    def __exit__(self, *_: object) -> None:
        _guards.remove(self)
        if not _guards:
            _end_by(_end)

    def stops(self, status: int) -> bool:
        """Whether it keeps this process from ending.

        Args:
            status: The status to end with.
        """
        return self.process == os.getpid() and not (self._successes and status & 0xFF)


_guards: list[ProcessEndGuard] = []


def _end_by(function: Callable[[int], NoReturn]) -> None:
    for module in _MODULES:
        module._exit = function


def end_process(status: int) -> NoReturn:
    """End this process at once, as ``os._exit`` does.

    Args:
        status: Its exit status.
    """
    _end(status)


def ended_outside_calls() -> str:
    """What a store has called to end the process as a success, outside its methods; "" for nothing."""
    return next((guard.seen for guard in _guards if guard.seen), "")


def _raise_instead(status: int) -> NoReturn:
    """Stands in for ``os._exit``; whoever imported it under this name may still have it afterwards."""
    guard = _guards[-1] if _guards else None
    if guard is None or not guard.stops(status):
        _end(status)
    guard.seen = guard.seen or f"os._exit({status})"
    raise SystemExit(f"the store ends the process: os._exit({status})")
