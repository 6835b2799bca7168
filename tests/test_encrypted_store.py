"""`EncryptedStore`: the inner store never has a secret in the clear, and otherwise all is as without it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.applicable import takes_a_file
from tests.calls import find, rows, save
from tests.interrupts import own_locals
from tests.leasing import LeasingSQLiteFileStore
from tests.stores.catalogue import sut_for
from zoho_reference_stores import (
    EncryptedStore,
    ListStore,
    SingleFlightStore,
    SQLiteFileStore,
    SQLiteMemoryStore,
    sqlite_file,
)
from zoho_reference_stores.encrypted_store import _encrypted, _Key, _secret_of
from zoho_reference_stores.token_fields import read_token, refusal
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import abilities
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, Level
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

pytestmark = pytest.mark.once

# Made with Fernet.generate_key(), and fixed: other processes open the same storage.
NEW = "T7ghGbW0mWtS3p0vXlKO8jFhzfxB3n3uyFdnGk7GJt0="
OLD = "mbMmnSTyY3Py1iqKpTtAkC8r2Zs6gq1LWZr0Xc0kF0A="
OTHER = "1yXDzu0pN8v3-0b1Xc0P4bP3J9kYcHq6JfQXlq6mF9g="

SECRETS = {
    "client_secret": "s3cret-of-the-client",
    "refresh_token": "1000.refresh.0123456789",
    "access_token": "1000.access.0123456789",
    "grant_token": "1000.grant.0123456789",
}
CLIENT = {"client_id": "client", "client_secret": SECRETS["client_secret"]}
ANN = Row(
    user_name="ann",
    client_id="client",
    **SECRETS,
    expires_in="1900000000000",
    redirect_url="https://app",
    api_domain="https://api",
)
GRANT = Row(**CLIENT, grant_token="1000.grant.alone")
REFRESH = Row(**CLIENT, refresh_token="1000.refresh.alone")
ACCESS = Row(access_token="1000.access.alone")
EVERY_KIND = (ANN, GRANT, REFRESH, ACCESS)


# The contract


def over_file(location: Path) -> EncryptedStore:
    return EncryptedStore(SQLiteFileStore(location), [NEW])


def over_list(location: Path) -> EncryptedStore:
    return EncryptedStore(ListStore(), [NEW])


def with_several_keys(location: Path) -> EncryptedStore:
    return EncryptedStore(SQLiteMemoryStore(), [NEW, OLD, OTHER])


def in_single_flight(location: Path) -> SingleFlightStore:
    return SingleFlightStore(EncryptedStore(LeasingSQLiteFileStore(location), [NEW]))


def break_storage(store: Any, location: Path) -> None:
    sqlite_file.break_storage(store.inner, location)


def mend_storage(store: Any, location: Path) -> None:
    sqlite_file.mend_storage(store.inner, location)


SUBJECTS: dict[str, Callable[[], StoreUnderTest]] = {
    "SQLiteFileStore": lambda: sut_for(over_file, break_storage=break_storage, mend_storage=mend_storage),
    "ListStore": lambda: sut_for(over_list, persistent=False),
    "SQLiteMemoryStore with several keys": lambda: sut_for(with_several_keys, persistent=False),
}
# Groups and clauses that take a file or a second opening, which the stores in memory do not have.


@pytest.mark.parametrize("clause", [one.id for one in CLAUSES.values() if one.level is not Level.MAY])
@pytest.mark.parametrize("inner", SUBJECTS)
def test_the_wrapper_keeps_the_clause(inner: str, clause: str) -> None:
    """MUST and SHOULD alike."""
    result = check_clause(clause, SUBJECTS[inner](), Effort())

    missing = inner != "SQLiteFileStore" and takes_a_file(clause)
    missing = missing or (clause == "FLOW-8" and not abilities().revokes)
    expected = Outcome.NOT_APPLICABLE if missing else Outcome.KEPT
    assert expected == result.outcome, result.message()


@pytest.mark.parametrize("clause", ["FLOW-3", "FLOW-10"])
def test_both_wrappers_work_together(clause: str) -> None:
    """Leases of the inner store are reached through the encryption."""
    assert callable(EncryptedStore(ListStore(), [NEW]).find_token)
    result = check_clause(clause, sut_for(in_single_flight), Effort())

    assert result.outcome is Outcome.KEPT, result.message()


# Nothing in the clear


class Spied(ListStore):
    """Remembers everything that it is given, by whatever method."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def find_token(self, token: Any) -> Any:
        self._remember(token)
        return super().find_token(token)

    def save_token(self, token: Any) -> None:
        self._remember(token)
        super().save_token(token)

    def _remember(self, token: Any) -> None:
        self.given.append(json.dumps(vars(to_row(token))))


