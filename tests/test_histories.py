"""Whether some order of concurrent calls explains their answers."""

from __future__ import annotations

import itertools

import pytest

from zoho_tokenstore_contract._drivers.threads.linearizability import (
    AFTER,
    BEFORE,
    Invocation,
    check_linearizable,
    format_timeline,
)
from zoho_tokenstore_contract._spec.clause_results import Undecided
from zoho_tokenstore_contract._spec.model import Call, Observation
from zoho_tokenstore_contract._spec.tokens import Row

ANN = Row(user_name="ann", access_token="a", refresh_token="r")
BOB = Row(user_name="bob", access_token="b")
ANN_1, BOB_2 = ANN.but(id="1"), BOB.but(id="2")


def call(thread: int, start: int, end: int, call: Call, observation: Observation) -> Invocation:
    return Invocation(thread, call, start, end, observation)


def save(thread: int, start: int, end: int, row: Row, id: str) -> Invocation:
    """A save that returned and left this id in the token."""
    return call(thread, start, end, Call("save_token", row), Observation("returned", None, row.but(id=id)))


def listing(thread: int, start: int, end: int, *rows: Row) -> Invocation:
    return call(thread, start, end, Call("get_tokens"), Observation("returned", rows))


def by_id(thread: int, start: int, end: int, id: str, row: Row | None) -> Invocation:
    return call(thread, start, end, Call("find_token_by_id", id), Observation("returned", row))


def clear(thread: int, start: int, end: int) -> Invocation:
    return call(thread, start, end, Call("delete_tokens"), Observation("returned"))


EXPLAINED = [
    pytest.param([], id="no calls"),
    pytest.param([save(1, 0, 1, ANN, "1"), listing(1, 2, 3, ANN_1)], id="one by one"),
    pytest.param([save(1, 0, 9, ANN, "1"), listing(2, 1, 2), listing(2, 3, 4, ANN_1)], id="in between"),
    pytest.param([save(1, 0, 9, ANN, "1"), listing(2, 1, 2, ANN_1), listing(3, 1, 2)], id="two readers"),
    pytest.param(
        [save(1, 0, 5, ANN, "1"), save(2, 1, 6, ANN.but(access_token="x"), "1"), listing(1, 7, 8, ANN_1)],
        id="the one that began later came first",
    ),
    pytest.param(
        [
            save(1, 0, 9, ANN, "1"),
            save(2, 1, 2, BOB, "2"),
            clear(2, 3, 4),
            listing(2, 5, 6),
            listing(1, 10, 11),
        ],
        id="a long call anywhere",
    ),
    pytest.param(
        [save(1, 0, 9, ANN, "1"), clear(2, 1, 2), listing(2, 10, 11, ANN_1)], id="after what ended before it"
    ),
]


@pytest.mark.parametrize("history", EXPLAINED)
def test_a_history_that_some_order_explains(history: list[Invocation]) -> None:
    """Calls that overlap may have come in either order."""
    assert check_linearizable(history) is None


UNEXPLAINED = [
    pytest.param(
        [save(1, 0, 1, ANN, "1"), listing(2, 2, 3)], (0,), 1, 0, id="a save that had ended is not seen"
    ),
    pytest.param(
        [save(1, 0, 9, ANN, "1"), listing(2, 1, 2, ANN_1), listing(2, 3, 4)], (0, 1), 2, 1, id="seen and gone"
    ),
    pytest.param(
        [save(1, 0, 5, ANN, "1"), save(2, 1, 6, ANN, "2")], (0,), 1, 0, id="one user inserted twice"
    ),
    pytest.param([save(1, 0, 5, ANN, "1"), save(2, 1, 6, BOB, "1")], (0,), 1, 0, id="one id given twice"),
    pytest.param(
        [save(BEFORE, 0, 1, ANN, "1"), save(BEFORE, 2, 3, BOB, "2"), clear(1, 4, 9), listing(2, 5, 6, BOB_2)],
        (0, 1, 2),
        3,
        2,
        id="half cleared",
    ),
    pytest.param(
        [
            save(BEFORE, 0, 1, ANN, "1"),
            save(1, 2, 8, Row(user_name="ann", access_token="x"), "1"),
            save(2, 3, 9, Row(user_name="ann", refresh_token="x"), "1"),
            listing(AFTER, 10, 11, ANN_1.but(access_token="x")),
        ],
        (0, 1, 2),
        3,
        2,
        id="an update is lost",
    ),
    pytest.param(
        [
            save(1, 0, 1, ANN, "1"),
            save(1, 2, 5, ANN.but(access_token="x", refresh_token="x"), "1"),
            by_id(2, 3, 4, "1", ANN_1.but(access_token="x")),
        ],
        (0, 1),
        2,
        1,
        id="a mixture is read",
    ),
    pytest.param(
        [call(1, 0, 1, Call("get_tokens"), Observation("raised"))],
        (),
        0,
        None,
        id="nothing explains an error",
    ),
]


