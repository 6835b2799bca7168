"""A token store in a table of AWS DynamoDB, for the Zoho CRM Python SDK on Lambda or any number of machines.

``zoho-tokenstore copy dynamodb my_store.py`` copies this module and `token_fields`, which it imports. They need
the SDK and boto3 1.33.2 or newer::

    client = boto3.client("dynamodb")
    create_table(client, "zoho-tokens")  # once, or with your own tools: see there
    Initializer.initialize(environment, token, store=DynamoDBStore(client, "zoho-tokens"))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .token_fields import (
    FIELDS,
    Fields,
    fill_token,
    first_row,
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
    from typing import TypeAlias

    Decision: TypeAlias = tuple[Fields | None, Fields | None]  # the row before and after; None: there is none
    Items: TypeAlias = list[dict[str, Any]]

_PATIENCE = 25.0  # seconds in which a call tries again after another writer came between
_BATCH = 25  # items that one BatchWriteItem takes
_FIRST_LIFE = "0"

# ---------------------------------------------------------------------------------------------
# What is stored. A row is kept whole under each of its addresses, so that finding it is one request:
#
#   pk                            sk                  rows
#   zoho-tokens/LIFE/id           digest of the id    the row, as JSON
#   zoho-tokens/LIFE/user_name    digest of the name  the row
#   zoho-tokens/LIFE/…_token      digest of the …     the rows that have it: several users may
#
# and beside them:
#
#   zoho-tokens                   state               life, version, last (number of a row)
#   zoho-tokens/ids               digest of an id     that a row has or had: never given again [DEL-5]
#   zoho-tokens/leases            digest of the key   owner, until
#
# Every change replaces the version in the state, in the same transaction and on condition that it is
# still the one that was read: of two writers that looked at the same time one begins anew [THREAD-3].
# So rows are deleted, all at once, by a state with another life [THREAD-5].

_KEYS = {
    "id": ("id",),
    "user_name": ("user_name",),
    "access_token": ("access_token",),
    "grant_token": ("grant_token", "client_id", "client_secret"),
    "refresh_token": ("refresh_token", "client_id", "client_secret"),
}
"""What rows are looked up by: a way's first field to all its fields."""


class _Address(NamedTuple):
    """Where a row is kept: one of `_KEYS`, and a digest of these fields."""

    name: str
    digest: str


