"""`SingleFlightStore`: one renewal for all who meet an expired token, and otherwise the inner store."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.flights import meet
from tests.leasing import LeasingSQLiteFileStore
from tests.stores.catalogue import subject_for
from zoho_reference_stores import ListStore, SingleFlightStore, SQLiteFileStore, sqlite_file
from zoho_tokenstore_contract._bench import Effort
from zoho_tokenstore_contract._clauses import CLAUSES
from zoho_tokenstore_contract._flow import abilities
from zoho_tokenstore_contract._outcomes import Outcome
from zoho_tokenstore_contract._rows import Row, to_row, to_token
from zoho_tokenstore_contract._run import check_clause
from zoho_tokenstore_contract._subject import Subject

CLIENT = {"client_id": "client", "client_secret": "secret"}
PAST, FUTURE = "1000000000000", "9999999999999"
ANN = Row(user_name="ann", **CLIENT, refresh_token="refresh", access_token="old", expires_in=PAST)
RENEWED = Row(user_name="ann", access_token="new", expires_in=FUTURE)
LIMIT = 20.0  # seconds until something that should have happened counts as failed
FOREVER = 3600.0  # a lease that no test sees the end of


# The contract


def over_file(location: Path) -> SingleFlightStore:
    return SingleFlightStore(SQLiteFileStore(location))


def over_leases(location: Path) -> SingleFlightStore:
    return SingleFlightStore(LeasingSQLiteFileStore(location))


def over_list(location: Path) -> SingleFlightStore:
    return SingleFlightStore(ListStore())


def break_storage(store: SingleFlightStore, location: Path) -> None:
    sqlite_file.break_storage(store.inner, location)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "SQLiteFileStore": lambda: subject_for(over_file, break_storage=break_storage),
    "LeasingSQLiteFileStore": lambda: subject_for(over_leases, break_storage=break_storage),
    "ListStore": lambda: subject_for(over_list, persistent=False),
}
# Groups and clauses that take a file or a second opening, which a store in memory does not have.
TAKE_A_FILE = frozenset({"PERSIST", "PROC", "CRASH", "SECRET-1", "FLOW-2"})


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("inner", SUBJECTS)
def test_the_wrapper_keeps_the_clause(inner: str, clause: str) -> None:
    """MUST, SHOULD and MAY alike: FLOW-10 too."""
    result = check_clause(clause, SUBJECTS[inner](), Effort())

    missing = inner == "ListStore" and not TAKE_A_FILE.isdisjoint({clause, CLAUSES[clause].group})
    missing = missing or (clause == "FLOW-8" and not abilities().revokes)
    expected = Outcome.NOT_APPLICABLE if missing else Outcome.KEPT
    assert expected == result.outcome, result.message()


