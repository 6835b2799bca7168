"""Tokens, rows and texts in few words: whose they are, and the fields that matter.

The kit's own messages write rows as ``Row(...)`` and tokens as ``OAuthToken(...)`` with every field. A
reader wants to know whose they are, and in which fields two of them differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .junk_answers import show
from .tokens import CREDENTIALS, FIELDS, Row, format_value

_WHOLE = 5
"""From so many fields on, a token is told by whose it is."""
_VALUE = 32
"""How long a value may be, in characters."""
_CLIENT = ("client_id", "client_secret")
_SAMPLE = re.compile(r"'([\w.-]+)@example\.com:(?:77|1)'")
_OWNED = re.compile(r"'1000\.(?:us\.)?([\w-]+?)(?:\.\d+)?\.(?:access|refresh|grant)\b")
_START = re.compile(r"\b(Row|OAuthToken)\(")
_LISTED = re.compile(r"\(id='([^']*)', user_name='([\w.-]+)@example\.com:77'\)")
_FIELD = re.compile(r"(?:, )?(\w+)=")
_TEXT = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\w.]+\(\)|[^,()'"]+""", re.DOTALL)
_LONG = re.compile(r"'[^']{60,}'")


def owner(row: Row) -> str:
    """Whose a row is: the user's short name, else the credential that it holds."""
    return _owner(_written(row))


def brief_token(row: Row) -> str:
    """A token for a message, as short as it can be told."""
    return _brief("OAuthToken", _written(row), ())


def brief_value(value: object) -> str:
    """A value for a message, with the middle of a long text left out."""
    text = show(value)
    sample = _SAMPLE.fullmatch(text)
    return sample[1] if sample else format_value(value, _VALUE)


def several(names: Iterable[str], most: int = 4) -> str:
    """Names as a list; of many the first ones and the number of the others.

    Args:
        names: The names; what repeats is named once.
        most: How many are named where there are more.

    Returns:
        The words.
    """
    listed = list(dict.fromkeys(names))
    if len(listed) > most + 1:
        return f"{', '.join(listed[:most])} and {len(listed) - most} more"
    return f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else "".join(listed)


def shorten(*texts: str, fields: Iterable[str] = ()) -> tuple[str, ...]:
    """Messages with each row and token told by whose it is, and by the fields in which they differ.

    Args:
        texts: Messages that are read together, such as what was expected and what was seen.
        fields: Fields that are shown in any case.

    Returns:
        The same messages, shorter.
    """
    parsed = [list(_parts(text)) for text in texts]
    telling = differing_fields(*texts)
    return tuple("".join(_part(part, telling, tuple(fields)) for part in parts) for parts in parsed)


def differing_fields(*texts: str) -> dict[str, tuple[str, ...]]:
    """For each user of whom the messages show several rows or tokens: the fields in which these differ."""
    shown: dict[str, list[Mapping[str, str]]] = {}
    for text in texts:
        for part in _parts(text):
            if not isinstance(part, str) and "user_name" in part[1]:
                shown.setdefault(part[1]["user_name"], []).append(part[1])
    return {
        name: tuple(
            field for field in FIELDS if field != "id" and len({one.get(field, "None") for one in rows}) > 1
        )
        for name, rows in shown.items()
        if all(len(row) >= _WHOLE for row in rows)
    }


Part = str | tuple[str, dict[str, str]]


def _parts(text: str) -> Iterator[Part]:
    """The text with each row and token taken apart: its kind, and its fields as they are written."""
    done = 0
    for found in _START.finditer(text):
        if found.start() < done:
            continue
        fields, end = _fields(text, found.end())
        if end:
            yield text[done : found.start()]
            yield found[1], fields
            done = end
    yield text[done:]


def _fields(text: str, start: int) -> tuple[dict[str, str], int]:
    """The fields that begin at a place, and where their bracket ends; 0 where it does not."""
    fields: dict[str, str] = {}
    while name := _FIELD.match(text, start):
        value = _TEXT.match(text, name.end())
        if value is None:
            return fields, 0
        fields[name[1]] = value[0]
        start = value.end()
    return fields, start + 1 if text[start : start + 1] == ")" else 0


def _part(part: Part, telling: Mapping[str, tuple[str, ...]], fields: tuple[str, ...]) -> str:
    if isinstance(part, str):
        named = _LISTED.sub(lambda found: f"{found[2]} (id {found[1]})", part)
        return _LONG.sub(lambda found: _cut(found[0]), named)
    kind, values = part
    return _brief(kind, values, (*telling.get(values.get("user_name", ""), ()), *fields))


def _written(row: Row) -> dict[str, str]:
    return {name: show(value) for name in FIELDS if (value := getattr(row, name)) is not None}


def _owner(fields: Mapping[str, str]) -> str:
    name = fields.get("user_name", "''")
    if name not in ("''", '""'):
        sample = _SAMPLE.fullmatch(name)
        return sample[1] if sample else name[1:-1] if re.fullmatch(r"'[\w.-]+'", name) else _cut(name)
    held = next((name for name in CREDENTIALS if fields.get(name, "''") != "''"), "")
    return f"{held} {_cut(fields[held])}" if held else "nobody"


def _brief(kind: str, fields: Mapping[str, str], telling: Iterable[str]) -> str:
    present = {name: value for name, value in fields.items() if value != "''"}
    empty = len(fields) - len(present)
    blanks = ", other fields ''" if empty > 1 else ""
    if len(present) >= _WHOLE and "user_name" in present:
        own = _owner(present)
        shown = {"id", *telling, *_of_others(present, own)} if kind == "OAuthToken" else {*telling}
        shown |= {*_of_others(present, own)}
        said = [
            f"{name}={_cut(fields.get(name, 'None'))}"
            for name in FIELDS
            if name in shown & {*fields, *telling}
        ]
        noun = "token" if kind == "OAuthToken" else "row"
        if kind == "Row" and "id" not in present:
            said.append("no id")
        named = f"{noun} of {own}" if own[0] in "'\"" else f"{own}'s {noun}"
        return named + (f" ({', '.join(said)})" if said else "") + blanks
    if {*_CLIENT} <= {*present} and "1000.CLIENT" in present["client_id"]:
        # Whose client it is says nothing where all have the same.
        present = {name: value for name, value in present.items() if name not in _CLIENT} | {"client": "…"}
    if empty == 1:
        present |= {name: value for name, value in fields.items() if value == "''"}
    said = [f"{name}={_sample(value)}" for name, value in present.items()]
    return f"{kind}({', '.join(said)}{blanks})"


def _of_others(fields: Mapping[str, str], own: str) -> list[str]:
    """The credentials that are not of the user whose the rest is."""
    owners = {name: found[1] for name in CREDENTIALS if (found := _OWNED.match(fields.get(name, "")))}
    return [name for name, other in owners.items() if other != own.partition(".")[0]]


def _sample(value: str) -> str:
    sample = _SAMPLE.fullmatch(value)
    return sample[1] if sample else _cut(value)


def _cut(written: str) -> str:
    if len(written) <= _VALUE:
        return written
    return f"{written[: _VALUE // 2]}…{written[-_VALUE // 3 :]}"
