"""`RedisStore` keeps the contract on a real server, and what it does beyond that."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import redis_server
from tests.calls import find, rows, save
from tests.proxy import Proxy
from tests.servers import free_port, skip_or_fail
from zoho_reference_stores import RedisStore
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._spec.tokens import Row, to_row

pytestmark = pytest.mark.once

ADDRESS = "TOKENSTORE_TEST_REDIS"
"""Where the server is: also for the processes that a check starts."""

ANN = Row(
    user_name="ann",
    client_id="client",
    client_secret="ann's secret",
    refresh_token="ann's refresh",
    access_token="ann's access",
    expires_in="1900000000000",
)
BOB = ANN.but(user_name="bob", refresh_token="bob's refresh", access_token="bob's access")
KEYLESS = Row(redirect_url="https://example.com")
"""A token that matches no row, itself included: saved twice, it is two rows."""

_servers: list[redis_server.Server] = []


@contextlib.contextmanager
def serving(*options: str) -> Iterator[redis_server.Server]:
    """A server; without one the test is skipped, or fails where it is required."""
    skip_or_fail(redis_server.missing())
    with redis_server.running(*options) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[redis_server.Server]:
    """The server of this module, whose address processes started by checks can read."""
    with serving() as one, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, one.url)
        _servers.append(one)
        yield one
        _servers.remove(one)


def connected(url: str, *, retries: int = 1, **settings: Any) -> Any:
    # Named, for redis-py 5 makes none of these again on its own.
    errors = [redis.ConnectionError, redis.TimeoutError]
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), retries), retry_on_error=errors, **settings)


class TestRedisStore(TokenStoreContract):
    """The whole contract, each location under a prefix of its own."""

    strict = True

    def open_store(self, location: Path) -> RedisStore:
        for one in _servers:
            one.start()  # again, where break_storage has stopped it
        return RedisStore(connected(os.environ[ADDRESS]), prefix=location.name)

    def close_store(self, store: RedisStore) -> None:
        store._client.close()

    def break_storage(self, store: RedisStore, location: Path) -> None:
        for one in _servers:
            one.stop()

    def mend_storage(self, store: RedisStore, location: Path) -> None:
        for one in _servers:
            one.start()


@pytest.fixture
def address(server: redis_server.Server) -> str:
    """The address of the server, which runs."""
    server.start()
    return server.url


@pytest.fixture
def admin(address: str) -> Iterator[Any]:
    """A client of the server, which is empty."""
    with connected(address, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(admin: Any, address: str) -> Iterator[RedisStore]:
    """A store on the empty server."""
    with connected(address) as client:
        yield RedisStore(client)


def keys(admin: Any) -> list[str]:
    return sorted(admin.scan_iter())


def work_through(store: Any) -> None:
    """Every method once, with text that is not ASCII and NUL."""
    ann = ANN.but(id="1", user_name="änn\0", redirect_url="https://例え.jp")
    assert save(store, ann) == "1"
    assert save(store, BOB.but(id="2")) == "2"
    assert find(store, Row(user_name="änn\0")) == ann.but(id="1")
    assert to_row(store.find_token_by_id("2")) == BOB.but(id="2")
    assert rows(store) == [ann.but(id="1"), BOB.but(id="2")]
    store.delete_token("1")
    assert rows(store) == [BOB.but(id="2")]
    store.delete_tokens()
    assert rows(store) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"decode_responses": True},
        {"decode_responses": False},
        {"decode_responses": True, "encoding": "latin-1"},
        {"protocol": 3},
        {"protocol": 2},
    ],
    ids=str,
)
def test_the_settings_of_the_client_do_not_matter(settings: dict[str, Any], admin: Any, address: str) -> None:
    """Texts go out and come back the same whatever the client makes of other programs' answers."""
    with connected(address, **settings) as client:
        work_through(RedisStore(client))


