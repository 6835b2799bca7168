"""What a line of code names, and what it may do to lists and attributes by itself."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Sequence
from dataclasses import dataclass

_FREE = (
    "LOAD_CONST",
    "LOAD_CLOSURE",
    "LOAD_ASSERTION_ERROR",
    "LOAD_SMALL_INT",
    "STORE_SUBSCR",
    "DELETE_SUBSCR",
)
_ITEM_WORDS = (
    *("BINARY", "BOOL", "COMPARE", "CONTAINS", "EXTEND", "FORMAT", "ITER", "JUMP_IF", "MERGE", "NOT"),
    *("SLICE", "SUBSCR", "UNPACK", "UPDATE"),
)
"""What the names of instructions have that look into lists and the like, or ask whether there is anything."""


@dataclass(frozen=True)
class Line:
    """What a line of code names.

    Attributes:
        locals: Variables of the call that it reads.
        globals: Names of the module that it reads.
        attributes: Attributes that it reads.
        unknown: It does something else that may reach what is shared.
        stores: It may change something by itself, without a call.
        items: It may read items by itself.
    """

    locals: frozenset[str]
    globals: frozenset[str]
    attributes: frozenset[str]
    unknown: bool
    stores: bool
    items: bool


@functools.cache
def lines_of(code: types.CodeType) -> dict[int, Line]:
    """What each line of a function names, by its number."""
    starts = dict(dis.findlinestarts(code))
    steps: dict[int, list[dis.Instruction]] = {}
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        line = starts.get(step.offset) or line
        steps.setdefault(line, []).append(step)
    return {line: _line(some, code.co_freevars) for line, some in steps.items()}


def _line(steps: Sequence[dis.Instruction], of_others: Sequence[str]) -> Line:
    named: dict[str, set[str]] = {"FAST": set(), "GLOBAL": set(), "ATTR": set()}
    unknown = False
    for step in steps:
        name = step.opname
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if "LOAD_FAST" in name or name == "LOAD_DEREF":
            named["FAST"].update(names)
        elif name in ("LOAD_GLOBAL", "STORE_GLOBAL"):
            named["GLOBAL"].update(names)
        elif name in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR"):
            named["ATTR"].update(names)
        elif name == "STORE_DEREF":
            unknown |= step.argval in of_others
        elif name.startswith(("LOAD_", "STORE_", "DELETE_", "IMPORT_")):
            unknown |= name not in _FREE and not name.startswith(("STORE_FAST", "DELETE_FAST"))
    stores = any(
        step.opname.startswith(("STORE_A", "STORE_S", "STORE_G", "DELETE_", "BINARY_OP", "INPLACE_"))
        or "WITH" in step.opname
        for step in steps
    )
    items = any(word in step.opname for step in steps for word in _ITEM_WORDS)
    locals, globals, attributes = map(frozenset, named.values())
    return Line(locals, globals, attributes, unknown or "__dict__" in attributes, stores or unknown, items)
