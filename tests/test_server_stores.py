"""What all stores on servers promise alike: when a call is interrupted, a server is away, or a process forks.

A proxy holds the server's answer back until a signal's handler has raised: the exception comes between what
the driver sends and what it would receive, at each round trip in turn [CRASH-6].
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import redis
import sqlalchemy as sql
from botocore.config import Config
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import moto_server, redis_server, servers, sql_stores
from tests.calls import find, rows, save
from tests.proxy import Proxy
from zoho_reference_stores import RedisStore, SecretsManagerStore
from zoho_reference_stores.sqlalchemy_leases import LeasingSQLAlchemyStore
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

if TYPE_CHECKING:
    from typing_extensions import Self

pytestmark = pytest.mark.once

CLIENT = {"client_id": "client", "client_secret": "SECRET of the client"}
ANN = Row(id="1", user_name="ann", **CLIENT, refresh_token="SECRET 1", access_token="SECRET 2")
BOB = Row(id="2", user_name="bob", **CLIENT, refresh_token="SECRET 3", access_token="SECRET 4")
CAT = Row(user_name="cat", **CLIENT, refresh_token="SECRET 5", access_token="SECRET 6")
NEW_ANN = ANN.but(access_token="SECRET 7")

CALLS: dict[str, Callable[[Any], object]] = {
    "find_token_by_id": lambda store: store.find_token_by_id("1"),
    "find_token": lambda store: store.find_token(to_token(Row(user_name="ann"))),
    "get_tokens": lambda store: store.get_tokens(),
    "update": lambda store: store.save_token(to_token(NEW_ANN)),
    "insert": lambda store: store.save_token(to_token(CAT)),
    "delete_token": lambda store: store.delete_token("1"),
}


class SoftTimeLimit(Exception):
    """What the handler raises."""


class Line(Proxy):
    """A way to a server on which a signal comes before an answer does."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._handled = threading.Event()
        self._do: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def handle(self, *_: object) -> None:
        """Be the signal's handler."""
        self._handled.set()
        self._do()

    @contextlib.contextmanager
    def signal_at(self, turn: int, do: Callable[[], None]) -> Iterator[None]:
        """Let the handler do something before the answer of a turn from now, where there is such a turn."""
        wanted = self.turns + turn

        def send_signal(now: int) -> None:
            if now == wanted and not self._handled.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)
                assert self._handled.wait(60)

        self._handled.clear()
        self._do = do
        before = signal.signal(signal.SIGUSR1, self.handle)
        self.before_answer = send_signal
        try:
            yield
        finally:
            self.before_answer = None
            signal.signal(signal.SIGUSR1, before)

    @property
    def was_signalled(self) -> bool:
        """Whether the handler ran."""
        return self._handled.is_set()


def raise_it() -> None:
    raise SoftTimeLimit


@contextlib.contextmanager
def on_sql(kind: sql_stores.Kind, **options: Any) -> Iterator[tuple[Line, Callable[[int], Any]]]:
    engines: list[sql.Engine] = []
    tables = (f"interrupted_{kind.driver}_{os.getpid()}_{number}" for number in itertools.count())
    table = next(tables)

    def open_store(port: int) -> Any:
        url = kind.url(user=kind.server().user, port=port)
        engines.append(sql.create_engine(url, pool_size=1, max_overflow=1, pool_timeout=5, **options))
        return LeasingSQLAlchemyStore(engines[-1], table)

    with Line(kind.server().port) as line:
        yield line, open_store
        for engine in engines:
            engine.dispose()


def connect_blocking(url: str) -> Any:
    return redis.Redis(
        connection_pool=redis.BlockingConnectionPool.from_url(url, max_connections=2, timeout=5)
    )


@contextlib.contextmanager
def on_redis(connect: Callable[[str], Any]) -> Iterator[tuple[Line, Callable[[int], Any]]]:
    servers.skip_or_fail(redis_server.missing())
    with redis_server.running() as server, Line(server.port) as line:
        yield line, lambda port: RedisStore(connect(f"redis://127.0.0.1:{port or server.port}/0"))


@contextlib.contextmanager
def on_aws() -> Iterator[tuple[Line, Callable[[int], Any]]]:
    servers.skip_or_fail(moto_server.missing())
    config = Config(retries={"mode": "standard", "total_max_attempts": 4})

    def open_store(port: int) -> Any:
        url = f"http://127.0.0.1:{port or server.port}"
        return SecretsManagerStore(boto3.client("secretsmanager", endpoint_url=url, config=config))

    with moto_server.running() as server, Line(server.port) as line, pytest.MonkeyPatch.context() as patch:
        for name, value in moto_server.environment().items():
            patch.setenv(name, value)
        yield line, open_store


KINDS = sql_stores.KINDS
PLACES: dict[str, tuple[str, Callable[[], Any]]] = {
    "PostgreSQL, recommended": ("postgresql", lambda: on_sql(KINDS["postgresql"], **sql_stores.OPTIONS)),
    "PostgreSQL, plain": ("postgresql", lambda: on_sql(KINDS["postgresql"])),
    "MariaDB, recommended": ("mariadb", lambda: on_sql(KINDS["mariadb"], **sql_stores.OPTIONS)),
    "MariaDB, plain": ("mariadb", lambda: on_sql(KINDS["mariadb"])),
    "Redis": ("", lambda: on_redis(redis.Redis.from_url)),
    "Redis, one connection": (
        "",
        lambda: on_redis(lambda url: redis.Redis.from_url(url, single_connection_client=True)),
    ),
    "Redis, blocking": ("", lambda: on_redis(connect_blocking)),
    "Secrets Manager": ("", on_aws),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Line, Callable[[int], Any]]]:
    """A line to a server, and what opens a store on a port; 0 is the server's own."""
    server, opening = PLACES[request.param]
    if server:
        request.getfixturevalue(server)
    with opening() as opened:
        yield opened


