"""Whose storage it is: nothing is written before ``get_tokens`` has shown that it holds nobody's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .._spec.clause_results import StoreUnavailable
from .._spec.surface import declaration
from .._spec.tokens import Row, field_as_far_as_it_reads, to_token
from .calls import rows_of
from .store_handle import StoreHandle

if TYPE_CHECKING:
    from .store_under_test import StoreUnderTest
    from .workspace import Workspace

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
BLIND = "get_tokens shows something of what was saved, so that rows may be deleted"
_LOOKED_FOR = Row(
    user_name="looked-for@example.com:1",
    client_id="1000.LOOK",
    client_secret="look-secret",
    refresh_token="1000.look.refresh",
    access_token="1000.look.access",
    grant_token="1000.look.grant",
    expires_in="1900000000000",
    redirect_url="https://look.example.com",
    api_domain="http://127.0.0.1:9",
)
"""What is saved where nothing has shown yet that a list tells what is stored."""
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
            refuse(sut, OTHERS_ROWS if sut.saved else _in_use(len(rows)))
    if rows:
        opened.quietly("delete_tokens")
    opened.found_empty = sut.found_empty = True


def reason_not_ours(opened: StoreHandle, method: str) -> str:
    """Why a call may not be made that can reach rows of others: one that deletes, or saves under an id.

    There is one rule: a list has shown a row that the kit saved, and none that it did not save. A list that
    shows nothing proves nothing, for the store may not have read its storage yet. Where each location has its
    own storage, one such list is enough; a storage that others reach is looked at before each such call.

    Args:
        opened: The store.
        method: What is about to be called.

    Returns:
        "" where it may be called; also where everything may be lost, or the check itself has put the storage
        out of reach.

    Raises:
        Violation: No list shows what the kit saves, so that the call cannot be tried.
    """
    sut = opened.workspace.sut
    if sut.disposable or opened.out_of_reach or (sut.own_storage and sut.shown):
        return ""
    reason, _ = _look(opened)
    if reason or sut.shown or (sut.own_storage and method != "delete_tokens"):
        return reason
    return see_a_row(opened.workspace) or _look(opened)[0]


def empty(opened: StoreHandle) -> str:
    """Remove what the kit has saved in a storage that all locations share, where a list shows that alone.

    Args:
        opened: The store.

    Returns:
        Why nothing was removed; "" where something was, or there is nothing to be seen.
    """
    reason, shows = _look(opened)
    if opened.workspace.sut.disposable or opened.out_of_reach:
        reason, shows = "", True
    if shows and not reason:
        opened.quietly("delete_tokens")
    return reason


def _look(opened: StoreHandle, unrecorded: int = 0) -> tuple[str, bool]:
    """List what a storage holds.

    Args:
        opened: The store. One that the check has closed need not show its rows.
        unrecorded: How many rows the kit has saved besides the recorded calls.

    Returns:
        Why nothing may be deleted, or ""; and whether the list shows a row of the kit's own.
    """
    sut = opened.workspace.sut
    rows = rows_of(opened.quietly("get_tokens"))
    if isinstance(rows, str):
        unreadable = "" if sut.own_storage or opened.closed else _reason_hidden(rows)
        return unreadable, False
    ours = [row for row in rows if opened.is_ours(row)]
    if len(ours) < len(rows) and not sut.own_storage:
        return OTHERS_ROWS, bool(ours)
    # A store that changes what it is given has rows that do not look like the kit's, but not more of them.
    saves = unrecorded + sum(call.method == "save_token" for call in opened.workspace.calls)
    if len(ours) < len(rows) > saves:
        return HIDDEN, bool(ours)
    sut.shown = sut.shown or bool(ours)
    return "", bool(ours)


def see_a_row(workspace: Workspace) -> str:
    """Save a row through another store object, look for it, and delete it by its id; none of it is recorded.

    The stores that the check uses are not called, for their first call may be what the check is about.

    Args:
        workspace: The workspace of the check.

    Returns:
        Why nothing may be deleted, or "".

    Raises:
        Violation: No list shows the row.
    """
    sut, location = workspace.sut, workspace.location()
    answer = workspace.guarded("open", lambda: sut.open(location), location)
    if answer.raised is not None:
        workspace.fail("the store opens", str(answer), precondition_failed=True)
    opened = StoreHandle(workspace, answer.returned, location, 0)
    try:
        token = to_token(_LOOKED_FOR)
        opened.remember(_LOOKED_FOR)
        opened.quietly("save_token", token)
        reason, shows = _look(opened, unrecorded=1)
        if shows and not reason:
            opened.quietly("delete_token", field_as_far_as_it_reads(token, "id"))
    finally:
        workspace.leave(opened)
    if not (reason or sut.shown):
        workspace.fail(BLIND, "it shows nothing of it", precondition_failed=True)
    return reason


def _reason_hidden(seen: str) -> str:
    """Why nothing is deleted from a storage that others reach, and that cannot be read.

    Args:
        seen: What ``get_tokens`` did.
    """
    return f"{seen}, so nobody can see whose tokens the storage holds; nothing was deleted. {if_disposable()}"


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
