"""A token store in Redis, for the Zoho CRM Python SDK on any number of machines.

Copy this module into your project: it needs the SDK, redis-py and the standard library::

    client = redis.Redis.from_url("redis://localhost:6379/0")
    Initializer.initialize(environment, token, store=RedisStore(client))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from redis import Redis, RedisCluster

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
_KEYS = ("id", "user_name", *_FIELDS[:5])  # what a row can be looked up by

# ---------------------------------------------------------------------------------------------
# The scripts. Redis runs each from its start to its end with nobody else in between, so that a call
# is one step for every node [THREAD-5, PROC-1], and one round trip. A row is a JSON object in the
# hash `rows`, under a number that only grows. The index is a sorted set of texts, all with the score
# 0, which Redis keeps in the order of their bytes: the way, a digest of what is equal, the number.


class _Script:
    """The text of a script, and the digest under which a server that has run it knows it."""

    def __init__(self, *parts: str) -> None:
        self.text = "\n".join(parts)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_LOOKUP = """
local rows, index = KEYS[1], KEYS[2]

-- The fields that have to be equal, by the way in which a row is looked up.
local ways = {
    id = {'id'},
    user = {'user_name'},
    access = {'access_token'},
    grant = {'grant_token', 'client_id', 'client_secret'},
    refresh = {'refresh_token', 'client_id', 'client_secret'},
}

-- How the index entries of all rows with these fields begin. Absent equals nothing, and neither
-- does what is no text (cjson.null).
local function beginning(way, fields)
    local joined = ''
    for _, column in ipairs(ways[way]) do
        local value = fields[column]
        if type(value) ~= 'string' then return nil end
        joined = joined .. #value .. ':' .. value
    end
    return way .. ':' .. redis.sha1hex(joined) .. ':'
end

-- The digest leads to candidates, the texts themselves decide [VALUE-6, VALUE-7].
local function equal(way, one, other)
    for _, column in ipairs(ways[way]) do
        if one[column] ~= other[column] then return false end
    end
    return true
end

