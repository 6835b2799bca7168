"""Direct proofs of what the tables of truth say: each uses a store and asserts what it does.

The kit has no part in them. A proof of a broken clause shows the fault by itself; a proof of a kept one
shows that what looks like its fault is another's.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .fields import name_of

Open = Callable[[], Any]
"""Opens the store on its location, which is the current directory."""

BROKEN: dict[tuple[str, str], Callable[[Open], None]] = {}
"""By store and clause: shows how the store breaks the clause."""
KEPT: dict[tuple[str, str], Callable[[Open], None]] = {}
"""By store and clause: shows that the store keeps the clause, where another fault looks like its own."""

SQL = ("sqlite", "memory")
FILES = ("csv", "file-store")
PLAIN = ("list", *FILES)
LOOK = ("look", "errors")
HABITS = ("first-row", "no-ids")
ALL = (*SQL, *PLAIN, "db-store")


def _proves(
    proofs: dict[tuple[str, str], Callable[[Open], None]], stores: tuple[str, ...], clause: str
) -> Callable[[Callable[[Open], None]], Callable[[Open], None]]:
    def register(proof: Callable[[Open], None]) -> Callable[[Open], None]:
        proofs.update({(store, clause): proof for store in stores})
        return proof

    return register


def broken(clause: str, *stores: str) -> Callable[[Callable[[Open], None]], Callable[[Open], None]]:
    """Register a proof that stores break a clause."""
    return _proves(BROKEN, stores, clause)


def kept(clause: str, *stores: str) -> Callable[[Callable[[Open], None]], Callable[[Open], None]]:
    """Register a proof that stores keep a clause."""
    return _proves(KEPT, stores, clause)


def token(name: str | None = None, **fields: Any) -> Any:
    """A token with these fields and no others; its user has client credentials and a refresh token."""
    made = OAuthToken(access_token="made")  # the constructor wants something
    made.set_access_token(None)
    if name is not None:
        fields = {"client_id": "client", "client_secret": "secret", "refresh_token": f"r-{name}", **fields}
        made.set_user_signature(UserSignature(name))
    for field, value in fields.items():
        getattr(made, f"set_{field}")(value)
    return made


def saved(store: Any, *names: str) -> list[Any]:
    """Save users; their tokens."""
    tokens = [token(name) for name in names]
    for one in tokens:
        store.save_token(one)
    return tokens


def users(store: Any) -> list[str | None]:
    """The stored users' names."""
    return [name_of(one) for one in store.get_tokens()]


# All that were written after the SDK's own


@broken("SAVE-10", *ALL)
def _another_clients_refresh_token_updates_the_row(open: Open) -> None:
    store = open()
    for client in ("one", "two"):
        store.save_token(token(client_id=client, client_secret="secret", refresh_token="r"))
    assert [one.get_client_id() for one in store.get_tokens()] == ["two"]


@broken("BYID-2", *ALL)
def _an_unknown_id_raises(open: Open) -> None:
    store = open()
    saved(store, "ann")
    with pytest.raises(SDKException):
        store.find_token_by_id("unknown")


@broken("BYID-5", *ALL)
def _a_token_lacks_what_its_constructor_sets(open: Open) -> None:
    store = open()
    saved(store, "ann")
    assert vars(OAuthToken(access_token="whole")).keys() > vars(store.get_tokens()[0]).keys()


@broken("DEL-5", *ALL)
def _an_id_is_given_again(open: Open) -> None:
    store = open()
    last = saved(store, "ann", "bob", "cleo")[-1]
    store.delete_token(last.get_id())
    assert saved(store, "dan")[0].get_id() == last.get_id()


@broken("VALUE-10", *SQL, "db-store")
def _an_empty_text_replaces_what_is_stored(open: Open) -> None:
    store = open()
    saved(store, "ann")
    store.save_token(token("ann", refresh_token="", access_token="new"))
    assert store.get_tokens()[0].get_refresh_token() == ""


@broken("SAVE-3", *ALL)
def _nothing_is_inserted_beside_an_id_that_is_no_number(open: Open) -> None:
    store = open()
    saved(store, "ann")
    store.save_token(token("bob", id="abc"))
    with pytest.raises((SDKException, ValueError)):
        saved(store, "cleo")


