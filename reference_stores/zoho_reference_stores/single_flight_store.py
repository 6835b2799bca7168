"""A token store of whose callers one renews an expired token, for the Zoho CRM Python SDK.

``zoho-tokenstore copy single-flight my_store.py`` copies this module, and `token_fields`, which it imports.
They need the SDK and the standard library, nothing else::

    store = SingleFlightStore(SQLiteFileStore("tokens.db"))
    Initializer.initialize(environment, token, store=store)

The SDK takes no lock of its own: each caller that is handed an expired token asks Zoho for a new one,
and Zoho refuses more than ten in ten minutes for one refresh token [FLOW-10].

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import random
import threading
import time
import uuid
import weakref
from typing import TYPE_CHECKING

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .token_fields import FIELDS, Fields, read_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_EARLY = 5000  # milliseconds before its end at which the SDK takes a token for expired
_SHORTEST, _LONGEST = 0.02, 0.5  # seconds between two looks at a row that another caller renews
_PATIENCE = 2  # leases that a call waits for, at most: one may be of a caller that died

_RENEWED = ("access_token", "expires_in")


class _Turn:
    """A thread's right to renew a row, or to wait at the inner store's lease on behalf of its process."""

    def __init__(self, thread: threading.Thread, ends: float) -> None:
        self.thread = thread
        self.owner = uuid.uuid4().hex
        self.ends = ends  # by the monotonic clock
        self.leased = False

    def is_over(self) -> bool:
        return time.monotonic() >= self.ends or not self.thread.is_alive()


class SingleFlightStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Passes every call on to another store, and hands an expired row to one caller at a time.

    The first caller to whom `find_token` or `find_token_by_id` would give a row that has a refresh token,
    and an access token that has expired or none, gets it, and with it a lease on the row. Others who ask
    for that row wait until it is saved, and get the fresh one; where it is deleted they get what the inner
    store then answers. The lease ends

    - when its thread saves, or calls this store for anything else than that row: the SDK calls nothing
      between finding and saving, so such a thread has failed to renew or never meant to;
    - when its thread ends;
    - after `lease_seconds`.

    Then the next one gets the row and the lease. Where a lease ran out by time, Zoho has probably refused:
    until something is saved, and for one lease at most, the others get the row as it is, and do not wait.
    Nobody waits longer than two leases. The thread that holds the lease is handed the row again at once.

    A token that has no row yet has nobody to wait for: each caller renews it. So sign in before the threads
    start, or save the token first.

    An exception that a signal handler raises ends the caller's lease with its call [CRASH-6].

    Threads of one process need nothing but this object. Between processes and nodes it takes an inner
    store with these two methods, as `LeasingSQLAlchemyStore`, `DjangoTokenStore`, `RedisStore` and
    `DynamoDBStore` have them::

        acquire_lease(key: str, owner: str, seconds: float) -> bool
        release_lease(key: str, owner: str) -> None

    The key is the id of a row. ``acquire_lease`` answers whether `owner` now holds the lease: it was
    free, or has run out by the server's clock, or was the owner's already. ``release_lease`` gives it
    back if `owner` holds it. Without these methods, each process renews for itself.

    Every other row is passed on as it is, with one call of the inner store. `get_tokens` never waits;
    nor does `find_token` of a token that has nothing but an id, with which the SDK revokes. Wrap this
    store around any other wrapper, so that it sees the calls as the SDK makes them; wrappers refuse to be
    put around it.

    Args:
        inner: The store that keeps the tokens.
        lease_seconds: How long a renewal may take before the next caller tries, in seconds: longer than
            Zoho takes to answer. All processes should use the same.

    Attributes:
        inner: The store that keeps the tokens.

    Raises:
        SDKException: What the inner store raises, from every method. TypeError, ValueError: From the
            constructor, where an argument is none of these.
    """

    is_outermost = True
    """No other wrapper may be put around this one."""

    def __init__(self, inner: Any, lease_seconds: float = 10.0) -> None:
        if not isinstance(inner, TokenStore) or getattr(inner, "is_outermost", False):
            raise TypeError(f"a single flight store goes around the store of the tokens, not {inner!r:.80}")
        if not isinstance(lease_seconds, int | float) or not 0 < lease_seconds < math.inf:
            raise ValueError(f"lease_seconds is a number of seconds above 0, not {lease_seconds!r:.80}")
        self.inner = inner
        self._seconds = lease_seconds
        self._begin()
        _STORES[id(self)] = self

    def _begin(self) -> None:
        # The lock and the queues are C's: a signal's handler that raises leaves none of them held.
        self._lock = threading.RLock()
        self._turns: dict[str, _Turn] = {}  # by the id of the row
        self._refused: dict[str, float] = {}  # rows whose lease ran out, and until when nobody waits for them
        self._waiting: list[queue.SimpleQueue[None]] = []  # one for each caller that waits
        self._changes = 0  # how often waiting callers were told to look again

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None``; may wait."""
        own = read_token(token) if isinstance(token, OAuthToken) else Fields()
        try:
            found = self.inner.find_token(token)
            if not _is_due(found) or not any(own[field] for field in own if field != "id"):
                self._leave()
                return found
            seen = self.inner.find_token_by_id(found.get_id())
            row = self._wait_for(seen, found.get_id())
            if row is seen and _is_due(seen):
                return found
            for one in (token, found):
                _adopt(one, own, seen, row)
            # A row that has gone may not be the only one that the token speaks of.
            return found if row is not None else self.inner.find_token(token)
        except BaseException:
            self._leave()
            raise

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``; may wait."""
        try:
            return self._wait_for(self.inner.find_token_by_id(id), id)
        except BaseException:
            self._leave()
            raise

    def save_token(self, token: OAuthToken) -> None:
        """Save the token, and let those see it who wait for its row."""
        try:
            self.inner.save_token(token)
        finally:
            self._leave(changed=True)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id."""
        try:
            self.inner.delete_token(id)
        finally:
            self._leave(changed=True)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, expired or not."""
        self._leave()
        return self.inner.get_tokens()  # type: ignore[no-any-return]

    def delete_tokens(self) -> None:
        """Delete every row."""
        try:
            self.inner.delete_tokens()
        finally:
            self._leave(changed=True)

    def close(self) -> None:
        """Close the inner store, if it can be closed."""
        self._leave()
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> SingleFlightStore:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---------------------------------------------------------------------------------------------
    # Whose turn it is. The lock is never held while the inner store is called.

    def _wait_for(self, row: OAuthToken | None, id: str) -> OAuthToken | None:
        """Return this very row where it is this thread's to renew or needs no renewal, else wait.

        Returns:
            The row as it was read last: fresh, gone (``None``), or expired and this thread's to renew.
        """
        self._leave(keep=id if _is_due(row) else None)
        if not _is_due(row):
            return row
        first = row
        patience = time.monotonic() + _PATIENCE * self._seconds
        for pause in _pauses():
            changes = self._changes
            ours = self._take(id, patience)
            # Read again after taking: who had the lease before may have saved since.
            row = self.inner.find_token_by_id(id)
            if _is_due(row) and ours:
                return first if _same(row, first, *_RENEWED) else row
            if not _is_due(row) or self._is_refused(id) or time.monotonic() >= patience:
                break
            self._pause(changes, pause)
        self._leave()
        return row

    def _is_refused(self, id: str) -> bool:
        return time.monotonic() < self._refused.get(id, 0)

    def _pause(self, changes: int, seconds: float) -> None:
        """Wait until there are more changes than these, or so long."""
        told: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waiting.append(told)
        if self._changes == changes:
            with contextlib.suppress(queue.Empty):
                told.get(timeout=seconds)

    def _take(self, id: str, patience: float) -> bool:
        """Take the lease on a row, unless another caller has it; whether this thread has it now."""
        me = threading.current_thread()
        over = None
        with self._lock:
            turn = self._turns.get(id)
            if turn is None or turn.is_over():
                over = turn
                if over is not None and over.leased and over.thread.is_alive():
                    self._refused[id] = time.monotonic() + self._seconds
                # Of a process, one thread stands at the inner store's lease, and the others behind it.
                turn = self._turns[id] = _Turn(me, patience)
            elif turn.thread is not me:
                return False
            elif turn.leased:
                return True
        if over is not None and over.leased:
            self._release(id, over)
        acquire = getattr(self.inner, "acquire_lease", None)
        if acquire is None or acquire(id, turn.owner, self._seconds):
            turn.ends = time.monotonic() + self._seconds
            turn.leased = True
        return turn.leased

    def _leave(self, *, keep: str | None = None, changed: bool = False) -> None:
        """End this thread's turns, but for the row `keep`; have the others look again."""
        me = threading.current_thread()
        with self._lock:
            mine = {id: turn for id, turn in self._turns.items() if turn.thread is me and id != keep}
            for id in mine:
                del self._turns[id]
            if changed:
                self._refused.clear()
        for id, turn in mine.items():
            if turn.leased:
                self._release(id, turn)
        if mine or changed:
            with self._lock:
                self._changes += 1
                told, self._waiting = self._waiting, []
            for one in told:
                one.put(None)

    def _release(self, id: str, turn: _Turn) -> None:
        release = getattr(self.inner, "release_lease", None)
        if release is not None:
            # What the caller asked for is done; a lease that is not given back runs out.
            with contextlib.suppress(Exception):
                release(id, turn.owner)


