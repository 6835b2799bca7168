"""Token stores for the Zoho CRM Python SDK that keep the whole TokenStore contract.

They are meant to be copied: each module stands on the SDK, the standard library and at most the one
library that it is about, which is imported when the store is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .fallback_store import FallbackStore
from .list_store import ListStore
from .single_flight_store import SingleFlightStore
from .sqlite_file import SQLiteFileStore
from .sqlite_memory import SQLiteMemoryStore

if TYPE_CHECKING:
    from .django_store.store import DjangoTokenStore as DjangoTokenStore
    from .dynamodb_store import DynamoDBStore as DynamoDBStore
    from .encrypted_store import EncryptedStore as EncryptedStore
    from .redis_store import RedisStore as RedisStore
    from .secrets_manager_store import SecretsManagerStore as SecretsManagerStore
    from .sqlalchemy_store import SQLAlchemyStore as SQLAlchemyStore

__all__ = ["FallbackStore", "ListStore", "SQLiteFileStore", "SQLiteMemoryStore", "SingleFlightStore"]

_WITH_A_LIBRARY = {
    "DjangoTokenStore": "django_store.store",
    "DynamoDBStore": "dynamodb_store",
    "EncryptedStore": "encrypted_store",
    "RedisStore": "redis_store",
    "SQLAlchemyStore": "sqlalchemy_store",
    "SecretsManagerStore": "secrets_manager_store",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_A_LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WITH_A_LIBRARY[name]}"), name)
