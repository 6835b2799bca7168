"""A token store in Django's database, for the Zoho CRM Python SDK: see the package's own text.

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)
from django.db.models import F, FloatField, Func, Q
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from ..token_fields import (
    FIELDS,
    Fields,
    Way,
    fill_token,
    id_to_insert,
    new_token,
    present,
    random_id,
    read_token,
    read_token_to_save,
    refusal,
    ways_to_find,
    ways_to_update,
)
from ..token_lookup import KEYS, digest, first_row, key_digest, key_digests
from .apps import LABEL
from .worker import Worker

T = TypeVar("T")

_PATIENCE = 60.0  # seconds to wait for other writers: contention is no error [PROC-1]
# The servers' ways to say: once more.
_CONTENTION = {"40001", "40P01", 1020, 1205, 1213, "database is locked"}
_COLUMNS = {name: "token_id" if name == "id" else name for name in FIELDS}


class DjangoTokenStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in a table of Django's database, shared by threads, processes and machines.

    Every call is made in a thread of the store's own, on a connection of its own: see `worker`. So it works
    in async views too, and a save is never part of the transaction of a view or a test. The waiting itself
    blocks: in async views call the SDK through ``sync_to_async``.

    Finding is one statement. Saving is a transaction: it locks the row that all writers lock, locks the rows
    that may be the token's, decides which one is [THREAD-3, PROC-1], and writes it. So savers come one after
    another, and nobody who finds waits for them (on SQLite for the moment of the commit). A call whose
    connection turns out to be dead is made again on a new one, unless it may have been done: then it raises.
    An exception from a signal handler comes out when the call has ended, or is sure never to begin [CRASH-6].

    What the contract leaves open: deleting an unknown id is silent; ids are ten random decimal digits and
    never given twice, also when the tables are lost or set back; `get_tokens` answers in the order of
    insertion. A token with the name of a stored user and the id of another row updates the user's row
    alone; with the id of another user's row and a new name it becomes a row of its own, under a new id.
    Text with NUL or a lone surrogate is refused.

    Args:
        using: The alias of the database in ``DATABASES``: PostgreSQL, MariaDB, MySQL or SQLite.

    Raises:
        ImproperlyConfigured: When the store is made: Django is not set up, the app is not installed, or the
            database cannot keep the promises. (The tables are looked at with the first call.)
        SDKException: From every method, with the code ``TOKEN_STORE``, when the database fails or cannot be
            reached.
    """

    def __init__(self, using: str = DEFAULT_DB_ALIAS) -> None:
        tokens, ids, leases = _models()
        _check_database(using)
        self._using = using
        self._tokens = tokens.objects.using(using)
        self._ids = ids.objects.using(using)
        self._leases = leases.objects.using(using)
        self._finder, self._saver = Worker(using), Worker(using)  # who finds does not wait for savers

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        row = self._find(read_token(token))
        return None if row is None else fill_token(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        fields = read_token_to_save(token)
        if not all(_is_storable(fields[name]) for name in present(fields)):
            raise refusal("no field of a token has NUL or half a character in it")
        token.set_id(self._write(Constants.SAVE_TOKEN_DB_ERROR, lambda: self._save(fields), fields))

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        if isinstance(id, str):
            rows = self._tokens.filter(id_key=key_digest({"id": id}, "id"))
            self._write(Constants.DELETE_TOKEN_DB_ERROR, rows.delete)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        rows = self._read(Constants.GET_TOKENS_DB_ERROR, lambda: _rows(self._tokens))
        return [new_token(row) for row in rows]

    def delete_tokens(self) -> None:
        """Delete every row. Their ids stay used up [DEL-5]."""
        self._write(Constants.DELETE_TOKENS_DB_ERROR, self._tokens.all().delete)

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        if not isinstance(id, str):
            return None
        row = self._find(Fields({**dict.fromkeys(FIELDS), "id": id}))
        return None if row is None else new_token(row)

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Take the lease on a key, or go on holding it, for so many seconds by the server's clock.

        Args:
            key: What the lease is on; any text.
            owner: Who asks; any text that no other caller uses.
            seconds: How long the lease lasts, unless it is released.

        Returns:
            Whether the owner holds it now: it was free, had run out, or was the owner's already.
        """
        name, own = digest(key), digest(owner)
        values = {"owner": own, "until": _Now() + seconds}

        def acquire() -> bool:
            lease = self._leases.filter(name=name)
            if lease.filter(Q(owner=own) | Q(until__lte=_Now())).update(**values):
                return True
            try:
                self._leases.create(name=name, **values)
            except IntegrityError:  # another caller has it
                return False
            return True

        return self._read("Cannot acquire a lease", acquire)

    def release_lease(self, key: str, owner: str) -> None:
        """Give up the lease on a key, if this owner holds it."""
        lease = self._leases.filter(name=digest(key), owner=digest(owner))
        self._read("Cannot release a lease", lease.delete)

    def close(self) -> None:
        """Close the store's connections. A later call opens them again."""
        self._finder.close()
        self._saver.close()

    # Rows.

    def _find(self, fields: Fields) -> Fields | None:
        ways = ways_to_find(present(fields))
        candidates = _matching(fields, ways)
        if candidates is None:
            return None
        rows = self._read(
            Constants.GET_TOKEN_DB_ERROR, lambda: _rows(self._tokens.filter(candidates)), fields
        )
        return first_row(fields, ways, rows)

    def _save(self, fields: Fields) -> str:
        ways = ways_to_update(present(fields))
        candidates = _matching(fields, ways)
        # Locked, for what is not this store's (the admin, a migration) may write to them too.
        rows = [] if candidates is None else _rows(self._tokens.select_for_update().filter(candidates))
        row = first_row(fields, ways, rows)
        if row is None:
            return self._insert(fields)
        merged = Fields({name: fields[name] or row[name] for name in FIELDS}, id=row["id"])
        self._tokens.filter(id_key=key_digest(merged, "id")).update(**_values(merged))
        return str(merged["id"])

    def _insert(self, fields: Fields) -> str:
        key = key_digest(fields, "id")
        taken = key is not None and self._tokens.filter(id_key=key).exists()
        id = id_to_insert(fields, taken=taken) or self._unused_id()
        row = Fields(fields, id=id)
        self._ids.bulk_create([self._ids.model(key=key_digest(row, "id"))], ignore_conflicts=True)
        self._tokens.create(**_values(row))
        return id

    def _unused_id(self) -> str:
        """An id that no row has or had. Random, so that a lost table does not make it begin again [DEL-5]."""
        while True:
            id = random_id()
            if not self._ids.filter(key=key_digest({"id": id}, "id")).exists():
                return id

    # Connections.

    def _read(self, message: str, work: Callable[[], T], fields: Fields | None = None) -> T:
        return self._finder.do(lambda: self._again(message, work, fields, contextlib.nullcontext))

    def _write(self, message: str, work: Callable[[], T], fields: Fields | None = None) -> T:
        return self._saver.do(lambda: self._again(message, work, fields, self._turn))

    @contextlib.contextmanager
    def _turn(self) -> Any:
        """A transaction in which nobody else writes."""
        with transaction.atomic(using=self._using, durable=True):
            lock = self._leases.filter(name="")
            # An update, for SQLite has no other lock. It comes first, so that what is read afterwards is
            # what the last writer left, in every isolation level.
            if not lock.update(owner=F("owner")):
                first = self._leases.model(name="", owner="", until=0)
                self._leases.bulk_create([first], ignore_conflicts=True)
                lock.update(owner=F("owner"))
            yield

    def _again(self, message: str, work: Callable[[], T], fields: Fields | None, turn: Any) -> T:
        """Do something; once more where other writers came between, or an idle connection was dead."""
        connection = connections[self._using]
        deadline = time.monotonic() + _PATIENCE
        for tries in itertools.count(1):
            done = False
            try:
                _prepare(connection)
                with turn():
                    result = work()
                    done = True
                return result
            except SDKException:
                raise
            except (OperationalError, InterfaceError) as error:
                failure: Exception = error
                contention = _code(error) in _CONTENTION and time.monotonic() < deadline
                if not contention:
                    connection.close()
                if contention or (tries == 1 and not done):
                    time.sleep(random.uniform(0.001, 0.02) if contention else 0)
                    continue
            except Exception as error:
                failure = error
            finally:
                if connection.vendor == "sqlite":  # or it would go on with a file that was moved or replaced
                    connection.close()
            failed = _failed(message, failure, fields)
            raise failed from failed.cause
        raise AssertionError


def _models() -> list[Any]:
    try:
        return [apps.get_model(LABEL, name) for name in ("ZohoToken", "ZohoTokenId", "ZohoTokenLease")]
    except AppRegistryNotReady as error:
        raise ImproperlyConfigured("call django.setup() before a DjangoTokenStore is made") from error
    except LookupError as error:
        raise ImproperlyConfigured(f"add {__package__!r} to INSTALLED_APPS and run migrate") from error


def _check_database(using: str) -> None:
    if using not in connections:
        raise ImproperlyConfigured(f"DATABASES has no {using!r}")
    options = connections.databases[using].get("OPTIONS", {})
    if str(options.get("isolation_level")).lower() == "read uncommitted":
        raise ImproperlyConfigured(f"{using!r} reads what is not committed: change its isolation_level")


def _prepare(connection: Any) -> None:
    # Django's debug cursor logs what is sent [SECRET-2].
    connection.make_debug_cursor = connection.make_cursor
    connection.ensure_connection()
    if not connection.get_autocommit():
        connection.set_autocommit(True)
    if connection.vendor == "mysql" and not any("STRICT" in mode for mode in connection.sql_mode):
        raise refusal("without STRICT_TRANS_TABLES in its sql_mode, the server cuts or changes text")


# ---------------------------------------------------------------------------------------------
# Tokens and rows.


def _matching(fields: Fields, ways: Sequence[Way]) -> Q | None:
    """The condition that a row may match in one of these ways; ``None`` where none can."""
    names = {way.fields[0] for way in ways}
    keys = [Q(**{f"{name}_key": key}) for name, key in key_digests(fields).items() if name in names]
    return functools.reduce(operator.or_, keys) if keys else None


def _rows(query: Any) -> list[Fields]:
    """The rows of a query, the oldest first."""
    found = query.order_by("number").values_list(*_COLUMNS.values())
    return [Fields(zip(FIELDS, values, strict=True)) for values in found]


def _values(row: Fields) -> dict[str, str | None]:
    """The columns of a row."""
    texts = {column: row[name] for name, column in _COLUMNS.items()}
    return Fields({**texts, **{f"{name}_key": key_digest(row, name) for name in KEYS}})


def _is_storable(value: object) -> bool:
    """Whether every database keeps a text as it is."""
    try:
        return isinstance(value, str) and "\0" not in value and value.encode() is not None
    except UnicodeEncodeError:
        return False


class _Now(Func):  # type: ignore[misc]  # Django has no types
    """Seconds since 1970 by the server's clock, in no time zone."""

    template = "CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) AS double precision)"
    output_field = FloatField()

    def as_mysql(self, *arguments: Any, **context: Any) -> Any:
        template = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000.0"
        return self.as_sql(*arguments, template=template, **context)

    def as_sqlite(self, *arguments: Any, **context: Any) -> Any:
        template = "(JULIANDAY('now') - 2440587.5) * 86400.0"
        return self.as_sql(*arguments, template=template, **context)


# ---------------------------------------------------------------------------------------------
# Failures.


def _code(error: Exception) -> Any:
    """What the driver's error says in short: an SQLSTATE, a number, or SQLite's text."""
    driver: Any = error.__cause__ or error
    for name in ("sqlstate", "pgcode"):
        if code := getattr(driver, name, None):
            return code
    return driver.args[0] if driver.args else None


def _failed(message: str, error: Exception, fields: Fields | None) -> SDKException:
    """The failure as the SDK's exception, with its cause, and without a secret [SECRET-2]."""
    text = str(error)
    # An escape is a piece of a value that the server could not keep.
    quotes = "\\x" in text or any(
        value[start : start + 8] in text
        for value in (fields or {}).values()
        if value
        for start in range(len(value) - 7)
    )
    telling = isinstance(error, DatabaseError | InterfaceError | ImproperlyConfigured) and not quotes
    if not telling:
        return refusal(f"{message}: {type(error).__name__}")
    # The SDK writes the cause behind the text.
    return SDKException(code=Constants.TOKEN_STORE, message=f"{message}: ", cause=error)
