"""The workbench of one check: fresh locations, opened stores, recorded calls, observed rows.

Checks arrange, act and compare through this module alone, so that every failure can tell the calls
in order, and so that no check touches rows that are not the kit's own.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from .._spec.outcomes import NotApplicable, StoreUnavailable, Violation
from .._spec.sdk import load
from .._spec.tokens import CREDENTIALS, FIELDS, Row, absent, shown, shown_row, to_row, to_token
from .store_under_test import Subject

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


@dataclass(frozen=True)
class Answer:
    """What came back from one call: a value or an exception, never both."""

    returned: Any = None
    raised: BaseException | None = None

    @property
    def refused(self) -> bool:
        """Whether the call raised the SDK's own exception."""
        return isinstance(self.raised, load().SDKException)

    def __str__(self) -> str:
        if self.raised is not None:
            return f"raised {shown_exception(self.raised)}"
        return f"returned {shown_value(self.returned)}"


@dataclass
class Passed:
    """A token that a check passed to a store, and what the store answered.

    Attributes:
        token: The very object that was passed.
        sent: Its fields before the call.
        answer: What came back.
        left: Its fields after the call.
    """

    token: Any
    sent: Row
    answer: Answer

    @property
    def left(self) -> Row:
        return to_row(self.token)


@dataclass
class Call:
    """One recorded call, structured enough to be told and to be made again.

    Attributes:
        store: Which store of the check it was made on, counted from 1.
        method: The method's name, or ``open`` and ``close``.
        argument: A row for a token, else the value; `...` where the method takes none.
        answer: What came back; ``None`` while the call has not come back.
        left: For a token: the id that it carried afterwards.
        passed: For a token: the very object.
        returned: What came back.
        location: Where ``open`` opened the store.
    """

    store: int
    method: str
    argument: Any = ...
    answer: str | None = None
    left: Any = None
    passed: Any = None
    returned: Any = None
    location: Path | None = None

    def __str__(self) -> str:
        name = f"store{'' if self.store == 1 else self.store}"
        if isinstance(self.argument, Row):
            argument = shown_row(self.argument).replace("Row(", "OAuthToken(", 1)
        else:
            argument = "" if self.argument is ... else shown(self.argument)
        after = f"; the token's id is now {shown(self.left)}" if self.left is not None else ""
        return f"{name}.{self.method}({argument}) -> {self.answer or 'has not come back'}{after}"


