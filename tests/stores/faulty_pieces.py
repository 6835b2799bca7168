"""Stores that join keys, keep values in pieces, read a token's attributes, or forget which ids were given."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from typing import Any

from .catalogue import correct, fault
from .right import OTHERS, Fields, refusal
from .unusual import InMemory

# Client and token joined to one key


class JoinsKeys(InMemory):
    """The common part of those that look for client and token as one text."""

    def joined(self, fields: Fields, name: str) -> str:
        raise NotImplementedError

    def by_joined(self, rows: list[Fields], sent: Fields, name: str) -> Fields | None:
        if not (sent["client_id"] and sent["client_secret"] and sent[name]):
            return None
        key = self.joined(sent, name)
        whole = [row for row in rows if row["client_id"] and row["client_secret"] and row[name]]
        return next((row for row in whole if self.joined(row, name) == key), None)

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_joined(rows, sent, "grant_token")

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_joined(rows, sent, "refresh_token")


@fault("VALUE-6", "SAVE-10", says="one new row", persistent=False)
class JoinsKeysWithAColon(JoinsKeys):
    """Joins client id, secret and token with a colon."""

    def joined(self, fields: Fields, name: str) -> str:
        return f"{fields['client_id']}:{fields['client_secret']}:{fields[name]}"


@fault("VALUE-6", "SAVE-10", says="one new row", persistent=False)
class JoinsKeysWithABar(JoinsKeys):
    """Joins client id, secret and token with a bar."""

    def joined(self, fields: Fields, name: str) -> str:
        return f"{fields['client_id']}|{fields['client_secret']}|{fields[name]}"


@fault("VALUE-6", "SAVE-10", says="one new row", persistent=False)
class HashesKeysInARow(JoinsKeys):
    """Takes the digest of client id, secret and token, one behind the other."""

    def joined(self, fields: Fields, name: str) -> str:
        digest = hashlib.sha256()
        for part in ("client_id", "client_secret", name):
            digest.update(fields[part].encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


@fault("VALUE-6", says="finds the row", persistent=False)
class FindsByAJoinedKeyAlone(JoinsKeys):
    """Saves by three columns, and finds by client id, secret and token joined with a dash."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        self.saves = True
        try:
            return super().match_to_save(rows, sent)
        finally:
            self.saves = False

    saves = False

    def joined(self, fields: Fields, name: str) -> Any:
        parts = fields["client_id"], fields["client_secret"], fields[name]
        return parts if self.saves else "-".join(parts)


@correct(persistent=False)
class JoinsKeysWithTheirLengths(JoinsKeys):
    """Joins client id, secret and token, each behind its length."""

    def joined(self, fields: Fields, name: str) -> str:
        return "".join(f"{len(fields[part])}:{fields[part]}" for part in ("client_id", "client_secret", name))


# Long values, then short ones


class KeepsPieces(InMemory):
    """The common part of those in which a long value leaves something behind when a short one replaces it."""

    def left_behind(self, old: str, new: str) -> str:
        """What is read after `new` has replaced `old`."""
        raise NotImplementedError

    def update(self, row: Fields, sent: Fields) -> None:
        before = dict(row)
        super().update(row, sent)
        for name in OTHERS:
            if sent[name] and before[name]:
                row[name] = self.left_behind(before[name], sent[name])


