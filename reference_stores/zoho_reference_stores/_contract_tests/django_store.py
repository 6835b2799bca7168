"""The token store keeps the TokenStore contract, in SQLite: replace ENGINE and NAME by those of a server."""

from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from zoho_reference_stores.django_store.apps import ZohoTokensConfig
from zoho_reference_stores.django_store.store import DjangoTokenStore
from zoho_tokenstore_contract import TokenStoreContract

if not settings.configured:
    settings.configure(
        INSTALLED_APPS=[ZohoTokensConfig.name],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()


class TestDjangoTokenStore(TokenStoreContract):
    """Every clause."""

    def open_store(self, location: Path) -> DjangoTokenStore:
        """A store in a database of its own for every test, under an alias of its own."""
        file = location / "tokens.db"
        alias = str(file)
        if alias not in connections:
            file.touch(mode=0o600)
            options = {"timeout": 60}
            connections.databases[alias] = {
                **connections.databases["default"],
                "NAME": alias,
                "OPTIONS": options,
            }
            call_command("migrate", database=alias, verbosity=0)
        return DjangoTokenStore(alias)

    def break_storage(self, store: DjangoTokenStore, location: Path) -> None:
        """Put the database out of reach [CRASH-4]; of a server: stop it, or lock its user out."""
        location.rename(location.with_name(f"{location.name}-away"))

    def mend_storage(self, store: DjangoTokenStore, location: Path) -> None:
        """Put it back, for the same store [CRASH-5]."""
        location.with_name(f"{location.name}-away").rename(location)