class Opened:
    """An open store on its location, with every call recorded.

    Rows are read with ``get_tokens``. Where that cannot show what was just stored but
    ``find_token_by_id`` can, rows are read by id instead, so that a fault of ``get_tokens`` is
    reported under its own clauses alone.

    Attributes:
        latest: All rows as `expect` saw them last.
    """

    def __init__(self, bench: Bench, store: Any, location: Path, number: int) -> None:
        self.bench = bench
        self.store = store
        self.location = location
        self.number = number
        self.latest: list[Row] = []
        self._by_id = False
        self._ids: dict[Any, None] = {}
        self._found_empty = False

    # calls

    def call(self, method: str, *arguments: Any, cwd: Path | None = None) -> Answer:
        """Call a method by name with positional arguments, recorded; never raises."""
        argument: Any = ...
        if arguments:
            argument = to_row(arguments[0]) if _is_token(arguments[0]) else arguments[0]
        record = Call(self.number, method, argument)
        if isinstance(argument, Row):
            record.passed = arguments[0]
        self.bench.calls.append(record)
        answer = self.bench.guarded(
            method, lambda: getattr(self.store, method)(*arguments), cwd or self.location
        )
        if isinstance(argument, Row) and answer.raised is None:
            left = _id_of(arguments[0])
            if not absent(left):
                self._ids[left] = None  # also one that the token brought: it may be a new row's
                record.left = left if left != argument.id else None
        record.answer = str(answer)
        record.returned = answer.returned
        return answer

    def try_save(self, row: Row) -> Passed:
        """Pass a new token with these fields to ``save_token``; any answer will do."""
        return self.try_save_token(to_token(row))

    def try_save_token(self, token: Any) -> Passed:
        """Pass this very token to ``save_token``; any answer will do."""
        sent = to_row(token)
        self._remember(sent)
        return Passed(token, sent, self.call("save_token", token))

    def save(self, row: Row) -> Passed:
        """Save a new token with these fields; raising breaks the clause."""
        return self.save_token(to_token(row))

    def save_token(self, token: Any) -> Passed:
        """Save this very token; raising breaks the clause."""
        passed = self.try_save_token(token)
        if passed.answer.raised is not None:
            self.bench.broken("save_token stores the token", str(passed.answer))
        return passed

    def find(self, row: Row) -> Passed:
        """Pass a new token with these fields to ``find_token``; raising breaks the clause."""
        token = to_token(row)
        passed = Passed(token, row, self.call("find_token", token))
        if passed.answer.raised is not None:
            self.bench.broken("find_token returns a token or None", str(passed.answer))
        return passed

    def find_quietly(self, row: Row) -> Answer:
        """Pass a new token with these fields to ``find_token``; any answer will do."""
        return self.call("find_token", to_token(row))

    def found(self, row: Row) -> Row | None:
        """The fields of what ``find_token`` returns for such a token, ``None`` for a miss."""
        passed = self.find(row)
        return self._row_or_none("find_token", passed.answer)

    def found_by_id(self, id: Any) -> Row | None:
        """The fields of what ``find_token_by_id`` returns; raising breaks the clause."""
        answer = self.call("find_token_by_id", id)
        if answer.raised is not None:
            self.bench.broken("find_token_by_id returns a token or None", str(answer))
        return self._row_or_none("find_token_by_id", answer)

    def listed(self) -> list[Row]:
        """The rows that ``get_tokens`` shows; anything but a list of tokens breaks the clause."""
        answer = self.call("get_tokens")
        rows = _rows_of(answer)
        if isinstance(rows, str):
            self.bench.broken("get_tokens returns a list of OAuthToken objects", rows)
        return rows

    def clear(self) -> Answer:
        """Call ``delete_tokens``, but only where every stored row is the kit's own.

        A storage whose content could not be read is never emptied: it may be somebody's.
        """
        if not self._found_empty:
            rows = _rows_of(self._quietly("get_tokens"))
            if isinstance(rows, str) or not all(self._is_ours(row) for row in rows):
                self.bench.broken(
                    "get_tokens shows that the store holds nothing but what this check saved, "
                    "so that delete_tokens may be called",
                    rows if isinstance(rows, str) else "rows that the kit did not save",
                    arranging=True,
                )
        return self.call("delete_tokens")

    # rows

    def rows(self) -> list[Row]:
        """Every stored row as it reads now, in no particular order."""
        if self._by_id:
            answers = [self._quietly("find_token_by_id", id) for id in self._ids]
            return [to_row(answer.returned) for answer in answers if _is_token(answer.returned)]
        answer = self.call("get_tokens")
        rows = _rows_of(answer)
        if isinstance(rows, str):
            if self.bench.shows_rows:
                # What worked before no longer does, after what the clause speaks of.
                self.bench.broken("every row still reads", rows)
            self.bench.broken("get_tokens shows the rows", rows, arranging=True)
        self.bench.shows_rows |= bool(rows)
        return rows

    def holding(self, *rows: Row) -> list[Row]:
        """Arrange: save these rows as new tokens; returns them as they read, in this order.

        This is the precondition of what follows: each is really there, as one row.
        """
        passed = []
        for row in rows:
            saved = self.try_save(row)
            if saved.answer.raised is not None:
                self.bench.broken("a new token is stored", str(saved.answer), arranging=True)
            passed.append(saved)
        return self.showing(passed)

    def showing(self, passed: Sequence[Passed]) -> list[Row]:
        """The stored rows of tokens that were just inserted, in their order."""
        answer = self.call("get_tokens")
        listing = _rows_of(answer)
        if not isinstance(listing, str):
            matched = _matched([saved.sent for saved in passed], listing)
            if matched is not None:
                self.bench.shows_rows |= bool(matched)
                return matched
        by_id = [self._quietly("find_token_by_id", _id_of(saved.token)) for saved in passed]
        found = [to_row(one.returned) for one in by_id if _is_token(one.returned)]
        matched = _matched([saved.sent for saved in passed], found)
        if matched is not None:
            self._by_id = True
            return matched
        seen = listing if isinstance(listing, str) else shown_rows(listing)
        return self.bench.broken(
            f"{len(passed)} rows, one for each token that was saved", seen, arranging=True
        )

    def expect(
        self,
        before: Sequence[Row],
        *,
        changed: Iterable[tuple[Row, Row]] = (),
        gone: Iterable[Row] = (),
        new: int = 0,
        fields: Sequence[str] = FIELDS,
        because: str = "",
    ) -> list[Row]:
        """Compare all rows with what they were; anything else breaks the clause.

        Args:
            before: All rows before the call.
            changed: Pairs of a row before, and as it should be now.
            gone: Rows that should not be there any more.
            new: How many new rows there should be.
            fields: Which fields of the changed rows count; all fields of the others do.
            because: What the expectation is, in words, for the message.

        Returns:
            The new rows.
        """
        after = self.latest = self.rows()
        changed = list(changed)
        rest = list(after)
        kept = Counter(before)
        for old in [*gone, *(pair[0] for pair in changed)]:
            kept[old] -= 1
        frame = list((+kept).elements())
        for row in frame:
            if row in rest:
                rest.remove(row)
            else:
                now = next((other for other in rest if other.id == row.id), None)
                seen = "gone" if now is None else f"now {shown_row(now)}"
                self.bench.broken(
                    because or "every row that the call does not address stays as it was",
                    f"{shown_row(row)} is {seen}; all rows: {shown_rows(after)}",
                )
        for _, wanted in changed:
            want = wanted.plain().only(*fields)
            match = next((row for row in rest if row.plain().only(*fields) == want), None)
            if match is None:
                self.bench.broken(
                    f"{because + ': ' if because else ''}a row with {shown_row(want)}",
                    _difference(want, rest, fields),
                )
            rest.remove(match)
        if len(rest) != new:
            wanted_rows = len(frame) + len(changed) + new
            self.bench.broken(
                because or f"{wanted_rows} rows" + (f", {new} of them new" if new else ", none new"),
                shown_rows(after),
            )
        return rest

    def close(self) -> None:
        """Close the store through its author's hook; recorded."""
        self.bench.close(self)

    def _remember(self, row: Row) -> None:
        self.bench.subject.saved.update(_marks(row))

    def _is_ours(self, row: Row) -> bool:
        return bool(_marks(row) & self.bench.subject.saved)

    def _quietly(self, method: str, *arguments: Any) -> Answer:
        return self.bench.guarded(method, lambda: getattr(self.store, method)(*arguments), self.location)

    def _row_or_none(self, method: str, answer: Answer) -> Row | None:
        if answer.returned is None:
            return None
        if not _is_token(answer.returned):
            self.bench.broken(f"{method} returns an OAuthToken or None", str(answer))
        try:
            return to_row(answer.returned)
        except Exception as error:
            self.bench.broken(f"the fields of what {method} returns can be read", shown_exception(error))


