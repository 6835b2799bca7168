"""Exceptions raised in the middle of a call, where a signal handler could raise them.

Python runs a signal handler between two steps of the main thread's code: when a function begins, when a
call into C has returned, and at each turn of a loop. Nowhere else: a ``with`` statement takes a lock and
enters its body in one step. So an exception is raised at such places alone, one place in each call, and no
timer and no luck is needed.

In the store's own code it is raised at all of them. In the code of an installed library it is raised only
after a call that reached out of the process, such as to a socket: there a call spends its time, and there
the library has to expect a failure. What a library makes of an exception between two steps of its own (it
logs it, in a helper that must never fail) is not the store's doing.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from .._harness.messages import format_answer, format_exception
from .._harness.store_handle import StoreHandle
from .._spec.tokens import Row, to_token
from .outward_calls import reaches_out
from .threads.pause_points import callers_of, is_of_a_store, without_collections

_ELSEWHERE = ("logging", "threading", "contextlib", "warnings", "weakref", "traceback", "importlib", "abc")
"""Modules of Python in whose code nothing is raised: what they make of it is not the store's doing."""
_KIT = __name__.partition(".")[0]


class TimeLimitExceeded(Exception):
    """What a task queue raises in a task that takes too long."""


class Interrupted(KeyboardInterrupt):
    """What Ctrl-C raises."""


@dataclass(frozen=True)
class InterruptionPoint:
    """A place at which a signal handler could run.

    Attributes:
        code: The function.
        offset: Where in its code, so that two calls in one line are two places.
        line: The line.
        what: ``begins``, ``turn`` or the C function that has returned.
        callers: Who called the function, for a message; see `callers_of`.
    """

    code: CodeType
    offset: int
    line: int
    what: str
    callers: str = field(default="", compare=False)

    def __str__(self) -> str:
        where = f"{self.callers}{Path(self.code.co_filename).name}:{self.line} in {self.code.co_name}"
        when = {"begins": "as it begins", "turn": "at the next turn of its loop"}
        return f"{where}, {when.get(self.what) or f'right after {self.what}'}"


