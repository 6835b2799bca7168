"""Which calls into C reach out of the process: what they change, another process or thread can see."""

from __future__ import annotations

import functools
import sys
from typing import Any

INSIDE = frozenset(
    """
    builtins _abc _asyncio _bisect _codecs _collections _contextvars _datetime _decimal _functools
    _hashlib _heapq _json _operator _queue _random _sha1 _sha2 _sha256 _sha512 _md5 _sre _string _struct
    _thread _uuid _warnings _weakref array atexit binascii collections contextvars datetime decimal
    functools gc hashlib itertools marshal math operator re sys time types unicodedata weakref zlib
    """.split()  # noqa: SIM905 (45 lines otherwise)
)
"""Modules whose C functions change nothing outside the process."""
_HARMLESS = frozenset(("fspath", "getpid", "text_encoding", "_path_splitroot_ex"))


def reaches_out(function: Any) -> bool:
    """Whether a C function may read or change something outside the process."""
    return place_of(function) not in INSIDE and getattr(function, "__name__", "") not in _HARMLESS


def place_of(function: Any) -> str:
    """The module of a C function, or of the type that has it as a method: not of one that inherits it."""
    owner = getattr(function, "__self__", None)
    if owner is None:
        owner = getattr(function, "__objclass__", None)
    if owner is None or isinstance(owner, type(sys)):
        return str(getattr(function, "__module__", None) or getattr(owner, "__name__", ""))
    kind = owner if isinstance(owner, type) else type(owner)
    return _home(kind, getattr(function, "__name__", ""))


@functools.cache
def _home(kind: type, method: str) -> str:
    having = (one for one in kind.__mro__ if method in vars(one))
    return str(next(having, kind).__module__)