_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (mkdtemp makes a directory of its own in it)
_ROOM = 1 << 30  # bytes; containers often have 64 MB there


class Bench:
    """What a check works with. Used as a context manager, it leaves nothing behind.

    Attributes:
        subject: The store under test.
        effort: How deep to look.
        calls: The recorded calls, in order.
        call_limit: After how many seconds a call counts as one that never comes back.
        shows_rows: ``get_tokens`` has shown rows in this check.
    """

    call_limit = 30.0

    def __init__(self, subject: Subject, effort: Effort) -> None:
        self.subject = subject
        self.effort = effort
        self.calls: list[Call] = []
        self.shows_rows = False
        self.waiting: tuple[str, float] | None = None
        self._base: Path | None = None
        self._open: list[Opened] = []
        self._numbers = 0
        self._home = os.getcwd()
        self._thread = threading.get_ident()

    def __enter__(self) -> Bench:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not isinstance(error, KeyboardInterrupt):
                self._leave_all()
                self._empty_shared_storage()
                self._leave_all()
        finally:
            os.chdir(self._home)
            if self._base is not None:
                shutil.rmtree(self._base, ignore_errors=True)

    # stores

    def location(self) -> Path:
        """A new empty directory, with a name that was never used before."""
        if self._base is None:
            self._base = Path(tempfile.mkdtemp(prefix="tokenstore-", dir=_in_memory())).resolve()
        location = self._base / f"t{secrets.token_hex(8)}"
        location.mkdir()
        return location

    def open(self, location: Path | None = None) -> Opened:
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

    def try_open(self, location: Path) -> tuple[Answer, Opened | None]:
        """Open the store on a location; any answer will do, and ``None`` where it raised."""
        self._numbers += 1
        record = Call(self._numbers, "open", location=location)
        self.calls.append(record)
        answer = self.guarded("open", lambda: self.subject.open(location), location)
        record.answer = "opened" if answer.raised is None else str(answer)
        if answer.raised is not None:
            return answer, None
        opened = Opened(self, answer.returned, location, self._numbers)
        self._open.append(opened)
        return answer, opened

    def fresh_examples(self) -> None:
        """Close what is open and forget the recorded calls: another example begins."""
        self._leave_all()
        self.calls.clear()
        self._numbers = 0

    def reopen(self, opened: Opened) -> Opened:
        """Close a store and open it again on the same location; failing breaks the clause."""
        self.close(opened)
        return self.open(opened.location)

    def remember(self, rows: Iterable[Row]) -> None:
        """Count these rows as the kit's own: another process is about to save them."""
        for row in rows:
            self.subject.saved.update(_marks(row))

    def abandon(self, opened: Opened) -> None:
        """Leave a store as it is, not closed: a thread is stuck in it, perhaps with its lock."""
        self._open.remove(opened)

    def close(self, opened: Opened) -> None:
        """Close a store; an exception breaks the clause."""
        self._open.remove(opened)
        record = Call(opened.number, "close")
        self.calls.append(record)
        answer = self._guarded_close(opened)
        record.answer = str(answer)
        if answer.raised is not None:
            self.broken("closing the store works", str(answer))

    def broken(self, expected: str, seen: str, *, arranging: bool = False) -> NoReturn:
        """End the check: the store breaks the clause.

        Raises:
            Violation: Always, with the calls made so far.
        """
        raise Violation(
            expected=expected,
            seen=seen,
            done=tuple(str(call) for call in self.calls),
            arranging=arranging,
            calls=tuple(self.calls),
        )

    def guarded(self, method: str, call: Callable[[], Any], cwd: Path) -> Answer:
        """Make a call, in its directory where that is promised, under the eye of the watchdog."""
        if self.subject.in_location and os.getcwd() != str(cwd):
            os.chdir(cwd)
        outer = self.waiting
        # The watchdog watches one thread; who starts others joins them within the limit.
        watched = threading.get_ident() == self._thread
        if watched:
            self.waiting = (method, time.monotonic())
        try:
            returned = call()
        except Exception as error:
            return Answer(raised=error)
        finally:
            if watched:
                self.waiting = outer
        if inspect.iscoroutine(returned):
            returned.close()
        return Answer(returned=returned)

    def _opened(self, location: Path) -> Opened:
        answer, opened = self.try_open(location)
        if opened is None:
            self.broken("the store opens", str(answer))
        return opened

    def _ensure_empty(self, opened: Opened) -> None:
        rows = _rows_of(opened._quietly("get_tokens"))
        if isinstance(rows, str):
            if not self.subject.own_storage:
                raise StoreUnavailable(
                    f"the shared storage cannot be shown to be empty ({rows}); nothing was written"
                )
            return
        if rows and not all(opened._is_ours(row) for row in rows):
            raise StoreUnavailable(
                f"the storage already holds {len(rows)} token(s) that the kit did not save; "
                "nothing was written. Point the kit at an empty storage."
            )
        if rows:
            opened._quietly("delete_tokens")
        opened._found_empty = True

    def _empty_shared_storage(self) -> None:
        """Remove what closed stores have left, so that the next run, which does not know it, can begin."""
        if self.subject.own_storage or self._base is None or self.subject.hangs:
            return
        with contextlib.suppress(StoreUnavailable):
            self.open()

    def _leave_all(self) -> None:
        for opened in reversed(list(self._open)):
            self._leave(opened)

    def _leave(self, opened: Opened) -> None:
        if not self.subject.own_storage and opened._found_empty:
            opened._quietly("delete_tokens")
        if opened in self._open:
            self._open.remove(opened)
        self._guarded_close(opened)

    def _guarded_close(self, opened: Opened) -> Answer:
        return self.guarded("close", lambda: self.subject.close(opened.store), opened.location)


