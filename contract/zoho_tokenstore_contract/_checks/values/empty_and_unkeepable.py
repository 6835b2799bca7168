"""VALUE-9, VALUE-10: what a store cannot keep fails cleanly, and an empty text counts as absent.

Each check of VALUE-10 first sees that the same works with ``None`` in place of the empty text: what a store
does not do at all is another clause's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ..._harness.calls import Answer, TokenCall
from ..._harness.row_acts import (
    PLAIN_FIELDS,
    bring_rows,
    carries_the_id,
    demand,
    inserts,
    is_refused,
    reads_after_opening_again,
    removes_nothing,
    require,
    same_fields,
    updates,
    was_updated,
)
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace, precondition
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, is_token, to_row
from ..registry import Case, check, check_each
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
    guests,
    key_of,
    person,
)
from .round_trip import BY_ID, FIND, KINDS, TEXTS, unnamed

# VALUE-9


@dataclass(frozen=True)
class Unkeepable(Case):
    """Texts that a storage may be unable to keep.

    Attributes:
        texts: The texts.
    """

    texts: Sequence[str]


ODD = (
    Unkeepable("VALUE-9", "nul in a new row is kept or fails cleanly", ("a\0b", "\0", "ab\0")),
    Unkeepable("VALUE-9", "a lone surrogate in a new row is kept or fails cleanly", ("a\ud800b", "\udc80")),
    Unkeepable("VALUE-9", "a long text in a new row is kept or fails cleanly",
               ("x" * 4095 + "y", "😀" * 4096, "x" * 199_999 + "y", "é,\r\n" * 50_000)),
)  # fmt: skip
UNKEEPABLE = tuple(text for case in ODD for text in case.texts)


@check_each(ODD)
def _kept_in_new_rows_or_refused(workspace: Workspace, case: Unkeepable) -> None:
    in_turn = workspace.sut.pace.in_turn
    for turn, (store, text) in enumerate(workspace.each(case.texts)):
        store.holding(ANN, ACCESS, REFRESH, BOB)
        for place, name in in_turn([*enumerate(TEXTS)], turn):
            _kept_or_refused(store, person(f"odd{place}").but(**{name: text}), name)
        for kind in in_turn(KINDS[1:], turn):
            _kept_or_refused(store, unnamed(kind, text + "2"), kind)
        _all_still_read(store)


@check("VALUE-9")
def an_id_that_cannot_be_kept_fails_cleanly(workspace: Workspace) -> None:
    brings = bring_rows(workspace.holding(ANN), guests("odd-1"))  # else SAVE-3 tells it
    workspace.fresh_examples()
    for store, text in workspace.each(UNKEEPABLE if active().gives_ids and brings else ()):
        store.holding(ANN, ACCESS, REFRESH, BOB)
        _kept_or_refused(store, person("odd", id=text), "id")
        # Whether other tokens can be saved beside such an id is the matter of SAVE-3.
        reads_after_opening_again(store, READS)


@check("VALUE-9")
def what_cannot_be_kept_in_an_update_fails_cleanly(workspace: Workspace) -> None:
    for turn, (store, text) in enumerate(workspace.each(UNKEEPABLE)):
        store.holding(ANN, ACCESS, BOB)
        plain = Row(user_name=BOB.user_name, expires_in="1900000000444")
        store.save(plain)
        if not was_updated(store, BOB, plain):
            return  # SAVE-4 or SAVE-13 tells it
        for name in workspace.sut.pace.in_turn(TEXTS[1:], turn):
            bob = store.stored(BOB)
            saved = store.try_save(Row(user_name=BOB.user_name).but(**{name: text}))
            if _failed_cleanly(store, saved, name):
                continue
            # Whether an update arrives at all is the matter of SAVE-4.
            value = next((getattr(row, name) for row in store.rows() if row.user_name == bob.user_name), None)
            _is_kept(store, name, text, value, value in (text, getattr(bob, name)))
            changed = [(bob, bob.but(**{name: value}))]
            store.expect(changed=changed, because="every other field and row stays as it was")
        _all_still_read(store)


@check("VALUE-9")
def looking_for_what_cannot_be_kept_finds_nothing(workspace: Workspace) -> None:
    def lookups(text: str) -> list[Row]:
        refresh = unnamed("refresh_token", "1000.nightly.refresh", (text, text))
        unknown = [key_of(unnamed(kind, text)) for kind in KINDS[1:]]
        return [Row(user_name=text), Row(id=text), *unknown, key_of(refresh)]

    for turn, (store, text) in enumerate(workspace.each(UNKEEPABLE)):
        store.holding(*ONE_OF_EACH_KEY)
        pairs = [*zip(lookups("unknown"), lookups(text), strict=True)]
        for plain, sent in workspace.sut.pace.in_turn(pairs, turn):
            # Where an unknown text finds a row anyhow, or raises, that is the matter of FIND.
            if _is_nothing(store.find_quietly(plain)):
                _finds_nothing(store, store.find_quietly(sent), FIND)
        if _is_nothing(store.call(BY_ID, "unknown")):
            for id in (text, f"{store.kept[0].id}{text}"):
                _finds_nothing(store, store.call(BY_ID, id), BY_ID)
        _all_still_read(store)


def _finds_nothing(store: StoreHandle, answer: Answer, way: str) -> None:
    demand(store.workspace, _is_nothing(answer), f"{way} returns None, or raises SDKException", answer)


def _is_nothing(answer: Answer) -> bool:
    return answer.returned is None and (answer.raised is None or answer.refused)


@check("VALUE-9")
def deleting_what_cannot_be_kept_removes_nothing(workspace: Workspace) -> None:
    loose = _deletes_by_what_is_nearly_an_id(workspace)
    for turn, (store, text) in enumerate(workspace.each(UNKEEPABLE)):
        id = store.holding(*ONE_OF_EACH_KEY)[0].id
        beside = () if loose else (f"{id}{text}", f"{id}\0")
        for other in workspace.sut.pace.in_turn((text, *beside), turn):
            removes_nothing(store, other, "no row has that id, so none is removed")
        _all_still_read(store)


def _deletes_by_what_is_nearly_an_id(workspace: Workspace) -> bool:
    """Whether an id with something harmless at its end removes the row: that is what DEL-3 says."""
    store = workspace.holding(ANN)
    store.call("delete_token", f"{store.kept[0].id} ")
    gone = not store.rows()
    workspace.fresh_examples()
    return gone


def _kept_or_refused(store: StoreHandle, row: Row, name: str) -> None:
    """Save a row of which one field may be more than the store can keep."""
    if _failed_cleanly(store, store.try_save(row), name):
        return
    [new] = store.expect(new=1, because="one new row, and every other row as it was")
    for field in new.present():
        value, want = getattr(new.plain(), field), getattr(row, field)
        _is_kept(store, field, want, value, value == want or (field == "id" and name != "id"))
    _is_kept(store, name, getattr(row, name), None, not absent(getattr(new, name)))


def _is_kept(store: StoreHandle, name: str, want: str, value: str | None, kept: bool) -> None:
    if not kept:
        seen = "did not come back at all" if value is None else f"came back as {format_value(value)}"
        expected = f"{name} comes back as {format_value(want)}, or save_token raises SDKException"
        store.workspace.fail(expected, f"{name} {seen}")


def _failed_cleanly(store: StoreHandle, saved: TokenCall, name: str) -> bool:
    """Whether a save raised; then it changed nothing, and raised what it may."""
    if saved.answer.raised is None:
        return False
    store.expect(because="a save that fails leaves the rows exactly as they were")
    refused = f"a value of {name} that cannot be kept is refused with SDKException"
    demand(store.workspace, saved.answer.refused, refused, saved.answer)
    return True


READS = "every row reads after opening again"


def _all_still_read(store: StoreHandle) -> None:
    """The rows read now and after opening again, and the store works on."""
    inserts(store, person("afterwards"), "the store works on: a new user is one new row")
    reads_after_opening_again(store, READS)


# VALUE-10

NO_CREDENTIAL = dict.fromkeys(("grant_token", "refresh_token", "access_token"), "")
ADDRESSED = (ANN, ACCESS, GRANT, REFRESH, DAN, LATE_GRANT, LATE_REFRESH, GUS)
"""Rows of the crowd, each of which its key alone addresses."""


def _with_blanks(key: Row) -> Iterator[Row]:
    """A key beside empty texts: in all other fields, and in each by itself."""
    lacks = [name for name in FIELDS if absent(getattr(key, name))]
    yield key.but(**dict.fromkeys(lacks, ""))
    yield from (key.but(**{name: ""}) for name in lacks)


@check("VALUE-10")
def an_empty_id_is_no_id_of_a_new_row(workspace: Workspace) -> None:
    store = workspace.holding(BOB, GRANT)
    passed = [store.save(row.but(id="")) for row in (ANN, ACCESS, REFRESH)]
    for saved, row in zip(passed, store.showing(passed), strict=True):
        has_one = isinstance(row.id, str) and row.id
        demand(workspace, has_one, "the new row has a non-empty str as its id", format_row(row))
        carries_the_id(store, saved, row)


@check("VALUE-10")
def an_empty_text_hinders_no_key_and_replaces_nothing_when_it_is_saved(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    works = "the stored row is updated in place where nothing is empty"
    for number, row in enumerate(ADDRESSED):
        key = key_of(row)
        plain = key.but(expires_in=f"190000000020{number}")
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
        holds_it = new.access_token == row.access_token
        demand(workspace, holds_it, f"the new row holds {format_row(row)}", format_row(new))


@check("VALUE-10")
def an_empty_credential_is_none(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    for plain in (Row(user_name="stranger@example.com:77"), Row(id="unknown")):
        refused = store.try_save(plain).answer.refused
        require(workspace, refused, "a token without credential and row is refused", format_row(plain))
        for blank in (NO_CREDENTIAL, *({name: ""} for name in NO_CREDENTIAL)):
            is_refused(store, store.try_save(plain.but(**blank)), ": no credential came")


@check("VALUE-10")
def an_empty_text_hinders_no_key_and_is_filled_in_when_it_is_looked_for(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    found = False
    for turn, row in enumerate((*ADDRESSED, WITH_CLIENT)):
        stored = store.stored(row)
        for key in (Row(id=stored.id), key_of(row))[: 1 if row == WITH_CLIENT else 2]:
            token = store.find(key).answer.returned
            found |= token is not None
            if not is_token(token) or to_row(token).id != stored.id:
                continue  # no way to find it: FIND-1 to FIND-5 say so
            for sent in workspace.sut.pace.in_turn([*_with_blanks(key)], turn):
                _is_found(workspace, store.find(sent), stored)
    require(workspace, found, "a stored token is found", "none is")
    store.expect(because="finding changes nothing stored")


def _is_found(workspace: Workspace, passed: TokenCall, stored: Row) -> None:
    token = passed.answer.returned
    demand(workspace, is_token(token), f"find_token finds {format_row(stored)}", f"it {passed.answer}")
    wanted = passed.sent.filled_from(stored)
    # Where the row has nothing to fill in, the token may keep its empty text.
    names = ["id", *(name for name, value in stored.present().items() if getattr(passed.sent, name) == "")]
    same_fields(workspace, "the returned token", to_row(token), wanted, names)
    same_fields(workspace, "the passed token", passed.passed_after, wanted, names)


@check("VALUE-10")
def an_empty_id_finds_and_removes_nothing(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    answer = store.call(BY_ID, "")
    demand(workspace, answer.returned is None, "find_token_by_id of an empty text finds nothing", answer)
    store.call("delete_token", "")
    store.expect(because="an empty text is nobody's id: nothing is removed")


@check("VALUE-10")
def an_empty_text_comes_back_as_none(workspace: Workspace) -> None:
    fields = [name for name in FIELDS if name not in ("id", "user_name")]
    rows = [ANN.but(user_name=f"less.{name}@example.com:77", **{name: ""}) for name in fields]
    plain = dict.fromkeys(("user_name", *PLAIN_FIELDS), "")
    for key in map(key_of, (ACCESS, GRANT, REFRESH)):
        own = {name: f"1000.blank.{name}" for name in key.present() if "_token" in name}
        rows.append(key.but(**plain, **own))
    store = workspace.open()
    for row, one in zip(rows, store.holding(*rows), strict=True):
        found = store.find(key_of(Row(**row.present()))).answer
        answers = {BY_ID: store.call(BY_ID, one.id), FIND: found}
        seen = {way: to_row(told.returned) for way, told in answers.items() if is_token(told.returned)}
        for way, read in {"get_tokens": one, **seen}.items():
            for name in [name for name in FIELDS if getattr(row, name) == ""]:
                value = getattr(read, name)
                expected = f"{name} of {format_row(row)} comes back as None"
                demand(workspace, value is None, expected, f"from {way} it is {format_value(value)}")
