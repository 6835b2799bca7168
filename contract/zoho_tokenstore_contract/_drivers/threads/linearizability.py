"""Histories of concurrent calls: recording them, and deciding whether some order explains them.

The decision is Wing and Gong's search with memoization: take the calls one by one, each of them only
once every call that had ended before it began is taken, and follow the reference model. Which calls
are taken and in which state the model is, is all that matters for the rest, so no such pair is
searched twice.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..._harness.messages import format_answer, format_exception, format_rows
from ..._harness.store_limits import active
from ..._spec.clause_results import Undecided
from ..._spec.junk_answers import Junk, tame
from ..._spec.model import Call, Observation, State, observe, successors
from ..._spec.tokens import Row, UnreadableToken, absent, format_token, format_value, to_token

BUDGET = 5_000
"""How many pairs of taken calls and model state a search visits before it gives up."""

BEFORE, AFTER = 0, -1
"""Pseudo thread numbers for calls before (0) and after (-1) the concurrent part."""

_NO_ARGUMENT = ("get_tokens", "delete_tokens")


@dataclass
class Invocation:
    """One call of a history.

    Attributes:
        thread: In which thread, counted from 1; `BEFORE` or `AFTER` outside them.
        call: The call.
        start: When it began, in nanoseconds.
        end: When it came back; ``None`` while it has not.
        observation: What came back.
    """

    thread: int
    call: Call
    start: int | None = None
    end: int | None = None
    observation: Observation | None = field(default=None, repr=False)

    def make(self, store: Any) -> None:
        """Make the call on a store and record it; whatever it raises is an answer."""
        argument = self.call.argument
        passed: Any = to_token(argument) if isinstance(argument, Row) else argument
        arguments = () if self.call.method in _NO_ARGUMENT else (passed,)
        method = getattr(store, self.call.method)
        returned = raised = None
        self.start = time.perf_counter_ns()
        try:
            returned = method(*arguments)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise  # the watchdog's, or the user's
            raised = error
        self.end = time.perf_counter_ns()
        self.observation = _observed(returned, raised, passed)

    @property
    def raised(self) -> bool:
        """Whether the call raised."""
        return self.observation is not None and self.observation.kind != "returned"

    @property
    def passed_after(self) -> Row | None:
        """The fields of the passed token after the call."""
        return None if self.observation is None else self.observation.passed_after

    @property
    def rows(self) -> list[Row]:
        """The rows that a reading call answered with."""
        value = None if self.observation is None else self.observation.value
        answered = value if isinstance(value, tuple) else (value,)
        return [row.plain() for row in answered if isinstance(row, Row)]

    def __str__(self) -> str:
        sent, after = self.call.argument, ""
        if isinstance(sent, Row) and self.passed_after is not None and self.passed_after.id != sent.id:
            after = f"; the token's id is now {format_value(self.passed_after.id)}"
        return f"{self.call} -> {self.answer_in_words}{after}"

    @property
    def answer_in_words(self) -> str:
        """The answer in words."""
        if self.observation is None:
            return "has not come back"
        value = self.observation.value
        if self.observation.text:
            return self.observation.text
        if isinstance(value, Row):
            return "returned " + format_token(value)
        if isinstance(value, tuple) and all(isinstance(row, Row) for row in value):
            return f"returned {format_rows(value)}"
        return f"returned {format_answer(value)}"


def _observed(returned: Any, raised: BaseException | None, passed: Any) -> Observation:
    """The answer as it reads now: what the store does to it later is another clause's."""
    if raised is not None:
        return observe(None, raised, passed, f"raised {format_exception(raised)}")
    try:
        return _with_ids(observe(tame(returned), None, passed))
    except UnreadableToken as error:
        return Observation("returned", Junk("a token"), text=f"a token that cannot be read: {error}")


def _with_ids(seen: Observation) -> Observation:
    """The answer of a store that gives no ids, as of one whose ids tell the rows apart: by their keys."""
    if active().gives_ids:
        return seen

    def named(value: Any) -> Any:
        if not isinstance(value, Row) or not absent(value.id):
            return value
        keys = (value.user_name, value.refresh_token, value.grant_token, value.access_token)
        return value.but(id=f"no id ({next((key for key in keys if key is not None), '')})")

    rows = tuple(map(named, seen.value)) if isinstance(seen.value, tuple) else named(seen.value)
    return replace(seen, value=rows, passed_after=named(seen.passed_after))


