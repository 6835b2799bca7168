"""Stores with one mistake in ``get_tokens``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .catalogue import fault
from .right import RightStore, refusal

# LIST-1: a list, complete


@fault("LIST-1", "LIST-2", says="a list of OAuthToken objects")
class ListsATuple(RightStore):
    """Gives a tuple."""

    def get_tokens(self) -> Any:
        return tuple(super().get_tokens())


@fault("LIST-1", "LIST-2", says="a list of OAuthToken objects")
class ListsAGenerator(RightStore):
    """Gives a generator."""

    def get_tokens(self) -> Any:
        yield from super().get_tokens()


@fault("LIST-1", "SAVE-1", says="beside them")
class ListsEveryRowTwice(RightStore):
    """Lists each row once for each of its tables."""

    def get_tokens(self) -> list[Any]:
        return super().get_tokens() * 2


@fault("LIST-1", "SAVE-1", says="one of the tokens is")
class ListsWithoutSecrets(RightStore):
    """Leaves the client secrets out of the list."""

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        for token in tokens:
            token.set_client_secret(None)
        return tokens


@fault("LIST-1", "SAVE-1", says="one of the tokens is")
class ListsTheUsersAlone(RightStore):
    """Leaves rows without a user out of the list."""

    def get_tokens(self) -> list[Any]:
        return [token for token in super().get_tokens() if token.get_user_signature() is not None]


@fault("LIST-1", says="one of the tokens is")
class ListsAHundredRows(RightStore):
    """Lists the first page of a hundred."""

    def get_tokens(self) -> list[Any]:
        return super().get_tokens()[:100]


@fault("LIST-1", "SAVE-1", says="one of the tokens is")
class ListsEachRefreshTokenOnce(RightStore):
    """Lists one of the rows that share a refresh token."""

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        seen = {token.get_refresh_token() or token.get_id(): token for token in tokens}
        return list(seen.values())


@fault("LIST-1", "SAVE-1", says="one of the tokens is")
class ListsEachAccessTokenOnce(RightStore):
    """Lists one of the users that have the same access token."""

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        seen = {token.get_access_token() or token.get_id(): token for token in tokens}
        return list(seen.values())


@fault("LIST-1", "SAVE-4", says="one of the tokens is")
class ListsRowsAsTheyWereInserted(RightStore):
    """Lists the access tokens with which rows were inserted."""

    def __init__(self, location: Path) -> None:
        self.tokens: dict[str, Any] = {}
        super().__init__(location)

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        for token in tokens:
            token.set_access_token(self.tokens.setdefault(token.get_id(), token.get_access_token()))
        return tokens


# LIST-2: nothing stored


@fault("LIST-2", says="get_tokens returns []")
class ListsNone(RightStore):
    """Gives None where nothing is stored."""

    def get_tokens(self) -> Any:
        return super().get_tokens() or None


@fault("LIST-2", says="get_tokens returns []")
class RaisesForNoRows(RightStore):
    """Raises where nothing is stored."""

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        if not tokens:
            raise refusal("no tokens are stored")
        return tokens


@fault("LIST-2", says="get_tokens returns []")
class ListsNoneOnceEmptied(RightStore):
    """Gives None where rows were stored and none is left."""

    def get_tokens(self) -> Any:
        state = self.read()
        return None if state["used"] and not state["rows"] else super().get_tokens()


@fault("LIST-2", "FIND-6", says="get_tokens returns []")
class SavesWhatIsLookedFor(RightStore):
    """Saves the token of an unknown user when it is looked for."""

    def missed(self, token: Any) -> Any:
        self.save_token(token)


# LIST-3: detached


class _Listing(RightStore):
    """Keeps the list that it gave until something is stored."""

    def __init__(self, location: Path) -> None:
        self.listed: list[Any] | None = None
        super().__init__(location)

    def write(self, state: Any) -> None:
        self.listed = None
        super().write(state)

    def kept(self) -> list[Any]:
        if self.listed is None:
            self.listed = super().get_tokens()
        return self.listed


@fault("LIST-3", says="changes nothing stored")
class ListsItsOwnList(_Listing):
    """Gives the list that it keeps."""

    def get_tokens(self) -> list[Any]:
        return self.kept()


@fault("LIST-3", says="changes nothing stored")
class ListsItsOwnTokens(_Listing):
    """Gives a new list of the tokens that it keeps."""

    def get_tokens(self) -> list[Any]:
        return list(self.kept())


@fault("LIST-3", says="changes nothing stored")
class ListsItsOwnListOfNewTokens(_Listing):
    """Gives the list that it keeps, with a new token in each place of it."""

    def get_tokens(self) -> list[Any]:
        kept = self.kept()
        for place, row in enumerate(self.read()["rows"][: len(kept)]):
            kept[place] = self.new_token(row)
        return kept


@fault("LIST-3", "BYID-4", says="changes nothing stored")
class ServesFindingFromTheList(_Listing):
    """Lists new tokens each time, and answers by id from the last list that it gave."""

    def get_tokens(self) -> list[Any]:
        self.listed = super().get_tokens()
        return self.listed

    def find_token_by_id(self, id: Any) -> Any:
        for row, token in zip(self.read()["rows"], self.listed or (), strict=False):
            if row["id"] == id:
                return token
        return super().find_token_by_id(id)


@fault("VALUE-8", says="rows for")
class ListsAThousandRows(RightStore):
    """Lists the first page of a thousand rows, as a server gives no more at once."""

    def get_tokens(self) -> list[Any]:
        return super().get_tokens()[:1000]
