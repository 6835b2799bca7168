"""The workspace of one check: fresh locations, opened stores, recorded calls, a watchdog over all of it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CoroutineType, TracebackType
from typing import Any, NoReturn, TypeVar

from .._spec.clause_results import ENDINGS, Difference, NotApplicable, StoreUnavailable, Violation
from .._spec.junk_answers import is_a, tame
from .._spec.tokens import Row, UnreadableToken, absent
from .answer_differences import of_answer
from .calls import Answer, CallRecord
from .differences import CHANGING, innermost_line
from .exit_guard import ProcessEndGuard
from .locations import Locations
from .messages import format_exception
from .ownership import WRITES, empty, reason_not_ours, refuse, take_over
from .store_handle import StoreHandle, marks_of
from .store_limits import active
from .store_under_test import StoreUnderTest
from .watchdog import Watchdog

Result = TypeVar("Result")


@dataclass(frozen=True)
class Effort:
    """How deep a run looks.

    Attributes:
        thorough: The ``tokenstore-thorough`` profile: ten times the examples and rounds.
        seed: What random choices start from; ``None`` for the same choices in every run.
    """

    thorough: bool = False
    seed: int | None = None

    def times(self, number: int) -> int:
        """How many examples or rounds to do where a default run does `number`."""
        return number * 10 if self.thorough else number


class Workspace:
    """What a check works with. Used as a context manager, it leaves nothing behind.

    Attributes:
        sut: The store under test.
        effort: How deep to look.
        calls: The recorded calls, in order.
        call_limit: After how many seconds a call counts as one that never comes back.
        shows_rows: ``get_tokens`` has shown rows in this check.
        compared: How many comparisons of rows this check has passed.
    """

    call_limit = 30.0

    def __init__(self, sut: StoreUnderTest, effort: Effort) -> None:
        self.sut = sut
        self.effort = effort
        self.calls: list[CallRecord] = []
        self.shows_rows = False
        self.compared = 0
        self._locations = Locations()
        self.opened: list[StoreHandle] = []
        self._proven: set[Path] = set()
        self._stored: dict[Path, set[Any]] = {}
        self._ids: dict[Path, dict[Any, None]] = {}
        self._numbers = 0
        self.home = os.getcwd()
        self._thread = threading.get_ident()
        self._watchdog = Watchdog(self.call_limit, self._locations.remove)
        self._ending = ProcessEndGuard()

    def __enter__(self) -> Workspace:  # noqa: PYI034 (Self needs Python 3.11)
        self._watchdog.start()
        self._ending.__enter__()
        self.sut.copies.watch(lambda: self._watchdog.method)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sut.copies.end_if_copy("a call", Watchdog.say)
        interrupted = isinstance(error, KeyboardInterrupt) and not self._watchdog.is_of_the_store(error)
        refusal = self.sut.refusal
        try:
            if not interrupted:
                self._leave_all()
                self._empty_shared_storage()
                self._leave_all()
        except KeyboardInterrupt:
            if not self._watchdog.hung:
                raise
            interrupted = True
        finally:
            self._watchdog.waiting = None
            self._watchdog.closing = True
            self._ending.__exit__()
            copied = self.sut.copies.stop()
            os.chdir(self.home)
            self._locations.remove()
            self._watchdog.stop()
        if interrupted and self._watchdog.hung:
            raise self._hang() from None
        if self.sut.refusal != refusal and error is None:
            raise StoreUnavailable(self.sut.refusal)
        if error is not None and not interrupted and not isinstance(error, ENDINGS):
            self._blame_the_store(error)
        if error is None and self._ending.seen:
            # In a thread of the store, or it has kept to itself what was raised instead.
            self.fail("the store does not end the program", f"{self._ending.seen} was called")
        if error is None and copied:
            self.fail("a call comes back once", f"{copied} came back in a forked process, too")

    def _hang(self) -> Violation:
        """What the watchdog has seen, as a violation."""
        method = self._watchdog.hung
        self.sut.hangs.append(method)
        seen = f"{method} had not come back after {self.call_limit:g} seconds"
        if not self._proven and not self.sut.disposable:
            self.sut.refusal = f"{seen}; nothing was written"
        done = tuple(map(str, self.calls))
        return Violation(expected=f"{method} comes back", seen=seen, done=done)

    def wait_for(self, what: str) -> None:
        """Have the watchdog watch from now on what the kit itself does with the store.

        Args:
            what: What is being done, as ``the script``, for the message.
        """
        self._watchdog.waiting = (what, time.monotonic())

    # stores

    def location(self) -> Path:
        """A new empty directory, with a name that was never used before."""
        return self._locations.new()

    def open(self, location: Path | None = None) -> StoreHandle:
        """Open the store under test on a new, empty location, or on the one that is passed.

        Raises:
            StoreUnavailable: The factory fails, or the new location is not seen to be empty.
        """
        if location is not None:
            return self._opened(location)
        opened = self.open_unproven()
        self.prove(opened)
        return opened

    def open_unproven(self) -> StoreHandle:
        """Open the store under test on a new location; its storage is looked at before the first write.

        Raises:
            StoreUnavailable: The factory fails.
        """
        try:
            return self._opened(self.location())
        except Violation as violation:
            raise StoreUnavailable(violation.seen) from violation.__cause__

    def prove(self, opened: StoreHandle) -> None:
        """See that a location is empty before it is written to for the first time.

        A location that was found empty once is the kit's own from then on.

        Raises:
            StoreUnavailable: It is not, and nothing was written to it.
        """
        if opened.proven:
            return
        take_over(opened)
        opened.proven = True
        self._proven.add(opened.location)

    def before_writing(self, opened: StoreHandle, method: str, argument: object) -> None:
        """Look at a storage before a call that writes.

        A location is looked at once. A shared storage is looked at again before a call that may reach rows
        which another program has saved meanwhile: one that deletes, or saves under an id.

        Args:
            opened: The store that is about to be called.
            method: The method that is called.
            argument: Its argument; `...` for none.

        Raises:
            StoreUnavailable: The storage is not the kit's own, or holds rows that the kit did not save.
        """
        if method not in WRITES:
            return
        self.prove(opened)
        reaches = method != "save_token" or (isinstance(argument, Row) and not absent(argument.id))
        if reaches and (reason := reason_not_ours(opened, method)):
            refuse(self.sut, reason)

    def stored(self, location: Path) -> set[Any]:
        """The ids of the rows that calls have left at a location, as far as is known."""
        return self._stored.setdefault(location, set())

    def ids(self, location: Path) -> dict[Any, None]:
        """All ids that calls have ever left in tokens at a location, in this order."""
        return self._ids.setdefault(location, {})

    def try_open(self, location: Path) -> tuple[Answer, StoreHandle | None]:
        """Open the store on a location; any answer will do, and ``None`` where it raised."""
        self._numbers += 1
        record = CallRecord(self._numbers, "open", location=location)
        self.calls.append(record)
        answer = self.guarded("open", lambda: self.sut.open(location), location)
        record.answer = "opened" if answer.raised is None else str(answer)
        if answer.raised is not None:
            return answer, None
        opened = StoreHandle(self, answer.returned, location, self._numbers)
        opened.proven = location in self._proven
        self.opened.append(opened)
        return answer, opened

    def fresh_examples(self) -> None:
        """Close what is open and forget the recorded calls: another example begins."""
        self._leave_all()
        self.calls.clear()
        self._numbers = 0

    def holding(self, *rows: Row) -> StoreHandle:
        """Arrange: a newly opened store that holds these rows and no others."""
        store = self.open()
        store.holding(*rows)
        return store

    def each(self, cases: Iterable[Result]) -> Iterator[tuple[StoreHandle, Result]]:
        """Each of several cases, in an example of its own with a newly opened store."""
        for case in cases:
            yield self.open(), case
            self.fresh_examples()

    def reopen(self, opened: StoreHandle) -> StoreHandle:
        """Close a store and open it again on the same location; failing breaks the clause."""
        self.close(opened)
        return self.open(opened.location)

    def remember(self, rows: Iterable[Row]) -> None:
        """Count these rows as the kit's own: another process is about to save them."""
        for row in rows:
            self.sut.saved.update(marks_of(row))

    def abandon(self, opened: StoreHandle) -> None:
        """Leave a store as it is, not closed: a thread is stuck in it, perhaps with its lock."""
        self.opened.remove(opened)

    def close(self, opened: StoreHandle) -> None:
        """Close a store; an exception breaks the clause."""
        self.opened.remove(opened)
        opened.closed = True
        record = CallRecord(opened.number, "close")
        self.calls.append(record)
        answer = self._guarded_close(opened)
        record.answer = str(answer)
        if answer.raised is not None:
            self.fail("closing the store works", str(answer))

    def fail(
        self,
        expected: str,
        seen: str,
        *,
        precondition_failed: bool = False,
        blame: str = "",
        difference: Difference | None = None,
    ) -> NoReturn:
        """End the check: the store breaks the clause.

        Args:
            expected: What the clause promises, in plain words.
            seen: What happened instead.
            precondition_failed: The check could not even be set up.
            blame: The clause whose known fault stands in the way; by default that of the last change or of
                a later call, and where the check could not be set up that of any call.
            difference: What differs, where rows were compared; by default what the last call answered.

        Raises:
            Violation: Always, with the calls made so far.
        """
        blame = blame or self._known_fault(precondition_failed)
        raise Violation(
            expected=expected,
            seen=seen,
            done=tuple(str(call) for call in self.calls),
            precondition_failed=precondition_failed or bool(blame),
            blame=blame,
            calls=tuple(self.calls),
            difference=difference or of_answer(self.calls, expected, seen),
        )

    def _known_fault(self, precondition_failed: bool) -> str:
        """The clause whose known fault explains what ends the check; "" for none."""
        # Looking shows what the last change has not done.
        last = max((place for place, call in enumerate(self.calls) if call.method in CHANGING), default=-1)
        calls = self.calls if precondition_failed else self.calls[last:]
        otherwise = "" if active().keeps else "SAVE-1"
        return next((call.blame for call in reversed(calls) if call.blame), otherwise)

    def _blame_the_store(self, error: BaseException) -> None:
        """Where it comes from the store what ends a check: a violation."""
        place = innermost_line(error, after=1)
        if isinstance(error, UnreadableToken) or place:
            seen = str(error) if isinstance(error, UnreadableToken) else format_exception(error)
            expected = "what the store answers can be read"
            if not isinstance(error, Exception):
                expected = "the store raises nothing that ends the program"
            self.fail(expected, seen + (f" (at {place})" if place else ""))

    def guarded(self, method: str, call: Callable[[], Any], cwd: Path) -> Answer:
        """Make a call with the watchdog running; never raises what the call raises.

        Args:
            method: The method's name, for the message of the watchdog.
            call: Makes the call.
            cwd: The current directory during the call, where the store is declared `in_location`.
        """
        if self.sut.in_location and os.getcwd() != str(cwd):
            os.chdir(cwd)
        self.sut.calls += 1
        outer = self._watchdog.waiting
        # The watchdog watches one thread; who starts others joins them within the limit.
        watched = threading.get_ident() == self._thread
        if watched:
            self._watchdog.waiting = (method, time.monotonic())
        try:
            returned = call()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and not self._watchdog.is_of_the_store(error):
                raise
            if watched and self._watchdog.interrupts:
                raise KeyboardInterrupt from error  # the store made another exception of it
            return Answer(raised=error)
        finally:
            self.sut.copies.end_if_copy(method, Watchdog.say)
            if watched:
                self._watchdog.came_back(outer)
        if watched and self._watchdog.interrupts:
            raise KeyboardInterrupt  # the store has swallowed it
        if is_a(returned, CoroutineType):
            returned.close()
        if method == "break_storage":
            for opened in self.opened:
                opened.out_of_reach = True
        return Answer(returned=returned if method == "open" else tame(returned))

    def _opened(self, location: Path) -> StoreHandle:
        answer, opened = self.try_open(location)
        if opened is None:
            self.fail("the store opens", str(answer), blame="" if active().opens_empty else "PERSIST-1")
        return opened

    def _empty_shared_storage(self) -> None:
        """Remove what closed stores have left, so that the next run, which does not know it, can begin."""
        if self.sut.own_storage or self._locations.base is None or self.sut.hangs or self.sut.refusal:
            return
        with contextlib.suppress(StoreUnavailable):
            self.open()

    def _leave_all(self) -> None:
        for opened in reversed(list(self.opened)):
            self.leave(opened)

    def leave(self, opened: StoreHandle) -> None:
        """Close a store, whatever comes of it; a shared storage is emptied first."""
        if not self.sut.own_storage and opened.found_empty:
            self.sut.refusal = self.sut.refusal or empty(opened)
        if opened in self.opened:
            self.opened.remove(opened)
        self._guarded_close(opened)

    def _guarded_close(self, opened: StoreHandle) -> Answer:
        return self.guarded("close", lambda: self.sut.close(opened.store), opened.location)


def not_applicable(reason: str) -> NoReturn:
    """End the check: the clause does not apply, for this reason."""
    raise NotApplicable(reason)


def precondition(act: Callable[[], Result]) -> Result:
    """Do what a check rests on: where it breaks, that is the fault of another clause."""
    try:
        return act()
    except Violation as violation:
        violation.precondition_failed = True
        raise