def test_a_cluster_keeps_all_keys_on_one_node() -> None:
    """A server in cluster mode refuses a script whose keys are in several slots."""
    with serving("--cluster-enabled", "yes") as server:
        with connected(server.url) as node:
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 30
            while b"cluster_state:ok" not in node.execute_command("CLUSTER", "INFO", NEVER_DECODE=True):
                assert time.monotonic() < deadline, "the cluster does not come up"
        with redis.RedisCluster(host="127.0.0.1", port=server.port) as cluster:
            store = RedisStore(cluster)
            work_through(store)
            assert store.acquire_lease("1", "me", 5)
            store.release_lease("1", "me")


def test_tokens_outlive_a_kill_and_a_restart_of_the_server() -> None:
    """With ``appendfsync always`` every acknowledged save is in the file; ids go on behind them."""
    with serving("--appendfsync", "always") as server, connected(server.url) as client:
        store = RedisStore(client)
        save(store, ANN.but(id="1"))
        for stop in (server.kill, server.stop):
            save(store, BOB.but(access_token=stop.__name__))
            before = rows(store)
            stop()
            with pytest.raises(SDKException, match="TOKEN_STORE"):
                store.get_tokens()
            server.start()
            assert rows(store) == before
        assert [row.access_token for row in rows(store)] == ["ann's access", "stop"]
        assert find(store, Row(user_name="ann")) == ANN.but(id="1")
        assert len({save(store, Row(access_token="lone")), *(row.id for row in before)}) == 3


def commands(admin: Any, address: str, call: Callable[[], Any]) -> list[str]:
    """The commands that the server gets while a call is made, those of its own scripts left out."""
    with connected(address, decode_responses=True) as watching, watching.monitor() as monitor:
        call()
        admin.echo("that was all")
        seen: list[str] = []
        for heard in monitor.listen():
            if heard["command"] == "ECHO that was all":
                return seen
            if heard["client_type"] != "lua":
                seen.append(heard["command"].partition(" ")[0])
    raise AssertionError("the monitor ended")


def test_every_call_is_one_command(store: RedisStore, admin: Any, address: str) -> None:
    """One round trip, for inserts and updates too, once the server knows the scripts."""
    work_through(store)
    ann = save(store, ANN)
    calls: list[Callable[[], Any]] = [
        lambda: save(store, ANN.but(access_token="renewed")),
        lambda: save(store, BOB),
        lambda: find(store, Row(user_name="bob")),
        lambda: find(store, Row(access_token="no such token")),
        lambda: store.find_token_by_id(ann),
        store.get_tokens,
        lambda: store.delete_token(ann),
        store.delete_tokens,
    ]

    for call in calls:
        assert commands(admin, address, call) == ["EVALSHA"]


def test_a_server_that_forgot_the_scripts_is_told_again(store: RedisStore, admin: Any, address: str) -> None:
    """A restart empties its cache of scripts; the first call of each kind then takes two commands."""
    save(store, ANN)
    admin.script_flush()

    assert len(commands(admin, address, lambda: save(store, BOB))) == 2
    assert commands(admin, address, lambda: save(store, BOB)) == ["EVALSHA"]


def test_stores_of_different_prefixes_share_nothing(admin: Any) -> None:
    """Not even where one prefix begins with the other, and no key lies outside of them."""
    one, other = RedisStore(admin, "app"), RedisStore(admin, "app:rows")
    save(one, ANN.but(id="1"))
    save(other, BOB.but(id="1"))

    assert rows(one) == [ANN.but(id="1")]
    assert rows(other) == [BOB.but(id="1")]
    assert {key.partition("}")[0] for key in keys(admin)} == {"{app", "{app:rows"}


def test_nothing_is_left_of_a_deleted_row(store: RedisStore, admin: Any) -> None:
    """Neither of its credentials nor of what led to it; a row with the same refresh token is still found."""
    twin = BOB.but(refresh_token=ANN.refresh_token)
    left = save(store, twin)
    for id in (save(store, ANN.but(id="x")), save(store, Row(access_token="lone"))):
        store.delete_token(id)
    found = find(store, ANN.but(user_name=None, access_token=None))
    assert found is not None
    assert found.id == left

    store.delete_token(left)
    assert keys(admin) == []


# Connections that break


def cut_places(proxy: Proxy) -> list[functools.partial[None]]:
    """Where a save can be cut: in its request, which has more than 250 bytes, and in its answer."""
    requests = [functools.partial(proxy.cut_request_after, size) for size in (1, 40, 150, 250)]
    return requests + [functools.partial(proxy.cut_answer_after, size) for size in (0, 1, 6)]


