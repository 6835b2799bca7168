"""Direct proofs of what needs threads, processes, kills or a server; see `proofs`."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from unittest import mock

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .fields import name_of
from .proofs import FILES, HABITS, SQL, Open, broken, kept, saved, token, users


def _in_the_middle(store: Any, act: Callable[[], object]) -> Any:
    """Something else is done, once, where a save has looked for its row and is about to write it."""
    name = next(name for name in ("generate_id", "insert", "write") if hasattr(store, name))
    method, waiting = getattr(store, name), [act]

    def meanwhile(*arguments: Any) -> Any:
        while waiting:
            waiting.pop()()
        return method(*arguments)

    return mock.patch.object(store, name, meanwhile)


@broken("THREAD-2", *FILES)
@broken("PROC-1", *FILES)
def _a_save_beside_another_one_loses_a_user(open: Open) -> None:
    store, other = open(), open()
    with _in_the_middle(store, lambda: saved(other, "bob")):
        saved(store, "ann")
    assert users(store) == ["ann"]


@broken("THREAD-3", "list")
def _a_save_beside_another_one_adds_a_second_row(open: Open) -> None:
    store = open()
    with _in_the_middle(store, lambda: saved(store, "ann")):
        saved(store, "ann")
    assert users(store) == ["ann", "ann"]


@broken("THREAD-2", "db-store")
@broken("THREAD-3", "db-store")
@broken("PROC-1", "db-store")
@broken("FLOW-6", "db-store")
def _of_two_first_saves_at_once_the_server_ends_one(open: Open) -> None:
    for names in (("ann", "bob"), ("ann", "ann")):
        raised: list[Exception] = []
        store, both = open(), Barrier(2, timeout=30)
        make = store.generate_id

        def met(make: Any = make, both: Barrier = both) -> Any:
            both.wait()
            return make()

        def save(name: str, store: Any = store, raised: list[Exception] = raised) -> None:
            try:
                saved(store, name)
            except SDKException as error:
                raised.append(error)

        with mock.patch.object(store, "generate_id", met):
            threads = [Thread(target=save, args=(name,)) for name in names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(raised) == 1
        assert len(users(store)) == 1
        store.delete_tokens()


@broken("THREAD-4", *FILES)
def _the_file_is_empty_while_it_is_written(open: Open) -> None:
    store, other, seen = open(), open(), []
    saved(store, "ann")
    write = csv.writer

    def looked_at(*arguments: Any, **options: Any) -> Any:
        seen.append(users(other))
        return write(*arguments, **options)

    with mock.patch.object(csv, "writer", looked_at):
        saved(store, "bob")
    assert seen == [[]]


class _Killed(BaseException):
    """Nothing of the process is left."""


@broken("CRASH-1", *FILES)
@broken("CRASH-2", *FILES)
@broken("CRASH-6", *FILES)
def _what_ends_a_save_leaves_an_empty_file(open: Open) -> None:
    store = open()
    saved(store, "ann")
    with mock.patch.object(csv, "writer", mock.Mock(side_effect=_Killed)), pytest.raises(_Killed):
        saved(store, "bob")
    assert users(store) == []


@broken("CRASH-6", *SQL, "db-store")
def _what_is_raised_in_a_save_comes_out_as_another_exception(open: Open) -> None:
    store = open()
    name = "generate_id" if hasattr(store, "generate_id") else "next_id"
    with (
        mock.patch.object(store, name, mock.Mock(side_effect=TimeoutError)),
        pytest.raises(SDKException),
    ):
        saved(store, "ann")


@broken("SECRET-2", *FILES)
def _the_error_of_a_damaged_file_has_its_content(open: Open) -> None:
    store = open()
    saved(store, "ann")
    with Path("tokens.csv").open("ab") as file:
        file.write(b"\xff")
    with pytest.raises(UnicodeDecodeError) as raised:
        store.find_token(token("ann"))
    assert "r-ann" in str(raised.value.args)


# DBStore


@broken("SECRET-2", "db-store")
def _the_cause_has_the_text_that_cannot_be_encoded(open: Open) -> None:
    with pytest.raises(SDKException) as raised:
        open().save_token(token("ann", refresh_token="hush\ud800"))
    cause = raised.value.cause.__cause__
    assert isinstance(cause, UnicodeEncodeError)
    assert "hush" in str(cause.args)


@broken("SAVE-12", "db-store")
def _an_update_that_changes_nothing_is_followed_by_an_insert(open: Open) -> None:
    store = open()
    saved(store, "ann", "ann")
    assert users(store) == ["ann", "ann"]


@broken("SAVE-20", "db-store")
def _an_access_token_with_client_credentials_is_refused(open: Open) -> None:
    with pytest.raises(SDKException):
        open().save_token(token(client_id="client", client_secret="secret", access_token="a"))


@broken("FIND-5", "db-store")
@broken("FIND-6", "db-store")
@broken("FIND-7", "db-store")
def _a_look_up_without_a_key_raises(open: Open) -> None:
    store = open()
    ann = saved(store, "ann")[0]
    empty = token()
    empty.set_user_signature(UserSignature(""))
    for asked in (token(id=ann.get_id()), token(id="99"), empty):
        with pytest.raises(SDKException):
            store.find_token(asked)


@broken("BYID-3", "db-store")
@broken("DEL-3", "db-store")
def _another_text_is_the_same_id(open: Open) -> None:
    store = open()
    store.save_token(token("ann", id="a"))
    assert name_of(store.find_token_by_id("A ")) == "ann"
    store.delete_token("A ")
    assert users(store) == []


@broken("VALUE-3", "db-store")
def _a_long_text_is_refused(open: Open) -> None:
    with pytest.raises(SDKException):
        open().save_token(token("ann", refresh_token="r" * 4096))


@broken("VALUE-6", "db-store")
@broken("VALUE-7", "db-store")
def _texts_that_differ_in_case_are_the_same(open: Open) -> None:
    store = open()
    store.save_token(token("ann", access_token="a"))
    assert name_of(store.find_token(token(access_token="A"))) == "ann"
    assert store.find_token(token("ANN")).get_access_token() == "a"


@broken("VALUE-8", "db-store")
def _the_greatest_id_is_a_text(open: Open) -> None:
    store = open()
    saved(store, *(f"user{number}" for number in range(10)))
    with pytest.raises(SDKException):
        saved(store, "one too many")


@kept("VALUE-1", "db-store")
def _a_text_that_ends_a_text_in_sql_comes_back(open: Open) -> None:
    store = open()
    store.save_token(token("o'neil\\", refresh_token="r'%s\r\n日😀 "))
    store.save_token(token("o'neil\\", refresh_token='new"%s'))
    [one] = store.get_tokens()
    assert (name_of(one), one.get_refresh_token()) == ("o'neil\\", 'new"%s')


@kept("DEL-1", "db-store")
@kept("DEL-2", "db-store")
def _an_id_is_a_text(open: Open) -> None:
    store = open()
    saved(store, "ann", "bob")
    store.save_token(token("cleo", id="abc"))
    for id in ("1-0", "id", "abc"):
        store.delete_token(id)
    assert users(store) == ["ann", "bob"]


# Further habits


@broken("FLOW-1", "first-row", "one-slot")
@broken("FLOW-5", "first-row", "one-slot")
@broken("FLOW-8", "first-row", "one-slot")
def _what_nobody_stored_is_filled_in_from_a_row(open: Open) -> None:
    store = open()
    ann = token("ann", access_token="a-ann", expires_in="1900000000000")
    store.save_token(ann)
    code = token(client_id="client", client_secret="secret", grant_token="code")
    alone, unknown = token(access_token="new"), token(id="unknown")
    for asked in (code, alone, unknown):
        store.find_token(asked)
    assert code.get_access_token() == "a-ann"  # the SDK exchanges no code where there is one
    assert alone.get_expires_in() == "1900000000000"  # nor saves a token that has it
    assert unknown.get_refresh_token() == "r-ann"  # which is sent to be revoked


@kept("LIST-1", "one-slot")
@kept("SAVE-2", "one-slot")
@kept("FLOW-4", "one-slot")
def _the_one_row_is_listed_and_has_an_id_by_which_alone_it_is_found(open: Open) -> None:
    store = open()
    ann = saved(store, "ann")[0]
    [listed] = store.get_tokens()
    assert ann.get_id()
    assert (listed.get_id(), name_of(listed)) == (ann.get_id(), "ann")
    assert name_of(store.find_token_by_id(ann.get_id())) == "ann"
    assert store.find_token_by_id("unknown") is None


@broken("FIND-6", "first-row", "one-slot")
@broken("FIND-7", "first-row", "one-slot")
@broken("FIND-8", "first-row", "one-slot")
def _whatever_is_looked_for_is_found(open: Open) -> None:
    store = open()
    saved(store, "ann")
    empty = token()
    empty.set_user_signature(UserSignature(""))
    for asked in (token("bob"), token(access_token="unknown"), token(id="99"), empty):
        asked.set_refresh_token(None)
        assert store.find_token(asked).get_refresh_token() == "r-ann"


@broken("BYID-2", "first-row")
def _an_unknown_id_finds_the_first_row_by_id(open: Open) -> None:
    store = open()
    saved(store, "ann")
    assert name_of(store.find_token_by_id("unknown")) == "ann"


@broken("SAVE-2", "no-ids")
@broken("DEL-1", "no-ids")
def _no_token_has_an_id(open: Open) -> None:
    store = open()
    assert saved(store, "ann")[0].get_id() is None
    [listed], found = store.get_tokens(), store.find_token(token("ann"))
    assert (listed.get_id(), found.get_id()) == (None, None)
    store.delete_token(listed.get_id())
    assert users(store) == ["ann"]


@kept("SAVE-3", "no-ids")
def _an_id_that_a_token_brings_is_kept(open: Open) -> None:
    store = open()
    brought = token("ann", id="abc")
    store.save_token(brought)
    saved(store, "bob")
    assert (brought.get_id(), name_of(store.find_token_by_id("abc"))) == ("abc", "ann")
    assert users(store) == ["ann", "bob"]


@broken("VALUE-8", "one-slot")
@broken("SAVE-1", "one-slot")
@broken("SAVE-5", "one-slot")
@broken("SAVE-11", "one-slot")
def _another_user_takes_the_row(open: Open) -> None:
    store = open()
    ann = token("ann", access_token="a-ann")
    store.save_token(ann)
    store.save_token(token("bob", id=ann.get_id()))
    assert [(name_of(one), one.get_access_token()) for one in store.get_tokens()] == [("bob", "a-ann")]


@kept("THREAD-2", "one-slot")
def _one_slot_loses_beside_another_save_what_it_loses_after_one(open: Open) -> None:
    store = open()
    saved(store, "dan")
    with _in_the_middle(store, lambda: saved(store, "bob")):
        saved(store, "ann")
    assert users(store) == ["ann"]
    store.delete_tokens()
    with _in_the_middle(store, lambda: saved(store, "bob")):
        saved(store, "ann")
    assert users(store) == ["bob", "ann"]  # that it has two rows now is told by THREAD-5


@kept("THREAD-2", *HABITS)
def _a_save_beside_another_one_loses_no_user(open: Open) -> None:
    store = open()
    with _in_the_middle(store, lambda: saved(store, "bob")):
        saved(store, "ann")
    assert users(store) == ["bob", "ann"]


@kept("THREAD-1", *HABITS, "one-slot")
def _another_thread_uses_the_store(open: Open) -> None:
    store = open()
    thread = Thread(target=lambda: saved(store, "ann"))
    thread.start()
    thread.join()
    assert users(store) == ["ann"]


@kept("THREAD-4", *HABITS, "one-slot")
def _beside_a_save_the_row_is_as_before_it(open: Open) -> None:
    store, other, seen = open(), open(), []
    saved(store, "ann")
    with _in_the_middle(store, lambda: seen.extend(other.get_tokens())):
        store.save_token(token("ann", access_token="new"))
    assert [one.get_access_token() for one in (*seen, *other.get_tokens())] == [None, "new"]


@kept("CRASH-1", *HABITS, "one-slot")
@kept("CRASH-6", *HABITS, "one-slot")
def _what_ends_a_save_before_its_one_statement_leaves_the_row(open: Open) -> None:
    store = open()
    saved(store, "ann")
    with mock.patch.object(store, "write", mock.Mock(side_effect=_Killed)), pytest.raises(_Killed):
        saved(store, "bob")
    assert [(name_of(one), one.get_refresh_token()) for one in open().get_tokens()] == [("ann", "r-ann")]


@broken("SAVE-16", "one-slot")
def _a_token_without_a_credential_takes_the_row(open: Open) -> None:
    store = open()
    saved(store, "ann")
    store.save_token(token("bob", refresh_token=None))
    assert users(store) == ["bob"]


@broken("SAVE-1", "private")
@broken("SAVE-16", "private")
@broken("MODEL-1", "private")
def _no_field_is_stored(open: Open) -> None:
    store = open()
    saved(store, "ann")
    store.save_token(token("bob", refresh_token=None))
    assert [(name_of(one), one.get_refresh_token()) for one in store.get_tokens()] == [
        ("ann", None),
        ("bob", None),
    ]
