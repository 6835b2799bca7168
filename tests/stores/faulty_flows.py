"""Stores over which the SDK goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

from .catalogue import fault
from .right import ChangesWhenOpened, Fields, RightStore, first
from .single_flight import SingleFlightStore

TWO_HOURS = 2 * 3600 * 1000
A_MINUTE = 60 * 1000


# FLOW-1


@fault("FLOW-1", "SAVE-7", says="invalid_code")
class NeverFindsCodes(RightStore):
    """Does not match by grant token, so that a code is exchanged again."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("FLOW-1", says="ValueError: expires too soon, which the SDK swallows")
class RaisesForShortLives(RightStore):
    """Refuses tokens that expire within two hours, as all do that Zoho issues."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["expires_in"] and int(sent["expires_in"]) < time.time() * 1000 + TWO_HOURS:
            raise ValueError("expires too soon")
        return super().insert(state, sent)


@fault("FLOW-1", "SAVE-8", says="holds what was issued")
class DropsTheRefreshTokenBesideTheCode(RightStore):
    """Keeps the code that a new token was made from, and not the refresh token beside it."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(state, {**sent, "refresh_token": None} if sent["grant_token"] else sent)


@fault("FLOW-1", "FLOW-6", "SAVE-1", says="one new row")
class OneUserForEachRedirectURL(RightStore):
    """Takes users with the same client and redirect URL for the same user."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_user(rows, sent) or first(
            row
            for row in rows
            if self.same_client(row, sent)
            and sent["redirect_url"]
            and row["redirect_url"] == sent["redirect_url"]
        )


@fault("FLOW-1", "SAVE-13", says="the row of the user holds what was issued")
class KeepsTheRefreshTokenOfTheFirstCode(RightStore):
    """An update leaves the refresh token that is stored, for a renewal brings no other."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "refresh_token": row["refresh_token"] or sent["refresh_token"]})


# FLOW-2


@fault("FLOW-2", says="no token request")
class DropsAccessTokensWhenOpened(ChangesWhenOpened):
    """Throws all access tokens away when it is opened, for they live an hour only."""

    def opened(self, state: Any) -> None:
        for row in state["rows"]:
            row["access_token"] = row["access_token"] and None


@fault("FLOW-2", "PERSIST-2", says="a new process with only the user name works")
class KnowsTheUsersOfThisProcess(RightStore):
    """Looks users up in a table in memory that holds those who were saved since."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known: set[str] = set()

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.known.add(row["user_name"])

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["user_name"] and sent["user_name"] not in self.known:
            return None
        return super().match_to_find(rows, sent)


@fault("FLOW-2", "PERSIST-2", says="a new process with only the id works")
class KnowsTheIdsOfThisProcess(RightStore):
    """Finds by id what was saved since it was opened."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.known: set[str] = set()

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.known.add(row["id"])

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) if id in self.known else None


# FLOW-3


@fault("FLOW-3", "SAVE-6", says="no token request")
class ForgetsWhenTokensExpire(RightStore):
    """Does not store when an access token expires."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(state, {**sent, "expires_in": None})

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "expires_in": None})


@fault("FLOW-3", "SAVE-6", says="the same row holds the renewed access token")
class KeepsTheOldExpiry(RightStore):
    """An update leaves the time at which the first access token expired."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "expires_in": None})


@fault("FLOW-3", "BYID-5", says="the API call carries ann's stored access token")
class RemembersWhatItFoundById(RightStore):
    """Answers the second question for an id from memory, whatever was saved since."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.found_before: dict[Any, Fields] = {}

    def find_token_by_id(self, id: Any) -> Any:
        if id not in self.found_before:
            row = self.by_id(self.read()["rows"], id)
            if row is None:
                return None
            self.found_before[id] = row
        return self.new_token(self.found_before[id])


@fault("FLOW-3", "FIND-1", says="Initializer.initialize works")
class MissesUsersWhoseRedirectURLDiffers(RightStore):
    """Finds a user under the redirect URL that was stored, if the token has one."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        urls = {sent["redirect_url"], row["redirect_url"]} - {None} if row is not None else set()
        return None if len(urls) > 1 else row


