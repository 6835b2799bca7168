"""Threads that run together: started at once, made to meet, and never waited for in vain.

A race shows when another thread runs in just the wrong place. Waiting for that takes luck, so one
thread can be told to stand still at each place of the store's own code in turn, until the others
have finished or wait for it in a lock. Where a lock is held in all the wrong places, nothing shows.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import linecache
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..._spec.sdk import load

SWITCH_INTERVAL = 1e-6
"""Seconds after which the interpreter lets another thread run; by default it is 5,000 times that."""

_POLL = 0.0001  # seconds between two looks at what the other threads do
_PATIENCE = 0.01  # seconds without any step after which a thread counts as waiting for another
_MOST_STEPS = 150  # of the others that are seen while a thread stands still
_LEAST_STEPS = 10
_MOST_USED, _LEAST_USED = 20_000_000, 1_000_000
"""Nanoseconds that the others run in one place, as seen from outside, while a thread stands still."""
_WAITS: Counter[tuple[CodeType, int]] = Counter()
"""Where threads were seen to wait for another, and how often."""
_BUSY = ("R", "D")  # states of a thread, as Linux tells them: it runs or wants to, it waits for a disk
_SURE = 3
"""So often seen to wait there, they wait again; once may have been for a processor on a busy machine."""


@dataclass(frozen=True)
class Place:
    """A place in the code of a store: before a line, or where a function returns to its caller."""

    code: CodeType
    line: int
    event: str

    def __str__(self) -> str:
        """For a message: where it is, and the line itself."""
        file = self.code.co_filename
        when = "at the end of" if self.event == "return" else "before"
        return (
            f"{Path(file).name}:{self.line} in {self.code.co_name}, {when} "
            f"{linecache.getline(file, self.line).strip()!r}"
        )


class Stuck(Exception):
    """Threads did not come back.

    Attributes:
        stacks: For each thread that did not, its number counted from 1 and where it is, the outermost
            call first.
    """

    def __init__(self, limit: float, stacks: dict[int, tuple[str, ...]]) -> None:
        super().__init__(f"threads had not come back after {limit:g} seconds")
        self.stacks = stacks


class Scheduler:
    """Runs works in threads of their own, again and again.

    Attributes:
        delay: How long a thread of the latest run has waited for a processor, in seconds, at most.
    """

    def __init__(self, limit: float) -> None:
        """Prepares to run.

        Args:
            limit: After how many seconds without a finished step threads count as stuck.
        """
        self.delay = 0.0
        self._limit = limit
        self._most = _MOST_STEPS
        self._longest = _MOST_USED

    def run_free(self, works: Sequence[Sequence[Callable[[], None]]]) -> None:
        """Run each work, a list of steps, in a thread of its own; they start together.

        Raises:
            Stuck: Not all came back. Those threads are daemons and are left as they are.
        """
        with _eager():
            self._run(_Run(works))

    def run_with_pause(
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
        with _eager(), _on_one_processor():
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
                stuck = Stuck(self._limit, run.stacks())
                run.others_over.set()  # nobody stands still any more
                raise stuck
        self.delay = run.delay

    def _stand_still(self, run: _Run) -> None:
        """Let the others run until they have finished, or all of them wait.

        Whether a thread waits is observed, and not guessed from time: it is in one place, asks for no
        processor, and has used none since the last look. A thread that was not given a processor wants one.
        """
        run.gate.set()
        seen: Look | None = None
        since = time.monotonic()
        steps, used = 0, 0
        while not run.others_over.wait(_POLL) and steps <= self._most and used <= self._longest:
            look = run.look_at_others()
            if look is None:  # not all have begun
                continue
            if seen is None or look.places != seen.places:
                steps += 1
            elif look.used == seen.used and not look.busy:
                known = all(_WAITS[place] >= _SURE for place in look.places)
                if known or time.monotonic() - since > _PATIENCE:
                    if not known:
                        _WAITS.update(look.places)
                    return
                continue
            elif look.used > seen.used:  # a spinning lock may be seen in one place again and again
                used += look.used - seen.used
            seen, since = look, time.monotonic()
        if steps > self._most or used > self._longest:
            # They take one step after another while they wait, as for a spinning lock.
            self._most = max(_LEAST_STEPS, self._most // 2)
            self._longest = max(_LEAST_USED, self._longest // 2)


@dataclass(frozen=True)
class Look:
    """What is seen of threads at one moment.

    Attributes:
        places: Where each of them is.
        used: How long all of them have been running on a processor so far, in nanoseconds.
        busy: One of them runs, wants a processor, or waits for a disk. Known on Linux.
    """

    places: tuple[tuple[CodeType, int], ...]
    used: int
    busy: bool


class _Run:
    """One run of some works."""

    def __init__(self, works: Sequence[Sequence[Callable[[], None]]], leader: int | None = None) -> None:
        self.steps = 0
        self.delay = 0.0
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

    def look_at_others(self) -> Look | None:
        """What the threads do that still run, the leader aside; ``None`` while one has yet to begin."""
        with self._lock:
            others = self._going - {self._leader}
            if not others <= self._begun:
                return None
        threads = [self._threads[number] for number in sorted(others)]
        frames = _frames()
        at = [frames.get(thread.ident or 0) for thread in threads]
        return Look(
            tuple((frame.f_code, frame.f_lasti) for frame in at if frame is not None),
            sum(processor_time(thread.native_id) for thread in threads),
            any(_state(thread.native_id) in _BUSY for thread in threads),
        )

    def stacks(self) -> dict[int, tuple[str, ...]]:
        """Where each thread is that still runs, the kit's own frames left out."""
        frames = _frames()
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
        delay = time_without_processor()
        with self._lock:
            self.delay = max(self.delay, delay)
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
        self.places: list[tuple[CodeType, int, str]] = []
        self.other: Any = None
        self._ahead = -1 if number is None else number
        self._keeps = number is None
        self._act = act

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        theirs = None
        if self.other is not None:
            theirs = self.other(frame, event, arg)
            sys.settrace(self)  # coverage's own puts itself in this place
        if not is_of_a_store(frame.f_code.co_filename):
            return theirs
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
        # A generator that yields returns, too: no end of anything.
        if event == "line" or (event == "return" and not frame.f_code.co_flags & inspect.CO_GENERATOR):
            if self._keeps or self._ahead == 0:
                self.places.append((frame.f_code, frame.f_lineno, event))
            if self._ahead == 0:
                self._act()
                sys.settrace(self.other)
            self._ahead -= 1
        return self._arrive


