"""The reference stores keep every clause, and decide alike what the contract leaves open.

The contract of those on servers is run beside their other tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests import sql_stores
from tests.applicable import takes_a_file
from tests.calls import find, rows, save
from tests.stores.catalogue import sut_for
from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_reference_stores.sqlite_file import break_storage, mend_storage
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import abilities
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, Level
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

CLIENT = {"client_id": "client", "client_secret": "secret"}
OTHER_CLIENT = {"client_id": "other client", "client_secret": "other secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="ann's refresh", access_token="ann's access")
BOB = Row(user_name="bob", **CLIENT, refresh_token="bob's refresh", access_token="bob's access")
GRANT = Row(**CLIENT, grant_token="grant")
REFRESH = Row(**CLIENT, refresh_token="refresh")
ACCESS = Row(access_token="access")


def open_memory(location: Path) -> SQLiteMemoryStore:
    return SQLiteMemoryStore()


def open_list(location: Path) -> ListStore:
    return ListStore()


SUBJECTS: dict[str, Callable[[], StoreUnderTest]] = {
    "SQLiteFileStore": lambda: sut_for(
        SQLiteFileStore, break_storage=break_storage, mend_storage=mend_storage
    ),
    "SQLiteMemoryStore": lambda: sut_for(open_memory, persistent=False),
    "ListStore": lambda: sut_for(open_list, persistent=False),
}
OPEN: dict[str, Callable[[Path], Any]] = {
    "SQLiteFileStore": SQLiteFileStore,
    "SQLiteMemoryStore": open_memory,
    "ListStore": open_list,
    "SQLAlchemyStore on SQLite": sql_stores.sqlite_store,
    "SQLAlchemyStore on PostgreSQL": sql_stores.postgresql_store,
    "SQLAlchemyStore on MariaDB": sql_stores.mariadb_store,
}
ON_SERVERS = {"SQLAlchemyStore on PostgreSQL": "postgresql", "SQLAlchemyStore on MariaDB": "mariadb"}


@pytest.mark.parametrize("clause", [one.id for one in CLAUSES.values() if one.level is not Level.MAY])
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_reference_store_keeps_the_clause(name: str, clause: str) -> None:
    """MUST and SHOULD alike; not applicable is only what takes a file, or an SDK that can revoke."""
    result = check_clause(clause, SUBJECTS[name](), Effort())

    in_memory = name != "SQLiteFileStore"
    missing = in_memory and takes_a_file(clause)
    missing = missing or (clause == "FLOW-8" and not abilities().revokes)
    expected = Outcome.NOT_APPLICABLE if missing else Outcome.KEPT
    assert expected == result.outcome, result.message()


@pytest.fixture(params=OPEN)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each of them, open and empty."""
    if request.param in ON_SERVERS:
        request.getfixturevalue(ON_SERVERS[request.param])
    opened = OPEN[request.param](tmp_path)
    yield opened
    if hasattr(opened, "close"):
        opened.close()


def test_deleting_an_unknown_id_is_silent(store: Any) -> None:
    """Nothing is raised, nothing removed."""
    id = save(store, ANN)

    assert store.delete_token("unknown") is None
    assert [ANN.but(id=id)] == rows(store)


def test_ids_are_decimal_text_and_never_given_again(store: Any) -> None:
    """Neither the ids of deleted rows, nor those that came with tokens, deleted since or not."""
    used = {save(store, ANN), save(store, BOB)}
    for id in used:
        store.delete_token(id)
    used |= {save(store, BOB), save(store, ACCESS.but(id="4")), save(store, REFRESH.but(id="6"))}
    assert len(used) == 5
    store.delete_tokens()
    given = {save(store, Row(access_token=f"later {number}")) for number in range(5)}
    assert all(id.isdecimal() and len(id) <= 10 for id in given)
    assert len(given) == 5
    assert not used & given


@pytest.mark.parametrize("name", OPEN)
def test_ids_do_not_begin_again_when_everything_is_lost(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whoever kept an id finds nobody under it: no two storages give the same ones [DEL-5]."""
    if name in ON_SERVERS:
        request.getfixturevalue(ON_SERVERS[name])
    given = []
    for place in ("before", "after"):
        tmp_path.joinpath(place).mkdir()
        store = OPEN[name](tmp_path / place)
        given.append({save(store, Row(access_token=f"{number}")) for number in range(5)})
        if hasattr(store, "close"):
            store.close()

    assert not given[0] & given[1]


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_id_that_chance_draws_again_is_not_given(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that of a row, nor that of one which is gone, nor one that came with a token."""
    numbers = iter([0, 0, 1, 2, 2, 3])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(numbers))
    store = OPEN[name](tmp_path)
    assert save(store, ANN) == "1000000000"
    store.delete_token("1000000000")
    assert save(store, ANN) == "1000000001"
    save(store, ACCESS.but(id="1000000002"))
    store.delete_tokens()
    assert save(store, ANN) == "1000000003"
    if hasattr(store, "close"):
        store.close()