@fault("FLOW-3", says="the same row holds the renewed access token")
class IgnoresRenewalsOfShortLives(RightStore):
    """Leaves the access token that is stored where the new one is about to expire as well."""

    def update(self, row: Fields, sent: Fields) -> None:
        if not sent["expires_in"] or int(sent["expires_in"]) > time.time() * 1000 + A_MINUTE:
            super().update(row, sent)


# FLOW-4


@fault("FLOW-4", "BYID-1", says="works")
class FindsNothingById(RightStore):
    """`find_token_by_id` finds nothing."""

    def find_token_by_id(self, id: Any) -> Any:
        return None


@fault("FLOW-4", "BYID-1", says="no stored token is sent")
class TrimsIds(RightStore):
    """Reads ids without the spaces and zeros around them."""

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id.strip().lstrip("0") if isinstance(id, str) else id)


@fault("FLOW-4", "BYID-2", says="no stored token is sent")
class FindsTheFirstRowForUnknownIds(RightStore):
    """Answers to an unknown id with the first row."""

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.read()["rows"]
        return super().find_token_by_id(id) or (self.new_token(rows[0]) if rows else None)


@fault("FLOW-4", "BYID-1", says="the API call carries a valid access token of cleo")
class TakesTheRefreshTokenOfTheRowBefore(RightStore):
    """`find_token_by_id` puts the refresh token of the row before into the token."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        before = None
        for row in self.read()["rows"]:
            if row["id"] == id and before and row["refresh_token"]:
                token.set_refresh_token(before)
            before = row["refresh_token"]
        return token


@fault("FLOW-4", "BYID-1", says="Initializer.initialize works")
class TakesTheFirstPlaceForNone(RightStore):
    """`find_token_by_id` takes the place of the first row, 0, for that of a row that is not there."""

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.read()["rows"]
        place = next((place for place, row in enumerate(rows) if row["id"] == id), None)
        return self.new_token(rows[place]) if place else None


# FLOW-5


@fault("FLOW-5", "SAVE-6", says="the access token is still one row")
class NeverFindsAccessTokens(RightStore):
    """Does not match by access token."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("FLOW-5", "SAVE-5", says="which the SDK swallows")
class RefusesUsersWithoutAClient(RightStore):
    """Refuses the token of a user that has no client id."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["user_name"] and not sent["client_id"]:
            raise KeyError("client_id")
        return super().insert(state, sent)


@fault("FLOW-5", "SAVE-6", says="the access token is still one row")
class KnowsUsersByTheirClient(RightStore):
    """A named row is that of its user and client, and a user without a client is always a new one."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_user([row for row in rows if row["client_id"]], sent)

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_access([row for row in rows if not row["user_name"]], sent)


# FLOW-6


@fault("FLOW-6", "SAVE-2", says="it carried '1000.eve.access'")
class GivesEveryTokenTheFirstId(RightStore):
    """The tokens of users get one id, that of the first."""

    def next_id(self, state: Any) -> str:
        return "1" if state["used"] else super().next_id(state)


@fault("FLOW-6", "BYID-1", says="the API call carries")
class HasOneCurrentUser(RightStore):
    """`find_token_by_id` answers with the token that was saved last."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.current: str | None = None

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.current = row["id"]

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) and super().find_token_by_id(self.current)


@fault("FLOW-6", says="the API call carries a valid access token")
class LooksForWhatAnotherThreadLooksFor(RightStore):
    """Keeps the id that it looks for in an attribute that threads share."""

    def find_token_by_id(self, id: Any) -> Any:
        self.sought = id
        time.sleep(0.005)
        return super().find_token_by_id(self.sought)


@fault("FLOW-6", "SAVE-1", says="one new row")
class OneUserForEachOrganization(RightStore):
    """Takes users with the same client and organization for the same user."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_user(rows, sent) or first(
            row
            for row in rows
            if row["user_name"]
            and self.same_client(row, sent)
            and row["user_name"].rpartition(":")[2] == sent["user_name"].rpartition(":")[2]
        )


