"""A token store in a table of PostgreSQL, MariaDB, MySQL or SQLite, for the Zoho CRM Python SDK.

Copy this module into your project: it needs the SDK, SQLAlchemy 2.0.43 or newer, and a driver::

    engine = create_engine(
        "postgresql+psycopg://me:secret@db.example.com/crm",  # or mysql+pymysql://…
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    Initializer.initialize(environment, token, store=SQLAlchemyStore(engine))

The two options save round trips: then finding a token is one, and saving one is two. The store is
right without them too.

From the SDK's ``DBStore``: stop the applications that use it, call `take_over_dbstore` once with an
engine for its database, and start them again with this store. Ids and rows stay.

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sql
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

Fields = dict[str, Any]
T = TypeVar("T")

_PATIENCE = 60.0  # seconds to wait for other writers: contention is no error [PROC-1]
_CONNECTIONS = 3  # tries, where the server hangs up
_ID_WIDTH = 255
_MOST = 10**18  # numbers beyond are never given, so ids beyond need not be remembered
_CONTENTION = {"40001", "40P01", 1020, 1213, "database is locked"}  # each server's way to say: once more

# ---------------------------------------------------------------------------------------------
# The tables. That of the tokens has the columns of the SDK's own table, in its order, so that whoever
# reads that one can read this. Text compares character by character [VALUE-6]: PostgreSQL and SQLite
# do so by themselves, MySQL is told to, and where it overlooks trailing space `_Tables.same` does not.

_FIELDS = (
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expires_in",
    "redirect_url",
    "api_domain",
)
_COLUMNS = ("id", "user_name", *_FIELDS)
_CLIENT = ("client_id", "client_secret")
_CREDENTIALS = ("grant_token", "refresh_token", "access_token")


_MYSQL = ("mysql", "mariadb")
_EXACT: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}


class _Hidden(str):
    """A text that does not show itself: SQLAlchemy logs rows at the level DEBUG [SECRET-2]."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _Text(sql.types.TypeDecorator[str]):
    """Text of any length."""

    impl = sql.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sql.Dialect) -> Any:
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.MEDIUMTEXT(**_EXACT))
        return super().load_dialect_impl(dialect)

    def process_result_value(self, value: str | None, dialect: sql.Dialect) -> str | None:
        return None if value is None else _Hidden(value)


_ID = sql.String(_ID_WIDTH).with_variant(mysql.VARCHAR(_ID_WIDTH, **_EXACT), "mysql", "mariadb")
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}


_NOTHING: Fields = dict.fromkeys(_COLUMNS)


class _Tables:
    """The three tables.

    Attributes:
        tokens: A row for each token. `number` counts the rows in the order of insertion.
        ids: One row whose id is empty: how often anything was updated or deleted, and a number that
            no deleted row exceeds. Every writer locks it, so that one at a time looks and writes. The
            other rows are decimal ids that callers brought, and that are never given to others [DEL-5].
        leases: Who may renew a token, and until when by the server's clock.
    """

    def __init__(self, name: str) -> None:
        self.metadata = sql.MetaData()
        indexes = [
            # PostgreSQL's other indexes take no text of 4,096 characters [VALUE-3].
            sql.Index(
                f"{name}_by_{column}",
                column,
                postgresql_using="hash",
                mysql_length={column: 64},
                mariadb_length={column: 64},
            )
            for column in ("user_name", *_CREDENTIALS)
        ]
        self.tokens = sql.Table(
            name,
            self.metadata,
            sql.Column("id", _ID, primary_key=True),
            sql.Column("user_name", _Text),
            *(
                sql.Column("expiry_time" if field == "expires_in" else field, _Text, key=field)
                for field in _FIELDS
            ),
            sql.Column("number", sql.BigInteger, nullable=False, unique=True),
            *indexes,
            **_OPTIONS,
        )
        self.ids = sql.Table(
            f"{name}_ids",
            self.metadata,
            sql.Column("id", sql.String(20), primary_key=True),
            sql.Column("number", sql.BigInteger, nullable=False, index=True),
            sql.Column("version", sql.BigInteger, nullable=False),
            **_OPTIONS,
        )
        self.leases = sql.Table(
            f"{name}_leases",
            self.metadata,
            sql.Column("name", sql.String(64), primary_key=True),
            sql.Column("owner", sql.String(64), nullable=False),
            sql.Column("until", sql.Double, nullable=False),
            **_OPTIONS,
        )


