"""Stores with one mistake in ``find_token_by_id``."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from pathlib import Path
from typing import Any

from .catalogue import fault
from .right import OTHERS, Fields, RightStore, refusal

# BYID-1: a stored id


@fault("BYID-1", says="it returned None")
class FindsNoId(RightStore):
    """Never finds an id."""

    def find_token_by_id(self, id: Any) -> Any:
        return None


@fault("BYID-1", says="a token with user_name")
class ForgetsTheNameById(RightStore):
    """Gives a token without its user."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is not None:
            token.set_user_signature(None)
        return token


@fault("BYID-1", says="a token with grant_token")
class ForgetsGrantTokensOfNobodyById(RightStore):
    """Leaves the grant token of a row without a user out."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is not None and token.get_user_signature() is None:
            token.set_grant_token(None)
        return token


@fault("BYID-1", says="it returned None")
class FindsNumbersAlone(RightStore):
    """Finds no id that is not a number."""

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) if str(id).isdecimal() else None


@fault("BYID-1", says="it returned None")
class FindsOneFigureAlone(RightStore):
    """Finds no id of two figures."""

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) if len(str(id)) != 2 else None


@fault("BYID-1", says="a token with access_token")
class AnswersFromTheInsertedRow(RightStore):
    """Keeps rows as they were inserted, and gives those by id."""

    def __init__(self, location: Path) -> None:
        self.inserted: dict[str, Fields] = {}
        super().__init__(location)

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        self.inserted[row["id"]] = dict(row)
        return row

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        return self.new_token(self.inserted[id]) if token is not None and id in self.inserted else token


# BYID-2: an unknown id


@fault("BYID-2", says="find_token_by_id returns a token or None")
class RaisesForUnknownIds(RightStore):
    """Raises for an id that is not stored."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is None:
            raise refusal("no token has this id")
        return token


@fault("BYID-2", "BYID-1", says="returns None")
class TheHeaderIsARow(RightStore):
    """Finds its own header line under the id "id"."""

    def find_token_by_id(self, id: Any) -> Any:
        if id == "id":
            return self.new_token({name: name for name in self.fields_of(self.new_token(_NOBODY))})
        return super().find_token_by_id(id)


_NOBODY: Fields = {**dict.fromkeys(("user_name", *OTHERS)), "id": "0"}


@fault("BYID-2", says="returns None")
class UnknownIdsFindAnEmptyToken(RightStore):
    """Gives a token with nothing but the id for one that is not stored."""

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) or self.new_token({**_NOBODY, "id": id})


@fault("BYID-2", says="returns None")
class CountsBackwards(RightStore):
    """Reads ids as places in its list, so that "-1" is the last row."""

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.read()["rows"]
        return self.new_token(rows[-1]) if id == "-1" and rows else super().find_token_by_id(id)


@fault("BYID-2", "BYID-1", says="find_token_by_id returns a token or None")
class ReadsIdsAsNumbers(RightStore):
    """Ends in a ValueError for an id that is no number."""

    def find_token_by_id(self, id: Any) -> Any:
        if str(id)[:1].isdecimal():
            int(id)
        return super().find_token_by_id(id)


@fault("BYID-2", "BYID-1", says="find_token_by_id returns a token or None")
class StumblesOverQuotes(RightStore):
    """An id with a quote is an error in its query."""

    def find_token_by_id(self, id: Any) -> Any:
        if "'" in id:
            raise refusal("syntax error near the quote")
        return super().find_token_by_id(id)


@fault("BYID-2", says="returns None")
class FindsUsersById(RightStore):
    """Finds a user where the id is the user's name."""

    def find_token_by_id(self, id: Any) -> Any:
        row = self.by_user(self.read()["rows"], {"user_name": id})
        return super().find_token_by_id(id) if row is None else self.new_token(row)


# BYID-3: whole, exact text


class _Comparing(RightStore):
    """Compares ids by `alike` when it is asked for a token by its id."""

    def find_token_by_id(self, id: Any) -> Any:
        for row in self.read()["rows"]:
            if row["id"] == id:
                return self.new_token(row)
        for row in self.read()["rows"]:
            if id and self.alike(row["id"], id):
                return self.new_token(row)
        return None

    def alike(self, stored: str, asked: str) -> bool:
        return stored == asked


@fault("BYID-3", "BYID-2", says="does not find the id")
class ComparesIdsAsNumbers(_Comparing):
    """Compares ids by their value where both are numbers."""

    def alike(self, stored: str, asked: str) -> bool:
        try:
            return float(stored) == float(asked)
        except ValueError:
            return False


