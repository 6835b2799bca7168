"""Stores with one mistake in ``save_token``, or in the matching that saving and finding share."""

from __future__ import annotations

import contextlib
import fnmatch
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.token import Token
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .catalogue import fault
from .right import CREDENTIALS, OTHERS, Fields, RightStore, first, refusal

# SAVE-1: a new token is one new row


@fault("SAVE-1", says="is gone")
class KeepsOneToken(RightStore):
    """Has one slot for all users."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        state["rows"].clear()
        return super().insert(state, sent)


@fault("SAVE-1", says="save_token returns None")
class AnswersWithTheId(RightStore):
    """Returns the id of what it saved."""

    def save_token(self, token: Any) -> Any:
        super().save_token(token)
        return token.get_id()


@fault("SAVE-1", says="is gone")
class KeepsTenTokens(RightStore):
    """Drops the oldest row when an eleventh comes."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        del state["rows"][:-10]
        return row


@fault("SAVE-1", says="the row of the saved token with")
class ReadsPrivateAttributes(RightStore):
    """Reads attributes that no token has, so that every field is stored as None."""

    def fields_of(self, token: Any) -> Fields:
        return {name: getattr(token, f"_{name}", None) for name in ("id", "user_name", *OTHERS)}


@fault("SAVE-1", says="one new row for")
class SearchesAllTokenColumns(RightStore):
    """Looks for an access token in the columns of the other tokens, too."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["client_id"] or not sent["access_token"]:
            return None
        return first(row for row in rows if sent["access_token"] in [row[name] for name in CREDENTIALS])


@fault("SAVE-1", says="one new row for")
class TakesNamesForIds(RightStore):
    """Looks for a user name among the ids, too."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_user(rows, sent) or self.by_id(rows, sent["user_name"])


@fault("SAVE-1", says="a row without")
class InheritsFromTheLastRow(RightStore):
    """Fills what a new token lacks from the row before it."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        last = state["rows"][-1] if state["rows"] else {}
        row = super().insert(state, sent)
        row["redirect_url"] = row["redirect_url"] or last.get("redirect_url")
        return row


@fault("SAVE-1", says="one new row for")
class TakesEmptyTokensForEqual(RightStore):
    """Takes two rows of one client for the same because neither has a grant token."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        unnamed = [row for row in rows if not row["user_name"] and self.same_client(row, sent)]
        return first(row for row in unnamed if row["grant_token"] == sent["grant_token"])


# SAVE-2: ids


@fault("SAVE-2", says="a non-empty str")
class GivesNoIds(RightStore):
    """Stores tokens under an empty id."""

    def next_id(self, state: Any) -> str:
        return ""


@fault("SAVE-2", says="a non-empty str")
class GivesNumbers(RightStore):
    """Ids are numbers, as the database gives them."""

    def next_id(self, state: Any) -> Any:
        return int(super().next_id(state))


@fault("SAVE-2", "SAVE-21", says="the passed token carries the id")
class TellsNobodyTheId(RightStore):
    """Never sets the id on the token that was passed."""

    def saved(self, token: Any, row: Fields) -> None:
        pass


@fault("SAVE-2", says="unlike every other stored id")
class NumbersBySize(RightStore):
    """The next id is the number of rows and one: given twice once a row has gone."""

    def next_id(self, state: Any) -> str:
        return str(len(state["rows"]) + 1)


@fault("SAVE-2", says="unlike every other stored id")
class NumbersByPlace(RightStore):
    """The second token gets the id of the first."""

    def next_id(self, state: Any) -> str:
        return str(max(len(state["rows"]), 1))


@fault("SAVE-2", says="unlike every other stored id")
class TakesTheGreatestTextForTheLastId(RightStore):
    """Compares ids as text, so that "9" is the last one for ever."""

    def next_id(self, state: Any) -> str:
        return str(int(max((row["id"] for row in state["rows"]), default="0")) + 1)


# SAVE-3: ids that tokens bring


