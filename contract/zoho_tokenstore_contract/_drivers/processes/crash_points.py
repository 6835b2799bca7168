"""The moments of a call at which something outside the process can have changed.

Files and databases change through calls into C alone. So what another process can see, and what a
kill can leave behind, differs between two such calls and nowhere else: stopping before each of them
once is as good as stopping everywhere. Used in child processes, never in the test process.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, MappingProxyType, TracebackType
from typing import Any

from ..outward_calls import place_of, reaches_out


class CrashPoints:
    """Counts the calls that reach out of the process while it is entered.

    Attributes:
        names: What was called at each moment, as ``posix.replace``.
        position: Where the last moment is; see `position_of`.
    """

    def __init__(self, act: Callable[[int], None] | None = None) -> None:
        """Prepares to be entered.

        Args:
            act: Called before each such call, with its number counted from 0.
        """
        self.names: list[str] = []
        self.position = (0, 0, 0)
        self._act = act
        self._process = os.getpid()

    def __enter__(self) -> CrashPoints:  # noqa: PYI034 (Self needs Python 3.11)
        global _entered  # noqa: PLW0603 (threads that run already have to see it)
        _entered = self
        sys.setprofile(_profile)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _entered  # noqa: PLW0603 (see there)
        sys.setprofile(None)
        _entered = None

    def pass_by(self, function: Any) -> None:
        """A function in C is going to be called: it counts if it reaches out.

        Args:
            function: The function.
        """
        if not reaches_out(function):
            return
        if os.getpid() != self._process:
            return  # the store has forked: what happens there is no moment of this process
        number = len(self.names)
        name = f"{place_of(function)}.{getattr(function, '__name__', '?')}"
        self.position = _advanced(self.position, self.names, name)
        self.names.append(name)
        if self._act is not None:
            self._act(number)


_entered: CrashPoints | None = None


def follow_threads() -> None:
    """Count also in threads that are started from now on: a store may do its work in one of its own."""

    def start_followed(function: Callable[..., object], args: Any, kwargs: Any = MappingProxyType({})) -> int:
        def followed(*args: Any, **kwargs: Any) -> None:
            sys.setprofile(_profile)
            function(*args, **kwargs)

        return start(followed, args, dict(kwargs))

    start = _thread.start_new_thread
    _thread.start_new_thread = start_followed
    threading.setprofile(_profile)


def _profile(frame: FrameType, event: str, function: Any) -> None:
    if _entered is not None and event == "c_call":
        _entered.pass_by(function)


def position_of(names: Sequence[str], moment: int) -> tuple[int, int, int]:
    """Where a moment is, so that it is found again in another call.

    A longer file is written in more pieces, and where there are more rows, more of them are read one by one.

    Args:
        names: What is called at each moment.
        moment: The number of the moment; the return of the call has the number behind the last.

    Returns:
        How many functions had been called so far; how often, since the latest of them came, another one
        than just before; how many calls of it in a row.
    """
    position, past = (0, 0, 0), []  # type: tuple[int, int, int], list[str]
    for name in (*names, "")[: moment + 1]:
        position = _advanced(position, past, name)
        past.append(name)
    return position


def _advanced(position: tuple[int, int, int], names: Sequence[str], name: str) -> tuple[int, int, int]:
    """The position of a call after these."""
    functions, turn, calls = position
    if name not in names:
        return functions + 1, 0, 0
    return (functions, turn, calls + 1) if names[-1] == name else (functions, turn + 1, 0)


def chosen(names: Sequence[str], wanted: int, changed: Sequence[int] = (), most: int = 0) -> list[int]:
    """The moments of a call at which a kill may leave something else behind than at those before.

    These are the moments before which a file had changed. Where they are few, others are added: a
    storage need not be files. Where there are too many, those at which something else is called
    than just before come first: a file that is written in a thousand pieces is opened and renamed once.

    Args:
        names: What is called at each moment; the return of the call is one more moment.
        wanted: How many moments there should be, if there are as many.
        changed: The moments before which a file had changed.
        most: How many of these there may be.

    Returns:
        Their numbers, in order.
    """
    everywhere = range(len(names) + 1)
    told = _turns_first(names, changed, most)
    others = [one for one in everywhere if one not in told]
    return sorted(told + _turns_first(names, others, max(0, wanted - len(told))))


def _turns_first(names: Sequence[str], moments: Sequence[int], wanted: int) -> list[int]:
    """Up to `wanted` of the moments, first those at which something else is called than just before."""
    turns = [one for one in moments if one in (0, len(names)) or names[one] != names[one - 1]]
    if len(turns) >= wanted:
        return _spread(turns, wanted)
    return turns + _spread([one for one in moments if one not in turns], wanted - len(turns))


def _spread(numbers: Sequence[int], wanted: int) -> list[int]:
    """Up to `wanted` of the numbers, evenly, with the first and the last."""
    if len(numbers) <= wanted:
        return list(numbers)
    if wanted <= 1:
        return [numbers[len(numbers) // 2]][:wanted]
    return [numbers[round(place * (len(numbers) - 1) / (wanted - 1))] for place in range(wanted)]
