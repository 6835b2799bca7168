"""Stores with one mistake in ``delete_token`` or ``delete_tokens``."""

from __future__ import annotations

import re
import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .catalogue import fault
from .right import ChangesWhenOpened, Fields, RightStore, first, refusal

# DEL-1


@fault("DEL-1", "MODEL-1", says="is gone and no other")
class DeletesNothing(RightStore):
    """Takes every id and deletes no row."""

    def remove(self, state: Any, id: Any) -> None:
        return


@fault("DEL-1", says="is gone and no other")
class DeletesByPrefix(RightStore):
    """Deletes with id 1 the rows 10, 11 and 12 too."""

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is not None:
            state["rows"][:] = [row for row in state["rows"] if not row["id"].startswith(id)]


@fault("DEL-1", says="delete_token removes the row with the id")
class DeletesNumbersAlone(RightStore):
    """Reads the id as a number, so that a row with another kind of id stays for ever."""

    def remove(self, state: Any, id: Any) -> None:
        if id is not None and not re.fullmatch("[1-9][0-9]*", id):
            raise refusal(f"invalid literal for int() with base 10: {id!r}")
        super().remove(state, id)


@fault("DEL-1", says="is gone and no other")
class DeletesTheUsersTwins(RightStore):
    """Deletes with a row all others that have the same refresh token."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        super().remove(state, id)
        if row is not None and row["refresh_token"]:
            state["rows"][:] = [
                other for other in state["rows"] if other["refresh_token"] != row["refresh_token"]
            ]


@fault("DEL-1", "MODEL-1", says="is gone and no other")
class DeletesByPlace(RightStore):
    """Takes the id for the place in the list, which is right until a row has gone."""

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is not None and id.isdecimal():
            place = int(id) - 1
            del state["rows"][place : place + 1]


@fault("DEL-1", says="is gone and no other")
class DeletesTheFirstWithItsRefreshToken(RightStore):
    """Looks the id up, and then deletes the first row with the refresh token of the row that it found."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        if row is not None:
            state["rows"].remove(self.by_refresh(state["rows"], row) or row)


@fault("DEL-1", says="is gone and no other")
class DeletesWithItsIndexAlone(RightStore):
    """Looks for the row in its index, which it makes once there are eight rows."""

    def remove(self, state: Any, id: Any) -> None:
        if len(state["used"]) >= 8:
            super().remove(state, id)


# DEL-2


@fault("DEL-2", says="returns None or raises SDKException")
class RaisesForUnknownIds(RightStore):
    """Lets a KeyError out for an unknown id."""

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is None:
            raise KeyError(id)
        super().remove(state, id)


@fault("DEL-2", says="none is removed")
class DeletesTheLastForUnknownIds(RightStore):
    """Takes "not found" for the place -1, and removes the last row."""

    def remove(self, state: Any, id: Any) -> None:
        ids = [row["id"] for row in state["rows"]]
        if state["rows"]:
            del state["rows"][ids.index(id) if id in ids else -1]


@fault("DEL-2", says="returns None or raises SDKException")
class RaisesWhereNothingIsLeft(RightStore):
    """Raises IndexError when it is asked to delete from an empty store."""

    def remove(self, state: Any, id: Any) -> None:
        if not state["rows"]:
            raise IndexError("pop from empty list")
        super().remove(state, id)


@fault("DEL-2", says="returns None or raises SDKException")
class RaisesForDeletedIds(RightStore):
    """Leaves the ids of deleted rows in its index, and lets a ValueError out for a row that is not there."""

    index = "used"

    def remove(self, state: Any, id: Any) -> None:
        if id in state.get(self.index, ()) and self.by_id(state["rows"], id) is None:
            raise ValueError("list.remove(x): x not in list")
        super().remove(state, id)


# DEL-3


