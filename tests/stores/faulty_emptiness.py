"""Stores with one mistake about texts that are empty."""

from __future__ import annotations

from typing import Any

from .catalogue import correct, fault
from .faulty_saving import Lending
from .right import OTHERS, Fields, RightStore, first, refusal


@fault("VALUE-10", says="its fields replaced and the others kept")
class TakesAnEmptyClientForOne(RightStore):
    """Takes a client id of "" for a client, and does not look for the access token."""

    def fields_of(self, token: Any) -> Fields:
        fields = super().fields_of(token)
        self.client = token.get_client_id()
        return fields

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_access(rows, sent) if self.client is None else None


@fault("VALUE-10", says="the others kept")
class EmptyTextsErase(RightStore):
    """A field of "" erases the stored one."""

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        with self.changing() as state:
            row = self.by_id(state["rows"], token.get_id())
            for name in OTHERS if row is not None else ():
                if getattr(token, f"get_{name}")() == "":
                    row[name] = None  # type: ignore[index]


@fault("VALUE-10", says="no credential came")
class TakesEmptyTextForACredential(Lending):
    """Stores a token whose credentials are "", as they are not None."""

    def fields_of(self, token: Any) -> Fields:
        self.blank = token.get_refresh_token() == ""
        return super().fields_of(token)

    def lent(self, state: Any, sent: Fields) -> str | None:
        return "lent" if self.blank else None


class SeesEmptyGrantTokens(RightStore):
    """The common part of those in which a grant token of "" is not as good as none."""

    def fields_of(self, token: Any) -> Fields:
        self.grant = token.get_grant_token()
        return super().fields_of(token)


@fault("VALUE-10", says="the others kept")
class TakesAnEmptyGrantTokenForOne(SeesEmptyGrantTokens):
    """Takes a grant token of "" for one, and does not look for the refresh token."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_refresh(rows, sent) if self.grant != "" else None


@fault("SAVE-1", "VALUE-10", says="one new row")
class LooksForTheEmptyGrantToken(SeesEmptyGrantTokens):
    """Takes a grant token of "" for that of its client's first row without a user and a grant token."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if self.grant != "":
            return super().by_grant(rows, sent)
        unnamed = [row for row in rows if not row["user_name"] and not row["grant_token"]]
        return first(row for row in unnamed if self.same_client(row, sent))


class EmptyTextsHide(RightStore):
    """The common part of those that look for a token that is empty, and for no other."""

    empty = hidden = ""

    def find_token(self, token: Any) -> Any:
        sent = self.fields_of(token)
        if getattr(token, f"get_{self.empty}")() == "" and sent[self.hidden] and not sent["user_name"]:
            return self.missed(token)
        return super().find_token(token)


@fault("VALUE-10", says="it returned None")
class AnEmptyRefreshTokenHidesTheGrantToken(EmptyTextsHide):
    """Looks for the refresh token where the token has one, though it be empty."""

    empty, hidden = "refresh_token", "grant_token"


@fault("VALUE-10", says="it returned None")
class AnEmptyGrantTokenHidesTheRefreshToken(EmptyTextsHide):
    """Looks for the grant token where the token has one, though it be empty."""

    empty, hidden = "grant_token", "refresh_token"


@fault("VALUE-10", says="the returned token with")
class KeepsEmptyTextsOfTheArgument(RightStore):
    """Takes a field of "" for one that the argument has."""

    def found(self, token: Any, row: Fields) -> Any:
        blank = [name for name in OTHERS if getattr(token, f"get_{name}")() == ""]
        super().found(token, row)
        for name in blank:
            getattr(token, f"set_{name}")("")
        return token


@fault("VALUE-10", says="nobody's id")
class TakesAnEmptyTextForAll(RightStore):
    """Deletes everything when the id is an empty text."""

    def remove(self, state: Any, id: Any) -> None:
        if id == "":
            state["rows"].clear()
        super().remove(state, id)


@fault("VALUE-10", says="comes back as None")
class KeepsEmptyTexts(RightStore):
    """Keeps the empty text that a token had in its redirect URL."""

    def fields_of(self, token: Any) -> Fields:
        return {**super().fields_of(token), "redirect_url": token.get_redirect_url()}


@fault("VALUE-10", says="a non-empty str")
class KeepsAnEmptyId(RightStore):
    """Inserts a row under the empty id that its token brought."""

    def fields_of(self, token: Any) -> Fields:
        self.brings_an_empty_id = token.get_id() == ""
        return super().fields_of(token)

    def next_id(self, state: Any) -> str:
        return "" if self.brings_an_empty_id else super().next_id(state)


@correct()
class RefusesToLookForAnEmptyId(RightStore):
    """Refuses an empty id as it refuses one that is no text."""

    def find_token_by_id(self, id: Any) -> Any:
        if not id:
            raise refusal("no id to look for")
        return super().find_token_by_id(id)

    def delete_token(self, id: Any) -> None:
        if not id:
            raise refusal("no id to delete")
        super().delete_token(id)
