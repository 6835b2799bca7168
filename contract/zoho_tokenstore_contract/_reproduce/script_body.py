"""The lines of a script that shows a finding without the kit: its calls, and the assertion that fails."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .._spec.sdk import load
from .._spec.tokens import FIELDS, Row, to_row
from .program import CHANGES, OVERWRITTEN, IdOfStep, ProgramStep
from .script_lines import long_text, raising_lines
from .smallest_difference import Assertion, Comparison

_PARTS = ("client_id", "client_secret", "grant_token", "refresh_token", "redirect_url", "id", "access_token")
"""What the constructor of the SDK's token takes, beside the user and, in some releases, the API domain."""


_HELPERS = {
    "new_token": """\
def new_token(user_name=None, **fields):
    token = OAuthToken(access_token="lent")  # the constructor insists on something
    token.set_access_token(None)
    for name, value in fields.items():
        getattr(token, f"set_{name}")(value)
    if user_name is not None:
        token.set_user_signature(UserSignature(user_name))
    return token
""",
    "fields": '''\
def fields(token, *names):
    """Some fields of a token."""
    user = token.get_user_signature()
    return tuple(
        user and user.get_name() if name == "user_name" else getattr(token, f"get_{name}")() for name in names
    )
''',
    "stored": '''\
def stored(store, *names):
    """Some fields of every stored token."""
    return sorted((fields(token, *names) for token in store.get_tokens()), key=str)
''',
    "overwrite_fields": f'''\
def overwrite_fields(token):
    """Give every field another value, and the signature as well."""
    signature = token.get_user_signature()
    for name in vars(signature) if signature is not None else ():
        setattr(signature, name, {OVERWRITTEN!r})
    token.set_user_signature(UserSignature({OVERWRITTEN!r}))
    for name in {tuple(name for name in FIELDS if name != "user_name")!r}:
        getattr(token, f"set_{{name}}")({OVERWRITTEN!r})
''',
}


_NEEDS = {"stored": ("fields",)}


@dataclass
class ScriptBody:
    """The calls and the assertion of a script, and what they need.

    Attributes:
        lines: The lines, in order.
        helpers: The names in `_HELPERS` that they use.
        chance: Why the script may have to run more than once.
    """

    lines: list[str] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    chance: str = ""

    @property
    def code(self) -> str:
        """The helpers and the lines, for a namespace with ``open_store`` and ``close_store``."""
        wanted = self.helpers | {one for name in self.helpers for one in _NEEDS.get(name, ())}
        parts = [text for name, text in _HELPERS.items() if name in wanted]
        parts.append("\n".join(self.lines) + "\n")
        return "\n\n".join(parts)


def body(played: Comparison, claim: Assertion) -> ScriptBody:
    """Write down the calls of a program, and its claim as the assertion at the end.

    Args:
        played: The program, as it was played on both stores.
        claim: What differs.

    Returns:
        The lines and the helpers that they use.
    """
    return _Writer(played, claim).write()


