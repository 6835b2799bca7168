"""Token stores for the Zoho CRM Python SDK that keep the whole TokenStore contract.

They are meant to be copied: each module stands on the SDK and the standard library alone.
"""

from .list_store import ListStore
from .single_flight_store import SingleFlightStore
from .sqlite_file import SQLiteFileStore
from .sqlite_memory import SQLiteMemoryStore

__all__ = ["ListStore", "SQLiteFileStore", "SQLiteMemoryStore", "SingleFlightStore"]
