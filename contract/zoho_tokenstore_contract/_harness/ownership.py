"""Whose storage it is: nothing is written before ``get_tokens`` has shown that it holds nobody's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .._spec.clause_results import StoreUnavailable
from .._spec.surface import declaration
from .calls import rows_of

if TYPE_CHECKING:
    from .._spec.tokens import Row
    from .store_handle import StoreHandle
    from .store_under_test import StoreUnderTest

WRITES = ("save_token", "delete_token", "delete_tokens")
"""Methods that change what is stored."""
OTHERS_ROWS = (
    "the storage now holds tokens that the kit did not save: another program uses it. The kit stopped "
    "and deleted nothing; its own rows are left there"
)

HIDDEN = (
    "after the first save, the storage shows tokens that the kit did not save, and that get_tokens did not "
    "show before. The kit stopped and deleted nothing; what it has saved is left there"
)
BLIND = "get_tokens shows something of what was saved, so that delete_tokens may be called"
OTHER_STORAGE = (
    "in another process the same location shows tokens that the kit did not save there: what the test "
    "process sets in module globals or on the test is not set there, so the store opens another storage. "
    "Nothing was written to it. Let open_store depend on the location and on environment variables alone"
)


def if_disposable() -> str:
    """What to declare where a storage may be written to although nobody can see whose it is."""
    how = declaration("disposable", "disposable = True")
    return f"If everything in the storage may be lost, say so: {how}"


def shared_by_locations() -> str:
    """What is said, as the root cause, of a store that ignores its location."""
    return (
        "two locations share one storage: what the store is opened with makes no difference. If it has one "
        f"storage on purpose, declare it: {declaration('shared-storage', 'own_storage = False')}. Otherwise "
        "let it keep its rows under the directory that it gets"
    )


def refuse(sut: StoreUnderTest, reason: str) -> NoReturn:
    """End the check, and let no other check begin: the storage may be somebody's.

    Args:
        sut: The store under test.
        reason: Why, in words that say what was written.

    Raises:
        StoreUnavailable: Always, with the first reason of the run.
    """
    sut.refusal = sut.refusal or reason
    raise StoreUnavailable(sut.refusal)


def take_over(opened: StoreHandle) -> None:
    """See that a location which was never used is empty.

    A storage that is declared as disposable is emptied instead, and one that cannot be read is used.

    Args:
        opened: The store, on that location.

    Raises:
        StoreUnavailable: It holds tokens or cannot be read. Nothing was written to it.
    """
    sut = opened.workspace.sut
    if sut.refusal:
        refuse(sut, sut.refusal)
    rows = rows_of(opened.quietly("get_tokens"))
    if isinstance(rows, str):
        if not sut.disposable:
            refuse(sut, reason_unreadable(rows))
        return
    if rows and not sut.disposable:
        ours = all(opened.is_ours(row) for row in rows)
        if sut.own_storage and sut.found_empty:
            if ours:
                opened.quietly("delete_tokens")
            refuse(sut, shared_by_locations())
        if not ours:
            refuse(sut, _in_use(len(rows)))
    if rows:
        opened.quietly("delete_tokens")
    opened.found_empty = sut.found_empty = True


def reason_not_ours(opened: StoreHandle, method: str = "") -> str:
    """Why nothing may be deleted from a storage that other programs can reach.

    Args:
        opened: The store.
        method: What is about to be called.

    Returns:
        "" where every row is the kit's own; also where it may be lost, or the check itself has put it out of
        reach: then it is not looked at. Where each location has its own storage, it is looked at once, after
        the first save: a store may have shown an empty cache before. A store that the check has closed need
        not show its rows: another one is opened to remove them.
    """
    sut = opened.workspace.sut
    if sut.disposable or opened.out_of_reach or (sut.own_storage and not _may_have_hidden(sut)):
        return ""
    rows = rows_of(opened.quietly("get_tokens"))
    if sut.own_storage:
        # A list that misses what was just saved proves nothing: it is looked at again.
        sut.shown = not isinstance(rows, str) and any(map(opened.is_ours, rows))
        if not isinstance(rows, str) and _holds_hidden(opened, rows):
            return HIDDEN
        if method == "delete_tokens" and not sut.shown:
            opened.workspace.fail(BLIND, "it shows nothing of it", precondition_failed=True)
        return ""
    if isinstance(rows, str) and opened.closed:
        return ""
    if isinstance(rows, str):
        return (
            f"{rows}, so nobody can see whose tokens the storage holds; nothing was deleted. "
            f"{if_disposable()}"
        )
    return "" if all(opened.is_ours(row) for row in rows) else OTHERS_ROWS


def _may_have_hidden(sut: StoreUnderTest) -> bool:
    """Whether something was saved, and no list of the store has shown a row of the kit's since."""
    return bool(sut.saved) and not sut.shown


def _holds_hidden(opened: StoreHandle, rows: list[Row]) -> bool:
    """Whether there are more rows than the check has saved, and one with nothing that the kit has saved.

    A store that changes whatever it is given has rows that do not look like the kit's, but not more of them.
    """
    saves = sum(call.method == "save_token" for call in opened.workspace.calls)
    return len(rows) > saves and not all(opened.is_ours(row) for row in rows)


def reason_unreadable(seen: str) -> str:
    """Why a storage that cannot be read is not written to.

    Args:
        seen: What ``get_tokens`` did.
    """
    return f"{seen}, so nobody can see whether the storage is empty; nothing was written. {if_disposable()}"


def _in_use(number: int) -> str:
    return (
        f"the storage already holds {number} token(s) that the kit did not save; nothing was written. Point "
        f"the kit at an empty storage; a run that was interrupted may have left them. {if_disposable()}"
    )
