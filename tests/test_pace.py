"""How quick a store is, and how much a slow one is asked."""

from __future__ import annotations

import pytest

from zoho_tokenstore_contract._harness.store_pace import LEAST_SHARE, Pace


def pace(*seconds: float) -> Pace:
    """The pace of a store whose saves took so many seconds each."""
    made = Pace()
    for one in seconds:
        made.took("save_token", one)
    return made


def test_a_quick_store_is_asked_everything() -> None:
    """A share of one leaves numbers and items as they are."""
    quick = pace(0.0001, 0.0001, 0.0001)

    assert quick.share == 1.0
    assert quick.affordable(40) == 40
    assert quick.in_turn("abc", 7) == "abc"


def test_a_store_counts_as_quick_until_it_is_known() -> None:
    """The first calls connect, and say nothing of those that follow."""
    assert pace(0.5, 0.5).share == 1.0


def test_a_busy_machine_makes_no_store_slow() -> None:
    """The quickest call counts, whatever the others had to wait for."""
    assert pace(0.5, 0.0001, 0.5, 0.5).share == 1.0


def test_only_methods_that_reach_the_storage_count() -> None:
    """A lookup that is answered without the storage does not make a slow store quick."""
    slow = pace(0.01, 0.01, 0.01)
    for _ in range(5):
        slow.took("find_token", 0.0)

    assert slow.seconds == 0.01


@pytest.mark.parametrize(
    ("seconds", "share"),
    [pytest.param(0.005, 0.2, id="5 ms"), pytest.param(1.0, LEAST_SHARE, id="a second")],
)
def test_a_slow_store_is_asked_a_share(seconds: float, share: float) -> None:
    """In proportion to its slowness, down to the least share."""
    slow = pace(seconds, seconds, seconds)

    assert slow.share == pytest.approx(share)
    assert slow.affordable(100) == round(100 * share)
    assert slow.affordable(4, least=3) == 3
    assert slow.affordable(2, least=3) == 2


def test_a_slow_store_is_asked_every_item_in_some_turn() -> None:
    """Over as many turns as the share is small, nothing is left out."""
    slow = pace(0.005, 0.005, 0.005)
    items = tuple(range(13))
    turns = [slow.in_turn(items, turn) for turn in range(5)]

    assert all(len(turn) in (2, 3) for turn in turns)
    assert sorted(item for turn in turns for item in turn) == list(items)


def test_few_items_are_one_a_turn() -> None:
    """A turn without any would be no turn."""
    slow = pace(0.1, 0.1, 0.1)

    assert [list(slow.in_turn("abc", turn)) for turn in range(4)] == [["a"], ["b"], ["c"], ["a"]]
