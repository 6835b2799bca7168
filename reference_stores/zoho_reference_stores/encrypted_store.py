"""A token store that keeps its secrets encrypted in another store, for the Zoho CRM Python SDK.

``zoho-tokenstore copy encrypted my_store.py`` copies this module, and `token_fields`, which it imports. They
need the SDK and ``cryptography``::

    keys = [os.environ["TOKEN_KEY"]]  # made once with cryptography.fernet.Fernet.generate_key()
    store = EncryptedStore(SQLiteFileStore("tokens.db"), keys)
    Initializer.initialize(environment, token, store=store)

Why not Fernet: the inner store finds its rows by comparing these very fields, and merges an update
into its row field by field, in one step that only it can make. So the same secret has to become the same
text each time, and each field has to stand for itself; Fernet makes another text each time, and a
digest beside it would make the fields unequal again. AES-SIV (RFC 5297) is made for this: its synthetic
IV is a keyed digest of the field's name and the secret, by which equal ones match, and what follows
is the ciphertext, encrypted with another key than the digest's. Keys look and rotate as those of
`MultiFernet`.

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import base64
import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .token_fields import (
    FIELDS,
    Fields,
    fill_token,
    new_token,
    read_token,
    read_token_to_save,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SECRET = ("client_secret", "refresh_token", "access_token", "grant_token")
_VERSION = "siv1"


class EncryptedStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Passes calls on to another store with client secrets and all tokens encrypted.

    The inner store never gets one of them in the clear, neither to keep nor to look for. Ids, user names,
    client ids, expiry, redirect URLs and API domains it gets as they are: it needs them, or they are no
    secret. What it keeps still tells which rows share a secret, and how long each is; who can write to
    it can put an older or another row's value in the place of one. An encrypted value is text in
    ASCII, a third longer and 36 characters: where 255 fit, so does a secret of 164 bytes.

    **Keys** are 32 random bytes each in URL-safe base64, as `Fernet.generate_key` makes them. The first
    encrypts new rows; each one decrypts. To bring in a new one, put it last on every node, then first on
    every node; call `rotate` once, and take the old one away. While there are several, rows are found that
    any of them encrypted. A row stays under its key until `rotate`: a save sends what it was given, and
    writes nothing that it has read, so that it undoes no other node's save.

    A value that was altered, that is not encrypted, or whose key is not here, raises: it is never taken
    for no value, and no row is added beside it. For this a save looks for its row first, and all rows are
    read before one is added or nothing is found. So an existing store is not taken over in place; copy it:
    ``for token in old.get_tokens(): encrypted.save_token(token)``.

    A signal handler may call the store; in the middle of `rotate` in its own thread it is refused.

    Everything else, such as leases for `SingleFlightStore`, is the inner store's.

    Args:
        inner: Any store that keeps the contract.
        keys: The newest first.

    Attributes:
        inner: The store that keeps the tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE`` and no secret in it, when something
            cannot be decrypted; and what the inner store raises. ValueError: A key has another form.
    """

    def __init__(self, inner: Any, keys: Sequence[str | bytes]) -> None:
        if not isinstance(inner, TokenStore):
            raise TypeError(f"an encrypted store takes the store that keeps the tokens, not {inner!r:.80}")
        if getattr(inner, "is_outermost", False):
            raise TypeError(f"put {type(inner).__name__} around this store, not this one around it")
        self.inner = inner
        secrets = [] if isinstance(keys, str | bytes) else [_secret_of(key) for key in keys]
        del keys  # no frame of an exception shows one [SECRET-2]
        if not secrets:
            raise ValueError("an encrypted store needs a list of keys, one at least")
        self._keys = [_Key(secret) for secret in secrets if secret is not None]
        if len(self._keys) < len(secrets):
            raise ValueError("a key is 32 bytes in URL-safe base64, as Fernet.generate_key makes it")
        self._known = {key.name: key for key in self._keys}
        self._begin()
        _STORES[id(self)] = self

    def _begin(self) -> None:
        # Where there are several keys, a row may be rewritten: one thread at a time.
        alone = len(self._keys) == 1
        self._writing: Any = contextlib.nullcontext() if alone else threading.RLock()
        self._rotating = False

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return self.inner.find_token(token)
        fields = read_token(token)
        # The oldest key first: a row that is rewritten meanwhile moves to where is still to be looked.
        for key in reversed(self._keys_for(fields)):
            found = self.inner.find_token(_encrypted(fields, key))
            if found is not None:
                return fill_token(token, self._decrypted(found))
        self._check_all()
        return None

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token."""
        fields = read_token_to_save(token)
        with self._writing:
            self._check_rotating()
            sent = _encrypted(fields, self._key_to_save(fields))
            self.inner.save_token(sent)
        token.set_id(sent.get_id())

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id."""
        with self._writing:
            self._check_rotating()
            self.inner.delete_token(id)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row."""
        return [new_token(self._decrypted(row)) for row in self.inner.get_tokens()]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with self._writing:
            self._check_rotating()
            self.inner.delete_tokens()

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        row = self.inner.find_token_by_id(id)
        return None if row is None else new_token(self._decrypted(row))

    def rotate(self) -> int:
        """Encrypt with the first key what another one has encrypted.

        Other processes may go on reading. What one of them saves or deletes in the instant between reading
        and rewriting that very row is undone.

        Returns:
            How many rows were rewritten.

        Raises:
            SDKException: With the ids of rows that cannot be decrypted or rewritten; all others are.
        """
        with self._writing:
            self._check_rotating()
            try:
                self._rotating = True
                rewritten, left = self._rewrite_all()
            finally:
                self._rotating = False
        if left:
            raise refusal(f"these rows are still encrypted with another key than the first: {_listed(left)}")
        return rewritten

    def close(self) -> None:
        """Close the inner store, if it can be closed."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> EncryptedStore:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name == "inner" or name.startswith("__"):
            raise AttributeError(name)  # while it is made or copied
        return getattr(self.inner, name)

    # ---------------------------------------------------------------------------------------------
    # Decrypting.

    def _decrypted(self, row: OAuthToken) -> Fields:
        fields = read_token(row)
        for field in _SECRET:
            if fields[field]:
                fields[field] = self._key_of(fields, field).decrypt(field, fields)
        return fields

    def _key_of(self, fields: Fields, field: str) -> _Key:
        key = self._known.get(_key_name(fields[field]))
        if key is None:
            raise _unreadable(field)
        return key

    def _check_all(self) -> None:
        """Refuse to go on where rows are encrypted with other keys: they might be those looked for."""
        rows = map(read_token, self.inner.get_tokens())
        strange = [str(row["id"]) for row in rows if not _key_names(row) <= self._known.keys()]
        if strange:
            raise refusal(
                "these rows are not encrypted, or with a key that this store does not have: "
                + _listed(strange)
            )

    # ---------------------------------------------------------------------------------------------
    # Several keys. The secrets of a row all have the same key, or else no single look-up would find it.

    def _keys_for(self, fields: Fields) -> list[_Key]:
        """The keys that can make a difference: a name is looked for as it is, and so is an id alone."""
        return self._keys if not fields["user_name"] and _secrets_of(fields) else self._keys[:1]

    def _key_to_save(self, fields: Fields) -> _Key:
        """The key to save a token with: that of the row which it is saved to, or else the first."""
        row = self._row_to_update(fields)
        if row is None:
            self._check_all()
            return self._keys[0]
        keys = [self._key_of(row, field) for field in _secrets_of(row)]
        return keys[0] if keys else self._keys[0]

    def _row_to_update(self, fields: Fields) -> Fields | None:
        """The row of the inner store that a token might be saved to."""
        sought = [(Fields(fields, user_name=None), key) for key in reversed(self._keys)]
        if fields["user_name"]:  # one that is new may go to an unnamed row, of any key
            sought.insert(0, (Fields(dict.fromkeys(FIELDS), user_name=fields["user_name"]), self._keys[0]))
        for one, key in sought:
            found = self.inner.find_token(_encrypted(one, key))
            if found is not None:
                return read_token(found)
        return None

    def _check_rotating(self) -> None:
        if self._rotating:  # by this thread, which has the lock
            raise refusal("a signal handler called the store while it was encrypted with another key")

    def _rewrite_all(self) -> tuple[int, list[str]]:
        """Rewrite the rows of other keys than the first; returns how many, and the ids of those left."""
        rewritten, left = 0, []
        for listed in self.inner.get_tokens():
            row = self.inner.find_token_by_id(listed.get_id())  # as it is now
            if row is None or _key_names(read_token(row)) <= {self._keys[0].name}:
                continue
            try:
                done = self._rewrite(row)
            except SDKException:
                done = False
            if done:
                rewritten += 1
            else:
                left.append(row.get_id())
        return rewritten, left

    def _rewrite(self, row: OAuthToken) -> bool:
        """Encrypt a row of the inner store with the first key; whether that was possible."""
        new = _encrypted(self._decrypted(row), self._keys[0])
        if row.get_user_signature() is None:
            # It is addressed by its id alone: of its new secrets, no other row may have one.
            new.set_id(None)
            other = self.inner.find_token(new)
            if other is not None and other.get_id() != row.get_id():
                return False
            new.set_id(row.get_id())
        try:
            self.inner.save_token(new)
        except SDKException:
            return False
        if new.get_id() != row.get_id():
            self.inner.delete_token(new.get_id())  # it was added as another row
            return False
        return True


