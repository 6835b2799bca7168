"""The first batch: mistakes of stores that keep their rows in memory."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import copy
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..catalogue import fault
from .first_designs import FIELDS, MemStore, build, by_key, fill, merge, refuse, row_of


@fault("LIST-3", says="changing a token that get_tokens returned changes nothing", persistent=False)
class MemListBuiltOnce(MemStore):
    """get_tokens keeps the tokens that it built until the next change: callers share them."""

    _built: Any = None

    def get_tokens(self) -> list[Any]:
        with self._lock:
            if self._built is None or self._built[0] is not self._state:
                self._built = (self._state, super().get_tokens())
            return list(self._built[1])


@fault("FLOW-3", says="it carried", persistent=False)
class MemByIdMemo(MemStore):
    """find_token_by_id keeps tokens by id until they are deleted: a save is not seen."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._memo: Any = {}

    def find_token_by_id(self, id: Any) -> Any:
        t = self._memo.get(id) if isinstance(id, str) else None
        if t is None:
            t = super().find_token_by_id(id)
            if t is None:
                return None
            self._memo[id] = t
        return self._build(row_of(t))

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        self._memo.pop(id, None)

    def delete_tokens(self) -> None:
        super().delete_tokens()
        self._memo.clear()


@fault("CLEAR-2", "CLEAR-1", says="raised KeyError", persistent=False)
class MemNameIndexAfterClear(MemStore):
    """The index from user name to id survives delete_tokens, so a cleared user's next save breaks."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._names: Any = {}

    def _key(self, rows: Any, row: Any) -> Any:
        if row["user_name"]:
            i = self._names.get(row["user_name"])
            return None if i is None else self._live[i]
        return by_key(rows, row)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with super()._tx(write) as state:
            self._live = state["rows"]
            yield state
            for r in state["rows"].values():
                if r["user_name"]:
                    self._names[r["user_name"]] = r["id"]

    def delete_token(self, id: Any) -> None:
        with self._lock:
            row = self._state["rows"].get(id) if isinstance(id, str) else None
            super().delete_token(id)
            if row:
                self._names.pop(row["user_name"], None)


@fault("FIND-6", says="find_token returns None for", persistent=False)
class MemOldRefreshIndex(MemStore):
    """The index of refresh tokens keeps the entry of a replaced one, which still finds the row."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._idx: Any = {}

    def _key(self, rows: Any, row: Any) -> Any:
        hit = by_key(rows, row)
        if hit is None and (not row["user_name"]) and row["client_id"] and row["client_secret"]:
            i = self._idx.get((row["refresh_token"], row["client_id"], row["client_secret"]))
            hit = self._state["rows"].get(i)
        return hit

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        r = row_of(token)
        if r["refresh_token"]:
            self._idx[r["refresh_token"], r["client_id"], r["client_secret"]] = r["id"]


@fault("FIND-9", says="the returned token with expires_in=", persistent=False)
class MemFreshestExpiryWins(MemStore):
    """A find gives the row's expires_in although the token that was passed has one of its own."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        if found is not None:
            with self._lock:
                row = self._state["rows"].get(found.get_id())
            if row and row["expires_in"]:
                found.set_expires_in(row["expires_in"])
        return found


@fault("SAVE-13", "THREAD-3", says="where expires_in is '1900000000003'", persistent=False)
class MemExpiryOnlyGrows(MemStore):
    """An update with an earlier expires_in than the stored one keeps the stored one."""

    def _merge(self, old: Any, new: Any) -> Any:
        row = merge(old, new)
        a, b = (old["expires_in"] or "", row["expires_in"] or "")
        if a.isdigit() and b.isdigit() and (int(a) > int(b)):
            row["expires_in"] = a
        return row


@fault("VALUE-7", says="it found that of 'ab'", persistent=False)
class MemStripsUserNames(MemStore):
    """User names are stripped of blanks before they are looked up and stored."""

    def _row(self, token: Any) -> Any:
        row = row_of(token)
        row["user_name"] = (row["user_name"] or "").strip() or None
        return row


@fault("VALUE-6", says="it found that of", persistent=False)
class MemNfcTokens(MemStore):
    """Credentials are compared in Unicode form NFC."""

    def _key(self, rows: Any, row: Any) -> Any:
        def n(v: Any) -> Any:
            return unicodedata.normalize("NFC", v) if v else v

        norm = {}
        for r in rows:
            x = {f: n(v) if f.endswith("token") else v for f, v in r.items()}
            norm[r["id"]] = (r, x)
        want = {f: n(v) if f.endswith("token") else v for f, v in row.items()}
        hit = by_key([x for _, x in norm.values()], want)
        return norm[hit["id"]][0] if hit else None


@fault("THREAD-1", says="the call comes back, in another thread too", persistent=False)
class MemRefusalKeepsLock(MemStore):
    """A refused save raises between acquire and release, so every other thread waits for ever."""

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            raise refuse("not an OAuthToken")
        self._lock.acquire()
        row = row_of(token)
        state: Any = {"next": self._state["next"], "rows": dict(self._state["rows"])}
        hit = self._locate(state, row)
        if hit is None:
            new = self._insert(state, row)
        else:
            new = state["rows"][hit["id"]] = merge(hit, row)
        self._state = state
        self._lock.release()
        fill(token, new)


@fault("THREAD-3", says="threads that save ann@example.com", persistent=False)
class MemLookThenInsert(MemStore):
    """Look-up and insert take the lock one after another: two first saves make two rows."""

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            raise refuse("not an OAuthToken")
        row = row_of(token)
        with self._tx(False) as state:
            hit = self._locate(state, row)
        self._between()
        with self._tx(True) as state:
            if hit is None or hit["id"] not in state["rows"]:
                new = self._insert(state, row)
            else:
                new = state["rows"][hit["id"]] = merge(state["rows"][hit["id"]], row)
        fill(token, new)

    def _between(self) -> None:
        pass


@fault("THREAD-4", says="get_tokens works while other threads call", persistent=False)
class MemListWithoutLock(MemStore):
    """Rows live in one dict changed in place, and get_tokens walks it without the lock."""

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self._lock:
            yield self._state

    def get_tokens(self) -> list[Any]:
        return [self._build(r) for r in self._state["rows"].values()]


@fault("THREAD-4", "THREAD-5", says="shows the row", persistent=False)
class MemFieldByField(MemStore):
    """An update writes the fields of the live row one by one while readers copy it without the lock."""

    def _merge(self, old: Any, new: Any) -> Any:
        for f in FIELDS[1:]:
            if new[f]:
                old[f] = new[f]
                self._step()
        return old

    def _step(self) -> None:
        pass

    def find_token_by_id(self, id: Any) -> Any:
        row = self._state["rows"].get(id) if isinstance(id, str) else None
        return self._build(row) if row else None

    def get_tokens(self) -> list[Any]:
        return [self._build(r) for r in list(self._state["rows"].values())]


@fault("SECRET-2", says="no secret in what a log or a traceback may show", persistent=False)
class MemTalkativeRepr(MemStore):
    """repr() of the store shows its rows."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._state['rows'].values())!r})"


