"""Stores with one mistake in ``find_token``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

from .catalogue import correct, fault
from .right import CREDENTIALS, OTHERS, Fields, RightStore, first, refusal

# FIND-1 to FIND-4: by key


@fault("FIND-1", "FIND-2", "FIND-3", "FIND-4", "FIND-5", says="it returned None")
class FindsNothing(RightStore):
    """Never returns a token."""

    def find_token(self, token: Any) -> Any:
        super().find_token(token)


@fault("FIND-1", says="it returned None")
class WantsTheNameAlone(RightStore):
    """Finds a user where the token has nothing but the name."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["user_name"] and any(sent[name] for name in CREDENTIALS):
            return None
        return super().match_to_find(rows, sent)


@fault("FIND-1", says="find_token finds")
class TokensOutrankTheName(RightStore):
    """Looks for the refresh token first, whoever is named."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_refresh(rows, sent) or super().match_to_find(rows, sent)


@fault("FIND-1", says="find_token finds")
class TheNewestUserWins(RightStore):
    """Of the rows that share a grant token with the named user's, finds the last one."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is None or not sent["user_name"] or not row["grant_token"]:
            return row
        return first(other for other in reversed(rows) if other["grant_token"] == row["grant_token"])


@fault("FIND-1", says="it returned None")
class TakesANameAloneForNothing(RightStore):
    """Returns at once where no field of the token is set, and does not count the user among them."""

    def find_token(self, token: Any) -> Any:
        if all(getattr(token, f"get_{name}")() is None for name in ("id", *OTHERS)):
            return None
        return super().find_token(token)


@fault("FIND-1", says="it returned None")
class TheIdHidesTheName(RightStore):
    """Looks for the id alone where a named token has one, and takes rows without a user alone."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["user_name"] and sent["id"]:
            return self.unnamed(self.by_id(rows, sent["id"]))
        return super().match_to_find(rows, sent)


@fault("FIND-2", says="it returned None")
class WantsTheAccessTokenAlone(RightStore):
    """Finds an access token where the token has nothing else."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        beside = any(sent[name] for name in ("refresh_token", "redirect_url"))
        if sent["access_token"] and not sent["client_id"] and not sent["user_name"] and beside:
            return None
        return super().match_to_find(rows, sent)


@fault("FIND-3", "FIND-1", says="it returned None")
class WantsTheSameRedirectUrl(RightStore):
    """Finds a grant token under the redirect URL that it was stored with alone."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["grant_token"] and sent["redirect_url"]:
            rows = [row for row in rows if row["redirect_url"] == sent["redirect_url"]]
        return super().match_to_find(rows, sent)


@fault("FIND-3", says="it returned None")
class UsedGrantTokensAreGone(RightStore):
    """Does not find a grant token whose row has an access token."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["grant_token"] and not sent["user_name"]:
            rows = [row for row in rows if not row["access_token"]]
        return super().match_to_find(rows, sent)


@fault("FIND-4", "FIND-3", says="it returned None")
class KnowsRefreshTokensWithAccessTokenAlone(RightStore):
    """Does not find a refresh token whose row has no access token yet."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["refresh_token"] and not sent["user_name"]:
            rows = [row for row in rows if row["access_token"]]
        return super().match_to_find(rows, sent)


# FIND-5: by id


@fault("FIND-5", says="it returned None")
class FindsNoIdAlone(RightStore):
    """Does not look at the id."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows, {**sent, "id": None})


@fault("FIND-5", "FIND-7", says="find_token returns")
class FindsTheFirstRowWithoutCondition(RightStore):
    """Finds the first row where its query has no condition: for an id alone, or an empty name."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if not any(sent[name] for name in ("user_name", "grant_token", "refresh_token")) and (
            sent["client_id"] or not sent["access_token"]
        ):
            return rows[0] if rows else None
        return super().match_to_find(rows, sent)


@fault("FIND-5", says="the passed token itself is filled in")
class CopiesForAnId(RightStore):
    """Answers an id alone with a new token, and leaves the passed one as it is."""

    def found(self, token: Any, row: Fields) -> Any:
        if not any(value for name, value in self.fields_of(token).items() if name != "id"):
            return self.new_token(row)
        return super().found(token, row)


@fault("FIND-5", says="it returned None")
class FillsForAnIdAndReturnsNone(RightStore):
    """Fills the passed token in for an id alone, and returns nothing."""

    def found(self, token: Any, row: Fields) -> Any:
        alone = not any(value for name, value in self.fields_of(token).items() if name != "id")
        super().found(token, row)
        return None if alone else token


@fault("FIND-5", says="it returned None")
class FindsNumericIdsAlone(RightStore):
    """Looks for an id where it is a number."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if not (sent["id"] or "").isdecimal():
            sent = {**sent, "id": None}
        return super().match_to_find(rows, sent)


