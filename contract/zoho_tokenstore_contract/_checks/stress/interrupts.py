"""CRASH-6: an exception that comes from outside, in the middle of a call, ends that call alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..._drivers.raise_in_call import (
    Interrupted,
    InterruptionPoint,
    Interrupts,
    TimeLimitExceeded,
    call_with,
    interruption_points,
)
from ..._drivers.threads.another_thread import in_another_thread
from ..._harness.calls import CallRecord
from ..._harness.messages import format_rows
from ..._harness.row_acts import require
from ..._harness.row_fates import Fate, hold_to
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace, precondition
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, GUS, LATE_REFRESH, REFRESH, key_of, person, pool

POINTS, LEAST_POINTS = 36, 8
"""At how many places of a call an exception is raised, in a run each; of a slow store at fewer."""
NEW = "new@example.com:77"
ROWS = pool(ANN, ACCESS, BOB, GRANT, REFRESH, LATE_REFRESH, GUS)


@dataclass(frozen=True)
class Interruption:
    """A call that is interrupted: what it is, and which rows may be there then.

    Attributes:
        what: The call in words.
        method: The method.
        row: Which of `ROWS` it is about; ``None`` for none, or all.
        argument: What it is passed, given this row as it is stored and the number of the run; `...` for
            nothing.
        does: Whether it ``reads``, ``saves`` or ``deletes`` what it is about, or ``inserts`` a row.
    """

    what: str
    method: str
    row: Row | None = None
    argument: Callable[[Row, int], Any] = lambda _row, _turn: ...
    does: str = "reads"

    @property
    def is_possible(self) -> bool:
        """Whether a store with limits holds what it is about, and gives the ids that it needs."""
        if self.does == "inserts":
            return active().fitting(1, len(ROWS)) == 1
        return self.row in (None, *ROWS) and (active().gives_ids or self.argument is not _id_of)


def _renewal(row: Row, turn: int) -> Row:
    """A save that replaces four fields of a row."""
    return key_of(row).but(
        access_token=f"1000.renewed.{turn}",
        expires_in=f"19{turn:011d}",
        redirect_url=f"https://example.com/{turn}",
        api_domain=f"http://127.0.0.1:9/{turn}",
    )


def _id_of(row: Row, _turn: int) -> Any:
    return row.id


def _new(_row: Row, turn: int) -> Row:
    return person(f"new{turn}", user_name=NEW)


SAVES = (
    Interruption("the update of a user's row", "save_token", ANN, _renewal, "saves"),
    Interruption("the update of a row by its refresh token", "save_token", REFRESH, _renewal, "saves"),
    Interruption("the save of a new user", "save_token", None, _new, "inserts"),
)
READS = (
    Interruption("find_token by a user name", "find_token", ANN, lambda row, _: key_of(row)),
    Interruption("find_token by a refresh token", "find_token", REFRESH, lambda row, _: key_of(row)),
    Interruption("find_token_by_id", "find_token_by_id", BOB, _id_of),
    Interruption("get_tokens", "get_tokens"),
)
DELETIONS = (
    Interruption("delete_token", "delete_token", BOB, _id_of, "deletes"),
    Interruption("delete_tokens", "delete_tokens", does="deletes"),
)


@check("CRASH-6", thread_safe=True)
def an_exception_in_the_middle_of_a_save_ends_that_save_alone(workspace: Workspace) -> None:
    _interrupt(workspace, SAVES)


@check("CRASH-6", thread_safe=True)
def an_exception_in_the_middle_of_a_lookup_ends_that_lookup_alone(workspace: Workspace) -> None:
    _interrupt(workspace, READS)


@check("CRASH-6", thread_safe=True)
def an_exception_in_the_middle_of_a_deletion_ends_that_deletion_alone(workspace: Workspace) -> None:
    _interrupt(workspace, DELETIONS)


def _interrupt(workspace: Workspace, calls: Sequence[Interruption]) -> None:
    for call in (one for one in calls if one.is_possible):
        workspace.fresh_examples()
        victim = _Victim(workspace, call)
        most = workspace.sut.pace.affordable(workspace.effort.times(POINTS), LEAST_POINTS)
        for turn, point in enumerate(interruption_points(victim.places, most)):
            for kind in (Interrupted, TimeLimitExceeded)[: 1 + turn % 2]:
                victim.interrupt(point, kind())
        victim.lets_others_in()


class _Victim:
    """A store whose calls are interrupted, one after another.

    Attributes:
        places: What the call comes by where nothing interrupts it.
        rows: Its rows, in the order of `ROWS`, before the call.
    """

    def __init__(self, workspace: Workspace, call: Interruption) -> None:
        self.workspace = workspace
        self.call = call
        self.store = workspace.open()
        self.rows = self.store.holding(*ROWS)
        self.other = workspace.open(self.store.location) if workspace.sut.persistent else None
        self._turn = 0
        self._make(Interrupts(self.store.store))  # what comes first imports and connects
        self._arrange()
        self._turn += 1  # a store may leave out to write what is there already
        watched = Interrupts(self.store.store)
        self._make(watched)
        self.places = watched.places
        self._arrange()
        for _ in range(3):
            precondition(partial(self._goes_on, "an uninterrupted call", self.rows))

    def interrupt(self, point: tuple[InterruptionPoint, int], error: BaseException) -> None:
        """Raise an exception at a place of the call, and see what has become of the store."""
        self.workspace.calls.clear()
        interrupts = Interrupts(self.store.store, point, error)
        sent, answer, as_it_is = self._make(interrupts)
        if not interrupts.raised:  # it went another way this time
            self._turn += 1
            self._arrange()
            return
        name = "KeyboardInterrupt" if isinstance(error, Interrupted) else type(error).__name__
        often = f", the {point[1]}. time" if point[1] > 1 else ""
        note = f"{{call}} ({name} in the middle of {self.call.what}, {interrupts.places[0]}{often})"
        self.workspace.calls.append(CallRecord(1, self.call.method, sent, answer, note=note))
        if not as_it_is:
            self.workspace.fail("the exception comes out of the call as it is", answer)
        rows = in_another_thread(self.workspace, self.store.rows)
        self._is_as_before_or_after(sent, rows)
        if self.other is not None and self.workspace.sut.pace.share == 1:
            self._is_what_others_see(rows, self.other.rows())
        self._goes_on("the exception", rows)

    def lets_others_in(self) -> None:
        """The latest save was stored, and another store on the same location can save as well."""
        self.workspace.calls.clear()
        self.store.expect(self.rows, because="after the exceptions, each save is stored")
        if self.other is None:
            return
        sent = key_of(ROWS[-1]).but(expires_in=f"18{self._turn:011d}")
        saved = in_another_thread(self.workspace, partial(self.other.try_save, sent))
        if saved.answer.raised is not None:
            self.workspace.fail(
                f"nothing stays locked after exceptions in {self.call.what}",
                f"save_token of another store on the same location {saved.answer}",
            )

    def _arrange(self, rows: Sequence[Row] | None = None) -> None:
        """Save what is gone, delete what is new, and take in all rows."""
        rows = self.store.rows() if rows is None else rows
        new = [row for row in rows if row.user_name == NEW]
        if new and not active().gives_ids:
            self.store.clear()
            rows = []
        missing = [row for row in ROWS if _row_of(row, rows) is None]
        for row in new if active().gives_ids else ():
            self.store.call("delete_token", row.id)
        for row in missing:
            self.store.try_save(row)
        if new or missing:
            rows = self.store.rows()
        found = [row for row in (_row_of(one, rows) for one in ROWS) if row is not None]
        whole = len(found) == len(rows) == len(ROWS)
        require(self.workspace, whole, f"{len(ROWS)} rows", format_rows(rows))
        self.rows = found

    def _make(self, interrupts: Interrupts) -> tuple[Any, str, bool]:
        """Make the call: what was passed, what came back, and whether what was raised in it came out."""
        about = self.rows[ROWS.index(self.call.row)] if self.call.row else Row()
        sent = self.call.argument(about, self._turn)
        return (sent, *call_with(self.store, interrupts, self.call.method, sent))

    def _is_as_before_or_after(self, sent: Any, after: list[Row]) -> None:
        """Every row is as it was; the row in question is that, or as the call would have left it."""
        nothing_else = "after the exception, no row but those from before"
        fates = [Fate((sent,), nothing_else, optional=True, new=True)] if self.call.does == "inserts" else []
        for row, before in zip(ROWS, self.rows, strict=True):
            meant = self.call.row in (None, row)
            saved = meant and self.call.does == "saves"
            states = (before, before.updated_by(sent)) if saved else (before,)
            promise = f"after the exception, {' or '.join(map(format_row, states))}"
            fates.append(Fate(states, promise, optional=meant and self.call.does == "deletes"))
        hold_to(fates, after, nothing_else, self.workspace.fail)

    def _is_what_others_see(self, rows: list[Row], others: list[Row]) -> None:
        """Another store on the same location has these rows: nothing is in the memory of one alone."""
        same = "after the exception, two stores on the same location show the same rows"
        hold_to([Fate((row,), same) for row in rows], others, same, self.workspace.fail)

    def _goes_on(self, after: str, rows: Sequence[Row]) -> None:
        """The next calls answer what was asked of them: a lookup, and a save of another thread or of this."""
        self._arrange(rows)
        self._turn += 1
        row = self.rows[self._turn % len(ROWS)]
        if self._turn % 2 and active().gives_ids:
            call, found = f"find_token_by_id({format_value(row.id)})", self.store.found_by_id(row.id)
        else:
            call, found = f"find_token({format_row(key_of(row))})", self.store.found(key_of(row))
        if found != row:
            asked = f"after {after}, {call} answers what was asked: {format_row(row)}"
            self.workspace.fail(asked, "None" if found is None else format_row(found))
        place = -self._turn % len(ROWS)
        row = self.rows[place]
        sent = key_of(row).but(expires_in=f"17{self._turn:011d}")
        save = partial(self.store.try_save, sent)
        saved = in_another_thread(self.workspace, save) if self._turn % 3 else save()
        if saved.answer.raised is not None:
            self.workspace.fail(f"after {after}, the next save is stored", str(saved.answer))
        self.rows[place] = row.updated_by(sent)


def _row_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """The row of one of `ROWS` among those that are stored."""
    key = key_of(row).present().items()
    return next((one for one in rows if key <= one.present().items()), None)