# FLOW-7


@fault("FLOW-7", "SAVE-21", says="remove() removes the row of its token and no other")
class LeavesUpdatedTokensWithoutTheirId(RightStore):
    """Sets the id on the passed token when it inserts a row, and never when it updates one."""

    left_out = "updated"

    def save_token(self, token: Any) -> None:
        known = self.match_to_save(self.read()["rows"], self.fields_of(token)) is not None
        before = token.get_id()
        super().save_token(token)
        if self.left_out == ("updated" if known else "inserted"):
            token.set_id(before)


@fault("FLOW-7", "FIND-10", says="remove() removes the row of its token and no other")
class FindsWithoutFilling(RightStore):
    """`find_token` answers with a new token and leaves the passed one without an id."""

    def found(self, token: Any, row: Fields) -> Any:
        found = self.new_token(row)
        return found if token.get_user_signature() is not None else super().found(token, row)


@fault("FLOW-7", "DEL-1", says="remove() removes the row of its token and no other")
class RemovesAllOfTheClient(RightStore):
    """`delete_token` removes the other users of the same client too."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        if row is not None:
            state["rows"][:] = [
                other
                for other in state["rows"]
                if other["user_name"] is None or (not self.same_client(other, row) and other is not row)
            ]


@fault("FLOW-7", "DEL-1", says="remove() removes the row of its token and no other")
class RefusesToDeleteValidTokens(RightStore):
    """`delete_token` raises while the access token is valid, and the SDK answers False."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        if row is not None and int(row["expires_in"] or 0) > time.time() * 1000:
            raise RuntimeError("the token is in use")
        super().remove(state, id)


@fault("FLOW-7", "SAVE-2", says="remove() removes the row of its token and no other")
class LeavesInsertedTokensWithoutTheirId(LeavesUpdatedTokensWithoutTheirId):
    """Sets the id on the passed token when it updates a row, and never when it inserts one."""

    left_out = "inserted"


# FLOW-8


@fault("FLOW-8", "FIND-5", says="revoke sends the refresh token of the row")
class FillsTheFirstRefreshTokenById(RightStore):
    """A token that has its id alone is filled with the first user's refresh token."""

    def found(self, token: Any, row: Fields) -> Any:
        alone = token.get_id() and not token.get_refresh_token() and token.get_user_signature() is None
        found = super().found(token, row)
        if alone and row["refresh_token"]:
            rows = self.read()["rows"]
            found.set_refresh_token(next(row["refresh_token"] for row in rows if row["refresh_token"]))
        return found


@fault("FLOW-8", "FIND-5", says="it sent nothing")
class FindsNoTokenByItsIdAlone(RightStore):
    """`find_token` does not look at ids."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows, {**sent, "id": None})


@fault("FLOW-8", "FIND-5", says="it sent nothing")
class ReturnsButDoesNotFillById(RightStore):
    """A token that has its id alone is answered with a new token, and left as it was."""

    def found(self, token: Any, row: Fields) -> Any:
        return self.new_token(row) if token.get_id() else super().found(token, row)


@fault("FLOW-8", "FIND-6", says="which has none")
class FindsTheFirstRowForUnknownTokens(RightStore):
    """A token whose id is not stored finds the first row."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows, sent) or (rows[0] if rows and sent["id"] else None)


# FLOW-9


@fault("FLOW-9", "SAVE-14", says="the token is still one row, now named")
class AddsARowWhenTheNameIsLearned(RightStore):
    """A name that is learned later makes another row."""

    def unnamed(self, row: Fields | None) -> Fields | None:
        return None

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("FLOW-9", "SAVE-14", says="the id is another user's, which the SDK swallows")
class RefusesANameThatIsLearned(RightStore):
    """A name that is learned later is a second row with the same key, which is refused."""

    def unnamed(self, row: Fields | None) -> Fields | None:
        return None

    def id_is_taken(self, row: Fields) -> None:
        super().id_is_taken({**row, "user_name": None})


