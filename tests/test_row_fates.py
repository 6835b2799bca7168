"""What may have become of rows after a kill, an exception or callers at the same time."""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import Fields, RightStore
from zoho_tokenstore_contract._harness.rehearsal import Rehearsal, Repetition
from zoho_tokenstore_contract._harness.row_fates import (
    Fate,
    TwinIds,
    fates_in_a_save,
    mishap_in,
    rows_left,
    without_own_id,
)
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._spec.clause_results import Violation
from zoho_tokenstore_contract._spec.tokens import Row

OLD = Row(id="1", user_name="ann", access_token="a", expires_in="1")
NEW = OLD.but(access_token="b", expires_in="2")
LONE = Row(id="2", access_token="c")
SENT = Row(user_name="bob", access_token="d")
FATES = (
    Fate((OLD, NEW), "ann is there"),
    Fate((LONE,), "lone is there"),
    Fate((SENT,), "bob is whole", optional=True, new=True),
)
TORN = OLD.but(access_token="b", redirect_url="e")


@pytest.mark.parametrize("rows", [(OLD, LONE), (LONE, NEW), (NEW, LONE, SENT.but(id="3"))])
def test_a_row_may_be_as_before_or_as_after_a_save(rows: tuple[Row, ...]) -> None:
    """And a new one may be there or not, under any id."""
    assert mishap_in(rows, FATES, "nothing else") is None


@pytest.mark.parametrize(
    ("rows", "expected", "seen"),
    [
        ((OLD,), "lone is there", "no such row; 1 rows in all"),
        ((OLD, LONE.but(id="4")), "lone is there", "no such row; 2 rows in all"),
        (
            (TORN, LONE),
            "ann is there",
            "redirect_url='e'), with other values than any save in access_token, redirect_url",
        ),
        ((OLD, NEW.but(id="3"), LONE), "ann is there", "Row(id='1', user_name='ann', access_token='a'), "),
        ((OLD, LONE, SENT), "bob is whole", "Row(user_name='bob'), without an id"),
        ((OLD, LONE, LONE.but(id="5")), "nothing else", "Row(id='5', access_token='c')"),
    ],
    ids=["lost", "under another id", "torn", "twice", "without an id", "from nowhere"],
)
def test_any_other_row_is_told_by_what_was_promised(rows: tuple[Row, ...], expected: str, seen: str) -> None:
    """With what is there in its place: the fields that no save has written."""
    mishap = mishap_in(rows, FATES, "nothing else")

    assert mishap is not None
    assert mishap.expected == expected
    assert seen in mishap.seen


def test_each_row_has_an_id_of_its_own() -> None:
    """It has none, or that of another row: both are told."""
    assert not without_own_id([OLD, LONE])
    assert without_own_id([SENT]).endswith("has none")
    assert without_own_id([OLD, LONE.but(id="1")]).count("Row(") == 2


def test_rows_of_a_twin_have_the_ids_that_stand_for_theirs_here() -> None:
    """A new row's id is taken over where a row is like it; what is known stays, whatever else changes."""
    ids = TwinIds()

    assert ids.translated([OLD, LONE], [LONE.but(id="x"), OLD.but(id="y")]) == [
        OLD.but(id="y"),
        LONE.but(id="x"),
    ]
    assert ids.translated([NEW, SENT.but(id="3")], [OLD.but(id="y")]) == [NEW.but(id="y"), SENT]


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ((OLD, LONE), True),
        ((NEW, LONE), True),
        ((NEW, LONE, SENT.but(id="3")), True),
        ((NEW,), False),
        ((LONE,), False),
        ((OLD, NEW, LONE), False),
        ((TORN, LONE), False),
    ],
    ids=["before", "after", "a new one, too", "another one lost", "lost", "twice", "torn"],
)
def test_in_a_save_each_row_is_as_before_or_as_after_it(rows: tuple[Row, ...], shown: bool) -> None:
    """A row that the save replaces under another id is the same user's; what it removes may be gone."""
    for new in (NEW, NEW.but(id="9")):
        seen = [new if row == NEW else row for row in rows]
        fates = fates_in_a_save([OLD, LONE], [new, LONE, SENT.but(id="3")], str, "nothing else")

        assert (mishap_in(seen, fates, "nothing else") is None) == shown
    fates = fates_in_a_save([OLD, LONE], [LONE], str, "nothing else")
    assert all(mishap_in(some, fates, "nothing else") is None for some in ([OLD, LONE], [LONE]))


class MakesAnotherRowOfEachSave(RightStore):
    """Has random ids, and takes every save for one of a new token."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None

    def next_id(self, state: Any) -> str:
        return uuid.uuid4().hex[:10]


def test_what_a_repetition_has_to_show_is_what_was_rehearsed() -> None:
    """Whatever the store makes of the saves where nothing disturbs them."""
    with Workspace(sut_for(MakesAnotherRowOfEachSave), Effort()) as workspace:
        rehearsal = Rehearsal(workspace, [OLD.but(id=None)])
        before = rehearsal.rows
        assert rehearsal.stores(NEW.but(id=None))
        again = Repetition(rehearsal)

        assert not again.shows(before, rehearsal.rows, [], "kept", "nothing else")
        again.go_on([NEW.but(id=None)])
        assert again.shows(before, rehearsal.rows, [], "kept", "nothing else")
        again.go_on([NEW.but(id=None)])
        with pytest.raises(Violation, match="seen: 3 rows"):
            again.shows(rehearsal.rows, rehearsal.rows, [], "kept", "nothing else")


class Unreadable(RightStore):
    """No call reads a row, as behind a lock that a killed process left."""

    asked = 0

    def get_tokens(self) -> NoReturn:
        raise TimeoutError

    def find_token_by_id(self, id: str, store_id: object = None) -> NoReturn:
        type(self).asked += 1
        raise TimeoutError


def test_a_store_that_reads_nothing_is_not_asked_for_each_row() -> None:
    """Each call may wait as long as the first: one id is asked for after a list that raises."""
    with Workspace(sut_for(Unreadable), Effort()) as workspace:
        assert rows_left(workspace, workspace.location(), ["1", "2", "3"]) == []

    assert Unreadable.asked == 1
