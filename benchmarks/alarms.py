"""Raise exceptions in the middle of calls of the stores, and look what is wrong then.

Run it from the project's root::

    python -m benchmarks.alarms [SECONDS [PART OF A NAME]]

As a soft time limit does (Celery's, or ``SIGALRM``), a signal's handler raises an exception, in half of all
calls. The script exits with 1 when a call answered with another user's row, when an acknowledged save is
not there afterwards, when an exception of the handler came out as another, or when the store is not usable
afterwards, in this thread and in others.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sql

from tests import aws_stores, django_stores, redis_server, sql_stores
from tests.calls import save
from zoho_reference_stores import RedisStore, SQLAlchemyStore, SQLiteFileStore
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

USERS = 10
SECONDS = 10.0


class SoftTimeLimit(Exception):
    """What the handler raises."""


def _raise(*_: object) -> None:
    raise SoftTimeLimit


def _is_of_handler(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, SoftTimeLimit):
        error = error.__cause__ or error.__context__
    return error is not None


# ---------------------------------------------------------------------------------------------
# The stores, each opened by a function that opens it again.


@contextlib.contextmanager
def on_sql(kind: sql_stores.Kind, **options: Any) -> Iterator[Callable[[], Any]]:
    """`SQLAlchemyStore` on a server, with an engine of these options and a pool of two connections."""
    engines = []

    def open_store() -> Any:
        url = kind.url(user=kind.server().user)
        engines.append(sql.create_engine(url, pool_size=2, max_overflow=0, pool_timeout=10, **options))
        return SQLAlchemyStore(engines[-1], f"storm_{kind.driver}_{len(options)}")

    with kind.serving():
        yield open_store
        for engine in engines:
            engine.dispose()


@contextlib.contextmanager
def on_redis(connect: Callable[[str], Any]) -> Iterator[Callable[[], Any]]:
    """`RedisStore`, with clients that this function connects."""
    with redis_server.running() as server:
        yield lambda: RedisStore(connect(server.url))


@contextlib.contextmanager
def on_aws(open_on: Callable[[Path], Any]) -> Iterator[Callable[[], Any]]:
    """A store on moto's server."""
    with aws_stores.serving():
        yield lambda: open_on(Path("storm"))


@contextlib.contextmanager
def on_django(kind: sql_stores.Kind, open_on: Callable[[Path], Any]) -> Iterator[Callable[[], Any]]:
    """`DjangoTokenStore` on a server."""
    with kind.serving():
        yield lambda: open_on(Path("storm"))


@contextlib.contextmanager
def on_file() -> Iterator[Callable[[], Any]]:
    """`SQLiteFileStore`, without a server."""
    with tempfile.TemporaryDirectory(prefix="tokenstore-") as base:
        yield lambda: SQLiteFileStore(base)


def blocking(url: str) -> Any:
    """A client whose callers wait for one of four connections."""
    pool = redis.BlockingConnectionPool.from_url(url, max_connections=4, timeout=10)
    return redis.Redis(connection_pool=pool)


STORES = {
    "MariaDB, recommended engine": lambda: on_sql(sql_stores.MARIADB, **sql_stores.OPTIONS),
    "MariaDB, plain engine": lambda: on_sql(sql_stores.MARIADB),
    "MariaDB, mysqlconnector with time-outs": lambda: on_sql(
        sql_stores.MYSQLCONNECTOR, connect_args={"read_timeout": 5, "write_timeout": 5}, **sql_stores.OPTIONS
    ),
    "PostgreSQL, recommended engine": lambda: on_sql(sql_stores.POSTGRESQL, **sql_stores.OPTIONS),
    "PostgreSQL, plain engine": lambda: on_sql(sql_stores.POSTGRESQL),
    "PostgreSQL, psycopg2": lambda: on_sql(sql_stores.PSYCOPG2, **sql_stores.OPTIONS),
    "PostgreSQL, pg8000": lambda: on_sql(sql_stores.PG8000, **sql_stores.OPTIONS),
    "Redis, default pool": lambda: on_redis(redis.Redis.from_url),
    "Redis, one connection": lambda: on_redis(
        lambda url: redis.Redis.from_url(url, single_connection_client=True)
    ),
    "Redis, BlockingConnectionPool": lambda: on_redis(blocking),
    "Secrets Manager (moto)": lambda: on_aws(aws_stores.secrets_manager_store),
    "DynamoDB (moto)": lambda: on_aws(aws_stores.dynamodb_store),
    "Django on PostgreSQL": lambda: on_django(sql_stores.POSTGRESQL, django_stores.postgresql_store),
    "Django on MariaDB": lambda: on_django(sql_stores.MARIADB, django_stores.mariadb_store),
    "SQLite file": on_file,
}


