"""The Zoho on loopback: what it grants and refuses, and what it remembers."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from zoho_tokenstore_contract._drivers.zoho.data_centre import (
    ORG,
    OTHER,
    REVOKE,
    TOKEN,
    TOKENS_IN_TEN_MINUTES,
    USERS,
    DataCentre,
)
from zoho_tokenstore_contract._drivers.zoho.server import REQUEST_NUMBER, Zoho

CLIENT = {"client_id": "client", "client_secret": "secret"}
OTHER_CLIENT = {"client_id": "other", "client_secret": "other secret"}


@pytest.fixture
def zoho() -> Iterator[Zoho]:
    with Zoho({"client": "secret", "other": "other secret"}) as zoho:
        yield zoho


@pytest.fixture
def us(zoho: Zoho) -> DataCentre:
    return zoho.centre("us")


def ask(url: str, form: dict[str, str] | None = None, access_token: str | None = None) -> tuple[int, Any]:
    """The status and the JSON of a GET, or of a POST of a form."""
    headers = {"Authorization": f"Zoho-oauthtoken {access_token}"} if access_token else {}
    data = None if form is None else urllib.parse.urlencode(form).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data, headers)) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def exchange(centre: DataCentre, code: str, client: dict[str, str] = CLIENT) -> Any:
    form = {**client, "grant_type": "authorization_code", "code": code, "redirect_uri": "https://x.example"}
    return ask(centre.accounts_url, form)[1]


def renew(centre: DataCentre, refresh_token: str, client: dict[str, str] = CLIENT) -> Any:
    form = {**client, "grant_type": "refresh_token", "refresh_token": refresh_token}
    return ask(centre.accounts_url, form)[1]


def user_of(centre: DataCentre, access_token: str) -> tuple[int, Any]:
    return ask(f"{centre.url}/crm/v8/users?type=CurrentUser", access_token=access_token)


def test_a_code_is_good_for_one_exchange(us: DataCentre) -> None:
    """The first exchange gives tokens, the second `invalid_code`."""
    code = us.code("ann")

    issued = exchange(us, code)

    assert (issued["api_domain"], issued["token_type"], issued["expires_in"]) == (us.url, "Bearer", 3600)
    assert us.owner(issued["access_token"]) == "ann"
    assert {"error": "invalid_code"} == exchange(us, code)


def test_a_refresh_token_gives_new_access_tokens(us: DataCentre) -> None:
    """Each is unlike the others, and the refresh token is not told again."""
    refresh_token = us.refresh_token("ann")

    first, second = renew(us, refresh_token), renew(us, refresh_token)

    assert first["access_token"] != second["access_token"]
    assert "ann" == us.owner(first["access_token"]) == us.owner(second["access_token"])
    assert "refresh_token" not in first


@pytest.mark.parametrize(
    ("client", "error"),
    [
        ({"client_id": "client", "client_secret": "wrong"}, "invalid_client_secret"),
        ({"client_id": "nobody", "client_secret": "secret"}, "invalid_client"),
        ({}, "invalid_client"),
    ],
    ids=["wrong secret", "unknown client", "no client"],
)
def test_a_wrong_client_gets_nothing(us: DataCentre, client: dict[str, str], error: str) -> None:
    """Neither for a code nor for a refresh token; and the code stays good."""
    code = us.code("ann")

    assert {"error": error} == exchange(us, code, client)
    assert {"error": error} == renew(us, us.refresh_token("ann"), client)
    assert "access_token" in exchange(us, code)


def test_a_refresh_token_belongs_to_its_client(us: DataCentre) -> None:
    """Another client cannot use it."""
    assert {"error": "invalid_code"} == renew(us, us.refresh_token("ann"), OTHER_CLIENT)


def test_unknown_codes_refresh_tokens_and_grant_types_are_refused(us: DataCentre) -> None:
    """With HTTP 200, as Zoho does."""
    assert {"error": "invalid_code"} == exchange(us, "made up")
    assert {"error": "invalid_code"} == renew(us, "made up")
    assert (200, {"error": "unsupported_grant_type"}) == ask(us.accounts_url, {**CLIENT, "grant_type": "?"})


def test_a_revoked_refresh_token_is_refused_and_takes_its_access_tokens_along(us: DataCentre) -> None:
    """Those of the same user that came from another refresh token stay."""
    refresh_token = us.refresh_token("ann")
    access_token = us.access_token("ann", refresh_token)
    other = us.access_token("ann", us.refresh_token("ann"))
    revoke = f"{us.accounts_url}/revoke"

    assert (200, {"status": "success"}) == ask(revoke, {"token": refresh_token})

    assert {"error": "invalid_code"} == renew(us, refresh_token)
    assert (None, "ann") == (us.owner(access_token), us.owner(other))
    assert (200, {"error": "invalid_token"}) == ask(revoke, {"token": refresh_token})


def test_the_current_user_and_the_organization_are_told(us: DataCentre) -> None:
    """To the bearer of a valid access token, under any version of the API."""
    access_token = us.access_token("ann")

    for version in ("v5", "v8", "v12"):
        users = ask(f"{us.url}/crm/{version}/users?type=CurrentUser", access_token=access_token)
        org = ask(f"{us.url}/crm/{version}/org", access_token=access_token)

        assert "ann@example.com" == users[1]["users"][0]["email"]
        assert us.user("ann").signature == f"ann@example.com:{org[1]['org'][0]['zgid']}"


def test_without_a_valid_access_token_the_api_tells_nothing(us: DataCentre) -> None:
    """Not without one, not for one that was made up or has expired."""
    expired = us.access_token("ann")
    us.expire(expired)

    for access_token in (None, "made up", expired):
        status, answer = ask(f"{us.url}/crm/v8/org", access_token=access_token)

        assert (401, "INVALID_TOKEN") == (status, answer["code"])


def test_data_centres_share_nothing(zoho: Zoho, us: DataCentre) -> None:
    """A user's code, refresh token and access token are good where they were issued."""
    eu = zoho.centre("eu")
    code, refresh_token = us.code("ann"), us.refresh_token("ann")
    access_token = us.access_token("ann", refresh_token)

    assert {"error": "invalid_code"} == exchange(eu, code)
    assert {"error": "invalid_code"} == renew(eu, refresh_token)
    assert 401 == user_of(eu, access_token)[0]
    assert "access_token" in exchange(us, code)
    assert eu.url == exchange(eu, eu.code("ann"))["api_domain"]


