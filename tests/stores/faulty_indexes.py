"""Stores that look rows up in an index or a cache, and forget it where names, ids or stores clash."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from .catalogue import correct, fault
from .right import Fields, RightStore, refusal
from .unusual import InMemory


@correct(persistent=False)
class IndexesNames(InMemory):
    """Looks users up in an index of names, and nowhere else."""

    def prepare(self) -> None:
        super().prepare()
        self.index: dict[Any, str] = {}

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_id(rows, self.index.get(sent["user_name"]))

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        self.enter(row)
        return row

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        self.enter(row)

    def enter(self, row: Fields) -> None:
        if row["user_name"]:
            self.index[row["user_name"]] = row["id"]

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id)
        self.index = {name: other for name, other in self.index.items() if other != id}

    def clear(self, state: Any) -> None:
        super().clear(state)
        self.index.clear()

    def clashing(self, rows: list[Fields], sent: Fields) -> Fields | None:
        """The unnamed row whose token is saved under a name that has a row already."""
        own, unnamed = self.by_user(rows, sent), self.unnamed(self.by_id(rows, sent["id"]))
        return unnamed if sent["user_name"] and own and unnamed else None


@fault("SAVE-14", says="for such calls did so before", persistent=False)
class RefusesAClashTooLate(IndexesNames):
    """Refuses a name that has a row already, after its index leads to the unnamed row."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if (unnamed := self.clashing(rows, sent)) is not None:
            self.index[sent["user_name"]] = unnamed["id"]
            raise refusal("the name has a row already")
        return super().match_to_save(rows, sent)


class Absorbs(IndexesNames):
    """The common part of those in which the row of a name takes up the unnamed one."""

    def save_token(self, token: Any) -> None:
        unnamed = self.clashing(self.state["rows"], self.fields_of(token))
        super().save_token(token)
        if unnamed is not None:
            self.absorbed(unnamed, self.fields_of(token))
            self.state["rows"] = [row for row in self.state["rows"] if row["id"] != unnamed["id"]]

    def absorbed(self, unnamed: Fields, sent: Fields) -> None:
        """What becomes of the indexes, beside the row of the name."""


@correct(persistent=False)
class AbsorbsAndKeepsItsIndex(Absorbs):
    """The row of a name takes up the unnamed one, and the index leads to it."""


@fault(
    "SAVE-14", says="a name came that has a row already, find_token(OAuthToken(user_name=", persistent=False
)
class ForgetsTheNameOfAnAbsorbedRow(Absorbs):
    """The row of a name takes up the unnamed one, whose name leaves the index with it."""

    def absorbed(self, unnamed: Fields, sent: Fields) -> None:
        self.index.pop(sent["user_name"])


@fault("SAVE-14", says="find_token_by_id('2') returns None", persistent=False)
class KeepsTheIdOfAnAbsorbedRow(Absorbs):
    """The row of a name takes up the unnamed one, which an index of ids still has."""

    def prepare(self) -> None:
        super().prepare()
        self.absorbed_rows: dict[str, Fields] = {}

    def absorbed(self, unnamed: Fields, sent: Fields) -> None:
        self.absorbed_rows[unnamed["id"]] = dict(unnamed)

    def find_token_by_id(self, id: Any) -> Any:
        row = self.absorbed_rows.get(id)
        return self.new_token(row) if row else super().find_token_by_id(id)


@fault(
    "SAVE-14", says="a name came that has a row already, find_token(OAuthToken(client_id=", persistent=False
)
class FindsAnAbsorbedRowByItsToken(Absorbs):
    """The row of a name takes up the unnamed one, which an index of refresh tokens still has."""

    def prepare(self) -> None:
        super().prepare()
        self.absorbed_rows: list[Fields] = []

    def absorbed(self, unnamed: Fields, sent: Fields) -> None:
        self.absorbed_rows.append(dict(unnamed))

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if not sent["user_name"] and (row := self.by_refresh(self.absorbed_rows, sent)) is not None:
            return row
        return super().match_to_find(rows, sent)


@fault(
    "SAVE-11",
    says="find_token(OAuthToken(user_name='stranger@example.com:77')) returns None",
    persistent=False,
)
class EntersANameBeforeItRefuses(IndexesNames):
    """A new name under another user's id is refused, after the index has it."""

    def id_is_taken(self, row: Fields) -> None:
        self.index[row["user_name"]] = row["id"]
        raise refusal("the id is another user's")


