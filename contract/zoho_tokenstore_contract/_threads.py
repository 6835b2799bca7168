"""Threads that run together: started at once, made to meet, and never waited for in vain.

A race shows when another thread runs in just the wrong place. Waiting for that takes luck, so one
thread can be told to stand still at each place of the store's own code in turn, until the others
have finished or wait for it in a lock. Where a lock is held in all the wrong places, nothing shows.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import linecache
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ._sdk import load

SWITCH_INTERVAL = 1e-6
"""Seconds after which the interpreter lets another thread run; by default it is 5,000 times that."""

_WRITES = frozenset(
    "STORE_ATTR STORE_SUBSCR STORE_SLICE STORE_GLOBAL STORE_DEREF DELETE_ATTR DELETE_SUBSCR".split()  # noqa: SIM905
)

_POLL = 0.0002  # seconds between two looks at what the other threads do
_LEAST_PATIENCE = 0.01  # seconds without any step after which a thread counts as waiting for another
_MOST_PATIENCE = 0.05  # seconds for which a thread stands still at most, however busy the others are


@dataclass(frozen=True)
class Place:
    """A place in the code of a store, before one instruction."""

    code: CodeType
    instruction: int
    line: int

    def __str__(self) -> str:
        """For a message: where it is, and the line itself."""
        where = f"{Path(self.code.co_filename).name}:{self.line} in {self.code.co_name}"
        text = linecache.getline(self.code.co_filename, self.line).strip()
        return f"{where}, {text!r}" if text else where


class Stuck(Exception):
    """Threads did not come back.

    Attributes:
        stacks: For each thread that did not, its number counted from 1 and where it is, the outermost
            call first.
    """

    def __init__(self, limit: float, stacks: dict[int, tuple[str, ...]]) -> None:
        super().__init__(f"threads had not come back after {limit:g} seconds")
        self.stacks = stacks


class Meeting:
    """Runs works in threads of their own, again and again.

    What it learns about the store's locks makes later runs quicker: it is kept for one store class.
    """

    def __init__(self, limit: float) -> None:
        """Prepares to run.

        Args:
            limit: After how many seconds without a finished step threads count as stuck.
        """
        self._limit = limit
        self._waits: set[tuple[CodeType, int]] = set()
        self._most = _MOST_PATIENCE

    def free(self, works: Sequence[Sequence[Callable[[], None]]]) -> None:
        """Run each work, a list of steps, in a thread of its own; they start together.

        Raises:
            Stuck: Not all came back. Those threads are daemons and are left as they are.
        """
        with _eager():
            self._run(_Run(works))

    def led(
        self, works: Sequence[Sequence[Callable[[], None]]], leader: int, pause: int | None = None
    ) -> list[Place]:
        """Run each work in a thread of its own; one begins and stands still once.

        Args:
            works: The steps of each thread.
            leader: Which thread begins.
            pause: At which of the places that it comes by it stands still until the others have
                finished or wait for it; ``None`` for the end of its work.

        Returns:
            The place where the leader stood still, if it came there; else all that it came by.

        Raises:
            Stuck: Not all came back. Those threads are daemons and are left as they are.
        """
        run = _Run(works, leader)
        run.tracer = _Tracer(pause, lambda: self._stand_still(run))
        with _eager():
            self._run(run)
        return [Place(*place) for place in run.tracer.places]

    def _run(self, run: _Run) -> None:
        run.start()
        finished = 0
        since = time.monotonic()
        while not run.over.wait(_wait_for(self._limit)):
            if run.steps > finished:
                finished, since = run.steps, time.monotonic()
            elif time.monotonic() - since > self._limit:
                raise Stuck(self._limit, run.stacks())

    def _stand_still(self, run: _Run) -> None:
        """Let the others run until they have finished, or all of them wait."""
        run.gate.set()
        begun = since = time.monotonic()
        seen: list[tuple[CodeType, int]] = []
        while not run.others_over.wait(_POLL):
            now = time.monotonic()
            places = run.places_of_others()
            if places is None:  # not all have begun
                begun = since = now
            elif places != seen:
                seen, since = places, now
                if now - begun > self._most:
                    # They take one step after another while they wait, as in a spinning lock.
                    self._most = max(_LEAST_PATIENCE, self._most / 2)
                    return
            elif all(place in self._waits for place in places):
                return
            elif now - since > _LEAST_PATIENCE:
                self._waits.update(places)
                return


class _Run:
    """One run of some works."""

    def __init__(self, works: Sequence[Sequence[Callable[[], None]]], leader: int | None = None) -> None:
        self.steps = 0
        self.over = threading.Event()
        self.others_over = threading.Event()
        self.gate = threading.Event()
        self.tracer: _Tracer | None = None
        self._leader = leader
        self._barrier = threading.Barrier(len(works))
        self._lock = threading.Lock()
        self._going = set(range(len(works)))
        self._begun: set[int] = set()
        self._threads = [
            threading.Thread(
                target=self._work, args=(number, work), name=f"tokenstore-{number + 1}", daemon=True
            )
            for number, work in enumerate(works)
        ]
        if len(works) == 1:
            self.others_over.set()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def places_of_others(self) -> list[tuple[CodeType, int]] | None:
        """Where the threads that still run are now, the leader aside; ``None`` while one waits to begin."""
        with self._lock:
            others = self._going - {self._leader}
            if not others <= self._begun:
                return None
        frames = sys._current_frames()
        at = [frames.get(self._threads[number].ident or 0) for number in sorted(others)]
        return [(frame.f_code, frame.f_lasti) for frame in at if frame is not None]

    def stacks(self) -> dict[int, tuple[str, ...]]:
        """Where each thread is that still runs, the kit's own frames left out."""
        frames = sys._current_frames()
        stacks = {}
        for number in sorted(self._going):
            stack = traceback.extract_stack(frames.get(self._threads[number].ident or 0))
            stacks[number + 1] = tuple(
                f"{Path(at.filename).name}:{at.lineno} in {at.name}: {at.line}"
                for at in stack
                if not _kits(at.filename) and at.filename != threading.__file__
            )
        return stacks

    def _work(self, number: int, work: Sequence[Callable[[], None]]) -> None:
        leads = number == self._leader
        if self._leader is None:
            self._barrier.wait()
        elif not leads:
            self.gate.wait()
        with self._lock:
            self._begun.add(number)
        try:
            for step in work:
                if leads and self.tracer is not None:
                    # In this very frame, so that a tracer which is already here misses no return.
                    self.tracer.other = sys.gettrace()
                    _ask_for_instructions()
                    sys.settrace(self.tracer)
                    try:
                        step()
                    finally:
                        sys.settrace(self.tracer.other)
                else:
                    step()
                with self._lock:
                    self.steps += 1
        finally:
            self._end(number)

    def _end(self, number: int) -> None:
        with self._lock:
            self._going.discard(number)
            if self._going <= {self._leader}:
                self.others_over.set()
            if not self._going:
                self.over.set()
        if number == self._leader:
            self.gate.set()


