"""The table of the reference stores is up to date, and says that they conform."""

from __future__ import annotations

import pytest

from tests import reference_table
from tests.reference_list import PLACES
from zoho_tokenstore_contract._spec.clauses import CLAUSES

pytestmark = pytest.mark.long  # the record is renewed on servers, in an hour, and not with every clause

SAVING = {"DynamoDBStore": 3, "DjangoTokenStore": 8}
"""Round trips to save a token, where there are more than two: Django's is several statements."""


def test_the_page_is_up_to_date() -> None:
    """``python -m tests.reference_table --render`` would change nothing."""
    page = reference_table.page(reference_table.read_record())

    assert page == reference_table.PAGE.read_text(encoding="utf-8")


def test_every_reference_store_conforms() -> None:
    """Each is recorded, with every clause that there is; broken is FLOW-10 at most, a MAY clause."""
    recorded = {entry["store"]: entry for entry in reference_table.read_record()["stores"]}

    assert list(PLACES) == list(recorded)
    for entry in recorded.values():
        assert entry["verdict"] == "conforms"
        assert list(CLAUSES) == list(entry["clauses"])
        assert {id for id, outcome in entry["clauses"].items() if outcome == "broken"} <= {"FLOW-10"}


def test_what_asks_a_server_asks_it_seldom() -> None:
    """One round trip to find a token, as few to save one as the store's own text says."""
    stores = reference_table.read_record()["stores"]
    trips = {entry["store"]: entry["trips"] for entry in stores if "trips" in entry}

    assert len(trips) >= 2
    for name, one in trips.items():
        kind = name.partition(" ")[0]
        assert one["find"] == 1
        assert max(one["insert"], one["update"]) <= SAVING.get(kind, 2), name
