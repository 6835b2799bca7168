"""The store that a script is tried on: a storage that others reach is looked at before each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._harness.store_handle import StoreHandle
from .._spec.sdk import load
from .._spec.tokens import is_token, to_row_as_far_as_it_reads
from .program import METHODS


def looked_at(opened: StoreHandle) -> Any:
    """What a script calls in place of an open store.

    Args:
        opened: The store.

    Returns:
        The store itself where the kit alone reaches its storage. Else a `TokenStore` that hands on each call,
        after the look that every call of a check has.
    """
    sut = opened.workspace.sut
    if sut.own_storage or sut.disposable:
        return opened.store
    members: dict[str, Any] = {name: _method(opened, name) for name in METHODS}
    members["__getattr__"] = lambda _, name: getattr(opened.store, name)
    return type("LookedAt", (load().TokenStore,), members)()


def _method(opened: StoreHandle, name: str) -> Callable[..., Any]:
    def call(_: Any, *arguments: Any) -> Any:
        argument: Any = arguments[0] if arguments else ...
        if is_token(argument):
            argument = to_row_as_far_as_it_reads(argument)
            opened.remember(argument)
        opened.workspace.before_writing(opened, name, argument)
        return getattr(opened.store, name)(*arguments)

    return call
