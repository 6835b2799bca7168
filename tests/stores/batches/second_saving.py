"""The second batch: mistakes of the interface and of saving."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import fault
from . import second_designs as core
from .second_designs import (
    CODE,
    CacheCore,
    CsvCore,
    DirCore,
    JsonCore,
    LogCore,
    MemCore,
    NormCore,
    SnapCore,
    SqlCore,
)


# IFACE
@fault("IFACE-1", says="TokenStore")
class NotATokenStore:
    """Duck typing: the store has the methods, but is no TokenStore, so the SDK refuses it."""

    def __init__(self, location: Path) -> None:
        self._inner: Any = JsonCore(location)

    def __getattr__(self, name: Any) -> Any:
        return getattr(self._inner, name)

    def find_token(self, token: Any) -> Any:
        return self._inner.find_token(token)

    def save_token(self, token: Any) -> None:
        self._inner.save_token(token)

    def delete_token(self, id: Any) -> None:
        self._inner.delete_token(id)

    def get_tokens(self) -> Any:
        return self._inner.get_tokens()

    def delete_tokens(self) -> None:
        self._inner.delete_tokens()

    def find_token_by_id(self, id: Any) -> Any:
        return self._inner.find_token_by_id(id)


@fault("IFACE-2", says="it returned a coroutine; the SDK never awaits it")
class AsyncInLoop(SqlCore):
    """While an event loop runs in the calling thread, find_token_by_id answers with a coroutine."""

    def find_token_by_id(self, id: Any) -> Any:
        find = super().find_token_by_id
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return find(id)

        async def later() -> Any:
            return find(id)

        return later()


@fault("IFACE-1", "DEL-1", says="delete_token takes the SDK's")
class KeywordOnlyDelete(LogCore):
    """delete_token takes its id by keyword only."""

    def delete_token(self, *, id: Any) -> None:  # type: ignore[override]
        super().delete_token(id)


# SAVE
@fault("SAVE-1", says="save_token returns None")
class SaveReturnsToken(DirCore):
    """save_token returns the token instead of None."""

    def save_token(self, token: Any) -> Any:
        super().save_token(token)
        return token


@fault("PERSIST-3", says="one new row for")
class IdFromCount(JsonCore):
    """The new id is the number of rows plus one.

    After a deletion it is a stored row's id, whose row is overwritten.
    """

    class VIEW(core.DictView):
        def new_id(self) -> Any:
            return str(len(self.state.rows) + 1)


@fault("SAVE-2", says="its id is None")
class IdNotSetOnInsert(SqlCore):
    """The id of a new row is not set on the token that was passed."""

    def _after_save(self, token: Any, row: Any) -> None:
        if token.get_id() is not None or self._updated:
            token.set_id(row["id"])

    def _save_row(self, view: Any, t: Any) -> Any:
        self._updated = True
        return super()._save_row(view, t)

    def _insert(self, view: Any, t: Any) -> Any:
        self._updated = False
        return super()._insert(view, t)


@fault("SAVE-2", says="a non-empty str", persistent=False)
class IdIsInt(MemCore):
    """The id set on the token that was passed is an int."""

    def _after_save(self, token: Any, row: Any) -> None:
        id = row["id"]
        token.set_id(int(id) if id.isdigit() and token.get_id() is None else id)


@fault("SAVE-3", says="the new row has the id")
class BroughtIdIgnored(LogCore):
    """An id that the token brings is ignored: every new row gets one of the store's own."""

    def _insert(self, view: Any, t: Any) -> Any:
        return super()._insert(view, dict(t, id=None))


@fault("SAVE-3", says="the new row has the id")
class BroughtIdCut(CsvCore):
    """A brought id is cut to eight characters, the width of the store's own ids."""

    def _insert(self, view: Any, t: Any) -> Any:
        return super()._insert(view, dict(t, id=t["id"] and t["id"][:8]))


