"""IFACE, SAVE-16, SAVE-19: the store is what the SDK calls, and refuses what cannot be a row."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterator
from typing import Any

from ..._harness.calls import Answer
from ..._harness.messages import format_exception
from ..._harness.row_acts import demand, is_refused, require
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, CLIENT, ONE_OF_EACH_KEY, person, pool

_USERS = pool(ANN, BOB, ACCESS)
METHODS = ("save_token", "find_token", "find_token_by_id", "get_tokens", "delete_token", "delete_tokens")


@check("IFACE-1")
def the_store_is_a_token_store(workspace: Workspace) -> None:
    store = workspace.open().store
    kind = f"{type(store).__module__}.{type(store).__qualname__}"
    demand(workspace, isinstance(store, load().TokenStore), "an instance of the SDK's TokenStore", kind)


@check("IFACE-1")
def the_six_methods_take_the_arguments_of_the_sdk(workspace: Workspace) -> None:
    store = workspace.open()
    missing = [name for name in METHODS if not callable(getattr(store.store, name, None))]
    demand(workspace, not missing, f"the methods {', '.join(METHODS)}", f"no {', '.join(missing)}")
    for method, argument, answer in _each_method(store):
        error = answer.raised
        # Other exceptions say nothing of arguments. An AttributeError does where it is the argument
        # that lacks something: the method takes it for another kind of thing.
        if isinstance(error, TypeError | NotImplementedError) or (
            isinstance(error, AttributeError) and argument is not ... and error.obj is argument
        ):
            workspace.fail(f"{method} takes the SDK's arguments", f"it raised {format_exception(error)}")


@check("IFACE-2")
def the_methods_answer_with_plain_values(workspace: Workspace) -> None:
    for method, _, answer in _each_method(workspace.open()):
        _is_plain(workspace, method, answer)


@check("IFACE-2")
def the_methods_answer_the_same_while_an_event_loop_runs(workspace: Workspace) -> None:
    usual = [(method, _outcome(answer)) for method, _, answer in _each_method(workspace.open())]
    require(workspace, ("get_tokens", "a list of 2") in usual, "two users are stored and listed", usual)
    workspace.fresh_examples()
    store = workspace.open()

    async def call_them() -> None:
        for (_, outcome), (method, _, answer) in zip(usual, _each_method(store), strict=False):
            _is_plain(workspace, method, answer)
            expected = f"in a running event loop, too, {method} ends with {outcome}"
            demand(workspace, _outcome(answer) == outcome, expected, answer)

    _in_a_loop(call_them())


def _each_method(store: StoreHandle) -> Iterator[tuple[str, object, Answer]]:
    """Call the six methods as the SDK does: the name, the argument if any, and the answer."""
    token = to_token(ANN)
    for one in (token, to_token(_USERS[1])):
        yield "save_token", one, store.try_save_token(one).answer
    question = to_token(ANN.only("user_name"))
    yield "find_token", question, store.call("find_token", question)
    id = str(token.get_id() or "unknown")  # what is no text is the fault of SAVE-2
    yield "find_token_by_id", id, store.call("find_token_by_id", id)
    listing = store.call("get_tokens")
    yield "get_tokens", ..., listing
    yield "delete_token", id, store.call("delete_token", id)
    yield "get_tokens", ..., store.call("get_tokens")
    if isinstance(listing.returned, list):
        yield "delete_tokens", ..., store.clear()
        yield "get_tokens", ..., store.call("get_tokens")


def _is_plain(workspace: Workspace, method: str, answer: Answer) -> None:
    if inspect.isawaitable(answer.returned) or inspect.isasyncgen(answer.returned):
        workspace.fail(f"{method} answers with a plain value", f"it {answer}; the SDK never awaits it")


def _outcome(answer: Answer) -> str:
    """What kind of answer it is, without what differs from one storage to the next."""
    if answer.raised is not None:
        return f"raised {type(answer.raised).__name__}"
    if isinstance(answer.returned, list):
        return f"a list of {len(answer.returned)}"
    return "None" if answer.returned is None else type(answer.returned).__name__


def _in_a_loop(coroutine: Coroutine[object, object, None]) -> None:
    """Run a coroutine in an event loop of its own.

    Not with `asyncio.run`: that takes interrupts for itself, and a call that never comes back could
    then not be interrupted.
    """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(coroutine)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


NOBODY = person("stranger").but(grant_token=None, refresh_token=None, access_token=None)
NO_TOKENS: tuple[object, ...] = (None, "1000.ann.access", 42, {"user_name": "ann"}, object(), [])


@check("SAVE-16")
def a_token_without_credential_and_row_fails_cleanly(workspace: Workspace) -> None:
    for store, rows in workspace.each((ONE_OF_EACH_KEY, ())):
        store.holding(*rows)
        for sent in (
            *(NOBODY, NOBODY.only("user_name"), NOBODY.only("user_name").but(**CLIENT)),
            *(Row(id="unknown"), NOBODY.but(user_name=None, id="unknown"), NOBODY.but(id="unknown")),
        ):
            is_refused(store, store.try_save(sent))
        if not rows:
            store.holding(ANN)
        store.expect(because="the store works on after it refused a token")


@check("SAVE-19")
def what_is_no_token_changes_nothing(workspace: Workspace) -> None:
    token = to_token(person("stranger"))
    expected = "what is no OAuthToken is ignored or refused with SDKException"
    for store, rows in workspace.each((ONE_OF_EACH_KEY, ())):
        store.holding(*rows)
        for thing in (*NO_TOKENS, load().OAuthToken, [token], _Lookalike(token), _another_kind_of(token)):
            answer = store.call("save_token", thing)
            demand(workspace, answer.raised is None or answer.refused, expected, answer)
            store.expect(because="what is no OAuthToken changes nothing")


class _Lookalike:
    """Answers like a token, and is none."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


def _another_kind_of(token: Any) -> Any:
    """One of the SDK's tokens that is no `OAuthToken`, and answers like one."""
    base = load().OAuthToken.__base__
    methods = dict.fromkeys(base.__abstractmethods__)
    return type(base)("AnotherKindOfToken", (_Lookalike, base), methods)(token)
