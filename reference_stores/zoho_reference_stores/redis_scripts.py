"""The scripts of `RedisStore`, in Lua. Copy this module beside that of the store.

Redis runs each from its start to its end with nobody else in between, so that a call
is one step for every node [THREAD-5, PROC-1], and one round trip.

Everything is in one hash, so that none of it can be evicted or lost without the rest:

    row:<number>          a row as a JSON object; the numbers tell the order of insertion
    <way>:<digest>        the numbers of the rows with equal fields, as a JSON list

A row is written with all its entries by one HSET: a script that fails has changed nothing.
"""

from __future__ import annotations

import hashlib


class Script:
    """The text of a script, and the digest under which a server that has run it knows it.

    It answers with the number that was sent to it, and then with what it has to say.
    """

    def __init__(self, body: str) -> None:
        self.text = f"local function answer()\n{body}\nend\nreturn {{ARGV[1], answer()}}"
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_LOOKUP = """
local tokens = KEYS[1]

-- The name of the entry for these fields; none where one is absent or no text.
local function entry(names, row)
    local joined = ''
    for _, name in ipairs(names) do
        local value = row[name]
        if type(value) ~= 'string' then return nil end
        joined = joined .. #value .. ':' .. value
    end
    return table.concat(names, '+') .. ':' .. redis.sha1hex(joined)
end

local function numbers(key)
    return cjson.decode(redis.call('HGET', tokens, key) or '[]')
end

-- The first row that a token matches, by the best way first, of several rows the oldest. The digest
-- leads to candidates, the texts themselves decide [VALUE-6, VALUE-7].
local function first(ways, sent)
    for _, way in ipairs(ways) do
        local key = entry(way.fields, sent)
        for _, number in ipairs(key and numbers(key) or {}) do
            local text = redis.call('HGET', tokens, 'row:' .. number)
            local row = text and cjson.decode(text)
            local equal = row and not (way.unnamed and row.user_name)
            for _, name in ipairs(way.fields) do equal = equal and row[name] == sent[name] end
            if equal then return number, row, text end
        end
    end
    return nil
end
"""

_CHANGE = """
local indexed = {
    {'id'}, {'user_name'}, {'access_token'},
    {'grant_token', 'client_id', 'client_secret'}, {'refresh_token', 'client_id', 'client_secret'},
}

-- The other rows with the same fields.
local function others(key, number)
    local found = {}
    for _, other in ipairs(numbers(key)) do
        if other ~= number and redis.call('HEXISTS', tokens, 'row:' .. other) == 1 then
            found[#found + 1] = other
        end
    end
    return found
end

-- Write a row, and what leads to it.
local function write(number, row)
    local set = {'row:' .. number, cjson.encode(row)}
    for _, names in ipairs(indexed) do
        local key = entry(names, row)
        if key then
            local found = others(key, number)
            found[#found + 1] = number
            table.sort(found)
            set[#set + 1] = key
            set[#set + 1] = cjson.encode(found)
        end
    end
    redis.call('HSET', tokens, unpack(set))
end

-- Take away the entries of a row that it does not have any more, as far as no other row needs them.
-- It is no failure if this may not be done: an entry that is left leads to no row.
local function forget(number, old, new)
    for _, names in ipairs(indexed) do
        local key = entry(names, old)
        if key and key ~= entry(names, new) and #others(key, number) == 0 then
            redis.pcall('HDEL', tokens, key)
        end
    end
end
"""

FIND = Script(
    _LOOKUP
    + """
local _, _, text = first(cjson.decode(ARGV[2]), cjson.decode(ARGV[3]))
return text
"""
)

LIST = Script(
    """
local fields, rows = redis.call('HGETALL', KEYS[1]), {}
for place = 1, #fields, 2 do
    if string.sub(fields[place], 1, 4) == 'row:' then rows[#rows + 1] = {fields[place], fields[place + 1]} end
end
table.sort(rows, function(one, other) return one[1] < other[1] end)
for place, row in ipairs(rows) do rows[place] = row[2] end
return rows
"""
)

# `insert` says what a new row's id is, or why there is none: where the token's own id is free, where it
# is taken, and which one is new. A client that lost the answer sends its call again, without being asked
# (redis-py does): the row that has the new id is then the one that the first call inserted.
SAVE = Script(
    _LOOKUP
    + _CHANGE
    + """
local ways, sent, insert = cjson.decode(ARGV[2]), cjson.decode(ARGV[3]), cjson.decode(ARGV[4])
local number, row = first(ways, sent)
if number then
    local old, new = row, {}
    for name, value in pairs(old) do new[name] = value end
    for name, value in pairs(sent) do -- the others are kept [SAVE-13]
        if name ~= 'id' then new[name] = value end
    end
    write(number, new)
    forget(number, old, new)
    return {'saved', old.id}
end

local by_id = {{fields = {'id'}}}
local chosen = first(by_id, sent) and insert.taken or insert.free
if chosen.refusal then return {'refused', chosen.refusal} end
sent.id = chosen.id
local _, earlier = first(by_id, sent)
if earlier then
    for name, value in pairs(sent) do
        if earlier[name] ~= value then return {'refused', 'the new id is taken: save once more'} end
    end
    return {'saved', sent.id}
end
local now = redis.call('TIME')
local micros = now[1] * 1000000 + now[2]
repeat
    number = string.format('%017d', micros)
    micros = micros + 1
until redis.call('HEXISTS', tokens, 'row:' .. number) == 0
write(number, sent)
return {'saved', sent.id}
"""
)

DELETE = Script(
    _LOOKUP
    + _CHANGE
    + """
local number, row = first(cjson.decode(ARGV[2]), cjson.decode(ARGV[3]))
if number then
    redis.call('HDEL', tokens, 'row:' .. number)
    forget(number, row, {})
end
return nil
"""
)

CLEAR = Script("redis.call('DEL', KEYS[1]) return nil")

ACQUIRE = Script(
    """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
)

RELEASE = Script("if redis.call('GET', KEYS[1]) == ARGV[2] then redis.call('DEL', KEYS[1]) end return nil")
