"""FIND: which row ``find_token`` finds, and what it makes of the token that was passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..._harness.calls import TokenCall
from ..._harness.limits import going_around
from ..._harness.messages import format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_row
from ..aliasing import lookups, overwrite, unchanged
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    BY_ACCESS,
    BY_GRANT,
    BY_REFRESH,
    CLIENT,
    DAN,
    EVE,
    GRANT,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    NEAR_NAMES,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    by_each_token,
    key_of,
    near_ids,
    person,
    pool,
)

STRANGER = "stranger@example.com:77"
BLANK = dict.fromkeys(FIELDS, "")
UNKNOWN = {
    "access_token": "1000.unknown.access",
    "grant_token": "1000.unknown.grant",
    "refresh_token": "1000.unknown.refresh",
}
OWN = {
    **OTHER_CLIENT,
    **UNKNOWN,
    "expires_in": "1900000000666",
    "redirect_url": "https://own.example.com",
    "api_domain": "http://127.0.0.1:9/own",
}
"""Fields of a token that no row has."""
_UNKNOWN_OF_EACH_KIND = (
    Row(user_name=STRANGER),
    Row(access_token=UNKNOWN["access_token"]),
    Row(**CLIENT, grant_token=UNKNOWN["grant_token"]),
    Row(**CLIENT, refresh_token=UNKNOWN["refresh_token"]),
    Row(**CLIENT, access_token=UNKNOWN["access_token"]),
    Row(id="unknown"),
)


@check("FIND-1")
def a_user_is_found_by_name(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        _finds(store, before, row, row.only("user_name"))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-1")
def a_user_is_found_by_name_whatever_else_the_token_has(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        stored = before[ONE_OF_EVERY_KIND.index(row)]
        for extra in (
            {"id": stored.id},
            *({name: value} for name, value in OWN.items()),
            OWN,
            {**CLIENT, **UNKNOWN},
        ):
            _finds(store, before, row, row.only("user_name").but(**extra))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-1")
def a_user_is_found_by_name_also_beside_the_tokens_of_others(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        for other in ONE_OF_EVERY_KIND:
            if other != row:
                _finds(store, before, row, other.but(user_name=row.user_name))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-2")
def a_stored_access_token_is_found(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(*BY_ACCESS, WITH_CLIENT, LATE_GRANT, LATE_REFRESH, ANN, EVE, GUS):
        key = row.only("access_token")
        for sent in (
            key,
            key.but(expires_in="1900000000666", redirect_url=OWN["redirect_url"]),
            key.but(refresh_token=UNKNOWN["refresh_token"]),
            key.but(id=before[ONE_OF_EVERY_KIND.index(row)].id),
        ):
            _finds(store, before, row, sent)
    store.expect(before, because="finding changes nothing stored")


@check("FIND-2")
def an_access_token_that_replaced_another_is_found(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(LATE_REFRESH, GUS):
        store.save(key_of(row).but(access_token=f"1000.renewed.{ONE_OF_EVERY_KIND.index(row)}"))
        _finds(store, before, row, Row(access_token=f"1000.renewed.{ONE_OF_EVERY_KIND.index(row)}"))


@check("FIND-3")
def a_stored_grant_token_is_found(workspace: Workspace) -> None:
    _finds_by(workspace, "grant_token", pool(*BY_GRANT, BOB, EVE, GUS), ("access_token", "refresh_token"))


@check("FIND-4")
def a_stored_refresh_token_is_found(workspace: Workspace) -> None:
    _finds_by(workspace, "refresh_token", pool(*BY_REFRESH, BOB, DAN, EVE, GUS), ("access_token",))


def _finds_by(workspace: Workspace, name: str, rows: Sequence[Row], beside: Sequence[str]) -> None:
    """Rows are found by client credentials and this credential, whatever comes with them."""
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in rows:
        key = row.only("client_id", "client_secret", name)
        for sent in (
            key,
            key.but(**{other: UNKNOWN[other] for other in beside}),
            key.but(redirect_url=OWN["redirect_url"], expires_in="1900000000666"),
            key.but(id=before[ONE_OF_EVERY_KIND.index(row)].id),
        ):
            _finds(store, before, row, sent)
    store.expect(before, because="finding changes nothing stored")


@check("FIND-5")
def an_id_alone_finds_its_row_and_fills_the_passed_token(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row, stored in zip(ONE_OF_EVERY_KIND, before, strict=True):
        _finds_by_id(workspace, store, row.but(id=stored.id), Row(id=stored.id))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-5")
def an_id_that_its_token_brought_finds_it(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(ANN, ACCESS)
    for number, id in enumerate(("k-7", "abc", "ABC", "007", "9999999999", "x'y")):
        row = person(f"guest{number}", id=id)
        saved = store.try_save(row)
        if saved.answer.raised is None and saved.passed_after.id == id:
            _finds_by_id(workspace, store, row, Row(id=id))


def _finds_by_id(workspace: Workspace, store: StoreHandle, wanted: Row, sent: Row) -> None:
    if absent(wanted.id):
        workspace.fail("a stored token has an id", format_row(wanted), precondition_failed=True)
    passed = store.find(sent)
    found = _token_of(workspace, passed, f"the row with the id {format_value(wanted.id)}")
    if not _is_row(found, wanted, sent):
        workspace.fail(f"find_token returns {format_row(wanted)}", format_row(found))
    if (left := passed.passed_after.plain()) != wanted.plain():
        workspace.fail(
            f"the passed token itself is filled in from its row, {format_row(wanted)}",
            f"it is {format_row(left)}",
        )


def _finds(store: StoreHandle, before: Sequence[Row], row: Row, sent: Row) -> None:
    """A token finds the stored row of one of the crowd, and no other."""
    wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
    passed = store.find(sent)
    found = _token_of(store.workspace, passed, format_row(wanted))
    if not _is_row(found, wanted, sent):
        store.workspace.fail(f"find_token finds {format_row(wanted)}", format_row(found))


def _token_of(workspace: Workspace, passed: TokenCall, wanted: str) -> Row:
    """The fields of the token that `find_token` returned."""
    if not isinstance(passed.answer.returned, load().OAuthToken):
        workspace.fail(f"find_token finds {wanted}", f"it {passed.answer}")
    return to_row(passed.answer.returned)


def _is_row(found: Row, wanted: Row, sent: Row) -> bool:
    """Whether what was found comes from this row.

    Its id says so. Where it has none, which other clauses speak of, what it was filled with does.
    """
    if not absent(found.id):
        return bool(found.id == wanted.id)
    lacked = [name for name in wanted.present() if name != "id" and absent(getattr(sent, name))]
    filled = [name for name in lacked if not absent(getattr(found, name))]
    return all(getattr(found.plain(), name) == getattr(wanted, name) for name in filled) and (
        bool(filled) or not lacked
    )


@check("FIND-6")
def what_matches_nothing_is_none(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for sent in _unmatched(before):
        _finds_nothing(store, sent)
    store.expect(before, because="finding changes nothing stored")


@check("FIND-6")
def an_empty_store_finds_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    for row in (*ONE_OF_EVERY_KIND, Row(id="1"), Row(id="unknown")):
        _finds_nothing(store, row)
    if rows := store.rows():
        workspace.fail("a store that holds nothing after finding, too", format_rows(rows))


@check("FIND-6")
def a_replaced_token_is_found_no_more(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(LATE_REFRESH, GUS):
        store.save(key_of(row).but(access_token=f"1000.renewed.{ONE_OF_EVERY_KIND.index(row)}"))
        if any(row.access_token == other.access_token for other in store.rows()):
            return  # the update is no update: SAVE-4 and SAVE-8 say so
        _finds_nothing(store, row.only("access_token"))


@check("FIND-6")
def replaced_credentials_are_found_no_more(workspace: Workspace) -> None:
    for name in ("refresh_token", "grant_token"):
        store = workspace.open()
        store.holding(*ONE_OF_EVERY_KIND)
        old = GUS.only("client_id", "client_secret", name)
        if store.found(old) is None:
            workspace.fail(f"a stored {name} is found", "it is not", precondition_failed=True)
        store.save(Row(user_name=GUS.user_name, **{name: f"1000.gus.renewed.{name}"}))
        if any(getattr(row, name) == getattr(GUS, name) for row in store.rows()):
            return  # the update is no update: SAVE-4 says so
        _finds_nothing(store, old)
        workspace.fresh_examples()


@check("FIND-6")
def an_only_row_is_not_found_by_what_matches_nothing(workspace: Workspace) -> None:
    for row in pool(ANN, DAN, ACCESS, GRANT, REFRESH, WITH_CLIENT):
        store = workspace.open()
        store.holding(row)
        for sent in _UNKNOWN_OF_EACH_KIND:
            _finds_nothing(store, sent)
        workspace.fresh_examples()


def _unmatched(before: Sequence[Row]) -> tuple[Row, ...]:
    """Tokens with a key or an id that no row of the crowd has."""
    ids = {row.id for row in before}
    near = [
        other
        for row in (before[0], before[1], before[-1])
        if isinstance(row.id, str)
        for other in near_ids(row.id)
        if other not in ids
    ]
    return (
        *_UNKNOWN_OF_EACH_KIND,
        Row(user_name=STRANGER, **OWN),
        Row(user_name=STRANGER, id="unknown"),
        Row(access_token=UNKNOWN["access_token"], id="unknown"),
        Row(**CLIENT, refresh_token=UNKNOWN["refresh_token"], id="unknown"),
        Row(**CLIENT, **UNKNOWN),
        Row(**CLIENT, **UNKNOWN, redirect_url=ANN.redirect_url, api_domain=ANN.api_domain),
        # What another field of a stored row holds.
        Row(access_token=REFRESH.refresh_token),
        Row(access_token=GRANT.grant_token),
        Row(**CLIENT, grant_token=REFRESH.refresh_token),
        Row(**CLIENT, grant_token=WITH_CLIENT.access_token),
        Row(**CLIENT, refresh_token=GRANT.grant_token),
        Row(user_name=ACCESS.access_token),
        Row(user_name=before[1].id),
        Row(id=ANN.user_name),
        Row(access_token=ANN.user_name),
        # What wildcards, parts and quotes would match.
        Row(access_token="%"),
        Row(access_token="1000.%"),
        Row(access_token="1000.lone"),
        Row(access_token="1000.lone.access.2"),
        Row(access_token="1000.lone.access' or '1'='1"),
        Row(**CLIENT, grant_token="1000.code"),
        Row(**CLIENT, grant_token="1000.code.%"),
        Row(**CLIENT, refresh_token="1000.nightly.refresh.2"),
        Row(**CLIENT, refresh_token="%.refresh"),
        Row(user_name="o'neil@example.com:77"),
        *(Row(id=id) for id in near),
    )


@check("FIND-7")
def a_token_without_key_and_id_finds_nothing(workspace: Workspace) -> None:
    for rows in (ONE_OF_EVERY_KIND, pool(ANN), pool(ACCESS), pool(WITH_CLIENT), pool(REFRESH, GRANT)):
        store = workspace.open()
        before = store.holding(*rows)
        for sent in (
            Row(**CLIENT, access_token=UNKNOWN["access_token"]),
            Row(**OTHER_CLIENT, access_token=UNKNOWN["access_token"], expires_in=ANN.expires_in),
            Row(**CLIENT, access_token=UNKNOWN["access_token"], redirect_url=ANN.redirect_url),
            Row(**CLIENT),
            Row(**CLIENT, redirect_url=ANN.redirect_url, api_domain=ANN.api_domain),
        ):
            _finds_nothing(store, sent)
        store.expect(before, because="finding changes nothing stored")
        workspace.fresh_examples()


@check("FIND-7")
def an_empty_user_name_finds_nothing(workspace: Workspace) -> None:
    for rows in (ONE_OF_EVERY_KIND, pool(ANN), pool(ACCESS), pool(REFRESH, GRANT)):
        store = workspace.open()
        before = store.holding(*rows)
        for sent in (
            Row(user_name=""),
            Row(user_name="", redirect_url=ANN.redirect_url, api_domain=ANN.api_domain),
            Row(user_name="", **CLIENT),
            Row(user_name="", **CLIENT, access_token=UNKNOWN["access_token"]),
        ):
            _finds_nothing(store, sent)
        store.expect(before, because="finding changes nothing stored")
        workspace.fresh_examples()


@check("FIND-7")
def empty_texts_are_no_key(workspace: Workspace) -> None:
    store = workspace.open()
    blank = {"user_name": "", "access_token": "", "grant_token": "", "refresh_token": ""}
    before = store.holding(
        ANN,
        REFRESH.but(user_name="", access_token="", grant_token=""),
        GRANT.but(user_name="", access_token="", refresh_token=""),
        ACCESS.but(user_name="", client_id="", client_secret="", grant_token="", refresh_token=""),
    )
    for sent in (
        Row(**BLANK),
        Row(**{**BLANK, **CLIENT}),
        Row(**CLIENT, **blank),
        Row(**CLIENT, grant_token=""),
        Row(**CLIENT, refresh_token=""),
        Row(**CLIENT, grant_token="", refresh_token="", access_token=UNKNOWN["access_token"]),
        Row(user_name="", access_token=""),
    ):
        _finds_nothing(store, sent)
    store.expect(before, because="finding changes nothing stored")


@check("FIND-8")
def an_unknown_user_finds_nobody_whatever_they_share(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(ANN, BOB, DAN, GUS):
        stored = before[ONE_OF_EVERY_KIND.index(row)]
        fields = {name: value for name, value in stored.present().items() if name != "user_name"}
        for shared in (
            *({name: value} for name, value in fields.items()),
            *({**CLIENT, name: value} for name, value in fields.items() if name.endswith("_token")),
            fields,
            {name: value for name, value in fields.items() if name != "id"},
        ):
            _finds_nothing(store, Row(user_name=STRANGER).but(**shared))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-8")
def a_part_of_a_name_or_a_wildcard_is_another_user(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, REFRESH, BOB)
    for name in NEAR_NAMES:
        _finds_nothing(store, Row(user_name=name))
        _finds_nothing(store, ANN.but(user_name=name))
    store.expect(before, because="finding changes nothing stored")


def _finds_nothing(store: StoreHandle, sent: Row) -> None:
    passed = store.find(sent)
    if passed.answer.returned is not None:
        store.workspace.fail(f"find_token returns None for {format_row(sent)}", f"it {passed.answer}")


@check("FIND-9")
def a_hit_is_complete(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for passed, wanted in _hits(store, _questions(before)):
        _returns(workspace, passed, wanted)


@check("FIND-9")
def a_hit_keeps_what_the_argument_had(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for passed, wanted in _hits(store, _questions_of_their_own(before)):
        _returns(workspace, passed, wanted)


def _returns(workspace: Workspace, passed: TokenCall, wanted: Row) -> None:
    _is_filled(workspace, "the returned token", to_row(passed.answer.returned), wanted)


@check("FIND-10")
def a_hit_fills_the_passed_token(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for passed, wanted in _hits(store, _questions(before)):
        _fills(workspace, passed, wanted)


@check("FIND-10")
def a_hit_leaves_the_fields_that_the_passed_token_had(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for passed, wanted in _hits(store, _questions_of_their_own(before)):
        _fills(workspace, passed, wanted)


def _fills(workspace: Workspace, passed: TokenCall, wanted: Row) -> None:
    _is_filled(workspace, "the passed token", passed.passed_after, wanted)


def _is_filled(workspace: Workspace, what: str, seen: Row, wanted: Row) -> None:
    for name in FIELDS:
        if getattr(seen.plain(), name) != getattr(wanted.plain(), name):
            workspace.fail(
                f"{what} with {name}={format_value(getattr(wanted, name))}, as {format_row(wanted)}",
                f"its {name} is {format_value(getattr(seen, name))}: {format_row(seen)}",
            )


def _hits(store: StoreHandle, questions: Iterable[tuple[Row, Row]]) -> Iterator[tuple[TokenCall, Row]]:
    """Ask, and give each hit with the row that it should be filled in to.

    What finds nothing or another row is no hit: that it should be one is what FIND-1 to FIND-5 say.
    """
    questions = list(questions)
    ids = {wanted.id for wanted, _ in questions}
    names = {wanted.user_name for wanted, _ in questions} - {None}
    hits = 0
    for wanted, sent in questions:
        passed = store.find(sent)
        token = passed.answer.returned
        if not isinstance(token, load().OAuthToken) or token.get_id() in ids - {wanted.id}:
            continue
        found = store.row_or_none("find_token", passed.answer)
        if found is not None and found.user_name not in names - {wanted.user_name}:
            hits += 1
            yield passed, sent.filled_from(wanted)
    if hits == 0:
        store.workspace.fail("stored tokens are found", "none of them is", precondition_failed=True)


def _questions(before: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows as they were saved, and the least that finds them: key by key, and the id."""
    asked = []
    for row, stored in zip(ONE_OF_EVERY_KIND, before, strict=True):
        wanted = row.but(id=stored.id)
        asked.append((wanted, row.only("access_token") if row == WITH_CLIENT else key_of(row)))
        asked.append((wanted, Row(id=stored.id)))
    for row in pool(BOB, GUS):
        wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
        asked += [(wanted, token) for token in by_each_token(row)]
    return asked


