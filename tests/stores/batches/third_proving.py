"""What the proofs of the third batch share."""

# mypy: ignore-errors
from __future__ import annotations

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .third_designs import PLAIN, user_of


def tok(user: Any = None, **values: Any) -> Any:
    token = OAuthToken(id="0")
    token.set_id(None)
    for name, value in values.items():
        getattr(token, "set_" + name)(value)
    if user is not None:
        token.set_user_signature(UserSignature(user))
    return token


def client(**values: Any) -> Any:
    return tok(client_id="client", client_secret="secret", **values)


def full(user: Any, tag: Any = "", **values: Any) -> Any:
    fields = dict(
        client_id="client",
        client_secret="secret",
        refresh_token="refresh-" + user + tag,
        access_token="access-" + user + tag,
        grant_token="grant-" + user + tag,
        expires_in="1700000000000",
        redirect_url="https://example.com/back",
        api_domain="https://www.zohoapis.com",
    )
    return tok(user, **{**fields, **values})


def row(token: Any) -> Any:
    found = {name: getattr(token, "get_" + name)() for name in PLAIN}
    found["user_name"] = user_of(token)
    return found


def rows(store: Any) -> Any:
    return sorted((row(token) for token in store.get_tokens()), key=lambda found: found["id"])


def saved(store: Any, token: Any) -> Any:
    store.save_token(token)
    return token


def raised(function: Any, *arguments: Any) -> Any:
    """The exception of a call, or None."""
    try:
        function(*arguments)
    except Exception as error:
        return error
    return None


def within(seconds: Any, function: Any) -> Any:
    """Whether the function ends in time, in a thread of its own."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


@contextlib.contextmanager
def sdk(store: Any, names: Any) -> Any:
    """The SDK's own `get_token` over the store, with the server's answers by hand.

    Gives the list of token requests.
    """
    from zohocrmsdk.src.com.zoho.api.authenticator import oauth_token as module
    from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter

    asked = []

    def post(url: Any, data: Any = None, **_: Any) -> Any:
        asked.append(data)
        return SimpleNamespace(json=lambda: {"access_token": "issued-%d" % len(asked), "expires_in": 3600})

    def user_name(*_: Any) -> Any:
        name = names.pop(0)
        if name is None:
            raise SDKException("no", "the look-up failed")
        return name

    initializer = SimpleNamespace(
        store=store,
        environment=DataCenter.Environment("http://x", "http://x/token", "http://x"),
        sdk_config=SimpleNamespace(apply_api_domain_update=lambda: False),
    )
    with (
        mock.patch.object(module.Initializer, "get_initializer", lambda: initializer),
        mock.patch.object(module.requests, "post", post),
        mock.patch.object(module.Utility, "get_user_name", user_name),
        mock.patch.object(logging, "raiseExceptions", False),
    ):
        yield asked


def proof(promise: Callable[[Any, Any], Any]) -> Callable[[Path, Any], bool]:
    """A proof that a store breaks a promise: it is true where the promise is not kept."""

    def prove(here: Path, kind: Any) -> bool:
        places = itertools.count()

        def place() -> Path:
            made = here / str(next(places))
            made.mkdir()
            return made

        try:
            promise(kind, place)
        except AssertionError:
            return True
        return False

    return prove
