"""A token store that looks in a new store and then in an old one, for the Zoho CRM Python SDK.

``zoho-tokenstore copy fallback my_store.py`` copies this module and what it imports. They need the
SDK and the standard library, nothing else::

    store = FallbackStore(SQLiteFileStore("tokens.db"), FileStore("tokens.csv"))
    Initializer.initialize(environment, token, store=store)

It is for the time in which users move from one store to another: it saves in the new store alone. Take it out
again, and the old store with it, when every row of the old store is in the new one.

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .token_fields import CREDENTIALS, FIELDS, Fields, fill_token, present, random_id, read_token, refusal
from .token_lookup import KEYS, key_digests

if TYPE_CHECKING:
    from typing import Any


class FallbackStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Finds in a new store, else in an old one, and saves in the new one alone.

    A row of the old store is hidden from the moment that the new one has a row of the same login: the same
    user, or, without a user name, the same id or credential. The first save of a user takes the row over,
    with its id and the fields that the saved token lacks. An id that the store makes up is one that neither
    store has, so that an id of the old store never leads to another user.

    Deleting a token deletes it in both stores, or it would be found again in the old one. Nothing else is
    written to the old store; it may be in use by other nodes, whose saves are seen until the user is in the
    new store.

    The old store may be one that breaks the contract, such as the SDK's own: what it finds is taken only if
    it is the row that was asked for, and what it raises where it finds nothing is a miss.

    Args:
        new: The store that keeps the tokens from now on. It is empty, or was filled by
            ``zoho-tokenstore move``, and keeps the contract.
        old: The store that kept them so far.

    Attributes:
        new: The new store.
        old: The old store.

    Raises:
        SDKException: What either store raises, from every method.
    """

    def __init__(self, new: Any, old: Any) -> None:
        self.new = new
        self.old = old

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None``."""
        if not isinstance(token, OAuthToken):
            return self.new.find_token(token)
        # What identifies the token outranks its id, whichever store has the one and the other.
        for sent in (_copy(token, id=None), token) if _ways(read_token(token)) else (token,):
            # The new store is asked again at the end: a save may have taken the row over meanwhile.
            for find in (self.new.find_token, self._find_old, self.new.find_token):
                row = find(sent)
                if row is not None:
                    return _fill(token, row)
        return None

    def save_token(self, token: OAuthToken) -> None:
        """Save the token in the new store, and set the row's id on it."""
        if not isinstance(token, OAuthToken):
            self.new.save_token(token)
            return
        sent, id = _copy(token), token.get_id()
        is_new = (
            self.new.find_token(_copy(token, id=None) if _ways(read_token(token)) else _copy(token)) is None
        )
        row = self._find_old(token, to_save=True) if is_new else None
        if row is not None:
            # The saved fields replace those of the row, which is saved with them, under its id [SAVE-13].
            _fill(sent, row)
            sent.set_id(row.get_id() or self._unused_id())
        elif is_new:
            if id and self.new.find_token_by_id(id) is None and self._old_by_id(id) is not None:
                # The id of another login in the old store must not lead to this one [SAVE-11].
                sent.set_id(None)
            if not sent.get_id() and not CREDENTIALS.isdisjoint(present(read_token(sent))):
                sent.set_id(self._unused_id())
        self.new.save_token(sent)
        token.set_id(sent.get_id())

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, and in the old store every state of its login."""
        row = self.new.find_token_by_id(id)
        meant = _keys(row) if row is not None else set()
        if row is None and (old := self._old_by_id(id)) is not None and not self._is_replaced(old):
            meant = _reached(old)
        # The old store first: were the process killed in between, an old state would come back otherwise.
        for old in self._old_tokens() if meant else ():
            if not meant.isdisjoint(_reached(old)):
                if not old.get_id():
                    raise refusal("a row of this login in the old store has no id to delete it by")
                self.old.delete_token(old.get_id())
        self.new.delete_token(id)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row: of the new store, and of the old one where the new has none."""
        tokens = list(self.new.get_tokens())
        replaced = {key for token in tokens for key in _keys(token)}
        return tokens + [old for old in self._old_tokens() if replaced.isdisjoint(_reached(old))]

    def delete_tokens(self) -> None:
        """Delete every row of both stores."""
        self.old.delete_tokens()
        self.new.delete_tokens()

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        found = self.new.find_token_by_id(id)
        if found is not None:
            return found
        row = self._old_by_id(id)
        if row is None:
            return None
        # A save may have taken the row over meanwhile.
        return self.new.find_token_by_id(id) if self._is_replaced(row) else row

    def close(self) -> None:
        """Close both stores, where they can be closed."""
        for store in (self.new, self.old):
            close = getattr(store, "close", None)
            if close is not None:
                close()

    def __enter__(self) -> FallbackStore:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        # Leases, where the new store has them, for a `SingleFlightStore` around this one.
        if name in ("acquire_lease", "release_lease"):
            return getattr(self.new, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # ---------------------------------------------------------------------------------------------
    # The old store. Nobody trusts it: a row counts if it is exactly the one that was asked for.

    def _find_old(self, token: OAuthToken, *, to_save: bool = False) -> OAuthToken | None:
        """The row of the old store that a token speaks of, unless the new store has that login."""
        sent = read_token(token)
        ways = [(way, False) for way in _ways(sent)]
        if sent["user_name"] and to_save:
            # A new name goes to the row that the token was saved as before its user was known
            # [SAVE-14, SAVE-15].
            unnamed = [way for way in _ways(Fields(sent, user_name=None)) if len(way) > 1]
            ways += [(way, True) for way in (KEYS["id"], *unnamed)]
        else:
            # Another credential under the id of a user's row may be anybody's.
            has_credential = not CREDENTIALS.isdisjoint(present(sent))
            ways.append((KEYS["id"], bool(sent["user_name"]) or (to_save and has_credential)))
        for way, without_name in ways:
            row = self._old_row(sent, way, unnamed=without_name)
            if row is not None and not self._is_replaced(row):
                return row
        return None

    def _old_row(self, sent: Fields, way: tuple[str, ...], *, unnamed: bool) -> OAuthToken | None:
        """The row of the old store that has these fields of the token; `unnamed`: and no user."""

        def is_meant(row: OAuthToken | None) -> bool:
            if row is None:
                return False
            fields = read_token(row)
            same = [fields[name] for name in way] == [sent[name] for name in way]
            return same and not (unnamed and fields["user_name"])

        if way == KEYS["id"]:
            row = self._old_by_id(sent["id"])
            return row if is_meant(row) else None
        asked = _made(Fields({name: sent[name] if name in way else None for name in FIELDS}))
        if self.old.find_token(asked) is None:
            return None
        # Of what it answers, the id alone says which row it is.
        row = self._old_by_id(asked.get_id())
        return row if is_meant(row) else next(filter(is_meant, self._old_tokens()), None)

    def _old_by_id(self, id: str | None) -> OAuthToken | None:
        if not isinstance(id, str) or not id:
            return None
        try:
            row = self.old.find_token_by_id(id)
        except SDKException:
            # The SDK's own stores raise on a miss; where the storage fails, listing raises too.
            found = [row for row in self._old_tokens() if row.get_id() == id]
            return found[0] if found else None
        return _copy(row) if row is not None and row.get_id() == id and not _is_header(row) else None

    def _old_tokens(self) -> list[OAuthToken]:
        return [_copy(row) for row in self.old.get_tokens() if not _is_header(row)]

    def _is_replaced(self, old: OAuthToken) -> bool:
        """Whether the new store has a row of the same login."""
        row = self.new.find_token_by_id(old.get_id()) if old.get_id() else None
        if row is not None and not _keys(row).isdisjoint(_reached(old)):
            return True
        return self.new.find_token(_copy(old, id=None)) is not None

    def _unused_id(self) -> str:
        """An id that neither store has: as long as any store keeps [SAVE-3], so that none comes twice."""
        while True:
            id = random_id()
            if self.new.find_token_by_id(id) is None and self._old_by_id(id) is None:
                return id


# ---------------------------------------------------------------------------------------------
# Tokens. Their texts stand in `Fields`, which show none, and never in a variable of their own.


def _made(fields: Fields) -> OAuthToken:
    """A whole token with these fields; see BYID-5."""
    return fill_token(OAuthToken(id="lent"), fields)


def _copy(token: OAuthToken, **changes: None) -> OAuthToken:
    """A token with the same fields, but for those that it is to lack."""
    return _made(Fields(read_token(token), **changes))


def _fill(token: OAuthToken, row: OAuthToken) -> OAuthToken:
    """Give the token the row's id, and of the row's other fields those that it lacks."""
    return fill_token(token, read_token(row))


def _is_header(row: OAuthToken) -> bool:
    """Whether this is the header line of a file, which the SDK's `FileStore` takes for a token."""
    return bool(row.get_id() == "id" and row.get_client_secret() == "client_secret")


def _ways(sent: Fields) -> list[tuple[str, ...]]:
    """The fields that identify a token, most important first: a user name outranks everything else."""
    if sent["user_name"]:
        return [KEYS["user_name"]]
    if not (sent["client_id"] or sent["client_secret"]):
        return [KEYS["access_token"]] if sent["access_token"] else []
    has = present(sent)
    return [way for way in (KEYS["grant_token"], KEYS["refresh_token"]) if set(way).issubset(has)]


def _keys(row: OAuthToken) -> set[tuple[str, str]]:
    """Everything by which a row of the new store can be found, as digests."""
    return set(key_digests(read_token(row)).items())


def _reached(old: OAuthToken) -> set[tuple[str, str]]:
    """By which of its fields a row of the old store is of the same login as one of the new store."""
    sent = read_token(old)
    names = {way[0] for way in _ways(sent)} | (set() if sent["user_name"] else {"id"})
    return {(name, key) for name, key in key_digests(sent).items() if name in names}