@fault("SAVE-3", says="the new row has the id")
class ReplacesBroughtIds(RightStore):
    """Gives every inserted token an id of its own making."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(
            state, {**sent, "id": None} if any(sent[name] for name in CREDENTIALS) else sent
        )


@fault("SAVE-3", says="save_token stores the token")
class ReadsEveryIdAsNumber(RightStore):
    """One stored id that is no number stops every later insert."""

    def next_id(self, state: Any) -> str:
        try:
            return str(max((int(row["id"]) for row in state["rows"]), default=0) + 1)
        except ValueError as error:
            raise refusal("the id is no number", error) from error


@fault("SAVE-3", says="an id unlike")
class TrustsItsCounter(RightStore):
    """Counts ids and never looks whether somebody brought the next one along."""

    def next_id(self, state: Any) -> str:
        state["last"] += 1
        return str(state["last"])


@fault("SAVE-3", says="an id unlike")
class StepsOverOneBroughtId(RightStore):
    """Steps over one id that was brought along, but not over two."""

    def next_id(self, state: Any) -> str:
        state["last"] += 1
        if str(state["last"]) in state["used"]:
            state["last"] += 1
        return str(state["last"])


@fault("SAVE-3", says="or SDKException")
class StumblesOverOddIds(RightStore):
    """Ends in a ValueError where an id has a quote."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if "'" in (sent["id"] or ""):
            raise ValueError(sent["id"])
        return super().insert(state, sent)


@fault("SAVE-3", says="the new row has the id")
class TrimsZeros(RightStore):
    """Keeps the id "007" as "7"."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(state, {**sent, "id": sent["id"] and (sent["id"].lstrip("0") or "0")})


# SAVE-4: known users


@fault("SAVE-4", says="updated in place")
class AppendsKnownUsers(RightStore):
    """Saves a known user as another row."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("SAVE-4", says="updated in place")
class GivesUpdatedRowsNewIds(RightStore):
    """Replaces a row by a new one with another id."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        row["id"] = f"{row['id']}1"


@fault("SAVE-4", "FIND-1", says="updated in place")
class WantsTheSameClient(RightStore):
    """Knows a user under the same client alone."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["client_id"]:
            rows = [row for row in rows if self.same_client(row, sent)]
        return super().by_user(rows, sent)


@fault("SAVE-4", "FIND-1", says="updated in place")
class KnowsUsersAmongTenRows(RightStore):
    """Searches the first ten rows for a user."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_user(rows[:10], sent)


# SAVE-5: the name outranks the rest


@fault("SAVE-5", "SAVE-1", says="only the row of the named user")
class RefreshTokenOutranksTheName(RightStore):
    """Updates the row of the refresh token, whoever is named."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_refresh(rows, sent) or super().match_to_save(rows, sent)


@fault("SAVE-5", says="no other's")
class UnknownUsersOwnTheAccessToken(RightStore):
    """A user who is not stored takes over the row of the same access token."""

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().learned(rows, sent) or self.by_access(rows, sent)


@fault("SAVE-5", "SAVE-1", says="only the row of the named user")
class RenewsEveryRowOfTheRefreshToken(RightStore):
    """Writes a new access token into every row that has the same refresh token."""

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        with self.changing() as state:
            for row in state["rows"]:
                if row["refresh_token"] and row["refresh_token"] == token.get_refresh_token():
                    row["access_token"] = token.get_access_token()


@fault("SAVE-5", "FIND-8", says="a new user")
class MatchesPartsOfNames(RightStore):
    """Takes the beginning of a user's name for the user."""

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        return stored is not None and stored.startswith(sent or "-")


@fault("SAVE-5", "FIND-8", says="a new user")
class ReadsNamesAsPatterns(RightStore):
    """Looks for names with a wildcard search."""

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        pattern = (sent or "").replace("%", "*").replace("_", "?")
        return stored is not None and fnmatch.fnmatchcase(stored, pattern)


# SAVE-6: access tokens


@fault("SAVE-6", "FIND-2", says="updated in place")
class KnowsNoAccessTokens(RightStore):
    """Never looks for an access token."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("SAVE-6", "FIND-2", says="updated in place")
class KnowsAccessTokensOfNobodyAlone(RightStore):
    """Looks for an access token among the rows without a user alone."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_access([row for row in rows if not row["user_name"]], sent)


@fault("SAVE-6", "FIND-2", says="updated in place")
class KnowsAccessTokensWithoutClientAlone(RightStore):
    """Looks for an access token among the rows without a client alone."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_access([row for row in rows if not row["client_id"]], sent)


@fault("SAVE-6", "FIND-2", says="updated in place")
class IndexesTheFirstAccessToken(RightStore):
    """Goes by the access token that a row was inserted with, for ever."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        row["index"] = row["access_token"]
        return row

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["client_id"] or sent["client_secret"]:
            return None
        return first(row for row in rows if self.same_token(row["index"], sent["access_token"]))


@fault("SAVE-6", says="updated in place")
class RefreshTokenHidesTheAccessToken(RightStore):
    """Does not look for an access token that comes with a refresh token."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["refresh_token"] else super().by_access(rows, sent)


# SAVE-7 and SAVE-8: grant and refresh tokens


@fault("SAVE-7", "FIND-3", says="updated in place")
class KnowsNoGrantTokens(RightStore):
    """Never looks for a grant token."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("SAVE-7", "FIND-3", says="updated in place")
