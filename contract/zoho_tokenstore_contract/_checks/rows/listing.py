"""LIST: what ``get_tokens`` gives."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from operator import methodcaller

from ..._harness.workspace import Bench, Opened, Passed, shown_rows
from ..._spec.sdk import load
from ..._spec.tokens import Row, shown_row, to_row, to_token
from ..aliasing import SPOILT, Spoilt, looked_up, spoil, unchanged
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, CROWD, GRANT, GUS, LATE_REFRESH, REFRESH, key_of, person


@check("LIST-1")
def every_row_is_listed_once_and_complete(bench: Bench) -> None:
    store = bench.open()
    passed: list[Passed] = []
    for row in (*CROWD, ANN.but(user_name="twin@example.com:77")):
        passed.append(store.save(row))
        _lists(bench, store, [saved.sent.but(id=saved.left.id) for saved in passed])


@check("LIST-1")
def updated_rows_are_listed_once_and_as_they_are(bench: Bench) -> None:
    store = bench.open()
    rows = [saved.sent.but(id=saved.left.id) for saved in [store.save(row) for row in CROWD]]
    for number, row in enumerate((ANN, LATE_REFRESH, GUS)):
        place = CROWD.index(row)
        sent = key_of(row).but(access_token=f"1000.renewed.{number}", expires_in="1900000000666")
        store.save(sent)
        rows[place] = rows[place].updated_by(sent)
        _lists(bench, store, rows)


@check("LIST-1")
def many_rows_are_all_listed(bench: Bench) -> None:
    store = bench.open()
    passed = [store.save(person(f"user{number}")) for number in range(120)]
    _lists(bench, store, [saved.sent.but(id=saved.left.id) for saved in passed])


def _lists(bench: Bench, store: Opened, wanted: Sequence[Row]) -> None:
    """Exactly these rows are listed, in whatever order."""
    listed = [row.plain() for row in store.listed()]
    for row in wanted:
        if row not in listed:
            bench.broken(f"one of the tokens is {shown_row(row)}", shown_rows(listed))
        listed.remove(row)
    if listed:
        bench.broken(f"{len(wanted)} tokens, one for each row", f"beside them {shown_rows(listed)}")


@check("LIST-2")
def an_empty_store_lists_nothing(bench: Bench) -> None:
    store = bench.open()
    _lists_nothing(store)
    store.call("find_token_by_id", "unknown")
    store.find_quietly(ANN)
    _lists_nothing(store)


@check("LIST-2")
def a_store_whose_last_token_went_lists_nothing(bench: Bench) -> None:
    store = bench.open()
    for row in (ANN, ACCESS):
        saved = store.save(row)
        if not store.listed():
            bench.broken("the saved token is listed", "no tokens", arranging=True)
        store.call("delete_token", saved.left.id)
        answer = store.call("get_tokens")
        if isinstance(answer.returned, list) and answer.returned:
            return  # delete_token does not work: DEL-1 says so
        _lists_nothing(store)


def _lists_nothing(store: Opened) -> None:
    answer = store.call("get_tokens")
    if not isinstance(answer.returned, list) or answer.returned:
        store.bench.broken("get_tokens returns []", f"it {answer}")


@check("LIST-3")
def changing_the_listed_tokens_changes_nothing_stored(bench: Bench) -> None:
    store = bench.open()
    rows = (ANN, ACCESS, GRANT, REFRESH, BOB)
    before = store.holding(*rows)
    looked = looked_up(store, before)
    for place in range(len(rows)):
        spoil(store, _listing(bench, store, len(rows))[place])
        unchanged(store, before, looked, "a token that get_tokens returned")


@check("LIST-3")
def changing_the_list_changes_nothing_stored(bench: Bench) -> None:
    store = bench.open()
    rows = (ANN, ACCESS, GRANT, REFRESH, BOB)
    before = store.holding(*rows)
    looked = looked_up(store, before)
    bench.remember([SPOILT])
    for method, change in (
        ("append", methodcaller("append", to_token(SPOILT))),
        ("pop", methodcaller("pop", 0)),
        ("clear", methodcaller("clear")),
    ):
        listing = _listing(bench, store, len(rows))
        bench.calls.append(Spoilt(store.number, method, passed=listing))
        # A list of another kind may refuse to be changed.
        with contextlib.suppress(Exception):
            change(listing)
        unchanged(store, before, looked, "the list that get_tokens returned")


def _listing(bench: Bench, store: Opened, number: int) -> list[object]:
    answer = store.call("get_tokens")
    tokens = answer.returned
    if (
        not isinstance(tokens, list)
        or len(tokens) != number
        or not all(isinstance(token, load().OAuthToken) and to_row(token) for token in tokens)
    ):
        bench.broken(f"get_tokens lists {number} tokens", str(answer), arranging=True)
    return tokens
