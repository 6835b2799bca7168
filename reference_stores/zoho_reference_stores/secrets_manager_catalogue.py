"""What `SecretsManagerStore` keeps in its secrets. Copy this module beside that of the store.

::

    <prefix>/catalogue    which rows there are, the oldest first, and what leads to them
    <prefix>/<name>       a row, as a JSON object; the names are random
    <prefix>/<name>       another row …

Each row has a secret of its own, for a secret takes no more than some hundred new values a day, and a row
has one with each renewal. The catalogue changes when users come, go or log in again, and not with renewals.
ListSecrets would not do instead: it may be minutes behind.

Each value says who wrote it, so that no two are ever the same: of two writers that put the same after the
same version, one has to fail.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .token_fields import FIELDS, Fields, Way, random_id, refusal

LARGEST = 65_536  # bytes of a secret's value, a quota of AWS
_HINTS = 6  # of one row, the newest first; it needs two at most
_CLIENT = ("client_id", "client_secret")


class Value(dict[str, Any]):
    """The arguments or the answer of a call of the API; its `repr` has no values, which are secret."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


@dataclass
class Row:
    """A row as it was read: its fields, and the version of its secret."""

    fields: Fields
    version: str


@dataclass
class Entry:
    """What the catalogue says of a row.

    Attributes:
        name: The last part of the name of the row's secret.
        id: The row's id.
        user: A digest of its user's name. No two entries have the same: a name belongs to a row as
            soon as this says so.
        hints: Digests of the tokens that may lead here, each after the first letter of its field. The row
            itself decides: it is read then.
    """

    name: str
    id: str
    user: str | None = None
    hints: list[str] = field(default_factory=list)

    def may_match(self, way: Way, sent: Fields) -> bool:
        """Return whether the row has to be read to know if a token means it in this way."""
        if way.unnamed and self.user:
            return False
        if way.fields == ("id",):
            return self.id == sent["id"]
        if way.fields == ("user_name",):
            return self.user == digest(way.fields, sent)
        # Access tokens that are renewed have no hints, so that a renewal leaves the catalogue alone.
        renewed = way.fields == ("access_token",) and any(hint[0] == "r" for hint in self.hints)
        return renewed or digest(way.fields, sent) in self.hints

    def follows(self, row: Fields) -> bool:
        """Note what leads to the row, and return whether that is something new.

        Older hints stay for a while: the save that changes them may end before the row is written.
        """
        user = digest(("user_name",), row) if row["user_name"] else None
        ways: list[tuple[str, ...]] = [(name, *_CLIENT) for name in ("grant_token", "refresh_token")]
        ways = [way for way in ways if all(row[name] for name in way)]
        if row["access_token"] and ("refresh_token", *_CLIENT) not in ways:
            ways.append(("access_token",))
        hints = [digest(way, row) for way in ways]
        if user == self.user and {*hints} <= {*self.hints}:
            return False
        self.user, self.hints = user, list(dict.fromkeys((*hints, *self.hints)))[:_HINTS]
        return True


@dataclass
class Catalogue:
    """The catalogue as it was read.

    Attributes:
        version: The id of that version of its secret; ``None`` where there is no secret yet.
        changes: How often it has changed: of two that were read, it tells which is older.
        doomed: Names of rows that are deleted, and whose secrets have yet to be.
        entries: The rows, the oldest first.
    """

    version: str | None = None
    changes: int = 0
    doomed: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def read(cls, answer: Value) -> Catalogue:
        """Return what a secret says."""
        known = unpacked(answer)
        entries = [Entry(name, id or name, user, hints) for name, id, user, hints in known["rows"]]
        return cls(answer["VersionId"], known["changes"], known["doomed"], entries)

    def packed(self) -> Value:
        """Return what the secret is to say after a further change."""
        rows = [
            (entry.name, "" if entry.id == entry.name else entry.id, entry.user, entry.hints)
            for entry in self.entries
        ]
        known = {"changes": self.changes + 1, "doomed": self.doomed, "rows": rows}
        return packed(known, "the catalogue")

    def new_name(self) -> str:
        """Return a name, which is also an id that no row has, nor a row that is gone or was lost."""
        while True:
            name = random_id()
            if not any(name in (entry.name, entry.id) for entry in self.entries):
                return name


def row_of(answer: Value) -> Row:
    """Return the row that a secret has."""
    known = Value(unpacked(answer))
    return Row(Fields({name: known.get(name) for name in FIELDS}), answer["VersionId"])


def packed(known: Mapping[str, Any], what: str) -> Value:
    """Return the arguments that store something: as it is, or compressed where it would not fit.

    Args:
        known: What is stored; absent fields are left out.
        what: What it is, for the message.

    Raises:
        SDKException: It does not fit.
    """
    known = Value({**known, "writer": secrets.token_hex(4)})
    content = Value(SecretString=json.dumps(known, ensure_ascii=False, separators=(",", ":")))
    if len(content["SecretString"].encode()) <= LARGEST:
        return content
    content = Value(SecretBinary=zlib.compress(content["SecretString"].encode()))
    if len(content["SecretBinary"]) > LARGEST:
        raise refusal(f"{what} would have more than the {LARGEST} bytes that a secret takes")
    return content


def unpacked(answer: Value) -> dict[str, Any]:
    """Return what `packed` was given, from the answer that has it."""
    try:
        if "SecretString" in answer:
            return Value(json.loads(answer["SecretString"]))
        return Value(json.loads(zlib.decompress(answer["SecretBinary"])))
    except (json.JSONDecodeError, zlib.error) as error:
        raise refusal(f"a secret has not the content that was stored: {type(error).__name__}") from None


def digest(names: tuple[str, ...], fields: Fields) -> str:
    """Return a short text for the catalogue, which tells nothing of these fields."""
    joined = hashlib.sha256()
    for name in names:
        joined.update(f"{len(fields[name] or '')}:{fields[name]}".encode())
    # The digest of a name decides alone, those of tokens only which rows are read.
    size = 15 if names == ("user_name",) else 6
    text = base64.urlsafe_b64encode(joined.digest()[:size]).decode()
    return text if names == ("user_name",) else f"{names[0][0]}{text}"
