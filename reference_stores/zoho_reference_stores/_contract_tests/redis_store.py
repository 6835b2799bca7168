"""The token store keeps the TokenStore contract, in the Redis that REDIS_URL names."""

import os
from pathlib import Path

import pytest
import redis

from zoho_reference_stores.redis_store import RedisStore
from zoho_tokenstore_contract import TokenStoreContract


class TestRedisStore(TokenStoreContract):
    """Every clause but CRASH-4, which stops the server: say how in ``break_storage``."""

    def open_store(self, location: Path) -> RedisStore:
        """A store under keys of its own for every test."""
        if "REDIS_URL" not in os.environ:
            pytest.skip("set REDIS_URL to a Redis for tests, such as redis://127.0.0.1:6379/15")
        return RedisStore(redis.Redis.from_url(os.environ["REDIS_URL"]), f"tokenstore-test-{location.name}")
