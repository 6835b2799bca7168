"""Runs short programs of concurrent calls on a store, many times, with one thread paused at chosen places."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from ..._harness.calls import CallRecord
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active, first_with_an_id
from ..._harness.workspace import Workspace, precondition
from ..._spec.clause_results import Violation
from ..._spec.model import Call
from ..._spec.tokens import Row, absent
from .linearizability import AFTER, BEFORE, Invocation, format_timeline
from .pause_points import Place, pause_points
from .programs import ThreadProgram, calls_of, kind_of, rows_of_program
from .rendezvous import Scheduler, Stuck
from .shared_state import library_files
from .step_tracer import StepTracer, holds_a_lock
from .steps import ANYTHING, FILES, OUTSIDE, Step, nested, split, telling
from .threads_of_stores import following_threads, forget_followed

Works = list[list[Callable[[], None]]]
"""The steps of each thread."""
RUNS = 8
"""How many runs are made on one store, emptied in between, before another one is opened."""
LOOKS = 2
"""After how many of these the rows are listed to see that none is left."""
FEW = 10
"""At how many places, of which a share is tried, a thread of a slow or large store is paused at most."""


@dataclass(frozen=True)
class ThreadRun:
    """One run of a program.

    Attributes:
        history: Its calls as they were made, by the time at which they began.
        rows: All rows afterwards.
        places: Where in the store's code the leading thread stood still, else what it came by.
        leader: Which thread that was, if one led.
        paused: It stood still.
        worth: Which of the places are worth standing still at, where that was learned.
        waited: While the leading thread stood still, others waited for it.
    """

    history: tuple[Invocation, ...]
    rows: tuple[Row, ...]
    places: tuple[Place, ...] = ()
    leader: int = 0
    paused: bool = False
    worth: tuple[int, ...] = ()
    waited: bool = False

    @property
    def before(self) -> list[Row]:
        """The rows that were saved before the threads, with their ids."""
        return [_stored(made) for made in self.history if made.thread == BEFORE]

    @property
    def at_once(self) -> list[Invocation]:
        """The calls of the threads."""
        return [made for made in self.history if made.thread > 0]

    def fail(self, expected: str, seen: str) -> NoReturn:
        """End the check: this run shows that the store breaks the clause.

        Args:
            expected: What a correct store does.
            seen: What this one did.

        Raises:
            Violation: Always, with the calls by thread and time.
        """
        done = format_timeline(self.history)
        if self.paused:
            done.append(
                f"(thread {self.leader + 1} stood still at {self.places[0]}, until the others had "
                "finished or waited for it)"
            )
        raise Violation(expected=expected, seen=seen, done=tuple(done))


class ThreadRunner:
    """Runs programs, each on an empty store."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._scheduler = Scheduler(workspace.call_limit)
        self._store: StoreHandle | None = None
        self._runs = 0
        self._turn = 0

    def run_free(self, program: ThreadProgram) -> ThreadRun:
        """Run the threads of a program, all at once.

        Raises:
            Violation: Threads do not come back, or a row cannot be saved before them.
        """
        return self._run(program, self._scheduler.run_free)

    def run_with_pause(
        self, program: ThreadProgram, leader: int, pause: int, *, within: bool = False, again: bool = False
    ) -> ThreadRun:
        """Run a program with one thread first: it ends, or is paused, before the others start.

        Args:
            program: The program.
            leader: Which thread begins.
            pause: At which of the places that it comes by it is paused.
            within: It is paused in the middle of the line that begins there, once it has a lock.
            again: It is paused each time that it comes there, and meanwhile another one makes one call.

        Raises:
            Violation: Threads do not come back, or a row cannot be saved before them.
        """
        places: list[Place] = []

        def meet(works: Works) -> None:
            ready = holds_a_lock(self._store and self._store.store) if within else None
            places.extend(self._scheduler.run_with_pause(works, leader, pause, ready, again=again))

        ran = self._run(program, meet)
        paused = len(places) == 1
        waited = paused and self._scheduler.waited
        return ThreadRun(ran.history, ran.rows, tuple(places), leader, paused, waited=waited)

    def run_on(
        self, store: StoreHandle, threads: Sequence[Sequence[Call]], pause: int | None = None
    ) -> ThreadRun:
        """Run threads on a store as it is; the first one ends, or is paused, before the others start.

        Where it is not paused, all of them run one after another, and what is worth a pause is learned.

        Args:
            store: The store, which is left as the threads leave it.
            threads: The calls of each thread.
            pause: At which of the places that it comes by the first thread stands still.

        Returns:
            The run, without the rows afterwards.

        Raises:
            Violation: Threads do not come back.
        """
        history: list[Invocation] = []
        places: list[Place] = []
        learned: list[list[Step]] = []

        def meet(works: Works) -> None:
            if pause is None:
                learned.extend(self._watch(store, works, 0))
            else:
                places.extend(self._scheduler.run_with_pause(works, 0, pause))

        self._at_once(store, history, threads, meet)
        if pause is not None:
            return ThreadRun(tuple(history), (), tuple(places), 0, len(places) == 1)
        first, *others = learned
        worth = telling(first, list(itertools.chain.from_iterable(others)))
        return ThreadRun(tuple(history), (), tuple(step.place for step in first), worth=tuple(worth))

    def interleavings(
        self, program: ThreadProgram, most: int, leaders: int | None = None, *, again: bool = False
    ) -> Iterator[ThreadRun]:
        """Run a program again and again, with one thread paused in turn wherever that may show something.

        Args:
            program: The program. Threads whose calls differ only in their values count as equal: only the
                first of them is paused.
            most: The largest number of pause points for a thread; slow stores get fewer.
            leaders: How many threads, from the first on, are paused; by default all.
            again: The thread is paused each time that it comes by such a place, for one call of another.
        """
        kinds = [tuple(kind_of(step, program) for step in thread) for thread in program.threads]
        leading = [number for number in range(len(kinds))[:leaders] if kinds.index(kinds[number]) == number]
        learned: dict[int, list[list[Step]]] = {}
        sut = self.workspace.sut
        closely = self.is_slow or sut.is_large
        while True:
            known = sut.is_large
            for leader in leading:
                learned[leader] = []
                yield self._one_after_another(program, leader, learned[leader], closely=closely)
            others = {
                leader: _of_others(leader, learned, kinds.count(kinds[leader]) > 1) for leader in leading
            }
            worth = {leader: telling(learned[leader][leader], others[leader]) for leader in leading}
            few = all(len(worth[leader]) <= len(program.threads[leader]) for leader in leading)
            if known == sut.is_large and (self.is_slow or few or closely):
                break
            closely = True
        for leader in leading:
            self._turn += 1
            steps = learned[leader][leader]
            before, within = nested(steps, others[leader])
            places = [step.place for step in steps]
            points = pause_points(places, self.affordable(most), self._turn, worth[leader])
            # Where it may give back a lock, also one that nobody sees, the others need not wait any more.
            changes = [
                number
                for number, step in enumerate(steps)
                if step.changes
                or step.reads & {FILES, OUTSIDE, ANYTHING}
                or step.held != steps[min(number + 1, len(steps) - 1)].held
            ]
            for some in split(sorted({*points, *before}), changes):
                run = partial(self.run_with_pause, program, leader, again=again)
                yield from self._everywhere(run, some)
            for pause in within:
                yield self.run_with_pause(program, leader, pause, within=True)

    @staticmethod
    def _everywhere(run: Callable[[int], ThreadRun], points: list[int]) -> Iterator[ThreadRun]:
        """Runs with a pause at each of some points between which the thread changes nothing.

        Where the others wait at two of them, they wait at all in between, and see the same.
        """
        while points:
            ran = run(points.pop(0))
            yield ran
            if not ran.waited or len(points) < 2:
                continue
            waiting, going_on = 0, len(points)  # the first so many wait; from here on, they do not
            tried = len(points) - 1
            while waiting < going_on:
                ran = run(points[tried])
                yield ran
                if ran.waited:
                    waiting = tried + 1
                else:
                    going_on = tried
                tried = (waiting + going_on) // 2
            del points[: going_on + 1]

    def _one_after_another(
        self, program: ThreadProgram, leader: int, learned: list[list[Step]], *, closely: bool
    ) -> ThreadRun:
        """Run the threads one after another, one of them first, and learn their steps."""

        def meet(works: Works) -> None:
            if self._store is not None:
                learned.extend(self._watch(self._store, works, leader, closely=closely))

        ran = self._run(program, meet)
        return ThreadRun(ran.history, ran.rows, leader=leader)

    def _watch(
        self, store: StoreHandle, works: Works, leader: int, *, closely: bool = False
    ) -> list[list[Step]]:
        sut = self.workspace.sut
        self._scheduler.in_brief = library_files(store.store) if sut.is_large else None
        learned: list[list[Step]] = [[] for _ in works]
        for number in sorted(range(len(works)), key=lambda number: number != leader):
            tracer = StepTracer(store.store, store.location, closely=closely, too_large=sut.is_large)
            self._scheduler.run_free([[partial(tracer.watch, step) for step in works[number]]])
            learned[number] = tracer.steps
            sut.is_large = tracer.found_too_much
        return learned

    @property
    def is_slow(self) -> bool:
        """Whether the store is slow: then its threads are paused at few places."""
        return self.workspace.sut.pace.share < 1

    def affordable(self, most: int) -> int:
        """How many of so many runs to make: all of them, unless the store is slow or large."""
        sut = self.workspace.sut
        return sut.pace.affordable(min(most, FEW) if self.is_slow or sut.is_large else most)

    @following_threads()
    def _run(self, program: ThreadProgram, meet: Callable[[Works], None]) -> ThreadRun:
        # A store that was never used makes its file or table with the first save.
        store = self._empty_store(fresh=not program.before)
        self.workspace.remember([*program.before, *rows_of_program(program)])
        history: list[Invocation] = []
        ids: dict[Row, Any] = {}
        # Where the store gives no ids, its rows go by their keys.
        sent_before = first_with_an_id(program.before) if active().gives_ids else program.before
        for row, sent in zip(program.before, sent_before, strict=True):
            made = _make(store, BEFORE, Call("save_token", sent))
            history.append(made)
            if made.passed_after is None or absent(made.passed_after.id):
                self.workspace.fail(
                    "a new token is stored and gets an id", str(made), precondition_failed=True
                )
            ids[row] = made.passed_after.id
        self._at_once(store, history, [calls_of(thread, ids) for thread in program.threads], meet)
        history.append(_make(store, AFTER, Call("get_tokens")))
        return ThreadRun(tuple(history), _rows_after(store, history))

    def _at_once(
        self,
        store: StoreHandle,
        history: list[Invocation],
        threads: Sequence[Sequence[Call]],
        meet: Callable[[Works], None],
    ) -> None:
        """Have threads make their calls, and add these to a history by the time at which they began."""
        made = [[Invocation(number, step) for step in thread] for number, thread in enumerate(threads, 1)]
        history += itertools.chain.from_iterable(made)
        self.workspace.sut.calls += sum(map(len, made))
        if any(step.method.startswith("delete") for step in itertools.chain.from_iterable(threads)):
            self.workspace.before_writing(store, "delete_tokens", ...)
        # The calls so far left the process in the store's location, where that is promised.
        try:
            meet([[partial(one.make, store.store) for one in thread] for thread in made])
        except Stuck as stuck:
            self._leave(store, history, stuck)
        history.sort(key=lambda one: one.start or 0)

    def _empty_store(self, fresh: bool) -> StoreHandle:
        store = self._store
        if store is None or fresh or self._runs >= RUNS or not self._emptied(store):
            self.workspace.fresh_examples()
            forget_followed()
            store = self.workspace.open()
            if fresh and self.workspace.sut.own_storage and active().opens_empty:
                # Looking whether it is empty was its first call; this one has not been called yet.
                store = precondition(partial(self.workspace.reopen, store))
            self._store = store
            self._runs = 0
        self._runs += 1
        self.workspace.calls.clear()
        return store

    def _emptied(self, store: StoreHandle) -> bool:
        cleared = _make(store, BEFORE, Call("delete_tokens"))
        if self._runs > LOOKS and not cleared.raised:
            return True
        listing = _make(store, BEFORE, Call("get_tokens")).observation
        return listing is not None and listing.value == ()

    def _leave(self, store: StoreHandle, history: list[Invocation], stuck: Stuck) -> NoReturn:
        """Tell where the threads are stuck, and never touch their store again."""
        self.workspace.abandon(store)
        waiting = [made for made in history if made.thread > 0 and made.start and made.end is None]
        # One deadlock is one hang, whatever number of calls it holds.
        methods = dict.fromkeys(made.call.method for made in waiting)
        self.workspace.sut.hangs.append(" and ".join(methods))
        raise Violation(
            expected="every call comes back, whatever other threads call",
            seen=f"{stuck}; the threads that had not: " + format_stacks(stuck),
            done=tuple(format_timeline(sorted(history, key=lambda made: made.start or 0))),
        )


