"""What happens to `SQLiteFileStore` and its file in production: copies, removed logs, forks, handlers."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.calls import rows, save
from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_tokenstore_contract._spec.tokens import Row, to_token

ANN = Row(user_name="ann", access_token="ann's")
BOB = Row(user_name="bob", access_token="bob's")

CALLS: dict[str, Callable[[Any], Any]] = {
    "find_token": lambda store: store.find_token(to_token(ANN)),
    "save_token": lambda store: store.save_token(to_token(BOB)),
    "delete_token": lambda store: store.delete_token("1"),
    "get_tokens": lambda store: store.get_tokens(),
    "delete_tokens": lambda store: store.delete_tokens(),
    "find_token_by_id": lambda store: store.find_token_by_id("1"),
}


def in_another_process(script: str, *arguments: Any, kill: bool = False) -> str:
    """What a fresh interpreter prints that runs this script, with what most of them need imported."""
    head = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore")
from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
"""
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
    return done.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no file is yet."""
    return tmp_path / "tokens.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteFileStore]:
    """An open store that holds one user."""
    with SQLiteFileStore(path) as opened:
        save(opened, ANN.but(id="1"))
        yield opened


def refuses(store: Any, says: str) -> None:
    """Every method raises, and says why."""
    for call in CALLS.values():
        with pytest.raises(SDKException, match=says):
            call(store)


# copies, logs, files


def checkpoint(path: Path) -> None:
    """Have the log moved into the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_log_that_another_process_removed_is_noticed(store: SQLiteFileStore, path: Path) -> None:
    """A copy made by the own process takes SQLite's lock away; then the next one to close removes the log."""
    shutil.copyfile(path, path.with_name("copy.db"))
    in_another_process("with SQLiteFileStore(sys.argv[1]) as store: store.get_tokens()", path)
    assert not path.with_name("tokens.db-wal").exists()

    refuses(store, "tokens.db-wal")
    store.close()
    with SQLiteFileStore(path) as again:
        assert rows(again) == [ANN.but(id="1")]


def test_a_log_that_was_deleted_is_noticed(store: SQLiteFileStore, path: Path) -> None:
    """And what another process saved meanwhile is not overwritten when the first one closes."""
    for name in ("tokens.db-wal", "tokens.db-shm"):
        path.with_name(name).unlink()
    refuses(store, "tokens.db-wal")
    script = """
        with SQLiteFileStore(sys.argv[1]) as store:
            store.save_token(OAuthToken(access_token="other"))
            os.kill(os.getpid(), signal.SIGKILL)  # its log stays
    """
    in_another_process(script, path, kill=True)
    refuses(store, "tokens.db-wal")
    store.close()
    script = """
        with SQLiteFileStore(sys.argv[1]) as store:
            print([token.get_access_token() for token in store.get_tokens()])
    """
    assert in_another_process(script, path) == "['other']\n"


def test_a_copy_that_was_put_over_the_open_file_is_noticed(store: SQLiteFileStore, path: Path) -> None:
    """Though it is the same file for the system."""
    store.backup(path.with_name("copy.db"))
    for number in range(3):
        save(store, BOB.but(access_token=f"token {number}"))
    checkpoint(path)  # as SQLite does now and then
    save(store, BOB.but(access_token="last"))
    shutil.copyfile(path.with_name("copy.db"), path)

    refuses(store, "was overwritten")


def test_another_database_over_the_open_file_is_noticed(store: SQLiteFileStore, path: Path) -> None:
    """Also where more was saved in it."""
    with SQLiteFileStore(path.with_name("other.db")) as other:
        for number in range(5):
            save(other, BOB.but(access_token=f"token {number}"))
    shutil.copyfile(path.with_name("other.db"), path)

    refuses(store, "was overwritten")


def test_moving_the_log_into_the_file_is_no_overwriting(store: SQLiteFileStore, path: Path) -> None:
    """Whoever does it, and however often."""
    with SQLiteFileStore(path) as other:
        for number in range(5):
            save(other if number % 2 else store, BOB.but(access_token=f"token {number}"))
            checkpoint(path)
            assert len(rows(store)) == len(rows(other)) == 2


def test_half_a_log_in_the_file_is_no_overwriting(store: SQLiteFileStore, path: Path) -> None:
    """Another process is moving it there, or was killed as it did."""
    for number in range(100):
        save(store, Row(access_token=f"{number} " * 200))
    store.backup(path.with_name("copy.db"))
    whole = path.with_name("copy.db").read_bytes()
    file = os.open(path, os.O_RDWR)  # stays open: closing it would take SQLite's locks away
    assert os.fstat(file).st_size < len(whole)
    os.pwrite(file, whole[:4096], 0)  # the page that says how many there are

    save(store, BOB)
    assert len(rows(store)) == 102
    checkpoint(path)
    assert len(rows(store)) == 102
    store.close()
    os.close(file)
    with SQLiteFileStore(path) as again:
        assert len(rows(again)) == 102