class AccessTokenHidesTheGrantToken(RightStore):
    """Does not look for a grant token that comes with an access token."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["access_token"] else super().by_grant(rows, sent)


@fault("SAVE-7", "FIND-3", says="updated in place")
class KnowsGrantTokensOfNobodyAlone(RightStore):
    """Looks for a grant token among the rows without a user alone."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_grant([row for row in rows if not row["user_name"]], sent)


@fault("SAVE-7", says="updated in place")
class AnIssuedRefreshTokenIsNew(RightStore):
    """Takes a token whose refresh token is not stored for new, whatever its grant token."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["refresh_token"] else super().by_grant(rows, sent)


@fault("SAVE-8", "FIND-4", says="updated in place")
class KnowsNoRefreshTokens(RightStore):
    """Never looks for a refresh token."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("SAVE-8", "FIND-4", says="updated in place")
class AccessTokenHidesTheRefreshToken(RightStore):
    """Does not look for a refresh token that comes with an access token."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["access_token"] else super().by_refresh(rows, sent)


@fault("SAVE-8", "FIND-4", says="updated in place")
class GrantTokensHideRefreshTokens(RightStore):
    """Looks for a refresh token among the rows without a grant token alone."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_refresh([row for row in rows if not row["grant_token"]], sent)


@fault("SAVE-8", "FIND-4", says="updated in place")
class KnowsRefreshTokensAmongTenRows(RightStore):
    """Searches the first ten rows for a refresh token."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_refresh(rows[:10], sent)


# SAVE-9 and SAVE-10: which of two rows


@fault("SAVE-9", says="the row of the grant token is updated")
class RefreshTokenOutranksTheGrantToken(RightStore):
    """Looks for the refresh token first."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_refresh(rows, sent) or super().by_grant(rows, sent)


@fault("SAVE-9", says="the row of the grant token is updated")
class OlderOfTwoRowsWins(RightStore):
    """Takes the first row in which the grant token or the refresh token matches."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        found = (
            super(OlderOfTwoRowsWins, self).by_grant([row], sent) or self.by_refresh([row], sent)
            for row in rows
        )
        return next((row for row in found if row), None)


@fault("SAVE-9", says="the row of the grant token is updated")
class RenewsBothRows(RightStore):
    """Updates the row of the grant token, and that of the refresh token as well."""

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        with self.changing() as state:
            row = self.by_refresh(state["rows"], self.fields_of(token))
            if row is not None and token.get_user_signature() is None:
                row["access_token"] = token.get_access_token() or row["access_token"]


@fault("SAVE-10", says="another client's")
class IgnoresTheClient(RightStore):
    """Matches grant and refresh tokens under whichever client."""

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return bool(sent["client_id"] and sent["client_secret"])


@fault("SAVE-10", says="another client's")
class IgnoresTheClientSecret(RightStore):
    """Compares client ids alone."""

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return bool(sent["client_id"] and sent["client_secret"] and row["client_id"] == sent["client_id"])


@fault("SAVE-10", says="another client's")
class IgnoresTheClientId(RightStore):
    """Compares client secrets alone."""

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return bool(sent["client_id"] and sent["client_secret"] == row["client_secret"])


@fault("SAVE-10", says="under this client")
class LooksAtTheFirstRowOfAToken(RightStore):
    """Compares the client with the first row of a refresh token, and looks no further."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = first(row for row in rows if self.same_token(row["refresh_token"], sent["refresh_token"]))
        return row if row is not None and self.same_client(row, sent) else None


# SAVE-11: users stay apart


@fault("SAVE-11", "FIND-8", says="stays as it was")
class TheIdOutranksUnknownNames(RightStore):
    """Saves a new user into the row whose id the token carries."""

    def unnamed(self, row: Fields | None) -> Fields | None:
        return row


@fault("SAVE-11", says="stays as it was")
class ReplacesTheRowOfTheId(RightStore):
    """Replaces the row whose id a new user's token carries."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        state["rows"] = [row for row in state["rows"] if row["id"] != sent["id"]]
        return super().insert(state, sent)


@fault("SAVE-11", says="unlike every other")
class SharesAnIdBetweenUsers(RightStore):
    """Inserts a new user under the id of another one's row."""

    def id_is_taken(self, row: Fields) -> None:
        pass


@fault("SAVE-11", says="raises SDKException")
class StumblesOverTakenIds(RightStore):
    """Ends in a KeyError where a new user's token carries a stored id."""

    def id_is_taken(self, row: Fields) -> None:
        raise KeyError(row["id"])


