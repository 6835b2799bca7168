"""The app: its name is that of the package, wherever that was copied to."""

from __future__ import annotations

from django.apps import AppConfig

LABEL = "zoho_tokens"
"""The app's label, which its tables' names begin with."""


class ZohoTokensConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """The configuration of the app."""

    name = __name__.rpartition(".")[0]
    label = LABEL
    verbose_name = "Zoho CRM tokens"