# ---------------------------------------------------------------------------------------------
# The storm.


class Storm:
    """Calls of one store, and what became of them.

    Attributes:
        seen: How often a call ended in which way.
    """

    def __init__(self, open_store: Callable[[], Any], seed: int = 1) -> None:
        self.seen: Counter[str] = Counter()
        self._open = open_store
        self._store = open_store()
        self._chance = random.Random(seed)
        self._rows = [self._row(number) for number in range(USERS)]
        self._ids = [save(self._store, row) for row in self._rows]
        self._allowed = [{row.access_token} for row in self._rows]
        self._saves = 0

    def run(self, seconds: float) -> None:
        """Make calls for so long, interrupt half of them, and look at everything afterwards."""
        began = time.perf_counter()
        for number in range(USERS):
            self._find(number)
        duration = (time.perf_counter() - began) / USERS
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            call = self._chance.choice((self._find_by_id, self._find_by_id, self._find, self._save))
            if self._chance.random() < 0.5:
                size = 6 if call == self._save else 1.5
                self._interrupted(call, self._chance.uniform(1e-6, size * duration))
            else:
                self._called(call)
        self._look()

    def _row(self, number: int) -> Row:
        return Row(
            user_name=f"user {number}",
            client_id="client",
            client_secret="secret",
            refresh_token=f"refresh {number}",
            access_token=f"access {number}",
        )

    def _interrupted(self, call: Callable[[int], None], after: float) -> None:
        try:
            signal.setitimer(signal.ITIMER_REAL, after)
            self._called(call)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except SoftTimeLimit:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.seen["interrupted"] += 1

    def _called(self, call: Callable[[int], None]) -> None:
        try:
            call(self._chance.randrange(USERS))
        except SoftTimeLimit:
            raise
        except Exception as error:
            # psycopg takes what is raised while it reads its options for a mistake in them.
            kind = "turned into the driver's" if _is_of_handler(error) else "RAISED"
            self.seen[f"{kind} {type(error).__name__}: {error!s:.160}"] += 1

    def _find_by_id(self, number: int) -> None:
        self._answered("find_token_by_id", number, self._store.find_token_by_id(self._ids[number]))

    def _find(self, number: int) -> None:
        found = self._store.find_token(to_token(Row(user_name=f"user {number}")))
        self._answered("find_token", number, found)

    def _answered(self, method: str, number: int, found: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)  # the call is over; reading its answer is no part of it
        if found is None:
            self.seen[f"NOT FOUND: {method}"] += 1
        elif to_row(found).refresh_token != f"refresh {number}":
            self.seen[f"WRONG USER: {method}"] += 1
        elif to_row(found).access_token not in self._allowed[number]:
            self.seen[f"LOST SAVE: {method}"] += 1
        else:
            self.seen[f"right: {method}"] += 1

    def _save(self, number: int) -> None:
        self._saves += 1
        access_token = f"access {number}.{self._saves}"
        self._allowed[number].add(access_token)  # it may have been done, whatever becomes of the call
        id = save(self._store, self._rows[number].but(access_token=access_token))
        self._allowed[number] = {access_token}
        self.seen["right: save_token" if id == self._ids[number] else "WRONG ID: save_token"] += 1

    def _look(self) -> None:
        """The store is usable in this thread and others, and so is another that is opened now."""
        for _ in range(20):
            for call in (self._find_by_id, self._find):
                for number in range(USERS):
                    call(number)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._find_by_id, list(range(USERS)) * 4))
            list(pool.map(self._save, range(USERS)))
        self._store = self._open()
        for number in range(USERS):
            self._find(number)
        if len(self._store.get_tokens()) != USERS:
            self.seen["WRONG NUMBER OF ROWS"] += 1


def main(seconds: float = SECONDS, part: str = "") -> int:
    """Let the storm loose on every store whose name has the part in it.

    Returns:
        The exit status.
    """
    signal.signal(signal.SIGALRM, _raise)
    bad = False
    for name, serving in STORES.items():
        if part not in name:
            continue
        with serving() as open_store:
            storm = Storm(open_store)
            try:
                storm.run(seconds)
            except Exception as error:
                storm.seen[f"NOT USABLE AFTERWARDS: {type(error).__name__}: {error!s:.160}"] += 1
        print(name, flush=True)
        for what, times in sorted(storm.seen.items()):
            print(f"    {times:6} {what}")
            bad = bad or what.split(":")[0].isupper() or what.startswith("RAISED")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(*(kind(given) for kind, given in zip((float, str), sys.argv[1:], strict=False))))
