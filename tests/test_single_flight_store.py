"""`SingleFlightStore`: one renewal for all who meet an expired token, and otherwise the inner store."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.applicable import takes_a_file
from tests.flights import meet
from tests.leasing import LeasingSQLiteFileStore
from tests.reference_list import PLACES
from tests.stores.catalogue import sut_for
from zoho_reference_stores import ListStore, SingleFlightStore, SQLiteFileStore, sqlite_file
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import abilities
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

pytestmark = pytest.mark.once

CLIENT = {"client_id": "client", "client_secret": "secret"}
PAST, FUTURE = "1000000000000", "9999999999999"
ANN = Row(user_name="ann", **CLIENT, refresh_token="refresh", access_token="old", expires_in=PAST)
RENEWED = Row(user_name="ann", access_token="new", expires_in=FUTURE)
LIMIT = 20.0  # seconds until something that should have happened counts as failed
FOREVER = 3600.0  # a lease that no test sees the end of


# The contract


def over_file(location: Path) -> SingleFlightStore:
    return SingleFlightStore(LeasingSQLiteFileStore(location))


def over_list(location: Path) -> SingleFlightStore:
    return SingleFlightStore(ListStore())


def break_storage(store: SingleFlightStore, location: Path) -> None:
    sqlite_file.break_storage(store.inner, location)


def mend_storage(store: SingleFlightStore, location: Path) -> None:
    sqlite_file.mend_storage(store.inner, location)


SERVED = {
    "SQLAlchemyStore on PostgreSQL": "postgresql",
    "SQLAlchemyStore on MariaDB": "mariadb",
    "RedisStore": "redis",
}
"""Stores with leases on a server, by the fixture that starts it."""
INNERS: dict[str, Callable[[Path], Any]] = {
    "LeasingSQLiteFileStore": LeasingSQLiteFileStore,
    **{name: PLACES[name].open for name in SERVED},
}
"""Stores with leases; what opens them is importable, for each process opens its own."""


@pytest.fixture
def running(inner: str, request: pytest.FixtureRequest) -> None:
    """The server of an inner store that has one runs."""
    if inner in SERVED:
        request.getfixturevalue(SERVED[inner])


SUBJECTS: dict[str, Callable[[], StoreUnderTest]] = {
    "LeasingSQLiteFileStore": lambda: sut_for(
        over_file, break_storage=break_storage, mend_storage=mend_storage
    ),
    "ListStore": lambda: sut_for(over_list, persistent=False),
}
# Groups and clauses that take a file or a second opening, which a store in memory does not have.


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("inner", SUBJECTS)
def test_the_wrapper_keeps_the_clause(inner: str, clause: str) -> None:
    """MUST, SHOULD and MAY alike: FLOW-10 too."""
    result = check_clause(clause, SUBJECTS[inner](), Effort())

    missing = inner == "ListStore" and takes_a_file(clause)
    missing = missing or (clause == "FLOW-8" and not abilities().revokes)
    expected = Outcome.NOT_APPLICABLE if missing else Outcome.KEPT
    assert expected == result.outcome, result.message()


# Through the SDK


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("known", ["id", "user_name", "refresh_token", "shared"])
@pytest.mark.parametrize("inner", [*INNERS, "SQLiteFileStore"])
def test_threads_that_meet_one_expired_token_send_one_token_request(inner: str, known: str) -> None:
    """Twelve without the wrapper, of which Zoho refuses two. ``shared`` is one token object for all."""
    open_inner = INNERS.get(inner, SQLiteFileStore)
    without = meet(open_inner, threads=12, wrapped=False, known=known)
    assert (without.requests, without.refused, without.worked) == (12, 2, 10)

    flight = meet(open_inner, threads=12, wrapped=True, known=known)
    assert (flight.requests, flight.worked, flight.failed) == (1, 12, ())


@pytest.mark.parametrize(
    ("processes", "threads", "known"), [(4, 1, "id"), (4, 1, "refresh_token"), (4, 3, "shared")]
)
@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("inner", INNERS)
def test_processes_that_meet_one_expired_token_send_one_token_request(
    inner: str, processes: int, threads: int, known: str
) -> None:
    """One for each caller without the wrapper."""
    callers = processes * threads
    without = meet(INNERS[inner], processes=processes, threads=threads, wrapped=False, known=known)
    assert without.requests == callers

    flight = meet(INNERS[inner], processes=processes, threads=threads, wrapped=True, known=known)
    assert (flight.requests, flight.worked, flight.failed) == (1, callers, ())


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("inner", INNERS)
def test_a_process_that_is_killed_in_the_middle_of_a_renewal_costs_its_lease(inner: str) -> None:
    """One of the others renews, and gets the lease only after the store had refused it."""
    flight = meet(INNERS[inner], processes=4, wrapped=True, lease_seconds=4, killed=True)

    assert flight.first_answers == (False, False, False)
    assert (flight.requests, flight.worked, flight.failed, flight.valid) == (2, 3, (), True)


# Thread by thread


class Inner(ListStore):
    """Counts its calls, and does what a test wants in the middle of them."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = threading.Semaphore(0)
        self.calls: list[str] = []
        self.save_raises: BaseException | None = None

    def find_token(self, token: Any) -> Any:
        self.calls.append("find_token")
        found = super().find_token(token)
        self.looks.release()
        return found

    def find_token_by_id(self, id: Any) -> Any:
        self.calls.append("find_token_by_id")
        found = super().find_token_by_id(id)
        self.looks.release()
        return found

    def save_token(self, token: Any) -> None:
        if self.save_raises is not None:
            raise self.save_raises
        super().save_token(token)


