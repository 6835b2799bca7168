"""`DjangoTokenStore`: the whole contract on each database, and what it promises beyond."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections, transaction
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import django_stores, sql_stores
from tests.calls import find, rows, save
from tests.interrupts import Interrupted, raise_interrupted, run
from tests.storms import storm
from zoho_reference_stores import DjangoTokenStore
from zoho_reference_stores.django_store.worker import Worker
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._spec.tokens import Row, to_token

pytestmark = pytest.mark.once

CLIENT = {"client_id": "client", "client_secret": "secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="ann.refresh", access_token="ann.access")
BOB = Row(user_name="bob", **CLIENT, refresh_token="bob.refresh", access_token="bob.access")


class OnDatabase(TokenStoreContract):
    strict = True

    def break_storage(self, store: Any, location: Path) -> None:
        django_stores.break_storage(store, location)

    def mend_storage(self, store: Any, location: Path) -> None:
        django_stores.mend_storage(store, location)


@pytest.mark.long  # minutes: each call waits for the server
@pytest.mark.usefixtures("postgresql")
class TestOnPostgreSQL(OnDatabase):
    def open_store(self, location: Path) -> Any:
        return django_stores.postgresql_store(location)


@pytest.mark.long  # minutes: each call waits for the server
@pytest.mark.usefixtures("mariadb")
class TestOnMariaDB(OnDatabase):
    def open_store(self, location: Path) -> Any:
        return django_stores.mariadb_store(location)


class TestOnSQLite(OnDatabase):
    def open_store(self, location: Path) -> Any:
        return django_stores.sqlite_store(location)


OPEN = {
    "sqlite": django_stores.sqlite_store,
    "postgresql": django_stores.postgresql_store,
    "mariadb": django_stores.mariadb_store,
}


@pytest.fixture(params=OPEN)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The store, open and empty, on each database."""
    if request.param in sql_stores.KINDS:
        request.getfixturevalue(request.param)
    opened = OPEN[request.param](tmp_path)
    yield opened
    opened.close()


def test_the_migration_makes_what_the_models_say() -> None:
    """``makemigrations`` has nothing to add."""
    call_command("makemigrations", "zoho_tokens", check=True, dry_run=True, verbosity=0)


