"""Stores with one mistake in how they take and give back a lock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

from .catalogue import correct, fault
from .right import RightStore, refusal


class LendsItsLock(RightStore):
    """The common part of those that do not always give their lock back."""

    def __init__(self, location: Path) -> None:
        self.turn = threading.RLock()
        super().__init__(location)

    def take(self) -> None:
        if not self.turn.acquire(timeout=0.3):
            raise refusal("the store is busy")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        self.take()
        try:
            with super().locked():
                yield
        finally:
            self.turn.release()


@fault("THREAD-1", says="also in another thread")
class KeepsTheLockAfterAMiss(LendsItsLock):
    """Looks for a token under the lock, and gives it back only where there is one."""

    def find_token(self, token: Any) -> Any:
        self.take()
        found = super().find_token(token)
        if found is not None:
            self.turn.release()
        return found


@fault("THREAD-1", says="also in another thread")
class KeepsTheLockAfterAnUnknownId(LendsItsLock):
    """Deletes under a lock of its own, and returns early where it has no such id."""

    def delete_token(self, id: Any) -> None:
        self.take()
        if self.by_id(self.read()["rows"], id) is None:
            return
        super().delete_token(id)
        self.turn.release()


@fault("THREAD-1", says="also in another thread")
class KeepsTheLockAfterWhatIsNoToken(LendsItsLock):
    """Takes the lock before it looks whether it was passed a token."""

    def save_token(self, token: Any) -> None:
        self.take()
        if not isinstance(token, OAuthToken):
            return
        try:
            super().save_token(token)
        finally:
            self.turn.release()


@correct()
class BusyWithATimeout(LendsItsLock):
    """Refuses to wait for its lock for ever, and always gives it back."""
