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
from .tokens import CREDENTIALS, Row, shown, shown_row, to_row

State = tuple[Row, ...]
"""The stored rows, plain and ordered by their ids, so that equal states are equal and hashable."""

ID_WIDTH = 10  # of the ids that a store has to keep as they are [SAVE-3]


@dataclass(frozen=True)
class Operation:
    """One call: the method, and what it is passed (a token as the row that it carries)."""

    method: str
    argument: Row | str | None = None

    def __str__(self) -> str:
        if isinstance(self.argument, Row):
            return f"{self.method}({shown_row(self.argument).replace('Row(', 'OAuthToken(', 1)})"
        if self.method in ("get_tokens", "delete_tokens"):
            return f"{self.method}()"
        return f"{self.method}({shown(self.argument)})"


@dataclass(frozen=True)
class Reply:
    """What came back from a call.

    Attributes:
        kind: ``returned``, ``refused`` (with ``SDKException``) or ``raised`` (anything else).
        value: A returned token as a row, returned tokens as a tuple of rows, or ``None``.
        left: The passed token after the call.
        text: The answer as a person reads it.
    """

    kind: str
    value: Any = None
    left: Row | None = None
    text: str = ""


def reply_of(returned: Any, raised: BaseException | None, passed: Any = None, text: str = "") -> Reply:
    """Make a `Reply` of what came back from a call.

    Args:
        returned: What the call returned.
        raised: What it raised, else ``None``.
        passed: The token that was passed, for methods that take one.
        text: The answer as a person reads it.
    """
    sdk = load()
    if raised is not None:
        return Reply("refused" if isinstance(raised, sdk.SDKException) else "raised", text=text)
    left = to_row(passed) if isinstance(passed, sdk.OAuthToken) else None
    if isinstance(returned, sdk.OAuthToken):
        return Reply("returned", to_row(returned), left, text)
    if isinstance(returned, list) and all(isinstance(token, sdk.OAuthToken) for token in returned):
        return Reply("returned", tuple(to_row(token) for token in returned), left, text)
    return Reply("returned", returned, left, text)


def state_of(rows: Iterable[Row]) -> State:
    """The state in which exactly these rows are stored."""
    return tuple(sorted((row.plain() for row in rows), key=lambda row: (str(row.id), str(row))))


def decided(state: State, operation: Operation) -> bool:
    """Whether MUST clauses say what this call does in this state."""
    if operation.method == "find_token":
        return not isinstance(_found(state, _row(operation)), _Open)
    if operation.method == "save_token":
        return not isinstance(_saved(state, _row(operation)), _Open)
    return operation.method in ("get_tokens", "delete_tokens") or isinstance(operation.argument, str)


def successors(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    """The states in which a conforming store may be after it answered a call in a state like this.

    Args:
        state: The rows before the call.
        operation: The call, one that is `decided` in this state.
        reply: What came back.

    Returns:
        The possible states; none where no conforming store answers so.

    Raises:
        ValueError: The call is not decided.
    """
    if not decided(state, operation):
        raise ValueError(f"the contract leaves it open: {operation}")
    return _METHODS[operation.method](state, operation, reply)


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


def _row(operation: Operation) -> Row:
    if not isinstance(operation.argument, Row):
        raise TypeError(f"{operation.method} takes a token")
    return operation.argument.plain()


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
            if sent.id in (None, own.id):
                return _Save(update=own)
            # Under another user's id it is SAVE-11; any other foreign id is left open.
            foreign = at_id is not None and at_id.user_name is not None
            return _Save(update=own, refusable=True) if foreign else _OPEN
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


def _find_token(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    sent = _row(operation)
    found = _found(state, sent)
    if reply.kind != "returned":
        return ()
    if found is None:
        return (state,) if reply.value is None else ()
    if isinstance(found, _Open):
        return ()
    whole = sent.filled_from(found)
    return (state,) if _is(reply.value, whole) and _is(reply.left, whole) else ()


def _save_token(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    sent = _row(operation)
    does = _saved(state, sent)
    if isinstance(does, _Open) or (reply.kind == "refused" and not does.refusable):
        return ()
    if reply.kind == "refused":
        return (state,)
    if reply.kind != "returned" or reply.value is not None or reply.left is None:
        return ()
    left = reply.left.plain()
    if does.update is not None:
        row = does.update.updated_by(sent)
    elif does.insert is not None:
        taken = any(row.id == left.id for row in state)
        if not isinstance(left.id, str) or taken or does.insert.id not in (None, left.id):
            return ()
        row = does.insert.but(id=left.id)
    else:
        return ()
    if left.id != row.id or any(
        value is not None and value != getattr(row, name) for name, value in left.present().items()
    ):
        return ()
    if any(getattr(left, name) != value for name, value in sent.present().items() if name != "id"):
        return ()
    return (state_of([*(other for other in state if other is not does.update), row]),)


def _delete_token(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    rest = tuple(row for row in state if row.id != operation.argument)
    # What it returns where it removes something is left open.
    if reply.kind == "returned" and (reply.value is None or rest != state):
        return (rest,)
    return (state,) if reply.kind == "refused" and rest == state else ()


def _get_tokens(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    if reply.kind != "returned" or not isinstance(reply.value, tuple):
        return ()
    return (state,) if Counter(row.plain() for row in reply.value) == Counter(state) else ()


def _delete_tokens(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    return ((),) if reply.kind == "returned" else ()


def _find_token_by_id(state: State, operation: Operation, reply: Reply) -> tuple[State, ...]:
    found = next((row for row in state if row.id == operation.argument), None)
    if reply.kind != "returned":
        return ()
    if found is None:
        return (state,) if reply.value is None else ()
    return (state,) if _is(reply.value, found) else ()


def _is(value: Any, row: Row) -> bool:
    return isinstance(value, Row) and value.plain() == row.plain()


_METHODS: dict[str, Callable[[State, Operation, Reply], tuple[State, ...]]] = {
    "find_token": _find_token,
    "save_token": _save_token,
    "delete_token": _delete_token,
    "get_tokens": _get_tokens,
    "delete_tokens": _delete_tokens,
    "find_token_by_id": _find_token_by_id,
}


def expectation(state: State, operation: Operation) -> str:
    """What a conforming store answers to a decided call in this state, in words."""
    if operation.method == "find_token":
        found = _found(state, _row(operation))
        if isinstance(found, Row):
            return f"finds {shown_row(_row(operation).filled_from(found))}, and fills in the passed token"
        return "returns None"
    if operation.method == "find_token_by_id":
        row = next((row for row in state if row.id == operation.argument), None)
        return "returns None" if row is None else f"finds {shown_row(row)}"
    if operation.method == "get_tokens":
        return f"returns exactly the {len(state)} stored rows"
    if operation.method == "delete_tokens":
        return "removes every row"
    if operation.method == "delete_token":
        known = any(row.id == operation.argument for row in state)
        return "removes that row" if known else "removes nothing, and returns None or raises SDKException"
    does = _saved(state, _row(operation))
    if isinstance(does, _Open):
        return "is left open"
    refusal = ", or fails cleanly with SDKException" if does.refusable else ""
    if does.update is not None:
        return f"updates the row {shown(does.update.id)}, whose id the token then carries{refusal}"
    if does.insert is not None:
        return f"inserts one row under an unused id, which the token then carries{refusal}"
    return "fails cleanly with SDKException"