class WithLeases(Inner):
    """Grants and refuses leases as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.grants: Callable[[], bool] = lambda: True
        self.owners: dict[str, str] = {}
        self.said: list[tuple[Any, ...]] = []

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        granted = self.grants() and self.owners.get(key, owner) == owner
        self.said.append(("acquire", key, seconds, granted))
        if granted:
            self.owners[key] = owner
        return granted

    def release_lease(self, key: str, owner: str) -> None:
        self.said.append(("release", key, self.owners.get(key) == owner))
        if self.owners.get(key) == owner:
            del self.owners[key]


def stored(inner: Inner, row: Row) -> str:
    token = to_token(row)
    inner.save_token(token)
    return str(token.get_id())


def by_id(store: Any, id: str) -> Any:
    """The access token of a row."""
    return store.find_token_by_id(id).get_access_token()


class Caller:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._answers: list[Any] = []
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._answers.append(call())
        except BaseException as error:
            self._errors.append(error)

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def answer(self) -> Any:
        """What the call answers; it has to come back."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the call does not come back"
        if self._errors:
            raise self._errors[0]
        return self._answers[0]


def waiting(inner: Inner, call: Callable[[], Any], looks: int = 2) -> Caller:
    """A call that waits for its turn: it has looked at the row, and again after it did not get the turn."""
    while inner.looks.acquire(blocking=False):
        pass
    caller = Caller(call)
    for _ in range(looks):
        assert inner.looks.acquire(timeout=LIMIT), "the call does not look at the row"
    assert caller.waits
    return caller


BY: dict[str, Row] = {
    "user name": ANN.only("user_name"),
    "refresh token": ANN.only("client_id", "client_secret", "refresh_token"),
    "user name and id": ANN.only("user_name").but(id="1"),
}


@pytest.mark.parametrize("by", BY)
def test_who_asks_for_a_row_that_another_renews_gets_it_renewed(by: str) -> None:
    """The very token that was passed is filled in, with the fresh row."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    assert by_id(store, id) == "old"
    token = to_token(BY[by])
    other = waiting(inner, lambda: store.find_token(token), looks=3)

    store.save_token(to_token(RENEWED))
    assert other.answer() is token
    assert to_row(token) == ANN.updated_by(RENEWED).but(id=id)


def test_who_asks_by_id_gets_a_token_of_its_own_with_the_renewed_row() -> None:
    """And whoever asks later does not wait."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    mine = store.find_token(to_token(ANN.only("user_name")))
    others = [waiting(inner, lambda: store.find_token_by_id(id)) for _ in range(3)]

    store.save_token(to_token(RENEWED))
    found = [other.answer() for other in others]
    assert [to_row(one) for one in found] == [ANN.updated_by(RENEWED).but(id=id)] * 3
    assert len({builtins.id(one) for one in (mine, *found)}) == 4
    assert Caller(lambda: by_id(store, id)).answer() == "new"