def _has_nothing_but(*names: str, token: Any) -> bool:
    """Whether all other fields of a token are None, which an empty text is not."""
    fields = {name: getattr(token, f"get_{name}")() for name in ("id", "user_signature", *OTHERS)}
    return all((value is not None) == (name in names) for name, value in fields.items())


@fault("FIND-5", says="it returned None")
class FindsUsersAloneForAnId(RightStore):
    """Looks for an id with nothing beside it in the table of users alone."""

    def find_token(self, token: Any) -> Any:
        if _has_nothing_but("id", token=token):
            rows = [row for row in self.read()["rows"] if row["user_name"]]
            row = self.by_id(rows, token.get_id())
            return self.missed(token) if row is None else self.found(token, row)
        return super().find_token(token)


# FIND-6: nothing matches


@fault("FIND-6", says="find_token returns a token or None")
class RaisesWhereNothingMatches(RightStore):
    """Raises where no row matches."""

    def missed(self, token: Any) -> Any:
        raise refusal("no such token")


@fault("FIND-6", says="find_token returns None for")
class ReturnsTheArgumentForAMiss(RightStore):
    """Returns what was passed where no row matches."""

    def missed(self, token: Any) -> Any:
        return token


@fault("FIND-6", says="find_token returns None for")
class AnswersFalseForAMiss(RightStore):
    """Returns False where no row matches."""

    def missed(self, token: Any) -> Any:
        return False


@fault("FIND-6", says="find_token returns a token or None")
class RaisesWhereNothingIsStored(RightStore):
    """Raises as long as the store is empty."""

    def missed(self, token: Any) -> Any:
        if not self.get_tokens():
            raise LookupError("the storage is empty")


@fault("FIND-6", says="find_token returns None for")
class FindsTheLastRowForUnknownIds(RightStore):
    """Finds the last row for an id that is not stored."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is None and rows and sent["id"] and not any(sent[name] for name in OTHERS):
            return None if sent["user_name"] else rows[-1]
        return row


@fault("FIND-6", says="find_token returns None for")
class FindsTheBeginningOfAToken(RightStore):
    """Finds a row whose access token begins with what was asked for."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["client_id"] or sent["client_secret"] or not sent["access_token"]:
            return None
        return first(row for row in rows if (row["access_token"] or "").startswith(sent["access_token"]))


@fault("FIND-6", says="find_token returns None for")
class FindsReplacedTokens(RightStore):
    """Goes on finding a row by an access token that was replaced."""

    def update(self, row: Fields, sent: Fields) -> None:
        row["old"] = [*row.get("old", ()), row["access_token"]]
        super().update(row, sent)

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is None and not sent["user_name"] and sent["access_token"]:
            return first(row for row in rows if sent["access_token"] in row.get("old", ()))
        return row


# FIND-7: neither key nor id


@fault("FIND-7", "VALUE-10", says="find_token returns None for")
class FindsNobodysRowForAnEmptyName(RightStore):
    """Finds a row without a user for an empty user name."""

    def find_token(self, token: Any) -> Any:
        signature = token.get_user_signature()
        if signature is not None and signature.get_name() == "":
            row = first(row for row in self.read()["rows"] if not row["user_name"])
            if row is not None:
                return self.found(token, row)
        return super().find_token(token)


