"""VALUE-10: an empty text counts as absent, wherever it is saved, looked for or read.

Each check first sees that the same works with ``None`` in place of the empty text: what a store does not do
at all is another clause's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..._harness.calls import TokenCall
from ..._harness.row_acts import (
    PLAIN_FIELDS,
    carries_the_id,
    inserts,
    is_refused,
    require,
    same_fields,
    updates,
)
from ..._harness.workspace import Workspace, precondition
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, is_token, to_row
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    DAN,
    GRANT,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WITH_CLIENT,
    key_of,
)

NO_CREDENTIAL = dict.fromkeys(("grant_token", "refresh_token", "access_token"), "")
ADDRESSED = (ANN, ACCESS, GRANT, REFRESH, DAN, LATE_GRANT, LATE_REFRESH, GUS)
"""Rows of the crowd, each of which its key alone addresses."""


def _with_blanks(key: Row) -> Iterator[Row]:
    """A key beside empty texts: in all other fields, and in each by itself."""
    lacks = [name for name in FIELDS if absent(getattr(key, name))]
    yield key.but(**dict.fromkeys(lacks, ""))
    yield from (key.but(**{name: ""}) for name in lacks)


# saving


@check("VALUE-10")
def an_empty_id_is_no_id_of_a_new_row(workspace: Workspace) -> None:
    store = workspace.holding(BOB, GRANT)
    passed = [store.save(row.but(id="")) for row in (ANN, ACCESS, REFRESH)]
    for saved, row in zip(passed, store.showing(passed), strict=True):
        if not isinstance(row.id, str) or not row.id:
            workspace.fail("the new row has a non-empty str as its id", format_row(row))
        carries_the_id(store, saved, row)


@check("VALUE-10")
def an_empty_text_hinders_no_key_and_replaces_nothing_when_it_is_saved(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(ADDRESSED):
        key = key_of(row)
        plain = key.but(expires_in=f"190000000020{number}")
        works = "the stored row is updated in place where nothing is empty"
        precondition(partial(updates, store, row, plain, works))
        for turn, sent in enumerate(workspace.sut.pace.in_turn([*_with_blanks(key)], number)):
            blank = sent if sent.expires_in == "" else sent.but(expires_in=f"19000000030{number}{turn:02d}")
            because = f"after saving {format_row(blank)}, its fields replaced and the others kept"
            saved = updates(store, row, blank, because)
            if blank.id == "":
                carries_the_id(store, saved, store.stored(row))


@check("VALUE-10")
def an_access_token_with_client_credentials_is_new_also_beside_empty_texts(workspace: Workspace) -> None:
    store = workspace.holding(ANN, REFRESH, WITH_CLIENT)
    for turn, sent in enumerate(_with_blanks(WITH_CLIENT.only("client_id", "client_secret", "access_token"))):
        row = sent.but(access_token=f"1000.client.access.{turn}")
        new = inserts(store, row)
        if new.access_token != row.access_token:
            workspace.fail(f"the new row holds {format_row(row)}", format_row(new))


@check("VALUE-10")
def an_empty_credential_is_none(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    for plain in (Row(user_name="stranger@example.com:77"), Row(id="unknown")):
        refused = store.try_save(plain).answer.refused
        require(workspace, refused, "a token without credential and row is refused", format_row(plain))
        for blank in (NO_CREDENTIAL, *({name: ""} for name in NO_CREDENTIAL)):
            is_refused(store, store.try_save(plain.but(**blank)), ": no credential came")


# looking for


@check("VALUE-10")
def an_empty_text_hinders_no_key_and_is_filled_in_when_it_is_looked_for(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for turn, row in enumerate((*ADDRESSED, WITH_CLIENT)):
        stored = store.stored(row)
        for key in (Row(id=stored.id), key_of(row))[: 1 if row == WITH_CLIENT else 2]:
            if not _is_hit(store.find(key), stored):
                continue  # no way to find it: FIND-1 to FIND-5 say so
            for sent in workspace.sut.pace.in_turn([*_with_blanks(key)], turn):
                _is_found(workspace, store.find(sent), stored)
    found = any(call.returned is not None for call in workspace.calls if call.method == "find_token")
    require(workspace, found, "a stored token is found", "none is")
    store.expect(because="finding changes nothing stored")


def _is_hit(passed: TokenCall, stored: Row) -> bool:
    return is_token(passed.answer.returned) and to_row(passed.answer.returned).id == stored.id


def _is_found(workspace: Workspace, passed: TokenCall, stored: Row) -> None:
    if not is_token(passed.answer.returned):
        workspace.fail(f"find_token finds {format_row(stored)}", f"it {passed.answer}")
    wanted = passed.sent.filled_from(stored)
    names = ["id", *(name for name in FIELDS if getattr(passed.sent, name) == "")]
    same_fields(workspace, "the returned token", to_row(passed.answer.returned), wanted, names)
    same_fields(workspace, "the passed token", passed.passed_after, wanted, names)


@check("VALUE-10")
def an_empty_id_finds_and_removes_nothing(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    answer = store.call("find_token_by_id", "")
    if answer.returned is not None:
        workspace.fail("find_token_by_id of an empty text finds nothing", str(answer))
    store.call("delete_token", "")
    store.expect(because="an empty text is nobody's id: nothing is removed")


# reading


@check("VALUE-10")
def an_empty_text_comes_back_as_none(workspace: Workspace) -> None:
    fields = [name for name in FIELDS if name not in ("id", "user_name")]
    rows = [ANN.but(user_name=f"less.{name}@example.com:77", **{name: ""}) for name in fields]
    plain = dict.fromkeys(("user_name", *PLAIN_FIELDS), "")
    for row in (ACCESS, GRANT, REFRESH):
        key = key_of(row)
        rows.append(
            key.but(**plain, **{name: f"1000.blank.{name}" for name in key.present() if "_token" in name})
        )
    store = workspace.open()
    for row, one in zip(rows, store.holding(*rows), strict=True):
        answers = {
            "find_token_by_id": store.call("find_token_by_id", one.id),
            "find_token": store.find(key_of(Row(**row.present()))).answer,
        }
        seen = {way: to_row(told.returned) for way, told in answers.items() if is_token(told.returned)}
        for way, read in {"get_tokens": one, **seen}.items():
            for name in FIELDS:
                if getattr(row, name) == "" and getattr(read, name) is not None:
                    workspace.fail(
                        f"{name} of {format_row(row)} comes back as None",
                        f"from {way} it is {format_value(getattr(read, name))}",
                    )
