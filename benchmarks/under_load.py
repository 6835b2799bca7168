"""How often the kit finds the races of the SDK's ``FileStore`` on a busy machine: each time.

Run it from the project's root::

    python -m benchmarks.under_load --runs 20 --busy 4

It starts processes that do nothing but use a processor, checks THREAD, PROC and FLOW-6 again and again
beside them, and ends them. The status is 1 where a clause was broken in some runs and kept in others.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore

from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES

WITH_A_RACE = ("THREAD", "PROC", "FLOW-6")
"""Groups and clauses that threads or processes break."""
_SPIN = "while True: pass"


def open_store(location: Path) -> Any:
    """The SDK's ``FileStore``, unchanged."""
    return FileStore(str(location / "tokens.csv"))


@contextlib.contextmanager
def busy(number: int) -> Iterator[None]:
    """Have so many processes use all the processor time that they get."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", _SPIN])  # noqa: S603 (its own text)
        for _ in range(number)
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def outcomes(clauses: list[str], runs: int, limit: float) -> dict[str, Counter[Outcome]]:
    """Check clauses again and again, each run with a store that nothing is known of.

    Args:
        clauses: Their ids.
        runs: How often each is checked.
        limit: After how many seconds no further run begins.

    Returns:
        For each clause, how often it ended how.
    """
    found: dict[str, Counter[Outcome]] = {clause: Counter() for clause in clauses}
    began = time.monotonic()
    for _ in range(runs):
        sut = StoreUnderTest("FileStore", open_store, close_by_default, StoreSource.of(open_store))
        for clause in clauses:
            if time.monotonic() - began < limit:
                found[clause][check_clause(clause, sut, Effort()).outcome] += 1
        print(json.dumps(found), file=sys.stderr)
    return found


def main() -> int:
    """Measure, and print a line for each clause."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--busy", type=int, default=4, help="how many processes use a processor meanwhile")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds after which no run begins")
    parser.add_argument("clauses", nargs="*", metavar="CLAUSE")
    options = parser.parse_args()
    clauses = options.clauses or [one.id for one in CLAUSES.values() if {one.id, one.group} & {*WITH_A_RACE}]
    with busy(options.busy):
        found = outcomes(clauses, options.runs, options.limit)
    for clause, counts in found.items():
        words = ", ".join(f"{outcome.words} {count}" for outcome, count in counts.most_common())
        print(f"{clause}: {words} of {counts.total()}")
    return int(any(len(counts) > 1 for counts in found.values()))


if __name__ == "__main__":
    sys.exit(main())
