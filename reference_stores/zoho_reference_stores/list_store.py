"""A token store in a list of lists in memory, for the Zoho CRM Python SDK.

``zoho-tokenstore copy list my_store.py`` copies this module, and `token_fields`, which it imports. They
need the SDK and the standard library, nothing else::

    Initializer.initialize(environment, token, store=ListStore())

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore

from .token_fields import (
    FIELDS,
    Fields,
    Way,
    fill_token,
    id_to_insert,
    new_token,
    present,
    random_id,
    read_token,
    read_token_to_save,
    refusal,
    ways_to_find,
    ways_to_update,
)

_COLUMN = {field: column for column, field in enumerate(FIELDS)}
_ID, _USER = _COLUMN["id"], _COLUMN["user_name"]
_INDEXED = ("id", "user_name", "refresh_token", "access_token", "grant_token")

_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Record(list[str | None]):
    """The texts of one token, in the order of `FIELDS`; absent is ``None``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<record>"  # it has secrets [SECRET-2]


class _Places(dict[str | None, tuple[int, ...]]):
    """Which records have a text in one field: their places in the list, the oldest first."""

    def __repr__(self) -> str:
        return "<index>"


def _one_at_a_time(method: _Method) -> _Method:
    """Make every call a single step, also where a signal handler calls in the middle of another call."""

    @functools.wraps(method)
    def call(self: ListStore, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            if self._busy:
                raise refusal("a signal handler called the store in the middle of another call")
            try:
                self._busy = True
                return method(self, *arguments, **named)
            finally:
                self._busy = False

    return call  # type: ignore[return-value]


class ListStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in memory, as a list of records, each of which is a list of texts.

    They last as long as this object. Any number of threads may use it: one lock makes every call a
    single step, for readers too [THREAD-4, THREAD-5]. Records never leave the store, nor do tokens
    enter it: texts are copied both ways [SAVE-18, FIND-11]. A process that forks off has a copy.

    An exception that a signal handler raises ends the call that it interrupts, and nothing else
    [CRASH-6]. A handler may call the store; in the middle of a call of its own thread it is refused.

    The list is the truth. Beside it, an index says in which places of the list a text is found, so
    that no call but `get_tokens` looks at all records. It can be made anew from the list at any time,
    and is when a change of it was interrupted.

    What the contract leaves open: deleting an unknown id is silent; ids are ten random decimal digits and
    never given twice, so that an id that somebody kept when the process ended leads to nobody in the next
    one; `get_tokens` answers in the order of insertion. A token with the name of a stored user and the id
    of another record updates the user's record alone; with the id of another user's record and a new name
    it becomes a record of its own, under a new id.
    """

    def __init__(self) -> None:
        self._records: list[_Record | None] = []  # the oldest first; None where one was deleted
        self._index: dict[str, _Places] | None = None
        self._used_ids: set[str] = set()  # also of records long deleted
        self._unlock()
        _STORES[id(self)] = self

    def _unlock(self) -> None:
        self._lock = threading.RLock()
        self._busy = False

    @_one_at_a_time
    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its record and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        sent = read_token(token)
        place = self._first(sent, ways_to_find(present(sent)))
        return None if place is None else fill_token(token, self._row(place))

    @_one_at_a_time
    def save_token(self, token: OAuthToken) -> None:
        """Update the token's record or add one, and set the record's id on the token.

        An update replaces the fields that the token has and keeps the others.

        Raises:
            SDKException: With the code ``TOKEN_STORE``, and nothing is changed: this is no token, or
                it has a field that is not text, nothing to store, or the id of a user's record
                without the name.
        """
        sent = read_token_to_save(token)
        place = self._first(sent, ways_to_update(present(sent)))
        if place is None:
            id = id_to_insert(sent, taken=bool(self._places("id", sent))) or self._unused_id()
            self._used_ids.add(id)
            sent["id"] = id
            self._records.append(None)
            place = len(self._records) - 1
        else:
            stored = self._row(place)
            sent = Fields({field: sent[field] or stored[field] for field in FIELDS}, id=stored["id"])
        self._put(place, _Record(sent.values()))
        token.set_id(sent["id"])

    @_one_at_a_time
    def delete_token(self, id: str) -> None:
        """Delete the record with exactly this id, if there is one."""
        for place in self._places("id", {"id": id}):
            self._put(place, None)
        if self._index and len(self._records) > 2 * len(self._index["id"]):  # more deleted than others
            self._index, self._records = None, [record for record in self._records if record]

    @_one_at_a_time
    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each record, in the order of insertion."""
        return [new_token(_as_row(record)) for record in self._records if record]

    @_one_at_a_time
    def delete_tokens(self) -> None:
        """Delete every record. Their ids stay used up [DEL-5]."""
        self._index, self._records = None, []

    @_one_at_a_time
    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the record of exactly this id, or ``None``."""
        places = self._places("id", {"id": id})
        return new_token(self._row(places[0])) if places else None

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} is memory: it cannot be copied or pickled")

    # The list and its index.

    def _row(self, place: int) -> Fields:
        return _as_row(self._records[place] or [])

    def _first(self, sent: Fields, ways: tuple[Way, ...]) -> int | None:
        """The place of the oldest record that matches in the first way in which some record does."""
        for way in ways:
            for place in self._places(way.fields[0], sent):
                record = self._records[place]
                assert record is not None
                if all(record[_COLUMN[field]] == sent[field] for field in way.fields) and not (
                    way.unnamed and record[_USER]
                ):
                    return place
        return None

    def _places(self, field: str, sent: Mapping[str, Any]) -> tuple[int, ...]:
        """Where in the list the records are that have the sent text in this field, the oldest first."""
        if self._index is None:
            index = {one: _Places() for one in _INDEXED}
            for place, record in enumerate(self._records):
                _note(index, place, None, record)
            self._index = index
        return self._index[field].get(sent[field], ()) if isinstance(sent[field], str) else ()

    def _unused_id(self) -> str:
        """An id that no record ever had [DEL-5]."""
        while (id := random_id()) in self._used_ids:
            pass
        return id

    def _put(self, place: int, record: _Record | None) -> None:
        """Put a record in a place of the list, whole and at once, and let the index follow."""
        before = self._records[place]
        # There is no index until it is right again, so that an interrupt leaves none that is wrong.
        index, self._index = self._index, None
        self._records[place] = record
        if index is not None:
            _note(index, place, before, record)
        self._index = index


def _as_row(record: list[str | None]) -> Fields:
    return Fields(zip(FIELDS, record, strict=True))


def _note(index: dict[str, _Places], place: int, before: _Record | None, after: _Record | None) -> None:
    """Let an index know which record was in a place, and which is there now."""
    here = (place,)  # one object for all fields, which spares memory
    for field, places in index.items():
        column = _COLUMN[field]
        if before and after and before[column] == after[column]:
            continue
        if before and before[column]:
            left = tuple([one for one in places[before[column]] if one != place])
            if left:
                places[before[column]] = left
            else:
                del places[before[column]]
        if after and after[column]:
            others = places.get(after[column], ())
            places[after[column]] = tuple(sorted(others + here)) if others else here


# ---------------------------------------------------------------------------------------------
# Forks. A thread of the parent may have held the lock.

_STORES: weakref.WeakValueDictionary[int, ListStore] = weakref.WeakValueDictionary()


def _after_fork() -> None:
    for store in list(_STORES.values()):
        store._unlock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
