"""A token store in AWS Secrets Manager, for the Zoho CRM Python SDK on any number of machines.

Copy this module into your project: it needs the SDK, boto3 and the standard library::

    config = botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 6})
    client = boto3.client("secretsmanager", config=config)
    Initializer.initialize(environment, token, store=SecretsManagerStore(client))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
import secrets
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    Fields: TypeAlias = dict[str, str]
    Value: TypeAlias = dict[str, str | bytes]

_FIELDS = (
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expires_in",
    "redirect_url",
    "api_domain",
)
_PATIENCE = 25.0  # seconds in which a call tries again after another writer came between
_LARGEST = 65_536  # bytes of a secret's value, a quota of AWS
_LONGEST_ID = 255  # characters: ids stand in the catalogue, where room is scarce
_BATCH = 20  # secrets that one BatchGetSecretValue takes
_HINTS = 6  # of one row, the newest first; it needs two at most

# ---------------------------------------------------------------------------------------------
# What is stored. Each row has a secret of its own, for a secret takes no more than some hundred new
# values a day, and a row has one with each renewal. A further secret, the catalogue, says which rows
# there are, in their order, and what leads to them. It changes when users come, go or log in again,
# and not with renewals. ListSecrets would not do instead: it may be minutes behind.

_WAYS = {
    "user": ("user_name",),
    "id": ("id",),
    "access": ("access_token",),
    "grant": ("grant_token", "client_id", "client_secret"),
    "refresh": ("refresh_token", "client_id", "client_secret"),
}
"""The fields that have to be equal, by the way in which a row is looked up."""


@dataclass
class _Entry:
    """What the catalogue says of a row.

    Attributes:
        number: The last part of the name of the row's secret.
        id: The row's id.
        user: A digest of its user's name. No two entries have the same: a name belongs to a row as
            soon as this says so.
        hints: Digests of the tokens that may lead here, each after the first letter of its way. The row
            itself decides: it is read then.
    """

    number: int
    id: str
    user: str | None
    hints: list[str]

    def may_match(self, way: str, sent: Fields) -> bool:
        """Whether the row has to be read to know if it is meant."""
        if way == "id":
            return self.id == sent["id"]
        if way == "user":
            return self.user == _digest(way, sent)
        # Access tokens that are renewed have no hints, so that a renewal leaves the catalogue alone.
        renewed = way == "access" and any(hint[0] == "r" for hint in self.hints)
        return renewed or _digest(way, sent) in self.hints


@dataclass
class _Catalogue:
    """The catalogue as it was read.

    Attributes:
        version: The id of that version of its secret; ``None`` where there is no secret yet.
        life: A part of the names of the rows' secrets, so that a new catalogue, made after somebody
            deleted the old one, never meets the rows of that.
        last: The highest number given so far.
        brought: Ids above it that came with tokens, also of rows long deleted: never given [DEL-5].
        doomed: Numbers of rows that are deleted, and whose secrets have yet to be.
        entries: The rows, the oldest first.
    """

    version: str | None = None
    life: str = field(default_factory=lambda: secrets.token_hex(4))
    last: int = 0
    brought: list[str] = field(default_factory=list)
    doomed: list[int] = field(default_factory=list)
    entries: list[_Entry] = field(default_factory=list)

    @classmethod
    def read(cls, text: str, version: str) -> _Catalogue:
        known = json.loads(text)
        entries = [
            _Entry(number, id or str(number), user, hints) for number, id, user, hints in known["rows"]
        ]
        return cls(version, known["life"], known["last"], known["brought"], known["doomed"], entries)

    def text(self) -> str:
        rows = [
            (entry.number, 0 if entry.id == str(entry.number) else entry.id, entry.user, entry.hints)
            for entry in self.entries
        ]
        known = {"life": self.life, "last": self.last, "brought": self.brought, "doomed": self.doomed}
        # Never the same text twice: of two writers with equal changes one must fail.
        return _json({**known, "writer": secrets.token_hex(4), "rows": rows})

    def insert(self, sent: Fields) -> _Entry:
        """Enter a new row and give it a number, and an id where it brings none."""
        self.last += 1
        id = sent.get("id")
        if id is None:
            while str(self.last) in self.brought:
                self.last += 1
        elif id.isdecimal() and id.isascii() and len(id) < 18 and int(id) > self.last:
            self.brought.append(id)
        self.brought = [one for one in self.brought if int(one) > self.last]
        entry = _Entry(self.last, id or str(self.last), None, [])
        self.entries.append(entry)
        return entry


@dataclass
class _Stored:
    """A row as it was read: its fields, and the version of its secret."""

    fields: Fields
    version: str


class SecretsManagerStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in AWS Secrets Manager, shared by threads, processes and machines.

    Made for tens of users, up to some hundreds: then the catalogue, itself one secret, is full, and
    saving further users raises. A row may have 64 KiB, compressed where it is larger. AWS takes a fee
    for every secret and every call.

    Nobody's save is lost to another writer's. A new version of a secret gets an id that is computed
    from the version that was read (``ClientRequestToken``). AWS gives no two versions the same id: of
    two writers that have read the same version one succeeds; the other reads again and tries anew.
    Readers always read the version with the label ``AWSCURRENT``. Do not edit the secrets by hand
    while the store is in use.

    Calls of the API: finding takes two, saving a renewed token three, a new one four, saving what is
    stored already two, deleting four; `get_tokens` four, and two more for every further 20 rows.
    Finding by an access token alone reads the rows of users, up to 20 a call.

    The rate limits of AWS are met by the client's own retries, which wait longer each time: give it
    some (see above). An error that remains is raised. AWS also keeps every version for a day and
    takes about a hundred of one secret: some hundred renewals a day of each user, and some hundred
    logins and deletions a day in all. Beyond that saving raises, and nothing is lost.

    The caller's IAM policy needs ``CreateSecret``, ``GetSecretValue``, ``BatchGetSecretValue``,
    ``PutSecretValue`` and ``DeleteSecret``. Deleted rows are deleted at once and for good, without
    the recovery window of AWS. What botocore logs of this client's calls no longer shows their content,
    which at the level ``DEBUG`` it would.

    What the contract leaves open: deleting an unknown id is silent; ids are decimal text and never
    given twice; `get_tokens` answers in the order of insertion. A token with the name of a stored
    user and the id of another row updates the user's row alone; with the id of another user's row
    and a new name it becomes a row of its own, under a new id.

    Args:
        client: boto3's client of Secrets Manager, with its region, credentials and retries.
        prefix: What the name of every secret begins with: letters, digits and ``/_+=.@-``. Stores
            with one prefix share their tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when AWS cannot be reached or
            refuses.
    """

    def __init__(self, client: Any, prefix: str = "zoho-tokens") -> None:
        self._client = client
        self._prefix = prefix
        # Writers of one process take turns; they would only be in each other's way.
        self._lock = threading.Lock()
        for event, hide in (("before-call", _hide_request), ("before-parse", _hide_answer)):
            client.meta.events.register(f"{event}.secrets-manager", hide, unique_id=f"zoho-{event}")

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        with _surfaced(Constants.GET_TOKEN_DB_ERROR):
            if not isinstance(token, OAuthToken):
                return None
            found = _to_find(_View(self), _read(token))
            return None if found is None else _fill(token, found)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        with _surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            if not isinstance(token, OAuthToken):
                raise _refusal("only an OAuthToken can be saved")
            sent = _read(token)
            if any(not isinstance(value, str) for value in sent.values()):
                raise _refusal("every field of a token is text")
            if not all(map(_is_text, sent.values())):
                raise _refusal("text with a lone surrogate cannot be stored")
            with self._lock:
                for _ in _attempts():
                    if (id := self._save(_View(self), sent)) is not None:
                        break
            token.set_id(id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with _surfaced(Constants.DELETE_TOKEN_DB_ERROR), self._lock:
            self._delete(lambda catalogue: [entry for entry in catalogue.entries if entry.id == id])

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with _surfaced(Constants.GET_TOKENS_DB_ERROR), self._lock:
            # Rows are read one after another. Two rounds that find the same versions have found
            # what there was between them, at one moment [THREAD-5].
            before = None
            for _ in _attempts():
                view = _View(self)
                rows = view.stored(view.catalogue.entries)
                now = (view.catalogue.version, [row and row.version for row in rows])
                if now == before or not rows:
                    break
                before = now
            return [_fill(OAuthToken(id=row.fields["id"]), row.fields) for row in rows if row]

    def delete_tokens(self) -> None:
        """Delete every row. Their ids stay used up [DEL-5]."""
        with _surfaced(Constants.DELETE_TOKENS_DB_ERROR), self._lock:
            self._delete(lambda catalogue: catalogue.entries)

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with _surfaced(Constants.GET_TOKEN_DB_ERROR):
            found = _View(self).first("id", {"id": id})
            # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5].
            return None if found is None else _fill(OAuthToken(id=id), found)

    # One attempt to change something. `None` or False: another writer came between.

    def _save(self, view: _View, sent: Fields) -> str | None:
        catalogue = view.catalogue
        entry, stored = _to_update(view, sent) or (None, None)
        is_new = entry is None
        if entry is None:
            sent = _insertable(catalogue, sent)
            entry = catalogue.insert(sent)
        fields = stored.fields if stored is not None else {}
        merged = {**fields, **sent, "id": entry.id}
        value = _value(_json(merged), "the row")
        user = _digest("user", merged) if "user_name" in merged else None
        hints = _hints(merged)
        if is_new or entry.user != user or not {*hints} <= {*entry.hints}:
            # Older hints stay for a while: this save, or another's, may end before the row is written.
            entry.user, entry.hints = user, list(dict.fromkeys((*hints, *entry.hints)))[:_HINTS]
            if not self._put_catalogue(catalogue):
                return None
        name = self._name(catalogue, entry.number)
        if stored is None:
            return entry.id if self._create_row(name, value, entry) else None
        return entry.id if merged == fields or self._put(name, stored.version, value) else None

    def _create_row(self, name: str, value: Value, entry: _Entry) -> bool:
        if not self._create(name, value):
            return False
        # Deleted before it was there, it would be left behind with all its secrets.
        if any(one.number == entry.number for one in self._read_catalogue().entries):
            return True
        self._remove(name)
        return False

    def _delete(self, chosen: Callable[[_Catalogue], list[_Entry]]) -> None:
        """Take rows from the catalogue, in one step, and then delete their secrets.

        What a deletion that was cut short has left behind is deleted by the next one.
        """
        for _ in _attempts():
            catalogue = self._read_catalogue()
            gone = {entry.number for entry in chosen(catalogue)}
            catalogue.doomed += gone
            catalogue.entries = [entry for entry in catalogue.entries if entry.number not in gone]
            if not gone or self._put_catalogue(catalogue):
                break
        removed = set(catalogue.doomed)
        if not removed:
            return
        for number in removed:
            self._remove(self._name(catalogue, number))
        for _ in _attempts():
            catalogue.doomed = [number for number in catalogue.doomed if number not in removed]
            if self._put_catalogue(catalogue):
                break
            catalogue = self._read_catalogue()

    # Secrets.

    def _name(self, catalogue: _Catalogue, number: int) -> str:
        return f"{self._prefix}/{catalogue.life}/{number}"

    def _read_catalogue(self) -> _Catalogue:
        [answer] = self._read_secrets([f"{self._prefix}/catalogue"])
        return _Catalogue() if answer is None else _Catalogue.read(*answer)

    def _put_catalogue(self, catalogue: _Catalogue) -> bool:
        """Store a changed catalogue, unless another writer has changed it since it was read."""
        name, value = f"{self._prefix}/catalogue", _value(catalogue.text(), "the catalogue")
        if catalogue.version is None:
            return self._create(name, value)
        if not self._put(name, catalogue.version, value):
            return False
        catalogue.version = _next_version(catalogue.version)
        return True

    def _read_secrets(self, names: Sequence[str]) -> list[tuple[str, str] | None]:
        """The value and version of each secret; ``None`` where there is none."""
        found: dict[str, tuple[str, str] | None] = {}
        for start in range(0, len(names), _BATCH):
            batch = list(names[start : start + _BATCH])
            if len(batch) > 1:
                answer = self._client.batch_get_secret_value(SecretIdList=batch)
                for one in answer["SecretValues"]:
                    found[one["Name"]] = _text(one), one["VersionId"]
                for error in answer.get("Errors", []):
                    if error["ErrorCode"] == "ResourceNotFoundException":
                        found[error["SecretId"]] = None
            # An answer may leave some out; asked for alone, each has its value or its error.
            for name in batch:
                if name not in found:
                    found[name] = self._read_secret(name)
        return [found[name] for name in names]

    def _read_secret(self, name: str) -> tuple[str, str] | None:
        with _except_for("ResourceNotFoundException"):
            answer = self._client.get_secret_value(SecretId=name)
            return _text(answer), answer["VersionId"]
        return None

    def _put(self, name: str, version: str, value: Value) -> bool:
        """Store what comes after a version, unless that has a successor already or is gone."""
        with _except_for("ResourceExistsException", "ResourceNotFoundException"):
            token = _next_version(version)
            self._client.put_secret_value(SecretId=name, ClientRequestToken=token, **value)
            return True
        return False

    def _create(self, name: str, value: Value) -> bool:
        with _except_for("ResourceExistsException"):
            self._client.create_secret(Name=name, **value)
            return True
        return False

    def _remove(self, name: str) -> None:
        with _except_for("ResourceNotFoundException"):
            self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


# ---------------------------------------------------------------------------------------------
# Which row a token speaks of: the first way in which some row matches, and of several such rows the
# oldest. A name outranks everything else: whoever names a user reaches no row of another [SAVE-5,
# FIND-8].


class _View:
    """The catalogue as it is now, and of the rows those that were asked for."""

    def __init__(self, store: SecretsManagerStore) -> None:
        self.catalogue = store._read_catalogue()
        self._store = store
        self._rows: dict[int, _Stored | None] = {}

    def stored(self, entries: Sequence[_Entry]) -> list[_Stored | None]:
        """The rows of these entries; ``None`` where a row is not yet written or already deleted."""
        unread = [entry.number for entry in entries if entry.number not in self._rows]
        names = [self._store._name(self.catalogue, number) for number in unread]
        for number, answer in zip(unread, self._store._read_secrets(names), strict=True):
            self._rows[number] = None if answer is None else _Stored(json.loads(answer[0]), answer[1])
        return [self._rows[entry.number] for entry in entries]

    def first(self, way: str, sent: Fields, *, unnamed: bool = False) -> Fields | None:
        """The fields of the oldest row that is equal to what was sent; absent equals nothing."""
        for _, stored in self._candidates(way, sent, unnamed=unnamed):
            if stored is not None and _equal(way, stored.fields, sent):
                return stored.fields
        return None

    def place(self, way: str, sent: Fields, *, unnamed: bool = False) -> tuple[_Entry, _Stored | None] | None:
        """Where to save what was sent.

        A row that is entered and not yet written counts as well: whoever entered it may be gone.
        """
        for entry, stored in self._candidates(way, sent, unnamed=unnamed):
            claimed = way in ("user", "id") or (stored is None and _digest(way, sent) in entry.hints)
            if claimed or (stored is not None and _equal(way, stored.fields, sent)):
                return entry, stored
        return None

    def _candidates(
        self, way: str, sent: Fields, *, unnamed: bool
    ) -> Iterator[tuple[_Entry, _Stored | None]]:
        if not all(_is_text(sent.get(name)) for name in _WAYS[way]):
            return
        entries = [
            entry
            for entry in self.catalogue.entries
            if entry.may_match(way, sent) and not (unnamed and entry.user)
        ]
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            for entry, stored in zip(batch, self.stored(batch), strict=True):
                if not (unnamed and stored is not None and "user_name" in stored.fields):
                    yield entry, stored


def _to_find(view: _View, sent: Fields) -> Fields | None:
    if "user_name" in sent:
        return view.first("user", sent) or view.first("id", sent, unnamed=True)
    return (
        next(filter(None, (view.first(way, sent) for way in _ways_of_its_token(sent))), None)
        or view.first("id", sent)
        or (view.first("access", sent) if _access_at_last(sent) else None)
    )


def _to_update(view: _View, sent: Fields) -> tuple[_Entry, _Stored | None] | None:
    if "user_name" in sent:
        # A new name goes to the unnamed row that the token was saved as before its user was known
        # [SAVE-14, SAVE-15].
        return (
            view.place("user", sent)
            or view.place("id", sent, unnamed=True)
            or view.place("grant", sent, unnamed=True)
            or view.place("refresh", sent, unnamed=True)
        )
    # Without a name, another credential under the id of a user's row may be anybody's: no match.
    return (
        next(filter(None, (view.place(way, sent) for way in _ways_of_its_token(sent))), None)
        or view.place("id", sent, unnamed=_has_credential(sent))
        or (view.place("access", sent) if _access_at_last(sent) else None)
    )


def _ways_of_its_token(sent: Fields) -> Sequence[str]:
    alone = "client_id" not in sent and "client_secret" not in sent
    return ("access", "grant", "refresh") if alone else ("grant", "refresh")


def _access_at_last(sent: Fields) -> bool:
    """An access token beside client credentials counts when nothing else says whose it is."""
    return {"client_id", "client_secret"} <= sent.keys() and not (
        {"grant_token", "refresh_token", "id"} & sent.keys()
    )


def _insertable(catalogue: _Catalogue, sent: Fields) -> Fields:
    """What is inserted; refused where it may not be."""
    if not _has_credential(sent) and {"id", "user_name"} & sent.keys():
        raise _refusal("the token has no credential, and no row is its own")  # [SAVE-16]
    id = sent.get("id")
    if any(entry.id == id for entry in catalogue.entries):
        if "user_name" not in sent:
            raise _refusal("the id is that of a user's row, whom this token does not name")
        # Another user's row: this user gets one of their own [SAVE-11].
        return {name: value for name, value in sent.items() if name != "id"}
    if id is not None and len(id) > _LONGEST_ID:
        raise _refusal(f"an id has at most {_LONGEST_ID} characters")
    return sent


def _equal(way: str, one: Fields, other: Fields) -> bool:
    return all(one.get(name) == other[name] for name in _WAYS[way])


def _has_credential(fields: Fields) -> bool:
    return not {"grant_token", "refresh_token", "access_token"}.isdisjoint(fields)


def _digest(way: str, fields: Fields) -> str:
    """A short text for the catalogue, which tells nothing of the fields."""
    joined = "".join(f"{len(fields[name])}:{fields[name]}" for name in _WAYS[way])
    # The digest of a name decides alone, those of tokens only which rows are read.
    size = 15 if way == "user" else 6
    digest = base64.urlsafe_b64encode(hashlib.sha256(joined.encode()).digest()[:size]).decode()
    return digest if way == "user" else f"{way[0]}{digest}"


def _hints(fields: Fields) -> list[str]:
    ways = [way for way in ("grant", "refresh") if fields.keys() >= {*_WAYS[way]}]
    if "access_token" in fields and "refresh" not in ways:
        ways.append("access")
    return [_digest(way, fields) for way in ways]


# ---------------------------------------------------------------------------------------------
# Tokens and values.


def _read(token: OAuthToken) -> Fields:
    """The fields that the token has. Absent is ``None`` or ``""`` in a token."""
    signature = token.get_user_signature()
    fields = {name: getattr(token, f"get_{name}")() for name in _FIELDS}
    fields["id"] = token.get_id()
    fields["user_name"] = signature.get_name() if signature is not None else None
    return {name: value for name, value in fields.items() if value}


def _fill(token: OAuthToken, row: Fields) -> OAuthToken:
    """Give the token the row's id, and of the row's other fields those that it lacks."""
    token.set_id(row["id"])
    signature = token.get_user_signature()
    if signature is None or not signature.get_name():
        token.set_user_signature(UserSignature(row["user_name"]) if "user_name" in row else None)
    for name in _FIELDS:
        if not getattr(token, f"get_{name}")():
            getattr(token, f"set_{name}")(row.get(name))
    return token


def _is_text(value: object) -> bool:
    """Whether this can be stored, and so can be equal to what is stored."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _value(text: str, what: str) -> Value:
    """The text as a secret takes it: as it is, or compressed where it would not fit."""
    if len(text.encode()) <= _LARGEST:
        return {"SecretString": text}
    compressed = zlib.compress(text.encode())
    if len(compressed) > _LARGEST:
        raise _refusal(f"{what} would have more than the {_LARGEST} bytes that a secret takes")
    return {"SecretBinary": compressed}


def _text(answer: Mapping[str, Any]) -> str:
    if "SecretString" in answer:
        return str(answer["SecretString"])
    return zlib.decompress(answer["SecretBinary"]).decode()


def _next_version(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


# ---------------------------------------------------------------------------------------------
# Other writers, failures, logs.


def _attempts() -> Iterator[None]:
    """Lets a call try again for a while, with pauses of random length that grow."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0
    while True:
        yield
        if time.monotonic() > deadline:
            raise _refusal(f"other writers kept coming between for {_PATIENCE:g} seconds")
        time.sleep(random.uniform(0, pause))
        pause = min(max(0.02, 2 * pause), 1.0)


def _refusal(message: str) -> SDKException:
    return SDKException(code=Constants.TOKEN_STORE, message=message)


@contextlib.contextmanager
def _except_for(*codes: str) -> Iterator[None]:
    """Suppress the errors of AWS with these codes."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


@contextlib.contextmanager
def _surfaced(message: str) -> Iterator[None]:
    """Let every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""
    try:
        yield
    except SDKException:
        raise
    except Exception as error:
        # An error that finds fault with a value may quote it.
        telling = (
            isinstance(error, ClientError | BotoCoreError)
            and not isinstance(error, ParamValidationError)
            and "ValidationException" not in str(error)
        )
        cause = error if telling else None
        # The SDK writes the cause behind the text.
        text = f"{message}: " if telling else f"{message}: {type(error).__name__}"
        raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


class _Hidden(bytes):
    """Content that botocore does not show in its log."""

    def __repr__(self) -> str:
        return "<hidden>"


def _hide_request(params: dict[str, Any], **_: object) -> None:
    params["body"] = _Hidden(params["body"])


def _hide_answer(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["body"] = _Hidden(response_dict["body"])
