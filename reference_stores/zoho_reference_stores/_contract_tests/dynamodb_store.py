"""The token store keeps the TokenStore contract, in the DynamoDB that AWS_ENDPOINT_URL names."""

import contextlib
import os
from pathlib import Path

import boto3
import pytest

from zoho_reference_stores.dynamodb_store import DynamoDBStore, create_table
from zoho_tokenstore_contract import TokenStoreContract

TABLE = "tokenstore-test"


class TestDynamoDBStore(TokenStoreContract):
    """Every clause but CRASH-4, which stops the server: say how in ``break_storage``."""

    def open_store(self, location: Path) -> DynamoDBStore:
        """A store under keys of its own for every test."""
        if "AWS_ENDPOINT_URL" not in os.environ:
            pytest.skip("set AWS_ENDPOINT_URL to a simulator for tests, such as http://127.0.0.1:5000")
        client = boto3.client("dynamodb")
        with contextlib.suppress(client.exceptions.ResourceInUseException):
            create_table(client, TABLE)
        return DynamoDBStore(client, TABLE, prefix=location.name)
