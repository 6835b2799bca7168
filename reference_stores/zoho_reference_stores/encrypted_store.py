"""A token store that keeps its secrets encrypted in another store, for the Zoho CRM Python SDK.

Copy this module into your project: it needs the SDK and ``cryptography``::

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
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

_SECRET = ("client_secret", "refresh_token", "access_token", "grant_token")
_PLAIN = ("client_id", "expires_in", "redirect_url", "api_domain")
_VERSION = "siv1"


class EncryptedStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Passes calls on to another store with client secrets and all tokens encrypted.

    The inner store never gets one of them in the clear, neither to keep nor to look for. Ids, user names,
    client ids, expiry, redirect URLs and API domains it gets as they are: it needs them, or they are no
    secret. What it keeps still tells which rows share a secret, and how long each is; who can write to
    it can put an older or another row's value in the place of one. An encrypted value is text in
    ASCII, a third longer and 36 characters: where 255 fit, so does a secret of 164 bytes.

    **Keys** are 32 random bytes each in URL-safe base64, as `Fernet.generate_key` makes them. The first
    encrypts; each one decrypts. To bring in a new one, put it last on every node, then first on every
    node; call `rotate` once, and take the old one away. While there are several, rows are found that any
    of them encrypted, and what is saved is encrypted with the first, the row's other secrets too.

    A value that was altered, that is not encrypted, or whose key is not here, raises: it is never taken
    for no value, and no row is added beside it. For this a store object reads all rows once, before
    its first save and before it first finds nothing. So an existing store is not taken over
    in place; copy it: ``for token in old.get_tokens(): encrypted.save_token(token)``.

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
        self.inner = inner
        self._keys = [_Key(key) for key in keys]
        if not self._keys:
            raise ValueError("an encrypted store needs a key")
        self._known = {key.name: key for key in self._keys}
        self._all_known = False  # every stored value was once seen to be of a key that is here
        self._begin()
        _STORES.add(self)

    def _begin(self) -> None:
        # Where there are several keys, a save may look before it writes: one thread at a time.
        alone = len(self._keys) == 1
        self._writing: Any = contextlib.nullcontext() if alone else threading.Lock()

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return self.inner.find_token(token)
        # The oldest key first: a row that is rewritten meanwhile moves to where is still to be looked.
        for key in reversed(self._keys_for(token)):
            found = self.inner.find_token(_encrypted(token, key))
            if found is not None:
                return self._fill(token, found)
        self._check_all()
        return None

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token."""
        if not isinstance(token, OAuthToken):
            self.inner.save_token(token)
            return
        if any(not isinstance(getattr(token, f"get_{field}")() or "", str) for field in _SECRET):
            raise _refusal("every field of a token is text")
        self._check_all()
        with self._writing:
            key = self._bring_forward(token) if len(self._keys) > 1 else self._keys[0]
            sent = _encrypted(token, key)
            self.inner.save_token(sent)
        token.set_id(sent.get_id())

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id."""
        with self._writing:
            self.inner.delete_token(id)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row."""
        return [self._decrypted(row) for row in self.inner.get_tokens()]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with self._writing:
            self.inner.delete_tokens()

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        row = self.inner.find_token_by_id(id)
        return None if row is None else self._decrypted(row)

    def rotate(self) -> int:
        """Encrypt with the first key what another one has encrypted.

        Other processes may go on reading. What one of them saves or deletes in the instant between reading
        and rewriting that very row is undone.

        Returns:
            How many rows were rewritten.

        Raises:
            SDKException: With the ids of rows that cannot be decrypted or rewritten; all others are.
        """
        rewritten, left = 0, []
        with self._writing:
            for listed in self.inner.get_tokens():
                row = self.inner.find_token_by_id(listed.get_id())  # as it is now
                if row is None or self._is_newest(row):
                    continue
                try:
                    done = self._rewrite(row)
                except SDKException:
                    done = False
                if done:
                    rewritten += 1
                else:
                    left.append(row.get_id())
        if left:
            raise _refusal(f"these rows are still encrypted with another key than the first: {_listed(left)}")
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
        if name == "inner":
            raise AttributeError(name)  # while it is made or copied
        return getattr(self.inner, name)

    # ---------------------------------------------------------------------------------------------
    # Decrypting.

    def _decrypted(self, row: OAuthToken) -> OAuthToken:
        # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5].
        return self._fill(OAuthToken(id=row.get_id()), row)

    def _fill(self, token: OAuthToken, row: OAuthToken) -> OAuthToken:
        """Give the token the row's id, and of its other fields those that the token lacks."""
        lacking = [field for field in (*_SECRET, *_PLAIN) if not getattr(token, f"get_{field}")()]
        values = {field: getattr(row, f"get_{field}")() for field in lacking}
        for field in _SECRET:
            if values.get(field):
                values[field] = self._decrypt(field, values[field])
        token.set_id(row.get_id())
        if not _user_name(token):
            name = _user_name(row)
            token.set_user_signature(UserSignature(name) if name else None)
        for field, value in values.items():
            getattr(token, f"set_{field}")(value)
        return token

    def _decrypt(self, field: str, text: str) -> str:
        key = self._known.get(_key_name(text))
        plain = None if key is None else key.decrypt(field, text)
        if plain is None:
            raise _refusal(
                f"a stored {field} was altered, or encrypted with a key that this store does not have"
            )
        return plain

    def _check_all(self) -> None:
        """Refuse to go on where rows are encrypted with other keys: they might be those looked for."""
        if self._all_known:
            return
        rows = self.inner.get_tokens()
        strange = [row.get_id() for row in rows if any(name not in self._known for name in _key_names(row))]
        if strange:
            raise _refusal(
                "these rows are not encrypted, or with a key that this store does not have: "
                + _listed(strange)
            )
        self._all_known = bool(rows)  # an empty store says nothing about the keys

    # ---------------------------------------------------------------------------------------------
    # Several keys. The secrets of a row all have the same key, or else no single look-up would find it.

    def _keys_for(self, token: OAuthToken) -> list[_Key]:
        """The keys that can make a difference: a name is looked for as it is, and so is an id alone."""
        by_secret = not _user_name(token) and any(getattr(token, f"get_{field}")() for field in _SECRET)
        return self._keys if by_secret else self._keys[:1]

    def _bring_forward(self, token: OAuthToken) -> _Key:
        """Rewrite with the first key each row that the token might be saved to.

        Returns:
            The key to save the token with: an older one where the inner store does not let such a row be
            rewritten.
        """
        to_use = self._keys[0]
        for key, fields in self._searches(token):
            # Several rows may share a secret; one that was rewritten is not found again.
            while (row := self.inner.find_token(_made(fields))) is not None and not self._is_newest(row):
                if not self._rewrite(row):
                    to_use = key
                    break
        return to_use

    def _searches(self, token: OAuthToken) -> Iterator[tuple[_Key, dict[str, Any]]]:
        """The fields by which rows are found that the token might be saved to, and the key in question."""
        for field in ("id", "user_signature"):
            yield self._keys[0], {field: getattr(token, f"get_{field}")()}
        for key in self._keys[1:]:
            sent = _encrypted(token, key)
            client = {field: getattr(sent, f"get_{field}")() for field in ("client_id", "client_secret")}
            for field in ("access_token", "grant_token", "refresh_token"):
                yield key, {**client, field: getattr(sent, f"get_{field}")()}

    def _is_newest(self, row: OAuthToken) -> bool:
        return all(name == self._keys[0].name for name in _key_names(row))

    def _rewrite(self, row: OAuthToken) -> bool:
        """Encrypt a row of the inner store with the first key; whether that was possible."""
        new = _encrypted(self._decrypted(row), self._keys[0])
        if not _user_name(row):
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

    def __init__(self, key: str | bytes) -> None:
        try:
            secret = base64.b64decode(key, altchars=b"-_", validate=True)
        except (TypeError, ValueError):
            secret = b""
        if len(secret) != 32:
            raise ValueError("a key is 32 bytes in URL-safe base64, as Fernet.generate_key makes it")
        # The key of the digest and that of the encryption, 256 bits each, are AES-SIV's two halves.
        self._cipher = AESSIV(_derived(secret, b"AES-SIV", 64))
        self.name = _derived(secret, b"name", 4).hex()

    def encrypt(self, field: str, text: str) -> str:
        return self._value(self._cipher.encrypt(text.encode(errors="surrogatepass"), [field.encode()]))

    def decrypt(self, field: str, text: str) -> str | None:
        """The secret, or ``None`` where the text is none that this key made in this field."""
        try:
            sealed = base64.b64decode(text.rpartition(".")[2], altchars=b"-_", validate=True)
            if self._value(sealed) != text:  # several texts in base64 stand for the same bytes
                return None
            opened: str = self._cipher.decrypt(sealed, [field.encode()]).decode(errors="surrogatepass")
            return opened
        except (ValueError, InvalidTag):
            return None

    def _value(self, sealed: bytes) -> str:
        return f"{_VERSION}.{self.name}.{base64.urlsafe_b64encode(sealed).decode()}"


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    info = b"Zoho token store, " + purpose
    derived: bytes = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(secret)
    return derived


