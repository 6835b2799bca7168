"""FLOW-1, FLOW-2, FLOW-5, FLOW-6, FLOW-9: the SDK signs users in, and keeps them apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..._drivers.processes.children import Processes
from ..._drivers.processes.pipe import Pipe
from ..._drivers.threads.lockstep import Lockstep
from ..._drivers.zoho.app import App, oauth_token, sdk_at_rest
from ..._drivers.zoho.data_centre import EXPIRED_AT_ONCE, TOKEN, DataCentre
from ..._drivers.zoho.recording_store import recording
from ..._drivers.zoho.sdk_abilities import CLIENT, FUTURE, abilities
from ..._drivers.zoho.sdk_session import Flow
from ..._harness.calls import Answer, CallRecord
from ..._harness.row_acts import demand, require
from ..._harness.store_limits import Pool, active, company
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.sdk import load
from ..._spec.tokens import Row, format_row, format_value, to_row
from ..registry import check
from ..sample_tokens import ACCESS, EVE, GRANT, REFRESH

VALID_EVE = EVE.but(expires_in=FUTURE)  # one that the SDK does not renew
STRANGERS = Pool((VALID_EVE, ACCESS, GRANT, REFRESH))
"""Rows that were there before and are none of the application's business."""
START_BY: dict[str, Callable[[Row], Row]] = {
    "refresh token": lambda row: row.only("client_id", "client_secret", "refresh_token"),
    "user name": lambda row: row.only("user_name"),
    "user name, with another redirect URL": lambda row: row.only(
        "user_name", "client_id", "client_secret"
    ).but(redirect_url="https://moved.example.com/oauth"),
    "id": lambda row: row.only("id"),
}
"""What an application may know of a user who has signed in before."""


def known_user(workspace: Workspace, known: str, row: Row) -> Row:
    """What the application starts with, which the stored row has to have.

    Args:
        workspace: The workspace of the check.
        known: What the application knows of the user: a key of `START_BY`.
        row: The stored row of the user.

    Returns:
        The fields of the token that the application makes.
    """
    token = START_BY["user name" if known == "id" and not active().gives_ids else known](row)
    # A redirect URL or a client alone starts nothing: the SDK makes no such token.
    starts = any((token.refresh_token, token.user_name, token.id)) and isinstance(token.id, str | None)
    require(workspace, starts, f"the stored row has a {known} to start with", format_row(row))
    return token


# FLOW-1: a user signs in