@pytest.fixture(params=[SQLiteFileStore, SQLiteMemoryStore, ListStore])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each of the three stores, open and empty."""
    store = request.param(tmp_path) if request.param is SQLiteFileStore else request.param()
    yield store
    getattr(store, "close", lambda: None)()


def forms(secret: str) -> Iterator[bytes]:
    """A secret in the encodings in which it might lie in a storage, and what it is easily guessed from."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        raw = secret.encode(encoding)
        yield raw
        yield raw[::-1]
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        yield base64.b32encode(raw).rstrip(b"=")
        yield base64.b85encode(raw)
        for shift in range(3):  # wherever it lies in a longer text; the ends depend on the neighbours
            for altchars in (b"+/", b"-_"):
                yield base64.b64encode(b"\0" * shift + raw, altchars)[4 if shift else 0 : -4]
        for digest in ("md5", "sha1", "sha256", "sha512"):
            made = hashlib.new(digest, raw).digest()
            yield made
            yield made.hex().encode()
            yield base64.b64encode(made).rstrip(b"=")
    yield quote(secret, safe="").encode()
    yield json.dumps(secret).encode()


def everything_in(storage: Any) -> bytes:
    """All that an inner store keeps, raw."""
    if isinstance(storage, ListStore):
        return (
            json.dumps(storage._records).encode() + json.dumps(storage._records, ensure_ascii=False).encode()
        )
    assert isinstance(storage, SQLiteFileStore)
    with contextlib.closing(sqlite3.connect(storage._path)) as connection:
        dump = "\n".join(connection.iterdump())
    files = sorted(storage._path.parent.iterdir())
    assert {file.name for file in files} >= {"zohooauth.db", "zohooauth.db-wal"}
    return dump.encode() + b"".join(file.read_bytes() for file in files)


@pytest.mark.parametrize("kind", [SQLiteFileStore, ListStore])
def test_no_secret_lies_in_the_raw_storage(kind: Any, tmp_path: Path) -> None:
    """Neither as it is, nor in another encoding, nor as a digest without a key."""
    secrets = {name: f"{value}-ÅÄÖ-{name}" for name, value in SECRETS.items()}
    row = ANN.but(**secrets)

    def found_in(storage: Any) -> list[bytes]:
        raw = everything_in(storage)
        return [form for secret in secrets.values() for form in forms(secret) if form in raw]

    clear = kind(tmp_path / "clear.db") if kind is SQLiteFileStore else kind()
    if kind is ListStore:  # the search finds what is there
        save(clear, row)
        assert len(found_in(clear)) >= len(secrets)
    storage = kind(tmp_path) if kind is SQLiteFileStore else kind()
    store = EncryptedStore(storage, [NEW])
    save(store, row)
    save(store, row.but(user_name=None, refresh_token=None, grant_token=None))
    save(store, Row(user_name="ann", access_token=f"{secrets['access_token']} renewed"))
    assert find(store, Row(user_name="ann")) is not None

    assert b"siv1." in everything_in(storage)
    assert found_in(storage) == []


def test_the_inner_store_is_not_given_a_secret_to_look_for_either() -> None:
    """Whatever is asked, and also while keys change."""
    inner = Spied()
    save(EncryptedStore(inner, [OLD]), ANN)
    store = EncryptedStore(inner, [NEW, OLD])
    for row in EVERY_KIND:
        find(store, row)
        save(store, row)
        find(store, row.but(user_name=None))
    store.rotate()

    assert len(inner.given) > 20
    secrets = {value for row in EVERY_KIND for name, value in row.present().items() if name in SECRETS}
    assert [given for given in inner.given if any(secret in given for secret in secrets)] == []


def test_the_same_secret_is_another_text_in_another_field_and_under_another_key() -> None:
    """So that nobody sees which fields are alike, and no field's value does in another."""
    same = dict.fromkeys(SECRETS, "the same")
    stored = []
    for key in (NEW, OLD):
        inner = ListStore()
        save(EncryptedStore(inner, [key]), Row(client_id="client", **same))
        stored += [value for name, value in rows(inner)[0].present().items() if name in SECRETS]

    assert len(set(stored)) == 8


