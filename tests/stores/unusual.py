"""Right stores that decide, answer or look otherwise than anybody would expect.

Each does something that the contract allows and few stores do. None of them breaks a MUST clause,
so a check that flags one relies on what the contract leaves open. Unusual places to keep tokens are
in the module beside this one.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import os
import random
import threading
import time
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .catalogue import correct
from .right import CREDENTIALS, OTHERS, Fields, RightStore, refusal


def copied(state: Any) -> Any:
    """A state that shares nothing with another one."""
    rows = [row.copy() for row in state["rows"]]
    return {**state, "used": state["used"].copy(), "rows": rows}


class InMemory(RightStore):
    """Keeps its state in memory: quicker than files, for what is unusual elsewhere."""

    def prepare(self) -> None:
        self.write({"last": 0, "used": [], "rows": []})

    def read(self) -> Any:
        return copied(self.state)

    def write(self, state: Any) -> None:
        self.state = copied(state)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self.lock:
            yield


# ids


@correct(persistent=False)
class GivesAwkwardIds(InMemory):
    """Its own ids are texts that nobody would expect for one, among them such as tokens bring elsewhere."""

    AWKWARD = (
        "%",
        "A-1",
        "abc",
        "ABC",
        "007",
        "id",
        "None",
        "1e3",
        "x'y",
        "user name",
        "é",
        "_",
        "nobody",
    )

    def next_id(self, state: Any) -> str:
        unused = (id for id in self.AWKWARD if id not in state["used"])
        return next(unused, None) or super().next_id(state)


@correct(persistent=False)
class SaysWhetherItDeleted(InMemory):
    """Answers True where a token was deleted, and how many were."""

    def delete_token(self, id: Any) -> Any:
        with self.lock:  # of two that delete one row at once, one has deleted it
            there = self.by_id(self.read()["rows"], id) is not None
            super().delete_token(id)
        return there or None

    def delete_tokens(self) -> Any:
        with self.lock:
            count = len(self.read()["rows"])
            super().delete_tokens()
        return count


@correct()
class IdsAreUUIDs(RightStore):
    """Random ids, without an order and longer than the SDK's own table allows."""

    def next_id(self, state: Any) -> str:
        return str(uuid.uuid4())


@correct(persistent=False)
class IdsAreHugeNumbers(InMemory):
    """Ids that start past what 32 bits, or a float, can hold."""

    def next_id(self, state: Any) -> str:
        state["last"] = max(state["last"], 2**63)
        return super().next_id(state)


@correct(persistent=False)
class IdsLookLikeAnything(InMemory):
    """Ids with quotes, wildcards, accents and spaces in them."""

    def next_id(self, state: Any) -> str:
        return f" №{super().next_id(state)}'; -- %_é "


@correct(persistent=False)
class IdsGoDown(InMemory):
    """Negative numbers, each below the last."""

    def next_id(self, state: Any) -> str:
        while (id := f"-{super().next_id(state)}") in state["used"]:
            pass
        return id


@correct(persistent=False)
class IdsAreGivenAgain(InMemory):
    """The lowest free number, so that ids of deleted rows come back: DEL-5 is a SHOULD."""

    def next_id(self, state: Any) -> str:
        taken = {row["id"] for row in state["rows"]}
        return next(str(number) for number in range(1, len(taken) + 2) if str(number) not in taken)


@correct(persistent=False)
class IdsAreDigests(InMemory):
    """Ids of 128 characters, made from what was saved."""

    def next_id(self, state: Any) -> str:
        return hashlib.sha512(super().next_id(state).encode()).hexdigest()


@correct(persistent=False)
class IdsHaveTenCharacters(InMemory):
    """Refuses longer ids that tokens bring, as the SDK's own table would."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if len(sent["id"] or "") > 10:
            raise refusal("an id has at most ten characters")
        return super().insert(state, sent)


@correct(persistent=False)
class IdsAreAColumnOfNumbers(InMemory):
    """Fails cleanly for an id that is no number as a database writes it: it cannot keep that."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        id = sent["id"]
        if id and not (id.isascii() and id.isdigit() and str(int(id)) == id):
            raise refusal("an id is a number")
        return super().insert(state, sent)


class Text(str):
    """A text of a type of its own, equal to the plain one."""

    __slots__ = ()


