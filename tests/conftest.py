"""What tests share: servers, each started once in a process, and a process without other tests' modules."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def modules_of_this_test_alone() -> Iterator[None]:
    """Forget modules that a test wrote: the next one has others of the same names."""
    before = set(sys.modules)
    yield
    written = Path(tempfile.gettempdir()).resolve()
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if (
            isinstance(file, str)
            and Path(file).resolve().is_relative_to(written)
            and "site-packages" not in file
        ):
            del sys.modules[name]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[object]:
    """A PostgreSQL server for `tests.sql_stores`."""
    yield from _served("postgresql")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[object]:
    """A MariaDB server for `tests.sql_stores`."""
    yield from _served("mariadb")


@pytest.fixture(scope="session")
def redis() -> Iterator[object]:
    """A Redis server for `tests.reference_list`."""
    from tests import redis_server, reference_list, servers

    servers.skip_or_fail(redis_server.missing())
    serving = reference_list.PLACES["RedisStore"].server
    assert serving is not None
    with serving() as server:
        yield server


def _served(name: str) -> Iterator[object]:
    # Not above: environments that have no SQLAlchemy load this file as well.
    from tests import servers, sql_stores

    kind = sql_stores.KINDS[name]
    servers.skip_or_fail(kind.module.missing())
    with kind.serving() as server:
        yield server
