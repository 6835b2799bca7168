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
from ..._harness.rehearsal import Stage
from ..._harness.row_acts import require
from ..._harness.row_fates import Fate, TwinIds, fates_in_a_save, hold_to, mishap_in
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
        inserts: Whether it adds a row, for which a store with limits needs room.
    """

    what: str
    method: str
    row: Row | None = None
    argument: Callable[[Row, int], Any] = lambda _row, _turn: ...
    inserts: bool = False

    @property
    def is_possible(self) -> bool:
        """Whether a store with limits holds what it is about, and gives the ids that it needs."""
        if self.inserts:
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
    Interruption("the update of a user's row", "save_token", ANN, _renewal),
    Interruption("the update of a row by its refresh token", "save_token", REFRESH, _renewal),
    Interruption("the save of a new user", "save_token", None, _new, inserts=True),
)
READS = (
    Interruption("find_token by a user name", "find_token", ANN, lambda row, _: key_of(row)),
    Interruption("find_token by a refresh token", "find_token", REFRESH, lambda row, _: key_of(row)),
    Interruption("find_token_by_id", "find_token_by_id", BOB, _id_of),
    Interruption("get_tokens", "get_tokens"),
)
DELETIONS = (
    Interruption("delete_token", "delete_token", BOB, _id_of),
    Interruption("delete_tokens", "delete_tokens"),
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
    reached = False
    for call in (one for one in calls if one.is_possible):
        turns, end = precondition(_Rehearsal(workspace, call).turns)
        if any(turn.before for turn in turns):  # else nothing is stored that could be lost
            victim = _Victim(workspace, call)
            for turn in turns:
                victim.interrupt(turn)
            victim.lets_others_in(end, turns[-1].save)
            reached = True
    require(workspace, reached, "rows are stored, and calls come back where nothing interrupts them")


@dataclass(frozen=True)
class _Turn:
    """A call that is interrupted, and what it and those around it do where it is not.

    Attributes:
        number: The number of the turn.
        point: Where it is interrupted; ``None`` for nowhere.
        error: What is raised there.
        sent: What it is passed.
        before: All rows before it.
        after: All rows after it.
        look: A lookup: the method, and what it is passed.
        found: What that finds before the call, and after it; `...` where it raises.
        arranging: Calls after it, which save what is gone, and delete what is new.
        save: A save that works then; ``None`` for none.
    """

    number: int
    point: tuple[InterruptionPoint, int] | None
    error: BaseException
    sent: Any
    before: Sequence[Row]
    after: Sequence[Row]
    look: tuple[str, Any]
    found: Sequence[Any]
    arranging: Sequence[tuple[str, Any]]
    save: Row | None


class _Rehearsal(Stage):
    """Calls that nothing interrupts."""

    def __init__(self, workspace: Workspace, call: Interruption) -> None:
        super().__init__(workspace, ROWS)
        self.call = call

    def turns(self) -> tuple[list[_Turn], list[Row]]:
        """Make the calls of all turns: the turns, none where the call does not work, and the rows then."""
        nowhere = [self._turn(number, None, Interrupted()) for number in range(2)]
        # What comes first has imported and connected.
        most = self.workspace.sut.pace.affordable(self.workspace.effort.times(POINTS), LEAST_POINTS)
        turns = [one for one in nowhere if one]
        for number, point in enumerate(interruption_points(self._places, most)):
            for kind in (Interrupted, TimeLimitExceeded)[: 1 + number % 2]:
                turn = self._turn(len(turns), point, kind())
                turns += [turn] if turn else []
        return ([] if None in nowhere else turns), self.store.rows()

    def _turn(
        self, number: int, point: tuple[InterruptionPoint, int] | None, error: BaseException
    ) -> _Turn | None:
        before = self.store.rows()
        sample = ROWS[number % len(ROWS)]
        row = _row_of(sample, before)
        by_id = number % 2 and row is not None and active().gives_ids
        look = ("find_token_by_id", row.id) if row and by_id else ("find_token", key_of(sample))
        found = [self.found(*look)]
        self._places: list[InterruptionPoint] = []
        about = Row() if self.call.row is None else _row_of(self.call.row, before)
        if about is None:
            return None
        sent, watched = self.call.argument(about, number), Interrupts(self.store.store)
        answer, _ = call_with(self.store, watched, self.call.method, sent)
        if answer.startswith("raised"):
            return None
        self._places = watched.places
        after = self.store.rows()
        found.append(self.found(*look))
        arranging = [("delete_token", row.id) for row in after if row.user_name == NEW]
        arranging += [("save_token", row) for row in ROWS if _row_of(row, after) is None]
        for method, argument in arranging:
            self.make(method, argument)
        save = key_of(ROWS[-number % len(ROWS)]).but(expires_in=f"17{number:011d}")
        saved = save if self.make("save_token", save).raised is None else None
        return _Turn(number, point, error, sent, before, after, look, found, arranging, saved)


class _Victim(Stage):
    """Calls that are interrupted, one after another."""

    def __init__(self, workspace: Workspace, call: Interruption) -> None:
        super().__init__(workspace, ROWS)
        self.call = call
        self.other = workspace.open(self.store.location) if workspace.sut.persistent else None
        self._ids = TwinIds()

    def _here(self, value: Any, *rows: Any) -> Any:
        """A row, or an id, of the rehearsal as it should be here."""
        if isinstance(value, Row):
            return value if value.id is None else self._ids.translated([value], rows)[0]
        return self._here(Row(id=value)).id if isinstance(value, str) else value

    def interrupt(self, turn: _Turn) -> None:
        """Raise an exception at a place of the call, and see what has become of the store."""
        self._ids.translated(turn.before, self.store.rows())
        self.workspace.calls.clear()
        sent, method = self._here(turn.sent), self.call.method
        interrupts = Interrupts(self.store.store, turn.point, turn.error)
        answer, as_it_is = call_with(self.store, interrupts, method, sent)
        if interrupts.raised:  # else it went another way this time
            name = "KeyboardInterrupt" if isinstance(turn.error, Interrupted) else type(turn.error).__name__
            often = f", the {turn.point[1]}. time" if turn.point and turn.point[1] > 1 else ""
            note = f"{{call}} ({name} in the middle of {self.call.what}, {interrupts.places[0]}{often})"
            self.workspace.calls.append(CallRecord(1, method, sent, answer, note=note))
            if not as_it_is:
                self.workspace.fail("the exception comes out of the call as it is", answer)
            self._ends_that_call_alone(turn)
        rows = self.store.rows()
        after = [Fate((row,), "") for row in self._ids.translated(turn.after, rows)]
        if mishap_in(rows, after, "") is not None:
            self.make(method, sent)  # now it goes through, as in the rehearsal
            self._ids.translated(turn.after, self.store.rows())
        for arranging, argument in turn.arranging:
            self.make(arranging, self._here(argument))
        if turn.save is not None:
            save = partial(self.store.try_save, turn.save)
            saved = in_another_thread(self.workspace, save) if turn.number % 3 else save()
            if saved.answer.raised is not None:
                self.workspace.fail("after the exception, the next save is stored", str(saved.answer))

    def _ends_that_call_alone(self, turn: _Turn) -> None:
        """Every row is as before the call or as after it, and the next lookup answers what was asked."""
        rows = in_another_thread(self.workspace, self.store.rows)
        before, after = (self._ids.translated(some, rows) for some in (turn.before, turn.after))
        nothing_else = "after the exception, no row but those from before"
        kept = "after the exception, a row as before the call, or as after it"
        fates = fates_in_a_save(before, after, lambda row: f"{kept}: {format_row(row)}", nothing_else)
        hold_to(fates, rows, nothing_else, self.workspace.fail)
        if self.other is not None and self.workspace.sut.pace.share == 1:
            # Nothing is in the memory of one alone.
            same = "after the exception, two stores on the same location show the same rows"
            hold_to([Fate((row,), same) for row in rows], self.other.rows(), same, self.workspace.fail)
        method, asked = turn.look[0], self._here(turn.look[1])
        found = self.found(method, asked)
        wanted = [self._here(one, *([found] if isinstance(found, Row) else [])) for one in turn.found]
        if found not in wanted and ... not in wanted:
            what = f"{method}({format_row(asked) if isinstance(asked, Row) else format_value(asked)})"
            expected = f"after the exception, {what} answers what was asked: {wanted[0]}"
            self.workspace.fail(expected, str(self.workspace.calls[-1].answer))

    def lets_others_in(self, end: Sequence[Row], sent: Row | None) -> None:
        """The latest save was stored, and another store on the same location can save as well."""
        self.workspace.calls.clear()
        rows, stored = self.store.rows(), "after the exceptions, each save is stored"
        fates = [Fate((row,), f"{stored}: {format_row(row)}") for row in self._ids.translated(end, rows)]
        hold_to(fates, rows, stored, self.workspace.fail)
        if self.other is None or sent is None:
            return
        saved = in_another_thread(self.workspace, partial(self.other.try_save, sent))
        if saved.answer.raised is not None:
            self.workspace.fail(
                f"nothing stays locked after exceptions in {self.call.what}",
                f"save_token of another store on the same location {saved.answer}",
            )


def _row_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """The row of one of `ROWS` among those that are stored."""
    key = key_of(row).present().items()
    return next((one for one in rows if key <= one.present().items()), None)
