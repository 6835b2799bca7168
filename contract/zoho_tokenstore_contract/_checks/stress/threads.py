"""THREAD: many callers at once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..._drivers.threads.linearizability import Invocation, check_linearizable
from ..._drivers.threads.runner import IdOf, ThreadProgram, ThreadRun, ThreadRunner
from ..._harness.limits import Pool, active
from ..._harness.messages import describe_mixture, format_rows
from ..._harness.workspace import Workspace, precondition
from ..._spec.model import Call, expectation
from ..._spec.tokens import Row, absent, format_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, CLIENT, EVE, REFRESH, key_of, person

ROUNDS = 4
"""Rounds by default in which threads just run."""
MANY = 6
"""Threads in such a round."""
PLACES = 100
"""At how many places of its calls a thread is made to stand still, once at each."""
FEW_PLACES = 24
"""The same for the programs of which there are many."""
MADE_UP = 10
"""Programs by default that are made up."""
LEAST_MADE_UP = 4
"""The same for slow stores."""
MADE_UP_PLACES = 6
"""At how many places a thread stands still in these."""
FREE = 2
"""Runs of each program in which its threads just run."""
TRIES_TO_SHORTEN = 40
"""Shorter programs that are tried once one was found that breaks the clause."""
ORDERS = 100
"""Orders of the calls of one program that are tried without threads."""

Result = TypeVar("Result")


# Threads that save


@check("THREAD-2", thread_safe=True)
def threads_that_save_different_users_into_an_empty_store(workspace: Workspace) -> None:
    _save_at_once(workspace, (), [_ann(1), _new(2), *map(_new, range(3, 2 * MANY))], _each_has_a_row)


@check("THREAD-2", thread_safe=True)
def threads_that_save_different_users_beside_rows(workspace: Workspace) -> None:
    _save_at_once(
        workspace, (EVE, ACCESS, BOB, REFRESH), [_new(turn) for turn in range(2 * MANY)], _each_has_a_row
    )


@check("THREAD-2", thread_safe=True)
def threads_that_save_a_stored_user_beside_a_new_one(workspace: Workspace) -> None:
    _save_at_once(workspace, (ACCESS, ANN, BOB), [_ann(1), *map(_new, range(1, 2 * MANY))], _each_has_a_row)


@check("THREAD-3", thread_safe=True)
def threads_that_save_one_new_user_into_an_empty_store(workspace: Workspace) -> None:
    _save_at_once(workspace, (), [_ann(turn) for turn in range(2 * MANY)], _one_whole_row)


@check("THREAD-3", thread_safe=True)
def threads_that_save_one_new_user_beside_rows(workspace: Workspace) -> None:
    _save_at_once(workspace, (EVE, ACCESS, BOB), [_ann(turn) for turn in range(2 * MANY)], _one_whole_row)


@check("THREAD-3", thread_safe=True)
def threads_that_save_one_stored_user(workspace: Workspace) -> None:
    _save_at_once(workspace, (ACCESS, ANN, BOB), [_ann(turn) for turn in range(2 * MANY)], _one_whole_row)


def _new(number: int) -> Row:
    return person(f"new{number}")


def _ann(number: int) -> Row:
    """The same user each time, with all other fields unlike.

    Every other row is longer, by more than a line of column names: where two threads write into one file, the
    tail of the longer row stays.
    """
    return person(
        f"ann.{number}",
        user_name=ANN.user_name,
        client_id=f"{CLIENT['client_id']}.{number}",
        client_secret=f"{CLIENT['client_secret']}.{number}{'x' * 150 * (number % 2)}",
        expires_in=f"19{number:011d}",
    )


def _save_at_once(
    workspace: Workspace, before: tuple[Row, ...], rows: Sequence[Row], judge: Callable[[ThreadRun], None]
) -> None:
    """Have threads save these rows: two that meet everywhere, and many that just run."""
    before = tuple(Pool(before))
    rows = rows[: active().fitting(len(rows), len(before))]
    runner = ThreadRunner(workspace)
    pair = ThreadProgram(before, (_saves(rows[0]), _saves(rows[1])))
    precondition(lambda: judge(runner.run_with_pause(next(pair.one_by_one(1)), 0)))
    for ran in runner.interleavings(pair, workspace.effort.times(PLACES)):
        judge(ran)
    crowd = ThreadProgram(before, tuple(_saves(*rows[turn::MANY]) for turn in range(MANY)))
    for _ in range(workspace.effort.times(ROUNDS)):
        judge(runner.run_free(crowd))


def _saves(*rows: Row) -> tuple[Call, ...]:
    return tuple(Call("save_token", row) for row in rows)


def _each_has_a_row(ran: ThreadRun) -> None:
    """Every save left its user one row, equal to what was saved, with an id unlike all others."""
    _nothing_raised(ran)
    for row in _saved(ran):
        own = [other for other in ran.rows if other.user_name == row.user_name]
        if [other.but(id=None) for other in own] != [row]:
            ran.fail(
                f"threads that save different users leave each of them one row, here {format_row(row)}",
                f"{format_rows(own)} of this user; all rows: {format_rows(ran.rows)}",
            )
    for place, row in enumerate(ran.rows):
        twin = next((other for other in ran.rows[:place] if other.id == row.id), None)
        if absent(row.id) or twin is not None:
            ran.fail(
                "each row has an id unlike all others",
                format_row(row) if twin is None else f"{format_row(twin)}, {format_row(row)}",
            )
    _others_stay(ran, {row.user_name for row in _saved(ran)})


def _one_whole_row(ran: ThreadRun) -> None:
    """The saves left their user one row, all of it from one of them."""
    _nothing_raised(ran)
    own = [row for row in ran.rows if row.user_name == ANN.user_name]
    if len(own) != 1 or own[0].but(id=None) not in _saved(ran):
        ran.fail(
            f"threads that save {ANN.user_name} leave one row, all its fields from one of the saves",
            format_rows(own) + (describe_mixture(own[0], _saved(ran)) if len(own) == 1 else ""),
        )
    _others_stay(ran, {ANN.user_name})


def _saved(ran: ThreadRun) -> list[Row]:
    arguments = [made.call.argument for made in ran.at_once if made.call.method == "save_token"]
    return [row for row in arguments if isinstance(row, Row)]


def _nothing_raised(ran: ThreadRun) -> None:
    for made in ran.at_once:
        if made.raised:
            ran.fail(f"{made.call.method} works while other threads call", str(made))
    if ran.history[-1].raised:  # the rows are read when all threads have ended
        ran.fail("every row still reads after the threads", str(ran.history[-1]))


def _others_stay(ran: ThreadRun, saved: set[object]) -> None:
    """No row is there but those of these users and those from before, which are as they were."""
    others = [row for row in ran.rows if row.user_name not in saved]
    before = [row for row in ran.before if row.user_name not in saved]
    if {*others} != {*before} or len(others) != len(before):
        ran.fail(
            f"the rows that no thread saved stay as they were: {format_rows(before)}", format_rows(others)
        )


# A reader beside a writer


@check("THREAD-4", thread_safe=True)
def a_reader_beside_the_first_save_sees_all_of_it_or_nothing(workspace: Workspace) -> None:
    _read_beside_saves(workspace, (), _FIND, _LIST)


@check("THREAD-4", thread_safe=True)
def a_reader_beside_the_save_of_a_new_user_sees_all_of_it_or_nothing(workspace: Workspace) -> None:
    _read_beside_saves(workspace, (ACCESS, BOB), _FIND, _LIST)


@check("THREAD-4", thread_safe=True)
def a_reader_beside_an_update_sees_the_row_before_or_after(workspace: Workspace) -> None:
    _read_beside_saves(workspace, (ACCESS, ANN, BOB), _FIND, _by_id(ANN), _LIST, _FIND_BOB)


_FIND = Call("find_token", Row(user_name=ANN.user_name))
_FIND_BOB = Call("find_token", Row(user_name=BOB.user_name))
_LIST = Call("get_tokens")


def _by_id(row: Row) -> Call:
    return Call("find_token_by_id", IdOf(row))


def _read_beside_saves(workspace: Workspace, before: tuple[Row, ...], *reads: Call) -> None:
    """Have threads read while another saves: one that stands still everywhere, and all just running."""
    runner = ThreadRunner(workspace)
    save = _saves(_ann(1))
    precondition(
        lambda: _before_or_after(runner.run_with_pause(ThreadProgram(before, ((*save, *reads),)), 0))
    )
    writing = ThreadProgram(before, (save, *((read,) for read in reads)))
    for ran in runner.interleavings(writing, workspace.effort.times(PLACES), leaders=1):
        _before_or_after(ran)
    for read in reads:
        reading = ThreadProgram(before, ((read,), save))
        for ran in runner.interleavings(reading, workspace.effort.times(FEW_PLACES), leaders=1):
            _before_or_after(ran)
    often = ThreadProgram(before, (_saves(*map(_ann, range(1, 7))), *((read,) * 5 for read in reads)))
    for _ in range(workspace.effort.times(ROUNDS)):
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
        seen = {row if stored or row in others else row.but(id=None) for row in _shown(made)}
        if all(seen != {*_reading(made.call, rows)} for rows in states) or len(seen) != len(_shown(made)):
            ran.fail(
                f"{made.call} beside a save shows the row of {ANN.user_name} before or after it, "
                "and every other row",
                f"it {made.answer_in_words}",
            )


def _shown(made: Invocation) -> list[Row]:
    """The rows that a reading call answered with."""
    value = None if made.observation is None else made.observation.value
    answered = value if isinstance(value, tuple) else (value,)
    return [row.plain() for row in answered if isinstance(row, Row)]


def _reading(call: Call, rows: list[Row]) -> list[Row]:
    """Those of some rows that a call should show."""
    argument = call.argument
    if isinstance(argument, Row):
        return [row for row in rows if argument.present().items() <= row.present().items()]
    return [row for row in rows if call.method == "get_tokens" or row.id == argument]


# Any short program


@check("THREAD-5", thread_safe=True)
def telling_programs_are_explained_by_some_order_of_their_calls(workspace: Workspace) -> None:
    _explained(workspace, PROGRAMS, FEW_PLACES, len(PROGRAMS))


@check("THREAD-5", thread_safe=True)
def made_up_programs_are_explained_by_some_order_of_their_calls(workspace: Workspace) -> None:
    chance = random.Random(workspace.effort.seed or 0)
    programs = [_made_up(chance) for _ in range(workspace.effort.times(MADE_UP))]
    _explained(workspace, programs, MADE_UP_PLACES, LEAST_MADE_UP)


# Short rows, so that their histories can be read at a glance.
_A = Row(user_name="ann", refresh_token="ann.refresh", access_token="ann.1")
_B = Row(user_name="bob", refresh_token="bob.refresh", access_token="bob.1")
_WHOLE = _A.but(expires_in="1900000000001", api_domain="http://127.0.0.1:9")
_LONE = Row(access_token="lone", expires_in="1900000000001")
_NIGHTLY = Row(**CLIENT, refresh_token="nightly", access_token="nightly.1")
_CLEAR = Call("delete_tokens")


def _renewed(row: Row, number: int) -> Call:
    """A save that addresses a row and replaces two of its fields."""
    changes = {"expires_in": f"20{number:011d}"}
    second = "api_domain" if row == _LONE else "access_token"
    return Call("save_token", key_of(row).but(**changes, **{second: f"{second}.{number}"}))


def _changed(**fields: str) -> Call:
    return Call("save_token", Row(user_name=_A.user_name, **fields))


def _save(row: Row) -> Call:
    return Call("save_token", row)


def _find(row: Row) -> Call:
    return Call("find_token", key_of(row))


def _delete(row: Row) -> Call:
    return Call("delete_token", IdOf(row))


def _at_once(*steps: Call) -> tuple[tuple[Call, ...], ...]:
    """Each call in a thread of its own."""
    return tuple((step,) for step in steps)


PROGRAMS = (
    # Two tokens that are new, and one that is, of each kind.
    ThreadProgram((), _at_once(_save(_A), _save(_B))),
    ThreadProgram((), _at_once(_save(_A), _renewed(_A, 1))),
    ThreadProgram((_B,), _at_once(_save(_LONE), _renewed(_LONE, 1))),
    ThreadProgram((_B,), _at_once(_save(_NIGHTLY), _renewed(_NIGHTLY, 1))),
    # Two fields of one row.
    ThreadProgram((_A,), _at_once(_changed(access_token="ann.2"), _changed(refresh_token="new"))),
    # One of them is seen before the other, also in a row that is new.
    ThreadProgram((_A,), _at_once(_renewed(_A, 1), _LIST)),
    ThreadProgram((), _at_once(_save(_WHOLE), _LIST)),
    ThreadProgram((_B,), _at_once(_save(_WHOLE), _LIST)),
    # Deleting beside everything else.
    ThreadProgram((_A, _B), _at_once(_renewed(_A, 1), _delete(_A))),
    ThreadProgram((_A, _B), _at_once(_delete(_A), _delete(_B))),
    ThreadProgram((_A, _B), _at_once(_save(_NIGHTLY), _delete(_A))),
    # All at one step.
    ThreadProgram((_A, _B), _at_once(_CLEAR, _save(_NIGHTLY))),
    ThreadProgram((_A, _B), _at_once(_CLEAR, _renewed(_A, 1))),
    ThreadProgram((_A, _B, _LONE), _at_once(_CLEAR, _LIST)),
    ThreadProgram((_B,), ((_save(_A), _save(_NIGHTLY)), (_LIST,))),
    ThreadProgram((_A, _B), ((_renewed(_A, 1), _renewed(_B, 2)), (_LIST,))),
    # What has been saved is seen by whoever asks later.
    ThreadProgram((_A,), ((_renewed(_A, 1), _by_id(_A), _find(_A)), (_renewed(_A, 2), _find(_A)))),
    # Also by a thread that has asked before.
    ThreadProgram((_A,), ((_find(_A), _by_id(_A), _find(_A), _by_id(_A)), (_renewed(_A, 1),))),
)


def _made_up(chance: random.Random) -> ThreadProgram:
    """A program whose calls are all decided, whatever their order."""
    pool = (_A, _B, _LONE, _NIGHTLY)
    before = tuple(row for row in pool if chance.random() < 0.5)
    numbers = itertools.count(10)

    def step() -> Call:
        row = chance.choice(pool)
        choices = [
            _save(row),
            _renewed(row, next(numbers)),
            _renewed(row, next(numbers)),
            _find(row),
            _LIST,
            _LIST,
        ]
        if row in before:
            choices += [_by_id(row), _delete(row), _delete(row)]
        if chance.random() < 0.2:
            choices.append(_CLEAR)
        return chance.choice(choices)

    threads = chance.choice((2, 2, 3))
    return ThreadProgram(
        before, tuple(tuple(step() for _ in range(chance.randint(1, 2))) for _ in range(threads))
    )


def _explained(workspace: Workspace, programs: Sequence[ThreadProgram], most: int, least: int) -> None:
    """Whichever way the threads of these programs meet, some order of the calls explains the answers."""
    runner = ThreadRunner(workspace)
    most = workspace.effort.times(most)
    alone = None
    fit = 0
    for number, program in enumerate(programs):
        if number >= max(least, runner.affordable(len(programs))):
            break
        ran = _unexplained(runner, program, most)
        if ran is None:
            fit += 1
            continue
        alone = _unexplained_one_by_one(runner, program)
        if alone is None:
            _tell(_shortest(runner, program, ran, most))
    if alone is not None and not fit:
        precondition(lambda: _tell(alone))


def _unexplained(runner: ThreadRunner, program: ThreadProgram, most: int) -> ThreadRun | None:
    """A run of a program that no order explains, if one is found."""
    for ran in runner.interleavings(program, most):
        if check_linearizable(ran.history) is not None:
            return ran
    for _ in range(runner.workspace.effort.times(FREE)):
        ran = runner.run_free(program)
        if check_linearizable(ran.history) is not None:
            return ran
    return None


def _unexplained_one_by_one(runner: ThreadRunner, program: ThreadProgram) -> ThreadRun | None:
    """A run of its calls one by one that is not explained: then it is no fault of threads."""
    for order in program.one_by_one(ORDERS):
        ran = runner.run_with_pause(order, 0)
        if check_linearizable(ran.history) is not None:
            return ran
    return None


def _shortest(runner: ThreadRunner, program: ThreadProgram, ran: ThreadRun, most: int) -> ThreadRun:
    """The run that shows the fault with the fewest calls, of those that are tried."""
    tries = TRIES_TO_SHORTEN
    waiting = program.shorter()
    while tries and (shorter := next(waiting, None)) is not None:
        tries -= 1
        found = _unexplained(runner, shorter, most)
        if found is not None and _unexplained_one_by_one(runner, shorter) is None:
            ran, waiting = found, shorter.shorter()
    return ran


def _tell(ran: ThreadRun) -> None:
    """Say why no order explains a run."""
    why = check_linearizable(ran.history)
    if why is None:
        return
    stuck = ran.history[why.stuck]
    before = f"after {_numbers(why.explained)}, in this order, " if why.explained else ""
    rival = ""
    if why.rival is not None:
        first, second = sorted((why.rival + 1, why.stuck + 1))
        rival = f"; calls {first} and {second} cannot be ordered"
    ran.fail(
        "some order of these calls, each between its start and its end, explains every answer",
        f"{_lost_update(ran)}the longest order that explains its answers ends {before}where call "
        f"{why.stuck + 1} has to come next and a store {expectation(why.state, stuck.call)}{rival}",
    )


def _lost_update(ran: ThreadRun) -> str:
    """Which field of which save is nowhere in the rows, though no other call at once changed it; else ""."""
    if any(made.call.method.startswith("delete") for made in ran.at_once):
        return ""
    saves = [
        (made.thread, made.call.argument)
        for made in ran.at_once
        if made.call.method == "save_token" and not made.raised and isinstance(made.call.argument, Row)
    ]
    for thread, row in saves:
        for name, value in row.present().items():
            others = {getattr(other, name) for _, other in saves if other is not row} - {None, "", value}
            if name != "id" and not others and all(getattr(one, name) != value for one in ran.rows):
                return f"lost: the {name} that thread {thread} saved is in no row; "
    return ""


def _numbers(places: Sequence[int]) -> str:
    return ("call " if len(places) == 1 else "calls ") + ", ".join(str(place + 1) for place in places)
