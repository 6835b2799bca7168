"""The reference model: what it decides, what it leaves open, which answers it accepts."""

from __future__ import annotations

import pytest

from zoho_tokenstore_contract._spec.model import Call, Observation, decided, expectation, state_of, successors
from zoho_tokenstore_contract._spec.tokens import Row

CLIENT = {"client_id": "c", "client_secret": "s"}
ANN = Row(id="1", user_name="ann", **CLIENT, refresh_token="ra", access_token="aa")
BOB = Row(id="2", user_name="bob", **CLIENT, refresh_token="rb", access_token="ab", grant_token="gb")
LONE = Row(id="3", access_token="al")
NIGHT = Row(id="4", **CLIENT, refresh_token="rn")
CODE = Row(id="5", **CLIENT, grant_token="gc")
STATE = state_of([ANN, BOB, LONE, NIGHT, CODE])
RETURNED_NONE = Observation("returned")
REFUSED = Observation("refused")
RAISED = Observation("raised")


def save(row: Row) -> Call:
    return Call("save_token", row)


def find(row: Row) -> Call:
    return Call("find_token", row)


def saved(row: Row) -> Observation:
    """The reply to a save that left the passed token like this."""
    return Observation("returned", None, row)


OPEN = [
    pytest.param(save(Row(**CLIENT, access_token="aa")), id="access token with client, stored"),
    pytest.param(find(Row(**CLIENT, access_token="aa")), id="finding an access token with client, stored"),
    pytest.param(find(Row(refresh_token="ra")), id="refresh token without client"),
    pytest.param(save(Row(id="2", **CLIENT, refresh_token="rn")), id="key of one row, id of another"),
    pytest.param(save(Row(id="4", user_name="ann", access_token="x")), id="known user, unnamed row's id"),
    pytest.param(save(Row(id="3", access_token="x")), id="stored id, key that matches nothing"),
    pytest.param(save(Row(id="3", redirect_url="u")), id="stored id, no credential"),
    pytest.param(save(Row(**CLIENT, grant_token="new", refresh_token="rn")), id="new grant, stored refresh"),
    pytest.param(find(Row(**CLIENT, grant_token="new", refresh_token="rn")), id="finding the same"),
    pytest.param(find(Row(client_id="c", client_secret="x", refresh_token="rn")), id="other client"),
    pytest.param(find(Row(client_id="c", access_token="aa")), id="half a client"),
    pytest.param(save(Row()), id="nothing"),
    pytest.param(find(Row()), id="finding nothing"),
    pytest.param(find(Row(id="1", user_name="bob")), id="finding by user under another id"),
    pytest.param(save(Row(user_name="ANN ", access_token="x")), id="SHOULD: names by exact text"),
    pytest.param(save(Row(user_name="new", **CLIENT, refresh_token="rn")), id="SHOULD: SAVE-15"),
    pytest.param(save(Row(**CLIENT, grant_token="gc", refresh_token="rn")), id="SHOULD: SAVE-9"),
    pytest.param(save(Row(client_id="c", client_secret="x", refresh_token="rn")), id="SHOULD: SAVE-10"),
    pytest.param(Call("find_token_by_id", None), id="an id that is no text"),
]


@pytest.mark.parametrize("operation", OPEN)
def test_what_the_contract_leaves_open_is_not_decided(operation: Call) -> None:
    """Nothing is compared there, and asking for successors is a mistake of the kit."""
    assert not decided(STATE, operation)
    with pytest.raises(ValueError, match="leaves it open"):
        successors(STATE, operation, RETURNED_NONE)


UPDATES = [
    pytest.param(Row(user_name="ann", access_token="new"), ANN, id="by user"),
    pytest.param(Row(user_name="ann", refresh_token="rb"), ANN, id="by user, another's refresh token"),
    pytest.param(Row(id="1", user_name="ann", access_token="new"), ANN, id="by user and id"),
    pytest.param(Row(access_token="ab", expires_in="5"), BOB, id="by access token"),
    pytest.param(Row(**CLIENT, grant_token="gb", access_token="new"), BOB, id="by grant token"),
    pytest.param(Row(**CLIENT, refresh_token="rn", access_token="new"), NIGHT, id="by refresh token"),
    pytest.param(Row(id="4", user_name="eve", **CLIENT, refresh_token="rn"), NIGHT, id="a name learnt"),
]


