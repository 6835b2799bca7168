"""The token store keeps the TokenStore contract, in the DynamoDB that AWS_ENDPOINT_URL names."""

import contextlib
import os
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from zoho_reference_stores.dynamodb_store import DynamoDBStore, create_table
from zoho_tokenstore_contract import TokenStoreContract

TABLE = "tokenstore-test"


class TestDynamoDBStore(TokenStoreContract):
    """Every clause."""

    events: ClassVar[dict[Path, Any]] = {}

    def open_store(self, location: Path) -> DynamoDBStore:
        """A store under keys of its own for every test."""
        if "AWS_ENDPOINT_URL" not in os.environ:
            pytest.skip("set AWS_ENDPOINT_URL to a simulator for tests, such as http://127.0.0.1:5000")
        client = boto3.client("dynamodb")
        with contextlib.suppress(client.exceptions.ResourceInUseException):
            create_table(client, TABLE)
        self.events[location] = client.meta.events
        return DynamoDBStore(client, TABLE, prefix=location.name)

    def break_storage(self, store: DynamoDBStore, location: Path) -> None:
        """Let every call fail before it is sent [CRASH-4]."""
        self.events[location].register("before-send.dynamodb", self.refuse)

    def mend_storage(self, store: DynamoDBStore, location: Path) -> None:
        """Let calls be sent again, for the same store [CRASH-5]."""
        self.events[location].unregister("before-send.dynamodb", self.refuse)

    @staticmethod
    def refuse(**_: object) -> None:
        """Say that there is no server."""
        raise EndpointConnectionError(endpoint_url=os.environ["AWS_ENDPOINT_URL"])