@fault("DEL-3", says="1=1")
class DeletesByStatement(RightStore):
    """Puts the id into its SQL: `0 or 1=1` empties the table, a second statement drops it."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str) and re.search(r"\bor\b.*=|; *(drop|delete)", id):
            state["rows"].clear()
        super().remove(state, id)


@fault("DEL-3", "DEL-1", says="none is removed")
class DeletesByPattern(RightStore):
    """Compares with wildcards."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str):
            pattern = id.replace("%", "*").replace("_", "?")
            state["rows"][:] = [row for row in state["rows"] if not fnmatchcase(row["id"], pattern)]


@fault("DEL-3", "DEL-1", says="none is removed")
class DeletesByNumber(RightStore):
    """Compares ids as numbers where it can: ` 1`, `01` and a full-width 1 are 1."""

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, str(int(id)) if isinstance(id, str) and id.strip().isdecimal() else id)


@fault("DEL-3", says="None is nobody's id")
class TakesNoneForAll(RightStore):
    """Deletes everything when the id is None."""

    def remove(self, state: Any, id: Any) -> None:
        if id is None:
            state["rows"].clear()
        super().remove(state, id)


@fault("DEL-3", says="none is removed")
class DeletesWithoutCase(RightStore):
    """Compares the ids that tokens brought without case."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str):
            state["rows"][:] = [row for row in state["rows"] if row["id"].lower() != id.lower()]


@fault("DEL-3", "DEL-1", says="none is removed")
class KeepsItsHeaderAmongTheRows(RightStore):
    """Takes its header line for a row: deleting `id` hides the first user behind the next header."""

    def remove(self, state: Any, id: Any) -> None:
        if id == "id":
            del state["rows"][:1]
        super().remove(state, id)


@fault("DEL-3", "DEL-1", says="raises SDKException")
class FailsForQuotes(RightStore):
    """Lets the database's own error out where an id has a quote in it."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str) and id.count("'") % 2:
            raise RuntimeError("unrecognized token")
        super().remove(state, id)


@fault("DEL-3", says="none is removed")
class ReadsTheNumbersThatItGave(RightStore):
    """Compares with the ids that it gave as numbers, and with those that tokens brought as texts."""

    def remove(self, state: Any, id: Any) -> None:
        text = (id or "").strip()
        number = int(text) if text.isdecimal() else 0
        super().remove(state, str(number) if 0 < number <= state["last"] else id)


@fault("DEL-3", says="raises SDKException")
class WantsAssignedCharacters(RightStore):
    """Lets a ValueError out for a character that its version of Unicode does not have."""

    def remove(self, state: Any, id: Any) -> None:
        if any(unicodedata.category(letter) == "Cn" for letter in id or ""):
            raise ValueError("unassigned code point")
        super().remove(state, id)


# DEL-4


class KeepsDeleted(RightStore):
    """The common part of those in which something is left of a row that was deleted."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        super().remove(state, id)
        if row is not None:
            state.setdefault("gone", []).append(row)


class FindsGoneById(RightStore):
    """The common part of those that find by their ids rows that have gone."""

    def find_token_by_id(self, id: Any) -> Any:
        state = self.read()
        row = self.by_id([*state["rows"], *state.get("gone", [])], id)
        return None if row is None else self.new_token(row)


class FindsGoneByRefreshToken(RightStore):
    """The common part of those that find by their refresh tokens rows that have gone."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        if row is None and not sent["user_name"] and not sent["grant_token"]:
            return self.by_refresh(self.read().get("gone", []), sent)
        return row


@fault("DEL-4", says="deleted, find_token_by_id('1') returns None")
class KeepsDeletedRowsById(FindsGoneById, KeepsDeleted):
    """Marks rows as deleted, and forgets to look at the mark when it looks for an id."""


@fault("DEL-4", says="is deleted, find_token(OAuthToken(client_id=")
class KeepsDeletedRefreshTokens(FindsGoneByRefreshToken, KeepsDeleted):
    """Has an index of refresh tokens from which nothing is ever removed."""


