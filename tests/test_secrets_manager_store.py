"""`SecretsManagerStore` keeps the contract on moto's server, and what it does beyond that."""

from __future__ import annotations

import functools
import io
import itertools
import json
import logging
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import moto_server
from tests.calls import find, rows, save
from tests.proxy import Proxy
from tests.servers import skip_or_fail
from zoho_reference_stores import ListStore, SecretsManagerStore, secrets_manager_catalogue
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._spec.tokens import Row

pytestmark = pytest.mark.once

ADDRESS = "TOKENSTORE_TEST_AWS"
"""Where the server is: also for the processes that a check starts."""

CLIENT = {"client_id": "client", "client_secret": "secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="ann's refresh", access_token="ann's access")
BOB = Row(user_name="bob", **CLIENT, refresh_token="bob's refresh", access_token="bob's access")
GRANT = Row(**CLIENT, grant_token="grant")
ACCESS = Row(access_token="lone access")
KEYLESS = Row(redirect_url="https://example.com")

_proxies: list[Proxy] = []


class Died(BaseException):
    """A writer that is gone in the middle of a call."""


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[moto_server.Server]:
    """The server of this module, whose address processes started by checks can read."""
    skip_or_fail(moto_server.missing())
    with moto_server.running() as one, Proxy(one.port) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in {**moto_server.environment(), ADDRESS: one.url}.items():
            patch.setenv(name, value)
        _proxies.append(proxy)
        yield one
        _proxies.remove(proxy)
        connected.cache_clear()


@pytest.fixture(autouse=True)
def emptied(server: moto_server.Server) -> None:
    """No secrets are there when a test begins: moto gets slower with each."""
    server.forget()


@functools.cache
def connected(url: str) -> Any:
    """The client that stores of one process share, as in an application."""
    return client_of(url)


def client_of(url: str, attempts: int = 1) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=20)
    return boto3.client("secretsmanager", endpoint_url=url, config=config)


@pytest.mark.long  # minutes: some 90,000 calls of the API, each a request over HTTP
class TestSecretsManagerStore(TokenStoreContract):
    """The whole contract, each location under a prefix of its own."""

    strict = True

    def open_store(self, location: Path) -> SecretsManagerStore:
        url = os.environ[ADDRESS]
        for proxy in _proxies:
            proxy.reach(True)  # again, where break_storage has ended that
            url = f"http://127.0.0.1:{proxy.port}"
        return SecretsManagerStore(connected(url), prefix=location.name)

    def break_storage(self, store: SecretsManagerStore, location: Path) -> None:
        for proxy in _proxies:
            proxy.reach(False)

    def mend_storage(self, store: SecretsManagerStore, location: Path) -> None:
        for proxy in _proxies:
            proxy.reach(True)


class Calls:
    """The calls that a client sends; `act` is told the number of each before it is sent."""

    def __init__(self, client: Any) -> None:
        self.names: list[str] = []
        self.act: Callable[[int], Any] | None = None
        client.meta.events.register("before-send.secrets-manager", self._sent)

    def _sent(self, request: Any, **_: object) -> Any:
        target = request.headers["X-Amz-Target"]
        self.names.append((target if isinstance(target, str) else target.decode()).partition(".")[2])
        return None if self.act is None else self.act(len(self.names) - 1)

    def of(self, call: Callable[[], Any]) -> list[str]:
        """What is sent while a call is made."""
        self.names.clear()
        call()
        return list(self.names)


@pytest.fixture(scope="module")
def heard(server: moto_server.Server) -> tuple[Any, Calls]:
    """A client, and what it sends."""
    client = client_of(server.url)
    return client, Calls(client)


@pytest.fixture
def client(heard: tuple[Any, Calls]) -> Any:
    return heard[0]


@pytest.fixture
def calls(heard: tuple[Any, Calls]) -> Iterator[Calls]:
    """What `store` sends."""
    yield heard[1]
    heard[1].act = None


@pytest.fixture
def store(client: Any) -> SecretsManagerStore:
    return SecretsManagerStore(client, "app")


@pytest.fixture
def other_node(server: moto_server.Server) -> SecretsManagerStore:
    """A store with the same tokens and a client of its own."""
    return SecretsManagerStore(connected(server.url), "app")