@fault("SAVE-3", "DEL-5", says="save_token stores the token")
class NextIdFromLastRow(SnapCore):
    """The next id is the highest stored number plus one, read with int() of the last row only.

    A stored id that is no number stops every later insert.
    """

    def _insert(self, view: Any, t: Any) -> Any:
        if t["id"] is None:
            rows = view.rows()
            try:
                number = int(rows[-1]["id"]) + 1 if rows else 1
            except ValueError:
                number = None
            if number is None:
                raise SDKException(CODE, "the last id is no number")
            while view.get(str(number)) is not None:
                number += 1
            if t["refresh_token"] or t["access_token"] or t["grant_token"]:
                t = dict(t, id=str(number))
        return super()._insert(view, t)


@fault("SAVE-4", says="the stored user")
class UpdateTakesStaleId(JsonCore):
    """An update writes the token's (stale) id into the row of its user."""

    def _save_row(self, view: Any, t: Any) -> Any:
        hit = self._match(view, t)
        if hit is not None and t["id"] and t["user_name"] and view.get(t["id"]) is None:
            rows = view.state.rows
            view.state.rows = {}
            for id, row in rows.items():
                if id == hit["id"]:
                    row = dict(self._merge(hit, t), id=t["id"])
                view.state.rows[row["id"]] = row
            view.changes.append(("put", t))
            return dict(hit, id=t["id"])
        return super()._save_row(view, t)


@fault("SAVE-4", says="the stored user", persistent=False)
class IdBeforeNameOnSave(MemCore):
    """A token that has an id is looked for by id alone: a stale id makes a second row for a stored user."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if t["id"] and view.get(t["id"]) is None:
            return self._insert(view, t)
        return super()._save_row(view, t)


@fault("SAVE-5", says="a new user is a new row, and no other")
class NameFallsThroughOnSave(SqlCore):
    """A named user who is not stored falls through to the refresh token, and takes another user's row."""

    def _adopt(self, view: Any, t: Any) -> Any:
        if t["client_id"] and t["client_secret"] and t["refresh_token"]:
            return view.first(
                refresh_token=t["refresh_token"], client_id=t["client_id"], client_secret=t["client_secret"]
            )
        return None


@fault("SAVE-5", "SAVE-11", says="a new user is a new row, and no other")
class NameOrAccess(SqlCore):
    """Where user_name = ? or access_token = ?.

    A user with the access token of another updates whichever row is older.
    """

    def _save_row(self, view: Any, t: Any) -> Any:
        if t["user_name"] and t["access_token"]:
            found = view._all(
                view.SELECT + " WHERE user_name = ? OR access_token = ? ORDER BY seq LIMIT 1",
                (t["user_name"], t["access_token"]),
            )
            if found:
                row = self._merge(found[0], t)
                view.put(row)
                return row
        return super()._save_row(view, t)


@fault("SAVE-5", "FIND-8", says="it is a new user, and no other's row")
class OrgCutFromName(DirCore):
    """The organisation behind the colon is cut from the user name.

    One address in two of them is one user.
    """

    def _row(self, token: Any, strict: Any) -> Any:
        row = super()._row(token, strict)
        if isinstance(row["user_name"], str):
            row["user_name"] = row["user_name"].split(":")[0] or row["user_name"]
        return row


@fault("SAVE-6", says="the row that holds the token is updated in place")
class AccessOnlyAmongBare(CacheCore):
    """An access token is matched, when saved, only in rows that have no client credentials either."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if self._has_key(t) and not t["user_name"] and not t["client_id"] and not t["client_secret"]:
            hit = view.first(access_token=t["access_token"], client_id=None, client_secret=None)
            if hit is None and not t["id"]:
                return self._insert(view, t)
        return super()._save_row(view, t)


@fault("SAVE-7", says="the row that holds the token is updated in place")
class GrantOnlyUnnamed(NormCore):
    """When saving, a grant token is looked for among rows without a name alone."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if not t["user_name"] and not t["id"] and t["grant_token"] and t["client_id"] and t["client_secret"]:
            hit = self._match(view, t)
            if hit is not None and hit["user_name"]:
                return self._insert(view, t)
        return super()._save_row(view, t)


