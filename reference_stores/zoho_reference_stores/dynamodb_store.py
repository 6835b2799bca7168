"""A token store in a table of AWS DynamoDB, for the Zoho CRM Python SDK on Lambda or any number of machines.

``zoho-tokenstore copy dynamodb my_store.py`` copies this module and what it imports. They need the SDK
and boto3 1.36 or newer::

    client = boto3.client("dynamodb")
    create_table(client, "zoho-tokens")  # once, or with your own tools: see there
    Initializer.initialize(environment, token, store=DynamoDBStore(client, "zoho-tokens"))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .dynamodb_table import Item, Key, Table, Write, attempts
from .token_fields import (
    FIELDS,
    Fields,
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
from .token_lookup import KEYS, digest, first_row, key_digests

if TYPE_CHECKING:
    from typing import TypeAlias

    Address: TypeAlias = tuple[str, str]  # one of KEYS, and a digest of what a row is looked up by
    Decision: TypeAlias = tuple[Fields | None, Fields | None]  # the row before and after; None: there is none

# ---------------------------------------------------------------------------------------------
# What is stored. A row is kept whole under each of its addresses, so that finding it is one request.
# After the prefix, the keys are:
#
#   pk                 sk                   with
#   LIFE/id            digest of the id     rows: the row, as JSON
#   LIFE/user_name     digest of the name   rows: the row
#   LIFE/..._token     digest of the token  rows: those that have it, for several users may
#   state              state                life, version, last (number of a row)
#   ids                digest of an id      nothing; a row has or had it: never given again [DEL-5]
#   leases             digest of the key    owner, ends
#
# Every change replaces the version in the state, in the same transaction and on condition that it is
# still the one that was read: of two writers that looked at the same time one begins anew [THREAD-3].
# So all rows are deleted at one moment, by a state with another life [THREAD-5].

_STATE = Key("state", "state")
_FIRST_LIFE = "0"


class _State(NamedTuple):
    """The state as it was read, or as it is before the first change.

    Attributes:
        life: What the keys of all rows begin with.
        version: Changes with everything; "" before the first change.
        last: The highest number that a row has or had. Rows are listed in the order of their numbers.
    """

    life: str = _FIRST_LIFE
    version: str = ""
    last: str = "0"


class DynamoDBStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in a table of DynamoDB, shared by threads, processes and machines.

    Finding a token is one request, and so is `find_token_by_id`, which the SDK calls for each API call: two
    strongly consistent reads of up to 4 KB. (After `delete_tokens`, the first one of each process is two.)
    Saving is two requests for a new token, three for a renewed one. All writers change one item, so they
    come one after another, some tens in a second; who finds does not wait for them.

    A call that has returned is in three data centres. A save whose answer was lost is asked for again by
    boto3, under the same token of the request, and is not done twice.

    Leases end by the clocks of the machines, which should agree to a second.

    Forks: in a child, the store closes the connections that the client has inherited, and goes on.

    What the contract leaves open: deleting an unknown id is silent; ids are ten random decimal digits and
    never given twice, also when the table is lost or set back; `get_tokens` answers in the order of
    insertion. A token with the name of a stored user and the id of another row updates the user's row
    alone; with the id of another user's row and a new name it becomes a row of its own, under a new id.
    Text with a lone surrogate is refused, and so is what DynamoDB refuses: rows that share a grant, refresh
    or access token and have more than 400 KB together.

    The client's role needs ``GetItem``, ``BatchGetItem``, ``Query``, ``PutItem``, ``DeleteItem`` and
    ``BatchWriteItem`` on the table. An exception that a signal handler raises comes out of a call as it is,
    unless it is an `OSError`, which boto3 takes for one of the network.

    Args:
        client: ``boto3.client("dynamodb")``. It stays the caller's.
        table: The name of the table, whose keys are two texts, ``pk`` and ``sk``.
        prefix: What all partition keys begin with. Stores with one table and prefix share their tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when AWS cannot be reached or
            refuses.
    """

    def __init__(self, client: Any, table: str, prefix: str = "zoho-tokens") -> None:
        self._table = Table(client, table, prefix)
        self._life = _FIRST_LIFE  # as it was read last

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        row = self._find(read_token(token))
        return None if row is None else fill_token(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        fields = read_token_to_save(token)
        if not all(_is_storable(fields[name]) for name in present(fields)):
            raise refusal("text with a lone surrogate cannot be stored")
        ways = ways_to_update(present(fields))

        def decide(rows: Sequence[Fields], unused_id: str) -> Decision:
            row = first_row(fields, ways, rows)
            if row is not None:
                return row, Fields({name: fields[name] or row[name] for name in FIELDS}, id=row["id"])
            taken = bool(fields["id"]) and any(one["id"] == fields["id"] for one in rows)
            return None, Fields(fields, id=id_to_insert(fields, taken=taken) or unused_id)

        with self._table.surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            token.set_id(self._change(fields, decide))

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        if not isinstance(id, str):
            return

        def decide(rows: Sequence[Fields], unused_id: str) -> Decision:
            return next((row for row in rows if row["id"] == id), None), None

        with self._table.surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            self._change(_only_id(id), decide)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with self._table.surfaced(Constants.GET_TOKENS_DB_ERROR):
            # Pages are read one after another. If nothing has changed meanwhile, all are of one moment.
            state = _state(*self._table.get([_STATE]))
            for _ in attempts():
                rows = [row for item in self._table.items(f"{state.life}/id") for row in _rows(item)]
                before, state = state, _state(*self._table.get([_STATE]))
                if state == before:
                    break
            return [new_token(row) for row in sorted(rows, key=_number)]

    def delete_tokens(self) -> None:
        """Delete every row. Their ids stay used up [DEL-5]."""
        with self._table.surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            for _ in attempts():
                state = _state(*self._table.get([_STATE]))
                new = state._replace(life=secrets.token_hex(8), version=secrets.token_hex(8))
                if self._table.commit([Write(_STATE, Item(new._asdict()), only_if=state.version)]):
                    break
            # They are out of sight. What is cut short here leaves items that nobody reads.
            for name in KEYS:
                self._table.remove(f"{state.life}/{name}")

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        row = self._find(_only_id(id)) if isinstance(id, str) else None
        return None if row is None else new_token(row)

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Take the lease on a key, or go on holding it, for so many seconds by this machine's clock.

        Args:
            key: What the lease is on; any text.
            owner: Who asks; any text that no other caller uses.
            seconds: How long the lease lasts, unless it is released.

        Returns:
            Whether the owner holds it now: it was free, had run out, or was the owner's already.
        """
        with self._table.surfaced("Cannot acquire a lease"):
            return self._table.take_lease(Key("leases", digest(key)), digest(owner), seconds)

    def release_lease(self, key: str, owner: str) -> None:
        """Give up the lease on a key, if this owner holds it."""
        with self._table.surfaced("Cannot release a lease"):
            self._table.end_lease(Key("leases", digest(key)), digest(owner))

    # Looking.

    def _find(self, fields: Fields) -> Fields | None:
        ways = ways_to_find(present(fields))
        names = {way.fields[0] for way in ways}
        addresses = [address for address in key_digests(fields).items() if address[0] in names]
        if not addresses:
            return None
        # Beside the state, one address may be read at another moment: whichever came first, the answer was
        # right in between. Several may not.
        get = self._table.get if len(addresses) == 1 else self._table.get_at_once
        with self._table.surfaced(Constants.GET_TOKEN_DB_ERROR):
            _, found = self._look(addresses, get)
        return first_row(fields, ways, _distinct(found))

    def _look(
        self, addresses: Iterable[Address], get: Callable[[Sequence[Key]], list[Item]]
    ) -> tuple[_State, dict[Address, list[Fields]]]:
        """The state, and the rows at each of these addresses."""
        wanted = list(addresses)
        while True:
            life = self._life
            state_item, *items = get([_STATE, *(_key(life, address) for address in wanted)])
            state = _state(state_item)
            if state.life == life:
                return state, dict(zip(wanted, map(_rows, items), strict=True))
            self._life = state.life

    # Changing.

    def _change(self, fields: Fields, decide: Callable[[Sequence[Fields], str], Decision]) -> str | None:
        """Read rows, decide, and write, unless another writer came between: then again.

        Args:
            fields: The rows that have one of these are read.
            decide: Is told these rows, the oldest first, and an unused id.

        Returns:
            The id of the row that was written; ``None`` where none was.
        """
        version, id = secrets.token_hex(8), None
        for _ in attempts():
            unused_id = random_id()
            addresses = _addresses(fields) | _addresses(_only_id(unused_id))
            state, found = self._look(addresses, self._table.get_at_once)
            if state.version == version:  # what this call wrote itself, though it was told that it did not
                return id
            before, after = decide(_distinct(found), unused_id)
            if before is None and after is None:
                return None
            number = str(int(state.last) + 1) if before is None else before["number"]
            if after is not None:
                after["number"] = number
            affected = _addresses(before) | _addresses(after)
            if missing := affected - found.keys():
                state_now, more = self._look(missing, self._table.get_at_once)
                if state_now != state:
                    continue
                found |= more
            last = state.last if after is None or before is not None else number
            new = _State(state.life, version, str(last))
            writes = [Write(_STATE, Item(new._asdict()), only_if=state.version)]
            for address in affected:
                rows = [row for row in found[address] if row["number"] != number]
                if after is not None and address in _addresses(after):
                    rows = sorted([*rows, after], key=_number)
                writes.append(Write(_key(state.life, address), _item(rows)))
            id = None if after is None else after["id"]
            if id is not None and before is None:
                writes.append(Write(Key("ids", digest(id)), Item(), only_if="" if id == unused_id else None))
            if self._table.commit(writes):
                return id
        raise AssertionError


def create_table(client: Any, table: str) -> None:
    """Make a table for stores, which is paid by the request, and wait until it is there.

    Args:
        client: ``boto3.client("dynamodb")``.
        table: Its name.
    """
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    client.get_waiter("table_exists").wait(TableName=table)


# ---------------------------------------------------------------------------------------------
# Rows and where they are kept.


def _addresses(row: Mapping[str, Any] | None) -> set[Address]:
    return set() if row is None else set(key_digests(row).items())


def _key(life: str, address: Address) -> Key:
    name, its_digest = address
    return Key(f"{life}/{name}", its_digest)


def _only_id(id: str) -> Fields:
    return Fields({**dict.fromkeys(FIELDS), "id": id})


def _item(rows: Sequence[Fields]) -> Item | None:
    present_alone = [Fields({name: text for name, text in row.items() if text}) for row in rows]
    return Item(rows=json.dumps(present_alone, ensure_ascii=False)) if rows else None


def _rows(item: Item) -> list[Fields]:
    return [Fields({**dict.fromkeys(FIELDS), **row}) for row in json.loads(item["rows"])] if item else []


def _distinct(found: Mapping[Address, Sequence[Fields]]) -> list[Fields]:
    """Each of these rows once, the oldest first."""
    return sorted({row["number"]: row for rows in found.values() for row in rows}.values(), key=_number)


def _number(row: Fields) -> int:
    return int(str(row["number"]))


def _state(item: Item) -> _State:
    return _State(item["life"], item["version"], item["last"]) if item else _State()


def _is_storable(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False
