"""Places in a store's own code: seen by a trace function, and chosen to stand still at."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..._spec.sdk import load

_KIT = str(Path(__file__).parents[2]) + os.sep
InBrief = Callable[[str], bool]


@dataclass(frozen=True)
class Place:
    """A place in the code of a store: before a line, or where a function begins, or returns to its caller.

    Attributes:
        code: The function.
        line: The line.
        event: What the trace function is told there.
        callers: Who called it, for a message; see `callers_of`.
    """

    code: CodeType
    line: int
    event: str
    callers: str = field(default="", compare=False)

    def __str__(self) -> str:
        """For a message: where it is, and the line itself."""
        file = self.code.co_filename
        when = "at the end of" if self.event == "return" else "before"
        return (
            f"{self.callers}{Path(file).name}:{self.line} in {self.code.co_name}, {when} "
            f"{linecache.getline(file, self.line).strip()!r}"
        )


def callers_of(frame: FrameType) -> str:
    """Which calls of a store's code led to a function, for a message: it may be a helper of all methods.

    Args:
        frame: The call of the function.

    Returns:
        The outermost call in this thread and the nearest one that is no library's, each with an arrow
        behind it; "" where the thread called the function itself.
    """
    frames = []
    at = frame.f_back
    while at is not None and not is_the_kits(at.f_code.co_filename):
        if is_of_a_store(at.f_code.co_filename):
            frames.append(at)
        at = at.f_back
    near = next((one for one in frames if not is_installed(one.f_code.co_filename)), None)
    chosen = dict.fromkeys((*frames[-1:], *([near] if near else [])))
    return "".join(
        f"{Path(one.f_code.co_filename).name}:{one.f_lineno} in {one.f_code.co_name} -> " for one in chosen
    )


def is_place(frame: FrameType, event: str, in_brief: InBrief | None = None) -> bool:
    """Whether a thread comes by a place: whoever counts places has to count the same ones.

    Args:
        frame: The call that the thread is in.
        event: What the trace function is told.
        in_brief: Tells of a file that the lines of its functions are no places, only their beginnings are.

    Returns:
        True for a line and for the end of a call. A generator that yields returns, too: no end of anything.
    """
    begins = "line" if in_brief is None or not in_brief(frame.f_code.co_filename) else "call"
    return event == begins or (event == "return" and not frame.f_code.co_flags & inspect.CO_GENERATOR)


class PlaceTracer:
    """A trace function that acts at one of the places of a store's code that a thread comes by.

    Where a debugger or a coverage tool traces already, it goes on to see all that it saw before.

    Attributes:
        places: The place where it acted, or all that the thread came by.
        other: The trace function that was there before.
    """

    def __init__(
        self,
        number: int | None,
        act: Callable[[], None],
        within: Callable[[], bool] | None = None,
        *,
        again: bool = False,
        each: bool = False,
        in_brief: InBrief | None = None,
    ) -> None:
        """Prepares to trace.

        Args:
            number: At which place to act; ``None`` for nowhere.
            act: Called in the thread, there.
            within: Act only once this is so, in the middle of the line that begins there.
            again: Act each time that the thread comes by that place.
            each: Act at every place.
            in_brief: As for `is_place`.
        """
        self.places: list[Place] = []
        self.other: Any = None
        self._ahead = -1 if number is None else number
        self._keeps = number is None and not each
        self._act = act
        self._within = within
        self._again = again
        self._each = each
        self._in_brief = in_brief
        self._at: tuple[CodeType, int, str] | None = None

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        theirs = None
        if self.other is not None:
            theirs = self.other(frame, event, arg)
            sys.settrace(self)  # coverage's own puts itself in this place
        if not is_of_a_store(frame.f_code.co_filename):
            return theirs
        if self._in_brief is not None and self._in_brief(frame.f_code.co_filename):
            frame.f_trace_lines = self.other is not None
            self._arrive(frame, event, arg)
        return self._arrive if self.other is None else self._both(theirs)

    def _both(self, theirs: Any) -> Any:
        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal theirs
            if theirs is not None:
                theirs = theirs(frame, event, arg)
            self._arrive(frame, event, arg)
            return local

        return local

    def _arrive(self, frame: FrameType, event: str, arg: Any) -> Any:
        """The trace function of one call of a function: it comes by a line, or returns."""
        if event == "opcode" and self._within is not None and self._within():
            self._within = None
            self._act()
            self._stop()
        if is_place(frame, event, self._in_brief):
            here = (frame.f_code, frame.f_lineno, event)
            if self._each:
                self._act()
            if self._keeps or self._ahead == 0:
                self.places.append(Place(*here, callers="" if self._keeps else callers_of(frame)))
            if here == self._at:
                self._act()
            if self._ahead == 0 and self._within is not None:
                frame.f_trace_opcodes = True
            elif self._ahead == 0:
                self._act()
                if self._again:
                    self._at = here
                else:
                    self._stop()
            self._ahead -= 1
        return self._arrive

    def _stop(self) -> None:
        """Trace this thread no longer; one that a store has started goes on to be followed."""
        tracer: Any = sys.gettrace()
        if tracer is self:
            sys.settrace(self.other)


def pause_points(
    places: Sequence[Place], most: int, turn: int = 0, among: Collection[int] | None = None
) -> list[int]:
    """Which of the places that a thread came by are worth standing still at.

    Each the first, the second and the last time: in between, a loop does the same again. A loop that takes
    a lock for each turn is between two turns at the second. Where these are too many, most of the chosen
    are such that it came by once, for they are what the call is about; a third is kept for loops, in the
    middle of which a reader sees halves.

    Args:
        places: The places in their order.
        most: How many to choose.
        turn: Where choosing begins. With another turn, others are chosen.
        among: The numbers of those that may be chosen; by default all.
    """
    visits: dict[Place, list[int]] = {}
    for number in sorted(range(len(places)) if among is None else among):
        visits.setdefault(places[number], []).append(number)
    once = [numbers[0] for numbers in visits.values() if len(numbers) == 1]
    loops = sorted((numbers for numbers in visits.values() if len(numbers) > 1), key=len)
    often = list(dict.fromkeys(numbers[visit] for visit in (-1, 0, 1) for numbers in loops))
    room = max(most // 3, most - len(once))
    # The lines that are come by least often are those of the outermost loop, which goes from row to row.
    chosen = {*often[: room // 2], *_spread(often[room // 2 :], room - room // 2, turn)}
    return sorted({*chosen, *_spread(once, most - len(chosen), turn)})


def _spread(numbers: list[int], most: int, turn: int) -> list[int]:
    if len(numbers) <= most:
        return numbers
    # Multiples of the golden ratio never fall on the same spot, and soon come near every spot.
    shift = turn * 0.618 % 1
    return [numbers[int((number + shift) * len(numbers) / most)] for number in range(most)]


@functools.cache
def is_of_a_store(file: str) -> bool:
    """Whether a file may hold a store's code: not Python's own, not the kit's, not the SDK's other code.

    What dataclasses and named tuples generate has no file. Hypothesis is called by each garbage collection.
    """
    if file.startswith("<frozen") or file == "<string>" or is_the_kits(file):
        return False
    path = str(Path(file).absolute())
    sdk = load()
    if any(path.startswith(root + os.sep) for root in sys.modules[sdk.root].__path__):
        return path.startswith(str(Path(inspect.getfile(sdk.TokenStore)).parent) + os.sep)
    paths = sysconfig.get_paths()
    if path.startswith(f"{paths['purelib']}{os.sep}hypothesis{os.sep}"):
        return False
    return is_installed(file) or not path.startswith((paths["stdlib"] + os.sep, paths["platstdlib"] + os.sep))


@functools.cache
def is_installed(file: str) -> bool:
    """Whether a file is one of an installed package: a library, or a store that was installed."""
    paths = sysconfig.get_paths()
    return str(Path(file).absolute()).startswith((paths["purelib"] + os.sep, paths["platlib"] + os.sep))


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Have Python collect no garbage meanwhile.

    A collection comes wherever it happens to come, and calls what a library waits for it with: that is no
    place of a call, and comes at another one the next time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def is_the_kits(file: str) -> bool:
    """Whether a file is one of the kit."""
    return file.startswith(_KIT)