def _key_name(text: str) -> str:
    version, _, rest = text.partition(".")
    return rest.partition(".")[0] if version == _VERSION else ""


def _key_names(row: OAuthToken) -> set[str]:
    values = [getattr(row, f"get_{field}")() for field in _SECRET]
    return {_key_name(value) for value in values if value}


# ---------------------------------------------------------------------------------------------
# Tokens.


def _made(fields: dict[str, Any]) -> OAuthToken:
    token = OAuthToken(id="lent")  # the constructor insists on one of its fields
    for field, value in {"id": None, **fields}.items():
        getattr(token, f"set_{field}")(value)
    return token


def _encrypted(token: OAuthToken, key: _Key) -> OAuthToken:
    """A new token for the inner store, as this one but for its secrets."""
    fields = {field: getattr(token, f"get_{field}")() for field in ("id", *_PLAIN)}
    name = _user_name(token)
    fields["user_signature"] = UserSignature(name) if name else None
    for field in _SECRET:
        if value := getattr(token, f"get_{field}")():
            # What is not text can only be looked for, and equals nothing.
            text = isinstance(value, str)
            fields[field] = key.encrypt(field if text else "no text", value if text else repr(value))
    return _made(fields)


def _user_name(token: OAuthToken) -> Any:
    signature = token.get_user_signature()
    return signature.get_name() if signature is not None else None


def _listed(ids: list[str]) -> str:
    return ", ".join(map(repr, ids[:20])) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")


def _refusal(message: str) -> SDKException:
    return SDKException(code=Constants.TOKEN_STORE, message=message)


# ---------------------------------------------------------------------------------------------
# Forks. A thread of the parent may have held the lock.

_STORES: weakref.WeakSet[EncryptedStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in _STORES:
        store._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
