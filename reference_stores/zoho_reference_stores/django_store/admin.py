"""The tokens in Django's admin: to be seen without their secrets, and to be deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from django.contrib import admin

from .models import ZohoToken

_SECRETS = ("client_secret", "refresh_token", "access_token", "grant_token")


def _masked(field: str) -> Callable[[ZohoToken], str]:
    """A column that says whether there is a secret, and nothing of it, not even its length."""

    def masked(token: ZohoToken) -> str:
        return "••••••••" if getattr(token, field) else "-"

    masked.__name__ = field
    return admin.display(description=field.replace("_", " "))(masked)  # type: ignore[no-any-return]


@admin.display(description="expires")  # type: ignore[untyped-decorator]
def expires(token: ZohoToken) -> str:
    """When the access token ends, in UTC."""
    try:
        return f"{datetime.fromtimestamp(int(token.expires_in) / 1000, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (TypeError, ValueError, OverflowError, OSError):
        return "-"


@admin.register(ZohoToken)
class ZohoTokenAdmin(admin.ModelAdmin):  # type: ignore[misc]  # Django has no types
    """A list of the tokens, and a page for each. Nothing can be changed: the SDK writes tokens."""

    ordering = ("number",)
    search_fields = ("user_name", "token_id")
    list_display = ("token_id", "user_name", "api_domain", expires)
    fields = readonly_fields = (
        "token_id",
        "user_name",
        "client_id",
        *map(_masked, _SECRETS),
        expires,
        "redirect_url",
        "api_domain",
    )

    def has_add_permission(self, request: Any) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        """Nobody may."""
        return False
