"""`DjangoTokenStore`: the whole contract on each database, and what it promises beyond."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import django_stores
from zoho_tokenstore_contract import TokenStoreContract

pytestmark = pytest.mark.once


class OnDatabase(TokenStoreContract):
    strict = True

    def break_storage(self, store: Any, location: Path) -> None:
        django_stores.break_storage(store, location)

    def mend_storage(self, store: Any, location: Path) -> None:
        django_stores.mend_storage(store, location)


@pytest.mark.usefixtures("postgresql")
class TestOnPostgreSQL(OnDatabase):
    def open_store(self, location: Path) -> Any:
        return django_stores.postgresql_store(location)


@pytest.mark.usefixtures("mariadb")
class TestOnMariaDB(OnDatabase):
    def open_store(self, location: Path) -> Any:
        return django_stores.mariadb_store(location)


class TestOnSQLite(OnDatabase):
    def open_store(self, location: Path) -> Any:
        return django_stores.sqlite_store(location)