def save_all(store: Any, rows: Iterable[Row]) -> None:
    for row in rows:
        save(store, row)


def without_ids(store: Any) -> list[Row]:
    """The rows, in an order of their own, with ids that are all different."""
    now = rows(store)
    assert len({row.id for row in now}) == len(now)
    return sorted((row.but(id=None) for row in now), key=str)


def secrets_of(client: Any, prefix: str = "app") -> set[str]:
    pages = client.get_paginator("list_secrets").paginate()
    names = {secret["Name"] for page in pages for secret in page["SecretList"]}
    return {name for name in names if name.startswith(f"{prefix}/")}


def entered(client: Any, prefix: str = "app") -> set[str]:
    """The secrets that should be there, as the catalogue has it."""
    catalogue = json.loads(client.get_secret_value(SecretId=f"{prefix}/catalogue")["SecretString"])
    return {f"{prefix}/catalogue"} | {f"{prefix}/{row[0]}" for row in catalogue["rows"]}


def test_how_many_calls_of_the_api_each_method_takes(store: SecretsManagerStore, calls: Calls) -> None:
    """As the documentation of the class says."""
    get, batch, put = "GetSecretValue", "BatchGetSecretValue", "PutSecretValue"
    save(store, BOB)

    assert calls.of(lambda: save(store, ANN.but(id="1"))) == [get, put, "CreateSecret", get]
    assert calls.of(lambda: save(store, ANN)) == [get, get, put]
    assert calls.of(lambda: save(store, ANN.but(access_token="renewed"))) == [get, get, put]
    assert calls.of(lambda: save(store, ANN.but(refresh_token="again"))) == [get, get, put, put]
    assert calls.of(lambda: find(store, Row(user_name="ann"))) == [get, get]
    assert calls.of(lambda: find(store, Row(user_name="nobody"))) == [get]
    assert calls.of(lambda: find(store, Row(**CLIENT, refresh_token="again"))) == [get, get]
    assert calls.of(lambda: find(store, Row(access_token="unknown"))) == [get, batch]
    assert calls.of(lambda: store.find_token_by_id("1")) == [get, get]
    assert calls.of(store.get_tokens) == [get, batch, get, batch]
    assert calls.of(lambda: store.delete_token("1")) == [get, put, "DeleteSecret", get, put]
    assert calls.of(lambda: store.delete_token("unknown")) == [get, put]


# Writers that meet

SAVES = {
    "a new user": BOB,
    "another new user": ANN.but(user_name="cleo"),
    "a renewal": ANN.but(access_token="renewed"),
    "another renewal": Row(user_name="ann", refresh_token="ann's refresh", expires_in="1900000000000"),
    "a new login": ANN.but(refresh_token="new", access_token="new"),
    "a token of nobody": KEYLESS,
    "a lone access token": ACCESS,
    "a grant": GRANT.but(api_domain="https://api.example.com"),
    "the user of a grant": GRANT.but(user_name="dan", refresh_token="dan's refresh"),
    "another user of the grant": GRANT.but(user_name="eve"),
}
CHANGES: dict[str, Callable[[Any], Any]] = {
    **{name: functools.partial(lambda row, store: save(store, row), row) for name, row in SAVES.items()},
    "a deletion": lambda store: store.delete_token("1"),
    "deleting all": lambda store: store.delete_tokens(),
}


def begin(store: Any) -> None:
    """What is there before writers meet: a user with the id 1, and a login whose user is not yet known."""
    save(store, ANN.but(id="1"))
    save(store, GRANT)


def one_after_the_other(*changes: Callable[[Any], Any]) -> list[Row]:
    """What is there when these changes come in this order."""
    model = ListStore()
    begin(model)
    for change in changes:
        change(model)
    return without_ids(model)


