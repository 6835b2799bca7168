"""Proofs that the stores of `second_saving` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .second_proving import OLD, C, T, error, full, names, rows, save


def prove_NotATokenStore(w: Path, cls: Any) -> Any:
    return not isinstance(cls(w), TokenStore)


def prove_AsyncInLoop(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()

    async def ask() -> Any:
        answer = s.find_token_by_id(id)
        if asyncio.iscoroutine(answer):
            answer.close()
            return True
        return False

    return asyncio.run(ask())


def prove_KeywordOnlyDelete(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    return isinstance(error(s.delete_token, id), TypeError)


def prove_SaveReturnsToken(w: Path, cls: Any) -> Any:
    return cls(w).save_token(full("a")) is not None


def prove_IdFromCount(w: Path, cls: Any) -> Any:
    s = cls(w)
    first = save(s, full("a")).get_id()
    save(s, full("b"))
    save(s, full("c"))
    s.delete_token(first)
    save(s, full("d"))
    return names(s) != ["b", "c", "d"]


def prove_IdNotSetOnInsert(w: Path, cls: Any) -> Any:
    s = cls(w)
    return save(s, full("a")).get_id() is None and len(rows(s)) == 1


def prove_IdIsInt(w: Path, cls: Any) -> Any:
    return not isinstance(save(cls(w), full("a")).get_id(), str)


def prove_BroughtIdIgnored(w: Path, cls: Any) -> Any:
    return save(cls(w), full("a", id="mine")).get_id() != "mine"


def prove_BroughtIdCut(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", id="0123456789"))
    return s.find_token_by_id("0123456789") is None


def prove_NextIdFromLastRow(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", id="abc"))
    return error(s.save_token, full("b")) is not None


def prove_UpdateTakesStaleId(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    save(s, full("a", id="stale"))
    return [r["id"] for r in rows(s)] != [id]


def prove_IdBeforeNameOnSave(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("a", id="stale"))
    return len(rows(s)) == 2


def prove_NameFallsThroughOnSave(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", 1))
    save(s, full("b", 1))
    return names(s) == ["b"]


def prove_NameOrAccess(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("b", access_token="aa"))
    return names(s) != ["a", "b"]


def prove_OrgCutFromName(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("x@y:1", 1))
    save(s, full("x@y:2", 2))
    return len(rows(s)) == 1


def prove_AccessOnlyAmongBare(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    token = save(s, T(access_token="aa", api_domain="new"))
    return len(rows(s)) == 2 or token.get_id() != id


def prove_GrantOnlyUnnamed(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", grant_token="g"))
    save(s, T(grant_token="g", access_token="new", **C))
    return len(rows(s)) == 2


def prove_RefreshNotBesideAccess(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, T(refresh_token="ra", access_token="new", **C))
    return len(rows(s)) == 2


def prove_RefreshBeforeGrant(w: Path, cls: Any) -> Any:
    s = cls(w)
    by_grant = save(s, full("a", grant_token="g")).get_id()
    save(s, full("b"))
    return save(s, T(grant_token="g", refresh_token="rb", **C)).get_id() != by_grant


def prove_AnyClientOnSave(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, T(refresh_token="ra", client_id="other", client_secret="other"))
    return len(rows(s)) == 1


def prove_IdDecidesMerge(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    error(s.save_token, T("b", id=id, access_token="ab"))
    return "a" not in names(s)


prove_InsertOrReplace = prove_IdDecidesMerge


def prove_NoChangeInserts(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("a"))
    return len(rows(s)) == 2


def prove_UpdateWipes(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, T("a", access_token="new"))
    return rows(s)[0]["refresh_token"] is None


def prove_UpdateForgetsRedirect(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("a", redirect_url="new"))
    return rows(s)[0]["redirect_url"] != "new"


def prove_ExpiryNotRenewed(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in="1"))
    save(s, full("a", expires_in="2", access_token="new"))
    return rows(s)[0]["expires_in"] != "2" and rows(s)[0]["access_token"] == "new"


def prove_LaterExpiryWins(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in="9"))
    save(s, full("a", expires_in="10", access_token="new"))
    return rows(s)[0]["access_token"] != "new"


def prove_NameLearnedSecondRow(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full(None, 1))
    token = T(refresh_token="r1", **C)
    assert s.find_token(token) is token
    token.set_user_signature(UserSignature("a"))
    save(s, token)
    return names(s) != ["a"]


def prove_NameLearnedTwice(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    token = save(s, full(None, 1))
    token.set_user_signature(UserSignature("a"))
    error(s.save_token, token)
    return names(s).count("a") == 2


def prove_UnnamedNotAdopted(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full(None, 1))
    save(s, full("a", 1))
    return names(s) != ["a"]


def prove_NameAloneStored(w: Path, cls: Any) -> Any:
    s = cls(w)
    return error(s.save_token, T("a")) is None and len(rows(s)) == 1


def prove_RefusesWithValueError(w: Path, cls: Any) -> Any:
    return not isinstance(error(cls(w).save_token, T("a")), SDKException)


def prove_RefusedStaysInMemory(w: Path, cls: Any) -> Any:
    s = cls(w)
    assert isinstance(error(s.save_token, T("a")), SDKException)
    return rows(s) != []


def prove_GrantClearedOnToken(w: Path, cls: Any) -> Any:
    return save(cls(w), full("a", grant_token="g")).get_grant_token() != "g"


def prove_NameLoweredOnToken(w: Path, cls: Any) -> Any:
    return save(cls(w), full("Ann")).get_user_signature().get_name() != "Ann"


def prove_KeepsTheObject(w: Path, cls: Any) -> Any:
    s = cls(w)
    token = save(s, full("a"))
    token.set_access_token("changed")
    return rows(s)[0]["access_token"] == "changed"


def prove_WriteThroughObject(w: Path, cls: Any) -> Any:
    s = cls(w)
    token = save(s, full("a"))
    token.set_access_token("changed")
    return s.find_token_by_id(token.get_id()).get_access_token() == "changed"


def prove_NonTokenAttributeError(w: Path, cls: Any) -> Any:
    return isinstance(error(cls(w).save_token, None), AttributeError)


def prove_DuckTokenSaved(w: Path, cls: Any) -> Any:
    class Duck:
        def __getattr__(self: Any, name: Any) -> Any:
            if name.startswith("get_"):
                return lambda: None if name in ("get_user_signature", "get_id") else "x"
            if name.startswith("set_"):
                return lambda value: None
            raise AttributeError(name)

    s = cls(w)
    error(s.save_token, Duck())
    return len(rows(s)) == 1


def prove_AccessWithClientRefused(w: Path, cls: Any) -> Any:
    return error(cls(w).save_token, T(access_token="x", **C)) is not None


def prove_IdNotSetOnUpdate(w: Path, cls: Any) -> Any:
    s = cls(w)
    assert save(s, full("a")).get_id()
    return save(s, full("a", access_token="new")).get_id() is None


def prove_ListingPurgesExpired(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in=OLD))
    s.get_tokens()
    return s.find_token(T("a")) is None


def prove_SavingSweepsExpired(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in=OLD))
    save(s, full("b"))
    return names(s) == ["b"]


def prove_OpeningDropsDead(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, T(access_token="x", expires_in=OLD))
    return rows(cls(w)) == []
