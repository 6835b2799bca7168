"""`DynamoDBStore` on moto's server: a factory that tests, their child processes and the kit can call."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Any

import boto3

from zoho_reference_stores import DynamoDBStore
from zoho_reference_stores.dynamodb_store import create_table

AWS = "TOKENSTORE_SERVER_AWS"
"""The environment variable that tells this process and its children where the server is."""


@functools.cache
def client(url: str) -> Any:
    """The client that stores of one process share, as in an application."""
    return boto3.client("dynamodb", endpoint_url=url)


@functools.cache
def _make_table(url: str, name: str) -> None:
    with contextlib.suppress(client(url).exceptions.ResourceInUseException):  # another process did
        create_table(client(url), name)


def dynamodb_store(location: Path) -> DynamoDBStore:
    """Open the store in a table that belongs to the location."""
    url = os.environ[AWS]
    _make_table(url, location.name)
    return DynamoDBStore(client(url), location.name)