@check("FLOW-1")
def a_code_is_exchanged_once_and_what_was_issued_is_stored(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(*STRANGERS)
        for turn, name in enumerate(("ann", "bob"), 1):
            code = flow.code_of(name)
            flow.start(code)
            flow.asked_for_tokens(turn, "the code is exchanged once")
            rows.append(signed_in(flow, rows, name, code))
            for _ in range(2):
                flow.calls_as(name, rows[-1].access_token)
            flow.asked_for_tokens(turn, "later calls use what was stored")
            flow.start(code)  # as an application does that knows nothing of the store
            flow.calls_as(name, rows[-1].access_token)
            flow.asked_for_tokens(turn, "the code is exchanged once")
            flow.store.expect(rows)


@check("FLOW-1")
def a_user_who_signs_in_again_keeps_one_row(workspace: Workspace) -> None:
    if not abilities().names_users:
        not_applicable("this SDK does not ask Zoho for the user's name")
    with Flow(workspace) as flow:
        flow.default_centre.in_milliseconds = True
        rows = flow.store.holding(flow.signed_in("ann"), *company(flow.signed_in("bob"), *STRANGERS))
        code = flow.code_of("ann")
        flow.start(code)
        flow.asked_for_tokens(1, "the code is exchanged once")
        issued = issued_tokens(flow, "ann", code, id=rows[0].id)
        because = "the row of the user holds what was issued"
        fields = tuple(issued.present())
        flow.store.expect(rows, changed=[(rows[0], issued)], fields=fields, because=because)
        flow.calls_as("ann", flow.passed().access_token)
        flow.asked_for_tokens(1, "later calls use what was stored")


def signed_in(flow: Flow, before: list[Row], name: str, code: Row, centre: DataCentre | None = None) -> Row:
    """The new row of a user who has just signed in with a code.

    Args:
        flow: The SDK at work.
        before: The stored rows before that.
        name: The user at Zoho.
        code: The fields of the token with the code.
        centre: The data centre; by default the first one.

    Returns:
        The new row.
    """
    want = issued_tokens(flow, name, code, centre)
    return flow.has_row(before, want, f"one new row holds what was issued to {name}")


def issued_tokens(flow: Flow, name: str, code: Row, centre: DataCentre | None = None, **fields: Any) -> Row:
    """What a row holds after a user signed in with a code.

    Args:
        flow: The SDK at work.
        name: The user at Zoho.
        code: The fields of the token with the code.
        centre: The data centre; by default the first one.
        fields: Further fields that the row has to have.

    Returns:
        The fields that the row of the user has to have.
    """
    user_name = (centre or flow.default_centre).user(name).signature
    return flow.issued(**{**code.present(), "user_name": user_name, **fields})


# FLOW-2: the application is started again


@check("FLOW-2", persistent=True)
def a_new_process_uses_the_stored_access_token(workspace: Workspace) -> None:
    with Flow(workspace) as flow, Processes(workspace) as processes:
        location = flow.store.location
        users = company("ann", "bob", least=1)
        rows = flow.store.holding(*company(*STRANGERS), *map(flow.signed_in, users))
        workspace.close(flow.store)
        ann, bob = rows[-len(users)], rows[-1]
        for row, known in ((ann, "refresh token"), (bob, "user name"), (ann, "id")):
            payload = {
                "token": dataclasses.asdict(known_user(workspace, known, row)),
                "url": flow.default_centre.url,
                "accounts_url": flow.default_centre.accounts_url,
                "resources": str(workspace.location()),
            }
            asked, recorded = len(flow.zoho.requests), len(workspace.calls)
            child = processes.start(start_anew, location, payload).ready()
            # What Zoho was asked is recorded already, and comes last in each of its two steps.
            workspace.calls[recorded:recorded] = [
                CallRecord(0, "other", note=f"in a new process: {told}")
                for told in child.receive("the application")
            ]
            raised = child.receive("the application")
            works = f"a new process with only the {known} works"
            demand(workspace, raised is None, works, f"raised {raised}")
            flow.asked_for_tokens(0, f"a new process with only the {known} has the stored access token")
            sent = [request.access_token for request in flow.zoho.requests[asked:]]
            carries = f"the API call carries the stored access token, {format_value(row.access_token)}"
            shown = ", ".join(map(format_value, sent)) or "nothing (no call)"
            demand(workspace, sent == [row.access_token], carries, f"the API calls carried {shown}")
        workspace.open(location).expect(rows)


def start_anew(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In the new process: the application's start, and one call of the API.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the row to start with, and the addresses of Zoho.
    """
    calls: list[Any] = []

    def call(method: str, *arguments: Any) -> Answer:
        argument = to_row(arguments[0]) if isinstance(arguments[0], load().OAuthToken) else arguments[0]
        record = CallRecord(1, method, argument)
        calls.append(record)
        try:
            answer = Answer(returned=getattr(store, method)(*arguments))
        except Exception as error:
            answer = Answer(raised=error)
        record.answer = str(answer)
        return answer

    with sdk_at_rest():
        app = App(recording(call), Path(payload["resources"]), calls)
        answer = app.start(oauth_token(Row(**payload["token"])), payload["url"], payload["accounts_url"])
        if answer.raised is None:
            answer = app.call_api()
    pipe.send([str(call) for call in calls])
    pipe.send(None if answer.raised is None else str(answer).removeprefix("raised "))


# FLOW-5: the application has an access token and nothing else


@check("FLOW-5")
def an_access_token_is_stored_once_however_often_it_is_used(workspace: Workspace) -> None:
    for is_known in (True, False):
        with Flow(workspace) as flow:
            rows = flow.store.holding(*company(flow.signed_in("bob"), *STRANGERS, least=1))
            for name in ("ann", "cleo"):
                user = flow.default_centre.user(name)
                user.look_ups_to_fail = 0 if is_known else 10
                alone = Row(access_token=flow.default_centre.access_token(name))
                want = alone.but(api_domain=flow.default_centre.url)
                if is_known and abilities().names_users:
                    want = want.but(user_name=user.signature)
                flow.start(alone)
                saves = flow.passed().access_token == alone.access_token
                demand(workspace, saves, "the SDK saves the access token", "it found another's row")
                rows.append(flow.has_row(rows, want, "one new row for the access token"))
                flow.calls_as(name, alone.access_token)
                for _ in range(2):
                    flow.start(alone)
                    flow.calls_as(name, alone.access_token)
                    flow.store.expect(rows, because="the access token is still one row")
                flow.asked_for_tokens(0, "an access token alone is what it is")
        workspace.fresh_examples()


# FLOW-6: an application with several users


@check("FLOW-6")
def every_call_carries_the_token_of_the_user_it_was_switched_to(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(*STRANGERS)
        # Before `switch_user` could leave the first data centre, there was only one.
        there = flow.zoho.centre("eu") if abilities().switches_centres else flow.default_centre
        users = {"ann": flow.default_centre, "bob": flow.default_centre, "cleo": there, "dan": there}
        tokens: dict[str, Any] = {}
        stored: dict[str, Row] = {}
        for name, centre in users.items():
            code = flow.code_of(name, centre)
            go = flow.switch if tokens else flow.start_with
            tokens[name] = go(oauth_token(code), centre)
            rows.append(signed_in(flow, rows, name, code, centre))
            stored[name] = rows[-1]
            flow.calls_as(name, rows[-1].access_token, centre)
        for name, centre in reversed(users.items()):
            flow.switch(tokens[name], centre)
            flow.calls_as(name, stored[name].access_token, centre)
        for name, centre in users.items():
            flow.switch(oauth_token(stored[name].only("user_name")), centre)
            flow.calls_as(name, stored[name].access_token, centre)
        flow.asked_for_tokens(len(users), "each user's code is exchanged, and nothing else")
        flow.store.expect(rows, because="one row a user, as it was stored")


@check("FLOW-6")
def the_first_users_of_an_application_carry_their_own_tokens(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        users: dict[str, Any] = {}
        for name in ("ann", "bob"):
            go = flow.switch if users else flow.start_with
            users[name] = oauth_token(flow.code_of(name))
            go(users[name])
            flow.calls_as(name)
        for name, token in users.items():
            flow.switch(token)
            flow.calls_as(name)


@check("FLOW-6", thread_safe=True)
def every_thread_works_for_its_own_user(workspace: Workspace) -> None:
    most = ("ann", "bob", "cleo", "dan", "fay", "gus")
    names = most[: active().fitting(len(most), len(STRANGERS) + 1)]
    with Flow(workspace) as flow:
        rows = flow.store.holding(*STRANGERS, flow.signed_in("hal"))
        flow.start(known_user(workspace, "id", rows[-1]))
        codes = {name: flow.code_of(name) for name in names}
        for name in names:
            flow.default_centre.user(name).lifetimes = [EXPIRED_AT_ONCE]

        def work(name: str, wait: Callable[[], None]) -> None:
            flow.switch(oauth_token(codes[name]))
            wait()
            for _ in range(3):
                flow.calls_as(name)

        flow.recorder.around_save = Lockstep(len(names)).run
        flow.together(work, names)
        flow.asked_for_tokens(2 * len(names), "each user's code is exchanged, and the token renewed once")
        new = flow.store.expect(rows, new=len(names), because="one row a user")
        for name in names:
            issued = flow.default_centre.user(name)
            mine = [row for row in new if row.user_name == issued.signature]
            valid = len(mine) == 1 and flow.default_centre.owner(mine[0].access_token) == name
            seen = ", ".join(map(format_row, mine)) or "no such row"
            demand(workspace, valid, f"one row of {name}, with a valid access token", seen)
        flow.calls_as("hal", rows[-1].access_token)


# FLOW-9: the name is learned later


@check("FLOW-9")
def a_name_that_is_learned_later_names_the_row(workspace: Workspace) -> None:
    can = abilities()
    if not (can.names_users and can.saves_unnamed):
        not_applicable("this SDK does not ask Zoho for the user's name, or saves nothing without it")
    # When the access token is renewed, or after the next start.
    for starts_again in (False, True):
        with Flow(workspace) as flow:
            rows = flow.store.holding(*company(*STRANGERS, flow.signed_in("bob")))
            for name in company("ann", "cleo", least=1):
                centre = flow.default_centre
                user = centre.user(name)
                user.lifetimes, user.look_ups_to_fail = [EXPIRED_AT_ONCE], 1
                if starts_again:
                    known = Row(**CLIENT, refresh_token=centre.refresh_token(name))
                else:
                    known = flow.code_of(name)
                flow.start(known)
                unnamed = flow.has_row(rows, flow.issued(**known.present()), "one new row without a name")
                if starts_again:
                    flow.start(known)
                flow.calls_as(name)
                want = unnamed.but(
                    user_name=user.signature,
                    access_token=flow.issued().access_token,
                    expires_in=flow.passed().expires_in,
                )
                because = "the token is still one row, now named, with the renewed access token"
                rows.append(flow.has_row(rows, want, because))
                asked = len(flow.zoho.asked(TOKEN))
                flow.calls_as(name, want.access_token)
                flow.asked_for_tokens(asked, "the renewed access token is used")
        workspace.fresh_examples()
