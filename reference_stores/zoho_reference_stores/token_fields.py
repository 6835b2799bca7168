"""What token stores have in common: the fields of a token, and which row a token speaks of.

The stores beside this module import it, and ``zoho-tokenstore copy`` writes it beside the copy of a store.
It needs the SDK and the standard library. The ids in brackets, such as [SAVE-4], name clauses of the
TokenStore contract.
"""

from __future__ import annotations

import functools
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

if TYPE_CHECKING:
    from typing import TypeAlias

    Names: TypeAlias = tuple[str, ...]

    class Row(Protocol):
        """A stored row: a text or ``None`` for each of `FIELDS`."""

        def __getitem__(self, field: str, /) -> Any: ...


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
CREDENTIALS = frozenset(("grant_token", "refresh_token", "access_token"))
_CLIENT = ("client_id", "client_secret")


class Fields(dict[str, str | None]):
    """A token's fields by name; absent is ``None``. Its `repr` has no values, for they are secret [SECRET-2].

    Reports of exceptions may show the local variables of every frame (``capture_locals``, Sentry). So
    secrets stand in such a dictionary, or in a token, and never in a variable of their own.
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(map(str, self))}>"


def read_token(token: OAuthToken) -> Fields:
    """Return all fields of a token. Absent is ``None`` or ``""`` in a token, ``None`` here [VALUE-10]."""
    signature = token.get_user_signature()
    return Fields(
        id=token.get_id() or None,
        user_name=(signature.get_name() or None) if signature is not None else None,
        client_id=token.get_client_id() or None,
        client_secret=token.get_client_secret() or None,
        refresh_token=token.get_refresh_token() or None,
        access_token=token.get_access_token() or None,
        grant_token=token.get_grant_token() or None,
        expires_in=token.get_expires_in() or None,
        redirect_url=token.get_redirect_url() or None,
        api_domain=token.get_api_domain() or None,
    )


def read_token_to_save(token: OAuthToken) -> Fields:
    """Return all fields of a token that is to be saved.

    Raises:
        SDKException: This is no token, or one of its fields is not text.
    """
    if not isinstance(token, OAuthToken):
        raise refusal("only an OAuthToken can be saved")
    fields = read_token(token)
    for name in FIELDS:
        if fields[name] is not None and not isinstance(fields[name], str):
            raise refusal(f"every field of a token is text, and {name} is not")
    return fields


def fill_token(token: OAuthToken, row: Row) -> OAuthToken:
    """Give the token the row's id, and of the row's other fields those that it lacks [FIND-9].

    Args:
        token: The token, which is changed.
        row: What is stored, by field, with all of `FIELDS`.

    Returns:
        The same token.
    """
    token.set_id(row["id"])
    signature = token.get_user_signature()
    if signature is None or not signature.get_name():
        token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
    if not token.get_client_id():
        token.set_client_id(row["client_id"])
    if not token.get_client_secret():
        token.set_client_secret(row["client_secret"])
    if not token.get_refresh_token():
        token.set_refresh_token(row["refresh_token"])
    if not token.get_access_token():
        token.set_access_token(row["access_token"])
    if not token.get_grant_token():
        token.set_grant_token(row["grant_token"])
    if not token.get_expires_in():
        token.set_expires_in(row["expires_in"])
    if not token.get_redirect_url():
        token.set_redirect_url(row["redirect_url"])
    if not token.get_api_domain():
        token.set_api_domain(row["api_domain"])
    return token


def new_token(row: Row) -> OAuthToken:
    """Return a new token with all fields of a row."""
    # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5]. What `fill_token`
    # asks an empty token would take as long as this does, and lists are long.
    token = OAuthToken(id=row["id"])
    token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
    token.set_client_id(row["client_id"])
    token.set_client_secret(row["client_secret"])
    token.set_refresh_token(row["refresh_token"])
    token.set_access_token(row["access_token"])
    token.set_grant_token(row["grant_token"])
    token.set_expires_in(row["expires_in"])
    token.set_redirect_url(row["redirect_url"])
    token.set_api_domain(row["api_domain"])
    return token


def refusal(message: str) -> SDKException:
    """Return the exception with which a store refuses a call. The message names no secret [SECRET-2]."""
    return SDKException(code=Constants.TOKEN_STORE, message=message)


def random_id() -> str:
    """Return an id of ten decimal digits, which as good as certainly no row ever had.

    The SDK goes on to ask by the id alone. A counter begins again where the storage was lost or set back, and
    would then give the id of one user's token to another; so no store counts.
    """
    return str(10**9 + secrets.randbelow(9 * 10**9))


def id_to_insert(fields: Fields, *, taken: bool) -> str | None:
    """Return the id that a new row gets from its token.

    Args:
        fields: Those of the token, which matches no row.
        taken: Whether a row has the token's id.

    Returns:
        The token's id, or ``None`` where the store has to make one.

    Raises:
        SDKException: The token cannot become a row.
    """
    if CREDENTIALS.isdisjoint(present(fields)) and (fields["id"] or fields["user_name"]):
        raise refusal("the token has no credential, and no row is its own")  # [SAVE-16]
    if taken and not fields["user_name"]:
        raise refusal("the id is that of a user's row, whom this token does not name")
    # Under the id of another user's row, this user gets a row of their own [SAVE-11].
    return None if taken else fields["id"]


# ---------------------------------------------------------------------------------------------
# Which row a token speaks of: the first way in which some row matches, and of several such rows the
# oldest.


class Way(NamedTuple):
    """One way in which a row matches a token.

    Attributes:
        fields: In these the row has exactly what the token has.
        unnamed: And it has no user.
    """

    fields: Names
    unnamed: bool = False


_USER = Way(("user_name",))
_ID = Way(("id",))
_ACCESS = Way(("access_token",))
_GRANT = Way(("grant_token", *_CLIENT))
_REFRESH = Way(("refresh_token", *_CLIENT))
_UNNAMED_ID, _UNNAMED_GRANT, _UNNAMED_REFRESH = (
    Way(way.fields, unnamed=True) for way in (_ID, _GRANT, _REFRESH)
)


def present(fields: Fields) -> Names:
    """Return the names of the fields that a token has."""
    return tuple([name for name in FIELDS if fields[name]])


@functools.cache
def ways_to_find(has: Names) -> tuple[Way, ...]:
    """Return how the row of a token is found, the best way first.

    Args:
        has: What the token has, as `present` answers. No way asks for a field that it lacks.
    """
    # A name outranks everything else: whoever names a user reaches no row of another [SAVE-5, FIND-8].
    return _known(has, (_USER, _UNNAMED_ID) if "user_name" in has else _without_name(has, _ID))


@functools.cache
def ways_to_update(has: Names) -> tuple[Way, ...]:
    """Return how the row is found that a save updates, the best way first; `has` as in `ways_to_find`."""
    if "user_name" in has:
        # A new name goes to the unnamed row that the token was saved as before its user was known
        # [SAVE-14, SAVE-15].
        return _known(has, (_USER, _UNNAMED_ID, _UNNAMED_GRANT, _UNNAMED_REFRESH))
    # Without a name, another credential under the id of a user's row may be anybody's: no match.
    return _known(has, _without_name(has, _ID if CREDENTIALS.isdisjoint(has) else _UNNAMED_ID))


def _without_name(has: Names, by_id: Way) -> tuple[Way, ...]:
    if not set(_CLIENT).intersection(has):
        return _ACCESS, by_id
    # Beside client credentials, an access token counts when nothing else says whose it is.
    at_last = set(_CLIENT).issubset(has) and not {"grant_token", "refresh_token", "id"}.intersection(has)
    return (_ACCESS,) if at_last else (_GRANT, _REFRESH, by_id)


def _known(has: Names, ways: tuple[Way, ...]) -> tuple[Way, ...]:
    return tuple(way for way in ways if set(way.fields).issubset(has))