class _State(NamedTuple):
    """What a save finds: the row of its token, and what tells whether anything was written since.

    Attributes:
        version: How often rows were updated or deleted.
        last: The largest number that any row has or had.
        next_is_brought: The id that is next in turn is one that a caller brought.
        number: The number of the token's row, where there is one.
        id: Its id.
    """

    version: int
    last: int
    next_is_brought: bool
    number: int | None
    id: str | None


class _Statements:
    """What the store asks of one kind of server. Made once; the values are parameters.

    A token's fields are the parameters `_sent` gives. Others are ``state_version``, ``state_last`` and
    ``state_number``, and ``new_number``.
    """

    def __init__(self, table: str, dialect: str) -> None:
        self.tables = tables = _Tables(table)
        self.is_mysql = dialect in _MYSQL
        self.is_sqlite = dialect == "sqlite"
        self._finds: dict[Any, sql.Select[Any] | None] = {}
        self._states: dict[Any, sql.Select[Any]] = {}
        tokens, ids = tables.tokens, tables.ids
        self._fields = {name: sql.bindparam(f"sent_{name}", type_=tokens.c[name].type) for name in _COLUMNS}
        self._is_counter = ids.c.id == ""
        version, last, number, new_number = (
            sql.bindparam(name, type_=sql.BigInteger)
            for name in ("state_version", "state_last", "state_number", "new_number")
        )

        self.begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        columns = [tokens.c[name] for name in _COLUMNS]
        self.rows = sql.select(*columns).order_by(tokens.c.number)
        self.row_of_id = sql.select(*columns).where(self._same("id"))
        self.delete_id = sql.delete(tokens).where(self._same("id"))
        self.delete_all = sql.delete(tokens)
        # Wait for other writers, and keep them waiting until the transaction ends.
        self.lock = sql.update(ids).where(self._is_counter).values(version=ids.c.version + 1)
        self.count = sql.update(ids).where(self._is_counter).values(number=new_number)
        self.bring = sql.insert(ids).values(id=self._fields["id"], number=new_number, version=0)
        self.brought = sql.select(ids.c.id).where(ids.c.id == self._fields["id"])
        # An update replaces the fields that the token has and keeps the others [SAVE-13].
        replaced: dict[Any, Any] = {
            tokens.c[name]: sql.func.coalesce(field, tokens.c[name])
            for name, field in self._fields.items()
            if name != "id"
        }
        self.update = sql.update(tokens).where(tokens.c.number == number).values(replaced)
        self.insert = sql.insert(tokens).values(number=new_number, **self._fields)

        # The same two, done only if nothing was written since the state was read. The number of a new
        # row is that after the last, and unique: of two that insert at once one fails.
        added = [tokens.c.number, *columns]
        row = sql.select(new_number, *self._fields.values())
        if self.is_mysql:
            # Inserting alone does not count as a version there, so whoever updates looks for it too.
            later = tokens.alias()
            of_both = ids.join(tokens, tokens.c.number == number).outerjoin(
                later, sql.and_(later.c.number == last + 1, later.c.number != tokens.c.number)
            )
            unchanged = sql.and_(self._is_counter, ids.c.version == version)
            self.update_if_unchanged = (
                sql.update(of_both)
                .where(unchanged, later.c.number.is_(None))
                .values({**replaced, ids.c.version: ids.c.version + 1})
            )
            row = row.select_from(ids).where(unchanged).with_for_update()
        else:
            turn = (
                self.lock.where(ids.c.version == version)
                .values(number=new_number)
                .returning(ids.c.version)
                .cte("turn")
            )
            self.update_if_unchanged = self.update.where(sql.exists(sql.select(turn.c.version)))
            row = row.select_from(turn)
        self.insert_if_unchanged = sql.insert(tokens).from_select(added, row)

    def find(self, fields: Fields) -> sql.Select[Any] | None:
        """The row of a token to find; ``None`` where it has nothing that identifies one."""
        shape = _shape(fields)
        if shape not in self._finds:
            number = self._first(self._to_find(*shape))
            found = None if number is None else self.rows.where(self.tables.tokens.c.number == number)
            self._finds[shape] = found
        return self._finds[shape]

    def state(self, fields: Fields) -> sql.Select[Any]:
        """A `_State`, with the row of a token to save."""
        shape = _shape(fields)
        if shape not in self._states:
            self._states[shape] = self._state(self._first(self._to_update(*shape)))
        return self._states[shape]

    def identifies(self, fields: Fields) -> bool:
        """Whether a token that is saved would be found again."""
        return self._first(self._to_update(*_shape(fields))) is not None

    def _state(self, number: Any) -> sql.Select[Any]:
        tokens, ids = self.tables.tokens, self.tables.ids
        largest = sql.select(sql.func.max(tokens.c.number)).correlate(None).scalar_subquery()
        last = sql.case((largest > ids.c.number, largest), else_=ids.c.number)
        brought = ids.alias()
        next_is_brought = sql.exists().where(brought.c.id != "", brought.c.number == last + 1)
        own = sql.false() if number is None else tokens.c.number == number
        return (
            sql.select(ids.c.version, last, next_is_brought, tokens.c.number, tokens.c.id)
            .select_from(ids.outerjoin(tokens, own))
            .where(self._is_counter)
        )

    # Which row a token speaks of: the first condition that some row meets, and of several such rows
    # the oldest. One expression in one statement, so that a reader beside a writer never sees two
    # states of the table [THREAD-5].

    def _first(self, conditions: Sequence[Any]) -> Any:
        """The number of the row, as an expression; ``None`` where nothing identifies it."""
        numbers = [
            sql.select(sql.func.min(self.tables.tokens.c.number))
            .where(condition)
            .correlate(None)
            .scalar_subquery()
            for condition in conditions
            if condition is not None
        ]
        if len(numbers) > 1:
            return sql.func.coalesce(*numbers)
        return numbers[0] if numbers else None

    def _to_find(self, present: frozenset[str], usable: frozenset[str]) -> list[Any]:
        own = functools.partial(self._own, usable)
        # A name outranks everything else: whoever names a user reaches no row of another [FIND-8].
        if "user_name" in present:
            return [own("user_name"), own("id", unnamed=True)]
        return [*self._by_token(present, usable), own("id"), self._by_access_at_last(present, usable)]

    def _to_update(self, present: frozenset[str], usable: frozenset[str]) -> list[Any]:
        own = functools.partial(self._own, usable)
        if "user_name" in present:
            # A new name goes to the unnamed row that the token was saved as before its user was
            # known [SAVE-14, SAVE-15].
            return [
                own("user_name"),
                own("id", unnamed=True),
                own("grant_token", *_CLIENT, unnamed=True),
                own("refresh_token", *_CLIENT, unnamed=True),
            ]
        # Without a name, another credential under the id of a user's row may be anybody's: no match.
        by_id = own("id", unnamed=not present.isdisjoint(_CREDENTIALS))
        return [*self._by_token(present, usable), by_id, self._by_access_at_last(present, usable)]

    def _by_token(self, present: frozenset[str], usable: frozenset[str]) -> list[Any]:
        alone = present.isdisjoint(_CLIENT)
        return [
            self._own(usable, "access_token") if alone else None,
            self._own(usable, "grant_token", *_CLIENT),
            self._own(usable, "refresh_token", *_CLIENT),
        ]

    def _by_access_at_last(self, present: frozenset[str], usable: frozenset[str]) -> Any:
        """An access token beside client credentials counts when nothing else says whose it is."""
        last = present.issuperset(_CLIENT) and present.isdisjoint(("grant_token", "refresh_token", "id"))
        return self._own(usable, "access_token") if last else None

    def _own(self, usable: frozenset[str], *columns: str, unnamed: bool = False) -> Any:
        """The condition that a row has all these fields of the token; ``None`` where none can."""
        if not usable.issuperset(columns):
            return None
        nameless = [self.tables.tokens.c.user_name.is_(None)] if unnamed else []
        return sql.and_(*(self._same(column) for column in columns), *nameless)

    def _same(self, name: str) -> Any:
        """The condition that a row has exactly the token's text in a column."""
        column, field = self.tables.tokens.c[name], self._fields[name]
        if self.is_mysql:  # its collation overlooks trailing space
            return sql.and_(column == field, sql.func.char_length(column) == sql.func.char_length(field))
        return column == field

    def acquire(self, name: str, owner: str, seconds: float) -> Sequence[Any]:
        """Statements of which one changes a row if the owner gets the lease, tried in their order."""
        leases = self.tables.leases
        now: Any
        if self.is_mysql:
            now = sql.literal_column("timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000000.0")
        elif self.is_sqlite:
            now = sql.literal_column("(julianday('now') - 2440587.5) * 86400.0")
        else:
            now = sql.literal_column("CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
        values = {"owner": owner, "until": now + seconds}
        to_be_had = sql.or_(leases.c.until <= now, leases.c.owner == owner)
        if self.is_mysql:
            take = sql.update(leases).where(leases.c.name == name, to_be_had).values(values)
            return take, mysql.insert(leases).prefix_with("IGNORE").values(name=name, **values)
        insert = sqlite.insert if self.is_sqlite else postgresql.insert
        take_or_insert = insert(leases).values(name=name, **values)
        return (take_or_insert.on_conflict_do_update(index_elements=["name"], set_=values, where=to_be_had),)

    def release(self, name: str, owner: str) -> sql.Delete:
        """Free a lease, if this owner holds it."""
        leases = self.tables.leases
        return sql.delete(leases).where(leases.c.name == name, leases.c.owner == owner)


_statements = functools.lru_cache(maxsize=32)(_Statements)  # who opens a store anew does not make them anew


class SQLAlchemyStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in a table that threads, processes and machines share.

    The server decides which of several writers comes first: nodes that save the same user at the same
    moment leave one row, and nobody sees half of a save. A call that has returned is as safe as the
    server keeps its commits. A call whose connection breaks is made again on another one, so there is
    no need for ``pool_pre_ping``; a save is, too, unless the token has nothing by which its row could
    be found again. On the second failure it raises, and then may have been done or not.

    The tables are made where they are missing. Let nothing else write to them.

    A node that freezes in the middle of a save holds up the others until the server gives up on it. MySQL
    and MariaDB let them wait for 50 seconds by default; on PostgreSQL set ``lock_timeout``, and
    ``idle_in_transaction_session_timeout`` to be rid of the frozen one.

    `acquire_lease` and `release_lease` are for wrappers that let one caller renew a token at a time.

    SQLite is for tests and small sites: use ``poolclass=NullPool`` with it, so that no connection
    outlives its file, or else `SQLiteFileStore`. A new file is closed to group and others.

    Forks: a child does as SQLAlchemy says, and calls ``engine.dispose(close=False)`` first of all.

    What the contract leaves open: deleting an unknown id is silent; ids are decimal text and never
    given twice; `get_tokens` answers in the order of insertion. A token with the name of a stored
    user and the id of another row updates the user's row alone; with the id of another user's row
    and a new name it becomes a row of its own, under a new id. Text with NUL or a lone surrogate and
    ids of more than 255 characters are refused.

    Args:
        engine: Where to connect. It stays the caller's, who disposes of it.
        table: The name of the table of tokens. Two smaller ones get names that begin with it.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the server fails or cannot
            be reached.
    """

    def __init__(self, engine: sql.Engine, table: str = "oauthtoken") -> None:
        # An engine of its own on the same connections, which never tells what it was given [SECRET-2].
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT", preserve_rowcount=True)
        self._engine.hide_parameters = True
        self._sql = _statements(table, engine.dialect.name)
        with _surfaced(f"Cannot open the token table {table}"):
            _close_to_others(engine)
            self._again(lambda connection: _prepare(connection, self._sql.tables))

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        fields = _read(token)
        query = self._sql.find(fields)
        if query is None:
            return None
        rows = self._rows(Constants.GET_TOKEN_DB_ERROR, query, fields)
        return _fill(token, rows[0]) if rows else None

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        if not isinstance(token, OAuthToken):
            raise _refusal("only an OAuthToken can be saved")
        fields = _read(token)
        if any(not isinstance(value, str | None) for value in fields.values()):
            raise _refusal("every field of a token is text")
        if not all(_is_storable(value) for value in fields.values() if value):
            raise _refusal("no field of a token has NUL or half a character in it")
        if len(fields["id"] or "") > _ID_WIDTH:
            raise _refusal(f"an id has up to {_ID_WIDTH} characters")

        # A token without anything by which it is found again would become a second row.
        repeatable = self._sql.identifies(fields)

        def save(connection: sql.Connection) -> str:
            return self._save_if_unchanged(connection, fields) or self._save_in_turn(connection, fields)

        with _surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            row_id = self._again(save, though_it_may_be_done=repeatable)
        # Only now, so that a save that failed leaves the token as it was.
        token.set_id(row_id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        if _is_storable(id):
            self._delete(Constants.DELETE_TOKEN_DB_ERROR, self._sql.delete_id, {"id": id})

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        return [_new_token(row) for row in self._rows(Constants.GET_TOKENS_DB_ERROR, self._sql.rows, {})]

    def delete_tokens(self) -> None:
        """Delete every row."""
        self._delete(Constants.DELETE_TOKENS_DB_ERROR, self._sql.delete_all, {})

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        if not _is_storable(id):
            return None
        rows = self._rows(Constants.GET_TOKEN_DB_ERROR, self._sql.row_of_id, {"id": id})
        return _new_token(rows[0]) if rows else None

    # Leases.

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Take the lease on a key, or go on holding it, for so many seconds by the server's clock.

        Args:
            key: What the lease is on; any text.
            owner: Who asks; any text that no other caller uses.
            seconds: How long the lease lasts, unless it is released.

        Returns:
            Whether the owner holds it now: it was free, had run out, or was the owner's already.
        """
        statements = self._sql.acquire(_digest(key), _digest(owner), seconds)

        def acquire(connection: sql.Connection) -> bool:
            return any(connection.execute(statement).rowcount > 0 for statement in statements)

        with _surfaced("Cannot acquire a lease"):
            return self._again(acquire)

    def release_lease(self, key: str, owner: str) -> None:
        """Give up the lease on a key, if this owner holds it."""
        statement = self._sql.release(_digest(key), _digest(owner))
        with _surfaced("Cannot release a lease"):
            self._again(lambda connection: connection.execute(statement))

    # Connections.

    def _again(self, work: Callable[[sql.Connection], T], *, though_it_may_be_done: bool = True) -> T:
        """Do something on a connection; once more where other writers or a broken connection came between."""
        deadline = time.monotonic() + _PATIENCE
        tries = 0
        while True:
            tries += 1
            try:
                with self._engine.connect() as connection:
                    return work(connection)
            except DBAPIError as error:
                failure = error
            lost = failure.connection_invalidated and though_it_may_be_done and tries < _CONNECTIONS
            if not lost and not (_code(failure) in _CONTENTION and time.monotonic() < deadline):
                raise failure
            time.sleep(random.uniform(0.001, 0.02))

    def _rows(self, message: str, query: sql.Select[Any], fields: Fields) -> list[Fields]:
        with _surfaced(message):
            rows = self._again(lambda connection: connection.execute(query, _sent(fields)).all())
        return [
            {name: value and str(value) for name, value in zip(_COLUMNS, row, strict=True)} for row in rows
        ]

    def _delete(self, message: str, statement: sql.Delete, fields: Fields) -> None:
        def delete(connection: sql.Connection) -> None:
            with self._turn(connection):
                state = self._state(connection, _NOTHING)
                # Or the next row gets the number of one that is deleted [DEL-5].
                connection.execute(self._sql.count, {"new_number": state.last})
                connection.execute(statement, _sent(fields))

        with _surfaced(message):
            self._again(delete)

    def _state(self, connection: sql.Connection, fields: Fields) -> _State:
        row = connection.execute(self._sql.state(fields), _sent(fields)).one_or_none()
        if row is None:
            raise _refusal(f"the table {self._sql.tables.ids.name} has lost the row that counts")
        return _State(*row)

    @contextlib.contextmanager
    def _turn(self, connection: sql.Connection) -> Iterator[None]:
        """One writer at a time looks and writes in one step: nobody comes between [THREAD-3, PROC-1]."""
        connection.exec_driver_sql(self._sql.begin)
        try:
            connection.execute(self._sql.lock)
            yield
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            try:
                connection.exec_driver_sql("ROLLBACK")
            except SQLAlchemyError:
                connection.invalidate()  # nobody must get it as it is
            raise

    # Saving. A save that meets nobody looks, and then writes if nothing was written since: two
    # statements, each a transaction of its own. One that meets others, or that has more to do, locks
    # the row that counts, looks and writes, and lets it go with its commit.

    def _save_if_unchanged(self, connection: sql.Connection, fields: Fields) -> str | None:
        """Save, if nobody writes at the same time: the row's id, or ``None`` where nothing was saved."""
        if self._sql.is_sqlite:
            return None  # nothing to gain, for no network is between
        state = self._state(connection, fields)
        parameters: Fields = {"state_version": state.version, "state_last": state.last}
        if state.number is not None:
            id = state.id
            statement: Any = self._sql.update_if_unchanged
            parameters |= {"state_number": state.number, "new_number": state.last, **_sent(fields)}
        elif fields["id"] or state.next_is_brought:
            return None
        else:
            _check_credential(fields)
            id = str(state.last + 1)
            statement = self._sql.insert_if_unchanged
            parameters |= {"new_number": state.last + 1, **_sent({**fields, "id": id})}
        try:
            return id if connection.execute(statement, parameters).rowcount else None
        except IntegrityError:
            return None

    def _save_in_turn(self, connection: sql.Connection, fields: Fields) -> str:
        with self._turn(connection):
            state = self._state(connection, fields)
            if state.number is None:
                return self._insert(connection, state, fields)
            connection.execute(self._sql.update, {"state_number": state.number, **_sent(fields)})
            return str(state.id)

    def _insert(self, connection: sql.Connection, state: _State, fields: Fields) -> str:
        _check_credential(fields)
        id = fields["id"]
        if id and connection.execute(self._sql.row_of_id, _sent(fields)).first() is not None:
            if not fields["user_name"]:
                raise _refusal("the id is that of a user's row, whom this token does not name")
            id = None  # another user's row: this user gets one of their own [SAVE-11]
        number = state.last + 1
        if not id:
            while self._is_brought(connection, str(number)):
                number += 1
            id = str(number)
        elif _may_come(id) and not self._is_brought(connection, id):
            connection.execute(self._sql.bring, {"sent_id": id, "new_number": int(id)})
        connection.execute(self._sql.insert, {"new_number": number, **_sent({**fields, "id": id})})
        connection.execute(self._sql.count, {"new_number": number})
        return str(id)

    def _is_brought(self, connection: sql.Connection, id: str) -> bool:
        return connection.execute(self._sql.brought, {"sent_id": id}).first() is not None

    def _copy(self, connection: sql.Connection, rows: Sequence[Fields]) -> None:
        """Insert the rows of another store, with their ids."""
        with self._turn(connection):
            for row in rows:
                self._insert(connection, self._state(connection, _NOTHING), row)


# ---------------------------------------------------------------------------------------------
# Opening.


def _prepare(connection: sql.Connection, tables: _Tables) -> None:
    """Make what is missing of the tables. Several may do so at once."""
    tries = 0
    while not _is_ready(connection, tables):
        tries += 1
        try:
            _check_columns(connection, tables.tokens)
            tables.metadata.create_all(connection)
            connection.execute(sql.insert(tables.ids).values(id="", number=0, version=0))
        except DBAPIError as error:
            if error.connection_invalidated or tries == _CONNECTIONS:
                raise
            time.sleep(random.uniform(0.01, 0.1))


def _is_ready(connection: sql.Connection, tables: _Tables) -> bool:
    if not sql.inspect(connection).has_table(tables.ids.name):
        return False
    return connection.execute(sql.select(tables.ids).where(tables.ids.c.id == "")).first() is not None


def _check_columns(connection: sql.Connection, tokens: sql.Table) -> None:
    inspector = sql.inspect(connection)
    if inspector.has_table(tokens.name):
        found = {column["name"] for column in inspector.get_columns(tokens.name)}
        if missing := {column.name for column in tokens.columns} - found:
            raise _refusal(
                f"the table {tokens.name} has no column {', '.join(sorted(missing))}. "
                "If it is that of DBStore, call take_over_dbstore first"
            )


def _close_to_others(engine: sql.Engine) -> None:
    """Make an empty file where SQLite would make one that is readable by everyone [SECRET-1]."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and path != ":memory:" and not path.startswith("file:"):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def take_over_dbstore(engine: sql.Engine, table: str = "oauthtoken") -> None:
    """Make the table of the SDK's ``DBStore`` into one of `SQLAlchemyStore`, with its ids and rows.

    The rows are copied into a new table, which then takes the old one's name in one step. The old one
    is left as it was, under a name that ends in ``_dbstore``. Nothing must write to it meanwhile. If this
    is cut short, call it again.

    Args:
        engine: For the MySQL or MariaDB database of ``DBStore``.
        table: The name of its table.

    Raises:
        SDKException: With the code ``TOKEN_STORE``, and the table is as it was: it is not that of
            ``DBStore``, rows of it are of the same user or token, or the server fails.
    """
    with _surfaced(f"Cannot take over the table {table}"):
        new = _Tables(f"{table}_new")
        with engine.connect() as connection:
            if engine.dialect.name not in _MYSQL:
                raise _refusal("DBStore keeps its table in MySQL or MariaDB")
            names = [column.name for column in new.tokens.columns if column.name != "number"]
            if [column["name"] for column in sql.inspect(connection).get_columns(table)] != names:
                raise _refusal(f"the table {table} has other columns than that of DBStore")
            old = sql.table(table, *(sql.column(name, _Text) for name in names))
            rows = [
                {column: value and str(value) for column, value in zip(_COLUMNS, values, strict=True)}
                for values in connection.execute(sql.select(old))
            ]
            new.metadata.drop_all(connection)
            connection.commit()
        rows.sort(key=lambda row: (len(row["id"]), row["id"]))  # as they were given
        _check_apart(rows)
        store = SQLAlchemyStore(engine, new.tokens.name)
        store._again(lambda connection: store._copy(connection, rows))
        with engine.begin() as connection:
            moves = [(table, f"{table}_dbstore")]
            moves += [(f"{table}_new{end}", f"{table}{end}") for end in ("", "_ids", "_leases")]
            quote = engine.dialect.identifier_preparer.quote
            renamed = ", ".join(f"{quote(one)} TO {quote(other)}" for one, other in moves)
            connection.exec_driver_sql(f"RENAME TABLE {renamed}")


def _check_apart(rows: Sequence[Fields]) -> None:
    """Refuse rows of which two are of the same user or token."""
    places: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if key := _key(row):
            places.setdefault(key, []).append(row["id"])
    if clashes := [ids for ids in places.values() if len(ids) > 1]:
        listed = "; ".join(", ".join(map(repr, ids)) for ids in clashes)
        raise _refusal(f"rows with these ids are of the same user or token, keep one of each: {listed}")


def _key(row: Fields) -> tuple[str, ...]:
    """What identifies a row, as in `_Statements`; empty where nothing does."""
    client = (row["client_id"], row["client_secret"])
    if row["user_name"]:
        return ("user", row["user_name"])
    if row["access_token"] and not any(client):
        return ("access", row["access_token"])
    if row["grant_token"] and all(client):
        return ("grant", row["grant_token"], *client)
    if row["refresh_token"] and all(client):
        return ("refresh", row["refresh_token"], *client)
    return ()


# ---------------------------------------------------------------------------------------------
# Tokens and rows.


def _read(token: OAuthToken) -> Fields:
    """The token's fields by column. Absent is ``None`` or ``""`` in a token, NULL in the table."""
    signature = token.get_user_signature()
    fields = {field: getattr(token, f"get_{field}")() or None for field in _FIELDS}
    fields["id"] = token.get_id() or None
    fields["user_name"] = (signature.get_name() or None) if signature is not None else None
    return fields


def _fill(token: OAuthToken, row: Mapping[str, str | None]) -> OAuthToken:
    """Give the token the row's id, and of the row's other fields those that it lacks."""
    token.set_id(row["id"])
    signature = token.get_user_signature()
    if signature is None or not signature.get_name():
        token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
    for field in _FIELDS:
        if not getattr(token, f"get_{field}")():
            getattr(token, f"set_{field}")(row[field])
    return token


def _new_token(row: Mapping[str, str | None]) -> OAuthToken:
    # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5].
    return _fill(OAuthToken(id=row["id"]), row)


def _shape(fields: Fields) -> tuple[frozenset[str], frozenset[str]]:
    """Which fields a token has, and by which of them a row can be found."""
    present = frozenset(name for name, value in fields.items() if value)
    # Nothing that is stored equals what no server stores.
    return present, frozenset(name for name in present if _is_storable(fields[name]))


def _sent(fields: Fields) -> Fields:
    """The fields as parameters of `_Statements`."""
    return {f"sent_{name}": value for name, value in fields.items()}


def _check_credential(fields: Fields) -> None:
    has_credential = any(fields[name] for name in _CREDENTIALS)
    if not has_credential and (fields["id"] or fields["user_name"]):
        raise _refusal(Constants.GET_TOKEN_DB_ERROR1)  # [SAVE-16]


def _is_storable(value: object) -> bool:
    """Whether every server keeps a text as it is; nothing that is stored equals what is not."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_come(id: str) -> bool:
    """Whether this is an id that the store would make itself one day."""
    return id.isascii() and id.isdecimal() and id[0] != "0" and len(id) < 19 and int(id) <= _MOST


def _digest(text: str) -> str:
    """A text of any length as one of 64 characters, the same for no other."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


# ---------------------------------------------------------------------------------------------
# Failures.


def _refusal(message: str) -> SDKException:
    return SDKException(code=Constants.TOKEN_STORE, message=message)


def _code(error: DBAPIError) -> Any:
    """What the driver's error says in short: an SQLSTATE, a number, or SQLite's text."""
    driver: Any = error.orig
    for name in ("sqlstate", "pgcode", "errno"):
        if code := getattr(driver, name, None):
            return code
    return driver.args[0] if driver.args else None


@contextlib.contextmanager
def _surfaced(message: str) -> Iterator[None]:
    """Let every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""
    try:
        yield
    except (SQLAlchemyError, OSError, UnicodeError) as error:
        cause: BaseException | None = error
        text = f"{message}: "  # the SDK writes the cause behind it
        if isinstance(error, UnicodeError):
            cause, text = None, message  # it quotes what it could not encode, which may be a token
        elif isinstance(error, DBAPIError):
            cause = error.orig  # SQLAlchemy's own keeps the parameters
            if _quotes(str(cause), error.params):
                cause, text = None, f"{text}{type(cause).__name__} {_code(error)}"
        raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


def _quotes(text: str, parameters: Any) -> bool:
    """Whether a server's message has a part of a parameter in it."""
    values = parameters.values() if isinstance(parameters, Mapping) else parameters or ()
    return any(
        value[start : start + 8] in text
        for value in values
        if isinstance(value, str)
        for start in range(len(value) - 7)
    )
