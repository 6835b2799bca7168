"""`DynamoDBStore` on moto's server: a factory that tests, their child processes and the kit can call."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import boto3

from zoho_reference_stores import DynamoDBStore
from zoho_reference_stores.dynamodb_store import create_table

AWS = "TOKENSTORE_SERVER_AWS"
"""The environment variable that tells this process and its children where the server is."""
TABLE = "tokens"


@functools.cache
def client(url: str) -> Any:
    """The client that stores of one process share, as in an application."""
    made = boto3.client("dynamodb", endpoint_url=url)
    if TABLE not in made.list_tables()["TableNames"]:
        create_table(made, TABLE)
    return made


def dynamodb_store(location: Path) -> DynamoDBStore:
    """Open the store under a prefix that belongs to the location."""
    return DynamoDBStore(client(os.environ[AWS]), TABLE, prefix=location.name)