@pytest.mark.parametrize("id", ["999999999999999999999", "9223372036854775807", "٣", "007", "-1", "1.0"])
def test_an_id_that_is_a_strange_number_does_no_harm(store: Any, id: str) -> None:
    """It is kept as text, and the next ids are like all others."""
    assert save(store, ANN.but(id=id)) == id

    bob = save(store, BOB)
    assert bob.isdecimal()
    assert len(bob) <= 10
    assert [id, bob] == [row.id for row in rows(store)]


def test_tokens_are_listed_in_the_order_of_insertion(store: Any) -> None:
    """Updates and brought ids change nothing about it."""
    for row in (BOB, ANN.but(id="zz"), GRANT.but(id="0"), ACCESS):
        save(store, row)
    save(store, BOB.but(access_token="new"))

    assert [row.user_name for row in rows(store)] == ["bob", "ann", None, None]


def test_an_access_token_with_client_credentials_matches_at_last(store: Any) -> None:
    """It matches whoever holds it when nothing else identifies the token, and otherwise nobody."""
    id = save(store, ANN)
    save(store, REFRESH)
    with_client = Row(**OTHER_CLIENT, access_token=ANN.access_token)

    assert find(store, with_client) == with_client.filled_from(ANN.but(id=id))
    assert save(store, with_client) == id
    assert find(store, with_client.but(refresh_token="unknown")) is None
    assert find(store, with_client.but(id="unknown")) is None
    assert find(store, with_client.but(client_secret=None)) is None


def test_a_refresh_token_without_client_credentials_does_not_match(store: Any) -> None:
    """Nor does it with half of them; saved, it is a row of its own."""
    save(store, REFRESH)

    for row in (REFRESH.only("refresh_token"), REFRESH.only("refresh_token", "client_id")):
        assert find(store, row) is None
        save(store, row)
    assert len(rows(store)) == 3


def test_finding_under_other_client_credentials_finds_nothing(store: Any) -> None:
    """Another application's token is another token."""
    save(store, GRANT)
    save(store, REFRESH)

    assert find(store, GRANT.but(**OTHER_CLIENT)) is None
    assert find(store, REFRESH.but(client_secret="another")) is None


def test_what_is_no_token_is_not_found_and_not_saved(store: Any) -> None:
    """Looked for, it is None; saved, it is refused."""
    for thing in (None, "access", 1, ["access"]):
        assert store.find_token(thing) is None
        with pytest.raises(SDKException, match="only an OAuthToken"):
            store.save_token(thing)


def test_a_field_that_is_not_text_is_refused(store: Any) -> None:
    """What would come back as something else is not taken; looking for it finds nothing."""
    save(store, Row(access_token="42"))

    tokens = [to_token(row) for row in (Row(access_token=42), ANN.but(redirect_url=b"bytes"), ANN)]
    tokens[-1].set_expires_in(1900000000000)

    for token in tokens:
        with pytest.raises(SDKException, match="every field of a token is text"):
            store.save_token(token)
    assert find(store, Row(access_token=42)) is None
    assert find(store, Row(id=1)) is None
    assert len(rows(store)) == 1


@pytest.mark.parametrize("id", [None, 1, 1.0, b"1", ("1",), True])
def test_an_id_that_is_not_text_is_unknown(store: Any, id: Any) -> None:
    """Its digits are not read."""
    save(store, ANN.but(id="1"))

    assert store.find_token_by_id(id) is None
    assert store.delete_token(id) is None
    assert len(rows(store)) == 1


def test_the_key_outranks_the_id(store: Any) -> None:
    """The row of the key is found and updated, that of the id is left alone."""
    ann, bob, grant, access = (save(store, row) for row in (ANN, BOB, GRANT, ACCESS))
    before = {row.id: row for row in rows(store)}

    for sent, key, id in (
        (Row(user_name="ann", access_token="new"), ann, bob),
        (Row(user_name="bob", access_token="new"), bob, grant),
        (GRANT.but(access_token="exchanged"), grant, ann),
        (ACCESS.but(redirect_url="new"), access, grant),
    ):
        assert find(store, sent.but(id=id)) == sent.filled_from(before[key])
        assert save(store, sent.but(id=id)) == key
        before[key] = before[key].updated_by(sent)
        assert list(before.values()) == rows(store)


