"""The tables of the token store. Only `DjangoTokenStore` writes to them; deleting rows is open to others."""

from __future__ import annotations

from typing import Any

from django.db import models


def _text() -> Any:
    return models.TextField(null=True, editable=False)


def _key() -> Any:
    return models.CharField(max_length=64, null=True, editable=False)


class ZohoToken(models.Model):  # type: ignore[misc]  # Django has no types
    """One token. Absent is NULL.

    A column that ends in ``_key`` holds a digest of what the row is looked up by.

    Attributes:
        number: Counts the rows in the order of insertion.
        token_id: The token's id for the SDK.
    """

    number = models.BigAutoField(primary_key=True)
    token_id = models.TextField(editable=False)
    user_name = _text()
    client_id = _text()
    client_secret = _text()
    refresh_token = _text()
    access_token = _text()
    grant_token = _text()
    expires_in = _text()
    redirect_url = _text()
    api_domain = _text()

    id_key = models.CharField(max_length=64, editable=False)
    user_name_key = _key()
    access_token_key = _key()
    grant_token_key = _key()
    refresh_token_key = _key()

    class Meta:  # noqa: D106
        constraints = (
            models.UniqueConstraint(fields=["id_key"], name="zoho_token_id"),
            models.UniqueConstraint(fields=["user_name_key"], name="zoho_token_user"),
        )
        indexes = (
            models.Index(fields=["access_token_key"], name="zoho_token_access"),
            models.Index(fields=["grant_token_key"], name="zoho_token_grant"),
            models.Index(fields=["refresh_token_key"], name="zoho_token_refresh"),
        )

    def __str__(self) -> str:
        """The id and the user, for the admin's pages and its log."""
        return f"{self.token_id} {self.user_name or '(no user)'}"


class ZohoTokenId(models.Model):  # type: ignore[misc]  # noqa: DJ008 (nobody sees one)
    """An id that a token has or had: it is never given to another [DEL-5]. Rows are never deleted.

    Attributes:
        key: A digest of the id.
    """

    key = models.CharField(primary_key=True, max_length=64, editable=False)

    class Meta:  # noqa: D106
        default_permissions = ()


class ZohoTokenLease(models.Model):  # type: ignore[misc]  # noqa: DJ008 (the same)
    """Who may renew a token. The row without a name is the one that every writer locks.

    Attributes:
        name: A digest of what the lease is on.
        owner: A digest of who holds it.
        until: When it ends by the server's clock, in seconds since 1970.
    """

    name = models.CharField(primary_key=True, max_length=64, editable=False)
    owner = models.CharField(max_length=64, editable=False)
    until = models.FloatField(editable=False)

    class Meta:  # noqa: D106
        default_permissions = ()
