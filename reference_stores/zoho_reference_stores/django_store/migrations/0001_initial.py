"""The three tables."""

from django.db import migrations, models

_TEXTS = (
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expires_in",
    "redirect_url",
    "api_domain",
)
_KEYS = ("user_name_key", "access_token_key", "grant_token_key", "refresh_token_key")


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """Makes the tables of tokens, of their ids, and of leases."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="ZohoToken",
            fields=[
                ("number", models.BigAutoField(primary_key=True, serialize=False)),
                ("token_id", models.TextField(editable=False)),
                *((name, models.TextField(null=True, editable=False)) for name in _TEXTS),
                ("id_key", models.CharField(max_length=64, editable=False)),
                *((name, models.CharField(max_length=64, null=True, editable=False)) for name in _KEYS),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["id_key"], name="zoho_token_id"),
                    models.UniqueConstraint(fields=["user_name_key"], name="zoho_token_user"),
                ],
                "indexes": [
                    models.Index(fields=["access_token_key"], name="zoho_token_access"),
                    models.Index(fields=["grant_token_key"], name="zoho_token_grant"),
                    models.Index(fields=["refresh_token_key"], name="zoho_token_refresh"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ZohoTokenId",
            fields=[
                ("key", models.CharField(primary_key=True, max_length=64, editable=False, serialize=False))
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="ZohoTokenLease",
            fields=[
                (
                    "name",
                    models.CharField(primary_key=True, max_length=64, editable=False, serialize=False),
                ),
                ("owner", models.CharField(max_length=64, editable=False)),
                ("until", models.FloatField(editable=False)),
            ],
            options={"default_permissions": ()},
        ),
    )