def test_fields_that_the_waiting_caller_brought_stay_as_they_were() -> None:
    """Whatever the renewed row holds there [FIND-9]."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN.but(redirect_url="https://row", api_domain="https://row"))
    store.find_token_by_id(id)
    brought = Row(user_name="ann", access_token="brought", redirect_url="https://brought")
    other = waiting(inner, lambda: store.find_token(to_token(brought)), looks=3)

    store.save_token(to_token(RENEWED.but(api_domain="https://new")))
    found = to_row(other.answer())
    assert found == brought.but(
        id=id, **CLIENT, refresh_token="refresh", expires_in=FUTURE, api_domain="https://new"
    )


def test_an_object_that_another_thread_had_filled_in_is_renewed_too() -> None:
    """Threads may share their token: what one had it filled with, the next one brings."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    shared = to_token(ANN.only("user_name"))
    assert store.find_token(shared) is shared
    assert to_row(shared) == ANN.but(id=id)
    other = waiting(inner, lambda: store.find_token(shared), looks=3)

    store.save_token(to_token(RENEWED))
    assert other.answer() is shared
    assert to_row(shared) == ANN.updated_by(RENEWED).but(id=id)


def test_a_row_that_is_renewed_while_it_is_looked_for_is_handed_out_renewed() -> None:
    """It was expired when it was found, and no longer at the second look."""

    class RenewedMeanwhile(WithLeases):
        def find_token(self, token: Any) -> Any:
            found = super().find_token(token)
            self.save_token(to_token(RENEWED))
            return found

    inner = RenewedMeanwhile()
    id = stored(inner, ANN)
    token = to_token(ANN.only("user_name"))

    assert SingleFlightStore(inner, FOREVER).find_token(token) is token
    assert to_row(token) == ANN.updated_by(RENEWED).but(id=id)
    assert inner.said == []


def test_the_thread_that_has_the_lease_is_handed_the_row_again() -> None:
    """At once, by id and by name, as often as it asks."""
    store = SingleFlightStore(Inner(), FOREVER)
    id = stored(store.inner, ANN)

    def ask() -> list[Row]:
        by_name = [store.find_token(to_token(ANN.only("user_name"))) for _ in range(2)]
        by_id = [store.find_token_by_id(id) for _ in range(2)]
        return [to_row(token) for token in (*by_name, *by_id)]

    assert Caller(ask).answer() == [ANN.but(id=id)] * 4


def test_the_lease_of_a_caller_that_does_not_save_runs_out() -> None:
    """Then the next one is handed the row as it is, and the lease with it."""
    inner = WithLeases()
    store = SingleFlightStore(inner, 0.5)
    id = stored(inner, ANN)
    store.find_token_by_id(id)

    assert Caller(lambda: by_id(store, id)).answer() == "old"
    assert inner.said == [("acquire", id, 0.5, True), ("release", id, True), ("acquire", id, 0.5, True)]


def test_the_lease_of_a_thread_that_has_ended_is_free() -> None:
    """Whoever renewed there will not save any more."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    Caller(lambda: store.find_token_by_id(id)).answer()

    assert Caller(lambda: by_id(store, id)).answer() == "old"
    assert inner.said == [
        ("acquire", id, FOREVER, True),
        ("release", id, True),
        ("acquire", id, FOREVER, True),
    ]


OTHER_CALLS: dict[str, Callable[[SingleFlightStore], Any]] = {
    "get_tokens": lambda store: store.get_tokens(),
    "find_token": lambda store: store.find_token(to_token(Row(user_name="bob"))),
    "find_token_by_id": lambda store: store.find_token_by_id("unknown"),
    "save_token": lambda store: store.save_token(to_token(Row(user_name="bob", access_token="bob's"))),
    "delete_token": lambda store: store.delete_token("unknown"),
}


@pytest.mark.parametrize("call", OTHER_CALLS)
def test_a_thread_that_turns_to_something_else_gives_up_its_lease(call: str) -> None:
    """Its renewal has failed, or it never meant to renew."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    store.find_token_by_id(id)
    other = waiting(inner, lambda: store.find_token_by_id(id))

    OTHER_CALLS[call](store)
    assert other.answer().get_access_token() == "old"


