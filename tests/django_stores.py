"""`DjangoTokenStore` on real servers and on SQLite: factories that tests and their child processes can call.

Each location has a database (on PostgreSQL a schema) of its own, and an alias for it in ``DATABASES``; those
of a location that is gone are emptied and used again, since migrating takes longer than most of what is done
with them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from pathlib import Path
from typing import Any

import django
import pymysql
import sqlalchemy as sql
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created

from tests import sql_stores
from tests.sql_stores import MARIADB, POSTGRESQL, Kind
from zoho_reference_stores.django_store.store import DjangoTokenStore

APP = "zoho_reference_stores.django_store"
TABLES = ("zoho_tokens_zohotoken", "zoho_tokens_zohotokenid", "zoho_tokens_zohotokenlease")
PLACES = sql.table("django_places", sql.column("location"), sql.column("name"))
MAKING_PLACES = (
    "create table if not exists django_places (location varchar(40) primary key, name varchar(40) not null)"
)

# Django asks for a driver that has to be compiled, and takes PyMySQL under its name and number.
pymysql.version_info = (2, 2, 1, "final", 0)
pymysql.install_as_MySQLdb()

_made = itertools.count()
_templates: dict[str, str] = {}
_places: dict[tuple[str, Path], str] = {}


def set_up(**further: Any) -> None:
    """Configure Django, if nobody has: the app alone, and a database that nobody uses."""
    if not settings.configured:
        settings.configure(
            INSTALLED_APPS=[APP],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            USE_TZ=True,
            **further,
        )
        django.setup()


set_up()


@connection_created.connect  # type: ignore[untyped-decorator]
def _connected(connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite":  # the machine does not fail in a test
        connection.connection.execute("pragma synchronous = off")


def sqlite_store(location: Path) -> DjangoTokenStore:
    """Open the store on an SQLite file in the location."""
    file = location / "tokens.db"
    if not file.exists() and location.exists():
        # Migrated under another name, for other processes may open the store at the same moment.
        new = location / f"{secrets.token_hex(8)}.db"
        new.touch(mode=0o600)
        migrate(_alias_of(new))
        with contextlib.suppress(FileExistsError):
            os.link(new, file)
        new.unlink()
    return DjangoTokenStore(_alias_of(file))


def _alias_of(file: Path) -> str:
    """The alias of an SQLite file, which is entered in ``DATABASES``."""
    alias = str(file)
    if alias not in connections:
        add_database(alias, ENGINE="django.db.backends.sqlite3", NAME=alias, OPTIONS={"timeout": 60})
    return alias


def postgresql_store(location: Path) -> DjangoTokenStore:
    """Open the store in a schema of PostgreSQL that belongs to the location."""
    return _on_server(POSTGRESQL, location)


def mariadb_store(location: Path) -> DjangoTokenStore:
    """Open the store in a database of MariaDB that belongs to the location."""
    return _on_server(MARIADB, location)


def break_storage(store: DjangoTokenStore, location: Path) -> None:
    """Put the server, or the file, of an open store out of reach."""
    kind = kind_of(store._using)
    if kind is None:
        location.rename(location.with_name(f"{location.name}-gone"))
    else:
        sql_stores._locked_out.add(kind.name)
        kind.say(*kind.locking_out, user=kind.user())


def mend_storage(store: DjangoTokenStore, location: Path) -> None:
    """Put it back."""
    kind = kind_of(store._using)
    if kind is None:
        location.with_name(f"{location.name}-gone").rename(location)
    else:
        sql_stores.let_in(kind)


def kind_of(alias: str) -> Kind | None:
    """The kind of server that a database is on; ``None`` for SQLite."""
    kinds = {"postgresql": POSTGRESQL, "mysql": MARIADB}
    return kinds.get(connections.databases[alias]["ENGINE"].rpartition(".")[2])


def add_database(alias: str, **config: Any) -> None:
    """Enter a database in ``DATABASES``, as if it had been there from the start."""
    defaults = dict.fromkeys(("USER", "PASSWORD", "HOST", "PORT"), "")
    connections.databases[alias] = {**connections.databases["default"], "OPTIONS": {}, **defaults, **config}


def on_server(kind: Kind, name: str, **config: Any) -> dict[str, Any]:
    """The entry in ``DATABASES`` for a schema or database of a server."""
    server = kind.server()
    common = {"USER": kind.user(), "PASSWORD": server.password, "HOST": server.host, "PORT": server.port}
    if kind is POSTGRESQL:
        options = {"options": f"-c search_path={name}"}
        own = {"ENGINE": "django.db.backends.postgresql", "NAME": sql_stores.DATABASE, "OPTIONS": options}
    else:
        own = {"ENGINE": "django.db.backends.mysql", "NAME": name}
    return {**common, **own, **config}


def migrate(alias: str) -> None:
    """Make the tables."""
    call_command("migrate", database=alias, verbosity=0)
    connections[alias].close()


def _on_server(kind: Kind, location: Path) -> DjangoTokenStore:
    sql_stores.let_in(kind)
    alias = _place_of(kind, location)
    return DjangoTokenStore(alias)


def _place_of(kind: Kind, location: Path) -> str:
    """The alias of a location, whose database other processes know as well."""
    key = (kind.name, location)
    if key in _places:
        return _places[key]
    with kind.first_user().connect() as connection:
        connection.exec_driver_sql(MAKING_PLACES)
        of_location = sql.select(PLACES.c.name).where(PLACES.c.location == location.name)
        name = connection.execute(of_location).scalar()
        if name is None:
            gone = [one for one in _places if one[0] == kind.name and not one[1].exists()]
            name = _places.pop(gone[0]) if gone else f"django_{os.getpid()}_{next(_made)}"
            if gone:
                for table in TABLES:
                    connection.exec_driver_sql(f"delete from {name}.{table}")  # noqa: S608
            else:
                make_database(kind, name)
            connection.execute(sql.insert(PLACES).values(location=location.name, name=name))
    if name not in connections:
        add_database(name, **on_server(kind, name))
    return _places.setdefault(key, name)


def make_database(kind: Kind, name: str) -> None:
    """Make a schema or database with the tables, and enter it in ``DATABASES``."""
    if kind is POSTGRESQL:
        kind.say(f"create schema {name} authorization {kind.user()}")
    else:
        kind.say(f"create database {name}", f"grant all on {name}.* to {kind.user()}@127.0.0.1")
    add_database(name, **on_server(kind, name))
    # Migrating takes a second; so one database is migrated, and the others are made like that.
    statements: tuple[str, ...] = ("create table {1}.{2} like {0}.{2}",)
    if kind is POSTGRESQL:
        statements = (
            "create table {1}.{2} (like {0}.{2} including all)",
            "alter table {1}.{2} owner to {user}",
        )
    template = _templates.get(kind.name)
    if template is None:
        migrate(name)
        _templates[kind.name] = name
        return
    with kind.first_user().connect() as connection:
        for table in TABLES:
            for statement in statements:
                connection.exec_driver_sql(statement.format(template, name, table, user=kind.user()))
