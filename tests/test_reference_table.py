"""The table of the reference stores is up to date, and says that they conform."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import reference_table
from tests.reference_list import PLACES
from tests.reference_promises import PROMISES, lines_of
from zoho_tokenstore_contract._cli.scaffold import bundled
from zoho_tokenstore_contract._spec.clauses import CLAUSES

of_the_record = pytest.mark.long  # which is renewed on servers, in an hour, and not with every clause

COSTS = {
    "SQLAlchemyStore": (1, 5, 5, 1, 5),
    "DjangoTokenStore": (1, 8, 6, 1, 5),
    "RedisStore": (1, 1, 1, 1, 1),
    "SingleFlightStore": (1, 1, 1, 1, 1),
    "DynamoDBStore": (1, 2, 3, 3, 3),
    "SecretsManagerStore": (2, 4, 3, 4, 5),
}
"""The round trips of each of `TRIPS`, at most, as the stores' own texts say."""


@of_the_record
def test_the_page_is_up_to_date() -> None:
    """``python -m tests.reference_table --render`` would change nothing."""
    page = reference_table.page(reference_table.read_record())

    assert page == reference_table.PAGE.read_text(encoding="utf-8")


@of_the_record
def test_every_reference_store_conforms() -> None:
    """Each is recorded, with every clause that there is; broken is FLOW-10 at most, a MAY clause."""
    recorded = {entry["store"]: entry for entry in reference_table.read_record()["stores"]}

    assert list(PLACES) == list(recorded)
    for entry in recorded.values():
        assert entry["verdict"] == "conforms"
        assert list(CLAUSES) == list(entry["clauses"])
        assert {id for id, outcome in entry["clauses"].items() if outcome == "broken"} <= {"FLOW-10"}


@of_the_record
def test_what_asks_a_server_asks_it_seldom() -> None:
    """As seldom as the store's own text says; pg8000 asks more than once for a statement."""
    stores = reference_table.read_record()["stores"]
    trips = {entry["store"]: entry["trips"] for entry in stores if "trips" in entry}

    assert {name.partition(" ")[0] for name in trips} == set(COSTS)
    for name, one in trips.items():
        if not name.endswith("(pg8000)"):
            limits = zip(reference_table.TRIPS, COSTS[name.partition(" ")[0]], strict=True)
            assert all(one[call] <= most for call, most in limits), name


def test_clauses_that_were_not_checked_stay_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of some clauses replaces what is recorded of these, and leaves the others as they were."""
    monkeypatch.setattr(reference_table, "RECORD", tmp_path / "record.json")
    first, *others = CLAUSES

    before = reference_table.enter({"store": "ListStore", "clauses": dict.fromkeys(CLAUSES, "kept")})
    reference_table.enter({"store": "RedisStore", "clauses": {first: "kept"}})
    after = reference_table.enter({"store": "ListStore", "clauses": {first: "broken"}})

    assert before["verdict"] == "conforms"
    assert after["clauses"] == {first: "broken"} | dict.fromkeys(others, "kept")
    assert [one["store"] for one in reference_table.read_record()["stores"]] == ["ListStore", "RedisStore"]


def test_the_verdict_is_as_strict_as_the_kit() -> None:
    """A broken SHOULD, an error and a clause that was not run are in the way; a broken MAY is not."""
    kept = dict.fromkeys(CLAUSES, "kept")

    assert reference_table.verdict_on({**kept, "FLOW-10": "broken"}) == "conforms"
    assert reference_table.verdict_on({**kept, "CRASH-2": "not-applicable"}) == "conforms"
    assert reference_table.verdict_on({**kept, "SAVE-9": "broken"}) == "SAVE-9 broken"
    assert reference_table.verdict_on({**kept, "PROC-1": "error"}) == "PROC-1 error"
    assert reference_table.verdict_on({"SAVE-1": "kept"}) == f"{len(CLAUSES) - 1} not run"


@pytest.mark.parametrize("name", bundled())
def test_a_stores_own_module_is_short_enough_to_copy(name: str) -> None:
    """Under 400 lines; what it promises stands in the table."""
    [promise] = [one for one in PROMISES if one.copied_as == name]

    assert lines_of([promise.core]) < 400
