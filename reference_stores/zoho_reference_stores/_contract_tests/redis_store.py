"""The token store keeps the TokenStore contract, in the Redis that REDIS_URL names."""

import os
from pathlib import Path
from typing import ClassVar

import pytest
import redis

from zoho_reference_stores.redis_store import RedisStore
from zoho_tokenstore_contract import TokenStoreContract


class TestRedisStore(TokenStoreContract):
    """Every clause."""

    pools: ClassVar[dict[Path, redis.ConnectionPool]] = {}

    def open_store(self, location: Path) -> RedisStore:
        """A store under keys of its own for every test."""
        if "REDIS_URL" not in os.environ:
            pytest.skip("set REDIS_URL to a Redis for tests, such as redis://127.0.0.1:6379/15")
        client = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.pools[location] = client.connection_pool
        return RedisStore(client, f"tokenstore-test-{location.name}")

    def break_storage(self, store: RedisStore, location: Path) -> None:
        """Let the client connect where no server is [CRASH-4]."""
        self.lead_to("tokenstore.invalid", location)

    def mend_storage(self, store: RedisStore, location: Path) -> None:
        """Let it connect to the server again, for the same store [CRASH-5]."""
        self.lead_to(redis.connection.parse_url(os.environ["REDIS_URL"])["host"], location)

    def lead_to(self, host: str, location: Path) -> None:
        """Let the client of a location connect to a host from now on."""
        self.pools[location].connection_kwargs["host"] = host
        self.pools[location].reset()
