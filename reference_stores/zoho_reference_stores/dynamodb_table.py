"""What `DynamoDBStore` asks of DynamoDB: requests that are right under contention, and tell no secret.

``zoho-tokenstore copy`` writes this module beside the copy of the store. The ids in brackets, such as
[SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .token_fields import refusal

_PATIENCE = 25.0  # seconds in which a call tries again after another one came between
_BATCH = 25  # items that one BatchWriteItem takes


class Item(dict[str, Any]):
    """The columns of an item, or of an answer. Its `repr` has no values, for they are secret [SECRET-2]."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self)}>"


class Key(NamedTuple):
    """Where an item lies in the table.

    Attributes:
        kind: What its partition key ends with.
        sort: Its sort key.
    """

    kind: str
    sort: str


class Write(NamedTuple):
    """What becomes of an item.

    Attributes:
        key: Where it lies.
        values: Its texts; ``None`` deletes it.
        only_if: The version that it has to have now, or "" where it must not be there; ``None``: whatever.
    """

    key: Key
    values: Item | None
    only_if: str | None = None


class Table:
    """A table whose items are texts under keys that begin with a prefix.

    Args:
        client: ``boto3.client("dynamodb")``.
        name: The name of the table.
        prefix: What all partition keys begin with.
    """

    def __init__(self, client: Any, name: str, prefix: str) -> None:
        self._client = client
        self._name = name
        self._prefix = prefix
        self._pid = os.getpid()
        for event, handler in _HANDLERS.items():
            client.meta.events.register_first(f"{event}.dynamodb", handler, unique_id=f"zoho-{event}")

    def get(self, keys: Sequence[Key]) -> list[Item]:
        """Return the items with these keys, each as it was at some moment of the call; ``{}`` is none."""
        wanted = list(map(self._key, keys))
        for _ in attempts():
            request = {"Keys": wanted, "ConsistentRead": True}  # not what was there some time before
            answer = Item(self._client.batch_get_item(RequestItems={self._name: request}))
            if not answer.get("UnprocessedKeys"):
                break
        found = Item((_place(item), item) for item in answer["Responses"][self._name])
        return [_texts(found.get(_place(key), {})) for key in wanted]

    def get_at_once(self, keys: Sequence[Key]) -> list[Item]:
        """Return the same as `get`, all as they were at one moment, for twice the price."""
        gets = [{"Get": {"TableName": self._name, "Key": self._key(key)}} for key in keys]
        for _ in attempts():
            with _unless_another_comes():
                answer = Item(self._client.transact_get_items(TransactItems=gets))
                break
        return [_texts(one.get("Item", {})) for one in answer["Responses"]]

    def items(self, kind: str, *columns: str) -> Iterator[Item]:
        """Return all items of a kind, page after page: with all their columns, or with these alone."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": self._key(Key(kind, ""))["pk"]},
        }
        if columns:
            request["ProjectionExpression"] = ", ".join(columns)
        while True:
            answer = Item(self._client.query(**request))
            yield from map(_texts, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def commit(self, writes: Iterable[Write]) -> bool:
        """Write all of these, or nothing; whether every condition held."""
        with _unless_another_comes():
            self._client.transact_write_items(TransactItems=list(map(self._write, writes)))
            return True
        return False

    def remove(self, kind: str) -> None:
        """Delete all items of a kind, one batch after another."""
        keys = [self._key(Key(kind, item["sk"])) for item in self.items(kind, "sk")]
        for start in range(0, len(keys), _BATCH):
            batch = {self._name: [{"DeleteRequest": {"Key": key}} for key in keys[start : start + _BATCH]]}
            for _ in attempts():
                batch = self._client.batch_write_item(RequestItems=batch).get("UnprocessedItems")
                if not batch:
                    break

    def take_lease(self, key: Key, owner: str, seconds: float) -> bool:
        """Take a lease, if it is free, has run out, or is the owner's; whether the owner has it now."""
        now = time.time()
        values = {":owner": {"S": owner}, ":now": {"N": repr(now)}}
        with _unless_another_comes():
            self._client.put_item(
                TableName=self._name,
                Item={**self._key(key), "owner": {"S": owner}, "ends": {"N": repr(now + seconds)}},
                ConditionExpression="attribute_not_exists(pk) OR #owner = :owner OR ends <= :now",
                ExpressionAttributeNames=_OWNER,
                ExpressionAttributeValues=values,
            )
            return True
        return False

    def end_lease(self, key: Key, owner: str) -> None:
        """End a lease, if it is the owner's."""
        with _unless_another_comes():
            self._client.delete_item(
                TableName=self._name,
                Key=self._key(key),
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames=_OWNER,
                ExpressionAttributeValues={":owner": {"S": owner}},
            )

    def _key(self, key: Key) -> dict[str, Any]:
        return {"pk": {"S": f"{self._prefix}/{key.kind}"}, "sk": {"S": key.sort}}

    def _write(self, write: Write) -> dict[str, Any]:
        key = self._key(write.key)
        if write.values is None:
            return {"Delete": {"TableName": self._name, "Key": key}}
        item = Item(key, **{name: {"S": text} for name, text in write.values.items()})
        put: dict[str, Any] = {"TableName": self._name, "Item": item}
        if write.only_if is not None:
            put["ConditionExpression"] = "attribute_not_exists(pk)"
        if write.only_if:
            put["ConditionExpression"] = "version = :version"
            put["ExpressionAttributeValues"] = {":version": {"S": write.only_if}}
        return {"Put": put}

    @contextlib.contextmanager
    def surfaced(self, message: str) -> Iterator[None]:
        """Let every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""
        if self._pid != os.getpid():
            # Forked. On a connection that two processes share, answers would be anybody's [PROC-2].
            self._client.close()
            self._pid = os.getpid()
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            # An error that finds fault with a value may quote it.
            telling = not isinstance(error, ParamValidationError) and "Validation" not in str(error)
            cause = error if telling else None
            # The SDK writes the cause behind the text.
            text = f"{message}: " if telling else f"{message}: {type(error).__name__}"
            raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


_OWNER = {"#owner": "owner"}  # a word that may not stand in an expression


def _place(item: Mapping[str, Any]) -> str:
    return f"{item['pk']['S']} {item['sk']['S']}"


def _texts(item: Mapping[str, Any]) -> Item:
    return Item((name, value["S"]) for name, value in item.items() if "S" in value)


# ---------------------------------------------------------------------------------------------
# Other callers.


def attempts() -> Iterator[None]:
    """Let a call try again for a while, with pauses of random length that grow."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0
    while True:
        yield
        if time.monotonic() > deadline:
            raise refusal(f"DynamoDB was busy, or other callers came between, for {_PATIENCE:g} seconds")
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


# ---------------------------------------------------------------------------------------------
# What the client is told to do otherwise.


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
        module = type(raised).__module__.partition(".")[0]
        if isinstance(raised, Exception) and not isinstance(raised, OSError) and module not in _NETWORK:
            raise raised


_NETWORK = {"botocore", "http", "urllib3"}
_HANDLERS = {"before-call": _hide_request, "before-parse": _hide_answer, "needs-retry": _let_through}
