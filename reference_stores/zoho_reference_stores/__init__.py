"""Token stores for the Zoho CRM Python SDK that keep the whole TokenStore contract.

They are meant to be copied: each module stands on the SDK and the standard library, and on the one
client library that its docstring names, if any. Such a module is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .list_store import ListStore
from .sqlite_file import SQLiteFileStore
from .sqlite_memory import SQLiteMemoryStore

if TYPE_CHECKING:
    from .sqlalchemy_store import SQLAlchemyStore

__all__ = ["ListStore", "SQLAlchemyStore", "SQLiteFileStore", "SQLiteMemoryStore"]

_IN_MODULES = {"SQLAlchemyStore": "sqlalchemy_store"}


def __getattr__(name: str) -> object:
    if name not in _IN_MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_IN_MODULES[name]}", __name__), name)
