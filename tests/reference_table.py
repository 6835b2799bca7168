"""The verdict on the reference stores, on real servers: ``python -m tests.reference_table``.

Runs the kit on each store of `tests.reference_list`, records what it reports in
``data/reference-stores.json`` and renders that as ``docs/reference-stores.md``. ``--store NAME`` runs one,
``--only LIST`` some clauses, which are entered beside those that were run before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.proxy import Proxy
from tests.records import compact
from tests.reference_list import PLACES, Place
from tests.reference_promises import PROMISES, lines_of
from tests.servers import NoServer, Server
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS, Level
from zoho_tokenstore_contract._spec.tokens import Row, to_token

ROOT = Path(__file__).parent.parent
RECORD, PAGE = ROOT / "data" / "reference-stores.json", ROOT / "docs" / "reference-stores.md"

INTRODUCTION = """\
# The reference stores, clause by clause

What the kit says of the stores that are bundled with it, each where it is meant to be used; the servers are
real ones. This page is made by `python -m tests.reference_table`.

In each column: how many clauses of the group are kept, how many are broken (b), which FLOW-10 alone may be, a
MAY clause, and how many are not applicable (n/a): what takes a file or a second opening, where a store has
neither. *Not run* is what is newer than the last run. No MUST or SHOULD clause is broken.
`SecretsManagerStore` and `DynamoDBStore` talk to moto's server over HTTP, the nearest to AWS that runs on
loopback.
"""

ABOUT_PROMISES = """\
## What each promises

Lines are those of the store's own module, comments and docstrings included, and of all modules that
`zoho-tokenstore copy NAME` writes. *Survives* is what a call that has returned outlives. The last column says
who sends one token request together where `SingleFlightStore` is around the store.
"""

ABOUT_TRIPS = """
## What a call costs