@fault("SAVE-8", says="the row that holds the token is updated in place")
class RefreshNotBesideAccess(LogCore):
    """When saving, a refresh token is not looked for if the token has an access token, too."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if (
            not t["user_name"]
            and not t["id"]
            and not t["grant_token"]
            and t["access_token"]
            and t["refresh_token"]
            and t["client_id"]
            and t["client_secret"]
        ):
            return self._insert(view, t)
        return super()._save_row(view, t)


@fault("SAVE-9", says="the row of the grant token is updated, that of the refresh")
class RefreshBeforeGrant(SqlCore):
    """The refresh token is looked for before the grant token."""

    def _match(self, view: Any, t: Any) -> Any:
        if not t["user_name"] and t["client_id"] and t["client_secret"] and t["refresh_token"]:
            hit = view.first(
                refresh_token=t["refresh_token"], client_id=t["client_id"], client_secret=t["client_secret"]
            )
            if hit is not None:
                return hit
        return super()._match(view, t)


@fault("SAVE-10", says="the refresh_token")
class AnyClientOnSave(DirCore):
    """When saving, a refresh token matches under any client."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if (
            not t["user_name"]
            and not t["id"]
            and t["client_id"]
            and t["client_secret"]
            and not t["grant_token"]
            and t["refresh_token"]
        ):
            hit = view.first(refresh_token=t["refresh_token"])
            if hit is not None:
                row = self._merge(hit, t)
                view.put(row)
                return row
        return super()._save_row(view, t)


@fault("SAVE-11", says="a row of its own, that of the id stays as it was")
class IdDecidesMerge(SnapCore):
    """The id decides first: user b saved under the id of a's row is merged into a's row."""

    def _save_row(self, view: Any, t: Any) -> Any:
        own = t["id"] and view.get(t["id"])
        if own:
            row = self._merge(own, t)
            view.put(row)
            return row
        return super()._save_row(view, t)


@fault("SAVE-11", says="a row of its own, that of the id stays as it was")
class InsertOrReplace(SqlCore):
    """INSERT OR REPLACE with the id that the token brought.

    A new user under the id of another's row replaces it.
    """

    def _foreign_id(self, view: Any, t: Any) -> Any:
        if not t["user_name"]:
            return super()._foreign_id(view, t)
        return self._insert(view, t)


@fault("SAVE-12", says="changes nothing")
class NoChangeInserts(CsvCore):
    """An update that changes no field counts as 'no row matched' and inserts."""

    def _save_row(self, view: Any, t: Any) -> Any:
        hit = self._match(view, t)
        if hit is not None and self._merge(hit, t) == hit:
            return self._insert(view, dict(t, id=None))
        return super()._save_row(view, t)


@fault("SAVE-13", says="after saving")
class UpdateWipes(DirCore):
    """An update replaces the whole row: fields that the token lacks are lost."""

    def _merge(self, old: Any, t: Any) -> Any:
        return dict(t, id=old["id"], user_name=t["user_name"] or old["user_name"])


@fault("SAVE-13", says="after saving")
class UpdateForgetsRedirect(SqlCore):
    """The UPDATE statement forgets redirect_url."""

    def _merge(self, old: Any, t: Any) -> Any:
        return dict(super()._merge(old, t), redirect_url=old["redirect_url"])


@fault("SAVE-13", says="after saving")
class ExpiryNotRenewed(NormCore):
    """COALESCE(old, new) for expires_in.

    A renewed token keeps its first expiry, and is renewed with each call.
    """

    def _merge(self, old: Any, t: Any) -> Any:
        return dict(super()._merge(old, t), expires_in=old["expires_in"] or t["expires_in"])


@fault("SAVE-13", says="after saving")
class LaterExpiryWins(JsonCore):
    """'the later expiry wins', compared as text: a save with a smaller expires_in is dropped."""

    def _merge(self, old: Any, t: Any) -> Any:
        if old["expires_in"] and t["expires_in"] and t["expires_in"] < old["expires_in"]:
            return old
        return super()._merge(old, t)


