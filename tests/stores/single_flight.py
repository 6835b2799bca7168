"""A store that keeps what nobody asks of it: one renewal for all threads that need it (FLOW-10)."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

from .catalogue import correct
from .right import RightStore

LEASE = 3.0
"""How long the others wait for the one who renews; it may fail, or never have meant to renew."""


@correct()
class SingleFlightStore(RightStore):
    """The first thread that finds an expired token renews it; the others wait until it has saved."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.saved_something = threading.Condition()
        self.renewing: dict[str, tuple[int, float]] = {}

    def find_token(self, token: Any) -> Any:
        row = self.match_to_find(self.read()["rows"], self.fields_of(token))
        self.wait_for_renewal(None if row is None else row["id"])
        return super().find_token(token)

    def find_token_by_id(self, id: Any) -> Any:
        self.wait_for_renewal(id)
        return super().find_token_by_id(id)

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        with self.saved_something:
            self.renewing = {
                id: lease for id, lease in self.renewing.items() if lease[0] != threading.get_ident()
            }
            self.saved_something.notify_all()

    def wait_for_renewal(self, id: Any) -> None:
        """Take the lease of an expired token, or wait for who has it."""
        with self.saved_something:
            while self.is_expired(id):
                thread, until = self.renewing.get(id, (threading.get_ident(), 0.0))
                left = until - time.monotonic()
                if thread == threading.get_ident() or left <= 0:
                    self.renewing[id] = (threading.get_ident(), time.monotonic() + LEASE)
                    return
                self.saved_something.wait(left)

    def is_expired(self, id: Any) -> bool:
        row = self.by_id(self.read()["rows"], id)
        if row is None or not row["refresh_token"]:
            return False
        with contextlib.suppress(TypeError, ValueError):
            return int(row["expires_in"]) - time.time() * 1000 < 5000
        return False
