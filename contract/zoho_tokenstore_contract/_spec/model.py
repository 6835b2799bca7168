"""The reference model: what a conforming store may answer, and in which states it may be then.

A state is all stored rows. The model is a relation rather than a function, since the contract leaves
choices to a store: ids of its own, a refusal or silence. Where the contract leaves a call open
altogether, or only a SHOULD clause decides it, the call is not `decided`, and nothing compares it.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .sdk import load
from .tokens import (
    CREDENTIALS,
    Row,
    format_row,
    format_token,
    format_value,
    is_token,
    to_row,
    to_row_as_far_as_it_reads,
)

State = tuple[Row, ...]
"""The stored rows, plain and ordered by their ids, so that equal states are equal and hashable."""

ID_WIDTH = 10  # of the ids that a store has to keep as they are [SAVE-3]


@dataclass(frozen=True)
class Call:
    """One call: the method, and what it is passed (a token as the row that it carries)."""

    method: str
    argument: Any = None

    def __str__(self) -> str:
        if isinstance(self.argument, Row):
            return f"{self.method}({format_token(self.argument)})"
        if self.method in ("get_tokens", "delete_tokens"):
            return f"{self.method}()"
        return f"{self.method}({format_value(self.argument)})"


@dataclass(frozen=True)
class Observation:
    """What came back from a call.

    Attributes:
        kind: ``returned``, ``refused`` (with ``SDKException``) or ``raised`` (anything else).
        value: A returned token as a row, returned tokens as a tuple of rows, or ``None``.
        passed_after: The passed token after the call.
        text: The answer as a person reads it.
    """

    kind: str
    value: Any = None
    passed_after: Row | None = None
    text: str = ""


def observe(returned: Any, raised: BaseException | None, passed: Any = None, text: str = "") -> Observation:
    """Make a `Observation` of what came back from a call.

    Args:
        returned: What the call returned.
        raised: What it raised, else ``None``.
        passed: The token that was passed, for methods that take one.
        text: The answer as a person reads it.
    """
    sdk = load()
    if raised is not None:
        return Observation("refused" if isinstance(raised, sdk.SDKException) else "raised", text=text)
    passed_after = to_row_as_far_as_it_reads(passed) if is_token(passed) else None
    if is_token(returned):
        return Observation("returned", to_row(returned), passed_after, text)
    if isinstance(returned, list) and all(map(is_token, returned)):
        return Observation("returned", tuple(to_row(token) for token in returned), passed_after, text)
    return Observation("returned", returned, passed_after, text)


def state_of(rows: Iterable[Row]) -> State:
    """The state in which exactly these rows are stored."""
    return tuple(sorted((row.plain() for row in rows), key=lambda row: (str(row.id), str(row))))


def decided(state: State, call: Call) -> bool:
    """Whether MUST clauses say what this call does in this state.

    Args:
        state: The stored rows.
        call: The call.

    Returns:
        Whether its outcome is decided.
    """
    if call.argument == "" or (isinstance(call.argument, Row) and "" in vars(call.argument).values()):
        return False  # that it counts as absent is VALUE-10, a SHOULD
    if call.method == "find_token":
        return not isinstance(_found(state, _row(call)), _Open)
    if call.method == "save_token":
        return not isinstance(_saved(state, _row(call)), _Open)
    return call.method in ("get_tokens", "delete_tokens") or isinstance(call.argument, str)


def successors(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    """The states in which a conforming store may be after it answered a call in a state like this.

    Args:
        state: The rows before the call.
        call: The call, one that is `decided` in this state.
        observation: What came back.

    Returns:
        The possible states; none where no conforming store answers so.

    Raises:
        ValueError: The call is not decided.
    """
    if not decided(state, call):
        raise ValueError(f"the contract leaves it open: {call}")
    return _METHODS[call.method](state, call, observation)


# what a token addresses


class _Open:
    """The contract leaves it open, or only a SHOULD clause decides."""


_OPEN = _Open()


@dataclass(frozen=True)
class _Save:
    """What a save does: it updates a row, or inserts one, or may or must be refused."""

    update: Row | None = None
    insert: Row | None = None
    refusable: bool = False


def _row(call: Call) -> Row:
    if not isinstance(call.argument, Row):
        raise TypeError(f"{call.method} takes a token")
    return call.argument.plain()


def _keyed(state: State, sent: Row) -> list[Row] | _Open:
    """The rows that the key of a token without a user matches; `_OPEN` where that is not decided."""
    client = (sent.client_id, sent.client_secret)
    tokens = [name for name in ("grant_token", "refresh_token") if getattr(sent, name) is not None]
    if client == (None, None):
        # Without client credentials, stores differ in what they make of a refresh or grant token.
        if tokens or sent.access_token is None:
            return _OPEN if tokens else []
        return [row for row in state if row.access_token == sent.access_token]
    if None in client:
        return _OPEN
    if not tokens:
        held = [
            row for row in state if sent.access_token is not None and row.access_token == sent.access_token
        ]
        return _OPEN if held else []
    matches = [[row for row in state if getattr(row, name) == getattr(sent, name)] for name in tokens]
    if any((row.client_id, row.client_secret) != client for rows in matches for row in rows):
        return _OPEN
    if len(matches) > 1 and matches[0] != matches[1] and matches[1]:
        return _OPEN
    return matches[0]


def _by_id(state: State, sent: Row) -> Row | None:
    return next((row for row in state if sent.id is not None and row.id == sent.id), None)


def _by_user(state: State, sent: Row) -> Row | _Open | None:
    exact = next((row for row in state if row.user_name == sent.user_name), None)
    alike = [row for row in state if row is not exact and _folded(row.user_name) == _folded(sent.user_name)]
    return _OPEN if alike else exact


@functools.lru_cache(maxsize=1024)
def _folded(name: Any) -> str | None:
    """A user name as a store may compare it that heeds neither case, accents, width nor space."""
    if name is None:
        return None
    text = unicodedata.normalize("NFKD", str(name).casefold()).casefold()
    return "".join(
        character
        for character in text
        if not (
            unicodedata.combining(character) or character.isspace() or unicodedata.category(character) == "Cf"
        )
    )


def _shared(state: State, sent: Row) -> bool:
    """Whether a row without a user has a credential of this token: it may be the same login."""
    return any(
        getattr(sent, name) is not None and getattr(row, name) == getattr(sent, name)
        for row in state
        if row.user_name is None
        for name in CREDENTIALS
    )


def _found(state: State, sent: Row) -> Row | _Open | None:
    at_id = _by_id(state, sent)
    if sent.user_name is not None:
        own = _by_user(state, sent)
        if isinstance(own, _Open):
            return _OPEN
        if own is not None:
            return own if sent.id in (None, own.id) else _OPEN
        if (at_id is not None and at_id.user_name is None) or _shared(state, sent):
            return _OPEN
        return None
    if sent == Row(id=sent.id):
        return _OPEN if sent.id is None else at_id
    matches = _keyed(state, sent)
    if isinstance(matches, _Open) or len(matches) > 1:
        return _OPEN
    if matches:
        return matches[0] if sent.id in (None, matches[0].id) else _OPEN
    has_credential = any(getattr(sent, name) is not None for name in CREDENTIALS)
    return None if at_id is None and has_credential else _OPEN


def _saved(state: State, sent: Row) -> _Save | _Open:
    at_id = _by_id(state, sent)
    has_credential = any(getattr(sent, name) is not None for name in CREDENTIALS)
    if sent.user_name is not None:
        own = _by_user(state, sent)
        if isinstance(own, _Open):
            return _OPEN
        if own is not None:
            if sent.id in (None, own.id) or at_id is None:
                return _Save(update=own)  # also with a stale id [SAVE-4]
            # Under another user's id it is SAVE-11; that of an unnamed row is left open.
            return _Save(update=own, refusable=True) if at_id.user_name is not None else _OPEN
        if at_id is not None and at_id.user_name is None:
            same = any(
                getattr(sent, name) is not None and getattr(sent, name) == getattr(at_id, name)
                for name in CREDENTIALS
            )
            return _Save(update=at_id) if same else _OPEN
        if _shared(state, sent):
            return _OPEN
        if not has_credential:
            return _Save(refusable=True)
        if at_id is not None:
            return _Save(insert=sent.but(id=None), refusable=True)
        return _inserted(sent)
    matches = _keyed(state, sent)
    if isinstance(matches, _Open) or len(matches) > 1:
        return _OPEN
    if matches:
        return _Save(update=matches[0]) if sent.id in (None, matches[0].id) else _OPEN
    if at_id is not None or sent == Row():
        return _OPEN
    if not has_credential:
        return _OPEN if sent.id is None else _Save(refusable=True)
    return _inserted(sent)


def _inserted(sent: Row) -> _Save:
    if sent.id is not None and len(sent.id) > ID_WIDTH:
        return _Save(insert=sent, refusable=True)
    return _Save(insert=sent, refusable=sent.id is not None)


# what the methods do


def _find_token(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    sent = _row(call)
    found = _found(state, sent)
    if observation.kind != "returned":
        return ()
    if found is None:
        return (state,) if observation.value is None else ()
    if isinstance(found, _Open):
        return ()
    whole = sent.filled_from(found)
    return (state,) if _is(observation.value, whole) and _is(observation.passed_after, whole) else ()


def _save_token(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    sent = _row(call)
    does = _saved(state, sent)
    if isinstance(does, _Open) or (observation.kind == "refused" and not does.refusable):
        return ()
    if observation.kind == "refused":
        return (state,)
    if observation.kind != "returned" or observation.value is not None or observation.passed_after is None:
        return ()
    passed_after = observation.passed_after.plain()
    if does.update is not None:
        row = does.update.updated_by(sent)
    elif does.insert is not None:
        taken = any(row.id == passed_after.id for row in state)
        if not isinstance(passed_after.id, str) or taken or does.insert.id not in (None, passed_after.id):
            return ()
        row = does.insert.but(id=passed_after.id)
    else:
        return ()
    if passed_after.id != row.id and (
        does.update is None or _by_id(state, sent) or passed_after.id != sent.id
    ):
        return ()  # whether the row's id replaces a stale one is left open
    if any(value != getattr(row, name) for name, value in passed_after.present().items() if name != "id"):
        return ()
    if any(getattr(passed_after, name) != value for name, value in sent.present().items() if name != "id"):
        return ()
    return (state_of([*(other for other in state if other is not does.update), row]),)


def _delete_token(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    rest = tuple(row for row in state if row.id != call.argument)
    # What it returns where it removes something is left open.
    if observation.kind == "returned" and (observation.value is None or rest != state):
        return (rest,)
    return (state,) if observation.kind == "refused" and rest == state else ()


def _get_tokens(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    if observation.kind != "returned" or not isinstance(observation.value, tuple):
        return ()
    return (state,) if Counter(row.plain() for row in observation.value) == Counter(state) else ()


def _delete_tokens(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    return ((),) if observation.kind == "returned" else ()


def _find_token_by_id(state: State, call: Call, observation: Observation) -> tuple[State, ...]:
    found = next((row for row in state if row.id == call.argument), None)
    if observation.kind != "returned":
        return ()
    if found is None:
        return (state,) if observation.value is None else ()
    return (state,) if _is(observation.value, found) else ()


def _is(value: Any, row: Row) -> bool:
    return isinstance(value, Row) and value.plain() == row.plain()


_METHODS: dict[str, Callable[[State, Call, Observation], tuple[State, ...]]] = {
    "find_token": _find_token,
    "save_token": _save_token,
    "delete_token": _delete_token,
    "get_tokens": _get_tokens,
    "delete_tokens": _delete_tokens,
    "find_token_by_id": _find_token_by_id,
}


def expectation(state: State, call: Call) -> str:
    """What a conforming store answers to a decided call in this state, in words.

    Args:
        state: The stored rows.
        call: A call that is decided.

    Returns:
        The words.
    """
    if call.method == "find_token":
        found = _found(state, _row(call))
        if isinstance(found, Row):
            return f"finds {format_row(_row(call).filled_from(found))}, and fills in the passed token"
        return "returns None"
    if call.method == "find_token_by_id":
        row = next((row for row in state if row.id == call.argument), None)
        return "returns None" if row is None else f"finds {format_row(row)}"
    if call.method == "get_tokens":
        return f"returns exactly the {len(state)} stored rows"
    if call.method == "delete_tokens":
        return "removes every row"
    if call.method == "delete_token":
        known = any(row.id == call.argument for row in state)
        return "removes that row" if known else "removes nothing, and returns None or raises SDKException"
    does = _saved(state, _row(call))
    if isinstance(does, _Open):
        return "is left open"
    refusal = ", or fails cleanly with SDKException" if does.refusable else ""
    if does.update is not None:
        return f"updates the row {format_value(does.update.id)}, whose id the token then carries{refusal}"
    if does.insert is not None:
        return f"inserts one row under an unused id, which the token then carries{refusal}"
    return "fails cleanly with SDKException"