@fault("SAVE-11", says="a row without")
class GraftsWhatATokenLacks(RightStore):
    """Inserts a new user, with what the token lacks from the row whose id it carries."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        other = self.by_id(state["rows"], sent["id"])
        row = super().insert(state, sent)
        for name in OTHERS if other is not None else ():
            row[name] = row[name] or other[name]  # type: ignore[index]
        return row


@fault("SAVE-11", says="stays as it was")
class KnownUsersSwapRows(RightStore):
    """Updates the named user's row, and moves the access token of the row of the id there."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        if sent["id"] and sent["id"] != row["id"]:
            row["refresh_token"] = sent["refresh_token"]


@fault("SAVE-11", says="stays as it was")
class FillsTheGapsOfKnownUsers(RightStore):
    """Updates the named user's row, and fills its gaps from the row of the id."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row, other = super().match_to_save(rows, sent), self.by_id(rows, sent["id"])
        for name in OTHERS if row is not None and other is not None else ():
            row[name] = row[name] or other[name]  # type: ignore[index]
        return row


@fault("SAVE-21", "VALUE-10", says="the passed token carries the id")
class LeavesAnyIdAlone(RightStore):
    """Sets the id on tokens whose id is None alone, so that "" and another's id stay."""

    def saved(self, token: Any, row: Fields) -> None:
        if token.get_id() is None:
            super().saved(token, row)


# SAVE-12: the same token again


@fault("SAVE-12", says="changes nothing")
class AppendsWhereNothingChanged(RightStore):
    """Inserts where an update changed no row, as the server counts changed rows."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_save(rows, sent)
        same = row is not None and all(row[name] == sent[name] for name in OTHERS if sent[name])
        return None if same else row


@fault("SAVE-12", says="save_token stores the token")
class RefusesWhatItHas(RightStore):
    """Fails with a duplicate key where nothing changed."""

    def update(self, row: Fields, sent: Fields) -> None:
        if all(row[name] == sent[name] for name in OTHERS):
            raise refusal("duplicate entry for the primary key")
        super().update(row, sent)


@fault("SAVE-12", "SAVE-6", says="changes nothing")
class ExpiresWhatItHas(RightStore):
    """Takes a stored access token that is saved again for expired."""

    def update(self, row: Fields, sent: Fields) -> None:
        again = row["access_token"] and row["access_token"] == sent["access_token"]
        super().update(row, sent)
        if again and row["user_name"]:
            row["expires_in"] = "0"


@fault("SAVE-12", says="changes nothing")
class AddsASlashEachTime(RightStore):
    """Completes the redirect URL of a row without a user with a slash, on every update."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        if row["redirect_url"] and not row["user_name"]:
            row["redirect_url"] += "/"


# SAVE-13: what an update replaces and keeps


@fault("SAVE-13", "SAVE-11", says="the others kept")
class ReplacesWholeRows(RightStore):
    """An update replaces the whole row, so that a renewal loses the refresh token."""

    def update(self, row: Fields, sent: Fields) -> None:
        row.update(sent, id=row["id"])


@fault("SAVE-13", "SAVE-6", says="the others kept")
class KeepsTheFirstRefreshToken(RightStore):
    """Never replaces a refresh token."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "refresh_token": row["refresh_token"] or sent["refresh_token"]})


@fault("SAVE-13", says="the others kept")
class KeepsTheFirstClient(RightStore):
    """Never replaces the client of a row."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "client_id": row["client_id"], "client_secret": row["client_secret"]})


@fault("SAVE-13", "SAVE-11", says="the others kept")
class ForgetsTheGrantTokenOnceUsed(RightStore):
    """Drops the grant token as soon as an access token comes."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        if sent["access_token"] and not sent["grant_token"]:
            row["grant_token"] = None


# SAVE-14 and SAVE-15: a name learned later


@fault("SAVE-14", says="save_token stores the token")
class RefusesNamesLearnedLater(RightStore):
    """Inserts under the id that is there already: a duplicate key."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_save(rows, sent)
        if row is not None and sent["user_name"] and not row["user_name"]:
            raise refusal("duplicate entry for the primary key")
        return row


@fault("SAVE-14", says="now under the name")
class AppendsNamesLearnedLater(RightStore):
    """Saves a token whose name was learned later as another row."""

    def unnamed(self, row: Fields | None) -> Fields | None:
        return None


