"""Proofs that the stores of `first_sql` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .first_proofs_json import prove_JsonMissingIsEmpty
from .first_proving import (
    SECRET,
    after_interrupt,
    at_once,
    folder,
    full,
    hook,
    limited,
    other,
    refused,
    row,
    rows,
    token,
)


def prove_SqlLikeForIds(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return s.find_token_by_id("%") is not None


def prove_SqlNumericIds(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    s.delete_token("0" + a.get_id())
    return rows(s) == []


def prove_SqlGrantNocase(tmp: Path, cls: Any) -> Any:
    return other(tmp, cls, "grant_token", "Abc", "aBc")


def prove_SqlTrimmedCredentials(tmp: Path, cls: Any) -> Any:
    return other(tmp, cls, "access_token", "abc", "abc ")


def prove_SqlInsertOrReplace(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", 1))
    s.save_token(full("b", 1))
    return len(rows(s)) == 1


def prove_SqlUniqueAccessToken(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", 1))
    return refused(s.save_token, full("b", 1))


def prove_SqlDeleteNotCommitted(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    s.delete_token(a.get_id())
    return row(s, "a") is not None


def prove_SqlReconnectsPinned(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    refused(s.save_token, token("nocred"))
    return bool(at_once(s.get_tokens)[0])


def prove_SqlUpgradesLock(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    b = threading.Barrier(2)
    if not hook(s, "_between", lambda: b.wait(3)):
        return bool(at_once(lambda: s.save_token(full("a", 1)), lambda: s.save_token(full("b", 2)))[0])
    return any(
        isinstance(e, SDKException)
        for e in at_once(lambda: s.save_token(full("a", 1)), lambda: s.save_token(full("b", 2)))[0]
    )


def prove_SqlRetriesOnce(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s, t = (cls(d), cls(d))
    n = [0]

    def other() -> None:
        n[0] += 1
        t.save_token(full(f"o{n[0]}", 10 + n[0]))

    hook(s, "_between", other)
    return refused(s.save_token, full("a", 1))


def prove_SqlErrorTellsStatement(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    try:
        s.save_token(full("a", refresh_token=SECRET, access_token="nul\x00"))
    except SDKException as e:
        return SECRET in "".join(traceback.format_exception(e))
    return False


def prove_SqlEmptyNameIsNull(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(access_token="x"))
    return s.find_token(token("")) is not None


def prove_SqlGrantOrRefresh(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    k = dict(client_id="c", client_secret="s")
    s.save_token(token(refresh_token="r", **k))
    s.save_token(token(grant_token="g", **k))
    t = token(grant_token="g", refresh_token="r", redirect_url="new", **k)
    s.save_token(t)
    return (
        next(r for r in rows(s) if r["redirect_url"] == "new")["grant_token"] == "g"
        and len([r for r in rows(s) if r["grant_token"] == "g"]) == 2
    )


def prove_SqlCutsLongText(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", access_token="x" * 4096))
    return len(row(s, "a")["access_token"]) < 4096


def prove_SqlDeleteUnknownKeyError(tmp: Path, cls: Any) -> Any:
    try:
        cls(folder(tmp)).delete_token("nope")
    except SDKException:
        return False
    except KeyError:
        return True
    return False


def prove_SqlOpenTransactionAfterInterrupt(tmp: Path, cls: Any) -> Any:
    return after_interrupt(tmp, cls)


def prove_SqlListsInPages(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    ts = [full(f"u{i}", i) for i in range(8)]
    for t in ts:
        s.save_token(t)
    gone: Any = []

    def between() -> None:
        if not gone:
            gone.append(s.delete_token(ts[0].get_id()))

    hook(s, "_between", between)
    return not {f"u{i}" for i in range(1, 8)} <= {t.get_user_signature().get_name() for t in s.get_tokens()}


def prove_SqlJournalOff(tmp: Path, cls: Any) -> Any:

    def fn(s: Any, step: Any) -> None:
        if step == 0:
            [s.save_token(full(f"u{i}", i, redirect_url="x" * 500)) for i in range(20)]
        else:
            s.save_token(full("u3", 3, redirect_url="y" * 200000))

    raised, d, _ = limited(cls, tmp, fn, 60000)
    try:
        return not raised or len(rows(cls(d))) != 20 or row(cls(d), "u3")["redirect_url"] != "x" * 500
    except SDKException:
        return True


def prove_SqlTwoStepInsert(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    seen = []
    hook(s, "_between", lambda: seen.append(row(s, "a")))
    s.save_token(full("a"))
    return any(r and r["access_token"] is None for r in seen)


def prove_SqlMakesFolderAnew(tmp: Path, cls: Any) -> Any:
    return prove_JsonMissingIsEmpty(tmp, cls)