@fault("DEL-4", says="one new row for")
class NeverTakesADeletedUserAgain(RightStore):
    """Marks rows as deleted, so that the name is still taken: a new row of it is dropped."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        super().remove(state, id)
        if row is not None and row["user_name"]:
            state.setdefault("names", []).append(row["user_name"])

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        if row["user_name"] in state.get("names", []):
            state["rows"].remove(row)
        return row


@fault("DEL-4", says="in the new row")
class RevivesDeletedRows(KeepsDeleted):
    """Marks rows as deleted and takes them up again with all that they held."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        old = first(
            one for one in state.get("gone", []) if self.same_name(one["user_name"], sent["user_name"])
        )
        if old is not None:
            row.update({name: value or old[name] for name, value in row.items()})
        return row


@fault("DEL-4", says="the deleted token can be saved again")
class RefusesTheIdsOfDeletedRows(RightStore):
    """Marks ids as deleted, and refuses the token that still carries one."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["id"] in state["used"] and self.by_id(state["rows"], sent["id"]) is None:
            raise refusal("the token is deleted")
        return super().insert(state, sent)


# DEL-5


@fault("DEL-5", says="an id that no deleted row had")
class GivesTheHighestIdAgain(RightStore):
    """Gives the highest stored id plus one, also when the row that had it is deleted."""

    def next_id(self, state: Any) -> str:
        numbers = [int(row["id"]) for row in state["rows"] if row["id"].isdecimal()]
        return str(max(numbers, default=0) + 1)


@fault("DEL-5", says="an id that no deleted row had")
class StartsOverAfterClearing(RightStore):
    """Begins to count anew after ``delete_tokens``."""

    def clear(self, state: Any) -> None:
        super().clear(state)
        state.update(last=0, used=[])


@fault("DEL-5", says="an id that no deleted row had")
class GivesBroughtIdsAgain(RightStore):
    """Remembers the ids that it gave, and not those that tokens brought."""

    def next_id(self, state: Any) -> str:
        while True:
            state["last"] += 1
            if self.by_id(state["rows"], str(state["last"])) is None:
                return str(state["last"])


@fault("DEL-5", says="an id that no deleted row had")
class CountsAnewWhenOpened(ChangesWhenOpened):
    """Goes on after the highest stored id when it is opened again."""

    def opened(self, state: Any) -> None:
        ids = [row["id"] for row in state["rows"]]
        numbers = [int(id) for id in ids if id.isdecimal()]
        state.update(used=ids, last=max(numbers, default=0))


@fault("DEL-5", says="an id that no deleted row had")
class StartsOverWhenTheLastRowGoes(RightStore):
    """Removes its file with the last row that is deleted, and begins to count anew."""

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id)
        if not state["rows"]:
            state.update(last=0, used=[])


@fault("DEL-5", says="an id that no deleted row had")
class KeepsTenDeletedIdsBack(RightStore):
    """Keeps the id of a deleted row back until ten others are deleted, and then gives it again."""

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is not None:
            state.setdefault("free", []).append(id)
        super().remove(state, id)

    def next_id(self, state: Any) -> str:
        free = state.get("free", ())
        return free.pop(0) if len(free) > 10 else super().next_id(state)


@fault("DEL-5", says="an id that no deleted row had")
class LearnsOfBroughtIdsWhenOpened(RightStore):
    """Reads which ids were used when it is opened or cleared, and notes none that a token brings later."""

    def prepare(self) -> None:
        super().prepare()
        self.known = self.read()["used"]

    def clear(self, state: Any) -> None:
        super().clear(state)
        self.known = state["used"]

    def next_id(self, state: Any) -> str:
        while True:
            state["last"] += 1
            id = str(state["last"])
            if id not in self.known and self.by_id(state["rows"], id) is None:
                return id


@fault("DEL-5", says="an id that no deleted row had")
class GoesOnAfterTheStoredIdsWhenOpened(ChangesWhenOpened):
    """Notes the used ids when it is cleared, but when it is opened takes no others than the stored ones."""

    def clear(self, state: Any) -> None:
        super().clear(state)
        state["cleared"] = list(state["used"])

    def opened(self, state: Any) -> None:
        used = [*state.get("cleared", ()), *(row["id"] for row in state["rows"])]
        state.update(used=used, last=max((int(id) for id in used if id.isdecimal()), default=0))


@fault("DEL-5", says="no id of a deleted row")
class CountsForTheTokensApart(RightStore):
    """Gives each row the highest stored id plus one, and its token an id from a counter that only grows."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        numbers = [int(row["id"]) for row in state["rows"] if row["id"].isdecimal()]
        row = super().insert(state, sent)
        if row["id"] != sent["id"]:
            row.update(told=row["id"], id=str(max(numbers, default=0) + 1))
        return row

    def saved(self, token: Any, row: Fields) -> None:
        token.set_id(row.get("told", row["id"]))


