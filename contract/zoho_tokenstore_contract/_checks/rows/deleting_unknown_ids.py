"""DEL-3: what is no id removes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from hypothesis.strategies import lists

from ..._drivers.hypothesis_examples import explore
from ..._harness.row_acts import bring_rows, inserts
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    CROWD_TEXTS,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    guests,
    near_ids,
    newcomer,
)
from ..tricky_strings import NUMERALS, TRAPS, texts

HOSTILE = (
    *("0 or 1=1", "1; drop table oauthtoken", "1; delete from oauthtoken", "' or '1'='1", "' or 1=1 --"),
    *('" or ""="', "1' --", "') or ('1'='1", "1) or (1=1", "id or id=id", "rowid", "true", "%d"),
    *("x' union select id from oauthtoken --", ".*", "[0-9]", ".", ".."),
)
"""Ids that empty a table or match a pattern where a store does not quote them, beside the `TRAPS`."""


@check("DEL-3")
def none_removes_nothing(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    store.call("delete_token", None)
    store.expect(because="None is nobody's id: nothing is removed")
    _works_on(store)


@check("DEL-3")
def hostile_text_removes_nothing(workspace: Workspace) -> None:
    in_turn = workspace.sut.pace.in_turn
    _spares(workspace, ONE_OF_EACH_KEY, lambda _: (*HOSTILE, *in_turn(NUMERALS, 0), *in_turn(TRAPS, 0)))


@check("DEL-3")
def what_looks_like_a_stored_id_removes_nothing(workspace: Workspace) -> None:
    def near(rows: Sequence[Row]) -> Iterator[str]:
        yield from CROWD_TEXTS  # what another field holds is no id
        for turn, row in enumerate((rows[0], rows[len(rows) // 2], rows[-1])):
            yield from workspace.sut.pace.in_turn(near_ids(str(row.id)), turn)

    # Twelve rows and more: where ids are numbers, one is then the beginning of another.
    _spares(workspace, ONE_OF_EVERY_KIND, near)


@check("DEL-3")
def what_looks_like_an_id_that_was_brought_removes_nothing(workspace: Workspace) -> None:
    def near(rows: Sequence[Row]) -> Iterator[str]:
        for turn, row in enumerate(row for row in rows[2:] if isinstance(row.id, str)):
            ids = (*near_ids(row.id), "e\u0301", "e", "a_b", "a?b")
            yield from workspace.sut.pace.in_turn(ids, turn)

    _spares(workspace, (ANN, ACCESS), near, brought=("abc", "ABc", "é", "7", "a%b", "axb", "ab"))


@check("DEL-3")
def any_text_that_is_no_id_removes_nothing(workspace: Workspace) -> None:
    some = lists(texts(), min_size=1, max_size=6)
    explore(workspace, 25, some, lambda ids: _spares(workspace, (ANN, ACCESS), lambda _: ids))


def _spares(
    workspace: Workspace,
    kept: Sequence[Row],
    ids_of: Callable[[Sequence[Row]], Iterable[str]],
    brought: Sequence[str] = (),
) -> None:
    """Ids that no row has remove nothing: all of them in a row, and one by one where something changed."""

    def delete(each: bool) -> StoreHandle:
        store = workspace.holding(*kept)
        bring_rows(store, guests(*brought))
        store.kept = store.rows()
        stored = {row.id for row in store.kept}
        for id in dict.fromkeys(ids_of(store.kept)):
            if id in stored:
                continue
            answer = store.call("delete_token", id)
            if answer.raised is not None and not answer.refused:
                workspace.fail("delete_token removes nothing, or raises SDKException", str(answer))
            if each:
                store.expect(because=f"no row has exactly the id {format_value(id)}: none is removed")
        return store

    store = delete(each=False)
    if Counter(store.rows()) != Counter(store.kept):
        workspace.fresh_examples()
        store = delete(each=True)
    _works_on(store)


def _works_on(store: StoreHandle) -> None:
    """A new user can be saved."""
    inserts(store, newcomer("afterwards"), "the store works on: a new user is one new row")
