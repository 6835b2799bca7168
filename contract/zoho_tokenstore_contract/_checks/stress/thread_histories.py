"""THREAD-5: every history of a few threads is linearizable."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from ..._drivers.threads.linearizability import check_linearizable
from ..._drivers.threads.program_runner import ThreadRun, ThreadRunner
from ..._drivers.threads.programs import IdOf, ThreadProgram
from ..._harness.workspace import Workspace, precondition
from ..._spec.model import Call, expectation
from ..._spec.tokens import Row
from ..registry import check
from ..sample_tokens import CLIENT, key_of
from .concurrent_threads import FEW_PLACES, LIST, row_by_id

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


# Any short program


@check("THREAD-5", thread_safe=True)
def telling_programs_are_explained_by_some_order_of_their_calls(workspace: Workspace) -> None:
    _explained(workspace, PROGRAMS, FEW_PLACES, len(PROGRAMS))


@check("THREAD-5", thread_safe=True)
def made_up_programs_are_explained_by_some_order_of_their_calls(workspace: Workspace) -> None:
    chance = random.Random(workspace.effort.seed or 0)
    programs = [_made_up(chance) for _ in range(workspace.effort.times(MADE_UP))]
    _explained(workspace, programs, MADE_UP_PLACES, LEAST_MADE_UP)


@check("THREAD-5", thread_safe=True)
def an_update_that_is_disturbed_again_and_again_is_explained(workspace: Workspace) -> None:
    # Whoever tries again where somebody else was quicker may give up in the end.
    _explained(workspace, [DISTURBED], FEW_PLACES, 1, again=True)


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
    ThreadProgram((_A,), _at_once(_renewed(_A, 1), LIST)),
    ThreadProgram((), _at_once(_save(_WHOLE), LIST)),
    ThreadProgram((_B,), _at_once(_save(_WHOLE), LIST)),
    # Deleting beside everything else.
    ThreadProgram((_A, _B), _at_once(_renewed(_A, 1), _delete(_A))),
    ThreadProgram((_A, _B), _at_once(_delete(_A), _delete(_B))),
    ThreadProgram((_A, _B), _at_once(_save(_NIGHTLY), _delete(_A))),
    # All at one step.
    ThreadProgram((_A, _B), _at_once(_CLEAR, _save(_NIGHTLY))),
    ThreadProgram((_A, _B), _at_once(_CLEAR, _renewed(_A, 1))),
    ThreadProgram((_A, _B, _LONE), _at_once(_CLEAR, LIST)),
    ThreadProgram((_B,), ((_save(_A), _save(_NIGHTLY)), (LIST,))),
    ThreadProgram((_A, _B), ((_renewed(_A, 1), _renewed(_B, 2)), (LIST,))),
    # What has been saved is seen by whoever asks later.
    ThreadProgram((_A,), ((_renewed(_A, 1), row_by_id(_A), _find(_A)), (_renewed(_A, 2), _find(_A)))),
    # Also by a thread that has asked before.
    ThreadProgram((_A,), ((_find(_A), row_by_id(_A), _find(_A), row_by_id(_A)), (_renewed(_A, 1),))),
)


DISTURBED = ThreadProgram(
    (_A,),
    (
        (_renewed(_A, 1),),
        tuple(_changed(**{name: f"ann.{name}"}) for name in ("refresh_token", "redirect_url", "grant_token")),
    ),
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
            LIST,
            LIST,
        ]
        if row in before:
            choices += [row_by_id(row), _delete(row), _delete(row)]
        if chance.random() < 0.2:
            choices.append(_CLEAR)
        return chance.choice(choices)

    threads = chance.choice((2, 2, 3))
    return ThreadProgram(
        before, tuple(tuple(step() for _ in range(chance.randint(1, 2))) for _ in range(threads))
    )


def _explained(
    workspace: Workspace, programs: Sequence[ThreadProgram], most: int, least: int, *, again: bool = False
) -> None:
    """Whichever way the threads of these programs meet, some order of the calls explains the answers."""
    runner = ThreadRunner(workspace)
    most = workspace.effort.times(most)
    alone = None
    fit = 0
    for number, program in enumerate(programs):
        if runner.is_slow and number >= least:
            break
        ran = _unexplained(runner, program, most, again=again)
        if ran is None:
            fit += 1
            continue
        alone = _unexplained_one_by_one(runner, program)
        if alone is None:
            _tell(ran if again else _shortest(runner, program, ran, most))
    if alone is not None and not fit:
        precondition(lambda: _tell(alone))


def _unexplained(
    runner: ThreadRunner, program: ThreadProgram, most: int, *, again: bool = False
) -> ThreadRun | None:
    """A run of a program that no order explains, if one is found."""
    for ran in runner.interleavings(program, most, leaders=1 if again else None, again=again):
        if check_linearizable(ran.history) is not None:
            return ran
    for _ in range(runner.affordable(runner.workspace.effort.times(FREE))):
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
