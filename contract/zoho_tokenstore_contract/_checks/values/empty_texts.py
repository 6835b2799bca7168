"""VALUE-10: an empty text counts as absent, wherever it is saved, looked for or read.

Each check first sees that the same works with ``None`` in place of the empty text: what a store does not do
at all is another clause's.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, is_token, to_row
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
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


def _beside(key: Row, *names: str) -> Row:
    """A token with this key and an empty text in each of the named fields that it lacks."""
    return key.but(**{name: "" for name in names if absent(getattr(key, name))})


def _with_blanks(key: Row) -> Iterator[Row]:
    """A key beside empty texts: in all other fields, and in each by itself."""
    yield _beside(key, *FIELDS)
    yield from (_beside(key, name) for name in FIELDS if absent(getattr(key, name)))


# saving


@check("VALUE-10")
def an_empty_id_is_no_id_of_a_new_row(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(BOB, GRANT)
    passed = [store.save(row.but(id="")) for row in (ANN, ACCESS, REFRESH)]
    for saved, row in zip(passed, store.showing(passed), strict=True):
        if not isinstance(row.id, str) or not row.id:
            workspace.fail("the new row has a non-empty str as its id", format_row(row))
        if saved.passed_after.id != row.id:
            workspace.fail(
                f"the passed token carries the id of its row, {format_value(row.id)}",
                f"its id is {format_value(saved.passed_after.id)}",
            )


@check("VALUE-10")
def an_empty_text_hinders_no_key_and_replaces_nothing_when_it_is_saved(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(ADDRESSED):
        key = key_of(row)
        place = ONE_OF_EVERY_KIND.index(row)
        plain = key.but(expires_in=f"190000000020{number}")
        store.save(plain)
        rows = store.rows()
        old = before[place]
        if old.updated_by(plain) not in rows or len(rows) != len(before):
            workspace.fail(
                "the stored row is updated in place where nothing is empty",
                format_row(plain),
                precondition_failed=True,
            )
        before[place] = old.updated_by(plain)
        for turn, sent in enumerate(workspace.sut.pace.in_turn([*_with_blanks(key)], number)):
            blank = sent if sent.expires_in == "" else sent.but(expires_in=f"19000000030{number}{turn:02d}")
            wanted = before[place].updated_by(blank)
            saved = store.save(blank)
            store.expect(
                before,
                changed=[(before[place], wanted)],
                because=f"after saving {format_row(blank)}, its fields replaced and the others kept",
            )
            before[place] = next(one for one in store.kept if one.id == before[place].id)
            _carries(workspace, saved, before[place].id)


def _carries(workspace: Workspace, saved: TokenCall, id: object) -> None:
    if saved.sent.id == "" and saved.passed_after.id != id:
        workspace.fail(
            f"the passed token carries the id of its row, {format_value(id)}",
            f"its id is {format_value(saved.passed_after.id)}",
        )


@check("VALUE-10")
def an_access_token_with_client_credentials_is_new_also_beside_empty_texts(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, REFRESH, WITH_CLIENT)
    for turn, sent in enumerate(_with_blanks(WITH_CLIENT.only("client_id", "client_secret", "access_token"))):
        row = sent.but(access_token=f"1000.client.access.{turn}")
        store.save(row)
        new = store.expect(before, new=1, because=f"one new row for {format_row(row)}")
        if new[0].access_token != row.access_token:
            workspace.fail(f"the new row holds {format_row(row)}", format_row(new[0]))
        before += new


@check("VALUE-10")
def an_empty_credential_is_none(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY)
    for plain in (Row(user_name="stranger@example.com:77"), Row(id="unknown")):
        if not store.try_save(plain).answer.refused:
            workspace.fail(
                "a token without credential and row is refused", format_row(plain), precondition_failed=True
            )
        for blank in (NO_CREDENTIAL, *({name: ""} for name in NO_CREDENTIAL)):
            saved = store.try_save(plain.but(**blank))
            if not saved.answer.refused:
                workspace.fail("save_token raises SDKException: no credential came", str(saved.answer))
            store.expect(before, because="a save that fails leaves the rows exactly as they were")


# looking for


@check("VALUE-10")
def an_empty_text_hinders_no_key_and_is_filled_in_when_it_is_looked_for(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for turn, row in enumerate((*ADDRESSED, WITH_CLIENT)):
        stored = before[ONE_OF_EVERY_KIND.index(row)]
        keys = [Row(id=stored.id)] + ([] if row == WITH_CLIENT else [key_of(row)])
        for key in keys:
            if not _is_hit(store.find(key), stored):
                continue  # no way to find it: FIND-1 to FIND-5 say so
            for sent in workspace.sut.pace.in_turn([*_with_blanks(key)], turn):
                _finds(store, sent, stored)
    if all(call.returned is None for call in workspace.calls if call.method == "find_token"):
        workspace.fail("a stored token is found", "none is", precondition_failed=True)
    store.expect(before, because="finding changes nothing stored")


def _is_hit(passed: TokenCall, stored: Row) -> bool:
    return is_token(passed.answer.returned) and to_row(passed.answer.returned).id == stored.id


def _finds(store: StoreHandle, sent: Row, stored: Row) -> None:
    passed = store.find(sent)
    if not is_token(passed.answer.returned):
        store.workspace.fail(f"find_token finds {format_row(stored)}", f"it {passed.answer}")
    wanted = sent.filled_from(stored)
    for what, seen in (
        ("the returned token", to_row(passed.answer.returned)),
        ("the passed token", passed.passed_after),
    ):
        for name in FIELDS:
            if getattr(seen, name) != getattr(wanted, name) and (getattr(sent, name) == "" or name == "id"):
                store.workspace.fail(
                    f"{what} with {name}={format_value(getattr(wanted, name))}, as {format_row(wanted)}",
                    f"its {name} is {format_value(getattr(seen, name))}: {format_row(seen)}",
                )


@check("VALUE-10")
def an_empty_id_finds_and_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY)
    answer = store.call("find_token_by_id", "")
    if answer.returned is not None:
        workspace.fail("find_token_by_id of an empty text finds nothing", str(answer))
    store.call("delete_token", "")
    store.expect(before, because="an empty text is nobody's id: nothing is removed")


# reading


@check("VALUE-10")
def an_empty_text_comes_back_as_none(workspace: Workspace) -> None:
    store = workspace.open()
    fields = [name for name in FIELDS if name not in ("id", "user_name")]
    rows = [ANN.but(user_name=f"less.{name}@example.com:77", **{name: ""}) for name in fields]
    plain = dict.fromkeys(("redirect_url", "api_domain", "expires_in"), "")
    rows += [
        Row(user_name="", access_token="1000.blank.access", **plain),
        Row(user_name="", **CLIENT, grant_token="1000.blank.grant", **plain),
        Row(user_name="", **CLIENT, refresh_token="1000.blank.refresh", **plain),
    ]
    stored = store.holding(*rows)
    shown = 0
    for row, one in zip(rows, stored, strict=True):
        answers = {
            "find_token_by_id": store.call("find_token_by_id", one.id),
            "find_token": store.find(key_of(Row(**row.present()))).answer,
        }
        seen = {"get_tokens": one}
        seen.update({way: to_row(told.returned) for way, told in answers.items() if is_token(told.returned)})
        for way, read in seen.items():
            shown += 1
            for name in FIELDS:
                if getattr(row, name) == "" and getattr(read, name) is not None:
                    workspace.fail(
                        f"{name} of {format_row(row)} comes back as None",
                        f"from {way} it is {format_value(getattr(read, name))}",
                    )
    if not shown:
        workspace.fail("a stored row is read", "none is", precondition_failed=True)