def test_a_save_that_fails_ends_the_lease() -> None:
    """What it raised comes out, and the next caller may renew."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    store.find_token_by_id(id)
    other = waiting(inner, lambda: store.find_token_by_id(id))
    inner.save_raises = SDKException(code="TOKEN_STORE", message="the disk is on fire")

    with pytest.raises(SDKException, match="on fire"):
        store.save_token(to_token(RENEWED))
    assert other.answer().get_access_token() == "old"


@pytest.mark.parametrize("method", ["delete_token", "delete_tokens"])
def test_deleting_a_row_ends_the_waiting_for_it(method: str) -> None:
    """Both ways of asking get ``None``, and the token that was passed is as it was [FIND-12]."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    store.find_token_by_id(id)
    sent = BY["refresh token"].but(id="unknown")
    token = to_token(sent)
    asks_by_id = waiting(inner, lambda: store.find_token_by_id(id))
    by_token = waiting(inner, lambda: store.find_token(token), looks=3)

    getattr(store, method)(*([id] if method == "delete_token" else []))
    assert asks_by_id.answer() is None
    assert by_token.answer() is None
    assert to_row(token) == sent


def test_a_row_that_another_process_saved_is_noticed() -> None:
    """Nobody in this process tells; the waiting caller looks again by itself."""
    inner = WithLeases()
    inner.grants = lambda: False
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    other = waiting(inner, lambda: store.find_token_by_id(id))

    inner.save_token(to_token(RENEWED))
    assert other.answer().get_access_token() == "new"


def test_a_row_that_was_renewed_before_its_lease_was_free_is_not_renewed_again() -> None:
    """The row is read again once the lease is taken, and the lease is given back."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)

    def saved_meanwhile() -> bool:
        inner.save_token(to_token(RENEWED))
        return True

    inner.grants = saved_meanwhile
    token = to_token(ANN.only("user_name"))
    assert store.find_token(token) is token
    assert to_row(token) == ANN.updated_by(RENEWED).but(id=id)
    assert inner.said == [("acquire", id, FOREVER, True), ("release", id, True)]


def test_nobody_waits_for_ever_for_a_lease_that_another_process_never_gives_back() -> None:
    """After two leases the row is handed out as it is."""
    inner = WithLeases()
    inner.grants = lambda: False
    store = SingleFlightStore(inner, 0.1)
    id = stored(inner, ANN)
    callers = [Caller(lambda: store.find_token_by_id(id)) for _ in range(3)]

    assert [caller.answer().get_access_token() for caller in callers] == ["old"] * 3


def test_a_lease_is_taken_once_and_given_back_by_the_save() -> None:
    """By its owner; and a store that cannot take it back does not make the save fail."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    for _ in range(2):
        store.find_token_by_id(id)
    store.save_token(to_token(RENEWED))
    assert inner.said == [("acquire", id, FOREVER, True), ("release", id, True)]

    inner.save_token(to_token(ANN))
    store.find_token_by_id(id)
    inner.owners = None  # type: ignore[assignment]  # so that giving back raises
    store.save_token(to_token(RENEWED))
    assert by_id(inner, id) == "new"


def test_a_store_that_cannot_give_leases_raises_and_blocks_nobody() -> None:
    """What it raised comes out of the call that asked."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)

    def fail() -> bool:
        raise SDKException(code="TOKEN_STORE", message="the server is gone")

    inner.grants = fail
    with pytest.raises(SDKException, match="gone"):
        store.find_token_by_id(id)
    with pytest.raises(SDKException, match="gone"):
        Caller(lambda: store.find_token_by_id(id)).answer()


def in_milliseconds(seconds: float) -> str:
    return str(int((time.time() + seconds) * 1000))


NOT_TO_BE_RENEWED: dict[str, Callable[[], Row]] = {
    "it lives on": lambda: ANN.but(expires_in=in_milliseconds(600)),
    "it never expires": lambda: ANN.but(expires_in=None),
    "nobody knows when": lambda: ANN.but(expires_in="soon"),
    "there is nothing to renew it with": lambda: ANN.but(refresh_token=None),
}


@pytest.mark.parametrize("why", NOT_TO_BE_RENEWED)
def test_a_row_that_is_not_to_be_renewed_is_passed_on(why: str) -> None:
    """With one call of the inner store, to whoever asks."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    row = NOT_TO_BE_RENEWED[why]()
    id = stored(inner, row)
    for _ in range(2):
        assert to_row(Caller(lambda: store.find_token_by_id(id)).answer()) == row.but(id=id)
        assert to_row(Caller(lambda: store.find_token(to_token(Row(user_name="ann")))).answer()) == row.but(
            id=id
        )

    assert inner.calls == ["find_token_by_id", "find_token"] * 2
    assert inner.said == []


