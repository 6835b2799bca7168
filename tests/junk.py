"""Answers of every type that no store should give, and stores that give them."""

from __future__ import annotations

import asyncio
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.stores.right import RightStore
from zoho_tokenstore_contract._spec.sdk import load

METHODS = ("find_token", "save_token", "delete_token", "get_tokens", "delete_tokens", "find_token_by_id")
LOOKS = (
    "__eq__",
    "__repr__",
    "__str__",
    "__hash__",
    "__bool__",
    "__len__",
    "__iter__",
    "__getattribute__",
    "__format__",
)
"""Methods by which anybody looks at an object."""


class Unlucky(Exception):
    """What an object raises that is looked at; its own text cannot be read either."""

    def __str__(self) -> str:
        raise ZeroDivisionError("the text of an exception")

    __repr__ = __str__


def _raises(*_: Any) -> Any:
    raise Unlucky


def _hostile(*names: str, base: type = object) -> Any:
    """An object, an instance of `base`, that raises when it is looked at in these ways."""
    return type("Hostile", (base,), dict.fromkeys(names, _raises))


def _lying(base: type) -> Any:
    """An instance of a base whose class cannot be asked for."""
    return type("Lying", (base,), {"__class__": property(_raises)})


def _token(value: Any) -> Any:
    """A token of which every field is something else."""
    token = load().OAuthToken(access_token="a")
    for name in ("id", "client_id", "access_token", "refresh_token", "expires_in", "api_domain"):
        getattr(token, f"set_{name}")(value)
    token._OAuthToken__user_signature = value
    return token


def _half_built() -> Any:
    return object.__new__(load().OAuthToken)


def _foreign_token() -> Any:
    return type("OAuthToken", (), {"get_id": lambda _self: "1", "__getattr__": _raises})()


def _bad_getters() -> Any:
    token = load().OAuthToken
    made = type("Odd", (token,), {"get_client_id": _raises, "get_user_signature": _raises})
    return made(access_token="a")


def _generator() -> Iterator[None]:
    yield None


async def _coroutine() -> None:
    """Never awaited."""


def _then(wrap: Callable[[Any], Any], make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: wrap(make())


def _alone(value: Any) -> list[Any]:
    return [value]


def _nested() -> list[Any]:
    made: list[Any] = []
    for _ in range(5000):
        made = [made]
    return made


def _loop() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "tuple": lambda: (1, "two"),
    "dict": lambda: {"id": [1]},
    "set": lambda: {1},
    "bytes": lambda: b"\xff\x00",
    "surrogate": lambda: "\ud800",
    "long text": lambda: "x" * 200_000,
    "huge int": lambda: 10**5000,
    "nan": lambda: float("nan"),
    "true": lambda: True,
    "ellipsis": lambda: ...,
    "NotImplemented": lambda: NotImplemented,
    "a class": lambda: dict,
    "a module": lambda: types,
    "an exception": Unlucky,
    "generator": _generator,
    "coroutine": _coroutine,
    "nested": _nested,
    "loop": _loop,
    "half-built token": _half_built,
    "foreign token": _foreign_token,
    "token with bad getters": _bad_getters,
    "lying token": lambda: _lying(load().OAuthToken)(access_token="a"),
    "lying object": _lying(object),
    "lying str": lambda: _lying(str)("a"),
    "hostile list": lambda: _hostile(*LOOKS, base=list)([1, 2]),
    "hostile str": lambda: _hostile(*LOOKS, base=str)("a"),
    "hostile int": lambda: _hostile(*LOOKS, base=int)(7),
    "hostile token": lambda: _hostile(*LOOKS, base=load().OAuthToken),
    **{f"raises in {name}": _hostile(name) for name in LOOKS},
    "list of hostile": lambda: [_hostile(*LOOKS)()],
    "list of four": lambda: [1, None, _hostile("__eq__")(), "x"],
    "class of metaclass": lambda: type(
        "M", (type,), dict.fromkeys(("__repr__", "__eq__", "__hash__"), _raises)
    )("C", (), {}),
}
TOKENS: dict[str, Callable[[], Any]] = {
    f"token of {name}": _then(_token, make) for name, make in VALUES.items()
}
LISTS: dict[str, Callable[[], Any]] = {
    f"list of {name}": _then(_alone, make) for name, make in {**VALUES, **TOKENS}.items()
}


def _group() -> BaseException:
    try:
        return BaseExceptionGroup("g", [KeyboardInterrupt(), Unlucky()])  # type: ignore[name-defined, no-any-return]
    except NameError:
        return LookupError("no groups before 3.11")


ERRORS: dict[str, Callable[[], BaseException]] = {
    "Unlucky": Unlucky,
    "BaseException": BaseException,
    "SystemExit": SystemExit,
    "SystemExit 0": lambda: SystemExit(0),
    "GeneratorExit": GeneratorExit,
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "RecursionError": RecursionError,
    "MemoryError": MemoryError,
    "CancelledError": asyncio.CancelledError,
    "AssertionError": AssertionError,
    "KeyError": lambda: KeyError(_hostile(*LOOKS)()),
    "warning": lambda: UserWarning("w"),
    "SDKException": lambda: load().SDKException(code=[1], message=_hostile(*LOOKS)(), details=object()),
    "group": _group,
    "OSError": lambda: OSError(10**5000, b"\xff"),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "\ud800"),
}


def _answers(make: Callable[[], Any]) -> Callable[..., Any]:
    return lambda *_: make()


def _raiser(make: Callable[[], BaseException]) -> Callable[..., Any]:
    def raise_it(*_: Any) -> Any:
        error = make()
        raise error

    return raise_it


def _spoiler(make: Callable[[], Any]) -> Callable[..., Any]:
    """A method that spoils the token which is passed to it."""

    def spoil(_: Any, *arguments: Any) -> None:
        for token in arguments:
            if type(token) is load().OAuthToken:
                token.set_id(make())
                token.set_client_id(make())
                token._OAuthToken__user_signature = make()

    return spoil


def _warn(*_: Any) -> None:
    warnings.warn("a warning of the store", stacklevel=2)


def _change_the_class(_: Any, *arguments: Any) -> None:
    for token in arguments:
        if type(token) is load().OAuthToken:
            token.__class__ = type("Odd", (load().OAuthToken,), {"get_id": _raises, "__eq__": _raises})


ANSWERS: dict[str, Callable[..., Any]] = {
    **{f"answers {name}": _answers(make) for name, make in {**VALUES, **TOKENS, **LISTS}.items()},
    **{f"raises {name}": _raiser(make) for name, make in ERRORS.items()},
    **{f"spoils the token with {name}": _spoiler(make) for name, make in VALUES.items()},
    "warns": _warn,
    "changes the class of the token": _change_the_class,
}
"""What a method does with its store and its arguments."""


def junk_store(methods: Sequence[str], answer: Callable[..., Any], after: int = 0) -> Any:
    """A store class of which some methods answer with junk.

    Args:
        methods: Their names.
        answer: One of `ANSWERS`.
        after: How many calls of these methods are right first.
    """

    def method(name: str) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any) -> Any:
            done = vars(self).setdefault("calls_so_far", [])
            done.append(name)
            if len(done) <= after:
                return getattr(RightStore, name)(self, *arguments)
            return answer(self, *arguments)

        return call

    return type("JunkStore", (RightStore,), {name: method(name) for name in methods})