def begin(store: Any) -> None:
    """Two users, and nothing else."""
    store.delete_tokens()
    for row in (ANN, BOB):
        save(store, row)


def outcome(call: Callable[[Any], object], store: Any) -> Exception | None:
    """What a call raises."""
    try:
        call(store)
    except Exception as error:
        return error
    return None


def secrets_in_own_frames(error: BaseException | None) -> list[str]:
    """What a report with local variables shows of the frames of the stores' own modules."""
    shown = []
    for one in (error, error and error.__cause__, error and error.__context__):
        if one is not None:
            frames = traceback.TracebackException.from_exception(one, capture_locals=True).stack
            shown += [
                f"{frame}"
                for frame in frames
                if "zoho_reference_stores" in frame.filename and "SECRET" in str(frame.locals)
            ]
    return shown


@pytest.mark.parametrize("call", CALLS)
def test_an_exception_between_call_and_answer_ends_that_call_alone(
    call: str, place: tuple[Line, Callable[[int], Any]]
) -> None:
    """It comes out as it is, at each round trip; the rows are as before or as after, and all goes on."""
    line, open_store = place
    store, other_node = open_store(line.port), open_store(0)
    for turn in itertools.count(1):
        begin(other_node)
        store.find_token_by_id("2")  # connects
        before = rows(other_node)
        with line.signal_at(turn, raise_it):
            raised = outcome(CALLS[call], store)
        assert isinstance(raised, SoftTimeLimit if line.was_signalled else type(None))
        assert secrets_in_own_frames(raised) == []

        after = {
            "update": [NEW_ANN, BOB],
            "insert": [*before, CAT],
            "delete_token": [BOB],
        }.get(call, before)
        # The next answers are those to the next questions, in this thread and in others.
        assert to_row(store.find_token_by_id("2")) == BOB
        assert find(store, Row(user_name="bob")) == BOB
        with ThreadPoolExecutor(1) as pool:
            assert to_row(pool.submit(store.find_token_by_id, "2").result()) == BOB
        now = [row.but(id=None) if row.user_name == "cat" else row for row in rows(other_node)]
        assert now in (before, after)
        # Nothing stays locked, and no row in two.
        for node in (store, other_node):
            CALLS["update"](node)
            CALLS["insert"](node)
            assert [row.user_name for row in rows(node)].count("cat") == 1
        if not line.was_signalled:
            break
    assert turn > 1


def test_a_handler_that_saves_does_not_hang(place: tuple[Line, Callable[[int], Any]]) -> None:
    """In the middle of each round trip of a save it is refused or done, and the save goes on."""
    line, open_store = place
    store = open_store(line.port)
    for turn in itertools.count(1):
        begin(store)
        raised: list[Exception | None] = []
        with line.signal_at(turn, lambda raised=raised: raised.append(outcome(CALLS["insert"], store))):  # type: ignore[misc]
            save(store, NEW_ANN)
        assert rows(store)[0] == NEW_ANN
        assert len(rows(store)) == 2 + raised.count(None)
        assert all("a signal's handler cannot change" in str(error) for error in raised if error)
        if not line.was_signalled:
            break
    assert turn > 1


def test_a_store_works_on_when_its_server_is_in_reach_again(
    place: tuple[Line, Callable[[int], Any]],
) -> None:
    """The same object, with every row; while the server is away every method raises [CRASH-4, CRASH-5]."""
    line, open_store = place
    store = open_store(line.port)
    begin(store)
    line.reach(False)
    for name, call in CALLS.items():
        with pytest.raises(SDKException, match="TOKEN_STORE") as caught:
            call(store)
        assert secrets_in_own_frames(caught.value) == [], name
    line.reach(True)

    assert rows(store) == [ANN, BOB]
    CALLS["insert"](store)
    assert find(store, Row(user_name="cat")) is not None


def test_a_store_that_was_opened_before_a_fork_works_on(
    place: tuple[Line, Callable[[int], Any]],
) -> None:
    """Parent and children save the same user and their own, and get no answer of one another [PROC-2]."""
    _, open_store = place
    store = open_store(0)
    begin(store)

    def work(name: str) -> None:
        for turn in range(4):
            save(store, CAT.but(user_name=f"{name} {turn}"))
            save(store, ANN.but(access_token=f"{name} {turn}"))
            assert to_row(store.find_token_by_id("2")) == BOB

    children = []
    for number in range(3):
        if (child := os.fork()) == 0:
            signal.alarm(120)  # a child that hangs dies of it
            try:
                work(f"child {number}")
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    work("parent")
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

    assert ends == [0, 0, 0]
    names = [f"{name} {turn}" for name in ("parent", "child 0", "child 1", "child 2") for turn in range(4)]
    assert sorted(["ann", "bob", *names]) == sorted(str(row.user_name) for row in rows(store))