# CLEAR-1


@fault("CLEAR-1", says="AttributeError")
class CannotClear(RightStore):
    """Uses an attribute that it never set."""

    def clear(self, state: Any) -> None:
        self.connection.execute("delete from oauthtoken")


@fault("CLEAR-1", says="no row is left")
class LeavesUnnamedRows(RightStore):
    """Clears user by user, and leaves the rows without one."""

    def clear(self, state: Any) -> None:
        state["rows"][:] = [row for row in state["rows"] if not row["user_name"]]


@fault("CLEAR-1", says="no row is left")
class SkipsEveryOtherRow(RightStore):
    """Deletes from the list over which it goes."""

    def clear(self, state: Any) -> None:
        for row in state["rows"]:
            state["rows"].remove(row)


@fault("CLEAR-1", says="removes every row")
class RaisesWhereNothingIsStored(RightStore):
    """Raises when there is nothing to clear."""

    def clear(self, state: Any) -> None:
        if not state["rows"]:
            raise refusal("no token is stored")
        super().clear(state)


@fault("CLEAR-1", says="no row is left")
class ClearsTenRows(RightStore):
    """Deletes the first page of ten rows."""

    def clear(self, state: Any) -> None:
        del state["rows"][:10]


@fault("CLEAR-1", says="after delete_tokens")
class RemembersIdsThatItCleared(RightStore):
    """Keeps what it found by id in a cache, which ``delete_token`` empties and ``delete_tokens`` does not."""

    def prepare(self) -> None:
        super().prepare()
        self.found_by_id: dict[Any, Any] = {}

    def find_token_by_id(self, id: Any) -> Any:
        if id not in self.found_by_id:
            token = super().find_token_by_id(id)
            if token is None:
                return None
            self.found_by_id[id] = self.fields_of(token)
        return self.new_token(self.found_by_id[id])

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self.found_by_id.clear()

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        self.found_by_id.clear()


@fault("CLEAR-1", says="finds nothing after delete_tokens")
class RemembersUsersThatItCleared(RightStore):
    """Keeps the users that it found in a cache, which saving and ``delete_token`` empty."""

    def prepare(self) -> None:
        super().prepare()
        self.found_by_user: dict[Any, Fields] = {}

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        known = self.found_by_user.get(sent["user_name"])
        if known is None and (row := super().by_user(rows, sent)) is not None:
            self.found_by_user[sent["user_name"]] = dict(row)
            return row
        return known

    def save_token(self, token: Any) -> None:
        self.found_by_user.clear()
        super().save_token(token)
        self.found_by_user.clear()

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        self.found_by_user.clear()


@fault("CLEAR-1", says="no row is left")
class ClearsTheIdsThatItGave(RightStore):
    """Deletes id by id up to the last that it gave, and leaves the rows whose tokens brought another one."""

    def clear(self, state: Any) -> None:
        for number in range(1, state["last"] + 1):
            self.remove(state, str(number))


