"""Programs of calls that threads make at once, and the stage to run them on, again and again."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from ..._harness.workspace import Bench, Call, Opened
from ..._spec.model import Operation
from ..._spec.outcomes import Violation
from ..._spec.tokens import Row, absent
from .linearizability import AFTER, BEFORE, Made, table
from .pauses import Meeting, Place, Stuck, telling_places

QUICK = 0.015
"""Seconds that a run of a quick store takes at most, be the machine busy; slower ones run less often.

An idle machine needs one to five milliseconds for a store in memory or a local file."""
WARMING_UP = 4
"""Runs before it is known how quick a store is: the first ones import and connect."""
LEAST_SHARE = 0.15
"""How much less often, at most."""
RUNS = 8
"""How many runs are made on one store, emptied in between, before another one is opened."""


@dataclass(frozen=True)
class IdOf:
    """The id that a row got which was saved before the threads."""

    row: Row


@dataclass(frozen=True)
class Step:
    """One call of a thread, with ids not yet known."""

    method: str
    argument: Row | IdOf | None = None


@dataclass(frozen=True)
class Program:
    """What threads do at once.

    Attributes:
        before: The tokens that are saved first, one after another.
        threads: The calls of each thread.
    """

    before: tuple[Row, ...]
    threads: tuple[tuple[Step, ...], ...]

    @property
    def size(self) -> int:
        """How many calls it makes."""
        return len(self.before) + sum(map(len, self.threads))

    def shorter(self) -> Iterator[Program]:
        """This program without one of its threads, calls, or rows that are saved first."""
        for place, thread in enumerate(self.threads):
            for rest in ((), *(thread[:call] + thread[call + 1 :] for call in range(len(thread)))):
                yield from self._of_threads(
                    self.before, (*self.threads[:place], rest, *self.threads[place + 1 :])
                )
        for row in self.before:
            yield from self._of_threads(
                tuple(other for other in self.before if other != row),
                tuple(
                    tuple(step for step in thread if step.argument != IdOf(row)) for thread in self.threads
                ),
            )

    @staticmethod
    def _of_threads(before: tuple[Row, ...], threads: tuple[tuple[Step, ...], ...]) -> Iterator[Program]:
        kept = tuple(thread for thread in threads if thread)
        if len(kept) > 1:
            yield Program(before, kept)

    def one_by_one(self, most: int) -> Iterator[Program]:
        """The orders of its calls, each as the program of a single thread; `most` of them at most."""
        turns = [number for number, thread in enumerate(self.threads) for _ in thread]
        for order in itertools.islice(dict.fromkeys(itertools.permutations(turns)), most):
            ahead = [iter(thread) for thread in self.threads]
            yield Program(self.before, (tuple(next(ahead[number]) for number in order),))


@dataclass(frozen=True)
class Ran:
    """One run of a program.

    Attributes:
        history: Its calls as they were made, by the time at which they began.
        rows: All rows afterwards.
        places: Where in the store's code the leading thread stood still, else what it came by.
        leader: Which thread that was, if one led.
        paused: It stood still.
    """

    history: tuple[Made, ...]
    rows: tuple[Row, ...]
    places: tuple[Place, ...] = ()
    leader: int = 0
    paused: bool = False

    @property
    def before(self) -> list[Row]:
        """The rows that were saved before the threads, with their ids."""
        return [_stored(made) for made in self.history if made.thread == BEFORE]

    @property
    def at_once(self) -> list[Made]:
        """The calls of the threads."""
        return [made for made in self.history if made.thread > 0]

    def broken(self, expected: str, seen: str) -> NoReturn:
        """End the check: this run shows that the store breaks the clause.

        Raises:
            Violation: Always, with the calls by thread and time.
        """
        done = table(self.history)
        if self.paused:
            done.append(
                f"(thread {self.leader + 1} stood still at {self.places[0]}, until the others had "
                "finished or waited for it)"
            )
        raise Violation(expected=expected, seen=seen, done=tuple(done))


class Stage:
    """Runs programs, each on an empty store."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._meeting = Meeting(bench.call_limit)
        self._store: Opened | None = None
        self._runs = 0
        self._timed = 0
        self._quickest = math.inf
        self._turn = 0

    def free(self, program: Program) -> Ran:
        """Run the threads of a program, all at once.

        Raises:
            Violation: Threads do not come back, or a row cannot be saved before them.
        """
        return self._run(program, self._meeting.free)

    def led(self, program: Program, leader: int, pause: int | None = None) -> Ran:
        """Run the threads of a program: one begins, and stands still once or ends first.

        Raises:
            Violation: Threads do not come back, or a row cannot be saved before them.
        """
        places: list[Place] = []
        ran = self._run(program, lambda works: places.extend(self._meeting.led(works, leader, pause)))
        paused = pause is not None and len(places) == 1
        return Ran(ran.history, ran.rows, tuple(places), leader, paused)

    def meetings(self, program: Program, most: int, leaders: int | None = None) -> Iterator[Ran]:
        """Run a program so that each thread stands still at each telling place of its calls once.

        Args:
            program: The program. Of threads that make the same calls with other values, one does.
            most: At how many places a thread stands still at most; fewer where runs take long.
            leaders: How many threads, the first ones, stand still; by default all.
        """
        seen = set()
        for leader, thread in enumerate(program.threads[:leaders]):
            kinds = tuple(_kind(step, program) for step in thread)
            if kinds in seen:
                continue
            seen.add(kinds)
            first = self.led(program, leader)
            yield first
            while self._timed < WARMING_UP:
                yield self.led(program, leader)
            self._turn += 1
            for pause in telling_places(first.places, self.affordable(most), self._turn):
                yield self.led(program, leader, pause)

    def affordable(self, most: int) -> int:
        """How many of so many runs to make: all of them, unless each takes long."""
        share = min(1.0, (QUICK / self._quickest) ** 2)
        return max(1, int(most * max(share, LEAST_SHARE)))

    def _run(self, program: Program, meet: Callable[[list[list[Callable[[], None]]]], None]) -> Ran:
        begun = time.monotonic()
        # A store that was never used makes its file or table with the first save.
        store = self._empty_store(fresh=not program.before)
        self.bench.remember([*program.before, *_rows_of(program)])
        history: list[Made] = []
        ids: dict[Row, Any] = {}
        for row in program.before:
            made = _make(store, BEFORE, Operation("save_token", row))
            history.append(made)
            if made.left is None or absent(made.left.id):
                self.bench.broken("a new token is stored and gets an id", str(made), arranging=True)
            ids[row] = made.left.id
        threads = [
            [Made(number, _operation(step, ids)) for step in thread]
            for number, thread in enumerate(program.threads, 1)
        ]
        history += itertools.chain.from_iterable(threads)
        # The calls so far left the process in the store's location, where that is promised.
        try:
            meet([[partial(made.make, store.store) for made in thread] for thread in threads])
        except Stuck as stuck:
            self._leave(store, history, stuck)
        history.sort(key=lambda made: made.start or 0)
        history.append(_make(store, AFTER, Operation("get_tokens")))
        self._timed += 1
        self._quickest = min(self._quickest, time.monotonic() - begun)
        return Ran(tuple(history), _rows_after(store, history))

    def _empty_store(self, fresh: bool) -> Opened:
        store = self._store
        if store is None or fresh or self._runs >= RUNS or not self._emptied(store):
            self.bench.fresh_examples()
            store = self._store = self.bench.open()
            self._runs = 0
        self._runs += 1
        self.bench.calls.clear()
        return store

    def _emptied(self, store: Opened) -> bool:
        _make(store, BEFORE, Operation("delete_tokens"))
        listing = _make(store, BEFORE, Operation("get_tokens")).reply
        return listing is not None and listing.value == ()

    def _leave(self, store: Opened, history: list[Made], stuck: Stuck) -> NoReturn:
        """Tell where the threads are stuck, and never touch their store again."""
        self.bench.abandon(store)
        waiting = [made for made in history if made.thread > 0 and made.start and made.end is None]
        # One deadlock is one hang, whatever number of calls it holds.
        methods = dict.fromkeys(made.operation.method for made in waiting)
        self.bench.subject.hangs.append(" and ".join(methods))
        raise Violation(
            expected="every call comes back, whatever other threads call",
            seen=f"{stuck}; the threads that had not: " + told_stacks(stuck),
            done=tuple(table(sorted(history, key=lambda made: made.start or 0))),
        )


