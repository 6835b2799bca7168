"""How the kit was called, so that a message names the options that its reader can give."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator


class Surface(enum.Enum):
    """A way to call the kit."""

    PYTEST = "pytest"
    COMMAND = "command"
    FUNCTION = "function"


_used = [Surface.PYTEST]


@contextlib.contextmanager
def called_by(surface: Surface) -> Iterator[None]:
    """Have messages name what this way of calling has.

    Args:
        surface: How the kit was called.
    """
    _used.append(surface)
    try:
        yield
    finally:
        _used.pop()


def surface() -> Surface:
    """How the kit was called; pytest by default."""
    return _used[-1]


def option(name: str) -> str:
    """An option as the reader of a message gives it.

    Args:
        name: The option of the command, without dashes in front: ``only``, ``shared-storage``.

    Returns:
        The option of pytest or of the command, or the argument of the function.
    """
    if surface() is Surface.FUNCTION:
        return name.replace("-", "_")
    return f"--{name}" if surface() is Surface.COMMAND else f"--tokenstore-{name}"


def declaration(name: str, attribute: str) -> str:
    """How something is declared of a store.

    Args:
        name: The option of the command.
        attribute: The same as an attribute of a contract class, as ``disposable = True``.

    Returns:
        The argument of the function, else the option and the attribute.
    """
    if surface() is Surface.FUNCTION:
        return attribute.replace(" ", "")
    return f"{option(name)}, or {attribute} in the contract class"
