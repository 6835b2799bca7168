"""An exception from a signal's handler ends the call that it interrupts, and nothing else [CRASH-6]."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.calls import find, rows, save
from tests.interrupts import Interrupted, own_locals, raise_interrupted, run
from zoho_reference_stores import (
    FallbackStore,
    ListStore,
    SingleFlightStore,
    SQLiteFileStore,
    SQLiteMemoryStore,
)
from zoho_reference_stores.encrypted_store import EncryptedStore
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

KEYS = ["c3R1diBhIGtleSBvZiB0aGlydHktdHdvIGJ5dGVzISE=", "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE="]
CLIENT = {"client_id": "client", "client_secret": "hidden secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="hidden refresh", access_token="hidden access")
NEW = ANN.but(access_token="hidden new access", expires_in="1900000000000")
BOB = Row(user_name="bob", **CLIENT, refresh_token="hidden bob's refresh", access_token="hidden bob's")
EVE = Row(user_name="eve", access_token="hidden eve's")

OPEN: dict[str, Callable[[Path], Any]] = {
    "ListStore": lambda _: ListStore(),
    "SQLiteMemoryStore": lambda _: SQLiteMemoryStore(),
    "SQLiteFileStore": SQLiteFileStore,
    "EncryptedStore": lambda _: EncryptedStore(ListStore(), KEYS),
    "SingleFlightStore": lambda _: SingleFlightStore(ListStore()),
    "FallbackStore": lambda _: FallbackStore(ListStore(), ListStore()),
}
CALLS: dict[str, tuple[Callable[[Any, str], Any], Callable[[Row], list[list[Row]]]]] = {
    # What is called with the store and ann's id, and the rows that there may be afterwards beside bob's.
    "update": (lambda store, _: store.save_token(to_token(NEW)), lambda ann: [[ann], [ann.updated_by(NEW)]]),
    "insert": (lambda store, _: store.save_token(to_token(EVE)), lambda ann: [[ann], [ann, EVE]]),
    "delete": (lambda store, ann: store.delete_token(ann), lambda ann: [[ann], []]),
    "find": (lambda store, _: store.find_token(to_token(Row(user_name="ann"))), lambda ann: [[ann]]),
    "find by refresh token": (
        lambda store, _: store.find_token(to_token(ANN.but(user_name=None, access_token=None))),
        lambda ann: [[ann]],
    ),
    "find by id": (lambda store, ann: store.find_token_by_id(ann), lambda ann: [[ann]]),
    "list": (lambda store, _: store.get_tokens(), lambda ann: [[ann]]),
}


@pytest.fixture(params=OPEN)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each of them, open and empty."""
    opened = OPEN[request.param](tmp_path)
    yield opened
    if hasattr(opened, "close"):
        opened.close()


def in_another_thread(call: Callable[[], Any]) -> Any:
    """What a call returns in a thread of its own; one that hangs fails the test."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(30)
    assert answers, "the call hangs, or raised"
    return answers[0]


def assert_nothing_is_locked(store: Any, path: Path) -> None:
    """Another process could write at once."""
    if isinstance(store, SQLiteFileStore) and not isinstance(store, SQLiteMemoryStore):
        with contextlib.closing(sqlite3.connect(path / "zohooauth.db", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")


def prepare(store: Any) -> str:
    """Leave bob's row and ann's, as they were at first; returns ann's id."""
    for row in rows(store):
        if row.user_name != "bob":
            store.delete_token(row.id)
    return save(store, ANN)


def assert_works(store: Any, path: Path, outcomes: list[list[Row]]) -> None:
    """In this thread and others, with the rows of one of the outcomes beside bob's."""
    assert_nothing_is_locked(store, path)
    (bob,) = (row for row in rows(store) if row.user_name == "bob")
    assert bob == BOB.but(id=bob.id)
    for found in (rows(store), in_another_thread(lambda: rows(store))):
        others = [row.but(id=None) for row in found if row != bob]
        assert others in [[row.but(id=None) for row in outcome] for outcome in outcomes]
    for row in rows(store):
        assert find(store, Row(user_name=row.user_name)) == row
        assert to_row(store.find_token_by_id(row.id)) == row
    assert in_another_thread(lambda: save(store, BOB)) == bob.id


