"""Proofs that the stores of `second_finding` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .second_proving import OLD, C, T, error, full, names, row, rows, save


# FIND, BYID, LIST
def prove_NameAndClient(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T("a", client_id="other", client_secret="s")) is None


def prove_AccessOnlyUnnamed(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T(access_token="aa")) is None


def prove_IndexNotUpdated(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, full("a", access_token="new"))
    return s.find_token(T(access_token="new")) is None and s.find_token(T(access_token="aa")) is not None


def prove_GrantNestedInRefresh(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", grant_token="g"))
    return s.find_token(T(grant_token="g", **C)) is None


def prove_AccessEndsSearch(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T(refresh_token="ra", access_token="other", **C)) is None


def prove_IdFindsNewToken(w: Path, cls: Any) -> Any:
    s = cls(w)
    token = T(id=save(s, full("a")).get_id())
    return s.find_token(token) is not None and token.get_refresh_token() is None


def prove_IdAloneNotFound(w: Path, cls: Any) -> Any:
    s = cls(w)
    return s.find_token(T(id=save(s, full("a")).get_id())) is None


def prove_FindMissRaises(w: Path, cls: Any) -> Any:
    return error(cls(w).find_token, T("a")) is not None


def prove_FindMissReturnsToken(w: Path, cls: Any) -> Any:
    return cls(w).find_token(T("a")) is not None


def prove_SameClientWillDo(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T(access_token="unknown", **C)) is not None


def prove_EmptyNameFindsUnnamed(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full(None, 1))
    return s.find_token(T("")) is not None


def prove_LikeForNames(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("annxb"))
    return s.find_token(T("ann_b")) is not None


def prove_NameFallsThroughOnFind(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T("b", refresh_token="ra", **C)) is not None


def prove_NameAndIdOfAnother(w: Path, cls: Any) -> Any:
    s = cls(w)
    return s.find_token(T("b", id=save(s, full("a")).get_id())) is not None


def prove_FillForgetsExpiry(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in="5"))
    return s.find_token(T("a")).get_expires_in() != "5"


def prove_FillOverwrites(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", grant_token="old"))
    return s.find_token(T("a", grant_token="new")).get_grant_token() != "new"


def prove_FillForgetsId(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T("a")).get_id() is None


def prove_FindReturnsCopy(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    token = T("a")
    return s.find_token(token).get_refresh_token() == "ra" and token.get_refresh_token() is None


def prove_FoundObjectCached(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    s.find_token(T("a")).set_access_token("changed")
    return s.find_token(T("a")).get_access_token() == "changed"


def prove_MissSetsId(w: Path, cls: Any) -> Any:
    token = T("a")
    assert cls(w).find_token(token) is None
    return token.get_id() is not None


def prove_FoundWithNew(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return not hasattr(s.find_token(T("a")), "_OAuthToken__find_user")


def prove_ByIdForgetsDomain(w: Path, cls: Any) -> Any:
    s = cls(w)
    return s.find_token_by_id(save(s, full("a")).get_id()).get_api_domain() != "d"


def prove_UnknownIdRaises(w: Path, cls: Any) -> Any:
    return error(cls(w).find_token_by_id, "unknown") is not None


def prove_NumericIds(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", id="1"))
    return s.find_token_by_id("01") is not None


def prove_NoCaseIds(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", id="AB"))
    return s.find_token_by_id("ab") is not None


def prove_ByIdObjectCached(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    s.find_token_by_id(id).set_access_token("changed")
    return s.find_token_by_id(id).get_access_token() == "changed"


def prove_BuiltWithNew(w: Path, cls: Any) -> Any:
    s = cls(w)
    return not hasattr(s.find_token_by_id(save(s, full("a")).get_id()), "_OAuthToken__find_user")


def prove_ListIsGenerator(w: Path, cls: Any) -> Any:
    return not isinstance(cls(w).get_tokens(), list)


def prove_ListMasksSecrets(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return rows(s)[0]["refresh_token"] is None


def prove_FirstPageOnly(w: Path, cls: Any) -> Any:
    s = cls(w)
    for n in range(101):
        save(s, full("u%d" % n))
    return len(s.get_tokens()) != 101


def prove_EmptyListIsNone(w: Path, cls: Any) -> Any:
    return cls(w).get_tokens() is None


def prove_ListIsKept(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    s.get_tokens().clear()
    return s.get_tokens() == []


# DEL, CLEAR
def prove_DeleteByGlob(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", id="1"))
    save(s, full("b", id="10"))
    s.delete_token("1")
    return names(s) != ["b"]


def prove_DeleteBySameRefresh(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a", 1)).get_id()
    save(s, full("b", 1))
    s.delete_token(id)
    return names(s) != ["b"]


def prove_DeleteByUserName(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full(None, 1)).get_id()
    save(s, full(None, 2))
    s.delete_token(id)
    return len(rows(s)) != 1


def prove_UnknownDeleteKeyError(w: Path, cls: Any) -> Any:
    return isinstance(error(cls(w).delete_token, "unknown"), KeyError)


def prove_DeleteNoneDeletesAll(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    error(s.delete_token, None)
    return rows(s) == []


def prove_DeleteStrips(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", id="1"))
    s.delete_token(" 1")
    return rows(s) == []


def prove_CacheKeepsDeleted(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    s.find_token(T("a"))
    s.delete_token(id)
    return s.find_token(T("a")) is not None


def prove_SoftDelete(w: Path, cls: Any) -> Any:
    s = cls(w)
    s.delete_token(save(s, full("a")).get_id())
    save(s, full("a"))
    return s.find_token(T("a")) is None


def prove_IndexKeepsDeleted(w: Path, cls: Any) -> Any:
    s = cls(w)
    s.delete_token(save(s, full("a")).get_id())
    save(s, T("b", access_token="ab", **C))
    return s.find_token(T(refresh_token="ra", **C)) is not None


def prove_HighestPlusOne(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    s.delete_token(id)
    return save(s, full("b")).get_id() == id


def prove_ClearResetsCounter(w: Path, cls: Any) -> Any:
    s = cls(w)
    id = save(s, full("a")).get_id()
    s.delete_tokens()
    return save(s, full("b")).get_id() == id


def prove_ClearEmptyRaises(w: Path, cls: Any) -> Any:
    return error(cls(w).delete_tokens) is not None


def prove_ClearKeepsUnnamed(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full(None, 1))
    s.delete_tokens()
    return rows(s) != []


def prove_ClearRemovesFile(w: Path, cls: Any) -> Any:
    s = cls(w)
    s.delete_tokens()
    return error(s.save_token, full("a")) is not None


prove_ClearDropsTables = prove_ClearRemovesFile


def prove_ClearEmptiesFolder(w: Path, cls: Any) -> Any:
    s = cls(w)
    (w / "notes.txt").write_text("mine")
    save(s, full("a"))
    s.delete_tokens()
    return not (w / "notes.txt").exists()


def prove_DeleteTidiesJson(w: Path, cls: Any) -> Any:
    s = cls(w)
    (w / "notes.json").write_text("mine")
    s.delete_token(save(s, full("a")).get_id())
    return not (w / "notes.json").exists()


# VALUE
def trip(cls: Any, w: Any, field: Any, value: Any) -> Any:
    s = cls(w)
    id = save(s, full("a", **{field: value})).get_id()
    return cls(w).find_token_by_id(id) is None or row(cls(w).find_token_by_id(id))[field] != value


def prove_UniversalNewlines(w: Path, cls: Any) -> Any:
    return trip(cls, w, "redirect_url", "a\r\nb\rc")


def prove_ValuesStripped(w: Path, cls: Any) -> Any:
    return trip(cls, w, "refresh_token", " x ")


def prove_HeaderLikeSkipped(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("user_name"))
    return rows(s) == []


def prove_BackslashDecoded(w: Path, cls: Any) -> Any:
    return trip(cls, w, "redirect_url", "C:\\new\\\\x")


def prove_DomainCut(w: Path, cls: Any) -> Any:
    return trip(cls, w, "api_domain", "d" * 255)


def prove_ExpiryThroughFloat(w: Path, cls: Any) -> Any:
    return trip(cls, w, "expires_in", "12345678901234567891")


def prove_ThousandCharacters(w: Path, cls: Any) -> Any:
    return error(cls(w).save_token, full("a", access_token="x" * 4096)) is not None


def prove_NoneAsText(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, T("a", access_token="x"))
    return rows(s)[0]["api_domain"] == "None"


def prove_EmptySignature(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full(None, 1))
    return s.get_tokens()[0].get_user_signature() is not None


def prove_ExpiryIsInteger(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", expires_in=OLD))
    return not isinstance(rows(s)[0]["expires_in"], str)


def prove_NameIsPlainText(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return not isinstance(s.get_tokens()[0].get_user_signature(), UserSignature)


def prove_NormalisedIndex(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a", access_token="\u00e9"))
    return s.find_token(T(access_token="e\u0301")) is not None


def prove_TrimmedCollation(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T(access_token="aa ")) is not None


def prove_CaseFolded(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T(refresh_token="RA", **C)) is not None


def prove_NamesLowered(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("Ann", 1))
    save(s, full("ann", 2))
    return len(rows(s)) == 1


def prove_FiveHundredRows(w: Path, cls: Any) -> Any:
    s = cls(w)
    for n in range(501):
        save(s, full("u%d" % n))
    return s.find_token(T("u0")) is None


def prove_ThreeDigitIds(w: Path, cls: Any) -> Any:
    s = cls(w)
    ids = {save(s, full("u%d" % n)).get_id() for n in range(1001)}
    return len(ids) != 1001 or len(rows(s)) != 1001


def prove_EncodedWithReplace(w: Path, cls: Any) -> Any:
    s = cls(w)
    return (
        error(s.save_token, full("a", redirect_url="x\ud800y")) is None
        and rows(s)[0]["redirect_url"] == "x?y"
    )


def prove_CutAtNul(w: Path, cls: Any) -> Any:
    s = cls(w)
    return error(s.save_token, full("a", redirect_url="x\0y")) is None and rows(s)[0]["redirect_url"] == "x"


def prove_OverFieldLimit(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    error(s.save_token, full("b", redirect_url="x" * 200000))
    return error(s.find_token, T("a")) is not None


def prove_EmptyReplaces(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    save(s, T("a", refresh_token="", access_token="new"))
    return rows(s)[0]["refresh_token"] != "ra"


def prove_EmptyNameHinders(w: Path, cls: Any) -> Any:
    s = cls(w)
    save(s, full("a"))
    return s.find_token(T("", refresh_token="ra", **C)) is None


# ISO, PERSIST
def two_places(w: Any) -> Any:
    (w / "1").mkdir()
    (w / "2").mkdir()
    return w / "1", w / "2"