# ---------------------------------------------------------------------------------------------
# Keys and values. A value is "siv1.NAME.TEXT": the name of its key, and what AES-SIV made, in base64.


class _Key:
    """One key: what it encrypts is the same each time, and another in each field."""

    def __init__(self, secret: _Secret) -> None:
        # The key of the digest and that of the encryption, 256 bits each, are AES-SIV's two halves.
        self._cipher = AESSIV(_derived(secret, b"AES-SIV", 64))
        self.name = _derived(secret, b"name", 4).hex()

    def encrypt(self, field: str, fields: Fields) -> str:
        """What a token's field becomes; what is no text equals nothing that is stored."""
        if not isinstance(fields[field], str):
            return self._value(self._cipher.encrypt(b"no text", [b"no text"]))
        return self._value(
            self._cipher.encrypt(str(fields[field]).encode(errors="surrogatepass"), [field.encode()])
        )

    def decrypt(self, field: str, fields: Fields) -> str:
        """The secret in a row's field, if this key made all of it in this field."""
        with contextlib.suppress(ValueError, InvalidTag):
            # Several texts in base64 stand for the same bytes: only one of them is made.
            if self._value(_sealed(fields[field])) == fields[field]:
                return str(
                    self._cipher.decrypt(_sealed(fields[field]), [field.encode()]),
                    "utf-8",
                    errors="surrogatepass",
                )
        raise _unreadable(field)

    def _value(self, sealed: bytes) -> str:
        return f"{_VERSION}.{self.name}.{base64.urlsafe_b64encode(sealed).decode()}"


