"""THREAD-5: every history of a few threads is linearizable, with a few rows and with many."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence

from ..._drivers.threads.pause_points import pause_points
from ..._drivers.threads.program_runner import ThreadRun, ThreadRunner
from ..._drivers.threads.programs import IdOf, ThreadProgram
from ..._drivers.threads.unexplained_runs import (
    fail_unexplained,
    shortest_unexplained,
    unexplained,
    unexplained_one_by_one,
)
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace, precondition
from ..._spec.model import Call
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import CLIENT, key_of, person
from .concurrent_threads import FEW_PLACES, LIST, row_by_id

MADE_UP = 10
"""Programs by default that are made up."""
LEAST_MADE_UP = 4
"""The same for slow stores."""
MADE_UP_PLACES = 6
"""At how many places a thread stands still in these."""
LISTED, CLEARED, LEAST_LISTED = 120, 60, 12
"""More rows than a store lists, or clears, in one piece, if it does so in pieces; for slow stores fewer."""
LISTING_PLACES, CLEARING_PLACES = 24, 12
"""At how many places listing and clearing stand still."""


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
    # What one thread asks for is not what another one gets.
    ThreadProgram((_A, _B), ((row_by_id(_A), row_by_id(_B)), (row_by_id(_B), row_by_id(_A)))),
    ThreadProgram((_A, _B), ((_find(_A), _find(_B)), (_find(_B), _find(_A)))),
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
        ran = unexplained(runner, program, most, again=again)
        if ran is None:
            fit += 1
            continue
        alone = unexplained_one_by_one(runner, program)
        if alone is None:
            fail_unexplained(ran if again else shortest_unexplained(runner, program, ran, most))
    if alone is not None and not fit:
        precondition(lambda: fail_unexplained(alone))


# Many rows: listing and clearing, which take long then, are single steps, too


@check("THREAD-5", thread_safe=True)
def a_list_of_many_rows_beside_changes_shows_one_state_of_them(workspace: Workspace) -> None:
    runner, store = ThreadRunner(workspace), workspace.open()
    rows = _filled(store, LISTED)
    if not rows:
        return

    def run(number: int, pause: int | None) -> ThreadRun:
        # Deleting what is listed first moves all others, where a list is read by their numbers.
        nonlocal rows
        new = person(f"new{number}")
        workspace.remember([new])
        gone = rows[:1] if active().gives_ids else []
        deletes, rest = [Call("delete_token", row.id) for row in gone], rows[len(gone) :]
        ran = runner.run_on(store, [[LIST], [*deletes, Call("save_token", new)]], pause)
        _shows_one_of(ran, rows, rest, [*rest, new])
        rows = store.rows()
        return ran

    _run_everywhere(run, workspace.sut.pace.affordable(workspace.effort.times(LISTING_PLACES)))


@check("THREAD-5", thread_safe=True)
def a_list_beside_the_clearing_of_many_rows_shows_all_of_them_or_none(workspace: Workspace) -> None:
    if not active().clears:
        return
    runner, store = ThreadRunner(workspace), workspace.open()

    def run(number: int, pause: int | None) -> ThreadRun:
        rows = _filled(store, CLEARED)
        ran = runner.run_on(store, [[Call("delete_tokens")], [LIST]], pause)
        _shows_one_of(ran, rows, [])
        return ran

    _run_everywhere(run, workspace.sut.pace.affordable(workspace.effort.times(CLEARING_PLACES)))


def _run_everywhere(run: Callable[[int, int | None], ThreadRun], most: int) -> None:
    """Run threads one after another, and then with the first one paused at up to so many places."""
    first = precondition(lambda: run(0, None))
    for number, pause in enumerate(pause_points(first.places, most, among=first.worth), 1):
        run(number, pause)


def _filled(store: StoreHandle, most: int) -> list[Row]:
    """Save up to so many rows; all of them as they are listed."""
    number = store.workspace.sut.pace.affordable(most, LEAST_LISTED)
    store.holding(*(person(f"user{place}") for place in range(active().fitting(number, 1))))
    return store.rows()


def _shows_one_of(ran: ThreadRun, *states: Sequence[Row]) -> None:
    """The listing shows the rows as they were before or after one of the other calls."""
    [listing] = [made for made in ran.at_once if made.call == LIST]
    known = set(states[0])
    shown = [row if row in known else row.but(id=None) for row in listing.rows]
    if listing.raised or Counter(shown) not in map(Counter, states):
        ran.fail(
            f"get_tokens, among {len(states[0])} rows, shows them as they were at one moment",
            f"it {listing.answer_in_words}" if listing.raised else _mixture(shown, *states),
        )


def _mixture(shown: Sequence[Row], *states: Sequence[Row]) -> str:
    """What is wrong with a listing that shows none of some states of the rows."""
    for row in states[-1]:
        if shown.count(row) != 1 and row in states[0]:
            return f"{format_row(row)} is {'missing' if row not in shown else 'there twice'}"
    return f"it shows {len(shown)} rows, of different moments"
