"""An application on top of the SDK, which is driven as its documentation says.

Nothing of the SDK is replaced: it is driven through its own `Initializer`, `OAuthToken` and HTTP stack.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..._harness.calls import Answer, CallRecord
from ..._spec.sdk import load
from ..._spec.tokens import Row, format_token, format_value, to_row
from .server import HOST, REQUEST_NUMBER

THREAD = "tokenstore-flow-"


@contextlib.contextmanager
def sdk_at_rest() -> Iterator[None]:
    """The SDK as if nobody had used it yet, and afterwards as it was found.

    It logs with broken format strings: a handler would print `--- Logging error ---`, and pytest's
    own would raise in the middle of it. Proxies and a ``.netrc`` are for other hosts than loopback.
    """
    initializer = load().Initializer
    logger = logging.getLogger("SDKLogger")
    log_state = (logger.level, list(logger.handlers), logger.disabled)
    global_state = (initializer.initializer, getattr(initializer.LOCAL, "init", None))
    names = ("NO_PROXY", "no_proxy", "NETRC")
    environment = {name: os.environ.get(name) for name in names}
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (environment[name], HOST)))
    os.environ["NETRC"] = os.devnull
    logger.disabled = True
    _forget()
    try:
        yield
    finally:
        initializer.initializer, initializer.LOCAL.init = global_state
        level, logger.handlers[:], logger.disabled = log_state
        logger.setLevel(level)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _forget() -> None:
    """Have the SDK forget whom it works for, in this thread."""
    initializer = load().Initializer
    initializer.initializer = None
    initializer.LOCAL.init = None


class App:
    """An application on top of the SDK, as its documentation says to write it.

    Every step is recorded and answered with an `Answer`; none raises.
    """

    def __init__(self, store: Any, resources: Path, calls: list[Any]) -> None:
        """An application that was not started yet.

        Args:
            store: What `recording` made.
            resources: A directory of its own, where the SDK may write what it knows of fields.
            calls: Where the steps are recorded.
        """
        self._store = store
        self._resources = resources
        self._calls = calls

    def start(self, token: Any, url: str, accounts_url: str) -> Answer:
        """Start anew: forget everything and initialize the SDK.

        Args:
            token: The token to start with.
            url: The address of the API.
            accounts_url: The address of the accounts server.

        Returns:
            What ``Initializer.initialize`` answered.
        """
        _forget()
        initialize = load().Initializer.initialize
        return self._step(
            f"Initializer.initialize({shown_token(token)}, store)",
            lambda: initialize(
                environment(url, accounts_url),
                token,
                self._store,
                resource_path=str(self._resources),
            ),
        )

    def switch(self, token: Any, url: str, accounts_url: str) -> Answer:
        """Go on as another user, in this thread.

        Args:
            token: The token of the other user.
            url: The address of the API.
            accounts_url: The address of the accounts server.

        Returns:
            What ``Initializer.switch_user`` answered.
        """
        switch_user = load().Initializer.switch_user
        return self._step(
            f"Initializer.switch_user({shown_token(token)})",
            lambda: switch_user(environment(url, accounts_url), token),
        )

    def call_api(self) -> Answer:
        """One call of the API: the number of the request that it made."""
        operations = load().module("src.com.zoho.crm.api.org").OrgOperations()
        numbers: list[int] = []

        def call() -> None:
            response = operations.get_organization()
            if response is None:
                raise RuntimeError("the SDK answers None: it could not make the call")
            numbers.append(int(response.get_headers()[REQUEST_NUMBER]))

        answer = self._step("OrgOperations().get_organization()", call)
        return answer if answer.raised is not None else Answer(returned=numbers[0])

    def remove(self, token: Any) -> Answer:
        """``OAuthToken.remove``."""
        return self._step(f"{shown_token(token)}.remove()", token.remove)

    def revoke(self, token: Any, id: str) -> Answer:
        """``OAuthToken.revoke``.

        Args:
            token: The token whose method is called.
            id: The id that is passed.

        Returns:
            What it answered.
        """
        return self._step(f"OAuthToken.revoke({format_value(id)})", lambda: token.revoke(id))

    def _step(self, told: str, act: Callable[[], Any]) -> Answer:
        thread = threading.current_thread().name.partition(THREAD)[2]
        note = (f"in thread {thread}: {told}" if thread else told) + ", as follows"
        record = CallRecord(0, told, note=f"{note}; it has not come back")
        self._calls.append(record)
        try:
            answer = Answer(returned=act())
        except Exception as error:
            answer = Answer(raised=error)
        record.note = note if str(answer) == "returned None" else f"{note}; it {answer}"
        return answer


def oauth_token(row: Row) -> Any:
    """The SDK's token, made with its constructor from the present fields, as an application does."""
    sdk = load()
    fields = {name: value for name, value in row.present().items() if name not in ("id", "user_name")}
    if row.id is not None:
        fields["id"] = row.id
    if row.user_name is not None:
        fields["user_signature"] = sdk.UserSignature(row.user_name)
    return sdk.OAuthToken(**fields)


def environment(url: str, accounts_url: str) -> Any:
    """The SDK's `Environment` of a data centre; that of ``zohocrmsdk5-0`` has a name too.

    Args:
        url: The address of the API.
        accounts_url: The address of the accounts server.

    Returns:
        The environment.
    """
    make = load().Environment
    try:
        return make(url, accounts_url, url)
    except TypeError:
        return make(url, accounts_url, url, "loopback")


def shown_token(token: Any) -> str:
    return format_token(to_row(token))
