"""What the shortest program of a finding shows, read from its calls and its assertion."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from itertools import pairwise

from .._spec.clause_results import Finding

Fields = dict[str, str]
"""Fields of a token, each with its value as it is written."""

_KEYS = ("id", "user_name", "client_id", "client_secret", "refresh_token", "access_token", "grant_token")
"""What a row is addressed by."""


@dataclass(frozen=True)
class ShortestProgram:
    """The calls that a search left over, and what they end with.

    Attributes:
        saved: The tokens that are saved, in order.
        last: The method of the last call, but for lists of the rows.
        passed: The token that this call was given.
        asserted: The assertion, and the line before it, which says of what.
    """

    saved: tuple[Fields, ...]
    last: str
    passed: Fields
    asserted: str

    @property
    def changes_an_id(self) -> bool:
        """Whether it ends with another id than a token brought."""
        brought = [token["id"] for token in self.saved if "id" in token]
        if self._has_ids_twice:
            return len(brought) == len(self.saved) == len({*brought})
        return bool(brought) and f".get_id()\nassert seen == {brought[-1]}, seen" in self.asserted

    @property
    def gives_an_id_twice(self) -> bool:
        """Whether it ends with two rows of one id, and the store chose it."""
        return self._has_ids_twice and not self.changes_an_id

    @property
    def _has_ids_twice(self) -> bool:
        return "len(set(seen)) == len(seen)" in self.asserted or "seen not in (" in self.asserted

    @property
    def mistaken(self) -> str:
        """The only field in which tokens differ that should be a row each; "" where it does not end so."""
        differing = {
            name
            for one, other in pairwise(self.saved)
            for name in {**one, **other}
            if one.get(name) != other.get(name)
        }
        is_counted = self.last == "save_token" and f"assert seen == {len(self.saved)}," in self.asserted
        return differing.pop() if is_counted and len(differing) == 1 else ""

    @property
    def look_up(self) -> str:
        """How its last call missed a row or found a wrong one; "" where that is not what it shows."""
        if not self.last.startswith("find_token"):
            return ""
        ends = {
            " is None,": "found what is not stored",
            ", OAuthToken)": "found nothing",
            ".get_id(), seen": "found another row",
        }
        return next((said for end, said in ends.items() if end in self.asserted), "")

    @property
    def takes_users_for_one(self) -> bool:
        """Whether it ends with one row, or a row that was found, where each token names another user."""
        named = [token.get("user_name", "") for token in self.saved]
        if self.last == "find_token":
            if [*self.passed] != ["user_name"] or self.look_up != "found what is not stored":
                return False
            named.append(self.passed["user_name"])
        elif self.last != "save_token" or (
            f"assert seen == {len(named)}," not in self.asserted and "SDKException)" not in self.asserted
        ):
            return False
        return len(named) > 1 and all(named) and len({*named}) == len(named)

    @property
    def shares_nothing(self) -> bool:
        """Whether no value is in two of the tokens, the client aside, and none has the id of another."""
        values = [
            value
            for token in (*self.saved, *([self.passed] if self.last != "save_token" else []))
            for name, value in token.items()
            if not name.startswith("client")
        ]
        return len({*values}) == len(values) and not any(value.endswith(".get_id()") for value in values)

    @property
    def beside_the_keys(self) -> set[tuple[str, str]]:
        """Fields of what is saved that address no row, with their values: without them it shows nothing."""
        return {item for token in self.saved for item in token.items() if item[0] not in _KEYS}


def program_of(finding: Finding) -> ShortestProgram | None:
    """Read the shortest program of a finding.

    Args:
        finding: One way in which a clause is broken.

    Returns:
        What it shows; ``None`` where there is no program.
    """
    return _read(finding.shortest) if finding.shortest else None


@functools.cache
def _read(shortest: tuple[str, ...]) -> ShortestProgram:
    tokens: dict[str, Fields] = {}
    made: list[tuple[str, Fields]] = []
    for node in ast.parse("\n".join(shortest)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            tokens[node.targets[0].id] = _fields(node.value, tokens)
        made += [
            (call.func.attr, _fields(call.args[0], tokens) if call.args else {})
            for call in ast.walk(node)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr.startswith(("save_", "find_", "delete_"))
        ]
    saved = tuple(fields for method, fields in made if method == "save_token")
    last, passed = made[-1] if made else ("", {})
    return ShortestProgram(saved, last, passed, "\n".join(shortest[-2:]))


def _fields(node: ast.expr, tokens: dict[str, Fields]) -> Fields:
    """The fields of a token, which a program makes in place or names."""
    if isinstance(node, ast.Name):
        return tokens.get(node.id, {})
    found: Fields = {}
    for keyword in node.keywords if isinstance(node, ast.Call) else ():
        name, value = keyword.arg or "", keyword.value
        if name == "user_signature" and isinstance(value, ast.Call) and value.args:
            name, value = "user_name", value.args[0]
        found[name] = ast.unparse(value)
    return found
