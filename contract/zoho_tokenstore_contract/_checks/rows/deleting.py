"""DEL and CLEAR: what ``delete_token`` and ``delete_tokens`` remove."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis.strategies import lists

from ..._drivers.examples import explore
from ..._harness.calls import Answer, TokenCall
from ..._harness.messages import format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, absent, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLEO,
    CROWD_TEXTS,
    DAN,
    EVE,
    GRANT,
    GUS,
    LATE_ACCESS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WITH_CLIENT,
    by_each_token,
    key_of,
    person,
    pool,
)
from ..tricky_strings import COLUMNS, texts

BROUGHT_IDS = ("abc", "A-1", "user name", "007", "1e3", "x'y", "%", "_", "id", "é", "None")
"""Ids of at most ten characters that a token may bring, some of which a store may refuse."""

UNKNOWN_IDS = (
    "unknown",
    "999999999",
    "9" * 20,
    "00000000",
    "-5",
    "0",
    "1000.ann.access",
    "ann@example.com:77",
)

HOSTILE = (
    *COLUMNS,
    "1 or 1=1",
    "0 or 1=1",
    "1; drop table oauthtoken",
    "1; delete from oauthtoken",
    "' or '1'='1",
    "' or 1=1 --",
    '" or ""="',
    "1' --",
    "') or ('1'='1",
    "1) or (1=1",
    "id or id=id",
    "x' union select id from oauthtoken --",
    "%",
    "_",
    "*",
    "?",
    ".*",
    "[0-9]",
    "'",
    '"',
    "`",
    "\\",
    "--",
    ";",
    ",",
    "/",
    ".",
    "..",
    "{}",
    "%s",
    "%d",
    "{0}",
    ":id",
    "rowid",
    "null",
    "NULL",
    "None",
    "True",
    "true",
    "nan",
    "inf",
    " ",
    "\t",
    "\n",
    "\r\n",
    "😀",
    "\u200b",
    "\ufeff",
)
"""Ids that empty a table, match a pattern or mean a column where a store does not quote them."""


def _twisted(id: object) -> tuple[str, ...]:
    """What is made of a stored id, is not stored, and is taken for it by a loose store."""
    text = str(id)
    wide = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)
    return (
        f" {text}",
        f"{text} ",
        f"{text}\n",
        f"{text}\t",
        f"0{text}",
        f"{text}.0",
        f"{text}e0",
        f"+{text}",
        f"{text}_",
        f"{text[:1]}_{text[1:]}",
        f"{text}%",
        f"{text[:-1]}%",
        f"{text[:-1]}_",
        f"{text[:-1]}?",
        f"({text})",
        f"'{text}'",
        f'"{text}"',
        f"{text}'",
        f"{text} or 1=1",
        f"{text}' or '1'='1",
        f"{text}; drop table oauthtoken",
        f"{text}--",
        f"{text},{text}",
        f"{text}\u200b",
        f"\ufeff{text}",
        text * 2,
        text[:-1] or "1",
        text.swapcase(),
        wide,
    )


@check("DEL-1")
def deleting_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    # The first, the last, then the middle ones, until none is left.
    for row in (rows[0], rows[-1], *rows[1:-1][::2], *rows[2:-1][::2]):
        _delete(store, rows, row)


@check("DEL-1")
def deleting_from_the_end_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    for row in rows[::-1]:
        _delete(store, rows, row)


@check("DEL-1")
def a_row_is_deleted_by_the_id_that_its_token_carries(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EACH_KEY]
    rows = store.showing(passed)
    for saved, row in list(zip(passed, rows, strict=True)):
        if saved.passed_after.id == row.id:  # SAVE-2 says otherwise
            _delete(store, rows, row)


@check("DEL-1")
def rows_with_ids_that_their_tokens_brought_are_deleted(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(ANN, ACCESS)
    brought = _bring(store, rows, BROUGHT_IDS)
    for row in brought[1::2] + brought[::2]:
        _delete(store, rows, row)


def _delete(store: StoreHandle, rows: list[Row], row: Row) -> None:
    """Delete one row; `rows` shrinks by it."""
    answer = store.call("delete_token", row.id)
    if answer.raised is not None:
        store.workspace.fail(f"delete_token removes the row with the id {format_value(row.id)}", str(answer))
    store.expect(rows, gone=[row], because=f"the row with the id {format_value(row.id)} is gone and no other")
    rows.remove(row)


def _bring(store: StoreHandle, rows: list[Row], ids: Iterable[str]) -> list[Row]:
    """Save a token with each of these ids, as far as the store takes them; `rows` grows by them."""
    brought = []
    for number, id in enumerate(ids):
        if any(row.id == id for row in rows):
            continue  # the store itself gives such ids
        store.try_save(person(f"guest{number}", id=id))
        new = [row for row in store.rows() if row not in rows]
        # Ids that the store refuses or replaces are the matter of SAVE-3.
        brought += [row for row in new if row.id == id]
        rows += new
    return brought


@check("DEL-2")
def an_id_that_is_not_stored_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    for id in UNKNOWN_IDS:
        if all(row.id != id for row in rows):
            _removes_nothing(store, rows, id)


@check("DEL-2")
def deleting_twice_removes_one_row(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    for row in (rows[-1], rows[0], rows[2]):
        store.call("delete_token", row.id)
        if row in store.rows():
            workspace.fail("the row is gone", format_row(row), precondition_failed=True)
        rows.remove(row)
        _removes_nothing(store, rows, row.id)
        _removes_nothing(store, rows, row.id)
    store.clear()
    if left := store.rows():
        workspace.fail("no row after delete_tokens", format_rows(left), precondition_failed=True)
    for row in rows:
        _removes_nothing(store, [], row.id)


@check("DEL-2")
def deleting_from_an_empty_store_is_allowed(workspace: Workspace) -> None:
    store = workspace.open()
    for id in ("1", "unknown"):
        _removes_nothing(store, [], id)
    store.holding(ANN)


def _removes_nothing(store: StoreHandle, rows: list[Row], id: str) -> None:
    answer = store.call("delete_token", id)
    if answer.raised is not None and not answer.refused:
        store.workspace.fail("delete_token returns None or raises SDKException", str(answer))
    if answer.raised is None and answer.returned is not None:
        store.workspace.fail("delete_token returns None or raises SDKException", str(answer))
    store.expect(rows, because=f"no row has the id {format_value(id)}, so none is removed")


@check("DEL-3")
def none_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    store.call("delete_token", None)
    store.expect(rows, because="None is nobody's id: nothing is removed")
    _works_on(store, rows)


@check("DEL-3")
def hostile_text_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    for id in HOSTILE:
        _spares(store, rows, id)
    _works_on(store, rows)


@check("DEL-3")
def what_looks_like_a_stored_id_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    # Twelve rows and more: where ids are numbers, one is then the beginning of another.
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        for id in _twisted(row.id):
            _spares(store, rows, id)
    _works_on(store, rows)


@check("DEL-3")
def what_another_field_holds_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    for text in CROWD_TEXTS:
        _spares(store, rows, text)
    _works_on(store, rows)


@check("DEL-3")
def what_looks_like_an_id_that_was_brought_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(ANN, ACCESS)
    for row in _bring(store, rows, ("abc", "ABc", "é", "7", "a%b", "axb", "ab")):
        for id in (*_twisted(row.id), row.id.upper(), "e\u0301", "e", "a_b", "a?b"):
            _spares(store, rows, id)
    # Whether tokens can be saved beside such ids is the matter of SAVE-3.


@check("DEL-3")
def any_text_that_is_no_id_removes_nothing(workspace: Workspace) -> None:
    def run(ids: list[str]) -> None:
        store = workspace.open()
        rows = store.holding(ANN, ACCESS)
        for id in ids:
            _spares(store, rows, id)
        _works_on(store, rows)

    explore(workspace, 25, lists(texts(), min_size=1, max_size=6), run)


def _spares(store: StoreHandle, rows: list[Row], id: str) -> None:
    """A hostile id removes nothing, if no row happens to have it."""
    if any(row.id == id for row in rows):
        return
    answer = store.call("delete_token", id)
    if answer.raised is not None and not answer.refused:
        store.workspace.fail("delete_token removes nothing, or raises SDKException", str(answer))
    store.expect(rows, because=f"no row has exactly the id {format_value(id)}, so none is removed")


def _works_on(store: StoreHandle, rows: list[Row]) -> None:
    """A new user can be saved."""
    store.save(person("afterwards"))
    store.expect(rows, new=1, because="the store works on: a new user is one new row")


@check("DEL-4")
def a_deleted_token_is_found_by_no_lookup(workspace: Workspace) -> None:
    for place in range(len(_LONERS)):
        store = workspace.open()
        rows = store.holding(*_LONERS)
        row = rows[place]
        lookups = _lookups(row)
        working = [lookup for lookup in lookups if _hits(row, _look(store, lookup))]
        store.call("delete_token", row.id)
        for lookup in working:
            answer = _look(store, lookup)
            if _hits(row, answer):
                workspace.fail(
                    f"the deleted token is not found by {_by(lookup)}",
                    str(answer),
                )
        left = [other for other in store.rows() if other.id == row.id or _same_token(other, row)]
        if left:
            workspace.fail("the deleted token is not listed", format_row(left[0]))
        workspace.fresh_examples()


@check("DEL-4")
def a_deleted_user_can_be_saved_again(workspace: Workspace) -> None:
    for deleted in ((ANN,), (GUS,), (DAN, ANN), _LONERS):
        store = workspace.open()
        rows = store.holding(*_LONERS)
        for gone in deleted:
            row = _row_of(workspace, rows, gone)
            _removed(store, row)
            rows.remove(row)
        for gone in deleted:
            # Less than what was deleted: nothing of the old row may come back.
            sent = key_of(gone)
            if gone.user_name is not None:
                sent = Row(user_name=gone.user_name, refresh_token=f"{gone.refresh_token}.again")
            store.save(sent)
            new = store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
            if extra := [name for name in new[0].but(id=None).present() if name not in sent.present()]:
                workspace.fail(
                    f"nothing but {format_row(sent)} in the new row", f"it has {', '.join(extra)} too"
                )
            rows += new
        workspace.fresh_examples()


@check("DEL-4")
def a_deleted_user_is_one_row_also_when_saved_with_the_deleted_id(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in pool(ANN, GUS, ACCESS, BOB)]
    rows = store.showing(passed)
    for saved, row in list(zip(passed, rows, strict=True)):
        _removed(store, row)
        rows.remove(row)
        # The very token again: the SDK goes on with the object that it has.
        again = store.try_save_token(saved.token)
        if again.answer.raised is not None:
            workspace.fail("the deleted token can be saved again", str(again.answer))
        new = store.expect(rows, new=1, because=f"one new row for {format_row(saved.sent)}")
        if new[0].but(id=None) != row.but(id=None):
            workspace.fail(f"a row with {format_row(row.but(id=None))}", format_row(new[0]))
        rows += new


_LONERS = (ANN, ACCESS, BOB, GRANT, REFRESH, DAN, EVE, LATE_GRANT, LATE_ACCESS, LATE_REFRESH, GUS)
"""Tokens of every kind, no two of which share what they are found by."""


def _row_of(workspace: Workspace, rows: list[Row], wanted: Row) -> Row:
    row = next((row for row in rows if _same_token(row, wanted)), None)
    if row is None:
        workspace.fail(f"a row of {format_row(key_of(wanted))}", format_rows(rows), precondition_failed=True)
    return row


def _same_token(row: Row, other: Row) -> bool:
    return key_of(row) == key_of(other)


def _lookups(row: Row) -> list[Row | str]:
    """Everything that finds a row: tokens for ``find_token``, the id itself for the other."""
    lookups: list[Row | str] = [row.id, Row(id=row.id)]
    if row.user_name is not None:
        lookups.append(row.only("user_name"))
    if row.access_token is not None:
        lookups.append(row.only("access_token"))
    if row.client_id is not None:
        lookups += [
            row.only("client_id", "client_secret", name)
            for name in ("grant_token", "refresh_token")
            if getattr(row, name) is not None
        ]
    return [*lookups, row]


def _look(store: StoreHandle, lookup: Row | str) -> Answer:
    if isinstance(lookup, Row):
        return store.find_quietly(lookup)
    return store.call("find_token_by_id", lookup)


def _hits(row: Row, answer: Answer) -> bool:
    """Whether an answer is a token with the row's id."""
    get_id = getattr(answer.returned, "get_id", None)
    return get_id is not None and get_id() == row.id


