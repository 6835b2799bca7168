"""Kill `SQLiteFileStore` at random moments of saving, and look for what was lost.

Run it from the project's root::

    python benchmarks/kill_store.py [KILLS [SEED]]

It makes 1,000 kills where nothing else is asked for, prints what it saw, and exits with 1 when an
acknowledged save was lost or torn, when the store no longer opens, or when no kill came in the middle
of a save.
"""

from __future__ import annotations

import random
import sys
import time

from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._checks.registry import checks_of
from zoho_tokenstore_contract._drivers.processes.children import Processes
from zoho_tokenstore_contract._drivers.processes.cut_short import Kill
from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._spec.clause_results import Violation
from zoho_tokenstore_contract._spec.tokens import Row

KILLS = 1000
A_STORAGE = 50  # kills that one database endures, before a new one keeps the comparing quick


def main(kills: int = KILLS, seed: int = 1) -> int:
    """Kill so many times.

    Returns:
        The exit status.
    """
    checks_of("CRASH-1")  # imports the checks in their order
    from zoho_tokenstore_contract._checks.stress.crashes import Saves, loses_nothing  # noqa: PLC0415 (only then)

    sut = StoreUnderTest(
        target="zoho_reference_stores:SQLiteFileStore",
        open=SQLiteFileStore,
        close=close_by_default,
        source=StoreSource.of(SQLiteFileStore),
    )
    chance = random.Random(seed)
    done = in_the_middle = 0
    began = time.monotonic()
    try:
        while done < kills:
            with Workspace(sut, Effort()) as workspace, Processes(workspace) as processes:
                _, duration = Saves(workspace).measured(processes)
                plan = []
                for _ in range(min(A_STORAGE, kills - done)):
                    after = chance.uniform(0, 1.2 * duration)
                    kind = chance.choice(("insert", "update"))
                    plan.append((kind, f"{after * 1000:.2f} ms after it began", Kill(Row(), after=after)))
                in_the_middle += loses_nothing(processes, plan)
                done += len(plan)
    except Violation as violation:
        steps = "\n".join(violation.done)
        print(f"{steps}\nafter {done} kills, seed {seed}: {violation}", file=sys.stderr)
        return 1
    print(
        f"{done} kills in {time.monotonic() - began:.0f} s, {in_the_middle} of them in the middle of a save "
        f"and {done - in_the_middle} after it had returned: every acknowledged save was there, whole"
    )
    return 0 if in_the_middle else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
