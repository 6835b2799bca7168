"""THREAD-2 to THREAD-4: threads that save and read at once."""

from __future__ import annotations

from collections.abc import Sequence

from ..._drivers.threads.program_runner import ThreadRun, ThreadRunner
from ..._drivers.threads.programs import IdOf, ThreadProgram
from ..._harness.messages import describe_mixture, format_rows
from ..._harness.row_fates import Fate, hold_to, without_own_id
from ..._harness.store_limits import Pool, active
from ..._harness.workspace import Workspace, precondition
from ..._spec.model import Call
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, CLIENT, EVE, REFRESH, client_of, person

ROUNDS = 4
"""Rounds by default in which threads just run."""
MANY = 6
"""Threads in such a round."""
PLACES = 100
"""At how many places of its calls a thread is made to stand still, once at each."""
FEW_PLACES = 24
"""The same for the programs of which there are many."""


# Threads that save


@check("THREAD-2", thread_safe=True)
def threads_that_save_different_users_into_an_empty_store(workspace: Workspace) -> None:
    _save_at_once(workspace, (), [_ann(1), _new(2), *map(_new, range(3, 2 * MANY))])


@check("THREAD-2", thread_safe=True)
def threads_that_save_different_users_beside_rows(workspace: Workspace) -> None:
    _save_at_once(workspace, (EVE, ACCESS, BOB, REFRESH), [_new(turn) for turn in range(2 * MANY)])


@check("THREAD-2", thread_safe=True)
def threads_that_save_a_stored_user_beside_a_new_one(workspace: Workspace) -> None:
    _save_at_once(workspace, (ACCESS, ANN, BOB), [_ann(1), *map(_new, range(1, 2 * MANY))])


@check("THREAD-3", thread_safe=True)
def threads_that_save_one_new_user_into_an_empty_store(workspace: Workspace) -> None:
    _save_at_once(workspace, (), [_ann(turn) for turn in range(2 * MANY)])


@check("THREAD-3", thread_safe=True)
def threads_that_save_one_new_user_beside_rows(workspace: Workspace) -> None:
    _save_at_once(workspace, (EVE, ACCESS, BOB), [_ann(turn) for turn in range(2 * MANY)])


@check("THREAD-3", thread_safe=True)
def threads_that_save_one_stored_user(workspace: Workspace) -> None:
    _save_at_once(workspace, (ACCESS, ANN, BOB), [_ann(turn) for turn in range(2 * MANY)])


def _new(number: int) -> Row:
    return person(f"new{number}")


def _ann(number: int) -> Row:
    """The same user each time, with all other fields unlike.

    Every other row is longer, by more than a line of column names: where two threads write into one file, the
    tail of the longer row stays.
    """
    client = client_of(number)
    if client != CLIENT:
        client["client_secret"] += "x" * 150 * (number % 2)
    return person(f"ann.{number}", user_name=ANN.user_name, **client, expires_in=f"19{number:011d}")


def _save_at_once(workspace: Workspace, before: tuple[Row, ...], rows: Sequence[Row]) -> None:
    """Have threads save these rows: two that meet everywhere, and many that just run."""
    before = tuple(Pool(before))
    rows = rows[: max(2, active().fitting(len(rows), len(before)))]  # two, in one slot one after the other
    runner = ThreadRunner(workspace)
    pair = ThreadProgram(before, (_saves(rows[0]), _saves(rows[1])))
    precondition(lambda: _each_user_has_one_row(runner.run_free(next(pair.one_by_one(1)))))
    for ran in runner.interleavings(pair, workspace.effort.times(PLACES)):
        _each_user_has_one_row(ran)
    crowd = ThreadProgram(before, tuple(_saves(*rows[turn::MANY]) for turn in range(MANY)))
    for _ in range(runner.affordable(workspace.effort.times(ROUNDS))):
        _each_user_has_one_row(runner.run_free(crowd))


def _saves(*rows: Row) -> tuple[Call, ...]:
    return tuple(Call("save_token", row) for row in rows)


def _each_user_has_one_row(ran: ThreadRun) -> None:
    """The saves left each user one row, all of it from one of them; every other row is as it was."""
    _nothing_raised(ran)
    saved: dict[object, list[Row]] = {}
    for row in _saved(ran):
        saved.setdefault(row.user_name, []).append(row)
    fates = [Fate(tuple(rows), _promise(rows), new=True) for rows in saved.values()]
    others = [row for row in ran.before if row.user_name not in saved]
    stay = "the rows that no thread saved stay as they were"
    fates += [Fate((row,), f"{stay}: {format_row(row)}") for row in others]
    hold_to(fates, ran.rows, f"{stay}: {format_rows(others)}", ran.fail)
    if len(saved) > 1 and (twins := without_own_id(ran.rows)):
        ran.fail("each row has an id unlike all others", twins)