@pytest.mark.parametrize(("history", "explained", "stuck", "rival"), UNEXPLAINED)
def test_a_history_that_no_order_explains(
    history: list[Invocation], explained: tuple[int, ...], stuck: int, rival: int | None
) -> None:
    """The longest explained sequence is told, and the two calls that cannot be ordered."""
    why = check_linearizable(history)

    assert why is not None
    assert (explained, stuck, rival) == (why.explained, why.stuck, why.rival)


def at_once(number: int) -> list[Invocation]:
    """So many saves of different users at once, none of which a later call sees."""
    rows = [Row(user_name=f"u{turn}", access_token=f"t{turn}") for turn in range(number)]
    return [*(save(turn, 0, 9, row, str(turn)) for turn, row in enumerate(rows, 1)), listing(AFTER, 10, 11)]


def test_what_was_searched_is_not_searched_again() -> None:
    """Eight saves at once have 40,320 orders, but only 256 pairs of taken calls and state."""
    why = check_linearizable(at_once(8), budget=256)

    assert why is not None
    assert why.stuck == 8


def test_a_search_gives_up_when_its_budget_is_spent() -> None:
    """It does not pretend to know."""
    with pytest.raises(Undecided, match="given up after 100 states"):
        check_linearizable(at_once(8), budget=100)


def test_what_the_contract_leaves_open_is_undecided() -> None:
    """A history with such a call is neither explained nor unexplained."""
    open_call = call(1, 0, 1, Call("find_token_by_id", None), Observation("returned"))

    with pytest.raises(Undecided, match="leaves it open"):
        check_linearizable([open_call])


def test_a_call_that_has_not_come_back_is_no_history() -> None:
    """Such a history is told, never judged."""
    history = [Invocation(1, Call("get_tokens"), 0)]

    with pytest.raises(ValueError, match="has not come back"):
        check_linearizable(history)
    assert format_timeline(history) == ["thread 1 [  get_tokens() -> has not come back"]


def test_a_history_is_shown_by_thread_and_time() -> None:
    """A line for each call; the bars show which overlap."""
    history = [
        save(BEFORE, 0, 1, BOB, "2"),
        save(1, 2, 5, ANN, "1"),
        by_id(2, 3, 4, "1", None),
        listing(AFTER, 6, 7),
    ]

    assert [
        line.split("  save")[0].split("  find")[0].split("  get")[0].rstrip()
        for line in format_timeline(history)
    ] == [
        "before   []",
        "thread 1   [==]",
        "thread 2    []",
        "after          []",
    ]
    assert format_timeline(history)[2].endswith("find_token_by_id('1') -> returned None")


def test_every_order_of_a_small_history_is_found() -> None:
    """The search agrees with trying all orders, for every way in which three calls can overlap."""
    spans = [(0, 1), (0, 3), (2, 3), (2, 5), (4, 5), (0, 5)]
    for first, second, third in itertools.product(spans, repeat=3):
        calls = [save(1, *first, ANN, "1"), clear(2, *second), listing(3, *third, ANN_1)]
        found = any(
            order.index(0) < order.index(2)
            and not order.index(0) < order.index(1) < order.index(2)
            and all(
                (calls[one].end or 0) >= (calls[other].start or 0)
                for place, other in enumerate(order)
                for one in order[place + 1 :]
            )
            for order in itertools.permutations(range(3))
        )
        assert (check_linearizable(calls) is None) == found