@fault("BYID-3", "BYID-2", says="does not find the id")
class ReadsTheNumberAtTheBeginning(_Comparing):
    """Reads an id up to where its number ends, as some databases compare text and number."""

    def alike(self, stored: str, asked: str) -> bool:
        end = next((place for place, one in enumerate(asked) if not one.isdecimal()), len(asked))
        return stored == asked[:end]


@fault("BYID-3", says="does not find the id")
class FoldsTheCaseOfIds(_Comparing):
    """Compares ids without case."""

    def alike(self, stored: str, asked: str) -> bool:
        return stored.casefold() == asked.casefold()


@fault("BYID-3", "BYID-2", says="does not find the id")
class ReadsIdsAsPatterns(_Comparing):
    """Looks for ids with a wildcard search."""

    def alike(self, stored: str, asked: str) -> bool:
        return fnmatch.fnmatchcase(stored, asked.replace("%", "*").replace("_", "?"))


@fault("BYID-3", "BYID-2", says="does not find the id")
class StripsIds(_Comparing):
    """Strips the space around an id."""

    def alike(self, stored: str, asked: str) -> bool:
        return stored == asked.strip()


@fault("BYID-3", says="does not find the id")
class FindsTheBeginningOfAnId(_Comparing):
    """Finds the first row whose id begins with what was asked for."""

    def alike(self, stored: str, asked: str) -> bool:
        return stored.startswith(asked)


@fault("BYID-3", "BYID-2", says="does not find the id")
class NormalizesIds(_Comparing):
    """Takes wide figures for plain ones."""

    def alike(self, stored: str, asked: str) -> bool:
        return stored == unicodedata.normalize("NFKC", asked)


@fault("BYID-3", "BYID-2", says="does not find the id")
class PastesIdsIntoAQuery(_Comparing):
    """Pastes the id into its query, so that a condition in it holds for every row."""

    def alike(self, stored: str, asked: str) -> bool:
        return "or 1=1" in asked or "or '1'='1" in asked


@fault("BYID-3", says="a token with id")
class TheFirstNearIdWins(RightStore):
    """Finds the first row whose id is equal without case, though another is equal with it."""

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.read()["rows"]
        if self.by_id(rows, id) is None:
            return None
        return self.new_token(next(row for row in rows if row["id"].casefold() == id.casefold()))


# BYID-4: detached


@fault("BYID-4", says="changes nothing stored")
class HandsOutOneTokenForAnId(RightStore):
    """Gives the same object each time it is asked for an id, and lists it as well."""

    def __init__(self, location: Path) -> None:
        self.cache: dict[str, Any] = {}
        super().__init__(location)

    def find_token_by_id(self, id: Any) -> Any:
        if id not in self.cache:
            self.cache[id] = super().find_token_by_id(id)
        return self.cache[id]

    def get_tokens(self) -> list[Any]:
        return [self.cache.get(row["id"]) or self.new_token(row) for row in self.read()["rows"]]


@fault("BYID-4", says="changes nothing stored")
class CachesTokensById(RightStore):
    """Gives the same object each time it is asked for an id, and no other call knows of it."""

    def __init__(self, location: Path) -> None:
        self.cache: dict[str, Any] = {}
        super().__init__(location)

    def find_token_by_id(self, id: Any) -> Any:
        if id not in self.cache:
            self.cache[id] = super().find_token_by_id(id)
        return self.cache[id]


@fault("BYID-3", says="which no row has as its id")
class FindsRefreshTokensById(RightStore):
    """Takes a refresh token for the id of its row."""

    def by_id(self, rows: list[Fields], id: Any) -> Fields | None:
        return super().by_id(rows, id) or next(
            (row for row in rows if id and row["refresh_token"] == id and not row["user_name"]), None
        )


@fault("BYID-3", says="does not find the id")
class ReadsTheDigitsOfOtherScripts(RightStore):
    """Compares ids as numbers where they look like numbers, which other scripts have as well."""

    def same_id(self, stored: str, asked: Any) -> bool:
        if isinstance(asked, str) and re.fullmatch(r"[1-9]\d*", asked) and re.fullmatch(r"[1-9]\d*", stored):
            return int(stored) == int(asked)
        return super().same_id(stored, asked)


@fault("BYID-2", "DEL-2", says="OverflowError")
class ReadsIdsAsIntegersOfEightBytes(RightStore):
    """Reads ids as numbers, which end at eight bytes."""

    def same_id(self, stored: str, asked: Any) -> bool:
        if isinstance(asked, str) and asked.isascii() and asked.isdecimal():
            int(asked).to_bytes(8, "big")
        return super().same_id(stored, asked)
