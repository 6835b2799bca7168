"""A token store in a list of lists in memory, for the Zoho CRM Python SDK.

Copy this module into your project: it needs the SDK and the standard library, nothing else::

    Initializer.initialize(environment, token, store=ListStore())

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

if TYPE_CHECKING:
    from typing import TypeAlias

    Record: TypeAlias = list[str | None]

# A record is a list: the id, the user's name, the client's id and secret, the refresh, access and grant
# token, the expiry, the redirect URL, the API's domain. Absent is None.
_ID, _USER, _CLIENT, _SECRET, _REFRESH, _ACCESS, _GRANT = range(7)
_INDEXED = (_ID, _USER, _REFRESH, _ACCESS, _GRANT)


class ListStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in memory, as a list of records, each of which is a list of texts.

    They last as long as this object. Any number of threads may use it: one lock makes every call a
    single step, for readers too [THREAD-4, THREAD-5]. Records never leave the store, nor do tokens
    enter it: texts are copied both ways [SAVE-18, FIND-11]. A process that forks off has a copy.

    The list is the truth. Beside it, an index says in which places of the list a text is found, so
    that no call but `get_tokens` looks at all records; it can be made anew from the list at any time.

    What the contract leaves open: deleting an unknown id is silent; ids are decimal text and never
    given twice; `get_tokens` answers in the order of insertion. A token with the name of a stored
    user and the id of another record updates the user's record alone; with the id of another user's
    record and a new name it becomes a record of its own, under a new id.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []  # the oldest first; an empty one where one was deleted
        self._index: dict[int, dict[str, tuple[int, ...]]]  # column to text to places in the list
        self._tidy()
        self._last_number = 0
        self._brought: set[str] = set()  # ids that came with tokens, also of records long deleted

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its record and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        sent = _read(token)
        with self._lock:
            record = self._record_to_find(sent)
            return None if record is None else _fill(token, record)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's record or add one, and set the record's id on the token.

        An update replaces the fields that the token has and keeps the others.

        Raises:
            SDKException: With the code ``TOKEN_STORE``, and nothing is changed: this is no token, or
                it has a field that is not text, nothing to store, or the id of a user's record
                without the name.
        """
        if not isinstance(token, OAuthToken):
            raise _refusal("only an OAuthToken can be saved")
        sent = _read(token)
        if any(not isinstance(value, str | None) for value in sent):
            raise _refusal("every field of a token is text")
        # Look and write are one step: no other thread comes between [THREAD-3].
        with self._lock:
            record = self._record_to_update(sent)
            if record is None:
                record = self._insert(sent)
            else:
                merged = [new or old for new, old in zip(sent, record, strict=True)]
                (place,) = self._places(_ID, record[_ID])
                record = self._write(place, [record[_ID], *merged[_USER:]])
            token.set_id(record[_ID])

    def delete_token(self, id: str) -> None:
        """Delete the record with exactly this id, if there is one."""
        with self._lock:
            for place in self._places(_ID, id):
                self._write(place, [])
            if len(self._records) > 2 * len(self._index[_ID]):  # more empty ones than others
                self._tidy()

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each record, in the order of insertion."""
        with self._lock:
            return [_new_token(record) for record in self._records if record]

    def delete_tokens(self) -> None:
        """Delete every record. Their ids stay used up [DEL-5]."""
        with self._lock:
            self._records = []
            self._tidy()

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the record of exactly this id, or ``None``."""
        with self._lock:
            return next((_new_token(self._records[place]) for place in self._places(_ID, id)), None)

    # Which record a token speaks of: the first way in which some record matches, and of several such
    # records the oldest. A name outranks everything else: whoever names a user reaches no record of
    # another [SAVE-5, FIND-8].

    def _record_to_find(self, sent: Record) -> Record | None:
        if sent[_USER]:
            return self._oldest(sent, _USER) or self._oldest(sent, _ID, unnamed=True)
        return self._with_its_token(sent) or self._oldest(sent, _ID) or self._with_access_at_last(sent)

    def _record_to_update(self, sent: Record) -> Record | None:
        if sent[_USER]:
            # A new name goes to the unnamed record that the token was saved as before its user was
            # known [SAVE-14, SAVE-15].
            return (
                self._oldest(sent, _USER)
                or self._oldest(sent, _ID, unnamed=True)
                or self._oldest(sent, _GRANT, _CLIENT, _SECRET, unnamed=True)
                or self._oldest(sent, _REFRESH, _CLIENT, _SECRET, unnamed=True)
            )
        # Without a name, another credential under the id of a user's record may be anybody's.
        return (
            self._with_its_token(sent)
            or self._oldest(sent, _ID, unnamed=_has_credential(sent))
            or self._with_access_at_last(sent)
        )

    def _with_its_token(self, sent: Record) -> Record | None:
        alone = not (sent[_CLIENT] or sent[_SECRET])
        return (
            (self._oldest(sent, _ACCESS) if alone else None)
            or self._oldest(sent, _GRANT, _CLIENT, _SECRET)
            or self._oldest(sent, _REFRESH, _CLIENT, _SECRET)
        )

    def _with_access_at_last(self, sent: Record) -> Record | None:
        """An access token beside client credentials counts when nothing else says whose it is."""
        if not (sent[_CLIENT] and sent[_SECRET]) or sent[_GRANT] or sent[_REFRESH] or sent[_ID]:
            return None
        return self._oldest(sent, _ACCESS)

    def _oldest(self, sent: Record, *columns: int, unnamed: bool = False) -> Record | None:
        """The oldest record with the same text in all these columns; absent equals nothing."""
        if not all(sent[column] for column in columns):
            return None
        for place in self._places(columns[0], sent[columns[0]]):
            record = self._records[place]
            if all(record[column] == sent[column] for column in columns) and not (unnamed and record[_USER]):
                return record
        return None

    def _insert(self, sent: Record) -> Record:
        if not _has_credential(sent) and (sent[_ID] or sent[_USER]):
            raise _refusal("the token has no credential, and no record is its own")  # [SAVE-16]
        row_id = sent[_ID]
        if self._places(_ID, row_id):
            if not sent[_USER]:
                raise _refusal("the id is that of a user's record, whom this token does not name")
            row_id = None  # another user's record: this user gets one of their own [SAVE-11]
        if row_id:
            self._brought.add(row_id)
        self._records.append([])
        return self._write(len(self._records) - 1, [row_id or self._unused_id(), *sent[_USER:]])

    def _unused_id(self) -> str:
        """An id that no record has or ever had: whoever still holds a deleted one finds nobody [DEL-5]."""
        self._last_number += 1
        while str(self._last_number) in self._brought:
            self._last_number += 1
        return str(self._last_number)

    # The list and its index.

    def _write(self, place: int, record: Record) -> Record:
        """Put a record in a place of the list, or an empty one, and let the index follow.

        A whole record at once, so that an interrupt leaves no half of it.
        """
        before = self._records[place] or [None] * len(record)
        after = record or [None] * len(before)
        try:
            self._records[place] = record
            self._note(place, before, after)
        except BaseException:  # the interrupt came in between: the list is right
            self._tidy()
            raise
        return record

    def _note(self, place: int, before: Record, after: Record) -> None:
        """Let the index know which record is in a place now."""
        here = (place,)  # one object for all columns, which spares memory
        for column, places in self._index.items():
            old, new = before[column], after[column]
            if old == new:
                continue
            if old:
                places[old] = tuple(one for one in places[old] if one != place)
                if not places[old]:
                    del places[old]
            if new:
                places[new] = tuple(sorted(places[new] + here)) if new in places else here

    def _tidy(self) -> None:
        """Take the empty records out of the list, and make the index anew from it."""
        self._records = [record for record in self._records if record]
        self._index = {column: {} for column in _INDEXED}
        for place, record in enumerate(self._records):
            self._note(place, [None] * len(record), record)

    def _places(self, column: int, text: str | None) -> tuple[int, ...]:
        """Where in the list the records with this text in the column are, the oldest first."""
        return self._index[column].get(text, ()) if isinstance(text, str) else ()


