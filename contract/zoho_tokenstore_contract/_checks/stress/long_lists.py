"""THREAD-5: what takes long where many rows are stored, listing and clearing, is a single step, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..._drivers.threads.pause_points import pause_points
from ..._drivers.threads.program_runner import ThreadRun, ThreadRunner
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace, precondition
from ..._spec.model import Call
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import person
from .concurrent_threads import LIST, shown_rows

LISTED = 120
"""More rows than a store lists in one piece, if it does so in pieces."""


CLEARED = 60
"""The same for clearing: each time they have to be saved anew."""


LEAST = 12
"""The same for slow stores."""


PLACES = 24
"""At how many places listing stands still."""


CLEARING_PLACES = 12
"""At how many clearing does."""


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
        ran = runner.run_on(
            store, [[LIST], [Call("delete_token", rows[0].id), Call("save_token", new)]], pause
        )
        _shows_one_of(ran, rows, rows[1:], [*rows[1:], new])
        rows = store.rows()
        return ran

    _run_everywhere(run, workspace.sut.pace.affordable(workspace.effort.times(PLACES)))


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
    number = store.workspace.sut.pace.affordable(most, LEAST)
    store.holding(*(person(f"user{place}") for place in range(active().fitting(number, 1))))
    return store.rows()


def _shows_one_of(ran: ThreadRun, *states: Sequence[Row]) -> None:
    """The listing shows the rows as they were before or after one of the other calls."""
    [listing] = [made for made in ran.at_once if made.call == LIST]
    known = set(states[0])
    shown = [row if row in known else row.but(id=None) for row in shown_rows(listing)]
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
