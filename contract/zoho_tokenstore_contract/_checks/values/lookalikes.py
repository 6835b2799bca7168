"""VALUE-6, VALUE-7: texts that look alike are different texts; SAVE-10: so are clients that do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from typing import Any

from hypothesis import strategies

from ..._drivers.hypothesis_examples import explore
from ..._harness.calls import Answer
from ..._harness.store_limits import Pool, active, batches
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row, format_value, to_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, CLIENT, DOMAIN, GRANT, REFRESH, key_of, person
from ..tricky_strings import FAMILIES, lookalikes
from .round_trip import KINDS, narrowed, readable, renewal, text_in_words


@check("VALUE-6")
def tokens_that_look_alike_are_different_tokens(workspace: Workspace) -> None:
    for turn, kind in enumerate(KINDS[1:]):
        _families_stay_apart(workspace, kind, workspace.sut.pace.in_turn(FAMILIES, turn))


@check("VALUE-6")
def any_two_tokens_that_look_alike_are_different(workspace: Workspace) -> None:
    _any_stay_apart(workspace, KINDS[1:])


SEPARATORS = ("", *":|/-_.,;# &=@~+", "::", "||", "--", "__", "\t", "\n", "\x1f", "', '", '","', "%3A")
"""What stands between the parts of a key that somebody makes of client id, secret and token."""


@check("VALUE-6")
def secret_and_token_that_run_together_are_two(workspace: Workspace) -> None:
    _run_together(workspace, lambda sep: (("c", f"s{sep}t", "u"), ("c", "s", f"t{sep}u")))


@check("SAVE-10")
def client_id_and_secret_that_run_together_are_two(workspace: Workspace) -> None:
    _run_together(workspace, lambda sep: ((f"c{sep}d", "s", "t"), ("c", f"d{sep}s", "t")))


def _run_together(
    workspace: Workspace, pair_of: Callable[[str], tuple[tuple[str, str, str], tuple[str, str, str]]]
) -> None:
    """Tokens that are the same text once client id, secret and token are joined are two rows."""
    pairs = [
        [
            Row(client_id=f"{number}{id}", client_secret=secret, **{kind: f"{token}{kind[0]}{number}"})
            for id, secret, token in pair_of(separator)
        ]
        for turn, kind in enumerate(KINDS[2:])
        for number, separator in enumerate(workspace.sut.pace.in_turn(Pool(SEPARATORS), turn))
    ]
    for some in batches([pair[0] for pair in pairs]):
        mine = [pair for pair in pairs if pair[0] in some]
        whole = partial(_are_two, workspace, [row for pair in mine for row in pair])
        narrowed(workspace, whole, [partial(_are_two, workspace, pair) for pair in mine])


def _are_two(workspace: Workspace, rows: Sequence[Row]) -> None:
    store = workspace.open()
    for row in rows:
        store.save(row)
    stored = store.holding(GRANT, REFRESH)  # beside as many: what is not found then is for FIND-3 and FIND-4
    finds = all(_found_id(store.find_quietly(key_of(row))) == row.id for row in stored)
    what = f"one new row for {format_row(rows[0])} and one for {format_row(rows[1])}, which share no key"
    new = {row.but(id=None): row.id for row in store.expect(stored, new=len(rows), because=what)}
    for row in rows if finds else ():
        found = store.found(row)
        if row in new and (found is None or found.id != new[row]):
            seen = found and f"the id {format_value(found.id)}, not {format_value(new[row])}"
            workspace.fail(f"find_token finds the row that was saved for {format_row(row)}", str(seen))


@check("VALUE-7")
def user_names_that_look_alike_are_different_users(workspace: Workspace) -> None:
    _families_stay_apart(workspace, "user_name", FAMILIES)


@check("VALUE-7")
def any_two_user_names_that_look_alike_are_different(workspace: Workspace) -> None:
    _any_stay_apart(workspace, KINDS[:1])


def _families_stay_apart(workspace: Workspace, kind: str, some: Sequence[Sequence[str]]) -> None:
    """Families of texts at once; where something differs, family by family, and then two by two."""
    families = [rows for family in some if len(rows := _of_a_kind(kind, Pool(family))) > 1]
    for batch in batches([row for rows in families for row in rows]):
        if not _seem_apart(workspace, kind, batch):
            break
        workspace.fresh_examples()
    else:
        return
    for rows in families:
        workspace.fresh_examples()
        parts = [partial(_stay_apart, workspace, kind, pair) for pair in permutations(rows, 2)]
        narrowed(workspace, partial(_stay_apart, workspace, kind, rows), parts)


def _any_stay_apart(workspace: Workspace, kinds: Sequence[str]) -> None:
    def run(example: tuple[str, tuple[str, str]]) -> None:
        kind, pair = example
        _stay_apart(workspace, kind, _of_a_kind(kind, pair))

    examples = 10 if len(kinds) == 1 else 16
    explore(workspace, examples, strategies.tuples(strategies.sampled_from(kinds), lookalikes()), run)


def _of_a_kind(kind: str, family: Sequence[str]) -> list[Row]:
    """A row for each text, with that text as what it is found by."""
    if kind == "user_name":
        return [person(f"alike{place}", user_name=text) for place, text in enumerate(family)]
    client = {} if kind == "access_token" else CLIENT
    own = [
        {"expires_in": f"19000000001{place:02d}", "api_domain": f"{DOMAIN}/{place}"}
        for place in range(len(family))
    ]
    return [Row(**client, **fields, **{kind: text}) for fields, text in zip(own, family, strict=True)]


_WITNESS = {"user_name": ANN, "access_token": ACCESS, "grant_token": GRANT, "refresh_token": REFRESH}


def _seem_apart(workspace: Workspace, kind: str, rows: Sequence[Row]) -> bool:
    """Whether all goes as it should where rows are listed only when all are saved, and when some are updated.

    Every other row is looked for before it is saved, beside those that look like it, and updated.
    """
    store = workspace.open()
    [witness] = store.holding(_WITNESS[kind])
    ids: dict[Row, Any] = {}
    for turn, some in enumerate((rows[::2], rows[1::2])):
        for row in some if turn else ():
            missed = store.find_quietly(key_of(row))
            if missed.raised or missed.returned is not None:
                return False
        for row in some:
            saved = store.try_save(row)
            if saved.answer.raised:
                return False
            ids[row] = saved.passed_after.id
    stored = {row: row.but(id=id) for row, id in ids.items()}
    if not _are(store.rows(), [witness, *stored.values()]):
        return False
    for row in rows[1::2]:
        if store.try_save(renewal(row)).answer.raised:
            return False
        stored[row] = stored[row].updated_by(renewal(row))
    found = all(_found_id(store.find_quietly(key_of(row))) == id for row, id in ids.items())
    return found and _are(store.rows(), [witness, *stored.values()])


def _are(seen: Sequence[Row], wanted: Sequence[Row]) -> bool:
    return len(seen) == len(wanted) and all(row in seen for row in wanted)


def _stay_apart(workspace: Workspace, kind: str, rows: Sequence[Row]) -> None:
    """Each is missed until it is saved, saved as a new row, found as itself, updated alone."""
    store = workspace.open()
    stored = store.holding(_WITNESS[kind])
    key = key_of(_WITNESS[kind])
    finds = active().finds(key) and _found_id(store.find_quietly(key)) == (stored[0].id or key)
    ids: list[Any] = []

    def found_that_of(id: Any) -> str:
        return f"it found that of {text_in_words(getattr(rows[ids.index(id)], kind))}"

    for row in rows:
        text = text_in_words(getattr(row, kind))
        found = _found_id(store.find_quietly(key_of(row)))
        if finds and found is not None and found in ids:
            expected = f"no row has exactly the {kind} {text}, so find_token returns None"
            workspace.fail(expected, found_that_of(found))
        ids.append(store.save(row).passed_after.id)
    texts = ", ".join(text_in_words(getattr(row, kind)) for row in rows)
    because = f"one new row each, for no two have exactly the same {kind}: {texts}"
    stored += store.expect(stored, new=len(rows), because=because)
    for place, row in enumerate(rows):
        found = _found_id(store.find_quietly(key_of(row)))
        if finds and found != ids[place] and found in ids:
            expected = f"find_token finds the row of the {kind} {text_in_words(getattr(row, kind))}"
            workspace.fail(expected, found_that_of(found))
        store.try_save(renewal(row))
        now = store.rows()
        for other in stored:
            if ids[place] is not None and other.id != ids[place] and other not in now:
                saved, left = (text_in_words(getattr(one, kind)) for one in (row, other))
                seen = next((format_row(one) for one in now if one.id == other.id), "it is gone")
                workspace.fail(f"saving the {kind} {saved} leaves the row of {left} as it was", seen)
        stored = now


def _found_id(answer: Answer) -> Any:
    return to_row(answer.returned).id if readable(answer.returned) else None