class _Writer:
    def __init__(self, played: Comparison, claim: Assertion) -> None:
        self.played = played
        self.claim = claim
        self.made = ScriptBody()
        self.steps = {step.key: step for step in played.program}
        self.named = self._named()
        self.names: dict[int, str] = {}
        self.answers: dict[int, str] = {}
        self.stores: dict[int, str] = {}
        self.taken = {*dir(builtins), "store", "answer", "seen", "suppress"}

    def write(self) -> ScriptBody:
        last = max(self.steps)
        for step in self.played.program:
            lines = list(self._step(step))
            if step.key != self.claim.key:
                self.made.lines += lines
            elif step.key == last:
                self.made.lines += self._claimed(step, lines)
            else:
                self.made.lines += self._claimed(step, lines)
        return self.made

    def _named(self) -> set[int]:
        """The steps whose token is spoken of again."""
        named = {
            step.same for step in self.played.program if step.same is not None and step.place == "passed"
        }
        wanted = self.claim.wanted if isinstance(self.claim.wanted, list) else [self.claim.wanted or ()]
        values = [value for values in wanted if isinstance(values, tuple) for value in values]
        values += [
            step.argument.id if isinstance(step.argument, Row) else step.argument
            for step in self.played.program
        ]
        named |= {value.step for value in values if isinstance(value, IdOfStep)}
        if self.claim.kind in ("left", "has id", "own id"):
            step = self.steps[self.claim.key]
            named.add(step.key if step.same is None else step.same)
        if self.claim.kind == "own id":
            named |= set(self.claim.wanted)
        return {one for one in named if one is not None}

    # steps

    def _step(self, step: ProgramStep) -> Iterator[str]:
        if step.method == "open":
            place = "" if step.location == 1 else repr(f"location {step.location}")
            yield f"{self._store(step)} = open_store({place})"
        elif step.method == "close":
            yield f"close_store({self._store(step)})"
        elif step.method == "chdir":
            if step.location:
                yield "home = os.getcwd()"
                yield "os.chdir(tempfile.mkdtemp(dir=directory.name))"
            else:
                yield "os.chdir(home)"
        elif step.method == "overwrite_fields":
            self.made.helpers.add("overwrite_fields")
            yield f"overwrite_fields({self._thing(step)})"
        elif step.method in CHANGES:
            argument = {"append": f"OAuthToken(access_token={OVERWRITTEN!r})", "pop": "0"}.get(
                step.method, ""
            )
            yield f"{self._thing(step)}.{step.method}({argument})"
        else:
            yield from self._call(step)

    def _call(self, step: ProgramStep) -> Iterator[str]:
        argument = ""
        if isinstance(step.argument, Row):
            if step.same is not None:
                argument = self._thing(step)
                yield from self._changes(step, argument)
            else:
                argument = self._new(step.argument)
                if step.key in self.named:
                    name = self.names[step.key] = self._name(step.argument)
                    yield f"{name} = {argument}"
                    argument = name
        elif step.argument is not ...:
            argument = self._value(step.argument)
        call = f"{self._store(step)}.{step.method}({argument})"
        if self._is_returned(step):
            name = self.answers[step.key] = self._free("answer")
            call = f"{name} = {call}"
        seen, right = self.played.seen.get(step.key), self.played.right.get(step.key)
        if step.key != self.claim.key and any(one and one.kind != "returned" for one in (seen, right)):
            yield "with suppress(Exception):"
            call = f"    {call}"
        yield call

    def _is_returned(self, step: ProgramStep) -> bool:
        """What the step returns is spoken of again."""
        return (
            step.key == self.claim.key
            and self.claim.kind in ("plain", "none", "token", "whole", "list", "signature", "found")
        ) or any(one.same == step.key and one.place != "passed" for one in self.played.program)

    def _changes(self, step: ProgramStep, name: str) -> Iterator[str]:
        """What happened to a token since it was passed last."""
        before = [
            one for one in self.played.program if one.key < step.key and step.same in (one.key, one.same)
        ]
        states = [
            by[before[-1].key].passed_after
            for by in (self.played.seen, self.played.right)
            if before[-1].key in by
        ]
        for field_name in FIELDS:
            value = getattr(step.argument, field_name)
            if field_name == "id" or all(
                state is not None and getattr(state, field_name) == value for state in states
            ):
                continue
            if field_name == "user_name":
                signature = "None" if value is None else f"UserSignature({self._value(value)})"
                yield f"{name}.set_user_signature({signature})"
            else:
                yield f"{name}.set_{field_name}({self._value(value)})"

    # names and values

    def _thing(self, step: ProgramStep) -> str:
        """The token or list of an earlier step."""
        assert step.same is not None
        if step.place == "passed":
            return self.names[step.same]
        returned = self.answers[step.same]
        return f"{returned}[{step.place}]" if isinstance(step.place, int) else returned

    def _store(self, step: ProgramStep) -> str:
        if step.store not in self.stores:
            self.stores[step.store] = "store" if not self.stores else f"store{len(self.stores) + 1}"
        return self.stores[step.store]

    def _name(self, row: Row) -> str:
        word = re.match(r"[a-z][a-z0-9]*", row.user_name) if isinstance(row.user_name, str) else None
        name = word.group() if word and word.group().isascii() else "token"
        return self._free("token" if keyword.iskeyword(name) or len(name) > 20 else name)

    def _free(self, name: str) -> str:
        number, free = 2, name
        while free in self.taken - {"answer"} or free in self.answers.values():
            free, number = f"{name}{number}", number + 1
        self.taken.add(free)
        return free

    def _value(self, value: Any) -> str:
        if isinstance(value, IdOfStep):
            text = f"{self.names[value.step]}.get_id()"
            if value.before or value.after:
                return " + ".join(
                    part
                    for part in (
                        repr(value.before) if value.before else "",
                        text,
                        repr(value.after) if value.after else "",
                    )
                    if part
                )
            return text
        if isinstance(value, str) and len(value) > 200:
            return long_text(value)
        return repr(value)

    def _new(self, row: Row) -> str:
        present = {name: value for name in FIELDS if (value := getattr(row, name)) is not None}
        if _is_constructed(present):
            arguments = [
                f"user_signature=UserSignature({self._value(value)})"
                if name == "user_name"
                else f"{name}={self._value(value)}"
                for name, value in present.items()
            ]
            return f"OAuthToken({', '.join(arguments)})"
        self.made.helpers.add("new_token")
        return f"new_token({', '.join(f'{name}={self._value(value)}' for name, value in present.items())})"

    # the assertion

    def _claimed(self, step: ProgramStep, lines: list[str]) -> list[str]:
        kind = self.claim.kind
        if kind in ("opens", "comes back"):
            what = "open_store" if kind == "opens" else step.method
            return raising_lines(lines, f"{what} raised {{error!r}}")
        if kind == "clean":
            *before, call = lines
            return [
                *before,
                "try:",
                f"    {call}",
                "except SDKException:",
                "    pass",
                "except Exception as error:",
                f'    raise AssertionError(f"{step.method} raised {{error!r}}") from error',
            ]
        if kind == "refused":
            *before, call = lines
            return [
                *before,
                "seen = None",
                "try:",
                f"    {call}",
                "except Exception as error:",
                "    seen = error",
                "assert isinstance(seen, SDKException), seen",
            ]
        listed = kind in ("count", "unique", "holds", "rows") or (
            kind == "signature" and step.method == "get_tokens"
        )
        return self._listed(step) if listed else [*lines, *self._assertion(step)]

    def _listed(self, step: ProgramStep) -> list[str]:
        """Of what is listed."""
        store = self._store(step)
        if self.claim.kind == "signature":
            signatures = f"[token.get_user_signature() for token in {store}.get_tokens()]"
            return [
                f"seen = {signatures}",
                "assert all(one is None or isinstance(one, UserSignature) for one in seen), seen",
            ]
        if self.claim.kind == "unique":
            ids = f"[token.get_id() for token in {store}.get_tokens()]"
            return [f"seen = {ids}", "assert len(set(seen)) == len(seen), seen"]
        if self.claim.kind == "count":
            return [f"seen = len({store}.get_tokens())", f"assert seen == {self.claim.wanted}, seen"]
        self.made.helpers.add("stored")
        if self.claim.kind == "holds":
            names = repr(self.claim.fields[0])
            wanted = self._tuple(self.claim.wanted)
            return [f"seen = stored({store}, {names})", f"assert {wanted} in seen, seen"]
        rows = [self._tuple(values) for values in self.claim.wanted]
        if any(isinstance(value, IdOfStep) for values in self.claim.wanted for value in values):
            wanted = f"sorted([{', '.join(rows)}], key=str)"
        else:
            wanted = f"[{', '.join(self._tuple(values) for values in sorted(self.claim.wanted, key=str))}]"
        names = ", ".join(map(repr, self.claim.fields))
        return [f"seen = stored({store}, {names})", f"assert seen == {wanted}, seen"]

    def _tuple(self, values: tuple[Any, ...]) -> str:
        return "(" + ", ".join(map(self._value, values)) + ("," if len(values) == 1 else "") + ")"

    def _assertion(self, step: ProgramStep) -> list[str]:
        kind, answer = self.claim.kind, self.answers.get(step.key, "")
        if kind == "plain":
            return [f'assert not hasattr({answer}, "__await__"), {answer}']
        if kind == "none":
            return [f"assert {answer} is None, {answer}"]
        if kind == "token":
            return [f"assert isinstance({answer}, OAuthToken), {answer}"]
        if kind == "list":
            return [f"assert isinstance({answer}, list), {answer}"]
        if kind == "signature":
            return [
                f"seen = {answer}.get_user_signature()",
                "assert isinstance(seen, UserSignature), seen",
            ]
        if kind == "whole":
            name = self.claim.fields[0]
            if isinstance(vars(load().OAuthToken(access_token="whole"))[name], bool):
                return [f"seen = getattr({answer}, {name!r}, None)", "assert isinstance(seen, bool), seen"]
            return [f"assert hasattr({answer}, {name!r}), vars({answer})"]
        token = answer
        if kind in ("left", "has id", "own id"):
            token = self.names[step.key if step.same is None else step.same]
        if kind == "has id":
            return [f"seen = {token}.get_id()", "assert isinstance(seen, str) and seen, seen"]
        if kind == "own id":
            others = ", ".join(f"{self.names[key]}.get_id()" for key in self.claim.wanted)
            return [f"seen = {token}.get_id()", f"assert seen not in ({others},), seen"]
        return list(self._fields(token))

    def _fields(self, token: str) -> Iterator[str]:
        [name], [wanted] = self.claim.fields, self.claim.wanted
        if name == "user_name":
            self.made.helpers.add("fields")
            yield f'[seen] = fields({token}, "user_name")'
        else:
            yield f"seen = {token}.get_{name}()"
        comparison = "is" if wanted is None else "=="
        yield f"assert seen {comparison} {self._value(wanted)}, seen"


def _is_constructed(present: dict[str, Any]) -> bool:
    """The constructor makes a token of these fields and no others."""
    if set(present) - {*_PARTS, "user_name"} or any(
        isinstance(value, IdOfStep) for value in present.values()
    ):
        return set(present) <= {*_PARTS, "user_name"} and _is_constructed({**present, "id": "1"})
    sdk = load()
    parts = {name: value for name, value in present.items() if name != "user_name"}
    if "user_name" in present:
        parts["user_signature"] = sdk.UserSignature(present["user_name"])
    try:
        return to_row(sdk.OAuthToken(**parts)) == Row(**present)
    except Exception:
        return False