-- The oldest row that is equal to what was sent; `unnamed`: of those without a user's name.
local function oldest(way, sent, unnamed)
    local start = beginning(way, sent)
    if not start then return nil end
    if unnamed then start = 'unnamed ' .. start end
    for _, entry in ipairs(redis.call('ZRANGEBYLEX', index, '[' .. start, '(' .. start .. ':')) do
        local number = string.sub(entry, #start + 1)
        local text = redis.call('HGET', rows, number)
        local row = cjson.decode(text)
        if equal(way, row, sent) then return {number = number, text = text, row = row} end
    end
    return nil
end

local function with_its_token(sent)
    local alone = not (sent.client_id or sent.client_secret)
    return (alone and oldest('access', sent)) or oldest('grant', sent) or oldest('refresh', sent)
end

-- An access token beside client credentials counts when nothing else says whose it is.
local function with_access_at_last(sent)
    if not (sent.client_id and sent.client_secret) then return nil end
    if sent.grant_token or sent.refresh_token or sent.id then return nil end
    return oldest('access', sent)
end
"""

# The first way in which some row matches. A name outranks everything else: whoever names a user
# reaches no row of another [SAVE-5, FIND-8].
_FIND = _Script(
    _LOOKUP,
    """
local sent = cjson.decode(ARGV[1])
local found
if sent.user_name then
    found = oldest('user', sent) or oldest('id', sent, true)
else
    found = with_its_token(sent) or oldest('id', sent) or with_access_at_last(sent)
end
return found and found.text
""",
)

_LIST = _Script("return redis.call('HGETALL', KEYS[1])")

# A client that lost the answer sends its call again, without being asked (redis-py does). What the
# first one did is remembered for a while, so that the second does not do it once more.
_CHANGE = """
local brought, last, done = KEYS[3], KEYS[4], KEYS[5]
local earlier = redis.call('GET', done)
if earlier then return {'done', earlier} end

-- What stores something calls this before it writes anything else: when memory is full, the first
-- write is refused, and then nothing has changed. What deletes calls it at the end, and so makes room.
local function finish(answer)
    redis.call('SET', done, answer, 'EX', 600)
end

local function entries(number, row)
    local list = {}
    for way in pairs(ways) do
        local start = beginning(way, row)
        if start then
            list[#list + 1] = start .. number
            if not row.user_name then list[#list + 1] = 'unnamed ' .. start .. number end
        end
    end
    return list
end

local function remove(number, row)
    for _, entry in ipairs(entries(number, row)) do redis.call('ZREM', index, entry) end
    redis.call('HDEL', rows, number)
end

local function add(number, row)
    redis.call('HSET', rows, number, cjson.encode(row))
    for _, entry in ipairs(entries(number, row)) do redis.call('ZADD', index, 0, entry) end
end
"""

_SAVE = _Script(
    _LOOKUP,
    _CHANGE,
    """
local sent = cjson.decode(ARGV[1])
local credential = sent.grant_token or sent.refresh_token or sent.access_token
local found
if sent.user_name then
    -- A new name goes to the unnamed row that the token was saved as before its user was known
    -- [SAVE-14, SAVE-15].
    found = oldest('user', sent) or oldest('id', sent, true)
        or oldest('grant', sent, true) or oldest('refresh', sent, true)
else
    -- Without a name, another credential under the id of a user's row may be anybody's: no match.
    found = with_its_token(sent) or oldest('id', sent, credential) or with_access_at_last(sent)
end

if found then
    finish(found.row.id)
    remove(found.number, found.row)
    for column, value in pairs(sent) do -- the others are kept [SAVE-13]
        if column ~= 'id' then found.row[column] = value end
    end
    add(found.number, found.row)
    return {'done', found.row.id}
end

if not credential and (sent.id or sent.user_name) then -- [SAVE-16]
    return {'refused', 'the token has no credential, and no row is its own'}
end
if oldest('id', sent) then
    if not sent.user_name then
        return {'refused', "the id is that of a user's row, whom this token does not name"}
    end
    sent.id = nil -- another user's row: this user gets one of their own [SAVE-11]
end
local number = redis.call('INCR', last)
if sent.id then
    redis.call('SADD', brought, sent.id)
else
    -- An id that no row has or ever had [DEL-5].
    while redis.call('SISMEMBER', brought, tostring(number)) == 1 do number = redis.call('INCR', last) end
    sent.id = tostring(number)
end
finish(sent.id)
add(string.format('%012d', number), sent)
return {'done', sent.id}
""",
)

_DELETE = _Script(
    _LOOKUP,
    _CHANGE,
    """
local found = oldest('id', cjson.decode(ARGV[1]))
if found then
    remove(found.number, found.row)
    finish('')
end
return {'done', ''}
""",
)

_CLEAR = _Script(
    _LOOKUP,
    _CHANGE,
    """
redis.call('DEL', rows, index) -- not the ids: they stay used up [DEL-5]
finish('')
return {'done', ''}
""",
)

_ACQUIRE = _Script(
    """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)

_RELEASE = _Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1")


class RedisStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in Redis (5 or newer), shared by threads, processes and machines.

    Every call is one script that the server runs as a single step, in one round trip: nodes that save
    at the same moment leave one row for each user, and readers never see half a save. When a
    connection breaks in the middle of a save, the client's own retry finishes it; it is never done twice.

    How long tokens last is decided by the server's configuration:

    - ``appendonly yes`` with ``appendfsync always``: what a call that has returned did is on the disk.
      With ``appendfsync everysec``, the default, a crash of the server or its machine loses up to
      the last two seconds. Without ``appendonly yes``, everything since the last snapshot is lost,
      which may be an hour.
    - ``maxmemory-policy noeviction``, the default: any other drops tokens, or keys that belong to
      them, when memory is full. With it, saving then raises.
    - Replicas get changes after the call has returned: a failover can lose the last ones.

    The server has to allow the commands ``EVALSHA`` and ``EVAL`` and what the scripts call. The
    client may be any of redis-py that talks to the primary: `redis.Redis`, with or without
    ``decode_responses``, or `redis.RedisCluster`. All keys carry the hash tag ``{prefix}``, and so
    lie on one node of a cluster. The client is the caller's: the store never closes it.

    What the contract leaves open: deleting an unknown id is silent; ids are decimal text and never
    given twice; `get_tokens` answers in the order of insertion. A token with the name of a stored
    user and the id of another row updates the user's row alone; with the id of another user's row
    and a new name it becomes a row of its own, under a new id.

    Args:
        client: The client, with its server, password, time limits and retries.
        prefix: What every key begins with, in braces. Stores with one prefix share their tokens.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the server cannot be
            reached or refuses.
    """

    def __init__(self, client: Redis | RedisCluster, prefix: str = "zoho-tokens") -> None:
        self._client = client
        self._prefix = f"{{{prefix}}}:"
        self._keys = [f"{self._prefix}{name}" for name in ("rows", "index", "brought", "last")]

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        with _surfaced(Constants.GET_TOKEN_DB_ERROR):
            if not isinstance(token, OAuthToken):
                return None
            row = self._find(_read(token))
            return None if row is None else _fill(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        with _surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            if not isinstance(token, OAuthToken):
                raise _refusal("only an OAuthToken can be saved")
            fields = _read(token)
            if any(not isinstance(value, str) for value in fields.values()):
                raise _refusal("every field of a token is text")
            if not all(map(_is_text, fields.values())):
                raise _refusal("text with a lone surrogate cannot be stored")
            token.set_id(self._change(_SAVE, _json(fields)))

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with _surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            self._change(_DELETE, _json({"id": id}))

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with _surfaced(Constants.GET_TOKENS_DB_ERROR):
            flat = self._run(_LIST, self._keys[:1])
            rows = dict(zip(flat[::2], flat[1::2], strict=True))
            return [_new_token(json.loads(rows[number])) for number in sorted(rows)]

    def delete_tokens(self) -> None:
        """Delete every row. Their ids stay used up [DEL-5]."""
        with _surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            self._change(_CLEAR)

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with _surfaced(Constants.GET_TOKEN_DB_ERROR):
            row = self._find({"id": id})
            return None if row is None else _new_token(row)

    def acquire_lease(self, key: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease, which ends by the server's clock whatever becomes of its owner.

        Args:
            key: What the lease is for.
            owner: Who asks; a text that nobody else uses.
            seconds: How long it lasts from now.

        Returns:
            Whether `owner` holds it now: it was free, had run out, or was `owner`'s already.
        """
        with _surfaced("Cannot take a lease"):
            milliseconds = max(1, round(seconds * 1000))
            return bool(self._run(_ACQUIRE, [f"{self._prefix}lease:{key}"], owner, milliseconds))

    def release_lease(self, key: str, owner: str) -> None:
        """End a lease now, if `owner` holds it."""
        with _surfaced("Cannot release a lease"):
            self._run(_RELEASE, [f"{self._prefix}lease:{key}"], owner)

    def _find(self, fields: Mapping[str, Any]) -> dict[str, str] | None:
        keys = {name: fields[name] for name in _KEYS if name in fields}
        text = self._run(_FIND, self._keys[:2], _json(keys))
        row: dict[str, str] | None = None if text is None else json.loads(text)
        return row

    def _change(self, script: _Script, *arguments: bytes) -> str:
        """Run a script that changes something, once; returns what it answers."""
        done = f"{self._prefix}done:{uuid.uuid4().hex}"
        outcome, answer = self._run(script, [*self._keys, done], *arguments)
        if outcome != b"done":
            raise _refusal(answer.decode())
        text: str = answer.decode()
        return text

    def _run(self, script: _Script, keys: Sequence[str], *arguments: Any) -> Any:
        # Texts go out as UTF-8 and answers come back as bytes, whatever the client is set to.
        rest = (len(keys), *(key.encode() for key in keys), *map(_sent, arguments))
        raw = {"NEVER_DECODE": True}
        try:
            return self._client.execute_command("EVALSHA", script.sha, *rest, **raw)
        except NoScriptError:  # the first time since the server started
            return self._client.execute_command("EVAL", script.text, *rest, **raw)


# ---------------------------------------------------------------------------------------------
# Tokens and rows.


def _read(token: OAuthToken) -> dict[str, str]:
    """The fields that the token has. Absent is ``None`` or ``""`` in a token."""
    signature = token.get_user_signature()
    fields = {field: getattr(token, f"get_{field}")() for field in _FIELDS}
    fields["id"] = token.get_id()
    fields["user_name"] = signature.get_name() if signature is not None else None
    return {name: value for name, value in fields.items() if value}


def _fill(token: OAuthToken, row: Mapping[str, str]) -> OAuthToken:
    """Give the token the row's id, and of the row's other fields those that it lacks."""
    token.set_id(row["id"])
    signature = token.get_user_signature()
    if signature is None or not signature.get_name():
        token.set_user_signature(UserSignature(row["user_name"]) if "user_name" in row else None)
    for field in _FIELDS:
        if not getattr(token, f"get_{field}")():
            getattr(token, f"set_{field}")(row.get(field))
    return token


def _new_token(row: Mapping[str, str]) -> OAuthToken:
    # The constructor, not object.__new__: the SDK needs what it sets [FIND-13, BYID-5].
    return _fill(OAuthToken(id=row["id"]), row)


def _is_text(value: object) -> bool:
    """Whether this can be stored, and so can be equal to what is stored."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _json(fields: Mapping[str, object]) -> bytes:
    """The fields for a script; null is one that equals nothing [BYID-3]."""
    texts = {name: value if _is_text(value) else None for name, value in fields.items()}
    return json.dumps(texts, ensure_ascii=False).encode()


def _sent(argument: str | bytes | int) -> bytes | int:
    return argument.encode() if isinstance(argument, str) else argument


# ---------------------------------------------------------------------------------------------
# Failures.


def _refusal(message: str) -> SDKException:
    return SDKException(code=Constants.TOKEN_STORE, message=message)


@contextlib.contextmanager
def _surfaced(message: str) -> Iterator[None]:
    """Let every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""
    try:
        yield
    except SDKException:
        raise
    except Exception as error:
        # What is not the server's or the network's may quote its input, and so does one of Redis.
        telling = isinstance(error, RedisError | OSError) and "with args beginning" not in str(error)
        cause = error if telling else None
        # The SDK writes the cause behind the text.
        text = f"{message}: " if telling else f"{message}: {type(error).__name__}"
        raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause
