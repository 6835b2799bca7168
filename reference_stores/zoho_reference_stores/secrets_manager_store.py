"""A token store in AWS Secrets Manager, for the Zoho CRM Python SDK on any number of machines.

Copy this module into your project: it needs the SDK, boto3 and the standard library::

    config = botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 6})
    client = boto3.client("secretsmanager", config=config)
    Initializer.initialize(environment, token, store=SecretsManagerStore(client))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from typing import TYPE_CHECKING, Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .secrets_manager_catalogue import Catalogue, Entry, Row, Value, digest, packed, row_of
from .secrets_manager_client import except_for, listen, surfaced
from .token_fields import (
    Fields,
    Way,
    fill_token,
    id_to_insert,
    new_token,
    present,
    read_token,
    read_token_to_save,
    refusal,
    ways_to_find,
    ways_to_update,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PATIENCE = 25.0  # seconds in which a call tries again after another writer came between
_LONGEST_ID = 255  # characters: ids stand in the catalogue, where room is scarce
_BATCH = 20  # secrets that one BatchGetSecretValue takes
_BY_ID = (Way(("id",)),)


class SecretsManagerStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in AWS Secrets Manager, shared by threads, processes and machines.

    Made for tens of users, up to some hundreds: then the catalogue, itself one secret, is full, and
    saving further users raises. A row may have 64 KiB, compressed where it is larger. AWS takes a fee
    for every secret and every call.

    Nobody's save is lost to another writer's. A new version of a secret gets an id that is computed
    from the version that was read (``ClientRequestToken``). AWS gives no two versions the same id: of
    two writers that have read the same version one succeeds; the other reads again and tries anew. So it
    does no harm that what AWS answers may be a moment old: nothing is deleted, and no change left out,
    because of what was read alone. But finding only reads: right after another process has saved, it may
    find ``None`` or an older state of the row, if AWS answers so. Do not edit the secrets by hand
    while the store is in use.

    Calls of the API: finding takes two, saving three, a new row four, a new login four, deleting five;
    `get_tokens` four, and two more for every further 20 rows. Finding by an access token alone
    reads the rows of users, up to 20 a call.

    The rate limits of AWS are met by the client's own retries, which wait longer each time: give it
    some (see above). An error that remains is raised. AWS also keeps every version for a day and
    takes about a hundred of one secret: some hundred renewals a day of each user, and some hundred
    logins and deletions a day in all. Beyond that saving raises, and nothing is lost.

    An exception in the middle of a call, such as a soft time limit raises, comes out as it is, and no
    lock stays behind. (botocore takes an ``OSError`` for a failure of the network: let handlers raise
    something else, not ``TimeoutError``.) A child process after a fork makes connections of its own.

    The caller's IAM policy needs ``CreateSecret``, ``GetSecretValue``, ``BatchGetSecretValue``,
    ``PutSecretValue`` and ``DeleteSecret``. Deleted rows are deleted at once and for good, without
    the recovery window of AWS. What botocore logs of this client's calls no longer shows their content,
    which at the level ``DEBUG`` it would. What botocore keeps in its own frames, a tool that records local
    variables can see: it needs the values. The frames of this module show none.

    What the contract leaves open: deleting an unknown id is silent; `get_tokens` answers in the order of
    insertion. An id is a random number of ten digits, so that none comes again, not even when somebody
    deletes the catalogue. A token with the name of a stored user and the id of another row updates the
    user's row alone; with the id of another user's row and a new name it becomes a row of its own, under a
    new id.

    Args:
        client: boto3's client of Secrets Manager, with its region, credentials and retries.
        prefix: What the name of every secret begins with: letters, digits and ``/_+=.@-``. Stores
            with one prefix share their tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when AWS cannot be reached or
            refuses.
    """

    def __init__(self, client: Any, prefix: str = "zoho-tokens") -> None:
        if not hasattr(client, "batch_get_secret_value"):
            raise refusal(f"SecretsManagerStore takes boto3.client('secretsmanager'), not {client!r:.100}")
        if not isinstance(prefix, str) or not prefix:
            raise refusal(f"the prefix is a text that is not empty, not {prefix!r}")
        self._client = client
        self._prefix = prefix
        self._process = os.getpid()
        listen(client)

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        sent = read_token(token)
        ways = ways_to_find(present(sent))
        if not ways:
            return None
        with surfaced(Constants.GET_TOKEN_DB_ERROR):
            row = _View(self).find(ways, sent)
        return None if row is None else fill_token(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others [SAVE-13].
        """
        sent = read_token_to_save(token)
        if not all(_is_text(sent[name]) for name in present(sent)):
            raise refusal("text with a lone surrogate cannot be stored")
        if len(sent["id"] or "") > _LONGEST_ID:
            raise refusal(f"an id has at most {_LONGEST_ID} characters")
        with surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            id = self._until(lambda: self._save(_View(self), sent))
        token.set_id(id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            self._delete(lambda entry: entry.id == id)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with surfaced(Constants.GET_TOKENS_DB_ERROR):
            # Rows are read one after another. Two rounds that find the same versions have found
            # what there was between them, at one moment [THREAD-5].
            before = None
            for _ in _attempts():
                view = _View(self)
                rows = view.rows(view.catalogue.entries)
                now = (view.catalogue.version, [row and row.version for row in rows])
                if now == before or not rows:
                    break
                before = now
        return [new_token(row.fields) for row in rows if row]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            self._delete(lambda _: True)

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with surfaced(Constants.GET_TOKEN_DB_ERROR):
            row = _View(self).find(_BY_ID, Fields(id=id))
        return None if row is None else new_token(row)

    # One attempt to change something answers `None` when another writer came between.

    def _save(self, view: _View, sent: Fields) -> str | None:
        catalogue = view.catalogue
        entry, row = view.place(ways_to_update(present(sent)), sent) or (None, None)
        if entry is None:
            taken = any(one.id == sent["id"] for one in catalogue.entries)
            id = id_to_insert(sent, taken=taken)
            entry = Entry(catalogue.new_name(), "")
            entry.id = id or entry.name
            catalogue.entries.append(entry)
        merged = Fields(sent if row is None else row.fields, id=entry.id)
        merged.update({name: sent[name] for name in present(sent) if name != "id"})
        value = packed({name: merged[name] for name in present(merged)}, "the row")
        if (entry.follows(merged) or row is None) and not self._put_catalogue(catalogue):
            return None
        if row is None:
            return entry.id if self._create_row(catalogue, entry, value) else None
        return entry.id if self._put(entry.name, row.version, value) else None

    def _create_row(self, catalogue: Catalogue, entry: Entry, value: Value) -> bool:
        """Write the row of an entry; whether it still is in the catalogue.

        A row that is deleted before it is written would be left behind with all its secrets.
        """
        if not self._create(entry.name, value):
            return False
        # What AWS answers may be older than what this process has put: then it says nothing.
        now = self._until(
            lambda: now if (now := self._read_catalogue()).changes >= catalogue.changes else None
        )
        if any(one.name == entry.name for one in now.entries):
            return True
        self._remove(entry.name)
        return False

    def _delete(self, chosen: Callable[[Entry], bool]) -> None:
        """Take rows from the catalogue, in one step, and then delete their secrets.

        The catalogue is put also where no row is chosen: that fails if what was read was old. What a
        deletion that was cut short has left behind is deleted by the next one.
        """

        def taken_out() -> Catalogue | None:
            catalogue = self._read_catalogue()
            catalogue.doomed += [entry.name for entry in catalogue.entries if chosen(entry)]
            catalogue.entries = [entry for entry in catalogue.entries if not chosen(entry)]
            return catalogue if self._put_catalogue(catalogue) else None

        removed = set(self._until(taken_out).doomed)
        for name in removed:
            self._remove(name)

        def forgotten() -> Catalogue | None:
            catalogue = self._read_catalogue()
            catalogue.doomed = [name for name in catalogue.doomed if name not in removed]
            return catalogue if self._put_catalogue(catalogue) else None

        if removed:
            self._until(forgotten)

    def _until(self, attempt: Callable[[], Any]) -> Any:
        """Attempt something until it answers."""
        for _ in _attempts():
            if (answer := attempt()) is not None:
                return answer
        raise AssertionError  # attempts end with an exception

    # Secrets.

    def read_secrets(self, names: Sequence[str]) -> list[Value | None]:
        """Return the answer with the value of each secret; ``None`` where there is none."""
        if self._process != os.getpid():
            self._client.close()  # the parent goes on using its connections [PROC-2]
            self._process = os.getpid()
        found: dict[str, Value | None] = {}
        for start in range(0, len(names), _BATCH):
            batch = [f"{self._prefix}/{name}" for name in names[start : start + _BATCH]]
            if len(batch) > 1:
                answer = Value(self._client.batch_get_secret_value(SecretIdList=batch))
                found.update({one["Name"]: Value(one) for one in answer["SecretValues"]})
                for error in answer.get("Errors", []):
                    if error["ErrorCode"] == "ResourceNotFoundException":
                        found[error["SecretId"]] = None
            # An answer may leave some out; asked for alone, each has its value or its error.
            for name in batch:
                if name not in found:
                    found[name] = self._read_secret(name)
        return [found[f"{self._prefix}/{name}"] for name in names]

    def _read_secret(self, full_name: str) -> Value | None:
        with except_for("ResourceNotFoundException"):
            return Value(self._client.get_secret_value(SecretId=full_name))
        return None

    def _read_catalogue(self) -> Catalogue:
        [answer] = self.read_secrets(["catalogue"])
        return Catalogue() if answer is None else Catalogue.read(answer)

    def _put_catalogue(self, catalogue: Catalogue) -> bool:
        """Store a changed catalogue, unless another writer has changed it since it was read."""
        value = catalogue.packed()
        if catalogue.version is None:
            is_put = self._create("catalogue", value)
        else:
            is_put = self._put("catalogue", catalogue.version, value)
        catalogue.changes += is_put
        return is_put

    def _put(self, name: str, version: str, value: Value) -> bool:
        """Store what comes after a version, unless that has a successor already or is gone."""
        next_version = hashlib.sha256(version.encode()).hexdigest()
        with except_for("ResourceExistsException", "ResourceNotFoundException"):
            self._client.put_secret_value(
                SecretId=f"{self._prefix}/{name}", ClientRequestToken=next_version, **value
            )
            return True
        return False

    def _create(self, name: str, value: Value) -> bool:
        with except_for("ResourceExistsException"):
            self._client.create_secret(Name=f"{self._prefix}/{name}", **value)
            return True
        return False

    def _remove(self, name: str) -> None:
        with except_for("ResourceNotFoundException"):
            self._client.delete_secret(SecretId=f"{self._prefix}/{name}", ForceDeleteWithoutRecovery=True)


class _View:
    """The catalogue as it is now, and of the rows those that were asked for."""

    def __init__(self, store: SecretsManagerStore) -> None:
        self.catalogue = store._read_catalogue()
        self._store = store
        self._rows: dict[str, Row | None] = {}

    def rows(self, entries: Sequence[Entry]) -> list[Row | None]:
        """The rows of these entries; ``None`` where a row is not yet written or already deleted."""
        unread = [entry.name for entry in entries if entry.name not in self._rows]
        for name, answer in zip(unread, self._store.read_secrets(unread), strict=True):
            self._rows[name] = None if answer is None else row_of(answer)
        return [self._rows[entry.name] for entry in entries]

    def find(self, ways: Sequence[Way], sent: Fields) -> Fields | None:
        """The row that a token speaks of: of the first way that leads to one, the oldest."""
        for way in ways:
            for _, row in self._candidates(way, sent):
                if row is not None and _equal(way, row.fields, sent):
                    return row.fields
        return None

    def place(self, ways: Sequence[Way], sent: Fields) -> tuple[Entry, Row | None] | None:
        """Where to save what was sent.

        A row that is entered and not yet written counts as well: whoever entered it may be gone.
        """
        for way in ways:
            for entry, row in self._candidates(way, sent):
                claimed = way.fields[0] in ("user_name", "id")
                claimed = claimed or (row is None and digest(way.fields, sent) in entry.hints)
                if claimed or (row is not None and _equal(way, row.fields, sent)):
                    return entry, row
        return None

    def _candidates(self, way: Way, sent: Fields) -> Iterator[tuple[Entry, Row | None]]:
        if not all(_is_text(sent[name]) for name in way.fields):
            return
        entries = [entry for entry in self.catalogue.entries if entry.may_match(way, sent)]
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            for entry, row in zip(batch, self.rows(batch), strict=True):
                if not (way.unnamed and row is not None and row.fields["user_name"]):
                    yield entry, row


def _equal(way: Way, one: Fields, other: Fields) -> bool:
    return all(one[name] == other[name] for name in way.fields)


def _is_text(value: object) -> bool:
    """Whether this can be stored, and so can be equal to what is stored."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


# ---------------------------------------------------------------------------------------------
# Other writers.


def _attempts() -> Iterator[None]:
    """Lets a call try again for a while, with pauses of random length that grow."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0
    while True:
        yield
        if time.monotonic() > deadline:
            raise refusal(f"other writers kept coming between for {_PATIENCE:g} seconds")
        time.sleep(random.uniform(0, pause))
        pause = min(max(0.02, 2 * pause), 1.0)
