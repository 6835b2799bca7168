"""CRASH-3: a damaged file."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

from ..._harness.calls import CallRecord
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row
from ..registry import check
from ..sample_tokens import (
    GUS,
    ONE_OF_EVERY_KIND,
    person,
)
from ..storage_faults import DAMAGES, main_file

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


@check("CRASH-3", persistent=True)
def a_damaged_file_is_refused_when_it_is_read(workspace: Workspace) -> None:
    for what, damage in DAMAGES:
        before, location, main = _damaged(workspace, what, damage)
        content = main.read_bytes()
        opened = _refused_or_opened(workspace, location)
        if opened is not None:
            answer = opened.call("get_tokens")
            if answer.raised is None:
                opened.expect(before, because=f"a file is refused when {what}; or every row is still there")
            elif not answer.refused:
                workspace.fail("SDKException for a damaged file", str(answer))
            workspace.leave(opened)
            if answer.raised is None:
                continue
        _left_alone(workspace, main, content)


@check("CRASH-3", persistent=True)
def a_damaged_file_is_refused_when_it_is_written(workspace: Workspace) -> None:
    for what, damage in DAMAGES:
        before, location, main = _damaged(workspace, what, damage)
        content = main.read_bytes()
        opened = _refused_or_opened(workspace, location)
        if opened is not None:
            saved = opened.try_save(person("zoe"))
            if saved.answer.raised is None:
                listing = opened.call("get_tokens")
                if not listing.refused:
                    opened.expect(
                        before, new=1, because=f"a file is refused when {what}; or every row is still there"
                    )
                    continue
                # A store of several files may save elsewhere, as long as it owns up to the damage.
            elif not saved.answer.refused:
                workspace.fail("SDKException for a damaged file", str(saved.answer))
            workspace.leave(opened)
        _left_alone(workspace, main, content)


def _damaged(
    workspace: Workspace, what: str, damage: Callable[[bytes], bytes]
) -> tuple[list[Row], Path, Path]:
    """Store rows, close, damage the main file: the rows, the location, the file."""
    workspace.fresh_examples()
    store = workspace.open()
    before = store.holding(GUS)
    workspace.close(store)
    main_file(store)  # before more is asked of a store without files
    store = workspace.open(store.location)
    before += store.holding(*(row for row in ONE_OF_EVERY_KIND if row != GUS))
    workspace.close(store)
    store.store = None  # whatever closes itself when it is forgotten
    gc.collect()
    main = main_file(store)
    main.write_bytes(damage(main.read_bytes()))
    workspace.calls.append(CallRecord(1, "damage", answer=f"{main.relative_to(store.location)}: {what}"))
    return before, store.location, main


def _refused_or_opened(workspace: Workspace, location: Path) -> StoreHandle | None:
    """The opened store; ``None`` where opening is refused."""
    answer, opened = workspace.try_open(location)
    if opened is None and not answer.refused:
        workspace.fail("SDKException for a damaged file", f"opening {answer}")
    return opened


def _left_alone(workspace: Workspace, main: Path, content: bytes) -> None:
    if not main.is_file():
        workspace.fail("a damaged file that is refused is left as it is", f"{main.name} is gone")
    if main.read_bytes() != content:
        workspace.fail("a damaged file that is refused is left as it is", f"{main.name} has other content")