@fault("SAVE-14", says="now under the name")
class LearnsTheNameAlone(RightStore):
    """Takes the name, and leaves the renewed access token out."""

    def update(self, row: Fields, sent: Fields) -> None:
        if sent["user_name"] and not row["user_name"]:
            row["user_name"] = sent["user_name"]
        else:
            super().update(row, sent)


@fault("SAVE-14", says="now under the name")
class IndexesTheFirstName(RightStore):
    """Goes by the name that a row was inserted with, for ever."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        row["index"] = row["user_name"]
        return row

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return first(row for row in rows if row["index"] == sent["user_name"])


@fault("SAVE-14", says="exactly one row of")
class NamesTwoRowsAlike(RightStore):
    """Gives a row the name that was learned though another row has it."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.unnamed(self.by_id(rows, sent["id"])) or super().by_user(rows, sent)


@fault("SAVE-15", says="now under the name")
class LearnsNamesByIdAlone(RightStore):
    """A token with a name and no id is another row, whichever credentials it shares."""

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@fault("SAVE-15", says="now under the name")
class LearnsNamesByGrantTokenAlone(RightStore):
    """Knows an unnamed row by its grant token, but not by its refresh token."""

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().learned(rows, {**sent, "refresh_token": None})


@fault("SAVE-15", says="now under the name")
class LearnsNamesOfFreshCodesAlone(RightStore):
    """Knows an unnamed row by its credentials as long as it has no access token."""

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().learned([row for row in rows if not row["access_token"]], sent)


# SAVE-16: no credential and no row


class Lending(RightStore):
    """The common part of those that take something else for the credential that a token lacks."""

    def lent(self, state: Any, sent: Fields) -> str | None:
        raise NotImplementedError

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, {**sent, "access_token": sent["access_token"] or self.lent(state, sent)})
        row["access_token"] = sent["access_token"]
        return row


@fault("SAVE-16", says="raises SDKException")
class StoresWhatHasNoCredential(Lending):
    """Stores a name or an id without any credential."""

    def lent(self, state: Any, sent: Fields) -> str | None:
        return "lent"


@fault("SAVE-16", says="raises SDKException")
class TakesTheClientForACredential(Lending):
    """Stores a name that comes with client credentials alone."""

    def lent(self, state: Any, sent: Fields) -> str | None:
        secret: str | None = sent["client_secret"]
        return secret


@fault("SAVE-16", "SAVE-11", says="raises SDKException")
class DropsWhatItCannotStore(RightStore):
    """Says that it saved what it does not store."""

    def save_token(self, token: Any) -> None:
        try:
            super().save_token(token)
        except SDKException:
            return