class Interrupts:
    """Notes the places that a call comes by, or raises an exception at one of them.

    Attributes:
        places: The places in their order, or the one where the exception was raised.
        raised: The exception was raised.
        error: What is raised.
    """

    def __init__(
        self,
        store: object,
        at: tuple[InterruptionPoint, int] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Prepares to watch a call.

        Args:
            store: The store that is called. The packages of its class are its own code, also where they are
                installed.
            at: The place, and at which visit to it the exception is raised, counted from 1; ``None`` for
                nowhere.
            error: What is raised there.
        """
        self.places: list[InterruptionPoint] = []
        self.raised = False
        self._at = at
        self._visits = 0
        self._packages = {cls.__module__.partition(".")[0] for cls in type(store).__mro__}
        self.error = error

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what this thread does meanwhile."""
        tracing, profiling = sys.gettrace(), sys.getprofile()
        with without_collections():
            sys.settrace(self._trace)
            sys.setprofile(self._profile)
            try:
                yield
            finally:
                sys.setprofile(profiling)
                sys.settrace(tracing)

    def _profile(self, frame: FrameType, event: str, function: Any) -> None:
        code = frame.f_code
        if event == "call" and self._is_own(frame):
            # A generator that goes on does not begin.
            if not code.co_flags & inspect.CO_GENERATOR:
                self._come_by(InterruptionPoint(code, 0, code.co_firstlineno, "begins"), frame)
        elif event == "c_return" and (self._is_own(frame) or _reaches_out(frame, function)):
            name = getattr(function, "__qualname__", None) or getattr(function, "__name__", "a call")
            self._come_by(InterruptionPoint(code, frame.f_lasti, frame.f_lineno, f"{name}()"), frame)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        return self._trace_line if _turns(frame.f_code) and self._is_own(frame) else None

    def _trace_line(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        if event == "line" and frame.f_lasti in _turns(frame.f_code):
            self._come_by(InterruptionPoint(frame.f_code, frame.f_lasti, frame.f_lineno, "turn"), frame)
        return self._trace_line

    @property
    def reached_the_store(self) -> bool:
        """Whether what was raised came into the store's own code; else a library has kept it to itself."""
        trace = None if self.error is None else self.error.__traceback__
        while trace is not None:
            if self._is_own(trace.tb_frame):
                return True
            trace = trace.tb_next
        return False

    def _is_own(self, frame: FrameType) -> bool:
        """Whether code is the store's, and not that of an installed library or of Python."""
        file = frame.f_code.co_filename
        if not is_of_a_store(file):
            return False
        return not _is_installed(file) or _package(frame) in self._packages

    def _come_by(self, place: InterruptionPoint, frame: FrameType) -> None:
        if frame.f_code.co_name == "__del__":
            return  # Python prints what is raised there, and goes on
        if self._at is None:
            self.places.append(place)
        elif place == self._at[0] and not self.raised:
            self._visits += 1
            if self._visits == self._at[1] and self.error is not None:
                self.raised = True
                self.places.append(replace(place, callers=callers_of(frame)))
                raise self.error


def call_with(store: StoreHandle, interrupts: Interrupts, method: str, argument: Any) -> tuple[str, bool]:
    """Make a call that is watched, and perhaps interrupted.

    Args:
        store: The store.
        interrupts: What watches it.
        method: The method.
        argument: What it is passed; a row for a new token, `...` for nothing.

    Returns:
        The answer in words, and whether what was raised in the call came out of it as it is.
    """
    arguments = () if argument is ... else (to_token(argument) if isinstance(argument, Row) else argument,)
    if isinstance(argument, Row):
        store.remember(argument)
    called = getattr(store.store, method)
    told: list[tuple[str, bool]] = []

    def make() -> None:
        try:
            with interrupts.watching():
                returned = called(*arguments)
        except (Exception, Interrupted) as error:
            told.append((f"raised {format_exception(error)}", error is interrupts.error))
            # What a caller has dealt with, it forgets: a traceback would keep the frames alive.
            error.__traceback__ = error.__context__ = None
        else:
            # Some libraries keep to themselves what is raised while they close a cursor: then the
            # call goes on as if nothing had been, and that is not the store's doing.
            told.append((f"returned {format_answer(returned)}", not interrupts.reached_the_store))

    answer = store.workspace.guarded(method, make, store.location)
    return told[0] if told else (str(answer), False)


def _reaches_out(frame: FrameType, function: Any) -> bool:
    """Whether a library calls into something outside the process: a file, a database, a socket."""
    return _package(frame) not in (*_ELSEWHERE, _KIT) and reaches_out(function)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


@functools.cache
def _is_installed(file: str) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


@functools.cache
def _turns(code: CodeType) -> frozenset[int]:
    """Where the loops of a function begin their next turn: what its backward jumps lead to."""
    return frozenset(
        int(step.argval)
        for step in dis.get_instructions(code)
        if "JUMP" in step.opname and isinstance(step.argval, int) and step.argval <= step.offset
    )


def interruption_points(places: list[InterruptionPoint], most: int) -> list[tuple[InterruptionPoint, int]]:
    """Which of the places that a call comes by are worth an exception.

    Each place the first time, the second, halfway and the last: in between, a loop does the same again.
    Where these are too many, they are spread evenly over the call.

    Args:
        places: The places in their order.
        most: How many to choose.

    Returns:
        Places with the number of the visit, in the order of the call.
    """
    visits: dict[InterruptionPoint, list[int]] = {}
    for number, place in enumerate(places):
        visits.setdefault(place, []).append(number)
    once = [numbers[0] for numbers in visits.values() if len(numbers) == 1]
    loops = [numbers for numbers in visits.values() if len(numbers) > 1]
    often = sorted({numbers[turn] for numbers in loops for turn in (0, 1, len(numbers) // 2, -1)})
    # Half is kept for what it comes by more often: a second write, the middle of a loop.
    chosen = _spread(once, max(most - len(often), most - most // 2))
    chosen += _spread(often, most - len(chosen))
    return [(places[number], visits[places[number]].index(number) + 1) for number in sorted(chosen)]


def _spread(numbers: list[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return numbers
    return [numbers[number * len(numbers) // most] for number in range(most)]