class _Tracer:
    """A trace function that acts at one of the places of a store's code that a thread comes by.

    Where a debugger or a coverage tool traces already, it goes on to see all that it saw before.

    Attributes:
        places: The place where it acted, or all that the thread came by.
        other: The trace function that was there before.
    """

    def __init__(self, number: int | None, act: Callable[[], None]) -> None:
        """Prepares to trace.

        Args:
            number: At which place to act; ``None`` for nowhere.
            act: Called in the thread, there.
        """
        self.places: list[tuple[CodeType, int, int]] = []
        self.other: Any = None
        self._ahead = -1 if number is None else number
        self._keeps = number is None
        self._act = act

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        theirs = None
        if self.other is not None:
            theirs = self.other(frame, event, arg)
            sys.settrace(self)  # coverage's own puts itself in this place
        code = frame.f_code
        if not _is_of_a_store(code.co_filename):
            return theirs
        frame.f_trace_opcodes = True
        return self._local(code, theirs)

    def _local(self, code: CodeType, theirs: Any) -> Any:
        telling = _telling(code)

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal theirs
            if event == "opcode":
                if frame.f_lasti in telling:
                    self._arrive(frame)
            else:
                if theirs is not None:
                    theirs = theirs(frame, event, arg)
                if event == "line":
                    self._arrive(frame)
            return local

        return local

    def _arrive(self, frame: FrameType) -> None:
        if self._keeps:
            self.places.append((frame.f_code, frame.f_lasti, frame.f_lineno))
        elif self._ahead == 0:
            self.places.append((frame.f_code, frame.f_lasti, frame.f_lineno))
            self._act()
            sys.settrace(self.other)
        self._ahead -= 1


def telling_places(places: Sequence[Place], most: int, turn: int = 0) -> list[int]:
    """Which of the places that a thread came by are worth standing still at.

    Each the first and the last time: in between, a loop does the same again.

    Args:
        places: The places in their order.
        most: How many to choose; where there are more, they are spread.
        turn: Where the spread begins. With another turn, others are chosen.
    """
    first: dict[Place, int] = {}
    last: dict[Place, int] = {}
    for number, place in enumerate(places):
        first.setdefault(place, number)
        last[place] = number
    numbers = sorted({*first.values(), *last.values()})
    if len(numbers) <= most:
        return numbers
    # Multiples of the golden ratio never fall on the same spot, and soon come near every spot.
    shift = turn * 0.618 % 1
    return [numbers[int((number + shift) * len(numbers) / most)] for number in range(most)]


@contextlib.contextmanager
def _eager() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _ask_for_instructions() -> None:
    """Have the next `sys.settrace` report single instructions: from 3.12 on it looks for such a frame."""
    sys._getframe().f_trace_opcodes = True


def _wait_for(limit: float) -> float:
    return min(limit / 4, 0.5)


@functools.cache
def _telling(code: CodeType) -> frozenset[int]:
    """The instructions inside the lines of a function before which another thread may matter.

    Those that write, and calls after the first of their line: in the middle of
    ``rows.append(str(len(rows)))`` there is room for somebody else.
    """
    found = set()
    called = False
    for instruction in dis.get_instructions(code):
        if instruction.starts_line:
            called = False
        if instruction.opname.startswith("CALL"):
            if called:
                found.add(instruction.offset)
            called = True
        elif instruction.opname in _WRITES:
            found.add(instruction.offset)
    return frozenset(found)


@functools.cache
def _is_of_a_store(file: str) -> bool:
    """Whether a file may hold a store's code: not Python's own, not the kit's, not the SDK's other code."""
    if file.startswith("<frozen") or _kits(file):
        return False
    path = str(Path(file).absolute())
    sdk = load()
    if any(path.startswith(root + os.sep) for root in sys.modules[sdk.root].__path__):
        return path.startswith(str(Path(inspect.getfile(sdk.TokenStore)).parent) + os.sep)
    paths = sysconfig.get_paths()
    if path.startswith((paths["purelib"] + os.sep, paths["platlib"] + os.sep)):
        return True
    return not path.startswith((paths["stdlib"] + os.sep, paths["platstdlib"] + os.sep))


def _kits(file: str) -> bool:
    return file.startswith(str(Path(__file__).parent) + os.sep)