def in_pieces(old: str, new: str, size: int) -> str:
    """The pieces of the new value, and those of the old one that it does not reach."""
    pieces = -(-len(new) // size)
    return new + old[pieces * size :]


@fault("VALUE-3", says="comes back as '1000.CLIENTxxx", persistent=False)
class KeepsPiecesOfAThousand(KeepsPieces):
    """Keeps values in pieces of 1,000 characters, and leaves those that a shorter value does not need."""

    def left_behind(self, old: str, new: str) -> str:
        return in_pieces(old, new, 1000)


@fault("VALUE-3", says="comes back as '1000.CLIENTxxx", persistent=False)
class KeepsPiecesOfThreeThousand(KeepsPieces):
    """The same in pieces of 3,000 characters."""

    def left_behind(self, old: str, new: str) -> str:
        return in_pieces(old, new, 3000)


@fault("SAVE-13", "VALUE-3", says="the others kept", persistent=False)
class KeepsPiecesOfAHundred(KeepsPieces):
    """The same in pieces of 100 characters."""

    def left_behind(self, old: str, new: str) -> str:
        return in_pieces(old, new, 100)


@fault("SAVE-13", "VALUE-3", says="the others kept", persistent=False)
class WritesInPlace(KeepsPieces):
    """Writes a value over the old one, and cuts nothing off."""

    def left_behind(self, old: str, new: str) -> str:
        return new + old[len(new) :]


@fault("VALUE-3", says="(4096 characters)", persistent=False)
class KeepsLongValuesElsewhere(KeepsPieces):
    """Keeps values of more than 1,024 characters in a second place, which is read first."""

    def left_behind(self, old: str, new: str) -> str:
        return old if len(old) > 1024 >= len(new) else new


@fault("VALUE-3", says="(4096 characters)", persistent=False)
class TakesTheLongerValue(KeepsPieces):
    """Takes a value of more than 255 characters for the newer one."""

    def left_behind(self, old: str, new: str) -> str:
        return old if len(old) > 255 >= len(new) else new


@correct(persistent=False)
class KeepsPiecesAndDropsOldOnes(KeepsPieces):
    """Keeps values in pieces, and drops those that a shorter value does not need."""

    def left_behind(self, old: str, new: str) -> str:
        return in_pieces(old, new, 1000)[: len(new)]


# The attributes of a token


class ReadsAttributes(InMemory):
    """The common part of those that look at what a token is made of."""

    def save_token(self, token: Any) -> None:
        if hasattr(token, "get_access_token"):
            self.look_at(token)
        super().save_token(token)

    def look_at(self, token: Any) -> None:
        raise NotImplementedError


@fault("SAVE-1", says="a token that the SDK has merged", persistent=False)
class TakesAttributesForFields(ReadsAttributes):
    """Takes each attribute of a token for a field, and refuses a field that it has no column for."""

    def look_at(self, token: Any) -> None:
        for name in vars(token):
            if not name.startswith("_OAuthToken__"):
                raise refusal(f"no such column: {name}")


@fault("SAVE-1", says="is not JSON serializable", persistent=False)
class WritesAttributesAsJson(ReadsAttributes):
    """Writes all attributes of a token that are no methods as JSON."""

    def look_at(self, token: Any) -> None:
        json.dumps(
            {name: value for name, value in vars(token).items() if not callable(value)}, default=self.text
        )

    def text(self, value: Any) -> str:
        if hasattr(value, "get_name"):
            return str(value.get_name())
        raise TypeError(f"{value} is not JSON serializable")


@fault("SAVE-1", says="a token of a subclass", persistent=False)
class KnowsOneTypeOfToken(ReadsAttributes):
    """Ignores a token whose type is not `OAuthToken` itself."""

    def save_token(self, token: Any) -> None:
        if type(token).__name__ == "OAuthToken":
            super().save_token(token)

    def look_at(self, token: Any) -> None:
        """Nothing more."""


@fault("SAVE-13", says="a token that the SDK has merged", persistent=False)
class UpdatesFromAttributes(InMemory):
    """Takes a token's own attributes for columns when it updates a row, and their values as they stand."""

    def save_token(self, token: Any) -> None:
        self.attributes = dict(vars(token)) if hasattr(token, "get_access_token") else {}
        super().save_token(token)

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        for name, value in self.attributes.items():
            if not name.startswith("_OAuthToken__") and name not in row:
                column = name.removeprefix("get_").removeprefix("set_")
                if column in OTHERS:
                    row[column] = str(value)


@fault("SAVE-1", says="a token that the SDK has merged", persistent=False)
class PassesAttributesToItsTable(ReadsAttributes):
    """Passes all attributes of a token as parameters, of which some are no text."""

    def look_at(self, token: Any) -> None:
        for name, value in vars(token).items():
            if callable(value):
                raise TypeError(f"cannot bind {name}")


@correct(persistent=False)
class ReadsMangledAttributes(ReadsAttributes):
    """Reads the private attributes of the SDK's own class, whatever else the token has."""

    def look_at(self, token: Any) -> None:
        {name: value for name, value in vars(token).items() if name.startswith("_OAuthToken__")}


# Ids of rows that were deleted long ago


class KnowsBroughtIds(InMemory):
    """The common part of those that never give an id that a token brought."""

    def prepare(self) -> None:
        super().prepare()
        self.brought: set[str] = set()

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        if sent["id"]:
            self.brought.add(row["id"])
        return row


class ForgetsOldIds(KnowsBroughtIds):
    """The common part of those that give the lowest free number, and know some deleted ids."""

    known = 64

    def prepare(self) -> None:
        super().prepare()
        self.deleted: deque[str] = deque(maxlen=self.known)

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is not None:
            self.deleted.append(id)
        super().remove(state, id)

    def clear(self, state: Any) -> None:
        state["floor"] = state["last"]
        super().clear(state)

    def next_id(self, state: Any) -> str:
        used = {*self.brought, *self.deleted, *(row["id"] for row in state["rows"])}
        number = state.get("floor", 0) + 1
        while str(number) in used:
            number += 1
        state["last"] = max(number, state["last"])
        return str(number)


@fault("DEL-5", says="no deleted row had", persistent=False)
class RemembersSixtyFourIds(ForgetsOldIds):
    """Remembers the last 64 ids of deleted rows."""


@fault("DEL-5", says="no deleted row had", persistent=False)
class RemembersAHundredIds(ForgetsOldIds):
    """Remembers the last 100 ids of deleted rows."""

    known = 100


class CountsAround(KnowsBroughtIds):
    """The common part of those whose counter begins again."""

    size = 256

    def next_id(self, state: Any) -> str:
        taken = {*self.brought, *(row["id"] for row in state["rows"])}
        while True:
            state["last"] += 1
            # A store with many rows counts on.
            number = state["last"] % self.size if len(taken) < self.size // 2 else state["last"]
            if str(number) not in taken:
                return str(number)


@fault("DEL-5", says="no deleted row had", persistent=False)
class CountsToTwoHundredFiftySix(CountsAround):
    """Counts in one byte."""


@fault("DEL-5", says="no deleted row had", persistent=False)
class CountsToAHundred(CountsAround):
    """Has two digits for its counter."""

    size = 100


@correct(persistent=False)
class RemembersAllIds(ForgetsOldIds):
    """Remembers the ids of all deleted rows."""

    known = 10**6
