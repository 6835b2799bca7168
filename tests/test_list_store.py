"""What `ListStore` does beyond the contract and beyond what the reference stores share."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from zoho_reference_stores import ListStore, list_store
from zoho_reference_stores.list_store import _COLUMN, _INDEXED
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

ANN = Row(
    user_name="ann",
    client_id="client",
    client_secret="secret",
    refresh_token="refresh",
    access_token="access",
    grant_token="grant",
    expires_in="1900000000000",
    redirect_url="https://example.com",
    api_domain="https://api.example.com",
)


def test_tokens_are_a_list_of_lists() -> None:
    """As its name says: the id, the user's name, then the fields as in the SDK's own table."""
    store = ListStore()
    store.save_token(to_token(ANN.but(id="1")))
    store.save_token(to_token(Row(id="2", access_token="lone")))

    assert store._records == [
        [
            "1",
            "ann",
            "client",
            "secret",
            "refresh",
            "access",
            "grant",
            "1900000000000",
            "https://example.com",
            "https://api.example.com",
        ],
        ["2", None, None, None, None, "lone", None, None, None, None],
    ]


def test_text_that_databases_do_not_take_comes_back() -> None:
    """NUL and lone surrogates are texts like others in a list."""
    store = ListStore()
    awkward = ANN.but(id="1", user_name="a\0b", access_token="\ud800", refresh_token="x" * 200_000)
    store.save_token(to_token(awkward))

    found = store.find_token(to_token(Row(user_name="a\0b")))
    assert awkward == to_row(found)


def test_a_record_that_was_found_before_is_not_changed_by_a_save() -> None:
    """What left the store stays as it was."""
    store = ListStore()
    store.save_token(to_token(ANN))
    (listed,) = store.get_tokens()
    store.save_token(to_token(Row(user_name="ann", access_token="new")))

    assert listed.get_access_token() == "access"


def test_refusals_name_no_secret() -> None:
    """Nor does the exception carry one otherwise."""
    store = ListStore()
    store.save_token(to_token(ANN.but(id="1")))
    for row in (Row(id="1", access_token="hidden"), Row(user_name="eve", client_secret="hidden")):
        with pytest.raises(SDKException) as caught:
            store.save_token(to_token(row))
        assert caught.value.code == "TOKEN_STORE"
        assert "hidden" not in f"{caught.value} {caught.value.args} {vars(caught.value)}"


@pytest.mark.parametrize("module", ["list_store", "sqlite_memory", "sqlite_file", "single_flight_store"])
def test_a_module_needs_no_library(module: str) -> None:
    """The SDK and the standard library are enough, beside the modules that are copied with it."""
    script = f"""
import sys, importlib.util
import zohocrmsdk.src.com.zoho.crm.api.initializer
before = set(sys.modules)
import zoho_reference_stores.{module}
foreign = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(foreign - set(sys.stdlib_module_names) - {{"zohocrmsdk", "zoho_reference_stores"}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def scanned(store: ListStore, field: str, text: str) -> list[list[str | None]]:
    """The records with a text in a field, found by looking at all of them."""
    return [record for record in store._records if record and record[_COLUMN[field]] == text]


def test_the_index_says_what_the_list_says() -> None:
    """After any calls, for every text that is or was stored."""
    chance = random.Random(1)
    store = ListStore()
    most = 0
    for _ in range(500):
        few = [None, *(f"text {number}" for number in range(6))]
        values = {
            name: chance.choice(few)
            for name in (
                "user_name",
                "refresh_token",
                "access_token",
                "grant_token",
                "client_id",
                "client_secret",
            )
        }
        call = chance.choice(("save_token", "save_token", "save_token", "delete_token", "find_token"))
        argument = str(chance.randrange(40)) if call == "delete_token" else to_token(Row(**values))
        with contextlib.suppress(SDKException):
            getattr(store, call)(argument)

        for field in _INDEXED:
            for text in [one for one in few if one] + [record[0] for record in store._records if record]:
                found = [store._records[place] for place in store._places(field, {field: text})]
                assert found == scanned(store, field, str(text))
        most = max(most, len(store.get_tokens()))
    assert most > 5


def test_deleted_records_leave_no_gaps_that_grow() -> None:
    """However many tokens come and go."""
    store = ListStore()
    for number in range(500):
        store.save_token(to_token(Row(id=f"id {number}", access_token=f"access {number}")))
        store.delete_token(f"id {number - 10}")

    assert len(store.get_tokens()) == 10
    assert len(store._records) <= 21


def test_an_interrupt_in_the_middle_of_a_save_leaves_list_and_index_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is right, and the index is made anew from it."""
    store = ListStore()
    store.save_token(to_token(ANN))
    with monkeypatch.context() as patch:
        patch.setattr(list_store, "_note", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.save_token(to_token(ANN.but(access_token="new")))

    for row in (Row(user_name="ann"), Row(access_token="new")):
        assert to_row(store.find_token(to_token(row))).access_token == "new"
    assert store.find_token(to_token(Row(access_token="access"))) is None


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