@fault("FIND-7", "SAVE-1", says="find_token returns None for")
class FindsTheClientOfAnUnknownAccessToken(RightStore):
    """Finds the first row of the client for an unknown access token with client credentials."""

    def by_access_at_last(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_access_at_last(rows, sent)
        if row is None and sent["access_token"] and not sent["id"]:
            return first(row for row in rows if self.same_client(row, sent))
        return row


@fault("FIND-7", says="find_token returns None for")
class FindsTheOnlyRow(RightStore):
    """Finds the only row of the client where there is one, for a token without a credential."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        nothing = not any(sent[name] for name in ("id", "user_name", *CREDENTIALS))
        if nothing and len(rows) == 1 and self.same_client(rows[0], sent):
            return rows[0]
        return super().match_to_find(rows, sent)


@fault("FIND-7", says="find_token returns None for")
class TakesAnEmptyGrantTokenForAKey(RightStore):
    """Finds a row of the same client without a grant token for a grant token of ""."""

    def find_token(self, token: Any) -> Any:
        sent = self.fields_of(token)
        if token.get_grant_token() == "" and not any(sent[name] for name in ("user_name", *CREDENTIALS)):
            rows = [row for row in self.read()["rows"] if not row["grant_token"]]
            row = first(row for row in rows if not row["user_name"] and self.same_client(row, sent))
            if row is not None:
                return self.found(token, row)
        return super().find_token(token)


@fault("FIND-7", says="find_token returns None for")
class FindsTheClientsRedirectUrl(RightStore):
    """Finds the row with the redirect URL of the client where a token has no credential to look for."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is not None or any(sent[name] for name in ("id", "user_name", "grant_token", "refresh_token")):
            return row
        own = (row for row in rows if row["redirect_url"] and self.same_client(row, sent))
        return first(
            row for row in own if row["redirect_url"] and row["redirect_url"] == sent["redirect_url"]
        )


@fault("FIND-7", says="find_token returns None for")
class FindsAnyUserForAnEmptyName(RightStore):
    """Finds the first user where the token has nothing but a UserSignature with an empty name."""

    def find_token(self, token: Any) -> Any:
        if _has_nothing_but("user_signature", token=token) and not token.get_user_signature().get_name():
            row = first(row for row in self.read()["rows"] if row["user_name"])
            return self.missed(token) if row is None else self.found(token, row)
        return super().find_token(token)


# FIND-8: an unknown user


@fault("FIND-8", says="find_token returns None for")
class UnknownUsersFindTheirTokens(RightStore):
    """Looks for the tokens where the named user is not stored."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows, sent) or self.by_refresh(rows, sent)


@fault("FIND-8", says="find_token returns None for")
class UnknownUsersFindTheirAccessToken(RightStore):
    """Looks for the access token where the named user is not stored and nothing else is known."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows, sent) or self.by_access(rows, sent)


@fault("FIND-8", says="find_token returns None for")
class UnknownUsersFindTheirId(RightStore):
    """Looks for the id where the named user is not stored."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows, sent) or self.by_id(rows, sent["id"])


# FIND-9: what is returned is complete


class _Answering(RightStore):
    """Answers with another token than the one that was passed, which is filled in as well."""

    def found(self, token: Any, row: Fields) -> Any:
        sent = self.fields_of(token)
        super().found(token, row)
        return self.answer(sent, row)

    def answer(self, sent: Fields, row: Fields) -> Any:
        merged = {name: value or row[name] for name, value in sent.items()}
        return self.new_token({**merged, "id": row["id"]})


@fault("FIND-9", says="the returned token with")
class ReturnsIdAndAccessToken(_Answering):
    """Returns a token with the id and the access token alone."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        return OAuthToken(id=row["id"], access_token=row["access_token"])


@fault("FIND-9", says="the returned token with")
class ReturnsTheRowAlone(_Answering):
    """Returns the row, and drops what the argument had."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        return self.new_token(row)


@fault("FIND-9", says="the returned token with expires_in")
class ReturnsNoExpiry(_Answering):
    """Leaves the expiry out of what it returns."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        return super().answer(sent, {**row, "expires_in": None})


@fault("FIND-9", "FIND-10", "FIND-5", says="the returned token with user_name")
class ForgetsTheNameOfFoundTokens(RightStore):
    """Fills in every field but the user's name."""

    def found(self, token: Any, row: Fields) -> Any:
        signature = token.get_user_signature()
        super().found(token, row)
        token.set_user_signature(signature)
        return token


@fault("FIND-9", says="the returned token with")
class TheRowsAccessTokenWins(_Answering):
    """Returns the stored access token where the argument has another one."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        return super().answer({**sent, "access_token": row["access_token"]}, row)


@fault("FIND-9", says="the returned token with")
class ReturnsLittleForAnIdAlone(_Answering):
    """Fills the passed token in for an id alone, and returns one with the id and the access token."""

    def found(self, token: Any, row: Fields) -> Any:
        if _has_nothing_but("id", token=token):
            super().found(token, row)
            return OAuthToken(id=row["id"], access_token=row["access_token"])
        return super().found(token, row)


# FIND-10: the passed token is filled in


@fault("FIND-10", "FIND-5", says="the passed token with")
class LeavesThePassedTokenAlone(RightStore):
    """Returns a new token, and leaves the passed one as it is."""

    def found(self, token: Any, row: Fields) -> Any:
        merged = {name: sent or row[name] for name, sent in self.fields_of(token).items()}
        return self.new_token({**merged, "id": row["id"]})


@fault("FIND-10", "FIND-5", says="the passed token with")
class SetsTheIdAlone(RightStore):
    """Sets the id on the passed token, and fills in the one that it returns."""

    def found(self, token: Any, row: Fields) -> Any:
        merged = {name: sent or row[name] for name, sent in self.fields_of(token).items()}
        token.set_id(row["id"])
        return self.new_token({**merged, "id": row["id"]})


@fault("FIND-10", says="the passed token with")
class OverwritesThePassedToken(RightStore):
    """Puts the row over what the passed token had, and returns the two merged."""

    def found(self, token: Any, row: Fields) -> Any:
        merged = {name: sent or row[name] for name, sent in self.fields_of(token).items()}
        for name in OTHERS:
            getattr(token, f"set_{name}")(row[name])
        self.fill(token, row)
        return self.new_token({**merged, "id": row["id"]})


@fault("FIND-10", says="the passed token with")
class CopiesForANameAlone(RightStore):
    """Answers a name alone with a new token, and leaves the passed one as it is."""

    def found(self, token: Any, row: Fields) -> Any:
        if _has_nothing_but("user_signature", token=token):
            return self.new_token(row)
        return super().found(token, row)


# FIND-11: what is returned is detached


class _Remembering(RightStore):
    """Keeps tokens that it handed out, and reads rows as they say now."""

    def __init__(self, location: Path) -> None:
        self.shared: dict[str, Any] = {}
        super().__init__(location)

    def read(self) -> Any:
        state = super().read()
        for row in state["rows"]:
            if row["id"] in self.shared:
                row.update(self.fields_of(self.shared[row["id"]]))
        return state


@fault("FIND-11", "FIND-1", says="changes nothing stored")
class SharesWhatItReturns(_Remembering):
    """Keeps the very token that it returned."""

    def found(self, token: Any, row: Fields) -> Any:
        found = super().found(token, row)
        self.shared[row["id"]] = found
        return found


@fault("FIND-11", "FIND-1", says="changes nothing stored")
class SharesWhatItFilled(_Remembering):
    """Returns a copy, and keeps the very token that was passed."""

    def found(self, token: Any, row: Fields) -> Any:
        self.shared[row["id"]] = super().found(token, row)
        return self.new_token(row)


@fault("FIND-11", says="changes nothing stored")
class AnswersByIdWithWhatItFound(RightStore):
    """Keeps what it found in a cache that answers by id."""

    def __init__(self, location: Path) -> None:
        self.cache: dict[str, Any] = {}
        super().__init__(location)

    def found(self, token: Any, row: Fields) -> Any:
        self.cache[row["id"]] = super().found(token, row)
        return token

    def find_token_by_id(self, id: Any) -> Any:
        return self.cache.get(id) or super().find_token_by_id(id)


@fault("FIND-11", "BYID-4", "LIST-3", says="changes nothing stored")
class SharesSignatures(RightStore):
    """Hands out one UserSignature for each row, and reads the name from it."""

    def __init__(self, location: Path) -> None:
        self.signatures: dict[str, Any] = {}
        super().__init__(location)

    def fill(self, token: Any, row: Fields) -> None:
        super().fill(token, row)
        if row["user_name"]:
            signature = self.signatures.setdefault(row["id"], token.get_user_signature())
            token.set_user_signature(signature)

    def read(self) -> Any:
        state = super().read()
        for row in state["rows"]:
            if row["id"] in self.signatures:
                row["user_name"] = self.signatures[row["id"]].get_name()
        return state


# FIND-12: a miss


@fault("FIND-12", says="is left as it was")
class EmptiesTheTokenOfAMiss(RightStore):
    """Takes the id away from a token that it does not find."""

    def missed(self, token: Any) -> Any:
        token.set_id(None)


@fault("FIND-12", says="is left as it was")
class GivesANewUserAnId(RightStore):
    """Gives the token of an unknown user an id."""

    def missed(self, token: Any) -> Any:
        if token.get_user_signature() is not None:
            token.set_id("0")


@fault("FIND-12", says="is left as it was")
class FillsInTheClientOfAMiss(RightStore):
    """Fills in the redirect URL of a row of the same client where nothing matches."""

    def missed(self, token: Any) -> Any:
        row = first(row for row in self.read()["rows"] if self.same_client(row, self.fields_of(token)))
        if row is not None and not token.get_redirect_url():
            token.set_redirect_url(row["redirect_url"])


@fault("FIND-12", says="is left as it was")
class TakesAnEmptyNameAway(RightStore):
    """Takes an empty UserSignature away from a token that it does not find."""

    def missed(self, token: Any) -> Any:
        if not self.fields_of(token)["user_name"]:
            token.set_user_signature(None)


# FIND-13: a whole token


class _HalfBuilt(_Answering):
    """Builds tokens without their constructor; `lacks` names what is not set."""

    lacks: tuple[str, ...] = ()

    def answer(self, sent: Fields, row: Fields) -> Any:
        whole = super().answer(sent, row)
        token = object.__new__(OAuthToken)
        vars(token).update({name: value for name, value in vars(whole).items() if name not in self.lacks})
        return token


@fault("FIND-13", says="it has no _OAuthToken__find_user")
class BuildsTokensWithoutConstructor(_HalfBuilt):
    """Returns a token made with object.__new__, and its fields set."""

    lacks = ("_OAuthToken__find_user",)


@fault("FIND-13", says="is a bool")
class SetsFindUserToNone(_HalfBuilt):
    """Returns a token made with object.__new__, with None for what it does not know."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        token = super().answer(sent, row)
        token._OAuthToken__find_user = None
        return token


@fault("FIND-13", says="it has no _OAuthToken__find_user")
class BuildsHalfATokenForAnIdAlone(_HalfBuilt):
    """Returns a half-built token where it was asked for an id alone."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        token = super().answer(sent, row)
        if not any(value for name, value in sent.items() if name != "id"):
            del token._OAuthToken__find_user
        return token


@fault("FIND-13", says="it has no _OAuthToken__find_user")
class BuildsHalfATokenForTheUserOfAToken(_HalfBuilt):
    """Returns a half-built token where it came from a credential to a user, whom it looks up apart."""

    def answer(self, sent: Fields, row: Fields) -> Any:
        token = super().answer(sent, row)
        if row["user_name"] and not sent["user_name"] and any(sent[name] for name in CREDENTIALS):
            del token._OAuthToken__find_user
        return token


@fault("FIND-6", says="find_token returns None")
class FindsTheOnlyRowOfAClient(RightStore):
    """Falls back to the client's row where a refresh token is unknown and the client has one row."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is not None or sent["user_name"] or not sent["refresh_token"]:
            return row
        own = [row for row in rows if self.same_client(row, sent)]
        return own[0] if len(own) == 1 else None


@fault("FIND-6", says="find_token returns None")
class FindsByFormerRefreshTokens(RightStore):
    """Keeps the refresh tokens that a row had before, for finding alone."""

    def update(self, row: Fields, sent: Fields) -> None:
        if sent["refresh_token"] and row["refresh_token"]:
            row["former"] = [*row.get("former", ()), row["refresh_token"]]
        super().update(row, sent)

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is not None or sent["user_name"] or not sent["refresh_token"]:
            return row
        return next((row for row in rows if sent["refresh_token"] in row.get("former", ())), None)


@correct()
class KeepsTheIdThatWasAsked(RightStore):
    """Leaves an id that came with a user name on the token that it fills, as the SDK's own stores do."""

    def fill(self, token: Any, row: Fields) -> None:
        asked = token.get_id()
        super().fill(token, row)
        if asked and row["user_name"]:
            token.set_id(asked)


@fault("FIND-9", "FIND-10", says="redirect_url")
class OverwritesTheRedirectByAccessToken(RightStore):
    """Gives the row's redirect URL to a token that has one, where an access token found it."""

    def fill(self, token: Any, row: Fields) -> None:
        own = self.fields_of(token)
        super().fill(token, row)
        if own["access_token"] and not own["client_id"] and not own["user_name"] and row["redirect_url"]:
            token.set_redirect_url(row["redirect_url"])


@fault("FIND-9", "FIND-10", says="redirect_url")
class OverwritesTheRedirectByRefreshToken(RightStore):
    """Gives the row's redirect URL to a token that has one, where a refresh token found it."""

    def fill(self, token: Any, row: Fields) -> None:
        own = self.fields_of(token)
        super().fill(token, row)
        if own["refresh_token"] and not own["user_name"] and row["redirect_url"]:
            token.set_redirect_url(row["redirect_url"])