def not_applicable(reason: str) -> NoReturn:
    """End the check: the clause does not apply, for this reason."""
    raise NotApplicable(reason)


def precondition(act: Callable[[], Result]) -> Result:
    """Do what a check rests on: where it breaks, that is the fault of another clause."""
    try:
        return act()
    except Violation as violation:
        violation.arranging = True
        raise


def shown_value(value: Any) -> str:
    """What a call returned, for a message."""
    if _is_token(value):
        try:
            return shown_row(to_row(value)).replace("Row(", "OAuthToken(", 1)
        except Exception as error:
            return f"an OAuthToken whose fields cannot be read ({shown_exception(error)})"
    if inspect.iscoroutine(value):
        return "a coroutine"
    if isinstance(value, list):
        if len(value) > 2 and all(_is_token(item) for item in value):
            ids = ", ".join(shown(_id_of(item)) for item in value[:20])
            return f"{len(value)} tokens, with the ids {ids}" + (", …" if len(value) > 20 else "")
        if len(value) > 3:
            return f"a list of {len(value)}"
        return "[" + ", ".join(shown_value(item) for item in value) + "]"
    return shown(value)


def shown_rows(rows: Sequence[Row]) -> str:
    """Rows for a message: whole where there are two at most, else by id and user or first credential."""
    if not rows:
        return "no rows"
    if len(rows) <= 2:
        return ", ".join(shown_row(row) for row in rows)
    listed = [_shown_briefly(row) for row in rows[:12]]
    return f"{len(rows)} rows: " + ", ".join(listed) + (", …" if len(rows) > 12 else "")