@dataclass(frozen=True)
class Counterexample:
    """Why no order explains a history.

    Attributes:
        explained: The longest sequence of calls that the model follows, as places in the history.
        state: The rows after it.
        stuck: The call that cannot come next, and that may not come later.
        rival: The call without which that one could, or else the last one that it overlaps: the two
            cannot be ordered. ``None`` where no call came before.
    """

    explained: tuple[int, ...]
    state: State
    stuck: int
    rival: int | None


def check_linearizable(history: Sequence[Invocation], budget: int = BUDGET) -> Counterexample | None:
    """Search for an order that explains a history that began with an empty store.

    Args:
        history: The calls; all have come back.
        budget: How many pairs of taken calls and state to visit.

    Returns:
        ``None`` where there is such an order, else why there is none.

    Raises:
        Undecided: The budget is spent, or a call is made in a state in which the contract leaves it
            open.
    """
    search = _OrderSearch(history, budget)
    if search.explains(range(len(history))):
        return None
    explained, state = search.longest, search.state
    left = [place for place in range(len(history)) if place not in explained]
    # The next to end has to be taken before any that begins later.
    stuck = min(left, key=lambda place: _end(history[place]))
    alongside = [place for place in reversed(explained) if _overlap(history[place], history[stuck])]
    earlier = [
        place for place in reversed(explained) if place not in alongside and history[place].thread != BEFORE
    ]
    for place in (*alongside, *earlier):
        rest = [other for other in explained if other != place]
        with contextlib.suppress(Undecided):
            if _OrderSearch(history, budget).explains([*rest, stuck]):
                return Counterexample(explained, state, stuck, place)
    return Counterexample(explained, state, stuck, next(iter((*alongside, *reversed(explained))), None))


class _OrderSearch:
    """One search through the orders of some calls."""

    def __init__(self, history: Sequence[Invocation], budget: int) -> None:
        self.history = history
        self.budget = budget
        self.longest: tuple[int, ...] = ()
        self.state: State = ()

    def explains(self, places: Iterable[int]) -> bool:
        """Whether some order of these calls of the history explains their answers."""
        wanted = frozenset(places)
        visited: set[tuple[frozenset[int], State]] = set()
        order: list[int] = []
        # For each taken call, and for none, what is still to be tried after it.
        ahead = [self._next(wanted, ())]
        while ahead:
            following = next(ahead[-1], None)
            if following is None:
                ahead.pop()
                if order:
                    order.pop()
                continue
            place, state = following
            order.append(place)
            if len(order) > len(self.longest):
                self.longest, self.state = tuple(order), state
            if len(order) == len(wanted):
                return True
            left = wanted.difference(order)
            if (left, state) in visited:
                order.pop()
                continue
            visited.add((left, state))
            if len(visited) > self.budget:
                raise Undecided(
                    f"the search for an order of {len(wanted)} calls was given up after {self.budget} states"
                )
            ahead.append(self._next(left, state))
        return not wanted

    def _next(self, left: frozenset[int], state: State) -> Iterator[tuple[int, State]]:
        """The calls of which one may come next, each with a state in which a store may be after it."""
        first_end = min((_end(self.history[place]) for place in left), default=0)
        for place in sorted(left):
            call = self.history[place]
            if call.start is None or call.observation is None:
                raise ValueError(f"it has not come back: {call}")
            if call.start > first_end:
                continue
            try:
                states = successors(state, call.call, call.observation)
            except ValueError as error:
                raise Undecided(f"in one of the states that are possible, {error}") from error
            for after in states:
                yield place, after


def format_timeline(history: Sequence[Invocation]) -> list[str]:
    """A history for a message: for each call a line with its thread, its time as a bar, and itself."""
    moments = sorted({moment for call in history for moment in (call.start, call.end) if moment is not None})
    column = {moment: number for number, moment in enumerate(moments)}
    lines = []
    for call in history:
        if call.start is None:
            continue  # its thread never came to it
        start = column[call.start]
        end = len(moments) if call.end is None else column[call.end]
        bar = " " * start + "[" + "=" * (end - start - 1) + ("]" if call.end is not None else "")
        lines.append(f"{_named(call.thread):8} {bar:{len(moments)}}  {call}")
    return lines


def _named(thread: int) -> str:
    if thread in (BEFORE, AFTER):
        return "before" if thread == BEFORE else "after"
    return f"thread {thread}"


def _end(call: Invocation) -> int:
    if call.end is None:
        raise ValueError(f"it has not come back: {call}")
    return call.end


def _overlap(one: Invocation, other: Invocation) -> bool:
    return bool(
        one.start is not None
        and other.start is not None
        and one.start <= _end(other)
        and other.start <= _end(one)
    )