@pytest.mark.parametrize(("sent", "row"), UPDATES)
def test_an_update_changes_its_row_alone(sent: Row, row: Row) -> None:
    """The token carries the row's id afterwards; any other answer is wrong."""
    left = sent.but(id=row.id)
    rest = [other for other in STATE if other.id != row.id]

    assert (state_of([*rest, row.updated_by(sent)]),) == successors(STATE, save(sent), saved(left))
    assert () == successors(STATE, save(sent), saved(left.but(id="99")))
    assert () == successors(STATE, save(sent), saved(left.but(api_domain="invented")))
    assert () == successors(STATE, save(sent), Observation("returned", 1, left))
    assert () == successors(STATE, save(sent), REFUSED)
    assert () == successors(STATE, save(sent), RAISED)


def test_an_update_may_fill_in_the_passed_token_but_not_change_it() -> None:
    """SAVE-17: what was absent may come from the row, what was there stays."""
    sent = Row(user_name="ann", access_token="new")

    assert 1 == len(successors(STATE, save(sent), saved(sent.filled_from(ANN))))
    assert () == successors(STATE, save(sent), saved(sent.filled_from(ANN).but(access_token="aa")))


INSERTS = [
    pytest.param(Row(user_name="eve", **CLIENT, refresh_token="ra"), id="a user who shares a token"),
    pytest.param(Row(access_token="AA"), id="an access token that differs in case"),
    pytest.param(Row(**CLIENT, access_token="new"), id="an access token with client"),
    pytest.param(Row(**CLIENT, grant_token="new"), id="a grant token"),
]


@pytest.mark.parametrize("sent", INSERTS)
def test_an_insert_takes_a_new_id(sent: Row) -> None:
    """The id is the store's to choose, as long as no row has it."""
    assert (state_of([*STATE, sent.but(id="77")]),) == successors(STATE, save(sent), saved(sent.but(id="77")))
    assert () == successors(STATE, save(sent), saved(sent.but(id="1")))
    assert () == successors(STATE, save(sent), saved(sent))
    assert () == successors(STATE, save(sent), saved(sent.but(id=77)))
    assert () == successors(STATE, save(sent), REFUSED)


def test_a_brought_id_is_kept_or_refused() -> None:
    """SAVE-3."""
    sent = Row(id="x", access_token="new")

    assert (state_of([*STATE, sent]),) == successors(STATE, save(sent), saved(sent))
    assert () == successors(STATE, save(sent), saved(sent.but(id="6")))
    assert (STATE,) == successors(STATE, save(sent), REFUSED)


def test_another_users_id_is_refused_or_left_to_its_row() -> None:
    """SAVE-11, for a user who has a row and for one who has none."""
    known, new = (
        Row(id="1", user_name="bob", access_token="x"),
        Row(id="1", user_name="eve", access_token="x"),
    )

    assert (STATE,) == successors(STATE, save(known), REFUSED)
    assert 1 == len(successors(STATE, save(known), saved(known.but(id="2"))))
    assert (STATE,) == successors(STATE, save(new), REFUSED)
    assert 1 == len(successors(STATE, save(new), saved(new.but(id="6"))))
    assert () == successors(STATE, save(new), saved(new))


def test_a_token_without_a_credential_is_refused() -> None:
    """SAVE-16."""
    for sent in (Row(user_name="eve"), Row(id="x"), Row(id="1", user_name="eve")):
        assert (STATE,) == successors(STATE, save(sent), REFUSED)
        assert () == successors(STATE, save(sent), saved(sent.but(id="6")))
        assert () == successors(STATE, save(sent), RAISED)


@pytest.mark.parametrize(
    ("sent", "row"),
    [
        (Row(user_name="ann"), ANN),
        (Row(user_name="ann", access_token="ab", redirect_url="mine"), ANN),
        (Row(access_token="ab"), BOB),
        (Row(**CLIENT, grant_token="gc"), CODE),
        (Row(**CLIENT, refresh_token="rn"), NIGHT),
        (Row(id="3"), LONE),
    ],
)
def test_a_hit_is_complete_and_fills_in_the_passed_token(sent: Row, row: Row) -> None:
    """FIND-9 and FIND-10: own fields stay, the others and the id are the row's."""
    whole = sent.filled_from(row)

    assert (STATE,) == successors(STATE, find(sent), Observation("returned", whole, whole))
    assert () == successors(STATE, find(sent), Observation("returned", whole, sent))
    assert () == successors(STATE, find(sent), Observation("returned", whole.but(client_id="x"), whole))
    assert () == successors(STATE, find(sent), Observation("returned", None, sent))
    assert () == successors(STATE, find(sent), REFUSED)


