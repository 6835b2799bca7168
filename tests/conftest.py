"""Servers that tests share: each is started once in a process, by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers, sql_stores


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.Server]:
    """A PostgreSQL server for `tests.sql_stores`."""
    yield from _served(sql_stores.POSTGRESQL)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[servers.Server]:
    """A MariaDB server for `tests.sql_stores`."""
    yield from _served(sql_stores.MARIADB)


def _served(kind: sql_stores.Kind) -> Iterator[servers.Server]:
    servers.skip_or_fail(kind.module.missing())
    with kind.serving() as server:
        yield server