def test_a_token_with_less_than_five_seconds_left_is_expired() -> None:
    """As the SDK sees it."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN.but(expires_in=in_milliseconds(4)))
    store.find_token_by_id(id)

    assert inner.said == [("acquire", id, FOREVER, True)]


def test_looking_without_renewing_neither_waits_nor_makes_others_wait() -> None:
    """`get_tokens`, and `find_token` of an id alone, with which the SDK revokes."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN)
    assert to_row(store.find_token(to_token(Row(id=id)))) == ANN.but(id=id)
    assert [token.get_access_token() for token in store.get_tokens()] == ["old"]
    assert inner.said == []

    store.find_token_by_id(id)
    assert Caller(lambda: store.find_token(to_token(Row(id=id)))).answer().get_access_token() == "old"
    assert [token.get_access_token() for token in Caller(store.get_tokens).answer()] == ["old"]


def test_rows_are_renewed_side_by_side() -> None:
    """The lease is that of one row."""
    inner = Inner()
    store = SingleFlightStore(inner, FOREVER)
    ann, bob = stored(inner, ANN), stored(inner, ANN.but(user_name="bob"))
    store.find_token_by_id(ann)

    assert Caller(lambda: store.find_token_by_id(bob)).answer().get_access_token() == "old"


def test_a_process_that_forks_off_owes_nothing_to_the_threads_of_its_parent() -> None:
    """They do not exist in it, nor hold a lock: it gets the row at once."""
    script = """
import os, signal, threading
from tests.test_single_flight_store import ANN, FOREVER, Inner, stored
from zoho_reference_stores import SingleFlightStore
store = SingleFlightStore(Inner(), FOREVER)
id = stored(store.inner, ANN)
asked, done = threading.Event(), threading.Event()
def renew():
    store.find_token_by_id(id)
    with store._lock:
        asked.set()
        done.wait()
threading.Thread(target=renew).start()
asked.wait()
pid = os.fork()
if not pid:
    signal.alarm(20)  # so that it ends, whatever it waits for
    os._exit(7 if store.find_token_by_id(id).get_access_token() == "old" else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
done.set()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_closing_closes_the_inner_store(tmp_path: Path) -> None:
    """With or without `with`; an inner store that cannot be closed is left alone."""
    with SingleFlightStore(LeasingSQLiteFileStore(tmp_path)) as store:
        assert store.get_tokens() == []
    with pytest.raises(SDKException, match="closed"):
        store.get_tokens()
    SingleFlightStore(ListStore()).close()


def test_a_row_without_an_access_token_is_renewed_by_one_caller() -> None:
    """As one that has expired."""
    inner = WithLeases()
    store = SingleFlightStore(inner, FOREVER)
    id = stored(inner, ANN.but(access_token=None, expires_in=None))
    store.find_token_by_id(id)
    caller = waiting(inner, lambda: by_id(store, id))
    store.save_token(to_token(ANN.but(access_token="new", expires_in=in_milliseconds(600))))

    assert caller.answer() == "new"


def test_a_lease_that_ran_out_keeps_the_others_waiting_once() -> None:
    """Zoho refuses: who waits and who comes next gets the row as it is, until something is saved."""
    inner = WithLeases()
    store = SingleFlightStore(inner, 2)
    id = stored(inner, ANN)
    store.find_token_by_id(id)  # in a thread that lives on
    done = threading.Event()

    def ask_and_live_on(answers: list[str]) -> None:
        answers.append(by_id(store, id))
        done.wait()

    answers: list[str] = []
    threads = [threading.Thread(target=ask_and_live_on, args=(answers,), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(answers) < 4:
        time.sleep(0.01)
    assert len([said for said in inner.said if said[0] == "acquire"]) == 2
    assert answers == ["old"] * 4
    done.set()


@pytest.mark.parametrize("inner", [None, ListStore, "tokens.db", SingleFlightStore(ListStore())])
def test_what_it_cannot_go_around_is_refused(inner: Any) -> None:
    """With a sentence that says why."""
    with pytest.raises(TypeError, match="goes around the store"):
        SingleFlightStore(inner)


@pytest.mark.parametrize("seconds", [0, -1, "10", None, float("nan"), float("inf")])
def test_a_lease_has_a_length(seconds: Any) -> None:
    """In seconds, above 0."""
    with pytest.raises(ValueError, match="number of seconds above 0"):
        SingleFlightStore(ListStore(), seconds)
