"""The store as the SDK gets it: a `TokenStore` that passes every call on and records it.

The SDK swallows what `save_token` raises, and a message has to tell it all the same.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from ..._harness.calls import Answer
from ..._spec.sdk import load
from ..._spec.tokens import Row, to_row
from .server import HOST

Calling = Callable[..., Answer]
"""Calls a method of the store, by name and with positional arguments, and never raises."""


def recording(call: Calling) -> Any:
    """A `TokenStore` that passes the SDK's calls on, with the very objects, and raises what comes.

    It refuses to pass on a token of a real data centre: the SDK would go there and leave the
    machine.
    """
    return _recording_class()(call)


@functools.cache
def _recording_class() -> Any:
    class Recording(load().TokenStore):  # type: ignore[misc]
        def __init__(self, call: Calling) -> None:
            self.passed: list[Row] = []
            self.save_raised: list[BaseException] = []
            self.inside: dict[int, str] = {}
            self.foreign_domains: list[str] = []
            self.around_save: Callable[[Callable[[], Any]], Any] = lambda save: save()
            self._call = call

        def find_token(self, token: Any) -> Any:
            return self._stay(self._pass("find_token", token), token)

        def save_token(self, token: Any) -> Any:
            self.passed.append(to_row(token))
            return self.around_save(lambda: self._pass("save_token", token))

        def delete_token(self, id: Any) -> Any:
            return self._pass("delete_token", id)

        def get_tokens(self) -> Any:
            return self._pass("get_tokens")

        def delete_tokens(self) -> Any:
            return self._pass("delete_tokens")

        def find_token_by_id(self, id: Any) -> Any:
            return self._stay(self._pass("find_token_by_id", id))

        def _pass(self, method: str, *arguments: Any) -> Any:
            thread = threading.get_ident()
            self.inside[thread] = method
            try:
                answer = self._call(method, *arguments)
            finally:
                self.inside.pop(thread, None)
            if answer.raised is not None:
                if method == "save_token":
                    self.save_raised.append(answer.raised)
                raise answer.raised
            return answer.returned

        def _stay(self, found: Any, passed: Any = None) -> Any:
            for token in (found, passed):
                domain = token.get_api_domain() if isinstance(token, load().OAuthToken) else None
                if isinstance(domain, str) and f"//{HOST}" not in domain and _is_real(domain):
                    self.foreign_domains.append(domain)
                    raise RuntimeError(f"the kit does not let the SDK leave for {domain}")
            return found

    return Recording


def _is_real(domain: str) -> bool:
    module = load().module("src.com.zoho.crm.api.dc.data_center")
    return module.DataCenter.get(domain) is not None