def test_text_that_no_encoding_takes_comes_back() -> None:
    """Lone surrogates, NUL and very long text: the inner store gets ASCII."""
    store = EncryptedStore(ListStore(), [NEW])
    awkward = ANN.but(
        access_token="\ud800", refresh_token="a\0b", grant_token="x" * 200_000, client_secret="\r\n "
    )
    id = save(store, awkward)

    assert find(store, Row(user_name="ann")) == awkward.but(id=id)
    assert find(store, Row(**CLIENT).but(client_secret="\r\n ", refresh_token="a\0b")) == awkward.but(
        id=id, user_name="ann"
    )
    inner = rows(store.inner)[0]
    assert all(getattr(inner, name).isascii() for name in SECRETS)


def test_a_secret_that_is_not_text_is_refused_and_matches_nothing() -> None:
    """As in the reference stores; the inner store does not see it."""
    inner = Spied()
    store = EncryptedStore(inner, [NEW])
    save(store, ACCESS)
    for strange in (12345678, b"12345678", ["12345678"]):
        assert store.find_token(to_token(Row(access_token=strange))) is None
        with pytest.raises(SDKException, match="TOKEN_STORE"):
            store.save_token(to_token(Row(access_token=strange)))

    assert not any("12345678" in given for given in inner.given)
    assert len(rows(store)) == 1


# Wrong keys, altered text


def record_of(inner: ListStore) -> list[str | None]:
    """The first record, as it lies in the list."""
    record = inner._records[0]
    assert record is not None
    return record


def refuses(call: Callable[[], Any]) -> None:
    """It raises what it should, and neither a secret nor a key comes out."""
    with pytest.raises(SDKException) as caught:
        call()
    assert caught.value.code == "TOKEN_STORE"
    told = "".join(traceback.format_exception(caught.value)) + repr((caught.value.args, vars(caught.value)))
    hidden = {value for row in EVERY_KIND for name, value in row.present().items() if name in SECRETS}
    assert [one for one in (*hidden, NEW, OLD, OTHER, "siv1") if one in told] == []


@pytest.mark.parametrize("row", EVERY_KIND)
def test_another_key_finds_nothing_and_says_so(row: Row, inner: Any) -> None:
    """It raises in every call that would answer, and adds no row beside the one that it cannot read."""
    id = save(EncryptedStore(inner, [OLD]), row)
    before = rows(inner)
    calls: list[Callable[[Any], Any]] = [
        lambda store: store.find_token(to_token(row)),
        lambda store: store.find_token(to_token(row.but(user_name=None))),
        lambda store: store.find_token(to_token(Row(id=id))),
        lambda store: store.find_token_by_id(id),
        lambda store: store.get_tokens(),
        lambda store: store.save_token(to_token(row)),
        lambda store: store.save_token(to_token(Row(user_name="somebody new", access_token="new"))),
        lambda store: store.rotate(),
    ]
    for call in calls[1:] if row is ANN else calls:
        refuses(lambda call=call: call(EncryptedStore(inner, [NEW])))  # type: ignore[misc]

    assert rows(inner) == before


def test_rows_that_come_into_an_empty_store_under_another_key_are_noticed() -> None:
    """That there was nothing to be seen at first says nothing about keys."""
    inner = ListStore()
    store = EncryptedStore(inner, [NEW])
    assert find(store, REFRESH) is None
    save(EncryptedStore(inner, [OLD]), REFRESH)

    refuses(lambda: store.find_token(to_token(REFRESH)))
    refuses(lambda: store.save_token(to_token(REFRESH)))


def test_a_name_that_is_stored_under_another_key_raises_where_a_secret_is_missing() -> None:
    """A token that brings all of them itself is filled in with what needs no key."""
    inner = ListStore()
    id = save(EncryptedStore(inner, [OLD]), ANN)
    store = EncryptedStore(inner, [NEW])

    refuses(lambda: store.find_token(to_token(Row(user_name="ann"))))
    assert find(store, ANN) == ANN.but(id=id)