def format_stacks(stuck: Stuck) -> str:
    """Where stuck threads are, for a message."""
    return "; ".join(
        f"thread {number} at " + " -> ".join(stack) if stack else f"thread {number}"
        for number, stack in stuck.stacks.items()
    )


def _make(store: StoreHandle, thread: int, call: Call) -> Invocation:
    """Make a call outside the threads, watched as all others."""
    store.workspace.before_writing(store, call.method, call.argument)
    made = Invocation(thread, call)
    record = CallRecord(store.number, call.method, ... if call.argument is None else call.argument)
    store.workspace.calls.append(record)
    store.workspace.guarded(call.method, lambda: made.make(store.store), store.location)
    record.answer = "came back"
    if made.start is not None and made.end is not None and not made.raised:
        store.workspace.sut.pace.took(call.method, (made.end - made.start) / 1e9)
    return made


def _of_others(leader: int, learned: dict[int, list[list[Step]]], has_twin: bool) -> list[Step]:
    """The steps of the threads beside one, in whichever order they ran; a twin's are also its own."""
    return [
        step
        for first, threads in learned.items()
        for number, steps in enumerate(threads)
        if number != leader or (has_twin and first == leader)
        for step in steps
    ]


def _stored(made: Invocation) -> Row:
    if made.passed_after is None or not isinstance(made.call.argument, Row):
        raise ValueError(f"it saved nothing: {made}")
    return made.call.argument.but(id=made.passed_after.id).plain()


def _rows_after(store: StoreHandle, history: list[Invocation]) -> tuple[Row, ...]:
    """All rows, also those that a faulty ``get_tokens`` fails to show but ``find_token_by_id`` does."""
    listing = history[-1].observation
    rows = list(listing.value) if listing is not None and isinstance(listing.value, tuple) else []
    ids = [made.passed_after.id for made in history if made.passed_after is not None]
    for id in dict.fromkeys(id for id in ids if not absent(id)):
        if all(row.id != id for row in rows):
            found = _make(store, AFTER, Call("find_token_by_id", id)).observation
            if found is not None and isinstance(found.value, Row):
                rows.append(found.value)
    return tuple(row.plain() for row in rows)
