"""What `SecretsManagerStore` makes of boto3's client: exceptions, and logs without secrets.

Copy this module beside that of the store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from urllib3.exceptions import HTTPError
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants


def listen(client: Any) -> None:
    """Keep what a client sends and gets out of its log, and let handlers' exceptions out.

    Args:
        client: boto3's client of Secrets Manager. Listening twice does no harm.
    """
    for event, handler in (
        ("before-call", _hide_request),
        ("before-parse", _hide_answer),
        ("needs-retry", _let_out),
    ):
        client.meta.events.register(f"{event}.secrets-manager", handler, unique_id=f"zoho-{event}")


@contextlib.contextmanager
def except_for(*codes: str) -> Iterator[None]:
    """Suppress the errors of AWS with these codes.

    Args:
        codes: As AWS writes them.
    """
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


@contextlib.contextmanager
def surfaced(message: str) -> Iterator[None]:
    """Let what botocore raises come out as `SDKException`, with its cause, without a secret [SECRET-2].

    Args:
        message: What cannot be done.

    Raises:
        SDKException: With the code ``TOKEN_STORE``.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        # An error that finds fault with a value may quote it.
        quotes = isinstance(error, ParamValidationError) or "ValidationException" in str(error)
        cause = None if quotes else error
        # The SDK writes the cause behind the text.
        text = f"{message}: " if cause else f"{message}: {type(error).__name__}"
        raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


def _let_out(caught_exception: Any = None, **_: object) -> None:
    """Raise what a handler raised in the middle of a call, which botocore would take for a failed try."""
    if isinstance(caught_exception, HTTPClientError):
        inner = caught_exception.kwargs.get("error")
        if isinstance(inner, Exception) and not isinstance(inner, OSError | HTTPError):
            raise inner


class _Hidden(bytes):
    """Content that botocore does not show in its log."""

    def __repr__(self) -> str:
        return "<hidden>"


def _hide_request(params: dict[str, Any], **_: object) -> None:
    params["body"] = _Hidden(params["body"])


def _hide_answer(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["body"] = _Hidden(response_dict["body"])
