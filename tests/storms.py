"""Alarms at random moments: what a soft time limit does to a store."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

from tests.calls import rows
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token


class TooLate(Exception):
    """What the handler raises, as Celery raises `SoftTimeLimitExceeded`."""


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `TooLate` after so many seconds, unless the block has ended."""

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise TooLate

    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


def storm(store: Any, alarms: int, longest: float) -> dict[str, int]:
    """Find and save two users by turns, interrupted until there were so many alarms.

    Args:
        store: An empty store.
        alarms: How many.
        longest: Seconds after which an alarm comes at the latest.

    Returns:
        How many calls were right and how many were interrupted.

    Raises:
        AssertionError: An answer was another user's, an acknowledged save is gone, or a row is no whole one.
    """
    chance = random.Random(1)
    users = [
        Row(
            user_name=name,
            client_id="client",
            client_secret="secret",
            refresh_token=f"{name} refresh",
            access_token=f"{name} 0",
            expires_in="0",
        )
        for name in ("ann", "bob")
    ]
    for number, user in enumerate(users):
        token = to_token(user)
        store.save_token(token)
        users[number] = user.but(id=token.get_id())
    possible = [{user} for user in users]  # what each row may be now
    counted = {"right": 0, "interrupted": 0}
    turn = 0
    while counted["interrupted"] < alarms:
        turn += 1
        which = chance.randrange(2)
        new = users[which].but(access_token=f"{users[which].user_name} {turn}", expires_in=str(turn))
        saves = chance.random() < 0.5
        try:
            with alarm(chance.uniform(0.00001, longest)):
                if saves:
                    store.save_token(to_token(new.but(id=None)))
                    possible[which] = {new}
                else:
                    found = store.find_token_by_id(users[which].id)
            if not saves:
                assert to_row(found) in possible[which]
        except TooLate:
            counted["interrupted"] += 1
            if saves:
                possible[which] = {*possible[which], new}
        else:
            counted["right"] += 1
    for number, row in enumerate(rows(store)):
        assert row in possible[number]
    return counted
