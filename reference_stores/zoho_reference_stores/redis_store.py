"""A token store in Redis, for the Zoho CRM Python SDK on any number of machines.

Copy this module into your project: it needs the SDK, redis-py and the standard library::

    client = redis.Redis.from_url("redis://localhost:6379/0")
    Initializer.initialize(environment, token, store=RedisStore(client))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import json
import random
from typing import TYPE_CHECKING, Any

from redis import Redis, RedisCluster
from redis.exceptions import NoScriptError, RedisError
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .redis_scripts import ACQUIRE, CLEAR, DELETE, FIND, LIST, RELEASE, SAVE, Script
from .token_fields import (
    FIELDS,
    Fields,
    Way,
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BY_ID = (Way(("id",)),)
_TRIES = 3


class RedisStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in Redis (5 or newer), shared by threads, processes and machines.

    Every call is one script that the server runs as a single step, in one round trip: nodes that save
    at the same moment leave one row for each user, and readers never see half a save. When a
    connection breaks in the middle of a save, the client's own retry finishes it; it is never done twice.

    An exception in the middle of a call, such as a soft time limit raises, comes out as it is. What the
    server then still answers goes to nobody: idle connections are closed, and an answer without the
    number of its call is thrown away. (redis-py takes an ``OSError`` for a failure of the network:
    let handlers raise something else, not ``TimeoutError``.)

    How long tokens last is decided by the server's configuration:

    - ``appendonly yes`` with ``appendfsync always``: what a call that has returned did is on the disk.
      With ``appendfsync everysec``, the default, a crash of the server or its machine loses up to
      the last two seconds. Without ``appendonly yes``, everything since the last snapshot is lost,
      which may be an hour.
    - ``maxmemory-policy noeviction``, the default, or a ``volatile-`` policy: when memory is full,
      saving raises. An ``allkeys-`` policy drops all tokens at once, and all users sign in again.
    - Replicas get changes after the call has returned: a failover can lose the last ones.

    Whatever is lost, nobody gets another user's token: an id is a random number of ten digits, so that
    none comes again.

    The server has to allow the commands EVALSHA, EVAL, HGET, HSET, HDEL, HEXISTS, HGETALL, DEL, TIME,
    and for leases GET and SET, on keys that begin with ``{prefix}:``. The client may be any of redis-py
    that talks to the primary: `redis.Redis`, with or without ``decode_responses``, or
    `redis.RedisCluster`, where all keys of a store lie on one node. The client is the caller's: the store
    never closes it.

    What the contract leaves open: deleting an unknown id is silent; `get_tokens` answers in the order of
    insertion. A token with the name of a stored user and the id of another row updates the user's row
    alone; with the id of another user's row and a new name it becomes a row of its own, under a new id.

    What redis-py keeps in its own frames, a tool that records local variables can see: it needs the
    values. The frames of this module show none.

    Args:
        client: The client, with its server, password, time limits and retries.
        prefix: What every key begins with, in braces. Stores with one prefix share their tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the server cannot be
            reached or refuses.
    """

    def __init__(self, client: Redis | RedisCluster, prefix: str = "zoho-tokens") -> None:
        if not isinstance(client, Redis | RedisCluster):
            raise refusal(f"RedisStore takes a redis.Redis or a redis.RedisCluster, not {client!r:.100}")
        if not isinstance(prefix, str) or not prefix or "}" in prefix:
            raise refusal(f"the prefix is a text without '}}' that is not empty, not {prefix!r}")
        if isinstance(client, Redis) and client.connection is not None:
            # With single_connection_client, a call that is interrupted may keep the client's lock for ever.
            client = Redis(connection_pool=client.connection_pool)
        self._client = client
        self._prefix = f"{{{prefix}}}:"
        self._tokens = f"{self._prefix}tokens"

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        fields = read_token(token)
        row = self._find(Constants.GET_TOKEN_DB_ERROR, ways_to_find(present(fields)), fields)
        return None if row is None else fill_token(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others [SAVE-13].
        """
        fields = read_token_to_save(token)
        if not all(_is_text(fields[name]) for name in present(fields)):
            raise refusal("text with a lone surrogate cannot be stored")
        new_id = random_id()
        insert = {"free": _choice(fields, new_id, taken=False), "taken": _choice(fields, new_id, taken=True)}
        ways = ways_to_update(present(fields))
        with _surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            outcome, said = self._run(
                SAVE, self._tokens, _ways(ways), _fields(fields), json.dumps(insert).encode()
            )
        if outcome != b"saved":
            raise refusal(said.decode())
        token.set_id(said.decode())

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with _surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            self._run(DELETE, self._tokens, _ways(_BY_ID), _fields(Fields(id=id)))

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with _surfaced(Constants.GET_TOKENS_DB_ERROR):
            return [new_token(_row(text)) for text in self._run(LIST, self._tokens)]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with _surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            self._run(CLEAR, self._tokens)

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        row = self._find(Constants.GET_TOKEN_DB_ERROR, _BY_ID, Fields(id=id))
        return None if row is None or row["id"] != id else new_token(row)

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease, which ends by the server's clock whatever becomes of its owner.

        Args:
            key: What the lease is for.
            owner: Who asks; a text that nobody else uses.
            seconds: How long it lasts from now.

        Returns:
            Whether `owner` holds it now: it was free, had run out, or was `owner`'s already.
        """
        milliseconds = str(max(1, round(seconds * 1000))).encode()
        with _surfaced("Cannot take a lease"):
            return bool(self._run(ACQUIRE, f"{self._prefix}lease:{key}", owner.encode(), milliseconds))

    def release_lease(self, key: str, owner: str) -> None:
        """End a lease now, if `owner` holds it."""
        with _surfaced("Cannot release a lease"):
            self._run(RELEASE, f"{self._prefix}lease:{key}", owner.encode())

    def _find(self, message: str, ways: Sequence[Way], fields: Fields) -> Fields | None:
        if not ways:
            return None
        with _surfaced(message):
            answer = self._run(FIND, self._tokens, _ways(ways), _fields(fields))
            return None if answer is None else _row(answer)

    def _run(self, script: Script, key: str, *arguments: bytes) -> Any:
        """Run a script on a key, and return what it answers: to this call and no other.

        On a connection that was interrupted between a call and its answer, the next call gets that answer.
        """
        number = random.SystemRandom().randbytes(8).hex().encode()
        try:
            for _ in range(_TRIES):
                answer = _hidden(self._evaluated(script, 1, key.encode(), number, *arguments))
                if isinstance(answer, list) and answer and answer[0] == number:
                    return answer[1] if len(answer) > 1 else None
                self._drop_connections()
        except BaseException as error:
            if not isinstance(error, RedisError):
                self._drop_connections()
            raise
        raise refusal("the answers of the server are those to other calls")

    def _evaluated(self, script: Script, *arguments: Any) -> Any:
        # Texts go out as UTF-8 and answers come back as bytes, whatever the client is set to.
        try:
            return self._client.execute_command("EVALSHA", script.sha, *arguments, NEVER_DECODE=True)
        except NoScriptError:  # the first time since the server started
            return self._client.execute_command("EVAL", script.text, *arguments, NEVER_DECODE=True)

    def _drop_connections(self) -> None:
        """Give the client new connections: one of the old may have an answer to come for nobody."""
        clients: list[Any] = [self._client]
        if isinstance(self._client, RedisCluster):
            clients = [node.redis_connection for node in self._client.get_nodes() if node.redis_connection]
        for client in clients:
            client.connection_pool.reset()


# ---------------------------------------------------------------------------------------------
# Rows and texts.


def _row(text: bytes) -> Fields:
    """A row as it is stored."""
    try:
        stored = Fields(json.loads(text))
    except json.JSONDecodeError:
        raise refusal("a row is not the JSON that was stored: JSONDecodeError") from None
    return Fields({name: stored.get(name) for name in FIELDS})


def _is_text(value: object) -> bool:
    """Whether this can be stored, and so can be equal to what is stored."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


class _Hidden(bytes):
    """A text on its way from or to the server, which does not show itself [SECRET-2]."""

    def __repr__(self) -> str:
        return "<hidden>"


def _hidden(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_hidden(one) for one in answer]
    return _Hidden(answer) if isinstance(answer, bytes) else answer


def _fields(fields: Fields) -> bytes:
    """Fields for a script, without those that no row can have [BYID-3]."""
    sent = Fields({name: fields[name] for name in fields if _is_text(fields[name])})
    return _Hidden(json.dumps(sent).encode())


def _ways(ways: Sequence[Way]) -> bytes:
    return json.dumps([way._asdict() for way in ways]).encode()


def _choice(fields: Fields, new_id: str, *, taken: bool) -> dict[str, str | None]:
    """The id that a new row gets, or why the token cannot become one; see `id_to_insert`."""
    try:
        return {"id": id_to_insert(fields, taken=taken) or new_id}
    except SDKException as error:
        return {"refusal": str(error.message)}


# ---------------------------------------------------------------------------------------------
# Failures.


@contextlib.contextmanager
def _surfaced(message: str) -> Iterator[None]:
    """Let what redis-py raises come out as `SDKException`, with its cause, without a secret [SECRET-2]."""
    try:
        yield
    except RedisError as error:
        # Redis quotes the arguments of a command that it does not know.
        cause = None if "with args beginning" in str(error) else error
        # The SDK writes the cause behind the text.
        text = f"{message}: " if cause else f"{message}: {type(error).__name__}"
        raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause
