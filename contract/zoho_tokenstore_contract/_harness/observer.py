"""Every way of finding the rows of a store, before and after an act: what was found once is found anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._spec.clause_results import StoreUnavailable
from .._spec.model import Call, State, decided, expectation, observe, state_of, successors
from .._spec.tokens import Row, absent, field_as_far_as_it_reads, to_token
from .calls import Answer

if TYPE_CHECKING:
    from .store_handle import StoreHandle

NAME, ACCESS_KEY, GRANT_KEY, REFRESH_KEY = KEYS = (
    ("user_name",),
    ("access_token",),
    ("client_id", "client_secret", "grant_token"),
    ("client_id", "client_secret", "refresh_token"),
)
"""The fields by which ``find_token`` finds a row, each group by itself."""


def lookups_of(row: Row) -> list[Call]:
    """Every call that finds a row, and is decided whatever other rows there are."""
    whole = [row.only("id"), *keys_of(row), row]
    return [Call("find_token_by_id", row.id), *(Call("find_token", key) for key in whole)]


def keys_of(row: Row) -> list[Row]:
    """All that finds and updates a row, each by itself; not its id, which updates nothing that is decided."""
    return [row.only(*key) for key in KEYS if len(row.only(*key).present()) == len(key)]


class Observer:
    """Looks for rows in every way that the contract decides, again and again.

    A way that does not work at the beginning is the fault of another clause, and is left out from then on.
    Where only the passed token is not filled in as it should be [FIND-10], what is returned still counts.
    A way that works at first and no longer after an act leads to something stale: a cache, an index,
    a deleted row.
    """

    def __init__(self, store: StoreHandle, rows: Sequence[Row], of: Sequence[Row] | None = None) -> None:
        """Looks for the rows.

        Args:
            store: The store, which holds these rows and no others.
            rows: The rows as they read.
            of: Those of them that are looked for; by default all.
        """
        self._store = store
        self._asked: dict[Call, None] = {}
        self._rows = 0
        state = state_of(rows)
        self._note(state if of is None else of)
        first = [(call, _ask(self._store.call, state, call)) for call in self._asked]
        self._fills = all(one.right or not one.returns_right for _, one in first)
        self._broken = {_way(call) for call, one in first if not one.is_fine(filled=self._fills)}
        if self._broken:  # a store may save what it does not find [FIND-6]
            store.kept += (Counter(store.rows()) - Counter(store.kept)).elements()

    def look(self, rows: Sequence[Row], because: str, also: Sequence[Row] = ()) -> None:
        """Look for what was looked for before, and for more.

        Args:
            rows: The rows as they read now.
            because: What was done, in words, for the message.
            also: More rows to look for, stored ones and others.

        Raises:
            Violation: A way that worked before leads to something else than these rows.
        """
        state = state_of(rows)
        self._note(also)
        for call in self._asked:
            if self._is_broken(call):
                continue
            asked = _ask(self._store.call, state, call)
            if asked.is_fine(filled=self._fills) or self._errs_for_unknown(call, asked.answer):
                continue
            if self._errs_without_the_act(rows, call):
                self._broken.add(_way(call))
            else:
                self._store.workspace.fail(
                    f"{because}, {call} {expectation(state, call)}, for such calls did so before",
                    str(asked.answer),
                )

    def _is_broken(self, call: Call) -> bool:
        """Whether such a call, or one with nothing but the key that decides, did not work at first."""
        ways = {_way(call)}
        if isinstance(call.argument, Row):
            ways.update(tuple(key.present()) for key in keys_of(call.argument)[:1])
        return not ways.isdisjoint(self._broken)

    def _errs_for_unknown(self, call: Call, answer: Answer) -> bool:
        """Whether such a call answers so for what nobody ever stored: then nothing is stale [BYID-2, FIND-6].

        It raises as well, or gives a row as well; of a client that is known.
        """
        argument: Any = "unknown"
        if isinstance(call.argument, Row):
            unknown = dict.fromkeys({*call.argument.present()} - {"client_id", "client_secret"}, "unknown")
            argument = to_token(call.argument.but(**unknown))
        other = self._store.quietly(call.method, argument)
        if answer.raised is not None:
            return other.raised is not None
        return answer.returned is not None and other.returned is not None

    def _errs_without_the_act(self, rows: Sequence[Row], call: Call) -> bool:
        """Whether a new store that was given the same rows, one by one, answers such a call wrongly.

        Where the call names an id that is not stored, the rows bring their ids: none gets that one then.
        """
        workspace = self._store.workspace
        if not workspace.sut.own_storage:
            return False
        recorded = len(workspace.calls)
        try:
            other = workspace.open()
        except StoreUnavailable:
            return False
        argument: Any = call.argument
        named = argument.id if isinstance(argument, Row) else argument
        brings = not absent(named) and all(row.id != named for row in rows)
        ids = {}
        for row in rows:
            other.remember(row)
            for sent in ([row] if brings else []) + [row.but(id=None)]:
                token = to_token(sent)
                if other.quietly("save_token", token).raised is None:
                    break
            ids[row.id] = field_as_far_as_it_reads(token, "id")
        state = state_of([row.but(id=ids[row.id]) for row in rows])
        if isinstance(argument, Row):
            argument = argument.but(id=ids.get(argument.id, argument.id))
        else:
            argument = ids.get(argument, argument)
        asked = _ask(other.quietly, state, Call(call.method, argument))
        workspace.leave(other)
        del workspace.calls[recorded:]
        return not asked.is_fine(filled=self._fills)

    def _note(self, rows: Iterable[Row]) -> None:
        """Look for these rows too: in every way, or in another way each where the store is slow."""
        for row in rows:
            ways = self._store.workspace.sut.pace.in_turn(lookups_of(row), self._rows)
            self._asked.update(dict.fromkeys(ways))
            self._rows += 1


@dataclass(frozen=True)
class _Asked:
    """What a store answered that was asked in one way.

    Attributes:
        answer: The answer.
        right: It is what the contract says, or the contract leaves it open.
        returns_right: So is what was returned, whatever became of the passed token.
    """

    answer: Answer
    right: bool
    returns_right: bool

    def is_fine(self, *, filled: bool) -> bool:
        """Whether nothing is wrong, with what the passed token was filled with or without."""
        return self.right or (self.returns_right and not filled)


def _ask(ask: Callable[..., Answer], state: State, call: Call) -> _Asked:
    """Ask a store in this way, and compare with what the contract says."""
    if not decided(state, call):
        return _Asked(Answer(), right=True, returns_right=True)
    passed = to_token(call.argument) if isinstance(call.argument, Row) else call.argument
    answer = ask(call.method, passed)
    seen = observe(answer.returned, answer.raised, passed)
    right = bool(successors(state, call, seen))
    returned = seen.value if isinstance(seen.value, Row) else None
    return _Asked(answer, right, right or bool(successors(state, call, replace(seen, passed_after=returned))))


def _way(call: Call) -> tuple[str, ...]:
    return tuple(call.argument.present()) if isinstance(call.argument, Row) else (call.method,)