@fault("SAVE-14", says="one row, now under the name that its token brought")
class NameLearnedSecondRow(JsonCore):
    """A name learned later makes a second row beside the unnamed one."""

    def _save_row(self, view: Any, t: Any) -> Any:
        if t["user_name"] and t["id"] and self._match(view, t) is None:
            own = view.get(t["id"])
            if own is not None and own["user_name"] is None:
                return self._insert(view, dict(t, id=None))
        return super()._save_row(view, t)


@fault("SAVE-14", says="exactly one row of")
class NameLearnedTwice(LogCore):
    """A name learned later is given to the row of that id also where another row has the name.

    Two rows of one user.
    """

    def _save_row(self, view: Any, t: Any) -> Any:
        own = t["id"] and view.get(t["id"])
        if own and t["user_name"] and own["user_name"] is None:
            row = self._merge(own, t)
            view.put(row)
            return row
        return super()._save_row(view, t)


@fault("SAVE-15", says="one row, now under the name that its token brought")
class UnnamedNotAdopted(CacheCore):
    """A row without a user name is never completed with one.

    The same refresh token with a name is a second row.
    """

    def _adopt(self, view: Any, t: Any) -> None:
        return None


@fault("SAVE-16", says="returned None", persistent=False)
class NameAloneStored(MemCore):
    """A user name without any credential is stored as a row."""

    def _insert(self, view: Any, t: Any) -> Any:
        row = dict(t)
        row["id"] = row["id"] or view.new_id()
        view.put(row)
        return row


@fault("SAVE-16", says="save_token raises SDKException")
class RefusesWithValueError(DirCore):
    """A token without a credential is refused with ValueError instead of SDKException."""

    def save_token(self, token: Any) -> None:
        try:
            super().save_token(token)
        except SDKException as error:
            if "nothing to keep" not in str(error):
                raise
            problem = error
        else:
            return
        raise ValueError(str(problem))


@fault("SAVE-16", says="a save that fails leaves the rows exactly as they were", persistent=False)
class RefusedStaysInMemory(MemCore):
    """The row is put into memory before it is checked: the refused token is listed."""

    def _work(self, work: Any, write: Any) -> Any:
        with self._mutex:
            return work(core.DictView(self._state))

    def _insert(self, view: Any, t: Any) -> Any:
        row = dict(t)
        row["id"] = row["id"] or view.new_id()
        view.put(row)
        if not (t["grant_token"] or t["refresh_token"] or t["access_token"]):
            raise SDKException(CODE, "there is nothing to keep")
        return row


@fault("SAVE-17", says="it is now None")
class GrantClearedOnToken(SqlCore):
    """save_token clears the grant token of the token that was passed, because it can be used once only."""

    def _after_save(self, token: Any, row: Any) -> None:
        super()._after_save(token, row)
        token.set_grant_token(None)


@fault("SAVE-17", says="the passed token keeps its user_name")
class NameLoweredOnToken(CsvCore):
    """save_token gives the passed token a fresh UserSignature of the lower-case name."""

    def _after_save(self, token: Any, row: Any) -> None:
        super()._after_save(token, row)
        signature = token.get_user_signature()
        if signature is not None and signature.get_name():
            token.set_user_signature(UserSignature(signature.get_name().lower()))