def _shown_briefly(row: Row) -> str:
    telling = next(
        (name for name in ("user_name", *CREDENTIALS) if not absent(getattr(row, name))), "client_id"
    )
    return shown_row(row.only("id", telling)).removeprefix("Row")


def shown_exception(error: BaseException) -> str:
    """An exception for a message: its type and text."""
    return f"{type(error).__name__}: {shown(str(error), 200)[1:-1]}"


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


def _is_token(value: Any) -> bool:
    return isinstance(value, load().OAuthToken)


def _id_of(token: Any) -> Any:
    return token.get_id()


def _rows_of(answer: Answer) -> list[Row] | str:
    if answer.raised is not None or not isinstance(answer.returned, list):
        return f"get_tokens {answer}"
    if not all(_is_token(token) for token in answer.returned):
        return f"get_tokens {answer}"
    try:
        return [to_row(token) for token in answer.returned]
    except Exception as error:
        return f"get_tokens returned tokens whose fields cannot be read: {shown_exception(error)}"


def _marks(row: Row) -> set[tuple[str, Any]]:
    fields = [*CREDENTIALS, "user_name"]
    return {(name, value) for name in fields if not absent(value := getattr(row, name))}


def _matched(wanted: Sequence[Row], listing: Sequence[Row]) -> list[Row] | None:
    """The listed row of each wanted one: that with most fields in common, at least half."""
    rest = list(listing)
    matched = []
    for row in wanted:
        present = {name: value for name, value in row.present().items() if name != "id"}
        best, score = None, 0
        for other in rest:
            common = sum(getattr(other, name) == value for name, value in present.items())
            if common > score:
                best, score = other, common
        if best is None or score * 2 < len(present):
            return None
        rest.remove(best)
        matched.append(best)
    return matched


def _difference(want: Row, rows: Sequence[Row], fields: Sequence[str]) -> str:
    """What is there instead of a wanted row: the nearest one's fields that differ."""
    if not rows:
        return "no such row"

    def distance(row: Row) -> int:
        return sum(getattr(row.plain(), name) != getattr(want, name) for name in fields)

    nearest = min(rows, key=distance)
    wrong = [
        f"{name} is {shown(getattr(nearest, name))}"
        for name in fields
        if getattr(nearest.plain(), name) != getattr(want, name)
    ]
    return f"no such row; the nearest is {shown_row(nearest)}, where {', '.join(wrong)}"
