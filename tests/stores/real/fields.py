"""How these stores read and make tokens, in the manner of the SDK's samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..right import OTHERS

NAMES = ("id", "user_name", *OTHERS)


def failure(message: str, cause: BaseException | None = None) -> SDKException:
    """The exception that these stores raise."""
    return SDKException(code="TOKEN_STORE", message=message, cause=cause)


def name_of(token: Any) -> str | None:
    """The user name of a token."""
    signature = token.get_user_signature()
    return None if signature is None else signature.get_name()


def values_of(token: Any) -> list[Any]:
    """The ten fields of a token, as they are."""
    return [token.get_id(), name_of(token), *(getattr(token, f"get_{name}")() for name in OTHERS)]


def fill(token: Any, row: Sequence[Any]) -> Any:
    """Set what a token lacks (is ``None``, not "") from a row; returns the token."""
    if token.get_id() is None:
        token.set_id(row[0])
    if token.get_user_signature() is None and row[1] is not None:
        token.set_user_signature(UserSignature(row[1]))
    for name, value in zip(OTHERS, row[2:], strict=True):
        if getattr(token, f"get_{name}")() is None:
            getattr(token, f"set_{name}")(value)
    return token


def unmade_token(row: Sequence[Any]) -> Any:
    """A token for a row that no constructor has made, so that it lacks an attribute [BYID-5]."""
    token = object.__new__(OAuthToken)
    token.set_id(None)
    token.set_user_signature(None)
    for name in OTHERS:
        getattr(token, f"set_{name}")(None)
    return fill(token, row)


def has_client(token: Any) -> bool:
    """Whether a token has both client id and client secret."""
    return token.get_client_id() is not None and token.get_client_secret() is not None


def lacks_client(token: Any) -> bool:
    """Whether a token has neither client id nor client secret."""
    return token.get_client_id() is None and token.get_client_secret() is None


def lacks_credentials(token: Any) -> bool:
    """Whether a token has no grant, refresh or access token."""
    return (
        token.get_refresh_token() is None
        and token.get_grant_token() is None
        and token.get_access_token() is None
    )