@broken("SAVE-15", *ALL, *LOOK, *HABITS)
def _a_learned_name_is_a_second_row(open: Open) -> None:
    store = open()
    store.save_token(token(client_id="client", client_secret="secret", refresh_token="r-ann"))
    saved(store, "ann")
    assert users(store) == [None, "ann"]


# SQL


@broken("SAVE-14", *SQL, "db-store")
def _a_name_that_comes_with_the_id_is_refused(open: Open) -> None:
    store = open()
    unnamed = token(client_id="client", client_secret="secret", refresh_token="r")
    store.save_token(unnamed)
    unnamed.set_user_signature(UserSignature("ann"))
    with pytest.raises(SDKException):
        store.save_token(unnamed)
    assert users(store) == [None]


@broken("SAVE-20", *SQL)
def _an_access_token_with_client_credentials_is_no_statement(open: Open) -> None:
    with pytest.raises(SDKException, match="incomplete input"):
        open().save_token(token(client_id="client", client_secret="secret", access_token="a"))


@broken("SAVE-21", *SQL, "db-store")
def _an_updated_token_has_no_id(open: Open) -> None:
    store = open()
    saved(store, "ann")
    changed = token("ann", access_token="new")
    store.save_token(changed)
    assert changed.get_id() is None
    assert users(store) == ["ann"]


@kept("SAVE-11", *SQL, "db-store")
def _a_user_under_another_users_id_stays_apart(open: Open) -> None:
    store = open()
    ann, _ = saved(store, "ann", "bob")
    store.save_token(token("bob", id=ann.get_id(), access_token="new"))
    assert users(store) == ["ann", "bob"]
    assert [one.get_access_token() for one in store.get_tokens()] == [None, "new"]


@broken("FIND-5", *SQL)
def _an_id_alone_finds_the_first_row(open: Open) -> None:
    store = open()
    _, bob = saved(store, "ann", "bob")
    asked = token(id=bob.get_id())
    store.find_token(asked)
    assert name_of(asked) == "ann"


@broken("FIND-6", *SQL)
def _an_unknown_id_finds_the_first_row(open: Open) -> None:
    store = open()
    saved(store, "ann")
    assert name_of(store.find_token(token(id="99"))) == "ann"


@broken("FIND-7", *SQL)
def _an_empty_user_name_finds_the_first_row(open: Open) -> None:
    store = open()
    saved(store, "ann")
    asked = token()
    asked.set_user_signature(UserSignature(""))
    assert store.find_token(asked).get_refresh_token() == "r-ann"


@broken("BYID-3", *SQL)
def _a_quote_in_an_id_finds_a_row(open: Open) -> None:
    store = open()
    saved(store, "ann")
    assert name_of(store.find_token_by_id("' or '1'='1")) == "ann"


@broken("DEL-1", *SQL)
def _an_id_that_is_no_number_cannot_be_deleted(open: Open) -> None:
    store = open()
    store.save_token(token("ann", id="abc"))
    with pytest.raises(SDKException):
        store.delete_token("abc")