@fault("FLOW-9", "SAVE-14", says="the token is still one row, now named")
class StoresTheLearnedNameAlone(RightStore):
    """When a row gets its name, the renewed access token that came with it is not stored."""

    def update(self, row: Fields, sent: Fields) -> None:
        if sent["user_name"] and not row["user_name"]:
            row["user_name"] = sent["user_name"]
        else:
            super().update(row, sent)


@fault("FLOW-9", "SAVE-14", says="the token is still one row, now named")
class NamesRowsOfCodesAlone(RightStore):
    """A name that is learned later is that of a row with a code; beside any other it makes a new row."""

    def unnamed(self, row: Fields | None) -> Fields | None:
        row = super().unnamed(row)
        return row if row is not None and row["grant_token"] else None


# FLOW-10


@fault("FLOW-10", says="4 token requests")
class LetsEveryThreadAsk(RightStore):
    """No thread waits for what another one is about to save."""


@fault("FLOW-10", says="4 token requests")
class LocksTheFindingAlone(RightStore):
    """One thread finds at a time, and yet each finds the expired token."""

    @contextmanager
    def finding(self) -> Iterator[None]:
        with self.lock:
            yield

    def find_token(self, token: Any) -> Any:
        with self.finding():
            return super().find_token(token)

    def find_token_by_id(self, id: Any) -> Any:
        with self.finding():
            return super().find_token_by_id(id)


@fault("FLOW-10", says="renew it once")
class RenewsOnceByIdAlone(SingleFlightStore):
    """Threads that look for the user do not wait for the renewal."""

    def find_token(self, token: Any) -> Any:
        return RightStore.find_token(self, token)


@fault("FLOW-10", says="4 token requests")
class WaitsAndAnswersWithWhatItReadBefore(SingleFlightStore):
    """Waits for the renewal, and answers with the token that was there before."""

    def find_token_by_id(self, id: Any) -> Any:
        found = RightStore.find_token_by_id(self, id)
        self.wait_for_renewal(id)
        return found


# BYID-5


def half_built(store: RightStore, row: Fields) -> Any:
    """A token that never saw its constructor."""
    token = object.__new__(OAuthToken)
    token.set_id(row["id"])
    token.set_user_signature(None)
    for name in ("client_id", "client_secret", "refresh_token", "access_token", "grant_token"):
        getattr(token, f"set_{name}")(None)
    for name in ("expires_in", "redirect_url", "api_domain"):
        getattr(token, f"set_{name}")(None)
    store.fill(token, row)
    return token


@fault("BYID-5", says="AttributeError")
class BuildsTokensWithoutTheirConstructor(RightStore):
    """Makes its tokens with `object.__new__` and the setters."""

    def new_token(self, row: Fields) -> Any:
        return half_built(self, row)


@fault("BYID-5", says="AttributeError")
class ListsHalfBuiltTokens(RightStore):
    """`get_tokens` alone makes its tokens with `object.__new__`."""

    def get_tokens(self) -> list[Any]:
        return [half_built(self, row) for row in self.read()["rows"]]


class FixedToken(OAuthToken):  # type: ignore[misc]
    """A token that takes no other value once it has its fields."""

    fixed = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self.fixed:
            raise AttributeError(f"{name} cannot be set")
        super().__setattr__(name, value)


@fault("BYID-5", says="cannot be set")
class AnswersWithTokensThatCannotBeRenewed(RightStore):
    """`find_token_by_id` answers with tokens that nobody can change."""

    def find_token_by_id(self, id: Any) -> Any:
        found = super().find_token_by_id(id)
        if found is None:
            return None
        token = FixedToken(id=found.get_id())
        self.fill(token, self.fields_of(found))
        object.__setattr__(token, "fixed", True)
        return token


@fault("BYID-5", says="raised AttributeError")
class FindsHalfBuiltTokensById(RightStore):
    """`find_token_by_id` alone makes its tokens with `object.__new__`."""

    def find_token_by_id(self, id: Any) -> Any:
        row = self.by_id(self.read()["rows"], id)
        return None if row is None else half_built(self, row)