@correct(persistent=False)
class TextsAreOfTheirOwnType(InMemory):
    """Every text that comes back is an instance of a subclass of `str`."""

    def fill(self, token: Any, row: Fields) -> None:
        super().fill(token, {name: None if value is None else Text(value) for name, value in row.items()})

    def saved(self, token: Any, row: Fields) -> None:
        token.set_id(Text(row["id"]))


# what it raises


@correct(persistent=False)
class DeletesKnownIdsOnly(InMemory):
    """Raises `SDKException` when the id is unknown, as the SDK's own file store does."""

    def remove(self, state: Any, id: Any) -> None:
        if self.by_id(state["rows"], id) is None:
            raise refusal("no such id")
        super().remove(state, id)


@correct(persistent=False)
class RefusesWhatIsNoToken(InMemory):
    """Raises `SDKException` for anything that is no token, also in `find_token`."""

    def not_a_token(self, thing: Any) -> None:
        raise refusal("not a token")

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            raise refusal("not a token")
        return super().find_token(token)


@correct(persistent=False)
class RefusesIdsThatAreNoText(InMemory):
    """`TypeError` for an id of ``None`` and of any other type than `str`."""

    def same_id(self, stored: str, asked: Any) -> bool:
        return bool(stored == asked)

    def delete_token(self, id: Any) -> None:
        self.check(id)
        super().delete_token(id)

    def find_token_by_id(self, id: Any) -> Any:
        self.check(id)
        return super().find_token_by_id(id)

    def check(self, id: Any) -> None:
        if not isinstance(id, str):
            raise TypeError("an id is a str")


class StoreError(SDKException):  # type: ignore[misc]
    """An exception of the author's own, a subclass of the SDK's."""


@correct(persistent=False)
class RaisesItsOwnExceptions(InMemory):
    """A subclass of `SDKException`, without code and with nothing but a message."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        try:
            with super().changing() as state:
                yield state
        except SDKException as error:
            raise StoreError(message=str(error)) from None


@correct(persistent=False)
class RefusesAwkwardText(InMemory):
    """Takes no value of more than 255 characters, no NUL and no lone surrogate."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if any(len(value) > 255 or "\0" in value or not encodes(value) for value in sent.values() if value):
            raise refusal("a text that this store does not keep")
        return super().match_to_save(rows, sent)


def encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@correct(persistent=False)
class KeepsUsersApartByRefusing(InMemory):
    """Fails cleanly whenever a name comes with the id of another user's row."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = self.by_id(rows, sent["id"])
        if row and row["user_name"] and sent["user_name"] not in (None, row["user_name"]):
            raise refusal("the id is another user's")
        return super().match_to_save(rows, sent)


@correct(persistent=False)
class RefusesASecondRowOfAName(InMemory):
    """A name learned later that has a row already fails cleanly."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        own, at_id = self.by_user(rows, sent), self.by_id(rows, sent["id"])
        if own and at_id and not at_id["user_name"]:
            raise refusal("the name has a row already")
        return super().match_to_save(rows, sent)


# what it answers


@correct(persistent=False)
class ListsInAnyOrder(InMemory):
    """`get_tokens` shuffles, each time anew."""

    def get_tokens(self) -> list[Any]:
        tokens = super().get_tokens()
        random.shuffle(tokens)
        return tokens


class Tokens(list[Any]):
    """A list of a type of its own."""

    def __repr__(self) -> str:
        return f"{len(self)} tokens"


@correct(persistent=False)
class ListsInAListOfItsOwn(InMemory):
    """`get_tokens` returns a subclass of `list`."""

    def get_tokens(self) -> list[Any]:
        return Tokens(super().get_tokens())


class StoredToken(OAuthToken):  # type: ignore[misc]
    """A token that knows where it comes from, and is equal to those with the same id."""

    source = "store"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredToken) and bool(other.get_id() == self.get_id())

    def __hash__(self) -> int:
        return hash(self.get_id())


@correct(persistent=False)
class ReturnsTokensOfItsOwnType(InMemory):
    """Found and listed tokens are instances of a subclass of `OAuthToken`."""

    def new_token(self, row: Fields) -> Any:
        token = StoredToken(id=row["id"])
        self.fill(token, row)
        return token


@correct(persistent=False)
class ReturnsAnEqualCopy(InMemory):
    """`find_token` fills in what was passed and returns another token with the same fields."""

    def found(self, token: Any, row: Fields) -> Any:
        self.fill(token, row)
        return self.new_token({**self.fields_of(token), "id": row["id"]})


