"""`DynamoDBStore` and `SecretsManagerStore` on moto's server, for tests, their children and the kit."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import EndpointConnectionError

from tests import moto_server
from tests.servers import Server
from zoho_reference_stores import DynamoDBStore, SecretsManagerStore
from zoho_reference_stores.dynamodb_store import create_table

AWS = "TOKENSTORE_SERVER_AWS"
"""The environment variable that tells this process and its children where the server is."""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Start a server, and tell this process and its children where it is."""
    with moto_server.running() as running:
        settings = {**moto_server.environment(), AWS: running.url}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            version = f"moto {importlib.metadata.version('moto')}"
            yield Server("127.0.0.1", running.port, "", "", version, Path())
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@functools.cache
def client(service: str, url: str) -> Any:
    """The client that stores of one process share, as in an application."""
    return boto3.client(service, endpoint_url=url)


def secrets_manager_store(location: Path) -> SecretsManagerStore:
    """Open the store under a prefix that belongs to the location."""
    return SecretsManagerStore(_reached("secretsmanager"), prefix=location.name)


def dynamodb_store(location: Path) -> DynamoDBStore:
    """Open the store in a table that belongs to the location."""
    own = _reached("dynamodb")
    _make_table(os.environ[AWS], location.name)
    return DynamoDBStore(own, location.name)


def _reached(service: str) -> Any:
    """The client, whose server is in reach again where `break_storage` has ended that."""
    own = client(service, os.environ[AWS])
    own.meta.events.unregister("before-send", unique_id=AWS)
    return own


@functools.cache
def _make_table(url: str, name: str) -> None:
    own = client("dynamodb", url)
    with contextlib.suppress(own.exceptions.ResourceInUseException):  # another process did
        create_table(own, name)


def break_storage(store: Any, location: Path) -> None:
    """Put the server out of reach of this process's stores: every request fails before it is sent."""
    events = client(_service(store), os.environ[AWS]).meta.events
    events.register("before-send", _refuse, unique_id=AWS)  # once, however often it is asked for


def mend_storage(store: Any, location: Path) -> None:
    """Put the server back into reach of the same stores."""
    _reached(_service(store))


def _service(store: Any) -> str:
    return "dynamodb" if isinstance(store, DynamoDBStore) else "secretsmanager"


def _refuse(**_: object) -> None:
    raise EndpointConnectionError(endpoint_url=os.environ[AWS])