@fault("VALUE-8", says="500 rows", persistent=False)
class MemBoundedLru(MemStore):
    """Keeps the 500 rows that were saved last."""

    def _insert(self, state: Any, row: Any) -> Any:
        row = super()._insert(state, row)
        while len(state["rows"]) > 500:
            state["rows"].pop(next(iter(state["rows"])))
        return row


@fault("SAVE-22", says="no such row", persistent=False)
class MemSweepsExpired(MemStore):
    """Listing sweeps away the rows whose access token has expired a day ago."""

    def get_tokens(self) -> list[Any]:
        limit = int(time.time() * 1000) - 86400000
        with self._tx(True) as state:
            for i, r in list(state["rows"].items()):
                if r["expires_in"] and r["expires_in"].isdigit() and (int(r["expires_in"]) < limit):
                    del state["rows"][i]
        return super().get_tokens()


@fault("FIND-9", says="the returned token with access_token=", persistent=False)
class MemHidesExpiredAccess(MemStore):
    """A find leaves out an access token that has expired, so that the SDK renews it."""

    def _fresh(self, row: Any) -> Any:
        e = row["expires_in"]
        if e and e.isdigit() and (int(e) < time.time() * 1000):
            return dict(row, access_token=None, expires_in=None)
        return row

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = row_of(token)
        with self._tx(False) as state:
            hit = self._find(state, row)
        return fill(token, self._fresh(hit)) if hit else None


@fault("SECRET-2", says="no secret in what a log or a traceback may show", persistent=False)
class MemRefusalTellsToken(MemStore):
    """The refusal of a foreign id carries the token's fields in its details."""

    def _insert(self, state: Any, row: Any) -> Any:
        if row["id"] and row["id"] in state["rows"]:
            raise SDKException("TOKEN_STORE", "the id is taken", details=dict(row))
        return super()._insert(state, row)


@fault("FIND-10", "FIND-5", "FLOW-8", says="the passed token with client_id=", persistent=False)
class MemFindReturnsCopy(MemStore):
    """find_token returns a fresh complete token and sets only the id on the one that was passed."""

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        twin = fill(OAuthToken(id="-"), dict.fromkeys(FIELDS))
        for f in FIELDS[1:]:
            g = "user_signature" if f == "user_name" else f
            getattr(twin, "set_" + g)(getattr(token, "get_" + g)())
        twin.set_id(token.get_id())
        found = super().find_token(twin)
        if found is not None:
            token.set_id(found.get_id())
        return found


