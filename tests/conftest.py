"""Servers that tests share: each is started once in a process, by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def postgresql() -> Iterator[object]:
    """A PostgreSQL server for `tests.sql_stores`."""
    yield from _served("postgresql")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[object]:
    """A MariaDB server for `tests.sql_stores`."""
    yield from _served("mariadb")


def _served(name: str) -> Iterator[object]:
    # Not above: environments that have no SQLAlchemy load this file as well.
    from tests import servers, sql_stores

    kind = sql_stores.KINDS[name]
    servers.skip_or_fail(kind.module.missing())
    with kind.serving() as server:
        yield server
