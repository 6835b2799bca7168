"""VALUE-1: every text comes back as it was saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hypothesis import strategies

from ..._drivers.hypothesis_examples import explore
from ..._harness.calls import Answer, TokenCall
from ..._harness.row_acts import require
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active, company, going_around
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_row
from ..registry import check
from ..sample_tokens import ANN, BOB, CLIENT, ONE_OF_EACH_KEY, key_of, person
from ..tricky_strings import TRAPS, folded, texts

TEXTS = tuple(name for name in FIELDS if name not in ("id", "expires_in"))
"""The fields that hold any text."""
KINDS = ("user_name", "access_token", "grant_token", "refresh_token")
"""What a token is found by."""
LATER = "1900000000456"
"""An expiry that makes each update change something: whether it has to is what SAVE-12 says."""
LISTING, BY_ID, FIND = "get_tokens", "find_token_by_id", "find_token"


@check("VALUE-1")
def awkward_texts_round_trip_in_every_field(workspace: Workspace) -> None:
    able = what_works(workspace)
    for turn, batch in enumerate(_batches(TRAPS, len(TEXTS))):
        places = workspace.sut.pace.in_turn(range(len(batch)), turn)
        rows = [_rotated(batch, place) for place in places]
        updates = [
            _rotated(batch, place + 3).but(user_name=row.user_name)
            for place, row in zip(places, rows, strict=True)
        ]
        kept = [partial(_text_is_kept, workspace, able, text) for text in batch]
        # Where no text is the cause when it is saved, one is when it replaces another.
        replaces = [partial(_text_replaces, workspace, able, name, text) for text in batch for name in TEXTS]
        narrowed(workspace, partial(keep_rows, workspace, able, rows, updates), kept + replaces)


def _text_is_kept(workspace: Workspace, able: Able, text: str) -> None:
    """The text in every field of a row, or else in that which is the cause."""
    row = person("awkward")
    parts = [partial(keep_rows, workspace, able, [row.but(**{name: text})]) for name in TEXTS]
    narrowed(workspace, partial(keep_rows, workspace, able, [row.but(**dict.fromkeys(TEXTS, text))]), parts)


def _text_replaces(workspace: Workspace, able: Able, name: str, text: str) -> None:
    update = person("awkward", expires_in=LATER).but(**{name: text})
    keep_rows(workspace, able, [person("awkward", user_name=update.user_name)], [update])


@check("VALUE-1")
def tokens_without_a_user_are_found_by_awkward_texts(workspace: Workspace) -> None:
    able = what_works(workspace)
    # Ids are not awkward here.
    keys = replace(able, ways=frozenset(way for way in able.ways if way[0] != BY_ID) or able.ways)
    for turn, batch in enumerate(_batches(TRAPS, 8)):
        # Each text as one kind of token; what a column does to texts, it does to more than one.
        rows = [
            unnamed(KINDS[1 + (place + turn) % 3], batch[place], (batch[place - 1], batch[place - 2]))
            for place in workspace.sut.pace.in_turn(range(len(batch)), turn)
        ]
        alone = [
            row
            for text in batch
            for kind in KINDS[1:]
            for row in (unnamed(kind, text), unnamed(kind, f"1000.{kind}", (text, text)))
        ]
        parts = [partial(keep_rows, workspace, keys, [row], [renewal(row)]) for row in alone]
        narrowed(workspace, partial(keep_rows, workspace, keys, rows, [*map(renewal, rows)]), parts)


@check("VALUE-1")
def any_text_round_trips(workspace: Workspace) -> None:
    able = what_works(workspace)

    def run(example: tuple[str, list[tuple[dict[str, str], dict[str, str]]]]) -> None:
        kind, texts_of_rows = example
        plain = person("any") if kind == "user_name" else unnamed(kind, f"1000.any.{kind}")
        rows: dict[str, Row] = {}  # by what their keys look like, whichever their clients
        updates: dict[str, Row] = {}
        for first, second in texts_of_rows:
            row = plain.but(**{name: text for name, text in first.items() if plain.present().get(name)})
            key = key_of(row)
            looks = folded(getattr(row, kind))
            rest = plain.present().keys() - key.present().keys()
            rows.setdefault(looks, row)
            fields = {name: second[name] for name in rest & second.keys()}
            updates.setdefault(looks, renewal(row).but(**fields))
        keep_rows(workspace, able, [*rows.values()], [*updates.values()])

    some = strategies.lists(strategies.tuples(strategies.sampled_from(TEXTS), texts()), max_size=8).map(dict)
    several = strategies.lists(strategies.tuples(some, some), min_size=1, max_size=5)
    explore(workspace, 12, strategies.tuples(strategies.sampled_from(KINDS), several), run)


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


def unnamed(kind: str, text: str, credentials: tuple[str, str] = ("1000.CLIENT", "secret")) -> Row:
    """A row without a user that is found by this text, under these client credentials.

    Args:
        kind: The field that finds it.
        text: The value of that field.
        credentials: Client id and client secret.

    Returns:
        The row.
    """
    client = {} if kind == "access_token" else dict(zip(CLIENT, credentials, strict=True))
    return Row(**client, redirect_url="https://example.com/lone").but(**{kind: text})


def renewal(row: Row) -> Row:
    return key_of(row).but(expires_in=LATER)


def narrowed(workspace: Workspace, whole: Callable[[], None], parts: Iterable[Callable[[], None]]) -> None:
    """Run a check of many texts at once; where it fails, tell of the one text that is the cause.

    Args:
        workspace: The workspace of the check.
        whole: Checks all texts at once.
        parts: Check a text each.
    """
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
class Able:
    """What a store can do with plain rows.

    What it cannot do with them is another fault, of which these clauses say nothing.

    Attributes:
        ways: Ways of reading, each with a kind of key, that show a row as it was saved.
        in_place: Kinds of key by which a row is updated in place.
    """

    ways: frozenset[tuple[str, str]]
    in_place: frozenset[str]

    def listed(self) -> Able:
        """The same with the listing as the only way of reading, where it is one."""
        return replace(self, ways=frozenset(way for way in self.ways if way[0] == LISTING) or self.ways)


def what_works(workspace: Workspace, fields: Sequence[str] = TEXTS) -> Able:
    """Try the store with rows that have nothing awkward; leaves nothing open.

    Args:
        workspace: The workspace of the check.
        fields: The fields that have to come back.

    Returns:
        The ways of reading that show such rows, and the kinds of rows.
    """
    store = workspace.open()
    rows = [row.but(redirect_url=row.redirect_url or ANN.redirect_url) for row in ONE_OF_EACH_KEY]
    asked = held(store, rows)
    ways = _shown(store, asked, fields)
    shows = f"{LISTING}, {BY_ID} or {FIND} shows {format_row(ANN)} as it was saved"
    require(workspace, ways, shows, "none does")
    in_place = set()
    now = {one.id: one.plain() for one in store.rows()}
    for id, row in asked:
        answer = store.try_save(renewal(row)).answer
        before, now = now, {one.id: one.plain() for one in store.rows()}
        # That an update replaces the whole row is the matter of SAVE-13.
        whole = id not in before or (
            id in now and before[id].updated_by(renewal(row)).only(*TEXTS) == now[id].only(*TEXTS)
        )
        if answer.raised is None and now.keys() == before.keys() and whole:
            in_place.add(_kind(row))
    updated = [(id, row.updated_by(renewal(row))) for id, row in asked if _kind(row) in in_place]
    ways = {way for way in ways if way[1] not in in_place} | (ways & _shown(store, updated, fields))
    require(workspace, ways, shows, "none does")
    workspace.fresh_examples()
    return Able(frozenset(ways), frozenset(in_place))


def _shown(
    store: StoreHandle, rows: Sequence[tuple[Any, Row]], fields: Sequence[str]
) -> set[tuple[str, str]]:
    """The ways of reading, each with a kind of key, that show these rows so."""
    return {
        (way, _kind(row))
        for way in (LISTING, BY_ID, FIND)
        for (_, row), seen in zip(rows, _read(store, way, rows), strict=True)
        if isinstance(seen, Row) and seen.plain().only(*fields) == row.only(*fields)
    }


def keep_rows(
    workspace: Workspace,
    able: Able,
    rows: Sequence[Row],
    updates: Sequence[Row] = (),
    fields: Sequence[str] = TEXTS,
) -> None:
    """New rows, and then their updates, read as they were saved.

    Args:
        workspace: The workspace of the check.
        able: What works with plain rows.
        rows: The new rows.
        updates: A token for each of them, with the key of its row; or nothing.
        fields: Which fields are compared.
    """
    if active().one_slot and len(rows) > 1:
        for place, row in enumerate(rows):
            keep_rows(workspace, able, [row], updates[place : place + 1], fields)
            workspace.fresh_examples()
        return
    store = workspace.open()
    before = store.holding(*company(ANN, BOB))
    passed = [store.save(row) for row in rows]
    new = store.expect(before, new=len(rows), because=f"a new row for each of {len(rows)} new tokens")
    ids = [_id_among(saved, new) for saved in passed]
    renewed = [
        (id, row, update)
        for id, row, update in zip(ids, rows, updates, strict=False)
        if _kind(row) in able.in_place
    ]
    # Where there are many, those that are looked up when they are updated are only listed now.
    every_way = len(renewed) < len(rows) or len(rows) == 1
    _read_as(store, able if every_way else able.listed(), ids, rows, fields)
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


def held(store: StoreHandle, rows: Sequence[Row]) -> list[tuple[Any, Row]]:
    """Arrange: these rows are stored.

    Args:
        store: The open store.
        rows: The rows.

    Returns:
        Each with the id that it has got.
    """
    return [(one.id, row) for one, row in zip(store.holding(*rows), rows, strict=True)]


def _read(store: StoreHandle, way: str, rows: Sequence[tuple[Any, Row]]) -> list[Row | str]:
    """What a way of reading shows of these ids and rows; a text where it shows none."""
    return [row_of(token, answer) for token, answer in read_tokens(store, way, rows)]


def read_tokens(store: StoreHandle, way: str, rows: Sequence[tuple[Any, Row]]) -> list[tuple[Any, Answer]]:
    """Read stored rows in one way.

    Args:
        store: The open store.
        way: How the rows are read: the list, or a look-up for each.
        rows: The id of each stored row, and the row as it was saved.

    Returns:
        For each row the token that was read, and the answer that it came from.
    """
    if way == LISTING:
        answer = store.call(LISTING)
        listed = answer.returned if isinstance(answer.returned, list) else []
        by_id = {(row := to_row(token)).id or key_of(row): token for token in listed if readable(token)}
        return [(by_id.get(id or key_of(row)), answer) for id, row in rows]
    if way == BY_ID:
        answers = [store.call(BY_ID, id) for id, _ in rows]
    else:
        answers = [store.find_quietly(key_of(row)) for _, row in rows]
    return [(answer.returned, answer) for answer in answers]


def readable(token: Any) -> bool:
    try:
        to_row(token)
    except Exception:
        return False
    return True


def row_of(token: Any, answer: Answer) -> Row | str:
    """What was read, as a row.

    Args:
        token: What was read.
        answer: The answer that it came from.

    Returns:
        The row; where it cannot be read, the answer in words.
    """
    return to_row(token) if readable(token) else str(answer)


def _read_as(
    store: StoreHandle,
    able: Able,
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
                if want != got:  # there are many: the words are made where they are needed
                    came = f"from {way} it comes back as {text_in_words(got)}"
                    store.workspace.fail(f"{name} comes back as {text_in_words(want)}", came)


def text_in_words(text: Any) -> str:
    """A text for a message, with its code points where characters can look like others."""
    if not isinstance(text, str) or text.isascii() or len(text) > 60:
        return format_value(text)
    return f"{format_value(text)} ({text!a})"
