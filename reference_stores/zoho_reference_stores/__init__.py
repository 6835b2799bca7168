"""Token stores for the Zoho CRM Python SDK that keep the whole TokenStore contract.

They are meant to be copied: each module stands on the SDK, the standard library and, where it needs
one, the client library of its storage, which is imported when the store is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .list_store import ListStore
from .sqlite_file import SQLiteFileStore
from .sqlite_memory import SQLiteMemoryStore

if TYPE_CHECKING:
    from .redis_store import RedisStore as RedisStore
    from .secrets_manager_store import SecretsManagerStore as SecretsManagerStore

__all__ = ["ListStore", "SQLiteFileStore", "SQLiteMemoryStore"]

_NEED_A_CLIENT_LIBRARY = {
    "RedisStore": "redis_store",
    "SecretsManagerStore": "secrets_manager_store",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_A_CLIENT_LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_NEED_A_CLIENT_LIBRARY[name]}", __name__), name)