@broken("DEL-2", *SQL)
def _an_id_is_computed(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob")
    store.delete_token("1-0")
    assert users(store) == ["bob"]


@broken("DEL-3", *SQL)
def _the_name_of_a_column_is_every_rows_own_value(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob")
    store.delete_token("id")
    assert users(store) == []


@broken("VALUE-1", *SQL)
def _a_name_with_a_quote_cannot_be_saved(open: Open) -> None:
    with pytest.raises(SDKException):
        saved(open(), "o'neil")


@broken("VALUE-8", *SQL)
def _an_eleventh_row_cannot_be_saved(open: Open) -> None:
    store = open()
    saved(store, *(f"user{number}" for number in range(10)))
    with pytest.raises(SDKException, match="UNIQUE"):
        saved(store, "one too many")


@broken("SECRET-2", *SQL)
def _the_message_quotes_what_is_after_a_quote(open: Open) -> None:
    with pytest.raises(SDKException) as raised:
        open().save_token(token("ann", refresh_token="r'hush"))
    assert "hush" in str(raised.value)


# SQLite in a file


@broken("CLEAR-1", "sqlite")
def _delete_tokens_raises(open: Open) -> None:
    store = open()
    saved(store, "ann")
    with pytest.raises(AttributeError):
        store.delete_tokens()
    assert users(store) == ["ann"]


@kept("CLEAR-2", "sqlite")
def _the_store_works_on_after_it_raised(open: Open) -> None:
    store = open()
    saved(store, "ann")
    with pytest.raises(AttributeError):
        store.delete_tokens()
    saved(store, "bob")
    assert name_of(store.find_token(token("bob"))) == "bob"
    assert users(store) == ["ann", "bob"]


@broken("PERSIST-1", "sqlite")
def _a_table_left_empty_cannot_be_opened_again(open: Open) -> None:
    open()
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        open()


@kept("PERSIST-3", "sqlite")
def _ids_after_opening_again_are_new(open: Open) -> None:
    first, second = saved(open(), "ann"), saved(open(), "bob")
    assert [first[0].get_id(), second[0].get_id()] == ["1", "2"]


@broken("PERSIST-4", "sqlite")
def _the_store_follows_the_working_directory(open: Open) -> None:
    store = open()
    saved(store, "ann")
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    with pytest.raises(SDKException, match="no such table"):
        store.get_tokens()


@broken("CRASH-3", "sqlite")
def _a_damaged_file_raises_what_is_no_sdk_exception(open: Open) -> None:
    saved(open(), "ann")
    Path("zohooauth.db").write_bytes(b"\0" * 4096)
    with pytest.raises(sqlite3.DatabaseError):
        open()


@broken("SECRET-1", "sqlite")
@broken("SECRET-1", *FILES)
@broken("SECRET-1", *LOOK)
@broken("SECRET-1", "private")
def _the_file_is_open_to_others(open: Open) -> None:
    mask = os.umask(0o022)
    try:
        saved(open(), "ann")
    finally:
        os.umask(mask)
    assert all(path.stat().st_mode & 0o044 for path in Path().iterdir())


@broken("THREAD-1", "memory")
def _another_thread_is_refused(open: Open) -> None:
    store = open()
    raised: list[Exception] = []

    def use() -> None:
        try:
            store.get_tokens()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert isinstance(raised[0], SDKException)
    assert store.get_tokens() == []


# Rows one after another


@broken("SAVE-4", *PLAIN)
def _a_stale_id_is_a_second_row(open: Open) -> None:
    store = open()
    saved(store, "ann")
    store.save_token(token("ann", id="99"))
    assert users(store) == ["ann", "ann"]


@broken("SAVE-9", *PLAIN)
def _the_first_row_counts_whichever_token_it_shares(open: Open) -> None:
    store = open()
    client = {"client_id": "client", "client_secret": "secret"}
    store.save_token(token(**client, refresh_token="r"))
    store.save_token(token(**client, grant_token="g"))
    store.save_token(token(**client, grant_token="g", refresh_token="r", access_token="new"))
    assert [bool(one.get_access_token()) for one in store.get_tokens()] == [True, False]


@broken("SAVE-11", *PLAIN)
def _a_user_under_another_users_id_takes_its_row(open: Open) -> None:
    store = open()
    ann = token("ann", access_token="a-ann")
    store.save_token(ann)
    store.save_token(token("bob", id=ann.get_id()))
    assert [(name_of(one), one.get_access_token()) for one in store.get_tokens()] == [("bob", "a-ann")]


@broken("SAVE-14", *PLAIN)
def _a_name_has_two_rows(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob")
    unnamed = token(client_id="client", client_secret="secret", refresh_token="r")
    store.save_token(unnamed)
    unnamed.set_user_signature(UserSignature("ann"))
    store.save_token(unnamed)
    assert users(store) == ["ann", "bob", "ann"]


@broken("FIND-5", *PLAIN)
def _an_id_alone_finds_nothing(open: Open) -> None:
    store = open()
    ann = saved(store, "ann")[0]
    assert store.find_token(token(id=ann.get_id())) is None


@broken("SAVE-2", "list")
@broken("VALUE-8", "list")
def _the_second_row_has_the_id_of_the_first(open: Open) -> None:
    assert [one.get_id() for one in saved(open(), "ann", "bob", "cleo")] == ["1", "1", "2"]


@kept("SAVE-5", "list")
@kept("SAVE-12", "list")
@kept("SAVE-13", "list")
def _users_whose_ids_are_unlike_are_updated_each_in_its_row(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob", "cleo")
    store.save_token(token("cleo", access_token="a-cleo"))
    store.save_token(token("cleo", access_token="a-cleo"))
    assert [one.get_access_token() for one in store.get_tokens()] == [None, None, "a-cleo"]


@kept("DEL-1", "list")
@kept("DEL-4", "list")
def _a_row_with_an_id_of_its_own_is_deleted_alone(open: Open) -> None:
    store = open()
    cleo = saved(store, "ann", "bob", "cleo")[2]
    store.delete_token(cleo.get_id())
    assert users(store) == ["ann", "bob"]
    assert store.find_token(token("cleo")) is None


@broken("DEL-3", *FILES)
def _the_header_is_deleted(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob")
    store.delete_token("id")
    assert users(store) == ["bob"]


@broken("VALUE-1", *FILES)
def _a_line_break_is_translated(open: Open) -> None:
    store = open()
    store.save_token(token("ann", redirect_url="a\rb"))
    assert store.get_tokens()[0].get_redirect_url() == "a\nb"


@broken("VALUE-9", *FILES)
def _a_text_that_cannot_be_encoded_cuts_the_file(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob")
    with pytest.raises(UnicodeEncodeError):
        store.save_token(token("ann", redirect_url="\ud800"))
    assert users(store) == []


@broken("CRASH-3", *FILES)
def _a_damaged_file_is_read_as_far_as_it_goes(open: Open) -> None:
    saved(open(), "ann", "bob")
    text = Path("tokens.csv").read_text(encoding="utf-8")
    Path("tokens.csv").write_text(text[: len(text) // 2], encoding="utf-8")
    assert "bob" not in users(open())


# Look, then insert


@broken("SAVE-14", *LOOK, *HABITS)
def _a_name_that_comes_with_the_id_is_a_second_row(open: Open) -> None:
    store = open()
    unnamed = token(client_id="client", client_secret="secret", refresh_token="r")
    store.save_token(unnamed)
    unnamed.set_user_signature(UserSignature("ann"))
    store.save_token(unnamed)
    assert users(store) == [None, "ann"]


@broken("VALUE-10", *LOOK)
def _an_empty_client_id_hinders_the_access_token(open: Open) -> None:
    store = open()
    store.save_token(token(access_token="a"))
    assert store.find_token(token(access_token="a")) is not None
    assert store.find_token(token(access_token="a", client_id="")) is None


@broken("THREAD-3", *LOOK, *HABITS, "one-slot")
@broken("THREAD-5", *LOOK, *HABITS, "one-slot")
@broken("PROC-1", *LOOK, *HABITS, "one-slot")
def _two_that_find_no_row_insert_one_each(open: Open) -> None:
    store, other = open(), open()
    look = store.match

    def meanwhile(asked: Any) -> Any:
        found = look(asked)
        saved(other, "ann")
        return found

    store.match = meanwhile
    saved(store, "ann")
    assert users(other) == ["ann", "ann"]


@broken("CRASH-3", *LOOK)
def _opening_a_damaged_file_raises_what_is_no_sdk_exception(open: Open) -> None:
    saved(open(), "ann")
    Path("tokens.db").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        open()


@kept("VALUE-9", "look")
def _a_lone_surrogate_is_refused(open: Open) -> None:
    store = open()
    with pytest.raises(SDKException):
        store.save_token(token("ann", redirect_url="\ud800"))
    assert users(store) == []


@broken("VALUE-9", "errors")
def _a_lone_surrogate_seems_to_be_saved(open: Open) -> None:
    store = open()
    store.save_token(token("ann", redirect_url="\ud800"))
    assert users(store) == []


@kept("CRASH-4", "look", *HABITS, "one-slot")
def _what_is_out_of_reach_raises(open: Open) -> None:
    store = open()
    here = Path.cwd()
    here.rename(here.with_name(f"{here.name}-gone"))
    for call in (store.get_tokens, store.delete_tokens, lambda: saved(store, "ann")):
        with pytest.raises((sqlite3.Error, SDKException)):
            call()


@broken("CRASH-4", "errors")
def _what_is_out_of_reach_seems_to_be_empty(open: Open) -> None:
    store = open()
    saved(store, "ann")
    here = Path.cwd()
    here.rename(here.with_name(f"{here.name}-gone"))
    saved(store, "bob")
    assert store.get_tokens() == []