@correct(persistent=False)
class FillsInOnSavingToo(InMemory):
    """After a save the passed token has every field of its row."""

    def saved(self, token: Any, row: Fields) -> None:
        self.fill(token, row)


@correct(persistent=False)
class TouchesTheTokenOfAMiss(InMemory):
    """Tidies empty texts away before it looks: FIND-12 is a SHOULD."""

    def missed(self, token: Any) -> Any:
        for name in OTHERS:
            if getattr(token, f"get_{name}")() == "":
                getattr(token, f"set_{name}")(None)


# what it matches, where the contract leaves it open or says SHOULD


@correct(persistent=False)
class NamesWithoutCase(InMemory):
    """User names that differ in case alone are one user's: VALUE-7 is a SHOULD."""

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        return stored is not None and sent is not None and stored.casefold() == sent.casefold()


@correct(persistent=False)
class NamesInACollation(InMemory):
    """A server's collation for user names: case, accents, width and space at the ends do not count."""

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        def plain(name: str) -> str:
            letters = unicodedata.normalize("NFKD", name).casefold().strip()
            return "".join(letter for letter in letters if not unicodedata.combining(letter))

        return stored is not None and sent is not None and plain(stored) == plain(sent)


@correct(persistent=False)
class RefreshOutranksGrant(InMemory):
    """The refresh token decides before the grant token: SAVE-9 is a SHOULD."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().by_refresh(rows, sent) or super().by_grant(rows, sent)


@correct(persistent=False)
class AnyClientWillDo(InMemory):
    """Grant and refresh tokens match under other client credentials: SAVE-10 is a SHOULD."""

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return bool(sent["client_id"] and sent["client_secret"])


@correct(persistent=False)
class NoClientWillDo(InMemory):
    """Grant and refresh tokens match without client credentials too."""

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return super().same_client(row, sent) or not (sent["client_id"] or sent["client_secret"])


@correct(persistent=False)
class LearnsNamesByIdAlone(InMemory):
    """A new name without an id is a new row: SAVE-15 is a SHOULD."""

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@correct(persistent=False)
class AccessTokensBesideAClientMatchNothing(InMemory):
    """As in the SDK's own stores."""

    def by_access_at_last(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None


@correct(persistent=False)
class TheNewestWins(InMemory):
    """Of several rows that match, the last one."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_find(rows[::-1], sent)

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return super().match_to_save(rows[::-1], sent)


@correct(persistent=False)
class TheIdOutranksTheKey(InMemory):
    """Where a token without a user has the id of one unnamed row and the key of another."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_id_first(rows, sent) or super().match_to_find(rows, sent)

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_id_first(rows, sent) or super().match_to_save(rows, sent)

    def by_id_first(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["user_name"] else self.unnamed(self.by_id(rows, sent["id"]))


@correct(persistent=False)
class TrustsIds(InMemory):
    """A token without a user and with unknown credentials updates the row of its id, a user's too."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return self.by_id(rows, sent["id"])


@correct(persistent=False)
class DistrustsIds(InMemory):
    """Refuses a token without a user that has a stored id, and credentials that the row has not."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_id_to_save(rows, sent)
        known = [name for name in CREDENTIALS if sent[name]]
        if row and known and not any(sent[name] == row[name] for name in known):
            raise refusal("other credentials than those of the id")
        return row


@correct(persistent=False)
class AbsorbsTheUnnamedRow(InMemory):
    """A name learned later that has a row already: one row is left, the unnamed one goes."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        own, unnamed = self.by_user(rows, sent), self.unnamed(self.by_id(rows, sent["id"]))
        if own and unnamed:
            rows.remove(unnamed)
        return own or super().match_to_save(rows, sent)


# what it is like


@correct()
class IsFalsyAndHasNoEquals(RightStore):
    """Its truth is false, comparing it raises, and it cannot be hashed."""

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        raise NotImplementedError("stores are not compared")

    __hash__ = None  # type: ignore[assignment]


@correct()
class RefusesForeignAttributes(RightStore):
    """Has slots, and takes no attribute but its own."""

    __slots__ = ("file", "location", "lock")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__slots__:
            raise AttributeError(f"{name} is none of this store's attributes")
        super().__setattr__(name, value)


@correct(persistent=False)
class HasOddlyNamedParameters(InMemory):
    """Takes its arguments by position alone, under other names, with defaults behind them."""

    def find_token(self, wanted: Any = None, /, *rest: Any) -> Any:
        return super().find_token(wanted)

    def save_token(self, /, *what: Any) -> None:
        (token,) = what
        super().save_token(token)

    def delete_token(self, which: Any, /, quietly: bool = True) -> None:
        super().delete_token(which)

    def find_token_by_id(self, key: Any, /) -> Any:
        return super().find_token_by_id(key)


@correct()
class CannotBeClosed(RightStore):
    """Has no `close` to call."""

    close = None  # type: ignore[assignment]


@correct(persistent=False)
class SleepsInEveryCall(InMemory):
    """Five milliseconds, as a store behind a network does."""

    def find_token(self, token: Any) -> Any:
        time.sleep(0.005)
        return super().find_token(token)

    def save_token(self, token: Any) -> None:
        time.sleep(0.005)
        super().save_token(token)

    def delete_token(self, id: Any) -> None:
        time.sleep(0.005)
        super().delete_token(id)

    def get_tokens(self) -> list[Any]:
        time.sleep(0.005)
        return super().get_tokens()

    def delete_tokens(self) -> None:
        time.sleep(0.005)
        super().delete_tokens()

    def find_token_by_id(self, id: Any) -> Any:
        time.sleep(0.005)
        return super().find_token_by_id(id)


@correct()
class TalksALot(RightStore):
    """Prints and logs each of its calls, without a secret."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        print(f"changing {self.file.name}")  # noqa: T201
        with super().changing() as state:
            yield state
            logging.getLogger("zoho.tokens").warning("%d rows now", len(state["rows"]))


@correct(in_location=True)
class StaysInTheCurrentDirectory(RightStore):
    """Ignores the location: a relative path, taken anew in each call."""

    def __init__(self, location: Path) -> None:
        self.location = Path()
        self.file = Path("rows.json")
        self.lock = threading.RLock()
        self.prepare()


@correct()
class WrapsAnotherStore(TokenStore):  # type: ignore[misc]
    """Counts calls and passes them on."""

    def __init__(self, location: Path) -> None:
        self.inner = RightStore(location)
        self.calls = 0

    def find_token(self, token: Any) -> Any:
        return self.counted().find_token(token)

    def save_token(self, token: Any) -> None:
        self.counted().save_token(token)

    def delete_token(self, id: Any) -> None:
        self.counted().delete_token(id)

    def get_tokens(self) -> Any:
        return self.counted().get_tokens()

    def delete_tokens(self) -> None:
        self.counted().delete_tokens()

    def find_token_by_id(self, id: Any) -> Any:
        return self.counted().find_token_by_id(id)

    def counted(self) -> RightStore:
        self.calls += 1
        return self.inner


# what it makes of values


@correct(persistent=False)
class KeepsTheExpiryAsANumber(InMemory):
    """As a column of an integer type does; it comes back as text."""

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["expires_in"]:
            try:
                sent["expires_in"] = int(sent["expires_in"])
            except ValueError:
                raise refusal("expires_in is a number") from None
        return super().match_to_save(rows, sent)

    def fill(self, token: Any, row: Fields) -> None:
        expires_in = None if row["expires_in"] is None else str(row["expires_in"])
        super().fill(token, {**row, "expires_in": expires_in})


@correct()
class EncryptsWhatItKeeps(RightStore):
    """Each row is sealed under a nonce of its own, with a toy that stands for a real cipher."""

    key = b"the key that a real store keeps elsewhere"

    def read(self) -> Any:
        state = super().read()
        return {**state, "rows": [self.opened(row) for row in state["rows"]]}

    def write(self, state: Any) -> None:
        super().write({**state, "rows": [self.sealed(row) for row in state["rows"]]})

    def sealed(self, row: Fields) -> Fields:
        text = json.dumps(row).encode()
        nonce = os.urandom(16)
        box = bytes(a ^ b for a, b in zip(text, self.stream(nonce, len(text)), strict=True))
        return {"nonce": nonce.hex(), "box": base64.b64encode(box).decode()}

    def opened(self, sealed: Fields) -> Fields:
        box = base64.b64decode(sealed["box"])
        stream = self.stream(bytes.fromhex(sealed["nonce"]), len(box))
        row: Fields = json.loads(bytes(a ^ b for a, b in zip(box, stream, strict=True)))
        return row

    def stream(self, nonce: bytes, length: int) -> bytes:
        return hashlib.shake_256(self.key + nonce).digest(length)