@fault("SAVE-16", "SAVE-11", says="exactly as they were")
class RefusesHalfWay(RightStore):
    """Refuses a token without a credential after it made room for it."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        try:
            return super().insert(state, sent)
        except SDKException:
            del state["rows"][10:], state["rows"][:1]
            self.write(state)
            raise


# SAVE-17: the passed token


@fault("SAVE-17", says="the passed token keeps its grant_token")
class TakesTheGrantTokenAway(RightStore):
    """Empties the grant token of what was passed, as it is used up."""

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        token.set_grant_token(None)


@fault("SAVE-17", says="the passed token keeps its")
class HandsBackTheOldRow(RightStore):
    """Fills the passed token with what the row was before the update."""

    def save_token(self, token: Any) -> None:
        old = self.match_to_save(self.read()["rows"], self.fields_of(token))
        super().save_token(token)
        if old is not None and old["refresh_token"]:
            token.set_refresh_token(old["refresh_token"])


@fault("SAVE-17", "SAVE-12", says="the passed token keeps its api_domain")
class CutsTheDomainOfThePassedToken(RightStore):
    """Stores the whole API domain, and leaves the host alone in what was passed."""

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        token.set_api_domain("/".join((row["api_domain"] or "").split("/")[:3]) or None)


# SAVE-18: the row is a copy


class _Sharing(RightStore):
    """Rows read as the tokens that `shares` kept say; nothing is shared here."""

    def __init__(self, location: Path) -> None:
        self.shared: dict[str, Any] = {}
        super().__init__(location)

    def read(self) -> Any:
        state = super().read()
        for row in state["rows"]:
            if row["id"] in self.shared:
                self.overlay(row, self.shared[row["id"]])
        return state

    def overlay(self, row: Fields, shared: Any) -> None:
        row.update(self.fields_of(shared))


@fault("SAVE-18", "SAVE-11", says="changing the passed token changes nothing")
class KeepsThePassedToken(_Sharing):
    """Keeps the very token that was passed."""

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.shared[row["id"]] = token


@fault("SAVE-18", "SAVE-13", says="changing the passed token changes nothing")
class KeepsTheTokenOfAnUpdate(_Sharing):
    """Copies what it inserts, and keeps the very token that updates a row."""

    def saved(self, token: Any, row: Fields) -> None:
        if token.get_id() is None and row["id"] in self.known:
            self.shared[row["id"]] = token
        self.known.add(row["id"])
        super().saved(token, row)

    def __init__(self, location: Path) -> None:
        self.known: set[str] = set()
        super().__init__(location)


@fault("SAVE-18", says="changing the passed token changes nothing")
class KeepsThePassedSignature(_Sharing):
    """Keeps the very UserSignature of the token that was passed."""

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        if token.get_user_signature() is not None:
            self.shared[row["id"]] = token.get_user_signature()

    def overlay(self, row: Fields, shared: Any) -> None:
        row["user_name"] = shared.get_name()


@fault("SAVE-18", says="changing the passed token changes nothing")
class AnswersByIdWithThePassedToken(RightStore):
    """Keeps what was passed in a cache that answers by id."""

    def __init__(self, location: Path) -> None:
        self.cache: dict[str, Any] = {}
        super().__init__(location)

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        self.cache[row["id"]] = token

    def find_token_by_id(self, id: Any) -> Any:
        return self.cache.get(id) or super().find_token_by_id(id)


# SAVE-19: what is no token


@fault("SAVE-19", says="ignored or refused with SDKException")
class StumblesOverWhatIsNoToken(RightStore):
    """Ends in an AttributeError where the argument is no token."""

    def not_a_token(self, thing: Any) -> None:
        thing.get_user_signature()


@fault("SAVE-19", says="changes nothing")
class StoresMappings(RightStore):
    """Stores a mapping as if it were a token."""

    def not_a_token(self, thing: Any) -> None:
        if isinstance(thing, dict):
            with self.changing() as state:
                row = dict.fromkeys(("id", "user_name", *OTHERS)) | thing
                self.insert(state, row | {"access_token": "mapped"})


@fault("SAVE-19", says="changes nothing")
class ForgetsTheLastRowForNone(RightStore):
    """Takes None for the wish to forget the last row."""

    def not_a_token(self, thing: Any) -> None:
        if thing is None:
            with self.changing() as state:
                state["rows"].pop()


@fault("SAVE-19", says="changes nothing")
class StoresLookalikes(RightStore):
    """Stores whatever has the getters of a token."""

    def not_a_token(self, thing: Any) -> None:
        if hasattr(thing, "get_access_token") and not isinstance(thing, type):
            with self.changing() as state:
                row = {name: getattr(thing, f"get_{name}")() for name in OTHERS if name != "user_name"}
                self.insert(state, {**row, "id": None, "user_name": thing.get_user_signature().get_name()})


# SAVE-20: an access token with client credentials


def _access_with_client(sent: Fields) -> bool:
    return bool(
        sent["client_id"]
        and sent["access_token"]
        and not any(sent[name] for name in ("user_name", "grant_token", "refresh_token"))
    )


@fault("SAVE-20", says="save_token stores the token")
class RefusesAccessTokensWithClient(RightStore):
    """An access token with client credentials is an error in its query."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if _access_with_client(sent):
            raise refusal("syntax error at the end of the query")
        return super().insert(state, sent)


@fault("SAVE-20", says="one new row for")
class DropsAccessTokensWithClient(RightStore):
    """Says that it saved an access token with client credentials, and does not."""

    def save_token(self, token: Any) -> None:
        if not _access_with_client(self.fields_of(token)):
            super().save_token(token)


@fault("SAVE-20", "SAVE-1", says="one new row for")
class OneRowForAClientsAccessTokens(RightStore):
    """Updates some row of the same client with the access token."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if _access_with_client(sent):
            return first(row for row in rows if self.same_client(row, sent))
        return super().match_to_save(rows, sent)


@fault("SAVE-20", says="the row of the saved token with")
class TakesTheClientFromAccessTokens(RightStore):
    """Stores an access token without the client that it came with."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        if _access_with_client(sent):
            row["client_secret"] = None
        return row


# SAVE-21: the id after an update


@fault("SAVE-21", says="the passed token carries the id")
class ForgetsTheIdAfterUpdates(RightStore):
    """Sets the id on inserted tokens alone."""

    inserted = False

    def insert(self, state: Any, sent: Fields) -> Fields:
        self.inserted = True
        return super().insert(state, sent)

    def saved(self, token: Any, row: Fields) -> None:
        if self.inserted:
            super().saved(token, row)
        self.inserted = False