def _is_due(token: OAuthToken | None) -> bool:
    """Whether the SDK will renew a token that it is handed: as `OAuthToken.get_token` decides."""
    if not isinstance(token, OAuthToken) or not token.get_refresh_token():
        return False
    if not token.get_access_token():
        return True
    try:
        return int(token.get_expires_in()) - time.time() * 1000 < _EARLY
    except (TypeError, ValueError):
        return False


def _pauses() -> Iterator[float]:
    """Seconds from one look to the next: ever longer, and never those of another caller."""
    pause = _SHORTEST
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(2 * pause, _LONGEST)


# ---------------------------------------------------------------------------------------------
# Tokens.


def _same(one: OAuthToken, other: OAuthToken, *fields: str) -> bool:
    return all(getattr(one, f"get_{field}")() == getattr(other, f"get_{field}")() for field in fields)


def _adopt(token: OAuthToken, own: Fields, old: OAuthToken | None, new: OAuthToken | None) -> None:
    """Give a token that `find_token` filled in what its row has become; where it has gone, nothing.

    What the token brought stays [FIND-9]. But threads may share the very object: what one had it filled
    with, the next brings. So an expired access token that it brought gives way too, if it was the row's.
    """
    now = Fields(own) if new is None else read_token(new)
    for field in FIELDS:
        gives_way = new is not None and old is not None and field in _RENEWED and _same(token, old, field)
        if own[field] and not gives_way and not (new is None and field == "id"):
            continue
        if field == "user_name":
            token.set_user_signature(UserSignature(now[field]) if now[field] else None)
        else:
            getattr(token, f"set_{field}")(now[field])


# ---------------------------------------------------------------------------------------------
# Forks. The threads of the parent do not exist in the child, and its lock may have been held.

_STORES: weakref.WeakValueDictionary[int, SingleFlightStore] = weakref.WeakValueDictionary()


def _after_fork() -> None:
    for store in list(_STORES.values()):
        store._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
