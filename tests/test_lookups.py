"""No reference store looks at every row to find one: seen in what it asks for, not in how long it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

CLIENT = {"client_id": "client", "client_secret": "secret"}
ROWS = 1000
LOOKUPS = {
    "user name": ("user_name",),
    "user name and id": ("id", "user_name"),
    "access token": ("access_token",),
    "access token and id": ("id", "access_token"),
    "access token and client": ("client_id", "client_secret", "access_token"),
    "grant token": ("client_id", "client_secret", "grant_token"),
    "refresh token": ("client_id", "client_secret", "refresh_token"),
    "grant and refresh token": ("client_id", "client_secret", "grant_token", "refresh_token"),
    "id": ("id",),
    "everything": ("id", "user_name", *CLIENT, "refresh_token", "access_token", "grant_token"),
}
"""What a token has that is looked for."""


def row(number: int, *, named: bool = True) -> Row:
    """A row whose every text is its own."""
    return Row(
        user_name=f"user {number}" if named else None,
        **CLIENT,
        refresh_token=f"refresh {number}",
        access_token=f"access {number}",
        grant_token=f"grant {number}",
    )


def missing(sent: Row) -> Row:
    """The same with other texts, which are nowhere."""
    others = {name: f"no {text}" for name, text in sent.present().items() if name not in CLIENT}
    return sent.but(**others)


class Statements:
    """What an SQLite store executes, noted with the values in it."""

    def __init__(self, store: Any) -> None:
        store.find_token_by_id("1")  # opens the connection for readers
        self._connections = {store._reader, store._writer}
        self.made: list[str] = []
        self.note(self.made.append)

    def note(self, callback: Any) -> None:
        """Have every statement told to the callback."""
        for connection in self._connections:
            connection.set_trace_callback(callback)

    def words(self) -> list[str]:
        """The first word of each statement, and forget them."""
        made, self.made[:] = [*self.made], []
        return [statement.split()[0] for statement in made]

    def plans(self) -> list[str]:
        """How SQLite goes about all the statements, and note no more."""
        self.note(None)
        return [
            step[3]
            for statement in self.made
            if statement.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK")
            for step in max(self._connections, key=id).execute(f"EXPLAIN QUERY PLAN {statement}")
        ]


def whole(plan: list[str]) -> list[str]:
    """Steps that look at a whole table or sort it, but for tables of one row."""
    of_one_row = ("file", "CONSTANT ROW")
    return [
        step
        for step in plan
        if ("SCAN" in step and not any(name in step for name in of_one_row)) or "TEMP" in step
    ]


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """An SQLite store with two rows, one of a user and one of nobody yet."""
    opened: Any = SQLiteFileStore(tmp_path / "tokens.db") if request.param == "file" else SQLiteMemoryStore()
    with opened:
        opened.save_token(to_token(row(1).but(id="1")))
        opened.save_token(to_token(row(2, named=False).but(id="2")))
        yield opened


@pytest.fixture
def statements(store: Any) -> Statements:
    """What that store executes from now on."""
    return Statements(store)


def test_whole_tables_are_recognized(store: Any, statements: Statements) -> None:
    """Listing looks at all rows."""
    assert len(store.get_tokens()) == 2
    assert len(whole(statements.plans())) == 1


@pytest.mark.parametrize("having", LOOKUPS.values(), ids=LOOKUPS)
def test_a_token_is_found_by_an_index(store: Any, statements: Statements, having: tuple[str, ...]) -> None:
    """In one statement, whether it is there or not."""
    sent = row(1).but(id="1").only(*having)
    token: Any = to_token(sent)

    assert store.find_token(token) is token
    assert token.get_id() == "1"
    assert store.find_token(to_token(missing(sent))) is None
    assert [statement.split()[0] for statement in statements.made] == ["SELECT", "SELECT"]
    assert whole(statements.plans()) == []


@pytest.mark.parametrize("having", LOOKUPS.values(), ids=LOOKUPS)
def test_a_token_is_saved_by_an_index(store: Any, statements: Statements, having: tuple[str, ...]) -> None:
    """Of a user, of one whose name is learned, or new."""
    for number in (1, 2, 3):
        with contextlib.suppress(SDKException):  # a new one without credential
            store.save_token(to_token(row(number).but(id=str(number)).only(*having)))

    looked = [statement for statement in statements.made if statement.startswith("SELECT *")]
    assert len(looked) == 3
    assert whole(statements.plans()) == []


def test_an_id_is_found_and_deleted_by_an_index(store: Any, statements: Statements) -> None:
    """Known or unknown."""
    for id in ("1", "unknown"):
        store.find_token_by_id(id)
        store.delete_token(id)

    assert [to_row(token) for token in store.get_tokens()] == [row(2, named=False).but(id="2")]
    assert len(whole(statements.plans())) == 1  # the listing


def test_a_save_writes_what_is_new(store: Any, statements: Statements) -> None:
    """What is stored already is not written again, nor are its indexes."""
    statements.words()
    store.save_token(to_token(row(1)))
    assert statements.words() == ["BEGIN", "SELECT", "COMMIT"]

    store.save_token(to_token(row(1).but(access_token="renewed", expires_in="1900000000000")))
    (update,) = [statement for statement in statements.made if "UPDATE oauthtoken" in statement]
    assert "SET access_token = 'renewed', expires_in = '1900000000000' WHERE" in update


class Watched(list[Any]):
    """A list that counts how many of its items are looked at."""

    seen = 0

    def __getitem__(self, place: Any) -> Any:
        self.seen += 1
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.seen += 1
            yield item


@pytest.fixture
def watched() -> ListStore:
    """A `ListStore` whose list counts."""
    store = ListStore()
    for number in range(ROWS):
        store.save_token(to_token(row(number).but(id=str(number + 1))))
    store._records = Watched(store._records)
    return store


def seen(store: ListStore) -> int:
    """How many records were looked at since the last time."""
    records: Any = store._records
    count, records.seen = records.seen, 0
    return int(count)


def test_looking_at_the_whole_list_is_noticed(watched: ListStore) -> None:
    """Listing looks at all records."""
    assert len(watched.get_tokens()) == ROWS
    assert seen(watched) == ROWS


@pytest.mark.parametrize("having", LOOKUPS.values(), ids=LOOKUPS)
def test_a_token_is_found_and_saved_by_the_index(watched: ListStore, having: tuple[str, ...]) -> None:
    """Few records are looked at, wherever the token is in the list."""
    for number in (0, ROWS // 2, ROWS - 1):
        sent = row(number).but(id=str(number + 1)).only(*having)
        found = watched.find_token(to_token(sent))
        assert found is not None
        assert found.get_id() == str(number + 1)
        assert watched.find_token(to_token(missing(sent))) is None
        saved = to_token(sent.but(redirect_url="new"))
        watched.save_token(saved)
        assert saved.get_id() == str(number + 1)
        assert 0 < seen(watched) < 10


def test_an_id_is_found_and_deleted_by_the_index(watched: ListStore) -> None:
    """And a new token goes to the end of the list."""
    found = watched.find_token_by_id("500")
    assert found is not None
    watched.delete_token("500")
    watched.delete_token("unknown")
    watched.save_token(to_token(row(ROWS)))
    assert watched.find_token_by_id("500") is None
    assert seen(watched) < 10
