"""`DynamoDBStore` keeps the contract on moto's server, and what it does beyond that."""

from __future__ import annotations

import functools
import os
import secrets
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import aws_stores, moto_server
from tests.calls import find, rows, save
from tests.proxy import Proxy
from tests.servers import skip_or_fail
from tests.storms import storm
from zoho_reference_stores import DynamoDBStore
from zoho_reference_stores.dynamodb_store import create_table
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._spec.tokens import Row

pytestmark = pytest.mark.once

CLIENT = {"client_id": "client", "client_secret": "the secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="ann.refresh", access_token="ann.access")
BOB = Row(user_name="bob", **CLIENT, refresh_token="bob.refresh", access_token="bob.access")
TABLE = "beyond"

_proxies: list[Proxy] = []


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[moto_server.Server]:
    """The server of this module, whose address processes started by checks can read."""
    skip_or_fail(moto_server.missing())
    with moto_server.running() as one, Proxy(one.port) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in moto_server.environment().items():
            patch.setenv(name, value)
        # Stores of the contract speak through the proxy, which puts the server out of reach and back.
        patch.setenv(aws_stores.AWS, f"http://127.0.0.1:{proxy.port}")
        create_table(boto3.client("dynamodb", endpoint_url=one.url), TABLE)
        _proxies.append(proxy)
        yield one
        _proxies.remove(proxy)
        aws_stores.client.cache_clear()


@pytest.mark.long  # minutes: each call is a request over HTTP
class TestDynamoDBStore(TokenStoreContract):
    """The whole contract, each location in a table of its own."""

    strict = True

    def open_store(self, location: Path) -> DynamoDBStore:
        self.mend_storage(None, location)
        return aws_stores.dynamodb_store(location)

    def break_storage(self, store: Any, location: Path) -> None:
        for proxy in _proxies:
            proxy.reach(False)

    def mend_storage(self, store: Any, location: Path) -> None:
        for proxy in _proxies:
            proxy.reach(True)


class Requests:
    """The requests that a client sends: their names and their parameters."""

    def __init__(self, client: Any) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.before: Callable[[str], None] = lambda _: None
        client.meta.events.register("provide-client-params.dynamodb", self._note)

    def _note(self, params: Any, model: Any, **_: Any) -> None:
        self.sent.append((model.name, params))
        self.before(model.name)

    def of(self, call: Callable[[], object]) -> list[str]:
        """The names of the requests that a call sends."""
        self.sent.clear()
        call()
        return [name for name, _ in self.sent]


@pytest.fixture
def client(server: moto_server.Server) -> Any:
    """A client of the server."""
    return boto3.client("dynamodb", endpoint_url=server.url)


@pytest.fixture
def requests(client: Any) -> Requests:
    """What that client sends."""
    return Requests(client)


@pytest.fixture
def open_store(client: Any) -> Callable[[], DynamoDBStore]:
    """Opens the store, with all of its tokens, as another process does."""
    return functools.partial(DynamoDBStore, client, TABLE, secrets.token_hex(8))


@pytest.fixture
def store(open_store: Callable[[], DynamoDBStore]) -> DynamoDBStore:
    """An empty store."""
    return open_store()


def items(client: Any, store: DynamoDBStore) -> list[Any]:
    """What the table holds of a store."""
    prefix = store._table._prefix
    return [one for one in client.scan(TableName=TABLE)["Items"] if one["pk"]["S"].startswith(prefix)]


class TestRequests:
    """How often the store asks, and how."""

    def test_finding_is_one(self, store: DynamoDBStore, requests: Requests) -> None:
        """By whatever, found or not."""
        id = save(store, ANN)

        for row in (ANN, ANN.but(user_name=None), Row(id=id), Row(access_token="ann.access"), BOB):
            assert len(requests.of(lambda row=row: find(store, row))) == 1  # type: ignore[misc]
        assert requests.of(lambda: store.find_token_by_id(id)) == ["BatchGetItem"]

    def test_saving_is_two_or_three(self, store: DynamoDBStore, requests: Requests) -> None:
        """Three where the row is also under what the token does not tell, such as an old access token."""
        assert len(requests.of(lambda: save(store, ANN))) == 2
        known = ANN.but(id=rows(store)[0].id, expires_in="1")
        assert len(requests.of(lambda: save(store, known))) == 2
        assert len(requests.of(lambda: save(store, ANN.but(access_token="new")))) == 3

    def test_nothing_stale_is_read(self, store: DynamoDBStore, requests: Requests) -> None:
        """Every read is strongly consistent, as transactions always are."""
        id = save(store, ANN)
        requests.sent.clear()
        store.find_token_by_id(id)
        store.get_tokens()
        store.delete_tokens()

        reads = [params for name, params in requests.sent if name in ("BatchGetItem", "Query")]
        assert len(reads) > 5
        for params in reads:
            (asked,) = params.get("RequestItems", {TABLE: params}).values()
            assert asked["ConsistentRead"] is True

    def test_keys_that_are_left_over_are_asked_for_again(self, client: Any, store: DynamoDBStore) -> None:
        """DynamoDB answers so when it is busy; the row is not taken for gone."""
        id = save(store, ANN)
        answers: Iterator[Any] = iter([{TABLE: {"Keys": []}}])

        def be_busy(parsed: Any, **_: Any) -> None:
            if (left := next(answers, None)) is not None:
                parsed["Responses"][TABLE], parsed["UnprocessedKeys"] = [], left

        client.meta.events.register("after-call.dynamodb.BatchGetItem", be_busy)

        assert find(store, Row(id=id)) == ANN.but(id=id)


class TestOthers:
    """Writers that come between."""

    def test_a_save_that_another_comes_between_begins_anew(
        self, open_store: Callable[[], DynamoDBStore], requests: Requests
    ) -> None:
        """Neither is lost, and the user has one row."""
        store, other = open_store(), open_store()
        others = iter([ANN.but(redirect_url="other's"), BOB])

        def come_between(name: str) -> None:
            if name == "TransactWriteItems" and (row := next(others, None)) is not None:
                save(other, row)

        requests.before = come_between
        id = save(store, ANN.but(access_token="new"))

        assert {row.user_name for row in rows(store)} == {"ann", "bob"}
        assert len(rows(store)) == 2
        assert find(store, Row(id=id)) == ANN.but(id=id, access_token="new", redirect_url="other's")

    def test_a_list_is_of_one_moment(
        self, open_store: Callable[[], DynamoDBStore], requests: Requests
    ) -> None:
        """What changes while it is read is read again."""
        store, other = open_store(), open_store()
        save(store, ANN)
        others = iter([BOB])

        def come_between(name: str) -> None:
            if name == "BatchGetItem" and requests.sent[-2][0] == "Query" and (row := next(others, None)):
                save(other, row)

        requests.before = come_between

        assert [row.user_name for row in rows(store)] == ["ann", "bob"]

    def test_another_store_sees_at_once_that_all_is_deleted(
        self, open_store: Callable[[], DynamoDBStore]
    ) -> None:
        """Though it remembers where the rows were; and what is saved then is found by both."""
        store, other = open_store(), open_store()
        save(store, ANN)
        assert find(other, ANN.only("user_name")) is not None
        store.delete_tokens()

        assert find(other, ANN.only("user_name")) is None
        id = save(other, BOB)
        assert find(store, Row(id=id)) == BOB.but(id=id)

    @pytest.mark.parametrize("sent", [ANN.but(access_token="new"), BOB, Row(redirect_url="keyless")])
    def test_a_save_whose_answer_is_lost_is_done_once(
        self, sent: Row, open_store: Callable[[], DynamoDBStore], server: moto_server.Server
    ) -> None:
        """The client sends it again."""
        other = open_store()
        save(other, ANN)
        with Proxy(server.port) as line:
            url = f"http://127.0.0.1:{line.port}"
            store = DynamoDBStore(boto3.client("dynamodb", endpoint_url=url), TABLE, other._table._prefix)
            line.cut_answer_after(0, turn=2)
            save(store, sent)
            assert line.cuts == 1

        assert len(rows(other)) == (1 if sent.user_name == "ann" else 2)


class TestIds:
    """They are never given again."""

    def test_they_are_ten_digits_that_nobody_had(
        self, store: DynamoDBStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even where chance wants it, after the row and every row were deleted."""
        numbers = iter([0, 7, 0, 1, 7, 0, 1, 2])
        monkeypatch.setattr("secrets.randbelow", lambda _: next(numbers))
        assert save(store, ANN) == "1000000000"
        store.delete_token("1000000000")
        assert save(store, ANN) == "1000000001"
        store.delete_tokens()
        assert save(store, BOB) == "1000000007"

    def test_they_do_not_begin_again_where_the_table_was_lost(
        self, client: Any, store: DynamoDBStore
    ) -> None:
        """Whoever holds an id from before finds nobody under it."""
        before = {save(store, ANN.but(user_name=f"user {number}")) for number in range(5)}
        for item in items(client, store):
            client.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})

        assert not before & {save(store, ANN.but(user_name=f"user {number}")) for number in range(5)}


class TestSecrets:
    """No token is seen where nobody looks for one."""

    def test_nothing_is_left_of_deleted_rows(self, client: Any, store: DynamoDBStore) -> None:
        """The ids are kept, as digests."""
        store.delete_token(save(store, ANN))
        save(store, BOB)
        store.delete_tokens()

        kinds = sorted(item["pk"]["S"].partition("/")[2] for item in items(client, store))
        assert kinds == ["ids", "ids", "state"]

    def test_debug_logs_and_frames_show_none(
        self, store: DynamoDBStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Those of the store's own code, also where the server refuses."""
        told = []
        with caplog.at_level("DEBUG", "botocore"):
            id = save(store, ANN)
            find(store, Row(id=id))
            store._table._name = "no-such-table"
            for call in (lambda: save(store, ANN), lambda: find(store, ANN)):
                with pytest.raises(SDKException, match=r"TOKEN_STORE.*ResourceNotFound") as caught:
                    call()
                report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
                own = [one for one in report.stack if "zoho_reference_stores" in one.filename]
                told += [f"{one.locals}" for one in own]

        seen = caplog.text + repr([vars(record) for record in caplog.records])
        assert caplog.records
        for secret in ("ann.refresh", "ann.access", "the secret"):
            assert secret not in seen
            assert secret not in "".join(told)

    def test_a_row_that_is_too_large_is_refused_without_its_text(self, store: DynamoDBStore) -> None:
        """And nothing is changed."""
        save(store, ANN)
        before = rows(store)
        large = ANN.but(access_token="x" * 500_000)
        with pytest.raises(SDKException, match="TOKEN_STORE") as caught:
            save(store, large)

        assert "xxxx" not in "".join(traceback.format_exception(caught.value))
        assert rows(store) == before


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_an_alarm_ends_one_call_and_no_other(
    mode: str, open_store: Callable[[], DynamoDBStore], server: moto_server.Server
) -> None:
    """It comes out as it is, though boto3 would try again; each later answer is the one asked for."""
    config = Config(retries={"mode": mode})
    client = boto3.client("dynamodb", endpoint_url=server.url, config=config)
    store = DynamoDBStore(client, TABLE, secrets.token_hex(8))

    assert storm(store, alarms=40, longest=0.1)["interrupted"] == 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_store_that_is_open_works_on_after_forks(store: DynamoDBStore) -> None:
    """In the parent and in each child, while all of them save: each has connections of its own."""
    save(store, ANN)
    children = []
    for number in range(3):
        child = os.fork()
        if not child:
            status = 1
            try:
                for turn in range(3):
                    save(store, BOB.but(user_name=f"child {number}", access_token=f"{turn}"))
                    found = find(store, ANN.only("user_name"))
                    assert found is not None
                    assert found.user_name == "ann"
                status = 0
            finally:
                os._exit(status)
        children.append(child)
        save(store, ANN.but(access_token=f"{number}"))

    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert sorted(str(row.user_name) for row in rows(store)) == ["ann", "child 0", "child 1", "child 2"]


def test_stores_of_different_prefixes_share_nothing(client: Any) -> None:
    """Not even where one prefix begins with the other."""
    prefix = secrets.token_hex(8)
    one, other = DynamoDBStore(client, TABLE, prefix), DynamoDBStore(client, TABLE, f"{prefix}/0")
    save(one, ANN)
    save(other, BOB)

    assert [row.user_name for row in rows(one)] == ["ann"]
    assert [row.user_name for row in rows(other)] == ["bob"]


def test_a_lease_has_one_owner(store: DynamoDBStore) -> None:
    """It is free at first, after its owner gave it back, and when it has run out; it is no token."""
    assert store.acquire_lease("1", "one", 60)
    assert store.acquire_lease("1", "one", 60)
    assert not store.acquire_lease("1", "other", 60)
    assert store.acquire_lease("2", "other", 60)

    store.release_lease("1", "other")
    store.delete_tokens()
    assert not store.acquire_lease("1", "other", 60)
    store.release_lease("1", "one")
    assert store.acquire_lease("1", "other", 0)
    assert store.acquire_lease("1", "one", 60)
