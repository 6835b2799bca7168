"""Raises where a signal's handler could: at each place of a call, one after another.

CPython runs handlers when a function begins and when a function of C has returned, and these are the places
at which a profile function is called. (A trace function is called before each line, also between the last
line of a `with` and its end, where no handler ever runs.)
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zoho_reference_stores

STORES = str(Path(zoho_reference_stores.__file__).parent)
TESTS = str(Path(__file__).parent)


class Interrupted(Exception):
    """What the handler of a soft time limit raises."""


def run(
    call: Callable[[], Any], place: int, handler: Callable[[], None]
) -> tuple[bool, BaseException | None]:
    """Make a call, with a handler at one place in the code of the store, the SDK or the library.

    Args:
        call: What is called.
        place: The number of the place, from 1.
        handler: What happens there.

    Returns:
        Whether the call has so many places, and what came out of it, if it raised.
    """
    left = place

    def at_place(frame: Any, event: str, argument: Any) -> None:
        nonlocal left
        if event in ("call", "c_return") and not frame.f_code.co_filename.startswith(TESTS):
            left -= 1
            if left == 0:
                handler()

    sys.setprofile(at_place)
    try:
        call()
    except BaseException as error:
        return left <= 0, error
    finally:
        sys.setprofile(None)
    return left <= 0, None


def raise_interrupted() -> None:
    """End the call."""
    raise Interrupted


def own_locals(error: BaseException) -> str:
    """The local variables of the stores' own frames, as reports show them with ``capture_locals``."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join(
        f"{frame.name}: {frame.locals}" for frame in shown.stack if frame.filename.startswith(STORES)
    )
