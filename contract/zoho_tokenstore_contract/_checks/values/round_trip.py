"""VALUE: what comes back of what was stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any

from hypothesis import strategies

from ..._drivers.examples import explore
from ..._harness.calls import Answer, TokenCall
from ..._harness.limits import Pool, batches, going_around
from ..._harness.messages import format_answer
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.outcomes import Violation
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_row
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    DAN,
    DOMAIN,
    GRANT,
    GUS,
    LATE_REFRESH,
    ONE_OF_EACH_KEY,
    REFRESH,
    WIDTH,
    WITH_CLIENT,
    key_of,
    person,
)
from ..tricky_strings import FAMILIES, TRAPS, folded, lookalikes, texts

TEXTS = tuple(name for name in FIELDS if name not in ("id", "expires_in"))
"""The fields that hold any text."""

KINDS = ("user_name", "access_token", "grant_token", "refresh_token")
"""What a token is found by."""

LISTING, BY_ID, FIND = "get_tokens", "find_token_by_id", "find_token"


@check("VALUE-1")
def awkward_texts_round_trip_in_every_field(workspace: Workspace) -> None:
    able = _what_works(workspace)
    for batch in _batches(TRAPS, len(TEXTS)):
        rows = [_rotated(batch, place) for place in range(len(batch))]
        updates = [_rotated(batch, place + 3).but(user_name=row.user_name) for place, row in enumerate(rows)]
        _narrowed(
            workspace,
            partial(_keep, workspace, able, rows, updates),
            [partial(_text_is_kept, workspace, able, text) for text in batch]
            # Where no text is the cause when it is saved, one is when it replaces another.
            + [partial(_text_replaces, workspace, able, name, text) for text in batch for name in TEXTS],
        )


def _text_is_kept(workspace: Workspace, able: _Able, text: str) -> None:
    """The text in every field of a row, or else in that which is the cause."""
    row = person("awkward")
    _narrowed(
        workspace,
        partial(_keep, workspace, able, [row.but(**dict.fromkeys(TEXTS, text))]),
        [partial(_keep, workspace, able, [row.but(**{name: text})]) for name in TEXTS],
    )


def _text_replaces(workspace: Workspace, able: _Able, name: str, text: str) -> None:
    update = person("awkward").but(**{name: text})
    _keep(workspace, able, [person("awkward", user_name=update.user_name)], [update])


@check("VALUE-1")
def tokens_without_a_user_are_found_by_awkward_texts(workspace: Workspace) -> None:
    able = _what_works(workspace)
    # Ids are not awkward here.
    keys = replace(able, ways=frozenset(way for way in able.ways if way[0] != BY_ID) or able.ways)
    for batch in _batches(TRAPS, 8):
        rows = [
            _unnamed(kind, batch[place], (batch[place - 1], batch[place - 2]))
            for place in range(len(batch))
            for kind in KINDS[1:]
        ]
        alone = [
            row
            for text in batch
            for kind in KINDS[1:]
            for row in (_unnamed(kind, text), _unnamed(kind, f"1000.{kind}", (text, text)))
        ]
        _narrowed(
            workspace,
            partial(_keep, workspace, keys, rows, [_renewal(row) for row in rows]),
            [partial(_keep, workspace, keys, [row], [_renewal(row)]) for row in alone],
        )


@check("VALUE-1")
def any_text_round_trips(workspace: Workspace) -> None:
    able = _what_works(workspace)

    def run(example: tuple[str, dict[str, str], dict[str, str]]) -> None:
        kind, first, second = example
        plain = person("any") if kind == "user_name" else _unnamed(kind, f"1000.any.{kind}")
        names = set(plain.present())
        row = plain.but(**{name: text for name, text in first.items() if name in names})
        key = key_of(row)
        names -= set(key.present())
        _keep(
            workspace,
            able,
            [row],
            [key.but(**{name: text for name, text in second.items() if name in names})],
        )

    some = strategies.lists(strategies.tuples(strategies.sampled_from(TEXTS), texts()), max_size=8).map(dict)
    explore(workspace, 50, strategies.tuples(strategies.sampled_from(KINDS), some, some), run)


def _batches(texts: Sequence[str], size: int) -> list[list[str]]:
    """The texts in batches in which no two look alike, the last filled up from the first.

    As names of two users such texts may be taken for one: that is VALUE-7, a SHOULD.
    """
    batches: list[dict[str, str]] = []  # by what a text looks like
    for text in dict.fromkeys(texts):
        looks = folded(text)
        batch = next((one for one in batches if len(one) < size and looks not in one), None)
        if batch is None:
            batches.append(batch := {})
        batch[looks] = text
    for batch in batches:
        for text in texts:
            if len(batch) < size:
                batch.setdefault(folded(text), text)
    return [list(batch.values()) for batch in batches]


def _rotated(batch: Sequence[str], start: int) -> Row:
    """A row with a text of the batch in each field, beginning with one of them."""
    values = {name: batch[(start + place) % len(batch)] for place, name in enumerate(TEXTS)}
    return Row(**values, expires_in="1900000000123")


def _unnamed(kind: str, text: str, credentials: tuple[str, str] = ("1000.CLIENT", "secret")) -> Row:
    """A row without a user that is found by this text, under these client credentials."""
    client = {} if kind == "access_token" else dict(zip(CLIENT, credentials, strict=True))
    return Row(**client, redirect_url="https://example.com/lone").but(**{kind: text})


def _renewal(row: Row) -> Row:
    return key_of(row).but(expires_in="1900000000456")


def _narrowed(workspace: Workspace, whole: Callable[[], None], parts: Iterable[Callable[[], None]]) -> None:
    """Run a check of many texts at once; where it fails, tell of the one text that is the cause."""
    try:
        whole()
        workspace.fresh_examples()
    except Violation as violation:
        for part in parts:
            workspace.fresh_examples()
            with going_around():
                part()
        if not violation.blame:
            raise
        workspace.fresh_examples()


@dataclass(frozen=True)
class _Able:
    """What a store can do with plain rows.

    What it cannot do with them is another fault, of which these clauses say nothing.

    Attributes:
        ways: Ways of reading, each with a kind of key, that show a row as it was saved.
        in_place: Kinds of key by which a row is updated in place.
    """

    ways: frozenset[tuple[str, str]]
    in_place: frozenset[str]


def _what_works(workspace: Workspace, fields: Sequence[str] = TEXTS) -> _Able:
    """Try the store with rows that have nothing awkward; leaves nothing open."""
    store = workspace.open()
    stored = store.holding(*ONE_OF_EACH_KEY)
    asked = [(one.id, row) for one, row in zip(stored, ONE_OF_EACH_KEY, strict=True)]
    ways = set()
    for way in (LISTING, BY_ID, FIND):
        for row, seen in zip(ONE_OF_EACH_KEY, _read(store, way, asked), strict=True):
            if isinstance(seen, Row) and seen.plain().only(*fields) == row.only(*fields):
                ways.add((way, _kind(row)))
    if not ways:
        workspace.fail(
            f"{LISTING}, {BY_ID} or {FIND} shows {format_row(ANN)} as it was saved",
            "none does",
            precondition_failed=True,
        )
    in_place = set()
    for row in ONE_OF_EACH_KEY:
        answer = store.try_save(_renewal(row)).answer
        ids = {one.id for one in stored}
        stored = store.rows()
        if answer.raised is None and {one.id for one in stored} == ids:
            in_place.add(_kind(row))
    workspace.fresh_examples()
    return _Able(frozenset(ways), frozenset(in_place))


def _keep(
    workspace: Workspace,
    able: _Able,
    rows: Sequence[Row],
    updates: Sequence[Row] = (),
    fields: Sequence[str] = TEXTS,
) -> None:
    """New rows, and then their updates, read as they were saved.

    Args:
        workspace: The bench of the check.
        able: What works with plain rows.
        rows: The new rows.
        updates: A token for each of them, with the key of its row; or nothing.
        fields: Which fields are compared.
    """
    store = workspace.open()
    before = store.holding(ANN, BOB)
    passed = [store.save(row) for row in rows]
    new = store.expect(before, new=len(rows), because=f"a new row for each of {len(rows)} new tokens")
    ids = [_id_among(saved, new) for saved in passed]
    _read_as(store, able, ids, rows, fields)
    renewed = [
        (id, row, update)
        for id, row, update in zip(ids, rows, updates, strict=False)
        if _kind(row) in able.in_place
    ]
    for _, _, update in renewed:
        store.save(update)
    if renewed:
        store.expect(before, new=len(rows), because="no new row for a token that is stored")
        wanted = [row.updated_by(update) for _, row, update in renewed]
        _read_as(store, able, [id for id, _, _ in renewed], wanted, fields)


def _kind(row: Row) -> str:
    return next(name for name in KINDS if not absent(getattr(key_of(row), name)))


def _id_among(saved: TokenCall, new: Sequence[Row]) -> Any:
    """The id of the row of a token: its own, or that of the row with most in common."""
    ids = [row.id for row in new]
    if saved.passed_after.id in ids:
        return saved.passed_after.id

    def common(row: Row) -> int:
        return sum(getattr(row, name) == value for name, value in saved.sent.present().items())

    return max(new, key=common).id


def _read(store: StoreHandle, way: str, rows: Sequence[tuple[Any, Row]]) -> list[Row | str]:
    """What a way of reading shows of these ids and rows; a text where it shows none."""
    return [_row_of(token, answer) for token, answer in _read_tokens(store, way, rows)]


def _read_tokens(store: StoreHandle, way: str, rows: Sequence[tuple[Any, Row]]) -> list[tuple[Any, Answer]]:
    if way == LISTING:
        answer = store.call(LISTING)
        listed = answer.returned if isinstance(answer.returned, list) else []
        by_id = {to_row(token).id: token for token in listed if _readable(token)}
        return [(by_id.get(id), answer) for id, _ in rows]
    if way == BY_ID:
        answers = [store.call(BY_ID, id) for id, _ in rows]
    else:
        answers = [store.find_quietly(key_of(row)) for _, row in rows]
    return [(answer.returned, answer) for answer in answers]


def _readable(token: Any) -> bool:
    try:
        to_row(token)
    except Exception:
        return False
    return True


def _row_of(token: Any, answer: Answer) -> Row | str:
    return to_row(token) if _readable(token) else str(answer)


def _read_as(
    store: StoreHandle,
    able: _Able,
    ids: Sequence[Any],
    rows: Sequence[Row],
    fields: Sequence[str],
) -> None:
    for way in (LISTING, BY_ID, FIND):
        asked = [(id, row) for id, row in zip(ids, rows, strict=True) if (way, _kind(row)) in able.ways]
        for (_, row), seen in zip(asked, _read(store, way, asked), strict=True):
            if isinstance(seen, str):
                store.workspace.fail(f"{way} shows the row with {format_row(row.only(*fields))}", seen)
            for name in fields:
                want, got = getattr(row, name), getattr(seen.plain(), name)
                if want != got:
                    store.workspace.fail(
                        f"{name} comes back as {_told(want)}", f"from {way} it comes back as {_told(got)}"
                    )


def _told(text: Any) -> str:
    """A text for a message, with its code points where characters can look like others."""
    if not isinstance(text, str) or text.isascii() or len(text) > 60:
        return format_value(text)
    return f"{format_value(text)} ({text!a})"


@check("VALUE-2")
def values_of_255_characters_round_trip(workspace: Workspace) -> None:
    for letter in ("x", "é", "日", "😀"):
        _long_values_round_trip(workspace, letter, WIDTH, expires_in="18446744073709551615")


@check("VALUE-3")
def values_of_4096_characters_round_trip(workspace: Workspace) -> None:
    for letter in ("x", "😀"):
        _long_values_round_trip(workspace, letter, 4096)


def _long_values_round_trip(workspace: Workspace, letter: str, length: int, **more: str) -> None:
    """All fields at once, in rows that differ in the last character alone; else field by field."""

    def long(last: str) -> str:
        return letter * (length - len(last)) + last

    def named(number: int) -> Row:
        return Row(**{name: long(f"{place}{number}") for place, name in enumerate(TEXTS)}, **more)

    able = _what_works(workspace)
    rows = [named(number) for number in range(3)]
    updates = [named(number + 3).but(user_name=row.user_name) for number, row in enumerate(rows)]
    for number in (7, 8):
        for kind in KINDS[1:]:
            row = _unnamed(kind, long(str(number)), (long("c"), long("s"))).but(api_domain=long("d"))
            rows.append(row)
            updates.append(_renewal(row))
    _narrowed(
        workspace,
        partial(_keep, workspace, able, rows, updates),
        [partial(_keep, workspace, able, [person("long").but(**{name: long(name[0])})]) for name in TEXTS],
    )
    if more:
        able = _what_works(workspace, (*TEXTS, *more))
        _keep(workspace, able, rows[:3], updates[:3], (*TEXTS, *more))
        workspace.fresh_examples()


@check("VALUE-4")
def an_absent_field_comes_back_as_none(workspace: Workspace) -> None:
    full = ANN.but(user_name=None).present()
    rows = [person(f"less{place}").but(**{name: None}) for place, name in enumerate(full)]
    _absent_come_back_as_none(workspace, [*rows, DAN, ACCESS, GRANT, REFRESH, WITH_CLIENT])


@check("VALUE-4")
def a_field_that_an_update_lacks_too_comes_back_as_none(workspace: Workspace) -> None:
    _absent_come_back_as_none(workspace, [DAN, ACCESS, GRANT, REFRESH], _renewal)


def _absent_come_back_as_none(
    workspace: Workspace, rows: Sequence[Row], update: Callable[[Row], Row] | None = None
) -> None:
    for some in batches(rows):
        _of_a_batch_come_back_as_none(workspace, some, update)


def _of_a_batch_come_back_as_none(
    workspace: Workspace, rows: Sequence[Row], update: Callable[[Row], Row] | None
) -> None:
    workspace.fresh_examples()
    store = workspace.open()
    stored = store.holding(*rows)
    if update is not None:
        for row in rows:
            store.try_save(update(row))
        rows = [row.updated_by(update(row)) for row in rows]
    shown_by_any = set()
    for way in (LISTING, BY_ID, FIND):
        asked = [
            (one.id, row.but(user_name=row.user_name or None))
            for one, row in zip(stored, rows, strict=True)
            # Found by an access token beside client credentials: left open.
            if way != FIND or row != WITH_CLIENT
        ]
        for (id, row), (token, _) in zip(asked, _read_tokens(store, way, asked), strict=True):
            if not isinstance(token, load().OAuthToken) or token.get_id() != id:
                continue
            shown_by_any.add(id)
            _lacks(workspace, way, token, row)
    if missing := [one for one in stored if one.id not in shown_by_any]:
        workspace.fail(
            f"a way of reading that shows {format_row(missing[0])}", "none does", precondition_failed=True
        )


def _lacks(workspace: Workspace, way: str, token: Any, row: Row) -> None:
    """What the row lacks is None in the token."""
    for name in FIELDS:
        if name in ("id", "user_name") or not absent(getattr(row, name)):
            continue
        value = getattr(token, f"get_{name}")()
        if value is not None:
            workspace.fail(
                f"{name} of {format_row(row)} comes back as None", f"from {way} it is {format_value(value)}"
            )
    if row.user_name is None and (signature := token.get_user_signature()) is not None:
        name = getattr(signature, "get_name", lambda: signature)()
        workspace.fail(
            f"{format_row(row)} comes back without a UserSignature",
            f"from {way} it has one, with the name {format_value(name)}",
        )


@check("VALUE-5")
def expires_in_comes_back_as_str(workspace: Workspace) -> None:
    for old, renewed in (("1900000000001", "1900000000002"), ("3600000", "1"), ("1", "9007199254740993")):
        store = workspace.open()
        rows = (ANN.but(expires_in=old), ACCESS.but(expires_in=old), LATE_REFRESH, BOB)
        stored = store.holding(*rows)
        asked = [(one.id, row) for one, row in zip(stored, rows, strict=True)]
        _are_as_the_sdk_reads_them(store, asked)
        for _, row in asked:
            store.try_save(key_of(row).but(expires_in=renewed))
        # Where an update does not arrive at all, that is the matter of SAVE-13.
        now = {row.id: row.plain() for row in store.rows()}
        _are_as_the_sdk_reads_them(
            store,
            [
                (id, row.but(expires_in=renewed))
                for id, row in asked
                if id in now and now[id].expires_in != row.expires_in
            ],
        )
        workspace.fresh_examples()


@check("VALUE-5")
def the_user_name_comes_back_inside_a_user_signature(workspace: Workspace) -> None:
    store = workspace.open()
    rows = (ANN, DAN, GUS, BOB)
    stored = store.holding(*rows)
    _are_as_the_sdk_reads_them(store, [(one.id, row) for one, row in zip(stored, rows, strict=True)])


def _are_as_the_sdk_reads_them(store: StoreHandle, asked: Sequence[tuple[Any, Row]]) -> None:
    for way in (LISTING, BY_ID, FIND):
        for (id, row), (token, _) in zip(asked, _read_tokens(store, way, asked), strict=True):
            if not isinstance(token, load().OAuthToken) or token.get_id() != id:
                continue
            value = token.get_expires_in()
            if row.expires_in is not None and (not isinstance(value, str) or value != row.expires_in):
                store.workspace.fail(
                    f"expires_in comes back as the str {row.expires_in!r}",
                    f"from {way} it is {format_answer(value)}",
                )
            signature = token.get_user_signature()
            if row.user_name is None:
                continue
            if not isinstance(signature, load().UserSignature) or signature.get_name() != row.user_name:
                name = getattr(signature, "get_name", lambda: "no name")()
                store.workspace.fail(
                    f"the user name comes back as a UserSignature of {row.user_name!r}",
                    f"from {way} it is a {type(signature).__name__} with {format_value(name)}",
                )


@check("VALUE-6")
def tokens_that_look_alike_are_different_tokens(workspace: Workspace) -> None:
    for kind in KINDS[1:]:
        _families_stay_apart(workspace, kind)


@check("VALUE-6")
def any_two_tokens_that_look_alike_are_different(workspace: Workspace) -> None:
    _any_stay_apart(workspace, KINDS[1:])


@check("VALUE-7")
def user_names_that_look_alike_are_different_users(workspace: Workspace) -> None:
    _families_stay_apart(workspace, "user_name")


@check("VALUE-7")
def any_two_user_names_that_look_alike_are_different(workspace: Workspace) -> None:
    _any_stay_apart(workspace, KINDS[:1])


def _families_stay_apart(workspace: Workspace, kind: str) -> None:
    for family in FAMILIES:
        rows = _of_a_kind(kind, Pool(family))
        if len(rows) < 2:
            continue  # the others have what this store is known not to keep
        _narrowed(
            workspace,
            partial(_stay_apart, workspace, kind, rows),
            [partial(_stay_apart, workspace, kind, pair) for pair in permutations(rows, 2)],
        )


def _any_stay_apart(workspace: Workspace, kinds: Sequence[str]) -> None:
    def run(example: tuple[str, tuple[str, str]]) -> None:
        kind, pair = example
        _stay_apart(workspace, kind, _of_a_kind(kind, pair))

    examples = 25 if len(kinds) == 1 else 45
    explore(workspace, examples, strategies.tuples(strategies.sampled_from(kinds), lookalikes()), run)


def _of_a_kind(kind: str, family: Sequence[str]) -> list[Row]:
    """A row for each text, with that text as what it is found by."""
    if kind == "user_name":
        return [person(f"alike{place}", user_name=text) for place, text in enumerate(family)]
    client = {} if kind == "access_token" else CLIENT
    return [
        Row(**client, expires_in=f"19000000001{place:02d}", api_domain=f"{DOMAIN}/{place}").but(
            **{kind: text}
        )
        for place, text in enumerate(family)
    ]


def _stay_apart(workspace: Workspace, kind: str, rows: Sequence[Row]) -> None:
    """Each is missed until it is saved, saved as a new row, found as itself, updated alone."""
    store = workspace.open()
    witness = {"user_name": ANN, "access_token": ACCESS, "grant_token": GRANT, "refresh_token": REFRESH}
    stored = store.holding(witness[kind])
    finds = _found_id(store.find_quietly(key_of(witness[kind]))) == stored[0].id
    ids: list[Any] = []
    for row in rows:
        key = key_of(row)
        text = _told(getattr(row, kind))
        answer = store.find_quietly(key)
        if finds and (found := _found_id(answer)) in ids:
            workspace.fail(
                f"no row has exactly the {kind} {text}, so find_token returns None",
                f"it found that of {_told(getattr(rows[ids.index(found)], kind))}",
            )
        store.save(row)
        new = store.expect(stored, new=1, because=f"one new row, for no row has exactly the {kind} {text}")
        stored += new
        ids.append(new[0].id)
    for place, row in enumerate(rows):
        found = _found_id(store.find_quietly(key_of(row)))
        if finds and found != ids[place] and found in ids:
            workspace.fail(
                f"find_token finds the row of the {kind} {_told(getattr(row, kind))}",
                f"it found that of {_told(getattr(rows[ids.index(found)], kind))}",
            )
        store.try_save(_renewal(row))
        now = store.rows()
        for other in stored:
            if other.id != ids[place] and other not in now:
                workspace.fail(
                    f"saving the {kind} {_told(getattr(row, kind))} leaves the row of "
                    f"{_told(getattr(other, kind))} as it was",
                    next((format_row(one) for one in now if one.id == other.id), "it is gone"),
                )
        stored = now


def _found_id(answer: Answer) -> Any:
    return to_row(answer.returned).id if _readable(answer.returned) else None


@check("VALUE-8")
def a_thousand_users_are_a_thousand_rows(workspace: Workspace) -> None:
    store = workspace.open()
    try:
        _fill(workspace, store, 1001)  # one more than a page of a thousand shows
        store.clear()
        if left := store.rows():
            workspace.fail("delete_tokens removes a thousand rows", f"{len(left)} are left")
    except Violation as violation:
        raise _abridged(violation) from None


def _fill(workspace: Workspace, store: StoreHandle, number: int) -> None:
    rows = [
        person(f"user{place}", refresh_token=f"1000.shared.{place // 3}") for place in range(1, number + 1)
    ]
    passed: list[TokenCall] = []
    ids: dict[Any, Row] = {}
    for row in rows:
        saved = store.save(row)
        passed.append(saved)
        id = saved.passed_after.id
        if not absent(id) and id in ids:
            workspace.fail(
                f"the {len(passed)}. user gets an id of its own",
                f"{format_value(id)}, which {format_value(ids[id].user_name)} has",
            )
        ids[id] = row
        # Listings are dear, and most stores that count wrong do so at a power of ten or two.
        if len(passed) in (1, 2, 10, 11, 12, 100, 101, 257, 513, number):
            _are_all_there(workspace, store, rows[: len(passed)])
    for place in (0, 1, 8, 9, 10, 98, 99, 100, 499, number - 2, number - 1):
        answer = store.find_quietly(rows[place].only("user_name"))
        found = _row_of(answer.returned, answer)
        if isinstance(found, Row) and found.access_token != rows[place].access_token:
            workspace.fail(f"the row of {format_value(rows[place].user_name)}", format_row(found))


def _are_all_there(workspace: Workspace, store: StoreHandle, rows: Sequence[Row]) -> None:
    listed = store.rows()
    if len(listed) != len(rows):
        workspace.fail(f"{len(rows)} rows for {len(rows)} users", f"{len(listed)} rows")
    if len({row.id for row in listed}) != len(rows):
        workspace.fail(f"{len(rows)} ids", f"{len({row.id for row in listed})} ids")
    seen = {row.user_name: row for row in listed}
    for row in rows:
        if row.user_name not in seen:
            workspace.fail(f"a row of {format_value(row.user_name)}", "no such row")
        if seen[row.user_name].access_token != row.access_token:
            workspace.fail(format_row(row), format_row(seen[row.user_name]))


def _abridged(violation: Violation) -> Violation:
    """The same, without hundreds of calls that look alike."""
    done = violation.done
    if len(done) > 40:
        done = (*done[:15], f"… {len(done) - 25} more such calls …", *done[-10:])
    return Violation(
        expected=violation.expected,
        seen=violation.seen,
        done=done,
        precondition_failed=violation.precondition_failed,
        calls=violation.calls,
    )


NULS = ("a\0b", "\0", "ab\0")
SURROGATES = ("a\ud800b", "\udc80")
LONG = ("x" * 4095 + "y", "😀" * 4096, "x" * 199_999 + "y", "é,\r\n" * 50_000)
UNKEEPABLE = (*NULS, *SURROGATES, *LONG)
"""Texts that a storage may be unable to keep."""


@check("VALUE-9")
def nul_in_a_new_row_is_kept_or_fails_cleanly(workspace: Workspace) -> None:
    _kept_in_new_rows_or_refused(workspace, NULS)


@check("VALUE-9")
def a_lone_surrogate_in_a_new_row_is_kept_or_fails_cleanly(workspace: Workspace) -> None:
    _kept_in_new_rows_or_refused(workspace, SURROGATES)


@check("VALUE-9")
def a_long_text_in_a_new_row_is_kept_or_fails_cleanly(workspace: Workspace) -> None:
    _kept_in_new_rows_or_refused(workspace, LONG)


def _kept_in_new_rows_or_refused(workspace: Workspace, texts: Sequence[str]) -> None:
    for text in texts:
        store = workspace.open()
        before = store.holding(ANN, ACCESS, REFRESH, BOB)
        for place, name in enumerate(TEXTS):
            row = person(f"odd{place}").but(**{name: text})
            before += _kept_or_refused(store, before, row, name)
        for kind in KINDS[1:]:
            before += _kept_or_refused(store, before, _unnamed(kind, text + "2"), kind)
        _all_still_read(store, before)
        workspace.fresh_examples()


@check("VALUE-9")
def an_id_that_cannot_be_kept_fails_cleanly(workspace: Workspace) -> None:
    for text in UNKEEPABLE:
        store = workspace.open()
        before = store.holding(ANN, ACCESS, REFRESH, BOB)
        before += _kept_or_refused(store, before, person("odd", id=text), "id")
        # Whether other tokens can be saved beside such an id is the matter of SAVE-3.
        _read_after_opening_again(store, before)
        workspace.fresh_examples()


@check("VALUE-9")
def what_cannot_be_kept_in_an_update_fails_cleanly(workspace: Workspace) -> None:
    for text in UNKEEPABLE:
        store = workspace.open()
        before = store.holding(ANN, ACCESS, BOB)
        for name in TEXTS[1:]:
            sent = Row(user_name=BOB.user_name).but(**{name: text})
            saved = store.try_save(sent)
            if saved.answer.raised is None:
                # Whether an update arrives at all is the matter of SAVE-4.
                now = store.rows()
                updated = [row for row in now if row.id == before[2].id]
                value = getattr(updated[0], name) if updated else None
                if value not in (text, getattr(before[2], name)):
                    workspace.fail(
                        f"{name} comes back as {format_value(text)}, or save_token raises SDKException",
                        f"{name} came back as {format_value(value)}",
                    )
                store.expect(
                    before,
                    changed=[(before[2], before[2].but(**{name: value}))],
                    because="every other field and row stays as it was",
                )
                before[2] = before[2].but(**{name: value})
            else:
                _failed_cleanly(store, before, saved.answer, name)
        _all_still_read(store, before)
        workspace.fresh_examples()


@check("VALUE-9")
def looking_for_what_cannot_be_kept_finds_nothing(workspace: Workspace) -> None:
    def lookups(text: str) -> list[Row]:
        return [
            Row(user_name=text),
            Row(id=text),
            *(key_of(_unnamed(kind, text)) for kind in KINDS[1:]),
            key_of(_unnamed("refresh_token", "1000.nightly.refresh", (text, text))),
        ]

    for text in UNKEEPABLE:
        store = workspace.open()
        before = store.holding(*ONE_OF_EACH_KEY)
        for plain, sent in zip(lookups("unknown"), lookups(text), strict=True):
            # Where an unknown text finds a row anyhow, that is the matter of FIND.
            if store.find_quietly(plain).returned is None:
                _finds_nothing(store, store.find_quietly(sent), FIND)
        if store.call(BY_ID, "unknown").returned is None:
            _finds_nothing(store, store.call(BY_ID, text), BY_ID)
            _finds_nothing(store, store.call(BY_ID, f"{before[0].id}{text}"), BY_ID)
        _all_still_read(store, before)
        workspace.fresh_examples()


def _finds_nothing(store: StoreHandle, answer: Answer, way: str) -> None:
    if answer.returned is not None or (answer.raised is not None and not answer.refused):
        store.workspace.fail(f"{way} returns None, or raises SDKException", str(answer))


@check("VALUE-9")
def deleting_what_cannot_be_kept_removes_nothing(workspace: Workspace) -> None:
    for text in UNKEEPABLE:
        store = workspace.open()
        before = store.holding(*ONE_OF_EACH_KEY)
        for id in (text, f"{before[0].id}{text}", f"{before[0].id}\0"):
            answer = store.call("delete_token", id)
            if answer.raised is not None and not answer.refused:
                workspace.fail("delete_token removes nothing, or raises SDKException", str(answer))
            store.expect(before, because="no row has that id, so none is removed")
        _all_still_read(store, before)
        workspace.fresh_examples()


def _kept_or_refused(store: StoreHandle, before: list[Row], row: Row, name: str) -> list[Row]:
    """Save a row of which one field may be more than the store can keep; returns the new rows."""
    saved = store.try_save(row)
    if saved.answer.raised is not None:
        _failed_cleanly(store, before, saved.answer, name)
        return []
    new = store.expect(before, new=1, because="one new row, and every other row as it was")
    for field in new[0].present():
        value, want = getattr(new[0].plain(), field), getattr(row, field)
        if value != want and (field != "id" or name == "id"):
            store.workspace.fail(
                f"{field} comes back as {format_value(want)}, or save_token raises SDKException",
                f"{field} came back as {format_value(value)}",
            )
    if absent(getattr(new[0], name)):
        store.workspace.fail(
            f"{name} comes back as {format_value(getattr(row, name))}, or save_token raises SDKException",
            f"{name} did not come back at all",
        )
    return new


def _failed_cleanly(store: StoreHandle, before: list[Row], answer: Answer, name: str) -> None:
    if not answer.refused:
        store.workspace.fail(
            f"a value of {name} that cannot be kept is refused with SDKException", str(answer)
        )
    store.expect(before, because="a save that fails leaves the rows exactly as they were")


def _all_still_read(store: StoreHandle, before: list[Row]) -> None:
    """The rows read now and after opening again, and the store works on."""
    store.save(person("afterwards"))
    before += store.expect(before, new=1, because="the store works on: a new user is one new row")
    _read_after_opening_again(store, before)


def _read_after_opening_again(store: StoreHandle, before: list[Row]) -> None:
    if store.workspace.sut.persistent:
        again = store.workspace.reopen(store)
        again.expect(before, because="every row reads after opening again")