@fault("SAVE-11", says="another user's id, find_token_by_id('1') finds", persistent=False)
class KeepsWhoSavedUnderAnId(InMemory):
    """A cache of rows by id has what was saved under the id that the token brought."""

    def prepare(self) -> None:
        super().prepare()
        self.cache: dict[Any, Fields] = {}

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_save(rows, sent)
        self.cache.clear()
        if row is not None and sent["id"] and sent["id"] != row["id"]:
            self.cache[sent["id"]] = dict(row)
        return row

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id)
        self.cache.clear()

    def clear(self, state: Any) -> None:
        super().clear(state)
        self.cache.clear()

    def find_token_by_id(self, id: Any) -> Any:
        return self.new_token(self.cache[id]) if id in self.cache else super().find_token_by_id(id)


@fault("SAVE-11", says="another user's id, find_token(OAuthToken(user_name=", persistent=False)
class LosesTheNameOfTheIdsRow(IndexesNames):
    """A save under another user's id takes that user's name out of the index."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        at_id = self.by_id(rows, sent["id"])
        if at_id and at_id["user_name"] and sent["user_name"] not in (None, at_id["user_name"]):
            self.index.pop(at_id["user_name"], None)
        return super().match_to_save(rows, sent)


@fault("CLEAR-1", says="after delete_tokens", persistent=False)
class ForgetsItsLruCache(InMemory):
    """Remembers rows by id with ``lru_cache``, which saving and ``delete_token`` empty."""

    def prepare(self) -> None:
        super().prepare()
        self.row_at = lru_cache(lambda asked: self.by_id(self.read()["rows"], asked))

    def find_token_by_id(self, id: Any) -> Any:
        row = self.row_at(id) if isinstance(id, str) else None
        return None if row is None else self.new_token(row)

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self.row_at.cache_clear()

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        self.row_at.cache_clear()


# Stores on different locations that are equal


class Shares(RightStore):
    """The common part of those with a cache of the class, which is emptied by each change."""

    cache: ClassVar[dict[Any, Fields]] = {}

    def write(self, state: Any) -> None:
        type(self).cache.clear()
        super().write(state)

    def cached(self, key: Any, row: Fields | None) -> Fields | None:
        # Each line is one step, for another thread may empty the cache.
        if row is not None:
            return self.cache.setdefault(key, row)
        return self.cache.get(key)


@fault("ISO-1", says="another location")
class SharesACacheOfIds(Shares):
    """Keeps what it found by id, for all stores of its class."""

    cache: ClassVar[dict[Any, Fields]] = {}

    def find_token_by_id(self, id: Any) -> Any:
        row = self.cached(id, self.by_id(self.read()["rows"], id))
        return None if row is None else self.new_token(row)


@fault("ISO-1", says="another location")
class SharesACacheOfRefreshTokens(Shares):
    """Keeps what it found by refresh token, for all stores of its class."""

    cache: ClassVar[dict[Any, Fields]] = {}

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if sent["user_name"] or not sent["refresh_token"] or not sent["client_secret"]:
            return row
        return self.cached(tuple(sent.values()), row)


@fault("ISO-1", says="another location", persistent=False)
class SharesACacheOfAccessTokens(Shares, InMemory):
    """Keeps what it found by access token, for all stores of its class."""

    cache: ClassVar[dict[Any, Fields]] = {}

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_access(rows, sent)
        alone = sent["access_token"] and not sent["client_id"]
        return self.cached(sent["access_token"], row) if alone else row


@fault("ISO-1", says="another location")
class EqualStoresShareAnLruCache(RightStore):
    """Equals every store whose file has the same name, and remembers lookups with ``lru_cache``."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EqualStoresShareAnLruCache) and self.file.name == other.file.name

    def __hash__(self) -> int:
        return hash(self.file.name)

    @lru_cache  # noqa: B019 (the mistake)
    def row_at(self, id: Any) -> Any:
        return self.by_id(self.read()["rows"], id)

    def write(self, state: Any) -> None:
        super().write(state)
        type(self).row_at.cache_clear()

    def find_token_by_id(self, id: Any) -> Any:
        row = self.row_at(id) if isinstance(id, str) else None
        return None if row is None else self.new_token(row)


@fault("ISO-1", says="another location")
class SharesACacheOfNames(Shares):
    """Keeps what it found by user name, for all stores of its class."""

    cache: ClassVar[dict[Any, Fields]] = {}

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        return self.cached(sent["user_name"], row) if sent["user_name"] else row


@correct()
class SharesACacheByLocation(Shares):
    """Keeps what it found by id for all stores of its class, each location apart."""

    cache: ClassVar[dict[Any, Fields]] = {}

    def __init__(self, location: Path) -> None:
        super().__init__(location)

    def find_token_by_id(self, id: Any) -> Any:
        rows = self.read()["rows"]
        key = (self.file, id, str(rows))
        row = self.cached(key, self.by_id(rows, id))
        return None if row is None else self.new_token(row)