def pause_points(places: Sequence[Place], most: int, turn: int = 0) -> list[int]:
    """Which of the places that a thread came by are worth standing still at.

    Each the first, the second and the last time: in between, a loop does the same again. A loop that takes
    a lock for each turn is between two turns at the second. Where these are too many, most of the chosen
    are such that it came by once, for they are what the call is about; a third is kept for loops, in the
    middle of which a reader sees halves.

    Args:
        places: The places in their order.
        most: How many to choose.
        turn: Where choosing begins. With another turn, others are chosen.
    """
    visits: dict[Place, list[int]] = {}
    for number, place in enumerate(places):
        visits.setdefault(place, []).append(number)
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


@contextlib.contextmanager
def _eager() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextlib.contextmanager
def _on_one_processor() -> Iterator[None]:
    """Keep the threads that start meanwhile together: taking turns, they need not wake another processor.

    Where the system has no way to do it, or forbids it, they run as they do otherwise.
    """
    before = None
    with contextlib.suppress(AttributeError, OSError):  # not on macOS and Windows
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {_processor()})
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)


def _processor() -> int:
    """On which one this thread runs now."""
    with open("/proc/thread-self/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(") ")[2].split()[36])


def _frames() -> dict[int, FrameType]:
    """Where every thread of the process is.

    Before 3.12 a garbage collection inside `sys._current_frames` can lock up the interpreter.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()


def _wait_for(limit: float) -> float:
    return min(limit / 4, 0.5)


@functools.cache
def is_of_a_store(file: str) -> bool:
    """Whether a file may hold a store's code: not Python's own, not the kit's, not the SDK's other code.

    What dataclasses and named tuples generate has no file.
    """
    if file.startswith("<frozen") or file == "<string>" or _kits(file):
        return False
    path = str(Path(file).absolute())
    sdk = load()
    if any(path.startswith(root + os.sep) for root in sys.modules[sdk.root].__path__):
        return path.startswith(str(Path(inspect.getfile(sdk.TokenStore)).parent) + os.sep)
    paths = sysconfig.get_paths()
    if path.startswith((paths["purelib"] + os.sep, paths["platlib"] + os.sep)):
        return True
    return not path.startswith((paths["stdlib"] + os.sep, paths["platstdlib"] + os.sep))


def _state(native_id: int | None) -> str:
    try:
        with open(f"/proc/self/task/{native_id}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][:1]
    except OSError:
        return ""


def processor_time(native_id: int | None) -> int:
    """How long a thread of this process has been running on a processor, in nanoseconds.

    Args:
        native_id: The system's number of the thread.

    Returns:
        0 where the system does not tell, or the thread has ended.
    """
    return _schedule(native_id)[0]


def _schedule(native_id: int | None) -> tuple[int, int]:
    """Nanoseconds that a thread has been running, and that it has waited for a processor."""
    try:
        with open(f"/proc/self/task/{native_id}/schedstat", encoding="ascii") as file:
            running, waiting, _ = file.read().split()
    except (OSError, ValueError):
        return 0, 0
    return int(running), int(waiting)


def time_without_processor() -> float:
    """How long this thread has waited for a processor since it began, in seconds; 0 where nobody tells."""
    return _schedule(threading.get_native_id())[1] / 1e9


def _kits(file: str) -> bool:
    return file.startswith(str(Path(__file__).parents[2]) + os.sep)