@fault("SAVE-18", says="changing the passed token changes nothing stored", persistent=False)
class MemCopyCopy(MemStore):
    """Rows are copy.copy of tokens, whose bound getters, after the SDK's merge, answer for the original."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._kept: Any = {}

    def save_token(self, token: Any) -> None:
        with self._lock:
            super().save_token(token)
            self._kept[token.get_id()] = copy.copy(token)

    def _build(self, row: Any) -> Any:
        kept = self._kept.get(row["id"])
        return build(row_of(kept)) if kept is not None else build(row)

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        self._kept.pop(id, None)

    def delete_tokens(self) -> None:
        super().delete_tokens()
        self._kept.clear()


@fault("THREAD-5", says="explains every answer", persistent=False)
class MemThreadCache(MemStore):
    """Each thread keeps the rows it looked up by id until it saves or deletes them itself."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._local: Any = threading.local()

    def _cache(self) -> Any:
        if not hasattr(self._local, "d"):
            self._local.d = {}
        return self._local.d

    def find_token_by_id(self, id: Any) -> Any:
        c = self._cache()
        if isinstance(id, str) and id in c:
            return self._build(c[id])
        t = super().find_token_by_id(id)
        if t is not None:
            c[id] = row_of(t)
        return t

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self._cache().pop(token.get_id(), None)

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        self._cache().pop(id, None)

    def delete_tokens(self) -> None:
        super().delete_tokens()
        self._cache().clear()


@fault("THREAD-5", says="every call comes back, whatever other threads call", persistent=False)
class MemTwoLocksCrosswise(MemStore):
    """Saving takes the lock of the rows, then that of the journal; deleting the other way round."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._journal_lock = threading.Lock()
        self._journal: Any = collections.deque(maxlen=100)

    def save_token(self, token: Any) -> None:
        with self._lock:
            super().save_token(token)
            self._between()
            with self._journal_lock:
                self._journal.append("save")

    def delete_token(self, id: Any) -> None:
        with self._journal_lock:
            self._journal.append("delete")
            self._between()
            super().delete_token(id)

    def _between(self) -> None:
        pass


@fault("SAVE-1", says="returned '1'", persistent=False)
class MemSaveAnswersId(MemStore):
    """save_token returns the id of the row."""

    def save_token(self, token: Any) -> Any:
        super().save_token(token)
        return token.get_id()


@fault("IFACE-2", says="find_token answers with a plain value", persistent=False)
class MemTaskInLoop(MemStore):
    """Where an event loop runs in the thread, find_token answers with a future to be awaited."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return found
        future = loop.create_future()
        future.set_result(found)
        return future


@fault("LIST-1", says="one of the tokens is", persistent=False)
class MemMasksSecretInList(MemStore):
    """get_tokens masks the client secret, as an admin page would."""

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        for t in tokens:
            if t.get_client_secret():
                t.set_client_secret("****" + t.get_client_secret()[-4:])
        return tokens


@fault("SAVE-1", "SAVE-7", "FIND-3", "FLOW-1", says="with grant_token=", persistent=False)
class MemDropsUsedGrant(MemStore):
    """The grant token is dropped as used up once an access token is saved with it."""

    def _insert(self, state: Any, row: Any) -> Any:
        if row["grant_token"] and row["access_token"]:
            row["grant_token"] = None
        return super()._insert(state, row)

    def _merge(self, old: Any, new: Any) -> Any:
        row = merge(old, new)
        if row["grant_token"] and row["access_token"]:
            row["grant_token"] = None
        return row


@fault("SAVE-13", says="after saving", persistent=False)
class MemRefreshTokenIsForLife(MemStore):
    """An update never replaces a stored refresh token."""

    def _merge(self, old: Any, new: Any) -> Any:
        row = merge(old, new)
        row["refresh_token"] = old["refresh_token"] or row["refresh_token"]
        return row


@fault("DEL-1", says="the row with the id", persistent=False)
class MemRevokesSiblings(MemStore):
    """Deleting a row also deletes the rows that share its refresh token, as that is revoked anyway."""

    def delete_token(self, id: Any) -> None:
        with self._tx(True) as state:
            row = state["rows"].pop(id, None) if isinstance(id, str) else None
            if row and row["refresh_token"]:
                for i, r in list(state["rows"].items()):
                    if r["refresh_token"] == row["refresh_token"]:
                        del state["rows"][i]


@fault("THREAD-2", says="threads that save different users leave each of them one", persistent=False)
class MemLockMadeOnFirstUse(MemStore):
    """The lock and the table are made by the first call, and first calls at once make one each."""

    def __init__(self, location: Path | None = None) -> None:
        pass

    def __getattr__(self, name: Any) -> Any:
        if name in ("_lock", "_state"):
            self._between()
            self._lock = threading.RLock()
            self._state = {"next": 1, "rows": {}}
            return self.__dict__[name]
        raise AttributeError(name)

    def _between(self) -> None:
        pass


@fault("FIND-6", "FIND-7", says="find_token returns None for", persistent=False)
class MemSoleRowServesAll(MemStore):
    """While just one row is stored, an unnamed token that matches nothing is answered with it."""

    def _find(self, state: Any, row: Any) -> Any:
        hit = super()._find(state, row)
        if hit is None and (not row["user_name"]) and (not row["id"]) and (len(state["rows"]) == 1):
            hit = next(iter(state["rows"].values()))
        return hit
