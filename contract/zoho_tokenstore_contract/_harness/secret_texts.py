"""Secrets that occur nowhere else, and where a text or an exception gives one away."""

from __future__ import annotations

import base64
import hashlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from .._spec.tokens import SECRETS, Row, format_value
from .messages import format_exception

_STEP, _BLOCK = 4, 14


class Secrets:
    """Recognizes secrets, cut ones too, and as they look when they are encoded."""

    def __init__(self) -> None:
        self._blocks: dict[str, str] = {}

    def make(self, row: Row) -> Row:
        """The row with secrets of its own in the place of its secrets."""
        made = {}
        for name in SECRETS:
            if (value := getattr(row, name)) is not None:
                made[name] = self.new(name.replace("_", " "), f"{row.user_name}{value}")
        return row.but(**made)

    def new(self, name: str, seed: str) -> str:
        """A new secret.

        Args:
            name: What the secret is, for the message.
            seed: What makes it unlike every other.

        Returns:
            The secret.
        """
        text = _secret(name + seed)
        # A part of a secret is one as well: blocks so close together that any long part has one.
        for form in (text, text.encode().hex(), *(_base64(text[start:]) for start in range(3))):
            for start in range(0, len(form) - _BLOCK + 1, _STEP):
                self._blocks[form[start : start + _BLOCK]] = name
        return text

    def leak(self, text: str) -> str | None:
        """The first secret that a text holds, with what is around it; ``None`` where it holds none."""
        for place in range(len(text) - _BLOCK + 1):
            name = self._blocks.get(text[place : place + _BLOCK])
            if name is not None:
                return f"the {name} in {format_value(text[max(0, place - 60) : place + _BLOCK + 30])}"
        return None


def _secret(name: str) -> str:
    """A secret that occurs nowhere else: 60 letters and digits that depend on its name."""
    return base64.b32encode(hashlib.sha512(name.encode(errors="surrogatepass")).digest()).decode()[:60]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")[:-1]


def told_by(error: BaseException) -> Iterator[tuple[str, str]]:
    """The texts with which an exception may give a secret away: whose they are, and the text."""
    yield "the formatted traceback", "".join(traceback.format_exception(error))
    told: list[Any] = []
    waiting: list[tuple[str, Any]] = [("", error)]
    while waiting:
        path, one = waiting.pop()
        if any(one is other for other in told) or len(told) > 50:
            continue
        told.append(one)
        if not isinstance(one, BaseException):
            yield path, _safely(repr, one)
            yield path, _safely(str, one)
            continue
        yield f"{path} text".strip(), _safely(str, one)
        yield f"{path} repr".strip(), _safely(repr, one)
        for name in ("args", "details", "cause", "message", "code"):
            value = getattr(one, name, None)
            if isinstance(value, BaseException):
                waiting.append((f"{path} {name}".strip(), value))
            elif value is not None:
                yield f"{path} {name}".strip(), _safely(repr, value)
                if name == "args" and isinstance(value, tuple):
                    waiting += [(f"{path} args".strip(), item) for item in value]
        if one.__cause__ is not None:
            waiting.append((f"{path} cause".strip(), one.__cause__))


def _safely(show: Callable[[Any], str], value: Any) -> str:
    try:
        return show(value)
    except Exception as error:
        return format_exception(error)