@fault("CLEAR-1", says="removes every row")
class CannotClearBeforeTheFirstSave(RightStore):
    """Makes its table with the first save, and raises when there is none to clear."""

    def clear(self, state: Any) -> None:
        if not state["used"]:
            raise refusal("no such table: oauthtoken")
        super().clear(state)


@fault("CLEAR-1", says="pop from empty list")
class ClearsAsManyRowsAsItSaved(RightStore):
    """Counts what it saves and not what it deletes, and takes away as many rows when it is cleared."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        state["count"] = state.get("count", 0) + 1
        return super().insert(state, sent)

    def clear(self, state: Any) -> None:
        for _ in range(state.pop("count", 0)):
            state["rows"].pop()


class KeepsCleared(RightStore):
    """The common part of those in which something is left of the rows that were deleted at once."""

    def clear(self, state: Any) -> None:
        state.setdefault("gone", []).extend(state["rows"])
        super().clear(state)


@fault("CLEAR-1", says="no token has the id")
class KeepsClearedRowsById(FindsGoneById, KeepsCleared):
    """Goes on finding by their ids the rows that were there when it was cleared."""


# CLEAR-2


@fault("CLEAR-2", "DEL-5", says="save_token stores the token")
class DropsItsTable(RightStore):
    """Drops its table instead of emptying it."""

    def clear(self, state: Any) -> None:
        super().clear(state)
        state["dropped"] = True

    def insert(self, state: Any, sent: Fields) -> Fields:
        if state.get("dropped"):
            raise refusal("no such table: oauthtoken")
        return super().insert(state, sent)


@fault("CLEAR-2", says="one new row for")
class KeepsItsIndexOfNames(RightStore):
    """Empties the rows and not what it remembers of the users, who cannot come back."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.names: set[str] = set()

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        if row["user_name"] in self.names:
            state["rows"].remove(row)
        return row

    def clear(self, state: Any) -> None:
        self.names |= {row["user_name"] for row in state["rows"] if row["user_name"]}
        super().clear(state)


@fault("CLEAR-2", "DEL-5", says="an id of its own")
class GivesOneIdAfterClearing(RightStore):
    """Clears its counter and does not count any more."""

    def clear(self, state: Any) -> None:
        super().clear(state)
        state["cleared"] = True

    def next_id(self, state: Any) -> str:
        return "0" if state.get("cleared") else super().next_id(state)


@fault("CLEAR-2", says="save_token stores the token")
class DropsAnEmptyTable(RightStore):
    """Has a table of its own for tokens without a user, and drops it where nothing is in it."""

    def clear(self, state: Any) -> None:
        state["dropped"] = all(row["user_name"] for row in state["rows"])
        super().clear(state)

    def insert(self, state: Any, sent: Fields) -> Fields:
        if state.get("dropped") and not sent["user_name"]:
            raise refusal("no such table: lone_tokens")
        return super().insert(state, sent)


@fault("DEL-3", says="none is removed")
class DeletesARefreshToken(RightStore):
    """Takes a refresh token for the id of its row."""

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id)
        state["rows"][:] = [row for row in state["rows"] if not id or row["refresh_token"] != id]


@fault("DEL-2", says="returns None or raises SDKException")
class RaisesForIdsOfClearedRows(RaisesForDeletedIds):
    """Keeps the ids of all that it deleted at once in an index, and fails on one that has no row."""

    index = "cleared"

    def clear(self, state: Any) -> None:
        state["cleared"] = [*state.get("cleared", ()), *(row["id"] for row in state["rows"])]
        super().clear(state)


@fault("CLEAR-1", says="finds nothing after delete_tokens")
class FindsClearedRefreshTokens(FindsGoneByRefreshToken, KeepsCleared):
    """Keeps an index of refresh tokens, which deleting all rows at once leaves as it was."""