Round trips, counted on the wire, begin and commit included: how often the store speaks to the server and
waits. There are three rows or four then, and what is prepared once has been. The driver pg8000 asks the
server more than once for a statement.
"""

TRIPS = {
    "find": "find",
    "insert": "save, new row",
    "update": "save, update",
    "list": "list",
    "delete": "delete",
}
"""The calls whose round trips are counted, and the headings of their columns."""

_ROUNDS = 8


# What is recorded


def check(place: Place, only: str = "") -> dict[str, Any]:
    """Run the kit on a store.

    Args:
        place: The store.
        only: The clauses and groups to check, as ``--tokenstore-only`` takes them; all where there are none.

    Returns:
        Plain values: the outcome of each clause that was checked, and the store's round trips.

    Raises:
        NoServer: The server that it needs cannot be started.
        RuntimeError: The kit did not come to its end; with what it said last.
    """
    entry: dict[str, Any] = {"store": place.name, "python": platform.python_version()}
    with place.server() if place.server else contextlib.nullcontext() as server:
        if server is not None:
            entry["server"] = server.version
        if server is not None and place.through is not None:
            entry["trips"] = trips_of(place.through, server)
        with tempfile.TemporaryDirectory(prefix="tokenstore-") as base:
            report = Path(base, "report.json")
            processes = str(os.cpu_count() or 1)
            command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"]
            command += ["--numprocesses", processes, "--dist", "worksteal", "--tokenstore-strict"]
            command += ["--tokenstore", place.factory, "--tokenstore-report", str(report), *place.options]
            command += ["--tokenstore-only", only] if only else []
            done = subprocess.run(
                command,
                cwd=base,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if not report.exists():
                raise RuntimeError(done.stdout.decode(errors="replace")[-2000:])
            said = json.loads(report.read_text(encoding="utf-8"))
    [store] = said["stores"]
    entry["sdk"] = said["sdk"]
    entry["clauses"] = {
        clause["id"]: clause["outcome"]
        for clause in store["clauses"]
        if clause["outcome"] != Outcome.NOT_RUN.value
    }
    return entry


def verdict_on(clauses: dict[str, str]) -> str:
    """What the outcomes say, with SHOULD as strict as MUST: ``conforms``, or what is in the way."""
    wrong = [
        f"{id} {outcome}"
        for id, outcome in clauses.items()
        if outcome not in ("kept", "not-applicable") and (outcome, CLAUSES[id].level) != ("broken", Level.MAY)
    ]
    if missing := len(CLAUSES) - len(clauses):
        wrong.append(f"{missing} not run")
    return ", ".join(wrong) or "conforms"


def trips_of(through: Callable[[int], AbstractContextManager[Any]], server: Server) -> dict[str, int]:
    """The round trips of a store that knows its server, with three rows or four: of each of `TRIPS`."""
    ann, bob, eve = (
        Row(user_name=name, client_id="client", client_secret="secret", refresh_token=name, access_token=name)
        for name in ("ann", "bob", "eve")
    )
    with Proxy(server.port) as line, through(line.port) as store:
        calls: dict[str, Callable[[], object]] = {
            "find": lambda: store.find_token(to_token(ann)),
            "insert": lambda: store.save_token(to_token(eve)),
            "update": lambda: store.save_token(to_token(ann.but(access_token=secrets.token_hex(8)))),
            "list": store.get_tokens,
            "delete": lambda: store.delete_token(store.find_token(to_token(eve)).get_id()),
        }
        store.save_token(to_token(ann))
        store.save_token(to_token(bob))
        # At first it connects, and a server or its driver prepares what is asked often.
        for _ in range(_ROUNDS):
            counted = {name: _turns_of(call, line) for name, call in calls.items()}
    return {**counted, "delete": counted["delete"] - counted["find"]}


def _turns_of(call: Callable[[], object], line: Proxy) -> int:
    before = line.turns
    call()
    return line.turns - before


def read_record() -> dict[str, Any]:
    """What is recorded: ``stores``, in the order of the list."""
    if not RECORD.exists():
        return {"stores": []}
    recorded: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return recorded


def enter(entry: dict[str, Any]) -> dict[str, Any]:
    """Write what was found on a store over what was recorded of it.

    Returns:
        What is recorded of the store now: the clauses that were not checked this time are as before.
    """
    entries = {one["store"]: one for one in read_record()["stores"]}
    before = entries.get(entry["store"], {"clauses": {}})["clauses"]
    found = {**before, **entry["clauses"]}
    clauses = {id: found[id] for id in CLAUSES if id in found}
    entry = {**entry, "clauses": clauses, "verdict": verdict_on(clauses)}
    entries[entry["store"]] = entry
    record = {"stores": [entries[name] for name in PLACES if name in entries]}
    RECORD.write_text(compact(record) + "\n", encoding="utf-8")
    return entry


# The page


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    groups = list(GROUPS)
    lines = [INTRODUCTION, _line("store", *(f"[{group}](contract.md#{group.lower()})" for group in groups))]
    lines.append(_line("---", *("---:" for _ in groups)))
    lines += [
        _line(entry["store"], *(_cell(entry["clauses"], group) for group in groups))
        for entry in record["stores"]
    ]
    lines += ["", ABOUT_PROMISES, *_promises()]
    lines += [ABOUT_TRIPS, _line("store", "server", *TRIPS.values())]
    lines.append(_line("---", "---", *("---:" for _ in TRIPS)))
    for entry in record["stores"]:
        if "trips" in entry:
            trips = (str(entry["trips"][name]) for name in TRIPS)
            lines.append(_line(entry["store"], entry["server"], *trips))
    return "\n".join(lines) + "\n"


def _promises() -> list[str]:
    lines = [
        _line("store", "NAME", "lines", "in all", "extra", "survives", "shared by", "one renewal for"),
        _line("---", "---", "---:", "---:", "---", "---", "---", "---"),
    ]
    for one in PROMISES:
        own, all_files = (lines_of(files) for files in ([one.core], one.files))
        extra = f"`{one.extra}`" if one.extra else ""
        cells = (str(own), str(all_files), extra, one.survives, one.shared_by, one.leases)
        lines.append(_line(f"`{one.store}`", f"`{one.copied_as}`", *cells))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(clauses: dict[str, str], group: str) -> str:
    outcomes = Counter(clauses.get(one.id, "not run") for one in CLAUSES.values() if one.group == group)
    marks = {"kept": "", "broken": " b", "not-applicable": " n/a"}
    return " ".join(
        f"{number}{marks.get(outcome, f' {outcome}')}"
        for outcome, number in sorted(outcomes.items(), key=_rank)
    )


def _rank(counted: tuple[str, int]) -> tuple[bool, str]:
    return counted[0] != "kept", counted[0]


def render() -> None:
    """Write the page anew from the record."""
    PAGE.write_text(page(read_record()), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 1 where a store does not conform or cannot be checked."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference_table", description=__doc__)
    parser.add_argument("--store", choices=PLACES, action="append", help="only this store (repeatable)")
    parser.add_argument("--only", default="", metavar="LIST", help="only these clauses and groups")
    parser.add_argument("--render", action="store_true", help="check nothing, only render the page anew")
    options = parser.parse_args(arguments)
    failed = False
    for name in [] if options.render else options.store or PLACES:
        try:
            entry = enter(check(PLACES[name], options.only))
        except (NoServer, RuntimeError) as error:
            sys.stderr.write(f"error: {name} was not checked: {error}\n")
            failed = True
            continue
        sys.stdout.write(f"{name}: {entry['verdict']}, {entry.get('trips', '')}\n")
        failed |= entry["verdict"] != "conforms"
    render()
    return int(failed)


if __name__ == "__main__":
    # So that being told to end takes the servers' directories away too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