def _questions_of_their_own(before: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The same by key, with fields of their own beside it that the row has otherwise or lacks."""
    plain = ("expires_in", "redirect_url", "api_domain")
    asked = []
    for row, names in (
        (ANN, tuple(OWN)),
        (DAN, tuple(OWN)),
        (GUS, tuple(OWN)),
        (ACCESS, (*plain, "refresh_token")),
        (LATE_GRANT, (*plain, "access_token", "refresh_token")),
        (REFRESH, (*plain, "access_token")),
        (LATE_REFRESH, (*plain, "access_token")),
    ):
        if row not in ONE_OF_EVERY_KIND:
            continue
        wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
        key = key_of(row)
        asked += [(wanted, key.but(**{name: OWN[name]})) for name in names]
        asked.append((wanted, key.but(**{name: OWN[name] for name in names})))
    for row in pool(BOB, GUS):
        wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
        kept = (
            (*plain, "refresh_token", "grant_token"),
            (*plain, "access_token", "refresh_token"),
            (*plain, "access_token"),
        )
        for key, names in zip(by_each_token(row), kept, strict=True):
            asked += [(wanted, key.but(**{name: OWN[name]})) for name in names]
    return asked


@check("FIND-11")
def changing_what_was_found_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.open()
    rows = (ANN, ACCESS, GRANT, REFRESH, BOB)
    before = store.holding(*rows)
    looked = lookups(store, before)
    questions = [(row, key) for row in before for key in (key_of(row), Row(id=row.id))]
    for passed, _ in _hits(store, questions):
        for token in (passed.answer.returned, passed.token):
            overwrite(store, token)
        unchanged(store, before, looked, "the token that find_token returned or filled")


@check("FIND-12")
def a_miss_leaves_the_passed_token_as_it_was(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    misses = 0
    for sent in (
        *_unmatched(before),
        ANN.but(user_name=STRANGER),
        Row(user_name=STRANGER, id=before[0].id),
        Row(user_name=STRANGER, **CLIENT, refresh_token=ANN.refresh_token),
        Row(**CLIENT, access_token=UNKNOWN["access_token"]),
        Row(user_name=""),
        Row(user_name="", access_token=UNKNOWN["access_token"], client_id="", redirect_url=""),
    ):
        with going_around():
            passed = store.find(sent)
            if passed.answer.returned is None:
                misses += 1
                if passed.passed_after != sent:
                    workspace.fail(
                        f"the passed token is left as it was, {format_row(sent)}",
                        format_row(passed.passed_after),
                    )
    if misses == 0:
        workspace.fail(
            "find_token returns None where nothing matches", "it never does", precondition_failed=True
        )


@check("FIND-13")
def what_is_found_is_a_whole_token(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    whole = vars(load().OAuthToken(access_token="whole"))
    for passed, _ in _hits(store, _questions(before)):
        token = passed.answer.returned
        for name, value in whole.items():
            if not hasattr(token, name):
                workspace.fail(
                    f"an OAuthToken with all attributes that its constructor sets: {', '.join(whole)}",
                    f"it has no {name}",
                )
            if isinstance(value, bool) and not isinstance(getattr(token, name), bool):
                workspace.fail(f"{name} is a bool", f"it is {format_value(getattr(token, name))}")