class _State(NamedTuple):
    """The state as it was read, or as it is before the first change.

    Attributes:
        life: A part of the keys of all rows.
        version: Changes with everything; "" before the first change.
        last: The highest number that a row has or had. Rows are listed in the order of their numbers.
    """

    life: str = _FIRST_LIFE
    version: str = ""
    last: int = 0


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
    ``BatchWriteItem`` on the table.

    Args:
        client: ``boto3.client("dynamodb")``. It stays the caller's.
        table: The name of the table, whose keys are two texts, ``pk`` and ``sk``.
        prefix: What all partition keys begin with. Stores with one table and prefix share their tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when AWS cannot be reached or
            refuses.
    """

    def __init__(self, client: Any, table: str, prefix: str = "zoho-tokens") -> None:
        self._client = client
        self._table = table
        self._prefix = prefix
        self._life = _FIRST_LIFE
        self._pid = os.getpid()
        for event, handler in _HANDLERS.items():
            client.meta.events.register_first(f"{event}.dynamodb", handler, unique_id=f"zoho-{event}")

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
        if not all(_is_text(fields[name]) for name in present(fields)):
            raise refusal("text with a lone surrogate cannot be stored")
        ways = ways_to_update(present(fields))

        def decide(rows: Sequence[Fields], unused_id: str) -> Decision:
            row = first_row(fields, ways, rows)
            if row is not None:
                return row, Fields({name: fields[name] or row[name] for name in FIELDS}, id=row["id"])
            taken = bool(fields["id"]) and any(one["id"] == fields["id"] for one in rows)
            return None, Fields(fields, id=id_to_insert(fields, taken=taken) or unused_id)

        with self._surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            token.set_id(self._change(_addresses(fields), decide))

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        address = _address({"id": id}, "id")
        if address is None:
            return

        def decide(rows: Sequence[Fields], unused_id: str) -> Decision:
            return next((row for row in rows if row["id"] == id), None), None

        with self._surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            self._change({address}, decide)

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with self._surfaced(Constants.GET_TOKENS_DB_ERROR):
            # Pages are read one after another. If nothing has changed meanwhile, it is all of one moment.
            state = self._state()
            for _ in _attempts():
                rows = [row for item in self._items(state.life, "id") for row in _rows(item)]
                before, state = state, self._state()
                if state == before:
                    break
            return [new_token(row) for row in sorted(rows, key=_number)]

    def delete_tokens(self) -> None:
        """Delete every row. Their ids stay used up [DEL-5]."""
        with self._surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            for _ in _attempts():
                state = self._state()
                if self._commit(state, state._replace(life=secrets.token_hex(8)), []):
                    break
            # They are out of sight. What is cut short here leaves items that nobody reads.
            for name in _KEYS:
                self._remove(self._items(state.life, name, keys_alone=True))

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        if not isinstance(id, str):
            return None
        row = self._find(Fields({**dict.fromkeys(FIELDS), "id": id}))
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
        now = time.time()
        with self._surfaced("Cannot acquire a lease"):
            return self._put_or_delete_lease(
                self._client.put_item,
                "attribute_not_exists(pk) OR #owner = :owner OR #until <= :now",
                {":owner": {"S": owner}, ":now": {"N": repr(now)}},
                Item={**self._key("leases", _hashed(key)), "owner": {"S": owner}, "until": {"N": repr(now + seconds)}},
            )

    def release_lease(self, key: str, owner: str) -> None:
        """Give up the lease on a key, if this owner holds it."""
        with self._surfaced("Cannot release a lease"):
            self._put_or_delete_lease(
                self._client.delete_item, "#owner = :owner", {":owner": {"S": owner}}, Key=self._key("leases", _hashed(key))
            )

    # Reading.

    def _find(self, fields: Fields) -> Fields | None:
        ways = ways_to_find(present(fields))
        addresses = [_address(fields, name) for name in dict.fromkeys(way.fields[0] for way in ways)]
        with self._surfaced(Constants.GET_TOKEN_DB_ERROR):
            known = [address for address in addresses if address is not None]
            if not known:
                return None
            # One row is read beside the state: whichever is read first, it was so at one moment. Several
            # may change in between.
            _, found = self._look(known, at_one_moment=len(known) > 1)
            return first_row(fields, ways, _distinct(found.values()))

    def _look(
        self, addresses: Iterable[_Address], *, at_one_moment: bool
    ) -> tuple[_State, dict[_Address, list[Fields]]]:
        """The state, and the rows at each of these addresses."""
        wanted = list(addresses)
        while True:
            life = self._life
            keys = [self._state_key, *(self._row_key(life, address) for address in wanted)]
            state_item, *items = self._get_at_once(keys) if at_one_moment else self._get(keys)
            state = _read_state(state_item)
            if state.life == life:
                return state, dict(zip(wanted, map(_rows, items), strict=True))
            self._life = state.life

    def _state(self) -> _State:
        [item] = self._get([self._state_key])
        return _read_state(item)

    def _get(self, keys: Items) -> Items:
        """The items with these keys, as they are now, in their order; empty ones where there are none."""
        for _ in _attempts():
            request = {"Keys": keys, "ConsistentRead": True}  # not what was there some moments ago
            answer = self._client.batch_get_item(RequestItems={self._table: request})
            if not answer.get("UnprocessedKeys"):
                break
        found = {(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Responses"][self._table]}
        return [found.get((key["pk"]["S"], key["sk"]["S"]), {}) for key in keys]

    def _get_at_once(self, keys: Items) -> Items:
        """The same as `_get`, as they all were at one moment."""
        gets = [{"Get": {"TableName": self._table, "Key": key}} for key in keys]
        for _ in _attempts():
            with _unless_another_comes():
                answer = self._client.transact_get_items(TransactItems=gets)
                break
        return [one.get("Item", {}) for one in answer["Responses"]]

    def _items(self, life: str, name: str, *, keys_alone: bool = False) -> Iterator[dict[str, Any]]:
        """All items of rows, of one of `_KEYS`."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": self._row_key(life, _Address(name, ""))["pk"]},
        }
        if keys_alone:
            request["ProjectionExpression"] = "pk, sk"
        while True:
            answer = self._client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # Writing.

    def _change(
        self, addresses: set[_Address], decide: Callable[[Sequence[Fields], str], Decision]
    ) -> str | None:
        """Read rows, decide, and write, unless another writer came between: then again.

        Args:
            addresses: Of the rows to read.
            decide: Is told these rows, the oldest first, and an unused id.

        Returns:
            The id of the row that was written; ``None`` where none was.
        """
        version, id = secrets.token_hex(8), None
        for _ in _attempts():
            unused_id = str(10**9 + secrets.randbelow(9 * 10**9))
            spare = _addresses({**dict.fromkeys(FIELDS), "id": unused_id})
            state, found = self._look(addresses | spare, at_one_moment=True)
            if state.version == version:  # this is what it wrote itself, though it was told that it did not
                return id
            before, after = decide(_distinct(found.values()), unused_id)
            if before is None and after is None:
                return None
            if after is not None:
                after["number"] = before["number"] if before is not None else str(state.last + 1)
            affected = _addresses(before) | _addresses(after)
            if missing := affected - found.keys():
                state_then, more = self._look(missing, at_one_moment=True)
                if state_then != state:
                    continue
                found |= more
            writes = [
                self._write(state, address, _with(found[address], address, before, after)) for address in affected
            ]
            if before is None and after is not None:
                writes.append(self._use_up(after["id"], is_new=after["id"] == unused_id))
            id = None if after is None else after["id"]
            if self._commit(state, _State(state.life, version, state.last + (before is None)), writes):
                return id
        raise AssertionError

    def _write(self, state: _State, address: _Address, rows: Sequence[Fields]) -> dict[str, Any]:
        key = self._row_key(state.life, address)
        if not rows:
            return {"Delete": {"TableName": self._table, "Key": key}}
        text = json.dumps([{name: row[name] for name in row if row[name]} for row in rows], ensure_ascii=False)
        return {"Put": {"TableName": self._table, "Item": {**key, "rows": {"S": text}}}}

    def _use_up(self, id: str | None, *, is_new: bool) -> dict[str, Any]:
        put = {"TableName": self._table, "Item": self._key("ids", _hashed(str(id)))}
        return {"Put": {**put, "ConditionExpression": "attribute_not_exists(pk)"} if is_new else put}

    def _commit(self, state: _State, new: _State, writes: Items) -> bool:
        """Write, if the state is still this one; whether it was."""
        item = {"life": {"S": new.life}, "version": {"S": new.version}, "last": {"N": str(new.last)}}
        put: dict[str, Any] = {"TableName": self._table, "Item": {**self._state_key, **item}}
        put["ConditionExpression"] = "attribute_not_exists(pk)"
        if state.version:
            put["ConditionExpression"] = "version = :version"
            put["ExpressionAttributeValues"] = {":version": {"S": state.version}}
        with _unless_another_comes():
            self._client.transact_write_items(TransactItems=[{"Put": put}, *writes])
            return True
        return False

    def _remove(self, items: Iterable[dict[str, Any]]) -> None:
        deletes = [{"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}} for item in items]
        for start in range(0, len(deletes), _BATCH):
            batch = {self._table: deletes[start : start + _BATCH]}
            for _ in _attempts():
                batch = self._client.batch_write_item(RequestItems=batch).get("UnprocessedItems")
                if not batch:
                    break

    def _put_or_delete_lease(self, call: Any, condition: str, values: dict[str, Any], **what: Any) -> bool:
        # "owner" and "until" may not stand in an expression as they are.
        names = {f"#{name}": name for name in ("owner", "until") if f"#{name}" in condition}
        with _unless_another_comes():
            call(
                TableName=self._table,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                **what,
            )
            return True
        return False

    # Keys, and what becomes of failures.

    @property
    def _state_key(self) -> dict[str, Any]:
        return {"pk": {"S": self._prefix}, "sk": {"S": "state"}}

    def _key(self, kind: str, digest: str) -> dict[str, Any]:
        return {"pk": {"S": f"{self._prefix}/{kind}"}, "sk": {"S": digest}}

    def _row_key(self, life: str, address: _Address) -> dict[str, Any]:
        return self._key(f"{life}/{address.name}", address.digest)

    @contextlib.contextmanager
    def _surfaced(self, message: str) -> Iterator[None]:
        """Let every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""
        if self._pid != os.getpid():
            # Forked: answers on a connection that two processes share would be anybody's [PROC-2].
            self._client.close()
            self._pid = os.getpid()
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            # An error that finds fault with a value may quote it.
            telling = not isinstance(error, ParamValidationError) and "ValidationError" not in str(error)
            telling = telling and "ValidationException" not in str(error)
            cause = error if telling else None
            # The SDK writes the cause behind the text.
            text = f"{message}: " if telling else f"{message}: {type(error).__name__}"
            raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


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


def _address(fields: Mapping[str, Any], name: str) -> _Address | None:
    """One of the addresses of a row with these fields; ``None`` where it lacks one of them."""
    texts = [fields[field] for field in _KEYS[name]]
    return _Address(name, _hashed(json.dumps(texts))) if all(map(_is_text, texts)) else None


def _addresses(row: Mapping[str, Any] | None) -> set[_Address]:
    found = {_address(row, name) for name in _KEYS} if row is not None else set()
    return {address for address in found if address is not None}


def _with(rows: Sequence[Fields], address: _Address, before: Fields | None, after: Fields | None) -> list[Fields]:
    """The rows at an address, after a row has become another."""
    others = [row for row in rows if before is None or row["number"] != before["number"]]
    own = [after] if after is not None and address in _addresses(after) else []
    return sorted([*others, *own], key=_number)


def _rows(item: Mapping[str, Any]) -> list[Fields]:
    if not item:
        return []
    return [Fields({**dict.fromkeys(FIELDS), **row}) for row in json.loads(item["rows"]["S"])]


def _distinct(found: Iterable[Sequence[Fields]]) -> list[Fields]:
    """Each of these rows once, the oldest first."""
    return sorted({row["number"]: row for rows in found for row in rows}.values(), key=_number)


def _number(row: Fields) -> int:
    return int(str(row["number"]))


def _read_state(item: Mapping[str, Any]) -> _State:
    return _State(item["life"]["S"], item["version"]["S"], int(item["last"]["N"])) if item else _State()


def _is_text(value: object) -> bool:
    """Whether this can be stored, and so can be equal to what is stored."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


# ---------------------------------------------------------------------------------------------
# Other writers, interrupts, logs.


def _attempts() -> Iterator[None]:
    """Lets a call try again for a while, with pauses of random length that grow."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0
    while True:
        yield
        if time.monotonic() > deadline:
            raise refusal(f"DynamoDB was busy, or other writers came between, for {_PATIENCE:g} seconds")
        time.sleep(random.uniform(0, pause))
        pause = min(max(0.02, 2 * pause), 1.0)


_OTHERS = {"ConditionalCheckFailed", "TransactionConflict"}


@contextlib.contextmanager
def _unless_another_comes() -> Iterator[None]:
    """Leave the block where a condition does not hold, or another transaction is under way."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"].removesuffix("Exception")
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", ())} - {"None"}
        cancelled = code == "TransactionCanceled" and reasons <= _OTHERS
        if not cancelled and code not in {*_OTHERS, "TransactionInProgress"}:
            raise


class _Hidden(bytes):
    """Content that botocore does not show in its log."""

    def __repr__(self) -> str:
        return "<hidden>"


def _hide_request(params: dict[str, Any], **_: object) -> None:
    params["body"] = _Hidden(params["body"])


def _hide_answer(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["body"] = _Hidden(response_dict["body"])


def _let_through(caught_exception: Any = None, **_: object) -> None:
    """Raise what a signal handler raised: botocore takes it for a failure of the network [CRASH-6]."""
    if isinstance(caught_exception, HTTPClientError):
        raised = caught_exception.kwargs.get("error")
        if isinstance(raised, Exception) and not isinstance(raised, OSError) and _is_foreign(raised):
            raise raised


def _is_foreign(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] not in {"urllib3", "http", "botocore"}


_HANDLERS = {"before-call": _hide_request, "before-parse": _hide_answer, "needs-retry": _let_through}