def altered(text: str) -> dict[str, str]:
    version, name, sealed = text.split(".")
    raw = base64.urlsafe_b64decode(sealed)
    return {
        "first byte": f"{version}.{name}.{base64.urlsafe_b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode()}",
        "last byte": f"{version}.{name}.{base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()}",
        "cut": f"{version}.{name}.{base64.urlsafe_b64encode(raw[:-1]).decode()}",
        "empty": f"{version}.{name}.",
        "no base64": f"{version}.{name}.{sealed[:-4]}****",
        "not ASCII": f"{version}.{name}.{sealed[:-4]}äöü=",
        # The last sign before the padding has bits that stand for nothing.
        "idle bits": f"{version}.{name}.{sealed[:-2]}{chr(ord(sealed[-2]) + 1)}=",
        "more": f"{text}.more",
        "other version": text.replace("siv1", "siv2"),
        "no version": sealed,
        "in the clear": SECRETS["access_token"],
    }


@pytest.mark.parametrize("how", sorted(altered("siv1.00000000.AAAAAAA=")))
def test_altered_text_is_refused(how: str) -> None:
    """Whatever asks for it; another row still reads, and can be saved."""
    inner = ListStore()
    first = EncryptedStore(inner, [NEW])
    id, other = save(first, ANN), save(first, ACCESS)
    column = 5
    text = record_of(inner)[column]
    assert text is not None
    assert text.endswith("=")
    record_of(inner)[column] = altered(text)[how]
    assert record_of(inner)[column] != text

    for store in (first, EncryptedStore(inner, [NEW])):
        refuses(lambda store=store: store.find_token(to_token(Row(user_name="ann"))))  # type: ignore[misc]
        refuses(lambda store=store: store.find_token_by_id(id))  # type: ignore[misc]
        refuses(lambda store=store: store.get_tokens())  # type: ignore[misc]
        assert find(store, ACCESS) == ACCESS.but(id=other)
    assert save(first, ACCESS) == other


def test_a_value_in_another_field_is_refused() -> None:
    """It is bound to its field."""
    inner = ListStore()
    store = EncryptedStore(inner, [NEW])
    save(store, ANN)
    record = record_of(inner)
    record[4], record[5] = record[5], record[4]

    refuses(store.get_tokens)


@pytest.mark.parametrize(
    "key",
    ["", "short", "ä" * 44, NEW[:-4], NEW[:-4] + "AAAA=", 7, None],
)
def test_a_key_of_another_form_is_refused(key: Any) -> None:
    """By a message that does not repeat it."""
    with pytest.raises(ValueError, match="32 bytes") as caught:
        EncryptedStore(ListStore(), [key])
    assert not key or str(key) not in str(caught.value)


def test_there_has_to_be_a_key() -> None:
    """One at least."""
    with pytest.raises(ValueError, match="needs a list of keys"):
        EncryptedStore(ListStore(), [])


def test_keys_are_those_of_fernet() -> None:
    """Text or bytes."""
    key = Fernet.generate_key()
    inner = ListStore()
    id = save(EncryptedStore(inner, [key]), ANN)

    assert rows(EncryptedStore(inner, [key.decode()])) == [ANN.but(id=id)]


# New keys


def put(inner: Any, key: str, row: Row) -> None:
    """Have another process save a row under a key, whatever is stored already."""
    secret = _secret_of(key)
    assert secret is not None
    inner.save_token(_encrypted(read_token(to_token(row)), _Key(secret)))


def key_names(inner: Any) -> list[set[str]]:
    """The names of the keys of each row's secrets."""
    return [
        {value.split(".")[1] for name, value in row.present().items() if name in SECRETS}
        for row in rows(inner)
    ]


@pytest.mark.parametrize("row", EVERY_KIND)
def test_a_row_of_an_older_key_is_found_and_stays_under_it_until_rotate(row: Row, inner: Any) -> None:
    """A save writes only what it was given; it stays one row, whose secrets have one key."""
    id = save(EncryptedStore(inner, [OLD]), row)
    (old_name,) = key_names(inner)[0]
    store = EncryptedStore(inner, [NEW, OTHER, OLD])
    key = row.only("user_name") if row.user_name else row
    assert find(store, key) == row.but(id=id)
    assert key_names(inner) == [{old_name}]

    sent = key.but(api_domain="https://moved")
    assert save(store, sent) == id
    assert rows(store) == [row.but(id=id, api_domain="https://moved")]
    assert key_names(inner) == [{old_name}]
    assert store.rotate() == 1
    assert rows(EncryptedStore(inner, [NEW])) == rows(store)


