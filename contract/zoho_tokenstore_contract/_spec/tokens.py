"""What a store keeps for one token, and the way from a row to the SDK's token and back."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from .junk_answers import Junk, is_a, show, tame_field, text_of
from .sdk import load

FIELDS = (
    "id",
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expires_in",
    "redirect_url",
    "api_domain",
)
CREDENTIALS = ("grant_token", "refresh_token", "access_token")
SECRETS = ("client_secret", *CREDENTIALS)


@dataclass(frozen=True)
class Row:
    """The ten fields of one token. Absent is ``None``; a store may answer with other types."""

    id: Any = None
    user_name: Any = None
    client_id: Any = None
    client_secret: Any = None
    refresh_token: Any = None
    access_token: Any = None
    grant_token: Any = None
    expires_in: Any = None
    redirect_url: Any = None
    api_domain: Any = None

    def but(self, **changes: Any) -> Row:
        """A copy with other values in the named fields."""
        return dataclasses.replace(self, **changes)

    def only(self, *names: str) -> Row:
        """A copy with nothing but the named fields."""
        return Row(**{name: getattr(self, name) for name in names})

    def present(self) -> dict[str, Any]:
        """The fields that are neither ``None`` nor ``""``, in the order of `FIELDS`."""
        return {name: value for name in FIELDS if not absent(value := getattr(self, name))}

    def plain(self) -> Row:
        """A copy as clauses compare it that do not speak of types.

        ``""`` counts as absent (VALUE-4 speaks of that) and a number in ``expires_in`` as its
        digits (VALUE-5).
        """
        if "" not in vars(self).values() and not isinstance(self.expires_in, int):
            return self
        changes: dict[str, Any] = {name: None for name, value in vars(self).items() if value == ""}
        if isinstance(self.expires_in, int):
            changes["expires_in"] = str(self.expires_in)
        return self.but(**changes)

    def updated_by(self, other: Row) -> Row:
        """This row after an update with `other`: its present fields replace, the id stays."""
        return self.but(**{name: value for name, value in other.present().items() if name != "id"})

    def filled_from(self, stored: Row) -> Row:
        """This row as the argument of a hit on `stored`: own fields stay, the id is the row's."""
        return stored.but(**{name: value for name, value in self.present().items() if name != "id"})


def absent(value: object) -> bool:
    """Whether the contract counts a field's value as absent."""
    return value is None or value == ""


def to_token(row: Row) -> Any:
    """Build the SDK's ``OAuthToken`` with its constructor and setters.

    A user name of ``""`` becomes a ``UserSignature`` with an empty name, and a number in ``expires_in``,
    which a store has made of it (VALUE-5), the digits that the SDK writes.
    """
    sdk = load()
    # The constructor insists on one of its fields, so one is lent and taken back.
    token = sdk.OAuthToken(access_token="lent")
    for name in FIELDS:
        if name != "user_name":
            getattr(token, f"set_{name}")(getattr(row, name))
    if isinstance(row.expires_in, int):
        token.set_expires_in(str(row.expires_in))
    if row.user_name is not None:
        token.set_user_signature(sdk.UserSignature(row.user_name))
    return token


class UnreadableToken(Exception):
    """A getter of a token raises; the text says what."""


def _user_name(token: Any) -> Any:
    signature = token.get_user_signature()
    return None if signature is None else signature.get_name()


_READERS: dict[str, Callable[[Any], Any]] = {name: methodcaller(f"get_{name}") for name in FIELDS}
_READERS["user_name"] = _user_name
"""How each field of a token is read."""


def to_row(token: Any) -> Row:
    """Read the ten fields through the token's getters, as they answer.

    Raises:
        UnreadableToken: A getter raises, as all do on a half-built token.
    """
    try:
        return Row(*(tame_field(read(token)) for read in _READERS.values()))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UnreadableToken(f"{type(error).__name__}: {text_of(error)}") from error


def to_row_as_far_as_it_reads(token: Any) -> Row:
    """Read the fields of a token that a store may have spoilt; what cannot be read is a `Junk`."""
    return Row(*(field_as_far_as_it_reads(token, name) for name in FIELDS))


def field_as_far_as_it_reads(token: Any, name: str) -> Any:
    """Read one field of a token that a store may have spoilt.

    Args:
        token: The token.
        name: The field.

    Returns:
        What the getter answers; a `Junk` where it cannot be read.
    """
    try:
        return tame_field(_READERS[name](token))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Junk(f"cannot be read: {type(error).__name__}: {text_of(error)}")


def is_token(value: Any) -> bool:
    """Whether a value is an instance of the SDK's ``OAuthToken``."""
    return is_a(value, load().OAuthToken)


def overwrite_fields(token: Any, row: Row) -> None:
    """Change every field of a token in place, and the `UserSignature` that it carries as well.

    Only a store that shares these objects with its storage can notice. What a token refuses to change
    stays as it is.

    Args:
        token: The token.
        row: The new values.
    """
    signature = token.get_user_signature()
    # The signature has no setter, but a store that keeps this very object still shares it.
    for attribute in list(getattr(signature, "__dict__", ())):
        with contextlib.suppress(AttributeError):
            setattr(signature, attribute, row.user_name)
    other = to_token(row)
    for name in (*(name for name in FIELDS if name != "user_name"), "user_signature"):
        with contextlib.suppress(Exception):
            getattr(token, f"set_{name}")(getattr(other, f"get_{name}")())


def format_value(value: object, limit: int = 120) -> str:
    """A value for a message: `repr`, with the middle of a long text left out.

    Args:
        value: Any value.
        limit: How many characters are shown in full.

    Returns:
        The text.
    """
    text = show(value)
    if len(text) <= limit:
        return text
    note = f"…({len(value)} characters)…" if type(value) is str else "…"
    return text[: limit // 2] + note + text[-limit // 3 :]


def format_token(row: Row) -> str:
    """A token with these fields for a message."""
    return f"OAuthToken({_format_fields(row)})"


def format_row(row: Row) -> str:
    """A row for a message: its present fields as keyword arguments."""
    return f"Row({_format_fields(row)})"


def _format_fields(row: Row) -> str:
    fields = {name: value for name in FIELDS if (value := getattr(row, name)) is not None}
    return ", ".join(f"{name}={format_value(value)}" for name, value in fields.items())