@fault("SAVE-18", says="changing the passed token changes nothing stored", persistent=False)
class KeepsTheObject(MemCore):
    """The memory keeps the very token object that was saved."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        self._objects: Any = {}

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self._objects[token.get_id()] = token

    def _work(self, work: Any, write: Any) -> Any:
        def fresh(view: Any) -> Any:
            for id, token in self._objects.items():
                if id in view.state.rows:
                    view.state.rows[id] = self._merge(view.state.rows[id], self._row(token, False))
            return work(view)

        return super()._work(fresh, write)


@fault("SAVE-18", says="changing the passed token changes nothing stored")
class WriteThroughObject(CacheCore):
    """A cache by id keeps the token object that was saved and answers find_token_by_id from it."""

    def __init__(self, location: Path) -> None:
        self._objects: Any = {}
        super().__init__(location)

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self._objects[token.get_id()] = token

    def find_token_by_id(self, id: Any) -> Any:
        found = super().find_token_by_id(id)
        kept = self._objects.get(id) if isinstance(id, str) else None
        if found is None or kept is None:
            return found
        copy = OAuthToken(id=id)
        self._fill(copy, dict(self._row(kept, False), id=id))
        self._fill(copy, self._row(found, False))
        return copy


@fault("SAVE-19", says="what is no OAuthToken is ignored or refused with")
class NonTokenAttributeError(CsvCore):
    """Saving what is no OAuthToken is an AttributeError."""

    def save_token(self, token: Any) -> None:
        row = self._row(token, True)
        kept = self._run(lambda view: self._save_row(view, row), True)
        self._after_save(token, kept)


@fault("SAVE-19", says="what is no OAuthToken is ignored or refused with")
class DuckTokenSaved(LogCore):
    """Anything with the right getters is saved: a mock of a token makes a row."""

    def save_token(self, token: Any) -> None:
        if not hasattr(token, "get_access_token"):
            raise SDKException(CODE, "only a token can be saved")
        row = self._row(token, True)
        kept = self._run(lambda view: self._save_row(view, row), True)
        self._after_save(token, kept)


@fault("SAVE-20", says="no key")
class AccessWithClientRefused(NormCore):
    """An access token with client credentials and nothing else is refused: 'no key'."""

    def _insert(self, view: Any, t: Any) -> Any:
        if t["access_token"] and t["client_id"] and t["client_secret"] and not self._has_key(t):
            raise SDKException(CODE, "no key")
        return super()._insert(view, t)


@fault("SAVE-21", says="its id is None")
class IdNotSetOnUpdate(LogCore):
    """After an update the passed token has no id."""

    def _save_row(self, view: Any, t: Any) -> Any:
        before = {row["id"] for row in view.rows()}
        row = super()._save_row(view, t)
        self._inserted = row["id"] not in before
        return row

    def _after_save(self, token: Any, row: Any) -> None:
        if self._inserted:
            super()._after_save(token, row)


@fault("SAVE-22", says="no such row")
class ListingPurgesExpired(JsonCore):
    """get_tokens removes rows whose access token has expired."""

    def get_tokens(self) -> Any:
        now = int(time.time() * 1000)

        def purge(view: Any) -> Any:
            for row in view.rows():
                if (
                    row["expires_in"]
                    and row["expires_in"].isdigit()
                    and len(row["expires_in"]) < 20
                    and int(row["expires_in"]) < now
                ):
                    view.drop(row["id"])
            return view.rows()

        return [self._make(row) for row in self._run(purge, True)]


@fault("SAVE-22", says="a row stays when its access token has expired")
class SavingSweepsExpired(SqlCore):
    """Each save sweeps away other rows whose access token has expired."""

    def _save_row(self, view: Any, t: Any) -> Any:
        row = super()._save_row(view, t)
        view.connection.execute(
            "DELETE FROM tokens WHERE id <> ? AND CAST(expires_in AS INTEGER) < ?",
            (row["id"], int(time.time() * 1000)),
        )
        return row


@fault("SAVE-22", says="opening the store again removes no row with expires_in")
class OpeningDropsDead(CacheCore):
    """Opening drops rows that can no longer be refreshed: an expired access token and no refresh token."""

    def _prepare(self, work: Any, write: Any) -> None:
        super()._prepare(work, write)
        now = int(time.time() * 1000)

        def sweep(view: Any) -> None:
            for row in view.rows():
                if (
                    not row["refresh_token"]
                    and row["expires_in"]
                    and row["expires_in"].isdigit()
                    and len(row["expires_in"]) < 20
                    and int(row["expires_in"]) < now
                ):
                    view.drop(row["id"])

        self._work(sweep, True)