def test_a_log_of_another_copy_is_told_from_damage(path: Path) -> None:
    """Where a process was killed, and a copy was put in the place of its file alone."""
    with SQLiteFileStore(path) as store:
        save(store, ANN)
        store.backup(path.with_name("copy.db"))
    script = """
        store = SQLiteFileStore(sys.argv[1])
        for number in range(300):
            store.save_token(OAuthToken(access_token=f"{number} " * 200))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    in_another_process(script, path, kill=True)
    shutil.copyfile(path.with_name("copy.db"), path)

    with pytest.raises(SDKException, match="the log of another copy"), SQLiteFileStore(path) as store:
        rows(store)


def test_a_copy_is_whole_while_four_processes_save(path: Path) -> None:
    """Every save that had returned is in it, and it opens."""
    SQLiteFileStore(path).close()
    script = """
        store = SQLiteFileStore(sys.argv[1])
        print("ready", flush=True)
        for number in range(10_000):
            store.save_token(OAuthToken(access_token=f"{sys.argv[2]} {number}"))
            print(number, flush=True)
    """
    children = [writer(script, path, name) for name in ("one", "two", "three", "four")]
    try:
        with SQLiteFileStore(path) as store:
            for turn in range(3):
                saved = [int(child.stdout.readline()) for child in children for _ in range(5)]
                store.backup(path.with_name(f"copy {turn}.db"))
                with SQLiteFileStore(path.with_name(f"copy {turn}.db")) as copied:
                    found = {row.access_token for row in rows(copied)}
                for name, number in zip(("one", "two", "three", "four"), saved[4::5], strict=True):
                    assert {f"{name} {one}" for one in range(number + 1)} <= found
    finally:
        for child in children:
            child.kill()
            child.communicate()

    assert path.with_name("copy 0.db").stat().st_mode & 0o077 == 0
    assert not path.with_name("copy 0.db-wal").exists()
    with SQLiteFileStore(path) as store, pytest.raises(SDKException, match="File exists"):
        store.backup(path.with_name("copy 0.db"))


def writer(script: str, *arguments: Any) -> Any:
    """A process that saves until it is killed; it is ready."""
    imports = (
        "import sys\n"
        "from zoho_reference_stores import SQLiteFileStore\n"
        "from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", imports + textwrap.dedent(script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    """Who owns a file can read it, whatever its mode."""
    with SQLiteFileStore(path) as store:
        save(store, ANN)
        os.chown(path, 65534, 65534)
        with pytest.raises(SDKException, match="another user's"):
            SQLiteFileStore(path)


# waiting


def test_finding_does_not_wait_for_a_save_that_waits(store: SQLiteFileStore, path: Path) -> None:
    """For another process, that is."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        saver = threading.Thread(target=save, args=(store, BOB))
        saver.start()
        while not store._changing:
            pass
        assert store.find_token_by_id("1") is not None
        assert len(rows(store)) == 1
        assert saver.is_alive()
        other.execute("COMMIT")
        saver.join()

    assert len(rows(store)) == 2


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer")
def test_a_handler_ends_the_waiting_for_another_process(store: SQLiteFileStore, path: Path) -> None:
    """And leaves no transaction behind."""

    def handler(*_: Any) -> None:
        raise TimeoutError("soft limit")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(TimeoutError, match="soft limit"):
                save(store, BOB)
            other.execute("COMMIT")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    save(store, BOB)
    assert len(rows(store)) == 2


# forks


