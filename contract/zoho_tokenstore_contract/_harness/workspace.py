"""The workspace of one check: fresh locations, opened stores, recorded calls, a watchdog over all of it."""

from __future__ import annotations

import contextlib
import inspect
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from .._spec.outcomes import NotApplicable, StoreUnavailable, Violation
from .._spec.tokens import Row
from .calls import Answer, CallRecord, rows_of
from .limits import active
from .store_handle import StoreHandle, marks_of
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


_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (mkdtemp makes a directory of its own in it)
_ROOM = 1 << 30  # bytes; containers often have 64 MB there


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
        self._base: Path | None = None
        self.opened: list[StoreHandle] = []
        self._numbers = 0
        self.home = os.getcwd()
        self._thread = threading.get_ident()
        self._watchdog = Watchdog(self.call_limit)

    def __enter__(self) -> Workspace:  # noqa: PYI034 (Self needs Python 3.11)
        self._watchdog.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
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
            self._watchdog.stop()
            os.chdir(self.home)
            if self._base is not None:
                shutil.rmtree(self._base, ignore_errors=True)
        if interrupted and self._watchdog.hung:
            raise self._hang() from None

    def _hang(self) -> Violation:
        """What the watchdog has seen, as a violation."""
        method = self._watchdog.hung
        self.sut.hangs.append(method)
        return Violation(
            expected=f"{method} comes back",
            seen=f"{method} had not come back after {self.call_limit:g} seconds",
            done=tuple(str(call) for call in self.calls),
        )

    def wait_for(self, what: str) -> None:
        """Have the watchdog watch from now on what the kit itself does with the store.

        Args:
            what: What is being done, as ``the script``, for the message.
        """
        self._watchdog.waiting = (what, time.monotonic())

    # stores

    def location(self) -> Path:
        """A new empty directory, with a name that was never used before."""
        if self._base is None:
            self._base = Path(tempfile.mkdtemp(prefix="tokenstore-", dir=_in_memory())).resolve()
        location = self._base / f"t{secrets.token_hex(8)}"
        location.mkdir()
        return location

    def open(self, location: Path | None = None) -> StoreHandle:
        """Open the store under test on a new, empty location, or on the one that is passed.

        Raises:
            StoreUnavailable: The factory fails, or the new location already holds rows that
                are not the kit's own.
        """
        if location is not None:
            return self._opened(location)
        location = self.location()
        try:
            opened = self._opened(location)
        except Violation as violation:
            raise StoreUnavailable(violation.seen) from violation.__cause__
        self._ensure_empty(opened)
        return opened

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
        self.opened.append(opened)
        return answer, opened

    def fresh_examples(self) -> None:
        """Close what is open and forget the recorded calls: another example begins."""
        self._leave_all()
        self.calls.clear()
        self._numbers = 0

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
        record = CallRecord(opened.number, "close")
        self.calls.append(record)
        answer = self._guarded_close(opened)
        record.answer = str(answer)
        if answer.raised is not None:
            self.fail("closing the store works", str(answer))

    def fail(
        self, expected: str, seen: str, *, precondition_failed: bool = False, blame: str = ""
    ) -> NoReturn:
        """End the check: the store breaks the clause.

        Args:
            expected: What the clause promises, in plain words.
            seen: What happened instead.
            precondition_failed: The check could not even be set up.
            blame: The clause whose known fault stands in the way.

        Raises:
            Violation: Always, with the calls made so far.
        """
        raise Violation(
            expected=expected,
            seen=seen,
            done=tuple(str(call) for call in self.calls),
            precondition_failed=precondition_failed or bool(blame),
            blame=blame,
            calls=tuple(self.calls),
        )

    def guarded(self, method: str, call: Callable[[], Any], cwd: Path) -> Answer:
        """Make a call with the watchdog running; never raises what the call raises.

        Args:
            method: The method's name, for the message of the watchdog.
            call: Makes the call.
            cwd: The current directory during the call, where the store is declared `in_location`.
        """
        if self.sut.in_location and os.getcwd() != str(cwd):
            os.chdir(cwd)
        outer = self._watchdog.waiting
        # The watchdog watches one thread; who starts others joins them within the limit.
        watched = threading.get_ident() == self._thread
        if watched:
            self._watchdog.waiting = (method, time.monotonic())
        try:
            returned = call()
        except Exception as error:
            return Answer(raised=error)
        finally:
            if watched:
                self._watchdog.waiting = outer
        if inspect.iscoroutine(returned):
            returned.close()
        return Answer(returned=returned)

    def _opened(self, location: Path) -> StoreHandle:
        answer, opened = self.try_open(location)
        if opened is None:
            self.fail("the store opens", str(answer), blame="" if active().opens_empty else "PERSIST-1")
        return opened

    def _ensure_empty(self, opened: StoreHandle) -> None:
        rows = rows_of(opened.quietly("get_tokens"))
        if isinstance(rows, str):
            if not self.sut.own_storage:
                raise StoreUnavailable(
                    f"the shared storage cannot be shown to be empty ({rows}); nothing was written"
                )
            return
        if rows and not all(opened.is_ours(row) for row in rows):
            raise StoreUnavailable(
                f"the storage already holds {len(rows)} token(s) that the kit did not save; "
                "nothing was written. Point the kit at an empty storage."
            )
        if rows:
            opened.quietly("delete_tokens")
        opened.found_empty = True

    def _empty_shared_storage(self) -> None:
        """Remove what closed stores have left, so that the next run, which does not know it, can begin."""
        if self.sut.own_storage or self._base is None or self.sut.hangs:
            return
        with contextlib.suppress(StoreUnavailable):
            self.open()

    def _leave_all(self) -> None:
        for opened in reversed(list(self.opened)):
            self.leave(opened)

    def leave(self, opened: StoreHandle) -> None:
        if not self.sut.own_storage and opened.found_empty:
            opened.quietly("delete_tokens")
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


def _in_memory() -> str | None:
    """Where Linux keeps files in memory, if there is room; ``None`` for the usual temporary directory.

    A store that waits for the disk at each save is checked several times as fast there, and no
    clause asks what a power loss leaves. Who sets ``TMPDIR`` is obeyed.
    """
    try:
        free = shutil.disk_usage(_SHARED_MEMORY).free
    except OSError:
        return None
    usable = os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) and free > _ROOM
    return _SHARED_MEMORY if usable and "TMPDIR" not in os.environ else None
