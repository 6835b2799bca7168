"""A store may answer anything: what is looked at is first made safe to compare, hash and print."""

from __future__ import annotations

from typing import Any

from .sdk import load

_PLAIN = (type(None), str, bool, float, bytes)


class Junk:
    """Stands for a value that raises when it is looked at.

    Two of them are equal where they stand for values of one type with the same fault.

    Attributes:
        text: What it stands for, in words.
    """

    def __init__(self, text: str) -> None:
        """Stands for a value.

        Args:
            text: The value in words.
        """
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is Junk and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"<{self.text}>"


def is_a(value: object, kind: type) -> bool:
    """Whether a value is an instance of a class, whatever the value says of its class.

    Args:
        value: Any object.
        kind: The class, without a metaclass of its own.
    """
    return issubclass(type(value), kind)


def show(value: object) -> str:
    """``repr`` of any object; where it fails, the type and the reason in angle brackets."""
    try:
        return str.__str__(repr(value))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{_described(value, 'printed', error)}>"


def text_of(error: BaseException) -> str:
    """The text of any exception, also of one whose text cannot be made."""
    try:
        return str.__str__(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as inner:
        return f"(its text cannot be made: {_name(inner)})"


def tame(answer: Any) -> Any:
    """What a call returned, without anything that raises when it is looked at.

    Args:
        answer: Any object.

    Returns:
        The very object where it can be printed, compared and told true from false, as every usual object
        can; else a `Junk`. A list with such items is a new list with a `Junk` for each.
    """
    if not is_a(answer, list):
        return answer if (why := _fault(answer)) is None else Junk(why)
    try:
        items = list(answer)
        plain = len(answer) == len(items) and bool(answer) == bool(items)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Junk(_described(answer, "read", error))
    faults = [_fault(item) for item in items]
    if plain and not any(faults):
        return answer
    return [item if why is None else Junk(why) for item, why in zip(items, faults, strict=True)]


def tame_field(value: Any) -> Any:
    """The value of a field, as it can be compared, hashed and printed; else a `Junk`."""
    if type(value) in _PLAIN:
        return value
    why = _fault(value)
    if why is None:
        try:
            hash(value)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return Junk(show(value).strip("<>"))
        return value
    return Junk(why)


def _fault(value: Any) -> str | None:
    """How a value fails that is looked at, in words; ``None`` where it does not."""
    if type(value) in _PLAIN or type(value) is load().OAuthToken:
        return None  # most answers are lists of these
    if value is NotImplemented:  # Python warns of each look at it
        return "NotImplemented"
    try:
        doing = "printed"
        if type(repr(value)) is not str or type(str(value)) is not str:
            return _described(value, doing, None)
        doing = "compared"
        if not all(type(one) is bool for one in (value == "", value == None, value == value)):  # noqa: E711, PLR0124
            return _described(value, doing, None)
        doing = "told true from false"
        bool(value)
        doing = "asked for its class"
        _ = value.__class__
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _described(value, doing, error)
    return None


def _described(value: object, doing: str, error: BaseException | None) -> str:
    why = "" if error is None else f": {_name(error)}: {text_of(error)[:100]}"
    return f"an object of the type {_name(value)} that cannot be {doing}{why}"


def _name(value: object) -> str:
    name = type.__dict__["__name__"].__get__(type(value))
    return str(name)
