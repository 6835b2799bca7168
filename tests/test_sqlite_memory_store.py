"""What `SQLiteMemoryStore` does beyond the contract and beyond what the reference stores share."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from zoho_reference_stores import SQLiteMemoryStore
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

ANN = Row(user_name="ann", client_id="client", client_secret="secret", refresh_token="ann's refresh")
CALLS: dict[str, tuple[Any, ...]] = {
    "find_token": (to_token(ANN),),
    "save_token": (to_token(ANN),),
    "delete_token": ("1",),
    "get_tokens": (),
    "delete_tokens": (),
    "find_token_by_id": ("1",),
}


def test_every_method_works_in_a_thread_that_did_not_make_the_store() -> None:
    """Closing included; SQLite by itself would allow none of them."""
    store = SQLiteMemoryStore()
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for method, arguments in CALLS.items():
                getattr(store, method)(*arguments)
            store.close()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()

    assert failures == []


@pytest.mark.parametrize("method", CALLS)
def test_a_closed_store_raises(method: str) -> None:
    """Every method but `close`, which may be called again."""
    with SQLiteMemoryStore() as store:
        store.save_token(to_token(ANN))
    store.close()

    with pytest.raises(SDKException, match="the store is closed"):
        getattr(store, method)(*CALLS[method])


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a file of the name that SQLite reads as "in memory"."""
    monkeypatch.chdir(tmp_path)
    with SQLiteMemoryStore() as store:
        store.save_token(to_token(ANN))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["user_name", "client_secret", "refresh_token", "access_token", "id"])
def test_text_that_cannot_be_stored_is_refused_and_found_nowhere(name: str) -> None:
    """A lone surrogate, in each field; the text is in no exception, and no row has changed."""
    with SQLiteMemoryStore() as store:
        store.save_token(to_token(ANN.but(id="1")))
        token = to_token(Row(access_token="access").but(**{name: "hidden \ud800"}))
        with pytest.raises(SDKException) as caught:
            store.save_token(token)

        assert "hidden" not in "".join(traceback.format_exception(caught.value))
        assert store.find_token(to_token(Row(**{name: "hidden \ud800"}))) is None
        assert [to_row(token) for token in store.get_tokens()] == [ANN.but(id="1")]


def test_a_save_that_fails_uses_up_no_id_and_leaves_no_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one works, and gets the id that the first one would have got."""
    monkeypatch.setattr("secrets.randbelow", lambda _: 0)
    with SQLiteMemoryStore() as store:
        with pytest.raises(SDKException):
            store.save_token(to_token(ANN.but(api_domain="\ud800")))
        token = to_token(ANN)
        store.save_token(token)

        assert token.get_id() == "1000000000"