def test_an_unnamed_token_updates_the_row_of_its_id_if_that_has_no_name(store: Any) -> None:
    """Under the id of a user it is refused: it may be anybody's."""
    ann, grant = save(store, ANN), save(store, GRANT)

    assert save(store, Row(id=grant, access_token="exchanged")) == grant
    with pytest.raises(SDKException, match="whom this token does not name"):
        store.save_token(to_token(Row(id=ann, access_token="anybody's")))
    assert [ANN.but(id=ann), GRANT.but(id=grant, access_token="exchanged")] == rows(store)


def test_a_stored_id_without_credential_updates_its_row(store: Any) -> None:
    """A user's row too."""
    ann, grant = save(store, ANN), save(store, GRANT)

    for id in (ann, grant):
        assert save(store, Row(id=id, redirect_url="new")) == id
    assert [row.redirect_url for row in rows(store)] == ["new", "new"]


def test_an_unknown_grant_token_leaves_the_refresh_token_to_match(store: Any) -> None:
    """A user who signs in again with a new code keeps the row."""
    id = save(store, REFRESH)

    assert save(store, REFRESH.but(grant_token="new code")) == id
    assert find(store, REFRESH.but(grant_token="another new code")) == REFRESH.but(
        id=id, grant_token="another new code"
    )


def test_of_several_rows_with_a_token_the_oldest_is_meant(store: Any) -> None:
    """Named users may share grant and refresh tokens, and tokens saved without a name meet them."""
    for name, shared in (("grant_token", GRANT), ("refresh_token", REFRESH)):
        first = save(store, shared.but(user_name=f"first {name}"))
        save(store, shared.but(user_name=f"second {name}"))

        found = find(store, shared)
        assert found is not None
        assert found.id == first
        assert save(store, shared.but(redirect_url="new")) == first


def test_an_access_token_with_half_of_the_client_credentials_is_inserted(store: Any) -> None:
    """And so is a token with nothing at all; neither is found."""
    half = Row(client_id="client", access_token="access")
    nothing = Row(redirect_url="https://example.com")
    save(store, ACCESS)

    for row in (half, nothing, Row()):
        assert find(store, row) is None
        save(store, row)
        assert find(store, row) is None
    assert len(rows(store)) == 4


def test_a_new_user_who_has_a_row_already_gets_no_second_one(store: Any) -> None:
    """The user's row is updated, the unnamed one with the same refresh token left alone."""
    ann, unnamed = save(store, ANN), save(store, REFRESH)
    sent = REFRESH.but(user_name="ann", access_token="new")

    assert save(store, sent) == ann
    assert [ANN.but(id=ann).updated_by(sent), REFRESH.but(id=unnamed)] == rows(store)


def test_a_new_user_takes_the_row_of_the_grant_token_before_that_of_the_refresh_token(store: Any) -> None:
    """Where they are two unnamed rows."""
    refresh, grant = save(store, REFRESH), save(store, GRANT)
    sent = Row(user_name="ann", **CLIENT, grant_token="grant", refresh_token="refresh")

    assert save(store, sent) == grant
    assert [REFRESH.but(id=refresh), sent.but(id=grant)] == rows(store)


def test_a_new_user_under_another_users_id_gets_a_row_of_their_own(store: Any) -> None:
    """With an id of its own, which the token then carries."""
    ann = save(store, ANN)
    bob = save(store, BOB.but(id=ann))

    assert bob != ann
    assert [ANN.but(id=ann), BOB.but(id=bob)] == rows(store)


def test_a_name_learned_later_goes_to_the_row_of_the_same_login(store: Any) -> None:
    """By the token's id, or by its grant or refresh token under the same client."""
    for sent, learned in (
        (ACCESS, Row(access_token="renewed")),
        (GRANT, GRANT),
        (REFRESH, REFRESH),
    ):
        id = save(store, sent)
        own = learned.but(id=id) if learned.client_id is None else learned
        assert save(store, own.but(user_name=f"user {id}")) == id
    assert [row.user_name for row in rows(store)] == [f"user {row.id}" for row in rows(store)]
    assert len(rows(store)) == 3


def test_a_failed_save_leaves_the_token_as_it_was(store: Any) -> None:
    """So that its next save is not one under a wrong id."""
    sent = Row(user_name="stranger")
    token = to_token(sent)
    with pytest.raises(SDKException, match="TOKEN_STORE"):
        store.save_token(token)

    assert sent == to_row(token)


def test_two_transient_stores_share_nothing(tmp_path: Path) -> None:
    """Not even on one location."""
    for open_store in (open_memory, open_list):
        one, other = open_store(tmp_path), open_store(tmp_path)
        save(one, ANN)

        assert rows(other) == []
