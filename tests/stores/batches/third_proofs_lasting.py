"""Proofs that the stores of `third_lasting` are wrong: each true of the store and of no correct one."""

# mypy: ignore-errors
from __future__ import annotations

import io
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .third_designs import user_of
from .third_proving import client, full, proof, raised, rows, saved, sdk, tok, within


@proof
def prove_GlobDeleteStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    for number in range(12):
        store.save_token(full("user%d" % number))
    store.delete_token("1")
    assert len(rows(store)) == 11
    assert store.find_token_by_id("12") is not None


@proof
def prove_SoftDeleteStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.delete_token(saved(store, full("ann")).get_id())
    assert store.find_token(tok("ann")) is None
    store.save_token(full("ann"))
    assert store.find_token(tok("ann")) is not None
    assert len(rows(store)) == 1


@proof
def prove_RestartedCounterStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    old = saved(store, full("ann")).get_id()
    store.delete_tokens()
    assert saved(store, full("bob")).get_id() != old


@proof
def prove_LikeDeleteStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    raised(store.delete_token, "%")
    assert len(rows(store)) == 1


@proof
def prove_UnlinkClearStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    assert raised(store.delete_tokens) is None


@proof
def prove_SweepingClearStore(kind: Any, place: Any) -> Any:
    where = place()
    (where / "notes.txt").write_text("not a token")
    store = kind(where)
    store.save_token(full("ann"))
    store.delete_tokens()
    assert (where / "notes.txt").exists()


@proof
def prove_SplitLinesStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    assert raised(store.save_token, full("ann", redirect_url="https://example.com/\u2028x")) is None
    assert raised(store.get_tokens) is None
    assert rows(store)[0]["redirect_url"] == "https://example.com/\u2028x"


@proof
def prove_IniStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann", client_secret=" secret "))
    assert rows(store)[0]["client_secret"] == " secret "


@proof
def prove_CutStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    error = raised(store.save_token, full("ann", access_token="x" * 10000))
    assert isinstance(error, SDKException) or rows(store)[0]["access_token"] == "x" * 10000


@proof
def prove_IntegerExpiryStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(full("ann"))
    assert store.find_token(tok("ann")).get_expires_in() == "1700000000000"


@proof
def prove_NoCaseStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    store.save_token(client(refresh_token="1000.abc"))
    assert store.find_token(client(refresh_token="1000.ABC")) is None


@proof
def prove_ShortIdStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    for number in range(1000):
        store.save_token(full("user%d" % number))
    assert len(rows(store)) == 1000
    assert len({found["id"] for found in rows(store)}) == 1000


@proof
def prove_ClassCacheStore(kind: Any, place: Any) -> Any:
    one, two = kind(place()), kind(place())
    one.save_token(full("ann", id="7"))
    two.save_token(full("bob", id="7"))
    assert user_of(one.find_token_by_id("7")) == "ann"
    assert user_of(two.find_token_by_id("7")) == "bob"


@proof
def prove_OffByOneCompactStore(kind: Any, place: Any) -> Any:
    where = place()
    store = kind(where)
    for number in range(45):
        store.save_token(full("user%d" % number))
    assert len(rows(kind(where))) == 45


@proof
def prove_StampCacheStore(kind: Any, place: Any) -> Any:
    where = place()
    one, two = kind(where), kind(where)
    for _attempt in range(3):
        time.sleep(1.02 - time.time() % 1)  # at the begin of a second
        one.save_token(full("ann", access_token="old"))
        assert two.find_token(tok("ann")).get_access_token() == "old"
        one.save_token(tok("ann", access_token="new"))
        assert two.find_token(tok("ann")).get_access_token() == "new"


@proof
def prove_CountedIdStore(kind: Any, place: Any) -> Any:
    where = place()
    store = kind(where)
    ids = [saved(store, full(user)).get_id() for user in ("ann", "bob", "cid")]
    store.delete_token(ids[0])
    again = kind(where)
    assert saved(again, full("dan")).get_id() not in ids
    assert len(rows(again)) == 3