# Those that decide by different things, and those that get into the way of all others.
FIRST = ("a new user", "a renewal", "a new login", "a token of nobody", "the user of a grant", "a deletion")
SECOND = (
    *("a new user", "another renewal", "a new login", "a token of nobody", "a grant"),
    *("the user of a grant", "another user of the grant", "a deletion", "deleting all"),
)


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("first", FIRST)
def test_writers_that_meet_lose_nothing_of_one_another(
    first: str, second: str, client: Any, calls: Calls, server: moto_server.Server
) -> None:
    """Before each call that one writer sends, another makes a whole change; both have to be there."""
    either_order = [
        one_after_the_other(CHANGES[first], CHANGES[second]),
        one_after_the_other(CHANGES[second], CHANGES[first]),
    ]
    for place in itertools.count():
        calls.act = None
        prefix = f"app{place}"
        store, other = (SecretsManagerStore(one, prefix) for one in (client, connected(server.url)))
        begin(store)
        calls.names.clear()
        met: list[int] = []

        def come_between(number: int, place: int = place, other: Any = other, met: Any = met) -> None:
            if number == place and not met:
                met.append(number)
                CHANGES[second](other)

        calls.act = come_between
        CHANGES[first](store)
        if not met:
            break
        calls.act = None
        assert without_ids(store) in either_order, f"{second}, before call {place} of {first}"
        assert secrets_of(client, prefix) == entered(client, prefix)
    assert place >= 3


@pytest.mark.parametrize("change", CHANGES)
def test_a_writer_that_dies_loses_nothing_and_leaves_nothing_in_the_way(
    change: str, client: Any, calls: Calls, server: moto_server.Server
) -> None:
    """It dies before each of its calls: its change is made or not, and another can make it again."""
    before, after = one_after_the_other(), one_after_the_other(CHANGES[change])
    # A token of nobody matches no row: it is a second one where the first save had come that far.
    twice = one_after_the_other(CHANGES[change], CHANGES[change])
    for place in itertools.count():
        calls.act = None
        store, other = (SecretsManagerStore(one, f"app{place}") for one in (client, connected(server.url)))
        begin(store)
        calls.names.clear()

        def die(number: int, place: int = place) -> None:
            if number == place:
                raise Died

        calls.act = die
        try:
            CHANGES[change](store)
        except Died:
            now = without_ids(other)
        else:
            break
        assert now in (before, after), f"before call {place}"
        CHANGES[change](other)
        assert without_ids(other) == (twice if now == after else after)
    assert place >= 3


def test_what_a_deletion_left_behind_is_deleted_by_the_next(
    store: SecretsManagerStore, client: Any, calls: Calls, other_node: Any
) -> None:
    """Secrets of a deleted row do not stay in the account because a process died."""
    begin(store)

    def die(number: int) -> None:
        if calls.names[-1] == "DeleteSecret":
            raise Died

    calls.act = die
    with pytest.raises(Died):
        store.delete_tokens()
    calls.act = None
    assert rows(other_node) == []
    assert len(secrets_of(client)) == 3

    other_node.delete_token("unknown")
    assert secrets_of(client) == {"app/catalogue"}


def test_a_catalogue_that_somebody_deleted_does_not_mix_users(
    store: SecretsManagerStore, client: Any
) -> None:
    """The rows that it led to are lost; who still has the id of one finds nobody."""
    lost = save(store, ANN)
    client.delete_secret(SecretId="app/catalogue", ForceDeleteWithoutRecovery=True)
    others = {save(store, BOB.but(user_name=f"user {number}")) for number in range(5)}

    assert lost not in others
    assert all(len(id) == 10 and id.isdecimal() for id in others)
    assert store.find_token_by_id(lost) is None


class Stale:
    """A client that half of the time reads what was there a quarter of a second before."""

    def __init__(self, client: Any, history: dict[str, list[tuple[float, Any]]], seed: int) -> None:
        self._client = client
        self._history = history
        self._chance = random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_secret_value(self, SecretId: str) -> Any:  # noqa: N803
        states = self._history.setdefault(SecretId, [])
        try:
            now = self._client.get_secret_value(SecretId=SecretId)
        except self._client.exceptions.ResourceNotFoundException as error:
            now = error
        states.append((time.monotonic(), now))
        old = [state for since, state in states if since > time.monotonic() - 0.25]
        answer = old[0] if self._chance.random() < 0.5 else now
        if isinstance(answer, Exception):
            raise answer
        return answer

    def batch_get_secret_value(self, SecretIdList: list[str]) -> Any:  # noqa: N803
        return {"SecretValues": [], "Errors": []}  # each is read alone then