@pytest.mark.parametrize("row", [GRANT, REFRESH])
def test_a_name_learned_later_goes_to_the_row_of_an_older_key(row: Row, inner: Any) -> None:
    """By the token that they share [SAVE-15], or by the id [SAVE-14]."""
    for by_id in (False, True):
        store = EncryptedStore(inner, [NEW, OLD])
        id = save(EncryptedStore(inner, [OLD]), row)
        sent = Row(user_name="ann", access_token="renewed", id=id) if by_id else row.but(user_name="ann")
        assert save(store, sent) == id
        assert rows(store) == [row.updated_by(sent).but(id=id)]
        assert len(key_names(inner)[0]) == 1
        store.delete_tokens()


def test_a_name_learned_later_goes_to_the_row_behind_another_users(inner: Any) -> None:
    """Users may share a token; all rows of an older key that hold it are encrypted anew."""
    old = EncryptedStore(inner, [OLD])
    bob = save(old, REFRESH.but(user_name="bob", refresh_token="another"))
    unnamed = save(old, REFRESH)
    save(old, REFRESH.but(user_name="bob"))
    store = EncryptedStore(inner, [NEW, OLD])

    assert save(store, REFRESH.but(user_name="ann")) == unnamed
    assert [(row.id, row.user_name) for row in rows(store)] == [(bob, "bob"), (unnamed, "ann")]


def test_rotate_rewrites_what_other_keys_encrypted(inner: Any) -> None:
    """Afterwards the first key alone reads everything, and there is nothing more to do."""
    for row in EVERY_KIND:
        save(EncryptedStore(inner, [OLD]), row)
    store = EncryptedStore(inner, [NEW, OLD])
    save(store, Row(user_name="bob", access_token="bob's"))
    before = rows(store)
    assert len(before) == 5

    assert store.rotate() == 4
    assert rows(EncryptedStore(inner, [NEW])) == before
    assert store.rotate() == 0


def test_rotate_names_the_rows_that_it_cannot_read() -> None:
    """By their ids; all others are rewritten."""
    inner = ListStore()
    for key, row in ((OTHER, ANN.but(id="1")), (OLD, REFRESH), (NEW, ACCESS)):
        put(inner, key, row)
    store = EncryptedStore(inner, [NEW, OLD])

    with pytest.raises(SDKException, match="another key than the first: '1'"):
        store.rotate()
    assert key_names(inner)[1] == key_names(inner)[2]


class KeepsUnnamedRows(ListStore):
    """Refuses what the contract leaves open: an unnamed token whose id alone is stored."""

    def save_token(self, token: Any) -> None:
        row = to_row(token)
        if not row.user_name and row.id and self.find_token(to_token(row.but(id=None))) is None:
            self.save_unknown(token)
        else:
            super().save_token(token)

    def save_unknown(self, token: Any) -> None:
        raise refusal("an unnamed token has the id of a row")


class AddsRows(KeepsUnnamedRows):
    """The same, but such a token becomes a row of its own."""

    def save_unknown(self, token: Any) -> None:
        token.set_id(None)
        super().save_token(token)


@pytest.mark.parametrize("kind", [KeepsUnnamedRows, AddsRows])
def test_a_row_that_cannot_be_rewritten_stays_under_its_key(kind: Any) -> None:
    """It is updated all the same, and not doubled; `rotate` tells of it."""
    inner = kind()
    id = save(EncryptedStore(inner, [OLD]), REFRESH)
    store = EncryptedStore(inner, [NEW, OLD])

    assert save(store, REFRESH.but(access_token="renewed")) == id
    assert rows(store) == [REFRESH.but(id=id, access_token="renewed")]
    with pytest.raises(SDKException, match=f"than the first: '{id}'"):
        store.rotate()
    assert rows(store) == [REFRESH.but(id=id, access_token="renewed")]


def test_an_unnamed_row_does_not_reach_a_user_who_has_the_same_token() -> None:
    """Rewriting a row of an older key changes no other row."""
    inner = ListStore()
    save(EncryptedStore(inner, [OLD]), REFRESH.but(id="1", access_token="unnamed"))
    store = EncryptedStore(inner, [NEW, OLD])
    bob = REFRESH.but(user_name="bob", access_token="bob's")
    put(inner, NEW, bob)
    before = rows(store)
    assert [row.user_name for row in before] == [None, "bob"]

    with pytest.raises(SDKException, match="'1'"):
        store.rotate()
    assert rows(store) == before


