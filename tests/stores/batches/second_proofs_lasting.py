"""Proofs that the stores of `second_lasting` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import logging
import os
import resource
import time
import traceback
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..right import break_storage, mend_storage
from . import second_designs as core
from .second_proofs_finding import two_places
from .second_proving import (
    Soft,
    T,
    alarm,
    error,
    executed,
    full,
    in_child,
    in_thread,
    killed_while,
    limited,
    names,
    once,
    row,
    rows,
    save,
)


def prove_SharedClassRows(w: Path, cls: Any) -> Any:
    one, two = map(cls, two_places(w))
    save(one, full("a"))
    seen = names(two)
    one.delete_tokens()
    return seen == ["a"]


def prove_ModuleWideCache(w: Path, cls: Any) -> Any:
    one, two = map(cls, two_places(w))
    save(one, full("a"))
    return two.find_token(T("a")) is not None


def prove_OpeningMigrates(w: Path, cls: Any) -> Any:
    save(cls(w), full(None, 1))
    return rows(cls(w)) == []


def prove_EmptyIsDamaged(w: Path, cls: Any) -> Any:
    s = cls(w)
    s.delete_token(save(s, full("a")).get_id())
    s.close()
    return error(cls, w) is not None


def prove_SnapshotNowAndThen(w: Path, cls: Any) -> Any:
    s = cls(w)
    for n in range(3):
        save(s, full("u%d" % n))
    return len(rows(cls(w))) != 3


def prove_ReadOnceJson(w: Path, cls: Any) -> Any:
    one, two = cls(w), cls(w)
    save(one, full("a"))
    return two.find_token(T("a")) is None


def prove_WholeSeconds(w: Path, cls: Any) -> Any:
    one, two = cls(w), cls(w)
    save(one, full("a", access_token="first"))
    file = one._file
    os.utime(file, (1000, 1000))
    two.find_token(T("a"))
    save(one, full("a", access_token="other"))
    os.utime(file, (1000, 1000))
    return two.find_token(T("a")).get_access_token() == "first"


def prove_StampFromCount(w: Path, cls: Any) -> Any:
    one, two = cls(w), cls(w)
    save(one, full("a"))
    two.find_token(T("a"))
    save(one, full("a", access_token="new"))
    return two.find_token(T("a")).get_access_token() != "new"


def prove_CounterFromOne(w: Path, cls: Any) -> Any:
    save(cls(w), full("a"))
    s = cls(w)
    save(s, full("b"))
    return names(s) != ["a", "b"]


def prove_ClockIds(w: Path, cls: Any) -> Any:
    s = cls(w)
    s.clock = lambda: 1600000000.0
    save(s, full("a"))
    save(s, full("b"))
    return names(s) != ["a", "b"]


def prove_RelativePath(w: Path, cls: Any) -> Any:
    before = os.getcwd()
    s = cls(w)
    try:
        (w / "x" / "y").mkdir(parents=True)
        os.chdir(w / "x" / "y")
        return error(s.get_tokens) is not None
    finally:
        os.chdir(before)


def prove_PythonHashIndex(w: Path, cls: Any) -> Any:
    save(cls(w), full("ann"))
    answers = {
        executed(cls, w, "sys.exit(s.find_token(T('ann')) is None)", PYTHONHASHSEED=seed)
        for seed in ("1", "2")
    }
    assert answers <= {0, 1}, answers
    return 1 in answers


def prove_PreferredEncoding(w: Path, cls: Any) -> Any:
    save(cls(w), full("\u00e9"))
    answer = executed(cls, w, "sys.exit(0)", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0") or executed(
        cls,
        w,
        "sys.exit(error(s.find_token, T('\\u00e9')) is not None)",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert answer in (0, 1), answer
    return answer == 1


def prove_LocalTimeExpiry(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in="1700000000123"))

    def elsewhere() -> Any:
        os.environ["TZ"] = "Asia/Kolkata" if time.timezone != -19800 else "America/Lima"
        time.tzset()
        return rows(cls(w))[0]["expires_in"] != "1700000000123"

    assert rows(s)[0]["expires_in"] == "1700000000123"
    return in_child(elsewhere)


# THREAD
def prove_OneThreadConnection(w: Path, cls: Any) -> Any:
    s = cls(w)
    return in_thread(lambda: error(s.get_tokens)) is not None


def locked_for_others(s: Any) -> Any:
    lock = getattr(s, "_turn", None) or s._mutex

    def attempt() -> Any:
        if lock.acquire(False):
            lock.release()
            return False
        return True

    return in_thread(attempt)


def prove_RefusedKeepsLock(w: Path, cls: Any) -> Any:
    s = cls(w)
    assert error(s.save_token, T("a"))
    s.get_tokens()
    return locked_for_others(s)


def prove_MissKeepsLock(w: Path, cls: Any) -> Any:
    s = cls(w)
    assert s.find_token(T("a")) is None
    save(s, full("a"))
    return locked_for_others(s)


def beside(
    cls: Any, w: Any, mine: Any, other: Any, prepare: Any = None, two: Any = False, process: Any = False
) -> Any:
    """`other` runs where the store pauses in the middle of `mine`, or after it if it never does."""
    s = cls(w)
    if prepare:
        prepare(s)
    t = cls(w) if two else s
    if process:

        def run() -> None:
            assert in_child(lambda: other(cls(w)) and False) is False
    else:

        def run() -> None:
            in_thread(lambda: other(t))

    s.pause = pause = once(run)
    answer = mine(s)
    pause.done()
    del s.pause
    return s, answer


def prove_LockOnlyAroundIo(w: Path, cls: Any) -> Any:
    s, _ = beside(cls, w, lambda s: save(s, full("a")), lambda s: save(s, full("b")))
    return names(s) != ["a", "b"]


prove_IdBeforeLock = prove_LockOnlyAroundIo


def prove_LookThenInsert(w: Path, cls: Any) -> Any:
    s, _ = beside(cls, w, lambda s: save(s, full("a", 1)), lambda s: save(s, full("a", 2)))
    return names(s) != ["a"]


def prove_FieldByField(w: Path, cls: Any) -> Any:
    s = cls(w)
    seen = []
    save(s, full("a", 1))
    s.pause = lambda *_: seen.append(row(s.find_token(T("a"))))
    save(s, full("a", 2))
    return any((r["refresh_token"], r["access_token"]) not in (("r1", "a1"), ("r2", "a2")) for r in seen)


def prove_ReadersTakeNoLock(w: Path, cls: Any) -> Any:
    seen = []
    beside(
        cls, w, lambda s: save(s, full("b")), lambda s: seen.extend(names(s)), lambda s: save(s, full("a"))
    )
    return "a" not in seen


def prove_ListInSteps(w: Path, cls: Any) -> Any:
    def prepare(s: Any) -> None:
        save(s, full("a", access_token="1"))
        save(s, full("b", access_token="1"))
        assert names(s) == ["a", "b"]

    def other(s: Any) -> None:
        save(s, full("a", access_token="2"))
        save(s, full("b", access_token="2"))

    s = cls(w)
    prepare(s)
    calls = []

    def pause(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            in_thread(lambda: other(s))

    s.pause = pause
    found = {r["user_name"]: r["access_token"] for r in rows(s)}
    return (found["a"], found["b"]) == ("1", "2")  # b is never newer than a


def prove_ClearInSteps(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("b"))
    seen, calls = [], []

    def pause(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            seen.append(in_thread(lambda: names(s)))

    s.pause = pause
    s.delete_tokens()
    return any(len(found) == 1 for found in seen)  # half cleared


def prove_ReadsTwice(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a", 1)).get_id()
    s.pause = once(lambda: in_thread(lambda: save(s, full("a", 2))))
    found = s.find_token_by_id(id)
    return (found.get_access_token(), found.get_refresh_token()) == ("a1", "r2")


# PROC
def prove_NoProcessLock(w: Path, cls: Any) -> Any:
    s, _ = beside(cls, w, lambda s: save(s, full("a")), lambda s: save(s, full("b")), two=True)
    return names(s) != ["a", "b"]


def prove_LockfDropped(w: Path, cls: Any) -> Any:
    def another() -> Any:
        # another process, whose own lock is tried first without waiting
        import fcntl

        with open(s._lock, "r+b") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

    s = cls(w)
    free = []

    def pause(*_: Any) -> None:
        core._MUTEXES.discard(s._mutex)
        try:
            free.append(in_child(another))
            if free[-1]:
                assert in_child(lambda: save(cls(w), full("b")) and False) is False
        finally:
            core._MUTEXES.add(s._mutex)

    s.pause = pause
    save(s, full("a"))
    if not free:
        assert in_child(lambda: save(cls(w), full("b")) and False) is False
    return names(s) != ["a", "b"]


def prove_HiLoIds(w: Path, cls: Any) -> Any:
    s = cls(w)
    assert in_child(lambda: save(s, full("child")) and False) is False
    save(s, full("parent"))
    return names(s) != ["child", "parent"]


def prove_WriterThreadNotInChild(w: Path, cls: Any) -> Any:
    s = cls(w)

    def never(done: Any) -> None:
        alive = getattr(s, "_thread", None) is not None and s._thread.is_alive()
        if not alive:
            raise Soft  # the wait that would never end
        done.wait()

    s.wait = never
    save(s, full("a"))
    return in_child(lambda: isinstance(error(s.save_token, full("b")), Soft))


def prove_CloseRemovesLock(w: Path, cls: Any) -> Any:
    s = cls(w)
    reader, writer = os.pipe()
    reader2, writer2 = os.pipe()

    def run() -> Any:
        save(s, full("a"))  # it works on ...
        os.write(writer2, b"x")
        os.read(reader, 1)
        return error(s.save_token, full("b")) is not None  # ... and then it does not

    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            code = int(run())
        finally:
            os._exit(code)
    os.read(reader2, 1)
    s.close()
    os.write(writer, b"x")
    code = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    for end in (reader, writer, reader2, writer2):
        os.close(end)
    assert code in (0, 1)
    return code == 1


# CRASH
def prove_DeleteThenInsert(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    killed_while(s, full("a", access_token="new"))
    return names(cls(w)) != ["a"]


def prove_InPlace(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    killed_while(s, full("b"))
    return error(lambda: names(cls(w)).index("a")) is not None


def prove_StaleLockFile(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    killed_while(s, full("b"))
    t = cls(w)
    t.TRIES = 3
    return error(t.find_token, T("a")) is not None


def prove_TornTail(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    killed_while(s, full("b"))
    return error(lambda: names(cls(w)).index("a")) is not None


def prove_WriteErrorSwallowed(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))

    def run() -> Any:
        limited(100)
        problem = error(s.save_token, full("b"))
        limited(resource.RLIM_INFINITY)
        return problem is None and names(s) == ["a"]

    return in_child(run)


def prove_HalfAppendStays(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    size = max(path.stat().st_size for path in w.iterdir())

    def run() -> Any:
        limited(size + 150)
        problem = error(s.save_token, full("b", redirect_url="x" * 1000))
        limited(resource.RLIM_INFINITY)
        assert isinstance(problem, SDKException)
        return error(s.save_token, full("c")) is not None or error(lambda: names(s).index("a")) is not None

    return in_child(run)


def largest(w: Any) -> Any:
    return max((path for path in w.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def damaged(w: Path, cls: Any) -> Any:
    s = cls(w)
    for n in range(3):
        save(s, full("u%d" % n, redirect_url="x" * 3000))
    s.close()
    path = largest(w)
    raw = path.read_bytes()
    path.write_bytes(b"#" * 40 + raw[40:])
    try:
        return len(rows(cls(w))) != 3
    except SDKException:
        return False


prove_DamagedIsEmpty = prove_DamagedIsSkipped = prove_DamagedIsMoved = damaged


def away(cls: Any, w: Any, call: Any) -> Any:
    w = w / "store"
    w.mkdir()
    s = cls(w)
    id = save(s, full("a")).get_id()
    s.find_token(T("a"))
    break_storage(s, w)
    try:
        return error(call, s, id) is None
    finally:
        mend_storage(s, w)
        assert names(cls(w)) == ["a"]


def prove_LookupErrorIsNone(w: Path, cls: Any) -> Any:
    return away(cls, w, lambda s, id: s.find_token(T("a")))


def prove_DeleteErrorSwallowed(w: Path, cls: Any) -> Any:
    return away(cls, w, lambda s, id: s.delete_token(id))


def prove_StaleWhileAway(w: Path, cls: Any) -> Any:
    return away(cls, w, lambda s, id: s.find_token_by_id(id))


def prove_ClearOfMissingFile(w: Path, cls: Any) -> Any:
    return away(cls, w, lambda s, id: s.delete_tokens())


def back(cls: Any, w: Any, meanwhile: Any, after: Any) -> Any:
    w = w / "store"
    w.mkdir()
    s = cls(w)
    id = save(s, full("a")).get_id()
    break_storage(s, w)
    assert isinstance(error(meanwhile, s, id), SDKException)
    mend_storage(s, w)
    return error(after, s) is not None or names(s) != ["a", "b"]


def prove_BrokenForGood(w: Path, cls: Any) -> Any:
    return back(cls, w, lambda s, id: s.find_token(T("a")), lambda s: save(s, full("b")))


prove_ErrorEmptiesMemory = prove_BrokenForGood


def prove_DeletesLater(w: Path, cls: Any) -> Any:
    return back(cls, w, lambda s, id: s.delete_token(id), lambda s: save(s, full("b")))


def interrupted(store: Any, place: Any, token: Any) -> Any:
    """The signal comes when the store calls `place`; what comes out of save_token."""
    with alarm() as ring:
        before = getattr(store, place, None)

        def call(*args: Any) -> Any:
            ring()
            return before(*args) if before is not None else None

        setattr(store, place, call)
        problem = error(store.save_token, token)
        delattr(store, place)
    return problem


def prove_EverythingIsSdk(w: Path, cls: Any) -> Any:
    return not isinstance(interrupted(cls(w), "_insert", full("a")), Soft)


def prove_NoFinally(w: Path, cls: Any) -> Any:
    s = cls(w)
    assert isinstance(interrupted(s, "_write_file", full("a")), Soft)
    return locked_for_others(s)


def prove_NoRollback(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    problem = interrupted(s, "pause", full("a", access_token="new"))
    if problem is None:  # the core has no such place
        problem = interrupted(s, "_merge", full("a", access_token="newer"))
    assert isinstance(problem, Soft)
    save(s, full("b"))
    return names(s) != ["a", "b"]


def prove_MemoryFirst(w: Path, cls: Any) -> Any:
    s = cls(w)
    problem = interrupted(s, "_keep", full("a"))
    assert isinstance(problem, Soft)
    return names(s) != names(cls(w))


# SECRET
def open_files(w: Any) -> Any:
    return [
        path
        for path in w.rglob("*")
        if path.is_file() and path.stat().st_size and path.stat().st_mode & 0o077
    ]


def prove_OpenToAll(w: Path, cls: Any) -> Any:
    before = os.umask(0o022)
    try:
        s = cls(w)
        for n in range(15):
            save(s, full("u%d" % n))
        return bool(open_files(w))
    finally:
        os.umask(before)


prove_CompactedOpen = prove_BackupOpen = prove_OpenToAll


def prove_ReprShowsRows(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", access_token="secret-1"))
    return "secret-1" in repr(s)


def prove_RefusalShowsToken(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    problem = error(s.save_token, full("b", id=id, access_token="secret-1"))
    return "secret-1" in "".join(traceback.format_exception(problem)) + str(problem.details)


def prove_MissLogged(w: Path, cls: Any) -> Any:
    seen = []

    class Handler(logging.Handler):
        def emit(self: Any, record: Any) -> None:
            seen.append(record.getMessage())

    handler = Handler()
    logging.getLogger().addHandler(handler)
    try:
        cls(w).find_token(T(access_token="secret-1"))
    finally:
        logging.getLogger().removeHandler(handler)
    return "secret-1" in "".join(seen)


def prove_EncodeErrorAsCause(w: Path, cls: Any) -> Any:
    problem = error(cls(w).save_token, full("a", access_token="secret-1\ud800"))
    assert isinstance(problem, SDKException)
    return "secret-1" in "".join(traceback.format_exception(problem))


# longer stories
def prove_RenewalsStayHere(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("a", access_token="new"))
    return rows(cls(w))[0]["access_token"] != "new"


def prove_OneRowPerClient(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("b"))
    return names(s) != ["a", "b"]


def prove_NewGrantSecondRow(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", grant_token="g1"))
    save(s, full("a", grant_token="g2"))
    return len(rows(s)) == 2


def prove_DeletedRefreshRefused(w: Path, cls: Any) -> Any:
    s = cls(w)
    s.delete_token(save(s, full("a")).get_id())
    return error(s.save_token, full("a")) is not None