class _Secret(bytes):
    """The bytes of a key; its `repr` does not show them."""

    def __repr__(self) -> str:
        return "<key>"


def _secret_of(key: str | bytes) -> _Secret | None:
    """The bytes that a key stands for; ``None`` where it has another form."""
    try:
        secret = _Secret(base64.b64decode(key, altchars=b"-_", validate=True))
    except (TypeError, ValueError):
        return None
    return secret if len(secret) == 32 else None


def _sealed(text: Any) -> bytes:
    return base64.b64decode(text.rpartition(".")[2], altchars=b"-_", validate=True)


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    info = b"Zoho token store, " + purpose
    derived: bytes = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(secret)
    return derived


def _key_name(text: Any) -> str:
    version, _, rest = text.partition(".")
    return rest.partition(".")[0] if version == _VERSION else ""


def _key_names(row: Fields) -> set[str]:
    return {_key_name(row[field]) for field in _secrets_of(row)}


def _secrets_of(fields: Fields) -> list[str]:
    """The names of the secrets that a token has."""
    return [field for field in _SECRET if fields[field]]


def _encrypted(fields: Fields, key: _Key) -> OAuthToken:
    """A new token for the inner store, with these fields but for its secrets."""
    fields = Fields(fields)
    for field in _secrets_of(fields):
        fields[field] = key.encrypt(field, fields)
    # The constructor insists on one of its fields, which the row's id replaces.
    return fill_token(OAuthToken(id="none"), fields)


def _unreadable(field: str) -> SDKException:
    return refusal(f"a stored {field} was altered, or encrypted with a key that this store does not have")


def _listed(ids: list[str]) -> str:
    return ", ".join(map(repr, ids[:20])) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")


# ---------------------------------------------------------------------------------------------
# Forks. A thread of the parent may have held the lock.

_STORES: weakref.WeakValueDictionary[int, EncryptedStore] = weakref.WeakValueDictionary()


def _after_fork() -> None:
    for store in list(_STORES.values()):
        store._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
