"""Proofs that the stores of `first_mixed` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .first_proving import CS, folder, full, refused, row, rows, token


def prove_DirTimestampIds(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    [s.save_token(full(f"u{i}", i)) for i in range(30)]
    return len(rows(s)) < 30


def prove_SqlIdOnlyAfterInsert(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    t = full("a", 2)
    s.save_token(t)
    return t.get_id() is None


def prove_DirBlanksPassedGrant(tmp: Path, cls: Any) -> Any:
    t = full("a")
    cls(folder(tmp)).save_token(t)
    return t.get_grant_token() is None


def prove_SqlNotNullColumns(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(access_token="x"))
    return s.get_tokens()[0].get_redirect_url() is not None


def prove_SqlExpiryInteger(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return not isinstance(s.get_tokens()[0].get_expires_in(), str)


def prove_LogRefreshOfAnyClient(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(refresh_token="r", **CS))
    s.save_token(token(refresh_token="r", client_id="other", client_secret="s"))
    return len(rows(s)) == 1


def prove_DirNameOnlyById(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(refresh_token="r", **CS))
    s.save_token(token("a", refresh_token="r", **CS))
    return len(rows(s)) == 2


def prove_SqlFindFallsBack(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    return s.find_token(token("b", refresh_token="r1", **CS)) is not None


def prove_JsonPreparesArgument(tmp: Path, cls: Any) -> Any:
    t = token("nobody")
    cls(folder(tmp)).find_token(t)
    return t.get_api_domain() is not None


def prove_JsonTrustsItsArgument(tmp: Path, cls: Any) -> Any:
    try:
        cls(folder(tmp)).save_token("text")
    except SDKException:
        return False
    except AttributeError:
        return True
    return False


def prove_LogStoresBareUsers(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    return not refused(s.save_token, token("bare")) and len(rows(s)) == 1


def prove_SqlNoBranchForAccessWithClient(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(access_token="x", **CS))
    return rows(s) == []


def prove_JsonCountsRowsAtOpening(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    a = full("a")
    s.save_token(a)
    s.save_token(full("b", 2))
    s.delete_token(a.get_id())
    s = cls(d)
    s.save_token(full("c", 3))
    return row(s, "b") is None


def prove_DirByIdWithoutRefresh(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    return s.find_token_by_id(a.get_id()).get_refresh_token() is None


def prove_MemEmptyReplaces(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.save_token(token("a", redirect_url="", access_token="x"))
    return row(s, "a")["redirect_url"] is None


def prove_LogAccessOfUnnamedOnly(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.save_token(token(access_token="a1"))
    return len(rows(s)) == 2


def prove_MemDebounces(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.save_token(full("a", 2))
    return row(s, "a")["access_token"] == "a1"


def prove_LogByIdShared(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    s.find_token_by_id(a.get_id()).set_access_token("evil")
    return s.find_token_by_id(a.get_id()).get_access_token() == "evil"


def prove_SqlRevokeBlind(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(a)
    t = token(id=a.get_id())
    s.find_token(t)
    return t.get_refresh_token() is None