@fault("SAVE-21", says="the passed token carries the id")
class SetsTheLastInsertedId(RightStore):
    """Sets the id of the row that was inserted last, whichever was updated."""

    def saved(self, token: Any, row: Fields) -> None:
        token.set_id(self.read()["rows"][-1]["id"])


@fault("SAVE-21", says="the passed token carries the id")
class ForgetsTheIdOfNobodysRows(RightStore):
    """Does not set the id of an updated row without a user."""

    def __init__(self, location: Path) -> None:
        self.known: set[str] = set()
        super().__init__(location)

    def saved(self, token: Any, row: Fields) -> None:
        if row["user_name"] or row["id"] not in self.known:
            super().saved(token, row)
        self.known.add(row["id"])


@fault("SAVE-3", says="OverflowError")
class TakesIdsForNumbersWithAPoint(RightStore):
    """The next id is the highest so far and one more, and what `float` reads is a number."""

    def next_id(self, state: Any) -> str:
        highest = 0.0
        for id in state["used"]:
            with contextlib.suppress(ValueError):
                highest = max(highest, float(id))
        state["last"] = max(state["last"], int(highest))
        return super().next_id(state)


@fault("SAVE-17", says="also where it is refused")
class EmptiesARefusedToken(RightStore):
    """Takes the client secret off a token that it refuses."""

    def save_token(self, token: Any) -> None:
        try:
            super().save_token(token)
        except SDKException:
            token.set_client_secret(None)
            raise


@fault("SAVE-21", says="carries the id of its row")
class LeavesTheIdOutWhenItLearnsTheUser(RightStore):
    """Gives no id to a token whose user is known only now, where it finds the row by what they share."""

    has_learned = False

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().learned(rows, sent)
        self.has_learned = row is not None
        return row

    def saved(self, token: Any, row: Fields) -> None:
        if not self.has_learned:
            super().saved(token, row)
        self.has_learned = False


@fault("SAVE-21", says="after update 2")
class LeavesTheIdOutAfterTheSecondUpdate(RightStore):
    """Gives the id to the token of the first update of a row without a user, and to none after that."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        row["updates"] = row.get("updates", 0) + 1

    def saved(self, token: Any, row: Fields) -> None:
        if row["user_name"] or row.get("updates", 0) < 2:
            super().saved(token, row)


@fault("SAVE-13", says="its fields replaced and the others kept")
class ForgetsTheDomainThatCameWithAGrantToken(RightStore):
    """Updates a row that a grant token found without its API domain."""

    def update(self, row: Fields, sent: Fields) -> None:
        by_grant = not sent["user_name"] and sent["grant_token"]
        super().update(row, {**sent, "api_domain": None} if by_grant else sent)


@fault("SAVE-13", says="and all else as it was")
class StartsARowOverWhenItTakesAName(RightStore):
    """Replaces the whole row where a token without a user comes back with one."""

    def update(self, row: Fields, sent: Fields) -> None:
        if sent["user_name"] and not row["user_name"]:
            row.update({name: sent[name] for name in OTHERS})
        super().update(row, sent)


@fault("SAVE-10", says="another client's")
class ComparesClientsWithoutCase(RightStore):
    """Takes client ids for equal that differ in case."""

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return super().same_client(
            {**row, "client_id": (row["client_id"] or "").lower()},
            {**sent, "client_id": (sent["client_id"] or "").lower()},
        )


@fault("SAVE-3", says="every row still reads")
class SortsIdsAsNumbers(RightStore):
    """Lists its rows by their numbers, and fails on an id that is none."""

    def get_tokens(self) -> list[Any]:
        rows = sorted(self.read()["rows"], key=lambda row: int(row["id"]))
        return [self.new_token(row) for row in rows]


@fault("SAVE-3", says="one new row")
class NamesFilesAfterIds(RightStore):
    """Lists no row whose id begins with a dot, as `glob` lists no such file."""

    def get_tokens(self) -> list[Any]:
        return [token for token in super().get_tokens() if not str(token.get_id()).startswith(".")]


@fault("SAVE-1", says="one new row for")
class ComparesEmptyTexts(RightStore):
    """Keeps an empty grant token as it is, so that two tokens of one client have the same."""

    def fields_of(self, token: Any) -> Fields:
        return {**super().fields_of(token), "grant_token": token.get_grant_token()}

    def same_token(self, stored: str | None, sent: str | None) -> bool:
        return sent is not None and stored == sent


@fault("SAVE-3", says="the new row has the id")
class ReplacesTheIdsOfNobody(RightStore):
    """Keeps the id that a user's token brings, and gives a token without a user one of its own making."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        new = not sent["user_name"] and any(sent[name] for name in CREDENTIALS)
        return super().insert(state, {**sent, "id": None} if new else sent)