@pytest.mark.parametrize("retries", [0, 3])
def test_a_save_whose_connection_is_cut_is_done_once_or_not_at_all(
    admin: Any, server: redis_server.Server, retries: int
) -> None:
    """With retries it is done once, also where the server had done it before the cut."""
    other_node = RedisStore(admin)
    save(other_node, ANN)
    with Proxy(server.port) as proxy, connected(f"redis://127.0.0.1:{proxy.port}", retries=retries) as client:
        store = RedisStore(client)
        for turn, cut in enumerate(cut_places(proxy)):
            for sent in (ANN.but(access_token=f"renewed {turn}"), KEYLESS.but(api_domain=f"{turn}")):
                before = rows(store)
                is_insert = sent.user_name is None
                after = (
                    [*before, sent.but(id=None)] if is_insert else [before[0].updated_by(sent), *before[1:]]
                )
                cuts = proxy.cuts
                cut()
                if retries:
                    save(store, sent)
                    allowed = [after]
                else:
                    with pytest.raises(SDKException, match="TOKEN_STORE"):
                        save(store, sent)
                    allowed = [before, after]
                assert proxy.cuts == cuts + 1

                # The next call works, on this node and on the other.
                for node in (store, other_node):
                    now = rows(node)
                    if is_insert and len(now) > len(before):
                        now[-1] = now[-1].but(id=None)
                    assert now in allowed


