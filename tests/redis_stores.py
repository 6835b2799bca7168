"""`RedisStore` on a real server: factories that tests, their child processes and the kit can call."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from tests import redis_server
from tests.servers import Server
from zoho_reference_stores import RedisStore, SingleFlightStore

REDIS = "TOKENSTORE_SERVER_REDIS"
"""The environment variable that tells this process and its children where the server is."""

_pools: dict[Path, redis.ConnectionPool] = {}


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Start a server, and tell this process and its children where it is."""
    with redis_server.running() as running, redis.Redis.from_url(running.url) as client:
        os.environ[REDIS] = running.url
        version = str(client.info("server")["redis_version"])
        try:
            yield Server("127.0.0.1", running.port, "", "", version, Path())
        finally:
            del os.environ[REDIS]


def redis_store(location: Path) -> RedisStore:
    """Open `RedisStore` under a prefix that belongs to the location."""
    client = redis.Redis.from_url(os.environ[REDIS])
    _pools[location] = client.connection_pool
    return RedisStore(client, prefix=location.name)


def single_flight_store(location: Path) -> SingleFlightStore:
    """Open `SingleFlightStore` around a `RedisStore`, which has leases."""
    return SingleFlightStore(redis_store(location))


def break_storage(store: Any, location: Path) -> None:
    """Put the server out of reach of an open store: its client connects where no server is."""
    _lead_to(1, location)


def mend_storage(store: Any, location: Path) -> None:
    """Put the server back into reach of the same store."""
    _lead_to(redis.connection.parse_url(os.environ[REDIS])["port"], location)


def _lead_to(port: int, location: Path) -> None:
    _pools[location].connection_kwargs["port"] = port
    _pools[location].reset()
