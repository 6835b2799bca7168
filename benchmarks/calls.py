"""What the kit adds to one recorded call: the price of each kind of call on a store that does nothing.

Run it from the project's root::

    python -m benchmarks.calls

The goal is at most 40 microseconds of the processor for a call, the token that is passed included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._spec.tokens import Row, to_token

GOAL = 40.0
CALLS, TURNS = 4000, 5
ROW = Row(
    user_name="ann@example.com",
    client_id="1000.CLIENT",
    client_secret="client-secret",
    refresh_token="1000.refresh",
    access_token="1000.access",
    expires_in="1900000000000",
    redirect_url="https://example.com",
    api_domain="https://www.zohoapis.com",
)


class Nothing:
    """A store that does nothing."""

    def find_token(self, token: Any) -> None:
        """Find nothing."""

    def find_token_by_id(self, id: str) -> None:
        """Find nothing."""

    def save_token(self, token: Any) -> None:
        """Save nothing."""

    def delete_token(self, id: str) -> None:
        """Delete nothing."""

    def get_tokens(self) -> list[Any]:
        """Show nothing."""
        return []

    def delete_tokens(self) -> None:
        """Delete nothing."""


def open_nothing(_: Path) -> Nothing:
    """Open the store."""
    return Nothing()


def price(call: Callable[[], object]) -> float:
    """Microseconds of the processor for a call: those of the quickest of several turns."""
    turns = []
    for _ in range(TURNS):
        began = time.process_time()
        for _ in range(CALLS):
            call()
        turns.append((time.process_time() - began) / CALLS * 1e6)
    return min(turns)


def prices() -> dict[str, float]:
    """Each kind of call, and its price in microseconds."""
    sut = StoreUnderTest(
        "nothing", open_nothing, close_by_default, StoreSource.of(open_nothing), disposable=True
    )
    with Workspace(sut, Effort()) as workspace:
        store = workspace.open()
        token = to_token(ROW)
        calls: dict[str, Callable[[], object]] = {
            "save_token, a new token": lambda: store.save(ROW),
            "save_token, the same token": lambda: store.save_token(token),
            "find_token": lambda: store.found(ROW),
            "find_token_by_id": lambda: store.found_by_id("1"),
            "get_tokens": store.rows,
            "delete_token": lambda: store.call("delete_token", "1"),
            "delete_tokens": lambda: store.call("delete_tokens"),
        }
        found = {}
        for name, call in calls.items():
            workspace.calls.clear()
            found[name] = price(call)
    return found


def main() -> None:
    """Measure and print."""
    for name, microseconds in prices().items():
        print(f"{name:28} {microseconds:5.1f} µs{'' if microseconds <= GOAL else f', more than {GOAL:g}'}")


if __name__ == "__main__":
    main()
