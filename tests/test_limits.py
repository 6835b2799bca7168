"""What a store cannot hold: probes find it, and every check goes around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.exam import is_long
from tests.stores.catalogue import sut_for
from tests.stores.faulty_flows import OneUserForEachOrganization
from tests.stores.faulty_listing import ListsEveryRowTwice, ListsNone, ListsTheUsersAlone
from tests.stores.right import Fields, RightStore, refusal
from zoho_tokenstore_contract._checks.registry import checks_of
from zoho_tokenstore_contract._checks.sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLEO,
    DAN,
    GRANT,
    GUS,
    KINDS,
    LATE_GRANT,
    REFRESH,
)
from zoho_tokenstore_contract._harness.store_limits import NO_LIMITS, Limits, keeping_to
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.find_limits import limits_of
from zoho_tokenstore_contract._spec.clause_results import NotApplicable, Outcome, Violation
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.tokens import Row

QUICK = [id for id in CLAUSES if not is_long(id)]
LIMITS = {
    "four rows": Limits(room=4),
    "five rows": Limits(room=5),
    "no access token": Limits(refused=frozenset([ACCESS])),
    "no grant token": Limits(refused=frozenset([GRANT])),
    "no exchanged grant token": Limits(refused=frozenset([LATE_GRANT])),
    "no refresh token": Limits(refused=frozenset([REFRESH])),
    "no second user of the client": Limits(apart=frozenset([BOB, CLEO, DAN, GUS])),
    "one slot": Limits(apart=frozenset(KINDS) - {ANN}, one_slot=True),
    "no list": Limits(lists=False),
    "no list of nothing": Limits(lists_nothing=False),
    "no quote": Limits(characters=frozenset("'%\\")),
    "first ids": Limits(counts_the_first=False),
    "no keys": Limits(unfound=frozenset([ANN, ACCESS, GRANT, REFRESH])),
    "any id": Limits(knows_ids=False),
    "ids are numbers": Limits(deletes_brought=False),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_right_store_keeps_all_clauses_within_any_limit(name: str) -> None:
    """No check fails for the rows that a limit hides from it: at most, it says that it needs them."""
    wrong = {}
    for id in QUICK:
        limits = LIMITS[name].beside(id)
        for one in checks_of(id) if limits != NO_LIMITS else ():
            try:
                with keeping_to(limits), Workspace(sut_for(RightStore), Effort()) as workspace:
                    one.run(workspace)
            except NotApplicable:
                pass
            except Violation as violation:
                if not violation.blame:
                    wrong[one.name] = str(violation)

    assert {} == wrong


class RoomForTen(RightStore):
    """Refuses an eleventh row."""

    def insert(self, state: Fields, sent: Fields) -> Fields:
        if len(state["rows"]) >= 10:
            raise refusal("full")
        return super().insert(state, sent)


class SkipsTheFirst(RightStore):
    """Leaves out the first row when it looks for the greatest id."""

    def next_id(self, state: Fields) -> str:
        ids = [row["id"] for row in state["rows"][1:]]
        return str(1 + max((int(id) for id in ids if id.isdecimal()), default=0))


class WantsNumbers(RightStore):
    """Takes each stored id for a number when it looks for the next one."""

    def next_id(self, state: Fields) -> str:
        [int(row["id"]) for row in state["rows"]]
        return super().next_id(state)


class FindsNoUsers(RightStore):
    """Finds no row by a user name."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["user_name"] else super().match_to_find(rows, sent)


class FindsTheFirst(RightStore):
    """Returns the first row for an id that no row has."""

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.get_tokens()
        return super().find_token_by_id(id) or (rows[0] if rows else None)


class DeletesNumbers(RightStore):
    """Deletes by ids that are numbers alone."""

    def remove(self, state: Fields, id: Any) -> None:
        super().remove(state, id if str(id).isdecimal() else None)


class KeepsNamesAlone(RightStore):
    """Stores a user's name, and nothing else."""

    def insert(self, state: Fields, sent: Fields) -> Fields:
        return super().insert(
            state, dict.fromkeys(sent) | {"user_name": sent["user_name"], "grant_token": " "}
        )


class NeverEmpty(RightStore):
    """Does not open where no row is stored."""

    def __init__(self, location: Path) -> None:
        there = (location / "rows.json").exists()
        super().__init__(location)
        if there and not self.get_tokens():
            raise refusal("no rows")


