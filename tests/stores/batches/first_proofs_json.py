"""Proofs that the stores of `first_json` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..right import break_storage, mend_storage
from .first_designs import JsonStore
from .first_proving import (
    after_interrupt,
    damaged,
    folder,
    full,
    full_disk,
    modes,
    py,
    refused,
    row,
    rows,
    strangers,
    token,
    two,
)


def prove_JsonUnlinksLockFile(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    d = s.dir
    b, c = (cls(d), cls(d))
    inside, go = ([], threading.Event())

    def second() -> None:
        with b._locked():
            inside.append("b")
            go.wait(5)

    with s._locked():
        th = threading.Thread(target=second, daemon=True)
        th.start()
        time.sleep(0.3)
    time.sleep(0.2)

    def third() -> None:
        with c._locked():
            inside.append("c")

    t3 = threading.Thread(target=third, daemon=True)
    t3.start()
    t3.join(0.7)
    both = inside == ["b", "c"]
    go.set()
    th.join(5)
    t3.join(5)
    return both


def prove_JsonMtimeInSeconds(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    for i in range(3):
        time.sleep(max(0, 0.05 - time.time() % 1))
        s.save_token(full("a", i))
        row(t, "a")
        s.save_token(full("b", i + 10))
        s.save_token(token("a", access_token="new%d" % i))
        if row(t, "a")["access_token"] != "new%d" % i:
            return True
    return False


def prove_JsonCacheBySize(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    s.save_token(full("a", access_token="AAA"))
    row(t, "a")
    s.save_token(token("a", access_token="BBB"))
    return row(t, "a")["access_token"] == "AAA"


def prove_JsonWritesInPlace(tmp: Path, cls: Any) -> Any:
    return full_disk(tmp, cls)


def prove_JsonPreferredEncoding(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("é"))
    latin = "import locale; locale.getpreferredencoding = lambda *_: 'latin-1'\n"
    return py(latin + "assert row(C(d), '\\u00e9') is not None", d, cls)


def prove_JsonReplacesSurrogates(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    return (
        not refused(s.save_token, full("a", access_token="x\ud800"))
        and row(s, "a")["access_token"] != "x\ud800"
    )


def prove_JsonDamagedStartsEmpty(tmp: Path, cls: Any) -> Any:
    return damaged(tmp, cls)


def prove_JsonExpiryAsFloat(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", expires_in="12345678901234567891"))
    return row(s, "a")["expires_in"] != "12345678901234567891"


def prove_JsonRelativePath(tmp: Path, cls: Any) -> Any:
    cwd = os.getcwd()
    s = cls(folder(tmp))
    s.save_token(full("a"))
    os.chdir(folder(tmp))
    try:
        return row(s, "a") is None
    except SDKException:
        return True
    finally:
        os.chdir(cwd)


def prove_JsonBackupForAll(tmp: Path, cls: Any) -> Any:
    return modes(tmp, cls)


def prove_JsonModeAtFirstWriteOnly(tmp: Path, cls: Any) -> Any:
    return modes(tmp, cls)


def prove_JsonGivesUpWaiting(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    with s._locked():
        th = threading.Thread(target=t.save_token, args=(full("a"),), daemon=True)
        th.start()
        th.join(1.5)
        r = not th.is_alive()
    th.join(5)
    return r


def prove_JsonLockHeldOpenOverFork(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    with s._locked():
        pid = os.fork()
        if pid == 0:
            signal.alarm(2)
            try:
                s.save_token(full("child"))
                os._exit(5)
            except BaseException:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5


def prove_JsonMissingIsEmpty(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    break_storage(s, s.dir)
    try:
        return row(s, "a") is None
    except Exception:
        return False


def prove_JsonBrokenForGood(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    break_storage(s, s.dir)
    refused(s.get_tokens)
    mend_storage(s, s.dir)
    return refused(s.get_tokens)


def prove_JsonFirstOpenWrites(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    if not hasattr(cls, "_between") or not issubclass(cls, JsonStore):
        return False

    class Slow(cls):  # type: ignore[misc]
        def _between(self: Any) -> None:
            cls(d).save_token(full("a"))

    return row(Slow(d), "a") is None


def prove_JsonOpeningUnites(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("a", 1))
    s.save_token(full("b", 1))
    t = cls(d)
    return len(rows(t)) == 1


def prove_JsonCounterFromOpening(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    a, b = (full("a", 1), full("b", 2))
    s.save_token(a)
    t.save_token(b)
    return a.get_id() == b.get_id()


def prove_JsonHashedNames(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("a"))
    return any(py("assert row(C(d), 'a') is not None", d, cls, PYTHONHASHSEED=str(h)) for h in (1, 2))


def prove_JsonClearsTheFolder(tmp: Path, cls: Any) -> Any:
    return strangers(tmp, cls, lambda s, _: s.delete_tokens())


def prove_JsonAppendsExtraOnUpdate(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    s.save_token(full("a", 2, id="stale"))
    return rows(s)[0]["id"] != a.get_id()


def prove_JsonLockLostOnInterrupt(tmp: Path, cls: Any) -> Any:
    return after_interrupt(tmp, cls)


def prove_PickledTokens(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return not hasattr(s.get_tokens()[0], "_OAuthToken__find_user")


def prove_CsvSniffsNumbers(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("007"))
    return row(s, "007") is None


def prove_JsonForkedDice(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("z"))
    pid = os.fork()
    if pid == 0:
        try:
            s.save_token(full("child", 2))
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.waitpid(pid, 0)
    s.save_token(full("parent", 3))
    return row(s, "child") is None


def prove_JsonLocalTime(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("a", expires_in="1700000000123"))
    return py("assert row(C(d), 'a')['expires_in'] == '1700000000123'", d, cls, TZ="Asia/Tokyo")