def test_ids_are_ten_digits_and_are_not_given_again(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where chance wants it, after the row and every row were deleted, here and by others."""
    numbers = iter([0, 0, 0, 1, 0, 1, 2, 0, 1, 2, 3])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(numbers))
    assert save(store, ANN) == "1000000000"
    store.delete_token("1000000000")
    assert save(store, ANN) == "1000000001"
    store.delete_tokens()
    assert save(store, BOB) == "1000000002"
    store._tokens.all().delete()  # as the admin does
    assert save(store, BOB) == "1000000003"


def test_ids_do_not_begin_again_where_the_tables_were_lost(store: Any) -> None:
    """Whoever holds an id from before finds nobody under it."""
    before = {save(store, ANN.but(user_name=f"user {number}")) for number in range(5)}
    for rows_of in (store._tokens, store._ids, store._leases):
        rows_of.all().delete()

    assert not before & {save(store, ANN.but(user_name=f"user {number}")) for number in range(5)}


def test_a_view_that_fails_does_not_undo_a_save(store: Any) -> None:
    """The caller's transaction is another one, and a caller in one is not refused."""

    def view() -> None:
        with transaction.atomic(using=store._using):
            save(store, ANN)
            assert find(store, ANN.only("user_name")) is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        view()
    connections[store._using].close()

    assert len(rows(store)) == 1


def test_async_views_can_call_it(store: Any) -> None:
    """Django refuses to talk to a database where an event loop runs: the store does so in its own thread."""

    async def view() -> Row | None:
        save(store, ANN)
        return find(store, ANN.only("user_name"))

    found = asyncio.run(view())
    assert found is not None
    assert found.access_token == ANN.access_token


def test_an_alarm_ends_one_call_and_no_other(store: Any) -> None:
    """Each later answer is the one that was asked for, and no acknowledged save is lost."""
    counted = storm(store, alarms=60, longest=0.05)

    assert counted["interrupted"] == 60
    assert save(store, ANN) == save(store, ANN)


def test_a_handler_may_call_the_store(store: Any) -> None:
    """In the middle of a call of its own thread."""
    id = save(store, ANN)
    answers: list[Any] = []

    def handler(number: int, frame: Any) -> None:
        answers.append(find(store, Row(id=id)))
        save(store, BOB)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for alarms in range(1, 6):
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while len(answers) < alarms:
                assert find(store, Row(id=id)) == ANN.but(id=id)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert answers == [ANN.but(id=id)] * len(answers)


def test_nothing_of_an_interrupted_call_is_still_to_come() -> None:
    """When a handler's exception comes out, the thread has made the call, or never makes it [CRASH-6]."""
    worker = Worker("default")
    came_out = threading.Event()
    made: list[int] = []
    for place in itertools.count(1):

        def call(place: int = place) -> None:
            came_out.wait(0.02)
            made.append(place)

        came_out.clear()
        has_place, raised = run(lambda call=call: worker.do(call), place, raise_interrupted)  # type: ignore[misc]
        made_by_then = list(made)
        came_out.set()
        worker.do(lambda: None)
        assert made == made_by_then
        if not has_place:
            break
        assert isinstance(raised, Interrupted)
    assert place > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_store_that_is_open_works_on_after_forks(store: Any) -> None:
    """In the parent and in each child, while all of them save."""
    save(store, ANN)
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                for turn in range(5):
                    save(store, BOB.but(user_name=f"child {number}", access_token=f"{turn}"))
                    assert find(store, ANN.only("user_name")) is not None
                status = 0
            finally:
                os._exit(status)
        children.append(child)
        save(store, ANN.but(access_token=f"{number}"))
    ended = [os.waitpid(child, 0)[1] for child in children]

    assert ended == [0, 0, 0, 0]
    names = ["ann", *(f"child {number}" for number in range(4))]
    assert sorted(str(row.user_name) for row in rows(store)) == names


@pytest.mark.parametrize("name", sql_stores.KINDS)
def test_connections_that_the_server_ends_are_made_anew(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """By the next call of each kind, which does not fail: idle connections end at the server's time limit."""
    request.getfixturevalue(name)
    store = OPEN[name](tmp_path)
    kind = sql_stores.KINDS[name]
    id = save(store, ANN)
    for turn in range(3):
        calls: list[Callable[[], object]] = [
            lambda turn=turn: save(store, ANN.but(access_token=f"{turn}")),  # type: ignore[misc]
            lambda: find(store, Row(id=id)),
            store.get_tokens,
            lambda: store.acquire_lease("1", "me", 1),
            lambda: store.delete_token("unknown"),
        ]
        for call in calls:
            while sql_stores.kill_one(kind):
                pass
            call()
    assert [ANN.but(id=id, access_token="2")] == rows(store)


class TestLeases:
    """What `SingleFlightStore` takes."""

    def test_a_lease_has_one_owner(self, store: Any) -> None:
        """It is free at first and after its owner gave it back, and others cannot give it back."""
        assert store.acquire_lease("1", "one", 60)
        assert store.acquire_lease("1", "one", 60)
        assert not store.acquire_lease("1", "other", 60)
        assert store.acquire_lease("2", "other", 60)

        store.release_lease("1", "other")
        assert not store.acquire_lease("1", "other", 60)
        store.release_lease("1", "one")
        assert store.acquire_lease("1", "other", 60)

    def test_a_lease_runs_out(self, store: Any) -> None:
        """Whoever comes after a dead owner gets it."""
        assert store.acquire_lease("1", "dead", 0.001)
        deadline = time.monotonic() + 30
        while not store.acquire_lease("1", "next", 60):
            assert time.monotonic() < deadline, "it never runs out"
        assert not store.acquire_lease("1", "dead", 60)

    def test_leases_do_not_hinder_savers(self, store: Any) -> None:
        """Nor are they deleted with the rows."""
        assert store.acquire_lease("1", "one", 60)
        save(store, ANN)
        store.delete_tokens()

        assert not store.acquire_lease("1", "other", 60)


class TestSecrets:
    """No token is seen where nobody looks for one."""

    def test_debug_logs_none(
        self, store: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Django's debug cursor would log every statement with what was sent, and keep it."""
        monkeypatch.setattr(settings, "DEBUG", True)
        with caplog.at_level("DEBUG"):
            save(store, ANN)
            find(store, ANN)

        seen = caplog.text + repr([vars(record) for record in caplog.records])
        assert "ann.refresh" not in seen
        assert "ann.access" not in seen

    def test_no_frame_shows_one(self, store: Any, tmp_path: Path) -> None:
        """Reports with the local variables of each frame, as Sentry makes them by default."""
        django_stores.break_storage(store, tmp_path)
        told = []
        try:
            for call in (store.save_token, store.find_token):
                with pytest.raises(SDKException, match="TOKEN_STORE") as caught:
                    call(to_token(ANN))
                report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
                told += [line for line in report.format() if "tests/" not in line]
        finally:
            django_stores.mend_storage(store, tmp_path)

        assert told
        assert not [line for line in told if "ann.refresh" in line or "ann.access" in line]
        assert rows(store) == []

    def test_the_admin_shows_none(self, tmp_path: Path) -> None:
        """Neither in its list nor on a token's page, which nobody can change."""
        script = tmp_path / "site_with_admin.py"
        script.write_text(ADMIN, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": os.getcwd()}
        done = subprocess.run(
            [sys.executable, script],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
        )

        assert (done.returncode, done.stdout) == (0, "seen, not changed, deleted\n"), done.stderr


ADMIN = """
import django
from django.conf import settings
from django.core.management import call_command

APPS = ["admin", "auth", "contenttypes", "sessions", "messages"]
MIDDLEWARE = ["sessions.middleware.Session", "auth.middleware.Authentication", "messages.middleware.Message"]
PROCESSORS = ["contrib.auth.context_processors.auth", "contrib.messages.context_processors.messages"]
settings.configure(
    SECRET_KEY="k", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}},
    INSTALLED_APPS=[f"django.contrib.{app}" for app in APPS] + ["zoho_reference_stores.django_store"],
    MIDDLEWARE=[f"django.contrib.{name}Middleware" for name in MIDDLEWARE],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]
                    + [f"django.{name}" for name in PROCESSORS]},
    }],
)
django.setup()
call_command("migrate", verbosity=0)

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path
from tests.calls import rows, save
from zoho_tokenstore_contract._spec.tokens import Row
from zoho_reference_stores import DjangoTokenStore

urlpatterns = [path("admin/", admin.site.urls)]
store = DjangoTokenStore()
secrets = {f"{field}": f"the {field}" for field in
           ("client_secret", "refresh_token", "access_token", "grant_token")}
save(store, Row(user_name="ann@example.com:77", client_id="an id", expires_in="1900000000000", **secrets))
client = Client()
client.force_login(User.objects.create_superuser("root"))
listed = client.get("/admin/zoho_tokens/zohotoken/").content.decode()
assert "ann@example.com:77" in listed and "2030-03-17" in listed
page = client.get("/admin/zoho_tokens/zohotoken/1/change/").content.decode()
assert "ann@example.com:77" in page and "••••" in page, page
assert not [secret for secret in secrets.values() if secret in listed + page]
assert client.post("/admin/zoho_tokens/zohotoken/1/change/", {"user_name": "x"}).status_code == 403
assert client.get("/admin/zoho_tokens/zohotoken/add/").status_code == 403
assert rows(store)[0].user_name == "ann@example.com:77"
client.post("/admin/zoho_tokens/zohotoken/1/delete/", {"post": "yes"})
assert rows(store) == []
print("seen, not changed, deleted")
"""


class TestSettings:
    """What cannot be right is refused when the store is made, in one sentence."""

    def test_an_alias_that_there_is_not(self) -> None:
        """It says which."""
        with pytest.raises(ImproperlyConfigured, match="DATABASES has no 'elsewhere'"):
            DjangoTokenStore("elsewhere")

    @pytest.mark.parametrize(
        ("script", "says"),
        [
            ("", "call django.setup() before a DjangoTokenStore is made"),
            ("django.setup()", "add 'zoho_reference_stores.django_store' to INSTALLED_APPS and run migrate"),
        ],
        ids=["not set up", "not installed"],
    )
    def test_django_that_is_not_ready(self, script: str, says: str) -> None:
        """The module itself can be imported at any time."""
        text = f"""
import django
from zoho_reference_stores import DjangoTokenStore
from django.conf import settings
settings.configure()
{script}
DjangoTokenStore()
"""
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)

        assert done.stderr.splitlines()[-1] == f"django.core.exceptions.ImproperlyConfigured: {says}"

    def test_reading_what_is_not_committed(self) -> None:
        """Such a read finds what may never have been."""
        django_stores.add_database("dirty", OPTIONS={"isolation_level": "read uncommitted"})

        with pytest.raises(ImproperlyConfigured, match="'dirty' reads what is not committed"):
            DjangoTokenStore("dirty")

    @pytest.mark.usefixtures("mariadb")
    def test_a_server_that_changes_text(self, tmp_path: Path) -> None:
        """MariaDB cuts and replaces what it cannot keep, unless its mode is strict."""
        alias = django_stores.mariadb_store(tmp_path)._using
        options = {"init_command": "set sql_mode = ''"}
        django_stores.add_database(
            "lax", **django_stores.on_server(sql_stores.MARIADB, alias, OPTIONS=options)
        )

        with pytest.raises(SDKException, match="without STRICT_TRANS_TABLES"):
            save(DjangoTokenStore("lax"), ANN)

    def test_tables_that_are_missing(self, tmp_path: Path) -> None:
        """The database's own words, which name the table."""
        django_stores.add_database("empty", NAME=str(tmp_path / "empty.db"))

        with pytest.raises(SDKException, match="no such table: zoho_tokens_zohotoken"):
            DjangoTokenStore("empty").get_tokens()
