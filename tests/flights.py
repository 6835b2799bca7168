"""Callers in threads and processes that meet one expired token, through the real SDK.

Used by the tests of `SingleFlightStore` and by ``benchmarks/single_flight.py``. Nothing is timed: Zoho's
answers are held back until every caller has been handed the expired row, or stands at its lease, and,
without the wrapper, has asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore

from tests.stores.catalogue import sut_for
from zoho_reference_stores import SingleFlightStore
from zoho_tokenstore_contract._drivers.processes.children import Child, Processes
from zoho_tokenstore_contract._drivers.processes.pipe import Pipe
from zoho_tokenstore_contract._drivers.zoho.app import App, oauth_token, sdk_at_rest
from zoho_tokenstore_contract._drivers.zoho.data_centre import TOKEN, DataCentre
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import CLIENT, FUTURE, PAST
from zoho_tokenstore_contract._drivers.zoho.server import Zoho
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._spec.tokens import Row

LIMIT = 30.0  # seconds until something that should have happened counts as failed


@dataclass(frozen=True)
class Flight:
    """What Zoho saw and the callers got.

    Attributes:
        requests: The token requests that Zoho got.
        refused: How many of them it refused.
        worked: The callers whose call of the API carried a valid access token of the user.
        failed: What the other callers that were left alive met.
        first_answers: For each process that was left alive, what the store answered when it first
            asked for the lease.
        valid: Whether the access token that is stored in the end is one that Zoho takes.
    """

    requests: int
    refused: int
    worked: int
    failed: tuple[str, ...]
    first_answers: tuple[bool, ...]
    valid: bool


class Watched(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Passes every call on, and tells what a caller was handed and what became of its lease."""

    def __init__(self, inner: Any, tell: Callable[[str, bool], None]) -> None:
        self.inner = inner
        self._tell = tell

    def find_token(self, token: Any) -> Any:
        return self._told(self.inner.find_token(token))

    def find_token_by_id(self, id: Any) -> Any:
        return self._told(self.inner.find_token_by_id(id))

    def save_token(self, token: Any) -> None:
        self.inner.save_token(token)

    def delete_token(self, id: Any) -> None:
        self.inner.delete_token(id)

    def get_tokens(self) -> Any:
        return self.inner.get_tokens()

    def delete_tokens(self) -> None:
        self.inner.delete_tokens()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)  # leases, where the inner store has them
        if name != "acquire_lease":
            return found

        def acquire_lease(*arguments: Any) -> bool:
            taken = bool(found(*arguments))
            self._tell("lease", taken)
            return taken

        return acquire_lease

    def _told(self, found: Any) -> Any:
        if found is not None and found.get_expires_in() == PAST:
            self._tell("met", True)
        return found