def test_reads_that_are_a_moment_old_lose_no_save(server: moto_server.Server) -> None:
    """Two nodes with two threads each save and delete; everything acknowledged is there in the end."""
    history: dict[str, list[tuple[float, Any]]] = {}
    nodes = [SecretsManagerStore(Stale(client_of(server.url), history, seed), "app") for seed in range(2)]

    def work(number: int) -> None:
        node = nodes[number % 2]
        for turn in range(4):
            saved = save(node, ANN.but(user_name=f"user {number} {turn}", access_token="first"))
            save(node, ANN.but(user_name=f"user {number} {turn}", access_token="second"))
            save(node, ANN.but(user_name=f"user {number} {turn}", access_token="first"))
            if turn == 0:
                node.delete_token(saved)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    node = SecretsManagerStore(connected(server.url), "app")

    assert {(row.user_name, row.access_token) for row in rows(node)} == {
        (f"user {number} {turn}", "first") for number in range(4) for turn in range(1, 4)
    }
    assert secrets_of(connected(server.url)) == entered(connected(server.url))


def test_a_fork_while_threads_save_leaves_nothing_locked(server: moto_server.Server) -> None:
    """Each child saves a user of its own, on connections of its own."""
    store = SecretsManagerStore(client_of(server.url, attempts=3), "app")
    over = threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            save(store, ANN.but(user_name=f"thread {number}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(3):
        if (child := os.fork()) == 0:
            signal.alarm(120)  # a child that hangs dies of it
            try:
                save(store, BOB.but(user_name=f"child {number}"))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    over.set()
    for thread in threads:
        thread.join()

    assert ends == [0, 0, 0]
    assert {row.user_name for row in rows(store)} == {
        *(f"thread {number}" for number in range(3)),
        *(f"child {number}" for number in range(3)),
    }


@pytest.mark.parametrize("thing", [None, "us-east-1"])
def test_what_is_no_client_is_refused(thing: Any) -> None:
    """In a sentence that says what would be one."""
    with pytest.raises(SDKException, match=r"takes boto3.client\('secretsmanager'\), not "):
        SecretsManagerStore(thing)


# Connections that break, and servers that refuse


def test_a_call_that_is_cut_is_made_again_and_done_once(server: moto_server.Server, other_node: Any) -> None:
    """Each call of a save in turn is cut: before it has arrived, or before its answer has."""
    model = ListStore()
    for store in (model, other_node):
        begin(store)
    with Proxy(server.port) as proxy:
        client = client_of(f"http://127.0.0.1:{proxy.port}", attempts=3)
        calls, store = Calls(client), SecretsManagerStore(client, "app")
        for turn, (place, cut) in enumerate(
            (place, cut)
            for place in range(4)
            for cut in (
                functools.partial(proxy.cut_request_after, 100),
                functools.partial(proxy.cut_answer_after, 0),
            )
        ):
            calls.names.clear()

            def cut_in_turn(number: int, place: int = place, cut: Callable[[], None] = cut) -> None:
                if number == place:
                    cut()

            calls.act = cut_in_turn
            for node in (model, store):
                save(node, KEYLESS.but(api_domain=f"{turn}"))

            assert proxy.cuts == turn + 1
            assert without_ids(other_node) == without_ids(model)


def throttled(number: int, until: int) -> AWSResponse | None:
    """What AWS answers when calls come too fast; sent without asking the server."""
    if number >= until:
        return None
    body = io.BytesIO(json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode())
    body.stream = lambda: iter([body.read()])  # type: ignore[attr-defined]
    return AWSResponse("http://127.0.0.1", 400, {"Content-Type": "application/x-amz-json-1.1"}, body)


def test_calls_that_come_too_fast_are_made_again(server: moto_server.Server) -> None:
    """By the client, as often as it is told to; then the error of AWS is the cause."""
    client = client_of(server.url, attempts=3)
    calls, store = Calls(client), SecretsManagerStore(client, "app")
    calls.act = functools.partial(throttled, until=2)
    save(store, ANN.but(id="1"))
    assert calls.names[:3] == ["GetSecretValue"] * 3
    assert rows(store) == [ANN.but(id="1")]

    calls.names.clear()
    calls.act = functools.partial(throttled, until=100)
    with pytest.raises(SDKException, match=r"TOKEN_STORE.*ThrottlingException") as caught:
        save(store, BOB)
    assert len(calls.names) == 3
    assert caught.value.cause is caught.value.__cause__ is not None
    assert "bob" not in "".join(traceback.format_exception(caught.value))


def test_a_row_too_large_for_a_secret_is_refused(store: SecretsManagerStore, client: Any) -> None:
    """Before anything is written, and only where it is too large compressed as well."""
    save(store, ANN.but(id="1"))
    dice = random.Random(7)
    large = "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(50_000))
    for row in (BOB.but(access_token=large), Row(user_name="ann", redirect_url=large)):
        with pytest.raises(SDKException, match="the row would have more than the 65536 bytes"):
            save(store, row)

    assert rows(store) == [ANN.but(id="1")]
    assert secrets_of(client) == entered(client)

    save(store, ANN.but(redirect_url="x" * 200_000))
    assert rows(store) == [ANN.but(id="1", redirect_url="x" * 200_000)]


def test_a_full_catalogue_refuses_new_users_and_renews_the_others(
    store: SecretsManagerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting makes room."""
    monkeypatch.setattr(secrets_manager_catalogue, "LARGEST", 400)
    with pytest.raises(SDKException, match="the catalogue would have more than the 400 bytes"):
        save_all(store, (ANN.but(user_name=f"user {number}") for number in range(20)))
    held = rows(store)
    assert 3 <= len(held) < 20

    save(store, held[2].but(access_token="renewed"))
    for row in held[:2]:
        store.delete_token(row.id)
    save(store, BOB)
    assert [row.user_name for row in rows(store)] == [row.user_name for row in held[2:]] + ["bob"]


def test_a_long_id_is_refused(store: SecretsManagerStore) -> None:
    """Ids stand in the catalogue, which has to have room for all."""
    assert save(store, ANN.but(id="x" * 255)) == "x" * 255
    with pytest.raises(SDKException, match="an id has at most 255 characters"):
        save(store, BOB.but(id="x" * 256))


def test_secrets_that_a_batch_leaves_out_are_read_alone(
    store: SecretsManagerStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may be shorter than what was asked for."""
    begin(store)
    before = rows(store)
    answer = {"SecretValues": [], "Errors": [{"SecretId": "?", "ErrorCode": "InternalServiceError"}]}
    monkeypatch.setattr(client, "batch_get_secret_value", lambda **_: answer)

    assert len(before) == 2
    assert rows(store) == before


def test_more_rows_than_a_batch_takes(store: SecretsManagerStore) -> None:
    """They are listed, and the one with a renewed access token is found among them."""
    users = [ANN.but(user_name=f"user {number}", access_token=f"access {number}") for number in range(41)]
    save_all(store, users)
    last = save(store, users[40])

    assert [row.user_name for row in rows(store)] == [user.user_name for user in users]
    assert find(store, Row(access_token="access 40")) == users[40].but(id=last)


def test_secrets_are_not_logged(
    store: SecretsManagerStore, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """At the level DEBUG botocore logs what it sends and gets, and would log tokens with it."""
    caplog.set_level(logging.DEBUG)
    save(store, ANN.but(id="1"))
    assert find(store, Row(user_name="ann")) == ANN.but(id="1")
    assert "<hidden>" in caplog.text
    assert "Response body" in caplog.text
    assert "ann's" not in caplog.text


def test_a_value_that_boto3_refuses_is_not_quoted(client: Any) -> None:
    """Its error says what it was given."""
    store = SecretsManagerStore(client_with_wrong_types(client))
    with pytest.raises(SDKException, match=r"TOKEN_STORE.*ParamValidationError") as caught:
        save(store, ANN)
    assert caught.value.cause is None
    assert "ann's" not in "".join(traceback.format_exception(caught.value))


def client_with_wrong_types(client: Any) -> Any:
    """A client that hands boto3 a value of the wrong type, which its error quotes."""

    class Wrong:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def create_secret(self, **arguments: Any) -> Any:
            return client.create_secret(**{**arguments, "SecretString": [arguments["SecretString"]]})

    return Wrong()


def test_stores_of_different_prefixes_share_nothing(client: Any) -> None:
    """Not even where one prefix begins with the other."""
    one, other = SecretsManagerStore(client, "app"), SecretsManagerStore(client, "app/catalogue")
    save(one, ANN.but(id="1"))
    save(other, BOB.but(id="1"))

    assert [rows(one), rows(other)] == [[ANN.but(id="1")], [BOB.but(id="1")]]