@pytest.mark.skipif(sys.platform != "linux", reason="forks through the C library")
# From Python 3.13 on, the hook alone, without the one before the fork, ends the process.
@pytest.mark.parametrize(
    "hook",
    [False, *[True] * (sys.version_info < (3, 13))],
    ids=lambda hook: "a hook" if hook else "no hook",
)
def test_a_process_that_was_forked_past_python_is_refused(path: Path, hook: bool) -> None:
    """Every time, while the parent goes on and closes; nothing that was acknowledged is lost."""
    script = """
        import ctypes
        store = SQLiteFileStore(sys.argv[1])
        store.save_token(OAuthToken(access_token="before"))
        child = ctypes.CDLL(None).fork()
        if not child:
            if sys.argv[2] == "True":
                ctypes.pythonapi.PyOS_AfterFork_Child()
            refused = 0
            for call in (lambda: store.save_token(OAuthToken(access_token="child")), store.get_tokens) * 3:
                try:
                    call()
                except SDKException as error:
                    refused += "forked past Python" in str(error)
            os._exit(refused)
        store.save_token(OAuthToken(access_token="parent"))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        store.save_token(OAuthToken(access_token="after"))
        store.close()
    """
    assert in_another_process(script, path, hook) == "6\n"
    with SQLiteFileStore(path) as store:
        assert [row.access_token for row in rows(store)] == ["before", "parent", "after"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("kind", ["ListStore()", "SQLiteMemoryStore()", "encrypted(ListStore())"])
def test_a_child_of_threads_that_save_has_a_copy(kind: str) -> None:
    """It hangs at no lock that a thread of its parent holds."""
    script = """
        def encrypted(inner):
            from zoho_reference_stores import EncryptedStore
            return EncryptedStore(inner, [bytes([n]) * 43 + b"=" for n in b"AE"])
        store = eval(sys.argv[1])
        store.save_token(OAuthToken(access_token="first"))
        done = threading.Event()
        def work(name):
            number = 0
            while not done.is_set():
                number += 1
                store.save_token(OAuthToken(access_token=f"{name} {number % 50}"))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if not child:
                signal.alarm(60)  # so that it ends, whatever it waits for
                store.save_token(OAuthToken(access_token="child"))
                found = [token.get_access_token() for token in store.get_tokens()]
                os._exit(0 if {"first", "child"} <= set(found) and len(set(found)) == len(found) else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), end="")
        done.set()
        for thread in threads:
            thread.join()
        print(any(token.get_access_token() == "child" for token in store.get_tokens()))
    """
    assert in_another_process(script, kind) == f"{'0' * 20}False\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_file_that_was_made_anew_while_a_fork_had_it_closed_is_noticed(path: Path) -> None:
    """Though it may have the same number for the system."""
    with SQLiteFileStore(path) as store:
        save(store, ANN)
        store._disconnect()  # as a fork does
        inode = path.stat().st_ino
        path.unlink()
        SQLiteFileStore(path).close()
        store._file = (path.stat().st_dev, path.stat().st_ino)  # as where the system gives it again
        assert inode

        refuses(store, "no longer the database")


# arguments, copies of the object


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("a\0b", "NUL", id="NUL"),
        pytest.param(b"tokens.db", "is text, not bytes", id="bytes"),
        pytest.param(None, "is text, not NoneType", id="nothing"),
        pytest.param(7, "is text, not int", id="number"),
    ],
)
def test_a_path_that_is_none_is_refused_in_one_sentence(
    argument: Any, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SDKException, match=says):
        SQLiteFileStore(argument)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [copy.copy, lambda store: pickle.loads(pickle.dumps(store))])  # noqa: S301
def test_a_copy_of_the_object_is_a_store_on_the_same_file(store: SQLiteFileStore, how: Any) -> None:
    """Also in another process."""
    with how(store) as copied:
        save(copied, BOB)

    assert len(rows(store)) == 2


@pytest.mark.parametrize("kind", [ListStore, SQLiteMemoryStore])
@pytest.mark.parametrize("how", [copy.copy, pickle.dumps])
def test_memory_cannot_be_copied(kind: Any, how: Any) -> None:
    """It says so."""
    with pytest.raises(TypeError, match=f"a {kind.__name__} is memory"):
        how(kind())


@pytest.mark.parametrize("kind", [ListStore, SQLiteMemoryStore, SQLiteFileStore])
def test_a_subclass_may_be_equal_to_another(kind: Any, path: Path) -> None:
    """As dataclasses are, which have no hash."""

    class Equal(kind):  # type: ignore[misc]
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    stores = [Equal(*([path] if kind is SQLiteFileStore else [])) for _ in range(2)]
    save(stores[0], ANN)
    assert len(rows(stores[1])) == (1 if kind is SQLiteFileStore else 0)


@pytest.mark.parametrize("kind", ["SQLiteFileStore(sys.argv[1])", "SQLiteMemoryStore()"])
def test_a_store_that_is_forgotten_closes_its_database(kind: str, path: Path) -> None:
    """Without a warning, which Python 3.13 gives for a connection that is left open."""
    script = f"""
        warnings.simplefilter("error")
        store = {kind}
        store.save_token(OAuthToken(access_token="a"))
        del store
        print([name for name in os.listdir(os.path.dirname(sys.argv[1]))])
    """
    assert "-wal" not in in_another_process(script, path)