def test_two_nodes_whose_connections_are_cut_lose_nothing(admin: Any, server: redis_server.Server) -> None:
    """Both save for users of their own and for one that they share; each is cut in every save."""
    failures: list[BaseException] = []
    saved: dict[str, Row] = {}

    def work(name: str, proxy: Proxy, store: RedisStore) -> None:
        try:
            for turn, cut in enumerate(cut_places(proxy) * 3):
                own = ANN.but(user_name=f"{name} {turn % 5}", access_token=f"{name} access {turn}")
                shared = ANN.but(access_token=f"{name} {turn}", expires_in=f"{turn}", refresh_token=f"{turn}")
                for sent in (own, shared):
                    cut()
                    save(store, sent)
                saved[str(own.user_name)] = own
        except BaseException as error:
            failures.append(error)

    with contextlib.ExitStack() as stack:
        threads = []
        for name in ("one", "other"):
            proxy = stack.enter_context(Proxy(server.port))
            client = stack.enter_context(connected(f"redis://127.0.0.1:{proxy.port}", retries=3))
            store = RedisStore(client)
            store.get_tokens()
            threads.append(threading.Thread(target=work, args=(name, proxy, store)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    now = {row.user_name: row for row in rows(RedisStore(admin))}

    assert failures == []
    assert len(saved) == 10
    assert {name: row.but(id=None) for name, row in now.items() if name != "ann"} == saved
    assert now["ann"].expires_in == now["ann"].refresh_token == str(now["ann"].access_token).split()[1]
    assert len(rows(RedisStore(admin))) == 11


def test_connections_that_the_server_ends_are_made_anew(store: RedisStore, admin: Any) -> None:
    """``CLIENT KILL`` of every connection but the one that asks."""
    save(store, ANN.but(id="1"))
    for turn in range(5):
        assert admin.client_kill_filter(_type="normal", skipme=True) >= 1
        assert save(store, ANN.but(access_token=f"{turn}")) == "1"
    assert rows(store) == [ANN.but(id="1", access_token="4")]


# Servers that refuse


def test_a_full_memory_refuses_saves_and_takes_deletions(store: RedisStore, admin: Any) -> None:
    """With ``maxmemory-policy noeviction`` nothing is lost, and deleting makes room."""
    save(store, ANN.but(id="1"))
    save(store, BOB)
    before = rows(store)
    admin.config_set("maxmemory", 1)
    try:
        for row in (ANN.but(access_token="renewed"), Row(access_token="lone")):
            with pytest.raises(SDKException, match=r"TOKEN_STORE.*maxmemory"):
                save(store, row)
        assert rows(store) == before
        store.delete_token("1")
        store.delete_token("unknown")
        assert rows(store) == before[1:]
    finally:
        admin.config_set("maxmemory", 0)
    assert save(store, ANN) not in ("1", before[1].id)


def told(error: BaseException) -> str:
    """Everything that a log may show of an exception."""
    cause = error.__cause__
    return "".join(traceback.format_exception(error)) + f"{vars(error)} {error.args} {cause} {cause!r}"


def test_a_server_without_the_command_tells_no_secret() -> None:
    """Redis quotes the arguments of a command that it does not know, and they hold the tokens."""
    with serving("--rename-command", "EVALSHA", "") as server, connected(server.url) as client:
        store = RedisStore(client, prefix="p")
        for call in (lambda: save(store, ANN), lambda: find(store, ANN)):
            with pytest.raises(SDKException, match=r"TOKEN_STORE.*ResponseError") as caught:
                call()
            assert "ann" not in told(caught.value)


def test_a_server_that_cannot_be_reached_is_the_cause() -> None:
    """The exception of redis-py says where it tried."""
    with connected(f"redis://:hidden@127.0.0.1:{free_port()}") as client:
        with pytest.raises(SDKException, match=r"TOKEN_STORE.*127.0.0.1") as caught:
            save(RedisStore(client), ANN)
        assert isinstance(caught.value.cause, redis.ConnectionError)
        assert isinstance(caught.value.__cause__, redis.ConnectionError)
        assert not {"hidden", "ann"} & set(told(caught.value).replace("'", " ").split())


def test_ids_do_not_come_again_when_everything_is_lost(store: RedisStore, admin: Any) -> None:
    """Who still has the id of a row that was lost finds nobody, and no other user."""
    lost = save(store, ANN)
    admin.flushall()
    others = {save(store, BOB.but(user_name=f"user {number}")) for number in range(20)}

    assert lost not in others
    assert all(len(id) == 10 and id.isdecimal() for id in others)
    assert store.find_token_by_id(lost) is None


def test_an_eviction_hands_nobody_to_another() -> None:
    """Under ``allkeys-lru`` rows are dropped together; what is found is what was asked for."""
    with (
        serving("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru") as server,
        connected(server.url) as client,
    ):
        store = RedisStore(client)
        ids: dict[str, str] = {}
        dropped = 0
        for number in range(1500):
            name = f"user {number}"
            with contextlib.suppress(SDKException):  # no room, and nothing to drop
                id = save(store, ANN.but(user_name=name, access_token=f"{name} {'x' * 2000}"))
                assert id not in ids
                ids[id] = name
            asked = list(ids)[number // 2 % len(ids)]
            found = store.find_token_by_id(asked)
            dropped += found is None
            assert found is None or to_row(found).user_name == ids[asked]
        assert dropped > 0


def test_a_script_that_fails_half_way_changes_nothing(admin: Any, address: str) -> None:
    """A user without one of the commands, in turn: the save raises, and is done whole when it may."""
    with connected(address) as client:
        save(RedisStore(client), ANN)
        before = rows(RedisStore(client))
    for command in ("hset", "hdel", "hget", "hexists", "time", "hgetall", "del"):
        admin.acl_setuser("half", enabled=True, nopass=True, keys=["*"], commands=["+@all", f"-{command}"])
        with connected(address, username="half", password="") as client:
            half = RedisStore(client)
            for row in (ANN.but(access_token=f"new {command}"), BOB):
                try:
                    save(half, row)
                except SDKException:
                    with connected(address) as other:
                        assert rows(RedisStore(other)) == before
                with connected(address) as other:
                    save(RedisStore(other), ANN)
                    whole = RedisStore(other)
                    for one in rows(whole)[1:]:
                        whole.delete_token(one.id)
                    assert rows(whole) == before
    admin.acl_deluser("half")


class Mixed(redis.Redis):  # type: ignore[misc]  # redis has no types here
    """A client on whose connection the answer to another call is still to come."""

    foreign: list[Any] = []  # noqa: RUF012

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        answer = super().execute_command(*arguments, **options)
        return self.foreign.pop() if self.foreign else answer


@pytest.mark.parametrize("foreign", [None, 1, b"OK", [], [b"1", b'{"id": "2"}']], ids=str)
def test_an_answer_to_another_call_is_not_taken(foreign: Any, store: RedisStore, address: str) -> None:
    """Where an application was interrupted in the middle of a command of its own."""
    for row in (ANN.but(id="1"), BOB.but(id="2")):
        save(store, row)
    with Mixed.from_url(address) as client:
        mixed = RedisStore(client)
        for call in (
            lambda: to_row(mixed.find_token_by_id("1")).user_name,
            lambda: save(mixed, ANN),
            lambda: len(rows(mixed)),
        ):
            expected = call()
            Mixed.foreign.append(foreign)
            assert expected == call()
    assert len(rows(store)) == 2


@pytest.mark.parametrize(
    "client", [redis.asyncio.Redis(), "redis://localhost", None], ids=["asyncio", "address", "none"]
)
def test_what_is_no_client_is_refused(client: Any) -> None:
    """In a sentence that says what would be one."""
    with pytest.raises(SDKException, match=r"takes a redis.Redis or a redis.RedisCluster, not "):
        RedisStore(client)


@pytest.mark.parametrize("prefix", ["", "}x", None])
def test_a_prefix_that_is_none_is_refused(prefix: Any, store: RedisStore) -> None:
    """On a cluster its keys would lie on several nodes."""
    with pytest.raises(SDKException, match="the prefix is a text"):
        RedisStore(store._client, prefix)


def test_a_row_that_is_no_json_is_an_error_without_its_text(store: RedisStore, admin: Any) -> None:
    """Such an error carries the whole document, tokens and all."""
    save(store, ANN)
    [row] = [field for field in admin.hkeys("{zoho-tokens}:tokens") if field.startswith("row:")]
    admin.hset("{zoho-tokens}:tokens", row, '{"access_token": "ann\'s access')

    with pytest.raises(SDKException, match=r"TOKEN_STORE.*JSONDecodeError") as caught:
        store.get_tokens()
    assert "ann's" not in told(caught.value)


# Leases


def test_a_lease_has_one_owner(store: RedisStore) -> None:
    """It is free at first and after its owner gave it back, and others cannot give it back."""
    assert store.acquire_lease("1", "one", 60)
    assert not store.acquire_lease("1", "other", 60)
    assert store.acquire_lease("2", "other", 60)

    store.release_lease("1", "other")
    assert not store.acquire_lease("1", "other", 60)

    store.release_lease("1", "one")
    assert store.acquire_lease("1", "other", 60)


def test_a_lease_is_prolonged_by_its_owner(store: RedisStore, admin: Any) -> None:
    """It then lasts as long as asked for, from now on; half a second is a time too."""
    assert store.acquire_lease("1", "one", 0.5)
    assert 0 < admin.pttl("{zoho-tokens}:lease:1") <= 500

    assert store.acquire_lease("1", "one", 60)
    assert 500 < admin.pttl("{zoho-tokens}:lease:1") <= 60_000


def test_a_lease_runs_out(store: RedisStore) -> None:
    """Whoever comes after a dead owner gets it, without anybody giving it back."""
    assert store.acquire_lease("1", "dead", 0.001)
    deadline = time.monotonic() + 30
    while not store.acquire_lease("1", "next", 60):
        assert time.monotonic() < deadline, "it never runs out"

    assert not store.acquire_lease("1", "dead", 60)


def test_leases_are_no_tokens(store: RedisStore) -> None:
    """They are neither listed nor deleted with the rows."""
    assert store.acquire_lease("1", "one", 60)
    store.delete_tokens()

    assert rows(store) == []
    assert not store.acquire_lease("1", "other", 60)


def test_redis_is_imported_when_the_store_is_asked_for() -> None:
    """Whoever uses another store need not have it installed."""
    script = """
import sys, zoho_reference_stores
assert not {"redis", "boto3", "botocore"} & set(sys.modules)
zoho_reference_stores.RedisStore
assert "redis" in sys.modules
try:
    zoho_reference_stores.NoSuchStore
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    expected = "module 'zoho_reference_stores' has no attribute 'NoSuchStore'"
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, expected, "")
