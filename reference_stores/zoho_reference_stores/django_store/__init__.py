"""A token store in Django's database, for the Zoho CRM Python SDK.

``zoho-tokenstore copy django zoho_tokens`` copies this app. It needs the SDK and Django 4.2 or newer::

    INSTALLED_APPS = [..., "zoho_tokens"]     # then: python manage.py migrate

    Initializer.initialize(environment, token, store=DjangoTokenStore())

`store` has the store, `worker` the threads in which it talks to the database, `models` the tables and
`admin` the page on which tokens are seen, without their secrets.
"""
