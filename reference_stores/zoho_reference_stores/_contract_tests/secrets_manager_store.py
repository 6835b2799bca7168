"""The token store keeps the TokenStore contract, in the Secrets Manager that AWS_ENDPOINT_URL names."""

import os
from pathlib import Path

import boto3
import pytest

from zoho_reference_stores.secrets_manager_store import SecretsManagerStore
from zoho_tokenstore_contract import TokenStoreContract


class TestSecretsManagerStore(TokenStoreContract):
    """Every clause but CRASH-4, which stops the server: say how in ``break_storage``."""

    def open_store(self, location: Path) -> SecretsManagerStore:
        """A store under names of its own for every test."""
        if "AWS_ENDPOINT_URL" not in os.environ:
            pytest.skip("set AWS_ENDPOINT_URL to a simulator for tests, such as http://127.0.0.1:5000")
        return SecretsManagerStore(boto3.client("secretsmanager"), f"tokenstore-test-{location.name}")
