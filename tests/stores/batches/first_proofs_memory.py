"""Proofs that the stores of `first_memory` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import asyncio
import threading
import traceback
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .first_designs import row_of
from .first_proving import SECRET, at_once, folder, full, hook, refused, row, rows, token


def prove_MemListBuiltOnce(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.get_tokens()[0].set_access_token("evil")
    return s.get_tokens()[0].get_access_token() == "evil"


def prove_MemByIdMemo(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    s.find_token_by_id(a.get_id())
    s.save_token(token("a", access_token="n"))
    return s.find_token_by_id(a.get_id()).get_access_token() != "n"


def prove_MemNameIndexAfterClear(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.delete_tokens()
    try:
        s.save_token(full("a"))
    except KeyError:
        return True
    return len(rows(s)) != 1


def prove_MemOldRefreshIndex(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", 1))
    s.save_token(token("a", refresh_token="r2"))
    return s.find_token(token(client_id="c", client_secret="s", refresh_token="r1")) is not None


def prove_MemFreshestExpiryWins(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return s.find_token(token("a", expires_in="5")).get_expires_in() != "5"


def prove_MemExpiryOnlyGrows(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.save_token(token("a", expires_in="5"))
    return row(s, "a")["expires_in"] != "5"


def prove_MemStripsUserNames(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.save_token(full("a ", 2))
    return len(rows(s)) == 1


def prove_MemNfcTokens(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(access_token="é"))
    return s.find_token(token(access_token="é")) is not None


def prove_MemRefusalKeepsLock(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    refused(s.save_token, token("nocred"))
    return at_once(s.get_tokens, timeout=2)[1]


def prove_MemLookThenInsert(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    b = threading.Barrier(2)
    hook(s, "_between", lambda: b.wait(5))
    at_once(lambda: s.save_token(full("a", 1)), lambda: s.save_token(full("a", 2)))
    return len(rows(s)) != 1


def prove_MemListWithoutLock(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", 1))
    s.save_token(full("b", 2))
    o = s._build
    done: Any = []

    def slow(r: Any) -> Any:
        if not done:
            done.append(1)
            at_once(lambda: s.save_token(full("c", 3)), timeout=3)
        return o(r)

    s._build = slow
    try:
        s.get_tokens()
    except RuntimeError:
        return True
    return False


def prove_MemFieldByField(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a", 1)
    s.save_token(a)
    seen = []

    def look() -> None:
        seen.extend(at_look(s, a.get_id()))

    def at_look(s: Any, i: Any) -> Any:
        out = []
        at_once(lambda: out.append(row_of(s.find_token_by_id(i))))
        return out

    hook(s, "_step", look)
    s.save_token(full("a", 2))
    return any(r["access_token"][1:] != r["refresh_token"][1:] for r in seen)


def prove_MemTalkativeRepr(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", refresh_token=SECRET))
    return SECRET in repr(s)


def prove_MemBoundedLru(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    [s.save_token(full(f"u{i}", i)) for i in range(510)]
    return len(rows(s)) < 510


def prove_MemSweepsExpired(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", expires_in="1000"))
    return s.get_tokens() == []


def prove_MemHidesExpiredAccess(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", expires_in="1000"))
    return row(s, "a")["access_token"] is None


def prove_MemRefusalTellsToken(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    try:
        s.save_token(full("b", 2, id=a.get_id(), refresh_token=SECRET))
    except SDKException as e:
        return SECRET in "".join(traceback.format_exception(e))
    return False


def prove_MemFindReturnsCopy(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    t = token(id=a.get_id())
    s.find_token(t)
    return t.get_refresh_token() != "r1"


def prove_MemCopyCopy(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    t = OAuthToken(id=a.get_id())
    OAuthToken.merge_objects(t, s.find_token_by_id(a.get_id()))
    s.save_token(t)
    t.set_access_token("evil")
    return s.find_token_by_id(a.get_id()).get_access_token() == "evil"


def prove_MemThreadCache(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    s.find_token_by_id(a.get_id())
    at_once(lambda: s.delete_token(a.get_id()))
    return s.find_token_by_id(a.get_id()) is not None


def prove_MemTwoLocksCrosswise(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    b = threading.Barrier(2)
    hook(s, "_between", lambda: b.wait(3))
    return at_once(lambda: s.save_token(full("b", 2)), lambda: s.delete_token(a.get_id()), timeout=5)[1]


def prove_MemSaveAnswersId(tmp: Path, cls: Any) -> Any:
    return cls(folder(tmp)).save_token(full("a")) is not None


def prove_MemTaskInLoop(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))

    async def go() -> bool:
        return isinstance(s.find_token(token("a")), asyncio.Future)

    return asyncio.run(go())


def prove_MemMasksSecretInList(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return s.get_tokens()[0].get_client_secret() != "s"


def prove_MemDropsUsedGrant(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return row(s, "a")["grant_token"] is None


def prove_MemRefreshTokenIsForLife(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", 1))
    s.save_token(full("a", 2))
    return row(s, "a")["refresh_token"] != "r2"


def prove_MemRevokesSiblings(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a", 1)
    s.save_token(a)
    s.save_token(full("b", 1))
    s.delete_token(a.get_id())
    return row(s, "b") is None


def prove_MemLockMadeOnFirstUse(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    done: Any = []

    def other() -> None:
        if not done:
            done.append(1)
            at_once(lambda: s.save_token(full("a", 1)))

    if not hook(s, "_between", other):
        return False
    s.save_token(full("b", 2))
    return row(s, "a") is None


def prove_MemSoleRowServesAll(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return s.find_token(token(access_token="unknown")) is not None
