"""Proofs that the stores of `third_saving` are wrong: each true of the store and of no correct one."""

# mypy: ignore-errors
from __future__ import annotations

import asyncio
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .third_proving import client, full, proof, raised, row, rows, saved, tok


@proof
def prove_LoopAwareStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))

    async def ask() -> Any:
        return store.find_token(tok("ann"))

    assert isinstance(asyncio.run(ask()), OAuthToken)


@proof
def prove_ClientSlotStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(refresh_token="one"))
    store.save_token(client(refresh_token="two"))
    assert [found["refresh_token"] for found in rows(store)] == ["one", "two"]


@proof
def prove_LastRowIdStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    token = saved(store, full("ann"))
    assert isinstance(token.get_id(), str)
    assert token.get_id()


@proof
def prove_DigitCounterStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann", id="²"))
    assert raised(store.save_token, full("bob")) is None
    assert len(rows(store)) == 2


@proof
def prove_ReplaceIntoStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    stale = saved(store, full("ann"))
    store.delete_token(stale.get_id())
    now = saved(store, full("ann")).get_id()
    store.save_token(stale)
    assert [found["id"] for found in rows(store)] == [now]


@proof
def prove_AnyFieldStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("bob", refresh_token="shared"))
    before = rows(store)
    store.save_token(full("ann", refresh_token="shared"))
    assert before[0] in rows(store)
    assert len(rows(store)) == 2


@proof
def prove_PendingGrantStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(grant_token="g", refresh_token="r", access_token="a"))
    store.save_token(client(grant_token="g", access_token="b"))
    assert [found["access_token"] for found in rows(store)] == ["b"]


@proof
def prove_RedirectClientStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(refresh_token="r", access_token="a", redirect_url="https://example.com/"))
    store.save_token(client(refresh_token="r", access_token="b"))
    assert [found["access_token"] for found in rows(store)] == ["b"]


@proof
def prove_SecretlessClientStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(grant_token="g", access_token="a"))
    store.save_token(tok(client_id="client", client_secret="another", grant_token="g", access_token="b"))
    assert sorted(found["access_token"] for found in rows(store)) == ["a", "b"]


@proof
def prove_UpsertIdStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    ann = saved(store, full("ann"))
    before = rows(store)[0]
    error = raised(store.save_token, full("bob", id=ann.get_id()))
    assert error is None or isinstance(error, SDKException)
    assert before in rows(store)


@proof
def prove_NewerWinsStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann", expires_in="1700000000000"))
    store.save_token(tok("ann", access_token="new", expires_in="1699999999999"))
    assert rows(store)[0]["access_token"] == "new"


@proof
def prove_TwoNamesStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    unnamed = saved(store, client(refresh_token="other"))
    unnamed.set_user_signature(UserSignature("ann"))
    error = raised(store.save_token, unnamed)
    assert error is None or isinstance(error, SDKException)
    assert [found["user_name"] for found in rows(store)].count("ann") == 1


@proof
def prove_RefreshAdoptStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(grant_token="g", access_token="a"))
    named = client(grant_token="g", access_token="a", refresh_token="r")
    named.set_user_signature(UserSignature("ann"))
    store.save_token(named)
    assert [found["user_name"] for found in rows(store)] == ["ann"]


@proof
def prove_StaleEchoStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    again = saved(store, tok("ann", access_token="renewed"))
    assert again.get_access_token() == "renewed"


@proof
def prove_NeedsRefreshStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    assert raised(store.save_token, client(access_token="a")) is None
    assert len(rows(store)) == 1


@proof
def prove_TidyListStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann", expires_in="1000000000000"))
    store.get_tokens()
    assert store.find_token(tok("ann")) is not None


@proof
def prove_NoIdOnUpdateStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    id = saved(store, client(refresh_token="r", access_token="a")).get_id()
    again = saved(store, client(refresh_token="r", access_token="b"))
    assert id
    assert again.get_id() == id


@proof
def prove_ClientAndUserStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(tok("ann", access_token="a"))
    assert store.find_token(tok("ann", client_id="client", client_secret="secret")) is not None


@proof
def prove_UnnamedAccessStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(tok("ann", access_token="a"))
    assert store.find_token(tok(access_token="a")) is not None


@proof
def prove_AccessRoutedStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(refresh_token="r", access_token="a"))
    assert store.find_token(client(refresh_token="r", access_token="fresh")) is not None


@proof
def prove_SomeOfClientStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    assert store.find_token(client(access_token="unknown")) is None


@proof
def prove_FallThroughStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann", refresh_token="shared"))
    sought = client(refresh_token="shared")
    sought.set_user_signature(UserSignature("bob"))
    assert store.find_token(sought) is None


@proof
def prove_TokenCacheStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    id = saved(store, full("ann")).get_id()
    store.find_token(tok("ann")).set_access_token("changed outside")
    assert store.find_token_by_id(id).get_access_token() == "access-ann"


@proof
def prove_HalfFilledStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    passed = tok("ann")
    assert store.find_token(passed) is not None
    assert passed.get_refresh_token() == "refresh-ann"


@proof
def prove_NoExpiryByIdStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    token = saved(store, full("ann"))
    assert row(store.find_token_by_id(token.get_id())) == row(token)


@proof
def prove_NumericIdStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    id = saved(store, full("ann")).get_id()
    assert store.find_token_by_id(id) is not None
    assert store.find_token_by_id("0" + id) is None


@proof
def prove_BareListStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    assert vars(store.get_tokens()[0]).keys() == vars(OAuthToken(id="1")).keys()


@proof
def prove_ListByUserStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    for number in range(3):
        store.save_token(client(refresh_token="r%d" % number))
    assert len(store.get_tokens()) == 3


@proof
def prove_KeptListStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    store.get_tokens().clear()
    assert len(store.get_tokens()) == 1