@pytest.mark.parametrize(
    "sent",
    [
        Row(user_name="eve"),
        Row(user_name="eve", access_token="ab"),
        Row(id="1", user_name="eve"),
        Row(access_token="new"),
        Row(**CLIENT, access_token="new"),
        Row(**CLIENT, grant_token="new"),
        Row(id="x"),
    ],
)
def test_a_miss_is_none(sent: Row) -> None:
    """FIND-6 to FIND-8."""
    assert (STATE,) == successors(STATE, find(sent), Observation("returned", None, sent))
    assert () == successors(STATE, find(sent), Observation("returned", ANN, ANN))
    assert () == successors(STATE, find(sent), REFUSED)


def test_two_rows_that_share_a_token_are_left_open_without_a_name() -> None:
    """Which one is meant differs between stores."""
    state = state_of([ANN, BOB.but(access_token="aa")])

    assert not decided(state, find(Row(access_token="aa")))
    assert decided(state, find(Row(user_name="bob", access_token="aa")))


def test_deleting() -> None:
    """DEL-1 and DEL-2: the row goes, an unknown id is silence or a refusal."""
    known, unknown = Call("delete_token", "1"), Call("delete_token", "01")

    assert (state_of([BOB, LONE, NIGHT, CODE]),) == successors(STATE, known, RETURNED_NONE)
    assert () == successors(STATE, known, REFUSED)
    assert (STATE,) == successors(STATE, unknown, RETURNED_NONE) == successors(STATE, unknown, REFUSED)
    assert () == successors(STATE, unknown, RAISED)
    assert ((),) == successors(STATE, Call("delete_tokens"), RETURNED_NONE)
    assert () == successors(STATE, Call("delete_tokens"), REFUSED)


def test_listing_and_finding_by_id() -> None:
    """LIST-1, BYID-1 and BYID-2: all rows in any order, one row, or none."""
    listing, known, unknown = (
        Call("get_tokens"),
        Call("find_token_by_id", "1"),
        Call("find_token_by_id", "01"),
    )

    assert (STATE,) == successors(STATE, listing, Observation("returned", STATE[::-1]))
    assert () == successors(STATE, listing, Observation("returned", STATE[1:]))
    assert () == successors(STATE, listing, Observation("returned", (*STATE, ANN)))
    assert () == successors(STATE, listing, REFUSED)
    assert (STATE,) == successors(STATE, known, Observation("returned", ANN))
    assert (
        ()
        == successors(STATE, known, Observation("returned", BOB))
        == successors(STATE, known, RETURNED_NONE)
    )
    assert (STATE,) == successors(STATE, unknown, RETURNED_NONE)
    assert (
        () == successors(STATE, unknown, Observation("returned", ANN)) == successors(STATE, unknown, REFUSED)
    )


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (save(Row(user_name="ann", access_token="x")), "updates the row '1'"),
        (save(Row(access_token="x")), "inserts one row"),
        (save(Row(id="x", access_token="x")), "or fails cleanly"),
        (save(Row(user_name="eve")), "fails cleanly"),
        (find(Row(user_name="ann")), "finds Row(id='1'"),
        (find(Row(user_name="eve")), "returns None"),
        (Call("find_token_by_id", "1"), "finds Row(id='1'"),
        (Call("find_token_by_id", "x"), "returns None"),
        (Call("delete_token", "1"), "removes that row"),
        (Call("delete_token", "x"), "removes nothing"),
        (Call("delete_tokens"), "removes every row"),
        (Call("get_tokens"), "the 5 stored rows"),
    ],
)
def test_the_expectation_in_words(operation: Call, says: str) -> None:
    """Messages say what a conforming store would have answered."""
    assert says in expectation(STATE, operation)