def _read(token: OAuthToken) -> Record:
    """The token's fields as a record. Absent is ``None`` or ``""`` in a token, ``None`` here."""
    signature = token.get_user_signature()
    return [
        token.get_id() or None,
        (signature.get_name() or None) if signature is not None else None,
        token.get_client_id() or None,
        token.get_client_secret() or None,
        token.get_refresh_token() or None,
        token.get_access_token() or None,
        token.get_grant_token() or None,
        token.get_expires_in() or None,
        token.get_redirect_url() or None,
        token.get_api_domain() or None,
    ]


def _fill(token: OAuthToken, record: Record) -> OAuthToken:
    """Give the token the record's id, and of its other fields those that the token lacks."""
    id, user_name, client_id, secret, refresh, access, grant, expires_in, redirect_url, api_domain = record
    token.set_id(id)
    signature = token.get_user_signature()
    if signature is None or not signature.get_name():
        token.set_user_signature(UserSignature(user_name) if user_name else None)
    if not token.get_client_id():
        token.set_client_id(client_id)
    if not token.get_client_secret():
        token.set_client_secret(secret)
    if not token.get_refresh_token():
        token.set_refresh_token(refresh)
    if not token.get_access_token():
        token.set_access_token(access)
    if not token.get_grant_token():
        token.set_grant_token(grant)
    if not token.get_expires_in():
        token.set_expires_in(expires_in)
    if not token.get_redirect_url():
        token.set_redirect_url(redirect_url)
    if not token.get_api_domain():
        token.set_api_domain(api_domain)
    return token


def _new_token(record: Record) -> OAuthToken:
    # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5].
    return _fill(OAuthToken(id=record[_ID]), record)


def _has_credential(record: Record) -> bool:
    return bool(record[_GRANT] or record[_REFRESH] or record[_ACCESS])


def _refusal(message: str) -> SDKException:
    return SDKException(code=Constants.TOKEN_STORE, message=message)