@pytest.mark.parametrize("name", CALLS)
def test_an_exception_at_any_place_ends_the_call_alone(store: Any, tmp_path: Path, name: str) -> None:
    """It comes out as it is; rows are whole, the next calls are right, and no frame shows a secret."""
    call, outcomes = CALLS[name]
    save(store, BOB)
    for place in itertools.count(1):
        id = prepare(store)
        reached, error = run(functools.partial(call, store, id), place, raise_interrupted)
        if not reached:
            break
        assert type(error) is Interrupted, error
        assert "hidden" not in own_locals(error)
        assert_works(store, tmp_path, outcomes(ANN))

    assert place > 3


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(ANN.but(redirect_url=b"bytes"), id="a field is no text"),
        pytest.param(Row(id="7", user_name="ann", client_secret="hidden secret"), id="no credential"),
        pytest.param(EVE.but(user_name=None, id="1"), id="another user's id"),
    ],
)
def test_no_frame_of_a_refused_save_shows_a_secret(store: Any, refused: Row) -> None:
    """Where local variables are shown, too."""
    save(store, BOB.but(id="1"))
    with pytest.raises(SDKException) as caught:
        store.save_token(to_token(refused))

    assert "hidden" not in own_locals(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_a_handler_may_call_the_store_at_any_place(store: Any, tmp_path: Path, name: str) -> None:
    """It is answered or refused, and hangs nowhere; the call that it interrupts is right, too."""
    call, outcomes = CALLS[name]
    save(store, BOB)

    def handler() -> None:
        with contextlib.suppress(SDKException):
            assert find(store, Row(user_name="bob")) is not None
        with contextlib.suppress(SDKException):
            save(store, BOB)

    for place in itertools.count(1):
        id = prepare(store)
        reached, error = run(functools.partial(call, store, id), place, handler)
        if not reached:
            break
        assert error is None
        assert_works(store, tmp_path, outcomes(ANN)[-1:])


def _open_into(opened: list[SQLiteFileStore], path: Path) -> None:
    opened.append(SQLiteFileStore(path))


def test_an_interrupted_opening_leaves_nothing(tmp_path: Path) -> None:
    """The next one finds no half of a database, and nobody who holds it."""
    for place in itertools.count(1):
        path = tmp_path / f"{place}.db"
        opened: list[
            SQLiteFileStore
        ] = []  # a store that nobody keeps would be interrupted as it is thrown away
        reached, error = run(functools.partial(_open_into, opened, path), place, raise_interrupted)
        if not reached:
            break
        assert type(error) is Interrupted
        with SQLiteFileStore(path) as store:
            assert rows(store) == []
            save(store, ANN)
    assert place > 20


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer")
def test_a_storm_of_alarms_loses_nothing(store: Any, tmp_path: Path) -> None:
    """Real signals at moments of chance, while other threads save and find."""
    chance = random.Random(1)
    save(store, BOB)
    ann = save(store, ANN)
    acknowledged = 0
    interrupted = 0
    done = threading.Event()
    wrong: list[Any] = []

    def others() -> None:
        try:
            while not done.is_set():
                save(store, BOB)
                if (found := find(store, Row(user_name="bob"))) is None or found.but(id=None) != BOB:
                    wrong.append(found)
        except BaseException as error:
            wrong.append(error)

    armed = False  # while calls are made: an alarm may come when they are over

    def handler(*_: Any) -> None:
        if armed:
            raise Interrupted

    before = signal.signal(signal.SIGALRM, handler)
    threads = [threading.Thread(target=others) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 400):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00001, 0.001))
                store.save_token(to_token(ANN.but(expires_in=str(number))))
                acknowledged = number
                found = store.find_token(to_token(Row(user_name="ann")))
                by_id = store.find_token_by_id(ann)
                armed = False
                if found is None or int(found.get_expires_in()) < acknowledged:
                    wrong.append(found)
                if to_row(by_id).user_name != "ann":
                    wrong.append("another user")
            except Interrupted:
                interrupted += 1
            finally:
                armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
        done.set()
        for thread in threads:
            thread.join()

    assert wrong == []
    assert interrupted > 0
    (row,) = [one for one in rows(store) if one.user_name == "ann"]
    assert int(row.expires_in or 0) >= acknowledged
    assert_works(store, tmp_path, [[row]])