def _by(lookup: Row | str) -> str:
    return format_row(lookup) if isinstance(lookup, Row) else f"the id {format_value(lookup)}"


def _removed(store: StoreHandle, row: Row) -> None:
    """Arrange: the row is deleted."""
    answer = store.call("delete_token", row.id)
    if answer.raised is not None or row in store.rows():
        store.workspace.fail(f"delete_token removes {format_row(row)}", str(answer), precondition_failed=True)


@check("DEL-5")
def the_id_of_a_deleted_row_is_never_given_again(workspace: Workspace) -> None:
    for order in (slice(None, None, -1), slice(None), slice(-1, None), slice(0, 1), slice(1, None)):
        store = workspace.open()
        passed = [store.save(row) for row in NAMED]
        rows = store.showing(passed)
        gone = rows[order]
        for row in gone:
            _removed(store, row)
        _gives_new_ids(store, {row.id for row in gone})
        workspace.fresh_examples()


@check("DEL-5")
def an_id_is_not_given_again_when_deleting_and_saving_take_turns(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(ANN, BOB)
    gone = set()
    for number in range(12):
        row = rows.pop()
        _removed(store, row)
        gone.add(row.id)
        saved = store.save(person(f"turn{number}"))
        _is_new(store, saved, gone)
        rows += store.expect(rows, new=1, because="one new row")


@check("DEL-5")
def no_id_is_given_again_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    gone = {row.id for row in store.holding(*NAMED)}
    for _ in range(2):
        _cleared(store)
        saved = _gives_new_ids(store, gone)
        gone |= {one.passed_after.id for one in saved}


@check("DEL-5")
def an_id_that_a_token_brought_is_not_given_after_its_row_is_deleted(workspace: Workspace) -> None:
    for clears in (False, True):
        store = workspace.open()
        rows = store.holding(ANN, BOB)
        gone = {row.id for row in _bring(store, rows, _next_ids(rows))}
        if clears:
            _cleared(store)
            gone |= {row.id for row in rows}
        else:
            for row in [row for row in rows if row.id in gone]:
                _removed(store, row)
        _gives_new_ids(store, gone)
        workspace.fresh_examples()


@check("DEL-5", persistent=True)
def the_id_of_a_deleted_row_is_not_given_after_opening_again(workspace: Workspace) -> None:
    for clears in (False, True):
        for brings in (False, True):
            store = workspace.open()
            rows = store.holding(*NAMED)
            if brings:
                _bring(store, rows, _next_ids(rows))
            if clears:
                _cleared(store)
                gone = {row.id for row in rows}
            else:
                gone = {row.id for row in rows[2:]}
                for row in rows[:1:-1]:
                    _removed(store, row)
            store = workspace.reopen(store)
            _gives_new_ids(store, gone)
            workspace.fresh_examples()


def _next_ids(rows: list[Row]) -> list[str]:
    """Ids that a store which counts would give next, and soon after."""
    numbers = [int(row.id) for row in rows if isinstance(row.id, str) and row.id.isdecimal()]
    last = max(numbers, default=0)
    return [id for step in (1, 2, 5) if len(id := str(last + step)) <= 10]


def _gives_new_ids(store: StoreHandle, gone: set[str]) -> list[TokenCall]:
    """Other users get none of these ids."""
    passed = []
    for number in range(max(8, len(gone) + 2)):
        saved = store.save(person(f"later{number}"))
        _is_new(store, saved, gone)
        passed.append(saved)
    for row in store.showing(passed):
        if row.id in gone:
            store.workspace.fail("no id of a deleted row", format_row(row))
    return passed


def _is_new(store: StoreHandle, saved: TokenCall, gone: set[str]) -> None:
    if saved.passed_after.id in gone:
        store.workspace.fail(
            "an id that no deleted row had",
            f"{format_value(saved.passed_after.id)} for {format_row(saved.sent)}",
        )


def _cleared(store: StoreHandle) -> None:
    """Arrange: nothing is stored any more."""
    answer = store.clear()
    if answer.raised is not None or store.rows():
        store.workspace.fail("delete_tokens removes every row", str(answer), precondition_failed=True)


@check("CLEAR-1")
def delete_tokens_removes_every_row(workspace: Workspace) -> None:
    for rows in (ONE_OF_EVERY_KIND, pool(ANN), pool(ACCESS), pool(WITH_CLIENT, CLEO)):
        store = workspace.open()
        kept = store.holding(*rows)
        _clears(store, kept)
        workspace.fresh_examples()


@check("CLEAR-1")
def rows_that_were_updated_or_brought_their_ids_are_removed_too(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    _bring(store, rows, ("abc", "x'y", "0"))
    store.try_save(Row(user_name=ANN.user_name, access_token="1000.new.access"))
    _clears(store, store.rows())


@check("CLEAR-1")
def delete_tokens_is_no_error_on_an_empty_store(workspace: Workspace) -> None:
    store = workspace.open()
    _clears(store, [])
    _clears(store, [])
    kept = store.holding(ANN)
    _clears(store, kept)
    _clears(store, [])


@check("CLEAR-1")
def a_store_emptied_one_by_one_can_be_cleared(workspace: Workspace) -> None:
    store = workspace.open()
    for row in store.holding(ANN, REFRESH):
        _removed(store, row)
    _clears(store, [])


def _clears(store: StoreHandle, rows: list[Row]) -> None:
    answer = store.clear()
    if answer.raised is not None:
        store.workspace.fail("delete_tokens removes every row", str(answer))
    store.expect(rows, gone=rows, because="no row is left after delete_tokens")
    for row in rows:
        found = store.call("find_token_by_id", row.id)
        if _hits(row, found):
            store.workspace.fail(
                f"no token has the id {format_value(row.id)} after delete_tokens", str(found)
            )
        by_name = [] if absent(row.user_name) else [row.only("user_name")]
        for asked in (*by_name, *by_each_token(row)):
            if (answer := store.find_quietly(asked)).returned is not None:
                store.workspace.fail(f"{format_row(asked)} finds nothing after delete_tokens", str(answer))


@check("CLEAR-1")
def what_was_found_before_delete_tokens_is_found_no_more(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    found = [(row, lookup) for row in rows for lookup in _lookups(row) if _hits(row, _look(store, lookup))]
    _clears(store, rows)
    for row, lookup in found:
        if _hits(row, answer := _look(store, lookup)):
            workspace.fail(
                f"{_by(lookup)}, which found a row before, finds nothing after delete_tokens", str(answer)
            )


@check("CLEAR-2")
def the_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    old = store.holding(*ONE_OF_EVERY_KIND)
    finds = store.find_quietly(key_of(ANN)).returned is not None
    for _ in range(2):
        _cleared(store)
        rows: list[Row] = []
        for sent, was in list(zip(ONE_OF_EVERY_KIND, old, strict=True))[::-1]:
            store.save(sent)
            new = store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
            if new[0].but(id=None) != was.but(id=None):
                workspace.fail(f"a row like {format_row(was)}, as before", format_row(new[0]))
            rows += new
        if len({row.id for row in rows}) != len(rows):
            workspace.fail("an id of its own for each row", ", ".join(format_value(row.id) for row in rows))
        if finds and store.found(key_of(ANN)) is None:
            workspace.fail("a user saved after delete_tokens is found", "find_token returned None")


@check("CLEAR-2")
def an_empty_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    for _ in range(2):
        answer = store.clear()
        if answer.raised is not None:
            workspace.fail("delete_tokens works on an empty store", str(answer), precondition_failed=True)
    rows: list[Row] = []
    for row in ONE_OF_EACH_KEY:
        store.save(row)
        rows += store.expect(rows, new=1, because=f"one new row for {format_row(row)}")