def meet(
    open_inner: Callable[[Path], Any],
    *,
    processes: int = 1,
    threads: int = 1,
    wrapped: bool,
    known: str = "id",
    lease_seconds: float = 20.0,
    killed: bool = False,
) -> Flight:
    """Have callers meet one expired token at once.

    Args:
        open_inner: Opens the store on a directory; importable, for each process opens it for itself.
        processes: How many processes.
        threads: How many threads in each of them; every thread is a caller.
        wrapped: Put a `SingleFlightStore` around the store.
        known: The field by which the callers know their token, ``id``, ``user_name`` or
            ``refresh_token``; ``shared`` for one token object of all threads of a process.
        lease_seconds: That of the wrapper.
        killed: The process that holds the lease is killed while Zoho keeps its answer back.
    """
    with (
        Workspace(sut_for(open_inner), Effort()) as workspace,
        Processes(workspace) as children,
        Zoho({CLIENT["client_id"]: CLIENT["client_secret"]}) as zoho,
    ):
        centre = zoho.centre("us")
        store = workspace.open()
        ann, bob = store.holding(_row(centre, "ann", PAST), _row(centre, "bob", FUTURE))
        workspace.close(store)
        with _held_back(zoho) as (asked, answer):
            payload = {
                "ann": vars(_known(ann, known)),
                "bob": bob.id,
                "shared": known == "shared",
                "url": centre.url,
                "accounts_url": centre.accounts_url,
                "threads": threads,
                "lease_seconds": lease_seconds if wrapped else None,
            }
            started = [
                children.start(
                    call_the_api, store.location, {**payload, "resources": str(workspace.location())}
                )
                for _ in range(processes)
            ]
            callers = [_Callers(child.ready()) for child in started]
            for one in callers:
                one.child.send("go")
            for one in callers:
                one.try_receive("lease" if killed else "met", 1 if killed else threads)
            # Who came later than an answer would find the token renewed that its process shares.
            for number in range(1 if wrapped else processes * threads):
                assert asked.acquire(timeout=LIMIT), f"{number} callers asked Zoho"
            if killed:
                (holder,) = [one for one in callers if one.leases[0]]
                holder.child.end()
                callers.remove(holder)
            answer.set()
            for one in callers:
                one.try_receive("done", threads)
        asked_for = zoho.asked(TOKEN)
        done = [answer for one in callers for answer in one.done]
        sent = [zoho.requests[number - 1].access_token if error is None else None for error, number in done]
        stored = workspace.open(store.location).found_by_id(ann.id)
        return Flight(
            requests=len(asked_for),
            refused=sum("access_token" not in request.answer for request in asked_for),
            worked=sum(token is not None and centre.owner(token) == "ann" for token in sent),
            failed=tuple(error for error, _ in done if error is not None),
            first_answers=tuple(one.leases[0] for one in callers if one.leases),
            valid=stored is not None and centre.owner(stored.access_token) == "ann",
        )


def _row(centre: DataCentre, name: str, expires_in: str) -> Row:
    refresh_token = centre.refresh_token(name)
    access_token = centre.access_token(name, refresh_token)
    if expires_in == PAST:
        centre.expire(access_token)
    return Row(
        user_name=centre.user(name).signature,
        **CLIENT,
        refresh_token=refresh_token,
        access_token=access_token,
        expires_in=expires_in,
        api_domain=centre.url,
    )


def _known(row: Row, known: str) -> Row:
    if known in ("refresh_token", "shared"):
        return row.only("client_id", "client_secret", "refresh_token")
    return row.only(known)


@contextmanager
def _held_back(zoho: Zoho) -> Iterator[tuple[threading.Semaphore, threading.Event]]:
    """Have Zoho keep back its answers: how often it was asked, and an event that lets it answer."""
    asked, answer = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        asked.release()
        answer.wait(LIMIT)

    zoho.hold = hold
    try:
        yield asked, answer
    finally:
        answer.set()


class _Callers:
    """The callers of one process, and what they have said so far."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.met: list[Any] = []
        self.leases: list[bool] = []
        self.done: list[Any] = []  # pairs: what failed, or the number of the request that Zoho got

    def try_receive(self, kind: str, times: int) -> None:
        """Wait until something was said so often."""
        said: dict[str, list[Any]] = {"met": self.met, "lease": self.leases, "done": self.done}
        while len(said[kind]) < times:
            heard, value = self.child.receive("the call of the API")
            said[heard].append(value)


def call_the_api(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In each process: start the SDK as bob, and have each thread make a call of the API as ann."""
    lock = threading.Lock()
    met: set[int] = set()

    def tell(kind: str, value: Any) -> None:
        with lock:
            if kind != "met" or threading.get_ident() not in met:
                pipe.send([kind, value])
            met.add(threading.get_ident())

    used: Any = Watched(store, tell)
    if payload["lease_seconds"] is not None:
        used = SingleFlightStore(used, payload["lease_seconds"])
    where = payload["url"], payload["accounts_url"]
    ann = Row(**payload["ann"])
    shared = oauth_token(ann) if payload["shared"] else None
    with sdk_at_rest():
        app = App(used, Path(payload["resources"]), [])
        app.start(oauth_token(Row(id=payload["bob"])), *where)
        pipe.receive()

        def call() -> None:
            answer = app.switch(shared or oauth_token(ann), *where)
            if answer.raised is None:
                answer = app.call_api()
            tell("done", [None, answer.returned] if answer.raised is None else [str(answer), None])

        threads = [threading.Thread(target=call) for _ in range(payload["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    pipe.receive()  # until the check is over