class Meanwhile(ListStore):
    """Has another node save or delete between the first look of a call and what it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], Any] | None = None

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        act, self.act = self.act, None
        if act is not None:
            act()
        return found


@pytest.mark.parametrize("act", ["a new login", "a deletion"])
def test_a_save_undoes_nothing_that_another_node_does_meanwhile(act: str) -> None:
    """It writes what it was given, and nothing that it has read, also under several keys."""
    inner = Meanwhile()
    id = save(EncryptedStore(inner, [OLD]), ANN)
    store, other = EncryptedStore(inner, [NEW, OLD]), EncryptedStore(inner, [NEW, OLD])
    rows(store)
    login = Row(user_name="ann", refresh_token="new login")
    inner.act = (lambda: save(other, login)) if act == "a new login" else (lambda: other.delete_token(id))
    save(store, Row(user_name="ann", access_token="renewed"))

    (row,) = rows(store)
    assert row.access_token == "renewed"
    assert row.refresh_token == ("new login" if act == "a new login" else None)


def test_a_key_that_came_later_is_noticed_before_nothing_is_found() -> None:
    """Also by a store object that has looked at all rows before."""
    inner = ListStore()
    old = EncryptedStore(inner, [OLD])
    save(old, ANN)
    assert find(old, REFRESH) is None
    save(EncryptedStore(inner, [NEW, OLD]), REFRESH)

    refuses(lambda: find(old, REFRESH))


@pytest.mark.parametrize("row", EVERY_KIND)
def test_a_key_that_came_later_is_noticed_before_a_row_is_added(row: Row, inner: Any) -> None:
    """Also by a store object that has looked at all rows before, and that looks for nothing first."""
    old = EncryptedStore(inner, [OLD])
    save(old, Row(user_name="bob", access_token="bob's"))
    save(EncryptedStore(inner, [NEW, OLD]), row)
    before = rows(inner)

    refuses(lambda: save(old, row))
    assert rows(inner) == before


@pytest.mark.parametrize("keys", [["hidden" * 9], NEW, [NEW, b"hidden"], []])
def test_no_frame_shows_a_key(keys: Any) -> None:
    """Where local variables are shown, too."""
    with pytest.raises(ValueError, match="key") as caught:
        EncryptedStore(ListStore(), keys)

    shown = own_locals(caught.value)
    assert not any(key in shown for key in ("hidden", NEW))


def test_no_frame_shows_a_row_in_the_clear() -> None:
    """Where a row is listed that is not encrypted, and local variables are shown."""
    inner = ListStore()
    save(inner, ANN)
    with pytest.raises(SDKException) as caught:
        EncryptedStore(inner, [NEW]).get_tokens()

    assert not any(secret in own_locals(caught.value) for secret in SECRETS.values())


@pytest.mark.parametrize("inner", [None, ListStore, "tokens.db", SingleFlightStore(ListStore())])
def test_what_it_cannot_go_around_is_refused(inner: Any) -> None:
    """With a sentence that says why."""
    with pytest.raises(TypeError, match=r"takes the store|around this store"):
        EncryptedStore(inner, [NEW])


# Beside the tokens


def test_a_find_is_one_call_of_the_inner_store_and_a_save_of_a_stored_token_two() -> None:
    """It looks first, so that no row comes to be of two keys; only what is new is looked for everywhere."""
    inner = Spied()
    store = EncryptedStore(inner, [NEW])
    save(store, ANN)
    save(store, ACCESS)
    inner.given.clear()
    find(store, ANN)
    assert len(inner.given) == 1
    save(store, ANN)
    assert len(inner.given) == 3


def test_leases_are_those_of_the_inner_store(tmp_path: Path) -> None:
    """Where it has none, neither has the wrapper."""
    with EncryptedStore(LeasingSQLiteFileStore(tmp_path), [NEW]) as store:
        assert store.acquire_lease("1", "me", 60)
        assert not store.acquire_lease("1", "you", 60)
    with pytest.raises(SDKException, match="closed"):
        store.get_tokens()
    assert not hasattr(EncryptedStore(ListStore(), [NEW]), "acquire_lease")


def test_the_library_is_imported_only_for_this_store() -> None:
    """All others come without it; a name that is not there is none."""
    script = """
import sys
import zoho_reference_stores
from zoho_reference_stores import ListStore, SingleFlightStore
assert "cryptography" not in sys.modules
assert not hasattr(zoho_reference_stores, "NoSuchStore")
from zoho_reference_stores import EncryptedStore
assert "cryptography" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