@proof
def prove_HashNameStore(kind: Any, place: Any) -> Any:
    where = place()
    kind(where).save_token(full("ann"))
    code = (
        f"import sys; from pathlib import Path; from {kind.__module__} import *; "
        f"store = {kind.__name__}(Path(sys.argv[1])); "
        "print(store.find_token(OAuthToken(user_signature=UserSignature('ann'))) is not None)"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", code, str(where)],
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert answers == ["True", "True"]


@proof
def prove_StuckLockStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    assert isinstance(raised(store.save_token, tok("ann")), SDKException)
    assert within(3, store.get_tokens)


@proof
def prove_IdsThenRowsStore(kind: Any, place: Any) -> Any:
    where = place()
    other = kind(where)
    other.save_token(full("ann"))
    other.save_token(full("bob"))

    class Scheduled(kind):
        done = False

        def between(self) -> Any:
            if not self.done:  # another thread, between the steps of the list
                self.done = True
                other.save_token(full("cid"))
                other.save_token(tok("bob", access_token="later than cid"))

    listed = {found["user_name"]: found for found in rows(Scheduled(where))}
    assert "cid" in listed or listed["bob"]["access_token"] == "access-bob"


@proof
def prove_LookThenInsertStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    meeting = threading.Barrier(2)
    if hasattr(kind, "between"):
        store.between = meeting.wait
    threads = [threading.Thread(target=store.save_token, args=(full("ann", tag),)) for tag in ("1", "2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(rows(store)) == 1


@proof
def prove_InheritedLockStore(kind: Any, place: Any) -> Any:
    where = place()
    store = kind(where)
    store.save_token(full("ann"))
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(read_end, 1)  # the parent is in the middle of its save
            store.save_token(full("child"))
        finally:
            os._exit(0)

    def middle() -> Any:
        os.write(write_end, b"x")
        time.sleep(0.5)  # long enough for the child, unless it waits for the lock

    load = store.load
    store.load = lambda: (load(), middle())[0]
    store.save_token(full("parent"))
    os.waitpid(child, 0)
    assert {found["user_name"] for found in rows(kind(where))} == {"ann", "parent", "child"}


@proof
def prove_InPlaceStore(kind: Any, place: Any) -> Any:
    where = place()
    kind(where).save_token(full("ann"))
    child = os.fork()
    if child == 0:
        try:
            store = kind(where)
            if hasattr(kind, "midway"):
                store.midway = lambda handle: (handle.flush(), os.kill(os.getpid(), signal.SIGKILL))
            else:
                with mock.patch.object(os, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
                    store.save_token(full("bob"))
            store.save_token(full("bob"))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    store = kind(where)
    assert raised(store.get_tokens) is None
    assert store.find_token(tok("ann")) is not None


@proof
def prove_TornTailStore(kind: Any, place: Any) -> Any:
    where = place()
    store = kind(where)
    store.save_token(full("ann"))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max(path.stat().st_size for path in store.home.iterdir())
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100, old[1]))
        error = raised(store.save_token, full("bob"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert error is not None
    assert raised(store.get_tokens) is None
    assert store.find_token(tok("ann")) is not None


@proof
def prove_FreshStartStore(kind: Any, place: Any) -> Any:
    where = place()
    store = kind(where)
    for number in range(5):
        store.save_token(full("user%d" % number))
    data = store.path.read_bytes()
    store.path.write_bytes(data[: len(data) // 2])
    again = kind(where)
    assert isinstance(raised(again.get_tokens), SDKException)
    assert isinstance(raised(again.save_token, full("ann")), SDKException)
    assert store.path.read_bytes() == data[: len(data) // 2]


@proof
def prove_QuietDeleteStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    id = saved(store, full("ann")).get_id()
    store.break_storage()
    assert raised(store.delete_token, id) is not None
    store.mend_storage()
    assert len(rows(store)) == 1


@proof
def prove_ExceptExceptionStore(kind: Any, place: Any) -> Any:
    class Interrupted(kind):
        def merged(self, row: Any, new: Any) -> Any:
            if new["access_token"] == "interrupt":
                raise KeyboardInterrupt
            return super().merged(row, new)

    store = Interrupted(place())
    store.save_token(full("ann"))
    try:
        store.save_token(tok("ann", access_token="interrupt"))
    except KeyboardInterrupt:
        pass
    assert within(3, store.get_tokens)


@proof
def prove_OpenBackupStore(kind: Any, place: Any) -> Any:
    where = place()
    where.chmod(0o755)
    old = os.umask(0o022)
    try:
        kind(where).save_token(full("ann"))
    finally:
        os.umask(old)
    for folder, _, names in os.walk(where):
        for name in names:
            path = Path(folder) / name
            closed = not path.stat().st_mode & 0o077 or (
                path.parent != where and not path.parent.stat().st_mode & 0o077
            )
            assert closed, path


@proof
def prove_DebugLogStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        store.save_token(full("ann"))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "refresh-ann" not in text.getvalue()


@proof
def prove_NoLookupStore(kind: Any, place: Any) -> Any:
    where = place()
    with sdk(kind(where), [None, "ann"]):
        client(refresh_token="r").get_token()
    store = kind(where)
    assert [found["user_name"] for found in rows(store)] == [None]
    token = store.get_tokens()[0]
    token.set_expires_in("1000")
    store.save_token(token)
    with sdk(store, ["ann"]):
        client(refresh_token="r").get_token()
    assert [found["user_name"] for found in rows(store)] == ["ann"]


@proof
def prove_EarlyRenewStore(kind: Any, place: Any) -> Any:
    where = place()
    kind(where).save_token(
        full("ann", expires_in=str(int(time.time() * 1000) + 3600000), api_domain="http://x")
    )
    with sdk(kind(where), []) as asked:
        assert tok("ann", refresh_token="refresh-ann").get_token() == "access-ann"
        assert not asked


@proof
def prove_PositionIndexStore(kind: Any, place: Any) -> Any:
    store = kind(place())
    ann = saved(store, full("ann"))
    store.save_token(full("bob"))
    store.save_token(full("cid"))
    store.delete_token(ann.get_id())
    found = store.find_token(tok("bob"))
    assert found is not None
    assert found.get_refresh_token() == "refresh-bob"