@fault("SAVE-4", says="updated in place")
class WantsAClientOfAKnownUser(RightStore):
    """Takes a user for a new one where the token brings no client."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_save(rows, sent)
        return None if sent["user_name"] and not sent["id"] and not sent["client_id"] else row


@fault("SAVE-4", says="updated in place")
class LooksForTheIdBeforeTheName(RightStore):
    """Takes an id for that of a row without a user, and the user of any other row for a new one."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["id"] and sent["client_id"] else super().by_user(rows, sent)


@fault("SAVE-5", says="only the row of the named user")
class AccessTokenOutranksAKnownName(RightStore):
    """Looks for the access token of a known user's token, if it comes without a client, before the name."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_user(rows, sent)
        return row and (self.by_access(rows, sent) or row)


@fault("SAVE-6", says="updated in place")
class IndexesAUsersAccessTokenLate(RightStore):
    """Knows the access token of a user's row once it was renewed, and not the one that came first."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        row["indexed"] = True

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_access([row for row in rows if not row["user_name"] or "indexed" in row], sent)


@fault("SAVE-7", says="updated in place")
class WantsARefreshTokenBesideTheGrantToken(RightStore):
    """Looks for a grant token only where the refresh token that was issued for it comes along."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_grant(rows, sent) if sent["refresh_token"] else None


@fault("SAVE-12", "SAVE-4", "SAVE-7", "SAVE-8", says="an equal token again changes nothing")
class ReplacesRowsOfTokensWithoutId(RightStore):
    """Writes a row anew, under another id, where its token comes without the id."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        if not sent["id"]:
            row["id"] = f"{row['id']}1"


@fault("SAVE-13", says="its fields replaced and the others kept")
class WantsAnAccessTokenForAUsersUpdate(RightStore):
    """Updates a user's row only where a new access token comes."""

    def update(self, row: Fields, sent: Fields) -> None:
        if not (row["user_name"] and sent["user_name"]) or sent["access_token"]:
            super().update(row, sent)


@fault("SAVE-13", says="its fields replaced and the others kept")
class KeepsTheClientOfARow(RightStore):
    """Never replaces a whole client by another."""

    def update(self, row: Fields, sent: Fields) -> None:
        whole = sent["client_id"] and sent["client_secret"] and row["client_id"] and row["client_secret"]
        super().update(row, {**sent, "client_id": None, "client_secret": None} if whole else sent)


@fault("SAVE-16", says="raises SDKException")
class FallsBackToTheClient(RightStore):
    """Saves a token without a credential into the first row of its client."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_save(rows, sent)
        if row is None and not any(sent[name] for name in CREDENTIALS):
            return first(row for row in rows if self.same_client(row, sent))
        return row


@fault("SAVE-16", says="raises SDKException")
class StoresAnyFirstToken(Lending):
    """Looks whether a token has a credential where there are rows to compare it with."""

    def lent(self, state: Any, sent: Fields) -> str | None:
        return None if state["rows"] else "lent"


@fault("SAVE-21", says="carries the id of its row")
class LeavesTheIdOutWhereNoCredentialCame(RightStore):
    """Gives no id to a token that brings a user's row no credential."""

    def saved(self, token: Any, row: Fields) -> None:
        if any(getattr(token, f"get_{name}")() for name in CREDENTIALS):
            super().saved(token, row)


@fault("SAVE-21", says="carries the id of its row")
class LeavesTheIdOutWhereNothingChanged(RightStore):
    """Gives no id to a token that changes nothing in its row."""

    changed = True

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_save(rows, sent)
        self.changed = row is None or any(sent[name] not in (None, row[name]) for name in OTHERS)
        return row

    def saved(self, token: Any, row: Fields) -> None:
        if self.changed:
            super().saved(token, row)


@fault("SAVE-13", says="its fields replaced and the others kept")
class KeepsTheSecretOfTheSameClient(RightStore):
    """Takes the secret of a client for one that never changes."""

    def update(self, row: Fields, sent: Fields) -> None:
        same = sent["client_id"] and row["client_id"] == sent["client_id"]
        super().update(row, {**sent, "client_secret": None} if same else sent)


@fault("SAVE-19", says="changes nothing")
class StoresEveryKindOfToken(RightStore):
    """Stores whatever is a token of the SDK."""

    def not_a_token(self, thing: Any) -> None:
        if isinstance(thing, Token):
            with self.changing() as state:
                self.insert(state, dict.fromkeys(("id", "user_name", *OTHERS)) | {"access_token": "other"})
