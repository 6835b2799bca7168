"""An exception in the middle of a call of a store on a server ends that call alone [CRASH-6].

A proxy holds the server's answer back until a signal's handler has raised: the exception comes between what
the driver sends and what it would receive, at each round trip in turn.
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
from typing import Any

import boto3
import pytest
import redis
import sqlalchemy as sql
from botocore.config import Config

from tests import moto_server, redis_server, servers, sql_stores
from tests.calls import find, rows, save
from tests.proxy import Proxy
from zoho_reference_stores import RedisStore, SecretsManagerStore
from zoho_reference_stores.sqlalchemy_leases import LeasingSQLAlchemyStore
from zoho_tokenstore_contract._rows import Row, to_row, to_token

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
    tables = (f"interrupted_{kind.name}_{os.getpid()}_{number}" for number in itertools.count())
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


def secrets_in_own_frames(error: BaseException) -> list[str]:
    """What a report with local variables shows of the frames of the stores' own modules."""
    shown = []
    for one in (error, error.__cause__, error.__context__):
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
            try:
                CALLS[call](store)
            except SoftTimeLimit as error:
                assert secrets_in_own_frames(error) == []
            else:
                assert not line.was_signalled, "the handler's exception did not come out"

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
        refused = []

        def save_too(refused: list[object] = refused) -> None:
            try:
                save(store, CAT)
            except Exception as error:
                refused.append(error)

        with line.signal_at(turn, save_too):
            save(store, NEW_ANN)
        assert rows(store)[0] == NEW_ANN
        assert len(rows(store)) == 3 - len(refused) - (not line.was_signalled)
        assert all("a signal's handler cannot change the store" in str(error) for error in refused)
        if not line.was_signalled:
            break
    assert turn > 1


def test_an_answer_to_another_call_on_the_same_client_is_not_taken(
    tmp_path: object,
) -> None:
    """Where the application was interrupted in a command of its own, and its answer is still to come."""
    with on_redis(redis.Redis.from_url) as (line, open_store):
        store = open_store(line.port)
        begin(store)
        client = store._client
        with line.signal_at(1, raise_it), pytest.raises(SoftTimeLimit):
            client.echo("an answer for the application")

        assert to_row(store.find_token_by_id("2")) == BOB
        assert rows(store) == [ANN, BOB]