@pytest.mark.parametrize(
    ("store", "limits"),
    [
        pytest.param(RightStore, NO_LIMITS, id="none"),
        pytest.param(
            OneUserForEachOrganization, Limits(apart=frozenset([BOB, CLEO, DAN, GUS])), id="no two users"
        ),
        pytest.param(RoomForTen, Limits(room=10), id="ten rows"),
        pytest.param(SkipsTheFirst, Limits(counts_the_first=False), id="the first is not counted"),
        pytest.param(WantsNumbers, Limits(goes_on=False), id="ids are numbers"),
        pytest.param(ListsEveryRowTwice, Limits(lists=False), id="no list"),
        pytest.param(ListsNone, Limits(lists_nothing=False), id="no list of nothing"),
        pytest.param(FindsNoUsers, Limits(unfound=frozenset([ANN])), id="no user is found"),
        pytest.param(FindsTheFirst, Limits(knows_ids=False), id="any id is found"),
        pytest.param(DeletesNumbers, Limits(deletes_brought=False), id="numbers are deleted"),
        pytest.param(NeverEmpty, Limits(opens_empty=False), id="never empty"),
        pytest.param(KeepsNamesAlone, Limits(keeps=False), id="names alone"),
    ],
)
def test_a_limit_is_found_by_its_probe_alone(store: type[RightStore], limits: Limits) -> None:
    """A store with one fault has the limit that is this fault, and no other."""
    assert limits == limits_of(sut_for(store), Effort())


class ListsUsersAndFindsParts(ListsTheUsersAlone):
    """Leaves rows without a user out of the list, and finds a row by the beginning of its id."""

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.read()["rows"]
        row = next((row for row in rows if isinstance(id, str) and id and row["id"].startswith(id)), None)
        return None if row is None else self.new_token(row)


@pytest.mark.parametrize(
    ("clause", "outcome"),
    [
        ("SAVE-3", Outcome.KEPT),
        ("BYID-3", Outcome.BROKEN),
        ("LIST-1", Outcome.BROKEN),
        ("DEL-1", Outcome.KEPT),
        ("DEL-2", Outcome.KEPT),
        ("DEL-4", Outcome.KEPT),
        ("PERSIST-1", Outcome.KEPT),
        ("PERSIST-2", Outcome.KEPT),
    ],
)
def test_what_neither_way_of_reading_shows_rightly_is_told_of_reading_alone(
    clause: str, outcome: Outcome
) -> None:
    """Where the list lacks rows and an id finds another row, saving and deleting are not to blame."""
    assert outcome is check_clause(clause, sut_for(ListsUsersAndFindsParts), Effort()).outcome


class TellsNobodyTheId(RightStore):
    """The rows have ids, and no passed token gets one."""

    def save_token(self, token: Any) -> None:
        brought = token.get_id()
        super().save_token(token)
        token.set_id(brought)


@pytest.mark.parametrize("clause", ["VALUE-6", "VALUE-7"])
def test_a_store_that_tells_nobody_the_id_mixes_no_texts_up(clause: str) -> None:
    """That no passed token has an id is what SAVE-2 tells; two of them are not the same row for that."""
    assert check_clause(clause, sut_for(TellsNobodyTheId), Effort()).outcome is not Outcome.BROKEN


@pytest.mark.parametrize(
    ("method", "argument", "stored", "clause"),
    [
        pytest.param("save_token", Row(user_name="new"), set("123"), "VALUE-8", id="a row too many"),
        pytest.param("save_token", Row(user_name="new"), {"1", "3"}, "VALUE-8", id="a number too high"),
        pytest.param("save_token", Row(user_name="new"), {"1"}, "", id="room enough"),
        pytest.param("save_token", Row(user_name="new"), {"a"}, "SAVE-3", id="beside an id in letters"),
        pytest.param("save_token", Row(user_name="o'neil"), set(), "VALUE-1", id="a quote in a field"),
        pytest.param("delete_token", "1", {"1"}, "DEL-1", id="a stored id"),
        pytest.param("delete_token", "x'y", {"1"}, "", id="an id that is not stored"),
        pytest.param("find_token_by_id", "x'y", {"x'y"}, "VALUE-1", id="a quote in a stored id"),
        pytest.param("delete_tokens", ..., {"1"}, "CLEAR-1", id="all rows"),
    ],
)
def test_a_call_that_raises_is_blamed_on_the_fault_that_explains_it(
    method: str, argument: object, stored: set[object], clause: str
) -> None:
    """What a limit explains is told under the clause of that limit; anything else under none."""
    limits = Limits(room=3, characters=frozenset("'"), clears=False, deletes=False, goes_on=False)

    assert clause == limits.blame(method, argument, stored)
