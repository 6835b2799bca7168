"""Stores that double tokens without a key, lose long ids, tidy the passed token, or count odd digits."""

from __future__ import annotations

from typing import Any

from .catalogue import correct, fault
from .right import OTHERS, Fields, refusal
from .unusual import InMemory

# The same token again, where its id is its only address


@fault("SAVE-12", says="again changes nothing", persistent=False)
class DoublesWhatHasNoKey(InMemory):
    """Gives a new id to a token that no key addresses, also where its id is that of its own row."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_id_to_save(rows, sent)
        return None if sent["client_id"] and sent["client_secret"] and sent["access_token"] else row

    def id_is_taken(self, row: Fields) -> None:
        row["id"] = None


@fault("SAVE-12", says="again changes nothing", persistent=False)
class DoublesRefreshTokensWithoutAClient(InMemory):
    """Looks for no id where a refresh token comes without its client."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_id_to_save(rows, sent)
        return None if sent["refresh_token"] and not sent["client_id"] else row

    def id_is_taken(self, row: Fields) -> None:
        row["id"] = None


@fault("SAVE-12", says="is another user's", persistent=False)
class RefusesItsOwnTokenAgain(InMemory):
    """Takes the id of a grant token without a client for another user's."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_id_to_save(rows, sent)
        return None if sent["grant_token"] and not sent["client_id"] else row


@fault("SAVE-12", says="again changes nothing", persistent=False)
class DoublesTokensWithHalfAClient(InMemory):
    """Looks for no id where an access token comes with a client id alone."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_id_to_save(rows, sent)
        return None if sent["client_id"] and not sent["client_secret"] else row

    def id_is_taken(self, row: Fields) -> None:
        row["id"] = None


# Ids of more than ten characters


class Shortens(InMemory):
    """The common part of those that keep a long id whole, and look for its beginning."""

    width = 10

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id[: self.width] if isinstance(id, str) else id)


@fault("SAVE-3", says="find_token_by_id('11xxxxxxxxy') finds", persistent=False)
class LooksForTenCharacters(Shortens):
    """Takes ids of any length, and looks for ten characters."""


@fault("SAVE-3", says="find_token_by_id('65xxx", persistent=False)
class LooksForSixtyFourCharacters(Shortens):
    """Takes ids of any length, and looks for 64 characters."""

    width = 64


@fault("SAVE-3", says="37 characters removes the row", persistent=False)
class DeletesThirtySixCharacters(InMemory):
    """Takes ids of any length, and deletes what has the first 36 characters for an id."""

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id[:36] if isinstance(id, str) else id)


@fault("SAVE-3", says="the new row has the id", persistent=False)
class CutsLongIds(InMemory):
    """Cuts ids that tokens bring at 32 characters, without a word."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(state, {**sent, "id": sent["id"] and sent["id"][:32]})


@correct(persistent=False)
class RefusesLongIds(InMemory):
    """Refuses ids of more than 36 characters, and keeps the others."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["id"] and len(sent["id"]) > 36:
            raise refusal("the id is too long")
        return super().insert(state, sent)


# The passed token


class Tidies(InMemory):
    """The common part of those that store what they got, and tidy the token that was passed."""

    def tidy(self, sent: Fields) -> Fields:
        raise NotImplementedError

    def saved(self, token: Any, row: Fields) -> None:
        super().saved(token, row)
        own = self.fields_of(token)
        for name, value in self.tidy(own).items():
            if name in OTHERS and own[name] != value:
                getattr(token, f"set_{name}")(value)


@fault("SAVE-17", says="keeps its redirect_url", persistent=False)
class TakesALastSlashAway(Tidies):
    """Takes the last slash of the redirect URL out of the passed token."""

    def tidy(self, sent: Fields) -> Fields:
        return {"redirect_url": sent["redirect_url"] and sent["redirect_url"].rstrip("/")}


@fault("SAVE-17", says="keeps its refresh_token, ' a b '", persistent=False)
class StripsThePassedToken(Tidies):
    """Strips the credentials of the passed token."""

    def tidy(self, sent: Fields) -> Fields:
        return {name: sent[name] and sent[name].strip() for name in ("access_token", "refresh_token")}


@fault("SAVE-17", says="keeps its api_domain", persistent=False)
class LowersTheDomainOfThePassedToken(Tidies):
    """Writes the domain of the passed token in small letters."""

    def tidy(self, sent: Fields) -> Fields:
        return {"api_domain": sent["api_domain"] and sent["api_domain"].lower()}


@fault("SAVE-17", says="keeps its expires_in", persistent=False)
class CountsTheExpiryOfThePassedToken(Tidies):
    """Writes the expiry of the passed token as Python writes a number."""

    def tidy(self, sent: Fields) -> Fields:
        return {"expires_in": sent["expires_in"] and str(int(sent["expires_in"]))}


# Digits that are no numbers


@fault("BYID-2", says="raised ValueError", persistent=False)
class ReadsSuperscriptsAsNumbers(InMemory):
    """Looks a number up for an id of digits alone, whatever `int` says to them."""

    def find_token_by_id(self, id: Any) -> Any:
        if isinstance(id, str) and id.isdigit():
            int(id)
        return super().find_token_by_id(id)


@fault("BYID-2", says="raised ValueError", persistent=False)
class ReadsFractionsAsNumbers(InMemory):
    """Looks a number up for an id that `isnumeric` calls one."""

    def find_token_by_id(self, id: Any) -> Any:
        if isinstance(id, str) and id.isnumeric() and not id.isdigit():
            return super().find_token_by_id(str(int(id)))
        return super().find_token_by_id(id)


@fault("DEL-3", says="raised ValueError", persistent=False)
class DeletesSuperscriptsAsNumbers(InMemory):
    """Makes a number of an id of digits alone before it deletes."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str) and id.isdigit():
            int(id)
        super().remove(state, id)


@fault("DEL-3", says="raised ValueError", persistent=False)
class DeletesWhatPythonCanCount(InMemory):
    """Makes a number of an id of decimals, also where it has more of them than `int` reads."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str) and id.isdecimal():
            int(id)
        super().remove(state, id)


@fault("FIND-6", says="raised ValueError", persistent=False)
class FindsSuperscriptsAsNumbers(InMemory):
    """Makes a number of the id of a token that has nothing else."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["id"] and sent["id"].isdigit():
            int(sent["id"])
        return super().match_to_find(rows, sent)


@fault("SAVE-3", says="raised ValueError", persistent=False)
class SavesSuperscriptsAsNumbers(InMemory):
    """Counts on from the ids that tokens bring, circled digits among them."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["id"] and sent["id"].isdigit():
            state["last"] = max(state["last"], int(sent["id"]) % 1000)
        return super().insert(state, sent)


@correct(persistent=False)
class ReadsAsciiDigitsAsNumbers(InMemory):
    """Looks a number up for an id of ASCII digits that `str` would write in the same way."""

    def find_token_by_id(self, id: Any) -> Any:
        if isinstance(id, str) and id.isascii() and id.isdigit() and len(id) < 20 and str(int(id)) == id:
            return super().find_token_by_id(str(int(id)))
        return super().find_token_by_id(id)
