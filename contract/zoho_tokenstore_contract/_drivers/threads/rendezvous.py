"""Threads that run together: started at once, made to meet, and never waited for in vain.

A race shows when another thread runs in just the wrong place. Waiting for that takes luck, so one
thread can be told to stand still at each place of the store's own code in turn, until the others
have finished or wait for it in a lock. Where a lock is held in all the wrong places, nothing shows.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

from .pause_points import InBrief, Place, PlaceTracer, is_the_kits, without_collections
from .threads_of_stores import OwnThread, other_followed, trace_followed

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
        waited: While a thread stood still in the latest run, others waited for it.
        in_brief: Tells of a file that of its functions only the beginnings and ends are places.
    """

    def __init__(self, limit: float) -> None:
        """Prepares to run.

        Args:
            limit: After how many seconds without a finished step threads count as stuck.
        """
        self.waited = False
        self.in_brief: InBrief | None = None
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
        self,
        works: Sequence[Sequence[Callable[[], None]]],
        leader: int,
        pause: int | None = None,
        within: Callable[[], bool] | None = None,
        *,
        again: bool = False,
    ) -> list[Place]:
        """Run each work in a thread of its own; one begins and stands still once.

        Args:
            works: The steps of each thread.
            leader: Which thread begins.
            pause: At which of the places that it comes by it stands still until the others have
                finished or wait for it; ``None`` for the end of its work.
            within: It stands still only once this is so, in the middle of the line that begins there.
            again: It stands still each time that it comes by that place, until another one has made one
                call more. Before the first time, and between two, the others make none.

        Returns:
            The place where the leader stood still, if it came there; else all that it came by.

        Raises:
            Stuck: Not all came back. Those threads are daemons and are left as they are.
        """
        self.waited = False
        run = _Run(works, leader, in_turn=again)
        run.tracer = PlaceTracer(
            pause, lambda: self._stand_still(run), within, again=again, in_brief=self.in_brief
        )
        with _eager(), _on_one_processor():
            self._run(run)
        return run.tracer.places

    @without_collections()
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
                run.let_all_go()
                raise stuck

    def _stand_still(self, run: _Run) -> None:
        """Let the others run until they have finished, or all of them wait.

        Whether a thread waits is observed, and not guessed from time: it is in one place, asks for no
        processor, and has used none since the last look. A thread that was not given a processor wants one.
        """
        if not run.in_turn:
            trace_followed(None)  # what others have done is no place of this thread
        run.gate.set()
        enough = run.steps_after_a_turn()
        seen: Look | None = None
        since = time.monotonic()
        steps, used = 0, 0
        while not run.others_over.wait(_POLL) and steps <= self._most and used <= self._longest:
            if run.steps >= enough:
                return
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
                    self.waited = not run.in_turn
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

    def __init__(
        self,
        works: Sequence[Sequence[Callable[[], None]]],
        leader: int | None = None,
        *,
        in_turn: bool = False,
    ) -> None:
        self.steps = 0
        self.in_turn = in_turn
        self._turns = threading.Semaphore(0) if in_turn else None
        self._most = sum(map(len, works)) + 1
        self.over = threading.Event()
        self.others_over = threading.Event()
        self.gate = threading.Event()
        self.tracer: PlaceTracer | None = None
        self._leader = leader
        self._barrier = threading.Barrier(len(works))
        self._lock = threading.Lock()
        self._going = set(range(len(works)))
        self._begun: set[int] = set()
        self._threads = [
            OwnThread(target=self._work, args=(number, work), name=f"tokenstore-{number + 1}", daemon=True)
            for number, work in enumerate(works)
        ]
        if len(works) == 1:
            self.others_over.set()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def steps_after_a_turn(self) -> int:
        """Let the others make one call more; how many are made by all of them then, where they take turns."""
        if self._turns is None:
            return self._most
        self._turns.release()
        return self.steps + 1

    def let_all_go(self) -> None:
        """Let the others make all their calls."""
        if self._turns is not None:
            self._turns.release(self._most)

    def look_at_others(self) -> Look | None:
        """What the threads do that still run, the leader aside; ``None`` while one has yet to begin."""
        with self._lock:
            others = self._going - {self._leader}
            if not others <= self._begun:
                return None
        threads = [self._threads[number] for number in sorted(others)]
        frames = _frames()
        at = [frames.get(thread.ident or 0) for thread in threads]
        working = [*(thread.native_id for thread in threads), *other_followed()]
        return Look(
            tuple((frame.f_code, frame.f_lasti) for frame in at if frame is not None),
            sum(map(_processor_time, working)),
            any(_state(number) in _BUSY for number in working),
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
                if not is_the_kits(at.filename) and at.filename != threading.__file__
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
                    trace_followed(None if self.in_turn else self.tracer)
                    try:
                        step()
                    finally:
                        trace_followed(None)
                        sys.settrace(self.tracer.other)
                else:
                    if self._turns is not None and not leads:
                        self._turns.acquire()
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
            self.let_all_go()
            self.gate.set()


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
    with without_collections():
        return sys._current_frames()


def _wait_for(limit: float) -> float:
    return min(limit / 4, 0.5)


def _state(native_id: int | None) -> str:
    try:
        with open(f"/proc/self/task/{native_id}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][:1]
    except OSError:
        return ""


def _processor_time(native_id: int | None) -> int:
    """How long a thread of this process has been running on a processor, in nanoseconds.

    Args:
        native_id: The system's number of the thread.

    Returns:
        0 where the system does not tell, or the thread has ended.
    """
    try:
        with open(f"/proc/self/task/{native_id}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return 0
