"""`DynamoDBStore` keeps the contract on moto's server, and what it does beyond that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import dynamodb_stores, moto_server
from tests.servers import skip_or_fail
from zoho_reference_stores import DynamoDBStore
from zoho_tokenstore_contract import TokenStoreContract

pytestmark = pytest.mark.once


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[moto_server.Server]:
    """The server of this module, whose address processes started by checks can read."""
    skip_or_fail(moto_server.missing())
    with moto_server.running() as one, pytest.MonkeyPatch.context() as patch:
        for name, value in {**moto_server.environment(), dynamodb_stores.AWS: one.url}.items():
            patch.setenv(name, value)
        yield one


class TestDynamoDBStore(TokenStoreContract):
    """The whole contract, each location under a prefix of its own."""

    strict = True

    def open_store(self, location: Path) -> DynamoDBStore:
        return dynamodb_stores.dynamodb_store(location)
