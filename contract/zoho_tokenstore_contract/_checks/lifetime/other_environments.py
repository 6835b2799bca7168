"""PERSIST-5: processes with another zone, locale, encoding and hash seed share the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ..._drivers.processes.child_environments import EAST, WEST, Surroundings
from ..._drivers.processes.children import Processes
from ..._drivers.processes.fork_server import get_ready
from ..._drivers.processes.reading import Visit, visit
from ..._harness.row_acts import demand, require
from ..._harness.row_fates import Fate, TwinIds, hold_to
from ..._harness.store_limits import batches
from ..._harness.workspace import Workspace, precondition
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, DOMAIN, EXPIRED, GRANT, GUS, REFRESH, key_of, person

EXPIRIES = (
    "1793511000000",  # 2026-11-01 05:10 UTC: an hour that New York has twice
    "1793514600000",  # an hour later, with the same clock time there
    "1805009400000",  # 2027-03-14, near the hour that New York skips
    EXPIRED,
)
TEXTS = ("jos\u00e9", "\u5c71\u7530", "\U0001f511", "\u20ac", "e\u0301")
NATIVE = tuple(
    person(
        f"user{number}", user_name=f"{text}@example.com:77", client_secret=text, refresh_token=f"1000.{text}"
    )
    for number, text in enumerate(TEXTS)
)
TIMED = tuple(person(f"timed{number}", expires_in=expiry) for number, expiry in enumerate(EXPIRIES))
KNOWN = (ANN, ACCESS, GRANT, REFRESH, GUS, *TIMED)
CASTS = ((None, EAST, None, EAST), (None, WEST, None, WEST), (WEST, None, EAST, None))
"""Who saves the rows, and who visits them then; ``None`` for a process in the surroundings of this one."""
USUAL = (None,) * 4


@check("PERSIST-5", persistent=True)
def processes_in_other_surroundings_read_find_and_update_the_rows(workspace: Workspace) -> None:
    for known in batches((*KNOWN, *NATIVE)):
        with Processes(workspace) as processes:
            get_ready(WEST)
            usual: list[Visit] = precondition(partial(list, _visits(processes, USUAL, known)))
            there = (isinstance(one, Row) for seen in usual for one in (*seen.found, *seen.after))
            require(workspace, any(there), "processes share the rows")
            for cast in CASTS:
                ids = TwinIds()
                for seen, twin in zip(_visits(processes, cast, known), usual, strict=True):
                    _is_like(workspace, seen, twin, ids, known)


def _visits(
    processes: Processes, cast: Sequence[Surroundings | None], known: Sequence[Row]
) -> Iterator[Visit]:
    """Processes, one after another, list the rows, find and update them at a new location.

    Args:
        processes: The processes of the check.
        cast: What each of them is started in; the first one saves the rows.
        known: The rows.

    Yields:
        What each process saw.
    """
    workspace = processes.workspace
    workspace.fresh_examples()
    store = workspace.open()
    workspace.close(store)
    keys = [key_of(row) for row in known]
    for turn, surroundings in enumerate(cast):
        saves = [_renewal(row, turn) for row in known] if turn else known
        workspace.remember(saves)
        yield visit(processes, store.location, keys, saves, surroundings)


def _renewal(row: Row, turn: int) -> Row:
    return key_of(row).but(redirect_url=f"https://example.com/{turn}/\u00e9", api_domain=f"{DOMAIN}/{turn}")


def _is_like(workspace: Workspace, seen: Visit, twin: Visit, ids: TwinIds, known: Sequence[Row]) -> None:
    """A process sees what one sees at a twin location, where all have the usual surroundings."""
    where = seen.where
    _are(workspace, seen.listed, twin.listed, ids, f"as they are, {where}")
    for row, found, usual in zip(known, seen.found, twin.found, strict=True):
        if not isinstance(usual, str):
            demand(workspace, not isinstance(found, str), f"find_token works {where}", found)
            here = [found] if isinstance(found, Row) else []
            wanted = next(iter(ids.translated([usual] if usual else [], here)), None)
            asked = f"{format_row(key_of(row))} finds its row {where}: {wanted and format_row(wanted)}"
            demand(workspace, found == wanted, asked, format_row(here[0]) if here else None)
    for answer, usual in zip(seen.saved, twin.saved, strict=True):
        demand(workspace, usual or not answer, f"save_token works {where}", answer)
    _are(workspace, seen.after, twin.after, ids, f"saved {where}")


def _are(workspace: Workspace, seen: Any, twin: Any, ids: TwinIds, what: str) -> None:
    """Exactly the rows of the twin are there, where the twin shows them."""
    if not isinstance(twin, str):
        demand(workspace, not isinstance(seen, str), f"get_tokens works: the rows {what}", seen)
        fates = [Fate((row,), f"the rows {what}: {format_row(row)}") for row in ids.translated(twin, seen)]
        hold_to(fates, seen, f"{len(twin)} rows, {what}", workspace.fail)