def told_stacks(stuck: Stuck) -> str:
    """Where stuck threads are, for a message."""
    return "; ".join(
        f"thread {number} at " + " -> ".join(stack) if stack else f"thread {number}"
        for number, stack in stuck.stacks.items()
    )


def _make(store: Opened, thread: int, operation: Operation) -> Made:
    """Make a call outside the threads, watched as all others."""
    made = Made(thread, operation)
    record = Call(store.number, operation.method, ... if operation.argument is None else operation.argument)
    store.bench.calls.append(record)
    store.bench.guarded(operation.method, lambda: made.make(store.store), store.location)
    record.answer = "came back"
    return made


def _kind(step: Step, program: Program) -> tuple[object, ...]:
    """What a step is like, apart from its values."""
    argument = step.argument
    if isinstance(argument, Row):
        stored = argument.user_name is not None and any(
            row.user_name == argument.user_name for row in program.before
        )
        return step.method, tuple(argument.present()), stored
    return step.method, argument


def _operation(step: Step, ids: dict[Row, Any]) -> Operation:
    argument = step.argument
    return Operation(step.method, ids[argument.row] if isinstance(argument, IdOf) else argument)


def _rows_of(program: Program) -> list[Row]:
    steps = itertools.chain.from_iterable(program.threads)
    return [step.argument for step in steps if isinstance(step.argument, Row)]


def _stored(made: Made) -> Row:
    if made.left is None or not isinstance(made.operation.argument, Row):
        raise ValueError(f"it saved nothing: {made}")
    return made.operation.argument.but(id=made.left.id).plain()


def _rows_after(store: Opened, history: list[Made]) -> tuple[Row, ...]:
    """All rows, also those that a faulty ``get_tokens`` fails to show but ``find_token_by_id`` does."""
    listing = history[-1].reply
    rows = list(listing.value) if listing is not None and isinstance(listing.value, tuple) else []
    ids = [made.left.id for made in history if made.left is not None]
    for id in dict.fromkeys(id for id in ids if not absent(id)):
        if all(row.id != id for row in rows):
            found = _make(store, AFTER, Operation("find_token_by_id", id)).reply
            if found is not None and isinstance(found.value, Row):
                rows.append(found.value)
    return tuple(row.plain() for row in rows)