def test_lifetimes_are_answered_as_set(us: DataCentre) -> None:
    """In turn, then an hour; in seconds, or in milliseconds where `expires_in_sec` is there too."""
    us.user("ann").lifetimes = [1, 5]
    refresh_token = us.refresh_token("ann")

    assert [1, 5, 3600] == [renew(us, refresh_token)["expires_in"] for _ in range(3)]

    us.in_milliseconds = True
    issued = renew(us, refresh_token)

    assert (3600_000, 3600) == (issued["expires_in"], issued["expires_in_sec"])


def test_look_ups_fail_as_often_as_set(us: DataCentre) -> None:
    """For that user alone."""
    us.user("ann").look_ups_to_fail = 2
    ann, bob = us.access_token("ann"), us.access_token("bob")

    assert [500, 500, 200] == [user_of(us, ann)[0] for _ in range(3)]
    assert 200 == user_of(us, bob)[0]


def test_the_eleventh_access_token_of_a_refresh_token_is_refused(us: DataCentre) -> None:
    """As Zoho refuses it within ten minutes; other refresh tokens go on."""
    refresh_token = us.refresh_token("ann")

    answers = [renew(us, refresh_token) for _ in range(TOKENS_IN_TEN_MINUTES + 1)]

    assert [True] * TOKENS_IN_TEN_MINUTES + [False] == ["access_token" in answer for answer in answers]
    assert "Access Denied" == answers[-1]["error"]
    assert "access_token" in renew(us, us.refresh_token("ann"))


def test_every_request_is_remembered(zoho: Zoho, us: DataCentre) -> None:
    """In order, with what was sent and answered, refused or not."""
    issued = exchange(us, us.code("ann"))
    user_of(us, issued["access_token"])
    ask(f"{us.url}/crm/v8/org", access_token="made up")
    ask(f"{us.url}/crm/v8/Leads", access_token=issued["access_token"])
    ask(f"{us.accounts_url}/revoke", {"token": issued["refresh_token"]})

    assert [TOKEN, USERS, ORG, OTHER, REVOKE] == [request.kind for request in zoho.requests]
    assert [1, 2, 3, 4, 5] == [request.number for request in zoho.requests]
    assert issued == zoho.requests[0].answer
    assert {issued["access_token"]} == zoho.requests[1].credentials
    assert {issued["refresh_token"]} == zoho.asked(REVOKE)[0].credentials
    assert str(zoho.requests[2]).startswith("GET /us/crm/v8/org (Authorization: Zoho-oauthtoken made up) ->")


def test_every_answer_carries_the_number_of_its_request(us: DataCentre) -> None:
    """So that a check knows which request a call of the SDK has made."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for number in ("1", "2"):
        with opener.open(us.accounts_url, b"grant_type=?") as response:
            assert number == response.headers[REQUEST_NUMBER]


def test_an_unknown_data_centre_is_not_found(zoho: Zoho, us: DataCentre) -> None:
    """It is told and remembered."""
    status, answer = ask(us.url.replace("/us", "/mars"))

    assert (404, "no data centre mars") == (status, answer["message"])
    assert "mars" == zoho.requests[0].centre


def test_token_requests_are_answered_at_once_or_held_back(zoho: Zoho, us: DataCentre) -> None:
    """Several wait together, and other requests pass meanwhile."""
    together = threading.Barrier(4)
    zoho.hold = lambda: void(together.wait(10))
    refresh_token = us.refresh_token("ann")
    threads = [threading.Thread(target=renew, args=(us, refresh_token)) for _ in range(3)]
    for thread in threads:
        thread.start()

    assert 200 == user_of(us, us.access_token("bob"))[0]
    assert [] == zoho.asked(TOKEN)

    together.wait(10)
    for thread in threads:
        thread.join(10)

    assert 3 == len(zoho.asked(TOKEN))


def test_nothing_listens_afterwards() -> None:
    """The port is free and the thread has ended."""
    with Zoho({}) as zoho:
        url = zoho.centre("us").url

    with pytest.raises(urllib.error.URLError):
        ask(url)
    assert [] == [thread.name for thread in threading.enumerate() if thread.name == "loopback-zoho"]


def void(value: object) -> None:
    """Drop a value."""
