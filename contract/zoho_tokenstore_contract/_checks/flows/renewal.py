"""FLOW-3, FLOW-4, FLOW-10: the SDK renews what has expired."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..._drivers.zoho.app import oauth_token
from ..._drivers.zoho.data_centre import EXPIRED_AT_ONCE, TOKEN
from ..._drivers.zoho.sdk_session import Flow
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_value
from ..registry import check
from .sign_in import START_BY, STRANGERS, known_user, signed_in

# FLOW-3: the access token expires


@check("FLOW-3")
def an_expired_access_token_is_renewed_once(workspace: Workspace) -> None:
    for known in START_BY:
        with Flow(workspace) as flow:
            rows = flow.store.holding(
                flow.signed_in("bob"), *STRANGERS, flow.signed_in("ann", expired=True), flow.signed_in("cleo")
            )
            token = known_user(workspace, known, rows[-2])
            flow.start(token)
            renewed = is_renewed(flow, rows, rows[-2].updated_by(token))
            for _ in range(2):
                flow.calls_as("ann", renewed.access_token)
            flow.start(token)
            flow.calls_as("ann", renewed.access_token)
            flow.asked_for_tokens(1, f"after a start by {known}, the renewed token is used")


@check("FLOW-3")
def a_token_that_expires_while_the_application_runs_is_renewed(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("bob"), *STRANGERS)
        flow.default_centre.user("ann").lifetimes = [EXPIRED_AT_ONCE, EXPIRED_AT_ONCE]
        code = flow.code_of("ann")
        flow.start(code)
        row = signed_in(flow, rows, "ann", code)
        rows.append(row)
        for turn in (2, 3):
            flow.calls_as("ann")
            flow.asked_for_tokens(turn, "each expired access token is renewed once")
            rows[-1] = is_renewed(flow, rows, rows[-1])
        flow.calls_as("ann", rows[-1].access_token)
        flow.asked_for_tokens(3, "the third access token lives an hour")


def is_renewed(flow: Flow, rows: list[Row], row: Row) -> Row:
    """The row of one who had an expired access token holds the new one, and all the rest as before.

    Args:
        flow: The SDK at work.
        rows: The stored rows before the renewal.
        row: The one whose access token had expired.

    Returns:
        The row as it is now.
    """
    old = next(other for other in rows if other.id == row.id)
    renewal = flow.zoho.asked(TOKEN)
    if not renewal:
        flow.asked_for_tokens(1, "the expired access token is renewed")
    want = row.but(access_token=renewal[-1].answer.get("access_token"), expires_in=flow.passed().expires_in)
    because = "the same row holds the renewed access token"
    flow.store.expect(rows, changed=[(old, want)], fields=tuple(want.present()), because=because)
    return next(now for now in flow.store.kept if now.id == row.id)


# FLOW-4: the application knows the id


@check("FLOW-4")
def a_stored_id_is_all_that_an_application_needs(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        names = ("ann", "bob", "cleo", "dan")
        rows = flow.store.holding(*(flow.signed_in(name) for name in names), *STRANGERS)
        for name, row in zip(names, rows, strict=False):
            flow.start(known_user(workspace, "id", row))
            flow.calls_as(name, row.access_token)
            flow.calls_as(name, row.access_token)
        flow.asked_for_tokens(0, "the stored access tokens are valid")
        flow.store.expect(rows)


@check("FLOW-4")
def an_expired_token_is_renewed_by_its_own_refresh_token(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        names = ("ann", "bob", "cleo")
        rows = flow.store.holding(*STRANGERS, *(flow.signed_in(name, expired=True) for name in names))
        for name, place in (("cleo", -1), ("ann", -3), ("bob", -2)):
            flow.start(known_user(workspace, "id", rows[place]))
            flow.calls_as(name)
            rows[place] = is_renewed(flow, rows, rows[place])
        flow.asked_for_tokens(3, "three expired tokens are renewed once each")


@check("FLOW-4")
def an_unknown_id_is_nobodys(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("ann"), *STRANGERS, flow.signed_in("bob", expired=True))
        credentials = [
            token for row in rows for token in (row.access_token, row.refresh_token, row.grant_token)
        ]
        unknown = ("987654321", "nobody", f"{rows[0].id} ", f"0{rows[0].id}", f"{rows[0].id} or 1=1", "%")
        for id in [id for id in unknown if all(row.id != id for row in rows)]:
            since = len(flow.zoho.requests)
            if flow.try_start(Row(id=id)).raised is None:
                flow.app.call_api()
            sent = flow.sent(credentials, since)
            if sent:
                workspace.fail(
                    f"with the unknown id {format_value(id)}, no stored token is sent",
                    f"Zoho was asked: {sent[0]}",
                )
            flow.store.expect(rows, because=f"the unknown id {format_value(id)} changes nothing")


# FLOW-10: many threads meet one expired token

THREADS = ("one", "two", "three", "four")


@check("FLOW-10", thread_safe=True)
def threads_that_meet_one_expired_token_by_its_id_renew_it_once(workspace: Workspace) -> None:
    _is_renewed_once(workspace, "id")


@check("FLOW-10", thread_safe=True)
def threads_that_meet_one_expired_token_by_its_user_renew_it_once(workspace: Workspace) -> None:
    _is_renewed_once(workspace, "user name")


def _is_renewed_once(workspace: Workspace, known: str) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(*STRANGERS, flow.signed_in("ann", expired=True), flow.signed_in("bob"))
        token = known_user(workspace, known, rows[4])
        flow.start(known_user(workspace, "id", rows[-1]))
        gate = _Gate(flow)
        flow.zoho.hold = gate.wait

        def work(thread: str, wait: Callable[[], None]) -> None:
            flow.switch(oauth_token(token))
            flow.calls_as("ann")

        try:
            flow.together(work, THREADS, gate.look)
        finally:
            gate.open()
        flow.asked_for_tokens(1, f"{len(THREADS)} threads that meet one expired token renew it once")
        is_renewed(flow, rows, rows[4])


class _Gate:
    """Holds back Zoho's answers until every thread has asked, or is not going to.

    A thread that has neither asked nor ended waits in the store, if it does so for good. Whether it
    does, only time can tell: so the answers come when nothing at all has happened for a while. A
    store that lets each thread ask for itself never gets there, and is not judged by time.
    """

    QUIET = 0.4
    LIMIT = 10.0

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._opened = threading.Event()
        self._asked = 0
        self._lock = threading.Lock()
        self._state: object = None
        self._since = time.monotonic()

    def wait(self) -> None:
        """Called by the server for each token request."""
        with self._lock:
            self._asked += 1
        self._opened.wait(self.LIMIT)

    def look(self, ended: set[str]) -> None:
        """Called by the check now and then: open where it is time."""
        done = self._asked + len(ended)
        inside = len(self._flow.recorder.inside)
        state = (done, inside, len(self._flow.workspace.calls))
        if state != self._state:
            self._state, self._since = state, time.monotonic()
        quiet = time.monotonic() - self._since > self.QUIET
        if done == len(THREADS) or (quiet and done + inside == len(THREADS)):
            self.open()

    def open(self) -> None:
        """Let everybody pass from now on."""
        self._opened.set()
