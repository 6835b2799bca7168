"""A store whose answers, exceptions and output are searched for secrets."""

from __future__ import annotations

import functools
from typing import Any

from .._spec.tokens import Row, to_token
from .calls import Answer
from .output_capture import OutputCapture
from .secret_texts import Secrets, told_by
from .store_handle import StoreHandle


class LeakCheckedStore:
    """A store whose every answer is searched for secrets."""

    def __init__(
        self, store: StoreHandle, ears: OutputCapture, secrets: Secrets, circumstances: str = ""
    ) -> None:
        """Search a store, which is open.

        Args:
            store: The store.
            ears: What hears the output.
            secrets: What is searched for.
            circumstances: What was done to its storage, for the message.
        """
        self.workspace = store.workspace
        self.ears = ears
        self.secrets = secrets
        self.circumstances = circumstances
        self.store = store
        self.silent("opening")

    def save(self, row: Row) -> Any:
        """Save a token; any answer will do, as long as it is discreet. Returns the token."""
        token = to_token(row)
        self.store.remember(row)
        self.answered("save_token", self.store.call("save_token", token))
        return token

    def find(self, row: Row) -> None:
        """Look for a token."""
        self.answered("find_token", self.store.call("find_token", to_token(row)))

    def ask(self, method: str, *arguments: Any) -> None:
        """Call any method."""
        self.answered(method, self.store.call(method, *arguments))

    def answered(self, method: str, answer: Answer) -> None:
        """Search an answer, and whatever was heard meanwhile.

        Args:
            method: The method that was called.
            answer: What came back.
        """
        if answer.raised is not None:
            for where, text in told_by(answer.raised):
                self._search(f"{where} of the exception of {method}", text)
        self.silent(method)

    def silent(self, method: str) -> None:
        """Search what was heard, and how the store shows itself."""
        for where, text in self.ears.output():
            self._search(f"{where} during {method}", text)
        for name, show in (("repr()", repr), ("str()", str)):
            call = functools.partial(show, self.store.store)
            answer = self.workspace.guarded(name, call, self.store.location)
            self._search(f"{name} of the store after {method}", str(answer.returned))

    def _search(self, where: str, text: str) -> None:
        if (leak := self.secrets.leak(text)) is not None:
            self.workspace.fail(
                "no secret in what a log or a traceback may show", f"{where}{self.circumstances} shows {leak}"
            )
