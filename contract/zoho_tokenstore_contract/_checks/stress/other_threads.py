"""THREAD-1: a store that was made in one thread works in every other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from ..._drivers.threads.another_thread import in_another_thread
from ..._harness.messages import format_rows
from ..._harness.row_acts import demand, require
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace, precondition
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, format_row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, CLIENT, key_of, person, pool

Result = TypeVar("Result")
Run = Callable[[Callable[[], Any]], Any]
"""How something is done: here, or in another thread."""


def _here(act: Callable[[], Any]) -> Any:
    return act()


@check("THREAD-1", thread_safe=True)
def a_store_made_here_works_in_every_other_thread(workspace: Workspace) -> None:
    precondition(lambda: _use(workspace.open(), _here))
    _use(workspace.open(), lambda act: in_another_thread(workspace, act))


@check("THREAD-1", thread_safe=True)
def a_store_made_in_a_thread_that_has_ended_works_on(workspace: Workspace) -> None:
    precondition(lambda: _use(workspace.open(), _here))
    _use(in_another_thread(workspace, workspace.open), _here)
    _use(in_another_thread(workspace, workspace.open), lambda act: in_another_thread(workspace, act))


@check("THREAD-1", thread_safe=True)
def a_call_that_found_nothing_was_refused_or_raised_keeps_no_other_thread_out(workspace: Workspace) -> None:
    _works_on_after(workspace, _here, partial(in_another_thread, workspace))


@check("THREAD-1", thread_safe=True)
def such_a_call_of_a_thread_that_has_ended_keeps_nobody_out(workspace: Workspace) -> None:
    _works_on_after(workspace, partial(in_another_thread, workspace), _here)


ROWS = pool(ANN, ACCESS, BOB)
UNFIT = (None, "1000.ann.access", 42, object())
"""What is no token and no id."""
TOO_MUCH = person("odd", access_token="1000.\0\ud800.access")
TOO_LONG = person("long", refresh_token="1000." + "r" * 200_000)


def _calls(before: list[Row]) -> Iterator[tuple[str, object]]:
    """Calls that find nothing, are refused, or raise: a method and what it is passed."""
    unknown = Row(user_name="stranger@example.com:77")
    for row in (
        unknown,
        Row(access_token="1000.unknown"),
        Row(**CLIENT, grant_token="1000.unknown"),
        Row(**CLIENT, refresh_token="1000.unknown"),
    ):
        yield "find_token", row
    yield "find_token", Row(id="unknown")
    for thing in ("unknown", "x'y", before[0].user_name, *UNFIT):
        yield "find_token_by_id", thing
        yield "delete_token", thing
    for thing in UNFIT:
        yield "find_token", thing
        yield "save_token", thing
    for row in (unknown, Row(id="unknown"), TOO_MUCH, TOO_LONG, person("late", id="x" * 300)):
        yield "save_token", row
    yield "save_token", before[0].but(id=before[-1].id)


def _one_of(rows: list[Row]) -> Row:
    """A row that is neither the first nor the last one, where there are more."""
    return rows[len(rows) // 2]


def _works_on_after(workspace: Workspace, here: Run, there: Run) -> None:
    """After each of some calls in one thread, another one finds, saves and lists."""
    store = workspace.open()
    row = _one_of(store.holding(*ROWS))
    _shows(store, row, not_shown=_not_shown(store, row, 0), arranging=True)
    workspace.fresh_examples()
    store = here(workspace.open)
    row = _one_of(rows := store.holding(*ROWS))
    calls = workspace.sut.pace.in_turn([*_calls(rows)], 0 if here is _here else 1)
    for number, (method, argument) in enumerate(calls, 1):
        passed: Any = argument
        if isinstance(argument, Row):
            store.remember(argument)
            passed = to_token(argument)
        # A lock that this left behind would let this thread through again, and no other.
        here(partial(store.call, method, passed))
        try:
            not_shown = there(partial(_not_shown, store, row, number))
        except Violation:
            if store not in workspace.opened or not _is_spoilt(workspace, here, store, row, number):
                raise
            workspace.fresh_examples()
            store = here(workspace.open)
            row = _one_of(store.holding(*ROWS))
            continue
        # What is not there for the thread that made the call either, is another clause's.
        arranging = bool(not_shown and here(partial(_not_shown, store, row, number)))
        _shows(store, row, not_shown, arranging=arranging)


def _is_spoilt(workspace: Workspace, here: Run, store: StoreHandle, row: Row, number: int) -> bool:
    """Whether the call has spoilt the storage.

    Then it works neither for the thread that made the call, which a lock of its own lets through, nor for
    a store that is opened anew, which has locks of its own.
    """
    if not workspace.sut.persistent:
        return False
    looks = (
        lambda: here(partial(_not_shown, store, row, number)),
        lambda: _not_shown(workspace.reopen(store), row, number),
    )
    for look in looks:
        try:
            look()
        except Violation:
            continue
        return False
    return True


def _not_shown(store: StoreHandle, row: Row, number: int) -> str:
    """Save a row, and look for it: what does not show it. All of it has to come back."""
    store.save(key_of(row).but(expires_in=f"19000000{number:05d}"))
    shown = {"find_token": _some(store.found(key_of(row))), "get_tokens": store.listed()}
    if active().gives_ids:
        shown["find_token_by_id"] = _some(store.found_by_id(row.id))
    key = key_of(row.but(id=None)).present().items()
    return ", ".join(
        method
        for method, rows in shown.items()
        if all(one.id != row.id or not key <= one.present().items() for one in rows)
    )


def _shows(store: StoreHandle, row: Row, not_shown: str, *, arranging: bool) -> None:
    hold = require if arranging else demand
    hold(store.workspace, not not_shown, f"{format_row(row)} is there", f"{not_shown} does not show it")


def _use(store: StoreHandle, run: Callable[[Callable[[], list[Row]]], list[Row]]) -> None:
    """Call all six methods, each by itself."""
    workspace = store.workspace
    before = run(lambda: store.holding(*ROWS))
    shown = [("find_token", run(lambda: _some(store.found(key_of(ANN)))), before[:1])]
    if active().gives_ids:
        shown.append(("find_token_by_id", run(lambda: _some(store.found_by_id(before[-1].id))), before[-1:]))
    for method, seen, wanted in (*shown, ("get_tokens", run(store.listed), before)):
        if {row.plain() for row in seen} != {row.plain() for row in wanted}:
            workspace.fail(f"{method} shows {format_rows(wanted)}", format_rows(seen))
    if active().gives_ids:
        row = _one_of(before)
        run(lambda: _answered(store, "delete_token", row.id))
        run(lambda: store.expect(before, gone=[row], because="delete_token removes its row alone"))
    run(lambda: _answered(store, "delete_tokens"))
    run(lambda: store.expect((), because="delete_tokens removes every row"))


def _some(row: Row | None) -> list[Row]:
    return [] if row is None else [row]


def _answered(store: StoreHandle, method: str, *arguments: str) -> list[Row]:
    answer = store.call(method, *arguments)
    demand(store.workspace, answer.raised is None, f"{method} removes rows", answer)
    return []