def _promise(saved: Sequence[Row]) -> str:
    """What is promised of the row of a user, of whom these are the saves."""
    if len(saved) == 1:
        return f"threads that save different users leave each of them one row, here {format_row(saved[0])}"
    return f"threads that save {saved[0].user_name} leave one row, all its fields from one of the saves"


def _saved(ran: ThreadRun) -> list[Row]:
    arguments = [made.call.argument for made in ran.at_once if made.call.method == "save_token"]
    return [row for row in arguments if isinstance(row, Row)]


def _nothing_raised(ran: ThreadRun) -> None:
    for made in ran.at_once:
        if made.raised:
            ran.fail(f"{made.call.method} works while other threads call", str(made))
    if ran.history[-1].raised:  # the rows are read when all threads have ended
        ran.fail("every row still reads after the threads", str(ran.history[-1]))


# A reader beside a writer


@check("THREAD-4", thread_safe=True)
def a_reader_beside_the_first_save_sees_all_of_it_or_nothing(workspace: Workspace) -> None:
    _read_beside_saves(workspace, (), _FIND, LIST)


@check("THREAD-4", thread_safe=True)
def a_reader_beside_the_save_of_a_new_user_sees_all_of_it_or_nothing(workspace: Workspace) -> None:
    _read_beside_saves(workspace, (ACCESS, BOB), _FIND, LIST)


@check("THREAD-4", thread_safe=True)
def a_reader_beside_an_update_sees_the_row_before_or_after(workspace: Workspace) -> None:
    _read_beside_saves(workspace, (ACCESS, ANN, BOB), _FIND, row_by_id(ANN), LIST, _FIND_BOB)


_FIND = Call("find_token", Row(user_name=ANN.user_name))
_FIND_BOB = Call("find_token", Row(user_name=BOB.user_name))
LIST = Call("get_tokens")


def row_by_id(row: Row) -> Call:
    return Call("find_token_by_id", IdOf(row))


def _read_beside_saves(workspace: Workspace, before: tuple[Row, ...], *reads: Call) -> None:
    """Have threads read while another saves: one that stands still everywhere, and all just running."""
    before = tuple(Pool(before))
    # What find_token never shows is the fault of FIND-1.
    reads = tuple(one for one in reads if one.method != "find_token" or active().finds(ANN))
    runner = ThreadRunner(workspace)
    save = _saves(_ann(1))
    precondition(lambda: _before_or_after(runner.run_free(ThreadProgram(before, ((*save, *reads),)))))
    writing = ThreadProgram(before, (save, *((read,) for read in reads)))
    for ran in runner.interleavings(writing, workspace.effort.times(PLACES), leaders=1):
        _before_or_after(ran)
    for read in reads:
        reading = ThreadProgram(before, ((read,), save))
        for ran in runner.interleavings(reading, workspace.effort.times(FEW_PLACES), leaders=1):
            _before_or_after(ran)
    often = ThreadProgram(before, (_saves(*map(_ann, range(1, 7))), *((read,) * 5 for read in reads)))
    for _ in range(runner.affordable(workspace.effort.times(ROUNDS))):
        _before_or_after(runner.run_free(often))


def _before_or_after(ran: ThreadRun) -> None:
    """Every read saw the rows as they were before some save or after it."""
    _nothing_raised(ran)
    stored = [row for row in ran.before if row.user_name == ANN.user_name]
    others = [row for row in ran.before if row.user_name != ANN.user_name]
    id = stored[0].id if stored else None
    states = [[*others, *stored], *([*others, row.but(id=id)] for row in _saved(ran))]
    for made in ran.at_once:
        if made.call.method == "save_token":
            continue
        # The id of a row that the threads inserted is not known beforehand.
        seen = {row if stored or row in others else row.but(id=None) for row in made.rows}
        if all(seen != {*_reading(made.call, rows)} for rows in states) or len(seen) != len(made.rows):
            own = [row for row in made.rows if row.user_name == ANN.user_name]
            mixed = describe_mixture(own[0], [*stored, *_saved(ran)]) if len(own) == 1 else ""
            ran.fail(
                f"{made.call} beside a save shows the row of {ANN.user_name} before or after it, "
                "and every other row",
                f"it {made.answer_in_words}{mixed}",
            )


def _reading(call: Call, rows: list[Row]) -> list[Row]:
    """Those of some rows that a call should show."""
    argument = call.argument
    if isinstance(argument, Row):
        return [row for row in rows if argument.present().items() <= row.present().items()]
    return [row for row in rows if call.method == "get_tokens" or row.id == argument]
