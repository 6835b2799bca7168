"""The smoke check: the simplest calls, and one root cause in plain words where they fail."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._harness.calls import Answer, rows_of
from .._harness.messages import format_exception
from .._harness.ownership import if_disposable, shared_by_locations
from .._harness.store_handle import StoreHandle
from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort, Workspace
from .._spec.clause_results import StoreUnavailable, Violation
from .._spec.junk_answers import is_a
from .._spec.sdk import load
from .._spec.tokens import FIELDS, Row, UnreadableToken, absent, is_token, to_row

_CLIENT = {"client_id": "1000.SMOKE", "client_secret": "smoke-secret"}
_ONE, _TWO = (
    Row(
        user_name=f"{name}@example.com:1",
        **_CLIENT,
        refresh_token=f"1000.{name}.refresh",
        access_token=f"1000.{name}.access",
        grant_token=f"1000.{name}.grant",
        expires_in="1900000000000",
        redirect_url=f"https://{name}.example.com",
        api_domain="http://127.0.0.1:9",
    )
    for name in ("smoke-one", "smoke-two")
)
_METHODS = {
    "get_tokens": "()",
    "find_token": "(token)",
    "save_token": "(token)",
    "find_token_by_id": "(id)",
    "delete_token": "(id)",
    "delete_tokens": "()",
}


@dataclass(frozen=True)
class Diagnosis:
    """The one cause behind many broken clauses.

    Attributes:
        cause: The cause in one sentence.
        clauses: The clauses that speak of it.
        done: The calls that showed it.
    """

    cause: str
    clauses: tuple[str, ...]
    done: tuple[str, ...] = ()

    def message(self) -> str:
        """The sentence, the calls that showed it, and where it is told in full."""
        lines = [
            f"Root cause: {self.cause}",
            *(f"  {number}. {call}" for number, call in enumerate(self.done, 1)),
        ]
        if self.clauses:
            lines.append(f"The clauses that speak of it: {', '.join(self.clauses)}.")
        return "\n".join(lines)


class _Cause(Exception):
    """The root cause.

    Attributes:
        cause: It, in one sentence.
        clauses: The clauses that speak of it.
        of_rows: It may lie in what the storage holds: without that, the store may be fine.
    """

    def __init__(self, cause: str, *clauses: str, of_rows: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.clauses = clauses
        self.of_rows = of_rows


def first_look(sut: StoreUnderTest) -> Diagnosis | None:
    """Open the store and list what it holds. Nothing is written.

    Args:
        sut: The store under test. Where its storage may be somebody's, it gets the reason as `refusal`.

    Returns:
        ``None`` where the store may be checked, else the one root cause.
    """
    return _diagnosis(sut, _look)


def diagnose(sut: StoreUnderTest) -> Diagnosis | None:
    """Save, list and find two users.

    Args:
        sut: The store under test.

    Returns:
        ``None`` where that works, else the one root cause.
    """
    return _diagnosis(sut, _ask)


def _diagnosis(sut: StoreUnderTest, ask: Callable[[Workspace], Any]) -> Diagnosis | None:
    workspace = Workspace(sut, Effort())
    try:
        with workspace:
            ask(workspace)
    except _Cause as found:
        return Diagnosis(found.cause, found.clauses, tuple(str(call) for call in workspace.calls))
    except StoreUnavailable as reason:
        return Diagnosis(str(reason), ())
    except Violation as violation:
        return Diagnosis(sut.refusal or violation.seen, ("SAVE-1",), violation.done)
    return None


def _look(workspace: Workspace) -> StoreHandle:
    """A store on a new location that is seen to be empty, or may be lost."""
    store = workspace.open_unproven()
    foreign = None if is_a(store.store, load().TokenStore) else _not_a_store(store.store)
    try:
        _listed(store)
    except _Cause as found:
        cause = foreign or found
        if workspace.sut.disposable:
            raise cause from None
        advice = f". {if_disposable()}" if cause.of_rows else ""
        workspace.sut.refusal = f"{cause.cause}; nothing was written{advice}"
        raise _Cause(workspace.sut.refusal, *cause.clauses) from None
    workspace.prove(store)
    if foreign is not None:
        raise foreign
    return store


def _not_a_store(value: Any) -> _Cause:
    if value is None:
        return _Cause("what opens the store returned None instead of a store", "IFACE-1")
    kind = type(value)
    return _Cause(f"{kind.__module__}.{kind.__qualname__} is not a TokenStore of the SDK", "IFACE-1")


def _ask(workspace: Workspace) -> None:
    store = _look(workspace)
    _rows(store, 0)
    tokens = []
    for number, row in enumerate((_ONE, _TWO), 1):
        saved = store.try_save(row)
        _plain(store, "save_token", saved.answer)
        tokens.append(saved.token)
        if number == 1 and workspace.sut.own_storage:
            _is_apart(workspace)
        _rows(store, number)
    for token, row in zip(tokens, (_ONE, _TWO), strict=True):
        found = store.find_quietly(row.only("user_name"))
        _plain(store, "find_token", found)
        _is_the_token("find_token", found, row, "FIND-1")
        id = token.get_id()
        if absent(id):
            raise _Cause(
                "save_token gives the passed token no id, so no token can be found by its id", "SAVE-2"
            )
        by_id = store.call("find_token_by_id", id)
        _plain(store, "find_token_by_id", by_id)
        _is_the_token("find_token_by_id", by_id, row, "BYID-1")


def _is_apart(workspace: Workspace) -> None:
    """Another location does not show what was saved on the first."""
    other = workspace.open_unproven()
    if rows_of(other.call("get_tokens")) and workspace.sut.disposable:
        raise _Cause(shared_by_locations(), "ISO-1")
    workspace.prove(other)


def _listed(store: StoreHandle) -> list[Any]:
    """What `get_tokens` shows, a list of whole tokens."""
    answer = store.call("get_tokens")
    _plain(store, "get_tokens", answer)
    if not isinstance(answer.returned, list):
        raise _Cause(f"`get_tokens` {answer} instead of a list", "LIST-1", "LIST-2")
    for token in answer.returned:
        _is_token("get_tokens", token)
    return answer.returned


def _rows(store: StoreHandle, number: int) -> None:
    """`get_tokens` shows so many rows."""
    listing = _listed(store)
    if len(listing) == number:
        for token in listing:
            _is_whole("get_tokens", token)
        return
    if listing or number == 0:
        cause = f"after {number} users were saved, `get_tokens` shows {len(listing)} tokens"
        if len(listing) == 1:
            cause = "the store keeps one token for all users: the second save replaced the first"
        raise _Cause(cause, "SAVE-1", "LIST-1")
    if store.find_quietly(_ONE.only("user_name")).returned is None:
        raise _Cause(
            "what is saved is gone: `save_token` came back, and nothing is stored", "SAVE-1", "FIND-1"
        )
    raise _Cause("`get_tokens` shows nothing of what is stored", "LIST-1")


def _plain(store: StoreHandle, method: str, answer: Answer) -> None:
    """The method came back with a plain value."""
    if inspect.isawaitable(answer.returned):
        raise _Cause(f"`{method}` is a coroutine function: the SDK never awaits it", "IFACE-2")
    if answer.raised is None:
        return
    function = getattr(store.store, method, None)
    if function is None:
        raise _Cause(f"the store has no method `{method}`", "IFACE-1")
    if isinstance(answer.raised, TypeError) and not _takes(function, _METHODS[method]):
        raise _Cause(
            f"`{method}{inspect.signature(function)}` does not take the SDK's arguments, "
            f"`{method}{_METHODS[method]}`: it is written for another interface",
            "IFACE-1",
        )
    if method == "get_tokens" and _every_method_raises(store, answer.raised):
        raise _Cause(f"every method raises: {format_exception(answer.raised)}", "SAVE-1", "FIND-6", "LIST-2")
    clause = {"get_tokens": "LIST-1", "save_token": "SAVE-1", "find_token": "FIND-1"}.get(method, "BYID-1")
    raise _Cause(f"`{method}` raises {format_exception(answer.raised)}", clause, of_rows=True)


def _takes(function: Callable[..., Any], arguments: str) -> bool:
    try:
        inspect.signature(function).bind(*([None] if arguments != "()" else []))
    except TypeError:
        return False
    except ValueError:
        pass  # it has no signature that can be read
    return True


def _every_method_raises(store: StoreHandle, error: BaseException) -> bool:
    others = (
        functools.partial(store.call, "find_token_by_id", "0"),
        functools.partial(store.find_quietly, _ONE.only("user_name")),
    )
    return all(type(ask().raised) is type(error) for ask in others)


def _is_the_token(method: str, answer: Answer, row: Row, clause: str) -> None:
    if answer.returned is None:
        raise _Cause(f"`{method}` finds nothing of what is stored", clause)
    _is_whole(method, answer.returned)
    user = to_row(answer.returned).user_name
    if user != row.user_name:
        raise _Cause(f"`{method}` answers with another user's token: {user!r} for {row.user_name!r}", clause)


def _is_token(method: str, token: Any) -> Row:
    if not is_token(token):
        raise _Cause(f"`{method}` answers with {type(token).__name__} instead of OAuthToken", "LIST-1")
    try:
        return to_row(token)
    except UnreadableToken as error:
        raise _Cause(f"`{method}` answers with a half-built OAuthToken: {error}", "LIST-1") from error


def _is_whole(method: str, token: Any) -> None:
    row = _is_token(method, token)
    lost = [name for name in FIELDS if name not in ("id", "user_name") and absent(getattr(row, name))]
    if len(lost) == len(FIELDS) - 2:
        raise _Cause(
            "every field came back as None: read a token through its getters, its attributes are private "
            "(`_OAuthToken__client_id`)",
            "SAVE-1",
            "VALUE-1",
        )
    if lost:
        raise _Cause(f"`{method}` lost fields: {', '.join(lost)} came back as None", "VALUE-1")
